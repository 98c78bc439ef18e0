//! Decks, sideboards, and the begin of rounds (checklist 1001 to 1035).

use super::{play::*, room::*};
use crate::{
    game::{zone::ZoneName, *},
    messages::*,
};

fn lock(locked: bool) -> GameCommandBody<'static> {
    GameCommandBody::SetSideboardLock(CommandSetSideboardLock {
        locked: Some(locked),
    })
}

fn plan(moves: &[(&'static str, &'static str, &'static str)]) -> GameCommandBody<'static> {
    let moves = moves.iter().map(|&(card, from, to)| MoveCardToZone {
        card_name: Some(card.into()),
        start_zone: Some(from.into()),
        target_zone: Some(to.into()),
    });
    GameCommandBody::SetSideboardPlan(CommandSetSideboardPlan {
        move_list: moves.collect(),
    })
}

fn playmat(name: String, zoom: f64) -> GameCommandBody<'static> {
    GameCommandBody::SetPlaymat(CommandSetPlaymat {
        playmat_params: Some(PlaymatParams {
            card_name: Some(name.into()),
            zoom: Some(zoom),
            ..PlaymatParams::default()
        }),
    })
}

fn force(ready: bool) -> GameCommandBody<'static> {
    GameCommandBody::ReadyStart(CommandReadyStart {
        ready: Some(ready),
        force_start: Some(true),
    })
}

fn lobby(max_players: u32) -> Room {
    let mut room = Room::new(rules(max_players), person("alice"), PLAYER);
    room.joins("bob", PLAYER);
    room
}

/// 1001, 163: the event, its context and the response of a selected deck.
#[test]
fn a_deck_is_selected() {
    let mut room = lobby(2);
    let answer = room.gives(0, vec![select(&cod(&TWELVE, &SIDE))]);
    let Some(ResponseBody::DeckDownload(deck)) = answer.body else {
        panic!("{answer:?}")
    };
    assert!(deck.deck().contains("<card number=\"1\" name=\"Alpha\"/>"));
    let mat = "playmat_params={card_name=\"\" card_provider_id=\"\" margin_pct_l=0.07 margin_pct_r=0.07 vertical_offset=0.33 zoom=1.0}";
    let seen = [
        format!(
            "0: PlayerPropertiesChanged player_properties={{deck_hash=\"lcni8otv\" sideboard_locked=true {mat}}}"
        ),
        "DeckSelect deck_hash=\"lcni8otv\" sideboard_size=3".to_owned(),
    ];
    assert_eq!(room.seen(0), seen);
    assert_eq!(room.seen(1), seen);
}

/// 1002, 165: who gets a deck list.
#[test]
fn deck_lists_are_shared_if_the_game_says_so() {
    let lists = |room: &Room, by| {
        let message = room.game.snapshot_for(by).expect("a snapshot");
        let message: ServerMessage<'_> = decode(&message).expect("it is read");
        let Some(GameEventBody::GameStateChanged(state)) =
            &message.game_event_container.expect("one").event_list[0].body
        else {
            panic!()
        };
        state
            .player_list
            .iter()
            .map(|player| player.deck_list.is_some())
            .collect::<Vec<_>>()
    };
    for share in [false, true] {
        let mut room = Room::new(
            Rules {
                share_decklists_on_load: share,
                ..rules(2)
            },
            person("alice"),
            PLAYER,
        );
        room.joins("bob", PLAYER);
        room.does(0, select(&cod(&TWELVE, &SIDE)));
        assert_eq!(room.seen(1)[1].contains("deck_list"), share);
        assert_eq!(lists(&room, 0), [true, false]);
        assert_eq!(lists(&room, 1), [share, false]);
    }
}

/// 1003 to 1006, 168, 171.
#[test]
fn decks_and_sideboards_change_before_a_round() {
    use ResponseCode::*;
    let mut room = lobby(2);
    room.joins("carol", SPECTATOR);
    // 1016, 1020: without a deck there is nothing to change.
    assert_eq!(room.code(0, lock(false)), RespContextError);
    assert_eq!(room.code(0, plan(&[])), RespContextError);
    assert_eq!(room.code(0, playmat("x".into(), 1.0)), RespContextError);
    assert_eq!(room.code(0, ready()), RespContextError);
    for body in [
        select(""),
        lock(true),
        plan(&[]),
        playmat("x".into(), 1.0),
        ready(),
        concede(),
        dump(0, "hand", -1),
    ] {
        assert_eq!(room.code(2, body), RespFunctionNotAllowed);
    }
    room.does(0, select("4 Forest"));
    assert!(room.seen(0)[0].contains("deck_hash=\"r8sq7riu\""));
    // 1005: of stored decks, only the own ones are known.
    let stored = |id| {
        GameCommandBody::DeckSelect(CommandDeckSelect {
            deck: None,
            deck_id: Some(id),
        })
    };
    assert_eq!(room.code(0, stored(7)), RespNameNotFound);
    room.stored.insert(7, cod(&TWELVE, &[]).into_bytes());
    room.does(0, stored(7));
    // 1021, 1022: plans of an unlocked sideboard; locking forgets them.
    assert_eq!(room.code(0, lock(true)), RespContextError);
    assert_eq!(room.code(0, plan(&[])), RespContextError);
    room.does(0, lock(false));
    assert_eq!(
        room.seen(1),
        [
            "0: PlayerPropertiesChanged player_properties={sideboard_locked=false}",
            "SetSideboardLock"
        ]
    );
    room.does(0, plan(&[("Alpha", "main", "side")]));
    assert!(room.out.deliveries.is_empty());
    room.does(0, ready());
    assert_eq!(
        room.seen(1),
        [
            "0: PlayerPropertiesChanged player_properties={ready_start=true}",
            "ReadyStart"
        ]
    );
    assert_eq!(room.code(0, ready()), RespContextError);
    assert_eq!(room.code(0, lock(true)), RespContextError);
    assert_eq!(room.code(0, plan(&[])), RespContextError);
    // A ready player may still choose another deck, and stays ready.
    room.does(0, select(&cod(&TWELVE, &SIDE)));
    assert!(
        room.game
            .player(0)
            .is_some_and(|alice| alice.ready && alice.sideboard_locked)
    );
}

/// 1017 to 1019.
#[test]
fn playmats() {
    let mut room = Room::two();
    room.does(0, playmat("Forest".into(), 9.0));
    let [seen] = &room.seen(1)[..] else { panic!() };
    assert!(
        seen.contains("deck_hash=") && seen.contains("sideboard_locked=true"),
        "{seen}"
    );
    assert!(
        seen.contains("card_name=\"Forest\"")
            && seen.contains("zoom=4.0")
            && seen.contains("margin_pct_l=0.07")
    );
    room.does(0, playmat("é".repeat(255), 1.0));
    assert_eq!(
        room.code(0, playmat("é".repeat(256), 1.0)),
        ResponseCode::RespInvalidData
    );
}

/// 1015, 1023, 1030, 1031: numbers follow the lists; plans move the first of a name to the end.
#[test]
fn cards_are_dealt_by_the_plan() {
    let mut room = lobby(2);
    room.does(0, select(&cod(&["A", "B", "A", "C"], &["S", "T"])));
    room.does(0, lock(false));
    let moves = [
        ("A", "main", "side"),
        ("T", "side", "main"),
        ("Z", "main", "side"),
        ("B", "main", "tokens"),
        ("S", "side", "side"),
        ("A", "side", "main"),
        ("A", "main", "side"),
    ];
    room.does(0, plan(&moves));
    room.does(1, select(&cod(&TWELVE, &[])));
    room.does(0, ready());
    room.does(1, ready());
    let mut main = room.ids(0, ZoneName::Deck);
    main.sort_unstable();
    // The first A (0) went and came back behind the second (2), which then is the first of its name.
    assert_eq!(main, [0, 1, 3, 5]);
    assert_eq!(room.ids(0, ZoneName::Sb), [4, 2]);
    assert_eq!(
        room.board(0)
            .zone(ZoneName::Sb)
            .card(2)
            .map(|card| &*card.print.name),
        Some("A")
    );
}

/// 1010, 1011, 1015: what a deck's file says is played: printings, names of any length, and its own plan although the sideboard is
/// locked; other zones and other plans are not.
#[test]
fn what_a_file_says_is_played() {
    let long = "n".repeat(300);
    let plan = |name, card, from, to| {
        format!(
            "<sideboard_plan><name>{name}</name><move_card_to_zone><card_name>{card}</card_name><start_zone>{from}</start_zone><target_zone>{to}</target_zone></move_card_to_zone></sideboard_plan>"
        )
    };
    let deck = format!(
        "<cockatrice_deck version=\"1\"><zone name=\"main\"><card number=\"1\" name=\"{long}\" uuid=\"abc-1\"/><card number=\"1\" name=\"A\"/></zone><zone name=\"side\"><card number=\"1\" name=\"S\"/></zone><zone name=\"tokens\"><card number=\"5\" name=\"T\"/></zone>{}{}</cockatrice_deck>",
        plan("", "A", "main", "side"),
        plan("other", "S", "side", "main"),
    );
    let mut room = Room::new(rules(1), person("alice"), PLAYER);
    room.does(0, select(&deck));
    room.does(0, ready());
    assert_eq!(room.ids(0, ZoneName::Sb), [2, 1]);
    room.does(0, draw(9));
    assert_eq!(
        room.seen(0),
        [format!(
            "0: DrawCards number=1 cards=[{{id=0 name=\"{long}\" provider_id=\"abc-1\"}}]"
        )]
    );
}

/// 174: where somebody is missing, nothing begins although all are ready.
#[test]
fn a_game_that_is_not_full_waits() {
    let mut room = lobby(3);
    for id in [0, 1] {
        room.does(id, select(""));
        room.does(id, ready());
    }
    assert!(!room.game.is_started());
}

/// Who is ready stays so when another leaves before the round, and need not say it again.
#[test]
fn who_is_ready_stays_ready() {
    let mut room = lobby(2);
    room.does(0, select(""));
    room.does(0, ready());
    room.does(1, leave());
    assert!(room.seen(0)[1].contains("game_started=false"));
    assert!(room.game.player(0).is_some_and(|alice| alice.ready));
    let id = room.joins("carol", PLAYER);
    room.does(id, select(""));
    room.does(id, ready());
    assert!(room.game.is_started());
}

/// 172, 173, 1025 to 1028: what is sent when a round begins.
#[test]
fn a_round_begins() {
    let mut room = lobby(2);
    room.joins("carol", SPECTATOR);
    for id in [0, 1] {
        room.does(id, select(&cod(&TWELVE, &SIDE)));
    }
    room.does(0, ready());
    assert!(!room.game.is_started());
    room.does(1, ready());
    let seen = room.seen(2);
    assert_eq!(
        seen[..2],
        [
            "1: PlayerPropertiesChanged player_properties={ready_start=true}",
            "ReadyStart"
        ]
    );
    assert!(
        seen[2].starts_with("GameStateChanged player_list="),
        "{}",
        seen[2]
    );
    assert!(
        seen[2].ends_with("game_started=true active_player_id=0 active_phase=0 seconds_elapsed=0"),
        "{}",
        seen[2]
    );
    assert_eq!(
        seen[3..],
        [
            "SetActivePlayer active_player_id=0",
            "SetActivePhase phase=0"
        ]
    );
    let zones = "zone_list=[\
        {name=\"deck\" type=HiddenZone with_coords=false card_count=12 always_reveal_top_card=false always_look_at_top_card=false},\
        {name=\"grave\" type=PublicZone with_coords=false card_count=0 always_reveal_top_card=false always_look_at_top_card=false},\
        {name=\"hand\" type=PrivateZone with_coords=false card_count=0 always_reveal_top_card=false always_look_at_top_card=false},\
        {name=\"rfg\" type=PublicZone with_coords=false card_count=0 always_reveal_top_card=false always_look_at_top_card=false},\
        {name=\"sb\" type=HiddenZone with_coords=false card_count=3 always_reveal_top_card=false always_look_at_top_card=false},\
        {name=\"stack\" type=PublicZone with_coords=false card_count=0 always_reveal_top_card=false always_look_at_top_card=false},\
        {name=\"table\" type=PublicZone with_coords=true card_count=0 always_reveal_top_card=false always_look_at_top_card=false}]";
    assert_eq!(seen[2].matches(zones).count(), 2);
    assert!(
        seen[2]
            .contains("{id=0 name=\"life\" counter_color={r=255 g=255 b=255} radius=25 count=20}")
    );
    assert!(
        seen[2]
            .contains("{id=7 name=\"storm\" counter_color={r=255 g=150 b=30} radius=20 count=0}")
    );
    assert!(!seen[2].contains("user_info") && !seen[2].contains("deck_list"));
    assert_eq!(room.seen(0)[2].matches("deck_list").count(), 1);
    assert_eq!(room.out.news, [News::Started(true)]);
    // 1004, 168
    assert_eq!(room.code(0, select("")), ResponseCode::RespContextError);
    assert_eq!(room.code(0, ready()), ResponseCode::RespContextError);
}

/// 1024, 176, 193: what nobody may do before a round.
#[test]
fn there_is_no_table_before_a_round() {
    use ResponseCode::*;
    let mut room = lobby(2);
    for body in [
        draw(1),
        undo(),
        mulligan(7),
        shuffle(0, -1),
        mv(&[0], "hand", (0, "table"), 0, 0),
        dump(0, "deck", 1),
        next_turn(),
        phase(1),
        concede(),
        unconcede(),
        attach(0, (0, 1)),
        make(token("T", 0, 0)),
        GameCommandBody::ReverseTurn(Default::default()),
    ] {
        assert_eq!(room.code(0, body), RespGameNotStarted);
    }
    let zone = CommandChangeZoneProperties {
        zone_name: Some("deck".into()),
        ..Default::default()
    };
    assert_eq!(
        room.code(0, GameCommandBody::ChangeZoneProperties(zone)),
        RespNameNotFound
    );
    assert_eq!(room.code(0, judge(1, vec![])), RespFunctionNotAllowed);
    assert_eq!(
        room.code(0, GameCommandBody::RollDie(Default::default())),
        RespOk
    );
    assert_eq!(room.gives(0, vec![]).code, RespOk);
}

/// 1032: a game of one goes alone.
#[test]
fn one_player_alone() {
    let mut room = Room::new(rules(1), person("alice"), PLAYER);
    room.does(0, select(""));
    room.does(0, ready());
    assert!(room.game.is_started());
    room.does(0, concede());
    assert!(!room.game.is_started());
}

/// 174, 175, 1033, and the defect of a host who is not ready himself.
#[test]
fn a_start_is_forced() {
    let mut room = lobby(4);
    room.joins("carol", PLAYER);
    for id in 0..3 {
        room.does(id, select(&cod(&TWELVE, &[])));
    }
    assert_eq!(room.code(0, force(false)), ResponseCode::RespContextError);
    assert_eq!(
        room.code(2, force(true)),
        ResponseCode::RespFunctionNotAllowed
    );
    assert!(room.seen(0)[0].contains("ready_start=true"));
    assert!(!room.game.is_started());
    room.does(0, force(true));
    assert_eq!(
        room.seen(1),
        [
            "0: PlayerPropertiesChanged player_properties={ready_start=true}",
            "ReadyStart",
            "Kicked"
        ]
    );
    assert_eq!(room.seen(2)[2], "1: Leave reason=UserKicked");
    assert_eq!(
        room.game.players().map(|(id, _)| id).collect::<Vec<_>>(),
        [0, 2]
    );
    assert!(room.game.is_started());
    room.does(0, next_turn());
    assert_eq!(
        room.seen(0),
        [
            "SetActivePlayer active_player_id=2",
            "SetActivePhase phase=0"
        ]
    );
}

/// 180, 1034: what a second round begins with, and what outlasts the first.
#[test]
fn a_second_round() {
    let mut room = Room::two();
    room.lays(0, &[0]);
    room.does(0, arrow((0, 0), (1, None)));
    room.does(0, GameCommandBody::ReverseTurn(Default::default()));
    room.does(1, concede());
    assert!(
        room.seen(0)[0].contains("game_started=false")
            && !room.seen(0)[0].contains("active_player_id")
    );
    assert!(
        room.game
            .players()
            .all(|(_, player)| player.deck.is_some() && !player.conceded && !player.ready)
    );
    for id in [0, 1] {
        room.does(id, ready());
    }
    // The order is still reversed: the last player begins.
    assert_eq!(room.game.active_player, 1);
    assert_eq!(room.board(0).card_count(), 15);
    assert_eq!(room.ids(0, ZoneName::Sb), [12, 13, 14]);
    room.stack(0);
    room.lays(0, &[0]);
    room.does(0, arrow((0, 0), (1, None)));
    assert!(room.seen(1)[0].contains("{id=2 "), "{:?}", room.seen(1));
}

/// 1035: no two libraries are in the same order.
#[test]
fn libraries_are_shuffled() {
    let mut room = lobby(2);
    for id in [0, 1] {
        room.does(id, select(&cod(&TWELVE, &[])));
    }
    room.does(0, ready());
    room.does(1, ready());
    let (first, second) = (room.ids(0, ZoneName::Deck), room.ids(1, ZoneName::Deck));
    assert_ne!(first, second);
    room.does(0, shuffle(0, -1));
    assert_ne!(room.ids(0, ZoneName::Deck), first);
}
