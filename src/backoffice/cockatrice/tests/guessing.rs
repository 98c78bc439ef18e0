//! Who guesses at an account, and its owner meanwhile.

use std::net::{IpAddr, Ipv4Addr};

use cockatrice::messages::ResponseCode as Code;
use lobby::cockatrice::questions::{
    Answer, Password, Refusal, Register, Registration, SignIn, SignedIn,
};

use super::{Bench, bench, on_both};
use crate::{
    AttemptLimits,
    cockatrice::{CockatriceHandler, settings::Accounts},
};

const OWNER: IpAddr = IpAddr::V4(Ipv4Addr::new(203, 0, 113, 5));
const STRANGER: IpAddr = IpAddr::V4(Ipv4Addr::new(198, 51, 100, 1));

/// A server that has just started, which limits failures for accounts alone.
fn started(bench: &Bench, change: impl FnOnce(&mut Accounts)) -> CockatriceHandler {
    let limits = AttemptLimits {
        per_address: None,
        per_account: Some(10),
    };
    let mut settings = bench::settings();
    change(&mut settings);
    super::bench::handler(bench.store.clone(), settings, limits).0
}

async fn sign_in(
    handler: &CockatriceHandler,
    name: &str,
    password: &str,
    from: IpAddr,
) -> Result<SignedIn, Refusal> {
    let ask = SignIn {
        name: name.into(),
        password: Password::Plain(password.into()),
        client_id: "c".into(),
        address: from,
        counted: Some(from),
    };
    match handler.handle(ask.into()).await {
        Answer::SignIn(answer) => answer,
        other => panic!("{other:?}"),
    }
}

async fn is_in(handler: &CockatriceHandler, name: &str, password: &str, from: IpAddr) -> bool {
    match sign_in(handler, name, password, from).await {
        Ok(SignedIn::Registered(_)) => true,
        Err(Refusal::TooMany) => false,
        other => panic!("{other:?}"),
    }
}

/// How many of many wrong passwords are looked at.
async fn guesses(handler: &CockatriceHandler, name: &str, from: IpAddr) -> u32 {
    let mut looked_at = 0;
    for _ in 0..30 {
        match sign_in(handler, name, "wrong", from).await {
            Err(Refusal::WrongPassword) => looked_at += 1,
            Err(Refusal::TooMany) => {}
            other => panic!("{other:?}"),
        }
    }
    looked_at
}

async fn code(handler: &CockatriceHandler, name: &str, from: IpAddr, what: Registration) -> Code {
    let ask = Register {
        what,
        name: name.into(),
        client_id: "c".into(),
        address: from,
        counted: Some(from),
    };
    bench::outcome(handler, ask).await.code
}

fn open(settings: &mut Accounts) {
    settings.registration.enabled = true;
    settings.registration.activation = false;
    settings.recovery.enabled = true;
}

fn new() -> Registration {
    Registration::New {
        password: Some(Password::Plain("goodpassword".into())),
        email: "o@example.org".into(),
        country: "fr".into(),
        real_name: "".into(),
    }
}

fn reset(token: &str) -> Registration {
    Registration::Reset {
        token: token.into(),
        password: Some(Password::Plain("newpassword".into())),
    }
}

on_both! {
    async fn passwords_are_guessed_slowly_from_wherever(bench: &Bench) {
        let handler = started(bench, |_| {});
        assert_eq!(guesses(&handler, "alicea", STRANGER).await, 20);
        assert_eq!(guesses(&handler, "ALICEA", "198.51.100.2".parse().unwrap()).await, 0);
        assert!(is_in(&handler, "bobbyb", "bobbypass", STRANGER).await);
    }

    // The first guesses after a restart kept the owner out where they always were.
    async fn the_owner_gets_in_where_the_last_session_was(bench: &Bench) {
        let session = |from: &'static str| bench.store.open_session("alicea", from, "c", false);
        session("192.0.2.99").await.unwrap();
        session("203.0.113.5").await.unwrap();
        // A guest of that name, before there was the account.
        bench.sql("INSERT INTO cockatrice_sessions (user_name, id_server, ip_address, start_time, clientid, connection_type) \
            VALUES ('alicea', 3, '198.51.100.9', '2001-01-01 00:00:00', '', 'tcp')").await;
        let handler = started(bench, |_| {});
        assert_eq!(guesses(&handler, "alicea", STRANGER).await, 20);
        for elsewhere in ["192.0.2.99", "198.51.100.9"] {
            assert!(!is_in(&handler, "alicea", "alicepass", elsewhere.parse().unwrap()).await, "{elsewhere}");
        }
        assert!(is_in(&handler, "alicea", "alicepass", OWNER).await);
    }

    async fn whoever_has_made_an_account_gets_in(bench: &Bench) {
        let handler = started(bench, open);
        assert_eq!(code(&handler, "ownername", OWNER, new()).await, Code::RespRegistrationAccepted);
        assert_eq!(guesses(&handler, "ownername", STRANGER).await, 20);
        assert!(!is_in(&handler, "ownername", "goodpassword", "192.0.2.99".parse().unwrap()).await);
        assert!(is_in(&handler, "ownername", "goodpassword", OWNER).await);
    }

    // A restart forgot where an account was made that nobody had signed in to yet.
    async fn whoever_has_made_an_account_gets_in_after_a_restart(bench: &Bench) {
        let handler = started(bench, open);
        // Somebody else had an account of that name, which is gone.
        bench.sql("INSERT INTO cockatrice_audit (id_server, name, ip_address, clientid, incidentDate, action, results, details) \
            VALUES (3, 'ownername', '198.51.100.9', 'c', '2001-01-01 00:00:00', 'REGISTER_ACCOUNT', 'success', '')").await;
        assert_eq!(code(&handler, "ownername", OWNER, new()).await, Code::RespRegistrationAccepted);
        assert_eq!(code(&handler, "ownername", STRANGER, new()).await, Code::RespUserAlreadyExists);
        let handler = started(bench, open);
        assert_eq!(guesses(&handler, "ownername", STRANGER).await, 20);
        for elsewhere in ["192.0.2.99", "198.51.100.9"] {
            assert!(!is_in(&handler, "ownername", "goodpassword", elsewhere.parse().unwrap()).await, "{elsewhere}");
        }
        assert!(is_in(&handler, "ownername", "goodpassword", OWNER).await);
    }

    async fn whoever_has_activated_an_account_gets_in(bench: &Bench) {
        let handler = started(bench, open);
        let activate = |token: &str| Registration::Activate { token: token.into() };
        let wrong = code(&handler, "inacta", OWNER, activate("wrong")).await;
        assert_eq!(wrong, Code::RespActivationFailed);
        let right = code(&handler, "inacta", OWNER, activate("TOKEN0123456789a")).await;
        assert_eq!(right, Code::RespActivationAccepted);
        assert_eq!(guesses(&handler, "inacta", STRANGER).await, 20);
        assert!(!is_in(&handler, "inacta", "inactapass", "192.0.2.99".parse().unwrap()).await);
        assert_eq!(guesses(&handler, "inacta", OWNER).await, 20);
    }

    // Whoever was locked out by guesses could not ask for a new password either.
    async fn a_password_is_recovered_whoever_guesses_at_it(bench: &Bench) {
        let handler = started(bench, open);
        let away: IpAddr = "192.0.2.99".parse().unwrap();
        assert_eq!(guesses(&handler, "alicea", STRANGER).await, 20);
        assert_eq!(code(&handler, "alicea", away, Registration::Forgotten).await, Code::RespOk);
        let token = bench.look("SELECT CAST(token AS CHAR) FROM cockatrice_users WHERE name = 'alicea'").await;
        assert_eq!(code(&handler, "alicea", away, reset(&token)).await, Code::RespOk);
        assert!(is_in(&handler, "alicea", "newpassword", away).await, "their place from now on");

        // Tokens are guessed as slowly, and that keeps nobody from asking for one, nor whoever is at home.
        let mut looked_at = 0;
        for _ in 0..30 {
            match code(&handler, "alicea", STRANGER, reset("wrong")).await {
                Code::RespFunctionNotAllowed => looked_at += 1,
                other => assert_eq!(other, Code::RespTooManyRequests),
            }
        }
        assert_eq!(looked_at, 20);
        assert_eq!(code(&handler, "alicea", OWNER, Registration::Forgotten).await, Code::RespOk);
        let token = bench.look("SELECT CAST(token AS CHAR) FROM cockatrice_users WHERE name = 'alicea'").await;
        assert_eq!(code(&handler, "alicea", OWNER, reset(&token)).await, Code::RespTooManyRequests);
        assert_eq!(code(&handler, "alicea", away, reset(&token)).await, Code::RespOk);
    }
}
