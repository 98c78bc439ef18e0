//! Friends and foes of the host of a game that is open already, on any shard (spec: faf-messages 3.13, N#1029).

use super::*;

fn relate(sim: &mut Sim, conn: ConnId, command: &str, fields: Value) {
    let mut message = fields;
    message["command"] = json!(command);
    assert!(say(sim, conn, message).is_empty(), "there is no reply");
}

/// What a player is told of a game at once, before any tick.
fn states(sim: &mut Sim, conn: ConnId, uid: u32) -> Vec<Value> {
    let told = sim.take(conn);
    let of_it = told.iter().filter(|m| m["uid"] == uid);
    of_it.map(|m| m["state"].clone()).collect()
}

// checklist: faf 131, 132, 133, 142, 252
#[test]
fn friends_see_a_game_that_is_open_already() {
    each(|mut sim, shards| {
        let host = player(&mut sim, 12, 0);
        let login_id = player(&mut sim, 13, shards - 1);
        let other = player(&mut sim, 14, shards / 2);
        let uid = hosted(&mut sim, host, json!({"visibility": "friends"}));
        tick(&mut sim);
        assert_eq!(states(&mut sim, login_id, uid), [json!(null); 0]);
        // The list that counts is the host's.
        relate(&mut sim, login_id, "social_add", json!({"friend": 12}));
        assert_eq!(states(&mut sim, login_id, uid), [json!(null); 0]);
        // Both fields: the friend is meant.
        relate(
            &mut sim,
            host,
            "social_add",
            json!({"friend": 13, "foe": 14}),
        );
        assert_eq!(states(&mut sim, login_id, uid), [json!("open")]);
        relate(&mut sim, host, "social_remove", json!({"friend": 13}));
        assert_eq!(states(&mut sim, login_id, uid), [json!("closed")]);
        // From friend to foe: what they do not see does not change.
        relate(&mut sim, host, "social_add", json!({"foe": 13}));
        tick(&mut sim);
        assert_eq!(states(&mut sim, login_id, uid), [json!(null); 0]);
        assert_eq!(states(&mut sim, other, uid), [json!(null); 0]);
    });
}

// checklist: faf 129, 130, 254
#[test]
fn a_foe_loses_sight_of_an_open_game() {
    each(|mut sim, shards| {
        let host = player(&mut sim, 12, 0);
        let login_id = player(&mut sim, 13, shards - 1);
        let uid = hosted(&mut sim, host, json!({}));
        tick(&mut sim);
        assert_eq!(states(&mut sim, login_id, uid), [json!("open")]);
        relate(&mut sim, host, "social_add", json!({"friend": 13}));
        relate(&mut sim, host, "social_add", json!({"foe": 13}));
        assert_eq!(states(&mut sim, login_id, uid), [json!("closed")]);
        configure(&mut sim, host, 12, 1, 2);
        tick(&mut sim);
        assert_eq!(states(&mut sim, login_id, uid), [json!(null); 0]);
        let again = sim.connect(0);
        let list = say(&mut sim, again, hello(13));
        let games = list.iter().find(|m| m["command"] == "game_info");
        assert_eq!(games.expect("a list of games")["games"], json!([]));
    });
}
