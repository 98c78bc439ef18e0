//! How long a message may be, by its command: what is decided before it is parsed.
//!
//! Whoever sends keeps everybody else on the shard waiting while it is parsed, so nothing may be longer than the command
//! needs. Most of what clients send is below a kilobyte and not looked at here.

use crate::faf::{
    model::limits,
    protocol::request::{Outcome, Refusal},
};
use wire::json::Outline;

/// Up to this length a message is parsed without having been looked at.
pub(in crate::faf) const SMALL_MESSAGE_BYTES: usize = 8 << 10;

/// How long a message of a command may be.
#[derive(Clone, Copy, Debug)]
struct Bound {
    bytes: usize,
    /// Values, keys and brackets.
    values: usize,
}

/// Of every command that is not in the table. The longest ordinary ones are signing in, two fields of 16 KiB at the most,
/// vetoes, and what a host sets.
pub(in crate::faf) const MESSAGE_BYTES: usize = 128 << 10;
/// Values of such a message: all vetoes that are heeded are half of it.
pub(in crate::faf) const MESSAGE_VALUES: usize = 32 << 10;
/// Of the army statistics: a text in a text, with every quote and line end escaped.
pub(in crate::faf) const STATS_MESSAGE_BYTES: usize = 2 * limits::STATS_BYTES + (4 << 10);
/// A list of guests, [`limits::CHANNEL_GUESTS`] of them.
pub(in crate::faf) const ADMIN_MESSAGE_BYTES: usize = 256 << 10;

const ORDINARY: Bound = Bound {
    bytes: MESSAGE_BYTES,
    values: MESSAGE_VALUES,
};

/// Commands that need more.
const TABLE: [(&str, Bound); 2] = [
    (
        "JsonStats",
        Bound {
            bytes: STATS_MESSAGE_BYTES,
            values: 64,
        },
    ),
    (
        "admin",
        Bound {
            bytes: ADMIN_MESSAGE_BYTES,
            values: MESSAGE_VALUES,
        },
    ),
];

/// Refuses a message that is longer than its command needs. Reads no further than it must.
pub(in crate::faf) fn admit(body: &[u8]) -> Outcome {
    if body.len() <= SMALL_MESSAGE_BYTES {
        return Ok(());
    }
    if body.len() > STATS_MESSAGE_BYTES {
        return Err(Refusal::Invalid); // longer than any
    }
    let mut outline = Outline::new(body);
    let command = outline.member("command");
    let own = TABLE
        .iter()
        .find(|(name, _)| command == Some(name.as_bytes()));
    let bound = own.map_or(ORDINARY, |(_, bound)| *bound);
    if body.len() > bound.bytes || !outline.has_at_most(bound.values) {
        return Err(Refusal::Invalid);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn padded(command: &str, bytes: usize) -> Vec<u8> {
        let text = format!(
            r#"{{"command":"{command}","args":["{}"]}}"#,
            "x".repeat(bytes)
        );
        text.into_bytes()
    }

    #[test]
    fn each_command_has_its_length() {
        let refused = Err(Refusal::Invalid);
        for (command, bytes, outcome) in [
            ("ping", MESSAGE_BYTES - 100, Ok(())),
            ("ping", MESSAGE_BYTES, refused.clone()),
            ("JsonStats", limits::STATS_BYTES, Ok(())),
            ("JsonStats", STATS_MESSAGE_BYTES, refused.clone()),
            ("admin", MESSAGE_BYTES, Ok(())),
            ("admin", ADMIN_MESSAGE_BYTES, refused.clone()),
            ("unheard-of", 9 << 20, refused),
        ] {
            assert_eq!(admit(&padded(command, bytes)), outcome, "{command} {bytes}");
        }
        let last = format!(
            r#"{{"target":"game","args":["{}"],"command":"JsonStats"}}"#,
            "x".repeat(1 << 20)
        );
        assert_eq!(admit(last.as_bytes()), Ok(()), "wherever it stands");
    }

    // A message of a MiB had 300,000 values, which took a shard 30 ms and more.
    #[test]
    fn a_message_has_so_many_values_and_no_more() {
        let many = |command: &str, values: usize| {
            let text = format!(
                r#"{{"command":"{command}","x":[{}0]}}"#,
                "0,".repeat(values)
            );
            admit(text.as_bytes())
        };
        assert_eq!(many("ping", MESSAGE_VALUES - 10), Ok(()));
        assert_eq!(many("ping", MESSAGE_VALUES + 10), Err(Refusal::Invalid));
        assert_eq!(many("JsonStats", 5_000), Err(Refusal::Invalid));
        assert_eq!(many("JsonStats", 50), Ok(()));
    }
}
