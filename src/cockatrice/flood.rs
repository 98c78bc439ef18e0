//! How much one connection may say and do in a while (spec: cockatrice-behaviour 7).
//!
//! A window is made of buckets, one per tick; it slides by leaving out those that are old. The tick is handed in, and so are the
//! limits, which may be others each time: what was counted counts under those that hold now, as far as it is remembered.

use serde::{Deserialize, Serialize};
use thin_vec::ThinVec;

use crate::messages::GameCommandBody;

/// Most buckets of a window. In a longer one each stands for several ticks.
const MOST_BUCKETS: u32 = 64;

/// What may happen in a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// The window's length in ticks; 0 switches the limits off.
    pub interval: u32,
    /// Most attempts.
    pub count: u32,
    /// Most bytes of all attempts together.
    pub bytes: u32,
}

/// What happened within the last ticks.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Window {
    /// Those in which anything happened, oldest first.
    buckets: ThinVec<Bucket>,
}

/// Its first tick, whatever its width was; attempts; bytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Bucket(u64, u32, u32);

impl Window {
    /// Notes an attempt, and says whether it is within the limits. One that is not counts as well.
    pub fn attempt(&mut self, tick: u64, bytes: usize, limits: &Limits) -> bool {
        if limits.interval == 0 {
            return true;
        }
        let now = begin(tick, limits);
        self.forget(now, limits);
        let bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
        match self.buckets.last_mut() {
            // Not only the same: a tick that went back counts for the newest bucket.
            Some(Bucket(at, count, sum)) if *at >= now => {
                *count = count.saturating_add(1);
                *sum = sum.saturating_add(bytes);
            }
            _ => self.buckets.push(Bucket(now, 1, bytes)),
        }
        self.holds(limits)
    }

    /// Whether the attempts until now are within the limits.
    pub fn is_within(&mut self, tick: u64, limits: &Limits) -> bool {
        if limits.interval == 0 {
            return true;
        }
        self.forget(begin(tick, limits), limits);
        self.holds(limits)
    }

    /// Leaves out what is older than the window.
    fn forget(&mut self, now: u64, limits: &Limits) {
        // Rounded down: a window of wide buckets is rather a little shorter than longer.
        let ticks = u64::from(limits.interval / width(limits) * width(limits));
        let is_old = |Bucket(at, ..): &Bucket| now.saturating_sub(*at) >= ticks;
        self.buckets.retain(|bucket| !is_old(bucket));
        if self.buckets.is_empty() {
            // Most connections say nothing most of the time.
            self.buckets = ThinVec::new();
        }
    }

    fn holds(&self, limits: &Limits) -> bool {
        let sums = self.buckets.iter().fold((0, 0), |(count, bytes), bucket| {
            (count + u64::from(bucket.1), bytes + u64::from(bucket.2))
        });
        sums.0 <= limits.count.into() && sums.1 <= limits.bytes.into()
    }
}

/// Ticks that a bucket stands for.
fn width(limits: &Limits) -> u32 {
    limits.interval.div_ceil(MOST_BUCKETS)
}

/// The first tick of the bucket that a tick is in.
fn begin(tick: u64, limits: &Limits) -> u64 {
    tick - tick % u64::from(width(limits))
}

/// Whether a game command counts for the limit of commands. Those that do not are what playing is made of; they are refused as
/// well while the window is over its limit.
pub fn counts(command: &GameCommandBody<'_>) -> bool {
    !matches!(
        command,
        GameCommandBody::DrawCards(_)
            | GameCommandBody::UndoDraw(_)
            | GameCommandBody::CreateArrow(_)
            | GameCommandBody::DeleteArrow(_)
            | GameCommandBody::SetCardAttr(_)
            | GameCommandBody::IncCounter(_)
            | GameCommandBody::Mulligan(_)
            | GameCommandBody::MoveCard(_)
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::messages::{CommandLeaveGame, CommandMoveCard, CommandMulligan};

    const CHAT: Limits = Limits {
        interval: 10,
        count: 4,
        bytes: 60,
    };

    #[test]
    fn the_fifth_of_four_is_too_many_and_refused_ones_count() {
        let mut window = Window::default();
        let attempts: Vec<bool> = (0..6).map(|_| window.attempt(100, 2, &CHAT)).collect();
        assert_eq!(attempts, [true, true, true, true, false, false]);
        assert!(!window.is_within(109, &CHAT));
        assert!(window.attempt(111, 5, &CHAT));
    }

    #[test]
    fn bytes_are_a_limit_of_their_own() {
        let mut window = Window::default();
        assert!(window.attempt(5, 50, &CHAT));
        assert!(!window.attempt(5, 20, &CHAT));
        assert!(!window.attempt(14, 1, &CHAT));
        // What was said at 5 is over now; what was at 14 is not.
        assert!(window.attempt(15, 59, &CHAT));
        assert!(!window.attempt(15, 1, &CHAT));
        assert!(!window.attempt(1 << 40, usize::MAX, &CHAT));
    }

    #[test]
    fn a_window_slides_by_ticks() {
        let mut window = Window::default();
        for tick in 0..100 {
            // Four within any ten ticks.
            assert!(tick % 3 != 0 || window.attempt(tick, 1, &CHAT), "{tick}");
            assert!(window.buckets.len() <= 4);
        }
        assert!(!window.attempt(99, 1, &CHAT));
        assert!(window.is_within(200, &CHAT));
        assert!(window.buckets.is_empty());
    }

    #[test]
    fn no_interval_is_no_limit() {
        let off = Limits {
            interval: 0,
            ..CHAT
        };
        let mut window = Window::default();
        assert!((0..100).all(|tick| window.attempt(tick, 1000, &off)));
        assert!(window.is_within(0, &off));
        assert_eq!(window, Window::default());
    }

    #[test]
    fn other_limits_hold_for_what_was_counted_before() {
        let hour = Limits {
            interval: 3600,
            count: 4,
            ..CHAT
        };
        let mut window = Window::default();
        assert!((0..4).all(|_| window.attempt(100_003, 1, &CHAT)));
        assert!(!window.attempt(100_005, 1, &hour), "the fifth in an hour");
        assert!(!window.is_within(100_006, &CHAT), "and in ten ticks");
        assert!(!window.is_within(103_000, &hour));
        assert!(window.is_within(103_100, &CHAT), "long ago");
        // And from wide buckets to narrow ones; a wide one is as old as its begin.
        let at = 57 * 4_000;
        assert!((0..4).all(|_| window.attempt(at, 1, &hour)));
        assert!(!window.attempt(at + 1, 1, &CHAT));
        assert!(window.attempt(at + 20, 1, &CHAT));
    }

    #[test]
    fn long_windows_have_few_buckets() {
        let hour = Limits {
            interval: 3600,
            count: 3600,
            bytes: u32::MAX,
        };
        let mut window = Window::default();
        for tick in 0..10_000 {
            assert!(window.attempt(tick, 1, &hour), "{tick}");
        }
        assert!(window.buckets.len() <= MOST_BUCKETS as usize);
        assert!((10_000..10_100).any(|_| !window.attempt(10_000, 1, &hour)));
    }

    #[test]
    fn a_tick_that_goes_back_forgets_nothing() {
        let mut window = Window::default();
        assert!(window.attempt(100, 1, &CHAT) && window.attempt(3, 1, &CHAT));
        assert_eq!(window.buckets.len(), 1);
        assert!(window.is_within(u64::MAX, &CHAT));
    }

    #[test]
    fn a_window_is_kept() {
        let mut window = Window::default();
        let quiet = rmp_serde::to_vec_named(&window).expect("plain data");
        assert!(quiet.len() < 16 && size_of::<Window>() == 8);
        window.attempt(5, 50, &CHAT);
        window.attempt(6, 5, &CHAT);
        let kept = rmp_serde::to_vec_named(&window).expect("plain data");
        let mut read: Window = rmp_serde::from_slice(&kept).expect("what was kept");
        assert_eq!(read, window);
        assert!(!read.attempt(7, 6, &CHAT));
    }

    #[test]
    fn playing_does_not_count() {
        let free = GameCommandBody::MoveCard(CommandMoveCard::default());
        assert!(!counts(&free));
        assert!(!counts(&GameCommandBody::Mulligan(
            CommandMulligan::default()
        )));
        let leave = GameCommandBody::LeaveGame(CommandLeaveGame::default());
        assert!(counts(&leave));
    }
}
