//! Every lobby over TLS.

use std::{
    io::{Read, Write},
    net::SocketAddr,
    sync::Arc,
    thread,
};

use rustls::{
    ClientConfig,
    version::{TLS12, TLS13},
};
use tungstenite::Message;

use crate::{
    ASK, both,
    client::{Stream, config, connect, finish, read_all, read_until, shut},
    server,
};

/// The least that shows a FAF session: the server answers, and ends it in good order when the client does.
#[test]
fn faf_answers_over_either_version_and_ends_as_its_client_does() {
    let (server, folder) = server(&[]);
    let address = server.listener("faf/json/tls").unwrap();
    for version in [&TLS12, &TLS13] {
        let config = config(folder.path(), &[version]);
        let mut stream = connect(&config, address).unwrap();
        stream.write_all(ASK).unwrap();
        let answer = read_until(&mut stream, b'\n').unwrap();
        assert!(answer.contains(r#""command":"session""#), "{answer}");
        finish(&mut stream).unwrap();
        assert_eq!(read_all(&mut stream).unwrap(), b"", "{version:?}");
    }
}

/// A client that says its last words and ends its side is still answered.
#[test]
fn what_was_said_before_the_end_is_answered_after_it() {
    let (server, folder) = server(&[]);
    let config = config(folder.path(), both());
    let mut stream = connect(&config, server.listener("faf/json/tls").unwrap()).unwrap();
    stream.write_all(ASK).unwrap();
    finish(&mut stream).unwrap();
    shut(&stream).unwrap();
    let all = String::from_utf8(read_all(&mut stream).unwrap()).unwrap();
    assert!(all.contains(r#""command":"session""#), "{all}");
}

#[test]
fn faf_over_secure_websockets() {
    let (server, folder) = server(&[]);
    let mut plain = ClientConfig::clone(&config(folder.path(), both()));
    let address = server.listener("faf/websocket/tls").unwrap();
    for asked in [
        &[][..],
        &[b"http/1.1".to_vec()],
        &[b"h2".to_vec(), b"http/1.1".to_vec()],
    ] {
        plain.alpn_protocols = asked.to_vec();
        let stream = connect(&Arc::new(plain.clone()), address).unwrap();
        let chosen = stream.conn.alpn_protocol().map(<[u8]>::to_vec);
        assert_eq!(chosen, asked.last().cloned());
        let (mut socket, _) = tungstenite::client("wss://localhost/ws", stream).unwrap();
        socket
            .send(Message::text(String::from_utf8_lossy(ASK).into_owned()))
            .unwrap();
        let answer = socket.read().unwrap().into_text().unwrap();
        assert!(answer.contains(r#""command":"session""#), "{answer}");
        socket.close(None).unwrap();
        while socket.read().is_ok() {}
    }
    // Who can only speak something else is told so.
    plain.alpn_protocols = vec![b"h2".to_vec()];
    let refused = connect(&Arc::new(plain), address).unwrap_err().to_string();
    assert!(refused.contains("NoApplicationProtocol"), "{refused}");
}

#[test]
fn cockatrice_greets_over_tls() {
    let (server, folder) = server(&[]);
    let config = config(folder.path(), both());
    let mut stream = connect(&config, server.listener("cockatrice/tcp/tls").unwrap()).unwrap();
    let mut greeting = [0; 60];
    stream.read_exact(&mut greeting).unwrap();
    assert!(greeting.starts_with(b"<?xml version=\"1.0\"?><cockatrice_server_stream"));
    stream.write_all(&[0; 4]).unwrap();
    let mut length = [0; 4];
    stream.read_exact(&mut length).unwrap();
    assert!(u32::from_be_bytes(length) > 10, "it says who it is");
    let stream = connect(
        &config,
        server.listener("cockatrice/websocket/tls").unwrap(),
    )
    .unwrap();
    let (mut socket, _) = tungstenite::client("wss://localhost/servatrice", stream).unwrap();
    assert!(socket.read().unwrap().into_data().len() > 10);
}

// ---- VCMI -------------------------------------------------------------------------------------------------------

fn say(stream: &mut impl Write, text: &str) {
    let head = (text.len() as u32).to_le_bytes();
    stream
        .write_all(&[&head[..], text.as_bytes()].concat())
        .unwrap();
}

fn hear(stream: &mut impl Read, end: &str) -> String {
    let (mut all, mut byte) = (Vec::new(), [0]);
    while !all.ends_with(end.as_bytes()) {
        stream.read_exact(&mut byte).unwrap();
        all.push(byte[0]);
    }
    String::from_utf8_lossy(&all).into_owned()
}

fn launcher(config: &Arc<ClientConfig>, address: SocketAddr, name: &str) -> Stream {
    let mut stream = connect(config, address).unwrap();
    say(
        &mut stream,
        &format!("\x05\x04utf8<GREETINGS>{name}<VER>1.4.0"),
    );
    hear(&mut stream, "currently playing ");
    stream
}

fn game(config: &Arc<ClientConfig>, address: SocketAddr, role: &str, uuid: &str) -> Stream {
    let mut stream = connect(config, address).unwrap();
    for frame in ["Aiya!\n", &format!("VCMI 1.4.0 ({role})"), uuid] {
        say(&mut stream, frame);
    }
    stream.write_all(&[1]).unwrap();
    stream
}

/// Two launchers meet, and their games are relayed: the whole of VCMI, both sides with TLS, several of them, so that sockets
/// move between shards.
#[test]
fn vcmi_meets_and_relays_over_tls() {
    let (server, folder) = server(&[]);
    let config = config(folder.path(), both());
    let address = server.listener("vcmi/tls").unwrap();
    for number in 0..4 {
        let mut host = launcher(&config, address, &format!("host{number}"));
        let mut guest = launcher(&config, address, &format!("guest{number}"));
        say(&mut host, &format!("<NEW>room{number}<PSWD><COUNT>2"));
        hear(&mut host, "You are in the room chat.");
        say(&mut guest, &format!("<JOIN>room{number}<PSWD>"));
        hear(&mut guest, ":>>GAMEMODE:0");
        say(&mut host, &format!("<FORCESTART>room{number}"));
        let said =
            [host, guest].map(|mut one| String::from_utf8(read_all(&mut one).unwrap()).unwrap());
        let after = |said: &str, word: &str| {
            let at = said.find(word).unwrap() + word.len();
            said[at..at + 36].to_owned()
        };
        let mut one = game(&config, address, "server", &after(&said[0], ":>>HOST:"));
        let mut other = game(&config, address, "client", &after(&said[1], ":>>START:"));
        for (side, role) in [(&mut one, "(client)"), (&mut other, "(server)")] {
            let mut greeting = [0; 74];
            side.read_exact(&mut greeting).unwrap();
            let text = String::from_utf8_lossy(&greeting);
            assert!(text.contains(role), "{text}");
        }
        // More than all buffers on the way hold, to a reader that waits for the writer's first half.
        let sent: Vec<u8> = (0..6_000_000u32).map(|at| (at % 251) as u8).collect();
        let expected = sent.clone();
        let writer = thread::spawn(move || {
            one.write_all(&sent).unwrap();
            one.flush().unwrap();
            let mut answer = [0; 4];
            one.read_exact(&mut answer).unwrap();
            assert_eq!(&answer, b"done");
            finish(&mut one).unwrap();
            assert_eq!(read_all(&mut one).unwrap(), b"");
        });
        let mut all = vec![0; expected.len()];
        other.read_exact(&mut all).unwrap();
        assert!(all == expected, "what was relayed is what was sent");
        other.write_all(b"done").unwrap();
        other.flush().unwrap();
        assert_eq!(
            read_all(&mut other).unwrap(),
            b"",
            "an end is relayed as an end"
        );
        writer.join().unwrap();
    }
}
