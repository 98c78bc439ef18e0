//! What a game between two teams says about its players' skills (spec: faf-ratings-results 7).
//!
//! The closed form for two teams is the crate `skillratings`'; its parameters and its parity with the specification's
//! vectors are this file's.

use skillratings::{
    Outcomes,
    trueskill::{TrueSkillConfig, TrueSkillRating, trueskill_two_teams},
};

use crate::faf::model::ratings::Rating;

/// Skill difference at which the better player wins about four games in five.
const BETA: f64 = 240.0;
/// Doubt that time adds to a rating between two games.
const TAU: f64 = 10.0;
/// How often games end in a draw.
const DRAW_PROBABILITY: f64 = 0.10;

/// How a game ended, as the first team sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::faf) enum Verdict {
    /// This side has won.
    Win,
    /// This side has lost.
    Loss,
    /// The game ended with neither side ahead.
    Draw,
}

/// The players' ratings after the game, in the same order; `None` if they are beyond what numbers can express.
pub(in crate::faf) fn rate(teams: [&[Rating]; 2], verdict: Verdict) -> Option<[Vec<Rating>; 2]> {
    let config = TrueSkillConfig {
        draw_probability: DRAW_PROBABILITY,
        beta: BETA,
        dynamics_factor: TAU,
    };
    let [a, b] = teams.map(|team| team.iter().map(theirs).collect::<Vec<_>>());
    let outcome = match verdict {
        Verdict::Win => Outcomes::WIN,
        Verdict::Loss => Outcomes::LOSS,
        Verdict::Draw => Outcomes::DRAW,
    };
    let (a, b) = trueskill_two_teams(&a, &b, &outcome, &config);
    let rated = [a, b].map(|team| team.into_iter().map(ours).collect::<Vec<_>>());
    let sound = |rating: &Rating| {
        rating.mean.is_finite() && rating.deviation.is_finite() && rating.deviation > 0.0
    };
    rated.iter().flatten().all(sound).then_some(rated)
}

fn theirs(rating: &Rating) -> TrueSkillRating {
    TrueSkillRating {
        rating: rating.mean,
        uncertainty: rating.deviation,
    }
}

fn ours(rating: TrueSkillRating) -> Rating {
    Rating {
        mean: rating.rating,
        deviation: rating.uncertainty,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Plain = (f64, f64);

    fn team(players: &[Plain]) -> Vec<Rating> {
        let rating = |&(mean, deviation)| Rating { mean, deviation };
        players.iter().map(rating).collect()
    }

    #[track_caller]
    fn check(a: &[Plain], b: &[Plain], verdict: Verdict, after: [&[Plain]; 2]) {
        let rated = rate([&team(a), &team(b)], verdict).expect("numbers express it");
        for (rated, expected) in rated.iter().zip(after) {
            assert_eq!(rated.len(), expected.len());
            for (rating, &(mean, deviation)) in rated.iter().zip(expected) {
                // The tolerance of the specification.
                let off = (rating.mean - mean)
                    .abs()
                    .max((rating.deviation - deviation).abs());
                assert!(off < 5e-4, "{rating:?}, not {mean} {deviation}");
            }
        }
    }

    // checklist: faf 462
    #[test]
    fn two_teams_agree_with_the_specification() {
        use Verdict::{Draw, Loss, Win};
        let (new, strong) = ((1500.0, 500.0), (2000.0, 125.0));
        check(
            &[new],
            &[new],
            Win,
            [&[(1765.5119, 429.1919)], &[(1234.4881, 429.1919)]],
        );
        check(
            &[new],
            &[new],
            Draw,
            [&[(1500.0, 385.4336)], &[(1500.0, 385.4336)]],
        );
        let weak = (1500.0, 75.0);
        check(
            &[strong],
            &[weak],
            Win,
            [&[(2008.8501, 123.2108)], &[(1496.7779, 75.1856)]],
        );
        check(
            &[strong],
            &[weak],
            Loss,
            [&[(1918.6880, 119.1257)], &[(1529.6033, 74.3079)]],
        );
        check(
            &[(1650.0, 62.52)],
            &[strong],
            Draw,
            [&[(1660.3516, 62.3714)], &[(1959.3943, 117.9009)]],
        );
        check(
            &[new; 2],
            &[new; 2],
            Win,
            [&[(1687.7453, 465.9966); 2], &[(1312.2547, 465.9966); 2]],
        );
        let (mixed, even) = ([(1500.0, 250.0), (1700.0, 120.0)], [(1200.0, 72.0); 2]);
        check(
            &mixed,
            &even,
            Win,
            [
                &[(1520.6999, 243.2243), (1704.7947, 119.6467)],
                &[(1198.2527, 72.5222); 2],
            ],
        );
        check(
            &mixed,
            &even,
            Loss,
            [
                &[(1282.4055, 228.2458), (1649.5987, 118.0527)],
                &[(1218.3669, 72.1745); 2],
            ],
        );
        check(
            &[new; 3],
            &[new; 3],
            Win,
            [&[(1653.2934, 477.6350); 3], &[(1346.7066, 477.6350); 3]],
        );
    }

    #[test]
    fn the_order_of_the_teams_does_not_matter() {
        let (a, b) = (
            team(&[(1700.0, 90.0), (900.0, 300.0)]),
            team(&[(1200.0, 60.0)]),
        );
        for (there, back) in [
            (Verdict::Win, Verdict::Loss),
            (Verdict::Draw, Verdict::Draw),
            (Verdict::Loss, Verdict::Win),
        ] {
            let [a1, b1] = rate([&a, &b], there).expect("numbers express it");
            let [b2, a2] = rate([&b, &a], back).expect("numbers express it");
            for (one, two) in a1.iter().chain(&b1).zip(a2.iter().chain(&b2)) {
                assert!(
                    (one.mean - two.mean).abs() < 1e-6
                        && (one.deviation - two.deviation).abs() < 1e-6
                );
            }
        }
    }

    #[test]
    fn an_upset_beyond_belief_is_rated_or_refused_but_never_nonsense() {
        for gap in [3_000.0, 30_000.0, 3e6, 1e300] {
            let (low, high) = (team(&[(0.0, 50.0)]), team(&[(gap, 50.0)]));
            if let Some([a, b]) = rate([&low, &high], Verdict::Win) {
                assert!(a[0].mean >= 0.0 && b[0].mean <= gap, "{gap}: {a:?} {b:?}");
            }
        }
    }
}
