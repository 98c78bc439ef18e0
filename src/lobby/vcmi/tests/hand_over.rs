//! Another process goes on with the lobby: no client can tell.

use bytes::Bytes;
use rand::{Rng, RngExt, SeedableRng, rngs::SmallRng};

use super::{walk::packet, *};
use crate::{Closing, Keep, ShardId, kept, vcmi::kept::Kept};

/// Everything that a client got, and how its connection ended.
type Seen = Vec<(ConnId, Vec<Bytes>, Option<Closing>)>;

struct Hall {
    sim: Sim,
    rng: SmallRng,
    conns: Vec<ConnId>,
    /// Which games are to come, as their launchers were told.
    games: Vec<(&'static str, String)>,
    seen: Seen,
}

impl Hall {
    fn new(shards: u16, seed: u64) -> Hall {
        let mut sim = simulator(shards, seed, SETTINGS);
        sim.eager = seed.is_multiple_of(2);
        Hall {
            sim,
            rng: SmallRng::seed_from_u64(seed),
            conns: Vec::new(),
            games: Vec::new(),
            seen: Vec::new(),
        }
    }

    /// Somebody does something.
    fn step(&mut self) {
        let fresh = self.conns.is_empty() || self.rng.random_bool(0.1);
        if fresh {
            let conn = connect(&mut self.sim);
            self.conns.push(conn);
            let name = NAMES[self.rng.random_range(0..NAMES.len())];
            let version = self.rng.random_range(1..6);
            self.sim.send(conn, greeting(version, name));
        }
        if !self.games.is_empty() && self.rng.random_bool(0.3) {
            let game = self.rng.random_range(0..self.games.len());
            let (role, uuid) = self.games.swap_remove(game);
            let conn = connect(&mut self.sim);
            self.conns.push(conn);
            for frame in ["Aiya!\n", &format!("VCMI 1.4.0 ({role})"), &uuid, "\x01"] {
                self.sim.send(conn, frame);
            }
        }
        let conn = self.conns[self.rng.random_range(0..self.conns.len())];
        match self.rng.random_range(0..40) {
            0 => self.sim.disconnect(conn),
            1 => self.sim.resync(conn),
            2 => self.sim.advance(AWHILE),
            3 => self.sim.send(conn, "\x05\x07latin-1<GREETINGS>Zo\u{eb}"),
            _ => self.sim.send(conn, packet(&mut self.rng)),
        }
        for _ in 0..self.rng.random_range(0..8) {
            self.sim.step();
        }
        self.look();
    }

    /// Takes down what everybody got.
    fn look(&mut self) {
        for &conn in &self.conns {
            let got: Vec<Bytes> = self.sim.take_raw(conn);
            for bytes in &got {
                let words: Vec<&[u8]> = bytes.split(|&b| b == b':').collect();
                for pair in words.windows(2) {
                    let role = match pair[0] {
                        b">>HOST" => "server",
                        b">>START" => "client",
                        _ => continue,
                    };
                    let uuid = String::from_utf8_lossy(pair[1]).into_owned();
                    self.games.push((role, uuid));
                }
            }
            let closed = self.sim.client(conn).closed;
            self.seen.push((conn, got, closed));
        }
        let sim = &self.sim;
        self.conns.retain(|&conn| sim.client(conn).closed.is_none());
    }
}

const NAMES: [&str; 4] = ["alice", "bobby", "carol", "david"];
/// Long enough for some timers to fire.
const AWHILE: std::time::Duration = std::time::Duration::from_secs(7);
const SETTINGS: Settings = Settings {
    capacity: None,
    handshake: std::time::Duration::from_secs(20),
    session_idle: std::time::Duration::from_secs(30),
    sessions: 5,
    rooms_per_address: Some(16),
    name_chars: 32,
    room_name_chars: 64,
    chat_bytes: 128 << 10,
    commands_per_second: Some(50),
    health: Some(std::time::Duration::from_secs(10)),
    caused_bytes_per_second: Some(32 << 10),
    relay_idle: None,
    pipes_as_0_6_2: false,
    list_interval: std::time::Duration::from_secs(1),
};

fn hand_over(sim: &mut Sim) {
    let (shards, settings) = (sim.shards(), Arc::new(SETTINGS));
    sim.hand_over(|shard| Vcmi::new(shard, shards, settings.clone()));
}

/// What was seen, and how often another process went on.
fn seen(shards: u16, seed: u64, hands_over: bool) -> (Seen, usize) {
    let mut hall = Hall::new(shards, seed);
    let mut chance = SmallRng::seed_from_u64(!seed);
    let mut times = 0;
    for _ in 0..250 {
        hall.step();
        if hands_over && hall.sim.is_quiet() && chance.random_bool(0.1) {
            hand_over(&mut hall.sim);
            times += 1;
        }
    }
    hall.sim.settle();
    if hands_over {
        hand_over(&mut hall.sim);
    }
    for conn in hall.conns.clone() {
        hall.sim.send(conn, "<HERE><ROOT>");
    }
    hall.sim.advance(AWHILE);
    hall.look();
    (hall.seen, times)
}

#[test]
fn no_client_can_tell_that_another_process_went_on() {
    let (mut times, mut joined) = (0, 0);
    for seed in 0..40 {
        for shards in 1..=3 {
            let (without, _) = seen(shards, seed, false);
            let (with, often) = seen(shards, seed, true);
            let differ = with.iter().zip(&without).find(|(a, b)| a != b);
            assert_eq!(differ, None, "seed {seed} on {shards}");
            assert_eq!(with.len(), without.len(), "seed {seed} on {shards}");
            times += often;
            joined += usize::from(with.iter().any(|(_, got, _)| is_relayed(got)));
        }
    }
    assert!(times > 500, "only {times} times");
    assert!(joined > 20, "games met in {joined} walks only");
}

/// A game is sent what the other one said.
fn is_relayed(got: &[Bytes]) -> bool {
    got.iter()
        .any(|bytes| bytes.starts_with(b"\x06\0\0\0Aiya!"))
}

/// State after a walk, as each shard keeps it.
fn kept_by_all(shards: u16, seed: u64) -> Vec<Kept> {
    let mut hall = Hall::new(shards, seed);
    for _ in 0..150 {
        hall.step();
    }
    hall.sim.settle();
    (0..shards).map(|s| hall.sim.dialect(s).keep()).collect()
}

#[test]
fn state_that_is_not_as_it_was_is_refused() {
    let (shards, mut rng) = (2, SmallRng::seed_from_u64(1));
    for kept in kept_by_all(shards, 1) {
        let bytes = kept::encode(&kept);
        assert!(kept::decode::<Kept>(&bytes).is_ok());
        for _ in 0..2_000 {
            let mut other = bytes.clone();
            let at = rng.random_range(0..other.len());
            other[at] ^= rng.random_range(1..=255);
            assert!(kept::decode::<Kept>(&other).is_err(), "byte {at}");
        }
    }
}

/// The checksum says whether the bytes are those that were written, not whether who wrote them was right.
#[test]
fn no_state_whatever_makes_a_shard_panic() {
    let (shards, mut rng) = (2, SmallRng::seed_from_u64(2));
    let (mut refused, mut taken) = (0, 0);
    for seed in 0..4 {
        let all = kept_by_all(shards, seed);
        for (shard, kept) in ShardId::of_node(0, shards).zip(all) {
            let bytes = rmp_serde::to_vec_named(&kept).unwrap();
            for _ in 0..6_000 {
                let mut other = bytes.clone();
                for _ in 0..rng.random_range(1..4) {
                    let at = rng.random_range(0..other.len());
                    other[at] = rng.next_u32() as u8;
                }
                let Ok(kept) = wire::messagepack::from_slice(&other) else {
                    continue;
                };
                let mut vcmi = Vcmi::new(shard, shards, Arc::new(SETTINGS));
                match vcmi.revive(kept) {
                    Ok(()) => taken += 1,
                    Err(_) => refused += 1,
                }
            }
        }
    }
    assert!(refused > 100 && taken > 100, "{refused} and {taken}");
}
