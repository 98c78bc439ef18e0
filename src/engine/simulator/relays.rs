//! Relays: their end when nothing comes over them, and sides that outlive each other.

use std::time::Duration;

use super::{
    network::lock,
    regressions::{IDLE, Scene},
};
use lobby::Closing;

/// The client goes away in good order.
fn leave(scene: &mut Scene, client: usize) {
    lock(&scene.network).wires[client].fin_sent = true;
    lock(&scene.network).arrive(client, 0, true);
    scene.go();
}

fn is_over(scene: &Scene, client: usize) -> bool {
    let network = lock(&scene.network);
    let wire = &network.wires[client];
    wire.shut || wire.closed_at.is_some()
}

fn pass(scene: &mut Scene, time: Duration) {
    lock(&scene.network).now += time;
    scene.go();
}

fn idle(scene: &Scene) -> u64 {
    scene.shard.metrics.relays_idle.value()
}

#[test]
fn a_relay_ends_when_nothing_has_come_over_it_for_long() {
    for words in [["wait\n", "meet\n"], ["lone\n", "pair\n"]] {
        let mut scene = Scene::new();
        let [a, b] = [(); 2].map(|()| scene.connect(10_000));
        scene.say(a, words[0]);
        scene.say(b, words[1]);
        let second = Duration::from_secs(1);
        // Whichever side says something, the time begins anew.
        for from in [a, b, a] {
            pass(&mut scene, IDLE - second);
            assert!(!is_over(&scene, a) && !is_over(&scene, b));
            scene.say(from, "x");
        }
        pass(&mut scene, IDLE - second);
        assert!(!is_over(&scene, a) && idle(&scene) == 0);
        pass(&mut scene, second);
        assert!(is_over(&scene, a) && is_over(&scene, b));
        assert_eq!(idle(&scene), 1);
    }
}

/// However often somebody is relayed anew, there is one look at a time.
#[test]
fn a_relay_is_looked_at_once_a_minute_and_not_more_often() {
    let mut scene = Scene::new();
    let host = scene.connect(10_000);
    scene.say(host, "lone\n");
    for _ in 0..5 {
        let guest = scene.connect(10_000);
        scene.say(guest, "pair\n");
        leave(&mut scene, guest);
    }
    assert!(!is_over(&scene, host));
    pass(&mut scene, 2 * IDLE);
    assert!(!is_over(&scene, host), "it is not relayed");
    let guest = scene.connect(10_000);
    scene.say(guest, "pair\n");
    pass(&mut scene, IDLE);
    assert!(is_over(&scene, host) && idle(&scene) == 1);
}

#[test]
fn who_is_left_of_a_relay_waits_and_is_relayed_anew() {
    // Whose socket moves the first time, and the second; who of the two leaves.
    for case in 0..8 {
        let (first, second, guest_stays) = (case & 1, case >> 1 & 1, case >> 2 == 1);
        let mut scene = Scene::new();
        let [host, guest] = [(); 2].map(|()| scene.connect(10_000));
        scene.say(host, "lone\n");
        scene.say(guest, &format!("pair {first}\n"));
        let [stays, leaves] = if guest_stays {
            [guest, host]
        } else {
            [host, guest]
        };
        scene.say(leaves, "last");
        leave(&mut scene, leaves);
        assert!(
            is_over(&scene, leaves) && !is_over(&scene, stays),
            "case {case}"
        );
        assert_eq!(scene.hear(stays), "met\nlast", "case {case}");
        // Nobody hears it.
        scene.say(stays, &"lost".repeat(100));
        scene.shard.dialect.waits(stays);
        let third = scene.connect(10_000);
        scene.say(third, &format!("pair {second}\n"));
        assert_eq!(scene.hear(stays), "met\n", "case {case}");
        scene.say(stays, "again");
        assert_eq!(scene.hear(third), "met\nagain", "case {case}");
        scene.say(third, "back");
        assert_eq!(scene.hear(stays), "back", "case {case}");
        leave(&mut scene, stays);
        assert!(
            is_over(&scene, stays) && !is_over(&scene, third),
            "case {case}"
        );
        leave(&mut scene, third);
        pass(&mut scene, Duration::from_secs(10));
        assert_eq!(scene.shard.conns.len(), 0, "case {case}");
    }
}

#[test]
fn who_ends_one_side_ends_both() {
    for which in 0..3 {
        let mut scene = Scene::new();
        let [host, guest] = [(); 2].map(|()| scene.connect(10_000));
        scene.say(host, "lone\n");
        scene.say(guest, "pair\n");
        let ids = scene.shard.conns.ids();
        assert_eq!(ids.len(), 3, "one's socket has moved");
        scene.shard.close(ids[which], Closing::Flushed);
        scene.go();
        assert!(is_over(&scene, host) && is_over(&scene, guest), "{which}");
    }
}

#[test]
fn who_waits_without_being_heard_is_not_kept() {
    let mut scene = Scene::new();
    let host = scene.connect(10_000);
    scene.say(host, "lone\nearly");
    scene.say(host, &"early".repeat(1 << 20));
    for id in scene.shard.conns.ids() {
        let conn = scene.shard.conns.peek(id).expect("there");
        assert_eq!(conn.held, 0);
    }
    let guest = scene.connect(10_000);
    scene.say(guest, "pair\n");
    assert_eq!(scene.hear(guest), "met\n");
    leave(&mut scene, guest);
    leave(&mut scene, host);
    assert!(is_over(&scene, host));
}
