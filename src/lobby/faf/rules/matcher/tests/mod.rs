//! The matcher against the vectors of the specification, and against its transcription on random queues.

mod transcription;

use rand::{RngExt, SeedableRng, rngs::SmallRng};

use self::transcription::game_quality;
use super::*;

fn rated(mean: f64, deviation: f64, games: u32) -> Rating {
    Rating {
        mean,
        deviation,
        games,
    }
}

fn single(rating: Rating) -> Search {
    party(&[rating])
}

fn party(players: &[Rating]) -> Search {
    Search {
        players: players.to_vec(),
        failed_attempts: 0,
    }
}

/// Players that are no newbies, whose displayed rating is this.
fn shown(displayed: &[i32]) -> Search {
    let rating = |&shown: &i32| rated(f64::from(shown) + 192.0, 64.0, 11);
    party(&displayed.iter().map(rating).collect::<Vec<_>>())
}

fn queue(team_size: u32, searches: Vec<Search>) -> Snapshot {
    Snapshot {
        team_size,
        rating_peak: 1000.0,
        searches,
    }
}

/// The pairs found, counted from 1.
fn pairs(searches: &[Search]) -> Vec<(usize, usize)> {
    let found = find(&queue(1, searches.to_vec()), &Tuning::default());
    let pair = |p: Proposal| (p.teams[0][0] + 1, p.teams[1][0] + 1);
    found.into_iter().map(pair).collect()
}

#[track_caller]
fn about(value: f64, expected: f64, within: f64) {
    assert!(
        (value - expected).abs() <= within,
        "{value} is not {expected}"
    );
}

// checklist: faf 350
#[test]
fn a_newbies_mean_becomes_his_own_game_by_game() {
    let tuning = Tuning::default();
    let mean = |mean, games| rated(mean, 500.0, games).matching(&tuning).mean;
    assert_eq!(mean(1500.0, 0), 500.0);
    assert_eq!(mean(700.0, 3), 560.0);
    assert_eq!(mean(1500.0, 10), 1500.0);
    assert_eq!(mean(1500.0, 11), 1500.0);
    assert!(rated(1500.0, 500.0, 10).is_newbie(&tuning));
    assert!(!rated(1500.0, 500.0, 11).is_newbie(&tuning));
    let everybody_known = Tuning {
        newbie_min_games: 0,
        ..tuning
    };
    assert_eq!(
        rated(1500.0, 5.0, 0).matching(&everybody_known).mean,
        1500.0
    );
}

// checklist: faf 353
#[test]
fn quality_of_the_known_matches() {
    let side = |ratings: &[(f64, f64)]| Side::of(ratings.iter().map(|&(m, d)| rated(m, d, 99)));
    for (one, other, expected) in [
        (
            vec![(1500.0, 500.0)],
            vec![(1500.0, 500.0)],
            0.4327310675847713,
        ),
        (
            vec![(1500.0, 64.0)],
            vec![(1500.0, 63.0)],
            0.9667325676630742,
        ),
        (
            vec![(1500.0, 64.0)],
            vec![(1600.0, 75.0)],
            0.9226261258640077,
        ),
        (
            vec![(2000.0, 125.0)],
            vec![(1500.0, 75.0)],
            0.3676107195526925,
        ),
        (
            vec![(1000.0, 64.0)],
            vec![(1300.0, 64.0)],
            0.6709640932854001,
        ),
        (
            vec![(1500.0, 250.0), (1700.0, 120.0)],
            vec![(1200.0, 72.0), (1200.0, 72.0)],
            0.3110082190828186,
        ),
    ] {
        about(quality(side(&one), side(&other)), expected, 1e-15);
    }
}

// checklist: faf 351, 352
#[test]
fn thresholds_fall_with_each_failed_attempt() {
    let tuning = Tuning::default();
    for (rating, expected) in [
        (
            rated(1500.0, 500.0, 0),
            vec![0.346185, 0.246185, 0.146185, 0.046185, 0.0, 0.0, 0.0],
        ),
        (
            rated(1500.0, 500.0, 11),
            vec![
                0.346185, 0.296185, 0.246185, 0.196185, 0.146185, 0.096185, 0.096185,
            ],
        ),
        (
            rated(2300.0, 64.0, 100),
            vec![0.772988, 0.622988, 0.472988, 0.472988],
        ),
        (
            rated(700.0, 100.0, 3),
            vec![
                0.738462, 0.638462, 0.538462, 0.438462, 0.338462, 0.238462, 0.138462, 0.138462,
            ],
        ),
    ] {
        for (failed_attempts, expected) in expected.into_iter().enumerate() {
            let search = Search {
                failed_attempts: failed_attempts as u32,
                ..single(rating)
            };
            about(search.threshold(&tuning), expected, 1e-6);
        }
    }
}

// checklist: faf 354
#[test]
fn known_queues_are_paired_stably() {
    let known = |list: &[(f64, f64)]| -> Vec<Search> {
        list.iter().map(|&(m, d)| single(rated(m, d, 11))).collect()
    };
    assert_eq!(
        pairs(&known(&[
            (2300.0, 64.0),
            (1200.0, 72.0),
            (1300.0, 175.0),
            (2350.0, 125.0),
            (1200.0, 175.0),
            (1250.0, 175.0)
        ])),
        [(1, 4), (2, 5), (3, 6)]
    );
    let sharp = |means: &[f64]| known(&means.iter().map(|&m| (m, 64.0)).collect::<Vec<_>>());
    assert_eq!(
        pairs(&sharp(&[2300.0, 2000.0, 2100.0, 2200.0, 2300.0, 2400.0])),
        [(1, 5), (2, 3), (4, 6)]
    );
    assert_eq!(
        pairs(&sharp(&[503.0, 504.0, 504.0, 505.0])),
        [(1, 4), (2, 3)]
    );
    assert_eq!(pairs(&sharp(&[1000.0, 1300.0])), []);
}

// checklist: faf 356
#[test]
fn newbies_wait_for_somebody_they_have_a_chance_against() {
    let after = |failed_attempts, ratings: [Rating; 2]| {
        let searches = ratings.map(|rating| Search {
            failed_attempts,
            ..single(rating)
        });
        !pairs(&searches).is_empty()
    };
    let newbie_and_regular = [rated(1500.0, 500.0, 0), rated(1000.0, 75.0, 100)];
    assert!(!after(0, newbie_and_regular));
    assert!(!after(100, newbie_and_regular));
    let newbies = [rated(1500.0, 500.0, 0), rated(100.0, 160.0, 10)];
    assert!(!after(0, newbies));
    assert!(after(6, newbies));
}

// checklist: faf 355
#[test]
fn a_long_queue_is_matched_among_neighbours_only() {
    // Somebody of unknown strength stands at the lower end, whatever their mean; their one possible opponent is third.
    let known = (0..27).map(|n| 1000.0 + 400.0 * f64::from(n));
    let known = [100.0, 500.0].into_iter().chain(known);
    let mut searches: Vec<Search> = known.map(|mean| single(rated(mean, 10.0, 99))).collect();
    searches.insert(0, single(rated(1000.0, 250.0, 99)));
    assert_eq!(searches.len(), 30);
    assert_eq!(pairs(&searches), []);
    searches.pop();
    assert_eq!(pairs(&searches), [(1, 4)]);
}

// checklist: faf 363
#[test]
fn largest_differencing_splits_the_known_eight() {
    let tuning = Tuning {
        minimum_game_quality: f64::NEG_INFINITY,
        ..Tuning::default()
    };
    let ratings = [925, 1084, 1015, 1094, 1718, 1526, 1637, 1403];
    let searches = ratings.iter().map(|&r| shown(&[r])).collect();
    let games = find(&queue(4, searches), &tuning);
    assert_eq!(games.len(), 1);
    let mut teams = games[0]
        .teams
        .clone()
        .map(|team| team.iter().map(|&at| ratings[at]).collect::<Vec<_>>());
    for team in &mut teams {
        team.sort_unstable();
    }
    teams.sort();
    assert_eq!(
        teams,
        [vec![925, 1094, 1526, 1637], vec![1015, 1084, 1403, 1718]]
    );
}

/// The only game of a queue of exactly one game, and whether it is made when it has to be this good.
fn made_at(minimum: f64, searches: &[Search], team_size: u32) -> bool {
    let tuning = Tuning {
        minimum_game_quality: minimum,
        ..Tuning::default()
    };
    !find(&queue(team_size, searches.to_vec()), &tuning).is_empty()
}

// checklist: faf 365
#[test]
fn quality_of_the_known_team_game() {
    let ratings = [925, 1084, 1015, 1094, 1718, 1526, 1637, 1403];
    for (failed_attempts, expected) in [(0, -0.10508644524983815), (1, -0.08508644524983816)] {
        let searches: Vec<Search> = ratings
            .iter()
            .map(|&r| Search {
                failed_attempts,
                ..shown(&[r])
            })
            .collect();
        assert!(made_at(expected - 1e-13, &searches, 4));
        assert!(!made_at(expected + 1e-13, &searches, 4));
    }
}

// checklist: faf 366
#[test]
fn a_game_below_the_minimum_quality_is_not_made() {
    let searches: Vec<Search> = [1000, 1100, 1200, 1300].map(|r| shown(&[r])).into();
    assert!(made_at(0.4, &searches, 2));
    let searches: Vec<Search> = [700, 900, 1100, 1500].map(|r| shown(&[r])).into();
    assert!(!made_at(0.4, &searches, 2));
}

// checklist: faf 367, 368
#[test]
fn bonuses_grow_with_failed_attempts_up_to_their_caps() {
    let tuning = Tuning::default();
    let quality = |failed_attempts, games, displayed: f64| {
        let all = [
            single(rated(displayed, 0.0, games)),
            single(rated(displayed, 0.0, games)),
        ];
        let all = all.map(|search| Search {
            failed_attempts,
            ..search
        });
        let twice = [all[0].clone(), all[1].clone()];
        game_quality(&all, &twice, 2, displayed, &tuning)
    };
    about(quality(0, 11, 1000.0), 1.0, 1e-12);
    about(quality(1, 11, 1000.0), 1.02, 1e-12);
    about(quality(20, 11, 1000.0), 1.4, 1e-12);
    about(quality(100, 11, 1000.0), 1.4, 1e-12);
    about(quality(1, 10, 1000.0), 1.52, 1e-12);
    about(quality(100, 10, 1000.0), 7.4, 1e-12);
    about(quality(100, 10, 1400.0), 1.4, 1e-12);
}

// checklist: faf 361, 362, 364
#[test]
fn parties_stay_together() {
    // A full party fills a team; a party one short takes the single player that evens the average.
    let games = find(
        &queue(
            3,
            vec![
                shown(&[1000, 1010, 1020]),
                shown(&[1005]),
                shown(&[1015, 1010]),
            ],
        ),
        &Tuning::default(),
    );
    assert_eq!(games.len(), 1);
    assert_eq!(games[0].teams, [vec![0], vec![2, 1]]);

    let games = find(
        &queue(
            3,
            vec![
                shown(&[1000, 1100]),
                shown(&[900]),
                shown(&[1000]),
                shown(&[1100, 1000]),
            ],
        ),
        &Tuning::default(),
    );
    assert_eq!(games.len(), 1);
    for team in &games[0].teams {
        assert_eq!(team.len(), 2);
    }
    // All have an average of 1016.67: the party of 1050 is nearest to it with the weaker single player.
    let strong = games[0].teams.iter().find(|team| team.contains(&3));
    assert_eq!(strong.map(|team| team.contains(&1)), Some(true));

    let impossible = vec![
        shown(&[1000, 1000, 1000]),
        shown(&[1000, 1000, 1000]),
        shown(&[1000, 1000]),
    ];
    assert_eq!(find(&queue(4, impossible), &Tuning::default()), []);
}

// checklist: faf 369
#[test]
fn seventeen_players_make_the_two_known_games() {
    let searches = vec![
        shown(&[1251]),
        shown(&[1116]),
        shown(&[1038]),
        shown(&[1332]),
        shown(&[1271]),
        shown(&[1142]),
        shown(&[1045]),
        shown(&[1347]),
        shown(&[1025, 1137]),
        shown(&[1271, 1338]),
        shown(&[1058, 1118]),
        shown(&[1227, 1348, 1359]),
    ];
    let games = find(&queue(4, searches.clone()), &Tuning::default());
    let sorted = |team: &[usize]| {
        let mut team = team.to_vec();
        team.sort_unstable();
        team
    };
    let teams = |at: usize| games[at].teams.clone().map(|team| sorted(&team));
    assert_eq!(games.len(), 2);
    assert_eq!(teams(0), [vec![4, 11], vec![0, 3, 9]]);
    let mut second = teams(1);
    second.sort();
    assert_eq!(second, [vec![1, 6, 10], vec![2, 5, 8]]);
    for (game, expected) in games.iter().zip([0.8793796753, 0.8522621966]) {
        let of = |team: &[usize]| -> Vec<Search> {
            team.iter().map(|&at| searches[at].clone()).collect()
        };
        let (a, b) = (of(&game.teams[0]), of(&game.teams[1]));
        about(
            game_quality(&a, &b, 4, 1000.0, &Tuning::default()),
            expected,
            1e-10,
        );
    }
}

/// A queue as players make it, with many equal ratings so that ties decide often.
fn random_queue(rng: &mut SmallRng, team_size: u32, longest: usize) -> Snapshot {
    let coarse = rng.random_bool(0.5);
    let only_parties = rng.random_bool(0.1);
    let length = rng.random_range(0..=longest);
    let searches = (0..length).map(|_| {
        let least = if only_parties { team_size.min(2) } else { 1 };
        let size = rng.random_range(least..=team_size);
        let players = (0..size).map(|_| {
            let (mean, deviation) = if coarse {
                (100.0 * f64::from(rng.random_range(0..12)), 64.0)
            } else {
                (rng.random_range(0.0..2600.0), rng.random_range(60.0..500.0))
            };
            rated(mean, deviation, rng.random_range(0..25))
        });
        Search {
            players: players.collect(),
            failed_attempts: rng.random_range(0..12),
        }
    });
    let searches = searches.collect();
    Snapshot {
        team_size,
        rating_peak: rng.random_range(600.0..1200.0),
        searches,
    }
}

/// Random queues of all team sizes from these seeds give the very matches of the transcription.
fn compare_with_transcription(seeds: std::ops::Range<u64>) {
    let tuning = Tuning::default();
    let mut matches = [0; 4];
    for seed in seeds {
        let mut rng = SmallRng::seed_from_u64(seed);
        let team_size = (seed % 4) as u32 + 1;
        let longest = [8, 20, 40, 90][rng.random_range(0..4)];
        let queue = random_queue(&mut rng, team_size, longest);
        let found = find(&queue, &tuning);
        matches[team_size as usize - 1] += found.len();
        assert_eq!(
            found,
            transcription::find(&queue, &tuning),
            "seed {seed}: {queue:?}"
        );
    }
    assert!(matches.iter().all(|&n| n > 0), "{matches:?}");
}

// checklist: faf 354, 355, 361, 362, 363, 364, 369. Ten thousand queues, in parts that run side by side.
#[test]
fn random_queues_match_as_the_specification_says_1() {
    compare_with_transcription(0..2500);
}

#[test]
fn random_queues_match_as_the_specification_says_2() {
    compare_with_transcription(2500..5000);
}

#[test]
fn random_queues_match_as_the_specification_says_3() {
    compare_with_transcription(5000..7500);
}

#[test]
fn random_queues_match_as_the_specification_says_4() {
    compare_with_transcription(7500..10_000);
}
