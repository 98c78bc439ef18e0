//! Reference data: tables that are loaded as a whole (spec: faf-database 4.4, 4.6).

use lobby::faf::reference::{FeaturedMod, Leaderboard, Reference};

use super::Store;
use super::rows::narrow;
use crate::store::{StoreError, on_either};

impl Store {
    /// Everything, or nothing if any part of it can't be read.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn reference(&self) -> Result<Reference, StoreError> {
        const LEADERBOARDS: &str = "SELECT CAST(b.id AS SIGNED), b.technical_name, i.technical_name \
             FROM leaderboard b LEFT JOIN leaderboard i ON i.id = b.initializer_id ORDER BY b.id";
        const FEATURED: &str =
            "SELECT CAST(id AS SIGNED), gamemod FROM game_featuredMods ORDER BY id";
        const RANKED: &str = "SELECT uid FROM table_mod WHERE ranked = 1";
        self.database
            .call("reference data", async {
                let (leaderboards, featured, ranked) = on_either!(self.database.read, pool => {
                    let mut connection = pool.acquire().await?;
                    let leaderboards: Vec<(i64, String, Option<String>)> =
                        sqlx::query_as(LEADERBOARDS).fetch_all(&mut *connection).await?;
                    let featured: Vec<(i64, String)> =
                        sqlx::query_as(FEATURED).fetch_all(&mut *connection).await?;
                    let ranked: Vec<String> =
                        sqlx::query_scalar(RANKED).fetch_all(&mut *connection).await?;
                    (leaderboards, featured, ranked)
                });
                let leaderboards = leaderboards.into_iter().map(|(id, name, initializer)| {
                    Ok(Leaderboard {
                        id: narrow(id)?,
                        name,
                        initializer,
                    })
                });
                let featured = featured.into_iter().map(|(id, name)| {
                    Ok(FeaturedMod {
                        id: narrow(id)?,
                        name,
                    })
                });
                Ok(Reference {
                    queues: self.queues().await?,
                    leaderboards: leaderboards.collect::<sqlx::Result<_>>()?,
                    featured_mods: featured.collect::<sqlx::Result<_>>()?,
                    ranked_mods: ranked.into_iter().collect(),
                })
            })
            .await
    }
}
