//! State of a shard as bytes, for the process that goes on with it: MessagePack with field names, and a checksum.
//!
//! What is kept is plain data: no socket, thread, clock or address in memory. A field that is missing takes its default and
//! one that is unknown is skipped, so that a version reads what the one before it wrote, and the other way round.

use std::collections::BTreeMap;

use crc::{CRC_32_ISCSI, Crc};
use metrics::Source;
use serde::{Deserialize, Serialize, de::DeserializeOwned};

const CHECKSUM: Crc<u32> = Crc::<u32>::new(&CRC_32_ISCSI);
const CHECKSUM_BYTES: usize = 4;

/// Why nothing can go on from kept state.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Damaged {
    /// The bytes are not those that were written.
    #[error("the checksum is wrong")]
    Checksum,
    /// It was written by a program whose state has another form.
    #[error("{0}")]
    Form(String),
    /// It says two things that can't both be so.
    #[error("it contradicts itself: {0}")]
    Contradiction(&'static str),
}

/// What was counted on a shard without labels, by name, so that it is counted on.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Counted(BTreeMap<String, u64>);

impl Counted {
    /// What was counted so far.
    pub(crate) fn of(source: &dyn Source) -> Self {
        let counted = metrics::counters(source).into_iter();
        Counted(counted.map(|(name, n)| (name.to_owned(), n)).collect())
    }

    /// Adds it to what is counted from now on.
    pub(crate) fn add_to(&self, source: &dyn Source) {
        metrics::resume(source, |name: &str| self.0.get(name).copied());
    }
}

/// Kept state as bytes.
pub fn encode(kept: &impl Serialize) -> Vec<u8> {
    let mut bytes = rmp_serde::to_vec_named(kept).expect("plain data can be written");
    bytes.extend_from_slice(&CHECKSUM.checksum(&bytes).to_le_bytes());
    bytes
}

/// Kept state from bytes.
///
/// # Errors
/// They are not those that [`encode`] gave, or of another form.
pub fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Damaged> {
    let (body, sum) = bytes
        .split_last_chunk::<CHECKSUM_BYTES>()
        .ok_or(Damaged::Checksum)?;
    if CHECKSUM.checksum(body) != u32::from_le_bytes(*sum) {
        return Err(Damaged::Checksum);
    }
    wire::messagepack::from_slice(body).map_err(|error| Damaged::Form(error.to_string()))
}

/// An error unless it holds.
pub(crate) fn ensure(holds: bool, otherwise: &'static str) -> Result<(), Damaged> {
    if holds {
        Ok(())
    } else {
        Err(Damaged::Contradiction(otherwise))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Old {
        name: String,
        gone: u8,
    }

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct New {
        name: String,
        #[serde(default)]
        added: Vec<u32>,
    }

    #[test]
    fn neighbouring_versions_read_each_other() {
        let name = || "n".to_owned();
        let old = encode(&Old {
            name: name(),
            gone: 7,
        });
        let added = Vec::new();
        assert_eq!(
            decode(&old),
            Ok(New {
                name: name(),
                added
            })
        );
        let other: Result<u32, _> = decode(&old);
        assert!(matches!(other, Err(Damaged::Form(_))), "{other:?}");
    }

    #[test]
    fn a_byte_that_is_not_as_it_was_is_noticed() {
        let bytes = encode(&("some state", 5, [1.5]));
        for at in 0..bytes.len() {
            for bit in 0..8 {
                let mut other = bytes.clone();
                other[at] ^= 1 << bit;
                let read: Result<(String, u8, [f64; 1]), _> = decode(&other);
                assert_eq!(read, Err(Damaged::Checksum));
            }
            let cut: Result<(String, u8, [f64; 1]), _> = decode(&bytes[..at]);
            assert_eq!(cut, Err(Damaged::Checksum));
        }
    }
}
