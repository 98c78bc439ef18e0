//! Looking at zones and showing cards: who learns what a card is that he could not see (spec: cockatrice-table 7.9, 7.12, 7.13).

use super::{
    Game, ParticipantId,
    card::Card,
    chance,
    commands::{Actor, Turn, Verdict},
    delivery::{Collected, For},
    limits,
    moves::Place,
    zone::Zone,
};
use crate::messages::{
    CommandChangeZoneProperties, CommandDumpZone, CommandRevealCards, EventChangeZoneProperties,
    EventDumpZone, EventRevealCards, GameEventBody, ResponseBody, ResponseCode, ResponseDumpZone,
    ServerInfoCard, ServerInfoZone, Text,
};

/// A number that stands for a card at random.
const AT_RANDOM: i32 = -2;

impl Game {
    pub(super) fn dump_zone(
        &mut self,
        actor: Actor,
        command: &CommandDumpZone<'_>,
        turn: &mut Turn<'_, '_>,
    ) -> Verdict {
        let player = command.player_id.ok_or(ResponseCode::RespNameNotFound)?;
        let place = self.place(player, command.zone_name.as_deref())?;
        if player != actor.id && !place.zone.is_public() {
            return Err(ResponseCode::RespContextError);
        }
        let zone = self.zone_mut(place).ok_or(ResponseCode::RespNameNotFound)?;
        let (number, reversed) = (command.number_cards(), command.is_reversed());
        let size = zone.cards.len();
        let shown = match usize::try_from(number) {
            Ok(number) => number.min(size),
            Err(_) if number == -1 => size,
            Err(_) => 0,
        };
        let first = if reversed { size - shown } else { 0 };
        let is_hidden = place.zone.is_hidden();
        let cards = zone.cards.iter().enumerate().skip(first).take(shown);
        let info = ServerInfoZone {
            name: Some(place.zone.name().into()),
            r#type: Some(place.zone.kind()),
            with_coords: Some(place.zone.has_coords()),
            card_count: Some(i32::try_from(size).unwrap_or(i32::MAX).max(number)),
            card_list: cards
                .map(|(at, card)| {
                    owned(match is_hidden {
                        true => card.by_number(at as i32, false),
                        false => card.in_full(false),
                    })
                })
                .collect(),
            ..ServerInfoZone::default()
        };
        turn.body = Some(ResponseBody::DumpZone(ResponseDumpZone {
            zone_info: Some(info),
        }));
        if is_hidden {
            zone.looked_at = u32::try_from(number).unwrap_or(0);
            zone.looked_at_below = if reversed { shown as u32 } else { 0 };
            let event = EventDumpZone {
                zone_owner_id: Some(player),
                zone_name: Some(place.zone.name().into()),
                number_cards: Some(number),
                is_reversed: Some(reversed),
            };
            turn.tell(actor.id, GameEventBody::DumpZone(event));
        }
        Ok(())
    }

    pub(super) fn reveal_cards(
        &mut self,
        actor: Actor,
        command: &CommandRevealCards<'_>,
        turn: &mut Turn<'_, '_>,
    ) -> Verdict {
        if let Some(whom) = command.player_id {
            self.player(whom).ok_or(ResponseCode::RespNameNotFound)?;
        }
        let place = self.place(actor.id, command.zone_name.as_deref())?;
        let everybody: Vec<ParticipantId> = self.players().map(|(id, _)| id).collect();
        let zone = self.zone_mut(place).ok_or(ResponseCode::RespNameNotFound)?;
        let shown = cards_shown(zone, place, command, turn)?;
        let to_others = EventRevealCards {
            zone_name: Some(place.zone.name().into()),
            card_id: command.card_id.clone(),
            other_player_id: command.player_id,
            grant_write_access: Some(command.grant_write_access()),
            number_of_cards: Some(shown.len() as u32),
            cards: Vec::new(),
        };
        let cards = shown.iter().filter_map(|&at| zone.cards.get(at));
        let in_full = EventRevealCards {
            cards: cards.map(|card| card.in_full(true)).collect(),
            ..to_others.clone()
        };
        match command.player_id {
            Some(whom) => {
                turn.collected
                    .private_to(actor.forced_by_player.unwrap_or(whom));
                turn.collected.push(
                    For::Private,
                    Some(actor.id),
                    GameEventBody::RevealCards(in_full),
                );
                turn.collected.push(
                    For::Others,
                    Some(actor.id),
                    GameEventBody::RevealCards(to_others),
                );
            }
            None => turn.tell(actor.id, GameEventBody::RevealCards(in_full)),
        }
        if command.grant_write_access() {
            let granted = command.player_id.map_or(everybody, |whom| vec![whom]);
            zone.writers.extend(granted);
            zone.writers.sort_unstable();
            zone.writers.dedup();
        }
        Ok(())
    }

    pub(super) fn change_zone(
        &mut self,
        actor: Actor,
        command: &CommandChangeZoneProperties<'_>,
        turn: &mut Turn<'_, '_>,
    ) -> Verdict {
        let place = self.place(actor.id, command.zone_name.as_deref())?;
        let zone = self.zone_mut(place).ok_or(ResponseCode::RespNameNotFound)?;
        let before = (zone.always_reveal_top, zone.always_look_at_top);
        let after = (
            command.always_reveal_top_card.unwrap_or(before.0),
            command.always_look_at_top_card.unwrap_or(before.1),
        );
        (zone.always_reveal_top, zone.always_look_at_top) = after;
        if before != after {
            let event = EventChangeZoneProperties {
                zone_name: Some(place.zone.name().into()),
                always_reveal_top_card: command.always_reveal_top_card,
                always_look_at_top_card: command.always_look_at_top_card,
            };
            turn.tell(actor.id, GameEventBody::ChangeZoneProperties(event));
        }
        self.show_top(place, actor.id, &mut turn.collected);
        if before == after {
            Err(ResponseCode::RespContextError)
        } else {
            Ok(())
        }
    }

    /// Shows the top card of a zone to whom its switches say: to all, or to the zone's owner (7.9).
    pub(super) fn show_top(&mut self, place: Place, actor: ParticipantId, events: &mut Collected) {
        let Some(zone) = self.zone(place) else { return };
        let Some(top) = zone.cards.front() else {
            return;
        };
        let owner = Some(place.player);
        let zone_name = || Some(place.zone.name().into());
        let revealed = EventRevealCards {
            zone_name: zone_name(),
            card_id: vec![0],
            cards: vec![top.in_snapshot()],
            ..EventRevealCards::default()
        };
        if zone.always_reveal_top {
            events.push(For::All, owner, GameEventBody::RevealCards(revealed));
        } else if zone.always_look_at_top {
            if place.player != actor {
                // What the actor may know stays apart from what the owner may.
                events.end_command();
            }
            events.private_to(place.player);
            let looked_at = EventRevealCards {
                number_of_cards: Some(1),
                ..revealed
            };
            events.push(For::Private, owner, GameEventBody::RevealCards(looked_at));
            let told = EventDumpZone {
                zone_owner_id: owner,
                zone_name: zone_name(),
                number_cards: Some(1),
                is_reversed: None,
            };
            events.push(For::Others, owner, GameEventBody::DumpZone(told));
            if place.player != actor {
                events.end_command();
                events.private_to(actor);
            }
        }
    }
}

/// The places of the cards that a command reveals.
fn cards_shown(
    zone: &Zone,
    place: Place,
    command: &CommandRevealCards<'_>,
    turn: &mut Turn<'_, '_>,
) -> Result<Vec<usize>, ResponseCode> {
    let find = |card| {
        zone.find(place.zone, card)
            .ok_or(ResponseCode::RespNameNotFound)
    };
    if command.card_id.len() > limits::REVEALED_CARDS {
        return Err(ResponseCode::RespContextError);
    }
    let shown = match (command.top_cards(), &command.card_id[..]) {
        (-1, []) => (0..zone.cards.len()).collect(),
        (-1, [AT_RANDOM]) => {
            let last = zone
                .cards
                .len()
                .checked_sub(1)
                .ok_or(ResponseCode::RespContextError)?;
            vec![chance::draw(turn.cx.rng, 0, last)]
        }
        (-1, ids) => ids
            .iter()
            .map(|&id| find(id))
            .collect::<Result<Vec<_>, _>>()?,
        (top, _) if top > zone.cards.len() as i32 => return Err(ResponseCode::RespNameNotFound),
        (top, _) => (0..top).map(find).collect::<Result<Vec<_>, _>>()?,
    };
    let cards = shown.iter().filter_map(|&at| zone.cards.get(at));
    let bytes: usize = cards.map(text_bytes).sum();
    if bytes > limits::REVEALED_BYTES {
        return Err(ResponseCode::RespContextError);
    }
    Ok(shown)
}

fn text_bytes(card: &Card) -> usize {
    card.print.name.len() + card.print.provider.len()
}

/// The same record, borrowing nothing: a response outlives the turn.
fn owned(card: ServerInfoCard<'_>) -> ServerInfoCard<'static> {
    ServerInfoCard {
        id: card.id,
        name: card.name.map(Text::into_owned),
        x: card.x,
        y: card.y,
        face_down: card.face_down,
        tapped: card.tapped,
        attacking: card.attacking,
        color: card.color.map(Text::into_owned),
        pt: card.pt.map(Text::into_owned),
        annotation: card.annotation.map(Text::into_owned),
        destroy_on_zone_change: card.destroy_on_zone_change,
        doesnt_untap: card.doesnt_untap,
        counter_list: card.counter_list,
        attach_player_id: card.attach_player_id,
        attach_zone: card.attach_zone.map(Text::into_owned),
        attach_card_id: card.attach_card_id,
        provider_id: card.provider_id.map(Text::into_owned),
    }
}
