//! What people change about their accounts and lists (checklist 97 to 100, 103 to 114, 226).

use bytes::Bytes;
use cockatrice::{
    accounts::CardArt,
    messages::{
        CommandSetCardArtParams, ResponseBody, ResponseCode as Code, SessionEvent,
        SessionEventBody, decode,
    },
};
use lobby::cockatrice::questions::{
    AccountChange, Change, ChangeAccount, List, ListChange, Moderate, ModeratorRequest, Outcome,
    Password, SignedIn, Who,
};

use super::{
    Bench,
    bench::{on_all, said},
    on_both,
};

fn changed(who: &Who, change: AccountChange) -> ChangeAccount {
    ChangeAccount {
        who: who.clone(),
        change,
    }
}

fn edit(email: Option<&str>, check: Option<&str>) -> AccountChange {
    AccountChange::Edit {
        real_name: Some("Alice B".into()),
        email: email.map(Into::into),
        country: Some("nl".into()),
        password_check: check.map(Into::into),
    }
}

fn record(outcome: &Outcome) -> lobby::cockatrice::account::Account {
    match &outcome.change {
        Some(Change::Record { account, .. }) => (**account).clone(),
        other => panic!("{other:?}"),
    }
}

on_both! {
    async fn an_address_is_changed_by_whoever_knows_the_password(bench: &Bench) {
        let mut alice = bench.who("alicea").await;
        let outcome = bench.outcome(changed(&alice, edit(None, None))).await;
        let account = record(&outcome);
        assert_eq!((&*account.country, &*account.real_name, &*account.email), ("nl", "Alice B", "alice@example.org"));
        let new = Some("n.e.w@example.org");
        for (check, wanted) in [
            (None, Code::RespFunctionNotAllowed),
            (Some("wrong"), Code::RespWrongPassword),
            (Some("alicepass"), Code::RespOk),
        ] {
            assert_eq!(bench.code(changed(&alice, edit(new, check))).await, wanted);
        }
        alice.showed_password = true;
        let outcome = bench.outcome(changed(&alice, edit(Some("A@b.org"), None))).await;
        assert_eq!(record(&outcome).email.to_lowercase(), "a@b.org");
    }

    async fn a_password_is_changed_by_whoever_knows_it(bench: &Bench) {
        let alice = bench.who("alicea").await;
        let change = |old: &str, new: &str| changed(&alice, AccountChange::Password {
            old: old.into(),
            new: Password::Plain(new.into()),
        });
        assert_eq!(bench.code(change("wrong", "newpass99")).await, Code::RespWrongPassword);
        assert_eq!(bench.code(change("alicepass", "tiny")).await, Code::RespPasswordTooShort);
        assert_eq!(bench.code(change("alicepass", "newpass99")).await, Code::RespOk);
        assert!(bench.sign_in("alicea", "alicepass").await.is_err());
        assert!(matches!(bench.sign_in("alicea", "newpass99").await, Ok(SignedIn::Registered(_))));
    }

    async fn a_picture_is_kept_as_it_is(bench: &Bench) {
        let alice = bench.who("alicea").await;
        let picture = Bytes::from(vec![0xff; 2_097_151]);
        let outcome = bench.outcome(changed(&alice, AccountChange::Image(picture.clone()))).await;
        assert_eq!(record(&outcome).avatar, picture);
        let look = bench.outcome(changed(&alice, AccountChange::Look("ALICEA".into()))).await;
        said(&look, |body| {
            let ResponseBody::GetUserInfo(told) = body else { panic!("{body:?}") };
            let record = told.user_info.unwrap();
            assert_eq!(record.avatar_bmp.as_deref(), Some(&*picture));
            assert!(record.email.is_none() && record.id.is_none());
        });
        let outcome = bench.outcome(changed(&alice, AccountChange::Image(Bytes::new()))).await;
        assert!(record(&outcome).avatar.is_empty());
        let nobody = bench.outcome(changed(&alice, AccountChange::Look("nobody1".into()))).await;
        said(&nobody, |body| {
            let ResponseBody::GetUserInfo(told) = body else { panic!("{body:?}") };
            let record = told.user_info.unwrap();
            assert_eq!((record.name().as_ref(), record.user_level(), record.accountage_secs), ("nobody1", 1, None));
        });
    }

    async fn people_come_to_lists_and_leave_them(bench: &Bench) {
        let alice = bench.who("alicea").await;
        let with = |list, name: &str, on| {
            let change = ListChange { list, name: name.into(), on };
            changed(&alice, if on { AccountChange::Add(change) } else { AccountChange::Remove(change) })
        };
        bench.sql("UPDATE cockatrice_users SET active = 0 WHERE name = 'carolc'").await;
        for (list, name, wanted) in [
            (List::Buddy, "BOBBYB", Code::RespOk),
            (List::Buddy, "bobbyb", Code::RespContextError),
            (List::Buddy, "alicea", Code::RespContextError),
            (List::Buddy, "nobody1", Code::RespNameNotFound),
            (List::Buddy, "carolc", Code::RespNameNotFound),
            (List::Ignore, "bobbyb", Code::RespOk),
        ] {
            let outcome = bench.outcome(with(list, name, true)).await;
            assert_eq!(outcome.code, wanted, "{name}");
            assert_eq!(outcome.before.len(), usize::from(wanted == Code::RespOk));
            if wanted == Code::RespOk {
                let event: SessionEvent<'_> = decode(&outcome.before[0]).unwrap();
                let Some(SessionEventBody::AddToList(added)) = event.body else { panic!("{event:?}") };
                assert_eq!(added.list_name().as_ref(), list.name());
                assert_eq!(added.user_info.unwrap().name().as_ref(), "bobbyb");
            }
        }
        bench.sql("UPDATE cockatrice_users SET active = 0 WHERE name = 'bobbyb'").await;
        assert_eq!(bench.code(with(List::Buddy, "bobbyb", true)).await, Code::RespContextError, "he is on it");
        let removed = bench.outcome(with(List::Ignore, "bobbyb", false)).await;
        assert!(removed.code == Code::RespOk && removed.before.len() == 1);
        assert_eq!(removed.change, Some(Change::List(ListChange { list: List::Ignore, name: "bobbyb".into(), on: false })));
        assert_eq!(bench.code(with(List::Ignore, "bobbyb", false)).await, Code::RespContextError);
        assert_eq!(bench.code(with(List::Buddy, "bobbyb", false)).await, Code::RespOk);
    }

}

on_all! {
    async fn card_art_that_moderators_deny_is_not_shown(bench: &Bench) {
        let (alice, mary) = (bench.who("alicea").await, bench.who("modmary").await);
        let art = |card: &str| {
            let command = CommandSetCardArtParams {
                card_name: Some(card.into()),
                card_provider_id: Some("p2".into()),
                zoom: Some(9.0),
                ..CommandSetCardArtParams::default()
            };
            changed(&alice, AccountChange::CardArt(CardArt::from_command(&command).unwrap()))
        };
        let rule = |request| Moderate { who: mary.clone(), request };
        let add = |mode: &str| rule(ModeratorRequest::AddArtRule {
            card: "Swamp".into(),
            provider: "p2".into(),
            mode: mode.into(),
            reason: "r".into(),
        });
        assert_eq!(bench.code(add("MAYBE")).await, Code::RespInvalidData);
        assert_eq!(bench.code(add("ALLOW")).await, Code::RespOk);
        assert_eq!(bench.code(add("DENY")).await, Code::RespOk);
        // In whatever letters (spec: cockatrice-behaviour 1).
        for card in ["Swamp", "sWAMP"] {
            assert_eq!(bench.code(art(card)).await, Code::RespFunctionNotAllowed);
        }
        let outcome = bench.outcome(art("Forest")).await;
        assert!(matches!(&outcome.change, Some(Change::Record { told: true, .. })));
        assert_eq!(record(&outcome).card_art.unwrap().params().zoom, Some(4.0));
        said(&bench.outcome(rule(ModeratorRequest::ArtRules)).await, |body| {
            let ResponseBody::ListCardArtRules(rules) = body else { panic!("{body:?}") };
            let [rule] = &rules.entries[..] else { panic!("{rules:?}") };
            assert_eq!((&*rule.card_name(), &*rule.card_provider_id(), &*rule.mode(), &*rule.reason()), ("Swamp", "p2", "DENY", "r"));
        });
        let remove = || rule(ModeratorRequest::RemoveArtRule { card: "Swamp".into(), provider: "p2".into() });
        assert_eq!(bench.code(remove()).await, Code::RespOk);
        assert_eq!(bench.code(remove()).await, Code::RespOk);
        assert!(record(&bench.outcome(art("")).await).card_art.is_none());
    }
}
