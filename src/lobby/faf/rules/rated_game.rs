//! What a valid game does to ratings: in its own leaderboard, and upwards in the global one (spec:
//! faf-ratings-results 8). Pure; the back office reads the stored ratings and writes the changes.

use serde::{Deserialize, Serialize};

use crate::faf::{
    model::{
        ratings::{GLOBAL, Rating},
        reference::{Reference, Standing},
    },
    rules::{
        results::{Rules, TeamOutcome},
        trueskill::{self, Verdict},
    },
};

/// A game of two teams with a result.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RatedGame {
    /// Uid of the game (`game_stats.id`).
    pub uid: u32,
    /// Technical name of the leaderboard that the game is rated in.
    pub rating_type: Box<str>,
    /// Who played.
    pub teams: [Vec<u32>; 2],
    /// What became of them.
    pub outcomes: [TeamOutcome; 2],
    /// How the operator wants it done.
    pub rules: Rules,
}

/// One player's rating in one leaderboard, before and after.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RatingChange {
    /// Uid of the game (`game_stats.id`).
    pub game_id: u32,
    /// Account id of the player (`login.id`).
    pub player_id: u32,
    /// Technical name of the leaderboard.
    pub rating_type: Box<str>,
    /// The rating before the game.
    pub old: Rating,
    /// The rating after it.
    pub new: Rating,
    /// Of their team.
    pub outcome: TeamOutcome,
}

impl RatedGame {
    /// Everybody, team by team.
    pub fn players(&self) -> impl Iterator<Item = (u32, TeamOutcome)> {
        let of = |side: usize| {
            self.teams[side]
                .iter()
                .map(move |&id| (id, self.outcomes[side]))
        };
        of(0).chain(of(1))
    }

    fn verdict(&self) -> Option<Verdict> {
        use TeamOutcome::{Defeat, Draw, Victory};
        match self.outcomes {
            [Victory, Defeat] => Some(Verdict::Win),
            [Defeat, Victory] => Some(Verdict::Loss),
            [Draw, Draw] => Some(Verdict::Draw),
            _ => None,
        }
    }

    /// The changes: those of the game's own leaderboard for everybody, then those of the global one. `None` if the game
    /// can't be rated: an unknown leaderboard, outcomes that don't fit, ratings beyond numbers.
    pub fn rate(
        &self,
        reference: &Reference,
        stored: impl Fn(u32, &str) -> Option<Rating>,
    ) -> Option<[Vec<RatingChange>; 2]> {
        reference.leaderboard(&self.rating_type)?;
        let verdict = self.verdict()?;
        let standing = |id: u32, board: &str| -> Standing {
            reference.standing(board, self.rules.start, |name| stored(id, name))
        };
        let old = [0, 1].map(|side| -> Vec<Rating> {
            let ids = self.teams[side].iter();
            ids.map(|&id| standing(id, &self.rating_type).rating)
                .collect()
        });
        let new = trueskill::rate([&old[0], &old[1]], verdict)?;
        let adjusts = &*self.rating_type != GLOBAL && reference.leaderboard(GLOBAL).is_some();
        let mut changes = [Vec::new(), Vec::new()];
        for (side, place) in (0..2).flat_map(|s| (0..self.teams[s].len()).map(move |p| (s, p))) {
            let change = |board: &str, old: Rating, new: Rating| RatingChange {
                game_id: self.uid,
                player_id: self.teams[side][place],
                rating_type: board.into(),
                old,
                new,
                outcome: self.outcomes[side],
            };
            let own = old[side][place];
            changes[0].push(change(&self.rating_type, own, new[side][place]));
            if adjusts {
                let global = standing(self.teams[side][place], GLOBAL).rating;
                let lifted = self.lifted(&old, [side, place], global, verdict);
                changes[1].extend(lifted.map(|lifted| change(GLOBAL, global, lifted)));
            }
        }
        Some(changes)
    }

    /// A player's new global rating: what the game would have made of it had they played with it. `None` if that is not
    /// better, or too good, or if their global rating is the better one anyway.
    fn lifted(
        &self,
        old: &[Vec<Rating>; 2],
        [side, place]: [usize; 2],
        global: Rating,
        verdict: Verdict,
    ) -> Option<Rating> {
        if old[side][place].displayed() < global.displayed() {
            return None;
        }
        let mut instead = old.clone();
        instead[side][place] = global;
        let lifted = trueskill::rate([&instead[0], &instead[1]], verdict)?[side][place];
        let displayed = lifted.displayed();
        (global.displayed() < displayed && displayed <= self.rules.adjustment_max).then_some(lifted)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::faf::model::reference::Leaderboard;

    /// Mean and deviation, rounded.
    type Rounded = (i64, i64);

    fn reference() -> Reference {
        let board = |id, name: &str| Leaderboard {
            id,
            name: name.into(),
            initializer: None,
        };
        Reference {
            leaderboards: vec![board(1, "global"), board(2, "ladder_1v1")],
            ..Reference::default()
        }
    }

    fn game(players: u32) -> RatedGame {
        RatedGame {
            uid: 1,
            rating_type: "ladder_1v1".into(),
            teams: [
                (1..=players).filter(|id| id % 2 == 1).collect(),
                (1..=players).filter(|id| id % 2 == 0).collect(),
            ],
            outcomes: [TeamOutcome::Victory, TeamOutcome::Defeat],
            rules: Rules::default(),
        }
    }

    /// (leaderboard, player) -> (mean, deviation); the leaderboard is `l` or `g`.
    fn rated(game: &RatedGame, stored: &[(char, u32, f64, f64)]) -> Vec<(char, u32, Rounded)> {
        let letter = |board: &str| if board == GLOBAL { 'g' } else { 'l' };
        let changes = game
            .rate(&reference(), |player, board| {
                let found = stored
                    .iter()
                    .find(|(b, id, ..)| *b == letter(board) && *id == player);
                found.map(|&(_, _, mean, deviation)| Rating { mean, deviation })
            })
            .expect("it can be rated");
        let plain = |c: &RatingChange| {
            let rounded = (c.new.mean.round() as i64, c.new.deviation.round() as i64);
            (letter(&c.rating_type), c.player_id, rounded)
        };
        let mut all: Vec<_> = changes.iter().flatten().map(plain).collect();
        all.sort_unstable_by_key(|&(board, id, _)| (std::cmp::Reverse(board), id));
        all
    }

    #[track_caller]
    fn check(players: u32, stored: &[(char, u32, f64, f64)], expected: &[(char, u32, Rounded)]) {
        let rated = rated(&game(players), stored);
        let near = |a: Rounded, b: Rounded| (a.0 - b.0).abs() <= 1 && (a.1 - b.1).abs() <= 1;
        let same = rated.len() == expected.len()
            && rated
                .iter()
                .zip(expected)
                .all(|(a, b)| (a.0, a.1) == (b.0, b.1) && near(a.2, b.2));
        assert!(same, "{rated:?}\n{expected:?}");
    }

    // checklist: faf 469, 470
    #[test]
    fn the_global_rating_follows_upwards_only_and_not_far() {
        let (won, lost) = ((1766, 429), (1235, 429));
        check(2, &[], &[('l', 1, won), ('l', 2, lost), ('g', 1, won)]);
        let globals = [('g', 1, 2000.0, 75.0), ('g', 2, 1900.0, 75.0)];
        check(2, &globals, &[('l', 1, won), ('l', 2, lost)]);
        check(
            2,
            &[
                ('l', 1, 900.0, 125.0),
                ('l', 2, 700.0, 125.0),
                ('g', 1, 1000.0, 75.0),
                ('g', 2, 900.0, 75.0),
            ],
            &[('l', 1, (923, 122)), ('l', 2, (677, 122))],
        );
        let ladders = [('l', 1, 2000.0, 75.0), ('l', 2, 1900.0, 75.0)];
        let after = [('l', 1, (2011, 75)), ('l', 2, (1889, 75))];
        check(
            2,
            &ladders,
            &[
                after[0],
                after[1],
                ('g', 1, (2038, 348)),
                ('g', 2, (1340, 419)),
            ],
        );
        for second in [(2100.0, 75.0), (1700.0, 75.0)] {
            check(
                2,
                &[
                    ladders[0],
                    ladders[1],
                    ('g', 1, 1000.0, 250.0),
                    ('g', 2, second.0, second.1),
                ],
                &[after[0], after[1], ('g', 1, (1373, 208))],
            );
        }
        check(
            2,
            &[('l', 1, 2000.0, 75.0), ('g', 2, 1900.0, 75.0)],
            &[('l', 1, (2003, 75)), ('l', 2, (1340, 419)), ('g', 1, won)],
        );
    }

    // checklist: faf 469
    #[test]
    fn in_team_games_everybody_is_looked_at_for_himself() {
        let (won, lost) = ((1688, 466), (1312, 466));
        let four = [('l', 1, won), ('l', 2, lost), ('l', 3, won), ('l', 4, lost)];
        check(
            4,
            &[],
            &[
                four[0],
                four[1],
                four[2],
                four[3],
                ('g', 1, won),
                ('g', 3, won),
            ],
        );
        check(
            4,
            &[('g', 1, 1000.0, 150.0), ('g', 2, 900.0, 150.0)],
            &[four[0], four[1], four[2], four[3], ('g', 3, won)],
        );
        let (won, lost) = ((1653, 478), (1347, 478));
        let ladder = (1..=6).map(|id| ('l', id, if id % 2 == 1 { won } else { lost }));
        let expected: Vec<_> = ladder.chain([1, 3, 5].map(|id| ('g', id, won))).collect();
        check(6, &[], &expected);
    }

    #[test]
    fn a_draw_between_newcomers_changes_no_mean() {
        let mut game = game(2);
        game.outcomes = [TeamOutcome::Draw; 2];
        let changes = game
            .rate(&reference(), |_, _| None)
            .expect("it can be rated");
        assert_eq!(changes.each_ref().map(Vec::len), [2, 2]);
        for change in changes.iter().flatten() {
            assert!((change.new.mean - 1500.0).abs() < 1.0 && change.new.deviation < 400.0);
        }
    }

    // checklist: faf 471
    #[test]
    fn a_game_of_the_global_leaderboard_changes_that_alone() {
        let mut game = game(2);
        game.rating_type = GLOBAL.into();
        let changes = game
            .rate(&reference(), |_, _| None)
            .expect("it can be rated");
        assert_eq!(changes.each_ref().map(Vec::len), [2, 0]);
    }

    // checklist: faf 464
    #[test]
    fn what_can_not_be_rated_is_not() {
        let mut game = game(2);
        game.outcomes = [TeamOutcome::Victory; 2];
        assert!(game.rate(&reference(), |_, _| None).is_none());
        game.outcomes = [TeamOutcome::Unknown; 2];
        assert!(game.rate(&reference(), |_, _| None).is_none());
        let unknown = RatedGame {
            rating_type: "tmm_9v9".into(),
            outcomes: [TeamOutcome::Victory, TeamOutcome::Defeat],
            ..game
        };
        assert!(unknown.rate(&reference(), |_, _| None).is_none());
    }
}
