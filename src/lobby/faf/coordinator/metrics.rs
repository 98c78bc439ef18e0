//! What is counted about queues, searches and matches (spec: faf-lifecycle 15.3).

use std::time::Duration;

use crate::faf::{
    context::Context,
    coordinator::{Coordinator, queues::Search},
    mail::coordinator::{Failure, MatchOutcome},
    metrics::QueueMeters,
    model::pools::QueueSetup,
    rules::matcher::{Rating, Side, Tuning, quality},
};

/// The statuses of searches that have ended.
const MATCHED: &str = "successful";
const CANCELLED: &str = "cancelled";

fn meters_of<'a>(all: &'a mut Vec<QueueMeters>, queue: &str) -> &'a mut QueueMeters {
    let at = all
        .iter()
        .position(|metrics_collector| *metrics_collector.name == *queue);
    let at = at.unwrap_or_else(|| {
        all.push(QueueMeters::new(queue));
        all.len() - 1
    });
    &mut all[at]
}

fn observe_duration(
    metrics_collector: &mut QueueMeters,
    status: &str,
    search: &Search,
    now: Duration,
) {
    let durations = metrics_collector.search_durations.iter_mut();
    for (_, histogram) in durations.filter(|(known, _)| *known == status) {
        histogram.observe(now.saturating_sub(search.since).as_secs_f64());
    }
}

fn ratings(team: &[Search]) -> impl Iterator<Item = Rating> + '_ {
    let members = team.iter().flat_map(|search| &search.members);
    members.map(|member| member.profile.rating)
}

impl Coordinator {
    /// A queue was loaded.
    pub(in crate::faf) fn meter_setup(&mut self, cx: &mut Context<'_>, setup: &QueueSetup) {
        let metrics_collector = meters_of(&mut cx.metrics.queues, &setup.name);
        metrics_collector.rating_peak = Some((setup.rating_type.clone(), setup.rating_peak));
    }

    /// A queue pops with so many players, and will again after this time.
    pub(in crate::faf) fn meter_pop(
        &mut self,
        cx: &mut Context<'_>,
        queue: &str,
        players: usize,
        wait: Duration,
    ) {
        let metrics_collector = meters_of(&mut cx.metrics.queues, queue);
        metrics_collector.players = players as u64;
        metrics_collector.pop_timer_s = wait.as_secs_f64();
    }

    /// So many searches are left after a pop.
    pub(in crate::faf) fn meter_unmatched(&mut self, cx: &mut Context<'_>, id: u32) {
        if let Some(queue) = self.matchmaker.queue(id) {
            let metrics_collector = meters_of(&mut cx.metrics.queues, &queue.setup.name);
            metrics_collector.unmatched_searches = queue.searches.len() as u64;
        }
    }

    /// A search has ended without a match.
    pub(in crate::faf) fn meter_cancelled(
        &mut self,
        cx: &mut Context<'_>,
        queue: &str,
        search: &Search,
        now: Duration,
    ) {
        let metrics_collector = meters_of(&mut cx.metrics.queues, queue);
        observe_duration(metrics_collector, CANCELLED, search, now);
    }

    /// A match was made of these searches.
    pub(in crate::faf) fn meter_match(
        &mut self,
        cx: &mut Context<'_>,
        queue: &str,
        teams: &[Vec<Search>; 2],
        now: Duration,
    ) {
        let tuning: &Tuning = &cx.settings.matchmaking.tuning;
        let metrics_collector = meters_of(&mut cx.metrics.queues, queue);
        for search in teams.iter().flatten() {
            metrics_collector
                .searches_matched
                .up(&search.members.len().to_string());
            observe_duration(metrics_collector, MATCHED, search, now);
        }
        let [one, other] = [0, 1].map(|team: usize| {
            let ratings = ratings(&teams[team]);
            Side::of(ratings.map(|rating| rating.matching(tuning)))
        });
        metrics_collector.quality.observe(quality(one, other));
        let [one, other] = [0, 1].map(|team: usize| {
            let shown = ratings(&teams[team]).map(|rating| rating.displayed());
            shown.collect::<Vec<f64>>()
        });
        let difference = one.iter().sum::<f64>() - other.iter().sum::<f64>();
        metrics_collector.imbalance.observe(difference.abs());
        let all = || one.iter().chain(&other).copied();
        let spread = all().fold(f64::MIN, f64::max) - all().fold(f64::MAX, f64::min);
        metrics_collector.rating_variety.observe(spread);
    }

    /// How a match went.
    pub(in crate::faf) fn meter_outcome(
        &mut self,
        cx: &mut Context<'_>,
        queue: &str,
        outcome: &MatchOutcome,
    ) {
        let status = match outcome {
            MatchOutcome::Launched => "successful",
            MatchOutcome::Failed { failure, .. } => match failure {
                Failure::TimedOut => "timed out",
                Failure::Aborted => "aborted by player",
                Failure::Errored => "errored",
            },
        };
        let metrics_collector = meters_of(&mut cx.metrics.queues, queue);
        metrics_collector.matches.up(status);
    }
}
