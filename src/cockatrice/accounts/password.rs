//! Passwords as they are sent and stored (spec: cockatrice-wire 10.1).
//!
//! What is sent is what is stored: whoever can read one can sign in with it. A hash is a thousand rounds of SHA-512, about a
//! millisecond, and is not for a thread that others wait for.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use rand::{Rng, RngExt as _};
use sha2::{Digest, Sha512};
use subtle::ConstantTimeEq as _;

/// Characters of a salt, with which a hash begins.
const SALT_CHARACTERS: usize = 16;

/// Rounds of SHA-512.
const ROUNDS: usize = 1000;

/// What salts and tokens are made of. The reference has U+0000 in it too, which few things that handle texts expect.
const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// The salt, and the password hashed with it.
pub fn hash(password: &str, salt: &str) -> String {
    let mut sum = Sha512::new()
        .chain_update(salt)
        .chain_update(password)
        .finalize();
    for _ in 1..ROUNDS {
        sum = Sha512::digest(sum);
    }
    format!("{salt}{}", STANDARD.encode(sum))
}

/// The salt of a hash: its first 16 characters, all of a shorter one.
pub fn salt_of(hash: &str) -> &str {
    let end = hash.char_indices().nth(SALT_CHARACTERS);
    end.map_or(hash, |(at, _)| &hash[..at])
}

/// Whether a hash that was sent is the one that is stored. Nothing is right for an account without a hash.
pub fn is_right(sent: &[u8], stored: &str) -> bool {
    !stored.is_empty() && bool::from(sent.ct_eq(stored.as_bytes()))
}

/// Whether a password that was sent in clear is the one whose hash is stored. An empty one never is.
pub fn is_right_plain(sent: &str, stored: &str) -> bool {
    !sent.is_empty() && is_right(hash(sent, salt_of(stored)).as_bytes(), stored)
}

/// Sixteen letters and digits: a salt, a token that is sent by mail, a temporary password.
pub fn new_token(chance: &mut impl Rng) -> String {
    (0..SALT_CHARACTERS)
        .map(|_| char::from(ALPHABET[chance.random_range(0..ALPHABET.len())]))
        .collect()
}

#[cfg(test)]
mod tests {
    use rand::{SeedableRng, rngs::StdRng};

    use super::*;

    const BOBBY: &str = "0123456789abcdef/nl7tLlGHbfwaZHcfsL+SNhXAoxb/BLzdk8qsJRSmYwYNaWi4/f6TqXaD8HffilaLl3Y8cE6+jE25NMg0K8yhg==";

    #[test]
    fn hashes_are_those_of_the_specification() {
        assert_eq!(hash("bobbypass", "0123456789abcdef"), BOBBY);
        assert_eq!(
            hash("pässword", "AAAABBBBCCCCDDDD"),
            "AAAABBBBCCCCDDDDz+CS/5qgVMWKyrY4oitNGF1QyaHwhNaT90p4UQn8FE+Yo0ngv6AC0zxlGi13cIQ7vpvCPekaHckXY0EX9VQxyg=="
        );
        assert_eq!(salt_of(BOBBY), "0123456789abcdef");
        assert_eq!(salt_of("ä\0"), "ä\0");
    }

    #[test]
    fn a_password_is_right_hashed_and_in_clear() {
        assert!(is_right(BOBBY.as_bytes(), BOBBY));
        assert!(is_right_plain("bobbypass", BOBBY));
        assert!(!is_right(b"", BOBBY));
        assert!(!is_right(&BOBBY.as_bytes()[..103], BOBBY));
        assert!(!is_right_plain("Bobbypass", BOBBY));
        assert!(!is_right_plain("", BOBBY));
        assert!(!is_right(b"", "") && !is_right_plain("", ""));
        // Salts that the reference made may have U+0000 in them.
        let odd = hash("secret", "0123\x005678\x00abcdef");
        assert!(is_right_plain("secret", &odd));
    }

    #[test]
    fn tokens_are_letters_and_digits() {
        let mut chance = StdRng::seed_from_u64(7);
        let token = new_token(&mut chance);
        assert_eq!(token.len(), 16);
        assert!(token.bytes().all(|byte| byte.is_ascii_alphanumeric()));
        assert_ne!(token, new_token(&mut chance));
    }
}
