//! Tests of the token rules. The key is made for these tests and signs nothing else.

use std::io::{Read, Write};
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::json;

use super::*;

#[path = "../../tests/support/tokens.rs"]
mod tokens;

const JWKS: &[u8] = include_bytes!("../../tests/fixtures/token-keys.jwks.json");
const NOW: i64 = 1_700_000_000;

fn sign_as(kid: Option<&str>, algorithm: &str, claims: &Value) -> String {
    let mut header = json!({"alg": algorithm, "typ": "JWT"});
    if let Some(kid) = kid {
        header["kid"] = kid.into();
    }
    tokens::signed(&header, claims)
}

fn check(claims: Value) -> Result<u32, TokenError> {
    let keys = Keys::from_jwks(JWKS).unwrap();
    verify(&sign_as(Some("k1"), "RS256", &claims), &keys, NOW)
}

#[test]
fn a_good_token_names_its_player() {
    assert_eq!(
        check(json!({"sub": "11", "scp": ["x", "lobby"], "exp": NOW + 1, "iat": NOW, "nbf": NOW})),
        Ok(11)
    );
    assert_eq!(check(json!({"sub": 12, "scp": "openid lobby"})), Ok(12));
    assert_eq!(
        check(json!({"sub": " 13 ", "scp": ["lobby"], "aud": "somebody", "iss": "somewhere"})),
        Ok(13)
    );
}

#[test]
fn times_have_no_leeway() {
    let with = |name: &str, at: Value| {
        let mut claims = json!({"sub": "1", "scp": ["lobby"]});
        claims[name] = at;
        check(claims)
    };
    assert_eq!(with("exp", json!(NOW)), Err(TokenError::Invalid));
    assert_eq!(with("exp", json!(NOW + 1)), Ok(1));
    assert_eq!(with("exp", json!("soon")), Err(TokenError::Invalid));
    assert_eq!(with("nbf", json!(NOW + 1)), Err(TokenError::Invalid));
    assert_eq!(with("nbf", json!(NOW)), Ok(1));
    assert_eq!(with("iat", json!(NOW + 1)), Err(TokenError::Invalid));
    assert_eq!(with("iat", json!(NOW)), Ok(1));
}

#[test]
fn the_scope_error_wins_over_a_missing_subject() {
    assert_eq!(check(json!({"scp": []})), Err(TokenError::NoPermission));
    assert_eq!(
        check(json!({"scp": "lob by"})),
        Err(TokenError::NoPermission)
    );
    assert_eq!(check(json!({"sub": "1"})), Err(TokenError::Invalid));
    assert_eq!(
        check(json!({"sub": "1", "scp": 7})),
        Err(TokenError::Invalid)
    );
    assert_eq!(check(json!({"scp": ["lobby"]})), Err(TokenError::Invalid));
    assert_eq!(
        check(json!({"sub": "me", "scp": ["lobby"]})),
        Err(TokenError::Invalid)
    );
    assert_eq!(
        check(json!({"sub": -1, "scp": ["lobby"]})),
        Err(TokenError::NoSuchId)
    );
    assert_eq!(
        check(json!({"sub": "99999999999", "scp": ["lobby"]})),
        Err(TokenError::NoSuchId)
    );
    // Expiry comes before both.
    assert_eq!(
        check(json!({"scp": [], "exp": 1})),
        Err(TokenError::Invalid)
    );
}

#[test]
fn foreign_and_damaged_tokens_are_refused() {
    let keys = Keys::from_jwks(JWKS).unwrap();
    let claims = json!({"sub": "1", "scp": ["lobby"]});
    let good = sign_as(Some("k1"), "RS256", &claims);
    assert_eq!(verify(&good, &keys, NOW), Ok(1));
    for bad in [
        sign_as(None, "RS256", &claims),
        sign_as(Some("k2"), "RS256", &claims),
        sign_as(Some("ec"), "RS256", &claims),
        sign_as(Some("k1"), "RS384", &claims),
        sign_as(Some("k1"), "HS256", &claims),
        good[..good.rfind('.').unwrap() + 1].to_owned(),
        good.replacen('.', ".A", 1),
        String::new(),
        "a.b".to_owned(),
        "a.b.c".to_owned(),
    ] {
        assert_eq!(verify(&bad, &keys, NOW), Err(TokenError::Invalid), "{bad}");
    }
}

#[test]
fn a_document_without_keys_is_no_document() {
    assert!(matches!(
        Keys::from_jwks(b"{\"keys\":[]}"),
        Err(KeysError::Empty)
    ));
    assert!(matches!(
        Keys::from_jwks(b"<html>"),
        Err(KeysError::Malformed(_))
    ));
    assert_eq!(Keys::from_jwks(JWKS).unwrap().len(), 1);
}

/// A key server that serves `body` under `status`, and counts.
fn serve(status: &'static str, body: Vec<u8>) -> (String, Arc<AtomicUsize>) {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/jwks.json", listener.local_addr().unwrap());
    let served = Arc::new(AtomicUsize::new(0));
    let count = served.clone();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let _ = stream.read(&mut [0; 4096]);
            count.fetch_add(1, Ordering::SeqCst);
            let head = format!(
                "HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
                body.len()
            );
            let _ = stream
                .write_all(head.as_bytes())
                .and_then(|()| stream.write_all(&body));
        }
    });
    (url, served)
}

#[tokio::test]
async fn keys_are_fetched_once_for_all_who_wait() {
    let (url, served) = serve("200 OK", JWKS.to_vec());
    let ring = KeyRing::new(Some(url), Arc::default()).unwrap();
    let (a, b, c) = tokio::join!(ring.current(), ring.current(), ring.current());
    assert!(a.is_some() && b.is_some() && c.is_some());
    assert_eq!(served.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_failed_fetch_is_not_repeated_at_once() {
    for (status, body) in [
        ("500 Oops", Vec::new()),
        ("200 OK", vec![b' '; MAX_DOCUMENT_BYTES + 1]),
    ] {
        let (url, served) = serve(status, body);
        let ring = KeyRing::new(Some(url), Arc::default()).unwrap();
        let (a, b) = tokio::join!(ring.current(), ring.current());
        assert!(a.is_none() && b.is_none());
        assert_eq!(served.load(Ordering::SeqCst), 1);
    }
}

#[tokio::test]
async fn a_failed_refresh_keeps_the_old_keys() {
    let (url, _) = serve("503 Later", Vec::new());
    let ring = KeyRing::new(Some(url), Arc::default()).unwrap();
    ring.put(Keys::from_jwks(JWKS).unwrap());
    ring.refresh().await;
    assert_eq!(ring.current().await.unwrap().len(), 1);
}

/// A ring with an old key, and a key server that has only `k1`; how often that was asked.
fn rotated() -> (KeyRing, Arc<AtomicUsize>) {
    let (url, served) = serve("200 OK", JWKS.to_vec());
    let ring = KeyRing::new(Some(url), Arc::default()).unwrap();
    let mut old = Keys::from_jwks(JWKS).unwrap();
    let key = old.0.remove("k1").unwrap();
    old.0.insert("k0".to_owned(), key);
    ring.put(old);
    (ring, served)
}

// Tokens of the new key were refused until the clock's next ten minutes.
#[tokio::test]
async fn a_new_key_was_not_known_before_the_next_ten_minutes() {
    let (ring, served) = rotated();
    let claims = json!({"sub": "1", "scp": ["lobby"]});
    let token = sign_as(Some("k1"), "RS256", &claims);
    let (a, b, c) = tokio::join!(
        ring.for_token(&token),
        ring.for_token(&token),
        ring.for_token(&token)
    );
    for keys in [a, b, c] {
        assert_eq!(verify(&token, &keys.unwrap(), NOW), Ok(1));
    }
    assert_eq!(served.load(Ordering::SeqCst), 1, "one for all");
}

#[tokio::test]
async fn keys_that_strangers_make_up_cost_one_fetch_in_a_while() {
    let (ring, served) = rotated();
    let claims = json!({"sub": "1", "scp": ["lobby"]});
    let good = sign_as(Some("k1"), "RS256", &claims);
    for round in 1..=2 {
        for number in 0..100 {
            let bad = sign_as(Some(&format!("nobody's {number}")), "RS256", &claims);
            let keys = ring.for_token(&bad).await.unwrap();
            assert_eq!(verify(&bad, &keys, NOW), Err(TokenError::Invalid));
        }
        assert_eq!(served.load(Ordering::SeqCst), round);
        let keys = ring.for_token(&good).await.unwrap();
        assert_eq!(verify(&good, &keys, NOW), Ok(1));
        tokio::time::pause();
        tokio::time::advance(RETRY_AFTER).await;
        tokio::time::resume();
    }
    assert_eq!(ring.metrics.unknown.value(), 200);
}

// The key server hangs: who comes with a made-up key must not take all places of those who sign in.
#[tokio::test]
async fn no_more_than_some_wait_for_an_unknown_key() {
    let (ring, served) = rotated();
    let claims = json!({"sub": "1", "scp": ["lobby"]});
    let bad = sign_as(Some("x"), "RS256", &claims);
    let _hanging = ring.fetched.lock().await;
    let mut waiting = Vec::new();
    for _ in 0..UNKNOWN_WAITING {
        let mut one = Box::pin(ring.for_token(&bad));
        let polled = futures_lite::future::poll_once(&mut one).await;
        assert!(polled.is_none(), "it waits");
        waiting.push(one);
    }
    let keys = ring.for_token(&bad).await.unwrap();
    assert_eq!(verify(&bad, &keys, NOW), Err(TokenError::Invalid));
    let known = sign_as(Some("k0"), "RS256", &claims);
    assert!(ring.for_token(&known).await.unwrap().fit(&known));
    assert_eq!(served.load(Ordering::SeqCst), 0);
}
