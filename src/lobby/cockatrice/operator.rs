//! What an operator sees of this shard, and what they have it do.

use std::{
    collections::BTreeMap,
    net::{IpAddr, Ipv4Addr},
    ops::Bound,
    time::Duration,
};

use cockatrice::messages::{CloseReason, ResponseBody, ResponseCode, ResponseLogin};

use super::{
    Cockatrice, CockatriceTurn,
    mail::{Delivery, Item, ToRegistry, ToSession},
    protocol,
    state::{directory::Place, work::Reply},
};
use crate::{
    ConnId, Now, ShardId,
    operator::{
        self, Act, Done, Farewell, Found, Game, Mark, Page, Player, Query, Row, Subject, Totals,
        Until,
    },
};

/// What somebody is told who may talk again.
const MAY_TALK: &str = "You may talk again.";

impl Cockatrice {
    pub(super) fn queried(&self, now: Now, query: &Query) -> Found {
        match query.subject {
            Subject::Players => self.page_of_users(query, now),
            Subject::Games => self.page_of_games(query),
            Subject::Totals => {
                // Everybody is in every shard's picture: one of them counts those of its node.
                let is_desk = self.topology.desk() == self.shard;
                let users = self.directory.users.values().filter(|_| is_desk);
                let here = users.filter(|user| user.conn.shard.node() == self.shard.node());
                let players = here.count();
                Totals {
                    players: players as u32,
                    games: self.tables.len() as u32,
                }
                .into()
            }
            Subject::Elsewhere => self.page_elsewhere(query),
            Subject::Queues | Subject::Connections => Found::lacking(),
        }
    }

    /// Users of this shard, by name: the picture of all of them is in that order.
    fn page_of_users(&self, query: &Query, now: Now) -> Found {
        let mut page = Page::of(query);
        let from = match &query.from {
            Mark::Name(name) => Bound::Included(name.clone()),
            _ => Bound::Unbounded,
        };
        for (name, listed) in self.directory.users.range((from, Bound::Unbounded)) {
            let row = || {
                let is_here = listed.conn.shard == self.shard;
                is_here.then(|| self.user_shown(listed.conn, now)).flatten()
            };
            if !page.look(|| Mark::Name(name.clone()), row) {
                break;
            }
        }
        page.found()
    }

    /// Users of other nodes, by name. Where they come from their own node knows.
    fn page_elsewhere(&self, query: &Query) -> Found {
        let mut page = Page::of(query);
        let from = match &query.from {
            Mark::Name(name) => Bound::Included(name.clone()),
            _ => Bound::Unbounded,
        };
        for (name, listed) in self.directory.users.range((from, Bound::Unbounded)) {
            let is_elsewhere = listed.conn.shard.node() != self.shard.node();
            let row = || {
                is_elsewhere.then(|| {
                    Row::Player(Player {
                        conn: listed.conn,
                        id: None,
                        name: listed.name.to_string(),
                        address: IpAddr::V4(Ipv4Addr::UNSPECIFIED),
                        since: 0,
                        state: String::new(),
                        game: None,
                        client: None,
                    })
                })
            };
            if !page.look(|| Mark::Name(name.clone()), row) {
                break;
            }
        }
        page.found()
    }

    /// Has a shard of another node end a connection, if somebody is shown to have it and can be reached.
    fn dismiss(
        &mut self,
        turn: &mut CockatriceTurn<'_>,
        conn: ConnId,
        farewell: &Farewell,
    ) -> Done {
        let mut users = self.directory.users.values();
        let is_known = users.any(|user| user.conn == conn) && self.topology.reaches(conn.shard);
        if !is_known || conn.shard.node() == self.shard.node() {
            return Done::Of(0);
        }
        let farewell = Box::new(farewell.clone());
        self.input(turn, |lobby, _| {
            lobby.post.session(conn, ToSession::Dismissed(farewell));
        });
        Done::Of(1)
    }

    /// Tells the users of all other nodes, which one shard of this one does. How many there are.
    fn tell_elsewhere(&mut self, turn: &mut CockatriceTurn<'_>, message: &bytes::Bytes) -> u32 {
        if self.shard != self.topology.desk() {
            return 0;
        }
        let node = self.shard.node();
        let shards = self
            .topology
            .in_reach()
            .filter(|shard| shard.node() != node);
        let shards: Vec<ShardId> = shards.collect();
        self.input(turn, |lobby, _| {
            for shard in shards {
                let all = Item::Show(Delivery::SendAll(message.clone()));
                lobby.post.tell(shard, all);
            }
        });
        let users = self.directory.users.values().map(|user| user.conn.shard);
        let elsewhere = users.filter(|&shard| shard.node() != node && self.topology.reaches(shard));
        elsewhere.count() as u32
    }

    fn user_shown(&self, conn: ConnId, now: Now) -> Option<Row> {
        let session = self.sessions.get(&conn)?;
        let user = session.user.as_deref()?;
        let account = user.account.as_deref();
        let idle_for = self.settings.tick * (self.ticks - session.begun) as u32;
        let state = match (session.games.is_empty(), session.rooms.is_empty()) {
            (false, _) => "game",
            (true, false) => "room",
            (true, true) => "lobby",
        };
        let games: Vec<String> = session.games.keys().map(u32::to_string).collect();
        Some(Row::Player(Player {
            conn,
            id: account.map(|account| account.id.into()),
            name: user.name.to_string(),
            address: session.address,
            since: now.unix.saturating_sub(idle_for).as_secs(),
            state: state.to_owned(),
            game: (!games.is_empty()).then(|| games.join(",")),
            client: Some(user.client_id.to_string()).filter(|id| !id.is_empty()),
        }))
    }

    fn page_of_games(&self, query: &Query) -> Found {
        let mut page = Page::of(query);
        let from = query.from.number() as u32;
        for (&number, table) in self.tables.range(from..) {
            let row = || {
                let (game, rules) = (&table.game, table.game.rules());
                let room = self.room_settings.get(table.room as usize);
                let participants = game.participants();
                let playing = participants.filter(|(_, _, role)| !role.is_spectator());
                Some(Row::Game(Game {
                    id: number.to_string(),
                    title: rules.description.to_string(),
                    host: game.creator().name.to_string(),
                    state: match (table.closing, game.is_started()) {
                        (true, _) => "closing",
                        (false, true) => "started",
                        (false, false) => "waiting",
                    }
                    .to_owned(),
                    players: playing.count() as u32,
                    seats: Some(rules.max_players),
                    map: room.map(|room| room.name.to_string()),
                    variant: None,
                    since: Some(game.created_s()),
                }))
            };
            if !page.look(|| Mark::Number(number.into()), row) {
                break;
            }
        }
        page.found()
    }

    pub(super) fn ordered(&mut self, turn: &mut CockatriceTurn<'_>, act: &Act) -> Done {
        match act {
            Act::Broadcast(text) => {
                let told = protocol::server_message(text);
                let elsewhere = self.tell_elsewhere(turn, &told);
                match self.tell_users(turn, &told) {
                    Done::Of(here) => Done::Of(here + elsewhere),
                    other => other,
                }
            }
            Act::Mute(sanction) => {
                if !self.standing.muted.set(sanction, turn.now.unix) {
                    return Done::Full;
                }
                let told = match sanction.until {
                    Until::Lifted => MAY_TALK.to_owned(),
                    _ => format!("You may not talk: {}", sanction.reason),
                };
                self.tell_named(turn, &sanction.name, &told)
            }
            Act::Ban(_) if self.has_accounts() => Done::Lacks, // the store has its own
            Act::Ban(sanction) => match self.standing.banned.set(sanction, turn.now.unix) {
                true => Done::Of(0),
                false => Done::Full,
            },
            Act::EndPlanned { within, reason } => {
                let reason = reason.as_deref().unwrap_or_default();
                let told = match within.map(|within| within.as_secs().div_ceil(60) as u32) {
                    Some(minutes) => protocol::server_shutdown(reason, minutes),
                    None => protocol::server_message("The server will not be shut down after all."),
                };
                self.tell_users(turn, &told)
            }
            Act::Dismiss { conn, farewell, .. } => self.dismiss(turn, *conn, farewell),
            Act::LameDuck => {
                self.standing.lame_duck = true;
                Done::Of(0)
            }
            Act::Succeeded => Done::Lacks,
        }
    }

    fn tell_users(&self, turn: &mut CockatriceTurn<'_>, message: &bytes::Bytes) -> Done {
        let sessions = self.sessions.iter();
        let users = sessions.filter(|(_, session)| session.user.is_some() && !session.gone);
        let mut conns: Vec<ConnId> = users.map(|(&conn, _)| conn).collect();
        conns.sort_unstable();
        for &conn in &conns {
            turn.send(conn, message.clone());
        }
        Done::Of(conns.len() as u32)
    }

    fn tell_named(&self, turn: &mut CockatriceTurn<'_>, name: &str, text: &str) -> Done {
        let mut told = 0;
        let users = self.directory.users.values();
        for listed in users.filter(|one| operator::same_name(&one.name, name)) {
            if listed.conn.shard == self.shard {
                turn.send(listed.conn, protocol::server_message(text));
                told += 1;
            }
        }
        Done::Of(told)
    }

    /// An operator ends a connection.
    pub(super) fn operator_evicts(
        &mut self,
        turn: &mut CockatriceTurn<'_>,
        conn: ConnId,
        farewell: &Farewell,
    ) {
        let seconds = |until: &Duration| until.as_secs() as u32;
        let (reason, told, until) = match farewell {
            Farewell::Kicked { reason } => (CloseReason::Other, Some(&**reason), None),
            Farewell::Banned { reason, until } => {
                let until = until.as_ref().map(seconds);
                (CloseReason::Banned, Some(&**reason), until)
            }
            Farewell::ServerEnds => (CloseReason::ServerShutdown, None, None),
        };
        if self.sessions.get(&conn).is_some_and(|one| !one.gone) {
            self.metrics.ejected.up();
            let last = protocol::connection_closed(reason, told, until);
            self.end_with(turn, conn, last, "an operator has ended it");
        }
    }

    /// The answer to somebody whose name an operator keeps out. With accounts it is the store that knows.
    pub(super) fn banned_by_name(&self, name: &str) -> Option<Reply> {
        let (until, reason) = self.standing.banned.of(name, self.unix)?;
        let body = ResponseLogin {
            denied_reason_str: Some(reason.into()),
            denied_end_time: until.map(|until| until.as_secs()),
            ..ResponseLogin::default()
        };
        Some(Reply {
            body: Some(protocol::extension(ResponseBody::Login(body))),
            ..Reply::code(ResponseCode::RespUserIsBanned)
        })
    }

    /// Whether somebody may not come in any more, since the process is to end: whoever keeps a place in a game may. If so,
    /// they are told and gone.
    pub(super) fn turns_away(
        &mut self,
        turn: &mut CockatriceTurn<'_>,
        conn: ConnId,
        name: &str,
        games: &BTreeMap<u32, Place>,
    ) -> bool {
        if !self.standing.lame_duck || !games.is_empty() {
            return false;
        }
        self.metrics.turned_away.up();
        let release = ToRegistry::Release {
            name: name.into(),
            conn,
            games: BTreeMap::new(),
        };
        self.tell_home(name, release);
        self.end_wait(turn, conn);
        let closed = protocol::connection_closed(CloseReason::ServerShutdown, None, None);
        self.end_with(turn, conn, closed, "nobody new comes in any more");
        true
    }
}
