//! What an operator sees of the lobby, and what they have it do. All of it is the lobby's: on other shards there is nothing.

use std::time::Duration;

use super::{
    Vcmi, VcmiTurn,
    gateway::Peer,
    lobby::Lobby,
    mail::{Delivery, ToLobby},
    message,
    room::RoomId,
    users::{Place, USERS, User},
};
use crate::{
    Closing, ConnId, Now,
    operator::{
        Act, Done, Farewell, Found, Game, Mark, Order, Page, Player, Query, Row, Subject, Totals,
        banned, end_planned, muted,
    },
};

impl Vcmi {
    pub(super) fn queried(&self, now: Now, query: &Query) -> Found {
        let Some(lobby) = &self.lobby else {
            return Found::default();
        };
        match query.subject {
            Subject::Players => lobby.page_of_users(query, now),
            Subject::Games => lobby.page_of_games(query, now),
            Subject::Totals => Totals {
                players: lobby.names.len() as u32,
                games: (lobby.rooms.len() + lobby.sessions.len()) as u32,
            }
            .into(),
            Subject::Queues | Subject::Connections | Subject::Elsewhere => Found::lacking(),
        }
    }

    pub(super) fn ordered(&mut self, turn: &mut VcmiTurn<'_>, order: &Order) -> Done {
        let (mut done, unix) = (Done::Of(0), turn.now.unix);
        self.in_lobby(turn, |lobby, _| done = lobby.ordered(&order.act, unix));
        done
    }

    /// An operator ends a connection. What a launcher is told is in its encoding, which the lobby knows; games are told nothing.
    pub(super) fn evicted(&mut self, turn: &mut VcmiTurn<'_>, conn: ConnId, farewell: &Farewell) {
        match self.peers.get(&conn) {
            Some(Peer::Launcher { .. }) => {
                let last = words(farewell, turn.now.unix);
                self.tell_lobby(turn, ToLobby::Evict { conn, last });
            }
            _ => turn.close(conn, Closing::Flushed),
        }
    }

    pub(super) fn name_on(&self, conn: ConnId) -> Option<String> {
        match self.peers.get(&conn)? {
            Peer::Launcher { name } => name.as_deref().map(str::to_owned),
            _ => None,
        }
    }
}

/// The last message to a launcher.
fn words(farewell: &Farewell, now_unix: Duration) -> String {
    match farewell {
        Farewell::Kicked { reason } => message::error(format_args!(
            "You have been disconnected by an administrator: {reason}"
        )),
        Farewell::Banned { reason, until } => message::error(banned(reason, *until, now_unix)),
        Farewell::ServerEnds => message::system(message::SHUT_DOWN),
    }
}

impl Lobby {
    /// Users in the order in which their sockets were accepted.
    fn page_of_users(&self, query: &Query, now: Now) -> Found {
        let mut page = Page::of(query);
        let all = match query.from {
            Mark::Came(at, conn) => self.order.range((at, conn)..),
            _ => self.order.range(..),
        };
        for &(at, conn) in all {
            let row = || {
                let user = self.users.get(&conn)?;
                user.is_signed_in().then(|| self.shown(user, now))
            };
            if !page.look(|| Mark::Came(at, conn), row) {
                break;
            }
        }
        page.found()
    }

    fn shown(&self, user: &User, now: Now) -> Row {
        let (state, room) = match user.place {
            Place::Outside => ("lobby", None),
            Place::Asking(room) => ("joining", Some(room)),
            Place::Inside(room) => ("room", Some(room)),
        };
        let room = room.and_then(|room| self.rooms.get(&room));
        let here_for = now.mono.saturating_sub(user.accepted);
        Row::Player(Player {
            conn: user.conn,
            id: None,
            name: user.name.clone(),
            address: user.address,
            since: now.unix.saturating_sub(here_for).as_secs(),
            state: state.to_owned(),
            game: room.map(|room| room.name.clone()),
            client: None,
        })
    }

    /// Rooms and started games share their numbers. The numbers of all are looked through, which is little beside a room.
    fn page_of_games(&self, query: &Query, now: Now) -> Found {
        let from = query.from.number();
        let rooms = self.rooms.keys().map(|id| id.0);
        let numbers = rooms.chain(self.sessions.keys().copied());
        let mut numbers: Vec<u64> = numbers.filter(|&number| number >= from).collect();
        numbers.sort_unstable();
        let mut page = Page::of(query);
        for number in numbers {
            let row = || {
                let waiting = self.room_shown(number);
                waiting.or_else(|| self.session_shown(number, now))
            };
            if !page.look(|| Mark::Number(number), row) {
                break;
            }
        }
        page.found()
    }

    fn room_shown(&self, number: u64) -> Option<Row> {
        let room = self.rooms.get(&RoomId(number))?;
        let mods = room.mods.entries().len();
        let mode = if room.mode == 0 { "new game" } else { "loaded" };
        Some(Row::Game(Game {
            id: number.to_string(),
            title: room.name.clone(),
            host: self.name_of(room.host).to_owned(),
            state: "waiting".to_owned(),
            players: room.players.len() as u32,
            seats: u32::try_from(room.seats).ok(),
            map: None, // the lobby is not told
            variant: Some(format!("{mode}, {mods} mods")),
            since: None,
        }))
    }

    fn session_shown(&self, number: u64, now: Now) -> Option<Row> {
        let session = self.sessions.get(&number)?;
        let idle_for = now.mono.saturating_sub(session.idle_since);
        let since = (session.pipes == 0).then(|| now.unix.saturating_sub(idle_for).as_secs());
        Some(Row::Game(Game {
            id: number.to_string(),
            title: session.title.clone(),
            host: session.host.clone(),
            state: if session.pipes > 0 { "running" } else { "idle" }.to_owned(),
            players: session.uuids.len().saturating_sub(1) as u32, // the first is the game server's
            seats: None,
            map: None,
            variant: None,
            since,
        }))
    }

    fn ordered(&mut self, act: &Act, now_unix: Duration) -> Done {
        match act {
            Act::Broadcast(text) => self.spread(USERS, message::system(text)),
            Act::Mute(sanction) => {
                let conn = self.signed_in_as(&sanction.name);
                if !self.standing.muted.set(sanction, now_unix) {
                    return Done::Full;
                }
                let standing = self.standing.muted.of(&sanction.name, now_unix);
                let told = match standing {
                    Some((until, reason)) => muted(reason, until, now_unix),
                    None => "You may talk again".to_owned(),
                };
                if let Some(conn) = conn {
                    self.send(conn, &message::system(told));
                }
                return Done::Of(u32::from(conn.is_some()));
            }
            Act::Ban(sanction) => {
                return match self.standing.banned.set(sanction, now_unix) {
                    true => Done::Of(0),
                    false => Done::Full,
                };
            }
            Act::EndPlanned { within, reason } => {
                let told = end_planned(*within, reason.as_deref());
                self.spread(USERS, message::system(told));
            }
            Act::LameDuck => self.standing.lame_duck = true,
            Act::Dismiss { .. } | Act::Succeeded => return Done::Lacks, // nobody is elsewhere
        }
        Done::Of(self.names.len() as u32)
    }

    fn signed_in_as(&self, name: &str) -> Option<ConnId> {
        let same = |user: &&User| crate::operator::same_name(&user.name, name);
        self.signed_in().find(same).map(|user| user.conn)
    }

    /// A launcher is to go.
    pub(super) fn evict(&mut self, conn: ConnId, last: &str) {
        self.send(conn, last);
        self.deliver(
            conn.shard,
            Delivery::Close(conn, "an operator has ended it".into()),
        );
    }
}
