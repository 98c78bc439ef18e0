//! `muster ctl …`: what can be asked of a running server.

use std::time::Duration;

use clap::{Args, Subcommand};
use lobby::lobbies::Router;
use settings::{Cidr, NotABlock};

/// What to ask a running server.
#[derive(Clone, Debug, PartialEq, Subcommand)]
pub enum Ctl {
    /// How it is.
    Status {
        /// How the answer is written.
        #[command(flatten)]
        form: Form,
    },
    /// One line and an exit code for monitoring: 0 all is well, 1 there is something to look at, 2 nobody is served, or nobody can
    /// sign in to a lobby.
    Check {
        /// How the answer is written.
        #[command(flatten)]
        form: Form,
    },
    /// A screen of how busy it is: rates, shards, slow readers, lobbies. q ends it.
    Top {
        /// How often it is asked.
        #[arg(long, value_name = "TIME", default_value = "1s", value_parser = humantime::parse_duration)]
        every: Duration,
        /// How the answer is written: JSON is written once, without a screen.
        #[command(flatten)]
        form: Form,
    },
    /// This node among others of one lobby: who is in, who does what only one does, what is under way.
    Cluster {
        /// How the answer is written.
        #[command(flatten)]
        form: Form,
    },
    /// Read the configuration again, as the signal HUP does.
    Reload {
        /// How the answer is written.
        #[command(flatten)]
        form: Form,
    },
    /// Log other levels until the configuration is read again.
    LogLevel {
        /// As in log.level: debug, or "info,muster_lobby=debug".
        #[arg(value_parser = level)]
        level: String,
        /// How the answer is written.
        #[command(flatten)]
        form: Form,
    },
    /// Who has signed in: on this node, where a lobby has several.
    Players(List),
    /// Which games there are: on this node, where a lobby has several.
    Games(List),
    /// Who is connected to this node, signed in or not.
    Conns(List),
    /// Where players wait to be matched.
    Queues(List),
    /// Throw somebody out, on whatever node of the lobby they are. They may come back.
    Kick {
        /// Their name, or #NUMBER of their account.
        player: String,
        /// Told to them.
        #[arg(long)]
        reason: String,
        /// Where.
        #[command(flatten)]
        at: At,
    },
    /// Keep somebody out from now on: who is on is thrown out. By name (on all nodes of the lobby), where they come from (on this
    /// node), or their client.
    Ban {
        /// Whom.
        #[command(flatten)]
        whom: Whom,
        /// For how long: 2d, 90m; not given: for good.
        #[arg(long = "for", value_name = "TIME", value_parser = humantime::parse_duration)]
        length: Option<Duration>,
        /// Told to them.
        #[arg(long)]
        reason: String,
        /// Where.
        #[command(flatten)]
        at: AtOne,
    },
    /// Let them in again.
    Unban {
        /// Whom.
        #[command(flatten)]
        whom: Whom,
        /// Where.
        #[command(flatten)]
        at: AtOne,
    },
    /// Who is kept out or silenced, how long and why: names where the lobby's store has them, for all nodes; networks, and names in
    /// lobbies without one, for this node.
    Bans {
        /// Where.
        #[command(flatten)]
        at: At,
    },
    /// Others don't hear somebody for some time.
    Mute {
        /// Their name.
        player: String,
        /// For how long: 2h, 90m; not given: for good.
        #[arg(long = "for", value_name = "TIME", value_parser = humantime::parse_duration)]
        length: Option<Duration>,
        /// Told to them.
        #[arg(long)]
        reason: String,
        /// Where.
        #[command(flatten)]
        at: At,
    },
    /// Others hear somebody again.
    Unmute {
        /// Their name.
        player: String,
        /// Where.
        #[command(flatten)]
        at: At,
    },
    /// Tell everybody something, on all nodes of the lobby.
    Broadcast {
        /// What.
        text: String,
        /// Where.
        #[command(flatten)]
        at: At,
    },
    /// End in an orderly way: everybody is told, no new games, running ones go on for server.stop_grace_s.
    Drain {
        /// When to begin: 15m, 90s.
        #[arg(long = "in", value_name = "TIME", default_value = "0s", value_parser = humantime::parse_duration)]
        wait: Duration,
        /// For the log, the audit log and the players.
        #[arg(long)]
        reason: Option<String>,
        /// Don't, if it has not begun.
        #[arg(long, conflicts_with_all = ["wait", "reason"])]
        cancel: bool,
        /// How the answer is written.
        #[command(flatten)]
        form: Form,
    },
    /// Give ports and data folder to the next server, which may start as soon as this returns; games that are running go on here,
    /// for server.stop_grace_s at the most.
    Release {
        /// For the log and the audit log.
        #[arg(long)]
        reason: Option<String>,
        /// How the answer is written.
        #[command(flatten)]
        form: Form,
    },
    /// Show what was done here, by whom; also when no server runs.
    Audit {
        /// How much of it.
        #[arg(long, value_name = "N", default_value_t = 50)]
        last: u32,
        /// Not what is longer ago: 2h, 7d.
        #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration)]
        since: Option<Duration>,
        /// What was done to whoever is called so, or begins with that.
        #[arg(long, value_name = "NAME")]
        on: Option<String>,
        /// How the answer is written.
        #[command(flatten)]
        form: Form,
    },
}

/// Who is banned or let in again.
#[derive(Args, Clone, Debug, Default, PartialEq, Eq)]
#[group(required = true, multiple = false)]
pub struct Whom {
    /// Their name.
    pub player: Option<String>,
    /// Everybody from an address or a network, in all lobbies of this node: 192.0.2.7, 192.0.2.0/24.
    #[arg(long, visible_alias = "address", value_name = "ADDRESS", value_parser = network)]
    pub network: Option<String>,
    /// Whoever uses this installation of a client, where clients name theirs (Cockatrice with accounts).
    #[arg(long, value_name = "ID")]
    pub client: Option<String>,
}

/// How an answer is written.
#[derive(Args, Clone, Debug, Default, PartialEq, Eq)]
pub struct Form {
    /// As JSON, for programs.
    #[arg(long)]
    pub json: bool,
}

/// Which lobby is meant, and how the answer is written.
#[derive(Args, Clone, Debug, Default, PartialEq, Eq)]
pub struct At {
    /// faf, vcmi, cockatrice or vcmi_json; not given: all of them.
    #[arg(long, value_parser = lobby)]
    pub lobby: Option<String>,
    /// How the answer is written.
    #[command(flatten)]
    pub form: Form,
}

/// Which one lobby is meant, and how the answer is written.
#[derive(Args, Clone, Debug, Default, PartialEq, Eq)]
pub struct AtOne {
    /// faf, vcmi, cockatrice or vcmi_json: whose names are meant. Only a server with a single lobby needs none; networks and clients
    /// are of no lobby.
    #[arg(long, value_parser = lobby)]
    pub lobby: Option<String>,
    /// How the answer is written.
    #[command(flatten)]
    pub form: Form,
}

impl From<AtOne> for At {
    fn from(AtOne { lobby, form }: AtOne) -> At {
        At { lobby, form }
    }
}

/// A lobby's name, as the configuration has it; with a hyphen for the underscore it is the same.
fn lobby(text: &str) -> Result<String, String> {
    let name = text.replace('-', "_");
    let names: Vec<&str> = Router::LOBBIES.iter().map(|(name, _)| *name).collect();
    match names.contains(&&*name) {
        true => Ok(name),
        false => Err(format!("no lobby is called {text:?}: {}", names.join(", "))),
    }
}

/// What `log.level` takes.
fn level(text: &str) -> Result<String, String> {
    let is_one = settings::log_levels().parse(text).is_some();
    is_one
        .then(|| text.to_owned())
        .ok_or_else(|| format!("{text:?} is no level: error, warn, info, debug, trace, or a list"))
}

/// An address or a network.
fn network(text: &str) -> Result<String, String> {
    let parsed = text.parse::<Cidr>().map(|_| text.to_owned());
    parsed.map_err(|fault| match fault {
        NotABlock::Form => format!("{text:?} is not a network such as 192.0.2.0/24"),
        NotABlock::Mapped => format!("{text:?}: {fault}"),
    })
}

/// Which part of a list is wanted.
#[derive(Args, Clone, Debug, Default, PartialEq, Eq)]
pub struct List {
    /// The beginning of a name (of a game: of its host or title), an address or network, or #NUMBER of an account or a game.
    pub filter: Option<String>,
    /// So many at the most.
    #[arg(long, value_name = "N", default_value_t = 100)]
    pub limit: u32,
    /// Where.
    #[command(flatten)]
    pub at: At,
}
