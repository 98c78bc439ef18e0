//! The load tester's recordings of real lobbies: a dialogue goes through its proxy, has no secret in it, and is played by fifty,
//! each of whom gets every answer that the recorded client got.

#[path = "cockatrice/client.rs"]
#[allow(dead_code, reason = "the lobby's own tests use the rest")]
mod cockatrice_client;
mod support;
#[path = "vcmi_json/client.rs"]
#[allow(dead_code, reason = "the lobby's own tests use the rest")]
mod vcmi_json_client;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};

use clap::Parser as _;
use cockatrice::messages as wire;
use serde_json::json;
use support::client::{Client, Received};
use support::script::Transport;
use support::server::{Backend, Server, Setup};
use swarm::cli::{Command, CommandLine};
use swarm::report::Report;
use tempfile::TempDir;

const PASSWORD: &str = "open-sesame-4711";
const MACHINE: &str = "machine-of-orion";
const GAME_PASSWORD: &str = "only-for-friends";

fn server() -> Server {
    let set = [
        "faf.auth=open",
        "faf.tick_ms=100",
        "cockatrice.enabled=true",
        "cockatrice.tcp_address=127.0.0.1:0",
        "cockatrice.websocket_address=127.0.0.1:0",
        "vcmi_json.enabled=true",
        "vcmi_json.tcp_address=127.0.0.1:0",
        "vcmi_json.http_address=",
    ];
    Server::start(&Setup {
        backend: Backend::Sqlite,
        shards: 1,
        set: &set.map(str::to_owned),
        sql: &[],
    })
    .expect("the server starts")
}

/// A proxy that records.
struct Recorder {
    folder: TempDir,
    address: SocketAddr,
    interrupt: Arc<AtomicBool>,
    thread: JoinHandle<()>,
}

impl Recorder {
    fn start(protocol: &str, to: SocketAddr) -> Recorder {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("talk.jsonl");
        let line = format!(
            "swarm record --protocol {protocol} --listen 127.0.0.1:0 --to {to} --out {}",
            file.display()
        );
        let parsed = CommandLine::try_parse_from(line.split_whitespace());
        let Command::Record(options) = parsed.expect("the command line is in order").command else {
            unreachable!("it is `record`");
        };
        let proxy = options.open().expect("it listens");
        let address = proxy.address().expect("it is bound");
        let interrupt = Arc::new(AtomicBool::new(false));
        let ends = interrupt.clone();
        let thread = thread::spawn(move || {
            proxy.run(&ends).expect("the recording is whole");
        });
        Recorder {
            folder,
            address,
            interrupt,
            thread,
        }
    }

    /// The recording, in which no secret is.
    fn end(self, secrets: &[&str]) -> (TempDir, PathBuf) {
        self.interrupt.store(true, Ordering::Relaxed);
        self.thread.join().expect("no panic");
        let file = self.folder.path().join("talk.jsonl");
        let bytes = std::fs::read(&file).expect("a recording");
        let text = String::from_utf8_lossy(&bytes);
        assert!(text.lines().count() > 5, "{text}");
        for secret in secrets {
            assert!(!text.contains(secret), "{secret} is in {text}");
        }
        (self.folder, file)
    }
}

fn replay(file: &Path, options: &str) -> Report {
    let line = format!(
        "swarm replay {} --quiet --threads 1 {options}",
        file.display()
    );
    let parsed = CommandLine::try_parse_from(line.split_whitespace());
    let Command::Replay(mut arguments) = parsed.expect("the command line is in order").command
    else {
        unreachable!("it is `replay`");
    };
    let report = swarm::run(arguments.plan().expect("a sound plan")).expect("the run works");
    println!("{report}");
    report
}

/// Plays it with so many clients; so many messages must be answered as recorded.
fn all_answered(file: &Path, options: &str, answers: u64) {
    let report = replay(file, options);
    assert!(
        report.failures().is_empty(),
        "{:?}\n{report}",
        report.failures()
    );
    assert_eq!(report.count("answered"), answers, "{report}");
}

/// A FAF client that waits for what it asks.
struct Faf(Client);

impl Faf {
    fn sign_in(transport: Transport, address: SocketAddr, login: &str) -> Faf {
        let mut faf = Faf(Client::connect(transport, address).expect("a connection"));
        faf.say(&json!({"command": "ask_session", "user_agent": "downlords-faf-client"}));
        faf.until("session");
        faf.say(&json!({"command": "hello", "login": login, "password": PASSWORD, "unique_id": MACHINE}));
        while faf.until("game_info").get("games").is_none() {}
        faf
    }

    fn say(&mut self, message: &serde_json::Value) {
        self.0.send(message).expect("it is sent");
    }

    fn until(&mut self, command: &str) -> serde_json::Value {
        loop {
            match self.0.receive().expect("it can be read") {
                Received::Message(message) if message["command"] == command => return message,
                Received::Message(_) => {}
                Received::Closed => panic!("closed before {command}"),
            }
        }
    }

    fn game(&mut self, command: &str, args: serde_json::Value) {
        self.say(&json!({"command": command, "target": "game", "args": args}));
    }
}

#[test]
fn a_game_of_faf_is_played_again_over_every_transport() {
    let server = server();
    for transport in [
        Transport::Json,
        Transport::QDataStream,
        Transport::WebSocket,
    ] {
        let to = server.address(transport).expect("it listens");
        let recorder = Recorder::start("faf", to);
        let name = |name: &str| format!("{name}_{}", transport.name());
        let mut host = Faf::sign_in(transport, recorder.address, &name("orion"));
        let mut guest = Faf::sign_in(transport, recorder.address, &name("vega"));
        host.say(&json!({"command": "ping"}));
        host.until("pong");
        host.say(
            &json!({"command": "game_host", "visibility": "public", "password": GAME_PASSWORD}),
        );
        let uid = host.until("game_launch")["uid"].clone();
        host.game("GameState", json!(["Idle"]));
        host.game("GameState", json!(["Lobby"]));
        host.until("HostGame");
        guest.say(&json!({"command": "game_join", "uid": uid, "password": GAME_PASSWORD}));
        guest.until("game_launch");
        guest.game("GameState", json!(["Idle"]));
        guest.game("GameState", json!(["Lobby"]));
        let peer = guest.until("JoinGame")["args"][1].clone();
        guest.game("IceMsg", json!([peer, "offer"]));
        host.until("IceMsg");
        guest.say(&json!({"command": "matchmaker_info"}));
        guest.until("matchmaker_info");
        drop(guest);
        drop(host);
        let (_folder, file) = recorder.end(&[PASSWORD, MACHINE, GAME_PASSWORD]);
        // ping, host, Lobby, join, Lobby, matchmaker_info, in fifty games.
        all_answered(&file, "--clients 100", 6 * 50);
    }
}

/// One end of a connection of VCMI.
struct Vcmi(TcpStream, Vec<u8>);

impl Vcmi {
    fn connect(address: SocketAddr) -> Vcmi {
        Vcmi(
            TcpStream::connect(address).expect("a connection"),
            Vec::new(),
        )
    }

    fn say(&mut self, text: &str) {
        let packet = [&(text.len() as u32).to_le_bytes(), text.as_bytes()].concat();
        self.0.write_all(&packet).expect("it takes it");
    }

    /// Reads until a text has come; gives what follows it, as far as that has come.
    fn until(&mut self, text: &str) -> String {
        let mut chunk = [0; 4096];
        loop {
            let all = String::from_utf8_lossy(&self.1).into_owned();
            if let Some((_, rest)) = all.split_once(text) {
                return rest.to_owned();
            }
            let length = self.0.read(&mut chunk).expect("it can be read");
            assert!(length > 0, "ended before {text}: {all}");
            self.1.extend_from_slice(&chunk[..length]);
        }
    }

    /// The connection of a game.
    fn game(address: SocketAddr, role: &str, uuid: &str) -> Vcmi {
        let mut game = Vcmi::connect(address);
        for text in ["Aiya!\n", &format!("VCMI 1.4.5 ({role})"), uuid] {
            game.say(text);
        }
        game.0.write_all(&[1]).expect("it takes it");
        game
    }
}

#[test]
fn a_game_of_vcmi_is_played_again_from_the_room_to_the_relay() {
    let server = server();
    let to = server.listener("vcmi").expect("it listens");
    let recorder = Recorder::start("vcmi", to);
    let mut launchers = ["alice", "bobby"].map(|name| {
        let mut launcher = Vcmi::connect(recorder.address);
        launcher.say(&format!("\x05\x04utf8<GREETINGS>{name}<VER>1.4.5"));
        launcher.until("Here available");
        launcher
    });
    let [alice, bobby] = &mut launchers;
    alice.say("<MSG>hello there");
    alice.until("MSGCH:alice:global:hello there");
    alice.say(&format!(
        "<NEW>duel<PSWD>{GAME_PASSWORD}<COUNT>2<MODS>wog&1.0"
    ));
    alice.until("MODSOTHER:");
    bobby.say(&format!("<JOIN>duel<PSWD>{GAME_PASSWORD}<MODS>wog&1.0"));
    bobby.until("MODS:");
    bobby.say("<READY>duel");
    bobby.until("bobby:True");
    alice.say("<READY>duel");
    let uuid = |rest: String| rest[..36].to_owned();
    let (host, guest) = (uuid(alice.until("HOST:")), uuid(bobby.until("START:")));
    let mut served = Vcmi::game(recorder.address, "server", &host);
    let mut client = Vcmi::game(recorder.address, "client", &guest);
    client.until("(server)");
    for turn in 0..5 {
        client
            .0
            .write_all(format!("move {turn};").as_bytes())
            .expect("it takes it");
        served.until(&format!("move {turn};"));
        served
            .0
            .write_all(format!("done {turn};").as_bytes())
            .expect("it takes it");
        client.until(&format!("done {turn};"));
    }
    drop((launchers, client, served));
    let (_folder, file) = recorder.end(&[GAME_PASSWORD, &host, &guest]);
    let report = replay(&file, "--clients 200");
    assert!(
        report.failures().is_empty(),
        "{:?}\n{report}",
        report.failures()
    );
    // A line, a room, its guest, two who are ready; then what is relayed.
    assert!(report.count("answered") > 50 * (5 + 5), "{report}");
}

#[test]
fn a_match_of_vcmi_s_json_lobby_is_played_again_from_the_account_to_the_relay() {
    let server = server();
    let to = server.listener("vcmi-json").expect("it listens");
    let recorder = Recorder::start("vcmi2", to);
    let connect = || vcmi_json_client::Client::connect(recorder.address);
    let room = "5f0c7a3e-0000-4000-8000-000000000001";
    let (mut host, mut guest) = (connect(), connect());
    let [(host_id, host_cookie), (guest_id, guest_cookie)] =
        [host.register("hosting"), guest.register("visiting")];
    host.login(&host_id, &host_cookie);
    guest.login(&guest_id, &guest_cookie);
    host.send(&json!({
        "type": "sendChatMessage", "channelType": "global", "channelName": "english", "messageText": "hello there"
    }));
    host.until("chatMessage");
    let mut control = connect();
    control.send(&json!({
        "type": "serverLogin", "gameRoomID": room, "accountID": host_id, "accountCookie": host_cookie, "version": "1.7.5"
    }));
    control.until("serverLoginSuccess");
    host.send(&json!({
        "type": "activateGameRoom", "hostAccountID": host_id, "roomType": "public", "playerLimit": 2
    }));
    host.until("joinRoomSuccess");
    guest.send(&json!({"type": "joinGameRoom", "gameRoomID": room}));
    control.until("accountJoinsRoom");
    let mut served = connect();
    served.send(&json!({
        "type": "serverProxyLogin", "gameRoomID": room, "guestAccountID": guest_id, "accountCookie": host_cookie
    }));
    guest.until("joinRoomSuccess");
    let mut client = connect();
    let login = json!({
        "type": "clientProxyLogin", "accountID": guest_id, "accountCookie": guest_cookie, "gameRoomID": room
    });
    let framed = |payload: &[u8]| vcmi_json_client::framed(payload);
    // The game's first frame follows the sign-in at once.
    client.send_raw(&[framed(login.to_string().as_bytes()), framed(b"move 0")].concat());
    for turn in 0..5 {
        let (moved, done) = (format!("move {turn}"), format!("done {turn}, and more"));
        assert_eq!(served.frame().as_deref(), Some(moved.as_bytes()));
        served.send_frame(done.as_bytes());
        assert_eq!(client.frame().as_deref(), Some(done.as_bytes()));
        client.send_frame(format!("move {}", turn + 1).as_bytes());
    }
    assert!(served.frame().is_some());
    control.send(&json!({"type": "gameStarted"}));
    client.close();
    assert_eq!(served.frame(), None);
    control.close();
    host.until("matchesHistory");
    drop((host, guest, control, served, client));
    let (_folder, file) = recorder.end(&[&host_cookie, &guest_cookie]);
    let report = replay(&file, "--clients 100");
    assert!(
        report.failures().is_empty(),
        "{:?}\n{report}",
        report.failures()
    );
    // A line, a match server's sign-in, a room, its guest; five moves and five answers to them.
    assert_eq!(report.count("answered"), 20 * (4 + 10), "{report}");
}

#[test]
fn users_of_cockatrice_are_played_again_over_both_transports() {
    let server = server();
    for transport in ["tcp", "websocket"] {
        let to = server
            .listener(&format!("cockatrice/{transport}"))
            .expect("it listens");
        let recorder = Recorder::start("cockatrice", to);
        let mut client = if transport == "tcp" {
            cockatrice_client::Client::tcp(recorder.address)
        } else {
            cockatrice_client::Client::websocket(recorder.address)
        };
        let identified = client.session_event();
        assert!(matches!(
            identified,
            wire::SessionEventBody::ServerIdentification(_)
        ));
        let login = wire::CommandLogin {
            user_name: Some("evelyn".into()),
            password: Some(PASSWORD.into()),
            clientid: Some(MACHINE.into()),
            ..wire::CommandLogin::default()
        };
        client.session(wire::SessionCommandBody::Login(login));
        client.session(wire::SessionCommandBody::JoinRoom(wire::CommandJoinRoom {
            room_id: Some(0),
        }));
        client.room(wire::RoomCommandBody::RoomSay(wire::CommandRoomSay {
            message: Some("hello there".into()),
        }));
        client.room(wire::RoomCommandBody::CreateGame(wire::CommandCreateGame {
            description: Some("duel".into()),
            password: Some(GAME_PASSWORD.into()),
            max_players: Some(2),
            ..wire::CommandCreateGame::default()
        }));
        client.session(wire::SessionCommandBody::Ping(wire::CommandPing {}));
        drop(client);
        let (_folder, file) = recorder.end(&[PASSWORD, MACHINE, GAME_PASSWORD]);
        all_answered(&file, "--clients 50", 4 * 50);
    }
}
