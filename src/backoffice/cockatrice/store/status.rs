//! How busy the server is, for other programs that read the database (spec: cockatrice-behaviour 16, `uptime`).

use lobby::cockatrice::questions::NoteStatus;

use super::{Store, compose::Fields, now, sql::On};
use crate::store::StoreError;

impl Store {
    /// Adds a row, if there is a table for it. The embedded store has none: nobody else reads it.
    pub(in crate::cockatrice) async fn note_status(
        &self,
        status: NoteStatus,
        up_s: u64,
    ) -> Result<(), StoreError> {
        let tables = self.tables().await?;
        let Some(uptime) = tables.uptime.if_known() else {
            return Ok(());
        };
        let row = Fields::default()
            .set(&uptime.at, now())
            .set(uptime.server.as_ref(), self.server)
            .set(uptime.up.as_ref(), i64::try_from(up_s).unwrap_or(i64::MAX))
            .set(uptime.users.as_ref(), status.users)
            .set(uptime.moderators.as_ref(), status.moderators)
            .set(uptime.games.as_ref(), status.games);
        self.run_of(On::Write, "status", row.insert("uptime"))
            .await?;
        Ok(())
    }
}
