//! Dialogues that were recorded with the reference server, said to the lobby on one, two and three shards: clients get the
//! same, message by message. Where not, the difference stands in `player::stage`.
//!
//! What is not recorded (signing in, entering the room) is a scenario's set-up below. Lists of rooms and games have no place
//! among the other messages, and are compared without their order.

use serde_json::Value;

use super::{
    player::{server, stage::Stage},
    *,
};

/// A recorded dialogue, and who has said what before it begins.
macro_rules! dialogues {
    ($($name:ident: $setup:expr;)+) => {
        $(
            #[test]
            fn $name() {
                const RECORDED: &str = include_str!(concat!(
                    "../../../../tests/transcripts/cockatrice/",
                    stringify!($name),
                    ".jsonl"
                ));
                play(RECORDED, $setup);
            }
        )+
    };
}

/// Somebody signs in.
const LOGIN: &str = "login";
/// They look at the rooms.
const LIST: &str = "Command_ListRooms";
/// They enter room 0.
const JOIN: &str = "Command_JoinRoom {room_id=0}";

dialogues! {
    chat_flood: &[("alice", &[LOGIN, JOIN]), ("bob", &[LOGIN, JOIN])];
    conn_command_order_in_container: &[("alice", &[LOGIN, JOIN])];
    conn_limit_per_address: &[];
    conn_websocket_handshake: &[];
    game_create_and_join: &[
        ("alice", &[LOGIN, LIST, JOIN]),
        ("bob", &[LOGIN, LIST, JOIN]),
        ("carol", &[LOGIN, LIST, JOIN]),
    ];
    game_host_migration: &[
        ("alice", &[LOGIN, JOIN]),
        ("bob", &[LOGIN, JOIN]),
        ("carol", &[LOGIN, JOIN]),
        ("dave", &[LOGIN, JOIN]),
    ];
    game_password: &[
        ("alice", &[LOGIN, JOIN]),
        ("bob", &[LOGIN, JOIN]),
        ("carol", &[LOGIN, JOIN]),
    ];
    games_of_user: &[
        ("alice", &[LOGIN, JOIN, "Command_CreateGame {}"]),
        ("bob", &[LOGIN, JOIN]),
    ];
    login_anonymous: &[];
    login_shared_password: &[];
    private_messages: &[("alice", &[LOGIN]), ("bob", &[LOGIN])];
    rooms_basic: &[("alice", &[LOGIN]), ("bob", &[LOGIN])];
    rooms_history: &[
        ("alice", &[
            LOGIN,
            JOIN,
            "Command_RoomSay room=0 {message=message 2}",
            "Command_RoomSay room=0 {message=message 3}",
            "Command_RoomSay room=0 {message=message 4}",
            "Command_RoomSay room=0 {message=message 5}",
            "Command_RoomSay room=0 {message=message 6}",
        ]),
        ("bob", &[LOGIN]),
    ];
    user_list_events: &[("early", &[LOGIN]), ("alice", &[LOGIN])];
}

/// What is said in the course of a dialogue and not recorded: before which step, who, what.
fn unrecorded(scenario: &str, step: u64) -> &'static [(&'static str, &'static str)] {
    match (scenario, step) {
        ("game_host_migration", 2) => &[
            ("bob", "Command_JoinGame room=0"),
            ("carol", "Command_JoinGame room=0"),
            ("dave", "Command_JoinGame room=0 {spectator=True}"),
        ],
        ("game_password", 7) => &[(
            "bob",
            "Command_CreateGame {password=other, spectators_need_password=True}",
        )],
        _ => &[],
    }
}

/// An action as it was, where its record does not say it: that game is one that is not there.
fn recalled<'a>(scenario: &str, step: u64, action: &'a str) -> &'a str {
    match (scenario, step) {
        ("game_create_and_join", 6) => "Command_JoinGame room=0 {game_id=4711}",
        _ => action,
    }
}

/// Who has said what before a dialogue begins.
type Setup = &'static [(&'static str, &'static [&'static str])];

fn play(recorded: &str, setup: Setup) {
    for shards in 1..=3 {
        let mut lines = recorded.lines().map(|line| {
            let line: Value = serde_json::from_str(line).expect("a line is JSON");
            line
        });
        let head = lines.next().expect("a head");
        let profile = head["profile"].as_str().expect("a profile");
        let mut stage = Stage::new(simulator(shards, 1, server(profile)));
        if profile == "limits" {
            stage.sim.address = [192, 0, 2, 9].into();
        }
        for (label, actions) in setup {
            for action in *actions {
                let action = action.replace(LOGIN, &format!("login as {label}"));
                stage.act(label, &action);
            }
        }
        stage.pass();
        stage.heard();
        for line in lines {
            let action = line["action"].as_str().expect("an action");
            if action == "eleven seconds later" {
                stage.sim.advance(Duration::from_secs(11));
                continue;
            }
            let scenario = head["scenario"].as_str().expect("a name");
            let step = line["step"].as_u64().expect("a number");
            for (label, action) in unrecorded(scenario, step) {
                stage.act(label, action);
                stage.pass();
                stage.heard();
            }
            let (label, action) = action.split_once(": ").expect("who does what");
            stage.act(label, recalled(scenario, step, action));
            stage.pass();
            let heard = stage.heard();
            if let Err(fault) = stage.compare(&line["recv"], &heard) {
                panic!("{scenario} on {shards} shards, step {step} ({action}): {fault}");
            }
        }
    }
}
