//! What the commands of a container come to: who may give which, and one answer for all (spec: cockatrice-wire 6,
//! cockatrice-table 2).
//!
//! That somebody is logged in, and that he does not flood the game, was looked at before: for the container as a whole.

use rand::Rng;

use super::{
    Game, LeaveReason, Out, ParticipantId, delivery::Collected, limits, participants::Participant,
};
use crate::messages::{
    CommandJudge, CommandKickFromGame, EventGameSay, GameCommand, GameCommandBody, GameEventBody,
    ResponseBody, ResponseCode,
};

/// What a container's commands need from outside.
pub struct Cx<'a> {
    /// Where chance comes from.
    pub rng: &'a mut dyn Rng,
    /// Whether a participant may say what comes next, of what he says himself or of what a judge has him say.
    pub may_say: &'a mut dyn FnMut(ParticipantId, Voice) -> bool,
    /// A participant's own stored deck, found beforehand.
    pub stored_deck: &'a dyn Fn(ParticipantId, i32) -> Option<&'a [u8]>,
}

/// Who has somebody say something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Voice {
    /// They themselves.
    Own,
    /// A judge.
    Forced,
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
    /// How many commands within judges' commands there were.
    inner: usize,
}

impl Turn<'_, '_> {
    /// Collects an event that is the same for all.
    pub(super) fn tell(&mut self, about: ParticipantId, body: GameEventBody<'_>) {
        self.collected.tell(about, body);
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
            inner: 0,
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
    pub fn after_response(&mut self, cx: &mut Cx<'_>, out: &mut Out) {
        self.close_if_due(out);
        self.start_if_ready(cx, out);
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
        turn.inner += judge.game_command.len();
        let player = self.judged(judge, turn.inner)?;
        let target = player.id;
        let forced = Actor {
            id: target,
            // What somebody is made to do is done with their own rights.
            judge: player.judge,
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

    /// Whom a judge's command makes do something, if with it a container has so many commands within such commands.
    fn judged(&self, judge: &CommandJudge<'_>, inner: usize) -> Result<&Participant, ResponseCode> {
        let is_too_much =
            judge.game_command.len() > limits::JUDGE_COMMANDS || inner > limits::INNER_COMMANDS;
        self.participant(judge.target_id())
            .filter(|one| one.player.is_some() && !is_too_much)
            .ok_or(ResponseCode::RespContextError)
    }

    /// What players who are connected would be made to do by a container, in that order: what takes something of theirs is asked of
    /// them beforehand.
    pub fn forced<'c>(
        &self,
        by: ParticipantId,
        commands: &'c [GameCommand<'c>],
    ) -> Vec<(ParticipantId, &'c GameCommandBody<'c>)> {
        let mut forced = Vec::new();
        let is_judge = self.participant(by).is_some_and(|one| one.judge);
        if !is_judge || commands.len() > limits::COMMANDS {
            return forced;
        }
        let mut inner = 0;
        for command in commands.iter().rev() {
            let Some(GameCommandBody::Judge(judge)) = &command.body else {
                continue;
            };
            inner += judge.game_command.len();
            let target = self.judged(judge, inner);
            if let Some(target) = target.ok().filter(|target| target.connected) {
                let bodies = judge.game_command.iter();
                let bodies = bodies.filter_map(|command| command.body.as_ref());
                forced.extend(bodies.map(|body| (target.id, body)));
            }
        }
        forced
    }

    fn perform(
        &mut self,
        actor: Actor,
        command: &GameCommandBody<'_>,
        turn: &mut Turn<'_, '_>,
    ) -> Verdict {
        use GameCommandBody::*;
        if turn.collected.bytes() > limits::CONTAINER_BYTES {
            return Err(ResponseCode::RespContextError);
        }
        match command {
            LeaveGame(_) => {
                self.remove(actor.id, LeaveReason::Left, turn.out);
                return Ok(());
            }
            KickFromGame(kick) => return self.kick_command(actor, kick, turn),
            GameSay(say) => {
                return self.say(actor, say.message.as_deref().unwrap_or_default(), turn);
            }
            NextTurn(_) => return self.next_turn_command(actor, turn),
            SetActivePhase(command) => return self.set_active_phase(actor, command, turn),
            ReverseTurn(_) => return self.reverse_turn(actor, turn),
            _ => {}
        }
        // What is left is for players; a judge in a judge is for nobody.
        let player = self
            .player(actor.id)
            .ok_or(ResponseCode::RespFunctionNotAllowed)?;
        let conceded = player.conceded;
        match command {
            Judge(_) => Err(ResponseCode::RespFunctionNotAllowed),
            DeckSelect(command) => self.deck_select(actor, command, turn),
            SetSideboardLock(command) => self.set_sideboard_lock(actor, command, turn),
            SetSideboardPlan(command) => self.set_sideboard_plan(actor, command),
            SetPlaymat(command) => self.set_playmat(actor, command, turn),
            ReadyStart(command) => self.ready_start(actor, command, turn),
            Concede(_) => self.concede(actor, turn),
            Unconcede(_) => self.unconcede(actor, turn),
            ChangeZoneProperties(command) => self.change_zone(actor, command, turn),
            RollDie(_) if conceded => Err(ResponseCode::RespContextError),
            RollDie(command) => self.roll_die(actor, command, turn),
            _ if !self.started => Err(ResponseCode::RespGameNotStarted),
            DumpZone(command) => self.dump_zone(actor, command, turn),
            _ if conceded => Err(ResponseCode::RespContextError),
            command => self.at_table(actor, command, turn),
        }
    }

    /// The commands of somebody who plays.
    fn at_table(
        &mut self,
        actor: Actor,
        command: &GameCommandBody<'_>,
        turn: &mut Turn<'_, '_>,
    ) -> Verdict {
        use GameCommandBody::*;
        let events = &mut turn.collected;
        match command {
            Shuffle(command) => self.shuffle_command(actor, command, turn),
            Mulligan(command) => self.mulligan(actor, command, turn),
            DrawCards(command) => self.draw_command(actor, command, turn),
            UndoDraw(_) => self.undo_draw(actor, turn),
            MoveCard(command) => self.move_card(actor, command, turn),
            RevealCards(command) => self.reveal_cards(actor, command, turn),
            FlipCard(command) => self.flip_card(actor, command, events),
            AttachCard(command) => self.attach_card(actor, command, events),
            CreateToken(command) => self.create_token(actor, command, events),
            CreateArrow(command) => self.create_arrow(actor, command, events),
            DeleteArrow(command) => self.delete_arrow(actor, command, events),
            SetCardAttr(command) => self.set_card_attr(actor, command, events),
            SetCardCounter(command) => self.set_card_counter(actor, command, events),
            IncCardCounter(command) => self.inc_card_counter(actor, command, events),
            IncCounter(command) => self.inc_counter(actor, command, turn),
            CreateCounter(command) => self.create_counter(actor, command, turn),
            SetCounter(command) => self.set_counter(actor, command, turn),
            DelCounter(command) => self.del_counter(actor, command, turn),
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
        if !self.may_talk(actor.id) {
            return Err(ResponseCode::RespFunctionNotAllowed);
        }
        let is_free = actor.is_forced && !speaker.connected;
        let voice = match actor.is_forced {
            true => Voice::Forced,
            false => Voice::Own,
        };
        if !is_free && !(turn.cx.may_say)(actor.id, voice) {
            return Err(ResponseCode::RespChatFlood);
        }
        let message = Some(text.into());
        turn.tell(actor.id, GameEventBody::GameSay(EventGameSay { message }));
        Ok(())
    }
}
