//! Signing in, names, encodings.

use std::{cell::RefCell, rc::Rc};

use super::*;
use crate::Effect;

/// checklist: vcmi 10, 11, 13
#[test]
fn the_first_user_is_told_of_himself() {
    each(|mut sim| {
        for version in [4, 5] {
            let conn = connect(&mut sim);
            let reply = say(&mut sim, conn, greeting(version, "alice"));
            let expected = [
                "USERS:1:alice",
                "SESSIONS:0",
                "USERS:1:alice",
                "MSG:System:Here available 0 users, currently playing 0",
            ];
            assert_eq!(reply, expected);
            sim.disconnect(conn);
            sim.settle();
        }
        let conn = connect(&mut sim);
        let reply = say(&mut sim, conn, "\x05\0<GREETINGS>alice<VER>1.4.0");
        assert_eq!(reply.len(), 4, "no encoding named: UTF-8");
    });
}

/// checklist: vcmi 12, 28
#[test]
fn old_launchers_get_a_hint_instead_of_lists() {
    each(|mut sim| {
        let hint = "\n Send <HERE> to see people names in the chat";
        for (index, version) in [0, 1, 2, 3].into_iter().enumerate() {
            let conn = connect(&mut sim);
            let reply = say(&mut sim, conn, greeting(version, &format!("old{version}")));
            let here =
                format!("MSG:System:Here available {index} users, currently playing 0{hint}");
            assert_eq!(reply, ["SESSIONS:0".to_owned(), here]);
        }
        for version in [6, 9, 255] {
            let conn = connect(&mut sim);
            let reply = say(&mut sim, conn, greeting(version, &format!("new{version}")));
            assert_eq!(reply.len(), 4, "{version}");
        }
    });
}

/// checklist: vcmi 14, 15
#[test]
fn others_are_told_in_words_or_by_list() {
    each(|mut sim| {
        let old = user(&mut sim, 3, "older");
        let new = user(&mut sim, 5, "newer");
        assert_eq!(heard(&mut sim, old), ["MSG:System:newer is here"]);
        let third = connect(&mut sim);
        let reply = say(&mut sim, third, greeting(3, "third"));
        assert!(reply[1].starts_with("MSG:System:Here available 2 users, currently playing 0\n"));
        assert_eq!(heard(&mut sim, old), ["MSG:System:third is here"]);
        assert_eq!(heard(&mut sim, new), ["USERS:3:older:newer:third"]);
    });
}

/// checklist: vcmi 14
#[test]
fn games_count_as_playing() {
    each(|mut sim| {
        let (a, b) = (user(&mut sim, 5, "alice"), user(&mut sim, 5, "bobby"));
        let (host, all) = started(&mut sim, a, &[b]);
        game(&mut sim, "server", &host);
        game(&mut sim, "client", &all[1]);
        let greeting_game = connect(&mut sim);
        say(&mut sim, greeting_game, "Aiya!\n");
        let conn = connect(&mut sim);
        let reply = say(&mut sim, conn, greeting(5, "carol"));
        assert_eq!(
            reply[3],
            "MSG:System:Here available 0 users, currently playing 3"
        );
    });
}

/// checklist: vcmi 16, 17, 18, 19, 30
#[test]
fn names_are_refused_with_the_exact_texts() {
    each(|mut sim| {
        let alice = user(&mut sim, 5, "alice");
        let conn = connect(&mut sim);
        for (name, why) in [
            ("", "Too short username "),
            ("ab", "Too short username ab"),
            ("éé", "Too short username éé"),
            ("System", "Username System is reserved by system"),
            ("all", "Username all is reserved by system"),
            ("room", "Username room is reserved by system"),
            ("with space", "Invalid username"),
            ("a:b", "Invalid username"),
            ("bobby\n", "Invalid username"),
            ("x\u{301}yz", "Invalid username"),
            (
                "alice",
                "Can't connect with the name alice. This login is already occpupied",
            ),
        ] {
            let reply = say(&mut sim, conn, greeting(5, name));
            assert_eq!(reply, [format!("ERROR:{why}")], "{name:?}");
        }
        assert!(heard(&mut sim, alice).is_empty());
        let reply = say(&mut sim, conn, greeting(5, "Alice"));
        assert_eq!(reply[0], "USERS:2:alice:Alice", "case counts");
        for name in ["ALL", "Иван", "日本語", "a_.%+-"] {
            let conn = connect(&mut sim);
            assert_eq!(say(&mut sim, conn, greeting(5, name)).len(), 4, "{name}");
        }
    });
}

/// checklist: vcmi 19, 20, 29
#[test]
fn a_refused_name_may_be_tried_again_and_is_not_listed() {
    each(|mut sim| {
        let alice = user(&mut sim, 5, "alice");
        let conn = connect(&mut sim);
        let packet = "\x05\x04utf8<GREETINGS>alice<GREETINGS>other<MSG>not reached";
        assert_eq!(say(&mut sim, conn, packet).len(), 1);
        assert!(heard(&mut sim, alice).is_empty());
        assert_eq!(say(&mut sim, alice, "<HERE>"), ["USERS:1:alice"]);
        let third = user(&mut sim, 5, "carol");
        assert_eq!(
            heard(&mut sim, conn),
            ["USERS:2:alice:carol"],
            "it is told of others"
        );
        hush(&mut sim, &[alice, third]);
        let reply = say(&mut sim, conn, greeting(5, "bobby"));
        assert_eq!(reply[0], "USERS:3:alice:bobby:carol", "listed as accepted");
    });
}

/// A retry without the prefix works, as by chance in the reference: `<` is taken for a version.
#[test]
fn a_retry_without_prefix_works_too() {
    each(|mut sim| {
        let conn = connect(&mut sim);
        say(&mut sim, conn, greeting(3, "ab"));
        let reply = say(&mut sim, conn, "<GREETINGS>alice<VER>1.1.0");
        assert_eq!(reply[0], "USERS:1:alice");
    });
}

/// checklist: vcmi 21, 22
#[test]
fn once_signed_in_and_not_before() {
    each(|mut sim| {
        let conn = connect(&mut sim);
        let before =
            "\x05\x04utf8<MSG>x<NEW>room one<COUNT>2<HERE><ROOT>logins<ALIVE><CHANNEL>none";
        assert!(say(&mut sim, conn, before).is_empty());
        assert_eq!(say(&mut sim, conn, greeting(5, "alice"))[1], "SESSIONS:0");
        let reply = say(&mut sim, conn, "<GREETINGS>other<MSG>not reached");
        assert_eq!(reply, ["ERROR:User already authorized"]);
        let reply = say(&mut sim, conn, "<MSG>still alice");
        assert_eq!(reply, ["MSGCH:alice:global:still alice"]);
    });
}

/// checklist: vcmi 23
#[test]
fn an_unknown_encoding_ends_the_connection() {
    each(|mut sim| {
        let alice = user(&mut sim, 5, "alice");
        let conn = connect(&mut sim);
        assert!(say(&mut sim, conn, "\x05\x07klingon<GREETINGS>worf<VER>1").is_empty());
        assert!(sim.client(conn).closed.is_some());
        assert_eq!(heard(&mut sim, alice), ["USERS:1:alice"]);
    });
}

/// checklist: vcmi 25, 26, 27
#[test]
fn everybody_is_written_to_in_his_own_encoding() {
    each(|mut sim| {
        let alice = user(&mut sim, 5, "alice");
        let conn = connect(&mut sim);
        say(
            &mut sim,
            conn,
            b"\x05\x06cp1251<GREETINGS>\xc8\xe2\xe0\xed<VER>1".to_vec(),
        );
        assert_eq!(heard(&mut sim, alice), ["USERS:2:alice:Иван"]);
        sim.send(conn, b"<MSG>\xe4\xe0<MSG>\xe4\xe0".to_vec());
        sim.settle();
        assert_eq!(
            heard(&mut sim, alice),
            ["MSGCH:Иван:global:да", "MSGCH:Иван:global:да"]
        );
        sim.take_bytes(conn);
        sim.send(alice, "<MSG>да ☃");
        sim.settle();
        assert_eq!(
            sim.take_bytes(conn),
            b":>>MSGCH:alice:global:\xe4\xe0 ?".to_vec()
        );
        hush(&mut sim, &[alice]);
        let reply = say(&mut sim, alice, b"<MSG>a\xff\xc3b".to_vec());
        assert_eq!(reply, ["MSGCH:alice:global:a\u{fffd}\u{fffd}b"]);
    });
}

/// An old launcher that does not speak UTF-8 is not told in words that it is there itself.
#[test]
fn a_foreigner_does_not_hear_of_himself() {
    each(|mut sim| {
        let conn = connect(&mut sim);
        let reply = say(&mut sim, conn, "\x03\x06latin1<GREETINGS>alice<VER>1");
        assert_eq!(reply.len(), 2, "{reply:?}");
        assert_eq!(reply[0], "SESSIONS:0");
    });
}

/// Before that it may say little, and little waits for it.
#[test]
fn a_launcher_counts_as_signed_in_when_it_has_its_name() {
    each(|mut sim| {
        let signed_in = Rc::new(RefCell::new(Vec::new()));
        let seen = signed_in.clone();
        sim.observer = Some(Box::new(move |_, effect| {
            if let Effect::SignedIn(conn) = effect {
                seen.borrow_mut().push(*conn);
            }
        }));
        let conn = connect(&mut sim);
        say(&mut sim, conn, greeting(5, "x"));
        assert!(signed_in.borrow().is_empty(), "too short a name");
        say(&mut sim, conn, "<GREETINGS>alice");
        assert_eq!(*signed_in.borrow(), [conn]);
    });
}
