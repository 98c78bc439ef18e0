//! A game, on the shard that owns it: its host's.
//!
//! Pure state and rules; who is told what is in `hosting`, `joining` and `gpgnet`. Everything a client can add to is
//! bounded by a limit of `settings`.

use std::time::Duration;

use bytes::Bytes;
use serde::{Deserialize, Serialize, Serializer, ser::SerializeMap};

use super::{
    asks::Map,
    mail::{ArmyResult, GameUpdate, Seat},
    message, settings, text,
    visibility::{RatingRange, Rule},
};
use crate::wire::json::{self, Value};

/// State of a game (spec: faf-lifecycle 10.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum GameState {
    /// The host was told to start.
    Initializing,
    /// Open.
    Lobby,
    /// Launched.
    Live,
    /// Over; kept until it was announced and everybody has left.
    Ended,
}

/// Kind of a game.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum GameType {
    /// Hosted by hand.
    Custom,
    /// A campaign mission.
    Coop,
    /// Made by the matchmaker.
    Matchmaker,
}

impl GameType {
    /// Its name on the wire.
    pub fn name(self) -> &'static str {
        match self {
            GameType::Custom => "custom",
            GameType::Coop => "coop",
            GameType::Matchmaker => "matchmaker",
        }
    }
}

/// Victory conditions the server knows (spec: faf-messages 4.2, N#1040).
const VICTORIES: [&str; 5] = [
    "DEMORALIZATION",
    "DOMINATION",
    "ERADICATION",
    "SANDBOX",
    "DECAPITATION",
];

/// An option's value as the host sent it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum OptionValue {
    /// `null`.
    Null,
    /// `true`, `false`.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// Any other number.
    Float(f64),
    /// Text.
    Text(Box<str>),
    /// Lists and objects, as JSON text.
    Json(Box<str>),
}

impl OptionValue {
    /// Takes a value out of a message.
    pub fn read(value: Value<'_>) -> Self {
        if value.is_null() {
            return OptionValue::Null;
        }
        if let Some(n) = value.as_i64() {
            return OptionValue::Int(n);
        }
        if let Some(n) = value.as_f64() {
            return OptionValue::Float(n);
        }
        if let Some(b) = value.as_bool() {
            return OptionValue::Bool(b);
        }
        if let Some(text) = value.as_str() {
            return OptionValue::Text(text.into());
        }
        let mut out = Vec::new();
        value.write(&mut out);
        OptionValue::Json(String::from_utf8_lossy(&out).into())
    }

    /// Bytes of its text, if it has any.
    pub fn len(&self) -> usize {
        match self {
            OptionValue::Text(text) | OptionValue::Json(text) => text.len(),
            _ => 0,
        }
    }

    /// Whether it has no text.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// As a whole number, where it converts to one.
    pub fn integer(&self) -> Option<i64> {
        match self {
            OptionValue::Int(n) => Some(*n),
            OptionValue::Float(n) if n.is_finite() => Some(*n as i64),
            OptionValue::Bool(b) => Some((*b).into()),
            OptionValue::Text(text) => text.trim().parse().ok(),
            _ => None,
        }
    }

    /// As text, if it is.
    pub fn text(&self) -> Option<&str> {
        if let OptionValue::Text(text) = self {
            Some(text)
        } else {
            None
        }
    }

    fn key(&self) -> String {
        match self {
            OptionValue::Null => "null".into(),
            OptionValue::Bool(b) => b.to_string(),
            OptionValue::Int(n) => n.to_string(),
            OptionValue::Float(n) => n.to_string(),
            OptionValue::Text(text) | OptionValue::Json(text) => text.to_string(),
        }
    }
}

fn wire_value<S: Serializer>(value: &OptionValue, serializer: S) -> Result<S::Ok, S::Error> {
    match value {
        OptionValue::Null => serializer.serialize_unit(),
        OptionValue::Bool(b) => serializer.serialize_bool(*b),
        OptionValue::Int(n) => serializer.serialize_i64(*n),
        OptionValue::Float(n) => serializer.serialize_f64(*n),
        OptionValue::Text(text) | OptionValue::Json(text) => serializer.serialize_str(text),
    }
}

/// Options in the order they were first set.
pub(super) type Options = Vec<(Box<str>, OptionValue)>;

/// Sets an option; false if a limit forbids it.
fn set(options: &mut Options, key: &str, value: OptionValue, limit: usize) -> bool {
    if key.len() + value.len() > settings::OPTION_BYTES {
        return false;
    }
    if let Some((_, old)) = options.iter_mut().find(|(k, _)| **k == *key) {
        *old = value;
    } else if options.len() < limit {
        options.push((key.into(), value));
    } else {
        return false;
    }
    true
}

fn option<'a>(options: &'a Options, key: &str) -> Option<&'a OptionValue> {
    options
        .iter()
        .find(|(k, _)| **k == *key)
        .map(|(_, value)| value)
}

/// Somebody connected in the game.
#[derive(Debug)]
pub(super) struct Member {
    /// His relation to it.
    pub seat: Seat,
    /// His name.
    pub login: Box<str>,
    /// His simulation has finished.
    pub finished: bool,
}

/// Somebody who was in the game when it was launched, with an army.
#[derive(Debug)]
pub(super) struct Participant {
    /// Player.
    pub id: u32,
    /// His name.
    pub login: Box<str>,
    /// His army.
    pub army: i64,
}

/// What is said about a game at its creation.
#[derive(Clone, Debug)]
pub(super) struct Creation {
    /// Title, already trimmed and cut.
    pub title: Box<str>,
    /// Featured mod.
    pub featured_mod: Box<str>,
    /// Map folder.
    pub folder: Box<str>,
    /// Only for friends.
    pub friends_only: bool,
    /// Password.
    pub password: Option<String>,
    /// Displayed rating, from.
    pub rating_min: Option<f64>,
    /// Displayed rating, to.
    pub rating_max: Option<f64>,
    /// Whether others don't see it.
    pub enforce_rating_range: bool,
}

/// How to launch a game that was joined.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Launch {
    /// Featured mod.
    pub featured_mod: Box<str>,
    /// Title.
    pub title: Box<str>,
    /// Kind.
    pub game_type: GameType,
    /// Leaderboard.
    pub rating_type: Box<str>,
}

/// A player's report of a team kill.
#[derive(Clone, Copy, Debug)]
#[expect(dead_code, reason = "kept until results are written down")]
pub(super) struct Teamkill {
    /// Seconds of game time.
    pub game_time: i64,
    /// Victim.
    pub victim: u32,
    /// Killer.
    pub killer: u32,
}

/// A game.
#[derive(Debug)]
pub(super) struct Game {
    /// Its number.
    pub uid: u32,
    /// Host's id.
    pub host_id: u32,
    /// Host's name.
    pub host_login: Box<str>,
    /// State.
    pub state: GameState,
    /// The host's player state is HOSTING: he may set options (spec: faf-messages 4).
    pub hosting: bool,
    /// Was announced as ended; no longer found by id.
    pub removed: bool,
    /// Kind.
    pub game_type: GameType,
    /// As created; title and folder follow the options.
    pub creation: Creation,
    /// The map's row, if it has one.
    #[expect(dead_code, reason = "kept until launches are written down")]
    pub map: Option<Map>,
    /// Leaderboard.
    pub rating_type: Box<str>,
    /// Host's friends.
    pub host_friends: Vec<u32>,
    /// Host's foes.
    pub host_foes: Vec<u32>,
    /// Connected, in the order of connecting.
    pub members: Vec<Member>,
    /// Let in, but not connected yet.
    pub waiting: Vec<Seat>,
    /// Players the host has set an option for.
    pub configured: Vec<u32>,
    /// Options of the game.
    pub options: Options,
    /// Options of players.
    pub player_options: Vec<(u32, Options)>,
    /// Options of AIs.
    pub ais: Vec<(Box<str>, Options)>,
    /// Sim mods, uid and name.
    pub sim_mods: Vec<(String, String)>,
    /// Option Slots.
    pub max_players: i64,
    /// When the host opened, Unix.
    pub hosted_at: Option<Duration>,
    /// When it was launched, Unix.
    pub launched_at: Option<Duration>,
    /// When the simulation had finished, Unix.
    pub finished_at: Option<Duration>,
    /// Frozen at launch.
    pub participants: Vec<Participant>,
    /// Reported results.
    pub results: Vec<ArmyResult>,
    /// Reported army statistics, JSON text.
    pub stats: Option<String>,
    /// Short games count.
    pub enforce_rating: bool,
    /// Reported desyncs.
    pub desyncs: u32,
    /// Who has reported one.
    pub desync_reporters: Vec<u32>,
    /// Reported team kills.
    pub teamkills: Vec<Teamkill>,
    /// A completed coop mission: with its secondary goals, in this time.
    pub operation: Option<(bool, Box<str>)>,
}

impl Game {
    /// A new game.
    pub(super) fn new(
        uid: u32,
        host_id: u32,
        host_login: Box<str>,
        creation: Creation,
        map: Option<Map>,
    ) -> Self {
        let coop = &*creation.featured_mod == "coop";
        let options = default_options(&creation.folder, coop);
        Game {
            uid,
            host_id,
            host_login,
            state: GameState::Initializing,
            hosting: false,
            removed: false,
            game_type: if coop {
                GameType::Coop
            } else {
                GameType::Custom
            },
            creation,
            map,
            rating_type: super::players::GLOBAL.into(),
            host_friends: Vec::new(),
            host_foes: Vec::new(),
            members: Vec::new(),
            waiting: Vec::new(),
            configured: Vec::new(),
            options,
            player_options: Vec::new(),
            ais: Vec::new(),
            sim_mods: Vec::new(),
            max_players: 12,
            hosted_at: None,
            launched_at: None,
            finished_at: None,
            participants: Vec::new(),
            results: Vec::new(),
            stats: None,
            enforce_rating: false,
            desyncs: 0,
            desync_reporters: Vec::new(),
            teamkills: Vec::new(),
            operation: None,
        }
    }

    /// How a player's client is to launch it.
    pub(super) fn launch(&self) -> Launch {
        Launch {
            featured_mod: self.creation.featured_mod.clone(),
            title: self.creation.title.clone(),
            game_type: self.game_type,
            rating_type: self.rating_type.clone(),
        }
    }

    /// The member with this seat.
    pub(super) fn member(&mut self, seat: &Seat) -> Option<&mut Member> {
        self.members.iter_mut().find(|m| m.seat == *seat)
    }

    /// Whether the seat is in the game, connected or not.
    pub(super) fn has(&self, seat: &Seat) -> bool {
        self.waiting.contains(seat) || self.members.iter().any(|m| m.seat == *seat)
    }

    /// Whether anybody still has a relation to it.
    pub(super) fn is_deserted(&self) -> bool {
        self.waiting.is_empty() && self.members.is_empty()
    }

    /// Whether the sender may set options (spec: faf-messages 4, "host only").
    pub(super) fn is_hosted_by(&self, seat: &Seat) -> bool {
        self.hosting
            && seat.player_id == self.host_id
            && self.members.iter().any(|m| m.seat == *seat)
    }

    /// Connects somebody who was waiting.
    pub(super) fn connect(&mut self, seat: Seat, login: Box<str>) {
        self.waiting.retain(|s| *s != seat);
        if !self.members.iter().any(|m| m.seat == seat) {
            self.members.push(Member {
                seat,
                login,
                finished: false,
            });
        }
    }

    /// Takes somebody out and looks whether that ends the game (spec: faf-lifecycle 10.7, 10.8).
    pub(super) fn remove(&mut self, seat: &Seat, now_unix: Duration) {
        if !self.has(seat) {
            return;
        }
        self.waiting.retain(|s| s != seat);
        self.members.retain(|m| m.seat != *seat);
        if seat.player_id == self.host_id {
            self.hosting = false;
        }
        self.end_check(seat.player_id, now_unix);
    }

    /// The end-of-game check (spec: faf-lifecycle 10.8); `by` left or reported.
    pub(super) fn end_check(&mut self, by: u32, now_unix: Duration) {
        if self.state == GameState::Live
            && self.finished_at.is_none()
            && self.members.iter().all(|m| m.finished)
        {
            self.finished_at = Some(now_unix);
        }
        let host_leaves = by == self.host_id && self.state != GameState::Live;
        if self.finished_at.is_some() || self.members.is_empty() || host_leaves {
            self.state = GameState::Ended;
            self.hosting = false;
        }
    }

    /// Freezes the participants; gives their seats (spec: faf-lifecycle 10.5).
    pub(super) fn freeze(&mut self, now_unix: Duration) -> Vec<Seat> {
        self.launched_at = Some(now_unix);
        self.state = GameState::Live;
        self.hosting = false;
        let mut seats = Vec::new();
        for m in self
            .members
            .iter()
            .filter(|m| self.configured.contains(&m.seat.player_id))
        {
            let army = self
                .player_option(m.seat.player_id, "Army")
                .and_then(OptionValue::integer);
            let Some(army) = army.filter(|&army| army >= 0) else {
                continue;
            };
            self.participants.push(Participant {
                id: m.seat.player_id,
                login: m.login.clone(),
                army,
            });
            seats.push(m.seat);
        }
        seats
    }

    /// An option of a player.
    pub(super) fn player_option(&self, id: u32, key: &str) -> Option<&OptionValue> {
        let (_, options) = self
            .player_options
            .iter()
            .find(|(player, _)| *player == id)?;
        option(options, key)
    }

    /// Sets an option of a player and marks him as configured; false: over a limit.
    pub(super) fn set_player_option(&mut self, id: u32, key: &str, value: OptionValue) -> bool {
        let at = match self
            .player_options
            .iter()
            .position(|(player, _)| *player == id)
        {
            Some(at) => at,
            None if self.player_options.len() >= settings::CONFIGURED_PLAYERS => return false,
            None => {
                self.player_options.push((id, Vec::new()));
                self.player_options.len() - 1
            }
        };
        if !self.configured.contains(&id) {
            if self.configured.len() >= settings::CONFIGURED_PLAYERS {
                return false;
            }
            self.configured.push(id);
        }
        set(
            &mut self.player_options[at].1,
            key,
            value,
            settings::PLAYER_OPTIONS,
        )
    }

    /// Sets an option of an AI; false: over a limit.
    pub(super) fn set_ai_option(&mut self, name: &str, key: &str, value: OptionValue) -> bool {
        if let Some((_, options)) = self.ais.iter_mut().find(|(ai, _)| **ai == *name) {
            return set(options, key, value, settings::PLAYER_OPTIONS);
        }
        if self.ais.len() >= settings::AIS || name.len() > settings::FIELD_BYTES {
            return false;
        }
        let mut options = Vec::new();
        let kept = set(&mut options, key, value, settings::PLAYER_OPTIONS);
        self.ais.push((name.into(), options));
        kept
    }

    /// Empties a slot (spec: faf-messages 4.4).
    pub(super) fn clear_slot(&mut self, slot: &OptionValue) {
        for (_, options) in &mut self.player_options {
            if option(options, "StartSpot") == Some(slot) {
                for key in ["Team", "Army", "StartSpot"] {
                    set(options, key, OptionValue::Int(-1), settings::PLAYER_OPTIONS);
                }
            }
        }
        self.ais
            .retain(|(_, options)| option(options, "StartSpot") != Some(slot));
    }

    /// Sets an option of the game (spec: faf-messages 4.2). `None`: the message has no effect at all, not even a
    /// broadcast; `Some(false)`: over a limit.
    pub(super) fn set_option(&mut self, key: &str, value: OptionValue) -> Option<bool> {
        let value = match key {
            "Victory" => {
                let name = value.text().map(str::to_uppercase);
                match VICTORIES.iter().find(|v| Some(**v) == name.as_deref()) {
                    Some(victory) => OptionValue::Text((*victory).into()),
                    None => return Some(true),
                }
            }
            "Slots" => {
                self.max_players = value.integer()?;
                OptionValue::Int(self.max_players)
            }
            "ScenarioFile" => {
                if let Some(folder) = value.text().and_then(map_folder) {
                    self.creation.folder = folder.into();
                }
                value
            }
            "Title" => {
                if let Some(title) = value.text().and_then(title) {
                    self.creation.title = title.into();
                }
                return Some(true);
            }
            _ => value,
        };
        Some(set(&mut self.options, key, value, settings::GAME_OPTIONS))
    }

    /// Ids and names of the players of the game (spec: faf-lifecycle 10.1, at the end).
    fn players(&self) -> Vec<(u32, &str)> {
        match self.state {
            GameState::Lobby => self
                .members
                .iter()
                .filter(|m| self.configured.contains(&m.seat.player_id))
                .map(|m| (m.seat.player_id, &*m.login))
                .collect(),
            _ => self
                .participants
                .iter()
                .map(|p| (p.id, &*p.login))
                .collect(),
        }
    }

    /// Whether an army belongs to one of the players (spec: faf-messages 4.5).
    pub(super) fn has_army(&self, army: i64) -> bool {
        if self.state != GameState::Lobby {
            return self.participants.iter().any(|p| p.army == army);
        }
        let armies = self
            .players()
            .into_iter()
            .filter_map(|(id, _)| self.player_option(id, "Army")?.integer());
        armies.into_iter().any(|a| a == army)
    }

    /// Who sees it.
    pub(super) fn rule(&self) -> Rule {
        let friends_only = self.creation.friends_only;
        let mut rule = Rule {
            host_id: self.host_id,
            friends_only,
            friends: if friends_only {
                self.host_friends.clone()
            } else {
                Vec::new()
            },
            foes: if friends_only {
                Vec::new()
            } else {
                self.host_foes.clone()
            },
            members: Vec::new(),
            range: self.creation.enforce_rating_range.then(|| RatingRange {
                rating_type: self.rating_type.clone(),
                min: self.creation.rating_min,
                max: self.creation.rating_max,
            }),
        };
        if !rule.is_open() {
            rule.members = self.members.iter().map(|m| m.seat.player_id).collect();
        }
        rule
    }

    /// Its newest entry for all shards.
    pub(super) fn update(&self) -> GameUpdate {
        GameUpdate {
            uid: self.uid,
            listed: matches!(self.state, GameState::Lobby | GameState::Live),
            ended: self.state == GameState::Ended,
            rule: self.rule(),
            body: self.body(false),
        }
    }

    /// The single form of `game_info` (spec: faf-messages 5.5); `closed`: pretending that it is over.
    pub(super) fn body(&self, closed: bool) -> Bytes {
        let teams = self.teams();
        let hosted_at = self.hosted_at.map(text::iso8601);
        let connected = |id: &u32| self.members.iter().any(|m| m.seat.player_id == *id);
        message::encode(&GameInfo {
            visibility: if self.creation.friends_only {
                "friends"
            } else {
                "public"
            },
            password_protected: self.creation.password.is_some(),
            uid: self.uid,
            title: &self.creation.title,
            state: match self.state {
                _ if closed => "closed",
                GameState::Lobby => "open",
                GameState::Live => "playing",
                GameState::Initializing | GameState::Ended => "closed",
            },
            game_type: self.game_type.name(),
            featured_mod: &self.creation.featured_mod,
            sim_mods: SimMods(&self.sim_mods),
            mapname: &self.creation.folder,
            map_file_path: &format!("maps/{}.zip", self.creation.folder),
            host: &self.host_login,
            num_players: self.configured.iter().filter(|id| connected(id)).count(),
            max_players: self.max_players,
            hosted_at: hosted_at.as_deref(),
            launched_at: self.launched_at.map(|at| at.as_secs_f64()),
            rating_type: &self.rating_type,
            rating_min: self.creation.rating_min,
            rating_max: self.creation.rating_max,
            enforce_rating_range: self.creation.enforce_rating_range,
            teams_ids: teams
                .iter()
                .map(|team| TeamIds {
                    team_id: team.value,
                    player_ids: team.players.iter().map(|p| p.0).collect(),
                })
                .collect(),
            teams: Teams(&teams),
        })
    }

    /// Teams in ascending order, with those of their players who are still connected.
    fn teams(&self) -> Vec<Team<'_>> {
        let mut teams: Vec<Team<'_>> = Vec::new();
        for (id, login) in self.players() {
            let Some(value) = self
                .player_option(id, "Team")
                .filter(|v| **v != OptionValue::Null)
            else {
                continue;
            };
            let at = teams
                .iter()
                .position(|team| team.value == value)
                .unwrap_or_else(|| {
                    teams.push(Team {
                        value,
                        players: Vec::new(),
                    });
                    teams.len() - 1
                });
            if self.members.iter().any(|m| m.seat.player_id == id) {
                teams[at].players.push((id, login));
            }
        }
        teams.sort_by_cached_key(|team| {
            (team.value.integer().unwrap_or(i64::MAX), team.value.key())
        });
        teams
    }
}

/// Options before the host changes any (spec: faf-lifecycle 10.1).
fn default_options(folder: &str, coop: bool) -> Options {
    let text = |text: &str| OptionValue::Text(text.into());
    let mut options = vec![
        ("AIReplacement", text("Off")),
        ("CheatsEnabled", text("false")),
        ("FogOfWar", text("explored")),
        ("GameSpeed", text("normal")),
        ("NoRushOption", text("Off")),
        ("PrebuiltUnits", text("Off")),
        ("RestrictedCategories", OptionValue::Int(0)),
        (
            "ScenarioFile",
            text(&format!("/maps/{folder}/{folder}_scenario.lua")),
        ),
        ("Slots", OptionValue::Int(12)),
        ("TeamLock", text("locked")),
        ("Unranked", text("No")),
        (
            "Victory",
            text(if coop { "SANDBOX" } else { "DEMORALIZATION" }),
        ),
    ];
    if coop {
        options.extend([
            ("TeamSpawn", text("fixed")),
            ("RevealedCivilians", text("No")),
            ("Difficulty", OptionValue::Int(3)),
            ("Expansion", text("true")),
        ]);
    }
    options
        .into_iter()
        .map(|(key, value)| (key.into(), value))
        .collect()
}

/// A title by the rules: trimmed, ASCII, not empty, cut (spec: faf-messages 4.2).
pub(super) fn title(text: &str) -> Option<&str> {
    let text = text.trim();
    (text.is_ascii() && !text.is_empty()).then(|| &text[..text.len().min(settings::TITLE_CHARS)])
}

/// The third component of a scenario path, the root counting as one (spec: faf-messages 4.2).
fn map_folder(path: &str) -> Option<String> {
    let absolute = path.starts_with(['/', '\\']);
    let mut parts = path
        .split(['/', '\\'])
        .filter(|part| !part.is_empty() && *part != ".");
    let folder = parts.nth(if absolute { 1 } else { 2 })?.to_lowercase();
    (folder.len() <= settings::FIELD_BYTES).then_some(folder)
}

struct Team<'a> {
    value: &'a OptionValue,
    players: Vec<(u32, &'a str)>,
}

#[derive(Serialize)]
#[serde(tag = "command", rename = "game_info")]
struct GameInfo<'a> {
    visibility: &'a str,
    password_protected: bool,
    uid: u32,
    title: &'a str,
    state: &'a str,
    game_type: &'a str,
    featured_mod: &'a str,
    sim_mods: SimMods<'a>,
    mapname: &'a str,
    map_file_path: &'a str,
    host: &'a str,
    num_players: usize,
    max_players: i64,
    hosted_at: Option<&'a str>,
    launched_at: Option<f64>,
    rating_type: &'a str,
    rating_min: Option<f64>,
    rating_max: Option<f64>,
    enforce_rating_range: bool,
    teams_ids: Vec<TeamIds<'a>>,
    teams: Teams<'a>,
}

#[derive(Serialize)]
struct TeamIds<'a> {
    #[serde(serialize_with = "team_value")]
    team_id: &'a OptionValue,
    player_ids: Vec<u32>,
}

fn team_value<S: Serializer>(value: &&OptionValue, serializer: S) -> Result<S::Ok, S::Error> {
    wire_value(value, serializer)
}

struct Teams<'a>(&'a [Team<'a>]);

impl Serialize for Teams<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for team in self.0 {
            let logins: Vec<&str> = team.players.iter().map(|p| p.1).collect();
            map.serialize_entry(&team.value.key(), &logins)?;
        }
        map.end()
    }
}

struct SimMods<'a>(&'a [(String, String)]);

impl Serialize for SimMods<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(uid, name)| (uid, name)))
    }
}

/// Whether a text is a JSON object with the key `stats`.
pub(super) fn has_stats(text: &str) -> bool {
    let mut bytes = text.as_bytes().to_vec();
    let mut reader = json::JsonReader::default();
    reader
        .parse(&mut bytes)
        .is_ok_and(|doc| doc.root().get("stats").is_some())
}
