//! When load is due, decided before the run and never by the server's answers.
//!
//! A tester that waits for an answer before it sends the next request measures a server only while the server is well
//! (coordinated omission). Here every change, message and sign-in has an **intended time**; latency counts from there, so a
//! stall of the server, or of the tester, is seen by everything that was due meanwhile. The intended time travels inside the
//! message itself, so whoever receives it can tell the latency without any book-keeping shared between threads.

use std::time::Instant;

use crate::framing::{Frame, Needle};

/// Microseconds since the start of the run; one monotonic clock for all threads.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    start: Instant,
}

impl Clock {
    /// A clock that starts now.
    pub fn start() -> Clock {
        Clock {
            start: Instant::now(),
        }
    }

    /// Microseconds since the start.
    pub fn now_us(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_micros())
            .expect("a run is shorter than 500,000 years")
    }
}

/// Evenly spaced events shared round robin by several sources: source `s` has events `s`, `s + sources`, and so on.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Schedule {
    per_second: f64,
    sources: u64,
}

impl Schedule {
    /// `per_second` events in all, shared by `sources`. Both must be positive.
    pub fn new(per_second: f64, sources: usize) -> Schedule {
        assert!(
            per_second > 0.0 && sources > 0,
            "a schedule needs a rate and somebody to follow it"
        );
        Schedule {
            per_second,
            sources: sources as u64,
        }
    }

    /// Microseconds after the beginning at which event `turn` (from 0) of `source` is due.
    pub fn due_us(&self, source: usize, turn: u64) -> u64 {
        let number = turn * self.sources + source as u64;
        (number as f64 / self.per_second * 1e6).round() as u64
    }

    /// Time between two events of one source.
    pub fn period_us(&self) -> u64 {
        self.due_us(0, 1)
    }
}

/// What a probe says about itself: who, the how-manieth, and when it should have been sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Marker {
    /// Number of the host, or of the sender of an IceMsg.
    pub source: u32,
    /// Counts up from 0 for each source.
    pub sequence: u32,
    /// Intended time on the run's clock.
    pub intended_us: u64,
}

/// Writes and finds the markers of one run.
#[derive(Debug)]
pub struct Markers {
    prefix: String,
    needle: Needle,
}

/// Digits and letters of a marker after its prefix: 10 + 2 + 10 + 2 + 20, and the quote that ends it.
const MARKER_TAIL: usize = 48;

impl Markers {
    /// Markers of the run `run_id`; other runs against the same server are not mistaken for it.
    pub fn new(run_id: &str) -> Markers {
        let prefix = format!("swarm-{run_id}-h");
        Markers {
            needle: Needle::new(&prefix),
            prefix,
        }
    }

    /// `swarm-<run>-h<source>-k<sequence>-t<intended µs>`: plain ASCII, well below the 128 characters of a title.
    pub fn write(&self, marker: Marker) -> String {
        let Marker {
            source,
            sequence,
            intended_us,
        } = marker;
        format!("{}{source}-k{sequence}-t{intended_us}", self.prefix)
    }

    /// The first marker of this run in a frame, found without parsing the frame.
    pub fn find(&self, frame: &Frame<'_>) -> Option<Marker> {
        let (tail, length) = self.needle.after::<MARKER_TAIL>(frame)?;
        let (source, rest) = number(&tail[..length])?;
        let (sequence, rest) = number(rest.strip_prefix(b"-k")?)?;
        let (intended_us, _) = number(rest.strip_prefix(b"-t")?)?;
        Some(Marker {
            source: u32::try_from(source).ok()?,
            sequence: u32::try_from(sequence).ok()?,
            intended_us,
        })
    }
}

fn number(text: &[u8]) -> Option<(u64, &[u8])> {
    let digits = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let value = std::str::from_utf8(&text[..digits]).ok()?.parse().ok()?;
    Some((value, &text[digits..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_interleave_evenly() {
        let schedule = Schedule::new(10.0, 4);
        let mut due: Vec<u64> = (0..4)
            .flat_map(|source| (0..3).map(move |turn| schedule.due_us(source, turn)))
            .collect();
        due.sort_unstable();
        assert_eq!(
            due,
            (0..12).map(|number| number * 100_000).collect::<Vec<_>>()
        );
        assert_eq!(schedule.period_us(), 400_000);
    }

    #[test]
    fn no_drift_over_a_long_run() {
        let schedule = Schedule::new(3.0, 1);
        assert_eq!(schedule.due_us(0, 3 * 86_400), 86_400_000_000);
    }

    #[test]
    fn marker_round_trip() {
        let markers = Markers::new("c0ffee");
        let marker = Marker {
            source: u32::MAX,
            sequence: u32::MAX,
            intended_us: u64::MAX,
        };
        let title = markers.write(marker);
        assert!(title.len() <= 128 && title.is_ascii());
        let text = format!(r#"{{"command":"game_info","title":"{title}","x":1}}"#);
        let frame = Frame {
            bytes: text.as_bytes(),
            wide: false,
            cut: false,
        };
        assert_eq!(markers.find(&frame), Some(marker));
        assert_eq!(Markers::new("other").find(&frame), None);
    }

    #[test]
    fn damaged_marker_is_none() {
        let markers = Markers::new("a");
        for text in [
            "swarm-a-h",
            "swarm-a-h1-k",
            "swarm-a-h1-k2-",
            "swarm-a-h1-k2-tx",
            "swarm-a-hx",
        ] {
            assert_eq!(
                markers.find(&Frame {
                    bytes: text.as_bytes(),
                    wide: false,
                    cut: false
                }),
                None
            );
        }
    }
}
