//! What `muster ctl` and a running server say to each other: one line of JSON there, one back, over a socket in the data folder.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::lobby::operator::{Row, Subject};

/// The socket's name in the data folder.
const NAME: &str = "ctl.sock";
/// The longest request, and the longest name or reason in it.
pub const REQUEST_BYTES: usize = 4 << 10;

/// How a refusal begins that is for want of an option, which only a server with several lobbies knows.
pub const SAY_LOBBY: &str = "say --lobby";

/// Where the socket of a server with this data folder is.
pub fn path(data_dir: &Path) -> PathBuf {
    data_dir.join(NAME)
}

/// What is wanted of the server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Request {
    /// How it is.
    Status,
    /// Read the configuration again.
    Reload,
    /// Log other levels until the configuration is read again.
    LogLevel {
        /// As in `log.level`.
        level: String,
    },
    /// End in an orderly way, in so many seconds.
    Drain {
        /// From now.
        in_s: u64,
        /// For the log and the audit log.
        reason: Option<String>,
    },
    /// Don't, if it has not begun.
    CancelDrain,
    /// Give ports and data folder to the next server, and end in an orderly way.
    Release {
        /// For the log and the audit log.
        reason: Option<String>,
    },
    /// What there is.
    List {
        /// Of what.
        subject: Subject,
        /// In which lobby; none: in all.
        lobby: Option<String>,
        /// The beginning of a name, a network, or `#` and a number.
        filter: Option<String>,
        /// So many at the most.
        limit: u32,
    },
    /// Throw somebody out.
    Kick {
        /// Name, or `#` and a number.
        player: String,
        /// Of which lobby; none: of any.
        lobby: Option<String>,
        /// Told to them.
        reason: String,
    },
    /// Keep somebody out.
    Ban {
        /// Whom.
        whom: Whom,
        /// Of which lobby.
        lobby: Option<String>,
        /// For so long; none: for good.
        for_s: Option<u64>,
        /// Told to them.
        reason: String,
    },
    /// Let somebody in again.
    Unban {
        /// Whom.
        whom: Whom,
        /// In which lobby.
        lobby: Option<String>,
    },
    /// How busy it is, for a screen.
    Top,
    /// This node among others of one lobby.
    Cluster,
    /// Who is kept out or silenced.
    Bans {
        /// In which lobby; none: in all.
        lobby: Option<String>,
    },
    /// Have somebody not heard.
    Mute {
        /// Name.
        player: String,
        /// In which lobby; none: in all that have chat.
        lobby: Option<String>,
        /// For so long; none: for good.
        for_s: Option<u64>,
        /// Told to them.
        reason: String,
    },
    /// Have somebody heard again.
    Unmute {
        /// Name.
        player: String,
        /// In which lobby; none: in all.
        lobby: Option<String>,
    },
    /// Tell everybody something.
    Broadcast {
        /// What.
        text: String,
        /// In which lobby; none: in all.
        lobby: Option<String>,
    },
}

/// Who is banned or let in again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Whom {
    /// By name.
    Player(String),
    /// Everybody from there.
    Network(String),
    /// Whoever uses this installation of a client.
    Client(String),
}

impl Whom {
    /// As it was typed.
    pub fn text(&self) -> &str {
        match self {
            Whom::Player(text) | Whom::Network(text) | Whom::Client(text) => text,
        }
    }
}

impl Request {
    /// Whether it only looks: nothing of it is kept.
    pub fn only_looks(&self) -> bool {
        matches!(
            self,
            Request::Status
                | Request::Top
                | Request::Cluster
                | Request::List { .. }
                | Request::Bans { .. }
        )
    }

    /// For the audit: what is wanted, of whom or what, and why.
    pub fn described(&self) -> (&'static str, String, &str) {
        let none = String::new;
        match self {
            Request::Status => ("status", none(), ""),
            Request::Top => ("top", none(), ""),
            Request::Cluster => ("cluster", none(), ""),
            Request::List { .. } => ("list", none(), ""),
            Request::Bans { .. } => ("bans", none(), ""),
            Request::Reload => ("reload", none(), ""),
            Request::LogLevel { level } => ("log-level", level.clone(), ""),
            Request::Drain { in_s, reason } => (
                "drain",
                format!("in {in_s} s"),
                reason.as_deref().unwrap_or_default(),
            ),
            Request::CancelDrain => ("drain-cancel", none(), ""),
            Request::Release { reason } => {
                ("release", none(), reason.as_deref().unwrap_or_default())
            }
            Request::Kick { player, reason, .. } => ("kick", player.clone(), reason),
            Request::Ban { whom, reason, .. } => ("ban", whom.text().to_owned(), reason),
            Request::Unban { whom, .. } => ("unban", whom.text().to_owned(), ""),
            Request::Mute { player, reason, .. } => ("mute", player.clone(), reason),
            Request::Unmute { player, .. } => ("unmute", player.clone(), ""),
            Request::Broadcast { text, .. } => ("broadcast", none(), text),
        }
    }
}

/// What comes back.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reply {
    /// It is done, or begun; in words.
    Done(String),
    /// How the server is.
    Status(Status),
    /// What there is.
    Listing(Listing),
    /// Who is kept out or silenced.
    Bans(Vec<Banned>),
    /// How busy the server is.
    Top(Box<Top>),
    /// The server among others of one lobby.
    Cluster(Box<Cluster>),
    /// Why not.
    Refused(String),
}

/// What there is of something.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Listing {
    /// In the order of lobbies, shards, and what each has first.
    pub rows: Vec<Listed>,
    /// There is more.
    pub more: bool,
    /// Shards that have not answered in time.
    pub silent: Vec<u16>,
    /// Lobbies that have no such thing.
    pub lacking: Vec<String>,
    /// Other nodes of the lobby, whose players and games are not listed.
    #[serde(default)]
    pub other_nodes: u32,
}

/// How busy a server is: counts since its start, of which whoever asks again makes rates.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Top {
    /// How it is.
    pub status: Status,
    /// Unix seconds at which all this was read.
    pub at: f64,
    /// In their order.
    pub shards: Vec<ShardLoad>,
    /// Those that are spoken anywhere.
    pub lobbies: Vec<LobbyLoad>,
    /// Connections that do not take what waits for them: those that are owed most.
    pub slow: Vec<Listed>,
    /// Statements of databases that have failed.
    pub store_failures: u64,
    /// Questions that back offices work at.
    pub asks_under_way: u64,
    /// Events that wait for the broker.
    pub broker_backlog: u64,
}

/// A server among others of one lobby.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cluster {
    /// The lobby's name.
    pub lobby: String,
    /// What this node is called.
    pub name: String,
    /// Its number.
    pub node: u8,
    /// There is a connection to NATS.
    pub has_bus: bool,
    /// There is a session in the database.
    pub has_database: bool,
    /// Its number is held in the database.
    pub has_slot: bool,
    /// It has lost touch with the others.
    pub is_island: bool,
    /// Number of the newest view it was in; 0 before the first.
    pub view: u32,
    /// The nodes in that view.
    pub members: Vec<Neighbour>,
    /// Who does what only one does.
    pub leases: Vec<Held>,
}

/// A node of a lobby, and what is under way to it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Neighbour {
    /// Its number.
    pub node: u8,
    /// Its life, in hexadecimal.
    pub incarnation: String,
    /// Its threads with players.
    pub shards: u16,
    /// Of its program.
    pub version: String,
    /// Bytes said to it that it has not acknowledged.
    pub unacked_bytes: u64,
    /// Times something of it was missing and asked for again.
    pub nacks: u64,
    /// Envelopes sent to it again.
    pub repairs: u64,
    /// Times all under way to and from it was given up.
    pub breaks: u64,
}

/// Something of which a lobby has one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Held {
    /// What it is.
    pub lease: String,
    /// The node that has it; none: nobody, as far as is known.
    pub node: Option<u8>,
    /// Of its taking.
    pub term: u64,
}

/// What one shard has done.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ShardLoad {
    /// Connections now.
    pub connections: u64,
    /// Seconds of its thread on a processor.
    pub cpu_s: f64,
    /// Frames of clients.
    pub frames_in: u64,
    /// Messages to clients, broadcasts once for each.
    pub messages_out: u64,
    /// Of clients.
    pub bytes_in: u64,
    /// To clients.
    pub bytes_out: u64,
}

/// How many are in a lobby.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LobbyLoad {
    /// Its name.
    pub lobby: String,
    /// Signed in.
    pub players: u32,
    /// Games, those that are still to begin included.
    pub games: u32,
}

/// Somebody who is kept out, or silenced.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Banned {
    /// `account`, `name`, `client`, `network` or `mute`.
    pub kind: String,
    /// The lobby; empty: all of them.
    pub lobby: String,
    /// Name, network or client.
    pub target: String,
    /// What they are told.
    pub reason: String,
    /// Unix seconds; none: for good.
    pub until: Option<f64>,
}

/// One thing of a list, and where it is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Listed {
    /// The lobby; of a connection its listener's.
    pub lobby: String,
    /// The shard that has it.
    pub shard: u16,
    /// What it is.
    #[serde(flatten)]
    pub row: Row,
}

/// How a server is.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Status {
    /// Of the program.
    pub version: String,
    /// The server's process.
    pub pid: u32,
    /// `starting`, `ready`, `island`, `draining`, `stopped` or `failed`: what `/ready` goes by.
    pub phase: String,
    /// Since the start.
    pub uptime_s: u64,
    /// Until an ordered drain begins.
    pub drains_in_s: Option<u64>,
    /// Threads with players.
    pub shards: u16,
    /// Now.
    pub connections: u64,
    /// At most.
    pub connections_limit: u64,
    /// Of FAF, signed in.
    pub faf_players: u64,
    /// Ended games that are not in the store yet.
    pub games_to_settle: u64,
    /// Whether there is a broker, and it takes events.
    pub broker: Option<bool>,
    /// In cores, since the start.
    pub cpu_s: f64,
    /// In bytes.
    pub resident_bytes: u64,
    /// Turns that panicked.
    pub panics: u64,
    /// Nobody is served, or nobody can sign in to a lobby.
    #[serde(default)]
    pub is_critical: bool,
    /// What a healthy server has none of, in words.
    pub warnings: Vec<String>,
}
