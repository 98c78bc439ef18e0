//! `muster account …`: accounts of the configured databases.

use std::process::ExitCode;

use anyhow::{Context, bail};
use muster::{
    backoffice::{Whose, cockatrice, faf, store::StoreSettings},
    config::{
        Config,
        cli::{Account, AccountsOf},
    },
    log,
};
use serde_json::Value;

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
            AccountsOf::VcmiJson => bail!(OF_VCMI_JSON),
        }
    })?;
    log::say(&told);
    Ok(ExitCode::SUCCESS)
}

/// Said of what only Cockatrice's accounts have.
const OF_COCKATRICE: &str = "this is for accounts of another lobby: say --lobby cockatrice";

/// Said of all there is to do about accounts of VCMI's JSON lobby.
const OF_VCMI_JSON: &str =
    "players of VCMI's JSON lobby register with their client: there is nothing to do about it here";

/// Why a lobby's accounts have no such thing, before a store is opened or made for it.
fn objection(lobby: AccountsOf, action: &Account) -> Option<&'static str> {
    match (lobby, action) {
        (AccountsOf::Faf, Account::Add { rights, .. }) if !rights.is_empty() => {
            Some("accounts of FAF have no --right")
        }
        (AccountsOf::Faf, Account::SetRight { .. } | Account::SetPassword { .. }) => {
            Some(OF_COCKATRICE)
        }
        (AccountsOf::Cockatrice, Account::Delete { games: true, .. }) => {
            Some("accounts of Cockatrice have no --games")
        }
        (AccountsOf::Cockatrice, Account::Add { id: Some(_), .. }) => {
            Some("an account of Cockatrice gets the next --id")
        }
        (AccountsOf::VcmiJson, _) => Some(OF_VCMI_JSON),
        _ => None,
    }
}

/// Fewer letters are the beginning of too many names.
const PREFIX_LETTERS: usize = 3;

/// Whose accounts are to go.
fn whose<'a>(login: Option<&'a str>, prefix: Option<&'a str>) -> anyhow::Result<Whose<'a>> {
    match (login, prefix) {
        (_, Some(prefix)) if prefix.chars().count() < PREFIX_LETTERS => {
            bail!("a --prefix has {PREFIX_LETTERS} letters at least")
        }
        (_, Some(prefix)) => Ok(Whose::Prefix(prefix)),
        (Some(login), None) => Ok(Whose::Account(login)),
        (None, None) => bail!("say whose: a name, or a --prefix"),
    }
}

fn as_json(value: &Value) -> String {
    format!("{value:#}\n")
}

/// What is known of an account: a line for each thing, or as it is.
fn in_form(shown: &Value, json: bool) -> String {
    if json {
        return as_json(shown);
    }
    let known = shown.as_object().into_iter().flatten();
    let lines = known.map(|(what, value)| {
        let value = match value {
            Value::Null => "-".to_owned(),
            Value::String(text) => text.clone(),
            value => value.to_string(),
        };
        format!("{what:<14} {value}\n")
    });
    lines.collect()
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
        Account::List {
            prefix,
            json: false,
        } => account::list(&store, &prefix).await,
        Account::List { prefix, json: true } => account::listed(&store, &prefix)
            .await
            .map(|all| as_json(&all.into())),
        Account::Show { login, json } => {
            let shown = account::show(&store, &login).await;
            shown.map(|shown| in_form(&shown, json))
        }
        Account::Delete {
            login,
            prefix,
            games,
        } => {
            let whose = whose(login.as_deref(), prefix.as_deref())?;
            account::delete(&store, whose, games).await
        }
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
        Account::List {
            prefix,
            json: false,
        } => account::list(&store, &prefix).await,
        Account::List { prefix, json: true } => account::listed(&store, &prefix)
            .await
            .map(|all| as_json(&all.into())),
        Account::Show { login, json } => {
            let shown = account::show(&store, &login).await;
            shown.map(|shown| in_form(&shown, json))
        }
        Account::Delete { login, prefix, .. } => {
            let whose = whose(login.as_deref(), prefix.as_deref())?;
            account::delete(&store, whose).await
        }
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
