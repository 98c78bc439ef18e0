//! A lobby in two parts that know nothing of each other, and one again.

use std::{
    thread,
    time::{Duration, Instant},
};

use crate::{
    checker::{check, one_session_an_account},
    client::Client,
    game::{begun, is_rated_once, report},
    goal,
    lobby::Cluster,
    until,
};

/// How long the parts are apart; `MUSTER_SPLIT_S` says otherwise.
fn apart() -> Duration {
    let seconds = std::env::var("MUSTER_SPLIT_S").map_or(15, |text| text.parse().unwrap());
    Duration::from_secs(seconds)
}

// The row "split 2:1 for 30 s with sign-ins, games, results on both sides".
#[test]
fn two_and_one_go_on_by_themselves_and_come_together() {
    let Some(mut cluster) = Cluster::with(3, &["cluster.grace_s=3"], &[]) else {
        return;
    };
    let mut here: Vec<Client> = [(0, "orion"), (1, "vega"), (0, "nova")]
        .map(|(node, login)| cluster.sign_in(node, login))
        .into();
    let mut there: Vec<Client> = [(2, "lyra"), (2, "mira")]
        .map(|(node, login)| cluster.sign_in(node, login))
        .into();
    // Games of each part, and one that is played over the gap.
    let near = {
        let (first, rest) = here.split_first_mut().unwrap();
        begun(&cluster, "near", &mut [first, &mut rest[0]])
    };
    let far = {
        let (first, rest) = there.split_first_mut().unwrap();
        begun(&cluster, "far", &mut [first, &mut rest[0]])
    };
    let mut over = cluster.crowd(0, 4, &[0, 2]);
    let gap = begun(&cluster, "gap", &mut over.iter_mut().collect::<Vec<_>>());
    cluster.pictures_agree(goal(2));

    cluster.cut_bus(2);
    let begun_at = Instant::now();
    let mut clients = Vec::new();
    let mut round = 0;
    while begun_at.elapsed() < apart() {
        // The same accounts on both sides, and others on one of them only.
        let both = format!("p{}", 20 + round % 4);
        clients.push(cluster.sign_in_at_last(round % 2, &both).0);
        clients.push(cluster.sign_in_at_last(2, &both).0);
        clients.push(
            cluster
                .sign_in_at_last(2, &format!("p{}", 40 + round % 3))
                .0,
        );
        round += 1;
        thread::sleep(Duration::from_millis(300));
    }
    for player in here[..2].iter().chain(&there) {
        report(player, 2);
    }
    is_rated_once(&cluster, near, 2);
    is_rated_once(&cluster, far, 2);
    for player in &over {
        report(player, 4);
    }
    let took = cluster.mend_bus(2, 3);
    println!("together {took:.2?} after the cure, {round} rounds");
    until("one session an account", || {
        let mut logins: Vec<&str> = clients
            .iter()
            .filter(|client| client.heard.is_in())
            .map(Client::login)
            .collect();
        let all = logins.len();
        logins.sort_unstable();
        logins.dedup();
        all == logins.len()
    });
    is_rated_once(&cluster, gap, 4);
    one_session_an_account(&cluster);
    check(&mut cluster);
    is_rated_once(&cluster, near, 2);
    is_rated_once(&cluster, far, 2);
}
