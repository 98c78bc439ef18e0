//! Login tokens: the public keys they are signed with, and what makes one valid (spec: faf-lifecycle 3.2).

use std::{collections::HashMap, sync::Arc, time::Duration};

use jsonwebtoken::{
    Algorithm, DecodingKey, Validation, decode, decode_header,
    jwk::{AlgorithmParameters, JwkSet},
};
use tokio::{
    sync::{Mutex, RwLock},
    time::Instant,
};

use super::unix_now;

/// Longest that a fetch of the key set may take.
const FETCH_DEADLINE: Duration = Duration::from_secs(5);

/// Most bytes of a key set; real ones have two keys in 2 KiB.
const SET_BYTES: usize = 256 << 10;

/// Between two fetches that sign-ins ask for because there are no keys.
const FETCH_PAUSE: Duration = Duration::from_secs(5);

/// Keys are fetched at times divisible by this.
const REFRESH_S: u64 = 600;

/// Why a token is no good.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// Signature, key id, times, malformed, `scp` or `sub` missing or of the wrong kind.
    #[error("not valid")]
    Invalid,
    /// The scope `lobby` is missing.
    #[error("no permission")]
    NoPermission,
    /// There are no keys, and none could be had.
    #[error("no keys")]
    NoKeys,
}

/// Public keys by their id.
#[derive(Default)]
pub struct Keys(HashMap<String, DecodingKey>);

impl Keys {
    /// The RSA keys of a JWKS document; others are passed over.
    ///
    /// # Errors
    /// Not a JWKS document.
    pub fn parse(document: &[u8]) -> Result<Keys, serde_json::Error> {
        let set: JwkSet = serde_json::from_slice(document)?;
        let rsa = set
            .keys
            .iter()
            .filter(|key| matches!(key.algorithm, AlgorithmParameters::RSA(_)));
        let named = rsa
            .filter_map(|key| Some((key.common.key_id.clone()?, DecodingKey::from_jwk(key).ok()?)));
        Ok(Keys(named.collect()))
    }

    /// How many keys there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Whose token it is, at a time in Unix seconds.
///
/// # Errors
/// [`TokenError`]; a missing scope wins over a missing subject.
pub fn verify(token: &str, keys: &Keys, now: f64) -> Result<u32, TokenError> {
    let header = decode_header(token).map_err(|_| TokenError::Invalid)?;
    let key = header
        .kid
        .and_then(|kid| keys.0.get(&kid))
        .ok_or(TokenError::Invalid)?;
    let mut signature_only = Validation::new(Algorithm::RS256);
    signature_only.required_spec_claims.clear();
    signature_only.validate_exp = false;
    signature_only.validate_aud = false;
    let claims = decode::<serde_json::Value>(token, key, &signature_only)
        .map_err(|_| TokenError::Invalid)?
        .claims;
    check_times(&claims, now)?;
    let scope = claims.get("scp").ok_or(TokenError::Invalid)?;
    let permitted = match scope {
        serde_json::Value::Array(entries) => entries.iter().any(|entry| entry == "lobby"),
        serde_json::Value::String(text) => text.contains("lobby"),
        _ => return Err(TokenError::Invalid),
    };
    if !permitted {
        return Err(TokenError::NoPermission);
    }
    let subject = match claims.get("sub") {
        Some(serde_json::Value::Number(number)) => number.as_u64(),
        Some(serde_json::Value::String(text)) => text.trim().parse().ok(),
        _ => None,
    };
    subject
        .and_then(|id| u32::try_from(id).ok())
        .ok_or(TokenError::Invalid)
}

/// `exp`, `nbf` and `iat`, each if present, without leeway.
fn check_times(claims: &serde_json::Value, now: f64) -> Result<(), TokenError> {
    let time = |name| match claims.get(name) {
        None => Ok(None),
        Some(value) => value.as_f64().map(Some).ok_or(TokenError::Invalid),
    };
    let expired = time("exp")?.is_some_and(|at| at <= now);
    let early = time("nbf")?.is_some_and(|at| at > now) || time("iat")?.is_some_and(|at| at > now);
    if expired || early {
        Err(TokenError::Invalid)
    } else {
        Ok(())
    }
}

/// The keys in force, and how they are kept so.
pub struct KeyRing {
    url: Option<String>,
    client: reqwest::Client,
    keys: RwLock<Arc<Keys>>,
    last_fetch: Mutex<Option<Instant>>,
}

impl std::fmt::Debug for KeyRing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("KeyRing")
            .field("url", &self.url)
            .finish_non_exhaustive()
    }
}

impl KeyRing {
    /// A ring without keys yet; with no URL it will never have any.
    ///
    /// # Errors
    /// The TLS set-up is refused.
    pub fn new(url: Option<String>) -> reqwest::Result<Self> {
        let client = super::http_client(FETCH_DEADLINE)?;
        Ok(KeyRing {
            url,
            client,
            keys: RwLock::default(),
            last_fetch: Mutex::default(),
        })
    }

    /// Whose token it is. Without any keys a fetch is tried, one at a time and not too often.
    ///
    /// # Errors
    /// [`TokenError`]
    pub async fn verify(&self, token: &str) -> Result<u32, TokenError> {
        let mut keys = self.keys.read().await.clone();
        if keys.is_empty() {
            let mut last_fetch = self.last_fetch.lock().await;
            if last_fetch.is_none_or(|at| at.elapsed() >= FETCH_PAUSE) {
                self.refresh().await;
                *last_fetch = Some(Instant::now());
            }
            keys = self.keys.read().await.clone();
        }
        if keys.is_empty() {
            return Err(TokenError::NoKeys);
        }
        verify(token, &keys, unix_now())
    }

    /// Fetches the keys now and at every tenth minute of the hour.
    pub async fn keep_fresh(&self) {
        if self.url.is_none() {
            return;
        }
        loop {
            {
                let mut last_fetch = self.last_fetch.lock().await;
                self.refresh().await;
                *last_fetch = Some(Instant::now());
            }
            let left = REFRESH_S - (unix_now() as u64) % REFRESH_S;
            tokio::time::sleep(Duration::from_secs(left)).await;
        }
    }

    /// One fetch; if it fails the old keys stay.
    async fn refresh(&self) {
        let Some(url) = &self.url else { return };
        match self.fetch(url).await {
            Ok(keys) => {
                tracing::info!(keys = keys.len(), "fetched the keys for tokens");
                *self.keys.write().await = Arc::new(keys);
            }
            Err(error) => {
                tracing::warn!(%error, "can't fetch the keys for tokens; keeping the old ones")
            }
        }
    }

    async fn fetch(&self, url: &str) -> anyhow::Result<Keys> {
        let mut answer = self.client.get(url).send().await?.error_for_status()?;
        let mut document = Vec::new();
        while let Some(part) = answer.chunk().await? {
            document.extend_from_slice(&part);
            anyhow::ensure!(
                document.len() <= SET_BYTES,
                "the key set is longer than {SET_BYTES} bytes"
            );
        }
        Ok(Keys::parse(&document)?)
    }
}
