//! Rooms that move to another shard, and what every shard knows of those that live elsewhere.
//!
//! When the view changes each shard tells each room's home its members and games there (`ToRoom::Enrol`). A room that is new on its
//! shard begins from what that shard knows of it, its picture, and is not heard until all shards have enrolled, or for
//! [`PATIENCE`]; then it tells every shard what is in it. What of that is news to a shard it tells its clients, who notice
//! nothing else. Who comes and goes, and what becomes of games, each shard tells its clients when its picture changes: so that is
//! what they know.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use bytes::Bytes;
use cockatrice::{
    messages::{ServerInfoGame, encode, raw},
    rooms::History,
};

use super::{
    Cockatrice, CockatriceTurn, Timer,
    mail::{Caused, Delivery, Item, ToDirectory, ToRoom, ToSession},
    new_room, protocol,
    state::{
        directory::{Listed, Picture, ROOMS, members},
        room::{GameNews, Gathering},
        session::Session,
    },
};
use crate::{Audience, ConnId, ShardId, homes::Era};

/// How long a room waits for what all shards say of it.
const PATIENCE: Duration = Duration::from_secs(1);
/// Things that wait until a room is here, or its home known; further ones are dropped, and whoever waits for them is refused in
/// time. More than all clients of a node can cause at once.
const PARKED: usize = 10_000;

impl Cockatrice {
    /// Something for a room, from whoever thought in this era that it lives here.
    pub(super) fn for_room(&mut self, room: u32, era: Era, message: ToRoom) {
        let ours = self.topology.era();
        let waits = self.gathering.get(&room).is_some_and(|room| room.is_new);
        let enrols = matches!(message, ToRoom::Enrol { .. } | ToRoom::History(_));
        let is_here = self.rooms.contains_key(&room);
        if enrols {
            match era.cmp(&ours) {
                std::cmp::Ordering::Equal if is_here => self.in_room(room, message),
                std::cmp::Ordering::Greater => self.park(Item::Room(room, era, message)),
                _ => {} // of an era that is over: it is said again
            }
        } else if is_here && !waits && era <= ours {
            self.in_room(room, message);
        } else if is_here || era > ours {
            // Behind what that shard has enrolled, which waits for that era too.
            self.park(Item::Room(room, era, message));
        } else if era < ours && message.is_awaited() && !matches!(message, ToRoom::Join(_)) {
            // Eras grow on the way, so it arrives. Who wants to enter asks again by themselves (`join_anew`): here they might be
            // gone before they came.
            self.tell_room(room, message);
        }
    }

    /// Keeps something until more is known.
    pub(super) fn park(&mut self, item: Item) {
        if self.parked.len() >= PARKED {
            return self.metrics.over_limit.up();
        }
        let step = self.post.step();
        self.parked.push(Caused { step, item });
    }

    fn unpark(&mut self) {
        for caused in std::mem::take(&mut self.parked) {
            self.post.again(caused);
        }
    }

    /// The view has changed: rooms that live here now begin, and those that do not any more become pictures.
    pub(super) fn rooms_moved(&mut self, turn: &mut CockatriceTurn<'_>, was_alone: bool) {
        for room in self.rooms_there_are() {
            let is_home = self.topology.room(room) == self.shard;
            match (is_home, self.rooms.contains_key(&room)) {
                (true, false) => self.room_begins(room),
                (false, true) => self.room_goes(room, was_alone),
                (is_home, _) => {
                    if is_home {
                        self.gather(room, false);
                    }
                }
            }
        }
        turn.wake_at(turn.now.mono + PATIENCE, Timer::Rooms);
        self.unpark();
    }

    fn gather(&mut self, room: u32, is_new: bool) {
        let is_new = is_new || self.gathering.get(&room).is_some_and(|room| room.is_new);
        let gathering = Gathering {
            missing: self.topology.in_reach().collect(),
            is_new,
            until: self.mono + PATIENCE,
        };
        self.gathering.insert(room, gathering);
    }

    fn room_begins(&mut self, room: u32) {
        let mut state = new_room(&self.room_settings, room);
        // Clients here are told of it what is new when the room is whole.
        let picture = self.directory.pictures.get(&room);
        for member in picture
            .into_iter()
            .flat_map(|picture| picture.members.values())
        {
            state.enter(member.clone());
        }
        let tables = self.tables.iter();
        let own = tables.filter(|(_, table)| table.room == room);
        state.games = own.map(|(&game, _)| game).collect();
        self.rooms.insert(room, state);
        self.gather(room, true);
    }

    fn room_goes(&mut self, room: u32, was_alone: bool) {
        let gathering = self.gathering.remove(&room);
        let games = self.games_recorded(room);
        let Some(state) = self.rooms.remove(&room) else {
            return;
        };
        if gathering.is_some_and(|gathering| gathering.is_new) {
            return; // clients here know the picture, and not yet what was told since
        }
        let picture = Picture {
            members: state.members,
            games,
        };
        self.directory.pictures.insert(room, picture);
        if !was_alone && !state.history.is_empty() {
            self.tell_room(room, ToRoom::History(state.history));
        }
    }

    /// Tells rooms who of this shard is in them, and which of their games it has.
    pub(super) fn enrol(&mut self, is_meant: impl Fn(ShardId) -> bool) {
        let mut inside: BTreeMap<u32, Vec<Listed>> = BTreeMap::new();
        for (&conn, session) in &self.sessions {
            if let Some(user) = session.user.as_ref().filter(|_| !session.gone) {
                for &room in &session.rooms {
                    inside.entry(room).or_default().push(user.listed(conn));
                }
            }
        }
        for room in self.rooms_there_are() {
            let home = self.topology.room(room);
            if !is_meant(home) {
                continue;
            }
            let mut members = inside.remove(&room).unwrap_or_default();
            members.sort_unstable_by_key(|member| member.conn);
            let games = match home == self.shard {
                true => Vec::new(),
                false => self.news_of_games(room),
            };
            let from = self.shard;
            self.tell_room(
                room,
                ToRoom::Enrol {
                    from,
                    members,
                    games,
                },
            );
        }
    }

    fn news_of_games(&self, room: u32) -> Vec<GameNews> {
        let tables = self.tables.iter();
        let here = tables.filter(|(_, table)| table.room == room);
        here.filter_map(|(&game, _)| self.game_news_for(game))
            .collect()
    }

    /// A shard has said who of it is in a room, and which of its games it has.
    pub(super) fn enrolled(
        &mut self,
        room: u32,
        from: ShardId,
        members: Vec<Listed>,
        games: Vec<GameNews>,
    ) {
        let is_new = self.gathering.get(&room).is_some_and(|room| room.is_new);
        let Some(state) = self.rooms.get_mut(&room) else {
            return;
        };
        let named: BTreeSet<ConnId> = members.iter().map(|member| member.conn).collect();
        let known = state.names.keys().copied();
        let gone = known.filter(|conn| conn.shard == from && !named.contains(conn));
        let gone: Vec<ConnId> = gone.collect();
        let played: BTreeSet<u32> = games.iter().map(|game| game.game).collect();
        let foreign = state.foreign.values();
        let over = foreign.filter(|game| game.shard == from && !played.contains(&game.game));
        let over: Vec<u32> = over.map(|game| game.game).collect();
        for conn in gone {
            match is_new {
                true => drop(self.rooms.get_mut(&room).map(|state| state.leave(conn))),
                false => self.left(room, conn),
            }
        }
        for member in members {
            self.enrolled_one(room, member, is_new);
        }
        for game in over {
            self.game_over(room, game);
        }
        for news in games {
            let state = self.rooms.get(&room);
            let known = state.and_then(|state| state.foreign.get(&news.game));
            let is_told = !is_new && known != Some(&news);
            let list = is_told.then(|| self.list_of([&*news.record], room));
            self.game_news_told(room, news, list);
        }
        match self.gathering.get_mut(&room) {
            Some(gathering) => {
                gathering.missing.remove(&from);
                if gathering.missing.is_empty() {
                    self.gathered(room);
                }
            }
            None => self.tell_contents(room, |shard| shard == from),
        }
    }

    fn enrolled_one(&mut self, room: u32, member: Listed, is_new: bool) {
        if self.is_outdated(room, &member) {
            return self.post.session(member.conn, ToSession::Evicted);
        }
        let Some(state) = self.rooms.get_mut(&room) else {
            return;
        };
        if state.names.contains_key(&member.conn) {
            return self.changed(room, member);
        }
        if !is_new {
            return self.entered(room, member);
        }
        let before = state.members.get(&member.name);
        if let Some(before) = before.map(|before| before.conn) {
            state.leave(before);
        }
        state.enter(member);
    }

    /// Rooms that have waited long enough begin with what is known.
    pub(super) fn rooms_due(&mut self) {
        let due = self.gathering.iter();
        let due = due.filter(|(_, gathering)| gathering.until <= self.mono);
        let due: Vec<u32> = due.map(|(&room, _)| room).collect();
        for room in due {
            self.gathered(room);
        }
    }

    fn gathered(&mut self, room: u32) {
        let gathering = self.gathering.remove(&room);
        self.tell_contents(room, |_| true);
        let counts = self.rooms.get(&room).map(|state| state.counts());
        if counts.is_some_and(|counts| counts != self.room_counts(room)) {
            self.tell_room_counts(room);
        }
        if gathering.is_some_and(|gathering| gathering.is_new) {
            let now = self.rooms.get(&room).map(|state| state.members.clone());
            let news = self.picture_replaced(room, now.unwrap_or_default(), None);
            let here = self.shard;
            for message in news {
                let spread = Delivery::Spread(members(room), message);
                self.post.tell(here, Item::Show(spread));
            }
            self.unpark();
        }
    }

    /// Takes over what was said in a room before it moved here.
    pub(super) fn history_told(&mut self, room: u32, history: History) {
        if let Some(state) = self.rooms.get_mut(&room)
            && state.history.is_empty()
        {
            state.history = history;
        }
    }

    /// Records of all games of a room that lives here.
    pub(super) fn games_recorded(&self, room: u32) -> BTreeMap<u32, Bytes> {
        let games = self.rooms.get(&room).map(|state| &state.games);
        let games = games.into_iter().flatten();
        let recorded = games.filter_map(|&game| Some((game, self.record_in(room, game)?)));
        recorded.collect()
    }

    fn tell_contents(&mut self, room: u32, is_meant: impl Fn(ShardId) -> bool) {
        let games = self.games_recorded(room);
        let Some(state) = self.rooms.get(&room) else {
            return;
        };
        let contents = ToDirectory::Contents {
            room,
            members: state.members.values().cloned().collect(),
            games,
        };
        let others = self.topology.in_reach();
        for shard in others.filter(|&shard| shard != self.shard && is_meant(shard)) {
            self.post.tell(shard, Item::Directory(contents.clone()));
        }
    }

    /// Tells all other shards of a change of a room that lives here, if there may be other nodes.
    pub(super) fn tell_pictures(&mut self, change: impl FnOnce() -> ToDirectory) {
        if !self.topology.is_clustered() {
            return;
        }
        let change = change();
        for shard in self.topology.in_reach() {
            if shard != self.shard {
                self.post.tell(shard, Item::Directory(change.clone()));
            }
        }
    }

    // ---- on all other shards ---------------------------------------------------------------------------------------

    /// A room's home speaks of it; of what is not its home any more nothing is heard.
    pub(super) fn in_picture(&mut self, turn: &mut CockatriceTurn<'_>, change: ToDirectory) {
        let room = match &change {
            ToDirectory::Entered { room, .. }
            | ToDirectory::Exited { room, .. }
            | ToDirectory::Game { room, .. }
            | ToDirectory::Contents { room, .. } => *room,
            _ => return,
        };
        if self.topology.room(room) != self.from || self.rooms.contains_key(&room) {
            return;
        }
        let id = self.room_id(room);
        let picture = self.directory.pictures.entry(room).or_default();
        let told = match change {
            ToDirectory::Entered { member, told, .. } => {
                let joined = protocol::room_joined(id, &member.public);
                picture.members.insert(member.name.clone(), member);
                Some(joined).filter(|_| told)
            }
            ToDirectory::Exited { name, .. } => {
                picture.members.remove(&name);
                Some(protocol::room_left(id, &name))
            }
            ToDirectory::Game {
                game, record, list, ..
            } => {
                match record {
                    Some(record) => drop(picture.games.insert(game, record)),
                    None => drop(picture.games.remove(&game)),
                }
                list
            }
            ToDirectory::Contents { members, games, .. } => {
                return self.contents_told(turn, room, members, games);
            }
            _ => None,
        };
        if let Some(told) = told {
            turn.fan_out(Audience::Topic(members(room)), told);
        }
    }

    /// Everything that is in a room: clients here are told what they do not know of it.
    fn contents_told(
        &mut self,
        turn: &mut CockatriceTurn<'_>,
        room: u32,
        told: Vec<Listed>,
        games: BTreeMap<u32, Bytes>,
    ) {
        let inside: BTreeMap<Box<str>, Listed> = told
            .into_iter()
            .map(|member| (member.name.clone(), member))
            .collect();
        let counts = (inside.len() as u32, games.len() as u32);
        let news = self.picture_replaced(room, inside, Some(games));
        for message in news {
            turn.fan_out(Audience::Topic(members(room)), message);
        }
        if let Some(known) = self.directory.rooms.get_mut(room as usize)
            && *known != counts
        {
            *known = counts;
            let update = self.room_update(room);
            turn.fan_out(Audience::Topic(ROOMS), update);
        }
    }

    /// What clients here do not know of a room as it is now: `games` are those it has, if it does not live here. They will have been
    /// told. Members of this shard of whom the room does not know yet stay: it hears of them, and says when they have left.
    fn picture_replaced(
        &mut self,
        room: u32,
        mut inside: BTreeMap<Box<str>, Listed>,
        games: Option<BTreeMap<u32, Bytes>>,
    ) -> Vec<Bytes> {
        let before = self.directory.pictures.remove(&room).unwrap_or_default();
        let is_home = games.is_none();
        let games = games.unwrap_or_else(|| self.games_recorded(room));
        let id = self.room_id(room);
        let mut news: Vec<Bytes> = Vec::new();
        for (name, member) in &before.members {
            let session = self.sessions.get(&member.conn);
            let stays = |session: &Session| !session.gone && session.rooms.contains(&room);
            let is_own = session.is_some_and(stays);
            if inside.contains_key(name) {
                continue;
            }
            match is_own && !is_home {
                true => drop(inside.insert(name.clone(), member.clone())),
                false => news.push(protocol::room_left(id, name)),
            }
        }
        for (name, member) in &inside {
            let known = before.members.get(name);
            if known.is_none_or(|known| known.conn != member.conn) {
                news.push(protocol::room_joined(id, &member.public));
            }
        }
        let changed = games.iter();
        let changed = changed.filter(|(game, record)| before.games.get(game) != Some(record));
        let over = before.games.keys().filter(|game| !games.contains_key(game));
        let over: Vec<Vec<u8>> = over.map(|&game| closed_record(id, game)).collect();
        let changed: Vec<&[u8]> = changed
            .map(|(_, record)| &**record)
            .chain(over.iter().map(|record| &**record))
            .collect();
        if !changed.is_empty() {
            news.push(self.list_of(changed, room));
        }
        if !is_home {
            let picture = Picture {
                members: inside,
                games,
            };
            self.directory.pictures.insert(room, picture);
        }
        news
    }

    /// A list of games as a room's members are told it.
    fn list_of<'a>(&self, records: impl IntoIterator<Item = &'a [u8]>, room: u32) -> Bytes {
        let mut list = Vec::new();
        for record in records {
            raw::block(&mut list, 1, record);
        }
        protocol::list_games(self.room_id(room), &list)
    }

    /// A game that another shard had is over.
    pub(super) fn game_over(&mut self, room: u32, game: u32) {
        let id = self.room_id(room);
        let closed = closed_record(id, game);
        let list = self.list_of([&*closed], room);
        self.tell_of_game(room, game, Some(list));
        self.game_gone(room, game);
    }
}

/// What is told of a game that is over.
fn closed_record(room_id: u32, game: u32) -> Vec<u8> {
    encode(&ServerInfoGame {
        room_id: Some(room_id as i32),
        game_id: Some(game as i32),
        closed: Some(true),
        ..ServerInfoGame::default()
    })
}
