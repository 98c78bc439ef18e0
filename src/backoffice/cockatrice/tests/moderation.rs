//! What moderators and administrators do (checklist 211 to 226, 233 to 235).

use cockatrice::messages::{ResponseBody, ResponseCode as Code};
use lobby::cockatrice::questions::{
    BanKeys, Banned, Change, Moderate, ModeratorRequest as Request, OpenSession, Outcome, Refusal,
    Who,
};

use super::{
    Bench,
    bench::{outcome, said},
    on_both,
};
use crate::unix_now;

fn by(who: &Who, request: Request) -> Moderate {
    Moderate {
        who: who.clone(),
        request,
    }
}

fn ban(name: &str, address: &str, client_id: &str, minutes: u32) -> Request {
    Request::Ban {
        keys: BanKeys {
            name: name.into(),
            address: address.into(),
            client_id: client_id.into(),
        },
        minutes,
        reason: "secret".into(),
        visible_reason: "be nice".into(),
    }
}

async fn bans(bench: &Bench) -> String {
    bench
        .look("SELECT CONCAT(COUNT(*), '') FROM cockatrice_bans")
        .await
}

/// Who has been there from where and with what.
async fn visit(bench: &Bench, name: &str) {
    let open = OpenSession {
        who: bench.who(name).await,
        websocket: false,
        client_version: "2.10".into(),
    };
    bench.handler.handle(open.into()).await;
}

on_both! {
    async fn a_ban_keeps_somebody_out(bench: &Bench) {
        let mary = bench.who("modmary").await;
        assert_eq!(bench.outcome(by(&mary, ban("", "", "", 5))).await, Outcome::ok());
        let trusted = bench.outcome(by(&mary, ban("", "127.0.0.1", "", 5))).await;
        let told = "modmary has placed a ban with the following information\n    Length: 5 minute(s)\n    Internal Reason: secret\n    Visible Reason: be nice";
        assert_eq!(trusted, Outcome { staff: Some(told.into()), ..Outcome::ok() });
        assert_eq!(bans(bench).await, "0", "trusted addresses are not banned, nor nobody");
        // Part of a trusted address is none.
        assert_eq!(bench.code(by(&mary, ban("", "127.0.0", "", 5))).await, Code::RespOk);
        assert_eq!(bans(bench).await, "1");
        assert_eq!(bench.code(by(&mary, ban("alicea", "", "", 5))).await, Code::RespOk);
        match bench.sign_in("ALICEA", "alicepass").await {
            Err(Refusal::Banned { reason, until: Some(until) }) => {
                assert_eq!(&*reason, "be nice");
                assert!(until.abs_diff(unix_now() as u64 + 300) < 10);
            }
            other => panic!("{other:?}"),
        }
        said(&bench.outcome(by(&mary, Request::BanHistory("alicea".into()))).await, |body| {
            let ResponseBody::BanHistory(told) = body else { panic!("{body:?}") };
            let [ban] = &told.ban_list[..] else { panic!("{told:?}") };
            assert_eq!((&*ban.admin_name(), &*ban.ban_length(), &*ban.ban_reason()), ("modmary", "5", "secret"));
            assert_eq!(ban.ban_time().len(), "2026-01-01 00:00:00".len());
        });
        // The newest ban of a key counts, whatever an older one says.
        bench.sql("UPDATE cockatrice_bans SET time_from = '2020-01-01 00:00:00', minutes = 0 WHERE user_name = 'alicea'; \
            INSERT INTO cockatrice_bans (user_name, ip_address, id_admin, time_from, minutes, reason, visible_reason, clientid) \
            VALUES ('alicea', '', 1, '2020-01-02 00:00:00', 1, '', '', '')").await;
        assert!(bench.sign_in("alicea", "alicepass").await.is_ok());
    }

    async fn addresses_and_installations_are_banned_as_well(bench: &Bench) {
        let mary = bench.who("modmary").await;
        visit(bench, "bobbyb").await;
        let outcome = bench.outcome(by(&mary, ban("", "", "cid-bobbyb", 0))).await;
        let banned = Banned { users: vec!["bobbyb".into()], reason: "be nice".into(), ..Banned::default() };
        assert_eq!(outcome.change, Some(Change::Banned(Box::new(banned))));
        let told = outcome.staff.expect("staff is told");
        assert!(told.starts_with("modmary has placed a ban with the following information\n    Client ID: cid-bobbyb\n    Length: 0 minute(s)"), "{told}");
        let forever = Err(Refusal::Banned { reason: "be nice".into(), until: None });
        assert_eq!(bench.sign_in("bobbyb", "bobbypass").await, forever);
        assert!(bench.sign_in("carolc", "carolpass").await.is_ok());
        bench.outcome(by(&mary, ban("", "192.0.2.7", "", 0))).await;
        assert_eq!(bench.sign_in("carolc", "carolpass").await, forever);
        // Two in one second: the newer one counts.
        for minutes in [0, 1] {
            bench.outcome(by(&mary, ban("alicea", "", "", minutes))).await;
        }
        assert!(bench.store.bans("alicea").await.unwrap().first().is_some_and(|ban| ban.minutes == "1"));
    }

    async fn an_installation_is_banned_whatever_the_letters_of_its_id(bench: &Bench) {
        let mary = bench.who("modmary").await;
        visit(bench, "bobbyb").await;
        let outcome = bench.outcome(by(&mary, ban("", "", "CID-Bobbyb", 0))).await;
        let Some(Change::Banned(banned)) = outcome.change else { panic!("{outcome:?}") };
        assert_eq!(banned.users, ["bobbyb".into()]);
        let forever = Err(Refusal::Banned { reason: "be nice".into(), until: None });
        assert_eq!(bench.sign_in("bobbyb", "bobbypass").await, forever);
    }

    async fn warnings_are_told_and_kept(bench: &Bench) {
        let mary = bench.who("modmary").await;
        let warn = Request::Warn { name: "ALICEA".into(), reason: "Flaming".into(), client_id: "c".into() };
        let outcome = bench.outcome(by(&mary, warn)).await;
        assert_eq!((outcome.code, &*outcome.notices[0].to), (Code::RespOk, "alicea"));
        for (name, rows) in [("alicea", 1), ("nobody1", 0)] {
            said(&bench.outcome(by(&mary, Request::WarnHistory(name.into()))).await, |body| {
                let ResponseBody::WarnHistory(told) = body else { panic!("{body:?}") };
                assert_eq!(told.warn_list.len(), rows);
            });
        }
    }

    async fn notes_are_kept_for_moderators(bench: &Bench) {
        let mary = bench.who("modmary").await;
        let notes = |name: &str| by(&mary, Request::Notes(name.into()));
        let set = |name: &str| by(&mary, Request::SetNotes { name: name.into(), notes: "watch this one".into() });
        assert_eq!(bench.code(notes("nobody1")).await, Code::RespNameNotFound);
        assert_eq!(bench.code(set("nobody1")).await, Code::RespNameNotFound);
        assert_eq!(bench.code(set("alicea")).await, Code::RespOk);
        assert_eq!(bench.code(set("alicea")).await, Code::RespNameNotFound, "unchanged");
        said(&bench.outcome(notes("alicea")).await, |body| {
            let ResponseBody::GetAdminNotes(told) = body else { panic!("{body:?}") };
            assert_eq!(&*told.notes(), "watch this one");
        });
    }

    async fn who_was_there_is_told(bench: &Bench) {
        let mary = bench.who("modmary").await;
        for name in ["alicea", "modmary"] {
            visit(bench, name).await;
        }
        bench.sql("UPDATE cockatrice_users SET clientid = 'cid-alicea' WHERE name = 'carolc'").await;
        let sessions = |name: &str| by(&mary, Request::Sessions { name: name.into(), most: 110 });
        assert_eq!(bench.code(sessions("")).await, Code::RespContextError);
        said(&bench.outcome(sessions("alicea")).await, |body| {
            let ResponseBody::UserSessions(told) = body else { panic!("{body:?}") };
            let [session] = &told.sessions[..] else { panic!("{told:?}") };
            assert_eq!((&*session.clientid(), &*session.connection_type(), session.end_time), ("cid-alicea", "tcp", None));
        });
        assert_eq!(bench.code(by(&mary, Request::Alts("".into()))).await, Code::RespContextError);
        said(&bench.outcome(by(&mary, Request::Alts("alicea".into()))).await, |body| {
            let ResponseBody::UserAlts(told) = body else { panic!("{body:?}") };
            let names: Vec<_> = told.alts.iter().map(|alt| alt.user_name().into_owned()).collect();
            assert_eq!(names, ["alicea", "carolc", "modmary"], "itself, by client, by address");
            assert!(told.alts[0].last_login.is_some() && told.alts[1].last_login.is_none());
        });
        said(&bench.outcome(by(&mary, Request::ModeratorLogins)).await, |body| {
            let ResponseBody::ModeratorLastLogins(told) = body else { panic!("{body:?}") };
            let lines: Vec<_> = told.logins.iter().map(|line| (line.user_name().into_owned(), line.user_level(), line.last_login.is_some())).collect();
            let [judge, mary, root] = &lines[..] else { panic!("{lines:?}") };
            assert_eq!((&*judge.0, judge.1, judge.2), ("judgejim", 19, false));
            assert_eq!((&*mary.0, mary.1, mary.2), ("modmary", 7, true));
            assert_eq!((&*root.0, root.1, root.2), ("rootuser", 15, false));
        });
    }

    async fn accounts_are_activated_and_lose_their_picture(bench: &Bench) {
        let mary = bench.who("modmary").await;
        bench.sql("UPDATE cockatrice_users SET active = 0, avatar_bmp = 'x' WHERE name = 'alicea'").await;
        for (name, wanted) in [
            ("alicea", Code::RespActivationAccepted),
            ("alicea", Code::RespActivationFailed),
            ("nobody1", Code::RespNameNotFound),
        ] {
            assert_eq!(bench.code(by(&mary, Request::ForceActivate(name.into()))).await, wanted);
        }
        for (name, wanted) in [
            ("", Code::RespContextError),
            ("alicea", Code::RespOk),
            ("alicea", Code::RespInternalError),
            ("nobody1", Code::RespInternalError),
        ] {
            assert_eq!(bench.code(by(&mary, Request::RemoveAvatar(name.into()))).await, wanted);
        }
    }

    async fn rights_are_given_and_taken(bench: &Bench) {
        let root = bench.who("rootuser").await;
        let adjust = |name: &str, moderator, judge| by(&root, Request::Adjust { name: name.into(), moderator, judge });
        let level = async || bench.store.find("alicea").await.unwrap().unwrap().account.level().bits();
        let outcome = bench.outcome(adjust("ALICEA", Some(true), None)).await;
        assert_eq!((outcome.change, level().await), (Some(Change::Rights("alicea".into(), vec![true])), 7));
        let outcome = bench.outcome(adjust("alicea", Some(false), Some(true))).await;
        assert_eq!((outcome.change, level().await), (Some(Change::Rights("alicea".into(), vec![false, true])), 19));
        assert_eq!(bench.outcome(adjust("nobody1", Some(true), None)).await, Outcome::ok());
    }

    async fn a_password_is_reset_for_once(bench: &Bench) {
        let root = bench.who("rootuser").await;
        let reset = |name: &str| by(&root, Request::ResetPassword(name.into()));
        assert_eq!(bench.code(reset("")).await, Code::RespContextError);
        assert_eq!(bench.code(reset("nobody1")).await, Code::RespNameNotFound);
        let outcome = bench.outcome(reset("bobbyb")).await;
        assert_eq!(&*outcome.notices[0].to, "bobbyb");
        let mut password = String::new();
        said(&outcome, |body| {
            let ResponseBody::ResetUserPassword(told) = body else { panic!("{body:?}") };
            password = told.temporary_password().into_owned();
        });
        assert_eq!(bench.sign_in("bobbyb", &password).await, Err(Refusal::MustChangePassword));
        assert_eq!(bench.sign_in("bobbyb", "bobbypass").await, Err(Refusal::WrongPassword));
    }

    async fn the_newest_message_of_this_server_is_told(bench: &Bench) {
        assert_eq!(bench.store.server_message().await.unwrap(), None);
        bench.sql("INSERT INTO cockatrice_servermessages (id_server, timest, message) VALUES (3, '2026-01-02 00:00:00', 'new'), \
            (3, '2026-01-01 00:00:00', 'old'), (4, '2026-01-03 00:00:00', 'other')").await;
        assert_eq!(bench.store.server_message().await.unwrap().as_deref(), Some("new"));
    }
}

#[tokio::test]
async fn warnings_have_a_list_and_levels() {
    let bench = Bench::sqlite().await;
    let mary = bench.who("modmary").await;
    let handler = bench.with(|settings| {
        settings.moderation.warnings = "Flaming, Cheating|2,,Other|x".to_owned();
    });
    let list = Request::WarnList {
        name: "x".into(),
        client_id: "c".into(),
    };
    said(&outcome(&handler, by(&mary, list)).await, |body| {
        let ResponseBody::WarnList(told) = body else {
            panic!("{body:?}")
        };
        let warnings: Vec<_> = told
            .warning
            .iter()
            .map(|text| text.lossy().into_owned())
            .collect();
        assert_eq!(warnings, ["Flaming", "Cheating", "Other"]);
        assert_eq!(told.warning_il, [1, 2, 1]);
        assert_eq!((&*told.user_name(), &*told.user_clientid()), ("x", "c"));
    });
}
