//! Moving cards between zones, and the grid of a table (checklist 1061 to 1109).

use super::{play::*, room::*};
use crate::{
    game::zone::ZoneName::*,
    messages::{ResponseCode::*, *},
};

/// 1069 to 1076: what the mover and the others are told.
#[test]
fn both_versions_of_a_move() {
    let mut room = Room::two();
    room.does(0, draw(4));
    let mut told = |body, mine: &str, others: &str| {
        room.does(0, body);
        assert_eq!(
            room.seen(0),
            [format!("0: MoveCard {mine}"), "MoveCard".into()]
        );
        assert_eq!(
            room.seen(1),
            [format!("0: MoveCard {others}"), "MoveCard".into()]
        );
    };
    told(
        mv(&[0], "hand", (0, "grave"), 0, 0),
        "card_id=0 card_name=\"Alpha\" start_player_id=0 start_zone=\"hand\" position=-1 target_player_id=0 target_zone=\"grave\" x=0 y=0 new_card_id=0 face_down=false new_card_provider_id=\"\"",
        "card_id=0 card_name=\"Alpha\" start_player_id=0 start_zone=\"hand\" target_player_id=0 target_zone=\"grave\" x=0 y=0 new_card_id=0 face_down=false new_card_provider_id=\"\"",
    );
    told(
        mv(&[0], "grave", (0, "hand"), -1, 5),
        "card_id=0 card_name=\"Alpha\" start_player_id=0 start_zone=\"grave\" position=-1 target_player_id=0 target_zone=\"hand\" x=3 y=0 new_card_id=0 face_down=false new_card_provider_id=\"\"",
        "card_id=0 card_name=\"Alpha\" start_player_id=0 start_zone=\"grave\" target_player_id=0 target_zone=\"hand\" y=0 new_card_id=0 face_down=false new_card_provider_id=\"\"",
    );
    told(
        mv(&[1], "hand", (0, "deck"), 2, 0),
        "card_id=1 start_player_id=0 start_zone=\"hand\" position=-1 target_player_id=0 target_zone=\"deck\" x=2 y=0 new_card_id=1 face_down=false",
        "start_player_id=0 start_zone=\"hand\" target_player_id=0 target_zone=\"deck\" x=2 y=0 face_down=false",
    );
    told(
        mv(&[0], "deck", (0, "hand"), 0, 0),
        "card_id=4 card_name=\"Echo\" start_player_id=0 start_zone=\"deck\" position=0 target_player_id=0 target_zone=\"hand\" x=0 y=0 new_card_id=4 face_down=false new_card_provider_id=\"\"",
        "start_player_id=0 start_zone=\"deck\" position=0 target_player_id=0 target_zone=\"hand\" y=0 face_down=false",
    );
    told(
        mv(&[2], "deck", (0, "grave"), 99, 0),
        "card_id=6 card_name=\"Golf\" start_player_id=0 start_zone=\"deck\" position=2 target_player_id=0 target_zone=\"grave\" x=99 y=0 new_card_id=6 face_down=false new_card_provider_id=\"\"",
        "card_id=6 card_name=\"Golf\" start_player_id=0 start_zone=\"deck\" position=2 target_player_id=0 target_zone=\"grave\" x=99 y=0 new_card_id=6 face_down=false new_card_provider_id=\"\"",
    );
    told(
        mv(&[2], "hand", (0, "hand"), 0, 0),
        "card_id=2 card_name=\"Charlie\" start_player_id=0 start_zone=\"hand\" position=-1 target_player_id=0 x=0 y=0 new_card_id=2 face_down=false new_card_provider_id=\"\"",
        "start_player_id=0 start_zone=\"hand\" target_player_id=0 y=0 face_down=false",
    );
    assert_eq!(room.ids(0, Hand), [2, 4, 3, 0]);
}

fn positions(room: &Room, by: i32) -> Vec<String> {
    let seen = room.seen(by);
    let moves = seen.iter().filter(|line| line.contains("MoveCard card_id"));
    let field = |line: &str, name: &str| -> String {
        let rest = line.split(&format!(" {name}=")).nth(1).unwrap_or("-");
        rest.split(' ').next().unwrap_or("-").to_owned()
    };
    moves
        .map(|line| {
            format!(
                "{}@{}>{}",
                field(line, "card_id"),
                field(line, "position"),
                field(line, "x")
            )
        })
        .collect()
}

/// 1077 to 1083: which of several cards is handled when, and where it goes.
#[test]
fn several_cards_at_once() {
    let mut room = Room::two();
    room.does(0, mv(&[2, 0, 1], "deck", (0, "grave"), 0, 0));
    assert_eq!(positions(&room, 0), ["0@0>0", "1@0>1", "2@0>2"]);
    // The bottom from below, the whole from above.
    room.does(0, mv(&[7, 8], "deck", (0, "grave"), 0, 0));
    assert_eq!(positions(&room, 0), ["11@8>0", "10@7>1"]);
    room.does(0, mv(&[4, 6], "deck", (0, "hand"), -1, 0));
    assert_eq!(positions(&room, 0), ["7@4>0", "9@5>1"]);
    room.does(0, mv(&[4, 3, 2, 1, 0], "deck", (0, "rfg"), 0, 0));
    assert_eq!(
        positions(&room, 0),
        ["3@0>0", "4@0>1", "5@0>2", "6@0>3", "8@0>4"]
    );
    room.does(0, mv(&[3, 3, 5], "rfg", (0, "hand"), 1, 0));
    assert_eq!(room.ids(0, Hand), [7, 3, 5, 9]);
    assert_eq!(
        room.code(0, mv(&[7, 99], "hand", (0, "grave"), 0, 0)),
        RespNameNotFound
    );
    assert_eq!(
        room.code(0, mv(&[], "hand", (0, "grave"), 0, 0)),
        RespContextError
    );
    let nothing = CommandMoveCard {
        cards_to_move: None,
        ..shift(&[], "hand", (0, "grave"), 0, 0)
    };
    assert_eq!(
        room.code(0, GameCommandBody::MoveCard(nothing)),
        RespContextError
    );
    assert_eq!(room.ids(0, Hand), [7, 3, 5, 9]);
    let mut command = shift(&[0], "grave", (0, "hand"), 1, 0);
    command.is_reversed = Some(true);
    room.does(0, GameCommandBody::MoveCard(command));
    assert_eq!(room.ids(0, Hand), [7, 3, 5, 0, 9]);
}

/// 1084 to 1086, 1089.
#[test]
fn who_may_move_what() {
    let mut room = Room::two();
    room.lays(0, &[0, 1]);
    room.lays(1, &[]);
    let from = |player, cards: &[i32], zone, to| {
        let mut command = shift(cards, zone, to, 0, 0);
        command.start_player_id = Some(player);
        GameCommandBody::MoveCard(command)
    };
    assert_eq!(
        room.code(0, mv(&[2], "hand", (9, "table"), 0, 0)),
        RespNameNotFound
    );
    assert_eq!(
        room.code(0, mv(&[2], "nowhere", (0, "table"), 0, 0)),
        RespNameNotFound
    );
    assert_eq!(
        room.code(0, mv(&[2], "hand", (0, "nowhere"), 0, 0)),
        RespNameNotFound
    );
    let nobody = CommandMoveCard {
        target_player_id: None,
        ..shift(&[2], "hand", (0, "table"), 0, 0)
    };
    assert_eq!(
        room.code(0, GameCommandBody::MoveCard(nobody)),
        RespNameNotFound
    );
    for (zone, to) in [
        ("hand", (0, "table")),
        ("table", (0, "table")),
        ("table", (1, "grave")),
    ] {
        assert_eq!(room.code(0, from(1, &[0], zone, to)), RespContextError);
    }
    for zone in ["hand", "grave", "deck", "stack"] {
        assert_eq!(
            room.code(0, mv(&[2], "hand", (1, zone), 0, 0)),
            RespContextError
        );
    }
    // 1087, 1088: a gift has another id, and says whose it was.
    room.does(0, mv(&[0], "table", (1, "table"), 0, 0));
    assert_eq!(
        room.seen(1)[1..],
        [
            "1: SetCardAttr zone_name=\"table\" card_id=15 attribute=AttrAnnotation attr_value=\"Owner: alice\"",
            "MoveCard"
        ]
    );
    assert!(room.seen(1)[0].contains(" card_id=0 ") && room.seen(1)[0].contains("new_card_id=15"));
    assert_eq!(
        room.code(0, from(1, &[15], "table", (0, "table"))),
        RespContextError
    );
    assert_eq!(
        room.code(0, from(1, &[15], "table", (1, "table"))),
        RespContextError
    );
    room.does(0, attr(Some(1), CardAttribute::AttrAnnotation, "mine"));
    room.does(0, mv(&[1], "table", (1, "table"), 0, 0));
    assert!(room.seen(1)[1].ends_with("attr_value=\"Owner: alice\\n\\nmine\""));
    // Given back: no second mark.
    room.does(1, mv(&[15], "table", (0, "table"), 0, 0));
    assert!(!room.seen(0).iter().any(|line| line.contains("SetCardAttr")));
    assert_eq!(room.ids(0, Table), [15]);
}

/// 1090 to 1095.
#[test]
fn face_down() {
    let mut room = Room::two();
    room.does(0, draw(12));
    room.does(0, mv_down(&[0], "hand", (0, "table"), -1, 0));
    assert!(room.seen(0)[0].starts_with("0: MoveCard card_id=0 start"));
    assert!(
        room.seen(1)[0].contains("card_id=0 ")
            && room.seen(1)[0].contains("new_card_id=15 face_down=true")
    );
    assert!(!room.seen(0)[0].contains("Alpha") && !room.seen(1)[0].contains("Alpha"));
    // It stays so where it is, and on another table.
    room.does(0, mv(&[15], "table", (0, "table"), 6, 1));
    assert!(
        room.seen(1)[0].contains("face_down=true") && room.seen(1)[0].contains("new_card_id=15")
    );
    room.does(0, mv(&[15], "table", (1, "table"), 0, 0));
    assert!(room.seen(1)[0].contains("face_down=true") && !room.seen(0)[0].contains("Alpha"));
    room.does(1, mv(&[15], "table", (0, "table"), 0, 0));
    // 1094: its owner sees what comes back to his hand, the others do not.
    room.does(0, mv(&[room.ids(0, Table)[0]], "table", (0, "hand"), 0, 0));
    assert!(room.seen(0)[0].contains("Alpha") && room.seen(0)[0].contains("face_down=false"));
    assert!(!room.seen(1)[0].contains("Alpha"));
    // 1092: not in hands and libraries.
    room.does(0, mv_down(&[1], "hand", (0, "deck"), 0, 0));
    assert!(room.seen(0)[0].contains("new_card_id=1 face_down=false"));
    for zone in ["grave", "rfg", "stack"] {
        let card = room.ids(0, Hand)[1];
        room.does(0, mv_down(&[card], "hand", (0, zone), 0, 0));
        assert!(
            room.seen(1)[0].contains("face_down=true") && !room.seen(1)[0].contains("card_name")
        );
    }
    let top = room.ids(0, Grave)[0];
    room.does(0, mv(&[top], "grave", (0, "rfg"), 0, 0));
    assert!(room.seen(1)[0].contains("card_name") && room.seen(1)[0].contains("face_down=false"));
}

/// 1096 to 1098, and that what is given with a move is given to the card that moves.
#[test]
fn what_goes_with_a_move() {
    let mut room = Room::two();
    room.does(0, draw(12));
    let mut command = shift(&[0], "hand", (0, "table"), 0, 0);
    let card = &mut command.cards_to_move.as_mut().expect("cards").card[0];
    (card.tapped, card.pt) = (Some(true), Some("2/2".into()));
    room.does(0, GameCommandBody::MoveCard(command.clone()));
    let attrs = |id, player| {
        [
            format!(
                "{player}: SetCardAttr zone_name=\"table\" card_id={id} attribute=AttrTapped attr_value=\"1\""
            ),
            format!(
                "{player}: SetCardAttr zone_name=\"table\" card_id={id} attribute=AttrPT attr_value=\"2/2\""
            ),
        ]
    };
    assert_eq!(room.seen(1)[1..3], attrs(0, 0));
    room.does(0, counter(0, 1, 5));
    for on in [CardAttribute::AttrAttacking, CardAttribute::AttrDoesntUntap] {
        room.does(0, attr(Some(0), on, "1"));
    }
    room.does(0, attr(Some(0), CardAttribute::AttrColor, "red"));
    room.does(0, attr(Some(0), CardAttribute::AttrAnnotation, "note"));
    room.does(0, mv(&[0], "table", (0, "stack"), 0, 0));
    let card = room.board(0).zone(Stack).card(0).expect("it is there");
    assert_eq!(
        (
            card.tapped,
            card.pt(),
            card.counters(),
            card.annotation(),
            card.color()
        ),
        (false, "", &[][..], "note", "red")
    );
    assert!(!card.attacking && !card.doesnt_untap);
    room.does(0, mv(&[0], "stack", (0, "grave"), 0, 0));
    let card = room.board(0).zone(Grave).card(0).expect("it is there");
    assert_eq!((card.annotation(), card.color()), ("", "red"));
    // On another's table it is the moved card that is tapped.
    command.cards_to_move.as_mut().expect("cards").card[0].card_id = Some(1);
    command.target_player_id = Some(1);
    room.does(0, GameCommandBody::MoveCard(command.clone()));
    assert_eq!(room.seen(1)[1..3], attrs(15, 1));
    assert!(
        room.board(1)
            .table()
            .card(15)
            .is_some_and(|card| card.tapped && card.pt() == "2/2")
    );
    // Elsewhere it is ignored.
    command.cards_to_move.as_mut().expect("cards").card[0].card_id = Some(2);
    (command.target_player_id, command.target_zone) = (Some(0), Some("grave".into()));
    room.does(0, GameCommandBody::MoveCard(command));
    assert_eq!(room.seen(1).len(), 2);
}

/// A room in which Alice has many cards of two names in her hand.
fn namesakes() -> Room {
    let mut room = Room::new(rules(1), person("alice"), PLAYER);
    let cards = [
        "Forest", "Forest", "Forest", "Forest", "Forest", "Island", "Island", "Island",
    ];
    room.does(0, select(&cod(&cards, &[])));
    room.does(0, ready());
    room.stack(0);
    room.does(0, draw(8));
    room
}

/// 1099, 1100, 1105, 1106.
#[test]
fn cards_pile_up() {
    let mut room = namesakes();
    for card in 0..4 {
        room.does(0, mv(&[card], "hand", (0, "table"), -1, 0));
    }
    room.does(0, mv(&[5], "hand", (0, "table"), -1, 0));
    assert_eq!(
        room.laid(0),
        [(0, 0, 0), (1, 1, 0), (2, 2, 0), (3, 3, 0), (5, 6, 0)]
    );
    // A pile from which a card was taken takes another; a column that is empty is used again.
    room.does(0, mv(&[1], "table", (0, "hand"), 0, 0));
    assert_eq!(room.laid(0), [(0, 0, 0), (2, 1, 0), (3, 3, 0), (5, 6, 0)]);
    room.does(0, mv(&[4], "hand", (0, "table"), -1, 0));
    assert_eq!(room.laid(0)[3], (4, 2, 0));
    room.does(0, mv(&[3], "table", (0, "hand"), 0, 0));
    room.does(0, mv_down(&[6], "hand", (0, "table"), -1, 0));
    room.does(0, mv(&[7], "hand", (0, "table"), -1, 0));
    // The one that lies face down went to the free column and takes no part.
    assert_eq!(room.laid(0)[3..], [(5, 6, 0), (7, 7, 0), (8, 3, 0)]);
}

/// 1101 to 1104.
#[test]
fn cards_are_put_where_they_are_wanted() {
    let mut room = Room::two();
    room.does(0, draw(12));
    for (card, (x, y), at) in [
        (0, (4, 0), 3),
        (1, (3, 0), 4),
        (2, (5, 0), 5),
        (3, (3, 0), 6),
        (4, (-7, 0), 0),
        (5, (1, 1), 0),
        (6, (-1, -4), 0),
        (7, (i32::MAX, i32::MAX), 99_999),
        (8, (i32::MIN, i32::MIN), 0),
    ] {
        room.does(0, mv(&[card], "hand", (0, "table"), x, y));
        let y = y.clamp(-100_000, 100_000);
        assert_eq!(room.laid(0)[card as usize], (card, at, y));
    }
    let mut command = shift(&[9], "hand", (0, "table"), 0, 0);
    command.y = None;
    room.does(0, GameCommandBody::MoveCard(command));
    assert_eq!(room.laid(0)[9], (9, 0, -1));
}

/// 1107, 1108, 1109.
#[test]
fn piles_close_up() {
    let mut room = Room::two();
    room.does(0, draw(12));
    // Only the first of several is placed by itself.
    room.does(0, mv(&[0, 1, 2, 3], "hand", (0, "table"), -1, 0));
    assert_eq!(room.laid(0), [(0, 0, 0), (1, 1, 0), (2, 2, 0), (3, 3, 0)]);
    room.does(0, counter(1, 0, 1));
    room.does(0, mv(&[0], "table", (0, "table"), 9, 0));
    assert_eq!(positions(&room, 1).len(), 3);
    assert_eq!(positions(&room, 0), ["0@-1>9", "1@-1>0", "2@-1>1"]);
    assert_eq!(room.seen(0)[3], "MoveCard");
    let card = room.board(0).table().card(1).expect("it is there");
    assert_eq!(card.counters(), [(0, 1)]);
    room.does(0, mv(&[1], "table", (0, "grave"), 0, 0));
    assert_eq!(positions(&room, 0), ["1@-1>0", "2@-1>0"]);
    room.does(0, mv(&[2], "table", (0, "table"), 9, 0));
    assert_eq!(room.laid(0), [(0, 9, 0), (2, 10, 0), (3, 3, 0)]);
}
