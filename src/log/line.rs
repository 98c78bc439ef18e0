//! An event as one line. Fields may hold whatever a client has typed: what would end the line, move the reader's cursor or
//! turn the writing around is escaped, and a text with a space or a quotation mark in it is quoted, so that nobody can write
//! a line, or a field, that the program did not.

use std::{
    fmt::{self, Debug, Write},
    time::{SystemTime, UNIX_EPOCH},
};

use jiff::Timestamp;
use tracing::{
    Event, Level,
    field::{Field, Visit},
};

/// Bytes of a line; what is longer is cut off and says so.
const LINE_BYTES: usize = 64 << 10;

/// What lines look like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// `TIME LEVEL TARGET: MESSAGE KEY=VALUE …`
    Plain,
    /// The same, with the level in its colour, for a terminal.
    Colours,
    /// `<PRIORITY>TARGET: MESSAGE KEY=VALUE …`, as the journal takes it from a service (sd-daemon(3)); it knows the time.
    Journal,
    /// An object: `timestamp`, `level`, `target`, `fields` with `message` and all others.
    Json,
}

/// The line of an event, its end included.
pub(super) fn of(event: &Event<'_>, style: Style, at: SystemTime) -> String {
    let level = *event.metadata().level();
    let target = event.metadata().target();
    let mut line = match style {
        Style::Json => json(event, level, target, at),
        Style::Plain => text(event, &format!("{} {level:>5}", moment(at)), target),
        Style::Journal => text(event, &format!("<{}>", priority(level)), target),
        Style::Colours => {
            let level = format!("\x1b[{}m{level:>5}\x1b[0m", colour(level));
            text(event, &format!("{} {level}", moment(at)), target)
        }
    };
    line.push('\n');
    line
}

/// Words of the program that are no event: as they are for people, an object for programs.
pub(super) fn notice(text: &str, style: Style) -> String {
    match style {
        Style::Plain | Style::Colours => return format!("{text}\n"),
        Style::Journal => {
            let priority = priority(Level::WARN);
            let lines = text
                .lines()
                .map(|line| format!("<{priority}>muster: {line}\n"));
            return lines.collect();
        }
        Style::Json => {}
    }
    let mut fields = Fields {
        message: text.to_owned(),
        ..Fields::default()
    };
    object(&mut fields, Level::WARN, "muster", SystemTime::now()) + "\n"
}

fn text(event: &Event<'_>, head: &str, target: &str) -> String {
    let mut fields = Fields::default();
    event.record(&mut fields);
    let mut line = String::new();
    let gap = if head.ends_with('>') { "" } else { " " };
    let _ = write!(line, "{head}{gap}{target}:"); // a String takes everything
    if !fields.message.is_empty() {
        line.push(' ');
        escape(&mut line, &fields.message, false);
    }
    for (name, value) in &fields.others {
        let _ = write!(line, " {name}=");
        match value {
            Of::Plain(text) => line.push_str(text),
            Of::Text(text) if is_one_word(text) => escape(&mut line, text, false),
            Of::Text(text) => {
                line.push('"');
                escape(&mut line, text, true);
                line.push('"');
            }
        }
    }
    cut(&mut line, LINE_BYTES);
    line
}

fn json(event: &Event<'_>, level: Level, target: &str, at: SystemTime) -> String {
    let mut fields = Fields::default();
    event.record(&mut fields);
    object(&mut fields, level, target, at)
}

fn object(fields: &mut Fields, level: Level, target: &str, at: SystemTime) -> String {
    let mut line = format!(
        "{{\"timestamp\":\"{}\",\"level\":\"{level}\",\"target\":\"{target}\",\"fields\":{{",
        moment(at)
    );
    let message = std::mem::take(&mut fields.message);
    let all = std::iter::once(("message", Of::Text(message))).chain(fields.others.drain(..));
    let mut left = LINE_BYTES;
    for (i, (name, value)) in all.enumerate() {
        if i > 0 {
            line.push(',');
        }
        let _ = write!(line, "\"{name}\":");
        match value {
            Of::Plain(text) => line.push_str(&text),
            Of::Text(mut text) => {
                // Before it is written: an object that is cut off is none.
                cut(&mut text, left);
                left = left.saturating_sub(text.len());
                line.push('"');
                escape_json(&mut line, &text);
                line.push('"');
            }
        }
    }
    line.push_str("}}");
    line
}

/// UTC, to the microsecond.
fn moment(at: SystemTime) -> String {
    let since = at.duration_since(UNIX_EPOCH).unwrap_or_default();
    let at = Timestamp::from_microsecond(since.as_micros() as i64).unwrap_or(Timestamp::MAX);
    format!("{at:.6}")
}

/// The number that syslog(3) has for it.
fn priority(level: Level) -> u8 {
    match level {
        Level::ERROR => 3,
        Level::WARN => 4,
        Level::INFO => 6,
        _ => 7,
    }
}

/// The terminal's number.
fn colour(level: Level) -> u8 {
    match level {
        Level::ERROR => 31,
        Level::WARN => 33,
        Level::INFO => 32,
        Level::DEBUG => 34,
        Level::TRACE => 35,
    }
}

/// Whether a text can stand without quotation marks.
fn is_one_word(text: &str) -> bool {
    !text.is_empty() && !text.contains(|c: char| c.is_whitespace() || matches!(c, '"' | '=' | '\\'))
}

/// Ends a line early, between two characters.
fn cut(line: &mut String, most: usize) {
    if line.len() > most {
        line.truncate(line.floor_char_boundary(most));
        line.push('…');
    }
}

/// Whether a character does something to a line rather than stand in it: control characters, those that separate lines and
/// paragraphs, and those that turn the direction of writing or are not seen.
fn is_active(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

fn escape(line: &mut String, text: &str, quoted: bool) {
    for c in text.chars() {
        match c {
            '"' | '\\' if quoted => line.extend(['\\', c]),
            c if is_active(c) => line.extend(c.escape_default()),
            c => line.push(c),
        }
    }
}

fn escape_json(line: &mut String, text: &str) {
    for c in text.chars() {
        match c {
            '"' | '\\' => line.extend(['\\', c]),
            '\n' => line.push_str("\\n"),
            // All of them are in the basic plane.
            c if is_active(c) => drop(write!(line, "\\u{:04x}", u32::from(c))),
            c => line.push(c),
        }
    }
}

/// A field's value.
enum Of {
    /// A number or a flag, which stands as it is in every style.
    Plain(String),
    Text(String),
}

/// What an event says.
#[derive(Default)]
struct Fields {
    message: String,
    others: Vec<(&'static str, Of)>,
}

impl Fields {
    fn add(&mut self, field: &Field, value: Of) {
        match value {
            Of::Text(text) if field.name() == "message" => self.message = text,
            value => self.others.push((field.name(), value)),
        }
    }
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.add(field, Of::Text(bounded(format_args!("{value:?}"))));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.add(field, Of::Text(bounded(format_args!("{value}"))));
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.add(field, Of::Plain(value.to_string()));
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.add(field, Of::Plain(value.to_string()));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.add(field, Of::Plain(value.to_string()));
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        let text = value.to_string();
        // JSON has no word for the others.
        self.add(
            field,
            if value.is_finite() {
                Of::Plain(text)
            } else {
                Of::Text(text)
            },
        );
    }
}

/// The text, of which no more is made than a line can hold.
fn bounded(text: fmt::Arguments<'_>) -> String {
    struct Bounded(String);
    impl Write for Bounded {
        fn write_str(&mut self, text: &str) -> fmt::Result {
            if self.0.len() > LINE_BYTES {
                return Err(fmt::Error);
            }
            let room = LINE_BYTES + 1 - self.0.len();
            self.0.push_str(&text[..text.ceil_char_boundary(room)]);
            Ok(())
        }
    }
    let mut bounded = Bounded(String::new());
    let _ = bounded.write_fmt(text); // full: it is cut off
    bounded.0
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use tracing::Subscriber;
    use tracing_subscriber::{
        Layer,
        layer::{Context, SubscriberExt},
    };

    use super::*;

    struct Collected(Style, Arc<Mutex<Vec<String>>>);

    impl<S: Subscriber> Layer<S> for Collected {
        fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
            let line = of(event, self.0, UNIX_EPOCH);
            self.1.lock().unwrap().push(line);
        }
    }

    fn lines(style: Style, log: impl FnOnce()) -> Vec<String> {
        let lines = Arc::default();
        let layer = Collected(style, Arc::clone(&lines));
        tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), log);
        Arc::into_inner(lines).unwrap().into_inner().unwrap()
    }

    /// Everything that a client could hope to do something with.
    const FORGED: &str = "x\x1b[31m\r\n2026-01-01T00:00:00Z ERROR muster: forged\u{2028}\u{85}\u{9b}31m\u{202e}\u{7f}\u{feff}\0\"y=\\z\"";

    #[test]
    fn a_line_says_when_what_and_with_which_values() {
        let log = || tracing::warn!(target: "muster::here", name = "orion", count = 3, share = 0.5, up = true, error = %"it broke", none = ?None::<u8>, "a thing happened");
        assert_eq!(
            lines(Style::Plain, log),
            [
                "1970-01-01T00:00:00.000000Z  WARN muster::here: a thing happened name=orion count=3 share=0.5 up=true error=\"it broke\" none=None\n"
            ]
        );
        assert_eq!(
            lines(Style::Json, log),
            [
                "{\"timestamp\":\"1970-01-01T00:00:00.000000Z\",\"level\":\"WARN\",\"target\":\"muster::here\",\"fields\":{\"message\":\"a thing happened\",\"name\":\"orion\",\"count\":3,\"share\":0.5,\"up\":true,\"error\":\"it broke\",\"none\":\"None\"}}\n"
            ]
        );
        assert!(
            lines(Style::Colours, log)[0]
                .starts_with("1970-01-01T00:00:00.000000Z \x1b[33m WARN\x1b[0m muster::here:")
        );
    }

    #[test]
    fn whatever_a_field_holds_it_stays_one_line_and_one_field() {
        for style in [Style::Plain, Style::Json] {
            let all = lines(style, || {
                tracing::info!("{FORGED}");
                tracing::info!(text = FORGED, "a");
                tracing::info!(text = %FORGED, "a");
                tracing::info!(text = ?FORGED, "a");
            });
            assert_eq!(all.len(), 4);
            for line in all {
                let line = line.strip_suffix('\n').unwrap();
                assert!(!line.contains(is_active), "{line:?}");
            }
        }
        let line = &lines(Style::Plain, || tracing::info!(text = %"a b=c\"", "m"))[0];
        assert!(line.ends_with(": m text=\"a b=c\\\"\"\n"), "{line}");
    }

    #[test]
    fn json_is_json_that_means_what_was_logged() {
        let line = &lines(Style::Json, || {
            tracing::info!(text = FORGED, nan = f64::NAN, big = u64::MAX, "{FORGED}")
        })[0];
        let read: serde_json::Value = serde_json::from_str(line).unwrap();
        assert_eq!(read["fields"]["text"], FORGED);
        assert_eq!(read["fields"]["message"], FORGED);
        assert_eq!(read["fields"]["big"], u64::MAX);
    }

    #[test]
    fn a_long_text_is_cut_off() {
        let long = "é\"".repeat(LINE_BYTES);
        for style in [Style::Plain, Style::Json] {
            let line = &lines(style, || tracing::info!(one = %long, two = %long, "m"))[0];
            assert!(line.len() < 4 * LINE_BYTES, "{}", line.len());
            if style == Style::Json {
                serde_json::from_str::<serde_json::Value>(line).unwrap();
            }
        }
    }
}
