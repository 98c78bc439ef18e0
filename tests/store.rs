//! The store, the same tests on both back ends.
//!
//! On SQLite always; on MariaDB if `MUSTER_TEST_MYSQL` names a server where databases may be made
//! (`tests/with-mariadb cargo test --test store`). Every test has a database of its own.

#[path = "support/bench.rs"]
mod bench;
#[path = "support/tokens.rs"]
mod tokens;

use std::net::{IpAddr, Ipv4Addr, TcpListener};
use std::sync::Arc;

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use bench::{Bench, UNLIMITED, on_both};
use muster::backoffice::faf::store::{Arrival, BanLevel, Identity, NewBan, Store, Who};
use muster::backoffice::faf::{AuthMode, FafHandler};
use muster::backoffice::keys::{KeyRing, Keys};
use muster::backoffice::store::{OpenError, StoreError, StoreSettings};
use muster::lobby::faf::questions::{
    Answer, Avatar, Credentials, Host, Join, Login, LoginRefusal, Map, Relation, StoredRating,
};
use muster::lobby::question::StoreFailure;
use serde_json::json;
use sqlx::{Connection, Executor, SqliteConnection};

const HASH: &str = "10a6e6cc8311a3e2bcc09bf6c199adecd5dd59408c343e926b129c4914f3cb01";
const DOSTYA: &str = "b39a60f59bbf47bd5e334bca6a223a8111b4cadfd181e92db68994940989b475";
const HERE: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 7));

fn now() -> f64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap()
        .as_secs_f64()
}

fn named(id: u32, login: &str) -> Identity {
    Identity {
        id,
        login: login.to_owned(),
    }
}

fn rating(leaderboard: &str, mean: f64, deviation: f64, games: u32) -> StoredRating {
    StoredRating {
        leaderboard: leaderboard.to_owned(),
        mean,
        deviation,
        games,
    }
}

/// The kind of failure, if it is one.
fn failure<T>(outcome: Result<T, StoreError>) -> Option<StoreFailure> {
    outcome.err().map(|error| error.failure())
}

async fn hello(
    handler: &FafHandler,
    login: &str,
    password: &str,
) -> Result<(u32, String), LoginRefusal> {
    let login = Login {
        credentials: Credentials::Password {
            login: login.to_owned(),
            password: password.to_owned(),
        },
        unique_id: "hash".into(),
        session: 1,
        address: HERE,
        counted: None,
        user_agent: None,
    };
    match handler.handle(login.into()).await {
        Answer::Login(outcome) => outcome.map(|account| (account.id, account.login.into_string())),
        other => panic!("{other:?}"),
    }
}

on_both! {
    async fn accounts_are_found_by_name_in_any_case_and_by_id(bench: &Bench) {
        let store = &bench.store;
        store.ready().await.unwrap();
        let found = store.find(Who::Name("TEST".to_owned())).await.unwrap().unwrap();
        assert_eq!((found.identity, found.password.as_str()), (named(1, "test"), HASH));
        assert!(found.ban.is_none());
        let found = store.find(Who::Id(2)).await.unwrap().unwrap();
        assert_eq!(found.identity, named(2, "Dostya"));
        assert_eq!(found.ban.unwrap().reason, "Test permanent ban");
        assert!(store.find(Who::Name("nobody".to_owned())).await.unwrap().is_none());
        assert!(store.find(Who::Id(4_000_000_000)).await.unwrap().is_none());
    }

    async fn the_longest_ban_in_force_counts(bench: &Bench) {
        let store = &bench.store;
        let forever = store.ban_of(2).await.unwrap().unwrap();
        assert_eq!(forever.expires_at, 32_503_593_600.0);
        assert_eq!(store.ban_of(203).await.unwrap().unwrap().reason, "Test permanent ban");
        // Never, revoked, expired, and from talking only.
        for free in [1, 201, 202, 3] {
            assert_eq!(store.ban_of(free).await.unwrap(), None, "{free}");
        }
        let until = now() + 46.0 * 3_600.0;
        let ban = NewBan { player_id: 204, author_id: 1, reason: "short", expires_at: Some(until), level: BanLevel::Global };
        store.ban(&ban).await.unwrap();
        let read = store.find(Who::Id(204)).await.unwrap().unwrap().ban.unwrap();
        assert!(read.reason == "short" && (0.0..1.0).contains(&(until - read.expires_at)), "{read:?}");
        assert_eq!(store.unban(204, 1, "sorry").await.unwrap(), 1);
        assert_eq!(store.unban(204, 1, "sorry").await.unwrap(), 0);
        assert_eq!(store.ban_of(204).await.unwrap(), None);
    }

    async fn everything_about_a_player_is_loaded(bench: &Bench) {
        let test = bench.shown(1).await;
        assert_eq!(test.groups, ["faf_server_administrators"]);
        assert_eq!((test.clan.as_deref(), test.avatar), (Some("678"), None));
        assert_eq!(test.ratings, [rating("global", 2000.0, 125.0, 5), rating("ladder_1v1", 2000.0, 125.0, 5)]);
        assert_eq!((test.friends.to_vec(), test.foes.to_vec()), (vec![], vec![400]));
        let rhiza = bench.shown(3).await;
        assert_eq!(rhiza.ratings[0], rating("global", 1650.0, 62.52, 2));
        // Six significant digits of 1765.5119 and 500.12345.
        let sixth = bench.shown(6).await;
        assert_eq!(sixth.ratings, [rating("global", 1765.51, 500.123, 0)]);
        let nobody = bench.shown(999).await;
        assert!(nobody.ratings.is_empty() && nobody.groups.is_empty() && nobody.clan.is_none());
    }

    async fn the_avatar_is_the_chosen_one_that_is_owned(bench: &Bench) {
        let avatar = async |id| bench.shown(id).await.avatar.map(|avatar| *avatar);
        let of = |file: &str, tooltip: &str| Avatar {
            url: format!("https://content.faforever.com/faf/avatars/{file}"),
            tooltip: tooltip.to_owned(),
        };
        // By the flag, as long as nothing is chosen; and not without a tooltip.
        assert_eq!(avatar(50).await, Some(of("UEF.png", "UEF")));
        assert_eq!(avatar(52).await, None);
        bench.sql("UPDATE login SET avatar_id = 1 WHERE id IN (50, 51)").await;
        assert_eq!(avatar(51).await, Some(of("qai2.png", "QAI")));
        assert_eq!(avatar(50).await, None);
    }

    async fn an_older_schema_is_read_as_well(bench: &Bench) {
        if bench.store.is_embedded() {
            return;
        }
        bench.sql("ALTER TABLE game_join_log DROP INDEX game_join_log_ip, DROP COLUMN ip").await;
        bench.sql("SET foreign_key_checks = 0; ALTER TABLE login DROP CONSTRAINT login_ibfk_1; \
            ALTER TABLE login DROP COLUMN avatar_id").await;
        let account = bench.shown(50).await;
        assert_eq!(account.avatar.unwrap().tooltip, "UEF");
        bench.store.log_join(1, 5, HERE).await;
        assert_eq!(bench.look("SELECT CAST(COUNT(*) AS CHAR) FROM game_join_log WHERE game_id = 5").await, "1");
    }

    async fn the_newest_migration_is_found(bench: &Bench) {
        let newest = async |table| bench.store.newest_migration(table).await.unwrap();
        assert_eq!(newest("flyway_schema_history").await, None);
        if bench.store.is_embedded() {
            return;
        }
        bench.sql("CREATE TABLE migrations (version VARCHAR(50), success TINYINT(1) NOT NULL)").await;
        assert_eq!(newest("migrations").await, None);
        bench.sql("INSERT INTO migrations VALUES ('99', 1), ('136.1', 1), (NULL, 1), ('137', 0)").await;
        assert_eq!(newest("migrations").await, Some(136));
        assert_eq!(newest("migrations; DROP TABLE login").await, None);
    }

    async fn a_login_is_recorded_with_a_cut_user_agent(bench: &Bench) {
        let long = "ü".repeat(60);
        bench.store.record_login(1, "::ffff:192.0.2.7".parse().unwrap(), Some(&long)).await.unwrap();
        assert_eq!(bench.look("SELECT ip FROM login WHERE id = 1").await, "192.0.2.7");
        assert_eq!(bench.look("SELECT user_agent FROM login WHERE id = 1").await, "ü".repeat(50));
        assert_ne!(bench.look("SELECT CAST(last_login AS CHAR) FROM login WHERE id = 1").await, "NULL");
        bench.store.record_login(1, HERE, None).await.unwrap();
        assert_eq!(bench.look("SELECT user_agent FROM login WHERE id = 1").await, "NULL");
    }

    async fn a_join_is_logged_and_its_failure_is_no_failure(bench: &Bench) {
        bench.store.log_join(1, 4711, HERE).await;
        assert_eq!(bench.look("SELECT ip FROM game_join_log WHERE game_id = 4711 AND player_id = 1").await, "192.0.2.7");
        bench.sql("DROP TABLE game_join_log").await;
        let handler = bench.handler(AuthMode::Database);
        let answer = handler.handle(Join { player_id: 1, game_id: Some(5), address: HERE }.into()).await;
        assert!(matches!(answer, Answer::Join(Ok(None))));
        let answer = handler.handle(Join { player_id: 2, game_id: Some(5), address: HERE }.into()).await;
        assert!(matches!(answer, Answer::Join(Ok(Some(_)))));
    }

    async fn a_relation_replaces_the_old_one(bench: &Bench) {
        let store = &bench.store;
        let lists = async || {
            let account = bench.shown(1).await;
            (account.friends.to_vec(), account.foes.to_vec())
        };
        assert!(store.set_relation(1, 2, Relation::Friend).await.unwrap());
        assert!(store.set_relation(1, 400, Relation::Friend).await.unwrap());
        assert!(store.set_relation(1, 400, Relation::Friend).await.unwrap());
        assert_eq!(lists().await, (vec![2, 400], vec![]));
        assert!(store.set_relation(1, 2, Relation::Foe).await.unwrap());
        assert_eq!(lists().await, (vec![400], vec![2]));
        // Oneself, and somebody who is not there.
        assert!(!store.set_relation(1, 1, Relation::Foe).await.unwrap());
        assert!(!store.set_relation(1, 123_456, Relation::Foe).await.unwrap());
        store.clear_relation(1, 2).await.unwrap();
        store.clear_relation(1, 2).await.unwrap();
        assert_eq!(lists().await, (vec![400], vec![]));
    }

    async fn maps_are_found_by_folder_and_remembered(bench: &Bench) {
        let store = &bench.store;
        let map = Some(Map { id: 9, ranked: true });
        assert_eq!(store.map_by_folder("scmp_009").await.unwrap(), map.clone());
        assert_eq!(store.map_by_folder("nowhere").await.unwrap(), None);
        let sneaky = store.map_by_folder("Neroxis_Map_Generator_Sneaky_Map").await.unwrap().unwrap();
        assert!(!sneaky.ranked);
        bench.sql("UPDATE map_version SET ranked = 0 WHERE id = 9").await;
        assert_eq!(store.map_by_folder("SCMP_009").await.unwrap(), map);
    }

    async fn names_of_mods_that_exist(bench: &Bench) {
        let uids = ["foo", "hidden", "nothing", "baz", "' OR 1 = 1"].map(str::to_owned);
        let mut names = bench.store.mod_names(&uids).await.unwrap();
        names.sort();
        let pair = |uid: &str, name: &str| (uid.to_owned(), name.to_owned());
        assert_eq!(names, [pair("baz", "test-mod2"), pair("foo", "test-mod")]);
        assert_eq!(bench.store.mod_names(&[]).await.unwrap(), []);
        let many: Vec<String> = (0..1_000).map(|n| format!("uid-{n}")).collect();
        assert_eq!(bench.store.mod_names(&many).await.unwrap(), []);
    }

    async fn game_numbers_go_on_from_the_highest(bench: &Bench) {
        let handler = bench.handler(AuthMode::Database);
        handler.warm_up().await.unwrap();
        let host = async |player_id, create: Option<&str>| {
            match handler.handle(Host { player_id, create: create.map(str::to_owned) }.into()).await {
                Answer::Host(Ok(grant)) => grant,
                other => panic!("{other:?}"),
            }
        };
        let first = host(1, Some("scmp_001")).await;
        assert_eq!((first.game_id, first.map), (Some(41_956), Some(Map { id: 1, ranked: true })));
        assert_eq!(host(1, None).await.game_id, None);
        let banned = host(2, Some("scmp_001")).await;
        assert!(banned.ban.is_some() && banned.game_id.is_none() && banned.map.is_none());
        let next = host(1, Some("unknown")).await;
        assert_eq!((next.game_id, next.map), (Some(41_957), None));
    }

    async fn passwords_and_bans_at_the_desk(bench: &Bench) {
        let handler = bench.handler(AuthMode::Database);
        assert_eq!(hello(&handler, "TEST", HASH).await, Ok((1, "test".to_owned())));
        assert_eq!(hello(&handler, "test", "wrong").await, Err(LoginRefusal::BadPassword));
        assert_eq!(hello(&handler, "test", &HASH.to_uppercase()).await, Err(LoginRefusal::BadPassword));
        assert_eq!(hello(&handler, "nobody", HASH).await, Err(LoginRefusal::BadPassword));
        // The password is checked before the ban.
        assert_eq!(hello(&handler, "Dostya", "wrong").await, Err(LoginRefusal::BadPassword));
        assert!(matches!(hello(&handler, "Dostya", DOSTYA).await, Err(LoginRefusal::Banned(_))));
        // No keys are to be had.
        let token = Login {
            credentials: Credentials::Token("a.b.c".to_owned()),
            unique_id: "".into(),
            session: 1,
            address: HERE,
            counted: None,
            user_agent: None,
        };
        assert!(matches!(handler.handle(token.into()).await, Answer::Login(Err(LoginRefusal::Internal))));
    }

    async fn tokens_at_the_desk(bench: &Bench) {
        let keys = Keys::from_jwks(include_bytes!("fixtures/token-keys.jwks.json")).unwrap();
        let ring = Arc::new(KeyRing::fixed(keys).unwrap());
        let handler = FafHandler::new(bench.store.clone(), ring, None, AuthMode::Database);
        let login = async |claims: serde_json::Value| {
            let credentials = Credentials::Token(tokens::token("k1", &claims));
            let unique_id = "".into();
            let login = Login { credentials, unique_id, session: 1, address: HERE, counted: None, user_agent: None };
            match handler.handle(login.into()).await {
                Answer::Login(outcome) => outcome.map(|account| account.login.into_string()),
                other => panic!("{other:?}"),
            }
        };
        assert_eq!(login(json!({"sub": "3", "scp": ["lobby"]})).await, Ok("Rhiza".to_owned()));
        assert_eq!(login(json!({"sub": "3", "scp": ["lobby"], "exp": 1})).await, Err(LoginRefusal::BadToken));
        assert_eq!(login(json!({"sub": "3", "scp": []})).await, Err(LoginRefusal::NoPermission));
        assert_eq!(login(json!({"sub": "999999", "scp": ["lobby"]})).await, Err(LoginRefusal::UnknownId));
        assert!(matches!(login(json!({"sub": "2", "scp": ["lobby"]})).await, Err(LoginRefusal::Banned(_))));
    }

    async fn an_open_desk_makes_one_account_of_a_name(bench: &Bench) {
        let handler = bench.handler(AuthMode::Open);
        let (a, b, c) = tokio::join!(hello(&handler, "New", "mine"), hello(&handler, "NEW", "mine"), hello(&handler, "new", "mine"));
        let (a, b, c) = (a.unwrap(), b.unwrap(), c.unwrap());
        assert!(a == b && b == c && a.0 > 400, "{a:?} {b:?} {c:?}");
        assert_eq!(hello(&handler, "new", "theirs").await, Err(LoginRefusal::BadPassword));
        assert_eq!(hello(&handler, "test", "mine").await, Err(LoginRefusal::BadPassword));
        for bad in ["", "no spaces", "a-name-of-21-characters", "näme"] {
            assert_eq!(hello(&handler, bad, "mine").await, Err(LoginRefusal::BadPassword), "{bad}");
        }
        assert_eq!(hello(&handler, "empty", "").await, Err(LoginRefusal::BadPassword));
        assert!(bench.store.list_accounts().await.unwrap().iter().any(|line| line.login.eq_ignore_ascii_case("new")));
    }

    async fn many_at_once_are_each_answered_for_themselves(bench: &Bench) {
        let handler = Arc::new(bench.handler(AuthMode::Open));
        let names = ["TEST", "Dostya", "test", "nobody", "bad name", "Rhiza", "o\u{0}o", "\"[\\\u{2028}"];
        let sent = [HASH, DOSTYA, "wrong", "mine", "mine", "wrong", "mine", "mine"];
        let mut asked = tokio::task::JoinSet::new();
        for n in 0..200 {
            let (handler, name) = (handler.clone(), names[n % names.len()]);
            asked.spawn(async move { (n % names.len(), hello(&handler, name, sent[n % names.len()]).await) });
        }
        let mut ids = std::collections::HashSet::new();
        while let Some(answer) = asked.join_next().await {
            let (name, outcome) = answer.unwrap();
            match name {
                0 => assert_eq!(outcome, Ok((1, "test".to_owned()))),
                1 => assert!(matches!(outcome, Err(LoginRefusal::Banned(ban)) if ban.reason == "Test permanent ban")),
                3 => assert!(ids.insert(outcome.unwrap().0) || ids.len() == 1),
                _ => assert_eq!(outcome, Err(LoginRefusal::BadPassword), "{}", names[name]),
            }
        }
        assert_eq!(bench.look("SELECT password FROM login WHERE login = 'nobody'").await, "mine");
        assert_eq!(bench.look("SELECT email FROM login WHERE login = 'nobody'").await, "nobody@accounts.invalid");
        assert_eq!(bench.look("SELECT ip FROM login WHERE login = 'nobody'").await, "192.0.2.7");
    }

    async fn an_arrival_is_noted_and_answered_with_the_player(bench: &Bench) {
        let arrival = |id, from: &str, user_agent: Option<&str>| Arrival {
            who: named(id, "x"),
            from: from.parse().unwrap(),
            user_agent: user_agent.map(str::to_owned),
        };
        let long = format!("a\u{0}\"{}", "ü".repeat(60));
        let (one, two, six) = tokio::join!(
            bench.store.enter(arrival(1, "::ffff:192.0.2.9", Some(&long))),
            bench.store.enter(arrival(2, "2001:db8::1", None)),
            bench.store.enter(arrival(6, "192.0.2.1", Some("7"))),
        );
        let (one, two, six) = (one.unwrap(), two.unwrap(), six.unwrap());
        assert_eq!((one.id, one.clan.as_deref()), (1, Some("678")));
        assert_eq!((two.id, two.clan.as_deref()), (2, Some("123")));
        assert_eq!(six.ratings, [rating("global", 1765.51, 500.123, 0)]);
        assert_eq!(bench.look("SELECT ip FROM login WHERE id = 1").await, "192.0.2.9");
        let cut = format!("610022{}", "C3BC".repeat(47));
        assert_eq!(bench.look("SELECT HEX(user_agent) FROM login WHERE id = 1").await, cut);
        assert_eq!(bench.look("SELECT ip FROM login WHERE id = 2").await, "2001:db8::1");
        assert_eq!(bench.look("SELECT user_agent FROM login WHERE id = 2").await, "NULL");
        assert_eq!(bench.look("SELECT user_agent FROM login WHERE id = 6").await, "7");
        assert_ne!(bench.look("SELECT CAST(last_login AS CHAR) FROM login WHERE id = 2").await, "NULL");
    }

    async fn who_comes_twice_leaves_what_he_came_with_last(bench: &Bench) {
        if !bench.store.is_embedded() {
            return; // there, two at once are in no order
        }
        let enter = |n: u8| bench.store.enter(Arrival {
            who: named(1, "test"),
            from: IpAddr::V4(Ipv4Addr::new(192, 0, 2, n)),
            user_agent: None,
        });
        let (a, b, c, d) = tokio::join!(enter(4), enter(1), enter(3), enter(2));
        assert!(a.is_ok() && b.is_ok() && c.is_ok() && d.is_ok());
        assert_eq!(bench.look("SELECT ip FROM login WHERE id = 1").await, "192.0.2.2");
    }

    async fn one_who_is_refused_fails_alone(bench: &Bench) {
        if !bench.store.is_embedded() {
            return; // nobody shares a statement there
        }
        bench.sql("CREATE TRIGGER t BEFORE UPDATE ON login WHEN old.id = 3 BEGIN SELECT RAISE(ABORT, 'no'); END; \
            CREATE TRIGGER u BEFORE INSERT ON login WHEN new.login = 'unwanted' BEGIN SELECT RAISE(ABORT, 'no'); END; \
            UPDATE leaderboard_rating SET mean = 'x' WHERE login_id = 6").await;
        let enter = |id| bench.store.enter(Arrival { who: named(id, "x"), from: HERE, user_agent: None });
        let (a, b, c, d, e) = tokio::join!(enter(1), enter(2), enter(3), enter(6), enter(50));
        assert_eq!(a.unwrap().id, 1);
        assert_eq!(b.unwrap().id, 2);
        assert_eq!([c, d].map(failure), [Some(StoreFailure::Failed); 2]);
        assert_eq!(e.unwrap().avatar.unwrap().tooltip, "UEF");
        assert_eq!(bench.look("SELECT ip FROM login WHERE id = 50").await, "192.0.2.7");
        let handler = bench.handler(AuthMode::Open);
        let (a, b, c) = tokio::join!(hello(&handler, "One", "x"), hello(&handler, "unwanted", "x"), hello(&handler, "Two", "x"));
        assert!(a.is_ok() && c.is_ok(), "{a:?} {c:?}");
        assert_eq!(b, Err(LoginRefusal::Store(StoreFailure::Failed)));
    }

    async fn accounts_are_listed(bench: &Bench) {
        assert_eq!(bench.store.create_account(None, "test", "x", "other@example.com").await.unwrap(), None);
        assert_eq!(bench.store.create_account(None, "other", "x", "test@example.com").await.unwrap(), None);
        let id = bench.store.create_account(None, "Newcomer", "x", "n@example.com").await.unwrap().unwrap();
        let lines = bench.store.list_accounts().await.unwrap();
        let line = |id| lines.iter().find(|line| line.id == id).unwrap();
        assert_eq!((line(id).login.as_str(), &line(id).last_login), ("Newcomer", &None));
        assert_eq!(line(203).banned_until, Some(33_260_976_000.0));
        assert_eq!(line(202).banned_until, None);
        assert_eq!(lines.iter().filter(|line| line.id == 203).count(), 1);
    }

    async fn a_statement_that_is_refused_is_a_failure(bench: &Bench) {
        let ban = NewBan { player_id: 123_456, author_id: 1, reason: "", expires_at: None, level: BanLevel::Global };
        assert_eq!(failure(bench.store.ban(&ban).await), Some(StoreFailure::Failed));
        bench.sql("DROP VIEW lobby_ban").await;
        assert_eq!(failure(bench.store.ban_of(1).await), Some(StoreFailure::Failed));
    }
}

/// Everything a handler can be asked, each within the deadline.
async fn all_unavailable(url: &str, settings: StoreSettings) {
    let store = Arc::new(Store::open(url, &settings).await.unwrap());
    let within = settings.call_deadline + Duration::from_secs(1);
    let begun = Instant::now();
    assert_eq!(
        failure(store.ready().await),
        Some(StoreFailure::Unavailable)
    );
    assert!(begun.elapsed() < within, "{:?}", begun.elapsed());
    let handler = FafHandler::new(
        store,
        Arc::new(KeyRing::new(None, Arc::default()).unwrap()),
        None,
        AuthMode::Open,
    );
    let begun = Instant::now();
    assert_eq!(
        hello(&handler, "test", HASH).await,
        Err(LoginRefusal::Store(StoreFailure::Unavailable))
    );
    let host = Host {
        player_id: 1,
        create: None,
    };
    let host = handler.handle(host.into()).await;
    assert!(matches!(host, Answer::Host(Err(StoreFailure::Unavailable))));
    assert!(begun.elapsed() < 2 * within, "{:?}", begun.elapsed());
}

fn hasty() -> StoreSettings {
    StoreSettings {
        acquire_timeout: Duration::from_millis(300),
        call_deadline: Duration::from_millis(500),
        ..StoreSettings::default()
    }
}

#[tokio::test]
async fn a_database_that_is_down_is_unavailable() {
    let port = {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.local_addr().unwrap().port()
    };
    all_unavailable(&format!("mysql://root@127.0.0.1:{port}/faf"), hasty()).await;
}

#[tokio::test]
async fn a_database_that_hangs_is_unavailable() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    all_unavailable(&format!("mariadb://root@127.0.0.1:{port}/faf"), hasty()).await;
    // The deadline of a call holds alone, too.
    let patient = StoreSettings {
        acquire_timeout: Duration::from_secs(60),
        ..hasty()
    };
    all_unavailable(&format!("mariadb://root@127.0.0.1:{port}/faf"), patient).await;
    drop(listener);
}

#[tokio::test]
async fn a_locked_file_is_unavailable_and_comes_back() {
    let bench = Bench::sqlite().await;
    let store = Store::open(&bench.url, &hasty()).await.unwrap();
    let mut other = SqliteConnection::connect(&bench.url).await.unwrap();
    other.execute("BEGIN IMMEDIATE").await.unwrap();
    assert_eq!(
        failure(store.record_login(1, HERE, None).await),
        Some(StoreFailure::Unavailable)
    );
    other.execute("ROLLBACK").await.unwrap();
    let mut outcome = store.record_login(1, HERE, None).await;
    for _ in 0..20 {
        if outcome.is_ok() {
            break;
        }
        outcome = store.record_login(1, HERE, None).await;
    }
    outcome.unwrap();
}

// Whoever joined waited until that could be noted, for five seconds and more.
#[tokio::test]
async fn a_locked_file_held_up_who_joined() {
    let bench = Bench::sqlite().await;
    let mut other = SqliteConnection::connect(&bench.url).await.unwrap();
    other.execute("BEGIN IMMEDIATE").await.unwrap();
    let handler = bench.handler(AuthMode::Database);
    let join = Join {
        player_id: 1,
        game_id: Some(5),
        address: HERE,
    };
    let begun = Instant::now();
    let answer = handler.handle(join.into()).await;
    assert!(matches!(answer, Answer::Join(Ok(None))));
    assert!(begun.elapsed() < Duration::from_secs(4));
    other.execute("ROLLBACK").await.unwrap();
}

#[tokio::test]
async fn a_locked_file_turns_every_sign_in_away_in_time() {
    let bench = Bench::sqlite().await;
    let store = Store::open(&bench.url, &hasty()).await.unwrap();
    let keys = Arc::new(KeyRing::new(None, Arc::default()).unwrap());
    let handler = FafHandler::new(Arc::new(store), keys, None, AuthMode::Open);
    let handler = Arc::new(handler.with_attempt_limits(UNLIMITED));
    let mut other = SqliteConnection::connect(&bench.url).await.unwrap();
    other.execute("BEGIN IMMEDIATE").await.unwrap();
    let begun = Instant::now();
    let mut asked = tokio::task::JoinSet::new();
    for n in 0..150 {
        let (handler, name) = (handler.clone(), format!("new-{n}"));
        let known = n % 2 == 0;
        asked.spawn(async move {
            if known {
                hello(&handler, "test", HASH).await
            } else {
                hello(&handler, &name, "x").await
            }
        });
    }
    while let Some(answer) = asked.join_next().await {
        let unavailable = Err(LoginRefusal::Store(StoreFailure::Unavailable));
        assert_eq!(answer.unwrap(), unavailable);
    }
    // Two steps, each with its deadline.
    assert!(begun.elapsed() < 3 * hasty().call_deadline);
    // Who only reads is not kept from it, and back they come.
    other.execute("ROLLBACK").await.unwrap();
    let mut outcome = hello(&handler, "test", HASH).await;
    for _ in 0..20 {
        if outcome.is_ok() {
            break;
        }
        outcome = hello(&handler, "test", HASH).await;
    }
    assert_eq!(outcome, Ok((1, "test".to_owned())));
}

#[tokio::test]
async fn an_embedded_store_is_migrated_once_and_kept() {
    let bench = Bench::sqlite().await;
    let settings = StoreSettings::default();
    let (a, b) = tokio::join!(
        Store::open(&bench.url, &settings),
        Store::open(&bench.url, &settings)
    );
    assert!(a.unwrap().find(Who::Id(1)).await.unwrap().is_some());
    assert!(b.unwrap().find(Who::Id(1)).await.unwrap().is_some());
    bench.sql("PRAGMA user_version = 99").await;
    let newer = Store::open(&bench.url, &StoreSettings::default()).await;
    assert!(matches!(newer, Err(OpenError::Newer { found: 99, .. })));
}

#[tokio::test]
async fn a_url_of_another_kind_is_refused() {
    for url in ["", "postgres://x", "muster.db"] {
        assert!(
            matches!(
                Store::open(url, &StoreSettings::default()).await,
                Err(OpenError::Scheme)
            ),
            "{url}"
        );
    }
}
