//! Creating and joining games (spec: cockatrice-behaviour 5.2, 5.3), and what a participant's commands must pass before
//! they go to the game.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use bytes::Bytes;
use cockatrice::{
    flood,
    game::{Applicant, Game, Out, ParticipantId, Person, Role, Rules},
    messages::{
        CommandContainer, CommandCreateGame, CommandJoinGame, GameCommand, GameCommandBody,
        ResponseCode, decode, encode,
    },
    text,
};

use super::{
    Cockatrice, CockatriceTurn,
    forced::may_force,
    mail::{Entrant, GameCommands, Item, NewGameAt, ToGame, ToRoom, ToSession},
    protocol,
    questions::Place,
    settings::Method,
    state::{
        lists::Lists,
        session::Taking,
        table::{Seat, Spilled, Table},
        work::{Flow, Group, Reply, Work},
    },
};
use crate::{ConnId, ShardId};

/// Life at the start of a round, unless its creator says otherwise.
const STARTING_LIFE: u32 = 20;

/// Stored decks in one container; a client asks for one.
const DECKS: usize = 4;

impl Cockatrice {
    // ---- on the participant's shard ----------------------------------------------------------------------------

    pub(super) fn create_game(
        &mut self,
        conn: ConnId,
        room: u32,
        create: &CommandCreateGame<'_>,
    ) -> Flow {
        let Some(user) = self.user(conn) else {
            return Flow::code(ResponseCode::RespLoginNeeded);
        };
        let (who, lists) = (user.entrant(conn), Box::new(user.lists.clone()));
        if self.draining {
            return Flow::code(ResponseCode::RespContextError);
        }
        let command = encode(create).into();
        let create = ToRoom::Create {
            who,
            lists,
            command,
        };
        self.tell_room(room, create);
        // Where there are accounts the store gives it a number first, wherever the room is.
        match self.has_accounts() {
            true => Flow::Asked,
            false => Flow::Wait(self.topology.room(room)),
        }
    }

    pub(super) fn join_game(
        &mut self,
        conn: ConnId,
        room: u32,
        join: &CommandJoinGame<'_>,
    ) -> Flow {
        let Some(who) = self.user(conn).map(|user| user.entrant(conn)) else {
            return Flow::code(ResponseCode::RespLoginNeeded);
        };
        let command = encode(join).into();
        self.tell_room(room, ToRoom::Enter { who, command });
        Flow::Wait(self.topology.room(room))
    }

    /// A participant's container: to their game, as soon as the decks that it asks for are there.
    pub(super) fn of_participant(
        &mut self,
        turn: &mut CockatriceTurn<'_>,
        conn: ConnId,
        body: &[u8],
        container: &CommandContainer<'_>,
        cmd_id: u64,
    ) {
        let mut work = Work::new(Group::Game, cmd_id, 0);
        self.begin_step();
        let commands = &container.game_command;
        let forced = commands.iter().flat_map(forced_by);
        let asked = commands.iter().chain(forced).filter_map(stored_deck);
        if asked.collect::<BTreeSet<i32>>().len() > DECKS {
            self.metrics.over_limit.up();
            let refused = protocol::response(cmd_id, ResponseCode::RespContextError, &[]);
            return turn.send(conn, refused);
        }
        let decks = self.decks_wanted(conn, container);
        if decks.is_empty() {
            let to = self.game_commands(turn, conn, body, container, BTreeMap::new());
            return match to {
                Ok(shard) => {
                    let is_here = shard == self.shard && !may_force(container);
                    self.begin_wait(turn, conn, work, is_here);
                }
                Err(code) => turn.send(conn, protocol::response(cmd_id, code, &[])),
            };
        }
        work.container = Bytes::copy_from_slice(body);
        work.waits = decks.len();
        self.fetch_decks(turn, conn, decks);
        self.begin_wait(turn, conn, work, false);
    }

    /// The stored decks of their own that a participant with an account asks for.
    fn decks_wanted(&self, conn: ConnId, container: &CommandContainer<'_>) -> BTreeSet<i32> {
        let user = self.user(conn);
        if user.is_none_or(|user| user.account.is_none()) {
            return BTreeSet::new();
        }
        let commands = container.game_command.iter();
        commands.filter_map(stored_deck).collect()
    }

    /// The decks that a container asks for are there.
    pub(super) fn decks_fetched(
        &mut self,
        turn: &mut CockatriceTurn<'_>,
        conn: ConnId,
        body: &[u8],
        decks: BTreeMap<i32, Bytes>,
    ) {
        self.begin_step();
        let sent = match decode::<CommandContainer<'_>>(body) {
            Ok(container) => self.game_commands(turn, conn, body, &container, decks),
            Err(_) => Err(ResponseCode::RespInvalidCommand),
        };
        let wait = self.post.wait(turn.now.mono, self.topology.is_clustered());
        let session = self.sessions.get_mut(&conn);
        if let Some(work) = session.and_then(|session| session.work.as_mut()) {
            work.wait = wait;
        }
        if let Err(code) = sent {
            self.reply(turn, conn, Reply::code(code));
        }
    }

    /// Sends a container's commands to their game, if they may go there (spec: cockatrice-behaviour 6, 7).
    fn game_commands(
        &mut self,
        turn: &CockatriceTurn<'_>,
        conn: ConnId,
        body: &[u8],
        container: &CommandContainer<'_>,
        decks: BTreeMap<i32, Bytes>,
    ) -> Result<ShardId, ResponseCode> {
        let game = container.game_id();
        let session = self.sessions.get_mut(&conn);
        let session = session.ok_or(ResponseCode::RespLoginNeeded)?;
        if session.user.is_none() {
            return Err(ResponseCode::RespLoginNeeded);
        }
        let taking = session.games.get(&game).copied();
        let Taking { shard, talks, .. } = taking.ok_or(ResponseCode::RespNotInRoom)?;
        session.acts(self.ticks);
        let commands = &container.game_command;
        if !self.may_command(conn, commands) {
            return Err(ResponseCode::RespChatFlood);
        }
        // What the game refuses of those who may not talk there does not count.
        let said = commands.iter().rev().filter_map(text_said);
        let said = said.filter(|_| talks);
        let may_say: VecDeque<bool> = said.map(|text| self.may_talk(conn, text.len())).collect();
        let is_said = !may_say.is_empty();
        let at_s = turn.now.unix.as_secs();
        let speaker = is_said.then(|| self.speaker(conn, at_s, Place::Game));
        let commands = GameCommands {
            conn,
            container: Bytes::copy_from_slice(body),
            may_say,
            decks,
            speaker: speaker.flatten(),
            forced: BTreeMap::new(),
        };
        self.tell_game(shard, game, ToGame::Commands(commands));
        Ok(shard)
    }

    /// Counts commands, the last one first, until there are too many: then none of them is obeyed, so that nothing happens of
    /// which nobody is told (spec: cockatrice-table 16, D17).
    fn may_command(&mut self, conn: ConnId, commands: &[GameCommand<'_>]) -> bool {
        let Some(session) = self.sessions.get_mut(&conn) else {
            return false;
        };
        let limits = self.settings.play();
        let window = &mut session.commands;
        let may = commands.iter().rev().all(|command| {
            match command.body.as_ref().is_none_or(flood::counts) {
                true => window.attempt(self.ticks, 0, &limits),
                false => window.is_within(self.ticks, &limits),
            }
        });
        if !may {
            self.metrics.floods.up();
        }
        may
    }

    // ---- on the room's shard -----------------------------------------------------------------------------------

    pub(super) fn created(
        &mut self,
        room: u32,
        entrant: Entrant,
        lists: Box<Lists>,
        command: &[u8],
        now_s: u64,
    ) {
        let who = &entrant.listed;
        let conn = who.conn;
        let Ok(create) = decode::<CommandCreateGame<'_>>(command) else {
            return self.reply_to(conn, Reply::code(ResponseCode::RespInvalidCommand));
        };
        let may_judge = who.level.is_judge() || self.settings.create_as_judge;
        let judge = create.join_as_judge() && may_judge;
        let spectator = create.join_as_spectator();
        let password = create.password.as_deref().unwrap_or_default();
        let is_exempt = who.level.is_judge() && judge && spectator;
        let too_many = !is_exempt && self.has_enough_games(room, &who.name);
        if password.len() > text::PASSWORD_BYTES || too_many {
            self.metrics.over_limit.up();
            return self.reply_to(conn, Reply::code(ResponseCode::RespContextError));
        }
        let new = NewGameAt {
            room,
            rules: self.rules_of(room, &create),
            role: match spectator {
                true => Role::Spectator { judge },
                false => Role::Player { judge },
            },
            lists,
            now_s,
            entrant,
        };
        // On the node of whoever creates it: so it is lost with them only, and a node that is about to end has no new ones.
        let table = self.topology.table(conn.shard.node(), room);
        match table == self.shard {
            true => self.number_game(new),
            false => self.post.to(table, Item::Begin(Box::new(new))),
        }
    }

    /// A game that is to begin here gets its number.
    pub(super) fn number_game(&mut self, new: NewGameAt) {
        if self.has_accounts() {
            return self.ask_number(new);
        }
        self.games_begun += 1;
        let id = self.topology.game_id(self.shard, self.games_begun);
        self.begin_game(id, new);
    }

    /// A game begins.
    pub(super) fn begin_game(&mut self, id: u32, new: NewGameAt) {
        let NewGameAt {
            room,
            rules,
            role,
            lists,
            now_s,
            entrant,
        } = new;
        let conn = entrant.listed.conn;
        let mut out = Out::default();
        let (game, creator) = Game::create(id, rules, person(&entrant), role, now_s, &mut out);
        let seats = BTreeMap::from([(creator, Seat::of(conn))]);
        let table = Table {
            room,
            game,
            seats,
            lists: *lists,
            replays: Vec::new(),
            spilled: Spilled::default(),
            closing: false,
        };
        self.tables.insert(id, table);
        if let Some(state) = self.rooms.get_mut(&room) {
            state.games.insert(id);
        }
        self.metrics.games.up();
        // The room gets it with its types, this once.
        out.news.clear();
        self.deliver(id, out);
        self.admit(id, creator, conn);
        self.spread_game(id);
        self.room_changed(room);
        self.end_more_games(); // it may come too late
    }

    /// Somebody of this shard is in a game from now on, unless they wait no longer to be: then they are out again.
    pub(super) fn entered_game(&mut self, conn: ConnId, game: u32, taking: Taking) {
        let is_awaited = self.is_awaited(conn);
        match self.sessions.get_mut(&conn).filter(|_| is_awaited) {
            Some(session) => drop(session.games.insert(game, taking)),
            None => self.tell_game(taking.shard, game, ToGame::Lost(conn)),
        }
    }

    /// Whether a user has created as many games of a room as there may be.
    fn has_enough_games(&self, room: u32, name: &str) -> bool {
        let Ok(most) = usize::try_from(self.settings.games_per_user) else {
            return false;
        };
        let games = self.rooms.get(&room).map(|state| &state.games);
        let tables = games
            .into_iter()
            .flatten()
            .filter_map(|game| self.tables.get(game));
        let own = tables.filter(|table| *table.game.creator().name == *name && !table.closing);
        let foreign = self.rooms.get(&room).map(|state| state.foreign.values());
        let foreign = foreign.into_iter().flatten();
        let foreign = foreign.filter(|game| *game.creator == *name && !game.closing);
        own.count() + foreign.count() >= most
    }

    fn rules_of(&self, room: u32, create: &CommandCreateGame<'_>) -> Rules {
        let described = self.room_settings.get(room as usize);
        let types = described.map_or(0, |room| room.game_types.len()) as u32;
        // Of the room's own types only: others mean nothing (spec: cockatrice-behaviour 17.6).
        let ids = create.game_type_ids.iter().take(text::LIST_ENTRIES);
        let game_types = ids.copied().filter(|id| *id < types).map(|id| id as i32);
        let description = create.description.as_deref().unwrap_or_default();
        let password = create.password.as_deref().unwrap_or_default();
        Rules {
            room_id: self.room_id(room) as i32,
            description: text::clean(&text::name(description)).into(),
            password: String::from_utf8_lossy(password).into(),
            max_players: create.max_players(),
            game_types: game_types.collect(),
            only_buddies: create.only_buddies(),
            only_registered: create.only_registered() && self.settings.method != Method::Nothing,
            spectators_allowed: create.spectators_allowed(),
            spectators_need_password: create.spectators_need_password(),
            spectators_can_talk: create.spectators_can_talk(),
            spectators_see_everything: create.spectators_see_everything(),
            share_decklists_on_load: create.share_decklists_on_load(),
            starting_life_total: create.starting_life_total.unwrap_or(STARTING_LIFE) as i32,
            record_replays: self.settings.store_replays,
        }
    }

    pub(super) fn game_entered(&mut self, room: u32, entrant: Entrant, command: &[u8]) {
        let who = &entrant.listed;
        let conn = who.conn;
        let Ok(join) = decode::<CommandJoinGame<'_>>(command) else {
            return self.reply_to(conn, Reply::code(ResponseCode::RespInvalidCommand));
        };
        let password = join.password.as_deref().unwrap_or_default();
        let judge = join.join_as_judge();
        let role = match join.spectator() {
            true => Role::Spectator { judge },
            false => Role::Player { judge },
        };
        let game = u32::try_from(join.game_id()).unwrap_or_default();
        let foreign = self
            .rooms
            .get(&room)
            .and_then(|state| state.foreign.get(&game));
        if let Some(shard) = foreign.map(|foreign| foreign.shard) {
            let (who, command) = (entrant, Bytes::copy_from_slice(command));
            return self.tell_game(shard, game, ToGame::Enter { room, who, command });
        }
        let lists = self.tables.get(&game).map(|table| &table.lists);
        let applicant = Applicant {
            name: &who.name,
            level: who.level.bits(),
            registered: who.level.is_registered(),
            is_buddy: lists.is_some_and(|lists| lists.has_buddy(&who.name)),
            is_ignored: lists.is_some_and(|lists| lists.ignores(&who.name)),
            password,
            override_restrictions: join.override_restrictions(),
            role,
        };
        let table = self
            .tables
            .get_mut(&game)
            .filter(|table| table.room == room && !table.closing);
        let verdict = match &table {
            _ if password.len() > text::PASSWORD_BYTES => Err(ResponseCode::RespWrongPassword),
            None => Err(ResponseCode::RespNameNotFound),
            Some(table) => table.game.may_join(&applicant),
        };
        let Some(table) = table.filter(|_| verdict.is_ok()) else {
            let code = verdict.err().unwrap_or(ResponseCode::RespNameNotFound);
            return self.reply_to(conn, Reply::code(code));
        };
        let mut out = Out::default();
        let id = table.game.join(person(&entrant), role, &mut out);
        table.seats.insert(id, Seat::of(conn));
        // The newcomer is among those who hear of a host that has changed, and of the game's record in its room.
        self.deliver(game, out);
        self.admit(game, id, conn);
    }

    /// Tells a participant that they are one: the answer, and what the game looks like to them.
    fn admit(&mut self, game: u32, id: ParticipantId, conn: ConnId) {
        let Some(table) = self.tables.get(&game) else {
            return;
        };
        let joined = table.game.joined(id, false, Vec::new());
        let snapshot = table.game.snapshot_for(id);
        let reply = Reply {
            after: joined.into_iter().chain(snapshot).collect(),
            ..Reply::code(ResponseCode::RespOk)
        };
        let entered = ToSession::Entered(game, table.taking(id, self.shard));
        self.post.session(conn, entered);
        self.reply_to(conn, reply);
    }
}

/// Somebody as a game knows them.
pub(super) fn person(who: &Entrant) -> Person {
    let user = &who.listed;
    Person {
        name: user.name.clone(),
        level: user.level.bits(),
        registered: user.level.is_registered(),
        profile: who.profile.clone(),
        public: user.public.clone(),
    }
}

/// What a command says to everybody in the game.
pub(super) fn text_said<'a>(command: &'a GameCommand<'_>) -> Option<&'a [u8]> {
    match &command.body {
        Some(GameCommandBody::GameSay(say)) => Some(say.message.as_deref().unwrap_or_default()),
        _ => None,
    }
}

/// The stored deck that a command asks for.
fn stored_deck(command: &GameCommand<'_>) -> Option<i32> {
    match &command.body {
        Some(GameCommandBody::DeckSelect(select)) => select.deck_id,
        _ => None,
    }
}

/// What a judge's command has somebody do.
fn forced_by<'a>(command: &'a GameCommand<'a>) -> &'a [GameCommand<'a>] {
    match &command.body {
        Some(GameCommandBody::Judge(judge)) => &judge.game_command,
        _ => &[],
    }
}
