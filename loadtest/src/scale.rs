//! Round values for the ends of a logarithmic axis.

/// The logarithms of 1, 2 or 5 times a power of ten next to this one: the last not above it, and the first not below.
pub(crate) fn neighbours(place: f64) -> (f64, f64) {
    let power = place.floor();
    let steps = [1.0, 2.0, 5.0, 10.0].map(|factor| power + f64::log10(factor));
    let below = steps.into_iter().rfind(|step| *step <= place);
    let above = steps.into_iter().find(|step| *step >= place);
    (below.unwrap_or(power), above.unwrap_or(power + 1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_lies_between_its_neighbours() {
        let values = |value: f64| {
            let (below, above) = neighbours(value.log10());
            [below, above].map(|place| (10_f64.powf(place) * 1e3).round() / 1e3)
        };
        assert_eq!(values(3.0), [2.0, 5.0]);
        assert_eq!(values(0.7), [0.5, 1.0]);
        assert_eq!(values(1234.0), [1000.0, 2000.0]);
        assert_eq!(values(100.0), [100.0, 100.0]);
    }
}
