//! What a game sends: events of one container gathered in two versions, encoded once each, and who gets which
//! (spec: cockatrice-table 2).
//!
//! What somebody may not know is decided by what is put into the two versions, and by nothing behind that.

use bytes::Bytes;
use smallvec::SmallVec;

use super::{Game, ParticipantId};
use crate::messages::{
    GameEvent, GameEventBody, GameEventContext, GameEventContextBody, Message, ServerInfoGame,
    encode, raw,
};

/// Who gets a delivery, ascending.
pub type Recipients = SmallVec<[ParticipantId; 8]>;

/// One message for some of a game's participants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// Those who are connected among those whom it concerns.
    pub to: Recipients,
    /// An encoded [`ServerMessage`](crate::messages::ServerMessage).
    pub body: Bytes,
}

/// What others than the participants have to know of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum News {
    /// The game's record changed in more than one field: the room gets it as it was then (checklist 158), encoded. Without the
    /// game's types: clients add them to those that they have (behaviour 13.7).
    Record(Bytes),
    /// A round began or ended: the room gets room_id, game_id and this.
    Started(bool),
    /// A participant is no longer one.
    Removed(ParticipantId),
    /// A round's replay is whole.
    Replay(super::replay::FinishedReplay),
    /// The game is over. Whoever took part in it, with whether as a player, is told of the replays.
    Closed(Vec<(Box<str>, bool)>),
}

/// What came of a call, in the order in which it is to be done.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Out {
    /// What is to be sent.
    pub deliveries: Vec<Delivery>,
    /// What concerns the room, the accounts or the back office.
    pub news: Vec<News>,
}

/// Which version an event is part of.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum For {
    All,
    Private,
    Others,
}

/// Encoded entries of a container's event list, in one version or in two.
#[derive(Default)]
struct Part {
    private_id: Option<ParticipantId>,
    /// What is private in it may be known to that one only.
    is_secret: bool,
    private: Vec<u8>,
    /// Absent as long as both are the same.
    others: Option<Vec<u8>>,
    context: Option<GameEventContextBody<'static>>,
}

impl Part {
    fn is_empty(&self) -> bool {
        self.private.is_empty() && self.others.as_ref().is_none_or(Vec::is_empty)
    }

    fn push(&mut self, whom: For, event: &GameEvent<'_>) {
        if whom != For::All && self.others.is_none() {
            self.others = Some(self.private.clone());
        }
        if whom != For::Others {
            put_entry(&mut self.private, event);
        }
        match &mut self.others {
            Some(others) if whom == For::All => put_entry(others, event),
            Some(others) if whom == For::Others => put_entry(others, event),
            _ => {}
        }
    }

    fn append(&mut self, later: Part) {
        if later.others.is_some() && self.others.is_none() {
            self.others = Some(self.private.clone());
        }
        if let Some(others) = &mut self.others {
            others.extend_from_slice(later.others.as_ref().unwrap_or(&later.private));
        }
        self.private.extend_from_slice(&later.private);
        // The last one counts, unless what came before is meant for one only.
        if later.is_secret || !self.is_secret {
            self.private_id = later.private_id.or(self.private_id);
        }
        self.is_secret |= later.is_secret;
        self.context = later.context.or(self.context.take());
    }
}

/// The events of a container that is being handled.
///
/// Each command has one private receiver; where two commands of a container have different ones, and both tell them what others may
/// not know, the events go out in as many containers, so that nobody gets what was meant for another.
#[derive(Default)]
pub(super) struct Collected {
    done: Vec<Part>,
    current: Part,
}

impl Collected {
    pub(super) fn push(
        &mut self,
        whom: For,
        about: Option<ParticipantId>,
        body: GameEventBody<'_>,
    ) {
        let event = GameEvent {
            player_id: about,
            body: Some(body),
        };
        self.current.push(whom, &event);
    }

    /// Collects an event that is the same for all.
    pub(super) fn tell(&mut self, about: ParticipantId, body: GameEventBody<'_>) {
        self.push(For::All, Some(about), body);
    }

    /// Bytes collected so far.
    pub(super) fn bytes(&self) -> usize {
        let parts = self.done.iter().chain([&self.current]);
        parts
            .map(|part| part.private.len() + part.others.as_ref().map_or(0, Vec::len))
            .sum()
    }

    /// Who gets the private version of what the current command collects.
    pub(super) fn private_to(&mut self, id: ParticipantId) {
        self.current.private_id = Some(id);
        self.current.is_secret = true;
    }

    /// Likewise where nothing of it is a secret: the last one counts, unless there is a secret.
    pub(super) fn private_by_the_way(&mut self, id: ParticipantId) {
        if !self.current.is_secret {
            self.current.private_id = Some(id);
        }
    }

    pub(super) fn set_context(&mut self, context: GameEventContextBody<'static>) {
        self.current.context = Some(context);
    }

    /// The current command is done.
    pub(super) fn end_command(&mut self) {
        let part = std::mem::take(&mut self.current);
        if part.is_empty() {
            return;
        }
        match self.done.last_mut() {
            Some(last)
                if !(last.is_secret && part.is_secret) || part.private_id == last.private_id =>
            {
                last.append(part);
            }
            _ => self.done.push(part),
        }
    }
}

impl Game {
    /// The room is to be told of the game as it is now.
    pub(super) fn tell_record(&self, out: &mut Out) {
        let record = ServerInfoGame {
            game_types: Vec::new(),
            ..self.info()
        };
        out.news.push(News::Record(encode(&record).into()));
    }

    /// Sends what was collected, the private version first.
    pub(super) fn flush(
        &mut self,
        collected: &mut Collected,
        forced_by: Option<ParticipantId>,
        out: &mut Out,
    ) {
        collected.end_command();
        for part in collected.done.drain(..) {
            let context = part
                .context
                .map(|body| GameEventContext { body: Some(body) });
            let private = Container {
                game: Some(self.id),
                entries: &part.private,
                context: context.as_ref(),
                seconds_elapsed: None,
                forced_by,
            };
            let others = part.others.as_deref().unwrap_or_default();
            let (mut insiders, mut rest) = (Recipients::new(), Recipients::new());
            for participant in self.participants.iter().filter(|one| one.connected) {
                let sees = part.others.is_none()
                    || part.private_id == Some(participant.id)
                    || self.sees_all(participant);
                if sees {
                    insiders.push(participant.id)
                } else {
                    rest.push(participant.id)
                }
            }
            if !part.private.is_empty() {
                deliver(out, insiders, || private.message());
            }
            if !others.is_empty() {
                let others = Container {
                    entries: others,
                    ..private
                };
                deliver(out, rest, || others.message());
            }
            self.record(private);
        }
    }

    /// Sends an event to all at once, ahead of whatever is being collected.
    pub(super) fn send_at_once(
        &mut self,
        about: Option<ParticipantId>,
        body: GameEventBody<'_>,
        out: &mut Out,
    ) {
        self.send_to_all_but(None, about, body, out);
    }

    /// As [`send_at_once`](Self::send_at_once), except to one.
    pub(super) fn send_to_all_but(
        &mut self,
        but: Option<ParticipantId>,
        about: Option<ParticipantId>,
        body: GameEventBody<'_>,
        out: &mut Out,
    ) {
        self.send_entries(but, &entry(about, body), out);
    }

    /// Sends encoded entries of an event list at once.
    pub(super) fn send_entries(
        &mut self,
        but: Option<ParticipantId>,
        entries: &[u8],
        out: &mut Out,
    ) {
        let to = self.connected().filter(|&id| Some(id) != but).collect();
        let container = Container::of(self.id, entries);
        deliver(out, to, || container.message());
        self.record(container);
    }

    /// Sends an event to one; it is no part of a replay.
    pub(super) fn send_to(
        &self,
        id: ParticipantId,
        about: Option<ParticipantId>,
        body: GameEventBody<'_>,
        out: &mut Out,
    ) {
        let to = self.connected().filter(|&one| one == id).collect();
        deliver(out, to, || self.message_of(about, body));
    }

    /// An encoded message with one event of this game.
    pub(super) fn message_of(
        &self,
        about: Option<ParticipantId>,
        body: GameEventBody<'_>,
    ) -> Bytes {
        Container::of(self.id, &entry(about, body)).message()
    }

    fn connected(&self) -> impl Iterator<Item = ParticipantId> {
        let connected = self.participants.iter().filter(|one| one.connected);
        connected.map(|one| one.id)
    }
}

/// What the participants of a game are told that is over, whoever had it.
pub fn closed_message(game: u32) -> Bytes {
    let closed = GameEventBody::GameClosed(Default::default());
    Container::of(game, &entry(None, closed)).message()
}

/// Nothing is encoded that nobody gets.
pub(super) fn deliver(out: &mut Out, to: Recipients, body: impl FnOnce() -> Bytes) {
    if !to.is_empty() {
        let body = body();
        out.deliveries.push(Delivery { to, body });
    }
}

/// An event as an entry of an event list.
pub(super) fn entry(about: Option<ParticipantId>, body: GameEventBody<'_>) -> Vec<u8> {
    let event = GameEvent {
        player_id: about,
        body: Some(body),
    };
    let mut entries = Vec::with_capacity(event.encoded_len() + 4);
    put_entry(&mut entries, &event);
    entries
}

fn put_entry(out: &mut Vec<u8>, event: &GameEvent<'_>) {
    let len = event.encoded_len();
    out.reserve(len + LONGEST_HEAD);
    raw::head(out, 2, len);
    event.encode(out);
}

/// A tag of one byte and a varint.
const LONGEST_HEAD: usize = 11;

/// A `GameEventContainer` of encoded entries.
#[derive(Clone, Copy)]
pub(super) struct Container<'a> {
    /// Replays name no game.
    pub(super) game: Option<u32>,
    pub(super) entries: &'a [u8],
    pub(super) context: Option<&'a GameEventContext<'static>>,
    /// Of replays only.
    pub(super) seconds_elapsed: Option<u32>,
    pub(super) forced_by: Option<ParticipantId>,
}

impl<'a> Container<'a> {
    /// One of a game, without a context.
    pub(super) fn of(game: u32, entries: &'a [u8]) -> Container<'a> {
        Container {
            game: Some(game),
            entries,
            context: None,
            seconds_elapsed: None,
            forced_by: None,
        }
    }

    fn judge(&self) -> Option<u32> {
        self.forced_by.map(ParticipantId::unsigned_abs)
    }

    /// Bytes that it is written in.
    pub(super) fn len(&self) -> usize {
        let number = |field, value: Option<u32>| {
            value.map_or(0, |value| raw::number_len(field, u64::from(value)))
        };
        let context = self
            .context
            .map_or(0, |context| raw::block_len(3, context.encoded_len()));
        number(1, self.game)
            + self.entries.len()
            + context
            + number(4, self.seconds_elapsed)
            + number(5, self.judge())
    }

    /// Writes it.
    pub(super) fn put(&self, out: &mut Vec<u8>) {
        if let Some(game) = self.game {
            raw::number(out, 1, u64::from(game));
        }
        out.extend_from_slice(self.entries);
        if let Some(context) = self.context {
            raw::head(out, 3, context.encoded_len());
            context.encode(out);
        }
        if let Some(seconds) = self.seconds_elapsed {
            raw::number(out, 4, u64::from(seconds));
        }
        if let Some(judge) = self.judge() {
            raw::number(out, 5, u64::from(judge));
        }
    }

    /// Writes it as a whole `ServerMessage`.
    fn message(&self) -> Bytes {
        let len = self.len();
        let mut out = Vec::with_capacity(2 + raw::block_len(4, len));
        raw::number(&mut out, 1, 2);
        raw::head(&mut out, 4, len);
        self.put(&mut out);
        out.into()
    }
}
