//! `muster ctl` at the server's side: a socket in the data folder, for whoever the server's user is, and root; and the desk
//! behind it, where the live page's wishes come too.
//!
//! | file | what it is |
//! |---|---|
//! | `mod` | the socket, who may speak, one request and one answer for each connection |
//! | `status` | how the server is, out of what it counts |
//! | `drain` | an orderly end that was ordered for later |
//! | `audit` | what was done, by whom |

mod audit;
mod drain;
mod status;

use std::{
    cell::RefCell,
    fs, io,
    net::IpAddr,
    path::{Path, PathBuf},
    rc::Rc,
    sync::Arc,
    time::Duration,
};

use metrics::Registry;
use muster::{
    control_socket::{self, REQUEST_BYTES, Reply, Request, Status},
    engine::Mesh,
    lobbies::Router,
    log::{self, Level},
};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::{UnixListener, UnixStream},
    task::{JoinHandle, spawn_local},
    time::timeout,
};

pub(super) use self::audit::Who;

use self::{audit::Audit, drain::Planned, status::Started};
use super::{ending::Stage, figures::Figures, orders::Orders};

/// A request is there at once, or never.
const PATIENCE: Duration = Duration::from_secs(5);

/// What requests are about.
#[derive(Clone)]
pub(super) struct Controlled {
    pub(super) orders: Arc<Orders>,
    pub(super) level: Rc<Level>,
    pub(super) phase: Rc<Stage>,
    pub(super) mesh: Arc<Mesh<Router>>,
    pub(super) registry: Arc<Registry>,
}

/// The open socket.
pub(super) struct Ctl {
    path: PathBuf,
    task: JoinHandle<()>,
    desk: Rc<Desk>,
}

impl Ctl {
    /// Listens in the folder, which is claimed, so that a socket there is of a process that has ended. Where it can't, the
    /// server does without.
    pub(super) fn open(folder: &Path, controlled: Controlled) -> Ctl {
        let desk = Desk::new(folder, controlled);
        let path = control_socket::path(folder);
        let listener = match listen(&path) {
            Ok(listener) => listener,
            Err(error) => {
                tracing::warn!(%error, path = %path.display(), "muster ctl will not reach this server");
                let task = spawn_local(async {});
                return Ctl { path, task, desk };
            }
        };
        let task = spawn_local(serve(listener, desk.clone()));
        Ctl { path, task, desk }
    }

    /// The desk behind it.
    pub(super) fn desk(&self) -> Rc<Desk> {
        self.desk.clone()
    }

    /// Ends it.
    pub(super) fn close(self) {
        self.task.abort();
        let _ = fs::remove_file(self.path); // the next server would
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

/// One after the other: whoever asks waits for a moment at the most.
async fn serve(listener: UnixListener, desk: Rc<Desk>) {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                if let Ok(Err(error)) = timeout(PATIENCE, desk.answer(stream)).await {
                    tracing::debug!(%error, "muster ctl went away");
                }
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
    audit: Audit,
}

impl Desk {
    /// One that keeps what was done in this folder.
    fn new(folder: &Path, controlled: Controlled) -> Rc<Desk> {
        Rc::new(Desk {
            controlled,
            started: Started::now(),
            planned: RefCell::new(Planned::default()),
            audit: Audit::at(folder),
        })
    }

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
    pub(super) fn wrong_token(&self, from: IpAddr) {
        self.audit.wrong_token(from);
    }

    /// Does what a line says, and gives the line that answers it.
    pub(super) async fn asked(&self, line: &str, who: &Who) -> String {
        let reply = match serde_json::from_str(line) {
            Ok(request) => self.reply(request, who),
            Err(error) => Reply::Refused(format!("this server does not know that: {error}")),
        };
        serde_json::to_string(&reply).unwrap_or_default()
    }

    async fn answer(&self, stream: UnixStream) -> io::Result<()> {
        let who = Who::Uid(stream.peer_cred()?.uid());
        let (read, mut write) = stream.into_split();
        let mut line = String::new();
        let mut limited = BufReader::new(read.take(REQUEST_BYTES as u64));
        limited.read_line(&mut line).await?;
        let mut text = self.asked(&line, &who).await;
        text.push('\n');
        write.write_all(text.as_bytes()).await?;
        write.shutdown().await
    }

    fn reply(&self, request: Request, who: &Who) -> Reply {
        let Controlled {
            orders,
            level,
            phase,
            ..
        } = &self.controlled;
        let reply = match &request {
            Request::Status => {
                return Reply::Status(self.status(&Figures::of(self.registry())));
            }
            Request::Reload => {
                orders.reload.notify_one();
                Reply::Done(
                    "the configuration is being read again; the log says what changes".into(),
                )
            }
            Request::LogLevel { level: wanted } if !log::is_level(wanted) => Reply::Refused(
                format!("{wanted:?} is no level: error, warn, info, debug, trace, or a list"),
            ),
            Request::LogLevel { level: wanted } => {
                level(wanted);
                Reply::Done(format!(
                    "{wanted} is logged until the configuration is read again"
                ))
            }
            Request::Drain { in_s, reason } => {
                self.planned
                    .borrow_mut()
                    .plan(*in_s, reason.as_deref(), orders, phase)
            }
            Request::CancelDrain => self.planned.borrow_mut().cancel(),
        };
        self.audit.write(who, &request, &reply);
        reply
    }
}
