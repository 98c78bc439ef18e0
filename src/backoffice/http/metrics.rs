//! Everything that is counted, in the text form of Prometheus (spec: faf-lifecycle 15.3).
//!
//! No metric is known by its name here: names, help texts and labels come with what is counted. Whoever counts takes no
//! notice of a scrape.

use std::sync::Arc;

use prometheus::{
    Encoder, TextEncoder,
    proto::{Bucket, Counter, Gauge, Histogram, LabelPair, Metric, MetricFamily, MetricType},
};

use super::{Answer, Site, with_body};
use metrics::{Family, Kind, Registry, Value};

/// The page of metrics.
#[derive(Debug)]
pub struct Metrics(pub Arc<Registry>);

impl Site for Metrics {
    async fn get(&self, _: &str, _: Option<&str>) -> Answer {
        with_body("text/plain; version=0.0.4; charset=utf-8", self.text())
    }
}

impl Metrics {
    /// All of it.
    pub fn text(&self) -> Vec<u8> {
        let families: Vec<MetricFamily> = self.0.collect().iter().map(shown).collect();
        let mut out = Vec::new();
        if let Err(error) = TextEncoder::new().encode(&families, &mut out) {
            tracing::error!(%error, "metrics can't be written");
        }
        out
    }
}

fn shown(family: &Family) -> MetricFamily {
    let mut shown = MetricFamily::default();
    shown.set_name(family.name.to_owned());
    shown.set_help(family.help.to_owned());
    shown.set_field_type(match family.kind {
        Kind::Counter => MetricType::COUNTER,
        Kind::Gauge => MetricType::GAUGE,
        Kind::Histogram => MetricType::HISTOGRAM,
    });
    let samples = family.samples.iter();
    let samples = samples.map(|(labels, value)| sample(family, labels, value));
    shown.set_metric(samples.collect());
    shown
}

fn sample(family: &Family, labels: &[String], value: &Value) -> Metric {
    let pair = |(name, value): (&&str, &String)| {
        let mut pair = LabelPair::default();
        pair.set_name((*name).to_owned());
        pair.set_value(value.clone());
        pair
    };
    let mut metric = Metric::from_label(family.labels.iter().zip(labels).map(pair).collect());
    match value {
        Value::Number(value) if family.kind == Kind::Counter => {
            let mut counter = Counter::default();
            counter.set_value(*value);
            metric.set_counter(counter);
        }
        Value::Number(value) => {
            let mut gauge = Gauge::default();
            gauge.set_value(*value);
            metric.set_gauge(gauge);
        }
        Value::Buckets {
            bounds,
            counts,
            sum,
        } => metric.set_histogram(histogram(bounds, counts, *sum)),
    }
    metric
}

fn histogram(bounds: &[f64], counts: &[u64], sum: f64) -> Histogram {
    let mut below = 0;
    let buckets = bounds.iter().zip(counts).map(|(&bound, count)| {
        below += count;
        let mut bucket = Bucket::default();
        bucket.set_upper_bound(bound);
        bucket.set_cumulative_count(below);
        bucket
    });
    let mut histogram = Histogram::default();
    histogram.set_bucket(buckets.collect());
    histogram.set_sample_count(counts.iter().sum());
    histogram.set_sample_sum(sum);
    histogram
}
