//! Rooms: opening, getting in, getting out.

use super::*;

fn three(sim: &mut Sim) -> [ConnId; 3] {
    ["alice", "bobby", "carol"].map(|name| user(sim, 5, name))
}

/// checklist: vcmi 50, 51, 52
#[test]
fn opening_a_room_in_one_packet() {
    each(|mut sim| {
        let [a, b, _] = three(&mut sim);
        hush(&mut sim, &[b]);
        let reply = say(&mut sim, a, "<NEW>duel<PSWD>x<COUNT>2<MODS>wog&1.0;era&2");
        let expected = [
            "CREATED:duel",
            "JOIN:duel:alice",
            "STATUS:1:alice:False",
            "SESSIONS:1:duel:1:2:True",
            "MSG:System:You are in the room chat.",
            "MODS:2:wog:1.0:era:2",
            "MODSOTHER:alice:2:wog:1.0:era:2",
        ];
        assert_eq!(reply, expected);
        assert_eq!(heard(&mut sim, b), ["SESSIONS:1:duel:1:2:True"]);
        say(&mut sim, b, "<NEW>another<COUNT>8");
        assert_eq!(
            heard(&mut sim, a),
            ["SESSIONS:2:duel:1:2:True:another:1:8:False"]
        );
    });
}

/// checklist: vcmi 53, 54, 55
#[test]
fn names_of_rooms_are_checked_and_taken_at_once() {
    each(|mut sim| {
        let [a, b, c] = three(&mut sim);
        assert!(say(&mut sim, a, "<NEW>duel").is_empty());
        assert!(heard(&mut sim, b).iter().all(|m| m.starts_with("USERS")));
        for (name, why) in [
            (
                "duel",
                "Cannot create session with name duel, session with this name already exists",
            ),
            ("", "Cannot create session with invalid name "),
            (" abc", "Cannot create session with invalid name  abc"),
            ("ab", "Cannot create session with invalid name ab"),
            ("a:b", "Cannot create session with invalid name a:b"),
        ] {
            let reply = say(&mut sim, b, format!("<NEW>{name}<COUNT>2"));
            assert_eq!(reply, [format!("ERROR:{why}")]);
        }
        assert_eq!(
            say(&mut sim, b, "<JOIN>duel<PSWD>"),
            ["ERROR:Room duel is full"]
        );
        let d = user(&mut sim, 3, "david");
        hush(&mut sim, &[d]);
        say(&mut sim, b, "<NEW>Duel<COUNT>2");
        assert_eq!(
            heard(&mut sim, c).pop().unwrap(),
            "SESSIONS:2:duel:1:1:False:Duel:1:2:False"
        );
    });
}

/// checklist: vcmi 56, 58
#[test]
fn a_second_room_and_a_second_count_are_refused() {
    each(|mut sim| {
        let [a, b, _] = three(&mut sim);
        room(&mut sim, a, &[b]);
        assert_eq!(
            say(&mut sim, a, "<NEW>other<PSWD>new<COUNT>2<MSG>no"),
            ["ERROR:Changing amount of players is not possible for existing session"]
        );
        let c = user(&mut sim, 5, "david");
        assert_eq!(
            say(&mut sim, c, "<JOIN>room one<PSWD>wrong"),
            ["ERROR:Incorrect password"],
            "the password was for the room he is in"
        );
        assert_eq!(
            say(&mut sim, b, "<COUNT>2<MSG>yes").len(),
            1,
            "a guest's is ignored"
        );
    });
}

/// checklist: vcmi 57, 59
#[test]
fn a_bad_number_of_seats_ends_the_room() {
    each(|mut sim| {
        let [a, b, _] = three(&mut sim);
        for number in ["1", "9", "0", "two", "", " 2", "+2"] {
            hush(&mut sim, &[b]);
            let reply = say(&mut sim, a, format!("<NEW>duel<COUNT>{number}<MSG>no"));
            let why = "ERROR:Cannot create room with invalid amount of players";
            assert_eq!(reply, ["KICK:duel:alice", why], "{number:?}");
            assert!(heard(&mut sim, b).is_empty(), "nobody else is told");
        }
        let reply = say(&mut sim, b, "<NEW>duel<COUNT>8");
        assert_eq!(reply[0], "CREATED:duel", "its name is free");
    });
}

/// checklist: vcmi 60
#[test]
fn joining_is_refused_with_the_exact_texts() {
    each(|mut sim| {
        let [a, b, c] = three(&mut sim);
        let missing = "ERROR:Room with name room one doesn't exist";
        assert_eq!(say(&mut sim, b, "<JOIN>room one<MSG>no"), [missing]);
        say(&mut sim, a, "<NEW>room one<PSWD><COUNT>2");
        say(&mut sim, b, ENTER);
        let full = "ERROR:Room room one is full";
        assert_eq!(say(&mut sim, c, ENTER), [full]);
        say(&mut sim, c, "<NEW>another<COUNT>2");
        let reply = say(&mut sim, b, "<JOIN>another<MSG>here");
        assert_eq!(reply, ["MSGCH:bobby:global:here"], "ignored in a room");
    });
}

/// checklist: vcmi 61, 63, 64
#[test]
fn joining_tells_everybody_in_order() {
    each(|mut sim| {
        let [a, b, c] = three(&mut sim);
        room(&mut sim, a, &[]);
        hush(&mut sim, &[b, c]);
        let reply = say(
            &mut sim,
            b,
            "<VER>1.3<JOIN>room one<PSWD>any text<MODS>wog&1.0",
        );
        let joined = [
            "JOIN:room one:bobby",
            "STATUS:2:alice:False:bobby:False",
            "SESSIONS:1:room one:2:3:False",
        ];
        assert_eq!(reply[..3], joined);
        assert_eq!(
            reply[3..],
            [
                "GAMEMODE:0",
                "MSG:System:Your VCMI version 1.3 differs from host version 1.4.0, which may cause problems",
                "MODS:1:wog:1.0"
            ]
        );
        let host_heard = heard(&mut sim, a);
        assert_eq!(host_heard[..3], joined);
        assert_eq!(host_heard[3..], ["MODSOTHER:bobby:1:wog:1.0"]);
        assert_eq!(heard(&mut sim, c), joined[2..]);
    });
}

/// checklist: vcmi 63
#[test]
fn what_a_guest_is_told_depends_on_his_version() {
    for (version, told) in [
        (5, &["GAMEMODE:1"][..]),
        (4, &["GAMEMODE:1", "MSG:System:You are in the room chat."]),
        (3, &["MSG:System:You are in the room chat."]),
    ] {
        each(|mut sim| {
            let a = user(&mut sim, 5, "alice");
            let b = user(&mut sim, version, "bobby");
            room(&mut sim, a, &[]);
            say(&mut sim, a, "<HOSTMODE>1");
            let reply = say(&mut sim, b, "<JOIN>room one<PSWD>");
            assert_eq!(reply[3..], *told);
        });
    }
}

/// checklist: vcmi 62, 65
#[test]
fn passwords_are_set_changed_and_cleared() {
    each(|mut sim| {
        let [a, b, c] = three(&mut sim);
        room(&mut sim, a, &[]);
        assert!(say(&mut sim, a, "<PSWD>secret").is_empty());
        let wrong = ["ERROR:Incorrect password"];
        assert_eq!(say(&mut sim, b, "<JOIN>room one<PSWD>x<MODS>"), wrong);
        assert!(
            say(&mut sim, b, "<PSWD>secret").is_empty(),
            "JOIN comes first"
        );
        let reply = say(&mut sim, b, "<JOIN>room one<PSWD>secret");
        assert_eq!(reply[2], "SESSIONS:1:room one:2:3:True");
        assert!(say(&mut sim, b, "<PSWD>wrong").is_empty(), "he is in");
        say(&mut sim, a, "<PSWD>");
        let reply = say(&mut sim, c, "<JOIN>room one<PSWD>x");
        assert_eq!(reply[2], "SESSIONS:1:room one:3:3:False");
    });
}

/// checklist: vcmi 66, 67, 68
#[test]
fn the_list_of_mods_is_the_hosts() {
    each(|mut sim| {
        let a = user(&mut sim, 3, "alice");
        let b = user(&mut sim, 5, "bobby");
        room(&mut sim, a, &[b]);
        let reply = say(&mut sim, b, "<MODS>era&2;wog&9");
        assert_eq!(reply, ["MODS:1:wog:1.0"], "the room's, not his");
        assert_eq!(heard(&mut sim, a), ["MODSOTHER:bobby:2:era:2:wog:9"]);
        let reply = say(&mut sim, a, "<MODS>new&1;wog&1.1");
        let both = ["MODS:2:wog:1.1:new:1", "MODSOTHER:alice:2:new:1:wog:1.1"];
        assert_eq!(reply, both);
        let reply = say(&mut sim, a, "<MODS>");
        assert_eq!(reply, ["MODS:2:wog:1.1:new:1", "MODSOTHER:alice:0"]);
    });
}

/// checklist: vcmi 66
#[test]
fn an_old_host_is_not_told_of_mods() {
    each(|mut sim| {
        let a = user(&mut sim, 2, "alice");
        let b = user(&mut sim, 5, "bobby");
        let reply = say(&mut sim, a, OPEN);
        assert_eq!(reply.last().unwrap(), "MODS:1:wog:1.0");
        say(&mut sim, b, ENTER);
        assert!(
            heard(&mut sim, a)
                .iter()
                .all(|m| !m.starts_with("MODSOTHER"))
        );
    });
}

/// checklist: vcmi 69
#[test]
fn only_the_host_chooses_the_mode() {
    each(|mut sim| {
        let [a, b, c] = three(&mut sim);
        room(&mut sim, a, &[b]);
        assert_eq!(say(&mut sim, a, "<HOSTMODE>1"), ["GAMEMODE:1"]);
        assert_eq!(heard(&mut sim, b), ["GAMEMODE:1"]);
        assert_eq!(
            say(&mut sim, b, "<HOSTMODE>0<MSG>no"),
            ["ERROR:Insuficcient permissions"]
        );
        assert!(say(&mut sim, a, "<HOSTMODE>load").is_empty());
        assert!(say(&mut sim, c, "<HOSTMODE>1").is_empty());
        assert_eq!(say(&mut sim, a, "<HOSTMODE>-7"), ["GAMEMODE:-7"]);
    });
}

/// checklist: vcmi 70, 72
#[test]
fn a_guest_leaves() {
    each(|mut sim| {
        let [a, b, c] = three(&mut sim);
        room(&mut sim, a, &[b]);
        say(&mut sim, a, "<READY>room one");
        for name in ["room two", ""] {
            assert!(say(&mut sim, b, format!("<LEAVE>{name}")).is_empty());
        }
        assert!(say(&mut sim, c, "<LEAVE>room one").is_empty());
        hush(&mut sim, &[a, b, c]);
        let sessions = "SESSIONS:1:room one:1:3:False";
        assert_eq!(
            say(&mut sim, b, "<LEAVE>room one"),
            ["KICK:room one:bobby", sessions]
        );
        assert_eq!(
            heard(&mut sim, a),
            ["KICK:room one:bobby", "STATUS:1:alice:False", sessions]
        );
        assert_eq!(heard(&mut sim, c), [sessions]);
    });
}

/// checklist: vcmi 71
#[test]
fn the_host_leaves() {
    each(|mut sim| {
        let [a, b, c] = three(&mut sim);
        room(&mut sim, a, &[b]);
        hush(&mut sim, &[c]);
        assert_eq!(
            say(&mut sim, a, "<LEAVE>room one"),
            ["KICK:room one:alice", "SESSIONS:0"]
        );
        assert_eq!(heard(&mut sim, b), ["KICK:room one:bobby", "SESSIONS:0"]);
        assert_eq!(heard(&mut sim, c), ["SESSIONS:0"]);
        assert_eq!(
            say(&mut sim, b, "<NEW>room one<COUNT>2")[0],
            "CREATED:room one"
        );
    });
}

/// checklist: vcmi 73, 74
#[test]
fn the_host_kicks() {
    each(|mut sim| {
        let [a, b, c] = three(&mut sim);
        room(&mut sim, a, &[b]);
        hush(&mut sim, &[c]);
        assert_eq!(
            say(&mut sim, b, "<KICK>alice<MSG>no"),
            ["ERROR:Insuficcient permissions"]
        );
        for name in ["alice", "carol", "nobody", ""] {
            assert!(say(&mut sim, a, format!("<KICK>{name}")).is_empty());
        }
        assert!(say(&mut sim, c, "<KICK>bobby").is_empty());
        let sessions = "SESSIONS:1:room one:1:3:False";
        assert_eq!(
            say(&mut sim, a, "<KICK>bobby"),
            ["KICK:room one:bobby", "STATUS:1:alice:False", sessions]
        );
        assert_eq!(heard(&mut sim, b), ["KICK:room one:bobby", sessions]);
        assert_eq!(say(&mut sim, b, ENTER)[0], "JOIN:room one:bobby");
    });
}

/// checklist: vcmi 76
#[test]
fn one_gets_the_last_seat() {
    each(|mut sim| {
        let [a, b, c] = three(&mut sim);
        say(&mut sim, a, "<NEW>room one<COUNT>2");
        for conn in [b, c] {
            say(&mut sim, conn, "<JOIN>room one");
        }
        assert_eq!(say(&mut sim, b, "<PSWD>")[0], "JOIN:room one:bobby");
        hush(&mut sim, &[a]);
        assert_eq!(say(&mut sim, c, "<PSWD>"), ["ERROR:Room room one is full"]);
        assert!(heard(&mut sim, a).is_empty());
    });
}

/// Between JOIN and PSWD one is no player: only PSWD, LEAVE and another JOIN do anything.
#[test]
fn who_has_only_asked_is_no_player() {
    each(|mut sim| {
        let [a, b, _] = three(&mut sim);
        room(&mut sim, a, &[]);
        say(&mut sim, b, "<JOIN>room one");
        let nothing =
            "<MODS>x&1<READY>room one<NEW>other<COUNT>2<KICK>alice<HOSTMODE>1<FORCESTART>room one";
        assert!(say(&mut sim, b, nothing).is_empty());
        assert!(heard(&mut sim, a).is_empty());
        assert!(say(&mut sim, b, "<LEAVE>room one<PSWD>").is_empty());
        assert!(heard(&mut sim, a).is_empty());
        say(&mut sim, b, "<JOIN>room one");
        say(&mut sim, a, "<LEAVE>room one");
        let reply = say(&mut sim, b, "<PSWD>");
        assert_eq!(reply, ["ERROR:The room doesn't exist any more"]);
    });
}
