//! Showing cards: to one, to all, the top one always (checklist 1155 to 1170).

use super::{play::*, room::*};
use crate::{
    game::zone::ZoneName::*,
    messages::{ResponseCode::*, *},
};

fn reveal(zone: &'static str, cards: &[i32], player: Option<i32>) -> CommandRevealCards<'static> {
    CommandRevealCards {
        zone_name: Some(zone.into()),
        card_id: cards.to_vec(),
        player_id: player,
        ..CommandRevealCards::default()
    }
}

fn show(command: CommandRevealCards<'static>) -> GameCommandBody<'static> {
    GameCommandBody::RevealCards(command)
}

fn top(reveal: Option<bool>, look: Option<bool>) -> GameCommandBody<'static> {
    GameCommandBody::ChangeZoneProperties(CommandChangeZoneProperties {
        zone_name: Some("deck".into()),
        always_reveal_top_card: reveal,
        always_look_at_top_card: look,
    })
}

fn full(id: i32, name: &str) -> String {
    format!(
        "{{id={id} name=\"{name}\" x=0 y=0 face_down=false tapped=false attacking=false color=\"\" pt=\"\" annotation=\"\" destroy_on_zone_change=false doesnt_untap=false provider_id=\"\"}}"
    )
}

/// 1155 to 1157.
#[test]
fn showing_cards() {
    let mut room = Room::playing(rules(3), &[("carol", PLAYER), ("dave", SPECTATOR)]);
    room.does(0, draw(2));
    room.does(0, show(reveal("hand", &[], None)));
    let cards = format!("cards=[{},{}]", full(0, "Alpha"), full(1, "Bravo"));
    let all = format!(
        "0: RevealCards zone_name=\"hand\" {cards} grant_write_access=false number_of_cards=2"
    );
    for by in 0..4 {
        assert_eq!(room.seen(by), std::slice::from_ref(&all));
    }
    room.does(0, show(reveal("hand", &[1, 1], Some(1))));
    let told = "0: RevealCards zone_name=\"hand\" card_id=[1,1] other_player_id=1";
    let rest = "grant_write_access=false number_of_cards=2";
    for by in [0, 2, 3] {
        assert_eq!(room.seen(by), [format!("{told} {rest}")]);
    }
    let twice = format!("cards=[{0},{0}]", full(1, "Bravo"));
    assert_eq!(room.seen(1), [format!("{told} {twice} {rest}")]);
}

/// 1158 to 1162, 1165.
#[test]
fn which_cards_are_shown() {
    let mut room = Room::playing(rules(2), &[("carol", SPECTATOR)]);
    room.does(1, show(reveal("hand", &[], None)));
    assert_eq!(
        room.seen(0),
        ["1: RevealCards zone_name=\"hand\" grant_write_access=false number_of_cards=0"]
    );
    assert_eq!(
        room.code(1, show(reveal("hand", &[-2], None))),
        RespContextError
    );
    room.does(0, draw(3));
    room.does(0, show(reveal("hand", &[-2], None)));
    assert!(
        room.seen(1)[0].contains("card_id=[-2] cards=[{id=")
            && room.seen(1)[0].contains("number_of_cards=1")
    );
    let tops = |number| {
        show(CommandRevealCards {
            top_cards: Some(number),
            ..reveal("deck", &[0], None)
        })
    };
    room.does(0, tops(2));
    assert!(room.seen(1)[0].contains(&format!(
        "card_id=[0] cards=[{},{}]",
        full(3, "Delta"),
        full(4, "Echo")
    )));
    // 1162: nothing of it counts as looked at.
    assert_eq!(room.board(0).zone(Deck).looked_at, 0);
    for number in [0, -5] {
        room.does(0, tops(number));
        assert!(room.seen(1)[0].contains("number_of_cards=0"));
    }
    assert_eq!(room.code(0, tops(10)), RespNameNotFound);
    for command in [
        reveal("nowhere", &[], None),
        reveal("hand", &[9], None),
        reveal("hand", &[-2, -2], None),
        reveal("hand", &[], Some(9)),
        reveal("hand", &[], Some(2)),
    ] {
        assert_eq!(room.code(0, show(command)), RespNameNotFound);
    }
    // A peek at what lies face down.
    room.does(0, mv_down(&[0], "hand", (0, "table"), 0, 0));
    room.does(0, show(reveal("table", &[15], Some(0))));
    assert!(
        room.seen(0)[0].contains("name=\"Alpha\"") && room.seen(0)[0].contains("face_down=true")
    );
    assert!(!room.seen(1)[0].contains("Alpha") && !room.seen(2)[0].contains("Alpha"));
}

/// 1163, 1164: lent cards go to the borrower's table, until the library is shuffled.
#[test]
fn lending_a_library() {
    let mut room = Room::playing(rules(2), &[("carol", SPECTATOR)]);
    let take = |to, zone: &'static str| {
        let mut command = shift(&[0], "deck", (to, zone), 0, 0);
        command.start_player_id = Some(0);
        GameCommandBody::MoveCard(command)
    };
    let lend = |whom| {
        show(CommandRevealCards {
            grant_write_access: Some(true),
            ..reveal("deck", &[], whom)
        })
    };
    assert_eq!(room.code(1, take(1, "table")), RespContextError);
    room.does(0, lend(Some(1)));
    room.does(1, take(1, "table"));
    assert!(
        room.seen(0)[0].contains("start_player_id=0") && room.seen(0)[1].contains("Owner: alice")
    );
    assert_eq!(room.code(1, take(1, "hand")), RespContextError);
    assert_eq!(room.code(1, take(0, "grave")), RespContextError);
    room.does(0, shuffle(0, 99));
    room.does(1, take(1, "table"));
    room.does(0, shuffle(0, 1));
    assert_eq!(room.code(1, take(1, "table")), RespContextError);
    // To all: players, not those who look on.
    room.does(0, lend(None));
    assert_eq!(room.board(0).zone(Deck).writers, [0, 1]);
}

/// What a borrower takes is told as a move, whatever the owner looks at after it.
#[test]
fn a_lent_library_shows_its_owner_the_next_card() {
    let mut room = Room::two();
    let lend = show(CommandRevealCards {
        grant_write_access: Some(true),
        ..reveal("deck", &[], Some(1))
    });
    room.gives(0, vec![top(None, Some(true)), lend]);
    let mut take = shift(&[0], "deck", (1, "table"), 0, 0);
    take.start_player_id = Some(0);
    room.does(1, GameCommandBody::MoveCard(take));
    let seen = room.seen(0);
    let at = |what: &str| seen.iter().position(|line| line.starts_with(what));
    let (context, looked) = (at("MoveCard"), at("0: RevealCards"));
    assert!(context.is_some() && context < looked, "{seen:?}");
    assert!(seen.iter().any(|line| line.contains("Bravo")));
    assert!(!room.seen(1).iter().any(|line| line.contains("Bravo")));
}

/// 1166 to 1170.
#[test]
fn the_top_card_is_shown() {
    let mut room = Room::two();
    let card = |id, name: &str| {
        format!(
            "card_id=[0] cards=[{{id={id} name=\"{name}\" x=0 y=0 tapped=false provider_id=\"\"}}]"
        )
    };
    let revealed = |id, name| format!("0: RevealCards zone_name=\"deck\" {}", card(id, name));
    room.does(0, top(Some(true), None));
    assert_eq!(
        room.seen(1),
        [
            "0: ChangeZoneProperties zone_name=\"deck\" always_reveal_top_card=true".into(),
            revealed(0, "Alpha")
        ]
    );
    for body in [top(Some(true), None), top(None, None)] {
        assert_eq!(room.code(0, body), RespContextError);
        assert_eq!(room.seen(1), [revealed(0, "Alpha")]);
    }
    room.does(0, draw(1));
    assert_eq!(room.seen(1)[1..], [revealed(1, "Bravo")]);
    room.does(0, mv(&[0], "hand", (0, "deck"), 1, 0));
    assert_eq!(room.seen(1).len(), 2);
    room.does(0, mv(&[0], "deck", (0, "grave"), 0, 0));
    assert_eq!(room.seen(1)[1], revealed(0, "Alpha"));
    room.does(0, shuffle(0, 0));
    assert_eq!(room.seen(1)[1..], [revealed(0, "Alpha")]);
    // 1168: both at once, and then the look alone.
    room.does(0, top(None, Some(true)));
    assert_eq!(room.seen(1)[1..], [revealed(0, "Alpha")]);
    room.does(0, top(Some(false), None));
    let looked = format!("{} number_of_cards=1", revealed(0, "Alpha"));
    assert_eq!(room.seen(0)[1..], [looked]);
    assert_eq!(
        room.seen(1)[1..],
        ["0: DumpZone zone_owner_id=0 zone_name=\"deck\" number_cards=1"]
    );
    let snapshot = room.game.snapshot_for(1).expect("a snapshot");
    let text = format!("{:?}", decode::<ServerMessage<'_>>(&snapshot));
    assert!(
        text.contains("always_reveal_top_card: Some(false), always_look_at_top_card: Some(true)")
    );
    // A mulligan shows the top when it draws, and only then.
    room.does(0, mulligan(2));
    assert_eq!(
        room.seen(1)
            .iter()
            .filter(|line| line.contains("DumpZone"))
            .count(),
        1
    );
}

/// A borrower does not see the top card that its owner looks at, nor the owner what the borrower keeps face down.
#[test]
fn the_top_of_a_lent_library() {
    let mut room = Room::two();
    room.does(
        0,
        show(CommandRevealCards {
            grant_write_access: Some(true),
            ..reveal("deck", &[], Some(1))
        }),
    );
    room.does(0, top(None, Some(true)));
    room.does(0, dump(0, "deck", 1));
    let GameCommandBody::MoveCard(mut command) = mv_down(&[0], "deck", (1, "table"), 0, 0) else {
        panic!()
    };
    command.start_player_id = Some(0);
    room.does(1, GameCommandBody::MoveCard(command));
    let (owner, borrower) = (room.seen(0).join("\n"), room.seen(1).join("\n"));
    assert!(
        owner.contains("name=\"Bravo\"") && !owner.contains("Alpha"),
        "{owner}"
    );
    assert!(
        borrower.contains("card_name=\"Alpha\"") && !borrower.contains("Bravo"),
        "{borrower}"
    );
}
