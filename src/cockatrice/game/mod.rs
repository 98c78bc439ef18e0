//! A game of Cockatrice, whole, as a state machine: participants, decks, rounds, the card table, replays
//! (spec: cockatrice-behaviour 5 and 6, cockatrice-table).
//!
//! It knows no connection, no clock and no room: whoever holds it says what happened, with the second it is and a source of
//! chance, and gets back what is to be sent to whom. The same calls with the same source give the same bytes. The state is kept
//! as it is, with serde. No rule of any card game is known here: only where cards are, and who may see them.

mod admission;
mod arrows;
mod attach;
mod attributes;
mod board;
mod card;
mod chance;
mod commands;
mod counters;
mod decks;
mod delivery;
mod grid;
mod ids;
pub mod limits;
mod looks;
mod moves;
mod moving;
mod participants;
mod removal;
pub mod replay;
mod rounds;
mod selected;
mod snapshot;
mod tokens;
mod turns;
mod zone;

#[cfg(test)]
mod tests;

pub use self::{
    admission::Applicant,
    commands::{Answer, Cx, Voice},
    delivery::closed_message,
    delivery::{Delivery, News, Out, Recipients},
    ids::ParticipantId,
    participants::{Person, Role},
    removal::LeaveReason,
    replay::FinishedReplay,
};

use serde::{Deserialize, Serialize};

use self::{participants::Participant, replay::Replay};
use crate::messages::{GameEventBody, ServerInfoGame, decode};

/// What a game was created with (spec: cockatrice-behaviour 5.1, 5.2).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Rules {
    /// Of the room it was created in.
    pub room_id: i32,
    /// Cleaned and cut already.
    pub description: Box<str>,
    /// Empty if there is none.
    pub password: Box<str>,
    /// How many play at most, and at how many a round starts.
    pub max_players: u32,
    /// Game types of the room.
    pub game_types: Vec<i32>,
    /// Only who is on the creator's buddy list may join.
    pub only_buddies: bool,
    /// Only who has an account may join.
    pub only_registered: bool,
    /// Whether there may be spectators.
    pub spectators_allowed: bool,
    /// Whether the password is asked of spectators.
    pub spectators_need_password: bool,
    /// Whether spectators may talk.
    pub spectators_can_talk: bool,
    /// Spectators get the private version of everything, and see hands.
    pub spectators_see_everything: bool,
    /// Everybody sees everybody's deck list.
    pub share_decklists_on_load: bool,
    /// The counter `life` of a round's start.
    pub starting_life_total: i32,
    /// Whether replays are recorded.
    pub record_replays: bool,
}

/// A game.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Game {
    id: u32,
    rules: Rules,
    creator: Person,
    created_s: u64,
    /// Calls of [`second`](Game::second) so far.
    seconds: u32,
    /// By id.
    participants: Vec<Participant>,
    next_id: ParticipantId,
    host: ParticipantId,
    started: bool,
    /// There was a round before, or is one.
    has_been_started: bool,
    active_player: ParticipantId,
    active_phase: i32,
    /// Arrows count through all rounds.
    next_arrow: i32,
    /// Turns go the other way round; outlasts rounds.
    reversed: bool,
    /// A ready command came: whether a start was forced. Looked at after the response.
    start_due: Option<bool>,
    /// Nobody is left to play: it closes after the response.
    close_due: bool,
    closed: bool,
    /// Seconds without a connected player or host.
    deserted_s: u32,
    /// Who ever took part, and whether as a player.
    took_part: Vec<(Box<str>, bool)>,
    replay: Option<Replay>,
}

impl Game {
    /// A new game with its creator in it as participant 0. The room is sent [`Game::info`] (checklist 137, 138).
    ///
    /// `now_s` is the Unix second.
    pub fn create(
        id: u32,
        rules: Rules,
        creator: Person,
        role: Role,
        now_s: u64,
        out: &mut Out,
    ) -> (Game, ParticipantId) {
        let mut game = Game {
            id,
            creator: creator.clone(),
            created_s: now_s,
            seconds: 0,
            participants: Vec::new(),
            next_id: 0,
            host: 0,
            started: false,
            has_been_started: false,
            active_player: -1,
            active_phase: -1,
            next_arrow: 1,
            reversed: false,
            start_due: None,
            close_due: false,
            closed: false,
            deserted_s: 0,
            took_part: Vec::new(),
            replay: None,
            rules,
        };
        if game.rules.record_replays {
            game.replay = Some(Replay::begin(&game));
        }
        let creator = game.add(creator, role);
        // Nobody is there to be told; the replay has it.
        game.announce(creator, out);
        if !role.is_spectator() {
            game.send_at_once(
                Some(creator),
                GameEventBody::GameHostChanged(Default::default()),
                out,
            );
        }
        game.tell_record(out);
        (game, creator)
    }

    /// The id it is known by.
    pub fn id(&self) -> u32 {
        self.id
    }

    /// What it was created with.
    pub fn rules(&self) -> &Rules {
        &self.rules
    }

    /// Who created it.
    pub fn creator(&self) -> &Person {
        &self.creator
    }

    /// The Unix second of its creation.
    pub fn created_s(&self) -> u64 {
        self.created_s
    }

    /// Seconds that it has lasted.
    pub fn seconds(&self) -> u32 {
        self.seconds
    }

    /// Who may kick and force a start.
    pub fn host(&self) -> ParticipantId {
        self.host
    }

    /// Whether a round is going on.
    pub fn is_started(&self) -> bool {
        self.started
    }

    /// It was closed; there is nobody in it any more.
    pub fn is_over(&self) -> bool {
        self.closed
    }

    /// Its full record; nothing in it that is not public (behaviour 5.1; checklist 140).
    pub fn info(&self) -> ServerInfoGame<'_> {
        let rules = &self.rules;
        let host = self
            .participant(self.host)
            .map_or(&self.creator, |host| &host.person);
        ServerInfoGame {
            room_id: Some(rules.room_id),
            game_id: Some(self.id as i32),
            description: Some((&*rules.description).into()),
            with_password: Some(!rules.password.is_empty()),
            max_players: Some(rules.max_players),
            game_types: rules.game_types.clone(),
            creator_info: decode(&self.creator.public).ok(),
            only_buddies: Some(rules.only_buddies),
            only_registered: Some(rules.only_registered),
            spectators_allowed: Some(rules.spectators_allowed),
            spectators_need_password: Some(rules.spectators_need_password),
            spectators_can_chat: Some(rules.spectators_can_talk),
            spectators_omniscient: Some(rules.spectators_see_everything),
            share_decklists_on_load: Some(rules.share_decklists_on_load),
            player_count: Some(self.player_count()),
            spectators_count: Some(self.participants.len() as u32 - self.player_count()),
            started: Some(self.started),
            start_time: Some(self.created_s as u32),
            host_info: decode(&host.public).ok(),
            ..ServerInfoGame::default()
        }
    }
}
