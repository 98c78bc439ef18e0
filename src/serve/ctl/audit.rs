//! What was done by `muster ctl` or on the live page, and by whom, in the operators' store. Earlier versions had a file, whose lines are taken over.

use std::{fs, net::IpAddr, path::Path, rc::Rc, time::Duration};

use muster::{
    backoffice::{
        operator::{Entry, OperatorStore},
        unix_now,
    },
    control_socket::{Reply, Request},
    engine::Refused,
};
use serde_json::Value;
use tokio::time::sleep;

use super::Desk;

/// How often it is written down who was turned away.
const EVERY: Duration = Duration::from_secs(10);
/// Addresses of those that stand there by themselves.
const ADDRESSES: usize = 20;
/// Where an earlier version wrote.
const FORMER: &str = "audit.log";
/// More of it is not taken over.
const FORMER_BYTES: u64 = 16 << 20;

/// Who wants something.
#[derive(Clone, Debug)]
pub(in crate::serve) enum Who {
    /// A user of this machine, by number.
    Uid(u32),
    /// Somebody who has the token of the live page, by address.
    PageToken(IpAddr),
}

impl Who {
    /// The user of this machine, if it is one.
    pub(super) fn uid(&self) -> Option<u32> {
        match self {
            Who::Uid(uid) => Some(*uid),
            Who::PageToken(_) => None,
        }
    }

    /// An entry of theirs.
    fn entry(&self) -> Entry {
        let (token, from) = match self {
            Who::Uid(_) => (None, None),
            Who::PageToken(from) => (Some("page token".to_owned()), Some(from.to_string())),
        };
        Entry {
            at: unix_now(),
            uid: self.uid(),
            token,
            from,
            times: 1,
            ..Entry::default()
        }
    }
}

/// Somebody has given a wrong token for the live page.
pub(super) fn wrong_token(from: IpAddr) -> Entry {
    Entry {
        action: "sign-in".to_owned(),
        outcome: "refused".to_owned(),
        said: "that is not the token".to_owned(),
        ..Who::PageToken(from).entry()
    }
}

/// What somebody wanted, and what came of it.
pub(super) fn entry(who: &Who, request: &Request, reply: &Reply) -> Entry {
    let (outcome, said) = match reply {
        Reply::Done(said) => ("done", said.as_str()),
        Reply::Refused(said) => ("refused", said.as_str()),
        Reply::Status(_)
        | Reply::Listing(_)
        | Reply::Bans(_)
        | Reply::Top(_)
        | Reply::Cluster(_) => ("told", ""),
    };
    let (action, target, reason) = request.described();
    Entry {
        action: action.to_owned(),
        target,
        reason: reason.to_owned(),
        outcome: outcome.to_owned(),
        said: said.to_owned(),
        ..who.entry()
    }
}

/// Writes down who was turned away, now and then. Never ends.
pub(super) async fn note_strangers(desk: Rc<Desk>) {
    loop {
        sleep(EVERY).await;
        note_refusals(&desk).await;
    }
}

/// Writes down who was turned away since the last time: those with the most tries by themselves, the others together.
pub(super) async fn note_refusals(desk: &Desk) {
    let mut all = desk.controlled.strangers.refusals.take();
    let Some(store) = desk.store.as_ref().filter(|_| !all.is_empty()) else {
        return;
    };
    let rest = all.split_off(all.len().min(ADDRESSES));
    let others: u32 = rest.iter().map(|refused| refused.times).sum();
    let mut entries: Vec<Entry> = all.iter().map(turned_away).collect();
    if others > 0 {
        entries.push(turned_away(&Refused {
            address: None,
            listener: String::new(),
            why: "several",
            times: others,
        }));
    }
    for entry in entries {
        if let Err(error) = store.note(&entry).await {
            return tracing::warn!(%error, "who was turned away can't be written down");
        }
    }
}

fn turned_away(refused: &Refused) -> Entry {
    let address = refused.address.map(|address| address.to_string());
    Entry {
        at: unix_now(),
        action: "turned-away".to_owned(),
        target: address.unwrap_or_else(|| "others".to_owned()),
        reason: refused.why.to_owned(),
        outcome: "refused".to_owned(),
        said: refused.listener.clone(),
        times: refused.times,
        ..Entry::default()
    }
}

/// Takes over what an earlier version has written, once: its file goes.
pub(super) async fn take_over(folder: &Path, store: &OperatorStore) {
    let path = folder.join(FORMER);
    let is_readable = fs::metadata(&path).is_ok_and(|file| file.len() <= FORMER_BYTES);
    let Some(text) = is_readable
        .then(|| fs::read_to_string(&path).ok())
        .flatten()
    else {
        return; // there is none, or it stays as it is
    };
    for line in text.lines() {
        let Some(entry) = former(line) else {
            continue;
        };
        if let Err(error) = store.note(&entry).await {
            return tracing::warn!(%error, "the former audit log was not taken over");
        }
    }
    match fs::remove_file(&path) {
        Ok(()) => tracing::info!("the former audit log was taken over: muster ctl audit shows it"),
        Err(error) => tracing::warn!(%error, "the former audit log can't be removed"),
    }
}

/// A line of it.
fn former(line: &str) -> Option<Entry> {
    let line: Value = serde_json::from_str(line).ok()?;
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let at: jiff::Timestamp = line["at"].as_str()?.parse().ok()?;
    let request = &line["request"];
    Some(Entry {
        at: at.as_second() as f64,
        uid: line["uid"].as_u64().and_then(|uid| u32::try_from(uid).ok()),
        token: line["token"].as_str().map(str::to_owned),
        from: line["from"].as_str().map(str::to_owned),
        action: text(&request["do"]),
        target: text(&request["level"]),
        reason: text(&request["reason"]),
        outcome: text(&line["outcome"]),
        said: text(&line["said"]),
        times: 1,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_an_earlier_version_wrote_is_taken_over_once() {
        let folder = tempfile::tempdir().unwrap();
        let lines = "{\"at\":\"2026-11-01T10:00:00+00:00\",\"uid\":7,\"request\":{\"do\":\"drain\",\"in_s\":900,\
                     \"reason\":\"a new kernel\"},\"outcome\":\"done\",\"said\":\"in 900 s\"}\nrubbish\n";
        fs::write(folder.path().join(FORMER), lines).unwrap();
        let store = OperatorStore::open(folder.path(), true).await.unwrap();
        take_over(folder.path(), &store).await;
        take_over(folder.path(), &store).await;
        assert!(!folder.path().join(FORMER).exists());
        let search = muster::backoffice::operator::Search {
            last: 10,
            ..Default::default()
        };
        let noted = store.noted(&search).await.unwrap();
        assert_eq!(noted.len(), 1);
        let Entry {
            at,
            uid,
            action,
            reason,
            ..
        } = &noted[0];
        assert_eq!((*at, *uid), (1_793_527_200.0, Some(7)));
        assert_eq!((&**action, &**reason), ("drain", "a new kernel"));
        store.close().await;
    }
}
