//! Teams of more than one: a candidate game around each search, then the best of them that don't overlap
//! (spec: faf-matchmaking 7).
//!
//! Every search's sums are computed once. The participants of a candidate are found by jumping from one search that
//! still fits to the next, so that a queue full of parties that don't fit costs no more than any other; overlap is one
//! look at a bitmap.

use super::{Proposal, Rating, Search, Snapshot, Tuning};

/// Weight of a player in largest differencing, large against any rating: it evens out the numbers of players first.
const PLAYER_WEIGHT: f64 = 5000.0;

/// What a candidate game needs to know of a search.
struct Entry {
    /// Its place in the snapshot.
    search: usize,
    players: usize,
    sum: f64,
    average: f64,
    best: f64,
    time_bonus: f64,
    newbie_bonus: f64,
    minority_bonus: f64,
}

impl Entry {
    fn new(place: usize, search: &Search, snapshot: &Snapshot, tuning: &Tuning) -> Self {
        let players = search.players.len();
        let sum: f64 = search.players.iter().map(Rating::displayed).sum();
        let average = sum / players as f64;
        let failed = f64::from(search.failed_attempts);
        let share = players as f64 / f64::from(snapshot.team_size);
        let newbies = search.newbies(tuning) as f64 / f64::from(snapshot.team_size);
        let distance = (average - snapshot.rating_peak) / tuning.minority_bonus_rating_range;
        Entry {
            search: place,
            players,
            sum,
            average,
            best: search.best_displayed(),
            time_bonus: (tuning.time_bonus * failed * share).min(tuning.maximum_time_bonus * share),
            newbie_bonus: (tuning.newbie_time_bonus * failed * newbies)
                .min(tuning.maximum_newbie_time_bonus * newbies),
            minority_bonus: distance.powf(4.0) * share * tuning.minority_bonus,
        }
    }
}

/// For each number of free places below the largest party: the nearest search that fits, on either side.
struct Fits {
    /// Parties have at most so many players: with so many places free anybody fits.
    largest: usize,
    count: usize,
    /// By free places, then by place in the order: the nearest lower one that fits, plus one; 0: none.
    lower: Vec<u32>,
    /// The same for the nearest higher one; `count`: none.
    higher: Vec<u32>,
}

impl Fits {
    fn new(entries: &[Entry]) -> Self {
        let count = entries.len();
        let largest = entries.iter().map(|e| e.players).max().unwrap_or(0);
        let rows = largest.saturating_sub(1);
        let mut lower = vec![0; rows * count];
        let mut higher = vec![count as u32; rows * count];
        for free in 1..largest {
            let row = (free - 1) * count;
            for at in 1..count {
                lower[row + at] = if entries[at - 1].players <= free {
                    at as u32
                } else {
                    lower[row + at - 1]
                };
            }
            for at in (0..count.saturating_sub(1)).rev() {
                higher[row + at] = if entries[at + 1].players <= free {
                    at as u32 + 1
                } else {
                    higher[row + at + 1]
                };
            }
        }
        Fits {
            largest,
            count,
            lower,
            higher,
        }
    }

    /// The nearest below `at` with at most `free` players.
    fn below(&self, at: usize, free: usize) -> Option<usize> {
        if free >= self.largest {
            return at.checked_sub(1);
        }
        (self.lower[(free - 1) * self.count + at] as usize).checked_sub(1)
    }

    /// The nearest above `at` with at most `free` players.
    fn above(&self, at: usize, free: usize) -> Option<usize> {
        let next = if free >= self.largest {
            at + 1
        } else {
            self.higher[(free - 1) * self.count + at] as usize
        };
        (next < self.count).then_some(next)
    }
}

/// A candidate: teams as places in the sorted order.
struct Candidate {
    teams: [Vec<u32>; 2],
    quality: f64,
}

/// The games to be made, the best first.
pub(super) fn games(snapshot: &Snapshot, tuning: &Tuning) -> Vec<Proposal> {
    let mut entries: Vec<Entry> = snapshot
        .searches
        .iter()
        .enumerate()
        .map(|(place, search)| Entry::new(place, search, snapshot, tuning))
        .collect();
    // Adding zero makes a negative zero equal to the positive one.
    entries.sort_by(|a, b| (a.average + 0.0).total_cmp(&(b.average + 0.0)));

    let mut builder = Builder {
        searches: &snapshot.searches,
        fits: Fits::new(&entries),
        entries: &entries,
        team_size: snapshot.team_size as usize,
        tuning,
        picked: Vec::new(),
        differences: Vec::new(),
    };
    let mut candidates: Vec<Candidate> = (0..entries.len())
        .filter_map(|at| builder.candidate(at))
        .filter(|game| game.quality >= tuning.minimum_game_quality)
        .collect();
    candidates.sort_by(|a, b| a.quality.total_cmp(&b.quality));

    let mut taken = vec![false; entries.len()];
    let mut games = Vec::new();
    for game in candidates.into_iter().rev() {
        let mut all = game.teams.iter().flatten();
        if all.any(|&at| taken[at as usize]) {
            continue;
        }
        let mut place = |at: u32| {
            taken[at as usize] = true;
            entries[at as usize].search
        };
        games.push(Proposal {
            teams: game
                .teams
                .map(|team| team.into_iter().map(&mut place).collect()),
        });
    }
    games
}

/// Builds candidates; its lists are used again for each.
struct Builder<'a> {
    searches: &'a [Search],
    fits: Fits,
    entries: &'a [Entry],
    team_size: usize,
    tuning: &'a Tuning,
    /// Participants in the order they were picked.
    picked: Vec<usize>,
    /// Largest differencing: values in ascending order, each with its participants on either side.
    differences: Vec<Difference>,
}

/// An item of largest differencing: the participants (by place in `picked`) that stay with its larger part, and those
/// that go to the other side.
struct Difference {
    value: f64,
    with: Vec<usize>,
    against: Vec<usize>,
}

impl Builder<'_> {
    fn candidate(&mut self, at: usize) -> Option<Candidate> {
        self.pick(at)?;
        let (team, mut rest) = self.split()?;
        // The first team in its own order, the second in picked order (spec: faf-matchmaking 7.1 b).
        rest.sort_unstable();
        let place = |of: &usize| self.picked[*of] as u32;
        let teams = [
            team.iter().map(place).collect::<Vec<u32>>(),
            rest.iter().map(place).collect(),
        ];
        let complete = |team: &Vec<u32>| {
            let players = team.iter().map(|&at| self.entries[at as usize].players);
            players.sum::<usize>() == self.team_size
        };
        if !teams.iter().all(complete) {
            return None;
        }
        let quality = self.quality(&teams);
        Some(Candidate { teams, quality })
    }

    /// spec: faf-matchmaking 7.1 (a). Both sides are gone through in step, the lower one first; so the next participant is
    /// the nearer of the next that fit, and the lower one if both are equally near.
    fn pick(&mut self, at: usize) -> Option<()> {
        self.picked.clear();
        self.picked.push(at);
        let mut free = (2 * self.team_size).checked_sub(self.entries[at].players)?;
        let (mut lowest, mut highest) = (Some(at), Some(at));
        while free > 0 {
            let below = lowest.and_then(|from| self.fits.below(from, free));
            let above = highest.and_then(|from| self.fits.above(from, free));
            let next = match (below, above) {
                (Some(below), Some(above)) if at - below <= above - at => below,
                (_, Some(above)) => above,
                (Some(below), None) => below,
                (None, None) => return None,
            };
            // Everything nearer than the one taken was passed over on both sides, and never fits again.
            if next < at {
                lowest = Some(next);
            } else {
                highest = Some(next);
            }
            free -= self.entries[next].players;
            self.picked.push(next);
        }
        Some(())
    }

    /// The two teams, as places in `picked` (spec: faf-matchmaking 7.1 b).
    fn split(&mut self) -> Option<(Vec<usize>, Vec<usize>)> {
        let sizes = |size: usize| {
            let entries = self.picked.iter().map(|&at| self.entries[at].players);
            entries.rev().position(|players| players == size)
        };
        let last = self.picked.len() - 1;
        let team = if let Some(from_end) = sizes(self.team_size) {
            vec![last - from_end]
        } else if let Some(from_end) = sizes(self.team_size - 1) {
            let party = last - from_end;
            vec![party, self.filler(party)?]
        } else {
            return Some(self.largest_differencing());
        };
        let rest = (0..self.picked.len()).filter(|of| !team.contains(of));
        let rest = rest.collect();
        Some((team, rest))
    }

    /// The single player who brings a party one short of a team nearest to the average of all.
    fn filler(&self, party: usize) -> Option<usize> {
        let entry = |of: usize| &self.entries[self.picked[of]];
        let average = self.sum(self.picked.iter().copied()) / (2 * self.team_size) as f64;
        let mut best: Option<(usize, f64)> = None;
        for of in (0..self.picked.len()).filter(|&of| of != party && entry(of).players == 1) {
            let filled = (entry(party).sum + entry(of).sum) / (entry(party).players + 1) as f64;
            let off = (average - filled).abs();
            if best.is_none_or(|(_, least)| off < least) {
                best = Some((of, off));
            }
        }
        best.map(|(of, _)| of)
    }

    /// spec: faf-matchmaking 7.2 (Karmarkar and Karp 1982). An item that stands for a difference carries its unfolding
    /// along: who would be on the side of its larger part, and who on the other.
    fn largest_differencing(&mut self) -> (Vec<usize>, Vec<usize>) {
        self.differences.clear();
        for of in 0..self.picked.len() {
            let entry = &self.entries[self.picked[of]];
            let item = Difference {
                value: PLAYER_WEIGHT * entry.players as f64 + entry.sum,
                with: vec![of],
                against: Vec::new(),
            };
            insert(&mut self.differences, item);
        }
        while let (Some(mut big), Some(small)) = (self.differences.pop(), self.differences.pop()) {
            big.value -= small.value;
            big.with.extend(small.against);
            big.against.extend(small.with);
            if self.differences.is_empty() {
                big.with.sort_unstable();
                return (big.with, big.against);
            }
            insert(&mut self.differences, big);
        }
        (vec![0], Vec::new())
    }

    /// Summed displayed ratings, player by player: another order of adding could decide between two equal games.
    fn sum(&self, places: impl Iterator<Item = usize>) -> f64 {
        let searches = places.map(|at| &self.searches[self.entries[at].search]);
        searches
            .flat_map(|search| &search.players)
            .map(Rating::displayed)
            .sum()
    }

    /// spec: faf-matchmaking 7.3.
    fn quality(&self, teams: &[Vec<u32>; 2]) -> f64 {
        let all = || teams.iter().flatten().map(|&at| &self.entries[at as usize]);
        let sum_of = |team: &[u32]| self.sum(team.iter().map(|&at| at as usize));
        let unfairness =
            (sum_of(&teams[0]) - sum_of(&teams[1])).abs() / self.tuning.maximum_rating_imbalance;

        let count = (teams[0].len() + teams[1].len()) as f64;
        let mean = all().map(|entry| entry.average).sum::<f64>() / count;
        let squares = all().map(|entry| (entry.average - mean) * (entry.average - mean));
        let deviation = (squares.sum::<f64>() / count).sqrt();
        let variety = deviation / self.tuning.maximum_rating_deviation;

        let time_bonus: f64 = all().map(|entry| entry.time_bonus).sum();
        let minority_bonus = all()
            .map(|entry| entry.minority_bonus)
            .sum::<f64>()
            .min(1.0);
        let quality = 1.0 - (unfairness * unfairness + variety * variety).sqrt()
            + time_bonus
            + minority_bonus;
        if all().any(|entry| entry.best >= self.tuning.high_rated_min_rating) {
            return quality;
        }
        quality + all().map(|entry| entry.newbie_bonus).sum::<f64>()
    }
}

/// Keeps the items ascending; one that is equal to others goes after them, so that it is taken first.
fn insert(items: &mut Vec<Difference>, item: Difference) {
    let at = items.partition_point(|known| known.value <= item.value);
    items.insert(at, item);
}
