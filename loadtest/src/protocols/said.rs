//! A JSON message as a script of the scenario looks into it.

use std::cell::OnceCell;

use serde_json::Value;

use crate::scenario::{Heard, at};

/// A message that came, which is read only if more than its kind is asked for.
#[derive(Debug)]
pub(crate) struct Said<'a> {
    /// The member that says which kind it is, and what it says.
    member: &'static str,
    kind: &'a str,
    text: &'a [u8],
    read: OnceCell<Value>,
}

impl<'a> Said<'a> {
    /// This text, whose `member` is known already.
    pub(crate) fn new(member: &'static str, kind: &'a str, text: &'a [u8]) -> Said<'a> {
        Said {
            member,
            kind,
            text,
            read: OnceCell::new(),
        }
    }
}

impl Heard for Said<'_> {
    fn at(&self, path: &[String]) -> Option<Value> {
        if path == [self.member] {
            return Some(self.kind.into());
        }
        // Of a long list there may be no more than the beginning, which is no JSON.
        let read = || serde_json::from_slice(self.text).unwrap_or_default();
        at(self.read.get_or_init(read), path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_looked_into_as_json() {
        let text = br#"{"gameRooms":[{"gameRoomID":"r"}],"type":"activeGameRooms"}"#;
        let said = Said::new("type", "activeGameRooms", text);
        let at = |path: &str| said.at(&path.split('.').map(str::to_owned).collect::<Vec<_>>());
        assert_eq!(at("type"), Some("activeGameRooms".into()));
        assert!(said.read.get().is_none(), "nothing else was asked for");
        assert_eq!(at("gameRooms.0.gameRoomID"), Some("r".into()));
        assert_eq!(at("gameRooms.1"), None);
    }
}
