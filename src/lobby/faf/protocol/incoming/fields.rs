//! Single fields, by the rules for missing and wrong ones (spec: faf-messages 1).

use std::num::{IntErrorKind, ParseIntError};

use crate::faf::{
    model::{
        factions::{Faction, Factions},
        limits,
        options::OptionValue,
    },
    protocol::request::{Outcome, Refusal},
};
use wire::json::Value;

/// A whole number, or text or a float that converts to one. `None`, lists and objects are a wrong type.
pub(super) fn integer(value: Value<'_>) -> Outcome<i64> {
    if let Some(n) = value.as_i64() {
        return Ok(n);
    }
    if let Some(n) = value.as_f64() {
        return if n.is_finite() {
            Ok(n as i64)
        } else {
            Err(Refusal::Garbage)
        };
    }
    if let Some(b) = value.as_bool() {
        return Ok(b.into());
    }
    let text = value.as_str().ok_or(Refusal::Invalid)?;
    // Numbers have any size on the wire; what is too large for us names nothing, like the largest we have.
    text.trim()
        .parse()
        .or_else(|error: ParseIntError| match error.kind() {
            IntErrorKind::PosOverflow => Ok(i64::MAX),
            IntErrorKind::NegOverflow => Ok(i64::MIN),
            _ => Err(Refusal::Garbage),
        })
}

/// A required whole number.
pub(super) fn required_integer(message: Value<'_>, key: &str) -> Outcome<i64> {
    integer(message.get(key).ok_or(Refusal::Garbage)?)
}

/// A number that may be absent or null.
pub(super) fn optional_float(message: Value<'_>, key: &str) -> Outcome<Option<f64>> {
    let Some(value) = message.get(key).filter(|v| !v.is_null()) else {
        return Ok(None);
    };
    if let Some(n) = value.as_f64().or_else(|| value.as_i64().map(|n| n as f64)) {
        return Ok(Some(n));
    }
    if let Some(b) = value.as_bool() {
        return Ok(Some(f64::from(u8::from(b))));
    }
    let text = value.as_str().ok_or(Refusal::Invalid)?;
    // Words such as "nan" would be read, but never be written again (spec: faf-wire 2.1).
    let number = text.trim().parse().ok().filter(|n: &f64| n.is_finite());
    number.map(Some).ok_or(Refusal::Garbage)
}

/// A required text.
pub(super) fn required_text<'a>(message: Value<'a>, key: &str) -> Outcome<&'a str> {
    message
        .get(key)
        .ok_or(Refusal::Garbage)?
        .as_str()
        .ok_or(Refusal::Invalid)
}

/// A text that may be absent, null or empty, each meaning the default.
pub(super) fn optional_text<'a>(message: Value<'a>, key: &str) -> Outcome<Option<&'a str>> {
    let Some(value) = message.get(key).filter(Value::truthy) else {
        return Ok(None);
    };
    value.as_str().map(Some).ok_or(Refusal::Invalid)
}

/// A password as it is compared: null and absent are none; anything but text by its JSON.
pub(super) fn password(message: Value<'_>) -> Option<String> {
    let value = message.get("password").filter(|v| !v.is_null())?;
    let mut text = match value.as_str() {
        Some(text) => text.to_owned(),
        None => {
            let mut out = Vec::new();
            value.write(&mut out);
            String::from_utf8_lossy(&out).into_owned()
        }
    };
    text.truncate(cut(&text, limits::FIELD_BYTES).len());
    Some(text)
}

/// A faction: a number from 1 to 5, or a name in any case. Other numbers and names are a bad value, all else is a wrong type.
pub(super) fn faction(value: Value<'_>) -> Outcome<Faction> {
    let found = match (value.as_i64(), value.as_str()) {
        (Some(number), _) => Faction::numbered(number),
        (None, Some(name)) => Faction::named(name),
        (None, None) if value.is_number() => None,
        (None, None) => return Err(Refusal::Invalid),
    };
    found.ok_or(Refusal::Garbage)
}

/// A list of factions; duplicates are merged. `None` if there is nothing in it.
pub(super) fn factions(value: Value<'_>) -> Outcome<Option<Factions>> {
    if !value.truthy() {
        return Ok(None);
    }
    if !value.is_array() {
        return Err(Refusal::Invalid);
    }
    let mut set: Option<Factions> = None;
    for element in value.elements() {
        let faction = faction(element)?;
        set = Some(set.map_or(Factions::only(faction), |set| set.with(faction)));
    }
    Ok(set)
}

/// As much of a text as takes so many bytes, up to the start of a character.
pub(super) fn cut(text: &str, bytes: usize) -> &str {
    &text[..text.floor_char_boundary(bytes)]
}

/// The value of an option, whatever it is.
pub(super) fn option_value(value: Value<'_>) -> OptionValue {
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
