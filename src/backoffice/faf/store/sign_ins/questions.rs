//! What is asked for somebody who signs in.

use std::net::IpAddr;

use super::super::rows::{Found, FoundRow, Identity, found};
use super::groups::Question;

/// Who claims to be there.
#[derive(Clone, Debug)]
pub enum Who {
    /// The account of that name, compared without case.
    Name(String),
    /// The account with that id.
    Id(u32),
}

impl Question for Who {
    type Answer = Option<Found>;
    const WHAT: &'static str = "find accounts";
}

/// Answers to a group of [`Who`], in its order.
pub(super) type Answers = Vec<sqlx::Result<Option<Found>>>;

/// Keys of one kind, each with the place in its group of whoever asks for it.
pub(super) type Keys<K> = Vec<(usize, K)>;

/// The names and the ids of a group.
pub(super) fn names_and_ids(group: &[Who]) -> (Keys<&str>, Keys<i64>) {
    let (mut names, mut ids) = (Vec::new(), Vec::new());
    for (place, who) in group.iter().enumerate() {
        match who {
            Who::Name(login) => names.push((place, login.as_str())),
            Who::Id(id) => ids.push((place, i64::from(*id))),
        }
    }
    (names, ids)
}

/// Puts what was found where it was asked for. Of several rows with the number of one key, the first counts.
pub(super) fn give<K>(rows: Vec<FoundRow>, keys: &[(usize, K)], answers: &mut Answers) {
    let mut last = None;
    for row in rows {
        let number = row.0;
        if last.replace(number) == Some(number) {
            continue;
        }
        let key = usize::try_from(number).ok();
        if let Some((place, _)) = key.and_then(|number| keys.get(number)) {
            answers[*place] = found(row).map(Some);
        }
    }
}

/// A name that nobody has, and the password it comes with. Not for logs, hence no `Debug`.
pub(super) struct Newcomer {
    pub(super) login: String,
    pub(super) password: String,
}

/// Somebody who may come in.
#[derive(Clone, Debug)]
pub struct Arrival {
    /// The account that signed in.
    pub who: Identity,
    /// The client's address.
    pub from: IpAddr,
    /// The client's user agent, if it named one.
    pub user_agent: Option<String>,
}

/// A column that must be filled, and differ from all others.
pub(super) fn email(login: &str) -> String {
    format!("{}@accounts.invalid", login.to_ascii_lowercase())
}
