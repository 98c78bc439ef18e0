//! What players look up: coop missions and the mod vault (spec: faf-messages 3.16 and 3.17).

use lobby::faf::questions::{Like, Mission, VaultMod};
use sqlx::AssertSqlSafe;

use super::{Store, rows::narrow};
use crate::store::{StoreError, on_either, time};

/// Missions one list holds, at most. There are about a hundred.
const MISSIONS: i64 = 1000;
/// Mods one list holds, at most (spec: faf-messages 3.17).
const VAULT_MODS: i64 = 100;
/// Bytes of `mod_stats.likers`, at most: more players than there are, and no danger to a packet of the database.
const LIKERS_BYTES: usize = 4 << 20;
/// How often a like is tried when others like the same mod at the same moment.
const LIKE_ATTEMPTS: usize = 8;
/// Kinds of mission that have a name (spec: faf-messages 5.16).
const CAMPAIGNS: i64 = 5;

const MOD_COLUMNS: &str = "uid, name, CAST(version AS SIGNED), author, CAST(ui AS SIGNED), CAST(date AS CHAR), \
     CAST(downloads AS SIGNED), CAST(likes AS CHAR), CAST(played AS SIGNED), description, filename, icon";

/// A row of `table_mod` in the order of [`MOD_COLUMNS`].
type ModRow = (
    String,
    Option<String>,
    Option<i64>,
    Option<String>,
    i64,
    Option<String>,
    i64,
    String,
    i64,
    Option<String>,
    Option<String>,
    Option<String>,
);

impl Store {
    /// All coop missions of a campaign that is known, in the order of the table.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn missions(&self) -> Result<Vec<Mission>, StoreError> {
        const SQL: &str = "SELECT CAST(id AS SIGNED), CAST(type AS SIGNED), name, description, filename \
             FROM coop_map ORDER BY id LIMIT ?";
        type Row = (i64, i64, Option<String>, Option<String>, Option<String>);
        self.database.call("missions", async {
            let rows: Vec<Row> =
                on_either!(self.database.read, pool => sqlx::query_as(SQL).bind(MISSIONS).fetch_all(pool).await?);
            let mut missions = Vec::with_capacity(rows.len());
            for (id, campaign, name, description, filename) in rows {
                if !(0..CAMPAIGNS).contains(&campaign) {
                    tracing::error!(
                        mission = id,
                        campaign,
                        "a coop mission of an unknown campaign is left out"
                    );
                    continue;
                }
                missions.push(Mission {
                    id: narrow(id)?,
                    campaign: campaign as u8,
                    name: name.unwrap_or_default(),
                    description: description.unwrap_or_default(),
                    filename,
                });
            }
            Ok(missions)
        })
        .await
    }

    /// The mods that are liked best. Rows that make no sense are left out.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn best_liked_mods(&self) -> Result<Vec<VaultMod>, StoreError> {
        let sql = format!("SELECT {MOD_COLUMNS} FROM table_mod ORDER BY likes DESC, id LIMIT ?");
        self.database.call("vault", async {
            let rows: Vec<ModRow> =
                on_either!(self.database.read, pool => sqlx::query_as(AssertSqlSafe(sql.as_str())).bind(VAULT_MODS).fetch_all(pool).await?);
            Ok(rows.into_iter().filter_map(vault_mod).collect())
        })
        .await
    }

    /// A player likes a mod, for the first time or again.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn like_mod(&self, player_id: u32, uid: &str) -> Result<Like, StoreError> {
        self.database
            .call("like", async {
                for _ in 0..LIKE_ATTEMPTS {
                    if let Some(outcome) = self.try_to_like(player_id, uid).await? {
                        return Ok(outcome);
                    }
                }
                Err(sqlx::Error::Protocol(
                    "too many likes at one time".to_owned(),
                ))
            })
            .await
    }

    /// One attempt; `None` if the list of likers was changed by somebody else meanwhile.
    async fn try_to_like(&self, player_id: u32, uid: &str) -> sqlx::Result<Option<Like>> {
        const LIKERS: &str = "SELECT CAST(v.mod_id AS SIGNED), s.likers FROM mod_version v \
             LEFT JOIN mod_stats s ON s.mod_id = v.mod_id WHERE v.uid = ? AND v.hidden = 0";
        const COUNT: &str =
            "UPDATE mod_stats SET likes = likes + 1, likers = ? WHERE mod_id = ? AND likers = ?";
        const FIRST: &str = "INSERT INTO mod_stats (mod_id, times_played, likes, likers, downloads) VALUES (?, 0, 1, ?, 0)";
        let sql = format!("SELECT {MOD_COLUMNS} FROM table_mod WHERE uid = ?");

        // In this order: a like in between is noticed when ours is counted.
        let found: Option<(i64, Option<Vec<u8>>)> = on_either!(self.database.read, pool => sqlx::query_as(LIKERS).bind(uid).fetch_optional(pool).await?);
        let row: Option<ModRow> = on_either!(self.database.read, pool => sqlx::query_as(AssertSqlSafe(sql.as_str())).bind(uid).fetch_optional(pool).await?);
        let (Some(mut liked), Some((mod_id, likers))) = (row.and_then(vault_mod), found) else {
            return Ok(Some(Like::Unknown));
        };
        // The real column holds bytes. What is no list of players is taken for an empty one (spec: faf-messages 3.17), and repaired.
        let mut list: Vec<serde_json::Value> = likers
            .as_deref()
            .and_then(|bytes| serde_json::from_slice(bytes).ok())
            .unwrap_or_default();
        if list
            .iter()
            .any(|liker| liker.as_u64() == Some(player_id.into()))
        {
            return Ok(Some(Like::Again));
        }
        list.push(player_id.into());
        let text = serde_json::Value::Array(list).to_string();
        if text.len() > LIKERS_BYTES {
            tracing::warn!(
                mod_id,
                "the list of those who like a mod is full: a like is not counted"
            );
            return Ok(Some(Like::Again));
        }
        let counted = match likers {
            Some(before) => on_either!(self.database.write, pool => {
                let query = sqlx::query(COUNT).bind(&text).bind(mod_id);
                // As text where it is some: to the embedded store that is another thing than the same bytes.
                let query = match std::str::from_utf8(&before) {
                    Ok(before) => query.bind(before),
                    Err(_) => query.bind(&*before),
                };
                query.execute(pool).await?.rows_affected() > 0
            }),
            None => self.first_of_mod(FIRST, mod_id, Some(&text)).await?,
        };
        liked.likes += 1.0;
        Ok(counted.then(|| Like::Counted(Box::new(liked))))
    }

    /// Counts a download; of a mod that does not exist, nothing.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn download_mod(&self, uid: &str) -> Result<(), StoreError> {
        const MOD: &str =
            "SELECT CAST(mod_id AS SIGNED) FROM mod_version WHERE uid = ? AND hidden = 0";
        const COUNT: &str = "UPDATE mod_stats SET downloads = downloads + 1 WHERE mod_id = ?";
        const FIRST: &str = "INSERT INTO mod_stats (mod_id, times_played, likes, likers, downloads) VALUES (?, 0, 0, '[]', 1)";
        self.database.call("download", async {
            let mod_id: Option<i64> =
                on_either!(self.database.read, pool => sqlx::query_scalar(MOD).bind(uid).fetch_optional(pool).await?);
            let Some(mod_id) = mod_id else {
                return Ok(());
            };
            let count = async || {
                on_either!(self.database.write, pool => {
                    sqlx::query(COUNT).bind(mod_id).execute(pool).await.map(|done| done.rows_affected() > 0)
                })
            };
            // Whoever makes the row first, the other counts in it.
            if count().await? || self.first_of_mod(FIRST, mod_id, None).await? || count().await? {
                return Ok(());
            }
            Err(sqlx::Error::RowNotFound)
        })
        .await
    }

    /// Makes the row of a mod that has none; false if somebody else was quicker.
    async fn first_of_mod(
        &self,
        insert: &'static str,
        mod_id: i64,
        likers: Option<&str>,
    ) -> sqlx::Result<bool> {
        let outcome = on_either!(self.database.write, pool => {
            let query = sqlx::query(insert).bind(mod_id);
            let query = match likers {
                Some(likers) => query.bind(likers),
                None => query,
            };
            query.execute(pool).await.map(|_| ())
        });
        match outcome {
            Err(sqlx::Error::Database(error)) if error.is_unique_violation() => Ok(false),
            outcome => outcome.map(|()| true),
        }
    }
}

fn vault_mod(row: ModRow) -> Option<VaultMod> {
    let (uid, name, version, author, ui, date, downloads, likes, played, description, file, icon) =
        row;
    Some(VaultMod {
        uid,
        name: name?,
        version: version?,
        author: author.unwrap_or_default(),
        ui,
        created_unix_s: time::parse(&date?)? as i64,
        downloads,
        likes: likes.parse().ok()?,
        played,
        description: description.unwrap_or_default(),
        filename: file?,
        icon: icon.filter(|icon| !icon.is_empty()),
    })
}
