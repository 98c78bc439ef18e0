//! `muster store …`: looking after the embedded stores.

use std::{path::Path, process::ExitCode};

use anyhow::{Context, bail};
use muster::{
    backoffice::{
        cockatrice, faf,
        store::{
            StoreSettings,
            care::{self, Checked},
        },
        vcmi_json,
    },
    config::{
        Config,
        cli::{AccountsOf, Store},
    },
    log,
};

use crate::serve::folder;

/// Does what was asked and prints what came of it.
pub(crate) fn run(config: &Config, lobby: AccountsOf, action: &Store) -> anyhow::Result<ExitCode> {
    let (url, known) = match lobby {
        AccountsOf::Faf => (&config.store.url, faf::store::VERSION),
        AccountsOf::Cockatrice => (&config.cockatrice.store_url, cockatrice::store::VERSION),
        AccountsOf::VcmiJson => (&config.vcmi_json.store_url, vcmi_json::store::VERSION),
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let told = runtime.block_on(async {
        match action {
            Store::Check { json } => {
                let checked = care::check(&care::file_of(url)?, known).await?;
                Ok(match json {
                    true => as_json(&checked),
                    false => in_words(&checked, "is sound"),
                })
            }
            Store::Backup { file } => {
                let copied = care::back_up(&care::file_of(url)?, file, known).await?;
                Ok(in_words(&copied, "is a sound copy"))
            }
            Store::Restore { file } => restore(config, url, file, known).await,
            Store::Migrate => migrate(config, lobby, url, known).await,
        }
    })?;
    log::say(&told);
    Ok(ExitCode::SUCCESS)
}

/// Puts a copy in a store's place, while no server can be using it.
async fn restore(config: &Config, url: &str, copy: &Path, known: usize) -> anyhow::Result<String> {
    let file = care::place_of(url)?;
    make_folder(config)?;
    let folder = &config.server.data_dir;
    let nobody_else = folder::claim(folder).context("stop the server first")?;
    if nobody_else.journal() != folder {
        bail!(
            "a server before this one still waits for its last games in {}",
            folder.display()
        );
    }
    let (restored, old) = care::restore(copy, &file, known).await?;
    let mut told = in_words(&restored, "was restored");
    if let Some(old) = old {
        told.push_str(&format!("what was there before is {}\n", old.display()));
    }
    Ok(told)
}

/// Makes a store, or brings it up to date, as the server does by itself when it starts.
async fn migrate(
    config: &Config,
    lobby: AccountsOf,
    url: &str,
    known: usize,
) -> anyhow::Result<String> {
    let file = care::place_of(url)?;
    let before = match file.exists() {
        true => care::check(&file, known).await?.version,
        false => {
            make_folder(config)?;
            0
        }
    };
    let settings = StoreSettings::default();
    match lobby {
        AccountsOf::Faf => faf::store::Store::open(url, &settings).await?.close().await,
        AccountsOf::Cockatrice => {
            let chosen = &config.cockatrice;
            let store =
                cockatrice::store::Store::open(url, &chosen.prefix, chosen.server, &settings);
            store.await?.close().await;
        }
        AccountsOf::VcmiJson => {
            let store = vcmi_json::store::Store::open(url, &settings).await?;
            store.close().await;
        }
    }
    let after = care::check(&file, known).await?.version;
    if after != known {
        bail!("{} is of version {after} still", file.display());
    }
    let file = file.display();
    Ok(match before {
        0 => format!("{file} was made, of version {after}\n"),
        before if before == after => format!("{file} is of version {after}, the newest\n"),
        before => format!("{file} was of version {before} and is of {after} now\n"),
    })
}

fn make_folder(config: &Config) -> anyhow::Result<()> {
    let folder = &config.server.data_dir;
    std::fs::create_dir_all(folder).with_context(|| format!("can't create {}", folder.display()))
}

fn in_words(checked: &Checked, what: &str) -> String {
    let Checked {
        file,
        version,
        known,
        bytes,
        tables,
    } = checked;
    let rows: i64 = tables.iter().map(|(_, rows)| rows).sum();
    let behind = match version == known {
        true => "",
        false => ", which the server brings up to date when it starts",
    };
    format!(
        "{} {what}: version {version} of {known}{behind}, {bytes} bytes, {rows} rows in {} tables\n",
        file.display(),
        tables.len(),
    )
}

fn as_json(checked: &Checked) -> String {
    let tables: serde_json::Map<_, _> = checked
        .tables
        .iter()
        .map(|(name, rows)| (name.clone(), (*rows).into()))
        .collect();
    let shown = serde_json::json!({
        "file": checked.file.display().to_string(),
        "version": checked.version,
        "known": checked.known,
        "bytes": checked.bytes,
        "rows": tables,
    });
    format!("{shown}\n")
}
