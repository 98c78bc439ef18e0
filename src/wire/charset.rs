//! Text encodings that a client may choose by name (spec: vcmi-proxy 4.2).
//!
//! Decoding never fails: what is no text becomes U+FFFD. Encoding never fails: a character that does not exist in the
//! encoding becomes `?`.

use std::borrow::Cow;

use encoding_rs::{EncoderResult, Encoding};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};

/// One text encoding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Charset(Kind);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Utf8,
    /// Bytes are code points below this; encoding_rs knows neither, since the web takes both names for Windows-1252.
    Single(u32),
    /// As the web has it.
    Table(&'static Encoding),
    /// A Windows code page whose name the web also uses for the ISO standard it extends: where that one has control characters,
    /// the page has printed ones.
    Iso(&'static Encoding),
}

const UTF_8: &str = "utf8";
const ASCII: &str = "ascii";
const ASCII_END: u32 = 0x80;
const LATIN_1: &str = "latin1";
const LATIN_1_END: u32 = 0x100;
/// ISO 8859's control characters, bytes and code points alike.
const CONTROLS: std::ops::RangeInclusive<char> = '\u{80}'..='\u{9F}';
/// The ISO standards that are meant where the web means a code page, with the page.
const ISO: [(&str, &Encoding); 2] = [
    ("iso-8859-9", encoding_rs::WINDOWS_1254),
    ("iso-8859-11", encoding_rs::WINDOWS_874),
];

impl Charset {
    /// What is spoken where no name was given.
    pub const UTF_8: Charset = Charset(Kind::Utf8);

    /// The encoding of this name; case, `-`, `_` and spaces do not count. `None`: nobody knows it.
    pub fn named(name: &[u8]) -> Option<Charset> {
        let name = std::str::from_utf8(name).ok()?;
        let squeezed: String = name
            .chars()
            .filter(|c| !matches!(c, '-' | '_' | ' '))
            .map(|c| c.to_ascii_lowercase())
            .collect();
        let kind = match squeezed.as_str() {
            UTF_8 | "u8" => Kind::Utf8,
            ASCII | "usascii" => Kind::Single(ASCII_END),
            LATIN_1 | "l1" | "iso88591" => Kind::Single(LATIN_1_END),
            "latin5" | "l5" | "iso88599" => Kind::Iso(encoding_rs::WINDOWS_1254),
            "tis620" | "iso885911" => Kind::Iso(encoding_rs::WINDOWS_874),
            _ => table(&squeezed, name).map(Kind::Table)?,
        };
        Some(Charset(kind))
    }

    /// Whether every text goes in and out unchanged.
    pub fn is_utf8(self) -> bool {
        self == Charset::UTF_8
    }

    /// Bytes as text.
    pub fn decode(self, bytes: &[u8]) -> Cow<'_, str> {
        match self.0 {
            Kind::Utf8 => String::from_utf8_lossy(bytes),
            Kind::Single(end) => bytes
                .iter()
                .map(|&byte| match u32::from(byte) < end {
                    true => char::from(byte),
                    false => char::REPLACEMENT_CHARACTER,
                })
                .collect(),
            Kind::Table(encoding) => {
                let text = encoding.decode_without_bom_handling(bytes).0;
                // The web fills the holes of code pages with control characters.
                match is_page(encoding) && text.contains(is_control) {
                    true => Cow::Owned(text.replace(is_control, "\u{FFFD}")),
                    false => text,
                }
            }
            Kind::Iso(page) => bytes
                .iter()
                .flat_map(|byte| {
                    match char::from(*byte) {
                        control if is_control(control) => control.to_string(),
                        _ => page.decode_without_bom_handling(&[*byte]).0.into_owned(),
                    }
                    .chars()
                    .collect::<Vec<_>>()
                })
                .collect(),
        }
    }

    /// Text as bytes.
    pub fn encode(self, text: &str) -> Cow<'_, [u8]> {
        match self.0 {
            Kind::Utf8 => Cow::Borrowed(text.as_bytes()),
            Kind::Single(end) => text
                .chars()
                .map(|c| match u32::from(c) < end {
                    true => u32::from(c) as u8,
                    false => b'?',
                })
                .collect(),
            Kind::Table(encoding) => match is_page(encoding) && text.contains(is_control) {
                true => Cow::Owned(encode(encoding, &text.replace(is_control, "?"))),
                false => Cow::Owned(encode(encoding, text)),
            },
            Kind::Iso(page) => text
                .chars()
                .map(|c| match c {
                    control if is_control(control) => u32::from(control) as u8,
                    c => match *encode(page, c.encode_utf8(&mut [0; 4])) {
                        [byte] if !is_control(char::from(byte)) => byte,
                        _ => b'?',
                    },
                })
                .collect(),
        }
    }
}

/// By a name that means it and nothing else.
impl Serialize for Charset {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(match self.0 {
            Kind::Utf8 => UTF_8,
            Kind::Single(ASCII_END) => ASCII,
            Kind::Single(_) => LATIN_1,
            Kind::Table(encoding) => encoding.name(),
            Kind::Iso(page) => ISO.iter().find(|iso| iso.1 == page).map_or("", |iso| iso.0),
        })
    }
}

impl<'de> Deserialize<'de> for Charset {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        let kind = match name.as_str() {
            UTF_8 => Kind::Utf8,
            ASCII => Kind::Single(ASCII_END),
            LATIN_1 => Kind::Single(LATIN_1_END),
            name if let Some(iso) = ISO.iter().find(|iso| iso.0 == name) => Kind::Iso(iso.1),
            name => Encoding::for_label_no_replacement(name.as_bytes())
                .filter(|found| carries(found))
                .map(Kind::Table)
                .ok_or_else(|| D::Error::custom(format!("no encoding is called {name}")))?,
        };
        Ok(Charset(kind))
    }
}

/// An encoding of the tables by its name. Those of more than one byte order and those whose bytes may look like ASCII
/// (`iso-2022-jp`) can't carry this protocol.
fn table(squeezed: &str, name: &str) -> Option<&'static Encoding> {
    let digits = |head: &str| squeezed.strip_prefix(head).filter(|rest| !rest.is_empty());
    let label = match squeezed {
        "cp932" => "windows-31j".to_owned(),
        "cp936" => "gbk".to_owned(),
        "cp949" | "uhc" => "euc-kr".to_owned(),
        "cp950" => "big5".to_owned(),
        "cp874" => "windows-874".to_owned(),
        "koi8r" => "koi8-r".to_owned(),
        "koi8u" => "koi8-u".to_owned(),
        _ => match (digits("iso8859"), digits("windows")) {
            (Some(part), _) => format!("iso-8859-{part}"),
            (_, Some(page)) => format!("windows-{page}"),
            _ => name.trim().replace(['_', ' '], "-"),
        },
    };
    let found = [label.as_str(), &label.replace('-', "_"), squeezed]
        .into_iter()
        .find_map(|label| Encoding::for_label_no_replacement(label.as_bytes()))?;
    carries(found).then_some(found)
}

fn is_control(c: char) -> bool {
    CONTROLS.contains(&c)
}

/// Whether it is a code page of Windows with one byte for each character.
fn is_page(encoding: &'static Encoding) -> bool {
    encoding.is_single_byte() && encoding.name().starts_with("windows-")
}

/// Whether the protocol can be spoken in it.
fn carries(encoding: &'static Encoding) -> bool {
    encoding.is_ascii_compatible() && encoding != encoding_rs::X_USER_DEFINED
}

fn encode(encoding: &'static Encoding, text: &str) -> Vec<u8> {
    let mut encoder = encoding.new_encoder();
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    loop {
        let room = encoder.max_buffer_length_from_utf8_without_replacement(rest.len());
        out.reserve(room.unwrap_or(rest.len()));
        let (result, read) =
            encoder.encode_from_utf8_to_vec_without_replacement(rest, &mut out, true);
        rest = &rest[read..];
        match result {
            EncoderResult::InputEmpty => return out,
            EncoderResult::OutputFull => {}
            EncoderResult::Unmappable(_) => out.push(b'?'),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn named(name: &str) -> Charset {
        Charset::named(name.as_bytes()).unwrap_or_else(|| panic!("{name} is not known"))
    }

    #[test]
    fn what_is_kept_of_an_encoding_means_the_same_one() {
        let names = [
            "utf8",
            "ascii",
            "latin-1",
            "cp1251",
            "logical",
            "gb18030",
            "shift_jis",
            "euc-kr",
            "koi8-u",
            "macintosh",
            "iso-8859-15",
            "iso-8859-9",
            "tis-620",
            "unicode-1-1-utf-8",
        ];
        for name in names {
            let charset = named(name);
            let text = serde_json::to_string(&charset).unwrap();
            let read: Charset = serde_json::from_str(&text).unwrap();
            assert_eq!(read, charset, "{name} is {text}");
        }
        for unknown in ["", "utf-16le", "iso-2022-jp", "x-user-defined", "klingon"] {
            let text = serde_json::to_string(unknown).unwrap();
            let read: Result<Charset, _> = serde_json::from_str(&text);
            assert!(read.is_err(), "{unknown}");
        }
    }

    /// checklist: vcmi 24
    #[test]
    fn names_are_found_however_they_are_written() {
        for (names, text, bytes) in [
            (
                &["utf8", "UTF-8", "utf_8", "Utf 8"][..],
                "да",
                &b"\xd0\xb4\xd0\xb0"[..],
            ),
            (
                &[
                    "cp1251",
                    "CP1251",
                    "windows-1251",
                    "Windows_1251",
                    "windows 1251",
                ],
                "да",
                b"\xe4\xe0",
            ),
            (&["cp1250", "windows-1250"], "ř", b"\xf8"),
            (
                &[
                    "cp1252", "cp1253", "cp1254", "cp1255", "cp1256", "cp1257", "cp1258",
                ],
                "€",
                b"\x80",
            ),
            (
                &["latin1", "latin-1", "ISO-8859-1", "iso8859_1"],
                "é€",
                b"\xe9?",
            ),
            (&["ascii", "US-ASCII"], "aé", b"a?"),
            (
                &["iso-8859-5", "iso8859-5", "ISO_8859_5"],
                "да",
                b"\xd4\xd0",
            ),
            (&["iso-8859-15", "iso8859_15"], "€", b"\xa4"),
            (&["koi8-r", "KOI8_R", "koi8r"], "да", b"\xc4\xc1"),
            (&["gbk", "GBK", "cp936"], "中", b"\xd6\xd0"),
            (
                &["shift_jis", "Shift-JIS", "sjis", "cp932"],
                "日",
                b"\x93\xfa",
            ),
            (&["big5", "cp950"], "中", b"\xa4\xa4"),
            (&["euc-kr", "cp949"], "한", b"\xc7\xd1"),
        ] {
            for name in names {
                assert_eq!(&*named(name).encode(text), bytes, "{name}");
                if !bytes.contains(&b'?') {
                    assert_eq!(named(name).decode(bytes), text, "{name}");
                }
            }
        }
    }

    /// checklist: vcmi 24
    #[test]
    fn an_iso_standard_is_not_the_code_page_that_extends_it() {
        for (name, text, bytes) in [
            ("iso-8859-9", "ğİ€–„", &b"\xf0\xdd???"[..]),
            ("iso8859-11", "ก€–", b"\xa1??"),
            ("tis-620", "ก\u{93}", b"\xa1\x93"),
            ("latin5", "\u{80}\u{9f}é", b"\x80\x9f\xe9"),
        ] {
            assert_eq!(&*named(name).encode(text), bytes, "{name}");
        }
        assert_eq!(named("iso-8859-9").decode(b"\x80\x93\xf0"), "\u{80}\u{93}ğ");
        assert_eq!(named("cp1254").decode(b"\x80\x93\xf0"), "€“ğ");
    }

    /// checklist: vcmi 24
    #[test]
    fn holes_of_code_pages_mean_nothing() {
        for (name, byte) in [
            ("cp1250", 0x81),
            ("cp1251", 0x98),
            ("windows-1252", 0x81),
            ("cp1253", 0x8a),
            ("cp1253", 0xd2),
            ("cp1255", 0x9f),
            ("cp1257", 0x9f),
            ("cp1258", 0x9a),
            ("cp874", 0x86),
        ] {
            assert_eq!(named(name).decode(&[byte]), "\u{FFFD}", "{name} {byte:x}");
            let hole = char::from(byte).to_string();
            assert_eq!(&*named(name).encode(&hole), b"?", "{name} {byte:x}");
        }
        assert_eq!(named("iso-8859-5").decode(b"\x98"), "\u{98}");
    }

    /// checklist: vcmi 23
    #[test]
    fn others_are_unknown() {
        for name in [
            "klingon",
            "",
            "utf-16",
            "iso-2022-jp",
            "replacement",
            "x-user-defined",
            "cp",
            "iso8859",
        ] {
            assert_eq!(Charset::named(name.as_bytes()), None, "{name}");
        }
        assert_eq!(Charset::named(b"\xff\xfe"), None);
    }

    /// checklist: vcmi 25, 26
    #[test]
    fn what_does_not_fit_is_replaced() {
        let russian = named("cp1251");
        assert_eq!(&*russian.encode("привет ☃"), b"\xef\xf0\xe8\xe2\xe5\xf2 ?");
        assert_eq!(named("ascii").decode(b"a\xe9"), "a\u{fffd}");
        assert_eq!(Charset::UTF_8.decode(b"a\xffb\xc3"), "a\u{fffd}b\u{fffd}");
    }

    proptest! {
        /// ASCII stays ASCII, so that tags and separators are the same in every encoding.
        #[test]
        fn ascii_is_the_same_everywhere(
            text in "[ -~\\n\\t]{0,40}",
            name in prop::sample::select(vec!["utf8", "cp1251", "latin1", "ascii", "gbk", "big5", "koi8-r", "cp1258"]),
        ) {
            prop_assert_eq!(&*named(name).encode(&text), text.as_bytes());
            prop_assert_eq!(&*named(name).decode(text.as_bytes()), text.as_str());
        }

        #[test]
        fn any_text_and_any_bytes_are_survived(
            text in "\\PC{0,40}",
            bytes in prop::collection::vec(any::<u8>(), 0..60),
            name in prop::sample::select(vec!["utf8", "cp1251", "latin1", "ascii", "gbk", "shift_jis", "big5", "euc-kr"]),
        ) {
            let charset = named(name);
            let once = charset.decode(&charset.encode(&text)).into_owned();
            prop_assert_eq!(charset.decode(&charset.encode(&once)).into_owned(), once);
            let _ = charset.decode(&bytes);
        }
    }
}
