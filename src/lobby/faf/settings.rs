//! What an operator may choose about the FAF lobby, and the limits nobody may pass.
//!
//! Settings are shared by all shards; new ones come as [`News::Settings`](super::news::News::Settings). Limits are constants: each bounds
//! something a stranger could otherwise make grow.

use std::time::Duration;

use super::{matchmaking::MatchmakingSettings, ratings::Rating};

/// Configuration of the dialect (spec: faf-lifecycle 16).
#[derive(Clone, Debug)]
pub struct Settings {
    /// Shown to users of unofficial clients (`WWW_URL`).
    pub www_url: String,
    /// Where players find the mod vault (`CONTENT_URL`).
    pub content_url: String,
    /// Whether `hello` is served (`ALLOW_PASSWORD_LOGIN`).
    pub allow_password_login: bool,
    /// Logins on their way to the back office at once; the others wait their turn.
    pub logins_in_flight: usize,
    /// A connection that has not logged in by then is closed (`LOGIN_TIMEOUT`).
    pub login_timeout: Duration,
    /// Between two pings to everybody (`PING_INTERVAL`).
    pub ping_interval: Duration,
    /// Between two broadcasts of what has changed (`DIRTY_REPORT_INTERVAL`).
    pub tick: Duration,
    /// Time for a custom game to open (spec: faf-lifecycle 10.1).
    pub custom_setup: Duration,
    /// Time for a coop game to open.
    pub coop_setup: Duration,
    /// Queues, searches and matches.
    pub matchmaking: MatchmakingSettings,
    /// Rating of somebody of whom nothing is known (`START_RATING_MEAN`, `START_RATING_DEV`).
    pub start_rating: Rating,
    /// Highest displayed global rating that games of other leaderboards may lift to (`RATING_ADJUSTMENT_MAX_RATING`).
    pub rating_adjustment_max: f64,
    /// Scores, not words, decide a ladder game (`LADDER_1V1_OUTCOME_OVERRIDE`).
    pub ladder_outcome_override: bool,
    /// How long a drain lasts at most; only told to the players here (`SHUTDOWN_GRACE_PERIOD`).
    pub shutdown_grace: Duration,
    /// Whether idle players are sent away while draining (`SHUTDOWN_KICK_IDLE_PLAYERS`).
    pub shutdown_kick_idle: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            www_url: "https://www.faforever.com".into(),
            content_url: "http://content.faforever.com".into(),
            allow_password_login: true,
            logins_in_flight: 256,
            login_timeout: Duration::from_secs(300),
            ping_interval: Duration::from_secs(45),
            tick: Duration::from_secs(1),
            custom_setup: Duration::from_secs(30),
            coop_setup: Duration::from_secs(60),
            matchmaking: MatchmakingSettings::default(),
            start_rating: Rating::START,
            rating_adjustment_max: 1400.0,
            ladder_outcome_override: true,
            shutdown_grace: Duration::from_secs(1800),
            shutdown_kick_idle: false,
        }
    }
}

/// Characters of a game title (spec: faf-messages 3.7: the column's width).
pub(super) const TITLE_CHARS: usize = 128;
/// Bytes of a game password, a mod name and a map folder; clients offer at most a line of text.
pub(super) const FIELD_BYTES: usize = 256;
/// Bytes of a token; real ones are below 2 KiB.
pub(super) const TOKEN_BYTES: usize = 16 << 10;
/// Characters of a user agent that are kept (the column has 50).
pub(super) const USER_AGENT_CHARS: usize = 50;
/// User agents and versions that are told apart in metrics, on one shard: a stranger may call themselves anything.
pub(super) const CLIENT_LABELS: usize = 64;
/// Friends and foes of one player, each.
pub(super) const RELATIONS: usize = 10_000;
/// Options of one game; the game itself knows about 60, mods add some.
pub(super) const GAME_OPTIONS: usize = 256;
/// Players for whom a host may set options; 16 slots, and everyone who passed through.
pub(super) const CONFIGURED_PLAYERS: usize = 128;
/// Options of one player or AI; the game sends about 15.
pub(super) const PLAYER_OPTIONS: usize = 64;
/// AIs of one game: twice the slots.
pub(super) const AIS: usize = 32;
/// Bytes of an option's key and value together.
pub(super) const OPTION_BYTES: usize = 4096;
/// Sim mods of one game.
pub(super) const SIM_MODS: usize = 128;
/// Results one game keeps: what 16 reporters may say.
pub(super) const RESULTS: usize = 16 * RESULTS_OF_ONE;
/// Of these, results in one player's words: 16 armies, some repetitions.
pub(super) const RESULTS_OF_ONE: usize = 64;
/// Bytes of the army statistics of one game; a full game has about 100 KiB.
pub(super) const STATS_BYTES: usize = 1 << 20;
/// Reports of army statistics one game keeps, in case the newest can't be read. Together they keep to the limit above.
pub(super) const STATS_KEPT: usize = 4;
/// Reports of team kills one game keeps.
pub(super) const TEAMKILLS: usize = 64;
/// Connections in one game, those still setting up included; 16 slots and spectators.
pub(super) const SEATS: usize = 64;
/// Bytes of an avatar's address; the column of its file name has 212.
pub(super) const URL_BYTES: usize = 512;
/// Bytes of an administrator's message to everybody: it goes to each of thousands.
pub(super) const BROADCAST_BYTES: usize = 16 << 10;
/// Players an administrator may call into a channel at once.
pub(super) const CHANNEL_GUESTS: usize = 10_000;
/// Members of one party. Queues have teams of up to six; a party is also a place to gather.
pub(super) const PARTY_MEMBERS: usize = 64;
/// Invitations of one party that are still open: everybody a busy player meets in a day.
pub(super) const PARTY_INVITATIONS: usize = 256;

/// Vetoes in one request; all pools together have a few hundred maps.
pub(super) const VETOES: usize = 4096;

/// What has happened on one shard since it started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Logins with a password.
    pub logins_password: u64,
    /// Logins with a token.
    pub logins_token: u64,
    /// Logins refused, with a password.
    pub refused_password: u64,
    /// Logins refused, with a token.
    pub refused_token: u64,
    /// Sessions ended by a later login of the same account.
    pub evictions: u64,
    /// Commands before login that closed the connection.
    pub unauthenticated: u64,
    /// Closes after `invalid`.
    pub invalid_closes: u64,
    /// Silent closes for a missing key or a bad value.
    pub garbage_closes: u64,
    /// Refusals by a notice.
    pub client_errors: u64,
    /// Refusals because the server is going down.
    pub disabled: u64,
    /// Failures of the database that a player saw.
    pub store_errors: u64,
    /// Bans that were met.
    pub bans: u64,
    /// Login time-outs.
    pub login_timeouts: u64,
    /// Games created.
    pub games_hosted: u64,
    /// Joins that were let in.
    pub joins: u64,
    /// Joins that were turned away.
    pub join_refusals: u64,
    /// What administrators and moderators did.
    pub admin_actions: u64,
    /// Changes of avatars from outside that could not be looked up.
    pub avatars_missed: u64,
    /// Invitations to parties that were followed.
    pub party_joins: u64,
    /// Searches that began.
    pub searches: u64,
    /// Searches that ended without a match.
    pub searches_cancelled: u64,
    /// Matches that were found.
    pub matches_found: u64,
    /// Matches that were proposed, but somebody in them had stopped searching.
    pub matches_refused: u64,
    /// Matches whose game was launched.
    pub matches_launched: u64,
    /// Matches somebody was too slow for.
    pub matches_timed_out: u64,
    /// Matches somebody left.
    pub matches_aborted: u64,
    /// Matches that failed for another reason.
    pub matches_errored: u64,
    /// Of these, those for which there was no map.
    pub matches_without_map: u64,
    /// Violations of players who let a match fail.
    pub violations: u64,
    /// Game messages without effect: unknown, malformed, from the wrong player.
    pub game_messages_ignored: u64,
    /// Things not kept because a limit was reached.
    pub over_limit: u64,
    /// Batches of records that have to be tried again.
    pub ledger_retries: u64,
    /// Games or game connections that ran out of their set-up time.
    pub setup_timeouts: u64,
}

impl Counters {
    /// Name and value of each.
    pub fn list(&self) -> Vec<(&'static str, u64)> {
        vec![
            ("logins_password", self.logins_password),
            ("logins_token", self.logins_token),
            ("refused_password", self.refused_password),
            ("refused_token", self.refused_token),
            ("evictions", self.evictions),
            ("unauthenticated", self.unauthenticated),
            ("invalid_closes", self.invalid_closes),
            ("garbage_closes", self.garbage_closes),
            ("client_errors", self.client_errors),
            ("disabled", self.disabled),
            ("store_errors", self.store_errors),
            ("bans", self.bans),
            ("login_timeouts", self.login_timeouts),
            ("games_hosted", self.games_hosted),
            ("joins", self.joins),
            ("join_refusals", self.join_refusals),
            ("admin_actions", self.admin_actions),
            ("avatars_missed", self.avatars_missed),
            ("party_joins", self.party_joins),
            ("searches", self.searches),
            ("searches_cancelled", self.searches_cancelled),
            ("matches_found", self.matches_found),
            ("matches_refused", self.matches_refused),
            ("matches_launched", self.matches_launched),
            ("matches_timed_out", self.matches_timed_out),
            ("matches_aborted", self.matches_aborted),
            ("matches_errored", self.matches_errored),
            ("matches_without_map", self.matches_without_map),
            ("violations", self.violations),
            ("game_messages_ignored", self.game_messages_ignored),
            ("over_limit", self.over_limit),
            ("ledger_retries", self.ledger_retries),
            ("setup_timeouts", self.setup_timeouts),
        ]
    }
}
