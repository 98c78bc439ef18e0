//! Factions, and the sets of them that players are willing to play (spec: faf-messages 3.12).

use rand::RngExt;
use serde::{Deserialize, Serialize};

/// A faction; its number is the one on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(in crate::faf) enum Faction {
    /// 1
    Uef = 1,
    /// 2
    Aeon = 2,
    /// 3
    Cybran = 3,
    /// 4
    Seraphim = 4,
    /// 5
    Nomad = 5,
}

/// Name and number of each, ascending.
const ALL: [(&str, Faction); 5] = [
    ("uef", Faction::Uef),
    ("aeon", Faction::Aeon),
    ("cybran", Faction::Cybran),
    ("seraphim", Faction::Seraphim),
    ("nomad", Faction::Nomad),
];

impl Faction {
    /// The one with this number on the wire.
    pub(in crate::faf) fn numbered(number: i64) -> Option<Self> {
        let mut all = ALL.iter().map(|&(_, faction)| faction);
        all.find(|&faction| faction as i64 == number)
    }

    /// The one with this name, in any case.
    pub(in crate::faf) fn named(name: &str) -> Option<Self> {
        let found = ALL
            .iter()
            .find(|(known, _)| known.eq_ignore_ascii_case(name));
        found.map(|&(_, faction)| faction)
    }
}

/// A set of factions, never empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Factions(u8);

impl Default for Factions {
    /// What nobody has chosen: all but the nomads (spec: faf-lifecycle 13).
    fn default() -> Self {
        let usual = [
            Faction::Uef,
            Faction::Aeon,
            Faction::Cybran,
            Faction::Seraphim,
        ];
        Factions(usual.into_iter().fold(0, |set, faction| set | bit(faction)))
    }
}

impl Factions {
    /// Just this one.
    pub(in crate::faf) fn only(faction: Faction) -> Self {
        Factions(bit(faction))
    }

    /// This one too.
    pub(in crate::faf) fn with(self, faction: Faction) -> Self {
        Factions(self.0 | bit(faction))
    }

    /// Ascending by number.
    pub(in crate::faf) fn iter(self) -> impl Iterator<Item = Faction> {
        ALL.into_iter()
            .map(|(_, faction)| faction)
            .filter(move |&faction| self.0 & bit(faction) != 0)
    }

    /// As clients are told, ascending by number.
    pub(in crate::faf) fn names(self) -> Vec<&'static str> {
        let chosen = |&&(_, faction): &&(&str, Faction)| self.0 & bit(faction) != 0;
        ALL.iter().filter(chosen).map(|&(name, _)| name).collect()
    }

    /// One of them by chance, for a match (spec: faf-lifecycle 13).
    pub(in crate::faf) fn pick(self, rng: &mut impl RngExt) -> Faction {
        let count = self.0.count_ones() as usize;
        self.iter()
            .nth(rng.random_range(0..count.max(1)))
            .unwrap_or(Faction::Uef)
    }
}

fn bit(faction: Faction) -> u8 {
    1 << faction as u8
}

#[cfg(test)]
mod tests {
    use rand::{SeedableRng, rngs::SmallRng};

    use super::*;

    #[test]
    fn every_chosen_faction_is_picked_and_no_other() {
        let chosen = Factions(bit(Faction::Aeon) | bit(Faction::Nomad));
        let mut rng = SmallRng::seed_from_u64(1);
        let picked: Vec<Faction> = (0..100).map(|_| chosen.pick(&mut rng)).collect();
        assert!(picked.contains(&Faction::Aeon) && picked.contains(&Faction::Nomad));
        assert!(
            picked
                .iter()
                .all(|&faction| chosen.iter().any(|f| f == faction))
        );
        assert_eq!(Factions::only(Faction::Uef).pick(&mut rng), Faction::Uef);
    }
}
