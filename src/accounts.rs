//! `muster account …`: accounts of the configured databases.

use std::process::ExitCode;

use anyhow::{Context, bail};
use muster::{
    backoffice::{cockatrice, faf, store::StoreSettings},
    config::{
        Config,
        cli::{Account, AccountsOf},
    },
    log,
};

/// Does what was asked and prints it.
pub(crate) fn run(config: &Config, lobby: AccountsOf, action: Account) -> anyhow::Result<ExitCode> {
    if let Some(why) = objection(lobby, &action) {
        bail!("{why}");
    }
    // Whoever only looks makes nothing.
    let settings = StoreSettings {
        create: matches!(action, Account::Add { .. }),
        ..StoreSettings::default()
    };
    if settings.create {
        std::fs::create_dir_all(&config.server.data_dir)
            .with_context(|| format!("can't create {}", config.server.data_dir.display()))?;
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let told = runtime.block_on(async {
        match lobby {
            AccountsOf::Faf => of_faf(config, &settings, action).await,
            AccountsOf::Cockatrice => of_cockatrice(config, &settings, action).await,
        }
    })?;
    log::say(&told);
    Ok(ExitCode::SUCCESS)
}

/// Said of what only Cockatrice's accounts have.
const OF_COCKATRICE: &str = "this is for accounts of another lobby: say --lobby cockatrice";

/// Why a lobby's accounts have no such thing, before a store is opened or made for it.
fn objection(lobby: AccountsOf, action: &Account) -> Option<&'static str> {
    match (lobby, action) {
        (AccountsOf::Faf, Account::Add { rights, .. }) if !rights.is_empty() => {
            Some("accounts of FAF have no --right")
        }
        (AccountsOf::Faf, Account::SetRight { .. } | Account::SetPassword { .. }) => {
            Some(OF_COCKATRICE)
        }
        (AccountsOf::Cockatrice, Account::Add { id: Some(_), .. }) => {
            Some("an account of Cockatrice gets the next --id")
        }
        _ => None,
    }
}

async fn of_faf(
    config: &Config,
    settings: &StoreSettings,
    action: Account,
) -> anyhow::Result<String> {
    use faf::{account, store::Store};
    let store = Store::open(&config.store.url, settings).await?;
    let outcome = match action {
        Account::Add {
            login,
            password,
            id,
            ..
        } => account::add(&store, &login, password.as_deref(), id).await,
        Account::List => account::list(&store).await,
        Account::Ban {
            login,
            reason,
            hours,
        } => account::ban(&store, &login, &reason, hours.map(f64::from)).await,
        Account::Unban { login } => account::unban(&store, &login).await,
        Account::SetRight { .. } | Account::SetPassword { .. } => bail!(OF_COCKATRICE),
    };
    store.close().await;
    Ok(outcome?)
}

async fn of_cockatrice(
    config: &Config,
    settings: &StoreSettings,
    action: Account,
) -> anyhow::Result<String> {
    use cockatrice::{account, store::Store};
    let chosen = &config.cockatrice;
    let store = Store::open(&chosen.store_url, &chosen.prefix, chosen.server, settings);
    let store = store.await?;
    let outcome = match action {
        Account::Add {
            login,
            password,
            rights,
            ..
        } => account::add(&store, &login, password.as_deref(), &rights).await,
        Account::List => account::list(&store).await,
        Account::SetRight { login, rights } => account::set_right(&store, &login, &rights).await,
        Account::SetPassword { login, password } => {
            account::set_password(&store, &login, password.as_deref()).await
        }
        Account::Ban {
            login,
            reason,
            hours,
        } => account::ban(&store, &login, &reason, hours).await,
        Account::Unban { login } => account::unban(&store, &login).await,
    };
    store.close().await;
    Ok(outcome?)
}
