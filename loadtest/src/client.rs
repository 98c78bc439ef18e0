//! One client: signs in, answers pings, and hands the rest to its role.
//!
//! A client is a state machine without a socket. `worker` gives it bytes and takes its output.

use std::collections::VecDeque;
use std::task::Waker;

use memchr::memmem;
use serde::Deserialize;
use serde_json::json;

use crate::framing::{self, Frame, Framer, FramingError, Incoming, Transport};
use crate::roles::Role;
use crate::worker::{Local, Task};

/// Unsent output past which a client stops adding to it: the server has not read for long.
const BACKLOG_BYTES: usize = 1 << 20;
/// How long a player who vanished from a match stays away.
const VANISHED_US: u64 = 500_000;
/// Contains the word by which servers know an official client, so that they do not greet us with a notice.
const USER_AGENT: &str = "downlords-faf-client/swarm";

/// How far the sign-in has come. spec: faf-lifecycle 3.1
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Stage {
    /// No connection (yet, or any more).
    Away,
    /// Connecting, upgrading, asking for a session.
    Arriving,
    /// `hello` is sent.
    SigningIn,
    /// The list of games has come.
    Synced,
}

/// Why a conversation ended.
#[derive(Debug)]
pub(crate) enum End {
    /// The client had nothing more to do here.
    Done,
    /// The server closed the connection.
    Closed,
    /// The connection could not be made or broke.
    Broken(std::io::Error),
    /// The server broke the protocol.
    Protocol(FramingError),
}

/// A client's output, and who it is.
#[derive(Debug)]
pub(crate) struct Output {
    /// Number among all clients of the run.
    pub(crate) index: usize,
    /// Number among the clients of the thread.
    pub(crate) slot: usize,
    /// The player's id as the server told it.
    pub(crate) player_id: u64,
    transport: Transport,
    mask: u32,
    out: Vec<u8>,
    written: usize,
    waker: Option<Waker>,
}

impl Output {
    /// Says one message; it leaves as soon as the socket takes it.
    pub(crate) fn send(&mut self, json: &str) {
        framing::encode(self.transport, json, &mut self.mask, &mut self.out);
        self.wake();
    }

    /// The server does not read what was said before.
    pub(crate) fn is_backlogged(&self) -> bool {
        self.out.len() - self.written > BACKLOG_BYTES
    }

    fn wake(&self) {
        if let Some(waker) = &self.waker {
            waker.wake_by_ref();
        }
    }
}

#[derive(Debug)]
pub(crate) struct Client {
    pub(crate) output: Output,
    pub(crate) role: Role,
    pub(crate) stage: Stage,
    framer: Option<Framer>,
    /// From when this sign-in's latency counts.
    since_us: u64,
    /// Intended times of the pings under way, oldest first.
    pings: VecDeque<u64>,
    /// Ready or given up, and the run was told so.
    settled: bool,
    /// This client ended the conversation itself.
    leaving: bool,
    /// The reason a login failed, as the server put it.
    refusal: Option<String>,
}

impl Client {
    pub(crate) fn new(index: usize, slot: usize, local: &Local) -> Client {
        let plan = &local.run.plan;
        let transport = plan.transports[index % plan.transports.len()].0;
        Client {
            output: Output {
                index,
                slot,
                player_id: 0,
                transport,
                mask: (index as u32).wrapping_mul(2_654_435_761) | 1,
                out: Vec::new(),
                written: 0,
                waker: None,
            },
            role: Role::new(plan.part(index), local),
            stage: Stage::Away,
            framer: None,
            since_us: 0,
            pings: VecDeque::new(),
            settled: false,
            leaving: false,
            refusal: None,
        }
    }

    /// A connection is being made; its latency counts from `since_us`.
    pub(crate) fn arrive(&mut self, since_us: u64, host: &str, local: &Local) {
        let mut nonce = [0_u8; 16];
        rand::RngExt::fill(&mut *local.random.borrow_mut(), &mut nonce);
        let (framer, hello) = Framer::open(self.output.transport, host, nonce);
        self.framer = Some(framer);
        self.output.out.clear();
        self.output.written = 0;
        self.output.out.extend_from_slice(&hello);
        self.stage = Stage::Arriving;
        self.since_us = since_us;
        self.pings.clear();
        self.leaving = false;
        self.refusal = None;
        local.recorder.borrow_mut().counts.connects += 1;
        if hello.is_empty() {
            self.ask_session();
        }
    }

    /// Asks the connection to end once everything said has left.
    pub(crate) fn leave(&mut self) {
        if self.stage != Stage::Away && !self.leaving {
            self.leaving = true;
            if self.output.transport == Transport::Websocket && self.stage > Stage::Arriving {
                framing::websocket_close(&mut self.output.mask, &mut self.output.out);
            }
            self.output.wake();
        }
    }

    pub(crate) fn is_leaving(&self) -> bool {
        self.leaving
    }

    pub(crate) fn remember(&mut self, waker: &Waker) {
        if !self
            .output
            .waker
            .as_ref()
            .is_some_and(|known| known.will_wake(waker))
        {
            self.output.waker = Some(waker.clone());
        }
    }

    /// What waits to be written.
    pub(crate) fn pending(&self) -> &[u8] {
        &self.output.out[self.output.written..]
    }

    /// `bytes` of the output have left.
    pub(crate) fn wrote(&mut self, bytes: usize, local: &Local) {
        self.output.written += bytes;
        local.recorder.borrow_mut().counts.bytes_out += bytes as u64;
        if self.output.written == self.output.out.len() {
            self.output.out.clear();
            self.output.written = 0;
        }
    }

    /// Bytes came in.
    pub(crate) fn read(&mut self, chunk: &[u8], local: &Local) -> Result<(), FramingError> {
        local.recorder.borrow_mut().counts.bytes_in += chunk.len() as u64;
        // Taken out for the time being, because the messages it finds change the client.
        let Some(mut framer) = self.framer.take() else {
            return Ok(());
        };
        let outcome = framer.push(chunk, &mut |incoming| self.on_message(incoming, local));
        self.framer = Some(framer);
        outcome
    }

    fn on_message(&mut self, incoming: Incoming<'_>, local: &Local) {
        match incoming {
            Incoming::Opened => self.ask_session(),
            Incoming::WebsocketPing(payload) => {
                framing::websocket_pong(payload, &mut self.output.mask, &mut self.output.out);
            }
            Incoming::WebsocketClose => {}
            Incoming::Message(frame) => {
                local.recorder.borrow_mut().counts.messages_in += 1;
                if self.stage == Stage::Synced
                    && let Role::Watch(watcher) = &mut self.role
                    && watcher.on_message(&frame, local)
                {
                    return;
                }
                self.message(&frame, local);
            }
        }
    }

    fn message(&mut self, frame: &Frame<'_>, local: &Local) {
        let text = frame.text();
        match framing::command_of(&text) {
            None => local.protocol_error("a message without a command"),
            Some("ping") => {
                self.output.send(r#"{"command":"pong"}"#);
                local.recorder.borrow_mut().counts.pings_answered += 1;
            }
            Some("pong") => {
                if let Some(intended_us) = self.pings.pop_front() {
                    let rtt_us = local.run.clock.now_us().saturating_sub(intended_us);
                    local.recorder.borrow_mut().ping.saturating_record(rtt_us);
                }
            }
            Some("invalid") => local.protocol_error("the server called a message invalid"),
            Some(command) if self.stage != Stage::Synced => self.sign_in(command, &text, local),
            Some(command) => {
                self.role
                    .on_message(command, &text, frame, &mut self.output, local);
                self.settle_if_ready(local);
            }
        }
    }

    fn ask_session(&mut self) {
        self.output.send(
            &json!({"command": "ask_session", "version": env!("CARGO_PKG_VERSION"), "user_agent": USER_AGENT}).to_string(),
        );
    }

    /// spec: faf-lifecycle 3.1
    fn sign_in(&mut self, command: &str, text: &[u8], local: &Local) {
        match command {
            "session" if self.stage == Stage::Arriving => {
                self.stage = Stage::SigningIn;
                let (login, password) = local.run.plan.accounts.of(self.output.index);
                self.output.send(
                    &json!({"command": "hello", "login": login, "password": password,
                        "unique_id": format!("swarm-{}", self.output.index)})
                    .to_string(),
                );
            }
            "welcome" => self.output.player_id = Welcome::read(text),
            "authentication_failed" | "notice" => {
                self.refusal =
                    Some(String::from_utf8_lossy(&text[..text.len().min(200)]).into_owned());
            }
            // Single objects may slip in before the list.
            "game_info" if memmem::find(text, b"\"games\"").is_some() => self.synced(local),
            _ => {}
        }
    }

    fn synced(&mut self, local: &Local) {
        self.stage = Stage::Synced;
        let run = &local.run;
        let now_us = run.clock.now_us();
        run.connected(1);
        {
            let mut recorder = local.recorder.borrow_mut();
            recorder.counts.logins += 1;
            recorder
                .login
                .saturating_record(now_us.saturating_sub(self.since_us).max(1));
        }
        if matches!(self.role, Role::Churn(_)) {
            local.schedule(
                now_us + run.churn_stay_us(),
                self.output.slot,
                Task::SignOut,
            );
        } else if self.output.index.is_multiple_of(8) && !run.plan.ping_every.is_zero() {
            local.schedule(now_us + run.ping_every_us(), self.output.slot, Task::Ping);
        }
        self.role.synced(&mut self.output, local);
        self.settle_if_ready(local);
    }

    /// A ping was due at `due_us`.
    pub(crate) fn ping(&mut self, due_us: u64, local: &Local) {
        if self.stage != Stage::Synced || self.leaving {
            return;
        }
        if !self.output.is_backlogged() {
            self.pings.push_back(due_us);
            self.output.send(r#"{"command":"ping"}"#);
        }
        if !local.run.is_stopping() {
            local.schedule(
                due_us + local.run.ping_every_us(),
                self.output.slot,
                Task::Ping,
            );
        }
    }

    fn settle_if_ready(&mut self, local: &Local) {
        if !self.settled && self.stage == Stage::Synced && self.role.is_ready() {
            self.settled = true;
            local.run.settle();
        }
    }

    /// The conversation is over.
    pub(crate) fn ended(&mut self, end: &End, local: &Local) {
        let stage = std::mem::replace(&mut self.stage, Stage::Away);
        self.framer = None;
        self.output.waker = None;
        self.output.out = Vec::new();
        self.output.written = 0;
        if stage == Stage::Synced {
            local.run.connected(-1);
        }
        if self.leaving {
            // Who vanishes from a match comes back.
            if matches!(self.role, Role::Queue(_)) && !local.run.is_stopping() {
                let back_us = local.run.clock.now_us() + VANISHED_US;
                local.schedule(back_us, self.output.slot, Task::Connect);
            }
            return;
        }
        let reason = match end {
            End::Done | End::Closed => self
                .refusal
                .take()
                .unwrap_or_else(|| "closed by the server".to_owned()),
            End::Broken(error) => error.to_string(),
            End::Protocol(error) => {
                local.recorder.borrow_mut().counts.protocol_errors += 1;
                error.to_string()
            }
        };
        let mut recorder = local.recorder.borrow_mut();
        let (count, what) = if stage < Stage::Synced {
            (&mut recorder.counts.login_failures, "sign-in")
        } else if !self.settled {
            (&mut recorder.counts.setup_failures, "setting up")
        } else {
            (&mut recorder.counts.closed_by_server, "connection")
        };
        *count += 1;
        local.run.record_error(format!("{what}: {reason}"));
        if !self.settled {
            self.settled = true;
            local.run.settle();
        }
    }

    /// The run is over: counts what never happened.
    pub(crate) fn account(&mut self, local: &Local) {
        let run = &local.run;
        let mut recorder = local.recorder.borrow_mut();
        match self.stage {
            Stage::Arriving | Stage::SigningIn => {
                recorder.counts.login_failures += 1;
                run.record_error("sign-in: not complete in time".to_owned());
            }
            Stage::Synced if !self.settled => {
                recorder.counts.setup_failures += 1;
                run.record_error("setting up: not complete in time".to_owned());
            }
            Stage::Synced | Stage::Away => {}
        }
        match &self.role {
            Role::Watch(watcher) => recorder.counts.lost += watcher.seen.missing(run.sent()),
            Role::Churn(churner) => recorder.counts.unsent += churner.owed() as u64,
            Role::Queue(queuer) => {
                recorder.counts.stuck += u64::from(queuer.is_stuck());
                recorder.counts.unrated += u64::from(queuer.is_unrated());
            }
            _ => {}
        }
    }
}

/// The parts of `welcome` that matter. spec: faf-messages 5.2
#[derive(Default, Deserialize)]
struct Welcome {
    #[serde(default)]
    id: u64,
    #[serde(default)]
    me: Me,
}

#[derive(Default, Deserialize)]
struct Me {
    #[serde(default)]
    id: u64,
}

impl Welcome {
    fn read(text: &[u8]) -> u64 {
        let welcome: Welcome = serde_json::from_slice(text).unwrap_or_default();
        if welcome.me.id == 0 {
            welcome.id
        } else {
            welcome.me.id
        }
    }
}
