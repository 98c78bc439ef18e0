//! The handler where the FAF lobby's questions are answered: who may sign in, and what it keeps for all of them.

use std::net::IpAddr;
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use subtle::ConstantTimeEq as _;
use tokio::sync::OnceCell;

use lobby::faf::ledger::Batch;
use lobby::faf::questions::{Account, Answer, Ask, Country, Credentials, LoginRefusal};
use lobby::faf::reference::Reference;
use lobby::question::StoreFailure;

use super::store::{Arrival, Found, Identity, Store, Who};
use crate::attempts::{Attempt, AttemptLimits, Attempts, Looked};
use crate::broker::Outbox;
use crate::country::Countries;
use crate::keys::{self, KeyRing, TokenError};
use crate::policy::Policy;
use crate::spool::Spool;
use crate::store::StoreError;
use crate::{Boxed, unix_now};

/// Characters of a login name, at most (spec: faf-database 2.1).
const LOGIN_CHARS: usize = 20;
/// Characters of `login.password`, at most (spec: faf-database 2.1).
const PASSWORD_CHARS: usize = 77;
/// Nodes of a lobby number their games apart: each by the numbers whose remainder here is its slot.
const NODES: u32 = 64;
/// A node begins so far above the highest number in the store: games of its last life may still be known that are not there,
/// because they were never launched.
const UNLAUNCHED: u32 = 64 * NODES;

/// Who may sign in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AuthMode {
    /// Accounts are made elsewhere.
    #[default]
    Database,
    /// A name that nobody has becomes an account with the password it came with. For games among friends, and tests.
    Open,
}

settings::words! { AuthMode { Open = "open", Database = "database" } }

/// The handler where the FAF dialect's questions are answered.
pub struct FafHandler {
    pub(super) store: Arc<Store>,
    keys: Arc<KeyRing>,
    policy: Option<Policy>,
    mode: AuthMode,
    /// How often signing in has failed.
    pub(super) attempts: Attempts,
    countries: Option<Arc<Countries>>,
    /// The last game number given out, read from the store once (spec: faf-lifecycle 11).
    last_game: OnceCell<AtomicU32>,
    /// The same for whoever asks from another thread: 0 until there is one.
    given_out: Arc<AtomicU32>,
    /// As loaded last.
    reference: Mutex<Option<Arc<Reference>>>,
    /// Whoever has it rates a game.
    pub(super) rating: tokio::sync::Mutex<()>,
    /// Where finished games are kept until they are settled.
    pub(super) spool: Option<Spool>,
    /// Where events are kept until the broker has them.
    pub(super) outbox: Option<Arc<Outbox>>,
    /// The highest number of a game that was found there at the start.
    kept_game: u32,
    /// This node's slot among those of its lobby; none: it is alone, and all numbers are its own.
    numbering: Option<u8>,
}

/// Whether an account may be made under this name: 1 to 20 letters, digits, `_` and `-`.
pub fn is_login_name(login: &str) -> bool {
    (1..=LOGIN_CHARS).contains(&login.len())
        && login
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-')
}

impl FafHandler {
    /// A handler. Without a policy server nobody is told of logins.
    pub fn new(
        store: Arc<Store>,
        keys: Arc<KeyRing>,
        policy: Option<Policy>,
        mode: AuthMode,
    ) -> Self {
        Self {
            store,
            keys,
            policy,
            mode,
            attempts: Attempts::new(AttemptLimits::default()),
            countries: None,
            last_game: OnceCell::new(),
            given_out: Arc::default(),
            reference: Mutex::default(),
            rating: tokio::sync::Mutex::default(),
            spool: None,
            outbox: None,
            kept_game: 0,
            numbering: None,
        }
    }

    /// The same, with these limits on failures to sign in.
    #[must_use]
    pub fn with_attempt_limits(mut self, limits: AttemptLimits) -> Self {
        self.attempts = Attempts::new(limits);
        self
    }

    /// The same, to which so many leading bits of IPv6 addresses are one place. To be said after the limits.
    #[must_use]
    pub fn with_ipv6_prefix(mut self, bits: u32) -> Self {
        self.attempts.set_ipv6_prefix(bits);
        self
    }

    /// The same, which also knows the countries of addresses.
    #[must_use]
    pub fn with_countries(mut self, countries: Arc<Countries>) -> Self {
        self.countries = Some(countries);
        self
    }

    /// Has finished games kept on disk until they are settled. Gives those an earlier process has left, for
    /// [`FafHandler::replay`]; their numbers are not given out again, even if the store has not seen them yet, nor are those of
    /// games in the folder `left`, of another process.
    ///
    /// # Errors
    /// If the folder can't be read.
    pub fn with_spool(mut self, spool: Spool, left: &Path) -> std::io::Result<(Self, Vec<Batch>)> {
        let others: Vec<Batch> = spool.kept_in(left)?;
        let mut kept: Vec<Batch> = spool.kept()?;
        kept.sort_unstable_by_key(|batch| batch.uid);
        let all = kept.iter().chain(&others).map(|batch| batch.uid);
        self.kept_game = all.max().unwrap_or_default();
        self.spool = Some(spool);
        Ok((self, kept))
    }

    /// Takes over the games that a process which has ended has left in another folder, for [`FafHandler::replay`].
    ///
    /// # Errors
    /// If they can't be read or moved.
    pub fn adopt(&self, left: &Path) -> std::io::Result<Vec<Batch>> {
        match &self.spool {
            Some(spool) => spool.adopt(left),
            None => Ok(Vec::new()),
        }
    }

    /// No game of ours has this number or a lower one: another process has given them out.
    #[must_use]
    pub fn after_game(mut self, uid: u32) -> Self {
        self.kept_game = self.kept_game.max(uid);
        self
    }

    /// Gives games only numbers whose remainder by 64 is the slot of this node, so that no two nodes of a lobby ever give out the same.
    #[must_use]
    pub fn with_numbering(mut self, slot: Option<u8>) -> Self {
        self.numbering = slot;
        self
    }

    /// Has the last number that a game was given told there.
    #[must_use]
    pub fn with_last_game(mut self, given_out: Arc<AtomicU32>) -> Self {
        self.given_out = given_out;
        self
    }

    /// The same, which puts the events that come of games there before it forgets the games.
    #[must_use]
    pub fn with_outbox(mut self, outbox: Arc<Outbox>) -> Self {
        self.outbox = Some(outbox);
        self
    }

    /// Reference data as loaded last.
    pub(super) fn reference(&self) -> Option<Arc<Reference>> {
        self.reference
            .lock()
            .expect("nothing panics while it holds this lock")
            .clone()
    }

    /// Loads reference data anew. A failure keeps what was loaded before.
    ///
    /// # Errors
    /// [`StoreFailure`]
    pub fn refresh(&self) -> Boxed<'_, Result<Arc<Reference>, StoreFailure>> {
        Box::pin(async move {
            let reference = Arc::new(self.store.reference().await?);
            *self
                .reference
                .lock()
                .expect("nothing panics while it holds this lock") = Some(reference.clone());
            Ok(reference)
        })
    }

    /// Reads and returns the last game number, so that the first host does not wait for it. Not having called this, or its failing,
    /// only means that the first host does.
    ///
    /// # Errors
    /// [`StoreFailure`]
    pub fn warm_up(&self) -> Boxed<'_, Result<u32, StoreFailure>> {
        Box::pin(async move {
            let last_game = self.last_game().await?;
            Ok(last_game.load(Ordering::Relaxed))
        })
    }

    /// Warns of a shared schema that is too old: see [`Store::warn_of_old_schema`].
    pub fn warn_of_old_schema<'a>(&'a self, table: &'a str) -> Boxed<'a, ()> {
        Box::pin(self.store.warn_of_old_schema(table))
    }

    /// Answers one question. Always ends: whatever is asked outside has a deadline.
    pub fn handle(&self, ask: Ask) -> Boxed<'_, Answer> {
        Box::pin(ask.answered_by(self))
    }

    /// Who is it, and may they in? The proof is checked before the ban (spec: faf-messages 3.2, 3.3).
    pub(super) async fn identify(
        &self,
        credentials: Credentials,
        attempt: &mut Attempt,
    ) -> Result<Identity, LoginRefusal> {
        let found = match credentials {
            Credentials::Password { login, password } => {
                self.by_password(&login, &password, attempt).await?
            }
            Credentials::Token(token) => {
                let keys = self.keys.for_token(&token).await;
                let keys = keys.ok_or(LoginRefusal::Internal)?;
                let id = keys::verify(&token, &keys, unix_now() as i64).map_err(not_accepted)?;
                let found = self.store.find(Who::Id(id)).await.map_err(refused)?;
                found.ok_or(LoginRefusal::UnknownId)?
            }
        };
        match found.ban {
            Some(ban) => Err(LoginRefusal::Banned(ban)),
            None => Ok(found.identity),
        }
    }

    async fn by_password(
        &self,
        login: &str,
        password: &str,
        attempt: &mut Attempt,
    ) -> Result<Found, LoginRefusal> {
        let who = Who::Name(login.to_owned());
        let mut found = self.store.find(who).await.map_err(refused)?;
        let looked = match &found {
            Some(found) => Looked::Account {
                name: &found.identity.login,
                last: found.last_address,
            },
            None => Looked::Nobody,
        };
        if !self.attempts.place(attempt, looked) {
            return Err(LoginRefusal::TooMany);
        }
        if found.is_none() && self.mode == AuthMode::Open && is_login_name(login) {
            if !(1..=PASSWORD_CHARS).contains(&password.chars().count()) {
                return Err(LoginRefusal::BadPassword);
            }
            let welcomed = self.store.welcome(login, password).await;
            found = welcomed.map_err(refused)?;
        }
        match found {
            Some(found) if same(&found.password, password) => Ok(found),
            _ => Err(LoginRefusal::BadPassword),
        }
    }

    /// Steps 1, 3 and 6 of the common procedure (spec: faf-lifecycle 3.4); the others are the dialect's.
    pub(super) async fn sign_in(
        &self,
        identity: Identity,
        unique_id: &str,
        session: u32,
        address: IpAddr,
        user_agent: Option<String>,
    ) -> Result<Box<Account>, LoginRefusal> {
        if let Some(policy) = &self.policy
            && let Err(error) = policy.report(identity.id, unique_id, session).await
        {
            tracing::warn!(%error, player = identity.id, "login refused: the policy server could not be told");
            return Err(LoginRefusal::Internal);
        }
        let arrival = Arrival {
            who: identity,
            from: address,
            user_agent,
        };
        let entered = self.store.enter(arrival).await;
        let mut account = entered.map_err(refused)?;
        if let Some(countries) = &self.countries {
            account.country = Country::from(&*countries.code(address));
        }
        Ok(Box::new(account))
    }

    pub(super) async fn next_game(&self) -> Result<u32, StoreFailure> {
        let after = |last| Some(number_after(last, self.numbering));
        let last = self.last_game().await?;
        let last = last.fetch_update(Ordering::Relaxed, Ordering::Relaxed, after);
        let next = number_after(last.unwrap_or_else(|last| last), self.numbering);
        self.given_out.fetch_max(next, Ordering::Relaxed);
        Ok(next)
    }

    async fn last_game(&self) -> Result<&AtomicU32, StoreFailure> {
        self.last_game
            .get_or_try_init(async || {
                let stored = self.store.max_game_id().await?;
                let highest = stored.max(self.kept_game);
                Ok(AtomicU32::new(match self.numbering {
                    Some(_) => highest.saturating_add(UNLAUNCHED),
                    None => highest,
                }))
            })
            .await
    }
}

/// The number of the game after one with this number, on this node of a lobby, or alone.
fn number_after(last: u32, slot: Option<u8>) -> u32 {
    let next = last.saturating_add(1);
    match slot {
        None => next,
        Some(slot) => next.saturating_add((u32::from(slot) + NODES - next % NODES) % NODES),
    }
}

fn refused(error: StoreError) -> LoginRefusal {
    LoginRefusal::Store(error.failure())
}

fn not_accepted(error: TokenError) -> LoginRefusal {
    match error {
        TokenError::Invalid => LoginRefusal::BadToken,
        TokenError::NoPermission => LoginRefusal::NoPermission,
        TokenError::NoSuchId => LoginRefusal::UnknownId,
    }
}

/// Compares hashes without telling by its duration where they differ.
fn same(stored: &str, sent: &str) -> bool {
    stored.as_bytes().ct_eq(sent.as_bytes()).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_new_accounts() {
        for good in ["a", "Zed_9-x", "12345678901234567890"] {
            assert!(is_login_name(good), "{good}");
        }
        for bad in ["", "123456789012345678901", "a b", "é", "a.b", "<b>"] {
            assert!(!is_login_name(bad), "{bad}");
        }
    }

    #[test]
    fn nodes_number_their_games_apart_and_one_alone_takes_all_numbers() {
        assert_eq!(number_after(7, None), 8);
        for slot in [0, 1, 7, 63] {
            let mut last = 1000;
            for _ in 0..5 {
                let next = number_after(last, Some(slot));
                assert_eq!(next % NODES, u32::from(slot));
                assert!(next > last && next <= last + NODES, "{last} {next}");
                last = next;
            }
        }
    }

    #[test]
    fn hashes_are_compared_literally() {
        assert!(same("abc", "abc") && same("", ""));
        assert!(
            !same("abc", "abd") && !same("abc", "ab") && !same("ab", "abc") && !same("abc", "ABC")
        );
    }
}
