//! TLS on connections: what the server shows and with which key it signs, and one connection's part in it ([`Session`]).
//!
//! rustls keeps no socket and, through its unbuffered interface, no buffers either, so a connection with TLS is a state in the
//! shard's table as any other: what its socket gives is decrypted before anybody looks at it, what leaves is encrypted when it
//! is written. Nothing here reads a file, knows a socket or waits.

mod session;

use std::{fmt, sync::Arc};

use arc_swap::ArcSwap;
use rustls::{
    Error, ServerConfig,
    crypto::{CryptoProvider, ring},
    pki_types::{CertificateDer, PrivateKeyDer},
    server::{ClientHello, NoServerSessionStorage, ResolvesServerCert},
    sign::CertifiedKey,
};

pub(super) use session::{Proxied, SEALED_BYTES, Session};

/// What a WebSocket's client may ask for beside TLS. Who speaks something else is refused before it can be mistaken for this
/// (ALPACA). The lobbies' own protocols have no registered name, so a client that asks for one there is not held to it.
const WEBSOCKET_ALPN: &[u8] = b"http/1.1";

/// A certificate with what proves it, and its key, which fit each other.
#[derive(Clone)]
pub struct Certificate(Arc<CertifiedKey>);

impl Certificate {
    /// Of a chain, the server's own first, and the key of that.
    ///
    /// # Errors
    /// The key is of a kind that is not known, or another's.
    pub fn new(
        chain: Vec<CertificateDer<'static>>,
        key: PrivateKeyDer<'static>,
    ) -> Result<Certificate, Error> {
        let key = CertifiedKey::from_der(chain, key, &ring::default_provider())?;
        Ok(Certificate(Arc::new(key)))
    }

    /// The server's own, as it is shown.
    pub fn own(&self) -> Option<&[u8]> {
        self.0.cert.first().map(|own| &**own)
    }

    /// Whether it is shown as this one is.
    pub fn is_same(&self, other: &Certificate) -> bool {
        self.0.cert == other.0.cert
    }
}

impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} certificates", self.0.cert.len()) // never the key
    }
}

/// What all listeners with TLS show. Clones are of the same: a new certificate is every listener's at once.
#[derive(Clone, Debug)]
pub struct Tls {
    shown: Arc<Shown>,
    plain: Arc<ServerConfig>,
    websocket: Arc<ServerConfig>,
}

impl Tls {
    /// With this certificate: TLS 1.2 and 1.3, sessions that can be resumed, no early data.
    ///
    /// Resumption needs no memory of ours: a client keeps its session itself, sealed with a key that is changed every six hours
    /// and forgotten after twelve.
    ///
    /// # Errors
    /// There is no randomness.
    pub fn new(certificate: Certificate) -> Result<Tls, Error> {
        let shown = Arc::new(Shown(ArcSwap::from(certificate.0)));
        let provider: Arc<CryptoProvider> = ring::default_provider().into();
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_cert_resolver(shown.clone());
        config.ticketer = ring::Ticketer::new()?;
        config.session_storage = Arc::new(NoServerSessionStorage {});
        let plain = Arc::new(config.clone());
        config.alpn_protocols = vec![WEBSOCKET_ALPN.to_vec()];
        Ok(Tls {
            shown,
            plain,
            websocket: Arc::new(config),
        })
    }

    /// From now on newcomers are shown this one. Connections that are there keep theirs.
    pub fn renew(&self, certificate: Certificate) {
        self.shown.0.store(certificate.0);
    }

    /// What connections of a listener with, or without, an upgrade are encrypted with.
    pub(super) fn config(&self, websocket: bool) -> &Arc<ServerConfig> {
        if websocket {
            &self.websocket
        } else {
            &self.plain
        }
    }
}

/// The present certificate. Whatever name a client asks for, it is shown this one.
#[derive(Debug)]
struct Shown(ArcSwap<CertifiedKey>);

impl ResolvesServerCert for Shown {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.0.load_full())
    }
}

/// Rooms of a shard that connections with TLS use in turn, so that an idle one has none.
#[derive(Debug, Default)]
pub(super) struct Rooms {
    /// What was decrypted.
    pub(super) plain: Vec<u8>,
    /// What lies in several pieces and is to be encrypted as one.
    pub(super) gathered: Vec<u8>,
    /// What was encrypted.
    pub(super) sealed: Vec<u8>,
}
