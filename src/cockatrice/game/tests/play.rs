//! A round that goes on, and short forms of the commands.

use super::room::*;
use crate::{
    game::{board::Board, zone::ZoneName, *},
    messages::*,
};

pub(super) const TWELVE: [&str; 12] = [
    "Alpha", "Bravo", "Charlie", "Delta", "Echo", "Foxtrot", "Golf", "Hotel", "India", "Juliett",
    "Kilo", "Lima",
];
pub(super) const SIDE: [&str; 3] = ["Side One", "Side Two", "Side Three"];

/// A deck's native form.
pub(super) fn cod(main: &[&str], side: &[&str]) -> String {
    let list = |cards: &[&str]| -> String {
        cards
            .iter()
            .map(|card| format!("<card number=\"1\" name=\"{card}\"/>"))
            .collect()
    };
    format!(
        "<?xml version=\"1.0\"?><cockatrice_deck version=\"1\"><zone name=\"main\">{}</zone><zone name=\"side\">{}</zone></cockatrice_deck>",
        list(main),
        list(side)
    )
}

pub(super) fn select(deck: &str) -> GameCommandBody<'static> {
    GameCommandBody::DeckSelect(CommandDeckSelect {
        deck: Some(deck.to_owned().into()),
        deck_id: None,
    })
}

pub(super) fn ready() -> GameCommandBody<'static> {
    GameCommandBody::ReadyStart(CommandReadyStart {
        ready: Some(true),
        force_start: None,
    })
}

pub(super) fn draw(number: u32) -> GameCommandBody<'static> {
    GameCommandBody::DrawCards(CommandDrawCards {
        number: Some(number),
    })
}

pub(super) fn undo() -> GameCommandBody<'static> {
    GameCommandBody::UndoDraw(CommandUndoDraw::default())
}

pub(super) fn mulligan(number: u32) -> GameCommandBody<'static> {
    GameCommandBody::Mulligan(CommandMulligan {
        number: Some(number),
    })
}

pub(super) fn shuffle(start: i32, end: i32) -> GameCommandBody<'static> {
    GameCommandBody::Shuffle(CommandShuffle {
        zone_name: None,
        start: Some(start),
        end: Some(end),
    })
}

pub(super) fn dump(player: i32, zone: &'static str, number: i32) -> GameCommandBody<'static> {
    GameCommandBody::DumpZone(CommandDumpZone {
        player_id: Some(player),
        zone_name: Some(zone.into()),
        number_cards: Some(number),
        is_reversed: None,
    })
}

pub(super) fn concede() -> GameCommandBody<'static> {
    GameCommandBody::Concede(CommandConcede::default())
}

pub(super) fn unconcede() -> GameCommandBody<'static> {
    GameCommandBody::Unconcede(CommandUnconcede::default())
}

pub(super) fn next_turn() -> GameCommandBody<'static> {
    GameCommandBody::NextTurn(CommandNextTurn::default())
}

pub(super) fn phase(phase: u32) -> GameCommandBody<'static> {
    GameCommandBody::SetActivePhase(CommandSetActivePhase { phase: Some(phase) })
}

pub(super) fn leave() -> GameCommandBody<'static> {
    GameCommandBody::LeaveGame(CommandLeaveGame::default())
}

/// Own cards from one own zone to a zone of a player.
pub(super) fn shift(
    cards: &[i32],
    from: &'static str,
    (player, to): (i32, &'static str),
    x: i32,
    y: i32,
) -> CommandMoveCard<'static> {
    let card = cards
        .iter()
        .map(|&id| CardToMove {
            card_id: Some(id),
            ..CardToMove::default()
        })
        .collect();
    CommandMoveCard {
        start_zone: Some(from.into()),
        cards_to_move: Some(ListOfCardsToMove { card }),
        target_player_id: Some(player),
        target_zone: Some(to.into()),
        x: Some(x),
        y: Some(y),
        ..CommandMoveCard::default()
    }
}

pub(super) fn mv(
    cards: &[i32],
    from: &'static str,
    to: (i32, &'static str),
    x: i32,
    y: i32,
) -> GameCommandBody<'static> {
    GameCommandBody::MoveCard(shift(cards, from, to, x, y))
}

/// As [`mv`], with cards that are to lie face down.
pub(super) fn mv_down(
    cards: &[i32],
    from: &'static str,
    to: (i32, &'static str),
    x: i32,
    y: i32,
) -> GameCommandBody<'static> {
    let mut command = shift(cards, from, to, x, y);
    for card in &mut command.cards_to_move.as_mut().expect("cards").card {
        card.face_down = Some(true);
    }
    GameCommandBody::MoveCard(command)
}

pub(super) fn attach(card: i32, to: (i32, i32)) -> GameCommandBody<'static> {
    GameCommandBody::AttachCard(CommandAttachCard {
        start_zone: Some("table".into()),
        card_id: Some(card),
        target_player_id: Some(to.0),
        target_zone: Some("table".into()),
        target_card_id: Some(to.1),
    })
}

pub(super) fn detach(card: i32) -> GameCommandBody<'static> {
    GameCommandBody::AttachCard(CommandAttachCard {
        start_zone: Some("table".into()),
        card_id: Some(card),
        ..CommandAttachCard::default()
    })
}

pub(super) fn arrow(start: (i32, i32), target: (i32, Option<i32>)) -> GameCommandBody<'static> {
    GameCommandBody::CreateArrow(CommandCreateArrow {
        start_player_id: Some(start.0),
        start_zone: Some("table".into()),
        start_card_id: Some(start.1),
        target_player_id: Some(target.0),
        target_zone: target.1.map(|_| "table".into()),
        target_card_id: target.1,
        arrow_color: None,
        delete_in_phase: None,
    })
}

pub(super) fn attr(
    card: Option<i32>,
    attribute: CardAttribute,
    value: &'static str,
) -> GameCommandBody<'static> {
    GameCommandBody::SetCardAttr(CommandSetCardAttr {
        zone: Some("table".into()),
        card_id: card,
        attribute: Some(attribute),
        attr_value: Some(value.into()),
    })
}

pub(super) fn counter(card: i32, counter: i32, value: i32) -> GameCommandBody<'static> {
    GameCommandBody::SetCardCounter(CommandSetCardCounter {
        zone: Some("table".into()),
        card_id: Some(card),
        counter_id: Some(counter),
        counter_value: Some(value),
    })
}

pub(super) fn token(name: &'static str, x: i32, y: i32) -> CommandCreateToken<'static> {
    CommandCreateToken {
        zone: Some("table".into()),
        card_name: Some(name.into()),
        x: Some(x),
        y: Some(y),
        destroy_on_zone_change: Some(true),
        ..CommandCreateToken::default()
    }
}

pub(super) fn make(token: CommandCreateToken<'static>) -> GameCommandBody<'static> {
    GameCommandBody::CreateToken(token)
}

pub(super) fn judge(target: i32, inner: Vec<GameCommandBody<'static>>) -> GameCommandBody<'static> {
    let commands = inner
        .into_iter()
        .map(|body| GameCommand { body: Some(body) });
    GameCommandBody::Judge(CommandJudge {
        target_id: Some(target),
        game_command: commands.collect(),
    })
}

impl Room {
    /// Alice and Bob, and as many others as are named, with the deck of twelve; the round has begun, libraries are in list order.
    pub(super) fn playing(rules: Rules, others: &[(&str, Role)]) -> Room {
        let mut room = Room::new(rules, person("alice"), PLAYER);
        room.joins("bob", PLAYER);
        for (name, role) in others {
            room.joins(name, *role);
        }
        let players: Vec<i32> = room.game.players().map(|(id, _)| id).collect();
        for &id in &players {
            assert_eq!(
                room.code(id, select(&cod(&TWELVE, &SIDE))),
                ResponseCode::RespOk
            );
        }
        for &id in &players {
            assert_eq!(room.code(id, ready()), ResponseCode::RespOk);
        }
        assert!(room.game.is_started());
        for id in players {
            room.stack(id);
        }
        room
    }

    pub(super) fn two() -> Room {
        Room::playing(rules(2), &[])
    }

    /// Puts a library into the order of its ids.
    pub(super) fn stack(&mut self, id: i32) {
        let library = &mut self.board_mut(id).zone_mut(ZoneName::Deck).cards;
        library.make_contiguous().sort_by_key(|card| card.id);
    }

    pub(super) fn board(&self, id: i32) -> &Board {
        self.game.board(id).expect("a board")
    }

    pub(super) fn board_mut(&mut self, id: i32) -> &mut Board {
        self.game.board_mut(id).expect("a board")
    }

    /// Gives a command that has to succeed.
    pub(super) fn does(&mut self, by: i32, body: GameCommandBody<'_>) {
        assert_eq!(self.code(by, body), ResponseCode::RespOk);
        self.check();
    }

    /// Ids of the cards of a zone, in order.
    pub(super) fn ids(&self, id: i32, zone: ZoneName) -> Vec<i32> {
        self.board(id)
            .zone(zone)
            .cards
            .iter()
            .map(|card| card.id)
            .collect()
    }

    /// Cards of a table as (id, x, y), by id.
    pub(super) fn laid(&self, id: i32) -> Vec<(i32, i32, i32)> {
        let cards = self.board(id).table().cards.iter();
        let mut laid: Vec<_> = cards.map(|card| (card.id, card.x, card.y)).collect();
        laid.sort_unstable();
        laid
    }

    /// Draws the whole library and lays out these cards at the beginning of the first row, each in a column.
    pub(super) fn lays(&mut self, by: i32, cards: &[i32]) {
        self.does(by, draw(12));
        for (place, &card) in cards.iter().enumerate() {
            self.does(by, mv(&[card], "hand", (by, "table"), place as i32 * 3, 0));
        }
    }
}
