//! What is put on cards of the own table: attributes, counters, which side is up (spec: cockatrice-table 7.4, 7.6, 7.7).

use super::{
    Game,
    card::Card,
    commands::{Actor, Verdict},
    delivery::Collected,
    limits,
    moves::{self, Place},
    zone::ZoneName,
};
use crate::{
    messages::{
        CardAttribute, CommandFlipCard, CommandIncCardCounter, CommandSetCardAttr,
        CommandSetCardCounter, EventFlipCard, EventSetCardAttr, EventSetCardCounter, GameEventBody,
        ResponseCode,
    },
    text,
};

/// The most that a counter on a card counts.
const MOST_COUNTED: i32 = 999;

/// A counter of a card was set.
pub(super) fn counter_set(
    zone: ZoneName,
    card: i32,
    counter: i32,
    value: i32,
) -> GameEventBody<'static> {
    GameEventBody::SetCardCounter(EventSetCardCounter {
        zone_name: Some(zone.name().into()),
        card_id: Some(card),
        counter_id: Some(counter),
        counter_value: Some(value),
    })
}

impl Game {
    /// The own zone of a name, which has to be one with coordinates.
    fn own_table(&self, actor: Actor, zone: Option<&[u8]>) -> Result<Place, ResponseCode> {
        let place = self.place(actor.id, zone)?;
        if !place.zone.has_coords() {
            return Err(ResponseCode::RespContextError);
        }
        Ok(place)
    }

    fn own_card(&mut self, place: Place, card: i32) -> Result<&mut Card, ResponseCode> {
        let zone = self.zone_mut(place).ok_or(ResponseCode::RespNameNotFound)?;
        zone.card_mut(card).ok_or(ResponseCode::RespNameNotFound)
    }

    pub(super) fn set_card_attr(
        &mut self,
        actor: Actor,
        command: &CommandSetCardAttr<'_>,
        events: &mut Collected,
    ) -> Verdict {
        let place = self.own_table(actor, command.zone.as_deref())?;
        let attribute = command.attribute.unwrap_or(CardAttribute::AttrTapped);
        let value = text::name(command.attr_value.as_deref().unwrap_or_default());
        match command.card_id {
            Some(card) => set(self.own_card(place, card)?, attribute, &value),
            None => {
                let zone = self.zone_mut(place).ok_or(ResponseCode::RespNameNotFound)?;
                let untaps = attribute == CardAttribute::AttrTapped && value != "1";
                for card in zone
                    .cards
                    .iter_mut()
                    .filter(|card| !(untaps && card.doesnt_untap))
                {
                    set(card, attribute, &value);
                }
            }
        }
        let event = EventSetCardAttr {
            zone_name: Some(place.zone.name().into()),
            card_id: command.card_id,
            attribute: Some(attribute),
            attr_value: Some(value.into()),
        };
        events.tell(actor.id, GameEventBody::SetCardAttr(event));
        Ok(())
    }

    pub(super) fn set_card_counter(
        &mut self,
        actor: Actor,
        command: &CommandSetCardCounter<'_>,
        events: &mut Collected,
    ) -> Verdict {
        let place = self.own_table(actor, command.zone.as_deref())?;
        let card = self.own_card(place, command.card_id())?;
        let (counter, value) = (command.counter_id(), command.counter_value());
        count(card, place, counter, value, actor, events)
    }

    pub(super) fn inc_card_counter(
        &mut self,
        actor: Actor,
        command: &CommandIncCardCounter<'_>,
        events: &mut Collected,
    ) -> Verdict {
        let place = self.own_table(actor, command.zone.as_deref())?;
        let card = self.own_card(place, command.card_id())?;
        let counter = command.counter_id();
        let value = card
            .counter(counter)
            .saturating_add(command.counter_delta());
        count(card, place, counter, value, actor, events)
    }

    pub(super) fn flip_card(
        &mut self,
        actor: Actor,
        command: &CommandFlipCard<'_>,
        events: &mut Collected,
    ) -> Verdict {
        let place = self.own_table(actor, command.zone.as_deref())?;
        let card = self.own_card(place, command.card_id())?;
        let face_down = command.face_down();
        if card.face_down == face_down {
            return Err(ResponseCode::RespContextError);
        }
        card.face_down = face_down;
        let print = card.print.clone();
        let event = EventFlipCard {
            zone_name: Some(place.zone.name().into()),
            card_id: Some(card.id),
            card_name: (!face_down).then(|| (&*print.name).into()),
            face_down: Some(face_down),
            card_provider_id: (!face_down).then(|| (&*print.provider).into()),
        };
        events.tell(actor.id, GameEventBody::FlipCard(event));
        let pt = text::name(command.pt.as_deref().unwrap_or_default());
        if !face_down && !pt.is_empty() {
            card.rare_mut().pt = (&*pt).into();
            events.tell(
                actor.id,
                moves::attr_set(card.id, CardAttribute::AttrPT, pt.into()),
            );
        }
        Ok(())
    }
}

fn set(card: &mut Card, attribute: CardAttribute, value: &str) {
    let is_on = value == "1";
    match attribute {
        CardAttribute::AttrTapped => card.tapped = is_on,
        CardAttribute::AttrAttacking => card.attacking = is_on,
        CardAttribute::AttrFaceDown => card.face_down = is_on,
        CardAttribute::AttrDoesntUntap => card.doesnt_untap = is_on,
        _ if value.is_empty() && card.rare().is_none() => {}
        CardAttribute::AttrColor => card.rare_mut().color = value.into(),
        CardAttribute::AttrPT => card.rare_mut().pt = value.into(),
        CardAttribute::AttrAnnotation => card.rare_mut().annotation = value.into(),
    }
}

fn count(
    card: &mut Card,
    place: Place,
    counter: i32,
    value: i32,
    actor: Actor,
    events: &mut Collected,
) -> Verdict {
    let value = value.clamp(0, MOST_COUNTED);
    let is_new = value != 0 && card.counter(counter) == 0;
    if is_new && card.counters().len() >= limits::CARD_COUNTERS {
        return Err(ResponseCode::RespContextError);
    }
    if card.set_counter(counter, value) {
        events.tell(actor.id, counter_set(place.zone, card.id, counter, value));
    }
    Ok(())
}
