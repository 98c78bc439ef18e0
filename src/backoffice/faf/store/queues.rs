//! Matchmaking queues and their map pools (spec: faf-matchmaking 2, faf-database 4.5).
//!
//! A row that can't be used is left out with a warning; everything else is loaded all the same.

use std::collections::BTreeMap;
use std::sync::Arc;

use lobby::faf::matchmaking::{
    Bracket, Generated, MapPool, PoolEntry, PoolMap, QueueSetup, VetoRules,
};
use sqlx::{AssertSqlSafe, ColumnIndex, Decode, FromRow, Row, Type};

use super::Store;
use super::rows::narrow;
use crate::store::{Pool, StoreError, on_either};

/// Rows of the rating journal that a leaderboard's peak is the mean of (spec: faf-matchmaking 3.4).
const PEAK_ROWS: i64 = 1000;
/// Fewer rows than this don't say much.
const PEAK_ROWS_EXPECTED: i64 = 100;
/// A leaderboard nobody has played in peaks here.
const PEAK_DEFAULT: f64 = 1000.0;
/// Peaks outside are strange.
const PEAK_EXPECTED: std::ops::RangeInclusive<f64> = 600.0..=1200.0;

/// Pool, its name, entry, weight, parameters, map version, its file.
type PoolRow = (
    i64,
    String,
    Option<i64>,
    Option<i64>,
    Option<String>,
    Option<i64>,
    Option<String>,
);

/// A bracket with all that its queue says of itself.
struct BracketRow {
    queue_id: i64,
    name: String,
    featured_mod: String,
    leaderboard_id: i64,
    rating_type: String,
    team_size: i64,
    params: Option<String>,
    bracket_id: i64,
    pool_id: i64,
    min_rating: Option<i64>,
    max_rating: Option<i64>,
    tokens_per_player: i64,
    tokens_per_map: i64,
    minimum_maps: f64,
}

/// By hand: sqlx's `derive` would build all of sqlx twice, and a tuple of fourteen says nothing.
impl<'r, R: Row> FromRow<'r, R> for BracketRow
where
    &'static str: ColumnIndex<R>,
    i64: Decode<'r, R::Database> + Type<R::Database>,
    f64: Decode<'r, R::Database> + Type<R::Database>,
    String: Decode<'r, R::Database> + Type<R::Database>,
    Option<i64>: Decode<'r, R::Database> + Type<R::Database>,
    Option<String>: Decode<'r, R::Database> + Type<R::Database>,
{
    fn from_row(row: &'r R) -> sqlx::Result<Self> {
        Ok(Self {
            queue_id: row.try_get("queue_id")?,
            name: row.try_get("name")?,
            featured_mod: row.try_get("featured_mod")?,
            leaderboard_id: row.try_get("leaderboard_id")?,
            rating_type: row.try_get("rating_type")?,
            team_size: row.try_get("team_size")?,
            params: row.try_get("params")?,
            bracket_id: row.try_get("bracket_id")?,
            pool_id: row.try_get("pool_id")?,
            min_rating: row.try_get("min_rating")?,
            max_rating: row.try_get("max_rating")?,
            tokens_per_player: row.try_get("tokens_per_player")?,
            tokens_per_map: row.try_get("tokens_per_map")?,
            minimum_maps: row.try_get("minimum_maps")?,
        })
    }
}

impl Store {
    /// Enabled queues that have a bracket and readable parameters.
    pub(super) async fn queues(&self) -> sqlx::Result<Vec<QueueSetup>> {
        const POOLS: &str = "SELECT CAST(p.id AS SIGNED), p.name, CAST(e.id AS SIGNED), CAST(e.weight AS SIGNED), \
             e.map_params, CAST(v.id AS SIGNED), v.filename FROM map_pool p \
             LEFT JOIN map_pool_map_version e ON e.map_pool_id = p.id \
             LEFT JOIN map_version v ON v.id = e.map_version_id ORDER BY p.id, e.id";
        let pools: Vec<PoolRow> =
            on_either!(self.database.read, pool => sqlx::query_as(POOLS).fetch_all(pool).await?);
        let pools = pools_of(pools)?;

        let vetoes = self.has_vetoes.get_or_try_init(|| {
            self.database
                .probe("SELECT veto_tokens_per_player FROM matchmaker_queue_map_pool WHERE 1 = 0")
        });
        // A schema without vetoes has no ids of brackets either; one pool is then as good a name.
        let (id, player, map, minimum) = if *vetoes.await? {
            (
                "b.id",
                "b.veto_tokens_per_player",
                "b.max_tokens_per_map",
                "b.minimum_maps_after_veto",
            )
        } else {
            ("b.map_pool_id", "0", "1", "1")
        };
        let brackets = format!(
            "SELECT CAST(q.id AS SIGNED) AS queue_id, q.technical_name AS name, f.gamemod AS featured_mod, \
             CAST(l.id AS SIGNED) AS leaderboard_id, l.technical_name AS rating_type, \
             CAST(q.team_size AS SIGNED) AS team_size, q.params AS params, CAST({id} AS SIGNED) AS bracket_id, \
             CAST(b.map_pool_id AS SIGNED) AS pool_id, CAST(b.min_rating AS SIGNED) AS min_rating, \
             CAST(b.max_rating AS SIGNED) AS max_rating, CAST({player} AS SIGNED) AS tokens_per_player, \
             CAST({map} AS SIGNED) AS tokens_per_map, {minimum} + 0e0 AS minimum_maps \
             FROM matchmaker_queue q JOIN matchmaker_queue_map_pool b ON b.matchmaker_queue_id = q.id \
             JOIN game_featuredMods f ON f.id = q.featured_mod_id JOIN leaderboard l ON l.id = q.leaderboard_id \
             WHERE q.enabled = 1 ORDER BY q.id, {id}"
        );
        let brackets: Vec<BracketRow> = on_either!(self.database.read, pool => sqlx::query_as(AssertSqlSafe(brackets.as_str())).fetch_all(pool).await?);

        let mut queues: Vec<QueueSetup> = Vec::new();
        let mut last_seen = None;
        for row in brackets {
            if last_seen.replace(row.queue_id) != Some(row.queue_id) {
                let peak = self
                    .rating_peak(row.leaderboard_id, &row.rating_type)
                    .await?;
                match queue_of(&row, peak) {
                    Ok(queue) => queues.push(queue),
                    Err(reason) => {
                        tracing::warn!(queue = row.name, reason, "a queue is left out");
                    }
                }
            }
            let own = queues.last_mut();
            let own = own.filter(|queue| i64::from(queue.id) == row.queue_id);
            let (Some(queue), Some(pool)) = (own, pools.get(&row.pool_id)) else {
                continue;
            };
            let bracket = bracket_of(&row, pool.clone())?;
            if !bracket.has_possible_vetoes(queue.team_size) {
                tracing::error!(
                    queue = row.name,
                    bracket = row.bracket_id,
                    "players could veto all maps away: no vetoes are allowed"
                );
            }
            queue.brackets.push(bracket);
        }
        Ok(queues)
    }

    /// Where most displayed ratings of a leaderboard are (spec: faf-matchmaking 3.4).
    async fn rating_peak(&self, leaderboard: i64, name: &str) -> sqlx::Result<f64> {
        const SQL: &str = "SELECT AVG(shown), COUNT(*) FROM \
             (SELECT rating_mean_before - 3 * rating_deviation_before AS shown FROM leaderboard_rating_journal \
              WHERE leaderboard_id = ? ORDER BY id DESC LIMIT ?) AS newest";
        let (peak, rows): (Option<f64>, i64) = on_either!(self.database.read, pool => {
            sqlx::query_as(SQL).bind(leaderboard).bind(PEAK_ROWS).fetch_one(pool).await?
        });
        let peak = peak.unwrap_or(PEAK_DEFAULT);
        if rows < PEAK_ROWS_EXPECTED && self.is_embedded() {
            // A lobby of one's own, where little has been played yet: nothing is wrong with that.
            tracing::debug!(leaderboard = name, peak, rows, "a rating peak of few games");
        } else if rows < PEAK_ROWS_EXPECTED || !PEAK_EXPECTED.contains(&peak) {
            tracing::warn!(leaderboard = name, peak, rows, "a strange rating peak");
        }
        Ok(peak)
    }

    /// The maps a player has played lately in a queue, newest first, as ids of map versions
    /// (spec: faf-matchmaking 9.3).
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn played_maps(
        &self,
        player_id: u32,
        queue_id: u32,
        limit: u32,
    ) -> Result<Vec<u32>, StoreError> {
        let since = match self.database.read {
            Pool::Sqlite(_) => "datetime('now', '-1 day')",
            Pool::MySql(_) => "NOW() - INTERVAL 1 DAY",
        };
        let sql = format!(
            "SELECT CAST(s.mapId AS SIGNED) FROM game_player_stats p JOIN game_stats s ON s.id = p.gameId \
             JOIN matchmaker_queue_game m ON m.game_stats_id = s.id \
             WHERE p.playerId = ? AND m.matchmaker_queue_id = ? AND s.startTime >= {since} \
             ORDER BY s.startTime DESC, s.id DESC LIMIT ?"
        );
        self.database
            .call("played maps", async {
                let maps: Vec<Option<i64>> = on_either!(self.database.read, pool => {
                    sqlx::query_scalar(AssertSqlSafe(sql.as_str()))
                        .bind(i64::from(player_id))
                        .bind(i64::from(queue_id))
                        .bind(i64::from(limit))
                        .fetch_all(pool)
                        .await?
                });
                maps.into_iter().flatten().map(narrow).collect()
            })
            .await
    }
}

fn queue_of(row: &BracketRow, rating_peak: f64) -> Result<QueueSetup, String> {
    let game_options = match &row.params {
        Some(params) => QueueSetup::game_options_of(params)?,
        None => Vec::new(),
    };
    Ok(QueueSetup {
        id: u32::try_from(row.queue_id).map_err(|error| error.to_string())?,
        name: row.name.as_str().into(),
        featured_mod: row.featured_mod.as_str().into(),
        rating_type: row.rating_type.as_str().into(),
        team_size: match u8::try_from(row.team_size) {
            Ok(size @ 1..) => size.into(),
            _ => return Err(format!("team size {}", row.team_size)),
        },
        game_options,
        rating_peak,
        brackets: Vec::new(),
    })
}

fn bracket_of(row: &BracketRow, pool: Arc<MapPool>) -> sqlx::Result<Bracket> {
    Ok(Bracket {
        id: narrow(row.bracket_id)?,
        min_rating: row.min_rating.map(|rating| rating as f64),
        max_rating: row.max_rating.map(|rating| rating as f64),
        vetoes: VetoRules {
            tokens_per_player: narrow(row.tokens_per_player)?,
            max_tokens_per_map: narrow(row.tokens_per_map)?,
            minimum_maps_after_veto: row.minimum_maps,
        },
        pool,
    })
}

fn pools_of(rows: Vec<PoolRow>) -> sqlx::Result<BTreeMap<i64, Arc<MapPool>>> {
    let mut loaded: BTreeMap<i64, (String, Vec<PoolEntry>)> = BTreeMap::new();
    for (pool, name, entry, weight, params, version, filename) in rows {
        let (_, entries) = loaded.entry(pool).or_insert((name, Vec::new()));
        let Some(entry) = entry else {
            continue;
        };
        match map_of(params, version, filename) {
            Ok(map) => entries.push(PoolEntry {
                id: narrow(entry)?,
                weight: weight.unwrap_or(0).max(0) as f64,
                map,
            }),
            Err(reason) => {
                tracing::warn!(pool, entry, reason, "an entry of a map pool is left out");
            }
        }
    }
    let pool = |(id, (name, entries)): (i64, (String, Vec<PoolEntry>))| {
        if entries.is_empty() {
            tracing::warn!(pool = name, "a map pool is empty");
        }
        let pool = MapPool::new(narrow(id)?, name.into(), entries);
        Ok((id, Arc::new(pool)))
    };
    loaded.into_iter().map(pool).collect()
}

fn map_of(
    params: Option<String>,
    version: Option<i64>,
    filename: Option<String>,
) -> Result<PoolMap, String> {
    let (Some(version), Some(filename)) = (version, filename) else {
        let params = params.ok_or("neither a map nor parameters")?;
        return Generated::parse(&params).map(PoolMap::Generated);
    };
    let folder = filename.strip_prefix("maps/").unwrap_or(&filename);
    let folder = folder.strip_suffix(".zip").unwrap_or(folder);
    Ok(PoolMap::Vault {
        version_id: u32::try_from(version).map_err(|error| error.to_string())?,
        folder: folder.into(),
    })
}
