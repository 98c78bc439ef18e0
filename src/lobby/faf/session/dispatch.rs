//! From a frame to its handler, from an answer to the rest of a request that waits for it, and from a refusal to what the
//! client gets (spec: faf-messages 2).

use crate::faf::{
    Faf, FafTurn, close,
    model::player_state::PlayerState,
    protocol::{
        message,
        request::{Outcome, Refusal},
        text,
    },
    questions::{AnyContinuation, Ask},
};
use crate::{
    ConnId,
    question::{Continuation, Question, StoreFailure},
};
use wire::json::Value;

/// Commands that are heard before login (spec: faf-messages 2, item 2).
const BEFORE_LOGIN: [&str; 7] = [
    "Bottleneck",
    "ask_session",
    "auth",
    "create_account",
    "hello",
    "ping",
    "pong",
];

impl Faf {
    pub(in crate::faf) fn frame(&mut self, turn: &mut FafTurn<'_>, conn: ConnId, body: &mut [u8]) {
        if self.sessions.get(conn).is_none_or(|s| s.closing) {
            return;
        }
        // What idle players say needs no parser: there are many of them, and each finds the caches cold.
        if *body == *message::PING {
            return turn.send(conn, message::PONG);
        }
        if *body == *message::PONG {
            return;
        }
        // The document borrows its reader, and handlers need all of `self`: the reader steps out for the frame.
        let mut reader = self.reader.take().unwrap_or_default();
        let outcome = match reader.parse(body) {
            Ok(doc) => self.dispatch(turn, conn, doc.root()),
            // spec: faf-observed, Connection: bad JSON ends the connection silently
            Err(_) => Err(Refusal::Garbage),
        };
        self.reader = Some(reader);
        if let Err(refusal) = outcome {
            self.refused(turn, conn, refusal);
        }
    }

    fn dispatch(&mut self, turn: &mut FafTurn<'_>, conn: ConnId, message: Value<'_>) -> Outcome {
        if !message.is_object() {
            return Err(Refusal::Invalid);
        }
        let command = message
            .get("command")
            .ok_or(Refusal::Garbage)?
            .as_str()
            .unwrap_or_default();
        let Some(session) = self.sessions.get_mut(conn) else {
            return Ok(());
        };
        if session.player.is_none() && !BEFORE_LOGIN.contains(&command) {
            self.counters.unauthenticated += 1;
            self.metrics_collector.unauthenticated(command);
            close(&mut self.sessions, turn, conn);
            return Ok(());
        }
        match message.get("target").and_then(|target| target.as_str()) {
            Some("game") if session.link.is_some() => {
                self.game_message(turn, conn, command, message);
                return Ok(());
            }
            Some("game") => return Ok(()),
            Some("connectivity") if command == "InitiateTest" => {
                session.old_client = true;
                return Err(Refusal::client(
                    "Your client version is no longer supported. Please update to the newest version: \
                     https://faforever.com",
                ));
            }
            _ => {}
        }
        match command {
            "ping" => turn.send(conn, message::PONG),
            "pong" | "match_ready" | "is_ready_response" | "unready_party" => {}
            "ask_session" => return self.ask_session(turn, conn, message),
            "hello" => return self.hello(turn, conn, message),
            "auth" => return self.auth(turn, conn, message),
            "create_account" => {
                return Err(Refusal::client(
                    "FAF no longer supports direct registration. Please use the website to register.",
                ));
            }
            "matchmaker_info" => self.matchmaker_info(turn, conn),
            "ice_servers" => turn.send(conn, message::ICE_SERVERS),
            "game_host" => return self.game_host(turn, conn, message),
            "game_join" => return self.game_join(turn, conn, message),
            "restore_game_session" => return self.restore_game_session(turn, conn, message),
            "game_matchmaking" => return self.game_matchmaking(turn, conn, message),
            "set_player_vetoes" => return self.set_player_vetoes(turn, conn, message),
            "avatar" => return self.avatar(turn, conn, message),
            "admin" => return self.admin(turn, conn, message),
            "coop_list" => self.coop_list(turn, conn),
            "modvault" => return self.modvault(turn, conn, message),
            "invite_to_party" => return self.invite_to_party(turn, conn, message),
            "accept_party_invite" => return self.accept_party_invite(turn, conn, message),
            "kick_player_from_party" => return self.kick_from_party(turn, conn, message),
            "leave_party" => self.leave_party(turn, conn),
            "set_party_factions" => return self.set_party_factions(turn, conn, message),
            "social_add" => return self.social_add(turn, conn, message),
            "social_remove" => return self.social_remove(turn, conn, message),
            _ => return Err(Refusal::Invalid),
        }
        Ok(())
    }

    pub(in crate::faf) fn refuse_old_client(&self, conn: ConnId) -> Outcome {
        match self.sessions.get(conn) {
            Some(session) if session.old_client => Err(Refusal::client(
                "Cannot join game. Please update your client to the newest version.",
            )),
            _ => Ok(()),
        }
    }

    /// The guards of commands that begin a game (spec: faf-messages 2.2).
    pub(in crate::faf) fn guard(&self, conn: ConnId, what: &str) -> Outcome {
        self.refuse_old_client(conn)?;
        self.idle_guard(conn, what)
    }

    /// The guard of commands that are for players who do nothing else (spec: faf-messages 2.2).
    pub(in crate::faf) fn idle_guard(&self, conn: ConnId, what: &str) -> Outcome {
        match self
            .sessions
            .get(conn)
            .map_or(PlayerState::Idle, |s| s.state)
        {
            PlayerState::Idle => Ok(()),
            state => Err(Refusal::Client(
                format!("Can't {what} while in state {}", state.name()).into(),
            )),
        }
    }

    /// Does what a refusal asks for.
    pub(in crate::faf) fn refused(
        &mut self,
        turn: &mut FafTurn<'_>,
        conn: ConnId,
        refusal: Refusal,
    ) {
        let ends = match refusal {
            Refusal::Client(reason) => {
                self.counters.client_errors += 1;
                turn.send(conn, message::notice("error", &reason));
                false
            }
            Refusal::Disabled(request) => {
                self.counters.disabled += 1;
                turn.send(conn, message::encode(&message::Disabled { request }));
                false
            }
            Refusal::Authentication(reason) => {
                turn.send(
                    conn,
                    message::encode(&message::AuthenticationFailed { text: reason }),
                );
                false
            }
            Refusal::Fatal(reason) => {
                self.counters.client_errors += 1;
                turn.send(conn, message::notice("error", reason));
                true
            }
            Refusal::Banned(ban) => {
                self.counters.bans += 1;
                turn.send(
                    conn,
                    message::notice("error", &text::ban(&ban, turn.now.unix)),
                );
                true
            }
            Refusal::Garbage => {
                self.counters.garbage_closes += 1;
                true
            }
            Refusal::Store(StoreFailure::Unavailable) => {
                self.counters.store_errors += 1;
                turn.send(
                    conn,
                    message::notice(
                        "error",
                        "Unable to connect to database. Please try again later.",
                    ),
                );
                true
            }
            Refusal::Invalid | Refusal::Store(StoreFailure::Failed) => {
                self.counters.invalid_closes += 1;
                turn.send(conn, message::INVALID);
                true
            }
        };
        if ends {
            close(&mut self.sessions, turn, conn);
        }
    }

    /// Asks the back office for something, and does not hear the client until it has answered.
    pub(in crate::faf) fn ask_held<R: Request>(
        &mut self,
        turn: &mut FafTurn<'_>,
        conn: ConnId,
        question: R::Question,
        request: R,
    ) where
        R::Question: Into<Ask>,
        Held<R>: Into<AnyContinuation>,
    {
        turn.hold(conn);
        self.pending.ask(turn, question, Held { conn, request });
    }
}

/// The rest of a request, for when the back office has answered.
pub(in crate::faf) trait Request: 'static {
    /// What was asked.
    type Question: Question;
    /// Does the rest. The connection may be gone meanwhile.
    fn resume(
        self,
        faf: &mut Faf,
        turn: &mut FafTurn<'_>,
        conn: ConnId,
        answer: <Self::Question as Question>::Answer,
    ) -> Outcome<Next>;
}

/// Whether a connection is heard again after an answer.
pub(in crate::faf) enum Next {
    /// Its next frame is handled.
    Go,
    /// No: mail is on its way, and whoever handles its answer releases the connection.
    Wait,
}

/// A request whose connection is held until it is done.
#[derive(Debug)]
pub(in crate::faf) struct Held<R> {
    pub(in crate::faf) conn: ConnId,
    pub(in crate::faf) request: R,
}

impl<R: Request> Continuation<Faf> for Held<R> {
    type Question = R::Question;

    fn resume(
        self,
        faf: &mut Faf,
        turn: &mut FafTurn<'_>,
        answer: <Self::Question as Question>::Answer,
    ) {
        let Held { conn, request } = self;
        let outcome = request.resume(faf, turn, conn, answer);
        if faf.sessions.get(conn).is_none() {
            return;
        }
        match outcome {
            Ok(Next::Wait) => return,
            Ok(Next::Go) => {}
            Err(refusal) => faf.refused(turn, conn, refusal),
        }
        turn.release(conn);
    }
}
