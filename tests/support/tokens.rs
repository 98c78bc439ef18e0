//! Login tokens, signed with the key made for tests.
#![allow(dead_code, reason = "each test program uses a part of it")]

use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use ring::{
    rand::SystemRandom,
    signature::{RSA_PKCS1_SHA256, RsaKeyPair},
};
use serde_json::{Value, json};

const PEM: &str = include_str!("../fixtures/token-key.pem");

/// A token whose header names this key.
pub(crate) fn token(kid: &str, claims: &Value) -> String {
    signed(&json!({"alg": "RS256", "typ": "JWT", "kid": kid}), claims)
}

/// Signs whatever the header says.
pub(crate) fn signed(header: &Value, claims: &Value) -> String {
    let [header, claims] = [header, claims].map(|part| URL_SAFE_NO_PAD.encode(part.to_string()));
    let body = format!("{header}.{claims}");
    let der: String = PEM
        .lines()
        .filter(|line| !line.starts_with("-----"))
        .collect();
    let key = RsaKeyPair::from_pkcs8(&STANDARD.decode(der).unwrap()).unwrap();
    let mut signature = vec![0; key.public().modulus_len()];
    key.sign(
        &RSA_PKCS1_SHA256,
        &SystemRandom::new(),
        body.as_bytes(),
        &mut signature,
    )
    .unwrap();
    format!("{body}.{}", URL_SAFE_NO_PAD.encode(signature))
}
