//! Who may take part: both sides show that they have the secret without saying it. What is said afterwards is not hidden from
//! those between them.

use std::fmt;
use std::path::Path;

use anyhow::{Context as _, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::hmac;
use ring::rand::{SecureRandom as _, SystemRandom};

/// A shorter one could be guessed.
const SHORTEST: usize = 16;
const NONCE_BYTES: usize = 24;

/// Which side shows that it has the secret: what one has said is of no use to the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    Lead,
    Worker,
}

/// What all who take part in a run know.
pub(super) struct Secret {
    key: hmac::Key,
}

impl fmt::Debug for Secret {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Secret")
    }
}

impl Secret {
    /// On loopback anybody may take part.
    pub(super) fn none() -> Secret {
        Secret::new(b"")
    }

    fn new(bytes: &[u8]) -> Secret {
        Secret {
            key: hmac::Key::new(hmac::HMAC_SHA256, bytes),
        }
    }

    /// The secret in this file, white space around it left out.
    pub(super) fn read(file: &Path) -> anyhow::Result<Secret> {
        let text = std::fs::read_to_string(file)
            .with_context(|| format!("cannot read {}", file.display()))?;
        let text = text.trim();
        ensure!(
            text.len() >= SHORTEST,
            "the secret in {} must have at least {SHORTEST} characters",
            file.display()
        );
        Ok(Secret::new(text.as_bytes()))
    }

    /// Shows that this side has the secret, to whoever has asked with `nonces` of both sides.
    pub(super) fn proof(&self, side: Side, nonces: [&str; 2]) -> String {
        let tag = hmac::sign(&self.key, &claim(side, nonces));
        STANDARD.encode(tag.as_ref())
    }

    /// Whether the other side has it as well; takes the same time whatever differs.
    pub(super) fn is_shown(&self, side: Side, nonces: [&str; 2], proof: &str) -> bool {
        let proof = STANDARD.decode(proof);
        proof.is_ok_and(|proof| hmac::verify(&self.key, &claim(side, nonces), &proof).is_ok())
    }
}

fn claim(side: Side, [lead, worker]: [&str; 2]) -> Vec<u8> {
    format!("swarm {side:?} {} {lead} {worker}", lead.len()).into_bytes()
}

/// What nobody has seen before.
pub(super) fn nonce() -> anyhow::Result<String> {
    let mut bytes = [0; NONCE_BYTES];
    let filled = SystemRandom::new().fill(&mut bytes);
    ensure!(filled.is_ok(), "the system gives no random bytes");
    Ok(STANDARD.encode(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_same_secret_side_and_question_are_taken() {
        let secret = Secret::new(b"0123456789abcdef");
        let proof = secret.proof(Side::Worker, ["a", "b"]);
        assert!(secret.is_shown(Side::Worker, ["a", "b"], &proof));
        assert!(!secret.is_shown(Side::Lead, ["a", "b"], &proof));
        assert!(!secret.is_shown(Side::Worker, ["a", "c"], &proof));
        assert!(!secret.is_shown(Side::Worker, ["a", "b"], "no base64"));
        assert!(!secret.is_shown(Side::Worker, ["a", "b"], ""));
        assert!(!Secret::none().is_shown(Side::Worker, ["a", "b"], &proof));
        assert_ne!(nonce().expect("random"), nonce().expect("random"));
    }

    #[test]
    fn a_short_secret_is_refused() {
        let file = std::env::temp_dir().join(format!("swarm-secret-{}", std::process::id()));
        std::fs::write(&file, "short\n").expect("written");
        let error = Secret::read(&file).expect_err("too short").to_string();
        std::fs::remove_file(&file).expect("removed");
        assert!(error.contains("at least 16"), "{error}");
    }
}
