//! The same metric for each of several labels.
//!
//! Each combination of labels is a time series for ever, so there may be so many and no more. Readers see the list through a
//! pointer that is swapped when a label is new, which is seldom; counting for a label that is known touches only its count.

use std::{ops::Index, sync::Arc};

use arc_swap::ArcSwap;

use crate::{
    registry::{Definition, Kind, Metric, Value},
    value::{Counter, Gauge, Histogram, ReadSeconds, SharedCounter},
};

/// The label of everything that has no place of its own.
pub const OTHER: &str = "other";

/// A counter for each label, counted by one thread: `new(most)`.
pub type LabelledCounter = Labelled<Counter>;
/// A counter for each label, counted by any thread: `new(most)`.
pub type LabelledSharedCounter = Labelled<SharedCounter>;
/// A gauge for each label: `new(most)`.
pub type LabelledGauge = Labelled<Gauge>;
/// Seconds that are looked up, for each label: `new(most)`.
pub type LabelledReadSeconds = Labelled<ReadSeconds>;
/// A histogram for each label: `new(most, bounds)`.
pub type LabelledHistogram = Labelled<Histogram>;

/// Labels, in the order in which they are named, and what they stand for.
type Series<M> = Vec<(Box<[Box<str>]>, Arc<M>)>;

/// A metric for each of several labels.
///
/// From the `most`th on, the last label is [`OTHER`]. So what a stranger may choose is the last label; those before it come
/// from a list of ours. How long a label may be is for who sets it.
#[derive(Debug)]
pub struct Labelled<M> {
    most: usize,
    /// An empty metric of the kind that is made for new labels.
    template: M,
    series: ArcSwap<Series<M>>,
}

impl<M: Default + Fresh> Labelled<M> {
    /// Without any label yet; for `most` of them.
    pub fn new(most: usize) -> Self {
        Labelled::of_template(most, M::default())
    }
}

impl LabelledHistogram {
    /// Without any label yet; for `most` of them, each with these upper bounds.
    pub fn new(most: usize, bounds: &'static [f64]) -> Self {
        Labelled::of_template(most, Histogram::new(bounds))
    }
}

impl<M: Fresh> Labelled<M> {
    fn of_template(most: usize, template: M) -> Self {
        Labelled {
            most,
            template,
            series: ArcSwap::default(),
        }
    }

    /// The metric of these labels, as many as are named where it is defined. Shown from now on, even if nothing is counted.
    pub fn of(&self, labels: &[&str]) -> Arc<M> {
        if let Some(metric) = find(&self.series.load(), labels) {
            return metric;
        }
        let mut found = None;
        // Another thread may be adding a label as well: then this is done again, on its list.
        self.series.rcu(|series| {
            let mut labels = labels.to_vec();
            if series.len() >= self.most
                && let Some(last) = labels.last_mut()
            {
                *last = OTHER;
            }
            let mut series = Series::clone(series);
            let metric = find(&series, &labels).unwrap_or_else(|| {
                let metric = Arc::new(self.template.fresh());
                series.push((owned(&labels), metric.clone()));
                metric
            });
            found = Some(metric);
            series
        });
        found.expect("rcu calls its function at least once")
    }
}

impl LabelledGauge {
    /// Shows these, and none that was shown before. For one thread.
    pub fn replace<L: AsRef<str>, const N: usize>(&self, values: &[([L; N], f64)]) {
        let values = &values[..values.len().min(self.most)];
        let shown = self.series.load();
        let mut pairs = shown.iter().zip(values);
        if shown.len() == values.len() && pairs.all(|((known, _), (labels, _))| is(known, labels)) {
            for ((_, gauge), (_, value)) in shown.iter().zip(values) {
                gauge.set(*value);
            }
            return;
        }
        let fresh = values.iter().map(|(labels, value)| {
            let gauge = Gauge::new();
            gauge.set(*value);
            (owned(labels), Arc::new(gauge))
        });
        self.series.store(Arc::new(fresh.collect()));
    }
}

impl<M: Metric> Metric for Labelled<M> {
    fn kind(&self) -> Kind {
        self.template.kind()
    }

    fn read(&self, definition: &Definition, sample: &mut dyn FnMut(&[&str], Value)) {
        for (labels, metric) in self.series.load().iter() {
            let labels: Vec<&str> = labels.iter().map(|label| &**label).collect();
            metric.read(definition, &mut |_, value| sample(&labels, value));
        }
    }
}

/// What can be made anew for another label.
pub trait Fresh: Metric {
    /// An empty one of the same kind.
    fn fresh(&self) -> Self;
}

impl Fresh for Counter {
    fn fresh(&self) -> Self {
        Counter::new()
    }
}

impl Fresh for SharedCounter {
    fn fresh(&self) -> Self {
        SharedCounter::new()
    }
}

impl Fresh for ReadSeconds {
    fn fresh(&self) -> Self {
        ReadSeconds::new()
    }
}

impl Fresh for Gauge {
    fn fresh(&self) -> Self {
        Gauge::new()
    }
}

impl Fresh for Histogram {
    fn fresh(&self) -> Self {
        Histogram::fresh(self)
    }
}

/// Most labels of an [`IndexedCounter`].
const INDEXED: usize = 16;

/// A counter for each of a few labels that are all known, 16 at the most, found by their number. For what is counted often, by
/// one thread.
#[derive(Debug)]
pub struct IndexedCounter {
    labels: &'static [&'static str],
    /// In place, so that what one shard counts lies in no cache line of another's.
    counts: [Counter; INDEXED],
}

impl IndexedCounter {
    /// One for each of these labels.
    ///
    /// # Panics
    /// If there are too many of them.
    pub fn new(labels: &'static [&'static str]) -> Self {
        assert!(labels.len() <= INDEXED, "too many labels: {labels:?}");
        IndexedCounter {
            labels,
            counts: [const { Counter::new() }; INDEXED],
        }
    }
}

impl Index<usize> for IndexedCounter {
    type Output = Counter;

    #[inline]
    fn index(&self, index: usize) -> &Counter {
        &self.counts[index]
    }
}

impl Metric for IndexedCounter {
    fn kind(&self) -> Kind {
        Kind::Counter
    }

    fn read(&self, _: &Definition, sample: &mut dyn FnMut(&[&str], Value)) {
        for (label, count) in self.labels.iter().zip(&self.counts) {
            sample(&[label], Value::Number(count.value() as f64));
        }
    }
}

fn find<M>(series: &Series<M>, labels: &[&str]) -> Option<Arc<M>> {
    let found = series.iter().find(|(known, _)| is(known, labels));
    found.map(|(_, metric)| metric.clone())
}

fn is(known: &[Box<str>], labels: &[impl AsRef<str>]) -> bool {
    known.len() == labels.len() && known.iter().zip(labels).all(|(a, b)| **a == *b.as_ref())
}

fn owned(labels: &[impl AsRef<str>]) -> Box<[Box<str>]> {
    labels.iter().map(|label| label.as_ref().into()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown<M: Metric>(metric: &Labelled<M>) -> Vec<(String, f64)> {
        let definition = Definition {
            name: "",
            help: "",
            labels: &[],
            combination: crate::Combination::Sum,
            bounds_s: &[],
        };
        let mut all = Vec::new();
        metric.read(&definition, &mut |labels, value| {
            let Value::Number(value) = value else {
                panic!("{value:?}");
            };
            all.push((labels.join(" "), value));
        });
        all
    }

    fn list(expected: &[(&str, f64)]) -> Vec<(String, f64)> {
        let owned = expected.iter().map(|(label, n)| ((*label).to_owned(), *n));
        owned.collect()
    }

    #[test]
    fn labels_are_bounded_in_number() {
        let counter = LabelledCounter::new(2);
        for label in ["a", "b", "c", "a", "d"] {
            counter.of(&[label]).up();
        }
        assert_eq!(
            shown(&counter),
            list(&[("a", 2.0), ("b", 1.0), (OTHER, 2.0)])
        );
        let counter = LabelledCounter::new(1);
        for code in ["1", "2", "3"] {
            counter.of(&["class", code]).up();
        }
        assert_eq!(
            shown(&counter),
            list(&[("class 1", 1.0), ("class other", 2.0)])
        );
    }

    #[test]
    #[allow(
        clippy::disallowed_methods,
        reason = "several threads are what is tested"
    )]
    fn threads_that_bring_new_labels_at_once_lose_none() {
        let counter = LabelledSharedCounter::new(100);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| (0..50).for_each(|n| counter.of(&[&n.to_string()]).up()));
            }
        });
        let shown = shown(&counter);
        assert_eq!(shown.len(), 50);
        assert!(shown.iter().all(|(_, n)| *n == 4.0), "{shown:?}");
    }

    #[test]
    fn only_what_was_set_last_is_shown() {
        let gauge = LabelledGauge::new(10);
        let steps: &[&[(&str, f64)]] = &[
            &[("a", 1.0), ("b", 2.0), ("c", 3.0)],
            &[("a", 4.0), ("b", 5.0), ("c", 6.0)],
            &[("a", 7.0), ("c", 8.0)],
            &[("a", 9.0)],
            &[("a", 1.0), ("b", 2.0)],
            &[],
            &[("z", 1.0)],
        ];
        for step in steps {
            let values: Vec<_> = step.iter().map(|&(label, n)| ([label], n)).collect();
            gauge.replace(&values);
            assert_eq!(shown(&gauge), list(step));
        }
    }

    #[test]
    fn a_histogram_is_made_for_each_label() {
        let histogram = LabelledHistogram::new(2, &[1.0]);
        histogram.of(&["a"]).observe(0.5);
        histogram.of(&["b"]);
        assert_eq!(histogram.series.load().len(), 2);
        assert_eq!(histogram.kind(), Kind::Histogram);
    }
}
