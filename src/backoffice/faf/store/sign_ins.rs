//! Signing in: finding or making an account, then noting the arrival and reading everything about the player.
//!
//! The embedded store handles those who wait as one group. Its file has one writer at a time, and each statement is a
//! trip to the connection's thread and back, which costs several times what the statement does: when thousands come at
//! once, a group of them makes the trips of one. Nobody waits for a group to fill; it is whoever has come while the one
//! before was under way. One reads and one writes at a time, so sign-ins never have more than two of the connections,
//! and they hold the write lock for one statement of a millisecond: games get theirs in between.
//!
//! A group that is refused is tried again one by one, so each failure stays its own. One that can't be served now is
//! answered so at once: whatever keeps it would keep each of its members.

use std::collections::BTreeMap;
use std::future::Future;
use std::net::IpAddr;
use std::slice;
use std::sync::Arc;

use serde::Serialize;
use sqlx::sqlite::SqliteConnection;
use sqlx::{AssertSqlSafe, Error, SqlitePool};
use tokio::sync::{mpsc, oneshot};

use lobby::faf::questions::Account;
use lobby::question::StoreFailure;

use super::accounts::{FoundRow, found, stored_ip, stored_user_agent};
use super::{Found, Identity, Store, portrait};
use crate::store::{StoreError, Watch};

/// Sign-ins in one group. Long before this a trip is a small part of what a member costs, and so many are written in
/// about a millisecond.
const GROUP: usize = 64;

/// Who claims to be there.
#[derive(Clone, Debug)]
pub enum Who {
    /// The account of that name, compared without case.
    Name(String),
    /// The account with that id.
    Id(u32),
}

/// A name that nobody has, and the password it comes with. Not for logs, hence no `Debug`.
struct Newcomer {
    login: String,
    password: String,
}

/// Somebody who may come in.
#[derive(Clone, Debug)]
pub struct Arrival {
    /// The account that signed in.
    pub who: Identity,
    /// The client's address.
    pub from: IpAddr,
    /// The client's user agent, if it named one.
    pub user_agent: Option<String>,
}

impl Store {
    /// Finds an account.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn find(&self, who: Who) -> Result<Option<Found>, StoreError> {
        match &self.sign_ins {
            Some(handler) => handler.ask(who).await,
            None => match who {
                Who::Name(login) => self.account_by_name(&login).await,
                Who::Id(id) => self.account_by_id(id).await,
            },
        }
    }

    /// Makes an account of a name that nobody has, and gives it. Somebody may have been quicker: then it is their account,
    /// and their password. `None` if none can be made.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn welcome(&self, login: &str, password: &str) -> Result<Option<Found>, StoreError> {
        if let Some(handler) = &self.sign_ins {
            let (login, password) = (login.to_owned(), password.to_owned());
            return handler.ask(Newcomer { login, password }).await;
        }
        self.create_account(None, login, password, &email(login))
            .await?;
        self.account_by_name(login).await
    }

    /// Notes where and with what somebody signed in (spec: faf-lifecycle 3.4), and reads everything about them that the
    /// lobby shows.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn enter(&self, arrival: Arrival) -> Result<Account, StoreError> {
        if let Some(handler) = &self.sign_ins {
            return handler.ask(arrival).await;
        }
        self.record_login(arrival.who.id, arrival.from, arrival.user_agent.as_deref())
            .await?;
        self.load_account(&arrival.who).await
    }
}

/// A column that must be filled, and differ from all others.
fn email(login: &str) -> String {
    format!("{}@accounts.invalid", login.to_ascii_lowercase())
}

/// Where those wait who sign in. Who only asks does not wait behind those for whom something is written, which may be
/// locked.
#[derive(Debug)]
pub(super) struct Desk {
    reading: mpsc::Sender<Asked>,
    writing: mpsc::Sender<Asked>,
    watch: Arc<Watch>,
}

/// The connections of the embedded store.
#[derive(Clone, Debug)]
pub(super) struct Pools {
    /// Several that only read.
    pub(super) read: SqlitePool,
    /// One that writes.
    pub(super) write: SqlitePool,
}

/// A question, and where its answer goes.
struct Waiting<Q: Grouped> {
    question: Q,
    reply: oneshot::Sender<Result<Q::Answer, StoreError>>,
}

enum Asked {
    Find(Waiting<Who>),
    Make(Waiting<Newcomer>),
    Enter(Waiting<Arrival>),
}

/// What is answered for several at once.
trait Grouped: Sized + Send + Sync {
    type Answer: Send;
    /// In the log.
    const WHAT: &'static str;
    const WRITES: bool;

    fn asked(waiting: Waiting<Self>) -> Asked;

    /// An answer for each, in their order.
    fn answer(
        pools: &Pools,
        group: &[Self],
    ) -> impl Future<Output = sqlx::Result<Vec<sqlx::Result<Self::Answer>>>> + Send;
}

impl Desk {
    /// Opens the handler. It is kept until it is dropped, by tasks of the runtime that this is called in.
    pub(super) fn open(pools: Pools, watch: Arc<Watch>) -> Self {
        let (reading, asked) = mpsc::channel(GROUP);
        tokio::spawn(keep(pools.clone(), watch.clone(), asked));
        let (writing, asked) = mpsc::channel(GROUP);
        tokio::spawn(keep(pools, watch.clone(), asked));
        Self {
            reading,
            writing,
            watch,
        }
    }

    /// Waits for the answer, for as long as a call may take.
    async fn ask<Q: Grouped>(&self, question: Q) -> Result<Q::Answer, StoreError> {
        let (reply, answer) = oneshot::channel();
        let asked = Q::asked(Waiting { question, reply });
        let queue = if Q::WRITES {
            &self.writing
        } else {
            &self.reading
        };
        self.watch
            .call(Q::WHAT, async {
                let sent = queue.send(asked).await;
                sent.map_err(|_| Error::WorkerCrashed)?;
                answer.await.map_err(|_| Error::WorkerCrashed)
            })
            .await?
    }
}

/// Handles group after group, until nobody can come any more.
async fn keep(pools: Pools, watch: Arc<Watch>, mut asked: mpsc::Receiver<Asked>) {
    let mut group = Vec::with_capacity(GROUP);
    while asked.recv_many(&mut group, GROUP).await > 0 {
        let (mut finding, mut making, mut entering) = (Vec::new(), Vec::new(), Vec::new());
        for asked in group.drain(..) {
            match asked {
                Asked::Find(waiting) => finding.push(waiting),
                Asked::Make(waiting) => making.push(waiting),
                Asked::Enter(waiting) => entering.push(waiting),
            }
        }
        let (pools, watch) = (pools.clone(), watch.clone());
        // A panic ends this group, not the handler.
        let settled = tokio::spawn(async move {
            settle(&pools, &watch, finding).await;
            settle(&pools, &watch, making).await;
            settle(&pools, &watch, entering).await;
        });
        if let Err(error) = settled.await {
            tracing::error!(%error, "a group of sign-ins was dropped");
        }
    }
}

/// Answers those of a group who still wait.
async fn settle<Q: Grouped>(pools: &Pools, watch: &Watch, mut group: Vec<Waiting<Q>>) {
    group.retain(|waiting| !waiting.reply.is_closed());
    if group.is_empty() {
        return;
    }
    let (questions, replies): (Vec<_>, Vec<_>) = group
        .into_iter()
        .map(|waiting| (waiting.question, waiting.reply))
        .unzip();
    let answers = match watch.call(Q::WHAT, Q::answer(pools, &questions)).await {
        Ok(answers) => answers,
        Err(error) if error.failure() == StoreFailure::Failed && questions.len() > 1 => {
            for (question, reply) in questions.iter().zip(replies) {
                if reply.is_closed() {
                    continue;
                }
                let alone = Q::answer(pools, slice::from_ref(question));
                let answer = match watch.call(Q::WHAT, alone).await {
                    Ok(answers) => own::<Q>(watch, answers.into_iter().next()),
                    Err(error) => Err(error),
                };
                let _ = reply.send(answer);
            }
            return;
        }
        Err(error) => {
            for reply in replies {
                let _ = reply.send(Err(error.clone()));
            }
            return;
        }
    };
    let mut answers = answers.into_iter();
    for reply in replies {
        // One who is gone needs none.
        let _ = reply.send(own::<Q>(watch, answers.next()));
    }
}

/// One member's own answer.
fn own<Q: Grouped>(
    watch: &Watch,
    answer: Option<sqlx::Result<Q::Answer>>,
) -> Result<Q::Answer, StoreError> {
    answer
        .unwrap_or(Err(Error::RowNotFound))
        .map_err(|error| watch.failed(Q::WHAT, error))
}

const BY_NAME: &str = "SELECT j.key, l.id, l.login, l.password, b.reason, CAST(b.expires_at AS CHAR) \
     FROM json_each(?) j CROSS JOIN login l ON l.login = j.value \
     LEFT JOIN lobby_ban b ON b.idUser = l.id ORDER BY j.key, b.expires_at DESC";
const BY_ID: &str = "SELECT j.key, l.id, l.login, l.password, b.reason, CAST(b.expires_at AS CHAR) \
     FROM json_each(?) j CROSS JOIN login l ON l.id = j.value \
     LEFT JOIN lobby_ban b ON b.idUser = l.id ORDER BY j.key, b.expires_at DESC";

impl Grouped for Who {
    type Answer = Option<Found>;
    const WHAT: &'static str = "find accounts";
    const WRITES: bool = false;

    fn asked(waiting: Waiting<Self>) -> Asked {
        Asked::Find(waiting)
    }

    async fn answer(
        pools: &Pools,
        group: &[Self],
    ) -> sqlx::Result<Vec<sqlx::Result<Option<Found>>>> {
        let mut answers: Vec<_> = group.iter().map(|_| Ok(None)).collect();
        let names = group.iter().map(|who| match who {
            Self::Name(login) => Some(login.as_str()),
            Self::Id(_) => None,
        });
        let ids = group.iter().map(|who| match who {
            Self::Name(_) => None,
            Self::Id(id) => Some(*id),
        });
        let (names, ids): (Vec<_>, Vec<_>) = (names.collect(), ids.collect());
        let mut connection = pools.read.acquire().await?;
        look_up(&mut connection, BY_NAME, &names, &mut answers).await?;
        look_up(&mut connection, BY_ID, &ids, &mut answers).await?;
        Ok(answers)
    }
}

impl Grouped for Newcomer {
    type Answer = Option<Found>;
    const WHAT: &'static str = "make accounts";
    const WRITES: bool = true;

    fn asked(waiting: Waiting<Self>) -> Asked {
        Asked::Make(waiting)
    }

    async fn answer(
        pools: &Pools,
        group: &[Self],
    ) -> sqlx::Result<Vec<sqlx::Result<Option<Found>>>> {
        // Of two who want the same name, the first gets it.
        const INSERT: &str = "INSERT INTO login (login, password, email) \
             SELECT value ->> 0, value ->> 1, value ->> 2 FROM json_each(?) WHERE TRUE ON CONFLICT DO NOTHING";
        let row = |new: &Self| (new.login.clone(), new.password.clone(), email(&new.login));
        let rows = json(&group.iter().map(row).collect::<Vec<_>>())?;
        let names: Vec<_> = group.iter().map(|new| Some(new.login.as_str())).collect();
        let mut answers: Vec<_> = group.iter().map(|_| Ok(None)).collect();
        sqlx::query(INSERT).bind(rows).execute(&pools.write).await?;
        let mut connection = pools.read.acquire().await?;
        look_up(&mut connection, BY_NAME, &names, &mut answers).await?;
        Ok(answers)
    }
}

/// Looks some of a group up: those of whom there is a key. What is found goes to their places among the answers.
async fn look_up<K: Serialize + Sync>(
    connection: &mut SqliteConnection,
    sql: &'static str,
    keys: &[Option<K>],
    answers: &mut [sqlx::Result<Option<Found>>],
) -> sqlx::Result<()> {
    if keys.iter().all(Option::is_none) {
        return Ok(());
    }
    type Row = (i64, i64, String, String, Option<String>, Option<String>);
    let rows: Vec<Row> = sqlx::query_as(sql)
        .bind(json(keys)?)
        .fetch_all(connection)
        .await?;
    let mut last = None;
    for (place, id, login, password, reason, expires_at) in rows {
        // The first row of several has the longest ban.
        if last.replace(place) == Some(place) {
            continue;
        }
        let row: FoundRow = (id, login, password, reason, expires_at);
        let answer = usize::try_from(place)
            .ok()
            .and_then(|place| answers.get_mut(place));
        *answer.ok_or(Error::RowNotFound)? = found(row).map(Some);
    }
    Ok(())
}

impl Grouped for Arrival {
    type Answer = Account;
    const WHAT: &'static str = "record logins";
    const WRITES: bool = true;

    fn asked(waiting: Waiting<Self>) -> Asked {
        Asked::Enter(waiting)
    }

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
