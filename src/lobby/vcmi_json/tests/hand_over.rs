//! Another process goes on with the lobby, and no client can tell.

use std::sync::Arc;

use serde_json::json;

use super::*;

fn hand_over(stage: &mut Stage) {
    let shards = stage.sim.shards();
    let settings = Arc::new(settings());
    stage.sim.settle();
    let make = |shard| VcmiJson::new(shard, shards, settings.clone());
    stage.sim.hand_over(make);
}

/// checklist: vcmi-json 99
#[test]
fn rooms_players_and_what_was_said_go_on() {
    each(|stage| {
        let all = ["hosting", "guest", "third"].map(|name| stage.player(name));
        let [host, guest, third] = &all;
        let control = stage.room(host, "room", "public", 2);
        stage.join(guest, "room");
        stage.say(guest.conn, chat("global", "english", "before"));
        hand_over(stage);
        stage.hear(control);
        assert_eq!(reason(&stage.join(third, "room")), "Room is already full!");
        stage.say(control, json!({ "type": "gameStarted" }));
        let (_, said) = stage.login(&third.who);
        assert_eq!(said[1]["messages"][0]["messageText"], "before");
        assert_eq!(said[3]["gameRooms"][0]["status"], "busy");
        hand_over(stage);
        stage.hear(guest.conn);
        stage.sim.disconnect(control);
        stage.sim.settle();
        assert_eq!(kinds(&stage.hear(guest.conn))[0], "matchesHistory");
    });
}
