//! The schema: the embedded one's own, and one that another project made.

use cockatrice::messages::ResponseCode as Code;
use lobby::cockatrice::questions::{
    Answer, AskReports, LogLine, Moderate, ModeratorRequest, NewReport, OpenSession, Place,
    ReportRequest, WriteLog,
};

use sqlx::{Connection, Executor, SqliteConnection};

use super::{
    Bench,
    bench::{mysql_database, on_server, run},
    on_both,
};
use crate::{
    cockatrice::store::{Column, NewAccount, Store, Unusable},
    store::StoreSettings,
};

on_both! {
    async fn texts_may_hold_whatever_clients_send(bench: &Bench) {
        let id = bench.who("alicea").await.id;
        for text in ["a\0b", "\0", "ü 字 🎲", "'; DROP TABLE cockatrice_users; --"] {
            bench.store.set(id, Column::Notes(text)).await.unwrap();
            assert_eq!(bench.store.notes(id).await.unwrap(), text);
            bench.store.set(id, Column::RealName(text)).await.unwrap();
            let found = bench.store.find("alicea").await.unwrap().unwrap();
            assert_eq!(&*found.account.real_name, text);
        }
    }
}

#[tokio::test]
async fn the_embedded_store_is_there_again() {
    let bench = Bench::sqlite().await;
    let settings = StoreSettings::default();
    let again = Store::open(&bench.url, "ignored", 3, &settings)
        .await
        .unwrap();
    assert!(again.find("alicea").await.unwrap().is_some());
}

/// A store of before step 2 has all it had, and gives no number of an account again.
#[tokio::test]
async fn an_older_embedded_store_is_brought_up_to_date() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite:{}?mode=rwc", folder.path().join("old.db").display());
    let mut old = SqliteConnection::connect(&url).await.unwrap();
    const STEP: &str = include_str!("../store/schema-1.sqlite.sql");
    const HELD: &str = "PRAGMA user_version = 1; \
        INSERT INTO cockatrice_users (id, name, registrationDate, clientid) VALUES (3, 'alicea', '2026-01-01 00:00:00', 'abc'); \
        INSERT INTO cockatrice_users (id, name, registrationDate) VALUES (9, 'gone', '2026-01-01 00:00:00'); \
        DELETE FROM cockatrice_users WHERE id = 9; \
        INSERT INTO cockatrice_card_art_name_rules (card_name, card_provider_id, mode, reason, created_by) \
            VALUES ('Swamp', 'p', 'ALLOW', '', ''), ('SWAMP', 'P', 'DENY', '', ''); \
        INSERT INTO cockatrice_bans VALUES ('alicea', '', 1, '2026-01-01 00:00:00', 0, '', 'be nice', 'ABC'); \
        INSERT INTO cockatrice_reports (id, reporter_name, reported_user_name, category, description, chat_log, report_time) \
            VALUES (4, 'alicea', 'bobbyb', 'Other', 'x', '', '2026-01-01 00:00:00')";
    for text in [STEP, HELD] {
        old.execute(text).await.unwrap();
    }
    old.close().await.unwrap();
    let settings = StoreSettings::default();
    let store = Store::open(&url, "ignored", 3, &settings).await.unwrap();
    let rules = store.art_rules().await.unwrap();
    assert_eq!(rules.len(), 1);
    assert!(store.is_art_denied("swamp", "p").await.unwrap());
    assert_eq!(store.of_client("ABC").await.unwrap(), ["alicea".into()]);
    assert_eq!(store.bans("ALICEA").await.unwrap().len(), 1);
    let found = store.find("alicea").await.unwrap().unwrap();
    assert_eq!(found.account.id, 3);
    let new = NewAccount {
        name: "newcomer",
        real_name: "",
        password: "",
        email: "",
        country: "",
        token: None,
        admin: 0,
    };
    assert_eq!(store.create(&new).await.unwrap(), Some(10));
    let mut now = SqliteConnection::connect(&url).await.unwrap();
    let report = "SELECT id || category FROM cockatrice_reports WHERE category = 'OTHER'";
    let report: String = sqlx::query_scalar(report)
        .fetch_one(&mut now)
        .await
        .unwrap();
    assert_eq!(report, "4Other");
}

fn line() -> LogLine {
    LogLine {
        at_s: 1,
        sender_id: 0,
        sender: "Guest_1".into(),
        address: "192.0.2.7".into(),
        text: "hi".into(),
        place: Place::Room,
        target_id: 1,
        target: "General".into(),
    }
}

/// What the lobby can do without.
const OPTIONAL: [&str; 11] = [
    "reports",
    "report_comments",
    "log",
    "audit",
    "user_analytics",
    "servermessages",
    "card_art_name_rules",
    "forgot_password",
    "activation_emails",
    "warnings",
    "uptime",
];

#[tokio::test]
async fn what_is_not_there_keeps_nobody_out() {
    let drop = OPTIONAL.map(|table| format!("DROP TABLE cockatrice_{table};"));
    on_server(&drop.concat(), async |bench: &Bench| {
        assert!(bench.sign_in("alicea", "alicepass").await.is_ok());
        let (alice, mary) = (bench.who("alicea").await, bench.who("modmary").await);
        let open = OpenSession {
            who: alice.clone(),
            websocket: false,
            client_version: "2.10".into(),
        };
        let opened = bench.handler.handle(open.into()).await;
        let Answer::OpenSession(Ok(opened)) = opened else {
            panic!("{opened:?}");
        };
        assert!(opened.session > 0 && opened.missed.is_empty() && opened.message.is_none());
        let report = AskReports {
            who: alice.clone(),
            request: ReportRequest::New(NewReport {
                about: "bobbyb".into(),
                category: "cheating".into(),
                description: "he cheats".into(),
                ..NewReport::default()
            }),
        };
        assert_eq!(bench.code(report).await, Code::RespInternalError);
        let rules = Moderate {
            who: mary.clone(),
            request: ModeratorRequest::ArtRules,
        };
        assert_eq!(bench.code(rules).await, Code::RespInternalError);
        let notes = Moderate {
            who: mary.clone(),
            request: ModeratorRequest::Alts("alicea".into()),
        };
        assert_eq!(bench.code(notes).await, Code::RespOk);
        bench.handler.handle(WriteLog(vec![line()]).into()).await;
        assert!(bench.store.waiting_mail().await.unwrap().is_empty());
        let gaps = bench.store.gaps().await.unwrap();
        assert_eq!(gaps.iter().map(|gap| gap.table).collect::<Vec<_>>(), OPTIONAL);
        assert_eq!(
            gaps[0].to_string(),
            "there is no table reports (what users report): whatever is asked about reports is answered with an internal error"
        );
    })
    .await;
}

#[tokio::test]
async fn a_column_that_is_not_there_is_told() {
    let drop = "ALTER TABLE cockatrice_reports DROP COLUMN chat_log; ALTER TABLE cockatrice_audit DROP COLUMN action";
    on_server(drop, async |bench: &Bench| {
        let gaps = bench.store.gaps().await.unwrap();
        let told: Vec<_> = gaps.iter().map(ToString::to_string).collect();
        assert_eq!(
            told,
            [
                "no column of the table reports (what users report) is known to be for the chat that is quoted: that is not stored",
                "no column of the table audit (who did what about accounts) is known to be for the action: that is not written down",
            ]
        );
        let (alice, mary) = (bench.who("alicea").await, bench.who("modmary").await);
        let new = NewReport {
            about: "bobbyb".into(),
            category: "cheating".into(),
            description: "he cheats".into(),
            chat_log: "a".into(),
            ..NewReport::default()
        };
        for (who, request) in [
            (alice, ReportRequest::New(new)),
            (mary, ReportRequest::Details(1)),
        ] {
            assert_eq!(bench.code(AskReports { who, request }).await, Code::RespOk);
        }
    })
    .await;
}

#[tokio::test]
async fn lines_that_are_not_written_are_counted() {
    let Ok(server) = std::env::var("MUSTER_TEST_MYSQL") else {
        eprintln!("no MUSTER_TEST_MYSQL, passed over");
        return;
    };
    let url = mysql_database(&server).await;
    run(&url, "DROP TABLE cockatrice_log").await;
    let settings = StoreSettings::default();
    let store = Store::open(&url, "cockatrice_", 3, &settings)
        .await
        .unwrap();
    assert!(store.write_log(&[line(), line()]).await.is_err());
    assert_eq!(settings.metrics.lines_lost(), 2);
    store.close().await;
    run(
        &url,
        &format!("DROP DATABASE {}", url.rsplit('/').next().unwrap()),
    )
    .await;
}

#[tokio::test]
async fn a_schema_that_is_not_known_is_refused() {
    let Ok(server) = std::env::var("MUSTER_TEST_MYSQL") else {
        eprintln!("no MUSTER_TEST_MYSQL, passed over");
        return;
    };
    let url = mysql_database(&server).await;
    let settings = StoreSettings::default();
    let open = async |prefix| Store::open(&url, prefix, 3, &settings).await.map(|_| ());
    assert!(open("cockatrice_").await.is_ok());
    assert!(matches!(open("a b").await, Err(Unusable::Prefix)));
    assert!(matches!(
        open("other_").await,
        Err(Unusable::Version { found: 0 })
    ));
    run(
        &url,
        "ALTER TABLE cockatrice_bans DROP COLUMN visible_reason",
    )
    .await;
    let lacks = open("cockatrice_").await;
    assert!(
        matches!(&lacks, Err(Unusable::Lacks(what)) if what == "columns in bans"),
        "{lacks:?}"
    );
    run(&url, "UPDATE cockatrice_schema_version SET version = 35").await;
    assert!(matches!(
        open("cockatrice_").await,
        Err(Unusable::Version { found: 35 })
    ));
    run(
        &url,
        &format!("DROP DATABASE {}", url.rsplit('/').next().unwrap()),
    )
    .await;
}
