//! What was measured: histograms, counts, and which watcher has seen which change.

use hdrhistogram::Histogram;
use serde::Serialize;

/// Longest latency told apart; longer ones count as this.
const MAX_LATENCY_US: u64 = 3_600_000_000;

/// What a watcher has seen of each host's changes.
///
/// The server sends an object at most once per tick and then as it stands, so changes that follow each other closely arrive
/// as one broadcast. The newest gives the latency; the ones it replaces count as delivered with it (*coalesced*).
/// spec: faf-lifecycle 8
#[derive(Debug)]
pub struct Seen {
    newest: Box<[u32]>,
}

/// What one arriving broadcast means to a watcher.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arrival {
    /// Something new, and how many older changes it replaced.
    Fresh {
        /// Changes between the last seen and this one.
        coalesced: u32,
    },
    /// The same state again (something else in the game changed).
    Repeat,
    /// Older than what was seen before: the order was broken.
    Stale,
    /// A host that does not exist.
    Unknown,
}

impl Seen {
    /// Nothing seen of `hosts` hosts; change 0 is the title a game opens with and is not waited for.
    pub fn new(hosts: usize) -> Seen {
        Seen {
            newest: vec![0; hosts].into_boxed_slice(),
        }
    }

    /// Books the arrival of change `sequence` of `host`.
    pub fn arrive(&mut self, host: u32, sequence: u32) -> Arrival {
        let Some(newest) = self.newest.get_mut(host as usize) else {
            return Arrival::Unknown;
        };
        if sequence == *newest {
            return Arrival::Repeat;
        }
        if sequence < *newest {
            return Arrival::Stale;
        }
        let coalesced = sequence - *newest - 1;
        *newest = sequence;
        Arrival::Fresh { coalesced }
    }

    /// How many of the changes sent so far (by host) have not come, neither themselves nor as part of a later one.
    pub fn missing(&self, sent: impl Iterator<Item = u32>) -> u64 {
        self.newest
            .iter()
            .zip(sent)
            .map(|(newest, sent)| u64::from(sent.saturating_sub(*newest)))
            .sum()
    }
}

macro_rules! counts {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        /// Plain counts of one thread, or of the run once merged.
        #[derive(Debug, Default, Clone, PartialEq, Eq, Serialize)]
        pub struct Counts { $($(#[$doc])* pub $name: u64,)* }

        impl Counts {
            /// Adds another thread's counts.
            pub fn add(&mut self, other: &Counts) { $(self.$name += other.$name;)* }
        }
    };
}

counts! {
    /// Fresh broadcasts that reached a watcher.
    deliveries,
    /// Changes that reached a watcher inside a later one's broadcast.
    coalesced,
    /// Broadcasts of a probe's game that brought no new change.
    repeats,
    /// Broadcasts older than what the watcher had seen.
    stale,
    /// Changes a watcher never saw, and IceMsg that never arrived (profile `ice`).
    lost,
    /// Changes and messages that were due and could not be sent.
    unsent,
    /// Changes that hosts sent.
    changes,
    /// Sign-ins begun.
    connects,
    /// Sign-ins completed.
    logins,
    /// Sign-ins that failed: refused, closed, or not synced in time.
    login_failures,
    /// Games and pairs that could not be set up, although signed in.
    setup_failures,
    /// Connections the server ended after their client was ready.
    closed_by_server,
    /// Broken framing, `invalid`, or broadcasts that contradict each other.
    protocol_errors,
    /// Games entered.
    joins,
    /// Games that could not be entered in time or were refused.
    join_failures,
    /// IceMsg sent.
    ice_sent,
    /// IceMsg received.
    ice_received,
    /// Times a player was told of a match.
    matched,
    /// Matches whose players were all told to start their games.
    matches_opened,
    /// Times a player was told that his match came to nothing.
    cancelled,
    /// Players in matches that were launched.
    played,
    /// Players that vanished from a match.
    vanished,
    /// Ratings that came after a game.
    rated,
    /// Players who were not idle at the end, although they had left everything.
    stuck,
    /// Players who finished a game and were not rated.
    unrated,
    /// Pings of the server answered.
    pings_answered,
    /// Messages received.
    messages_in,
    /// Bytes received.
    bytes_in,
    /// Bytes sent.
    bytes_out,
}

/// One thread's measurements.
#[derive(Debug)]
pub struct Recorder {
    /// Intended time of a change to its arrival at a watcher.
    pub broadcast: Histogram<u64>,
    /// Connecting (or the intended time of a sign-in) to the list of games.
    pub login: Histogram<u64>,
    /// Intended time of a `ping` to its `pong`.
    pub ping: Histogram<u64>,
    /// Intended time of an IceMsg to its arrival at the peer.
    pub ice: Histogram<u64>,
    /// Beginning of a search to its match.
    pub match_wait: Histogram<u64>,
    /// Quality of the matches, in thousandths.
    pub quality: Histogram<u64>,
    /// How late the tester itself was: part of every other figure, so it must stay small beside them.
    pub own_delay: Histogram<u64>,
    /// Broadcast latencies since the last live line.
    pub recent: Histogram<u64>,
    /// Everything counted.
    pub counts: Counts,
}

impl Default for Recorder {
    fn default() -> Recorder {
        Recorder {
            broadcast: histogram(),
            login: histogram(),
            ping: histogram(),
            ice: histogram(),
            match_wait: histogram(),
            quality: histogram(),
            own_delay: histogram(),
            recent: histogram(),
            counts: Counts::default(),
        }
    }
}

impl Recorder {
    /// Books what a watcher got.
    pub fn arrival(&mut self, arrival: Arrival, latency_us: u64) {
        match arrival {
            Arrival::Fresh { coalesced } => {
                self.counts.deliveries += 1;
                self.counts.coalesced += u64::from(coalesced);
                self.broadcast.saturating_record(latency_us);
                self.recent.saturating_record(latency_us);
            }
            Arrival::Repeat => self.counts.repeats += 1,
            Arrival::Stale => {
                self.counts.stale += 1;
                self.counts.protocol_errors += 1;
            }
            Arrival::Unknown => self.counts.protocol_errors += 1,
        }
    }

    /// Adds another thread's measurements.
    pub fn add(&mut self, other: &Recorder) {
        for (mine, theirs) in [
            (&mut self.broadcast, &other.broadcast),
            (&mut self.login, &other.login),
            (&mut self.ping, &other.ping),
            (&mut self.ice, &other.ice),
            (&mut self.match_wait, &other.match_wait),
            (&mut self.quality, &other.quality),
            (&mut self.own_delay, &other.own_delay),
        ] {
            mine.add(theirs)
                .expect("all histograms have the same bounds");
        }
        self.counts.add(&other.counts);
    }

    /// The histograms by the names reports and goals use.
    pub fn histograms(&self) -> [(&'static str, &Histogram<u64>); 6] {
        [
            ("broadcast", &self.broadcast),
            ("login", &self.login),
            ("ping", &self.ping),
            ("ice", &self.ice),
            ("match_wait", &self.match_wait),
            ("own_delay", &self.own_delay),
        ]
    }
}

/// Microseconds up to an hour, three significant digits.
pub fn histogram() -> Histogram<u64> {
    Histogram::new_with_bounds(1, MAX_LATENCY_US, 3).expect("constant bounds are valid")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn coalesced_changes_arrive_with_the_newest() {
        let mut seen = Seen::new(2);
        let mut recorder = Recorder::default();
        for (sequence, latency) in [(1, 10_000), (4, 20_000), (4, 90_000)] {
            let arrival = seen.arrive(1, sequence);
            recorder.arrival(arrival, latency);
        }
        assert_eq!(recorder.counts.deliveries, 2);
        assert_eq!(recorder.counts.coalesced, 2);
        assert_eq!(recorder.counts.repeats, 1);
        assert_eq!(recorder.broadcast.len(), 2);
        assert!(recorder.broadcast.max() < 21_000);
        assert_eq!(seen.missing([0, 4].into_iter()), 0);
    }

    #[test]
    fn what_never_came_is_missing() {
        let mut seen = Seen::new(3);
        seen.arrive(0, 5);
        seen.arrive(1, 2);
        assert_eq!(seen.missing([5, 4, 1].into_iter()), 3);
    }

    #[test]
    fn broken_order_and_strangers_are_errors() {
        let mut seen = Seen::new(1);
        assert_eq!(seen.arrive(0, 3), Arrival::Fresh { coalesced: 2 });
        assert_eq!(seen.arrive(0, 2), Arrival::Stale);
        assert_eq!(seen.arrive(1, 1), Arrival::Unknown);
        assert_eq!(seen.missing([3].into_iter()), 0);
    }

    #[test]
    fn merging_adds() {
        let (mut a, mut b) = (Recorder::default(), Recorder::default());
        a.arrival(Arrival::Fresh { coalesced: 1 }, 5);
        b.arrival(Arrival::Fresh { coalesced: 0 }, 7);
        b.counts.lost = 2;
        a.add(&b);
        assert_eq!(
            (a.counts.deliveries, a.counts.coalesced, a.counts.lost),
            (2, 1, 2)
        );
        assert_eq!(a.broadcast.len(), 2);
    }
}
