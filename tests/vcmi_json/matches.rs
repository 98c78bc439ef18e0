//! A match of two with its relay, as the real programs play it.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::{
    client::{Client, framed},
    server,
};
use crate::support::server::Server;

pub(crate) struct Table {
    pub(crate) host: Client,
    pub(crate) guest: Client,
    pub(crate) control: Client,
    pub(crate) ids: [(String, String); 2],
}

const ROOM: &str = "5f0c7a3e-0000-4000-8000-000000000001";

fn connect(server: &Server) -> Client {
    Client::connect(server.listener("vcmi-json").expect("it listens"))
}

/// A host with an open room, and a guest in it.
pub(crate) fn table(server: &Server) -> Table {
    let mut host = connect(server);
    let mut guest = connect(server);
    let ids = [host.register("hosting"), guest.register("visiting")];
    host.login(&ids[0].0, &ids[0].1);
    guest.login(&ids[1].0, &ids[1].1);
    let mut control = connect(server);
    control.send(&json!({
        "type": "serverLogin", "gameRoomID": ROOM, "accountID": ids[0].0, "accountCookie": ids[0].1, "version": "1.7.5",
        "mods": [{ "modId": "hota.maps", "name": "Maps", "version": "1", "parent": "hota" }]
    }));
    control.until("serverLoginSuccess");
    host.send(&json!({
        "type": "activateGameRoom", "hostAccountID": ids[0].0, "roomType": "public", "playerLimit": 2
    }));
    assert_eq!(host.until("joinRoomSuccess")["proxyMode"], false);
    guest.send(&json!({ "type": "joinGameRoom", "gameRoomID": ROOM }));
    assert_eq!(control.until("accountJoinsRoom")["accountID"], ids[1].0);
    Table {
        host,
        guest,
        control,
        ids,
    }
}

impl Table {
    /// Both sides of the guest's relay; the guest's first frames follow its sign-in at once.
    pub(crate) fn relay(&mut self, server: &Server, first: &[&[u8]]) -> (Client, Client) {
        let mut of_server = connect(server);
        of_server.send(&json!({
            "type": "serverProxyLogin", "gameRoomID": ROOM, "guestAccountID": self.ids[1].0, "accountCookie": self.ids[0].1
        }));
        assert_eq!(self.guest.until("joinRoomSuccess")["proxyMode"], true);
        let mut of_guest = connect(server);
        let login = json!({
            "type": "clientProxyLogin", "accountID": self.ids[1].0, "accountCookie": self.ids[1].1, "gameRoomID": ROOM
        });
        let mut bytes = framed(login.to_string().as_bytes());
        for frame in first {
            bytes.extend(framed(frame));
        }
        of_guest.send_raw(&bytes);
        (of_server, of_guest)
    }
}

/// checklist: vcmi-json 66, 67, 68, 69, 70
#[test]
fn two_play_a_match_through_the_relay() {
    for shards in [1, 2] {
        let server = server(shards, &[]);
        let mut table = table(&server);
        let (mut of_server, mut of_guest) =
            table.relay(&server, &[b"first", b"", br#"{"type":"clientLogin"}"#]);
        assert_eq!(of_server.frame().as_deref(), Some(&b"first"[..]));
        assert_eq!(
            of_server.frame().as_deref(),
            Some(&br#"{"type":"clientLogin"}"#[..])
        );
        // Frames cut anywhere, heartbeats between, a large one that is not read for a while.
        let large: Vec<u8> = (0..3_000_000u32).map(|at| at as u8).collect();
        let mut bytes = framed(b"a");
        bytes.extend_from_slice(&[0; 8]);
        bytes.extend(framed(&large));
        bytes.extend(framed(b"z"));
        for piece in bytes.chunks(700_001) {
            of_server.send_raw(piece);
        }
        assert_eq!(of_guest.frame().as_deref(), Some(&b"a"[..]));
        assert!(of_guest.frame() == Some(large));
        assert_eq!(of_guest.frame().as_deref(), Some(&b"z"[..]));
        table.control.send(&json!({ "type": "gameStarted" }));
        let rooms = busy(&mut table.host);
        assert_eq!(rooms["gameRooms"][0]["mods"][0]["parent"], "hota");
        // The guest loses the connection: the match server is told by the end of its side.
        of_guest.close();
        assert_eq!(of_server.frame(), None);
        table.control.close();
        for client in [&mut table.host, &mut table.guest] {
            let history = client.until("matchesHistory");
            assert_eq!(history["matchesHistory"][0]["status"], "closed");
            assert_eq!(client.until("activeGameRooms")["gameRooms"], json!([]));
        }
    }
}

fn busy(client: &mut Client) -> Value {
    loop {
        let rooms = client.until("activeGameRooms");
        if rooms["gameRooms"][0]["status"] == "busy" {
            return rooms;
        }
    }
}

/// A second sign-in of the guest takes nobody's place. checklist: vcmi-json 71, 72
#[test]
fn a_relay_is_used_up_and_who_is_refused_is_told_nothing() {
    let server = server(2, &[]);
    let mut table = table(&server);
    let (mut of_server, mut of_guest) = table.relay(&server, &[b"hello"]);
    assert_eq!(of_server.frame().as_deref(), Some(&b"hello"[..]));
    let mut second = connect(&server);
    second.send(&json!({
        "type": "clientProxyLogin", "accountID": table.ids[1].0, "accountCookie": table.ids[1].1, "gameRoomID": ROOM
    }));
    assert_eq!(second.any_frame(), None);
    let mut forged = connect(&server);
    forged.send(&json!({
        "type": "serverProxyLogin", "gameRoomID": ROOM, "guestAccountID": table.ids[1].0, "accountCookie": table.ids[1].1
    }));
    assert_eq!(
        forged.any_frame(),
        None,
        "the guest's cookie is not the host's"
    );
    of_server.send_frame(b"still here");
    assert_eq!(of_guest.frame().as_deref(), Some(&b"still here"[..]));
}

/// checklist: vcmi-json 4, 5
#[test]
fn heartbeats_go_out_on_every_connection_every_ten_seconds() {
    let server = server(2, &[]);
    let mut table = table(&server);
    let begun = Instant::now();
    let mut stranger = connect(&server);
    let (mut of_server, mut of_guest) = table.relay(&server, &[b"x"]);
    assert_eq!(of_server.frame().as_deref(), Some(&b"x"[..]));
    for client in [&mut stranger, &mut of_server, &mut of_guest] {
        assert_eq!(client.any_frame().as_deref(), Some(&b""[..]));
    }
    assert!(begun.elapsed() >= Duration::from_secs(9));
}

/// checklist: vcmi-json 100
#[test]
fn whose_heartbeats_stop_is_gone_and_its_room_with_it() {
    let server = server(2, &["vcmi_json.silent_s=1"]);
    let mut table = table(&server);
    let (mut of_server, mut of_guest) = table.relay(&server, &[b"", b"x"]);
    assert_eq!(of_server.frame().as_deref(), Some(&b"x"[..]));
    table.control.send_raw(&[0; 4]);
    // The guest's game and the match server have sent a heartbeat, and then nothing; the others have never sent any.
    assert_eq!(of_guest.frame(), None);
    assert_eq!(of_server.frame(), None);
    assert_eq!(table.control.frame(), None);
    loop {
        let rooms = table.host.until("activeGameRooms");
        if rooms["gameRooms"] == json!([]) {
            break;
        }
    }
}
