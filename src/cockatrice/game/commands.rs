//! What the commands of a container come to: who may give which, and one answer for all (spec: cockatrice-wire 6,
//! cockatrice-table 2).
//!
//! That somebody is logged in, and that he does not flood the game, was looked at before: for the container as a whole.

use rand::Rng;

use super::{Game, LeaveReason, Out, ParticipantId, delivery::Collected, delivery::For, limits};
use crate::messages::{
    CommandJudge, CommandKickFromGame, EventGameSay, GameCommand, GameCommandBody, GameEventBody,
    ResponseBody, ResponseCode,
};

/// What a container's commands need from outside.
pub struct Cx<'a> {
    /// Where chance comes from.
    pub rng: &'a mut dyn Rng,
    /// Whether a participant may say so many bytes more; asking counts them.
    pub may_say: &'a mut dyn FnMut(ParticipantId, usize) -> bool,
    /// The stored deck of the one who commands, found beforehand.
    pub stored_deck: &'a dyn Fn(i32) -> Option<&'a [u8]>,
}

/// The response to a container.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    /// Of the failing command with the lowest index, else `RespOk`.
    pub code: ResponseCode,
    /// Set by the last command that set one; stays when another fails.
    pub body: Option<ResponseBody<'static>>,
}

/// How a command ended.
pub(super) type Verdict = Result<(), ResponseCode>;

/// Who does something.
#[derive(Clone, Copy)]
pub(super) struct Actor {
    pub(super) id: ParticipantId,
    /// Acts with a judge's rights of his own.
    pub(super) judge: bool,
    /// A judge who plays makes him do it.
    pub(super) forced_by_player: Option<ParticipantId>,
    is_forced: bool,
}

/// What is gathered while a container is handled.
pub(super) struct Turn<'a, 'c> {
    pub(super) cx: &'a mut Cx<'c>,
    pub(super) out: &'a mut Out,
    pub(super) collected: Collected,
    pub(super) body: Option<ResponseBody<'static>>,
    forced_by: Option<ParticipantId>,
}

impl Turn<'_, '_> {
    /// Collects an event that is the same for all.
    pub(super) fn tell(&mut self, about: ParticipantId, body: GameEventBody<'_>) {
        self.collected.push(For::All, Some(about), body);
    }
}

impl Game {
    /// Handles a container's commands, last to first. What it comes to is sent before the response; then
    /// [`after_response`](Game::after_response).
    pub fn commands(
        &mut self,
        by: ParticipantId,
        commands: &[GameCommand<'_>],
        cx: &mut Cx<'_>,
        out: &mut Out,
    ) -> Answer {
        let mut answer = Answer {
            code: ResponseCode::RespOk,
            body: None,
        };
        if commands.len() > limits::COMMANDS {
            answer.code = ResponseCode::RespContextError;
            return answer;
        }
        let mut turn = Turn {
            cx,
            out,
            collected: Collected::default(),
            body: None,
            forced_by: None,
        };
        for command in commands.iter().rev() {
            if let Err(code) = self.command(by, command, &mut turn) {
                answer.code = code;
            }
            turn.collected.end_command();
        }
        let Turn {
            mut collected,
            out,
            body,
            forced_by,
            ..
        } = turn;
        self.flush(&mut collected, forced_by, out);
        answer.body = body;
        answer
    }

    /// What has to wait until the response is out: a round's start, the end of a game that nobody plays any more.
    pub fn after_response(&mut self, _cx: &mut Cx<'_>, out: &mut Out) {
        self.close_if_due(out);
    }

    fn command(
        &mut self,
        by: ParticipantId,
        command: &GameCommand<'_>,
        turn: &mut Turn<'_, '_>,
    ) -> Verdict {
        let participant = self.participant(by).ok_or(ResponseCode::RespNotInRoom)?;
        let actor = Actor {
            id: by,
            judge: participant.judge,
            forced_by_player: None,
            is_forced: false,
        };
        match command
            .body
            .as_ref()
            .ok_or(ResponseCode::RespInvalidCommand)?
        {
            GameCommandBody::Judge(judge) => self.judge(actor, judge, turn),
            body => self.perform(actor, body, turn),
        }
    }

    /// A judge makes a player do something (spec: cockatrice-table 11).
    fn judge(
        &mut self,
        actor: Actor,
        judge: &CommandJudge<'_>,
        turn: &mut Turn<'_, '_>,
    ) -> Verdict {
        if !actor.judge {
            return Err(ResponseCode::RespFunctionNotAllowed);
        }
        turn.forced_by = Some(actor.id);
        let target = judge.target_id();
        if self.player(target).is_none() || judge.game_command.len() > limits::JUDGE_COMMANDS {
            return Err(ResponseCode::RespContextError);
        }
        let forced = Actor {
            id: target,
            judge: false,
            forced_by_player: self.player(actor.id).map(|_| actor.id),
            is_forced: true,
        };
        for command in &judge.game_command {
            if self.player(target).is_none() {
                break;
            }
            // A judge in a judge is refused; what the commands come to does not matter.
            if let Some(body) = &command.body {
                let _ = self.perform(forced, body, turn);
                turn.collected.end_command();
            }
        }
        Ok(())
    }

    fn perform(
        &mut self,
        actor: Actor,
        command: &GameCommandBody<'_>,
        turn: &mut Turn<'_, '_>,
    ) -> Verdict {
        match command {
            GameCommandBody::LeaveGame(_) => {
                self.remove(actor.id, LeaveReason::Left, turn.out);
                Ok(())
            }
            GameCommandBody::KickFromGame(kick) => self.kick_command(actor, kick, turn),
            GameCommandBody::GameSay(say) => {
                let text = say.message.clone().unwrap_or_default();
                self.say(actor, &text, turn)
            }
            _ => Err(ResponseCode::RespFunctionNotAllowed),
        }
    }

    fn kick_command(
        &mut self,
        actor: Actor,
        kick: &CommandKickFromGame,
        turn: &mut Turn<'_, '_>,
    ) -> Verdict {
        let by = self
            .participant(actor.id)
            .ok_or(ResponseCode::RespNotInRoom)?;
        if actor.id != self.host && !by.person.is_moderator() {
            return Err(ResponseCode::RespFunctionNotAllowed);
        }
        let whom = self
            .participant(kick.player_id())
            .ok_or(ResponseCode::RespNameNotFound)?
            .id;
        self.kick(whom, turn.out);
        Ok(())
    }

    /// Says something to all, unchanged. For whom a judge speaks, it costs nothing while he is away.
    fn say(&mut self, actor: Actor, text: &[u8], turn: &mut Turn<'_, '_>) -> Verdict {
        let speaker = self
            .participant(actor.id)
            .ok_or(ResponseCode::RespNotInRoom)?;
        if speaker.player.is_none()
            && !self.rules.spectators_can_talk
            && !speaker.person.may_always_talk()
        {
            return Err(ResponseCode::RespFunctionNotAllowed);
        }
        let is_free = actor.is_forced && !speaker.connected;
        if !is_free && !(turn.cx.may_say)(actor.id, text.len()) {
            return Err(ResponseCode::RespChatFlood);
        }
        let message = Some(text.into());
        turn.tell(actor.id, GameEventBody::GameSay(EventGameSay { message }));
        Ok(())
    }
}
