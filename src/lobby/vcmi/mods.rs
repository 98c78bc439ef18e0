//! The mods of a room (spec: vcmi-proxy 7.10).

use serde::{Deserialize, Serialize};

use super::{
    lobby::{Flow, Lobby},
    message,
    settings::{MODS, MODS_BYTES},
};
use crate::{ConnId, map::KeyedMap};

/// First version whose host is told of everybody's mods.
const TOLD_VERSION: u8 = 3;

/// Names and versions in the order in which they were first mentioned.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(from = "Vec<(String, String)>", into = "Vec<(String, String)>")]
pub(super) struct Mods {
    entries: Vec<(String, String)>,
    /// Place of each name among the entries.
    places: KeyedMap<String, usize>,
    bytes: usize,
}

impl From<Vec<(String, String)>> for Mods {
    fn from(entries: Vec<(String, String)>) -> Self {
        let mut mods = Mods::default();
        mods.merge(&entries);
        mods
    }
}

impl From<Mods> for Vec<(String, String)> {
    fn from(mods: Mods) -> Self {
        mods.entries
    }
}

impl Mods {
    /// New names are added, known ones get the new version, none goes. False: it would be too much, nothing is done.
    fn merge(&mut self, entries: &[(String, String)]) -> bool {
        let added: usize = entries
            .iter()
            .map(|(name, version)| name.len() + version.len())
            .sum();
        if self.entries.len() + entries.len() > MODS || self.bytes + added > MODS_BYTES {
            return false;
        }
        for (name, version) in entries {
            let place = self.places.get(name);
            match place.and_then(|&place| self.entries.get_mut(place)) {
                Some((_, old)) => {
                    self.bytes = self.bytes - old.len() + version.len();
                    old.clone_from(version);
                }
                None => {
                    self.bytes += name.len() + version.len();
                    self.places.insert(name.clone(), self.entries.len());
                    self.entries.push((name.clone(), version.clone()));
                }
            }
        }
        true
    }
}

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
            self.counters.over_limit += 1;
            return self.refuse(conn, "Too many mods");
        }
        let pairs = |entries: &[(String, String)]| message::mods(entries.iter().map(pair));
        let of_room = self.rooms.get(&id).map(|room| pairs(&room.mods.entries));
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
            self.send(host, &text);
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

    fn pairs(value: &str) -> Vec<(String, String)> {
        entries(value)
    }

    #[test]
    fn entries_are_cut_at_semicolons_and_the_first_ampersand() {
        let read = pairs("plain;two&1&2;;trail&");
        let expected = [("plain", ""), ("two", "1&2"), ("", ""), ("trail", "")];
        let read: Vec<_> = read.iter().map(pair).collect();
        assert_eq!(read, expected);
        assert!(pairs("").is_empty());
    }

    /// A packet can name a few thousand mods again and again.
    #[test]
    #[allow(clippy::disallowed_types)] // how long it takes is what is tested
    fn a_long_list_named_again_and_again_keeps_nobody_waiting() {
        let begun = std::time::Instant::now();
        let long: Vec<_> = (0..MODS / 2).map(|n| (n.to_string(), "1".into())).collect();
        let mut mods = Mods::default();
        for _ in 0..256 {
            assert!(mods.merge(&long));
        }
        assert_eq!(mods.entries, long);
        // Compared one by one it takes 8 s here, with an index 0.3 s.
        assert!(begun.elapsed().as_secs() < 4, "{:?}", begun.elapsed());
    }

    #[test]
    fn a_list_only_grows_and_not_without_end() {
        let mut mods = Mods::default();
        assert!(mods.merge(&pairs("wog&1.0;era&2")));
        assert!(mods.merge(&pairs("new&1;wog&1.1")));
        let names: Vec<_> = mods.entries.iter().map(pair).collect();
        assert_eq!(names, [("wog", "1.1"), ("era", "2"), ("new", "1")]);
        assert_eq!(mods.bytes, 3 + 3 + 3 + 1 + 3 + 1);
        let many: Vec<_> = (0..MODS).map(|n| (n.to_string(), String::new())).collect();
        assert!(!mods.merge(&many));
        assert!(!mods.merge(&[("x".repeat(MODS_BYTES), String::new())]));
        assert_eq!(mods.entries.len(), 3);
    }
}
