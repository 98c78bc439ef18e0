//! A client that speaks TLS, by rustls and a socket that waits.

use std::{
    fs,
    io::{self, Read, Write},
    net::{Shutdown, SocketAddr, TcpStream},
    path::Path,
    sync::Arc,
    time::Duration,
};

use rustls::{
    ClientConfig, ClientConnection, RootCertStore, StreamOwned, SupportedProtocolVersion,
    crypto::ring,
    pki_types::{CertificateDer, ServerName, pem::PemObject},
};

/// Generous: a loaded machine must not fail a test.
const PATIENCE: Duration = Duration::from_secs(20);

/// A connection.
pub(crate) type Stream = StreamOwned<ClientConnection, TcpStream>;

/// What a client trusts: the certificate in this folder, and nobody else.
pub(crate) fn config(
    folder: &Path,
    versions: &[&'static SupportedProtocolVersion],
) -> Arc<ClientConfig> {
    let pem = fs::read(folder.join("chain.pem")).expect("a certificate");
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(&pem) {
        roots.add(certificate.expect("PEM")).expect("a root");
    }
    let config = ClientConfig::builder_with_provider(ring::default_provider().into())
        .with_protocol_versions(versions)
        .expect("versions")
        .with_root_certificates(roots)
        .with_no_client_auth();
    Arc::new(config)
}

/// A connection whose handshake is over.
pub(crate) fn connect(config: &Arc<ClientConfig>, address: SocketAddr) -> io::Result<Stream> {
    over(config, tcp(address)?)
}

/// A socket that does not wait for ever.
pub(crate) fn tcp(address: SocketAddr) -> io::Result<TcpStream> {
    let tcp = TcpStream::connect(address)?;
    tcp.set_nodelay(true)?;
    tcp.set_read_timeout(Some(PATIENCE))?;
    tcp.set_write_timeout(Some(PATIENCE))?;
    Ok(tcp)
}

/// TLS over a socket that is there.
pub(crate) fn over(config: &Arc<ClientConfig>, tcp: TcpStream) -> io::Result<Stream> {
    let name = ServerName::try_from("localhost").expect("a name");
    let connection = ClientConnection::new(config.clone(), name).map_err(io::Error::other)?;
    let mut stream = StreamOwned::new(connection, tcp);
    while stream.conn.is_handshaking() {
        stream.conn.complete_io(&mut stream.sock)?;
    }
    Ok(stream)
}

/// Says that nothing more is sent, in TLS and then in TCP.
pub(crate) fn finish(stream: &mut Stream) -> io::Result<()> {
    stream.conn.send_close_notify();
    stream.flush()?;
    while stream.conn.wants_write() {
        stream.conn.write_tls(&mut stream.sock)?;
    }
    Ok(())
}

/// Everything up to this byte.
pub(crate) fn read_until(stream: &mut impl Read, end: u8) -> io::Result<String> {
    let mut all = Vec::new();
    let mut byte = [0];
    while all.last() != Some(&end) {
        stream.read_exact(&mut byte)?;
        all.push(byte[0]);
    }
    String::from_utf8(all).map_err(io::Error::other)
}

/// Everything to the end of the stream, which must be an orderly one.
pub(crate) fn read_all(stream: &mut impl Read) -> io::Result<Vec<u8>> {
    let mut all = Vec::new();
    stream.read_to_end(&mut all)?;
    Ok(all)
}

/// The end of a socket's writing side.
pub(crate) fn shut(stream: &Stream) -> io::Result<()> {
    stream.sock.shutdown(Shutdown::Write)
}
