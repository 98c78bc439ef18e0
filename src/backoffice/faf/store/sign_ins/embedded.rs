//! Groups in the embedded store. Its file has one writer at a time: one group reads and one writes, so sign-ins never have
//! more than two of the connections, and they hold the write lock for one statement of a millisecond: games get theirs in
//! between.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Serialize;
use sqlx::sqlite::SqliteConnection;
use sqlx::{AssertSqlSafe, Error, SqlitePool};

use lobby::faf::questions::Account;

use super::super::portrait;
use super::super::rows::{Found, stored_ip, stored_user_agent};
use super::groups::{Grouped, Question, Queue, Waiting, Waits, settle};
use super::questions::{Answers, Arrival, Keys, Newcomer, Who, email, give, names_and_ids};
use crate::store::Watch;

/// Sign-ins in one group. Long before this a trip is a small part of what a member costs, and so many are written in
/// about a millisecond.
const GROUP: usize = 64;

/// The connections.
#[derive(Clone, Debug)]
pub(super) struct Pools {
    /// Several that only read.
    pub(super) read: SqlitePool,
    /// One that writes.
    pub(super) write: SqlitePool,
}

/// Who only asks does not wait behind those for whom something is written, which may be locked.
#[derive(Debug)]
pub(crate) struct Queues {
    pub(super) finding: Queue<Waiting<Who>>,
    pub(super) writing: Queue<Writing>,
}

impl Queues {
    pub(super) fn open(pools: &Pools, watch: &Arc<Watch>) -> Self {
        Self {
            finding: Queue::open(pools, watch, 1, GROUP),
            writing: Queue::open(pools, watch, 1, GROUP),
        }
    }
}

/// For whom something is written.
pub(super) enum Writing {
    Make(Waiting<Newcomer>),
    Enter(Waiting<Arrival>),
}

impl From<Waiting<Newcomer>> for Writing {
    fn from(waiting: Waiting<Newcomer>) -> Self {
        Self::Make(waiting)
    }
}

impl From<Waiting<Arrival>> for Writing {
    fn from(waiting: Waiting<Arrival>) -> Self {
        Self::Enter(waiting)
    }
}

impl Waits<Pools> for Writing {
    async fn settle(pools: &Pools, watch: &Watch, group: Vec<Self>) {
        let (mut making, mut entering) = (Vec::new(), Vec::new());
        for asked in group {
            match asked {
                Self::Make(waiting) => making.push(waiting),
                Self::Enter(waiting) => entering.push(waiting),
            }
        }
        settle(pools, watch, making).await;
        settle(pools, watch, entering).await;
    }
}

const BY_NAME: &str = "SELECT j.key, l.id, l.login, l.password, b.reason, CAST(b.expires_at AS CHAR), l.ip \
     FROM json_each(?) j CROSS JOIN login l ON l.login = j.value \
     LEFT JOIN lobby_ban b ON b.idUser = l.id ORDER BY j.key, b.expires_at DESC";
const BY_ID: &str = "SELECT j.key, l.id, l.login, l.password, b.reason, CAST(b.expires_at AS CHAR), l.ip \
     FROM json_each(?) j CROSS JOIN login l ON l.id = j.value \
     LEFT JOIN lobby_ban b ON b.idUser = l.id ORDER BY j.key, b.expires_at DESC";

impl Grouped<Pools> for Who {
    async fn answer(pools: &Pools, group: &[Self]) -> sqlx::Result<Answers> {
        let mut answers: Answers = group.iter().map(|_| Ok(None)).collect();
        let (names, ids) = names_and_ids(group);
        let mut connection = pools.read.acquire().await?;
        look_up(&mut connection, BY_NAME, &names, &mut answers).await?;
        look_up(&mut connection, BY_ID, &ids, &mut answers).await?;
        Ok(answers)
    }
}

impl Question for Newcomer {
    type Answer = Option<Found>;
    const WHAT: &'static str = "make accounts";
}

impl Grouped<Pools> for Newcomer {
    async fn answer(pools: &Pools, group: &[Self]) -> sqlx::Result<Answers> {
        // Of two who want the same name, the first gets it.
        const INSERT: &str = "INSERT INTO login (login, password, email) \
             SELECT value ->> 0, value ->> 1, value ->> 2 FROM json_each(?) WHERE TRUE ON CONFLICT DO NOTHING";
        let row = |new: &Self| (new.login.clone(), new.password.clone(), email(&new.login));
        let rows = json(&group.iter().map(row).collect::<Vec<_>>())?;
        let names = group.iter().map(|new| new.login.as_str());
        let names: Keys<_> = names.enumerate().collect();
        let mut answers: Answers = group.iter().map(|_| Ok(None)).collect();
        sqlx::query(INSERT).bind(rows).execute(&pools.write).await?;
        let mut connection = pools.read.acquire().await?;
        look_up(&mut connection, BY_NAME, &names, &mut answers).await?;
        Ok(answers)
    }
}

/// Looks some of a group up.
async fn look_up<K: Serialize + Sync>(
    connection: &mut SqliteConnection,
    sql: &'static str,
    keys: &[(usize, K)],
    answers: &mut Answers,
) -> sqlx::Result<()> {
    if keys.is_empty() {
        return Ok(());
    }
    let asked = json(&keys.iter().map(|(_, key)| key).collect::<Vec<_>>())?;
    let query = sqlx::query_as(sql).bind(asked);
    give(query.fetch_all(connection).await?, keys, answers);
    Ok(())
}

impl Question for Arrival {
    type Answer = Account;
    const WHAT: &'static str = "record logins";
}

impl Grouped<Pools> for Arrival {
    async fn answer(pools: &Pools, group: &[Self]) -> sqlx::Result<Vec<sqlx::Result<Account>>> {
        const NOTED: &str = "UPDATE login \
             SET ip = j.value ->> 0, user_agent = j.value ->> 1, last_login = CURRENT_TIMESTAMP \
             FROM json_each(?) j WHERE login.id = j.value ->> 2";
        // Whoever is there twice leaves what they came with last.
        let noted: BTreeMap<u32, _> = group
            .iter()
            .map(|arrival| {
                let user_agent = arrival.user_agent.as_deref().map(stored_user_agent);
                let id = arrival.who.id;
                (id, (stored_ip(arrival.from), user_agent, id))
            })
            .collect();
        let query = sqlx::query(NOTED).bind(json(&noted.values().collect::<Vec<_>>())?);
        query.execute(&pools.write).await?;

        let ids = json(&noted.keys().collect::<Vec<_>>())?;
        let sql = portrait::sql(true, "IN (SELECT value FROM json_each(?))");
        let query = (0..portrait::PLACES)
            .fold(sqlx::query_as(AssertSqlSafe(sql.as_str())), |query, _| {
                query.bind(&ids)
            });
        let mut rows: Vec<portrait::Row> = query.fetch_all(&pools.read).await?;
        portrait::sort(&mut rows);
        let account = |arrival: &Self| portrait::account(&arrival.who, &rows);
        Ok(group.iter().map(account).collect())
    }
}

/// A list as a statement takes one.
fn json<T: Serialize + ?Sized>(list: &T) -> sqlx::Result<String> {
    serde_json::to_string(list).map_err(|error| Error::Encode(error.into()))
}
