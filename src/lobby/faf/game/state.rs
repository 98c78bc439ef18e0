//! A game, on the shard that owns it: its host's.
//!
//! Pure state and rules; who is told what is in `hosting`, `joining` and `gpgnet`. Everything a client can add to is
//! bounded by a limit of `settings`.

use serde::{Deserialize, Serialize};
use std::{sync::Arc, time::Duration};
use thin_vec::ThinVec;

use crate::{
    Now,
    faf::{
        game::launching::Launching,
        mail::directory::GameUpdate,
        model::{
            game::{Creation, GameType, Launch},
            limits,
            options::{
                OptionValue, Options, VICTORIES, bytes_of, default_options, map_folder, option,
                set, size, title,
            },
            seat::Seat,
        },
        rules::{
            results::{ArmyResult, Participant},
            validity::Team,
            visibility::{RatingRange, Rule},
            votes::ResultVotes,
        },
    },
    rate::Meter,
};

/// State of a game (spec: faf-lifecycle 10.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::faf) enum GameState {
    /// The host was told to start.
    Initializing,
    /// Players may join.
    Lobby,
    /// The simulation has begun.
    Live,
    /// Over; kept until it was announced and everybody has left.
    Ended,
}

/// Somebody connected in the game.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(in crate::faf) struct Member {
    /// Their relation to it.
    pub seat: Seat,
    /// Their name.
    pub login: Box<str>,
    /// Their simulation has finished.
    pub finished: bool,
}

/// A game.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(in crate::faf) struct Game {
    /// Uid of the game (`game_stats.id`).
    pub uid: u32,
    /// Grows with each shard that goes on with it.
    #[serde(default)]
    pub epoch: u32,
    /// Account id of the host.
    pub host_id: u32,
    /// Host's name.
    pub host_login: Box<str>,
    /// How far the game is.
    pub state: GameState,
    /// The host's player state is HOSTING: they may set options (spec: faf-messages 4).
    pub hosting: bool,
    /// Was announced as ended; no longer found by id.
    pub removed: bool,
    /// Custom, coop or matchmaker: rules about the end differ.
    pub game_type: GameType,
    /// As created; title and folder follow the options.
    pub creation: Creation,
    /// Technical name of the leaderboard that the game is rated in.
    pub rating_type: Box<str>,
    /// Host's friends.
    pub host_friends: ThinVec<u32>,
    /// Host's foes.
    pub host_foes: ThinVec<u32>,
    /// Connected, in the order of connecting.
    pub members: Vec<Member>,
    /// Let in, but not connected yet.
    pub waiting: Vec<Seat>,
    /// Those of both who were on a node that is lost: they may come back.
    #[serde(default)]
    pub doubtful: Vec<Seat>,
    /// Those of both whose shards have not said that they are in it since it has moved here.
    #[serde(default)]
    pub unconfirmed: Vec<Seat>,
    /// Up to which number the reports from places on other nodes were heard, the last that reported last.
    #[serde(default)]
    pub heard: Vec<(Seat, u32)>,
    /// Players who have been connected in its lobby and did not close their game: who may come back.
    #[serde(default)]
    pub known: Vec<u32>,
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
    /// Bytes that everybody was told of it of late.
    pub told: Meter,
    /// When the host opened, Unix.
    pub hosted_at: Option<Duration>,
    /// When it was launched, Unix.
    pub launched_at: Option<Duration>,
    /// The same by the clock that never jumps: how long a game lasted may not depend on somebody who sets the other.
    #[serde(default)]
    pub launched_mono: Option<Duration>,
    /// When the simulation had finished, Unix.
    pub finished_at: Option<Duration>,
    /// Frozen at launch.
    pub participants: Vec<Participant>,
    /// Reported results.
    pub results: Vec<ArmyResult>,
    /// Army statistics that were reported last, JSON text.
    pub stats: Vec<Arc<str>>,
    /// Participants whose statistics have not been looked at (spec: faf-ratings-results 9.1).
    pub pending: Vec<u32>,
    /// Short games count.
    pub enforce_rating: bool,
    /// Reported desyncs.
    pub desyncs: u32,
    /// Who has reported one.
    pub desync_reporters: Vec<u32>,
    /// How many each has reported who has a say.
    #[serde(default)]
    pub desync_counts: Vec<(u32, u32)>,
    /// Reported team kills.
    pub teamkills: usize,
    /// The coop mission was completed, and the store has taken it.
    pub operation_done: bool,
    /// Who has reported so. The store takes the first that it can; the others have no effect.
    #[serde(default)]
    pub operation_reporters: Vec<u32>,
    /// Its results are in the ledger.
    pub settled: bool,
    /// A timer runs for those who only watch, and have not reported its end.
    #[serde(default)]
    pub observers_awaited: bool,
    /// `matchmaker_queue.id`, of a matchmaker game.
    pub queue_id: Option<u32>,
    /// Of a match, until it is launched.
    pub launching: Option<Box<Launching>>,
}

impl Game {
    /// A new game.
    pub(in crate::faf) fn new(
        uid: u32,
        host_id: u32,
        host_login: Box<str>,
        creation: Creation,
    ) -> Self {
        let coop = &*creation.featured_mod == "coop";
        let options = default_options(&creation.folder, coop);
        Game {
            uid,
            epoch: 0,
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
            rating_type: crate::faf::model::ratings::GLOBAL.into(),
            host_friends: ThinVec::new(),
            host_foes: ThinVec::new(),
            members: Vec::new(),
            waiting: Vec::new(),
            doubtful: Vec::new(),
            unconfirmed: Vec::new(),
            heard: Vec::new(),
            known: Vec::new(),
            configured: Vec::new(),
            options,
            player_options: Vec::new(),
            ais: Vec::new(),
            sim_mods: Vec::new(),
            max_players: 12,
            told: Meter::default(),
            hosted_at: None,
            launched_at: None,
            launched_mono: None,
            finished_at: None,
            participants: Vec::new(),
            results: Vec::new(),
            stats: Vec::new(),
            pending: Vec::new(),
            enforce_rating: false,
            desyncs: 0,
            desync_reporters: Vec::new(),
            desync_counts: Vec::new(),
            teamkills: 0,
            operation_done: false,
            operation_reporters: Vec::new(),
            settled: false,
            observers_awaited: false,
            queue_id: None,
            launching: None,
        }
    }

    /// How a player's client is to launch it.
    pub(in crate::faf) fn launch(&self) -> Launch {
        Launch {
            featured_mod: self.creation.featured_mod.clone(),
            title: self.creation.title.clone(),
            game_type: self.game_type,
            rating_type: self.rating_type.clone(),
            matched: None,
        }
    }

    /// The member with this seat.
    pub(in crate::faf) fn member(&mut self, seat: &Seat) -> Option<&mut Member> {
        self.members.iter_mut().find(|m| m.seat == *seat)
    }

    /// Whether the seat is in the game, connected or not.
    pub(in crate::faf) fn has(&self, seat: &Seat) -> bool {
        self.waiting.contains(seat) || self.members.iter().any(|m| m.seat == *seat)
    }

    /// Everybody's relation to it, connected or not.
    pub(in crate::faf) fn seats(&self) -> impl Iterator<Item = &Seat> {
        self.members.iter().map(|m| &m.seat).chain(&self.waiting)
    }

    /// The coordinator's name for its match, if that is still to hear how it went.
    pub(in crate::faf) fn match_id(&self) -> Option<u64> {
        let launching = self.launching.as_ref()?;
        launching.is_under_way().then(|| launching.match_id())
    }

    /// Whether nobody has a relation to it any more.
    pub(in crate::faf) fn is_deserted(&self) -> bool {
        let under_way = self.launching.as_ref().is_some_and(|l| l.is_under_way());
        self.waiting.is_empty() && self.members.is_empty() && !under_way
    }

    /// Whether the sender may set options (spec: faf-messages 4, "host only").
    pub(in crate::faf) fn is_hosted_by(&self, seat: &Seat) -> bool {
        self.hosting
            && seat.player_id == self.host_id
            && self.members.iter().any(|m| m.seat == *seat)
    }

    /// Connects somebody who was waiting.
    pub(in crate::faf) fn connect(&mut self, seat: Seat, login: Box<str>) {
        self.waiting.retain(|s| *s != seat);
        if !self.known.contains(&seat.player_id) {
            if self.known.len() >= limits::CONFIGURED_PLAYERS {
                self.known.remove(0);
            }
            self.known.push(seat.player_id);
        }
        if !self.members.iter().any(|m| m.seat == seat) {
            self.members.push(Member {
                seat,
                login,
                finished: false,
            });
        }
    }

    /// Whether a player may be put into it without being let in, because their connection was lost. Once it is launched that
    /// is who takes part; the replaced server asks nothing before (spec: faf-messages 3.9).
    pub(in crate::faf) fn may_return(&self, player_id: u32, votes: ResultVotes) -> bool {
        match self.state {
            GameState::Live => self.takes_part(player_id),
            _ => votes == ResultVotes::Reference || self.known.contains(&player_id),
        }
    }

    /// Whether they were frozen as a participant at the launch.
    pub(in crate::faf) fn takes_part(&self, player_id: u32) -> bool {
        self.participants.iter().any(|p| p.id == player_id)
    }

    /// Whether what a player's game says of how it goes has an effect. Those who watch, and strangers, decide nothing; where
    /// nobody takes part there is nothing to decide.
    pub(in crate::faf) fn has_a_say(&self, player_id: u32, votes: ResultVotes) -> bool {
        match votes {
            ResultVotes::Reference => true,
            ResultVotes::Fair if self.launched_at.is_none() => self.configured.contains(&player_id),
            ResultVotes::Fair => self.participants.is_empty() || self.takes_part(player_id),
        }
    }

    /// Whether only those who watch keep it from its end.
    pub(in crate::faf) fn waits_for_observers(&self) -> bool {
        let mut playing = self
            .members
            .iter()
            .filter(|m| self.takes_part(m.seat.player_id));
        self.state == GameState::Live
            && !self.participants.is_empty()
            && playing.all(|member| member.finished)
    }

    /// Takes somebody out and looks whether that ends the game (spec: faf-lifecycle 10.7, 10.8).
    pub(in crate::faf) fn remove(&mut self, seat: &Seat, now_unix: Duration) {
        if !self.has(seat) {
            return;
        }
        self.waiting.retain(|s| s != seat);
        self.doubtful.retain(|s| s != seat);
        self.unconfirmed.retain(|s| s != seat);
        self.members.retain(|m| m.seat != *seat);
        if seat.player_id == self.host_id {
            self.hosting = false;
        }
        self.end_check(seat.player_id, now_unix);
    }

    /// The end-of-game check (spec: faf-lifecycle 10.8); `by` left or reported.
    pub(in crate::faf) fn end_check(&mut self, by: u32, now_unix: Duration) {
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

    /// How long it has been running, once it is launched. Launched before the clock began that never jumps, on another node, it
    /// is told by the other one.
    pub(in crate::faf) fn since_launch(&self, now: Now) -> Option<Duration> {
        match self.launched_mono {
            Some(at) => Some(now.mono.saturating_sub(at)),
            None => self.launched_at.map(|at| now.unix.saturating_sub(at)),
        }
    }

    /// Freezes the participants; gives their seats (spec: faf-lifecycle 10.5).
    pub(in crate::faf) fn freeze(&mut self, now: Now) -> Vec<Seat> {
        self.launched_at = Some(now.unix);
        self.launched_mono = Some(now.mono);
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
            seats.push(m.seat);
            // Who is back on another connection before their old one was missed is here twice, and plays once.
            if self.participants.iter().any(|p| p.id == m.seat.player_id) {
                continue;
            }
            self.participants.push(Participant {
                id: m.seat.player_id,
                login: m.login.clone(),
                army,
                team: self.player_option(m.seat.player_id, "Team").map(Team::of),
            });
        }
        self.pending = self.participants.iter().map(|p| p.id).collect();
        seats
    }

    /// An option of a player.
    pub(in crate::faf) fn player_option(&self, id: u32, key: &str) -> Option<&OptionValue> {
        let (_, options) = self
            .player_options
            .iter()
            .find(|(player, _)| *player == id)?;
        option(options, key)
    }

    /// Sets an option of a player and marks them as configured; false: over a limit.
    pub(in crate::faf) fn set_player_option(
        &mut self,
        id: u32,
        key: &str,
        value: OptionValue,
    ) -> bool {
        let options = self.player_options.iter().find(|(player, _)| *player == id);
        let options = options.map(|(_, options)| options);
        if !self.has_room(options, key, &value, limits::PLAYER_OPTION_BYTES) {
            return false;
        }
        let at = match self
            .player_options
            .iter()
            .position(|(player, _)| *player == id)
        {
            Some(at) => at,
            None if self.player_options.len() >= limits::CONFIGURED_PLAYERS => return false,
            None => {
                self.player_options.push((id, Vec::new()));
                self.player_options.len() - 1
            }
        };
        if !self.configured.contains(&id) {
            if self.configured.len() >= limits::CONFIGURED_PLAYERS {
                return false;
            }
            self.configured.push(id);
        }
        set(
            &mut self.player_options[at].1,
            key,
            value,
            limits::PLAYER_OPTIONS,
        )
    }

    /// Sets an option of an AI; false: over a limit.
    pub(in crate::faf) fn set_ai_option(
        &mut self,
        name: &str,
        key: &str,
        value: OptionValue,
    ) -> bool {
        let options = self.ais.iter().find(|(ai, _)| **ai == *name);
        let options = options.map(|(_, options)| options);
        if !self.has_room(options, key, &value, limits::PLAYER_OPTION_BYTES) {
            return false;
        }
        if let Some((_, options)) = self.ais.iter_mut().find(|(ai, _)| **ai == *name) {
            return set(options, key, value, limits::PLAYER_OPTIONS);
        }
        if self.ais.len() >= limits::AIS || name.len() > limits::FIELD_BYTES {
            return false;
        }
        let mut options = Vec::new();
        let kept = set(&mut options, key, value, limits::PLAYER_OPTIONS);
        self.ais.push((name.into(), options));
        kept
    }

    /// Empties a slot (spec: faf-messages 4.4).
    pub(in crate::faf) fn clear_slot(&mut self, slot: &OptionValue) {
        for (_, options) in &mut self.player_options {
            if option(options, "StartSpot") == Some(slot) {
                for key in ["Team", "Army", "StartSpot"] {
                    set(options, key, OptionValue::Int(-1), limits::PLAYER_OPTIONS);
                }
            }
        }
        self.ais
            .retain(|(_, options)| option(options, "StartSpot") != Some(slot));
    }

    /// Sets an option of the game (spec: faf-messages 4.2). `None`: the message has no effect at all, not even a
    /// broadcast; `Some(false)`: over a limit.
    pub(in crate::faf) fn set_option(&mut self, key: &str, value: OptionValue) -> Option<bool> {
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
        let has_room = self.has_room(Some(&self.options), key, &value, limits::OPTION_BYTES);
        Some(has_room && set(&mut self.options, key, value, limits::GAME_OPTIONS))
    }

    /// Whether all options together take no more than they may if this one of these is set.
    fn has_room(
        &self,
        options: Option<&Options>,
        key: &str,
        value: &OptionValue,
        longest: usize,
    ) -> bool {
        let too_long = key.len() + value.len() > longest;
        if too_long || key == "Team" && value.len() > limits::TEAM_BYTES {
            return false;
        }
        let old = options.and_then(|options| option(options, key));
        let old = old.map_or(0, |old| size(key, old));
        self.options_bytes() - old + size(key, value) <= limits::OPTIONS_BYTES
    }

    /// Bytes that all options take.
    pub(in crate::faf) fn options_bytes(&self) -> usize {
        let players = self.player_options.iter().map(|(_, options)| options);
        let others = players.chain(self.ais.iter().map(|(_, options)| options));
        others.map(bytes_of).sum::<usize>() + bytes_of(&self.options)
    }

    /// Ids and names of the players of the game (spec: faf-lifecycle 10.1, at the end).
    pub(in crate::faf) fn players(&self) -> Vec<(u32, &str)> {
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
    pub(in crate::faf) fn has_army(&self, army: i64) -> bool {
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
    pub(in crate::faf) fn rule(&self) -> Rule {
        let friends_only = self.creation.friends_only;
        let mut rule = Rule {
            host_id: self.host_id,
            friends_only,
            friends: if friends_only {
                self.host_friends.clone()
            } else {
                ThinVec::new()
            },
            foes: if friends_only {
                ThinVec::new()
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

    /// Whether it belongs in the list a newcomer gets.
    pub(in crate::faf) fn is_listed(&self) -> bool {
        matches!(self.state, GameState::Lobby | GameState::Live)
    }

    /// Its newest entry for all shards.
    pub(in crate::faf) fn update(&self) -> GameUpdate {
        GameUpdate {
            uid: self.uid,
            listed: self.is_listed(),
            ended: self.state == GameState::Ended,
            rule: self.rule(),
            body: self.body(false),
        }
    }
}
