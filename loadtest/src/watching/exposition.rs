//! A run as Prometheus reads it: the text form of metrics, version 0.0.4, written once a second for whoever asks.

use std::fmt::Write as _;
use std::sync::{Arc, Mutex, PoisonError};

use super::Status;
use crate::shared::Phase;
use crate::totals::{BOUNDS_US, Distribution, ERRORS};

/// Counts that have a metric of their own: name of the count, of the metric, and what it is.
const COUNTERS: [(&str, &str, &str); 6] = [
    ("connects", "swarm_connects_total", "Sign-ins begun."),
    ("logins", "swarm_logins_total", "Sign-ins completed."),
    (
        "deliveries",
        "swarm_deliveries_total",
        "What reached somebody it was meant for.",
    ),
    (
        "messages_in",
        "swarm_received_messages_total",
        "Messages received.",
    ),
    ("bytes_in", "swarm_received_bytes_total", "Bytes received."),
    ("bytes_out", "swarm_sent_bytes_total", "Bytes sent."),
];

/// The newest text.
#[derive(Debug)]
pub(crate) struct Exposition {
    text: Mutex<Arc<str>>,
}

impl Default for Exposition {
    /// Nothing has begun.
    fn default() -> Exposition {
        Exposition {
            text: Mutex::new(Arc::from("")),
        }
    }
}

impl Exposition {
    /// Takes another text's place.
    pub(crate) fn publish(&self, text: String) {
        *self.text.lock().unwrap_or_else(PoisonError::into_inner) = text.into();
    }

    /// The newest.
    pub(crate) fn text(&self) -> Arc<str> {
        self.text
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

/// Writes metrics one after the other.
#[derive(Default)]
struct Writer {
    text: String,
}

impl Writer {
    fn family(&mut self, name: &str, kind: &str, help: &str) {
        let _infallible = writeln!(self.text, "# HELP {name} {help}\n# TYPE {name} {kind}");
    }

    /// A line: labels by name, and a value.
    fn sample(&mut self, name: &str, labels: &[(&str, &str)], value: f64) {
        let labels: Vec<String> = labels
            .iter()
            .map(|(name, value)| format!("{name}=\"{}\"", escape(value)))
            .collect();
        let labels = if labels.is_empty() {
            String::new()
        } else {
            format!("{{{}}}", labels.join(","))
        };
        let _infallible = writeln!(self.text, "{name}{labels} {value}");
    }

    fn gauge(&mut self, name: &str, help: &str, value: f64) {
        self.family(name, "gauge", help);
        self.sample(name, &[], value);
    }

    fn counter(&mut self, name: &str, help: &str, value: f64) {
        self.family(name, "counter", help);
        self.sample(name, &[], value);
    }

    /// The buckets of a histogram, each with all before it.
    fn histogram(&mut self, name: &str, latency: &str, all: &Distribution) {
        let mut sum = 0;
        let bounds = BOUNDS_US.map(|us| (us as f64 / 1e6).to_string());
        let bounds = bounds.into_iter().chain(["+Inf".to_owned()]);
        let bucket = format!("{name}_bucket");
        for (count, bound) in all.buckets.iter().zip(bounds) {
            sum += count;
            let labels = [("latency", latency), ("le", &bound)];
            self.sample(&bucket, &labels, sum as f64);
        }
        let labels = [("latency", latency)];
        self.sample(&format!("{name}_sum"), &labels, all.sum_us / 1e6);
        self.sample(&format!("{name}_count"), &labels, sum as f64);
    }
}

/// A label's value in quotation marks.
fn escape(text: &str) -> String {
    let text = text.replace('\\', "\\\\").replace('"', "\\\"");
    text.replace('\n', "\\n")
}

/// All metrics of the run.
pub(super) fn text(status: &Status<'_>) -> String {
    let mut out = Writer::default();
    out.family("swarm_run_info", "gauge", "What runs against what.");
    out.sample("swarm_run_info", &[("run", status.heading)], 1.0);
    write_phase(&mut out, status);
    write_counts(&mut out, status);
    let name = "swarm_latency_seconds";
    out.family(name, "histogram", "From when something was due until who waits for it has it; own_delay and timer_delay are the load tester's own lateness.");
    for (latency, all) in &status.totals.latencies {
        out.histogram(name, latency, all);
    }
    let name = "swarm_thread_cpu_seconds_total";
    out.family(
        name,
        "counter",
        "Time that threads of the load tester were on a processor.",
    );
    for load in status.threads {
        out.sample(name, &[("thread", &load.name)], load.seconds);
    }
    if let Some(seconds) = status.server_cpu_s {
        out.counter(
            "swarm_server_cpu_seconds_total",
            "Time that the server was on a processor since its start.",
            seconds,
        );
    }
    if let Some(bytes) = status.second().and_then(|second| second.server_rss_bytes) {
        out.gauge(
            "swarm_server_resident_memory_bytes",
            "Resident memory of the server.",
            bytes as f64,
        );
    }
    out.text
}

fn write_phase(out: &mut Writer, status: &Status<'_>) {
    let Some(second) = status.second() else {
        return;
    };
    out.family(
        "swarm_phase",
        "gauge",
        "1 for the phase that the run is in.",
    );
    for phase in [Phase::Assemble, Phase::Measure, Phase::Finish, Phase::Stop] {
        let is_now = phase.name() == second.phase;
        out.sample(
            "swarm_phase",
            &[("phase", phase.name())],
            f64::from(u8::from(is_now)),
        );
    }
    let left = status.left.as_secs_f64();
    out.gauge(
        "swarm_phase_left_seconds",
        "How long the phase may still take.",
        left,
    );
    out.gauge(
        "swarm_clients",
        "Clients that there are meant to be.",
        status.clients as f64,
    );
    out.gauge(
        "swarm_clients_connected",
        "Clients connected.",
        second.connected as f64,
    );
}

fn write_counts(out: &mut Writer, status: &Status<'_>) {
    let totals = status.totals;
    for (count, metric, help) in COUNTERS {
        out.counter(metric, help, totals.count(count) as f64);
    }
    let due = totals.latency("own_delay").map_or(0, Distribution::count);
    out.counter(
        "swarm_due_total",
        "Things that were due and done in the measured phase.",
        due as f64,
    );
    out.family("swarm_errors_total", "counter", "What went wrong, by kind.");
    for kind in ERRORS {
        out.sample(
            "swarm_errors_total",
            &[("kind", kind)],
            totals.count(kind) as f64,
        );
    }
    let known =
        |name: &str| ERRORS.contains(&name) || COUNTERS.iter().any(|(count, ..)| *count == name);
    let own: Vec<_> = totals
        .counts
        .iter()
        .filter(|(name, _)| !known(name))
        .collect();
    if !own.is_empty() {
        out.family(
            "swarm_events_total",
            "counter",
            "What only this protocol counts.",
        );
    }
    for (event, count) in own {
        out.sample("swarm_events_total", &[("event", event)], *count as f64);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::Load;
    use super::*;
    use crate::live::Live;
    use crate::metrics::{Common, Recorder};

    #[test]
    fn everything_has_its_lines() {
        let live = Live::new(1, std::iter::empty(), true);
        let mut recorder = Recorder::<Common>::default();
        recorder.common.login_failures = 3;
        for us in [150, 150, 3_000_000] {
            recorder.common.login.saturating_record(us);
        }
        live.publish(0, &mut recorder, Vec::new());
        let series = [live.second(1.0, "measure", 20)];
        let threads = [Load {
            name: "a \"b\\\n".to_owned(),
            seconds: 0.5,
        }];
        let text = text(&Status {
            heading: "swarm",
            left: Duration::from_secs(4),
            length: Duration::from_secs(5),
            clients: 30,
            series: &series,
            totals: &live.totals(),
            errors: &[],
            threads: &threads,
            server_cpu_s: Some(1.5),
        });
        for line in [
            "swarm_phase{phase=\"measure\"} 1",
            "swarm_phase{phase=\"finish\"} 0",
            "swarm_phase_left_seconds 4",
            "swarm_clients 30",
            "swarm_clients_connected 20",
            "swarm_errors_total{kind=\"lost\"} 0",
            "swarm_latency_seconds_bucket{latency=\"login\",le=\"0.0001\"} 0",
            "swarm_latency_seconds_bucket{latency=\"login\",le=\"0.0002\"} 2",
            "swarm_latency_seconds_bucket{latency=\"login\",le=\"+Inf\"} 3",
            "swarm_latency_seconds_count{latency=\"login\"} 3",
            "swarm_thread_cpu_seconds_total{thread=\"a \\\"b\\\\\\n\"} 0.5",
            "swarm_server_cpu_seconds_total 1.5",
        ] {
            assert!(text.lines().any(|known| known == line), "{line} in {text}");
        }
        let mut names: Vec<&str> = text
            .lines()
            .filter_map(|line| line.strip_prefix("# TYPE "))
            .collect();
        let count = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), count, "a family twice: {text}");
        assert!(text.ends_with('\n'));
    }
}
