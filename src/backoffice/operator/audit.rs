//! The audit: who has done what, on whom, why and when.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::OperatorStore;
use crate::{
    Boxed,
    store::{StoreError, on_either},
    unix_now,
};

/// Entries of what operators did that are kept, at most: the oldest go.
pub const KEPT: i64 = 100_000;
/// The same of what strangers tried: they can't push out what operators did.
pub const KEPT_OF_STRANGERS: i64 = 10_000;
/// How long they are kept.
pub const KEPT_FOR: Duration = Duration::from_secs(400 * 24 * 3_600);

/// One thing that was done or tried.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// Unix seconds.
    pub at: f64,
    /// The user that asked over the control socket.
    pub uid: Option<u32>,
    /// The name of the token that asked over HTTP.
    pub token: Option<String>,
    /// Where from they asked over HTTP.
    pub from: Option<String>,
    /// What: `kick`, `ban`, `sign-in failed`.
    pub action: String,
    /// On whom or what; empty: on the server.
    pub target: String,
    /// Why, as whoever did it has said.
    pub reason: String,
    /// `done` or `refused`.
    pub outcome: String,
    /// What came of it, in words.
    pub said: String,
    /// How often, of what is summed.
    pub times: u32,
}

/// Which entries are wanted.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Search {
    /// The last so many.
    pub last: u32,
    /// Not older than this, Unix seconds.
    pub since: Option<f64>,
    /// On whom or what: its beginning, whatever the case.
    pub on: Option<String>,
}

type Row = (
    f64,
    Option<i64>,
    Option<String>,
    Option<String>,
    String,
    String,
    String,
    String,
    String,
    i64,
);

impl OperatorStore {
    /// Writes something down, and lets go of what is too old or too much.
    ///
    /// # Errors
    /// [`StoreError`]
    pub fn note<'a>(&'a self, entry: &'a Entry) -> Boxed<'a, Result<(), StoreError>> {
        const ADD: &str = "INSERT INTO audit (at, uid, token, address, action, target, reason, outcome, said, times, by_operator) \
             VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";
        const TOO_OLD: &str = "DELETE FROM audit WHERE at < ?";
        // Without as many there is no number, and nothing is below it.
        const TOO_MANY: &str = "DELETE FROM audit WHERE by_operator = ?1 AND id <= \
             (SELECT id FROM audit WHERE by_operator = ?1 ORDER BY id DESC LIMIT 1 OFFSET ?2)";
        Box::pin(async move {
            let oldest = unix_now() - KEPT_FOR.as_secs_f64();
            let by_operator = entry.uid.is_some() || entry.token.is_some();
            let most = if by_operator { KEPT } else { KEPT_OF_STRANGERS };
            let noted = self.database.call("audit", async {
                on_either!(self.database.write, pool => {
                    let query = sqlx::query(ADD).bind(entry.at).bind(entry.uid.map(i64::from)).bind(&entry.token);
                    let query = query.bind(&entry.from).bind(&entry.action).bind(&entry.target).bind(&entry.reason);
                    let query = query.bind(&entry.outcome).bind(&entry.said).bind(i64::from(entry.times));
                    query.bind(by_operator).execute(pool).await?;
                    sqlx::query(TOO_OLD).bind(oldest).execute(pool).await?;
                    sqlx::query(TOO_MANY).bind(by_operator).bind(most).execute(pool).await.map(|_| ())
                })
            });
            noted.await
        })
    }

    /// What was done, the oldest first.
    ///
    /// # Errors
    /// [`StoreError`]
    pub fn noted<'a>(&'a self, search: &'a Search) -> Boxed<'a, Result<Vec<Entry>, StoreError>> {
        const LIST: &str = "SELECT at, uid, token, address, action, target, reason, outcome, said, times FROM audit \
             WHERE at >= ? AND (? = '' OR substr(lower(target), 1, ?) = lower(?)) ORDER BY id DESC LIMIT ?";
        Box::pin(async move {
            let on = search.on.as_deref().unwrap_or_default();
            let letters = on.chars().count() as i64;
            let found = self.database.call("audit", async {
                let rows: Vec<Row> = on_either!(self.database.read, pool => {
                    let query = sqlx::query_as(LIST).bind(search.since.unwrap_or_default());
                    let query = query.bind(on).bind(letters).bind(on).bind(i64::from(search.last));
                    query.fetch_all(pool).await?
                });
                Ok(rows.into_iter().rev().map(entry).collect())
            });
            found.await
        })
    }
}

fn entry((at, uid, token, from, action, target, reason, outcome, said, times): Row) -> Entry {
    Entry {
        at,
        uid: uid.and_then(|uid| u32::try_from(uid).ok()),
        token,
        from,
        action,
        target,
        reason,
        outcome,
        said,
        times: u32::try_from(times).unwrap_or(u32::MAX),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_is_noted_is_found_by_time_and_by_whom_it_was_done_to() {
        let folder = tempfile::tempdir().unwrap();
        let store = OperatorStore::open(folder.path(), true).await.unwrap();
        let now = unix_now();
        let entry = |ago: f64, target: &str| Entry {
            at: now - ago,
            uid: Some(1000),
            action: "kick".to_owned(),
            target: target.to_owned(),
            outcome: "done".to_owned(),
            times: 1,
            ..Entry::default()
        };
        for (ago, target) in [(900.0, "Ann"), (60.0, "bob"), (5.0, "anna")] {
            store.note(&entry(ago, target)).await.unwrap();
        }
        let targets = async |search: Search| {
            let found = store.noted(&search).await.unwrap();
            found
                .into_iter()
                .map(|entry| entry.target)
                .collect::<Vec<_>>()
        };
        let all = Search {
            last: 10,
            ..Search::default()
        };
        assert_eq!(targets(all.clone()).await, ["Ann", "bob", "anna"]);
        assert_eq!(
            targets(Search {
                last: 1,
                ..all.clone()
            })
            .await,
            ["anna"]
        );
        let since = Some(now - 100.0);
        assert_eq!(
            targets(Search {
                since,
                ..all.clone()
            })
            .await,
            ["bob", "anna"]
        );
        let on = Some("AN".to_owned());
        assert_eq!(targets(Search { on, ..all.clone() }).await, ["Ann", "anna"]);
        // What is too old goes with the next entry.
        let old = entry(KEPT_FOR.as_secs_f64() + 1.0, "long ago");
        store.note(&old).await.unwrap();
        assert_eq!(targets(all).await.len(), 3);
        store.close().await;
    }
}
