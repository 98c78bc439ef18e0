//! A text in a JSON object, found by its name and not by parsing.

use memchr::{memchr2, memmem};

/// The text of the first member whose name is this one, which stands there with its quotes; nothing if it is no text, or one with
/// a backslash.
///
/// Escaped JSON inside a string cannot be mistaken for it: there the closing quote of the name has a backslash before it. A text that
/// is the name has no colon behind it.
pub(crate) fn text_of<'a>(object: &'a [u8], quoted: &str) -> Option<&'a str> {
    memmem::find_iter(object, quoted.as_bytes()).find_map(|at| {
        let rest = object[at + quoted.len()..].trim_ascii_start();
        let rest = rest.strip_prefix(b":")?.trim_ascii_start();
        let rest = rest.strip_prefix(b"\"")?;
        let end = memchr2(b'"', b'\\', rest).filter(|end| rest[*end] == b'"')?;
        std::str::from_utf8(&rest[..end]).ok()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_member_is_found_however_it_is_written() {
        let kind = |text: &'static str| text_of(text.as_bytes(), "\"type\"");
        assert_eq!(kind(r#"{"a":[{"b":1}],"type":"x"}"#), Some("x"));
        assert_eq!(kind("{\n\t\"type\" : \"y\"\n}"), Some("y"));
        assert_eq!(kind(r#"{"text":"\"type\":\"z\"","type":"x"}"#), Some("x"));
        assert_eq!(kind(r#"{"text":"type","type":"x"}"#), Some("x"));
        for none in ["", "{}", r#"{"type":5}"#, r#"{"type":"a\"b"}"#, r#"{"type"#] {
            assert_eq!(kind(none), None, "{none}");
        }
    }
}
