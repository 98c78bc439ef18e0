//! The policy server: told of every sign-in; what it says is ignored (spec: faf-lifecycle 3.5).

use std::time::Duration;

/// How long it may take. A player waits for it.
const DEADLINE: Duration = Duration::from_secs(5);

/// Most bytes read of its answer.
const ANSWER_BYTES: usize = 64 << 10;

/// The policy server could not be told: the sign-in fails as an internal error.
#[derive(Debug, thiserror::Error)]
pub enum PolicyError {
    /// Unreachable, too slow, or a status other than success.
    #[error("policy server: {0}")]
    Http(#[from] reqwest::Error),
    /// Its answer is not JSON.
    #[error("policy server: the answer is not JSON")]
    NotJson,
}

/// A way to the policy server.
#[derive(Debug)]
pub struct Policy {
    client: reqwest::Client,
    url: String,
}

impl Policy {
    /// The server at this base address.
    ///
    /// # Errors
    /// The TLS set-up is refused.
    pub fn new(base_url: &str) -> reqwest::Result<Self> {
        let url = format!("{}/verify", base_url.trim_end_matches('/'));
        Ok(Policy {
            client: super::http_client(DEADLINE)?,
            url,
        })
    }

    /// Tells it of a sign-in.
    ///
    /// # Errors
    /// It was not told.
    pub async fn tell(
        &self,
        player_id: u32,
        unique_id: &str,
        session: u32,
    ) -> Result<(), PolicyError> {
        let body =
            serde_json::json!({"player_id": player_id, "uid_hash": unique_id, "session": session});
        let request = self
            .client
            .post(&self.url)
            .header("cache-control", "no-cache")
            .json(&body);
        let mut answer = request.send().await?.error_for_status()?;
        let mut bytes = Vec::new();
        while let Some(part) = answer.chunk().await? {
            bytes.extend_from_slice(&part);
            if bytes.len() > ANSWER_BYTES {
                return Err(PolicyError::NotJson);
            }
        }
        serde_json::from_slice::<serde::de::IgnoredAny>(&bytes)
            .map_err(|_| PolicyError::NotJson)?;
        Ok(())
    }
}
