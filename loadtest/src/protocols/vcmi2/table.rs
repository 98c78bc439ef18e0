//! A match of two from the room to its end, as the real programs play it (spec: vcmi-lobby2 7): the match server signs in, the host
//! opens the room, the guest joins, both ends of the relay are joined, the match begins. When everything has gone through the
//! relay the match server ends, and both players are told of the finished match.

use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};

use memchr::memmem;
use serde_json::Value;

use super::messages::{self, Identity};
use super::{Context, LOOK_US, Players, Seat, Task};
use crate::connection::{Connection, Stage};

/// Tells ids of these rooms from those in which guests come and go.
const MATCHES: u64 = 1;
/// How often a match server looks whether the match is over.
const WAIT_US: u64 = 20_000;

/// How far a match has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub(super) enum Progress {
    /// The match server has signed in.
    Served = 1,
    /// The room is open.
    Open,
    /// The match server knows of the guest.
    Joined,
    /// Its end of the relay waits for the guest's.
    Waiting,
    /// Both ends have heard each other.
    Relayed,
    /// The match has begun.
    Begun,
    /// Everything has gone through the relay, and that has ended.
    Over,
}

/// What the five connections of a match know of each other.
#[derive(Debug, Default)]
pub(super) struct Table {
    players: Players,
    progress: AtomicU8,
    /// Bytes that each end of the relay has sent, the match server's first; known once it has ended.
    pub(super) sent: [AtomicU64; 2],
    /// Ends of the relay that have sent and heard everything.
    pub(super) complete: AtomicU8,
}

impl Table {
    pub(super) fn comes_to(&self, progress: Progress) {
        self.progress.fetch_max(progress as u8, Ordering::AcqRel);
    }

    pub(super) fn is_at(&self, progress: Progress) -> bool {
        self.progress.load(Ordering::Acquire) == progress as u8
    }

    pub(super) fn has_come_to(&self, progress: Progress) -> bool {
        self.progress.load(Ordering::Acquire) >= progress as u8
    }
}

/// One of the five.
#[derive(Debug)]
pub(super) struct Seated {
    table: usize,
    seat: Seat,
    /// It has asked for the room, or connected.
    asked: bool,
    /// The match has begun, as it knows.
    ready: bool,
    /// It has been told of the finished match.
    told: bool,
}

impl Seated {
    pub(super) fn new(table: usize, seat: Seat) -> Seated {
        Seated {
            table,
            seat,
            asked: false,
            ready: false,
            told: false,
        }
    }

    pub(super) fn state<'a>(&self, context: &'a Context) -> &'a Table {
        &context.state().matches[self.table]
    }

    pub(super) fn seat(&self) -> Seat {
        self.seat
    }

    /// The player here has registered.
    pub(super) fn meet(&self, identity: &Identity, context: &Context) {
        self.state(context).players.meet(self.seat, identity);
    }

    fn room_id(&self, context: &Context) -> String {
        messages::room_id(&context.shared.plan.run_id, MATCHES, self.table, 0)
    }

    pub(super) fn look_later(&self, connection: &Connection, context: &Context) {
        context.schedule(context.now_us() + LOOK_US, connection.slot, Task::Look);
    }

    /// What is said first on the match server's connections and on the guest's end of the relay.
    pub(super) fn login(&self, connection: &mut Connection, context: &Context) {
        let room = self.room_id(context);
        let Some((host, guest)) = self.state(context).players.both() else {
            return;
        };
        let login = match self.seat {
            Seat::Server => messages::server_login(&room, host),
            Seat::ServerProxy => messages::server_proxy(&room, host, guest),
            Seat::GuestProxy => messages::client_proxy(&room, guest),
            Seat::Host | Seat::Guest => return,
        };
        messages::say(&login, connection.output());
    }

    /// Goes on when the others are far enough.
    pub(super) fn look(&mut self, connection: &mut Connection, context: &Context) {
        if context.shared.is_stopping() {
            return;
        }
        let (asked, seat) = (self.asked, self.seat);
        let table = self.state(context);
        let both = table.players.both();
        match (seat, both) {
            _ if table.has_come_to(Progress::Over) => return self.look_at_end(connection),
            // Everybody signs in and gets ready before the measured phase begins.
            (Seat::Host | Seat::Guest, _) if table.has_come_to(Progress::Begun) => {
                self.ready = true;
                return connection.settle(context);
            }
            (Seat::Server, _) if table.has_come_to(Progress::Begun) => {
                return context.schedule(context.now_us() + WAIT_US, connection.slot, Task::Look);
            }
            (Seat::Server, _) if table.is_at(Progress::Relayed) => {
                messages::say(&messages::started(), connection.output());
                table.comes_to(Progress::Begun);
            }
            (Seat::Host, Some((host, _))) if !asked && table.is_at(Progress::Served) => {
                messages::say(&messages::open(host, "public"), connection.output());
                self.asked = true;
            }
            (Seat::Guest, _) if !asked && table.is_at(Progress::Open) => {
                let room = self.room_id(context);
                messages::say(&messages::join(&room), connection.output());
                self.asked = true;
            }
            (_, Some(_)) if !asked && self.may_connect(connection, context) => {
                context.connect_at(context.now_us(), connection.slot);
                self.asked = true;
            }
            _ => {}
        }
        self.look_later(connection, context);
    }

    /// The match is over: its match server ends.
    fn look_at_end(&self, connection: &mut Connection) {
        if self.seat == Seat::Server && connection.is_signed_in() {
            connection.close();
        }
    }

    fn may_connect(&self, connection: &Connection, context: &Context) -> bool {
        let table = self.state(context);
        connection.stage() == Stage::Away
            && match self.seat {
                Seat::Server => true,
                Seat::ServerProxy => table.is_at(Progress::Joined),
                Seat::GuestProxy => table.is_at(Progress::Waiting),
                Seat::Host | Seat::Guest => false,
            }
    }

    /// A message came; news of other rooms are nobody's business here.
    pub(super) fn on_message(&mut self, kind: &str, message: &[u8], context: &Context) {
        let table = self.state(context);
        match (self.seat, kind) {
            (Seat::Server, "serverLoginSuccess") => table.comes_to(Progress::Served),
            (Seat::Server, "accountJoinsRoom") => table.comes_to(Progress::Joined),
            (Seat::Host | Seat::Guest, "joinRoomSuccess") => {
                let answer: Value = serde_json::from_slice(message).unwrap_or_default();
                if answer["gameRoomID"] != self.room_id(context) {
                    return context.protocol_error("a player was let into another room");
                }
                match (self.seat, answer["proxyMode"].as_bool()) {
                    (Seat::Host, Some(false)) => table.comes_to(Progress::Open),
                    (Seat::Guest, Some(true)) => table.comes_to(Progress::Waiting),
                    _ => context.protocol_error("a player was let into a room in the wrong way"),
                }
            }
            (Seat::Host | Seat::Guest, "matchesHistory") => {
                let room = self.room_id(context);
                self.told |= memmem::find(message, room.as_bytes()).is_some();
            }
            _ => {}
        }
    }

    /// Whether the match has begun.
    pub(super) fn is_ready(&self) -> bool {
        self.ready
    }

    /// The news that the match is over, at who is told.
    pub(super) fn missing(&self) -> u64 {
        u64::from(!self.has_ended())
    }

    fn has_ended(&self) -> bool {
        self.told || !matches!(self.seat, Seat::Host | Seat::Guest)
    }

    pub(super) fn account(&self, context: &Context) {
        if !self.has_ended() {
            context.recorder.borrow_mut().metrics.players_broken += 1;
            let what = format!("a match's {:?} was not told that it is over", self.seat);
            context.shared.record_error(what);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_match_never_goes_back() {
        let table = Table::default();
        assert!(!table.has_come_to(Progress::Served));
        table.comes_to(Progress::Joined);
        table.comes_to(Progress::Open);
        assert!(table.is_at(Progress::Joined) && table.has_come_to(Progress::Open));
    }
}
