//! What everybody is told of a game (spec: faf-messages 5.5).

use bytes::Bytes;

use crate::faf::{
    game::state::{Game, GameState},
    model::{limits, options::OptionValue, time::iso8601},
    protocol::{
        game_info::{GameInfo, SimMods, Team, TeamIds, Teams},
        message,
    },
};

impl Game {
    /// The single form of `game_info` (spec: faf-messages 5.5); `closed`: pretending that it is over. Without its mods and teams
    /// if these are such that lists with it would be too long for clients.
    pub(in crate::faf) fn body(&self, closed: bool) -> Bytes {
        let whole = self.encoded(closed, self.teams(), &self.sim_mods);
        if whole.len() <= limits::GAME_BYTES {
            return whole;
        }
        self.encoded(closed, Vec::new(), &[])
    }

    fn encoded(&self, closed: bool, teams: Vec<Team<'_>>, mods: &[(String, String)]) -> Bytes {
        let hosted_at = self.hosted_at.map(iso8601);
        let connected = |id: &u32| self.members.iter().any(|m| m.seat.player_id == *id);
        message::encode(&GameInfo {
            visibility: if self.creation.friends_only {
                "friends"
            } else {
                "public"
            },
            password_protected: self.creation.password.is_some(),
            uid: self.uid,
            title: &self.creation.title,
            state: match self.state {
                _ if closed => "closed",
                GameState::Lobby => "open",
                GameState::Live => "playing",
                GameState::Initializing | GameState::Ended => "closed",
            },
            game_type: self.game_type.name(),
            featured_mod: &self.creation.featured_mod,
            sim_mods: SimMods(mods),
            mapname: &self.creation.folder,
            map_file_path: &format!("maps/{}.zip", self.creation.folder),
            host: &self.host_login,
            num_players: self.configured.iter().filter(|id| connected(id)).count(),
            max_players: self.max_players,
            hosted_at: hosted_at.as_deref(),
            launched_at: self.launched_at.map(|at| at.as_secs_f64()),
            rating_type: &self.rating_type,
            rating_min: self.creation.rating_min,
            rating_max: self.creation.rating_max,
            enforce_rating_range: self.creation.enforce_rating_range,
            teams_ids: teams
                .iter()
                .map(|team| TeamIds {
                    team_id: team.value,
                    player_ids: team.players.iter().map(|p| p.0).collect(),
                })
                .collect(),
            teams: Teams(&teams),
        })
    }

    /// Teams in ascending order, with those of their players who are still connected.
    fn teams(&self) -> Vec<Team<'_>> {
        let mut teams: Vec<Team<'_>> = Vec::new();
        for (id, login) in self.players() {
            let Some(value) = self
                .player_option(id, "Team")
                .filter(|v| **v != OptionValue::Null)
            else {
                continue;
            };
            let at = teams
                .iter()
                .position(|team| team.value == value)
                .unwrap_or_else(|| {
                    teams.push(Team {
                        value,
                        players: Vec::new(),
                    });
                    teams.len() - 1
                });
            if self.members.iter().any(|m| m.seat.player_id == id) {
                teams[at].players.push((id, login));
            }
        }
        teams.sort_by_cached_key(|team| {
            (team.value.integer().unwrap_or(i64::MAX), team.value.key())
        });
        teams
    }
}
