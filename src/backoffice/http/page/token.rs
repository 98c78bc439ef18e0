//! Who may act: whoever has the token that lies in the operator's file.

use std::{
    fs::File,
    io::{self, Read},
    net::IpAddr,
    path::Path,
    sync::{PoisonError, RwLock},
};

use hyper::header::HeaderValue;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::attempts::{Attempts, Came};

/// Characters of a token at the least: guessing one is hopeless.
const LEAST: usize = 32;
/// Bytes of its file at the most.
const MOST_BYTES: u64 = 4 << 10;
/// Wrong tokens of one address in a minute in the long run, and at once. More are refused unread.
const WRONG_PER_MINUTE: u32 = 10;
/// What stands before a token.
const SCHEME: &str = "Bearer ";

/// Why there is no token in a file.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// It can't be read.
    #[error("it can't be read: {0}")]
    Unread(#[from] io::Error),
    /// It is too short to be one.
    #[error(
        "a token has {LEAST} characters at the least, for example those of `openssl rand -hex 32`"
    )]
    Short,
    /// It is no line of text.
    #[error("a token is one line of printable ASCII characters, of {MOST_BYTES} bytes at the most")]
    Unfit,
}

/// What is kept of a token: enough to know it again.
#[derive(Clone, PartialEq, Eq)]
pub struct Token([u8; 32]);

impl Token {
    /// The token in this file, without white space around it.
    ///
    /// # Errors
    /// There is none.
    pub fn in_file(path: &Path) -> Result<Token, TokenError> {
        let mut text = Vec::new();
        File::open(path)?
            .take(MOST_BYTES + 1)
            .read_to_end(&mut text)?;
        let token = text.trim_ascii();
        let is_text = token.iter().all(u8::is_ascii_graphic);
        if text.len() as u64 > MOST_BYTES || !is_text {
            return Err(TokenError::Unfit);
        }
        if token.len() < LEAST {
            return Err(TokenError::Short);
        }
        Ok(Token::of(token))
    }

    fn of(token: &[u8]) -> Token {
        Token(Sha256::digest(token).into())
    }
}

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Token")
    }
}

/// Why somebody may not act.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// There is no token.
    Off,
    /// It was none, or not this one.
    Wrong,
    /// Too many were wrong: it was not looked at.
    TooMany,
}

/// Knows the token, and who has guessed at it.
#[derive(Debug)]
pub(super) struct Guard {
    token: RwLock<Option<Token>>,
    attempts: Attempts,
}

impl Default for Guard {
    fn default() -> Guard {
        Guard {
            token: RwLock::default(),
            attempts: Attempts::per_address(Some(WRONG_PER_MINUTE), WRONG_PER_MINUTE),
        }
    }
}

impl Guard {
    pub(super) fn admit(&self, token: Option<Token>) {
        *self.token.write().unwrap_or_else(PoisonError::into_inner) = token;
    }

    pub(super) fn has_token(&self) -> bool {
        let token = self.token.read().unwrap_or_else(PoisonError::into_inner);
        token.is_some()
    }

    /// Whether whoever has said this may act. It takes the same time whatever is wrong with a token.
    pub(super) fn check(
        &self,
        authorization: Option<&HeaderValue>,
        from: IpAddr,
    ) -> Result<(), Refusal> {
        let token = self.token.read().unwrap_or_else(PoisonError::into_inner);
        let token = token.clone().ok_or(Refusal::Off)?;
        let attempt = self.attempts.begin(Some(from), None);
        let attempt = attempt.ok_or(Refusal::TooMany)?;
        let said = authorization.map_or(&[][..], HeaderValue::as_bytes);
        let given = said.strip_prefix(SCHEME.as_bytes()).unwrap_or_default();
        let is_it = bool::from(Token::of(given).0.ct_eq(&token.0));
        let came = if is_it { Came::In } else { Came::Failed };
        self.attempts.end(attempt, came);
        is_it.then_some(()).ok_or(Refusal::Wrong)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOKEN: &str = "0123456789abcdef0123456789abcdef";

    fn read(text: &[u8]) -> Result<Token, TokenError> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        std::fs::write(&path, text).unwrap();
        Token::in_file(&path)
    }

    #[test]
    fn a_file_holds_a_token_or_it_is_said_why_not() {
        let plain = read(TOKEN.as_bytes()).unwrap();
        assert!(plain == read(format!("  {TOKEN}\n").as_bytes()).unwrap());
        assert!(matches!(
            read(&TOKEN.as_bytes()[1..]),
            Err(TokenError::Short)
        ));
        assert!(matches!(read(b"\n"), Err(TokenError::Short)));
        let two_lines = format!("{TOKEN}\n{TOKEN}\n");
        assert!(matches!(read(two_lines.as_bytes()), Err(TokenError::Unfit)));
        assert!(matches!(read(&[b'x'; 5_000]), Err(TokenError::Unfit)));
        let missing = Token::in_file(Path::new("/nowhere/token"));
        assert!(matches!(missing, Err(TokenError::Unread(_))));
        assert_eq!(format!("{plain:?}"), "Token");
    }

    #[test]
    fn only_the_token_admits_and_guessing_is_slow() {
        let guard = Guard::default();
        let (here, there) = ([127, 0, 0, 1].into(), [10, 0, 0, 1].into());
        let right = HeaderValue::from_static("Bearer 0123456789abcdef0123456789abcdef");
        assert_eq!(guard.check(Some(&right), here), Err(Refusal::Off));
        guard.admit(Some(Token::of(TOKEN.as_bytes())));
        for _ in 0..50 {
            assert_eq!(guard.check(Some(&right), here), Ok(()));
        }
        let wrong = [
            "Bearer ",
            "Bearer 0123456789abcdef0123456789abcdeF",
            TOKEN,
            "Basic x",
        ];
        for wrong in wrong {
            let wrong = HeaderValue::from_static(wrong);
            assert_eq!(guard.check(Some(&wrong), there), Err(Refusal::Wrong));
        }
        let refused: Vec<_> = (0..20).map(|_| guard.check(None, there)).collect();
        assert_eq!(refused[0], Err(Refusal::Wrong));
        assert_eq!(refused[19], Err(Refusal::TooMany));
        assert_eq!(guard.check(Some(&right), there), Err(Refusal::TooMany));
        assert_eq!(guard.check(Some(&right), here), Ok(()));
        guard.admit(None);
        assert_eq!(guard.check(Some(&right), here), Err(Refusal::Off));
    }
}
