//! A player of the matchmaker: gathers his party, searches, plays the match he is found, and searches again.
//!
//! Owners invite their parties' members and search; everybody answers for himself after that. Now and then somebody
//! vanishes in the middle of a match and comes back. At the end everybody must be idle again, and whoever has finished a
//! game must have been told his new rating. spec: faf-messages 3.10, 3.12, 5.7, 5.9 to 5.14

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};

use memchr::memmem;
use serde::Deserialize;
use serde_json::{Value, json};

use super::messages;
use crate::chance;
use crate::protocols::faf::matches::Part;
use crate::protocols::faf::output::Output;
use crate::protocols::faf::{Context, Task};
use crate::shared::Phase;

/// Largest party; no queue has larger teams.
pub(crate) const LARGEST_PARTY: usize = 4;
/// Between two looks of a player at what he could do.
const LOOK_US: u64 = 250_000;
/// An owner whose party is not complete invites again after this.
const INVITE_US: u64 = 1_000_000;
/// How long a launched game goes on.
const GAME_US: u64 = 1_000_000;
/// Between the results and the end of the game's process.
const GOODBYE_US: u64 = 500_000;
/// One of so many players vanishes in each match …
const VANISH_ONE_OF: f64 = 24.0;
/// … within this time.
const VANISH_US: f64 = 1_500_000.0;
/// Tells these draws from others of the same seed and client.
const VANISH: u64 = 0x7661_6e69_7368;

/// What the members of a party know of each other.
#[derive(Debug, Default)]
pub(crate) struct PartyBoard {
    ids: [AtomicU64; LARGEST_PARTY],
    /// When the owner's latest search was due.
    search_due_us: AtomicU64,
}

/// What a player is doing, as far as he knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Doing {
    Nothing,
    /// Has asked for a search that was due then.
    Asking {
        due_us: u64,
    },
    Searching {
        due_us: u64,
    },
    Matched,
    /// His game was told to start.
    Starting,
    Playing,
    /// The results are out.
    Over,
}

/// The match he is in.
#[derive(Debug, Default, Deserialize)]
struct Launch {
    #[serde(default)]
    uid: u64,
    #[serde(default)]
    expected_players: usize,
    #[serde(default)]
    team: usize,
    #[serde(default)]
    rating_type: String,
    #[serde(default)]
    args: (String, u64),
}

#[derive(Debug)]
pub(crate) struct Queuer {
    party: usize,
    seat: usize,
    size: usize,
    queue: Option<String>,
    /// Members of his party, himself included.
    members: usize,
    invited_us: u64,
    doing: Doing,
    launch: Launch,
    /// Games that he was told to start so far.
    launches: u64,
    /// Of a host: who is in his game.
    present: Vec<u64>,
    /// His ratings, mean and deviation, as he was told last.
    ratings: BTreeMap<String, (f64, f64)>,
    /// Leaderboard and number of games from which on he has been rated.
    unrated: Option<(String, u64)>,
    /// When he looks next what he could do.
    next_look_us: u64,
    probe: Probe,
}

/// Whether the server says that he is idle: it refuses an invitation to anybody who is not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Probe {
    NotAsked,
    Asked,
    Refused,
    Idle,
}

impl Queuer {
    pub(super) fn new(party: usize, seat: usize, size: usize) -> Queuer {
        Queuer {
            party,
            seat,
            size,
            queue: None,
            members: 1,
            invited_us: 0,
            doing: Doing::Nothing,
            launch: Launch::default(),
            launches: 0,
            present: Vec::new(),
            ratings: BTreeMap::new(),
            unrated: None,
            next_look_us: 0,
            probe: Probe::NotAsked,
        }
    }

    /// Whether he may begin: his party is complete, and its owner knows a queue for it.
    pub(super) fn is_ready(&self) -> bool {
        self.members == self.size && (self.seat > 0 || self.queue.is_some())
    }

    /// What is still to come: his being idle, and his rating.
    pub(crate) fn missing(&self) -> u64 {
        u64::from(self.probe != Probe::Idle) + u64::from(self.unrated.is_some())
    }

    /// The run is over: counts what never happened.
    pub(super) fn account(&self, context: &Context) {
        if let Doing::Asking { due_us } | Doing::Searching { due_us } = self.doing {
            self.give_up(due_us, context);
        }
        let mut recorder = context.recorder.borrow_mut();
        recorder.metrics.stuck += u64::from(self.probe != Probe::Idle);
        recorder.metrics.unrated += u64::from(self.unrated.is_some());
    }

    /// The search that was due then had no match while there were searches: it has waited at least this long.
    fn give_up(&self, due_us: u64, context: &Context) {
        context.give_up(due_us, |metrics| &mut metrics.match_wait);
        context.recorder.borrow_mut().metrics.unmatched += 1;
    }

    /// Signed in, for the first time or again.
    pub(super) fn begin(&mut self, output: &mut Output<'_>, context: &Context) {
        let board = &context.state().parties[self.party];
        board.ids[self.seat].store(output.player_id(), Ordering::Release);
        self.members = 1;
        self.invited_us = 0;
        self.unrated = None;
        self.free();
        if self.seat == 0 {
            output.send(r#"{"command":"matchmaker_info"}"#);
        }
        self.look_later(output, context);
    }

    fn look_later(&mut self, output: &Output<'_>, context: &Context) {
        self.next_look_us = context.now_us() + LOOK_US;
        context.schedule(self.next_look_us, output.slot(), Task::Work);
    }

    fn free(&mut self) {
        self.doing = Doing::Nothing;
        self.launch = Launch::default();
        self.present.clear();
        self.probe = Probe::NotAsked;
    }

    pub(super) fn on_message(
        &mut self,
        command: &str,
        text: &[u8],
        output: &mut Output<'_>,
        context: &Context,
    ) {
        match command {
            "matchmaker_info" if self.seat == 0 && self.queue.is_none() => self.choose_queue(text),
            "party_invite" => {
                let sender = json_of(text)["sender"].clone();
                let accept = json!({"command": "accept_party_invite", "sender_id": sender});
                output.send(&accept.to_string());
            }
            "update_party" => {
                let members = json_of(text)["members"].as_array().map_or(0, Vec::len);
                self.members = members.max(1);
            }
            "search_info" => self.search_changed(text, context),
            "search_timeout" => self.doing = Doing::Nothing,
            "match_found" => self.match_found(context),
            "game_launch" => self.launched(text, output, context),
            "HostGame" => {
                self.present.push(output.player_id());
                self.confirm(output.player_id(), output);
            }
            "ConnectToPeer" if !self.present.is_empty() => {
                let peer = messages::GameCommand::read(text).id(1);
                self.present.push(peer);
                self.confirm(peer, output);
            }
            "DisconnectFromPeer" => {
                let peer = messages::GameCommand::read(text).id(0);
                self.present.retain(|&present| present != peer);
            }
            "match_cancelled" => {
                context.recorder.borrow_mut().metrics.cancelled += 1;
                if self.launch.uid != 0 {
                    output.send(&messages::game_state("Ended"));
                }
                self.free();
            }
            "game_info" => self.game_changed(text, output, context),
            "player_info" => self.players_changed(text, output.player_id(), context),
            "notice" => self.noticed(text),
            _ => {}
        }
    }

    /// Any queue whose teams have room for the party; parties of one size are spread over them.
    fn choose_queue(&mut self, text: &[u8]) {
        let info = json_of(text);
        let queues = info["queues"].as_array().into_iter().flatten();
        let fitting: Vec<&str> = queues
            .filter(|queue| queue["team_size"].as_u64().unwrap_or(0) >= self.size as u64)
            .filter_map(|queue| queue["queue_name"].as_str())
            .collect();
        if !fitting.is_empty() {
            self.queue = Some(fitting[self.party % fitting.len()].to_owned());
        }
    }

    fn search_changed(&mut self, text: &[u8], context: &Context) {
        if json_of(text)["state"] == "start" {
            let board = &context.state().parties[self.party];
            self.doing = Doing::Searching {
                due_us: board.search_due_us.load(Ordering::Acquire),
            };
        } else if let Doing::Searching { due_us } = self.doing {
            self.doing = Doing::Nothing;
            // Before, somebody of the party may have vanished, which is not the server's doing.
            if context.shared.phase() == Phase::Finish {
                self.give_up(due_us, context);
            }
        }
    }

    fn match_found(&mut self, context: &Context) {
        if let Doing::Searching { due_us } = self.doing {
            let waited_us = context.note(due_us, |metrics| &mut metrics.match_wait);
            let common = &mut context.recorder.borrow_mut().common;
            common.recent.saturating_record(waited_us);
        }
        context.recorder.borrow_mut().metrics.matched += 1;
        self.doing = Doing::Matched;
    }

    fn launched(&mut self, text: &[u8], output: &mut Output<'_>, context: &Context) {
        self.launch = serde_json::from_slice(text).unwrap_or_default();
        if self.launch.uid == 0 || !(2..=3).contains(&self.launch.team) {
            return context.protocol_error("a game_launch that makes no sense");
        }
        self.doing = Doing::Starting;
        messages::starting()
            .iter()
            .for_each(|said| output.send(said));
        let rating = self.ratings.get(&self.launch.rating_type);
        let rating = rating.copied().unwrap_or((1500.0, 500.0));
        let Launch {
            uid,
            expected_players,
            team,
            ..
        } = self.launch;
        let part = Part::of_player(uid, expected_players, team - 2, rating);
        let quality = context.state().matches.add(part);
        context.recorder.borrow_mut().metrics.tell(quality);
        self.launches += 1;
        let draw = |place| {
            let of = [context.shared.plan.seed, VANISH, output.index() as u64];
            chance::unit(&[&of[..], &[self.launches, place]].concat())
        };
        if draw(0) * VANISH_ONE_OF < 1.0 {
            context.recorder.borrow_mut().metrics.vanished += 1;
            let after_us = (draw(1) * VANISH_US) as u64;
            context.close_at(context.now_us() + after_us, output.slot());
        }
    }

    /// As a host: one option makes a player count, and with the last one the game begins.
    fn confirm(&mut self, player: u64, output: &mut Output<'_>) {
        output.send(&messages::player_option(player, "Color", player % 8));
        if self.present.len() == self.launch.expected_players {
            output.send(&messages::game_state("Launching"));
        }
    }

    fn game_changed(&mut self, text: &[u8], output: &Output<'_>, context: &Context) {
        if self.doing != Doing::Starting
            || memmem::find(text, b"\"state\":\"playing\"").is_none()
            || memmem::find(text, format!("\"uid\":{},", self.launch.uid).as_bytes()).is_none()
        {
            return;
        }
        self.doing = Doing::Playing;
        context.recorder.borrow_mut().metrics.played += 1;
        context.schedule(context.now_us() + GAME_US, output.slot(), Task::Leave);
    }

    /// The game is over: everybody tells the same results, then goes.
    pub(super) fn leave(&mut self, output: &mut Output<'_>, context: &Context) {
        if self.doing != Doing::Playing {
            return;
        }
        // The teams stand alternately; those in odd places win.
        for army in 1..=self.launch.expected_players as u64 {
            let result = if army % 2 == 1 {
                "victory 10"
            } else {
                "defeat -10"
            };
            output.send(&messages::to_server("GameResult", &json!([army, result])));
        }
        output.send(&messages::to_server("GameEnded", &json!([])));
        self.doing = Doing::Over;
        self.unrated = Some((self.launch.rating_type.clone(), self.launch.args.1 + 1));
        context.schedule(context.now_us() + GOODBYE_US, output.slot(), Task::Chat);
    }

    pub(super) fn close_game(&mut self, output: &mut Output<'_>) {
        if self.doing == Doing::Over {
            output.send(&messages::game_state("Ended"));
            self.free();
        }
    }

    fn players_changed(&mut self, text: &[u8], own_id: u64, context: &Context) {
        if memmem::find(text, format!("\"id\":{own_id},").as_bytes()).is_none() {
            return;
        }
        let info = json_of(text);
        let mut players = info["players"].as_array().into_iter().flatten();
        let Some(me) = players.find(|player| player["id"] == own_id) else {
            return;
        };
        for (name, rating) in me["ratings"].as_object().into_iter().flatten() {
            let number = |at: usize| rating["rating"][at].as_f64().unwrap_or(0.0);
            self.ratings.insert(name.clone(), (number(0), number(1)));
            let games = rating["number_of_games"].as_u64().unwrap_or(0);
            let due = self.unrated.as_ref();
            if due.is_some_and(|(due, from)| due == name && games >= *from) {
                self.unrated = None;
                context.recorder.borrow_mut().metrics.rated += 1;
            }
        }
    }

    fn noticed(&mut self, text: &[u8]) {
        let notice = json_of(text);
        let words = notice["text"].as_str().unwrap_or_default();
        if words.starts_with("Can't invite a player while in state") {
            self.probe = Probe::Refused;
        } else if notice["style"] == "error" && matches!(self.doing, Doing::Asking { .. }) {
            // Somebody of the party is not free yet: again at a later look.
            self.doing = Doing::Nothing;
        }
    }

    /// Looks what he could do now, and does it.
    pub(super) fn look(&mut self, due_us: u64, output: &mut Output<'_>, context: &Context) {
        let shared = &context.shared;
        let now_us = context.now_us();
        // He may have vanished since this look was due, and come back to look again.
        if shared.is_stopping() || due_us < self.next_look_us {
            return;
        }
        self.look_later(output, context);
        if shared.phase() == Phase::Finish {
            return self.wind_up(output);
        }
        if self.seat > 0 || self.doing != Doing::Nothing {
            return;
        }
        if self.members < self.size {
            if now_us >= self.invited_us + INVITE_US {
                self.invited_us = now_us;
                for id in &context.state().parties[self.party].ids[1..self.size] {
                    let id = id.load(Ordering::Acquire);
                    if id != 0 {
                        output.send(&invite(id));
                    }
                }
            }
        } else if shared.is_measuring_at(due_us)
            && let Some(queue) = &self.queue
        {
            let board = &context.state().parties[self.party];
            board.search_due_us.store(due_us, Ordering::Release);
            self.doing = Doing::Asking { due_us };
            output.send(&matchmaking(queue, "start"));
        }
    }

    /// The end: no more searches, games that have not begun are left, and then he asks whether he is idle.
    fn wind_up(&mut self, output: &mut Output<'_>) {
        match (self.doing, &self.queue) {
            (Doing::Searching { .. } | Doing::Asking { .. }, Some(queue)) => {
                output.send(&matchmaking(queue, "stop"));
            }
            // Even if it has begun a moment ago: he has left it, so it is not his to report.
            (Doing::Starting, _) => {
                output.send(&messages::game_state("Ended"));
                self.free();
            }
            _ => {}
        }
        self.probe = match self.probe {
            Probe::Idle => Probe::Idle,
            // It was not refused in all this time.
            Probe::Asked => Probe::Idle,
            Probe::NotAsked | Probe::Refused => {
                output.send(&invite(output.player_id()));
                Probe::Asked
            }
        };
    }
}

fn json_of(text: &[u8]) -> Value {
    serde_json::from_slice(text).unwrap_or_default()
}

fn invite(recipient: u64) -> String {
    json!({"command": "invite_to_party", "recipient_id": recipient}).to_string()
}

fn matchmaking(queue: &str, state: &str) -> String {
    json!({"command": "game_matchmaking", "queue_name": queue, "state": state}).to_string()
}
