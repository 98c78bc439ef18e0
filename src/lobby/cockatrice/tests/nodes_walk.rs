//! Users of several nodes sign in, talk, play and go at random while nodes are lost and cut off, lanes break and mail is late; when
//! all is well again everybody knows the same, and nobody is left waiting. What clients were told is what they would be told if
//! they asked.

use rand::{RngExt, SeedableRng, rngs::StdRng};

use super::{nodes_support::*, *};
use crate::{cockatrice::Metrics, simulator::seeds};

/// Walks there are, unless `MUSTER_NODES_SEEDS` says how many.
const SEEDS: u64 = 600;
/// Walks beyond those that have found something.
const FOUND: [u64; 1] = [831];

/// Few, so that they meet; most have accounts where there are any.
const NAMES: [&str; 6] = [
    "alicea", "bobbyb", "vipvera", "judgejim", "guestone", "rootuser",
];

struct Walk {
    sim: Sim,
    rng: StdRng,
    /// With what each of them has been told.
    conns: Vec<(ConnId, Seen)>,
    seed: u64,
    step: u64,
}

impl Walk {
    fn new(seed: u64) -> Walk {
        let nodes: &[u16] = [&[1, 1, 1][..], &[2, 1, 2], &[1, 2]][seed as usize % 3];
        let settings = [patient, with_password, with_accounts][seed as usize / 3 % 3]();
        let mut sim = nodes_with(nodes, seed, settings);
        sim.eager = seed.is_multiple_of(2);
        // Between nodes it is written anyway; whether it is read as it was meant takes longer than all the rest.
        sim.written_mail = seed.is_multiple_of(8);
        Walk {
            sim,
            rng: StdRng::seed_from_u64(!seed),
            conns: Vec::new(),
            seed,
            step: 0,
        }
    }

    fn node(&mut self) -> u8 {
        self.sim.any_node(&mut self.rng)
    }

    fn trouble(&mut self) {
        let (node, other) = (self.node(), self.node());
        match self.rng.random_range(0..12) {
            0 => self.sim.lose(node),
            1 | 2 => self.sim.cut(node),
            3..=5 => self.sim.rejoin(node),
            6 | 7 if node != other => self.sim.break_lane(node, other),
            _ => {
                let late = [0, 20, 500, 2000][self.rng.random_range(0..4)];
                self.sim.late = Duration::from_millis(late);
            }
        }
    }

    fn newcomer(&mut self) {
        let node = self.node();
        if !self.sim.is_running(node) {
            return;
        }
        let shards = self.sim.shards_of(node).count() as u16;
        let shard = self.sim.first_shard(node) + self.rng.random_range(0..shards);
        let name = NAMES[self.rng.random_range(0..NAMES.len())];
        let conn = self.sim.connect(shard);
        self.sim.send(conn, Vec::new());
        let list = SessionCommandBody::ListUsers(Default::default());
        for message in [
            session(1, sign_in(name)),
            session(2, list),
            session(3, join(0)),
        ] {
            self.sim.send(conn, message);
        }
        self.conns.push((conn, Seen::default()));
    }

    fn command(&mut self) -> Vec<u8> {
        self.step += 1;
        let id = self.step + 10;
        let games = self.sim.all_shards().into_iter();
        let games = games.flat_map(|shard| self.sim.dialect_on(shard).tables.keys());
        let games: Vec<u32> = games.copied().collect();
        let any = self.rng.random_range(0..=games.len());
        let number = games.get(any).copied().unwrap_or(7);
        match self.rng.random_range(0..12) {
            0 => room(id, 0, create(2)),
            1 | 2 => room(id, 0, enter(number as i32, false)),
            3 => room(id, 0, enter(number as i32, true)),
            4 => room(id, 0, RoomCommandBody::LeaveRoom(Default::default())),
            5 | 6 => session(id, join(0)),
            7 => {
                let leave = GameCommandBody::LeaveGame(Default::default());
                game(id, number, vec![leave])
            }
            8 => game(id, number, vec![deck()]),
            9 => {
                let name = NAMES[self.rng.random_range(0..NAMES.len())];
                let look = cockatrice::messages::CommandGetGamesOfUser {
                    user_name: Some(name.into()),
                };
                session(id, SessionCommandBody::GetGamesOfUser(look))
            }
            10 => {
                let name = NAMES[self.rng.random_range(0..NAMES.len())];
                let said = cockatrice::messages::CommandMessage {
                    user_name: Some(name.into()),
                    message: Some("x".into()),
                };
                session(id, SessionCommandBody::Message(said))
            }
            _ => room(id, 0, say("x")),
        }
    }

    fn walk(&mut self) {
        match self.rng.random_range(0..40) {
            0..=3 => self.newcomer(),
            4 if !self.conns.is_empty() => {
                let at = self.rng.random_range(0..self.conns.len());
                let (conn, _) = self.conns.swap_remove(at);
                self.sim.disconnect(conn);
            }
            5..=9 => {
                let pause = self.rng.random_range(1..2500);
                self.sim.advance(Duration::from_millis(pause));
            }
            10 => {
                let pause = self.rng.random_range(1..25);
                seconds(&mut self.sim, pause);
            }
            11 | 12 => self.trouble(),
            _ if !self.conns.is_empty() => {
                let at = self.rng.random_range(0..self.conns.len());
                let command = self.command();
                self.sim.send(self.conns[at].0, command);
            }
            _ => {}
        }
        for _ in 0..self.rng.random_range(0..12) {
            self.sim.step();
        }
    }

    /// Everything is well again, and has been for a while.
    fn heal(&mut self) {
        self.sim.late = Duration::ZERO;
        for node in self.sim.nodes() {
            self.sim.rejoin(node);
        }
        self.sim.settle_views();
        seconds(&mut self.sim, 30);
        self.sim.settle();
    }

    fn check(&mut self) {
        let note = format!("seed {}", self.seed);
        check(&self.sim, &note);
        let mut conns = std::mem::take(&mut self.conns);
        conns.retain(|(conn, _)| self.sim.client(*conn).closed.is_none());
        for (conn, seen) in &mut conns {
            seen.take(&mut self.sim, *conn);
            seen.check(&self.sim, *conn, &note);
        }
        self.conns = conns;
    }

    fn leave(&mut self) {
        for (conn, _) in std::mem::take(&mut self.conns) {
            self.sim.disconnect(conn);
        }
        self.sim.settle();
        // Games whose players may come back wait for them.
        seconds(&mut self.sim, 140);
        let seed = self.seed;
        check(&self.sim, &format!("seed {seed}, at the end"));
        for shard in self.sim.all_shards() {
            let lobby = self.sim.dialect_on(shard);
            assert!(lobby.sessions.is_empty(), "seed {seed}");
            assert!(lobby.directory.users.is_empty(), "seed {seed}");
            assert!(lobby.tables.is_empty(), "seed {seed}");
            let behind = &lobby.registry.left_behind;
            assert!(behind.is_empty(), "seed {seed}: {behind:?}");
        }
    }
}

#[test]
fn everybody_knows_the_same_when_all_is_well_again() {
    let total = Metrics::default();
    let seeds = seeds(SEEDS);
    let walked = seeds.end - seeds.start;
    let found = FOUND.into_iter().filter(|_| walked == SEEDS);
    for seed in seeds.chain(found) {
        let mut walk = Walk::new(seed);
        for _ in 0..300 {
            walk.walk();
        }
        walk.heal();
        walk.check();
        for shard in walk.sim.all_shards() {
            let metrics = &walk.sim.dialect_on(shard).metrics;
            total.logins.add(metrics.logins.value());
            total.replaced.add(metrics.replaced.value());
            total.games.add(metrics.games.value());
            total.games_lost.add(metrics.games_lost.value());
            total.node_refusals.add(metrics.node_refusals.value());
        }
        walk.leave();
    }
    if walked < SEEDS {
        return; // one of them may do little
    }
    // A walk that does nothing proves nothing.
    let told = metrics::report(&[&total]);
    assert!(total.logins.value() > SEEDS * 10, "{told}");
    assert!(
        total.games.value() > SEEDS && total.games_lost.value() > SEEDS / 4,
        "{told}"
    );
    assert!(
        total.node_refusals.value() > SEEDS && total.replaced.value() > SEEDS / 2,
        "{told}"
    );
}
