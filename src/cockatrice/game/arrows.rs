//! Arrows from cards to cards and players (spec: cockatrice-table 7.11).

use super::{
    Game, ParticipantId,
    board::{Arrow, Paint, Spot, Target},
    commands::{Actor, Verdict},
    delivery::Collected,
    limits,
};
use crate::messages::{
    CommandCreateArrow, CommandDeleteArrow, EventCreateArrow, EventDeleteArrow, GameEventBody,
    ResponseCode,
};

pub(super) fn deleted(arrow: i32) -> GameEventBody<'static> {
    GameEventBody::DeleteArrow(EventDeleteArrow {
        arrow_id: Some(arrow),
    })
}

fn created(arrow: &Arrow) -> GameEventBody<'static> {
    GameEventBody::CreateArrow(EventCreateArrow {
        arrow_info: Some(arrow.info()),
    })
}

impl Game {
    pub(super) fn create_arrow(
        &mut self,
        actor: Actor,
        command: &CommandCreateArrow<'_>,
        events: &mut Collected,
    ) -> Verdict {
        let (start, target) = self.arrow_ends(command)?;
        let phase = self.active_phase;
        let id = self.next_arrow;
        let board = self
            .board_mut(actor.id)
            .ok_or(ResponseCode::RespContextError)?;
        let is_known = board
            .arrows
            .iter()
            .any(|arrow| arrow.start == start && arrow.target == target);
        if is_known || board.arrows.len() >= limits::ARROWS {
            return Err(ResponseCode::RespContextError);
        }
        let arrow = Arrow {
            id,
            start,
            target,
            color: Paint::of(command.arrow_color.as_ref()),
            made_in_phase: phase,
            until_phase: command.delete_in_phase.unwrap_or(phase),
        };
        events.tell(actor.id, created(&arrow));
        board.arrows.push(arrow);
        self.next_arrow = id.saturating_add(1);
        Ok(())
    }

    fn arrow_ends(&self, command: &CommandCreateArrow<'_>) -> Result<(Spot, Target), ResponseCode> {
        let (start_player, target_player) = (command.start_player_id(), command.target_player_id());
        for player in [start_player, target_player] {
            self.player(player).ok_or(ResponseCode::RespNameNotFound)?;
        }
        let start = self.place(start_player, command.start_zone.as_deref())?;
        let target = match command.target_zone.as_deref() {
            Some(zone) => Some(self.place(target_player, Some(zone))?),
            None => None,
        };
        if !start.zone.is_public() {
            return Err(ResponseCode::RespContextError);
        }
        let spot = |place: super::moves::Place, card| {
            let zone = self.zone(place).ok_or(ResponseCode::RespNameNotFound)?;
            zone.card(card).ok_or(ResponseCode::RespNameNotFound)?;
            Ok(Spot {
                player: place.player,
                zone: place.zone,
                card,
            })
        };
        let start = spot(start, command.start_card_id())?;
        let Some(place) = target else {
            return Ok((start, Target::Player(target_player)));
        };
        if !place.zone.is_public() {
            return Err(ResponseCode::RespContextError);
        }
        Ok((start, Target::Card(spot(place, command.target_card_id())?)))
    }

    pub(super) fn delete_arrow(
        &mut self,
        actor: Actor,
        command: &CommandDeleteArrow,
        events: &mut Collected,
    ) -> Verdict {
        let board = self
            .board_mut(actor.id)
            .ok_or(ResponseCode::RespContextError)?;
        let arrows = &mut board.arrows;
        let place = arrows
            .iter()
            .position(|arrow| arrow.id == command.arrow_id());
        let arrow = arrows.remove(place.ok_or(ResponseCode::RespNameNotFound)?);
        events.tell(actor.id, deleted(arrow.id));
        Ok(())
    }

    /// Takes arrows away: makers in id order, their arrows by id.
    pub(super) fn take_arrows(
        &mut self,
        mut is_meant: impl FnMut(ParticipantId, &Arrow) -> bool,
    ) -> Vec<(ParticipantId, Arrow)> {
        let mut taken = Vec::new();
        for participant in &mut self.participants {
            let maker = participant.id;
            let Some(board) = participant
                .player
                .as_mut()
                .and_then(|player| player.board.as_mut())
            else {
                continue;
            };
            if board.arrows.is_empty() {
                continue;
            }
            let meant = board.arrows.extract_if(.., |arrow| is_meant(maker, arrow));
            taken.extend(meant.map(|arrow| (maker, arrow)));
        }
        taken
    }

    /// A card leaves its zone: arrows from and to it end.
    pub(super) fn drop_arrows_at(&mut self, spot: Spot, events: &mut Collected) {
        for (maker, arrow) in self.take_arrows(|_, arrow| arrow.touches(spot)) {
            events.tell(maker, deleted(arrow.id));
        }
    }

    /// Arrows from and to a card end, and others begin at the card that stands for it now.
    pub(super) fn pass_arrows_on(&mut self, old: Spot, new: Spot, events: &mut Collected) {
        for (maker, mut arrow) in self.take_arrows(|_, arrow| arrow.touches(old)) {
            events.tell(maker, deleted(arrow.id));
            if arrow.start == old {
                arrow.start = new;
            }
            if arrow.target == Target::Card(old) {
                arrow.target = Target::Card(new);
            }
            arrow.id = self.next_arrow;
            self.next_arrow = arrow.id.saturating_add(1);
            events.tell(maker, created(&arrow));
            if let Some(board) = self.board_mut(maker) {
                board.arrows.push(arrow);
            }
        }
    }
}
