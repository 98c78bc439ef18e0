//! What a game's end amounts to: outcomes of armies and teams, scores, validity (spec: faf-ratings-results 4 and 5).
//!
//! Pure: a [`Finished`] game, as its owner has it, becomes a [`Settlement`], which the back office writes down.

use std::{collections::BTreeMap, sync::Arc};

use serde::{Deserialize, Serialize};

use crate::faf::{
    model::{game::GameType, ratings::Rating},
    rules::{
        rated_game::RatedGame,
        validity::{self, Team, Validity},
    },
};

/// More desyncs than this, and a game does not count.
const DESYNCS: u32 = 20;
/// A custom game that lasted less than this for each participant does not count.
const SHORT_S_PER_PARTICIPANT: f64 = 60.0;
/// Votes by which one outcome must lead another that has more than one vote.
const LEAD: usize = 3;

/// Kinds of result that count (spec: faf-messages 4.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Outcome {
    /// The army, or the team, has won.
    Victory,
    /// The army, or the team, has lost.
    Defeat,
    /// A draw, without having been agreed on.
    Draw,
    /// All agreed on a draw.
    MutualDraw,
}

/// One army's result in one player's words.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ArmyResult {
    /// Who says so.
    pub reporter: u32,
    /// Number of the army that it is about.
    pub army: i64,
    /// The outcome that was reported.
    pub outcome: Outcome,
    /// Score that was reported with it.
    pub score: i64,
    /// Tags in front of the outcome.
    pub metadata: Vec<String>,
}

/// A launched game that is over, with everything that decides about its results.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Finished {
    /// Uid of the game (`game_stats.id`).
    pub uid: u32,
    /// Custom, coop or matchmaker: rules about the end differ.
    pub game_type: GameType,
    /// Leaderboard; empty: none.
    pub rating_type: Box<str>,
    /// Technical name of the featured mod.
    pub featured_mod: Box<str>,
    /// Uids of the sim mods.
    pub sim_mods: Vec<String>,
    /// Frozen at launch.
    pub participants: Vec<Participant>,
    /// Reports that count, in the order they came.
    pub reports: Vec<ArmyResult>,
    /// Reported desyncs.
    pub desyncs: u32,
    /// Short games count.
    pub enforce_rating: bool,
    /// Seconds from launch to end.
    pub duration_s: f64,
    /// Unix seconds of the end.
    pub ended_at: f64,
    /// Reported army statistics, JSON text, the newest last.
    pub stats: Vec<Arc<str>>,
    /// How the operator wants it done.
    pub rules: Rules,
}

/// Somebody who was in the game when it was launched, with an army.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Participant {
    /// Account id of the player (`login.id`).
    pub id: u32,
    /// Their name.
    pub login: Box<str>,
    /// Their army.
    pub army: i64,
    /// Their team, if the host had given them one.
    pub team: Option<Team>,
}

/// Settings that matter to results and ratings.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Rules {
    /// Rating of somebody of whom nothing is known.
    pub start: Rating,
    /// Highest displayed global rating that games of other leaderboards may lift to (`RATING_ADJUSTMENT_MAX_RATING`).
    pub adjustment_max: f64,
    /// Scores, not words, decide between two (`LADDER_1V1_OUTCOME_OVERRIDE`).
    pub ladder_outcome_override: bool,
}

impl Default for Rules {
    fn default() -> Self {
        Rules {
            start: Rating::START,
            adjustment_max: 1400.0,
            ladder_outcome_override: true,
        }
    }
}

/// What became of an army: `game_player_stats.result`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum ArmyOutcome {
    /// The army, or the team, has won.
    Victory,
    /// The army, or the team, has lost.
    Defeat,
    /// The game ended with neither side ahead.
    Draw,
    /// Nobody said.
    Unknown,
    /// They don't agree.
    Conflicting,
}

impl ArmyOutcome {
    /// As stored and told.
    pub fn name(self) -> &'static str {
        match self {
            ArmyOutcome::Victory => "VICTORY",
            ArmyOutcome::Defeat => "DEFEAT",
            ArmyOutcome::Draw => "DRAW",
            ArmyOutcome::Unknown => "UNKNOWN",
            ArmyOutcome::Conflicting => "CONFLICTING",
        }
    }
}

impl From<Outcome> for ArmyOutcome {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Victory => ArmyOutcome::Victory,
            Outcome::Defeat => ArmyOutcome::Defeat,
            Outcome::Draw | Outcome::MutualDraw => ArmyOutcome::Draw,
        }
    }
}

/// What became of a team.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum TeamOutcome {
    /// The army, or the team, has won.
    Victory,
    /// The army, or the team, has lost.
    Defeat,
    /// The game ended with neither side ahead.
    Draw,
    /// It can't be told.
    Unknown,
}

impl TeamOutcome {
    /// The name that clients and the broker know it by.
    pub fn name(self) -> &'static str {
        match self {
            TeamOutcome::Victory => "VICTORY",
            TeamOutcome::Defeat => "DEFEAT",
            TeamOutcome::Draw => "DRAW",
            TeamOutcome::Unknown => "UNKNOWN",
        }
    }
}

/// A row of `game_player_stats` as it is to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Score {
    /// Account id of the player (`login.id`).
    pub player_id: u32,
    /// Fits the column.
    pub score: i8,
    /// Outcome of their army.
    pub outcome: ArmyOutcome,
}

/// Everything that follows from a finished game.
#[derive(Clone, Debug, Default)]
pub struct Settlement {
    /// The validity it ends with.
    pub validity: Validity,
    /// What to write down for whom.
    pub scores: Vec<Score>,
    /// Its teams, if the outside is to be told.
    pub teams: Option<Vec<TeamResult>>,
    /// If it is to be rated.
    pub rated: Option<RatedGame>,
}

/// A team and what became of it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TeamResult {
    /// Outcome of the team.
    #[serde(serialize_with = "by_name")]
    pub outcome: TeamOutcome,
    /// Account ids of the team's players.
    pub player_ids: Vec<u32>,
    /// Their armies, by player.
    pub army_results: Vec<PlayerResult>,
}

/// An army and what became of it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PlayerResult {
    /// Account id of the player (`login.id`).
    pub player_id: u32,
    /// Their army.
    pub army: i64,
    /// Outcome of the army, by name.
    pub army_outcome: &'static str,
    /// Tags, sorted.
    pub metadata: Vec<String>,
}

fn by_name<S: serde::Serializer>(outcome: &TeamOutcome, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(outcome.name())
}

/// The outcome of an army by its reporters' votes (spec: faf-ratings-results 4.2).
pub fn army_outcome(reports: &[ArmyResult], army: i64) -> ArmyOutcome {
    let mut votes: Vec<(Outcome, Vec<u32>)> = Vec::new();
    for report in reports.iter().filter(|report| report.army == army) {
        match votes.iter_mut().find(|(known, _)| *known == report.outcome) {
            Some((_, reporters)) if reporters.contains(&report.reporter) => {}
            Some((_, reporters)) => reporters.push(report.reporter),
            None => votes.push((report.outcome, vec![report.reporter])),
        }
    }
    // The larger number first; among equals the later name.
    votes.sort_by_key(|(outcome, reporters)| {
        std::cmp::Reverse((reporters.len(), name_of(*outcome)))
    });
    match votes.as_slice() {
        [] => ArmyOutcome::Unknown,
        [(only, _)] => (*only).into(),
        [(top, first), (_, second), ..] => {
            let (first, second) = (first.len(), second.len());
            if (first > 1 && second <= 1) || first >= second + LEAD {
                (*top).into()
            } else {
                ArmyOutcome::Conflicting
            }
        }
    }
}

fn name_of(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Victory => "victory",
        Outcome::Defeat => "defeat",
        Outcome::Draw => "draw",
        Outcome::MutualDraw => "mutual_draw",
    }
}

/// The score of an army that was reported most often, the largest of those; 0 without any.
fn reported_score(reports: &[ArmyResult], army: i64) -> i64 {
    let mut counts: BTreeMap<i64, usize> = BTreeMap::new();
    for report in reports.iter().filter(|report| report.army == army) {
        *counts.entry(report.score).or_default() += 1;
    }
    counts
        .into_iter()
        .max_by_key(|&(score, count)| (count, score))
        .map_or(0, |(score, _)| score)
}

/// The tags of an army that were reported most often; none on a tie.
fn metadata(reports: &[ArmyResult], army: i64) -> Vec<String> {
    let mut counts: BTreeMap<&[String], usize> = BTreeMap::new();
    for report in reports.iter().filter(|report| report.army == army) {
        *counts.entry(&report.metadata).or_default() += 1;
    }
    let most = counts.values().copied().max().unwrap_or(0);
    let mut leading = counts.into_iter().filter(|(_, count)| *count == most);
    match (leading.next(), leading.next()) {
        (Some((tags, _)), None) => tags.to_vec(),
        _ => Vec::new(),
    }
}

/// What becomes of two teams with these armies' outcomes; `None`: it can't be told (spec: faf-ratings-results 4.5).
fn two_teams(a: &[ArmyOutcome], b: &[ArmyOutcome]) -> Option<[TeamOutcome; 2]> {
    use TeamOutcome::{Defeat, Draw, Victory};
    let has = |outcome: ArmyOutcome| (a.contains(&outcome), b.contains(&outcome));
    match has(ArmyOutcome::Victory) {
        (true, true) => return None,
        (true, false) => return Some([Victory, Defeat]),
        (false, true) => return Some([Defeat, Victory]),
        (false, false) => {}
    }
    match has(ArmyOutcome::Draw) {
        (true, true) => return Some([Draw, Draw]),
        (false, false) => {}
        _ => return None,
    }
    let all_defeated = a.iter().chain(b).all(|o| *o == ArmyOutcome::Defeat);
    all_defeated.then_some([Draw, Draw])
}

/// Settles a finished game that was launched with this validity (spec: faf-ratings-results 5).
pub fn settle(game: &Finished, before: Validity) -> Settlement {
    let mut settlement = Settlement {
        validity: before,
        ..Settlement::default()
    };
    if game.desyncs > DESYNCS {
        settlement.validity = Validity::TooManyDesyncs;
        return settlement;
    }
    if game.game_type == GameType::Coop {
        return settlement;
    }
    if game.reports.is_empty() {
        settlement.validity = Validity::UnknownResult;
        return settlement;
    }
    settlement.scores = game.participants.iter().map(|p| score(game, p)).collect();
    let enough_s = SHORT_S_PER_PARTICIPANT * game.participants.len() as f64;
    if game.game_type == GameType::Custom && !game.enforce_rating && game.duration_s < enough_s {
        settlement.validity = Validity::TooShort;
    }
    let teams: Vec<Option<Team>> = game.participants.iter().map(|p| p.team.clone()).collect();
    // Somebody without a team: nothing beyond this point.
    let Some(sides) = validity::sides(&teams) else {
        return settlement;
    };
    let outcomes = resolve(game, &settlement.scores, &sides);
    if outcomes.is_none() && settlement.validity == Validity::Valid {
        settlement.validity = Validity::UnknownResult;
    }
    let of_side = |side: usize| outcomes.map_or(TeamOutcome::Unknown, |both| both[side.min(1)]);
    settlement.teams = Some(
        sides
            .iter()
            .enumerate()
            .map(|(place, side)| team_result(game, &settlement.scores, side, of_side(place)))
            .collect(),
    );
    if let (Validity::Valid, Some(outcomes), [a, b], false) = (
        settlement.validity,
        outcomes,
        sides.as_slice(),
        game.rating_type.is_empty(),
    ) {
        let ids = |side: &[usize]| side.iter().map(|&p| game.participants[p].id).collect();
        settlement.rated = Some(RatedGame {
            uid: game.uid,
            rating_type: game.rating_type.clone(),
            teams: [ids(a), ids(b)],
            outcomes,
            rules: game.rules,
        });
    }
    settlement
}

fn score(game: &Finished, participant: &Participant) -> Score {
    let outcome = army_outcome(&game.reports, participant.army);
    let score = if game.game_type == GameType::Matchmaker {
        i64::from(outcome == ArmyOutcome::Victory)
    } else {
        reported_score(&game.reports, participant.army)
    };
    Score {
        player_id: participant.id,
        // The column is one signed byte (spec: faf-database 2.2, recommended).
        score: score.clamp(i8::MIN.into(), i8::MAX.into()) as i8,
        outcome,
    }
}

/// Outcomes of exactly two teams, if they can be told.
fn resolve(game: &Finished, scores: &[Score], sides: &[Vec<usize>]) -> Option<[TeamOutcome; 2]> {
    use TeamOutcome::{Defeat, Draw, Victory};
    let [a, b] = sides else {
        return None;
    };
    let by_score = game.game_type == GameType::Matchmaker
        && game.participants.len() <= 2
        && game.rules.ladder_outcome_override;
    if let (true, [a], [b]) = (by_score, a.as_slice(), b.as_slice()) {
        let points = |place: usize| reported_score(&game.reports, game.participants[place].army);
        return Some(match points(*a).cmp(&points(*b)) {
            std::cmp::Ordering::Greater => [Victory, Defeat],
            std::cmp::Ordering::Less => [Defeat, Victory],
            std::cmp::Ordering::Equal => [Draw, Draw],
        });
    }
    let outcomes = |side: &[usize]| -> Vec<ArmyOutcome> {
        side.iter().map(|&place| scores[place].outcome).collect()
    };
    two_teams(&outcomes(a), &outcomes(b))
}

fn team_result(
    game: &Finished,
    scores: &[Score],
    side: &[usize],
    outcome: TeamOutcome,
) -> TeamResult {
    let mut army_results: Vec<PlayerResult> = side
        .iter()
        .map(|&place| {
            let participant = &game.participants[place];
            PlayerResult {
                player_id: participant.id,
                army: participant.army,
                army_outcome: scores[place].outcome.name(),
                metadata: metadata(&game.reports, participant.army),
            }
        })
        .collect();
    army_results.sort_unstable_by_key(|result| result.player_id);
    TeamResult {
        outcome,
        player_ids: side.iter().map(|&p| game.participants[p].id).collect(),
        army_results,
    }
}

#[cfg(test)]
#[path = "results_tests.rs"]
mod tests;
