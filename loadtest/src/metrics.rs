//! What is measured: counts and histograms, some of every protocol, the others its own.

use hdrhistogram::Histogram;

use crate::latency::Latency;
use crate::scenario::OwnNames;

/// Longest latency told apart; longer ones count as this.
const MAX_LATENCY_US: u64 = 3_600_000_000;

/// Counts and histograms of one thread, or of the run once merged.
pub(crate) trait Metrics: Default + Send + 'static {
    /// Adds another thread's.
    fn merge(&mut self, other: &Self);
    /// Everything counted, by the names reports and goals use.
    fn counts(&self) -> Vec<(&'static str, u64)>;
    /// Latencies in µs, likewise.
    fn latencies(&self) -> Vec<(&'static str, &Latency)>;
    /// Every histogram: those that are no latencies as well, and of each latency what did not come to an end, under its name and ` open`.
    fn histograms(&self) -> Vec<(&'static str, &Histogram<u64>)>;
    /// The count of this name.
    fn count_mut(&mut self, name: &str) -> Option<&mut u64>;
    /// The histogram of this name.
    fn histogram_mut(&mut self, name: &str) -> Option<&mut Histogram<u64>>;
}

/// Declares a struct of counts, latencies and other histograms, and its [`Metrics`].
macro_rules! metrics {
    (
        $(#[$doc:meta])* $name:ident
        counts { $($(#[$count_doc:meta])* $count:ident,)* }
        latencies { $($(#[$latency_doc:meta])* $latency:ident,)* }
        others { $($(#[$other_doc:meta])* $other:ident,)* }
    ) => {
        $(#[$doc])*
        #[derive(Debug)]
        pub(crate) struct $name {
            $($(#[$count_doc])* pub(crate) $count: u64,)*
            $($(#[$latency_doc])* pub(crate) $latency: $crate::latency::Latency,)*
            $($(#[$other_doc])* pub(crate) $other: hdrhistogram::Histogram<u64>,)*
        }

        impl Default for $name {
            fn default() -> $name {
                $name {
                    $($count: 0,)*
                    $($latency: $crate::latency::Latency::default(),)*
                    $($other: $crate::metrics::histogram(),)*
                }
            }
        }

        impl $crate::metrics::Metrics for $name {
            fn merge(&mut self, other: &Self) {
                $(self.$count = self.$count.saturating_add(other.$count);)*
                $(self.$latency.merge(&other.$latency);)*
                $($crate::metrics::merge(&mut self.$other, &other.$other);)*
            }

            fn counts(&self) -> Vec<(&'static str, u64)> {
                vec![$((stringify!($count), self.$count),)*]
            }

            fn latencies(&self) -> Vec<(&'static str, &$crate::latency::Latency)> {
                vec![$((stringify!($latency), &self.$latency),)*]
            }

            fn histograms(&self) -> Vec<(&'static str, &hdrhistogram::Histogram<u64>)> {
                let all = [
                    $((stringify!($latency), Some(&*self.$latency)),)*
                    $((concat!(stringify!($latency), " open"), self.$latency.open()),)*
                    $((stringify!($other), Some(&self.$other)),)*
                ];
                let there = all.into_iter();
                there.filter_map(|(name, histogram)| Some((name, histogram?))).collect()
            }

            fn count_mut(&mut self, name: &str) -> Option<&mut u64> {
                match name {
                    $(stringify!($count) => Some(&mut self.$count),)*
                    _ => None,
                }
            }

            fn histogram_mut(&mut self, name: &str) -> Option<&mut hdrhistogram::Histogram<u64>> {
                match name {
                    $(stringify!($latency) => Some(self.$latency.all_mut()),)*
                    $(concat!(stringify!($latency), " open") => Some(self.$latency.open_mut()),)*
                    $(stringify!($other) => Some(&mut self.$other),)*
                    _ => None,
                }
            }
        }
    };
}
pub(crate) use metrics;

metrics! {
    /// What is measured whatever the protocol.
    Common
    counts {
        /// Broadcasts that reached somebody they were meant for.
        deliveries,
        /// Changes and messages that never arrived.
        lost,
        /// Changes, messages and sign-ins that were due and could not be sent.
        unsent,
        /// Sign-ins begun.
        connects,
        /// Sign-ins completed.
        logins,
        /// Sign-ins that failed: refused, closed, or not complete in time.
        login_failures,
        /// Games and pairs that could not be set up, although signed in.
        setup_failures,
        /// Connections the server ended after their client was ready.
        closed_by_server,
        /// Broken framing, errors the server tells of, or broadcasts that contradict each other.
        protocol_errors,
        /// Turns of scripts that were begun.
        script_turns,
        /// Answers that a scenario expects and that did not come, or not in time, or not as they must be.
        checks_failed,
        /// Messages received.
        messages_in,
        /// Bytes received.
        bytes_in,
        /// Bytes sent.
        bytes_out,
        /// TLS handshakes that resumed a session of the client's.
        tls_resumed,
    }
    latencies {
        /// Connecting (or the intended time of a sign-in) to its completion; to the end of the run, if it was not complete then.
        login,
        /// First byte sent to the end of the TLS handshake; `login` has it as well.
        tls_handshake,
        /// How late the tester itself was: part of every other figure, so it must stay small beside them.
        own_delay,
        /// The same while the clients signed in and got ready: part of `login`.
        assembly_delay,
        /// How late the tester's threads woke from their sleeps: the same while nothing is due.
        timer_delay,
    }
    others {
        /// Latency of what has arrived since the last live line.
        recent,
    }
}

/// One thread's measurements.
#[derive(Debug, Default)]
pub(crate) struct Recorder<M> {
    /// What every protocol has.
    pub(crate) common: Common,
    /// The protocol's own.
    pub(crate) metrics: M,
    /// The scenario's own.
    pub(crate) own: Own,
}

/// What the scripts of a scenario measure, under names of their own.
#[derive(Debug, Default)]
pub(crate) struct Own {
    latencies: Vec<(&'static str, Latency)>,
    /// Names of the latencies' waits that did not come to an end.
    open: Vec<&'static str>,
    counts: Vec<(&'static str, u64)>,
}

impl Own {
    pub(crate) fn new(names: &OwnNames) -> Own {
        let latencies = names.latencies.iter();
        let counts = names.counts.iter();
        Own {
            latencies: latencies.map(|name| (*name, Latency::default())).collect(),
            open: open_names(names.latencies.iter().copied()),
            counts: counts.map(|name| (*name, 0)).collect(),
        }
    }

    /// Counts once more.
    pub(crate) fn count(&mut self, place: usize) {
        self.counts[place].1 += 1;
    }

    /// Everything counted, by name.
    pub(crate) fn counts(&self) -> &[(&'static str, u64)] {
        &self.counts
    }

    /// Every histogram, by name; of each latency what did not come to an end as well, under its name and ` open`.
    pub(crate) fn histograms(&self) -> Vec<(&'static str, &Histogram<u64>)> {
        let all = self.latencies.iter().map(|(name, all)| (*name, &**all));
        let open = self.open.iter().zip(&self.latencies);
        let open = open.filter_map(|(name, (_, all))| Some((*name, all.open()?)));
        all.chain(open).collect()
    }

    /// The count of this name.
    pub(crate) fn count_mut(&mut self, name: &str) -> Option<&mut u64> {
        let mut counts = self.counts.iter_mut();
        counts.find_map(|(known, count)| (*known == name).then_some(count))
    }

    /// The histogram of this name.
    pub(crate) fn histogram_mut(&mut self, name: &str) -> Option<&mut Histogram<u64>> {
        let open = self.open.iter().position(|known| *known == name);
        if let Some(place) = open {
            return Some(self.latencies[place].1.open_mut());
        }
        let mut latencies = self.latencies.iter_mut();
        latencies.find_map(|(known, all)| (*known == name).then(|| all.all_mut()))
    }

    /// The same names, and nothing measured.
    pub(crate) fn emptied(&self) -> Own {
        let latencies = self.latencies.iter();
        let counts = self.counts.iter();
        Own {
            latencies: latencies
                .map(|(name, _)| (*name, Latency::default()))
                .collect(),
            open: self.open.clone(),
            counts: counts.map(|(name, _)| (*name, 0)).collect(),
        }
    }

    /// Where the latency of this place is kept.
    pub(crate) fn latency(&mut self, place: usize) -> &mut Latency {
        &mut self.latencies[place].1
    }

    /// Adds another thread's, of the same names; the first that is added brings them.
    fn merge(&mut self, other: &Own) {
        if self.latencies.is_empty() && self.counts.is_empty() {
            self.latencies.clone_from(&other.latencies);
            self.open.clone_from(&other.open);
            self.counts.clone_from(&other.counts);
            return;
        }
        for ((_, into), (_, from)) in self.latencies.iter_mut().zip(&other.latencies) {
            into.merge(from);
        }
        for ((_, into), (_, from)) in self.counts.iter_mut().zip(&other.counts) {
            *into += from;
        }
    }
}

impl<M: Metrics> Recorder<M> {
    /// One for a run whose scripts measure under these names.
    pub(crate) fn of(names: &OwnNames) -> Recorder<M> {
        Recorder {
            own: Own::new(names),
            ..Recorder::default()
        }
    }

    /// A broadcast reached somebody it was meant for.
    pub(crate) fn delivered(&mut self, latency_us: u64) {
        self.common.deliveries += 1;
        self.common.recent.saturating_record(latency_us);
    }

    /// Adds another thread's measurements.
    pub(crate) fn merge(&mut self, other: &Recorder<M>) {
        self.common.merge(&other.common);
        self.metrics.merge(&other.metrics);
        self.own.merge(&other.own);
    }

    /// Everything counted.
    pub(crate) fn counts(&self) -> Vec<(&'static str, u64)> {
        let own = self.own.counts.clone();
        [self.common.counts(), self.metrics.counts(), own].concat()
    }

    /// All latencies.
    pub(crate) fn latencies(&self) -> Vec<(&'static str, &Latency)> {
        let own = self.own.latencies.iter();
        let own = own.map(|(name, latency)| (*name, latency)).collect();
        [own, self.metrics.latencies(), self.common.latencies()].concat()
    }
}

/// What the waits of these latencies that did not come to an end are called. Names live as long as the program.
fn open_names(names: impl Iterator<Item = &'static str>) -> Vec<&'static str> {
    names
        .map(|name| &*String::leak(format!("{name} open")))
        .collect()
}

/// Microseconds up to an hour, three significant digits.
pub(crate) fn histogram() -> Histogram<u64> {
    Histogram::new_with_bounds(1, MAX_LATENCY_US, 3).expect("constant bounds are valid")
}

/// Adds what another histogram of this module holds.
pub(crate) fn merge(into: &mut Histogram<u64>, from: &Histogram<u64>) {
    into.add(from).expect("all histograms have the same bounds");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn merging_adds() {
        let (mut a, mut b) = (Recorder::<Common>::default(), Recorder::<Common>::default());
        a.delivered(5);
        b.delivered(7);
        b.metrics.lost = 2;
        b.metrics.login.saturating_record(3);
        a.merge(&b);
        assert_eq!((a.common.deliveries, a.metrics.lost), (2, 2));
        assert_eq!((a.common.recent.len(), a.metrics.login.len()), (2, 1));
        assert!(a.counts().contains(&("deliveries", 2)));
    }
}
