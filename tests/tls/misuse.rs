//! Clients that have it wrong, on purpose or not.

use std::{
    io::{ErrorKind, Read, Write},
    net::{Shutdown, TcpStream},
};

use crate::{
    ASK, both,
    client::{config, connect, over, read_until, tcp},
    handshakes, server, until,
};

/// A record of TLS that is an alert and says that something fatal has happened.
fn is_alert(bytes: &[u8]) -> bool {
    bytes.len() == 7 && bytes[..2] == [21, 3] && bytes[5] == 2
}

fn all(mut stream: TcpStream) -> Vec<u8> {
    let mut bytes = Vec::new();
    match stream.read_to_end(&mut bytes) {
        Err(error) if error.kind() != ErrorKind::ConnectionReset => panic!("{error}"),
        _ => bytes,
    }
}

#[test]
fn whoever_speaks_something_else_is_sent_an_alert_and_closed() {
    let (server, folder) = server(&[]);
    let names = [
        "faf/json/tls",
        "faf/websocket/tls",
        "vcmi/tls",
        "cockatrice/tcp/tls",
    ];
    for name in names {
        let address = server.listener(name).unwrap();
        for garbage in [ASK, b"GET /ws HTTP/1.1\r\nHost: x\r\n\r\n", &[0xff; 40_000]] {
            let mut stream = tcp(address).unwrap();
            let _ = stream.write_all(garbage); // it may be reset while it is sent
            let answer = all(stream);
            assert!(
                garbage.len() > 1_000 || is_alert(&answer),
                "{name}: {answer:?}"
            );
        }
        // Somebody who goes in the midst of a handshake, and one who says nothing: neither is in anybody's way.
        let mut half = tcp(address).unwrap();
        half.write_all(b"\x16\x03\x01\x02\x00\x01").unwrap();
        half.shutdown(Shutdown::Write).unwrap();
        assert_eq!(all(half), b"");
    }
    let config = config(folder.path(), both());
    let mut stream = connect(&config, server.listener("faf/json/tls").unwrap()).unwrap();
    stream.write_all(ASK).unwrap();
    read_until(&mut stream, b'\n').unwrap();
    // A record that nobody has encrypted, in a session that is there.
    stream
        .sock
        .write_all(b"\x17\x03\x03\x00\x20................................")
        .unwrap();
    let broken = stream.read(&mut [0; 100]).unwrap_err();
    assert!(broken.to_string().contains("BadRecordMac"), "{broken}");
    assert_eq!(handshakes(&server, "failed"), (3 * names.len()) as f64);
}

#[test]
fn a_client_with_tls_at_a_plain_port_is_closed_and_harms_nobody() {
    let (server, folder) = server(&["faf.login_timeout_s=2"]);
    let config = config(folder.path(), both());
    for name in [
        "faf/json",
        "faf/qdatastream",
        "faf/websocket",
        "vcmi",
        "cockatrice/websocket",
    ] {
        let stream = tcp(server.listener(name).unwrap()).unwrap();
        assert!(over(&config, stream).is_err(), "{name}");
    }
    let mut plain = tcp(server.listener("faf/json").unwrap()).unwrap();
    plain.write_all(ASK).unwrap();
    read_until(&mut plain, b'\n').unwrap();
}

/// The PROXY header comes before TLS: the address in it is the client's, and who sends none is closed.
#[test]
fn a_proxy_header_comes_before_tls() {
    let (server, folder) = server(&["faf.proxy=true", "limits.connections_per_address=2"]);
    let config = config(folder.path(), both());
    let address = server.listener("faf/json/tls").unwrap();
    assert!(connect(&config, address).is_err());
    let from = |client: &str| {
        let mut stream = tcp(address).unwrap();
        stream
            .write_all(format!("PROXY TCP4 {client} 192.0.2.1 4711 8002\r\n").as_bytes())
            .unwrap();
        over(&config, stream)
    };
    let mut first = from("192.0.2.7").unwrap();
    let _second = from("192.0.2.7").unwrap();
    assert!(
        from("192.0.2.7").is_err(),
        "two are all that an address may have"
    );
    from("192.0.2.8").unwrap();
    first.write_all(ASK).unwrap();
    read_until(&mut first, b'\n').unwrap();
    drop(first);
    until("its place is free", || from("192.0.2.7").is_ok());
}
