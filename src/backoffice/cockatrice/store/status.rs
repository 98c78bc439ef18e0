//! How busy the server is, for other programs that read the database (spec: cockatrice-behaviour 16, `uptime`).

use lobby::cockatrice::questions::NoteStatus;

use super::{
    Store,
    columns::Holds,
    now,
    sql::{On, Value},
};
use crate::store::StoreError;

impl Store {
    /// Adds a row. The embedded store has no such table: nobody else reads it.
    pub(in crate::cockatrice) async fn note_status(
        &self,
        status: NoteStatus,
        up_s: u64,
    ) -> Result<(), StoreError> {
        if self.is_embedded() {
            return Ok(());
        }
        let columns = self.columns("~uptime").await?;
        let up = i64::try_from(up_s).unwrap_or(i64::MAX);
        let row = [
            (Holds::Other, ["timest"].as_slice(), Value::from(now())),
            (Holds::Number, &["idserver", "server"], self.server.into()),
            (Holds::Number, &["uptime"], up.into()),
            (Holds::Number, &["user"], status.users.into()),
            (Holds::Number, &["mod"], status.moderators.into()),
            (Holds::Number, &["game"], status.games.into()),
        ];
        let known = row.into_iter().filter_map(|(holds, words, value)| {
            let name = columns.of(holds, words)?;
            Some((name, value))
        });
        let (names, values): (Vec<&str>, Vec<Value<'_>>) = known.unzip();
        if names.is_empty() {
            return Ok(()); // no such table
        }
        let marks = vec!["?"; names.len()].join(", ");
        let names = names.join(", ");
        let text = format!("INSERT INTO ~uptime ({names}) VALUES ({marks})");
        self.run_of(On::Write, "status", text, values).await
    }
}
