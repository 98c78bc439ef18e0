//! Answers the FAF dialect's questions, with the store, the keys and the policy server.

use std::{
    net::IpAddr,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
};

use super::{
    keys::{KeyRing, TokenError},
    policy::Policy,
    store::{Found, Identity, Store},
};
use crate::lobby::faf::asks::{
    Account, Answer, Ask, Credentials, HostGrant, LoginRefusal, StoreError,
};

/// Longest login name an open lobby gives out (spec: faf-database 2.1).
const LOGIN_CHARS: usize = 20;

/// How players prove who they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Auth {
    /// By an account that exists.
    Database,
    /// Whoever signs in first under a name owns it from then on.
    Open,
}

/// What is asked before somebody is let in.
#[derive(Clone, Debug)]
pub struct DeskSettings {
    /// Who may sign in.
    pub auth: Auth,
    /// Where keys for tokens are; none: no tokens.
    pub jwks_url: Option<String>,
    /// The policy server, if it is to be told.
    pub policy_url: Option<String>,
}

/// Where questions are answered.
#[derive(Debug)]
pub struct Desk {
    store: Store,
    keys: KeyRing,
    policy: Option<Policy>,
    auth: Auth,
    /// The highest game id given out (spec: faf-lifecycle 11); 0 until it is known.
    last_game: AtomicU32,
    last_game_known: tokio::sync::OnceCell<()>,
}

impl Desk {
    /// A desk over an open store. A database that is down now may be up later.
    ///
    /// # Errors
    /// The TLS set-up is refused.
    pub async fn new(store: Store, settings: DeskSettings) -> reqwest::Result<Desk> {
        let desk = Desk {
            store,
            keys: KeyRing::new(settings.jwks_url)?,
            policy: settings
                .policy_url
                .as_deref()
                .map(Policy::new)
                .transpose()?,
            auth: settings.auth,
            last_game: AtomicU32::new(0),
            last_game_known: tokio::sync::OnceCell::new(),
        };
        if desk.next_game_counter().await.is_err() {
            tracing::warn!("the database is not there yet; sign-ins are refused until it is");
        }
        Ok(desk)
    }

    /// Keeps fresh what grows old.
    pub async fn keep_fresh(self: Arc<Self>) {
        self.keys.keep_fresh().await;
    }

    /// Closes the store.
    pub async fn close(&self) {
        self.store.close().await;
    }

    /// One answer to one question.
    pub async fn answer(&self, ask: Ask) -> Answer {
        match ask {
            Ask::Login {
                credentials,
                unique_id,
                session,
                address,
                user_agent,
            } => {
                let login = self.login(
                    credentials,
                    &unique_id,
                    session,
                    address,
                    user_agent.as_deref(),
                );
                Answer::Login(login.await.map(Box::new))
            }
            Ask::Host { player_id, create } => Answer::Host(self.host(player_id, create).await),
            Ask::Join {
                player_id,
                game_id,
                address,
            } => {
                let ban = self.store.ban_of(player_id).await;
                if let (Ok(None), Some(game_id)) = (&ban, game_id) {
                    self.store.log_join(player_id, game_id, address).await;
                }
                Answer::Join(ban)
            }
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
            Ask::ModNames(uids) => Answer::ModNames(self.store.mod_names(&uids).await),
        }
    }

    /// spec: faf-lifecycle 3.2–3.5
    async fn login(
        &self,
        credentials: Credentials,
        unique_id: &str,
        session: u32,
        address: IpAddr,
        user_agent: Option<&str>,
    ) -> Result<Account, LoginRefusal> {
        let found = match credentials {
            Credentials::Password { login, password } => {
                self.by_password(&login, &password).await?
            }
            Credentials::Token(token) => self.by_token(&token).await?,
        };
        if let Some(ban) = found.ban {
            return Err(LoginRefusal::Banned(ban));
        }
        let who = found.identity;
        if let Some(policy) = &self.policy
            && let Err(error) = policy.tell(who.id, unique_id, session).await
        {
            tracing::warn!(%error, "sign-in refused");
            return Err(LoginRefusal::Internal);
        }
        self.store
            .record_login(who.id, address, user_agent)
            .await
            .map_err(LoginRefusal::Store)?;
        self.store
            .load_account(&who)
            .await
            .map_err(LoginRefusal::Store)
    }

    async fn by_password(&self, login: &str, password: &str) -> Result<Found, LoginRefusal> {
        let mut found = self
            .store
            .account_by_name(login)
            .await
            .map_err(LoginRefusal::Store)?;
        if found.is_none() && self.auth == Auth::Open {
            found = self
                .create(login, password)
                .await
                .map_err(LoginRefusal::Store)?;
        }
        found
            .filter(|found| found.password == password)
            .ok_or(LoginRefusal::BadPassword)
    }

    /// A new account of an open lobby. Somebody else may have been faster: then it is his.
    async fn create(&self, login: &str, password: &str) -> Result<Option<Found>, StoreError> {
        let chars = login.chars().count();
        if chars == 0 || chars > LOGIN_CHARS || login.chars().any(char::is_control) {
            return Ok(None);
        }
        let email = format!("{login}@open.invalid");
        match self
            .store
            .create_account(None, login, password, &email)
            .await?
        {
            Some(id) => {
                let identity = Identity {
                    id,
                    login: login.to_owned(),
                };
                Ok(Some(Found {
                    identity,
                    password: password.to_owned(),
                    ban: None,
                }))
            }
            None => self.store.account_by_name(login).await,
        }
    }

    async fn by_token(&self, token: &str) -> Result<Found, LoginRefusal> {
        let id = self.keys.verify(token).await.map_err(|error| match error {
            TokenError::Invalid => LoginRefusal::BadToken,
            TokenError::NoPermission => LoginRefusal::NoPermission,
            TokenError::NoKeys => LoginRefusal::Internal,
        })?;
        let found = self
            .store
            .account_by_id(id)
            .await
            .map_err(LoginRefusal::Store)?;
        found.ok_or(LoginRefusal::UnknownId)
    }

    async fn host(&self, player_id: u32, create: Option<String>) -> Result<HostGrant, StoreError> {
        let ban = self.store.ban_of(player_id).await?;
        let Some(folder) = create.filter(|_| ban.is_none()) else {
            return Ok(HostGrant {
                ban,
                ..HostGrant::default()
            });
        };
        let map = self.store.map_by_folder(&folder).await?;
        self.next_game_counter().await?;
        let game_id = self.last_game.fetch_add(1, Ordering::Relaxed) + 1;
        Ok(HostGrant {
            ban: None,
            game_id: Some(game_id),
            map,
        })
    }

    /// Reads the highest stored game id, once.
    async fn next_game_counter(&self) -> Result<(), StoreError> {
        self.last_game_known
            .get_or_try_init(|| async {
                self.last_game
                    .store(self.store.max_game_id().await?, Ordering::Relaxed);
                Ok(())
            })
            .await
            .map(drop)
    }
}
