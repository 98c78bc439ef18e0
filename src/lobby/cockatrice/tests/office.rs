//! A back office with the accounts of the server that dialogues were recorded with. It keeps nothing.

use crate::cockatrice::{
    account::Account,
    questions::{Answer, Opened, SignedIn},
};

use super::*;

/// Names, the column `admin`, countries, real names.
const ACCOUNTS: [(&str, u32, &str, &str); 7] = [
    ("rootuser", 1, "", ""),
    ("modmary", 2, "gb", ""),
    ("judgejim", 4, "", ""),
    ("alicea", 0, "de", "Alice A"),
    ("bobbyb", 0, "", ""),
    ("carolc", 0, "", ""),
    ("vipvera", 0, "", ""),
];

/// Whose account a name is, and that its proof is right.
fn who(name: &str) -> SignedIn {
    let numbered = (1..).zip(ACCOUNTS);
    let mut found = numbered.filter(|(_, (known, ..))| *known == name);
    match found.next() {
        None => SignedIn::Unknown { taken: Vec::new() },
        Some((id, (name, admin, country, real_name))) => SignedIn::Registered(Box::new(Account {
            id,
            name: name.into(),
            admin,
            country: country.into(),
            real_name: real_name.into(),
            ..Account::default()
        })),
    }
}

/// Answers as the recorded server's database would.
pub(super) fn answers() -> impl FnMut(Ask) -> Answer {
    let (mut sessions, mut games, mut replays) = (0, 0, 0);
    let next = |number: &mut u32| {
        *number += 1;
        *number
    };
    move |ask| match ask {
        Ask::SignIn(question) => Answer::SignIn(Ok(who(&question.name))),
        Ask::OpenSession(_) => Answer::OpenSession(Ok(Opened {
            session: next(&mut sessions).into(),
            missed: Vec::new(),
            message: Some("<b>hello</b>".into()),
        })),
        Ask::CloseSession(_) => Answer::CloseSession(()),
        Ask::NewGame(_) => Answer::NewGame(Ok(next(&mut games))),
        Ask::KeepGame(_) => Answer::KeepGame(Ok(())),
        Ask::StoreGame(question) => {
            let ids = question.0.replays.iter().map(|_| next(&mut replays));
            Answer::StoreGame(Ok(ids.collect()))
        }
        ask => ask.failed(StoreFailure::Failed),
    }
}
