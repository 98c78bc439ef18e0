//! Games relayed by the real server: bytes both ways, slow readers, and how an end travels.

#[path = "support/mod.rs"]
mod support;

use std::{
    io::{ErrorKind, Read, Write},
    net::{Shutdown, SocketAddr, TcpStream},
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
    thread,
    time::{Duration, Instant},
};

use support::server::{Backend, Server, Setup};

const PATIENCE: Duration = Duration::from_secs(20);
/// What a game says before it is relayed: three frames and a byte.
const GREETING: usize = 10 + 23 + 40 + 1;

struct Stage {
    server: Server,
    address: SocketAddr,
}

fn stage(shards: u16) -> Stage {
    stage_with(shards, &[])
}

fn stage_with(shards: u16, set: &[&str]) -> Stage {
    let server = Server::start(&Setup {
        backend: Backend::Sqlite,
        shards,
        set: &set.iter().map(|&pair| pair.to_owned()).collect::<Vec<_>>(),
        sql: &[],
    })
    .unwrap();
    let address = server.listener("vcmi").unwrap();
    Stage { server, address }
}

/// Runs a test on one shard and on two; there several pairs are made, so that some have sides on both.
fn each(test: impl Fn(TcpStream, TcpStream)) {
    for shards in 1..=2 {
        let stage = stage(shards);
        for _ in 0..6 * shards {
            let (server, client) = stage.pair();
            test(server, client);
        }
    }
}

impl Stage {
    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).unwrap();
        stream.set_nodelay(true).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        stream
    }

    fn sign_in(&self, name: &str) -> TcpStream {
        let mut stream = self.connect();
        say(
            &mut stream,
            &format!("\x05\x04utf8<GREETINGS>{name}<VER>1.4.0"),
        );
        read_until(&mut stream, "currently playing ");
        stream
    }

    /// The uuids of a started game: the host's, and the guest's.
    fn session(&self) -> (String, String) {
        static NUMBER: AtomicUsize = AtomicUsize::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let mut host = self.sign_in(&format!("host{number}"));
        let mut guest = self.sign_in(&format!("guest{number}"));
        let room = format!("room{number}");
        say(&mut host, &format!("<NEW>{room}<PSWD><COUNT>2"));
        read_until(&mut host, "You are in the room chat.");
        say(&mut guest, &format!("<JOIN>{room}<PSWD>"));
        read_until(&mut guest, ":>>GAMEMODE:0");
        say(&mut host, &format!("<FORCESTART>{room}"));
        let mut said = [String::new(), String::new()];
        for (stream, said) in [&mut host, &mut guest].into_iter().zip(&mut said) {
            stream.read_to_string(said).unwrap(); // the launchers' connections end
        }
        let after = |said: &str, word: &str| {
            let at = said.find(word).unwrap() + word.len();
            said[at..at + 36].to_owned()
        };
        (after(&said[0], ":>>HOST:"), after(&said[1], ":>>START:"))
    }

    fn game(&self, role: &str, uuid: &str) -> TcpStream {
        let mut stream = self.connect();
        for frame in ["Aiya!\n", &format!("VCMI 1.4.0 ({role})"), uuid] {
            say(&mut stream, frame);
        }
        stream.write_all(&[1]).unwrap();
        stream
    }

    /// A host's server and a guest's client, greeted.
    fn pair(&self) -> (TcpStream, TcpStream) {
        let (host, guest) = self.session();
        let mut server = self.game("server", &host);
        let mut client = self.game("client", &guest);
        for (side, role) in [(&mut server, "(client)"), (&mut client, "(server)")] {
            let mut greeting = [0; GREETING];
            side.read_exact(&mut greeting).unwrap();
            let text = String::from_utf8_lossy(&greeting);
            assert!(text.contains(role), "{text}");
        }
        (server, client)
    }
}

fn say(stream: &mut TcpStream, text: &str) {
    let head = (text.len() as u32).to_le_bytes();
    let packet = [&head[..], text.as_bytes()].concat();
    stream.write_all(&packet).unwrap();
}

fn read_until(stream: &mut TcpStream, end: &str) {
    let mut said = String::new();
    let mut buffer = [0; 4096];
    while !said.contains(end) {
        let count = stream.read(&mut buffer).unwrap();
        assert!(count > 0, "ended after {said}");
        said.push_str(&String::from_utf8_lossy(&buffer[..count]));
    }
}

fn pattern(len: usize, salt: usize) -> Vec<u8> {
    (0..len).map(|i| (i * 31 + i / 251 + salt) as u8).collect()
}

/// Whether the connection has ended, in whatever way, with nothing before.
fn ended(stream: &mut TcpStream) -> bool {
    match stream.read(&mut [0; 16]) {
        Ok(count) => count == 0,
        Err(error) => error.kind() == ErrorKind::ConnectionReset,
    }
}

/// checklist: vcmi 95
#[test]
fn megabytes_arrive_unchanged_both_ways_at_once() {
    each(|server, client| {
        const LEN: usize = 2 << 20;
        thread::scope(|scope| {
            for (from, to, salt) in [(&server, &client, 1), (&client, &server, 2)] {
                let (mut from, mut to) = (from.try_clone().unwrap(), to.try_clone().unwrap());
                scope.spawn(move || from.write_all(&pattern(LEN, salt)).unwrap());
                scope.spawn(move || {
                    let mut got = vec![0; LEN];
                    to.read_exact(&mut got).unwrap();
                    assert!(got == pattern(LEN, salt));
                });
            }
        });
    });
}

/// checklist: vcmi 143
#[test]
fn a_reader_that_stops_holds_up_its_writer_and_not_the_memory() {
    for shards in 1..=2 {
        let stage = stage(shards);
        let (mut server, mut client) = stage.pair();
        let before = stage.server.resident_kib();
        // Until the writer is held up: sockets and one read of the server are full.
        server.set_nonblocking(true).unwrap();
        let block = pattern(1 << 20, 3);
        let (mut sent, mut stuck_since) = (0, Instant::now());
        while stuck_since.elapsed() < Duration::from_millis(500) {
            match server.write(&block[sent % block.len()..]) {
                Ok(count) => {
                    sent += count;
                    stuck_since = Instant::now();
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    thread::sleep(Duration::from_millis(5));
                }
                Err(error) => panic!("{error}"),
            }
            assert!(sent < 256 << 20, "nobody holds the writer up");
        }
        let grown = stage.server.resident_kib().saturating_sub(before);
        assert!(grown < 8 << 10, "{grown} KiB more for {sent} bytes");
        // The other way goes on meanwhile.
        server.set_nonblocking(false).unwrap();
        client.write_all(b"hello").unwrap();
        let mut got = [0; 5];
        server.read_exact(&mut got).unwrap();
        assert_eq!(&got, b"hello");
        // And what was held up arrives.
        let mut got = vec![0; sent];
        client.read_exact(&mut got).unwrap();
        assert!(
            got.chunks(block.len())
                .all(|chunk| *chunk == block[..chunk.len()])
        );
    }
}

/// checklist: vcmi 98
#[test]
fn what_was_sent_before_the_end_arrives_and_then_the_end() {
    each(|mut server, mut client| {
        let last = pattern(300_000, 4);
        server.write_all(&last).unwrap();
        drop(server);
        let mut got = Vec::new();
        client.read_to_end(&mut got).unwrap();
        assert!(got == last);
    });
}

/// checklist: vcmi 98
#[test]
fn a_half_closed_side_is_closed() {
    each(|server, mut client| {
        server.shutdown(Shutdown::Write).unwrap();
        assert!(ended(&mut client));
        let mut server = server;
        assert!(ended(&mut server));
    });
}

/// checklist: vcmi 98
#[test]
fn a_reset_side_ends_the_other() {
    each(|server, mut client| {
        let linger = socket2::SockRef::from(&server).set_linger(Some(Duration::ZERO));
        linger.unwrap();
        drop(server);
        assert!(ended(&mut client));
    });
}

/// checklist: vcmi 97
#[test]
fn early_bytes_are_kept() {
    for shards in 1..=2 {
        let stage = stage(shards);
        for _ in 0..6 {
            let (host, guest) = stage.session();
            let mut server = stage.game("server", &host);
            let early = pattern(500_000, 5);
            thread::scope(|scope| {
                // More than the server keeps: the rest waits in the sockets.
                scope.spawn(|| server.write_all(&early).unwrap());
                let mut client = stage.game("client", &guest);
                let mut got = vec![0; GREETING + early.len()];
                client.read_exact(&mut got).unwrap();
                assert!(got[GREETING..] == early);
            });
        }
    }
}

/// checklist: vcmi 99
#[test]
fn a_game_that_waits_and_leaves_is_noticed() {
    for shards in 1..=2 {
        let stage = stage(shards);
        for _ in 0..4 {
            let (host, guest) = stage.session();
            let mut gone = stage.game("server", &host);
            gone.write_all(b"early").unwrap();
            drop(gone);
            // The first client may still meet the one that is leaving, and then ends with it.
            let deadline = Instant::now() + PATIENCE;
            loop {
                assert!(Instant::now() < deadline, "never paired");
                let mut client = stage.game("client", &guest);
                let mut server = stage.game("server", &host);
                for side in [&client, &server] {
                    let wait = Some(Duration::from_millis(200));
                    side.set_read_timeout(wait).unwrap();
                }
                let mut greeting = [0; GREETING];
                if client.read_exact(&mut greeting).is_err() {
                    continue;
                }
                client.write_all(b"to whom?").unwrap();
                let mut got = [0; GREETING + 8];
                if server.read_exact(&mut got).is_ok() && got.ends_with(b"to whom?") {
                    break;
                }
            }
        }
    }
}

/// What it has sent fills what is kept for it, so nobody reads its end.
#[test]
fn a_game_that_waits_and_leaves_is_noticed_behind_all_it_has_said() {
    let stage = stage(1);
    let (host, _) = stage.session();
    let mut gone = stage.game("server", &host);
    gone.write_all(&pattern(160_000, 6)).unwrap();
    drop(gone);
    let deadline = Instant::now() + PATIENCE;
    for number in 0.. {
        assert!(Instant::now() < deadline, "never noticed");
        let mut user = stage.connect();
        let greetings = format!("\x05\x04utf8<GREETINGS>user{number}");
        say(&mut user, &greetings);
        let mut said = [0; 4096];
        let count = user.read(&mut said).unwrap();
        if said[..count].ends_with(b"currently playing 0") {
            break;
        }
        thread::sleep(Duration::from_millis(50));
    }
}

/// Two games that always have something for each other do not keep their shard from its other sockets.
#[test]
fn a_busy_relay_keeps_nobody_waiting() {
    let stage = stage(1);
    let (server, client) = stage.pair();
    let mut user = stage.sign_in("patient");
    let over = AtomicBool::new(false);
    let mut waits = Vec::new();
    thread::scope(|scope| {
        for (mut from, mut to) in [(&server, &client), (&client, &server)] {
            let over = &over;
            scope.spawn(move || {
                let block = vec![0; 1 << 20];
                while !over.load(Ordering::Relaxed) && from.write_all(&block).is_ok() {}
            });
            scope.spawn(move || {
                let mut block = vec![0; 1 << 20];
                while to.read(&mut block).is_ok_and(|count| count > 0) {}
            });
        }
        for _ in 0..41 {
            thread::sleep(Duration::from_millis(20));
            let begun = Instant::now();
            say(&mut user, "<HERE>");
            read_until(&mut user, "patient");
            waits.push(begun.elapsed());
        }
        over.store(true, Ordering::Relaxed);
        let _ = server.shutdown(Shutdown::Both); // the client's is ended by that
    });
    waits.sort_unstable();
    // A shard that looks at its sockets only when its executor makes it do so needs 80 ms.
    assert!(waits[20] < Duration::from_millis(40), "{waits:?}");
}

/// checklist: vcmi 90
#[test]
fn a_game_of_no_session_is_closed() {
    let stage = stage(2);
    for _ in 0..8 {
        let mut game = stage.game("client", "6b1f0c3e-0000-4000-8000-00000000aa55");
        assert!(ended(&mut game));
    }
}

/// checklist: vcmi 3, 5
#[test]
fn a_length_of_nothing_or_too_much_ends_the_connection() {
    let stage = stage(1);
    for head in [0, u32::MAX, (1 << 20) + 1] {
        let mut stream = stage.connect();
        stream.write_all(&head.to_le_bytes()).unwrap();
        assert!(ended(&mut stream));
    }
}

/// checklist: vcmi 11, 102
#[test]
fn messages_of_a_command_leave_in_one_write() {
    let stage = stage(2);
    for round in 0..8 {
        let mut stream = stage.connect();
        say(
            &mut stream,
            &format!("\x05\x04utf8<GREETINGS>user{round}<VER>1.4.0"),
        );
        let mut buffer = [0; 4096];
        let count = stream.read(&mut buffer).unwrap();
        let text = String::from_utf8_lossy(&buffer[..count]);
        assert!(
            text.starts_with(":>>USERS:") && text.contains("currently playing"),
            "{text}"
        );
    }
}

/// Reads a greeting, which is that of this role.
fn greeted(stream: &mut TcpStream, role: &str) {
    let mut greeting = [0; GREETING];
    stream.read_exact(&mut greeting).unwrap();
    let text = String::from_utf8_lossy(&greeting);
    assert!(text.contains(role), "{text}");
}

fn passes(from: &mut TcpStream, to: &mut TcpStream, words: &[u8]) {
    from.write_all(words).unwrap();
    let mut got = vec![0; words.len()];
    to.read_exact(&mut got).unwrap();
    assert_eq!(got, words);
}

/// checklist: vcmi 92, 97, 98
#[test]
fn as_version_0_6_2_a_game_outlives_the_other_and_meets_the_next() {
    for shards in 1..=2 {
        let stage = stage_with(shards, &["vcmi.pipes_as_0_6_2=true"]);
        // On two shards some have sides on both, and whoever stays is the one or the other.
        for round in 0..8 {
            let (host, guest) = stage.session();
            let (server, client) = (("server", &host), ("client", &guest));
            let (stays, goes) = if round % 2 == 0 {
                (server, client)
            } else {
                (client, server)
            };
            let mut first = stage.game(stays.0, stays.1);
            first.write_all(b"early").unwrap();
            // What it says is lost while it waits; after that it would go on to the other.
            thread::sleep(Duration::from_millis(200));
            let mut gone = stage.game(goes.0, goes.1);
            greeted(&mut first, stays.0);
            greeted(&mut gone, goes.0);
            passes(&mut first, &mut gone, b"to the first");
            passes(&mut gone, &mut first, b"back");
            gone.write_all(b"last").unwrap();
            drop(gone);
            let mut last = [0; 4];
            first.read_exact(&mut last).unwrap();
            assert_eq!(&last, b"last");
            // The next may come before the server knows that the one before has gone: then it waits in a pair of its own.
            thread::sleep(Duration::from_millis(200));
            first.write_all(&pattern(300_000, round)).unwrap();
            thread::sleep(Duration::from_millis(200));
            let mut next = stage.game(goes.0, goes.1);
            greeted(&mut first, stays.0);
            greeted(&mut next, goes.0);
            passes(&mut first, &mut next, b"to the next");
            passes(&mut next, &mut first, b"back again");
            drop(first);
            next.set_read_timeout(Some(Duration::from_millis(200)))
                .unwrap();
            let silent = next.read(&mut [0]).unwrap_err().kind();
            assert!(matches!(
                silent,
                ErrorKind::WouldBlock | ErrorKind::TimedOut
            ));
        }
    }
}

#[test]
fn games_that_say_nothing_for_long_are_disconnected() {
    for shards in 1..=2 {
        let stage = stage_with(shards, &["vcmi.relay_idle_s=2"]);
        let (mut server, mut client) = stage.pair();
        let (mut silent_server, mut silent_client) = stage.pair();
        let begun = Instant::now();
        // Whichever side says something, the time begins anew.
        for _ in 0..10 {
            passes(&mut server, &mut client, b"x");
            thread::sleep(Duration::from_millis(250));
            passes(&mut client, &mut server, b"x");
            thread::sleep(Duration::from_millis(250));
        }
        let late = begun.elapsed() > Duration::from_secs(2);
        assert!(late && ended(&mut silent_server) && ended(&mut silent_client));
        passes(&mut server, &mut client, b"still here");
        let last = Instant::now();
        assert!(ended(&mut server) && ended(&mut client));
        assert!(last.elapsed() >= Duration::from_millis(1_900));
    }
}

/// An orderly end of the process lets a running game go on for its time of grace, and then ends it.
#[test]
fn the_end_of_the_process_ends_games() {
    for shards in 1..=2 {
        let mut stage = stage(shards);
        let (mut server, mut client) = stage.pair();
        server.write_all(b"last").unwrap();
        stage.server.terminate().unwrap();
        let mut got = Vec::new();
        client.read_to_end(&mut got).unwrap();
        assert_eq!(got, b"last");
        assert!(ended(&mut server));
        assert_eq!(stage.server.ended(), Ok(0));
    }
}
