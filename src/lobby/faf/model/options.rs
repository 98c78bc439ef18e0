//! Options of a game, its players and its AIs: small typed values in the order they were first set.

use serde::{Deserialize, Serialize, Serializer};

use crate::faf::model::limits;
use wire::json;

/// Victory conditions the server knows (spec: faf-messages 4.2, N#1040).
pub(in crate::faf) const VICTORIES: [&str; 5] = [
    "DEMORALIZATION",
    "DOMINATION",
    "ERADICATION",
    "SANDBOX",
    "DECAPITATION",
];

/// An option's value as the host sent it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum OptionValue {
    /// `null`.
    Null,
    /// `true`, `false`.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// Any other number.
    Float(f64),
    /// Text.
    Text(Box<str>),
    /// Lists and objects, as JSON text.
    Json(Box<str>),
}

impl OptionValue {
    /// Takes a value out of configuration.
    pub(in crate::faf) fn from_json(value: &serde_json::Value) -> Self {
        match value {
            serde_json::Value::Null => OptionValue::Null,
            serde_json::Value::Bool(b) => OptionValue::Bool(*b),
            serde_json::Value::Number(n) => match (n.as_i64(), n.as_f64()) {
                (Some(n), _) => OptionValue::Int(n),
                (None, n) => OptionValue::Float(n.unwrap_or(f64::NAN)),
            },
            serde_json::Value::String(text) => OptionValue::Text(text.as_str().into()),
            _ => OptionValue::Json(String::from_utf8_lossy(&json::to_json(value)).into()),
        }
    }

    /// Bytes of its text, if it has any.
    pub fn len(&self) -> usize {
        match self {
            OptionValue::Text(text) | OptionValue::Json(text) => text.len(),
            _ => 0,
        }
    }

    /// Whether it has no text.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// As a whole number, where it converts to one.
    pub fn integer(&self) -> Option<i64> {
        match self {
            OptionValue::Int(n) => Some(*n),
            OptionValue::Float(n) if n.is_finite() => Some(*n as i64),
            OptionValue::Bool(b) => Some((*b).into()),
            OptionValue::Text(text) => text.trim().parse().ok(),
            _ => None,
        }
    }

    /// As text, if it is.
    pub fn text(&self) -> Option<&str> {
        if let OptionValue::Text(text) = self {
            Some(text)
        } else {
            None
        }
    }

    /// As a key of an object.
    pub(in crate::faf) fn key(&self) -> String {
        match self {
            OptionValue::Null => "null".into(),
            OptionValue::Bool(b) => b.to_string(),
            OptionValue::Int(n) => n.to_string(),
            OptionValue::Float(n) => n.to_string(),
            OptionValue::Text(text) | OptionValue::Json(text) => text.to_string(),
        }
    }
}

/// As a value of a message.
pub(in crate::faf) fn wire_value<S: Serializer>(
    value: &OptionValue,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    match value {
        OptionValue::Null => serializer.serialize_unit(),
        OptionValue::Bool(b) => serializer.serialize_bool(*b),
        OptionValue::Int(n) => serializer.serialize_i64(*n),
        OptionValue::Float(n) => serializer.serialize_f64(*n),
        OptionValue::Text(text) | OptionValue::Json(text) => serializer.serialize_str(text),
    }
}

/// Options in the order they were first set.
pub(in crate::faf) type Options = Vec<(Box<str>, OptionValue)>;

/// Bytes that options take.
pub(in crate::faf) fn bytes_of(options: &Options) -> usize {
    let bytes = |(key, value): &(Box<str>, OptionValue)| size(key, value);
    options.iter().map(bytes).sum()
}

/// Bytes that an option takes.
pub(in crate::faf) fn size(key: &str, value: &OptionValue) -> usize {
    key.len() + value.len() + limits::OPTION_COST
}

/// Sets an option; false if a limit forbids it.
pub(in crate::faf) fn set(
    options: &mut Options,
    key: &str,
    value: OptionValue,
    limit: usize,
) -> bool {
    if let Some((_, old)) = options.iter_mut().find(|(k, _)| **k == *key) {
        *old = value;
    } else if options.len() < limit {
        options.push((key.into(), value));
    } else {
        return false;
    }
    true
}

/// The option with this key.
pub(in crate::faf) fn option<'a>(options: &'a Options, key: &str) -> Option<&'a OptionValue> {
    options
        .iter()
        .find(|(k, _)| **k == *key)
        .map(|(_, value)| value)
}

/// Options before the host changes any (spec: faf-lifecycle 10.1).
pub(in crate::faf) fn default_options(folder: &str, coop: bool) -> Options {
    let text = |text: &str| OptionValue::Text(text.into());
    let mut options = vec![
        ("AIReplacement", text("Off")),
        ("CheatsEnabled", text("false")),
        ("FogOfWar", text("explored")),
        ("GameSpeed", text("normal")),
        ("NoRushOption", text("Off")),
        ("PrebuiltUnits", text("Off")),
        ("RestrictedCategories", OptionValue::Int(0)),
        (
            "ScenarioFile",
            text(&format!("/maps/{folder}/{folder}_scenario.lua")),
        ),
        ("Slots", OptionValue::Int(12)),
        ("TeamLock", text("locked")),
        ("Unranked", text("No")),
        (
            "Victory",
            text(if coop { "SANDBOX" } else { "DEMORALIZATION" }),
        ),
    ];
    if coop {
        options.extend([
            ("TeamSpawn", text("fixed")),
            ("RevealedCivilians", text("No")),
            ("Difficulty", OptionValue::Int(3)),
            ("Expansion", text("true")),
        ]);
    }
    options
        .into_iter()
        .map(|(key, value)| (key.into(), value))
        .collect()
}

/// A title by the rules: trimmed, ASCII, not empty, cut (spec: faf-messages 4.2). Everybody is shown it, so what is in it
/// stands in a line and moves nobody's cursor.
pub(in crate::faf) fn title(text: &str) -> Option<String> {
    let shown = printable(text);
    let shown = shown.trim();
    let good = text.is_ascii() && !shown.is_empty();
    good.then(|| shown[..shown.len().min(limits::TITLE_CHARS)].to_owned())
}

/// The text without characters that do something where they should only be shown: control characters, separators of lines and
/// paragraphs, and those that turn the direction of writing.
pub(in crate::faf) fn printable(text: &str) -> String {
    let active =
        |c: &char| c.is_control() || matches!(c, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    text.chars().filter(|c| !active(c)).collect()
}

/// The name of a map's folder. It becomes part of a path on everybody's machine, so it leads nowhere else: of a path it is the
/// last component.
pub(in crate::faf) fn folder(text: &str) -> Option<String> {
    let text = printable(text).to_lowercase();
    let mut parts = text.rsplit(['/', '\\', ':']).map(str::trim);
    let name = parts.find(|part| !part.is_empty() && !part.chars().all(|c| c == '.'))?;
    Some(name.to_owned())
}

/// The third component of a scenario path, the root counting as one (spec: faf-messages 4.2).
pub(in crate::faf) fn map_folder(path: &str) -> Option<String> {
    let absolute = path.starts_with(['/', '\\']);
    let mut parts = path
        .split(['/', '\\'])
        .filter(|part| !part.is_empty() && *part != ".");
    let folder = folder(parts.nth(if absolute { 1 } else { 2 })?)?;
    (folder.len() <= limits::FIELD_BYTES).then_some(folder)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn titles_and_maps_say_something_and_do_nothing() {
        for (typed, shown) in [
            ("  Orion's arena ", Some("Orion's arena")),
            ("a\x1b[31m\r\nb\0", Some("a[31mb")),
            (" \n\t\x7f", None),
            ("été", None),
        ] {
            assert_eq!(title(typed).as_deref(), shown, "{typed:?}");
        }
        for (typed, named) in [
            ("SCMP_009", Some("scmp_009")),
            ("adaptive_world.v0012", Some("adaptive_world.v0012")),
            ("../../../etc/passwd", Some("passwd")),
            ("..\\..\\windows", Some("windows")),
            ("c:\\x", Some("x")),
            ("a/..", Some("a")),
            ("...", None),
            ("/", None),
            ("x\n\u{2028}y", Some("xy")),
        ] {
            assert_eq!(folder(typed).as_deref(), named, "{typed:?}");
        }
        assert_eq!(map_folder("/maps/../up/up_scenario.lua"), None);
    }
}
