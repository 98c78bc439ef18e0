//! What one pop of a matchmaking queue costs, compared with the specification followed to the letter.
//!
//! `cargo bench --bench matcher`. Queues of 1,000 and 10,000: single players for 1v1, parties of one to four for 4v4,
//! ratings spread like those of a real ladder. The transcription is measured at 1,000 only.

#![allow(missing_docs, reason = "criterion_group makes a public function")]

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use muster::lobby::faf::matcher::{Proposal, Rating, Search, Snapshot, Tuning, find};
use rand::{RngExt, SeedableRng, rngs::SmallRng};

#[path = "../src/lobby/faf/rules/matcher/tests/transcription.rs"]
mod transcription;

/// A queue with this many players.
fn queue(team_size: u32, players: usize) -> Snapshot {
    let mut rng = SmallRng::seed_from_u64(7);
    let mut searches = Vec::new();
    let mut left = players;
    while left > 0 {
        let size = rng.random_range(1..=team_size as usize).min(left);
        left -= size;
        let mut rating = || Rating {
            // The sum of four uniform numbers is near enough to a bell.
            mean: (0..4).map(|_| rng.random_range(0.0..600.0)).sum(),
            deviation: rng.random_range(60.0..200.0),
            games: rng.random_range(0..300),
        };
        let players = (0..size).map(|_| rating()).collect();
        searches.push(Search {
            players,
            failed_attempts: rng.random_range(0..6),
        });
    }
    Snapshot {
        team_size,
        rating_peak: 1000.0,
        searches,
    }
}

fn pops(c: &mut Criterion) {
    let tuning = Tuning::default();
    for team_size in [1, 4] {
        let mut group = c.benchmark_group(format!("{team_size}v{team_size}"));
        for players in [1_000, 10_000] {
            let queue = queue(team_size, players);
            let found: Vec<Proposal> = find(&queue, &tuning);
            let matched: usize = found
                .iter()
                .flat_map(|game| &game.teams)
                .map(Vec::len)
                .sum();
            println!(
                "{players} players in {} searches: {} matches of {matched} searches",
                queue.searches.len(),
                found.len()
            );
            group.bench_function(format!("{players}"), |b| {
                b.iter(|| black_box(find(black_box(&queue), &tuning)))
            });
            if players == 1_000 {
                assert_eq!(found, transcription::find(&queue, &tuning));
                group.sample_size(10);
                group.bench_function("1000 to the letter", |b| {
                    b.iter(|| black_box(transcription::find(black_box(&queue), &tuning)))
                });
            }
        }
        group.finish();
    }
}

criterion_group!(benches, pops);
criterion_main!(benches);
