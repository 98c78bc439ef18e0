//! The kernel's sockets, through one private io_uring per shard. The shard waits in it, and it is the only thing that does.
//!
//! - *Watching* is a poll that stays armed: one completion whenever something new arrives, no call to ask for it again. It
//!   names the socket by its descriptor: a poll that lives long on a registered file would, before Linux 6.13, keep every
//!   file unregistered after it open.
//! - *A batch of sends* goes in with one call, on registered files and with `MSG_DONTWAIT`, so that each completes while it
//!   is submitted. What is saved is the crossing: nearly all of a broadcast's cost is the kernel's work per `send`.
//! - *The last sends of a round* go in with the call that waits. A message that comes alone is then answered on the way to
//!   sleep, at two thirds of what a `send` of its own and the wait after it cost (`benches/RESULTS.md`).
//! - *Woken* from outside by an eventfd that is watched like a socket, and in time by a timeout in the ring, which most waits
//!   share: to set a timer for each wait costs more than the wait.
//!
//! If the kernel refuses the ring's calls for good the ring is given up before the failing call returns, so that nothing
//! in its submission queue outlives what it points to; a new one takes its place and everything is asked for anew.
#![allow(unsafe_code)]

use std::{
    io::{self, IoSlice},
    os::fd::{AsRawFd, OwnedFd, RawFd},
    time::{Duration, Instant, SystemTime},
};

use io_uring::{IoUring, cqueue, opcode, squeue, types};

use super::{
    Doorbell, Event, Io, Job, Key, LAST_SENDS, Unfinished, Waited, What, look::Look, socket,
};

/// Sends of one submission. Large enough that the crossing into the kernel no longer counts.
const BATCH: usize = 256;

/// Entries of the submission queue: a batch, and what is asked for beside it.
const SUBMISSIONS: u32 = 1_024;

/// Entries of the completion queue. More that come at once wait in the kernel, and end what stayed armed. The kernel's
/// table of polls, through which one is forgotten, has a thirty-second of this.
const COMPLETIONS: u32 = 32_768;

/// Most sockets registered with the ring; those above are sent to by descriptor.
const MAX_REGISTERED: u32 = 65_536;

/// How often the Unix time is looked up; in between it goes on like the monotonic one.
const CLOCK_SET_EVERY: Duration = Duration::from_millis(100);

/// Calls in a row that the kernel answers with "later" before the ring is given up.
const PATIENCE: usize = 1_000;

/// What a completion is of: the upper four bits of its user data.
const READABLE: u64 = 1 << 60;
const WRITABLE: u64 = 2 << 60;
const BELL: u64 = 3 << 60;
const SEND: u64 = 4 << 60;
const TIME: u64 = 5 << 60;
const IGNORED: u64 = 6 << 60;

/// A send that has not completed.
const NOT_YET: i32 = i32::MIN;

/// A send of which nothing is heard: all of it was taken.
const WHOLE: i32 = i32::MAX;

/// The ring of one shard.
pub(crate) struct Ring {
    /// None: it failed, and another was not to be had.
    ring: Option<IoUring>,
    /// It is silent about sends that were done whole, and exact about others: from Linux 6.1 on.
    sends_silently: bool,
    registered: u32,
    bell: Doorbell,
    started: Instant,
    /// The Unix time at which the clock began, as it was last looked up, and when that was.
    epoch: Duration,
    clock_set: Option<Duration>,
    /// When timeouts in the ring will be over, the last to be set first. Only one that ends before all others is set.
    timeouts: Vec<Duration>,
    /// How long the timeout lasts that is being set: the kernel reads it when it is submitted.
    timeout: Box<types::Timespec>,
    /// Whether the next wait looks before it sleeps.
    look: Look,
    /// What was noticed while something else was awaited.
    noticed: Vec<Event>,
    /// A new ring has taken the place of one that failed.
    renewed: bool,
}

impl Ring {
    /// A ring for the calling thread, with a clock that began at `started`.
    ///
    /// # Errors
    /// io_uring is forbidden or out of memory.
    pub(crate) fn new(started: Instant) -> io::Result<Ring> {
        let mut ring = Ring {
            ring: None,
            sends_silently: false,
            registered: 0,
            bell: Doorbell::new()?,
            started,
            epoch: Duration::ZERO,
            clock_set: None,
            timeouts: Vec::new(),
            timeout: Box::default(),
            look: Look::default(),
            noticed: Vec::new(),
            renewed: false,
        };
        ring.open()?;
        ring.set_clock(ring.now());
        Ok(ring)
    }

    /// The same for a thread that has its core to itself: it may look for a little while before it sleeps.
    pub(crate) fn on_a_core_of_its_own(self, its_own: bool) -> Ring {
        Ring {
            look: Look::new(its_own),
            ..self
        }
    }

    /// Looks up the Unix time, now and then: it may be set while we run.
    fn set_clock(&mut self, now: Duration) {
        let due = self.clock_set.is_none_or(|at| now >= at + CLOCK_SET_EVERY);
        if due {
            let unix = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
            self.epoch = unix.unwrap_or_default().saturating_sub(now);
            self.clock_set = Some(now);
        }
    }

    /// What wakes this shard.
    pub(crate) fn bell(&self) -> io::Result<Doorbell> {
        self.bell.share()
    }

    fn open(&mut self) -> io::Result<()> {
        let (ring, newest) = build()?;
        self.sends_silently = newest && ring.params().is_feature_skip_cqe_on_success();
        let wanted = open_files_limit().min(MAX_REGISTERED);
        self.registered = match ring.submitter().register_files_sparse(wanted) {
            Ok(()) => wanted,
            Err(_) => 0, // before 5.19: plain descriptors
        };
        self.ring = Some(ring);
        self.timeouts.clear();
        self.listen_to_bell();
        Ok(())
    }

    /// Sees to it that a wait ends when this time has come; it may end before.
    fn wake_at(&mut self, at: Duration) {
        if self.timeouts.last().is_some_and(|&earliest| earliest <= at) {
            return;
        }
        if !self.make_room(1) {
            return; // it is looked at anew after the ring was renewed
        }
        *self.timeout = types::Timespec::from(at.saturating_sub(self.now()));
        let timeout = opcode::Timeout::new(&raw const *self.timeout);
        let timeout = timeout.build().user_data(TIME);
        if let Some(ring) = &mut self.ring {
            // SAFETY: the time is on the heap for longer than this ring lives, and the kernel copies it when the entry is
            // submitted. An entry that a failed call has left in the queue finds a newer time there, and ends a wait early.
            let pushed = unsafe { ring.submission().push(&timeout) };
            debug_assert!(pushed.is_ok(), "there is room");
            self.timeouts.push(at);
        }
    }

    fn listen_to_bell(&mut self) {
        let poll = opcode::PollAdd::new(types::Fd(self.bell.fd()), libc::POLLIN as u32).multi(true);
        self.push(poll.build().user_data(BELL));
    }

    /// Queues an entry that points to no memory.
    fn push(&mut self, entry: squeue::Entry) {
        if !self.make_room(1) {
            return; // everything will be asked for anew
        }
        if let Some(ring) = &mut self.ring {
            // SAFETY: polls and cancellations refer to no memory of ours.
            let pushed = unsafe { ring.submission().push(&entry) };
            debug_assert!(pushed.is_ok(), "there is room");
        }
    }

    /// Sees to it that so many entries can be queued. False: there is no ring, or it has just been renewed.
    fn make_room(&mut self, entries: usize) -> bool {
        for _ in 0..PATIENCE {
            let Some(ring) = &mut self.ring else {
                return false;
            };
            let queue = ring.submission();
            if queue.capacity() - queue.len() >= entries {
                return true;
            }
            drop(queue);
            if !self.enter(0) {
                return false;
            }
            self.reap(&mut []);
        }
        self.give_up(&io::Error::other("the submission queue stays full"));
        false
    }

    /// Submits what is queued and waits for so many completions. False: the ring has failed.
    fn enter(&mut self, want: usize) -> bool {
        let Some(ring) = &self.ring else {
            return false;
        };
        match ring.submit_and_wait(want) {
            Ok(_) => true,
            Err(error) if is_passing(&error) => true,
            Err(error) => {
                self.give_up(&error);
                false
            }
        }
    }

    /// Lets the ring go, with all that is in its queues, and opens another. What the old one has noticed is told by the new
    /// one again, once everything is asked for anew; told twice, it would be asked for twice.
    fn give_up(&mut self, error: &io::Error) {
        self.ring = None; // before anything else may happen: see `send_batch`
        self.noticed.clear();
        self.renewed = true;
        tracing::error!(%error, "a shard's ring has failed; it gets a new one");
        if let Err(error) = self.open() {
            tracing::error!(%error, "no new ring is to be had");
        }
    }

    /// Takes what has completed: results of sends into `sent`, everything else among what was noticed. How many sends.
    fn reap(&mut self, sent: &mut [i32]) -> usize {
        let Some(ring) = &mut self.ring else {
            return 0;
        };
        let (mut sends, mut silent) = (0, false);
        for completion in ring.completion() {
            let data = completion.user_data();
            if data & KIND == SEND {
                if let Some(result) = sent.get_mut((data & !KIND) as usize) {
                    *result = completion.result();
                    sends += 1;
                }
            } else if data == BELL {
                silent |= !cqueue::more(completion.flags());
            } else if data == TIME {
                self.timeouts.pop();
            } else if let Some(event) = event(&completion) {
                self.noticed.push(event);
            }
        }
        if silent {
            self.listen_to_bell();
        }
        sends
    }

    /// One submission's worth of sends; `results` is as long as `jobs`.
    fn send_batch(&mut self, jobs: &[Job<'_, RawFd>], results: &mut [i32]) {
        if !self.make_room(jobs.len()) {
            return;
        }
        // A new ring knows no files until all is asked for anew.
        let registered = if self.renewed { 0 } else { self.registered };
        let Some(ring) = &mut self.ring else {
            return;
        };
        let mut queue = ring.submission();
        let mut left = 0;
        for (index, job) in jobs.iter().enumerate() {
            let send = entry(index, job, registered, socket::SEND_FLAGS);
            // SAFETY: `jobs` borrows the bytes until this function returns. Before it does, either every send pushed here
            // has completed, or the ring has been dropped: `enter` gives it up when the kernel refuses its calls, and the
            // loop below when the kernel only puts it off. A dropped ring submits nothing, and no send is under way in the
            // kernel after a call has returned, because none of them waits (`MSG_DONTWAIT`). Nothing between here and
            // there runs code that is not this module's, so there is no unwinding past it.
            if unsafe { queue.push(&send) }.is_err() {
                break; // there is room; without it the rest would count as broken
            }
            left += 1;
        }
        drop(queue);
        let mut tries = 0;
        while left > 0 {
            // They complete within the call; waiting for them is for a kernel that thinks otherwise.
            if !self.enter(if tries == 0 { 0 } else { left }) {
                return;
            }
            left -= self.reap(results).min(left);
            tries += 1;
            if tries == PATIENCE {
                return self.give_up(&io::Error::other("sends do not complete"));
            }
        }
    }
}

impl Io for Ring {
    type Socket = OwnedFd;

    fn now(&self) -> Duration {
        self.started.elapsed()
    }

    fn unix(&self, mono: Duration) -> Duration {
        mono.saturating_add(self.epoch)
    }

    fn wait(
        &mut self,
        now: Duration,
        until: Option<Duration>,
        jobs: &[Job<'_, RawFd>],
        events: &mut Vec<Event>,
    ) -> io::Result<Waited> {
        let (mut written, mut unfinished) = (0, Vec::new());
        let looks = self.look.is_expected();
        let begun = if looks { self.now() } else { now };
        let only_look =
            until.is_some_and(|at| at <= begun) || !self.noticed.is_empty() || self.renewed;
        let together = self.sends_silently && !only_look && !looks && jobs.len() <= LAST_SENDS;
        if !together && !jobs.is_empty() {
            written = self.send_all(jobs, &mut unfinished);
        }
        let only_look = only_look || !unfinished.is_empty() || self.renewed;
        if only_look || self.comes_at_once(until, begun) {
            if self.has_work() {
                self.enter(0);
            }
        } else {
            if let Some(at) = until {
                self.wake_at(at);
            }
            if together && !jobs.is_empty() {
                written = self.send_and_sleep(jobs, &mut unfinished);
            } else {
                self.enter(1);
            }
        }
        let now = self.now();
        self.set_clock(now);
        if !only_look {
            self.look.waited(now.saturating_sub(begun));
        }
        self.reap(&mut []);
        events.append(&mut self.noticed);
        if self.ring.is_none() {
            return Err(io::Error::other("the shard's ring has failed"));
        }
        let renewed = std::mem::take(&mut self.renewed);
        Ok(Waited {
            now,
            written,
            unfinished,
            renewed,
        })
    }

    fn expect_more(&mut self) {
        self.look.expect();
    }

    fn watch(&mut self, key: Key, socket: &OwnedFd) {
        if self.renewed {
            return; // it will be asked for anew, and twice would be once too often
        }
        if let Some(ring) = &self.ring
            && key.slot < self.registered
        {
            // On failure a send reports a bad file, and that connection ends.
            let files = &[socket.as_raw_fd()];
            let _ = ring.submitter().register_files_update(key.slot, files);
        }
        let events = (libc::POLLIN | libc::POLLRDHUP) as u32;
        let poll = opcode::PollAdd::new(types::Fd(socket.as_raw_fd()), events).multi(true);
        self.push(poll.build().user_data(READABLE | name(key)));
    }

    fn await_writable(&mut self, key: Key, socket: &OwnedFd) {
        if self.renewed {
            return;
        }
        let poll = opcode::PollAdd::new(types::Fd(socket.as_raw_fd()), libc::POLLOUT as u32);
        self.push(poll.build().user_data(WRITABLE | name(key)));
    }

    fn forget(&mut self, key: Key, writable: bool) {
        let kinds = [Some(READABLE), writable.then_some(WRITABLE)];
        for kind in kinds.into_iter().flatten() {
            // Not `PollRemove`: that leaves a poll armed which something has just happened to, and with it the socket open.
            let cancel = opcode::AsyncCancel::new(kind | name(key));
            self.push(cancel.build().user_data(IGNORED));
        }
        if let Some(ring) = &self.ring
            && key.slot < self.registered
        {
            // The table would keep the socket open.
            let _ = ring.submitter().register_files_update(key.slot, &[-1]);
        }
    }

    fn receive(&mut self, socket: &OwnedFd, buffer: &mut [u8]) -> io::Result<usize> {
        socket::receive(socket, buffer)
    }

    fn send(&mut self, socket: &OwnedFd, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        socket::send(socket, slices)
    }

    fn send_all(&mut self, jobs: &[Job<'_, RawFd>], unfinished: &mut Vec<Unfinished>) -> u64 {
        let mut written = 0;
        for (number, batch) in jobs.chunks(BATCH).enumerate() {
            let mut results = [NOT_YET; BATCH];
            self.send_batch(batch, &mut results[..batch.len()]);
            written += outcomes(number * BATCH, batch, &results, unfinished);
        }
        written
    }

    fn shutdown_write(&mut self, socket: &OwnedFd) {
        socket::shutdown_write(socket);
    }

    fn trust(&mut self, socket: &OwnedFd) {
        socket::trust(socket);
    }

    fn widen(&mut self, socket: &OwnedFd) {
        socket::widen(socket);
    }
}

impl Ring {
    /// Sends, and sleeps until something happens, in one call. Adds the sends that were not done whole to `unfinished`; if there
    /// is one, it does not sleep. How many bytes were written.
    fn send_and_sleep(&mut self, jobs: &[Job<'_, RawFd>], unfinished: &mut Vec<Unfinished>) -> u64 {
        let mut results = [NOT_YET; LAST_SENDS];
        let results = &mut results[..jobs.len()];
        if self.submit_and_sleep(jobs, results) {
            // Of those that were done whole nothing was heard.
            for result in results.iter_mut().filter(|result| **result == NOT_YET) {
                *result = WHOLE;
            }
        }
        outcomes(0, jobs, results, unfinished)
    }

    /// False: the ring has failed, and nothing is known of any send.
    fn submit_and_sleep(&mut self, jobs: &[Job<'_, RawFd>], results: &mut [i32]) -> bool {
        if !self.make_room(jobs.len()) {
            return false;
        }
        let registered = self.registered;
        let Some(ring) = &mut self.ring else {
            return false;
        };
        // All of it or an error: what was done in part would be silent, too.
        let flags = socket::SEND_FLAGS | libc::MSG_WAITALL;
        let mut queue = ring.submission();
        for (index, job) in jobs.iter().enumerate() {
            let send = entry(index, job, registered, flags).flags(squeue::Flags::SKIP_SUCCESS);
            // SAFETY: `jobs` borrows the bytes until the caller returns. Before it does, either the queue is empty, and a send
            // that left the queue was done with when the call that took it returned, because none of them waits
            // (`MSG_DONTWAIT`); or the ring has been dropped, which submits nothing: `enter` gives it up when the kernel
            // refuses its calls, and the loop below when the kernel only puts them off. Nothing in between runs code that is
            // not this module's, so there is no unwinding past it.
            let pushed = unsafe { queue.push(&send) };
            debug_assert!(pushed.is_ok(), "there is room");
        }
        drop(queue);
        let mut goes_on = self.enter(1);
        for _ in 0..PATIENCE {
            self.reap(results);
            let queued = |ring: &mut IoUring| !ring.submission().is_empty();
            if !goes_on || !self.ring.as_mut().is_some_and(queued) {
                return goes_on;
            }
            goes_on = self.enter(0);
        }
        self.give_up(&io::Error::other("sends are not taken"));
        false
    }

    /// Looks, if it is worth while, whether anything happens before that time.
    fn comes_at_once(&mut self, until: Option<Duration>, now: Duration) -> bool {
        let Some(end) = self.look.until(now) else {
            return false;
        };
        let end = until.map_or(end, |at| at.min(end));
        loop {
            // Without the flags of newer kernels completions come by themselves.
            let ring = self.ring.as_mut();
            let completed = ring.is_some_and(|ring| !ring.completion().is_empty());
            if completed || self.has_work() {
                return true;
            }
            if self.now() >= end {
                return false;
            }
            std::hint::spin_loop();
        }
    }

    /// Whether there is anything to tell the kernel, or it has anything to do for us.
    fn has_work(&mut self) -> bool {
        self.ring.as_mut().is_some_and(|ring| {
            let queue = ring.submission();
            !queue.is_empty() || queue.taskrun() || queue.cq_overflow()
        })
    }
}

/// The newest setup that the kernel knows.
fn build() -> io::Result<(IoUring, bool)> {
    let newest = IoUring::builder()
        .setup_single_issuer()
        .setup_defer_taskrun()
        .setup_taskrun_flag()
        .setup_submit_all()
        .setup_clamp()
        .setup_cqsize(COMPLETIONS)
        .build(SUBMISSIONS);
    newest.map(|ring| (ring, true)).or_else(|_| {
        let older = IoUring::builder()
            .setup_clamp()
            .setup_cqsize(COMPLETIONS)
            .build(SUBMISSIONS);
        older.map(|ring| (ring, false))
    })
}

/// The send of a job, and what its completion is told by.
fn entry(index: usize, job: &Job<'_, RawFd>, registered: u32, flags: i32) -> squeue::Entry {
    let length = u32::try_from(job.bytes.len()).unwrap_or(u32::MAX);
    let at = job.bytes.as_ptr();
    let send = if job.slot < registered {
        opcode::Send::new(types::Fixed(job.slot), at, length)
            .flags(flags)
            .build()
    } else {
        opcode::Send::new(types::Fd(job.socket), at, length)
            .flags(flags)
            .build()
    };
    send.user_data(SEND | index as u64)
}

/// Adds the jobs that were not done whole to `unfinished`, the first of them job number `first`. How many bytes were written.
fn outcomes(
    first: usize,
    jobs: &[Job<'_, RawFd>],
    results: &[i32],
    unfinished: &mut Vec<Unfinished>,
) -> u64 {
    let mut written = 0;
    for (index, (job, &result)) in jobs.iter().zip(results).enumerate() {
        let outcome = match usize::try_from(result) {
            Ok(count) if result == WHOLE || count == job.bytes.len() => {
                written += job.bytes.len() as u64;
                continue;
            }
            Ok(count) => {
                written += count as u64;
                Ok(count)
            }
            // Nothing is known of it: its stream can't go on.
            Err(_) if result == NOT_YET => Err(io::Error::other("the ring failed")),
            Err(_) => Err(io::Error::from_raw_os_error(-result)),
        };
        unfinished.push(Unfinished {
            job: first + index,
            outcome,
        });
    }
    written
}

/// Errors after which the same call may succeed: a signal, a want of memory, completions that wait to be taken.
fn is_passing(error: &io::Error) -> bool {
    matches!(
        error.raw_os_error(),
        Some(libc::EINTR | libc::EAGAIN | libc::EBUSY)
    )
}

/// The bits of user data that say what it is of.
const KIND: u64 = 15 << 60;

/// A connection within user data.
fn name(key: Key) -> u64 {
    u64::from(key.generation) << 32 | u64::from(key.slot)
}

/// What a completed poll says; nothing if it was cancelled.
fn event(completion: &cqueue::Entry) -> Option<Event> {
    let (data, result) = (completion.user_data(), completion.result());
    let over = data & KIND == READABLE && !cqueue::more(completion.flags());
    let what = match data & KIND {
        _ if result == -libc::ECANCELED => return None,
        READABLE | WRITABLE if result < 0 => What::Broken,
        READABLE => What::Readable {
            to_end: result & i32::from(libc::POLLRDHUP | libc::POLLHUP | libc::POLLERR) != 0,
        },
        WRITABLE => What::Writable,
        _ => return None,
    };
    Some(Event {
        key: Key {
            slot: data as u32,
            generation: (data >> 32) as u32 & Key::GENERATIONS,
        },
        what,
        over,
    })
}

fn open_files_limit() -> u32 {
    // Where it can't be read: what a process gets at the least.
    let soft = rlimit::Resource::NOFILE
        .get()
        .map_or(1_024, |(soft, _)| soft);
    u32::try_from(soft).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests;
