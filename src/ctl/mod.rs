//! `muster ctl …`: asks the server that runs with the same data folder, and shows what it says.

mod audit;
mod tables;
mod top;

use std::{
    io::{self, BufRead, BufReader, Write},
    os::unix::net::UnixStream,
    path::Path,
    process::ExitCode,
    time::Duration,
};

use anyhow::{Context, bail};
use muster::{
    backoffice::{operator::Search, unix_now},
    config::{
        Config, Sources,
        cli::{self, At, Ctl, Form, List},
    },
    control_socket::{self, Reply, Request, Status, Whom},
    lobby::operator::Subject,
    log,
};

use crate::serve::folder::holder;

/// The server answers at once, or not at all.
const PATIENCE: Duration = Duration::from_secs(10);
/// What a wrong command line ends with, as clap has it.
const MISUSE: u8 = 2;
/// What `check` ends with, as monitoring programs expect it of a plug-in.
const WARNING: u8 = 1;
const CRITICAL: u8 = 2;

/// Does what was asked. `check` never fails otherwise than with its exit code. Of the configuration the data folder is all that is
/// needed: what else is in it may be wrong, which is said beside the answer.
pub(crate) fn run(sources: &Sources, action: Ctl) -> anyhow::Result<ExitCode> {
    let found = Config::data_dir(sources).map_err(|error| {
        anyhow::Error::new(error)
            .context("the configuration does not say where the server's data folder is")
    });
    if let Ok((_, Some(wrong))) = &found {
        log::complain(&format!(
            "muster: the server would not start with this configuration: {wrong}"
        ));
    }
    let found = found.map(|(folder, _)| folder);
    if let Ctl::Check { form } = &action {
        return Ok(check(
            found.and_then(|folder| ask(&folder, &Request::Status)),
            form,
        ));
    }
    let folder = &found?;
    let (request, form) = match action {
        Ctl::Audit {
            last,
            since,
            on,
            form,
        } => {
            let search = Search {
                last,
                since: since.map(|since| unix_now() - since.as_secs_f64()),
                on,
            };
            return audit::show(folder, &search, &form);
        }
        Ctl::Top { form, .. } if form.json => return top::once(folder),
        Ctl::Top { every, .. } => return top::run(folder, every),
        action => requested(action),
    };
    match ask(folder, &request)? {
        Reply::Refused(why) if why.starts_with(control_socket::SAY_LOBBY) => {
            log::complain(&format!("muster: {why}"));
            return Ok(ExitCode::from(MISUSE));
        }
        Reply::Refused(why) => bail!("{why}"),
        reply if form.json => log::say(&format!("{}\n", as_json(&reply)?)),
        Reply::Done(what) => log::say(&format!("{what}\n")),
        Reply::Status(status) => log::say(&shown(&status)),
        Reply::Listing(listing) => log::say(&tables::table(&listing)),
        Reply::Bans(bans) => log::say(&tables::bans(&bans)),
        Reply::Cluster(cluster) => log::say(&tables::cluster(&cluster)),
        Reply::Top(_) => bail!("the server is of another version"),
    }
    Ok(ExitCode::SUCCESS)
}

/// What the server is to be asked, and how its answer is written.
fn requested(action: Ctl) -> (Request, Form) {
    let list = |subject, list: List| {
        let List { filter, limit, at } = list;
        let At { lobby, form } = at;
        let request = Request::List {
            subject,
            lobby,
            filter,
            limit,
        };
        (request, form)
    };
    match action {
        Ctl::Status { form } | Ctl::Check { form } => (Request::Status, form),
        // Done elsewhere.
        Ctl::Audit { .. } | Ctl::Top { .. } => (Request::Status, Form::default()),
        Ctl::Cluster { form } => (Request::Cluster, form),
        Ctl::Reload { form } => (Request::Reload, form),
        Ctl::LogLevel { level, form } => (Request::LogLevel { level }, form),
        Ctl::Drain {
            cancel: true, form, ..
        } => (Request::CancelDrain, form),
        Ctl::Drain {
            wait, reason, form, ..
        } => {
            let in_s = wait.as_secs();
            (Request::Drain { in_s, reason }, form)
        }
        Ctl::Release { reason, form } => (Request::Release { reason }, form),
        Ctl::Players(wanted) => list(Subject::Players, wanted),
        Ctl::Games(wanted) => list(Subject::Games, wanted),
        Ctl::Conns(wanted) => list(Subject::Connections, wanted),
        Ctl::Queues(wanted) => list(Subject::Queues, wanted),
        action => about_people(action),
    }
}

fn about_people(action: Ctl) -> (Request, Form) {
    let seconds = |length: Option<Duration>| length.map(|length| length.as_secs());
    let (request, At { form, .. }) = match action {
        Ctl::Kick { player, reason, at } => {
            let lobby = at.lobby.clone();
            let request = Request::Kick {
                player,
                lobby,
                reason,
            };
            (request, at)
        }
        Ctl::Ban {
            whom,
            length,
            reason,
            at,
        } => {
            let request = Request::Ban {
                whom: meant(whom),
                lobby: at.lobby.clone(),
                for_s: seconds(length),
                reason,
            };
            (request, at.into())
        }
        Ctl::Unban { whom, at } => {
            let (whom, lobby) = (meant(whom), at.lobby.clone());
            (Request::Unban { whom, lobby }, at.into())
        }
        Ctl::Bans { at } => {
            let lobby = at.lobby.clone();
            (Request::Bans { lobby }, at)
        }
        Ctl::Mute {
            player,
            length,
            reason,
            at,
        } => {
            let request = Request::Mute {
                player,
                lobby: at.lobby.clone(),
                for_s: seconds(length),
                reason,
            };
            (request, at)
        }
        Ctl::Unmute { player, at } => {
            let lobby = at.lobby.clone();
            (Request::Unmute { player, lobby }, at)
        }
        Ctl::Broadcast { text, at } => {
            let lobby = at.lobby.clone();
            (Request::Broadcast { text, lobby }, at)
        }
        // The others are none of this.
        _ => (Request::Status, At::default()),
    };
    (request, form)
}

/// Whom the command line names; it has seen to it that it is one of them.
fn meant(whom: cli::Whom) -> Whom {
    let cli::Whom {
        player,
        network,
        client,
    } = whom;
    let network = network.map(Whom::Network);
    let client = client.map(Whom::Client);
    let one = network.or(client);
    one.unwrap_or_else(|| Whom::Player(player.unwrap_or_default()))
}

/// An answer for programs: what it is about, without a word around it.
fn as_json(reply: &Reply) -> anyhow::Result<String> {
    Ok(match reply {
        Reply::Status(status) => serde_json::to_string_pretty(status)?,
        Reply::Listing(listing) => serde_json::to_string_pretty(listing)?,
        Reply::Bans(bans) => serde_json::to_string_pretty(bans)?,
        Reply::Cluster(cluster) => serde_json::to_string_pretty(cluster)?,
        Reply::Top(top) => serde_json::to_string_pretty(top)?,
        Reply::Done(what) => serde_json::json!({ "done": what }).to_string(),
        Reply::Refused(why) => serde_json::json!({ "refused": why }).to_string(),
    })
}

fn ask(folder: &Path, request: &Request) -> anyhow::Result<Reply> {
    let path = control_socket::path(folder);
    let stream = UnixStream::connect(&path).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => match holder(folder) {
            Some(pid) => anyhow::anyhow!(
                "the server, process {pid}, does not answer here yet, or any more: it is starting or ending; its log says more"
            ),
            None => anyhow::anyhow!(
                "no server runs with the data folder {}; name its configuration with --config",
                folder.display()
            ),
        },
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
fn check(status: anyhow::Result<Reply>, form: &Form) -> ExitCode {
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
            match status.warnings.join(", ") {
                none if none.is_empty() => ("OK", said, 0),
                some if status.is_critical => ("CRITICAL", format!("{some}, {said}"), CRITICAL),
                some => ("WARNING", format!("{some}, {said}"), WARNING),
            }
        }
        Ok(other) => ("CRITICAL", format!("{other:?}"), CRITICAL),
        Err(error) => ("CRITICAL", format!("{error:#}"), CRITICAL),
    };
    match form.json {
        true => {
            let shown = serde_json::json!({ "state": word, "said": said, "code": code });
            log::say(&format!("{shown}\n"));
        }
        false => log::say(&format!("{word}: {said}\n")),
    }
    ExitCode::from(code)
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
        is_critical,
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
    let word = if *is_critical { "CRITICAL" } else { "WARNING" };
    for warning in warnings {
        text.push_str(&format!("{word}: {warning}\n"));
    }
    text
}
