//! The mods of a room, bounded in number and size.

use serde::{Deserialize, Serialize};

use super::settings::{MODS, MODS_BYTES};
use crate::map::KeyedMap;

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
    /// All of them.
    pub(super) fn entries(&self) -> &[(String, String)] {
        &self.entries
    }

    /// New names are added, known ones get the new version, none goes. False: it would be too much, nothing is done.
    pub(super) fn merge(&mut self, entries: &[(String, String)]) -> bool {
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

#[cfg(test)]
mod tests {
    use super::*;

    fn mods_of(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        let owned = |&(name, version): &(&str, &str)| (name.to_owned(), version.to_owned());
        pairs.iter().map(owned).collect()
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
        assert!(mods.merge(&mods_of(&[("wog", "1.0"), ("era", "2")])));
        assert!(mods.merge(&mods_of(&[("new", "1"), ("wog", "1.1")])));
        let all = mods_of(&[("wog", "1.1"), ("era", "2"), ("new", "1")]);
        assert_eq!(mods.entries, all);
        assert_eq!(mods.bytes, 3 + 3 + 3 + 1 + 3 + 1);
        let many: Vec<_> = (0..MODS).map(|n| (n.to_string(), String::new())).collect();
        assert!(!mods.merge(&many));
        assert!(!mods.merge(&[("x".repeat(MODS_BYTES), String::new())]));
        assert_eq!(mods.entries.len(), 3);
    }
}
