//! Rooms: lists, entering, talking, leaving.

use cockatrice::messages::{CommandLeaveRoom, CommandListRooms};

use super::*;

const ROOMS: &str = r#"[
    {"name": "General", "auto_join": true, "history": 2, "join_message": "hi", "game_types": ["Standard"]},
    {"name": "Members", "permission": "registered"},
    {"name": "Third"}
]"#;

fn with_rooms() -> Settings {
    Settings {
        rooms: ROOMS.to_owned(),
        ..settings()
    }
}

fn leave() -> RoomCommandBody<'static> {
    RoomCommandBody::LeaveRoom(CommandLeaveRoom::default())
}

fn list() -> SessionCommandBody<'static> {
    SessionCommandBody::ListRooms(CommandListRooms::default())
}

#[test]
fn members_see_each_other_come_talk_and_go() {
    each_with(with_rooms(), |mut sim| {
        let ann = user(&mut sim, "ann");
        let answer = ask(&mut sim, ann, session(2, join(0)));
        assert_eq!(answer, ["2 RespOk room 0 ann games 0", "0 Welcome hi"]);
        let bob = user(&mut sim, "bob");
        let answer = ask(&mut sim, bob, session(2, join(0)));
        assert_eq!(answer, ["2 RespOk room 0 ann,bob games 0", "0 Welcome hi"]);
        assert_eq!(heard(&mut sim, ann), ["0 joined bob"]);
        let answer = ask(&mut sim, bob, room(3, 0, say("one\ntwo  ")));
        assert_eq!(answer, ["0 bob: one two  ", "3 RespOk"]);
        assert_eq!(heard(&mut sim, ann), ["0 bob: one two  "]);
        assert_eq!(ask(&mut sim, bob, room(4, 0, leave())), ["4 RespOk"]);
        assert_eq!(heard(&mut sim, ann), ["0 left bob"]);
        assert_eq!(
            ask(&mut sim, bob, room(5, 0, say("x"))),
            ["5 RespNotInRoom"]
        );
        sim.disconnect(ann);
        sim.settle();
        let carol = member(&mut sim, "carol");
        assert!(heard(&mut sim, carol).is_empty());
    });
}

#[test]
fn entering_is_refused_in_order() {
    each_with(with_rooms(), |mut sim| {
        let ann = member(&mut sim, "ann");
        for (id, code) in [
            (0, "RespContextError"),
            (42, "RespNameNotFound"),
            (1, "RespUserLevelTooLow"),
        ] {
            let answer = ask(&mut sim, ann, session(3, join(id)));
            assert_eq!(answer, [format!("3 {code}")]);
        }
        let stranger = connect(&mut sim);
        assert_eq!(
            ask(&mut sim, stranger, session(1, join(0))),
            ["1 RespLoginNeeded"]
        );
        assert_eq!(
            ask(&mut sim, stranger, room(2, 0, say("x"))),
            ["2 RespLoginNeeded"]
        );
    });
}

#[test]
fn what_was_said_is_told_to_who_enters() {
    each_with(with_rooms(), |mut sim| {
        let ann = member(&mut sim, "ann");
        for (id, text) in ["one", " two   words", "three"].into_iter().enumerate() {
            ask(&mut sim, ann, room(id as u64, 0, say(text)));
        }
        let bob = user(&mut sim, "bob");
        let answer = ask(&mut sim, bob, session(2, join(0)));
        let expected = [
            "0 ChatHistory ann: two words",
            "0 ChatHistory ann: three",
            "0 Welcome hi",
        ];
        assert_eq!(answer[1..], expected);
    });
}

/// Everybody is told of each change at once; of the last ones together when there are too many in a tick.
#[test]
fn rooms_are_listed_and_changes_told() {
    each_with(with_rooms(), |mut sim| {
        let watcher = user(&mut sim, "watcher");
        let answer = ask(&mut sim, watcher, session(2, list()));
        assert_eq!(answer, ["rooms 0:0/0 1:0/0 2:0/0", "2 RespOk"]);
        let ann = member(&mut sim, "ann");
        assert_eq!(heard(&mut sim, watcher), ["rooms 0:1/0"]);
        let bob = member(&mut sim, "bob");
        assert_eq!(heard(&mut sim, watcher), ["rooms 0:2/0"]);
        ask(&mut sim, ann, room(3, 0, create(2)));
        assert_eq!(heard(&mut sim, watcher), ["rooms 0:2/1"]);
        let come_and_go = |sim: &mut Sim| {
            ask(sim, bob, room(4, 0, leave()));
            ask(sim, bob, session(5, join(0)));
        };
        for _ in 0..8 {
            come_and_go(&mut sim);
            assert_eq!(heard(&mut sim, watcher), ["rooms 0:1/1", "rooms 0:2/1"]);
        }
        come_and_go(&mut sim);
        assert_eq!(heard(&mut sim, watcher), ["rooms 0:1/1"], "the 20th");
        come_and_go(&mut sim);
        assert!(heard(&mut sim, watcher).is_empty(), "too many for a tick");
        tick(&mut sim);
        assert_eq!(heard(&mut sim, watcher), ["rooms 0:2/1"]);
        tick(&mut sim);
        assert!(heard(&mut sim, watcher).is_empty());
    });
}

/// A database has rooms under numbers of its own.
#[test]
fn rooms_have_the_numbers_that_they_were_given() {
    let numbered = Settings {
        rooms: r#"[{"name": "b", "id": 9, "history": 2}, {"name": "a", "id": 4}]"#.to_owned(),
        ..settings()
    };
    each_with(numbered, |mut sim| {
        let ann = user(&mut sim, "ann");
        let answer = ask(&mut sim, ann, session(2, list()));
        assert_eq!(answer, ["rooms 4:0/0 9:0/0", "2 RespOk"]);
        for none in [0, 1, u32::MAX] {
            let answer = ask(&mut sim, ann, session(3, join(none)));
            assert_eq!(answer, ["3 RespNameNotFound"]);
            let answer = ask(&mut sim, ann, room(3, none, say("hi")));
            assert_eq!(answer, ["3 RespNotInRoom"]);
        }
        ask(&mut sim, ann, session(4, join(9)));
        let said = ask(&mut sim, ann, room(5, 9, say("hi")));
        assert_eq!(said, ["9 ann: hi", "5 RespOk"]);
        let made = ask(&mut sim, ann, room(6, 9, create(2)));
        assert!(made.contains(&"rooms 9:1/1".to_owned()), "{made:?}");
        let listed = |line: &String| line.starts_with("9 games ") && line.ends_with(":1+0");
        assert!(made.iter().any(listed), "{made:?}");
        let bob = user(&mut sim, "bob");
        let entered = ask(&mut sim, bob, session(2, join(9)));
        let told = [
            "2 RespOk room 9 ann,bob games 1",
            "9 ChatHistory ann: hi",
            "9 Welcome ",
        ];
        assert_eq!(entered, told);
        let answer = ask(&mut sim, ann, room(7, 9, leave()));
        assert!(answer.contains(&"7 RespOk".to_owned()), "{answer:?}");
        assert!(heard(&mut sim, bob).contains(&"9 left ann".to_owned()));
    });
}

#[test]
fn commands_of_a_container_are_done_from_the_last_on() {
    each_with(with_rooms(), |mut sim| {
        let ann = member(&mut sim, "ann");
        let both = [say("first"), say("second")];
        let container = CommandContainer {
            cmd_id: Some(7),
            room_id: Some(0),
            room_command: both.map(|body| RoomCommand { body: Some(body) }).to_vec(),
            session_command: vec![SessionCommand { body: Some(list()) }],
            ..CommandContainer::default()
        };
        let answer = ask(&mut sim, ann, encode(&container));
        assert_eq!(answer, ["0 ann: second", "0 ann: first", "7 RespOk"]);
        let container = CommandContainer {
            cmd_id: Some(8),
            session_command: [join(2), join(99), list()]
                .map(|body| SessionCommand { body: Some(body) })
                .to_vec(),
            ..CommandContainer::default()
        };
        let answer = ask(&mut sim, ann, encode(&container));
        let expected = [
            "rooms 0:1/0 1:0/0 2:0/0",
            "8 RespNameNotFound room 2 ann games 0",
            "2 Welcome ",
        ];
        let answer: Vec<&String> = answer.iter().filter(|m| *m != "rooms 2:1/0").collect();
        assert_eq!(
            answer, expected,
            "the answer has the code of the failure and what there is"
        );
    });
}
