//! The engine with a dialect made for it, over real sockets.

use std::{
    io::{BufRead, BufReader, ErrorKind, Read, Write},
    net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream},
    rc::Rc,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use muster::{
    engine::{AddressLimits, Engine, MemoryLimits, Mesh, Outside, Part, Settings},
    lobby::{
        Audience, Closing, ConnId, Dialect, Listener, Origin, OutboxLimits, Protocol, Relay,
        ShardId, Stopping, Ticket, Turn,
    },
    wire::{Format, ReadLimits},
};

const PATIENCE: Duration = Duration::from_secs(20);

/// A dialect whose commands are the engine's abilities.
struct Probe {
    conns: Vec<ConnId>,
    asked: Option<ConnId>,
    waiting: Option<ConnId>,
    closed: Arc<AtomicUsize>,
    /// It panics where the engine does not expect it.
    broken: bool,
}

impl Dialect for Probe {
    type Mail = String;
    type Ask = String;
    type Answer = String;
    type Event = String;
    type Notice = String;
    type Timer = ConnId;

    fn on_open(&mut self, turn: &mut Turn<'_, Self>, conn: ConnId, origin: Origin) {
        self.conns.push(conn);
        turn.send(
            conn,
            format!("hello {} {}", turn.shard.local(), origin.address),
        );
    }

    fn on_frame(&mut self, turn: &mut Turn<'_, Self>, conn: ConnId, body: &mut [u8]) {
        let text = String::from_utf8_lossy(body).into_owned();
        let (word, rest) = text.split_once(' ').unwrap_or((&text, ""));
        match word {
            "echo" => turn.send(conn, rest.to_owned()),
            "sub" => turn.subscribe(conn),
            "unsub" => turn.unsubscribe(conn),
            "all" => {
                turn.fan_out(Audience::Subscribers, rest.to_owned());
                turn.mail_all(|| rest.to_owned());
            }
            "others" => turn.fan_out(Audience::SubscribersBut(Rc::new([conn])), rest.to_owned()),
            "mixed" => {
                turn.fan_out(Audience::Subscribers, "one");
                turn.send(conn, "two");
                turn.fan_out(Audience::SubscribersBut(Rc::new([conn])), "not you");
                turn.fan_out(Audience::Connections(Rc::new([conn])), "three");
                turn.fan_out(Audience::Subscribers, "four");
            }
            "big" => turn.fan_out(
                Audience::Subscribers,
                "x".repeat(rest.parse().expect("a number")),
            ),
            "flood" => turn.send(conn, "x".repeat(rest.parse().expect("a number"))),
            "ask" => {
                self.asked = Some(conn);
                turn.hold(conn);
                turn.ask(rest.to_owned());
            }
            "wait" => {
                self.waiting = Some(conn);
                turn.watch(conn);
                turn.send(conn, "waiting");
            }
            "meet" => {
                let target = self.waiting.take().expect("somebody waits");
                turn.send(target, "x".repeat(rest.parse().expect("a number")));
                turn.watch(conn);
                turn.join(Relay {
                    source: conn,
                    target,
                    to_source: "met\n".into(),
                    to_target: "met\n".into(),
                    frames: None,
                    idle: None,
                    survives: false,
                });
            }
            "publish" => turn.publish(rest.to_owned()),
            "later" => turn.wake_at(turn.now.mono + Duration::from_millis(5), conn),
            "bye" => {
                turn.send(conn, "bye");
                turn.close(conn, Closing::Flushed);
            }
            "panic" => panic!("asked to"),
            "break" => self.broken = true,
            _ => turn.close(conn, Closing::Abort),
        }
    }

    fn on_close(&mut self, _: &mut Turn<'_, Self>, conn: ConnId) {
        self.conns.retain(|c| *c != conn);
        self.closed.fetch_add(1, Ordering::SeqCst);
    }

    fn on_mail(&mut self, turn: &mut Turn<'_, Self>, _: ShardId, mail: String) {
        turn.fan_out(Audience::Subscribers, mail);
    }

    fn on_answer(&mut self, turn: &mut Turn<'_, Self>, _: Ticket, answer: String) {
        let conn = self.asked.take().expect("somebody asked");
        if answer == "answer late" {
            turn.publish(answer.clone());
        }
        turn.send(conn, answer);
        turn.release(conn);
    }

    fn on_notice(&mut self, turn: &mut Turn<'_, Self>, news: String) {
        turn.fan_out(Audience::Subscribers, news);
    }

    fn on_timer(&mut self, turn: &mut Turn<'_, Self>, conn: ConnId) {
        turn.send(conn, "woke");
    }

    fn on_resync(&mut self, turn: &mut Turn<'_, Self>, conn: ConnId) {
        turn.send(conn, "resync");
    }

    fn on_stopping(&mut self, turn: &mut Turn<'_, Self>, step: Stopping) {
        for &conn in &self.conns {
            turn.send(conn, format!("{step:?}"));
        }
    }

    fn is_drained(&self) -> bool {
        assert!(!self.broken, "asked to");
        self.conns.is_empty() && self.asked.is_none()
    }

    fn refuse(ask: String) -> String {
        format!("refused {ask}")
    }
}

struct Server {
    engine: Option<Engine>,
    /// Whatever was published, in order.
    published: std::sync::mpsc::Receiver<String>,
    mesh: Arc<Mesh<Probe>>,
    closed: Arc<AtomicUsize>,
    address: SocketAddr,
}

fn settings(shards: u16) -> Settings {
    Settings {
        inherited: std::sync::Arc::default(),
        bans: std::sync::Arc::default(),
        refusals: std::sync::Arc::default(),
        tls: None,
        shards,
        pin: false,
        listeners: vec![Listener {
            name: "probe".into(),
            address: (Ipv4Addr::LOCALHOST, 0).into(),
            format: Format::JsonLines,
            greeting: b"",
            protocol: Protocol::default(),
            outbox: OutboxLimits {
                soft_bytes: 256 << 10,
                hard_bytes: 64 << 20,
                stuck: Duration::from_secs(60),
            },
            read: ReadLimits::default(),
            strangers: None,
            proxy: false,
            trusted: Vec::new(),
            tls: false,
        }],
        connections: 1_000,
        memory: MemoryLimits::default(),
        address_limits: AddressLimits {
            connections: Some(3),
            opened_per_second: Some(1_000),
        },
        ipv6_prefix: 64,
        peer_timeout: Duration::from_secs(90),
        handshake: Duration::from_secs(10),
        seed: Some(1),
    }
}

impl Server {
    fn start(settings: Settings) -> Server {
        let mesh = Mesh::new(settings.shards);
        let closed = Arc::new(AtomicUsize::new(0));
        let (answers, counted, answering) = (mesh.clone(), closed.clone(), closed.clone());
        let (events, published) = std::sync::mpsc::channel();
        let engine = Engine::start(
            settings,
            mesh.clone(),
            Outside {
                ask: Arc::new(move |shard, ticket, ask: String| {
                    if ask == "too much" {
                        return Err(ask);
                    }
                    let (answers, closed) = (answers.clone(), answering.clone());
                    std::thread::spawn(move || {
                        if ask == "late" {
                            // When nobody is connected any more, and then some.
                            until("the end", || closed.load(Ordering::SeqCst) > 0);
                            std::thread::sleep(Duration::from_millis(50));
                        }
                        answers.post(
                            shard,
                            muster::engine::Inbound::Answer(ticket, format!("answer {ask}")),
                        );
                    });
                    Ok(())
                }),
                publish: Arc::new(move |event| events.send(event).is_ok()),
            },
            move |_| Probe {
                conns: Vec::new(),
                asked: None,
                waiting: None,
                closed: counted.clone(),
                broken: false,
            },
        )
        .expect("the engine starts");
        let address = engine.addresses[0].1;
        Server {
            engine: Some(engine),
            published,
            mesh,
            closed,
            address,
        }
    }

    fn count(&self, name: &str) -> u64 {
        let engine = self.engine.as_ref().expect("running");
        let shards = engine.metrics.iter();
        let lists = shards.flat_map(|metrics| muster::metrics::counters(&**metrics));
        let name = format!("muster_{name}_total");
        lists
            .filter(|(n, _)| *n == name)
            .map(|(_, value)| value)
            .sum()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.mesh.stop(Stopping::Now);
        if let Some(engine) = self.engine.take() {
            engine.join();
        }
    }
}

struct Client {
    stream: BufReader<TcpStream>,
    shard: String,
}

impl Client {
    fn connect(server: &Server) -> Client {
        let mut client = Client::raw(server);
        let hello = client.line();
        client.shard = hello.split(' ').nth(1).expect("a shard").to_owned();
        client
    }

    fn raw(server: &Server) -> Client {
        let stream = TcpStream::connect(server.address).expect("connects");
        stream.set_read_timeout(Some(PATIENCE)).expect("sets");
        stream.set_nodelay(true).expect("sets");
        Client {
            stream: BufReader::with_capacity(1 << 20, stream),
            shard: String::new(),
        }
    }

    fn say(&mut self, line: &str) {
        self.stream
            .get_mut()
            .write_all(format!("{line}\n").as_bytes())
            .expect("writes");
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.stream.read_line(&mut line).expect("reads");
        line.trim_end().to_owned()
    }

    fn ends(&mut self) -> bool {
        let mut rest = Vec::new();
        match self.stream.read_to_end(&mut rest) {
            Ok(_) => rest.is_empty(),
            Err(e) => e.kind() == ErrorKind::ConnectionReset,
        }
    }
}

fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < PATIENCE, "never: {what}");
        std::thread::yield_now();
    }
}

#[test]
fn a_greeting_comes_first_and_as_it_is() {
    let mut settings = settings(1);
    settings.listeners[0].greeting = b"<greeting>";
    let server = Server::start(settings);
    let mut client = TcpStream::connect(server.address).unwrap();
    client
        .set_read_timeout(Some(Duration::from_secs(10)))
        .unwrap();
    let mut greeting = [0; 10];
    client.read_exact(&mut greeting).unwrap();
    assert_eq!(&greeting, b"<greeting>");
}

#[test]
fn frames_are_answered_in_order() {
    let server = Server::start(settings(1));
    let mut client = Client::connect(&server);
    client.say("echo a\necho b\r\n echo c ");
    assert_eq!(
        [client.line(), client.line(), client.line()],
        ["a", "b", "c"]
    );
}

#[test]
fn a_held_connection_waits_and_others_go_on() {
    let server = Server::start(settings(1));
    let (mut a, mut b) = (Client::connect(&server), Client::connect(&server));
    a.say("ask x\necho after");
    b.say("echo meanwhile");
    assert_eq!(b.line(), "meanwhile");
    assert_eq!([a.line(), a.line()], ["answer x", "after"]);
    a.say("ask too much\necho after");
    assert_eq!([a.line(), a.line()], ["refused too much", "after"]);
}

#[test]
fn events_leave_and_news_arrives_on_every_shard() {
    let server = Server::start(settings(2));
    let mut clients: Vec<_> = (0..20).map(|_| Client::connect(&server)).collect();
    for client in &mut clients {
        client.say("sub\necho subscribed");
        assert_eq!(client.line(), "subscribed");
    }
    clients[0].say("publish outward");
    assert_eq!(
        server.published.recv_timeout(PATIENCE).as_deref(),
        Ok("outward")
    );
    server.mesh.tell(|| "inward".to_owned());
    for client in &mut clients {
        assert_eq!(client.line(), "inward");
    }
}

#[test]
fn broadcasts_reach_subscribers_on_every_shard_and_keep_the_order_of_sends() {
    let server = Server::start(settings(2));
    let mut clients: Vec<_> = (0..40).map(|_| Client::connect(&server)).collect();
    let shards: std::collections::BTreeSet<_> = clients.iter().map(|c| c.shard.clone()).collect();
    assert_eq!(shards.len(), 2, "40 connections on one of two shards");
    for client in &mut clients {
        client.say("sub\necho subscribed");
        assert_eq!(client.line(), "subscribed");
    }
    clients[0].say("all news");
    for client in &mut clients {
        assert_eq!(client.line(), "news");
    }
    let mut leaver = clients.pop().expect("one");
    leaver.say("unsub\necho out");
    assert_eq!(leaver.line(), "out");
    let mut client = clients.remove(0);
    client.say("mixed");
    let heard: Vec<_> = (0..4).map(|_| client.line()).collect();
    assert_eq!(heard, ["one", "two", "three", "four"]);
    let neighbour = clients
        .iter_mut()
        .find(|c| c.shard == client.shard)
        .expect("one on the same shard");
    let heard: Vec<_> = (0..3).map(|_| neighbour.line()).collect();
    assert_eq!(heard, ["one", "not you", "four"]);
    leaver.say("echo nothing came");
    assert_eq!(leaver.line(), "nothing came");
}

#[test]
fn timers_fire() {
    let server = Server::start(settings(1));
    let mut client = Client::connect(&server);
    client.say("later");
    assert_eq!(client.line(), "woke");
}

#[test]
fn an_orderly_close_delivers_the_last_words_even_with_unread_input() {
    let server = Server::start(settings(1));
    for _ in 0..50 {
        let mut client = Client::connect(&server);
        client.say(&format!("bye\n{}", "echo never\n".repeat(500)));
        assert_eq!(client.line(), "bye");
        assert!(client.ends());
    }
    until("closed told once each", || {
        server.closed.load(Ordering::SeqCst) == 50
    });
}

#[test]
fn a_panic_costs_one_connection() {
    let server = Server::start(settings(1));
    let (mut a, mut b) = (Client::connect(&server), Client::connect(&server));
    a.say("panic");
    assert!(a.ends());
    b.say("echo alive");
    assert_eq!(b.line(), "alive");
    assert_eq!(server.count("panics"), 1);
}

#[test]
fn a_last_line_without_its_end_is_handled() {
    let server = Server::start(settings(1));
    let mut client = Client::connect(&server);
    client
        .stream
        .get_mut()
        .write_all(b"echo last")
        .expect("writes");
    client
        .stream
        .get_mut()
        .shutdown(std::net::Shutdown::Write)
        .expect("shuts");
    assert_eq!(client.line(), "last");
    assert!(client.ends());
}

#[test]
fn a_slow_reader_misses_broadcasts_is_resynced_and_disturbs_nobody() {
    let server = Server::start(settings(1));
    let (mut slow, mut quick) = (Client::connect(&server), Client::connect(&server));
    for client in [&mut slow, &mut quick] {
        client.say("sub\necho subscribed");
        assert_eq!(client.line(), "subscribed");
    }
    let mut rounds = 0;
    while server.count("broadcasts_skipped") == 0 {
        quick.say("big 300000");
        assert_eq!(quick.line().len(), 300_000);
        rounds += 1;
        assert!(rounds < 1_000, "the slow reader was never skipped");
    }
    // It reads again: everything whole, then the present state.
    loop {
        let line = slow.line();
        if line == "resync" {
            break;
        }
        assert_eq!(line.len(), 300_000);
    }
    quick.say("all again");
    assert_eq!(slow.line(), "again");
    assert_eq!(server.count("resyncs"), 1);
}

#[test]
fn too_much_waiting_ends_the_connection() {
    let mut settings = settings(1);
    settings.listeners[0].outbox.hard_bytes = 1 << 20;
    let server = Server::start(settings);
    let mut client = Client::connect(&server);
    client.say("flood 60000000");
    until("counted", || server.count("ended_outbox_full") == 1);
    until("closed", || server.closed.load(Ordering::SeqCst) == 1);
}

#[test]
fn a_reader_that_never_reads_is_dropped_in_time() {
    let mut settings = settings(1);
    settings.listeners[0].outbox.stuck = Duration::from_millis(50);
    let server = Server::start(settings);
    let mut client = Client::connect(&server);
    client.say("flood 30000000");
    until("counted", || server.count("ended_outbox_stuck") == 1);
    until("closed", || server.closed.load(Ordering::SeqCst) == 1);
}

#[test]
fn what_its_socket_did_not_take_before_a_relay_does_not_end_the_relay() {
    let mut settings = settings(1);
    settings.listeners[0].outbox.stuck = Duration::from_millis(300);
    let server = Server::start(settings);
    let (mut a, mut b) = (Client::connect(&server), Client::connect(&server));
    a.say("wait");
    assert_eq!(a.line(), "waiting");
    b.say("meet 8000000");
    assert_eq!(b.line(), "met");
    assert_eq!(a.line().len(), 8_000_000);
    assert_eq!(a.line(), "met");
    std::thread::sleep(Duration::from_millis(400)); // until it would count as stuck
    b.say("still there?");
    assert_eq!(a.line(), "still there?");
}

// The socket was full while the connection's own input was being handled, and nobody waited for it to take more.
#[test]
fn what_a_released_connection_caused_itself_was_never_written() {
    let server = Server::start(settings(1));
    let mut client = Client::connect(&server);
    client.say("ask x\nflood 30000000");
    assert_eq!(client.line(), "answer x");
    assert_eq!(client.line().len(), 30_000_000);
}

#[test]
fn a_full_table_refuses() {
    let server = Server::start(Settings {
        connections: 2,
        ..settings(1)
    });
    let _kept = [Client::connect(&server), Client::connect(&server)];
    let mut third = Client::raw(&server);
    assert!(third.ends());
    assert_eq!(server.count("refused_full"), 1);
}

#[test]
fn a_proxy_header_names_the_address_and_limits_count_it() {
    let mut settings = settings(1);
    settings.listeners[0].proxy = true;
    let server = Server::start(settings);
    let connect = || {
        let mut client = Client::raw(&server);
        client
            .stream
            .get_mut()
            .write_all(b"PROXY TCP4 192.0.2.7 10.0.0.1 1 2\r\n")
            .expect("writes");
        client
    };
    let mut kept: Vec<_> = (0..3).map(|_| connect()).collect();
    for client in &mut kept {
        let hello = client.line();
        assert_eq!(
            hello
                .rsplit(' ')
                .next()
                .and_then(|a| a.parse::<IpAddr>().ok()),
            "192.0.2.7".parse().ok()
        );
    }
    assert!(connect().ends(), "the fourth of one address");
    assert_eq!(server.count("refused_address"), 1);
    let mut direct = Client::raw(&server);
    direct.say("echo hi");
    assert!(direct.ends(), "no header");
}

#[test]
fn a_silent_handshake_is_ended() {
    let mut settings = Settings {
        handshake: Duration::from_millis(30),
        ..settings(1)
    };
    settings.listeners[0].proxy = true;
    let server = Server::start(settings);
    assert!(Client::raw(&server).ends());
    assert_eq!(server.count("ended_handshake"), 1);
}

#[test]
fn the_end_says_good_bye_and_every_thread_ends() {
    let server = Server::start(settings(2));
    let mut client = Client::connect(&server);
    server.mesh.stop(Stopping::Drain);
    assert_eq!(client.line(), "Drain");
    assert!(!server.mesh.all_idle());
    server.mesh.stop(Stopping::Now);
    assert_eq!(client.line(), "Now");
    let mut rest = Vec::new();
    let _ = client.stream.read_to_end(&mut rest);
    assert!(rest.is_empty());
    drop(client);
    until("all threads end", || server.mesh.all_ended());
}

// What was asked for was done, but nobody outside was told.
#[test]
fn an_answer_that_came_after_the_last_connection_had_ended_was_lost() {
    let server = Server::start(settings(2));
    let mut client = Client::connect(&server);
    client.say("ask late");
    until("it was asked", || server.count("asks") == 1);
    server.mesh.stop(Stopping::Now);
    assert_eq!(client.line(), "Now");
    drop(client);
    let told = server.published.recv_timeout(Duration::from_secs(10));
    assert_eq!(told.as_deref(), Ok("answer late"));
    until("all threads end", || server.mesh.all_ended());
}

const CHILD: &str = "MUSTER_TEST_LOSES_A_SHARD";

/// In a process of its own, since that is what is at stake.
#[test]
fn a_shard_that_panics_outside_a_turn_is_known_to_be_lost() {
    if std::env::var_os(CHILD).is_none() {
        let name = "a_shard_that_panics_outside_a_turn_is_known_to_be_lost";
        let mut child = std::process::Command::new(std::env::current_exe().unwrap());
        let child = child.args(["--exact", name]).env(CHILD, "1");
        assert!(child.output().unwrap().status.success());
        return;
    }
    let server = Server::start(settings(2));
    assert_eq!(server.mesh.lost(), None);
    let mut client = Client::connect(&server);
    client.say("break");
    client.say("echo done");
    assert_eq!(client.line(), "done");
    server.mesh.stop(Stopping::Drain);
    until("the shard is lost", || {
        matches!(server.mesh.lost(), Some(Part::Shard(_)))
    });
    std::process::exit(0);
}
