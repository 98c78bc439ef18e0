//! What a game's end amounts to: outcomes of teams, scores, validity (spec: faf-ratings-results 4.5 and 5). What its reports
//! say of each army is in `votes`.
//!
//! Pure: a [`Finished`] game, as its owner has it, becomes a [`Settlement`], which the back office writes down.

use std::{borrow::Cow, sync::Arc};

use serde::{Deserialize, Serialize};

use crate::faf::{
    model::{game::GameType, ratings::Rating},
    rules::{
        rated_game::RatedGame,
        validity::{self, Team, Validity},
        votes,
    },
};

pub use crate::faf::rules::votes::{ArmyOutcome, ArmyResult, Outcome, ResultVotes, army_outcome};

/// More desyncs than this, and a game does not count.
pub(in crate::faf) const DESYNCS: u32 = 20;
/// A custom game that lasted less than this for each participant does not count.
const SHORT_S_PER_PARTICIPANT: f64 = 60.0;

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
    /// Reports about its armies, in the order they came.
    pub reports: Vec<ArmyResult>,
    /// Reported desyncs.
    pub desyncs: u32,
    /// Short games count.
    pub enforce_rating: bool,
    /// Seconds from launch to end.
    pub duration_s: f64,
    /// Unix seconds of the end.
    pub ended_at: f64,
    /// Reported army statistics, JSON text. Earlier versions have put down some, the newest last.
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
    /// Whose reports count.
    #[serde(default)]
    pub votes: ResultVotes,
}

impl Default for Rules {
    fn default() -> Self {
        Rules {
            start: Rating::START,
            adjustment_max: 1400.0,
            ladder_outcome_override: true,
            votes: ResultVotes::default(),
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

impl Finished {
    /// Its reports that count.
    fn counted(&self) -> Cow<'_, [ArmyResult]> {
        let takes_part = |id: u32| self.participants.iter().any(|p| p.id == id);
        self.rules.votes.counted(&self.reports, takes_part)
    }
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
    let counted = game.counted();
    let reports = &*counted;
    if reports.is_empty() {
        settlement.validity = Validity::UnknownResult;
        return settlement;
    }
    let participants = game.participants.iter();
    settlement.scores = participants.map(|p| score(game, reports, p)).collect();
    let enough_s = SHORT_S_PER_PARTICIPANT * game.participants.len() as f64;
    if game.game_type == GameType::Custom && !game.enforce_rating && game.duration_s < enough_s {
        settlement.validity = Validity::TooShort;
    }
    let teams: Vec<Option<Team>> = game.participants.iter().map(|p| p.team.clone()).collect();
    // Somebody without a team: nothing beyond this point.
    let Some(sides) = validity::sides(&teams) else {
        return settlement;
    };
    let outcomes = resolve(game, reports, &settlement.scores, &sides);
    if outcomes.is_none() && settlement.validity == Validity::Valid {
        settlement.validity = Validity::UnknownResult;
    }
    let of_side = |side: usize| outcomes.map_or(TeamOutcome::Unknown, |both| both[side.min(1)]);
    settlement.teams = Some(
        sides
            .iter()
            .enumerate()
            .map(|(place, side)| {
                team_result(game, reports, &settlement.scores, side, of_side(place))
            })
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

fn score(game: &Finished, reports: &[ArmyResult], participant: &Participant) -> Score {
    let outcome = army_outcome(reports, participant.army);
    let score = if game.game_type == GameType::Matchmaker {
        i64::from(outcome == ArmyOutcome::Victory)
    } else {
        votes::reported_score(reports, participant.army)
    };
    Score {
        player_id: participant.id,
        // The column is one signed byte (spec: faf-database 2.2, recommended).
        score: score.clamp(i8::MIN.into(), i8::MAX.into()) as i8,
        outcome,
    }
}

/// Outcomes of exactly two teams, if they can be told.
fn resolve(
    game: &Finished,
    reports: &[ArmyResult],
    scores: &[Score],
    sides: &[Vec<usize>],
) -> Option<[TeamOutcome; 2]> {
    use TeamOutcome::{Defeat, Draw, Victory};
    let [a, b] = sides else {
        return None;
    };
    let by_score = game.game_type == GameType::Matchmaker
        && game.participants.len() <= 2
        && game.rules.ladder_outcome_override
        && game.rules.votes.trusts_scores(reports);
    if let (true, [a], [b]) = (by_score, a.as_slice(), b.as_slice()) {
        let points = |place: usize| votes::reported_score(reports, game.participants[place].army);
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
    reports: &[ArmyResult],
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
                metadata: votes::metadata(reports, participant.army),
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
