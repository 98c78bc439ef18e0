//! How far the clocks of two machines are apart.
//!
//! A worker asks what time it is, and takes the answer to be from the middle of the round trip. It can be wrong by half of that
//! trip at most, whichever way was the slower one; so of several trips the shortest counts, and half of it is the bound.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

/// Trips that an estimate rests on: while a run goes on, those of the last seconds.
pub(super) const TRIPS: usize = 16;

/// How far the lead's clock is ahead of a worker's, and how wrong that can be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Offset {
    pub(super) us: i64,
    pub(super) bound_us: u64,
}

/// The round trips of late.
#[derive(Debug, Default)]
pub(super) struct Trips {
    recent: VecDeque<Offset>,
}

impl Trips {
    /// A question left at `sent_us` and its answer came at `back_us` by the worker's clock; it says what the lead's was.
    pub(super) fn add(&mut self, sent_us: u64, lead_us: u64, back_us: u64) {
        let Some(trip_us) = back_us.checked_sub(sent_us) else {
            return;
        };
        let middle_us = sent_us + trip_us / 2;
        if self.recent.len() == TRIPS {
            self.recent.pop_front();
        }
        self.recent.push_back(Offset {
            us: lead_us
                .cast_signed()
                .saturating_sub(middle_us.cast_signed()),
            // Half a microsecond is lost by each of the clocks.
            bound_us: trip_us.div_ceil(2) + 1,
        });
    }

    /// The offset by the shortest of them.
    pub(super) fn best(&self) -> Option<Offset> {
        self.recent
            .iter()
            .copied()
            .min_by_key(|offset| offset.bound_us)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shortest_trip_counts_and_bounds_the_error() {
        let mut trips = Trips::default();
        assert_eq!(trips.best(), None);
        // The lead is 1,000,000 ahead; ways there and back of different lengths.
        let mut now_us = 500;
        for (there, back) in [(900, 100), (30, 10), (2_000, 40)] {
            trips.add(now_us, now_us + there + 1_000_000, now_us + there + back);
            now_us += 10_000;
        }
        let best = trips.best().expect("three trips");
        assert_eq!(
            best,
            Offset {
                us: 1_000_010,
                bound_us: 21
            }
        );
        assert!(best.us.abs_diff(1_000_000) <= best.bound_us);
    }

    #[test]
    fn old_trips_are_forgotten() {
        let mut trips = Trips::default();
        trips.add(0, 0, 2);
        for number in 1..=TRIPS as u64 {
            trips.add(number * 100, number * 100 + 55, number * 100 + 10);
        }
        assert_eq!(
            trips.best(),
            Some(Offset {
                us: 50,
                bound_us: 6
            })
        );
    }
}
