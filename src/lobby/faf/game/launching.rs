//! At the host's shard: a match's game until it is launched or has failed (spec: faf-matchmaking 8.2, 8.3).
//!
//! The host is told to open the game; once it is open, or won't be, the guests are told to join, in every case; then all
//! have some time until the launch. Whatever happens, the coordinator hears exactly once how the match went, and the game is
//! kept until then.

use serde::{Deserialize, Serialize};
use std::time::Duration;

use crate::faf::{
    context::{Context, Timer},
    game::{
        games::Games,
        state::{Game, GameState},
    },
    mail::{
        coordinator::{CoordinatorMail, Failure, MatchOutcome, MatchReport},
        game::{Host, Leaving, MatchPlayer, MatchSpec},
        session::SessionMail,
    },
    model::{
        game::{Creation, GameType, Launch, MatchLaunch},
        limits,
        options::{OptionValue, set},
        seat::{LoginId, Seat},
    },
};

/// How far the start of a match's game is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Stage {
    /// The host opens it.
    Opening,
    /// The guests' shards have been told; what went wrong before, if anything.
    Calling(Option<(Failure, Vec<u32>)>),
    /// All are getting ready.
    Starting,
    /// The coordinator knows how it went.
    Over,
}

/// A match whose game is not launched yet.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(in crate::faf) struct Launching {
    opening: MatchSpec,
    stage: Stage,
    /// Guests whose shards have not answered.
    unheard: Vec<u32>,
    /// Guests who were not there any more.
    absent: Vec<u32>,
    /// How it went, if it is over and was not launched: a coordinator that comes later may not have heard.
    #[serde(default)]
    outcome: Option<MatchOutcome>,
}

impl Launching {
    /// Whether the host has still to open the game for the others.
    pub(in crate::faf) fn is_opening(&self) -> bool {
        self.stage == Stage::Opening
    }

    /// The coordinator's name for the match.
    pub(in crate::faf) fn match_id(&self) -> u64 {
        self.opening.match_id
    }

    /// What a coordinator has to know of it.
    pub(in crate::faf) fn report(&self) -> MatchReport {
        let players = self.opening.players.iter();
        MatchReport {
            match_id: self.opening.match_id,
            queue_id: self.opening.queue_id,
            players: players
                .map(|player| (player.login_id, player.team))
                .collect(),
            outcome: self.outcome.clone(),
        }
    }

    /// Whether somebody on that node plays, and it is under way.
    pub(in crate::faf) fn has_player_on(&self, node: u8) -> bool {
        let mut players = self.opening.players.iter();
        self.is_under_way() && players.any(|player| player.login_id.conn.shard.node() == node)
    }

    /// Whether a guest on that node was called and has not been heard of.
    pub(in crate::faf) fn waits_for_guest_on(&self, node: u8) -> bool {
        let mut players = self.opening.players.iter();
        matches!(self.stage, Stage::Calling(_))
            && players.any(|player| {
                let LoginId {
                    player_id, conn, ..
                } = player.login_id;
                conn.shard.node() == node && self.unheard.contains(&player_id)
            })
    }

    /// Whether the coordinator has still to hear of it.
    pub(in crate::faf) fn is_under_way(&self) -> bool {
        self.stage != Stage::Over
    }
}

impl Games {
    /// spec: faf-matchmaking 8.2, 5 to 8, and 8.3, 1 and 2.
    pub(in crate::faf) fn open_match(
        &mut self,
        cx: &mut Context<'_>,
        opening: MatchSpec,
        host: Host,
        seat: Option<Seat>,
    ) {
        let Some(first) = opening.players.first() else {
            return;
        };
        let (uid, host_id) = (opening.uid, first.login_id.player_id);
        let launch = launch_of(&opening, first);
        let mut game = new_game(&opening, host_id, host);
        let guests = opening.players[1..].iter();
        game.launching = Some(Box::new(Launching {
            unheard: guests.map(|guest| guest.login_id.player_id).collect(),
            absent: Vec::new(),
            outcome: None,
            stage: Stage::Opening,
            opening,
        }));
        game.waiting.extend(seat);
        self.add_game(cx, game);
        let Some(seat) = seat else {
            return self.fail_match(cx, uid, Failure::Aborted, vec![host_id]);
        };
        cx.post(seat.conn.shard, SessionMail::StartHosting { seat, launch });
        let at = cx.turn.now.mono + cx.settings.matchmaking.setup;
        cx.turn.wake_at(at, Timer::GameSetup(uid));
        cx.turn.wake_at(at, Timer::MatchOpen(uid));
    }

    /// The host's game is open.
    pub(in crate::faf) fn match_opened(&mut self, cx: &mut Context<'_>, uid: u32) {
        self.call_guests(cx, uid, None);
    }

    /// The time for the host to open their game is over.
    pub(in crate::faf) fn match_open_timed_out(&mut self, cx: &mut Context<'_>, uid: u32) {
        let Some(host) = self.games.get(&uid).map(|game| game.host_id) else {
            return;
        };
        self.call_guests(cx, uid, Some((Failure::TimedOut, vec![host])));
    }

    /// Tells the guests to join, once. They are told in every case, because old clients know no other way out
    /// (spec: faf-matchmaking 8.3, 4).
    fn call_guests(&mut self, cx: &mut Context<'_>, uid: u32, failed: Option<(Failure, Vec<u32>)>) {
        let Some(launching) = self.launching(uid) else {
            return;
        };
        if launching.stage != Stage::Opening {
            return;
        }
        launching.stage = Stage::Calling(failed);
        let opening = &launching.opening;
        let login_ids = opening.players[1..].iter();
        let calls: Vec<(LoginId, Launch)> = login_ids
            .map(|player| (player.login_id, launch_of(opening, player)))
            .collect();
        for (login_id, launch) in calls {
            let owner = cx.turn.shard;
            let mail = SessionMail::CallToGame {
                login_id,
                uid,
                owner,
                launch,
            };
            cx.post(login_id.conn.shard, mail);
        }
        self.guests_called(cx, uid);
    }

    /// A guest's shard has answered.
    pub(in crate::faf) fn guest_called(
        &mut self,
        cx: &mut Context<'_>,
        uid: u32,
        player_id: u32,
        seat: Option<Seat>,
    ) {
        let Some(game) = self.games.get_mut(&uid) else {
            // Given up meanwhile, because the server is to end.
            if let Some(seat) = seat {
                cx.post(seat.conn.shard, SessionMail::LinkEnded(seat));
            }
            return;
        };
        game.waiting.extend(seat);
        if let Some(launching) = &mut game.launching {
            launching.unheard.retain(|&id| id != player_id);
            if seat.is_none() {
                launching.absent.push(player_id);
            }
        }
        self.guests_called(cx, uid);
    }

    /// When all guests have been heard: on, or the end (spec: faf-matchmaking 8.3, 4 to 6).
    fn guests_called(&mut self, cx: &mut Context<'_>, uid: u32) {
        let Some(launching) = self.launching(uid).filter(|l| l.unheard.is_empty()) else {
            return;
        };
        let Stage::Calling(failed) = &launching.stage else {
            return;
        };
        if !launching.absent.is_empty() {
            let absent = launching.absent.clone();
            return self.fail_match(cx, uid, Failure::Aborted, absent);
        }
        if let Some((failure, violators)) = failed.clone() {
            return self.fail_match(cx, uid, failure, violators);
        }
        launching.stage = Stage::Starting;
        let login_ids = launching.opening.players.len() as u32 - 1;
        let rules = &cx.settings.matchmaking;
        let wait: Duration = rules.setup + rules.setup_per_guest * login_ids;
        cx.turn
            .wake_at(cx.turn.now.mono + wait, Timer::MatchStart(uid));
    }

    /// The time until the launch is over (spec: faf-matchmaking 8.3, 7; faf-observed, Matchmaker).
    pub(in crate::faf) fn match_start_timed_out(&mut self, cx: &mut Context<'_>, uid: u32) {
        let Some(game) = self.games.get(&uid) else {
            return;
        };
        let Some(launching) = &game.launching else {
            return;
        };
        if launching.stage != Stage::Starting {
            return;
        }
        let is_ready = |id: u32| {
            game.configured.contains(&id) && game.members.iter().any(|m| m.seat.player_id == id)
        };
        let login_ids = launching.opening.players[1..].iter();
        let violators = login_ids
            .map(|login_id| login_id.login_id.player_id)
            .filter(|&id| !is_ready(id))
            .collect();
        self.fail_match(cx, uid, Failure::TimedOut, violators);
    }

    /// Somebody has left the game; `connected`: they had been in its mesh (spec: faf-matchmaking 8.3, 8).
    pub(in crate::faf) fn match_left(
        &mut self,
        cx: &mut Context<'_>,
        seat: Seat,
        connected: bool,
        how: Leaving,
    ) {
        let player_id = seat.player_id;
        let Some(game) = self.games.get_mut(&seat.uid) else {
            return;
        };
        let was_open = game.hosted_at.is_some();
        let Some(launching) = &mut game.launching else {
            return;
        };
        // A stranger who got in by reconnecting decides nothing.
        let mut players = launching.opening.players.iter();
        if !connected || !players.any(|player| player.login_id.player_id == player_id) {
            return;
        }
        let failed = Some((Failure::Aborted, vec![player_id]));
        match &mut launching.stage {
            // A host who is lost before they have opened is waited for (spec: faf-observed, Matchmaker).
            Stage::Opening if how != Leaving::Ended && !was_open => {}
            Stage::Opening => self.call_guests(cx, seat.uid, failed),
            Stage::Calling(known) => *known = known.take().or(failed),
            Stage::Starting => {
                self.fail_match(cx, seat.uid, Failure::Aborted, vec![player_id]);
            }
            Stage::Over => {}
        }
    }

    /// The game was launched: the match is made.
    pub(in crate::faf) fn match_launched(&mut self, cx: &mut Context<'_>, uid: u32) {
        let Some(game) = self.games.get_mut(&uid) else {
            return;
        };
        if let Some(launching) = game.launching.take()
            && launching.is_under_way()
        {
            let match_id = launching.opening.match_id;
            self.tell_match_over(cx, match_id, MatchOutcome::Launched);
        }
    }

    /// The server is to end, and with it a game that has not begun: nobody's fault.
    pub(in crate::faf) fn abandon_match(&mut self, cx: &mut Context<'_>, uid: u32) {
        self.fail_match(cx, uid, Failure::Errored, Vec::new());
    }

    /// spec: faf-matchmaking 8.4.
    fn fail_match(
        &mut self,
        cx: &mut Context<'_>,
        uid: u32,
        failure: Failure,
        violators: Vec<u32>,
    ) {
        let Some(game) = self.games.get_mut(&uid) else {
            return;
        };
        let Some(launching) = game.launching.as_mut().filter(|l| l.is_under_way()) else {
            return;
        };
        launching.stage = Stage::Over;
        let match_id = launching.opening.match_id;
        let outcome = MatchOutcome::Failed {
            game_id: Some(uid),
            violators,
            failure,
        };
        launching.outcome = Some(outcome.clone());
        game.state = GameState::Ended;
        game.hosting = false;
        self.changed(uid);
        self.close_book(cx, uid);
        self.tell_match_over(cx, match_id, outcome);
    }

    fn launching(&mut self, uid: u32) -> Option<&mut Launching> {
        self.games.get_mut(&uid)?.launching.as_deref_mut()
    }

    fn tell_match_over(&mut self, cx: &mut Context<'_>, match_id: u64, outcome: MatchOutcome) {
        cx.post_coordinator(CoordinatorMail::MatchOver { match_id, outcome });
    }
}

/// How a player of a match is to launch its game.
fn launch_of(spec: &MatchSpec, player: &MatchPlayer) -> Launch {
    Launch {
        featured_mod: spec.featured_mod.clone(),
        title: spec.title.clone(),
        game_type: GameType::Matchmaker,
        rating_type: spec.rating_type.clone(),
        matched: Some(Box::new(MatchLaunch {
            mapname: spec.folder.clone(),
            team: player.team,
            faction: player.faction,
            expected_players: spec.players.len(),
            map_position: player.position,
            map_pool_map_version_id: spec.map_pool_map_version_id,
            game_options: spec.game_options.clone(),
        })),
    }
}

/// A match's game before anybody is in it.
fn new_game(spec: &MatchSpec, host_id: u32, host: Host) -> Game {
    let creation = Creation {
        title: spec.title.clone(),
        featured_mod: spec.featured_mod.clone(),
        folder: spec.folder.clone(),
        friends_only: false,
        password: None,
        rating_min: None,
        rating_max: None,
        enforce_rating_range: false,
    };
    let mut game = Game::new(spec.uid, host_id, host.login, creation);
    (game.host_friends, game.host_foes) = (host.friends, host.foes);
    game.game_type = GameType::Matchmaker;
    game.rating_type = spec.rating_type.clone();
    game.queue_id = Some(spec.queue_id);
    game.max_players = spec.players.len() as i64;
    let slots = OptionValue::Int(game.max_players);
    set(&mut game.options, "Slots", slots, limits::GAME_OPTIONS);
    for player in &spec.players {
        let number = |n: u32| OptionValue::Int(n.into());
        let options = [
            ("StartSpot", number(player.position)),
            ("Army", number(player.position)),
            ("Color", number(player.position)),
            ("Team", number(player.team)),
            ("Faction", number(player.faction.into())),
        ];
        let options = options.map(|(key, value)| (key.into(), value));
        // They don't make them a configured one: the host has to confirm them.
        game.player_options
            .push((player.login_id.player_id, options.into()));
    }
    for (key, value) in &spec.game_options {
        set(&mut game.options, key, value.clone(), limits::GAME_OPTIONS);
    }
    game
}
