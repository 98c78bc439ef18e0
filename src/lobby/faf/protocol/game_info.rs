//! A game as everybody is told of it: the single form of `game_info` (spec: faf-messages 5.5).

use bytes::Bytes;
use serde::{Serialize, Serializer, ser::SerializeMap};

use crate::faf::model::options::{OptionValue, wire_value};

/// A team, as a host has set it.
pub(in crate::faf) struct Team<'a> {
    /// As the host has set it.
    pub value: &'a OptionValue,
    /// Those who are connected: id and name.
    pub players: Vec<(u32, &'a str)>,
}

/// `game_info`, its single form.
#[derive(Serialize)]
#[serde(tag = "command", rename = "game_info")]
pub(in crate::faf) struct GameInfo<'a> {
    /// `public` or `friends`.
    pub visibility: &'a str,
    /// Whether it has a password.
    pub password_protected: bool,
    /// Uid of the game.
    pub uid: u32,
    /// Title that the host has chosen.
    pub title: &'a str,
    /// `open`, `playing` or `closed`.
    pub state: &'a str,
    /// `custom`, `coop` or `matchmaker`.
    pub game_type: &'a str,
    /// Technical name of the featured mod.
    pub featured_mod: &'a str,
    /// Sim mods, by uid.
    pub sim_mods: SimMods<'a>,
    /// Folder of the map.
    pub mapname: &'a str,
    /// `maps/….zip`.
    pub map_file_path: &'a str,
    /// The host's name.
    pub host: &'a str,
    /// Configured players who are connected.
    pub num_players: usize,
    /// Slots.
    pub max_players: i64,
    /// When the host opened, as ISO 8601.
    pub hosted_at: Option<&'a str>,
    /// When it was launched, in Unix seconds.
    pub launched_at: Option<f64>,
    /// Technical name of the leaderboard.
    pub rating_type: &'a str,
    /// Displayed rating, from.
    pub rating_min: Option<f64>,
    /// To.
    pub rating_max: Option<f64>,
    /// Whether others don't see it.
    pub enforce_rating_range: bool,
    /// Ids of the players of each team.
    pub teams_ids: Vec<TeamIds<'a>>,
    /// Names of the players of each team.
    pub teams: Teams<'a>,
}

/// Whether a game's `game_info` says that it was launched and is not over.
pub(in crate::faf) fn is_running(text: &[u8]) -> bool {
    around_state(text).is_some_and(|(_, state, _)| state == b"playing")
}

/// A game's `game_info`, changed to that of one that is over.
pub(in crate::faf) fn closed(text: &[u8]) -> Bytes {
    match around_state(text) {
        Some((before, _, after)) => [before, b"closed", after].concat().into(),
        None => Bytes::copy_from_slice(text),
    }
}

/// A game's state, and what stands before and after it.
fn around_state(text: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    const STATE: &[u8] = br#","state":""#; // a quote within a text is escaped
    let at = text.windows(STATE.len()).position(|some| some == STATE)?;
    let (before, rest) = text.split_at(at + STATE.len());
    let end = rest.iter().position(|&byte| byte == b'"')?;
    let (state, after) = rest.split_at(end);
    Some((before, state, after))
}

/// The ids of a team's players.
#[derive(Serialize)]
pub(in crate::faf) struct TeamIds<'a> {
    #[serde(serialize_with = "team_value")]
    /// As the host has set it.
    pub team_id: &'a OptionValue,
    /// Account ids.
    pub player_ids: Vec<u32>,
}

fn team_value<S: Serializer>(value: &&OptionValue, serializer: S) -> Result<S::Ok, S::Error> {
    wire_value(value, serializer)
}

/// The names of each team's players.
pub(in crate::faf) struct Teams<'a>(pub &'a [Team<'a>]);

impl Serialize for Teams<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for team in self.0 {
            let logins: Vec<&str> = team.players.iter().map(|p| p.1).collect();
            map.serialize_entry(&team.value.key(), &logins)?;
        }
        map.end()
    }
}

/// Uid and name of each sim mod.
pub(in crate::faf) struct SimMods<'a>(pub &'a [(String, String)]);

impl Serialize for SimMods<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(uid, name)| (uid, name)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_game_that_is_lost_is_told_of_as_closed() {
        let text = r#"{"command":"game_info","title":"\",\"state\":\"x","state":"open","x":{"state":"open"}}"#;
        let closed = closed(text.as_bytes());
        let expected = text.replacen(r#","state":"open""#, r#","state":"closed""#, 1);
        assert_eq!(closed, expected);
        assert_eq!(super::closed(b"{}"), "{}");
        assert!(!is_running(text.as_bytes()));
        assert!(is_running(text.replace("open", "playing").as_bytes()));
    }
}
