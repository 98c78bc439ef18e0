//! What a start does (spec: vcmi-lobby2 5.12): nobody is there, rooms that were open are cancelled, matches that went on are over.
//! Cookies that another program has stored as they are become hashes.

use lobby::vcmi_json::{
    ChannelType,
    questions::{Begin, Line},
};

use super::{HASHED, ON_A_SERVER, Store, hashed, transaction::Transaction};
use crate::{
    store::{Pool, StoreError, value::values},
    unix_now,
};

/// Cookies that are hashed in one transaction.
const AT_ONCE: u32 = 1_000;

impl Store {
    /// Does that, and gives what was said of late in each global channel.
    ///
    /// # Errors
    /// It is to be done again.
    pub(in crate::vcmi_json) async fn begin(
        &self,
        begin: Begin,
    ) -> Result<Vec<(String, Vec<Line>)>, StoreError> {
        self.make_tables().await?;
        let mut hashed = false;
        while self.hash_some().await? {
            hashed = true;
        }
        if hashed {
            self.forget_plain().await?;
        }
        let work = async {
            let mut transaction = self.writing().await?;
            for text in [
                "UPDATE accounts SET online = 0 WHERE online <> 0",
                "UPDATE gameRooms SET status = 5 WHERE status = 3",
                "UPDATE gameRooms SET status = 4 WHERE status IN (0, 1, 2)",
            ] {
                transaction.run((text, values![])).await?;
            }
            let channels = transaction.channels(begin).await?;
            transaction.commit().await?;
            Ok(channels)
        };
        self.database.call("VCMI JSON start", work).await
    }

    /// On a server, if they are not there. An embedded store has them by now.
    async fn make_tables(&self) -> Result<(), StoreError> {
        let Pool::MySql(pool) = &self.database.records else {
            return Ok(());
        };
        self.database
            .call("VCMI JSON tables", async {
                for text in ON_A_SERVER.split_terminator(';').map(str::trim) {
                    if !text.is_empty() {
                        sqlx::query(text).execute(pool).await?;
                    }
                }
                Ok(())
            })
            .await
    }

    /// Hashes some cookies that are not; whether there were any.
    async fn hash_some(&self) -> Result<bool, StoreError> {
        let work = async {
            let mut transaction = self.writing().await?;
            let text = "SELECT CAST(id AS SIGNED), cookieUUID FROM accountCookies WHERE cookieUUID NOT LIKE ? LIMIT ?";
            let values = values![format!("{HASHED}%"), AT_ONCE];
            let rows = transaction.rows::<(i64, String)>((text, values)).await?;
            for (id, cookie) in &rows {
                let text = "UPDATE accountCookies SET cookieUUID = ? WHERE id = ?";
                let values = values![hashed(cookie), *id];
                transaction.run((text, values)).await?;
            }
            transaction.commit().await?;
            Ok(!rows.is_empty())
        };
        self.database.call("VCMI JSON cookies", work).await
    }

    /// An embedded store's file still has what was overwritten, unless it is written anew.
    async fn forget_plain(&self) -> Result<(), StoreError> {
        let Pool::Sqlite(pool) = &self.database.records else {
            return Ok(());
        };
        self.database
            .call("VCMI JSON cookies", async {
                sqlx::query("VACUUM").execute(pool).await?;
                sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)")
                    .execute(pool)
                    .await?;
                Ok(())
            })
            .await
    }
}

impl Transaction {
    async fn channels(&mut self, begin: Begin) -> sqlx::Result<Vec<(String, Vec<Line>)>> {
        let after = (unix_now() - begin.age.as_secs_f64()).max(0.0) as u64;
        let text = "SELECT DISTINCT channelName FROM chatMessages WHERE channelType = ? AND creationTime > ?";
        let kind = ChannelType::Global;
        let values = values![kind.word(), super::moment(after)];
        let names = self.rows::<(Option<String>,)>((text, values)).await?;
        let mut channels = Vec::new();
        let most = u32::try_from(begin.lines).unwrap_or(u32::MAX);
        for name in names.into_iter().filter_map(|(name,)| name) {
            let lines = self.lines(kind, &name, most, after).await?;
            channels.push((name, lines));
        }
        Ok(channels)
    }
}
