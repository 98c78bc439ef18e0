//! The server under test: the real binary on ports of its own choice, with its own folder and accounts.

use std::{
    collections::BTreeMap,
    fs,
    io::{BufRead, BufReader},
    net::SocketAddr,
    path::Path,
    process::{Child, Command, Stdio},
    sync::{OnceLock, mpsc},
    thread,
    time::Duration,
};

use sqlx::{ConnectOptions, Connection, Executor, sqlite::SqliteConnectOptions};
use tempfile::TempDir;

use super::script::Transport;

/// Who exists: login and number. The password of each is `pw-` and the login.
pub(crate) const ACCOUNTS: &[(&str, u32)] = &[
    ("orion", 11),
    ("vega", 12),
    ("lyra", 13),
    ("mira", 14),
    ("nova", 15),
    ("draco", 16),
];
/// Who of them is banned, for 46 hours.
const BANNED: &str = "draco";
/// How long a start may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// The password of a fixture account.
pub(crate) fn password(login: &str) -> String {
    format!("pw-{login}")
}

/// A running server; it ends with this value.
pub(crate) struct Server {
    child: Child,
    folder: TempDir,
    ports: BTreeMap<String, SocketAddr>,
}

impl Server {
    pub(crate) fn start(shards: u16, set: &[String], sql: &[String]) -> Result<Server, String> {
        let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
        copy(accounts()?, folder.path()).map_err(|error| error.to_string())?;
        for statement in sql {
            execute(folder.path(), statement)?;
        }
        let mut command = muster(folder.path());
        command.args(["--shards", &shards.to_string()]);
        let defaults = [
            "server.pin=false",
            "server.stop_grace_s=0",
            "faf.auth=database",
            "faf.tick_ms=20",
            "faf.jwks_url=",
            "faf.json_address=127.0.0.1:0",
            "faf.qdatastream_address=127.0.0.1:0",
            "faf.websocket_address=127.0.0.1:0",
        ];
        for pair in defaults.into_iter().chain(set.iter().map(String::as_str)) {
            command.args(["--set", pair]);
        }
        let mut child = command
            .arg("serve")
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| error.to_string())?;
        let stdout = child.stdout.take().ok_or("no standard output")?;
        let mut server = Server {
            child,
            folder,
            ports: BTreeMap::new(),
        };
        let (lines, incoming) = mpsc::channel();
        // Goes on reading to the end, so that the server never blocks on its output.
        thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                let _ = lines.send(line);
            }
        });
        loop {
            let line = incoming
                .recv_timeout(PATIENCE)
                .map_err(|_| "the server did not get ready")?;
            if line == "ready" {
                return Ok(server);
            }
            if let Some((name, address)) = line
                .strip_prefix("listening ")
                .and_then(|rest| rest.split_once(' '))
            {
                let address = address.parse().map_err(|_| format!("no address: {line}"))?;
                server.ports.insert(name.to_owned(), address);
            }
        }
    }

    pub(crate) fn address(&self, transport: Transport) -> Result<SocketAddr, String> {
        let name = format!("faf/{}", transport.name());
        self.ports
            .get(&name)
            .copied()
            .ok_or_else(|| format!("the server does not listen on {name}"))
    }

    /// Runs a statement in the server's database.
    pub(crate) fn sql(&self, statement: &str) -> Result<(), String> {
        execute(self.folder.path(), statement)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A folder with the fixture accounts, made once and copied for each server.
fn accounts() -> Result<&'static Path, String> {
    static MADE: OnceLock<Result<TempDir, String>> = OnceLock::new();
    let made = MADE.get_or_init(|| {
        let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
        for (login, id) in ACCOUNTS {
            let mut command = muster(folder.path());
            command.args([
                "account",
                "add",
                login,
                "--password",
                &password(login),
                "--id",
                &id.to_string(),
            ]);
            run(&mut command)?;
        }
        run(muster(folder.path()).args([
            "account", "ban", BANNED, "--reason", "spam", "--hours", "46",
        ]))?;
        Ok(folder)
    });
    made.as_ref().map(TempDir::path).map_err(Clone::clone)
}

/// The binary with its folder, and no variable of the caller's that it could take for a setting.
fn muster(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_muster"));
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("MUSTER_")) {
        command.env_remove(name);
    }
    command.stdin(Stdio::null());
    command.args(["--set", &format!("server.data_dir={}", folder.display())]);
    command
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

fn execute(folder: &Path, statement: &str) -> Result<(), String> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|e| e.to_string())?;
    let options = SqliteConnectOptions::new()
        .filename(folder.join("muster.db"))
        .busy_timeout(Duration::from_secs(10))
        .disable_statement_logging();
    let done = runtime.block_on(async {
        let mut connection = options.connect().await?;
        connection.execute(sqlx::raw_sql(statement)).await?;
        connection.close().await
    });
    done.map_err(|error| format!("{statement}: {error}"))
}
