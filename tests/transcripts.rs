//! Recorded dialogues of the reference server, played against ours: over every transport, on one shard and on two, on
//! both databases.
//!
//! The records are `tests/transcripts/faf/*.jsonl`, as they were made with version 1.14. Where we differ on purpose,
//! because later versions do or because the specification recommends it, [`DIFFERENCES`] says so line by line.

mod support;

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    thread,
    time::{SystemTime, UNIX_EPOCH},
};

use serde_json::{Value, json};
use support::{
    exchange::Exchange,
    recorded::{self, Event, Line},
    replay::{Play, Stage},
    script::Transport,
    server::{Backend, Server, Setup},
    service::Service,
    tokens,
};

macro_rules! transcripts {
    ($($name:ident),* $(,)?) => {
        $(#[test]
        fn $name() {
            replay(stringify!($name));
        })*

        /// Every record is played.
        #[test]
        fn every_record_has_a_test_and_can_be_read() {
            let named: BTreeSet<String> = [$(stringify!($name).to_owned()),*].into();
            let found: BTreeSet<String> = fs::read_dir(folder()).unwrap()
                .map(|entry| entry.unwrap().path().file_stem().unwrap().to_string_lossy().into_owned()).collect();
            assert_eq!(named, found);
            for name in named {
                adapted(&name).unwrap_or_else(|error| panic!("{name}: {error}"));
            }
        }
    };
}

transcripts! {
    avatars, before_login, coop, custom_game, custom_game_too_short, game_results_conflict, http_ports, join_rules, login_double, login_failure, login_order, login_token, malformed_json, matchmaker_1v1, modvault,
    party, ping, restore_session, shutdown_idle, social,
}

/// Lines that are other lines with us, and why.
struct Difference {
    record: &'static str,
    line: usize,
    now: &'static [&'static str],
    because: &'static str,
}

const DIFFERENCES: &[Difference] = &[
    Difference {
        record: "login_double",
        line: 39,
        now: &[
            r#"{"client":"b","dir":"s>c","msg":{"command":"notice","style":"info","text":"You are already signed in from this location!"}}"#,
        ],
        because: "later versions say so and do nothing else (spec: faf-newer, newer 1)",
    },
    Difference {
        record: "login_double",
        line: 40,
        now: &[r#"{"client":"b","dir":"leaves"}"#],
        because: "and the connection stays, so the client ends it",
    },
    Difference {
        record: "modvault",
        line: 22,
        now: &[],
        because: "a list of likers that was none is begun, and a second like does not count (spec: faf-messages 3.17)",
    },
    Difference {
        record: "modvault",
        line: 26,
        now: &[
            r#"{"dir":"db","name":"stats","rows":[[1,1.0,"[1]",0],[2,0.0,"",0],[3,0.0,"",0],[4,1.0,"[1]",0]]}"#,
        ],
        because: "as above; and a mod without a row gets one",
    },
    Difference {
        record: "modvault",
        line: 41,
        now: &[
            r#"{"dir":"db","name":"stats","rows":[[1,2.0,"[1,3]",0],[2,0.0,"",0],[3,0.0,"",0],[4,1.0,"[1]",0]]}"#,
        ],
        because: "as above",
    },
    Difference {
        record: "modvault",
        line: 46,
        now: &[
            r#"{"client":"b","dir":"c>s","msg":{"command":"ping"}}"#,
            r#"{"client":"b","dir":"s>c","msg":{"command":"pong"}}"#,
        ],
        because: "a download is counted (spec: faf-messages 3.17, recommended)",
    },
    Difference {
        record: "modvault",
        line: 47,
        now: &[r#"{"client":"b","dir":"leaves"}"#],
        because: "and the connection stays",
    },
    Difference {
        record: "modvault",
        line: 50,
        now: &[r#"{"dir":"db","name":"stats","rows":[[1,1],[2,0],[3,0],[4,0]]}"#],
        because: "and the database knows of it",
    },
    Difference {
        record: "social",
        line: 34,
        now: &[],
        because: "a new status replaces the old one (spec: faf-messages 3.13, recommended)",
    },
    Difference {
        record: "social",
        line: 35,
        now: &[r#"{"client":"a again","dir":"leaves"}"#],
        because: "and the connection stays, so the client ends it",
    },
    Difference {
        record: "social",
        line: 37,
        now: &[r#"{"dir":"db","name":"rows","rows":[[3,"FOE"],[10,"FRIEND"]]}"#],
        because: "as above",
    },
    Difference {
        record: "social",
        line: 48,
        now: &[
            r#"{"client":"b","dir":"c>s","msg":{"command":"ping"}}"#,
            r#"{"client":"b","dir":"s>c","msg":{"command":"pong"}}"#,
        ],
        because: "somebody who does not exist is ignored (spec: faf-messages 3.13, recommended)",
    },
    Difference {
        record: "social",
        line: 49,
        now: &[r#"{"client":"b","dir":"leaves"}"#],
        because: "and the connection stays",
    },
];

/// In `restore_session` player 3 leaves and returns within one tick there. Here a tick falls in between, so everybody is
/// told that he is not connected, and his return itself is not told (spec: faf-messages 3.9).
const APART: [usize; 6] = [67, 69, 70, 94, 96, 98];

/// The line, as told while player 3 was away; nothing of it for himself.
fn apart(event: Event) -> Option<Event> {
    match event {
        Event::Receive(who, mut message) if !who.starts_with("guest") => {
            let live = message["state"] == "playing";
            message["num_players"] = 1.into();
            if live {
                message["teams"]["3"] = json!([]);
                message["teams_ids"][1]["player_ids"] = json!([]);
            } else {
                message["teams"] = json!({"2": message["teams"]["2"]});
                message["teams_ids"] = json!([message["teams_ids"][0]]);
            }
            Some(Event::Receive(who, message))
        }
        _ => None,
    }
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/transcripts/faf")
}

/// The record with our differences.
fn adapted(name: &str) -> Result<Vec<Line>, String> {
    let mut lines = Vec::new();
    for line in recorded::read(&folder().join(format!("{name}.jsonl")))? {
        let number = line.number;
        let mut differences = DIFFERENCES
            .iter()
            .filter(|d| d.record == name && d.line == number);
        match differences.next() {
            Some(difference) => {
                assert!(!difference.because.is_empty());
                for text in difference.now {
                    let event = recorded::parse(text)?;
                    lines.push(Line { number, event });
                }
            }
            None if name == "restore_session" && APART.contains(&number) => {
                lines.extend(apart(line.event).map(|event| Line { number, event }));
            }
            None => lines.push(line),
        }
    }
    for difference in DIFFERENCES.iter().filter(|d| d.record == name) {
        let last = lines.last().map_or(0, |line| line.number);
        assert!(
            difference.line <= last,
            "{name} has no line {}",
            difference.line
        );
    }
    Ok(newer(lines))
}

/// What later versions do everywhere: a failed join says so in a message of its own (N#1045), the victory condition is
/// stored by name (N#1040), the launch of a match names the map's place in the pool (N#1033).
fn newer(lines: Vec<Line>) -> Vec<Line> {
    let mut out: Vec<Line> = Vec::with_capacity(lines.len());
    let mut wanted = Value::Null;
    for mut line in lines {
        let number = line.number;
        match &mut line.event {
            Event::Send(_, message) if message["command"] == "game_join" => {
                wanted = match message["uid"].as_str() {
                    Some(text) => text.parse::<u64>().map_or(Value::Null, Value::from),
                    None => message["uid"].clone(),
                };
            }
            Event::Receive(_, message)
                if message["game_type"] == "matchmaker" && message["command"] == "game_launch" =>
            {
                message["map_pool_map_version_id"] = "<id>".into();
            }
            Event::Receive(who, message) => {
                let reason = match message["text"].as_str() {
                    Some("The host has left the game.") => Some("host_left_game"),
                    Some("The game you are trying to join is not ready.") => Some("game_not_ready"),
                    Some("Bad password (it's case sensitive).") => Some("bad_password"),
                    _ => None,
                };
                if let Some(reason) = reason {
                    let failed = json!({"command":"game_join_failed","reason":reason,"uid":wanted});
                    let event = Event::Receive(who.clone(), failed);
                    out.push(Line { number, event });
                }
            }
            Event::Rows(name, rows) if name == "game_stats" => {
                for row in rows.as_array_mut().into_iter().flatten() {
                    for (old, new) in [("0", "DEMORALIZATION"), ("3", "SANDBOX")] {
                        if row[1] == old {
                            row[1] = new.into();
                        }
                    }
                }
            }
            _ => {}
        }
        out.push(line);
    }
    out
}

/// The query for the rows that were recorded under a name.
fn query(record: &str, name: &str, columns: usize, phase: &str) -> Option<String> {
    let last = "(SELECT MAX(id) FROM game_stats)";
    let players = if record == "matchmaker_1v1" {
        "100, 101"
    } else {
        "1, 3"
    };
    let (columns, rest) = match (record, name, columns) {
        ("coop", "game_stats", 5) => ("id, gameType, gameMod, mapId, validity", game(last)),
        ("matchmaker_1v1", "game_stats", 6) => ("id, gameType, gameMod, host, gameName, validity", game(last)),
        (_, "game_stats", 8) => (
            "id, gameType, gameMod, host, mapId, gameName, validity, (endTime IS NULL) + 0",
            game(last),
        ),
        (_, "game_stats", 3) => ("id, validity, (endTime IS NULL) + 0", game(last)),
        (_, "game_stats", 2) => ("id, validity", game(last)),
        (_, "game_stats", 1) => ("validity", game(last)),
        (_, "game_player_stats", 12) => (
            "playerId, AI, faction, color, team, place, mean, deviation, after_mean, score, (scoreTime IS NULL) + 0, result",
            seats(last),
        ),
        (_, "game_player_stats", 8) => (
            "playerId, mean, deviation, after_mean, after_deviation, score, (scoreTime IS NULL) + 0, result",
            seats(last),
        ),
        (_, "game_player_stats", 7) => (
            "playerId, mean, deviation, after_mean, after_deviation, score, result",
            seats(last),
        ),
        (_, "game_player_stats", 6) => (
            "playerId, mean, after_mean, after_deviation, score, result",
            seats(last),
        ),
        (_, "game_player_stats", 4) => ("playerId, after_mean, score, result", seats(last)),
        (_, "players", 7) => ("playerId, faction, color, team, place, mean, deviation", seats(last)),
        (_, "queue", 1) => (
            "matchmaker_queue_id",
            format!("matchmaker_queue_game WHERE game_stats_id = {last}"),
        ),
        (_, "leaderboard_rating", 6) => (
            "login_id, leaderboard_id, mean, deviation, total_games, won_games",
            format!("leaderboard_rating WHERE login_id IN ({players}) ORDER BY login_id, leaderboard_id"),
        ),
        (_, "journal", 6) => (
            "playerId, leaderboard_id, rating_mean_before, rating_deviation_before, rating_mean_after, rating_deviation_after",
            "leaderboard_rating_journal j JOIN game_player_stats s ON s.id = j.game_player_stats_id \
             ORDER BY playerId, leaderboard_id"
                .to_owned(),
        ),
        ("coop", "coop_leaderboard", 4) => (
            "gameuid, secondary, SUBSTR(CONCAT(time, ''), 2), player_count",
            "coop_leaderboard".to_owned(),
        ),
        ("avatars", "selected", 2) => {
            let whose = if phase == "several avatars" { 51 } else { 50 };
            ("idAvatar, selected", format!("avatars WHERE idUser = {whose} ORDER BY idAvatar"))
        }
        ("modvault", "stats", 4) => ("mod_id, CAST(likes AS DECIMAL(9, 1)), CAST(likers AS CHAR), downloads", "mod_stats ORDER BY mod_id".to_owned()),
        ("modvault", "stats", 2) => ("mod_id, downloads", "mod_stats ORDER BY mod_id".to_owned()),
        ("social", "rows", 2) => {
            let whose = if phase == "id as text" { 5 } else { 7 };
            (
                "subject_id, status",
                format!("friends_and_foes WHERE user_id = {whose} ORDER BY subject_id"),
            )
        }
        _ => return None,
    };
    Some(format!("SELECT JSON_ARRAY({columns}) FROM {rest}"))
}

fn game(id: &str) -> String {
    format!("game_stats WHERE id = {id}")
}

fn seats(game: &str) -> String {
    format!("game_player_stats WHERE gameId = {game} ORDER BY playerId")
}

/// Plays a record in every way that makes a difference; all of them at once, since they mostly wait.
fn replay(name: &str) {
    let lines = adapted(name).unwrap_or_else(|error| panic!("{name}: {error}"));
    let framing = lines
        .iter()
        .any(|line| matches!(line.event, Event::Raw(..)));
    let transports: &[Transport] = if framing {
        &[Transport::Json]
    } else {
        &[
            Transport::Json,
            Transport::QDataStream,
            Transport::WebSocket,
        ]
    };
    let mut ways: Vec<(Backend, Transport, u16)> = Vec::new();
    for &transport in transports {
        ways.extend([1, 2].map(|shards| (Backend::Sqlite, transport, shards)));
    }
    if Backend::all().contains(&Backend::MySql) {
        ways.extend([1, 2].map(|shards| (Backend::MySql, Transport::Json, shards)));
    }
    let keys = Service::new(200, include_str!("fixtures/token-keys.jwks.json"));
    let keys = keys.url();
    let failures: Vec<String> = thread::scope(|scope| {
        let plays: Vec<_> = ways
            .into_iter()
            .map(|(backend, transport, shards)| {
                let lines = &lines;
                scope.spawn(move || {
                    perform(name, lines, keys, backend, transport, shards)
                        .err()
                        .map(|error| {
                            format!(
                                "over {}, {shards} shard(s), {}: {error}",
                                transport.name(),
                                backend.name()
                            )
                        })
                })
            })
            .collect();
        plays
            .into_iter()
            .filter_map(|play| play.join().unwrap())
            .collect()
    });
    let shown = &failures[..failures.len().min(3)];
    assert!(
        failures.is_empty(),
        "\n{name}, {} ways\n{}",
        failures.len(),
        shown.join("\n")
    );
}

fn perform(
    name: &str,
    lines: &[Line],
    keys: &str,
    backend: Backend,
    transport: Transport,
    shards: u16,
) -> Result<(), String> {
    let mut set = vec![format!("faf.jwks_url={keys}")];
    match name {
        "ping" => set.push("faf.ping_interval_s=1".into()),
        // The queues' first pop is due after half of the longest wait.
        "matchmaker_1v1" => set.extend(
            [
                "matchmaking.pop_longest_s=4",
                "matchmaking.pop_shortest_s=1",
            ]
            .map(str::to_owned),
        ),
        "shutdown_idle" => set.push("server.stop_grace_s=1800".into()),
        _ => {}
    }
    let exchange = Exchange::make()?;
    if let Some(exchange) = &exchange {
        set.push(format!("broker.url={}", exchange.url));
        set.push(format!("broker.exchange={}", exchange.name));
    }
    let mut server = Server::start(&Setup {
        backend,
        shards,
        set: &set,
        sql: &[],
    })?;
    let play = Play {
        transport,
        token: &token,
        query: &|rows, columns, phase| query(name, rows, columns, phase),
        // The reference rates on from what it reads as text, with six digits; we lose none in between.
        slack: if name == "game_results_conflict" {
            0.02
        } else {
            0.0
        },
        sql: match name {
            "join_rules" => &[(
                125,
                "INSERT INTO ban (player_id, author_id, reason, level) VALUES (200, 1, 'Live ban', 'GLOBAL')",
            )],
            _ => &[],
        },
        unsettled: if name == "ping" {
            &["client asks"]
        } else {
            &[]
        },
    };
    Stage::perform(&mut server, exchange, &play, lines)
}

/// The token that a phase of `login_token` is about.
fn token(phase: &str) -> String {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap()
        .as_secs();
    let (sub, scp, kid, exp) = match phase {
        "valid token" => (json!(3), json!(["lobby"]), "k1", now + 600),
        "sub as a string" => (json!("1"), json!(["lobby"]), "k1", now + 600),
        "expired" => (json!(3), json!(["lobby"]), "k1", now - 10),
        "unknown key id" => (json!(3), json!(["lobby"]), "k9", now + 600),
        "no scope claim" => (json!(3), Value::Null, "k1", now + 600),
        "scope without lobby" => (json!(3), json!(["other"]), "k1", now + 600),
        "no subject" => (Value::Null, json!(["lobby"]), "k1", now + 600),
        "subject is no number" => (json!("x"), json!(["lobby"]), "k1", now + 600),
        "unknown user" => (json!(999_999), json!(["lobby"]), "k1", now + 600),
        "banned user" => (json!(2), json!(["lobby"]), "k1", now + 600),
        "not a token" => return "nonsense".into(),
        _ => (json!(3), json!(["lobby"]), "k1", now + 600),
    };
    let mut claims = json!({"exp": exp});
    for (key, value) in [("sub", sub), ("scp", scp)] {
        if !value.is_null() {
            claims[key] = value;
        }
    }
    let token = tokens::token(kid, &claims);
    if phase == "wrong signature" {
        let (body, _) = token.rsplit_once('.').unwrap();
        let other = tokens::token(kid, &json!({"exp": exp}));
        return format!("{body}.{}", other.rsplit_once('.').unwrap().1);
    }
    token
}
