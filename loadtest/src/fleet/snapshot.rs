//! All that was measured as text, and back: histograms as HdrHistogram's V2, so that nothing is lost where they are added.

use std::collections::BTreeMap;

use anyhow::Context as _;
use serde::{Deserialize, Serialize};

use crate::figures;
use crate::metrics::{Metrics, Recorder};

/// Counts and histograms that are not empty.
#[derive(Debug, Default, Clone, Serialize, Deserialize)]
pub(crate) struct Snapshot {
    counts: BTreeMap<String, u64>,
    histograms: BTreeMap<String, String>,
}

impl Snapshot {
    /// What has been recorded so far.
    pub(crate) fn of<M: Metrics>(recorder: &Recorder<M>) -> Snapshot {
        let counts = recorder
            .counts()
            .into_iter()
            .filter(|(_, count)| *count > 0);
        let common = recorder.common.histograms().into_iter();
        let own = recorder.own.histograms();
        let histograms = common.chain(recorder.metrics.histograms()).chain(own);
        let histograms = histograms.filter(|(_, histogram)| !histogram.is_empty());
        let encoded = histograms.filter_map(|(name, histogram)| {
            // Into memory, which does not fail.
            Some((name.to_owned(), figures::encode_fast(histogram).ok()?))
        });
        Snapshot {
            counts: counts
                .map(|(name, count)| (name.to_owned(), count))
                .collect(),
            histograms: encoded.collect(),
        }
    }

    /// Adds it to what others have recorded. An error says what makes no sense; nothing of it counts then.
    pub(crate) fn add_to<M: Metrics>(&self, recorder: &mut Recorder<M>) -> anyhow::Result<()> {
        let mut own = Recorder::<M>::default();
        own.own = recorder.own.emptied();
        for (name, told) in &self.counts {
            let known = own.common.count_mut(name);
            let known = known.or_else(|| own.metrics.count_mut(name));
            let known = known.or_else(|| own.own.count_mut(name));
            *known.with_context(|| format!("no count is called {name:?}"))? = *told;
        }
        for (name, text) in &self.histograms {
            let known = own.common.histogram_mut(name);
            let known = known.or_else(|| own.metrics.histogram_mut(name));
            let known = known.or_else(|| own.own.histogram_mut(name));
            let known = known.with_context(|| format!("no histogram is called {name:?}"))?;
            *known = figures::decode_own(text)?;
        }
        recorder.merge(&own);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use hdrhistogram::Histogram;

    use super::*;
    use crate::metrics::Common;
    use crate::scenario::OwnNames;

    #[test]
    fn what_several_have_measured_adds_up_exactly() {
        let mut all = Recorder::<Common>::default();
        let mut merged = Recorder::<Common>::default();
        for part in 1..4_u64 {
            let mut recorder = Recorder::<Common>::default();
            for step in 0..1_000 {
                let us = step * step * part + 1;
                recorder.common.login.saturating_record(us);
                all.common.login.saturating_record(us);
            }
            recorder.common.login.give_up(part, part);
            all.common.login.give_up(part, part);
            recorder.common.bytes_in = part;
            all.common.bytes_in += part;
            let text = serde_json::to_string(&Snapshot::of(&recorder)).expect("JSON");
            let told: Snapshot = serde_json::from_str(&text).expect("JSON");
            told.add_to(&mut merged).expect("it makes sense");
        }
        assert_eq!(merged.common.login, all.common.login);
        assert_eq!(merged.common.bytes_in, all.common.bytes_in);
    }

    #[test]
    fn what_scripts_measure_adds_up_under_their_names() {
        let names = OwnNames {
            latencies: vec!["echo"],
            counts: vec!["said"],
        };
        let mut merged = Recorder::<Common>::of(&names);
        for _ in 0..2 {
            let mut recorder = Recorder::<Common>::of(&names);
            recorder.own.latency(0).saturating_record(7);
            recorder.own.latency(0).give_up(9, 1);
            recorder.own.count(0);
            let told = Snapshot::of(&recorder);
            told.add_to(&mut merged).expect("it makes sense");
            let other = &mut Recorder::<Common>::default();
            assert!(told.add_to(other).is_err(), "nobody measures that");
        }
        assert_eq!(merged.own.counts(), [("said", 2)]);
        let found = merged.own.latency(0);
        assert_eq!((found.len(), found.open_count()), (4, 2));
    }

    #[test]
    fn nonsense_counts_nothing() {
        let other = Histogram::<u64>::new_with_bounds(1, 1_000, 2).expect("valid");
        let other = figures::encode_fast(&other).expect("it can be written");
        let good = figures::encode_fast(&crate::metrics::histogram()).expect("it can be written");
        for (name, text) in [
            ("login", &other),
            ("nothing", &good),
            ("login", &"!".to_owned()),
        ] {
            let told = Snapshot {
                counts: [("lost".to_owned(), 3)].into(),
                histograms: [(name.to_owned(), text.clone())].into(),
            };
            let mut recorder = Recorder::<Common>::default();
            assert!(told.add_to(&mut recorder).is_err(), "{name}");
            assert_eq!(recorder.common.lost, 0);
        }
    }
}
