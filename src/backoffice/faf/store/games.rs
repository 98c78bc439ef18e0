//! What games leave in the store: rows at launch, while they are played, and at their end (spec: faf-database 4.4).
//!
//! Everything here may be done twice: a record is sent again when its acknowledgement was lost.

use std::time::Duration;

use lobby::faf::ledger::Launch;
use lobby::faf::reference::Reference;
use lobby::faf::results::Score;
use lobby::faf::validity::Validity;
use sqlx::AssertSqlSafe;

use super::Store;
use super::ratings::{StoredRatings, marks, read_ratings};
use crate::store::{Pool, StoreError, begin, is_deadlock, on_either, time};
use crate::unix_now;

/// Pauses before a statement that lost a deadlock is tried again (spec: faf-ratings-results 5).
const DEADLOCK_PAUSES: [Duration; 2] = [Duration::from_millis(300), Duration::from_millis(600)];

/// Victory conditions by the number that schemas before N#1040 store; what they don't know is the first.
const VICTORY_NUMBERS: [&str; 4] = ["DEMORALIZATION", "DOMINATION", "ERADICATION", "SANDBOX"];

impl Store {
    /// Adds a launched game with its players and counts its mods, all or nothing. Gives its validity: that of the row if
    /// it was there already. `None`: the featured mod is unknown, and there is no row.
    ///
    /// # Errors
    /// [`StoreError`]; `Failed` also if the number belongs to a game of somebody else.
    pub async fn add_game(
        &self,
        uid: u32,
        launch: &Launch,
        map_id: Option<u32>,
        validity: Validity,
        reference: &Reference,
    ) -> Result<Option<Validity>, StoreError> {
        const KNOWN: &str =
            "SELECT CAST(host AS SIGNED), CAST(validity AS SIGNED) FROM game_stats WHERE id = ?";
        const FEATURED: &str = "SELECT CAST(id AS SIGNED) FROM game_featuredMods WHERE gamemod = ?";
        const GAME: &str = "INSERT INTO game_stats (id, startTime, gameType, gameMod, host, mapId, gameName, validity) \
             VALUES (?, ?, ?, ?, ?, ?, ?, ?)";
        const QUEUE: &str =
            "INSERT INTO matchmaker_queue_game (matchmaker_queue_id, game_stats_id) VALUES (?, ?)";
        const PLAYER: &str = "INSERT INTO game_player_stats \
             (gameId, playerId, AI, faction, color, team, place, mean, deviation, score) VALUES (?, ?, 0, ?, ?, ?, ?, ?, ?, 0)";
        let (id, host) = (i64::from(uid), i64::from(launch.host_id));
        let players: Vec<u32> = launch
            .players
            .iter()
            .map(|player| player.player_id)
            .collect();
        let known = self.database.call("add game", async {
            let game_type = self.victory(&launch.victory).await?;
            on_either!(self.database.records, pool => {
                let mut transaction = begin(pool, self.database.begin()).await?;
                let row: Option<(i64, i64)> = sqlx::query_as(KNOWN).bind(id).fetch_optional(&mut *transaction).await?;
                if let Some(row) = row {
                    return Ok(Some(row));
                }
                let featured: Option<i64> = sqlx::query_scalar(FEATURED).bind(&*launch.featured_mod)
                    .fetch_optional(&mut *transaction).await?;
                let Some(featured) = featured else {
                    return Ok(None);
                };
                sqlx::query(GAME).bind(id).bind(time::format(launch.at)).bind(game_type).bind(featured).bind(host)
                    .bind(map_id.map(i64::from)).bind(&*launch.name).bind(i64::from(validity.number()))
                    .execute(&mut *transaction).await?;
                if let Some(queue) = launch.queue_id {
                    sqlx::query(QUEUE).bind(i64::from(queue)).bind(id).execute(&mut *transaction).await?;
                }
                let ratings: StoredRatings = read_ratings!(transaction, &players);
                for player in &launch.players {
                    let rating = reference.standing(&launch.rating_type, launch.start_rating, |board| {
                        ratings.of(player.player_id, board)
                    }).rating;
                    sqlx::query(PLAYER).bind(id).bind(i64::from(player.player_id)).bind(i64::from(player.faction))
                        .bind(i64::from(player.color)).bind(i64::from(player.team)).bind(i64::from(player.place))
                        .bind(rating.mean).bind(rating.deviation).execute(&mut *transaction).await?;
                }
                if !launch.sim_mods.is_empty() {
                    let sql = format!("UPDATE mod_stats SET times_played = times_played + 1 WHERE mod_id IN \
                         (SELECT mod_id FROM mod_version WHERE uid IN ({}))", marks(launch.sim_mods.len()));
                    let query = sqlx::query(AssertSqlSafe(sql.as_str())).persistent(false);
                    launch.sim_mods.iter().fold(query, |query, uid| query.bind(uid.as_str()))
                        .execute(&mut *transaction).await?;
                }
                transaction.commit().await?;
                Ok(Some((host, i64::from(validity.number()))))
            })
        });
        match known.await? {
            Some((theirs, _)) if theirs != host => {
                Err(StoreError::Unfit("the number is another game's"))
            }
            Some((_, number)) => Ok(Some(Validity::from_number(number).unwrap_or(validity))),
            None => Ok(None),
        }
    }

    /// The victory condition as this revision of the schema stores it.
    async fn victory(&self, name: &str) -> sqlx::Result<String> {
        const COLUMN: &str = "SELECT CAST(COLUMN_TYPE AS CHAR) FROM information_schema.COLUMNS \
             WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = 'game_stats' AND COLUMN_NAME = 'gameType'";
        let probe = async || -> sqlx::Result<bool> {
            let Pool::MySql(pool) = &self.database.records else {
                return Ok(true);
            };
            let column: Option<String> = sqlx::query_scalar(COLUMN).fetch_optional(pool).await?;
            Ok(column.is_none_or(|column| column.contains(VICTORY_NUMBERS[0])))
        };
        if *self.has_victory_names.get_or_try_init(probe).await? {
            return Ok(name.to_owned());
        }
        let number = VICTORY_NUMBERS
            .iter()
            .position(|known| *known == name)
            .unwrap_or(0);
        Ok(number.to_string())
    }

    /// Adds a player's first desync report (N#1106).
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn add_desync(
        &self,
        uid: u32,
        player_id: u32,
        game_time_s: Option<i64>,
    ) -> Result<(), StoreError> {
        const SQL: &str = "INSERT INTO game_desync (game_id, player_id, game_time) \
             SELECT ?, ?, ? FROM (SELECT 1) one \
             WHERE NOT EXISTS (SELECT 1 FROM game_desync WHERE game_id = ? AND player_id = ?)";
        let (game, player) = (i64::from(uid), i64::from(player_id));
        self.database.call("add desync", async {
            on_either!(self.database.records, pool => {
                let query = sqlx::query(SQL).bind(game).bind(player).bind(game_time_s).bind(game).bind(player);
                query.execute(pool).await.map(|_| ())
            })
        })
        .await
    }

    /// Adds a team kill, unless just this one is there.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn add_teamkill(
        &self,
        uid: u32,
        game_time_s: i64,
        victim: u32,
        killer: u32,
    ) -> Result<(), StoreError> {
        const SQL: &str = "INSERT INTO teamkills (teamkiller, victim, game_id, gametime) \
             SELECT ?, ?, ?, ? FROM (SELECT 1) one WHERE NOT EXISTS \
             (SELECT 1 FROM teamkills WHERE teamkiller = ? AND victim = ? AND game_id = ? AND gametime = ?)";
        let values = [killer.into(), victim.into(), uid.into(), game_time_s];
        self.database.call("add team kill", async {
            on_either!(self.database.records, pool => {
                let query = values.iter().chain(&values).fold(sqlx::query(SQL), |query, value: &i64| query.bind(*value));
                query.execute(pool).await.map(|_| ())
            })
        })
        .await
    }

    /// Adds a completed coop mission, if the map is one and the game has none yet (spec: faf-messages 4.6).
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn add_operation(
        &self,
        uid: u32,
        folder: &str,
        secondary: bool,
        time: &str,
        players: usize,
    ) -> Result<(), StoreError> {
        const SQL: &str = "INSERT INTO coop_leaderboard (mission, gameuid, secondary, time, player_count) \
             SELECT m.id, ?, ?, ?, ? FROM coop_map m WHERE m.filename = ? \
             AND NOT EXISTS (SELECT 1 FROM coop_leaderboard WHERE gameuid = ?)";
        let (game, filename) = (i64::from(uid), format!("maps/{folder}.zip"));
        let players = i64::try_from(players).unwrap_or(i64::MAX);
        self.database.call("add operation", async {
            on_either!(self.database.records, pool => {
                let query = sqlx::query(SQL).bind(game).bind(i64::from(secondary)).bind(time).bind(players)
                    .bind(filename).bind(game);
                query.execute(pool).await.map(|_| ())
            })
        })
        .await
    }

    /// Notes when a game's simulation was over.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn set_end(&self, uid: u32, unix: f64) -> Result<(), StoreError> {
        const SQL: &str = "UPDATE game_stats SET endTime = ? WHERE id = ?";
        self.database
            .call("set end", async {
                on_either!(self.database.records, pool => {
                    let query = sqlx::query(SQL).bind(time::format(unix)).bind(i64::from(uid));
                    query.execute(pool).await.map(|_| ())
                })
            })
            .await
    }

    /// Writes the results of a game, and its validity if that has changed. A deadlock is tried again.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn set_results(
        &self,
        uid: u32,
        validity: Option<Validity>,
        scores: &[Score],
    ) -> Result<(), StoreError> {
        self.database
            .call("set results", async {
                for pause in DEADLOCK_PAUSES {
                    match self.try_set_results(uid, validity, scores).await {
                        Err(error) if is_deadlock(&error) => tokio::time::sleep(pause).await,
                        outcome => return outcome,
                    }
                }
                self.try_set_results(uid, validity, scores).await
            })
            .await
    }

    async fn try_set_results(
        &self,
        uid: u32,
        validity: Option<Validity>,
        scores: &[Score],
    ) -> sqlx::Result<()> {
        const SCORE: &str = "UPDATE game_player_stats SET score = ?, scoreTime = ?, result = ? \
             WHERE gameId = ? AND playerId = ?";
        const VALIDITY: &str = "UPDATE game_stats SET validity = ? WHERE id = ?";
        let now = time::format(unix_now());
        on_either!(self.database.records, pool => {
            let mut transaction = begin(pool, self.database.begin()).await?;
            for score in scores {
                sqlx::query(SCORE).bind(i64::from(score.score)).bind(&now).bind(score.outcome.name())
                    .bind(i64::from(uid)).bind(i64::from(score.player_id)).execute(&mut *transaction).await?;
            }
            if let Some(validity) = validity {
                sqlx::query(VALIDITY).bind(i64::from(validity.number())).bind(i64::from(uid))
                    .execute(&mut *transaction).await?;
            }
            transaction.commit().await
        })
    }
}
