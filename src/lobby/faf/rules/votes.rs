//! What reports say of an army: its outcome, score and tags (spec: faf-ratings-results 4.1 to 4.4), and whose reports count.
//!
//! The replaced server counts whatever anybody in the game reports, and scores as often as they are reported: the loser of a
//! ladder game wins it by saying three times that they have a thousand points, and a stranger in the game voids it or turns
//! it round. So by default only participants vote, each once about each army. Where all are honest both ways come to the
//! same.
//!
//! Pure.

use std::{borrow::Cow, collections::BTreeMap};

use serde::{Deserialize, Serialize};

/// Votes by which one outcome must lead another that has more than one vote.
const LEAD: usize = 3;

/// Whose word counts about how a game went.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ResultVotes {
    /// Every report of anybody in the game counts, as with the replaced server.
    Reference,
    /// The last word of each participant about each army counts.
    #[default]
    Fair,
}

settings::words! { ResultVotes { Reference = "reference", Fair = "fair" } }

impl ResultVotes {
    /// The reports that count, of a game that these take part in.
    pub(in crate::faf) fn counted(
        self,
        reports: &[ArmyResult],
        takes_part: impl Fn(u32) -> bool,
    ) -> Cow<'_, [ArmyResult]> {
        if self == ResultVotes::Reference {
            return Cow::Borrowed(reports);
        }
        let is_last = |at: usize, report: &ArmyResult| {
            let mut later = reports[at + 1..].iter();
            !later.any(|other| other.is_about_the_same(report))
        };
        let counted = reports.iter().enumerate();
        let counted = counted.filter(|&(at, r)| takes_part(r.reporter) && is_last(at, r));
        Cow::Owned(counted.map(|(_, report)| report.clone()).collect())
    }

    /// Whether scores may decide a duel whatever the words say. A score that somebody else contradicts is one player's word
    /// about their own game: then the words decide, of which everybody has as many.
    pub(super) fn trusts_scores(self, reports: &[ArmyResult]) -> bool {
        let says = |reporter: u32, report: &ArmyResult| {
            let same = |r: &ArmyResult| r.army == report.army && r.score == report.score;
            reports.iter().any(|r| r.reporter == reporter && same(r))
        };
        let all_say = |report: &ArmyResult| reports.iter().all(|r| says(r.reporter, report));
        self == ResultVotes::Reference || reports.iter().all(all_say)
    }
}

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

impl ArmyResult {
    /// Whether it is the same reporter's word about the same army.
    pub(in crate::faf) fn is_about_the_same(&self, other: &ArmyResult) -> bool {
        (self.reporter, self.army) == (other.reporter, other.army)
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
pub(super) fn reported_score(reports: &[ArmyResult], army: i64) -> i64 {
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
pub(super) fn metadata(reports: &[ArmyResult], army: i64) -> Vec<String> {
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
