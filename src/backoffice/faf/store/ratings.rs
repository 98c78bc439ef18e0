//! Rating a game: one transaction that reads every rating of its players and writes what changes (spec:
//! faf-ratings-results 8). The rules are `lobby::faf::rated_game`'s.
//!
//! A game is rated once: the first thing looked at is whether it has been, and then what was written is given again.

use std::collections::HashMap;

use crate::unix_now;
use lobby::faf::rated_game::{RatedGame, RatingChange};
use lobby::faf::ratings;
use lobby::faf::reference::Reference;
use lobby::faf::results::TeamOutcome;
use sqlx::AssertSqlSafe;

use super::Store;
use super::rows::narrow;
use crate::store::{StoreError, begin, on_either, time};

/// What rating a game came to.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Rating {
    /// In the game's own leaderboard, then in the global one.
    pub changes: [Vec<RatingChange>; 2],
    /// Whether they are stored: not if the game's rows are not those of its players.
    pub applied: bool,
}

/// Stored ratings of some players.
#[derive(Debug, Default)]
pub(super) struct StoredRatings(HashMap<u32, Vec<(String, ratings::Rating)>>);

impl StoredRatings {
    pub(super) fn of(&self, player: u32, board: &str) -> Option<ratings::Rating> {
        let (_, rating) = self
            .0
            .get(&player)?
            .iter()
            .find(|(name, _)| name == board)?;
        Some(*rating)
    }

    /// From rows of player, leaderboard, mean and deviation.
    pub(super) fn from_rows(rows: Vec<(i64, String, String, String)>) -> sqlx::Result<Self> {
        let mut all = Self::default();
        for (player, board, mean, deviation) in rows {
            let rating = ratings::Rating {
                mean: number(&mean)?,
                deviation: number(&deviation)?,
            };
            all.0
                .entry(narrow(player)?)
                .or_default()
                .push((board, rating));
        }
        Ok(all)
    }
}

fn number(text: &str) -> sqlx::Result<f64> {
    text.parse()
        .map_err(|error: std::num::ParseFloatError| sqlx::Error::Decode(error.into()))
}

/// So many question marks.
pub(super) fn marks(count: usize) -> String {
    vec!["?"; count].join(", ")
}

/// Every stored rating of these players.
pub(super) fn ratings_sql(players: usize) -> String {
    format!(
        "SELECT CAST(r.login_id AS SIGNED), b.technical_name, CAST(r.mean AS CHAR), CAST(r.deviation AS CHAR) \
         FROM leaderboard_rating r JOIN leaderboard b ON b.id = r.leaderboard_id WHERE r.login_id IN ({})",
        if players == 0 {
            "NULL".to_owned()
        } else {
            marks(players)
        }
    )
}

/// Reads the stored ratings of some players in a transaction of either back end.
macro_rules! read_ratings {
    ($transaction:expr, $players:expr) => {{
        let players: &[u32] = $players;
        let sql = $crate::faf::store::ratings::ratings_sql(players.len());
        let query = sqlx::query_as(AssertSqlSafe(sql.as_str())).persistent(false);
        let query = players
            .iter()
            .fold(query, |query, id| query.bind(i64::from(*id)));
        $crate::faf::store::ratings::StoredRatings::from_rows(
            query.fetch_all(&mut *$transaction).await?,
        )?
    }};
}
pub(super) use read_ratings;

/// Player, leaderboard, and the mean and deviation before and after.
type JournalRow = (i64, String, String, String, String, String);

impl Store {
    /// Rates a game, or says what rating it came to before.
    ///
    /// # Errors
    /// [`StoreError`]; `Failed` also if it can't be rated.
    pub async fn rate(
        &self,
        game: &RatedGame,
        reference: &Reference,
    ) -> Result<Rating, StoreError> {
        let rating = self
            .database
            .call("rate game", self.try_rate(game, reference))
            .await?;
        if let Some(rating) = &rating
            && !rating.applied
        {
            tracing::warn!(
                game = game.uid,
                "the game's rows are not those of its players: ratings are not stored"
            );
        }
        rating.ok_or(StoreError::Unfit("the game can't be rated"))
    }

    async fn try_rate(
        &self,
        game: &RatedGame,
        reference: &Reference,
    ) -> sqlx::Result<Option<Rating>> {
        const BEFORE: &str =
            "SELECT COUNT(*) FROM game_player_stats WHERE gameId = ? AND after_mean IS NOT NULL";
        const JOURNAL: &str = "SELECT CAST(p.playerId AS SIGNED), b.technical_name, \
             CAST(j.rating_mean_before AS CHAR), CAST(j.rating_deviation_before AS CHAR), \
             CAST(j.rating_mean_after AS CHAR), CAST(j.rating_deviation_after AS CHAR) \
             FROM leaderboard_rating_journal j JOIN game_player_stats p ON p.id = j.game_player_stats_id \
             JOIN leaderboard b ON b.id = j.leaderboard_id WHERE p.gameId = ? ORDER BY j.id";
        const NEWCOMER: &str = "INSERT INTO leaderboard_rating \
             (login_id, leaderboard_id, mean, deviation, total_games, won_games) VALUES (?, ?, ?, ?, 0, 0)";
        const PLAYED: &str = "UPDATE game_player_stats SET mean = ?, deviation = ?, after_mean = ?, after_deviation = ?, \
             scoreTime = ? WHERE gameId = ? AND playerId = ?";
        const NOTED: &str = "INSERT INTO leaderboard_rating_journal (game_player_stats_id, leaderboard_id, \
             rating_mean_before, rating_deviation_before, rating_mean_after, rating_deviation_after) \
             SELECT p.id, ?, ?, ?, ?, ? FROM game_player_stats p WHERE p.gameId = ? AND p.playerId = ?";
        const RATED: &str = "UPDATE leaderboard_rating SET mean = ?, deviation = ?, total_games = total_games + 1, \
             won_games = won_games + ? WHERE login_id = ? AND leaderboard_id = ?";
        let uid = i64::from(game.uid);
        let players: Vec<u32> = game.players().map(|(id, _)| id).collect();
        let now = time::format(unix_now());
        on_either!(self.database.records, pool => {
            let mut transaction = begin(pool, self.database.begin()).await?;
            let before: i64 = sqlx::query_scalar(BEFORE).bind(uid).fetch_one(&mut *transaction).await?;
            if before > 0 {
                let rows: Vec<JournalRow> = sqlx::query_as(JOURNAL).bind(uid).fetch_all(&mut *transaction).await?;
                return rated_before(game, rows).map(Some);
            }
            let stored: StoredRatings = read_ratings!(transaction, &players);
            let Some(changes) = game.rate(reference, |player, board| stored.of(player, board)) else {
                return Ok(None);
            };
            for change in changes.iter().flatten() {
                if stored.of(change.player_id, &change.rating_type).is_none() {
                    sqlx::query(NEWCOMER).bind(i64::from(change.player_id)).bind(board_id(reference, change)?)
                        .bind(change.old.mean).bind(change.old.deviation).execute(&mut *transaction).await?;
                }
            }
            let mut updated = 0;
            for change in &changes[0] {
                let done = sqlx::query(PLAYED).bind(change.old.mean).bind(change.old.deviation)
                    .bind(change.new.mean).bind(change.new.deviation).bind(&now)
                    .bind(uid).bind(i64::from(change.player_id)).execute(&mut *transaction).await?;
                updated += done.rows_affected();
            }
            let applied = updated == players.len() as u64;
            if applied {
                for change in changes.iter().flatten() {
                    let (player, board) = (i64::from(change.player_id), board_id(reference, change)?);
                    sqlx::query(NOTED).bind(board).bind(change.old.mean).bind(change.old.deviation)
                        .bind(change.new.mean).bind(change.new.deviation).bind(uid).bind(player)
                        .execute(&mut *transaction).await?;
                    let won = i64::from(change.outcome == TeamOutcome::Victory);
                    sqlx::query(RATED).bind(change.new.mean).bind(change.new.deviation).bind(won)
                        .bind(player).bind(board).execute(&mut *transaction).await?;
                }
            }
            transaction.commit().await?;
            Ok(Some(Rating { changes, applied }))
        })
    }
}

fn board_id(reference: &Reference, change: &RatingChange) -> sqlx::Result<i64> {
    // The rules name no other leaderboards than those of the reference data.
    let board = reference
        .leaderboard(&change.rating_type)
        .ok_or(sqlx::Error::RowNotFound)?;
    Ok(i64::from(board.id))
}

/// What the journal says of a game, to six digits.
fn rated_before(game: &RatedGame, rows: Vec<JournalRow>) -> sqlx::Result<Rating> {
    let mut rating = Rating {
        applied: true,
        ..Rating::default()
    };
    for (player, board, mean_before, deviation_before, mean_after, deviation_after) in rows {
        let player_id = narrow(player)?;
        let Some((_, outcome)) = game.players().find(|(id, _)| *id == player_id) else {
            continue;
        };
        let own = *board == *game.rating_type;
        rating.changes[usize::from(!own)].push(RatingChange {
            game_id: game.uid,
            player_id,
            rating_type: board.into(),
            old: ratings::Rating {
                mean: number(&mean_before)?,
                deviation: number(&deviation_before)?,
            },
            new: ratings::Rating {
                mean: number(&mean_after)?,
                deviation: number(&deviation_after)?,
            },
            outcome,
        });
    }
    Ok(rating)
}
