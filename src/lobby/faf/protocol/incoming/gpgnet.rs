//! What the game process says through its player's connection (spec: faf-messages 4). Its messages have a list of arguments
//! instead of named fields.

use std::borrow::Cow;

use crate::faf::{
    model::{limits, options::OptionValue},
    protocol::incoming::{
        Message,
        fields::{integer, option_value},
    },
    rules::results::Outcome,
};
use wire::json::Value;

/// Most arguments that a message has.
const ARGUMENTS: usize = 5;

/// A message of a game.
#[derive(Debug)]
pub(in crate::faf) enum GameMessage<'d> {
    /// How far the game's process is (4.1).
    GameState(GameState),
    /// What a host sets: from anybody else it means nothing.
    Setting(Setting<'d>),
    /// To another player's game (4.7).
    IceMsg(IceMsg<'d>),
    /// Army statistics, if the text can be read.
    JsonStats(&'d str),
    /// What became of an army (4.5).
    GameResult(GameResult),
    /// A coop mission was completed (4.6).
    OperationComplete {
        /// With its secondary goals.
        secondary: bool,
        /// How long it took.
        time: Cow<'d, str>,
    },
    /// Short games count too.
    EnforceRating,
    /// Somebody has killed somebody of their own team.
    TeamkillHappened {
        /// Game time, in seconds.
        time: i64,
        /// Account id; not 0.
        victim: u32,
        /// Account id; not 0.
        killer: u32,
    },
    /// The simulation has finished.
    GameEnded,
    /// The simulations differ.
    Desync,
    /// Nothing for the lobby, and nothing wrong either.
    Nothing,
}

/// `GameState` (spec: faf-messages 4.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::faf) enum GameState {
    Idle,
    Lobby,
    Launching,
    Ended,
    /// Any other word.
    Other,
}

/// What a host sets.
#[derive(Debug)]
pub(in crate::faf) enum Setting<'d> {
    /// `GameOption`: a key of the game.
    Game(&'d str, OptionValue),
    /// `GameMods` (4.3): how many are active,
    ActiveMods(i64),
    /// or their uids, with white space between.
    Mods(&'d str),
    /// `PlayerOption`: a key of a player.
    Player(u32, &'d str, OptionValue),
    /// `AIOption`: a key of an AI, by its name.
    Ai(&'d str, &'d str, OptionValue),
    /// `ClearSlot`: its number.
    ClearSlot(i64),
}

/// `GameResult` (spec: faf-messages 4.5).
#[derive(Debug)]
pub(in crate::faf) struct GameResult {
    pub army: i64,
    pub outcome: Outcome,
    pub score: i64,
    /// Words in front of the outcome, in order.
    pub metadata: Vec<String>,
}

/// `IceMsg` (spec: faf-messages 4.7).
#[derive(Debug)]
pub(in crate::faf) struct IceMsg<'d> {
    /// Account id; `None`: no player can have it.
    pub receiver: Option<u32>,
    content: Value<'d>,
}

impl IceMsg<'_> {
    /// Bytes of what is to be passed on, if it is the text that it should be.
    pub(in crate::faf) fn text_bytes(&self) -> usize {
        self.content.as_str().map_or(0, str::len)
    }

    /// As the receiver gets it. The hot path of a lobby: what is passed on is copied once.
    pub(in crate::faf) fn as_said_by(&self, player_id: u32) -> Vec<u8> {
        let mut body = Vec::with_capacity(64 + 2 * self.content.len());
        body.extend_from_slice(br#"{"command":"IceMsg","args":["#);
        body.extend_from_slice(itoa::Buffer::new().format(player_id).as_bytes());
        body.push(b',');
        self.content.write(&mut body);
        body.extend_from_slice(br#"],"target":"game"}"#);
        body
    }
}

/// Arguments as they came: the first, and how many there are.
struct Arguments<'d> {
    first: [Option<Value<'d>>; ARGUMENTS],
    count: usize,
}

impl<'d> GameMessage<'d> {
    /// `None` if it is unknown or malformed.
    pub(in crate::faf) fn read(message: Message<'d>) -> Option<Self> {
        let Arguments { first, count } = Arguments::of(message)?;
        Some(match (message.command, first, count) {
            ("IceMsg", [Some(receiver), Some(content), ..], 2) => GameMessage::IceMsg(IceMsg {
                receiver: player_id(receiver),
                content,
            }),
            ("IceMsg", ..) => GameMessage::Nothing,
            ("GameState", [Some(state), ..], 1) => {
                GameMessage::GameState(GameState::of(state.as_str()?))
            }
            ("GameOption" | "GameMods" | "PlayerOption" | "AIOption" | "ClearSlot", ..) => {
                GameMessage::Setting(Setting::read(message.command, first, count)?)
            }
            ("JsonStats", [Some(text), ..], 1) => GameMessage::JsonStats(text.as_str()?),
            ("TeamkillReport", _, 5)
            | ("Rehost" | "Bottleneck" | "BottleneckCleared" | "Disconnected", ..)
            | ("LaunchStatus" | "Chat", _, 1)
            | ("GameFull", _, 0) => GameMessage::Nothing,
            _ => GameMessage::read_outcome(message.command, first, count)?,
        })
    }

    /// What is said of how the game goes.
    fn read_outcome(
        command: &str,
        args: [Option<Value<'d>>; ARGUMENTS],
        count: usize,
    ) -> Option<Self> {
        Some(match (command, args, count) {
            ("GameResult", [Some(army), Some(text), ..], 2) => {
                GameMessage::GameResult(GameResult::of(integer(army).ok()?, text.as_str()?)?)
            }
            ("OperationComplete", [Some(primary), Some(secondary), Some(time), ..], 3) => {
                true_like(primary).then_some(())?;
                GameMessage::OperationComplete {
                    secondary: true_like(secondary),
                    time: duration(time).filter(|time| time.len() <= limits::FIELD_BYTES)?,
                }
            }
            ("EnforceRating", _, 0) => GameMessage::EnforceRating,
            ("TeamkillHappened", [Some(time), Some(victim), _, Some(killer), _], 5) => {
                match (player_id(victim)?, player_id(killer)?) {
                    (0, _) | (_, 0) => GameMessage::Nothing,
                    (victim, killer) => GameMessage::TeamkillHappened {
                        time: seconds(time)?,
                        victim,
                        killer,
                    },
                }
            }
            ("GameEnded", ..) => GameMessage::GameEnded,
            ("Desync", ..) => GameMessage::Desync,
            _ => return None,
        })
    }
}

impl<'d> Arguments<'d> {
    /// None at all are an empty list.
    fn of(message: Message<'d>) -> Option<Self> {
        let args = message.members.get("args");
        if args.is_some_and(|args| !args.is_array()) {
            return None;
        }
        let all = || args.into_iter().flat_map(|args| args.elements());
        let mut first = [None; ARGUMENTS];
        for (place, value) in first.iter_mut().zip(all()) {
            *place = Some(value);
        }
        let count = all().count();
        Some(Arguments { first, count })
    }
}

impl GameState {
    fn of(word: &str) -> Self {
        match word {
            "Idle" => GameState::Idle,
            "Lobby" => GameState::Lobby,
            "Launching" => GameState::Launching,
            "Ended" => GameState::Ended,
            _ => GameState::Other,
        }
    }
}

impl<'d> Setting<'d> {
    fn read(command: &str, args: [Option<Value<'d>>; ARGUMENTS], count: usize) -> Option<Self> {
        Some(match (command, args, count) {
            ("GameOption", [Some(key), Some(value), ..], 2) => {
                Setting::Game(key.as_str()?, option_value(value))
            }
            ("GameMods", [Some(kind), Some(value), ..], 2) => match kind.as_str()? {
                "activated" => Setting::ActiveMods(integer(value).ok()?),
                "uids" => Setting::Mods(value.as_str()?),
                _ => return None,
            },
            ("PlayerOption", [Some(id), Some(key), Some(value), ..], 3) => {
                Setting::Player(player_id(id)?, key.as_str()?, option_value(value))
            }
            ("AIOption", [Some(name), Some(key), Some(value), ..], 3) => {
                Setting::Ai(name.as_str()?, key.as_str()?, option_value(value))
            }
            ("ClearSlot", [Some(slot), ..], 1) => Setting::ClearSlot(integer(slot).ok()?),
            _ => return None,
        })
    }
}

impl GameResult {
    /// Of text as the game writes it: tags, outcome, score.
    fn of(army: i64, text: &str) -> Option<Self> {
        if text.len() > limits::FIELD_BYTES {
            return None;
        }
        let text = text.to_lowercase();
        let mut words = text.split_whitespace().rev();
        let score = words.next()?.parse().ok()?;
        let outcome = match words.next()? {
            "victory" => Outcome::Victory,
            "defeat" => Outcome::Defeat,
            "draw" => Outcome::Draw,
            "mutual_draw" => Outcome::MutualDraw,
            _ => return None,
        };
        let mut metadata: Vec<String> = words.map(str::to_owned).collect();
        metadata.sort_unstable();
        metadata.dedup();
        Some(GameResult {
            army,
            outcome,
            score,
            metadata,
        })
    }
}

fn player_id(value: Value<'_>) -> Option<u32> {
    u32::try_from(integer(value).ok()?).ok()
}

/// A number as the column for whole ones takes it: a fraction is rounded.
fn seconds(value: Value<'_>) -> Option<i64> {
    let in_words = |text: &str| text.trim().parse().ok();
    let number = value.as_f64().or_else(|| value.as_str().and_then(in_words));
    match number.filter(|number: &f64| value.as_i64().is_none() && number.is_finite()) {
        Some(number) => Some(number.round() as i64),
        None => integer(value).ok(),
    }
}

/// A time as the column for it takes one: text, or a number whose digits are hours, minutes and seconds.
fn duration(value: Value<'_>) -> Option<Cow<'_, str>> {
    if let Some(text) = value.as_str() {
        return Some(text.into());
    }
    let digits = value.as_i64().or(value.as_f64().map(|n| n as i64))?;
    let (hours, minutes, seconds) = (digits / 10_000, digits / 100 % 100, digits % 100);
    let is_time = digits >= 0 && minutes < 60 && seconds < 60;
    Some(match is_time {
        true => format!("{hours:02}:{minutes:02}:{seconds:02}").into(),
        false => digits.to_string().into(), // which the store refuses, as it would have
    })
}

/// spec: faf-messages 4.6.
fn true_like(value: Value<'_>) -> bool {
    value.as_bool() == Some(true)
        || value.as_f64() == Some(1.0)
        || value.as_str().is_some_and(|text| {
            ["true", "on", "yes"]
                .iter()
                .any(|yes| text.eq_ignore_ascii_case(yes))
        })
}

#[cfg(test)]
mod tests {
    use wire::json::JsonReader;

    use super::*;

    /// What a message is read as, in short.
    fn read(command: &str, args: &str) -> String {
        let text = format!(r#"{{"command":"{command}","target":"game","args":{args}}}"#);
        let mut text = text.into_bytes();
        let mut reader = JsonReader::new();
        let doc = reader.parse(&mut text).expect("JSON");
        let message = Message::of(&doc).expect("an object with a command");
        match GameMessage::read(message) {
            Some(read) => format!("{read:?}"),
            None => "malformed".into(),
        }
    }

    #[test]
    fn what_a_game_says_is_read_or_means_nothing_or_is_malformed() {
        for (command, args, expected) in [
            ("GameState", r#"["Idle"]"#, "GameState(Idle)"),
            ("GameState", r#"["Sleeping"]"#, "GameState(Other)"),
            ("GameState", "[1]", "malformed"),
            ("GameState", r#"["Idle","Idle"]"#, "malformed"),
            ("GameState", r#"{"0":"Idle"}"#, "malformed"),
            ("GameMods", r#"["activated","0"]"#, "Setting(ActiveMods(0))"),
            ("GameMods", r#"["uids",0]"#, "malformed"),
            ("GameMods", r#"["names",""]"#, "malformed"),
            ("ClearSlot", "[[]]", "malformed"),
            ("JsonStats", r#"["{"]"#, r#"JsonStats("{")"#),
            ("JsonStats", "[{}]", "malformed"),
            ("IceMsg", "[1]", "Nothing"),
            ("Chat", r#"["a"]"#, "Nothing"),
            ("Chat", "[]", "malformed"),
            ("Rehost", "[1,2,3,4,5,6,7]", "Nothing"),
            ("Desync", "[1,2,3,4,5,6,7]", "Desync"),
            ("GameFull", "[1]", "malformed"),
            ("TeamkillHappened", r#"["x",0,"a",2,"b"]"#, "Nothing"),
            ("TeamkillHappened", r#"["x",1,"a",2,"b"]"#, "malformed"),
            ("TeamkillHappened", r#"[1,-1,"a",2,"b"]"#, "malformed"),
            ("OperationComplete", r#"[0,1,"time"]"#, "malformed"),
            ("GameResult", r#"[1,"victory"]"#, "malformed"),
            ("game_host", "[]", "malformed"),
        ] {
            assert_eq!(read(command, args), expected, "{command} {args}");
        }
    }

    #[test]
    fn times_are_read_as_their_columns_take_them() {
        for (time, expected) in [
            ("[]", "malformed"),
            ("100.5", "101"),
            (r#""100.5""#, "101"),
            (r#""-0.4""#, "0"),
            (r#"" 7 ""#, "7"),
        ] {
            let said = read("TeamkillHappened", &format!(r#"[{time},1,"a",2,"b"]"#));
            let in_full = format!("TeamkillHappened {{ time: {expected}, victim: 1, killer: 2 }}");
            assert!(said == expected || said == in_full, "{time}: {said}");
        }
        for (time, expected) in [
            ("[]", "malformed"),
            (r#""soon""#, "soon"),
            ("1150", "00:11:50"),
            ("1170", "1170"),
            ("-5.5", "-5"),
        ] {
            let said = read("OperationComplete", &format!("[1,1,{time}]"));
            let in_full = format!("OperationComplete {{ secondary: true, time: {expected:?} }}");
            assert!(said == expected || said == in_full, "{time}: {said}");
        }
    }

    #[test]
    fn the_words_before_an_outcome_are_told_once_each_and_in_order() {
        assert_eq!(
            read("GameResult", r#"["2","b A recall a B  Defeat -10"]"#),
            "GameResult(GameResult { army: 2, outcome: Defeat, score: -10, metadata: [\"a\", \"b\", \"recall\"] })"
        );
    }
}
