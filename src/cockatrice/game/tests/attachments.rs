//! Attachments and arrows (checklist 1136 to 1154).

use super::{play::*, room::*};
use crate::{
    game::zone::ZoneName::*,
    messages::{ResponseCode::*, *},
};

fn moved(card: i32, name: &str, x: i32) -> String {
    format!(
        "0: MoveCard card_id={card} card_name=\"{name}\" start_player_id=0 start_zone=\"table\" target_player_id=0 x={x} y=0 new_card_id={card} face_down=false new_card_provider_id=\"\""
    )
}

fn detached(player: i32, card: i32) -> String {
    format!("{player}: AttachCard start_zone=\"table\" card_id={card}")
}

/// 1136 to 1140.
#[test]
fn attaching() {
    let mut room = Room::two();
    room.lays(0, &[0, 1, 2, 3]);
    room.does(0, attach(1, (0, 0)));
    assert_eq!(
        room.seen(1),
        [
            "0: AttachCard start_zone=\"table\" card_id=1 target_player_id=0 target_zone=\"table\" target_card_id=0"
        ]
    );
    assert_eq!(room.laid(0)[1], (1, -1, 0));
    room.does(0, attach(2, (0, 0)));
    for (card, target, code) in [
        (3, (0, 1), RespContextError),
        (0, (0, 0), RespContextError),
        (99, (0, 0), RespNameNotFound),
        (3, (0, 99), RespNameNotFound),
        (3, (9, 0), RespNameNotFound),
        (4, (0, 0), RespNameNotFound),
    ] {
        assert_eq!(
            room.code(0, attach(card, target)),
            code,
            "{card} to {target:?}"
        );
    }
    let to = |zone: &'static str, from: &'static str, card| {
        GameCommandBody::AttachCard(CommandAttachCard {
            start_zone: Some(from.into()),
            card_id: Some(card),
            target_player_id: Some(0),
            target_zone: Some(zone.into()),
            target_card_id: Some(4),
        })
    };
    assert_eq!(room.code(0, to("hand", "table", 3)), RespContextError);
    // A zone that nobody knows is no wish to detach.
    assert_eq!(room.code(0, to("nowhere", "table", 3)), RespNameNotFound);
    assert_eq!(room.code(0, to("table", "nowhere", 3)), RespNameNotFound);
    let from_hand = CommandAttachCard {
        start_zone: Some("hand".into()),
        card_id: Some(4),
        target_player_id: Some(0),
        target_zone: Some("table".into()),
        target_card_id: Some(0),
    };
    assert_eq!(
        room.code(0, GameCommandBody::AttachCard(from_hand)),
        RespContextError
    );
    // 1138: what it carries comes off first, in the order in which it went on.
    room.does(0, attach(0, (0, 3)));
    let on = "0: AttachCard start_zone=\"table\" card_id=0 target_player_id=0 target_zone=\"table\" target_card_id=3";
    assert_eq!(
        room.seen(1),
        [
            detached(0, 1),
            moved(1, "Bravo", 3),
            detached(0, 2),
            moved(2, "Charlie", 6),
            on.into(),
            "MoveCard".into()
        ]
    );
    // 1140
    room.does(0, detach(0));
    assert_eq!(
        room.seen(1),
        [detached(0, 0), moved(0, "Alpha", 0), "MoveCard".into()]
    );
    assert_eq!(room.code(0, detach(0)), RespContextError);
}

/// 1139, 1144.
#[test]
fn carriers_and_piles() {
    let mut room = Room::two();
    room.does(0, draw(12));
    room.does(0, mv(&[0, 1], "hand", (0, "table"), 0, 0));
    room.does(0, mv(&[2, 3], "hand", (0, "table"), 6, 0));
    room.does(0, attach(3, (0, 1)));
    assert_eq!(room.laid(0), [(0, 0, 0), (1, 3, 0), (2, 6, 0), (3, -1, 0)]);
    assert_eq!(
        room.code(0, mv(&[3], "table", (0, "table"), 12, 0)),
        RespContextError
    );
    assert_eq!(
        room.code(0, mv(&[1], "table", (0, "table"), 6, 0)),
        RespContextError
    );
    assert_eq!(
        room.code(0, mv(&[1], "table", (0, "table"), -1, 0)),
        RespContextError
    );
    room.does(0, mv(&[1], "table", (0, "table"), 9, 0));
    // Nothing is put onto a carrier.
    room.does(0, mv(&[4], "hand", (0, "table"), 9, 0));
    assert_eq!(room.laid(0)[4], (4, 12, 0));
}

/// 1141 to 1143, 1145.
#[test]
fn attaching_to_what_is_anothers() {
    let mut room = Room::two();
    room.lays(0, &[0, 1]);
    room.lays(1, &[0, 1]);
    room.does(0, attach(1, (1, 0)));
    assert_eq!(room.code(1, detach(1)), RespContextError);
    let snapshot = room.game.snapshot_for(1).expect("a snapshot");
    let text = format!("{:?}", decode::<ServerMessage<'_>>(&snapshot));
    assert!(text.contains(
        "attach_player_id: Some(1), attach_zone: Some(\"table\"), attach_card_id: Some(0)"
    ));
    room.does(1, attach(1, (1, 0)));
    // 1143: on another table it is still what they are attached to.
    room.does(1, mv(&[0], "table", (0, "table"), 9, 0));
    assert_eq!(
        room.board(0)
            .table()
            .card(15)
            .map(|card| card.attachments().len()),
        Some(2)
    );
    // 1142: elsewhere they come off, each on its own table.
    room.does(0, mv(&[15], "table", (0, "hand"), 0, 0));
    assert_eq!(room.seen(1)[..2], [detached(0, 1), moved(1, "Bravo", 3)]);
    assert_eq!(room.seen(1)[2], detached(1, 1));
    assert!(room.seen(1)[3].starts_with("1: MoveCard card_id=1 "));
}

/// 1146 to 1149.
#[test]
fn arrows() {
    let mut room = Room::playing(rules(2), &[("carol", SPECTATOR)]);
    room.lays(0, &[0, 1]);
    room.lays(1, &[0]);
    room.does(0, arrow((0, 0), (1, Some(0))));
    assert_eq!(
        room.seen(1),
        [
            "0: CreateArrow arrow_info={id=1 start_player_id=0 start_zone=\"table\" start_card_id=0 target_player_id=1 target_zone=\"table\" target_card_id=0 arrow_color={}}"
        ]
    );
    room.does(0, arrow((0, 0), (1, None)));
    assert_eq!(
        room.seen(1),
        [
            "0: CreateArrow arrow_info={id=2 start_player_id=0 start_zone=\"table\" start_card_id=0 target_player_id=1 arrow_color={}}"
        ]
    );
    assert_eq!(room.code(0, arrow((0, 0), (1, None))), RespContextError);
    room.does(1, arrow((0, 0), (1, None)));
    for (start, target, code) in [
        ((9, 0), (1, None), RespNameNotFound),
        ((0, 0), (9, None), RespNameNotFound),
        ((0, 0), (2, None), RespNameNotFound),
        ((0, 9), (1, None), RespNameNotFound),
        ((0, 0), (1, Some(9)), RespNameNotFound),
    ] {
        assert_eq!(
            room.code(0, arrow(start, target)),
            code,
            "{start:?} to {target:?}"
        );
    }
    let zones = |from: &'static str, to: &'static str| {
        let GameCommandBody::CreateArrow(mut command) = arrow((0, 0), (1, Some(0))) else {
            panic!()
        };
        (command.start_zone, command.target_zone) = (Some(from.into()), Some(to.into()));
        GameCommandBody::CreateArrow(command)
    };
    assert_eq!(room.code(0, zones("hand", "table")), RespContextError);
    assert_eq!(room.code(0, zones("table", "deck")), RespContextError);
    assert_eq!(room.code(0, zones("nowhere", "table")), RespNameNotFound);
    let delete = |id| GameCommandBody::DeleteArrow(CommandDeleteArrow { arrow_id: Some(id) });
    assert_eq!(room.code(0, delete(3)), RespNameNotFound);
    room.does(0, delete(2));
    assert_eq!(room.seen(1), ["0: DeleteArrow arrow_id=2"]);
}

/// 1150 to 1153.
#[test]
fn arrows_end() {
    let mut room = Room::two();
    room.lays(0, &[0, 1]);
    room.lays(1, &[0]);
    room.does(0, arrow((0, 0), (1, Some(0))));
    room.does(1, arrow((0, 0), (1, None)));
    room.does(0, mv(&[0], "table", (0, "table"), 6, 1));
    assert_eq!(room.seen(1).len(), 2);
    room.does(0, mv(&[0], "table", (0, "stack"), 0, 0));
    assert_eq!(
        room.seen(1)[..2],
        ["0: DeleteArrow arrow_id=1", "1: DeleteArrow arrow_id=2"]
    );
    // Without a phase to last until, an arrow goes with the next announcement of one.
    room.does(0, arrow((0, 1), (1, None)));
    let until = |phase| {
        let GameCommandBody::CreateArrow(mut command) = arrow((0, 1), (0, None)) else {
            panic!()
        };
        command.delete_in_phase = Some(phase);
        GameCommandBody::CreateArrow(command)
    };
    room.does(0, until(5));
    room.does(0, phase(0));
    assert_eq!(
        room.seen(1),
        ["0: DeleteArrow arrow_id=3", "SetActivePhase phase=0"]
    );
    room.does(0, phase(4));
    assert_eq!(room.seen(1).len(), 1);
    room.does(0, phase(5));
    assert_eq!(
        room.seen(1),
        ["0: DeleteArrow arrow_id=4", "SetActivePhase phase=5"]
    );
    room.does(0, until(9));
    room.does(0, phase(4));
    assert_eq!(room.seen(1)[0], "0: DeleteArrow arrow_id=5");
    room.does(0, until(9));
    room.does(1, arrow((0, 1), (1, None)));
    room.does(1, next_turn());
    assert_eq!(
        room.seen(0)[..3],
        [
            "0: DeleteArrow arrow_id=6",
            "1: DeleteArrow arrow_id=7",
            "SetActivePlayer active_player_id=1"
        ]
    );
}

/// 1154, 1180 to 1182: conceding clears the table of what concerns others.
#[test]
fn conceding_clears_the_table() {
    let mut room = Room::playing(rules(3), &[("carol", PLAYER)]);
    room.lays(0, &[0, 1, 2]);
    room.lays(1, &[3, 4]);
    room.does(0, mv(&[0], "table", (1, "table"), 6, 0));
    room.does(
        1,
        attr(
            Some(4),
            CardAttribute::AttrAnnotation,
            "Owner: CAROL\nfor a while",
        ),
    );
    room.does(0, attach(1, (1, 3)));
    room.does(1, arrow((1, 3), (1, None)));
    room.does(1, arrow((0, 2), (2, None)));
    room.does(2, arrow((0, 2), (1, Some(4))));
    room.does(0, next_turn());
    room.does(0, arrow((0, 2), (1, None)));
    room.does(1, arrow((1, 3), (1, Some(3))));
    room.does(1, concede());
    let seen = room.seen(2);
    assert_eq!(
        seen[..2],
        [
            "SetActivePlayer active_player_id=2",
            "SetActivePhase phase=0"
        ]
    );
    assert_eq!(
        seen[2..4],
        ["0: DeleteArrow arrow_id=4", "1: DeleteArrow arrow_id=5"]
    );
    assert_eq!(seen.last().map(String::as_str), Some("Concede"));
}

/// The same, when it is not his turn: one container, in the order of the steps.
#[test]
fn conceding_out_of_turn() {
    let mut room = Room::playing(rules(3), &[("carol", PLAYER)]);
    room.lays(0, &[0, 1, 2]);
    room.lays(1, &[3, 4]);
    room.does(0, mv(&[0], "table", (1, "table"), 6, 0));
    room.does(
        1,
        attr(
            Some(4),
            CardAttribute::AttrAnnotation,
            "Owner: CAROL\nfor a while",
        ),
    );
    room.does(0, attach(1, (1, 3)));
    room.does(0, arrow((0, 2), (1, None)));
    room.does(1, arrow((1, 3), (1, Some(3))));
    room.does(1, arrow((0, 2), (2, None)));
    room.does(1, concede());
    assert_eq!(
        room.seen(2),
        [
            "0: DeleteArrow arrow_id=1",
            "1: DeleteArrow arrow_id=2",
            "0: AttachCard start_zone=\"table\" card_id=1",
            &moved(1, "Bravo", 0),
            "1: MoveCard card_id=4 card_name=\"Echo\" start_player_id=1 start_zone=\"table\" target_player_id=2 target_zone=\"table\" x=0 y=0 new_card_id=15 face_down=false new_card_provider_id=\"\"",
            "1: MoveCard card_id=15 card_name=\"Alpha\" start_player_id=1 start_zone=\"table\" target_player_id=0 target_zone=\"table\" x=1 y=0 new_card_id=15 face_down=false new_card_provider_id=\"\"",
            "1: PlayerPropertiesChanged player_properties={conceded=true}",
            "Concede"
        ]
    );
    room.does(1, unconcede());
    let seen = room.seen(2);
    assert!(
        seen[0].starts_with("GameStateChanged")
            && seen[0].contains("active_player_id=0 active_phase=0")
    );
    assert_eq!(
        seen[1..],
        [
            "1: PlayerPropertiesChanged player_properties={conceded=false}",
            "Unconcede"
        ]
    );
    assert!(room.ids(1, Hand).is_empty());
    assert_eq!(room.code(1, unconcede()), RespContextError);
}

/// 1185 to 1187: leaving a round.
#[test]
fn leaving_a_round() {
    let mut room = Room::playing(rules(3), &[("carol", PLAYER)]);
    room.lays(0, &[0, 1]);
    room.lays(1, &[3, 4]);
    room.does(0, mv(&[0], "table", (1, "table"), 6, 0));
    room.does(0, attach(1, (1, 3)));
    room.does(2, next_turn());
    room.does(1, arrow((1, 3), (0, None)));
    room.does(2, arrow((1, 3), (0, None)));
    room.does(1, leave());
    assert_eq!(
        room.seen(2),
        [
            "2: DeleteArrow arrow_id=2",
            "0: AttachCard start_zone=\"table\" card_id=1",
            &moved(1, "Bravo", 0),
            "1: Leave reason=UserLeft",
            "MoveCard",
            "SetActivePlayer active_player_id=0",
            "SetActivePhase phase=0"
        ]
    );
    assert!(
        room.game
            .may_join(&crate::game::Applicant {
                name: "bob",
                level: 1,
                registered: false,
                is_buddy: false,
                is_ignored: false,
                password: b"",
                override_restrictions: false,
                role: PLAYER
            })
            .is_err()
    );
    room.does(2, leave());
    assert!(!room.game.is_started());
}
