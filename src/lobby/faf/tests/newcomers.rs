//! A newcomer's list of games has them as they are, not as they were at the last tick, whichever shard they are on (spec:
//! faf-lifecycle 3.4, step 14; 9; 10.3; 10.6).

use super::*;

/// The list of games that somebody gets who signs in on a shard now.
fn list_of(sim: &mut Sim, id: u32, shard: u16) -> Vec<Value> {
    let conn = sim.connect(shard);
    let told = say(sim, conn, hello(id));
    let list = told.iter().find(|m| m["command"] == "game_info");
    let games = list.expect("a list of games")["games"].as_array().cloned();
    sim.disconnect(conn);
    games.expect("games are a list")
}

/// What every list has of a game, wherever one signs in.
fn everywhere(sim: &mut Sim, shards: u16, what: &str) -> Vec<Value> {
    let lists = (0..shards).map(|shard| {
        let games = list_of(sim, 100 + u32::from(shard), shard);
        games
            .iter()
            .map(|game| game[what].clone())
            .collect::<Vec<_>>()
    });
    let mut lists: Vec<_> = lists.collect();
    lists.dedup();
    assert_eq!(
        lists.len(),
        1,
        "the shards tell different things: {lists:?}"
    );
    lists.remove(0)
}

// checklist: faf 141
#[test]
fn what_has_changed_since_the_tick_is_in_the_list() {
    each(|mut sim, shards| {
        let host = player(&mut sim, 12, 0);
        tick(&mut sim);
        hosted(&mut sim, host, json!({"title": "one"}));
        assert_eq!(everywhere(&mut sim, shards, "state"), ["open"]);
        say(&mut sim, host, game("GameOption", json!(["Title", "two"])));
        configure(&mut sim, host, 12, 1, 2);
        assert_eq!(everywhere(&mut sim, shards, "title"), ["two"]);
        assert_eq!(everywhere(&mut sim, shards, "num_players"), [1]);
        state(&mut sim, host, "Launching");
        assert_eq!(everywhere(&mut sim, shards, "state"), ["playing"]);
        state(&mut sim, host, "Ended");
        assert_eq!(everywhere(&mut sim, shards, "state"), [json!(null); 0]);
    });
}

// checklist: faf 129, 131, 132
#[test]
fn the_hosts_friends_and_foes_count_at_once_and_later() {
    each(|mut sim, shards| {
        let host = player(&mut sim, 12, 0);
        hosted(&mut sim, host, json!({"visibility": "friends"}));
        tick(&mut sim);
        let lists = |sim: &mut Sim| {
            let all = (0..shards).map(|shard| list_of(sim, 13, shard).len());
            all.collect::<Vec<_>>()
        };
        let everywhere = |count: usize| vec![count; usize::from(shards)];
        assert_eq!(lists(&mut sim), everywhere(0));
        for later in [false, true] {
            say(
                &mut sim,
                host,
                json!({"command": "social_add", "friend": 13}),
            );
            if later {
                tick(&mut sim);
            }
            assert_eq!(lists(&mut sim), everywhere(1), "later: {later}");
            say(
                &mut sim,
                host,
                json!({"command": "social_remove", "friend": 13}),
            );
            if later {
                tick(&mut sim);
            }
            assert_eq!(lists(&mut sim), everywhere(0), "later: {later}");
        }
    });
}

// checklist: faf 129
#[test]
fn what_is_not_announced_is_in_the_list() {
    each(|mut sim, shards| {
        let host = player(&mut sim, 12, 0);
        let watcher = player(&mut sim, 14, shards - 1);
        let launch = say(
            &mut sim,
            host,
            json!({"command": "game_host", "visibility": "public"}),
        );
        let uid = launch[0]["uid"].as_u64().expect("uid is a number") as u32;
        tick(&mut sim);
        assert_eq!(everywhere(&mut sim, shards, "state"), [json!(null); 0]);
        sim.take(watcher);
        state(&mut sim, host, "Idle");
        assert_eq!(everywhere(&mut sim, shards, "state"), ["open"]);
        tick(&mut sim);
        assert_eq!(everywhere(&mut sim, shards, "state"), ["open"]);
        let told = sim.take(watcher);
        let games: Vec<_> = told.iter().filter(|m| m["uid"] == uid).collect();
        assert!(games.is_empty(), "it is not announced: {games:?}");

        // Somebody drops out of the running game, and comes back.
        state(&mut sim, host, "Lobby");
        let guest = player(&mut sim, 13, shards - 1);
        joined(&mut sim, guest, uid);
        for (id, army) in [(12, 1), (13, 2)] {
            configure(&mut sim, host, id, army, 1 + army);
        }
        state(&mut sim, host, "Launching");
        sim.disconnect(guest);
        tick(&mut sim);
        assert_eq!(everywhere(&mut sim, shards, "num_players"), [1]);
        let again = player(&mut sim, 13, shards / 2);
        say(
            &mut sim,
            again,
            json!({"command": "restore_game_session", "game_id": uid}),
        );
        assert_eq!(everywhere(&mut sim, shards, "num_players"), [2]);
        tick(&mut sim);
        assert_eq!(everywhere(&mut sim, shards, "num_players"), [2]);
    });
}
