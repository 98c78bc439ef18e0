//! What a broadcast to a few costs while many others are connected, and one that names its receivers.
//!
//! - *a topic of 4*: CPU of the shard for one message to a topic of four members, with 1,000 and 8,000 connections that
//!   are all in another topic, beside four `send`s;
//! - *named*: many messages in one flush, each to two connections that it names: CPU for one delivery, which must not
//!   grow with the number of messages.
//!
//! `cargo bench --bench topics`. Everything from the mail that asks for it to the last `send` counts.

#[path = "support/setup.rs"]
mod setup;
#[path = "support/threads.rs"]
mod threads;

use std::{
    io::Read,
    net::{Ipv4Addr, TcpListener, TcpStream},
    rc::Rc,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use muster::{
    engine::{Engine, Inbound, Mesh, Outside},
    lobby::{Audience, ConnId, Dialect, Origin, ShardId, Stopping, Topic, Turn},
};
use socket2::SockRef;

use threads::{cpu_of, pin_to, start_unpinned, task_named, this_task};

const SERVER_CORE: usize = 0;
const CLIENT_CORE: usize = 1;
const CONNECTIONS: [usize; 2] = [1_000, 8_000];
const FEW: Topic = Topic(7);
const MEMBERS: usize = 4;
const BODY: usize = 200;
const ROUNDS: usize = 2_000;
const NAMED: [usize; 2] = [500, 4_000];

/// Broadcasts when it gets mail. Everybody is a subscriber, the first four are in a topic of their own.
struct Broadcaster {
    conns: Vec<ConnId>,
    opened: Arc<AtomicU64>,
    body: Bytes,
}

#[derive(Clone, Copy, Debug, serde::Serialize, serde::Deserialize)]
enum Wanted {
    Few,
    /// So many messages, each to two connections.
    Named(usize),
}

impl Dialect for Broadcaster {
    type Mail = Wanted;
    type Ask = ();
    type Answer = ();
    type Event = ();
    type Notice = ();
    type Timer = ();

    fn on_open(&mut self, turn: &mut Turn<'_, Self>, conn: ConnId, _: Origin) {
        turn.subscribe(conn);
        if self.conns.len() < MEMBERS {
            turn.enter(conn, FEW);
        }
        self.conns.push(conn);
        self.opened.fetch_add(1, Ordering::SeqCst);
    }
    fn on_frame(&mut self, _: &mut Turn<'_, Self>, _: ConnId, _: &mut [u8]) {}
    fn on_close(&mut self, _: &mut Turn<'_, Self>, _: ConnId) {}
    fn on_mail(&mut self, turn: &mut Turn<'_, Self>, _: ShardId, wanted: Wanted) {
        match wanted {
            Wanted::Few => turn.fan_out(Audience::Topic(FEW), self.body.clone()),
            Wanted::Named(messages) => {
                for index in 0..messages {
                    let pair = [0, 1].map(|n| self.conns[(2 * index + n) % self.conns.len()]);
                    turn.fan_out(Audience::Connections(Rc::new(pair)), self.body.clone());
                }
            }
        }
    }
    fn refuse((): ()) {}
}

struct Server {
    engine: Engine,
    mesh: Arc<Mesh<Broadcaster>>,
    clients: Vec<TcpStream>,
    task: String,
}

impl Server {
    fn start(connections: usize) -> Server {
        let opened = Arc::new(AtomicU64::new(0));
        let (mesh, counted) = (Mesh::new(1), opened.clone());
        // The shard's core is one of those that this thread may use.
        let engine = start_unpinned(CLIENT_CORE, || {
            Engine::start(
                setup::one_shard(connections),
                mesh.clone(),
                Outside {
                    ask: Arc::new(|_, _, ()| Ok(())),
                    publish: Arc::new(|()| true),
                },
                move |_| Broadcaster {
                    conns: Vec::new(),
                    opened: counted.clone(),
                    body: vec![b'x'; BODY - 1].into(),
                },
            )
        })
        .expect("the engine starts");
        let clients = (0..connections).map(|_| {
            let client = TcpStream::connect(engine.addresses[0].1).expect("connects");
            client.set_nonblocking(true).expect("sets");
            client
        });
        let clients = clients.collect();
        while opened.load(Ordering::SeqCst) < connections as u64 {
            std::thread::yield_now();
        }
        Server {
            engine,
            mesh,
            clients,
            task: task_named("shard-0"),
        }
    }

    /// CPU of the shard until so many bytes have left.
    fn cpu(&mut self, wanted: Wanted, bytes: usize) -> Duration {
        let sent = &self.engine.metrics[0].bytes_out;
        let (before, until) = (cpu_of(&self.task), sent.value() + bytes as u64);
        self.mesh.post(
            ShardId::new(0, 0),
            Inbound::Mail(ShardId::new(0, 0), wanted),
        );
        while sent.value() < until {
            std::thread::yield_now();
        }
        std::thread::sleep(Duration::from_micros(300)); // what the shard does after its last send counts too
        cpu_of(&self.task) - before
    }

    fn drain(&mut self) {
        let mut buffer = vec![0; 1 << 16];
        for client in &mut self.clients {
            while client.read(&mut buffer).is_ok_and(|count| count > 0) {}
        }
    }

    fn stop(self) {
        self.mesh.stop(Stopping::Now);
        drop(self.clients);
        self.engine.join();
    }
}

/// CPU of four `send`s, by a thread that is woken for them as the shard is.
fn four_sends() -> Duration {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("binds");
    let address = listener.local_addr().expect("bound");
    let mut receivers = Vec::new();
    let mut senders = Vec::new();
    for _ in 0..MEMBERS {
        receivers.push(TcpStream::connect(address).expect("connects"));
        let sender = listener.accept().expect("accepts").0;
        sender.set_nodelay(true).expect("sets");
        senders.push(sender);
    }
    let (wake, woken) = std::sync::mpsc::channel::<()>();
    let (done, finished) = std::sync::mpsc::channel();
    let sender = std::thread::spawn(move || {
        pin_to(SERVER_CORE);
        let (task, body) = (this_task(), vec![b'x'; BODY]);
        let mut before = cpu_of(&task);
        for () in woken {
            for socket in &senders {
                let sent = SockRef::from(socket).send_with_flags(&body, libc::MSG_DONTWAIT);
                assert_eq!(sent.expect("the socket takes it"), BODY);
            }
            let now = cpu_of(&task);
            done.send(now - before).expect("somebody waits");
            before = now;
        }
    });
    let mut all = Vec::new();
    for _ in 0..ROUNDS {
        std::thread::sleep(Duration::from_micros(300));
        wake.send(()).expect("the sender lives");
        all.push(finished.recv().expect("the sender answers"));
        for receiver in &mut receivers {
            receiver.read_exact(&mut [0; BODY]).expect("it arrives");
        }
    }
    drop(wake);
    sender.join().expect("the sender ends");
    median(all)
}

fn median(mut all: Vec<Duration>) -> Duration {
    all.sort_unstable();
    all[all.len() / 2]
}

fn micros(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}

fn main() {
    rlimit::increase_nofile_limit(u64::MAX).expect("the limit can be read");
    pin_to(CLIENT_CORE);
    for connections in CONNECTIONS {
        let floor = micros(four_sends());
        let mut server = Server::start(connections);
        let rounds = (0..ROUNDS).map(|_| {
            let spent = server.cpu(Wanted::Few, MEMBERS * BODY);
            let mut buffer = [0; 1 << 12];
            for client in &mut server.clients[..MEMBERS] {
                let _ = client.read(&mut buffer); // it has come, or comes with the next
            }
            spent
        });
        let spent = micros(median(rounds.collect()));
        println!(
            "one message to a topic of {MEMBERS} among {connections} connections: {spent:.1} µs, four sends {floor:.1} µs, {:.1} µs beside them",
            spent - floor
        );
        for messages in NAMED {
            let rounds = (0..15).map(|_| {
                let spent = server.cpu(Wanted::Named(messages), 2 * messages * BODY);
                server.drain();
                spent
            });
            let spent = micros(median(rounds.collect())) / (2 * messages) as f64;
            println!(
                "{messages} messages in a flush, each to two named of {connections}: {spent:.2} µs a delivery"
            );
        }
        server.stop();
    }
}
