//! Players on several nodes do random things while nodes are lost and cut off, lanes break and the coordinator wanders; when all
//! is well again, nobody is left waiting, or believing what is not so.

use rand::{RngExt, SeedableRng, rngs::SmallRng};

use super::{
    matchmaking_walk::{frames, quick},
    nodes_support::*,
    walk::random_frames,
    *,
};
use crate::{
    faf::Metrics,
    simulator::{Lease, seeds},
};

/// Players of a walk: few, so that they meet.
const PLAYERS: u32 = 9;

/// Walks there are, unless `MUSTER_NODES_SEEDS` says how many.
const SEEDS: u64 = 300;

/// The same of those in which whoever is gone comes back.
const RETURNS: u64 = 80;

struct Walk {
    sim: Sim,
    rng: SmallRng,
    conns: Vec<ConnId>,
    seed: u64,
    /// Whoever is gone comes back on some node, and wants back into some game.
    returns: bool,
}

impl Walk {
    fn new(seed: u64, returns: bool) -> Walk {
        let shards: &[u16] = [&[1, 1, 1][..], &[2, 1, 2], &[1, 2]][seed as usize % 3];
        let mut sim = nodes_with(shards, seed, quick(), Rc::default());
        let conns = (1..PLAYERS).map(|id| {
            let node = (id % shards.len() as u32) as u8;
            player_on(&mut sim, id, node)
        });
        let conns = conns.collect();
        sim.eager = seed.is_multiple_of(2);
        // Between nodes it is written anyway; whether it is read as it was meant takes longer than all the rest.
        sim.written_mail = seed.is_multiple_of(8);
        Walk {
            sim,
            conns,
            rng: SmallRng::seed_from_u64(!seed),
            seed,
            returns,
        }
    }

    fn run(mut self) -> Walk {
        for _ in 0..250 {
            if self.returns && self.rng.random_range(0..20) == 0 {
                self.come_back();
            }
            self.step();
        }
        self.heal();
        self.check();
        self.come_to_rest();
        self
    }

    fn come_back(&mut self) {
        let (at, node) = (self.rng.random_range(0..self.conns.len()), self.node());
        let is_gone = self.sim.client(self.conns[at]).closed.is_some();
        if is_gone && self.sim.is_running(node) {
            let conn = self.sim.connect(self.sim.first_shard(node));
            self.conns[at] = conn;
            self.sim.send(conn, hello(at as u32 + 1).to_string());
            self.sim.settle();
            let uid = self.any_game(conn);
            let restore = json!({"command": "restore_game_session", "game_id": uid});
            self.sim.send(conn, restore.to_string());
        }
    }

    /// Some game that is shown where they are.
    fn any_game(&mut self, conn: ConnId) -> u32 {
        let games = self.sim.dialect_of(conn);
        let games = games.roles.directory.picture.games().map(|g| g.uid);
        let games: Vec<u32> = games.collect();
        let any = self.rng.random_range(0..games.len().max(1));
        games.get(any).copied().unwrap_or(100)
    }

    fn node(&mut self) -> u8 {
        self.sim.any_node(&mut self.rng)
    }

    fn trouble(&mut self) {
        let (node, other) = (self.node(), self.node());
        match self.rng.random_range(0..12) {
            0 => self.sim.lose(node),
            1 | 2 => self.sim.cut(node),
            3..=5 => self.back(node),
            6 | 7 if node != other => self.sim.break_lane(node, other),
            8 | 9 if self.sim.is_reachable(node) => self.sim.give_lease(Lease::Coordinator, node),
            10 => self.sim.take_lease(Lease::Coordinator),
            _ => {
                let late = [0, 20, 500, 2000][self.rng.random_range(0..4)];
                self.sim.late = Duration::from_millis(late);
            }
        }
    }

    fn back(&mut self, node: u8) {
        let was_running = self.sim.is_running(node);
        self.sim.rejoin(node);
        if !was_running {
            loaded(&mut self.sim, node);
        }
    }

    fn step(&mut self) {
        let at = self.rng.random_range(0..self.conns.len());
        match self.rng.random_range(0..60) {
            0 => self.sim.disconnect(self.conns[at]),
            1..=5 => {
                let pause = self.rng.random_range(1..2500);
                self.sim.advance(Duration::from_millis(pause));
            }
            6 => {
                let pause = self.rng.random_range(1..30);
                seconds(&mut self.sim, pause);
            }
            7 | 8 => self.trouble(),
            _ => {
                let uid = self.any_game(self.conns[at]);
                let frames = match self.rng.random_range(0..3) {
                    0 => random_frames(&mut self.rng, uid),
                    _ => frames(&mut self.rng),
                };
                // Who signs in while a node is gone is looked at elsewhere.
                let frames = frames
                    .iter()
                    .filter(|f| f["command"] != "hello" && f["command"] != "auth");
                for frame in frames {
                    self.sim.send(self.conns[at], frame.to_string());
                }
            }
        }
        for _ in 0..self.rng.random_range(0..12) {
            self.sim.step();
        }
    }

    /// Everything is well again, and has been for a while.
    fn heal(&mut self) {
        self.sim.late = Duration::ZERO;
        for node in self.sim.nodes() {
            self.back(node);
        }
        let node = self.node();
        self.sim.settle_views();
        self.sim.give_lease(Lease::Coordinator, node);
        self.sim.settle_views();
        seconds(&mut self.sim, 40);
    }

    fn coordinator(&self) -> &Coordinator {
        let holder = self
            .sim
            .standing(0)
            .leases
            .coordinator
            .expect("somebody has it");
        coordinator(&self.sim, holder.node)
    }

    fn check(&self) {
        let seed = self.seed;
        let mut introduced = 0;
        for shard in self.sim.all_shards() {
            let roles = &self.sim.dialect_on(shard).roles;
            for (session, player) in roles.sessions.table.players() {
                let state = session.state;
                let who = (player.account.id, session.conn);
                assert!(session.awaits.is_none(), "seed {seed}: {who:?} {session:?}");
                assert!(!self.sim.client(session.conn).held, "seed {seed}: {who:?}");
                let login_id = roles.sessions.login_id(session.conn).expect("signed in");
                if session.in_coordinator {
                    introduced += 1;
                    let member = self.coordinator().member(player.account.id);
                    let known = member.map(|m| (m.login_id, m.state));
                    assert_eq!(known, Some((login_id, state)), "seed {seed}");
                }
                match &session.link {
                    Some(link) => {
                        let owner = &self.sim.dialect_on(link.owner).roles.games.games;
                        let game = owner.get(&link.seat.uid);
                        assert!(
                            game.is_some_and(|g| g.has(&link.seat)),
                            "seed {seed}: {who:?} {link:?}"
                        );
                    }
                    None => assert!(
                        self.coordinator().matchmaker.agrees_with(&login_id, state),
                        "seed {seed}: {who:?} is {state:?}"
                    ),
                }
            }
            for seat in roles.games.games.values().flat_map(|game| game.seats()) {
                let sessions = &self.sim.dialect_on(seat.conn.shard).roles.sessions;
                let link = sessions
                    .table
                    .get(seat.conn)
                    .and_then(|s| s.link.as_deref());
                assert_eq!(
                    link.map(|l| (l.seat, l.owner)),
                    Some((*seat, shard)),
                    "seed {seed}"
                );
            }
        }
        assert_eq!(
            self.coordinator().members().count(),
            introduced,
            "seed {seed}"
        );
        let agrees = self.coordinator().agree_in_parts();
        assert!(agrees.is_ok(), "seed {seed}: {agrees:?}");
    }

    /// Everybody searches no more and ends their game.
    fn come_to_rest(&mut self) {
        for _ in 0..2 {
            for &conn in &self.conns {
                for queue in ["ladder1v1", "tmm2v2", "gameoptions"] {
                    let stop = json!({"command": "game_matchmaking", "queue_name": queue, "state": "stop"});
                    self.sim.send(conn, stop.to_string());
                }
                let ended = game("GameState", json!(["Ended"]));
                self.sim.send(conn, ended.to_string());
            }
            seconds(&mut self.sim, 200);
        }
        self.check();
        let seed = self.seed;
        let matchmaker = &self.coordinator().matchmaker;
        assert!(
            matchmaker.matches.is_empty(),
            "seed {seed}: {:?}",
            matchmaker.matches
        );
        assert!(matchmaker.searches.is_empty(), "seed {seed}");
        assert!(matchmaker.entries.is_empty(), "seed {seed}");
        for shard in self.sim.all_shards() {
            let roles = &self.sim.dialect_on(shard).roles;
            assert!(
                roles.games.games.is_empty(),
                "seed {seed}: {:?}",
                roles.games.games
            );
            for (session, _) in roles.sessions.table.players() {
                assert_eq!(session.state.name(), "IDLE", "seed {seed}");
            }
        }
    }
}

#[test]
fn nobody_is_left_waiting_when_all_is_well_again() {
    let total = Metrics::default();
    let seeds = seeds(SEEDS);
    let walked = seeds.end - seeds.start;
    for seed in seeds {
        let walk = Walk::new(seed, false).run();
        for shard in walk.sim.all_shards() {
            let metrics = &walk.sim.dialect_on(shard).roles.metrics;
            total
                .coordinator_terms
                .add(metrics.coordinator_terms.value());
            total.node_refusals.add(metrics.node_refusals.value());
            total.matches_found.add(metrics.matches_found.value());
            total.joins.add(metrics.joins.value());
            total
                .coordinator_unread
                .add(metrics.coordinator_unread.value());
        }
    }
    if walked < SEEDS {
        return; // one of them may do little
    }
    // A walk that does nothing proves nothing.
    let told = metrics::report(&[&total]);
    let Metrics {
        coordinator_terms,
        node_refusals,
        matches_found,
        joins,
        coordinator_unread,
        ..
    } = &total;
    assert!(
        coordinator_terms.value() > SEEDS / 2 && node_refusals.value() > SEEDS / 4,
        "{told}"
    );
    assert!(
        matches_found.value() > SEEDS / 8 && joins.value() > SEEDS / 8,
        "{told}"
    );
    assert_eq!(coordinator_unread.value(), 0);
}

#[test]
fn whoever_comes_back_is_in_one_game_that_has_them() {
    let total = Metrics::default();
    let seeds = seeds(RETURNS);
    let walked = seeds.end - seeds.start;
    for seed in seeds {
        let walk = Walk::new(seed, true).run();
        for shard in walk.sim.all_shards() {
            let metrics = &walk.sim.dialect_on(shard).roles.metrics;
            total.games_taken_over.add(metrics.games_taken_over.value());
            total.games_given_up.add(metrics.games_given_up.value());
        }
    }
    if walked < RETURNS {
        return; // one of them may do little
    }
    let told = metrics::report(&[&total]);
    let Metrics {
        games_taken_over,
        games_given_up,
        ..
    } = &total;
    assert!(games_taken_over.value() > RETURNS / 20, "{told}");
    assert!(games_given_up.value() > 0, "{told}");
}
