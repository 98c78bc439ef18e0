//! What `muster account --lobby cockatrice …` does. Each function returns what is to be printed.

use std::{fmt::Write as _, str::FromStr};

use cockatrice::accounts::{Level, hash};
use lobby::cockatrice::{account::Account, questions::BanKeys};
use serde_json::{Value, json};

use super::passwords::token;
use super::store::{Column, Found, NewAccount, Store};
use crate::{Boxed, Whose, store::StoreError};

/// Characters of a name, at most: the column's.
const NAME_CHARACTERS: usize = 35;

/// Why nothing was done.
#[derive(Debug, thiserror::Error)]
pub enum AccountError {
    /// Not a name for an account.
    #[error("a name has 1 to 35 letters, digits, `_`, `.` or `-`")]
    BadName,
    /// Somebody has it.
    #[error("there is an account of that name already")]
    Taken,
    /// Nobody has it.
    #[error("there is no account of that name")]
    Unknown,
    /// An empty password, or a ban that would end at once or never be over.
    #[error("{0}")]
    BadValue(&'static str),
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
}

const NO_PASSWORD: AccountError = AccountError::BadValue("a password has at least one character");

/// What an account may do beside what everybody may.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Right {
    /// Nothing.
    User,
    /// A judge in games.
    Judge,
    /// A moderator.
    Moderator,
    /// An administrator, who is a moderator too.
    Administrator,
}

/// As they are typed and shown.
const RIGHTS: [(&str, Right); 4] = [
    ("user", Right::User),
    ("judge", Right::Judge),
    ("moderator", Right::Moderator),
    ("administrator", Right::Administrator),
];

impl FromStr for Right {
    type Err = &'static str;

    fn from_str(word: &str) -> Result<Right, Self::Err> {
        let right = RIGHTS.iter().find(|(known, _)| *known == word);
        let right = right.map(|(_, right)| *right);
        right.ok_or("a right is user, judge, moderator or administrator")
    }
}

/// Several rights as a column has them (spec: cockatrice-behaviour 1).
fn bits(rights: &[Right]) -> u32 {
    rights.iter().fold(0, |bits, right| {
        bits | match right {
            Right::User => 0,
            Right::Judge => 4,
            Right::Moderator => 2,
            Right::Administrator => 1,
        }
    })
}

/// Makes an account; without a password, makes one up and tells it.
///
/// # Errors
/// [`AccountError`]
pub fn add<'a>(
    store: &'a Store,
    name: &'a str,
    password: Option<&'a str>,
    rights: &'a [Right],
) -> Boxed<'a, Result<String, AccountError>> {
    Box::pin(async move {
        let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-');
        if !(1..=NAME_CHARACTERS).contains(&name.len()) || !name.chars().all(is_plain) {
            return Err(AccountError::BadName);
        }
        if password == Some("") {
            return Err(NO_PASSWORD);
        }
        // Asked before it is tried: what a database refuses is logged as its fault.
        if store.find(name).await?.is_some() {
            return Err(AccountError::Taken);
        }
        let made_up = password.is_none().then(token);
        let password = password.or(made_up.as_deref()).unwrap_or_default();
        let new = NewAccount {
            name,
            password: &hash(password, &token()),
            email: "",
            country: "",
            real_name: "",
            token: None,
            admin: bits(rights),
        };
        let id = store.create(&new).await?.ok_or(AccountError::Taken)?;
        Ok(match made_up {
            Some(password) => format!("added {name} (id {id}), password {password}\n"),
            None => format!("added {name} (id {id})\n"),
        })
    })
}

/// One line per account: id, name, what it is.
///
/// # Errors
/// [`AccountError`]
pub fn list<'a>(store: &'a Store, prefix: &'a str) -> Boxed<'a, Result<String, AccountError>> {
    Box::pin(async move {
        let mut text = String::new();
        for account in all(store, prefix).await? {
            let _ = writeln!(
                text,
                "{:>8}  {:<35}  {}",
                account.id,
                account.name,
                shown(account.level())
            );
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
        let accounts = all(store, prefix).await?;
        Ok(accounts.iter().map(account_shown).collect())
    })
}

/// What is known of an account.
///
/// # Errors
/// [`AccountError`]
pub fn show<'a>(store: &'a Store, name: &'a str) -> Boxed<'a, Result<Value, AccountError>> {
    Box::pin(async move {
        let Found {
            account, active, ..
        } = found(store, name).await?;
        let keys = BanKeys {
            name: account.name.clone(),
            ..BanKeys::default()
        };
        let ban = store.ban_of(&keys).await?;
        let mut known = account_shown(&account);
        known["email"] = (*account.email).into();
        known["client"] = (*account.client_id).into();
        known["active"] = active.into();
        known["registered_s_ago"] = account.age_s.into();
        known["banned_until"] = ban.as_ref().and_then(|ban| ban.until).into();
        known["ban_reason"] = ban.map(|ban| ban.reason.into_string()).into();
        Ok(known)
    })
}

/// Takes accounts away with all that is theirs: lists, decks, access to replays, warnings.
///
/// # Errors
/// [`AccountError`]
pub fn delete<'a>(store: &'a Store, whose: Whose<'a>) -> Boxed<'a, Result<String, AccountError>> {
    Box::pin(async move {
        let accounts = match whose {
            Whose::Account(name) => vec![found(store, name).await?.account],
            Whose::Prefix(prefix) => all(store, prefix).await?,
        };
        for account in &accounts {
            store.delete(account.id, &account.name).await?;
        }
        Ok(format!("deleted {} accounts\n", accounts.len()))
    })
}

async fn all(store: &Store, prefix: &str) -> Result<Vec<Account>, AccountError> {
    let prefix = prefix.to_lowercase();
    let mut all = store.all().await?;
    all.retain(|account| account.name.to_lowercase().starts_with(&prefix));
    Ok(all)
}

fn account_shown(account: &Account) -> Value {
    json!({
        "id": account.id,
        "name": &*account.name,
        "right": shown(account.level()),
    })
}

fn shown(level: Level) -> &'static str {
    match (level.is_admin(), level.is_moderator(), level.is_judge()) {
        (true, ..) => "administrator",
        (_, true, true) => "moderator, judge",
        (_, true, _) => "moderator",
        (_, _, true) => "judge",
        _ => "user",
    }
}

/// Makes an account what it is to be from its next login on.
///
/// # Errors
/// [`AccountError`]
pub fn set_right<'a>(
    store: &'a Store,
    name: &'a str,
    rights: &'a [Right],
) -> Boxed<'a, Result<String, AccountError>> {
    Box::pin(async move {
        let Found { account, .. } = found(store, name).await?;
        store.set(account.id, Column::Admin(bits(rights))).await?;
        let told = shown(Level::of_account(bits(rights)));
        Ok(format!("{} is now: {told}\n", account.name))
    })
}

/// Gives an account another password, or one that is made up and told. It then counts at once and need not be changed.
///
/// # Errors
/// [`AccountError`]
pub fn set_password<'a>(
    store: &'a Store,
    name: &'a str,
    password: Option<&'a str>,
) -> Boxed<'a, Result<String, AccountError>> {
    Box::pin(async move {
        if password == Some("") {
            return Err(NO_PASSWORD);
        }
        let Found { account, .. } = found(store, name).await?;
        let made_up = password.is_none().then(token);
        let password = password.or(made_up.as_deref()).unwrap_or_default();
        let stored = hash(password, &token());
        store.set_password(&account.name, &stored, false).await?;
        Ok(match made_up {
            Some(password) => format!("{} has the password {password}\n", account.name),
            None => format!("{} has that password\n", account.name),
        })
    })
}

/// Keeps somebody out, forever unless told how long.
///
/// # Errors
/// [`AccountError`]
pub fn ban<'a>(
    store: &'a Store,
    name: &'a str,
    reason: &'a str,
    hours: Option<u32>,
) -> Boxed<'a, Result<String, AccountError>> {
    Box::pin(async move {
        let minutes = hours.map_or(Some(0), |hours| hours.checked_mul(60).filter(|m| *m > 0));
        let minutes = minutes.ok_or(AccountError::BadValue(
            "hours are more than 0 and less than 71 million",
        ))?;
        let Found { account, .. } = found(store, name).await?;
        let keys = BanKeys {
            name: account.name.clone(),
            ..BanKeys::default()
        };
        store.ban(0, &keys, minutes, reason, reason).await?;
        Ok(match hours {
            Some(hours) => format!("banned {} for {hours} hours\n", account.name),
            None => format!("banned {} forever\n", account.name),
        })
    })
}

/// Who is kept out of a store's lobby.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Whom<'a> {
    /// An account, by its name.
    Account(&'a str),
    /// Whoever uses this installation of a client.
    Client(&'a str),
}

/// Bans somebody for so many seconds, rounded up to minutes, or for good; the accounts that this concerns.
///
/// # Errors
/// [`AccountError`]
pub fn keep_out<'a>(
    store: &'a Store,
    whom: Whom<'a>,
    reason: &'a str,
    seconds: Option<u64>,
) -> Boxed<'a, Result<Vec<Box<str>>, AccountError>> {
    Box::pin(async move {
        let minutes = seconds.map_or(Some(0), |seconds| {
            u32::try_from(seconds.div_ceil(60).max(1)).ok()
        });
        let minutes = minutes.ok_or(AccountError::BadValue("that is too long"))?;
        let (keys, accounts) = match whom {
            Whom::Account(name) => {
                let name = found(store, name).await?.account.name;
                let keys = BanKeys {
                    name: name.clone(),
                    ..BanKeys::default()
                };
                (keys, vec![name])
            }
            Whom::Client(id) => {
                let keys = BanKeys {
                    client_id: id.into(),
                    ..BanKeys::default()
                };
                (keys, store.of_client(id).await?)
            }
        };
        store.ban(0, &keys, minutes, reason, reason).await?;
        Ok(accounts)
    })
}

/// Lifts the bans of somebody; how many there were.
///
/// # Errors
/// [`AccountError`]
pub fn let_in<'a>(store: &'a Store, whom: Whom<'a>) -> Boxed<'a, Result<u64, AccountError>> {
    Box::pin(async move {
        Ok(match whom {
            Whom::Account(name) => {
                let name = found(store, name).await?.account.name;
                store.lift(&name).await?
            }
            Whom::Client(id) => store.lift_of_client(id).await?,
        })
    })
}

/// A ban in force: whether of an account, a client or an address, whose, why, and its end.
pub type KeptOut = (&'static str, String, String, Option<u64>);

/// Bans in force, the newest first, so many at most.
///
/// # Errors
/// [`AccountError`]
pub fn kept_out(store: &Store, most: u32) -> Boxed<'_, Result<Vec<KeptOut>, AccountError>> {
    Box::pin(async move { Ok(store.bans_in_force(most).await?) })
}

/// Lifts all bans of a name.
///
/// # Errors
/// [`AccountError`]
pub fn unban<'a>(store: &'a Store, name: &'a str) -> Boxed<'a, Result<String, AccountError>> {
    Box::pin(async move {
        Ok(match store.lift(name).await? {
            0 => format!("{name} was not banned\n"),
            _ => format!("{name} may come back\n"),
        })
    })
}

async fn found(store: &Store, name: &str) -> Result<Found, AccountError> {
    store.find(name).await?.ok_or(AccountError::Unknown)
}

#[cfg(test)]
mod tests {
    use super::*;
    use cockatrice::accounts::salt_of;

    use crate::store::StoreSettings;

    #[tokio::test]
    async fn an_account_from_cradle_to_pardon() {
        let settings = StoreSettings::default();
        let store = Store::open("sqlite::memory:", "", 1, &settings)
            .await
            .unwrap();
        let added = add(&store, "Ann", Some("secret"), &[Right::Administrator]).await;
        assert_eq!(added.unwrap(), "added Ann (id 1)\n");
        let again = add(&store, "ANN", None, &[Right::User]).await;
        assert!(matches!(again, Err(AccountError::Taken)));
        let bad = add(&store, "A n n", None, &[Right::User]).await;
        assert!(matches!(bad, Err(AccountError::BadName)));
        let told = add(&store, "bob.b", None, &[Right::User]).await.unwrap();
        assert!(told.starts_with("added bob.b (id 2), password "), "{told}");
        let right = set_right(&store, "BOB.B", &[Right::Judge, Right::Moderator]).await;
        assert_eq!(right.unwrap(), "bob.b is now: moderator, judge\n");
        assert_eq!("administrator".parse(), Ok(Right::Administrator));
        assert!("king".parse::<Right>().is_err());
        let told = set_password(&store, "bob.b", Some("other")).await;
        assert_eq!(told.unwrap(), "bob.b has that password\n");
        let found = store.find("bob.b").await.unwrap().unwrap();
        let sent = hash("other", salt_of(&found.password));
        assert_eq!(found.password, sent);
        let nobody = set_password(&store, "nobody", None).await;
        assert!(matches!(nobody, Err(AccountError::Unknown)));
        let lines = list(&store, "").await.unwrap();
        assert!(
            lines.contains("Ann ") && lines.contains("administrator"),
            "{lines}"
        );
        let banned = ban(&store, "bob.b", "rude", Some(2)).await;
        assert_eq!(banned.unwrap(), "banned bob.b for 2 hours\n");
        let too_long = ban(&store, "bob.b", "rude", Some(u32::MAX)).await;
        assert!(matches!(too_long, Err(AccountError::BadValue(_))));
        assert_eq!(
            unban(&store, "bob.b").await.unwrap(),
            "bob.b may come back\n"
        );
        assert_eq!(
            unban(&store, "bob.b").await.unwrap(),
            "bob.b was not banned\n"
        );
    }
}
