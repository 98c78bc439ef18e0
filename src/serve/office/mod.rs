//! The back offices: each lobby that asks questions has one of its own, so that whatever holds up one's store keeps no other waiting.
//!
//! | file | whose |
//! |---|---|
//! | `faf` | store, keys, policy server, countries |
//! | `cockatrice` | accounts, if the lobby has any: store, mail, games that are over |
//! | `vcmi_json` | accounts, chat and rooms, if the lobby is there: store, HTTP interface |
//!
//! `vitals`: whether their stores and the disk take what they are given.

mod cockatrice;
mod faf;
mod vcmi_json;
mod vitals;

use std::{
    future::Future,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
};

use anyhow::Context;
use muster::{
    backoffice::{
        broker::Outbox,
        cockatrice::{mail, rules::Rules},
        keys,
        runner::{self, BackOffice, PerLane, SpawnError},
        spool, store,
    },
    config::Config,
    engine::Mesh,
    lobbies::{Of, Router},
    lobby::{
        Dialect, ShardId, Ticket, cockatrice::questions as of_cockatrice, faf::questions as of_faf,
        question::Lane, vcmi_json::questions as of_vcmi_json,
    },
};

use tokio::sync::watch;

use super::folder::{Claim, Left};
pub(super) use vcmi_json::pages;
pub(super) use vitals::Vitals;

/// A question, who asked, and under which ticket.
type Asked<A> = (ShardId, Ticket, A);

/// A question of any lobby.
type Question = <Router as Dialect>::Ask;

/// Questions of a lane that a back office works on at one time. More would only wait in the database's pool; the others
/// are so few that they leave it connections for those who play.
fn at_once(lane: Lane) -> usize {
    match lane {
        Lane::Disk => 8,
        Lane::Records => 16,
        Lane::Play => 32,
        Lane::Other => 2,
        Lane::SignIn => 64,
    }
}

/// Where a back office keeps what a crash must not lose, and where a server before this one may have left something.
#[derive(Clone, Debug)]
pub(super) struct Journals {
    pub(super) ours: PathBuf,
    pub(super) left: Left,
}

impl Journals {
    /// Those of whoever has the folder.
    pub(super) fn of(claim: &Claim) -> Journals {
        Journals {
            ours: claim.journal().to_owned(),
            left: claim.left(),
        }
    }
}

/// What is known of the back offices outside of them.
#[derive(Debug, Default)]
pub(super) struct Progress {
    /// FAF's reference data has been loaded for the first time.
    loaded: AtomicBool,
    /// Cockatrice's accounts are wanted, and their store has not been reached yet.
    accounts_awaited: AtomicBool,
    /// VCMI's JSON lobby is there, and what a start does in its store is not done yet.
    json_awaited: Arc<AtomicBool>,
    /// The last game number at the start, once it is known.
    pub(super) first_game: AtomicU32,
    /// The last game number that was given out.
    pub(super) last_game: Arc<AtomicU32>,
    /// What is counted of the databases.
    pub(super) store: Arc<store::Metrics>,
    /// What is counted of finished games on disk.
    pub(super) spool: Arc<spool::Metrics>,
    /// What is counted of the keys for login tokens.
    pub(super) keys: Arc<keys::Metrics>,
    /// What is counted of Cockatrice's mail.
    pub(super) mail: Arc<mail::Metrics>,
    /// Whether stores and disk take what they are given.
    pub(super) vitals: Arc<Vitals>,
}

impl Progress {
    /// Whether everything is there that answers need.
    pub(super) fn is_complete(&self) -> bool {
        let awaited = [&self.accounts_awaited, &*self.json_awaited];
        self.loaded.load(Ordering::Acquire)
            && !awaited.iter().any(|one| one.load(Ordering::Acquire))
    }

    /// What has not been reached yet, in words.
    pub(super) fn awaited(&self) -> Vec<String> {
        let is = |flag: &AtomicBool| flag.load(Ordering::Acquire);
        let awaited = [
            ("faf", !is(&self.loaded)),
            ("cockatrice", is(&self.accounts_awaited)),
            ("vcmi_json", is(&self.json_awaited)),
        ];
        let awaited = awaited.into_iter().filter(|(_, is_so)| *is_so);
        awaited
            .map(|(lobby, _)| format!("the store of {lobby} has not been reached yet"))
            .collect()
    }
}

/// The way to tell the back offices that the configuration has changed.
#[derive(Clone)]
pub(super) struct Renewal {
    cockatrice: watch::Sender<Arc<Rules>>,
}

impl Renewal {
    fn new(config: &Config) -> anyhow::Result<Renewal> {
        let rules = Rules::new(config.cockatrice.clone())?;
        Ok(Renewal {
            cockatrice: watch::Sender::new(Arc::new(rules)),
        })
    }

    /// Whatever is asked from now on is answered by this configuration, as far as that may change.
    pub(super) fn configured(&self, config: &Config) {
        match Rules::new(config.cockatrice.clone()) {
            Ok(rules) => drop(self.cockatrice.send_replace(Arc::new(rules))),
            Err(error) => tracing::error!(%error, "accounts stay as they were configured"),
        }
    }
}

/// The running back offices.
pub(super) struct Offices {
    renewal: Renewal,
    faf: BackOffice<Asked<of_faf::Ask>>,
    cockatrice: Option<BackOffice<Asked<of_cockatrice::Ask>>>,
    vcmi_json: Option<BackOffice<Asked<of_vcmi_json::Ask>>>,
}

/// Starts the back offices, which may take a while, and lets others have the thread meanwhile. Gives them with the configuration, in
/// which is what the databases say of it.
pub(super) async fn opened(
    config: &Config,
    journals: Journals,
    mesh: &Arc<Mesh<Router>>,
    progress: &Arc<Progress>,
    outbox: &Arc<Outbox>,
) -> anyhow::Result<(Offices, Config)> {
    let config = cockatrice::with_rooms(config.clone()).await?;
    let (mesh, progress, outbox) = (mesh.clone(), progress.clone(), outbox.clone());
    let renewal = Renewal::new(&config)?;
    tokio::task::spawn_blocking(move || {
        let cockatrice = cockatrice::is_wanted(&config).then(|| {
            let (journals, holding) = (journals.clone(), renewal.cockatrice.subscribe());
            cockatrice::open(&config, journals, mesh.clone(), progress.clone(), holding)
        });
        let cockatrice = cockatrice.transpose()?;
        let vcmi_json = vcmi_json::is_wanted(&config)
            .then(|| vcmi_json::open(&config, mesh.clone(), progress.clone()));
        let vcmi_json = vcmi_json.transpose()?;
        let faf = faf::open(&config, journals, mesh, progress, outbox)?;
        let offices = Offices {
            renewal,
            faf,
            cockatrice,
            vcmi_json,
        };
        Ok((offices, config))
    })
    .await?
}

/// Starts one, with what its `setup` makes to answer.
fn start<A, S, SF, H, F>(
    asks: usize,
    lane: fn(&Asked<A>) -> Lane,
    setup: S,
) -> anyhow::Result<BackOffice<Asked<A>>>
where
    A: Send + 'static,
    S: FnOnce() -> SF + Send + 'static,
    SF: Future<Output = anyhow::Result<H>> + 'static,
    H: Fn(Asked<A>) -> F + 'static,
    F: Future<Output = ()> + 'static,
{
    let started = runner::spawn(runner::questions(asks, lane), PerLane::new(at_once), setup);
    // As it is, the set-up's error tells its causes as well.
    let started = started.map_err(|error| match error {
        SpawnError::Setup(error) => error,
        error => error.into(),
    });
    started.context("the back office can't start")
}

impl Offices {
    /// The way to tell them that the configuration has changed.
    pub(super) fn renewal(&self) -> Renewal {
        self.renewal.clone()
    }

    /// The way to ask; a question that is not taken is given back.
    #[allow(
        clippy::result_large_err,
        reason = "it goes back as it came, to whoever refuses it"
    )]
    pub(super) fn ask(
        &self,
    ) -> impl Fn(ShardId, Ticket, Question) -> Result<(), Question> + Send + Sync + use<> {
        let faf = self.faf.asker();
        let cockatrice = self.cockatrice.as_ref().map(BackOffice::asker);
        let vcmi_json = self.vcmi_json.as_ref().map(BackOffice::asker);
        // Lobbies that ask nothing need no arm.
        move |shard, ticket, ask| match ask {
            Of::Faf(ask) => {
                let taken = faf.try_ask((shard, ticket, ask));
                taken.map_err(|(_, _, ask)| Of::Faf(ask))
            }
            Of::Cockatrice(ask) => match &cockatrice {
                Some(asker) => {
                    let taken = asker.try_ask((shard, ticket, ask));
                    taken.map_err(|(_, _, ask)| Of::Cockatrice(ask))
                }
                None => Err(Of::Cockatrice(ask)),
            },
            Of::VcmiJson(ask) => match &vcmi_json {
                Some(asker) => {
                    let taken = asker.try_ask((shard, ticket, ask));
                    taken.map_err(|(_, _, ask)| Of::VcmiJson(ask))
                }
                None => Err(Of::VcmiJson(ask)),
            },
        }
    }

    /// What each of them counts.
    pub(super) fn metrics(&self) -> Vec<Arc<runner::Metrics>> {
        let faf = self.faf.asker().metrics();
        let cockatrice = self.cockatrice.as_ref();
        let cockatrice = cockatrice.map(|office| office.asker().metrics());
        let vcmi_json = self.vcmi_json.as_ref();
        let vcmi_json = vcmi_json.map(|office| office.asker().metrics());
        let others = cockatrice.into_iter().chain(vcmi_json);
        [faf].into_iter().chain(others).collect()
    }

    /// Whether one has ended, though nobody has stopped it.
    pub(super) fn has_ended(&self) -> bool {
        let cockatrice = self.cockatrice.as_ref();
        let vcmi_json = self.vcmi_json.as_ref();
        self.faf.has_ended()
            || cockatrice.is_some_and(BackOffice::has_ended)
            || vcmi_json.is_some_and(BackOffice::has_ended)
    }

    /// Stops them, when what was asked is answered or takes too long. Blocks.
    pub(super) fn stop(self) {
        std::thread::scope(|scope| {
            if let Some(cockatrice) = self.cockatrice {
                scope.spawn(|| cockatrice.stop());
            }
            if let Some(vcmi_json) = self.vcmi_json {
                scope.spawn(|| vcmi_json.stop());
            }
            self.faf.stop();
        });
    }
}
