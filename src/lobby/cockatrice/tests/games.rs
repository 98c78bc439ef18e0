//! Games: creating, joining, talking, leaving, what rooms are told.

use cockatrice::messages::{
    CommandGameSay, CommandJudge, CommandKickFromGame, CommandLeaveGame, CommandReplayDownload,
    CommandRollDie, GameReplay,
};

use super::*;

fn talk(text: &str) -> GameCommandBody<'_> {
    GameCommandBody::GameSay(CommandGameSay {
        message: Some(text.into()),
    })
}

fn leave() -> GameCommandBody<'static> {
    GameCommandBody::LeaveGame(CommandLeaveGame::default())
}

/// Creates a game. Its id.
fn created(sim: &mut Sim, conn: ConnId) -> u32 {
    let answer = ask(sim, conn, room(10, 0, create(2)));
    let joined = answer.iter().find_map(|m| m.strip_prefix("in game "));
    let id = joined.and_then(|m| m.split(' ').next()).expect("a game");
    id.parse().expect("a number")
}

#[test]
fn a_game_is_created_joined_and_closed() {
    each(|mut sim| {
        let (ann, bob) = (member(&mut sim, "ann"), member(&mut sim, "bob"));
        hush(&mut sim, &[ann]);
        sim.send(ann, room(10, 0, create(2)));
        sim.settle();
        let answer = heard_but_lists(&mut sim, ann);
        let id = 1;
        let expected = [
            format!("game {id} GameHostChanged"),
            "10 RespOk".to_owned(),
            format!("in game {id} as 0"),
            format!("game {id} GameStateChanged"),
        ];
        assert_eq!(answer, expected);
        assert_eq!(heard(&mut sim, bob), [format!("0 games {id}:1+1")]);
        sim.send(bob, room(10, 0, enter(1, false)));
        sim.settle();
        assert_eq!(
            heard_but_lists(&mut sim, bob),
            [
                "10 RespOk".to_owned(),
                format!("in game {id} as 1"),
                format!("game {id} GameStateChanged")
            ]
        );
        let seen = heard(&mut sim, ann);
        assert!(seen.contains(&format!("game {id} Join")), "{seen:?}");
        assert!(
            seen.contains(&format!("0 games {id}:2+0")),
            "no types twice: {seen:?}"
        );
        let answer = ask(&mut sim, bob, game(11, 1, vec![talk("hi")]));
        assert_eq!(answer, ["game 1 say hi", "11 RespOk"]);
        assert_eq!(heard(&mut sim, ann), ["game 1 say hi"]);
        let answer = ask(&mut sim, bob, game(12, 1, vec![leave()]));
        assert!(answer.contains(&"12 RespOk".to_owned()), "{answer:?}");
        assert_eq!(
            ask(&mut sim, bob, game(13, 1, vec![talk("x")])),
            ["13 RespNotInRoom"]
        );
        hush(&mut sim, &[ann, bob]);
        sim.send(ann, game(12, 1, vec![leave()]));
        sim.settle();
        assert_eq!(heard_but_lists(&mut sim, ann), ["12 RespOk", "ReplayAdded"]);
        assert_eq!(
            heard(&mut sim, bob),
            ["0 games 1:0+0 closed", "ReplayAdded"]
        );
        let carol = user(&mut sim, "carol");
        let answer = ask(&mut sim, carol, session(2, join(0)));
        assert_eq!(answer[0], "2 RespOk room 0 ann,bob,carol games 0");
    });
}

#[test]
fn joining_is_refused_in_order() {
    each(|mut sim| {
        let (ann, bob) = (member(&mut sim, "ann"), member(&mut sim, "bob"));
        let carol = member(&mut sim, "carol");
        let id = created(&mut sim, ann) as i32;
        let joins = |sim: &mut Sim, conn, id, spectator| {
            let answer = ask(sim, conn, room(20, 0, enter(id, spectator)));
            let answer = answer.into_iter().find(|m| m.starts_with("20 "));
            answer.expect("an answer")
        };
        assert_eq!(joins(&mut sim, ann, id, false), "20 RespContextError");
        assert_eq!(joins(&mut sim, bob, id + 1, false), "20 RespNameNotFound");
        assert_eq!(joins(&mut sim, bob, -1, false), "20 RespNameNotFound");
        assert_eq!(joins(&mut sim, bob, id, false), "20 RespOk");
        assert_eq!(joins(&mut sim, carol, id, false), "20 RespGameFull");
        assert_eq!(joins(&mut sim, carol, id, true), "20 RespOk");
    });
}

#[test]
fn a_lost_connection_and_a_kick_take_somebody_out() {
    each(|mut sim| {
        let (ann, bob) = (member(&mut sim, "ann"), member(&mut sim, "bob"));
        let carol = member(&mut sim, "carol");
        let id = created(&mut sim, ann);
        ask(&mut sim, bob, room(20, 0, enter(id as i32, false)));
        ask(&mut sim, carol, room(20, 0, enter(id as i32, true)));
        hush(&mut sim, &[ann, bob, carol]);
        let kick = GameCommandBody::KickFromGame(CommandKickFromGame { player_id: Some(2) });
        let refused = ask(&mut sim, bob, game(30, id, vec![kick.clone()]));
        assert_eq!(refused, ["30 RespFunctionNotAllowed"]);
        ask(&mut sim, ann, game(31, id, vec![kick]));
        let seen = heard(&mut sim, carol);
        assert!(seen.contains(&format!("game {id} Kicked")), "{seen:?}");
        assert_eq!(
            ask(&mut sim, carol, game(32, id, vec![talk("x")])),
            ["32 RespNotInRoom"]
        );
        hush(&mut sim, &[bob]);
        sim.disconnect(ann);
        sim.settle();
        let seen = heard(&mut sim, bob);
        for event in ["Leave", "GameHostChanged", "GameStateChanged"] {
            assert!(seen.contains(&format!("game {id} {event}")), "{seen:?}");
        }
        sim.disconnect(bob);
        sim.settle();
        assert!((0..sim.shards()).all(|shard| sim.dialect(shard).tables.is_empty()));
    });
}

#[test]
fn leaving_the_room_is_not_leaving_the_game() {
    each(|mut sim| {
        let (ann, bob) = (member(&mut sim, "ann"), member(&mut sim, "bob"));
        let id = created(&mut sim, ann);
        let leave_room = RoomCommandBody::LeaveRoom(Default::default());
        ask(&mut sim, ann, room(11, 0, leave_room));
        let answer = ask(&mut sim, ann, game(12, id, vec![talk("still here")]));
        assert_eq!(
            answer,
            [format!("game {id} say still here"), "12 RespOk".to_owned()]
        );
        hush(&mut sim, &[ann]);
        ask(&mut sim, bob, room(20, 0, enter(id as i32, false)));
        assert_eq!(
            heard(&mut sim, ann),
            [format!("game {id} Join")],
            "no news of the room"
        );
    });
}

#[test]
fn participants_see_how_long_others_are_silent() {
    each(|mut sim| {
        let (ann, bob) = (member(&mut sim, "ann"), member(&mut sim, "bob"));
        let id = created(&mut sim, ann);
        ask(&mut sim, bob, room(20, 0, enter(id as i32, false)));
        hush(&mut sim, &[ann, bob]);
        for _ in 0..4 {
            tick(&mut sim);
        }
        let changed = format!("game {id} PlayerPropertiesChanged,PlayerPropertiesChanged");
        assert!(heard(&mut sim, ann).contains(&changed));
    });
}

#[test]
fn too_many_commands_are_refused_and_card_moves_are_not_counted() {
    let few = Settings {
        game_commands: 3,
        ..settings()
    };
    each_with(few, |mut sim| {
        let ann = member(&mut sim, "ann");
        let id = created(&mut sim, ann);
        let roll = || GameCommandBody::RollDie(CommandRollDie::default());
        for cmd in 0..3 {
            let answer = ask(&mut sim, ann, game(cmd, id, vec![roll()]));
            assert_ne!(
                answer.last().expect("an answer"),
                &format!("{cmd} RespChatFlood")
            );
        }
        assert_eq!(
            ask(&mut sim, ann, game(4, id, vec![leave()])),
            ["4 RespChatFlood"]
        );
        let draw = GameCommandBody::DrawCards(Default::default());
        assert_eq!(
            ask(&mut sim, ann, game(5, id, vec![draw])),
            ["5 RespChatFlood"]
        );
        sim.advance(Duration::from_secs(10));
        // Too many of one container are not obeyed at all.
        let four = || vec![roll(), roll(), roll(), roll()];
        assert_eq!(ask(&mut sim, ann, game(6, id, four())), ["6 RespChatFlood"]);
        sim.advance(Duration::from_secs(10));
        let three = || vec![roll(), roll(), roll()];
        let answer = ask(&mut sim, ann, game(7, id, three()));
        assert_eq!(answer.len(), 2, "{answer:?}");
        sim.advance(Duration::from_secs(10));
        let answer = ask(&mut sim, ann, game(8, id, vec![leave()]));
        assert!(answer.contains(&"8 RespOk".to_owned()));
    });
}

/// Who asks to be a judge of the own game is one where the server allows it, and otherwise has an ordinary game. Its description may
/// be empty.
#[test]
fn a_creator_is_a_judge_if_that_is_allowed() {
    for allowed in [false, true] {
        let set = Settings {
            create_as_judge: allowed,
            ..settings()
        };
        each_with(set, |mut sim| {
            let ann = member(&mut sim, "ann");
            let RoomCommandBody::CreateGame(mut command) = create(2) else {
                panic!()
            };
            command.join_as_judge = Some(true);
            command.description = Some("".into());
            hush(&mut sim, &[ann]);
            sim.send(ann, room(10, 0, RoomCommandBody::CreateGame(command)));
            sim.settle();
            let messages = sim.take_raw(ann);
            let joined = messages.iter().find_map(|bytes| {
                let message: ServerMessage<'_> = decode(bytes).expect("a message");
                match message.session_event?.body? {
                    SessionEventBody::GameJoined(joined) => {
                        let game = joined.game_info.as_ref().expect("a game");
                        Some((joined.judge(), game.description().to_string()))
                    }
                    _ => None,
                }
            });
            assert_eq!(joined, Some((allowed, String::new())));
        });
    }
}

/// What is recorded of a long game stands on disk, not in memory; its replay has all of it.
#[test]
fn a_long_game_is_recorded_on_disk() {
    let set = Settings {
        method: Method::Accounts,
        game_commands: 100_000,
        ..settings()
    };
    each_with(set, |mut sim| {
        let ann = member(&mut sim, "alicea");
        let id = created(&mut sim, ann);
        let roll = GameCommandBody::RollDie(CommandRollDie {
            sides: Some(1_000_000),
            count: Some(100),
        });
        for cmd in 0..300 {
            sim.send(ann, game(cmd, id, vec![roll.clone()]));
            if cmd % 10 == 0 {
                tick(&mut sim);
                let tables = |shard| sim.dialect(shard).tables.values();
                let tables = (0..sim.shards()).flat_map(tables);
                let recorded: usize = tables.map(|table| table.game.recorded_bytes()).sum();
                assert!(recorded < 24 * 1024, "{recorded} after {cmd}");
            }
        }
        sim.settle();
        hush(&mut sim, &[ann]);
        sim.send(ann, game(300, id, vec![leave()]));
        sim.settle();
        assert_eq!(
            heard_but_lists(&mut sim, ann),
            ["300 RespOk", "ReplayAdded"]
        );
        let download = CommandReplayDownload { replay_id: Some(1) };
        let download = SessionCommandBody::ReplayDownload(download);
        sim.send(ann, session(301, download));
        sim.settle();
        let answer = sim.take_raw(ann).pop().expect("an answer");
        let answer: ServerMessage<'_> = decode(&answer).expect("a message");
        let answer = answer.response.expect("a response");
        let Some(ResponseBody::ReplayDownload(replay)) = &answer.body else {
            panic!("{:?}", answer.response_code);
        };
        let replay = replay.replay_data.as_deref().expect("a replay");
        let replay: GameReplay<'_> = decode(replay).expect("a replay");
        let events = replay.event_list.iter().flat_map(|one| &one.event_list);
        let bodies = events.filter_map(|event| event.body.as_ref());
        assert_eq!(
            bodies.filter(|body| name_of(*body) == "RollDie").count(),
            300
        );
    });
}

#[test]
fn whoever_waits_for_a_number_is_not_heard_meanwhile() {
    let accounts = Settings {
        method: Method::Accounts,
        ..settings()
    };
    each_with(accounts, |mut sim| {
        let ann = member(&mut sim, "alicea");
        sim.stalled = true;
        sim.send(ann, room(3, 0, create(2)));
        sim.send(ann, room(4, 0, say("meanwhile")));
        sim.settle();
        assert!(heard(&mut sim, ann).is_empty());
        sim.stalled = false;
        sim.settle();
        let mut answers = heard(&mut sim, ann);
        answers.retain(|line| line.contains("Resp"));
        assert_eq!(answers, ["3 RespOk", "4 RespOk"]);
    });
}

#[test]
fn one_user_has_only_so_many_games_of_a_room() {
    each(|mut sim| {
        let ann = member(&mut sim, "ann");
        for _ in 0..5 {
            created(&mut sim, ann);
        }
        assert_eq!(
            ask(&mut sim, ann, room(20, 0, create(2))),
            ["20 RespContextError"]
        );
    });
}

/// A game that is over is none of a user's games, although it is still being put on disk.
#[test]
fn a_game_that_is_over_makes_room_for_another() {
    let accounts = Settings {
        method: Method::Accounts,
        games_per_user: 1,
        ..settings()
    };
    each_with(accounts, |mut sim| {
        let ann = member(&mut sim, "alicea");
        let id = created(&mut sim, ann);
        sim.stalled = true;
        ask(&mut sim, ann, game(11, id, vec![leave()]));
        ask(&mut sim, ann, room(12, 0, create(2)));
        sim.stalled = false;
        sim.settle();
        let answers = heard(&mut sim, ann);
        assert!(answers.contains(&"12 RespOk".to_owned()), "{answers:?}");
    });
}

/// What somebody says who may not say it is refused, and is no chat.
#[test]
fn what_may_not_be_said_does_not_count_as_chat() {
    let quiet = Settings {
        chat_messages: 2,
        ..settings()
    };
    each_with(quiet, |mut sim| {
        let (ann, bob) = (member(&mut sim, "ann"), member(&mut sim, "bob"));
        let RoomCommandBody::CreateGame(mut command) = create(2) else {
            panic!()
        };
        command.spectators_can_talk = Some(false);
        ask(
            &mut sim,
            ann,
            room(10, 0, RoomCommandBody::CreateGame(command)),
        );
        ask(&mut sim, bob, room(10, 0, enter(1, true)));
        for id in 11..15 {
            let answer = ask(&mut sim, bob, game(id, 1, vec![talk("psst")]));
            assert_eq!(answer, [format!("{id} RespFunctionNotAllowed")]);
        }
        for id in 15..17 {
            let answer = ask(&mut sim, bob, room(id, 0, say("hello")));
            assert_eq!(answer, ["0 bob: hello".to_owned(), format!("{id} RespOk")]);
        }
        let answer = ask(&mut sim, bob, room(17, 0, say("hello")));
        assert_eq!(answer, ["17 RespChatFlood"]);
    });
}

/// What a judge has somebody say is theirs, also for the limit of chat (spec: cockatrice-table 11).
#[test]
fn what_somebody_is_made_to_say_counts_as_theirs() {
    let quiet = Settings {
        chat_messages: 2,
        create_as_judge: true,
        ..settings()
    };
    each_with(quiet, |mut sim| {
        let (ann, bob) = (member(&mut sim, "ann"), member(&mut sim, "bob"));
        let RoomCommandBody::CreateGame(mut command) = create(2) else {
            panic!()
        };
        command.join_as_judge = Some(true);
        ask(
            &mut sim,
            ann,
            room(10, 0, RoomCommandBody::CreateGame(command)),
        );
        ask(&mut sim, bob, room(10, 0, enter(1, false)));
        let made = || {
            GameCommandBody::Judge(CommandJudge {
                target_id: Some(1),
                game_command: vec![GameCommand {
                    body: Some(talk("I lose")),
                }],
            })
        };
        for id in 11..14 {
            let answer = ask(&mut sim, ann, game(id, 1, vec![made()]));
            let told = ["game 1 say I lose".to_owned(), format!("{id} RespOk")];
            assert_eq!(
                answer,
                told[usize::from(id == 13)..],
                "the third is too much"
            );
        }
        let answer = ask(&mut sim, bob, game(14, 1, vec![talk("no")]));
        assert_eq!(answer, ["14 RespChatFlood"]);
        let answer = ask(&mut sim, ann, game(15, 1, vec![talk("yes")]));
        assert_eq!(answer, ["game 1 say yes", "15 RespOk"]);
        // What they have said themselves, wherever it was, counts for what they are made to say.
        for _ in 0..11 {
            tick(&mut sim);
        }
        ask(&mut sim, bob, room(16, 0, say("hello")));
        let twice = ask(&mut sim, ann, game(17, 1, vec![made(), made()]));
        assert_eq!(twice, ["game 1 say I lose", "17 RespOk"]);
        // For somebody who is away a judge speaks for nothing; nobody but a judge has anybody say anything.
        let answer = ask(&mut sim, bob, game(18, 1, vec![made()]));
        assert_eq!(answer, ["18 RespFunctionNotAllowed"]);
    });
}

/// Several are made to say something with one container: each is asked, wherever they are.
#[test]
fn several_are_made_to_say_something_at_once() {
    let judged = Settings {
        create_as_judge: true,
        chat_messages: 1,
        ..settings()
    };
    each_with(judged, |mut sim| {
        let ann = member(&mut sim, "ann");
        let RoomCommandBody::CreateGame(mut command) = create(3) else {
            panic!()
        };
        command.join_as_judge = Some(true);
        let create = RoomCommandBody::CreateGame(command);
        ask(&mut sim, ann, room(10, 0, create));
        for name in ["bob", "cat"] {
            let conn = member(&mut sim, name);
            ask(&mut sim, conn, room(10, 0, enter(1, false)));
        }
        let made = |target, text: &'static str| {
            GameCommandBody::Judge(CommandJudge {
                target_id: Some(target),
                game_command: vec![GameCommand {
                    body: Some(talk(text)),
                }],
            })
        };
        hush(&mut sim, &[ann]);
        let all = vec![
            made(1, "too much"),
            talk("own"),
            made(0, "too much as well"),
            made(2, "two"),
            made(1, "one"),
        ];
        let answer = ask(&mut sim, ann, game(11, 1, all));
        assert_eq!(answer, ["game 1 say one,say two,say own", "11 RespOk"]);
        let answer = ask(&mut sim, ann, game(12, 1, vec![made(2, "three")]));
        assert_eq!(answer, ["12 RespOk"]);
    });
}

#[test]
fn what_is_told_of_a_host_is_public() {
    each(|mut sim| {
        let (ann, bob) = (member(&mut sim, "ann"), member(&mut sim, "bob"));
        hush(&mut sim, &[bob]);
        created(&mut sim, ann);
        let raw = sim.take_raw(bob);
        let list = raw.iter().find_map(|bytes| {
            let message: ServerMessage<'_> = decode(bytes).ok()?;
            match message.room_event?.body? {
                RoomEventBody::ListGames(list) => Some(list),
                _ => None,
            }
        });
        let list = list.expect("a list");
        let host = list.game_list[0].host_info.as_ref().expect("a host");
        assert_eq!(host.name(), "ann");
        assert!(host.address.is_none() && host.session_id.is_none());
    });
}

#[test]
fn a_deck_is_taken() {
    each(|mut sim| {
        let ann = member(&mut sim, "ann");
        let id = created(&mut sim, ann);
        let answer = ask(&mut sim, ann, game(20, id, vec![deck()]));
        assert!(
            answer.last().expect("an answer").starts_with("20 "),
            "{answer:?}"
        );
    });
}
