//! What is said arrives, once and in order.

use bytes::Bytes;
use proptest::prelude::*;

use super::table::{Table, ms};
use crate::{
    Destination::{All, Node},
    Dropped, MAX_LETTER, Subject,
};

fn dropped(table: &Table, at: usize, why: Dropped) -> u64 {
    table.seats[at].node.figures().dropped[why as usize]
}

fn unacked(table: &Table, at: usize) -> usize {
    let figures = table.seats[at].node.figures();
    figures.lanes.iter().map(|lane| lane.unacked_bytes).sum()
}

#[test]
fn there_is_one_order_between_what_is_said_to_all_and_to_one() {
    let mut table = Table::of(3);
    table.got(1);
    table.got(2);
    table.say(0, All, "a");
    table.say(0, Node(1), "b");
    table.say(0, Node(2), "c");
    table.say(0, All, "d");
    table.say(0, All, "e");
    table.say(0, Node(1), "f");
    table.flush(0);
    assert_eq!(table.got(1), ["0: a", "0: b", "0: d", "0: e", "0: f"]);
    assert_eq!(table.got(2), ["0: a", "0: c", "0: d", "0: e"]);
    table.pass(200);
    assert_eq!(unacked(&table, 0), 0);
}

#[test]
fn a_new_member_is_known_before_it_is_heard() {
    let mut table = Table::of(1);
    table.got(0);
    table.sit_down(1);
    table.pass(250);
    table.say(1, All, "hello");
    table.flush(1);
    let got = table.got(0);
    assert_eq!(got, ["view of 0 1", "1: hello"]);
}

#[test]
fn what_is_lost_comes_again() {
    let mut table = Table::of(2);
    table.got(1);
    table.loses = |subject, _| subject != Subject::Beat;
    for letter in ["a", "b", "c"] {
        table.say(0, All, letter);
        table.flush(0);
    }
    table.loses = |_, _| false;
    table.say(0, All, "d");
    table.flush(0);
    assert_eq!(table.got(1), [""; 0]);
    table.pass(25);
    assert_eq!(table.got(1), ["0: a", "0: b", "0: c", "0: d"]);
    let figures = table.seats[0].node.figures();
    assert_eq!((figures.lanes[0].repairs, figures.lanes[0].breaks), (3, 0));
    assert_eq!(table.seats[1].node.figures().lanes[0].nacks, 1);
    // The last one has nothing behind it that shows the loss: a beat tells.
    table.loses = |subject, _| subject != Subject::Beat;
    table.say(0, All, "e");
    table.flush(0);
    table.loses = |_, _| false;
    table.pass(130);
    assert_eq!(table.got(1), ["0: e"]);
}

#[test]
fn nothing_is_lost_while_the_bus_is_gone_for_some_seconds() {
    let mut table = Table::of(2);
    table.got(1);
    for seat in &mut table.seats {
        seat.node.on_bus(table.now, false);
    }
    for number in 0..40 {
        table.say(0, All, format!("{number}"));
        table.flush(0);
        table.pass(100);
    }
    assert_eq!(table.got(1), ["view of 0 1"], "an island");
    for seat in &mut table.seats {
        seat.node.on_bus(table.now, true);
    }
    table.pass(300);
    let letters: Vec<String> = (0..40).map(|number| format!("0: {number}")).collect();
    let mut got = table.got(1);
    got.retain(|got| !got.starts_with("view"));
    assert_eq!(got, letters);
    assert!(!table.is_island(0) && !table.is_island(1));
}

#[test]
fn a_lane_that_gets_too_full_breaks_at_both_ends_and_goes_on() {
    let mut table = Table::of(3);
    table.loses = |subject, _| subject == Subject::Node(1);
    table.got(0);
    table.got(1);
    table.got(2);
    let letter = Bytes::from(vec![b'x'; MAX_LETTER]);
    let mut said = 0;
    let mut congested = Vec::new();
    while table.got(0).is_empty() {
        table.say(0, Node(1), letter.clone());
        table.flush(0);
        table.pass(10);
        said += 1;
        let now = table.now;
        congested.push(table.seats[0].node.is_congested(now));
        assert!(unacked(&table, 0) <= 33 << 20);
    }
    assert!((120..=128).contains(&said), "{said} letters of 256 KiB");
    // Congestion is told from 4 MiB on, and for a second only.
    let (first, last) = (15, 15 + 98);
    assert!(!congested[first - 1] && congested[first]);
    assert!(congested[last] && !congested[last + 1]);
    assert_eq!(table.seats[0].node.figures().lanes[0].breaks, 1);
    table.loses = |_, _| false;
    table.say(0, Node(1), "snapshot");
    table.say(1, Node(0), "snapshot");
    table.flush(0);
    table.flush(1);
    table.pass(300);
    assert_eq!(table.got(1), ["0 broke", "0: snapshot"]);
    assert_eq!(table.got(2), [""; 0], "the other lanes are not touched");
}

#[test]
fn what_does_not_come_for_two_seconds_breaks_the_lane() {
    let mut table = Table::of(2);
    table.got(0);
    table.loses = |subject, _| subject == Subject::Node(1);
    table.say(0, All, "a");
    table.flush(0);
    table.pass(1_800);
    assert_eq!(table.got(0), [""; 0]);
    table.pass(500);
    assert_eq!(
        (table.got(0), table.seats[1].got.pop()),
        (vec!["1 broke".into()], Some("0 broke".into()))
    );
}

#[test]
fn a_member_that_is_silent_for_long_is_told_nothing_until_it_is_heard() {
    let mut table = Table::of(2);
    table.has_locks = false;
    // Nobody leads, so nobody is put out.
    for seat in &mut table.seats {
        seat.node.on_slot(table.now, false);
    }
    table.settle();
    table.got(0);
    table.got(1);
    table.seats[1].is_away = true;
    table.pass(4_900);
    assert_eq!(table.got(0), [""; 0]);
    table.pass(400);
    assert_eq!(table.got(0), ["1 broke"]);
    table.say(0, Node(1), "into the void");
    assert_eq!(dropped(&table, 0, Dropped::Nowhere), 1);
    table.seats[1].is_away = false;
    table.pass(300);
    assert_eq!(table.got(0), ["1 broke"]);
    table.say(0, Node(1), "again");
    table.flush(0);
    assert_eq!(table.got(1).last().map(String::as_str), Some("0: again"));
}

#[test]
fn letters_of_another_life_are_dropped() {
    let mut table = Table::of(2);
    let mut old = Vec::new();
    table.say(1, All, "late");
    let now = table.now;
    table.seats[1].node.flush(now);
    while let Some(output) = table.seats[1].node.poll() {
        if let crate::Output::Publish(_, bytes) = output {
            old.push(bytes);
        }
    }
    table.seats[1].node.start_over(now);
    table.pass(500);
    table.got(0);
    for bytes in old {
        table.seats[0].node.on_message(table.now, bytes);
    }
    table.settle();
    assert_eq!(table.got(0), [""; 0]);
    assert_eq!(dropped(&table, 0, Dropped::Stranger), 1);
}

#[test]
fn what_is_said_to_nobody_or_too_long_is_counted() {
    let mut table = Table::of(2);
    table.got(1);
    table.say(0, Node(7), "x");
    table.say(0, Node(0), "x");
    table.say(0, All, vec![0; MAX_LETTER + 1]);
    table.say(0, All, vec![0; MAX_LETTER]);
    table.flush(0);
    assert_eq!(dropped(&table, 0, Dropped::Nowhere), 2);
    assert_eq!(dropped(&table, 0, Dropped::TooLong), 1);
    assert_eq!(table.got(1).len(), 1);
}

/// Something that came by the bus, real or not, in pieces.
fn message() -> impl Strategy<Value = (usize, Vec<u8>, usize, u8)> {
    let bytes = prop::collection::vec(any::<u8>(), 0..80);
    (0..60usize, bytes, 0..400usize, any::<u8>())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever comes by the bus, a node goes on; and what it makes of it can be carried out.
    #[test]
    fn no_bytes_stop_a_node(messages in prop::collection::vec(message(), 0..60)) {
        let mut table = Table::of(2);
        let mut real = Vec::new();
        table.say(1, All, "x");
        for step in 0..10 {
            let now = table.now + ms(100 * step);
            table.seats[1].node.flush(now);
            table.seats[1].node.on_time(now);
            while let Some(output) = table.seats[1].node.poll() {
                if let crate::Output::Publish(_, bytes) = output {
                    real.push(bytes.to_vec());
                }
            }
        }
        for (which, noise, at, value) in messages {
            let bytes = match real.get(which) {
                Some(bytes) => {
                    let mut bytes = bytes.clone();
                    let at = at % bytes.len();
                    bytes[at] = value;
                    bytes.extend(noise.iter().take(usize::from(value % 3)));
                    bytes
                }
                None => {
                    let mut bytes = b"mu\x01".to_vec();
                    bytes.extend(noise);
                    bytes
                }
            };
            table.seats[0].node.on_message(table.now, bytes.into());
            table.pass(20);
        }
        table.pass(1_000);
    }
}
