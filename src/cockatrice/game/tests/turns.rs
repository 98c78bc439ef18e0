//! Dice, turns, containers, spectators, judges, returning, replays (checklist 1171 to 1208).

use super::{play::*, room::*};
use crate::{
    game::{zone::ZoneName::*, *},
    messages::{ResponseCode::*, *},
};

fn reverse() -> GameCommandBody<'static> {
    GameCommandBody::ReverseTurn(CommandReverseTurn::default())
}

fn say(text: &'static str) -> GameCommandBody<'static> {
    GameCommandBody::GameSay(CommandGameSay {
        message: Some(text.into()),
    })
}

fn die(sides: u32, count: u32) -> GameCommandBody<'static> {
    GameCommandBody::RollDie(CommandRollDie {
        sides: Some(sides),
        count: Some(count),
    })
}

fn life(value: i32) -> GameCommandBody<'static> {
    GameCommandBody::SetCounter(CommandSetCounter {
        counter_id: Some(0),
        value: Some(value),
    })
}

/// 183, 1171.
#[test]
fn dice() {
    let mut room = Room::two();
    for (sides, count, told_sides, told_count) in [
        (6, 3, 6, 3),
        (0, 0, 2, 1),
        (u32::MAX, u32::MAX, 1_000_000, 100),
    ] {
        room.does(0, die(sides, count));
        let message: ServerMessage<'_> = decode(&room.out.deliveries[0].body).expect("a message");
        let container = message.game_event_container.expect("a container");
        let Some(GameEventBody::RollDie(die)) = &container.event_list[0].body else {
            panic!()
        };
        assert_eq!(
            (die.sides, die.value),
            (Some(told_sides), die.values.first().copied())
        );
        assert_eq!(die.values.len(), told_count);
        assert!(
            die.values
                .iter()
                .all(|value| (1..=told_sides).contains(value))
        );
    }
}

/// 178, 181, 182, 1172 to 1175.
#[test]
fn turns_go_round() {
    let mut room = Room::playing(rules(3), &[("carol", PLAYER)]);
    let next = |room: &mut Room, by| {
        room.does(by, next_turn());
        room.game.active_player
    };
    assert_eq!(
        [next(&mut room, 1), next(&mut room, 1), next(&mut room, 0)],
        [1, 2, 0]
    );
    assert_eq!(room.code(1, phase(3)), RespContextError);
    for _ in 0..2 {
        room.does(0, phase(70));
        assert_eq!(room.seen(1), ["SetActivePhase phase=70"]);
    }
    room.does(0, phase(u32::MAX));
    assert_eq!(room.seen(1), ["SetActivePhase phase=-1"]);
    room.does(1, reverse());
    assert_eq!(room.seen(0), ["1: ReverseTurn reversed=true"]);
    assert_eq!(
        [next(&mut room, 1), next(&mut room, 1), next(&mut room, 0)],
        [2, 1, 0]
    );
    room.does(0, concede());
    assert_eq!(room.game.active_player, 2);
    assert_eq!(room.code(0, next_turn()), RespContextError);
    assert_eq!(room.code(0, reverse()), RespContextError);
    assert_eq!(room.code(0, phase(1)), RespContextError);
    assert_eq!([next(&mut room, 1), next(&mut room, 1)], [1, 2]);
}

/// 1176 to 1178, 1041's quirk of what overtakes.
#[test]
fn several_commands_in_a_container() {
    let mut room = Room::two();
    let answer = room.gives(0, vec![say("one"), say("two")]);
    assert_eq!(answer.code, RespOk);
    assert_eq!(
        room.seen(1),
        ["0: GameSay message=\"two\"", "0: GameSay message=\"one\""]
    );
    assert_eq!(room.out.deliveries.len(), 1);
    room.gives(0, vec![next_turn(), life(19)]);
    assert_eq!(
        room.seen(1),
        [
            "SetActivePlayer active_player_id=1",
            "SetActivePhase phase=0",
            "0: SetCounter counter_id=0 value=19"
        ]
    );
    let set = |id| {
        GameCommandBody::SetCounter(CommandSetCounter {
            counter_id: Some(id),
            value: Some(1),
        })
    };
    let answer = room.gives(0, vec![set(99), set(1), dump(1, "hand", 1)]);
    assert_eq!(answer.code, RespNameNotFound);
    assert_eq!(room.seen(1), ["0: SetCounter counter_id=1 value=1"]);
    assert_eq!(
        room.gives(0, vec![dump(0, "sb", 2), dump(0, "sb", 1), set(99)])
            .body
            .map(|body| format!("{body:?}").matches("Side").count()),
        Some(2)
    );
    // After leaving nothing more is done.
    let answer = room.gives(0, vec![say("bye"), leave()]);
    assert_eq!(answer.code, RespNotInRoom);
    assert!(!room.seen(1).iter().any(|line| line.contains("bye")));
}

/// Who is told to have moved a card that everybody sees is no secret: one container holds that, and what only one may know.
#[test]
fn what_is_no_secret_needs_no_container_of_its_own() {
    let mut room = Room::two();
    for by in [1, 1, 0] {
        room.does(by, mv(&[0], "deck", (by, "table"), 0, 0));
    }
    room.gives(0, vec![attach(0, (1, 0)), draw(1)]);
    let told = |by| {
        let deliveries = room.out.deliveries.iter();
        deliveries.filter(|one| one.to.contains(&by)).count()
    };
    assert_eq!((told(0), told(1)), (1, 1));
    let (own, others) = (room.seen(0), room.seen(1));
    assert!(
        others.iter().any(|line| line.starts_with("1: MoveCard")),
        "{others:?}"
    );
    assert!(own[0].contains("Bravo") && !others[0].contains("Bravo"));
}

/// Two revelations of one container go to whom each of them is meant for.
#[test]
fn each_private_event_has_its_own_receiver() {
    let mut room = Room::playing(rules(3), &[("carol", PLAYER)]);
    room.does(0, draw(2));
    let show = |card, whom| {
        GameCommandBody::RevealCards(CommandRevealCards {
            zone_name: Some("hand".into()),
            card_id: vec![card],
            player_id: Some(whom),
            ..CommandRevealCards::default()
        })
    };
    room.gives(0, vec![show(0, 1), show(1, 2), draw(1)]);
    let [mine, bobs, carols] = [0, 1, 2].map(|by| room.seen(by).join("\n"));
    assert!(mine.contains("Charlie") && !mine.contains("Alpha") && !mine.contains("Bravo"));
    assert!(bobs.contains("Alpha") && !bobs.contains("Bravo") && !bobs.contains("Charlie"));
    assert!(carols.contains("Bravo") && !carols.contains("Alpha") && !carols.contains("Charlie"));
}

/// 1183: what is left to who conceded.
#[test]
fn after_conceding() {
    let mut room = Room::playing(rules(3), &[("carol", PLAYER)]);
    room.does(1, concede());
    for body in [
        draw(1),
        die(2, 1),
        life(1),
        mulligan(1),
        concede(),
        make(token("T", 0, 0)),
        attr(Some(0), CardAttribute::AttrTapped, "1"),
    ] {
        assert_eq!(room.code(1, body), RespContextError);
    }
    room.does(1, say("still here"));
    room.does(1, dump(0, "grave", -1));
    // 1184
    room.does(1, unconcede());
    room.does(1, draw(1));
}

/// 177: the consequence is seen before the cause.
#[test]
fn the_last_opponent_concedes() {
    let mut room = Room::two();
    room.does(1, concede());
    let seen = room.seen(0);
    assert!(
        seen[0].starts_with("GameStateChanged player_list=")
            && seen[0].ends_with("game_started=false seconds_elapsed=0")
    );
    assert_eq!(
        seen[1..],
        [
            "1: PlayerPropertiesChanged player_properties={conceded=true}",
            "Concede"
        ]
    );
    assert_eq!(room.out.news, [News::Started(false)]);
    // 1029's counterpart: who joins now is told whose turn it was.
    let id = room.joins("carol", SPECTATOR);
    let snapshot = room.game.snapshot_for(id).expect("a snapshot");
    assert!(
        format!("{:?}", decode::<ServerMessage<'_>>(&snapshot))
            .contains("active_player_id: Some(0), active_phase: Some(0)")
    );
}

/// 161, 1192 to 1194.
#[test]
fn spectators() {
    for omniscient in [false, true] {
        let mut room = Room::playing(
            Rules {
                spectators_see_everything: omniscient,
                ..rules(2)
            },
            &[("carol", SPECTATOR)],
        );
        room.does(0, draw(1));
        assert_eq!(room.seen(2)[0].contains("Alpha"), omniscient);
        room.does(0, mv_down(&[0], "hand", (0, "table"), 0, 0));
        room.does(0, draw(1));
        let snapshot = room.game.snapshot_for(2).expect("a snapshot");
        let text = format!("{:?}", decode::<ServerMessage<'_>>(&snapshot));
        assert_eq!(text.contains("Bravo"), omniscient);
        assert!(!text.contains("Charlie") && !text.contains("Alpha"));
        for body in [
            draw(1),
            die(1, 1),
            concede(),
            unconcede(),
            dump(0, "table", -1),
            next_turn(),
            phase(1),
            reverse(),
            judge(0, vec![]),
        ] {
            assert_eq!(room.code(2, body), RespFunctionNotAllowed);
        }
        room.does(2, say("hi"));
        room.does(2, leave());
    }
    // Before a round, turns are refused for another reason.
    let mut room = Room::new(rules(2), person("alice"), PLAYER);
    room.joins("carol", SPECTATOR);
    assert_eq!(room.code(1, next_turn()), RespGameNotStarted);
    assert_eq!(room.code(1, phase(1)), RespGameNotStarted);
    assert_eq!(room.code(1, draw(1)), RespFunctionNotAllowed);
    let snapshot = room.game.snapshot_for(1).expect("a snapshot");
    assert!(
        format!("{:?}", decode::<ServerMessage<'_>>(&snapshot))
            .contains("active_player_id: Some(-1), active_phase: Some(-1)")
    );
}

/// 191, 1195 to 1199: a judge who looks on.
#[test]
fn a_judge_looks_on() {
    let mut room = Room::playing(rules(2), &[("judy", Role::Spectator { judge: true })]);
    room.does(0, draw(1));
    assert!(room.seen(2)[0].contains("Alpha"));
    room.does(2, judge(0, vec![draw(1), life(5), draw(0)]));
    assert_eq!(
        room.seen(1),
        [
            "0: DrawCards number=1",
            "0: SetCounter counter_id=0 value=5",
            "0: DrawCards number=0",
            "forced by 2"
        ]
    );
    assert!(room.seen(0)[0].contains("Bravo") && room.seen(2)[0].contains("Bravo"));
    let answer = room.gives(2, vec![judge(0, vec![dump(0, "deck", 1), life(5)])]);
    assert!(format!("{:?}", answer.body).contains("Charlie"));
    room.does(
        2,
        judge(0, vec![dump(1, "hand", 1), judge(1, vec![life(3)])]),
    );
    assert!(room.out.deliveries.is_empty());
    assert_eq!(room.code(2, judge(2, vec![])), RespContextError);
    assert_eq!(room.code(2, judge(9, vec![])), RespContextError);
    assert_eq!(room.code(0, judge(1, vec![])), RespFunctionNotAllowed);
    // What is sent at once is not said to be forced.
    room.does(2, judge(0, vec![next_turn(), life(4)]));
    assert_eq!(
        room.seen(1),
        [
            "SetActivePlayer active_player_id=1",
            "SetActivePhase phase=0",
            "0: SetCounter counter_id=0 value=4",
            "forced by 2"
        ]
    );
    room.does(2, next_turn());
    room.does(2, phase(6));
    room.does(2, reverse());
    assert_eq!(room.code(2, draw(1)), RespFunctionNotAllowed);
    assert_eq!(room.code(2, dump(0, "hand", -1)), RespFunctionNotAllowed);
    // A player who is made to leave does nothing more.
    room.does(2, judge(1, vec![leave(), say("I am gone")]));
    assert!(!room.seen(0).iter().any(|line| line.contains("gone")));
}

/// What a judge has somebody say who is away is charged to nobody; of one who is there it counts.
#[test]
fn a_judge_speaks_for_somebody_who_is_away() {
    let mut room = Room::new(rules(2), person("alice"), PLAYER);
    let bob = Person {
        registered: true,
        ..person("bob")
    };
    room.game.join(bob, PLAYER, &mut room.out);
    room.joins("judy", Role::Spectator { judge: true });
    room.chat_allowed = false;
    room.does(2, judge(1, vec![say("too much")]));
    assert!(room.out.deliveries.is_empty());
    room.game.disconnected(1, &mut room.out);
    room.does(2, judge(1, vec![say("heard")]));
    assert_eq!(
        room.seen(0),
        ["1: GameSay message=\"heard\"", "forced by 2"]
    );
}

/// 1200, and that a judge's revelation for a player comes to the judge.
#[test]
fn a_judge_plays() {
    let mut room = Room::playing(rules(3), &[("judy", Role::Player { judge: true })]);
    room.does(0, draw(2));
    let mut take = shift(&[0], "hand", (1, "hand"), 0, 0);
    take.start_player_id = Some(0);
    room.does(2, GameCommandBody::MoveCard(take));
    assert_eq!(room.ids(1, Hand), [15]);
    assert!(room.seen(2)[0].contains("Alpha") && !room.seen(0)[0].contains("Alpha"));
    room.does(2, phase(4));
    let show = GameCommandBody::RevealCards(CommandRevealCards {
        zone_name: Some("hand".into()),
        player_id: Some(1),
        ..Default::default()
    });
    room.does(2, judge(0, vec![show]));
    assert!(room.seen(2)[0].contains("Bravo") && !room.seen(1)[0].contains("Bravo"));
    room.does(2, concede());
    room.does(2, next_turn());
}

/// What a judge has another judge do is done with that one's rights (spec: cockatrice-table 11).
#[test]
fn a_judge_is_made_to_do_what_judges_may() {
    let judy = ("judy", Role::Player { judge: true });
    let mut room = Room::playing(rules(3), &[judy, ("jim", Role::Spectator { judge: true })]);
    room.does(0, draw(1));
    let take = |from| {
        let mut take = shift(&[0], "hand", (1, "hand"), 0, 0);
        take.start_player_id = Some(from);
        GameCommandBody::MoveCard(take)
    };
    room.does(3, judge(1, vec![take(0)]));
    assert_eq!(room.ids(0, Hand), [0]);
    room.does(3, judge(2, vec![take(0), phase(4)]));
    assert_eq!((room.ids(1, Hand), room.game.active_phase), (vec![15], 4));
}

/// 1188 to 1191: a lost connection, and what is there on return.
#[test]
fn returning_to_a_round() {
    let mut room = Room::new(rules(2), person("alice"), PLAYER);
    let bob = Person {
        registered: true,
        ..person("bob")
    };
    room.game.join(bob.clone(), PLAYER, &mut room.out);
    for id in [0, 1] {
        room.does(id, select(&cod(&TWELVE, &[])));
    }
    room.does(1, ready());
    room.game.disconnected(1, &mut room.out);
    room.does(0, ready());
    assert!(room.game.is_started());
    assert!(room.seen(1).is_empty());
    room.stack(1);
    room.does(0, next_turn());
    room.game.returned(1, bob.clone(), &mut room.out);
    room.does(1, draw(2));
    room.game.returned(1, bob, &mut room.out);
    let snapshot = room.game.snapshot_for(1).expect("a snapshot");
    let text = format!("{:?}", decode::<ServerMessage<'_>>(&snapshot));
    assert!(text.contains("name: Some(\"Alpha\")") && text.contains("name: Some(\"Bravo\")"));
    assert!(text.contains("active_player_id: Some(1), active_phase: Some(0)"));
    let joined = room.game.joined(1, true, vec![]).expect("it is told");
    assert!(format!("{:?}", decode::<ServerMessage<'_>>(&joined)).contains("resuming: Some(true)"));
    room.does(1, undo());
    room.does(1, mv(&[0], "hand", (1, "table"), 0, 0));
}

/// 1201 to 1203, 1205: what is recorded of two rounds.
#[test]
fn replays_of_two_rounds() {
    let mut room = Room::playing(
        Rules {
            share_decklists_on_load: false,
            ..rules(2)
        },
        &[("carol", SPECTATOR)],
    );
    room.does(0, draw(1));
    room.does(0, mv(&[0], "hand", (0, "deck"), 0, 0));
    room.game.second(&mut |_| 0, 0, &mut room.out);
    room.does(1, concede());
    room.does(
        0,
        GameCommandBody::KickFromGame(CommandKickFromGame { player_id: Some(2) }),
    );
    room.does(0, ready());
    let begun = room.game.take_recorded();
    assert!(room.game.recorded_bytes() == 0 && !begun.is_empty());
    room.does(1, ready());
    let rest = room.out.news.iter().find_map(|news| match news {
        News::Replay(replay) => Some(replay.clone()),
        _ => None,
    });
    let rest = rest.expect("a replay");
    assert_eq!((rest.duration_s, rest.cut), (1, false));
    let whole = [&begun[..], &rest.encoded].concat();
    let replay: GameReplay<'_> = decode(&whole).expect("it is read");
    assert_eq!(replay.duration_seconds, Some(1));
    let lines: Vec<String> = replay
        .event_list
        .iter()
        .flat_map(|one| one.event_list.iter().map(super::room::line))
        .collect();
    let has = |start: &str| lines.iter().any(|line| line.starts_with(start));
    for start in [
        "Join",
        "0: PlayerPropertiesChanged",
        "GameStateChanged",
        "SetActivePlayer",
        "0: DrawCards number=1 cards=[{",
        "0: MoveCard card_id=0",
        "2: Leave",
    ] {
        assert!(has(start), "{start} in {lines:#?}");
    }
    assert!(!has("Kicked"));
    let begin = lines
        .iter()
        .find(|line| line.starts_with("GameStateChanged"))
        .expect("a begin");
    assert!(!begin.contains("deck_list") && !begin.contains("user_info"));
    assert!(replay.event_list.iter().all(|one| one.game_id.is_none()));
    assert_eq!(
        replay.event_list.last().and_then(|one| one.seconds_elapsed),
        Some(1)
    );
    room.does(0, leave());
    room.does(1, leave());
    let second = room.out.news.iter().find_map(|news| match news {
        News::Replay(replay) => Some(replay.clone()),
        _ => None,
    });
    let second = second.expect("a replay").encoded;
    let second: GameReplay<'_> = decode(&second).expect("it is read");
    let lines: Vec<String> = second
        .event_list
        .iter()
        .flat_map(|one| one.event_list.iter().map(super::room::line))
        .collect();
    assert!(
        lines[0].starts_with("GameStateChanged")
            && lines[0].contains("user_info")
            && lines[0].ends_with("seconds_elapsed=0")
    );
    assert!(lines[1].starts_with("GameStateChanged") && !lines[1].contains("user_info"));
    assert_eq!(lines.last().map(String::as_str), Some("GameClosed"));
}
