//! `muster ctl …`: asks the server that runs with the same data folder, and shows what it says.

use std::{
    io::{self, BufRead, BufReader, Write},
    os::unix::net::UnixStream,
    path::Path,
    process::ExitCode,
    time::Duration,
};

use anyhow::{Context, bail};
use muster::{
    config::{Config, cli::Ctl},
    control_socket::{self, Reply, Request, Status},
    log,
};

/// The server answers at once, or not at all.
const PATIENCE: Duration = Duration::from_secs(10);
/// What `check` ends with, as monitoring programs expect it of a plug-in.
const WARNING: u8 = 1;
const CRITICAL: u8 = 2;

/// Does what was asked. `check` never fails otherwise than with its exit code.
pub(crate) fn run(config: &Config, action: Ctl) -> anyhow::Result<ExitCode> {
    let folder = &config.server.data_dir;
    let (request, json) = match action {
        Ctl::Check => return Ok(check(ask(folder, &Request::Status))),
        Ctl::Audit { last } => return audit(folder, last),
        Ctl::Status { json } => (Request::Status, json),
        Ctl::Reload => (Request::Reload, false),
        Ctl::LogLevel { level } => (Request::LogLevel { level }, false),
        Ctl::Drain { cancel: true, .. } => (Request::CancelDrain, false),
        Ctl::Drain { wait, reason, .. } => {
            let in_s = wait.as_secs();
            (Request::Drain { in_s, reason }, false)
        }
    };
    match ask(folder, &request)? {
        Reply::Refused(why) => bail!("{why}"),
        Reply::Done(what) => log::say(&format!("{what}\n")),
        Reply::Status(status) if json => {
            log::say(&format!("{}\n", serde_json::to_string_pretty(&status)?));
        }
        Reply::Status(status) => log::say(&shown(&status)),
    }
    Ok(ExitCode::SUCCESS)
}

fn ask(folder: &Path, request: &Request) -> anyhow::Result<Reply> {
    let path = control_socket::path(folder);
    let stream = UnixStream::connect(&path).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => anyhow::anyhow!(
            "no server runs with the data folder {}; name its configuration with --config",
            folder.display()
        ),
        _ => anyhow::Error::new(error).context(path.display().to_string()),
    })?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let mut line = serde_json::to_string(request)?;
    line.push('\n');
    (&stream).write_all(line.as_bytes())?;
    let mut answer = String::new();
    let read = BufReader::new(&stream).read_line(&mut answer);
    read.context("the server does not answer")?;
    serde_json::from_str(&answer).context("the server is of another version")
}

/// One line and an exit code, for programs that watch.
fn check(status: anyhow::Result<Reply>) -> ExitCode {
    let (word, said, code) = match status {
        Ok(Reply::Status(status)) => {
            let said = format!(
                "{} connected | connections={};;;0;{} players={} resident={}B",
                status.connections,
                status.connections,
                status.connections_limit,
                status.faf_players,
                status.resident_bytes
            );
            let broken = matches!(status.phase.as_str(), "failed" | "stopped");
            match status.warnings.join(", ") {
                none if none.is_empty() => ("OK", said, 0),
                some if broken => ("CRITICAL", format!("{some}, {said}"), CRITICAL),
                some => ("WARNING", format!("{some}, {said}"), WARNING),
            }
        }
        Ok(other) => ("CRITICAL", format!("{other:?}"), CRITICAL),
        Err(error) => ("CRITICAL", format!("{error:#}"), CRITICAL),
    };
    log::say(&format!("{word}: {said}\n"));
    ExitCode::from(code)
}

/// The last lines of the audit log; a server need not run.
fn audit(folder: &Path, last: usize) -> anyhow::Result<ExitCode> {
    let path = control_socket::audit_path(folder);
    let text = match std::fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
        Err(error) => return Err(error).context(path.display().to_string()),
    };
    let lines: Vec<&str> = text.lines().collect();
    let shown = &lines[lines.len().saturating_sub(last)..];
    log::say(
        &shown
            .iter()
            .map(|line| format!("{line}\n"))
            .collect::<String>(),
    );
    Ok(ExitCode::SUCCESS)
}

fn shown(status: &Status) -> String {
    let Status {
        version,
        pid,
        phase,
        uptime_s,
        drains_in_s,
        shards,
        connections,
        connections_limit,
        faf_players,
        games_to_settle,
        broker,
        cpu_s,
        resident_bytes,
        panics,
        warnings,
    } = status;
    let drain = drains_in_s.map_or(String::new(), |in_s| format!(", ends in {in_s} s"));
    let broker = match broker {
        None => "none",
        Some(true) => "connected",
        Some(false) => "AWAY",
    };
    let mut text = format!(
        "muster {version}, process {pid}: {phase}{drain}\n\
         up            {uptime_s} s, {cpu_s:.1} s of CPU, {:.1} MiB\n\
         shards        {shards}\n\
         connections   {connections} of {connections_limit}\n\
         FAF players   {faf_players}\n\
         to settle     {games_to_settle} games\n\
         broker        {broker}\n\
         panics        {panics}\n",
        *resident_bytes as f64 / f64::from(1 << 20),
    );
    for warning in warnings {
        text.push_str(&format!("WARNING: {warning}\n"));
    }
    text
}
