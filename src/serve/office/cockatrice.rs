//! Cockatrice's back office: accounts, decks, replays and moderation in a store of its own, and mail.

use std::{
    fs,
    path::{Path, PathBuf},
    rc::Rc,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use anyhow::{Context, bail};
use muster::{
    backoffice::{
        cockatrice::{
            CockatriceHandler,
            mail::Mailer,
            rules::Holding,
            store::{Store, Unusable},
        },
        runner::BackOffice,
        spool::Spool,
        store::{self, StoreSettings},
        unix_now,
    },
    config::Config,
    engine::{Inbound, Mesh},
    lobbies::{Of, Router},
    lobby::{
        cockatrice::{
            Method,
            questions::{Answer, Ask},
        },
        question::StoreFailure,
    },
};

use super::{Asked, Journals, Left, Progress, vitals};

/// The folder of a journal, and of the data folder, that is this lobby's.
const FOLDER: &str = "cockatrice";
/// In a journal's: games that are over.
const GAMES: &str = "games";
/// And pieces of their replays.
const PIECES: &str = "pieces";

/// How long it takes until a store that could not be reached, or not take a game, is asked again.
const PAUSE: Duration = Duration::from_secs(5);

/// Whether there are accounts.
pub(super) fn is_wanted(config: &Config) -> bool {
    let lobby = &config.lobbies.cockatrice;
    lobby.listener.enabled && lobby.dialect.method == Method::Accounts
}

/// Starts it: the store, what is left of games, mail, and the handler that answers.
pub(super) fn open(
    config: &Config,
    journals: Journals,
    mesh: Arc<Mesh<Router>>,
    progress: Arc<Progress>,
    holding: Holding,
) -> anyhow::Result<BackOffice<Asked<Ask>>> {
    let asks = config.queue.asks;
    let config = config.clone();
    let setup = move || async move {
        let handler = set_up(&config, journals, &progress, holding).await?;
        Ok::<_, anyhow::Error>(move |(shard, ticket, ask): Asked<Ask>| {
            let (handler, mesh) = (handler.clone(), mesh.clone());
            async move {
                let answer = Of::Cockatrice(answer(handler, ask).await);
                mesh.post(shard, Inbound::Answer(ticket, answer));
            }
        })
    };
    super::start(asks, |(_, _, ask)| ask.lane(), setup)
}

/// Makes the handler, and begins what is done beside its answers.
async fn set_up(
    config: &Config,
    journals: Journals,
    progress: &Arc<Progress>,
    holding: Holding,
) -> anyhow::Result<Rc<CockatriceHandler>> {
    // Sessions that are open may be those of other nodes.
    let begun = (!config.cluster.is_wanted()).then(unix_now);
    let store = Arc::new(store(config, progress).await?);
    let trying = store.clone();
    vitals::watch(
        "Cockatrice's store",
        &progress.vitals,
        |all| &all.cockatrice,
        move || {
            let store = trying.clone();
            async move { store.is_alive().await }
        },
    );
    let folder = journals.ours.join(FOLDER);
    let theirs = journals.left.path().join(FOLDER);
    let unread = || {
        format!(
            "games of an earlier run in {} can't be read",
            folder.display()
        )
    };
    let games = Spool::open(&folder.join(GAMES), progress.spool.clone()).with_context(unread)?;
    let attempts = config.sign_in.attempts;
    let handler = CockatriceHandler::new(store.clone(), holding.clone(), attempts);
    let (handler, left) = handler
        .with_ipv6_prefix(config.engine.ipv6_prefix)
        .with_spool(games, &folder.join(PIECES), &theirs.join(GAMES))
        .with_context(unread)?;
    let handler = Rc::new(handler);
    let storing = handler.clone();
    tokio::task::spawn_local(async move { storing.keep_storing(left, PAUSE).await });
    tokio::task::spawn_local(adopt(handler.clone(), journals.left));
    let mailer = Mailer::new(config.cockatrice.mail.clone(), progress.mail.clone());
    tokio::task::spawn_local(mailer.keep_sending(store.clone(), holding));
    progress.accounts_awaited.store(true, Ordering::Release);
    if !is_reached(&store, begun, &progress.accounts_awaited).await {
        let why = store::reach(&config.cockatrice.store_url).await.err();
        tracing::warn!(
            why,
            "the database of the Cockatrice lobby is not there yet: sign-ins are refused until it is"
        );
        let progress = progress.clone();
        tokio::task::spawn_local(async move {
            while !is_reached(&store, begun, &progress.accounts_awaited).await {
                tokio::time::sleep(PAUSE).await;
            }
            tracing::info!("the database of the Cockatrice lobby is there");
        });
    }
    Ok(handler)
}

/// Takes over what is left in another journal, once that is nobody's.
async fn adopt(handler: Rc<CockatriceHandler>, left: Left) {
    let adopt = async |theirs: &Path| handler.adopt(&theirs.join(GAMES), &theirs.join(PIECES));
    let _ = left.adopted(FOLDER, adopt).await; // if it can't, it has been logged
}

/// Whether the store is there and fit for use; then sessions that were open when this process began are over, unless others have
/// some.
async fn is_reached(store: &Store, begun: Option<f64>, awaited: &AtomicBool) -> bool {
    let looked = match begun {
        Some(begun) => store.begin(begun).await,
        None => store.look().await,
    };
    match looked {
        Ok(()) => {
            awaited.store(false, Ordering::Release);
            for gap in store.gaps().await.unwrap_or_default() {
                tracing::warn!("the database of the Cockatrice lobby: {gap}");
            }
        }
        Err(Unusable::Unreached) => return false,
        Err(error) => {
            tracing::error!(%error, "the Cockatrice lobby can't use its database");
            return false;
        }
    }
    true
}

/// Answers in any case: somebody is held until the answer comes, and a panic on the way must not keep it from coming.
async fn answer(handler: Rc<CockatriceHandler>, ask: Ask) -> Answer {
    let otherwise = ask.failed(StoreFailure::Unavailable);
    let answer = tokio::task::spawn_local(async move { handler.handle(ask).await });
    answer.await.unwrap_or(otherwise)
}

async fn store(config: &Config, progress: &Progress) -> Result<Store, anyhow::Error> {
    let chosen = &config.cockatrice;
    let settings = StoreSettings {
        max_connections: config.store.connections,
        metrics: progress.store.clone(),
        ..StoreSettings::default()
    };
    let (url, prefix) = (&chosen.store_url, &chosen.prefix);
    let store = Store::open(url, prefix, chosen.server, &settings).await;
    store.context("the store of the Cockatrice lobby")
}

/// Where what is left of games is.
fn folder(config: &Config) -> PathBuf {
    config.server.data_dir.join(FOLDER)
}

/// Reads the rooms from the store into the configuration, if they are there. They are fixed from the start on, so a database that is not there now has to
/// have been read before.
///
/// # Errors
/// It can't be read and was not, or has rooms that can't be.
pub(super) async fn with_rooms(mut config: Config) -> anyhow::Result<Config> {
    let wanted = config.lobbies.cockatrice.listener.enabled && config.cockatrice.rooms_in_store;
    if !wanted {
        return Ok(config);
    }
    let store = store(&config, &Progress::default()).await?;
    let read = store.rooms().await;
    store.close().await;
    let known = folder(&config).join("rooms.json");
    let rooms = match read {
        Ok(rooms) => {
            remember(&known, &rooms).with_context(|| format!("can't write {}", known.display()))?;
            rooms
        }
        Err(error) => match fs::read_to_string(&known) {
            Ok(rooms) => {
                tracing::warn!(%error, "rooms can't be read from the database: they are as they were at the start before");
                rooms
            }
            Err(_) => bail!("cockatrice.rooms_in_store: the rooms can't be read: {error}"),
        },
    };
    let dialect = &mut config.settings_mut().lobbies.cockatrice.dialect;
    dialect.rooms = rooms;
    match dialect.room_list() {
        Ok(_) => Ok(config),
        Err(fault) => bail!("the database's rooms: {fault}"),
    }
}

/// Writes the file as a whole or not at all.
fn remember(file: &Path, rooms: &str) -> std::io::Result<()> {
    if let Some(folder) = file.parent() {
        fs::create_dir_all(folder)?;
    }
    let beside = file.with_extension("new");
    fs::write(&beside, rooms)?;
    fs::rename(&beside, file)
}
