//! Another process goes on with the lobby: no client can tell.

use bytes::Bytes;
use rand::{Rng, RngExt, SeedableRng, rngs::SmallRng};

use super::{
    matchmaking_walk::{frames, quick},
    walk::{party_frames, random_frames},
    *,
};
use crate::{Closing, Keep, ShardId, faf::kept::Kept, kept};

/// Everything that a client got, and how its connection ended.
type Seen = Vec<(ConnId, Vec<Bytes>, Option<Closing>)>;

/// Players of a walk: few, so that they meet.
const PLAYERS: u32 = 10;

/// Random players, and what they see.
struct Walk {
    sim: Sim,
    rng: SmallRng,
    conns: Vec<ConnId>,
    seen: Seen,
}

impl Walk {
    fn new(shards: u16, seed: u64) -> Walk {
        let mut sim = simulator(shards, seed, quick());
        sim.eager = seed.is_multiple_of(2);
        let conns = (1..PLAYERS).map(|id| {
            let conn = sim.connect(id as u16 % shards);
            sim.send(conn, hello(id).to_string());
            conn
        });
        Walk {
            conns: conns.collect(),
            sim,
            rng: SmallRng::seed_from_u64(!seed),
            seen: Vec::new(),
        }
    }

    /// Somebody does something, or time passes.
    fn step(&mut self) {
        let at = self.rng.random_range(0..self.conns.len());
        match self.rng.random_range(0..60) {
            0 => self.sim.disconnect(self.conns[at]),
            1 => self.sim.resync(self.conns[at]),
            2..=5 => {
                let pause = self.rng.random_range(1..5000);
                self.sim.advance(Duration::from_millis(pause));
            }
            6 => {
                let pause = self.rng.random_range(1..90);
                self.sim.advance(Duration::from_secs(pause));
            }
            7..=10 => self.sim.settle(),
            _ => {
                let uid = self.rng.random_range(100..120);
                let frames = match self.rng.random_range(0..4) {
                    0 => random_frames(&mut self.rng, uid),
                    1 => party_frames(&mut self.rng, uid),
                    _ => frames(&mut self.rng),
                };
                for frame in frames {
                    self.sim.send(self.conns[at], frame.to_string());
                }
            }
        }
        for _ in 0..self.rng.random_range(0..12) {
            self.sim.step();
        }
        self.look();
        if self.sim.client(self.conns[at]).closed.is_some() {
            let shard = self.rng.random_range(0..self.sim.shards());
            let id = self.rng.random_range(1..PLAYERS);
            self.conns[at] = self.sim.connect(shard);
            self.sim.send(self.conns[at], hello(id).to_string());
        }
    }

    /// Takes down what everybody got.
    fn look(&mut self) {
        for &conn in &self.conns {
            let got = self.sim.take_raw(conn);
            self.seen.push((conn, got, self.sim.client(conn).closed));
        }
    }
}

fn hand_over(sim: &mut Sim) {
    let (shards, settings) = (sim.shards(), Arc::new(quick()));
    sim.hand_over(|shard| Faf::new(shard, shards, settings.clone()));
    let reference = Arc::new(reference());
    for shard in 0..shards {
        sim.tell(shard, News::Reference(reference.clone()));
    }
}

/// What was seen, what was published, and how often another process went on.
fn seen(shards: u16, seed: u64, hands_over: bool) -> (Seen, String, usize) {
    let mut walk = Walk::new(shards, seed);
    let mut chance = SmallRng::seed_from_u64(seed);
    let mut times = 0;
    for _ in 0..300 {
        walk.step();
        if hands_over && walk.sim.is_quiet() && chance.random_bool(0.3) {
            hand_over(&mut walk.sim);
            times += 1;
        }
    }
    walk.sim.settle();
    if hands_over {
        hand_over(&mut walk.sim);
    }
    walk.conns.push(walk.sim.connect(0));
    let newcomer = walk.conns[walk.conns.len() - 1];
    walk.sim.send(newcomer, hello(PLAYERS).to_string());
    walk.sim.advance(Duration::from_secs(20));
    walk.look();
    let published = format!("{:?}", walk.sim.published);
    (walk.seen, published, times)
}

#[test]
fn no_client_can_tell_that_another_process_went_on() {
    let (mut times, mut launched) = (0, 0);
    for seed in 0..20 {
        for shards in 1..=3 {
            let (without, told_without, _) = seen(shards, seed, false);
            let (with, told, often) = seen(shards, seed, true);
            let differ = with.iter().zip(&without).find(|(a, b)| a != b);
            assert_eq!(differ, None, "seed {seed} on {shards}");
            assert_eq!(with.len(), without.len(), "seed {seed} on {shards}");
            assert!(told == told_without, "seed {seed} on {shards}");
            times += often;
            let got = with.iter().flat_map(|(_, got, _)| got);
            launched += got.filter(|body| is_launch(body)).count();
        }
    }
    assert!(times > 500, "only {times} times");
    assert!(launched > 100, "only {launched} games were launched");
}

fn is_launch(body: &Bytes) -> bool {
    body.starts_with(br#"{"command":"game_launch""#)
}

/// State after a walk, as each shard keeps it.
fn kept_by_all(shards: u16, seed: u64) -> Vec<Kept> {
    let mut walk = Walk::new(shards, seed);
    for _ in 0..200 {
        walk.step();
    }
    walk.sim.settle();
    (0..shards).map(|s| walk.sim.dialect(s).keep()).collect()
}

/// The checksum says whether the bytes are those that were written, not whether who wrote them was right.
#[test]
fn no_state_whatever_makes_a_revived_shard_panic() {
    let (shards, mut rng) = (2, SmallRng::seed_from_u64(2));
    let settings = Arc::new(quick());
    let mut refused = 0;
    for (shard, kept) in ShardId::of_node(0, shards).zip(kept_by_all(shards, 1)) {
        let bytes = rmp_serde::to_vec_named(&kept).unwrap();
        for _ in 0..1_000 {
            let mut other = bytes.clone();
            for _ in 0..rng.random_range(1..4) {
                let at = rng.random_range(0..other.len());
                other[at] = rng.next_u32() as u8;
            }
            let mut faf = Faf::new(shard, shards, settings.clone());
            let read = wire::messagepack::from_slice(&other).map_err(|_| ());
            let revived = read.and_then(|kept| faf.revive(kept).map_err(|_| ()));
            refused += usize::from(revived.is_err());
        }
        let damaged = &mut kept::encode(&kept)[..];
        damaged[9] ^= 1;
        assert!(kept::decode::<Kept>(damaged).is_err());
    }
    assert!(refused > 100, "{refused}");
}

/// What one role has of another is looked up before anything goes on from it.
#[test]
fn state_in_which_roles_contradict_each_other_is_refused_with_a_reason() {
    type Damage = fn(&mut Kept);
    fn first_game(kept: &mut Kept) -> &mut crate::faf::game::state::Game {
        kept.games.games.get_mut(&101).expect("the game")
    }
    fn link(kept: &mut Kept) -> &mut crate::faf::session::table::Link {
        let session = kept.sessions.table.iter_mut().next().expect("a session");
        session.link.as_deref_mut().expect("in the game")
    }
    let damages: [(&str, Damage); 12] = [
        ("a player is in no game", |kept| {
            first_game(kept).members.clear()
        }),
        ("a player has somebody else's seat", |kept| {
            link(kept).seat.player_id += 1
        }),
        ("a game is on no shard", |kept| {
            link(kept).owner = ShardId::new(0, 9)
        }),
        ("a seat is nobody's", |kept| {
            kept.sessions
                .table
                .iter_mut()
                .for_each(|session| session.link = None);
        }),
        ("a seat is taken twice", |kept| {
            let game = first_game(kept);
            game.waiting.push(game.members[0].seat);
        }),
        ("a seat is in another game", |kept| {
            first_game(kept).members[0].seat.uid += 1
        }),
        ("a game has two numbers", |kept| first_game(kept).uid += 1),
        ("a game is shown that is not here", |kept| {
            first_game(kept).removed = true
        }),
        ("a player is shown who is not here", |kept| {
            kept.sessions.table.iter_mut().for_each(|session| {
                if let Some(player) = &mut session.player {
                    player.epoch += 1;
                }
            });
        }),
        ("a player has no claim", |kept| {
            kept.registry = Default::default()
        }),
        ("a player is no member", |kept| {
            kept.coordinator = Default::default()
        }),
        ("a queue has other players", |kept| {
            kept.coordinator.matchmaker.queues[0].players += 1;
        }),
    ];
    let mut sim = simulator(1, 1, quick());
    let host = player(&mut sim, 1, 0);
    let guest = player(&mut sim, 2, 0);
    let uid = hosted(&mut sim, host, json!({}));
    assert_eq!(uid, 101);
    joined(&mut sim, guest, uid);
    let alone = player(&mut sim, 3, 0);
    say(
        &mut sim,
        alone,
        json!({"command": "game_matchmaking", "state": "start"}),
    );
    tick(&mut sim);
    let here = ShardId::new(0, 0);
    let revive = |kept: Kept| Faf::new(here, 1, Arc::new(quick())).revive(kept);
    assert_eq!(revive(sim.dialect(0).keep()), Ok(()));
    for (reason, damage) in damages {
        let mut kept = sim.dialect(0).keep();
        damage(&mut kept);
        assert_eq!(revive(kept), Err(kept::Damaged::Contradiction(reason)));
    }
    // State of another shard.
    let elsewhere =
        Faf::new(ShardId::new(0, 1), 2, Arc::new(quick())).revive(sim.dialect(0).keep());
    assert!(elsewhere.is_err());
}
