//! Taking an account away. Only in the embedded store: the shared database's accounts belong to other services.

use sqlx::Executor;

use super::Store;
use crate::store::{Pool, StoreError, begin, on_either};

/// Games that somebody has been in; the account's number is parameter 1 of every statement.
const GAMES: &str = "(SELECT gameId FROM game_player_stats WHERE playerId = ?1 UNION SELECT id FROM game_stats WHERE host = ?1)";

/// What goes with an account, in an order that no reference forbids. `~` stands for its games.
const STEPS: [&str; 21] = [
    "DELETE FROM leaderboard_rating_journal WHERE game_player_stats_id IN \
     (SELECT id FROM game_player_stats WHERE gameId IN ~)",
    "DELETE FROM teamkills WHERE game_id IN ~ OR teamkiller = ?1 OR victim = ?1",
    "DELETE FROM coop_leaderboard WHERE gameuid IN ~",
    "DELETE FROM matchmaker_queue_game WHERE game_stats_id IN ~",
    // What is asked of next is gone after this: hosts first.
    "CREATE TEMP TABLE gone AS SELECT * FROM ~",
    "DELETE FROM game_player_stats WHERE gameId IN (SELECT * FROM gone)",
    "DELETE FROM game_stats WHERE id IN (SELECT * FROM gone)",
    "DROP TABLE gone",
    "DELETE FROM leaderboard_rating WHERE login_id = ?1",
    "DELETE FROM friends_and_foes WHERE user_id = ?1 OR subject_id = ?1",
    "DELETE FROM avatars WHERE idUser = ?1",
    "DELETE FROM uniqueid_exempt WHERE user_id = ?1",
    "DELETE FROM clan_membership WHERE player_id = ?1",
    "UPDATE clan SET founder_id = NULL WHERE founder_id = ?1",
    "UPDATE clan SET leader_id = NULL WHERE leader_id = ?1",
    "DELETE FROM user_group_assignment WHERE user_id = ?1",
    "DELETE FROM ban WHERE player_id = ?1",
    "UPDATE ban SET author_id = player_id WHERE author_id = ?1",
    "UPDATE ban SET revoke_author_id = NULL WHERE revoke_author_id = ?1",
    "UPDATE map SET author = NULL WHERE author = ?1",
    "DELETE FROM login WHERE id = ?1",
];

impl Store {
    /// How many games somebody has hosted or played.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn games_of(&self, id: u32) -> Result<u64, StoreError> {
        const SQL: &str = "SELECT COUNT(*) FROM (SELECT gameId FROM game_player_stats WHERE playerId = ? \
             UNION SELECT id FROM game_stats WHERE host = ?) AS games";
        self.database
            .call("games of an account", async {
                let id = i64::from(id);
                let count: i64 = on_either!(self.database.read, pool => {
                    sqlx::query_scalar(SQL).bind(id).bind(id).fetch_one(pool).await?
                });
                Ok(count.unsigned_abs())
            })
            .await
    }

    /// Takes an account away with all that is its own, its games too.
    ///
    /// # Errors
    /// [`StoreError`]; then nothing is gone.
    pub async fn delete_account(&self, id: u32) -> Result<(), StoreError> {
        self.database
            .call("delete account", async {
                let Pool::Sqlite(pool) = &self.database.write else {
                    return Err(sqlx::Error::Configuration("not embedded".into()));
                };
                let mut transaction = begin(pool, self.database.begin()).await?;
                for step in STEPS {
                    let text = step.replace('~', GAMES);
                    let query = sqlx::query(sqlx::AssertSqlSafe(text));
                    let query = match step.contains("?1") || step.contains('~') {
                        true => query.bind(i64::from(id)),
                        false => query,
                    };
                    transaction.execute(query).await?;
                }
                transaction.commit().await
            })
            .await
    }
}
