//! Whose an account is, on several nodes.

use super::{
    nodes::{nodes, rejoin},
    *,
};
use crate::{Dialect, faf::consistency};

const SECOND: Duration = Duration::from_secs(1);
const ELSEWHERE: &str = "You have been signed out because you signed in elsewhere.";

fn is_in(sim: &Sim, conn: ConnId) -> bool {
    sim.client(conn).closed.is_none() && sim.dialect_of(conn).name_of(conn).is_some()
}

fn sign_in(sim: &mut Sim, id: u32, shard: u16) -> ConnId {
    let conn = sim.connect(shard);
    sim.send(conn, hello(id).to_string());
    conn
}

/// A player whose home is on this node.
fn at_home(sim: &Sim, node: u8) -> u32 {
    let topology = &sim.dialect(0).roles.topology;
    let mut ids = 1..90;
    ids.find(|&id| topology.home(id).node() == node)
        .expect("some have")
}

#[test]
fn one_account_on_three_nodes_at_once_stays_once() {
    for seed in 0..100 {
        let mut sim = nodes(&[1, 2, 1], seed);
        (sim.eager, sim.late) = (false, 2 * SECOND);
        let conns = [0, 1, 3].map(|shard| sign_in(&mut sim, 7, shard));
        sim.advance(12 * SECOND);
        let stay = conns.iter().filter(|&&conn| is_in(&sim, conn)).count();
        assert_eq!(stay, 1, "seed {seed}");
        let out = conns.into_iter().filter(|&conn| !is_in(&sim, conn));
        for conn in out.collect::<Vec<_>>() {
            let messages = sim.take(conn);
            assert!(
                texts(&messages).contains(&ELSEWHERE),
                "seed {seed}: {messages:?}"
            );
        }
        consistency::nodes::check(&sim, seed);
    }
}

#[test]
fn the_newest_stays_whichever_node_it_is_on() {
    let mut sim = nodes(&[1, 1, 2], 1);
    let mut last: Option<ConnId> = None;
    for shard in [0, 1, 2, 3, 0, 2] {
        let conn = sign_in(&mut sim, 7, shard);
        sim.advance(SECOND);
        assert!(is_in(&sim, conn));
        assert!(last.is_none_or(|last| !is_in(&sim, last)));
        last = Some(conn);
    }
    consistency::nodes::check(&sim, 1);
}

#[test]
fn homes_that_move_keep_their_players() {
    let mut sim = nodes(&[1, 2, 1], 1);
    let conns: Vec<_> = (1..60)
        .map(|id| sign_in(&mut sim, id, id as u16 % 3))
        .collect();
    sim.advance(SECOND);
    sim.lose(2);
    sim.advance(15 * SECOND);
    consistency::nodes::check(&sim, 1);
    rejoin(&mut sim, 2);
    sim.advance(15 * SECOND);
    consistency::nodes::check(&sim, 1);
    // The new homes know who is there.
    let again: Vec<_> = (1..60).map(|id| sign_in(&mut sim, id, 3)).collect();
    sim.advance(SECOND);
    assert!(conns.iter().all(|&conn| !is_in(&sim, conn)));
    assert!(again.iter().all(|&conn| is_in(&sim, conn)));
    consistency::nodes::check(&sim, 1);
}

/// A node whose slot's lock may be another's gives no numbers out; the others still sign in at their homes there, and so does
/// whoever is on it.
#[test]
fn a_node_without_its_slot_is_a_home_like_any() {
    let mut sim = nodes(&[1, 1], 1);
    let id = at_home(&sim, 1);
    let known = crate::Standing::clone(sim.standing(1));
    let without_slot = crate::Standing {
        is_island: true,
        leases: Default::default(),
        ..known.clone()
    };
    sim.believe(1, without_slot);
    let elsewhere = sign_in(&mut sim, id, 0);
    sim.advance(SECOND);
    assert!(is_in(&sim, elsewhere));
    let there = sign_in(&mut sim, id, 1);
    sim.advance(SECOND);
    assert!(is_in(&sim, there) && !is_in(&sim, elsewhere));
    sim.believe(1, known);
    sim.advance(SECOND);
    consistency::nodes::check(&sim, 1);
}

#[test]
fn a_sign_in_waits_for_a_home_that_is_lost_until_there_is_another() {
    let mut sim = nodes(&[1, 1], 1);
    let id = at_home(&sim, 1);
    sim.lose(1);
    let conn = sign_in(&mut sim, id, 0);
    sim.advance(SECOND);
    assert!(!is_in(&sim, conn) && sim.client(conn).closed.is_none());
    sim.advance(3 * SECOND);
    assert!(is_in(&sim, conn));
}

#[test]
fn a_sign_in_that_nobody_answers_ends_and_is_told_to_come_again() {
    let mut sim = nodes(&[1, 1], 1);
    let id = at_home(&sim, 1);
    // The home's node acts on another view for ever.
    let mut wrong = (**sim.standing(1)).clone();
    let view = Arc::make_mut(&mut wrong.view);
    view.number += 1000;
    sim.believe(1, wrong);
    sim.settle();
    let conn = sign_in(&mut sim, id, 0);
    sim.advance(Duration::from_millis(4_900));
    assert!(!is_in(&sim, conn) && sim.client(conn).closed.is_none());
    sim.advance(Duration::from_millis(400));
    assert!(sim.client(conn).closed.is_some());
    let told = sim.take(conn);
    let text = "Unable to connect to database. Please try again later.";
    assert_eq!(texts(&told), [text]);
    assert_eq!(sim.dialect(0).roles.metrics.claims_unanswered.value(), 1);
}

#[test]
fn an_island_lets_people_in_and_the_newest_sign_in_stays_when_it_is_back() {
    let mut sim = nodes(&[1, 2, 1], 1);
    let (early, other) = (sign_in(&mut sim, 7, 0), sign_in(&mut sim, 8, 1));
    sim.advance(SECOND);
    sim.cut(1);
    sim.advance(4 * SECOND);
    assert!(
        is_in(&sim, early) && is_in(&sim, other),
        "nobody is sent away"
    );
    // 7 signs in on the island; 8 and 9 on both sides, first here and then there.
    let island = [7, 9].map(|id| sign_in(&mut sim, id, 2));
    sim.advance(2 * SECOND);
    assert!(island.iter().all(|&conn| is_in(&sim, conn)));
    let main = [8, 9].map(|id| sign_in(&mut sim, id, 3));
    sim.advance(2 * SECOND);
    assert!(main.iter().all(|&conn| is_in(&sim, conn)));
    rejoin(&mut sim, 1);
    sim.advance(2 * SECOND);
    assert!(is_in(&sim, island[0]) && !is_in(&sim, early));
    assert!(main.iter().all(|&conn| is_in(&sim, conn)));
    assert!(!is_in(&sim, island[1]) && !is_in(&sim, other));
    sim.advance(15 * SECOND);
    consistency::nodes::check(&sim, 1);
}

#[test]
fn what_a_broken_lane_has_lost_is_said_again() {
    for seed in 0..50 {
        let mut sim = nodes(&[1, 2], seed);
        (sim.eager, sim.late) = (false, SECOND);
        let conns: Vec<_> = (1..20)
            .map(|id| sign_in(&mut sim, id, id as u16 % 3))
            .collect();
        for _ in 0..40 {
            sim.step();
        }
        for &conn in &conns[..5] {
            sim.disconnect(conn);
        }
        let again: Vec<_> = (3..9).map(|id| sign_in(&mut sim, id, 2)).collect();
        sim.advance(Duration::from_millis(100));
        sim.break_lane(seed as u8 % 2, (seed as u8 + 1) % 2);
        sim.advance(15 * SECOND);
        assert!(again.iter().filter(|&&conn| is_in(&sim, conn)).count() >= 2);
        consistency::nodes::check(&sim, seed);
    }
}
