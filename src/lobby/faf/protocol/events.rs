//! What the outside is told of: messages for the event broker (spec: faf-lifecycle 12.2).

pub use crate::Event;

use bytes::Bytes;
use serde::{Serialize, Serializer};

use crate::faf::{
    protocol::{
        lists::{game_info, player_info},
        message,
    },
    rules::{
        achievements,
        rated_game::RatingChange,
        results::{Finished, Settlement, TeamResult},
    },
};

/// The players of a tick, the same text as the broadcast.
pub(in crate::faf) const PLAYER_INFO: &str = "broadcast.playerInfo.update";
/// All games of a tick, whoever may see them.
pub(in crate::faf) const GAME_INFO: &str = "broadcast.gameInfo.update";

/// The results of a game.
const GAME_RESULTS: &str = "success.gameResults.create";
/// A rating that has changed.
const RATING_UPDATE: &str = "success.rating.update";

/// The routing key of an event that must not be lost, from its text; `None` if it is of none.
pub fn kept_key(text: &str) -> Option<&'static str> {
    let keys = [
        GAME_RESULTS,
        RATING_UPDATE,
        achievements::ACHIEVEMENT_UPDATE,
        achievements::EVENT_UPDATE,
    ];
    keys.into_iter().find(|key| *key == text)
}

#[derive(Serialize)]
struct GameResults<'a> {
    game_id: u32,
    rating_type: &'a str,
    map_id: Option<u32>,
    featured_mod: &'a str,
    sim_mod_ids: &'a [String],
    #[serde(serialize_with = "pairs")]
    commander_kills: Vec<(String, i64)>,
    validity: &'static str,
    teams: &'a [TeamResult],
}

fn pairs<S: Serializer>(pairs: &[(String, i64)], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map(pairs.iter().map(|(key, value)| (key, value)))
}

/// What the outside is told of a settled game, if it is told at all (spec: faf-ratings-results 5, item 7).
pub fn game_results(
    game: &Finished,
    settlement: &Settlement,
    map_id: Option<u32>,
) -> Option<Event> {
    let body = GameResults {
        game_id: game.uid,
        rating_type: &game.rating_type,
        map_id,
        featured_mod: &game.featured_mod,
        sim_mod_ids: &game.sim_mods,
        commander_kills: achievements::commander_kills(&game.stats),
        validity: settlement.validity.name(),
        teams: settlement.teams.as_deref()?,
    };
    Some(Event::persistent(GAME_RESULTS, message::encode(&body)))
}

#[derive(Serialize)]
struct RatingUpdate<'a> {
    game_id: u32,
    player_id: u32,
    rating_type: &'a str,
    new_rating_mean: f64,
    new_rating_deviation: f64,
    old_rating_mean: f64,
    old_rating_deviation: f64,
    outcome: &'static str,
}

/// A player's new rating (spec: faf-ratings-results 8, item 5).
pub fn rating_update(change: &RatingChange) -> Event {
    let body = RatingUpdate {
        game_id: change.game_id,
        player_id: change.player_id,
        rating_type: &change.rating_type,
        new_rating_mean: change.new.mean,
        new_rating_deviation: change.new.deviation,
        old_rating_mean: change.old.mean,
        old_rating_deviation: change.old.deviation,
        outcome: change.outcome.name(),
    };
    Event::persistent(RATING_UPDATE, message::encode(&body))
}

/// `player_info` of a tick as an event, with these players' objects.
pub(in crate::faf) fn players<'a>(texts: impl Iterator<Item = &'a Bytes>) -> Event {
    Event::transient(PLAYER_INFO, player_info(texts))
}

/// All changed games of a tick in one message.
pub(in crate::faf) fn games<'a>(texts: impl Iterator<Item = &'a Bytes>) -> Event {
    Event::transient(GAME_INFO, game_info(texts))
}
