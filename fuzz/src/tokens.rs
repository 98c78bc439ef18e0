//! Login tokens and key documents: any text is a token that names a player, or refused for a reason.

use std::sync::OnceLock;

use backoffice::keys::{self, Keys};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use crate::input::Input;

#[path = "../../tests/support/tokens.rs"]
mod signing;

const JWKS: &[u8] = include_bytes!("../../tests/fixtures/token-keys.jwks.json");
const NOW: i64 = 1_700_000_000;

pub(crate) fn run(data: &[u8]) {
    let mut input = Input::new(data);
    match input.below(4) {
        0 => {
            if let Ok(keys) = Keys::from_jwks(input.rest()) {
                assert!(!keys.is_empty());
                let _ = keys::verify("a.b.c", &keys, NOW);
            }
        }
        1 => {
            let token = String::from_utf8_lossy(input.rest()).into_owned();
            assert!(
                keys::verify(&token, known(), NOW).is_err(),
                "nobody has signed it"
            );
        }
        2 => {
            let [header, claims] =
                [input.bytes(), input.rest()].map(|part| URL_SAFE_NO_PAD.encode(part));
            let token = format!("{header}.{claims}.AAAA");
            assert!(
                keys::verify(&token, known(), NOW).is_err(),
                "nobody has signed it"
            );
        }
        _ => signed(&mut input),
    }
}

/// Claims that we have signed, which takes a thousand times as long as the rest.
fn signed(input: &mut Input<'_>) {
    let claims: Value = match serde_json::from_slice(input.rest()) {
        Ok(claims) => claims,
        Err(_) => return,
    };
    let header = json!({"alg": "RS256", "typ": "JWT", "kid": "k1"});
    let token = signing::signed(&header, &claims);
    if let Ok(player) = keys::verify(&token, known(), NOW) {
        let subject = &claims["sub"];
        let named = subject
            .as_u64()
            .or_else(|| subject.as_str()?.trim().parse().ok());
        assert_eq!(named, Some(u64::from(player)));
        assert!(claims["scp"].to_string().contains("lobby"));
    }
}

fn known() -> &'static Keys {
    static KEYS: OnceLock<Keys> = OnceLock::new();
    KEYS.get_or_init(|| Keys::from_jwks(JWKS).expect("the document is in order"))
}
