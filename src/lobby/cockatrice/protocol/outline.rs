//! What a long message is made of, before it is read: a container becomes as many values in memory as it has fields, so one
//! of two million bytes must be one text and little else. Only decks, pictures and the chat that a report quotes are that long.

use crate::cockatrice::settings::LONG_FIELDS;

/// How deep it is looked: the container, its command, what that holds.
const LEVELS: u32 = 3;

/// Whether a container of this length is what a client may send that is longer than the usual.
pub(in crate::cockatrice) fn is_one_text(container: &[u8]) -> bool {
    has_few_fields(container, LEVELS)
}

fn has_few_fields(mut rest: &[u8], levels: u32) -> bool {
    let mut fields = 0;
    while !rest.is_empty() {
        fields += 1;
        let Some(tag) = varint(&mut rest).filter(|_| fields <= LONG_FIELDS) else {
            return false;
        };
        let skipped = match tag & 7 {
            0 => varint(&mut rest).map(|_| 0),
            1 => Some(8),
            2 => varint(&mut rest),
            5 => Some(4),
            _ => None,
        };
        let skipped = skipped.and_then(|bytes| usize::try_from(bytes).ok());
        let Some((content, behind)) = skipped.and_then(|bytes| rest.split_at_checked(bytes)) else {
            return false;
        };
        if tag & 7 == 2 && levels > 1 && !has_few_fields(content, levels - 1) {
            return false;
        }
        rest = behind;
    }
    true
}

fn varint(rest: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for (index, &byte) in rest.iter().take(10).enumerate() {
        value |= u64::from(byte & 0x7f) << (7 * index);
        if byte < 0x80 {
            *rest = &rest[index + 1..];
            return Some(value);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use cockatrice::messages::{
        CommandContainer, CommandDeckUpload, CommandPing, SessionCommand, SessionCommandBody,
        encode,
    };

    use super::*;

    fn container(commands: Vec<SessionCommandBody<'_>>) -> Vec<u8> {
        let shells = commands
            .into_iter()
            .map(|body| SessionCommand { body: Some(body) });
        encode(&CommandContainer {
            cmd_id: Some(7),
            session_command: shells.collect(),
            ..CommandContainer::default()
        })
    }

    #[test]
    fn a_long_text_passes_and_many_commands_do_not() {
        let text = "x".repeat(100_000);
        let upload = CommandDeckUpload {
            path: Some("a/b".into()),
            deck_list: Some(text.as_str().into()),
            ..CommandDeckUpload::default()
        };
        assert!(is_one_text(&container(vec![
            SessionCommandBody::DeckUpload(upload)
        ])));
        let pings = vec![SessionCommandBody::Ping(CommandPing::default()); 100];
        assert!(!is_one_text(&container(pings)));
        assert!(!is_one_text(&[0x0a, 0xff, 0xff, 0xff, 0xff, 0xff]));
        assert!(!is_one_text(&[0xff; 20]));
        assert!(is_one_text(&[]));
    }
}
