//! What is left to chance: shuffles, dice, a random card (spec: cockatrice-table 1.6). The order of draws is part of the rules, so
//! that a game can be played again from its source.

use std::collections::VecDeque;

use rand::{Rng, RngExt};

/// A number from one to another, both among them, each as likely as the others.
pub(super) fn draw(rng: &mut dyn Rng, from: usize, to: usize) -> usize {
    rng.random_range(from..=to.max(from))
}

/// Shuffles the places from one up to, and without, another.
pub(super) fn shuffle<T>(list: &mut VecDeque<T>, from: usize, end: usize, rng: &mut dyn Rng) {
    for place in (from + 1..end.min(list.len())).rev() {
        let other = draw(rng, from, place);
        list.swap(place, other);
    }
}
