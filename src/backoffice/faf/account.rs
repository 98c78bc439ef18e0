//! What `muster account …` does. Each function returns what is to be printed.

use std::fmt::Write as _;

use rand::TryRng as _;
use rand::rngs::SysRng;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::is_login_name;
use super::store::{AccountLine, BanLevel, Found, NewBan, Store, Who};
use crate::store::StoreError;
use crate::{Boxed, Whose, unix_now};

/// Random bytes in a generated password: 96 bits, 24 characters.
const PASSWORD_BYTES: usize = 12;

/// Why nothing was done.
#[derive(Debug, thiserror::Error)]
pub enum AccountError {
    /// The shared database's accounts are made by the services it belongs to.
    #[error("accounts of a shared database are not managed here; use the service they belong to")]
    NotEmbedded,
    /// Not a name for an account.
    #[error("a name has 1 to 20 letters, digits, `_` or `-`")]
    BadName,
    /// Somebody has it.
    #[error("there is an account of that name already")]
    Taken,
    /// Nobody has it.
    #[error("there is no account of that name")]
    Unknown,
    /// An empty password, or a ban without a length in time.
    #[error("{0}")]
    BadValue(&'static str),
    /// The system has no randomness to give.
    #[error("no random numbers to be had: {0}")]
    Random(rand::rngs::SysError),
    /// Its games are others' as well.
    #[error(
        "{0} has played games, which go only with --games; a ban keeps the account out and the games"
    )]
    HasPlayed(String),
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What is stored for a password, and what clients send (spec: faf-messages 3.3): lower-case hex SHA-256.
pub fn password_hash(password: &str) -> String {
    hex(&Sha256::digest(password.as_bytes()))
}

/// `muster account add NAME [--password P] [--id N]`: makes an account; without a password, makes one up and tells it.
///
/// # Errors
/// [`AccountError`]
pub fn add<'a>(
    store: &'a Store,
    name: &'a str,
    password: Option<&'a str>,
    id: Option<u32>,
) -> Boxed<'a, Result<String, AccountError>> {
    Box::pin(async move {
        embedded(store)?;
        if !is_login_name(name) {
            return Err(AccountError::BadName);
        }
        let generated = match password {
            Some("") => {
                return Err(AccountError::BadValue(
                    "a password has at least one character",
                ));
            }
            Some(_) => None,
            None => Some(generate_password()?),
        };
        let hash = password_hash(password.or(generated.as_deref()).unwrap_or_default());
        let email = format!("{}@accounts.invalid", name.to_ascii_lowercase());
        let id = store
            .create_account(id, name, &hash, &email)
            .await?
            .ok_or(AccountError::Taken)?;
        Ok(match generated {
            Some(password) => format!("added {name} (id {id}), password {password}\n"),
            None => format!("added {name} (id {id})\n"),
        })
    })
}

/// `muster account list [--prefix P]`: one line per account: id, name, last login, ban.
///
/// # Errors
/// [`AccountError`]
pub fn list<'a>(store: &'a Store, prefix: &'a str) -> Boxed<'a, Result<String, AccountError>> {
    Box::pin(async move {
        let now = unix_now();
        let mut text = String::new();
        for account in lines(store, prefix).await? {
            let last = account.last_login.as_deref().unwrap_or("never");
            let _ = write!(text, "{:>8}  {:<20}  {last:<19}", account.id, account.login);
            if let Some(until) = account.banned_until {
                let _ = write!(
                    text,
                    "  banned for {:.1} more hours",
                    (until - now) / 3_600.0
                );
            }
            text.push('\n');
        }
        Ok(text)
    })
}

/// The same for programs.
///
/// # Errors
/// [`AccountError`]
pub fn listed<'a>(
    store: &'a Store,
    prefix: &'a str,
) -> Boxed<'a, Result<Vec<Value>, AccountError>> {
    Box::pin(async move {
        let all = lines(store, prefix).await?;
        Ok(all.iter().map(line_shown).collect())
    })
}

/// `muster account show NAME`: what is known of it.
///
/// # Errors
/// [`AccountError`]
pub fn show<'a>(store: &'a Store, name: &'a str) -> Boxed<'a, Result<Value, AccountError>> {
    Box::pin(async move {
        let Found { identity, ban, .. } = account(store, name).await?;
        let all = lines(store, &identity.login).await?;
        let line = all.iter().find(|line| line.id == identity.id);
        let mut shown = line.map(line_shown).ok_or(AccountError::Unknown)?;
        shown["ban_reason"] = ban.map(|ban| ban.reason).into();
        shown["games"] = store.games_of(identity.id).await?.into();
        Ok(shown)
    })
}

/// `muster account delete NAME|--prefix P [--games]`: takes accounts away with all that is theirs. Games are others' as well, so
/// whoever has played some stays, unless these are to go too.
///
/// # Errors
/// [`AccountError`]
pub fn delete<'a>(
    store: &'a Store,
    whose: Whose<'a>,
    with_games: bool,
) -> Boxed<'a, Result<String, AccountError>> {
    Box::pin(async move {
        embedded(store)?;
        let accounts: Vec<(u32, String)> = match whose {
            Whose::Account(name) => {
                let Found { identity, .. } = account(store, name).await?;
                vec![(identity.id, identity.login)]
            }
            Whose::Prefix(prefix) => {
                let all = lines(store, prefix).await?.into_iter();
                all.map(|line| (line.id, line.login)).collect()
            }
        };
        let (mut deleted, mut stay) = (0, Vec::new());
        for (id, name) in accounts {
            if with_games || store.games_of(id).await? == 0 {
                store.delete_account(id).await?;
                deleted += 1;
            } else {
                stay.push(name);
            }
        }
        let why = "played games, which go only with --games";
        match (whose, &stay[..]) {
            (Whose::Account(_), [name]) => Err(AccountError::HasPlayed(name.clone())),
            (_, []) => Ok(format!("deleted {deleted} accounts\n")),
            (_, stay) => Ok(format!(
                "deleted {deleted} accounts; {} have {why}: {}\n",
                stay.len(),
                stay.join(", ")
            )),
        }
    })
}

fn line_shown(line: &AccountLine) -> Value {
    json!({
        "id": line.id,
        "name": line.login,
        "last_login": line.last_login,
        "banned_until": line.banned_until,
    })
}

async fn lines(store: &Store, prefix: &str) -> Result<Vec<AccountLine>, AccountError> {
    embedded(store)?;
    let prefix = prefix.to_lowercase();
    let mut all = store.list_accounts().await?;
    all.retain(|line| line.login.to_lowercase().starts_with(&prefix));
    Ok(all)
}

/// `muster account ban NAME --reason R [--hours H]`: keeps somebody out, forever unless told how long. It takes effect
/// at the next login, hosting or joining.
///
/// # Errors
/// [`AccountError`]
pub fn ban<'a>(
    store: &'a Store,
    name: &'a str,
    reason: &'a str,
    hours: Option<f64>,
) -> Boxed<'a, Result<String, AccountError>> {
    Box::pin(async move {
        let found = account(store, name).await?;
        if hours.is_some_and(|hours| !(hours > 0.0 && hours < 8_000_000.0)) {
            return Err(AccountError::BadValue(
                "hours are more than 0 and less than 8 million",
            ));
        }
        let id = found.identity.id;
        let expires_at = hours.map(|hours| unix_now() + hours * 3_600.0);
        store
            .ban(&NewBan {
                player_id: id,
                author_id: id,
                reason,
                expires_at,
                level: BanLevel::Global,
            })
            .await?;
        Ok(match hours {
            Some(hours) => format!("banned {} for {hours} hours\n", found.identity.login),
            None => format!("banned {} forever\n", found.identity.login),
        })
    })
}

/// `muster account unban NAME`: revokes what is in force.
///
/// # Errors
/// [`AccountError`]
pub fn unban<'a>(store: &'a Store, name: &'a str) -> Boxed<'a, Result<String, AccountError>> {
    Box::pin(async move {
        let Found { identity, .. } = account(store, name).await?;
        let revoked = store
            .unban(identity.id, identity.id, "revoked by the operator")
            .await?;
        Ok(match revoked {
            0 => format!("{} was not banned\n", identity.login),
            _ => format!("{} may come back\n", identity.login),
        })
    })
}

/// Bans an account of whatever store from signing in, for so many seconds or for good; its name as it is stored.
///
/// # Errors
/// [`AccountError`]
pub fn keep_out<'a>(
    store: &'a Store,
    name: &'a str,
    reason: &'a str,
    seconds: Option<u64>,
) -> Boxed<'a, Result<String, AccountError>> {
    Box::pin(async move {
        let Found { identity, .. } = known(store, name).await?;
        let ban = NewBan {
            player_id: identity.id,
            author_id: identity.id,
            reason,
            expires_at: seconds.map(|seconds| unix_now() + seconds as f64),
            level: BanLevel::Global,
        };
        store.ban(&ban).await?;
        Ok(identity.login)
    })
}

/// Revokes an account's bans in whatever store; its name, and how many there were.
///
/// # Errors
/// [`AccountError`]
pub fn let_in<'a>(
    store: &'a Store,
    name: &'a str,
) -> Boxed<'a, Result<(String, u64), AccountError>> {
    Box::pin(async move {
        let Found { identity, .. } = known(store, name).await?;
        let why = "revoked by the operator";
        let revoked = store.unban(identity.id, identity.id, why).await?;
        Ok((identity.login, revoked))
    })
}

async fn known(store: &Store, name: &str) -> Result<Found, AccountError> {
    let found = store.find(Who::Name(name.to_owned())).await?;
    found.ok_or(AccountError::Unknown)
}

fn embedded(store: &Store) -> Result<(), AccountError> {
    if store.is_embedded() {
        Ok(())
    } else {
        Err(AccountError::NotEmbedded)
    }
}

async fn account(store: &Store, name: &str) -> Result<Found, AccountError> {
    embedded(store)?;
    known(store, name).await
}

fn generate_password() -> Result<String, AccountError> {
    let mut bytes = [0; PASSWORD_BYTES];
    SysRng
        .try_fill_bytes(&mut bytes)
        .map_err(AccountError::Random)?;
    Ok(hex(&bytes))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::StoreSettings;

    #[tokio::test]
    async fn an_account_from_cradle_to_pardon() {
        let store = Store::open("sqlite::memory:", &StoreSettings::default())
            .await
            .unwrap();
        assert_eq!(
            add(&store, "Ann", Some("secret"), None).await.unwrap(),
            "added Ann (id 1)\n"
        );
        assert!(matches!(
            add(&store, "ANN", None, None).await,
            Err(AccountError::Taken)
        ));
        assert!(matches!(
            add(&store, "A n n", None, None).await,
            Err(AccountError::BadName)
        ));
        let told = add(&store, "Bob", None, None).await.unwrap();
        let password = told.trim_end().rsplit(' ').next().unwrap();
        assert_eq!(password.len(), 2 * PASSWORD_BYTES);
        let bob = known(&store, "bob").await.unwrap();
        assert_eq!(bob.password, password_hash(password));

        assert_eq!(
            ban(&store, "bob", "rude", Some(2.0)).await.unwrap(),
            "banned Bob for 2 hours\n"
        );
        assert!(matches!(
            ban(&store, "bob", "rude", Some(-1.0)).await,
            Err(AccountError::BadValue(_))
        ));
        assert!(matches!(
            ban(&store, "eve", "rude", None).await,
            Err(AccountError::Unknown)
        ));
        let lines = list(&store, "").await.unwrap();
        assert!(
            lines.contains("1  Ann")
                && lines.contains("2  Bob")
                && lines.contains("banned for 2.0"),
            "{lines}"
        );
        assert_eq!(unban(&store, "bob").await.unwrap(), "Bob may come back\n");
        assert_eq!(unban(&store, "bob").await.unwrap(), "Bob was not banned\n");
        assert!(store.ban_of(2).await.unwrap().is_none());
    }

    #[tokio::test]
    async fn accounts_of_a_test_go_with_what_is_theirs() {
        let store = Store::open("sqlite::memory:", &StoreSettings::default())
            .await
            .unwrap();
        for name in ["test_a", "Test_b", "testify"] {
            add(&store, name, Some("secret"), None).await.unwrap();
        }
        ban(&store, "test_a", "rude", None).await.unwrap();
        let shown = show(&store, "TEST_A").await.unwrap();
        assert_eq!(
            (&shown["name"], &shown["ban_reason"]),
            (&json!("test_a"), &json!("rude"))
        );
        assert_eq!(shown["games"], 0);
        assert_eq!(listed(&store, "test_").await.unwrap().len(), 2);
        let told = delete(&store, Whose::Prefix("test_"), false).await.unwrap();
        assert_eq!(told, "deleted 2 accounts\n");
        assert_eq!(listed(&store, "").await.unwrap().len(), 1);
        let gone = delete(&store, Whose::Account("test_a"), false).await;
        assert!(matches!(gone, Err(AccountError::Unknown)));
    }

    #[test]
    fn the_hash_is_what_clients_send() {
        assert_eq!(
            password_hash("abc"),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
    }
}
