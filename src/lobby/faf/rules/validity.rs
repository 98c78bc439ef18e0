//! Whether a game counts, and if not, why (spec: faf-ratings-results 3). Pure.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::faf::model::{
    game::GameType,
    options::{OptionValue, Options, option},
};

/// `game_stats.validity`, by its number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[repr(u8)]
pub enum Validity {
    /// The game is rated.
    #[default]
    Valid = 0,
    /// The simulations differed too often.
    TooManyDesyncs = 1,
    /// Not the way to win that ratings are about.
    WrongVictoryCondition = 2,
    /// The map was not covered as usual.
    NoFogOfWar = 3,
    /// Cheats were allowed.
    CheatsEnabled = 4,
    /// Units at the start.
    PrebuiltEnabled = 5,
    /// A time without attacks.
    NorushEnabled = 6,
    /// Units were forbidden.
    BadUnitRestrictions = 7,
    /// The map is not ranked.
    BadMap = 8,
    /// Over too soon.
    TooShort = 9,
    /// A sim mod is not ranked.
    BadMod = 10,
    /// Coop games never count.
    CoopNotRanked = 11,
    /// In the table, but no rule of ours gives it.
    MutualDraw = 12,
    /// Nobody to play against.
    SinglePlayer = 13,
    /// Everybody for themselves.
    FfaNotRanked = 14,
    /// Teams of different sizes.
    UnevenTeamsNotRanked = 15,
    /// Nobody knows who won.
    UnknownResult = 16,
    /// Teams could change.
    UnlockedTeams = 17,
    /// More than two teams.
    MultiTeam = 18,
    /// Computer players took part.
    HasAiPlayers = 19,
    /// Coop: civilians were shown.
    CiviliansRevealed = 20,
    /// Coop: not the hardest.
    WrongDifficulty = 21,
    /// Coop: without expansion.
    ExpansionDisabled = 22,
    /// Coop: spawns were not fixed.
    SpawnNotFixed = 23,
    /// No other number fits; here: a game that could not be written down.
    OtherUnrank = 24,
    /// The host wanted it so.
    HostSetUnranked = 25,
}

impl Validity {
    /// Its number in `game_stats.validity`.
    pub fn number(self) -> u8 {
        self as u8
    }

    /// The value of a stored number.
    pub fn from_number(number: i64) -> Option<Self> {
        ALL.into_iter().find(|v| i64::from(v.number()) == number)
    }

    /// Its name in messages.
    pub fn name(self) -> &'static str {
        use Validity::*;
        match self {
            Valid => "VALID",
            TooManyDesyncs => "TOO_MANY_DESYNCS",
            WrongVictoryCondition => "WRONG_VICTORY_CONDITION",
            NoFogOfWar => "NO_FOG_OF_WAR",
            CheatsEnabled => "CHEATS_ENABLED",
            PrebuiltEnabled => "PREBUILT_ENABLED",
            NorushEnabled => "NORUSH_ENABLED",
            BadUnitRestrictions => "BAD_UNIT_RESTRICTIONS",
            BadMap => "BAD_MAP",
            TooShort => "TOO_SHORT",
            BadMod => "BAD_MOD",
            CoopNotRanked => "COOP_NOT_RANKED",
            MutualDraw => "MUTUAL_DRAW",
            SinglePlayer => "SINGLE_PLAYER",
            FfaNotRanked => "FFA_NOT_RANKED",
            UnevenTeamsNotRanked => "UNEVEN_TEAMS_NOT_RANKED",
            UnknownResult => "UNKNOWN_RESULT",
            UnlockedTeams => "UNLOCKED_TEAMS",
            MultiTeam => "MULTI_TEAM",
            HasAiPlayers => "HAS_AI_PLAYERS",
            CiviliansRevealed => "CIVILIANS_REVEALED",
            WrongDifficulty => "WRONG_DIFFICULTY",
            ExpansionDisabled => "EXPANSION_DISABLED",
            SpawnNotFixed => "SPAWN_NOT_FIXED",
            OtherUnrank => "OTHER_UNRANK",
            HostSetUnranked => "HOST_SET_UNRANKED",
        }
    }

    /// Before anything was checked.
    pub(in crate::faf) fn initial(game_type: GameType) -> Self {
        if game_type == GameType::Coop {
            Validity::CoopNotRanked
        } else {
            Validity::Valid
        }
    }
}

const ALL: [Validity; 26] = {
    use Validity::*;
    [
        Valid,
        TooManyDesyncs,
        WrongVictoryCondition,
        NoFogOfWar,
        CheatsEnabled,
        PrebuiltEnabled,
        NorushEnabled,
        BadUnitRestrictions,
        BadMap,
        TooShort,
        BadMod,
        CoopNotRanked,
        MutualDraw,
        SinglePlayer,
        FfaNotRanked,
        UnevenTeamsNotRanked,
        UnknownResult,
        UnlockedTeams,
        MultiTeam,
        HasAiPlayers,
        CiviliansRevealed,
        WrongDifficulty,
        ExpansionDisabled,
        SpawnNotFixed,
        OtherUnrank,
        HostSetUnranked,
    ]
};

/// A player's team: the option as the host set it, numbers of equal value being equal.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Team {
    /// The usual: 1 is no team, 2 and up are teams.
    Number(i64),
    /// Whatever else a mod may use.
    Other(Box<str>),
}

impl Team {
    /// Everybody in it is on their own.
    pub(in crate::faf) const NONE: Team = Team::Number(1);

    /// The team an option means.
    pub(in crate::faf) fn of(value: &OptionValue) -> Team {
        match as_number(value) {
            Some(number) if number.fract() == 0.0 && number.abs() < 1e15 => {
                Team::Number(number as i64)
            }
            _ => Team::Other(value.key().into()),
        }
    }
}

/// Players by team, as places in `teams`: teams by value in the order of their first, then those of Team 1, each for
/// themselves (spec: faf-ratings-results 3.2, "even teams"; faf-newer R2). `None` if somebody has no team.
pub(in crate::faf) fn sides(teams: &[Option<Team>]) -> Option<Vec<Vec<usize>>> {
    let mut sides: Vec<(&Team, Vec<usize>)> = Vec::new();
    let mut alone = Vec::new();
    for (place, team) in teams.iter().enumerate() {
        let team = team.as_ref()?;
        if *team == Team::NONE {
            alone.push(vec![place]);
            continue;
        }
        match sides.iter_mut().find(|(side, _)| *side == team) {
            Some((_, players)) => players.push(place),
            None => sides.push((team, vec![place])),
        }
    }
    let sides = sides.into_iter().map(|(_, players)| players);
    Some(sides.chain(alone).collect())
}

fn are_even(teams: &[Option<Team>]) -> bool {
    sides(teams).is_some_and(|sides| match sides.as_slice() {
        [] => true,
        [_] => false,
        [first, others @ ..] => others.iter().all(|side| side.len() == first.len()),
    })
}

/// What is looked at when a game is launched.
#[derive(Debug)]
pub(in crate::faf) struct Setup<'a> {
    /// Custom, coop or matchmaker: rules about the end differ.
    pub game_type: GameType,
    /// Uids of the active sim mods.
    pub sim_mods: Vec<&'a str>,
    /// Uids of all ranked ones.
    pub ranked_mods: &'a BTreeSet<String>,
    /// Whether a computer player is configured.
    pub has_ais: bool,
    /// Teams of the participants.
    pub teams: Vec<Option<Team>>,
    /// Options in the order they were first set.
    pub options: &'a Options,
}

/// The finding at launch, if there is one: it replaces the validity the game had before (spec: faf-ratings-results 3.2).
pub(in crate::faf) fn at_launch(setup: &Setup<'_>) -> Option<Validity> {
    let coop = setup.game_type == GameType::Coop;
    let unranked = |uid: &&str| !setup.ranked_mods.contains(*uid);
    if setup.sim_mods.iter().any(unranked) {
        return Some(Validity::BadMod);
    }
    if setup.has_ais {
        return Some(Validity::HasAiPlayers);
    }
    // N#1037: neither of the two for coop.
    if !coop && different(&setup.teams) > 2 {
        return Some(Validity::MultiTeam);
    }
    if !coop && setup.teams.len() >= 3 && setup.teams.contains(&Some(Team::NONE)) {
        return Some(Validity::FfaNotRanked);
    }
    if let Some(found) = setup
        .options
        .iter()
        .find_map(|(key, value)| bad_option(key, value))
    {
        return Some(found);
    }
    if coop {
        return bad_coop_setting(setup.options);
    }
    if setup.teams.len() < 2 {
        return Some(Validity::SinglePlayer);
    }
    if !are_even(&setup.teams) {
        return Some(Validity::UnevenTeamsNotRanked);
    }
    let victory = option(setup.options, "Victory").and_then(OptionValue::text);
    // N#1040: the second, too.
    (!matches!(victory, Some("DEMORALIZATION" | "DECAPITATION")))
        .then_some(Validity::WrongVictoryCondition)
}

fn different(teams: &[Option<Team>]) -> usize {
    let mut values: Vec<_> = teams.iter().collect();
    values.sort_unstable();
    values.dedup();
    values.len()
}

fn bad_option(key: &str, value: &OptionValue) -> Option<Validity> {
    let unless = |fine: bool, finding| (!fine).then_some(finding);
    match key {
        "AIReplacement" => unless(is_disabled(value), Validity::HasAiPlayers),
        "CheatsEnabled" => unless(is_disabled(value), Validity::CheatsEnabled),
        "FogOfWar" => unless(value.text() == Some("explored"), Validity::NoFogOfWar),
        "NoRushOption" => unless(is_disabled(value), Validity::NorushEnabled),
        "PrebuiltUnits" => unless(is_disabled(value), Validity::PrebuiltEnabled),
        "RestrictedCategories" => {
            unless(as_number(value) == Some(0.0), Validity::BadUnitRestrictions)
        }
        "TeamLock" => unless(value.text() == Some("locked"), Validity::UnlockedTeams),
        "Unranked" => unless(is_disabled(value), Validity::HostSetUnranked),
        _ => None,
    }
}

/// The first bad one decides, in this order.
fn bad_coop_setting(options: &Options) -> Option<Validity> {
    let setting = |key| option(options, key).unwrap_or(&OptionValue::Null);
    let findings = [
        (
            setting("Victory").text() == Some("SANDBOX"),
            Validity::WrongVictoryCondition,
        ),
        (
            setting("TeamSpawn").text() == Some("fixed"),
            Validity::SpawnNotFixed,
        ),
        (
            is_disabled(setting("RevealedCivilians")),
            Validity::CiviliansRevealed,
        ),
        (
            as_number(setting("Difficulty")) == Some(3.0),
            Validity::WrongDifficulty,
        ),
        (
            is_enabled(setting("Expansion")),
            Validity::ExpansionDisabled,
        ),
    ];
    let bad = findings.into_iter().find(|(fine, _)| !fine);
    bad.map(|(_, finding)| finding)
}

/// A number by value; truth values are 1 and 0, texts are none.
fn as_number(value: &OptionValue) -> Option<f64> {
    match value {
        OptionValue::Int(number) => Some(*number as f64),
        OptionValue::Float(number) => Some(*number),
        OptionValue::Bool(truth) => Some(f64::from(u8::from(*truth))),
        _ => None,
    }
}

fn is_disabled(value: &OptionValue) -> bool {
    as_number(value) == Some(0.0) || is_one_of(value, &["false", "off", "no"])
}

fn is_enabled(value: &OptionValue) -> bool {
    as_number(value) == Some(1.0) || is_one_of(value, &["true", "on", "yes"])
}

fn is_one_of(value: &OptionValue, words: &[&str]) -> bool {
    let text = value.text();
    text.is_some_and(|text| words.iter().any(|word| text.eq_ignore_ascii_case(word)))
}

/// How generated maps are named: `neroxis_map_generator_VERSION_SEED_OPTIONS`.
const GENERATED: &str = "neroxis_map_generator_";

/// Whether a folder is that of a generated map, which is ranked without being in the vault (spec: faf-lifecycle 11).
pub(in crate::faf) fn is_generated_map(folder: &str) -> bool {
    let Some(rest) = folder.strip_prefix(GENERATED) else {
        return false;
    };
    let parts: Vec<&str> = rest.split('_').collect();
    let base32 = |part: &str| {
        !part.is_empty() && part.bytes().all(|b| matches!(b, b'a'..=b'z' | b'2'..=b'7'))
    };
    let version =
        |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit() || b == b'.');
    matches!(parts[..], [number, seed, options] if version(number) && base32(seed) && base32(options))
}

#[cfg(test)]
#[path = "validity_tests.rs"]
mod tests;
