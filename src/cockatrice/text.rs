//! What texts of clients are cut to and cleaned of (spec: cockatrice-wire 8).
//!
//! A text arrives as bytes that ought to be UTF-8. It is cut at a number of bytes first and read as text afterwards, so a
//! character that the cut goes through becomes U+FFFD, as whatever else is not UTF-8.

use std::borrow::Cow;

/// Most bytes of a name: of users, lists, rooms, zones, tokens, client versions, descriptions, e-mail addresses.
pub const NAME_BYTES: usize = 255;

/// Most bytes of a text: reasons, reports, chat that is logged.
pub const TEXT_BYTES: usize = 4095;

/// Most bytes of a file: decks and avatars.
pub const FILE_BYTES: usize = 2_097_151;

/// Most bytes of a password. A longer one is refused, not cut.
pub const PASSWORD_BYTES: usize = 255;

/// Most characters of the name somebody signs in with.
pub const LOGIN_NAME_CHARACTERS: usize = 35;

/// Most entries of `clientfeatures` and of `game_type_ids`; further ones are not looked at.
pub const LIST_ENTRIES: usize = 255;

/// A name, cut.
pub fn name(bytes: &[u8]) -> Cow<'_, str> {
    first(bytes, NAME_BYTES)
}

/// A text, of which the beginning is kept.
pub fn text(bytes: &[u8]) -> Cow<'_, str> {
    first(bytes, TEXT_BYTES)
}

/// A text of which the end is kept: the chat that a report quotes.
pub fn end_of_text(bytes: &[u8]) -> Cow<'_, str> {
    String::from_utf8_lossy(&bytes[bytes.len().saturating_sub(TEXT_BYTES)..])
}

/// A file that is text, cut.
pub fn file(bytes: &[u8]) -> Cow<'_, str> {
    first(bytes, FILE_BYTES)
}

/// A file that is no text, cut.
pub fn image(bytes: &[u8]) -> &[u8] {
    &bytes[..bytes.len().min(FILE_BYTES)]
}

fn first(bytes: &[u8], limit: usize) -> Cow<'_, str> {
    String::from_utf8_lossy(&bytes[..bytes.len().min(limit)])
}

/// The name somebody signs in with: cut, cleaned, cut again (spec: cockatrice-wire 8, 10.2 item 6).
pub fn login_name(bytes: &[u8]) -> String {
    let cleaned = clean(&name(bytes));
    cleaned.chars().take(LOGIN_NAME_CHARACTERS).collect()
}

/// The text without whitespace at its ends; each run of whitespace inside is one space.
pub fn clean(text: &str) -> String {
    let mut cleaned = String::with_capacity(text.len());
    for word in text.split_whitespace() {
        if !cleaned.is_empty() {
            cleaned.push(' ');
        }
        cleaned.push_str(word);
    }
    cleaned
}

/// What is said in a room: each line end is a space, nothing else changes (spec: cockatrice-behaviour 4.4).
pub fn one_line(said: &str) -> Cow<'_, str> {
    if said.contains('\n') {
        Cow::Owned(said.replace('\n', " "))
    } else {
        Cow::Borrowed(said)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_cut_at_a_byte() {
        assert_eq!(name(&[b'n'; 300]), "n".repeat(255));
        assert_eq!(name(&[b'n'; 255]).len(), 255);
        let accents = "é".repeat(200);
        assert_eq!(name(accents.as_bytes()), "é".repeat(127) + "\u{fffd}");
        let letters = format!("{}{}", "a".repeat(252), '\u{1f600}');
        assert_eq!(name(letters.as_bytes()), "a".repeat(252) + "\u{fffd}");
    }

    #[test]
    fn texts_keep_their_beginning_or_their_end() {
        let long = format!("{}{}", "a".repeat(4095), "z".repeat(10));
        assert_eq!(text(long.as_bytes()), "a".repeat(4095));
        let end = format!("{}{}", "a".repeat(4085), "z".repeat(10));
        assert_eq!(end_of_text(long.as_bytes()), end);
        let accents = "é".repeat(2048);
        let kept = format!("\u{fffd}{}", "é".repeat(2047));
        assert_eq!(end_of_text(accents.as_bytes()), kept);
        assert_eq!(end_of_text(b"short"), "short");
    }

    #[test]
    fn files_are_cut() {
        let large = vec![b'x'; FILE_BYTES + 1];
        assert_eq!(file(&large).len(), FILE_BYTES);
        assert_eq!(image(&large).len(), FILE_BYTES);
        assert_eq!(image(b"\xff\0"), b"\xff\0");
    }

    #[test]
    fn whitespace_is_cleaned_up() {
        assert_eq!(clean("  a \t\r\n b\u{a0}\u{2003}c  "), "a b c");
        assert_eq!(clean(" \n "), "");
        assert_eq!(one_line("a\nb\r\n c "), "a b\r  c ");
        assert_eq!(one_line("a"), "a");
    }

    #[test]
    fn a_login_name_has_35_characters() {
        assert_eq!(login_name("  Ann \t Other ".as_bytes()), "Ann Other");
        assert_eq!(login_name("ü".repeat(50).as_bytes()), "ü".repeat(35));
        let spaces = format!("{}name", " ".repeat(255));
        assert_eq!(login_name(spaces.as_bytes()), "");
    }
}
