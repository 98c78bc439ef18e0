//! TLS on a client's connection, without a socket: bytes of the server in, plain ones out, and the other way round. A client
//! without it pays for one comparison.

use std::fmt;
use std::io::{self, Read as _, Write as _};
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{Resumption, WebPkiServerVerifier, verify_server_name};
use rustls::crypto::{CryptoProvider, WebPkiSupportedAlgorithms, ring};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{
    CertificateError, ClientConfig, ClientConnection, DigitallySignedStruct, HandshakeKind,
    RootCertStore, SignatureScheme,
};

/// Plain bytes are taken out this many at a time: no record has more.
const PLAIN_BYTES: usize = 16 << 10;
/// Sessions that a client remembers: it connects to one server.
const REMEMBERED: usize = 1;

/// Options of connections that are encrypted.
#[derive(Debug, clap::Args)]
pub(crate) struct TlsOptions {
    /// Encrypt connections with TLS; wss:// in --server does as well.
    #[arg(long)]
    pub(crate) tls: bool,
    /// Trust the certificates in this file (PEM), instead of those that browsers trust: who has signed the server's, or the server's
    /// own.
    #[arg(long, value_name = "FILE")]
    pub(crate) tls_ca: Option<PathBuf>,
    /// Take any certificate: whoever stands in between is not noticed.
    #[arg(long, conflicts_with = "tls_ca")]
    pub(crate) tls_insecure: bool,
    /// The name that the server's certificate must be for; without it that of --server.
    #[arg(long, value_name = "NAME")]
    pub(crate) tls_name: Option<String>,
}

impl TlsOptions {
    /// How connections to this server are encrypted, if they are; `secure`: its address says so.
    pub(crate) fn plan(&self, server: &str, secure: bool) -> anyhow::Result<Option<Tls>> {
        if !self.tls && !secure {
            let given = self.tls_ca.is_some() || self.tls_insecure || self.tls_name.is_some();
            ensure!(!given, "--tls-ca, --tls-insecure and --tls-name need --tls");
            return Ok(None);
        }
        let name = self.tls_name.as_deref().unwrap_or(server);
        let name = ServerName::try_from(name.to_owned())
            .with_context(|| format!("{name:?} is no name that a certificate can be for"))?;
        let provider = Arc::new(ring::default_provider());
        let verifier = self.verifier(&provider)?;
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .dangerous()
            .with_custom_certificate_verifier(verifier)
            .with_no_client_auth();
        Ok(Some(Tls {
            config: Arc::new(config),
            host: server.to_owned(),
            name,
            insecure: self.tls_insecure,
        }))
    }

    fn verifier(
        &self,
        provider: &Arc<CryptoProvider>,
    ) -> anyhow::Result<Arc<dyn ServerCertVerifier>> {
        if self.tls_insecure {
            let algorithms = provider.signature_verification_algorithms;
            return Ok(Arc::new(Anybody(algorithms)));
        }
        let mut roots = RootCertStore::empty();
        let mut pinned = Vec::new();
        match &self.tls_ca {
            None => roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned()),
            Some(path) => {
                let name = path.display();
                let certificates = CertificateDer::pem_file_iter(path)
                    .with_context(|| format!("cannot read {name}"))?;
                for certificate in certificates {
                    let certificate = certificate.with_context(|| format!("cannot read {name}"))?;
                    pinned.push(certificate.clone());
                    roots
                        .add(certificate)
                        .with_context(|| format!("{name} has a certificate that can't be used"))?;
                }
                ensure!(!roots.is_empty(), "{name} has no certificate");
            }
        }
        let verifier = WebPkiServerVerifier::builder_with_provider(roots.into(), provider.clone());
        let usual = verifier.build()?;
        if pinned.is_empty() {
            return Ok(usual);
        }
        let named = self.tls_name.is_some();
        Ok(Arc::new(Pinned {
            pinned,
            named,
            usual,
        }))
    }
}

/// How a run's connections are encrypted.
#[derive(Debug, Clone)]
pub(crate) struct Tls {
    config: Arc<ClientConfig>,
    /// What the server is called.
    host: String,
    /// What its certificate must be for.
    name: ServerName<'static>,
    insecure: bool,
}

impl fmt::Display for Tls {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(if self.insecure {
            "TLS with any certificate"
        } else {
            "TLS"
        })
    }
}

impl Tls {
    /// What a request is addressed to.
    pub(crate) fn authority(&self, address: SocketAddr) -> String {
        match self.host.parse() {
            Ok(IpAddr::V6(host)) => format!("[{host}]:{}", address.port()),
            _ => format!("{}:{}", self.host, address.port()),
        }
    }

    /// Makes one connection and waits: whether the server speaks TLS and shows the right certificate.
    pub(crate) fn try_out(&self, socket: &mut TcpStream, patience: Duration) -> anyhow::Result<()> {
        socket.set_read_timeout(Some(patience))?;
        socket.set_write_timeout(Some(patience))?;
        let mut connection = ClientConnection::new(self.config.clone(), self.name.clone())?;
        while connection.is_handshaking() {
            let made = connection.complete_io(socket);
            made.map_err(|error| anyhow::anyhow!(self.explain_io(&error)))?;
        }
        connection.send_close_notify();
        let _gone = connection.complete_io(socket);
        Ok(())
    }

    fn explain_io(&self, error: &io::Error) -> String {
        let inner = error.get_ref().and_then(|inner| inner.downcast_ref());
        match inner {
            Some(inner) => self.explain(inner),
            None if error.kind() == io::ErrorKind::UnexpectedEof => {
                "the server ended the connection during the TLS handshake; does it speak TLS?"
                    .to_owned()
            }
            None if matches!(
                error.kind(),
                io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut
            ) =>
            {
                "the server does not answer to TLS; does it speak it?".to_owned()
            }
            None => format!("TLS: {error}"),
        }
    }

    /// What went wrong, in words.
    fn explain(&self, error: &rustls::Error) -> String {
        let name = self.name.to_str();
        match error {
            rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer) => {
                "the server's certificate is from nobody who is trusted (--tls-ca FILE names whom to trust)".to_owned()
            }
            rustls::Error::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            ) => format!("the server's certificate is not for {name} (--tls-name NAME says for whom it is)"),
            rustls::Error::InvalidCertificate(
                CertificateError::Expired | CertificateError::ExpiredContext { .. },
            ) => "the server's certificate has expired".to_owned(),
            // A CA's, which is how `openssl req -x509` makes one that signs itself.
            rustls::Error::InvalidCertificate(CertificateError::Other(other))
                if other.to_string().contains("CaUsedAsEndEntity") =>
            {
                "the server shows a certificate that is a CA's and none of those that are trusted (--tls-ca FILE with that very \
                 certificate trusts it)"
                    .to_owned()
            }
            rustls::Error::InvalidCertificate(why) => {
                format!("the server's certificate can't be trusted: {why}")
            }
            rustls::Error::InvalidMessage(_) => {
                format!("the server does not speak TLS here ({error})")
            }
            other => format!("TLS: {other}"),
        }
    }
}

/// One client's encryption, through all of its connections: with the second it resumes the session of the first.
#[derive(Debug)]
pub(crate) struct Secured {
    tls: Tls,
    connection: Option<ClientConnection>,
    outgoing: Vec<u8>,
    sent: usize,
    /// When the first byte left.
    began_us: Option<u64>,
    said_goodbye: bool,
}

/// What a handshake was, once it is complete.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Handshake {
    pub(crate) began_us: u64,
    pub(crate) resumed: bool,
}

impl Secured {
    pub(crate) fn new(tls: &Tls) -> Secured {
        let mut config = ClientConfig::clone(&tls.config);
        config.resumption = Resumption::in_memory_sessions(REMEMBERED);
        Secured {
            tls: Tls {
                config: Arc::new(config),
                ..tls.clone()
            },
            connection: None,
            outgoing: Vec::new(),
            sent: 0,
            began_us: None,
            said_goodbye: false,
        }
    }

    /// A new connection is being made.
    ///
    /// # Errors
    /// There is no randomness.
    pub(crate) fn connect(&mut self) -> Result<(), rustls::Error> {
        let config = self.tls.config.clone();
        self.connection = Some(ClientConnection::new(config, self.tls.name.clone())?);
        self.outgoing.clear();
        self.sent = 0;
        self.began_us = None;
        self.said_goodbye = false;
        Ok(())
    }

    /// The connection is over.
    pub(crate) fn disconnect(&mut self) {
        self.connection = None;
        self.outgoing = Vec::new();
    }

    /// Bytes for the socket. Takes what it can of `plain` and says how much that was; `closing`: nothing more comes after it.
    ///
    /// # Errors
    /// Those of TLS.
    pub(crate) fn outgoing(&mut self, plain: &[u8], closing: bool) -> io::Result<(&[u8], usize)> {
        let mut taken = 0;
        if self.sent == self.outgoing.len()
            && let Some(connection) = &mut self.connection
        {
            self.outgoing.clear();
            self.sent = 0;
            if !connection.is_handshaking() {
                taken = connection.writer().write(plain)?;
                if closing && taken == plain.len() && !self.said_goodbye {
                    self.said_goodbye = true;
                    connection.send_close_notify();
                }
            }
            while connection.wants_write() {
                connection.write_tls(&mut self.outgoing)?;
            }
        }
        Ok((&self.outgoing[self.sent..], taken))
    }

    /// The socket has taken so many of them.
    pub(crate) fn sent(&mut self, bytes: usize, now_us: u64) {
        self.sent += bytes;
        self.began_us.get_or_insert(now_us);
    }

    /// Takes bytes of the socket, and gives the next plain ones to be had of them; none when it has to wait for more.
    ///
    /// # Errors
    /// Why the connection can't go on, in words.
    pub(crate) fn read<'a>(
        &mut self,
        wire: &mut &[u8],
        plain: &'a mut Vec<u8>,
    ) -> anyhow::Result<Option<&'a [u8]>> {
        plain.resize(PLAIN_BYTES, 0);
        let Some(connection) = &mut self.connection else {
            return Ok(None);
        };
        loop {
            match connection.reader().read(plain) {
                Ok(0) => return Ok(None),
                Ok(length) => return Ok(Some(&plain[..length])),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(error.into()),
            }
            if wire.is_empty() {
                return Ok(None);
            }
            connection.read_tls(wire)?;
            let processed = connection.process_new_packets();
            processed.map_err(|error| anyhow::anyhow!(self.tls.explain(&error)))?;
        }
    }

    /// The handshake, if it is complete and was not told yet.
    pub(crate) fn handshake(&mut self) -> Option<Handshake> {
        let connection = self.connection.as_ref()?;
        if connection.is_handshaking() {
            return None;
        }
        let began_us = self.began_us.filter(|began_us| *began_us != TOLD)?;
        self.began_us = Some(TOLD);
        Some(Handshake {
            began_us,
            resumed: connection.handshake_kind() == Some(HandshakeKind::Resumed),
        })
    }
}

/// Stands for when a handshake began that was told.
const TOLD: u64 = u64::MAX;

/// Trusts whoever has the key of one of these certificates, as far as the usual verifier does not anyway.
///
/// A certificate that signs itself is a CA's as `openssl` makes it, which the usual verifier takes from no server; and as it was given
/// by whoever trusts it, what it says of names and dates adds nothing. A name that was typed must still be its own.
#[derive(Debug)]
struct Pinned {
    pinned: Vec<CertificateDer<'static>>,
    /// The name was typed, and is not only where the server is.
    named: bool,
    usual: Arc<WebPkiServerVerifier>,
}

impl ServerCertVerifier for Pinned {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        if self.pinned.iter().any(|pinned| pinned == end_entity) {
            if self.named {
                verify_server_name(&ParsedCertificate::try_from(end_entity)?, server_name)?;
            }
            return Ok(ServerCertVerified::assertion());
        }
        let usual = &self.usual;
        usual.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.usual
            .verify_tls12_signature(message, certificate, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.usual
            .verify_tls13_signature(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.usual.supported_verify_schemes()
    }
}

/// Trusts whoever comes, if only he has the key of the certificate that he shows.
#[derive(Debug)]
struct Anybody(WebPkiSupportedAlgorithms);

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls12_signature(message, certificate, signed, &self.0)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls13_signature(message, certificate, signed, &self.0)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.supported_schemes()
    }
}
