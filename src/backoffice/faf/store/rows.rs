//! Rows of accounts as data: who somebody is, and their ban (spec: faf-database 4.1). Nothing here asks a database.

use std::net::IpAddr;

use crate::unix_now;
use lobby::faf::questions::Ban;

use crate::store::time;

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
    /// Account id and name.
    pub identity: Identity,
    /// Lower-case hex SHA-256. Not for logs, hence no `Debug`.
    pub password: String,
    /// The ban in force that lasts longest.
    pub ban: Option<Ban>,
    /// Where it last signed in.
    pub last_address: Option<IpAddr>,
}

/// The number of the key that was looked up, then id, login, password, reason and end of the longest ban, and `login.ip`.
pub(super) type FoundRow = (i64, i64, String, String, Text, Text, Text);
type Text = Option<String>;

/// An address as `login.ip` holds it.
pub(super) fn stored_ip(from: IpAddr) -> String {
    from.to_canonical().to_string()
}

/// As much of a client's name as `login.user_agent` holds.
pub(super) fn stored_user_agent(text: &str) -> String {
    text.chars().take(USER_AGENT_CHARS).collect()
}

/// What a row says of an account.
pub(super) fn found(row: FoundRow) -> sqlx::Result<Found> {
    let (_, id, login, password, reason, expires_at, ip) = row;
    let ban = ban_in_force(reason, expires_at, unix_now());
    Ok(Found {
        identity: Identity {
            id: narrow(id)?,
            login,
        },
        password,
        ban,
        last_address: ip.and_then(|ip| ip.parse().ok()),
    })
}

/// A ban counts while its end lies ahead (spec: faf-lifecycle 3.7).
pub(super) fn ban_in_force(
    reason: Option<String>,
    expires_at: Option<String>,
    now: f64,
) -> Option<Ban> {
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

#[cfg(test)]
mod tests {
    use super::*;

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
