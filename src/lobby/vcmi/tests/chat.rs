//! Talking and asking.

use super::*;

/// checklist: vcmi 37, 38, 45
#[test]
fn everybody_hears_global_chat_in_the_form_of_the_sender() {
    each(|mut sim| {
        let (a, b, c) = (
            user(&mut sim, 5, "alice"),
            user(&mut sim, 4, "bobby"),
            user(&mut sim, 2, "carol"),
        );
        let stranger = connect(&mut sim);
        say(&mut sim, stranger, greeting(5, "ab"));
        room(&mut sim, a, &[]);
        hush(&mut sim, &[a, b, c, stranger]);
        for (sender, line) in [
            (a, "MSGCH:alice:global:hello"),
            (b, "MSG:bobby:hello"),
            (c, "MSG:carol:hello"),
        ] {
            sim.send(sender, "<MSG>hello");
            sim.settle();
            for conn in [a, b, c] {
                assert_eq!(heard(&mut sim, conn), [line]);
            }
            assert!(heard(&mut sim, stranger).is_empty());
        }
    });
}

/// checklist: vcmi 39
#[test]
fn room_chat_is_for_the_players_of_the_room() {
    each(|mut sim| {
        let conns: Vec<ConnId> = ["alice", "bobby", "carol", "david", "erika"]
            .map(|name| user(&mut sim, 5, name))
            .into();
        let [a, b, c, d, e] = conns[..] else { panic!() };
        room(&mut sim, a, &[b]);
        say(&mut sim, c, "<NEW>room two<PSWD><COUNT>2");
        say(&mut sim, d, "<JOIN>room two<PSWD>");
        for conn in [a, c, e] {
            say(&mut sim, conn, "<CHANNEL>room");
        }
        hush(&mut sim, &conns);
        sim.send(a, "<MSG>ours");
        sim.settle();
        assert_eq!(heard(&mut sim, a), ["MSGCH:alice:room:ours"]);
        assert_eq!(
            heard(&mut sim, b),
            ["MSGCH:alice:room:ours"],
            "whatever his channel"
        );
        for conn in [c, d, e] {
            assert!(heard(&mut sim, conn).is_empty());
        }
    });
}

/// checklist: vcmi 40
#[test]
fn channel_room_without_a_room_reaches_that_channel() {
    each(|mut sim| {
        let conns: Vec<ConnId> = ["alice", "bobby", "carol"]
            .map(|name| user(&mut sim, 5, name))
            .into();
        let [a, b, c] = conns[..] else { panic!() };
        room(&mut sim, b, &[]);
        say(&mut sim, a, "<CHANNEL>room");
        say(&mut sim, b, "<CHANNEL>room");
        hush(&mut sim, &conns);
        assert_eq!(say(&mut sim, a, "<MSG>x"), ["MSGCH:alice:room:x"]);
        assert_eq!(heard(&mut sim, b), ["MSGCH:alice:room:x"]);
        assert!(heard(&mut sim, c).is_empty());
    });
}

/// checklist: vcmi 41, 42, 43
#[test]
fn channels_are_switched_and_refused() {
    each(|mut sim| {
        let a = user(&mut sim, 4, "alice");
        let odd =
            "ERROR:Cannot create session with name lobby, session with this name already exists";
        assert_eq!(say(&mut sim, a, "<CHANNEL>lobby<MSG>no"), [odd]);
        assert_eq!(say(&mut sim, a, "<CHANNEL><MSG>no").len(), 1);
        assert!(say(&mut sim, a, "<CHANNEL>global<MSG>no").is_empty());
        assert_eq!(
            say(&mut sim, a, "<CHANNEL>room<MSG>yes"),
            ["CHANNEL:room", "MSG:alice:yes"]
        );
    });
}

/// checklist: vcmi 44, 31, 32, 36
#[test]
fn lines_are_what_stands_between_tags() {
    each(|mut sim| {
        let a = user(&mut sim, 5, "alice");
        assert_eq!(
            say(
                &mut sim,
                a,
                "junk<MSG>@bobby hi<MSG>@all hi<MSG>1 <2 and 3> 2<msg>x<MSG>"
            ),
            [
                "MSGCH:alice:global:@bobby hi",
                "MSGCH:alice:global:@all hi",
                "MSGCH:alice:global:1 ",
                "MSGCH:alice:global:"
            ]
        );
        let many = "<MSG>x".repeat(200);
        assert_eq!(say(&mut sim, a, many).len(), 200);
    });
}

/// checklist: vcmi 46
#[test]
fn the_channel_stays_after_leaving_and_being_kicked() {
    each(|mut sim| {
        let conns: Vec<ConnId> = ["alice", "bobby"]
            .map(|name| user(&mut sim, 5, name))
            .into();
        let [a, b] = conns[..] else { panic!() };
        room(&mut sim, a, &[b]);
        say(&mut sim, b, "<CHANNEL>room");
        say(&mut sim, b, "<LEAVE>room one");
        assert_eq!(say(&mut sim, b, "<MSG>x"), ["MSGCH:bobby:room:x"]);
        say(&mut sim, b, ENTER);
        say(&mut sim, a, "<KICK>bobby");
        assert_eq!(
            say(&mut sim, b, "<MSG>y").last().unwrap(),
            "MSGCH:bobby:room:y"
        );
    });
}

/// checklist: vcmi 47
#[test]
fn here_is_a_list_or_text() {
    each(|mut sim| {
        let (a, b) = (user(&mut sim, 5, "alice"), user(&mut sim, 3, "bobby"));
        room(&mut sim, a, &[]);
        assert_eq!(say(&mut sim, a, "<HERE>"), ["USERS:2:alice:bobby"]);
        let text = "MSG:System:People in lobby\nalice[room room one]\nbobby";
        assert_eq!(say(&mut sim, b, "<HERE>"), [text]);
        say(&mut sim, b, "<CHANNEL>room");
        assert_eq!(
            say(&mut sim, b, "<HERE>"),
            ["MSG:System:People in lobby\nbobby"]
        );
    });
}

/// checklist: vcmi 48, 49
#[test]
fn root_answers_seven_fields() {
    each(|mut sim| {
        let a = user(&mut sim, 5, "alice");
        let b = user(&mut sim, 5, "bobby");
        connect(&mut sim);
        let (_, all) = started(&mut sim, b, &[]);
        assert_eq!(all.len(), 1);
        let answer = |sim: &mut Sim, field: &str| say(sim, a, format!("<ROOT>{field}"));
        for (field, value) in [
            ("uniques", 1),
            ("users", 2),
            ("logins", 3),
            ("rooms", 1),
            ("sessions", 1),
            ("clients", 0),
            ("connections", 0),
        ] {
            assert_eq!(answer(&mut sim, field), [format!("MSG:System:{value}")]);
        }
        assert!(answer(&mut sim, "password").is_empty());
        assert!(say(&mut sim, a, "<ALIVE><ALIVE>yes").is_empty());
    });
}
