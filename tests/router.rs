//! A dialect is added to a server by one line: a third lobby beside the two that there are, on real sockets.

use std::{
    convert::Infallible,
    io::{BufRead, BufReader, Write},
    net::{Ipv4Addr, SocketAddr, TcpStream},
    sync::Arc,
    time::Duration,
};

use muster::{
    engine::{AddressLimits, Engine, ListenerSettings, Mesh, OutboxLimits, Outside, Settings},
    lobby::{
        Audience, ConnId, Dialect, Keep, Origin, Protocol, ShardId, Stopping, Ticket, Topic, Turn,
        faf::Faf,
        kept::{self, Damaged},
        vcmi::Vcmi,
    },
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

/// Says back what it is told, to everybody on every shard who is there; and asks, if it is asked to.
#[derive(Debug, Default)]
struct Echo {
    asked: Option<(Ticket, ConnId)>,
    name: String,
}

impl Keep for Echo {
    type Kept = String;

    fn keep(&self) -> String {
        self.name.clone()
    }

    fn revive(&mut self, kept: String) -> Result<(), Damaged> {
        self.name = kept;
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
        turn.subscribe(conn);
        turn.enter(conn, Topic(7));
    }

    fn on_frame(&mut self, turn: &mut Turn<'_, Self>, conn: ConnId, body: &mut [u8]) {
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

/// One of two shards.
fn make(shard: ShardId, echo: Echo) -> Router {
    let faf = Faf::new(shard, 2, Arc::default());
    let vcmi = Vcmi::new(shard, 2, Arc::default());
    Router::new(faf, vcmi, echo)
}

struct Server {
    engine: Engine,
    mesh: Arc<Mesh<Router>>,
}

impl Server {
    fn start() -> Server {
        let listener = |name: &str, format, protocol: Protocol| ListenerSettings {
            name: name.into(),
            address: (Ipv4Addr::LOCALHOST, 0).into(),
            format,
            protocol,
            outbox: OutboxLimits {
                soft_bytes: 1 << 20,
                hard_bytes: 1 << 20,
                stuck: Duration::from_secs(30),
            },
            read: ReadLimits::default(),
            proxy: false,
            trusted: Vec::new(),
        };
        let settings = Settings {
            shards: 2,
            pin: false,
            listeners: vec![
                listener("faf", Format::JsonLines, Router::FAF),
                listener("vcmi", Format::Packets, Router::VCMI),
                listener("echo", Format::JsonLines, Router::ECHO),
            ],
            connections: 100,
            address_limits: AddressLimits {
                connections: None,
                opened_per_second: None,
            },
            handshake: Duration::from_secs(10),
            seed: Some(1),
        };
        let mesh = Mesh::new(2);
        let outside = Outside {
            ask: Arc::new(|_, _, ask| Err(ask)), // nobody answers: the dialect's own refusal does
            publish: Arc::new(|_| true),
        };
        let made = |shard| make(shard, Echo::default());
        let engine = Engine::start(settings, mesh.clone(), outside, made).expect("it starts");
        Server { engine, mesh }
    }

    fn client(&self, listener: usize) -> Client {
        let address: SocketAddr = self.engine.addresses[listener].1;
        let stream = TcpStream::connect(address).expect("connects");
        let timeout = Some(Duration::from_secs(20));
        stream.set_read_timeout(timeout).expect("sets");
        Client(BufReader::new(stream))
    }
}

struct Client(BufReader<TcpStream>);

impl Client {
    fn say(&mut self, text: &str) {
        let line = format!("{text}\n");
        self.0.get_mut().write_all(line.as_bytes()).expect("writes");
    }

    fn hear(&mut self) -> String {
        let mut line = String::new();
        self.0.read_line(&mut line).expect("reads");
        line.trim_end().to_owned()
    }
}

#[test]
fn a_third_lobby_has_its_own_frames_topics_mail_questions_and_timers() {
    let server = Server::start();
    let (mut faf, mut one, mut other) = (server.client(0), server.client(2), server.client(2));
    for client in [&mut one, &mut other] {
        client.say("later");
        assert_eq!(client.hear(), "now"); // it is there, on whichever shard
    }
    one.say("hello");
    assert_eq!([one.hear(), other.hear()], ["hello", "hello"]);
    other.say("ask");
    assert_eq!(other.hear(), "ask refused");
    // FAF's clients are told nothing of it, and FAF speaks for itself.
    faf.say(r#"{"command":"ping"}"#);
    assert_eq!(faf.hear(), r#"{"command":"pong"}"#);
    server.mesh.stop(Stopping::Now);
    server.engine.join();
}

#[test]
fn another_process_goes_on_with_every_lobby() {
    let [one, other] = [0, 1].map(|local| ShardId::new(0, local));
    let echo = Echo {
        name: "of the third".into(),
        ..Echo::default()
    };
    let bytes = kept::encode(&make(one, echo).keep());
    let mut revived = make(one, Echo::default());
    let kept = kept::decode(&bytes).expect("it is whole");
    revived.revive(kept).expect("it is all there");
    assert_eq!(revived.echo.name, "of the third");
    assert_eq!(kept::encode(&revived.keep()), bytes);

    let kept = kept::decode(&bytes).expect("it is whole");
    let elsewhere = make(other, Echo::default()).revive(kept);
    assert!(elsewhere.is_err(), "the lobby of VCMI is on one shard only");
}
