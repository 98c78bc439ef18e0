//! What an operator may choose about the FAF lobby.
//!
//! Settings are shared by all shards; new ones come as [`News::Settings`](crate::faf::news::News::Settings).

use std::time::Duration;

use crate::faf::{
    model::{game::GameType, ratings::Rating},
    rules::matchmaking::MatchmakingSettings,
};

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

impl Settings {
    /// Time for a game of this type to open, and for a player's to come up.
    pub(in crate::faf) fn setup_time(&self, game_type: GameType) -> Duration {
        match game_type {
            GameType::Custom => self.custom_setup,
            GameType::Coop => self.coop_setup,
            GameType::Matchmaker => self.matchmaking.setup,
        }
    }
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
