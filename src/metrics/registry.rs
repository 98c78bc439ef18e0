//! Names and help texts, and reading everything that is counted.

use std::{collections::BTreeMap, sync::Arc};

/// How a metric changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// It only grows.
    Counter,
    /// It goes up and down.
    Gauge,
    /// It is many values by size.
    Histogram,
}

/// What becomes of what several shards have counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Combination {
    /// Each shard's is shown, with a label `shard`.
    PerShard,
    /// Their sum is shown.
    Sum,
    /// The largest is shown: that of the shard that has seen everything.
    Max,
}

/// A label's name.
#[derive(Debug)]
pub struct Label {
    /// As Prometheus is to see it.
    pub name: &'static str,
    /// Its value, if it is always the same.
    pub fixed: Option<&'static str>,
}

/// How a metric is shown. Made by [`metrics!`](crate::metrics!).
#[derive(Debug)]
pub struct Definition {
    /// As Prometheus is to see it. Several may have one name, and differ in labels that are fixed.
    pub name: &'static str,
    /// What is counted, in plain words.
    pub help: &'static str,
    /// Its labels in their order.
    pub labels: &'static [Label],
    /// What becomes of several shards' values.
    pub combination: Combination,
    /// Upper bounds of the buckets of a [`Latency`](crate::Latency).
    pub bounds_s: &'static [f64],
}

/// What was read.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// Of a counter or a gauge.
    Number(f64),
    /// Of a histogram.
    Buckets {
        /// Upper bounds, ascending.
        bounds: &'static [f64],
        /// How many fell below each bound and above the one before; last, above all.
        counts: Vec<u64>,
        /// All values together.
        sum: f64,
    },
}

/// Something that is counted.
pub trait Metric: Send + Sync {
    /// How it changes.
    fn kind(&self) -> Kind;
    /// Hands each value on, with those labels that its definition leaves open.
    fn read(&self, definition: &Definition, sample: &mut dyn FnMut(&[&str], Value));
    /// Counts on from what another process had counted, if it is a count.
    fn resume(&self, counted: u64) {
        let _ = counted;
    }
    /// In a few words for a line of the log, if anything was counted and one can say it so.
    fn report(&self) -> Option<String> {
        None
    }
}

/// Called with each metric.
pub type Visit<'a> = dyn FnMut(&'static Definition, &dyn Metric) + 'a;

/// Somebody who counts. [`metrics!`](crate::metrics!) makes them.
pub trait Source {
    /// Shows each of its metrics, always the same.
    fn each(&self, visit: &mut Visit<'_>);
}

/// Everything that is counted in a process.
#[derive(Default)]
pub struct Registry {
    sources: Vec<(String, Arc<dyn Source + Send + Sync>)>,
}

/// Every value of one name.
#[derive(Debug)]
pub struct Family {
    /// Its name.
    pub name: &'static str,
    /// What it is.
    pub help: &'static str,
    /// How it changes.
    pub kind: Kind,
    /// Names of its labels.
    pub labels: Vec<&'static str>,
    /// The labels and value of each, sorted by label.
    pub samples: BTreeMap<Vec<String>, Value>,
}

impl Registry {
    /// One more who counts, on this shard if it is one.
    pub fn add(&mut self, shard: &str, source: Arc<impl Source + Send + Sync + 'static>) {
        self.sources.push((shard.to_owned(), source));
    }

    /// Those who count on each shard, in the shards' order.
    pub fn add_shards<S: Source + Send + Sync + 'static>(&mut self, sources: &[Arc<S>]) {
        for (shard, source) in sources.iter().enumerate() {
            self.add(&shard.to_string(), source.clone());
        }
    }

    /// Reads everything. Sorted by name; one without any value yet is left out.
    pub fn collect(&self) -> Vec<Family> {
        let mut families: BTreeMap<&'static str, Family> = BTreeMap::new();
        for (shard, source) in &self.sources {
            source.each(&mut |definition, metric| {
                let family = families
                    .entry(definition.name)
                    .or_insert_with(|| Family::new(definition, metric.kind()));
                metric.read(definition, &mut |open, value| {
                    family.take(definition, shard, open, value);
                });
            });
        }
        let families = families.into_values();
        families
            .filter(|family| !family.samples.is_empty())
            .collect()
    }

    /// Shows how each metric is defined, and its kind; once for each who counts it.
    pub fn definitions(&self) -> Vec<(&'static Definition, Kind)> {
        let mut all = Vec::new();
        for (_, source) in &self.sources {
            source.each(&mut |definition, metric| all.push((definition, metric.kind())));
        }
        all
    }
}

impl std::fmt::Debug for Registry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Registry({} sources)", self.sources.len())
    }
}

impl Family {
    fn new(definition: &Definition, kind: Kind) -> Self {
        let shard = (definition.combination == Combination::PerShard).then_some("shard");
        let labels = definition.labels.iter().map(|label| label.name);
        Family {
            name: definition.name,
            help: definition.help,
            kind,
            labels: labels.chain(shard).collect(),
            samples: BTreeMap::new(),
        }
    }

    /// Takes a value in, whose labels that are not fixed are `open`.
    fn take(&mut self, definition: &Definition, shard: &str, open: &[&str], value: Value) {
        let wanted = definition
            .labels
            .iter()
            .filter(|label| label.fixed.is_none());
        debug_assert_eq!(wanted.count(), open.len(), "labels of {}", self.name);
        let mut open = open.iter();
        let labels = definition.labels.iter();
        let named = labels.map(|label| label.fixed.or_else(|| open.next().copied()));
        let values = named.map(Option::unwrap_or_default);
        let mut values: Vec<String> = values.map(str::to_owned).collect();
        if definition.combination == Combination::PerShard {
            values.push(shard.to_owned());
        }
        let largest = definition.combination == Combination::Max;
        match self.samples.get_mut(&values) {
            Some(before) => before.combine(value, largest),
            None => drop(self.samples.insert(values, value)),
        }
    }
}

impl Value {
    fn combine(&mut self, other: Value, largest: bool) {
        match (self, other) {
            (Value::Number(mine), Value::Number(other)) if largest => *mine = mine.max(other),
            (Value::Number(mine), Value::Number(other)) => *mine += other,
            (
                Value::Buckets { counts, sum, .. },
                Value::Buckets {
                    counts: others,
                    sum: other,
                    ..
                },
            ) => {
                for (mine, other) in counts.iter_mut().zip(others) {
                    *mine += other;
                }
                *sum += other;
            }
            _ => debug_assert!(false, "one name is of two kinds"),
        }
    }
}

/// Name and count of everything that is counted on each shard without further labels, whether anything was or not.
pub fn counters(source: &dyn Source) -> Vec<(&'static str, u64)> {
    let mut all = Vec::new();
    source.each(&mut |definition, metric| {
        if is_plain_counter(definition, metric) {
            metric.read(definition, &mut |_, value| {
                if let Value::Number(count) = value {
                    all.push((definition.name, count as u64));
                }
            });
        }
    });
    all
}

/// Counts on from what [`counters`] gave in another process; `counted` finds it by name.
pub fn resume(source: &dyn Source, counted: impl Fn(&str) -> Option<u64>) {
    source.each(&mut |definition, metric| {
        if is_plain_counter(definition, metric)
            && let Some(counted) = counted(definition.name)
        {
            metric.resume(counted);
        }
    });
}

fn is_plain_counter(definition: &Definition, metric: &dyn Metric) -> bool {
    definition.labels.is_empty()
        && definition.combination == Combination::PerShard
        && metric.kind() == Kind::Counter
}

/// What one shard has counted, for a line of the log: everything that is shown for each shard and is not zero, without
/// the ends of the names that all have.
pub fn report(sources: &[&dyn Source]) -> String {
    let mut words = Vec::new();
    for source in sources {
        source.each(&mut |definition, metric| {
            if definition.combination == Combination::PerShard
                && let Some(value) = metric.report()
            {
                let name = definition.name;
                let name = name.strip_prefix("muster_").unwrap_or(name);
                let name = name.strip_suffix("_total").unwrap_or(name);
                words.push(format!("{name}={value}"));
            }
        });
    }
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::{Counter, Histogram, LabelledCounter, LabelledHistogram, Latency};

    const GOODS: &str = "What was sold, by kind.";

    crate::metrics! {
        /// A shop.
        struct Metrics {
            /// Loaves that were sold,
            /// large and small.
            loaves: Counter = PerShard "muster_loaves_total", Sum "sold_total" { kind = "bread" }: GOODS;
            /// Cakes that were sold.
            cakes: Counter = Sum "sold_total" { kind = "cake" }: GOODS;
            /// Announcements to all shops.
            announced: Counter = Max "announced_total";
            /// Orders, by town.
            orders: LabelledCounter(9) = Sum "orders_total" { town };
            /// Visitors, by shop and how they came.
            visitors: LabelledCounter(9) = Sum "visitors_total" { shop = "old", way };
            /// Weights, by kind.
            weights: LabelledHistogram(9, &[1.0]) = PerShard "weights" { kind };
            /// Sizes of everything.
            sizes: Histogram(&[1.0]) = Sum "sizes";
            /// Time to serve somebody.
            serving: Latency = PerShard "muster_serving_seconds", Sum "server_seconds" [&[1.0]];
        }
    }

    fn two() -> (Registry, [Arc<Metrics>; 2]) {
        let metrics = [(), ()].map(|()| Arc::<Metrics>::default());
        let mut registry = Registry::default();
        registry.add_shards(&metrics);
        (registry, metrics)
    }

    fn lines(registry: &Registry) -> Vec<String> {
        let mut lines = Vec::new();
        for family in registry.collect() {
            for (labels, value) in &family.samples {
                let value = match value {
                    Value::Number(value) => value.to_string(),
                    Value::Buckets { counts, sum, .. } => format!("{counts:?} {sum}"),
                };
                let labels: Vec<String> = family
                    .labels
                    .iter()
                    .zip(labels)
                    .map(|(name, value)| format!("{name}={value}"))
                    .collect();
                lines.push(format!("{} {} {value}", family.name, labels.join(",")));
            }
        }
        lines
    }

    #[test]
    fn what_shards_count_is_put_together_as_defined() {
        let (registry, [one, two]) = two();
        one.loaves.add(2);
        two.loaves.add(3);
        two.cakes.up();
        one.announced.add(7);
        two.announced.add(5);
        one.orders.of(&["Ulm"]).up();
        two.orders.of(&["Ulm"]).up();
        one.visitors.of(&["by bus"]).up();
        one.weights.of(&["a"]).observe(0.5);
        one.sizes.observe(0.5);
        two.sizes.observe(1.5);
        let lines: Vec<String> = lines(&registry)
            .into_iter()
            .filter(|line| !line.contains("seconds"))
            .collect();
        assert_eq!(
            lines,
            [
                "announced_total  7",
                "muster_loaves_total shard=0 2",
                "muster_loaves_total shard=1 3",
                "orders_total town=Ulm 2",
                "sizes  [1, 1] 2",
                "sold_total kind=bread 5",
                "sold_total kind=cake 1",
                "visitors_total shop=old,way=by bus 1",
                "weights kind=a,shard=0 [1, 0] 0.5",
            ]
        );
    }

    #[test]
    fn a_doc_comment_is_the_help_text() {
        let (registry, _) = two();
        let help = |name: &str| {
            let all = registry.definitions();
            all.iter()
                .find(|(definition, _)| definition.name == name)
                .map(|(definition, _)| definition.help)
        };
        assert_eq!(
            help("muster_loaves_total"),
            Some("Loaves that were sold, large and small.")
        );
        assert_eq!(help("sold_total"), Some(GOODS));
    }

    #[test]
    fn a_latency_is_shown_twice_from_one_count() {
        let (registry, [one, two]) = two();
        one.serving.took(Duration::from_millis(3));
        two.serving.took(Duration::from_secs(2));
        let lines = lines(&registry);
        assert!(
            lines.contains(&"server_seconds  [1, 1] 2.003".to_owned()),
            "{lines:?}"
        );
        let shards = lines
            .iter()
            .filter(|line| line.starts_with("muster_serving_seconds shard="));
        assert_eq!(shards.count(), 2);
    }

    #[test]
    fn a_report_has_what_is_not_zero() {
        let metrics = Metrics::default();
        assert_eq!(report(&[&metrics]), "");
        metrics.loaves.add(4);
        metrics.cakes.up();
        metrics.serving.took(Duration::from_nanos(100));
        assert_eq!(
            report(&[&metrics]),
            "loaves=4 serving_seconds=p50:100ns,p99:100ns,p999:100ns,max:100ns"
        );
    }

    #[test]
    fn another_process_counts_on() {
        let (before, after) = (Metrics::default(), Metrics::default());
        before.loaves.add(4);
        let counted = counters(&before);
        assert_eq!(counted, [("muster_loaves_total", 4)]);
        resume(&after, |name| {
            counted
                .iter()
                .find(|(known, _)| *known == name)
                .map(|(_, n)| *n)
        });
        after.loaves.up();
        assert_eq!(after.loaves.value(), 5);
    }
}
