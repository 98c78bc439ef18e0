//! Nodes that die or stand still.

use std::{
    thread,
    time::{Duration, Instant},
};

use serde_json::json;

use crate::{
    GOAL_SLACK,
    checker::{Changes, check},
    client::Client,
    game::{begun, enforce_rating, host, is_rated_once, report, restored},
    goal,
    lobby::Cluster,
    until, until_within,
};

/// Nodes that a test has not chosen.
fn others(of: usize) -> [usize; 2] {
    match of {
        0 => [1, 2],
        1 => [0, 2],
        _ => [0, 1],
    }
}

// The row "node kill -9".
#[test]
fn a_node_is_killed_its_clients_come_back_elsewhere() {
    let Some(mut cluster) = Cluster::start(3) else {
        return;
    };
    // The one that leads: it has most to lose.
    let victim = cluster.holder("lead");
    let [left, right] = others(victim);
    let watchers = cluster.crowd(0, 12, &[left, right]);
    let lost = cluster.crowd(12, 30, &[victim]);
    let stays_away = cluster.sign_in(victim, "mira");
    let mut orion = cluster.sign_in(left, "orion");
    let uid = host(&mut orion, "change");
    cluster.pictures_agree(goal(2));
    let mira = stays_away.id();

    let mut changes = Changes::of(uid);
    let killed = Instant::now();
    cluster.kill(victim);
    for _ in 0..20 {
        changes.make(&orion);
        orion.is_heard();
    }
    let logins: Vec<&str> = lost.iter().map(Client::login).collect();
    let (back, refused) = cluster.come_back(&logins, &[left, right]);
    let known: Vec<u64> = back.iter().map(Client::id).collect();
    until("those who came back to be in sync", || {
        let pictures = back.iter().map(Client::picture);
        pictures.into_iter().all(|picture| {
            known.iter().all(|id| picture.players.contains_key(id))
                && picture.games.contains_key(&uid)
        })
    });
    let took = killed.elapsed();
    println!("back after {took:.2?}, sent away meanwhile {refused} times");
    assert!(took < goal(5), "{took:?}");
    // Broadcasts went on meanwhile, and none of those who came back was announced as gone; who did not come back is, when
    // the grace is over.
    let heard: Vec<_> = watchers.iter().map(|watcher| &*watcher.heard).collect();
    until("everybody to know", || {
        heard.iter().all(|watcher| changes.is_known_to(watcher))
    });
    let slowest = changes.slowest(&heard);
    println!("changes during the loss: {slowest:.2?}");
    assert!(
        slowest < Duration::from_millis(110) * GOAL_SLACK,
        "{slowest:?}"
    );
    cluster.agree(2);
    for watcher in &watchers {
        let log = watcher.heard.log();
        let gone = log.messages.iter().any(|(_, message)| {
            let players = message["players"].as_array().into_iter().flatten();
            let mut offline = players.filter(|player| player["state"] == "offline");
            offline.any(|player| known.contains(&player["id"].as_u64().unwrap()))
        });
        assert!(!gone, "{} saw somebody go who came back", watcher.login());
    }
    until_within(goal(14), "mira to be announced as gone", || {
        let mut pictures = watchers.iter().map(Client::picture);
        pictures.all(|picture| !picture.players.contains_key(&mira))
    });
    check(&mut cluster);

    // And the node comes back as if it had never been there.
    cluster.nodes[victim].start();
    cluster.agree(3);
    cluster.is_back(victim);
    let _late = cluster.sign_in(victim, "vega");
    check(&mut cluster);
}

// The row "node kill -9": no launched game lost, whoever had it.
#[test]
fn a_launched_game_outlives_the_node_that_had_it() {
    let Some(mut cluster) = Cluster::with(3, &["cluster.grace_s=2"], &[]) else {
        return;
    };
    let mut players: Vec<Client> = [(0, "orion"), (1, "vega"), (2, "lyra"), (1, "nova")]
        .map(|(node, login)| cluster.sign_in(node, login))
        .into();
    let watcher = cluster.sign_in(2, "metronome");
    let mut all: Vec<&mut Client> = players.iter_mut().collect();
    let uid = begun(&cluster, "two and two", &mut all);
    cluster.kill(0);
    cluster.agree(2);
    // The host comes back elsewhere and goes on with his game.
    let (mut orion, _) = cluster.sign_in_at_last(2, "orion");
    until_within(goal(10), "orion to be in his game again", || {
        restored(&mut orion, uid)
    });
    assert!(watcher.picture().games.contains_key(&uid));
    players[0] = orion;
    // That it counts though it is short may be lost with the one who said it first, right before.
    enforce_rating(&players[0]);
    for player in &players {
        report(player, 4);
    }
    is_rated_once(&cluster, uid, 4);
    check(&mut cluster);
}

// The same row: what is said to the owner before anybody knows that it is dead.
#[test]
fn what_is_reported_while_nobody_has_a_game_counts() {
    let Some(mut cluster) = Cluster::with(3, &["cluster.grace_s=2"], &[]) else {
        return;
    };
    let mut players: Vec<Client> = [(0, "orion"), (1, "vega"), (2, "lyra"), (1, "nova")]
        .map(|(node, login)| cluster.sign_in(node, login))
        .into();
    let mut all: Vec<&mut Client> = players.iter_mut().collect();
    let uid = begun(&cluster, "two and two", &mut all);
    cluster.kill(0);
    // The host does not come back; the others say how it went, and are out of the game before it is another node's.
    for player in &players[1..] {
        enforce_rating(player);
        report(player, 4);
    }
    is_rated_once(&cluster, uid, 4);
    let again = (1..3).map(|node| cluster.nodes[node].metric("muster_faf_reports_again_total"));
    assert!(again.sum::<f64>() > 0.0);
    cluster.agree(2);
    check(&mut cluster);
}

// The row "node kill -9", for one that only guests of a game were on.
#[test]
fn a_game_goes_on_when_the_node_of_a_guest_is_killed() {
    let Some(mut cluster) = Cluster::start(3) else {
        return;
    };
    let mut players: Vec<Client> = [(0, "orion"), (1, "vega")]
        .map(|(node, login)| cluster.sign_in(node, login))
        .into();
    let mut all: Vec<&mut Client> = players.iter_mut().collect();
    let uid = begun(&cluster, "duel", &mut all);
    cluster.kill(1);
    let (mut vega, _) = cluster.sign_in_at_last(2, "vega");
    until_within(goal(10), "vega to be in the game again", || {
        restored(&mut vega, uid)
    });
    for player in [&players[0], &vega] {
        report(player, 2);
    }
    is_rated_once(&cluster, uid, 2);
    check(&mut cluster);
}

// The row "node stopped 10 s (SIGSTOP), then on".
#[test]
fn a_node_that_stood_still_comes_back_and_each_account_is_in_once() {
    let Some(mut cluster) = Cluster::with(3, &["cluster.grace_s=60"], &[]) else {
        return;
    };
    let victim = cluster.holder("lead");
    let [left, right] = others(victim);
    let mut watchers = cluster.crowd(0, 6, &[left, right]);
    let on_it = cluster.crowd(6, 6, &[victim]);
    cluster.pictures_agree(goal(2));

    cluster.goes_away(victim);
    cluster.nodes[victim].stop();
    until_within(goal(7), "the others to put it out", || {
        [left, right]
            .iter()
            .all(|&node| cluster.nodes[node].metric("muster_cluster_members") == 2.0)
    });
    assert!([left, right].contains(&cluster.holder("lead")));
    // Half of its players have given up and come in elsewhere.
    let moved: Vec<Client> = on_it[..3]
        .iter()
        .map(|client| cluster.sign_in_at_last(left, client.login()).0)
        .collect();
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(4) {
        // Nobody else is disturbed.
        for watcher in &mut watchers {
            assert!(watcher.is_heard() < Duration::from_secs(2));
        }
        thread::sleep(Duration::from_millis(50));
    }
    cluster.nodes[victim].go_on();
    // It notices before it acts for anybody, and is one of them again.
    cluster.agree(3);
    cluster.is_back(victim);
    for client in &on_it[..3] {
        until("the older connection to end", || !client.heard.is_in());
    }
    for watcher in watchers.iter().chain(&moved).chain(&on_it[3..]) {
        assert!(watcher.heard.is_in(), "{} was thrown out", watcher.login());
    }
    check(&mut cluster);
}

/// Stopped for less than what makes a node lost: nobody is put out, and nothing is lost on any lane.
#[test]
fn a_node_that_stood_still_for_a_moment_has_missed_nothing() {
    let Some(mut cluster) = Cluster::start(2) else {
        return;
    };
    let mut orion = cluster.sign_in(0, "orion");
    let mut vega = cluster.sign_in(1, "vega");
    let uid = begun(&cluster, "duel", &mut [&mut orion, &mut vega]);
    let views = cluster.views();
    cluster.nodes[1].stop();
    for number in 0..2_000 {
        orion.game("IceMsg", json!([12, number]));
    }
    thread::sleep(Duration::from_millis(700)); // what is tested is this pause
    cluster.nodes[1].go_on();
    for number in 0..2_000 {
        assert_eq!(vega.command("IceMsg")["args"][1], number);
    }
    cluster.agree(2);
    assert_eq!(cluster.views(), views);
    for player in [&orion, &vega] {
        report(player, 2);
    }
    is_rated_once(&cluster, uid, 2);
    check(&mut cluster);
}

// The row "leader killed during a view change".
#[test]
fn a_leader_is_killed_while_somebody_joins() {
    let Some(mut cluster) = Cluster::start(3) else {
        return;
    };
    let leader = cluster.holder("lead");
    let [left, right] = others(leader);
    let watchers = cluster.crowd(0, 6, &[left, right]);
    let view = *cluster.views().iter().max().unwrap();
    // A member dies, and the leader before it has taken it out.
    cluster.kill(right);
    cluster.kill(leader);
    until_within(goal(6), "a new view", || {
        let node = &cluster.nodes[left];
        node.metric("muster_cluster_members") == 1.0
            && node.metric("muster_cluster_view") > view as f64
            && node.holds("lead")
            && !node.is_island()
    });
    // Both come back at once.
    cluster.nodes[leader].start();
    cluster.nodes[right].start();
    cluster.agree(3);
    cluster.is_back(leader);
    cluster.is_back(right);
    let _back: Vec<Client> = watchers
        .iter()
        .filter(|client| !client.heard.is_in())
        .map(|client| cluster.sign_in_at_last(leader, client.login()).0)
        .collect();
    check(&mut cluster);
}

/// Sign-ins of the same few accounts everywhere, all the time, while nodes die and come back: never two of one account.
#[test]
fn accounts_are_in_once_while_nodes_come_and_go() {
    let Some(mut cluster) = Cluster::with(3, &["cluster.grace_s=1"], &[]) else {
        return;
    };
    for victim in [cluster.holder("lead"), 0, 1] {
        let [left, right] = others(victim);
        let mut clients: Vec<Client> = Vec::new();
        cluster.kill(victim);
        for round in 0..40 {
            let node = [left, right][round % 2];
            let login = format!("p{}", round % 5);
            clients.push(cluster.sign_in_at_last(node, &login).0);
        }
        cluster.nodes[victim].start();
        cluster.agree(3);
        cluster.is_back(victim);
        for round in 0..15 {
            let login = format!("p{}", round % 5);
            clients.push(cluster.sign_in_at_last(round % 3, &login).0);
        }
        until("all but the newest to have ended", || {
            clients.iter().filter(|client| client.heard.is_in()).count() == 5
        });
        check(&mut cluster);
    }
}
