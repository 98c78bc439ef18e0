//! From a frame to its handler, from an answer to the rest of a request that waits for it, and from a refusal to what the
//! client gets (spec: faf-messages 2).

use crate::{
    ConnId,
    faf::{
        context::Context,
        model::{pace::STORE_COST, player_state::PlayerState},
        protocol::{
            incoming::{Message, gpgnet::GameMessage},
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
use wire::json::JsonReader;

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
            Ok(doc) => Message::of(&doc).and_then(|message| self.dispatch(cx, conn, message)),
            // spec: faf-observed, Connection: bad JSON ends the connection silently
            Err(_) => Err(Refusal::Garbage),
        };
        if let Err(refusal) = outcome {
            self.refused(cx, conn, refusal);
        }
    }

    /// From a message to whom it is for (spec: faf-messages 2).
    fn dispatch(&mut self, cx: &mut Context<'_>, conn: ConnId, message: Message<'_>) -> Outcome {
        let command = message.command;
        let Some(session) = self.table.get_mut(conn) else {
            return Ok(());
        };
        if session.player.is_none() && !BEFORE_LOGIN.contains(&command) {
            cx.metrics.unauthenticated(command);
            self.close(
                cx,
                conn,
                "a command that is for players only, before sign-in",
            );
            return Ok(());
        }
        if COSTLY.contains(&command) {
            let now = cx.turn.now.mono;
            session.said.cost(now, STORE_COST, &cx.settings.pace);
        }
        match message.target {
            Some("game") => {
                if session.link.is_some() {
                    self.game_message(cx, conn, GameMessage::read(message));
                }
                Ok(())
            }
            Some("connectivity") if command == "InitiateTest" => {
                session.old_client = true;
                Err(Refusal::client(
                    "Your client version is no longer supported. Please update to the newest version: \
                     https://faforever.com",
                ))
            }
            _ => {
                self.guards(conn, command)?;
                self.command(cx, conn, message)
            }
        }
    }

    /// From a command to its handler, which gets the message as it is read there.
    fn command(&mut self, cx: &mut Context<'_>, conn: ConnId, message: Message<'_>) -> Outcome {
        match message.command {
            "ping" => cx.turn.send(conn, message::PONG),
            "pong" | "match_ready" | "is_ready_response" | "unready_party" => {}
            "ask_session" => self.ask_session(cx, conn, message.read()?),
            "hello" => self.hello(cx, conn, message.read()?)?,
            "auth" => self.auth(cx, conn, message.read()?)?,
            "create_account" => {
                return Err(Refusal::client(
                    "FAF no longer supports direct registration. Please use the website to register.",
                ));
            }
            "matchmaker_info" => self.matchmaker_info(cx, conn),
            "ice_servers" => cx.turn.send(conn, message::ICE_SERVERS),
            "game_host" => self.game_host(cx, conn, message.read()),
            "game_join" => self.game_join(cx, conn, message.read()?),
            "restore_game_session" => self.restore_game_session(cx, conn, message.read()?),
            "game_matchmaking" => self.game_matchmaking(cx, conn, message.read()?)?,
            "set_player_vetoes" => self.set_player_vetoes(cx, conn, message.read()?),
            "avatar" => self.avatar(cx, conn, message.read()?),
            "admin" => self.admin(cx, conn, message.read()?),
            "coop_list" => self.coop_list(cx, conn),
            "modvault" => self.modvault(cx, conn, message.read()?),
            "invite_to_party" => self.invite_to_party(cx, conn, message.read()?)?,
            "accept_party_invite" => self.accept_party_invite(cx, conn, message.read()?)?,
            "kick_player_from_party" => self.kick_player_from_party(cx, conn, message.read()?)?,
            "leave_party" => self.leave_party(cx, conn),
            "set_party_factions" => self.set_party_factions(cx, conn, message.read()?),
            "social_add" => self.social_add(cx, conn, message.read()?),
            "social_remove" => self.social_remove(cx, conn, message.read()?),
            _ => return Err(Refusal::Invalid),
        }
        Ok(())
    }

    /// What is checked of a command before any of its fields is read (spec: faf-messages 2.2).
    fn guards(&self, conn: ConnId, command: &str) -> Outcome {
        match command {
            "game_matchmaking" => self.refuse_old_client(conn),
            "game_host" => self.guard(conn, "host a game"),
            "game_join" => self.guard(conn, "join a game"),
            "restore_game_session" => self.guard(conn, "reconnect to a game"),
            "invite_to_party" => self.idle_guard(conn, "invite a player"),
            "accept_party_invite" => self.idle_guard(conn, "join a party"),
            "kick_player_from_party" => self.idle_guard(conn, "kick a player"),
            _ => Ok(()),
        }
    }

    fn refuse_old_client(&self, conn: ConnId) -> Outcome {
        match self.table.get(conn) {
            Some(session) if session.old_client => Err(Refusal::client(
                "Cannot join game. Please update your client to the newest version.",
            )),
            _ => Ok(()),
        }
    }

    /// The guards of commands that begin a game.
    fn guard(&self, conn: ConnId, what: &str) -> Outcome {
        self.refuse_old_client(conn)?;
        self.idle_guard(conn, what)
    }

    /// The guard of commands that are for players who do nothing else.
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
        let why = refusal.in_short();
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
            self.close(cx, conn, why);
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
