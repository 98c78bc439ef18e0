//! What administrators and moderators do to players on any shard (spec: faf-messages 3.15).

use super::*;
use crate::Closing;

/// p1 may do everything, p2 may kick.
pub(super) fn permitted(player_id: u32, permission: &str) -> bool {
    player_id == 1 || player_id == 2 && permission == "ADMIN_KICK_SERVER"
}

fn admin(sim: &mut Sim, conn: ConnId, action: &str, fields: Value) -> Vec<Value> {
    let mut message = json!({"command": "admin", "action": action});
    for (key, value) in fields.as_object().expect("fields are an object") {
        message[key] = value.clone();
    }
    say(sim, conn, message)
}

// checklist: faf 264, 265, 271
#[test]
fn a_game_is_killed_and_a_connection_ended() {
    each(|mut sim, shards| {
        for moderator in [1, 2] {
            let a = player(&mut sim, moderator, 0);
            let b = player(&mut sim, 12, shards - 1);
            assert!(admin(&mut sim, a, "closeFA", json!({"user_id": 12})).is_empty());
            assert_eq!(sim.take(b), [json!({"command": "notice", "style": "kill"})]);
            assert!(admin(&mut sim, a, "closelobby", json!({"user_id": "12"})).is_empty());
            assert_eq!(sim.take(b), [json!({"command": "notice", "style": "kick"})]);
            assert_eq!(sim.client(b).closed, Some(Closing::Flushed));
            for action in ["closeFA", "closelobby"] {
                for nobody in [12, -1] {
                    assert!(admin(&mut sim, a, action, json!({"user_id": nobody})).is_empty());
                }
            }
            assert!(sim.client(a).closed.is_none());
            tick(&mut sim);
            let told = sim.take(a);
            assert_eq!(told[0]["players"][0]["state"], "offline");
        }
    });
}

// checklist: faf 266, 267, 128
#[test]
fn everybody_is_told() {
    each(|mut sim, shards| {
        let a = player(&mut sim, 1, 0);
        let b = player(&mut sim, 12, shards - 1);
        let stranger = sim.connect(shards - 1);
        let notice = json!({"command": "notice", "style": "info", "text": "Restart at noon"});
        let told = admin(
            &mut sim,
            a,
            "broadcast",
            json!({"message": "Restart at noon"}),
        );
        assert_eq!(told, std::slice::from_ref(&notice));
        assert_eq!(sim.take(b), [notice]);
        for nothing in [json!({}), json!({"message": ""}), json!({"message": null})] {
            assert!(admin(&mut sim, a, "broadcast", nothing).is_empty());
        }
        assert!(sim.take(b).is_empty() && sim.take(stranger).is_empty());
        admin(
            &mut sim,
            a,
            "broadcast",
            json!({"message": "x".repeat(200 << 10)}),
        );
        let cut = sim.take(b)[0]["text"].as_str().map(str::len);
        assert_eq!(cut, Some(crate::faf::model::limits::BROADCAST_BYTES));
        let broken = admin(&mut sim, a, "broadcast", json!({"message": [1]}));
        assert_eq!(commands(&broken), ["invalid"]);
    });
}

// checklist: faf 268
#[test]
fn players_are_called_into_a_channel() {
    each(|mut sim, shards| {
        let a = player(&mut sim, 1, 0);
        let b = player(&mut sim, 12, shards - 1);
        let c = player(&mut sim, 13, shards - 1);
        sim.take(b);
        let call = json!({"user_ids": [12, 77, "1"], "channel": "#arena"});
        let social = json!({"command": "social", "autojoin": ["#arena"]});
        assert_eq!(
            admin(&mut sim, a, "join_channel", call),
            std::slice::from_ref(&social)
        );
        assert_eq!(sim.take(b), [social]);
        assert!(sim.take(c).is_empty());
    });
}

// checklist: faf 269, 270, 272
#[test]
fn who_may_not_is_not_answered() {
    each(|mut sim, shards| {
        let b = player(&mut sim, 12, shards - 1);
        for (who, actions) in [
            (
                3,
                &["closeFA", "closelobby", "broadcast", "join_channel"][..],
            ),
            (2, &["broadcast", "join_channel"]),
            (1, &["dance"]),
        ] {
            let conn = player(&mut sim, who, 0);
            for action in actions {
                let all = json!({"user_id": 12, "user_ids": [12], "channel": "#c", "message": "m"});
                assert!(admin(&mut sim, conn, action, all).is_empty());
                // Fields are not looked at before the permission is.
                assert!(admin(&mut sim, conn, action, json!({"message": "m"})).is_empty());
                assert!(admin(&mut sim, conn, action, json!({"message": [1]})).is_empty());
            }
            assert!(sim.client(conn).closed.is_none());
            tick(&mut sim);
        }
        let told = sim.take(b);
        assert!(
            told.iter().all(|m| m["command"] == "player_info"),
            "{told:?}"
        );
    });
}

// checklist: faf 269
#[test]
fn missing_fields_end_the_connection_of_who_may() {
    each(|mut sim, _| {
        for fields in [
            json!({"action": "closeFA"}),
            json!({"action": "closelobby"}),
            json!({"action": "join_channel", "channel": "#c"}),
            json!({"action": "join_channel", "user_ids": [1]}),
            json!({"action": "closeFA", "user_id": "x"}),
            json!({}),
        ] {
            let conn = player(&mut sim, 1, 0);
            let mut message = fields;
            message["command"] = json!("admin");
            assert!(say(&mut sim, conn, message).is_empty());
            assert!(sim.client(conn).closed.is_some());
        }
    });
}
