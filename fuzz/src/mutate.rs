//! Inputs near those that are known, from a seed: what `cargo test` tries of every target, where nothing measures coverage.

use rand::{Rng, RngExt, SeedableRng, rngs::SmallRng};

/// Most changes to one input.
const CHANGES: usize = 6;
/// Longest input, in bytes.
const LONGEST: usize = 1024;

/// The input of this number: one of `known`, changed in a few places, or cut together with another, or new altogether.
pub fn input(known: &[Vec<u8>], number: u64) -> Vec<u8> {
    let mut rng = SmallRng::seed_from_u64(number);
    let mut bytes = match known.len() {
        0 => Vec::new(),
        len if rng.random_ratio(9, 10) => known[rng.random_range(0..len)].clone(),
        _ => (0..rng.random_range(0..200))
            .map(|_| rng.random())
            .collect(),
    };
    bytes.truncate(rng.random_range(1..=LONGEST));
    for _ in 0..rng.random_range(1..=CHANGES) {
        change(&mut bytes, known, &mut rng);
    }
    bytes
}

fn change(bytes: &mut Vec<u8>, known: &[Vec<u8>], rng: &mut impl Rng) {
    let at = rng.random_range(0..=bytes.len());
    let end = (at + rng.random_range(0..20)).min(bytes.len());
    match rng.random_range(0..7) {
        0 | 1 => {
            if let Some(byte) = bytes.get_mut(at) {
                *byte = rng.random();
            }
        }
        2 => {
            if let Some(byte) = bytes.get_mut(at) {
                *byte = byte.wrapping_add(rng.random_range(0..5)).wrapping_sub(2);
            }
        }
        3 => drop(bytes.drain(at..end)),
        4 => {
            let again: Vec<u8> = bytes[at..end].to_vec();
            bytes.splice(at..at, again);
        }
        5 => {
            let new: Vec<u8> = (0..rng.random_range(0..12)).map(|_| rng.random()).collect();
            bytes.splice(at..end, new);
        }
        _ if known.is_empty() => {}
        _ => {
            let other = &known[rng.random_range(0..known.len())];
            let from = rng.random_range(0..=other.len());
            let len = rng.random_range(0..200).min(other.len() - from);
            bytes.splice(at..end, other[from..from + len].iter().copied());
        }
    }
}
