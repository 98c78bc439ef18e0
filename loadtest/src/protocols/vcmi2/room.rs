//! A room in which a guest comes and goes: a match server signs in with it, the host opens it and invites, the guest joins, the
//! match server has them leave again and ends. Six steps, each at its time, each done by one of the three connections and seen by
//! the one that is told of it; the next one waits for that, and counts from its own time.

use std::sync::atomic::{AtomicU64, Ordering};

use memchr::memmem;

use super::messages::{self, Identity};
use super::{Context, LOOK_US, Players, Seat, Task, Vcmi2Metrics};
use crate::connection::{Connection, Stage};
use crate::latency::Latency;

/// Tells ids of these rooms from those of matches.
const ROOMS: u64 = 0;

/// What is done, in this order and then again with a new room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    Login,
    Open,
    Invite,
    Join,
    Leave,
    Close,
}

const STEPS: [Step; 6] = [
    Step::Login,
    Step::Open,
    Step::Invite,
    Step::Join,
    Step::Leave,
    Step::Close,
];

impl Step {
    fn of(number: u64) -> Step {
        STEPS[(number % STEPS.len() as u64) as usize]
    }

    /// Whose step it is.
    fn seat(self) -> Seat {
        match self {
            Step::Open | Step::Invite => Seat::Host,
            Step::Join => Seat::Guest,
            Step::Login | Step::Leave | Step::Close => Seat::Server,
        }
    }

    fn figure(self) -> fn(&mut Vcmi2Metrics) -> &mut Latency {
        match self {
            Step::Login => |metrics| &mut metrics.room_login,
            Step::Open => |metrics| &mut metrics.room_open,
            Step::Invite => |metrics| &mut metrics.room_invite,
            Step::Join => |metrics| &mut metrics.room_join,
            Step::Leave => |metrics| &mut metrics.room_leave,
            Step::Close => |metrics| &mut metrics.room_close,
        }
    }
}

/// The first step from this one on that is this seat's.
fn own_step(seat: Seat, from: u64) -> u64 {
    let steps = from..from + STEPS.len() as u64;
    let mut own = steps.filter(|number| Step::of(*number).seat() == seat);
    own.next().unwrap_or(u64::MAX)
}

/// What the three connections of a room know of each other.
#[derive(Debug, Default)]
pub(super) struct Room {
    players: Players,
    /// Steps done, and those of them that somebody has seen.
    done: AtomicU64,
    seen: AtomicU64,
}

impl Room {
    fn seen(&self) -> u64 {
        self.seen.load(Ordering::Acquire)
    }

    fn done(&self) -> u64 {
        self.done.load(Ordering::Acquire)
    }

    /// The number of the step that is done and not seen, if it is one of this kind.
    fn awaits(&self, step: Step) -> Option<u64> {
        let seen = self.seen();
        (self.done() > seen && Step::of(seen) == step).then_some(seen)
    }
}

/// One of the three.
#[derive(Debug)]
pub(super) struct Occupant {
    room: usize,
    seat: Seat,
    /// The next step that is its own.
    next: u64,
}

impl Occupant {
    pub(super) fn new(room: usize, seat: Seat) -> Occupant {
        Occupant {
            room,
            seat,
            next: own_step(seat, 0),
        }
    }

    fn state<'a>(&self, context: &'a Context) -> &'a Room {
        &context.state().rooms[self.room]
    }

    /// The player here has registered.
    pub(super) fn meet(&self, identity: &Identity, context: &Context) {
        self.state(context).players.meet(self.seat, identity);
    }

    fn room_id(&self, step: u64, context: &Context) -> String {
        let run_id = &context.shared.plan.run_id;
        messages::room_id(run_id, ROOMS, self.room, step / STEPS.len() as u64)
    }

    /// What the room says of itself once its guest has come.
    fn description(&self, step: u64, context: &Context) -> String {
        let (run_id, turn) = (&context.shared.plan.run_id, step / STEPS.len() as u64);
        format!("swarm {run_id} {} {turn}", self.room)
    }

    /// When a step is due.
    fn due_us(&self, step: u64, context: &Context) -> u64 {
        let shared = &context.shared;
        let after_us = shared.protocol.step_us(self.room, step);
        shared.measured_from_us().saturating_add(after_us)
    }

    pub(super) fn on_measure(&self, connection: &Connection, context: &Context) {
        let due_us = self.due_us(self.next, context);
        context.schedule_while_measuring(due_us, connection.slot, Task::Act);
    }

    /// Does what is due and its own, as soon as what comes before it has been seen.
    pub(super) fn act(&mut self, connection: &mut Connection, context: &Context) {
        let shared = &context.shared;
        while !shared.is_stopping() {
            let (due_us, now_us) = (self.due_us(self.next, context), context.now_us());
            if !shared.is_measuring_at(due_us) {
                return;
            }
            if due_us > now_us {
                return context.schedule(due_us, connection.slot, Task::Act);
            }
            let logs_in = Step::of(self.next) == Step::Login;
            if self.state(context).seen() < self.next
                || connection.is_backlogged()
                || logs_in && connection.stage() != Stage::Away
            {
                return context.schedule(now_us + LOOK_US, connection.slot, Task::Act);
            }
            // Without its connections a room comes to nothing, and what is due in it is not done.
            let players = self.state(context).players.both();
            let Some((host, guest)) = players.filter(|_| logs_in || connection.is_signed_in())
            else {
                return;
            };
            self.do_step((host, guest), due_us, connection, context);
            self.next = own_step(self.seat, self.next + 1);
        }
    }

    fn do_step(
        &self,
        (host, guest): (&Identity, &Identity),
        due_us: u64,
        connection: &mut Connection,
        context: &Context,
    ) {
        // Whoever is told of it must know that it has been done.
        self.state(context)
            .done
            .store(self.next + 1, Ordering::Release);
        context.recorder.borrow_mut().metrics.room_steps += 1;
        match Step::of(self.next) {
            Step::Login => context.connect_at(due_us, connection.slot),
            Step::Open => messages::say(&messages::open(host, "private"), connection.output()),
            Step::Invite => messages::say(&messages::invite(guest), connection.output()),
            Step::Join => {
                let room = self.room_id(self.next, context);
                messages::say(&messages::join(&room), connection.output());
            }
            Step::Leave => {
                let description = self.description(self.next, context);
                messages::say(&messages::describe(&description), connection.output());
                messages::say(&messages::leave(guest), connection.output());
            }
            Step::Close => connection.close(),
        }
    }

    /// The match server signs in.
    pub(super) fn login(&self, connection: &mut Connection, context: &Context) {
        let room = self.state(context);
        if let Some(host) = room.players.host.get() {
            let id = self.room_id(room.seen(), context);
            messages::say(&messages::server_login(&id, host), connection.output());
        }
    }

    /// A message came; news of other rooms are nobody's business here.
    pub(super) fn on_message(&self, kind: &str, message: &[u8], context: &Context) {
        let room = self.state(context);
        let names = |member: &str, known: &str| messages::text(message, member) == Some(known);
        let id = |number| self.room_id(number, context);
        let step = match (self.seat, kind) {
            (Seat::Server, "serverLoginSuccess") => Step::Login,
            (Seat::Host, "joinRoomSuccess") => Step::Open,
            (Seat::Guest, "inviteReceived") => Step::Invite,
            (Seat::Server, "accountJoinsRoom") => Step::Join,
            (Seat::Guest, "activeGameRooms") => Step::Leave,
            (Seat::Host, "activeGameRooms") => Step::Close,
            _ => return,
        };
        let (Some(number), Some((_, guest))) = (room.awaits(step), room.players.both()) else {
            return;
        };
        let is_it = match step {
            Step::Login => true,
            Step::Open | Step::Invite => names("\"gameRoomID\"", &id(number)),
            Step::Join => names("\"accountID\"", &guest.id),
            Step::Leave => {
                let description = self.description(number, context);
                messages::has_left(message, &id(number), &description, &guest.id)
            }
            Step::Close => memmem::find(message, id(number).as_bytes()).is_none(),
        };
        if is_it {
            let opened = u64::from(step == Step::Open);
            context.recorder.borrow_mut().metrics.rooms_opened += opened;
            context.book(self.due_us(number, context), step.figure());
            room.seen.store(number + 1, Ordering::Release);
        }
    }

    /// Steps that are due by the end of the measured phase and not seen.
    fn unseen(&self, context: &Context) -> u64 {
        let is_due = |step: &u64| {
            let due_us = self.due_us(*step, context);
            context.shared.is_measuring_at(due_us)
        };
        let steps = self.state(context).seen()..;
        steps.take_while(is_due).count() as u64
    }

    /// The same; the host counts for all three.
    pub(super) fn missing(&self, context: &Context) -> u64 {
        match self.seat {
            Seat::Host => self.unseen(context),
            _ => 0,
        }
    }

    /// The run is over: each step that nobody has seen has been waited for until now.
    pub(super) fn account(&self, context: &Context) {
        if self.seat != Seat::Host {
            return;
        }
        let room = self.state(context);
        let (seen, done) = (room.seen(), room.done());
        let due = seen + self.unseen(context);
        for number in seen..due {
            let figure = Step::of(number).figure();
            context.give_up(self.due_us(number, context), figure);
        }
        let recorder = &mut *context.recorder.borrow_mut();
        let lost = done.saturating_sub(seen);
        recorder.common.lost += lost;
        recorder.metrics.room_steps_lost += lost;
        recorder.common.unsent += due.saturating_sub(done);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_step_is_somebody_s_and_they_follow_each_other() {
        let first = [Seat::Server, Seat::Host, Seat::Guest].map(|seat| own_step(seat, 0));
        assert_eq!(first, [0, 1, 3]);
        assert_eq!(own_step(Seat::Server, 1), 4);
        assert_eq!(own_step(Seat::Server, 6), 6);
        assert_eq!(own_step(Seat::Host, 3), 7);
        let mut all: Vec<u64> = Vec::new();
        for seat in [Seat::Server, Seat::Host, Seat::Guest] {
            let own = std::iter::successors(Some(own_step(seat, 0)), |step| {
                Some(own_step(seat, step + 1))
            });
            all.extend(own.take_while(|step| *step < 12));
        }
        all.sort_unstable();
        assert_eq!(all, (0..12).collect::<Vec<u64>>());
    }

    #[test]
    fn only_the_step_that_is_done_is_waited_for() {
        let room = Room::default();
        assert_eq!(room.awaits(Step::Login), None);
        room.done.store(1, Ordering::Release);
        assert_eq!(
            (room.awaits(Step::Login), room.awaits(Step::Open)),
            (Some(0), None)
        );
        room.seen.store(1, Ordering::Release);
        room.done.store(8, Ordering::Release);
        room.seen.store(7, Ordering::Release);
        assert_eq!(
            (room.awaits(Step::Open), room.awaits(Step::Login)),
            (Some(7), None)
        );
    }
}
