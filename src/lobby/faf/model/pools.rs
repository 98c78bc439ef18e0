//! Queues and map pools as the database has them, and which pool a match plays (spec: faf-matchmaking 1, 2, 9.1, 9.5).

use std::{fmt::Write, sync::Arc};

use serde::{Deserialize, Serialize};

use crate::faf::model::options::OptionValue;

/// Letters of base 32 (RFC 4648), as generated map names have them.
const BASE32: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";
/// Map sizes are multiples of this; a name has the number of times in one byte.
const SIZE_STEP: u32 = 64;

/// A queue players can search in.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct QueueSetup {
    /// Row.
    pub id: u32,
    /// Its technical name, by which clients know it.
    pub name: Box<str>,
    /// What its games play.
    pub featured_mod: Box<str>,
    /// Technical name of its leaderboard.
    pub rating_type: Box<str>,
    /// Players in each team.
    pub team_size: u32,
    /// Options every game gets.
    pub game_options: Vec<(Box<str>, OptionValue)>,
    /// Where most displayed ratings are (spec: faf-matchmaking 3.4).
    pub rating_peak: f64,
    /// Which players play which maps; the first that fits.
    pub brackets: Vec<Bracket>,
}

/// The maps for players of some range of ratings.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Bracket {
    /// Row; clients name it in their vetoes.
    pub id: u32,
    /// Displayed rating, from, inclusive.
    pub min_rating: Option<f64>,
    /// To, inclusive.
    pub max_rating: Option<f64>,
    /// What can be vetoed.
    pub vetoes: VetoRules,
    /// The maps.
    pub pool: Arc<MapPool>,
}

/// How many maps of a bracket a player can veto (N#1033).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct VetoRules {
    /// Tokens each player may give.
    pub tokens_per_player: u32,
    /// Tokens that ban a map; 0: as many as leave enough maps.
    pub max_tokens_per_map: u32,
    /// So many maps stay in any case, if the tokens per map are not fixed.
    pub minimum_maps_after_veto: f64,
}

/// Maps a match may be played on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MapPool {
    /// Row.
    pub id: u32,
    /// For the log.
    pub name: Box<str>,
    /// In table order.
    pub entries: Vec<PoolEntry>,
}

/// One map of a pool.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PoolEntry {
    /// Row; clients name it in their vetoes.
    pub id: u32,
    /// How often it is chosen, compared with the others.
    pub weight: f64,
    /// The map.
    pub map: PoolMap,
}

/// A map of a pool.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum PoolMap {
    /// One that exists.
    Vault {
        /// Row of the map's version.
        version_id: u32,
        /// Its folder.
        folder: Box<str>,
    },
    /// One that every match makes anew.
    Generated(Generated),
}

/// What a generated map is made from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Generated {
    /// Of the generator.
    pub version: Box<str>,
    /// Places for players.
    pub spawns: u8,
    /// Length of a side, in steps of 64.
    pub steps: u8,
}

/// Which rating of a match decides about its bracket (spec: faf-lifecycle 16, `MAP_POOL_RATING_SELECTION`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RatingSelection {
    /// The mean of all.
    #[default]
    Mean,
    /// The lowest.
    Min,
    /// The highest.
    Max,
}

settings::words! { RatingSelection { Mean = "mean", Min = "min", Max = "max" } }

impl RatingSelection {
    /// The rating of a match between players with these displayed ratings.
    pub fn of(self, displayed: &[f64]) -> f64 {
        let all = displayed.iter().copied();
        match self {
            RatingSelection::Mean => all.sum::<f64>() / displayed.len() as f64,
            RatingSelection::Min => all.fold(f64::INFINITY, f64::min),
            RatingSelection::Max => all.fold(f64::NEG_INFINITY, f64::max),
        }
    }
}

impl QueueSetup {
    /// The options in the text of a queue's parameters; the error says what is wrong with it
    /// (spec: faf-matchmaking 2, 8.2).
    pub fn game_options_of(params: &str) -> Result<Vec<(Box<str>, OptionValue)>, String> {
        let params: serde_json::Value =
            serde_json::from_str(params).map_err(|error| error.to_string())?;
        let options = params
            .get("GameOptions")
            .and_then(|found| found.as_object());
        let options = options.into_iter().flatten();
        Ok(options
            .map(|(name, value)| (name.as_str().into(), OptionValue::from_json(value)))
            .collect())
    }

    /// The bracket for this rating (spec: faf-matchmaking 9.1).
    pub fn bracket(&self, rating: f64) -> Option<&Bracket> {
        self.brackets.iter().find(|bracket| {
            bracket.min_rating.is_none_or(|min| rating >= min)
                && bracket.max_rating.is_none_or(|max| rating <= max)
        })
    }
}

impl MapPool {
    /// A pool of these entries. Generated maps made from the same parameters are one map: it stands where the first of
    /// them stood, and is the last of them (spec: faf-matchmaking 9.5).
    pub fn new(id: u32, name: Box<str>, rows: impl IntoIterator<Item = PoolEntry>) -> Self {
        let mut entries: Vec<PoolEntry> = Vec::new();
        for row in rows {
            let twin = |known: &&mut PoolEntry| {
                matches!(row.map, PoolMap::Generated(_)) && known.map == row.map
            };
            match entries.iter_mut().find(twin) {
                Some(known) => *known = row,
                None => entries.push(row),
            }
        }
        MapPool { id, name, entries }
    }
}

#[derive(Deserialize)]
struct Parameters {
    r#type: String,
    size: i64,
    spawns: i64,
    version: String,
}

impl Generated {
    /// From the text of a pool's row; the error says what is wrong with it (spec: faf-matchmaking 2).
    pub fn parse(text: &str) -> Result<Self, String> {
        let wanted: Parameters = serde_json::from_str(text).map_err(|error| error.to_string())?;
        if wanted.r#type != "neroxis" {
            return Err(format!("unknown generator {}", wanted.r#type));
        }
        let step = i64::from(SIZE_STEP);
        if wanted.size <= 0 || wanted.size % step != 0 {
            return Err(format!("size {} is no multiple of {step}", wanted.size));
        }
        if wanted.spawns % 2 != 0 {
            return Err(format!("odd number of spawns {}", wanted.spawns));
        }
        let byte = |number: i64| u8::try_from(number).map_err(|_| format!("{number} is too much"));
        Ok(Generated {
            version: wanted.version.into(),
            spawns: byte(wanted.spawns)?,
            steps: byte(wanted.size / step)?,
        })
    }

    /// The folder of the map this seed gives.
    pub fn folder(&self, seed: [u8; 8]) -> String {
        let mut folder = String::from("neroxis_map_generator_");
        write!(folder, "{}_", self.version).expect("writing to a string cannot fail");
        base32(&seed, &mut folder);
        folder.push('_');
        base32(&[self.spawns, self.steps], &mut folder);
        folder
    }
}

/// RFC 4648 base 32 in lower case, without padding.
fn base32(bytes: &[u8], out: &mut String) {
    let (mut bits, mut count) = (0_u32, 0);
    for &byte in bytes {
        bits = bits << 8 | u32::from(byte);
        count += 8;
        while count >= 5 {
            count -= 5;
            out.push(char::from(BASE32[(bits >> count & 31) as usize]));
        }
    }
    if count > 0 {
        out.push(char::from(BASE32[(bits << (5 - count) & 31) as usize]));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bracket(id: u32, min: Option<f64>, max: Option<f64>) -> Bracket {
        Bracket {
            id,
            min_rating: min,
            max_rating: max,
            vetoes: VetoRules {
                tokens_per_player: 0,
                max_tokens_per_map: 1,
                minimum_maps_after_veto: 1.0,
            },
            pool: Arc::new(MapPool::new(id, "".into(), [])),
        }
    }

    // checklist: faf 377
    #[test]
    fn the_first_bracket_whose_inclusive_bounds_fit_is_played() {
        let queue = QueueSetup {
            id: 1,
            name: "ladder1v1".into(),
            featured_mod: "ladder1v1".into(),
            rating_type: "ladder_1v1".into(),
            team_size: 1,
            game_options: Vec::new(),
            rating_peak: 1000.0,
            brackets: vec![
                bracket(1, Some(-100.0), Some(800.0)),
                bracket(2, Some(800.0), None),
                bracket(3, Some(1000.0), None),
            ],
        };
        let of = |rating| queue.bracket(rating).map(|bracket| bracket.id);
        assert_eq!(of(-100.5), None);
        assert_eq!(of(-100.0), Some(1));
        assert_eq!(of(800.0), Some(1));
        assert_eq!(of(800.5), Some(2));
        assert_eq!(of(1000.0), Some(2));
    }

    // checklist: faf 378
    #[test]
    fn the_rating_of_a_match_can_be_its_mean_or_an_extreme() {
        let displayed = [100.0, 500.0, 900.0, 100.0];
        assert_eq!(RatingSelection::Mean.of(&displayed), 400.0);
        assert_eq!(RatingSelection::Min.of(&displayed), 100.0);
        assert_eq!(RatingSelection::Max.of(&displayed), 900.0);
    }

    // checklist: faf 398
    #[test]
    fn generated_maps_are_named_after_seed_and_parameters() {
        let map = |size, spawns| {
            let text = format!(
                r#"{{"type":"neroxis","size":{size},"spawns":{spawns},"version":"0.0.0"}}"#
            );
            Generated::parse(&text).unwrap()
        };
        let seed = [0x7b, 0x02, 0x94, 0x27, 0x8f, 0x9d, 0x9d, 0xda];
        let folder = map(512, 2).folder(seed);
        let (head, options) = folder.rsplit_once('_').unwrap();
        assert_eq!(options, "aiea");
        assert_eq!(head, "neroxis_map_generator_0.0.0_pmbjij4ptwo5u");
        assert!(map(1024, 6).folder(seed).ends_with("_ayia"));
    }

    // checklist: faf 375
    #[test]
    fn parameters_of_a_queue_may_have_game_options() {
        let text = r#"{"GameOptions":{"Share":"ShareUntilDeath","UnitCap":500,"Bans":["x"]}}"#;
        let options = QueueSetup::game_options_of(text).unwrap();
        assert_eq!(
            options,
            [
                ("Bans".into(), OptionValue::Json(r#"["x"]"#.into())),
                ("Share".into(), OptionValue::Text("ShareUntilDeath".into())),
                ("UnitCap".into(), OptionValue::Int(500)),
            ]
        );
        for none in ["{}", "null", "[]", r#"{"GameOptions":{}}"#] {
            assert_eq!(QueueSetup::game_options_of(none), Ok(Vec::new()));
        }
        assert!(QueueSetup::game_options_of(r#"{"GameOptions": {"Share""#).is_err());
    }

    // checklist: faf 399
    #[test]
    fn bad_parameters_of_generated_maps_are_refused() {
        for text in [
            "{",
            r#"{"type":"other","size":512,"spawns":2,"version":"0.0.0"}"#,
            r#"{"type":"neroxis","size":512,"spawns":2}"#,
            r#"{"type":"neroxis","size":0,"spawns":2,"version":"0.0.0"}"#,
            r#"{"type":"neroxis","size":-64,"spawns":2,"version":"0.0.0"}"#,
            r#"{"type":"neroxis","size":500,"spawns":2,"version":"0.0.0"}"#,
            r#"{"type":"neroxis","size":512,"spawns":3,"version":"0.0.0"}"#,
            r#"{"type":"neroxis","size":512,"spawns":300,"version":"0.0.0"}"#,
            r#"{"type":"neroxis","size":65536,"spawns":2,"version":"0.0.0"}"#,
        ] {
            assert!(Generated::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn equal_generated_maps_are_one_entry() {
        let entry = |id, spawns| PoolEntry {
            id,
            weight: f64::from(id),
            map: PoolMap::Generated(Generated {
                version: "1.0".into(),
                spawns,
                steps: 8,
            }),
        };
        let pool = MapPool::new(1, "".into(), [entry(1, 2), entry(2, 4), entry(3, 2)]);
        assert_eq!(pool.entries, [entry(3, 2), entry(2, 4)]);
    }
}
