//! Signing in (spec: cockatrice-wire 10; checklist 62 to 80).

use cockatrice::accounts::hash;
use lobby::cockatrice::{
    account::Form,
    questions::{
        AccountChange, Answer, ChangeAccount, CloseSession, List, ListChange, OpenSession, Opened,
        Password, PasswordSalt, Refusal, SignedIn,
    },
};

use super::{
    Bench,
    bench::{hashed, sign_in},
    on_both,
};
use crate::unix_now;

fn name_of(signed_in: Result<SignedIn, Refusal>) -> String {
    match signed_in {
        Ok(SignedIn::Registered(account)) => account.name.into(),
        other => panic!("{other:?}"),
    }
}

async fn opened(bench: &Bench, name: &str) -> Opened {
    let open = OpenSession {
        who: bench.who(name).await,
        websocket: true,
        client_version: "2.10".into(),
    };
    match bench.handler.handle(open.into()).await {
        Answer::OpenSession(opened) => opened.unwrap(),
        other => panic!("{other:?}"),
    }
}

on_both! {
    async fn a_registered_name_needs_its_password(bench: &Bench) {
        assert_eq!(name_of(bench.sign_in("alicea", "alicepass").await), "alicea");
        // In the spelling in which it is stored.
        assert_eq!(name_of(bench.sign_in("BOBBYB", "bobbypass").await), "bobbyb");
        let stored = bench.store.find("alicea").await.unwrap().unwrap().password;
        let by_hash = sign_in(&bench.handler, "alicea", hashed("alicepass", &stored)).await;
        assert_eq!(name_of(by_hash), "alicea");
        for wrong in [Password::Plain("alicepas".into()), Password::Missing, hashed("x", &stored)] {
            let refused = sign_in(&bench.handler, "alicea", wrong).await;
            assert_eq!(refused, Err(Refusal::WrongPassword));
        }
    }

    async fn a_password_and_its_salt_may_hold_any_character(bench: &Bench) {
        let stored = hash("pass\0wörd", "0123456789\0bcdef");
        bench.store.set_password("alicea", &stored, false).await.unwrap();
        let asked = bench.handler.handle(PasswordSalt { name: "alicea".into() }.into()).await;
        let Answer::PasswordSalt(Ok(salt)) = asked else { panic!("{asked:?}") };
        assert_eq!(salt.as_deref(), Some("0123456789\0bcdef"));
        let hashed = Password::Hashed(stored.into());
        for proof in [hashed, Password::Plain("pass\0wörd".into())] {
            assert_eq!(name_of(sign_in(&bench.handler, "alicea", proof).await), "alicea");
        }
        let cut = sign_in(&bench.handler, "alicea", Password::Plain("pass".into())).await;
        assert_eq!(cut, Err(Refusal::WrongPassword));
    }

    async fn the_salt_of_a_password_is_told_to_anybody(bench: &Bench) {
        for (name, salt) in [("ALICEA", Some("0123456789abcdef")), ("nobody1", None)] {
            let asked = bench.handler.handle(PasswordSalt { name: name.into() }.into()).await;
            let Answer::PasswordSalt(Ok(told)) = asked else { panic!("{asked:?}") };
            assert_eq!(told.as_deref(), salt);
        }
    }

    async fn an_unknown_name_is_a_guest_and_gets_a_number_nobody_has(bench: &Bench) {
        let taken = |signed_in| match signed_in {
            Ok(SignedIn::Unknown { taken }) => taken,
            other => panic!("{other:?}"),
        };
        assert_eq!(taken(bench.sign_in("guest_one", "").await), [0u32; 0]);
        bench.sql("UPDATE cockatrice_users SET name = 'guest_one_2' WHERE name = 'carolc'; \
            UPDATE cockatrice_users SET name = 'guestXone_3' WHERE name = 'bobbyb'").await;
        assert_eq!(taken(bench.sign_in("guest_one", "").await), [2]);
    }

    async fn a_name_that_breaks_the_rules_is_told_them(bench: &Bench) {
        for bad in ["bad name!", "abc", "xbadwordx", "_abcde"] {
            let rules = "4|12|1|1|1|0|_.-|badword|".into();
            assert_eq!(bench.sign_in(bad, "x").await, Err(Refusal::BadName(rules)), "{bad}");
        }
    }

    async fn inactive_and_reset_accounts_do_not_get_in(bench: &Bench) {
        bench.sql("UPDATE cockatrice_users SET active = 0 WHERE name = 'bobbyb'; \
            UPDATE cockatrice_users SET force_password_change = 1 WHERE name = 'carolc'").await;
        for password in ["bobbypass", "wrong"] {
            assert_eq!(bench.sign_in("bobbyb", password).await, Err(Refusal::Inactive));
        }
        assert_eq!(bench.sign_in("carolc", "wrong").await, Err(Refusal::WrongPassword));
        assert_eq!(bench.sign_in("carolc", "carolpass").await, Err(Refusal::MustChangePassword));
    }

    async fn records_and_lists_are_those_of_the_account(bench: &Bench) {
        let alice = bench.who("alicea").await;
        let add = |list, name: &str| ChangeAccount {
            who: alice.clone(),
            change: AccountChange::Add(ListChange { list, name: name.into(), on: true }),
        };
        bench.outcome(add(List::Buddy, "bobbyb")).await;
        bench.outcome(add(List::Ignore, "MODMARY")).await;
        bench.sql("UPDATE cockatrice_users SET privlevel = 'VIP', avatar_bmp = 'picture', leftPawnColorOverride = 'red' \
            WHERE name = 'alicea'").await;
        let Ok(SignedIn::Registered(account)) = bench.sign_in("alicea", "alicepass").await else { panic!() };
        let record = account.record(Form::Profile);
        assert_eq!((record.user_level(), record.privlevel().as_ref(), record.real_name().as_ref()), (3, "VIP", "Alice A"));
        assert_eq!(record.avatar_bmp.as_deref(), Some(&b"picture"[..]));
        assert!(record.pawn_colors.is_some() && record.email.is_none() && record.accountage_secs() < 60);
        let names = |list: &[lobby::cockatrice::account::Account]| -> Vec<String> {
            list.iter().map(|account| account.name.to_string()).collect()
        };
        assert_eq!((names(&account.buddies), names(&account.ignored)), (vec!["bobbyb".into()], vec!["modmary".into()]));
        assert_eq!(account.ignored[0].record(Form::Entry).user_level(), 7);
    }

    async fn sessions_are_noted_and_those_left_open_are_closed(bench: &Bench) {
        let first = opened(bench, "alicea").await.session;
        let second = opened(bench, "bobbyb").await.session;
        assert!(second > first && first > 0);
        bench.handler.handle(CloseSession(first).into()).await;
        bench.sql("INSERT INTO cockatrice_sessions (user_name, id_server, ip_address, start_time, clientid, connection_type) \
            VALUES ('other', 4, '192.0.2.9', '2026-01-01 00:00:00', '', 'tcp')").await;
        assert_eq!(bench.store.close_sessions_before(unix_now() - 60.0).await.unwrap(), 0, "they began later");
        assert_eq!(bench.store.close_sessions_before(unix_now()).await.unwrap(), 1, "another server's are its own");
        let row = "SELECT CONCAT(client_ver, ' ', clientid) FROM cockatrice_user_analytics a \
            JOIN cockatrice_users u ON u.id = a.id WHERE u.name = 'alicea'";
        assert_eq!(bench.look(row).await, "2.10 cid-alicea");
        let visits = bench.store.visits("ALICEA", 10).await.unwrap();
        assert_eq!((visits.len(), visits[0].transport.as_str(), &*visits[0].address), (1, "websocket", "192.0.2.7"));
        assert!(visits[0].until_s >= Some(visits[0].from_s));
    }

    async fn what_is_stored_becomes_a_slow_hash_when_that_is_wanted(bench: &Bench) {
        let handler = bench.with(|settings| settings.strong_passwords = true);
        let before = bench.store.find("alicea").await.unwrap().unwrap().password;
        for _ in 0..2 {
            let by_hash = sign_in(&handler, "alicea", hashed("alicepass", &before)).await;
            assert_eq!(name_of(by_hash), "alicea");
            let stored = bench.store.find("alicea").await.unwrap().unwrap().password;
            assert!(stored.starts_with("0123456789abcdef$argon2id$"), "{stored}");
            let from_the_database = Password::Hashed(stored.into());
            let refused = sign_in(&handler, "alicea", from_the_database).await;
            assert_eq!(refused, Err(Refusal::WrongPassword));
        }
    }
}
