//! At the host's shard: a match's game until it is launched or has failed (spec: faf-matchmaking 8.2, 8.3).
//!
//! The host is told to open the game; once it is open, or won't be, the guests are told to join, in every case; then all
//! have some time until the launch. Whatever happens, the coordinator hears exactly once how the match went, and the game is
//! kept until then.

use crate::{
    ShardId,
    faf::{
        Faf, FafTurn, Timer,
        coordinator::COORDINATOR,
        game::state::{Game, GameState},
        mail::{
            Mail,
            coordinator::{Failure, MatchOutcome},
            game::{Leaving, MatchPlayer, MatchSpec},
        },
        model::{
            game::{Creation, GameType, Launch, MatchLaunch},
            limits,
            options::{OptionValue, set},
            player_state::PlayerState,
            seat::{LoginId, Seat},
        },
    },
};
use std::time::Duration;

/// How far the start of a match's game is.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Stage {
    /// The host opens it.
    MatchSpec,
    /// The guests' shards have been told; what went wrong before, if anything.
    Summoning(Option<(Failure, Vec<u32>)>),
    /// All are getting ready.
    Starting,
    /// The coordinator knows how it went.
    Over,
}

/// A match whose game is not launched yet.
#[derive(Debug)]
pub(in crate::faf) struct Launching {
    opening: MatchSpec,
    stage: Stage,
    /// Guests whose shards have not answered.
    unheard: Vec<u32>,
    /// Guests who were not there any more.
    absent: Vec<u32>,
}

impl Launching {
    /// Whether the host has still to open the game for the others.
    pub(in crate::faf) fn is_opening(&self) -> bool {
        self.stage == Stage::MatchSpec
    }

    /// Whether the coordinator has still to hear of it.
    pub(in crate::faf) fn is_under_way(&self) -> bool {
        self.stage != Stage::Over
    }
}

impl MatchSpec {
    fn launch_of(&self, player: &MatchPlayer) -> Launch {
        Launch {
            featured_mod: self.featured_mod.clone(),
            title: self.title.clone(),
            game_type: GameType::Matchmaker,
            rating_type: self.rating_type.clone(),
            matched: Some(Box::new(MatchLaunch {
                mapname: self.folder.clone(),
                team: player.team,
                faction: player.faction,
                expected_players: self.players.len(),
                map_position: player.position,
                map_pool_map_version_id: self.map_pool_map_version_id,
                game_options: self.game_options.clone(),
            })),
        }
    }

    /// The game before anybody is in it.
    fn game(&self, host: &MatchPlayer) -> Game {
        let creation = Creation {
            title: self.title.clone(),
            featured_mod: self.featured_mod.clone(),
            folder: self.folder.clone(),
            friends_only: false,
            password: None,
            rating_min: None,
            rating_max: None,
            enforce_rating_range: false,
        };
        let login = host.login.clone();
        let mut game = Game::new(self.uid, host.login_id.player_id, login, creation);
        game.game_type = GameType::Matchmaker;
        game.rating_type = self.rating_type.clone();
        game.queue_id = Some(self.queue_id);
        game.max_players = self.players.len() as i64;
        let slots = OptionValue::Int(game.max_players);
        set(&mut game.options, "Slots", slots, limits::GAME_OPTIONS);
        for player in &self.players {
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
        for (key, value) in &self.game_options {
            set(&mut game.options, key, value.clone(), limits::GAME_OPTIONS);
        }
        game
    }
}

impl Faf {
    /// spec: faf-matchmaking 8.2, 5 to 8, and 8.3, 1 and 2.
    pub(in crate::faf) fn open_match(&mut self, turn: &mut FafTurn<'_>, opening: MatchSpec) {
        let Some(host) = opening.players.first().cloned() else {
            return;
        };
        let uid = opening.uid;
        if self.draining {
            let outcome = MatchOutcome::Failed {
                game_id: None,
                violators: Vec::new(),
                failure: Failure::Errored,
            };
            return self.tell_match_over(turn, opening.match_id, outcome);
        }
        let mut game = opening.game(&host);
        (game.host_friends, game.host_foes) = self.lists_of(&host.login_id).unwrap_or_default();
        let login_ids = opening.players[1..].iter();
        let launch = opening.launch_of(&host);
        game.launching = Some(Box::new(Launching {
            unheard: login_ids
                .map(|login_id| login_id.login_id.player_id)
                .collect(),
            absent: Vec::new(),
            stage: Stage::MatchSpec,
            opening,
        }));
        self.add_game(turn, game);
        if !self.may_be_launched(&host.login_id) {
            return self.fail_match(turn, uid, Failure::Aborted, vec![host.login_id.player_id]);
        }
        let Some(seat) = self.session_of(&host.login_id).and_then(|s| s.seat(uid)) else {
            return;
        };
        if let Some(game) = self.games.get_mut(&uid) {
            game.waiting.push(seat);
        }
        self.start_game(turn, seat, self.shard, &launch, true);
        let setup = self.settings.matchmaking.setup;
        turn.wake_at(turn.now.mono + setup, Timer::GameSetup(uid));
        turn.wake_at(turn.now.mono + setup, Timer::MatchOpen(uid));
    }

    /// The host's friends and foes, if they are still there.
    fn lists_of(&self, host: &LoginId) -> Option<(Vec<u32>, Vec<u32>)> {
        let player = self.sessions.get(host.conn)?.player.as_deref()?;
        let account = (player.epoch == host.epoch).then_some(&player.account)?;
        Some((account.friends.clone(), account.foes.clone()))
    }

    /// Whether this login is here and waits for its match's game.
    fn may_be_launched(&mut self, login_id: &LoginId) -> bool {
        let session = self.session_of(login_id);
        session.is_some_and(|s| {
            !s.closing && s.link.is_none() && s.state == PlayerState::StartingAutomatch
        })
    }

    /// The host's game is open.
    pub(in crate::faf) fn match_opened(&mut self, turn: &mut FafTurn<'_>, uid: u32) {
        self.summon_guests(turn, uid, None);
    }

    /// The time for the host to open their game is over.
    pub(in crate::faf) fn match_open_timed_out(&mut self, turn: &mut FafTurn<'_>, uid: u32) {
        let Some(host) = self.games.get(&uid).map(|game| game.host_id) else {
            return;
        };
        self.summon_guests(turn, uid, Some((Failure::TimedOut, vec![host])));
    }

    /// Tells the guests to join, once. They are told in every case, because old clients know no other way out
    /// (spec: faf-matchmaking 8.3, 4).
    fn summon_guests(
        &mut self,
        turn: &mut FafTurn<'_>,
        uid: u32,
        failed: Option<(Failure, Vec<u32>)>,
    ) {
        let Some(launching) = self.launching(uid) else {
            return;
        };
        if launching.stage != Stage::MatchSpec {
            return;
        }
        launching.stage = Stage::Summoning(failed);
        let opening = &launching.opening;
        let login_ids = opening.players[1..].iter();
        let summons: Vec<(LoginId, Launch)> = login_ids
            .map(|player| (player.login_id, opening.launch_of(player)))
            .collect();
        for (login_id, launch) in summons {
            let owner = self.shard;
            let mail = Mail::CallToGame {
                login_id,
                uid,
                owner,
                launch,
            };
            self.post(turn, login_id.conn.shard, mail);
        }
        self.guests_summoned(turn, uid);
    }

    /// At a guest's shard.
    pub(in crate::faf) fn summoned(
        &mut self,
        turn: &mut FafTurn<'_>,
        login_id: LoginId,
        uid: u32,
        owner: ShardId,
        launch: &Launch,
    ) {
        let seat = if self.may_be_launched(&login_id) {
            self.session_of(&login_id)
                .and_then(|session| session.seat(uid))
        } else {
            None
        };
        if let Some(seat) = seat {
            self.start_game(turn, seat, owner, launch, false);
        }
        let player_id = login_id.player_id;
        let answer = Mail::Summoned {
            uid,
            player_id,
            seat,
        };
        self.post(turn, owner, answer);
    }

    /// Back at the owner's.
    pub(in crate::faf) fn guest_summoned(
        &mut self,
        turn: &mut FafTurn<'_>,
        uid: u32,
        player_id: u32,
        seat: Option<Seat>,
    ) {
        let Some(game) = self.games.get_mut(&uid) else {
            // Given up meanwhile, because the server is to end.
            if let Some(seat) = seat {
                self.post(turn, seat.conn.shard, Mail::LinkEnded(seat));
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
        self.guests_summoned(turn, uid);
    }

    /// When all guests have been heard: on, or the end (spec: faf-matchmaking 8.3, 4 to 6).
    fn guests_summoned(&mut self, turn: &mut FafTurn<'_>, uid: u32) {
        let Some(launching) = self.launching(uid).filter(|l| l.unheard.is_empty()) else {
            return;
        };
        let Stage::Summoning(failed) = &launching.stage else {
            return;
        };
        if !launching.absent.is_empty() {
            let absent = launching.absent.clone();
            return self.fail_match(turn, uid, Failure::Aborted, absent);
        }
        if let Some((failure, violators)) = failed.clone() {
            return self.fail_match(turn, uid, failure, violators);
        }
        launching.stage = Stage::Starting;
        let login_ids = launching.opening.players.len() as u32 - 1;
        let rules = &self.settings.matchmaking;
        let wait: Duration = rules.setup + rules.setup_per_guest * login_ids;
        turn.wake_at(turn.now.mono + wait, Timer::MatchStart(uid));
    }

    /// The time until the launch is over (spec: faf-matchmaking 8.3, 7; faf-observed, Matchmaker).
    pub(in crate::faf) fn match_start_timed_out(&mut self, turn: &mut FafTurn<'_>, uid: u32) {
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
        self.fail_match(turn, uid, Failure::TimedOut, violators);
    }

    /// Somebody has left the game; `connected`: they had been in its mesh (spec: faf-matchmaking 8.3, 8).
    pub(in crate::faf) fn match_left(
        &mut self,
        turn: &mut FafTurn<'_>,
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
            Stage::MatchSpec if how != Leaving::Ended && !was_open => {}
            Stage::MatchSpec => self.summon_guests(turn, seat.uid, failed),
            Stage::Summoning(known) => *known = known.take().or(failed),
            Stage::Starting => {
                self.fail_match(turn, seat.uid, Failure::Aborted, vec![player_id]);
            }
            Stage::Over => {}
        }
    }

    /// The game was launched: the match is made.
    pub(in crate::faf) fn match_launched(&mut self, turn: &mut FafTurn<'_>, uid: u32) {
        let Some(game) = self.games.get_mut(&uid) else {
            return;
        };
        if let Some(launching) = game.launching.take()
            && launching.is_under_way()
        {
            let match_id = launching.opening.match_id;
            self.tell_match_over(turn, match_id, MatchOutcome::Launched);
        }
    }

    /// The server is to end, and with it a game that has not begun: nobody's fault.
    pub(in crate::faf) fn abandon_match(&mut self, turn: &mut FafTurn<'_>, uid: u32) {
        self.fail_match(turn, uid, Failure::Errored, Vec::new());
    }

    /// spec: faf-matchmaking 8.4.
    fn fail_match(
        &mut self,
        turn: &mut FafTurn<'_>,
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
        game.state = GameState::Ended;
        game.hosting = false;
        self.tick.game_dirty(uid);
        self.close_book(turn, uid);
        let outcome = MatchOutcome::Failed {
            game_id: Some(uid),
            violators,
            failure,
        };
        self.tell_match_over(turn, match_id, outcome);
    }

    fn launching(&mut self, uid: u32) -> Option<&mut Launching> {
        self.games.get_mut(&uid)?.launching.as_deref_mut()
    }

    fn tell_match_over(&mut self, turn: &mut FafTurn<'_>, match_id: u64, outcome: MatchOutcome) {
        self.post(turn, COORDINATOR, Mail::MatchOver { match_id, outcome });
    }
}
