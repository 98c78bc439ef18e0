//! Signing in (spec: cockatrice-wire 10).

use std::time::Duration;

use cockatrice::{
    accounts::{Features, Level},
    messages::{CommandLogin, ResponseBody, ResponseCode, ResponseLogin, raw},
    text,
};

use super::{
    Cockatrice, CockatriceTurn,
    mail::{ToDirectory, ToRegistry},
    protocol,
    settings::{FAILURE_COST, Method, SIGN_IN_FAILURES},
    state::{
        directory::Listed,
        session::User,
        work::{Flow, Newcomer, Reply, Work},
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
                    self.sign_in_failed(turn.now.mono, conn);
                }
                return Flow::Done(reply);
            }
        };
        let listed = Features::listed(login.clientfeatures.iter().map(|name| &**name));
        work.newcomer = Some(Newcomer {
            password_right,
            client_id: text::clean(&text::name(bytes(&login.clientid))).into(),
            client_version: text::clean(&text::name(bytes(&login.clientver))).into(),
            missing: listed.missing().map(Box::from).collect(),
        });
        let name: Box<str> = text::login_name(bytes(&login.user_name)).into();
        let home = self.topology.home(&name);
        let claim = ToRegistry::Claim {
            name: name.clone(),
            conn,
            replaces: password_right,
        };
        self.tell_home(&name, claim);
        Flow::Wait(home)
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
        let password_right = match self.settings.method {
            Method::Nothing => false,
            Method::Password if password == self.settings.password.as_bytes() => true,
            Method::Password => return refuse(ResponseCode::RespWrongPassword),
        };
        // Refused before anybody is told of them (spec: cockatrice-behaviour 17.2, 17.3).
        let there = self.directory.users.len();
        if self
            .settings
            .most_users
            .is_some_and(|most| there >= most as usize)
        {
            self.metrics.over_limit.up();
            return refuse(ResponseCode::RespServerFull);
        }
        Ok(password_right)
    }

    /// A wrong password counts as many commands.
    fn sign_in_failed(&mut self, now: Duration, conn: ConnId) {
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
            self.end(turn, conn);
        }
    }

    /// The connection is this user from now on: everybody is told, and then they are.
    pub(super) fn granted(&mut self, turn: &mut CockatriceTurn<'_>, conn: ConnId, name: Box<str>) {
        let sessions_before = self.sessions_begun;
        let Some(session) = self.sessions.get_mut(&conn) else {
            return;
        };
        let newcomer = session.work.as_mut().and_then(|work| work.newcomer.take());
        let Some(newcomer) = newcomer.filter(|_| !session.gone) else {
            let release = ToRegistry::Release {
                name: name.clone(),
                conn,
            };
            self.tell_home(&name, release);
            return self.reply(turn, conn, Reply::code(ResponseCode::RespOk));
        };
        self.sessions_begun = sessions_before + 1;
        let level = Level::UNREGISTERED;
        let public = protocol::unregistered(&name, level.bits());
        session.user = Some(Box::new(User {
            name: name.clone(),
            level,
            password_right: newcomer.password_right,
            public: public.clone(),
            session_id: match self.settings.method {
                Method::Nothing => u64::MAX,
                Method::Password => self.topology.session_id(self.shard, self.sessions_begun),
            },
            client_id: newcomer.client_id,
            client_version: newcomer.client_version,
        }));
        session.acts(self.ticks);
        self.metrics.logins.up();
        turn.signed_in(conn);
        self.tell_everywhere(ToDirectory::Joined(Listed {
            name,
            conn,
            level,
            public: public.clone(),
        }));
        let mut body = protocol::listed(1, &public);
        for feature in &newcomer.missing {
            raw::block(&mut body, 6, feature.as_bytes());
        }
        let reply = Reply {
            body: Some(protocol::listed(RESPONSE_LOGIN, &body).into()),
            after: vec![protocol::server_message(&self.settings.message)],
            ..Reply::code(ResponseCode::RespOk)
        };
        // Behind the news of it, so that whoever is told of here is told before the newcomer.
        self.post
            .session(conn, super::mail::ToSession::Reply(reply));
    }
}

/// The bytes of a text that may be absent.
fn bytes<'a>(text: &'a Option<cockatrice::messages::Text<'_>>) -> &'a [u8] {
    text.as_deref().unwrap_or_default()
}
