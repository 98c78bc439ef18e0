//! Configuration in two steps: what was typed, and what it means.
//!
//! `typed` gathers file, environment and flags, checked against the table in [`keys`]. [`Config::load`] lays them
//! over the defaults, resolves what depends on something else, and refuses contradictions. Nothing here starts
//! anything, and nothing later in the program reads the environment again.

pub mod cli;
pub mod keys;
mod kinds;
mod matchmaking;
mod print;
mod replaced;
mod typed;

use std::{
    collections::BTreeMap,
    net::{Ipv4Addr, SocketAddr},
    path::PathBuf,
    time::Duration,
};

pub use keys::HostAddress;
use keys::{Address, KEYS, Value};
pub use matchmaking::Matchmaking;
pub use print::reference;
pub use typed::Place;
use wire::Cidr;

/// Why a configuration can't be used. Each text says where, what, and what would be right.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// The file can't be read.
    #[error("{file}: can't be read: {why}")]
    Unreadable {
        /// Path of the file.
        file: String,
        /// The system's reason.
        why: String,
    },
    /// The file is not TOML.
    #[error("{place}: not valid TOML: {why}")]
    Syntax {
        /// Where it breaks off.
        place: Place,
        /// The parser's reason.
        why: String,
    },
    /// The configuration file of the replaced server is not understood.
    #[error("{place}: not understood: {why}")]
    Foreign {
        /// Where it was typed.
        place: Place,
        /// The parser's reason.
        why: String,
    },
    /// No key has this name.
    #[error("{place}: unknown key {key}{}", nearest.as_ref().map_or(String::new(), |n| format!("; did you mean {n}?")))]
    UnknownKey {
        /// Where it was typed.
        place: Place,
        /// The name as typed.
        key: String,
        /// What may have been meant.
        nearest: Option<String>,
    },
    /// Wrong type or out of range.
    #[error("{place}: {key} = {value} is not allowed; allowed is {allowed}")]
    BadValue {
        /// Where it was typed.
        place: Place,
        /// The key that it was typed for.
        key: &'static str,
        /// The value as it was typed.
        value: String,
        /// What would be right.
        allowed: String,
    },
    /// Two values do not go together.
    #[error("{0}")]
    Contradiction(String),
}

/// Where everything typed is found. Kept, so that it can be read again.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    /// Our own file.
    pub file: Option<PathBuf>,
    /// The file of the server this one replaces.
    pub replaced_file: Option<PathBuf>,
    /// All variables of the environment.
    pub environment: Vec<(String, String)>,
    /// `key=value` pairs of the command line.
    pub flags: Vec<(String, String)>,
}

/// A key that has another value than before.
#[derive(Clone, Debug)]
pub struct Change {
    /// The key that it was typed for.
    pub key: &'static keys::Key,
    /// Its new value as text, without a password.
    pub value: String,
}

/// What the configuration means.
#[derive(Clone, Debug)]
pub struct Config {
    /// What concerns the process as a whole.
    pub server: Server,
    /// The FAF lobby.
    pub faf: Faf,
    /// Queues, searches and matches of the FAF lobby.
    pub matchmaking: Matchmaking,
    /// The VCMI lobby.
    pub vcmi: Vcmi,
    /// Where accounts and games are stored.
    pub store: Store,
    /// The event broker.
    pub broker: Broker,
    /// Endpoints for operators.
    pub http: Http,
    /// How much one client, or all of them, may take.
    pub limits: Limits,
    /// What is logged, and how.
    pub log: Log,
    /// What somebody should know about the settings of the replaced server.
    pub notes: Vec<String>,
    values: Values,
}

/// The process as a whole.
#[derive(Clone, Debug)]
pub struct Server {
    /// Shards to run; at least 1.
    pub shards: u16,
    /// Whether each is pinned to a core.
    pub pin: bool,
    /// Folder for files of our own.
    pub data_dir: PathBuf,
    /// Longest wait of an orderly stop.
    pub stop_grace: Duration,
    /// How often the files are read again; `None`: never.
    pub config_refresh: Option<Duration>,
    /// Length of the queue to the back office.
    pub ask_queue: usize,
}

/// FAF's key server (spec: faf-lifecycle 16, `HYDRA_JWKS_URI`).
const FAF_KEYS: &str = "https://hydra.faforever.com/.well-known/jwks.json";

/// How players prove who they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Auth {
    /// By an account in the database.
    Database,
    /// Not at all.
    Open,
}

/// The country database.
#[derive(Clone, Debug)]
pub struct GeoIp {
    /// Its file, if on.
    pub database: Option<PathBuf>,
    /// Whose licence to download it with, if any. A secret.
    pub license_key: Option<String>,
    /// Address that the database is downloaded from.
    pub url: String,
    /// When it is too old.
    pub max_age: Duration,
}

/// The FAF lobby.
#[derive(Clone, Debug)]
pub struct Faf {
    /// QDataStream listener, if on.
    pub qdatastream_address: Option<SocketAddr>,
    /// JSON lines listener, if on.
    pub json_address: Option<SocketAddr>,
    /// WebSocket listener, if on.
    pub websocket_address: Option<SocketAddr>,
    /// TCP listeners expect a PROXY header.
    pub proxy: bool,
    /// Path of the upgrade.
    pub ws_path: String,
    /// Header with the client's address; empty: not read.
    pub ws_forwarded_header: String,
    /// Whose header is believed.
    pub ws_trusted: Vec<Cidr>,
    /// Interval of broadcasts.
    pub tick: Duration,
    /// Interval of pings.
    pub ping_interval: Duration,
    /// Time to sign in.
    pub login_timeout: Duration,
    /// How players prove who they are.
    pub auth: Auth,
    /// Whether `hello` is accepted.
    pub allow_password_login: bool,
    /// Website, in texts.
    pub www_url: String,
    /// Beginning of the mod vault's links.
    pub content_url: String,
    /// Which country an address is in.
    pub geoip: GeoIp,
    /// Where token keys come from; `None`: no tokens.
    pub jwks_url: Option<String>,
    /// Base address of the policy server, if it is to be told.
    pub policy_server_url: Option<String>,
    /// Whether an orderly stop disconnects idle players.
    pub shutdown_kick_idle_players: bool,
    /// Mean rating of a player of whom nothing is known.
    pub start_rating_mean: f64,
    /// Its deviation.
    pub start_rating_deviation: f64,
    /// Highest displayed global rating that games of other leaderboards lift to.
    pub rating_adjustment_max: f64,
    /// Whether scores decide matchmaker games of two.
    pub ladder_outcome_override: bool,
}

impl Faf {
    /// The listeners that are on, with the names they are announced under (`listening faf/json 127.0.0.1:8002`).
    pub fn listeners(&self) -> impl Iterator<Item = (&'static str, SocketAddr)> {
        [
            ("faf/qdatastream", self.qdatastream_address),
            ("faf/json", self.json_address),
            ("faf/websocket", self.websocket_address),
        ]
        .into_iter()
        .filter_map(|(name, address)| Some((name, address?)))
    }
}

/// The VCMI lobby.
#[derive(Clone, Debug)]
pub struct Vcmi {
    /// Its listener, if on.
    pub address: Option<SocketAddr>,
    /// Launchers at one time; `None`: no limit.
    pub capacity: Option<u32>,
    /// Time to sign in, or to name a session.
    pub handshake: Duration,
    /// Life of a session that nobody is connected to.
    pub session_idle: Duration,
    /// Sessions at one time.
    pub sessions: usize,
    /// Rooms of one address; `None`: no limit.
    pub rooms_per_address: Option<u32>,
    /// Longest name of a user.
    pub name_chars: usize,
    /// Longest name of a room.
    pub room_name_chars: usize,
    /// Longest line of chat.
    pub chat_bytes: usize,
    /// Longest packet.
    pub packet_bytes: usize,
    /// Above this, the end.
    pub outbox_bytes: usize,
    /// Taking nothing for this long: the end.
    pub outbox_stuck: Duration,
}

/// The database.
#[derive(Clone, Debug)]
pub struct Store {
    /// Where it is; `{data_dir}` is filled in. May hold a password: not for logs.
    pub url: String,
    /// Pool size.
    pub connections: u32,
}

/// The event broker.
#[derive(Clone, Debug)]
pub struct Broker {
    /// Where it is, if there is one. May hold a password: not for logs.
    pub url: Option<String>,
    /// The topic exchange.
    pub exchange: String,
    /// Persistent events that wait for it at most.
    pub backlog: usize,
}

/// Endpoints for operators and their programs.
#[derive(Clone, Debug)]
pub struct Http {
    /// All games and players.
    pub control: HostAddress,
    /// Whether the server serves.
    pub health: HostAddress,
    /// Everything that is counted.
    pub metrics: HostAddress,
}

/// Bounds.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Connections of all shards together.
    pub connections: usize,
    /// Connections from one address; `None`: no limit.
    pub connections_per_address: Option<u32>,
    /// New connections in a second from one address; `None`: no limit.
    pub accepts_per_second_per_address: Option<u32>,
    /// Sign-ins being worked on, on each shard.
    pub logins_in_flight: usize,
    /// Longest incoming message.
    pub message_bytes: usize,
    /// Above this, no broadcasts.
    pub outbox_soft_bytes: usize,
    /// Above this, the end.
    pub outbox_hard_bytes: usize,
    /// Taking nothing for this long: the end.
    pub outbox_stuck: Duration,
    /// Longest head of an upgrade request.
    pub upgrade_bytes: usize,
}

/// Logging.
#[derive(Clone, Debug)]
pub struct Log {
    /// A level or a filter expression.
    pub level: String,
}

impl Config {
    /// Lays everything typed over the defaults; later wins: the replaced server's settings, file, environment, flags.
    ///
    /// # Errors
    /// The first thing that is wrong, with its place.
    pub fn load(sources: &Sources) -> Result<Config, ConfigError> {
        let mut values = Values::defaults();
        let replaced = replaced::read(&sources.environment, sources.replaced_file.as_deref())?;
        values.lay(replaced.given);
        let file = sources.file.as_deref().map(typed::from_file);
        values.lay(file.transpose()?.unwrap_or_default());
        values.lay(typed::from_environment(&sources.environment)?);
        values.lay(typed::from_flags(&sources.flags)?);
        let mut config = Config::mean(values)?;
        config.notes = replaced.notes;
        Ok(config)
    }

    /// What is different in `new`, in the order of the table.
    pub fn changes(&self, new: &Config) -> Vec<Change> {
        let changed = KEYS
            .iter()
            .filter(|key| self.values.0[key.name] != new.values.0[key.name]);
        changed
            .map(|key| Change {
                key,
                value: print::shown(key, &new.values.0[key.name]),
            })
            .collect()
    }

    /// The effective values as a commented TOML file; the password in `store.url` is masked.
    pub fn print(&self) -> String {
        print::commented(&self.values)
    }

    /// Second step: from checked values to what they mean.
    fn mean(values: Values) -> Result<Config, ConfigError> {
        let v = &values;
        let data_dir = v.text("server.data_dir");
        let config = Config {
            server: Server {
                shards: match v.number("server.shards") {
                    0 => std::thread::available_parallelism()
                        .map_or(1, |cores| cores.get().min(256) as u16),
                    shards => shards,
                },
                pin: v.flag("server.pin"),
                data_dir: PathBuf::from(&data_dir),
                stop_grace: v.seconds("server.stop_grace_s"),
                config_refresh: Some(v.seconds("server.config_refresh_s"))
                    .filter(|period| !period.is_zero()),
                ask_queue: v.number("server.ask_queue"),
            },
            faf: faf(v)?,
            matchmaking: Matchmaking::of(v),
            vcmi: vcmi(v),
            store: Store {
                url: v.text("store.url").replace("{data_dir}", &data_dir),
                connections: v.number("store.connections"),
            },
            broker: Broker {
                url: Some(v.text("broker.url")).filter(|url| !url.is_empty()),
                exchange: v.text("broker.exchange"),
                backlog: v.number("broker.backlog"),
            },
            http: Http {
                control: v.host_address("http.control_address"),
                health: v.host_address("http.health_address"),
                metrics: v.host_address("http.metrics_address"),
            },
            limits: Limits {
                connections: v.number("limits.connections"),
                connections_per_address: v.unless_zero("limits.connections_per_address"),
                accepts_per_second_per_address: v
                    .unless_zero("limits.accepts_per_second_per_address"),
                logins_in_flight: v.number("limits.logins_in_flight"),
                message_bytes: v.number("limits.message_bytes"),
                outbox_soft_bytes: v.number("limits.outbox_soft_bytes"),
                outbox_hard_bytes: v.number("limits.outbox_hard_bytes"),
                outbox_stuck: v.seconds("limits.outbox_stuck_s"),
                upgrade_bytes: v.number("limits.upgrade_bytes"),
            },
            log: Log {
                level: v.text("log.level"),
            },
            notes: Vec::new(),
            values,
        };
        config.contradictions()?;
        Ok(config)
    }

    fn contradictions(&self) -> Result<(), ConfigError> {
        let refuse = |text: String| Err(ConfigError::Contradiction(text));
        if self.faf.listeners().next().is_none() && self.vcmi.address.is_none() {
            return refuse(
                "no listener is on: set one of faf.qdatastream_address, faf.json_address, \
                           faf.websocket_address, vcmi.address"
                    .into(),
            );
        }
        if self.limits.outbox_hard_bytes < self.limits.outbox_soft_bytes {
            return refuse(format!(
                "limits.outbox_hard_bytes ({}) is below limits.outbox_soft_bytes ({})",
                self.limits.outbox_hard_bytes, self.limits.outbox_soft_bytes
            ));
        }
        if self.faf.auth == Auth::Open
            && !self.values.flag("faf.open_beyond_loopback")
            && let Some((name, address)) = self
                .faf
                .listeners()
                .find(|(_, address)| !address.ip().is_loopback())
        {
            return refuse(format!(
                "{name} would listen on {address} while faf.auth is \"open\": anybody could sign in as anybody. \
                 Set faf.auth = \"database\", or listen on 127.0.0.1, or say faf.open_beyond_loopback = true too"
            ));
        }
        Ok(())
    }
}

fn faf(v: &Values) -> Result<Faf, ConfigError> {
    let auth = if v.text("faf.auth") == "open" {
        Auth::Open
    } else {
        Auth::Database
    };
    let address = |name| listener(v, name);
    Ok(Faf {
        qdatastream_address: address("faf.qdatastream_address"),
        json_address: address("faf.json_address"),
        websocket_address: address("faf.websocket_address"),
        proxy: v.flag("faf.proxy"),
        ws_path: v.text("faf.ws_path"),
        ws_forwarded_header: v.text("faf.ws_forwarded_header"),
        ws_trusted: v.blocks("faf.ws_trusted"),
        tick: Duration::from_millis(v.number("faf.tick_ms")),
        ping_interval: v.seconds("faf.ping_interval_s"),
        login_timeout: v.seconds("faf.login_timeout_s"),
        auth,
        allow_password_login: v.flag("faf.allow_password_login"),
        www_url: v.text("faf.www_url"),
        content_url: v.text("faf.content_url"),
        geoip: geoip(v),
        jwks_url: match v.text("faf.jwks_url").as_str() {
            "auto" if auth == Auth::Database => Some(FAF_KEYS.to_owned()),
            "auto" | "" => None,
            url => Some(url.to_owned()),
        },
        policy_server_url: v
            .flag("faf.use_policy_server")
            .then(|| v.text("faf.policy_server_url")),
        shutdown_kick_idle_players: v.flag("faf.shutdown_kick_idle_players"),
        start_rating_mean: v.number::<i32>("faf.start_rating_mean").into(),
        start_rating_deviation: v.number::<i32>("faf.start_rating_deviation").into(),
        rating_adjustment_max: v.number::<i32>("faf.rating_adjustment_max").into(),
        ladder_outcome_override: v.flag("faf.ladder_outcome_override"),
    })
}

/// Name of the country database's file, unless said otherwise.
const COUNTRIES: &str = "GeoLite2-Country.mmdb";

fn geoip(v: &Values) -> GeoIp {
    let database = match v.text("faf.geoip_database").as_str() {
        "" => None,
        "auto" => Some(PathBuf::from(v.text("server.data_dir")).join(COUNTRIES)),
        file => Some(PathBuf::from(file)),
    };
    let key = v.text("faf.geoip_license_key");
    let days: u64 = v.number("faf.geoip_max_age_days");
    GeoIp {
        database,
        license_key: (!key.is_empty()).then_some(key),
        url: v.text("faf.geoip_url"),
        max_age: Duration::from_secs(days * 86_400),
    }
}

fn vcmi(v: &Values) -> Vcmi {
    Vcmi {
        address: listener(v, "vcmi.address").filter(|_| v.flag("vcmi.enabled")),
        capacity: v.unless_zero("vcmi.capacity"),
        handshake: v.seconds("vcmi.handshake_s"),
        session_idle: v.seconds("vcmi.session_idle_s"),
        sessions: v.number("vcmi.sessions"),
        rooms_per_address: v.unless_zero("vcmi.rooms_per_address"),
        name_chars: v.number("vcmi.name_chars"),
        room_name_chars: v.number("vcmi.room_name_chars"),
        chat_bytes: v.number("vcmi.chat_bytes"),
        packet_bytes: v.number("vcmi.packet_bytes"),
        outbox_bytes: v.number("vcmi.outbox_bytes"),
        outbox_stuck: v.seconds("vcmi.outbox_stuck_s"),
    }
}

/// Where a listener is, if it is on. Its "auto" host is loopback as long as sign-in is open and nobody asked for more.
fn listener(v: &Values, name: &str) -> Option<SocketAddr> {
    let beyond = v.text("faf.auth") != "open" || v.flag("faf.open_beyond_loopback");
    match Address::parse(&v.text(name)) {
        Some(Address::Auto(port)) if beyond => {
            Some(SocketAddr::from((Ipv4Addr::UNSPECIFIED, port)))
        }
        Some(Address::Auto(port)) => Some(SocketAddr::from((Ipv4Addr::LOCALHOST, port))),
        Some(Address::Fixed(address)) => Some(address),
        Some(Address::Off) | None => None,
    }
}

/// A checked value for every key of the table. Asking for a name or type the table does not have is a bug.
#[derive(Clone, Debug)]
struct Values(BTreeMap<&'static str, Value>);

impl Values {
    fn defaults() -> Values {
        let default = |key: &keys::Key| {
            (
                key.name,
                key.kind
                    .parse(key.default)
                    .expect("a test parses every default of the table"),
            )
        };
        Values(KEYS.iter().map(default).collect())
    }

    fn lay(&mut self, given: Vec<typed::Given>) {
        self.0
            .extend(given.into_iter().map(|given| (given.key.name, given.value)));
    }

    fn flag(&self, name: &str) -> bool {
        matches!(self.0[name], Value::Flag(true))
    }

    /// As the type of the field; the bounds in the table keep within it.
    fn number<T: TryFrom<i64>>(&self, name: &str) -> T {
        let Value::Number(number) = self.0[name] else {
            unreachable!("{name} is no number")
        };
        T::try_from(number)
            .unwrap_or_else(|_| unreachable!("the bounds of {name} are wider than its field"))
    }

    fn unless_zero(&self, name: &str) -> Option<u32> {
        Some(self.number(name)).filter(|&number| number != 0)
    }

    fn seconds(&self, name: &str) -> Duration {
        Duration::from_secs(self.number(name))
    }

    fn decimal(&self, name: &str) -> f64 {
        let Value::Decimal(number) = self.0[name] else {
            unreachable!("{name} is no decimal")
        };
        number.0
    }

    fn decimals(&self, name: &str) -> Vec<f64> {
        let Value::Decimals(numbers) = &self.0[name] else {
            unreachable!("{name} is no list of decimals")
        };
        numbers.iter().map(|number| number.0).collect()
    }

    /// The bounds in the table keep it from being negative.
    fn decimal_seconds(&self, name: &str) -> Duration {
        Duration::from_secs_f64(self.decimal(name))
    }

    fn text(&self, name: &str) -> String {
        let Value::Text(text) = &self.0[name] else {
            unreachable!("{name} is no text")
        };
        text.clone()
    }

    fn host_address(&self, name: &str) -> HostAddress {
        HostAddress::parse(&self.text(name)).unwrap_or(HostAddress::Off)
    }

    fn blocks(&self, name: &str) -> Vec<Cidr> {
        let Value::List(blocks) = &self.0[name] else {
            unreachable!("{name} is no list")
        };
        blocks
            .iter()
            .filter_map(|block| block.parse().ok())
            .collect()
    }
}

#[cfg(test)]
mod tests;
