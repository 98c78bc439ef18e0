//! Everything that is counted, in the text form of Prometheus (spec: faf-lifecycle 15.3).
//!
//! The names and labels are the reference's; the engine's own counters follow as `muster_…`, for each shard. All of it
//! is read from what shards publish: atomics, and a snapshot at each tick. No shard takes notice of a scrape.

use std::{
    collections::BTreeMap,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use prometheus::{
    Encoder, TextEncoder,
    proto::{Bucket, Counter, Gauge, Histogram, LabelPair, Metric, MetricFamily, MetricType},
};

use super::{Answer, Site, with_body};
use crate::{broker::Broker, runner, store::Failures};
use engine::{self, HANDLING_BOUNDS_S};
use lobby::faf::{
    iso8601,
    metrics::{self, MetricsBoard, MetricsSnapshot},
};
use lobby::vcmi;
use wire::Format;

/// What the process says of itself.
#[derive(Clone, Debug)]
pub struct Build {
    /// Version of the server.
    pub version: String,
    /// Start, since 1970 UTC.
    pub started: Duration,
    /// The last game number at the start.
    pub game_uid: u32,
}

/// Where all counts are.
pub struct Metrics {
    /// Of the engine, by shard.
    pub engine: Vec<Arc<engine::Counters>>,
    /// Of the dialect, by shard.
    pub boards: Vec<Arc<MetricsBoard>>,
    /// Each shard's counters of the VCMI lobby.
    pub vcmi: Vec<Arc<vcmi::MetricsBoard>>,
    /// Of the queue to the back office.
    pub handler: Arc<runner::Counters>,
    /// Of the database.
    pub failures: Arc<Failures>,
    /// Of the broker.
    pub broker: Arc<Broker>,
    /// About the process.
    pub build: Build,
}

impl Site for Metrics {
    async fn get(&self, _: &str) -> Answer {
        with_body("text/plain; version=0.0.4; charset=utf-8", self.text())
    }
}

impl Metrics {
    /// All of it.
    pub fn text(&self) -> Vec<u8> {
        let snapshots: Vec<Arc<MetricsSnapshot>> =
            self.boards.iter().map(|board| board.read()).collect();
        let mut page = Page::default();
        self.process(&mut page);
        users(&mut page, &snapshots);
        self.traffic(&mut page, &snapshots);
        games(&mut page, &snapshots);
        queues(&mut page, &snapshots);
        self.own(&mut page, &snapshots);
        page.text()
    }

    fn process(&self, page: &mut Page) {
        let build = &self.build;
        let uid = build.game_uid.to_string();
        let started = iso8601(build.started); // 2026-11-24T06:30:00…
        let started = format!("{} {}", &started[5..10], &started[11..16]);
        let labels: &[(&str, &str)] = &[
            ("version", &build.version),
            ("python_version", "none"),
            ("start_time", &started),
            ("game_uid", &uid),
        ];
        page.gauge("build_info", "The running server")
            .value(labels, 1.0);
        let mut failures = page.counter("db_exceptions_total", "Failures of the database");
        for ((class, code), count) in self.failures.list() {
            failures.value(&[("class", &class), ("code", &code)], count as f64);
        }
    }

    fn traffic(&self, page: &mut Page, snapshots: &[Arc<MetricsSnapshot>]) {
        let sum = |of: fn(&engine::Counters) -> &engine::Counter| {
            self.engine.iter().map(|c| of(c).value()).sum::<u64>() as f64
        };
        page.counter("server_lobbyconnections_total", "Accepted connections")
            .value(&[], sum(|c| &c.accepted));
        let mut sent = page.counter("server_messages_total", "Messages written");
        for format in Format::ALL {
            let count: u64 = self
                .engine
                .iter()
                .map(|c| c.sent[format.index()].value())
                .sum();
            sent.value(&[("protocol", protocol(format))], count as f64);
        }
        let mut refused = page.counter(
            "server_messages_unauthenticated_total",
            "Commands refused before login",
        );
        for (command, count) in merged(snapshots, |metrics| &metrics.unauthenticated) {
            refused.value(&[("command", command)], count as f64);
        }
        // Every shard carries out a broadcast for its own clients; the busiest has seen them all.
        let broadcasts = self.engine.iter().map(|c| c.fan_outs.value()).max();
        page.counter("server_broadcasts_total", "Messages to many")
            .value(&[], broadcasts.unwrap_or(0) as f64);
        let mut counts = vec![0; HANDLING_BOUNDS_S.len() + 1];
        for counters in &self.engine {
            for (all, one) in counts.iter_mut().zip(counters.handling.counts()) {
                *all += one;
            }
        }
        let seconds = self.engine.iter().map(|c| c.handling.seconds()).sum();
        page.histogram(
            "server_on_message_received_seconds",
            "Time to handle a message",
        )
        .buckets(&[], HANDLING_BOUNDS_S, &counts, seconds);
    }

    /// What the reference does not have.
    fn own(&self, page: &mut Page, snapshots: &[Arc<MetricsSnapshot>]) {
        let mut names: BTreeMap<String, Vec<(String, u64)>> = BTreeMap::new();
        let shards = self.boards.len();
        let mut add = |name: String, shard: usize, value: u64| {
            // Behind the shards' own comes what is counted before a connection has a shard.
            let label = if shard < shards {
                shard.to_string()
            } else {
                "none".to_owned()
            };
            names.entry(name).or_default().push((label, value));
        };
        for (shard, counters) in self.engine.iter().enumerate() {
            for (name, value) in counters.list() {
                add(format!("muster_{name}_total"), shard, value);
            }
        }
        for (shard, board) in self.vcmi.iter().enumerate() {
            for (name, value) in board.read().list() {
                add(format!("muster_{name}_total"), shard, value);
            }
        }
        for (shard, metrics) in snapshots.iter().enumerate() {
            for (name, value) in metrics.counters.list() {
                add(format!("muster_faf_{name}_total"), shard, value);
            }
        }
        for (name, values) in names {
            let mut family = page.counter(&name, "Counted on each shard");
            for (shard, value) in values {
                family.value(&[("shard", &shard)], value as f64);
            }
        }
        for (name, value) in self.broker.counters().list() {
            page.counter(
                &format!("muster_broker_{name}_total"),
                "Events and the broker",
            )
            .value(&[], value as f64);
        }
        page.gauge("muster_broker_connected", "Whether the broker is there")
            .value(&[], f64::from(u8::from(self.broker.is_connected())));
        page.gauge(
            "muster_broker_backlog",
            "Persistent events that wait for the broker",
        )
        .value(&[], self.broker.backlog() as f64);
        let handler = &self.handler;
        for (name, counter) in [
            ("asked", &handler.asked),
            ("answered", &handler.answered),
            ("refused", &handler.refused),
            ("failed", &handler.failed),
        ] {
            page.counter(
                &format!("muster_backoffice_{name}_total"),
                "Questions to the back office",
            )
            .value(&[], counter.load(Ordering::Relaxed) as f64);
        }
        page.gauge("muster_backoffice_in_flight", "Questions being answered")
            .value(&[], handler.in_flight.load(Ordering::Relaxed) as f64);
    }
}

fn users(page: &mut Page, snapshots: &[Arc<MetricsSnapshot>]) {
    let mut clients: BTreeMap<(&str, &str), u64> = BTreeMap::new();
    for (agent, version, count) in snapshots.iter().flat_map(|metrics| &metrics.clients) {
        *clients.entry((agent, version)).or_default() += count;
    }
    let mut family = page.gauge("server_user_connections", "Connections by client");
    for ((agent, version), count) in clients {
        family.value(&[("user_agent", agent), ("version", version)], count as f64);
    }
    let sum = |of: fn(&MetricsSnapshot) -> u64| {
        snapshots.iter().map(|metrics| of(metrics)).sum::<u64>() as f64
    };
    let mut logins = page.counter("server_user_logins_total", "Logins");
    for (status, method, count) in [
        ("success", "password", sum(|c| c.counters.logins_password)),
        ("success", "token", sum(|c| c.counters.logins_token)),
        ("failure", "password", sum(|c| c.counters.refused_password)),
        ("failure", "token", sum(|c| c.counters.refused_token)),
    ] {
        logins.value(&[("status", status), ("method", method)], count);
    }
    let mut checks = page.counter(
        "server_user_agent_version_checks_total",
        "Connections that named their version",
    );
    for (version, count) in merged(snapshots, |metrics| &metrics.version_checks) {
        checks.value(&[("version", version)], count as f64);
    }
    page.gauge("server_user_online", "Players online")
        .value(&[], sum(|c| c.online));
}

fn games(page: &mut Page, snapshots: &[Arc<MetricsSnapshot>]) {
    type States = Vec<(Box<str>, &'static str, u64)>;
    let by = |of: fn(&MetricsSnapshot) -> &States| {
        let mut all: BTreeMap<(&str, &str), u64> = BTreeMap::new();
        for (label, state, count) in snapshots.iter().flat_map(|metrics| of(metrics)) {
            *all.entry((label, state)).or_default() += count;
        }
        all
    };
    let mut family = page.gauge("server_game_active_games_total", "Games by mod");
    for ((label, state), count) in by(|metrics| &metrics.games_by_mod) {
        family.value(&[("game_mode", label), ("game_state", state)], count as f64);
    }
    let mut family = page.gauge(
        "server_game_active_games_by_rating_type_total",
        "Games by rating type",
    );
    for ((label, state), count) in by(|metrics| &metrics.games_by_rating_type) {
        family.value(
            &[("rating_type", label), ("game_state", state)],
            count as f64,
        );
    }
    let mut family = page.counter("server_game_rated_games_total", "Rated games");
    for (leaderboard, count) in merged(snapshots, |metrics| &metrics.rated_games) {
        family.value(&[("leaderboard", leaderboard)], count as f64);
    }
    let backlog: u64 = snapshots.iter().map(|metrics| metrics.rating_backlog).sum();
    page.gauge(
        "server_rating_service_backlog",
        "Results not written down yet",
    )
    .value(&[], backlog as f64);
}

fn queues(page: &mut Page, snapshots: &[Arc<MetricsSnapshot>]) {
    let queues: Vec<_> = snapshots
        .iter()
        .flat_map(|metrics| &metrics.queues)
        .collect();
    matches(page, &queues);
    shapes(page, &queues);
    levels(page, &queues);
}

fn matches(page: &mut Page, queues: &[&metrics::QueueMeters]) {
    let mut family = page.counter("server_matchmaker_queue_matches_total", "Match launches");
    for queue in queues {
        for (status, count) in queue.matches.iter() {
            family.value(&[("queue", &queue.name), ("status", status)], count as f64);
        }
    }
    let mut family = page.counter(
        "server_matchmaker_queue_searches_matched_total",
        "Matched searches by party size",
    );
    for queue in queues {
        for (size, count) in queue.searches_matched.iter() {
            family.value(
                &[("queue", &queue.name), ("player_size", size)],
                count as f64,
            );
        }
    }
}

fn shapes(page: &mut Page, queues: &[&metrics::QueueMeters]) {
    type Shape = fn(&metrics::QueueMeters) -> &metrics::Histogram;
    let shapes: [(&str, &str, Shape); 3] = [
        (
            "server_matchmaker_queue_quality",
            "Quality of matches",
            |q| &q.quality,
        ),
        (
            "server_matchmaker_matches_imbalance",
            "Difference of the sides' ratings",
            |q| &q.imbalance,
        ),
        (
            "server_matchmaker_matches_rating_variety",
            "Spread of ratings in a match",
            |q| &q.rating_variety,
        ),
    ];
    for (name, help, of) in shapes {
        let mut family = page.histogram(name, help);
        for queue in queues {
            family.shape(&[("queue", &queue.name)], of(queue));
        }
    }
    let mut family = page.histogram(
        "server_matchmaker_queue_search_duration_seconds",
        "Length of searches",
    );
    for queue in queues {
        for (status, shape) in &queue.search_durations {
            family.shape(&[("queue", &queue.name), ("status", status)], shape);
        }
    }
}

fn levels(page: &mut Page, queues: &[&metrics::QueueMeters]) {
    type Level = fn(&metrics::QueueMeters) -> f64;
    let levels: [(&str, &str, Level); 3] = [
        (
            "server_matchmaker_queue_unmatched_searches",
            "Searches left after a pop",
            |q| q.unmatched_searches as f64,
        ),
        ("server_matchmaker_queue_players", "Players at a pop", |q| {
            q.players as f64
        }),
        (
            "server_matchmaker_queue_pop_timer_seconds",
            "Time to the next pop",
            |q| q.pop_timer_s,
        ),
    ];
    for (name, help, of) in levels {
        let mut family = page.gauge(name, help);
        for queue in queues {
            family.value(&[("queue", &queue.name)], of(queue));
        }
    }
    let peaks: BTreeMap<&str, f64> = queues
        .iter()
        .filter_map(|queue| {
            queue
                .rating_peak
                .as_ref()
                .map(|(kind, peak)| (&**kind, *peak))
        })
        .collect();
    let mut family = page.gauge(
        "server_leaderboard_rating_peak",
        "Where most players of a leaderboard are",
    );
    for (kind, peak) in peaks {
        family.value(&[("rating_type", kind)], peak);
    }
}

/// The reference's name of a FAF format's codec (spec: faf-wire 1), and one like it for the others.
fn protocol(format: Format) -> &'static str {
    match format {
        Format::JsonLines => "SimpleJsonProtocol",
        Format::QDataStream => "QDataStreamProtocol",
        Format::WebSocket => "WebSocketProtocol",
        Format::Packets => "VcmiProxyProtocol",
        Format::WebSocketBinary => "WebSocketBinaryProtocol",
        Format::PrefixedBigEndian => "PrefixedBigEndianProtocol",
        Format::PrefixedLittleEndian => "PrefixedLittleEndianProtocol",
    }
}

fn merged(
    snapshots: &[Arc<MetricsSnapshot>],
    of: fn(&MetricsSnapshot) -> &metrics::LabelledCounter,
) -> BTreeMap<&str, u64> {
    let mut all = BTreeMap::new();
    for (label, count) in snapshots.iter().flat_map(|metrics| of(metrics).iter()) {
        *all.entry(label).or_default() += count;
    }
    all
}

/// The page being written.
#[derive(Default)]
struct Page(Vec<MetricFamily>);

impl Page {
    fn family(&mut self, name: &str, help: &str, kind: MetricType) -> Family<'_> {
        let mut family = MetricFamily::default();
        family.set_name(name.to_owned());
        family.set_help(help.to_owned());
        family.set_field_type(kind);
        self.0.push(family);
        let last = self.0.len() - 1;
        Family(&mut self.0[last])
    }

    fn counter(&mut self, name: &str, help: &str) -> Family<'_> {
        self.family(name, help, MetricType::COUNTER)
    }

    fn gauge(&mut self, name: &str, help: &str) -> Family<'_> {
        self.family(name, help, MetricType::GAUGE)
    }

    fn histogram(&mut self, name: &str, help: &str) -> Family<'_> {
        self.family(name, help, MetricType::HISTOGRAM)
    }

    fn text(mut self) -> Vec<u8> {
        self.0.retain(|family| !family.get_metric().is_empty());
        let mut out = Vec::new();
        if let Err(error) = TextEncoder::new().encode(&self.0, &mut out) {
            tracing::error!(%error, "metrics can't be written");
        }
        out
    }
}

/// A metric with all its labels.
struct Family<'a>(&'a mut MetricFamily);

impl Family<'_> {
    fn value(&mut self, labels: &[(&str, &str)], value: f64) {
        let mut metric = labelled(labels);
        if self.0.get_field_type() == MetricType::COUNTER {
            let mut counter = Counter::default();
            counter.set_value(value);
            metric.set_counter(counter);
        } else {
            let mut gauge = Gauge::default();
            gauge.set_value(value);
            metric.set_gauge(gauge);
        }
        self.0.mut_metric().push(metric);
    }

    fn shape(&mut self, labels: &[(&str, &str)], shape: &metrics::Histogram) {
        self.buckets(labels, shape.bounds, &shape.counts, shape.sum);
    }

    fn buckets(&mut self, labels: &[(&str, &str)], bounds: &[f64], counts: &[u64], sum: f64) {
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
        let mut metric = labelled(labels);
        metric.set_histogram(histogram);
        self.0.mut_metric().push(metric);
    }
}

fn labelled(labels: &[(&str, &str)]) -> Metric {
    let pair = |(name, value): &(&str, &str)| {
        let mut pair = LabelPair::default();
        pair.set_name((*name).to_owned());
        pair.set_value((*value).to_owned());
        pair
    };
    Metric::from_label(labels.iter().map(pair).collect())
}
