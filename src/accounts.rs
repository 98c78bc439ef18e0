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

async fn of_faf(
    config: &Config,
    settings: &StoreSettings,
    action: Account,
) -> anyhow::Result<String> {
    use faf::{account, store::Store};
    let store = Store::open(&config.store.url, settings).await?;
    let outcome = match action {
        Account::Add { ref rights, .. } if !rights.is_empty() => {
            bail!("accounts of FAF have no --right")
        }
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
        Account::SetRight { .. } | Account::SetPassword { .. } => {
            bail!("this is for accounts of another lobby: say --lobby cockatrice")
        }
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
        Account::Add { id: Some(_), .. } => bail!("an account of Cockatrice gets the next --id"),
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
