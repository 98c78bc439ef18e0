//! Achievements and events from a game's army statistics (spec: faf-ratings-results 9). Pure; the tables are data.
//!
//! A shard judges a report when it comes, since one that can't be read may take nobody's place, and decides whose turn it is. What
//! is in it is found in the back office: a game's may be a hundred kilobytes.

use std::sync::Arc;

use Category::*;
use Operation::*;
use serde::{Deserialize, Serialize};

use crate::{
    Event,
    faf::{
        model::{limits, ratings::LADDER},
        rules::results::ArmyOutcome,
    },
};
use wire::json::{Doc, Extent, JsonReader, MAX_DEPTH, Outline, Value};

/// Players whose statistics are to be looked at.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Statistics {
    /// Reported army statistics, JSON text. Earlier versions have put down some, the newest last: the newest that can be read counts.
    pub texts: Vec<Arc<str>>,
    /// Leaderboard of the game.
    pub rating_type: Box<str>,
    /// The players whose statistics are handed on.
    pub players: Vec<Subject>,
}

/// Somebody whose statistics are to be looked at.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Subject {
    /// Account id of the player (`login.id`).
    pub id: u32,
    /// Their name, which is that of their army.
    pub login: Box<str>,
    /// What became of their army.
    pub outcome: ArmyOutcome,
}

/// Kinds of units that are counted together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Category {
    Air,
    Land,
    Naval,
    Experimental,
    Transportation,
    Sacu,
    Cdr,
    Tech1,
    Tech2,
    Tech3,
    Engineer,
}

/// Their names, in the order of the enum.
const CATEGORIES: [&str; 11] = [
    "air",
    "land",
    "naval",
    "experimental",
    "transportation",
    "sacu",
    "cdr",
    "tech1",
    "tech2",
    "tech3",
    "engineer",
];

const UEF: i64 = 1;
const AEON: i64 = 2;
const CYBRAN: i64 = 3;
const SERAPHIM: i64 = 4;

/// The commanders, whose lowest health is looked at.
const COMMANDERS: [&str; 4] = ["ual0001", "url0001", "uel0001", "xsl0001"];

/// What happens to an achievement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Operation {
    Unlock,
    Increment,
    AtLeast,
}

/// How much; 0: nothing happens.
type Count = fn(&Facts<'_>) -> i64;

/// How much, what happens, to which achievements.
type Rule = (Count, Operation, &'static [&'static str]);

/// In the order of processing, each under the names of its achievements.
#[rustfmt::skip]
const ACHIEVEMENTS: &[Rule] = &[
    // first success
    (|f| yes(f.won && f.ladder), Unlock, &["5b7ec244-58c0-40ca-9d68-746b784f0cad"]),
    // novice, junior, senior, veteran, addict
    (|_| 1, Increment, &["c6e6039f-c543-424e-ab5f-b34df1336e81", "d5c759fe-a1a8-4103-888d-3ba319562867", "6a37e2fc-1609-465e-9eca-91eeda4e63c4", "bd12277a-6604-466a-9ee6-af6908573585", "805f268c-88aa-4073-aa2b-ea30700f70d6"]),
    // aurora, blaze, serenity
    (|f| yes(f.won && f.faction == AEON), Increment, &["d656ade4-e054-415a-a2e9-5f4105f7d724", "06a39447-66a3-4160-93d5-d48337b0cbb5", "7f993f98-dbec-41a5-9c9a-5f85edf30767"]),
    // mantis, wagner, trebuchet
    (|f| yes(f.won && f.faction == CYBRAN), Increment, &["d1d50fbb-7fe9-41b0-b667-4433704b8a2c", "af161922-3e52-4600-9161-d850ab0fae86", "ff23024e-f533-4e23-8f8f-ecc21d5283f8"]),
    // ma12 striker, riptide, demolisher
    (|f| yes(f.won && f.faction == UEF), Increment, &["1a3ad9e0-53eb-47d0-9404-14dbcefbed9b", "326493d7-ce2c-4a43-bbc8-3e990e2685a1", "7d6d8c55-3e2a-41d0-a97e-d35513af1ec6"]),
    // thaam, yenzyne, suthanus
    (|f| yes(f.won && f.faction == SERAPHIM), Increment, &["c964ac69-b146-43d0-bd7a-cd22144f9983", "7aa7fc88-48a2-4e49-9cd7-35e2f6ce4cec", "6acc8bc6-1fd3-4c33-97a1-85dfed6d167a"]),
    // wright brother, wingman, king of the skies
    (|f| f.mostly(Air), Increment, &["c1ccde26-8449-4625-b769-7d8f75fa8df3", "a4ade3d4-d541-473f-9788-e92339446d75", "e220d5e6-481c-4347-ac69-b6b6f956bc0f"]),
    // militiaman, grenadier, field marshal
    (|f| f.mostly(Land), Increment, &["e5c63aec-20a0-4263-841d-b7bc45209713", "ec8faec7-e3e1-436e-a1ac-9f7adc3d0387", "10f17c75-1154-447d-a4f7-6217add0407e"]),
    // landlubber, seaman, admiral of the fleet
    (|f| f.mostly(Naval), Increment, &["53173f4d-450c-46f0-ac59-85834cc74972", "2d5cd544-4fc8-47b9-8ebb-e72ed6423d51", "bd77964b-c06b-4649-bf7c-d35cb7715854"]),
    // dr evil
    (|f| f.if_won(f.built(Experimental)), Increment, &["a6b7dfa1-1ebc-4c6d-9305-4a9d623e1b4f"]),
    // techie, i love big toys, experimentalist
    (|f| yes(f.won && f.built(Experimental) >= 3), Increment, &["06b19364-5aab-4bce-883d-975f663d2091", "cd64c5e7-b063-4543-9f52-0e87883b33a9", "e8af7cc9-aaa6-4d0e-8e5a-481702a83a4e"]),
    // dont mess with me
    (|f| f.commander_kills, Increment, &["2103e0de-1c87-4fba-bc1b-0bba66669607"]),
    // hattrick
    (|f| yes(f.won && f.commander_kills >= 3), Unlock, &["08629902-8e18-4d92-ad14-c8ecde4a8674"]),
    // no mercy
    (|f| f.blueprint("daa0206"), Increment, &["f0cde5d8-4933-4074-a2fb-819074d21abd"]),
    // deadly bugs
    (|f| f.blueprint("xrl0302"), Increment, &["e7645e7c-7456-48a8-a562-d97521498e7e"]),
    // rainmaker
    (|f| f.if_won(f.blueprint("xab2307")), Unlock, &["50260d04-90ff-45c8-816b-4ad8d7b97ecd"]),
    // nuclear war
    (|f| f.if_won(f.blueprint("xsb2401")), Unlock, &["9ad697bb-441e-45a5-b682-b9227e8eef3e"]),
    // so much resources
    (|f| f.if_won(f.blueprint("xab1401")), Unlock, &["46a6e900-88bb-4eae-92d1-4f31b53faedc"]),
    // it aint a city
    (|f| f.blueprint("ues0401"), Increment, &["a909629f-46f5-469e-afd1-192d42f55e4d"]),
    // stormy sea
    (|f| f.blueprint("uas0401"), Increment, &["e603f306-ba6b-4507-9556-37a308e5a722"]),
    // make it hail
    (|f| f.if_won(f.blueprint("url0401")), Unlock, &["987ca192-26e1-4b96-b593-40c115451cc0"]),
    // i have a canon
    (|f| f.if_won(f.blueprint("ueb2401")), Unlock, &["31a728f8-ace9-45fa-a3f2-57084bc9e461"]),
    // death from above
    (|f| f.blueprint("uaa0310"), Increment, &["539da20b-5026-4c49-8e22-e4a305d58845"]),
    // ass washer
    (|f| f.blueprint("xsa0402"), Increment, &["60d1e60d-036b-491e-a992-2b18321848c2"]),
    // alien invasion
    (|f| f.blueprint("xsl0401"), Increment, &["1f140add-b0ae-4e02-91a0-45d62b988a22"]),
    // fatter is better
    (|f| f.blueprint("uel0401"), Increment, &["ab241de5-e773-412e-b073-090da8e38c4c"]),
    // arachnologist
    (|f| f.blueprint("url0402"), Increment, &["a1f87fb7-67ca-4a86-afc6-f23a41b40e9f"]),
    // incoming robots
    (|f| f.blueprint("ual0401"), Increment, &["1c8fcb6f-a5b6-497f-8b0d-ac5ac6fef408"]),
    // flying death
    (|f| f.blueprint("ura0401"), Increment, &["a98fcfaf-29ac-4526-84c2-44f284518f8c"]),
    // holy crab
    (|f| f.blueprint("xrl0403"), Increment, &["db141e87-5818-435f-80a3-08cc6f1fdac6"]),
    // what a swarm
    (|f| f.blueprints(&["uaa0303", "ura0303", "uea0303", "xsa0303"]), AtLeast, &["045342e1-ae0d-4ef6-98bc-0bb54ffe00b3"]),
    // the transporter
    (|f| f.built(Transportation), Increment, &["d38aec23-e487-4aa2-899e-418e29ffbd36"]),
    // who needs support
    (|f| f.built(Sacu), AtLeast, &["eb1ee9ab-4828-417b-b3e8-c8281ee7a353"]),
    // that was close
    (|f| yes(f.won && 0.0 < f.commander_health && f.commander_health < 500.0), Unlock, &["290df67c-eb01-4fe7-9e32-caae1c10442f"]),
    // top score
    (|f| yes(f.top_scorer && f.humans >= 8), Unlock, &["305a8d34-42fd-42f3-ba91-d9f5e437a9a6"]),
    // unbeatable
    (|f| yes(f.top_scorer && f.humans >= 8), Increment, &["d3d2c78b-d42d-4b65-99b8-a350f119f898"]),
];

/// In order; a count of 0 is left out.
#[rustfmt::skip]
const EVENTS: &[(Count, &str)] = &[
    // Aeon plays / wins
    (|f| yes(f.faction == AEON), "96ccc66a-c5a0-4f48-acaa-888b00778b57"),
    (|f| yes(f.won && f.faction == AEON), "a6b51c26-64e6-4e7a-bda7-ea1cfe771ebb"),
    // Cybran plays / wins
    (|f| yes(f.faction == CYBRAN), "ad193982-e7ca-465c-80b0-5493f9739559"),
    (|f| yes(f.won && f.faction == CYBRAN), "56b06197-1890-42d0-8b59-25e1add8dc9a"),
    // UEF plays / wins
    (|f| yes(f.faction == UEF), "1b900d26-90d2-43d0-a64e-ed90b74c3704"),
    (|f| yes(f.won && f.faction == UEF), "7be6fdc5-7867-4467-98ce-f7244a66625a"),
    // Seraphim plays / wins
    (|f| yes(f.faction == SERAPHIM), "fefcb392-848f-4836-9683-300b283bc308"),
    (|f| yes(f.won && f.faction == SERAPHIM), "15b6c19a-6084-4e82-ada9-6c30e282191f"),
    // built air / lost air
    (|f| f.built(Air), "3ebb0c4d-5e92-4446-bf52-d17ba9c5cd3c"),
    (|f| f.lost(Air), "225e9b2e-ae09-4ae1-a198-eca8780b0fcd"),
    // built land / lost land
    (|f| f.built(Land), "ea123d7f-bb2e-4a71-bd31-88859f0c3c00"),
    (|f| f.lost(Land), "a1a3fd33-abe2-4e56-800a-b72f4c925825"),
    // built naval / lost naval
    (|f| f.built(Naval), "b5265b42-1747-4ba1-936c-292202637ce6"),
    (|f| f.lost(Naval), "3a7b3667-0f79-4ac7-be63-ba841fd5ef05"),
    // lost ACUs
    (|f| f.lost(Cdr), "d6a699b7-99bc-4a7f-b128-15e1e289a7b3"),
    // built tech1 / lost
    (|f| f.built(Tech1), "a8ee4f40-1e30-447b-bc2c-b03065219795"),
    (|f| f.lost(Tech1), "3dd3ed78-ce78-4006-81fd-10926738fbf3"),
    // built tech2 / lost
    (|f| f.built(Tech2), "89d4f391-ed2d-4beb-a1ca-6b93db623c04"),
    (|f| f.lost(Tech2), "aebd750b-770b-4869-8e37-4d4cfdc480d0"),
    // built tech3 / lost
    (|f| f.built(Tech3), "92617974-8c1f-494d-ab86-65c2a95d1486"),
    (|f| f.lost(Tech3), "7f15c2be-80b7-4573-8f41-135f84773e0f"),
    // built experimentals / lost
    (|f| f.built(Experimental), "ed9fd79d-5ec7-4243-9ccf-f18c4f5baef1"),
    (|f| f.lost(Experimental), "701ca426-0943-4931-85af-6a08d36d9aaa"),
    // built engineers / lost
    (|f| f.built(Engineer), "60bb1fc0-601b-45cd-bd26-83b1a1ac979b"),
    (|f| f.lost(Engineer), "e8e99a68-de1b-4676-860d-056ad2207119"),
];

/// What is known about one player's game.
struct Facts<'d> {
    won: bool,
    ladder: bool,
    faction: i64,
    humans: usize,
    top_scorer: bool,
    built: [i64; CATEGORIES.len()],
    lost: [i64; CATEGORIES.len()],
    commander_kills: i64,
    commander_health: f64,
    blueprints: Option<Value<'d>>,
}

fn yes(condition: bool) -> i64 {
    condition.into()
}

impl Facts<'_> {
    fn if_won(&self, count: i64) -> i64 {
        if self.won { count } else { 0 }
    }

    fn built(&self, category: Category) -> i64 {
        self.built[category as usize]
    }

    fn lost(&self, category: Category) -> i64 {
        self.lost[category as usize]
    }

    /// Won, and more of these than of either other kind.
    fn mostly(&self, category: Category) -> i64 {
        let mut others = [Air, Land, Naval]
            .into_iter()
            .filter(|&other| other != category);
        let most = others.all(|other| self.built(category) > self.built(other));
        yes(self.won && most)
    }

    fn blueprint(&self, id: &str) -> i64 {
        let blueprint = self.blueprints.and_then(|all| all.get(id));
        blueprint.map_or(0, |blueprint| integer(blueprint, "built"))
    }

    fn blueprints(&self, ids: &[&str]) -> i64 {
        ids.iter()
            .fold(0, |sum, id| sum.saturating_add(self.blueprint(id)))
    }
}

/// A whole number under a key; 0 if there is none.
fn integer(object: Value<'_>, key: &str) -> i64 {
    // A float too large for a whole number becomes the largest one.
    object
        .get(key)
        .and_then(|v| v.as_i64().or(v.as_f64().map(|f| f as i64)))
        .unwrap_or(0)
}

/// The facts about a player, if their statistics count at all (spec: faf-ratings-results 9.2, 9.3).
fn facts<'d>(stats: Value<'d>, who: &Subject, rating_type: &str) -> Option<Facts<'d>> {
    let text = |army: &Value<'d>, key| army.get(key).and_then(|value| value.as_str());
    let is_human = |army: &Value<'d>| text(army, "type") == Some("Human");
    let is_opponent = |army: &Value<'d>| {
        text(army, "type") == Some("AI") && text(army, "name") != Some("civilian")
    };
    let humans = stats.elements().filter(is_human).count();
    if stats.elements().any(|army| is_opponent(&army))
        || humans < 2
        || who.outcome == ArmyOutcome::Unknown
    {
        return None;
    }
    let mut top: Option<(f64, &str)> = None;
    for army in stats.elements().filter(is_human) {
        let score = army
            .get("general")
            .and_then(|general| general.get("score")?.as_f64());
        let (score, name) = (
            score.unwrap_or(0.0),
            text(&army, "name").unwrap_or_default(),
        );
        if score > top.map_or(0.0, |(best, _)| best) {
            top = Some((score, name));
        }
    }
    let army = stats
        .elements()
        .find(|army| text(army, "name") == Some(&who.login))?;
    let units = army.get("units")?;
    let (mut built, mut lost) = ([0; CATEGORIES.len()], [0; CATEGORIES.len()]);
    for (place, category) in CATEGORIES.iter().enumerate() {
        let category = units.get(category)?;
        built[place] = integer(category, "built");
        lost[place] = integer(category, "lost");
    }
    let blueprints = army.get("blueprints");
    let health = |id: &&str| blueprints?.get(id)?.get("lowest_health")?.as_f64();
    Some(Facts {
        won: who.outcome == ArmyOutcome::Victory,
        ladder: rating_type == LADDER,
        faction: integer(army, "faction"),
        humans,
        top_scorer: top.is_some_and(|(_, name)| *name == *who.login),
        built,
        lost,
        commander_kills: integer(units.get("cdr")?, "kills"),
        commander_health: COMMANDERS.iter().filter_map(health).sum(),
        blueprints,
    })
}

/// What becomes of a report of army statistics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::faf) enum Reading {
    /// It takes the place of the one before.
    Readable,
    /// It has no array `stats`, or is no JSON: it means nothing.
    Unreadable,
    /// No game has so much to say.
    TooMuch,
}

impl Reading {
    /// Of a report as it came. What is much is not read to its end.
    pub(in crate::faf) fn of(text: &str) -> Self {
        let most = Extent {
            values: limits::STATS_VALUES,
            escapes: limits::STATS_VALUES,
            depth: MAX_DEPTH,
        };
        let mut outline = Outline::new(text.as_bytes());
        if text.len() > limits::STATS_BYTES {
            return Reading::TooMuch;
        }
        if !outline.is_within(most) {
            let is_deep = outline.extent().depth > MAX_DEPTH;
            return if is_deep {
                Reading::Unreadable
            } else {
                Reading::TooMuch
            };
        }
        let mut bytes = text.as_bytes().to_vec();
        let mut reader = JsonReader::new();
        let doc = reader.parse(&mut bytes);
        match doc.as_ref().ok().and_then(armies) {
            Some(_) => Reading::Readable,
            None => Reading::Unreadable,
        }
    }
}

/// The array `stats` of a report.
fn armies<'d>(report: &'d Doc<'_>) -> Option<Value<'d>> {
    report.root().get("stats").filter(Value::is_array)
}

/// Calls `work` with the array `stats` of the newest text that has one.
fn read<T>(texts: &[Arc<str>], work: impl FnOnce(Value<'_>) -> T) -> Option<T> {
    let mut reader = JsonReader::default();
    for text in texts.iter().rev() {
        let mut bytes = text.as_bytes().to_vec();
        let Ok(doc) = reader.parse(&mut bytes) else {
            continue;
        };
        if let Some(stats) = armies(&doc) {
            return Some(work(stats));
        }
    }
    None
}

/// The messages for these players, in order: each player's achievements, then their events.
pub fn messages(statistics: &Statistics) -> Vec<Event> {
    let of_all = |stats: Value<'_>| {
        let mut messages = Vec::new();
        for who in &statistics.players {
            if let Some(facts) = facts(stats, who, &statistics.rating_type) {
                tell(who.id, &facts, &mut messages);
            }
        }
        messages
    };
    read(&statistics.texts, of_all).unwrap_or_default()
}

fn tell(player: u32, facts: &Facts<'_>, messages: &mut Vec<Event>) {
    for (count, operation, ids) in ACHIEVEMENTS {
        let steps = count(facts);
        if steps <= 0 {
            continue;
        }
        let operation = match operation {
            Unlock => r#""UNLOCK""#.to_owned(),
            Increment => format!(r#""INCREMENT","steps":{steps}"#),
            AtLeast => format!(r#""SET_STEPS_AT_LEAST","steps":{steps}"#),
        };
        for id in *ids {
            let body = format!(
                r#"{{"playerId":{player},"achievementId":"{id}","operation":{operation}}}"#
            );
            messages.push(Event::persistent(ACHIEVEMENT_UPDATE, body.into()));
        }
    }
    for (count, id) in EVENTS {
        let count = count(facts);
        if count > 0 {
            let body = format!(r#"{{"playerId":{player},"eventId":"{id}","count":{count}}}"#);
            messages.push(Event::persistent(EVENT_UPDATE, body.into()));
        }
    }
}

/// Routing key of an achievement's change.
pub(in crate::faf) const ACHIEVEMENT_UPDATE: &str = "request.achievement.update";
/// Routing key of an event.
pub(in crate::faf) const EVENT_UPDATE: &str = "request.event.update";

/// How many commanders each army killed, by its name; nothing if any army does not say (spec: faf-ratings-results 5).
pub(in crate::faf) fn commander_kills(texts: &[Arc<str>]) -> Vec<(String, i64)> {
    let of = |army: Value<'_>| {
        let kills = army.get("units")?.get("cdr")?.get("kills")?;
        let kills = kills.as_i64().or(kills.as_f64().map(|f| f as i64))?;
        Some((army.get("name")?.as_str()?.to_owned(), kills))
    };
    read(texts, |stats| {
        stats.elements().map(of).collect::<Option<Vec<_>>>()
    })
    .flatten()
    .unwrap_or_default()
}

#[cfg(test)]
#[path = "achievements_tests.rs"]
mod tests;
