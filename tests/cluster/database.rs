//! The database is gone, for one node or for all.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::{
    GOAL_SLACK,
    checker::{Changes, check},
    client::Client,
    game::{begun, host, is_rated_once, rated, report},
    goal,
    lobby::Cluster,
    support::proxy::Line,
    until, until_within,
};

const AWAY: &str = "Unable to connect to database. Please try again later.";

// The row "one node cut from the database only".
#[test]
fn a_node_is_cut_from_the_database() {
    let Some(mut cluster) = Cluster::start(3) else {
        return;
    };
    let victim = cluster.holder("lead");
    let rest: Vec<usize> = (0..3).filter(|&node| node != victim).collect();
    for line in [Line::Cut, Line::Stalled] {
        let mut stays = cluster.sign_in(victim, "lyra");
        let watchers = cluster.crowd(0, 4, &rest);
        cluster.pictures_agree(goal(2));
        cluster.nodes[victim].store.set(line);
        cluster.goes_away(victim);
        until_within(goal(7), "the island to know", || {
            cluster.nodes[victim].is_island()
        });
        for lease in ["lead", "coordinator", "outside", "single"] {
            assert!(!cluster.nodes[victim].holds(lease), "{lease}");
        }
        // Others have what it had.
        let leader = cluster.holder("lead");
        assert!(rest.contains(&leader));
        // Sign-ins there are told why not, whoever is in stays in.
        let mut turned_away = cluster.greeting(victim, "vega");
        let told = turned_away.until_ended();
        let notice = json!({"command":"notice","style":"error","text":AWAY});
        assert_eq!(told.last(), Some(&notice), "{told:?}");
        stays.is_heard();
        let (orion, _) = cluster.sign_in_at_last(rest[0], "orion");
        // Whichever node has their claims.
        let newcomers: Vec<String> = (20..32).map(|n| format!("p{n}")).collect();
        for (n, login) in newcomers.iter().enumerate() {
            let (_, refused) = cluster.sign_in_at_last(rest[n % 2], login);
            assert_eq!(refused, 0, "{login}");
        }
        cluster.nodes[victim].store.set(Line::Whole);
        cluster.agree(3);
        cluster.is_back(victim);
        stays.is_heard();
        drop((watchers, orion));
        check(&mut cluster);
    }
}

// The row "database down for all".
#[test]
fn the_database_is_down_for_all() {
    let Some(mut cluster) = Cluster::start(3) else {
        return;
    };
    let mut players: Vec<Client> = [(0, "orion"), (1, "vega"), (2, "lyra"), (1, "nova")]
        .map(|(node, login)| cluster.sign_in(node, login))
        .into();
    let mut mira = cluster.sign_in(2, "mira");
    let changing = host(&mut mira, "change");
    let watchers = cluster.crowd(0, 6, &[0, 1, 2]);
    let mut all: Vec<&mut Client> = players.iter_mut().collect();
    let uid = begun(&cluster, "two and two", &mut all);
    cluster.pictures_agree(goal(2));
    let views = cluster.views();
    for node in &cluster.nodes {
        node.store.set(Line::Cut);
    }
    // Longer than any lease lasts: broadcasts go on all the time, on all nodes.
    let mut changes = Changes::of(changing);
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(9) {
        changes.make(&mira);
        mira.is_heard();
        until("everybody to know", || {
            watchers
                .iter()
                .all(|watcher| changes.is_known_to(&watcher.heard))
        });
    }
    let heard: Vec<_> = watchers.iter().map(|watcher| &*watcher.heard).collect();
    let slowest = changes.slowest(&heard);
    println!("{} changes, the slowest {slowest:.2?}", changes.count());
    assert!(
        slowest < Duration::from_millis(110) * GOAL_SLACK,
        "{slowest:?}"
    );
    for player in &players {
        report(player, 4);
    }
    for player in players.iter_mut().chain([&mut mira]) {
        player.is_heard();
    }
    assert_eq!(cluster.views(), views, "the view is frozen");
    assert_eq!(rated(&cluster, uid), 0);
    for node in &cluster.nodes {
        node.store.set(Line::Whole);
    }
    is_rated_once(&cluster, uid, 4);
    cluster.agree(3);
    cluster.sign_in_at_last(0, "metronome");
    check(&mut cluster);
}
