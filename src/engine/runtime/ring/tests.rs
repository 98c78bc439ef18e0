//! The ring on the kernel's sockets: what it tells, what becomes of a batch, and what is left when it fails.

use std::{
    io::{Read, Write},
    os::unix::net::UnixStream,
};

use super::*;

const KEY: Key = Key {
    slot: 3,
    generation: 7,
};
const PATIENCE: Option<Duration> = Some(Duration::from_secs(60));

fn ring() -> Ring {
    Ring::new(Instant::now()).expect("io_uring is allowed")
}

/// Both ends of a connection, the first as a shard has it.
fn pair() -> (OwnedFd, UnixStream) {
    let (ours, theirs) = UnixStream::pair().expect("a pair");
    theirs.set_nonblocking(true).expect("sets");
    (ours.into(), theirs)
}

fn wait(ring: &mut Ring, until: Option<Duration>, events: &mut Vec<Event>) -> Waited {
    let now = ring.now();
    ring.wait(now, until, &[], events).expect("there is a ring")
}

fn events(ring: &mut Ring, until: Option<Duration>) -> Vec<What> {
    let mut events = Vec::new();
    let waited = wait(ring, until, &mut events);
    assert!(!waited.renewed, "nothing has failed");
    assert!(events.iter().all(|event| event.key == KEY && !event.over));
    events.into_iter().map(|event| event.what).collect()
}

/// The kernel refuses whatever the ring asks from now on: its descriptor is another file's.
fn sabotage(ring: &Ring) {
    let file = std::fs::File::open("/dev/null").expect("there is one");
    let fd = ring.ring.as_ref().expect("a ring").as_raw_fd();
    // SAFETY: both descriptors are open; the ring's own stays valid, though useless, until the ring closes it.
    assert!(unsafe { libc::dup2(file.as_raw_fd(), fd) } >= 0);
}

#[test]
fn a_watched_socket_tells_what_is_there_what_comes_and_the_end() {
    let (mut ring, (ours, mut theirs)) = (ring(), pair());
    let [there, end] = [false, true].map(|to_end| What::Readable { to_end });
    theirs.write_all(b"before").expect("writes");
    ring.watch(KEY, &ours);
    assert_eq!(events(&mut ring, PATIENCE), [there]);
    let mut buffer = [0; 100];
    assert_eq!(ring.receive(&ours, &mut buffer).expect("bytes"), 6);
    let nothing = ring.receive(&ours, &mut buffer).expect_err("nothing");
    assert_eq!(nothing.kind(), io::ErrorKind::WouldBlock);
    assert_eq!(events(&mut ring, Some(Duration::ZERO)), []);
    theirs.write_all(b"after").expect("writes");
    assert_eq!(events(&mut ring, PATIENCE), [there]);
    drop(theirs);
    assert_eq!(events(&mut ring, PATIENCE), [end]);
    ring.forget(KEY, false);
    drop(ours);
    assert_eq!(events(&mut ring, Some(Duration::ZERO)), []);
}

/// A poll that is about to tell of something was not to be removed, and kept the socket open for good: a half-closed
/// connection stayed as it was, and the peer never saw its end.
#[test]
fn a_socket_that_something_has_just_happened_to_is_let_go() {
    let (mut ring, (ours, mut theirs)) = (ring(), pair());
    ring.watch(KEY, &ours);
    assert_eq!(events(&mut ring, Some(Duration::ZERO)), []);
    theirs
        .write_all(b"noticed, and not taken yet")
        .expect("writes");
    ring.forget(KEY, false);
    drop(ours);
    let ended = |theirs: &mut UnixStream| match theirs.read(&mut [0; 8]) {
        Ok(count) => count == 0,
        Err(error) => error.kind() == io::ErrorKind::ConnectionReset,
    };
    let mut told = Vec::new();
    let closed = (0..100).any(|_| {
        wait(&mut ring, Some(Duration::ZERO), &mut told);
        ended(&mut theirs)
    });
    assert!(closed, "the ring keeps the socket open");
}

#[test]
fn a_full_socket_tells_when_it_takes_more() {
    let (mut ring, (ours, mut theirs)) = (ring(), pair());
    let much = vec![7; 1 << 20];
    let taken = ring.send(&ours, &[IoSlice::new(&much)]).expect("some");
    assert!((1..much.len()).contains(&taken));
    ring.await_writable(KEY, &ours);
    assert_eq!(events(&mut ring, Some(Duration::ZERO)), []);
    let mut read = vec![0; taken];
    theirs.read_exact(&mut read).expect("all of it");
    assert_eq!(events(&mut ring, PATIENCE), [What::Writable]);
}

#[test]
fn a_batch_larger_than_the_ring_says_what_became_of_each() {
    let mut ring = ring();
    let much = vec![1; 8 << 20];
    let pairs: Vec<_> = (0..2 * BATCH + 10).map(|_| pair()).collect();
    for (slot, (ours, _)) in pairs.iter().enumerate() {
        let generation = 0;
        let slot = slot as u32;
        ring.watch(Key { slot, generation }, ours);
    }
    // One takes only a part, one has lost its peer.
    let (partly, broken) = (5, BATCH + 1);
    pairs[broken]
        .1
        .shutdown(std::net::Shutdown::Both)
        .expect("shuts");
    let jobs = pairs.iter().enumerate().map(|(slot, (ours, _))| Job {
        slot: slot as u32,
        socket: ours.as_raw_fd(),
        bytes: if slot == partly { &much[..] } else { b"news" },
    });
    let jobs: Vec<_> = jobs.collect();
    let mut unfinished = Vec::new();
    let written = ring.send_all(&jobs, &mut unfinished);
    let [part, error] = &unfinished[..] else {
        panic!("{unfinished:?}");
    };
    assert_eq!((part.job, error.job), (partly, broken));
    let some = *part.outcome.as_ref().expect("some was taken");
    assert!((1..much.len()).contains(&some));
    assert!(error.outcome.is_err());
    assert_eq!(written as usize, (pairs.len() - 2) * 4 + some);
    for (slot, (_, theirs)) in pairs.iter().enumerate() {
        if slot != partly && slot != broken {
            let (mut theirs, mut read) = (theirs, [0; 100]);
            assert_eq!(theirs.read(&mut read).expect("its bytes"), 4);
        }
    }
}

#[test]
fn a_wait_ends_in_time_whatever_was_waited_for_before() {
    let mut ring = ring();
    let ms = Duration::from_millis;
    let later = ring.now() + ms(60_000);
    let mut wait_for = |time| {
        let (begun, at) = (ring.now(), ring.now() + time);
        while ring.now() < at {
            assert_eq!(events(&mut ring, Some(at)), []);
        }
        assert!(ring.now() - begun < ms(30_000), "waited too long");
        ring.timeouts.len()
    };
    // Each is over before the one that was set before it, or as soon as it.
    assert_eq!(
        [wait_for(ms(20)), wait_for(ms(5)), wait_for(ms(10))],
        [0; 3]
    );
    ring.wake_at(later);
    ring.wake_at(later + ms(5));
    let soon = ring.now() + ms(5);
    while ring.now() < soon {
        assert_eq!(events(&mut ring, Some(soon)), []);
    }
    assert_eq!(ring.timeouts, [later]);
}

#[test]
fn the_bell_ends_a_wait_each_time() {
    let mut ring = ring();
    let bell = ring.bell().expect("a descriptor");
    for _ in 0..3 {
        assert_eq!(events(&mut ring, Some(Duration::ZERO)), []);
        let bell = bell.share().expect("a descriptor");
        let begun = Instant::now();
        let ringing = std::thread::spawn(move || bell.ring());
        assert_eq!(events(&mut ring, PATIENCE), []);
        assert!(
            begun.elapsed() < Duration::from_secs(30),
            "nobody was woken"
        );
        ringing.join().expect("no panic");
    }
}

// What was queued and not taken when a call failed pointed into buffers that were freed, and went out with the next.
#[test]
fn a_failed_call_left_sends_of_freed_memory_in_the_queue() {
    let (mut ring, (ours, mut theirs)) = (ring(), pair());
    ring.watch(KEY, &ours);
    sabotage(&ring);
    let secret = vec![b's'; 64];
    let mut unfinished = Vec::new();
    assert_eq!(
        ring.send_all(&[job(KEY.slot, &ours, &secret)], &mut unfinished),
        0
    );
    assert!(matches!(
        &unfinished[..],
        [Unfinished {
            job: 0,
            outcome: Err(_)
        }]
    ));
    drop(secret);
    let waited = wait(&mut ring, PATIENCE, &mut Vec::new());
    assert!(waited.renewed, "all must be asked for anew");
    ring.watch(KEY, &ours);
    unfinished.clear();
    assert_eq!(
        ring.send_all(&[job(KEY.slot, &ours, b"hello")], &mut unfinished),
        5
    );
    assert!(unfinished.is_empty());
    let mut read = [0; 100];
    assert_eq!(theirs.read(&mut read).expect("the second"), 5);
    assert_eq!(&read[..5], b"hello");
    theirs.write_all(b"x").expect("writes");
    assert_eq!(
        events(&mut ring, PATIENCE),
        [What::Readable { to_end: false }]
    );
}

// What was asked for after the failure and before the shard knew of it was asked for twice, and forgotten once: the
// poll that was left kept the socket open for ever.
#[test]
fn a_socket_that_was_watched_while_the_ring_failed_was_never_closed() {
    let (mut ring, (ours, mut theirs)) = (ring(), pair());
    theirs.write_all(b"x").expect("writes");
    ring.watch(KEY, &ours);
    ring.give_up(&io::Error::other("for the test"));
    ring.watch(KEY, &ours);
    ring.await_writable(KEY, &ours);
    let mut told = Vec::new();
    assert!(wait(&mut ring, PATIENCE, &mut told).renewed);
    assert_eq!(told, []);
    ring.watch(KEY, &ours);
    let there = What::Readable { to_end: false };
    assert_eq!(events(&mut ring, PATIENCE), [there]);
    assert_eq!(ring.receive(&ours, &mut [0; 9]).expect("a byte"), 1);
    ring.forget(KEY, false);
    drop(ours);
    let soon = ring.now() + Duration::from_millis(20);
    assert_eq!(events(&mut ring, Some(soon)), []);
    // The kernel takes the old ring down in its own time.
    theirs.set_nonblocking(false).expect("sets");
    theirs.set_read_timeout(PATIENCE).expect("sets");
    let end = theirs.read_to_end(&mut Vec::new());
    assert!(matches!(end, Ok(0)), "{end:?}");
}

// The new ring knew none of the files by which the sends named their sockets: all of them failed.
#[test]
fn batches_after_a_ring_had_failed_ended_their_connections() {
    let (mut ring, (ours, mut theirs)) = (ring(), pair());
    ring.watch(KEY, &ours);
    ring.give_up(&io::Error::other("for the test"));
    let mut unfinished = Vec::new();
    let jobs = [job(KEY.slot, &ours, b"hello")];
    assert_eq!(ring.send_all(&jobs, &mut unfinished), 5, "{unfinished:?}");
    let mut heard = [0; 9];
    assert_eq!(theirs.read(&mut heard).expect("the words"), 5);
}

/// The slot of a connection that is not registered.
const UNREGISTERED: u32 = u32::MAX;

fn job<'a>(slot: u32, socket: &OwnedFd, bytes: &'a [u8]) -> Job<'a, RawFd> {
    Job {
        slot,
        socket: socket.as_raw_fd(),
        bytes,
    }
}

fn wait_sending(ring: &mut Ring, jobs: &[Job<'_, RawFd>], events: &mut Vec<Event>) -> Waited {
    let now = ring.now();
    let until = Some(now + Duration::from_secs(60));
    ring.wait(now, until, jobs, events)
        .expect("there is a ring")
}

#[test]
fn what_is_sent_with_a_wait_leaves_before_the_sleep() {
    let (mut ring, (ours, theirs)) = (ring(), pair());
    ring.watch(KEY, &ours);
    let answering = std::thread::spawn(move || {
        let mut theirs = theirs;
        theirs.set_nonblocking(false).expect("sets");
        let mut read = [0; 5];
        theirs.read_exact(&mut read).expect("the words");
        theirs.write_all(&read).expect("writes");
        theirs
    });
    let mut told = Vec::new();
    let begun = Instant::now();
    while told.is_empty() {
        let first = begun.elapsed() < Duration::from_secs(30);
        assert!(first, "nobody answered");
        let jobs = [job(UNREGISTERED, &ours, b"hello")];
        let waited = wait_sending(&mut ring, &jobs, &mut told);
        assert_eq!((waited.written, waited.unfinished.len()), (5, 0));
    }
    assert_eq!(told[0].what, What::Readable { to_end: false });
    drop(answering.join().expect("no panic"));
}

#[test]
fn what_a_wait_could_not_send_whole_keeps_it_from_sleeping() {
    let mut ring = ring();
    let (whole, partly, full, broken) = (pair(), pair(), pair(), pair());
    let much = vec![b'm'; 1 << 20];
    let taken = ring.send(&full.0, &[IoSlice::new(&much)]).expect("some");
    assert!(taken < much.len());
    broken.1.shutdown(std::net::Shutdown::Both).expect("shuts");
    let mut written = 4;
    for (ours, bytes, expected) in [
        (&partly.0, &much[..], "part"),
        (&full.0, b"news", "later"),
        (&broken.0, b"news", "error"),
    ] {
        let jobs = [
            job(UNREGISTERED, &whole.0, b"news"),
            job(UNREGISTERED, ours, bytes),
        ];
        let begun = Instant::now();
        let waited = wait_sending(&mut ring, &jobs, &mut Vec::new());
        assert!(begun.elapsed() < Duration::from_secs(30), "it slept");
        let [one] = &waited.unfinished[..] else {
            panic!("{:?}", waited.unfinished);
        };
        assert_eq!(one.job, 1);
        let told = match &one.outcome {
            Ok(count) if (1..bytes.len()).contains(count) => {
                written += *count as u64;
                "part"
            }
            Ok(_) => "nothing",
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => "later",
            Err(_) => "error",
        };
        assert_eq!((told, waited.written), (expected, written));
        written = 4;
    }
    let mut heard = [0; 100];
    let mut theirs = &whole.1;
    assert_eq!(theirs.read(&mut heard).expect("its bytes"), 12);
}

// Nothing of what was to leave with a wait may be left in a queue when its bytes are gone.
#[test]
fn a_ring_that_fails_in_a_wait_sends_nothing_later() {
    let (mut ring, (ours, mut theirs)) = (ring(), pair());
    ring.watch(KEY, &ours);
    sabotage(&ring);
    let secret = vec![b's'; 64];
    let jobs = [job(UNREGISTERED, &ours, &secret)];
    let waited = wait_sending(&mut ring, &jobs, &mut Vec::new());
    assert!(waited.renewed && waited.written == 0);
    assert!(matches!(
        &waited.unfinished[..],
        [Unfinished {
            job: 0,
            outcome: Err(_)
        }]
    ));
    drop(secret);
    let jobs = [job(UNREGISTERED, &ours, b"hello")];
    let now = ring.now();
    let waited = ring.wait(now, Some(now), &jobs, &mut Vec::new());
    assert_eq!(waited.expect("there is a ring").written, 5);
    let mut read = [0; 100];
    assert_eq!(theirs.read(&mut read).expect("the second"), 5);
    assert_eq!(&read[..5], b"hello");
}
