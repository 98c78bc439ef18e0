//! Games: opened, joined, launched, played to their end, and what the database then says of them.

use serde_json::{Value, json};

use crate::{client::Client, lobby::Cluster, until};

/// Opens a game and waits for its lobby; its number.
pub(crate) fn host(host: &mut Client, title: &str) -> u64 {
    host.send(&json!({"command":"game_host","visibility":"public","title":title}));
    let uid = host.command("game_launch")["uid"].as_u64().unwrap();
    enter(host);
    host.command("HostGame");
    uid
}

/// The game program is there.
pub(crate) fn enter(player: &Client) {
    for state in ["Idle", "Lobby"] {
        player.game("GameState", json!([state]));
    }
}

/// Joins a game and waits until it is connected to the host.
pub(crate) fn join(guest: &mut Client, uid: u64) {
    guest.send(&json!({"command":"game_join","uid":uid}));
    guest.command("game_launch");
    enter(guest);
    guest.command("JoinGame");
}

/// The host gives everybody a place: the first half is one team, the second another.
pub(crate) fn seat(host: &Client, ids: &[u64]) {
    for (place, id) in ids.iter().enumerate() {
        let team = if place < ids.len() / 2 { 2 } else { 3 };
        let army = place + 1;
        for (key, value) in [("Army", army), ("Team", team), ("StartSpot", army)] {
            host.game("PlayerOption", json!([id, key, value]));
        }
    }
}

/// Launches, and waits until the game's rows are there.
pub(crate) fn launch(cluster: &Cluster, host: &mut Client, uid: u64) {
    host.game("GameState", json!(["Launching"]));
    host.until("a game that is playing", is_playing(uid));
    enforce_rating(host);
    let row = format!("SELECT gameName FROM game_stats WHERE id = {uid}");
    until("the game's row", || {
        !cluster.database.rows(&row).unwrap().is_empty()
    });
}

/// Somebody says that the game counts: it is too short otherwise.
pub(crate) fn enforce_rating(player: &Client) {
    player.game("EnforceRating", json!([]));
}

/// Tells of a game that it is played.
pub(crate) fn is_playing(uid: u64) -> impl Fn(&Value) -> bool {
    move |message| message["uid"] == uid && message["state"] == "playing"
}

/// Somebody says how it went for all of so many armies, and that it is over for him: the first half has won.
pub(crate) fn report(player: &Client, armies: usize) {
    for army in 1..=armies {
        let outcome = match army <= armies / 2 {
            true => "victory 10",
            false => "defeat -5",
        };
        player.game("GameResult", json!([army, outcome]));
    }
    player.game("GameEnded", json!([]));
    player.game("GameState", json!(["Ended"]));
}

/// A game between these players, seated and launched: the first hosts. Its number.
pub(crate) fn begun(cluster: &Cluster, title: &str, players: &mut [&mut Client]) -> u64 {
    let ids: Vec<u64> = players.iter().map(|player| player.id()).collect();
    let (first, guests) = players.split_first_mut().unwrap();
    let uid = host(first, title);
    for guest in guests {
        guest.until("the news of the game", |message| {
            message["uid"] == uid && message["state"] == "open"
        });
        join(guest, uid);
    }
    seat(first, &ids);
    let seated = ids.len();
    first.until("everybody to be seated", |message| {
        let teams = &message["teams_ids"];
        let seats = teams.as_array().into_iter().flatten();
        let count: usize = seats
            .map(|team| team["player_ids"].as_array().map_or(0, Vec::len))
            .sum();
        message["uid"] == uid && count == seated
    });
    launch(cluster, first, uid);
    uid
}

/// Whether somebody who has come back is let into his game again.
pub(crate) fn restored(player: &mut Client, uid: u64) -> bool {
    player.skip();
    player.send(&json!({"command":"restore_game_session","game_id":uid}));
    player.send(&json!({"command":"ping"}));
    let mut is_refused = false;
    loop {
        let answer = player.until("an answer", |message| {
            message["command"] == "notice" || message["command"] == "pong"
        });
        if answer["command"] == "pong" {
            return !is_refused;
        }
        is_refused = true;
    }
}

/// How many changes of ratings the database has of a game.
pub(crate) fn rated(cluster: &Cluster, uid: u64) -> usize {
    let query = format!(
        "SELECT CAST(COUNT(*) AS CHAR) FROM leaderboard_rating_journal j \
         JOIN game_player_stats p ON p.id = j.game_player_stats_id WHERE p.gameId = {uid}"
    );
    cluster.database.rows(&query).unwrap()[0].parse().unwrap()
}

/// Waits until a game of so many players is rated, once for each of them, with the outcome that [`report`] says.
pub(crate) fn is_rated_once(cluster: &Cluster, uid: u64, players: usize) {
    until(&format!("the ratings of game {uid}"), || {
        rated(cluster, uid) >= players
    });
    assert_eq!(rated(cluster, uid), players, "game {uid}");
    let results = format!(
        "SELECT CAST(result AS CHAR) FROM game_player_stats WHERE gameId = {uid} ORDER BY place"
    );
    let expected: Vec<&str> = (0..players)
        .map(|place| {
            if place < players / 2 {
                "VICTORY"
            } else {
                "DEFEAT"
            }
        })
        .collect();
    assert_eq!(cluster.database.rows(&results).unwrap(), expected);
}
