//! Durations from nanoseconds to a minute, each to within 1 % (G. Tene's HdrHistogram).
//!
//! The cells are those of an HdrHistogram of two significant digits: 128 for each power of two. The crate's own histogram
//! can't be read while another thread counts, so the cells here are atomics, and whoever reads makes one of the crate's of
//! them. Counting finds a cell by the number's leading zeros; it never allocates. All cells together take 30 KiB.

use std::time::Duration;

use crate::{
    registry::{Definition, Kind, Metric, Value},
    value::Counter,
};

/// Upper bounds of the buckets that a latency is shown in, in seconds.
pub const LATENCY_BOUNDS_S: &[f64] = &[
    1e-6, 2e-6, 3e-6, 5e-6, 7e-6, 1e-5, 1.5e-5, 2e-5, 3e-5, 5e-5, 7e-5, 1e-4, 2e-4, 5e-4, 1e-3,
    2e-3, 5e-3, 1e-2, 2e-2, 5e-2, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0,
];

/// Significant digits of what is kept.
const DIGITS: u8 = 2;
/// Longer durations count as this one.
const LONGEST_NS: u64 = 60_000_000_000;
/// Of the cells for one power of two. 256 below the first power tell 200 values, two digits, apart.
const HALF_BITS: u32 = 7;
const HALF: u64 = 1 << HALF_BITS;
const CELLS: usize = cell(LONGEST_NS) + 1;

/// Durations, counted by one thread.
#[derive(Debug)]
pub struct Latency {
    cells: Box<[Counter]>,
    nanoseconds: Counter,
}

impl Default for Latency {
    fn default() -> Self {
        Self::new()
    }
}

impl Latency {
    /// Nothing counted yet.
    pub fn new() -> Self {
        Latency {
            cells: (0..CELLS).map(|_| Counter::new()).collect(),
            nanoseconds: Counter::new(),
        }
    }

    /// Counts one.
    #[inline]
    pub fn took(&self, time: Duration) {
        let nanoseconds = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        self.cells[cell(nanoseconds.min(LONGEST_NS))].up();
        self.nanoseconds.add(nanoseconds);
    }

    /// Everything counted so far, in nanoseconds: for quantiles and the like.
    pub fn histogram(&self) -> hdrhistogram::Histogram<u64> {
        let mut histogram = hdrhistogram::Histogram::new_with_bounds(1, LONGEST_NS, DIGITS)
            .expect("the bounds are in order");
        for (cell, count) in self.counted() {
            histogram.saturating_record_n(highest(cell), count);
        }
        histogram
    }

    /// The cells that are not empty, and their counts.
    fn counted(&self) -> impl Iterator<Item = (usize, u64)> {
        let counts = self.cells.iter().map(Counter::value).enumerate();
        counts.filter(|(_, count)| *count > 0)
    }
}

impl Metric for Latency {
    fn kind(&self) -> Kind {
        Kind::Histogram
    }

    fn read(&self, definition: &Definition, sample: &mut dyn FnMut(&[&str], Value)) {
        let bounds = definition.bounds_s;
        let mut counts = vec![0; bounds.len() + 1];
        for (cell, count) in self.counted() {
            let seconds = lowest(cell) as f64 / 1e9;
            counts[bounds.partition_point(|&bound| bound < seconds)] += count;
        }
        let sum = self.nanoseconds.value() as f64 / 1e9;
        let buckets = Value::Buckets {
            bounds,
            counts,
            sum,
        };
        sample(&[], buckets);
    }

    fn report(&self) -> Option<String> {
        let histogram = self.histogram();
        let quantile = |q| Duration::from_nanos(histogram.value_at_quantile(q));
        (!histogram.is_empty()).then(|| {
            format!(
                "p50:{:?},p99:{:?},p999:{:?},max:{:?}",
                quantile(0.5),
                quantile(0.99),
                quantile(0.999),
                quantile(1.0)
            )
        })
    }
}

/// Which cell a value falls in: its upper eight bits, among those of its power of two.
const fn cell(value: u64) -> usize {
    let power = (u64::BITS - HALF_BITS - 1) - (value | (2 * HALF - 1)).leading_zeros();
    let within = value >> power; // in the upper half, but for the first power
    ((power as u64 * HALF) + within) as usize
}

/// The power of two of a cell's values, and their upper bits.
const fn parts(cell: usize) -> (u32, u64) {
    let cell = cell as u64;
    if cell < 2 * HALF {
        return (0, cell);
    }
    let power = cell / HALF - 1;
    (power as u32, cell - power * HALF)
}

/// The smallest value in a cell.
const fn lowest(cell: usize) -> u64 {
    let (power, within) = parts(cell);
    within << power
}

/// The largest value in a cell.
const fn highest(cell: usize) -> u64 {
    let (power, within) = parts(cell);
    ((within + 1) << power) - 1
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn reference() -> hdrhistogram::Histogram<u64> {
        hdrhistogram::Histogram::new_with_bounds(1, LONGEST_NS, DIGITS).unwrap()
    }

    proptest! {
        #[test]
        fn cells_are_those_of_the_crate(bits in 0..36_u32, low in any::<u64>()) {
            let value = ((1 << bits) | (low & ((1 << bits) - 1))).min(LONGEST_NS);
            let reference = reference();
            prop_assert_eq!(lowest(cell(value)), reference.lowest_equivalent(value));
            prop_assert_eq!(highest(cell(value)), reference.highest_equivalent(value));
        }

        #[test]
        fn quantiles_are_those_of_the_crate(values in prop::collection::vec(0..LONGEST_NS, 1..200)) {
            let (latency, mut reference) = (Latency::new(), reference());
            for &value in &values {
                latency.took(Duration::from_nanos(value));
                reference.record(value).unwrap();
            }
            let read = latency.histogram();
            for q in [0.0, 0.01, 0.5, 0.9, 0.99, 0.999, 1.0] {
                prop_assert_eq!(read.value_at_quantile(q), reference.value_at_quantile(q));
            }
        }
    }

    #[test]
    fn cells_are_without_gaps_and_precise() {
        for at in 1..CELLS {
            assert_eq!(lowest(at), highest(at - 1) + 1);
            assert!(highest(at) - lowest(at) <= lowest(at) / 100, "{at}");
        }
    }

    #[test]
    fn what_takes_too_long_is_counted_as_the_longest() {
        let latency = Latency::new();
        latency.took(Duration::MAX);
        latency.took(Duration::from_secs(59));
        assert_eq!(latency.histogram().len(), 2);
        assert_eq!(latency.counted().last(), Some((CELLS - 1, 1)));
    }

    #[test]
    fn a_latency_is_shown_in_the_bounds_that_are_wanted() {
        let latency = Latency::new();
        for us in [1, 2, 40, 40, 10_000_000] {
            latency.took(Duration::from_micros(us));
        }
        let definition = Definition {
            name: "",
            help: "",
            labels: &[],
            combination: crate::Combination::Sum,
            bounds_s: &[1e-6, 1e-5, 1.0],
        };
        latency.read(&definition, &mut |labels, value| {
            assert!(labels.is_empty());
            let Value::Buckets { counts, sum, .. } = value else {
                panic!("{value:?}");
            };
            assert_eq!((counts, sum), (vec![1, 1, 2, 1], 10.000_083));
        });
    }
}
