//! Rooms from the sign-in of their match server to its end.

use serde_json::json;

use super::{super::questions::Status, *};

/// checklist: vcmi-json 46, 47, 48, 49
#[test]
fn a_match_server_signs_in_and_its_host_opens_the_room() {
    each(|stage| {
        let (host, other) = (stage.player("hosting"), stage.player("other"));
        let conn = stage.connect();
        let mut wrong = server_login(&host.who, "room");
        wrong["accountCookie"] = other.who.cookie.clone().into();
        assert_eq!(reason(&stage.say(conn, wrong)), "Invalid credentials");
        let said = stage.say(conn, server_login(&host.who, "room"));
        assert_eq!(said[0]["accountCookie"], host.who.cookie);
        stage.hear(other.conn);
        let second = stage.connect();
        let said = stage.say(second, server_login(&other.who, "room"));
        assert_eq!(reason(&said), "A room with this ID exists already");
        let said = stage.say(other.conn, activate(&host.who, "public", 2));
        assert_eq!(reason(&said), "Failed to find idle server to join!");
        let said = stage.say(host.conn, activate(&host.who, "public", 2));
        assert_eq!(kinds(&said), ["activeGameRooms", "joinRoomSuccess"]);
        let room = &said[0]["gameRooms"][0];
        assert_eq!(
            (&room["status"], &room["playerLimit"]),
            (&json!("public"), &json!(2))
        );
        assert_eq!(room["participants"][0]["displayName"], "hosting");
        assert_eq!(kinds(&stage.hear(other.conn)), ["activeGameRooms"]);
        let said = stage.say(host.conn, activate(&host.who, "public", 2));
        assert_eq!(reason(&said), "Player already in the room!");
    });
}

/// checklist: vcmi-json 50, 51, 52, 53, 54, 55, 56, 61
#[test]
fn who_may_join_joins_and_the_match_server_says_who_leaves() {
    each(|stage| {
        let all = ["hosting", "guest", "third"].map(|name| stage.player(name));
        let [host, guest, third] = &all;
        let control = stage.room(host, "room", "public", 2);
        assert_eq!(
            reason(&stage.join(guest, "none")),
            "Failed to find game room to join!"
        );
        let said = stage.join(guest, "room");
        assert_eq!(kinds(&said), ["activeGameRooms"]);
        let heard = stage.hear(control);
        assert_eq!(heard.last().unwrap()["accountID"], guest.who.id);
        assert_eq!(
            reason(&stage.join(guest, "room")),
            "Player already in the room!"
        );
        assert_eq!(reason(&stage.join(third, "room")), "Room is already full!");
        let leave = |who: &str| json!({ "type": "leaveGameRoom", "accountID": who });
        let said = stage.say(control, leave(&third.who.id));
        assert_eq!(reason(&said), "You are not in the room!");
        stage.hear(guest.conn);
        assert!(stage.say(control, leave(&guest.who.id)).is_empty());
        let said = stage.hear(guest.conn);
        assert_eq!(
            said[0]["gameRooms"][0]["participants"]
                .as_array()
                .map(Vec::len),
            Some(1)
        );
        stage.say(control, json!({ "type": "gameStarted" }));
        assert_eq!(
            reason(&stage.join(third, "room")),
            "Room does not accepts new players!"
        );
    });
}

/// checklist: vcmi-json 53, 62, 63, 64, 65
#[test]
fn a_private_room_takes_whom_it_has_invited() {
    each(|stage| {
        let all = ["hosting", "guest", "third"].map(|name| stage.player(name));
        let [host, guest, third] = &all;
        stage.room(host, "room", "private", 3);
        let why = "You are not permitted to join private room without invite!";
        assert_eq!(reason(&stage.join(guest, "room")), why);
        let invite = |who: &str| json!({ "type": "sendInvite", "accountID": who });
        let refused = |stage: &mut Stage, who: &Player, of: &str| {
            let said = stage.say(who.conn, invite(of));
            reason(&said).to_owned()
        };
        let offline = "Player is offline or does not exists!";
        assert_eq!(refused(stage, host, "nobody"), offline);
        assert_eq!(
            refused(stage, guest, &third.who.id),
            "You are not in the room!"
        );
        assert_eq!(
            refused(stage, host, &host.who.id),
            "This player is already in a room!"
        );
        stage.hear(guest.conn);
        assert_eq!(
            kinds(&stage.say(host.conn, invite(&guest.who.id))),
            ["activeGameRooms"]
        );
        let heard = stage.hear(guest.conn);
        assert_eq!(kinds(&heard), ["inviteReceived", "activeGameRooms"]);
        assert_eq!(
            heard[1]["gameRooms"][0]["invited"][0]["displayName"],
            "guest"
        );
        assert_eq!(
            refused(stage, host, &guest.who.id),
            "This player is already invited!"
        );
        assert_eq!(kinds(&stage.join(guest, "room")), ["activeGameRooms"]);
        assert_eq!(stage.store.borrow().invites.len(), 1);
    });
}

/// checklist: vcmi-json 57, 58, 59
#[test]
fn a_description_is_told_at_once_when_the_room_is_in_the_list() {
    each(|stage| {
        let host = stage.player("hosting");
        let control = stage.match_server(&host, "room");
        let describe = |text: &str| json!({ "type": "changeRoomDescription", "description": text });
        stage.hear(host.conn);
        stage.say(control, describe("Arrogance"));
        assert!(stage.hear(host.conn).is_empty(), "nobody can see it yet");
        let said = stage.say(host.conn, activate(&host.who, "public", 2));
        assert_eq!(said[0]["gameRooms"][0]["description"], "Arrogance");
        stage.say(control, describe("Other"));
        let said = stage.hear(host.conn);
        assert_eq!(kinds(&said), ["updateGameRoom"]);
        assert_eq!(said[0]["room"]["description"], "Other");
    });
}

/// checklist: vcmi-json 73, 74, 75, 77, 80
#[test]
fn a_room_ends_with_its_match_server_and_nobody_stays_in_it() {
    each(|stage| {
        let (host, guest) = (stage.player("hosting"), stage.player("visiting"));
        let control = stage.room(&host, "room", "public", 2);
        stage.join(&guest, "room");
        stage.hear(guest.conn);
        stage.sim.disconnect(control);
        stage.sim.settle();
        assert_eq!(
            stage.hear(guest.conn).last().unwrap()["gameRooms"],
            json!([])
        );
        assert_eq!(stage.store.borrow().status("room"), Some(Status::Cancelled));
        // It can be hosted again, under its own id, and joined.
        stage.room(&host, "room", "public", 2);
        assert_eq!(kinds(&stage.join(&guest, "room")), ["activeGameRooms"]);
    });
}

/// checklist: vcmi-json 60, 73, 76, 78
#[test]
fn a_match_that_is_over_is_in_the_history_of_who_was_in_it() {
    each(|stage| {
        let all = ["hosting", "guest", "watch"].map(|name| stage.player(name));
        let [host, guest, watch] = &all;
        let control = stage.room(host, "room", "public", 2);
        stage.join(guest, "room");
        stage.say(control, json!({ "type": "gameStarted" }));
        let busy = stage.hear(watch.conn).last().unwrap()["gameRooms"][0]["status"].clone();
        assert_eq!(busy, "busy");
        // The guest is gone and comes back: still in the room.
        stage.sim.disconnect(guest.conn);
        let (again, said) = stage.login(&guest.who);
        assert_eq!(said.last().unwrap()["matchesHistory"], json!([]));
        for conn in [host.conn, watch.conn, again] {
            stage.hear(conn);
        }
        stage.sim.disconnect(control);
        stage.sim.settle();
        for conn in [host.conn, again] {
            let said = stage.hear(conn);
            assert_eq!(kinds(&said), ["matchesHistory", "activeGameRooms"]);
            let one = &said[0]["matchesHistory"][0];
            assert_eq!(
                (&one["status"], &one["version"]),
                (&json!("closed"), &json!(""))
            );
            assert_eq!(one["participants"].as_array().map(Vec::len), Some(2));
        }
        assert_eq!(kinds(&stage.hear(watch.conn)), ["activeGameRooms"]);
        assert_eq!(stage.store.borrow().status("room"), Some(Status::Closed));
        let conn = stage.connect();
        let said = stage.say(conn, server_login(&host.who, "room"));
        assert_eq!(reason(&said), "A room with this ID exists already");
    });
}

/// A match server that begins its match without having been opened: nobody can open or enter the room any more (spec:
/// vcmi-lobby2 5.8).
#[test]
fn a_match_that_begins_in_an_idle_room_makes_it_busy() {
    each(|stage| {
        let alice = stage.player("alice");
        let control = stage.match_server(&alice, "room");
        stage.hear(alice.conn);
        stage.say(control, json!({ "type": "gameStarted" }));
        let said = stage.hear(alice.conn);
        assert_eq!(said[0]["gameRooms"][0]["status"], "busy", "{said:?}");
        let said = stage.say(alice.conn, activate(&alice.who, "public", 2));
        assert_eq!(reason(&said), "Failed to find idle server to join!");
    });
}
