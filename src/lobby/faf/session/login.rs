//! From credentials to a logged-in player, and the end of a session (spec: faf-lifecycle 3 and 5).
//!
//! Two logins of one account meet at the player's home shard: it knows the one connection that is the player, gives
//! each claim a larger epoch than the one before, and has the older connection ended. The newer does not wait for that.

use crate::{
    ConnId,
    faf::{
        Faf, FafTurn, Timer, close,
        mail::{Mail, game::Leaving},
        model::{
            account::Account,
            limits,
            player_state::PlayerState,
            reference::RatingDefaults,
            time::{iso8601, next_multiple},
        },
        protocol::{
            message,
            player_info::Entry,
            request::{self, Outcome, Refusal},
            text,
        },
        questions::{Credentials, Login, LoginRefusal},
        rules::visibility::Rule,
        session::{
            dispatch::{Held, Next, Request},
            player::{self, Player},
            table::Claiming,
        },
    },
};
use std::{
    collections::{BTreeSet, VecDeque},
    time::Duration,
};

use wire::json::Value;

/// The view under which this process grants claims: who is in the lobby, by number, and alone there is but the first. An
/// epoch has it above its count, so that no two shards ever give out the same for a player whose home has moved.
const VIEW: u64 = 1;

const OFFICIAL_CLIENT: &str = "downlords-faf-client";
const SIGNED_IN_ELSEWHERE: &str = "You have been signed out because you signed in elsewhere.";

/// Logins that wait for their turn. A storm of them waits here instead of overflowing the back office's queue. Bounded
/// by the shard's connections: each is held while it waits, so it waits once.
#[derive(Debug, Default)]
pub(in crate::faf) struct Logins {
    in_flight: usize,
    waiting: VecDeque<(Held<Identifying>, Login)>,
}

/// Until when those who have not logged in have to (spec: faf-lifecycle 4). One timer for all of them: whoever logs in is
/// taken out, so that an idle player costs nothing here.
#[derive(Debug, Default)]
pub(in crate::faf) struct LoginDeadlines {
    waiting: BTreeSet<(Duration, ConnId)>,
    /// A timer is set, for the earliest at that time.
    armed: bool,
}

/// Somebody's credentials are looked at; whether a token.
#[derive(Debug)]
pub(in crate::faf) struct Identifying {
    token: bool,
}

impl Request for Identifying {
    type Question = Login;

    fn resume(
        self,
        faf: &mut Faf,
        turn: &mut FafTurn<'_>,
        conn: ConnId,
        account: Result<Box<Account>, LoginRefusal>,
    ) -> Outcome<Next> {
        faf.login_answered(turn);
        faf.identified(turn, conn, self.token, account)
    }
}

impl Faf {
    /// Somebody has come and has to log in.
    pub(in crate::faf) fn await_login(
        &mut self,
        turn: &mut FafTurn<'_>,
        conn: ConnId,
        until: Duration,
    ) {
        self.deadlines.waiting.insert((until, conn));
        self.arm_login_timer(turn);
    }

    fn arm_login_timer(&mut self, turn: &mut FafTurn<'_>) {
        if !self.deadlines.armed
            && let Some((earliest, _)) = self.deadlines.waiting.first()
        {
            self.deadlines.armed = true;
            turn.wake_at(*earliest, Timer::Logins);
        }
    }

    /// Ends the sessions of those who have taken too long.
    pub(in crate::faf) fn logins_timed_out(&mut self, turn: &mut FafTurn<'_>) {
        self.deadlines.armed = false;
        while let Some(&(until, conn)) = self.deadlines.waiting.first()
            && until <= turn.now.mono
        {
            self.deadlines.waiting.pop_first();
            if self
                .sessions
                .get(conn)
                .is_some_and(|session| !session.closing)
            {
                self.counters.login_timeouts += 1;
                close(&mut self.sessions, turn, conn);
            }
        }
        self.arm_login_timer(turn);
    }

    /// The connection is gone.
    pub(in crate::faf) fn connection_ended(&mut self, turn: &mut FafTurn<'_>, conn: ConnId) {
        self.log_out(turn, conn, Leaving::Lost);
        if let Some(session) = self.sessions.remove(conn) {
            self.deadlines.waiting.remove(&(session.login_until, conn));
            self.metrics_collector.closed(session.client);
        }
    }

    /// spec: faf-messages 3.1.
    pub(in crate::faf) fn ask_session(
        &mut self,
        turn: &mut FafTurn<'_>,
        conn: ConnId,
        message: Value<'_>,
    ) -> Outcome {
        let user_agent = request::optional_text(message, "user_agent")?;
        let version = message.get("version").and_then(|version| version.as_str());
        let Some(session) = self.sessions.get_mut(conn) else {
            return Ok(());
        };
        session.client = self
            .metrics_collector
            .named(session.client, user_agent, version);
        session.user_agent = user_agent.map(|ua| {
            ua.chars()
                .take(limits::USER_AGENT_CHARS)
                .collect::<String>()
                .into()
        });
        if !user_agent.is_some_and(|ua| ua.contains(OFFICIAL_CLIENT)) {
            turn.send(
                conn,
                message::notice("info", &text::unofficial_client(&self.settings.www_url)),
            );
        }
        turn.send(
            conn,
            message::encode(&message::Session {
                session: session.number,
            }),
        );
        Ok(())
    }

    /// spec: faf-messages 3.3.
    pub(in crate::faf) fn hello(
        &mut self,
        turn: &mut FafTurn<'_>,
        conn: ConnId,
        message: Value<'_>,
    ) -> Outcome {
        let login = request::required_text(message, "login")?.trim().to_owned();
        let password = request::required_text(message, "password")?.to_owned();
        let unique_id = request::required_text(message, "unique_id")?.to_owned();
        if !self.settings.allow_password_login {
            return Err(Refusal::Fatal(
                "Username password login has been disabled please use a different client to login",
            ));
        }
        self.identify(
            turn,
            conn,
            Credentials::Password { login, password },
            unique_id,
        );
        Ok(())
    }

    /// spec: faf-messages 3.2.
    pub(in crate::faf) fn auth(
        &mut self,
        turn: &mut FafTurn<'_>,
        conn: ConnId,
        message: Value<'_>,
    ) -> Outcome {
        let token = request::required_text(message, "token")?.to_owned();
        let unique_id = request::required_text(message, "unique_id")?.to_owned();
        if token.len() > limits::TOKEN_BYTES {
            self.counters.refused_token += 1;
            return Err(Refusal::Authentication("Token signature was invalid"));
        }
        self.identify(turn, conn, Credentials::Token(token), unique_id);
        Ok(())
    }

    fn identify(
        &mut self,
        turn: &mut FafTurn<'_>,
        conn: ConnId,
        credentials: Credentials,
        mut unique_id: String,
    ) {
        let Some(session) = self.sessions.get(conn) else {
            return;
        };
        request::cut(&mut unique_id, limits::TOKEN_BYTES);
        let token = matches!(credentials, Credentials::Token(_));
        turn.hold(conn);
        let login = Login {
            credentials,
            unique_id,
            session: session.number,
            address: session.address,
            user_agent: session.user_agent.as_deref().map(str::to_owned),
        };
        let request = Identifying { token };
        self.logins
            .waiting
            .push_back((Held { conn, request }, login));
        self.admit_logins(turn);
    }

    /// Asks for as many of those who wait as may be on their way at once.
    fn admit_logins(&mut self, turn: &mut FafTurn<'_>) {
        while self.logins.in_flight < self.settings.logins_in_flight {
            let Some((held, login)) = self.logins.waiting.pop_front() else {
                return;
            };
            if self.sessions.get(held.conn).is_none_or(|s| s.closing) {
                continue; // gone while waiting
            }
            self.logins.in_flight += 1;
            self.pending.ask(turn, login, held);
        }
    }

    /// One of those on their way has been answered: the next may go.
    fn login_answered(&mut self, turn: &mut FafTurn<'_>) {
        self.logins.in_flight = self.logins.in_flight.saturating_sub(1);
        self.admit_logins(turn);
    }

    /// The back office knows who it is, or why not.
    fn identified(
        &mut self,
        turn: &mut FafTurn<'_>,
        conn: ConnId,
        token: bool,
        result: Result<Box<Account>, LoginRefusal>,
    ) -> Outcome<Next> {
        let account = match result {
            Ok(account) => account,
            Err(refusal) => {
                *(if token {
                    &mut self.counters.refused_token
                } else {
                    &mut self.counters.refused_password
                }) += 1;
                return Err(login_refusal(refusal));
            }
        };
        let Some(session) = self.sessions.get_mut(conn).filter(|s| !s.closing) else {
            return Ok(Next::Go);
        };
        *(if token {
            &mut self.counters.logins_token
        } else {
            &mut self.counters.logins_password
        }) += 1;
        let player_id = account.id;
        match &session.player {
            // A second login of the same player on one connection ends it (spec: faf-observed, Login).
            Some(player) if player.account.id == player_id => {
                self.evict(turn, player_id, conn);
                return Ok(Next::Go);
            }
            // Of another player: the first one leaves before (spec: faf-lifecycle 3.4, recommended).
            Some(_) => self.log_out(turn, conn, Leaving::Lost),
            None => {}
        }
        let Some(session) = self.sessions.get_mut(conn) else {
            return Ok(Next::Go);
        };
        session.claiming = Some(Box::new(Claiming {
            account: *account,
            token,
        }));
        self.post(turn, self.home(player_id), Mail::Claim { player_id, conn });
        Ok(Next::Wait)
    }

    /// At the home shard.
    pub(in crate::faf) fn claim(&mut self, turn: &mut FafTurn<'_>, player_id: u32, conn: ConnId) {
        self.next_epoch += 1;
        let epoch = VIEW << 32 | self.next_epoch;
        let older = self
            .claims
            .insert(player_id, conn)
            .filter(|older| *older != conn);
        if let Some(older) = older {
            self.counters.evictions += 1;
            self.post(
                turn,
                older.shard,
                Mail::Evict {
                    player_id,
                    conn: older,
                },
            );
        }
        self.post(
            turn,
            conn.shard,
            Mail::Granted {
                player_id,
                conn,
                epoch,
            },
        );
    }

    /// At the home shard.
    pub(in crate::faf) fn unclaim(&mut self, player_id: u32, conn: ConnId) {
        if self.claims.get(&player_id) == Some(&conn) {
            self.claims.remove(&player_id);
        }
    }

    /// The connection is the player: everything a newcomer is sent (spec: faf-lifecycle 3.1).
    pub(in crate::faf) fn granted(
        &mut self,
        turn: &mut FafTurn<'_>,
        player_id: u32,
        conn: ConnId,
        epoch: u64,
    ) {
        let Some(session) = self.sessions.get_mut(conn) else {
            return;
        };
        let Some(claiming) = session.claiming.take_if(|c| c.account.id == player_id) else {
            return;
        };
        session.user_agent = None; // written down with the sign-in
        let Claiming { mut account, token } = *claiming;
        self.deadlines.waiting.remove(&(session.login_until, conn));
        account.friends.truncate(limits::RELATIONS);
        account.foes.truncate(limits::RELATIONS);
        let (channels, power) = player::channels_and_power(&account);
        account.groups = Vec::new();
        let basis = RatingDefaults {
            reference: &self.reference,
            start: self.settings.start_rating,
        };
        let object = message::encode(&Entry::new(&account, basis, true));
        let login: Box<str> = account.login.clone();

        turn.subscribe(conn);
        if token {
            turn.send(conn, message::IRC_PASSWORD);
        }
        turn.send(
            conn,
            message::encode(&message::Welcome {
                me: Entry::new(&account, basis, true),
                current_time: &iso8601(turn.now.unix),
                id: player_id,
                login: &login,
            }),
        );
        let social = message::encode(&message::Social {
            autojoin: &channels,
            channels: &channels,
            friends: &account.friends,
            foes: &account.foes,
            power,
        });
        session.state = PlayerState::Idle;
        session.player = Some(Box::new(Player {
            account,
            epoch,
            vetoes: Box::default(),
            match_id: 0,
            selections: 0,
        }));

        self.directory
            .player_here(player_id, conn, epoch, object.clone());
        turn.mail_all(|| Mail::PlayerHere {
            id: player_id,
            conn,
            epoch,
            text: object.clone(),
        });
        self.tick.player_dirty(player_id, epoch, None);
        self.send_player_list(turn, conn);
        turn.send(conn, social);
        self.send_game_list(turn, conn);
        turn.release(conn);
    }

    /// What is told of a player has changed: newcomers on this shard see it at once, everybody else with the tick.
    pub(in crate::faf) fn player_changed(&mut self, conn: ConnId) {
        let session = self.sessions.get(conn);
        let Some(player) = session.and_then(|s| s.player.as_deref()) else {
            return;
        };
        let (id, epoch) = (player.account.id, player.epoch);
        let object = message::encode(&Entry::new(&player.account, self.basis(), true));
        self.directory.player_text(id, epoch, object);
        self.tick.player_dirty(id, epoch, None);
    }

    /// The present state for a client that missed broadcasts.
    pub(in crate::faf) fn send_lists(&mut self, turn: &mut FafTurn<'_>, conn: ConnId) {
        if self.sessions.get(conn).is_some_and(|s| s.player.is_some()) {
            self.send_player_list(turn, conn);
            self.send_game_list(turn, conn);
        }
    }

    fn send_player_list(&mut self, turn: &mut FafTurn<'_>, conn: ConnId) {
        for parts in self.directory.player_lists() {
            turn.send_chunks(conn, parts);
        }
    }

    fn send_game_list(&mut self, turn: &mut FafTurn<'_>, conn: ConnId) {
        self.refresh_own_games();
        let Some(player) = self.sessions.get(conn).and_then(|s| s.player.as_deref()) else {
            return;
        };
        let basis = RatingDefaults {
            reference: &self.reference,
            start: self.settings.start_rating,
        };
        let sees = |rule: &Rule| {
            let displayed = |kind: &str| player.displayed(kind, basis);
            rule.admits(player.account.id, displayed)
        };
        for parts in self.directory.game_lists(sees) {
            turn.send_chunks(conn, parts);
        }
    }

    /// Somebody else is the player now (spec: faf-lifecycle 3.6).
    pub(in crate::faf) fn evict(&mut self, turn: &mut FafTurn<'_>, player_id: u32, conn: ConnId) {
        let is_he =
            |s: &&crate::faf::Session| s.player.as_ref().is_some_and(|p| p.account.id == player_id);
        if self.sessions.get(conn).filter(is_he).is_none() {
            return;
        }
        self.log_out(turn, conn, Leaving::Aborted);
        turn.send(conn, message::notice("kick", SIGNED_IN_ELSEWHERE));
        close(&mut self.sessions, turn, conn);
    }

    /// The clean-up of a session's player (spec: faf-lifecycle 5). The session itself stays.
    pub(in crate::faf) fn log_out(
        &mut self,
        turn: &mut FafTurn<'_>,
        conn: ConnId,
        leaving: Leaving,
    ) {
        self.leave_game(turn, conn, leaving);
        self.leave_coordinator(turn, conn);
        let Some(session) = self.sessions.get_mut(conn) else {
            return;
        };
        session.state = PlayerState::Idle;
        if let Some(claiming) = session.claiming.take() {
            let player_id = claiming.account.id;
            self.post(
                turn,
                self.home(player_id),
                Mail::Unclaim { player_id, conn },
            );
        }
        let Some(session) = self.sessions.get_mut(conn) else {
            return;
        };
        let Some(player) = session.player.take() else {
            return;
        };
        let (id, epoch) = (player.account.id, player.epoch);
        turn.unsubscribe(conn);
        self.directory.player_gone(id, epoch);
        turn.mail_all(|| Mail::PlayerGone { id, epoch });
        self.tick.player_dirty(
            id,
            epoch,
            Some(message::encode(&Entry::new(
                &player.account,
                self.basis(),
                false,
            ))),
        );
        self.post(
            turn,
            self.home(id),
            Mail::Unclaim {
                player_id: id,
                conn,
            },
        );
    }

    pub(in crate::faf) fn schedule_ping(&mut self, turn: &mut FafTurn<'_>) {
        turn.wake_at(
            next_multiple(turn.now.mono, self.settings.ping_interval),
            Timer::Ping,
        );
    }
}

fn login_refusal(refusal: LoginRefusal) -> Refusal {
    match refusal {
        LoginRefusal::BadPassword => Refusal::Authentication(
            "Login not found or password incorrect. They are case sensitive.",
        ),
        LoginRefusal::BadToken => Refusal::Authentication("Token signature was invalid"),
        LoginRefusal::NoPermission => {
            Refusal::Authentication("Token does not have permission to login to the lobby server")
        }
        LoginRefusal::UnknownId => Refusal::Authentication("Cannot find user id"),
        LoginRefusal::Banned(ban) => Refusal::Banned(ban),
        LoginRefusal::Internal => Refusal::Invalid,
        LoginRefusal::Store(error) => Refusal::Store(error),
    }
}
