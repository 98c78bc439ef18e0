//! Every number of the table, in the order of the checks.

use super::*;
use crate::faf::model::options::{default_options, set};

struct Case {
    game_type: GameType,
    sim_mods: Vec<&'static str>,
    has_ais: bool,
    teams: Vec<Option<Team>>,
    options: Options,
}

fn text(text: &str) -> OptionValue {
    OptionValue::Text(text.into())
}

fn teams(numbers: &[i64]) -> Vec<Option<Team>> {
    numbers.iter().map(|&n| Some(Team::Number(n))).collect()
}

impl Case {
    fn new(game_type: GameType) -> Self {
        Case {
            game_type,
            sim_mods: Vec::new(),
            has_ais: false,
            teams: teams(&[2, 3]),
            options: default_options("scmp_007", game_type == GameType::Coop),
        }
    }

    fn set(mut self, key: &str, value: OptionValue) -> Self {
        assert!(set(&mut self.options, key, value, 64));
        self
    }

    fn teams(mut self, numbers: &[i64]) -> Self {
        self.teams = teams(numbers);
        self
    }

    fn found(&self) -> Option<Validity> {
        at_launch(&Setup {
            game_type: self.game_type,
            sim_mods: self.sim_mods.clone(),
            ranked_mods: &["ranked".to_owned()].into(),
            has_ais: self.has_ais,
            teams: self.teams.clone(),
            options: &self.options,
        })
    }
}

fn custom() -> Case {
    Case::new(GameType::Custom)
}

fn coop() -> Case {
    Case::new(GameType::Coop)
}

// checklist: faf 444
#[test]
fn each_bad_option_gives_its_number() {
    for (key, value, number) in [
        ("Victory", text("DOMINATION"), 2),
        ("Victory", text("SANDBOX"), 2),
        ("FogOfWar", text("none"), 3),
        ("FogOfWar", text("Explored"), 3),
        ("CheatsEnabled", text("true"), 4),
        ("CheatsEnabled", OptionValue::Null, 4),
        ("PrebuiltUnits", text("On"), 5),
        ("NoRushOption", text("5"), 6),
        ("RestrictedCategories", OptionValue::Int(1), 7),
        ("RestrictedCategories", text("0"), 7),
        ("TeamLock", text("unlocked"), 17),
        ("AIReplacement", text("On"), 19),
        ("Unranked", text("Yes"), 25),
    ] {
        let found = custom().set(key, value.clone()).found();
        assert_eq!(found.map(Validity::number), Some(number), "{key} {value:?}");
    }
    assert_eq!(custom().found(), None);
    assert_eq!(Case::new(GameType::Matchmaker).found(), None);
}

// checklist: faf 460
#[test]
fn decapitation_is_rated() {
    assert_eq!(custom().set("Victory", text("DECAPITATION")).found(), None);
}

// checklist: faf 447
#[test]
fn many_words_mean_disabled() {
    for value in [
        text("Off"),
        text("No"),
        text("false"),
        text("FALSE"),
        OptionValue::Bool(false),
        OptionValue::Int(0),
        OptionValue::Float(0.0),
    ] {
        for key in [
            "AIReplacement",
            "CheatsEnabled",
            "NoRushOption",
            "PrebuiltUnits",
            "Unranked",
        ] {
            assert_eq!(
                custom().set(key, value.clone()).found(),
                None,
                "{key} {value:?}"
            );
        }
    }
}

// checklist: faf 445, 446
#[test]
fn the_first_finding_in_the_order_of_the_checks_decides() {
    // Everything is wrong at once, and put right one after the other.
    let mut case = custom().teams(&[1, 2, 3]).set("Victory", text("SANDBOX"));
    for key in [
        "Unranked",
        "TeamLock",
        "RestrictedCategories",
        "PrebuiltUnits",
        "NoRushOption",
        "FogOfWar",
        "CheatsEnabled",
        "AIReplacement",
    ] {
        case = case.set(key, text("x"));
    }
    case.sim_mods = vec!["ranked", "other"];
    case.has_ais = true;
    let mut found = vec![case.found()];
    case.sim_mods = vec!["ranked"];
    found.push(case.found());
    case.has_ais = false;
    found.push(case.found());
    case.teams = teams(&[1, 1, 2]);
    found.push(case.found());
    case.teams = teams(&[2]);
    for (key, value) in [
        ("AIReplacement", text("off")),
        ("CheatsEnabled", text("off")),
        ("FogOfWar", text("explored")),
        ("NoRushOption", text("off")),
        ("PrebuiltUnits", text("off")),
        ("RestrictedCategories", OptionValue::Int(0)),
        ("TeamLock", text("locked")),
        ("Unranked", text("off")),
    ] {
        found.push(case.found());
        case = case.set(key, value);
    }
    found.push(case.found());
    case.teams = teams(&[2, 2, 3]);
    found.push(case.found());
    case.teams = teams(&[2, 3]);
    found.push(case.found());
    case = case.set("Victory", text("DEMORALIZATION"));
    assert_eq!(case.found(), None);
    let numbers: Vec<u8> = found
        .into_iter()
        .map(|v| v.expect("a finding").number())
        .collect();
    assert_eq!(
        numbers,
        [10, 19, 18, 14, 19, 4, 3, 6, 5, 7, 17, 25, 13, 15, 2]
    );
}

#[test]
fn an_option_that_was_set_later_is_looked_at_later() {
    let mut case = custom().set("TeamLock", text("x"));
    let at = case
        .options
        .iter()
        .position(|(key, _)| **key == *"CheatsEnabled");
    case.options.remove(at.expect("it has a default"));
    let case = case.set("CheatsEnabled", text("true"));
    assert_eq!(case.found(), Some(Validity::UnlockedTeams));
}

// checklist: faf 451, 452, 453
#[test]
fn teams_count_by_value() {
    assert_eq!(custom().teams(&[1, 1]).found(), None);
    assert_eq!(
        custom().teams(&[1, 1, 1]).found(),
        Some(Validity::FfaNotRanked)
    );
    assert_eq!(
        custom().teams(&[2, 3, 4]).found(),
        Some(Validity::MultiTeam)
    );
    assert_eq!(
        custom().teams(&[2, 2]).found(),
        Some(Validity::UnevenTeamsNotRanked)
    );
    assert_eq!(custom().teams(&[1, 2]).found(), None);
    assert_eq!(custom().teams(&[]).found(), Some(Validity::SinglePlayer));
    assert_eq!(custom().teams(&[2, 2, 3, 3]).found(), None);
    // Nobody's team is a value, too.
    let mut case = custom().teams(&[2, 3]);
    case.teams.push(None);
    assert_eq!(case.found(), Some(Validity::MultiTeam));
    case.teams = vec![Some(Team::Number(2)), None];
    assert_eq!(case.found(), Some(Validity::UnevenTeamsNotRanked));
    let (two, float) = (OptionValue::Int(2), OptionValue::Float(2.0));
    assert_eq!(Team::of(&two), Team::of(&float));
    assert_ne!(Team::of(&two), Team::of(&text("2")));
}

// checklist: faf 458
#[test]
fn coop_settings_have_their_own_numbers_and_order() {
    assert_eq!(coop().found(), None);
    assert_eq!(coop().teams(&[1]).found(), None);
    let mut case = coop()
        .set("Victory", text("DEMORALIZATION"))
        .set("TeamSpawn", text("random"))
        .set("RevealedCivilians", text("Yes"))
        .set("Difficulty", text("3"))
        .set("Expansion", text("maybe"));
    let mut numbers = Vec::new();
    for (key, value) in [
        ("Victory", text("SANDBOX")),
        ("TeamSpawn", text("fixed")),
        ("RevealedCivilians", text("off")),
        ("Difficulty", OptionValue::Int(3)),
        ("Expansion", text("YES")),
    ] {
        numbers.push(case.found().expect("a finding").number());
        case = case.set(key, value);
    }
    assert_eq!((numbers, case.found()), (vec![2, 23, 20, 21, 22], None));
    assert_eq!(
        coop().set("FogOfWar", text("x")).found(),
        Some(Validity::NoFogOfWar)
    );
}

// checklist: faf 459
#[test]
fn coop_may_have_any_teams() {
    assert_eq!(coop().teams(&[1, 1, 1]).found(), None);
    assert_eq!(coop().teams(&[2, 3, 4, 5]).found(), None);
}

#[test]
fn numbers_and_names_are_those_of_the_table() {
    for (place, validity) in ALL.into_iter().enumerate() {
        assert_eq!(usize::from(validity.number()), place);
        assert_eq!(Validity::from_number(place as i64), Some(validity));
    }
    assert_eq!(Validity::from_number(26), None);
    assert_eq!(
        Validity::UnevenTeamsNotRanked.name(),
        "UNEVEN_TEAMS_NOT_RANKED"
    );
}

// checklist: faf 449, 450
#[test]
fn generated_maps_are_known_by_their_whole_name() {
    for good in [
        "neroxis_map_generator_1.8.5_aaaaa_bb27",
        "neroxis_map_generator_1_a_b",
    ] {
        assert!(is_generated_map(good), "{good}");
    }
    for bad in [
        "neroxis_map_generator_sneaky_map",
        "neroxis_map_generator_1.8.5_aaaaa",
        "neroxis_map_generator_1.8.5_aaaaa_bb27_cc",
        "neroxis_map_generator_1.8.5_aaaaa_bb18",
        "neroxis_map_generator_1.8.5__a",
        "neroxis_map_generator_v1_a_a",
        "x_neroxis_map_generator_1.8.5_a_a",
        "scmp_007",
    ] {
        assert!(!is_generated_map(bad), "{bad}");
    }
}
