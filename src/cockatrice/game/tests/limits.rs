//! How much a game bears of each thing (spec: cockatrice-table 14).

use super::{play::*, room::*};
use crate::{
    game::{Applicant, Role, limits},
    messages::{ResponseCode::*, *},
};

/// How often a command of a numbered kind succeeds before it is refused as too much.
fn times(
    room: &mut Room,
    by: i32,
    most: usize,
    mut body: impl FnMut(i32) -> GameCommandBody<'static>,
) {
    for number in 0..most as i32 {
        assert_eq!(room.code(by, body(number)), RespOk, "{number}");
        room.game.take_recorded();
    }
    assert_eq!(room.code(by, body(most as i32)), RespContextError);
    room.check();
}

#[test]
fn counters_are_bounded() {
    let mut room = Room::two();
    room.lays(0, &[0]);
    // Eight are there from the start.
    times(&mut room, 0, limits::COUNTERS - 8, |_| {
        GameCommandBody::CreateCounter(CommandCreateCounter::default())
    });
    times(&mut room, 0, limits::CARD_COUNTERS, |number| {
        counter(0, number, 1)
    });
    // One that is there may still change, or go.
    room.does(0, counter(0, 5, 2));
    room.does(0, counter(0, 5, 0));
    room.does(0, counter(0, -5, 1));
}

#[test]
fn tokens_and_what_is_attached_to_them_are_bounded() {
    let mut room = Room::two();
    times(&mut room, 0, limits::TOKENS, |number| {
        make(token("Bear", number * 3, number % 7))
    });
    times(&mut room, 0, limits::ATTACHMENTS, |number| {
        attach(16 + number, (0, 15))
    });
    times(&mut room, 1, limits::ARROWS, |number| {
        arrow((0, 15 + number), (1, None))
    });
}

#[test]
fn commands_of_a_container_are_bounded() {
    let mut room = Room::playing(
        rules(2),
        &[("judy", crate::game::Role::Spectator { judge: true })],
    );
    let many = |count| (0..count).map(|_| draw(0)).collect::<Vec<_>>();
    assert_eq!(room.gives(0, many(limits::COMMANDS)).code, RespOk);
    assert_eq!(
        room.gives(0, many(limits::COMMANDS + 1)).code,
        RespContextError
    );
    assert!(room.out.deliveries.is_empty());
    assert_eq!(room.code(2, judge(0, many(limits::JUDGE_COMMANDS))), RespOk);
    assert_eq!(
        room.code(2, judge(0, many(limits::JUDGE_COMMANDS + 1))),
        RespContextError
    );
    let judges = |count| {
        (0..count)
            .map(|_| judge(0, many(limits::JUDGE_COMMANDS)))
            .collect::<Vec<_>>()
    };
    assert_eq!(
        room.gives(2, judges(limits::INNER_COMMANDS / limits::JUDGE_COMMANDS))
            .code,
        RespOk
    );
    assert_eq!(
        room.gives(
            2,
            judges(limits::INNER_COMMANDS / limits::JUDGE_COMMANDS + 1)
        )
        .code,
        RespContextError
    );
}

/// A card with a long name does not fill memory by being shown over and over.
#[test]
fn long_names_are_bounded() {
    let mut room = Room::new(rules(1), person("alice"), PLAYER);
    let name = "n".repeat(1 << 20);
    room.does(0, select(&cod(&[&name], &[])));
    room.does(0, ready());
    room.does(0, draw(1));
    let show = |count| {
        GameCommandBody::RevealCards(CommandRevealCards {
            zone_name: Some("hand".into()),
            card_id: vec![0; count],
            ..CommandRevealCards::default()
        })
    };
    assert_eq!(room.code(0, show(4)), RespOk);
    assert_eq!(room.code(0, show(5)), RespContextError);
    let answer = room.gives(0, (0..20).map(|_| show(1)).collect());
    assert_eq!(answer.code, RespContextError);
    assert!(
        room.out
            .deliveries
            .iter()
            .map(|one| one.body.len())
            .sum::<usize>()
            < 6 << 20
    );
}

/// Cards of one another's tables, and of everything a player has, do not grow without end.
#[test]
fn tables_are_bounded() {
    let mut room = Room::new(rules(2), person("alice"), PLAYER);
    room.joins("bob", PLAYER);
    let many = format!(
        "<cockatrice_deck version=\"1\"><zone name=\"main\"><card number=\"{}\" name=\"F\"/></zone></cockatrice_deck>",
        limits::TABLE_CARDS + 1
    );
    for id in [0, 1] {
        room.does(id, select(&many));
    }
    for id in [0, 1] {
        room.does(id, ready());
    }
    let cards: Vec<i32> = (0..=limits::TABLE_CARDS as i32).collect();
    assert_eq!(
        room.code(0, mv(&cards, "deck", (1, "table"), 0, 0)),
        RespContextError
    );
    room.does(0, mv(&cards[1..], "deck", (1, "table"), 0, 0));
    assert_eq!(
        room.code(0, mv(&[0], "deck", (1, "table"), 0, 0)),
        RespContextError
    );
    assert_eq!(
        room.code(1, make(token("One more", 0, 0))),
        RespContextError
    );
    room.does(1, mv(&[0], "deck", (1, "grave"), 0, 0));
}

fn late(role: Role) -> Applicant<'static> {
    Applicant {
        name: "late",
        level: 1,
        registered: false,
        is_buddy: false,
        is_ignored: false,
        password: b"",
        override_restrictions: false,
        role,
    }
}

/// 100 play, although the game is for more.
#[test]
fn players_are_bounded() {
    let mut room = Room::new(rules(1_000_000), person("alice"), PLAYER);
    for number in 1..limits::PLAYERS {
        assert_eq!(room.game.may_join(&late(PLAYER)), Ok(()));
        room.joins(&format!("player{number}"), PLAYER);
    }
    assert_eq!(room.game.may_join(&late(PLAYER)), Err(RespGameFull));
    assert_eq!(room.game.may_join(&late(SPECTATOR)), Ok(()));
}

/// 100 look on; the next is not let in.
#[test]
fn spectators_are_bounded() {
    let mut room = Room::new(rules(2), person("alice"), PLAYER);
    for number in 0..limits::SPECTATORS {
        room.joins(&format!("spectator{number}"), SPECTATOR);
    }
    assert_eq!(
        room.game.may_join(&late(SPECTATOR)),
        Err(RespSpectatorsNotAllowed)
    );
    assert_eq!(room.game.may_join(&late(PLAYER)), Ok(()));
}
