//! From a frame to its handler, from an answer to the rest of a request that waits for it, and from a refusal to what the
//! client gets (spec: faf-messages 2).

use crate::{
    ConnId,
    faf::{
        context::Context,
        model::{pace::STORE_COST, player_state::PlayerState},
        protocol::{
            message,
            request::{Outcome, Refusal},
            size, text,
        },
        questions::Ask,
        session::{
            continuations::{Held, Next, Request, SessionContinuation},
            sessions::Sessions,
        },
    },
    question::{Continuation, Question, StoreFailure},
};
use wire::json::{JsonReader, Value};

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

/// Commands for which the store is asked, or a long list is made.
const COSTLY: [&str; 9] = [
    "admin",
    "avatar",
    "coop_list",
    "game_host",
    "game_join",
    "matchmaker_info",
    "modvault",
    "social_add",
    "social_remove",
];

impl Sessions {
    pub(in crate::faf) fn frame(
        &mut self,
        cx: &mut Context<'_>,
        conn: ConnId,
        reader: &mut JsonReader,
        body: &mut [u8],
    ) {
        let Some(session) = self.table.get_mut(conn).filter(|s| !s.closing) else {
            return;
        };
        let now = cx.turn.now.mono;
        session.said.frame(now, body.len(), &cx.settings.pace);
        if let Some(until) = session.said.unheard_until(now, &cx.settings.pace) {
            cx.metrics.pauses.up();
            cx.turn.pause(conn, until);
        }
        // What idle players say needs no parser: there are many of them, and each finds the caches cold.
        if *body == *message::PING {
            return cx.turn.send(conn, message::PONG);
        }
        if *body == *message::PONG {
            return;
        }
        if let Err(refusal) = size::admit(body) {
            cx.metrics.too_long.up();
            return self.refused(cx, conn, refusal);
        }
        let outcome = match reader.parse(body) {
            Ok(doc) => self.dispatch(cx, conn, doc.root()),
            // spec: faf-observed, Connection: bad JSON ends the connection silently
            Err(_) => Err(Refusal::Garbage),
        };
        if let Err(refusal) = outcome {
            self.refused(cx, conn, refusal);
        }
    }

    fn dispatch(&mut self, cx: &mut Context<'_>, conn: ConnId, message: Value<'_>) -> Outcome {
        if !message.is_object() {
            return Err(Refusal::Invalid);
        }
        let command = message
            .get("command")
            .ok_or(Refusal::Garbage)?
            .as_str()
            .unwrap_or_default();
        let Some(session) = self.table.get_mut(conn) else {
            return Ok(());
        };
        if session.player.is_none() && !BEFORE_LOGIN.contains(&command) {
            cx.metrics.unauthenticated(command);
            self.close(cx, conn);
            return Ok(());
        }
        if COSTLY.contains(&command) {
            let now = cx.turn.now.mono;
            session.said.cost(now, STORE_COST, &cx.settings.pace);
        }
        match message.get("target").and_then(|target| target.as_str()) {
            Some("game") if session.link.is_some() => {
                self.game_message(cx, conn, command, message);
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
            "ping" => cx.turn.send(conn, message::PONG),
            "pong" | "match_ready" | "is_ready_response" | "unready_party" => {}
            "ask_session" => return self.ask_session(cx, conn, message),
            "hello" => return self.hello(cx, conn, message),
            "auth" => return self.auth(cx, conn, message),
            "create_account" => {
                return Err(Refusal::client(
                    "FAF no longer supports direct registration. Please use the website to register.",
                ));
            }
            "matchmaker_info" => self.matchmaker_info(cx, conn),
            "ice_servers" => cx.turn.send(conn, message::ICE_SERVERS),
            "game_host" => return self.game_host(cx, conn, message),
            "game_join" => return self.game_join(cx, conn, message),
            "restore_game_session" => return self.restore_game_session(cx, conn, message),
            "game_matchmaking" => return self.game_matchmaking(cx, conn, message),
            "set_player_vetoes" => return self.set_player_vetoes(cx, conn, message),
            "avatar" => return self.avatar(cx, conn, message),
            "admin" => return self.admin(cx, conn, message),
            "coop_list" => self.coop_list(cx, conn),
            "modvault" => return self.modvault(cx, conn, message),
            "invite_to_party" => return self.invite_to_party(cx, conn, message),
            "accept_party_invite" => return self.accept_party_invite(cx, conn, message),
            "kick_player_from_party" => return self.kick_from_party(cx, conn, message),
            "leave_party" => self.leave_party(cx, conn),
            "set_party_factions" => return self.set_party_factions(cx, conn, message),
            "social_add" => return self.social_add(cx, conn, message),
            "social_remove" => return self.social_remove(cx, conn, message),
            _ => return Err(Refusal::Invalid),
        }
        Ok(())
    }

    pub(in crate::faf) fn refuse_old_client(&self, conn: ConnId) -> Outcome {
        match self.table.get(conn) {
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
        match self.table.get(conn).map_or(PlayerState::Idle, |s| s.state) {
            PlayerState::Idle => Ok(()),
            state => Err(Refusal::Client(
                format!("Can't {what} while in state {}", state.name()).into(),
            )),
        }
    }

    /// Does what a refusal asks for.
    pub(in crate::faf) fn refused(&mut self, cx: &mut Context<'_>, conn: ConnId, refusal: Refusal) {
        let ends = match refusal {
            Refusal::Client(reason) => {
                cx.metrics.client_errors.up();
                cx.turn.send(conn, message::notice("error", &reason));
                false
            }
            Refusal::Disabled(request) => {
                cx.metrics.disabled.up();
                cx.turn
                    .send(conn, message::encode(&message::Disabled { request }));
                false
            }
            Refusal::Authentication(reason) => {
                cx.turn.send(
                    conn,
                    message::encode(&message::AuthenticationFailed { text: reason }),
                );
                self.has_failed_too_often(cx, conn)
            }
            Refusal::Fatal(reason) => {
                cx.metrics.client_errors.up();
                cx.turn.send(conn, message::notice("error", reason));
                true
            }
            Refusal::Banned(ban) => {
                cx.metrics.bans.up();
                cx.turn.send(
                    conn,
                    message::notice("error", &text::ban(&ban, cx.turn.now.unix)),
                );
                true
            }
            Refusal::Garbage => {
                cx.metrics.garbage_closes.up();
                true
            }
            Refusal::Store(StoreFailure::Unavailable) => {
                cx.metrics.store_errors.up();
                cx.turn.send(
                    conn,
                    message::notice(
                        "error",
                        "Unable to connect to database. Please try again later.",
                    ),
                );
                true
            }
            Refusal::Invalid | Refusal::Store(StoreFailure::Failed) => {
                cx.metrics.invalid_closes.up();
                cx.turn.send(conn, message::INVALID);
                true
            }
        };
        if ends {
            self.close(cx, conn);
        }
    }

    /// One more failure to sign in. Whether that is the end: a person does not try as often.
    fn has_failed_too_often(&mut self, cx: &mut Context<'_>, conn: ConnId) -> bool {
        let Some(session) = self.table.get_mut(conn) else {
            return false;
        };
        session.failures += 1;
        let ends = session.failures >= cx.settings.sign_in_failures;
        cx.metrics.sign_in_closes.add(u64::from(ends));
        ends
    }

    /// Asks the back office for something, and does not hear the client until it has answered.
    pub(in crate::faf) fn ask_held<R: Request>(
        &mut self,
        cx: &mut Context<'_>,
        conn: ConnId,
        question: R::Question,
        request: R,
    ) where
        R::Question: Into<Ask>,
        Held<R>: Into<SessionContinuation>,
    {
        cx.turn.hold(conn);
        self.pending
            .ask(&mut cx.turn, question, Held { conn, request });
    }
}

impl<R: Request> Continuation for Held<R> {
    type Asker = Sessions;
    type Question = R::Question;

    fn resume(
        self,
        sessions: &mut Sessions,
        cx: &mut Context<'_>,
        answer: <Self::Question as Question>::Answer,
    ) {
        let Held { conn, request } = self;
        let outcome = request.resume(sessions, cx, conn, answer);
        if sessions.table.get(conn).is_none() {
            return;
        }
        match outcome {
            Ok(Next::Wait) => return,
            Ok(Next::Go) => {}
            Err(refusal) => sessions.refused(cx, conn, refusal),
        }
        cx.turn.release(conn);
    }
}
