//! What players are told about queues, searches and matches (spec: faf-messages 5.9–5.13, 5.15).

use bytes::Bytes;
use serde::Serialize;

use crate::{
    Event,
    faf::{protocol::message::encode, rules::matchmaking::vetoes::Veto},
};

/// What a newcomer to the matchmaker reads (spec: faf-matchmaking 4.2).
pub(in crate::faf) const WELCOME: &str = "<i>Welcome to the matchmaker</i><br><br><b>The matchmaking system needs to calibrate \
    your skill level; your first few games may be more imbalanced as the system attempts to learn your capability as a \
    player.</b><br><b>Afterwards, you'll be more reliably matched up with people of your skill level: so don't worry if \
    your first few games are uneven. This will improve as you play!</b>";

/// Routing key of the queues of a tick, the same text as the broadcast.
const MATCHMAKER_INFO: &str = "broadcast.matchmakerInfo.update";

/// One queue in `matchmaker_info`.
#[derive(Debug, Serialize)]
pub(in crate::faf) struct QueueEntry<'a> {
    /// Its name.
    pub queue_name: &'a str,
    /// When it pops next, ISO 8601.
    pub queue_pop_time: String,
    /// How many seconds that is from now.
    pub queue_pop_time_delta: f64,
    /// Players in all its searches.
    pub num_players: usize,
    /// Ratings around each search, near …
    pub boundary_80s: Vec<(i64, i64)>,
    /// … and nearer.
    pub boundary_75s: Vec<(i64, i64)>,
    /// Players in a team.
    pub team_size: u32,
}

#[derive(Serialize)]
#[serde(tag = "command", rename = "matchmaker_info")]
struct MatchmakerInfo<'a> {
    queues: &'a [QueueEntry<'a>],
}

/// `matchmaker_info`.
pub(in crate::faf) fn matchmaker_info(queues: &[QueueEntry<'_>]) -> Bytes {
    encode(&MatchmakerInfo { queues })
}

/// The broadcast of a tick as an event (spec: faf-lifecycle 12.2).
pub(in crate::faf) fn matchmaker_event(body: Bytes) -> Event {
    Event::transient(MATCHMAKER_INFO, body)
}

#[derive(Serialize)]
#[serde(tag = "command", rename = "search_info")]
struct SearchInfo<'a> {
    queue_name: &'a str,
    state: &'a str,
}

/// `search_info`: a search begins or ends.
pub(in crate::faf) fn search_info(queue_name: &str, begins: bool) -> Bytes {
    let state = if begins { "start" } else { "stop" };
    encode(&SearchInfo { queue_name, state })
}

/// A member of a party that may not search, in `search_timeout`.
#[derive(Serialize)]
pub(in crate::faf) struct TimedOut {
    /// Account id of the player (`login.id`).
    pub player: u32,
    /// When the ban ends, as ISO 8601.
    pub expires_at: String,
}

#[derive(Serialize)]
#[serde(tag = "command", rename = "search_timeout")]
struct SearchTimeout<'a> {
    timeouts: &'a [TimedOut],
}

/// `search_timeout`.
pub(in crate::faf) fn search_timeout(timeouts: &[TimedOut]) -> Bytes {
    encode(&SearchTimeout { timeouts })
}

#[derive(Serialize)]
#[serde(tag = "command", rename = "search_violation")]
struct SearchViolation<'a> {
    count: u32,
    time: &'a str,
}

/// `search_violation`.
pub(in crate::faf) fn search_violation(count: u32, time: &str) -> Bytes {
    encode(&SearchViolation { count, time })
}

#[derive(Serialize)]
#[serde(tag = "command", rename = "match_found")]
struct MatchFound<'a> {
    queue_name: &'a str,
}

/// `match_found`.
pub(in crate::faf) fn match_found(queue_name: &str) -> Bytes {
    encode(&MatchFound { queue_name })
}

#[derive(Serialize)]
#[serde(tag = "command", rename = "match_cancelled")]
struct MatchCancelled {
    game_id: Option<u32>,
}

/// `match_cancelled`.
pub(in crate::faf) fn match_cancelled(game_id: Option<u32>) -> Bytes {
    encode(&MatchCancelled { game_id })
}

#[derive(Serialize)]
#[serde(tag = "command", rename = "vetoes_info")]
struct VetoesInfo<'a> {
    forced: bool,
    vetoes: &'a [Veto],
}

/// `vetoes_info`.
pub(in crate::faf) fn vetoes_info(forced: bool, vetoes: &[Veto]) -> Bytes {
    encode(&VetoesInfo { forced, vetoes })
}
