//! This server among others of one lobby, or alone: its place, the way to the others, and what is known of them.

use std::{
    cell::{Cell, OnceCell},
    io,
    rc::Rc,
    sync::Arc,
    time::Duration,
};

use anyhow::Context;
use muster::{
    backoffice::{
        cluster::{End, Joined, Metrics, Place, Prepared, Report},
        http::health::Phase,
    },
    config::Config,
    engine::{LetterMetrics, Mesh, Outward},
    lobbies::Router,
    lobby::Standing,
};
use tokio::{
    sync::watch,
    time::{Instant, sleep},
};

use super::{
    ending::Stage,
    orders::Current,
    shards::{Eviction, Shards},
};

/// What is known of the others, for whoever asks how this server is.
#[derive(Debug, Default)]
pub(super) struct Neighbours {
    /// From when this server has its place.
    mesh: OnceCell<Arc<Mesh<Router>>>,
    /// From when it has begun to join others, if there are to be any.
    reported: OnceCell<watch::Receiver<Report>>,
    was_in: Cell<bool>,
    is_alone: Cell<bool>,
    /// The life in which the shards know what the others have, or were waited for long enough.
    caught_up: Cell<Option<u64>>,
}

/// How long a node that has joined others is not ready before it knows what they have: a hundred times what a picture of
/// 20,000 players takes. Whatever keeps it then, its players are better served than not.
const CATCHES_UP_WITHIN: Duration = Duration::from_secs(30);
/// How often it is looked at whether it does.
const LOOK: Duration = Duration::from_millis(20);

impl Neighbours {
    /// The shards, from when they have their names.
    pub(super) fn mesh(&self) -> Option<&Arc<Mesh<Router>>> {
        self.mesh.get()
    }

    /// What the node knows; none: it is alone, or has not begun to join.
    pub(super) fn report(&self) -> Option<Report> {
        Some(self.reported.get()?.borrow().clone())
    }

    fn standing(&self) -> Option<Arc<Standing>> {
        self.reported.get()?.borrow().standing.clone()
    }

    /// How many other nodes the lobby has, as far as is known.
    pub(super) fn others(&self) -> u32 {
        self.standing()
            .map_or(0, |standing| standing.others().count() as u32)
    }

    fn is_member(&self) -> bool {
        self.standing().is_some_and(|standing| !standing.is_island)
    }

    /// Whether it has ever been one of the lobby. A server that is alone is the lobby.
    pub(super) fn was_in(&self) -> bool {
        if self.is_member() {
            self.was_in.set(true);
        }
        self.is_alone.get() || self.was_in.get()
    }

    /// Whether it has lost touch with the others.
    pub(super) fn is_island(&self) -> bool {
        !self.is_alone.get() && !self.is_member()
    }

    /// Whether it hears the others, which it may while the database is away that holds its place.
    pub(super) fn is_in_touch(&self) -> bool {
        self.is_alone.get() || self.standing().is_some_and(|standing| standing.is_in_touch)
    }

    /// The life in which it is one of the lobby.
    fn life(&self) -> Option<u64> {
        let standing = self.standing().filter(|standing| !standing.is_island);
        standing.map(|standing| standing.incarnation)
    }

    /// Whether it knows what the others have.
    pub(super) fn has_caught_up(&self) -> bool {
        self.is_alone.get()
            || self
                .life()
                .is_some_and(|life| self.caught_up.get() == Some(life))
    }

    /// Whether it ever has.
    pub(super) fn has_ever_caught_up(&self) -> bool {
        self.is_alone.get() || self.caught_up.get().is_some()
    }

    /// Notices when a node that has joined others knows what they have. Never ends.
    pub(super) async fn watch_catching_up(&self) {
        let (Some(mesh), Some(mut reported)) = (self.mesh.get(), self.reported.get().cloned())
        else {
            return std::future::pending().await; // alone
        };
        let mut since = None;
        loop {
            reported.mark_unchanged();
            let life = self.life();
            if let Some(life) = life.filter(|_| !self.has_caught_up()) {
                let begun = *since.get_or_insert_with(Instant::now);
                if self.catches_up(mesh, life, begun).await {
                    since = None;
                }
            } else if !self.has_ever_caught_up()
                && since.is_some_and(|since: Instant| since.elapsed() >= CATCHES_UP_WITHIN)
            {
                tracing::warn!(
                    "this node has lost the others before it knew what they have; it serves all the same"
                );
                self.caught_up.set(Some(0)); // of no life: the next one is shown everything
                since = None;
            }
            if self.life() == life && reported.changed().await.is_err() {
                return std::future::pending().await; // the node has ended, which is noticed elsewhere
            }
        }
    }

    /// False: the life is over.
    async fn catches_up(&self, mesh: &Mesh<Router>, life: u64, begun: Instant) -> bool {
        while !mesh.all_caught_up() {
            if self.life() != Some(life) {
                return false;
            }
            if begun.elapsed() >= CATCHES_UP_WITHIN {
                tracing::warn!(
                    waited_s = CATCHES_UP_WITHIN.as_secs(),
                    "not all other nodes have shown what they have; this one serves all the same"
                );
                self.caught_up.set(Some(life));
                return true;
            }
            sleep(LOOK).await;
        }
        tracing::info!(took = ?begun.elapsed(), "what the other nodes have is known here");
        self.caught_up.set(Some(life));
        true
    }

    /// Whether the lobbies that live on one node are here.
    pub(super) fn has_single(&self) -> bool {
        let is_here = |standing: Arc<Standing>| {
            let holder = standing.leases.single;
            holder.is_some_and(|holder| holder.node == standing.node)
        };
        self.is_alone.get() || self.standing().is_some_and(is_here)
    }

    /// Sends away who is connected to the lobbies that live on one node, whenever they have moved to another one. A server that
    /// is going to end lets them play on. Never ends.
    pub(super) async fn send_after_single(&self, current: &Current, phase: &Stage) {
        let (Some(mesh), Some(mut reported)) = (self.mesh.get(), self.reported.get().cloned())
        else {
            return std::future::pending().await; // alone
        };
        let shards = Shards::of(mesh.clone());
        let mut had = None;
        while reported.changed().await.is_ok() {
            let standing = reported.borrow_and_update().standing.clone();
            let Some(holder) = standing.as_ref().and_then(|known| known.leases.single) else {
                continue; // nobody, as far as is known: then they stay
            };
            if holder.node == mesh.node() {
                had = Some(holder.term);
            } else if had.take_if(|term| *term < holder.term).is_some()
                && phase.get() == Phase::Ready
            {
                tracing::warn!(
                    node = holder.node,
                    "the lobbies that live on one node have moved"
                );
                let per_s = current.borrow().server.stopping.evicted_per_s;
                let all = Router::LOBBIES.iter();
                for (_, protocol) in all.filter(|(_, protocol)| !Router::spreads(*protocol)) {
                    let eviction = Eviction::of(&shards, 0, per_s);
                    eviction.of_lobby(*protocol).run().await;
                }
            }
        }
        std::future::pending().await // the node has ended, which is noticed elsewhere
    }
}

/// A place among the nodes, and the shards that are named by it.
pub(super) struct Seat {
    pub(super) mesh: Arc<Mesh<Router>>,
    place: Option<(Place, Arc<Outward>)>,
}

impl Seat {
    /// Takes a place, if there are to be others; waits for the database then.
    ///
    /// # Errors
    /// The configuration's.
    pub(super) async fn take(config: &Config, neighbours: &Neighbours) -> anyhow::Result<Seat> {
        let shards = config.engine.shards;
        let cluster = &config.cluster;
        let (mesh, place) = if cluster.is_wanted() {
            let (url, folder) = (&config.store.url, &config.server.data_dir);
            let place = Place::take(cluster, &name(config), url, folder).await;
            let place = place.context("this server's place in the lobby")?;
            let outward = Arc::<Outward>::default();
            let mesh = Mesh::of_node(place.slot(), shards, Some(outward.clone()));
            (mesh, Some((place, outward)))
        } else {
            (Mesh::new(shards), None)
        };
        neighbours.is_alone.set(place.is_none());
        let _ = neighbours.mesh.set(mesh.clone()); // a server has one place
        Ok(Seat { mesh, place })
    }

    /// Before the shards start: tells them that nothing is known of the others yet.
    ///
    /// # Errors
    /// NATS can't be used as it is configured.
    pub(super) async fn prepared(self) -> anyhow::Result<Ready> {
        let Some((place, outward)) = self.place else {
            return Ok(Ready(None));
        };
        let letters = outward.metrics().clone();
        let shards = self.mesh.shards();
        let prepared = place.prepare(shards, &outward, self.mesh).await;
        let prepared = prepared.context("the way to the other nodes")?;
        Ok(Ready(Some((prepared, letters))))
    }
}

/// What this node is called where people look.
pub(super) fn name(config: &Config) -> String {
    let host = || gethostname::gethostname().to_string_lossy().into_owned();
    config.cluster.name.clone().unwrap_or_else(host)
}

/// A node that has not spoken to others yet.
pub(super) struct Ready(Option<(Prepared, Arc<LetterMetrics>)>);

impl Ready {
    /// Joins the others, as often as it takes.
    pub(super) fn join(self, neighbours: &Neighbours) -> Node {
        let joined = self.0.map(|(prepared, letters)| {
            let joined = prepared.join();
            let _ = neighbours.reported.set(joined.reported()); // a server joins once
            (joined, letters)
        });
        Node(joined)
    }
}

/// A node among others, or alone.
pub(super) struct Node(Option<(Joined, Arc<LetterMetrics>)>);

/// What is counted of it.
pub(super) type Counts = (Arc<Metrics>, Arc<LetterMetrics>);

impl Node {
    /// What is counted of it, if there are others.
    pub(super) fn counts(&self) -> Option<Counts> {
        let (joined, letters) = self.0.as_ref()?;
        Some((joined.metrics().clone(), letters.clone()))
    }

    /// A way to let others do what only one node does, from whenever it is called.
    pub(super) fn retirement(&self) -> Rc<dyn Fn()> {
        match &self.0 {
            Some((joined, _)) => Rc::new(joined.retirement()),
            None => Rc::new(|| ()),
        }
    }

    /// Until it is none of the lobby any more, though nobody told it to leave. Never, if it is alone. Says why.
    pub(super) async fn ended(&mut self) -> anyhow::Error {
        let ended: io::Result<End> = match &mut self.0 {
            Some((joined, _)) => joined.ended().await,
            None => std::future::pending().await,
        };
        match ended {
            Ok(_) => anyhow::anyhow!("this server's place in the lobby is another process's"),
            Err(error) => anyhow::Error::new(error).context("the way to the other nodes is lost"),
        }
    }

    /// Leaves the others in good order.
    pub(super) async fn leave(self) {
        if let Some((joined, _)) = self.0 {
            joined.leave().await;
        }
    }
}
