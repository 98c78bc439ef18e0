//! The keys that login tokens are signed with, and the check of a token (spec: faf-lifecycle 3.2).
//!
//! [`verify`] is pure: keys and time go in. [`KeyRing`] is what fetches the keys and keeps them fresh.
//!
//! A token may name a key that nobody here knows: the identity provider has changed it, or a stranger has made the name up.
//! Only a fetch can tell, so there is one at once, but one for all who wait, and not more often than every few seconds.

use std::collections::HashMap;
use std::sync::{Arc, RwLock};
use std::time::Duration;

use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use metrics::SharedCounter;
use serde_json::Value;
use tokio::sync::Semaphore;
use tokio::time::Instant;

use super::{http_client, refresh, signature, unix_now};
use crate::BoxedLocal;

/// Logins without any keys, or with a key that is not known, cause a fetch, but not more often than this.
const RETRY_AFTER: Duration = Duration::from_secs(5);
/// A fetch may take this long; somebody may be waiting in front of a login window.
const FETCH_TIMEOUT: Duration = Duration::from_secs(5);
/// Sign-ins with an unknown key that wait for a fetch. More are refused: half of all sign-ins that are handled at once must
/// not depend on what strangers write into tokens while the key server hangs.
const UNKNOWN_WAITING: usize = 32;
/// A key document is a few kilobytes. What is longer than this is something else.
const MAX_DOCUMENT_BYTES: usize = 256 * 1024;
/// The scope that lets somebody in.
const SCOPE: &str = "lobby";

metrics::metrics! {
    /// What is counted of the keys.
    pub struct Metrics {
        /// Fetches of the keys for login tokens.
        fetches: SharedCounter = Sum "muster_keys_fetches_total";
        /// Fetches of the keys for login tokens that brought none.
        fetches_failed: SharedCounter = Sum "muster_keys_fetches_failed_total";
        /// Tokens with a key that is not known, not even after a fetch if one was due.
        unknown: SharedCounter = Sum "muster_keys_unknown_total";
    }
}

/// Why a token is not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// Malformed, unknown key, wrong signature, expired, not valid yet, or a claim missing or of the wrong kind.
    #[error("token signature was invalid")]
    Invalid,
    /// The scope `lobby` is not among those granted.
    #[error("token lacks the scope `lobby`")]
    NoPermission,
    /// The subject is a number that no account can have.
    #[error("no account has the token's id")]
    NoSuchId,
}

/// Why there are no new keys.
#[derive(Debug, thiserror::Error)]
pub enum KeysError {
    /// The key server.
    #[error("the key server can't be reached or refuses")]
    Http(#[from] reqwest::Error),
    /// Longer than `MAX_DOCUMENT_BYTES`.
    #[error("the key document is too long")]
    TooLong,
    /// No JWKS document.
    #[error("the key document is not understood")]
    Malformed(#[from] serde_json::Error),
    /// A document without a single usable key.
    #[error("the key document holds no RSA key")]
    Empty,
    /// No address is configured.
    #[error("no key server is configured")]
    Unconfigured,
}

/// RSA public keys by `kid`.
#[derive(Clone, Default)]
pub struct Keys(HashMap<String, DecodingKey>);

impl Keys {
    /// Reads a JWKS document. Keys of other kinds, and entries that make no sense, are passed over.
    ///
    /// # Errors
    /// [`KeysError::Malformed`], [`KeysError::Empty`]
    pub fn from_jwks(document: &[u8]) -> Result<Self, KeysError> {
        signature::install();
        let document: Value = serde_json::from_slice(document)?;
        let entries = document
            .get("keys")
            .and_then(Value::as_array)
            .map(Vec::as_slice)
            .unwrap_or_default();
        let mut keys = HashMap::with_capacity(entries.len());
        for entry in entries {
            let text = |name: &str| entry.get(name).and_then(Value::as_str);
            if text("kty") != Some("RSA") {
                continue;
            }
            let (Some(kid), Some(n), Some(e)) = (text("kid"), text("n"), text("e")) else {
                continue;
            };
            if let Ok(key) = DecodingKey::from_rsa_components(n, e) {
                keys.insert(kid.to_owned(), key);
            }
        }
        if keys.is_empty() {
            Err(KeysError::Empty)
        } else {
            Ok(Self(keys))
        }
    }

    /// Whether the key is among them that a token says it is signed with. One that names none needs none.
    fn fit(&self, token: &str) -> bool {
        let header = jsonwebtoken::decode_header(token).ok();
        let kid = header.and_then(|header| header.kid);
        kid.is_none_or(|kid| self.0.contains_key(&kid))
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Checks a token and returns the player id in it (spec: faf-lifecycle 3.2, faf-messages 3.2). `now_unix` is in whole
/// seconds; there is no leeway. Audience and issuer are nobody's business here.
///
/// # Errors
/// The first [`TokenError`] in the order: header and key, signature, times, scope, subject.
pub fn verify(token: &str, keys: &Keys, now_unix: i64) -> Result<u32, TokenError> {
    let header = jsonwebtoken::decode_header(token).map_err(|_| TokenError::Invalid)?;
    let key = header
        .kid
        .and_then(|kid| keys.0.get(&kid))
        .ok_or(TokenError::Invalid)?;

    // The library checks the signature only: its clock is its own, and its rules for times differ from ours.
    let mut only_signature = Validation::new(Algorithm::RS256);
    only_signature.required_spec_claims.clear();
    only_signature.validate_exp = false;
    only_signature.validate_nbf = false;
    only_signature.validate_aud = false;
    let claims: Value = jsonwebtoken::decode(token, key, &only_signature)
        .map_err(|_| TokenError::Invalid)?
        .claims;

    let moment = |name: &str| {
        claims
            .get(name)
            .map(|value| whole_seconds(value).ok_or(TokenError::Invalid))
            .transpose()
    };
    let begun = |name: &str| Ok(moment(name)?.is_none_or(|at| at <= now_unix));
    if !begun("iat")? || !begun("nbf")? || moment("exp")?.is_some_and(|end| end <= now_unix) {
        return Err(TokenError::Invalid);
    }

    let granted = match claims.get("scp") {
        Some(Value::Array(scopes)) => scopes.iter().any(|scope| scope == SCOPE),
        Some(Value::String(scopes)) => scopes.contains(SCOPE),
        _ => return Err(TokenError::Invalid),
    };
    if !granted {
        return Err(TokenError::NoPermission);
    }

    let subject = match claims.get("sub") {
        Some(Value::Number(number)) => number.as_i64(),
        Some(Value::String(text)) => text.trim().parse().ok(),
        _ => None,
    };
    u32::try_from(subject.ok_or(TokenError::Invalid)?).map_err(|_| TokenError::NoSuchId)
}

/// A time claim: a number, fractions cut off, or a text that is an integer.
fn whole_seconds(value: &Value) -> Option<i64> {
    match value {
        Value::Number(number) => number
            .as_i64()
            .or_else(|| number.as_f64().map(|float| float as i64)),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    }
}

/// The keys in use, and where they come from.
pub struct KeyRing {
    url: Option<String>,
    client: reqwest::Client,
    keys: RwLock<Option<Arc<Keys>>>,
    /// Held during a fetch, so there is one at a time; inside, when the last one ended.
    fetched: tokio::sync::Mutex<Option<Instant>>,
    /// Places for those who wait because of an unknown key.
    waiting: Semaphore,
    metrics: Arc<Metrics>,
}

impl KeyRing {
    /// A ring that is still empty. Without a URL it stays so, and no token is ever accepted.
    ///
    /// # Errors
    /// [`KeysError::Http`] if the TLS set-up is refused.
    pub fn new(url: Option<String>, metrics: Arc<Metrics>) -> Result<Self, KeysError> {
        let client = http_client(FETCH_TIMEOUT)?;
        Ok(Self {
            url,
            client,
            keys: RwLock::default(),
            fetched: tokio::sync::Mutex::default(),
            waiting: Semaphore::new(UNKNOWN_WAITING),
            metrics,
        })
    }

    /// A ring with keys that are never fetched, for servers without a network.
    ///
    /// # Errors
    /// [`KeysError::Http`] if the TLS set-up is refused.
    pub fn fixed(keys: Keys) -> Result<Self, KeysError> {
        let ring = Self::new(None, Arc::default())?;
        ring.put(keys);
        Ok(ring)
    }

    /// The keys. Without any, tries to fetch them, at most every five seconds; those who come meanwhile wait for the
    /// same fetch. Still none: `None`.
    pub async fn current(&self) -> Option<Arc<Keys>> {
        if let Some(keys) = self.known() {
            return Some(keys);
        }
        let mut fetched = self.fetched.lock().await;
        if self.known().is_none() {
            self.fetch_if_due(&mut fetched).await;
        }
        self.known()
    }

    /// The keys to check this token with: as [`KeyRing::current`], but if the token's key is not among them, fetched anew
    /// if that is due. Then it may still not be.
    pub async fn for_token(&self, token: &str) -> Option<Arc<Keys>> {
        let mut keys = self.current().await?;
        if !keys.fit(token)
            && let Ok(_place) = self.waiting.try_acquire()
        {
            let mut fetched = self.fetched.lock().await;
            keys = self.known()?;
            if !keys.fit(token) {
                self.fetch_if_due(&mut fetched).await;
                keys = self.known()?;
            }
        }
        if !keys.fit(token) {
            self.metrics.unknown.up();
        }
        Some(keys)
    }

    async fn fetch_if_due(&self, fetched: &mut Option<Instant>) {
        if fetched.is_none_or(|at| at.elapsed() >= RETRY_AFTER) {
            self.fetch_and_log().await;
            *fetched = Some(Instant::now());
        }
    }

    /// Fetches the keys now. A failure keeps the old ones and is only logged.
    pub async fn refresh(&self) {
        let mut fetched = self.fetched.lock().await;
        self.fetch_and_log().await;
        *fetched = Some(Instant::now());
    }

    /// Fetches at once, and then at every minute divisible by ten (spec: faf-lifecycle 17). Never ends.
    pub fn keep_fresh(&self) -> BoxedLocal<'_, ()> {
        Box::pin(async move {
            if self.url.is_none() {
                return;
            }
            self.refresh().await;
            // Without keys a login asks for them: no need to be quicker than the clock.
            let again = async || {
                self.refresh().await;
                true
            };
            refresh::keep_fresh(unix_now, true, again).await;
        })
    }

    fn known(&self) -> Option<Arc<Keys>> {
        self.keys
            .read()
            .expect("nothing panics while it holds this lock")
            .clone()
    }

    fn put(&self, keys: Keys) {
        *self
            .keys
            .write()
            .expect("nothing panics while it holds this lock") = Some(Arc::new(keys));
    }

    async fn fetch_and_log(&self) {
        if self.url.is_some() {
            self.metrics.fetches.up();
        }
        match self.fetch().await {
            Ok(keys) => {
                tracing::debug!(keys = keys.len(), "fetched the keys for login tokens");
                self.put(keys);
            }
            Err(KeysError::Unconfigured) => {}
            Err(error) => {
                self.metrics.fetches_failed.up();
                tracing::warn!(%error, cause = ?std::error::Error::source(&error), "no new keys")
            }
        }
    }

    async fn fetch(&self) -> Result<Keys, KeysError> {
        let url = self.url.as_deref().ok_or(KeysError::Unconfigured)?;
        let mut response = self.client.get(url).send().await?.error_for_status()?;
        let mut document = Vec::new();
        while let Some(chunk) = response.chunk().await? {
            if document.len() + chunk.len() > MAX_DOCUMENT_BYTES {
                return Err(KeysError::TooLong);
            }
            document.extend_from_slice(&chunk);
        }
        Keys::from_jwks(&document)
    }
}

#[cfg(test)]
#[path = "keys_tests.rs"]
mod tests;
