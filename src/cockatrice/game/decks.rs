//! What players do before a round: decks, sideboards, playmats (spec: cockatrice-table 4).

use super::{
    Game, ParticipantId,
    commands::{Actor, Turn, Verdict},
    participants::Player,
    selected::Selected,
};
use crate::{
    deck::{Deck, Move, Playmat},
    messages::{
        CommandDeckSelect, CommandSetPlaymat, CommandSetSideboardLock, CommandSetSideboardPlan,
        ContextDeckSelect, ContextSetSideboardLock, EventPlayerPropertiesChanged, GameEventBody,
        GameEventContextBody, PlaymatParams, ResponseBody, ResponseCode, ResponseDeckDownload,
        ServerInfoPlayerProperties,
    },
};

/// What is told when properties of a player changed.
pub(super) fn changed(properties: ServerInfoPlayerProperties<'_>) -> GameEventBody<'_> {
    GameEventBody::PlayerPropertiesChanged(EventPlayerPropertiesChanged {
        player_properties: Some(properties),
    })
}

impl Game {
    pub(super) fn deck_select(
        &mut self,
        actor: Actor,
        command: &CommandDeckSelect<'_>,
        turn: &mut Turn<'_, '_>,
    ) -> Verdict {
        if self.started {
            return Err(ResponseCode::RespContextError);
        }
        let text = match command.deck_id {
            Some(id) => {
                (turn.cx.stored_deck)(actor.id, id).ok_or(ResponseCode::RespNameNotFound)?
            }
            None => command.deck.as_deref().unwrap_or_default(),
        };
        let deck = Deck::read(text).map_err(|_| ResponseCode::RespContextError)?;
        let hash = deck.hash().into_boxed_str();
        let written = deck.write();
        let context = ContextDeckSelect {
            deck_hash: Some(hash.to_string().into()),
            sideboard_size: Some(deck.sideboard_size()),
            deck_list: self
                .rules
                .share_decklists_on_load
                .then(|| written.clone().into()),
        };
        let player = self
            .player_mut(actor.id)
            .ok_or(ResponseCode::RespFunctionNotAllowed)?;
        player.deck = Some(Box::new(Selected { deck, hash }));
        player.sideboard_locked = true;
        turn.tell(actor.id, changed(deck_properties(player)));
        turn.collected
            .set_context(GameEventContextBody::DeckSelect(context));
        turn.body = Some(ResponseBody::DeckDownload(ResponseDeckDownload {
            deck: Some(written.into()),
        }));
        Ok(())
    }

    /// Somebody with a deck who is not ready may still change his sideboard.
    fn changing(&mut self, id: ParticipantId) -> Result<&mut Player, ResponseCode> {
        let player = self
            .player_mut(id)
            .ok_or(ResponseCode::RespFunctionNotAllowed)?;
        if player.ready || player.deck.is_none() {
            return Err(ResponseCode::RespContextError);
        }
        Ok(player)
    }

    pub(super) fn set_sideboard_lock(
        &mut self,
        actor: Actor,
        command: &CommandSetSideboardLock,
        turn: &mut Turn<'_, '_>,
    ) -> Verdict {
        let player = self.changing(actor.id)?;
        let locked = command.locked();
        if player.sideboard_locked == locked {
            return Err(ResponseCode::RespContextError);
        }
        player.sideboard_locked = locked;
        if let Some(selected) = player.deck.as_mut().filter(|_| locked) {
            selected.deck.clear_plan();
        }
        let properties = ServerInfoPlayerProperties {
            sideboard_locked: Some(locked),
            ..ServerInfoPlayerProperties::default()
        };
        turn.tell(actor.id, changed(properties));
        turn.collected
            .set_context(GameEventContextBody::SetSideboardLock(
                ContextSetSideboardLock::default(),
            ));
        Ok(())
    }

    pub(super) fn set_sideboard_plan(
        &mut self,
        actor: Actor,
        command: &CommandSetSideboardPlan<'_>,
    ) -> Verdict {
        let player = self.changing(actor.id)?;
        if player.sideboard_locked {
            return Err(ResponseCode::RespContextError);
        }
        let moves = command.move_list.iter().map(|step| Move {
            card_name: step.card_name().into(),
            start_zone: step.start_zone().into(),
            target_zone: step.target_zone().into(),
        });
        let selected = player.deck.as_mut().ok_or(ResponseCode::RespContextError)?;
        selected
            .deck
            .set_plan(moves.collect())
            .map_err(|_| ResponseCode::RespContextError)
    }

    /// At any time, also after conceding.
    pub(super) fn set_playmat(
        &mut self,
        actor: Actor,
        command: &CommandSetPlaymat<'_>,
        turn: &mut Turn<'_, '_>,
    ) -> Verdict {
        let player = self
            .player_mut(actor.id)
            .ok_or(ResponseCode::RespFunctionNotAllowed)?;
        let selected = player.deck.as_mut().ok_or(ResponseCode::RespContextError)?;
        let params = command.playmat_params.as_ref();
        let playmat = Playmat::from_params(params.unwrap_or(&PlaymatParams::default()));
        selected
            .deck
            .set_playmat(playmat.ok_or(ResponseCode::RespInvalidData)?);
        turn.tell(actor.id, changed(deck_properties(player)));
        Ok(())
    }
}

fn deck_properties(player: &Player) -> ServerInfoPlayerProperties<'_> {
    let selected = player.deck.as_deref();
    ServerInfoPlayerProperties {
        sideboard_locked: Some(player.sideboard_locked),
        deck_hash: selected.map(|selected| (&*selected.hash).into()),
        playmat_params: selected.map(Selected::playmat),
        ..ServerInfoPlayerProperties::default()
    }
}
