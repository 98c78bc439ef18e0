//! A dialect is added to a server by one line: a third lobby beside the two that there are, on real sockets, with settings,
//! a listener and a framing, and metrics of its own; and one more that only repeats, for the Autobahn cases.

#![allow(
    unreachable_pub,
    reason = "what a server is made of is public elsewhere"
)]

#[path = "router/autobahn.rs"]
mod autobahn;

use std::{
    convert::Infallible,
    io::{Read, Write},
    net::TcpStream,
    sync::Arc,
    time::Duration,
};

use metrics::{Counter, Registry};

use muster::{
    engine::{Engine, Mesh, Outside, Settings},
    lobby::{
        Audience, ConnId, Dialect, Keep, Listener, Lobby, Origin, OutboxLimits, Protocol, ShardId,
        Stopping, Ticket, Topic, Turn,
        faf::Faf,
        kept::{self, Damaged},
        vcmi::Vcmi,
    },
    settings::{Address, Group, Values},
    wire::{Format, ReadLimits},
};

lobby::router! {
    /// The two lobbies that there are, and one more.
    struct Router {
        FAF => faf: Faf,
        VCMI => vcmi: Vcmi,
        ECHO => echo: Echo,
    }
}

settings::settings! {
    /// What an operator may choose about the third one.
    #[derive(Clone, Debug)]
    pub struct EchoSettings {
        /// Where it listens.
        address: Address = "echo.address", address(), "";
        /// What a newcomer is told.
        greeting: String = "echo.greeting", text(), "hello";
    }
}

metrics::metrics! {
    /// What is counted of it.
    pub struct EchoMetrics {
        /// Messages that the third lobby was told.
        told: Counter = Sum "echo_told_total";
    }
}

impl Lobby for Echo {
    type Settings = EchoSettings;
    type Metrics = EchoMetrics;

    fn new_shard(_: ShardId, _: u16, settings: &EchoSettings, metrics: Arc<EchoMetrics>) -> Self {
        Echo {
            greeting: settings.greeting.clone(),
            metrics,
            ..Echo::default()
        }
    }

    fn listeners(settings: &EchoSettings) -> Vec<Listener> {
        let listener = |address| Listener {
            name: "echo".to_owned(),
            address,
            format: Format::PrefixedBigEndian,
            greeting: b"",
            protocol: Protocol::default(),
            outbox: OutboxLimits::default(),
            read: ReadLimits::default(),
            strangers: None,
            proxy: false,
            trusted: Vec::new(),
            tls: false,
        };
        settings
            .address
            .socket()
            .map(listener)
            .into_iter()
            .collect()
    }

    fn addresses(settings: &mut EchoSettings) -> Vec<&mut Address> {
        vec![&mut settings.address]
    }
}

/// Says back what it is told, to everybody on every shard who is there; and asks, if it is asked to.
#[derive(Debug, Default)]
struct Echo {
    asked: Option<(Ticket, ConnId)>,
    greeting: String,
    metrics: Arc<EchoMetrics>,
}

impl Keep for Echo {
    type Kept = String;

    fn keep(&self) -> String {
        self.greeting.clone()
    }

    fn revive(&mut self, kept: String) -> Result<(), Damaged> {
        self.greeting = kept;
        Ok(())
    }
}

impl Dialect for Echo {
    type Mail = String;
    type Ask = String;
    type Answer = String;
    type Event = Infallible;
    type Notice = Infallible;
    type Timer = ConnId;

    fn on_open(&mut self, turn: &mut Turn<'_, Self>, conn: ConnId, _: Origin) {
        turn.send(conn, self.greeting.clone());
        turn.subscribe(conn);
        turn.enter(conn, Topic(7));
    }

    fn on_frame(&mut self, turn: &mut Turn<'_, Self>, conn: ConnId, body: &mut [u8]) {
        self.metrics.told.up();
        let text = String::from_utf8_lossy(body).into_owned();
        match &text[..] {
            "ask" => self.asked = Some((turn.ask(text), conn)),
            "later" => turn.wake_at(turn.now.mono, conn),
            _ => {
                turn.mail_all(|| text.clone());
                turn.fan_out(Audience::Topic(Topic(7)), text);
            }
        }
    }

    fn on_close(&mut self, _: &mut Turn<'_, Self>, _: ConnId) {}

    fn on_mail(&mut self, turn: &mut Turn<'_, Self>, _: ShardId, mail: String) {
        turn.fan_out(Audience::Subscribers, mail);
    }

    fn on_answer(&mut self, turn: &mut Turn<'_, Self>, ticket: Ticket, answer: String) {
        if let Some((_, conn)) = self.asked.take_if(|(asked, _)| *asked == ticket) {
            turn.send(conn, answer);
        }
    }

    fn on_timer(&mut self, turn: &mut Turn<'_, Self>, conn: ConnId) {
        turn.send(conn, "now");
    }

    fn refuse(ask: String) -> String {
        ask + " refused"
    }
}

/// As if this had been typed: FAF's JSON, VCMI and the third one, on any free ports.
fn settings() -> LobbySettings {
    let keys = LobbySettings::keys();
    let mut values = Values::defaults(&keys);
    for (name, text) in [
        ("faf.qdatastream_address", ""),
        ("faf.json_address", "127.0.0.1:0"),
        ("faf.websocket_address", ""),
        ("vcmi.address", "127.0.0.1:0"),
        ("echo.address", "127.0.0.1:0"),
        ("echo.greeting", "welcome"),
    ] {
        let key = keys.iter().find(|key| key.name == name).expect(name);
        values.set(key, key.kind.parse(text).expect(name));
    }
    LobbySettings::read(&values)
}

struct Server {
    engine: Engine,
    mesh: Arc<Mesh<Router>>,
    metrics: LobbyMetrics,
}

impl Server {
    fn start() -> Server {
        let lobbies = settings();
        let settings = Settings {
            shards: 2,
            pin: false,
            listeners: Router::listeners(&lobbies),
            seed: Some(1),
            ..Settings::default()
        };
        let mesh = Mesh::new(2);
        let outside = Outside {
            ask: Arc::new(|_, _, ask| Err(ask)), // nobody answers: the dialect's own refusal does
            publish: Arc::new(|_| true),
        };
        let metrics = LobbyMetrics::new(2);
        let counted = metrics.clone();
        let made = move |shard| Router::new_shard(shard, 2, &lobbies, &counted);
        let engine = Engine::start(settings, mesh.clone(), outside, made).expect("it starts");
        Server {
            engine,
            mesh,
            metrics,
        }
    }

    fn connect(&self, listener: &str) -> TcpStream {
        let mut addresses = self.engine.addresses.iter();
        let found = addresses.find(|(name, _)| name == listener);
        let stream = TcpStream::connect(found.expect("it listens").1).expect("connects");
        let timeout = Some(Duration::from_secs(20));
        stream.set_read_timeout(timeout).expect("sets");
        stream
    }
}

/// A client of the third lobby.
struct Client(TcpStream);

impl Client {
    fn say(&mut self, text: &str) {
        let mut message = Vec::new();
        Format::PrefixedBigEndian.encode(text.as_bytes(), &mut message);
        self.0.write_all(&message).expect("writes");
    }

    fn hear(&mut self) -> String {
        let mut len = [0; 4];
        self.0.read_exact(&mut len).expect("reads");
        let mut text = vec![0; u32::from_be_bytes(len) as usize];
        self.0.read_exact(&mut text).expect("reads");
        String::from_utf8(text).expect("what was said")
    }
}

#[test]
fn a_third_lobby_has_its_own_frames_topics_mail_questions_and_timers() {
    let server = Server::start();
    let [mut one, mut other] = [(); 2].map(|()| Client(server.connect("echo")));
    for client in [&mut one, &mut other] {
        assert_eq!(client.hear(), "welcome"); // it is there, on whichever shard
        client.say("later");
        assert_eq!(client.hear(), "now");
    }
    one.say("hello");
    assert_eq!([one.hear(), other.hear()], ["hello", "hello"]);
    other.say("ask");
    assert_eq!(other.hear(), "ask refused");
    // FAF's clients are told nothing of it, and FAF speaks for itself.
    let mut faf = server.connect("faf/json");
    faf.write_all(b"{\"command\":\"ping\"}\n").expect("writes");
    let mut pong = [0; 18];
    faf.read_exact(&mut pong).expect("reads");
    assert_eq!(&pong, b"{\"command\":\"pong\"}");

    let mut registry = Registry::default();
    server.metrics.add_to(&mut registry);
    let families = registry.collect();
    let told = families
        .iter()
        .find(|family| family.name == "echo_told_total");
    let told = told.map(|family| format!("{:?}", family.samples));
    assert_eq!(told.as_deref(), Some("{[]: Number(4.0)}"));
    server.mesh.stop(Stopping::Now);
    server.engine.join();
}

#[test]
fn another_process_goes_on_with_every_lobby() {
    let shards = [0, 1].map(|local| ShardId::new(0, local));
    let [one, other] =
        shards.map(|shard| move || Router::new_shard(shard, 2, &settings(), &LobbyMetrics::new(2)));
    let mut shard = one();
    shard.echo.greeting = "of the third".into();
    let bytes = kept::encode(&shard.keep());
    let mut revived = one();
    let kept = kept::decode(&bytes).expect("it is whole");
    revived.revive(kept).expect("it is all there");
    assert_eq!(revived.echo.greeting, "of the third");
    assert_eq!(kept::encode(&revived.keep()), bytes);

    let kept = kept::decode(&bytes).expect("it is whole");
    let elsewhere = other().revive(kept);
    assert!(elsewhere.is_err(), "the lobby of VCMI is on one shard only");
}
