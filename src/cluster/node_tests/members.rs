//! Who is in, and who holds what.

use super::table::{Table, ms};
use crate::{Holder, Lease, View};

#[test]
fn the_first_node_makes_the_first_view_and_does_everything() {
    let table = Table::of(1);
    let standing = &table.seats[0].standing;
    assert_eq!(standing.view.number, View::FIRST);
    assert_eq!((table.members(0), standing.is_island), (vec![0], false));
    let leases = standing.leases;
    let holders = [leases.coordinator, leases.outside, leases.single];
    assert!(
        holders
            .iter()
            .all(|holder| holder.is_some_and(|holder| holder.node == 0))
    );
    let figures = table.seats[0].node.figures();
    assert_eq!((figures.members, figures.view), (1, View::FIRST));
    assert!(figures.held[Lease::Lead.index()].is_some() && figures.echoes > 0);
    assert!(figures.island_time < ms(700), "{figures:?}");
}

#[test]
fn a_node_is_let_in_at_once() {
    let mut table = Table::of(1);
    let second = table.sit_down(5);
    assert!(table.is_island(second));
    assert_eq!(table.seats[second].standing.view.number, 0);
    table.pass(250);
    for at in 0..2 {
        assert_eq!(
            (table.members(at), table.is_island(at)),
            (vec![0, 5], false)
        );
    }
    let leases = |at: usize| table.seats[at].standing.leases;
    assert_eq!(leases(0), leases(second));
    assert_eq!(leases(0).coordinator.map(|holder| holder.node), Some(0));
}

#[test]
fn a_node_that_is_killed_is_out_when_its_lock_can_be_taken() {
    let mut table = Table::of(3);
    table.kill(2);
    table.pass(1_900);
    assert_eq!(
        (table.members(0), table.seats[0].fenced),
        (vec![0, 1, 2], 0)
    );
    table.pass(400);
    assert_eq!(
        (table.members(0), table.members(1)),
        (vec![0, 1], vec![0, 1])
    );
    assert_eq!(table.seats[0].fenced, 1);
    assert_eq!(table.seats[1].lives, 0);
}

#[test]
fn a_node_that_keeps_its_lock_is_out_when_it_must_have_noticed() {
    let mut table = Table::of(3);
    table.seats[2].is_away = true;
    table.pass(2_100);
    assert!(table.is_island(2));
    table.pass(3_700);
    assert_eq!(table.members(0), [0, 1, 2]);
    assert!(table.seats[0].fenced >= 7, "it is tried again and again");
    table.pass(500);
    assert_eq!(table.members(0), [0, 1]);
    // Back again, it is another life in the same slot.
    table.seats[2].is_away = false;
    table.pass(500);
    assert_eq!(
        (table.members(0), table.members(2)),
        (vec![0, 1, 2], vec![0, 1, 2])
    );
    assert_eq!((table.seats[2].lives, table.is_island(2)), (1, false));
    assert_eq!(table.seats[2].standing.incarnation, 4);
}

#[test]
fn a_node_that_was_away_for_a_moment_goes_on() {
    let mut table = Table::of(2);
    table.seats[1].is_away = true;
    table.pass(3_000);
    assert!(table.is_island(1) && !table.is_island(0));
    assert_eq!(table.seats[1].standing.leases, Default::default());
    table.seats[1].is_away = false;
    table.pass(300);
    assert!(!table.is_island(1));
    assert_eq!((table.seats[1].lives, table.members(0)), (0, vec![0, 1]));
    let time = table.seats[1].node.figures().island_time;
    assert!((ms(1_000)..ms(1_700)).contains(&time), "{time:?}");
}

#[test]
fn without_its_slot_a_node_is_an_island_and_a_member() {
    let mut table = Table::of(2);
    let now = table.now;
    table.seats[0].node.on_slot(now, false);
    table.settle();
    assert!(table.is_island(0));
    assert_eq!(table.seats[0].node.figures().held, [None; 4]);
    table.pass(5_000);
    assert!(table.is_island(0) && table.seats[0].standing.is_in_touch);
    assert_eq!(
        (table.members(0), table.members(1)),
        (vec![0, 1], vec![0, 1])
    );
    assert!(!table.is_island(1), "it leads now");
    let coordinator = table.seats[1].standing.leases.coordinator;
    assert_eq!(coordinator.map(|holder| holder.node), Some(1));
    let now = table.now;
    table.seats[0].node.on_slot(now, true);
    table.pass(300);
    assert!(!table.is_island(0));
    assert_eq!(table.seats[0].lives, 0);
}

#[test]
fn when_the_leader_is_killed_another_one_leads() {
    let mut table = Table::of(3);
    table.kill(0);
    table.pass(2_500);
    assert_eq!(
        (table.members(1), table.members(2)),
        (vec![1, 2], vec![1, 2])
    );
    assert!(!table.is_island(1) && !table.is_island(2));
    let leases = table.seats[2].standing.leases;
    assert_eq!(leases.outside.map(|Holder { node, .. }| node), Some(1));
}

#[test]
fn a_node_that_leaves_is_not_waited_for() {
    for leaver in [0, 2] {
        let mut table = Table::of(3);
        let now = table.now;
        table.seats[leaver].node.retire(now);
        table.settle();
        table.pass(300);
        assert_eq!(table.members(1), [0, 1, 2], "it is a member still");
        let leases = table.seats[1].standing.leases;
        assert_eq!(
            leases.coordinator.map(|holder| holder.node),
            Some(if leaver == 0 { 1 } else { 0 })
        );
        let now = table.now;
        table.seats[leaver].node.leave(now);
        table.settle();
        table.kill(leaver);
        table.pass(300);
        let rest: Vec<u8> = (0..3).filter(|&slot| usize::from(slot) != leaver).collect();
        assert_eq!((table.members(1), table.seats[1].fenced), (rest, 0));
    }
}

#[test]
fn the_leader_leaves_with_a_view_of_the_others() {
    let mut table = Table::of(2);
    let now = table.now;
    table.seats[0].node.leave(now);
    table.settle();
    assert_eq!(table.members(1), [1]);
    assert_eq!(table.seats[0].node.deadline(), std::time::Duration::MAX);
}

#[test]
fn without_a_leader_for_long_everybody_is_an_island_and_the_view_stays() {
    let mut table = Table::of(2);
    table.has_locks = false;
    for seat in &mut table.seats {
        seat.node.on_slot(table.now, false);
    }
    table.settle();
    table.pass(20_000);
    for at in 0..2 {
        assert_eq!((table.members(at), table.is_island(at)), (vec![0, 1], true));
    }
    table.has_locks = true;
    for seat in &mut table.seats {
        seat.node.on_slot(table.now, true);
    }
    table.pass(500);
    assert!(!table.is_island(0) && !table.is_island(1));
    assert_eq!(table.seats[0].lives + table.seats[1].lives, 0);
}

#[test]
fn whose_slot_is_somebody_elses_ends() {
    // One that was a member, and one that never was.
    for was_in in [true, false] {
        let mut table = Table::of(1);
        let lost = table.sit_down(1);
        let now = table.now;
        if was_in {
            table.pass(500);
        }
        let now = now.max(table.now);
        table.seats[lost].node.on_slot(now, false);
        table.settle();
        let other = table.sit_down(1);
        table.pass(3_000);
        assert!(table.seats[lost].is_displaced && !table.seats[other].is_displaced);
        assert_eq!(
            (table.members(0), table.is_island(other)),
            (vec![0, 1], false)
        );
    }
}

#[test]
fn a_process_that_is_started_again_takes_the_place_of_the_one_before() {
    let mut table = Table::of(2);
    table.kill(1);
    let again = table.sit_down(1);
    table.pass(1_300);
    assert_eq!(
        (table.members(0), table.is_island(again)),
        (vec![0, 1], false)
    );
    assert_eq!(table.seats[0].fenced, 0);
    assert_eq!(table.seats[0].standing.view.members[1].incarnation, 3);
}

#[test]
fn a_newcomer_with_the_lead_asks_who_was_in_before_it_says_who_is() {
    let mut table = Table::of(2);
    // Nobody can lead but the new one: what the others know is not lost.
    for seat in &mut table.seats {
        seat.node.retire(table.now);
    }
    table.settle();
    let lives: Vec<u64> = table
        .seats
        .iter()
        .map(|seat| seat.standing.incarnation)
        .collect();
    let late = table.sit_down(2);
    table.pass(4_000);
    assert!(
        table.is_island(late),
        "it leaves the lead to the others for some time"
    );
    table.pass(3_000);
    assert_eq!(
        (table.members(0), table.members(late)),
        (vec![0, 1, 2], vec![0, 1, 2])
    );
    assert!(!table.is_island(late) && !table.is_island(0));
    for (at, life) in lives.into_iter().enumerate() {
        assert_eq!(table.seats[at].standing.incarnation, life);
    }
}

#[test]
fn a_life_can_be_started_over() {
    let mut table = Table::of(2);
    table.got(1);
    let now = table.now;
    table.seats[1].node.start_over(now);
    table.settle();
    assert_eq!(table.got(1)[0], "0 broke");
    table.pass(300);
    assert_eq!(
        (table.members(0), table.members(1)),
        (vec![0, 1], vec![0, 1])
    );
    assert_eq!((table.seats[1].lives, table.is_island(1)), (1, false));
}

#[test]
fn after_a_pause_nothing_is_believed_before_something_has_come_back() {
    let mut table = Table::of(2);
    table.seats[0].is_away = true;
    table.now += ms(10_000);
    let now = table.now;
    table.seats[0].node.on_time(now);
    table.settle();
    assert!(table.is_island(0));
    assert_eq!(
        table.members(0),
        [0, 1],
        "the leader puts nobody out for its own pause"
    );
}
