//! One client: its connection, from signing in to its end. What is said and heard on it is its session's, which the protocol
//! provides; `worker` owns the socket, gives it bytes and takes its output. If the run uses TLS, that stands between the two.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::io;
use std::rc::Rc;

use crate::protocol::{Next, Protocol, Session};
use crate::scenario::Cue;
use crate::tls::{Handshake, Secured};
use crate::worker::{Context, Task};

/// Unsent output past which a client stops adding to it: the server has not read for long.
const BACKLOG_BYTES: usize = 1 << 20;

/// Silences before the end of a connection that are told apart: reasons are counted by their words.
const SILENCES_S: [u64; 6] = [60, 30, 20, 15, 10, 5];

/// Slots of those clients of a thread who have something to write, or whose sockets have something to tell: they have a turn.
pub(crate) type Turns = Rc<RefCell<Vec<usize>>>;

/// How far a client has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Stage {
    /// No connection (yet, or any more).
    Away,
    /// Connecting, and all until the server has let it in.
    SigningIn,
    /// Signed in.
    SignedIn,
}

/// Why a connection ended.
#[derive(Debug)]
pub(crate) enum End {
    /// The client had nothing more to do here.
    Done,
    /// The server closed the connection.
    Closed,
    /// The connection could not be made or broke.
    Broken(io::Error),
    /// The server broke the protocol.
    Protocol(anyhow::Error),
}

/// A client's connection: what waits to be written, and how far it has come.
#[derive(Debug)]
pub(crate) struct Connection {
    /// Number among all clients of the run.
    pub(crate) index: usize,
    /// Number among the clients of the thread.
    pub(crate) slot: usize,
    stage: Stage,
    output: Vec<u8>,
    written: usize,
    turns: Turns,
    /// It has a turn, or will have one.
    has_turn: bool,
    /// From when this sign-in's latency counts.
    since_us: u64,
    /// Ready or given up, and the run was told so.
    settled: bool,
    /// This client ends the connection itself.
    closing: bool,
    /// Why the server did not let it in, or ended the connection, as it put it.
    refusal: Option<String>,
    /// When something of the client's left last.
    spoke_us: u64,
}

impl Connection {
    /// Where to put what is to be sent; it leaves as soon as the socket takes it.
    pub(crate) fn output(&mut self) -> &mut Vec<u8> {
        self.wake();
        &mut self.output
    }

    /// What waits to be written.
    pub(crate) fn pending(&self) -> &[u8] {
        &self.output[self.written..]
    }

    /// So much of the output is with the socket, or with TLS.
    fn left(&mut self, bytes: usize) {
        self.written += bytes;
        if self.written == self.output.len() {
            self.output.clear();
            self.written = 0;
        }
    }

    /// The server does not read what was sent before.
    pub(crate) fn is_backlogged(&self) -> bool {
        self.output.len() - self.written > BACKLOG_BYTES
    }

    /// The server has let this client in.
    pub(crate) fn signed_in<P: Protocol>(&mut self, context: &Context<P>) {
        self.established(context);
        let now_us = context.now_us();
        {
            let common = &mut context.recorder.borrow_mut().common;
            common.logins += 1;
            let latency_us = now_us.saturating_sub(self.since_us).max(1);
            common.login.saturating_record(latency_us);
        }
        if context.shared.is_churn() {
            context.close_at(now_us + context.shared.churn_stay_us(), self.slot);
        }
    }

    /// This connection needs no sign-in, or none that is measured.
    pub(crate) fn established<P: Protocol>(&mut self, context: &Context<P>) {
        self.stage = Stage::SignedIn;
        context.shared.add_connected(1);
    }

    /// Keeps why the server does not let this client in, or ends its connection.
    pub(crate) fn refuse(&mut self, why: String) {
        self.refusal = Some(why);
    }

    /// Ends the connection once everything said has left.
    pub(crate) fn close(&mut self) {
        self.closing = true;
        self.wake();
    }

    pub(crate) fn is_closing(&self) -> bool {
        self.closing
    }

    pub(crate) fn stage(&self) -> Stage {
        self.stage
    }

    /// Signed in, and to stay.
    pub(crate) fn is_signed_in(&self) -> bool {
        self.stage == Stage::SignedIn && !self.closing
    }

    /// What is put into the output from now on leaves in this turn.
    pub(crate) fn begin_turn(&mut self) {
        self.has_turn = true;
    }

    /// What is put into the output from now on needs another turn.
    pub(crate) fn end_turn(&mut self) {
        self.has_turn = false;
    }

    fn wake(&mut self) {
        if !self.has_turn {
            self.has_turn = true;
            self.turns.borrow_mut().push(self.slot);
        }
    }

    /// Ready, or never going to be: the run need not wait for it.
    pub(crate) fn settle<P: Protocol>(&mut self, context: &Context<P>) {
        if !self.settled {
            self.settled = true;
            context.shared.settle();
        }
    }
}

/// A client of a run.
#[derive(Debug)]
pub(crate) struct Client<P: Protocol> {
    pub(crate) connection: Connection,
    pub(crate) session: P::Session,
    /// Intended times of sign-ins not begun yet: of a slow server their waiting counts as latency.
    owed: VecDeque<u64>,
    /// Encryption, if the run's connections have it.
    secured: Option<Box<Secured>>,
    /// Sign-ins of a churn that were due so far.
    turns: u64,
    /// Its time is over, as the scenario has it.
    leaving: bool,
}

impl<P: Protocol> Client<P> {
    pub(crate) fn new(index: usize, slot: usize, context: &Context<P>) -> Client<P> {
        Client {
            connection: Connection {
                index,
                slot,
                stage: Stage::Away,
                output: Vec::new(),
                written: 0,
                turns: context.turns.clone(),
                has_turn: false,
                since_us: 0,
                settled: false,
                closing: false,
                refusal: None,
                spoke_us: 0,
            },
            session: P::Session::new(index, context),
            owed: VecDeque::new(),
            secured: None,
            turns: 0,
            leaving: false,
        }
    }

    /// A connection is being made; its latency counts from `since_us`.
    pub(crate) fn connect(&mut self, since_us: u64, host: &str, context: &Context<P>) {
        let connection = &mut self.connection;
        connection.output.clear();
        connection.written = 0;
        connection.stage = Stage::SigningIn;
        connection.since_us = since_us;
        connection.closing = false;
        connection.refusal = None;
        connection.spoke_us = context.now_us();
        self.leaving = false;
        context.recorder.borrow_mut().common.connects += 1;
        if let Some(tls) = &context.shared.plan.tls {
            let secured = self
                .secured
                .get_or_insert_with(|| Box::new(Secured::new(tls)));
            if let Err(error) = secured.connect() {
                context.shared.record_error(format!("TLS: {error}"));
            }
        }
        self.session.on_connect(host, connection, context);
    }

    /// Says goodbye and ends the connection, if there is one.
    pub(crate) fn close(&mut self) {
        if self.connection.stage != Stage::Away && !self.connection.closing {
            self.session.on_close(&mut self.connection);
            self.connection.close();
        }
    }

    /// The scenario has this client leave: it does once it has come to an end with what it does, and has signed in at all.
    pub(crate) fn leave(&mut self, context: &Context<P>) {
        self.leaving = true;
        self.session.on_leave(context);
        self.leave_if_idle(context);
    }

    /// It shall be there again before it has left.
    pub(crate) fn stay(&mut self) {
        self.leaving = false;
    }

    /// Something is due in the script that this client follows.
    pub(crate) fn cue(&mut self, cue: Cue, due_us: u64, context: &Context<P>) {
        let connection = &mut self.connection;
        self.session.on_cue(cue, due_us, connection, context);
        self.leave_if_idle(context);
    }

    fn leave_if_idle(&mut self, context: &Context<P>) {
        let busy = self.session.is_busy();
        if self.leaving && self.connection.is_signed_in() && !busy && !context.shared.is_stopping()
        {
            self.leaving = false;
            self.close();
        }
    }

    /// Bytes for the socket: the output, or what TLS makes of it.
    pub(crate) fn outgoing(&mut self) -> io::Result<&[u8]> {
        let connection = &mut self.connection;
        let Some(secured) = &mut self.secured else {
            return Ok(connection.pending());
        };
        let (outgoing, taken) = secured.outgoing(connection.pending(), connection.closing)?;
        connection.left(taken);
        Ok(outgoing)
    }

    /// `bytes` of what goes out have left.
    pub(crate) fn wrote(&mut self, bytes: usize, context: &Context<P>) {
        context.recorder.borrow_mut().common.bytes_out += bytes as u64;
        self.connection.spoke_us = context.now_us();
        match &mut self.secured {
            None => self.connection.left(bytes),
            Some(secured) => secured.sent(bytes, self.connection.spoke_us),
        }
    }

    /// Bytes came in.
    pub(crate) fn read(&mut self, bytes: &[u8], context: &Context<P>) -> anyhow::Result<()> {
        context.recorder.borrow_mut().common.bytes_in += bytes.len() as u64;
        match &mut self.secured {
            None => self
                .session
                .on_bytes(bytes, &mut self.connection, context)?,
            Some(secured) => {
                let (mut wire, mut plain) = (bytes, context.plain.borrow_mut());
                while let Some(bytes) = secured.read(&mut wire, &mut plain)? {
                    self.session
                        .on_bytes(bytes, &mut self.connection, context)?;
                }
                if let Some(handshake) = secured.handshake() {
                    note_handshake(handshake, context);
                }
            }
        }
        if self.connection.stage == Stage::SignedIn && self.session.is_ready() {
            self.connection.settle(context);
        }
        self.leave_if_idle(context);
        Ok(())
    }

    /// The connection is over.
    pub(crate) fn ended(&mut self, end: &End, context: &Context<P>) {
        let connection = &mut self.connection;
        let stage = std::mem::replace(&mut connection.stage, Stage::Away);
        if let Some(secured) = &mut self.secured {
            secured.disconnect();
        }
        connection.output = Vec::new();
        connection.written = 0;
        if stage == Stage::SignedIn {
            context.shared.add_connected(-1);
        }
        match self.session.on_disconnect(connection.closing, context) {
            Next::Failed => self.failed(stage, end, context),
            Next::Reconnect(after_us) if !context.shared.is_stopping() => {
                let slot = self.connection.slot;
                context.queue(context.now_us() + after_us, slot, Task::Connect);
            }
            Next::Away | Next::Reconnect(_) => {}
        }
    }

    fn failed(&mut self, stage: Stage, end: &End, context: &Context<P>) {
        let refusal = self.connection.refusal.take();
        let mut recorder = context.recorder.borrow_mut();
        let counts = &mut recorder.common;
        let reason = match end {
            End::Done | End::Closed => refusal.unwrap_or_else(|| {
                let silent_us = context.now_us().saturating_sub(self.connection.spoke_us);
                closed_in_words(silent_us)
            }),
            End::Broken(error) => error.to_string(),
            End::Protocol(error) => {
                counts.protocol_errors += 1;
                error.to_string()
            }
        };
        let (count, what) = if stage < Stage::SignedIn {
            (&mut counts.login_failures, "sign-in")
        } else if !self.connection.settled {
            (&mut counts.setup_failures, "setting up")
        } else {
            context.shared.add_closed_by_server();
            (&mut counts.closed_by_server, "connection")
        };
        *count += 1;
        context.shared.record_error(format!("{what}: {reason}"));
        self.connection.settle(context);
    }

    /// A sign-in is due at this time.
    pub(crate) fn owe(&mut self, due_us: u64) {
        self.owed.push_back(due_us);
        self.turns += 1;
    }

    /// When this client's next sign-in of a churn is due, counted from the beginning of the measured phase.
    pub(crate) fn next_sign_in_us(&self, context: &Context<P>) -> u64 {
        let schedule = &context.shared.schedule;
        schedule.due_us(self.connection.index, self.turns)
    }

    /// The next sign-in to begin, by its intended time, if this client is away.
    pub(crate) fn next_owed(&mut self) -> Option<u64> {
        (self.connection.stage == Stage::Away)
            .then(|| self.owed.pop_front())
            .flatten()
    }

    /// How much this client still waits for.
    pub(crate) fn missing(&self, context: &Context<P>) -> u64 {
        let plan = &context.shared.plan;
        let comes_late = context.shared.is_churn() || self.connection.index >= plan.at_start();
        let signing_in = comes_late && self.connection.stage == Stage::SigningIn;
        let own = self.session.missing(&self.connection, context);
        own + self.owed.len() as u64 + u64::from(signing_in)
    }

    /// The run is over: counts what never happened.
    pub(crate) fn account(&self, context: &Context<P>) {
        {
            let common = &mut context.recorder.borrow_mut().common;
            common.unsent += self.owed.len() as u64;
            // Sign-ins that did not come to an end have been waited for until now.
            let under_way = self.connection.stage == Stage::SigningIn;
            let since_us = under_way.then_some(self.connection.since_us);
            for since_us in self.owed.iter().copied().chain(since_us) {
                let waited_us = context.now_us().saturating_sub(since_us).max(1);
                common.login.give_up(waited_us, 1);
            }
            match self.connection.stage {
                Stage::SigningIn => {
                    common.login_failures += 1;
                    let what = "sign-in: not complete in time";
                    context.shared.record_error(what.to_owned());
                }
                Stage::SignedIn if !self.connection.settled => {
                    common.setup_failures += 1;
                    let what = "setting up: not complete in time";
                    context.shared.record_error(what.to_owned());
                }
                Stage::SignedIn | Stage::Away => {}
            }
        }
        self.session.account(context);
    }
}

/// The server has ended a connection without a word; how long the client had said nothing by then, if that may have been why.
fn closed_in_words(silent_us: u64) -> String {
    let silent_s = silent_us / 1_000_000;
    let longest = SILENCES_S.iter().find(|least_s| silent_s >= **least_s);
    match longest {
        Some(least_s) => {
            format!(
                "closed by the server, {least_s} s or more after this client had last said something"
            )
        }
        None => "closed by the server".to_owned(),
    }
}

fn note_handshake<P: Protocol>(handshake: Handshake, context: &Context<P>) {
    let took_us = context.now_us().saturating_sub(handshake.began_us).max(1);
    let common = &mut context.recorder.borrow_mut().common;
    common.tls_handshake.saturating_record(took_us);
    common.tls_resumed += u64::from(handshake.resumed);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_that_ended_after_a_silence_says_so() {
        assert_eq!(closed_in_words(4_999_999), "closed by the server");
        for (silent_us, said) in [
            (5_000_000, "5 s"),
            (17_000_000, "15 s"),
            (99_000_000, "60 s"),
        ] {
            let words = closed_in_words(silent_us);
            let expected = format!("closed by the server, {said} or more after");
            assert!(words.starts_with(&expected), "{words}");
        }
    }
}
