//! The locks of a real MariaDB server, and whole nodes over it and a real NATS server. Passed over where `MUSTER_TEST_MYSQL`
//! or `MUSTER_TEST_NATS` names none: `tests/with-mariadb tests/with-nats cargo test -p muster-backoffice cluster`.

use std::{
    cell::RefCell,
    future::Future,
    path::Path,
    rc::Rc,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use cluster::{Lease, Standing};
use engine::{Mesh, Outward, since_boot};
use lobby::{ConnId, Dialect, Origin, ShardId, Turn};
use sqlx::mysql::MySqlConnectOptions;
use tokio::{
    task::{JoinHandle, LocalSet, spawn_local},
    time::{sleep, timeout},
};

use super::{
    Cluster, End, Inside, Joined, Place,
    locks::{self, Lock, Locks},
};

/// How long anything may take.
const PATIENCE: Duration = Duration::from_secs(30);

fn mysql() -> Option<String> {
    let url = std::env::var("MUSTER_TEST_MYSQL").ok();
    if url.is_none() {
        eprintln!("no MUSTER_TEST_MYSQL, passed over");
    }
    url
}

fn nats() -> Option<String> {
    let url = std::env::var("MUSTER_TEST_NATS").ok();
    if url.is_none() {
        eprintln!("no MUSTER_TEST_NATS, passed over");
    }
    url
}

/// A lobby that no other test has.
fn lobby() -> String {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    format!("test-{}-{number}", std::process::id())
}

async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let holding = async {
        while !holds() {
            sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(PATIENCE, holding)
        .await
        .unwrap_or_else(|_| panic!("not in time: {what}"));
}

fn run(test: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    LocalSet::new().block_on(&runtime, test);
}

/// Somebody who holds locks.
struct Holder {
    locks: Rc<Locks>,
    keeping: JoinHandle<()>,
}

impl Holder {
    fn new(lobby: &str, options: &MySqlConnectOptions, preferred: Option<u8>) -> Holder {
        let locks = Locks::new(lobby);
        let keeping = spawn_local(locks::keep(locks.clone(), options.clone(), preferred));
        Holder { locks, keeping }
    }

    async fn slot(&self) -> u8 {
        until("a slot", || self.locks.slot().is_some()).await;
        self.locks.slot().unwrap()
    }

    fn holds(&self, lock: Lock) -> Option<u64> {
        self.locks.held(lock, since_boot())
    }
}

#[test]
fn each_node_has_a_place_and_what_one_has_the_others_wait_for() {
    let Some(url) = mysql() else { return };
    run(async move {
        let (lobby, options) = (lobby(), locks::options(&url).unwrap());
        let one = Holder::new(&lobby, &options, None);
        assert_eq!(one.slot().await, 0);
        let other = Holder::new(&lobby, &options, Some(0));
        assert_eq!(other.slot().await, 1, "the preferred one is taken");
        let third = Holder::new(&lobby, &options, Some(7));
        assert_eq!(third.slot().await, 7);
        let lead = Lock::Of(Lease::Lead);
        one.locks.want(lead, true);
        until("the lead", || one.holds(lead).is_some()).await;
        let first = one.holds(lead).unwrap();
        other.locks.want(lead, true);
        other.locks.fence(0);
        other.locks.fence(5);
        let mut fenced = Vec::new();
        until("two answers", || {
            fenced.extend(other.locks.fenced());
            fenced.len() == 2
        })
        .await;
        fenced.sort_unstable();
        assert_eq!(fenced, [(0, false), (5, true)]);
        assert_eq!(other.holds(lead), None);
        one.locks.want(lead, false);
        assert_eq!(one.holds(lead), None, "not from the moment it is given up");
        until("the lead of another", || other.holds(lead).is_some()).await;
        assert!(other.holds(lead).unwrap() > first);
        other.locks.part();
        other.keeping.await.unwrap();
        assert_eq!(other.locks.held(lead, since_boot()), None);
        let heir = Holder::new(&lobby, &options, Some(1));
        assert_eq!(heir.slot().await, 1, "given up at once");
    });
}

#[test]
fn a_holder_that_hears_nothing_holds_nothing_and_gets_it_back() {
    let Some(url) = mysql() else { return };
    run(async move {
        let (lobby, options) = (lobby(), locks::options(&url).unwrap());
        let holder = Holder::new(&lobby, &options, None);
        let slot = Lock::Slot(holder.slot().await);
        let until_then = holder.locks.until();
        assert!(until_then <= since_boot() + Duration::from_secs(4));
        assert!(holder.locks.held(slot, until_then).is_none());
        // The server ends the session: the lock is anybody's.
        let mut admin = locks::session(&options).await.unwrap();
        let name = format!("muster/{lobby}/slot/0");
        let session: Option<i64> = sqlx::query_scalar("SELECT IS_USED_LOCK(?)")
            .bind(&name)
            .fetch_one(&mut admin)
            .await
            .unwrap();
        let kill = format!("KILL {}", session.expect("somebody has it"));
        sqlx::query(sqlx::AssertSqlSafe(kill))
            .execute(&mut admin)
            .await
            .unwrap();
        until("the loss", || holder.holds(slot).is_none()).await;
        until("the same place again", || holder.holds(slot).is_some()).await;
    });
}

#[test]
fn a_server_that_is_not_there_is_waited_for() {
    run(async {
        let options = locks::options("mysql://nobody@127.0.0.1:1/nothing").unwrap();
        let holder = Holder::new("nowhere", &options, None);
        let slot = timeout(Duration::from_millis(300), holder.slot()).await;
        assert!(slot.is_err());
        assert!(!holder.locks.is_connected());
        holder.locks.part();
        timeout(PATIENCE, holder.keeping).await.unwrap().unwrap();
    });
}

/// What a node's shards are told.
#[derive(Default)]
struct Ear {
    letters: RefCell<Vec<(u8, Bytes)>>,
    standing: RefCell<Option<Arc<Standing>>>,
    broken: RefCell<Vec<u8>>,
}

impl Ear {
    fn members(&self) -> usize {
        let standing = self.standing.borrow();
        let standing = standing.as_ref().filter(|standing| !standing.is_island);
        standing.map_or(0, |standing| standing.view.members.len())
    }
}

impl Inside for Rc<Ear> {
    fn letter(&self, from: u8, bytes: Bytes) {
        self.letters.borrow_mut().push((from, bytes));
    }

    fn standing(&self, standing: &Arc<Standing>) {
        *self.standing.borrow_mut() = Some(standing.clone());
    }

    fn lane_broken(&self, node: u8) {
        self.broken.borrow_mut().push(node);
    }
}

/// A mesh with nobody behind it: something that says letters.
type Voice = Mesh<Mute>;

/// A dialect without a word.
#[derive(Debug)]
struct Mute;

impl Dialect for Mute {
    type Mail = u32;
    type Ask = ();
    type Answer = ();
    type Event = ();
    type Notice = ();
    type Timer = ();

    fn on_open(&mut self, _: &mut Turn<'_, Self>, _: ConnId, _: Origin) {}

    fn on_frame(&mut self, _: &mut Turn<'_, Self>, _: ConnId, _: &mut [u8]) {}

    fn on_close(&mut self, _: &mut Turn<'_, Self>, _: ConnId) {}

    fn refuse((): ()) {}
}

struct Node {
    ear: Rc<Ear>,
    voice: Arc<Voice>,
    joined: Joined,
}

impl Node {
    async fn join(settings: &Cluster, store_url: &str, folder: &Path) -> Node {
        let place = Place::take(settings, "a node", store_url, folder);
        let place = timeout(PATIENCE, place).await.unwrap().unwrap();
        let (outward, ear) = (Arc::<Outward>::default(), Rc::<Ear>::default());
        let voice = Mesh::of_node(place.slot(), 1, Some(outward.clone()));
        let prepared = place.prepare(1, &outward, ear.clone()).await.unwrap();
        let first = ear.standing.borrow().clone().expect("told at once");
        assert!(first.is_island, "nothing is known yet");
        Node {
            ear,
            voice,
            joined: prepared.join(),
        }
    }

    fn slot(&self) -> u8 {
        self.joined.slot()
    }

    fn coordinator(&self) -> Option<u8> {
        let standing = self.ear.standing.borrow();
        let holder = standing.as_ref()?.leases.coordinator;
        Some(holder?.node)
    }

    fn say(&self, to: &Node, number: u32) {
        let from = ShardId::new(self.slot(), 0);
        let mail = engine::Inbound::Mail(from, number);
        self.voice.post(ShardId::new(to.slot(), 0), mail);
    }
}

fn settings(nats: &str) -> Cluster {
    Cluster {
        url: Some(nats.to_owned()),
        lobby: lobby(),
        ..Cluster::default()
    }
}

#[test]
fn nodes_find_each_other_and_their_letters_arrive_in_order() {
    let (Some(url), Some(nats)) = (mysql(), nats()) else {
        return;
    };
    run(async move {
        let settings = settings(&nats);
        let folders = [(); 2].map(|()| tempfile::tempdir().unwrap());
        let one = Node::join(&settings, &url, folders[0].path()).await;
        until("a lobby of one", || one.coordinator() == Some(0)).await;
        let other = Node::join(&settings, &url, folders[1].path()).await;
        assert_eq!((one.slot(), other.slot()), (0, 1));
        until("a lobby of two", || {
            one.ear.members() == 2 && other.ear.members() == 2
        })
        .await;
        for number in 0..2_000 {
            one.say(&other, number);
        }
        until("all letters", || other.ear.letters.borrow().len() == 2_000).await;
        let letters = other.ear.letters.take();
        let bodies: Vec<&Bytes> = letters.iter().map(|(_, letter)| letter).collect();
        let distinct: std::collections::BTreeSet<_> = bodies.iter().collect();
        assert_eq!(distinct.len(), 2_000);
        assert!(letters.iter().all(|(from, _)| *from == 0));
        // Who leaves in good order is out at once, and its place is free.
        let gone = since_boot();
        other.joined.leave().await;
        until("a lobby of one again", || one.ear.members() == 1).await;
        assert!(since_boot() - gone < Duration::from_secs(2), "nobody waits");
        let third = Node::join(&settings, &url, folders[1].path()).await;
        assert_eq!(third.slot(), 1, "its place of before");
        until("a lobby of two again", || third.ear.members() == 2).await;
        until("the same coordinator", || third.coordinator() == Some(0)).await;
        one.joined.retirement()();
        until("another one", || one.coordinator() == Some(1)).await;
        assert_eq!(one.ear.members(), 2, "it stays a member");
        for node in [one, third] {
            node.joined.leave().await;
        }
    });
}

#[test]
fn a_node_whose_place_is_anothers_ends() {
    let (Some(url), Some(nats)) = (mysql(), nats()) else {
        return;
    };
    run(async move {
        let settings = settings(&nats);
        let options = locks::options(&url).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let mut one = Node::join(&settings, &url, folder.path()).await;
        until("a lobby of one", || one.ear.members() == 1).await;
        // Somebody else takes its place while it does not look.
        let mut admin = locks::session(&options).await.unwrap();
        let name = format!("muster/{}/slot/0", settings.lobby);
        let session: Option<i64> = sqlx::query_scalar("SELECT IS_USED_LOCK(?)")
            .bind(&name)
            .fetch_one(&mut admin)
            .await
            .unwrap();
        let kill = format!("KILL {}", session.expect("somebody has it"));
        sqlx::query(sqlx::AssertSqlSafe(kill))
            .execute(&mut admin)
            .await
            .unwrap();
        let elsewhere = tempfile::tempdir().unwrap();
        std::fs::write(elsewhere.path().join("cluster.slot"), "0").unwrap();
        let usurper = Node::join(&settings, &url, elsewhere.path()).await;
        if usurper.slot() != 0 {
            return; // the first one was quicker
        }
        let ended = timeout(PATIENCE, one.joined.ended()).await;
        assert_eq!(ended.unwrap().unwrap(), End::Displaced);
    });
}
