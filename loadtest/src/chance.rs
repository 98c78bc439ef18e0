//! Draws that depend on nothing but what they are for: the same seed and the same numbers give the same, in any order and on any
//! thread.

/// A number that nobody could tell from a random one, of these.
pub(crate) fn bits(of: &[u64]) -> u64 {
    of.iter().fold(0x9e37_79b9_7f4a_7c15, |state, number| {
        mix(state ^ mix(*number))
    })
}

/// Evenly from 0 up to 1, without it.
pub(crate) fn unit(of: &[u64]) -> f64 {
    (bits(of) >> 11) as f64 / (1_u64 << 53) as f64
}

/// Of mean 1, as the time between two events that know nothing of each other.
pub(crate) fn exponential(of: &[u64]) -> f64 {
    -(1.0 - unit(of)).ln()
}

/// SplitMix64's step (Steele, Lea, Flood 2014): every bit of the outcome depends on every bit of the number.
fn mix(number: u64) -> u64 {
    let mut mixed = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn draws_are_even_and_their_own() {
        let mean = (0..10_000).map(|number| unit(&[1, number])).sum::<f64>() / 1e4;
        assert!((mean - 0.5).abs() < 0.02, "{mean}");
        let mean = (0..10_000)
            .map(|number| exponential(&[number, 1]))
            .sum::<f64>()
            / 1e4;
        assert!((mean - 1.0).abs() < 0.05, "{mean}");
        assert_eq!(bits(&[1, 2]), bits(&[1, 2]));
        assert_ne!(bits(&[1, 2]), bits(&[2, 1]));
    }
}
