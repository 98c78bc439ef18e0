//! The stores in which lobbies keep their bans, as the control desk uses them: each is opened when it is needed first, with one
//! connection, and stays open.

use muster::{
    backoffice::{
        cockatrice::{account as cockatrice, store::Store as CockatriceStore},
        faf::{account as faf, store::Store as FafStore},
        store::StoreSettings,
    },
    config::Config,
    lobby::cockatrice::Method,
};
use tokio::sync::OnceCell;

/// Bans of one store that are listed, at most.
const LISTED: u32 = 1_000;

/// Where a lobby's bans are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Keeper {
    /// FAF's database.
    Faf,
    /// Cockatrice's database.
    Cockatrice,
    /// Nowhere but here.
    Desk,
}

impl Keeper {
    /// Of a lobby by its name.
    pub(super) fn of(lobby: &str, config: &Config) -> Keeper {
        match lobby {
            "faf" => Keeper::Faf,
            "cockatrice" if config.lobbies.cockatrice.dialect.method == Method::Accounts => {
                Keeper::Cockatrice
            }
            _ => Keeper::Desk,
        }
    }
}

/// The open stores.
#[derive(Default)]
pub(super) struct Stores {
    faf: OnceCell<FafStore>,
    cockatrice: OnceCell<CockatriceStore>,
}

/// A store that can't be used, in words.
fn words(error: impl std::fmt::Display) -> String {
    error.to_string()
}

impl Stores {
    fn settings() -> StoreSettings {
        StoreSettings {
            create: false,
            max_connections: 1,
            ..StoreSettings::default()
        }
    }

    async fn faf(&self, config: &Config) -> Result<&FafStore, String> {
        let open = || async { FafStore::open(&config.store.url, &Self::settings()).await };
        self.faf.get_or_try_init(open).await.map_err(words)
    }

    async fn cockatrice(&self, config: &Config) -> Result<&CockatriceStore, String> {
        let chosen = &config.cockatrice;
        let open = || async {
            let (url, prefix) = (&chosen.store_url, &chosen.prefix);
            CockatriceStore::open(url, prefix, chosen.server, &Self::settings()).await
        };
        self.cockatrice.get_or_try_init(open).await.map_err(words)
    }

    /// Keeps an account out; the names under which whom it concerns may be signed in.
    pub(super) async fn ban(
        &self,
        keeper: Keeper,
        config: &Config,
        name: &str,
        reason: &str,
        for_s: Option<u64>,
    ) -> Result<Vec<String>, String> {
        match keeper {
            Keeper::Faf => {
                let store = self.faf(config).await?;
                let banned = faf::keep_out(store, name, reason, for_s).await;
                banned.map(|name| vec![name]).map_err(words)
            }
            Keeper::Cockatrice => {
                let whom = cockatrice::Whom::Account(name);
                self.ban_of_cockatrice(config, whom, reason, for_s).await
            }
            Keeper::Desk => Ok(vec![name.to_owned()]),
        }
    }

    /// Keeps an installation of Cockatrice out; the accounts that used it last.
    pub(super) async fn ban_client(
        &self,
        config: &Config,
        id: &str,
        reason: &str,
        for_s: Option<u64>,
    ) -> Result<Vec<String>, String> {
        let whom = cockatrice::Whom::Client(id);
        self.ban_of_cockatrice(config, whom, reason, for_s).await
    }

    async fn ban_of_cockatrice(
        &self,
        config: &Config,
        whom: cockatrice::Whom<'_>,
        reason: &str,
        for_s: Option<u64>,
    ) -> Result<Vec<String>, String> {
        let store = self.cockatrice(config).await?;
        let accounts = cockatrice::keep_out(store, whom, reason, for_s).await;
        let accounts = accounts.map_err(words)?;
        Ok(accounts.into_iter().map(String::from).collect())
    }

    /// Lets an account in again. False: it was not kept out.
    pub(super) async fn unban(
        &self,
        keeper: Keeper,
        config: &Config,
        name: &str,
    ) -> Result<bool, String> {
        match keeper {
            Keeper::Faf => {
                let store = self.faf(config).await?;
                let lifted = faf::let_in(store, name).await;
                lifted.map(|(_, bans)| bans > 0).map_err(words)
            }
            Keeper::Cockatrice => {
                let store = self.cockatrice(config).await?;
                let lifted = cockatrice::let_in(store, cockatrice::Whom::Account(name)).await;
                lifted.map(|bans| bans > 0).map_err(words)
            }
            Keeper::Desk => Ok(false),
        }
    }

    /// Lets an installation in again. False: it was not kept out.
    pub(super) async fn unban_client(&self, config: &Config, id: &str) -> Result<bool, String> {
        let store = self.cockatrice(config).await?;
        let lifted = cockatrice::let_in(store, cockatrice::Whom::Client(id)).await;
        lifted.map(|bans| bans > 0).map_err(words)
    }

    /// Bans in force: kind, target, reason, end.
    pub(super) async fn bans(
        &self,
        keeper: Keeper,
        config: &Config,
    ) -> Result<Vec<(String, String, String, Option<f64>)>, String> {
        match keeper {
            Keeper::Faf => {
                let store = self.faf(config).await?;
                let bans = store.bans_in_force(LISTED).await.map_err(words)?;
                let told = |(name, reason, until)| {
                    let ends = until < muster::backoffice::unix_now() + FOR_GOOD_S;
                    ("account".to_owned(), name, reason, ends.then_some(until))
                };
                Ok(bans.into_iter().map(told).collect())
            }
            Keeper::Cockatrice => {
                let store = self.cockatrice(config).await?;
                let bans = cockatrice::kept_out(store, LISTED).await.map_err(words)?;
                let told = |(kind, whose, reason, until): (&str, String, String, Option<u64>)| {
                    (
                        kind.to_owned(),
                        whose,
                        reason,
                        until.map(|until| until as f64),
                    )
                };
                Ok(bans.into_iter().map(told).collect())
            }
            Keeper::Desk => Ok(Vec::new()),
        }
    }
}

/// A ban of FAF's that lasts longer than this is one for good: the database shows it with an end.
const FOR_GOOD_S: f64 = 100.0 * 365.0 * 86_400.0;
