//! Options of a game, its players and its AIs: small typed values in the order they were first set.

use serde::{Deserialize, Serialize, Serializer};

use crate::faf::model::limits;
use wire::json::{self, Value};

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
    /// Takes a value out of a message.
    pub fn read(value: Value<'_>) -> Self {
        if value.is_null() {
            return OptionValue::Null;
        }
        if let Some(n) = value.as_i64() {
            return OptionValue::Int(n);
        }
        if let Some(n) = value.as_f64() {
            return OptionValue::Float(n);
        }
        if let Some(b) = value.as_bool() {
            return OptionValue::Bool(b);
        }
        if let Some(text) = value.as_str() {
            return OptionValue::Text(text.into());
        }
        let mut out = Vec::new();
        value.write(&mut out);
        OptionValue::Json(String::from_utf8_lossy(&out).into())
    }

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

/// A title by the rules: trimmed, ASCII, not empty, cut (spec: faf-messages 4.2).
pub(in crate::faf) fn title(text: &str) -> Option<&str> {
    let text = text.trim();
    (text.is_ascii() && !text.is_empty()).then(|| &text[..text.len().min(limits::TITLE_CHARS)])
}

/// The third component of a scenario path, the root counting as one (spec: faf-messages 4.2).
pub(in crate::faf) fn map_folder(path: &str) -> Option<String> {
    let absolute = path.starts_with(['/', '\\']);
    let mut parts = path
        .split(['/', '\\'])
        .filter(|part| !part.is_empty() && *part != ".");
    let folder = parts.nth(if absolute { 1 } else { 2 })?.to_lowercase();
    (folder.len() <= limits::FIELD_BYTES).then_some(folder)
}
