//! Games: their numbers, and what is left of them when they are over (spec: cockatrice-behaviour 12, 16).

use lobby::cockatrice::questions::{NewGame, PlayedGame};

use super::{
    Store, now,
    sql::{On, Statement, values},
};
use crate::store::{StoreError, time};

/// Field `replay_id` of a `GameReplay`, as it is marked.
const REPLAY_ID: u8 = 1 << 3;

impl Store {
    /// The number of a new game.
    pub(in crate::cockatrice) async fn new_game(&self, new: &NewGame) -> Result<u32, StoreError> {
        let text = "INSERT INTO ~games (room_name, descr, creator_name, password, game_types, player_count, time_started) \
             VALUES (?, ?, ?, 0, '', 0, ?)";
        let values = values![&*new.room, &*new.description, &*new.creator, now()];
        let done = self.run(On::Write, "new game", (text, values)).await?;
        u32::try_from(done.id).map_err(|_| StoreError::Unfit("there are no more numbers for games"))
    }

    /// Stores a game that is over, with its replays and who may see them. Gives the replays' ids. The second time nothing
    /// happens.
    pub(in crate::cockatrice) async fn store_game(
        &self,
        played: &PlayedGame,
    ) -> Result<Vec<u32>, StoreError> {
        let ids = self.replay_ids(played.game).await?;
        if !ids.is_empty() || self.is_stored(played.game).await? {
            return Ok(ids);
        }
        let mut statements: Vec<Statement<'_>> = Vec::new();
        for recorded in &played.replays {
            statements.push((
                "INSERT INTO ~replays (id_game, duration, replay) VALUES (?, ?, ?)",
                values![played.game, recorded.duration_s, &*recorded.encoded],
            ));
        }
        for player in &played.players {
            statements.push((
                "INSERT INTO ~games_players (id_game, player_name) VALUES (?, ?)",
                values![played.game, &**player],
            ));
        }
        for member in &played.audience {
            statements.push((
                "INSERT INTO ~replays_access (id_game, id_player, replay_name, do_not_hide) \
                 SELECT ?, id, ?, 0 FROM ~users WHERE name = ?",
                values![played.game, &*played.description, &**member],
            ));
        }
        statements.push((
            "UPDATE ~games SET room_name = ?, descr = ?, creator_name = ?, password = ?, game_types = ?, player_count = ?, \
             time_started = ?, time_finished = ? WHERE id = ?",
            values![
                &*played.room,
                &*played.description,
                &*played.creator,
                played.with_password,
                played.types.join(", "),
                played.max_players,
                time::format(played.started_s as f64),
                time::format(played.finished_s as f64),
                played.game,
            ],
        ));
        self.run_all(On::Records, "store game", statements).await?;
        self.replay_ids(played.game).await
    }

    /// The ids of a game's replays, oldest first.
    async fn replay_ids(&self, game: u32) -> Result<Vec<u32>, StoreError> {
        let text = "SELECT CAST(id AS SIGNED) FROM ~replays WHERE id_game = ? ORDER BY id";
        let rows: Vec<(i64,)> = self
            .rows(On::Records, "replays of a game", (text, values![game]))
            .await?;
        let id = |(id,)| u32::try_from(id).unwrap_or(0);
        Ok(rows.into_iter().map(id).collect())
    }

    async fn is_stored(&self, game: u32) -> Result<bool, StoreError> {
        let text =
            "SELECT CAST(id AS SIGNED) FROM ~games WHERE id = ? AND time_finished IS NOT NULL";
        let row: Option<(i64,)> = self
            .row(On::Records, "is stored", (text, values![game]))
            .await?;
        Ok(row.is_some())
    }
}

/// A stored replay with its id: the fields of a message may stand in any order.
pub(super) fn with_id(id: i64, mut encoded: Vec<u8>) -> Vec<u8> {
    // In base 128.
    let mut left = u64::try_from(id).unwrap_or(0);
    encoded.push(REPLAY_ID);
    while left >= 0x80 {
        encoded.push(left as u8 | 0x80);
        left >>= 7;
    }
    encoded.push(left as u8);
    encoded
}

#[cfg(test)]
mod tests {
    use cockatrice::messages::{GameReplay, decode};

    use super::*;

    #[test]
    fn a_replay_is_told_with_its_id() {
        for id in [0, 5, 127, 128, 300, i64::from(i32::MAX)] {
            let encoded = with_id(id, Vec::new());
            let replay: GameReplay<'_> = decode(&encoded).unwrap();
            assert_eq!(replay.replay_id(), id.unsigned_abs());
        }
    }
}
