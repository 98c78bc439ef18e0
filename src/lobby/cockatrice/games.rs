//! Games, as far as the lobby has to do with them: creating, joining, the way of commands to a game and of what it says to
//! its participants (spec: cockatrice-behaviour 5). What happens in one is `cockatrice::game`'s business.
//!
//! A game lives on the node of whoever has created it, alone where its room does; its participants are anywhere, and need not be in
//! the room. The room lists it, and is told whatever is listed.

use std::collections::{BTreeMap, VecDeque};

use bytes::Bytes;
use cockatrice::{
    game::{Cx, News, Out, ParticipantId, Voice},
    messages::{CommandContainer, ResponseCode, ServerInfoGame, decode, encode, raw},
};

use super::{
    Cockatrice, CockatriceTurn,
    game_entry::{person, text_said},
    mail::{
        Delivery, Entrant, Forced, GameCommands, Item, ToDirectory, ToGame, ToRegistry, ToRoom,
        ToSession,
    },
    protocol,
    questions::ListChange,
    room_list::RoomSettings,
    state::{room::GameNews, table::Seat, work::Reply},
};
use crate::{ConnId, ShardId};

impl Cockatrice {
    /// Something for a game that lives here.
    pub(super) fn in_game(&mut self, turn: &mut CockatriceTurn<'_>, game: u32, message: ToGame) {
        match message {
            ToGame::Commands(commands) => self.commanded(turn, game, commands),
            ToGame::Lost(conn) => self.connection_lost(game, conn),
            ToGame::Awaits(name) => self.awaits(game, name),
            ToGame::Returned(who) => self.returned(game, &who),
            ToGame::Enter { room, who, command } => self.game_entered(room, who, &command),
            ToGame::Still(conn) => self.is_still_in(game, conn),
            ToGame::Ping(conn, silent) => {
                let Some(table) = self.tables.get_mut(&game) else {
                    return;
                };
                let seat = table.seats.values_mut().find(|seat| seat.conn == conn);
                if let Some(seat) = seat {
                    seat.silent = silent;
                }
            }
        }
    }

    fn commanded(&mut self, turn: &mut CockatriceTurn<'_>, game: u32, commands: GameCommands) {
        let conn = commands.conn;
        let not_there = Reply::code(ResponseCode::RespNotInRoom);
        let table = self.tables.get_mut(&game);
        let Some(table) = table.filter(|table| !table.closing) else {
            return self.reply_to(conn, not_there);
        };
        let Some(by) = table.participant(conn) else {
            return self.reply_to(conn, not_there);
        };
        let body = commands.container.clone();
        let Ok(container) = decode::<CommandContainer<'_>>(&body) else {
            return self.reply_to(conn, Reply::code(ResponseCode::RespInvalidCommand));
        };
        let given = &container.game_command;
        let forced = table.game.forced(by, given);
        if let Some((to, wanted)) = table.next_wanted(&forced, &commands.forced, &self.topology) {
            return self.ask_forced(to, game, wanted, commands);
        }
        let GameCommands {
            may_say,
            decks,
            speaker,
            mut forced,
            ..
        } = commands;
        let taken = forced.iter_mut();
        let forced_decks: BTreeMap<ParticipantId, BTreeMap<i32, Bytes>> = taken
            .map(|(&id, forced)| (id, std::mem::take(&mut forced.decks)))
            .collect();
        self.metrics.game_commands.add(given.len() as u64);
        let mut talk = Talk {
            own: may_say,
            said: 0,
            forced,
        };
        let mut cx = Cx {
            rng: turn.rng,
            may_say: &mut |id, voice| talk.may_say(id, voice),
            stored_deck: &|of, id| {
                let theirs = forced_decks.get(&of).and_then(|decks| decks.get(&id));
                let own = decks.get(&id).filter(|_| of == by);
                theirs.or(own).map(|deck| &**deck)
            },
        };
        let mut out = Out::default();
        let answer = table.game.commands(by, given, &mut cx, &mut out);
        let said = talk.said;
        if let Some(speaker) = speaker.filter(|_| said > 0) {
            let description = table.game.rules().description.clone();
            for text in given.iter().rev().filter_map(text_said).take(said) {
                self.log((*speaker).clone(), text, game, &description);
            }
        }
        let mut reply = Reply::code(answer.code);
        reply.body = answer.body.map(protocol::extension);
        self.deliver(game, out);
        self.reply_to(conn, reply);
        self.behind_answer(turn, game);
    }

    /// What comes behind the answer to a container.
    fn behind_answer(&mut self, turn: &mut CockatriceTurn<'_>, game: u32) {
        let table = self.tables.get_mut(&game);
        let Some(table) = table.filter(|table| !table.closing) else {
            return;
        };
        let mut out = Out::default();
        let mut cx = Cx {
            rng: turn.rng,
            may_say: &mut |_, _| true,
            stored_deck: &|_, _| None,
        };
        table.game.after_response(&mut cx, &mut out);
        self.deliver(game, out);
    }

    pub(super) fn connection_lost(&mut self, game: u32, conn: ConnId) {
        let Some(table) = self.tables.get_mut(&game) else {
            return;
        };
        let Some(id) = table.participant(conn) else {
            return;
        };
        if !table.closing {
            let mut out = Out::default();
            table.game.disconnected(id, &mut out);
            self.deliver(game, out);
        }
        // Nothing more goes there, whether the game keeps the place or not.
        let Some(table) = self.tables.get_mut(&game) else {
            return;
        };
        table.seats.remove(&id);
        if self.topology.is_clustered() {
            // Their own shard says so too, if it is not lost.
            let participants = table.game.participants();
            let kept = participants.filter(|(one, person, _)| *one == id && person.registered);
            let kept: Vec<Box<str>> = kept.map(|(_, person, _)| person.name.clone()).collect();
            let room = table.room;
            for name in kept {
                self.tell_behind(name, game, room);
            }
        }
    }

    /// Somebody has gone, and the home of their name has heard that they keep a place: it may have ended before that was heard.
    fn awaits(&mut self, game: u32, name: Box<str>) {
        let table = self.tables.get(&game);
        let keeps = table.is_some_and(|table| table.game.participant_named(&name).is_some());
        if !keeps {
            self.tell_home(&name.clone(), ToRegistry::Forget { name, game });
        }
    }

    /// Somebody is back: if they have a place they take it again, and are told of the game behind the answer to their sign-in
    /// (spec: cockatrice-behaviour 5.8).
    fn returned(&mut self, game: u32, who: &Entrant) {
        let conn = who.listed.conn;
        let reply = self.seated_again(game, who).unwrap_or_default();
        let reply = Reply {
            after: reply,
            ..Reply::code(ResponseCode::RespOk)
        };
        self.reply_to(conn, reply);
    }

    fn seated_again(&mut self, game: u32, who: &Entrant) -> Option<Vec<Bytes>> {
        let conn = who.listed.conn;
        let id = self
            .tables
            .get(&game)?
            .game
            .participant_named(&who.listed.name)?;
        // That the connection before is lost may be heard of later: it is now, and then of no importance.
        if let Some(seat) = self.tables.get(&game)?.seats.get(&id) {
            self.connection_lost(game, seat.conn);
        }
        let table = self.tables.get_mut(&game).filter(|table| !table.closing)?;
        table.game.participant_named(&who.listed.name)?;
        table.seats.insert(id, Seat::of(conn));
        let room = table.room;
        let mut out = Out::default();
        table.game.returned(id, person(who), &mut out);
        self.deliver(game, out);
        let table = self.tables.get(&game)?;
        let described = self.room_settings.get(room as usize);
        let types = described.map(RoomSettings::types).unwrap_or_default();
        let joined = table.game.joined(id, true, types);
        let told = joined.into_iter().chain(table.game.snapshot_for(id));
        let told = told.collect();
        let entered = ToSession::Entered(game, table.taking(id, self.shard));
        self.post.session(conn, entered);
        if self.topology.is_clustered() {
            let name = who.listed.name.clone();
            self.tell_home(&name.clone(), ToRegistry::Forget { name, game });
        }
        Some(told)
    }

    /// Somebody has changed one of their lists, which counts for the games that they have created.
    pub(super) fn lists_changed(&mut self, owner: &str, change: &ListChange) {
        for table in self.tables.values_mut() {
            let creator = table.game.creator();
            if creator.registered && *creator.name == *owner {
                table.lists.change(change);
            }
        }
    }

    /// A tick of this shard's games.
    pub(super) fn tick_games(&mut self) {
        let inactivity = self.settings.game_inactivity;
        let inactivity_s = inactivity.map_or(0, |time| time.as_secs() as i64);
        let games: Vec<u32> = self.tables.keys().copied().collect();
        for game in games {
            let table = self.tables.get_mut(&game);
            let Some(table) = table.filter(|table| !table.closing) else {
                continue;
            };
            let (state, seats) = (&mut table.game, &table.seats);
            let mut out = Out::default();
            let mut silent = |id: ParticipantId| {
                let silent = seats.get(&id).map_or(0, |seat| seat.silent);
                u32::try_from(silent).unwrap_or_default()
            };
            state.second(&mut silent, inactivity_s, &mut out);
            self.deliver(game, out);
            self.spill(game);
        }
    }

    /// Does what comes of something in a game; if that is its end, as soon as what is left of it is kept.
    pub(super) fn deliver(&mut self, game: u32, out: Out) {
        let ends = |news: &News| matches!(news, News::Closed(_));
        match self.has_accounts() && out.news.iter().any(ends) {
            true => self.keep_ended(game, out),
            false => self.carry_out(game, out),
        }
    }

    /// Sends what a game says to whom it is for, and has done what else comes of it.
    pub(super) fn carry_out(&mut self, game: u32, out: Out) {
        for delivery in out.deliveries {
            let Some(table) = self.tables.get(&game) else {
                return;
            };
            let mut shards: BTreeMap<ShardId, Vec<ConnId>> = BTreeMap::new();
            for id in &delivery.to {
                if let Some(seat) = table.seats.get(id) {
                    shards.entry(seat.conn.shard).or_default().push(seat.conn);
                }
            }
            for (shard, conns) in shards {
                let each = Delivery::SendEach(conns, delivery.body.clone());
                self.post.to(shard, Item::Show(each));
            }
        }
        for news in out.news {
            self.game_news(game, news);
        }
    }

    fn game_news(&mut self, game: u32, news: News) {
        match news {
            News::Record(record) => self.spread_game_record(game, &record),
            News::Started(started) => self.spread_part(game, |record| {
                record.started = Some(started);
            }),
            News::Removed(id) => {
                let table = self.tables.get_mut(&game);
                if let Some(seat) = table.and_then(|table| table.seats.remove(&id)) {
                    self.post.session(seat.conn, ToSession::Removed(game));
                }
            }
            News::Replay(replay) => {
                let keeps = self.keeps_replays(game);
                if let Some(table) = self.tables.get_mut(&game) {
                    table.round_recorded(&replay, keeps);
                }
            }
            News::Closed(took_part) => self.closed(game, &took_part),
        }
    }

    /// A game's record, with its types: for those who get it for the first time.
    pub(super) fn game_record(&self, game: u32) -> Option<Vec<u8>> {
        Some(encode(&self.tables.get(&game)?.game.info()))
    }

    /// Tells the room of a game that is new.
    pub(super) fn spread_game(&mut self, game: u32) {
        if let Some(record) = self.game_record(game) {
            self.spread_game_record(game, &record);
        }
    }

    fn spread_game_record(&mut self, game: u32, record: &[u8]) {
        let Some(room) = self.tables.get(&game).map(|table| table.room) else {
            return;
        };
        let id = self.room_id(room);
        let list = protocol::list_games(id, &protocol::listed(1, record));
        if self.rooms.contains_key(&room) {
            self.tell_of_game(room, game, Some(list));
        } else if let Some(news) = self.game_news_for(game) {
            self.tell_room(room, ToRoom::News(Box::new(news), list));
        }
    }

    /// What the room has to know of a game that this shard has.
    pub(super) fn game_news_for(&self, game: u32) -> Option<GameNews> {
        let table = self.tables.get(&game)?;
        let participants = table.game.participants();
        Some(GameNews {
            game,
            shard: self.shard,
            creator: table.game.creator().name.clone(),
            names: participants
                .map(|(_, person, _)| person.name.clone())
                .collect(),
            record: self.game_record(game)?.into(),
            closing: table.closing,
        })
    }

    /// A game's record, of a room that lives here.
    pub(super) fn record_in(&self, room: u32, game: u32) -> Option<Bytes> {
        match self.game_record(game) {
            Some(record) => Some(record.into()),
            None => Some(self.rooms.get(&room)?.foreign.get(&game)?.record.clone()),
        }
    }

    /// Another shard has news of a game of a room that lives here, and what members are told of it.
    pub(super) fn game_news_told(&mut self, room: u32, news: GameNews, list: Option<Bytes>) {
        let game = news.game;
        let Some(state) = self.rooms.get_mut(&room) else {
            return;
        };
        let is_new = state.games.insert(game);
        state.foreign.insert(game, news);
        if let Some(list) = list {
            self.tell_of_game(room, game, Some(list));
            if is_new {
                self.room_changed(room);
            }
        }
    }

    /// A game is no longer one of a room that lives here.
    pub(super) fn game_gone(&mut self, room: u32, game: u32) {
        let Some(state) = self.rooms.get_mut(&room) else {
            return;
        };
        state.foreign.remove(&game);
        if state.games.remove(&game) {
            self.tell_of_game(room, game, None);
            self.room_changed(room);
        }
    }

    /// Tells members of a game of a room that lives here, and other shards.
    pub(super) fn tell_of_game(&mut self, room: u32, game: u32, list: Option<Bytes>) {
        if let Some(list) = list.clone() {
            self.spread_here(room, list);
        }
        if self.topology.is_clustered() {
            let listed = self
                .rooms
                .get(&room)
                .is_some_and(|state| state.games.contains(&game));
            let record = self.record_in(room, game).filter(|_| listed);
            self.tell_pictures(|| ToDirectory::Game {
                room,
                game,
                record,
                list,
            });
        }
    }

    /// Tells the room what has changed of a game, and nothing else.
    fn spread_part(&mut self, game: u32, change: impl FnOnce(&mut ServerInfoGame<'_>)) {
        let Some(room) = self.tables.get(&game).map(|table| table.room) else {
            return;
        };
        let mut record = ServerInfoGame {
            room_id: Some(self.room_id(room) as i32),
            game_id: Some(game as i32),
            ..ServerInfoGame::default()
        };
        change(&mut record);
        self.spread_game_record(game, &encode(&record));
    }

    /// A game is over: whoever is still in it is out, the room hears of it, and then of it nothing more.
    fn closed(&mut self, game: u32, took_part: &[(Box<str>, bool)]) {
        self.spread_part(game, |record| record.closed = Some(true));
        let played = self.played(game, took_part);
        let Some(table) = self.tables.remove(&game) else {
            return;
        };
        self.metrics.games_closed.up();
        for seat in table.seats.values() {
            self.post.session(seat.conn, ToSession::Removed(game));
        }
        match self.rooms.contains_key(&table.room) {
            true => self.game_gone(table.room, game),
            false => self.tell_room(table.room, ToRoom::NoGame(game)),
        }
        for (name, _) in took_part {
            let forget = ToRegistry::Forget {
                name: name.clone(),
                game,
            };
            self.tell_home(name, forget);
        }
        if let Some(played) = played.filter(|_| !self.has_accounts()) {
            self.tell_of_replays(&played, &[]);
        }
    }

    /// The games of a room that a user is in, as entries of an answer.
    pub(super) fn games_of(&self, room: u32, name: &str) -> Vec<u8> {
        let mut out = Vec::new();
        let Some(state) = self.rooms.get(&room) else {
            return out;
        };
        for game in &state.games {
            let is_in = match (self.tables.get(game), state.foreign.get(game)) {
                (Some(table), _) => table.game.participant_named(name).is_some(),
                (None, foreign) => foreign.is_some_and(|g| g.names.iter().any(|n| **n == *name)),
            };
            if let Some(record) = self.record_in(room, *game).filter(|_| is_in) {
                raw::block(&mut out, 2, &record);
            }
        }
        out
    }
}

/// Who may say how much with a container.
struct Talk {
    /// Whether what its sender says may be said, one after the other.
    own: VecDeque<bool>,
    /// How much of that was said.
    said: usize,
    /// The same of what others are made to say.
    forced: BTreeMap<ParticipantId, Forced>,
}

impl Talk {
    fn may_say(&mut self, id: ParticipantId, voice: Voice) -> bool {
        match voice {
            Voice::Own => {
                let may = self.own.pop_front().unwrap_or(false);
                self.said += usize::from(may);
                may
            }
            // Whoever could not be asked is not there any more: it costs nobody anything.
            Voice::Forced => {
                let forced = self.forced.get_mut(&id);
                let may = forced.and_then(|forced| forced.may_say.pop_front());
                may.unwrap_or(true)
            }
        }
    }
}
