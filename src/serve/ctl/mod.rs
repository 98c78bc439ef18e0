//! `muster ctl` at the server's side: a socket in the data folder, for whoever the server's user is, and root; and the desk
//! behind it, where the live page's wishes come too.
//!
//! | file | what it is |
//! |---|---|
//! | `mod` | the socket, who may speak, one request and one answer for each connection |
//! | `moderation`, `bans` | what is done about people at once, and for long |
//! | `stores` | where lobbies keep their bans |
//! | `status`, `top` | how the server is, out of what it counts; how busy |
//! | `cluster` | this node among others |
//! | `drain` | an orderly end that was ordered for later |
//! | `audit` | what was done, by whom |

mod audit;
mod bans;
mod cluster;
mod drain;
mod moderation;
mod status;
mod stores;
mod top;

use std::{
    cell::{Cell, RefCell},
    fs, io,
    net::IpAddr,
    path::{Path, PathBuf},
    rc::Rc,
    sync::Arc,
    time::Duration,
};

use metrics::Registry;
use muster::{
    backoffice::{
        http::health::Phase,
        operator::{Entry, OperatorStore},
    },
    control_socket::{self, REQUEST_BYTES, Reply, Request, Status},
    engine::{Bans, Mesh, Refusals},
    lobbies::Router,
    log::{self, Level},
};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::{UnixListener, UnixStream},
    sync::Semaphore,
    task::{JoinHandle, spawn_local},
    time::timeout,
};

pub(super) use self::audit::Who;
use self::moderation::lobbies_that_are_on;

use self::{
    drain::{Drain, Planned},
    status::Started,
    stores::Stores,
};
use super::{
    ending::Stage,
    figures::Figures,
    judging::Judging,
    neighbours::Neighbours,
    orders::{Current, Orders},
    shards::{self, Shards},
};

/// A request is there at once, or never.
const PATIENCE: Duration = Duration::from_secs(5);
/// The longest that one is worked at, reading and writing included.
const LONGEST: Duration = Duration::from_secs(30);
/// Requests that are worked at, at once.
const AT_ONCE: usize = 8;

/// What the engine and the desk share of those who are no players yet.
#[derive(Clone, Default)]
pub(super) struct Strangers {
    /// Where nobody is let in from.
    pub(super) bans: Arc<Bans>,
    /// Who was turned away.
    pub(super) refusals: Arc<Refusals>,
}

/// What requests are about.
#[derive(Clone)]
pub(super) struct Controlled {
    pub(super) orders: Arc<Orders>,
    pub(super) level: Rc<Level>,
    pub(super) phase: Rc<Stage>,
    pub(super) judging: Judging,
    pub(super) mesh: Arc<Mesh<Router>>,
    pub(super) registry: Arc<Registry>,
    pub(super) current: Current,
    pub(super) strangers: Strangers,
    pub(super) neighbours: Rc<Neighbours>,
}

/// The open socket.
pub(super) struct Ctl {
    tasks: [JoinHandle<()>; 2],
    desk: Rc<Desk>,
}

impl Ctl {
    /// Has the shards do what operators have ordered of an earlier process, and listens in the data folder, which is claimed, so that
    /// a socket there is of a process that has ended. Where it can't, the server does without.
    pub(super) async fn open(controlled: Controlled) -> Ctl {
        let folder = controlled.current.borrow().server.data_dir.clone();
        let folder = folder.as_path();
        let store = match OperatorStore::open(folder, true).await {
            Ok(store) => {
                audit::take_over(folder, &store).await;
                Some(store)
            }
            Err(error) => {
                tracing::warn!(%error, "bans of networks, mutes and the audit can't be kept");
                None
            }
        };
        let desk = Rc::new(Desk {
            shards: Rc::new(Shards::of(controlled.mesh.clone())),
            controlled,
            started: Started::now(),
            planned: RefCell::new(Planned::default()),
            store,
            stores: Stores::default(),
            socket: control_socket::path(folder),
            is_released: Cell::new(false),
        });
        if desk.store.is_some()
            && let Err(why) = desk.restore().await
        {
            tracing::warn!(why, "not all bans and mutes of before are in force");
        }
        let path = &desk.socket;
        let task = match listen(path) {
            Ok(listener) => spawn_local(serve(listener, desk.clone())),
            Err(error) => {
                tracing::warn!(%error, path = %path.display(), "muster ctl will not reach this server");
                spawn_local(async {})
            }
        };
        let noting = spawn_local(audit::note_strangers(desk.clone()));
        Ctl {
            tasks: [task, noting],
            desk,
        }
    }

    /// The desk behind it.
    pub(super) fn desk(&self) -> Rc<Desk> {
        self.desk.clone()
    }

    /// Ends it.
    pub(super) async fn close(self) {
        for task in &self.tasks {
            task.abort();
        }
        audit::note_refusals(&self.desk).await;
        if !self.desk.is_released.get() {
            let _ = fs::remove_file(&self.desk.socket); // the next server would
        }
        if let Some(store) = &self.desk.store {
            store.close().await;
        }
    }
}

/// For its owner alone from the first moment on: it is made under another name.
fn listen(path: &Path) -> io::Result<UnixListener> {
    use std::os::unix::fs::PermissionsExt;
    let fresh = path.with_extension("new");
    for stale in [&fresh, path] {
        match fs::remove_file(stale) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    let listener = UnixListener::bind(&fresh)?;
    fs::set_permissions(&fresh, fs::Permissions::from_mode(0o600))?;
    fs::rename(&fresh, path)?;
    Ok(listener)
}

/// Those who ask, some at once: one who waits for a shard holds up nobody else.
async fn serve(listener: UnixListener, desk: Rc<Desk>) {
    let places = Arc::new(Semaphore::new(AT_ONCE));
    loop {
        let Ok(place) = places.clone().acquire_owned().await else {
            return; // it is never closed
        };
        match listener.accept().await {
            Ok((stream, _)) => {
                let desk = desk.clone();
                spawn_local(async move {
                    if let Ok(Err(error)) = timeout(LONGEST, desk.answer(stream)).await {
                        tracing::debug!(%error, "muster ctl went away");
                    }
                    drop(place);
                });
            }
            Err(error) => {
                tracing::warn!(%error, "muster ctl can't be heard");
                tokio::time::sleep(PATIENCE).await; // no descriptors, say
            }
        }
    }
}

/// Where requests are done, whoever they come from.
pub(super) struct Desk {
    controlled: Controlled,
    started: Started,
    planned: RefCell<Planned>,
    shards: Rc<Shards>,
    /// What operators have done, and whom they keep out.
    store: Option<OperatorStore>,
    stores: Stores,
    /// The socket's name, which is the next server's once this one has given the folder up.
    socket: PathBuf,
    is_released: Cell<bool>,
}

impl Desk {
    /// What is counted.
    pub(super) fn registry(&self) -> &Registry {
        &self.controlled.registry
    }

    /// How the server is, by these figures.
    pub(super) fn status(&self, figures: &Figures) -> Status {
        let in_s = self.planned.borrow().begins_in_s();
        self.started.status(&self.controlled, figures, in_s)
    }

    /// Somebody has given a wrong token for the live page.
    pub(super) async fn wrong_token(&self, from: IpAddr) {
        self.note(audit::wrong_token(from)).await;
    }

    /// Does what a line says, and gives the line that answers it.
    pub(super) async fn asked(&self, line: &str, who: &Who) -> String {
        let reply = match serde_json::from_str(line) {
            Ok(request) => self.reply(request, who).await,
            Err(error) => Reply::Refused(format!("this server does not know that: {error}")),
        };
        serde_json::to_string(&reply).unwrap_or_default()
    }

    async fn answer(&self, stream: UnixStream) -> io::Result<()> {
        let who = Who::Uid(stream.peer_cred()?.uid());
        let (read, mut write) = stream.into_split();
        let mut line = String::new();
        let mut limited = BufReader::new(read.take(REQUEST_BYTES as u64));
        match timeout(PATIENCE, limited.read_line(&mut line)).await {
            Ok(read) => read?,
            Err(_) => return Ok(()), // it says nothing
        };
        let mut text = self.asked(&line, &who).await;
        text.push('\n');
        write.write_all(text.as_bytes()).await?;
        write.shutdown().await
    }

    async fn reply(&self, request: Request, who: &Who) -> Reply {
        let reply = self.outcome(&request, who.uid()).await;
        let reply = reply.unwrap_or_else(Reply::Refused);
        if !request.only_looks() {
            self.note(audit::entry(who, &request, &reply)).await;
        }
        reply
    }

    /// Writes down what was done. That it can't be stops nobody, and is said.
    async fn note(&self, entry: Entry) {
        let Entry {
            uid,
            action,
            target,
            reason,
            outcome,
            said,
            ..
        } = &entry;
        tracing::info!(uid, action, target, reason, outcome, said, "muster ctl");
        if let Some(store) = &self.store
            && let Err(error) = store.note(&entry).await
        {
            tracing::error!(%error, "the audit can't be written");
        }
    }

    /// # Errors
    /// In words: there is none.
    fn store(&self) -> Result<&OperatorStore, String> {
        let store = self.store.as_ref();
        store.ok_or_else(|| "the operators' store can't be used; the log says why".to_owned())
    }

    async fn outcome(&self, request: &Request, uid: Option<u32>) -> Result<Reply, String> {
        let Controlled {
            orders,
            level,
            phase,
            ..
        } = &self.controlled;
        match request {
            Request::Status => Ok(Reply::Status(self.status(&Figures::of(self.registry())))),
            Request::Top => Ok(Reply::Top(Box::new(self.top().await))),
            Request::Cluster => cluster::shown(&self.controlled),
            Request::Reload => {
                orders.reload.notify_one();
                Ok(Reply::Done(
                    "the configuration is being read again; the log says what changes".into(),
                ))
            }
            Request::LogLevel { level: wanted } if !log::is_level(wanted) => Err(format!(
                "{wanted:?} is no level: error, warn, info, debug, trace, or a list"
            )),
            Request::LogLevel { level: wanted } => {
                level(wanted);
                Ok(Reply::Done(format!(
                    "{wanted} is logged until the configuration is read again"
                )))
            }
            Request::Drain { in_s, reason } => {
                let wait = drain::checked(*in_s, phase)?;
                let drain = self.draining(reason.as_deref(), false);
                self.planned.borrow_mut().plan(wait, drain)
            }
            Request::CancelDrain if phase.get() == Phase::Draining => Err(
                "the end has begun, and there is no way back: players have been told".to_owned(),
            ),
            Request::CancelDrain => {
                let told = self.planned.borrow_mut().cancel()?;
                drain::tell(&self.shards, &self.lobbies_that_are_on(), None, None).await;
                Ok(told)
            }
            Request::Release { reason } => {
                drain::checked(0, phase)?;
                self.release().await?;
                let drain = self.draining(reason.as_deref(), true);
                self.planned.borrow_mut().plan(Duration::ZERO, drain)?;
                Ok(Reply::Done(
                    "the next server may start; when it is ready, whoever is in no game is sent to it; running games go on in this one"
                        .into(),
                ))
            }
            request => self.about_people(request, uid).await,
        }
    }

    fn draining(&self, reason: Option<&str>, has_successor: bool) -> Drain {
        Drain {
            orders: self.controlled.orders.clone(),
            shards: self.shards.clone(),
            lobbies: self.lobbies_that_are_on(),
            reason: reason.map(str::to_owned),
            has_successor,
        }
    }

    /// Has ports and data folder given up, and gives the socket up as well: the next server's has its name.
    async fn release(&self) -> Result<(), String> {
        let orders = &self.controlled.orders;
        let mut released = orders.released.subscribe();
        released.mark_unchanged();
        orders.release.notify_one();
        let changed = timeout(PATIENCE, released.changed()).await;
        changed
            .map_err(|_| "it takes too long; the log says more".to_owned())?
            .map_err(|error| error.to_string())?;
        let done = released.borrow().clone();
        done.unwrap_or(Ok(()))?;
        let _ = fs::remove_file(&self.socket); // the next server would
        self.is_released.set(true);
        Ok(())
    }

    async fn about_people(&self, request: &Request, uid: Option<u32>) -> Result<Reply, String> {
        match request {
            Request::List {
                subject,
                lobby,
                filter,
                limit,
            } => {
                let lobbies = shards::lobbies(lobby.as_deref())?;
                let wanted = shards::wanted(filter.as_deref())?;
                let list = self.shards.list(*subject, &lobbies, &wanted, *limit);
                let mut listing = list.await;
                listing.other_nodes = self.controlled.neighbours.others();
                Ok(Reply::Listing(listing))
            }
            Request::Kick {
                player,
                lobby,
                reason,
            } => self.kick(player, lobby.as_deref(), reason).await,
            Request::Ban {
                whom,
                lobby,
                for_s,
                reason,
            } => self.ban(whom, lobby.as_deref(), *for_s, reason, uid).await,
            Request::Unban { whom, lobby } => self.unban(whom, lobby.as_deref()).await,
            Request::Bans { lobby } => self.bans(lobby.as_deref()).await,
            Request::Mute {
                player,
                lobby,
                for_s,
                reason,
            } => {
                let lobby = lobby.as_deref();
                self.mute(player, lobby, *for_s, reason, uid).await
            }
            Request::Unmute { player, lobby } => self.unmute(player, lobby.as_deref()).await,
            Request::Broadcast { text, lobby } => self.broadcast(text, lobby.as_deref()).await,
            // The others are done already.
            _ => Err("this server does not know that".to_owned()),
        }
    }
}
