//! Cards that no deck holds (spec: cockatrice-table 7.10): tokens, and those that stand for a card while it is another.

use std::sync::Arc;

use super::{
    Game, attach,
    board::Spot,
    card::{Card, CardRef, Print},
    commands::{Actor, Verdict},
    delivery::{Collected, For},
    limits,
    moves::{self, Place},
    zone::ZoneName,
};
use crate::{
    messages::{
        CardAttribute, CommandAttachCard, CommandCreateToken, EventCreateToken, EventDestroyCard,
        GameEventBody, ResponseCode, TargetMode, Text, ZoneType,
    },
    text,
};

/// To whom a card that appears is named.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Named {
    All,
    Maker,
    Nobody,
}

/// Tells of a card that lay below a token: what it is, to those who may see it where it is.
pub(super) fn announce_stashed(place: Place, card: &Card, events: &mut Collected) {
    let named = match place.zone.kind() {
        _ if card.face_down => Named::Maker,
        ZoneType::PublicZone => Named::All,
        ZoneType::PrivateZone => Named::Maker,
        ZoneType::HiddenZone => Named::Nobody,
    };
    announce(place, card, named, events);
}

fn announce(place: Place, card: &Card, named: Named, events: &mut Collected) {
    let event = EventCreateToken {
        zone_name: Some(place.zone.name().into()),
        card_id: Some(card.id),
        card_name: Some((&*card.print.name).into()),
        color: Some(card.color().into()),
        pt: Some(card.pt().into()),
        annotation: Some(card.annotation().into()),
        destroy_on_zone_change: Some(card.destroy_on_zone_change),
        x: Some(card.x.max(0)),
        y: Some(card.y),
        card_provider_id: Some((&*card.print.provider).into()),
        face_down: Some(card.face_down),
    };
    let nameless = EventCreateToken {
        card_name: None,
        card_provider_id: None,
        ..event.clone()
    };
    let about = Some(place.player);
    match named {
        Named::All => events.tell(place.player, GameEventBody::CreateToken(event)),
        Named::Nobody => events.tell(place.player, GameEventBody::CreateToken(nameless)),
        Named::Maker => {
            events.push(For::Private, about, GameEventBody::CreateToken(event));
            events.push(For::Others, about, GameEventBody::CreateToken(nameless));
        }
    }
}

impl Game {
    pub(super) fn create_token(
        &mut self,
        actor: Actor,
        command: &CommandCreateToken<'_>,
        events: &mut Collected,
    ) -> Verdict {
        let place = self.place(actor.id, command.zone.as_deref())?;
        self.may_make_token(place)?;
        let target = self.token_target(actor, command);
        events.private_to(actor.id);
        let transforms = command.target_mode == Some(TargetMode::TransformInto);
        let Some(target) = target else {
            self.put_token(place, command, (command.x(), command.y()), events);
            return Ok(());
        };
        if transforms {
            self.transform(place, target, command, events);
            return Ok(());
        }
        let Some(token) = self.put_token(place, command, (command.x(), command.y()), events) else {
            return Ok(());
        };
        let attach = CommandAttachCard {
            start_zone: command.target_zone.clone(),
            card_id: command.target_card_id,
            target_player_id: Some(actor.id),
            target_zone: command.zone.clone(),
            target_card_id: Some(token),
        };
        self.attach_card(actor, &attach, events)
    }

    fn may_make_token(&self, place: Place) -> Verdict {
        let board = self
            .board(place.player)
            .ok_or(ResponseCode::RespNameNotFound)?;
        let is_full = place.zone.has_coords() && board.table().cards.len() >= limits::TABLE_CARDS;
        if is_full || board.card_count() >= board.dealt + limits::TOKENS {
            return Err(ResponseCode::RespContextError);
        }
        Ok(())
    }

    /// The own card that a token is made for, if there is one.
    fn token_target(
        &self,
        actor: Actor,
        command: &CommandCreateToken<'_>,
    ) -> Option<(Place, usize)> {
        let card = command.target_card_id?;
        let place = self.place(actor.id, command.target_zone.as_deref()).ok()?;
        Some((place, self.zone(place)?.find(place.zone, card)?))
    }

    /// Puts a token into its zone; returns its id.
    fn put_token(
        &mut self,
        place: Place,
        command: &CommandCreateToken<'_>,
        (x, y): (i32, i32),
        events: &mut Collected,
    ) -> Option<i32> {
        let cut = |text: &Option<Text<'_>>| -> Box<str> {
            text::name(text.as_deref().unwrap_or_default()).into()
        };
        let print = Print {
            name: cut(&command.card_name),
            provider: cut(&command.card_provider_id),
        };
        let board = self.board_mut(place.player)?;
        let id = board.new_card_id();
        let mut token = Card::new(id, Arc::new(print));
        token.face_down = command.face_down();
        token.destroy_on_zone_change = command.destroy_on_zone_change();
        let (color, pt, annotation) = (
            cut(&command.color),
            cut(&command.pt),
            cut(&command.annotation),
        );
        if !annotation.is_empty() {
            token.rare_mut().annotation = annotation;
        }
        if !(token.face_down || color.is_empty() && pt.is_empty()) {
            let rare = token.rare_mut();
            (rare.color, rare.pt) = (color, pt);
        }
        let named = if token.face_down {
            Named::Maker
        } else {
            Named::All
        };
        let zone = board.zone_mut(place.zone);
        if place.zone.has_coords() {
            let farthest = limits::FARTHEST;
            let (x, y) = (x.clamp(-farthest, farthest), y.clamp(0, farthest));
            let x = zone.placed(x, y, &token.print.name, token.face_down);
            (token.x, token.y) = (x, y);
            announce(place, &token, named, events);
            zone.lay(token.clone());
        } else {
            (token.x, token.y) = (x.max(0), y.max(0));
            announce(place, &token, named, events);
            let at = std::mem::take(&mut token.x);
            token.y = 0;
            zone.put(token.clone(), at, place.zone.is_hidden(), false);
        }
        if token.face_down {
            let mut event = moves::attr_set(id, CardAttribute::AttrFaceDown, "1".into());
            if let GameEventBody::SetCardAttr(attr) = &mut event {
                attr.zone_name = Some(place.zone.name().into());
            }
            events.tell(place.player, event);
        }
        Some(id)
    }

    /// A card turns into a token, which takes over what it had; it lies below until the token leaves play.
    fn transform(
        &mut self,
        place: Place,
        (target, at): (Place, usize),
        command: &CommandCreateToken<'_>,
        events: &mut Collected,
    ) {
        let Some(mut card) = self.zone_mut(target).and_then(|zone| zone.take(at)) else {
            return;
        };
        let old = CardRef {
            player: target.player,
            card: card.id,
        };
        let on_table = place.zone.has_coords() && place == target;
        let (parent, children) = (card.parent(), card.attachments().to_vec());
        if let Some(parent) = parent {
            events.tell(old.player, attach::attached(old, None));
            self.unhang(parent, old);
        }
        if on_table {
            for &child in &children {
                events.tell(child.player, attach::attached(child, None));
                if let Some(child) = self.table_card_mut(child) {
                    child.rare_mut().parent = None;
                }
            }
        } else {
            for &child in &children {
                self.detach(child, events);
            }
        }
        let destroyed = EventDestroyCard {
            zone_name: Some(target.zone.name().into()),
            card_id: Some(card.id as u32),
        };
        events.tell(target.player, GameEventBody::DestroyCard(destroyed));
        let wanted = match on_table {
            true => (card.x, card.y),
            false => (command.x(), command.y()),
        };
        let Some(id) = self.put_token(place, command, wanted, events) else {
            return;
        };
        let token = CardRef {
            player: place.player,
            card: id,
        };
        if place.zone.has_coords() {
            self.take_over(token, &card, events);
        }
        if on_table {
            self.take_over_attachments(token, parent, &children, events);
        }
        self.pass_arrows(old, target.zone, token, place.zone, events);
        let stashed = card.take_stashed();
        let below = match (stashed, card.destroy_on_zone_change) {
            (Some(stashed), _) => Some(stashed),
            (None, true) => None,
            (None, false) => Some(Box::new(bare(card))),
        };
        if let Some(zone) = self.zone_mut(place)
            && let Some(token) = zone.card_mut(id)
            && below.is_some()
        {
            token.rare_mut().stashed = below;
        }
    }

    /// The state that the event of a token's creation does not carry, or has otherwise: a token that was made face down for a card that
    /// lies face up turns up again.
    fn take_over(&mut self, token: CardRef, card: &Card, events: &mut Collected) {
        let Some(new) = self.table_card_mut(token) else {
            return;
        };
        let states = [
            (CardAttribute::AttrTapped, card.tapped, &mut new.tapped),
            (
                CardAttribute::AttrAttacking,
                card.attacking,
                &mut new.attacking,
            ),
            (
                CardAttribute::AttrFaceDown,
                card.face_down,
                &mut new.face_down,
            ),
            (
                CardAttribute::AttrDoesntUntap,
                card.doesnt_untap,
                &mut new.doesnt_untap,
            ),
        ];
        for (attribute, was, is) in states {
            if was != *is {
                *is = was;
                let value = if was { "1" } else { "0" };
                let event = moves::attr_set(token.card, attribute, value.into());
                events.tell(token.player, event);
            }
        }
        for &(id, value) in card.counters() {
            new.set_counter(id, value);
            events.tell(
                token.player,
                super::attributes::counter_set(ZoneName::Table, token.card, id, value),
            );
        }
    }

    fn take_over_attachments(
        &mut self,
        token: CardRef,
        parent: Option<CardRef>,
        children: &[CardRef],
        events: &mut Collected,
    ) {
        if let Some(parent) = parent {
            if let Some(board) = self.board_mut(token.player) {
                board.table_mut().hang(token.card, parent);
            }
            if let Some(card) = self.table_card_mut(parent) {
                card.rare_mut().attachments.push(token);
            }
            events.tell(token.player, attach::attached(token, Some(parent)));
        }
        for &child in children.iter().rev() {
            if let Some(card) = self.table_card_mut(child) {
                card.rare_mut().parent = Some(token);
            }
            if let Some(card) = self.table_card_mut(token) {
                card.rare_mut().attachments.push(child);
            }
            events.tell(child.player, attach::attached(child, Some(token)));
        }
    }

    fn pass_arrows(
        &mut self,
        old: CardRef,
        from: ZoneName,
        new: CardRef,
        to: ZoneName,
        events: &mut Collected,
    ) {
        let spot = |card: CardRef, zone| Spot {
            player: card.player,
            zone,
            card: card.card,
        };
        if to.is_public() {
            self.pass_arrows_on(spot(old, from), spot(new, to), events);
        } else {
            self.drop_arrows_at(spot(old, from), events);
        }
    }
}

/// The card as it lies below a token: without what it had on the table.
fn bare(mut card: Card) -> Card {
    card.rare_mut().parent = None;
    card.rare_mut().attachments.clear();
    card.reset(false);
    card
}
