//! What everybody sees of everybody, on several nodes.

use super::{
    nodes::{Watcher, nodes, rejoin},
    *,
};
use crate::{
    Dialect, ShardId,
    faf::{
        consistency,
        mail::directory::{Changes, DirectoryMail, PlayerUpdate},
        protocol::player_info,
    },
};

const SECOND: Duration = Duration::from_secs(1);

/// A client who listens.
struct Listener {
    conn: ConnId,
    watcher: Watcher,
}

fn listener(sim: &mut Sim, id: u32, shard: u16) -> Listener {
    let conn = sim.connect(shard);
    sim.send(conn, hello(id).to_string());
    sim.settle();
    let watcher = Watcher::default();
    Listener { conn, watcher }
}

impl Listener {
    /// Everybody who is believed to be online, by now.
    fn online(&mut self, sim: &mut Sim) -> Vec<u32> {
        self.watcher.hear(&sim.take(self.conn));
        self.watcher.players.keys().copied().collect()
    }

    fn games(&mut self, sim: &mut Sim) -> Vec<u32> {
        self.watcher.hear(&sim.take(self.conn));
        self.watcher.games.keys().copied().collect()
    }
}

/// Of a player, as a shard of another node tells shard 0 of it.
struct Claim {
    id: u32,
    conn: ConnId,
    epoch: u64,
}

impl Claim {
    fn of(id: u32, node: u8, epoch: u64) -> Claim {
        let conn = ConnId {
            shard: ShardId::new(node, 0),
            slot: 99,
            generation: 0,
        };
        Claim { id, conn, epoch }
    }

    fn tells(&self, sim: &mut Sim, mail: DirectoryMail) {
        let from = self.conn.shard;
        sim.with(0, |faf, turn| faf.on_mail(turn, from, mail.into()));
    }

    fn changes(&self, sim: &mut Sim, online: bool) {
        let text = player_info::offline(&self.text());
        let update = PlayerUpdate {
            id: self.id,
            epoch: self.epoch,
            online,
            text: if online { self.text() } else { text },
        };
        let changes = Changes {
            tick: 0,
            players: vec![update],
            games: Vec::new(),
            queues: None,
            continues: false,
        };
        self.tells(sim, DirectoryMail::Dirty(Box::new(changes)));
    }

    fn text(&self) -> bytes::Bytes {
        format!(r#"{{"id":{},"login":"x","ratings":{{}}}}"#, self.id).into()
    }

    fn comes(&self, sim: &mut Sim) {
        let &Claim { id, conn, epoch } = self;
        let text = self.text();
        let here = DirectoryMail::PlayerHere {
            id,
            conn,
            epoch,
            text,
        };
        self.tells(sim, here);
        self.changes(sim, true);
    }

    fn goes(&self, sim: &mut Sim) {
        let &Claim { id, epoch, .. } = self;
        self.tells(sim, DirectoryMail::PlayerGone { id, epoch });
        self.changes(sim, false);
    }
}

fn sign_in(sim: &mut Sim, id: u32, shard: u16) -> ConnId {
    let conn = sim.connect(shard);
    sim.send(conn, hello(id).to_string());
    sim.settle();
    conn
}

#[test]
fn everybody_sees_everybody_within_a_tick() {
    let mut sim = nodes(&[1, 2, 1], 1);
    let mut watchers = [(41, 0), (42, 2), (43, 3)].map(|(id, shard)| listener(&mut sim, id, shard));
    let conns = [1, 2, 3].map(|id| sign_in(&mut sim, id, id as u16));
    tick(&mut sim);
    for watcher in &mut watchers {
        assert_eq!(watcher.online(&mut sim), [1, 2, 3, 41, 42, 43]);
    }
    sim.disconnect(conns[1]);
    let uid = hosted(&mut sim, conns[0], json!({}));
    tick(&mut sim);
    for watcher in &mut watchers {
        assert_eq!(watcher.online(&mut sim), [1, 3, 41, 42, 43]);
        assert_eq!(watcher.games(&mut sim), [uid]);
    }
    state(&mut sim, conns[0], "Ended");
    tick(&mut sim);
    for watcher in &mut watchers {
        assert!(watcher.games(&mut sim).is_empty());
    }
}

#[test]
fn a_newcomer_gets_everything_once_and_nobody_is_told_twice() {
    let mut sim = nodes(&[1, 2], 1);
    sim.lose(1);
    sim.advance(15 * SECOND);
    let host = sign_in(&mut sim, 1, 0);
    let uid = hosted(&mut sim, host, json!({"title": "x".repeat(100)}));
    for id in 2..60 {
        sign_in(&mut sim, id, 0);
    }
    let mut watcher = listener(&mut sim, 70, 0);
    tick(&mut sim);
    watcher.online(&mut sim);
    rejoin(&mut sim, 1);
    tick(&mut sim);
    sim.advance(SECOND);
    consistency::nodes::check(&sim, 1);
    let news = sim.take(watcher.conn);
    assert!(
        commands(&news).iter().all(|&command| command == "ping"),
        "{news:?}"
    );
    let mut late = listener(&mut sim, 71, 2);
    assert_eq!(late.online(&mut sim).len(), 61);
    assert_eq!(late.games(&mut sim), [uid]);
}

#[test]
fn who_is_lost_with_a_node_and_comes_back_in_time_was_never_gone() {
    let mut sim = nodes(&[1, 2, 1], 1);
    let mut watchers = [(41, 0), (43, 3)].map(|(id, shard)| listener(&mut sim, id, shard));
    let hosts = [1, 2, 3].map(|id| sign_in(&mut sim, id, 1 + id as u16 % 2));
    let lobby = hosted(&mut sim, hosts[0], json!({}));
    let running = hosted(&mut sim, hosts[1], json!({}));
    configure(&mut sim, hosts[1], 2, 1, 2);
    state(&mut sim, hosts[1], "Launching");
    tick(&mut sim);
    sim.lose(1);
    sim.advance(8 * SECOND);
    for watcher in &mut watchers {
        assert_eq!(watcher.online(&mut sim), [1, 2, 3, 41, 43]);
        assert_eq!(watcher.games(&mut sim), [lobby, running]);
    }
    sign_in(&mut sim, 1, 0);
    // A newcomer sees those who may still come back.
    assert_eq!(
        listener(&mut sim, 44, 3).online(&mut sim),
        [1, 2, 3, 41, 43, 44]
    );
    sim.advance(6 * SECOND);
    for watcher in &mut watchers {
        assert_eq!(watcher.online(&mut sim), [1, 41, 43, 44]);
        assert_eq!(watcher.watcher.gone, [2, 3]);
        assert_eq!(watcher.games(&mut sim), [running]);
    }
    sim.advance(6 * SECOND);
    let taken_over = watchers[0].games(&mut sim);
    assert_eq!(taken_over, [running], "its players may still come back");
    sim.advance(12 * SECOND);
    assert!(watchers[0].games(&mut sim).is_empty());
    consistency::nodes::check(&sim, 1);
}

/// A player had been let in on two sides. The larger claim was lost with its node, and the smaller one took its place and is over, all
/// within a tick in which the larger one was news.
#[test]
fn who_is_gone_is_told_of_whichever_of_their_claims_was_larger() {
    let mut sim = nodes(&[1, 1, 1], 1);
    let mut watcher = listener(&mut sim, 41, 0);
    tick(&mut sim);
    let half = 1_500_000_000 - sim.unix().subsec_nanos();
    sim.advance(Duration::from_nanos(half.into()));
    sim.lose(1);
    sim.advance(2 * SECOND - Duration::from_millis(1));
    let claims = [(1, 9 << 32), (2, 8 << 32)].map(|(node, epoch)| Claim::of(7, node, epoch));
    claims[0].comes(&mut sim);
    sim.advance(Duration::from_millis(2));
    claims[1].comes(&mut sim);
    claims[1].goes(&mut sim);
    tick(&mut sim);
    assert!(!watcher.online(&mut sim).contains(&7));
}

#[test]
fn an_island_shows_what_it_knew_and_its_people_are_never_gone_if_it_is_back_in_time() {
    let mut sim = nodes(&[1, 2, 1], 1);
    let mut watchers = [(41, 0), (42, 1), (43, 3)].map(|(id, shard)| listener(&mut sim, id, shard));
    let there = sign_in(&mut sim, 1, 2);
    tick(&mut sim);
    sim.cut(1);
    sim.advance(4 * SECOND);
    let (here, new) = (sign_in(&mut sim, 2, 0), sign_in(&mut sim, 3, 2));
    tick(&mut sim);
    assert_eq!(watchers[0].online(&mut sim), [1, 2, 41, 42, 43]);
    assert_eq!(watchers[1].online(&mut sim), [1, 3, 41, 42, 43]);
    sim.disconnect(there);
    sim.advance(2 * SECOND);
    rejoin(&mut sim, 1);
    sim.advance(2 * SECOND);
    for watcher in &mut watchers[..2] {
        let online = watcher.online(&mut sim);
        assert!(
            [2, 3, 41, 42, 43].iter().all(|id| online.contains(id)),
            "{online:?}"
        );
    }
    sim.advance(20 * SECOND);
    for watcher in &mut watchers {
        assert_eq!(watcher.online(&mut sim), [2, 3, 41, 42, 43]);
        assert_eq!(watcher.watcher.gone, [1]);
    }
    assert!(
        [here, new]
            .iter()
            .all(|&conn| sim.client(conn).closed.is_none())
    );
    consistency::nodes::check(&sim, 1);
}

#[test]
fn what_was_lost_on_a_broken_lane_is_shown_again() {
    for seed in 0..30 {
        let mut sim = nodes(&[1, 2], seed);
        (sim.eager, sim.late) = (false, SECOND);
        let mut watchers = [(41, 0), (42, 1), (43, 2)].map(|(id, s)| listener(&mut sim, id, s));
        let conns: Vec<_> = (1..12)
            .map(|id| sign_in(&mut sim, id, id as u16 % 3))
            .collect();
        sim.advance(2 * SECOND);
        for &conn in &conns[..6] {
            sim.disconnect(conn);
        }
        let host = sign_in(&mut sim, 20, 2);
        sim.advance(Duration::from_millis(seed * 60));
        sim.break_lane(0, 1);
        sim.advance(Duration::from_millis(seed * 10));
        sim.break_lane(1, 0);
        sim.advance(6 * SECOND);
        let uid = hosted(&mut sim, host, json!({}));
        sim.advance(3 * SECOND);
        sim.break_lane(1, 0);
        sim.advance(6 * SECOND);
        consistency::nodes::check(&sim, seed);
        for watcher in &mut watchers {
            let expected = Watcher::shown(sim.dialect(0));
            watcher.online(&mut sim);
            assert_eq!(watcher.watcher.players, expected.players, "seed {seed}");
            assert_eq!(watcher.games(&mut sim), [uid], "seed {seed}");
        }
    }
}

/// Something that must not happen: a shard has missed something and nobody has noticed.
#[test]
fn a_picture_that_is_wrong_is_found_and_mended() {
    let mut sim = nodes(&[1, 2], 1);
    for id in 1..9 {
        sign_in(&mut sim, id, id as u16 % 3);
    }
    let mut watcher = listener(&mut sim, 43, 2);
    sim.advance(30 * SECOND);
    let repairs = |sim: &Sim| {
        let shards = (0..3).map(|shard| sim.dialect(shard));
        shards
            .map(|faf| faf.roles.metrics.shown_again.value())
            .sum::<u64>()
    };
    assert_eq!(repairs(&sim), 0, "nothing was wrong");
    watcher.online(&mut sim);
    sim.with(2, |faf, _| {
        let picture = &mut faf.roles.directory.picture;
        let (epoch, conn) = picture.player(3).map(|p| (p.epoch, p.conn)).expect("there");
        picture.player_gone(3, epoch);
        let text = picture.text_of(6).expect("there");
        picture.player_here(88, conn, epoch, text);
    });
    sim.advance(15 * SECOND);
    consistency::nodes::check(&sim, 1);
    assert!(repairs(&sim) >= 1);
    assert!(watcher.online(&mut sim).contains(&3));
}

#[test]
fn ticks_wait_a_moment_for_other_nodes_and_no_longer() {
    let mut sim = nodes(&[1, 1], 1);
    let mut watcher = listener(&mut sim, 41, 0);
    tick(&mut sim);
    watcher.online(&mut sim);
    let next = 1_000_000 - sim.unix().subsec_micros();
    sim.advance(Duration::from_micros(u64::from(next)) - Duration::from_millis(1));
    sim.lose(1); // and nobody has noticed
    sign_in(&mut sim, 1, 0);
    sim.take(watcher.conn);
    sim.advance(Duration::from_millis(35));
    assert!(!watcher.online(&mut sim).contains(&1));
    sim.advance(Duration::from_millis(10));
    assert!(watcher.online(&mut sim).contains(&1));
    assert!(sim.dialect(0).roles.metrics.ticks_not_awaited.value() > 0);
    // Once it is out it is not waited for any more.
    sim.advance(3 * SECOND);
    let late = sim.dialect(0).roles.metrics.ticks_not_awaited.value();
    sim.advance(3 * SECOND);
    assert_eq!(sim.dialect(0).roles.metrics.ticks_not_awaited.value(), late);
}
