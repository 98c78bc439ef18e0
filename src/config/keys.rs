//! Every configuration key, documented once.
//!
//! [`KEYS`], of which the part about matchmaking is in `matchmaking.rs`, is the only place where a key, its type, its
//! default and its meaning are written down. Checking, the commented file of `--print-config` and the page
//! `docs/config.md` are all made from it.

use super::matchmaking;

pub(super) use super::kinds::{Address, Value};
pub use super::kinds::{HostAddress, Kind};

/// One configuration key.
#[derive(Clone, Copy, Debug)]
pub struct Key {
    /// `group.key`.
    pub name: &'static str,
    /// Type and bounds.
    pub kind: Kind,
    /// The value when nobody says anything, as text.
    pub default: &'static str,
    /// Unit of a number; empty if it has none.
    pub unit: &'static str,
    /// What it does.
    pub doc: &'static str,
}

impl Key {
    /// The environment variable that sets this key.
    pub fn variable(&self) -> String {
        format!("{PREFIX}{}", self.name.replace('.', "_").to_uppercase())
    }

    /// The part before the dot.
    pub fn group(&self) -> &'static str {
        self.name.split_once('.').map_or("", |(group, _)| group)
    }
}

/// What environment variables of this program start with.
pub const PREFIX: &str = "MUSTER_";

/// The groups in the order of the table, with a heading for each.
pub const GROUPS: &[(&str, &str)] = &[
    ("server", "The process as a whole"),
    ("faf", "The FAF lobby: listeners, sign-in, timing"),
    (
        "matchmaking",
        "Queues, searches and matches of the FAF lobby",
    ),
    ("vcmi", "The VCMI proxy lobby"),
    ("store", "The database"),
    ("broker", "The event broker (RabbitMQ)"),
    ("http", "Endpoints for operators and their programs"),
    ("limits", "How much one client, or all of them, may take"),
    ("log", "Logging"),
];

pub(super) const fn key(
    name: &'static str,
    kind: Kind,
    default: &'static str,
    unit: &'static str,
    doc: &'static str,
) -> Key {
    Key {
        name,
        kind,
        default,
        unit,
        doc,
    }
}

pub(super) const fn number(min: i64, max: i64) -> Kind {
    Kind::Number { min, max }
}

pub(super) const fn decimal(min: i64, max: i64) -> Kind {
    Kind::Decimal { min, max }
}

/// Two parts of the table as one.
const fn joined<const N: usize>(first: &[Key], second: &[Key]) -> [Key; N] {
    let mut all = [first[0]; N];
    let mut at = 0;
    while at < N {
        all[at] = if at < first.len() {
            first[at]
        } else {
            second[at - first.len()]
        };
        at += 1;
    }
    all
}

const GIB: i64 = 1 << 30;

/// All keys, in the order in which they are shown.
pub const KEYS: &[Key] =
    &joined::<{ TABLE.len() + matchmaking::KEYS.len() }>(TABLE, matchmaking::KEYS);

/// Its part that is in this file.
const TABLE: &[Key] = &[
    key(
        "server.shards",
        number(0, 256),
        "0",
        "threads",
        "How many shards to run, one thread each. 0: one for each core this process may use.",
    ),
    key(
        "server.pin",
        Kind::Flag,
        "true",
        "",
        "Pin each shard to its core, if a core is left for everything else. Switch off where several servers share a machine.",
    ),
    key(
        "server.data_dir",
        Kind::Text,
        "data",
        "",
        "Folder for what the server keeps on disk itself (the embedded database). Created if missing.",
    ),
    key(
        "server.stop_grace_s",
        number(0, 86_400),
        "1800",
        "s",
        "How long an orderly stop waits for running games. A second signal skips the wait.",
    ),
    key(
        "server.config_refresh_s",
        number(0, 86_400),
        "300",
        "s",
        "How often the configuration files are read again. Keys marked as live take effect at once, others are only \
         reported. 0: only when told to by the signal HUP.",
    ),
    key(
        "server.ask_queue",
        number(16, 1 << 20),
        "4096",
        "questions",
        "How many sign-ins, and how many other questions, may wait for the back office. When it is full, requests that need one are refused.",
    ),
    key(
        "faf.qdatastream_address",
        Kind::Address,
        "auto:8001",
        "",
        "Listener for QDataStream over TCP. Empty: off. With \"auto\" as host: 127.0.0.1 if faf.auth is \"open\", \
         otherwise 0.0.0.0. Port 0: any free port.",
    ),
    key(
        "faf.json_address",
        Kind::Address,
        "auto:8002",
        "",
        "Listener for newline-delimited JSON over TCP; as above.",
    ),
    key(
        "faf.websocket_address",
        Kind::Address,
        "auto:8003",
        "",
        "Listener for WebSocket; as above.",
    ),
    key(
        "faf.proxy",
        Kind::Flag,
        "false",
        "",
        "The two TCP listeners expect a PROXY protocol header (version 1 or 2) first and close connections without \
         one. Switch on only behind a proxy that sends it, and let nobody else reach the ports.",
    ),
    key(
        "faf.ws_path",
        Kind::Prefixed(&["/"]),
        "/",
        "",
        "Path of the WebSocket upgrade; any other path is a 404.",
    ),
    key(
        "faf.ws_forwarded_header",
        Kind::Text,
        "X-Real-IP",
        "",
        "Request header that carries the client's address behind a reverse proxy. Empty: not read. Believed only \
         from peers in faf.ws_trusted.",
    ),
    key(
        "faf.ws_trusted",
        Kind::Blocks,
        "127.0.0.0/8,::1/128",
        "",
        "Address blocks of the reverse proxies whose forwarded header is believed.",
    ),
    key(
        "faf.tick_ms",
        number(10, 60_000),
        "1000",
        "ms",
        "How often changed players, games and queues are broadcast.",
    ),
    key(
        "faf.ping_interval_s",
        number(1, 3600),
        "45",
        "s",
        "How often all signed-in clients are sent a ping.",
    ),
    key(
        "faf.login_timeout_s",
        number(1, 86_400),
        "300",
        "s",
        "A connection that has not signed in after this time is closed.",
    ),
    key(
        "faf.auth",
        Kind::Word(&["open", "database"]),
        "open",
        "",
        "\"database\": passwords and tokens are checked. \"open\": any name is let in, for development; then the \
         listeners stay on loopback unless faf.open_beyond_loopback is set too.",
    ),
    key(
        "faf.open_beyond_loopback",
        Kind::Flag,
        "false",
        "",
        "The second word needed to offer open sign-in to other machines. Anybody can then be anybody.",
    ),
    key(
        "faf.allow_password_login",
        Kind::Flag,
        "true",
        "",
        "Accept sign-in by name and password (\"hello\"); otherwise only by token.",
    ),
    key(
        "faf.www_url",
        Kind::Prefixed(&["http://", "https://"]),
        "https://www.faforever.com",
        "",
        "The website named in texts for players.",
    ),
    key(
        "faf.content_url",
        Kind::Prefixed(&["http://", "https://"]),
        "http://content.faforever.com",
        "",
        "Where the mod vault is: the beginning of its links.",
    ),
    key(
        "faf.geoip_database",
        Kind::Text,
        "auto",
        "GeoLite2-Country.mmdb in server.data_dir",
        "File of a MaxMind country database; without it players have no country. It is loaded again within ten minutes \
         after it was replaced. Empty: off.",
    ),
    key(
        "faf.geoip_license_key",
        Kind::Text,
        "",
        "",
        "MaxMind licence to download the country database with, at the start and every Wednesday, if the file is missing \
         or too old. Empty: it is put there by others.",
    ),
    key(
        "faf.geoip_url",
        Kind::Prefixed(&["http://", "https://"]),
        "https://download.maxmind.com/app/geoip_download",
        "",
        "Where the country database is downloaded from.",
    ),
    key(
        "faf.geoip_max_age_days",
        Kind::Number { min: 1, max: 3650 },
        "22",
        "",
        "A country database older than this is downloaded anew.",
    ),
    key(
        "faf.jwks_url",
        Kind::Text,
        "auto",
        "",
        "Where the public keys for tokens are fetched. Empty: sign-in by token is off. \"auto\": FAF's own key server \
         if faf.auth is \"database\", otherwise off.",
    ),
    key(
        "faf.use_policy_server",
        Kind::Flag,
        "false",
        "",
        "Report each sign-in to the policy server. It must be reachable then.",
    ),
    key(
        "faf.policy_server_url",
        Kind::Prefixed(&["http://", "https://"]),
        "http://faf-policy-server",
        "",
        "Base address of the policy server.",
    ),
    key(
        "faf.shutdown_kick_idle_players",
        Kind::Flag,
        "false",
        "",
        "During an orderly stop, disconnect players who are in no game.",
    ),
    key(
        "faf.start_rating_mean",
        number(0, 100_000),
        "1500",
        "",
        "Mean rating of a player of whom nothing is known.",
    ),
    key(
        "faf.start_rating_deviation",
        number(1, 100_000),
        "500",
        "",
        "Deviation of that rating.",
    ),
    key(
        "faf.rating_adjustment_max",
        number(-100_000, 100_000),
        "1400",
        "",
        "Highest displayed global rating that a game of another leaderboard may lift a player to.",
    ),
    key(
        "faf.ladder_outcome_override",
        Kind::Flag,
        "true",
        "",
        "In matchmaker games of two, the reported scores decide who won, not the reported words.",
    ),
    key(
        "vcmi.enabled",
        Kind::Flag,
        "true",
        "",
        "Whether the VCMI lobby is there at all.",
    ),
    key(
        "vcmi.address",
        Kind::Address,
        "auto:5002",
        "",
        "Its listener, for launchers and for games. Nobody proves who they are there, so \"auto\" as host follows the FAF \
         listeners: 127.0.0.1 while those offer open sign-in on loopback, otherwise 0.0.0.0. Port 0: any free port.",
    ),
    key(
        "vcmi.capacity",
        number(0, 10_000_000),
        "0",
        "users",
        "Launchers in the lobby; further ones are told that the server is full. 0: no limit of its own.",
    ),
    key(
        "vcmi.handshake_s",
        number(1, 86_400),
        "60",
        "s",
        "A launcher that has not signed in, or a game that has not said which session it belongs to, is disconnected \
         after this time.",
    ),
    key(
        "vcmi.session_idle_s",
        number(1, 864_000),
        "1800",
        "s",
        "A started game to which nobody is connected is forgotten after this time.",
    ),
    key(
        "vcmi.sessions",
        number(1, 10_000_000),
        "10000",
        "games",
        "Started games remembered at one time; with so many no further one starts.",
    ),
    key(
        "vcmi.rooms_per_address",
        number(0, 10_000_000),
        "16",
        "rooms",
        "Rooms hosted from one address. 0: no limit. Loopback is exempt.",
    ),
    key(
        "vcmi.name_chars",
        number(3, 255),
        "32",
        "characters",
        "Longest name of a user.",
    ),
    key(
        "vcmi.room_name_chars",
        number(3, 255),
        "64",
        "characters",
        "Longest name of a room.",
    ),
    key(
        "vcmi.chat_bytes",
        number(256, 1 << 20),
        "131072",
        "bytes",
        "Longest line of chat.",
    ),
    key(
        "vcmi.packet_bytes",
        number(1024, 1 << 26),
        "1048576",
        "bytes",
        "Longest packet of a client; the largest real one is a list of mods. A longer one ends the connection.",
    ),
    key(
        "vcmi.outbox_bytes",
        number(65_536, GIB),
        "1048576",
        "bytes",
        "A launcher for which more than this waits unread is disconnected.",
    ),
    key(
        "vcmi.outbox_stuck_s",
        number(1, 86_400),
        "30",
        "s",
        "A launcher that has taken nothing for this long while something waits is disconnected.",
    ),
    key(
        "store.url",
        Kind::Prefixed(&["sqlite:", "mysql:", "mariadb:"]),
        "sqlite:{data_dir}/muster.db?mode=rwc",
        "",
        "The database: \"sqlite:FILE\" for the embedded one, \"mysql://USER:PASSWORD@HOST:PORT/NAME\" for MariaDB. \
         \"{data_dir}\" stands for server.data_dir.",
    ),
    key(
        "store.connections",
        number(1, 1024),
        "8",
        "connections",
        "Size of the database connection pool.",
    ),
    key(
        "broker.url",
        Kind::PrefixedOrOff(&["amqp://"]),
        "",
        "",
        "The broker, \"amqp://USER:PASSWORD@HOST:PORT/VHOST\" with a percent-encoded VHOST. Empty: no broker; events \
         are dropped. The server also runs while the broker does not, and connects when it is back.",
    ),
    key(
        "broker.exchange",
        Kind::Text,
        "faf-rabbitmq",
        "",
        "The durable topic exchange events are published on. FAF's deployments use \"faf-lobby\".",
    ),
    key(
        "broker.backlog",
        number(16, 1 << 20),
        "16384",
        "events",
        "Events that must not be lost (results, ratings) and wait while the broker is away, at most. More are dropped \
         and counted.",
    ),
    key(
        "http.control_address",
        Kind::HostAddress,
        "127.0.0.1:4000",
        "",
        "All games and all players as JSON: /games and /players. With \"host\" as host: the address that this host's own \
         name stands for. Whoever can reach it can read it. Port 0: any free port.",
    ),
    key(
        "http.health_address",
        Kind::HostAddress,
        "127.0.0.1:2000",
        "",
        "/ready: 200 while the server serves, 503 while it starts and after it has stopped; as above.",
    ),
    key(
        "http.metrics_address",
        Kind::HostAddress,
        "",
        "",
        "Metrics for Prometheus, on every path; as above.",
    ),
    key(
        "limits.connections",
        number(1, 10_000_000),
        "100000",
        "connections",
        "Connections of the whole server; more are closed at once. Each needs a file descriptor.",
    ),
    key(
        "limits.connections_per_address",
        number(0, 10_000_000),
        "100",
        "connections",
        "Connections from one address. 0: no limit. Loopback is exempt.",
    ),
    key(
        "limits.accepts_per_second_per_address",
        number(0, 1_000_000),
        "50",
        "connections/s",
        "New connections from one address in a second. 0: no limit. Loopback is exempt.",
    ),
    key(
        "limits.logins_in_flight",
        number(1, 1_000_000),
        "256",
        "logins",
        "Sign-ins being worked on at one time, on each shard; further ones wait their turn.",
    ),
    key(
        "limits.message_bytes",
        number(1024, GIB),
        "10485760",
        "bytes",
        "Longest incoming message. A longer one ends the connection.",
    ),
    key(
        "limits.outbox_soft_bytes",
        number(1024, GIB),
        "16777216",
        "bytes",
        "A client with more than this unsent gets no broadcasts until it has drained, and then the present state. Must be well above what a newcomer is sent: about 0.4 KB for each player online, twice that over QDataStream.",
    ),
    key(
        "limits.outbox_hard_bytes",
        number(4096, GIB),
        "67108864",
        "bytes",
        "A client with more than this unsent is disconnected. Not below limits.outbox_soft_bytes.",
    ),
    key(
        "limits.outbox_stuck_s",
        number(1, 86_400),
        "60",
        "s",
        "A client that has taken nothing for this long while something waits is disconnected.",
    ),
    key(
        "limits.upgrade_bytes",
        number(256, 1 << 20),
        "8192",
        "bytes",
        "Longest request head of a WebSocket upgrade.",
    ),
    key(
        "log.level",
        Kind::Text,
        "info",
        "",
        "What is logged: error, warn, info, debug, trace, or a filter such as \"info,muster_engine=debug\". At \"trace\" every message is logged with all that is in it, tokens and hashes of passwords too.",
    ),
];

/// Keys that take effect while the server runs; the others at its next start.
const LIVE: &[&str] = &[
    "server.stop_grace_s",
    "server.config_refresh_s",
    "faf.tick_ms",
    "faf.ping_interval_s",
    "faf.login_timeout_s",
    "faf.allow_password_login",
    "faf.www_url",
    "faf.content_url",
    "faf.shutdown_kick_idle_players",
    "faf.start_rating_mean",
    "faf.start_rating_deviation",
    "faf.rating_adjustment_max",
    "faf.ladder_outcome_override",
    "broker.url",
    "broker.exchange",
    "http.control_address",
    "http.health_address",
    "http.metrics_address",
    "limits.logins_in_flight",
    "log.level",
];

impl Key {
    /// Whether a new value takes effect while the server runs.
    pub fn is_live(&self) -> bool {
        LIVE.contains(&self.name) || self.group() == "matchmaking"
    }
}

/// The key of this name.
pub(super) fn find(name: &str) -> Option<&'static Key> {
    KEYS.iter().find(|key| key.name == name)
}

/// The key whose name looks most like this one, if any does.
pub(super) fn nearest(name: &str) -> Option<&'static str> {
    nearest_of(KEYS.iter().map(|key| key.name), name)
}

/// The one of these that looks most like this one, if any does.
pub(super) fn nearest_of(
    known: impl Iterator<Item = &'static str>,
    name: &str,
) -> Option<&'static str> {
    known
        .map(|known| (strsim::jaro_winkler(known, name), known))
        .filter(|(likeness, _)| *likeness > 0.75)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, key)| key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_default_is_of_its_kind() {
        for key in KEYS {
            assert!(key.kind.parse(key.default).is_ok(), "{}", key.name);
            assert!(
                GROUPS.iter().any(|(group, _)| *group == key.group()),
                "{}",
                key.name
            );
            assert!(key.doc.ends_with('.'), "{}", key.name);
        }
    }

    #[test]
    fn live_keys_exist() {
        for name in LIVE {
            assert!(find(name).is_some(), "{name}");
        }
    }

    #[test]
    fn names_and_variables_are_unique() {
        let mut variables: Vec<_> = KEYS.iter().map(Key::variable).collect();
        variables.sort();
        variables.dedup();
        assert_eq!(variables.len(), KEYS.len());
    }
}
