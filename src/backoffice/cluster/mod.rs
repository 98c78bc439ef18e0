//! A lobby on several machines, at the side of servers and clocks: what `cluster` decides is carried out here.
//!
//! | file | what it is |
//! |---|---|
//! | [`settings`](mod@settings) | what an operator may choose |
//! | `locks` | the session in the shared database that says who is who |
//! | `bus` | the NATS session |
//! | `driver` | a node with its senses and hands |
//! | `metrics` | what is counted of it |
//! | `slot` | which place this node had the last time |
//! | `examination` | what `muster doctor` looks at |
//!
//! In this order: a [`Place`] is taken, the engine is started as that node, the node joins ([`Joined`]). Nothing here ever ends
//! somebody's connection, and whatever is away (NATS, the database) is waited for.

mod bus;
mod driver;
mod examination;
mod locks;
mod metrics;
pub mod settings;
mod slot;
#[cfg(test)]
mod tests;

use std::{io, path::Path, rc::Rc, sync::Arc, time::Duration};

use cluster::{Figures, Standing};
use engine::Outward;
use tokio::{
    sync::watch,
    task::{JoinHandle, spawn_local},
    time::timeout,
};

pub use driver::{End, Inside};
pub use examination::{Database, ENVELOPE_BYTES, Examined, examine};
pub use metrics::Metrics;
pub use settings::Cluster;

use bus::Bus;
use driver::Driver;
use locks::Locks;

/// Time for the locks to be let go of.
const PARTING: Duration = Duration::from_secs(1);

/// What a node knows of itself and the others, for operators.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// What the shards were told last.
    pub standing: Option<Arc<Standing>>,
    /// What it counts.
    pub figures: Figures,
    /// There is a connection to NATS.
    pub has_bus: bool,
    /// There is a session in the database.
    pub has_database: bool,
}

/// What the process wants of its node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wish {
    Serve,
    Retire,
    Leave,
}

/// A place among the nodes, held in the database.
pub struct Place {
    settings: Cluster,
    name: String,
    slot: u8,
    locks: Rc<Locks>,
    keeping: JoinHandle<()>,
}

impl Place {
    /// Takes a place, the one that this data folder had the last time if nobody has it. Waits for the database, and for a place.
    /// To be called inside a `LocalSet`.
    ///
    /// # Errors
    /// The database's URL is none of a MariaDB server.
    pub async fn take(
        settings: &Cluster,
        name: &str,
        store_url: &str,
        data_dir: &Path,
    ) -> io::Result<Place> {
        let options = locks::options(store_url).map_err(io::Error::other)?;
        let locks = Locks::new(&settings.lobby);
        let keeping = locks::keep(locks.clone(), options, slot::last(data_dir));
        let keeping = spawn_local(keeping);
        let slot = loop {
            match locks.slot() {
                Some(slot) => break slot,
                None => locks.changed().await,
            }
        };
        slot::keep(data_dir, slot);
        tracing::info!(
            slot,
            lobby = settings.lobby,
            name,
            "this node has its place in the lobby"
        );
        Ok(Place {
            settings: settings.clone(),
            name: name.to_owned(),
            slot,
            locks,
            keeping,
        })
    }

    /// The number of this node.
    pub fn slot(&self) -> u8 {
        self.slot
    }

    /// Tells the shards that nothing is known of others yet; they are to be started after this.
    ///
    /// # Errors
    /// NATS can't be used as it is configured.
    pub async fn prepare(
        self,
        shards: u16,
        outward: &Arc<Outward>,
        inside: impl Inside + 'static,
    ) -> io::Result<Prepared> {
        let bus = Bus::open(&self.settings, &self.name, self.slot).await?;
        let (report, reported) = watch::channel(Report::default());
        let driver = Driver::new(
            self.slot,
            shards,
            self.locks.clone(),
            outward.clone(),
            Box::new(inside),
            report,
        );
        Ok(Prepared {
            place: self,
            bus,
            driver,
            reported,
        })
    }
}

/// A node that has a place and has not spoken yet.
pub struct Prepared {
    place: Place,
    bus: Bus,
    driver: Driver,
    reported: watch::Receiver<Report>,
}

impl Prepared {
    /// Joins the others, as often as it takes.
    pub fn join(self) -> Joined {
        let metrics = self.driver.metrics().clone();
        let (wishes, wished) = watch::channel(Wish::Serve);
        Joined {
            slot: self.place.slot,
            name: self.place.name,
            metrics,
            reported: self.reported,
            wishes,
            task: spawn_local(self.driver.run(self.bus, wished)),
            locks: self.place.locks,
            keeping: self.place.keeping,
        }
    }
}

/// A node among others.
pub struct Joined {
    slot: u8,
    name: String,
    metrics: Arc<Metrics>,
    reported: watch::Receiver<Report>,
    wishes: watch::Sender<Wish>,
    task: JoinHandle<End>,
    locks: Rc<Locks>,
    keeping: JoinHandle<()>,
}

impl Joined {
    /// Its number.
    pub fn slot(&self) -> u8 {
        self.slot
    }

    /// What people call it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What is counted of it.
    pub fn metrics(&self) -> &Arc<Metrics> {
        &self.metrics
    }

    /// What it knows, from now on.
    pub fn reported(&self) -> watch::Receiver<Report> {
        self.reported.clone()
    }

    /// A way to let others do what only one node does, from when it is called. It stays a member.
    pub fn retirement(&self) -> impl Fn() + use<> {
        let wishes = self.wishes.clone();
        move || {
            wishes.send_if_modified(|wish| {
                let serves = *wish == Wish::Serve;
                *wish = if serves { Wish::Retire } else { *wish };
                serves
            });
        }
    }

    /// Waits until it is none of the lobby any more though nobody told it to leave. May be dropped at any time.
    ///
    /// # Errors
    /// Its task has panicked.
    pub async fn ended(&mut self) -> io::Result<End> {
        (&mut self.task).await.map_err(io::Error::other)
    }

    /// Leaves the others in good order and lets go of everything.
    pub async fn leave(self) {
        self.wishes.send_replace(Wish::Leave);
        if !self.task.is_finished() {
            let _ = timeout(PARTING, self.task).await; // the others find out without it
        }
        self.locks.part();
        let _ = timeout(PARTING, self.keeping).await; // the database finds out without it
    }
}
