//! Whose turn it is, and how far it has come (spec: cockatrice-table 8). What changes is sent at once.

use super::{
    Game, Out, ParticipantId, arrows,
    commands::{Actor, Turn, Verdict},
};
use crate::messages::{
    CommandSetActivePhase, EventReverseTurn, EventSetActivePhase, EventSetActivePlayer,
    GameEventBody, ResponseCode,
};

impl Game {
    /// Who has to have started and may not have conceded, unless he is a judge.
    fn may_turn(&self, actor: Actor) -> Verdict {
        if !self.started {
            return Err(ResponseCode::RespGameNotStarted);
        }
        match self.player(actor.id) {
            _ if actor.judge => Ok(()),
            Some(player) if player.conceded => Err(ResponseCode::RespContextError),
            Some(_) => Ok(()),
            None => Err(ResponseCode::RespFunctionNotAllowed),
        }
    }

    /// Anybody who plays may end the turn.
    pub(super) fn next_turn_command(&mut self, actor: Actor, turn: &mut Turn<'_, '_>) -> Verdict {
        self.may_turn(actor)?;
        self.next_turn(turn.out);
        Ok(())
    }

    pub(super) fn set_active_phase(
        &mut self,
        actor: Actor,
        command: &CommandSetActivePhase,
        turn: &mut Turn<'_, '_>,
    ) -> Verdict {
        self.may_turn(actor)?;
        if !actor.judge && actor.id != self.active_player {
            return Err(ResponseCode::RespContextError);
        }
        self.set_phase(command.phase() as i32, turn.out);
        Ok(())
    }

    pub(super) fn reverse_turn(&mut self, actor: Actor, turn: &mut Turn<'_, '_>) -> Verdict {
        if !actor.judge {
            let player = self
                .player(actor.id)
                .ok_or(ResponseCode::RespFunctionNotAllowed)?;
            if player.conceded {
                return Err(ResponseCode::RespContextError);
            }
            if !self.started {
                return Err(ResponseCode::RespGameNotStarted);
            }
        }
        self.reversed = !self.reversed;
        let event = EventReverseTurn {
            reversed: Some(self.reversed),
        };
        turn.tell(actor.id, GameEventBody::ReverseTurn(event));
        Ok(())
    }

    /// The next who has not conceded is active; one who is no longer there counts as before all.
    pub(super) fn next_turn(&mut self, out: &mut Out) {
        let mut alive: Vec<ParticipantId> = self
            .players()
            .filter(|(_, player)| !player.conceded)
            .map(|(id, _)| id)
            .collect();
        let is_there = self.player(self.active_player).is_some();
        let active = self.active_player;
        if self.reversed {
            alive.reverse();
        }
        let after = |id: &&ParticipantId| match self.reversed {
            true => **id < active,
            false => **id > active,
        };
        let next = alive
            .iter()
            .find(|id| is_there && after(id))
            .or(alive.first());
        if let Some(&next) = next {
            self.set_active_player(next, out);
        }
    }

    /// Gives somebody the turn, at its first phase; all arrows end.
    pub(super) fn set_active_player(&mut self, id: ParticipantId, out: &mut Out) {
        for (maker, arrow) in self.take_arrows(|_, _| true) {
            self.send_at_once(Some(maker), arrows::deleted(arrow.id), out);
        }
        self.active_player = id;
        let event = EventSetActivePlayer {
            active_player_id: Some(id),
        };
        self.send_at_once(None, GameEventBody::SetActivePlayer(event), out);
        self.set_phase(0, out);
    }

    fn set_phase(&mut self, phase: i32, out: &mut Out) {
        for (maker, arrow) in
            self.take_arrows(|_, arrow| phase < arrow.made_in_phase || phase >= arrow.until_phase)
        {
            self.send_at_once(Some(maker), arrows::deleted(arrow.id), out);
        }
        self.active_phase = phase;
        let event = EventSetActivePhase { phase: Some(phase) };
        self.send_at_once(None, GameEventBody::SetActivePhase(event), out);
    }
}
