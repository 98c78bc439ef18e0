//! Cards attached to others (spec: cockatrice-table 7.5). Both ends know of each other; both lie on tables.

use super::{
    Game, ParticipantId,
    board::Spot,
    card::{Card, CardRef},
    commands::{Actor, Verdict},
    delivery::Collected,
    limits,
    moves::{Move, Moving, Place, Reason},
    zone::ZoneName,
};
use crate::messages::{CommandAttachCard, EventAttachCard, GameEventBody, ResponseCode};

/// An event that a card is attached to another, or to none.
pub(super) fn attached(child: CardRef, parent: Option<CardRef>) -> GameEventBody<'static> {
    let table = || ZoneName::Table.name().into();
    GameEventBody::AttachCard(EventAttachCard {
        start_zone: Some(table()),
        card_id: Some(child.card),
        target_player_id: parent.map(|parent| parent.player),
        target_zone: parent.map(|_| table()),
        target_card_id: parent.map(|parent| parent.card),
    })
}

impl Game {
    pub(super) fn attach_card(
        &mut self,
        actor: Actor,
        command: &CommandAttachCard<'_>,
        events: &mut Collected,
    ) -> Verdict {
        let start = self.place(actor.id, command.start_zone.as_deref())?;
        let zone = self.zone(start).ok_or(ResponseCode::RespNameNotFound)?;
        let place = zone
            .find(start.zone, command.card_id())
            .ok_or(ResponseCode::RespNameNotFound)?;
        let card = zone
            .cards
            .get(place)
            .ok_or(ResponseCode::RespNameNotFound)?;
        let child = CardRef {
            player: actor.id,
            card: card.id,
        };
        let Some(player) = command.target_player_id else {
            card.parent().ok_or(ResponseCode::RespContextError)?;
            self.drop_arrows_at(spot(child), events);
            self.detach(child, events);
            return Ok(());
        };
        let parent = self.attach_target(child, player, command)?;
        if !start.zone.has_coords() {
            return Err(ResponseCode::RespContextError);
        }
        self.attach(child, parent, events);
        self.close_up(child.player, actor.id, events);
        Ok(())
    }

    fn attach_target(
        &self,
        child: CardRef,
        player: ParticipantId,
        command: &CommandAttachCard<'_>,
    ) -> Result<CardRef, ResponseCode> {
        let target = self.place(player, command.target_zone.as_deref())?;
        if !target.zone.has_coords() {
            return Err(ResponseCode::RespContextError);
        }
        let parent = CardRef {
            player,
            card: command.target_card_id(),
        };
        let card = self
            .table_card(parent)
            .ok_or(ResponseCode::RespNameNotFound)?;
        let is_full = card.attachments().len() >= limits::ATTACHMENTS;
        if card.parent().is_some() || parent == child || is_full {
            return Err(ResponseCode::RespContextError);
        }
        Ok(parent)
    }

    fn attach(&mut self, child: CardRef, parent: CardRef, events: &mut Collected) {
        self.drop_arrows_at(spot(child), events);
        let carried = self
            .table_card(child)
            .map_or(Vec::new(), |card| card.attachments().to_vec());
        for one in carried {
            self.detach(one, events);
        }
        if let Some(old) = self.table_card(child).and_then(Card::parent) {
            self.unhang(old, child);
        }
        if let Some(board) = self.board_mut(child.player) {
            board.table_mut().hang(child.card, parent);
        }
        self.make_room_for_attachments(parent, events);
        if let Some(card) = self.table_card_mut(parent) {
            card.rare_mut().attachments.push(child);
        }
        events.tell(child.player, attached(child, Some(parent)));
    }

    /// A card in a pile of several moves to a column of its own.
    fn make_room_for_attachments(&mut self, parent: CardRef, events: &mut Collected) {
        let Some(board) = self.board(parent.player) else {
            return;
        };
        let Some(card) = board.table().card(parent.card) else {
            return;
        };
        let pile = board.table().pile(super::grid::base_of(card.x), card.y);
        if pile.iter().flatten().count() > 1 {
            let y = card.y;
            self.move_on_table(parent, -2, y, events);
        }
    }

    /// Takes a card off the one it is attached to; it goes to a place of its own.
    pub(super) fn detach(&mut self, child: CardRef, events: &mut Collected) {
        let Some(card) = self.table_card_mut(child) else {
            return;
        };
        let y = card.y;
        let parent = card.rare_mut().parent.take();
        if let Some(parent) = parent {
            self.unhang(parent, child);
        }
        events.tell(child.player, attached(child, None));
        self.move_on_table(child, -1, y, events);
        if let Some(parent) = parent
            && let Some(board) = self.board_mut(parent.player)
        {
            board.table_mut().register_again(parent.card);
        }
    }

    fn move_on_table(&mut self, card: CardRef, x: i32, y: i32, events: &mut Collected) {
        let table = Place {
            player: card.player,
            zone: ZoneName::Table,
        };
        let mv = Move {
            actor: card.player,
            from: table,
            to: table,
            x,
            y,
            reversed: false,
            reason: Reason::Consequence,
        };
        self.move_cards(mv, vec![Moving::plain(card.card)], events);
    }

    /// A card no longer carries another.
    pub(super) fn unhang(&mut self, parent: CardRef, child: CardRef) {
        if let Some(card) = self.table_card_mut(parent) {
            card.rare_mut().attachments.retain(|one| *one != child);
        }
    }

    /// A card has another id, or is another's: those it is connected with are told.
    pub(super) fn rename_relatives(
        &mut self,
        old: CardRef,
        new: CardRef,
        parent: Option<CardRef>,
        children: &[CardRef],
    ) {
        if let Some(card) = parent.and_then(|parent| self.table_card_mut(parent)) {
            for child in card
                .rare_mut()
                .attachments
                .iter_mut()
                .filter(|child| **child == old)
            {
                *child = new;
            }
        }
        for &child in children {
            if let Some(card) = self.table_card_mut(child) {
                card.rare_mut().parent = Some(new);
            }
        }
    }

    pub(super) fn table_card(&self, card: CardRef) -> Option<&Card> {
        self.board(card.player)?.table().card(card.card)
    }

    pub(super) fn table_card_mut(&mut self, card: CardRef) -> Option<&mut Card> {
        self.board_mut(card.player)?.table_mut().card_mut(card.card)
    }
}

fn spot(card: CardRef) -> Spot {
    Spot {
        player: card.player,
        zone: ZoneName::Table,
        card: card.card,
    }
}
