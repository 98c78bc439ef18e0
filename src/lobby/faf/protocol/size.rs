//! How much a message may make us parse, by its command: what is decided before it is parsed.
//!
//! Whoever sends keeps everybody else on the shard waiting while it is parsed, so there may be no more in it than the command
//! needs. Its mere length is another matter: a long string costs next to nothing, the replaced server takes messages of
//! 9 MiB (spec: faf-observed, Connection), and what becomes of a string is bounded where it is used. Most of what clients send
//! is below a kilobyte and not looked at here.

use crate::faf::protocol::request::{Outcome, Refusal};
use wire::json::{Extent, MAX_DEPTH, Outline};

/// Up to this length a message is parsed without having been looked at.
const SMALL_MESSAGE_BYTES: usize = 8 << 10;

/// Values, keys and brackets of a message: all vetoes that are heeded, or a list of guests, are half of it.
const MESSAGE_VALUES: usize = 32 << 10;
/// Escapes in its strings.
const MESSAGE_ESCAPES: usize = 32 << 10;
/// Values of army statistics, which are one text,
const STATS_VALUES: usize = 64;
/// in which every quote and line end is escaped: a full game's 100 KiB have some thousand of them.
const STATS_ESCAPES: usize = 256 << 10;

const ORDINARY: Extent = Extent {
    values: MESSAGE_VALUES,
    escapes: MESSAGE_ESCAPES,
    depth: MAX_DEPTH,
};

const STATS: Extent = Extent {
    values: STATS_VALUES,
    escapes: STATS_ESCAPES,
    depth: MAX_DEPTH,
};

/// What no message may have more of, whatever its command.
const ANY: Extent = Extent {
    escapes: STATS_ESCAPES,
    ..ORDINARY
};

/// Refuses a message in which there is more than its command needs. Reads no further than it must.
pub(in crate::faf) fn admit(body: &[u8]) -> Outcome {
    if body.len() <= SMALL_MESSAGE_BYTES {
        return Ok(());
    }
    let mut outline = Outline::new(body);
    let bound = match outline.member("command", ANY) {
        Some(b"JsonStats") => STATS,
        _ => ORDINARY,
    };
    if outline.is_within(bound) {
        return Ok(());
    }
    Err(if outline.extent().depth > MAX_DEPTH {
        Refusal::Garbage // as the parser would find
    } else {
        Refusal::Invalid
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holding(command: &str, text: &str) -> Outcome {
        let text = format!(r#"{{"command":"{command}","args":[{text}]}}"#);
        admit(text.as_bytes())
    }

    #[test]
    fn a_long_string_is_no_reason_to_refuse() {
        for command in ["ping", "JsonStats", "unheard-of"] {
            let long = format!("\"{}\"", "x".repeat(9 << 20));
            assert_eq!(holding(command, &long), Ok(()), "{command}");
        }
    }

    // A message of a MiB had 300,000 values, which took a shard 30 ms and more.
    #[test]
    fn a_message_has_so_many_values_and_escapes_and_no_more() {
        let refused = || Err(Refusal::Invalid);
        let values = |command, count| holding(command, &format!("{}0", "0,".repeat(count)));
        assert_eq!(values("ping", MESSAGE_VALUES - 10), Ok(()));
        assert_eq!(values("ping", MESSAGE_VALUES + 10), refused());
        assert_eq!(values("JsonStats", 5_000), refused());
        assert_eq!(values("JsonStats", 50), Ok(()));
        let escapes = |command, count| holding(command, &format!("\"{}\"", "\\n".repeat(count)));
        assert_eq!(escapes("ping", MESSAGE_ESCAPES), Ok(()));
        assert_eq!(escapes("ping", MESSAGE_ESCAPES + 1), refused());
        assert_eq!(escapes("JsonStats", STATS_ESCAPES), Ok(()));
        assert_eq!(escapes("JsonStats", STATS_ESCAPES + 1), refused());
    }

    #[test]
    fn the_command_is_found_wherever_it_stands() {
        let text = format!(
            r#"{{"target":"game","args":["{}"],"command":"JsonStats"}}"#,
            "\\n".repeat(MESSAGE_ESCAPES + 1)
        );
        assert_eq!(admit(text.as_bytes()), Ok(()));
    }

    #[test]
    fn what_the_parser_would_not_take_ends_as_there() {
        assert_eq!(holding("ping", &"[".repeat(200_000)), Err(Refusal::Garbage));
    }
}
