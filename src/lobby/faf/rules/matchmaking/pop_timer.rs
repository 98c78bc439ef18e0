//! When a queue pops: the more players search, the sooner (spec: faf-matchmaking 5).

use serde::{Deserialize, Serialize};

use std::{collections::VecDeque, time::Duration};

settings::settings! {
    /// Rules about the waiting time (spec: faf-lifecycle 16, `QUEUE_POP_*`).
    #[derive(Clone, Debug, PartialEq)]
    pub struct PopRules {
        /// The longest wait between two pops of a queue. The first is half of it.
        longest: Duration = "matchmaking.pop_longest_s", decimal(1, 86_400), "90", unit("s"), live;
        /// The shortest wait between two pops of a queue.
        shortest: Duration = "matchmaking.pop_shortest_s", decimal(0, 86_400), "15", unit("s"), live;
        /// How many matches a pop should give: the more players search, the sooner a queue pops.
        desired_matches: f64 = "matchmaking.pop_desired_matches", decimal(0, 1000), "2.5", unit("matches"), live;
        /// Over how many pops the number of players is averaged.
        moving_average: usize = "matchmaking.pop_moving_average", number(1, 1000), "5", unit("pops"), live;
    }
}

/// One queue's waiting times.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(in crate::faf) struct PopTimer {
    /// What was planned when the present wait began.
    planned: Duration,
    /// Players in the queue and planned waits at the last pops, newest last.
    past: VecDeque<(usize, Duration)>,
}

impl PopTimer {
    /// Of a new queue.
    pub(in crate::faf) fn new(rules: &PopRules) -> Self {
        PopTimer {
            planned: rules.longest / 2,
            past: VecDeque::new(),
        }
    }

    /// The wait that goes on now.
    pub(in crate::faf) fn planned(&self) -> Duration {
        self.planned
    }

    /// The queue pops with so many players in it: the next wait.
    pub(in crate::faf) fn pop(
        &mut self,
        players: usize,
        team_size: u32,
        rules: &PopRules,
    ) -> Duration {
        self.past.push_back((players, self.planned));
        while self.past.len() > rules.moving_average.max(1) {
            self.past.pop_front();
        }
        let amounts: usize = self.past.iter().map(|(players, _)| players).sum();
        let times: f64 = self.past.iter().map(|(_, wait)| wait.as_secs_f64()).sum();
        self.planned = if amounts == 0 {
            rules.longest
        } else {
            let wanted = rules.desired_matches * 2.0 * f64::from(team_size);
            let wait = wanted * times / amounts as f64;
            // First down to the longest, so that a shortest above it still holds.
            let wait = wait.min(rules.longest.as_secs_f64());
            Duration::from_secs_f64(wait.max(rules.shortest.as_secs_f64()))
        };
        self.planned
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(wait: Duration) -> f64 {
        wait.as_secs_f64()
    }

    // checklist: faf 345, 347
    #[test]
    fn first_half_the_longest_wait_then_the_longest_while_nobody_comes() {
        let rules = PopRules::default();
        let mut timer = PopTimer::new(&rules);
        assert_eq!(seconds(timer.planned()), 45.0);
        for _ in 0..3 {
            assert_eq!(seconds(timer.pop(0, 1, &rules)), 90.0);
        }
    }

    // checklist: faf 346, 348
    #[test]
    fn the_wait_aims_at_the_desired_number_of_matches() {
        let rules = PopRules::default();
        let mut timer = PopTimer::new(&rules);
        assert_eq!(seconds(timer.pop(10, 1, &rules)), 5.0 * 45.0 / 10.0);
        let next = 5.0 * (45.0 + 22.5) / 20.0;
        assert_eq!(seconds(timer.pop(10, 1, &rules)), next);
        assert_eq!(seconds(timer.pop(1000, 1, &rules)), 15.0);
        // Five pops back the first one is forgotten: 22.5 + 16.875 + 15 + 15 + 15 s for 10 + 1000 + 3.
        timer.pop(1, 1, &rules);
        timer.pop(1, 1, &rules);
        assert_eq!(timer.past.len(), 5);
        assert_eq!(timer.past.front().map(|(players, _)| *players), Some(10));
        let mut lonely = PopTimer::new(&rules);
        assert_eq!(seconds(lonely.pop(1, 4, &rules)), 90.0);
    }
}
