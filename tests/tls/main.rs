//! TLS on the real server: every lobby over it, what a certificate's renewal does, what clients do that have it wrong.

#[path = "../support/mod.rs"]
mod support;

mod client;
mod load;
mod lobbies;
mod misuse;
mod proxies;
mod renewal;

use std::{
    fs,
    path::Path,
    time::{Duration, Instant},
};

use rcgen::{CertificateParams, KeyPair};
use support::server::{Backend, Server, Setup};

/// Writes a certificate for `localhost`, and its key, where servers of these tests look for them.
fn certify(folder: &Path) -> String {
    let key = KeyPair::generate().expect("a key");
    let params = CertificateParams::new(["localhost".to_owned()]).expect("a name");
    let certificate = params.self_signed(&key).expect("a certificate");
    fs::write(folder.join("key.pem"), key.serialize_pem()).expect("a file");
    fs::write(folder.join("chain.pem"), certificate.pem()).expect("a file");
    certificate.pem()
}

/// A server with every listener over TLS as well, and its certificate's folder.
fn server(set: &[&str]) -> (Server, tempfile::TempDir) {
    let folder = tempfile::tempdir().expect("a folder");
    certify(folder.path());
    let mut all = vec![
        format!(
            "server.tls_certificate={}",
            folder.path().join("chain.pem").display()
        ),
        format!("server.tls_key={}", folder.path().join("key.pem").display()),
    ];
    let on = [
        "cockatrice.enabled=true",
        "cockatrice.tcp_address=127.0.0.1:0",
        "cockatrice.websocket_address=127.0.0.1:0",
        "faf.qdatastream_tls_address=127.0.0.1:0",
        "faf.json_tls_address=127.0.0.1:0",
        "faf.websocket_tls_address=127.0.0.1:0",
        "vcmi.tls_address=127.0.0.1:0",
        "cockatrice.tcp_tls_address=127.0.0.1:0",
        "cockatrice.websocket_tls_address=127.0.0.1:0",
        "http.metrics_address=127.0.0.1:0",
    ];
    all.extend(on.iter().chain(set).map(|pair| (*pair).to_owned()));
    let setup = Setup {
        backend: Backend::Sqlite,
        shards: 2,
        set: &all,
        sql: &[],
    };
    (Server::start(&setup).expect("a server"), folder)
}

/// What a FAF client asks first.
const ASK: &[u8] =
    b"{\"command\":\"ask_session\",\"version\":\"1.0\",\"user_agent\":\"downlords-faf-client\"}\n";

/// Both versions of TLS.
fn both() -> &'static [&'static rustls::SupportedProtocolVersion] {
    rustls::ALL_VERSIONS
}

/// Until a condition holds.
fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while !holds() {
        assert!(Instant::now() < deadline, "waited in vain: {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// How many handshakes ended like this, by the page of metrics.
fn handshakes(server: &Server, outcome: &str) -> f64 {
    let address = server.listener("http/metrics").expect("it has metrics");
    let page = support::http::get(address, "/metrics")
        .expect("a page")
        .body;
    let label = format!("outcome=\"{outcome}\"");
    page.lines()
        .filter(|line| line.starts_with("muster_tls_handshakes_total{") && line.contains(&label))
        .filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok())
        .sum()
}
