//! What is counted, at one moment, found by name: for whoever says how the server is.

use std::{
    collections::BTreeMap,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use metrics::{Family, Registry, Value};
use tokio::time::Instant;

/// Everything that was counted by then.
#[derive(Debug)]
pub(super) struct Figures {
    pub(super) at: Instant,
    pub(super) unix: Duration,
    families: BTreeMap<&'static str, Family>,
}

/// How many took how long, by upper bounds in seconds; the last count is of what is above all.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Durations {
    pub(super) bounds_s: &'static [f64],
    pub(super) counts: Vec<u64>,
}

impl Figures {
    /// Reads everything.
    pub(super) fn of(registry: &Registry) -> Figures {
        let families = registry.collect().into_iter();
        Figures {
            at: Instant::now(),
            unix: SystemTime::now()
                .duration_since(UNIX_EPOCH)
                .unwrap_or_default(),
            families: families.map(|family| (family.name, family)).collect(),
        }
    }

    /// All numbers of a name together; 0, if there are none.
    pub(super) fn sum(&self, name: &str) -> f64 {
        // From a zero on: the sum of no floats at all is one below zero.
        self.numbers(name)
            .fold(0.0, |sum, (_, number)| sum + number)
    }

    /// The same as a count.
    pub(super) fn whole(&self, name: &str) -> u64 {
        self.sum(name) as u64
    }

    /// How many are connected.
    pub(super) fn connections(&self) -> u64 {
        let accepted = self.whole("muster_accepted_total");
        accepted.saturating_sub(self.whole("muster_ended_total"))
    }

    /// Whether something that is 1 or 0 is 1.
    pub(super) fn is_on(&self, name: &str) -> bool {
        self.sum(name) > 0.0
    }

    /// The numbers of a name by what these labels are, in their order.
    pub(super) fn by<const N: usize>(
        &self,
        name: &str,
        labels: [&str; N],
    ) -> BTreeMap<[&str; N], f64> {
        let mut all = BTreeMap::new();
        let Some(family) = self.families.get(name) else {
            return all;
        };
        let place = |label| family.labels.iter().position(|known| *known == label);
        let places = labels.map(place);
        for (values, number) in self.numbers(name) {
            let value = |place: Option<usize>| place.and_then(|place| values.get(place));
            let key = places.map(|place| value(place).map_or("", String::as_str));
            *all.entry(key).or_default() += number;
        }
        all
    }

    /// The durations of a name on each shard.
    pub(super) fn durations(&self, name: &str) -> BTreeMap<&str, Durations> {
        let family = self.families.get(name).into_iter();
        let samples = family.flat_map(|family| &family.samples);
        let durations = samples.filter_map(|(labels, value)| match value {
            Value::Buckets { bounds, counts, .. } => {
                let bounds_s = *bounds;
                let counts = counts.clone();
                Some((labels.last()?.as_str(), Durations { bounds_s, counts }))
            }
            Value::Number(_) => None,
        });
        durations.collect()
    }

    fn numbers(&self, name: &str) -> impl Iterator<Item = (&Vec<String>, f64)> {
        let family = self.families.get(name).into_iter();
        let samples = family.flat_map(|family| &family.samples);
        samples.filter_map(|(labels, value)| match value {
            Value::Number(number) => Some((labels, *number)),
            Value::Buckets { .. } => None,
        })
    }
}

impl Durations {
    /// Those that have come since `before`.
    pub(super) fn since(&self, before: &Durations) -> Durations {
        let before = before.counts.iter().copied().chain(std::iter::repeat(0));
        let counts = self.counts.iter().zip(before);
        Durations {
            bounds_s: self.bounds_s,
            counts: counts
                .map(|(now, before)| now.saturating_sub(before))
                .collect(),
        }
    }

    /// Takes others in, of the same bounds.
    pub(super) fn add(&mut self, others: &Durations) {
        if self.counts.is_empty() {
            return self.clone_from(others);
        }
        for (count, other) in self.counts.iter_mut().zip(&others.counts) {
            *count += other;
        }
    }

    /// How long so great a part of them took at the most, in seconds, as far as the bounds tell; none, if there are none.
    pub(super) fn quantile(&self, part: f64) -> Option<f64> {
        let all: u64 = self.counts.iter().sum();
        let rank = (part * all as f64).ceil().max(1.0) as u64;
        let mut below = 0;
        let place = self.counts.iter().position(|count| {
            below += count;
            *count > 0 && below >= rank
        })?;
        let longest = self.bounds_s.last().copied();
        self.bounds_s.get(place).copied().or(longest)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use metrics::{Counter, LabelledGauge, Latency};

    use super::*;

    metrics::metrics! {
        /// A shop.
        struct Shop {
            /// Loaves that were sold since the start.
            loaves: Counter = PerShard "loaves_total";
            /// Goods on the shelves by kind and town.
            goods: LabelledGauge(9) = Sum "goods" { kind, town };
            /// How long customers have waited.
            waiting: Latency = PerShard "waiting_seconds";
        }
    }

    #[test]
    fn figures_are_found_by_name_and_label() {
        let shops = [Arc::<Shop>::default(), Arc::default()];
        let mut registry = Registry::default();
        registry.add_shards(&shops);
        shops[0].loaves.add(2);
        shops[1].loaves.add(3);
        shops[0].goods.of(&["bread", "Ulm"]).set(1.0);
        shops[0].goods.of(&["bread", "Bonn"]).set(2.0);
        shops[0].goods.of(&["cake", "Ulm"]).set(4.0);
        let figures = Figures::of(&registry);
        assert_eq!(figures.whole("loaves_total"), 5);
        assert_eq!(
            (figures.sum("nothing"), figures.is_on("goods")),
            (0.0, true)
        );
        let by_shard = figures.by("loaves_total", ["shard"]);
        assert_eq!(by_shard, BTreeMap::from([(["0"], 2.0), (["1"], 3.0)]));
        let by_town = figures.by("goods", ["town"]);
        assert_eq!(by_town, BTreeMap::from([(["Bonn"], 2.0), (["Ulm"], 5.0)]));
        assert!(figures.by("nothing", ["town"]).is_empty());
    }

    #[test]
    fn durations_since_a_moment_have_quantiles() {
        let shops = [Arc::<Shop>::default()];
        let mut registry = Registry::default();
        registry.add_shards(&shops);
        shops[0].waiting.took(Duration::from_secs(50));
        let before = Figures::of(&registry).durations("waiting_seconds")["0"].clone();
        for _ in 0..98 {
            shops[0].waiting.took(Duration::from_micros(90));
        }
        shops[0].waiting.took(Duration::from_millis(4));
        shops[0].waiting.took(Duration::from_secs(100));
        let figures = Figures::of(&registry);
        let new = figures.durations("waiting_seconds")["0"].since(&before);
        assert_eq!(new.counts.iter().sum::<u64>(), 100);
        let quantiles = [0.0, 0.5, 0.99, 1.0].map(|part| new.quantile(part));
        assert_eq!(quantiles, [Some(1e-4), Some(1e-4), Some(5e-3), Some(60.0)]);
        assert_eq!(before.since(&before).quantile(0.5), None);
        let mut both = Durations::default();
        both.add(&new);
        both.add(&before);
        assert_eq!(both.counts.iter().sum::<u64>(), 101);
    }
}
