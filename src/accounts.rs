//! `muster account …`: accounts of the configured database.

use std::{fmt::Write as _, io::BufRead, process::ExitCode, time::SystemTime};

use anyhow::{Context, bail, ensure};
use muster::{
    backoffice::store::{BanLevel, NewBan, Store, StoreSettings},
    config::{Config, cli::Account},
};
use sha2::{Digest, Sha256};

/// Does what was asked and prints it.
pub(crate) fn run(config: &Config, action: Account) -> anyhow::Result<ExitCode> {
    std::fs::create_dir_all(&config.server.data_dir)
        .with_context(|| format!("can't create {}", config.server.data_dir.display()))?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let store = Store::open(&config.store.url, &StoreSettings::default()).await?;
        let outcome = act(&store, action).await;
        store.close().await;
        outcome.map(|()| ExitCode::SUCCESS)
    })
}

async fn act(store: &Store, action: Account) -> anyhow::Result<()> {
    match action {
        Account::Add {
            login,
            password,
            id,
        } => add(store, &login, password, id).await,
        Account::List => list(store).await,
        Account::Ban {
            login,
            reason,
            hours,
        } => {
            let player_id = id_of(store, &login).await?;
            let expires_at = hours.map(|hours| unix_now() + f64::from(hours) * 3_600.0);
            let ban = NewBan {
                player_id,
                author_id: player_id,
                reason: &reason,
                expires_at,
                level: BanLevel::Global,
            };
            store.ban(&ban).await?;
            println!("{login} is banned");
            Ok(())
        }
        Account::Unban { login } => {
            let player_id = id_of(store, &login).await?;
            let lifted = store
                .unban(player_id, player_id, "lifted by the operator")
                .await?;
            println!("{lifted} bans of {login} lifted");
            Ok(())
        }
    }
}

async fn add(
    store: &Store,
    login: &str,
    password: Option<String>,
    id: Option<u32>,
) -> anyhow::Result<()> {
    let chars = login.trim().chars().count();
    ensure!(
        login.trim() == login && (1..=20).contains(&chars),
        "a login has 1 to 20 characters, no space around"
    );
    let password = match password {
        Some(password) => password,
        None => {
            eprintln!("password:");
            let mut line = String::new();
            std::io::stdin().lock().read_line(&mut line)?;
            line.trim_end_matches(['\r', '\n']).to_owned()
        }
    };
    ensure!(!password.is_empty(), "an empty password");
    let hash = Sha256::digest(password.as_bytes());
    let hex = hash.iter().fold(String::new(), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}"); // writing to a String cannot fail
        hex
    });
    match store
        .create_account(id, login, &hex, &format!("{login}@localhost"))
        .await?
    {
        Some(id) => println!("added {login} with id {id}"),
        None => bail!("the name or the id is taken"),
    }
    Ok(())
}

async fn list(store: &Store) -> anyhow::Result<()> {
    for account in store.list_accounts().await? {
        let banned = match account.banned_until {
            Some(until) => format!("banned for {:.1} h more", (until - unix_now()) / 3_600.0),
            None => String::new(),
        };
        let seen = account.last_login.unwrap_or_else(|| "never".into());
        println!(
            "{:>8}  {:<20}  {seen:<19}  {banned}",
            account.id, account.login
        );
    }
    Ok(())
}

async fn id_of(store: &Store, login: &str) -> anyhow::Result<u32> {
    let found = store.account_by_name(login).await?;
    found
        .map(|found| found.identity.id)
        .with_context(|| format!("no account {login}"))
}

fn unix_now() -> f64 {
    SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .map_or(0.0, |since| since.as_secs_f64())
}
