//! A dialect that only writes down what it hears, on nodes with which everything goes wrong.

use super::*;
use crate::{ConnId, Effect, Origin, Ticket, Turn};

#[derive(Debug, Default)]
struct Scribe {
    heard: Vec<(ShardId, u32)>,
    views: Vec<(u32, bool)>,
    broken: Vec<u8>,
}

impl Dialect for Scribe {
    type Mail = u32;
    type Ask = ();
    type Answer = ();
    type Event = ();
    type Notice = ();
    type Timer = ();

    fn on_open(&mut self, _: &mut Turn<'_, Self>, _: ConnId, _: Origin) {}
    fn on_frame(&mut self, turn: &mut Turn<'_, Self>, conn: ConnId, body: &mut [u8]) {
        turn.send(conn, body.to_vec());
    }
    fn on_close(&mut self, _: &mut Turn<'_, Self>, _: ConnId) {}
    fn on_mail(&mut self, _: &mut Turn<'_, Self>, from: ShardId, mail: u32) {
        self.heard.push((from, mail));
    }
    fn on_answer(&mut self, _: &mut Turn<'_, Self>, _: Ticket, (): ()) {}
    fn on_standing(&mut self, _: &mut Turn<'_, Self>, standing: &Standing) {
        self.views
            .push((standing.view.members.len() as u32, standing.is_island));
    }
    fn on_lane_broken(&mut self, _: &mut Turn<'_, Self>, node: u8) {
        self.broken.push(node);
    }
    fn refuse((): ()) {}
}

type Sim = Simulator<Scribe>;

fn simulator(nodes: &[u16], seed: u64) -> Sim {
    Simulator::with_nodes(nodes, seed, |_| Scribe::default(), Box::new(|()| ()))
}

/// Says numbers to all nodes and to one shard, by turns.
fn say(sim: &mut Sim, from: u16, to: ShardId, numbers: std::ops::Range<u32>) {
    for number in numbers {
        sim.with(from, |_, turn| match number % 2 {
            0 => turn.mail_nodes(number),
            _ => turn.mail(to, number),
        });
    }
}

fn numbers(sim: &Sim, shard: ShardId) -> Vec<u32> {
    let heard = sim.dialect_on(shard).heard.iter();
    heard.map(|&(_, number)| number).collect()
}

const A: ShardId = ShardId::new(0, 0);
const B: ShardId = ShardId::new(1, 1);
const B_FIRST: ShardId = ShardId::new(1, 0);
const C: ShardId = ShardId::new(2, 0);

#[test]
fn what_is_said_to_all_and_to_one_keeps_one_order_however_late() {
    for seed in 0..50 {
        let mut sim = simulator(&[1, 2, 1], seed);
        sim.late = SILENCE;
        say(&mut sim, 0, B, 0..40);
        sim.advance(SILENCE);
        assert_eq!(numbers(&sim, B), (0..40).collect::<Vec<_>>());
        let even: Vec<u32> = (0..40).step_by(2).collect();
        assert_eq!(numbers(&sim, B_FIRST), even);
        assert_eq!(numbers(&sim, C), even);
        assert!(sim.is_quiet());
    }
}

#[test]
fn one_that_is_cut_off_becomes_an_island_and_comes_back_as_another() {
    let mut sim = simulator(&[1, 2, 1], 1);
    let before = sim.standing(1).incarnation;
    sim.cut(1);
    say(&mut sim, 0, B, 0..2);
    sim.advance(Duration::from_secs(1));
    assert_eq!(numbers(&sim, C), [0]);
    assert!(numbers(&sim, B).is_empty() && !sim.standing(1).is_island);
    sim.advance(Duration::from_secs(1));
    assert_eq!(sim.dialect_on(B).views, [(3, false), (3, true)]);
    assert_eq!(sim.dialect_on(A).views, [(3, false), (2, false)]);
    sim.rejoin(1);
    sim.settle();
    assert!(numbers(&sim, B).is_empty(), "what was under way is gone");
    assert_ne!(sim.standing(1).incarnation, before);
    assert_eq!(sim.dialect_on(B).views.last(), Some(&(3, false)));
    say(&mut sim, 0, B, 2..4);
    sim.settle();
    assert_eq!(numbers(&sim, B), [2, 3]);
}

#[test]
fn one_that_is_cut_off_for_a_moment_has_missed_nothing() {
    let mut sim = simulator(&[1, 2], 1);
    sim.cut(1);
    say(&mut sim, 0, B, 0..2);
    sim.advance(Duration::from_secs(1));
    sim.rejoin(1);
    sim.advance(Duration::from_secs(5));
    assert_eq!(numbers(&sim, B), [0, 1]);
    assert_eq!(sim.dialect_on(B).views, [(2, false)]);
}

#[test]
fn one_that_is_lost_takes_its_clients_with_it_and_begins_anew() {
    let mut sim = simulator(&[1, 2, 1], 1);
    let (lost, other) = (sim.connect(1), sim.connect(0));
    say(&mut sim, 0, B, 0..2);
    sim.settle();
    sim.lose(1);
    sim.send(other, "x");
    sim.settle();
    assert!(sim.client(lost).closed.is_some());
    assert_eq!(sim.take_bytes(other), b"x");
    sim.advance(SILENCE);
    assert_eq!(sim.dialect_on(A).views, [(3, false), (2, false)]);
    sim.give_lease(Lease::Outside, 1);
    sim.rejoin(1);
    sim.settle();
    assert!(numbers(&sim, B).is_empty());
    assert_eq!(sim.dialect_on(B).views, [(1, true), (3, false)]);
    assert_eq!(sim.standing(0).leases.coordinator.map(|h| h.node), Some(0));
    assert_ne!(sim.connect(1), lost);
}

#[test]
fn a_broken_lane_loses_what_was_under_way_and_nothing_after_that() {
    for seed in 0..50 {
        let mut sim = simulator(&[1, 2], seed);
        sim.late = SILENCE;
        say(&mut sim, 0, B, 0..10);
        sim.advance(Duration::from_millis(10));
        if seed % 2 == 0 {
            sim.break_lane(0, 1); // and the other one has not heard of it
        }
        sim.break_lane(1, 0);
        sim.settle();
        sim.with(1, |_, turn| turn.mail(A, 7));
        sim.advance(SILENCE);
        say(&mut sim, 0, B, 10..20);
        sim.advance(SILENCE);
        assert_eq!(sim.dialect_on(A).broken.last(), Some(&1));
        assert_eq!(sim.dialect_on(B).broken, [0]);
        assert_eq!(numbers(&sim, A), [7]);
        let heard = numbers(&sim, B);
        let (early, late) = heard.split_at(heard.len() - 10);
        assert!(early.iter().copied().eq(0..early.len() as u32));
        assert_eq!(late, (10..20).collect::<Vec<_>>());
    }
}

#[test]
fn views_that_are_late_are_the_same_in_the_end() {
    for seed in 0..50 {
        let mut sim = simulator(&[1, 2, 1], seed);
        sim.late = SILENCE;
        sim.lose(2);
        sim.advance(SILENCE);
        sim.rejoin(2);
        sim.give_lease(Lease::Coordinator, 1);
        say(&mut sim, 3, A, 0..2);
        sim.settle_views();
        let held = |node| sim.standing(node).leases.coordinator;
        assert!(sim.nodes().all(|node| sim.is_reachable(node)));
        assert!(sim.nodes().all(|node| held(node) == held(1)));
        assert_eq!(sim.standing(0).view.members.len(), 3);
    }
}

#[test]
fn effects_are_seen_on_every_node() {
    let mut sim = simulator(&[1, 1], 1);
    let conn = sim.connect(1);
    sim.with(0, |_, turn| {
        turn.effects.push(Effect::Send(conn, "late".into()));
        turn.effects.push(Effect::Close(conn, Closing::Flushed));
    });
    sim.settle();
    assert_eq!(sim.take_bytes(conn), b"late");
    assert_eq!(sim.client(conn).closed, Some(Closing::Flushed));
}
