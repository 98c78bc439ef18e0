//! The FAF lobby: one value of [`Faf`] is the state of one shard.
//!
//! | file | concept |
//! |---|---|
//! | `dispatch` | from a frame to its handler: gate, targets, guards, what a refusal does |
//! | `request`, `message` | what comes in from clients, what goes out to them |
//! | `mail`, `questions`, `events`, `news` | what other shards are told, the back office is asked, the broker is told, the back office tells |
//! | `session`, `players` | a connection, and the player on it |
//! | `reference`, `ratings` | leaderboards, featured and ranked mods; a rating, and where a new one begins |
//! | `login` | credentials → claim at the home shard → the newcomer's messages; the end of a session |
//! | `directory`, `visibility`, `tick` | what everybody sees: encoded, who may see it, the broadcast each second |
//! | `ledger`, `reports` | what must be written down and that it is; what games report while they are played and when they end |
//! | `validity`, `results`, `trueskill`, `rated_game`, `achievements` | the rules about a game's end, pure |
//! | `coordinator`, `parties`, `factions` | what players do together before a game: the one shard it is on, the players' side of it |
//! | `matchmaking`, `matcher` | queues, searches and matches; who plays against whom |
//! | `games`, `options`, `game_info`, `hosting`, `joining`, `gpgnet` | a game; opening one, getting in, what the game process reports |
//! | `avatars`, `catalogue`, `admin` | what a player shows; what they look up; what only some may do |
//! | `metrics`, `roster` | what a shard shows for metrics, and to an operator who asks for everything |
//! | `social`, `stopping`, `text`, `settings` | lists, the orderly end, words, configuration and limits |
//!
//! Invariants: a session is on its connection's shard, a game on its host's, a claim on the player's home shard, parties
//! in the coordinator; state of another shard is reached by mail only. `Faf::post` is mail that may be to oneself, then handled at once. Every
//! piece of mail names what it is about by something never reused, so that late mail finds nothing.

mod coordinator;
mod directory;
mod game;
pub mod ledger;
mod mail;
pub mod metrics;
mod model;
pub mod news;
mod protocol;
pub mod questions;
pub mod roster;
mod rules;
mod session;
mod settings;
mod stopping;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use rand::RngExt;
use serde::{Deserialize, Serialize};

use self::{
    directory::picture::Directory,
    game::state::Game,
    model::seat::Seat,
    protocol::message,
    questions::{Answer, AnyContinuation, Ask},
    reference::Reference,
    session::{
        login,
        table::{Session, Sessions},
    },
};
pub use self::{
    mail::Mail,
    model::{game::GameType, ratings, reference, time::iso8601},
    protocol::events,
    rules::{achievements, matcher, matchmaking, rated_game, results, validity},
    settings::{Counters, Settings},
};
use super::{
    Closing, ConnId, Dialect, Origin, ShardId, Stopping, Ticket, Turn,
    map::IdMap,
    question::{Pending, StoreFailure},
};
use wire::json::JsonReader;

/// A turn of this dialect.
type FafTurn<'a> = Turn<'a, Faf>;

/// The FAF lobby on one shard.
#[derive(Debug)]
pub struct Faf {
    shard: ShardId,
    shards: u16,
    settings: Arc<Settings>,
    /// Empty until the back office has told it.
    reference: Arc<Reference>,
    /// Whether the back office has told the reference data.
    initialised: bool,
    /// `None` only while a frame is being read.
    reader: Option<Box<JsonReader>>,
    sessions: Sessions,
    /// Players whose home this shard is.
    claims: IdMap<u32, ConnId>,
    next_epoch: u64,
    directory: Directory,
    games: IdMap<u32, Box<Game>>,
    logins: login::Logins,
    deadlines: login::LoginDeadlines,
    /// Empty on all shards but one.
    coordinator: coordinator::Coordinator,
    pending: Pending<AnyContinuation>,
    ledger: ledger::Ledger,
    tick: directory::tick::Tick,
    draining: bool,
    metrics_collector: metrics::MetricsCollector,
    /// What has happened here.
    pub counters: Counters,
}

/// What a timer was set for.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub enum Timer {
    /// Broadcast what has changed; the tick's number.
    Tick(u64),
    /// Ping everybody.
    Ping,
    /// Somebody should have logged in.
    Logins,
    /// The player's game should have come up.
    LinkSetup(Seat),
    /// The game should have opened.
    GameSetup(u32),
    /// The game's records may be tried again.
    Ledger(u32),
    /// Send idle players away.
    KickIdle,
    /// Tell the members of parties that have changed.
    Parties,
    /// A matchmaking queue pops.
    Pop {
        /// `matchmaker_queue.id`.
        queue: u32,
        /// Its waits, as opposed to those of an earlier queue with that id.
        wait: u64,
    },
    /// Forget violations that are long ago.
    Violations,
    /// The host of a match should have opened its game.
    MatchOpen(u32),
    /// A match's game should have been launched.
    MatchStart(u32),
}

impl Faf {
    /// The state of shard `shard` of `shards`.
    pub fn new(shard: ShardId, shards: u16, settings: Arc<Settings>) -> Self {
        Faf {
            shard,
            shards: shards.max(1),
            settings,
            reference: Arc::default(),
            initialised: false,
            reader: None,
            sessions: Sessions::default(),
            claims: IdMap::default(),
            next_epoch: 0,
            directory: Directory::default(),
            games: IdMap::default(),
            logins: login::Logins::default(),
            deadlines: login::LoginDeadlines::default(),
            coordinator: coordinator::Coordinator::default(),
            pending: Pending::default(),
            ledger: ledger::Ledger::default(),
            tick: directory::tick::Tick::new(shard.node(), shards.max(1)),
            draining: false,
            metrics_collector: metrics::MetricsCollector::default(),
            counters: Counters::default(),
        }
    }

    /// How many connections are logged in here, and how many games are here.
    pub fn population(&self) -> (usize, usize) {
        (
            self.sessions.players().count(),
            self.games.values().filter(|game| !game.removed).count(),
        )
    }

    /// Where ratings begin.
    fn basis(&self) -> reference::RatingDefaults<'_> {
        reference::RatingDefaults {
            reference: &self.reference,
            start: self.settings.start_rating,
        }
    }

    /// Mail that may be to this shard; then it is handled within this turn.
    fn post(&mut self, turn: &mut FafTurn<'_>, to: ShardId, mail: Mail) {
        if to == self.shard {
            self.deliver(turn, to, mail)
        } else {
            turn.mail(to, mail)
        }
    }

    fn deliver(&mut self, turn: &mut FafTurn<'_>, from: ShardId, mail: Mail) {
        match mail {
            Mail::Claim { player_id, conn } => self.claim(turn, player_id, conn),
            Mail::Unclaim { player_id, conn } => self.unclaim(player_id, conn),
            Mail::Granted {
                player_id,
                conn,
                epoch,
            } => self.granted(turn, player_id, conn, epoch),
            Mail::Evict { player_id, conn } => self.evict(turn, player_id, conn),
            Mail::PlayerHere {
                id,
                conn,
                epoch,
                text,
            } => self.directory.player_here(id, conn, epoch, text),
            Mail::PlayerGone { id, epoch } => self.directory.player_gone(id, epoch),
            Mail::GameHere { uid } => self.directory.game_here(uid, from),
            Mail::Dirty(changes) => self.merge(turn, from, *changes),
            Mail::Join { seat, password } => self.join_wanted(turn, seat, password),
            Mail::JoinAnswer { seat, verdict } => self.join_answered(turn, from, seat, verdict),
            Mail::Restore { seat, login } => self.restore_wanted(turn, seat, login),
            Mail::RestoreAnswer { seat, verdict } => {
                self.restore_answered(turn, from, seat, verdict)
            }
            Mail::FromGame { seat, event } => self.game_event(turn, seat, event),
            Mail::Connected(seat) => self.connected(turn, &seat),
            Mail::LinkEnded(seat) => self.link_ended(turn, &seat),
            Mail::Rated(changes) => self.rated(turn, &changes),
            Mail::SetPlaying(seat) => self.set_playing(turn, &seat),
            Mail::Ice { to, body } => self.ice_arrived(turn, to, body),
            Mail::Reveal {
                to,
                player_id,
                body,
                rule,
            } => self.reveal(turn, to, player_id, body, &rule),
            Mail::MayInvite {
                login_id,
                recipient_id,
                recipient,
            } => self.may_invite(turn, login_id, recipient_id, recipient),
            Mail::MayInviteAnswer {
                login_id,
                recipient_id,
                recipient,
                welcome,
            } => self.may_invite_answered(turn, login_id, recipient_id, recipient, welcome),
            Mail::ToHall { login_id, request } => self.coordinator_asked(turn, login_id, request),
            Mail::HallAnswer { login_id, verdict } => {
                self.coordinator_answered(turn, login_id, verdict)
            }
            Mail::FromHall { login_id, word } => self.coordinator_says(turn, login_id, word),
            Mail::OpenMatch(opening) => self.open_match(turn, *opening),
            Mail::CallToGame {
                login_id,
                uid,
                owner,
                launch,
            } => self.summoned(turn, login_id, uid, owner, &launch),
            Mail::Summoned {
                uid,
                player_id,
                seat,
            } => self.guest_summoned(turn, uid, player_id, seat),
            Mail::MatchOver { match_id, outcome } => self.match_over(turn, match_id, outcome),
            Mail::Tell {
                conn,
                player_id,
                body,
            } => self.tell(turn, conn, player_id, body),
            Mail::TellAll(body) => self.tell_all(turn, body),
            Mail::Dismiss { conn, player_id } => self.dismiss(turn, conn, player_id),
        }
    }

    /// The shard that keeps a player's claim.
    fn home(&self, player_id: u32) -> ShardId {
        // Fibonacci hashing: ids given out in a row spread evenly.
        let mixed = (u64::from(player_id).wrapping_mul(0x9E37_79B9_7F4A_7C15)) >> 32;
        ShardId::new(self.shard.node(), (mixed % u64::from(self.shards)) as u8)
    }
}

impl Dialect for Faf {
    type Mail = Mail;
    type Ask = Ask;
    type Answer = Answer;
    type Event = events::Event;
    type Notice = news::News;
    type Timer = Timer;

    fn on_start(&mut self, turn: &mut FafTurn<'_>) {
        self.reader = Some(Box::default());
        self.schedule_tick(turn);
        self.schedule_ping(turn);
    }

    fn on_open(&mut self, turn: &mut FafTurn<'_>, conn: ConnId, origin: Origin) {
        let client = self.metrics_collector.opened();
        let login_until = turn.now.mono + self.settings.login_timeout;
        self.sessions.insert(Session {
            conn,
            // spec: faf-messages 3.1
            number: turn.rng.random_range(0..=4_294_967_294),
            next_serial: 0,
            address: origin.address,
            login_until,
            old_client: false,
            closing: false,
            state: Default::default(),
            in_coordinator: false,
            client,
            user_agent: None,
            claiming: None,
            player: None,
            link: None,
        });
        self.await_login(turn, conn, login_until);
    }

    fn on_frame(&mut self, turn: &mut FafTurn<'_>, conn: ConnId, body: &mut [u8]) {
        self.frame(turn, conn, body);
    }

    fn on_close(&mut self, turn: &mut FafTurn<'_>, conn: ConnId) {
        self.connection_ended(turn, conn);
    }

    fn on_mail(&mut self, turn: &mut FafTurn<'_>, from: ShardId, mail: Mail) {
        self.deliver(turn, from, mail);
    }

    fn on_answer(&mut self, turn: &mut FafTurn<'_>, ticket: Ticket, answer: Answer) {
        if let Some(continuation) = self.pending.take(ticket) {
            continuation.resume(self, turn, answer);
        }
    }

    fn on_notice(&mut self, turn: &mut FafTurn<'_>, news: news::News) {
        self.news(turn, news);
    }

    fn on_timer(&mut self, turn: &mut FafTurn<'_>, timer: Timer) {
        match timer {
            Timer::Tick(number) => self.ticked(turn, number),
            Timer::Ping => {
                turn.fan_out(super::Audience::Subscribers, message::PING);
                self.schedule_ping(turn);
            }
            Timer::Logins => self.logins_timed_out(turn),
            Timer::LinkSetup(seat) => self.link_timed_out(turn, seat),
            Timer::GameSetup(uid) => self.game_timed_out(turn, uid),
            Timer::Ledger(uid) => self.retry_records(turn, uid),
            Timer::KickIdle => self.kick_idle(turn),
            Timer::Parties => self.tell_parties(turn),
            Timer::Pop { queue, wait } => self.popped(turn, queue, wait),
            Timer::Violations => self.sweep_violations(turn),
            Timer::MatchOpen(uid) => self.match_open_timed_out(turn, uid),
            Timer::MatchStart(uid) => self.match_start_timed_out(turn, uid),
        }
    }

    fn on_resync(&mut self, turn: &mut FafTurn<'_>, conn: ConnId) {
        self.send_lists(turn, conn);
    }

    fn on_stopping(&mut self, turn: &mut FafTurn<'_>, step: Stopping) {
        match step {
            Stopping::Drain => self.drain(turn),
            Stopping::Now => self.shut_down(turn),
        }
    }

    fn is_drained(&self) -> bool {
        self.games.values().all(|game| game.removed) && self.ledger.is_settled()
    }

    fn counters(&self) -> Vec<(&'static str, u64)> {
        self.counters.list()
    }

    fn refuse(ask: Ask) -> Answer {
        ask.failed(StoreFailure::Unavailable)
    }
}

/// Ends a connection of this shard after what it was sent; nothing it still says is heard.
fn close(sessions: &mut Sessions, turn: &mut FafTurn<'_>, conn: ConnId) {
    if let Some(session) = sessions.get_mut(conn) {
        session.closing = true;
        turn.close(conn, Closing::Flushed);
    }
}
