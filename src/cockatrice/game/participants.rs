//! Who is in a game.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::{Game, Out, ParticipantId, board::Board, limits, selected::Selected};
use crate::messages::{EventJoin, GameEventBody, ServerInfoPlayerProperties, decode};

/// Bits of a user's level.
pub(super) const MODERATOR: u32 = 4;
const ADMINISTRATOR: u32 = 8;
pub(super) const JUDGE: u32 = 16;

/// What a participant is known as.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Person {
    /// Compared exactly.
    pub name: Box<str>,
    /// Bits as in `ServerInfo_User.user_level`.
    pub level: u32,
    /// Has an account: keeps the seat when the connection is lost.
    pub registered: bool,
    /// An encoded `ServerInfo_User` in profile form (behaviour 2), for those in the game.
    pub profile: Bytes,
    /// The same in public form, for the game list.
    pub public: Bytes,
}

impl Person {
    /// May talk as a spectator whatever the game's rules are.
    pub(super) fn may_always_talk(&self) -> bool {
        self.level & (MODERATOR | ADMINISTRATOR | JUDGE) != 0
    }

    pub(super) fn is_moderator(&self) -> bool {
        self.level & (MODERATOR | ADMINISTRATOR) != 0
    }
}

/// As what somebody takes part.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Role {
    /// Plays.
    Player {
        /// With a judge's rights.
        judge: bool,
    },
    /// Looks on.
    Spectator {
        /// With a judge's rights.
        judge: bool,
    },
}

impl Role {
    /// Whether this is no player.
    pub fn is_spectator(self) -> bool {
        matches!(self, Role::Spectator { .. })
    }

    fn is_judge(self) -> bool {
        let (Role::Player { judge } | Role::Spectator { judge }) = self;
        judge
    }
}

/// Somebody in a game.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Participant {
    pub(super) id: ParticipantId,
    pub(super) person: Person,
    pub(super) judge: bool,
    pub(super) connected: bool,
    /// As it was last told to all; -1 without a connection.
    pub(super) ping_s: i32,
    /// Spectators have none.
    pub(super) player: Option<Box<Player>>,
}

/// What a player has that a spectator has not.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Player {
    pub(super) ready: bool,
    pub(super) conceded: bool,
    pub(super) sideboard_locked: bool,
    pub(super) deck: Option<Box<Selected>>,
    /// While a round goes on that he has not conceded.
    pub(super) board: Option<Box<Board>>,
}

impl Player {
    fn new() -> Player {
        Player {
            ready: false,
            conceded: false,
            sideboard_locked: true,
            deck: None,
            board: None,
        }
    }
}

impl Participant {
    /// What everybody is told of him; `with_user` is for those who do not know him yet.
    pub(super) fn properties(&self, with_user: bool) -> ServerInfoPlayerProperties<'_> {
        let mut properties = ServerInfoPlayerProperties {
            player_id: Some(self.id),
            spectator: Some(self.player.is_none()),
            judge: Some(self.judge),
            ping_seconds: Some(self.ping_s),
            ..ServerInfoPlayerProperties::default()
        };
        if with_user {
            properties.user_info = decode(&self.person.profile).ok();
        }
        if let Some(player) = &self.player {
            properties.conceded = Some(player.conceded);
            properties.ready_start = Some(player.ready);
            properties.sideboard_locked = Some(player.sideboard_locked);
            if let Some(selected) = &player.deck {
                properties.deck_hash = Some((&*selected.hash).into());
                properties.playmat_params = Some(selected.playmat());
            }
        }
        properties
    }
}

impl Game {
    /// Lets somebody in whom [`may_join`](Game::may_join) lets in. He gets the response, then [`joined`](Game::joined), then
    /// [`snapshot_for`](Game::snapshot_for) (behaviour 5.3).
    pub fn join(&mut self, person: Person, role: Role, out: &mut Out) -> ParticipantId {
        let is_creator = person.name == self.creator.name;
        let id = self.add(person, role);
        self.announce(id, out);
        if is_creator && !role.is_spectator() && self.host != id {
            self.host = id;
            self.send_at_once(
                Some(id),
                GameEventBody::GameHostChanged(Default::default()),
                out,
            );
        }
        self.tell_record(out);
        id
    }

    /// Tells the others of a newcomer.
    pub(super) fn announce(&mut self, id: ParticipantId, out: &mut Out) {
        let Some(newcomer) = self.participant(id) else {
            return;
        };
        let join = EventJoin {
            player_properties: Some(newcomer.properties(true)),
        };
        let entries = super::delivery::entry(None, GameEventBody::Join(join));
        self.send_entries(Some(id), &entries, out);
    }

    pub(super) fn add(&mut self, person: Person, role: Role) -> ParticipantId {
        let id = self.next_id;
        self.next_id = id.saturating_add(1);
        self.remember(&person.name, !role.is_spectator());
        self.participants.push(Participant {
            id,
            person,
            judge: role.is_judge(),
            connected: true,
            ping_s: 0,
            player: (!role.is_spectator()).then(|| Box::new(Player::new())),
        });
        self.deserted_s = 0;
        id
    }

    fn remember(&mut self, name: &str, plays: bool) {
        let has_room = self.took_part.len() < limits::REMEMBERED;
        match self.took_part.iter_mut().find(|(one, _)| **one == *name) {
            Some((_, played)) => *played |= plays,
            None if has_room => self.took_part.push((name.into(), plays)),
            None => {}
        }
    }

    /// Who is in it, by id.
    pub fn participants(&self) -> impl Iterator<Item = (ParticipantId, &Person, Role)> {
        self.participants.iter().map(|one| {
            let role = match one.player {
                Some(_) => Role::Player { judge: one.judge },
                None => Role::Spectator { judge: one.judge },
            };
            (one.id, &one.person, role)
        })
    }

    /// By whom somebody is known here.
    pub fn participant_named(&self, name: &str) -> Option<ParticipantId> {
        let found = self
            .participants
            .iter()
            .find(|one| *one.person.name == *name);
        found.map(|one| one.id)
    }

    pub(super) fn participant(&self, id: ParticipantId) -> Option<&Participant> {
        let place = self
            .participants
            .binary_search_by_key(&id, |one| one.id)
            .ok()?;
        self.participants.get(place)
    }

    pub(super) fn participant_mut(&mut self, id: ParticipantId) -> Option<&mut Participant> {
        let place = self
            .participants
            .binary_search_by_key(&id, |one| one.id)
            .ok()?;
        self.participants.get_mut(place)
    }

    pub(super) fn player(&self, id: ParticipantId) -> Option<&Player> {
        self.participant(id)?.player.as_deref()
    }

    pub(super) fn player_mut(&mut self, id: ParticipantId) -> Option<&mut Player> {
        self.participant_mut(id)?.player.as_deref_mut()
    }

    pub(super) fn board(&self, id: ParticipantId) -> Option<&Board> {
        self.player(id)?.board.as_deref()
    }

    pub(super) fn board_mut(&mut self, id: ParticipantId) -> Option<&mut Board> {
        self.player_mut(id)?.board.as_deref_mut()
    }

    /// Players with their ids, ascending.
    pub(super) fn players(&self) -> impl DoubleEndedIterator<Item = (ParticipantId, &Player)> {
        let players = self.participants.iter();
        players.filter_map(|one| Some((one.id, one.player.as_deref()?)))
    }

    pub(super) fn player_count(&self) -> u32 {
        self.players().count() as u32
    }

    /// Whether somebody may say something to all; some of those who look on may not.
    pub fn may_talk(&self, id: ParticipantId) -> bool {
        self.participant(id).is_some_and(|one| {
            one.player.is_some() || self.rules.spectators_can_talk || one.person.may_always_talk()
        })
    }

    /// Gets the private version of everything, and sees hands.
    pub(super) fn sees_all(&self, one: &Participant) -> bool {
        one.judge || one.player.is_none() && self.rules.spectators_see_everything
    }
}
