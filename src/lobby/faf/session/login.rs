//! From credentials to a logged-in player, and the end of a session (spec: faf-lifecycle 3 and 5).
//!
//! Two logins of one account meet at the player's home shard: it knows the one connection that is the player, gives
//! each claim a larger epoch than the one before, and has the older connection ended. The newer does not wait for that.

use std::{
    collections::{BTreeSet, VecDeque},
    time::Duration,
};

use rand::RngExt;
use serde::{Deserialize, Serialize};
use thin_vec::ThinVec;

use crate::{
    ConnId, Origin,
    faf::{
        context::{Context, Timer},
        mail::{directory::DirectoryMail, game::Leaving, session::AfterSignOut},
        model::{account::Account, limits, player_state::PlayerState, time::iso8601},
        protocol::{
            incoming::sign_in::{AskSession, Auth, Hello},
            message,
            player_info::Entry,
            request::{Outcome, Refusal},
            text,
        },
        questions::{Credentials, Login, LoginRefusal},
        session::{
            continuations::{Held, Identifying, Next, Request},
            player::{self, Player},
            sessions::Sessions,
            table::{Claiming, Session, SigningIn},
        },
        topology::Era,
    },
};

const OFFICIAL_CLIENT: &str = "downlords-faf-client";
const SIGNED_IN_HERE: &str = "You are already signed in from this location!";

/// Logins that wait for their turn. A storm of them waits here instead of overflowing the back office's queue. Bounded
/// by the shard's connections: each is held while it waits, so it waits once. What it will ask is in its session.
#[derive(Debug, Default)]
pub(in crate::faf) struct Logins {
    in_flight: usize,
    waiting: VecDeque<Held<Identifying>>,
}

/// Until when those who have not logged in have to (spec: faf-lifecycle 4). One timer for all of them: whoever logs in is
/// taken out, so that an idle player costs nothing here.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(in crate::faf) struct LoginDeadlines {
    waiting: BTreeSet<(Duration, ConnId)>,
    /// A timer is set, for the earliest at that time.
    armed: bool,
}

impl Request for Identifying {
    type Question = Login;

    fn resume(
        self,
        sessions: &mut Sessions,
        cx: &mut Context<'_>,
        conn: ConnId,
        account: Result<Box<Account>, LoginRefusal>,
    ) -> Outcome<Next> {
        sessions.login_answered(cx);
        sessions.identified(cx, conn, self.token, account)
    }
}

impl LoginDeadlines {
    /// Everybody who has to.
    pub(in crate::faf) fn conns(&self) -> impl Iterator<Item = ConnId> {
        self.waiting.iter().map(|&(_, conn)| conn)
    }

    /// Somebody has signed in, or is gone.
    pub(in crate::faf) fn remove(&mut self, until: Duration, conn: ConnId) {
        self.waiting.remove(&(until, conn));
    }
}

impl Sessions {
    /// A connection is there and has to sign in.
    pub(in crate::faf) fn opened(&mut self, cx: &mut Context<'_>, conn: ConnId, origin: Origin) {
        let client = cx.clients.opened();
        let until = cx.turn.now.mono + cx.settings.login_timeout;
        self.table.insert(Session {
            conn,
            // spec: faf-messages 3.1
            number: cx.turn.rng.random_range(0..=4_294_967_294),
            next_serial: 0,
            address: origin.address,
            counted: origin.counted,
            said: Default::default(),
            ice: Default::default(),
            failures: 0,
            old_client: false,
            closing: false,
            state: Default::default(),
            in_coordinator: false,
            awaits_record: false,
            awaits: None,
            client,
            signing_in: Some(Box::new(SigningIn {
                until: Some(until),
                ..SigningIn::default()
            })),
            player: None,
            link: None,
        });
        self.await_login(cx, conn, until);
    }

    /// Somebody has come and has to log in.
    pub(in crate::faf) fn await_login(
        &mut self,
        cx: &mut Context<'_>,
        conn: ConnId,
        until: Duration,
    ) {
        self.deadlines.waiting.insert((until, conn));
        self.arm_login_timer(cx);
    }

    fn arm_login_timer(&mut self, cx: &mut Context<'_>) {
        if !self.deadlines.armed
            && let Some((earliest, _)) = self.deadlines.waiting.first()
        {
            self.deadlines.armed = true;
            cx.turn.wake_at(*earliest, Timer::Logins);
        }
    }

    /// Ends the sessions of those who have taken too long.
    pub(in crate::faf) fn logins_timed_out(&mut self, cx: &mut Context<'_>) {
        self.deadlines.armed = false;
        while let Some(&(until, conn)) = self.deadlines.waiting.first()
            && until <= cx.turn.now.mono
        {
            self.deadlines.waiting.pop_first();
            if self.table.get(conn).is_some_and(|session| !session.closing) {
                cx.metrics.login_timeouts.up();
                self.close(cx, conn, "took too long to sign in");
            }
        }
        self.arm_login_timer(cx);
    }

    /// spec: faf-messages 3.1.
    pub(in crate::faf) fn ask_session(
        &mut self,
        cx: &mut Context<'_>,
        conn: ConnId,
        AskSession {
            user_agent,
            version,
        }: AskSession<'_>,
    ) {
        let Some(session) = self.table.get_mut(conn) else {
            return;
        };
        session.client = cx
            .clients
            .named(session.client, user_agent, version, cx.metrics);
        session.sign_in().user_agent = user_agent.map(|ua| {
            ua.chars()
                .take(limits::USER_AGENT_CHARS)
                .collect::<String>()
                .into()
        });
        if !user_agent.is_some_and(|ua| ua.contains(OFFICIAL_CLIENT)) {
            cx.turn.send(
                conn,
                message::notice("info", &text::unofficial_client(&cx.settings.www_url)),
            );
        }
        cx.turn.send(
            conn,
            message::encode(&message::Session {
                session: session.number,
            }),
        );
    }

    /// spec: faf-messages 3.3.
    pub(in crate::faf) fn hello(
        &mut self,
        cx: &mut Context<'_>,
        conn: ConnId,
        hello: Hello<'_>,
    ) -> Outcome {
        if !cx.settings.allow_password_login {
            return Err(Refusal::Fatal(
                "Username password login has been disabled please use a different client to login",
            ));
        }
        let credentials = Credentials::Password {
            login: hello.login.to_owned(),
            password: hello.password.to_owned(),
        };
        self.identify(cx, conn, credentials, hello.unique_id);
        Ok(())
    }

    /// spec: faf-messages 3.2.
    pub(in crate::faf) fn auth(
        &mut self,
        cx: &mut Context<'_>,
        conn: ConnId,
        auth: Auth<'_>,
    ) -> Outcome {
        if auth.token.len() > limits::TOKEN_BYTES {
            cx.metrics.refused_token.up();
            return Err(Refusal::Authentication("Token signature was invalid"));
        }
        let credentials = Credentials::Token(auth.token.to_owned());
        self.identify(cx, conn, credentials, auth.unique_id);
        Ok(())
    }

    fn identify(
        &mut self,
        cx: &mut Context<'_>,
        conn: ConnId,
        credentials: Credentials,
        unique_id: &str,
    ) {
        let Some(session) = self.table.get_mut(conn) else {
            return;
        };
        let token = matches!(credentials, Credentials::Token(_));
        cx.turn.hold(conn);
        let login = Login {
            credentials,
            unique_id: unique_id.into(),
            session: session.number,
            address: session.address,
            counted: session.counted,
            user_agent: session.sign_in().user_agent.clone(),
        };
        let request = Identifying { token };
        let held = Held { conn, request };
        if self.logins.in_flight < cx.settings.logins_in_flight && self.logins.waiting.is_empty() {
            self.logins.in_flight += 1;
            self.pending.ask(&mut cx.turn, login, held);
            return;
        }
        cx.turn.keeps(conn, login.bytes());
        session.sign_in().waiting = Some(Box::new(login));
        self.logins.waiting.push_back(held);
        self.admit_logins(cx);
    }

    /// Asks for as many of those who wait as may be on their way at once.
    fn admit_logins(&mut self, cx: &mut Context<'_>) {
        while self.logins.in_flight < cx.settings.logins_in_flight {
            let Some(held) = self.logins.waiting.pop_front() else {
                return;
            };
            let session = self.table.get_mut(held.conn).filter(|s| !s.closing);
            let Some(login) = session.and_then(|session| session.sign_in().waiting.take()) else {
                continue; // gone while waiting
            };
            cx.turn.keeps(held.conn, 0);
            self.logins.in_flight += 1;
            self.pending.ask(&mut cx.turn, *login, held);
        }
    }

    /// One of those on their way has been answered: the next may go.
    fn login_answered(&mut self, cx: &mut Context<'_>) {
        self.logins.in_flight = self.logins.in_flight.saturating_sub(1);
        self.admit_logins(cx);
    }

    /// The back office knows who it is, or why not.
    fn identified(
        &mut self,
        cx: &mut Context<'_>,
        conn: ConnId,
        token: bool,
        result: Result<Box<Account>, LoginRefusal>,
    ) -> Outcome<Next> {
        let account = match result {
            Ok(account) => account,
            Err(refusal) => {
                if token {
                    cx.metrics.refused_token.up();
                } else {
                    cx.metrics.refused_password.up();
                }
                if let Some(why) = told_of(&refusal) {
                    cx.turn.turned_away(conn, why);
                }
                if refusal == LoginRefusal::TooMany {
                    cx.metrics.sign_ins_too_many.up();
                }
                return Err(login_refusal(refusal));
            }
        };
        let Some(session) = self.table.get_mut(conn).filter(|s| !s.closing) else {
            return Ok(Next::Go);
        };
        if token {
            cx.metrics.logins_token.up();
        } else {
            cx.metrics.logins_password.up();
        }
        let player_id = account.id;
        let is_another = match &session.player {
            // A second login of the same player on one connection changes nothing (spec: faf-newer, newer 1).
            Some(player) if player.account.id == player_id => {
                let notice = message::notice("info", SIGNED_IN_HERE);
                cx.turn.send(conn, notice);
                return Ok(Next::Go);
            }
            player => player.is_some(),
        };
        session.sign_in().claiming = Some(Box::new(Claiming {
            account: *account,
            token,
            said: false,
        }));
        if is_another {
            // The first one leaves before (spec: faf-lifecycle 3.4, recommended).
            self.sign_out(cx, conn, Leaving::Lost, AfterSignOut::Claim);
        } else {
            self.claim(cx, conn);
        }
        Ok(Next::Wait)
    }

    /// The connection is the player: everything a newcomer is sent (spec: faf-lifecycle 3.1).
    pub(in crate::faf) fn granted(
        &mut self,
        cx: &mut Context<'_>,
        player_id: u32,
        conn: ConnId,
        epoch: u64,
        era: Era,
    ) {
        if era != cx.topology.era() {
            return; // a home that has moved: it is claimed again
        }
        let Some(session) = self.table.get_mut(conn) else {
            return;
        };
        let signing_in = session.sign_in();
        let Some(claiming) = signing_in
            .claiming
            .take_if(|claiming| claiming.account.id == player_id)
        else {
            return;
        };
        if let Some(until) = signing_in.until {
            self.deadlines.remove(until, conn);
        }
        session.signing_in = None; // what the client is called was written down with the sign-in
        let Claiming {
            mut account, token, ..
        } = *claiming;
        account.friends.truncate(limits::RELATIONS);
        account.foes.truncate(limits::RELATIONS);
        let (channels, power) = player::channels_and_power(&account);
        account.groups = ThinVec::new();
        let social = message::encode(&message::Social {
            autojoin: &channels,
            channels: &channels,
            friends: &account.friends,
            foes: &account.foes,
            power,
        });
        let basis = cx.basis();
        let object = message::encode(&Entry::new(&account, basis, true));
        welcome(cx, conn, &account, token);
        session.state = PlayerState::Idle;
        session.player = Some(Box::new(Player {
            account,
            epoch,
            vetoes: ThinVec::new(),
            match_id: 0,
            since_s: cx.turn.now.unix.as_secs(),
            selections: 0,
        }));

        cx.post_all(|| DirectoryMail::PlayerHere {
            id: player_id,
            conn,
            epoch,
            text: object.clone(),
        });
        self.player_dirty(player_id, epoch, None);
        self.show_lists(cx, conn, Some(social));
    }
}

/// Who they are now: the first a client hears after its sign-in.
fn welcome(cx: &mut Context<'_>, conn: ConnId, account: &Account, token: bool) {
    let (id, login) = (account.id, &account.login);
    cx.turn.signed_in(conn);
    cx.turn
        .note(conn, format!("signed in as {login}, player {id}"));
    cx.turn.subscribe(conn);
    if token {
        cx.turn.send(conn, message::IRC_PASSWORD);
    }
    let welcome = message::encode(&message::Welcome {
        me: Entry::new(account, cx.basis(), true),
        current_time: &iso8601(cx.turn.now.unix),
        id,
        login,
    });
    cx.turn.send(conn, welcome);
}

/// Why somebody did not get in, for operators; none: it is not their doing.
fn told_of(refusal: &LoginRefusal) -> Option<&'static str> {
    Some(match refusal {
        LoginRefusal::BadPassword => "wrong password",
        LoginRefusal::BadToken => "bad token",
        LoginRefusal::NoPermission => "no permission",
        LoginRefusal::UnknownId => "unknown account",
        LoginRefusal::TooMany => "too many failures",
        LoginRefusal::Banned(_) => "banned",
        LoginRefusal::Internal | LoginRefusal::Store(_) => return None,
    })
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
        LoginRefusal::TooMany => Refusal::Authentication(
            "Too many failed attempts to sign in. Please wait a minute and try again.",
        ),
        LoginRefusal::Banned(ban) => Refusal::Banned(ban),
        LoginRefusal::Internal => Refusal::Invalid,
        LoginRefusal::Store(error) => Refusal::Store(error),
    }
}
