//! What is counted about queues, searches and matches (spec: faf-lifecycle 15.3).

use std::time::Duration;

use crate::faf::{
    context::Context,
    coordinator::{Coordinator, queues::Search},
    mail::coordinator::{Failure, MatchOutcome},
    metrics::Metrics,
    model::pools::QueueSetup,
    rules::matcher::{Rating, Side, Tuning, quality},
};

/// The statuses of searches that have ended.
const MATCHED: &str = "successful";
const CANCELLED: &str = "cancelled";
/// The reference's third, which does not happen here; dashboards expect it.
const ERRORED: &str = "errored";

impl Metrics {
    /// A queue was loaded: from now on it is shown, even if nothing happens in it.
    pub(super) fn queue_loaded(&self, setup: &QueueSetup) {
        let queue = &*setup.name;
        self.rating_peak
            .of(&[&setup.rating_type])
            .set(setup.rating_peak);
        for gauge in [
            &self.queue_players,
            &self.pop_timer_s,
            &self.unmatched_searches,
        ] {
            gauge.of(&[queue]);
        }
        for histogram in [&self.quality, &self.imbalance, &self.rating_variety] {
            histogram.of(&[queue]);
        }
        for status in [MATCHED, CANCELLED, ERRORED] {
            self.search_durations.of(&[queue, status]);
        }
    }

    /// A queue is another coordinator's now.
    pub(super) fn queue_gone(&self, queue: &str) {
        for gauge in [&self.queue_players, &self.unmatched_searches] {
            gauge.of(&[queue]).set(0.0);
        }
    }

    /// A queue pops with so many players, and will again after this time.
    pub(super) fn queue_popped(&self, queue: &str, players: usize, wait: Duration) {
        self.queue_players.of(&[queue]).set(players as f64);
        self.pop_timer_s.of(&[queue]).set(wait.as_secs_f64());
    }

    /// A search has ended without a match.
    pub(super) fn search_cancelled(&self, queue: &str, search: &Search, now: Duration) {
        self.search_ended(queue, CANCELLED, search, now);
    }

    /// A match was made of these searches.
    pub(super) fn match_made(
        &self,
        queue: &str,
        teams: &[Vec<Search>; 2],
        tuning: &Tuning,
        now: Duration,
    ) {
        for search in teams.iter().flatten() {
            let size = search.members.len().to_string();
            self.searches_matched.of(&[queue, &size]).up();
            self.search_ended(queue, MATCHED, search, now);
        }
        let [one, other] = [0, 1].map(|team: usize| {
            let ratings = ratings(&teams[team]);
            Side::of(ratings.map(|rating| rating.matching(tuning)))
        });
        self.quality.of(&[queue]).observe(quality(one, other));
        let [one, other] = [0, 1].map(|team: usize| {
            let shown = ratings(&teams[team]).map(|rating| rating.displayed());
            shown.collect::<Vec<f64>>()
        });
        let difference = one.iter().sum::<f64>() - other.iter().sum::<f64>();
        self.imbalance.of(&[queue]).observe(difference.abs());
        let all = || one.iter().chain(&other).copied();
        let spread = all().fold(f64::MIN, f64::max) - all().fold(f64::MAX, f64::min);
        self.rating_variety.of(&[queue]).observe(spread);
    }

    /// How a match went.
    pub(super) fn match_ended(&self, queue: &str, outcome: &MatchOutcome) {
        let status = match outcome {
            MatchOutcome::Launched => "successful",
            MatchOutcome::Failed { failure, .. } => match failure {
                Failure::TimedOut => "timed out",
                Failure::Aborted => "aborted by player",
                Failure::Errored => "errored",
            },
        };
        self.matches.of(&[queue, status]).up();
    }

    fn search_ended(&self, queue: &str, status: &str, search: &Search, now: Duration) {
        let took = now.saturating_sub(search.since).as_secs_f64();
        self.search_durations.of(&[queue, status]).observe(took);
    }
}

impl Coordinator {
    /// Shows how many search in each queue now.
    pub(in crate::faf) fn show_searching(&self, metrics: &Metrics) {
        let queues = self.matchmaker.queues.iter();
        let searching = queues.map(|queue| ([&*queue.setup.name], queue.players as f64));
        metrics.searching.replace(&searching.collect::<Vec<_>>());
    }

    /// So many searches are left after a pop.
    pub(in crate::faf) fn count_unmatched(&mut self, cx: &Context<'_>, id: u32) {
        if let Some(queue) = self.matchmaker.queue(id) {
            let left = cx.metrics.unmatched_searches.of(&[&queue.setup.name]);
            left.set(queue.searches.len() as f64);
        }
    }
}

fn ratings(team: &[Search]) -> impl Iterator<Item = Rating> + '_ {
    let members = team.iter().flat_map(|search| &search.members);
    members.map(|member| member.profile.rating)
}
