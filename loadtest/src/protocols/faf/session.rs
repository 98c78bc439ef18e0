//! One client: signs in, answers pings, and hands the rest to its role.

use std::collections::VecDeque;

use memchr::memmem;
use serde::Deserialize;
use serde_json::json;
use sha2::{Digest as _, Sha256};

use super::framing::{self, Frame, Framer, Incoming, Transport};
use super::output::Encoder;
use super::plan::Faf;
use super::roles::Role;
use super::{Context, Task};
use crate::connection::{Connection, Stage};
use crate::protocol::{Next, Session};
use crate::protocols::member::text_of;
use crate::scenario::Cue;

/// How long a player who vanished from a match stays away.
const VANISHED_US: u64 = 500_000;
/// Of so many clients one sends pings.
const PINGING_ONE_OF: usize = 8;
/// Contains the word by which servers know an official client, so that they do not greet us with a notice.
const USER_AGENT: &str = "downlords-faf-client/swarm";

#[derive(Debug)]
pub(crate) struct FafSession {
    encoder: Encoder,
    role: Role,
    framer: Option<Framer>,
    /// The server has given a session, and `hello` is sent.
    greeted: bool,
    /// Intended times of the pings under way, oldest first.
    pings: VecDeque<u64>,
}

impl Session<Faf> for FafSession {
    fn new(index: usize, context: &Context) -> FafSession {
        let protocol = &context.shared.protocol;
        let transport = protocol.transports[index % protocol.transports.len()];
        FafSession {
            encoder: Encoder::new(index, transport),
            role: Role::new(index, context),
            framer: None,
            greeted: false,
            pings: VecDeque::new(),
        }
    }

    fn on_connect(&mut self, host: &str, connection: &mut Connection, context: &Context) {
        let mut nonce = [0_u8; 16];
        rand::RngExt::fill(&mut *context.random.borrow_mut(), &mut nonce);
        let (framer, hello) = Framer::open(self.encoder.transport, host, nonce);
        self.framer = Some(framer);
        self.greeted = false;
        self.pings.clear();
        connection.output().extend_from_slice(&hello);
        if hello.is_empty() {
            self.ask_session(connection);
        }
    }

    fn on_bytes(
        &mut self,
        bytes: &[u8],
        connection: &mut Connection,
        context: &Context,
    ) -> anyhow::Result<()> {
        // Taken out for the time being, because the messages it finds change the client.
        let Some(mut framer) = self.framer.take() else {
            return Ok(());
        };
        let outcome = framer.push(bytes, &mut |incoming| {
            self.on_incoming(incoming, connection, context);
        });
        self.framer = Some(framer);
        Ok(outcome?)
    }

    fn on_task(&mut self, task: Task, due_us: u64, connection: &mut Connection, context: &Context) {
        if !connection.is_signed_in() {
            return;
        }
        let output = &mut self.encoder.on(connection);
        match task {
            Task::Work => self.role.work(due_us, output, context),
            Task::Chat => self.role.chat(due_us, output, context),
            Task::Leave => self.role.leave(output, context),
            Task::Ping => self.ping(due_us, connection, context),
        }
    }

    fn on_cue(&mut self, cue: Cue, due_us: u64, connection: &mut Connection, context: &Context) {
        if let Role::Script(actor) = &mut self.role {
            let output = &mut self.encoder.on(connection);
            actor.on_cue(cue, due_us, output, context);
        }
    }

    fn is_busy(&self) -> bool {
        match &self.role {
            Role::Script(actor) => actor.is_busy(),
            Role::Watch(watcher) => watcher.is_busy(),
            _ => false,
        }
    }

    fn on_leave(&mut self, context: &Context) {
        if let Role::Watch(watcher) = &mut self.role {
            watcher.leave(context);
        }
    }

    fn on_close(&mut self, connection: &mut Connection) {
        if self.encoder.transport == Transport::Websocket && self.greeted {
            self.encoder.on(connection).send_close_frame();
        }
    }

    fn on_disconnect(&mut self, by_client: bool, context: &Context) -> Next {
        self.framer = None;
        match &mut self.role {
            Role::Script(actor) => actor.on_disconnect(context),
            Role::Watch(watcher) if by_client => watcher.left(context),
            _ => {}
        }
        match self.role {
            _ if !by_client => Next::Failed,
            // Who vanishes from a match comes back.
            Role::Queue(_) => Next::Reconnect(VANISHED_US),
            _ => Next::Away,
        }
    }

    fn is_ready(&self) -> bool {
        self.role.is_ready()
    }

    fn on_measure(&mut self, from_us: u64, connection: &Connection, context: &Context) {
        self.role.measure(from_us, connection, context);
    }

    fn on_finish(&mut self, connection: &mut Connection, context: &Context) {
        self.role.finish(&mut self.encoder.on(connection), context);
    }

    fn missing(&self, connection: &Connection, context: &Context) -> u64 {
        let signed_in = connection.stage() == Stage::SignedIn;
        self.role.missing(signed_in, context)
    }

    fn account(&self, context: &Context) {
        for intended_us in &self.pings {
            context.give_up(*intended_us, |metrics| &mut metrics.ping);
        }
        self.role.account(context);
    }
}

impl FafSession {
    fn on_incoming(
        &mut self,
        incoming: Incoming<'_>,
        connection: &mut Connection,
        context: &Context,
    ) {
        match incoming {
            Incoming::Opened => self.ask_session(connection),
            Incoming::WebsocketPing(payload) => {
                self.encoder.on(connection).send_pong_frame(payload);
            }
            Incoming::WebsocketClose => {}
            Incoming::Message(frame) => {
                context.recorder.borrow_mut().common.messages_in += 1;
                if connection.stage() == Stage::SignedIn
                    && let Role::Watch(watcher) = &mut self.role
                    && watcher.on_message(&frame, context)
                {
                    return;
                }
                self.on_message(&frame, connection, context);
            }
        }
    }

    fn on_message(&mut self, frame: &Frame<'_>, connection: &mut Connection, context: &Context) {
        let text = frame.text();
        let signed_in = connection.stage() == Stage::SignedIn;
        let output = &mut self.encoder.on(connection);
        match framing::command_of(&text) {
            None => context.protocol_error("a message without a command"),
            Some("ping") => {
                output.send(r#"{"command":"pong"}"#);
                context.recorder.borrow_mut().metrics.pings_answered += 1;
            }
            // Those of a script come after those of the client, whose pings are seldom.
            Some("pong") if !self.pings.is_empty() => {
                if let Some(intended_us) = self.pings.pop_front() {
                    context.note(intended_us, |metrics| &mut metrics.ping);
                }
            }
            Some("pong") if !matches!(self.role, Role::Script(_)) => {}
            // A script may have meant it.
            Some("invalid") if !matches!(self.role, Role::Script(_)) => {
                context.protocol_error("the server called a message invalid");
            }
            Some("notice") if signed_in && ends_connection(&text) => {
                connection.refuse(words_of(&text));
            }
            Some(command) if !signed_in => {
                self.sign_in(command, &text, connection, context);
            }
            Some(command) => self.role.on_message(command, &text, frame, output, context),
        }
    }

    fn ask_session(&mut self, connection: &mut Connection) {
        self.encoder.on(connection).send(
            &json!({"command": "ask_session", "version": env!("CARGO_PKG_VERSION"), "user_agent": USER_AGENT}).to_string(),
        );
    }

    /// spec: faf-lifecycle 3.1
    fn sign_in(
        &mut self,
        command: &str,
        text: &[u8],
        connection: &mut Connection,
        context: &Context,
    ) {
        match command {
            "session" if !self.greeted => {
                self.greeted = true;
                let (index, run_id) = (connection.index, &context.shared.plan.run_id);
                let (login, password) = context.shared.plan.accounts.of(index);
                self.encoder.on(connection).send(
                    &json!({"command": "hello", "login": login, "password": sha256_hex(&password),
                        "unique_id": format!("swarm-{run_id}-{index}")})
                    .to_string(),
                );
            }
            "welcome" => self.encoder.player_id = Welcome::read(text),
            "authentication_failed" | "notice" => {
                connection.refuse(words_of(text));
            }
            // Single objects may slip in before the list.
            "game_info" if memmem::find(text, b"\"games\"").is_some() => {
                self.signed_in(connection, context);
            }
            _ => {}
        }
    }

    fn signed_in(&mut self, connection: &mut Connection, context: &Context) {
        connection.signed_in(context);
        let shared = &context.shared;
        let ping_every_us = shared.plan.ping_every.as_micros() as u64;
        let pings = connection.index.is_multiple_of(PINGING_ONE_OF) && ping_every_us > 0;
        if pings && !shared.is_churn() {
            let first_us = context.now_us() + ping_every_us;
            context.schedule(first_us, connection.slot, Task::Ping);
        }
        self.role
            .signed_in(&mut self.encoder.on(connection), context);
    }

    /// A ping was due at `due_us`.
    fn ping(&mut self, due_us: u64, connection: &mut Connection, context: &Context) {
        let output = &mut self.encoder.on(connection);
        if !output.is_backlogged() {
            self.pings.push_back(due_us);
            output.send(r#"{"command":"ping"}"#);
        }
        if !context.shared.is_stopping() {
            let next_us = due_us + context.shared.plan.ping_every.as_micros() as u64;
            context.schedule(next_us, output.slot(), Task::Ping);
        }
    }
}

/// A notice by which the server ends the connection (spec: faf-messages, `closelobby`).
fn ends_connection(text: &[u8]) -> bool {
    text_of(text, "\"style\"") == Some("kick")
}

/// The beginning of what the server says.
fn words_of(text: &[u8]) -> String {
    String::from_utf8_lossy(&text[..text.len().min(200)]).into_owned()
}

/// Passwords travel as lower-case hex SHA-256. spec: faf-messages 3.3
pub(super) fn sha256_hex(text: &str) -> String {
    Sha256::digest(text.as_bytes())
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kick_is_the_last_word_and_other_notices_are_not() {
        let notice =
            |style: &str| json!({"command": "notice", "style": style, "text": "x"}).to_string();
        assert!(ends_connection(notice("kick").as_bytes()));
        // It ends the game alone.
        assert!(!ends_connection(notice("kill").as_bytes()));
        assert!(!ends_connection(notice("error").as_bytes()));
    }

    #[test]
    fn passwords_travel_hashed() {
        assert!(sha256_hex("abc").starts_with("ba7816bf8f01cfea"));
    }
}
