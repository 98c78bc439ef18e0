//! What a line of chat costs VCMI's JSON lobby, from the packet to the last `send`: CPU of the shard for one line to 500 and to
//! 5,000 players, beside a loop of `send` with the same bytes.
//!
//! `cargo bench --bench vcmi_json_chat`, or with a number of players. A real engine and real sockets; the store is one that has
//! done everything at once, on the shard's own thread. The loop is measured after the server, since sockets for both at once are more
//! than a process often may have; medians are printed. The server's shard, or the loop, has one core; the clients
//! have the other.

#[path = "support/served.rs"]
mod served;
#[path = "support/setup.rs"]
mod setup;
#[path = "support/vcmi_json_store.rs"]
mod store;
#[path = "support/threads.rs"]
mod threads;

use std::{
    io::{Read, Write},
    net::{Ipv4Addr, TcpListener, TcpStream},
    sync::Arc,
    thread,
    time::Duration,
};

use muster::{
    engine::{Inbound, Outside},
    lobby::{
        OutboxLimits, ShardId,
        vcmi_json::{Settings, VcmiJson},
    },
    wire::Format,
};

use served::{CLIENT_CORE, SERVER_CORE, Served, median};
use threads::{cpu_of, pin_to, start_unpinned, this_task};

const LINES: usize = 41;
const LINE: &str = r#"{"channelName":"english","channelType":"global","messageText":"anybody for a game on a large map?","type":"sendChatMessage"}"#;

fn main() {
    pin_to(CLIENT_CORE);
    let mut args = std::env::args().skip(1);
    let wanted = args.find_map(|arg| arg.parse::<usize>().ok());
    let sizes = wanted.map_or_else(|| vec![500, 5_000], |size| vec![size]);
    for players in sizes {
        measure(players);
    }
}

fn measure(players: usize) {
    let (line, mut ours) = through_the_server(players);
    let mut bare = bare_loop(players, &framed(&line));
    let each = |all: &mut Vec<f64>| median(all) / players as f64;
    let (ours, bare) = (each(&mut ours), each(&mut bare));
    println!(
        "one line of {} bytes to {players} players, CPU of a delivery: muster {ours:.2} us, send loop {bare:.2} us, ratio {:.2}",
        line.len() + 4,
        ours / bare
    );
}

/// A line as players hear it, and what it costs the shard each time, in microseconds.
fn through_the_server(players: usize) -> (Vec<u8>, Vec<f64>) {
    let server = start_unpinned(CLIENT_CORE, || Server::open(players));
    let mut clients: Vec<TcpStream> = (0..players).map(|number| server.sign_in(number)).collect();
    clients.iter_mut().for_each(silence);
    say(&mut clients[0], LINE);
    let line = next_message(&mut clients[0]);
    for client in &mut clients[1..] {
        assert_eq!(next_message(client), line);
    }
    let costs = (0..LINES).map(|_| {
        let before = cpu_of(&server.task);
        say(&mut clients[0], LINE);
        for client in &mut clients {
            assert_eq!(next_message(client), line);
        }
        (cpu_of(&server.task) - before).as_secs_f64() * 1e6
    });
    let costs = costs.collect();
    drop(clients);
    server.stop();
    (line, costs)
}

/// The same of a loop of sends.
fn bare_loop(players: usize, bytes: &[u8]) -> Vec<f64> {
    let (mut senders, mut receivers) = sockets(players);
    let costs = (0..LINES).map(|_| loop_of_sends(&mut senders, &mut receivers, bytes));
    costs.collect()
}

/// CPU in microseconds of nothing but sends.
fn loop_of_sends(senders: &mut [TcpStream], receivers: &mut [TcpStream], bytes: &[u8]) -> f64 {
    let spent = thread::scope(|scope| {
        let sending = scope.spawn(move || {
            pin_to(SERVER_CORE);
            let task = this_task();
            let before = cpu_of(&task);
            for sender in senders.iter_mut() {
                sender.write_all(bytes).expect("the socket takes it");
            }
            cpu_of(&task) - before
        });
        for receiver in receivers {
            next_message(receiver);
        }
        sending.join().expect("the sender ends")
    });
    spent.as_secs_f64() * 1e6
}

/// So many pairs of connected sockets.
fn sockets(count: usize) -> (Vec<TcpStream>, Vec<TcpStream>) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("binds");
    let address = listener.local_addr().expect("bound");
    let pairs = (0..count).map(|_| {
        let receiver = TcpStream::connect(address).expect("connects");
        let (sender, _) = listener.accept().expect("accepts");
        sender.set_nodelay(true).expect("sets");
        (sender, receiver)
    });
    pairs.unzip()
}

/// The lobby on one shard.
type Server = Served<VcmiJson>;

impl Served<VcmiJson> {
    fn open(players: usize) -> Self {
        let outbox = OutboxLimits {
            soft_bytes: 1 << 24,
            hard_bytes: 1 << 25,
            stuck: Duration::from_secs(600),
        };
        let settings = setup::one_shard_of(Format::PrefixedLittleEndian, outbox, players + 100);
        Served::start(
            settings,
            |mesh| {
                let answers = mesh.clone();
                Outside {
                    ask: Arc::new(move |shard, ticket, ask| {
                        answers.post(shard, Inbound::Answer(ticket, store::answer(ask)));
                        Ok(())
                    }),
                    publish: Arc::new(|event| match event {}),
                }
            },
            |shard: ShardId| {
                // One player says many lines, and nobody is told of lists meanwhile.
                let settings = Settings {
                    enabled: true,
                    messages_per_second: None,
                    caused_bytes_per_second: None,
                    list_interval: Duration::from_secs(600),
                    ..Settings::default()
                };
                VcmiJson::new(shard, 1, Arc::new(settings))
            },
        )
    }

    fn sign_in(&self, number: usize) -> TcpStream {
        let mut stream = self.connect();
        let login = format!(
            r#"{{"type":"clientLogin","accountID":"{number}","accountCookie":"x","language":"english","version":"1.7.5"}}"#
        );
        say(&mut stream, &login);
        // The last of what a login brings.
        while !next_message(&mut stream).ends_with(br#""type":"matchesHistory"}"#) {}
        stream
    }
}

fn framed(payload: &[u8]) -> Vec<u8> {
    let mut out = (payload.len() as u32).to_le_bytes().to_vec();
    out.extend_from_slice(payload);
    out
}

fn say(stream: &mut TcpStream, text: &str) {
    stream.write_all(&framed(text.as_bytes())).expect("sends");
}

/// The next message that is no heartbeat.
fn next_message(stream: &mut TcpStream) -> Vec<u8> {
    loop {
        let mut head = [0; 4];
        stream.read_exact(&mut head).expect("it goes on");
        let mut payload = vec![0; u32::from_le_bytes(head) as usize];
        stream.read_exact(&mut payload).expect("it goes on");
        if !payload.is_empty() {
            return payload;
        }
    }
}

/// Reads away what has come.
fn silence(stream: &mut TcpStream) {
    stream.set_nonblocking(true).expect("sets");
    let mut head = [0; 4];
    while stream.peek(&mut head).is_ok_and(|count| count == 4) {
        stream.set_nonblocking(false).expect("sets");
        stream.read_exact(&mut head).expect("it goes on");
        let mut payload = vec![0; u32::from_le_bytes(head) as usize];
        stream.read_exact(&mut payload).expect("it goes on");
        stream.set_nonblocking(true).expect("sets");
    }
    stream.set_nonblocking(false).expect("sets");
}
