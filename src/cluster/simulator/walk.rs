//! One walk: trouble, then quiet, then everything must be well.

use std::time::Duration;

use bytes::Bytes;

use super::{
    Chance,
    book::Book,
    bus::Bus,
    locks::{Lock, Locks},
    outcome::{Outcome, shown},
    process::Process,
};
use crate::{Destination, Lease, Output, Standing};

/// How long after the end of all trouble everything must be well.
const PATIENCE: Duration = Duration::from_secs(30);
/// What a lane may keep, with the one envelope that was too much.
const MOST_KEPT: usize = 33 * 1024 * 1024;
const MOST_AHEAD: usize = 8 * 1024 * 1024;
/// Room on the way to a process where there is no fault.
const ROOM: usize = 1 << 16;

fn ms(ms: usize) -> Duration {
    Duration::from_millis(ms as u64)
}

/// What a walk has of each kind of trouble, in 1,024ths.
#[derive(Debug)]
struct Weather {
    pause: usize,
    kill: usize,
    cut: usize,
    cut_locks: usize,
    bus: usize,
    locks: usize,
    delay: usize,
    slow: usize,
    burst: usize,
    disturb: usize,
}

/// A place for a process: it is there, or starts at some time.
#[derive(Debug)]
struct Place {
    process: Option<Process>,
    slot: u8,
    starts: Duration,
    /// The bus comes back to it then.
    heals: Option<Duration>,
    /// What makes its connection bad ends then.
    recovers: Option<Duration>,
}

#[derive(Debug)]
pub(super) struct Walk {
    now: Duration,
    chance: Chance,
    bus: Bus,
    locks: Locks,
    places: Vec<Place>,
    book: Book,
    weather: Weather,
    processes: u64,
    next_trouble: Duration,
    trouble_ends: Duration,
    bus_returns: Option<Duration>,
    locks_return: Option<Duration>,
    large: bool,
    outcome: Outcome,
    tells: bool,
    pub(super) history: Vec<String>,
}

impl Walk {
    pub(super) fn new(seed: u64, tells: bool) -> Walk {
        let mut chance = Chance::new(seed);
        let some = |chance: &mut Chance, most: usize| match chance.happens(400) {
            true => chance.below(most),
            false => 0,
        };
        let weather = Weather {
            pause: some(&mut chance, 60),
            kill: some(&mut chance, 60),
            cut: some(&mut chance, 60),
            cut_locks: some(&mut chance, 60),
            bus: some(&mut chance, 40),
            locks: some(&mut chance, 40),
            delay: some(&mut chance, 60),
            slow: some(&mut chance, 60),
            burst: some(&mut chance, 60),
            disturb: some(&mut chance, 100),
        };
        let count = 2 + chance.below(4);
        let mut bus = Bus::default();
        bus.is_up = true;
        let mut locks = Locks::default();
        locks.is_up = true;
        bus.connections.resize_with(count, Default::default);
        let places = (0..count).map(|slot| Place {
            process: None,
            slot: slot as u8,
            starts: ms(chance.below(2_000)),
            heals: None,
            recovers: None,
        });
        let places = places.collect();
        let trouble_ends = ms(4_000 + chance.below(10_000));
        Walk {
            now: Duration::ZERO,
            bus,
            locks,
            places,
            book: Book::default(),
            weather,
            processes: 0,
            next_trouble: ms(chance.below(3_000)),
            trouble_ends,
            bus_returns: None,
            locks_return: None,
            large: chance.happens(20),
            outcome: Outcome::default(),
            chance,
            tells,
            history: Vec::new(),
        }
    }

    fn tell(&mut self, what: impl FnOnce() -> String) {
        if self.tells {
            let line = format!("{:>9.4} {}", self.now.as_secs_f64(), what());
            self.history.push(line);
        }
    }

    pub(super) fn run(&mut self) -> Result<Outcome, String> {
        while self.now < self.trouble_ends {
            self.step(self.trouble_ends)?;
        }
        self.end_trouble();
        let quiet = self.now;
        for place in self
            .places
            .iter_mut()
            .filter_map(|place| place.process.as_mut())
        {
            place.next_talk = quiet + ms(100);
        }
        let mut look = quiet + ms(1_000);
        loop {
            while self.now < look {
                self.step(look)?;
            }
            let Some(problem) = self.problem() else { break };
            if look > quiet + PATIENCE {
                return Err(format!("{:?} after all: {problem}", self.now - quiet));
            }
            look += ms(250);
        }
        self.outcome.healed_ms = (self.now - quiet).as_millis() as u64;
        self.outcome.heard = self.book.heard;
        self.outcome.breaks = self.book.breaks;
        self.outcome.lost = self.bus.lost;
        for at in 0..self.places.len() {
            self.count_lanes(at);
        }
        Ok(self.outcome)
    }

    fn count_lanes(&mut self, at: usize) {
        if let Some(process) = &self.places[at].process {
            for lane in process.node.figures().lanes {
                self.outcome.nacks += lane.nacks;
                self.outcome.repairs += lane.repairs;
            }
        }
    }

    /// Goes on to whatever is next.
    fn step(&mut self, until: Duration) -> Result<(), String> {
        let mut next = until.min(self.bus.next().unwrap_or(until));
        for place in &self.places {
            let own = place.process.as_ref().map_or(place.starts, Process::due);
            next = next.min(own);
            next = next.min(place.heals.unwrap_or(until));
            next = next.min(place.recovers.unwrap_or(until));
        }
        next = next.min(self.bus_returns.unwrap_or(until));
        next = next.min(self.locks_return.unwrap_or(until));
        if self.now < self.trouble_ends {
            next = next.min(self.next_trouble);
        }
        self.now = self.now.max(next);
        self.heal();
        if self.now >= self.next_trouble && self.now < self.trouble_ends {
            self.next_trouble = self.now + ms(50);
            self.trouble()?;
        }
        if let Some((at, bytes)) = self.bus.step(self.now, &mut self.chance) {
            self.arrive(at, bytes)?;
        }
        for at in 0..self.places.len() {
            let place = &self.places[at];
            match &place.process {
                Some(process) if process.due() <= self.now => self.act(at)?,
                None if place.starts <= self.now => self.start(at)?,
                _ => {}
            }
        }
        Ok(())
    }

    fn start(&mut self, at: usize) -> Result<(), String> {
        self.processes += 1;
        let (id, slot) = (self.processes, self.places[at].slot);
        let started = Process::start(self.now, id, slot, &mut self.locks, &mut self.chance);
        let Some(process) = started else {
            self.places[at].starts = self.now + ms(250);
            return Ok(());
        };
        let slot = process.slot;
        self.tell(|| format!("#{at} starts in slot {slot}"));
        self.places[at].slot = slot;
        self.places[at].process = Some(process);
        self.places[at].heals = Some(self.now);
        self.bus.connections[at].delay_ms = 0;
        self.bus.connections[at].room = ROOM;
        self.drain(at)
    }

    fn arrive(&mut self, at: usize, bytes: Bytes) -> Result<(), String> {
        let now = self.now;
        let room = self.bus.connections[at].room.min(1_024);
        let Some(process) = self.places[at].process.as_mut() else {
            return Ok(());
        };
        if process.paused_until > now {
            if process.inbox.len() < room {
                process.inbox.push(bytes);
            }
            return Ok(());
        }
        process.node.on_message(now, bytes);
        self.drain(at)
    }

    /// A process does what is due.
    fn act(&mut self, at: usize) -> Result<(), String> {
        let now = self.now;
        let Some(process) = self.places[at].process.as_mut() else {
            return Ok(());
        };
        process.check_clock(now);
        for bytes in std::mem::take(&mut process.inbox) {
            process.node.on_message(now, bytes);
        }
        self.drain(at)?;
        let Some(process) = self.places[at].process.as_mut() else {
            return Ok(());
        };
        process.bus_news.sort();
        while let Some(&(due, is_up)) = process.bus_news.first().filter(|news| news.0 <= now) {
            debug_assert!(due <= now);
            process.bus_news.remove(0);
            process.node.on_bus(now, is_up);
        }
        let fenced = std::mem::take(&mut process.fenced);
        for (due, slot, taken) in fenced {
            match due <= now {
                true => process.node.on_fenced(now, slot, taken),
                false => process.fenced.push((due, slot, taken)),
            }
        }
        if process.new_life.is_some_and(|due| due <= now) {
            process.new_life = None;
            process.node.begin_life(now, self.chance.next());
        }
        if process.next_look <= now {
            process.next_look = now + ms(250);
            process.look(now, &mut self.locks);
            self.measure(at)?;
        }
        let Some(process) = self.places[at].process.as_mut() else {
            return Ok(());
        };
        if process.node.deadline() <= now {
            process.node.on_time(now);
        }
        self.drain(at)?;
        self.talk(at)
    }

    /// Nothing may grow without end.
    fn measure(&mut self, at: usize) -> Result<(), String> {
        let Some(process) = self.places[at].process.as_ref() else {
            return Ok(());
        };
        self.outcome.congested += u64::from(process.node.is_congested(self.now));
        for lane in process.node.figures().lanes {
            if lane.unacked_bytes > MOST_KEPT || lane.ahead_bytes > MOST_AHEAD {
                return Err(format!("#{at} keeps too much: {lane:?}"));
            }
        }
        Ok(())
    }

    fn talk(&mut self, at: usize) -> Result<(), String> {
        let now = self.now;
        let Some(process) = self.places[at].process.as_mut() else {
            return Ok(());
        };
        if process.next_talk > now {
            return Ok(());
        }
        process.next_talk = match now >= self.trouble_ends {
            true => Duration::MAX,
            false => now + ms(1 + self.chance.below(300)),
        };
        for _ in 0..1 + self.chance.below(4) {
            self.say(at, 16);
        }
        // What is said is sent a while later at times, when something else has come between.
        if now < self.trouble_ends && self.chance.happens(300) {
            return Ok(());
        }
        self.flush(at)
    }

    fn say(&mut self, at: usize, bytes: usize) {
        let Some(process) = self.places[at].process.as_mut() else {
            return;
        };
        let others = process.others();
        if others.is_empty() {
            return;
        }
        let own = process.standing.incarnation;
        if self.chance.happens(512) {
            let lives = others.iter().map(|other| other.1);
            let letter = self.book.say(own, lives, bytes);
            process.node.say(Destination::All, letter);
        } else {
            let (node, life) = others[self.chance.below(others.len())];
            let letter = self.book.say(own, std::iter::once(life), bytes);
            process.node.say(Destination::Node(node), letter);
        }
    }

    fn flush(&mut self, at: usize) -> Result<(), String> {
        if let Some(process) = self.places[at].process.as_mut() {
            process.node.flush(self.now);
        }
        self.drain(at)
    }

    /// Carries out what a node wants done; whoever is new, or whose lane has broken, is told what this one has.
    fn drain(&mut self, at: usize) -> Result<(), String> {
        loop {
            let mut fresh = Vec::new();
            loop {
                let process = self.places[at].process.as_mut();
                let Some(output) = process.and_then(|process| process.node.poll()) else {
                    break;
                };
                self.carry_out(at, output, &mut fresh)?;
            }
            let Some(process) = self.places[at].process.as_mut() else {
                return Ok(());
            };
            if fresh.is_empty() {
                return Ok(());
            }
            for (node, life) in process.others() {
                if fresh.contains(&node) {
                    let own = process.standing.incarnation;
                    let letter = self.book.say(own, std::iter::once(life), 16);
                    process.node.say(Destination::Node(node), letter);
                }
            }
            process.node.flush(self.now);
        }
    }

    fn carry_out(&mut self, at: usize, output: Output, fresh: &mut Vec<u8>) -> Result<(), String> {
        let now = self.now;
        if !matches!(output, Output::Publish(..) | Output::Letter { .. }) {
            self.tell(|| format!("#{at} {}", shown(&output)));
        }
        let Some(process) = self.places[at].process.as_mut() else {
            return Ok(());
        };
        match output {
            Output::Publish(subject, bytes) => {
                let said = (subject, bytes);
                self.bus.publish(now, at, said, &mut self.chance);
            }
            Output::Letter { from, bytes } => {
                let heard = self.book.hear(&process.standing, from, &bytes);
                heard.map_err(|why| format!("#{at}: {why}"))?;
            }
            Output::Standing(standing) => {
                self.book.believe(process.id, &standing)?;
                self.is_one_view(&standing)?;
                let Some(process) = self.places[at].process.as_mut() else {
                    return Ok(());
                };
                let is_same_life = standing.incarnation == process.standing.incarnation;
                let before = if is_same_life {
                    process.others()
                } else {
                    Vec::new()
                };
                process.standing = standing;
                let after = process.others();
                let own = process.standing.incarnation;
                for (node, life) in after.into_iter().filter(|other| !before.contains(other)) {
                    self.book.begin(own, life);
                    fresh.push(node);
                }
            }
            Output::LaneBroken(node) => {
                self.book.broke(&process.standing, node);
                fresh.push(node);
            }
            Output::Want(lease, wants) => process.want(now, lease, wants, &mut self.locks),
            Output::Fence(slot) => {
                self.outcome.fenced += 1;
                process.fence(now, slot, &mut self.locks);
            }
            Output::NewLife => {
                self.outcome.lives += 1;
                process.new_life = Some(now + ms(self.chance.below(50)));
            }
            Output::Displaced => {
                self.outcome.displaced += 1;
                self.kill(at, false);
            }
        }
        Ok(())
    }

    /// No two views of one number are believed at a time, by those who can hear of each other. (All others of a lobby may have gone
    /// while one was away; it begins anew then, from the first number.)
    fn is_one_view(&self, new: &Standing) -> Result<(), String> {
        for place in &self.places {
            let process = place.process.as_ref();
            let process = process.filter(|process| process.paused_until <= self.now);
            let Some(process) = process.filter(|_| place.heals.is_none()) else {
                continue;
            };
            let view = &process.standing.view;
            let is_island = new.is_island || process.standing.is_island;
            if new.view.number == view.number && new.view != *view && !is_island {
                return Err(format!("two views: {view:?}, {:?}", new.view));
            }
        }
        Ok(())
    }

    fn kill(&mut self, at: usize, is_machine: bool) {
        self.count_lanes(at);
        self.bus.cut(at);
        if let Some(process) = self.places[at].process.take() {
            // Of a machine that goes silent the database hears no end.
            if let Some(session) = process.session.filter(|_| !is_machine) {
                self.locks.close(session);
            }
        }
        self.places[at].starts = self.now + ms(500 + self.chance.below(4_000));
    }

    fn cut(&mut self, at: usize, for_ms: usize) {
        let now = self.now;
        self.bus.cut(at);
        self.places[at].heals = Some(now + ms(for_ms));
        let noticed = now + ms(self.chance.below(1_500));
        if let Some(process) = self.places[at].process.as_mut() {
            process.bus_news.push((noticed, false));
        }
    }

    /// What was bad for a time is good again.
    fn heal(&mut self) {
        let now = self.now;
        let is_due = |at: Option<Duration>| at.is_some_and(|at| at <= now);
        if is_due(self.bus_returns) {
            self.bus_returns = None;
            self.bus.is_up = true;
            self.tell(|| "the bus is back".into());
        }
        if is_due(self.locks_return) {
            self.locks_return = None;
            self.locks.is_up = true;
            self.tell(|| "the locks are back".into());
        }
        for at in 0..self.places.len() {
            let place = &mut self.places[at];
            if is_due(place.heals) && self.bus.is_up {
                place.heals = None;
                if let Some(process) = place.process.as_mut() {
                    process.bus_news.clear();
                    process.bus_news.push((now, false));
                    process.bus_news.push((now + ms(1), true));
                    self.bus.connect(at, process.slot);
                    self.tell(|| format!("#{at} has the bus"));
                }
            } else if is_due(place.heals) {
                place.heals = self.bus_returns.map(|at| at + ms(self.chance.below(1_000)));
            }
            let place = &mut self.places[at];
            if is_due(place.recovers) {
                place.recovers = None;
                self.bus.connections[at].delay_ms = 0;
                self.bus.connections[at].room = ROOM;
            }
        }
    }

    fn end_trouble(&mut self) {
        let now = self.now;
        self.tell(|| "quiet".into());
        self.bus_returns = self.bus_returns.map(|_| now);
        self.locks_return = self.locks_return.map(|_| now);
        for place in &mut self.places {
            place.heals = place.heals.map(|_| now);
            place.recovers = place.recovers.map(|_| now);
            place.starts = place.starts.min(now + ms(1_000));
            if let Some(process) = place.process.as_mut() {
                process.paused_until = process.paused_until.min(now);
                process.cut_from_locks_until = now;
            }
        }
    }

    fn trouble(&mut self) -> Result<(), String> {
        let at = self.chance.below(self.places.len());
        let now = self.now;
        if self.chance.happens(self.weather.bus) && self.bus_returns.is_none() {
            let for_ms = 300 + self.chance.below(8_000);
            self.tell(|| format!("the bus is gone for {for_ms} ms"));
            self.bus.is_up = false;
            self.bus_returns = Some(now + ms(for_ms));
            for at in 0..self.places.len() {
                let more = self.chance.below(1_000);
                self.cut(at, for_ms + more);
            }
        }
        if self.chance.happens(self.weather.locks) && self.locks_return.is_none() {
            let for_ms = 300 + self.chance.below(10_000);
            self.tell(|| format!("the locks are gone for {for_ms} ms"));
            self.locks.crash();
            self.locks_return = Some(now + ms(for_ms));
        }
        if self.places[at].process.is_none() {
            return Ok(());
        }
        if self.chance.happens(self.weather.cut) && self.places[at].heals.is_none() {
            let for_ms = 100 + self.chance.below(9_000);
            self.tell(|| format!("#{at} is cut off for {for_ms} ms"));
            self.cut(at, for_ms);
        }
        if self.chance.happens(self.weather.delay) {
            let delay = 10 + self.chance.below(2_000);
            self.tell(|| format!("#{at} is slow: {delay} ms"));
            self.bus.connections[at].delay_ms = delay;
            self.places[at].recovers = Some(now + ms(self.chance.below(4_000)));
        }
        if self.chance.happens(self.weather.slow) {
            let room = self.chance.below(30);
            self.tell(|| format!("#{at} has room for {room}"));
            self.bus.connections[at].room = room;
            self.places[at].recovers = Some(now + ms(self.chance.below(4_000)));
        }
        if self.chance.happens(self.weather.disturb) {
            self.bus.disturb(now, at, &mut self.chance);
        }
        self.trouble_of_process(at)
    }

    fn trouble_of_process(&mut self, at: usize) -> Result<(), String> {
        let now = self.now;
        let Some(process) = self.places[at].process.as_mut() else {
            return Ok(());
        };
        if self.chance.happens(self.weather.cut_locks) {
            let for_ms = 300 + self.chance.below(12_000);
            process.cut_from_locks_until = now + ms(for_ms);
            self.tell(|| format!("#{at} is cut from the locks for {for_ms} ms"));
        } else if self.chance.happens(self.weather.pause) {
            let most = if self.chance.happens(512) {
                1_500
            } else {
                12_000
            };
            let for_ms = 50 + self.chance.below(most);
            process.paused_until = process.paused_until.max(now + ms(for_ms));
            self.tell(|| format!("#{at} stands still for {for_ms} ms"));
        } else if self.chance.happens(self.weather.kill) && process.paused_until <= now {
            if self.chance.happens(512) {
                let is_machine = self.chance.happens(512);
                self.outcome.kills += 1;
                self.tell(|| format!("#{at} is killed"));
                self.kill(at, is_machine);
            } else {
                self.outcome.farewells += 1;
                process.node.retire(now);
                process.node.leave(now);
                self.tell(|| format!("#{at} leaves"));
                self.drain(at)?;
                self.bus.end(at);
                self.kill(at, false);
            }
        } else if self.chance.happens(self.weather.burst) && process.paused_until <= now {
            let (count, bytes) = match self.large {
                true => (100 + self.chance.below(200), 250 * 1024),
                false => (self.chance.below(600), 16 + self.chance.below(2_000)),
            };
            for _ in 0..count {
                self.say(at, bytes);
                self.drain(at)?;
            }
            self.flush(at)?;
        }
        Ok(())
    }

    /// What is not as it must be after some quiet.
    fn problem(&self) -> Option<String> {
        let mut processes = Vec::new();
        for (at, place) in self.places.iter().enumerate() {
            let Some(process) = &place.process else {
                return Some(format!("#{at} is not there"));
            };
            processes.push(process);
        }
        let first = &processes.first()?.standing;
        let mut lives = Vec::new();
        for process in &processes {
            let standing = &process.standing;
            lives.push(standing.incarnation);
            let own = standing.view.member(process.slot);
            let is_in = own.map(|own| own.incarnation) == Some(standing.incarnation);
            let agrees = standing.view == first.view && standing.leases == first.leases;
            if !is_in || !agrees || standing.is_island {
                return Some(format!("{standing:?}, beside {first:?}"));
            }
            let lanes = process.node.figures().lanes;
            if let Some(lane) = lanes
                .iter()
                .find(|lane| lane.unacked_bytes + lane.ahead_bytes > 0)
            {
                return Some(format!("under way from {}: {lane:?}", process.slot));
            }
        }
        if first.view.members.len() != processes.len() {
            return Some(format!("strangers in {:?}", first.view));
        }
        self.problem_of_leases(&processes)
            .or_else(|| self.book.missing(&lives))
    }

    fn problem_of_leases(&self, processes: &[&Process]) -> Option<String> {
        let leases = &processes.first()?.standing.leases;
        let believed = [
            (Lease::Coordinator, leases.coordinator),
            (Lease::Outside, leases.outside),
            (Lease::Single, leases.single),
        ];
        for (lease, holder) in believed {
            let session = self.locks.holder(Lock::Lease(lease));
            let mut holders = processes
                .iter()
                .filter(|process| process.session == session);
            let real = holders.next().filter(|_| session.is_some());
            let real = real.map(|process| (process.slot, process.held.get(&lease).copied()));
            if real != holder.map(|holder| (holder.node, Some(holder.term))) {
                return Some(format!("{lease:?} is held by {real:?}, not {holder:?}"));
            }
        }
        let leaders = processes
            .iter()
            .filter(|process| process.held.contains_key(&Lease::Lead));
        let leaders = leaders.count();
        (leaders != 1).then(|| format!("{leaders} leaders"))
    }
}
