//! Text encodings by any name: what was encoded reads back as what could be encoded, ASCII stays as it is.

use wire::charset::Charset;

use crate::input::Input;

pub(crate) fn run(data: &[u8]) {
    let mut input = Input::new(data);
    let name = input.bytes();
    let Some(charset) = Charset::named(name) else {
        return;
    };
    let kept = serde_json::to_string(&charset).expect("a name is text");
    let again: Charset = serde_json::from_str(&kept).expect("what was kept is read");
    assert_eq!(again, charset, "{kept}");
    let bytes = input.rest();
    let text = charset.decode(bytes);
    // Encoding may lose characters, once.
    let once = charset.decode(&charset.encode(&text)).into_owned();
    let twice = charset.decode(&charset.encode(&once)).into_owned();
    assert_eq!(once, twice, "{kept}");
    if charset.is_utf8() {
        assert_eq!(once, text);
    }
    let ascii: String = text.chars().filter(char::is_ascii).collect();
    assert_eq!(*charset.encode(&ascii), *ascii.as_bytes(), "{kept}");
}
