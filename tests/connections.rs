//! What a connection is, whatever its transport: where it comes from, how much it may say at once, how it ends; and
//! that players on different transports are in one lobby.

mod support;

use std::net::TcpStream;

use serde_json::{Value, json};
use support::{
    client::{Client, Received},
    player::{Player, hello},
    script::Transport,
    server::{Backend, Server, Setup},
};
use tungstenite::{Message, WebSocket, client::IntoClientRequest};

fn server(set: &[&str]) -> Server {
    let set: Vec<String> = set.iter().map(|pair| (*pair).to_owned()).collect();
    Server::start(&Setup {
        backend: Backend::Sqlite,
        shards: 2,
        set: &set,
        sql: &[],
    })
    .unwrap()
}

/// The address that the last sign-in of orion is stored with.
fn stored_ip(server: &Server) -> String {
    let rows = server
        .database
        .rows("SELECT COALESCE(ip, 'none') FROM login WHERE id = 11");
    rows.unwrap().remove(0)
}

/// A WebSocket with this header in its upgrade.
fn upgraded(server: &Server, header: Option<(&'static str, &str)>) -> WebSocket<TcpStream> {
    let address = server.address(Transport::WebSocket).unwrap();
    let mut request = format!("ws://{address}/").into_client_request().unwrap();
    if let Some((name, value)) = header {
        request.headers_mut().insert(name, value.parse().unwrap());
    }
    let stream = TcpStream::connect(address).unwrap();
    tungstenite::client(request, stream).unwrap().0
}

/// Whether a WebSocket with this header is let in; it stays as long as what is returned.
fn let_in(server: &Server, name: &'static str, value: &str) -> Option<WebSocket<TcpStream>> {
    let address = server.address(Transport::WebSocket).unwrap();
    let mut request = format!("ws://{address}/").into_client_request().unwrap();
    request.headers_mut().insert(name, value.parse().unwrap());
    let stream = TcpStream::connect(address).unwrap();
    Some(tungstenite::client(request, stream).ok()?.0)
}

/// Signs orion in over a WebSocket and reads until he is welcome.
fn welcome(socket: &mut WebSocket<TcpStream>) {
    socket
        .send(Message::text(hello("orion").to_string()))
        .unwrap();
    loop {
        if let Message::Text(text) = socket.read().unwrap()
            && text.contains("\"welcome\"")
        {
            return;
        }
    }
}

// checklist: faf 39, 40, 97
#[test]
fn the_address_behind_a_reverse_proxy() {
    let forwarded = Some(("x-real-ip", "192.0.2.9, 10.0.0.1"));
    let believing = server(&[]);
    welcome(&mut upgraded(&believing, forwarded));
    assert_eq!(stored_ip(&believing), "192.0.2.9");
    welcome(&mut upgraded(&believing, None));
    assert_eq!(stored_ip(&believing), "127.0.0.1");
    for deaf in [["faf.ws_forwarded_header="], ["faf.ws_trusted=10.0.0.0/8"]] {
        let server = server(&deaf);
        welcome(&mut upgraded(&server, forwarded));
        assert_eq!(stored_ip(&server), "127.0.0.1", "{deaf:?}");
    }
}

#[test]
fn an_address_behind_a_reverse_proxy_may_have_a_port() {
    let server = server(&[]);
    for (value, address) in [
        ("192.0.2.7:4711", "192.0.2.7"),
        ("[2001:db8::7]:4711", "2001:db8::7"),
        ("::ffff:192.0.2.8", "192.0.2.8"),
    ] {
        welcome(&mut upgraded(&server, Some(("x-real-ip", value))));
        assert_eq!(stored_ip(&server), address);
    }
}

/// The proxy adds the address that it sees at the right; what stands before it is the client's own word, which neither names
/// nor exempts it.
#[test]
fn a_list_of_forwarded_addresses_is_believed_from_the_right() {
    const NAME: &str = "x-forwarded-for";
    let server = server(&[
        "faf.ws_forwarded_header=X-Forwarded-For",
        "limits.connections_per_address=3",
    ]);
    let claimed = "127.0.0.1, 198.51.100.8";
    let mut inside: Vec<_> = (0..3)
        .map(|_| let_in(&server, NAME, claimed).unwrap())
        .collect();
    assert!(let_in(&server, NAME, claimed).is_none());
    assert!(let_in(&server, NAME, "203.0.113.5,198.51.100.8").is_none());
    welcome(&mut inside[0]);
    assert_eq!(stored_ip(&server), "198.51.100.8");
    let local: Vec<_> = (0..4).map(|_| let_in(&server, NAME, "127.0.0.1")).collect();
    assert_eq!(local.iter().flatten().count(), 3, "named, so not exempt");
}

// checklist: faf 43, 97
#[test]
fn the_address_in_a_proxy_header() {
    let server = server(&["faf.proxy=true"]);
    let mut version_2 = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c".to_vec();
    version_2.extend([198, 51, 100, 7, 192, 0, 2, 1, 0x12, 0x67, 0x1f, 0x42]);
    for (header, address) in [
        (
            b"PROXY TCP4 192.0.2.7 192.0.2.1 4711 8002\r\n".to_vec(),
            "192.0.2.7",
        ),
        (version_2, "198.51.100.7"),
    ] {
        let mut client =
            Client::connect(Transport::Json, server.address(Transport::Json).unwrap()).unwrap();
        client.send_raw(&header).unwrap();
        client.send(&hello("orion")).unwrap();
        while !matches!(client.receive().unwrap(), Received::Message(m) if m["command"] == "welcome")
        {
        }
        assert_eq!(stored_ip(&server), address);
    }
}

// checklist: faf 11, 41, 49
#[test]
fn long_messages_are_read_whole_and_too_long_ones_end_the_connection() {
    let server = server(&[]);
    for transport in [
        Transport::Json,
        Transport::QDataStream,
        Transport::WebSocket,
    ] {
        let mut client = Client::connect(transport, server.address(transport).unwrap()).unwrap();
        client.send(&hello("orion")).unwrap();
        while !matches!(client.receive().unwrap(), Received::Message(m) if m["command"] == "social")
        {
        }
        client
            .send(&json!({"command":"no_such_command","x":"a".repeat(1 << 20)}))
            .unwrap();
        let heard: Vec<Value> = std::iter::from_fn(|| match client.receive().unwrap() {
            Received::Message(message) => Some(message),
            Received::Closed => None,
        })
        .collect();
        assert_eq!(
            heard.last(),
            Some(&json!({"command":"invalid"})),
            "{}",
            transport.name()
        );

        let mut client = Client::connect(transport, server.address(transport).unwrap()).unwrap();
        // It may be sent away before it has said everything.
        let _ = client.send(&json!({"command":"ask_session","x":"a".repeat(11 << 20)}));
        match client.receive() {
            Ok(Received::Closed) | Err(_) => {}
            Ok(Received::Message(message)) => panic!("{}: {message}", transport.name()),
        }
    }
}

// checklist: faf 38, 114
#[test]
fn whoever_ends_a_connection_is_gone_however_he_does_it() {
    let server = server(&[]);
    let mut watcher = Player::signed_in(&server, "vega");
    let offline = |watcher: &mut Player| {
        loop {
            let told = watcher.until("player_info");
            let players = told["players"].as_array().unwrap();
            if players
                .iter()
                .any(|p| p["login"] == "orion" && p["state"] == "offline")
            {
                return;
            }
        }
    };
    let mut closing = upgraded(&server, None);
    welcome(&mut closing);
    closing.close(None).unwrap();
    while closing.read().is_ok() {}
    offline(&mut watcher);
    let mut dropped = upgraded(&server, None);
    welcome(&mut dropped);
    drop(dropped);
    offline(&mut watcher);
    drop(Player::signed_in(&server, "orion"));
    offline(&mut watcher);
}

// checklist: faf 46
#[test]
fn all_transports_are_one_lobby() {
    let server = server(&[]);
    let mut host = Player::signed_in(&server, "orion");
    let connect = |transport, login| {
        let mut client = Client::connect(transport, server.address(transport).unwrap()).unwrap();
        client.send(&hello(login)).unwrap();
        client
    };
    let mut guests = [
        connect(Transport::QDataStream, "vega"),
        connect(Transport::WebSocket, "lyra"),
    ];
    let until = |client: &mut Client, command: &str| loop {
        match client.receive().unwrap() {
            Received::Message(message) if message["command"] == command => return message,
            Received::Message(_) => {}
            Received::Closed => panic!("closed before {command}"),
        }
    };
    for guest in &mut guests {
        let list = until(guest, "player_info");
        let players = list["players"].as_array().unwrap();
        assert!(
            players.iter().any(|player| player["login"] == "orion"),
            "{list}"
        );
    }
    for guest in &mut guests {
        let list = until(guest, "game_info");
        assert!(list.get("games").is_some(), "{list}");
    }
    let uid = host.hosting();
    for (guest, login) in guests.iter_mut().zip(["vega", "lyra"]) {
        while until(guest, "game_info")["state"] != "open" {}
        guest
            .send(&json!({"command":"game_join","uid":uid}))
            .unwrap();
        until(guest, "game_launch");
        for state in ["Idle", "Lobby"] {
            guest
                .send(&json!({"command":"GameState","target":"game","args":[state]}))
                .unwrap();
        }
        assert_eq!(until(guest, "JoinGame")["args"], json!(["orion", 11]));
        assert_eq!(host.until("ConnectToPeer")["args"][0], login);
    }
    assert_eq!(
        until(&mut guests[1], "ConnectToPeer")["args"],
        json!(["vega", 12, true])
    );
    assert_eq!(
        until(&mut guests[0], "ConnectToPeer")["args"],
        json!(["lyra", 13, false])
    );
}
