//! What an operator sees of the lobby, and what they have it do. The lists are the lobby's: on other shards there is nothing.
//!
//! The protocol has no words for an operator. A client shows what `operationFailed` says only while somebody signs in, so
//! whatever people are to read is a line of chat, in the first of the channels that they have chosen, from a name that nobody
//! can register. None of it waits for the store.

use std::collections::BTreeMap;

use bytes::Bytes;

use super::{
    JsonTurn, VcmiJson,
    gateway::State,
    lobby::{Lobby, Online},
    mail::{Delivery, Failure},
    protocol::{
        ChannelType,
        outgoing::{self, Person},
    },
    questions::{Account, Status},
    room::Room,
};
use crate::{
    Closing, ConnId,
    operator::{
        Act, Done, Farewell, Found, Game, Mark, Order, Page, Player, Query, Row, Sanction, Subject,
        Totals, banned, end_planned, muted, same_name,
    },
};

/// Who says what the server says: names of accounts have no space.
const SERVER: Person<'static> = Person {
    id: "00000000-0000-0000-0000-000000000000",
    name: "The server",
};
/// Said to whoever comes when nobody new may.
const NOBODY_NEW: &str =
    "The server is being shut down and takes nobody new. Please try again in a few minutes";

impl VcmiJson {
    pub(super) fn queried(&self, query: &Query) -> Found {
        let Some(lobby) = &self.lobby else {
            return Found::default();
        };
        match query.subject {
            Subject::Players => lobby.page_of_players(query),
            Subject::Games => lobby.page_of_rooms(query),
            Subject::Totals => Totals {
                players: lobby.accounts.len() as u32,
                games: lobby.rooms.len() as u32,
            }
            .into(),
            Subject::Queues | Subject::Connections | Subject::Elsewhere => Found::lacking(),
        }
    }

    pub(super) fn ordered(&mut self, turn: &mut JsonTurn<'_>, order: &Order) -> Done {
        let mut done = Done::Of(0);
        self.in_lobby(turn, |lobby, _| done = lobby.ordered(&order.act));
        done
    }

    /// An operator ends a connection, or the server does, which is told to nobody, as the reference does. One that is relayed, or
    /// is to be, is told nothing either: what it hears is the game's.
    pub(super) fn evicted(&mut self, turn: &mut JsonTurn<'_>, conn: ConnId, farewell: &Farewell) {
        let state = self.peers.get(&conn).map(|peer| peer.state);
        if matches!(state, Some(State::Account | State::MatchServer)) {
            let why = match farewell {
                Farewell::Kicked { reason } => Some(format!(
                    "You have been disconnected by an administrator: {reason}"
                )),
                Farewell::Banned { reason, until } => Some(banned(reason, *until, turn.now.unix)),
                Farewell::ServerEnds => None,
            };
            if let Some(why) = why {
                turn.send(conn, outgoing::operation_failed(&why));
            }
        }
        turn.note(conn, "an operator has ended it");
        turn.close(conn, Closing::Flushed);
    }
}

impl Lobby {
    /// Players in order of registration.
    fn page_of_players(&self, query: &Query) -> Found {
        let mut page = Page::of(query);
        let from = i64::try_from(query.from.number()).unwrap_or(i64::MAX);
        for (&number, online) in self.accounts.range(from..) {
            let mark = || Mark::Number(number.unsigned_abs());
            if !page.look(mark, || Some(self.player_shown(number, online))) {
                break;
            }
        }
        page.found()
    }

    fn player_shown(&self, number: i64, online: &Online) -> Row {
        let room = self.inside.get(&online.id);
        let room = room.and_then(|number| self.rooms.get(number));
        let state = match room.map(|room| room.status) {
            None => "lobby",
            Some(Status::Busy) => "match",
            Some(_) => "room",
        };
        Row::Player(Player {
            conn: online.conn,
            id: u64::try_from(number).ok(),
            name: online.name.clone(),
            address: online.address,
            since: online.since_s,
            state: state.to_owned(),
            game: room.map(|room| room.id.clone()),
            client: None,
        })
    }

    /// Rooms in order of creation, those that are not open yet among them.
    fn page_of_rooms(&self, query: &Query) -> Found {
        let mut page = Page::of(query);
        for (&number, room) in self.rooms.range(query.from.number()..) {
            if !page.look(|| Mark::Number(number), || Some(room_shown(room))) {
                break;
            }
        }
        page.found()
    }

    fn ordered(&mut self, act: &Act) -> Done {
        let unix = self.now.unix;
        match act {
            Act::Broadcast(text) => return self.tell_all(text),
            Act::Mute(sanction) => return self.mute(sanction),
            Act::Ban(sanction) => {
                if !self.standing.banned.set(sanction, unix) {
                    return Done::Full;
                }
                self.end_rooms_of_banned(&sanction.name);
            }
            Act::EndPlanned { within, reason } => {
                return self.tell_all(&end_planned(*within, reason.as_deref()));
            }
            Act::LameDuck => self.standing.lame_duck = true,
            Act::Dismiss { .. } | Act::Succeeded => return Done::Lacks, // nobody is elsewhere
        }
        Done::Of(0)
    }

    fn mute(&mut self, sanction: &Sanction) -> Done {
        let unix = self.now.unix;
        if !self.standing.muted.set(sanction, unix) {
            return Done::Full;
        }
        let told = match self.standing.muted.of(&sanction.name, unix) {
            Some((until, reason)) => muted(reason, until, unix),
            None => "You may talk again".to_owned(),
        };
        let mut accounts = self.accounts.values();
        let found = accounts.find(|one| same_name(&one.name, &sanction.name));
        let found = found.map(|one| (one.conn, line(channel_of(one), &told)));
        let heard = u32::from(found.is_some());
        if let Some((conn, line)) = found {
            self.post(conn.shard, Delivery::Send(conn, line));
        }
        Done::Of(heard)
    }

    /// Why somebody may say nothing now, if that is so.
    pub(super) fn muted(&self, name: &str) -> Option<String> {
        let unix = self.now.unix;
        let (until, reason) = self.standing.muted.of(name, unix)?;
        Some(muted(reason, until, unix))
    }

    /// Why somebody who has proved who they are may not come in all the same, if that is so: they are banned, or new when the
    /// process is to end. Whoever has a place in a room is not new.
    pub(super) fn kept_out(&mut self, conn: ConnId, account: &Account) -> Option<String> {
        if let Some(why) = self.banned(conn, &account.name) {
            return Some(why);
        }
        let is_new = !self.inside.contains_key(&account.id);
        if !self.standing.lame_duck || !is_new {
            return None;
        }
        self.metrics.kept_out.up();
        Some(NOBODY_NEW.to_owned())
    }

    /// Why somebody is banned who wants in on this connection, if that is so: then whoever looks after the server hears of it.
    pub(super) fn banned(&mut self, conn: ConnId, name: &str) -> Option<String> {
        let unix = self.now.unix;
        let (until, reason) = self.standing.banned.of(name, unix)?;
        let why = banned(reason, until, unix);
        self.metrics.kept_out.up();
        self.deliver(conn, Delivery::TurnedAway(conn, Failure::Banned));
        Some(why)
    }

    /// The match servers of somebody who is banned end, and their rooms with them.
    fn end_rooms_of_banned(&mut self, name: &str) {
        let unix = self.now.unix;
        let Some((until, reason)) = self.standing.banned.of(name, unix) else {
            return; // it was lifted
        };
        let why = outgoing::operation_failed(&banned(reason, until, unix));
        let rooms = self.rooms.values();
        let theirs = rooms.filter(|room| same_name(&room.host.name, name));
        let controls: Vec<ConnId> = theirs.map(|room| room.control).collect();
        for conn in controls {
            self.post(conn.shard, Delivery::Send(conn, why.clone()));
            let end = Delivery::Close(conn, "its host is banned".into());
            self.post(conn.shard, end);
        }
    }

    /// A player reads this.
    pub(super) fn tell_one(&mut self, player: &Online, text: &str) {
        self.send(player.conn, line(channel_of(player), text));
    }

    /// Everybody who has signed in reads this, each in a channel of their own choice. It is written once for each channel.
    fn tell_all(&mut self, text: &str) -> Done {
        let mut lines: BTreeMap<&str, Bytes> = BTreeMap::new();
        let told = self.accounts.values().map(|online| {
            let channel = channel_of(online);
            let line = lines.entry(channel).or_insert_with(|| line(channel, text));
            (online.conn, line.clone())
        });
        let told: Vec<(ConnId, Bytes)> = told.collect();
        let heard = told.len() as u32;
        for (conn, line) in told {
            self.post(conn.shard, Delivery::Offer(conn, line));
        }
        Done::Of(heard)
    }
}

/// The channel in which somebody certainly reads what is said.
fn channel_of(online: &Online) -> &str {
    online.channels.first().map_or("english", String::as_str)
}

fn line(channel: &str, text: &str) -> Bytes {
    outgoing::chat_message(ChannelType::Global, channel, SERVER, text)
}

fn room_shown(room: &Room) -> Row {
    Row::Game(Game {
        id: room.id.clone(),
        title: room.description.clone(),
        host: room.host.name.clone(),
        state: room.status.word().to_owned(),
        players: room.participants.len() as u32,
        seats: Some(room.player_limit),
        map: None, // the description may name it
        variant: Some(format!("{}, {} mods", room.version, room.mods.len())),
        since: Some(room.made_s),
    })
}
