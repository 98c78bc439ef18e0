//! What players want of the matchmaker (spec: faf-messages 3.10, 3.11).

use crate::faf::{
    model::{factions::Faction, limits},
    protocol::{
        incoming::{
            Incoming,
            fields::{self, cut, optional_text},
        },
        request::{Outcome, Refusal},
    },
    rules::matchmaking::Veto,
};
use wire::json::Value;

/// The queue of requests that name none.
const DEFAULT_QUEUE: &str = "ladder1v1";

/// `game_matchmaking` (spec: faf-messages 3.10).
#[derive(Debug)]
pub(in crate::faf) struct GameMatchmaking<'d> {
    pub state: SearchState,
    /// Technical name of the queue.
    pub queue_name: &'d str,
    /// What is wrong with it counts only if the search may begin.
    pub faction: Option<Outcome<Faction>>,
}

/// What is to become of a search.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::faf) enum SearchState {
    /// It begins.
    Start,
    /// It ends.
    Stop,
    /// Any other word: it is checked whether it might begin, and nothing else.
    Other,
}

impl<'d> Incoming<'d> for GameMatchmaking<'d> {
    fn read(message: Value<'d>) -> Outcome<Self> {
        let state = match message.get("state").ok_or(Refusal::Garbage)?.as_str() {
            Some("start") => SearchState::Start,
            Some("stop") => SearchState::Stop,
            _ => SearchState::Other,
        };
        let queue_name = optional_text(message, "queue_name")?;
        let alias = optional_text(message, "mod")?;
        let faction = message.get("faction").filter(|value| !value.is_null());
        Ok(GameMatchmaking {
            state,
            queue_name: cut(
                queue_name.or(alias).unwrap_or(DEFAULT_QUEUE),
                limits::FIELD_BYTES,
            ),
            faction: faction.map(fields::faction),
        })
    }
}

/// `set_player_vetoes` (spec: faf-messages 3.11).
#[derive(Debug)]
pub(in crate::faf) struct SetPlayerVetoes {
    pub vetoes: Vec<Veto>,
}

impl Incoming<'_> for SetPlayerVetoes {
    fn read(message: Value<'_>) -> Outcome<Self> {
        let vetoes = vetoes(message).ok_or(Refusal::client("invalid veto data"))?;
        Ok(SetPlayerVetoes { vetoes })
    }
}

/// `None` if anything about the list is wrong.
fn vetoes(message: Value<'_>) -> Option<Vec<Veto>> {
    let list = message.get("vetoes").filter(|list| list.is_array())?;
    if list.elements().count() > limits::VETOES {
        return None;
    }
    let veto = |element: Value<'_>| {
        let number = |key: &str| element.get(key)?.as_i64();
        let veto = Veto {
            map_pool_map_version_id: number("map_pool_map_version_id")?,
            veto_tokens_applied: number("veto_tokens_applied")?,
            matchmaker_queue_map_pool_id: number("matchmaker_queue_map_pool_id")?,
        };
        (veto.veto_tokens_applied >= 0).then_some(veto)
    };
    list.elements().map(veto).collect()
}
