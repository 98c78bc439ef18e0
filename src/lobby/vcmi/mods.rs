//! The mods of a room (spec: vcmi-proxy 7.10).

use super::{
    lobby::{Flow, Lobby},
    message,
    settings::{MODS, MODS_BYTES},
};
use crate::ConnId;

/// First version whose host is told of everybody's mods.
const TOLD_VERSION: u8 = 3;

/// `name&version;name&version`. An empty value is no entry; an entry without `&` has an empty version.
fn entries(value: &str) -> Vec<(String, String)> {
    if value.is_empty() {
        return Vec::new();
    }
    let pairs = value
        .split(';')
        .map(|entry| entry.split_once('&').unwrap_or((entry, "")));
    pairs
        .map(|(name, version)| (message::harmless(name), message::harmless(version)))
        .collect()
}

impl Lobby {
    pub(super) fn mods(&mut self, conn: ConnId, value: &str) -> Flow {
        let Some((id, room)) = self.inside(conn) else {
            return self.ignore();
        };
        let (host, entries) = (room.host, entries(value));
        let too_many = entries.len() > MODS || value.len() > MODS_BYTES;
        let merged = match self.rooms.get_mut(&id) {
            Some(room) if host == conn && !too_many => room.mods.merge(&entries),
            _ => !too_many,
        };
        if !merged {
            self.metrics.over_limit.up();
            return self.refuse(conn, "Too many mods");
        }
        let pairs = |entries: &[(String, String)]| message::mods(entries.iter().map(pair));
        let of_room = self.rooms.get(&id).map(|room| pairs(room.mods.entries()));
        self.send(conn, &of_room.unwrap_or_default());
        if self
            .users
            .get(&host)
            .is_some_and(|host| host.version >= TOLD_VERSION)
        {
            // Here every `&` separates.
            let split: Vec<(String, String)> = entries
                .into_iter()
                .map(|(name, version)| (name, version.replace('&', ":")))
                .collect();
            let text = message::mods_other(self.name_of(conn), split.iter().map(pair));
            self.offer(host, &text);
        }
        Flow::GoOn
    }
}

fn pair((name, version): &(String, String)) -> (&str, &str) {
    (name, version)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_are_cut_at_semicolons_and_the_first_ampersand() {
        let read = entries("plain;two&1&2;;trail&");
        let expected = [("plain", ""), ("two", "1&2"), ("", ""), ("trail", "")];
        let read: Vec<_> = read.iter().map(pair).collect();
        assert_eq!(read, expected);
        assert!(entries("").is_empty());
    }
}
