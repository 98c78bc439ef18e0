//! Answers the FAF dialect's questions: store, keys and policy server put together.

use std::net::IpAddr;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use subtle::ConstantTimeEq as _;
use tokio::sync::OnceCell;

use lobby::faf::asks::{
    Account, Answer, Ask, Ban, Credentials, HostGrant, LoginRefusal, MatchGrant, StoreError,
};
use lobby::faf::ledger::Batch;
use lobby::faf::matcher;
use lobby::faf::reference::Reference;

use super::country::Countries;
use super::keys::{self, KeyRing};
use super::policy::Policy;
use super::spool::Spool;
use super::store::{Arrival, Found, Identity, Store, Who};
use super::unix_now;
use crate::Boxed;

/// Characters of a login name, at most (spec: faf-database 2.1).
const LOGIN_CHARS: usize = 20;
/// Characters of `login.password`, at most (spec: faf-database 2.1).
const PASSWORD_CHARS: usize = 77;

/// Who may sign in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AuthMode {
    /// Accounts are made elsewhere.
    #[default]
    Database,
    /// A name that nobody has becomes an account with the password it came with. For games among friends, and tests.
    Open,
}

/// The handler where the FAF dialect's questions are answered.
pub struct FafHandler {
    pub(super) store: Arc<Store>,
    keys: Arc<KeyRing>,
    policy: Option<Policy>,
    mode: AuthMode,
    countries: Option<Arc<Countries>>,
    /// The last game number given out, read from the store once (spec: faf-lifecycle 11).
    last_game: OnceCell<AtomicU32>,
    /// As loaded last.
    reference: Mutex<Option<Arc<Reference>>>,
    /// Whoever has it rates a game.
    pub(super) rating: tokio::sync::Mutex<()>,
    /// Where finished games are kept until they are settled.
    pub(super) spool: Option<Spool>,
    /// The highest number of a game that was found there at the start.
    kept_game: u32,
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
            countries: None,
            last_game: OnceCell::new(),
            reference: Mutex::default(),
            rating: tokio::sync::Mutex::default(),
            spool: None,
            kept_game: 0,
        }
    }

    /// The same, which also knows the countries of addresses.
    #[must_use]
    pub fn with_countries(mut self, countries: Arc<Countries>) -> Self {
        self.countries = Some(countries);
        self
    }

    /// Has finished games kept on disk until they are settled. Gives those an earlier process has left, for
    /// [`FafHandler::replay`]; their numbers are not given out again, even if the store has not seen them yet.
    ///
    /// # Errors
    /// If the folder can't be read.
    pub fn with_spool(mut self, spool: Spool) -> std::io::Result<(Self, Vec<Batch>)> {
        let kept = spool.kept()?;
        self.kept_game = kept.last().map_or(0, |batch| batch.uid);
        self.spool = Some(spool);
        Ok((self, kept))
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
    /// [`StoreError`]
    pub fn refresh(&self) -> Boxed<'_, Result<Arc<Reference>, StoreError>> {
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
    /// [`StoreError`]
    pub fn warm_up(&self) -> Boxed<'_, Result<u32, StoreError>> {
        Box::pin(async move {
            let last_game = self.last_game().await?;
            Ok(last_game.load(Ordering::Relaxed))
        })
    }

    /// Answers one question. Always ends: whatever is asked outside has a deadline.
    pub fn answer(&self, ask: Ask) -> Boxed<'_, Answer> {
        Box::pin(async move {
            match ask {
                Ask::Login {
                    credentials,
                    unique_id,
                    session,
                    address,
                    user_agent,
                } => Answer::Login(match self.identify(credentials).await {
                    Ok(who) => {
                        self.sign_in(who, &unique_id, session, address, user_agent)
                            .await
                    }
                    Err(refusal) => Err(refusal),
                }),
                Ask::Host { player_id, create } => {
                    Answer::Host(self.host(player_id, create.as_deref()).await)
                }
                Ask::Join {
                    player_id,
                    game_id,
                    address,
                } => Answer::Join(self.join(player_id, game_id, address).await),
                Ask::SetRelation {
                    player_id,
                    subject_id,
                    relation,
                } => Answer::SetRelation(
                    self.store
                        .set_relation(player_id, subject_id, relation)
                        .await,
                ),
                Ask::ClearRelation {
                    player_id,
                    subject_id,
                } => Answer::ClearRelation(self.store.clear_relation(player_id, subject_id).await),
                Ask::Ledger(batch) => Answer::Ledger(self.write(*batch).await),
                Ask::Keep(batch) => {
                    self.keep(&batch).await;
                    Answer::Keep
                }
                Ask::ModNames(uids) => Answer::ModNames(self.store.mod_names(&uids).await),
                Ask::Match { snapshot, tuning } => {
                    // Up to some milliseconds of plain work: not on the thread that answers everybody.
                    let find = move || matcher::find(&snapshot, &tuning);
                    let found = tokio::task::spawn_blocking(find).await;
                    if let Err(error) = &found {
                        tracing::error!(%error, "no matches were found for a queue");
                    }
                    Answer::Match(found.ok())
                }
                Ask::NewMatch {
                    queue_id,
                    players,
                    history,
                } => Answer::NewMatch(self.new_match(queue_id, &players, history).await),
                Ask::Avatars(player_id) => Answer::Avatars(self.store.avatars_of(player_id).await),
                Ask::SelectAvatar { player_id, url } => {
                    Answer::SelectAvatar(self.store.select_avatar(player_id, url.as_deref()).await)
                }
                Ask::ChangedAvatar(player_id) => {
                    Answer::ChangedAvatar(self.store.changed_avatar(player_id).await)
                }
                Ask::Permission {
                    player_id,
                    permission,
                } => Answer::Permission(self.store.has_permission(player_id, permission).await),
                Ask::Missions => Answer::Missions(self.store.missions().await),
                Ask::VaultMods => Answer::VaultMods(self.store.best_liked_mods().await),
                Ask::LikeMod { player_id, uid } => {
                    Answer::LikeMod(self.store.like_mod(player_id, &uid).await)
                }
                Ask::DownloadMod(uid) => Answer::DownloadMod(self.store.download_mod(&uid).await),
            }
        })
    }

    /// Who is it, and may they in? The proof is checked before the ban (spec: faf-messages 3.2, 3.3).
    async fn identify(&self, credentials: Credentials) -> Result<Identity, LoginRefusal> {
        let found = match credentials {
            Credentials::Password { login, password } => {
                self.by_password(&login, &password).await?
            }
            Credentials::Token(token) => {
                let keys = self.keys.current().await.ok_or(LoginRefusal::Internal)?;
                let id = keys::verify(&token, &keys, unix_now() as i64)?;
                let found = self.store.find(Who::Id(id)).await;
                let found = found.map_err(LoginRefusal::Store)?;
                found.ok_or(LoginRefusal::UnknownId)?
            }
        };
        match found.ban {
            Some(ban) => Err(LoginRefusal::Banned(ban)),
            None => Ok(found.identity),
        }
    }

    async fn by_password(&self, login: &str, password: &str) -> Result<Found, LoginRefusal> {
        let who = Who::Name(login.to_owned());
        let mut found = self.store.find(who).await.map_err(LoginRefusal::Store)?;
        if found.is_none() && self.mode == AuthMode::Open && is_login_name(login) {
            if !(1..=PASSWORD_CHARS).contains(&password.chars().count()) {
                return Err(LoginRefusal::BadPassword);
            }
            let welcomed = self.store.welcome(login, password).await;
            found = welcomed.map_err(LoginRefusal::Store)?;
        }
        match found {
            Some(found) if same(&found.password, password) => Ok(found),
            _ => Err(LoginRefusal::BadPassword),
        }
    }

    /// Steps 1, 3 and 6 of the common procedure (spec: faf-lifecycle 3.4); the others are the dialect's.
    async fn sign_in(
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
        let mut account = entered.map_err(LoginRefusal::Store)?;
        if let Some(countries) = &self.countries {
            account.country = countries.code(address).into();
        }
        Ok(Box::new(account))
    }

    async fn host(&self, player_id: u32, create: Option<&str>) -> Result<HostGrant, StoreError> {
        if let Some(ban) = self.store.ban_of(player_id).await? {
            return Ok(HostGrant {
                ban: Some(ban),
                ..HostGrant::default()
            });
        }
        let Some(folder) = create else {
            return Ok(HostGrant::default());
        };
        let map = self.store.map_by_folder(folder).await?;
        let game_id = self.next_game().await?;
        Ok(HostGrant {
            ban: None,
            game_id: Some(game_id),
            map,
        })
    }

    async fn new_match(
        &self,
        queue_id: u32,
        players: &[u32],
        history: u32,
    ) -> Result<MatchGrant, StoreError> {
        let mut played = Vec::new();
        for &player in players {
            played.extend(self.store.played_maps(player, queue_id, history).await?);
        }
        Ok(MatchGrant {
            game_id: self.next_game().await?,
            history: played,
        })
    }

    async fn next_game(&self) -> Result<u32, StoreError> {
        Ok(self.last_game().await?.fetch_add(1, Ordering::Relaxed) + 1)
    }

    async fn join(
        &self,
        player_id: u32,
        game_id: Option<u32>,
        from: IpAddr,
    ) -> Result<Option<Ban>, StoreError> {
        let ban = self.store.ban_of(player_id).await?;
        if let (None, Some(game_id)) = (&ban, game_id) {
            self.store.log_join(player_id, game_id, from).await;
        }
        Ok(ban)
    }

    async fn last_game(&self) -> Result<&AtomicU32, StoreError> {
        self.last_game
            .get_or_try_init(async || {
                let stored = self.store.max_game_id().await?;
                Ok(AtomicU32::new(stored.max(self.kept_game)))
            })
            .await
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
    fn hashes_are_compared_literally() {
        assert!(same("abc", "abc") && same("", ""));
        assert!(
            !same("abc", "abd") && !same("abc", "ab") && !same("ab", "abc") && !same("abc", "ABC")
        );
    }
}
