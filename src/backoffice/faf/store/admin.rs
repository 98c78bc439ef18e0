//! What the operator does to accounts: make, list, ban, pardon.

use crate::unix_now;

use super::Store;
use super::rows::narrow;
use crate::store::{StoreError, on_either, time};

/// What a ban keeps somebody from (spec: faf-database 2.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BanLevel {
    /// Talking.
    Chat,
    /// Signing in; the only one this server enforces.
    Global,
    /// Uploading.
    Vault,
}

impl BanLevel {
    fn as_sql(self) -> &'static str {
        match self {
            Self::Chat => "CHAT",
            Self::Global => "GLOBAL",
            Self::Vault => "VAULT",
        }
    }
}

/// A ban to be spoken.
#[derive(Clone, Debug)]
pub struct NewBan<'a> {
    /// Who is banned.
    pub player_id: u32,
    /// Who bans; an operator without an account signs as the player themselves.
    pub author_id: u32,
    /// Shown to the player.
    pub reason: &'a str,
    /// Unix seconds; `None` is forever.
    pub expires_at: Option<f64>,
    /// What from.
    pub level: BanLevel,
}

/// One line of the list of accounts.
#[derive(Clone, Debug, PartialEq)]
pub struct AccountLine {
    /// `login.id`
    pub id: u32,
    /// `login.login`
    pub login: String,
    /// `YYYY-MM-DD HH:MM:SS`, UTC, if ever.
    pub last_login: Option<String>,
    /// End of the ban in force, Unix seconds.
    pub banned_until: Option<f64>,
}

impl Store {
    /// Makes an account and returns its id; `None` if the name, the e-mail address or
    /// the wanted id is taken. Without a wanted id it is the next free one. Safe against another one
    /// doing the same: the database decides who was first.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn create_account(
        &self,
        id: Option<u32>,
        login: &str,
        password: &str,
        email: &str,
    ) -> Result<Option<u32>, StoreError> {
        const INSERT: &str = "INSERT INTO login (id, login, password, email) VALUES (?, ?, ?, ?)";
        const ID: &str = "SELECT CAST(id AS SIGNED) FROM login WHERE login = ?";
        self.database.call("create account", async {
            let outcome = on_either!(self.database.write, pool => {
                let query = sqlx::query(INSERT).bind(id.map(i64::from)).bind(login).bind(password).bind(email);
                query.execute(pool).await.map(|_| ())
            });
            match outcome {
                Err(sqlx::Error::Database(error)) if error.is_unique_violation() => return Ok(None),
                outcome => outcome?,
            }
            let id: i64 = on_either!(self.database.read, pool => sqlx::query_scalar(ID).bind(login).fetch_one(pool).await?);
            narrow(id).map(Some)
        })
        .await
    }

    /// All accounts, oldest first.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn list_accounts(&self) -> Result<Vec<AccountLine>, StoreError> {
        const SQL: &str = "SELECT CAST(l.id AS SIGNED), l.login, CAST(l.last_login AS CHAR), \
             CAST(MAX(b.expires_at) AS CHAR) FROM login l LEFT JOIN lobby_ban b ON b.idUser = l.id \
             GROUP BY l.id, l.login, l.last_login ORDER BY l.id";
        let now = unix_now();
        self.database
            .call("list accounts", async {
                let rows: Vec<(i64, String, Option<String>, Option<String>)> =
                    on_either!(self.database.read, pool => sqlx::query_as(SQL).fetch_all(pool).await?);
                let line = |(id, login, last_login, until): (
                    i64,
                    String,
                    Option<String>,
                    Option<String>,
                )| {
                    let banned_until = until
                        .as_deref()
                        .and_then(time::parse)
                        .filter(|until| *until > now);
                    Ok(AccountLine {
                        id: narrow(id)?,
                        login,
                        last_login,
                        banned_until,
                    })
                };
                rows.into_iter().map(line).collect()
            })
            .await
    }

    /// Speaks a ban. It takes effect at the next login, hosting or joining (spec: faf-lifecycle 3.7).
    ///
    /// # Errors
    /// [`StoreError::Refused`] if one of the two has no account; else as ever.
    pub async fn ban(&self, ban: &NewBan<'_>) -> Result<(), StoreError> {
        const SQL: &str = "INSERT INTO ban (player_id, author_id, reason, expires_at, level) VALUES (?, ?, ?, ?, ?)";
        self.database.call("ban", async {
            on_either!(self.database.write, pool => {
                let query = sqlx::query(SQL).bind(i64::from(ban.player_id)).bind(i64::from(ban.author_id));
                let query = query.bind(ban.reason).bind(ban.expires_at.map(time::format)).bind(ban.level.as_sql());
                query.execute(pool).await.map(|_| ())
            })
        })
        .await
    }

    /// Bans in force that keep somebody from signing in, those that last longest first, so many at most: name, reason, end.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn bans_in_force(&self, most: u32) -> Result<Vec<(String, String, f64)>, StoreError> {
        const SQL: &str = "SELECT l.login, b.reason, CAST(b.expires_at AS CHAR) FROM lobby_ban b \
             JOIN login l ON l.id = b.idUser ORDER BY b.expires_at DESC LIMIT ?";
        let now = unix_now();
        self.database
            .call("bans in force", async {
                let rows: Vec<(String, Option<String>, Option<String>)> = on_either!(self.database.read, pool => {
                    sqlx::query_as(SQL).bind(i64::from(most)).fetch_all(pool).await?
                });
                let in_force = |(login, reason, until): (String, Option<String>, Option<String>)| {
                    let until = time::parse(&until?).filter(|until| *until > now)?;
                    Some((login, reason.unwrap_or_default(), until))
                };
                Ok(rows.into_iter().filter_map(in_force).collect())
            })
            .await
    }

    /// Revokes all bans in force that keep a player from signing in; returns how many there were.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn unban(
        &self,
        player_id: u32,
        author_id: u32,
        reason: &str,
    ) -> Result<u64, StoreError> {
        const SQL: &str = "UPDATE ban SET revoke_time = ?, revoke_author_id = ?, revoke_reason = ? \
             WHERE player_id = ? AND level = 'GLOBAL' AND COALESCE(revoke_time, expires_at, '2999-12-31 00:00:00') > ?";
        let now = time::format(unix_now());
        self.database
            .call("unban", async {
                on_either!(self.database.write, pool => {
                    let query = sqlx::query(SQL).bind(&now).bind(i64::from(author_id)).bind(reason);
                    let query = query.bind(i64::from(player_id)).bind(&now);
                    query.execute(pool).await.map(|done| done.rows_affected())
                })
            })
            .await
    }
}
