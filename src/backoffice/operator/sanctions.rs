//! Networks and names that are kept out, and names that are silenced.

use serde::{Deserialize, Serialize};

use super::OperatorStore;
use crate::{
    Boxed,
    store::{StoreError, on_either},
    unix_now,
};

/// Sanctions that are kept, at most: more is for a firewall.
pub const MOST: i64 = 10_000;

/// What a sanction does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// Nobody is let in from a network.
    Network,
    /// Nobody signs in under a name, in a lobby that has no accounts.
    Name,
    /// Somebody is not heard by others.
    Mute,
}

impl Kind {
    fn word(self) -> &'static str {
        match self {
            Kind::Network => "network",
            Kind::Name => "name",
            Kind::Mute => "mute",
        }
    }

    fn named(word: &str) -> Option<Kind> {
        let all = [Kind::Network, Kind::Name, Kind::Mute];
        all.into_iter().find(|kind| kind.word() == word)
    }
}

/// What is done about somebody.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Sanction {
    /// What it does.
    pub kind: Kind,
    /// Of which lobby; of a network empty: of all.
    pub lobby: String,
    /// A network, or a name.
    pub target: String,
    /// What they are told.
    pub reason: String,
    /// Unix seconds.
    pub since: f64,
    /// Unix seconds; none: for good.
    pub until: Option<f64>,
    /// Who has ordered it.
    pub uid: Option<u32>,
}

type Row = (
    String,
    String,
    String,
    String,
    f64,
    Option<f64>,
    Option<i64>,
);

impl OperatorStore {
    /// Keeps a sanction, in the place of one of the same kind on the same. False: there are too many.
    ///
    /// # Errors
    /// [`StoreError`]
    pub fn sanction<'a>(&'a self, new: &'a Sanction) -> Boxed<'a, Result<bool, StoreError>> {
        const OVER: &str = "DELETE FROM sanction WHERE until <= ?";
        const ADD: &str = "INSERT OR REPLACE INTO sanction (kind, lobby, target, reason, since, until, uid) \
             SELECT ?, ?, ?, ?, ?, ?, ? WHERE (SELECT COUNT(*) FROM sanction) < ?";
        Box::pin(async move {
            let kept = self.database.call("sanction", async {
                on_either!(self.database.write, pool => {
                    sqlx::query(OVER).bind(unix_now()).execute(pool).await?;
                    let query = sqlx::query(ADD).bind(new.kind.word()).bind(&new.lobby).bind(&new.target);
                    let query = query.bind(&new.reason).bind(new.since).bind(new.until);
                    let query = query.bind(new.uid.map(i64::from)).bind(MOST);
                    query.execute(pool).await.map(|done| done.rows_affected() > 0)
                })
            });
            kept.await
        })
    }

    /// Lifts a sanction. False: there was none.
    ///
    /// # Errors
    /// [`StoreError`]
    pub fn lift<'a>(
        &'a self,
        kind: Kind,
        lobby: &'a str,
        target: &'a str,
    ) -> Boxed<'a, Result<bool, StoreError>> {
        const LIFT: &str = "DELETE FROM sanction WHERE kind = ? AND lobby = ? AND target = ?";
        Box::pin(async move {
            let lifted = self.database.call("lift sanction", async {
                on_either!(self.database.write, pool => {
                    let query = sqlx::query(LIFT).bind(kind.word()).bind(lobby).bind(target);
                    query.execute(pool).await.map(|done| done.rows_affected() > 0)
                })
            });
            lifted.await
        })
    }

    /// All that hold, the oldest first.
    ///
    /// # Errors
    /// [`StoreError`]
    pub fn sanctions(&self) -> Boxed<'_, Result<Vec<Sanction>, StoreError>> {
        const LIST: &str = "SELECT kind, lobby, target, reason, since, until, uid FROM sanction \
             WHERE until IS NULL OR until > ? ORDER BY id";
        Box::pin(async move {
            let found = self.database.call("sanctions", async {
                let rows: Vec<Row> = on_either!(self.database.read, pool => {
                    sqlx::query_as(LIST).bind(unix_now()).fetch_all(pool).await?
                });
                Ok(rows.into_iter().filter_map(sanction).collect())
            });
            found.await
        })
    }
}

/// None: of a kind that only a newer program knows.
fn sanction((kind, lobby, target, reason, since, until, uid): Row) -> Option<Sanction> {
    Some(Sanction {
        kind: Kind::named(&kind)?,
        lobby,
        target,
        reason,
        since,
        until,
        uid: uid.and_then(|uid| u32::try_from(uid).ok()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_sanction_is_replaced_ends_and_is_lifted() {
        let folder = tempfile::tempdir().unwrap();
        let store = OperatorStore::open(folder.path(), true).await.unwrap();
        let new = |kind, target: &str, left: Option<f64>| Sanction {
            kind,
            lobby: "vcmi".to_owned(),
            target: target.to_owned(),
            reason: "spam".to_owned(),
            since: unix_now(),
            until: left.map(|left| unix_now() + left),
            uid: Some(0),
        };
        assert!(
            store
                .sanction(&new(Kind::Name, "Eve", Some(600.0)))
                .await
                .unwrap()
        );
        assert!(store.sanction(&new(Kind::Name, "eve", None)).await.unwrap());
        assert!(
            store
                .sanction(&new(Kind::Mute, "eve", Some(-1.0)))
                .await
                .unwrap()
        );
        let all = store.sanctions().await.unwrap();
        assert_eq!(all.len(), 1);
        assert_eq!((all[0].kind, all[0].until), (Kind::Name, None));
        assert!(store.lift(Kind::Name, "vcmi", "EVE").await.unwrap());
        assert!(!store.lift(Kind::Name, "vcmi", "eve").await.unwrap());
        assert_eq!(store.sanctions().await.unwrap(), []);
        store.close().await;
    }
}
