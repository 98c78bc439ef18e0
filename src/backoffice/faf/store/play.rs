//! What hosting, joining and chatting about it read and write (spec: faf-database 4.2, 4.4).

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Mutex;
use std::sync::atomic::Ordering;
use std::time::Duration;

use lobby::faf::questions::{Map, Relation};
use sqlx::AssertSqlSafe;

use super::Store;
use super::rows::narrow;
use crate::store::{StoreError, is_deadlock, on_either};

/// Maps remembered, least recently used out first, never refreshed (spec: faf-lifecycle 11).
const MAP_CACHE: usize = 256;
/// Most mod uids put into one statement. A game has a handful; a list longer than this is somebody's experiment.
const MOD_UIDS_PER_STATEMENT: usize = 250;
/// Longest that somebody who joins a game waits for that to be noted.
const JOIN_LOG_DEADLINE: Duration = Duration::from_millis(500);

impl Store {
    /// Makes `subject_id` a friend or foe, whatever they were before. `false` if nothing came of it: oneself, or nobody's
    /// id (spec: faf-messages 3.13, N#1029).
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn set_relation(
        &self,
        player: u32,
        subject: u32,
        relation: Relation,
    ) -> Result<bool, StoreError> {
        // One statement, so there is no moment without a row, and none with two.
        const SQL: &str = "REPLACE INTO friends_and_foes (user_id, subject_id, status) \
             SELECT p.id, s.id, ? FROM login p, login s WHERE p.id = ? AND s.id = ? AND p.id <> s.id";
        let status = match relation {
            Relation::Friend => "FRIEND",
            Relation::Foe => "FOE",
        };
        let write = async || {
            on_either!(self.database.write, pool => {
                let query = sqlx::query(SQL).bind(status).bind(i64::from(player)).bind(i64::from(subject));
                query.execute(pool).await.map(|done| done.rows_affected() > 0)
            })
        };
        self.database
            .call("set relation", async {
                match write().await {
                    Err(error) if is_deadlock(&error) => write().await,
                    outcome => outcome,
                }
            })
            .await
    }

    /// Takes `subject_id` off the list, whatever they were.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn clear_relation(&self, player: u32, subject: u32) -> Result<(), StoreError> {
        const SQL: &str = "DELETE FROM friends_and_foes WHERE user_id = ? AND subject_id = ?";
        self.database
            .call("clear relation", async {
                on_either!(self.database.write, pool => {
                    let query = sqlx::query(SQL).bind(i64::from(player)).bind(i64::from(subject));
                    query.execute(pool).await.map(|_| ())
                })
            })
            .await
    }

    /// Notes an attempt to join a game (spec: faf-messages 3.8, N#1048). Failing must not prevent joining, nor delay it for
    /// long: it is counted, and logged once until it works again, since the table may not be there at all.
    pub async fn log_join(&self, player_id: u32, game_id: u32, from: IpAddr) {
        const SQL: &str = "INSERT INTO game_join_log (player_id, game_id, ip) VALUES (?, ?, ?)";
        const WITHOUT_IP: &str = "INSERT INTO game_join_log (player_id, game_id) VALUES (?, ?)";
        let (player, game) = (i64::from(player_id), i64::from(game_id));
        let ip = from.to_canonical().to_string();
        let work = async {
            let probe = || {
                self.database
                    .probe("SELECT ip FROM game_join_log WHERE 1 = 0")
            };
            let has_ip = *self.has_join_ip.get_or_try_init(probe).await?;
            on_either!(self.database.write, pool => if has_ip {
                sqlx::query(SQL).bind(player).bind(game).bind(ip).execute(pool).await.map(|_| ())
            } else {
                sqlx::query(WITHOUT_IP).bind(player).bind(game).execute(pool).await.map(|_| ())
            })
        };
        let watch = &self.database.watch;
        let failed = watch.call_quietly(JOIN_LOG_DEADLINE, work).await.err();
        let failed_before = self
            .join_log_fails
            .swap(failed.is_some(), Ordering::Relaxed);
        if let Some(error) = failed
            && !failed_before
        {
            tracing::warn!(%error, cause = ?std::error::Error::source(&error),
                "attempts to join are not noted in game_join_log; not told again until they are");
        }
    }

    /// The map whose file is `maps/{folder}.zip`, compared without case (spec: faf-lifecycle 11). Known ones are
    /// remembered.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn map_by_folder(&self, folder: &str) -> Result<Option<Map>, StoreError> {
        const SQL: &str = "SELECT CAST(id AS SIGNED), CAST(ranked AS SIGNED) FROM map_version WHERE filename = ? LIMIT 1";
        let folder = folder.to_lowercase();
        if let Some(map) = self.maps.recall(&folder) {
            return Ok(Some(map));
        }
        let filename = format!("maps/{folder}.zip");
        let row: Option<(i64, i64)> = self
            .database
            .call("map by folder", async {
                on_either!(self.database.read, pool => sqlx::query_as(SQL).bind(filename).fetch_optional(pool).await)
            })
            .await?;
        let Some((id, ranked)) = row else {
            return Ok(None);
        };
        let map = Map {
            id: narrow(id).map_err(|_| StoreError::Unfit("no map has such a number"))?,
            ranked: ranked != 0,
        };
        self.maps.remember(folder, map.clone());
        Ok(Some(map))
    }

    /// (uid, display name) of the mods among `uids` that exist and are not hidden (spec: faf-messages 4.3).
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn mod_names(&self, uids: &[String]) -> Result<Vec<(String, String)>, StoreError> {
        self.database.call("mod names", async {
            let mut names = Vec::with_capacity(uids.len());
            for some in uids.chunks(MOD_UIDS_PER_STATEMENT) {
                let marks = vec!["?"; some.len()].join(", ");
                let sql = format!("SELECT uid, name FROM table_mod WHERE uid IN ({marks})");
                let rows: Vec<(String, String)> = on_either!(self.database.read, pool => {
                    // Its text differs with the number of uids: not worth a place among the prepared statements.
                    let query = sqlx::query_as(AssertSqlSafe(sql.as_str())).persistent(false);
                    some.iter().fold(query, |query, uid| query.bind(uid.as_str())).fetch_all(pool).await?
                });
                names.extend(rows);
            }
            Ok(names)
        })
        .await
    }

    /// The highest game number so far, 0 if there is none (spec: faf-lifecycle 11).
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn max_game_id(&self) -> Result<u32, StoreError> {
        const SQL: &str = "SELECT CAST(COALESCE(MAX(id), 0) AS SIGNED) FROM game_stats";
        let id: i64 = self
            .database
            .call("highest game id", async {
                on_either!(self.database.read, pool => sqlx::query_scalar(SQL).fetch_one(pool).await)
            })
            .await?;
        narrow(id).map_err(|_| StoreError::Unfit("no game has such a number"))
    }
}

/// The maps that were asked for lately, by folder in lower case.
#[derive(Debug, Default)]
pub(super) struct MapCache(Mutex<Remembered>);

#[derive(Debug, Default)]
struct Remembered {
    /// Counts uses; a map's number is that of its latest.
    uses: u64,
    maps: HashMap<String, (Map, u64)>,
}

impl MapCache {
    fn recall(&self, folder: &str) -> Option<Map> {
        let mut all = self
            .0
            .lock()
            .expect("nothing panics while it holds this lock");
        all.uses += 1;
        let now = all.uses;
        let (map, used) = all.maps.get_mut(folder)?;
        *used = now;
        Some(map.clone())
    }

    fn remember(&self, folder: String, map: Map) {
        let mut all = self
            .0
            .lock()
            .expect("nothing panics while it holds this lock");
        if all.maps.len() >= MAP_CACHE && !all.maps.contains_key(&folder) {
            // 256 entries are looked through faster than the statement that brought us here was sent.
            let oldest = all
                .maps
                .iter()
                .min_by_key(|(_, (_, used))| *used)
                .map(|(folder, _)| folder.clone());
            oldest.and_then(|folder| all.maps.remove(&folder));
        }
        all.uses += 1;
        let now = all.uses;
        all.maps.insert(folder, (map, now));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_least_recently_used_map_is_forgotten() {
        let cache = MapCache::default();
        let map = |id| Map { id, ranked: true };
        for id in 0..MAP_CACHE as u32 {
            cache.remember(format!("map{id}"), map(id));
        }
        assert_eq!(cache.recall("map0"), Some(map(0)));
        cache.remember("one more".into(), map(1_000));
        assert_eq!(cache.recall("map0"), Some(map(0)));
        assert_eq!(cache.recall("map1"), None);
        assert_eq!(cache.recall("one more"), Some(map(1_000)));
    }
}
