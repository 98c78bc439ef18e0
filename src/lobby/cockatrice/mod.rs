//! The Cockatrice lobby (spec: cockatrice-wire, cockatrice-behaviour): one value of [`Cockatrice`] is the state of one shard.
//!
//! | file | concept |
//! |---|---|
//! | `session` | a connection: how it begins, how long it may be silent, how it ends |
//! | `containers` | what a client sends: reading it, the order of its commands, the one answer |
//! | `login`, `claiming`, `registry`, `desk` | signing in; the claim to a name; who has which; who may connect |
//! | `directory`, `users` | everybody's picture of who is there; lists of users, private messages |
//! | `room_list`, `rooms` | which rooms there are; a room: its members, what they say |
//! | `game_entry`, `games`, `forced` | creating and joining games; a game's place in its room, and the way to its participants; what judges make them do |
//! | `protocol` | what goes out, and how long messages are looked at |
//! | `recording` | replays, and what is left of a game that is over |
//! | `log` | what was said, and how busy the server is, for the store |
//! | `office` | signing in with an account, and the commands that the store answers |
//! | `operator` | what an operator sees of it, and has it do |
//! | `shutdown`, `event` | the end of the server, as administrators announce it |
//! | `stopping` | what becomes of games when the process ends |
//! | [`account`], [`questions`] | what is known of an account; what the back office is asked |
//! | `waiting` | what answers of the back office are waited for with |
//! | `kept` | what goes on in another process |
//! | `state` | what a shard knows: plain data, of which the roles above are the life |
//! | `nodes`, `moving` | what becomes of everything when other nodes come and go; rooms that move |
//! | `mail`, `post`, `topology` | what roles tell each other, how it gets there, and which shard has what |
//! | `settings`, `metrics`, `registration` | configuration and limits; what is counted; its listeners |
//! | `news`, `renewal` | what every shard is told unasked; another configuration while people are here |
//!
//! Who is where: a connection on the shard it landed on; a name at its home; a room on one shard; a game on one of its creator's
//! node; the picture of users and rooms on every shard. Each hands the others mail, and does not know whether they are on its own shard.
//!
//! Invariants: what several clients are told is put together once. What members of a room can see of each other has passed
//! that room's shard, one thing after the other. Nothing of a connection is handled while it waits for another role.

pub mod account;
mod claiming;
mod containers;
mod desk;
mod directory;
mod event;
mod forced;
mod game_entry;
mod games;
mod kept;
mod log;
mod login;
mod mail;
mod metrics;
mod moving;
pub mod news;
mod nodes;
mod office;
mod operator;
mod post;
mod protocol;
pub mod questions;
mod recording;
mod registration;
mod registry;
mod renewal;
mod room_list;
mod rooms;
mod session;
mod settings;
mod shutdown;
mod state;
mod stopping;
#[cfg(test)]
mod tests;
mod topology;
mod users;
mod waiting;

use std::{
    collections::{BTreeMap, BTreeSet},
    rc::Rc,
    sync::Arc,
    time::Duration,
};

use serde::{Deserialize, Serialize};

pub use event::Event;
pub use mail::Mail;
pub use metrics::Metrics;
pub use room_list::RoomSettings;
pub use settings::{ListenerSettings, LobbySettings, Method, Settings};

use self::{
    mail::{Caused, Delivery, Item, ToSession},
    news::News,
    post::Post,
    questions::LogLine,
    state::{
        desk::Desk,
        directory::{Directory, room_of},
        registry::{Moving, Registry},
        room::{Gathering, Room},
        session::Session,
        shutdown::Shutdown,
        table::Table,
    },
    topology::Topology,
    waiting::Waiting,
};
use super::{
    ConnId, Dialect, Origin, ShardId, Source, Stopping, Ticket, Turn,
    map::IdMap,
    operator::{Done, Farewell, Found, Order, Query, Standing},
    question::{Pending, StoreFailure},
};

/// A turn of this dialect.
type CockatriceTurn<'a> = Turn<'a, Cockatrice>;

/// The Cockatrice lobby on one shard.
#[derive(Debug)]
pub struct Cockatrice {
    settings: Arc<Settings>,
    room_settings: Rc<[RoomSettings]>,
    shard: ShardId,
    topology: Topology,
    /// Connections of this shard.
    sessions: IdMap<ConnId, Session>,
    /// Ticks since the start.
    ticks: u64,
    /// When the next one is due.
    next_tick: Duration,
    /// Sessions that have begun here, and games.
    sessions_begun: u64,
    games_begun: u32,
    directory: Directory,
    /// Used on one shard only.
    desk: Desk,
    /// Names whose home is here.
    registry: Registry,
    /// Rooms that live here.
    rooms: BTreeMap<u32, Room>,
    /// Their games.
    tables: BTreeMap<u32, Table>,
    /// The process is to end: no game begins.
    draining: bool,
    /// It ends: no game goes on.
    ending: bool,
    /// What an operator has ordered that holds on.
    standing: Standing,
    /// The time of the present input, by the clock for people, and by the one that never jumps.
    unix: Duration,
    mono: Duration,
    /// The shard that the present input is from; this one, if it is no mail.
    from: ShardId,
    /// Steps that somebody has waited with.
    steps: u64,
    /// Names granted here.
    grants: u64,
    /// Homes of names that have moved here: not everything is known of them.
    moving: Option<Moving>,
    /// Rooms of which not everybody has said who is in them.
    gathering: BTreeMap<u32, Gathering>,
    /// What waits for rooms, and for what other shards know already.
    parked: Vec<Caused>,
    /// Shards that have not named their users since the lanes to them began.
    unseen: BTreeSet<ShardId>,
    /// A timer for claims is set.
    claims_armed: bool,
    /// There may be somebody of a node that can't be reached; and since when that is so of each.
    is_disturbed: bool,
    away: BTreeMap<u8, Duration>,
    /// The end that an administrator has announced.
    shutdown: Option<Shutdown>,
    /// What was said on this node since the last tick, where that is written down.
    log: Vec<LogLine>,
    /// When the store is told next how busy it is here.
    next_status: Duration,
    /// What answers of the back office are waited for with.
    pending: Pending<Waiting>,
    /// What this input has caused.
    post: Post,
    metrics: Arc<Metrics>,
}

/// What a timer was set for.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub enum Timer {
    /// Connections, rooms and games are looked at.
    Tick,
    /// Claims are made again that could not be answered.
    Claims,
    /// Rooms that have moved have waited long enough.
    Rooms,
}

impl Cockatrice {
    /// The state of shard `shard` of `shards`.
    ///
    /// # Panics
    /// The settings describe no rooms; whoever reads them checks that.
    pub fn new(shard: ShardId, shards: u16, settings: Arc<Settings>) -> Self {
        let rooms = settings.room_list();
        let room_settings: Rc<[RoomSettings]> = rooms.expect("checked when it was read").into();
        let topology = Topology::new(shard.node(), shards, room_settings.len());
        let numbers = 0..room_settings.len() as u32;
        let here = numbers.filter(|&room| topology.room(room) == shard);
        Cockatrice {
            rooms: here
                .map(|room| (room, new_room(&room_settings, room)))
                .collect(),
            directory: Directory::of_rooms(room_settings.len()),
            settings,
            room_settings,
            shard,
            topology,
            sessions: IdMap::default(),
            ticks: 0,
            next_tick: Duration::ZERO,
            sessions_begun: 0,
            games_begun: 0,
            desk: Desk::default(),
            registry: Registry::default(),
            tables: BTreeMap::new(),
            draining: false,
            ending: false,
            standing: Standing::default(),
            unix: Duration::ZERO,
            mono: Duration::ZERO,
            from: shard,
            steps: 0,
            grants: 0,
            moving: None,
            gathering: BTreeMap::new(),
            parked: Vec::new(),
            unseen: BTreeSet::new(),
            claims_armed: false,
            is_disturbed: false,
            away: BTreeMap::new(),
            shutdown: None,
            log: Vec::new(),
            next_status: Duration::ZERO,
            pending: Pending::default(),
            post: Post::new(shard),
            metrics: Arc::default(),
        }
    }

    /// From now on this shard counts there.
    pub fn reporting_to(mut self, metrics: Arc<Metrics>) -> Self {
        self.metrics = metrics;
        self
    }

    /// Handles an input, then what it has caused here, and sends what it has caused elsewhere.
    fn input<'a>(
        &mut self,
        turn: &mut CockatriceTurn<'a>,
        handle: impl FnOnce(&mut Self, &mut CockatriceTurn<'a>),
    ) {
        (self.unix, self.mono) = (turn.now.unix, turn.now.mono);
        self.from = self.shard;
        self.post.begin(0);
        handle(self, turn);
        while let Some(caused) = self.post.next() {
            self.item(turn, caused.item);
        }
        self.post.send(turn, &mut self.pending, &self.topology);
    }

    /// What is caused from now on belongs to a step of its own, with which somebody may wait.
    fn begin_step(&mut self) {
        self.steps += 1;
        self.post.begin(self.steps);
    }

    /// Does what another shard has sent.
    fn letter(&mut self, turn: &mut CockatriceTurn<'_>, mail: Mail) {
        for Caused { step, item } in mail {
            self.post.begin(step);
            match item {
                Item::Piece { bytes, is_last } => {
                    let whole = self.post.piece(self.from, &bytes, is_last);
                    for Caused { step, item } in whole.into_iter().flatten() {
                        self.post.begin(step);
                        self.item(turn, item);
                    }
                }
                item => self.item(turn, item),
            }
        }
    }

    fn item(&mut self, turn: &mut CockatriceTurn<'_>, item: Item) {
        match item {
            Item::Desk(message) => self.at_desk(message),
            Item::Registry(message) => self.at_home(message),
            Item::Directory(change) => self.in_directory(turn, change),
            Item::Departed(path, gone) => self.departed(path, gone),
            Item::Room(room, era, message) => self.for_room(room, era, message),
            Item::Game(game, message) => self.in_game(turn, game, message),
            Item::Where(conn, game) => self.asked_where(conn, game),
            Item::Begin(new) => self.number_game(*new),
            Item::Session(conn, message) => self.in_session(turn, conn, message),
            Item::Shutdown {
                reason,
                minutes,
                left,
            } => self.shutdown_ordered(turn, reason, minutes, turn.now.mono + left),
            Item::Log(line) => self.log_line(*line),
            Item::WriteLog(conn) => self.write_log_for(conn),
            Item::Eject(eject) => self.ejected(turn, &eject),
            Item::Show(delivery) => self.show(turn, delivery),
            Item::Piece { .. } => {} // a letter of pieces is one letter
        }
    }

    /// Whether a connection still waits for what comes of the present step.
    fn is_awaited(&self, conn: ConnId) -> bool {
        let step = self.post.step();
        let session = self.sessions.get(&conn);
        let work = session.and_then(|session| session.work.as_ref());
        step == 0 || work.is_some_and(|work| work.wait.step == step)
    }

    fn in_session(&mut self, turn: &mut CockatriceTurn<'_>, conn: ConnId, message: ToSession) {
        let answers = matches!(
            message,
            ToSession::Reply(_)
                | ToSession::GamesOf(..)
                | ToSession::GameIn(_)
                | ToSession::Agreed(_)
        );
        if answers && !self.is_awaited(conn) {
            return self.metrics.late_answers.up();
        }
        match message {
            ToSession::Admitted(refused) => self.admitted(turn, conn, refused),
            // Of another era: it has been claimed anew since, or will be, and the home knows of no such grant then.
            ToSession::Granted(.., era) if era != self.topology.era() => {}
            ToSession::Granted(name, games, epoch, _) => {
                self.granted(turn, conn, name, games, epoch);
            }
            ToSession::ClaimLater(era) => self.claim_later(turn, conn, era),
            ToSession::Evicted => self.evicted(turn, conn),
            ToSession::Reply(reply) => self.reply(turn, conn, reply),
            ToSession::GamesOf(room, games) => self.games_told(turn, conn, room, games),
            ToSession::GameIn(room) => self.told_where(turn, conn, room),
            ToSession::Look { asker, name, staff } => {
                self.looked_at(conn, asker, &name, staff);
            }
            ToSession::May {
                asker,
                name,
                exempt,
            } => self.may(conn, asker, &name, exempt),
            ToSession::Agreed(account) => self.has_agreed(turn, conn, account),
            ToSession::Entered(game, taking) => self.entered_game(conn, game, taking),
            ToSession::Forced(asked) => self.forced(conn, *asked),
            ToSession::Removed(game) => {
                if let Some(session) = self.sessions.get_mut(&conn) {
                    session.games.remove(&game);
                }
            }
            ToSession::Dismissed(farewell) => self.operator_evicts(turn, conn, &farewell),
            ToSession::StillIn(game, shard) => self.is_still_seated(conn, game, shard),
        }
    }

    fn tick(&mut self, turn: &mut CockatriceTurn<'_>) {
        self.ticks += 1;
        self.tick_sessions(turn);
        self.tick_games();
        self.tick_log(turn.now.mono);
        self.tick_rooms();
        self.tick_shutdown(turn);
        self.tick_waits(turn);
        self.tick_away(turn);
        self.show_counts();
        // In steps, however late this one is; those that were missed are not made up for.
        self.next_tick = (self.next_tick + self.settings.tick).max(turn.now.mono);
        turn.wake_at(self.next_tick, Timer::Tick);
    }

    /// Shows how many there are here of everything.
    fn show_counts(&self) {
        let sessions = self.sessions.values();
        let users = sessions.filter(|session| session.user.is_some()).count();
        let there = self.tables.values().filter(|table| !table.closing);
        let (running, open): (Vec<_>, Vec<_>) = there.partition(|table| table.game.is_started());
        self.metrics.players.set(users as f64);
        self.metrics.rooms.set(self.rooms.len() as f64);
        self.metrics.games_open.set(open.len() as f64);
        self.metrics.games_running.set(running.len() as f64);
    }

    /// Does something for clients of this shard.
    fn show(&self, turn: &mut CockatriceTurn<'_>, delivery: Delivery) {
        match delivery {
            Delivery::Send(conn, message) => turn.send(conn, message),
            Delivery::SendEach(conns, message) => {
                for conn in conns {
                    turn.send(conn, message.clone());
                }
            }
            Delivery::SendAll(message) => {
                let sessions = self.sessions.iter();
                let users = sessions.filter(|(_, session)| session.user.is_some());
                let mut conns: Vec<ConnId> = users.map(|(&conn, _)| conn).collect();
                conns.sort_unstable();
                for conn in conns {
                    turn.send(conn, message.clone());
                }
            }
            Delivery::Spread(topic, message) => {
                turn.fan_out(super::Audience::Topic(topic), message);
            }
            Delivery::Enter(conn, topic) => {
                if self.may_be_inside(conn, topic) {
                    turn.enter(conn, topic);
                }
            }
            Delivery::Leave(conn, topic) => {
                if self.may_be_outside(conn, topic) {
                    turn.leave(conn, topic);
                }
            }
        }
    }

    /// Whether a connection is in the room of a topic, as far as it knows itself; alone, what the room says is so. Where a room was
    /// before may say it late.
    fn may_be_inside(&self, conn: ConnId, topic: crate::Topic) -> bool {
        !self.topology.is_clustered() || self.is_member(conn, topic)
    }

    /// The same, of one that is not.
    fn may_be_outside(&self, conn: ConnId, topic: crate::Topic) -> bool {
        !self.topology.is_clustered() || !self.is_member(conn, topic)
    }

    fn is_member(&self, conn: ConnId, topic: crate::Topic) -> bool {
        let session = self.sessions.get(&conn);
        let room = room_of(topic);
        session.is_some_and(|session| room.is_some_and(|room| session.rooms.contains(&room)))
    }

    /// Says the same to all connections that have begun to talk.
    fn say_to_all(&self, turn: &mut CockatriceTurn<'_>, message: &bytes::Bytes) {
        let sessions = self.sessions.iter();
        let greeted = sessions.filter(|(_, session)| session.greeted);
        let mut conns: Vec<ConnId> = greeted.map(|(&conn, _)| conn).collect();
        conns.sort_unstable();
        for conn in conns {
            turn.send(conn, message.clone());
        }
    }
}

fn new_room(described: &[RoomSettings], room: u32) -> Room {
    let described = described.get(room as usize);
    Room::new(described.map_or(0, |described| described.history))
}

impl Dialect for Cockatrice {
    type Mail = Mail;
    type Ask = questions::Ask;
    type Answer = questions::Answer;
    type Event = Event;
    type Notice = News;
    type Timer = Timer;

    fn on_start(&mut self, turn: &mut CockatriceTurn<'_>) {
        self.next_tick = turn.now.mono + self.settings.tick;
        turn.wake_at(self.next_tick, Timer::Tick);
    }

    fn on_open(&mut self, turn: &mut CockatriceTurn<'_>, conn: ConnId, origin: Origin) {
        self.input(turn, |lobby, turn| lobby.opened(turn, conn, origin));
    }

    fn on_frame(&mut self, turn: &mut CockatriceTurn<'_>, conn: ConnId, body: &mut [u8]) {
        self.input(turn, |lobby, turn| lobby.frame(turn, conn, body));
    }

    fn on_close(&mut self, turn: &mut CockatriceTurn<'_>, conn: ConnId) {
        self.input(turn, |lobby, _| lobby.depart(conn));
    }

    fn on_mail(&mut self, turn: &mut CockatriceTurn<'_>, from: ShardId, mail: Mail) {
        self.input(turn, |lobby, turn| {
            lobby.from = from;
            lobby.letter(turn, mail);
        });
    }

    fn on_standing(&mut self, turn: &mut CockatriceTurn<'_>, standing: &cluster::Standing) {
        self.input(turn, |lobby, turn| lobby.standing_changed(turn, standing));
    }

    fn on_lane_broken(&mut self, turn: &mut CockatriceTurn<'_>, node: u8) {
        self.input(turn, |lobby, turn| lobby.lane_broken(turn, node));
    }

    fn on_answer(
        &mut self,
        turn: &mut CockatriceTurn<'_>,
        ticket: Ticket,
        answer: questions::Answer,
    ) {
        if let Some(waiting) = self.pending.take(ticket) {
            self.input(turn, |lobby, turn| waiting.resume(lobby, turn, answer));
        }
    }

    fn on_notice(&mut self, turn: &mut CockatriceTurn<'_>, news: News) {
        match news {
            News::Settings(settings) => self.input(turn, |lobby, _| lobby.configured(&settings)),
        }
    }

    fn on_timer(&mut self, turn: &mut CockatriceTurn<'_>, timer: Timer) {
        match timer {
            Timer::Tick => self.input(turn, |lobby, turn| lobby.tick(turn)),
            Timer::Claims => self.input(turn, |lobby, _| lobby.claims_due()),
            Timer::Rooms => self.input(turn, |lobby, _| lobby.rooms_due()),
        }
    }

    fn on_stopping(&mut self, turn: &mut CockatriceTurn<'_>, step: Stopping) {
        self.stops(turn, step);
    }

    fn is_drained(&self) -> bool {
        self.is_without_games()
    }

    fn has_last_words(&self) -> bool {
        !self.has_stored_games()
    }

    fn is_caught_up(&self) -> bool {
        self.unseen.is_empty() && self.gathering.is_empty()
    }

    fn on_query(&mut self, turn: &mut CockatriceTurn<'_>, query: &Query) -> Found {
        self.queried(turn.now, query)
    }

    fn on_order(&mut self, turn: &mut CockatriceTurn<'_>, order: &Order) -> Done {
        self.ordered(turn, &order.act)
    }

    fn on_evict(&mut self, turn: &mut CockatriceTurn<'_>, conn: ConnId, farewell: &Farewell) {
        self.input(turn, |lobby, turn| {
            lobby.operator_evicts(turn, conn, farewell)
        });
    }

    fn name_of(&self, conn: ConnId) -> Option<String> {
        let user = self.sessions.get(&conn)?.user.as_ref()?;
        Some(user.name.to_string())
    }

    fn refuse(ask: questions::Ask) -> questions::Answer {
        ask.failed(StoreFailure::Unavailable)
    }

    fn metrics(&self) -> Vec<&dyn Source> {
        vec![&*self.metrics]
    }
}
