//! The server under test: the real binary on ports of its own choice, with a folder and a database of its own.
//!
//! Every database holds `tests/fixtures/faf-data.sql`. The embedded one is filled once and then copied; on MariaDB (if
//! `MUSTER_TEST_MYSQL` names a server) each has its own name and is dropped at the end.

use std::{
    collections::BTreeMap,
    fs,
    future::Future,
    io::{BufRead, BufReader},
    net::SocketAddr,
    path::Path,
    process::{Child, Command, Stdio},
    sync::{
        OnceLock,
        atomic::{AtomicU32, Ordering},
        mpsc,
    },
    thread,
    time::{Duration, Instant},
};

use sqlx::{
    AssertSqlSafe, ConnectOptions, Connection, Executor, MySqlConnection,
    sqlite::SqliteConnectOptions,
};
use tempfile::TempDir;

use super::script::Transport;

const SCHEMA: &str = include_str!("../fixtures/faf-schema.mysql.sql");
const DATA: &str = include_str!("../fixtures/faf-data.sql");
/// Who is banned for 46 hours from now on, and what he is told: `draco`, `ban_46_hour`.
const BANNED: [(u32, &str); 2] = [(16, "spam"), (204, "Test ongoing ban with 46 hours left")];
/// How long a start, or an end, may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// The password of an account of our own dialogues.
pub(crate) fn password(login: &str) -> String {
    format!("pw-{login}")
}

/// A kind of database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Backend {
    Sqlite,
    MySql,
}

impl Backend {
    /// Those that are there.
    pub(crate) fn all() -> &'static [Backend] {
        match mysql_url() {
            Some(_) => &[Backend::Sqlite, Backend::MySql],
            None => &[Backend::Sqlite],
        }
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Backend::Sqlite => "SQLite",
            Backend::MySql => "MariaDB",
        }
    }
}

fn mysql_url() -> Option<String> {
    let url = std::env::var("MUSTER_TEST_MYSQL").ok()?;
    Some(url.trim_end_matches('/').to_owned())
}

/// A database with the test data.
pub(crate) enum Database {
    Sqlite(TempDir),
    MySql { server: String, name: String },
}

impl Database {
    pub(crate) fn make(backend: Backend) -> Result<Database, String> {
        let database = match backend {
            Backend::Sqlite => {
                let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
                copy(filled()?, folder.path()).map_err(|error| error.to_string())?;
                Database::Sqlite(folder)
            }
            Backend::MySql => {
                static NUMBER: AtomicU32 = AtomicU32::new(0);
                let server = mysql_url().ok_or("no MUSTER_TEST_MYSQL")?;
                let number = NUMBER.fetch_add(1, Ordering::Relaxed);
                let name = format!("muster_served_{}_{number}", std::process::id());
                wait(async {
                    let mut connection = MySqlConnection::connect(&format!("{server}/")).await?;
                    let text = format!("CREATE DATABASE {name}; USE {name}; {SCHEMA} {DATA}");
                    connection
                        .execute(sqlx::raw_sql(AssertSqlSafe(text.as_str())))
                        .await?;
                    connection.close().await
                })?;
                Database::MySql { server, name }
            }
        };
        let until = match backend {
            Backend::Sqlite => "datetime('now', '+46 hours')",
            Backend::MySql => "UTC_TIMESTAMP() + INTERVAL 46 HOUR",
        };
        for (id, reason) in BANNED {
            database.sql(&format!(
                "INSERT INTO ban (player_id, author_id, reason, expires_at, level) VALUES ({id}, 1, '{reason}', {until}, 'GLOBAL')"
            ))?;
        }
        Ok(database)
    }

    /// For `store.url`.
    pub(crate) fn url(&self) -> String {
        match self {
            Database::Sqlite(folder) => {
                format!("sqlite:{}", folder.path().join("muster.db").display())
            }
            Database::MySql { server, name } => format!("{server}/{name}"),
        }
    }

    /// Runs statements.
    pub(crate) fn sql(&self, statement: &str) -> Result<(), String> {
        self.rows(statement).map(drop)
    }

    /// The rows of a query for one text each.
    pub(crate) fn rows(&self, query: &str) -> Result<Vec<String>, String> {
        let url = self.url();
        let rows = match self {
            Database::Sqlite(_) => wait(async {
                let options: SqliteConnectOptions = url.parse()?;
                let options = options
                    .busy_timeout(Duration::from_secs(10))
                    .disable_statement_logging();
                let mut connection = options.connect().await?;
                let rows = sqlx::raw_sql(AssertSqlSafe(query))
                    .fetch_all(&mut connection)
                    .await?;
                connection.close().await?;
                rows.iter().map(|row| sqlx::Row::try_get(row, 0)).collect()
            }),
            Database::MySql { .. } => wait(async {
                let mut connection = MySqlConnection::connect(&url).await?;
                let rows = sqlx::raw_sql(AssertSqlSafe(query))
                    .fetch_all(&mut connection)
                    .await?;
                connection.close().await?;
                rows.iter().map(|row| sqlx::Row::try_get(row, 0)).collect()
            }),
        };
        rows.map_err(|error| format!("{query}: {error}"))
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        if let Database::MySql { server, name } = self {
            let _ = wait(async {
                let mut connection = MySqlConnection::connect(&format!("{server}/")).await?;
                let drop = format!("DROP DATABASE {name}");
                connection
                    .execute(sqlx::raw_sql(AssertSqlSafe(drop.as_str())))
                    .await?;
                connection.close().await
            });
        }
    }
}

/// What a server is started with.
pub(crate) struct Setup<'a> {
    pub(crate) backend: Backend,
    pub(crate) shards: u16,
    /// `key=value`, over the defaults for tests.
    pub(crate) set: &'a [String],
    /// Statements before the start.
    pub(crate) sql: &'a [String],
}

/// A running server; it ends with this value.
pub(crate) struct Server {
    child: Child,
    command: Command,
    folder: TempDir,
    pub(crate) database: Database,
    ports: BTreeMap<String, SocketAddr>,
}

impl Server {
    pub(crate) fn start(setup: &Setup<'_>) -> Result<Server, String> {
        Server::start_behind(setup, |url| url)
    }

    /// The same; `behind` gives the URL by which the server reaches its database.
    pub(crate) fn start_behind(
        setup: &Setup<'_>,
        behind: impl FnOnce(String) -> String,
    ) -> Result<Server, String> {
        let database = Database::make(setup.backend)?;
        for statement in setup.sql {
            database.sql(statement)?;
        }
        let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
        let mut command = muster(folder.path());
        command.args(["--shards", &setup.shards.to_string()]);
        let defaults = [
            &format!("store.url={}", behind(database.url())),
            "server.pin=false",
            "server.stop_grace_s=0",
            "log.level=error",
            "faf.auth=database",
            "faf.tick_ms=20",
            "faf.jwks_url=",
            "faf.json_address=127.0.0.1:0",
            "faf.qdatastream_address=127.0.0.1:0",
            "faf.websocket_address=127.0.0.1:0",
            "vcmi.address=127.0.0.1:0",
            "http.control_address=127.0.0.1:0",
            "http.health_address=127.0.0.1:0",
            "http.page_address=",
        ];
        for pair in defaults
            .into_iter()
            .chain(setup.set.iter().map(String::as_str))
        {
            command.args(["--set", pair]);
        }
        Server::launch(command, folder, database)
    }

    /// Runs a command that [`muster`] made, to the line `ready`.
    pub(crate) fn launch(
        mut command: Command,
        folder: TempDir,
        database: Database,
    ) -> Result<Server, String> {
        command.arg("serve").stdout(Stdio::piped());
        let (child, ports) = serve(&mut command)?;
        Ok(Server {
            child,
            command,
            folder,
            database,
            ports,
        })
    }

    /// Kills it, as a crash would.
    pub(crate) fn crash(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Starts it again on the same folder and database.
    pub(crate) fn restart(&mut self) -> Result<(), String> {
        (self.child, self.ports) = serve(&mut self.command)?;
        Ok(())
    }

    pub(crate) fn address(&self, transport: Transport) -> Result<SocketAddr, String> {
        self.listener(&format!("faf/{}", transport.name()))
    }

    /// The address of a listener by its name in `listening NAME ADDRESS`.
    pub(crate) fn listener(&self, name: &str) -> Result<SocketAddr, String> {
        self.ports
            .get(name)
            .copied()
            .ok_or_else(|| format!("the server does not listen on {name}"))
    }

    /// Runs a statement in the server's database.
    pub(crate) fn sql(&self, statement: &str) -> Result<(), String> {
        self.database.sql(statement)
    }

    /// Memory that it has in use.
    pub(crate) fn resident_kib(&self) -> usize {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id()));
        let status = status.unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        line.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok())
            .expect("a running process has a resident size")
    }

    /// Asks it to end, as an operator does.
    pub(crate) fn terminate(&self) -> Result<(), String> {
        self.signal("TERM")
    }

    /// Sends it a signal.
    pub(crate) fn signal(&self, name: &str) -> Result<(), String> {
        signal(self.child.id(), name)
    }

    /// The number of its process.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Its own folder.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Its exit status, once it has ended by itself.
    pub(crate) fn ended(&mut self) -> Result<i32, String> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait().map_err(|error| error.to_string())? {
                return status.code().ok_or_else(|| "ended by a signal".to_owned());
            }
            if Instant::now() > deadline {
                return Err(format!("still running after {PATIENCE:?}"));
            }
            thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Starts the binary and waits until it is ready; where it listens on what.
pub(crate) fn serve(
    command: &mut Command,
) -> Result<(Child, BTreeMap<String, SocketAddr>), String> {
    let mut child = command.spawn().map_err(|error| error.to_string())?;
    let stdout = child.stdout.take().ok_or("no standard output")?;
    let (lines, incoming) = mpsc::channel();
    // Goes on reading to the end, so that the server never blocks on its output.
    thread::spawn(move || {
        for line in BufReader::new(stdout).lines().map_while(Result::ok) {
            let _ = lines.send(line);
        }
    });
    let mut ports = BTreeMap::new();
    loop {
        let Ok(line) = incoming.recv_timeout(PATIENCE) else {
            let _ = child.kill();
            let _ = child.wait();
            return Err("the server did not get ready".to_owned());
        };
        if line == "ready" {
            return Ok((child, ports));
        }
        if let Some((name, address)) = line
            .strip_prefix("listening ")
            .and_then(|rest| rest.split_once(' '))
        {
            let address = address.parse().map_err(|_| format!("no address: {line}"))?;
            ports.insert(name.to_owned(), address);
        }
    }
}

/// A folder with an embedded database that holds the test data, made once.
fn filled() -> Result<&'static Path, String> {
    static MADE: OnceLock<Result<TempDir, String>> = OnceLock::new();
    let made = MADE.get_or_init(|| {
        let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
        run(muster(folder.path()).args(["store", "migrate"]))?;
        let url = format!("sqlite:{}", folder.path().join("muster.db").display());
        wait(async {
            let options: SqliteConnectOptions = url.parse()?;
            let mut connection = options.disable_statement_logging().connect().await?;
            connection.execute(sqlx::raw_sql(DATA)).await?;
            connection.close().await
        })?;
        Ok(folder)
    });
    made.as_ref().map(TempDir::path).map_err(Clone::clone)
}

/// The binary with its folder, and no variable of the caller's that it could take for a setting.
pub(crate) fn muster(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_muster"));
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("MUSTER_")) {
        command.env_remove(name);
    }
    command.stdin(Stdio::null());
    command.args(["--set", &format!("server.data_dir={}", folder.display())]);
    command
}

/// Sends a process a signal.
pub(crate) fn signal(pid: u32, name: &str) -> Result<(), String> {
    run(Command::new("kill").args([&format!("-{name}"), &pid.to_string()]))
}

fn run(command: &mut Command) -> Result<(), String> {
    let output = command.output().map_err(|error| error.to_string())?;
    let said = || String::from_utf8_lossy(&output.stderr).into_owned();
    if output.status.success() {
        Ok(())
    } else {
        Err(format!("{command:?}: {}", said()))
    }
}

fn copy(from: &Path, to: &Path) -> std::io::Result<()> {
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        if entry.file_type()?.is_file() {
            fs::copy(entry.path(), to.join(entry.file_name()))?;
        }
    }
    Ok(())
}

/// Runs one piece of work on the database to its end.
pub(crate) fn wait<T>(work: impl Future<Output = Result<T, sqlx::Error>>) -> Result<T, String> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| error.to_string())?;
    runtime.block_on(work).map_err(|error| error.to_string())
}
