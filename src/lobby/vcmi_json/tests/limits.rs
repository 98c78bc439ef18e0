//! What one client, or all of them, may take.

use std::net::{IpAddr, Ipv4Addr};

use serde_json::json;

use super::*;

/// checklist: vcmi-json 4, 100, 101
#[test]
fn heartbeats_go_out_and_whose_own_ones_stop_is_gone() {
    each(|stage| {
        let (alice, silent) = (stage.player("alice"), stage.player("silent"));
        for player in [&alice, &silent] {
            stage.sim.take_raw(player.conn);
        }
        stage.sim.send(alice.conn, "");
        stage.wait(35);
        let all = stage.sim.take_raw(silent.conn);
        let beats = all.iter().filter(|one| one.is_empty()).count();
        assert!((3..=4).contains(&beats), "{beats}");
        stage.wait(40);
        assert!(
            stage.is_closed(alice.conn),
            "it has sent one, and then none"
        );
        assert!(
            !stage.is_closed(silent.conn),
            "it has never sent any, as clients of 1.5.0 do not"
        );
        let conn = stage.connect();
        stage.wait(61);
        assert!(stage.is_closed(conn), "it has not signed in");
    });
}

/// checklist: vcmi-json 103, 104
#[test]
fn lines_and_descriptions_are_not_longer_than_they_may_be() {
    each(|stage| {
        let alice = stage.player("alice");
        let said = stage.say(alice.conn, chat("global", "english", &"ż".repeat(2000)));
        assert_eq!(kinds(&said), ["chatMessage"]);
        let said = stage.say(alice.conn, chat("global", "english", &"ż".repeat(2001)));
        assert_eq!(reason(&said), "This message is too long!");
        let control = stage.room(&alice, "room", "public", 2);
        stage.hear(alice.conn);
        let long = "ł".repeat(600);
        let said = stage.say(
            control,
            json!({ "type": "changeRoomDescription", "description": long }),
        );
        assert!(said.is_empty(), "a refusal would end the match server");
        let said = stage.hear(alice.conn);
        assert_eq!(said[0]["room"]["description"], "ł".repeat(500));
    });
}

/// checklist: vcmi-json 105
#[test]
fn whoever_says_too_much_is_heard_later_and_nothing_is_lost() {
    each(|stage| {
        let alice = stage.player("alice");
        stage.hear(alice.conn);
        for at in 0..300 {
            stage.send(alice.conn, chat("global", "english", &format!("{at}")));
        }
        stage.sim.settle();
        let first = stage.hear(alice.conn).len();
        assert!((200..300).contains(&first), "{first}");
        stage.wait(30);
        let rest = stage.hear(alice.conn);
        assert_eq!(first + rest.len(), 300);
        assert_eq!(rest.last().unwrap()["messageText"], "299");
    });
}

/// checklist: vcmi-json 106
#[test]
fn an_address_registers_so_many_and_an_account_hosts_so_many() {
    each(|stage| {
        let host = stage.player("hosting");
        for at in 0..4 {
            stage.match_server(&host, &format!("room{at}"));
        }
        let conn = stage.connect();
        let said = stage.say(conn, server_login(&host.who, "room4"));
        assert_eq!(reason(&said), "There are too many rooms");
        stage.sim.address = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1));
        let conn = stage.connect();
        let made = (0..60).filter(|at| {
            let said = stage.say(conn, register(&format!("many{at}")));
            kinds(&said) == ["accountCreated"]
        });
        assert_eq!(made.count(), 30);
    });
}

/// checklist: vcmi-json 108
#[test]
fn a_room_invites_and_lists_no_more_than_it_may() {
    let few = Settings {
        invites: 1,
        mods_bytes: 20,
        capacity: Some(3),
        ..settings()
    };
    each_with(few, |stage| {
        let all = ["hosting", "guest", "third"].map(|name| stage.player(name));
        let [host, guest, third] = &all;
        stage.room(host, "room", "private", 3);
        let invite = |who: &str| json!({ "type": "sendInvite", "accountID": who });
        stage.say(host.conn, invite(&guest.who.id));
        let said = stage.say(host.conn, invite(&third.who.id));
        assert_eq!(reason(&said), "Too many players are invited to this room!");
        let conn = stage.connect();
        let mut login = server_login(&guest.who, "other");
        login["mods"] = json!([{ "modId": "a".repeat(21), "name": "", "version": "" }]);
        assert_eq!(
            reason(&stage.say(conn, login)),
            "The list of mods is too long"
        );
        let who = stage.register("fourth");
        let (_, said) = stage.login(&who);
        assert_eq!(reason(&said), "Server is full");
    });
}
