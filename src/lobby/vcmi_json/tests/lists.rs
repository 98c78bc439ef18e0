//! When lists are told.

use super::*;

/// checklist: vcmi-json 33, 34
#[test]
fn a_list_that_has_not_changed_is_not_told_again() {
    each(|stage| {
        let alice = stage.player("alice");
        stage.hear(alice.conn);
        let stranger = stage.connect();
        stage.sim.send(stranger, "x");
        stage.sim.settle();
        stage.sim.disconnect(stranger);
        stage.sim.settle();
        assert!(stage.hear(alice.conn).is_empty());
    });
}

/// Beyond some hundred people a change waits for the others of its interval; whoever it is about hears at once. checklist:
/// vcmi-json 35
#[test]
fn many_changes_are_told_together() {
    let mut stage = stage(2, 1, settings());
    let all: Vec<Player> = (0..250)
        .map(|at| stage.player(&format!("player{at}")))
        .collect();
    stage.wait(1);
    for one in &all {
        stage.hear(one.conn);
    }
    for at in 0..250 {
        let who = stage.register(&format!("late{at}"));
        let (_, said) = stage.login(&who);
        assert_eq!(said[2]["accounts"].as_array().map(Vec::len), Some(251 + at));
    }
    stage.wait(1);
    let said = stage.hear(all[0].conn);
    assert!(said.len() < 250, "{}", said.len());
    let last = said.last().expect("they are told");
    assert_eq!(last["accounts"].as_array().map(Vec::len), Some(500));
}

/// checklist: vcmi-json 107
#[test]
fn a_slow_reader_is_told_the_present_state() {
    each(|stage| {
        let alice = stage.player("alice");
        stage.say(alice.conn, chat("global", "english", "missed"));
        stage.sim.resync(alice.conn);
        stage.sim.settle();
        let said = stage.hear(alice.conn);
        assert_eq!(
            kinds(&said),
            ["chatHistory", "activeAccounts", "activeGameRooms"]
        );
        assert_eq!(said[0]["messages"][0]["messageText"], "missed");
    });
}
