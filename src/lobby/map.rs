//! Maps of which no effect's order depends on chance: a seed gives the same run twice, also in one process.
//!
//! Which map is right depends on who chooses its keys. Ids that we give out, or that the database does, go into an
//! [`IdMap`]: its hasher has fixed keys, so equal histories give equal orders. Keys that strangers choose need a hasher
//! whose keys they do not know, or they choose many that collide; they go into a [`KeyedMap`] or [`KeyedSet`], which
//! cannot be iterated over. Nothing else hashes here (`clippy.toml`).

// The types that are forbidden elsewhere are wrapped here.
#![allow(clippy::disallowed_types)]

use std::{
    borrow::Borrow,
    collections::HashMap,
    hash::{BuildHasher, Hash},
};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use ahash::{AHashMap, AHashSet, AHasher, RandomState};

/// Gives every map the same hash function: only for keys that no stranger chooses.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct FixedHasher;

impl BuildHasher for FixedHasher {
    type Hasher = AHasher;

    fn build_hasher(&self) -> AHasher {
        const KEYS: RandomState = RandomState::with_seeds(1, 2, 3, 4);
        KEYS.build_hasher()
    }
}

/// By ids that are given out, not chosen: numbers of players, games, searches, tickets; connections.
///
/// Safe with a known hash function because whoever wants colliding keys would have to be given them. Looking up a
/// stranger's number costs no more than the chains that our own keys make.
pub(crate) type IdMap<K, V> = HashMap<K, V, FixedHasher>;

/// By keys that strangers choose. There is no way to go through it, because its order differs from process to process.
#[derive(Clone, Debug)]
pub(crate) struct KeyedMap<K, V>(AHashMap<K, V>);

impl<K, V> Default for KeyedMap<K, V> {
    fn default() -> Self {
        KeyedMap(AHashMap::default())
    }
}

impl<K: Hash + Eq, V> KeyedMap<K, V> {
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn get<Q: Hash + Eq + ?Sized>(&self, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
    {
        self.0.get(key)
    }

    pub(crate) fn contains_key<Q: Hash + Eq + ?Sized>(&self, key: &Q) -> bool
    where
        K: Borrow<Q>,
    {
        self.0.contains_key(key)
    }

    pub(crate) fn insert(&mut self, key: K, value: V) -> Option<V> {
        self.0.insert(key, value)
    }

    pub(crate) fn remove<Q: Hash + Eq + ?Sized>(&mut self, key: &Q) -> Option<V>
    where
        K: Borrow<Q>,
    {
        self.0.remove(key)
    }
}

/// Keys that strangers choose, for counting them; not to be gone through either.
#[derive(Clone, Debug)]
pub(crate) struct KeyedSet<K>(AHashSet<K>);

impl<K> Default for KeyedSet<K> {
    fn default() -> Self {
        KeyedSet(AHashSet::default())
    }
}

impl<K: Hash + Eq> KeyedSet<K> {
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn insert(&mut self, key: K) -> bool {
        self.0.insert(key)
    }
}

/// In the order of its keys, so that equal sets give equal bytes.
impl<K: Ord + Serialize> Serialize for KeyedSet<K> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut keys: Vec<&K> = self.0.iter().collect();
        keys.sort_unstable();
        keys.serialize(serializer)
    }
}

impl<'de, K: Hash + Eq + Deserialize<'de>> Deserialize<'de> for KeyedSet<K> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let keys = Vec::deserialize(deserializer)?;
        Ok(KeyedSet(keys.into_iter().collect()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_histories_give_equal_orders() {
        let order = || {
            let map: IdMap<u32, ()> = (0..1000).map(|n| (n * 7919, ())).collect();
            map.into_keys().collect::<Vec<_>>()
        };
        let first = order();
        assert_eq!(order(), first);
        assert!(!first.is_sorted(), "it does hash");
    }
}
