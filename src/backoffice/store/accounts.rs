//! What a login reads and writes (spec: faf-database 4.1).

use std::net::IpAddr;

use crate::backoffice::unix_now;
use crate::lobby::faf::asks::{Account, Avatar, Ban, StoreError, StoredRating};

use super::{Store, on_either, time};

/// `login.user_agent` holds this many characters (spec: faf-database 2.1); longer ones are cut (spec: faf-lifecycle 3.4).
const USER_AGENT_CHARS: usize = 50;

/// A row of `login`: who somebody is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// `login.id`
    pub id: u32,
    /// `login.login`, in its stored spelling.
    pub login: String,
}

/// An account as the check of a login sees it.
#[derive(Clone)]
pub struct Found {
    /// Who.
    pub identity: Identity,
    /// Lower-case hex SHA-256. Not for logs, hence no `Debug`.
    pub password: String,
    /// The ban in force that lasts longest.
    pub ban: Option<Ban>,
}

/// id, login, password, reason and end of the longest ban.
type FoundRow = (i64, String, String, Option<String>, Option<String>);

impl Store {
    /// The account of that name, compared without case.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn account_by_name(&self, login: &str) -> Result<Option<Found>, StoreError> {
        const SQL: &str = "SELECT CAST(l.id AS SIGNED), l.login, l.password, b.reason, CAST(b.expires_at AS CHAR) \
             FROM login l LEFT JOIN lobby_ban b ON b.idUser = l.id WHERE l.login = ? \
             ORDER BY b.expires_at DESC LIMIT 1";
        let row: Option<FoundRow> = self
            .call("account by name", async {
                on_either!(self, pool => sqlx::query_as(SQL).bind(login).fetch_optional(pool).await)
            })
            .await?;
        row.map(found).transpose()
    }

    /// The account with that id.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn account_by_id(&self, id: u32) -> Result<Option<Found>, StoreError> {
        const SQL: &str = "SELECT CAST(l.id AS SIGNED), l.login, l.password, b.reason, CAST(b.expires_at AS CHAR) \
             FROM login l LEFT JOIN lobby_ban b ON b.idUser = l.id WHERE l.id = ? \
             ORDER BY b.expires_at DESC LIMIT 1";
        let row: Option<FoundRow> = self
            .call("account by id", async {
                on_either!(self, pool => sqlx::query_as(SQL).bind(i64::from(id)).fetch_optional(pool).await)
            })
            .await?;
        row.map(found).transpose()
    }

    /// The ban in force that lasts longest (spec: faf-lifecycle 3.7).
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn ban_of(&self, player_id: u32) -> Result<Option<Ban>, StoreError> {
        const SQL: &str = "SELECT reason, CAST(expires_at AS CHAR) FROM lobby_ban WHERE idUser = ? \
             ORDER BY expires_at DESC LIMIT 1";
        let row: Option<(Option<String>, Option<String>)> = self
            .call("ban", async {
                on_either!(self, pool => sqlx::query_as(SQL).bind(i64::from(player_id)).fetch_optional(pool).await)
            })
            .await?;
        Ok(row.and_then(|(reason, expires_at)| ban_in_force(reason, expires_at, unix_now())))
    }

    /// Notes where and with what somebody signed in (spec: faf-lifecycle 3.4).
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn record_login(
        &self,
        id: u32,
        from: IpAddr,
        user_agent: Option<&str>,
    ) -> Result<(), StoreError> {
        const SQL: &str =
            "UPDATE login SET ip = ?, user_agent = ?, last_login = CURRENT_TIMESTAMP WHERE id = ?";
        let ip = from.to_canonical().to_string();
        let user_agent =
            user_agent.map(|text| text.chars().take(USER_AGENT_CHARS).collect::<String>());
        self.call("record login", async {
            on_either!(self, pool => {
                let query = sqlx::query(SQL).bind(ip).bind(user_agent).bind(i64::from(id));
                query.execute(pool).await.map(|_| ())
            })
        })
        .await
    }

    /// Whether one of a player's groups has a permission, by its technical name (spec: faf-database 4.3).
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn has_permission(
        &self,
        player_id: u32,
        permission: &str,
    ) -> Result<bool, StoreError> {
        const SQL: &str = "SELECT 1 FROM user_group_assignment u \
             JOIN group_permission_assignment a ON a.group_id = u.group_id \
             JOIN group_permission p ON p.id = a.permission_id WHERE u.user_id = ? AND p.technical_name = ? LIMIT 1";
        let row: Option<(i64,)> = self
            .call("permission", async {
                on_either!(self, pool => {
                    let query = sqlx::query_as(SQL).bind(i64::from(player_id)).bind(permission);
                    query.fetch_optional(pool).await
                })
            })
            .await?;
        Ok(row.is_some())
    }

    /// Everything about a player that the lobby shows (spec: faf-lifecycle 6). The country is not the store's to know.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn load_account(&self, who: &Identity) -> Result<Account, StoreError> {
        self.call("load account", self.read_account(who)).await
    }

    /// On one connection, so that a login takes its turn in the pool once.
    async fn read_account(&self, who: &Identity) -> sqlx::Result<Account> {
        const GROUPS: &str = "SELECT g.technical_name FROM user_group_assignment a \
             JOIN user_group g ON g.id = a.group_id WHERE a.user_id = ? ORDER BY a.id";
        // `login.avatar_id` decides if it is set, as long as the player owns that avatar (N#1095); if it is null, or
        // the schema is too old to have it, the grant with the flag does.
        const AVATAR: &str = "SELECT v.url, v.tooltip FROM login l \
             JOIN avatars a ON a.idUser = l.id AND (a.idAvatar = l.avatar_id OR (l.avatar_id IS NULL AND a.selected = 1)) \
             JOIN avatars_list v ON v.id = a.idAvatar WHERE l.id = ? ORDER BY a.id LIMIT 1";
        const AVATAR_BY_FLAG: &str = "SELECT v.url, v.tooltip FROM avatars a \
             JOIN avatars_list v ON v.id = a.idAvatar WHERE a.idUser = ? AND a.selected = 1 ORDER BY a.id LIMIT 1";
        const CLAN: &str = "SELECT c.tag FROM clan_membership m JOIN clan c ON c.id = m.clan_id \
             WHERE m.player_id = ? LIMIT 1";
        const RATINGS: &str = "SELECT b.technical_name, CAST(r.mean AS CHAR), CAST(r.deviation AS CHAR), \
             CAST(r.total_games AS SIGNED) FROM leaderboard_rating r \
             JOIN leaderboard b ON b.id = r.leaderboard_id WHERE r.login_id = ? ORDER BY b.id";
        const RELATIONS: &str = "SELECT CAST(subject_id AS SIGNED), CAST(status AS CHAR) FROM friends_and_foes \
             WHERE user_id = ? ORDER BY subject_id";

        let avatar_sql = if self.has_avatar_id().await? {
            AVATAR
        } else {
            AVATAR_BY_FLAG
        };
        let id = i64::from(who.id);

        let (groups, avatar, clan, ratings, relations) = on_either!(self, pool => {
            let mut connection = pool.acquire().await?;
            let groups: Vec<String> = sqlx::query_scalar(GROUPS).bind(id).fetch_all(&mut *connection).await?;
            let avatar: Option<(Option<String>, Option<String>)> =
                sqlx::query_as(avatar_sql).bind(id).fetch_optional(&mut *connection).await?;
            let clan: Option<String> = sqlx::query_scalar(CLAN).bind(id).fetch_optional(&mut *connection).await?;
            let ratings: Vec<(String, String, String, i64)> =
                sqlx::query_as(RATINGS).bind(id).fetch_all(&mut *connection).await?;
            let relations: Vec<(i64, String)> =
                sqlx::query_as(RELATIONS).bind(id).fetch_all(&mut *connection).await?;
            (groups, avatar, clan, ratings, relations)
        });

        let mut account = Account {
            id: who.id,
            login: who.login.clone(),
            groups,
            clan,
            ..Account::default()
        };
        if let Some((Some(url), Some(tooltip))) = avatar {
            account.avatar = Avatar { url, tooltip }.shown();
        }
        for (leaderboard, mean, deviation, games) in ratings {
            account.ratings.push(StoredRating {
                leaderboard,
                mean: six_digits(&mean)?,
                deviation: six_digits(&deviation)?,
                games: u32::try_from(games).unwrap_or(0),
            });
        }
        for (subject, status) in relations {
            let subject = narrow(subject)?;
            if status == "FRIEND" {
                account.friends.push(subject)
            } else {
                account.foes.push(subject)
            }
        }
        Ok(account)
    }
}

fn found((id, login, password, reason, expires_at): FoundRow) -> Result<Found, StoreError> {
    let id = narrow(id).map_err(|_| StoreError::Failed)?;
    let ban = ban_in_force(reason, expires_at, unix_now());
    Ok(Found {
        identity: Identity { id, login },
        password,
        ban,
    })
}

/// A ban counts while its end lies ahead (spec: faf-lifecycle 3.7).
fn ban_in_force(reason: Option<String>, expires_at: Option<String>, now: f64) -> Option<Ban> {
    let expires_at = time::parse(&expires_at?)?;
    (expires_at > now).then(|| Ban {
        reason: reason.unwrap_or_default(),
        expires_at,
    })
}

/// An id is 32 bits at most (spec: faf-database 1).
pub(super) fn narrow(id: i64) -> sqlx::Result<u32> {
    u32::try_from(id).map_err(|error| sqlx::Error::Decode(error.into()))
}

/// A FLOAT column as the reference reads it: six significant digits (spec: faf-observed, Login). MariaDB's text has no
/// more already; the embedded store's has.
fn six_digits(text: &str) -> sqlx::Result<f64> {
    let exact: f64 = text
        .parse()
        .map_err(|error: std::num::ParseFloatError| sqlx::Error::Decode(error.into()))?;
    Ok(format!("{exact:.5e}").parse().unwrap_or(exact))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn floats_have_six_significant_digits() {
        assert_eq!(six_digits("1765.5119").unwrap(), 1765.51);
        assert_eq!(six_digits("62.52").unwrap(), 62.52);
        assert_eq!(six_digits("-0.000123456789").unwrap(), -0.000123457);
        assert_eq!(six_digits("2000.0").unwrap(), 2000.0);
        assert!(six_digits("x").is_err());
    }

    #[test]
    fn a_ban_ends_at_its_end() {
        let ban = |now| ban_in_force(Some("why".into()), Some("1970-01-01 00:01:40".into()), now);
        assert_eq!(
            ban(99.9),
            Some(Ban {
                reason: "why".into(),
                expires_at: 100.0
            })
        );
        assert_eq!(ban(100.0), None);
        assert_eq!(ban_in_force(None, None, 0.0), None);
    }
}
