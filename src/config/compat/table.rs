//! What each key of the replaced server is called here.
//!
//! To give one of its keys a meaning, add or change its row. A test checks that every key of ours that is named exists.

use std::fmt;

/// A key of the replaced server.
#[derive(Clone, Copy, Debug)]
pub(super) struct Name {
    pub(super) name: &'static str,
    pub(super) kind: Type,
    /// Its default, as text; used only where several keys make one of ours.
    pub(super) default: &'static str,
    pub(super) means: Means,
}

/// What type its values have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Type {
    Flag,
    Number,
    Text,
    Numbers,
    Listeners,
}

impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Type::Flag => "true or false",
            Type::Number => "a number",
            Type::Text => "text",
            Type::Numbers => "a list of numbers",
            Type::Listeners => "a list of listeners, each with ADDRESS, PORT, PROTOCOL (QDataStreamProtocol or SimpleJsonProtocol) and PROXY",
        })
    }
}

/// What it means here.
#[derive(Clone, Copy, Debug)]
pub(super) enum Means {
    /// The same as this key of ours.
    Key(&'static str),
    /// This key of ours, in a unit that is so many times smaller.
    Times(&'static str, f64),
    /// This key of ours, each of their words translated; an empty one, which comes last, stands for all others.
    Word(&'static str, &'static [(&'static str, &'static str)]),
    /// Part of a key of ours that is put together.
    Part,
    /// Nothing, for this reason.
    Nothing(&'static str),
}

/// What a deployment of that server means without saying it.
pub(super) const DEPLOYED: &[(&str, &str)] = &[
    ("faf.auth", "database"),
    ("faf.use_policy_server", "true"),
    // That server believes the forwarded address of anybody. Ours believes proxies on networks of one's own.
    (
        "faf.ws_trusted",
        "127.0.0.0/8,::1/128,10.0.0.0/8,172.16.0.0/12,192.168.0.0/16,fc00::/7",
    ),
];

/// `WARNING` and the like. A level is that of this program, not of its libraries.
const LEVELS: &[(&str, &str)] = &[
    ("TRACE", "info,muster=trace"),
    ("NOTSET", "info,muster=trace"),
    ("DEBUG", "info,muster=debug"),
    ("INFO", "info"),
    ("WARN", "warn"),
    ("WARNING", "warn"),
    ("ERROR", "error"),
    ("CRITICAL", "error"),
    ("FATAL", "error"),
];

/// In any case, as there.
/// Anything else means the mean (spec: faf-lifecycle 16).
const RATING_SELECTIONS: &[(&str, &str)] = &[("min", "min"), ("max", "max"), ("", "mean")];

const UVLOOP: &str = "there is no Python here";
const PROFILER: &str = "there is no built-in profiler; use perf";
const UNUSED: &str = "the other server does not use it either";

/// Groups of keys that earlier versions of that server had, by what their names begin with: why they mean nothing.
const GONE: &[(&str, &str)] = &[("TWILIO_", RELAYS), ("COTURN_", RELAYS)];
const RELAYS: &str = "clients get their relay servers from elsewhere";

/// Why a key of an earlier version means nothing, if it is one.
pub(super) fn gone(key: &str) -> Option<&'static str> {
    let mut groups = GONE.iter();
    let group = groups.find(|(head, _)| key.starts_with(head));
    group.map(|(_, why)| *why)
}

const fn key(name: &'static str, kind: Type, ours: &'static str) -> Name {
    row(name, kind, "", Means::Key(ours))
}

const fn part(name: &'static str, kind: Type, default: &'static str) -> Name {
    row(name, kind, default, Means::Part)
}

const fn nothing(name: &'static str, kind: Type, why: &'static str) -> Name {
    row(name, kind, "", Means::Nothing(why))
}

const fn row(name: &'static str, kind: Type, default: &'static str, means: Means) -> Name {
    Name {
        name,
        kind,
        default,
        means,
    }
}

/// The reference's names, and what stands for each here.
pub(super) const NAMES: &[Name] = &[
    key(
        "CONFIGURATION_REFRESH_TIME",
        Type::Number,
        "server.config_refresh_s",
    ),
    part("LISTEN", Type::Listeners, ""),
    part("WS_HOST", Type::Text, ""),
    part("WS_PORT", Type::Number, "8003"),
    key("WS_PATH", Type::Text, "faf.ws_path"),
    key(
        "WS_FORWARDED_IP_HEADER",
        Type::Text,
        "faf.ws_forwarded_header",
    ),
    row(
        "LOG_LEVEL",
        Type::Text,
        "",
        Means::Word("log.level", LEVELS),
    ),
    row(
        "DIRTY_REPORT_INTERVAL",
        Type::Number,
        "",
        Means::Times("faf.tick_ms", 1000.0),
    ),
    key("PING_INTERVAL", Type::Number, "faf.ping_interval_s"),
    key("SHUTDOWN_GRACE_PERIOD", Type::Number, "server.stop_grace_s"),
    key(
        "SHUTDOWN_KICK_IDLE_PLAYERS",
        Type::Flag,
        "faf.shutdown_kick_idle_players",
    ),
    part("CONTROL_SERVER_PORT", Type::Number, "4000"),
    part("HEALTH_SERVER_PORT", Type::Number, "2000"),
    part("METRICS_PORT", Type::Number, "8011"),
    part("ENABLE_METRICS", Type::Flag, "false"),
    part("DB_SERVER", Type::Text, "127.0.0.1"),
    part("DB_PORT", Type::Number, "3306"),
    part("DB_LOGIN", Type::Text, "root"),
    part("DB_PASSWORD", Type::Text, "banana"),
    part("DB_NAME", Type::Text, "faf"),
    key("DB_FLYWAY_TABLE", Type::Text, "store.migrations_table"),
    part("MQ_USER", Type::Text, "faf-python-server"),
    part("MQ_PASSWORD", Type::Text, "banana"),
    part("MQ_SERVER", Type::Text, "127.0.0.1"),
    part("MQ_PORT", Type::Number, "5672"),
    part("MQ_VHOST", Type::Text, "/faf-core"),
    key("MQ_EXCHANGE_NAME", Type::Text, "broker.exchange"),
    key("HYDRA_JWKS_URI", Type::Text, "faf.jwks_url"),
    key("WWW_URL", Type::Text, "faf.www_url"),
    key(
        "FAF_POLICY_SERVER_BASE_URL",
        Type::Text,
        "faf.policy_server_url",
    ),
    key("USE_POLICY_SERVER", Type::Flag, "faf.use_policy_server"),
    key(
        "ALLOW_PASSWORD_LOGIN",
        Type::Flag,
        "faf.allow_password_login",
    ),
    key("LOGIN_TIMEOUT", Type::Number, "faf.login_timeout_s"),
    // Matchmaking and ratings.
    key(
        "NEWBIE_BASE_MEAN",
        Type::Number,
        "matchmaking.newbie_base_mean",
    ),
    key(
        "NEWBIE_MIN_GAMES",
        Type::Number,
        "matchmaking.newbie_min_games",
    ),
    key("START_RATING_MEAN", Type::Number, "faf.start_rating_mean"),
    key(
        "START_RATING_DEV",
        Type::Number,
        "faf.start_rating_deviation",
    ),
    key(
        "RATING_ADJUSTMENT_MAX_RATING",
        Type::Number,
        "faf.rating_adjustment_max",
    ),
    key(
        "HIGH_RATED_PLAYER_MIN_RATING",
        Type::Number,
        "matchmaking.high_rated_min_rating",
    ),
    key(
        "TOP_PLAYER_MIN_RATING",
        Type::Number,
        "matchmaking.top_player_min_rating",
    ),
    key(
        "MINIMUM_GAME_QUALITY",
        Type::Number,
        "matchmaking.minimum_game_quality",
    ),
    key(
        "MAXIMUM_RATING_IMBALANCE",
        Type::Number,
        "matchmaking.maximum_rating_imbalance",
    ),
    key(
        "MAXIMUM_RATING_DEVIATION",
        Type::Number,
        "matchmaking.maximum_rating_deviation",
    ),
    key("TIME_BONUS", Type::Number, "matchmaking.time_bonus"),
    key(
        "MAXIMUM_TIME_BONUS",
        Type::Number,
        "matchmaking.maximum_time_bonus",
    ),
    key(
        "NEWBIE_TIME_BONUS",
        Type::Number,
        "matchmaking.newbie_time_bonus",
    ),
    key(
        "MAXIMUM_NEWBIE_TIME_BONUS",
        Type::Number,
        "matchmaking.maximum_newbie_time_bonus",
    ),
    key("MINORITY_BONUS", Type::Number, "matchmaking.minority_bonus"),
    key(
        "MINORITY_BONUS_RATING_RANGE",
        Type::Number,
        "matchmaking.minority_bonus_rating_range",
    ),
    key(
        "LADDER_1V1_OUTCOME_OVERRIDE",
        Type::Flag,
        "faf.ladder_outcome_override",
    ),
    key(
        "LADDER_ANTI_REPETITION_LIMIT",
        Type::Number,
        "matchmaking.anti_repetition_limit",
    ),
    key(
        "LADDER_ANTI_REPETITION_WEIGHT_BASE_THRESHOLDS",
        Type::Numbers,
        "matchmaking.anti_repetition_weight_thresholds",
    ),
    key(
        "LADDER_ANTI_REPETITION_REPEAT_COUNTS_FACTOR",
        Type::Number,
        "matchmaking.anti_repetition_repeat_factor",
    ),
    key(
        "LADDER_SEARCH_EXPANSION_MAX",
        Type::Number,
        "matchmaking.expansion_max",
    ),
    key(
        "LADDER_SEARCH_EXPANSION_STEP",
        Type::Number,
        "matchmaking.expansion_step",
    ),
    key(
        "LADDER_TOP_PLAYER_SEARCH_EXPANSION_MAX",
        Type::Number,
        "matchmaking.top_player_expansion_max",
    ),
    key(
        "LADDER_TOP_PLAYER_SEARCH_EXPANSION_STEP",
        Type::Number,
        "matchmaking.top_player_expansion_step",
    ),
    key(
        "LADDER_NEWBIE_SEARCH_EXPANSION_MAX",
        Type::Number,
        "matchmaking.newbie_expansion_max",
    ),
    key(
        "LADDER_NEWBIE_SEARCH_EXPANSION_STEP",
        Type::Number,
        "matchmaking.newbie_expansion_step",
    ),
    row(
        "MAP_POOL_RATING_SELECTION",
        Type::Text,
        "",
        Means::Word("matchmaking.map_pool_rating_selection", RATING_SELECTIONS),
    ),
    key(
        "QUEUE_POP_TIME_MAX",
        Type::Number,
        "matchmaking.pop_longest_s",
    ),
    key(
        "QUEUE_POP_TIME_MIN",
        Type::Number,
        "matchmaking.pop_shortest_s",
    ),
    key(
        "QUEUE_POP_DESIRED_MATCHES",
        Type::Number,
        "matchmaking.pop_desired_matches",
    ),
    key(
        "QUEUE_POP_TIME_MOVING_AVG_SIZE",
        Type::Number,
        "matchmaking.pop_moving_average",
    ),
    key(
        "LADDER_VIOLATIONS_ENABLED",
        Type::Flag,
        "matchmaking.violations_enabled",
    ),
    key(
        "LADDER_VIOLATIONS_BAN_THRESHOLD",
        Type::Number,
        "matchmaking.violations_ban_threshold",
    ),
    key(
        "LADDER_VIOLATIONS_FIRST_BAN_DURATION",
        Type::Number,
        "matchmaking.violations_first_ban_s",
    ),
    key(
        "LADDER_VIOLATIONS_BAN_DURATION",
        Type::Number,
        "matchmaking.violations_ban_s",
    ),
    key(
        "LADDER_VIOLATIONS_RESET_TIME",
        Type::Number,
        "matchmaking.violations_reset_s",
    ),
    // Without a meaning here.
    nothing("USE_UVLOOP", Type::Flag, UVLOOP),
    nothing("PROFILING_COUNT", Type::Number, PROFILER),
    nothing("PROFILING_DURATION", Type::Number, PROFILER),
    nothing("PROFILING_INTERVAL", Type::Number, PROFILER),
    nothing("API_CLIENT_ID", Type::Text, UNUSED),
    nothing("API_CLIENT_SECRET", Type::Text, UNUSED),
    nothing("API_TOKEN_URI", Type::Text, UNUSED),
    nothing("API_BASE_URL", Type::Text, UNUSED),
    key("CONTENT_URL", Type::Text, "faf.content_url"),
    key("GEO_IP_DATABASE_PATH", Type::Text, "faf.geoip_database"),
    key("GEO_IP_DATABASE_URL", Type::Text, "faf.geoip_url"),
    key("GEO_IP_LICENSE_KEY", Type::Text, "faf.geoip_license_key"),
    key(
        "GEO_IP_DATABASE_MAX_AGE_DAYS",
        Type::Number,
        "faf.geoip_max_age_days",
    ),
];
