//! What happens to cards that move, whoever moves them (spec: cockatrice-table 6.3 to 6.5).

use std::sync::Arc;

use super::{
    Game, ParticipantId,
    board::Spot,
    card::{Card, CardRef, Print},
    delivery::{Collected, For},
    zone::ZoneName,
};
use crate::messages::{
    CardAttribute, ContextMoveCard, ContextUndoDraw, EventDestroyCard, EventMoveCard,
    EventSetCardAttr, GameEventBody, GameEventContextBody, Text,
};

/// A zone of a player.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) player: ParticipantId,
    pub(super) zone: ZoneName,
}

/// Why cards move.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Reason {
    /// A player moves them.
    Command,
    /// A draw is undone.
    Undo,
    /// A hand goes back; which card is on top is no matter yet.
    Mulligan,
    /// It follows from something else, or is part of it: nothing closes up for it.
    Consequence,
}

/// Where cards move from and to.
#[derive(Clone, Copy)]
pub(super) struct Move {
    /// Who is told to have done it.
    pub(super) actor: ParticipantId,
    pub(super) from: Place,
    pub(super) to: Place,
    pub(super) x: i32,
    pub(super) y: i32,
    pub(super) reversed: bool,
    pub(super) reason: Reason,
}

/// A card that is to move.
pub(super) struct Moving {
    pub(super) id: i32,
    /// Where it stood before any of them moved.
    pub(super) place: usize,
    pub(super) face_down: Option<bool>,
    pub(super) tapped: bool,
    pub(super) pt: Box<str>,
}

impl Moving {
    pub(super) fn plain(id: i32) -> Moving {
        Moving {
            id,
            place: 0,
            face_down: None,
            tapped: false,
            pt: Box::default(),
        }
    }
}

/// A card that left its zone, and what its mover knew of it.
struct Taken {
    card: Card,
    /// Its id before.
    id: i32,
    place: usize,
    known: bool,
    was_face_down: bool,
}

/// Which ends of a zone moves touched: their top cards may be shown.
#[derive(Default)]
struct Tops {
    start: bool,
    target: bool,
}

impl Move {
    fn changes_zone(&self) -> bool {
        self.from != self.to
    }

    fn changes_name(&self) -> bool {
        self.from.zone != self.to.zone
    }

    fn changes_player(&self) -> bool {
        self.from.player != self.to.player
    }
}

impl Game {
    /// Moves cards, in this order.
    pub(super) fn move_cards(&mut self, mut mv: Move, cards: Vec<Moving>, events: &mut Collected) {
        if !mv.to.zone.has_coords() {
            mv.y = 0;
            if mv.x < 0 {
                mv.x = self.card_count(mv.to) as i32;
            }
        }
        match mv.reason {
            // Cards of tables, which are not turned over: nothing of it is a secret.
            Reason::Consequence => events.private_by_the_way(mv.actor),
            _ => events.private_to(mv.actor),
        }
        let (mut survived, mut tops) = (0, Tops::default());
        for moving in cards {
            if self.move_one(&mv, moving, survived, &mut tops, events) {
                survived += 1;
            }
        }
        // Before top cards, which may need a container of their own.
        events.set_context(match mv.reason {
            Reason::Undo => GameEventContextBody::UndoDraw(ContextUndoDraw::default()),
            _ => GameEventContextBody::MoveCard(ContextMoveCard::default()),
        });
        if tops.start && mv.reason != Reason::Mulligan {
            self.show_top(mv.from, mv.actor, events);
        }
        if tops.target && mv.changes_zone() && mv.reason != Reason::Mulligan {
            self.show_top(mv.to, mv.actor, events);
        }
        if mv.reason == Reason::Command && mv.from.zone.has_coords() {
            self.close_up(mv.from.player, mv.actor, events);
        }
    }

    pub(super) fn card_count(&self, place: Place) -> usize {
        self.board(place.player)
            .map_or(0, |board| board.zone(place.zone).cards.len())
    }

    /// Moves a card (6.4); whether it is there afterwards.
    fn move_one(
        &mut self,
        mv: &Move,
        moving: Moving,
        nth: usize,
        tops: &mut Tops,
        events: &mut Collected,
    ) -> bool {
        let Some(taken) = self.take(mv, &moving, nth) else {
            return false;
        };
        let Some(taken) = self.part(mv, taken, events) else {
            return false;
        };
        let Taken {
            mut card,
            id,
            place,
            known,
            was_face_down,
        } = taken;
        card.face_down = mv.to.zone.is_public()
            && moving
                .face_down
                .unwrap_or(!mv.changes_name() && was_face_down);
        let face_down = card.face_down;
        if !mv.to.zone.has_coords() {
            card.reset(mv.to.zone == ZoneName::Stack);
        }
        let print = card.print.clone();
        let Some((new_id, x, at)) = self.insert(mv, card, nth, known) else {
            return false;
        };
        self.tell_move(
            mv,
            &print,
            Told {
                id,
                new_id,
                place,
                x,
                known,
                was_face_down,
                face_down,
            },
            events,
        );
        if mv.to.zone.has_coords() {
            self.dress(mv, new_id, &moving, events);
        }
        if mv.from.zone == ZoneName::Hand
            && mv.changes_zone()
            && mv.reason != Reason::Undo
            && let Some(board) = self.board_mut(mv.from.player)
        {
            board.drawn_card_left(id);
        }
        tops.start |= place == 0;
        tops.target |= at == 0;
        true
    }

    /// Takes the card out of its zone.
    fn take(&mut self, mv: &Move, moving: &Moving, nth: usize) -> Option<Taken> {
        let zone = self.board_mut(mv.from.player)?.zone_mut(mv.from.zone);
        let guess = match mv.changes_zone() || mv.x > moving.place as i32 {
            true => moving.place.saturating_sub(nth),
            false => moving.place,
        };
        let place = zone.place_near(moving.id, guess)?;
        let is_hidden = mv.from.zone.is_hidden();
        let looked_at = is_hidden && zone.is_looked_at(place);
        let seen_below = !is_hidden || zone.is_looked_at_below(place);
        let card = zone.take(place)?;
        Some(Taken {
            id: card.id,
            place,
            known: looked_at && !card.face_down || mv.reversed && seen_below,
            was_face_down: card.face_down,
            card,
        })
    }

    /// What it was connected with stays behind; a token vanishes, and what lay below it goes on (6.4 steps 2 to 4).
    fn part(&mut self, mv: &Move, mut taken: Taken, events: &mut Collected) -> Option<Taken> {
        let old = CardRef {
            player: mv.from.player,
            card: taken.id,
        };
        if mv.changes_name() && taken.card.rare().is_some() {
            if let Some(parent) = taken.card.rare_mut().parent.take() {
                self.unhang(parent, old);
            }
            for child in std::mem::take(&mut taken.card.rare_mut().attachments) {
                self.detach(child, events);
            }
        }
        if mv.changes_zone() {
            self.drop_arrows_at(
                Spot {
                    player: old.player,
                    zone: mv.from.zone,
                    card: old.card,
                },
                events,
            );
        }
        let stays = |zone| matches!(zone, ZoneName::Table | ZoneName::Stack);
        let vanishes = mv.changes_name() && !(stays(mv.from.zone) && stays(mv.to.zone));
        if !(taken.card.destroy_on_zone_change && vanishes) {
            return Some(taken);
        }
        let zone_name = Some(mv.from.zone.name().into());
        let destroyed = EventDestroyCard {
            zone_name,
            card_id: Some(taken.id as u32),
        };
        events.tell(mv.from.player, GameEventBody::DestroyCard(destroyed));
        let mut stashed = *taken.card.take_stashed()?;
        stashed.id = self.board_mut(mv.from.player)?.new_card_id();
        (stashed.x, stashed.y) = (taken.card.x, taken.card.y);
        super::tokens::announce_stashed(mv.from, &stashed, events);
        Some(Taken {
            id: stashed.id,
            was_face_down: stashed.face_down,
            known: taken.known && !stashed.face_down,
            place: taken.place,
            card: stashed,
        })
    }

    /// Puts it where it goes: its id there, the place that is told, and the place it has.
    fn insert(
        &mut self,
        mv: &Move,
        mut card: Card,
        nth: usize,
        known: bool,
    ) -> Option<(i32, i32, usize)> {
        let old = CardRef {
            player: mv.from.player,
            card: card.id,
        };
        let board = self.board_mut(mv.to.player)?;
        if mv.changes_player() || card.face_down && mv.changes_zone() {
            card.id = board.new_card_id();
        }
        let id = card.id;
        let zone = board.zone_mut(mv.to.zone);
        let count = zone.cards.len();
        let wanted = match mv.reversed {
            true => (count as i64 - i64::from(mv.x)).saturating_add(nth as i64),
            false => i64::from(mv.x).saturating_add(nth as i64),
        };
        let wanted = wanted.clamp(i32::MIN.into(), i32::MAX.into()) as i32;
        if !mv.to.zone.has_coords() {
            (card.x, card.y) = (0, 0);
            let at = zone.put(card, wanted, mv.to.zone.is_hidden(), known);
            return Some((id, wanted, at));
        }
        let x = zone.placed(wanted, mv.y, &card.print.name, card.face_down);
        (card.x, card.y) = (x, mv.y);
        let new = CardRef {
            player: mv.to.player,
            card: id,
        };
        let relatives = (card.parent(), card.attachments().to_vec());
        zone.lay(card);
        if old != new {
            self.rename_relatives(old, new, relatives.0, &relatives.1);
        }
        Some((id, x, count))
    }

    /// What a table's card has on top of where it is: tapped, its strength, whose it was (6.4 steps 10 and 11).
    fn dress(&mut self, mv: &Move, id: i32, moving: &Moving, events: &mut Collected) {
        let owner = match mv.changes_player() {
            true => self
                .participant(mv.from.player)
                .map(|owner| owner.person.name.clone()),
            false => None,
        };
        let Some(card) = self
            .board_mut(mv.to.player)
            .and_then(|board| board.table_mut().card_mut(id))
        else {
            return;
        };
        let mut tell =
            |attribute, value: Text<'_>| events.tell(mv.to.player, attr_set(id, attribute, value));
        if moving.tapped {
            card.tapped = true;
            tell(CardAttribute::AttrTapped, "1".into());
        }
        if !moving.pt.is_empty() {
            card.rare_mut().pt = moving.pt.clone();
            tell(CardAttribute::AttrPT, (&*moving.pt).into());
        }
        if let Some(owner) = owner.filter(|_| !card.annotation().contains("Owner:")) {
            let marked = match card.annotation() {
                "" => format!("Owner: {owner}"),
                before => format!("Owner: {owner}\n\n{before}"),
            };
            tell(CardAttribute::AttrAnnotation, (&*marked).into());
            card.rare_mut().annotation = marked.into();
        }
    }

    /// Gaps in a table's piles close, rows before columns (1.4).
    pub(super) fn close_up(
        &mut self,
        player: ParticipantId,
        actor: ParticipantId,
        events: &mut Collected,
    ) {
        let place = Place {
            player,
            zone: ZoneName::Table,
        };
        let Some(board) = self.board(player) else {
            return;
        };
        for (y, base) in board.table().piles() {
            for to in [base, base + 1] {
                let Some(board) = self.board(player) else {
                    return;
                };
                let pile = board.table().pile(base, y);
                let above = pile.iter().skip((to - base) as usize).flatten().next();
                let Some(card) = above.filter(|card| card.x > to) else {
                    continue;
                };
                let closing = Move {
                    actor,
                    from: place,
                    to: place,
                    x: to,
                    y,
                    reversed: false,
                    reason: Reason::Consequence,
                };
                let card = Moving::plain(card.id);
                self.move_cards(closing, vec![card], events);
            }
        }
    }

    /// What its mover and what the others are told (6.5).
    fn tell_move(&self, mv: &Move, print: &Arc<Print>, told: Told, events: &mut Collected) {
        let (from, to) = (mv.from.zone, mv.to.zone);
        let common = EventMoveCard {
            start_player_id: Some(mv.from.player),
            start_zone: Some(from.name().into()),
            target_player_id: Some(mv.to.player),
            target_zone: mv.changes_zone().then(|| to.name().into()),
            y: Some(mv.y),
            face_down: Some(told.face_down),
            ..EventMoveCard::default()
        };
        let place = from.is_hidden().then_some(told.place as i32);
        let is_blind = from.is_hidden() && to.is_hidden() && !told.known;
        let is_named = told.known || !to.is_hidden() && !told.face_down;
        let private = EventMoveCard {
            x: Some(told.x),
            position: Some(place.unwrap_or(-1)),
            card_id: Some(if is_blind { -1 } else { told.id }),
            new_card_id: Some(if is_blind { -1 } else { told.new_id }),
            card_name: is_named.then(|| (&*print.name).into()),
            new_card_provider_id: is_named.then(|| (&*print.provider).into()),
            ..common.clone()
        };
        let is_public = from.is_public() || to.is_public();
        let is_start_concealed = told.was_face_down || !from.is_public();
        let is_target_concealed = told.face_down || !to.is_public();
        let is_named = is_public && !(is_start_concealed && is_target_concealed);
        let others = EventMoveCard {
            x: (to != ZoneName::Hand).then_some(told.x),
            position: place,
            card_id: is_public.then_some(told.id),
            new_card_id: is_public.then_some(told.new_id),
            card_name: is_named.then(|| (&*print.name).into()),
            new_card_provider_id: is_named.then(|| (&*print.provider).into()),
            ..common
        };
        let about = Some(mv.actor);
        events.push(For::Private, about, GameEventBody::MoveCard(private));
        events.push(For::Others, about, GameEventBody::MoveCard(others));
    }
}

/// What there is to tell of a move.
struct Told {
    id: i32,
    new_id: i32,
    place: usize,
    x: i32,
    known: bool,
    was_face_down: bool,
    face_down: bool,
}

/// An attribute of a card on a table was set.
pub(super) fn attr_set(card: i32, attribute: CardAttribute, value: Text<'_>) -> GameEventBody<'_> {
    GameEventBody::SetCardAttr(EventSetCardAttr {
        zone_name: Some(ZoneName::Table.name().into()),
        card_id: Some(card),
        attribute: Some(attribute),
        attr_value: Some(value),
    })
}
