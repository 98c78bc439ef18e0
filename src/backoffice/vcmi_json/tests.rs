//! The store by itself, on SQLite.

use std::time::Duration;

use lobby::{
    question::StoreFailure,
    vcmi_json::{
        ChannelType, Cookie, Mod,
        questions::{Begin, Outcome, PastRoom, Status, Step},
    },
};

use super::store::{PUZZLING, Store};
use crate::{store::StoreSettings, unix_now};

const BEGIN: Begin = Begin {
    lines: 100,
    age: Duration::from_secs(18 * 3_600),
};

async fn store(folder: &tempfile::TempDir) -> Store {
    let url = format!(
        "sqlite:{}?mode=rwc",
        folder.path().join("json.db").display()
    );
    Store::open(&url, &StoreSettings::default()).await.unwrap()
}

fn register(name: &str) -> Step {
    Step::Register {
        id: format!("id-{name}"),
        cookie: Cookie(format!("cookie-{name}")),
        name: name.to_owned(),
        at: unix_now() as u64,
    }
}

fn sign_in(id: &str, cookie: &str) -> Step {
    Step::SignIn {
        id: id.to_owned(),
        cookie: Cookie(cookie.to_owned()),
    }
}

fn room(id: &str) -> Step {
    Step::MakeRoom {
        id: id.to_owned(),
        version: "1".to_owned(),
        host: "id-alice".to_owned(),
        at: 1_000,
        mods: vec![Mod {
            id: "wog".into(),
            name: "WoG".into(),
            version: "1".into(),
            parent: None,
        }],
    }
}

/// checklist: vcmi-json 22, 86, 94
#[tokio::test]
async fn accounts_are_found_by_id_and_cookie_and_names_are_taken_in_any_case() {
    let folder = tempfile::tempdir().unwrap();
    let store = store(&folder).await;
    store.begin(BEGIN).await.unwrap();
    let steps = vec![
        register("alice"),
        register("alice"),
        register("ALICE"),
        sign_in("id-alice", "cookie-alice"),
        sign_in("id-alice", "cookie-bobby"),
        sign_in("id-nobody", "x"),
    ];
    let done = store.work(steps).await.unwrap();
    assert_eq!(done[..3], [true, true, false].map(Outcome::Registered));
    assert!(matches!(&done[3], Outcome::SignIn(Some((account, true))) if account.name == "alice"));
    assert!(matches!(&done[4], Outcome::SignIn(Some((_, false)))));
    assert_eq!(done[5], Outcome::SignIn(None));
}

/// Rooms in every state, each with alice in it.
fn rooms() -> Vec<Step> {
    let all = [
        ("idle", None),
        ("open", Some(Status::Public)),
        ("busy", Some(Status::Busy)),
        ("over", Some(Status::Closed)),
    ];
    let mut steps = Vec::new();
    for (id, status) in all {
        steps.push(room(id));
        let join = Step::Join {
            room: id.to_owned(),
            account: "id-alice".to_owned(),
        };
        steps.extend([join.clone(), join]);
        steps.extend(status.map(|status| Step::SetStatus {
            room: id.to_owned(),
            status,
        }));
    }
    steps
}

/// checklist: vcmi-json 81, 82, 83, 84
#[tokio::test]
async fn a_start_ends_what_went_on_and_knows_what_was_said() {
    let folder = tempfile::tempdir().unwrap();
    let now = unix_now() as u64;
    let say = |channel: &str, text: String, at| Step::Say {
        account: "id-alice".to_owned(),
        kind: ChannelType::Global,
        channel: channel.to_owned(),
        text,
        at,
    };
    {
        let store = store(&folder).await;
        let mut steps = vec![register("alice")];
        steps.extend(rooms());
        steps.push(say("english", "old".to_owned(), now - 19 * 3_600));
        // All in one second: their order is that of the running number.
        steps.extend((0..120).map(|at| say("english", at.to_string(), now)));
        steps.push(say("polish", "x".to_owned(), now));
        let done = store.work(steps).await.unwrap();
        assert!(!done.contains(&Outcome::Refused));
        store.close().await;
    }
    let store = store(&folder).await;
    let channels = store.begin(BEGIN).await.unwrap();
    let english = channels.iter().find(|(name, _)| name == "english").unwrap();
    let texts: Vec<&str> = english.1.iter().map(|line| line.text.as_str()).collect();
    let expected: Vec<String> = (20..120).map(|at| at.to_string()).collect();
    assert_eq!(texts, expected);
    assert_eq!(channels.len(), 2);
    let find = |id: &str| Step::FindRoom { id: id.to_owned() };
    let found = store
        .work(["idle", "open", "busy", "over"].map(find).to_vec())
        .await;
    let statuses = found.unwrap().into_iter().map(|one| match one {
        Outcome::Room(Some(PastRoom {
            status,
            participants,
            ..
        })) => {
            assert_eq!(participants, ["id-alice"], "once, however often it is done");
            status
        }
        other => panic!("{other:?}"),
    });
    assert_eq!(
        statuses.collect::<Vec<_>>(),
        [
            Status::Cancelled,
            Status::Cancelled,
            Status::Closed,
            Status::Closed
        ]
    );
    let step = Step::FindMatches {
        account: "id-alice".to_owned(),
        most: 10,
    };
    let Outcome::Matches(matches) = store.work(vec![step]).await.unwrap().remove(0) else {
        panic!("matches were asked for");
    };
    let rooms: Vec<&str> = matches.iter().map(|one| one.room.as_str()).collect();
    assert_eq!(rooms, ["over", "busy"], "the youngest first");
    assert_eq!(matches[0].host.1, "alice");
}

fn say(text: &str) -> Step {
    Step::Say {
        account: "id-alice".to_owned(),
        kind: ChannelType::Global,
        channel: "english".to_owned(),
        text: text.to_owned(),
        at: unix_now() as u64,
    }
}

// The connection that writes could do nothing any more.
#[tokio::test]
async fn a_disk_that_was_full_for_a_moment_stopped_the_lobby_for_good() {
    let folder = tempfile::tempdir().unwrap();
    let store = store(&folder).await;
    store.begin(BEGIN).await.unwrap();
    store.work(vec![register("alice")]).await.unwrap();
    let long = say(&"x".repeat(100_000));
    for _ in 0..3 {
        store.database.set_full(true).await;
        let steps = vec![register("bobby"), long.clone()];
        let failure = store.work(steps).await.unwrap_err().failure();
        assert_eq!(failure, StoreFailure::Unavailable);
    }
    let done = store.work(vec![register("bobby"), long]).await.unwrap();
    assert_eq!(done, [Outcome::Registered(true), Outcome::Done]);
}

// Everything else waits behind it, so it is not tried for ever.
#[tokio::test]
async fn a_step_that_fails_for_no_known_reason_is_given_up_in_the_end() {
    let folder = tempfile::tempdir().unwrap();
    let store = store(&folder).await;
    store.begin(BEGIN).await.unwrap();
    let odd = "CREATE TRIGGER odd BEFORE INSERT ON chatMessages WHEN NEW.messageText = 'odd' BEGIN SELECT json('{'); END";
    store.database.change(odd).await;
    let steps = vec![register("alice"), say("odd"), say("fine")];
    for _ in 0..2 {
        for _ in 1..PUZZLING {
            let failure = store.work(steps.clone()).await.unwrap_err().failure();
            assert_eq!(failure, StoreFailure::Unavailable);
        }
        let done = store.work(steps.clone()).await.unwrap();
        let expected = [Outcome::Registered(true), Outcome::Refused, Outcome::Done];
        assert_eq!(done, expected);
    }
}
