//! People come, go, sign in twice and host on nodes that are cut off, lost and back, with lanes that break and mail that is late;
//! afterwards everything must fit together, and nobody has waited for long.

use std::collections::BTreeMap;

use rand::{RngExt, SeedableRng, rngs::SmallRng};

use super::{
    nodes::{Watcher, nodes, rejoin},
    *,
};
use crate::{
    Dialect,
    faf::{Metrics, consistency},
    simulator::seeds,
};

const SHARDS: [u16; 3] = [2, 1, 2];
const NODES: u8 = SHARDS.len() as u8;
/// Nobody is held for longer, whatever happens.
const LONGEST: Duration = Duration::from_secs(6);
/// No letter is later than that.
const LATEST: Duration = Duration::from_secs(2);
/// Time in which what was lost is given up, and everything late has come.
const QUIET: Duration = Duration::from_secs(25);
/// Walks there are, unless `MUSTER_NODES_SEEDS` says how many.
const SEEDS: u64 = 800;
/// Walks beyond those that have found something.
const FOUND: [u64; 4] = [1122, 1246, 1493, 1977];

struct Walk {
    sim: Sim,
    rng: SmallRng,
    seed: u64,
    conns: Vec<ConnId>,
    watchers: BTreeMap<ConnId, Watcher>,
}

#[test]
fn nodes_come_to_rest() {
    let total = Metrics::default();
    let seeds = seeds(SEEDS);
    let walked = seeds.end - seeds.start;
    let found = FOUND.into_iter().filter(|_| walked == SEEDS);
    for seed in seeds.chain(found) {
        let sim = Walk::new(seed).run();
        for shard in 0..sim.shards() {
            let metrics = &sim.dialect(shard).roles.metrics;
            total.evictions.add(metrics.evictions.value());
            total.games_hosted.add(metrics.games_hosted.value());
            total
                .claims_unanswered
                .add(metrics.claims_unanswered.value());
            total
                .ticks_not_awaited
                .add(metrics.ticks_not_awaited.value());
        }
    }
    if walked < SEEDS {
        return; // one of them may do little
    }
    // A walk that does nothing proves nothing.
    let told = metrics::report(&[&total]);
    assert!(total.evictions.value() > walked, "{told}");
    assert!(total.games_hosted.value() > walked, "{told}");
    assert!(total.ticks_not_awaited.value() > walked, "{told}");
}

impl Walk {
    fn new(seed: u64) -> Self {
        let mut sim = nodes(&SHARDS, seed);
        sim.eager = seed.is_multiple_of(3);
        if !seed.is_multiple_of(4) {
            sim.late = Duration::from_millis(20 << (seed % 7)).min(LATEST);
        }
        // Between nodes it is written anyway; whether it is read as it was meant takes longer than all the rest.
        sim.written_mail = seed.is_multiple_of(8);
        Walk {
            sim,
            rng: SmallRng::seed_from_u64(!seed),
            seed,
            conns: Vec::new(),
            watchers: BTreeMap::new(),
        }
    }

    fn run(mut self) -> Sim {
        for step in 0..150 {
            if step % 40 == 0 {
                self.watch(step);
            }
            self.act();
            for _ in 0..self.rng.random_range(0..15) {
                self.sim.step();
            }
            self.look();
        }
        self.come_to_rest();
        self.sim
    }

    fn act(&mut self) {
        let node = self.rng.random_range(0..NODES);
        let time = Duration::from_millis(self.rng.random_range(1..400));
        match self.rng.random_range(0..40) {
            0..14 => self.sign_in(),
            14..18 => {
                if let Some(conn) = self.any() {
                    self.sim.disconnect(conn);
                }
            }
            18..22 => self.say(json!({"command": "game_host", "visibility": "public"})),
            22..24 => self.open_game(),
            24..26 => self.say(game("GameState", json!(["Ended"]))),
            26 => self.say(hello(self.seed as u32 % 9 + 1)),
            27..31 => self.pass(time),
            31 => self.pass(10 * time),
            32 => self.sim.cut(node),
            33 => self.lose(node),
            34..37 => rejoin(&mut self.sim, node),
            37 => self.sim.break_lane(node, (node + 1) % NODES),
            38 => self.sim.settle_views(),
            _ => self.sim.settle(),
        }
    }

    /// Somebody on a shard that is there.
    fn connect(&mut self) -> Option<ConnId> {
        let shard = self.rng.random_range(0..self.sim.shards());
        let node = self.sim.id(shard).node();
        self.sim.is_running(node).then(|| self.sim.connect(shard))
    }

    fn sign_in(&mut self) {
        if let Some(conn) = self.connect() {
            let id = self.rng.random_range(1..14);
            self.sim.send(conn, hello(id).to_string());
            self.conns.push(conn);
        }
    }

    /// Somebody who does nothing but listen.
    fn watch(&mut self, step: u32) {
        if let Some(conn) = self.connect() {
            self.sim.send(conn, hello(20 + step / 40).to_string());
            self.watchers.insert(conn, Watcher::default());
        }
    }

    fn lose(&mut self, node: u8) {
        let running = (0..NODES).filter(|&node| self.sim.is_running(node));
        if running.count() > 1 {
            self.sim.lose(node);
        }
    }

    fn any(&mut self) -> Option<ConnId> {
        let at = self.rng.random_range(0..self.conns.len().max(1));
        self.conns.get(at).copied()
    }

    fn say(&mut self, message: Value) {
        if let Some(conn) = self.any() {
            self.sim.send(conn, message.to_string());
        }
    }

    /// A host's game is there. Its `Idle` alone is not announced, and who watches would not know what newcomers see.
    fn open_game(&mut self) {
        if let Some(conn) = self.any() {
            for state in ["Idle", "Lobby"] {
                let message = game("GameState", json!([state]));
                self.sim.send(conn, message.to_string());
            }
        }
    }

    fn pass(&mut self, time: Duration) {
        let until = self.sim.now() + time;
        while self.sim.now() < until {
            let left = until - self.sim.now();
            self.sim.advance(left.min(Duration::from_millis(500)));
            self.look();
        }
    }

    /// Watchers listen, and nobody is held for long.
    fn look(&mut self) {
        let Walk {
            sim,
            watchers,
            conns,
            seed,
            ..
        } = self;
        for (&conn, watcher) in watchers {
            watcher.hear(&sim.take(conn));
        }
        for &conn in conns.iter() {
            let client = sim.client(conn);
            let since = sim.now() - client.held_since;
            let is_held = client.held && client.closed.is_none();
            assert!(
                !is_held || since <= LONGEST,
                "seed {seed}: {conn:?} is held"
            );
        }
    }

    fn come_to_rest(&mut self) {
        for node in 0..NODES {
            rejoin(&mut self.sim, node);
        }
        self.pass(Duration::from_secs(2));
        self.sim.settle_views();
        self.pass(QUIET);
        self.sim.late = Duration::ZERO;
        self.pass(LATEST);
        self.sim.settle();
        self.look();
        let Walk {
            sim,
            watchers,
            conns,
            seed,
            ..
        } = self;
        consistency::nodes::check(sim, *seed);
        let shown = Watcher::shown(sim.dialect(0));
        let there = |sim: &Sim, conn| sim.dialect_of(conn).name_of(conn).is_some();
        for (&conn, watcher) in watchers.iter().filter(|(c, _)| there(sim, **c)) {
            let online = [&watcher.players, &shown.players].map(|all| all.keys());
            assert!(
                online[0].clone().eq(online[1].clone()),
                "seed {seed}, {conn:?}: {online:?}"
            );
            assert_eq!(watcher.players, shown.players, "seed {seed}, {conn:?}");
            assert_eq!(watcher.games, shown.games, "seed {seed}, {conn:?}");
        }
        for &conn in conns.iter().chain(watchers.keys()) {
            sim.disconnect(conn);
        }
        sim.advance(Duration::from_secs(6));
        consistency::nodes::check(sim, *seed);
        consistency::check_nobody(sim, *seed);
    }
}
