//! At the coordinator: a match from being found to its game, which is its host's shard's, and to its end
//! (spec: faf-matchmaking 8.1, 8.2, 8.4).
//!
//! Every player's shard says how they are now; then the back office gives the game's number and what was played lately;
//! then the game is opened. Each match is here until its host's shard says how it went, or until it has failed here.
//! Players who leave meanwhile are not waited for.

use crate::{
    faf::{
        Faf, FafTurn,
        coordinator::queues::Search,
        mail::{
            Mail,
            coordinator::{Failure, MatchOutcome, Profile},
            game::{MatchPlayer, MatchSpec},
            session::CoordinatorEvent,
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
use rand::RngExt;

/// Somebody in a match.
#[derive(Debug)]
pub(in crate::faf) struct Contestant {
    /// The login this is about: player, connection and claim.
    pub login_id: LoginId,
    /// As they are now, or were when they began to search.
    pub profile: Profile,
    /// What they play.
    pub faction: Faction,
    /// Their shard has said how they are, or they have left.
    answered: bool,
}

/// How far a match is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// Its players are being told.
    Telling,
    /// Their shards are asked.
    Asking,
    /// The back office is.
    Preparing,
    /// It is its host's shard's.
    Opened,
}

/// A match.
#[derive(Debug)]
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

    /// Team 1, then team 2.
    fn players(&self) -> impl Iterator<Item = &Contestant> {
        self.teams.iter().flatten()
    }

    /// Whether somebody is in it.
    #[cfg(test)]
    pub(in crate::faf) fn has(&self, login_id: &LoginId) -> bool {
        self.players().any(|player| player.login_id == *login_id)
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

impl Continuation<Faf> for Preparing {
    type Question = PrepareMatch;

    fn resume(
        self,
        faf: &mut Faf,
        turn: &mut FafTurn<'_>,
        grant: Result<MatchGrant, StoreFailure>,
    ) {
        faf.match_prepared(turn, self.id, grant);
    }
}

impl Faf {
    /// spec: faf-matchmaking 8.1.
    pub(in crate::faf) fn match_found(&mut self, turn: &mut FafTurn<'_>, found: Match) {
        self.counters.matches_found += 1;
        let id = self.coordinator.matchmaker.next_id();
        let login_ids: Vec<LoginId> = found.players().map(|p| p.login_id).collect();
        let (queue, rating_type) = (found.setup.name.clone(), found.setup.rating_type.clone());
        self.coordinator.matchmaker.matches.insert(id, found);
        // First all of them: whose other searches are cancelled must not become idle by that.
        for login_id in &login_ids {
            if let Some(online) = self.coordinator.member_mut(login_id) {
                online.state = PlayerState::StartingAutomatch;
            }
        }
        for login_id in login_ids {
            let word = CoordinatorEvent::Matched {
                match_id: id,
                queue: queue.clone(),
                rating_type: rating_type.clone(),
            };
            self.post(turn, login_id.conn.shard, Mail::FromHall { login_id, word });
            self.stop_searches(turn, login_id.player_id);
        }
        if let Some(found) = self.coordinator.matchmaker.matches.get_mut(&id) {
            found.stage = Stage::Asking;
        }
        self.prepare_match(turn, id);
    }

    /// A player's shard says how they are.
    pub(in crate::faf) fn contestant_ready(
        &mut self,
        turn: &mut FafTurn<'_>,
        login_id: LoginId,
        id: u64,
        profile: Profile,
    ) {
        let Some(found) = self.coordinator.matchmaker.matches.get_mut(&id) else {
            return;
        };
        let mut players = found.teams.iter_mut().flatten();
        if let Some(player) = players.find(|player| player.login_id == login_id) {
            player.profile = profile;
            player.answered = true;
        }
        self.prepare_match(turn, id);
    }

    /// Somebody has left; no match waits for their word.
    pub(in crate::faf) fn match_player_gone(&mut self, turn: &mut FafTurn<'_>, login_id: &LoginId) {
        let mut waited = Vec::new();
        for (&id, found) in &mut self.coordinator.matchmaker.matches {
            let mut players = found.teams.iter_mut().flatten();
            if let Some(player) = players.find(|player| player.login_id == *login_id) {
                player.answered = true;
                waited.push(id);
            }
        }
        for id in waited {
            self.prepare_match(turn, id);
        }
    }

    /// When everybody has been heard: what does the back office know (spec: faf-matchmaking 8.2, 1 to 4).
    fn prepare_match(&mut self, turn: &mut FafTurn<'_>, id: u64) {
        let Some(found) = self.coordinator.matchmaker.matches.get_mut(&id) else {
            return;
        };
        if found.stage != Stage::Asking || found.players().any(|player| !player.answered) {
            return;
        }
        if !has_map(found, self.settings.matchmaking.map_pool_rating_selection) {
            self.counters.matches_without_map += 1;
            return self.match_errored(turn, id);
        }
        found.stage = Stage::Preparing;
        let question = PrepareMatch {
            queue_id: found.setup.id,
            players: found
                .players()
                .map(|player| player.login_id.player_id)
                .collect(),
            history: self.settings.matchmaking.anti_repetition.limit,
        };
        self.pending.ask(turn, question, Preparing { id });
    }

    /// The back office has answered: the map is chosen, and the game opened (spec: faf-matchmaking 8.2).
    fn match_prepared(
        &mut self,
        turn: &mut FafTurn<'_>,
        id: u64,
        grant: Result<MatchGrant, StoreFailure>,
    ) {
        let settings = self.settings.clone();
        let Some(found) = self.coordinator.matchmaker.matches.get_mut(&id) else {
            return;
        };
        let Ok(grant) = grant else {
            self.counters.store_errors += 1;
            return self.match_errored(turn, id);
        };
        let Some(opening) = opening(turn, id, found, &grant, &settings.matchmaking) else {
            self.counters.matches_without_map += 1;
            return self.match_errored(turn, id);
        };
        let Some(host) = opening.players.first().map(|host| host.login_id) else {
            return;
        };
        found.stage = Stage::Opened;
        self.post(turn, host.conn.shard, Mail::OpenMatch(Box::new(opening)));
    }

    fn match_errored(&mut self, turn: &mut FafTurn<'_>, id: u64) {
        let outcome = MatchOutcome::Failed {
            game_id: None,
            violators: Vec::new(),
            failure: Failure::Errored,
        };
        self.match_over(turn, id, outcome);
    }

    /// The server is to end: what has no game yet gets none.
    pub(in crate::faf) fn cancel_unopened_matches(&mut self, turn: &mut FafTurn<'_>) {
        let matches = self.coordinator.matchmaker.matches.iter();
        let unopened: Vec<u64> = matches
            .filter(|(_, found)| found.stage != Stage::Opened)
            .map(|(&id, _)| id)
            .collect();
        for id in unopened {
            self.match_errored(turn, id);
        }
    }

    /// How a match went (spec: faf-matchmaking 8.4).
    pub(in crate::faf) fn match_over(
        &mut self,
        turn: &mut FafTurn<'_>,
        id: u64,
        outcome: MatchOutcome,
    ) {
        let Some(over) = self.coordinator.matchmaker.matches.remove(&id) else {
            return;
        };
        self.meter_outcome(&over.setup.name, &outcome);
        let MatchOutcome::Failed {
            game_id,
            violators,
            failure,
        } = outcome
        else {
            self.counters.matches_launched += 1;
            return;
        };
        match failure {
            Failure::TimedOut => self.counters.matches_timed_out += 1,
            Failure::Aborted => self.counters.matches_aborted += 1,
            Failure::Errored => self.counters.matches_errored += 1,
        }
        let login_ids: Vec<LoginId> = over.players().map(|player| player.login_id).collect();
        for login_id in login_ids {
            let word = CoordinatorEvent::MatchCancelled {
                match_id: id,
                game_id,
            };
            self.post(turn, login_id.conn.shard, Mail::FromHall { login_id, word });
        }
        self.register_violations(turn, &violators);
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
    turn: &mut FafTurn<'_>,
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
        turn.rng,
    )?;
    let folder = match &entry.map {
        PoolMap::Vault { folder, .. } => folder.to_lowercase(),
        PoolMap::Generated(map) => map.folder(turn.rng.random()),
    };
    let [first, second] = [0, 1].map(|team| {
        let players = found.teams[team].iter();
        let displayed: Vec<f64> = players.map(|p| p.profile.rating.displayed()).collect();
        displayed
    });
    let places = lineup::places([&first, &second], turn.rng);
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
