//! Random users who do everything that there is to do: nobody is left stuck and the books agree.

use std::{cell::RefCell, rc::Rc};

use rand::{RngExt, SeedableRng, rngs::SmallRng};

use super::*;
use crate::vcmi::consistency;

const NAMES: [&str; 6] = ["alice", "bobby", "carol", "david", "erika", "frank"];
const ROOMS: [&str; 2] = ["room one", "room two"];

pub(super) fn packet(rng: &mut SmallRng) -> Vec<u8> {
    let (name, room) = (NAMES[rng.random_range(0..6)], ROOMS[rng.random_range(0..2)]);
    let number = rng.random_range(0..10);
    match rng.random_range(0..16) {
        0 | 1 => greeting(rng.random_range(1..6), name),
        2 | 3 => format!("<NEW>{room}<PSWD><COUNT>{number}<MODS>a&{number}").into(),
        4 | 5 => format!("<JOIN>{room}<PSWD><MODS>b&1").into(),
        6 => format!("<JOIN>{room}").into(),
        7 => "<PSWD>x".into(),
        8 | 9 => format!("<READY>{room}").into(),
        10 => format!("<LEAVE>{room}").into(),
        11 => format!("<KICK>{name}").into(),
        12 => format!("<FORCESTART>{room}").into(),
        13 => "<CHANNEL>room<MSG>hello".into(),
        14 => (0..rng.random_range(0..40)).map(|_| rng.random()).collect(),
        _ => "<HERE><HOSTMODE>1<MSG>x".into(),
    }
}

#[test]
fn random_users_leave_a_lobby_whose_books_agree() {
    for seed in 0..60 {
        for shards in 1..=3 {
            walk(simulator(shards, seed, Settings::default()), seed);
        }
    }
}

/// The same seed gives the same effects, whatever maps have been made in the process before.
#[test]
fn a_walk_can_be_taken_twice() {
    let effects = |seed| {
        let effects = Rc::new(RefCell::new(Vec::new()));
        let mut sim = simulator(3, seed, Settings::default());
        let seen = effects.clone();
        sim.observer = Some(Box::new(move |shard, effect| {
            seen.borrow_mut().push(format!("{shard:?} {effect:?}"));
        }));
        walk(sim, seed);
        effects.take()
    };
    for seed in 0..5 {
        let first = effects(seed);
        assert!(first.len() > 300, "only {} effects", first.len());
        assert!(first == effects(seed), "seed {seed}");
    }
}

fn walk(mut sim: Sim, seed: u64) {
    sim.eager = seed.is_multiple_of(2);
    let mut rng = SmallRng::seed_from_u64(seed);
    let mut conns = Vec::new();
    for step in 0..300 {
        if conns.is_empty() || rng.random_bool(0.1) {
            let conn = connect(&mut sim);
            sim.send(conn, greeting(5, NAMES[rng.random_range(0..6)]));
            conns.push(conn);
        }
        let conn = conns[rng.random_range(0..conns.len())];
        if rng.random_bool(0.03) {
            sim.disconnect(conn);
        } else {
            sim.send(conn, packet(&mut rng));
        }
        for _ in 0..rng.random_range(0..6) {
            sim.step();
        }
        if step % 25 == 0 {
            sim.settle();
            consistency::check(&sim);
            for &conn in &conns {
                assert!(!sim.client(conn).held || sim.client(conn).closed.is_some());
                heard(&mut sim, conn);
            }
        }
        conns.retain(|&conn| sim.client(conn).closed.is_none());
    }
    for conn in conns {
        sim.disconnect(conn);
    }
    sim.settle();
    consistency::check(&sim);
    consistency::check_nobody(&sim);
}
