//! Several real nodes, one lobby: what holds while they are well, and what must hold when a part of it dies.
//!
//! Needs `MUSTER_TEST_MYSQL` and the program `nats-server`: `tests/with-mariadb tests/with-nats cargo test --test cluster`.
//! Between each node and both servers stands a proxy that can cut, stall and slow down the line. Players on all nodes
//! write down all that they hear; `checker` decides from that. Nothing sleeps and hopes: what is waited for shows in a
//! metric, in what players hear, or in the database. One test at a time has nodes, since nodes go by time.
//!
//! How long something took is printed (`-- --nocapture`).

mod bus;
mod cards;
#[allow(dead_code, reason = "it can more than is wanted here")]
#[path = "../cockatrice/client.rs"]
mod cards_client;
mod checker;
mod client;
mod database;
mod game;
mod hall;
mod lobby;
mod losses;
mod manual;
mod nats;
mod node;
mod operator;
mod split;
mod strangers;
#[path = "../support/mod.rs"]
mod support;
mod together;

use std::{
    thread,
    time::{Duration, Instant},
};

/// Generous: a loaded machine must not fail a test.
const PATIENCE: Duration = Duration::from_secs(60);
/// What the design promises in so many seconds is promised of machines of its own; here all nodes, their servers and the
/// players share one with whatever else is built.
const GOAL_SLACK: u32 = 3;
/// How often a condition is looked at.
const LOOK: Duration = Duration::from_millis(20);

/// Waits until a condition holds; how long that took.
fn until(what: &str, mut holds: impl FnMut() -> bool) -> Duration {
    let begun = Instant::now();
    while !holds() {
        assert!(begun.elapsed() < PATIENCE, "waited in vain for {what}");
        thread::sleep(LOOK);
    }
    begun.elapsed()
}

/// The same; and it has to hold within the goal's time.
fn until_within(goal: Duration, what: &str, holds: impl FnMut() -> bool) -> Duration {
    let took = until(what, holds);
    println!("{what}: {took:.2?}, at most {goal:.2?}");
    assert!(took <= goal, "{what}: {took:?}, not within {goal:?}");
    took
}

/// A goal of the design, on this machine.
const fn goal(seconds: u64) -> Duration {
    Duration::from_secs(seconds * GOAL_SLACK as u64)
}
