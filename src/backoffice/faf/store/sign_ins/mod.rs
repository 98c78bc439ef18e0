//! Signing in: finding or making an account, then noting the arrival and reading everything about the player.
//!
//! A statement is a trip to the database and back, which costs several times what the statement does: when thousands come
//! at once, a group of them makes the trips of one. Nobody waits for a group to fill; it is whoever has come while the
//! one before was under way. What goes in groups differs: [`embedded`], [`served`].

mod embedded;
mod groups;
mod questions;
mod served;

use lobby::faf::questions::Account;

pub use questions::{Arrival, Who};
use questions::{Newcomer, email};

use super::{Found, Store};
use crate::store::{Database, Pool, StoreError};

/// Where those wait who sign in.
#[derive(Debug)]
pub(super) enum Queues {
    Embedded(embedded::Queues),
    Served(served::Queues),
}

impl Queues {
    /// Opens those of a database. They are kept until this is dropped, by tasks of the runtime that it is called in.
    pub(super) fn open(database: &Database) -> Self {
        let watch = &database.watch;
        match (&database.read, &database.sign_in) {
            (Pool::Sqlite(read), Pool::Sqlite(write)) => {
                let pools = embedded::Pools {
                    read: read.clone(),
                    write: write.clone(),
                };
                Self::Embedded(embedded::Queues::open(&pools, watch))
            }
            (_, Pool::MySql(pool)) => Self::Served(served::Queues::open(pool, watch)),
            _ => unreachable!("one database is one back end"),
        }
    }
}

impl Store {
    /// Finds an account.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn find(&self, who: Who) -> Result<Option<Found>, StoreError> {
        match &self.sign_ins {
            Queues::Embedded(queues) => queues.finding.ask(who).await,
            Queues::Served(queues) => queues.finding.ask(who).await,
        }
    }

    /// Makes an account of a name that nobody has, and gives it. Somebody may have been quicker: then it is their account,
    /// and their password. `None` if none can be made.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn welcome(&self, login: &str, password: &str) -> Result<Option<Found>, StoreError> {
        if let Queues::Embedded(queues) = &self.sign_ins {
            let (login, password) = (login.to_owned(), password.to_owned());
            return queues.writing.ask(Newcomer { login, password }).await;
        }
        self.create_account(None, login, password, &email(login))
            .await?;
        self.find(Who::Name(login.to_owned())).await
    }

    /// Notes where and with what somebody signed in (spec: faf-lifecycle 3.4), and reads everything about them that the
    /// lobby shows.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn enter(&self, arrival: Arrival) -> Result<Account, StoreError> {
        let queues = match &self.sign_ins {
            Queues::Embedded(queues) => return queues.writing.ask(arrival).await,
            Queues::Served(queues) => queues,
        };
        let Arrival {
            who,
            from,
            user_agent,
        } = arrival;
        // Alone: another service may have the row locked, and then nobody else waits for it.
        self.record_login(who.id, from, user_agent.as_deref())
            .await?;
        let has_avatar_id = self.has_avatar_id();
        let has_avatar_id = self.database.call("schema", has_avatar_id).await?;
        queues
            .showing
            .ask(served::Shown { who, has_avatar_id })
            .await
    }
}
