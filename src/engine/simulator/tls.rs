//! TLS of a walk's clients, by rustls' own client, and what its server shows them.
//!
//! Keys and nonces come from the machine's chance and are others each time, since rustls takes none from outside without a
//! provider of one's own. How long everything is does not change with them: signatures are of a fixed length (Ed25519), and so is
//! the certificate. A walk is led by lengths alone, so a seed is the same walk each time, though with other ciphertext.

use std::{
    io::{Read, Write},
    sync::{Arc, OnceLock},
};

use rcgen::{CertificateParams, KeyPair, PKCS_ED25519};
use rustls::{
    ClientConfig, ClientConnection, Error, RootCertStore,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer, ServerName},
};

use crate::tls::{Certificate, Tls};

/// A server's certificate and key, made once.
fn identity() -> &'static (Certificate, CertificateDer<'static>) {
    static MADE: OnceLock<(Certificate, CertificateDer<'static>)> = OnceLock::new();
    MADE.get_or_init(|| {
        let key = KeyPair::generate_for(&PKCS_ED25519).expect("a key");
        let mut params = CertificateParams::new(["simulated".to_owned()]).expect("a name");
        params.serial_number = Some(vec![1].into());
        let own = params
            .self_signed(&key)
            .expect("a certificate")
            .der()
            .clone();
        let key = PrivateKeyDer::Pkcs8(key.serialize_der().into());
        let certificate = Certificate::new(vec![own.clone()], key).expect("they go together");
        (certificate, own)
    })
}

/// What one server shows.
pub(super) fn server() -> Tls {
    Tls::new(identity().0.clone()).expect("randomness")
}

/// What its clients trust. They resume sessions that the others had.
pub(super) fn clients() -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    roots.add(identity().1.clone()).expect("a certificate");
    let config = ClientConfig::builder_with_provider(ring::default_provider().into())
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_root_certificates(roots)
        .with_no_client_auth();
    Arc::new(config)
}

/// One client's TLS.
#[derive(Debug)]
pub(super) struct Secured(ClientConnection);

impl Secured {
    pub(super) fn new(config: &Arc<ClientConfig>) -> Secured {
        let name = ServerName::try_from("simulated").expect("a name");
        let mut connection = ClientConnection::new(config.clone(), name).expect("randomness");
        connection.set_buffer_limit(None);
        Secured(connection)
    }

    /// What its socket is given when it says this. Before its handshake is over it waits.
    pub(super) fn write(&mut self, plain: &[u8]) -> Vec<u8> {
        self.0.writer().write_all(plain).expect("no limit");
        self.outgoing()
    }

    /// What it makes of what its socket gives: what that says, and what its socket is given.
    pub(super) fn read(&mut self, mut bytes: &[u8]) -> Result<(Vec<u8>, Vec<u8>), Error> {
        let mut plain = Vec::new();
        while !bytes.is_empty() {
            if self.0.read_tls(&mut bytes).unwrap_or(0) == 0 {
                break; // after its end
            }
            self.0.process_new_packets()?;
            let _ = self.0.reader().read_to_end(&mut plain); // until there is no more
        }
        Ok((plain, self.outgoing()))
    }

    /// What its socket is given when it says nothing more; none if it could not say anything yet.
    pub(super) fn finish(&mut self) -> Option<Vec<u8>> {
        if self.0.is_handshaking() {
            return None;
        }
        self.0.send_close_notify();
        Some(self.outgoing())
    }

    fn outgoing(&mut self) -> Vec<u8> {
        let mut bytes = Vec::new();
        while self.0.wants_write() {
            self.0.write_tls(&mut bytes).expect("room");
        }
        bytes
    }
}
