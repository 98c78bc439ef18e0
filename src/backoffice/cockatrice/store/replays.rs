//! Replays and who may see them (spec: cockatrice-behaviour 12, 18.6).

use super::{
    Store, ago,
    games::with_id,
    seconds,
    sql::{On, values},
};
use crate::store::StoreError;

/// How long a game is listed: seven days (spec: cockatrice-behaviour 12).
const LISTED_S: f64 = 7.0 * 86_400.0;
/// Replays whose beginnings make a game's code.
const IN_CODE: i64 = 3;

/// A game that somebody may see.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::cockatrice) struct Match {
    pub(in crate::cockatrice) game: i64,
    pub(in crate::cockatrice) room: String,
    pub(in crate::cockatrice) name: String,
    pub(in crate::cockatrice) started_s: u64,
    pub(in crate::cockatrice) finished_s: u64,
    pub(in crate::cockatrice) do_not_hide: bool,
    /// What they see the replays as.
    pub(in crate::cockatrice) replay_name: String,
    pub(in crate::cockatrice) players: Vec<String>,
    /// Id and seconds.
    pub(in crate::cockatrice) replays: Vec<(i64, u32)>,
}

impl Store {
    /// The games that somebody may see.
    pub(in crate::cockatrice) async fn matches(
        &self,
        viewer: u32,
    ) -> Result<Vec<Match>, StoreError> {
        type Row = (i64, Text, Text, Text, Text, i64, Text);
        type Text = Option<String>;
        let text = "SELECT CAST(g.id AS SIGNED), g.room_name, g.descr, CAST(g.time_started AS CHAR), \
             CAST(g.time_finished AS CHAR), CAST(MAX(a.do_not_hide) AS SIGNED), MAX(a.replay_name) FROM ~replays_access a \
             JOIN ~games g ON g.id = a.id_game WHERE a.id_player = ? AND (g.time_started > ? OR a.do_not_hide = 1) \
             GROUP BY g.id, g.room_name, g.descr, g.time_started, g.time_finished ORDER BY g.id";
        let rows: Vec<Row> = self
            .rows(On::Read, "matches", (text, values![viewer, ago(LISTED_S)]))
            .await?;
        let mut matches = Vec::with_capacity(rows.len());
        for (game, room, name, started, finished, do_not_hide, replay_name) in rows {
            matches.push(Match {
                game,
                room: room.unwrap_or_default(),
                name: name.unwrap_or_default(),
                started_s: seconds(started.as_deref()),
                finished_s: seconds(finished.as_deref()),
                do_not_hide: do_not_hide != 0,
                replay_name: replay_name.unwrap_or_default(),
                players: self.players_of(game).await?,
                replays: self.replays_of(game).await?,
            });
        }
        Ok(matches)
    }

    async fn players_of(&self, game: i64) -> Result<Vec<String>, StoreError> {
        let text = "SELECT player_name FROM ~games_players WHERE id_game = ? ORDER BY player_name";
        let rows: Vec<(String,)> = self
            .rows(On::Read, "players", (text, values![game]))
            .await?;
        Ok(rows.into_iter().map(|(name,)| name).collect())
    }

    async fn replays_of(&self, game: i64) -> Result<Vec<(i64, u32)>, StoreError> {
        let text = "SELECT CAST(id AS SIGNED), CAST(duration AS SIGNED) FROM ~replays WHERE id_game = ? ORDER BY id";
        let rows: Vec<(i64, i64)> = self
            .rows(On::Read, "replays", (text, values![game]))
            .await?;
        let replay = |(id, seconds)| (id, u32::try_from(seconds).unwrap_or(0));
        Ok(rows.into_iter().map(replay).collect())
    }

    /// A replay, if they may see it.
    pub(in crate::cockatrice) async fn replay(
        &self,
        viewer: u32,
        id: i32,
    ) -> Result<Option<Vec<u8>>, StoreError> {
        let text = "SELECT replay FROM ~replays WHERE id = ? AND id_game IN (SELECT id_game FROM ~replays_access \
             WHERE id_player = ?)";
        let row: Option<(Option<Vec<u8>>,)> = self
            .row(On::Read, "replay", (text, values![id, viewer]))
            .await?;
        Ok(row.map(|(encoded,)| with_id(id.into(), encoded.unwrap_or_default())))
    }

    /// The newest replay of a game, and its id.
    pub(in crate::cockatrice) async fn newest_replay(
        &self,
        game: i32,
    ) -> Result<Option<(i64, Vec<u8>)>, StoreError> {
        let text = "SELECT CAST(id AS SIGNED), replay FROM ~replays WHERE id_game = ? ORDER BY id DESC LIMIT 1";
        let row: Option<(i64, Option<Vec<u8>>)> = self
            .row(On::Read, "newest replay", (text, values![game]))
            .await?;
        Ok(row.map(|(id, encoded)| (id, with_id(id, encoded.unwrap_or_default()))))
    }

    /// Whether they may see a game.
    pub(in crate::cockatrice) async fn may_see(
        &self,
        viewer: u32,
        game: i32,
    ) -> Result<bool, StoreError> {
        let text = "SELECT COUNT(*) FROM ~replays_access WHERE id_game = ? AND id_player = ?";
        let rows = self.count("may see", (text, values![game, viewer])).await?;
        Ok(rows > 0)
    }

    /// Whether anybody may see a game.
    pub(in crate::cockatrice) async fn is_seen(&self, game: u32) -> Result<bool, StoreError> {
        let text = "SELECT COUNT(*) FROM ~replays_access WHERE id_game = ?";
        Ok(self.count("is seen", (text, values![game])).await? > 0)
    }

    /// Has somebody see a game, under a name.
    pub(in crate::cockatrice) async fn let_see(
        &self,
        viewer: u32,
        game: u32,
        name: &str,
    ) -> Result<(), StoreError> {
        let text = "INSERT INTO ~replays_access (id_game, id_player, replay_name, do_not_hide) VALUES (?, ?, ?, 0)";
        self.run(On::Write, "let see", (text, values![game, viewer, name]))
            .await?;
        Ok(())
    }

    /// Whether a game is never hidden; false: they may not see it, or that is so already.
    pub(in crate::cockatrice) async fn keep_listed(
        &self,
        viewer: u32,
        game: i32,
        do_not_hide: bool,
    ) -> Result<bool, StoreError> {
        let text = "UPDATE ~replays_access SET do_not_hide = ? WHERE id_player = ? AND id_game = ? AND do_not_hide <> ?";
        let done = self
            .run(
                On::Write,
                "keep listed",
                (text, values![do_not_hide, viewer, game, do_not_hide]),
            )
            .await?;
        Ok(done.rows > 0)
    }

    /// They no longer see a game; false: they did not.
    pub(in crate::cockatrice) async fn stop_seeing(
        &self,
        viewer: u32,
        game: i32,
    ) -> Result<bool, StoreError> {
        let text = "DELETE FROM ~replays_access WHERE id_player = ? AND id_game = ?";
        let done = self
            .run(On::Write, "stop seeing", (text, values![viewer, game]))
            .await?;
        Ok(done.rows > 0)
    }

    /// The beginnings of a game's first replays, from which its code is made. A server that goes on with the database makes the
    /// same code of them.
    pub(in crate::cockatrice) async fn beginnings(
        &self,
        game: i32,
    ) -> Result<Vec<Vec<u8>>, StoreError> {
        let text =
            "SELECT SUBSTR(replay, 1, 128) FROM ~replays WHERE id_game = ? ORDER BY id LIMIT ?";
        let rows: Vec<(Option<Vec<u8>>,)> = self
            .rows(On::Read, "beginnings", (text, values![game, IN_CODE]))
            .await?;
        Ok(rows
            .into_iter()
            .map(|(bytes,)| bytes.unwrap_or_default())
            .collect())
    }

    /// What a game was called.
    pub(in crate::cockatrice) async fn game_name(&self, game: i32) -> Result<String, StoreError> {
        let text = "SELECT descr FROM ~games WHERE id = ?";
        let row: Option<(Option<String>,)> =
            self.row(On::Read, "game", (text, values![game])).await?;
        Ok(row.and_then(|(name,)| name).unwrap_or_default())
    }
}
