//! Talking, and what was said.

use serde_json::json;

use super::*;

fn texts(history: &Value) -> Vec<&str> {
    let lines = history["messages"].as_array().expect("a history").iter();
    lines
        .filter_map(|one| one["messageText"].as_str())
        .collect()
}

fn history(kind: &str, channel: &str) -> Value {
    json!({ "type": "requestChatHistory", "channelType": kind, "channelName": channel })
}

/// checklist: vcmi-json 36, 37, 38, 39, 43, 44
#[test]
fn everybody_hears_a_language_and_its_last_hundred_lines_are_told() {
    each(|stage| {
        let (alice, bobby) = (stage.player("alice"), stage.player("bobby"));
        stage.hear(alice.conn);
        let said = stage.say(alice.conn, chat("global", "polish", " {zażółć} "));
        assert_eq!(said, stage.hear(bobby.conn));
        assert_eq!(said[0]["messageText"], " {zażółć} ", "as it was said");
        assert_eq!(said[0]["displayName"], "alice");
        let said = stage.say(alice.conn, chat("global", "klingon", "x"));
        assert_eq!(reason(&said), "Unknown language!");
        let said = stage.say(alice.conn, chat("global", "klingon", "{}\n"));
        assert_eq!(reason(&said), "No printable characters in sent message!");
        for at in 0..105 {
            stage.say(alice.conn, chat("global", "english", &format!("{at}")));
            stage.wait(1);
        }
        let said = stage.say(bobby.conn, history("global", "english"));
        let expected: Vec<String> = (5..105).map(|at| at.to_string()).collect();
        assert_eq!(texts(&said[0]), expected);
        let said = stage.say(bobby.conn, history("global", "nonsense"));
        assert!(texts(&said[0]).is_empty());
        stage.wait(18 * 3600);
        let said = stage.say(bobby.conn, history("global", "english"));
        assert!(texts(&said[0]).is_empty(), "they are too old");
    });
}

/// checklist: vcmi-json 40, 41, 45
#[test]
fn two_players_talk_and_only_they_hear() {
    each(|stage| {
        let all = ["alice", "bobby", "carol"].map(|name| stage.player(name));
        let [alice, bobby, carol] = &all;
        for one in &all {
            stage.hear(one.conn);
        }
        let said = stage.say(alice.conn, chat("player", &bobby.who.id, "psst"));
        assert_eq!(said[0]["channelName"], bobby.who.id);
        let heard = stage.hear(bobby.conn);
        assert_eq!(heard[0]["channelName"], alice.who.id);
        assert!(stage.hear(carol.conn).is_empty());
        let said = stage.say(alice.conn, chat("player", &alice.who.id, "note"));
        assert_eq!(said.len(), 1, "only once to oneself");
        let said = stage.say(alice.conn, chat("player", "nobody", "x"));
        assert_eq!(reason(&said), "Such player does not exists!");
        stage.sim.disconnect(bobby.conn);
        stage.say(alice.conn, chat("player", &bobby.who.id, "later"));
        let (bobby_again, _) = stage.login(&bobby.who);
        let said = stage.say(bobby_again, history("player", &alice.who.id));
        assert_eq!(texts(&said[0]), ["psst", "later"]);
        assert_eq!(
            said[0]["channelName"], alice.who.id,
            "under the name that was asked for"
        );
        let said = stage.say(alice.conn, history("player", "nobody"));
        assert_eq!(reason(&said), "Such player does not exists!");
    });
}

/// checklist: vcmi-json 42, 45
#[test]
fn a_room_talks_here_when_its_match_is_over() {
    each(|stage| {
        let (host, guest) = (stage.player("hosting"), stage.player("visiting"));
        let control = stage.room(&host, "room", "public", 2);
        let why = "Can not access room you are not part of!";
        assert_eq!(
            reason(&stage.say(guest.conn, chat("match", "room", "x"))),
            why
        );
        assert_eq!(
            reason(&stage.say(guest.conn, chat("match", "none", "x"))),
            why
        );
        assert_eq!(
            reason(&stage.say(guest.conn, history("match", "room"))),
            why
        );
        stage.join(&guest, "room");
        stage.hear(guest.conn);
        assert!(
            stage
                .say(host.conn, chat("match", "room", "in the room"))
                .is_empty()
        );
        stage.send(control, json!({ "type": "gameStarted" }));
        stage.sim.settle();
        stage.sim.disconnect(control);
        stage.sim.settle();
        stage.hear(guest.conn);
        let said = stage.say(host.conn, chat("match", "room", "well played"));
        assert_eq!(kinds(&said), ["chatMessage"]);
        assert_eq!(said, stage.hear(guest.conn));
        let said = stage.say(guest.conn, history("match", "room"));
        assert_eq!(texts(&said[0]), ["in the room", "well played"]);
        assert_eq!(
            reason(&stage.say(guest.conn, history("match", "none"))),
            why
        );
    });
}

/// Whoever signs in while others talk misses nothing and hears nothing twice. checklist: vcmi-json 32
#[test]
fn a_newcomer_hears_each_line_once() {
    for seed in 0..40 {
        let mut stage = stage(3, seed, settings());
        stage.sim.eager = false;
        let (alice, who) = (stage.player("alice"), stage.register("bobby"));
        let conn = stage.connect();
        for at in 0..6 {
            stage.send(alice.conn, chat("global", "english", &format!("{at}")));
            if at == 2 {
                stage.send(conn, login(&who));
            }
        }
        stage.sim.settle();
        let said = stage.hear(conn);
        let mut heard: Vec<&str> = texts(&said[1]);
        let later = said.iter().filter(|one| one["type"] == "chatMessage");
        heard.extend(later.filter_map(|one| one["messageText"].as_str()));
        assert_eq!(heard, ["0", "1", "2", "3", "4", "5"], "seed {seed}");
    }
}
