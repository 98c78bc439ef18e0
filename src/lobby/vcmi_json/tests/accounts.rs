//! Registering, signing in, going.

use serde_json::json;

use super::*;

/// checklist: vcmi-json 20, 21, 22, 23
#[test]
fn names_are_checked_and_taken_once() {
    each(|stage| {
        let conn = stage.connect();
        for name in [
            "abc",
            "a23456789012345678901",
            "with space",
            "zażółć",
            "a_bc",
            "",
        ] {
            let said = stage.say(conn, register(name));
            assert_eq!(reason(&said), "Illegal account name", "{name}");
        }
        let said = stage.say(conn, register("Alice"));
        assert_eq!(kinds(&said), ["accountCreated"]);
        let said = stage.say(conn, register("aLICE"));
        assert_eq!(reason(&said), "Account name already in use");
        let said = stage.say(conn, register("other1"));
        assert_eq!(kinds(&said), ["accountCreated"], "it may register again");
        assert!(!stage.is_closed(conn));
    });
}

/// checklist: vcmi-json 24, 25, 26, 28, 29
#[test]
fn signing_in_tells_everything_in_order() {
    each(|stage| {
        let first = stage.player("first");
        let who = stage.register("alice");
        let conn = stage.connect();
        let wrong = Identity {
            id: "nobody".into(),
            ..who.clone()
        };
        assert_eq!(reason(&stage.say(conn, login(&wrong))), "Account not found");
        let wrong = Identity {
            cookie: first.who.cookie.clone(),
            ..who.clone()
        };
        assert_eq!(
            reason(&stage.say(conn, login(&wrong))),
            "Authentication failure"
        );
        stage.hear(first.conn);
        let mut german = login(&who);
        german["language"] = "german".into();
        let said = stage.say(conn, german);
        assert_eq!(
            kinds(&said),
            [
                "clientLoginSuccess",
                "chatHistory",
                "chatHistory",
                "activeAccounts",
                "activeGameRooms",
                "matchesHistory"
            ]
        );
        assert_eq!(said[0]["accountCookie"], who.cookie);
        assert_eq!(
            [&said[1]["channelName"], &said[2]["channelName"]],
            ["english", "german"]
        );
        let names: Vec<&Value> = said[3]["accounts"]
            .as_array()
            .unwrap()
            .iter()
            .map(|one| &one["displayName"])
            .collect();
        assert_eq!(names, ["first", "alice"], "in order of registration");
        assert_eq!(kinds(&stage.hear(first.conn)), ["activeAccounts"]);
        // A second time is misplaced.
        assert!(stage.say(conn, login(&who)).is_empty());
    });
}

/// checklist: vcmi-json 27, 30
#[test]
fn a_second_login_closes_the_first_and_the_account_stays_there() {
    each(|stage| {
        let watch = stage.player("watch");
        let alice = stage.player("alice");
        stage.hear(watch.conn);
        let (second, said) = stage.login(&alice.who);
        assert!(stage.is_closed(alice.conn));
        assert_eq!(said[2]["accounts"].as_array().map(Vec::len), Some(2));
        stage.sim.settle();
        let said = stage.say(watch.conn, chat("global", "english", "hello"));
        assert_eq!(kinds(&said), ["chatMessage"]);
        assert_eq!(kinds(&stage.hear(second)), ["chatMessage"]);
        assert_eq!(stage.store.borrow().online.get(&alice.who.id), Some(&true));
        stage.sim.disconnect(second);
        stage.sim.settle();
        let said = stage.hear(watch.conn);
        assert_eq!(said[0]["accounts"].as_array().map(Vec::len), Some(1));
        assert_eq!(stage.store.borrow().online.get(&alice.who.id), Some(&false));
    });
}

/// checklist: vcmi-json 15, 16
#[test]
fn what_is_wrong_ends_a_stranger_and_nobody_else() {
    each(|stage| {
        for text in [
            "not json",
            "{}",
            "[]",
            "{\"type\":\"nothing\"}",
            "{\"type\":\"gameStarted\"}",
        ] {
            let conn = stage.connect();
            stage.sim.send(conn, text);
            stage.sim.settle();
            assert!(stage.is_closed(conn), "{text}");
            assert!(stage.hear(conn).is_empty());
        }
        let alice = stage.player("alice");
        let control = stage.match_server(&alice, "room");
        for conn in [alice.conn, control] {
            for text in [
                "not json",
                "{\"type\":\"accountCreated\",\"accountID\":\"x\",\"accountCookie\":\"y\"}",
            ] {
                stage.sim.send(conn, text);
                stage.sim.settle();
                assert!(!stage.is_closed(conn) && stage.hear(conn).is_empty());
            }
        }
        assert!(
            stage
                .say(alice.conn, json!({ "type": "gameStarted" }))
                .is_empty()
        );
        let said = stage.say(control, chat("global", "english", "x"));
        assert!(said.is_empty());
    });
}

/// checklist: vcmi-json 96
#[test]
fn without_a_store_people_are_told_and_what_must_be_written_is_written_later() {
    each(|stage| {
        let alice = stage.player("alice");
        stage.store.borrow_mut().down = true;
        stage.send(alice.conn, chat("global", "english", "kept"));
        stage.sim.settle();
        assert!(
            stage.hear(alice.conn).is_empty(),
            "nobody is told what is not stored"
        );
        let conn = stage.connect();
        stage.send(conn, login(&alice.who));
        stage.wait(2);
        let said = stage.hear(conn);
        let why = "The database is not available, please try again later";
        assert_eq!(reason(&said), why);
        stage.store.borrow_mut().down = false;
        stage.wait(2);
        assert_eq!(kinds(&stage.hear(alice.conn)), ["chatMessage"]);
        assert_eq!(stage.store.borrow().texts(), ["kept"]);
    });
}
