//! What the Cockatrice lobby costs with sockets: everything included, from a container's bytes to the last `send`, beside loops
//! that do nothing but `send` as many bytes to as many sockets.
//!
//! - join: CPU of the shard for 1,000 users who enter one room, each fully told;
//! - chat: CPU of the shard for one line to 1,000 users in a room;
//! - table: CPU of the shard for one action of a player, with one opponent, and with twenty spectators besides.
//!
//! `cargo bench --bench cockatrice`, or with `-- chat` or `-- table` for a part. The ways take turns, so that whatever else the
//! machine does hits all alike; medians are printed. The server's shard, or the loop, has one core; the clients the other.

#![allow(
    clippy::result_large_err,
    reason = "a question that is refused comes back"
)]

#[path = "support/served.rs"]
mod served;
#[path = "support/setup.rs"]
mod setup;
#[path = "support/threads.rs"]
mod threads;

use std::{
    io::{Read, Write},
    net::{Ipv4Addr, TcpListener, TcpStream},
    sync::Arc,
    thread,
    time::Duration,
};

use cockatrice::messages::*;
use muster::{
    engine::Outside,
    lobby::{
        OutboxLimits, ShardId,
        cockatrice::{self as dialect, Cockatrice},
    },
    wire::Format,
};

use served::{CLIENT_CORE, SERVER_CORE, Served, median};
use threads::{cpu_of, pin_to, this_task};

const USERS: usize = 1_000;
const LINES: usize = 60;
const LINE: &str = "a line of chat that is about as long as people write";
const SPECTATORS: usize = 20;
const ACTIONS: usize = 2_000;

fn main() {
    // Before this thread has its core: the engine gives its shard the first of those it may use.
    let server = Server::open();
    pin_to(CLIENT_CORE);
    let filter = std::env::args().skip(1).find(|arg| !arg.starts_with("--"));
    let wanted = |name: &str| filter.as_ref().is_none_or(|filter| name.contains(filter));
    if wanted("chat") || wanted("join") {
        room(&server);
    }
    if wanted("table") {
        table(&server, 0);
        table(&server, SPECTATORS);
    }
    server.stop();
}

/// One thousand enter a room one after the other, and then one of them talks.
fn room(server: &Server) {
    let mut users: Vec<Client> = (0..USERS)
        .map(|number| server.sign_in(&format!("user{number}")))
        .collect();
    let before = cpu_of(&server.task);
    for number in 0..USERS {
        let join = CommandJoinRoom { room_id: Some(0) };
        users[number].session(SessionCommandBody::JoinRoom(join));
        // Whoever is there hears of it.
        for user in &mut users[..number] {
            user.frame();
        }
    }
    let spent = (cpu_of(&server.task) - before).as_secs_f64();
    println!("join, CPU of {USERS} users who enter a room, each told of the others: {spent:.2} s");

    let mut loops = SendLoops::new(USERS);
    let (mut ours, mut bare) = (Vec::new(), Vec::new());
    for _ in 0..LINES {
        let before = cpu_of(&server.task);
        let say = CommandRoomSay {
            message: Some(LINE.into()),
        };
        users[0].send_room(RoomCommandBody::RoomSay(say));
        let mut len = 0;
        for user in &mut users {
            len = user.frame();
        }
        users[0].frame(); // the answer
        ours.push((cpu_of(&server.task) - before).as_secs_f64() * 1e6);
        bare.push(loops.send(len));
    }
    report(
        &format!("chat, CPU of one line to {USERS} users"),
        &mut ours,
        &mut bare,
    );
    for user in &mut users {
        user.session(SessionCommandBody::Ping(CommandPing::default()));
    }
}

/// Two play, and others look on.
fn table(server: &Server, spectators: usize) {
    let mut host = server.sign_in(&format!("host{spectators}"));
    let mut guest = server.sign_in(&format!("guest{spectators}"));
    let join = CommandJoinRoom { room_id: Some(0) };
    for player in [&mut host, &mut guest] {
        player.session(SessionCommandBody::JoinRoom(join.clone()));
    }
    let create = CommandCreateGame {
        description: Some("game".into()),
        max_players: Some(2),
        spectators_allowed: Some(true),
        ..CommandCreateGame::default()
    };
    host.room(RoomCommandBody::CreateGame(create));
    let game = host.joined();
    let enter = CommandJoinGame {
        game_id: Some(game),
        ..CommandJoinGame::default()
    };
    guest.room(RoomCommandBody::JoinGame(enter.clone()));
    let mut crowd: Vec<Client> = Vec::new();
    for number in 0..spectators {
        let mut client = server.sign_in(&format!("watcher{number}"));
        client.session(SessionCommandBody::JoinRoom(join.clone()));
        let watch = CommandJoinGame {
            spectator: Some(true),
            ..enter.clone()
        };
        client.room(RoomCommandBody::JoinGame(watch));
        crowd.push(client);
    }
    let deck = deck();
    for player in [&mut host, &mut guest] {
        let select = CommandDeckSelect {
            deck: Some(deck.as_str().into()),
            ..CommandDeckSelect::default()
        };
        player.game(game, GameCommandBody::DeckSelect(select));
        let ready = CommandReadyStart {
            ready: Some(true),
            ..CommandReadyStart::default()
        };
        player.game(game, GameCommandBody::ReadyStart(ready));
    }
    for client in [&mut host, &mut guest].into_iter().chain(&mut crowd) {
        client.until_quiet();
    }
    let receivers = 2 + spectators;
    let mut loops = SendLoops::new(receivers);
    let (mut ours, mut bare) = (Vec::new(), Vec::new());
    for _ in 0..20 {
        let before = cpu_of(&server.task);
        let mut len = 0;
        for _ in 0..ACTIONS / 20 {
            let tap = CommandIncCounter {
                counter_id: Some(0),
                delta: Some(1),
            };
            host.send_game(game, GameCommandBody::IncCounter(tap));
            len = host.frame();
            host.frame(); // the answer
            guest.frame();
            for client in &mut crowd {
                client.frame();
            }
        }
        let actions = (ACTIONS / 20) as f64;
        ours.push((cpu_of(&server.task) - before).as_secs_f64() * 1e6 / actions);
        let all: f64 = (0..ACTIONS / 20).map(|_| loops.send(len)).sum();
        bare.push(all / actions);
    }
    let name = format!("table, CPU of an action with {receivers} who are told");
    report(&name, &mut ours, &mut bare);
}

fn report(name: &str, ours: &mut [f64], bare: &mut [f64]) {
    let (ours, bare) = (median(ours), median(bare));
    println!(
        "{name}: muster {ours:.1} us, send loop {bare:.1} us, ratio {:.2}",
        ours / bare
    );
}

fn deck() -> String {
    let card = |number| format!("<card number=\"4\" name=\"Card {number}\"/>");
    let cards: String = (0..15).map(card).collect();
    format!(
        "<?xml version=\"1.0\"?><cockatrice_deck version=\"1\"><zone name=\"main\">{cards}</zone></cockatrice_deck>"
    )
}

/// Sockets, and a thread that sends to all of them.
struct SendLoops {
    senders: Vec<TcpStream>,
    receivers: Vec<TcpStream>,
}

impl SendLoops {
    fn new(count: usize) -> SendLoops {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("binds");
        let address = listener.local_addr().expect("bound");
        let (mut senders, mut receivers) = (Vec::new(), Vec::new());
        for _ in 0..count {
            receivers.push(TcpStream::connect(address).expect("connects"));
            let sender = listener.accept().expect("accepts").0;
            sender.set_nodelay(true).expect("sets");
            senders.push(sender);
        }
        SendLoops { senders, receivers }
    }

    /// CPU in microseconds of sending so many bytes to each.
    fn send(&mut self, len: usize) -> f64 {
        let body = vec![b'x'; len];
        let spent = thread::scope(|scope| {
            let senders = &mut self.senders;
            let sending = scope.spawn(move || {
                pin_to(SERVER_CORE);
                let task = this_task();
                let before = cpu_of(&task);
                for sender in senders.iter_mut() {
                    sender.write_all(&body).expect("the socket takes it");
                }
                cpu_of(&task) - before
            });
            let mut buffer = vec![0; len];
            for receiver in &mut self.receivers {
                receiver
                    .read_exact(&mut buffer)
                    .expect("everything arrives");
            }
            sending.join().expect("the sender ends")
        });
        spent.as_secs_f64() * 1e6
    }
}

/// A client over TCP.
struct Client {
    stream: TcpStream,
    next_id: u64,
    body: Vec<u8>,
}

impl Client {
    /// Reads a message; its length with the prefix.
    fn frame(&mut self) -> usize {
        let mut prefix = [0; 4];
        self.stream.read_exact(&mut prefix).expect("a message");
        let len = u32::from_be_bytes(prefix) as usize;
        self.body.resize(len, 0);
        self.stream.read_exact(&mut self.body).expect("all of it");
        len + 4
    }

    fn send(&mut self, container: CommandContainer<'_>) {
        let id = self.next_id;
        self.next_id += 1;
        let body = encode(&CommandContainer {
            cmd_id: Some(id),
            ..container
        });
        let mut frame = (body.len() as u32).to_be_bytes().to_vec();
        frame.extend_from_slice(&body);
        self.stream.write_all(&frame).expect("it takes a message");
    }

    /// Until the answer to the last command.
    fn until_answer(&mut self) {
        let id = self.next_id - 1;
        loop {
            self.frame();
            let message: ServerMessage<'_> = decode(&self.body).expect("a message");
            if let Some(response) = message.response.filter(|one| one.cmd_id() == id) {
                assert_eq!(response.response_code, Some(ResponseCode::RespOk));
                return;
            }
        }
    }

    /// Until it has been told that it is in a game, whose number this gives.
    fn joined(&mut self) -> i32 {
        loop {
            self.frame();
            let message: ServerMessage<'_> = decode(&self.body).expect("a message");
            let event = message.session_event.and_then(|event| event.body);
            if let Some(SessionEventBody::GameJoined(joined)) = event {
                return joined.game_info.expect("a record").game_id();
            }
        }
    }

    /// Until nothing more comes.
    fn until_quiet(&mut self) {
        let patience = Duration::from_millis(300);
        self.stream.set_read_timeout(Some(patience)).expect("sets");
        while self
            .stream
            .read(&mut [0; 65_536])
            .is_ok_and(|count| count > 0)
        {}
        self.stream.set_read_timeout(None).expect("sets");
    }

    fn session(&mut self, command: SessionCommandBody<'_>) {
        let command = SessionCommand {
            body: Some(command),
        };
        self.send(CommandContainer {
            session_command: vec![command],
            ..CommandContainer::default()
        });
        self.until_answer();
    }

    fn send_room(&mut self, command: RoomCommandBody<'_>) {
        let command = RoomCommand {
            body: Some(command),
        };
        self.send(CommandContainer {
            room_id: Some(0),
            room_command: vec![command],
            ..CommandContainer::default()
        });
    }

    fn room(&mut self, command: RoomCommandBody<'_>) {
        self.send_room(command);
        self.until_answer();
    }

    fn send_game(&mut self, game: i32, command: GameCommandBody<'_>) {
        let command = GameCommand {
            body: Some(command),
        };
        self.send(CommandContainer {
            game_id: u32::try_from(game).ok(),
            game_command: vec![command],
            ..CommandContainer::default()
        });
    }

    fn game(&mut self, game: i32, command: GameCommandBody<'_>) {
        self.send_game(game, command);
        self.until_answer();
    }
}

/// The Cockatrice lobby on one shard.
type Server = Served<Cockatrice>;

impl Served<Cockatrice> {
    fn open() -> Self {
        let outbox = OutboxLimits {
            soft_bytes: 16 << 20,
            hard_bytes: 16 << 20,
            stuck: Duration::from_secs(60),
        };
        let settings = setup::one_shard_of(Format::PrefixedBigEndian, outbox, 2_000);
        Served::start(
            settings,
            |_| Outside {
                ask: Arc::new(|_, _, ask| Err(ask)),
                publish: Arc::new(|_| true),
            },
            |shard: ShardId| {
                // One user says and does more than people do; ticks would be measured as well.
                let settings = dialect::Settings {
                    tick: Duration::from_secs(600),
                    chat_interval: None,
                    command_interval: None,
                    commands_per_second: None,
                    ..dialect::Settings::default()
                };
                Cockatrice::new(shard, 1, Arc::new(settings))
            },
        )
    }

    fn sign_in(&self, name: &str) -> Client {
        let mut client = Client {
            stream: self.connect(),
            next_id: 1,
            body: Vec::new(),
        };
        client.stream.write_all(&[0; 4]).expect("sends");
        let login = CommandLogin {
            user_name: Some(name.into()),
            ..CommandLogin::default()
        };
        client.session(SessionCommandBody::Login(login));
        client.frame(); // the server's message
        client
    }
}
