//! NATS dies, or a node's line to it.

use std::{
    thread,
    time::{Duration, Instant},
};

use serde_json::json;

use crate::{
    checker::{Changes, check},
    client::Client,
    game::{begun, host, is_rated_once, join, report},
    goal,
    lobby::Cluster,
    support::proxy::Line,
    until, until_within,
};

/// Messages from one game program to another on the next node, numbered; they leave on time, whatever happens.
struct Stream<'a> {
    from: &'a Client,
    to: u64,
    sent: u64,
}

impl Stream<'_> {
    /// Ten of them, and a moment.
    fn goes_on(&mut self) {
        for _ in 0..10 {
            self.from.game("IceMsg", json!([self.to, self.sent]));
            self.sent += 1;
        }
        thread::sleep(Duration::from_millis(20));
    }

    /// All have come, once and in their order.
    fn has_come(&self, to: &mut Client) {
        for number in 0..self.sent {
            let told = to.command("IceMsg");
            assert_eq!(told["args"][1], number, "of {}", self.sent);
        }
    }
}

/// Two players in a launched game, on the first node and the second; its number.
fn playing(cluster: &Cluster) -> (Client, Client, u64) {
    let mut orion = cluster.sign_in(0, "orion");
    let mut vega = cluster.sign_in(1, "vega");
    let uid = begun(cluster, "duel", &mut [&mut orion, &mut vega]);
    (orion, vega, uid)
}

/// NATS is gone for a while: letters that were said meanwhile come, once and in order, and the pictures are equal soon.
fn nats_is_gone_for(time: Duration) {
    let Some(mut cluster) = Cluster::start(3) else {
        return;
    };
    let (orion, mut vega, uid) = playing(&cluster);
    let mut nova = cluster.sign_in(2, "nova");
    let watchers = cluster.crowd(0, 6, &[0, 1, 2]);
    let changing = host(&mut nova, "change");
    cluster.pictures_agree(goal(2));

    let mut changes = Changes::of(changing);
    let mut stream = Stream {
        from: &orion,
        to: 12,
        sent: 0,
    };
    let mut goes_on = |stream: &mut Stream<'_>, time: Duration| {
        let begun = Instant::now();
        while begun.elapsed() < time {
            stream.goes_on();
            changes.make(&nova);
        }
    };
    goes_on(&mut stream, Duration::from_millis(500));
    cluster.nats.kill();
    goes_on(&mut stream, time);
    cluster.nats.restart();
    let back = Instant::now();
    goes_on(&mut stream, Duration::from_millis(500));
    until("everybody to know", || {
        watchers
            .iter()
            .all(|watcher| changes.is_known_to(&watcher.heard))
    });
    cluster.pictures_agree(goal(2));
    println!(
        "pictures are equal {:.2?} after NATS is back",
        back.elapsed()
    );
    stream.has_come(&mut vega);
    for client in watchers.iter().chain([&orion, &vega, &nova]) {
        assert!(client.heard.is_in(), "{} was dropped", client.login());
    }
    cluster.agree(3);
    for player in [&orion, &vega] {
        report(player, 2);
    }
    is_rated_once(&cluster, uid, 2);
    check(&mut cluster);
}

// The row "NATS kill -9, back after 3 s".
#[test]
fn nats_is_killed_and_back_after_three_seconds() {
    nats_is_gone_for(Duration::from_secs(3));
}

#[test]
fn nats_is_killed_and_back_at_once() {
    nats_is_gone_for(Duration::from_millis(300));
}

/// NATS stays away: nobody is disconnected, games of one node are played to their end, and all is well when it is back.
#[test]
fn nats_is_gone_for_long() {
    let Some(mut cluster) = Cluster::with(2, &["cluster.grace_s=1"], &[]) else {
        return;
    };
    let mut orion = cluster.sign_in(0, "orion");
    let mut vega = cluster.sign_in(0, "vega");
    let watcher = cluster.sign_in(1, "nova");
    cluster.pictures_agree(goal(2));
    cluster.nats.kill();
    for node in 0..2 {
        cluster.goes_away(node);
    }
    until_within(goal(4), "both to be islands", || {
        cluster.nodes.iter().all(|node| node.is_island())
    });
    // An island gives no numbers out.
    orion.skip();
    orion.send(&json!({"command":"game_host","visibility":"public","title":"mine"}));
    let answer = orion.until("a refusal", |message| {
        ["notice", "game_launch"].contains(&message["command"].as_str().unwrap())
    });
    assert_eq!(answer["command"], "notice", "{answer}");
    vega.is_heard();
    assert!(watcher.heard.is_in());
    // Nor does it tell its own that the others are gone, whom it can't see.
    assert!(orion.picture().players.contains_key(&watcher.id()));
    cluster.nats.restart();
    until_within(goal(3), "both to be together again", || {
        cluster.nodes.iter().all(|node| !node.is_island())
    });
    cluster.agree(2);
    for node in 0..2 {
        cluster.is_back(node);
    }
    let uid = begun(&cluster, "duel", &mut [&mut orion, &mut vega]);
    for player in [&orion, &vega] {
        report(player, 2);
    }
    is_rated_once(&cluster, uid, 2);
    check(&mut cluster);
}

// The row "one node cut from NATS only".
#[test]
fn a_node_is_cut_from_nats() {
    let Some(mut cluster) = Cluster::start(3) else {
        return;
    };
    let victim = (cluster.holder("lead") + 1) % 3;
    let rest: Vec<usize> = (0..3).filter(|&node| node != victim).collect();
    let mut lyra = cluster.sign_in(victim, "lyra");
    let mut mira = cluster.sign_in(victim, "mira");
    let mut nova = cluster.sign_in(victim, "nova");
    let mut watchers = cluster.crowd(0, 6, &rest);
    let uid = begun(&cluster, "before", &mut [&mut lyra, &mut mira]);
    let open = host(&mut nova, "open");
    let mut late = cluster.sign_in(victim, "metronome");
    cluster.pictures_agree(goal(2));

    cluster.cut_bus(victim);
    until_within(goal(4), "the island to know", || {
        cluster.nodes[victim].is_island()
    });
    // The others go on, without it.
    until_within(goal(7), "the others to be two", || {
        rest.iter()
            .all(|&node| cluster.nodes[node].metric("muster_cluster_members") == 2.0)
    });
    let (mut orion, _) = cluster.sign_in_at_last(rest[0], "orion");
    host(&mut orion, "elsewhere");
    for watcher in &mut watchers {
        watcher.is_heard();
    }
    // Joins and results of its own go on.
    join(&mut late, open);
    for player in [&lyra, &mira] {
        report(player, 2);
    }
    is_rated_once(&cluster, uid, 2);
    let visitor = cluster.sign_in_at_last(victim, "vega").0;

    let took = cluster.mend_bus(victim, 3);
    println!("healed {took:.2?} after the cure");
    assert!(took < goal(3), "{took:?}");
    for client in [&lyra, &mira, &nova, &late, &visitor] {
        assert!(client.heard.is_in(), "{} was thrown out", client.login());
    }
    check(&mut cluster);
}

/// A line that is slow, but for less than anybody waits: everything is late, and nothing else.
#[test]
fn a_slow_line_makes_news_late_and_nothing_else() {
    let Some(mut cluster) = Cluster::start(2) else {
        return;
    };
    let (orion, mut vega, uid) = playing(&cluster);
    let views = cluster.views();
    cluster.nodes[1].bus.delay(Duration::from_millis(200));
    let mut stream = Stream {
        from: &orion,
        to: 12,
        sent: 0,
    };
    for _ in 0..50 {
        stream.goes_on();
    }
    stream.has_come(&mut vega);
    let lyra = cluster.sign_in_at_last(1, "lyra").0;
    cluster.pictures_agree(goal(2));
    assert_eq!(cluster.views(), views);
    cluster.nodes[1].bus.delay(Duration::ZERO);
    for player in [&orion, &vega] {
        report(player, 2);
    }
    is_rated_once(&cluster, uid, 2);
    drop(lyra);
    check(&mut cluster);
}

// The row "a node too slow to read".
#[test]
fn a_node_that_does_not_read_costs_the_others_little() {
    let Some(mut cluster) = Cluster::start(3) else {
        return;
    };
    let mut nova = cluster.sign_in(2, "nova");
    let changing = host(&mut nova, "change");
    let mut watchers = cluster.crowd(0, 4, &[0, 2]);
    // Games with somebody on it, whose programs have much to say.
    let mut pairs: Vec<(Client, Client)> = (0..40)
        .map(|n| {
            let mut host_of = cluster.sign_in(0, &format!("p{}", 100 + n));
            let mut guest = cluster.sign_in(1, &format!("p{}", 200 + n));
            let uid = host(&mut host_of, "long");
            guest.until("the news of the game", |message| {
                message["uid"] == uid && message["state"] == "open"
            });
            join(&mut guest, uid);
            (host_of, guest)
        })
        .collect();
    cluster.pictures_agree(goal(2));
    let before = cluster.nodes[0].resident_kib();
    // Nothing reaches it any more; what it says does.
    cluster.nodes[1].bus.set(Line::Deaf);
    cluster.goes_away(1);
    let mut changes = Changes::of(changing);
    let mut most = 0.0_f64;
    let long = "x".repeat(20_000);
    for _ in 0..50 {
        for (host_of, guest) in &pairs {
            host_of.game("IceMsg", json!([guest.id(), long]));
        }
        changes.make(&nova);
        for watcher in &mut watchers {
            assert!(watcher.is_heard() < Duration::from_secs(4));
        }
        most = most.max(cluster.nodes[0].metric("muster_cluster_lane_unacked_bytes"));
    }
    let after = cluster.nodes[0].resident_kib();
    println!("unacked at most {most} bytes, memory {before} to {after} KiB");
    assert!(most <= f64::from((32 + 8) << 20), "{most}");
    assert!(after < before + (96 << 10), "{before} to {after} KiB");
    until("everybody else to know", || {
        watchers
            .iter()
            .all(|watcher| changes.is_known_to(&watcher.heard))
    });
    cluster.nodes[1].bus.set(Line::Whole);
    cluster.agree(3);
    cluster.is_back(1);
    for (host_of, guest) in &mut pairs {
        host_of.is_heard();
        guest.is_heard();
    }
    check(&mut cluster);
}
