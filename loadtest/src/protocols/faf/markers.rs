//! The mark a probe carries through the server: who sent it, and when it was due.

use super::framing::{Frame, Needle};

/// What a probe says about itself: who, the how-manieth, and when it should have been sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Marker {
    /// Number of the host, or of the sender of an IceMsg.
    pub(super) source: u32,
    /// Counts up from 0 for each source.
    pub(super) sequence: u32,
    /// Intended time on the run's clock.
    pub(super) intended_us: u64,
}

/// Writes and finds the markers of one run.
#[derive(Debug)]
pub(super) struct Markers {
    prefix: String,
    needle: Needle,
}

/// Digits and letters of a marker after its prefix: 10 + 2 + 10 + 2 + 20, and the quote that ends it.
const MARKER_TAIL: usize = 48;

impl Markers {
    /// Markers of the run `run_id`; other runs against the same server are not mistaken for it.
    pub(super) fn new(run_id: &str) -> Markers {
        let prefix = format!("swarm-{run_id}-h");
        Markers {
            needle: Needle::new(&prefix),
            prefix,
        }
    }

    /// `swarm-<run>-h<source>-k<sequence>-t<intended µs>`: plain ASCII, well below the 128 characters of a title.
    pub(super) fn write(&self, marker: Marker) -> String {
        let Marker {
            source,
            sequence,
            intended_us,
        } = marker;
        format!("{}{source}-k{sequence}-t{intended_us}", self.prefix)
    }

    /// The first marker of this run in a frame, found without parsing the frame.
    pub(super) fn find(&self, frame: &Frame<'_>) -> Option<Marker> {
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
