//! New accounts and forgotten passwords (checklist 81 to 96).

use cockatrice::messages::{ResponseBody, ResponseCode as Code};
use lobby::cockatrice::questions::{Password, Refusal, Register, Registration, SignedIn};

use super::{
    Bench,
    bench::{HERE, outcome, said, sign_in},
    on_both,
};
use crate::cockatrice::{CockatriceHandler, mail::Mailer, settings::Accounts};

/// Stands for a password that is longer than it may be.
const LONG: &str = "too long";

fn register(name: &str, email: &str, password: &str) -> Register {
    let what = Registration::New {
        password: (password != LONG).then(|| Password::Plain(password.into())),
        email: email.into(),
        country: "fr".into(),
        real_name: "New B".into(),
    };
    asked(name, what)
}

fn asked(name: &str, what: Registration) -> Register {
    Register {
        what,
        name: name.into(),
        client_id: "c".into(),
        address: HERE,
        counted: None,
    }
}

fn open(settings: &mut Accounts) {
    settings.registration.enabled = true;
    settings.registration.activation = false;
}

async fn code(handler: &CockatriceHandler, ask: Register) -> Code {
    outcome(handler, ask).await.code
}

async fn is_in(handler: &CockatriceHandler, name: &str, password: &str) -> Result<(), Refusal> {
    let signed_in = sign_in(handler, name, Password::Plain(password.into())).await?;
    assert!(
        matches!(signed_in, SignedIn::Registered(_)),
        "{signed_in:?}"
    );
    Ok(())
}

on_both! {
    async fn a_registration_is_checked_in_order(bench: &Bench) {
        let off = bench.code(register("newbie", "n@example.org", "longenough")).await;
        assert_eq!(off, Code::RespRegistrationDisabled);
        let handler = bench.with(|settings| {
            open(settings);
            settings.registration.denied_providers = "spam.org, example.net".to_owned();
            settings.registration.accounts_per_email = Some(1);
        });
        bench.sql("INSERT INTO cockatrice_bans (user_name, ip_address, id_admin, time_from, minutes, reason, visible_reason, clientid) \
            VALUES ('banned1', '', 1, '2026-01-01 00:00:00', 0, 'r', 'forever', '')").await;
        for (name, email, password, wanted) in [
            ("newbie", "", "longenough", Code::RespEmailRequiredToRegister),
            ("newbie", "not an address", "longenough", Code::RespEmailRequiredToRegister),
            ("newbie", "n@SPAM.org", "longenough", Code::RespEmailBlackListed),
            ("x y", "n@example.org", "longenough", Code::RespUsernameInvalid),
            ("Servatrice", "n@example.org", "longenough", Code::RespUsernameInvalid),
            ("ALICEA", "n@example.org", "longenough", Code::RespUserAlreadyExists),
            ("newbie", "bob@example.org", "longenough", Code::RespTooManyRequests),
            ("banned1", "n@example.org", "longenough", Code::RespUserIsBanned),
            ("ALICEA", "n@example.org", LONG, Code::RespUserAlreadyExists),
            ("newbie", "n@example.org", LONG, Code::RespRegistrationFailed),
            ("newbie", "n@example.org", "short", Code::RespPasswordTooShort),
            ("newbie", "n@example.org", "longenough", Code::RespRegistrationAccepted),
            ("Newbie", "m@example.org", "longenough", Code::RespUserAlreadyExists),
        ] {
            let outcome = outcome(&handler, register(name, email, password)).await;
            assert_eq!(outcome.code, wanted, "{name} {email} {password}");
            match (name, wanted) {
                ("Servatrice", _) => assert!(outcome.body.is_none()),
                (_, Code::RespUsernameInvalid | Code::RespUserIsBanned) => said(&outcome, |body| {
                    let ResponseBody::Register(told) = body else { panic!("{body:?}") };
                    let reasons = ["4|12|1|1|1|0|_.-|badword|", "forever"];
                    assert!(reasons.contains(&&*told.denied_reason_str()));
                    assert_eq!(told.denied_end_time, None);
                }),
                _ => assert!(outcome.body.is_none()),
            }
        }
        assert_eq!(is_in(&handler, "newbie", "longenough").await, Ok(()));
        let audit = "SELECT CONCAT(COUNT(*), ' ', SUM(CASE WHEN results = 'success' THEN 1 ELSE 0 END)) FROM cockatrice_audit \
            WHERE action = 'REGISTER_ACCOUNT' AND ip_address = '192.0.2.7'";
        assert_eq!(bench.look(audit).await, "14 1");
    }

    async fn addresses_are_stored_cleaned(bench: &Bench) {
        let handler = bench.with(open);
        assert_eq!(code(&handler, register("hashed1", "h.x+y@googlemail.com", "longenough")).await, Code::RespRegistrationAccepted);
        let email = "SELECT email FROM cockatrice_users WHERE name = 'hashed1'";
        assert_eq!(bench.look(email).await, "hx@gmail.com");
    }

    async fn an_account_is_activated_by_the_token_that_was_mailed(bench: &Bench) {
        let folder = tempfile::tempdir().unwrap();
        let handler = bench.with(|settings| {
            open(settings);
            settings.registration.activation = true;
            settings.registration.allowed_providers = "example.org".to_owned();
        });
        let elsewhere = outcome(&handler, register("newbie", "n@other.net", "longenough")).await;
        assert!(elsewhere.code == Code::RespEmailBlackListed && elsewhere.body.is_some());
        let made = code(&handler, register("newbie", "n@example.org", "longenough")).await;
        assert_eq!(made, Code::RespRegistrationAcceptedNeedsActivation);
        assert_eq!(is_in(&handler, "newbie", "longenough").await, Err(Refusal::Inactive));

        let mut mail = crate::cockatrice::tests::bench::settings().mail;
        let mut mailer = Mailer::new(mail.clone(), Default::default());
        mailer.round(&bench.store, std::time::Instant::now()).await;
        assert!(!folder.path().join("mail").exists(), "there is no way to send it");
        mail.folder = Some(folder.path().join("mail"));
        mail.activation_text = "%username: %token".to_owned();
        mailer.renew(&mail);
        for _ in 0..2 {
            mailer.round(&bench.store, std::time::Instant::now()).await;
        }
        let mails: Vec<_> = std::fs::read_dir(folder.path().join("mail")).unwrap().collect();
        assert_eq!(mails.len(), 1, "no mail is sent twice");
        let mail = std::fs::read_to_string(mails[0].as_ref().unwrap().path()).unwrap();
        assert!(mail.contains("To: n@example.org\r\n"), "{mail}");
        let token = mail.trim_end().rsplit("newbie: ").next().unwrap();

        let activate = |token: &str| asked("newbie", Registration::Activate { token: token.into() });
        assert_eq!(code(&handler, activate("wrong")).await, Code::RespActivationFailed);
        assert_eq!(code(&handler, activate(token)).await, Code::RespActivationAccepted);
        assert_eq!(code(&handler, activate(token)).await, Code::RespActivationFailed);
        assert_eq!(is_in(&handler, "newbie", "longenough").await, Ok(()));
    }

    async fn a_forgotten_password_is_replaced_by_token(bench: &Bench) {
        let handler = bench.with(|settings| settings.recovery.enabled = true);
        let forgotten = |name: &str| asked(name, Registration::Forgotten);
        let reset = |token: &str| asked("alicea", Registration::Reset {
            token: token.into(),
            password: Some(Password::Plain("newpass99".into())),
        });
        let long = |token: &str| asked("alicea", Registration::Reset { token: token.into(), password: None });
        assert_eq!(bench.code(forgotten("alicea")).await, Code::RespFunctionNotAllowed, "it is off");
        assert_eq!(code(&handler, forgotten("nobody1")).await, Code::RespFunctionNotAllowed);
        assert_eq!(code(&handler, reset("x")).await, Code::RespFunctionNotAllowed);
        // An account without a token has none that could be right.
        assert_eq!(code(&handler, reset("")).await, Code::RespFunctionNotAllowed);
        let token = "SELECT CAST(token AS CHAR) FROM cockatrice_users WHERE name = 'alicea'";
        let mut tokens = Vec::new();
        for _ in 0..2 {
            let outcome = outcome(&handler, forgotten("alicea")).await;
            said(&outcome, |body| {
                let ResponseBody::ForgotPasswordRequest(told) = body else { panic!("{body:?}") };
                assert!(!told.challenge_email());
            });
            tokens.push(bench.look(token).await);
        }
        assert_eq!(tokens[0], tokens[1], "an open request stays what it is");
        assert_eq!(code(&handler, reset("x")).await, Code::RespFunctionNotAllowed);
        bench.sql("UPDATE cockatrice_users SET force_password_change = 1 WHERE name = 'alicea'").await;
        assert_eq!(code(&handler, long("x")).await, Code::RespFunctionNotAllowed);
        assert_eq!(code(&handler, long(&tokens[0])).await, Code::RespContextError);
        // Tokens are compared without case.
        assert_eq!(code(&handler, reset(&tokens[0].to_uppercase())).await, Code::RespOk);
        assert_eq!(is_in(&handler, "alicea", "newpass99").await, Ok(()));
        assert_eq!(code(&handler, reset(&tokens[0])).await, Code::RespFunctionNotAllowed, "it counts once");
    }

    async fn with_a_challenge_the_address_must_be_known(bench: &Bench) {
        let handler = bench.with(|settings| {
            settings.recovery.enabled = true;
            settings.recovery.challenge = true;
        });
        for name in ["alicea", "nobody1"] {
            let outcome = outcome(&handler, asked(name, Registration::Forgotten)).await;
            said(&outcome, |body| {
                let ResponseBody::ForgotPasswordRequest(told) = body else { panic!("{body:?}") };
                assert!(told.challenge_email());
            });
        }
        let challenge = |email: &str| asked("alicea", Registration::Challenge { email: email.into() });
        assert_eq!(code(&handler, challenge("bob@example.org")).await, Code::RespFunctionNotAllowed);
        assert_eq!(bench.look("SELECT CONCAT(COUNT(*), '') FROM cockatrice_forgot_password").await, "0");
        assert_eq!(code(&handler, challenge("ALICE@example.org")).await, Code::RespOk);
        assert_eq!(bench.look("SELECT CONCAT(COUNT(*), '') FROM cockatrice_forgot_password").await, "1");
    }
}
