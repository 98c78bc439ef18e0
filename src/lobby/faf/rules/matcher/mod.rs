//! Who plays against whom: from a snapshot of one queue to the matches it makes (spec: faf-matchmaking 3, 6, 7).
//!
//! | file | concept |
//! |---|---|
//! | `rating` | a player's rating as the matchmaker sees it, the quality of a match, what a search accepts |
//! | `duel` | team size 1: a stable matching on the graph of compatible searches |
//! | `teams` | larger teams: one candidate game around each search, the best that don't overlap |
//!
//! Pure functions of their input: no state, no time, no chance. The same snapshot gives the same matches in the same
//! order, bit for bit; `tests/transcription.rs` says the same in the words of the specification and is compared with it.

mod duel;
mod rating;
mod teams;
#[cfg(test)]
mod tests;

pub use rating::{Rating, Side, Tuning, quality};

/// A party, or one player, looking for a match.
#[derive(Clone, Debug, PartialEq)]
pub struct Search {
    /// Its players' ratings, in party order; at least one.
    pub players: Vec<Rating>,
    /// How many times the queue has popped without a match for it.
    pub failed_attempts: u32,
}

/// A queue at the moment it pops.
#[derive(Clone, Debug, PartialEq)]
pub struct Snapshot {
    /// Players in each team.
    pub team_size: u32,
    /// Where most players' displayed ratings are (spec: faf-matchmaking 3.4).
    pub rating_peak: f64,
    /// In queue order.
    pub searches: Vec<Search>,
}

/// A match that should be made: searches by their place in the snapshot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proposal {
    /// The two teams. The first player of the first search of the first team is to host.
    pub teams: [Vec<usize>; 2],
}

/// All matches of one pop, in the order in which they are to be committed.
pub fn find(snapshot: &Snapshot, tuning: &Tuning) -> Vec<Proposal> {
    let players: usize = snapshot.searches.iter().map(|s| s.players.len()).sum();
    if players < 2 * snapshot.team_size as usize {
        return Vec::new();
    }
    if snapshot.team_size == 1 {
        let pair = |(first, second)| Proposal {
            teams: [vec![first], vec![second]],
        };
        let pairs = duel::pairs(&snapshot.searches, tuning);
        pairs.into_iter().map(pair).collect()
    } else {
        teams::games(snapshot, tuning)
    }
}
