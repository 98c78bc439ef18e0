//! One client of a replay.

use std::collections::{HashMap, VecDeque};

use base64::Engine as _;
use serde_json::Value;

use super::{Context, Replay, Task};
use crate::connection::{Connection, Stage};
use crate::protocol::{Next, Session};
use crate::protocols::faf::framing;
use crate::recording::dialect::{Account, Dialect, Place, Side, Transport};
use crate::recording::script::{Answer, Expected, Moment, Said, Script, key_of};
use crate::recording::stream::{Incoming, Stream};
use crate::recording::text_of;

/// How often it is looked whether the others of the copy are far enough.
const LOOK_US: u64 = 2_000;
/// How often a client says that it lives, if it has said nothing else.
const ALIVE_US: u64 = 4_000_000;

#[derive(Debug)]
pub(crate) struct ReplaySession {
    index: usize,
    script: usize,
    group: usize,
    login: String,
    password: String,
    stream: Option<Stream>,
    transport: Transport,
    /// Running state of the masking key.
    mask: u32,
    /// Messages may be sent.
    opened: bool,
    /// The step that comes next, and when it is due, once that time has come.
    next: usize,
    due_us: Option<u64>,
    pending: VecDeque<Pending>,
    /// Of each kind, how many messages with numbers have come.
    heard: HashMap<String, usize>,
    raw_heard: u64,
    salt: Option<String>,
    spoke_us: u64,
    /// Since when only a number is missing that it has to say.
    puzzled_us: Option<u64>,
    /// It connects when others play already.
    late: bool,
    over: bool,
}

/// A step whose answer has not come.
#[derive(Debug)]
struct Pending {
    step: usize,
    due_us: u64,
    sent_us: u64,
    said: Value,
    /// It belongs to no sign-in.
    counts: bool,
}

impl Session<Replay> for ReplaySession {
    fn new(index: usize, context: &Context) -> ReplaySession {
        let protocol = &context.shared.protocol;
        let (script, group) = protocol.part(index);
        let (login, password) = context.shared.plan.accounts.of(index);
        ReplaySession {
            index,
            script,
            group,
            login,
            password,
            stream: None,
            transport: protocol.transport(protocol.script(index)),
            mask: (index as u32).wrapping_mul(2_654_435_761) | 1,
            opened: false,
            next: 0,
            due_us: None,
            pending: VecDeque::new(),
            heard: HashMap::new(),
            raw_heard: 0,
            salt: None,
            spoke_us: 0,
            puzzled_us: None,
            late: protocol.script(index).late.is_some(),
            over: false,
        }
    }

    fn joins_ramp(&self) -> bool {
        !self.late
    }

    fn on_connect(&mut self, host: &str, connection: &mut Connection, context: &Context) {
        let protocol = &context.shared.protocol;
        let (dialect, script) = (protocol.recording.dialect, self.script(protocol));
        let mut stream = Stream::skimming(dialect, self.transport);
        if script.is_pipe {
            stream.become_raw();
        }
        self.stream = Some(stream);
        if self.transport == Transport::Websocket {
            let mut nonce = [0_u8; 16];
            rand::RngExt::fill(&mut *context.random.borrow_mut(), &mut nonce);
            let key = base64::engine::general_purpose::STANDARD.encode(nonce);
            let request = framing::upgrade_request(host, &key);
            connection.output().extend_from_slice(request.as_bytes());
        } else {
            self.opened = true;
        }
        if dialect.keep_alive().is_some() {
            context.schedule(context.now_us() + ALIVE_US, connection.slot, Task::Alive);
        }
        if !script.signs_in {
            connection.established(context);
            connection.settle(context);
            self.schedule_next(connection, context);
        }
        self.go_on(connection, context);
    }

    fn on_bytes(
        &mut self,
        bytes: &[u8],
        connection: &mut Connection,
        context: &Context,
    ) -> anyhow::Result<()> {
        // Taken out for the time being, because the messages it finds change the client.
        let Some(mut stream) = self.stream.take() else {
            return Ok(());
        };
        let outcome = stream.push(bytes, &mut |incoming| match incoming {
            Incoming::Opened => {
                self.opened = true;
                self.go_on(connection, context);
            }
            Incoming::Message(message) => self.hear(message, connection, context),
            Incoming::Raw(bytes) => self.hear_raw(bytes, context),
            Incoming::Ping(payload) => {
                framing::websocket_pong(payload, &mut self.mask, connection.output());
            }
        });
        self.stream = Some(stream);
        self.go_on(connection, context);
        outcome.map_err(anyhow::Error::msg)
    }

    fn on_task(&mut self, task: Task, due_us: u64, connection: &mut Connection, context: &Context) {
        if connection.stage() == Stage::Away || connection.is_closing() {
            return;
        }
        match task {
            Task::Step => {
                self.due_us = Some(due_us);
                self.go_on(connection, context);
            }
            Task::Look => self.go_on(connection, context),
            Task::GiveUp => {
                self.give_up(context);
                self.go_on(connection, context);
            }
            Task::Alive => self.say_alive(connection, context),
        }
    }

    fn on_close(&mut self, connection: &mut Connection) {
        if self.transport == Transport::Websocket && self.opened {
            framing::websocket_close(&mut self.mask, connection.output());
        }
    }

    fn on_disconnect(&mut self, by_client: bool, context: &Context) -> Next {
        self.stream = None;
        self.over = true;
        let protocol = &context.shared.protocol;
        let script = self.script(protocol);
        // Nobody waits for what will not come any more.
        let mut group = context.state().group(self.group);
        for step in &script.steps {
            if let Some(answer) = &step.answer {
                group.close(answer.index);
            }
        }
        let said_all = self.next >= script.steps.len() && self.pending.is_empty();
        let as_recorded = match script.end {
            Some((Side::Server, _)) => said_all,
            // Of two games whichever goes first ends the other's connection.
            Some((Side::Client, _)) => said_all && script.is_pipe,
            None => false,
        };
        if by_client || as_recorded {
            Next::Away
        } else {
            Next::Failed
        }
    }

    fn on_measure(&mut self, _from_us: u64, connection: &Connection, context: &Context) {
        let protocol = &context.shared.protocol;
        match &self.script(protocol).late {
            Some(moment) => {
                let due_us = self.due_us_of(moment, context);
                if context.shared.is_measuring_at(due_us) {
                    context.connect_at(due_us, connection.slot);
                }
            }
            None => self.schedule_next(connection, context),
        }
    }

    fn missing(&self, _connection: &Connection, context: &Context) -> u64 {
        if self.over {
            return 0;
        }
        self.pending.len() as u64 + self.unsent(context)
    }

    fn account(&self, context: &Context) {
        let counted = self.pending.iter().filter(|pending| pending.counts);
        let unanswered = counted.clone().count() as u64;
        for pending in counted {
            context.give_up(pending.due_us, |metrics| &mut metrics.answer);
        }
        let recorder = &mut *context.recorder.borrow_mut();
        recorder.metrics.unanswered += unanswered;
        recorder.common.unsent += self.unsent(context);
    }
}

impl ReplaySession {
    fn script<'a>(&self, protocol: &'a Replay) -> &'a Script {
        &protocol.recording.scripts[self.script]
    }

    /// Steps that are due by the end of the measured phase and have not been done.
    fn unsent(&self, context: &Context) -> u64 {
        let protocol = &context.shared.protocol;
        let script = self.script(protocol);
        let first = match script.late {
            Some(_) => self.next,
            None => self.next.max(script.sign_in_steps),
        };
        let left = script.steps[first.min(script.steps.len())..].iter();
        let due = |moment: &Moment| {
            let due_us = self.due_us_of(moment, context);
            context.shared.is_measuring_at(due_us)
        };
        left.filter(|step| due(&step.moment)).count() as u64
    }

    /// When something of the recording is due in this copy.
    fn due_us_of(&self, moment: &Moment, context: &Context) -> u64 {
        let shared = &context.shared;
        let timing = &shared.protocol.timing;
        let after_us = if timing.paced {
            shared.schedule.due_us(self.group, moment.number)
        } else {
            (moment.at_us as f64 / timing.speed + timing.offset_us * self.group as f64) as u64
        };
        shared.measured_from_us().saturating_add(after_us)
    }

    /// Schedules the next step after the sign-in, or the end.
    fn schedule_next(&mut self, connection: &Connection, context: &Context) {
        self.due_us = None;
        if context.shared.measured_from_us() == u64::MAX {
            return;
        }
        let protocol = &context.shared.protocol;
        let script = self.script(protocol);
        let moment = match (script.steps.get(self.next), &script.end) {
            (Some(step), _) => &step.moment,
            (None, Some((Side::Client, moment))) => moment,
            (None, _) => return,
        };
        let due_us = self.due_us_of(moment, context);
        context.schedule_while_measuring(due_us, connection.slot, Task::Step);
    }

    /// Does what can be done: the sign-in as the answers come, all else when it is due.
    fn go_on(&mut self, connection: &mut Connection, context: &Context) {
        let protocol = &context.shared.protocol;
        let script = self.script(protocol);
        while self.opened && !connection.is_closing() {
            let signing_in = script.signs_in && self.next < script.sign_in_steps;
            let Some(step) = script.steps.get(self.next) else {
                return self.end(script, connection, context);
            };
            if signing_in {
                let waits = self.pending.iter().any(|pending| {
                    let answer = script.steps[pending.step].answer.as_ref();
                    answer.is_some_and(|answer| answer.index < step.moment.index)
                });
                if waits {
                    return;
                }
                let counts = script.late.is_some();
                self.say(context.now_us(), counts, connection, context);
                continue;
            }
            let Some(due_us) = self.due_us else {
                return;
            };
            if !connection.is_signed_in()
                || self.raw_heard < step.after_bytes
                || !self.is_free(&step.moment, &step.said, connection, context)
            {
                return;
            }
            self.say(due_us, true, connection, context);
            self.schedule_next(connection, context);
        }
    }

    /// Everything that the recorded client had heard before is there, and every number that it needs, unless that has been
    /// waited for too long. Answers are given up by those who wait for them.
    fn is_free(
        &mut self,
        moment: &Moment,
        said: &Said,
        connection: &Connection,
        context: &Context,
    ) -> bool {
        let protocol = &context.shared.protocol;
        let now_us = context.now_us();
        let come = context.state().group(self.group).has_come_to(moment.index);
        if come && self.knows_numbers(said, context) {
            return true;
        }
        if come {
            let since_us = *self.puzzled_us.get_or_insert(now_us);
            if now_us >= since_us + protocol.answer_timeout_us {
                return true;
            }
        }
        // Its own answers wake it; what others wait for does not.
        if come || self.pending.is_empty() {
            context.schedule(now_us + LOOK_US, connection.slot, Task::Look);
        }
        false
    }

    /// The server has given every number that is to be said.
    fn knows_numbers(&self, said: &Said, context: &Context) -> bool {
        let Said::Message(message) = said else {
            return true;
        };
        let recording = &context.shared.protocol.recording;
        let mut keys = self.numbers_of(message, context);
        keys.retain(|key| recording.given.contains(key));
        if keys.is_empty() {
            return true;
        }
        let group = context.state().group(self.group);
        keys.iter().all(|key| group.number(key).is_some())
    }

    /// The numbers of the recording in a message.
    fn numbers_of(&self, message: &Value, context: &Context) -> Vec<(&'static str, String)> {
        let recording = &context.shared.protocol.recording;
        let session = recording.scripts[self.script].session;
        let mut keys = Vec::new();
        recording
            .dialect
            .visit(Side::Client, &mut message.clone(), &mut |place, value| {
                if let Some(kind) = place.id() {
                    keys.push((kind, key_of(recording.dialect, kind, session, value)));
                }
            });
        keys
    }

    /// The next step is done.
    fn say(&mut self, due_us: u64, counts: bool, connection: &mut Connection, context: &Context) {
        let protocol = &context.shared.protocol;
        let script = self.script(protocol);
        let (number, step) = (self.next, &script.steps[self.next]);
        self.next += 1;
        self.puzzled_us = None;
        if connection.is_backlogged() {
            context.recorder.borrow_mut().common.unsent += u64::from(counts);
            return self.close_answer(step.answer.as_ref(), context);
        }
        let said = match &step.said {
            Said::Raw(bytes) => {
                let output = connection.output();
                output.resize(output.len() + bytes, 0);
                Value::Null
            }
            Said::Message(message) => {
                let mine = self.fill_in(message, context);
                if let Err(why) = self.send(&mine, connection, context) {
                    context.recorder.borrow_mut().metrics.not_playable += 1;
                    let what = format!("a message of the recording can't be sent again: {why}");
                    context.shared.record_error(what);
                    return self.close_answer(step.answer.as_ref(), context);
                }
                mine
            }
        };
        context.recorder.borrow_mut().metrics.said += u64::from(counts);
        if step.answer.is_some() {
            let sent_us = context.now_us();
            let pending = Pending {
                step: number,
                due_us,
                sent_us,
                said,
                counts,
            };
            self.pending.push_back(pending);
            let until_us = sent_us + protocol.answer_timeout_us;
            context.schedule(until_us, connection.slot, Task::GiveUp);
        }
    }

    fn send(
        &mut self,
        message: &Value,
        connection: &mut Connection,
        context: &Context,
    ) -> Result<(), &'static str> {
        let dialect = context.shared.protocol.recording.dialect;
        self.spoke_us = context.now_us();
        if self.transport != Transport::Websocket {
            return dialect.write(self.transport, message, connection.output());
        }
        // What only another transport begins with.
        let openings = dialect.transports().iter();
        let mut openings = openings.filter_map(|transport| dialect.opening(*transport));
        if openings.any(|opening| opening == *message) {
            return Ok(());
        }
        let mut payload = Vec::new();
        dialect.write(self.transport, message, &mut payload)?;
        let opcode = if dialect.is_framed_by_websocket() {
            framing::OP_BINARY
        } else {
            framing::OP_TEXT
        };
        framing::websocket_frame(opcode, &payload, &mut self.mask, connection.output());
        Ok(())
    }

    /// A message of the recording as this client says it.
    fn fill_in(&self, message: &Value, context: &Context) -> Value {
        let shared = &context.shared;
        let (protocol, recording) = (&shared.protocol, &shared.protocol.recording);
        let session = recording.scripts[self.script].session;
        let account = Account {
            run_id: &shared.plan.run_id,
            index: self.index,
            login: &self.login,
            password: &self.password,
            salt: self.salt.as_deref(),
        };
        let mut mine = message.clone();
        recording
            .dialect
            .visit(Side::Client, &mut mine, &mut |place, value| match place {
                Place::Login => *value = self.login.clone().into(),
                Place::Name => {
                    let client = value
                        .as_str()
                        .and_then(|name| protocol.client_named(name, self.group));
                    if let Some(client) = client {
                        *value = shared.plan.accounts.of(client).0.into();
                    }
                }
                Place::Unique => {
                    let name = text_of(value);
                    *value = format!("{name} {}{}", shared.plan.run_id, self.group).into();
                }
                // Who had none has none.
                Place::Own(_) if text_of(value).is_empty() => {}
                Place::Own(own) => *value = recording.dialect.own(own, &account).into(),
                Place::Secret(_) => {}
                Place::Id(kind) | Place::SecretId(kind) => {
                    let key = (kind, key_of(recording.dialect, kind, session, value));
                    let group = context.state().group(self.group);
                    if let Some(number) = group.number(&key) {
                        *value = number.clone();
                    } else if recording.given.contains(&key) {
                        context.recorder.borrow_mut().metrics.numbers_unknown += 1;
                    }
                }
            });
        mine
    }

    fn hear(&mut self, message: Value, connection: &mut Connection, context: &Context) {
        let protocol = &context.shared.protocol;
        let (dialect, script) = (protocol.recording.dialect, self.script(protocol));
        context.recorder.borrow_mut().common.messages_in += 1;
        if let Some(reply) = dialect.reply(&message) {
            let _it_is_one = self.send(&reply, connection, context);
        }
        if let Some(salt) = dialect.salt(&message) {
            self.salt = Some(salt);
        }
        let kind = dialect.kind(Side::Server, &message);
        self.learn(&kind, &message, dialect, context);
        self.take_answer(&kind, &message, dialect, context);
        if connection.stage() != Stage::SigningIn {
            return;
        }
        if script.signs_in && dialect.signs_in(&message) {
            connection.signed_in(context);
            self.next = self.next.max(script.sign_in_steps);
            self.schedule_next(connection, context);
        } else if let Some(why) = dialect.refusal(&message) {
            connection.refuse(why);
        }
    }

    /// Keeps the numbers that stand where the recording has some.
    fn learn(&mut self, kind: &str, message: &Value, dialect: &dyn Dialect, context: &Context) {
        let script = self.script(&context.shared.protocol);
        let Some(recorded) = script.given.get(kind) else {
            return;
        };
        let mut numbers = Vec::new();
        dialect.visit(Side::Server, &mut message.clone(), &mut |place, value| {
            if let Some(kind) = place.id()
                && !value.is_null()
            {
                numbers.push((kind, value.clone()));
            }
        });
        if numbers.is_empty() {
            return;
        }
        let turn = self.heard.entry(kind.to_owned()).or_default();
        let known = recorded.get(*turn);
        *turn += 1;
        let Some(known) = known.filter(|known| known.len() == numbers.len()) else {
            return;
        };
        let mut group = context.state().group(self.group);
        for (key, (kind, number)) in known.iter().zip(numbers) {
            if key.0 == kind {
                group.learn(key.clone(), number);
            }
        }
    }

    /// If this is an answer, nobody waits for it any more.
    fn take_answer(
        &mut self,
        kind: &str,
        message: &Value,
        dialect: &dyn Dialect,
        context: &Context,
    ) {
        let login = &self.login;
        let place = self.pending.iter().position(|pending| {
            !pending.said.is_null() && dialect.answers(login, &pending.said, message)
        });
        let pending = place.and_then(|place| self.pending.remove(place));
        let Some(pending) = pending else {
            return;
        };
        let protocol = &context.shared.protocol;
        let answer = self.script(protocol).steps[pending.step].answer.as_ref();
        let Some(answer) = answer else {
            return;
        };
        if matches!(&answer.expected, Expected::Kind(expected) if expected == kind) {
            self.answered(&pending, answer, context);
        } else {
            let asked = &protocol.recording.kinds[answer.kind];
            let what = format!("{asked}: answered with {kind}, and not as recorded");
            context.shared.record_error(what);
            context.recorder.borrow_mut().metrics.answered_otherwise += 1;
            context.note(pending.due_us, |metrics| &mut metrics.answer);
        }
        self.close_answer(Some(answer), context);
    }

    fn hear_raw(&mut self, bytes: usize, context: &Context) {
        self.raw_heard += bytes as u64;
        let protocol = &context.shared.protocol;
        while let Some(pending) = self.pending.front() {
            let answer = self.script(protocol).steps[pending.step].answer.as_ref();
            let Some(answer) = answer else {
                return;
            };
            if !matches!(answer.expected, Expected::Bytes(bytes) if bytes <= self.raw_heard) {
                return;
            }
            if let Some(pending) = self.pending.pop_front() {
                self.answered(&pending, answer, context);
            }
            self.close_answer(Some(answer), context);
        }
    }

    fn answered(&self, pending: &Pending, answer: &Answer, context: &Context) {
        if !pending.counts {
            return;
        }
        context.recorder.borrow_mut().metrics.answered += 1;
        context.book(pending.due_us, |metrics| &mut metrics.answer);
        let waited_us = context.now_us().saturating_sub(pending.due_us).max(1);
        let mut histogram = context.shared.protocol.histogram(answer.kind);
        histogram.saturating_record(waited_us);
    }

    fn close_answer(&self, answer: Option<&Answer>, context: &Context) {
        if let Some(answer) = answer {
            context.state().group(self.group).close(answer.index);
        }
    }

    /// Answers that have not come in time.
    fn give_up(&mut self, context: &Context) {
        let protocol = &context.shared.protocol;
        let now_us = context.now_us();
        let late = |pending: &Pending| pending.sent_us + protocol.answer_timeout_us <= now_us;
        while let Some(pending) = self.pending.pop_front_if(|pending| late(pending)) {
            let answer = self.script(protocol).steps[pending.step].answer.as_ref();
            if pending.counts {
                context.give_up(pending.due_us, |metrics| &mut metrics.answer);
                context.recorder.borrow_mut().metrics.unanswered += 1;
            }
            if let Some(answer) = answer {
                let asked = &protocol.recording.kinds[answer.kind];
                context
                    .shared
                    .record_error(format!("{asked}: no answer in time"));
            }
            self.close_answer(answer, context);
        }
    }

    /// Everything has been said: the connection ends when the recorded one did, if that was the client's doing.
    fn end(&mut self, script: &Script, connection: &mut Connection, context: &Context) {
        let Some((Side::Client, moment)) = &script.end else {
            return;
        };
        if self.due_us.is_some()
            && self.pending.is_empty()
            && self.is_free(moment, &Said::Raw(0), connection, context)
        {
            connection.close();
        }
    }

    fn say_alive(&mut self, connection: &mut Connection, context: &Context) {
        let dialect = context.shared.protocol.recording.dialect;
        let now_us = context.now_us();
        if self.opened
            && now_us >= self.spoke_us + ALIVE_US
            && let Some(message) = dialect.keep_alive()
        {
            let _it_is_one = self.send(&message, connection, context);
        }
        context.schedule(now_us + ALIVE_US, connection.slot, Task::Alive);
    }
}
