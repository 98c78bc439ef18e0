//! The FAF lobby: one value of [`Faf`] is the state of one shard.
//!
//! A shard has five roles, each with its own state and folder. They know one another only by mail (`mail`), and it makes no
//! difference whether the receiver is on the same shard. This file only wires: it hands each input to its role.
//!
//! | role | has | lives |
//! |---|---|---|
//! | `session` | connections, the players on them, and their side of everything | on the shard of the connection |
//! | `registry` | which connection is a player | on the player's home shard |
//! | `game` | games, and what of them must be written down | on the host's shard |
//! | `coordinator` | parties, queues, searches, matches | on one shard |
//! | `directory` | what everybody may see, and the ticks by which it follows | on every shard, a replica |
//!
//! | below the roles, each knowing only those before it | |
//! |---|---|
//! | `model` | what the lobby speaks of: plain data, limits |
//! | `rules` | the rules, pure: a game's end, ratings, who sees what, who plays against whom and where |
//! | `questions`, `ledger`, `news` | what the back office is asked, what it writes down, what it tells unasked |
//! | `protocol` | how what comes in is read; what goes out, with its names on the wire |
//! | `mail`, `topology`, `context` | what roles say to each other; which shard has what; what a role has in hand in a turn |
//!
//! `kept` says what of all roles goes on in another process, `consistency` what must hold of all shards together.
//!
//! A message of a client, `game_join` say: `session::dispatch` finds its handler, `Sessions::game_join`, which gets it as it is
//! read in `protocol::incoming`, a `GameJoin`. That asks the back office (`questions::Join`) and goes on with the answer
//! (`Joining` in the same file), which mails `GameMail::Join` to the game's owner; `Games::join_wanted` decides, and its
//! `SessionMail::JoinAnswer` ends in `Sessions::join_answered`.
//!
//! Invariants: state of another role is reached by mail only. Every piece of mail names what it is about by something never
//! reused, so that late mail finds nothing. Mail to a role of the same shard is handled within the turn, right after the
//! method that has sent it, and its effects stand where it was sent (`context`).

pub mod consistency;
mod context;
mod coordinator;
mod directory;
mod game;
mod kept;
pub mod ledger;
mod mail;
pub mod metrics;
mod model;
pub mod news;
mod protocol;
pub mod questions;
mod registration;
mod registry;
pub mod roster;
mod rules;
mod session;
mod settings;
mod topology;

use std::sync::Arc;

pub use self::{
    context::Timer,
    mail::Mail,
    metrics::Metrics,
    model::{game::GameType, ratings, reference, time::iso8601},
    protocol::events,
    rules::{achievements, matcher, matchmaking, rated_game, results, validity},
    settings::{ListenerSettings, LobbySettings, Settings},
};
use self::{
    context::{Context, RoleTurn, Words},
    coordinator::Coordinator,
    directory::{Directory, Hand},
    game::games::Games,
    mail::{StopMail, directory::Changes},
    metrics::{Clients, GameLabels},
    news::News,
    questions::{Answer, Ask},
    reference::Reference,
    registry::Registry,
    session::sessions::Sessions,
    topology::Topology,
};
use super::{
    ConnId, Dialect, Effect, Effects, Event, Origin, ShardId, Source, Standing, Stopping, Ticket,
    Turn,
    operator::{Act, Done, Farewell, Found, Order, Query, Subject, Totals},
    question::StoreFailure,
};
use wire::json::JsonReader;

/// The FAF lobby on one shard.
#[derive(Debug)]
pub struct Faf {
    shard: ShardId,
    /// `None` only while a frame is being read.
    reader: Option<Box<JsonReader>>,
    roles: Roles,
    /// Empty between two inputs; kept for its room.
    waiting: Waiting,
}

/// The roles of one shard, and what all of them share.
#[derive(Debug)]
struct Roles {
    topology: Topology,
    settings: Arc<Settings>,
    /// Empty until the back office has told it.
    reference: Arc<Reference>,
    /// Whether the back office has told the reference data.
    initialised: bool,
    draining: bool,
    /// Nobody new may sign in.
    lame_duck: bool,
    clients: Clients,
    metrics: Arc<Metrics>,
    sessions: Sessions,
    registry: Registry,
    games: Games,
    /// Empty on all shards but one.
    coordinator: Coordinator,
    directory: Directory,
}

/// What a role's method has said since it sent mail to this shard, and what methods before it have said after theirs.
#[derive(Debug, Default)]
struct Waiting {
    said: Vec<Effect<Words>>,
    /// The next one last.
    later: Vec<Effect<Words>>,
}

/// Takes what a role's method says: out at once, until it has sent mail to its own shard.
struct Outbox<'a, 'b> {
    here: ShardId,
    said: &'a mut Vec<Effect<Words>>,
    out: &'a mut (dyn Effects<Faf> + 'b),
}

impl Effects<Words> for Outbox<'_, '_> {
    fn push(&mut self, effect: Effect<Words>) {
        let is_local = matches!(&effect, Effect::Mail(to, _) if *to == self.here);
        if is_local || !self.said.is_empty() {
            self.said.push(effect);
        } else {
            self.out.push(of_faf(effect));
        }
    }
}

fn of_faf(effect: Effect<Words>) -> Effect<Faf> {
    effect.map(|mail| mail, |ask| ask, |event| event, |timer| timer)
}

/// What a role has in hand, from the parts of [`Roles`] that are not its own.
macro_rules! context {
    ($roles:ident, $turn:ident) => {
        Context {
            turn: $turn,
            topology: &$roles.topology,
            settings: &$roles.settings,
            reference: &$roles.reference,
            initialised: $roles.initialised,
            draining: $roles.draining,
            lame_duck: $roles.lame_duck,
            directory: &$roles.directory.picture,
            clients: &mut $roles.clients,
            metrics: &$roles.metrics,
        }
    };
}

/// What the directory has in hand.
macro_rules! hand {
    ($roles:ident, $turn:ident) => {
        Hand {
            turn: $turn,
            topology: &$roles.topology,
            settings: &$roles.settings,
            metrics: &$roles.metrics,
        }
    };
}

/// The same turn in the hands of a role of the shard `here`.
macro_rules! role_turn {
    ($turn:ident, $here:ident, $said:ident) => {
        RoleTurn {
            shard: $turn.shard,
            shards: $turn.shards,
            now: $turn.now,
            rng: $turn.rng,
            next_ticket: $turn.next_ticket,
            effects: &mut Outbox {
                here: $here,
                said: $said,
                out: $turn.effects,
            },
        }
    };
}

// After what it uses of this file.
mod standing;

impl Faf {
    /// The state of shard `shard` of `shards`.
    pub fn new(shard: ShardId, shards: u16, settings: Arc<Settings>) -> Self {
        let topology = Topology::alone(shard.node(), shards);
        Faf {
            shard,
            reader: None,
            roles: Roles {
                settings,
                reference: Arc::default(),
                initialised: false,
                draining: false,
                lame_duck: false,
                clients: Clients::default(),
                metrics: Arc::default(),
                sessions: Sessions::default(),
                registry: Registry::default(),
                games: Games::default(),
                coordinator: if topology.coordinates(shard).is_some() {
                    Coordinator::alone()
                } else {
                    Coordinator::default()
                },
                directory: Directory::new(&topology),
                topology,
            },
            waiting: Waiting::default(),
        }
    }

    /// From now on this shard counts there.
    pub fn reporting_to(mut self, metrics: Arc<Metrics>) -> Self {
        self.roles.metrics = metrics;
        self
    }

    /// How many connections are logged in here, and how many games are here.
    pub fn population(&self) -> (usize, usize) {
        (self.roles.sessions.online(), self.roles.games.count())
    }

    /// One step of an input: `act` hands it to a role; then what the roles of this shard have mailed to each other by that is
    /// handled, and everything is carried out in the order in which it would have been if each piece of mail to the same
    /// shard were a call of its receiver.
    fn step(
        &mut self,
        turn: &mut Turn<'_, Faf>,
        act: impl for<'a> FnOnce(&'a mut Roles, RoleTurn<'a>),
    ) {
        let Faf {
            shard: here,
            roles,
            waiting: Waiting { said, later },
            ..
        } = self;
        let here = *here;
        // What a turn that has panicked left behind goes with it: it is nobody else's.
        said.clear();
        later.clear();
        act(roles, role_turn!(turn, here, said));
        if said.is_empty() {
            return; // nearly always
        }
        loop {
            later.extend(said.drain(..).rev());
            match later.pop() {
                None => break,
                Some(Effect::Mail(to, mail)) if to == here => {
                    roles.mail(role_turn!(turn, here, said), here, mail);
                }
                Some(effect) => turn.effects.push(of_faf(effect)),
            }
        }
    }

    fn frame(&mut self, turn: &mut Turn<'_, Faf>, conn: ConnId, body: &mut [u8]) {
        // The document borrows its reader, and handing it on needs all of `self`: the reader steps out for the frame.
        let mut reader = self.reader.take().unwrap_or_default();
        self.step(turn, |roles, turn| {
            let cx = &mut context!(roles, turn);
            roles.sessions.frame(cx, conn, &mut reader, body);
        });
        self.reader = Some(reader);
    }

    /// The tick of this number: every role says what has changed with it.
    fn tick(&mut self, turn: &mut Turn<'_, Faf>, number: u64) {
        self.step(turn, |roles, mut turn| {
            let interval = roles.settings.tick;
            roles.directory.schedule_tick(&mut turn, interval, number);
            roles.show_metrics();
            roles.directory.tick_begins(&mut turn);
        });
        self.step(turn, |roles, turn| {
            let cx = &mut context!(roles, turn);
            roles.games.show_quiet(cx);
        });
        self.step(turn, |roles, turn| {
            let tuning = &roles.settings.matchmaking.tuning;
            let is_ending = roles.draining && !roles.topology.is_clustered();
            let queues = (!is_ending)
                .then(|| roles.coordinator.changed_queues(turn.now, tuning))
                .flatten();
            let changes = Changes {
                tick: number,
                players: roles.sessions.changes(&roles.directory.picture),
                games: roles.games.changes(turn.now.mono, &roles.metrics),
                queues,
                continues: false,
            };
            let later = roles.games.told_later();
            let hand = &mut hand!(roles, turn);
            roles.directory.tick_ends(hand, changes, later);
        });
    }

    fn news(&mut self, turn: &mut Turn<'_, Faf>, news: News) {
        let renews = matches!(news, News::Reference(_));
        self.step(turn, |roles, turn| roles.news(turn, news));
        if renews && self.is_coordinator() {
            self.step(turn, |roles, turn| {
                let cx = &mut context!(roles, turn);
                if !cx.is_ending() {
                    roles.coordinator.queues_came(cx);
                }
            });
        }
    }

    fn is_coordinator(&self) -> bool {
        self.roles.topology.coordinates(self.shard).is_some()
    }

    /// No new games; everybody is told; then searches end, and games that have not begun (spec: faf-lifecycle 14): the
    /// coordinator sees to that when all shards have told their players.
    fn drain(&mut self, turn: &mut Turn<'_, Faf>) {
        if std::mem::replace(&mut self.roles.draining, true) {
            return;
        }
        self.step(turn, |roles, turn| {
            roles.sessions.announce_end(&mut context!(roles, turn));
        });
        if self.roles.settings.shutdown_kick_idle {
            self.step(turn, |roles, turn| {
                roles.sessions.kick_idle_later(&mut context!(roles, turn));
            });
        }
    }

    /// Players are about to go: what becomes of games by that is no news any more (spec: faf-lifecycle 14).
    fn close_books(&mut self, turn: &mut Turn<'_, Faf>) {
        self.step(turn, |roles, turn| {
            roles.games.lobbies_closed = true; // with everybody's connections
            roles.games.keep_books(&mut context!(roles, turn));
        });
        // What other shards have said of the running tick is still told (spec: faf-lifecycle 14, item 2).
        self.step(turn, |roles, mut turn| roles.directory.broadcast(&mut turn));
    }

    /// Good-bye (spec: faf-lifecycle 14).
    fn shut_down(&mut self, turn: &mut Turn<'_, Faf>) {
        self.close_books(turn);
        self.step(turn, |roles, turn| {
            roles.sessions.say_goodbye(&mut context!(roles, turn));
        });
    }
}

impl Roles {
    fn mail<'a>(&'a mut self, turn: RoleTurn<'a>, from: ShardId, mail: Mail) {
        match mail {
            Mail::Session(mail) => self.sessions.mail(&mut context!(self, turn), from, mail),
            Mail::Registry(mail) => self.registry.mail(&mut context!(self, turn), from, mail),
            Mail::Game(mail) => self.games.mail(&mut context!(self, turn), from, mail),
            Mail::Coordinator(term, mail) => {
                let cx = &mut context!(self, turn);
                self.coordinator.mail(cx, from, term, mail);
            }
            Mail::OfCoordinator(term, mail) => self.coordinator_says(turn, from, term, mail),
            Mail::Heir(mail) => self.heir_mail(turn, from, mail),
            Mail::Stop(StopMail::Told) => self.coordinator.told(&mut context!(self, turn)),
            Mail::Directory(mail) => {
                let mut hand = hand!(self, turn);
                self.directory.mail(&mut hand, from, mail);
                let turn = hand.turn;
                if self.sessions.expects_news() {
                    self.sessions.news_came(&mut context!(self, turn));
                }
            }
        }
    }

    fn timer<'a>(&'a mut self, turn: RoleTurn<'a>, timer: Timer) {
        match timer {
            Timer::TickLate(number) => {
                return self.directory.tick_is_late(&mut hand!(self, turn), number);
            }
            Timer::Lost => return self.directory.give_up_lost(&mut hand!(self, turn)),
            _ => {}
        }
        let cx = &mut context!(self, turn);
        match timer {
            Timer::Tick(_) | Timer::TickLate(_) | Timer::Lost => {}
            Timer::Ping => self.sessions.ping(cx),
            Timer::Logins => self.sessions.logins_timed_out(cx),
            Timer::Claims => self.sessions.claims_late(cx),
            Timer::LinkSetup(seat) => self.sessions.link_timed_out(cx, seat),
            Timer::KickIdle => self.sessions.kick_idle(cx),
            Timer::GameSetup(uid) => self.games.game_timed_out(cx, uid),
            Timer::Ledger(uid) => self.games.retry_records(cx, uid),
            Timer::MatchOpen(uid) => self.games.match_open_timed_out(cx, uid),
            Timer::MatchStart(uid) => self.games.match_start_timed_out(cx, uid),
            Timer::Observers(uid) => self.games.observers_timed_out(cx, uid),
            Timer::Parties => self.coordinator.tell_parties(cx),
            Timer::Pop { queue, wait } => self.coordinator.popped(cx, queue, wait),
            Timer::Violations => self.coordinator.sweep_violations(cx),
            Timer::Awaited(conn) => self.sessions.waited_in_vain(cx, conn),
            Timer::Unreached => self.sessions.unreached(cx),
            Timer::Orphans => self.sessions.orphans_timed_out(cx),
            Timer::LostSeats(node) => self.games.seats_timed_out(cx, node),
            Timer::Shadows => self.games.tell_shadows(cx),
            Timer::TakeOver(node) => self.games.take_over_games_of(cx, node),
            Timer::Tenure(term) => self.coordinator.tenure_timed_out(cx, term),
            Timer::Heir(term) => self.coordinator.tell_heir(cx, term),
            Timer::Searches => self.coordinator.searches_timed_out(cx),
        }
    }

    /// An answer, to whichever role has asked.
    fn answer<'a>(&'a mut self, turn: RoleTurn<'a>, ticket: Ticket, answer: Answer) {
        let cx = &mut context!(self, turn);
        if let Some(waiting) = self.sessions.pending.take(ticket) {
            waiting.resume(&mut self.sessions, cx, answer);
        } else if let Some(waiting) = self.games.pending.take(ticket) {
            waiting.resume(&mut self.games, cx, answer);
        } else if let Some(waiting) = self.coordinator.pending.take(ticket) {
            waiting.resume(&mut self.coordinator, cx, answer);
        }
    }

    fn news<'a>(&'a mut self, turn: RoleTurn<'a>, news: News) {
        match news {
            News::Settings(settings) => self.settings = settings,
            News::Reference(reference) => {
                self.reference = reference;
                self.initialised = true;
                self.sessions.clip_vetoes(&mut context!(self, turn));
            }
            News::Notify { to, body } => {
                self.sessions.notify(&mut context!(self, turn), to, body);
            }
            News::AvatarChanged { player_id } => {
                self.sessions
                    .avatar_changed(&mut context!(self, turn), player_id);
            }
            News::Games(reply) => reply.send(self.games.bodies()),
            News::Players(reply) => reply.send(self.sessions.objects(&self.directory.picture)),
            News::Settled(done) => self.games.settled(&mut context!(self, turn), done),
        }
    }

    fn show_metrics(&self) {
        let games = self
            .games
            .labels()
            .map(|(featured_mod, rating_type, state)| {
                // Names out of tables only: a host may name any mod, and each name is a time series for ever.
                let known = self.reference.featured_mod(featured_mod).is_some();
                GameLabels {
                    featured_mod: known.then_some(featured_mod),
                    rating_type,
                    state,
                }
            });
        let games: Vec<GameLabels<'_>> = games.collect();
        let online = self.sessions.online();
        let backlog = self.games.ledger.backlog();
        self.coordinator.show_searching(&self.metrics);
        self.clients.show(&self.metrics);
        self.metrics.show(online, &games, backlog);
    }
}

impl Dialect for Faf {
    type Mail = Mail;
    type Ask = Ask;
    type Answer = Answer;
    type Event = Event;
    type Notice = News;
    type Timer = Timer;

    fn on_start(&mut self, turn: &mut Turn<'_, Self>) {
        self.reader = Some(Box::default());
        self.step(turn, |roles, mut turn| {
            let interval = roles.settings.tick;
            roles.directory.schedule_tick(&mut turn, interval, 0);
            roles.sessions.schedule_ping(&mut context!(roles, turn));
        });
    }

    fn on_open(&mut self, turn: &mut Turn<'_, Self>, conn: ConnId, origin: Origin) {
        self.step(turn, |roles, turn| {
            let cx = &mut context!(roles, turn);
            roles.sessions.opened(cx, conn, origin);
        });
    }

    fn on_frame(&mut self, turn: &mut Turn<'_, Self>, conn: ConnId, body: &mut [u8]) {
        self.frame(turn, conn, body);
    }

    fn on_close(&mut self, turn: &mut Turn<'_, Self>, conn: ConnId) {
        self.step(turn, |roles, turn| {
            roles.sessions.closed(&mut context!(roles, turn), conn);
        });
    }

    fn on_mail(&mut self, turn: &mut Turn<'_, Self>, from: ShardId, mail: Mail) {
        self.step(turn, |roles, turn| roles.mail(turn, from, mail));
    }

    fn on_answer(&mut self, turn: &mut Turn<'_, Self>, ticket: Ticket, answer: Answer) {
        self.step(turn, |roles, turn| roles.answer(turn, ticket, answer));
    }

    fn on_notice(&mut self, turn: &mut Turn<'_, Self>, news: News) {
        self.news(turn, news);
    }

    fn on_timer(&mut self, turn: &mut Turn<'_, Self>, timer: Timer) {
        match timer {
            Timer::Tick(number) => self.tick(turn, number),
            timer => self.step(turn, |roles, turn| roles.timer(turn, timer)),
        }
    }

    fn on_resync(&mut self, turn: &mut Turn<'_, Self>, conn: ConnId) {
        self.step(turn, |roles, turn| {
            roles.sessions.resync(&mut context!(roles, turn), conn);
        });
    }

    fn is_caught_up(&self) -> bool {
        let topology = &self.roles.topology;
        let is_member = topology.is_in_touch() && !topology.has_begun_outside();
        !topology.is_clustered() || is_member && self.roles.directory.is_complete()
    }

    fn on_standing(&mut self, turn: &mut Turn<'_, Self>, standing: &Standing) {
        self.standing_changed(turn, standing);
    }

    fn on_lane_broken(&mut self, turn: &mut Turn<'_, Self>, node: u8) {
        self.lane_broken(turn, node);
    }

    fn on_stopping(&mut self, turn: &mut Turn<'_, Self>, step: Stopping) {
        match step {
            Stopping::Drain => self.drain(turn),
            Stopping::Evict => self.close_books(turn),
            Stopping::Now => self.shut_down(turn),
        }
    }

    fn is_drained(&self) -> bool {
        self.roles.games.is_drained()
    }

    fn has_handed_over(&self) -> bool {
        let roles = &self.roles;
        roles.coordinator.has_handed_over(&roles.topology)
    }

    fn metrics(&self) -> Vec<&dyn Source> {
        vec![&*self.roles.metrics]
    }

    fn on_query(&mut self, turn: &mut Turn<'_, Self>, query: &Query) -> Found {
        let roles = &self.roles;
        match query.subject {
            Subject::Players => roles.sessions.table.page(query),
            Subject::Games => roles.games.page(query),
            Subject::Queues if self.is_coordinator() => {
                roles.coordinator.matchmaker.page(query, turn.now)
            }
            Subject::Totals => {
                let (players, games) = self.population();
                Totals {
                    players: players as u32,
                    games: games as u32,
                }
                .into()
            }
            Subject::Elsewhere => {
                let own = roles.topology.standing().node;
                roles.directory.page_elsewhere(query, own)
            }
            // They are the coordinator's, and connections the engine's.
            Subject::Queues | Subject::Connections => Found::default(),
        }
    }

    fn on_order(&mut self, turn: &mut Turn<'_, Self>, order: &Order) -> Done {
        if order.act == Act::LameDuck {
            self.roles.lame_duck = true;
            return Done::Of(0);
        }
        let mut done = Done::Lacks;
        self.step(turn, |roles, turn| {
            done = roles
                .sessions
                .ordered(&mut context!(roles, turn), &order.act);
        });
        done
    }

    fn on_evict(&mut self, turn: &mut Turn<'_, Self>, conn: ConnId, farewell: &Farewell) {
        self.step(turn, |roles, turn| {
            roles
                .sessions
                .evicted(&mut context!(roles, turn), conn, farewell);
        });
    }

    fn name_of(&self, conn: ConnId) -> Option<String> {
        let session = self.roles.sessions.table.get(conn)?;
        Some(session.player.as_ref()?.account.login.to_string())
    }

    fn refuse(ask: Ask) -> Answer {
        ask.failed(StoreFailure::Unavailable)
    }
}

#[cfg(test)]
mod tests;
