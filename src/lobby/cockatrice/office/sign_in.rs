//! Signing in with an account: who it is, and that their session is written down (spec: cockatrice-wire 10.3).

use cockatrice::{
    accounts::Privilege,
    messages::{CommandLogin, ResponseBody, ResponseCode, ResponseLogin, ResponsePasswordSalt},
    text,
};

use crate::{
    ConnId,
    cockatrice::{
        Cockatrice, CockatriceTurn,
        login::bytes,
        protocol,
        questions::{
            CloseSession, OpenSession, Opened, Password, PasswordSalt, Refusal, SignIn, SignedIn,
            Who,
        },
        state::{
            visitor::Transport,
            work::{Claiming, Flow, Reply},
        },
        waiting::{Identifying, Opening, Salting},
    },
    question::{Continuation, StoreFailure},
};

impl Continuation for Salting {
    type Asker = Cockatrice;
    type Question = PasswordSalt;
    fn resume(
        self,
        lobby: &mut Cockatrice,
        turn: &mut CockatriceTurn<'_>,
        salt: Result<Option<Box<str>>, StoreFailure>,
    ) {
        let reply = match salt {
            Ok(Some(salt)) => {
                let body = ResponsePasswordSalt {
                    password_salt: Some(salt.into_string().into()),
                };
                Reply {
                    body: Some(protocol::extension(ResponseBody::PasswordSalt(body))),
                    ..Reply::code(ResponseCode::RespOk)
                }
            }
            Ok(None) if lobby.settings.registered_only => {
                Reply::code(ResponseCode::RespRegistrationRequired)
            }
            Ok(None) => Reply::code(ResponseCode::RespOk),
            Err(_) => Reply::code(ResponseCode::RespInternalError),
        };
        lobby.reply(turn, self.0, reply);
    }
}

impl Continuation for Identifying {
    type Asker = Cockatrice;
    type Question = SignIn;
    fn resume(
        self,
        lobby: &mut Cockatrice,
        turn: &mut CockatriceTurn<'_>,
        who: Result<SignedIn, Refusal>,
    ) {
        let refusal = match who {
            Ok(who) => match lobby.identified(self.conn, self.name, who) {
                Ok(()) => return,
                Err(code) => Reply::code(code),
            },
            Err(refusal) => {
                if refusal == Refusal::WrongPassword {
                    lobby.sign_in_failed(turn, self.conn);
                }
                if matches!(refusal, Refusal::Banned { .. }) {
                    turn.turned_away(self.conn, "banned");
                }
                refused(refusal)
            }
        };
        lobby.metrics.logins_refused.up();
        lobby.reply(turn, self.conn, refusal);
        lobby.end_if_failed(turn, self.conn);
    }
}

impl Continuation for Opening {
    type Asker = Cockatrice;
    type Question = OpenSession;
    fn resume(
        self,
        lobby: &mut Cockatrice,
        turn: &mut CockatriceTurn<'_>,
        opened: Result<Opened, StoreFailure>,
    ) {
        // A session that could not be written down is one all the same.
        lobby.welcome(turn, self.conn, self.name, opened.unwrap_or_default());
    }
}

impl Cockatrice {
    /// Asks who it is that wants this name.
    pub(in crate::cockatrice) fn ask_who(
        &mut self,
        turn: &mut CockatriceTurn<'_>,
        conn: ConnId,
        name: Box<str>,
        login: &CommandLogin<'_>,
    ) -> Flow {
        let Some(session) = self.sessions.get(&conn) else {
            return Flow::code(ResponseCode::RespInternalError);
        };
        let sent = |password: &[u8]| String::from_utf8_lossy(password).into();
        let (plain, hashed) = (bytes(&login.password), bytes(&login.hashed_password));
        let password = match (plain.is_empty(), hashed.is_empty()) {
            (false, _) => Password::Plain(sent(plain)),
            (true, false) => Password::Hashed(sent(hashed)),
            (true, true) => Password::Missing,
        };
        let question = SignIn {
            name: name.clone(),
            password,
            client_id: text::clean(&text::name(bytes(&login.clientid))).into(),
            address: session.address,
            counted: session.limited,
        };
        self.pending.ask(turn, question, Identifying { conn, name });
        Flow::Asked
    }

    /// It is known who it is: they get the name in its stored spelling, or one that nobody has.
    fn identified(
        &mut self,
        conn: ConnId,
        name: Box<str>,
        who: SignedIn,
    ) -> Result<(), ResponseCode> {
        let (account, taken) = match who {
            SignedIn::Registered(account) => (Some(account), Vec::new()),
            SignedIn::Unknown { .. } if self.settings.registered_only => {
                return Err(ResponseCode::RespRegistrationRequired);
            }
            SignedIn::Unknown { taken } => (None, taken),
        };
        let privilege = account.as_deref().map(|account| account.privilege);
        let known = account.as_deref().map(|account| &*account.name);
        if self.is_full_for(privilege.unwrap_or(Privilege::None), known) {
            return Err(ResponseCode::RespServerFull);
        }
        let session = self.sessions.get_mut(&conn);
        let work = session.and_then(|session| session.work.as_mut());
        let newcomer = work.and_then(|work| work.newcomer.as_mut());
        let newcomer = newcomer.ok_or(ResponseCode::RespInternalError)?;
        let (name, is_known) = match account.as_deref() {
            Some(account) => (account.name.clone(), true),
            None => (name, false),
        };
        newcomer.password_right = is_known;
        newcomer.account = account;
        let claiming = Claiming {
            name,
            replaces: is_known,
            taken,
            later: false,
        };
        newcomer.claiming = Some(claiming.clone());
        self.begin_step();
        self.claim_name(conn, claiming);
        let wait = self.post.wait(self.mono, self.topology.is_clustered());
        let session = self.sessions.get_mut(&conn);
        if let Some(work) = session.and_then(|session| session.work.as_mut()) {
            work.wait = wait;
        }
        Ok(())
    }

    /// Has the session of somebody who has a name now written down.
    pub(in crate::cockatrice) fn note_session(
        &mut self,
        turn: &mut CockatriceTurn<'_>,
        conn: ConnId,
        name: Box<str>,
    ) {
        let Some(session) = self.sessions.get(&conn) else {
            return;
        };
        let work = session.work.as_ref();
        let Some(newcomer) = work.and_then(|work| work.newcomer.as_ref()) else {
            return;
        };
        let question = OpenSession {
            who: Who {
                id: newcomer.account.as_ref().map_or(0, |account| account.id),
                name: name.clone(),
                address: session.address.to_canonical().to_string().into(),
                client_id: newcomer.client_id.clone(),
                ..Who::default()
            },
            websocket: session.visitor.transport == Transport::WebSocket,
            client_version: newcomer.client_version.clone(),
        };
        self.pending.ask(turn, question, Opening { conn, name });
    }

    /// A session is over: where sessions are written down that is as well. 0: it never was.
    pub(in crate::cockatrice) fn session_over(&mut self, session: u64) {
        if self.has_accounts() && session > 0 {
            self.post.ask(CloseSession(session));
        }
    }
}

/// What somebody is told who is not let in.
fn refused(refusal: Refusal) -> Reply {
    let denied = |code, reason: &str, until: Option<u64>| {
        let body = ResponseLogin {
            denied_reason_str: Some(reason.into()),
            denied_end_time: until,
            ..ResponseLogin::default()
        };
        Reply {
            body: Some(protocol::extension(ResponseBody::Login(body))),
            ..Reply::code(code)
        }
    };
    match refusal {
        Refusal::BadName(rules) => denied(ResponseCode::RespUsernameInvalid, &rules, None),
        Refusal::Banned { reason, until } => denied(ResponseCode::RespUserIsBanned, &reason, until),
        Refusal::Inactive => Reply::code(ResponseCode::RespAccountNotActivated),
        Refusal::WrongPassword => Reply::code(ResponseCode::RespWrongPassword),
        Refusal::MustChangePassword => Reply::code(ResponseCode::RespPasswordChangeRequired),
        Refusal::TooMany => Reply::code(ResponseCode::RespTooManyRequests),
        Refusal::Store(_) => Reply::code(ResponseCode::RespInternalError),
    }
}
