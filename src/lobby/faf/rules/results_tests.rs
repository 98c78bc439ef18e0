//! Votes, scores, tags and teams, with the specification's vectors.

use super::*;
use crate::faf::rules::votes::{metadata, reported_score};

fn report(reporter: u32, army: i64, outcome: Outcome) -> ArmyResult {
    ArmyResult {
        reporter,
        army,
        outcome,
        score: 0,
        metadata: Vec::new(),
    }
}

/// The outcome of army 1 by votes such as `(Victory, 1..=3)`.
fn voted(votes: &[(Outcome, std::ops::RangeInclusive<u32>)]) -> ArmyOutcome {
    let reports: Vec<_> = votes
        .iter()
        .flat_map(|(outcome, who)| who.clone().map(|id| report(id, 1, *outcome)))
        .chain([report(1, 2, Outcome::Victory)])
        .collect();
    army_outcome(&reports, 1)
}

// checklist: faf 422, 423, 424, 425
#[test]
fn the_majority_decides_if_it_is_clear() {
    use Outcome::{Defeat, Draw, MutualDraw, Victory};
    assert_eq!(voted(&[]), ArmyOutcome::Unknown);
    assert_eq!(voted(&[(Victory, 1..=2)]), ArmyOutcome::Victory);
    assert_eq!(voted(&[(MutualDraw, 1..=1)]), ArmyOutcome::Draw);
    assert_eq!(
        voted(&[(Victory, 1..=2), (Defeat, 3..=3)]),
        ArmyOutcome::Victory
    );
    assert_eq!(
        voted(&[(Victory, 1..=1), (Defeat, 2..=2)]),
        ArmyOutcome::Conflicting
    );
    assert_eq!(
        voted(&[(Victory, 1..=3), (Defeat, 4..=5)]),
        ArmyOutcome::Conflicting
    );
    assert_eq!(
        voted(&[(Victory, 1..=5), (Defeat, 6..=7)]),
        ArmyOutcome::Victory
    );
    assert_eq!(
        voted(&[(Defeat, 1..=5), (Victory, 6..=7)]),
        ArmyOutcome::Defeat
    );
    assert_eq!(
        voted(&[(MutualDraw, 1..=4), (Draw, 5..=5)]),
        ArmyOutcome::Draw
    );
    // The same reporter twice is one vote.
    let twice = [
        report(1, 1, Victory),
        report(1, 1, Victory),
        report(2, 1, Defeat),
    ];
    assert_eq!(army_outcome(&twice, 1), ArmyOutcome::Conflicting);
}

// checklist: faf 429
#[test]
fn the_score_reported_most_often_counts_and_the_largest_of_those() {
    let scores = |scores: &[i64]| {
        let reports = scores.iter().enumerate().map(|(id, &score)| ArmyResult {
            score,
            ..report(id as u32, 1, Outcome::Victory)
        });
        reported_score(&reports.collect::<Vec<_>>(), 1)
    };
    assert_eq!(scores(&[]), 0);
    assert_eq!(scores(&[10, 5, 5]), 5);
    assert_eq!(scores(&[5, 10, 5, 10, 99]), 10);
    assert_eq!(scores(&[-10, -20]), -10);
}

// checklist: faf 428
#[test]
fn the_tags_reported_most_often_count_unless_two_sets_lead() {
    let tags = |sets: &[&[&str]]| {
        let reports = sets.iter().map(|set| ArmyResult {
            metadata: set.iter().map(|&tag| tag.to_owned()).collect(),
            ..report(1, 1, Outcome::Defeat)
        });
        metadata(&reports.collect::<Vec<_>>(), 1)
    };
    assert_eq!(
        tags(&[&["a", "recall"], &["a", "recall"], &[]]),
        ["a", "recall"]
    );
    assert_eq!(tags(&[&["recall"], &[]]), [""; 0]);
    assert_eq!(tags(&[]), [""; 0]);
}

// checklist: faf 433, 434, 435, 436, 437
#[test]
fn teams_by_the_outcomes_of_their_armies() {
    use ArmyOutcome::{Conflicting, Defeat, Draw, Unknown, Victory};
    let told = |a: &[ArmyOutcome], b: &[ArmyOutcome]| {
        two_teams(a, b).map(|[a, b]| format!("{} {}", a.name(), b.name()))
    };
    assert_eq!(told(&[Victory], &[Victory]), None);
    assert_eq!(
        told(&[Victory, Defeat], &[Defeat, Defeat]).as_deref(),
        Some("VICTORY DEFEAT")
    );
    assert_eq!(
        told(&[Unknown], &[Victory, Conflicting]).as_deref(),
        Some("DEFEAT VICTORY")
    );
    assert_eq!(
        told(&[Draw, Victory], &[Draw]).as_deref(),
        Some("VICTORY DEFEAT")
    );
    assert_eq!(told(&[Draw], &[Draw, Defeat]).as_deref(), Some("DRAW DRAW"));
    assert_eq!(told(&[Draw], &[Defeat]), None);
    assert_eq!(told(&[Defeat], &[Unknown]), None);
    assert_eq!(told(&[Defeat, Conflicting], &[Defeat]), None);
    assert_eq!(
        told(&[Defeat, Defeat], &[Defeat]).as_deref(),
        Some("DRAW DRAW")
    );
}

/// A game of two, ended after ten minutes.
fn duel(game_type: GameType, reports: Vec<ArmyResult>) -> Finished {
    let participant = |id: u32, army, team| Participant {
        id,
        login: format!("p{id}").into(),
        army,
        team: Some(Team::Number(team)),
    };
    Finished {
        uid: 7,
        game_type,
        rating_type: "global".into(),
        featured_mod: "faf".into(),
        sim_mods: Vec::new(),
        participants: vec![participant(12, 2, 3), participant(11, 1, 2)],
        reports,
        desyncs: 0,
        enforce_rating: false,
        duration_s: 600.0,
        ended_at: 1e9,
        stats: Vec::new(),
        rules: Rules::default(),
    }
}

fn won_by_11() -> Vec<ArmyResult> {
    vec![
        ArmyResult {
            score: 10,
            ..report(11, 1, Outcome::Victory)
        },
        ArmyResult {
            score: -999,
            metadata: vec!["recall".into()],
            ..report(11, 2, Outcome::Defeat)
        },
    ]
}

fn outcomes(settlement: &Settlement) -> Vec<TeamOutcome> {
    let teams = settlement.teams.iter().flatten();
    teams.map(|team| team.outcome).collect()
}

// checklist: faf 438, 440, 443
#[test]
fn one_reporter_is_enough_for_a_valid_game() {
    let settled = settle(&duel(GameType::Custom, won_by_11()), Validity::Valid);
    assert_eq!(settled.validity, Validity::Valid);
    let score = |player_id, score, outcome| Score {
        player_id,
        score,
        outcome,
    };
    assert_eq!(
        settled.scores,
        [
            score(12, -128, ArmyOutcome::Defeat),
            score(11, 10, ArmyOutcome::Victory)
        ]
    );
    let rated = settled.rated.expect("it is to be rated");
    assert_eq!(rated.teams, [vec![12], vec![11]]);
    assert_eq!(rated.outcomes, [TeamOutcome::Defeat, TeamOutcome::Victory]);
    let teams = settled.teams.expect("it is to be told");
    assert_eq!(teams[0].army_results[0].metadata, ["recall"]);
    assert_eq!(teams[1].army_results[0].army_outcome, "VICTORY");
}

// checklist: faf 442, 443
#[test]
fn an_invalid_game_is_told_but_not_rated() {
    let settled = settle(&duel(GameType::Custom, won_by_11()), Validity::BadMap);
    assert_eq!(settled.validity, Validity::BadMap);
    assert!(settled.rated.is_none() && settled.teams.is_some());
    let mut unrated = duel(GameType::Custom, won_by_11());
    unrated.rating_type = "".into();
    assert!(settle(&unrated, Validity::Valid).rated.is_none());
}

// checklist: faf 434, 436
#[test]
fn a_result_that_can_not_be_told_makes_a_valid_game_unknown() {
    let both = vec![
        report(11, 1, Outcome::Victory),
        report(12, 2, Outcome::Victory),
    ];
    let settled = settle(&duel(GameType::Custom, both.clone()), Validity::Valid);
    assert_eq!(settled.validity, Validity::UnknownResult);
    assert_eq!(outcomes(&settled), [TeamOutcome::Unknown; 2]);
    assert!(settled.rated.is_none());
    let settled = settle(&duel(GameType::Custom, both), Validity::NoFogOfWar);
    assert_eq!(settled.validity, Validity::NoFogOfWar);
}

// checklist: faf 439
#[test]
fn without_reports_nothing_but_the_validity_is_written() {
    let settled = settle(&duel(GameType::Custom, Vec::new()), Validity::BadMap);
    assert_eq!(settled.validity, Validity::UnknownResult);
    assert!(settled.scores.is_empty() && settled.teams.is_none() && settled.rated.is_none());
}

// checklist: faf 456
#[test]
fn more_than_twenty_desyncs_are_too_many() {
    let mut game = duel(GameType::Custom, won_by_11());
    game.desyncs = 20;
    assert_eq!(settle(&game, Validity::Valid).validity, Validity::Valid);
    game.desyncs = 21;
    let settled = settle(&game, Validity::Valid);
    assert_eq!(settled.validity, Validity::TooManyDesyncs);
    assert!(settled.scores.is_empty() && settled.teams.is_none());
}

// checklist: faf 282
#[test]
fn coop_has_no_results() {
    let settled = settle(&duel(GameType::Coop, won_by_11()), Validity::CoopNotRanked);
    assert_eq!(settled.validity, Validity::CoopNotRanked);
    assert!(settled.scores.is_empty() && settled.teams.is_none());
}

// checklist: faf 454, 455
#[test]
fn a_minute_for_each_participant_is_long_enough() {
    let mut game = duel(GameType::Custom, won_by_11());
    game.duration_s = 120.0;
    assert_eq!(settle(&game, Validity::Valid).validity, Validity::Valid);
    game.duration_s = 119.9;
    let settled = settle(&game, Validity::Valid);
    assert_eq!(settled.validity, Validity::TooShort);
    assert!(settled.rated.is_none() && settled.teams.is_some());
    game.enforce_rating = true;
    assert_eq!(settle(&game, Validity::Valid).validity, Validity::Valid);
    game = Finished {
        duration_s: 1.0,
        ..duel(GameType::Matchmaker, won_by_11())
    };
    assert_eq!(settle(&game, Validity::Valid).validity, Validity::Valid);
}

// checklist: faf 430, 431, 432
#[test]
fn scores_decide_between_two_in_matchmaker_games() {
    let says = |score_1, score_2| {
        let mut game = duel(GameType::Matchmaker, won_by_11());
        game.reports[0].score = score_1;
        game.reports[1].score = score_2;
        game
    };
    let settled = settle(&says(5, 9), Validity::Valid);
    assert_eq!(
        outcomes(&settled),
        [TeamOutcome::Victory, TeamOutcome::Defeat]
    );
    let scores: Vec<i8> = settled.scores.iter().map(|score| score.score).collect();
    assert_eq!(scores, [0, 1]);
    assert_eq!(
        outcomes(&settle(&says(3, 3), Validity::Valid)),
        [TeamOutcome::Draw; 2]
    );
    let mut words = says(5, 9);
    words.rules.ladder_outcome_override = false;
    let settled = settle(&words, Validity::Valid);
    assert_eq!(
        outcomes(&settled),
        [TeamOutcome::Defeat, TeamOutcome::Victory]
    );
}

#[test]
fn more_teams_or_none_can_not_be_told() {
    let mut game = duel(GameType::Custom, won_by_11());
    game.participants.push(Participant {
        id: 13,
        login: "p13".into(),
        army: 3,
        team: Some(Team::Number(4)),
    });
    game.duration_s = 1e4;
    let settled = settle(&game, Validity::MultiTeam);
    assert_eq!(outcomes(&settled), [TeamOutcome::Unknown; 3]);
    assert_eq!(settled.validity, Validity::MultiTeam);
    game.participants[2].team = None;
    let settled = settle(&game, Validity::MultiTeam);
    assert!(settled.teams.is_none() && settled.scores.len() == 3);
}

/// A ranked duel whose host stands alone as "no team" was told to the outside the wrong way round.
#[test]
fn teams_are_told_in_joining_order_and_those_who_are_in_none_last() {
    let player = |id: u32, team| Participant {
        id,
        login: format!("p{id}").into(),
        army: i64::from(id),
        team: Some(Team::Number(team)),
    };
    let mut game = duel(GameType::Custom, won_by_11());
    game.duration_s = 1e4;
    game.participants = vec![
        player(5, 1),
        player(4, 3),
        player(3, 2),
        player(2, 1),
        player(1, 3),
    ];
    game.reports = vec![report(5, 5, Outcome::Victory)];
    let settled = settle(&game, Validity::MultiTeam);
    let teams = settled.teams.expect("it is to be told");
    let ids: Vec<&[u32]> = teams.iter().map(|team| &*team.player_ids).collect();
    assert_eq!(ids, [&[4, 1][..], &[3], &[5], &[2]]);
    game.participants = vec![player(1, 1), player(2, 2)];
    game.reports = vec![
        report(1, 1, Outcome::Victory),
        report(1, 2, Outcome::Defeat),
    ];
    let rated = settle(&game, Validity::Valid).rated.expect("two teams");
    assert_eq!(rated.teams, [vec![2], vec![1]]);
    assert_eq!(rated.outcomes, [TeamOutcome::Defeat, TeamOutcome::Victory]);
}

fn scored(reporter: u32, army: i64, outcome: Outcome, score: i64) -> ArmyResult {
    ArmyResult {
        score,
        ..report(reporter, army, outcome)
    }
}

/// A ladder game that 11 has won, with what else was reported, before what both say.
fn ladder(votes: ResultVotes, before: Vec<ArmyResult>) -> Finished {
    let honest = |id| {
        [
            scored(id, 1, Outcome::Victory, 10),
            scored(id, 2, Outcome::Defeat, -10),
        ]
    };
    let reports = before
        .into_iter()
        .chain([11, 12].into_iter().flat_map(honest));
    let mut game = duel(GameType::Matchmaker, reports.collect());
    game.rules.votes = votes;
    game
}

/// The score that was reported most often decided: three messages made a loser the winner.
#[test]
fn repeating_a_score_wins_nothing() {
    for (votes, expected) in [
        (
            ResultVotes::Fair,
            [TeamOutcome::Defeat, TeamOutcome::Victory],
        ),
        (
            ResultVotes::Reference,
            [TeamOutcome::Victory, TeamOutcome::Defeat],
        ),
    ] {
        for reporter in [12, 99] {
            let repeated = vec![scored(reporter, 2, Outcome::Defeat, 1000); 3];
            let settled = settle(&ladder(votes, repeated), Validity::Valid);
            assert_eq!(outcomes(&settled), expected, "{votes:?}");
        }
    }
}

/// Nor does it void a game: everybody agrees on the words.
#[test]
fn a_score_that_is_contradicted_does_not_decide() {
    let mut game = ladder(ResultVotes::Fair, Vec::new());
    game.reports[3].score = 1000;
    let settled = settle(&game, Validity::Valid);
    assert_eq!(settled.validity, Validity::Valid);
    let expected = [TeamOutcome::Defeat, TeamOutcome::Victory];
    assert_eq!(outcomes(&settled), expected);
    assert_eq!(settled.rated.expect("it counts").outcomes, expected);
}

/// The rule of the specification, said differently: sort, compare the first two.
fn naive_outcome(reports: &[ArmyResult], army: i64) -> ArmyOutcome {
    let count = |outcome: Outcome| {
        let of = reports
            .iter()
            .filter(|r| r.army == army && r.outcome == outcome);
        of.map(|r| r.reporter)
            .collect::<std::collections::BTreeSet<_>>()
            .len()
    };
    let mut all = [
        (count(Outcome::Victory), "victory", ArmyOutcome::Victory),
        (count(Outcome::MutualDraw), "mutual_draw", ArmyOutcome::Draw),
        (count(Outcome::Draw), "draw", ArmyOutcome::Draw),
        (count(Outcome::Defeat), "defeat", ArmyOutcome::Defeat),
    ];
    all.sort_by(|a, b| (b.0, b.1).cmp(&(a.0, a.1)));
    match (all[0].0, all[1].0) {
        (0, _) => ArmyOutcome::Unknown,
        (_, 0) => all[0].2,
        (top, 1) if top > 1 => all[0].2,
        (top, next) if top >= next + 3 => all[0].2,
        _ => ArmyOutcome::Conflicting,
    }
}

fn anything(
    who: std::ops::Range<u32>,
) -> impl proptest::strategy::Strategy<Value = Vec<ArmyResult>> {
    use proptest::prelude::*;
    let kinds = [
        Outcome::Victory,
        Outcome::Defeat,
        Outcome::Draw,
        Outcome::MutualDraw,
    ];
    let one = (who, 1i64..3, 0usize..4, -2i64..3)
        .prop_map(move |(who, army, kind, score)| scored(who, army, kinds[kind], score * 500));
    proptest::collection::vec(one, 0..12)
}

proptest::proptest! {
    /// Whatever the loser and strangers say, before the winner has spoken or after: it makes no victory, nor a draw.
    #[test]
    fn nobody_wins_by_what_they_say(before in anything(12..16), after in anything(12..16)) {
        let mut game = ladder(ResultVotes::Fair, before);
        game.reports.retain(|report| report.reporter != 11);
        game.reports.extend([scored(11, 1, Outcome::Victory, 10), scored(11, 2, Outcome::Defeat, -10)]);
        game.reports.extend(after);
        let settled = settle(&game, Validity::Valid);
        let outcome = outcomes(&settled)[0];
        proptest::prop_assert!(matches!(outcome, TeamOutcome::Defeat | TeamOutcome::Unknown), "{outcome:?}");
    }

    /// Where all participants say the same, each thing once, it does not matter how votes are counted.
    #[test]
    fn honest_votes_count_the_same_either_way(said in anything(11..12), matched in proptest::bool::ANY) {
        let mut said = said;
        said.dedup_by_key(|report| report.army);
        said.truncate(2);
        let both = said.iter().cloned().chain(said.iter().map(|report| ArmyResult { reporter: 12, ..report.clone() }));
        let game_type = if matched { GameType::Matchmaker } else { GameType::Custom };
        let mut game = duel(game_type, both.collect());
        let told = |game: &Finished| {
            let Settlement { validity, scores, teams, rated } = settle(game, Validity::Valid);
            format!("{validity:?} {scores:?} {teams:?} {:?}", rated.map(|rated| rated.outcomes))
        };
        let fair = told(&game);
        game.rules.votes = ResultVotes::Reference;
        proptest::prop_assert_eq!(fair, told(&game));
    }

    #[test]
    fn votes_agree_with_the_naive_count(votes in proptest::collection::vec((1u32..9, 1i64..3, 0usize..4), 0..40)) {
        let kinds = [Outcome::Victory, Outcome::Defeat, Outcome::Draw, Outcome::MutualDraw];
        let reports: Vec<_> = votes.into_iter().map(|(who, army, kind)| report(who, army, kinds[kind])).collect();
        for army in 1..3 {
            proptest::prop_assert_eq!(army_outcome(&reports, army), naive_outcome(&reports, army));
        }
    }
}
