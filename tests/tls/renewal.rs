//! A certificate that is renewed while the server runs, and one that can't be used.

use std::{fs, io::Write};

use crate::{
    ASK, both, certify,
    client::{config, connect, read_until},
    handshakes, server,
    support::http,
    until,
};

/// The value of a metric without labels.
fn metric(page: &str, name: &str) -> f64 {
    let value = page
        .lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    value
        .and_then(|value| value.parse().ok())
        .unwrap_or(f64::NAN)
}

#[test]
fn newcomers_are_shown_a_new_certificate_and_nobody_is_disconnected() {
    let (server, folder) = server(&[]);
    let address = server.listener("faf/json/tls").unwrap();
    let metrics = server.listener("http/metrics").unwrap();
    let scrape = || http::get(metrics, "/metrics").unwrap().body;
    let old = config(folder.path(), both());
    let mut before = connect(&old, address).unwrap();
    before.write_all(ASK).unwrap();
    read_until(&mut before, b'\n').unwrap();
    assert!(
        metric(&scrape(), "muster_tls_certificate_expiry_seconds") > 4e9,
        "rcgen's last for ever"
    );

    // A key that is not the certificate's: the old one stays.
    let key = fs::read(folder.path().join("key.pem")).unwrap();
    let other = rcgen::KeyPair::generate().unwrap();
    fs::write(folder.path().join("key.pem"), other.serialize_pem()).unwrap();
    server.signal("HUP").unwrap();
    let unusable = || metric(&scrape(), "muster_tls_certificate_unusable");
    until("it is refused", || unusable() == 1.0);
    connect(&old, address).unwrap();
    fs::write(folder.path().join("key.pem"), key).unwrap();
    server.signal("HUP").unwrap();
    until("it is taken back", || unusable() == 0.0);

    certify(folder.path());
    let new = config(folder.path(), both());
    assert!(connect(&new, address).is_err(), "nobody has read it");
    server.signal("HUP").unwrap();
    until("the new one is shown", || connect(&new, address).is_ok());
    before.write_all(ASK).unwrap();
    assert!(
        read_until(&mut before, b'\n').unwrap().contains("session"),
        "who was there goes on"
    );
}

#[test]
fn a_client_that_comes_back_resumes_its_session() {
    let (server, folder) = server(&[]);
    let config = config(folder.path(), both());
    let address = server.listener("faf/json/tls").unwrap();
    for resumed in [false, true] {
        let mut stream = connect(&config, address).unwrap();
        stream.write_all(ASK).unwrap();
        read_until(&mut stream, b'\n').unwrap(); // the ticket came before it
        let kind = stream.conn.handshake_kind();
        assert_eq!(kind == Some(rustls::HandshakeKind::Resumed), resumed);
    }
    let both = ["full", "resumed"].map(|outcome| handshakes(&server, outcome));
    assert_eq!(both, [1.0, 1.0]);
}

#[test]
fn what_can_not_be_shown_ends_the_start_with_its_name() {
    let folder = tempfile::tempdir().unwrap();
    certify(folder.path());
    fs::write(folder.path().join("key.pem"), "nothing").unwrap();
    let set = |key: &str, file: &str| format!("{key}={}", folder.path().join(file).display());
    let certificate = set("server.tls_certificate", "chain.pem");
    let key = set("server.tls_key", "key.pem");
    let started = |pairs: &[&str]| {
        let mut command = crate::support::server::muster(folder.path());
        let own = [
            "faf.json_address=127.0.0.1:0",
            "faf.qdatastream_address=",
            "faf.websocket_address=",
            "vcmi.enabled=false",
        ];
        for pair in own.iter().chain(pairs) {
            command.args(["--set", pair]);
        }
        let output = command.arg("serve").output().unwrap();
        assert!(!output.status.success());
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    let said = started(&[&certificate, &key, "faf.json_tls_address=127.0.0.1:0"]);
    assert!(
        said.contains("key.pem: there is no private key in PEM form in it"),
        "{said}"
    );
    let said = started(&["faf.json_tls_address=127.0.0.1:0"]);
    assert!(
        said.contains("faf/json/tls is to listen, but there is no certificate"),
        "{said}"
    );
    let said = started(&[&certificate]);
    assert!(said.contains("server.tls_key is not"), "{said}");
}
