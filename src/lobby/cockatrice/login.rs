//! Signing in (spec: cockatrice-wire 10): the checks that need nobody else, the name, and the welcome. Where there are accounts
//! the office says in between who it is.

use std::collections::BTreeMap;

use cockatrice::{
    accounts::{Features, Level, Privilege},
    messages::{CommandLogin, ResponseBody, ResponseCode, ResponseLogin, Text, encode, raw},
    text,
};

use super::{
    Cockatrice, CockatriceTurn,
    account::{Account, Form},
    mail::{Entrant, ToDirectory, ToGame, ToRegistry, ToSession},
    protocol,
    questions::Opened,
    settings::{FAILURE_COST, Method, SIGN_IN_FAILURES},
    state::{
        directory::Place,
        lists::Lists,
        session::User,
        work::{Claiming, Flow, Newcomer, Reply, Work},
    },
};
use crate::ConnId;

/// What extends the answer to a sign-in.
const RESPONSE_LOGIN: u32 = 1005;

impl Cockatrice {
    /// Checks a sign-in, and asks for the name.
    pub(super) fn login(
        &mut self,
        turn: &mut CockatriceTurn<'_>,
        conn: ConnId,
        login: &CommandLogin<'_>,
        work: &mut Work,
    ) -> Flow {
        let password_right = match self.may_sign_in(conn, login) {
            Ok(password_right) => password_right,
            Err(reply) => {
                self.metrics.logins_refused.up();
                if reply.code == ResponseCode::RespWrongPassword {
                    self.sign_in_failed(turn, conn);
                }
                return Flow::Done(reply);
            }
        };
        let listed = Features::listed(login.clientfeatures.iter().map(|name| &**name));
        let name: Box<str> = text::login_name(bytes(&login.user_name)).into();
        work.newcomer = Some(Newcomer {
            name: name.clone(),
            password_right,
            client_id: text::clean(&text::name(bytes(&login.clientid))).into(),
            client_version: text::clean(&text::name(bytes(&login.clientver))).into(),
            missing: listed.missing().map(Box::from).collect(),
            account: None,
            games: BTreeMap::new(),
            claiming: None,
            granted: None,
        });
        if self.has_accounts() {
            return self.ask_who(turn, conn, name, login);
        }
        let claiming = Claiming {
            name,
            replaces: password_right,
            taken: Vec::new(),
            later: false,
        };
        if let Some(newcomer) = &mut work.newcomer {
            newcomer.claiming = Some(claiming.clone());
        }
        let home = self.claim_name(conn, claiming);
        match password_right {
            // A session of that name may have to end first, on any shard.
            true => Flow::Asked,
            false => Flow::Wait(home),
        }
    }

    /// The checks in their order (spec: cockatrice-wire 10.2). Whether a password was asked for, and right.
    fn may_sign_in(&self, conn: ConnId, login: &CommandLogin<'_>) -> Result<bool, Reply> {
        let refuse = |code| Err(Reply::code(code));
        let password = bytes(&login.password);
        if login.password.is_some() && password.len() > text::PASSWORD_BYTES {
            return refuse(ResponseCode::RespWrongPassword);
        }
        if bytes(&login.hashed_password).len() > text::PASSWORD_BYTES {
            return refuse(ResponseCode::RespContextError);
        }
        if self.user(conn).is_some() {
            return refuse(ResponseCode::RespContextError);
        }
        let listed = Features::listed(login.clientfeatures.iter().map(|name| &**name));
        if !listed.has_all(Features::required(&self.settings.required_features)) {
            let body = ResponseLogin {
                denied_reason_str: Some("Client upgrade required".into()),
                missing_features: listed.missing().map(Into::into).collect(),
                ..ResponseLogin::default()
            };
            return Err(Reply {
                body: Some(protocol::extension(ResponseBody::Login(body))),
                ..Reply::code(ResponseCode::RespClientUpdateRequired)
            });
        }
        let client_id = text::clean(&text::name(bytes(&login.clientid)));
        if client_id.is_empty() && self.settings.require_client_id {
            return refuse(ResponseCode::RespClientIdRequired);
        }
        let name = text::login_name(bytes(&login.user_name));
        if let Some(banned) = self.banned_by_name(&name) {
            return Err(banned);
        }
        match self.settings.method {
            // Who it is, and so whether there is room for them, is not known yet.
            Method::Accounts => return Ok(false),
            Method::Password if password != self.settings.password.as_bytes() => {
                return refuse(ResponseCode::RespWrongPassword);
            }
            Method::Nothing | Method::Password => {}
        }
        let is_known = self.settings.method == Method::Password;
        match self.is_full_for(Privilege::None, is_known.then_some(&name)) {
            true => refuse(ResponseCode::RespServerFull),
            false => Ok(is_known),
        }
    }

    /// Whether there are too many users already for somebody. Refused before anybody is told of them (spec:
    /// cockatrice-behaviour 17.2, 17.3); whoever has a privilege always finds room. A session of the name that is `known` does not
    /// count: it ends for this one.
    pub(super) fn is_full_for(&self, privilege: Privilege, known: Option<&str>) -> bool {
        let users = &self.directory.users;
        let node = self.shard.node();
        let there = match self.topology.has_others() {
            true => users
                .values()
                .filter(|user| user.conn.shard.node() == node)
                .count(),
            false => users.len(),
        };
        let known = known.and_then(|name| users.get(name));
        let ends = known.is_some_and(|user| user.conn.shard.node() == node);
        let there = there - usize::from(ends);
        let most = self.settings.most_users;
        let is_full =
            privilege == Privilege::None && most.is_some_and(|most| there >= most as usize);
        if is_full {
            self.metrics.over_limit.up();
        }
        is_full
    }

    /// A wrong password counts as many commands.
    pub(super) fn sign_in_failed(&mut self, turn: &mut CockatriceTurn<'_>, conn: ConnId) {
        let now = turn.now.mono;
        turn.turned_away(conn, "wrong password");
        let Some(session) = self.sessions.get_mut(&conn) else {
            return;
        };
        session.failures = session.failures.saturating_add(1);
        if let Some(rate) = self.settings.pace() {
            session.pace.charge(now, FAILURE_COST, rate);
        }
    }

    /// Who has failed too often is ended, when they have been told so.
    pub(super) fn end_if_failed(&mut self, turn: &mut CockatriceTurn<'_>, conn: ConnId) {
        let session = self.sessions.get(&conn);
        if session.is_some_and(|session| session.failures >= SIGN_IN_FAILURES) {
            self.metrics.sign_in_closes.up();
            self.end(turn, conn, "has failed to sign in too often");
        }
    }

    /// The connection has the name: it is this user from now on, as soon as the session is written down where sessions are.
    pub(super) fn granted(
        &mut self,
        turn: &mut CockatriceTurn<'_>,
        conn: ConnId,
        name: Option<Box<str>>,
        mut games: BTreeMap<u32, Place>,
        epoch: u64,
    ) {
        let Some(name) = name else {
            if self.claim_of(conn).is_none() {
                return;
            }
            self.metrics.logins_refused.up();
            return self.reply(turn, conn, Reply::code(ResponseCode::RespContextError));
        };
        if self.granted_again(conn, &name, epoch) {
            return;
        }
        games.retain(|_, place| self.topology.reaches(place.shard));
        if self.claim_of(conn).is_some() && self.turns_away(turn, conn, &name, &games) {
            return;
        }
        let session = self.sessions.get_mut(&conn);
        if let Some(work) = session.and_then(|session| session.work.as_mut()) {
            work.wait.until = None; // what comes is the store's answer
        }
        match self.claim_of(conn) {
            Some(newcomer) => {
                newcomer.games = games;
                newcomer.claiming = None;
                newcomer.granted = Some((name.clone(), epoch));
            }
            None => {
                let release = ToRegistry::Release {
                    name: name.clone(),
                    conn,
                    games,
                };
                return self.tell_home(&name, release);
            }
        }
        match self.has_accounts() {
            true => self.note_session(turn, conn, name),
            false => self.welcome(turn, conn, name, Opened::default()),
        }
    }

    /// Whoever signs in on a connection and waits for a name.
    fn claim_of(&mut self, conn: ConnId) -> Option<&mut Newcomer> {
        let work = self.sessions.get_mut(&conn)?.work.as_mut()?;
        let newcomer = work.newcomer.as_mut()?;
        newcomer.granted.is_none().then_some(newcomer)
    }

    /// Whether the connection has been granted this name before. Then it may have been so under another view: the larger epoch is
    /// the one that the name's home has.
    fn granted_again(&mut self, conn: ConnId, name: &str, epoch: u64) -> bool {
        let Some(session) = self.sessions.get_mut(&conn) else {
            return false;
        };
        if let Some(user) = session.user.as_mut().filter(|user| *user.name == *name) {
            if user.epoch < epoch {
                user.epoch = epoch;
                self.spread_user(conn, false);
            }
            return true;
        }
        let newcomer = session
            .work
            .as_mut()
            .and_then(|work| work.newcomer.as_mut());
        let granted = newcomer.and_then(|newcomer| newcomer.granted.as_mut());
        match granted.filter(|(granted, _)| **granted == *name) {
            Some((_, known)) => *known = epoch.max(*known),
            None => return false,
        }
        true
    }

    /// The connection is this user from now on: everybody is told, and then they are.
    pub(super) fn welcome(
        &mut self,
        turn: &mut CockatriceTurn<'_>,
        conn: ConnId,
        name: Box<str>,
        opened: Opened,
    ) {
        let begun = self.sessions_begun + 1;
        let Some(session) = self.sessions.get_mut(&conn) else {
            return;
        };
        let newcomer = session.work.as_mut().and_then(|work| work.newcomer.take());
        let Some(mut newcomer) = newcomer else {
            return;
        };
        if session.gone {
            self.session_over(opened.session);
            let release = ToRegistry::Release {
                name: name.clone(),
                conn,
                games: newcomer.games,
            };
            self.tell_home(&name, release);
            return self.reply(turn, conn, Reply::code(ResponseCode::RespOk));
        }
        self.sessions_begun = begun;
        let games = std::mem::take(&mut newcomer.games);
        let reply = self.welcome_reply(&newcomer, &name, &opened);
        let session_id = match self.settings.method {
            Method::Nothing => u64::MAX,
            Method::Password => self.topology.session_id(self.shard, begun),
            Method::Accounts => opened.session,
        };
        let epoch = newcomer.granted.as_ref().map_or(0, |(_, epoch)| *epoch);
        let user = new_user(name, newcomer, session_id, epoch);
        let (entrant, listed) = (user.entrant(conn), user.listed(conn));
        let Some(session) = self.sessions.get_mut(&conn) else {
            return;
        };
        session.user = Some(Box::new(user));
        self.metrics.logins.up();
        turn.signed_in(conn);
        turn.note(conn, format!("signed in as {}", listed.name));
        self.tell_everywhere(ToDirectory::Joined(listed));
        self.resume(turn, conn, entrant, &games, reply);
    }

    /// Takes up games again, and then answers the sign-in: each game tells what it looks like behind the answer.
    fn resume(
        &mut self,
        turn: &CockatriceTurn<'_>,
        conn: ConnId,
        entrant: Entrant,
        games: &BTreeMap<u32, Place>,
        reply: Reply,
    ) {
        if games.is_empty() {
            // Behind the news of it, so that whoever is told of here is told before the newcomer. What has led to the grant may
            // be a step of somebody else's.
            self.post.begin(0);
            return self.post.session(conn, ToSession::Reply(reply));
        }
        self.begin_step();
        for (&game, place) in games {
            self.tell_game(place.shard, game, ToGame::Returned(entrant.clone()));
        }
        let wait = self.post.wait(turn.now.mono, self.topology.is_clustered());
        let session = self.sessions.get_mut(&conn);
        if let Some(work) = session.and_then(|session| session.work.as_mut()) {
            (work.waits, work.wait, work.resumes) = (games.len(), wait, true);
            work.add(reply);
        }
    }

    /// The answer to a sign-in, with what comes in front of it and behind it (spec: cockatrice-wire 10, 10.4).
    fn welcome_reply(&self, newcomer: &Newcomer, name: &str, opened: &Opened) -> Reply {
        let account = newcomer.account.as_deref();
        let profile = match account {
            Some(account) => encode(&account.record(Form::Profile)),
            None => protocol::unregistered(name, Level::UNREGISTERED.bits()).to_vec(),
        };
        let mut body = protocol::listed(1, &profile);
        let lists = account.map(|account| [(2, &account.buddies), (3, &account.ignored)]);
        for (field, list) in lists.into_iter().flatten() {
            for entry in list {
                raw::block(&mut body, field, &encode(&entry.record(Form::Entry)));
            }
        }
        for feature in &newcomer.missing {
            raw::block(&mut body, 6, feature.as_bytes());
        }
        let missed = opened.missed.iter();
        let message = opened.message.as_deref();
        let mut after = vec![protocol::server_message(
            message.unwrap_or(&self.settings.message),
        )];
        after.extend(self.shutdown_told());
        Reply {
            body: Some(protocol::listed(RESPONSE_LOGIN, &body).into()),
            before: missed.map(|event| protocol::session(event)).collect(),
            after,
            ..Reply::code(ResponseCode::RespOk)
        }
    }
}

/// Whoever has signed in. Of the account's lists only the names are remembered.
fn new_user(name: Box<str>, newcomer: Newcomer, session_id: u64, epoch: u64) -> User {
    let mut account = newcomer.account;
    let lists = account.as_deref().map(Lists::of).unwrap_or_default();
    if let Some(account) = &mut account {
        (account.buddies, account.ignored) = (Vec::new(), Vec::new());
    }
    let level = account
        .as_deref()
        .map_or(Level::UNREGISTERED, Account::level);
    User {
        public: match &account {
            Some(account) => encode(&account.record(Form::Public)).into(),
            None => protocol::unregistered(&name, level.bits()),
        },
        name,
        level,
        password_right: newcomer.password_right,
        account,
        lists,
        session_id,
        epoch,
        client_id: newcomer.client_id,
        client_version: newcomer.client_version,
    }
}

/// The bytes of a text that may be absent.
pub(super) fn bytes<'a>(text: &'a Option<Text<'_>>) -> &'a [u8] {
    text.as_deref().unwrap_or_default()
}
