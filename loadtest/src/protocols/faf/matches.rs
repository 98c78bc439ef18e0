//! Matches of searchers, put together from what each of their players is told: how many there are, and how even they are.
//!
//! Players of one match may be in several processes. Each process keeps what its own players were told until somebody takes it;
//! whoever leads the run puts the parts of all together, by the number that the server has given the game.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use anyhow::ensure;
use serde::{Deserialize, Serialize};

/// Width of a skill that performs by chance, in points of rating. spec: faf-matchmaking 3.5
const BETA: f64 = 240.0;

/// Players of one side, as far as they have told.
#[derive(Debug, Default, Clone, Copy, PartialEq, Serialize, Deserialize)]
struct Side {
    players: usize,
    /// Sum of their ratings' means.
    mean: f64,
    /// Sum of the squares of their ratings' deviations.
    variance: f64,
}

/// What some players of a match were told when it was launched.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Part {
    game: u64,
    /// How many the server says there are in all.
    expected: usize,
    sides: [Side; 2],
}

impl Part {
    /// One player's, of this side (0 or 1) and rating (mean, deviation).
    pub(super) fn of_player(
        game: u64,
        expected: usize,
        side: usize,
        (mean, deviation): (f64, f64),
    ) -> Part {
        let mut sides = [Side::default(); 2];
        sides[side] = Side {
            players: 1,
            mean,
            variance: deviation * deviation,
        };
        Part {
            game,
            expected,
            sides,
        }
    }

    fn players(&self) -> usize {
        self.sides[0].players.saturating_add(self.sides[1].players)
    }

    fn add(&mut self, other: &Part) {
        for (ours, theirs) in self.sides.iter_mut().zip(other.sides) {
            ours.players = ours.players.saturating_add(theirs.players);
            ours.mean += theirs.mean;
            ours.variance += theirs.variance;
        }
    }

    /// TrueSkill quality (spec: faf-matchmaking 3.5), by the ratings as they are shown.
    fn quality(&self) -> f64 {
        let noise = self.players() as f64 * BETA * BETA;
        let all = noise + self.sides[0].variance + self.sides[1].variance;
        let difference = self.sides[0].mean - self.sides[1].mean;
        (noise / all).sqrt() * (-difference * difference / (2.0 * all)).exp()
    }

    /// An error if no player can have told it.
    pub(super) fn check(&self) -> anyhow::Result<()> {
        let players = 1..=self.expected;
        ensure!(
            players.contains(&self.players()),
            "a match that makes no sense"
        );
        Ok(())
    }
}

/// Matches of which not all players were told to start, by their game.
#[derive(Debug, Default)]
pub(super) struct Matches(Mutex<BTreeMap<u64, Part>>);

impl Matches {
    /// More of a match is known. With its last player it is forgotten; gives its quality then.
    pub(super) fn add(&self, told: Part) -> Option<f64> {
        let mut open = self.open();
        let whole = match open.remove(&told.game) {
            Some(mut known) => {
                known.add(&told);
                known
            }
            None => told,
        };
        if whole.players() >= whole.expected {
            return Some(whole.quality());
        }
        open.insert(whole.game, whole);
        None
    }

    /// Takes out what is known of matches whose other players are not here.
    pub(super) fn take(&self) -> Vec<Part> {
        std::mem::take(&mut *self.open()).into_values().collect()
    }

    fn open(&self) -> MutexGuard<'_, BTreeMap<u64, Part>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Players of a match of two against two.
    fn players() -> [Part; 4] {
        [
            (0, (1500.0, 500.0)),
            (1, (900.0, 80.0)),
            (0, (1200.0, 90.0)),
            (1, (1700.0, 60.0)),
        ]
        .map(|(side, rating)| Part::of_player(7, 4, side, rating))
    }

    #[test]
    fn a_match_is_whole_with_its_last_player_wherever_they_are() {
        let alone = Matches::default();
        let told = players().map(|part| alone.add(part));
        assert_eq!(told[..3], [None; 3]);
        let quality = told[3].expect("whole");
        assert!(quality > 0.1 && quality < 1.0, "{quality}");
        assert!(alone.take().is_empty(), "it is forgotten");

        // The same of two processes, one of which has told of a player before it knew of the other.
        let [first, second, third, fourth] = players();
        let (one, other, lead) = <(Matches, Matches, Matches)>::default();
        assert_eq!(one.add(first), None);
        let mut parts = one.take();
        assert_eq!((one.add(second), other.add(third)), (None, None));
        assert_eq!(other.add(fourth), None);
        parts.extend(one.take().into_iter().chain(other.take()));
        let told: Vec<Option<f64>> = parts.into_iter().map(|part| lead.add(part)).collect();
        assert_eq!(told[..2], [None; 2]);
        assert!((told[2].expect("whole") - quality).abs() < 1e-9);
    }

    #[test]
    fn equals_are_a_better_match() {
        let quality = |other| {
            let matches = Matches::default();
            matches.add(Part::of_player(1, 2, 0, (1000.0, 100.0)));
            let whole = matches.add(Part::of_player(1, 2, 1, (other, 100.0)));
            whole.expect("whole")
        };
        assert!(quality(1000.0) > 0.9 && quality(1000.0) <= 1.0);
        assert!(quality(2000.0) < 0.1);
    }

    #[test]
    fn what_nobody_can_have_told_is_no_part() {
        let part = Part::of_player(1, 2, 0, (1000.0, 100.0));
        assert!(part.check().is_ok());
        let nobody = Part {
            sides: [Side::default(); 2],
            ..part.clone()
        };
        let too_many = Part {
            expected: 0,
            ..part
        };
        assert!(nobody.check().is_err() && too_many.check().is_err());
    }
}
