//! What each key of `servatrice.ini` is called here (spec: cockatrice-behaviour 15).
//!
//! To give one of its keys a meaning, add or change its row. Tests check that every key of ours that is named exists, and that
//! every key of theirs has a row.

/// What one of its keys means here.
#[derive(Clone, Copy, Debug)]
pub(super) enum Means {
    /// The same as this key of ours.
    Key(&'static str),
    /// This key of ours, which has 0 for none; there everything below is none, too.
    Limit(&'static str),
    /// This key of ours, in a unit that is so many times smaller.
    Times(&'static str, i64),
    /// This key of ours, each of their words translated.
    Word(&'static str, &'static [(&'static str, &'static str)]),
    /// Part of a key of ours that is put together.
    Part,
    /// Nothing, for this reason.
    Nothing(&'static str),
}

use Means::{Key, Limit, Nothing, Part, Times, Word};

const METHODS: &[(&str, &str)] = &[
    ("", "none"),
    ("none", "none"),
    ("password", "password"),
    ("sql", "sql"),
];

const LOG: &str = "lines go to standard error, and log.level says which";
const NETWORK: &str = "servers are not linked";

/// Its keys, and what stands for each here.
pub(super) const NAMES: &[(&str, Means)] = &[
    ("server/name", Key("cockatrice.name")),
    ("server/id", Key("cockatrice.server_id")),
    ("server/host", Part),
    ("server/port", Part),
    ("server/number_pools", Part),
    ("server/websocket_host", Part),
    ("server/websocket_port", Part),
    ("server/websocket_number_pools", Part),
    (
        "server/web_socket_ip_header",
        Key("cockatrice.websocket_ip_header"),
    ),
    ("server/statusupdate", Limit("cockatrice.status_update_ms")),
    ("server/writelog", Nothing(LOG)),
    ("server/logfile", Nothing(LOG)),
    ("server/logfilters", Nothing(LOG)),
    ("server/clientkeepalive", Times("cockatrice.tick_ms", 1_000)),
    (
        "server/max_player_inactivity_time",
        Key("cockatrice.inactivity_ticks"),
    ),
    ("server/idleclienttimeout", Limit("cockatrice.idle_ticks")),
    (
        "server/requireclientid",
        Key("cockatrice.require_client_id"),
    ),
    (
        "server/requiredfeatures",
        Key("cockatrice.required_features"),
    ),
    (
        "server/officialwarnings",
        Key("cockatrice.official_warnings"),
    ),
    ("server/trusted_sources", Key("cockatrice.trusted_sources")),
    ("authentication/method", Word("cockatrice.auth", METHODS)),
    ("authentication/password", Key("cockatrice.password")),
    ("authentication/regonly", Key("cockatrice.registered_only")),
    ("users/minnamelength", Key("cockatrice.name_min_length")),
    ("users/maxnamelength", Key("cockatrice.name_max_length")),
    ("users/allowlowercase", Key("cockatrice.name_lowercase")),
    ("users/allowuppercase", Key("cockatrice.name_uppercase")),
    ("users/allownumerics", Key("cockatrice.name_digits")),
    (
        "users/allowedpunctuation",
        Key("cockatrice.name_punctuation"),
    ),
    (
        "users/allowpunctuationprefix",
        Key("cockatrice.name_punctuation_prefix"),
    ),
    (
        "users/disallowedwords",
        Key("cockatrice.name_disallowed_words"),
    ),
    (
        "users/disallowedregexp",
        Key("cockatrice.name_disallowed_expressions"),
    ),
    (
        "users/displaydisallowedwords",
        Key("cockatrice.name_displayed_words"),
    ),
    (
        "users/minpasswordlength",
        Key("cockatrice.min_password_length"),
    ),
    ("registration/enabled", Key("cockatrice.registration")),
    (
        "registration/requireemail",
        Key("cockatrice.registration_email"),
    ),
    (
        "registration/requireemailactivation",
        Key("cockatrice.registration_activation"),
    ),
    (
        "registration/maxaccountsperemail",
        Limit("cockatrice.accounts_per_email"),
    ),
    (
        "registration/emailproviderblacklist",
        Key("cockatrice.email_denied_providers"),
    ),
    (
        "registration/emailproviderwhitelist",
        Key("cockatrice.email_allowed_providers"),
    ),
    ("forgotpassword/enable", Key("cockatrice.password_recovery")),
    (
        "forgotpassword/tokenlife",
        Times("cockatrice.password_recovery_s", 60),
    ),
    (
        "forgotpassword/enablechallenge",
        Key("cockatrice.password_recovery_challenge"),
    ),
    (
        "forgotpassword/subject",
        Key("cockatrice.password_recovery_subject"),
    ),
    (
        "forgotpassword/body",
        Key("cockatrice.password_recovery_text"),
    ),
    ("smtp/enableinternalsmtpclient", Part),
    ("smtp/connection", Part),
    ("smtp/host", Part),
    ("smtp/port", Part),
    ("smtp/username", Part),
    ("smtp/password", Part),
    ("smtp/email", Part),
    ("smtp/name", Part),
    ("smtp/subject", Key("cockatrice.activation_subject")),
    ("smtp/body", Key("cockatrice.activation_text")),
    (
        "smtp/acceptallcerts",
        Key("cockatrice.smtp_accept_all_certificates"),
    ),
    ("database/type", Part),
    ("database/prefix", Part),
    ("database/hostname", Part),
    ("database/database", Part),
    ("database/user", Part),
    ("database/password", Part),
    ("rooms/method", Part),
    ("rooms/roomlist/size", Part),
    ("rooms/roomlist/#/name", Part),
    ("rooms/roomlist/#/description", Part),
    ("rooms/roomlist/#/permissionlevel", Part),
    ("rooms/roomlist/#/privilegelevel", Part),
    ("rooms/roomlist/#/autojoin", Part),
    ("rooms/roomlist/#/joinmessage", Part),
    ("rooms/roomlist/#/chathistorysize", Part),
    ("rooms/roomlist/#/game_types/size", Part),
    ("rooms/roomlist/#/game_types/#/name", Part),
    (
        "game/max_game_inactivity_time",
        Limit("cockatrice.game_inactivity_s"),
    ),
    ("game/store_replays", Key("cockatrice.store_replays")),
    (
        "game/allow_create_as_judge",
        Key("cockatrice.allow_create_as_judge"),
    ),
    ("security/enable_max_user_limit", Part),
    ("security/max_users_total", Part),
    ("security/max_users_tcp", Part),
    ("security/max_users_websocket", Part),
    (
        "security/max_users_per_address",
        Limit("cockatrice.connections_per_address"),
    ),
    ("security/trusted_sources", Part),
    (
        "security/message_counting_interval",
        Limit("cockatrice.chat_interval_s"),
    ),
    (
        "security/max_message_size_per_interval",
        Key("cockatrice.chat_bytes"),
    ),
    (
        "security/max_message_count_per_interval",
        Key("cockatrice.chat_messages"),
    ),
    (
        "security/max_games_per_user",
        Key("cockatrice.games_per_user"),
    ),
    (
        "security/command_counting_interval",
        Limit("cockatrice.game_command_interval_s"),
    ),
    (
        "security/max_command_count_per_interval",
        Key("cockatrice.game_commands"),
    ),
    (
        "reporting/max_reports_per_day",
        Limit("cockatrice.reports_per_day"),
    ),
    (
        "reporting/max_comments_per_hour",
        Limit("cockatrice.report_comments_per_hour"),
    ),
    ("logging/enablelogquery", Key("cockatrice.log_query")),
    (
        "logging/log_user_msg_room",
        Key("cockatrice.log_room_messages"),
    ),
    (
        "logging/log_user_msg_game",
        Key("cockatrice.log_game_messages"),
    ),
    (
        "logging/log_user_msg_chat",
        Key("cockatrice.log_private_messages"),
    ),
    ("logging/log_user_msg_isl", Nothing(NETWORK)),
    ("audit/enable_audit", Key("cockatrice.audit")),
    (
        "audit/enable_registration_audit",
        Key("cockatrice.audit_registration"),
    ),
    (
        "audit/enable_forgotpassword_audit",
        Key("cockatrice.audit_recovery"),
    ),
    ("servernetwork/active", Nothing(NETWORK)),
    ("servernetwork/port", Nothing(NETWORK)),
    ("servernetwork/ssl_cert", Nothing(NETWORK)),
    ("servernetwork/ssl_key", Nothing(NETWORK)),
];

/// A key with the numbers of arrays' entries as `#`.
fn general(key: &str) -> String {
    let is_number = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    let parts = key.split('/');
    let parts: Vec<&str> = parts
        .map(|part| if is_number(part) { "#" } else { part })
        .collect();
    parts.join("/")
}

/// The row of a key, if that server knows it.
pub(super) fn row(key: &str) -> Option<(&'static str, Means)> {
    let general = general(key);
    let row = NAMES.iter().find(|(name, _)| *name == general);
    row.copied()
}
