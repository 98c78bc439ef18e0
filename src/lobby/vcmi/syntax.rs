//! The commands of a packet: `<TAG>value<TAG>value…` (spec: vcmi-proxy 5).

use memchr::memmem;

/// What makes a connection's first packet that of a game (spec: vcmi-proxy 3).
pub(super) fn is_game(first: &[u8]) -> bool {
    memmem::find(first, b"Aiya!").is_some()
}

/// Tags and values in order. What stands before the first tag is skipped; a tag without end ends the packet.
#[derive(Clone, Debug)]
pub(super) struct Commands<'a>(&'a str);

pub(super) fn commands(text: &str) -> Commands<'_> {
    Commands(text)
}

impl<'a> Iterator for Commands<'a> {
    type Item = (&'a str, &'a str);

    fn next(&mut self) -> Option<Self::Item> {
        let (_, inside) = self.0.split_once('<')?;
        let (tag, rest) = inside.split_once('>')?;
        if tag.is_empty() {
            return None;
        }
        let end = rest.find('<').unwrap_or(rest.len());
        self.0 = &rest[end..];
        Some((tag, &rest[..end]))
    }
}

/// A number in plain digits (spec: vcmi-proxy 7.7).
pub(super) fn digits(text: &str) -> Option<u32> {
    let plain = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    plain.then(|| text.parse().unwrap_or(u32::MAX))
}

/// A whole number that may have a sign.
pub(super) fn integer(text: &str) -> Option<i64> {
    text.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(text: &str) -> Vec<(&str, &str)> {
        commands(text).collect()
    }

    /// checklist: vcmi 31, 33, 34, 35, 36
    #[test]
    fn packets_are_read_as_specified() {
        for (text, expected) in [
            ("junk<MSG>one", &[("MSG", "one")][..]),
            ("<MSG>two<MSG>three", &[("MSG", "two"), ("MSG", "three")]),
            ("<UNKNOWN>v<MSG>four", &[("UNKNOWN", "v"), ("MSG", "four")]),
            ("<MSG>five<", &[("MSG", "five")]),
            ("<MSG>six<>", &[("MSG", "six")]),
            ("<>x<MSG>never", &[]),
            ("<MSG", &[]),
            ("<", &[]),
            ("text", &[]),
            ("", &[]),
            ("<MSG>1 <2 and 3> 2", &[("MSG", "1 "), ("2 and 3", " 2")]),
            ("<MSG>", &[("MSG", "")]),
            ("<<MSG>x", &[("<MSG", "x")]),
            ("<MSG >x", &[("MSG ", "x")]),
            ("<MSG>a>b:c\n\t\0 ", &[("MSG", "a>b:c\n\t\0 ")]),
        ] {
            assert_eq!(read(text), expected, "{text:?}");
        }
    }

    /// checklist: vcmi 7, 8
    #[test]
    fn a_game_says_its_word_anywhere() {
        for (packet, game) in [
            (&b"Aiya!\n"[..], true),
            (b"\x05\x04utf8<GREETINGS>bobby<MSG>Aiya!", true),
            (b"Ayia!\n", false),
            (b"aiya!", false),
            (b"Aiya", false),
        ] {
            assert_eq!(is_game(packet), game, "{packet:?}");
        }
    }

    #[test]
    fn numbers_are_plain() {
        assert_eq!(
            [digits("2"), digits("08"), digits("99999999999")],
            [Some(2), Some(8), Some(u32::MAX)]
        );
        assert_eq!(
            [
                digits(""),
                digits(" 2"),
                digits("+2"),
                digits("0_5"),
                digits("٣")
            ],
            [None; 5]
        );
        assert_eq!(
            [integer("1"), integer("-3"), integer(" 1 "), integer("load")],
            [Some(1), Some(-3), Some(1), None]
        );
    }

    proptest! {
        /// Against the specification's four steps, written down naively.
        #[test]
        fn as_the_steps_say(text in "[<>AB:x ]{0,30}") {
            let mut expected = Vec::new();
            let bytes: Vec<char> = text.chars().collect();
            let mut at = 0;
            while at < bytes.len() {
                if bytes[at] != '<' { at += 1; continue; }
                let Some(end) = (at + 1..bytes.len()).find(|&i| bytes[i] == '>') else { break };
                if end == at + 1 { break; }
                let stop = (end + 1..bytes.len()).find(|&i| bytes[i] == '<').unwrap_or(bytes.len());
                expected.push((bytes[at + 1..end].iter().collect::<String>(), bytes[end + 1..stop].iter().collect::<String>()));
                at = stop;
            }
            let seen: Vec<(String, String)> = read(&text).into_iter().map(|(a, b)| (a.to_owned(), b.to_owned())).collect();
            prop_assert_eq!(seen, expected);
        }
    }
}
