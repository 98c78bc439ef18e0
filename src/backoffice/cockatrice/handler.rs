//! The handler where the Cockatrice dialect's questions are answered: what it keeps for all of them, and signing in
//! (spec: cockatrice-wire 10).

use std::{
    io,
    path::Path,
    sync::{Arc, Mutex},
    time::Instant,
};

use bytes::Bytes;
use cockatrice::{
    accounts::salt_of,
    messages::{NotificationType, ResponseCode},
};
use lobby::{
    cockatrice::questions::{
        Answer, Ask, BanKeys, CloseSession, List, OpenSession, Opened, Outcome, PasswordSalt,
        Pending, PlayedGame, Refusal, ServerMessage, SignIn, SignedIn, Who, notification,
    },
    question::{Answers, StoreFailure},
};

use super::{
    games::Kept,
    passwords::{Checked, Passwords},
    rules::{Holding, Rules},
    store::{Ban, Store},
};
use crate::{
    AttemptLimits, Boxed,
    attempts::{Attempt, Attempts, Came, Claim, Looked, Proof},
    spool::Spool,
    store::StoreError,
};

/// Accounts from one address at once.
pub(super) const REGISTRATIONS: u32 = 20;

/// The handler where the Cockatrice dialect's questions are answered.
#[derive(Debug)]
pub struct CockatriceHandler {
    pub(super) store: Arc<Store>,
    holding: Holding,
    pub(super) passwords: Passwords,
    /// How often signing in, and tokens, have failed.
    pub(super) attempts: Attempts,
    /// How many accounts were made.
    pub(super) registrations: Attempts,
    /// What is on disk of games.
    pub(super) kept: Option<Kept>,
    /// When the server began.
    pub(super) begun: Instant,
    /// Numbers of reports, as they were when somebody asked.
    pub(super) report_stats: Mutex<Option<(Instant, Bytes)>>,
}

impl CockatriceHandler {
    /// A handler that answers by the rules that hold when it is asked.
    pub fn new(store: Arc<Store>, holding: Holding, attempts: AttemptLimits) -> Self {
        let rules = holding.borrow().clone();
        let chosen = &rules.chosen;
        CockatriceHandler {
            passwords: Passwords::new(chosen.strong_passwords),
            attempts: Attempts::new(attempts),
            registrations: Attempts::per_address(chosen.registration.per_minute, REGISTRATIONS),
            kept: None,
            begun: Instant::now(),
            report_stats: Mutex::default(),
            store,
            holding,
        }
    }

    /// What holds now.
    pub(super) fn rules(&self) -> Arc<Rules> {
        self.holding.borrow().clone()
    }

    /// The same, to which so many leading bits of IPv6 addresses are one place.
    #[must_use]
    pub fn with_ipv6_prefix(mut self, bits: u32) -> Self {
        self.attempts.set_ipv6_prefix(bits);
        self
    }

    /// Has games that are over kept in the spool until they are stored, and pieces of replays in that folder. Gives the games that
    /// an earlier process has left, for [`CockatriceHandler::keep_storing`]. Pieces of games that are in the folder `left`, of
    /// another process, stay.
    ///
    /// # Errors
    /// If a folder can't be read.
    pub fn with_spool(
        mut self,
        spool: Spool,
        pieces: &Path,
        left: &Path,
    ) -> io::Result<(Self, Vec<PlayedGame>)> {
        let (kept, left) = Kept::open(spool, pieces, left)?;
        self.kept = Some(kept);
        Ok((self, left))
    }

    /// Answers one question. Always ends: whatever is asked outside has a deadline.
    pub fn handle(&self, ask: Ask) -> Boxed<'_, Answer> {
        Box::pin(ask.answered_by(self))
    }

    /// Whether an attempt may be looked at: where an account was last is read if it is not known and matters.
    pub(super) async fn may_try(
        &self,
        attempt: &mut Attempt,
        name: &str,
    ) -> Result<bool, StoreError> {
        if !attempt.must_look() {
            return Ok(true);
        }
        let seen = self.store.last_seen(name).await?;
        let looked = match &seen {
            Some(seen) => Looked::Account {
                name: &seen.name,
                last: seen.address,
            },
            None => Looked::Nobody,
        };
        Ok(self.attempts.place(attempt, looked))
    }

    /// Who is it, and may they in? (spec: cockatrice-wire 10.3)
    async fn identify(&self, asked: SignIn) -> Result<SignedIn, Refusal> {
        let rules = self.rules();
        let names = &rules.names;
        if !names.allow(&asked.name) {
            return Err(Refusal::BadName(names.told().into()));
        }
        let keys = BanKeys {
            name: asked.name.clone(),
            address: asked.address.to_canonical().to_string().into(),
            client_id: asked.client_id,
        };
        if let Some(Ban { reason, until }) = self.store.ban_of(&keys).await.map_err(refused)? {
            return Err(Refusal::Banned { reason, until });
        }
        let Some(found) = self.store.find(&asked.name).await.map_err(refused)? else {
            let taken = self.store.taken_numbers(&asked.name).await;
            return Ok(SignedIn::Unknown {
                taken: taken.map_err(refused)?,
            });
        };
        if !found.active {
            return Err(Refusal::Inactive);
        }
        let showed_password = matches!(
            asked.password,
            lobby::cockatrice::questions::Password::Plain(_)
        );
        match self.passwords.check(asked.password, &found.password).await {
            Checked::Wrong => return Err(Refusal::WrongPassword),
            Checked::Right => {}
            Checked::Outdated(form) => {
                let replaced =
                    self.store
                        .replace_password_form(found.account.id, &found.password, &form);
                replaced.await.map_err(refused)?;
            }
        }
        if found.must_change {
            return Err(Refusal::MustChangePassword);
        }
        let mut account = Box::new(found.account);
        account.buddies = self
            .store
            .list(account.id, List::Buddy)
            .await
            .map_err(refused)?;
        account.ignored = self
            .store
            .list(account.id, List::Ignore)
            .await
            .map_err(refused)?;
        account.showed_password = showed_password;
        Ok(SignedIn::Registered(account))
    }

    /// Encoded events that somebody has missed; they count as delivered now.
    pub(super) async fn missed(&self, name: &str) -> Result<Vec<Bytes>, StoreError> {
        let missed = self.store.missed(name).await?;
        let (events, pending): (Vec<Bytes>, Vec<Pending>) =
            missed.iter().map(super::reports::notice).unzip();
        self.store.delivered(&pending).await?;
        Ok(events)
    }

    /// Writes down that something was tried, if that is wanted. A failure is only logged: it must not keep anybody from anything.
    pub(super) async fn audit(
        &self,
        who: &Who,
        action: &'static str,
        details: &str,
        code: ResponseCode,
    ) {
        let success = matches!(
            code,
            ResponseCode::RespOk
                | ResponseCode::RespRegistrationAccepted
                | ResponseCode::RespRegistrationAcceptedNeedsActivation
                | ResponseCode::RespActivationAccepted
        );
        if self.rules().chosen.records.audits(action) {
            let _ = self.store.audit(who, action, details, success).await; // the store has logged why
        }
    }
}

/// Somebody's notification that is written by hand.
pub(super) fn told(title: &str, content: &str) -> Bytes {
    notification(NotificationType::Custom, title, content)
}

fn refused(error: StoreError) -> Refusal {
    Refusal::Store(error.failure())
}

/// The outcome of a command, of which a store that fails is none of the client's doing.
pub(super) fn settled(outcome: Result<Outcome, StoreError>) -> Outcome {
    outcome.unwrap_or_else(|_| Outcome::code(ResponseCode::RespInternalError))
}

/// What a sign-in does without where the database has no table for it.
fn if_there<T: Default>(outcome: Result<T, StoreError>) -> Result<T, StoreError> {
    match outcome {
        Err(StoreError::Lacks(_)) => Ok(T::default()),
        outcome => outcome,
    }
}

impl Answers<PasswordSalt> for CockatriceHandler {
    async fn answer(
        &self,
        PasswordSalt { name }: PasswordSalt,
    ) -> Result<Option<Box<str>>, StoreFailure> {
        let found = self.store.find(&name).await?;
        Ok(found.map(|found| salt_of(&found.password).into()))
    }
}

impl Answers<SignIn> for CockatriceHandler {
    async fn answer(&self, asked: SignIn) -> Result<SignedIn, Refusal> {
        let claim = Claim {
            name: &asked.name,
            from: asked.address,
            by: Proof::Password,
        };
        let attempt = self.attempts.begin(asked.counted, Some(claim));
        let mut attempt = attempt.ok_or(Refusal::TooMany)?;
        let who = match self.may_try(&mut attempt, &asked.name).await {
            Ok(true) => self.identify(asked).await,
            Ok(false) => Err(Refusal::TooMany),
            Err(error) => Err(refused(error)),
        };
        let came = match &who {
            Ok(SignedIn::Registered(_)) => Came::In,
            Err(Refusal::WrongPassword) => Came::Failed,
            Ok(SignedIn::Unknown { .. }) | Err(_) => Came::Otherwise,
        };
        self.attempts.end(attempt, came);
        who
    }
}

impl Answers<OpenSession> for CockatriceHandler {
    async fn answer(
        &self,
        OpenSession {
            who,
            websocket,
            client_version,
        }: OpenSession,
    ) -> Result<Opened, StoreFailure> {
        let (name, client_id) = (&*who.name, &*who.client_id);
        let session = self
            .store
            .open_session(name, &who.address, client_id, websocket);
        let session = session.await?;
        let message = if_there(self.store.server_message().await)?;
        if who.id == 0 {
            return Ok(Opened {
                session,
                missed: Vec::new(),
                message,
            });
        }
        self.store
            .note_login(who.id, client_id, &client_version, name)
            .await?;
        Ok(Opened {
            session,
            missed: if_there(self.missed(name).await)?,
            message,
        })
    }
}

impl Answers<CloseSession> for CockatriceHandler {
    async fn answer(&self, CloseSession(session): CloseSession) {
        let _ = self.store.close_session(session).await; // the store has logged why; the next start closes it
    }
}

impl Answers<ServerMessage> for CockatriceHandler {
    async fn answer(&self, _: ServerMessage) -> Result<Option<Box<str>>, StoreFailure> {
        Ok(self.store.server_message().await?)
    }
}
