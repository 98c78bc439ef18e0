//! The library and the hand: drawing, undoing, shuffling, looking (checklist 1036 to 1068).

use super::{play::*, room::*};
use crate::{
    game::{zone::ZoneName::*, *},
    messages::{ResponseCode::*, *},
};

fn zone_of(answer: &Answer) -> String {
    match &answer.body {
        Some(ResponseBody::DumpZone(dump)) => terse(dump.zone_info.as_ref().expect("a zone")),
        other => panic!("{other:?}"),
    }
}

fn reversed(number: i32) -> GameCommandBody<'static> {
    GameCommandBody::DumpZone(CommandDumpZone {
        player_id: Some(0),
        zone_name: Some("deck".into()),
        number_cards: Some(number),
        is_reversed: Some(true),
    })
}

/// 1036, 1037, 1038.
#[test]
fn drawing() {
    let mut room = Room::two();
    room.does(0, draw(2));
    let cards =
        "cards=[{id=0 name=\"Alpha\" provider_id=\"\"},{id=1 name=\"Bravo\" provider_id=\"\"}]";
    assert_eq!(room.seen(0), [format!("0: DrawCards number=2 {cards}")]);
    assert_eq!(room.seen(1), ["0: DrawCards number=2"]);
    room.does(0, draw(0));
    assert_eq!(room.seen(0), ["0: DrawCards number=0"]);
    // More than there are, and more than a sint32 counts: all.
    room.does(0, draw(u32::MAX));
    assert_eq!(room.seen(1), ["0: DrawCards number=10"]);
    assert_eq!(room.ids(0, Hand), (0..12).collect::<Vec<_>>());
    room.does(0, draw(1));
    assert_eq!(room.seen(1), ["0: DrawCards number=0"]);
}

/// 1039 to 1043.
#[test]
fn undoing_draws() {
    let mut room = Room::two();
    room.does(0, draw(3));
    room.does(0, undo());
    assert_eq!(
        room.seen(0),
        [
            "0: MoveCard card_id=2 start_player_id=0 start_zone=\"hand\" position=-1 target_player_id=0 target_zone=\"deck\" x=0 y=0 new_card_id=2 face_down=false",
            "UndoDraw"
        ]
    );
    assert_eq!(
        room.seen(1),
        [
            "0: MoveCard start_player_id=0 start_zone=\"hand\" target_player_id=0 target_zone=\"deck\" x=0 y=0 face_down=false",
            "UndoDraw"
        ]
    );
    room.does(0, undo());
    room.does(0, undo());
    assert_eq!(room.ids(0, Deck)[..3], [0, 1, 2]);
    assert_eq!(room.code(0, undo()), RespContextError);
    assert_eq!(
        room.seen(1),
        ["0: GameLogNotice notice_type=UndoDrawFailed"]
    );
    assert_eq!(room.seen(0), room.seen(1));
    // Moving within the hand keeps what can be undone; a card that leaves it ends what was drawn before it.
    room.does(0, draw(3));
    room.does(0, mv(&[2], "hand", (0, "hand"), 0, 0));
    room.does(0, mv(&[1], "hand", (0, "grave"), 0, 0));
    room.does(0, undo());
    assert_eq!(room.ids(0, Deck)[0], 2);
    assert_eq!(room.code(0, undo()), RespNameNotFound);
    assert!(room.out.deliveries.is_empty());
    assert_eq!(room.code(0, undo()), RespContextError);
    assert_eq!(room.ids(0, Hand), [0]);
}

/// 1044 to 1047.
#[test]
fn mulligans() {
    let mut room = Room::two();
    room.does(0, mulligan(2));
    assert_eq!(
        room.seen(1),
        ["0: Shuffle", "0: DrawCards number=2", "Mulligan number=2"]
    );
    let hand = room.ids(0, Hand);
    room.does(0, mulligan(3));
    let back = |id| {
        format!(
            "0: MoveCard card_id={id} start_player_id=0 start_zone=\"hand\" position=-1 target_player_id=0 target_zone=\"deck\" x={} y=0 new_card_id={id} face_down=false",
            if id == hand[0] { 10 } else { 11 }
        )
    };
    let seen = room.seen(0);
    assert_eq!(
        seen[..3],
        [back(hand[0]), back(hand[1]), "0: Shuffle".into()]
    );
    assert!(seen[3].starts_with("0: DrawCards number=3 cards=[{id="));
    assert_eq!(seen[4], "Mulligan number=3");
    assert_eq!(
        room.seen(1)[0],
        "0: MoveCard start_player_id=0 start_zone=\"hand\" target_player_id=0 target_zone=\"deck\" x=10 y=0 face_down=false"
    );
    room.does(0, mulligan(0));
    assert_eq!(
        room.seen(1)[4..],
        ["0: DrawCards number=0", "Mulligan number=0"]
    );
    room.does(0, mulligan(u32::MAX));
    assert_eq!(room.ids(0, Hand).len(), 12);
    // What can be undone is bounded by what was drawn.
    for _ in 0..20 {
        room.does(0, mulligan(7));
    }
    assert!(room.board(0).drawn.len() <= 8);
}

/// 1048 to 1052, 1066.
#[test]
fn shuffling() {
    let mut room = Room::two();
    let named = |zone: &'static str| {
        GameCommandBody::Shuffle(CommandShuffle {
            zone_name: Some(zone.into()),
            start: None,
            end: None,
        })
    };
    room.does(0, named("deck"));
    assert_eq!(
        room.seen(1),
        ["0: Shuffle zone_name=\"deck\" start=0 end=-1"]
    );
    assert_eq!(room.seen(0), room.seen(1));
    for zone in ["", "sb", "hand"] {
        assert_eq!(room.code(0, named(zone)), RespFunctionNotAllowed);
    }
    room.stack(0);
    room.does(0, shuffle(2, -3));
    let ids = room.ids(0, Deck);
    assert_eq!((&ids[..2], &ids[10..]), (&[0, 1][..], &[10, 11][..]));
    assert_ne!(ids[2..10], [2, 3, 4, 5, 6, 7, 8, 9]);
    // Ranges that are none change nothing, but are told, and what was looked at is forgotten.
    for (start, end) in [(0, 12), (-13, -1), (12, 12), (5, 2), (i32::MIN, i32::MAX)] {
        room.does(0, dump(0, "deck", 3));
        room.does(0, shuffle(start, end));
        assert_eq!(
            room.seen(1),
            [format!(
                "0: Shuffle zone_name=\"deck\" start={start} end={end}"
            )]
        );
        assert_eq!(room.ids(0, Deck), ids);
        assert_eq!(room.board(0).zone(Deck).looked_at, 0);
    }
}

/// 1053 to 1055: the top of the own library.
#[test]
fn looking_at_the_library() {
    let mut room = Room::two();
    let answer = room.gives(0, vec![dump(0, "deck", 2)]);
    let cards =
        "card_list=[{id=0 name=\"Alpha\" provider_id=\"\"},{id=1 name=\"Bravo\" provider_id=\"\"}]";
    assert_eq!(
        zone_of(&answer),
        format!(" name=\"deck\" type=HiddenZone with_coords=false card_count=12 {cards}")
    );
    let event = "0: DumpZone zone_owner_id=0 zone_name=\"deck\" number_cards=2 is_reversed=false";
    assert_eq!(
        (room.seen(0), room.seen(1)),
        (vec![event.into()], vec![event.into()])
    );
    let answer = room.gives(0, vec![reversed(2)]);
    assert!(zone_of(&answer).ends_with(
        "card_list=[{id=10 name=\"Kilo\" provider_id=\"\"},{id=11 name=\"Lima\" provider_id=\"\"}]"
    ));
    for (number, count, shown) in [(-1, 12, 12), (0, 12, 0), (100, 100, 12), (-2, 12, 0)] {
        let zone = zone_of(&room.gives(0, vec![dump(0, "deck", number)]));
        assert!(zone.contains(&format!("card_count={count}")), "{zone}");
        assert_eq!(zone.matches("name=\"").count(), shown + 1);
    }
    // The whole, from the bottom as well.
    for number in [-1, 100, i32::MAX] {
        assert_eq!(
            zone_of(&room.gives(0, vec![reversed(number)]))
                .matches("name=\"")
                .count(),
            13
        );
    }
}

/// 1056 to 1061.
#[test]
fn looking_at_other_zones() {
    let mut room = Room::two();
    room.lays(0, &[0]);
    let zone = zone_of(&room.gives(1, vec![dump(0, "table", -1)]));
    assert_eq!(
        zone,
        " name=\"table\" type=PublicZone with_coords=true card_count=1 card_list=[{id=0 name=\"Alpha\" x=0 y=0 face_down=false tapped=false attacking=false color=\"\" pt=\"\" annotation=\"\" destroy_on_zone_change=false doesnt_untap=false provider_id=\"\"}]"
    );
    assert!(room.out.deliveries.is_empty());
    assert_eq!(
        zone_of(&room.gives(0, vec![dump(0, "hand", -1)]))
            .matches("face_down=false")
            .count(),
        11
    );
    for zone in ["hand", "deck", "sb"] {
        assert_eq!(room.code(1, dump(0, zone, -1)), RespContextError);
    }
    assert_eq!(room.code(1, dump(9, "table", -1)), RespNameNotFound);
    assert_eq!(room.code(1, dump(0, "nowhere", -1)), RespNameNotFound);
    let nobodys = CommandDumpZone {
        zone_name: Some("table".into()),
        ..Default::default()
    };
    assert_eq!(
        room.code(0, GameCommandBody::DumpZone(nobodys)),
        RespNameNotFound
    );
    // 1058: its owner is not told either what lies face down; nor its printing.
    room.does(0, mv_down(&[0], "table", (0, "grave"), 0, 0));
    let zone = zone_of(&room.gives(0, vec![dump(0, "grave", -1)]));
    assert!(
        zone.contains("name=\"\"") && zone.contains("provider_id=\"\"") && !zone.contains("Alpha")
    );
    // 1061: the sideboard's cards go by place.
    room.does(0, mv(&[1], "sb", (0, "hand"), 0, 0));
    assert_eq!(room.ids(0, Sb), [12, 14]);
    assert_eq!(room.ids(0, Hand)[0], 13);
}

/// 1060: who conceded may still look at what lies open.
#[test]
fn looking_after_conceding() {
    let mut room = Room::playing(rules(3), &[("carol", PLAYER)]);
    room.does(0, concede());
    room.does(0, dump(1, "table", -1));
    assert_eq!(room.code(0, dump(0, "table", -1)), RespNameNotFound);
    assert_eq!(room.code(0, draw(1)), RespContextError);
}

/// 1062 to 1068: whether the mover learns what he moves.
#[test]
fn what_was_looked_at_is_known() {
    let mut room = Room::two();
    let within = |from, to| mv(&[from], "deck", (0, "deck"), to, 0);
    let names = |room: &mut Room, body| {
        room.does(0, body);
        room.seen(0)[0].contains("card_name")
    };
    room.does(0, dump(0, "deck", 3));
    assert!(names(&mut room, within(1, 2)));
    // It was put back among those that were looked at.
    assert!(names(&mut room, within(2, 0)));
    assert!(!names(&mut room, within(3, 5)));
    assert!(room.seen(0)[0].starts_with("0: MoveCard card_id=-1 "));
    assert!(room.seen(0)[0].contains("new_card_id=-1"));
    assert!(!room.seen(1)[0].contains("card_id"));
    // Drawing takes from it.
    room.does(0, draw(2));
    assert!(!names(&mut room, within(1, 5)));
    assert!(names(&mut room, within(0, 5)));
    // A card from the hand on top ends it.
    room.does(0, dump(0, "deck", 3));
    room.does(0, mv(&[room.ids(0, Hand)[0]], "hand", (0, "deck"), 0, 0));
    assert!(!names(&mut room, within(0, 5)));
    // Who wants to see more than there are knows all, wherever he puts it; not what comes from elsewhere.
    room.does(0, dump(0, "deck", 50));
    assert!(names(&mut room, within(3, -1)));
    let last = room.ids(0, Deck).len() as i32 - 1;
    assert!(names(&mut room, within(last, 0)));
    let card = room.ids(0, Hand)[0];
    room.does(0, mv(&[card], "hand", (0, "deck"), 99, 0));
    assert!(!names(&mut room, within(last + 1, 0)));
    // Of a dump of all nothing stays known.
    room.does(0, dump(0, "deck", -1));
    assert!(!names(&mut room, within(0, 5)));
    // To the hand or the graveyard it is known in any case.
    assert!(names(&mut room, mv(&[0], "deck", (0, "hand"), 0, 0)));
    assert!(!room.seen(1)[0].contains("card_name"));
    assert!(names(&mut room, mv(&[0], "deck", (0, "grave"), 0, 0)));
    assert!(room.seen(1)[0].contains("card_name"));
}

/// A reversed move shows its mover what a look from the bottom showed, and nothing else.
#[test]
fn a_reversed_move_shows_nothing_unseen() {
    let mut room = Room::two();
    let within = |from| {
        let mut command = shift(&[from], "deck", (0, "deck"), 0, 0);
        command.is_reversed = Some(true);
        GameCommandBody::MoveCard(command)
    };
    room.does(0, within(0));
    assert!(!room.seen(0)[0].contains("card_name"));
    room.does(0, reversed(2));
    room.does(0, shuffle(0, 0));
    room.does(0, within(11));
    assert!(!room.seen(0)[0].contains("card_name"));
    room.does(0, reversed(2));
    room.does(0, within(11));
    assert!(room.seen(0)[0].contains("card_name"));
    room.does(0, within(9));
    assert!(!room.seen(0)[0].contains("card_name"));
}

/// What the mover is told agrees with the count of the specification, whatever is done in whatever order.
#[test]
fn looks_are_counted_as_specified() {
    use rand::{RngExt, SeedableRng, rngs::StdRng};
    for seed in 0..100 {
        let mut rng = StdRng::seed_from_u64(seed);
        let mut room = Room::two();
        room.does(0, draw(3));
        let mut count = 0;
        for step in 0..60 {
            let size = room.ids(0, Deck).len() as i32;
            let hand = room.ids(0, Hand);
            let place = rng.random_range(0..size.max(1));
            let wanted = rng.random_range(-1..=size);
            let x = if wanted < 0 { size } else { wanted };
            let is_known = place < count;
            let mut told = None;
            match rng.random_range(0..12) {
                0..2 => {
                    let number = rng.random_range(-1..size + 4);
                    room.does(0, dump(0, "deck", number));
                    count = number.max(0);
                }
                2 => {
                    let number = rng.random_range(0..3).min(size);
                    room.does(0, draw(number as u32));
                    count = (count - number).max(0);
                }
                3 => {
                    room.does(0, shuffle(0, 0));
                    count = 0;
                }
                4..7 if !hand.is_empty() => {
                    room.does(0, mv(&[hand[0]], "hand", (0, "deck"), wanted, 0));
                    told = Some(false);
                    count = if count >= x { x } else { count };
                }
                7 if size > 1 => {
                    room.does(0, mv(&[place], "deck", (0, "hand"), -1, 0));
                    told = Some(true);
                    count -= i32::from(is_known);
                }
                8.. if size > 1 => {
                    room.does(0, mv(&[place], "deck", (0, "deck"), wanted, 0));
                    told = Some(is_known);
                    count -= i32::from(is_known);
                    count = match count >= x {
                        true if is_known => count + 1,
                        true => x,
                        false => count,
                    };
                }
                _ => {}
            }
            if let Some(told) = told {
                let is_told = room.seen(0)[0].contains("card_name");
                assert_eq!(is_told, told, "seed {seed} step {step}");
            }
        }
    }
}
