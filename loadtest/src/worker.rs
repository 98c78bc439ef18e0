//! One thread and its clients: a loop that runs tasks when they are due, and in between lets whoever has something to write or to
//! read have a turn.
//!
//! Reading goes through one scratch buffer for the whole thread; a client holds memory only for an unfinished message.

use std::cell::RefCell;
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::io;
use std::sync::Arc;

use anyhow::Context as _;
use rand::SeedableRng as _;
use rand::rngs::SmallRng;
use rustix::thread::{CpuSet, sched_setaffinity};

use crate::connection::{Client, Connection, End, Stage, Turns};
use crate::metrics::Recorder;
use crate::pace::{Pace, Turn};
use crate::protocol::{Protocol, Session as _};
use crate::scenario::Cue;
use crate::schedule::Schedule;
use crate::shared::{Cut, Phase, Shared};
use crate::sockets::Sockets;

/// One for all connections of a thread.
const SCRATCH_BYTES: usize = 128 << 10;
/// A connection with more to read than this many chunks lets the others have a turn first.
const READS_PER_TURN: usize = 4;
/// The main loop looks at the phase of the run at least this often.
const POLL_INTERVAL_US: u64 = 20_000;
/// Tasks done before connections have a turn. A thread that is behind writes what several of a client's tasks say at once.
const TASKS_PER_TURN: u64 = 256;
/// How long connections have turns before it is looked again what is due. With thousands of them that have much to read one round
/// takes seconds, and clients that say nothing meanwhile are taken for dead.
const SERVE_US: u64 = 20_000;
/// With more turns than this, what clients have to say goes before what they are told.
const MANY_TURNS: usize = 256;
/// How long clients may take to say goodbye.
const CLOSE_TIMEOUT_US: u64 = 2_000_000;
/// How many turns of a rate are looked at for one that is this thread's.
const FAR_AHEAD: u64 = 1_000;
/// Thread's figures go to the live line this often.
const PUBLISH_US: u64 = 1_000_000;

/// Something a client has to do at a certain time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Task<T> {
    /// Connect and sign in.
    Connect,
    /// Begin one more sign-in of a churn, as soon as the one before is over.
    SignIn,
    /// What the protocol has scheduled.
    Session(T),
    /// End this connection.
    Close,
    /// The scenario has this client leave.
    Leave,
    /// Something is due in the script that this client follows.
    Script(Cue),
    /// The next turn of the scripts of this role is due, of the number given, whoever of this thread's clients has it.
    Arrival(usize, u64),
}

/// Tasks by time, the client of each by its slot.
type Queue<T> = BinaryHeap<Reverse<(u64, usize, Task<T>)>>;

/// What the clients of a thread share.
pub(crate) struct Context<P: Protocol> {
    pub(crate) shared: Arc<Shared<P>>,
    pub(crate) recorder: RefCell<Recorder<P::Metrics>>,
    pub(crate) random: RefCell<SmallRng>,
    tasks: RefCell<Queue<P::Task>>,
    /// Whose turn it is.
    pub(crate) turns: Turns,
    /// What was in encrypted records; one for all connections as well.
    pub(crate) plain: RefCell<Vec<u8>>,
}

impl<P: Protocol> Context<P> {
    /// Microseconds since the start of the run.
    pub(crate) fn now_us(&self) -> u64 {
        self.shared.clock.now_us()
    }

    /// What the clients of all threads share.
    pub(crate) fn state(&self) -> &P::State {
        &self.shared.state
    }

    /// Queues a task for its time.
    pub(crate) fn schedule(&self, due_us: u64, slot: usize, task: P::Task) {
        self.queue(due_us, slot, Task::Session(task));
    }

    /// Likewise, unless the measured phase is over by then.
    pub(crate) fn schedule_while_measuring(&self, due_us: u64, slot: usize, task: P::Task) {
        if self.shared.is_measuring_at(due_us) {
            self.schedule(due_us, slot, task);
        }
    }

    /// Lets a client connect at this time that is away.
    pub(crate) fn connect_at(&self, due_us: u64, slot: usize) {
        self.queue(due_us, slot, Task::Connect);
    }

    /// Queues something of the script that a client follows.
    pub(crate) fn cue(&self, due_us: u64, slot: usize, cue: Cue) {
        self.queue(due_us, slot, Task::Script(cue));
    }

    /// Ends the client's connection at this time.
    pub(crate) fn close_at(&self, due_us: u64, slot: usize) {
        self.queue(due_us, slot, Task::Close);
    }

    pub(crate) fn queue(&self, due_us: u64, slot: usize, task: Task<P::Task>) {
        self.tasks.borrow_mut().push(Reverse((due_us, slot, task)));
    }

    /// Counts what the server must not do.
    pub(crate) fn protocol_error(&self, what: &str) {
        self.recorder.borrow_mut().common.protocol_errors += 1;
        self.shared.record_error(format!("protocol: {what}"));
    }

    fn next_due_us(&self) -> Option<u64> {
        self.tasks
            .borrow()
            .peek()
            .map(|Reverse((due_us, _, _))| *due_us)
    }
}

struct Worker<P: Protocol> {
    context: Context<P>,
    pace: RefCell<Pace>,
    /// By their numbers.
    clients: Box<[RefCell<Client<P>>]>,
    sockets: RefCell<Sockets>,
    scratch: RefCell<Box<[u8]>>,
    /// When turns of scripts are due, of each role in which they are due at a rate.
    arrivals: Vec<(usize, Schedule)>,
}

/// Runs each so many-th client of this process until the run stops; gives back what they measured.
pub(crate) fn work<P: Protocol>(
    shared: Arc<Shared<P>>,
    thread: usize,
) -> anyhow::Result<Recorder<P::Metrics>> {
    if shared.plan.pin {
        let mut cores = CpuSet::new();
        cores.set(thread);
        sched_setaffinity(None, &cores).with_context(|| format!("--pin: core {thread}"))?;
    }
    let worker = Worker::new(shared, thread)?;
    worker.run(thread)?;
    Ok(worker.context.recorder.take())
}

impl<P: Protocol> Worker<P> {
    fn new(shared: Arc<Shared<P>>, thread: usize) -> io::Result<Worker<P>> {
        let all = shared.clients.iter().skip(thread);
        let indices: Vec<usize> = all.step_by(shared.plan.threads).copied().collect();
        let share = shared.plan.share.map_or(0, |share| share.number as u64);
        let seed = shared.plan.seed.wrapping_add(thread as u64 + (share << 32));
        let arrivals = shared.plan.arrivals();
        let recorder = Recorder::of(&shared.plan.scenario.own);
        let context = Context {
            shared,
            recorder: RefCell::new(recorder),
            random: RefCell::new(SmallRng::seed_from_u64(seed)),
            tasks: RefCell::new(BinaryHeap::new()),
            turns: Turns::default(),
            plain: RefCell::default(),
        };
        let clients: Box<[_]> = indices
            .into_iter()
            .enumerate()
            .map(|(slot, index)| RefCell::new(Client::new(index, slot, &context)))
            .collect();
        Ok(Worker {
            context,
            pace: RefCell::default(),
            sockets: RefCell::new(Sockets::new(clients.len())?),
            clients,
            scratch: RefCell::new(vec![0; SCRATCH_BYTES].into_boxed_slice()),
            arrivals,
        })
    }

    /// The main loop: does what is due, follows the phases, reports.
    ///
    /// # Errors
    /// Its sockets can't be waited for.
    fn run(&self, thread: usize) -> io::Result<()> {
        let shared = &self.context.shared;
        let mut phase = Phase::Assemble;
        let mut publish_us = shared.clock.now_us() + PUBLISH_US;
        let mut finished = false;
        self.schedule_ramp();
        while phase != Phase::Stop {
            let now_us = shared.clock.now_us();
            let entered = shared.phase();
            if entered != phase {
                phase = entered;
                if phase == Phase::Measure {
                    self.begin_measuring();
                }
            }
            self.run_tasks(now_us)?;
            if phase == Phase::Finish {
                if !finished {
                    self.finish();
                    finished = true;
                }
                shared.report_missing(thread, || self.missing());
            }
            if now_us >= publish_us {
                self.publish(thread);
                publish_us += PUBLISH_US;
            }
            self.sleep()?;
        }
        self.stop()?;
        self.publish(thread);
        Ok(())
    }

    /// Sleeps until something is due or a socket has something to tell, but never longer than the poll interval; then everybody
    /// has a turn.
    fn sleep(&self) -> io::Result<()> {
        let now_us = self.context.now_us();
        let latest_us = now_us + POLL_INTERVAL_US;
        let due_us = self.context.next_due_us();
        let until_us = due_us.map_or(latest_us, |due_us| due_us.min(latest_us));
        self.wait(now_us, until_us)?;
        if until_us > now_us && self.context.shared.is_measuring_at(until_us) {
            let late_us = self.context.now_us().checked_sub(until_us);
            if let Some(late_us) = late_us {
                let common = &mut self.context.recorder.borrow_mut().common;
                common.timer_delay.saturating_record(late_us.max(1));
            }
        }
        self.serve();
        Ok(())
    }

    /// Waits for sockets, unless somebody has a turn anyway.
    fn wait(&self, now_us: u64, until_us: u64) -> io::Result<()> {
        let turns = &mut self.context.turns.borrow_mut();
        let until_us = if turns.is_empty() { until_us } else { now_us };
        self.sockets.borrow_mut().wait(now_us, until_us, turns)
    }

    /// Everybody has a turn whose it is, for some time; those who are left come first the next time.
    fn serve(&self) {
        let mut turns = self.context.turns.take();
        let until_us = self.context.now_us() + SERVE_US;
        if turns.len() > MANY_TURNS {
            self.hurry(&mut turns);
        }
        let mut done = 0;
        while done < turns.len() && self.context.now_us() < until_us {
            self.turn(turns[done]);
            done += 1;
        }
        turns.drain(..done);
        // The allocation is kept for the next time, and so are the turns that came up meanwhile.
        let meanwhile = self.context.turns.replace(turns);
        self.context.turns.borrow_mut().extend(meanwhile);
    }

    /// Many have a turn: what they have to say leaves at once, and those that sign in come first. So a client that has much to
    /// read neither keeps others from saying that they live, nor takes the time of a sign-in, which is the server's.
    fn hurry(&self, turns: &mut [usize]) {
        let sockets = &mut *self.sockets.borrow_mut();
        for &slot in &*turns {
            let client = &mut *self.clients[slot].borrow_mut();
            if sockets.is_open(slot) && !client.connection.pending().is_empty() {
                // An error is still there when the client has its turn.
                let _drained = self.write(client, sockets);
            }
        }
        let settled =
            |slot: &usize| self.clients[*slot].borrow().connection.stage() != Stage::SigningIn;
        turns.sort_by_key(settled);
    }

    /// The ramp: client i connects at its place on a fixed schedule, if it is there from the beginning.
    fn schedule_ramp(&self) {
        let shared = &self.context.shared;
        if shared.is_churn() {
            return;
        }
        let from_us = shared.clock.now_us();
        for (slot, client) in self.clients.iter().enumerate() {
            let client = &mut *client.borrow_mut();
            let index = client.connection.index;
            if index >= shared.plan.at_start() {
                break;
            }
            if !client.session.joins_ramp() {
                client.connection.settle(&self.context);
                client.session.on_ramp(&client.connection, &self.context);
                continue;
            }
            let after_us = shared
                .plan
                .ramp
                .map_or(0, |ramp| (index as f64 / ramp * 1e6) as u64);
            self.context.queue(from_us + after_us, slot, Task::Connect);
        }
    }

    fn begin_measuring(&self) {
        let shared = &self.context.shared;
        let from_us = shared.measured_from_us();
        for client in &self.clients {
            let client = &mut *client.borrow_mut();
            if shared.is_churn() {
                let first_us = from_us + client.next_sign_in_us(&self.context);
                self.schedule_sign_in(first_us, client.connection.slot);
                continue;
            }
            self.schedule_presence(from_us, &client.connection);
            let connection = &client.connection;
            client
                .session
                .on_measure(from_us, connection, &self.context);
        }
        for place in 0..self.arrivals.len() {
            self.schedule_arrival(place, 0);
        }
    }

    /// The next turn at a rate, from this number on, that one of this thread's clients has.
    fn schedule_arrival(&self, place: usize, from: u64) {
        let shared = &self.context.shared;
        let (_, schedule) = &self.arrivals[place];
        for number in from.. {
            let due_us = shared.measured_from_us() + schedule.event_due_us(number);
            if !shared.is_measuring_at(due_us) {
                return;
            }
            // Where this thread has hardly a client it looks again later instead of looking far ahead.
            if self.has_turn(place, number, due_us).is_some() || number - from > FAR_AHEAD {
                let task = Task::Arrival(place, number);
                return self.context.queue(due_us, 0, task);
            }
        }
    }

    /// The slot of whoever has this turn, if it is this thread's client.
    fn has_turn(&self, place: usize, number: u64, due_us: u64) -> Option<usize> {
        let plan = &self.context.shared.plan;
        let after_us = due_us - self.context.shared.measured_from_us();
        let client = plan.cast.turn(self.arrivals[place].0, number, after_us);
        let index = |client: &RefCell<Client<P>>| client.borrow().connection.index;
        self.clients.binary_search_by_key(&client, index).ok()
    }

    /// A turn is due, whoever has it.
    fn arrive(&self, place: usize, number: u64, due_us: u64) {
        if let Some(slot) = self.has_turn(place, number, due_us) {
            let client = &mut *self.clients[slot].borrow_mut();
            client.cue(Cue::Turn, due_us, &self.context);
        }
        self.schedule_arrival(place, number + 1);
    }

    /// When the scenario has this client come and go.
    fn schedule_presence(&self, from_us: u64, connection: &Connection) {
        let shared = &self.context.shared;
        for (come_us, leave_us) in shared.plan.cast.spans(connection.index) {
            let queue = |after_us: u64, task| {
                let due_us = from_us + after_us;
                if shared.is_measuring_at(due_us) {
                    self.context.queue(due_us, connection.slot, task);
                }
            };
            if come_us > 0 {
                queue(come_us, Task::Connect);
            }
            let script = shared.plan.script(connection.index);
            let first_us = script
                .and_then(|script| script.first_us(shared.plan.seed, connection.index, come_us));
            if let Some(first_us) = first_us.map(|first_us| come_us + first_us)
                && leave_us.is_none_or(|leave_us| first_us < leave_us)
            {
                queue(first_us, Task::Script(Cue::Turn));
            }
            if let Some(leave_us) = leave_us {
                queue(leave_us, Task::Leave);
            }
        }
    }

    /// A sign-in of a churn, if the measured phase is not over by then.
    fn schedule_sign_in(&self, due_us: u64, slot: usize) {
        if self.context.shared.is_measuring_at(due_us) {
            self.context.queue(due_us, slot, Task::SignIn);
        }
    }

    /// Runs what is due, until it is time to look at the phase again.
    fn run_tasks(&self, now_us: u64) -> io::Result<()> {
        let until_us = now_us + POLL_INTERVAL_US;
        let mut done = 0_u64;
        while let Some((due_us, slot, task)) = self.pop_due(now_us) {
            self.note_lateness(due_us, &task);
            self.run_task(due_us, slot, task);
            done += 1;
            if done.is_multiple_of(TASKS_PER_TURN) {
                if self.context.now_us() > until_us {
                    break;
                }
                // Who is told more than there is time to read must not keep others' tasks from their time.
                if self.context.turns.borrow().len() < MANY_TURNS {
                    self.wait(now_us, now_us)?;
                    self.serve();
                }
            }
        }
        self.check_pace(done);
        Ok(())
    }

    /// Books how late this task is done.
    fn note_lateness(&self, due_us: u64, task: &Task<P::Task>) {
        let shared = &self.context.shared;
        let late_us = self.context.now_us().saturating_sub(due_us).max(1);
        let common = &mut self.context.recorder.borrow_mut().common;
        // All at once can't be done in time, and each counts from when it is done.
        let at_once = *task == Task::Connect && shared.plan.ramp.is_none();
        if shared.is_measuring_at(due_us) {
            common.own_delay.saturating_record(late_us);
        } else if shared.phase() == Phase::Assemble && !at_once {
            common.assembly_delay.saturating_record(late_us);
        }
    }

    /// Ends the run at its beginning if its rate is more than this thread can offer.
    fn check_pace(&self, tasks: u64) {
        let shared = &self.context.shared;
        let now_us = self.context.now_us();
        if !shared.is_measuring_at(now_us) {
            return;
        }
        let due_us = self.context.next_due_us().unwrap_or(now_us);
        let turn = Turn {
            at_us: now_us - shared.measured_from_us(),
            late_us: now_us.saturating_sub(due_us),
            tasks,
        };
        if let Some(share) = self.pace.borrow_mut().turn(turn) {
            let rate = shared.plan.rate;
            let (late_ms, at_ms) = (turn.late_us / 1_000, turn.at_us / 1_000);
            shared.cut_short(Cut::Overloaded(format!(
                "--rate {rate} cannot be offered: a thread of the load tester is {late_ms} ms behind its schedule {at_ms} ms after \
                 its beginning, which is good for about {:.0} a second",
                rate * share
            )));
        }
    }

    fn pop_due(&self, now_us: u64) -> Option<(u64, usize, Task<P::Task>)> {
        let mut tasks = self.context.tasks.borrow_mut();
        let Reverse((due_us, _, _)) = tasks.peek()?;
        if *due_us > now_us {
            return None;
        }
        tasks.pop().map(|Reverse(entry)| entry)
    }

    fn run_task(&self, due_us: u64, slot: usize, task: Task<P::Task>) {
        if let Task::Arrival(place, number) = task {
            return self.arrive(place, number, due_us);
        }
        let client = &mut *self.clients[slot].borrow_mut();
        match task {
            // Who has not left yet stays.
            Task::Connect if client.connection.stage() != Stage::Away => client.stay(),
            Task::Connect => self.connect(client, due_us, &mut self.sockets.borrow_mut()),
            Task::SignIn if !self.context.shared.is_measuring_at(due_us) => {}
            Task::SignIn => {
                client.owe(due_us);
                let from_us = self.context.shared.measured_from_us();
                let next_us = from_us + client.next_sign_in_us(&self.context);
                self.schedule_sign_in(next_us, slot);
                self.connect_next(client, &mut self.sockets.borrow_mut());
            }
            Task::Session(task) => {
                let connection = &mut client.connection;
                client
                    .session
                    .on_task(task, due_us, connection, &self.context);
            }
            Task::Close if client.connection.is_signed_in() => client.close(),
            Task::Close => {}
            Task::Leave => client.leave(&self.context),
            Task::Script(cue) => client.cue(cue, due_us, &self.context),
            // It is done already: it is no certain client's.
            Task::Arrival(..) => {}
        }
    }

    /// A churning client that is away begins the next sign-in it owes.
    fn connect_next(&self, client: &mut Client<P>, sockets: &mut Sockets) {
        if !self.context.shared.is_stopping()
            && let Some(due_us) = client.next_owed()
        {
            self.connect(client, due_us, sockets);
        }
    }

    fn connect(&self, client: &mut Client<P>, due_us: u64, sockets: &mut Sockets) {
        let shared = &self.context.shared;
        let measuring = shared.is_measuring_at(due_us);
        let scheduled = shared.plan.ramp.is_some() || measuring;
        let since_us = if scheduled {
            due_us
        } else {
            shared.clock.now_us()
        };
        let servers = &shared.plan.servers;
        let server = servers[client.connection.index % servers.len()].address;
        let tls = shared.plan.tls.as_ref();
        let host = tls.map_or_else(|| server.to_string(), |tls| tls.authority(server));
        let target = format!("{host}{}", shared.plan.path);
        client.connect(since_us, &target, &self.context);
        let slot = client.connection.slot;
        let source = shared.source_address(server);
        if let Err(error) = sockets.open(slot, server, source) {
            client.ended(&End::Broken(error), &self.context);
        }
    }

    /// A client's turn: it writes and reads what it can.
    fn turn(&self, slot: usize) {
        let client = &mut *self.clients[slot].borrow_mut();
        let sockets = &mut *self.sockets.borrow_mut();
        client.connection.begin_turn();
        sockets.begin_turn(slot);
        let end = if sockets.is_open(slot) {
            self.exchange(client, sockets)
        } else {
            None
        };
        client.connection.end_turn();
        if let Some(end) = end {
            // Before anything is counted or connected anew.
            sockets.close(slot);
            client.ended(&end, &self.context);
            self.connect_next(client, sockets);
        }
    }

    /// Writes what there is to say, reads what there is to hear. Some: that is the end of the connection.
    fn exchange(&self, client: &mut Client<P>, sockets: &mut Sockets) -> Option<End> {
        let mut scratch = self.scratch.borrow_mut();
        let slot = client.connection.slot;
        for _ in 0..READS_PER_TURN {
            let drained = match self.write(client, sockets) {
                Ok(drained) => drained,
                Err(error) => return Some(End::Broken(error)),
            };
            if drained && client.connection.is_closing() {
                return Some(End::Done);
            }
            let refilled = drained && self.refill(client);
            match sockets.read(slot, &mut scratch) {
                Ok(Some(0)) => return Some(End::Closed),
                Ok(Some(length)) => {
                    if let Err(error) = client.read(&scratch[..length], &self.context) {
                        return Some(End::Protocol(error));
                    }
                }
                Err(error) => return Some(End::Broken(error)),
                // Nobody would give this client a turn for what it has just put into its output.
                Ok(None) if refilled => {}
                Ok(None) => return None,
            }
        }
        self.context.turns.borrow_mut().push(slot);
        None
    }

    /// Writes as much of the output as the socket takes, and says whether that was all.
    fn write(&self, client: &mut Client<P>, sockets: &mut Sockets) -> io::Result<bool> {
        let slot = client.connection.slot;
        loop {
            let outgoing = client.outgoing()?;
            if outgoing.is_empty() {
                return Ok(client.connection.pending().is_empty());
            }
            match sockets.write(slot, outgoing)? {
                Some(written) => client.wrote(written, &self.context),
                None => return Ok(false),
            }
        }
    }

    /// Lets a client whose output has left go on, and says whether it did.
    fn refill(&self, client: &mut Client<P>) -> bool {
        let connection = &mut client.connection;
        if !connection.is_signed_in() {
            return false;
        }
        client.session.on_drained(connection, &self.context);
        !connection.pending().is_empty() || connection.is_closing()
    }

    /// The end of the measured phase: whoever gets the last changes has everything.
    fn finish(&self) {
        for client in &self.clients {
            let client = &mut *client.borrow_mut();
            if client.connection.stage() == Stage::SignedIn {
                client
                    .session
                    .on_finish(&mut client.connection, &self.context);
            }
        }
        self.context.shared.finish();
    }

    /// What this thread's clients still wait for: changes, and sign-ins under way.
    fn missing(&self) -> u64 {
        self.clients
            .iter()
            .map(|client| client.borrow().missing(&self.context))
            .sum()
    }

    fn publish(&self, thread: usize) {
        let mut recorder = self.context.recorder.borrow_mut();
        let own = P::live(&recorder.metrics);
        let shared = &self.context.shared;
        shared.live.publish(thread, &mut recorder, own);
        shared.keep(thread, &recorder);
    }

    /// Settles the accounts, says goodbye and waits a moment for it to leave.
    fn stop(&self) -> io::Result<()> {
        for client in &self.clients {
            let mut client = client.borrow_mut();
            client.account(&self.context);
            client.close();
        }
        let until_us = self.context.now_us() + CLOSE_TIMEOUT_US;
        let anybody = || {
            let mut clients = self.clients.iter();
            clients.any(|client| client.borrow().connection.stage() != Stage::Away)
        };
        while self.context.now_us() < until_us && anybody() {
            let now_us = self.context.now_us();
            self.wait(now_us, now_us + POLL_INTERVAL_US)?;
            self.serve();
        }
        Ok(())
    }
}

#[cfg(test)]
#[path = "worker_tests.rs"]
mod tests;
