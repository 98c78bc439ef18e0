//! `muster account …`: accounts of the configured database.

use std::process::ExitCode;

use anyhow::Context;
use muster::{
    backoffice::{
        faf::{account, store::Store},
        store::StoreSettings,
    },
    config::{Config, cli::Account},
    log,
};

/// Does what was asked and prints it.
pub(crate) fn run(config: &Config, action: Account) -> anyhow::Result<ExitCode> {
    std::fs::create_dir_all(&config.server.data_dir)
        .with_context(|| format!("can't create {}", config.server.data_dir.display()))?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let store = Store::open(&config.store.url, &StoreSettings::default()).await?;
        let outcome = match action {
            Account::Add {
                login,
                password,
                id,
            } => account::add(&store, &login, password.as_deref(), id).await,
            Account::List => account::list(&store).await,
            Account::Ban {
                login,
                reason,
                hours,
            } => account::ban(&store, &login, &reason, hours.map(f64::from)).await,
            Account::Unban { login } => account::unban(&store, &login).await,
        };
        store.close().await;
        log::say(&outcome?);
        Ok(ExitCode::SUCCESS)
    })
}
