//! The commands that move cards from zone to zone: which moves are allowed, and of which cards
//! (spec: cockatrice-table 6.1, 6.2, 7.1 to 7.3).

use std::collections::{BTreeMap, BTreeSet};

use super::{
    Game, ParticipantId, chance,
    commands::{Actor, Turn, Verdict},
    delivery::For,
    limits,
    moves::{Move, Moving, Place, Reason},
    zone::{Zone, ZoneName},
};
use crate::{
    messages::{
        CommandDrawCards, CommandMoveCard, CommandMulligan, CommandShuffle, ContextMulligan,
        EventDrawCards, EventGameLogNotice, EventShuffle, GameEventBody, GameEventContextBody,
        NoticeType, ResponseCode,
    },
    text,
};

/// From how many cards on they are looked up in an index.
const MANY: usize = 32;

impl Game {
    pub(super) fn move_card(
        &mut self,
        actor: Actor,
        command: &CommandMoveCard<'_>,
        turn: &mut Turn<'_, '_>,
    ) -> Verdict {
        let start = command.start_player_id.unwrap_or(actor.id);
        let from = self.place(start, command.start_zone.as_deref())?;
        let start_zone = self.zone(from).ok_or(ResponseCode::RespNameNotFound)?;
        if start != actor.id && !start_zone.writers.contains(&actor.id) && !actor.judge {
            return Err(ResponseCode::RespContextError);
        }
        let target = command.target_player_id();
        let to = self.place(target, command.target_zone.as_deref())?;
        let is_foreign = start != actor.id && target != actor.id;
        let is_gift = start != target && !to.zone.has_coords();
        if (is_foreign || is_gift) && !actor.judge {
            return Err(ResponseCode::RespContextError);
        }
        let mut mv = Move {
            actor: actor.id,
            from,
            to,
            x: command.x(),
            y: command.y(),
            reversed: command.is_reversed(),
            reason: Reason::Command,
        };
        if to.zone.has_coords() {
            mv.x = mv.x.clamp(-limits::FARTHEST, limits::FARTHEST);
            mv.y = mv.y.clamp(-limits::FARTHEST, limits::FARTHEST);
        }
        let cards = self.cards_to_move(&mv, command)?;
        if cards.is_empty() || !self.has_room(&mv, cards.len()) {
            return Err(ResponseCode::RespContextError);
        }
        self.move_cards(mv, cards, &mut turn.collected);
        Ok(())
    }

    /// The zone of a name of a player, if he has zones.
    pub(super) fn place(
        &self,
        player: ParticipantId,
        zone: Option<&[u8]>,
    ) -> Result<Place, ResponseCode> {
        let zone = ZoneName::of(zone).filter(|_| self.board(player).is_some());
        let zone = zone.ok_or(ResponseCode::RespNameNotFound)?;
        Ok(Place { player, zone })
    }

    pub(super) fn zone(&self, place: Place) -> Option<&Zone> {
        Some(self.board(place.player)?.zone(place.zone))
    }

    pub(super) fn zone_mut(&mut self, place: Place) -> Option<&mut Zone> {
        Some(self.board_mut(place.player)?.zone_mut(place.zone))
    }

    pub(super) fn has_room(&self, mv: &Move, more: usize) -> bool {
        let Some(board) = self.board(mv.to.player) else {
            return false;
        };
        if mv.to.zone.has_coords()
            && mv.from != mv.to
            && board.table().cards.len() + more > limits::TABLE_CARDS
        {
            return false;
        }
        mv.from.player == mv.to.player || board.card_count() + more <= limits::BOARD_CARDS
    }

    /// The cards that a command names, in the order in which they are handled.
    fn cards_to_move(
        &self,
        mv: &Move,
        command: &CommandMoveCard<'_>,
    ) -> Result<Vec<Moving>, ResponseCode> {
        let zone = self.zone(mv.from).ok_or(ResponseCode::RespNameNotFound)?;
        let named = command
            .cards_to_move
            .as_ref()
            .map_or(&[][..], |list| &list.card);
        if named.len() > limits::MOVED_CARDS {
            return Err(ResponseCode::RespContextError);
        }
        let to_table = mv.to.zone.has_coords();
        let is_cell_taken = to_table && {
            // As the reference divides: -1 and -2 are in pile 0 as well.
            let base = mv.x / 3 * 3;
            base >= 0
                && self
                    .zone(mv.to)
                    .is_some_and(|zone| zone.cell(base, mv.y).is_some())
        };
        let index: Option<BTreeMap<i32, usize>> = (named.len() > MANY && !mv.from.zone.is_hidden())
            .then(|| {
                let cards = zone.cards.iter().enumerate();
                cards.map(|(place, card)| (card.id, place)).collect()
            });
        let several = named.len() > 1;
        let (mut cards, mut known) = (Vec::with_capacity(named.len()), BTreeSet::new());
        for named in named {
            let id = named.card_id();
            if several && named.card_id.is_some() && !known.insert(id) {
                continue;
            }
            let place = match &index {
                Some(index) => index.get(&id).copied(),
                None => zone.find(mv.from.zone, id),
            };
            let place = place.ok_or(ResponseCode::RespNameNotFound)?;
            let card = zone
                .cards
                .get(place)
                .ok_or(ResponseCode::RespNameNotFound)?;
            if to_table && (card.parent().is_some() || card.carries() && is_cell_taken) {
                continue;
            }
            let moving = Moving {
                id: card.id,
                place,
                face_down: named.face_down,
                tapped: named.tapped(),
                pt: text::name(named.pt.as_deref().unwrap_or_default()).into(),
            };
            cards.push(((card.y, card.x, place), moving));
        }
        cards.sort_unstable_by_key(|(order, _)| *order);
        let mut cards: Vec<Moving> = cards.into_iter().map(|(_, moving)| moving).collect();
        let is_bottom = zone.cards.len() > cards.len()
            && cards
                .first()
                .is_some_and(|first| first.place + cards.len() == zone.cards.len());
        if mv.from.zone == ZoneName::Deck && is_bottom {
            cards.reverse();
        }
        Ok(cards)
    }

    pub(super) fn shuffle_command(
        &mut self,
        actor: Actor,
        command: &CommandShuffle<'_>,
        turn: &mut Turn<'_, '_>,
    ) -> Verdict {
        let zone = command.zone_name.as_deref();
        if zone.is_some_and(|zone| zone != ZoneName::Deck.name().as_bytes()) {
            return Err(ResponseCode::RespFunctionNotAllowed);
        }
        self.shuffle(actor.id, command.start(), command.end(), turn);
        let event = EventShuffle {
            zone_name: Some(ZoneName::Deck.name().into()),
            start: Some(command.start()),
            end: Some(command.end()),
        };
        turn.tell(actor.id, GameEventBody::Shuffle(event));
        self.show_top(
            Place {
                player: actor.id,
                zone: ZoneName::Deck,
            },
            actor.id,
            &mut turn.collected,
        );
        Ok(())
    }

    /// Shuffles a range of a library; negative ends count from the bottom. What was looked at is forgotten in any case.
    fn shuffle(&mut self, player: ParticipantId, start: i32, end: i32, turn: &mut Turn<'_, '_>) {
        let Some(board) = self.board_mut(player) else {
            return;
        };
        let library = board.zone_mut(ZoneName::Deck);
        library.forget_looks();
        let len = library.cards.len();
        let place = |at: i32| match usize::try_from(at) {
            Ok(at) => Some(at),
            Err(_) => len.checked_sub(at.unsigned_abs() as usize),
        };
        let (Some(start), Some(end)) = (place(start), place(end)) else {
            return;
        };
        if len < 2 || start >= len || end >= len {
            return;
        }
        library.writers.clear();
        chance::shuffle(
            &mut library.cards,
            start,
            end.saturating_add(1),
            turn.cx.rng,
        );
    }

    pub(super) fn draw_command(
        &mut self,
        actor: Actor,
        command: &CommandDrawCards,
        turn: &mut Turn<'_, '_>,
    ) -> Verdict {
        self.draw(actor.id, command.number(), turn);
        Ok(())
    }

    fn draw(&mut self, player: ParticipantId, number: u32, turn: &mut Turn<'_, '_>) {
        let Some(board) = self.board_mut(player) else {
            return;
        };
        let library = board.zone_mut(ZoneName::Deck);
        let number = library.cards.len().min(number as usize);
        let drawn: Vec<_> = library.cards.drain(..number).collect();
        library.looked_at = library.looked_at.saturating_sub(number as u32);
        library.looked_at_below = library.looked_at_below.min(library.cards.len() as u32);
        board.drawn.extend(drawn.iter().map(|card| card.id));
        turn.collected.private_to(player);
        let number = Some(number as i32);
        let cards = drawn
            .iter()
            .map(|card| card.by_number(card.id, true))
            .collect();
        let private = EventDrawCards { number, cards };
        turn.collected.push(
            For::Private,
            Some(player),
            GameEventBody::DrawCards(private),
        );
        let others = EventDrawCards {
            number,
            cards: Vec::new(),
        };
        turn.collected
            .push(For::Others, Some(player), GameEventBody::DrawCards(others));
        let has_drawn = !drawn.is_empty();
        board.zone_mut(ZoneName::Hand).cards.extend(drawn);
        if has_drawn {
            self.show_top(
                Place {
                    player,
                    zone: ZoneName::Deck,
                },
                player,
                &mut turn.collected,
            );
        }
    }

    pub(super) fn undo_draw(&mut self, actor: Actor, turn: &mut Turn<'_, '_>) -> Verdict {
        let board = self
            .board_mut(actor.id)
            .ok_or(ResponseCode::RespContextError)?;
        let Some(id) = board.drawn.pop() else {
            let notice_type = Some(NoticeType::UndoDrawFailed);
            turn.tell(
                actor.id,
                GameEventBody::GameLogNotice(EventGameLogNotice { notice_type }),
            );
            return Err(ResponseCode::RespContextError);
        };
        if board.zone(ZoneName::Hand).card(id).is_none() {
            return Err(ResponseCode::RespNameNotFound);
        }
        let undo = back_to_library(actor.id, 0, Reason::Undo);
        self.move_cards(undo, vec![Moving::plain(id)], &mut turn.collected);
        Ok(())
    }

    pub(super) fn mulligan(
        &mut self,
        actor: Actor,
        command: &CommandMulligan,
        turn: &mut Turn<'_, '_>,
    ) -> Verdict {
        let board = self.board(actor.id).ok_or(ResponseCode::RespContextError)?;
        let hand = board.zone(ZoneName::Hand).cards.iter().enumerate();
        let hand: Vec<Moving> = hand
            .map(|(place, card)| Moving {
                place,
                ..Moving::plain(card.id)
            })
            .collect();
        turn.collected.private_to(actor.id);
        if !hand.is_empty() {
            self.move_cards(
                back_to_library(actor.id, -1, Reason::Mulligan),
                hand,
                &mut turn.collected,
            );
        }
        self.shuffle(actor.id, 0, -1, turn);
        turn.tell(actor.id, GameEventBody::Shuffle(EventShuffle::default()));
        self.draw(actor.id, command.number(), turn);
        let hand = self.card_count(Place {
            player: actor.id,
            zone: ZoneName::Hand,
        });
        let number = Some(hand as u32);
        turn.collected
            .set_context(GameEventContextBody::Mulligan(ContextMulligan { number }));
        Ok(())
    }
}

fn back_to_library(player: ParticipantId, x: i32, reason: Reason) -> Move {
    Move {
        actor: player,
        from: Place {
            player,
            zone: ZoneName::Hand,
        },
        to: Place {
            player,
            zone: ZoneName::Deck,
        },
        x,
        y: 0,
        reversed: false,
        reason,
    }
}
