//! A node of a lobby: what it hears, who it believes is in, and what it says. The parts are put together here.
//!
//! An **island** is a node that has lost touch: without its slot's lock, without the bus, outside the newest view, or without a
//! leader for long. Its lanes go on as long as its life does; it only gives nothing out that others must not give out too.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;

use crate::{
    Destination, Dropped, Figures, Holder, Lease, Leases, Member, Output, Setup, Standing, Subject,
    beat::{Beat, LaneReport, News},
    envelope::{self, Said, Sender},
    hearing::Hearing,
    holdings::Holdings,
    lanes::Lanes,
    leader::{LISTENS, Leadership, Situation},
    membership::{Change, Membership},
    out::Out,
    peers::{Peers, SPEAKS},
};

/// How often a node says that it is there.
const BEAT_EVERY: Duration = Duration::from_millis(100);
/// A node that hears a leader and is not let in for so long asks as another life: this one may have been put out.
const PATIENCE: Duration = Duration::from_secs(5);
/// A node that is new leaves the lead to those who were in for so long.
const MODESTY: Duration = Duration::from_secs(5);

/// How far a life is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Living,
    /// It is over, and the next one has not begun.
    Over,
    /// There will be no other.
    Ended,
}

/// A node of a lobby: inputs are its methods, outputs are what `poll` gives.
///
/// The time of each input is that of a clock that never goes back, the same for all.
#[derive(Debug)]
pub struct Node {
    own: Member,
    phase: Phase,
    now: Duration,
    out: Out,
    lanes: Lanes,
    peers: Peers,
    hearing: Hearing,
    holdings: Holdings,
    membership: Membership,
    leadership: Leadership,
    has_slot: bool,
    is_retired: bool,
    /// Since when it hears a leader and is not let in.
    asks_since: Option<Duration>,
    beats: u64,
    next_beat: Duration,
    last_look: Duration,
    standing: Arc<Standing>,
    island_since: Duration,
    island_time: Duration,
}

impl Node {
    /// A node that comes in. Its driver holds its slot's lock; the bus is not there yet.
    pub fn new(setup: Setup, now: Duration) -> Self {
        let mut end = setup.version.len().min(Setup::VERSION_BYTES);
        while !setup.version.is_char_boundary(end) {
            end -= 1;
        }
        let own = Member {
            node: setup.node,
            incarnation: setup.incarnation,
            shards: setup.shards.max(1),
            version: setup.version[..end].into(),
        };
        let membership = Membership::new(own.clone());
        let standing = Arc::new(Standing {
            node: own.node,
            incarnation: own.incarnation,
            view: Arc::clone(membership.view()),
            is_island: true,
            is_in_touch: false,
            leases: Leases::default(),
        });
        let mut out = Out::new(Sender {
            node: own.node,
            incarnation: own.incarnation,
        });
        out.push(Output::Standing(Arc::clone(&standing)));
        Node {
            own,
            phase: Phase::Living,
            now,
            out,
            lanes: Lanes::default(),
            peers: Peers::default(),
            hearing: Hearing::default(),
            holdings: Holdings::default(),
            membership,
            leadership: Leadership::default(),
            has_slot: true,
            is_retired: false,
            asks_since: None,
            beats: 0,
            next_beat: now,
            last_look: now,
            standing,
            island_since: now,
            island_time: Duration::ZERO,
        }
    }

    /// The connection to the bus is there, with all subscriptions, or has gone.
    pub fn on_bus(&mut self, now: Duration, is_up: bool) {
        self.listen(now);
        self.out.is_up = is_up;
        self.next_beat = self.now;
        self.settle();
    }

    /// Something has come on one of the three subjects.
    pub fn on_message(&mut self, now: Duration, bytes: Bytes) {
        self.listen(now);
        if self.phase == Phase::Ended {
            return;
        }
        let (from, said) = match envelope::read(bytes, self.out.own) {
            Ok(read) => read,
            Err(why) => return self.out.drop(why),
        };
        let (now, out) = (self.now, &mut self.out);
        match said {
            Said::Beat(_) if from == out.own => self.on_echo(said),
            Said::Beat(body) => self.on_beat(from, &body),
            // What is said to all comes back.
            _ if from == out.own => {}
            Said::NotForUs => {}
            Said::Letters(place, letters) => {
                self.lanes.on_letters(now, from, (place, letters), out);
            }
            Said::Nack {
                generation,
                first,
                last,
            } => {
                let numbers = (first, last);
                self.lanes.on_nack(now, from, generation, numbers, out);
            }
            Said::Ack { generation, number } => {
                self.lanes.on_ack(now, from, generation, number, out);
            }
        }
        self.hurry();
    }

    /// Whether its slot's lock is held, as far as is known.
    pub fn on_slot(&mut self, now: Duration, is_held: bool) {
        self.listen(now);
        if self.has_slot != is_held {
            self.has_slot = is_held;
            self.next_beat = self.now;
        }
        self.settle();
    }

    /// A lease is held under that term, or is not held.
    pub fn on_lease(&mut self, now: Duration, lease: Lease, term: Option<u64>) {
        self.listen(now);
        self.holdings.set(lease, term);
        self.next_beat = self.now;
        self.settle();
    }

    /// The answer to `Output::Fence`: whether the lock of that slot could be taken. It was given up again.
    pub fn on_fenced(&mut self, now: Duration, slot: u8, taken: bool) {
        self.listen(now);
        self.leadership.on_fenced(slot, taken);
    }

    /// Time has passed: due at `deadline`.
    pub fn on_time(&mut self, now: Duration) {
        self.listen(now);
        if self.phase == Phase::Ended {
            return;
        }
        if self.now >= self.next_beat {
            self.look();
        }
        self.lanes.on_time(self.now, &mut self.out);
    }

    /// When `on_time` wants to be called.
    pub fn deadline(&self) -> Duration {
        if self.phase == Phase::Ended {
            return Duration::MAX;
        }
        let lanes = self.lanes.deadline();
        lanes.map_or(self.next_beat, |lanes| lanes.min(self.next_beat))
    }

    /// Has a letter sent with the next `flush`; in one order with all others to the same node, whether they are to all or not.
    ///
    /// One of more than [`MAX_LETTER`](crate::MAX_LETTER) bytes, and one for no member, is dropped and counted.
    pub fn say(&mut self, to: Destination, letter: Bytes) {
        self.lanes.say(to, &letter, &mut self.out);
    }

    /// Makes envelopes of what was said. To be called once a turn of the bus.
    pub fn flush(&mut self, now: Duration) {
        self.listen(now);
        self.lanes.flush(self.now, &mut self.out);
        self.hurry();
    }

    /// What is to be done next. To be called until there is nothing.
    pub fn poll(&mut self) -> Option<Output> {
        self.out.pop()
    }

    /// The answer to `Output::NewLife`: it comes in again, under an incarnation that was drawn for it.
    pub fn begin_life(&mut self, now: Duration, incarnation: u64) {
        self.listen(now);
        if self.phase != Phase::Over {
            return;
        }
        self.phase = Phase::Living;
        self.own.incarnation = incarnation;
        self.out.own.incarnation = incarnation;
        self.membership.begin_life(incarnation);
        self.hearing.forget();
        self.beats = 0;
        self.asks_since = None;
        self.next_beat = self.now;
        self.settle();
    }

    /// This life is over because what it had to say was lost before it was said: it comes in again as another one.
    pub fn start_over(&mut self, now: Duration) {
        self.listen(now);
        if self.phase == Phase::Living {
            self.end_life();
        }
    }

    /// Whether so much is under way that less should be said; for a second at a time at the most.
    pub fn is_congested(&self, now: Duration) -> bool {
        self.lanes.is_congested(now)
    }

    /// How many of its beats have come back, and how long the last one took.
    pub fn echo(&self) -> (u64, Duration) {
        (self.hearing.echoes, self.hearing.latency)
    }

    /// What it counts.
    pub fn figures(&self) -> Figures {
        let standing = &self.standing;
        let island = match standing.is_island {
            true => self.now.saturating_sub(self.island_since),
            false => Duration::ZERO,
        };
        Figures {
            members: match standing.view.number {
                0 => 0,
                _ => standing.view.members.len(),
            },
            view: standing.view.number,
            is_island: standing.is_island,
            island_time: self.island_time + island,
            has_slot: self.has_slot,
            held: self.holdings.held(),
            terms: self.holdings.terms(),
            lanes: self.lanes.figures(),
            echoes: self.hearing.echoes,
            latency: self.hearing.latency,
            dropped: self.out.dropped(),
        }
    }

    /// Gives up what others can do as well, and stays a member: the first half of an orderly end.
    pub fn retire(&mut self, now: Duration) {
        self.listen(now);
        self.is_retired = true;
        self.settle();
    }

    /// The second half: what was said is sent, and the others are told that they need not wait for a timeout. Nothing comes out
    /// afterwards, once `poll` has given the rest.
    pub fn leave(&mut self, now: Duration) {
        self.listen(now);
        if self.phase == Phase::Ended {
            return;
        }
        self.lanes.flush(self.now, &mut self.out);
        let farewell = match self.situation() {
            Some(at) if self.membership.is_in() => self.leadership.farewell(&at),
            _ => None,
        };
        if self.phase == Phase::Living {
            let mut beat = self.beat();
            beat.leaves = true;
            if let Some(news) = farewell {
                beat.view = news.id;
                beat.highest = news.id.number;
                beat.news = Some(news);
            }
            self.publish_beat(&beat);
        }
        self.phase = Phase::Ended;
        self.settle();
    }

    /// The time is now. After a pause the bus is not believed to be there before something has come back.
    fn listen(&mut self, now: Duration) {
        self.now = self.now.max(now);
        let heard = self.hearing.hears();
        self.hearing.look(self.now);
        if heard && !self.hearing.hears() {
            self.membership.forget_leader();
            self.settle();
        }
    }

    /// A lane has broken: the other end is to hear of it soon.
    fn hurry(&mut self) {
        if self.lanes.has_broken() {
            self.next_beat = self.now;
        }
    }

    /// Looks who is there, and says that this node is.
    fn look(&mut self) {
        let passed = self.now.saturating_sub(self.last_look);
        self.last_look = self.now;
        self.next_beat = self.now + BEAT_EVERY;
        self.peers.forget(self.now);
        self.lanes.pass(passed, &mut self.out);
        self.lead();
        self.settle();
        self.lose_patience();
        if self.is_displaced() {
            self.lanes.end(&mut self.out);
            self.phase = Phase::Ended;
            self.settle();
            self.out.push(Output::Displaced);
        }
        if self.phase == Phase::Living {
            let beat = self.beat();
            self.publish_beat(&beat);
        }
    }

    /// What a leader knows, if this node is one.
    fn situation(&self) -> Option<Situation<'_>> {
        let leads = self.phase == Phase::Living && self.has_slot && !self.is_retired;
        Some(Situation {
            now: self.now,
            own: &self.own,
            term: self.holdings.own(Lease::Lead).filter(|_| leads)?,
            hears_since: self.hearing.since()?,
            peers: &self.peers,
            membership: &self.membership,
        })
    }

    fn lead(&mut self) {
        // Taken out for the moment: it is asked about all the rest.
        let mut leadership = std::mem::take(&mut self.leadership);
        let mut silent = Vec::new();
        let made = match self.situation() {
            Some(at) => leadership.view(&at, |slot| silent.push(slot)),
            None => {
                leadership.rest();
                None
            }
        };
        self.leadership = leadership;
        for slot in silent {
            self.out.push(Output::Fence(slot));
        }
        if let Some(news) = made {
            self.adopt(news);
        }
        if self.situation().is_some() && self.membership.is_in() {
            self.membership.on_led(self.now);
        }
    }

    /// Asks to be let in as another life if this one is not.
    fn lose_patience(&mut self) {
        let lead = self.holdings.term(Lease::Lead);
        let leader = self.peers.all().any(|(_, peer)| {
            self.now < peer.heard + SPEAKS && peer.beat.held(Lease::Lead) == Some(lead)
        });
        let asks = self.phase == Phase::Living
            && !self.membership.was_in()
            && self.has_slot
            && self.hearing.hears();
        if !asks || !leader {
            self.asks_since = None;
        } else if self.now >= *self.asks_since.get_or_insert(self.now) + PATIENCE {
            self.end_life();
        }
    }

    /// Whether its slot's lock is somebody else's, who is a member and speaks.
    fn is_displaced(&self) -> bool {
        let other = self.membership.other_in_slot().filter(|_| !self.has_slot);
        let peer = other.and_then(|life| self.peers.get(self.own.node, life));
        peer.is_some_and(|peer| self.now < peer.heard + SPEAKS && peer.beat.has_slot)
    }

    fn end_life(&mut self) {
        self.lanes.end(&mut self.out);
        self.phase = Phase::Over;
        self.asks_since = None;
        self.settle();
        self.out.push(Output::NewLife);
    }

    fn beat(&mut self) -> Beat {
        self.beats += 1;
        let newest = self.membership.newest();
        let is_news = self.peers.someone_lags(self.now, newest.id);
        let held = Lease::ALL.iter().filter_map(|&lease| {
            let term = self.holdings.own(lease)?;
            Some((lease.index() as u8, term))
        });
        Beat {
            number: self.beats,
            sent_us: self.now.as_micros() as u64,
            shards: self.own.shards,
            version: self.own.version.clone(),
            was_in: self.membership.was_in(),
            previous: self.membership.previous(),
            has_slot: self.has_slot,
            hears: self.hearing.hears(),
            leaves: false,
            view: newest.id,
            highest: self.membership.highest(),
            news: is_news.then(|| newest.clone()),
            held: held.collect(),
            terms: self.holdings.terms().to_vec(),
            lanes: self.lanes.reports(),
        }
    }

    fn publish_beat(&mut self, beat: &Beat) {
        let bytes = envelope::beat(self.out.own, &beat.written());
        self.out.publish(Subject::Beat, bytes);
    }

    fn on_echo(&mut self, said: Said) {
        let Said::Beat(body) = said else { return };
        let Some(beat) = Beat::read(&body) else {
            return self.out.drop(Dropped::Malformed);
        };
        let heard = self.hearing.hears();
        let sent = Duration::from_micros(beat.sent_us);
        self.hearing.on_echo(self.now, sent);
        if !heard && self.hearing.hears() {
            self.next_beat = self.now;
        }
        self.settle();
    }

    fn on_beat(&mut self, from: Sender, body: &Bytes) {
        let Some(mut beat) = Beat::read(body) else {
            return self.out.drop(Dropped::Malformed);
        };
        let news = beat.news.take();
        let reports = std::mem::take(&mut beat.lanes);
        let (view, highest) = (beat.view, beat.highest);
        let lead = beat.held(Lease::Lead);
        self.holdings.on_beat(&beat);
        if let Err(why) = self.peers.hear(self.now, from, beat) {
            return self.out.drop(why);
        }
        self.membership.on_number(highest.max(view.number));
        if let Some(news) = news {
            self.on_news(news);
        }
        let own = self.out.own;
        let is_own =
            |report: &&LaneReport| (report.node, report.incarnation) == (own.node, own.incarnation);
        let report = reports.iter().find(is_own);
        self.lanes.on_beat(self.now, from, report, &mut self.out);
        let knows_us = view == self.membership.newest().id && self.membership.is_in();
        let leads = lead.is_some() && lead == Some(self.holdings.term(Lease::Lead));
        if leads && knows_us && self.hearing.hears() {
            self.membership.on_led(self.now);
        }
        self.settle();
    }

    /// Somebody tells a view.
    fn on_news(&mut self, news: News) {
        if self.phase != Phase::Living {
            return;
        }
        if self
            .membership
            .is_news(news.id, self.holdings.term(Lease::Lead))
        {
            self.adopt(news);
        } else if news.id > self.membership.newest().id && self.situation().is_some() {
            self.leadership.on_rival(news);
        }
    }

    fn adopt(&mut self, news: News) {
        self.holdings.heard(Lease::Lead, news.id.term);
        let before = self.membership.newest();
        self.leadership.on_view(self.now, before, &news);
        match self.membership.adopt(news) {
            Change::In => {
                let view = self.membership.view();
                self.lanes.follow(&view.members, &mut self.out);
                self.settle();
            }
            Change::Out => self.end_life(),
            Change::NotYet => {}
        }
    }

    /// Tells what has changed of what this node wants and believes.
    fn settle(&mut self) {
        self.want();
        let is_island = self.is_island();
        let leases = match is_island {
            true => Leases::default(),
            false => self.leases(),
        };
        let standing = Standing {
            node: self.own.node,
            incarnation: self.own.incarnation,
            view: Arc::clone(self.membership.view()),
            is_island,
            is_in_touch: self.is_in_touch(),
            leases,
        };
        if standing == *self.standing {
            return;
        }
        if self.standing.is_island && !is_island {
            self.island_time += self.now.saturating_sub(self.island_since);
        } else if !self.standing.is_island && is_island {
            self.island_since = self.now;
        }
        self.standing = Arc::new(standing);
        self.out.push(Output::Standing(Arc::clone(&self.standing)));
    }

    fn is_island(&self) -> bool {
        !self.has_slot || !self.is_in_touch()
    }

    fn is_in_touch(&self) -> bool {
        self.phase == Phase::Living
            && self.hearing.hears()
            && self.membership.is_in()
            && self.membership.is_led(self.now)
    }

    fn want(&mut self) {
        let may = !self.is_island() && !self.is_retired;
        for lease in [Lease::Coordinator, Lease::Outside, Lease::Single] {
            self.holdings.want(lease, may, &mut self.out);
        }
        let leads = self.may_lead();
        self.holdings.want(Lease::Lead, leads, &mut self.out);
    }

    /// Whether this node takes the lead if nobody has it. One that is new leaves it to those who were in.
    fn may_lead(&self) -> bool {
        let since = self
            .hearing
            .since()
            .filter(|_| self.phase == Phase::Living && self.has_slot && !self.is_retired);
        let Some(since) = since else {
            return false;
        };
        if self.membership.was_in() {
            return true;
        }
        let mut peers = self.peers.all();
        let elders = peers.any(|(_, peer)| self.now < peer.heard + SPEAKS && peer.beat.was_in);
        self.now >= since + if elders { MODESTY } else { LISTENS }
    }

    /// Who holds what, among the members: what is said under a lower term than was heard of is of the past.
    fn leases(&self) -> Leases {
        let holder = |lease: Lease| {
            let mut members = self.membership.view().members.iter();
            let term = self.holdings.term(lease);
            let holds = |member: &&Member| match member.node == self.own.node {
                true => self.holdings.own(lease).is_some(),
                false => {
                    let peer = self.peers.get(member.node, member.incarnation);
                    peer.and_then(|peer| peer.beat.held(lease)) == Some(term)
                }
            };
            let node = members.find(holds)?.node;
            Some(Holder { node, term })
        };
        Leases {
            coordinator: holder(Lease::Coordinator),
            outside: holder(Lease::Outside),
            single: holder(Lease::Single),
        }
    }
}
