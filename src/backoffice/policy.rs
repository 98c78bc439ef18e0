//! The policy server: told of every login, its verdict ignored (spec: faf-lifecycle 3.5).

use std::time::Duration;

use serde::Serialize;

use super::http_client;

/// Somebody waits in front of a login window.
const TIMEOUT: Duration = Duration::from_secs(5);
/// A verdict is a word or two; its reading ends here.
const MAX_ANSWER_BYTES: usize = 64 * 1024;

/// Why the policy server counts as unreachable.
#[derive(Debug, thiserror::Error)]
pub enum PolicyError {
    /// Unreachable, too slow, or a status that is not 2xx.
    #[error("the policy server can't be reached or refuses")]
    Http(#[from] reqwest::Error),
    /// The answer is no JSON.
    #[error("the policy server's answer is not understood")]
    Malformed(#[from] serde_json::Error),
    /// The answer is longer than any verdict.
    #[error("the policy server's answer is too long")]
    TooLong,
}

/// The policy server.
pub struct Policy {
    url: String,
    client: reqwest::Client,
}

#[derive(Serialize)]
struct Report<'a> {
    player_id: u32,
    uid_hash: &'a str,
    session: u32,
}

impl Policy {
    /// A policy server under this address; the path `/verify` is added.
    ///
    /// # Errors
    /// [`PolicyError::Http`] if the TLS set-up is refused.
    pub fn new(base_url: &str) -> Result<Self, PolicyError> {
        let url = format!("{}/verify", base_url.trim_end_matches('/'));
        Ok(Self {
            url,
            client: http_client(TIMEOUT)?,
        })
    }

    /// Reports a login. What the server thinks of it does not matter; that it answered does.
    ///
    /// # Errors
    /// [`PolicyError`]
    pub async fn report(
        &self,
        player_id: u32,
        unique_id: &str,
        session: u32,
    ) -> Result<(), PolicyError> {
        let report = Report {
            player_id,
            uid_hash: unique_id,
            session,
        };
        let request = self
            .client
            .post(&self.url)
            .header("cache-control", "no-cache")
            .json(&report);
        let mut response = request.send().await?.error_for_status()?;
        let mut answer = Vec::new();
        while let Some(chunk) = response.chunk().await? {
            if answer.len() + chunk.len() > MAX_ANSWER_BYTES {
                return Err(PolicyError::TooLong);
            }
            answer.extend_from_slice(&chunk);
        }
        serde_json::from_slice::<serde::de::IgnoredAny>(&answer)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};

    use super::*;

    /// Answers one request and returns what was asked.
    fn serve(answer: &'static str) -> (String, std::thread::JoinHandle<String>) {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        let server = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut asked = String::new();
            while !asked.ends_with('}') {
                let mut some = [0; 1024];
                let read = stream.read(&mut some).unwrap();
                asked.push_str(std::str::from_utf8(&some[..read]).unwrap());
            }
            stream.write_all(answer.as_bytes()).unwrap();
            asked
        });
        (url, server)
    }

    #[tokio::test]
    async fn the_verdict_does_not_matter() {
        let (url, server) =
            serve("HTTP/1.1 200 OK\r\nContent-Length: 23\r\n\r\n{\"result\":\"fraudulent\"}");
        Policy::new(&url)
            .unwrap()
            .report(7, "hash", 99)
            .await
            .unwrap();
        let asked = server.join().unwrap();
        assert!(asked.starts_with("POST /verify HTTP/1.1\r\n"), "{asked}");
        assert!(
            asked.contains("content-type: application/json\r\n")
                && asked.contains("cache-control: no-cache\r\n")
        );
        assert!(
            asked.ends_with(r#"{"player_id":7,"uid_hash":"hash","session":99}"#),
            "{asked}"
        );
    }

    #[tokio::test]
    async fn a_refusal_or_nonsense_is_a_failure() {
        for answer in [
            "HTTP/1.1 500 Oops\r\nContent-Length: 2\r\n\r\n{}",
            "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n<p>",
        ] {
            let (url, server) = serve(answer);
            assert!(Policy::new(&url).unwrap().report(7, "", 1).await.is_err());
            server.join().unwrap();
        }
    }

    #[tokio::test]
    async fn nobody_there_is_a_failure() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        drop(listener);
        assert!(matches!(
            Policy::new(&url).unwrap().report(7, "", 1).await,
            Err(PolicyError::Http(_))
        ));
    }
}
