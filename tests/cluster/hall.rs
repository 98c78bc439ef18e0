//! Searches and matches: coordinated by one node for all, and by another when that one is gone.

use serde_json::{Value, json};

use crate::{
    checker::check, client::Client, game::enter, goal, lobby::Cluster, until, until_within,
};

const QUEUE: &str = "ladder1v1";
/// Queues pop every second or so, and matches that do not come up end soon.
const QUICK: &[&str] = &[
    "matchmaking.pop_longest_s=2",
    "matchmaking.pop_shortest_s=0.5",
    "matchmaking.setup_s=5",
    "matchmaking.setup_per_guest_s=1",
    "matchmaking.newbie_time_bonus=3",
    "matchmaking.violations_enabled=false",
];

fn search(player: &Client, state: &str) {
    player
        .send(&json!({"command":"game_matchmaking","state":state,"queue_name":QUEUE,"faction":1}));
}

/// What somebody must believe of himself after all that he was told.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Belief {
    Idle,
    Searching,
    Matched,
}

fn belief(player: &Client) -> Belief {
    let log = player.heard.log();
    let mut belief = Belief::Idle;
    for (_, message) in &log.messages {
        match message["command"].as_str() {
            Some("search_info") if message["queue_name"] == QUEUE => {
                belief = match message["state"].as_str() {
                    Some("start") => Belief::Searching,
                    _ => Belief::Idle,
                }
            }
            Some("match_found") => belief = Belief::Matched,
            Some("match_cancelled") => belief = Belief::Idle,
            _ => {}
        }
    }
    belief
}

/// Whether what somebody believes is so: who is idle may search, who searches may stop. Both leave him idle.
fn is_true(player: &mut Client) -> Result<(), String> {
    let login = player.login().to_owned();
    player.skip();
    let told = |player: &mut Client| {
        player.until("an answer", |message| {
            ["search_info", "notice", "match_found"].contains(&message["command"].as_str().unwrap())
        })
    };
    let orders: &[&str] = match belief(player) {
        Belief::Idle => &["start", "stop"],
        Belief::Searching => &["stop"],
        Belief::Matched => return Err(format!("{login} is in a match")),
    };
    for order in orders {
        search(player, order);
        let answer = told(player);
        if answer["command"] == "search_info" && answer["state"] == *order {
            continue;
        }
        return Err(format!("{login}, told to {order}: {answer}"));
    }
    Ok(())
}

/// All of them search until each has a match.
fn all_are_matched(players: &mut [Client]) {
    for player in players.iter_mut() {
        player.skip();
        search(player, "start");
    }
    for player in players.iter_mut() {
        player.command("match_found");
    }
}

/// Matches end without anybody having played: everybody is idle again.
fn let_go(players: &mut [Client]) {
    for player in players {
        player.command("match_cancelled");
    }
}

#[test]
fn players_of_different_nodes_are_matched_and_play() {
    let Some(mut cluster) = Cluster::with(3, QUICK, &[]) else {
        return;
    };
    let mut players = cluster.crowd(0, 2, &[0, 1]);
    cluster.pictures_agree(goal(2));
    all_are_matched(&mut players);
    // Whoever was chosen as host is told to launch first.
    until("a host", || {
        players.iter().any(|player| launch_of(player).is_some())
    });
    let host = players
        .iter()
        .position(|player| launch_of(player).is_some());
    let host = host.expect("there is one");
    let launch = launch_of(&players[host]).expect("he was told");
    enter(&players[host]);
    players[host].command("HostGame");
    let guest = 1 - host;
    players[guest].until("the launch", |message| {
        message["command"] == "game_launch" && message["uid"] == launch["uid"]
    });
    enter(&players[guest]);
    players[guest].command("JoinGame");
    players[host].command("ConnectToPeer");
    check(&mut cluster);
}

fn launch_of(player: &Client) -> Option<Value> {
    let log = player.heard.log();
    let mut launches = log.messages.iter().map(|(_, message)| message);
    launches
        .rfind(|message| message["command"] == "game_launch")
        .cloned()
}

#[test]
fn parties_have_members_on_several_nodes() {
    let Some(mut cluster) = Cluster::with(2, QUICK, &[]) else {
        return;
    };
    let mut orion = cluster.sign_in(0, "orion");
    let mut vega = cluster.sign_in(1, "vega");
    cluster.pictures_agree(goal(2));
    orion.send(&json!({"command":"invite_to_party","recipient_id":12}));
    vega.command("party_invite");
    vega.send(&json!({"command":"accept_party_invite","sender_id":11}));
    for player in [&mut orion, &mut vega] {
        player.until("a party of two", |message| {
            let members = message["members"].as_array();
            message["command"] == "update_party" && members.is_some_and(|all| all.len() == 2)
        });
    }
    check(&mut cluster);
}

// The row "hall's node killed during a pop".
#[test]
fn the_hall_is_killed_during_a_pop() {
    let Some(mut cluster) = Cluster::with(3, QUICK, &[]) else {
        return;
    };
    let hall = cluster.holder("coordinator");
    let stay: Vec<usize> = (0..3).filter(|&node| node != hall).collect();
    let mut players = cluster.crowd(0, 8, &stay);
    let on_it = cluster.crowd(8, 2, &[hall]);
    cluster.pictures_agree(goal(2));
    for player in players.iter_mut().chain([]) {
        search(player, "start");
    }
    // A pop has begun when the first is told that he is matched; others are still on their way.
    let on_the_way = || {
        players
            .iter()
            .any(|player| belief(player) == Belief::Matched)
    };
    until("the first match", on_the_way);
    cluster.kill(hall);
    until_within(goal(6), "a new hall", || {
        stay.iter()
            .any(|&node| cluster.nodes[node].holds("coordinator"))
    });
    drop(on_it);
    cluster.agree(2);
    // Matches that were being opened fail, or come up and end since nobody plays; then everybody is idle or searching, and
    // it is true.
    until_within(goal(20), "everybody to be out of their match", || {
        players
            .iter()
            .all(|player| belief(player) != Belief::Matched)
    });
    let mut untrue = Vec::new();
    until("what everybody believes to be true", || {
        untrue = players
            .iter_mut()
            .filter_map(|player| is_true(player).err())
            .collect();
        untrue.is_empty()
    });
    all_are_matched(&mut players);
    let_go(&mut players);
    check(&mut cluster);
}

/// The hall's node stops in order: nobody who searches notices.
#[test]
fn a_hall_that_is_handed_over_keeps_everybodys_search() {
    let Some(mut cluster) = Cluster::with(2, &["matchmaking.pop_longest_s=10000"], &[]) else {
        return;
    };
    let hall = cluster.holder("coordinator");
    let other = 1 - hall;
    let mut players = cluster.crowd(0, 4, &[other]);
    for player in &mut players {
        search(player, "start");
        player.command("search_info");
        player.skip();
    }
    cluster.nodes[hall].terminate();
    cluster.goes_away(hall);
    cluster.nodes[hall].ended();
    assert_eq!(cluster.holder("coordinator"), other);
    cluster.agree(1);
    for player in &mut players {
        player.is_heard();
        assert_eq!(
            belief(player),
            Belief::Searching,
            "{:?}",
            player.last_words()
        );
        is_true(player).unwrap();
    }
    check(&mut cluster);
}
