//! Nodes that are well: who is on one is seen, joined and played with from all others.

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use serde_json::json;

use crate::{
    GOAL_SLACK,
    checker::{Changes, check, one_session_an_account},
    client::Client,
    game::{begun, host, is_playing, is_rated_once, join, report, seat},
    goal,
    lobby::Cluster,
    until, until_within,
};

#[test]
fn two_nodes_see_each_other() {
    let Some(mut cluster) = Cluster::start(2) else {
        return;
    };
    for lease in ["lead", "coordinator", "outside", "single"] {
        cluster.holder(lease);
    }
    let slots = cluster.nodes.iter().map(|node| node.holds("slot"));
    assert!(slots.into_iter().all(|holds| holds));
    let orion = cluster.sign_in(0, "orion");
    let vega = cluster.sign_in(1, "vega");
    cluster.pictures_agree(goal(2));
    assert_eq!(orion.picture().players.len(), 2);
    // Somebody who comes later is shown everybody at once, and everybody is told when they go.
    let lyra = cluster.sign_in(0, "lyra");
    assert!(lyra.picture().players.contains_key(&vega.id()));
    cluster.pictures_agree(goal(2));
    orion.leave();
    cluster.pictures_agree(goal(2));
    check(&mut cluster);
}

#[test]
fn a_node_that_is_alone_with_nats_serves_as_any_other() {
    let Some(mut cluster) = Cluster::start(1) else {
        return;
    };
    let mut orion = cluster.sign_in(0, "orion");
    let mut vega = cluster.sign_in(0, "vega");
    let uid = begun(&cluster, "duel", &mut [&mut orion, &mut vega]);
    for player in [&orion, &vega] {
        report(player, 2);
    }
    is_rated_once(&cluster, uid, 2);
    check(&mut cluster);
}

#[test]
fn a_game_on_one_node_is_joined_from_another() {
    let Some(mut cluster) = Cluster::start(2) else {
        return;
    };
    let mut orion = cluster.sign_in(0, "orion");
    let mut vega = cluster.sign_in(1, "vega");
    let lyra = cluster.sign_in(1, "lyra");
    cluster.pictures_agree(goal(2));
    let uid = host(&mut orion, "duel");
    vega.until("the news of the game", |message| {
        message["uid"] == uid && message["state"] == "open"
    });
    join(&mut vega, uid);
    let peer = orion.command("ConnectToPeer");
    assert_eq!(peer["args"], json!(["vega", 12, true]));
    seat(&orion, &[11, 12]);
    // What one game program tells the other crosses in both directions, in its order and once.
    for number in 0..50 {
        orion.game("IceMsg", json!([12, format!("to {number}")]));
        vega.game("IceMsg", json!([11, format!("back {number}")]));
    }
    for (player, word) in [(&mut vega, "to"), (&mut orion, "back")] {
        for number in 0..50 {
            let told = player.command("IceMsg");
            assert_eq!(told["args"][1], format!("{word} {number}"));
        }
    }
    until("lyra to see both in it", || {
        lyra.picture().games[&uid]["num_players"] == 2
    });
    // Who leaves may come back.
    vega.game("GameState", json!(["Ended"]));
    orion.command("DisconnectFromPeer");
    until("vega to be out of it", || {
        lyra.picture().games[&uid]["num_players"] == 1
    });
    join(&mut vega, uid);
    cluster.pictures_agree(goal(2));
    check(&mut cluster);
}

#[test]
fn a_join_that_comes_with_the_news_of_a_game_is_not_refused() {
    let Some(mut cluster) = Cluster::start(2) else {
        return;
    };
    let mut hosts = cluster.crowd(0, 10, &[0]);
    let mut guests = cluster.crowd(10, 10, &[1]);
    cluster.pictures_agree(goal(2));
    for (host_of, guest) in hosts.iter_mut().zip(&mut guests) {
        let uid = host(host_of, "quick");
        // The other node may not have heard of it.
        guest.send(&json!({"command":"game_join","uid":uid}));
        let answer = guest.until("an answer", |message| {
            ["game_launch", "game_join_failed"].contains(&message["command"].as_str().unwrap())
        });
        assert_eq!(answer["command"], "game_launch");
    }
    check(&mut cluster);
}

/// A whole game over three nodes: the host on the first, guests on all.
#[test]
fn a_game_over_three_nodes_is_rated_once() {
    let Some(mut cluster) = Cluster::start(3) else {
        return;
    };
    let mut players: Vec<Client> = [(0, "orion"), (1, "vega"), (2, "lyra"), (0, "nova")]
        .map(|(node, login)| cluster.sign_in(node, login))
        .into();
    let watchers = cluster.crowd(0, 3, &[0, 1, 2]);
    cluster.pictures_agree(goal(2));
    let mut all: Vec<&mut Client> = players.iter_mut().collect();
    let uid = begun(&cluster, "two and two", &mut all);
    for watcher in &watchers {
        until("everybody to see it played", || {
            let picture = watcher.picture();
            picture.games.get(&uid).is_some_and(is_playing(uid))
        });
    }
    for player in &players {
        report(player, 4);
    }
    is_rated_once(&cluster, uid, 4);
    for watcher in &watchers {
        until(
            "the new ratings to be seen, and the game to be gone",
            || {
                let picture = watcher.picture();
                let played = |player: &Client| {
                    let entry = picture.players.get(&player.id());
                    entry.is_some_and(|entry| entry["number_of_games"] == 1)
                };
                players.iter().all(played) && !picture.games.contains_key(&uid)
            },
        );
    }
    check(&mut cluster);
}

#[test]
fn numbers_of_games_are_given_out_once_whoever_gives_them() {
    let Some(mut cluster) = Cluster::start(3) else {
        return;
    };
    let mut hosts = cluster.crowd(0, 12, &[0, 1, 2]);
    let uids: BTreeSet<u64> = hosts
        .iter_mut()
        .map(|player| host(player, "mine"))
        .collect();
    assert_eq!(uids.len(), hosts.len());
    let slots: BTreeSet<u64> = uids.iter().map(|uid| uid % 64).collect();
    assert_eq!(slots.len(), 3, "{uids:?}");
    check(&mut cluster);
}

// The row "one account signs in on 3 nodes at once".
#[test]
fn one_account_on_three_nodes_at_once_stays_on_the_newest() {
    let Some(mut cluster) = Cluster::start(3) else {
        return;
    };
    let watchers = cluster.crowd(0, 3, &[0, 1, 2]);
    for round in 0..10 {
        // In another order each time, so that another one is the last.
        let clients = [0, 1, 2].map(|n| cluster.greeting((n + round) % 3, "orion"));
        let inside = || clients.iter().filter(|client| client.heard.is_in()).count();
        until("one of them to be in alone", || {
            let said = clients.iter().filter(|client| {
                let log = client.heard.log();
                log.welcomed.is_some() || log.ended.is_some()
            });
            said.count() == 3 && inside() == 1
        });
        cluster.pictures_agree(goal(2));
        one_session_an_account(&cluster);
        for client in clients.iter().filter(|client| !client.heard.is_in()) {
            let words = client.last_words();
            let notice = words.iter().rfind(|message| message["command"] == "notice");
            let text = notice.map(|notice| notice["text"].clone());
            let elsewhere = "You have been signed out because you signed in elsewhere.";
            assert_eq!(text, Some(json!(elsewhere)), "{words:?}");
        }
    }
    drop(watchers);
    check(&mut cluster);
}

/// One after the other on other nodes, the newest stays, and nobody sees them go.
#[test]
fn somebody_who_changes_nodes_is_there_all_the_time() {
    let Some(mut cluster) = Cluster::start(3) else {
        return;
    };
    let watchers = cluster.crowd(0, 3, &[0, 1, 2]);
    let mut before = cluster.sign_in(0, "orion");
    for node in [1, 2, 0, 2] {
        let now = cluster.sign_in(node, "orion");
        before.until_ended();
        cluster.pictures_agree(goal(2));
        before = now;
    }
    drop(watchers);
    check(&mut cluster);
}

#[test]
fn a_node_that_joins_a_lobby_has_the_whole_picture() {
    let Some(mut cluster) = Cluster::start(2) else {
        return;
    };
    let _crowd = cluster.crowd(0, 100, &[0, 1]);
    let mut hosts = cluster.crowd(100, 20, &[0, 1]);
    for (n, player) in hosts.iter_mut().enumerate() {
        host(player, &format!("game {n}"));
    }
    cluster.pictures_agree(goal(2));
    let newest = cluster.add();
    cluster.agree(3);
    let newcomer = cluster.sign_in(newest, "orion");
    // All that there was is in the lists of a newcomer, not only in what follows.
    let shown = newcomer.picture();
    assert_eq!((shown.players.len(), shown.games.len()), (121, 20));
    cluster.pictures_agree(goal(2));
    check(&mut cluster);
}

/// Every change is seen by all within a tick and what the design allows on top.
#[test]
fn changes_are_seen_by_all_soon() {
    let Some(mut cluster) = Cluster::start(3) else {
        return;
    };
    let watchers = cluster.crowd(0, 12, &[0, 1, 2]);
    let mut orion = cluster.sign_in(0, "orion");
    cluster.pictures_agree(goal(2));
    let uid = host(&mut orion, "change");
    let mut changes = Changes::of(uid);
    for _ in 0..100 {
        changes.make(&orion);
        orion.is_heard();
    }
    let heard: Vec<_> = watchers.iter().map(|watcher| &*watcher.heard).collect();
    until("everybody to know", || {
        heard.iter().all(|watcher| changes.is_known_to(watcher))
    });
    let slowest = changes.slowest(&heard);
    let goal = Duration::from_millis(50 + 60) * GOAL_SLACK;
    println!("a change seen by all: {slowest:.2?}, at most {goal:.2?}");
    assert!(slowest < goal, "{slowest:?}");
    check(&mut cluster);
}

/// VCMI lives on one node, and the balancer can ask which.
#[test]
fn lobbies_that_live_on_one_node_say_where() {
    let Some(mut cluster) = Cluster::start(2) else {
        return;
    };
    let home = cluster.holder("single");
    for (place, node) in cluster.nodes.iter().enumerate() {
        let expected = if place == home { 200 } else { 503 };
        until("the health endpoint to say so", || {
            node.health("/ready?of=vcmi") == Some(expected)
        });
        assert_eq!(node.health("/ready"), Some(200));
    }
    cluster.kill(home);
    let other = 1 - home;
    until_within(goal(7), "the other node to have it", || {
        cluster.nodes[other].health("/ready?of=vcmi") == Some(200)
    });
    check(&mut cluster);
}

/// An orderly stop of one node of several: the others need not wait for it to be missed.
#[test]
fn a_node_that_is_stopped_in_order_leaves_at_once() {
    let Some(mut cluster) = Cluster::start(3) else {
        return;
    };
    let going = cluster.holder("coordinator");
    let stay: Vec<usize> = (0..3).filter(|&node| node != going).collect();
    let watchers = cluster.crowd(0, 4, &stay);
    let mut leaving = cluster.crowd(4, 4, &[going]);
    cluster.pictures_agree(goal(2));
    cluster.nodes[going].terminate();
    cluster.goes_away(going);
    for client in &mut leaving {
        client.until_ended();
    }
    assert_eq!(cluster.nodes[going].ended(), Some(0));
    until_within(goal(2), "the others to know", || {
        let others = cluster.nodes.iter().filter(|node| node.runs());
        others
            .map(|node| node.metric("muster_cluster_members"))
            .all(|count| count == 2.0)
    });
    assert_ne!(cluster.holder("coordinator"), going);
    // Whoever comes back elsewhere is there, as those who stayed.
    let back: Vec<Client> = leaving
        .iter()
        .map(|client| cluster.sign_in(stay[0], client.login()))
        .collect();
    cluster.pictures_agree(goal(12));
    drop((watchers, back));
    check(&mut cluster);
}

// "Rolling stop": the node that goes may be one that does nothing for all.
#[test]
fn a_node_that_has_nothing_to_hand_over_waits_for_nobody() {
    let Some(mut cluster) = Cluster::start(2) else {
        return;
    };
    let going = 1 - cluster.holder("coordinator");
    cluster.pictures_agree(goal(2));
    let begun = Instant::now();
    cluster.nodes[going].terminate();
    cluster.goes_away(going);
    assert_eq!(cluster.nodes[going].ended(), Some(0));
    assert!(begun.elapsed() < goal(2), "{:?}", begun.elapsed());
}

// "Ready when all parts are there (/ready says 503 until then)".
#[test]
fn a_node_that_joins_is_ready_when_it_knows_what_the_others_have() {
    let Some(mut cluster) = Cluster::start(1) else {
        return;
    };
    let orion = cluster.sign_in(0, "orion");
    // What the first node says takes its time, and so does what it hears: the newcomer is in long before it is shown anything.
    cluster.nodes[0].bus.delay(Duration::from_millis(400));
    let place = cluster.add_unready();
    let node = &cluster.nodes[place];
    let mut was_behind = false;
    until("the node to be ready", || {
        let is_member = node.metric("muster_cluster_members") == 2.0 && !node.is_island();
        let is_ready = node.is_ready();
        was_behind |= is_member && !is_ready && node.health("/live") == Some(200);
        is_ready
    });
    assert!(was_behind, "it was ready before it could know anybody");
    let vega = cluster.sign_in(place, "vega");
    assert!(vega.picture().players.contains_key(&orion.id()));
    cluster.nodes[0].bus.delay(Duration::ZERO);
    cluster.pictures_agree(goal(2));
    check(&mut cluster);
}
