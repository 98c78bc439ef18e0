//! What connections that have not signed in may say, be owed and hold, and what of that they share.

use super::{network::lock, regressions::Scene};
use crate::strangers::STRANGER_FRAMES_PER_ROUND;
use lobby::{Closing, ConnId, Limits, OutboxLimits};
use wire::ReadLimits;

/// Longest message of a stranger, and most that may wait for one.
const MESSAGE: usize = 1_000;
const OWED: usize = 4_000;

/// A shard whose strangers may hold so much together, and its clients.
fn scene(strangers_bytes: usize, clients_bytes: usize) -> Scene {
    Scene::with(|settings| {
        settings.memory.strangers_bytes = strangers_bytes;
        settings.memory.clients_bytes = clients_bytes;
        let listener = &mut settings.listeners[0];
        listener.strangers = Some(Box::new(Limits {
            outbox: OutboxLimits {
                soft_bytes: OWED / 2,
                hard_bytes: OWED,
                ..listener.outbox
            },
            read: ReadLimits {
                message_bytes: MESSAGE,
                ..ReadLimits::default()
            },
        }));
        listener.outbox.soft_bytes = 1 << 20;
        listener.outbox.hard_bytes = 1 << 24;
    })
}

fn is_there(scene: &mut Scene, client: usize) -> bool {
    scene.go();
    let ids: Vec<ConnId> = scene.shard.conns.ids();
    ids.iter().any(|id| {
        let conn = scene.shard.conns.peek(*id).expect("there");
        let wire = conn.socket.as_ref().map(|socket| socket.wire);
        wire == Some(client) && conn.closing != Some(Closing::Abort) && !conn.is_ending()
    })
}

#[test]
fn a_message_is_short_until_its_sender_has_signed_in() {
    let mut scene = scene(1 << 20, 1 << 20);
    let long = "y".repeat(3 * MESSAGE);
    let [stranger, client] = [(); 2].map(|()| scene.connect(10_000));
    scene.say(client, "in\n");
    for one in [stranger, client] {
        scene.say(one, &long);
    }
    assert!(!is_there(&mut scene, stranger));
    assert!(is_there(&mut scene, client));
    assert_eq!(scene.shard.metrics.ended_too_long.value(), 1);
}

#[test]
fn little_waits_for_a_stranger_who_does_not_read() {
    let mut scene = scene(1 << 20, 1 << 20);
    let [stranger, client] = [(); 2].map(|()| scene.connect(10));
    scene.say(client, "in\n");
    for one in [stranger, client] {
        scene.say(one, &format!("x {}\n", OWED + 100));
    }
    assert!(!is_there(&mut scene, stranger));
    assert!(is_there(&mut scene, client));
    assert_eq!(scene.shard.metrics.ended_outbox_full.value(), 1);
}

// A hundred unfinished messages of strangers held a gigabyte.
#[test]
fn strangers_who_hold_most_together_are_ended_first() {
    let mut scene = scene(2_900, 1 << 20);
    let [client, small, large, other] = [(); 4].map(|()| scene.connect(10_000));
    scene.say(client, &format!("in\n{}", "z".repeat(9_000)));
    scene.say(small, "x");
    scene.say(large, &"x".repeat(MESSAGE - 1));
    for _ in 0..2 {
        scene.say(other, &"x".repeat(MESSAGE / 2 - 1));
    }
    assert_eq!(scene.shard.metrics.ended_memory.value(), 0);
    let more = scene.connect(10_000);
    scene.say(more, &"x".repeat(MESSAGE - 1));
    let there = [client, small].map(|one| is_there(&mut scene, one));
    assert_eq!(there, [true, true]);
    let there = [large, other, more].map(|one| is_there(&mut scene, one));
    assert_eq!(there.iter().filter(|there| **there).count(), 2);
    assert_eq!(scene.shard.metrics.ended_memory.value(), 1);
    assert!(scene.shard.memory.held(false) <= 2_900);
    assert!(scene.shard.memory.held(true) >= 9_000);
    scene.say(small, " 3\n");
    assert_eq!(scene.hear(small), "xxx\n", "and goes on");
}

#[test]
fn what_is_owed_counts_and_clients_share_what_is_theirs() {
    let mut scene = scene(1 << 16, 50_000);
    let clients = [(); 4].map(|()| scene.connect(10));
    for one in clients {
        scene.say(one, "in\nx 14000\n");
    }
    let there = clients.map(|one| is_there(&mut scene, one));
    let gone = there.iter().filter(|there| !**there).count() as u64;
    assert!((1..4).contains(&gone), "{there:?}");
    assert_eq!(scene.shard.metrics.ended_memory.value(), gone);
    assert!(scene.shard.memory.held(true) <= 50_000);
    for one in clients {
        scene.hear(one);
    }
    assert_eq!(scene.shard.memory.held(true), 0, "all is read");
}

// What a broadcast's receivers share is there once, and was not theirs to answer for.
#[test]
fn what_is_broadcast_is_nobodys_own() {
    let mut scene = scene(1 << 16, 50_000);
    let clients = [(); 6].map(|()| scene.connect(10));
    for one in clients {
        scene.say(one, "in\nwait\n");
    }
    let speaker = scene.connect(10);
    scene.say(speaker, "all 14000\n");
    assert!(scene.shard.memory.held(true) < 1_000);
    assert!(clients.into_iter().all(|one| is_there(&mut scene, one)));
}

#[test]
fn who_is_gone_holds_nothing() {
    let mut scene = scene(1 << 16, 1 << 16);
    let clients = [(); 4].map(|()| scene.connect(10));
    for (at, one) in clients.into_iter().enumerate() {
        let words = ["x", "in\nx", "x 50\nx", "in\nhold\nxxx"][at];
        scene.say(one, words);
    }
    assert!(scene.shard.memory.held(true) > 0 && scene.shard.memory.held(false) > 0);
    for id in scene.shard.conns.ids() {
        scene.shard.close(id, Closing::Abort);
    }
    scene.go();
    assert_eq!(scene.shard.conns.len(), 0);
    let held = [false, true].map(|signed_in| scene.shard.memory.held(signed_in));
    assert_eq!(held, [0, 0]);
}

// Ten thousand who asked without end each had their share of a round, and everybody else waited for it.
#[test]
fn strangers_together_have_a_share_of_a_round() {
    let mut scene = scene(1 << 20, 1 << 20);
    let clients = [(); 6].map(|()| scene.connect(100_000));
    let (client, strangers) = clients.split_first().expect("some");
    scene.say(*client, "in\n");
    for one in strangers {
        scene.bring(*one, &"x 1\n".repeat(40));
    }
    scene.bring(*client, "x 7\n");
    let before = scene.shard.metrics.frames_in.value();
    scene.go_one_round();
    let frames = scene.shard.metrics.frames_in.value() - before;
    assert_eq!(frames, 1 + STRANGER_FRAMES_PER_ROUND as u64);
    assert_eq!(lock(&scene.network).read(*client, 100), b"xxxxxxx\n");
    scene.go();
    for one in strangers {
        assert_eq!(scene.hear(*one).lines().count(), 40, "all come to it");
    }
}

// A load balancer's check counted as broken framing.
#[test]
fn a_health_check_behind_a_proxy_is_no_error() {
    let mut scene = Scene::with(|settings| settings.listeners[0].proxy = true);
    let [v2, v1, broken] = [(); 3].map(|()| scene.connect(10_000));
    scene.say(v2, "\r\n\r\n\0\r\nQUIT\n\x20\0\0\0x 3\n");
    assert_eq!(scene.hear(v2), "xxx\n", "and may ask");
    scene.say(v1, "PROXY UNKNOWN\r\n");
    assert!(is_there(&mut scene, v2) && !is_there(&mut scene, v1));
    let metrics = scene.shard.metrics.clone();
    let counted = || (metrics.health_checks.value(), metrics.ended_framing.value());
    assert_eq!(counted(), (2, 0));
    scene.say(broken, "x 3\n");
    assert_eq!(counted(), (2, 1));
}
