//! Reports (checklist 227 to 232).

use cockatrice::messages::{
    ResponseBody, ResponseCode as Code, SessionEvent, SessionEventBody, decode,
};
use lobby::cockatrice::questions::{
    Answer, AskReports, NewReport, OpenSession, Pending, ReportRequest as Request, Who,
};

use super::{
    Bench,
    bench::{on_all, said},
};

fn by(who: &Who, request: Request) -> AskReports {
    AskReports {
        who: who.clone(),
        request,
    }
}

fn report(about: &str, category: &str, description: &str) -> Request {
    Request::New(NewReport {
        about: about.into(),
        category: category.into(),
        description: description.into(),
        chat_log: "a\nb".into(),
        ..NewReport::default()
    })
}

fn comment(report: i32, text: &str) -> Request {
    Request::Comment {
        report,
        text: text.into(),
    }
}

fn resolve(report: i32, note: &str, dismissed: bool) -> Request {
    Request::Resolve {
        report,
        note: note.into(),
        dismissed,
    }
}

/// Title and content of a notification.
fn told(event: &[u8]) -> (String, String) {
    let event: SessionEvent<'_> = decode(event).unwrap();
    let Some(SessionEventBody::NotifyUser(told)) = event.body else {
        panic!("{event:?}")
    };
    (
        told.custom_title().into_owned(),
        told.custom_content().into_owned(),
    )
}

async fn missed(bench: &Bench, name: &str) -> Vec<(String, String)> {
    let open = OpenSession {
        who: bench.who(name).await,
        websocket: false,
        client_version: "".into(),
    };
    match bench.handler.handle(open.into()).await {
        Answer::OpenSession(Ok(opened)) => opened.missed.iter().map(|event| told(event)).collect(),
        other => panic!("{other:?}"),
    }
}

on_all! {
    async fn a_report_is_checked_and_counted(bench: &Bench) {
        let alice = bench.who("alicea").await;
        for (request, wanted) in [
            (report("bobbyb", "ugly", "he cheats"), Code::RespInvalidData),
            (report("bobbyb", "cheating", ""), Code::RespInvalidData),
            (report("", "cheating", "he cheats"), Code::RespInvalidData),
            (report("nobody1", "cheating", "he cheats"), Code::RespNameNotFound),
        ] {
            assert_eq!(bench.code(by(&alice, request)).await, wanted);
        }
        for _ in 0..10 {
            assert_eq!(bench.code(by(&alice, report("BOBBYB", "Cheating", "he cheats"))).await, Code::RespOk);
        }
        let one_more = bench.code(by(&alice, report("bobbyb", "cheating", "he cheats"))).await;
        assert_eq!(one_more, Code::RespTooManyRequests);
        said(&bench.outcome(by(&alice, Request::Own)).await, |body| {
            let ResponseBody::ReportMyList(list) = body else { panic!("{body:?}") };
            let first = &list.reports[0];
            assert!(list.reports.len() == 10 && first.report_id() > list.reports[9].report_id());
            assert_eq!((&*first.category(), &*first.status(), &*first.reported_user_name()), ("Cheating", "open", "bobbyb"));
            assert!(first.chat_log.is_none() && first.assigned_mod_name.is_none() && first.resolution_time.is_none());
        });
        let mary = bench.who("modmary").await;
        let list = Request::List { unresolved_only: true, offset: 9, limit: 5 };
        said(&bench.outcome(by(&mary, list)).await, |body| {
            let ResponseBody::ReportList(list) = body else { panic!("{body:?}") };
            assert_eq!((list.reports.len(), list.total_count()), (1, 10));
        });
    }

    async fn moderators_work_a_queue(bench: &Bench) {
        let (alice, bob) = (bench.who("alicea").await, bench.who("bobbyb").await);
        let (mary, root) = (bench.who("modmary").await, bench.who("rootuser").await);
        for _ in 0..3 {
            bench.outcome(by(&alice, report("bobbyb", "cheating", "he cheats"))).await;
        }
        for (who, request, wanted) in [
            (&mary, Request::Assign(1), Code::RespOk),
            (&root, Request::Assign(1), Code::RespInvalidData),
            (&root, Request::Assign(9999), Code::RespNameNotFound),
            (&alice, comment(1, " \n"), Code::RespInvalidData),
            (&bob, comment(1, "by target"), Code::RespAccessDenied),
            (&alice, comment(9999, "x"), Code::RespNameNotFound),
            (&bob, Request::Details(1), Code::RespAccessDenied),
            (&mary, Request::Details(9999), Code::RespNameNotFound),
        ] {
            assert_eq!(bench.code(by(who, request.clone())).await, wanted, "{request:?}");
        }
        let proof = bench.outcome(by(&alice, comment(1, "more proof"))).await;
        assert_eq!((proof.notices.len(), &*proof.notices[0].to), (1, "modmary"));
        assert_eq!(told(&proof.notices[0].event), ("New Comment on Report 1".into(), "alicea commented:\nmore proof".into()));
        let looking = bench.outcome(by(&mary, comment(1, "looking"))).await;
        assert_eq!((looking.notices.len(), &*looking.notices[0].to), (1, "alicea"), "nobody is told of what they wrote");
        said(&bench.outcome(by(&alice, Request::Details(1))).await, |body| {
            let ResponseBody::ReportDetails(told) = body else { panic!("{body:?}") };
            let report = told.report.unwrap();
            assert_eq!((&*report.chat_log(), &*report.assigned_mod_name(), report.comments.len()), ("a\nb", "modmary", 2));
            assert!(!report.comments[0].is_moderator() && report.comments[1].is_moderator());
        });
        let done = bench.outcome(by(&mary, resolve(1, "done", false))).await;
        let said_of_it = ("Report Resolved".into(), "Your report about bobbyb has been resolved.\nNote: done".into());
        assert_eq!(told(&done.notices[0].event), said_of_it);
        assert_eq!(done.notices[0].pending, Some(Pending::Resolved(1)));
        assert_eq!(bench.code(by(&mary, resolve(1, "done", false))).await, Code::RespInvalidData);
        assert_eq!(bench.code(by(&alice, comment(1, "late"))).await, Code::RespInvalidData);
    }

    async fn what_was_missed_is_told_once_at_the_next_login(bench: &Bench) {
        let (alice, mary) = (bench.who("alicea").await, bench.who("modmary").await);
        for _ in 0..2 {
            bench.outcome(by(&alice, report("bobbyb", "cheating", "he cheats"))).await;
        }
        let done = bench.outcome(by(&mary, resolve(1, "no", true))).await;
        bench.outcome(by(&mary, comment(2, "while you were out"))).await;
        let known = done.notices[0].pending.into_iter().collect::<Vec<_>>();
        let all = missed(bench, "alicea").await;
        let titles: Vec<&str> = all.iter().map(|(title, _)| title.as_str()).collect();
        assert_eq!(titles, ["Report Dismissed", "New Comment on Report 2"]);
        assert!(missed(bench, "alicea").await.is_empty() && missed(bench, "bobbyb").await.is_empty());
        // What was delivered at once is not told again, and one's own list tells as a login does.
        bench.outcome(by(&mary, comment(2, "once more"))).await;
        assert_eq!(bench.outcome(by(&alice, Request::Own)).await.before.len(), 1);
        let flag = bench.column("cockatrice_reports", "notif").await;
        bench.sql(&format!("UPDATE cockatrice_reports SET {flag} = 0 WHERE id = 1")).await;
        bench.outcome(by(&mary, Request::Delivered(known))).await;
        assert!(missed(bench, "alicea").await.is_empty());
    }

    async fn a_moderator_is_told_what_the_reporter_says(bench: &Bench) {
        let (alice, mary) = (bench.who("alicea").await, bench.who("modmary").await);
        bench.outcome(by(&alice, report("bobbyb", "cheating", "he cheats"))).await;
        bench.outcome(by(&mary, Request::Assign(1))).await;
        let proof = bench.outcome(by(&alice, comment(1, "proof"))).await;
        assert_eq!(proof.notices.len(), 1);
        let known = proof.notices[0].pending.into_iter().collect();
        bench.outcome(by(&alice, comment(1, "more"))).await;
        bench.outcome(by(&mary, Request::Delivered(known))).await;
        assert!(missed(bench, "alicea").await.is_empty());
        let all = missed(bench, "modmary").await;
        assert_eq!(all, [("New Comment on Report 1".to_owned(), "alicea commented:\nmore".to_owned())]);
        assert!(missed(bench, "modmary").await.is_empty());
    }

    async fn moderators_see_what_is_known_of_somebody(bench: &Bench) {
        let (alice, mary) = (bench.who("alicea").await, bench.who("modmary").await);
        bench.outcome(by(&alice, report("bobbyb", "cheating", "he cheats"))).await;
        bench.outcome(by(&mary, resolve(1, "done", false))).await;
        said(&bench.outcome(by(&mary, Request::UserInfo("BOBBYB".into()))).await, |body| {
            let ResponseBody::ReportUserInfo(told) = body else { panic!("{body:?}") };
            assert_eq!((&*told.user_name(), told.total_reports(), told.recent_reports.len()), ("bobbyb", 1, 1));
            assert!(told.is_active() && !told.is_admin() && told.registration_time() > 0 && told.last_login.is_none());
        });
        assert_eq!(bench.code(by(&mary, Request::UserInfo("nobody1".into()))).await, Code::RespNameNotFound);
        for _ in 0..2 {
            said(&bench.outcome(by(&mary, Request::Stats)).await, |body| {
                let ResponseBody::ReportStats(told) = body else { panic!("{body:?}") };
                assert_eq!((told.total_reports(), told.total_resolved(), told.reports_last_24h()), (1, 1, 1));
                assert_eq!((told.category_counts[0].count(), &*told.top_reporters[0].user_name()), (1, "alicea"));
            });
            // All moderators are told the same for a minute.
            bench.outcome(by(&alice, report("bobbyb", "cheating", "again"))).await;
        }
    }

    async fn kinds_of_reports_are_counted_whatever_their_letters(bench: &Bench) {
        let (alice, mary) = (bench.who("alicea").await, bench.who("modmary").await);
        for category in ["cheating", "Cheating", "other"] {
            bench.outcome(by(&alice, report("bobbyb", category, "he cheats"))).await;
        }
        said(&bench.outcome(by(&mary, Request::Stats)).await, |body| {
            let ResponseBody::ReportStats(told) = body else { panic!("{body:?}") };
            let counts: Vec<_> = told.category_counts.iter().map(|kind| kind.count()).collect();
            assert_eq!(counts, [2, 1]);
        });
    }
}
