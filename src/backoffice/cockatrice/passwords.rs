//! What is stored of a password (spec: cockatrice-wire 10.1).
//!
//! Clients send a hash of it, and the reference stores just that, so whoever reads the database can sign in. With
//! `cockatrice.strong_passwords` a slow hash of what is sent stands behind the salt instead: only this server understands that. Both
//! forms are always checked, and the one that is wanted takes the other's place when somebody signs in.
//!
//! None of this is for a thread that others wait for: a plain password takes a millisecond, a slow hash some tens and 19 MiB.

use argon2::{
    Argon2,
    password_hash::{PasswordHasher as _, PasswordVerifier as _, phc::PasswordHash},
};
use cockatrice::accounts::{hash, is_right, new_token, salt_of};
use lobby::cockatrice::questions::Password;
use rand::{rand_core::UnwrapErr, rngs::SysRng};
use tokio::sync::Semaphore;

/// What the slow form begins with, behind the salt.
const SLOW: &str = "$argon2id$";
/// Hashes that are worked out at one time; each slow one takes 19 MiB.
const AT_ONCE: usize = 2;

/// Makes and checks what is stored.
#[derive(Debug)]
pub(super) struct Passwords {
    strong: bool,
    at_once: Semaphore,
}

/// Sixteen letters and digits that nobody can guess.
pub(super) fn token() -> String {
    // A system without randomness to give is not one to make passwords on: the question then stays without an answer of its own.
    new_token(&mut UnwrapErr(SysRng))
}

/// Whether a password was right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Checked {
    Wrong,
    /// It was; what is stored stays.
    Right,
    /// It was; this is to be stored in its place.
    Outdated(String),
}

impl Passwords {
    pub(super) fn new(strong: bool) -> Self {
        Passwords {
            strong,
            at_once: Semaphore::new(AT_ONCE),
        }
    }

    /// Whether it is the password of which this is stored.
    pub(super) async fn check(&self, sent: Password, stored: &str) -> Checked {
        let (stored, strong) = (stored.to_owned(), self.strong);
        self.work(move || check(&sent, &stored, strong))
            .await
            .unwrap_or(Checked::Wrong)
    }

    /// What is to be stored of it; `None`: there is no password.
    pub(super) async fn store(&self, sent: Password) -> Option<String> {
        let strong = self.strong;
        self.work(move || {
            let sent = match sent {
                Password::Plain(plain) => hash(&plain, &token()),
                Password::Hashed(hashed) if !hashed.is_empty() => hashed.into_string(),
                _ => return None,
            };
            if strong { slow(&sent) } else { Some(sent) }
        })
        .await
        .flatten()
    }

    /// Does work on a thread of its own, a few at a time. `None`: it panicked.
    async fn work<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Option<T> {
        let _place = self.at_once.acquire().await.ok()?;
        let done = tokio::task::spawn_blocking(work).await;
        if let Err(error) = &done {
            tracing::error!(%error, "a password could not be hashed");
        }
        done.ok()
    }
}

fn check(sent: &Password, stored: &str, strong: bool) -> Checked {
    let sent = match sent {
        Password::Plain(plain) if !plain.is_empty() => hash(plain, salt_of(stored)),
        Password::Hashed(hashed) => hashed.to_string(),
        _ => return Checked::Wrong,
    };
    let salt = salt_of(stored);
    let kept = &stored[salt.len()..];
    let is_slow = kept.starts_with(SLOW);
    let right = match is_slow {
        true => sent.starts_with(salt) && is_right_slow(&sent, kept),
        false => is_right(sent.as_bytes(), stored),
    };
    match right {
        false => Checked::Wrong,
        true if is_slow == strong => Checked::Right,
        true if strong => slow(&sent).map_or(Checked::Right, Checked::Outdated),
        true => Checked::Outdated(sent),
    }
}

fn is_right_slow(sent: &str, kept: &str) -> bool {
    let Ok(parsed) = PasswordHash::new(kept) else {
        return false;
    };
    Argon2::default()
        .verify_password(sent.as_bytes(), &parsed)
        .is_ok()
}

/// The slow form of what is sent; `None` if it could not be made.
fn slow(sent: &str) -> Option<String> {
    let hashed = Argon2::default().hash_password_with_salt(sent.as_bytes(), token().as_bytes());
    let hashed =
        hashed.inspect_err(|error| tracing::error!(%error, "a password could not be hashed"));
    Some(format!("{}{}", salt_of(sent), hashed.ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(text: &str) -> Password {
        Password::Plain(text.into())
    }

    #[tokio::test]
    async fn a_password_is_right_in_either_form() {
        for strong in [false, true] {
            let passwords = Passwords::new(strong);
            let stored = passwords.store(plain("alicepass")).await.unwrap();
            assert!(
                stored.len() <= 120,
                "the column has 120 characters: {stored}"
            );
            let hashed = Password::Hashed(hash("alicepass", salt_of(&stored)).into());
            for right in [plain("alicepass"), hashed] {
                assert_eq!(passwords.check(right, &stored).await, Checked::Right);
            }
            let stored_itself = Password::Hashed(stored.clone().into());
            let is_enough = passwords.check(stored_itself, &stored).await == Checked::Right;
            assert_eq!(is_enough, !strong, "whoever reads the database can sign in");
            for wrong in [plain("alicepas"), plain(""), Password::Missing] {
                assert_eq!(passwords.check(wrong, &stored).await, Checked::Wrong);
            }
        }
    }

    #[tokio::test]
    async fn what_is_stored_takes_the_form_that_is_wanted() {
        let (usual, strong) = (Passwords::new(false), Passwords::new(true));
        let stored = usual.store(plain("alicepass")).await.unwrap();
        let Checked::Outdated(slow) = strong.check(plain("alicepass"), &stored).await else {
            panic!("it is of the other form");
        };
        assert_eq!(salt_of(&slow), salt_of(&stored), "clients have the salt");
        let back = usual.check(plain("alicepass"), &slow).await;
        assert_eq!(back, Checked::Outdated(stored));
    }

    #[tokio::test]
    async fn nothing_is_right_where_nothing_is_stored() {
        let passwords = Passwords::new(true);
        for sent in [plain("x"), Password::Hashed("".into())] {
            assert_eq!(passwords.check(sent, "").await, Checked::Wrong);
        }
        assert_eq!(passwords.store(Password::Missing).await, None);
    }
}
