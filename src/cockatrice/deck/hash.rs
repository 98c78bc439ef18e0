//! A deck's hash: the same for decks of the same cards, however they are listed (spec: cockatrice-behaviour 6.3).

use sha1::{Digest, Sha1};

use super::{Card, Deck};

/// Digits of a hash: 40 bits of a SHA-1, five to a digit.
const DIGITS: usize = 8;

/// The hash of what is played of a deck.
pub(super) fn hash(deck: &Deck) -> String {
    let main = deck.cards("main").map(|card| entry("", card));
    let side = deck.cards("side").map(|card| entry("SB:", card));
    let mut entries: Vec<(String, usize)> = main.chain(side).collect();
    entries.sort_unstable_by(|(a, _), (b, _)| a.encode_utf16().cmp(b.encode_utf16()));
    let copies = entries
        .iter()
        .flat_map(|(name, copies)| std::iter::repeat_n(name, *copies));
    let mut sum = Sha1::new();
    for (place, name) in copies.enumerate() {
        if place > 0 {
            sum.update(b";");
        }
        sum.update(name);
    }
    digits(&sum.finalize())
}

/// A card's name as it counts, and how often it does. Each letter is lowered by itself, whatever stands beside it.
fn entry(prefix: &str, card: &Card) -> (String, usize) {
    let mut name = prefix.to_owned();
    name.extend(card.name.chars().flat_map(char::to_lowercase));
    (name, card.copies())
}

fn digits(sum: &[u8]) -> String {
    let number = sum[..5].iter().fold(0, |n, byte| n << 8 | u64::from(*byte));
    (0..DIGITS)
        .rev()
        .map(|place| b"0123456789abcdefghijklmnopqrstuv"[(number >> (5 * place) & 31) as usize])
        .map(char::from)
        .collect()
}
