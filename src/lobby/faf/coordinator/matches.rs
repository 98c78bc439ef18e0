//! A match from being found to its game, which is its host's shard's, and to its end
//! (spec: faf-matchmaking 8.1, 8.2, 8.4).
//!
//! Every player's shard says how they are now; then the back office gives the game's number and what was played lately;
//! then the game is opened. Each match is here until its host's shard says how it went, or until it has failed here.
//! Players who leave meanwhile are not waited for.

use rand::RngExt;
use serde::{Deserialize, Serialize};

use crate::{
    ShardId,
    faf::{
        context::Context,
        coordinator::{Coordinator, queues::Search},
        mail::{
            Mail,
            coordinator::{CoordinatorMail, Failure, MatchOutcome, Profile},
            game::{MatchPlayer, MatchSpec},
            session::{CoordinatorEvent, SessionMail},
        },
        model::{
            factions::Faction,
            player_state::PlayerState,
            pools::{PoolMap, QueueSetup},
            seat::LoginId,
        },
        questions::{MatchGrant, PrepareMatch},
        rules::matchmaking::{lineup, maps, vetoes},
    },
    question::{Continuation, StoreFailure},
};

/// Somebody in a match.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(in crate::faf) struct Contestant {
    /// The login this is about: player, connection and claim.
    pub login_id: LoginId,
    /// As they are now, or were when they began to search.
    pub profile: Profile,
    /// What they play.
    pub faction: Faction,
    /// Their shard has said how they are, or they have left.
    pub answered: bool,
}

/// How far a match is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Stage {
    /// Its players are being told.
    Telling,
    /// Their shards are asked.
    Asking,
    /// The back office is.
    Preparing,
    /// It is its host's shard's, since the shards were asked so often.
    Opened(u64),
}

/// A match.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(in crate::faf) struct Match {
    setup: QueueSetup,
    teams: [Vec<Contestant>; 2],
    stage: Stage,
}

impl Match {
    /// Of these searches; `faction_of` says what each player plays.
    pub(in crate::faf) fn new(
        setup: QueueSetup,
        teams: [Vec<Search>; 2],
        mut faction_of: impl FnMut(u32) -> Faction,
    ) -> Self {
        let teams = teams.map(|team| {
            let members = team.into_iter().flat_map(|search| search.members);
            let match_player = |member: crate::faf::coordinator::queues::Searcher| Contestant {
                faction: faction_of(member.login_id.player_id),
                login_id: member.login_id,
                profile: member.profile,
                answered: false,
            };
            members.map(match_player).collect()
        });
        Match {
            setup,
            teams,
            stage: Stage::Telling,
        }
    }

    /// One that another coordinator has found.
    pub(in crate::faf) fn kept(
        setup: QueueSetup,
        teams: [Vec<Contestant>; 2],
        is_opened: bool,
    ) -> Self {
        let stage = match is_opened {
            true => Stage::Opened(0),
            false => Stage::Asking,
        };
        Match {
            setup,
            teams,
            stage,
        }
    }

    /// A match of which only its game is known.
    pub(in crate::faf) fn adopted(setup: QueueSetup, players: &[(LoginId, u32)]) -> Self {
        let team = |number: u32| {
            let members = players.iter().filter(|(_, team)| *team == number);
            let contestant = |&(login_id, _): &(LoginId, u32)| Contestant {
                login_id,
                profile: Profile::default(),
                faction: Faction::Uef,
                answered: true,
            };
            members.map(contestant).collect()
        };
        Match {
            setup,
            teams: [team(2), team(3)],
            stage: Stage::Opened(0),
        }
    }

    /// `matchmaker_queue.id`.
    pub(in crate::faf) fn queue_id(&self) -> u32 {
        self.setup.id
    }

    /// Who plays.
    pub(in crate::faf) fn teams(&self) -> &[Vec<Contestant>; 2] {
        &self.teams
    }

    /// The shard of its host, whose its game is.
    pub(in crate::faf) fn host_shard(&self) -> Option<ShardId> {
        self.players().next().map(|host| host.login_id.conn.shard)
    }

    /// Its game is open, as its host's shard says; it was asked in this round.
    pub(in crate::faf) fn opened(&mut self, round: u64) {
        self.stage = Stage::Opened(round);
    }

    /// Whether it was given to its host's shard before that was asked in this round, or not at all.
    pub(in crate::faf) fn is_older_than(&self, round: u64) -> bool {
        matches!(self.stage, Stage::Opened(opened) if opened < round)
    }

    /// Whether somebody in it has still to say how they are.
    pub(in crate::faf) fn waits_for(&self, is_meant: impl Fn(&LoginId) -> bool) -> bool {
        let mut players = self.players();
        !self.is_opened() && players.any(|p| !p.answered && is_meant(&p.login_id))
    }

    /// Somebody's shard has said that they know of it.
    pub(in crate::faf) fn answers(&mut self, login_id: &LoginId) {
        let mut players = self.teams.iter_mut().flatten();
        if let Some(player) = players.find(|player| player.login_id == *login_id) {
            player.answered = true;
        }
    }

    /// Whether nothing more of it is asked or told before its host's shard says how it went.
    pub(in crate::faf) fn is_opened(&self) -> bool {
        matches!(self.stage, Stage::Opened(_))
    }

    /// Team 1, then team 2.
    fn players(&self) -> impl Iterator<Item = &Contestant> {
        self.teams.iter().flatten()
    }

    /// Whether somebody is in it.
    pub(in crate::faf) fn has(&self, login_id: &LoginId) -> bool {
        self.players().any(|player| player.login_id == *login_id)
    }

    /// Whether any of these is in it.
    pub(in crate::faf) fn has_any(&self, is_meant: impl Fn(&LoginId) -> bool) -> bool {
        self.players().any(|player| is_meant(&player.login_id))
    }

    fn displayed(&self) -> Vec<f64> {
        let players = self.players();
        players.map(|p| p.profile.rating.displayed()).collect()
    }
}

/// What a match needs to be opened is looked up.
#[derive(Debug)]
pub(in crate::faf) struct Preparing {
    id: u64,
}

impl Continuation for Preparing {
    type Asker = Coordinator;
    type Question = PrepareMatch;

    fn resume(
        self,
        coordinator: &mut Coordinator,
        cx: &mut Context<'_>,
        grant: Result<MatchGrant, StoreFailure>,
    ) {
        coordinator.match_prepared(cx, self.id, grant);
    }
}

impl Coordinator {
    /// spec: faf-matchmaking 8.1.
    pub(in crate::faf) fn match_found(&mut self, cx: &mut Context<'_>, found: Match) {
        cx.metrics.matches_found.up();
        let id = self.matchmaker.next_id();
        let login_ids: Vec<LoginId> = found.players().map(|p| p.login_id).collect();
        let (queue, rating_type) = (found.setup.name.clone(), found.setup.rating_type.clone());
        self.matchmaker.matches.insert(id, found);
        // First all of them: whose other searches are cancelled must not become idle by that.
        for login_id in &login_ids {
            if let Some(online) = self.member_mut(login_id) {
                online.state = PlayerState::StartingAutomatch;
            }
        }
        for login_id in login_ids {
            let event = CoordinatorEvent::Matched {
                match_id: id,
                queue: queue.clone(),
                rating_type: rating_type.clone(),
            };
            self.tell_shard_of(cx, login_id, event);
            self.stop_searches(cx, login_id.player_id);
        }
        let told = CoordinatorMail::AllTold { match_id: id };
        let told = Mail::Coordinator(self.term(), told);
        cx.post(cx.turn.shard, told);
    }

    /// Every player's shard has been told of a match; those of this one have answered.
    pub(in crate::faf) fn all_told(&mut self, cx: &mut Context<'_>, id: u64) {
        if let Some(found) = self.matchmaker.matches.get_mut(&id) {
            found.stage = Stage::Asking;
        }
        self.prepare_match(cx, id);
    }

    /// A player's shard says how they are.
    pub(in crate::faf) fn contestant_ready(
        &mut self,
        cx: &mut Context<'_>,
        login_id: LoginId,
        id: u64,
        profile: Profile,
    ) {
        let Some(found) = self.matchmaker.matches.get_mut(&id) else {
            return;
        };
        let mut players = found.teams.iter_mut().flatten();
        if let Some(player) = players.find(|player| player.login_id == login_id) {
            player.profile = profile;
            player.answered = true;
        }
        self.prepare_match(cx, id);
    }

    /// Somebody has left; no match waits for their word.
    pub(in crate::faf) fn match_player_gone(&mut self, cx: &mut Context<'_>, login_id: &LoginId) {
        let mut waited = Vec::new();
        for (&id, found) in &mut self.matchmaker.matches {
            let mut players = found.teams.iter_mut().flatten();
            if let Some(player) = players.find(|player| player.login_id == *login_id) {
                player.answered = true;
                waited.push(id);
            }
        }
        for id in waited {
            self.prepare_match(cx, id);
        }
    }

    /// When everybody has been heard: what does the back office know (spec: faf-matchmaking 8.2, 1 to 4).
    pub(in crate::faf) fn prepare_match(&mut self, cx: &mut Context<'_>, id: u64) {
        let Some(found) = self.matchmaker.matches.get_mut(&id) else {
            return;
        };
        if found.stage != Stage::Asking || found.players().any(|player| !player.answered) {
            return;
        }
        if !has_map(found, cx.settings.matchmaking.map_pool_rating_selection) {
            cx.metrics.matches_without_map.up();
            return self.match_errored(cx, id);
        }
        found.stage = Stage::Preparing;
        let question = PrepareMatch {
            queue_id: found.setup.id,
            players: found
                .players()
                .map(|player| player.login_id.player_id)
                .collect(),
            history: cx.settings.matchmaking.anti_repetition.limit,
        };
        self.pending.ask(&mut cx.turn, question, Preparing { id });
    }

    /// The back office has answered: the map is chosen, and the game opened (spec: faf-matchmaking 8.2).
    fn match_prepared(
        &mut self,
        cx: &mut Context<'_>,
        id: u64,
        grant: Result<MatchGrant, StoreFailure>,
    ) {
        let settings = cx.settings.clone();
        let rounds = self.rounds();
        let Some(found) = self.matchmaker.matches.get_mut(&id) else {
            return;
        };
        let Ok(grant) = grant else {
            cx.metrics.store_errors.up();
            return self.match_errored(cx, id);
        };
        let Some(opening) = opening(cx, id, found, &grant, &settings.matchmaking) else {
            cx.metrics.matches_without_map.up();
            return self.match_errored(cx, id);
        };
        let Some(host) = opening.players.first().map(|host| host.login_id) else {
            return;
        };
        found.stage = Stage::Opened(rounds);
        self.say(
            cx,
            host.conn.shard,
            SessionMail::OpenMatch(Box::new(opening)),
        );
    }

    /// A match comes to nothing, and nobody is to blame.
    pub(in crate::faf) fn match_errored(&mut self, cx: &mut Context<'_>, id: u64) {
        let outcome = MatchOutcome::Failed {
            game_id: None,
            violators: Vec::new(),
            failure: Failure::Errored,
        };
        self.match_over(cx, id, outcome);
    }

    /// The server is to end: what has no game yet gets none.
    pub(in crate::faf) fn cancel_unopened_matches(&mut self, cx: &mut Context<'_>) {
        self.cancel_matches(cx, |found| !found.is_opened());
    }

    /// These matches come to nothing.
    pub(in crate::faf) fn cancel_matches(
        &mut self,
        cx: &mut Context<'_>,
        is_meant: impl Fn(&Match) -> bool,
    ) {
        let matches = self.matchmaker.matches.iter();
        let meant = matches.filter(|(_, found)| is_meant(found));
        let ids: Vec<u64> = meant.map(|(&id, _)| id).collect();
        for id in ids {
            self.match_errored(cx, id);
        }
    }

    /// How a match went (spec: faf-matchmaking 8.4).
    pub(in crate::faf) fn match_over(
        &mut self,
        cx: &mut Context<'_>,
        id: u64,
        outcome: MatchOutcome,
    ) {
        let Some(over) = self.matchmaker.matches.remove(&id) else {
            return;
        };
        cx.metrics.match_ended(&over.setup.name, &outcome);
        let MatchOutcome::Failed {
            game_id,
            violators,
            failure,
        } = outcome
        else {
            cx.metrics.matches_launched.up();
            return;
        };
        match failure {
            Failure::TimedOut => cx.metrics.matches_timed_out.up(),
            Failure::Aborted => cx.metrics.matches_aborted.up(),
            Failure::Errored => cx.metrics.matches_errored.up(),
        }
        let login_ids: Vec<LoginId> = over.players().map(|player| player.login_id).collect();
        for login_id in login_ids {
            let event = CoordinatorEvent::MatchCancelled {
                match_id: id,
                game_id,
            };
            self.tell_shard_of(cx, login_id, event);
        }
        self.register_violations(cx, &violators);
    }
}

/// Whether there is a bracket for the match with a map that is not vetoed (spec: faf-matchmaking 9.1, 9.2).
fn has_map(found: &Match, selection: crate::faf::model::pools::RatingSelection) -> bool {
    let bracket = found.setup.bracket(selection.of(&found.displayed()));
    bracket.is_some_and(|bracket| {
        let wanted = wanted_maps(found, bracket);
        let entries = bracket.pool.entries.iter().zip(wanted);
        entries
            .map(|(entry, wanted)| entry.weight * wanted)
            .sum::<f64>()
            > 0.0
    })
}

fn wanted_maps(found: &Match, bracket: &crate::faf::model::pools::Bracket) -> Vec<f64> {
    let all: Vec<_> = found
        .players()
        .flat_map(|player| player.profile.vetoes.iter().copied())
        .collect();
    vetoes::weights(bracket, found.setup.team_size, &all)
}

/// Everything about the game of a match; `None`: no map is left.
fn opening(
    cx: &mut Context<'_>,
    id: u64,
    found: &Match,
    grant: &MatchGrant,
    settings: &crate::faf::rules::matchmaking::MatchmakingSettings,
) -> Option<MatchSpec> {
    let rating = settings.map_pool_rating_selection.of(&found.displayed());
    let bracket = found.setup.bracket(rating)?;
    let wanted = wanted_maps(found, bracket);
    let entry = maps::choose(
        bracket,
        &wanted,
        &grant.history,
        &settings.anti_repetition,
        cx.turn.rng,
    )?;
    let folder = match &entry.map {
        PoolMap::Vault { folder, .. } => folder.to_lowercase(),
        PoolMap::Generated(map) => map.folder(cx.turn.rng.random()),
    };
    let [first, second] = [0, 1].map(|team| {
        let players = found.teams[team].iter();
        let displayed: Vec<f64> = players.map(|p| p.profile.rating.displayed()).collect();
        displayed
    });
    let places = lineup::places([&first, &second], cx.turn.rng);
    let players = found.players().zip(places.into_iter().flatten());
    let players = players.map(|(player, place)| MatchPlayer {
        login_id: player.login_id,
        login: player.profile.login.clone(),
        team: place.team,
        position: place.position,
        faction: player.faction as u8,
    });
    let named = |team: usize| -> Vec<(&str, Option<&str>)> {
        let players = found.teams[team].iter();
        players
            .map(|p| (&*p.profile.login, p.profile.clan.as_deref()))
            .collect()
    };
    Some(MatchSpec {
        match_id: id,
        uid: grant.game_id,
        queue_id: found.setup.id,
        featured_mod: found.setup.featured_mod.clone(),
        rating_type: found.setup.rating_type.clone(),
        title: lineup::name([&named(0), &named(1)]).into(),
        folder: folder.into(),
        map_pool_map_version_id: entry.id,
        game_options: found.setup.game_options.clone(),
        players: players.collect(),
    })
}
