//! Who was turned away, or has failed to sign in: for the log, in lines that a program can act on, and summed for whoever asks.
//!
//! Anybody can fail as often as they like, so both are bounded: an address gets some lines a minute and all together some a
//! second, and what is summed is of so many addresses; the rest counts as others'.

use std::{
    net::IpAddr,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use ahash::AHashMap;

/// Lines about one address in [`WINDOW`]: more than a program waits for that acts on them.
const LINES_OF_ONE: u32 = 10;
/// Lines about all of them in a second.
const LINES: u32 = 50;
/// For how long lines of one address are counted.
const WINDOW: Duration = Duration::from_secs(60);
/// Addresses that are summed, each with its reasons.
const SUMMED: usize = 1_000;

/// What has been turned away from one address since it was taken last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// Where they come from; none: all others together.
    pub address: Option<IpAddr>,
    /// The listener.
    pub listener: String,
    /// Why, in a few words that are always the same.
    pub why: &'static str,
    /// How often.
    pub times: u32,
}

/// What is known of it.
#[derive(Debug, Default)]
pub struct Refusals(Mutex<Noted>);

#[derive(Debug, Default)]
struct Noted {
    sums: AHashMap<(IpAddr, &'static str), (String, u32)>,
    others: u32,
    /// Lines of each address in the window, and when it began.
    lines: AHashMap<IpAddr, u32>,
    window: Option<Instant>,
    /// Lines of this second.
    second: Option<(Instant, u32)>,
}

impl Refusals {
    /// Somebody was turned away.
    pub(super) fn note(&self, address: IpAddr, listener: &str, why: &'static str) {
        let mut noted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        noted.sum(address, listener, why);
        let is_told = noted.may_log(address, Instant::now());
        drop(noted);
        if is_told {
            // The words and the field are documented: programs look for them.
            tracing::warn!(%address, listener, why, "turned away");
        }
    }

    /// What there was since this was asked last.
    pub fn take(&self) -> Vec<Refused> {
        let mut noted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (sums, others) = (
            std::mem::take(&mut noted.sums),
            std::mem::take(&mut noted.others),
        );
        drop(noted);
        let mut all: Vec<Refused> = sums
            .into_iter()
            .map(|((address, why), (listener, times))| Refused {
                address: Some(address),
                listener,
                why,
                times,
            })
            .collect();
        all.sort_by_key(|refused| (std::cmp::Reverse(refused.times), refused.address));
        if others > 0 {
            all.push(Refused {
                address: None,
                listener: String::new(),
                why: "several",
                times: others,
            });
        }
        all
    }
}

impl Noted {
    fn sum(&mut self, address: IpAddr, listener: &str, why: &'static str) {
        let key = (address, why);
        if self.sums.len() >= SUMMED && !self.sums.contains_key(&key) {
            self.others = self.others.saturating_add(1);
            return;
        }
        let (_, times) = self
            .sums
            .entry(key)
            .or_insert_with(|| (listener.to_owned(), 0));
        *times = times.saturating_add(1);
    }

    fn may_log(&mut self, address: IpAddr, now: Instant) -> bool {
        let is_over = |begun: Instant| now.duration_since(begun) >= WINDOW;
        if self.window.is_none_or(is_over) || self.lines.len() > SUMMED {
            (self.lines, self.window) = (AHashMap::new(), Some(now));
        }
        let second = match self.second {
            Some((begun, lines)) if now.duration_since(begun) < Duration::from_secs(1) => {
                (begun, lines)
            }
            _ => (now, 0),
        };
        let lines = self.lines.entry(address).or_default();
        let may = *lines < LINES_OF_ONE && second.1 < LINES;
        *lines += u32::from(may);
        self.second = Some((second.0, second.1 + u32::from(may)));
        may
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(number: u32) -> IpAddr {
        IpAddr::from((0x0a00_0000 + number).to_be_bytes())
    }

    #[test]
    fn what_is_summed_is_bounded_and_taken_once() {
        let refusals = Refusals::default();
        for number in 0..SUMMED as u32 + 5 {
            refusals.note(address(number), "faf/json", "wrong password");
        }
        refusals.note(address(3), "faf/json", "wrong password");
        refusals.note(address(SUMMED as u32 + 1), "faf/json", "wrong password");
        let all = refusals.take();
        assert_eq!(all.len(), SUMMED + 1);
        assert_eq!((all[0].address, all[0].times), (Some(address(3)), 2));
        let others = all.last().expect("there are some");
        assert_eq!((others.address, others.times), (None, 6));
        assert_eq!(refusals.take(), []);
    }

    #[test]
    fn an_address_has_so_many_lines_and_all_together_as_well() {
        let (mut noted, begun) = (Noted::default(), Instant::now());
        let told = |noted: &mut Noted, number, at| noted.may_log(address(number), at);
        let of_one = (0..100).filter(|_| told(&mut noted, 1, begun)).count();
        assert_eq!(of_one, LINES_OF_ONE as usize);
        let of_all = (2..1_000).filter(|&n| told(&mut noted, n, begun)).count();
        assert_eq!(of_all, (LINES - LINES_OF_ONE) as usize);
        let later = begun + Duration::from_secs(2);
        assert!(!told(&mut noted, 1, later) && told(&mut noted, 2_000, later));
        assert!(told(&mut noted, 1, begun + WINDOW));
    }
}
