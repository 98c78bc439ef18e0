//! Attributes, counters, flips and tokens (checklist 1110 to 1135).

use super::{play::*, room::*};
use crate::{
    game::zone::ZoneName::*,
    messages::{CardAttribute::*, ResponseCode::*, *},
};

fn flip(card: i32, face_down: bool, pt: &'static str) -> GameCommandBody<'static> {
    GameCommandBody::FlipCard(CommandFlipCard {
        zone: Some("table".into()),
        card_id: Some(card),
        face_down: Some(face_down),
        pt: Some(pt.into()),
    })
}

fn transform(name: &'static str, target: i32) -> GameCommandBody<'static> {
    make(CommandCreateToken {
        target_zone: Some("table".into()),
        target_card_id: Some(target),
        target_mode: Some(TargetMode::TransformInto),
        ..token(name, 0, 0)
    })
}

/// 1110 to 1114.
#[test]
fn attributes() {
    let mut room = Room::two();
    room.lays(0, &[0, 1]);
    for _ in 0..2 {
        room.does(0, attr(Some(0), AttrTapped, "1"));
        assert_eq!(
            room.seen(1),
            ["0: SetCardAttr zone_name=\"table\" card_id=0 attribute=AttrTapped attr_value=\"1\""]
        );
    }
    room.does(0, attr(Some(0), AttrDoesntUntap, "1"));
    room.does(0, attr(Some(0), AttrAttacking, "true"));
    assert!(
        room.board(0)
            .table()
            .card(0)
            .is_some_and(|card| card.tapped && card.doesnt_untap && !card.attacking)
    );
    room.does(0, attr(Some(1), AttrTapped, "1"));
    room.does(0, attr(None, AttrTapped, "0"));
    assert_eq!(
        room.seen(1),
        ["0: SetCardAttr zone_name=\"table\" attribute=AttrTapped attr_value=\"0\""]
    );
    let tapped = |room: &Room| {
        room.board(0)
            .table()
            .cards
            .iter()
            .map(|card| card.tapped)
            .collect::<Vec<_>>()
    };
    assert_eq!(tapped(&room), [true, false]);
    room.does(0, attr(Some(0), AttrTapped, "0"));
    assert_eq!(tapped(&room), [false, false]);
    let in_zone = |zone: &'static str, card| {
        GameCommandBody::SetCardAttr(CommandSetCardAttr {
            zone: Some(zone.into()),
            card_id: Some(card),
            attribute: None,
            attr_value: None,
        })
    };
    assert_eq!(room.code(0, in_zone("hand", 2)), RespContextError);
    assert_eq!(room.code(0, in_zone("nowhere", 2)), RespNameNotFound);
    assert_eq!(room.code(0, in_zone("table", 99)), RespNameNotFound);
    assert_eq!(room.code(1, in_zone("table", 0)), RespNameNotFound);
    // 1207: a cut character becomes U+FFFD.
    let long: &'static str = "ä".repeat(200).leak();
    room.does(0, attr(Some(0), AttrAnnotation, long));
    let annotation = format!("{}\u{fffd}", "ä".repeat(127));
    assert_eq!(
        room.board(0)
            .table()
            .card(0)
            .map(|card| card.annotation().to_owned()),
        Some(annotation.clone())
    );
    assert!(room.seen(1)[0].contains(&annotation));
    for attribute in [AttrColor, AttrPT] {
        room.does(0, attr(Some(0), attribute, long));
        let cut = format!("attr_value=\"{annotation}\"");
        assert!(room.seen(1)[0].ends_with(&cut), "{attribute:?}");
    }
}

/// 1115 to 1117.
#[test]
fn counters_of_cards() {
    let mut room = Room::two();
    room.lays(0, &[0]);
    let inc = |delta| {
        GameCommandBody::IncCardCounter(CommandIncCardCounter {
            zone: Some("table".into()),
            card_id: Some(0),
            counter_id: Some(-7),
            counter_delta: Some(delta),
        })
    };
    for (body, told) in [
        (counter(0, -7, 5), Some(5)),
        (counter(0, -7, 5), None),
        (inc(i32::MAX), Some(999)),
        (inc(1), None),
        (inc(i32::MIN), Some(0)),
        (counter(0, -7, -3), None),
        (counter(0, i32::MIN, 1), Some(1)),
    ] {
        room.does(0, body);
        let id = if told == Some(1) { i32::MIN } else { -7 };
        let told = told.map(|value| format!("0: SetCardCounter zone_name=\"table\" card_id=0 counter_id={id} counter_value={value}"));
        assert_eq!(room.seen(1), Vec::from_iter(told));
    }
    assert_eq!(
        room.board(0)
            .table()
            .card(0)
            .map(|card| card.counters().to_vec()),
        Some(vec![(i32::MIN, 1)])
    );
    assert_eq!(room.code(1, counter(0, 0, 1)), RespNameNotFound);
}

/// 1118 to 1120.
#[test]
fn counters_of_players() {
    let mut room = Room::two();
    let create = |value| {
        GameCommandBody::CreateCounter(CommandCreateCounter {
            counter_name: Some("poison".into()),
            counter_color: Some(Color {
                r: Some(1),
                ..Color::default()
            }),
            radius: Some(9),
            value: Some(value),
        })
    };
    let set = |id, value| {
        GameCommandBody::SetCounter(CommandSetCounter {
            counter_id: Some(id),
            value: Some(value),
        })
    };
    let inc = |id, delta| {
        GameCommandBody::IncCounter(CommandIncCounter {
            counter_id: Some(id),
            delta: Some(delta),
        })
    };
    let del = |id| {
        GameCommandBody::DelCounter(CommandDelCounter {
            counter_id: Some(id),
        })
    };
    room.does(0, create(3));
    assert_eq!(
        room.seen(1),
        [
            "0: CreateCounter counter_info={id=8 name=\"poison\" counter_color={r=1} radius=9 count=3}"
        ]
    );
    room.does(0, set(8, i32::MAX));
    room.does(0, inc(8, i32::MAX));
    assert!(room.out.deliveries.is_empty());
    room.does(0, inc(0, -25));
    assert_eq!(room.seen(1), ["0: SetCounter counter_id=0 value=-5"]);
    room.does(0, del(0));
    assert_eq!(room.seen(1), ["0: DelCounter counter_id=0"]);
    for body in [del(0), set(0, 1), inc(0, 1), del(99)] {
        assert_eq!(room.code(0, body), RespNameNotFound);
    }
    for id in 1..=8 {
        room.does(0, del(id));
    }
    room.does(0, create(0));
    assert!(room.seen(1)[0].contains("{id=1 "));
}

/// 1121, 1122.
#[test]
fn flipping() {
    let mut room = Room::two();
    room.lays(0, &[0]);
    room.does(0, flip(0, true, "1/1"));
    assert_eq!(
        room.seen(0),
        ["0: FlipCard zone_name=\"table\" card_id=0 face_down=true"]
    );
    assert_eq!(room.seen(1), room.seen(0));
    assert_eq!(room.code(0, flip(0, true, "")), RespContextError);
    room.does(0, flip(0, false, "2/2"));
    assert_eq!(
        room.seen(1),
        [
            "0: FlipCard zone_name=\"table\" card_id=0 card_name=\"Alpha\" face_down=false card_provider_id=\"\"",
            "0: SetCardAttr zone_name=\"table\" card_id=0 attribute=AttrPT attr_value=\"2/2\""
        ]
    );
    assert_eq!(room.code(0, flip(5, true, "")), RespNameNotFound);
    let in_hand = CommandFlipCard {
        zone: Some("hand".into()),
        card_id: Some(5),
        ..Default::default()
    };
    assert_eq!(
        room.code(0, GameCommandBody::FlipCard(in_hand)),
        RespContextError
    );
}

/// 1123 to 1127.
#[test]
fn tokens_are_made() {
    let mut room = Room::two();
    let soldier = || CommandCreateToken {
        color: Some("w".into()),
        pt: Some("1/1".into()),
        card_provider_id: Some("p-7".into()),
        ..token("Soldier", -1, 1)
    };
    room.does(0, make(soldier()));
    assert_eq!(
        room.seen(1),
        [
            "0: CreateToken zone_name=\"table\" card_id=15 card_name=\"Soldier\" color=\"w\" pt=\"1/1\" annotation=\"\" destroy_on_zone_change=true x=0 y=1 card_provider_id=\"p-7\" face_down=false"
        ]
    );
    room.does(0, make(soldier()));
    assert_eq!(room.laid(0), [(15, 0, 1), (16, 1, 1)]);
    room.does(
        0,
        make(CommandCreateToken {
            face_down: Some(true),
            ..soldier()
        }),
    );
    let down =
        "0: SetCardAttr zone_name=\"table\" card_id=17 attribute=AttrFaceDown attr_value=\"1\"";
    assert_eq!(
        room.seen(0),
        [
            "0: CreateToken zone_name=\"table\" card_id=17 card_name=\"Soldier\" color=\"\" pt=\"\" annotation=\"\" destroy_on_zone_change=true x=3 y=1 card_provider_id=\"p-7\" face_down=true",
            down
        ]
    );
    assert_eq!(
        room.seen(1),
        [
            "0: CreateToken zone_name=\"table\" card_id=17 color=\"\" pt=\"\" annotation=\"\" destroy_on_zone_change=true x=3 y=1 face_down=true",
            down
        ]
    );
    room.does(0, make(token("Low", -7, -3)));
    assert_eq!(room.laid(0)[3], (18, 0, 0));
    for zone in ["stack", "hand", "deck"] {
        room.does(
            0,
            make(CommandCreateToken {
                zone: Some(zone.into()),
                ..token("Odd", 0, 0)
            }),
        );
    }
    // A pile has it where the event says that it is.
    for name in ["Lower", "Upper"] {
        room.does(
            0,
            make(CommandCreateToken {
                zone: Some("grave".into()),
                ..token(name, -1, 0)
            }),
        );
        assert!(room.seen(1)[0].contains(" x=0 y=0 "));
    }
    assert_eq!(room.ids(0, Grave), [23, 22]);
    assert_eq!(
        room.code(
            0,
            make(CommandCreateToken {
                zone: Some("nowhere".into()),
                ..token("Lost", 0, 0)
            })
        ),
        RespNameNotFound
    );
    // 1207
    let long: &'static str = "x".repeat(300).leak();
    room.does(0, make(token(long, 30, 0)));
    assert!(room.seen(1)[0].contains(&format!("card_name=\"{}\"", &long[..255])));
}

/// 1128 to 1130.
#[test]
fn tokens_leave_play() {
    let mut room = Room::two();
    room.does(0, make(token("Soldier", -1, 0)));
    room.does(0, mv(&[15], "table", (0, "stack"), 0, 0));
    room.does(0, mv(&[15], "stack", (0, "table"), 0, 0));
    room.does(0, mv(&[15], "table", (1, "table"), 0, 0));
    assert!(room.seen(1)[0].contains("new_card_id=15"));
    room.does(1, mv(&[15], "table", (1, "grave"), 0, 0));
    assert_eq!(
        room.seen(0),
        ["1: DestroyCard zone_name=\"table\" card_id=15", "MoveCard"]
    );
    assert!(room.ids(1, Grave).is_empty());
    room.does(
        0,
        make(CommandCreateToken {
            destroy_on_zone_change: None,
            ..token("Lasting", 0, 0)
        }),
    );
    room.does(0, mv(&[16], "table", (0, "hand"), 0, 0));
    assert_eq!(room.ids(0, Hand), [16]);
}

/// 1131: the target goes onto the token.
#[test]
fn a_token_is_made_to_attach_to() {
    let mut room = Room::two();
    room.lays(0, &[0]);
    let with = |target| CommandCreateToken {
        target_zone: Some("table".into()),
        target_card_id: Some(target),
        ..token("Mount", 3, 0)
    };
    room.does(0, make(with(99)));
    assert_eq!(room.seen(1).len(), 1);
    room.does(0, make(with(0)));
    // There were two in its pile.
    assert_eq!(
        room.seen(1)[1..],
        [
            "0: MoveCard card_id=16 card_name=\"Mount\" start_player_id=0 start_zone=\"table\" target_player_id=0 x=0 y=0 new_card_id=16 face_down=false new_card_provider_id=\"\"",
            "0: AttachCard start_zone=\"table\" card_id=0 target_player_id=0 target_zone=\"table\" target_card_id=16",
            "MoveCard"
        ]
    );
}

/// 1132 to 1135: a card turns into another and back.
#[test]
fn a_card_transforms() {
    let mut room = Room::two();
    room.lays(0, &[0, 1, 2]);
    room.does(0, counter(0, 0, 2));
    room.does(0, attr(Some(0), AttrTapped, "1"));
    room.does(0, attach(1, (0, 0)));
    room.does(0, arrow((0, 2), (0, Some(0))));
    room.does(1, arrow((0, 0), (1, None)));
    room.does(0, transform("Alpha Back", 0));
    let arrow = |maker, old, info: &str| {
        [
            format!("{maker}: DeleteArrow arrow_id={old}"),
            format!("{maker}: CreateArrow arrow_info={{{info} arrow_color={{}}}}"),
        ]
    };
    let mut expected = vec![
        "0: AttachCard start_zone=\"table\" card_id=1".to_owned(),
        "0: DestroyCard zone_name=\"table\" card_id=0".into(),
        "0: CreateToken zone_name=\"table\" card_id=15 card_name=\"Alpha Back\" color=\"\" pt=\"\" annotation=\"\" destroy_on_zone_change=true x=0 y=0 card_provider_id=\"\" face_down=false".into(),
        "0: SetCardAttr zone_name=\"table\" card_id=15 attribute=AttrTapped attr_value=\"1\"".into(),
        "0: SetCardCounter zone_name=\"table\" card_id=15 counter_id=0 counter_value=2".into(),
        "0: AttachCard start_zone=\"table\" card_id=1 target_player_id=0 target_zone=\"table\" target_card_id=15".into(),
    ];
    expected.extend(arrow(0, 1, "id=3 start_player_id=0 start_zone=\"table\" start_card_id=2 target_player_id=0 target_zone=\"table\" target_card_id=15"));
    expected.extend(arrow(
        1,
        2,
        "id=4 start_player_id=0 start_zone=\"table\" start_card_id=15 target_player_id=1",
    ));
    assert_eq!(room.seen(1), expected);
    assert!(
        room.board(0)
            .table()
            .card(15)
            .is_some_and(|card| card.tapped)
    );
    // Again: the printed card stays below.
    room.does(0, transform("Third Face", 15));
    room.does(0, mv(&[16], "table", (0, "grave"), 0, 0));
    let seen = room.seen(1);
    let end = seen.len() - 4;
    assert_eq!(
        seen[end..],
        [
            "0: DestroyCard zone_name=\"table\" card_id=16",
            "0: CreateToken zone_name=\"table\" card_id=17 card_name=\"Alpha\" color=\"\" pt=\"\" annotation=\"\" destroy_on_zone_change=false x=0 y=0 card_provider_id=\"\" face_down=false",
            "0: MoveCard card_id=17 card_name=\"Alpha\" start_player_id=0 start_zone=\"table\" target_player_id=0 target_zone=\"grave\" x=0 y=0 new_card_id=17 face_down=false new_card_provider_id=\"\"",
            "MoveCard"
        ]
    );
    assert_eq!(room.ids(0, Grave), [17]);
}

/// What a token takes over of a card is what differs, in either direction (7.10, D7).
#[test]
fn a_card_transforms_as_it_lies() {
    let mut room = Room::two();
    room.lays(0, &[0]);
    let face_down = CommandCreateToken {
        face_down: Some(true),
        target_zone: Some("table".into()),
        target_card_id: Some(0),
        target_mode: Some(TargetMode::TransformInto),
        ..token("Back", 0, 0)
    };
    let sides = |room: &Room| {
        let seen = room.seen(1).into_iter();
        let seen = seen.filter(|line| line.contains("AttrFaceDown"));
        let told = seen.map(|line| line.rsplit(' ').next().expect("a value").to_owned());
        let told: Vec<String> = told.collect();
        (told.join(" "), room.board(0).table().cards[0].face_down)
    };
    room.does(0, make(face_down.clone()));
    let both = r#"attr_value="1" attr_value="0""#;
    assert_eq!(sides(&room), (both.to_owned(), false));
    room.does(0, flip(15, true, ""));
    room.does(0, transform("Third", 15));
    assert_eq!(sides(&room), (r#"attr_value="1""#.to_owned(), true));
    let onto = CommandCreateToken {
        target_card_id: Some(16),
        ..face_down
    };
    room.does(0, make(onto));
    assert_eq!(sides(&room), (r#"attr_value="1""#.to_owned(), true));
}

/// What was attached, transformed, is attached and in no cell; what was made elsewhere leaves nothing attached.
#[test]
fn an_attached_card_transforms() {
    let mut room = Room::two();
    room.lays(0, &[0, 1, 2]);
    room.does(0, attach(1, (0, 0)));
    room.does(0, transform("Back", 1));
    assert_eq!(room.laid(0)[2], (15, -1, 0));
    room.does(0, attach(2, (0, 0)));
    let elsewhere = CommandCreateToken {
        zone: Some("stack".into()),
        target_zone: Some("table".into()),
        target_card_id: Some(0),
        target_mode: Some(TargetMode::TransformInto),
        ..token("Far", 0, 0)
    };
    room.does(0, make(elsewhere));
    assert!(
        room.board(0)
            .table()
            .cards
            .iter()
            .all(|card| card.parent().is_none())
    );
}
