//! Who is who: locks in the database that all nodes share, each held by one session at a time.
//!
//! One session holds all of this node's. The server lets go of them when the session ends, or when it has heard nothing for
//! [`SILENCE`]; so they are ours until [`HELD`] after a question was *sent* that was answered, by a clock that goes on while the
//! machine sleeps. A session that breaks loses all of them at once, and another begins.
//!
//! What is wanted and what is held stands in [`Locks`], which the driver and this task share: nothing is queued between them.

use std::{
    cell::{Cell, RefCell},
    collections::{BTreeMap, BTreeSet},
    rc::Rc,
    str::FromStr,
    time::Duration,
};

use cluster::{Lease, View};
use engine::since_boot;
use sqlx::{
    ConnectOptions, Connection, MySqlConnection, Row,
    mysql::{MySqlConnectOptions, MySqlRow},
};
use tokio::{
    sync::Notify,
    time::{Instant, sleep, sleep_until, timeout},
};

/// After so much silence of ours the server ends the session.
const SILENCE: Duration = Duration::from_secs(5);
/// What was answered is believed for this long, counted from before the question: less than [`SILENCE`], for clocks differ.
const HELD: Duration = Duration::from_secs(4);
/// How often the server hears of us.
const RENEWED: Duration = Duration::from_secs(1);
/// How often it is tried to get what somebody else has.
const TRIED: Duration = Duration::from_millis(500);
/// How often it is tried to get a place where there was none.
const FULL: Duration = Duration::from_secs(5);
/// A new session takes no longer than this.
const CONNECTING: Duration = Duration::from_secs(3);
/// First pause after a session that could not be made; doubled each time.
const PAUSE_FIRST: Duration = Duration::from_millis(100);
/// Longest such pause.
const PAUSE_LONGEST: Duration = Duration::from_secs(1);
/// A server that is away is told to the log this often.
const TOLD: Duration = Duration::from_secs(10);
/// Time to let go of everything in good order.
const PARTING: Duration = Duration::from_millis(500);

/// Something that one node of a lobby has at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Lock {
    /// A place among the nodes.
    Slot(u8),
    /// Something that only one may do.
    Of(Lease),
}

impl Lock {
    /// What it is called in the database.
    fn name(self, lobby: &str) -> String {
        match self {
            Lock::Slot(slot) => format!("muster/{lobby}/slot/{slot}"),
            Lock::Of(Lease::Lead) => format!("muster/{lobby}/lead"),
            Lock::Of(Lease::Coordinator) => format!("muster/{lobby}/hall.faf"),
            Lock::Of(Lease::Outside) => format!("muster/{lobby}/outside"),
            Lock::Of(Lease::Single) => format!("muster/{lobby}/vcmi"),
        }
    }
}

/// What is wanted of the database, and what it has given.
#[derive(Debug)]
pub(super) struct Locks {
    lobby: String,
    wanted: RefCell<BTreeSet<Lock>>,
    /// With the database's time of each taking, in microseconds.
    held: RefCell<BTreeMap<Lock, u64>>,
    /// All that is held is held until then, of the clock of [`since_boot`].
    until: Cell<Duration>,
    /// The place of this node, once it has one.
    slot: Cell<Option<u8>>,
    /// Slots that it is to be tried to take.
    fences: RefCell<BTreeSet<u8>>,
    /// What came of that.
    fenced: RefCell<BTreeMap<u8, bool>>,
    is_connected: Cell<bool>,
    parting: Cell<bool>,
    /// Something else is wanted.
    asked: Notify,
    /// Something has changed of what is held.
    changed: Notify,
}

impl Locks {
    /// Of a lobby; nothing is wanted yet.
    pub(super) fn new(lobby: &str) -> Rc<Locks> {
        Rc::new(Locks {
            lobby: lobby.to_owned(),
            wanted: RefCell::default(),
            held: RefCell::default(),
            until: Cell::default(),
            slot: Cell::default(),
            fences: RefCell::default(),
            fenced: RefCell::default(),
            is_connected: Cell::default(),
            parting: Cell::default(),
            asked: Notify::new(),
            changed: Notify::new(),
        })
    }

    /// Wants something from now on, or not any more.
    pub(super) fn want(&self, lock: Lock, is_wanted: bool) {
        let mut wanted = self.wanted.borrow_mut();
        let changed = match is_wanted {
            true => wanted.insert(lock),
            false => wanted.remove(&lock),
        };
        if changed {
            self.asked.notify_one();
        }
    }

    /// Has it tried to take another's slot, which is given up at once.
    pub(super) fn fence(&self, slot: u8) {
        self.fences.borrow_mut().insert(slot);
        self.asked.notify_one();
    }

    /// What has come of that since it was asked last.
    pub(super) fn fenced(&self) -> BTreeMap<u8, bool> {
        self.fenced.take()
    }

    /// The time of the taking, of what is held at this time and still wanted.
    pub(super) fn held(&self, lock: Lock, now: Duration) -> Option<u64> {
        let is_ours = now < self.until.get() && self.wanted.borrow().contains(&lock);
        self.held.borrow().get(&lock).copied().filter(|_| is_ours)
    }

    /// When all that is held is not any more, if nothing is heard.
    pub(super) fn until(&self) -> Duration {
        self.until.get()
    }

    /// Whether there is a session.
    pub(super) fn is_connected(&self) -> bool {
        self.is_connected.get()
    }

    /// Something has changed. For one who waits; may be dropped at any time.
    pub(super) async fn changed(&self) {
        self.changed.notified().await;
    }

    /// Lets go of everything, and ends [`keep`].
    pub(super) fn part(&self) {
        self.parting.set(true);
        self.asked.notify_one();
    }

    /// The place that this node has got, once it has one.
    pub(super) fn slot(&self) -> Option<u8> {
        self.slot.get()
    }

    fn lose_everything(&self) {
        self.held.borrow_mut().clear();
        self.fences.borrow_mut().clear();
        self.until.set(Duration::ZERO);
        self.is_connected.set(false);
        self.changed.notify_one();
    }
}

/// Reads the URL of a database.
///
/// # Errors
/// It is none of a MariaDB or MySQL server; its text is not told, because there may be a password in it.
pub(super) fn options(url: &str) -> Result<MySqlConnectOptions, &'static str> {
    let rest = url
        .strip_prefix("mysql://")
        .or_else(|| url.strip_prefix("mariadb://"));
    let options =
        rest.and_then(|rest| MySqlConnectOptions::from_str(&format!("mysql://{rest}")).ok());
    // UTC: a term is a time, and local ones come twice in autumn.
    let options = options.map(|options| options.timezone(Some("+00:00".to_owned())));
    options.ok_or("the store's URL is none of a MariaDB server")
}

/// A session for locks.
///
/// # Errors
/// The database's; or it takes too long.
pub(super) async fn session(options: &MySqlConnectOptions) -> sqlx::Result<MySqlConnection> {
    let connecting = async {
        let mut session = options.connect().await?;
        let seconds = SILENCE.as_secs();
        execute(
            &mut session,
            &format!("SET SESSION wait_timeout = {seconds}"),
        )
        .await?;
        Ok(session)
    };
    timeout(CONNECTING, connecting)
        .await
        .unwrap_or_else(timed_out)
}

fn timed_out<T>(_: tokio::time::error::Elapsed) -> sqlx::Result<T> {
    let error = std::io::Error::from(std::io::ErrorKind::TimedOut);
    Err(sqlx::Error::Io(error))
}

/// Keeps a session for as long as it takes, and in it what is wanted: first a slot, `preferred` if that is free, otherwise the
/// lowest one. Ends after [`Locks::part`].
pub(super) async fn keep(locks: Rc<Locks>, options: MySqlConnectOptions, preferred: Option<u8>) {
    let (mut pause, mut told) = (PAUSE_FIRST, None::<Instant>);
    while !locks.parting.get() {
        let failed = match session(&options).await {
            Ok(session) => {
                locks.is_connected.set(true);
                pause = PAUSE_FIRST;
                let kept = Keeper::new(&locks, session).keep(preferred).await;
                locks.lose_everything();
                kept.err()
            }
            Err(error) => Some(error),
        };
        if let Some(error) = failed {
            if told.is_none_or(|told| told.elapsed() >= TOLD) {
                told = Some(Instant::now());
                tracing::warn!(%error, "no session for this node's locks in the database");
            }
            sleep(pause).await;
            pause = (pause * 2).min(PAUSE_LONGEST);
        }
    }
}

/// One session.
struct Keeper<'a> {
    locks: &'a Locks,
    session: MySqlConnection,
    /// When the last question was sent that was answered.
    answered: Duration,
    /// When it was last tried to get what others have.
    tried: Option<Instant>,
}

impl<'a> Keeper<'a> {
    fn new(locks: &'a Locks, session: MySqlConnection) -> Self {
        Keeper {
            locks,
            session,
            answered: since_boot(),
            tried: None,
        }
    }

    /// Until everything is given up in good order, or the session is lost.
    async fn keep(mut self, preferred: Option<u8>) -> sqlx::Result<()> {
        self.renew().await?;
        loop {
            if self.locks.parting.get() {
                let _ = timeout(PARTING, self.session.close()).await; // the server lets go of everything then
                return Ok(());
            }
            self.give_up().await?;
            match self.locks.slot.get() {
                None => self.choose_slot(preferred).await?,
                Some(_) => self.take_all().await?,
            }
            self.fence_all().await?;
            let due = self.answered + RENEWED;
            let pause = due.saturating_sub(since_boot()).min(TRIED);
            tokio::select! {
                () = self.locks.asked.notified() => {}
                () = sleep_until(Instant::now() + pause) => {}
            }
            if since_boot() >= due {
                self.renew().await?;
            }
        }
    }

    async fn renew(&mut self) -> sqlx::Result<()> {
        self.ask("DO 1", &[]).await.map(drop)
    }

    /// Asks something. Whatever is answered shows that the server has heard of us after it was sent.
    async fn ask(&mut self, question: &str, names: &[String]) -> sqlx::Result<Option<MySqlRow>> {
        let sent = since_boot();
        let left = (self.answered + HELD).saturating_sub(sent);
        let mut query = sqlx::query(sqlx::AssertSqlSafe(question));
        for name in names {
            query = query.bind(name.clone());
        }
        let answer = timeout(left, query.fetch_optional(&mut self.session)).await;
        let row = answer.unwrap_or_else(timed_out)?;
        if since_boot() >= self.answered + HELD {
            return Err(std::io::Error::from(std::io::ErrorKind::TimedOut).into());
        }
        self.answered = sent;
        self.locks.until.set(sent + HELD);
        self.locks.changed.notify_one();
        Ok(row)
    }

    /// Takes a lock if nobody has it. Gives the database's time of that.
    async fn take(&mut self, lock: Lock) -> sqlx::Result<Option<u64>> {
        // The time is that after it was taken, so that it grows from holder to holder.
        const TAKE: &str = "SELECT GET_LOCK(?, 0) AS taken, CAST(UNIX_TIMESTAMP(SYSDATE(6)) * 1000000 AS UNSIGNED) AS at";
        let row = self.ask(TAKE, &[lock.name(&self.locks.lobby)]).await?;
        let row = row.ok_or(sqlx::Error::RowNotFound)?;
        let taken: Option<i64> = row.try_get("taken")?;
        let at: u64 = row.try_get("at")?;
        Ok((taken == Some(1)).then_some(at))
    }

    async fn release(&mut self, lock: Lock) -> sqlx::Result<()> {
        let name = lock.name(&self.locks.lobby);
        self.ask("DO RELEASE_LOCK(?)", &[name]).await.map(drop)
    }

    /// The lowest place that nobody has, or the preferred one.
    async fn choose_slot(&mut self, preferred: Option<u8>) -> sqlx::Result<()> {
        if self.tried.is_some_and(|tried| tried.elapsed() < FULL) {
            return Ok(());
        }
        self.tried = Some(Instant::now());
        let all = preferred.into_iter().chain(0..View::SLOTS);
        for slot in all.filter(|slot| *slot < View::SLOTS) {
            let lock = Lock::Slot(slot);
            if let Some(at) = self.take(lock).await? {
                self.locks.wanted.borrow_mut().insert(lock);
                self.locks.held.borrow_mut().insert(lock, at);
                self.locks.slot.set(Some(slot));
                self.locks.changed.notify_one();
                return Ok(());
            }
        }
        tracing::warn!(
            "this lobby has {} nodes already: waiting for a place",
            View::SLOTS
        );
        Ok(())
    }

    /// Lets go of what is not wanted any more.
    async fn give_up(&mut self) -> sqlx::Result<()> {
        let unwanted: Vec<Lock> = {
            let (held, wanted) = (self.locks.held.borrow(), self.locks.wanted.borrow());
            held.keys()
                .copied()
                .filter(|lock| !wanted.contains(lock))
                .collect()
        };
        for lock in unwanted {
            self.locks.held.borrow_mut().remove(&lock);
            self.release(lock).await?;
            self.locks.changed.notify_one();
        }
        Ok(())
    }

    /// Tries to get what is wanted and not held, not too often.
    async fn take_all(&mut self) -> sqlx::Result<()> {
        let missing: Vec<Lock> = {
            let (held, wanted) = (self.locks.held.borrow(), self.locks.wanted.borrow());
            wanted
                .iter()
                .copied()
                .filter(|lock| !held.contains_key(lock))
                .collect()
        };
        if missing.is_empty() || self.tried.is_some_and(|tried| tried.elapsed() < TRIED) {
            return Ok(());
        }
        self.tried = Some(Instant::now());
        for lock in missing {
            if let Some(at) = self.take(lock).await? {
                self.locks.held.borrow_mut().insert(lock, at);
                self.locks.changed.notify_one();
            }
        }
        Ok(())
    }

    /// Tries to take the slots of others who are silent.
    async fn fence_all(&mut self) -> sqlx::Result<()> {
        let fences = self.locks.fences.take();
        for slot in fences {
            let lock = Lock::Slot(slot);
            let is_ours = self.locks.held.borrow().contains_key(&lock);
            let taken = !is_ours && self.take(lock).await?.is_some();
            if taken {
                self.release(lock).await?;
            }
            self.locks.fenced.borrow_mut().insert(slot, taken);
            self.locks.changed.notify_one();
        }
        Ok(())
    }
}

async fn execute(session: &mut MySqlConnection, statement: &str) -> sqlx::Result<()> {
    let statement = sqlx::raw_sql(sqlx::AssertSqlSafe(statement));
    sqlx::Executor::execute(session, statement).await.map(drop)
}
