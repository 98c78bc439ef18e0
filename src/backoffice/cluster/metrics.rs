//! What a node counts of its place among the others, and its figures as metrics.

use cluster::{Dropped, Figures, LaneFigures, Lease, View};
use engine::LetterMetrics;
use metrics::{Gauge, Histogram, LabelledGauge, LabelledSharedCounter, ReadSeconds};

/// Nodes that there may be.
const NODES: usize = View::SLOTS as usize;
/// Leases, and the slot.
const HOLDS: usize = Lease::ALL.len() + 1;
/// From what is usual on one machine to what hurts, in seconds.
const LATENCY_BOUNDS_S: &[f64] = &[
    0.0001, 0.00025, 0.0005, 0.001, 0.002, 0.004, 0.008, 0.016, 0.032, 0.064, 0.125, 0.25, 0.5,
    1.0, 2.0,
];

metrics::metrics! {
    /// What a node counts of its place among the others.
    pub struct Metrics {
        /// Nodes in the newest view that this node was in.
        members: Gauge = Sum "muster_cluster_members";
        /// Number of the newest view that this node was in.
        view: Gauge = Sum "muster_cluster_view";
        /// Whether this node has lost touch with the others, or the database session that holds its place: 1 if it has.
        island: Gauge = Sum "muster_cluster_island";
        /// Time for which this node had lost touch with the others.
        island_seconds: ReadSeconds = Sum "muster_cluster_island_seconds_total";
        /// Whether this node holds something of which a lobby has one: 1 if it does.
        holds: LabelledGauge(HOLDS) = Sum "muster_cluster_holds" { lease };
        /// Bytes said to another node that it has not acknowledged yet.
        unacked_bytes: LabelledGauge(NODES) = Sum "muster_cluster_lane_unacked_bytes" { node };
        /// Times something of another node was missing and asked for again.
        nacks: LabelledSharedCounter(NODES) = Sum "muster_cluster_lane_nacks_total" { node };
        /// Envelopes that were sent to another node again.
        repairs: LabelledSharedCounter(NODES) = Sum "muster_cluster_lane_repairs_total" { node };
        /// Times everything under way to and from another node was given up.
        breaks: LabelledSharedCounter(NODES) = Sum "muster_cluster_lane_breaks_total" { node };
        /// How long this node's beats took to come back over NATS, in seconds.
        latency: Histogram(LATENCY_BOUNDS_S) = Sum "muster_cluster_bus_seconds";
    }
}

/// What was shown last, of what only grows.
#[derive(Debug, Default)]
pub(super) struct Shown {
    lanes: Vec<LaneFigures>,
    dropped: [u64; Dropped::ALL.len()],
}

impl Shown {
    /// Shows these figures.
    pub(super) fn show(&mut self, figures: &Figures, metrics: &Metrics, letters: &LetterMetrics) {
        let flag = |is_so: bool| f64::from(u8::from(is_so));
        metrics.members.set(figures.members as f64);
        metrics.view.set(f64::from(figures.view));
        metrics.island.set(flag(figures.is_island));
        metrics
            .island_seconds
            .set(figures.island_time.as_secs_f64());
        metrics.holds.of(&["slot"]).set(flag(figures.has_slot));
        for lease in Lease::ALL {
            let is_held = figures.held[lease.index()].is_some();
            metrics.holds.of(&[lease.name()]).set(flag(is_held));
        }
        for lane in &figures.lanes {
            self.show_lane(lane, metrics);
        }
        self.lanes.clone_from(&figures.lanes);
        for (place, dropped) in Dropped::ALL.into_iter().enumerate() {
            let more = figures.dropped[place].saturating_sub(self.dropped[place]);
            if more > 0 {
                letters.dropped.of(&[dropped.name()]).add(more);
            }
        }
        self.dropped = figures.dropped;
    }

    fn show_lane(&self, lane: &LaneFigures, metrics: &Metrics) {
        let node = lane.node.to_string();
        let before = self.lanes.iter().find(|before| before.node == lane.node);
        let before = before.copied().unwrap_or_default();
        let unacked = metrics.unacked_bytes.of(&[&node]);
        unacked.set(lane.unacked_bytes as f64);
        let counts = [
            (&metrics.nacks, lane.nacks, before.nacks),
            (&metrics.repairs, lane.repairs, before.repairs),
            (&metrics.breaks, lane.breaks, before.breaks),
        ];
        for (counter, now, before) in counts {
            counter.of(&[&node]).add(now.saturating_sub(before));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_grows_is_counted_once() {
        let (metrics, letters) = (Metrics::default(), LetterMetrics::default());
        let mut shown = Shown::default();
        let mut figures = Figures {
            members: 2,
            lanes: vec![LaneFigures {
                node: 7,
                nacks: 3,
                ..LaneFigures::default()
            }],
            ..Figures::default()
        };
        figures.dropped[0] = 2;
        figures.held[Lease::Single.index()] = Some(9);
        for _ in 0..2 {
            shown.show(&figures, &metrics, &letters);
        }
        assert_eq!(metrics.nacks.of(&["7"]).value(), 3);
        assert_eq!(letters.dropped.of(&["malformed"]).value(), 2);
        figures.lanes[0].nacks = 4;
        shown.show(&figures, &metrics, &letters);
        assert_eq!(metrics.nacks.of(&["7"]).value(), 4);
        assert_eq!(metrics.holds.of(&["single"]).value(), 1.0);
        assert_eq!(metrics.holds.of(&["lead"]).value(), 0.0);
    }
}
