//! A client that follows a script: what it does when something is due, and what it makes of what it hears.
//!
//! An answer is waited for by the step that expects it. One that comes after its time has failed its check, and its latency is
//! booked all the same when it comes: a server that stands still shows by how long, not by how long a script was patient.

use std::collections::VecDeque;
use std::sync::Arc;

use serde_json::Value;

use super::expect::Heard;
use super::script::{Script, Step};
use super::template::Scope;
use crate::protocol::Protocol;
use crate::worker::Context;

/// Answers that are late and still listened for; more are given up, the oldest first.
const MOST_LATE: usize = 1_000;

/// What is due in a script.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Cue {
    /// The client's next turn.
    Turn,
    /// The next step of the turn under way.
    Step,
    /// The end of the patience with an answer.
    Patience,
}

/// Where what a script says goes: the protocol's way from a message to bytes.
pub(crate) trait Voice {
    /// Says a message; gives the number that the protocol gave it, if it numbers them.
    ///
    /// # Errors
    /// This is no message of the protocol, in words.
    fn say(&mut self, message: &Value) -> Result<u64, String>;

    /// The server does not read what was said before.
    fn is_backlogged(&self) -> bool;

    /// The client's number among those of its thread.
    fn slot(&self) -> usize;

    /// The id that the server gave this client, if it does.
    fn me(&self) -> u64 {
        0
    }
}

/// A client that follows a script.
#[derive(Debug)]
pub(crate) struct Actor {
    script: Arc<Script>,
    /// Number among all clients.
    client: usize,
    /// Number among those of its thread, known once it has said something.
    slot: usize,
    login: String,
    /// Signed in, and whatever else the protocol needs before a script can go on.
    ready: bool,
    /// Turns that were due so far.
    turns: u64,
    /// Turns that are due and not begun: their numbers and times.
    owed: VecDeque<(u64, u64)>,
    turn: Option<Turn>,
    /// Answers that are waited for, the oldest first.
    pending: VecDeque<Pending>,
    captured: Vec<Option<Value>>,
    /// The number that the protocol gave the message said last.
    sent: u64,
}

/// The turn under way.
#[derive(Debug, Clone, Copy)]
struct Turn {
    number: u64,
    step: usize,
    /// When that step is due.
    due_us: u64,
    /// It is said, and its answer is waited for.
    waits: bool,
}

/// An answer that is waited for.
#[derive(Debug, Clone, Copy)]
struct Pending {
    turn: u64,
    step: usize,
    due_us: u64,
    /// What `{sent}` was.
    sent: u64,
    /// A bit for each message of the answer that has not come.
    left: u64,
    /// Its time is over, and the script has gone on.
    late: bool,
}

impl Actor {
    pub(crate) fn new<P: Protocol>(
        client: usize,
        script: &Arc<Script>,
        context: &Context<P>,
    ) -> Actor {
        let plan = &context.shared.plan;
        Actor {
            script: script.clone(),
            client,
            slot: 0,
            login: plan.accounts.of(client).0,
            ready: false,
            turns: 0,
            owed: VecDeque::new(),
            turn: None,
            pending: VecDeque::new(),
            captured: vec![None; script.captures],
            sent: 0,
        }
    }

    /// The client has signed in.
    pub(crate) fn on_ready<P: Protocol>(&mut self, voice: &mut dyn Voice, context: &Context<P>) {
        self.ready = true;
        self.slot = voice.slot();
        self.begin(voice, context);
    }

    /// The connection is over: what was waited for will not come any more.
    pub(crate) fn on_disconnect<P: Protocol>(&mut self, context: &Context<P>) {
        self.ready = false;
        self.account_pending("the connection ended", context);
        self.pending.clear();
        self.turn = None;
    }

    /// Something is due.
    pub(crate) fn on_cue<P: Protocol>(
        &mut self,
        cue: Cue,
        due_us: u64,
        voice: &mut dyn Voice,
        context: &Context<P>,
    ) {
        self.slot = voice.slot();
        match (cue, self.turn) {
            (Cue::Turn, _) => {
                self.owe(due_us, context);
                self.begin(voice, context);
            }
            // One of a turn that has been given up since is for nobody.
            (Cue::Step, Some(turn)) if !turn.waits && self.ready && due_us == turn.due_us => {
                self.go_on(voice, context);
                self.begin(voice, context);
            }
            (Cue::Patience, Some(turn)) if turn.waits => {
                let step = &self.script.steps[turn.step];
                if context.now_us() >= turn.due_us + step.within_us {
                    self.miss(turn, context);
                    self.begin(voice, context);
                }
            }
            _ => {}
        }
    }

    /// One more turn is due; so is the next one, if the client thinks between them.
    fn owe<P: Protocol>(&mut self, due_us: u64, context: &Context<P>) {
        let shared = &context.shared;
        let number = self.turns;
        self.turns += 1;
        self.owed.push_back((number, due_us));
        let think_us = self.script.think_us(shared.plan.seed, self.client, number);
        if let Some(think_us) = think_us {
            let from_us = shared.measured_from_us();
            let next_us = due_us + think_us;
            let cast = &shared.plan.cast;
            let stays = cast.is_there(self.client, due_us - from_us, next_us - from_us);
            if stays && shared.is_measuring_at(next_us) {
                context.cue(next_us, self.slot, Cue::Turn);
            }
        }
    }

    /// Begins the next turn that is due, if none is under way.
    fn begin<P: Protocol>(&mut self, voice: &mut dyn Voice, context: &Context<P>) {
        while self.ready && self.turn.is_none() {
            let Some((number, due_us)) = self.owed.pop_front() else {
                return;
            };
            context.recorder.borrow_mut().common.script_turns += 1;
            self.turn = Some(Turn {
                number,
                step: 0,
                due_us: due_us + self.wait_us(number, 0, context),
                waits: false,
            });
            self.go_on(voice, context);
        }
    }

    fn wait_us<P: Protocol>(&self, turn: u64, step: usize, context: &Context<P>) -> u64 {
        let seed = context.shared.plan.seed;
        self.script.wait_us(seed, self.client, turn, step)
    }

    /// Does the steps of the turn that can be done by now.
    fn go_on<P: Protocol>(&mut self, voice: &mut dyn Voice, context: &Context<P>) {
        let script = self.script.clone();
        while let Some(turn) = self.turn {
            if context.now_us() < turn.due_us {
                return context.cue(turn.due_us, self.slot, Cue::Step);
            }
            let step = &script.steps[turn.step];
            match self.prepare(step, turn, voice.me(), context) {
                Ok(true) => {}
                Ok(false) => {
                    self.next(turn, context);
                    continue;
                }
                Err(why) => return self.abandon(step, &why, context),
            }
            if !self.say(step, turn, voice, context) {
                return;
            }
            if !step.expect.is_empty() {
                return self.expect(step, turn, context);
            }
            if let Err(why) = self.check(step, turn, voice.me(), context) {
                return self.abandon(step, &why, context);
            }
            self.done(step, turn, context);
        }
    }

    /// Computes what the step computes, unless it is to be left out; whether it is not.
    fn prepare<P: Protocol>(
        &mut self,
        step: &Step,
        turn: Turn,
        me: u64,
        context: &Context<P>,
    ) -> Result<bool, String> {
        if let Some(only_if) = &step.only_if
            && !only_if.holds(&self.scope(turn.number, turn.step, me, context))?
        {
            return Ok(false);
        }
        for (place, formula) in &step.compute {
            let value = formula.value(&self.scope(turn.number, turn.step, me, context))?;
            self.captured[*place] = Some(value);
        }
        Ok(true)
    }

    /// Whether what must hold after the step does.
    fn check<P: Protocol>(
        &self,
        step: &Step,
        turn: Turn,
        me: u64,
        context: &Context<P>,
    ) -> Result<(), String> {
        let Some(check) = &step.check else {
            return Ok(());
        };
        let holds = check.holds(&self.scope(turn.number, turn.step, me, context))?;
        if holds {
            Ok(())
        } else {
            Err(format!("{check:?} does not hold"))
        }
    }

    /// The step has failed, and the turn with it.
    fn abandon<P: Protocol>(&mut self, step: &Step, why: &str, context: &Context<P>) {
        self.fail(step, why, context);
        self.turn = None;
    }

    /// Says what the step says; whether that was possible.
    fn say<P: Protocol>(
        &mut self,
        step: &Step,
        turn: Turn,
        voice: &mut dyn Voice,
        context: &Context<P>,
    ) -> bool {
        let Some(template) = &step.say else {
            return true;
        };
        if voice.is_backlogged() {
            context.recorder.borrow_mut().common.unsent += 1;
            self.turn = None;
            return false;
        }
        let message = template.fill(&self.scope(turn.number, turn.step, voice.me(), context));
        let said = match message {
            Ok(message) => voice.say(&message),
            Err(_) => Err("it has a value that was not captured yet".to_owned()),
        };
        match said {
            Ok(sent) => self.sent = sent,
            Err(why) => {
                self.abandon(step, &format!("nothing to say: {why}"), context);
                return false;
            }
        }
        true
    }

    fn scope<'a, P: Protocol>(
        &'a self,
        turn: u64,
        step: usize,
        me: u64,
        context: &'a Context<P>,
    ) -> Scope<'a> {
        let plan = &context.shared.plan;
        Scope {
            client: self.client,
            login: &self.login,
            run: &plan.run_id,
            turn,
            me,
            sent: self.sent,
            captured: &self.captured,
            draw: [plan.seed, step as u64],
        }
    }

    /// Waits for the step's answer.
    fn expect<P: Protocol>(&mut self, step: &Step, turn: Turn, context: &Context<P>) {
        if self.pending.len() >= MOST_LATE
            && let Some(oldest) = self.pending.pop_front()
        {
            let step = &self.script.steps[oldest.step];
            context.give_up_own(oldest.due_us, step.measure);
        }
        self.pending.push_back(Pending {
            turn: turn.number,
            step: turn.step,
            due_us: turn.due_us,
            sent: self.sent,
            left: (1 << step.expect.len()) - 1,
            late: false,
        });
        self.turn = Some(Turn {
            waits: true,
            ..turn
        });
        context.cue(turn.due_us + step.within_us, self.slot, Cue::Patience);
    }

    /// The step is done.
    fn done<P: Protocol>(&mut self, step: &Step, turn: Turn, context: &Context<P>) {
        if let Some(place) = step.count {
            context.recorder.borrow_mut().own.count(place);
        }
        self.next(turn, context);
    }

    /// The next step is due, or the turn is over.
    fn next<P: Protocol>(&mut self, turn: Turn, context: &Context<P>) {
        let next = turn.step + 1;
        self.turn = (next < self.script.steps.len()).then(|| Turn {
            step: next,
            due_us: turn.due_us + self.wait_us(turn.number, next, context),
            waits: false,
            ..turn
        });
    }

    /// A message came.
    pub(crate) fn hear<P: Protocol>(
        &mut self,
        message: &dyn Heard,
        voice: &mut dyn Voice,
        context: &Context<P>,
    ) {
        let script = self.script.clone();
        let met = |place: usize| {
            let pending = &self.pending[place];
            let mut scope = self.scope(pending.turn, pending.step, voice.me(), context);
            scope.sent = pending.sent;
            let mut expected = script.steps[pending.step].expect.iter().enumerate();
            expected.find_map(|(number, expect)| {
                let left = pending.left & (1 << number) != 0;
                (left && expect.is_met(message, &scope)).then_some((place, number))
            })
        };
        // What is waited for now comes first: an answer that never comes must not take that of every later turn.
        let now = self.pending.iter().rposition(|pending| !pending.late);
        let found = now.and_then(met);
        let Some((place, number)) = found.or_else(|| (0..self.pending.len()).find_map(met)) else {
            return;
        };
        self.pending[place].left &= !(1 << number);
        let answered = self.pending[place];
        let step = &script.steps[answered.step];
        if !answered.late {
            for (place, path) in &step.capture {
                if let Some(value) = message.at(path) {
                    self.captured[*place] = Some(value);
                }
            }
        }
        if answered.left != 0 {
            return;
        }
        self.pending.remove(place);
        context.book_own(answered.due_us, step.measure);
        if let Some(turn) = self.turn
            && !answered.late
        {
            match self.check(step, turn, voice.me(), context) {
                Ok(()) => {
                    self.done(step, turn, context);
                    self.go_on(voice, context);
                }
                Err(why) => self.abandon(step, &why, context),
            }
            self.begin(voice, context);
        }
    }

    /// The answer has not come in time: the turn is over, the answer may come yet.
    fn miss<P: Protocol>(&mut self, turn: Turn, context: &Context<P>) {
        let script = self.script.clone();
        let step = &script.steps[turn.step];
        let within = std::time::Duration::from_micros(step.within_us);
        self.fail(step, &format!("no answer within {within:?}"), context);
        if let Some(pending) = self.pending.back_mut() {
            pending.late = true;
        }
        self.turn = None;
    }

    fn fail<P: Protocol>(&self, step: &Step, why: &str, context: &Context<P>) {
        let recorder = &mut *context.recorder.borrow_mut();
        if let Some(place) = step.failed {
            recorder.own.count(place);
        }
        if !step.may_fail {
            recorder.common.checks_failed += 1;
            let what = format!("check {}: {why}", step.name);
            context.shared.record_error(what);
        }
    }

    /// In the middle of a turn, or about to begin one.
    pub(crate) fn is_busy(&self) -> bool {
        self.ready && (self.turn.is_some() || !self.owed.is_empty())
    }

    /// Turns that have not come to their end.
    pub(crate) fn missing(&self) -> u64 {
        u64::from(self.is_busy())
    }

    /// The run is over: what was due and never begun, and what was not answered.
    pub(crate) fn account<P: Protocol>(&self, context: &Context<P>) {
        self.account_pending("no answer until the end of the run", context);
        let shared = &context.shared;
        for (turn, due_us) in &self.owed {
            if shared.is_measuring_at(*due_us) {
                context.recorder.borrow_mut().common.unsent += 1;
            }
            let after_us = self.script.after_us(shared.plan.seed, self.client, *turn);
            for (step, after_us) in self.script.steps.iter().zip(after_us) {
                context.give_up_own(due_us + after_us, step.measure);
            }
        }
    }

    /// Whatever is waited for has been waited for until now.
    fn account_pending<P: Protocol>(&self, why: &str, context: &Context<P>) {
        for pending in &self.pending {
            let step = &self.script.steps[pending.step];
            context.give_up_own(pending.due_us, step.measure);
            if !pending.late {
                self.fail(step, why, context);
            }
        }
    }
}
