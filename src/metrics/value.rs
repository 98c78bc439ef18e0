//! One number, or one histogram, that is counted. Written by who counts, read by anyone: a little late, never wrong.
//!
//! Most things are counted by one thread, a shard's: a load and a store, no locked instruction. What several threads count
//! is a [`SharedCounter`].

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use crate::registry::{Definition, Kind, Metric, Value};

/// A number that only grows, counted by one thread. If two threads count, some of it is lost.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// Nothing counted yet.
    pub const fn new() -> Self {
        Counter(AtomicU64::new(0))
    }

    /// One more.
    #[inline]
    pub fn up(&self) {
        self.add(1);
    }

    /// `n` more.
    #[inline]
    pub fn add(&self, n: u64) {
        // One writer: no read-modify-write needed.
        self.0.store(self.value().wrapping_add(n), Relaxed);
    }

    /// The count so far.
    #[inline]
    pub fn value(&self) -> u64 {
        self.0.load(Relaxed)
    }
}

impl Metric for Counter {
    fn kind(&self) -> Kind {
        Kind::Counter
    }

    fn read(&self, _: &Definition, sample: &mut dyn FnMut(&[&str], Value)) {
        sample(&[], Value::Number(self.value() as f64));
    }

    fn resume(&self, counted: u64) {
        self.add(counted);
    }

    fn report(&self) -> Option<String> {
        let value = self.value();
        (value > 0).then(|| value.to_string())
    }
}

/// A number that only grows, counted by any thread.
#[derive(Debug, Default)]
pub struct SharedCounter(AtomicU64);

impl SharedCounter {
    /// Nothing counted yet.
    pub const fn new() -> Self {
        SharedCounter(AtomicU64::new(0))
    }

    /// One more.
    pub fn up(&self) {
        self.0.fetch_add(1, Relaxed);
    }

    /// Counts so many more.
    pub fn add(&self, n: u64) {
        self.0.fetch_add(n, Relaxed);
    }

    /// The count so far.
    pub fn value(&self) -> u64 {
        self.0.load(Relaxed)
    }
}

impl Metric for SharedCounter {
    fn kind(&self) -> Kind {
        Kind::Counter
    }

    fn read(&self, _: &Definition, sample: &mut dyn FnMut(&[&str], Value)) {
        sample(&[], Value::Number(self.value() as f64));
    }
}

/// Seconds that only grow, looked up where somebody else counts them.
#[derive(Debug, Default)]
pub struct ReadSeconds(AtomicU64);

impl ReadSeconds {
    /// None yet.
    pub const fn new() -> Self {
        ReadSeconds(AtomicU64::new(0)) // the bits of 0.0
    }

    /// How many it is now.
    pub fn set(&self, seconds: f64) {
        self.0.store(seconds.to_bits(), Relaxed);
    }
}

impl Metric for ReadSeconds {
    fn kind(&self) -> Kind {
        Kind::Counter
    }

    fn read(&self, _: &Definition, sample: &mut dyn FnMut(&[&str], Value)) {
        sample(&[], Value::Number(f64::from_bits(self.0.load(Relaxed))));
    }
}

/// A number that goes up and down. The last thread to set it is right.
#[derive(Debug, Default)]
pub struct Gauge(AtomicU64);

impl Gauge {
    /// Zero.
    pub const fn new() -> Self {
        Gauge(AtomicU64::new(0)) // the bits of 0.0
    }

    /// What it is now.
    pub fn set(&self, value: f64) {
        self.0.store(value.to_bits(), Relaxed);
    }

    /// `more` than it was; less, if negative. For one thread, as with [`Counter::add`].
    pub fn add(&self, more: f64) {
        self.set(self.value() + more);
    }

    /// What it was last set to.
    pub fn value(&self) -> f64 {
        f64::from_bits(self.0.load(Relaxed))
    }
}

impl Metric for Gauge {
    fn kind(&self) -> Kind {
        Kind::Gauge
    }

    fn read(&self, _: &Definition, sample: &mut dyn FnMut(&[&str], Value)) {
        sample(&[], Value::Number(self.value()));
    }
}

/// Values by size, in buckets of fixed bounds, counted by one thread.
#[derive(Debug)]
pub struct Histogram {
    bounds: &'static [f64],
    /// How many fell below each bound and above the one before; last, above all.
    counts: Box<[Counter]>,
    sum: Gauge,
}

impl Histogram {
    /// An empty one with these upper bounds, which ascend.
    pub fn new(bounds: &'static [f64]) -> Self {
        debug_assert!(bounds.is_sorted(), "{bounds:?}");
        Histogram {
            bounds,
            counts: (0..=bounds.len()).map(|_| Counter::new()).collect(),
            sum: Gauge::new(),
        }
    }

    /// Counts a value. One that equals a bound is below it.
    pub fn observe(&self, value: f64) {
        self.counts[self.bounds.partition_point(|&bound| bound < value)].up();
        self.sum.add(value);
    }

    /// An empty one with the same bounds.
    pub(crate) fn fresh(&self) -> Self {
        Histogram::new(self.bounds)
    }
}

impl Metric for Histogram {
    fn kind(&self) -> Kind {
        Kind::Histogram
    }

    fn read(&self, _: &Definition, sample: &mut dyn FnMut(&[&str], Value)) {
        let buckets = Value::Buckets {
            bounds: self.bounds,
            counts: self.counts.iter().map(Counter::value).collect(),
            sum: self.sum.value(),
        };
        sample(&[], buckets);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_on_a_bound_belongs_below_it() {
        let histogram = Histogram::new(&[1.0, 2.0]);
        for value in [0.5, 1.0, 1.5, 9.0] {
            histogram.observe(value);
        }
        let counts: Vec<u64> = histogram.counts.iter().map(Counter::value).collect();
        assert_eq!((counts, histogram.sum.value()), (vec![2, 1, 1], 12.0));
    }

    #[test]
    fn a_gauge_goes_up_and_down() {
        let gauge = Gauge::new();
        gauge.add(2.5);
        gauge.add(-1.0);
        assert_eq!(gauge.value(), 1.5);
        gauge.set(7.0);
        assert_eq!(gauge.value(), 7.0);
    }
}
