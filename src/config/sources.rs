//! What was typed: file, environment and flags as one list of keys and values, each with its place.

use std::{fs, path::Path};

use settings::{Decimal, Key, PREFIX, Value, Values};
use toml::de::{DeTable, DeValue};

use super::{
    error::{ConfigError, Place},
    groups::{find, keys, nearest},
    print::MASK,
    service_links,
};

/// Environment variables that are read elsewhere and are no keys.
const NOT_KEYS: &[&str] = &["MUSTER_CONFIG", "MUSTER_COMPAT"];

/// What the name of a variable ends with whose value is the path of a file with the value in it.
const IN_A_FILE: &str = "_FILE";

/// One key with a value of its kind.
pub(super) struct Given {
    pub(super) key: &'static Key,
    pub(super) value: Value,
}

/// Puts what was given over what was there before.
pub(super) fn overlay(values: &mut Values, given: Vec<Given>) {
    for Given { key, value } in given {
        values.set(key, value);
    }
}

/// Reads a TOML file: tables are groups.
pub(super) fn from_file(path: &Path) -> Result<Vec<Given>, ConfigError> {
    let name = path.display().to_string();
    let text = fs::read_to_string(path).map_err(|error| ConfigError::Unreadable {
        file: name.clone(),
        why: error.to_string(),
    })?;
    from_toml(&name, &text)
}

pub(super) fn from_toml(file: &str, text: &str) -> Result<Vec<Given>, ConfigError> {
    let place = |offset: usize| {
        let before = text.as_bytes().get(..offset).unwrap_or(text.as_bytes());
        Place::File(
            file.to_owned(),
            1 + before.iter().filter(|&&byte| byte == b'\n').count(),
        )
    };
    let root = DeTable::parse(text).map_err(|error| ConfigError::Syntax {
        place: place(error.span().map_or(0, |span| span.start)),
        why: error.message().to_owned(),
    })?;
    let mut given = Vec::new();
    for (group, inside) in root.into_inner() {
        let at = place(group.span().start);
        let DeValue::Table(table) = inside.into_inner() else {
            return Err(unknown(at, group.get_ref()));
        };
        for (name, value) in table {
            let name_at = place(name.span().start);
            let name = format!("{}.{}", group.get_ref(), name.get_ref());
            let key = find(&name).ok_or_else(|| unknown(name_at, &name))?;
            let at = place(value.span().start);
            let shown = text.get(value.span()).unwrap_or_default().to_owned();
            let value = toml_value(value.get_ref()).and_then(|value| key.kind.check(value));
            let value = value.ok_or_else(|| bad(at.clone(), key, shown))?;
            given.push(taken(at, key, value)?);
        }
    }
    Ok(given)
}

/// What a TOML file says of one key, whatever else in it is wrong or not even TOML. None: nothing that could be read.
pub(super) fn one_of_file(path: &Path, key: &'static Key) -> Option<Value> {
    let text = fs::read_to_string(path).ok()?;
    let (root, _) = DeTable::parse_recoverable(&text);
    let (group, name) = key.name.split_once('.')?;
    let DeValue::Table(table) = root.get_ref().get(group)?.get_ref() else {
        return None;
    };
    toml_value(table.get(name)?.get_ref()).and_then(|value| key.kind.check(value))
}

/// A TOML value as one of ours; `None` if no key takes such a thing.
fn toml_value(value: &DeValue<'_>) -> Option<Value> {
    match value {
        DeValue::Boolean(flag) => Some(Value::Flag(*flag)),
        DeValue::Integer(number) => i64::from_str_radix(number.as_str(), number.radix())
            .ok()
            .map(Value::Number),
        DeValue::Float(number) => Decimal::parse(number.as_str()).map(Value::Decimal),
        DeValue::String(text) => Some(Value::Text(text.to_string())),
        DeValue::Array(items) if items.iter().any(|item| is_number(item.get_ref())) => {
            let numbers = items.iter().map(|item| match item.get_ref() {
                DeValue::Integer(number) => Decimal::parse(number.as_str()),
                DeValue::Float(number) => Decimal::parse(number.as_str()),
                _ => None,
            });
            numbers.collect::<Option<_>>().map(Value::Decimals)
        }
        DeValue::Array(items) => {
            let texts = items.iter().map(|item| match item.get_ref() {
                DeValue::String(text) => Some(text.to_string()),
                _ => None,
            });
            texts.collect::<Option<_>>().map(Value::List)
        }
        _ => None,
    }
}

fn is_number(value: &DeValue<'_>) -> bool {
    matches!(value, DeValue::Integer(_) | DeValue::Float(_))
}

/// Reads variables that start with [`PREFIX`]; others are not ours, nor are those of a service that happens to be called
/// as we are.
pub(super) fn from_environment(variables: &[(String, String)]) -> Result<Vec<Given>, ConfigError> {
    let ours = variables.iter().filter(|(name, text)| {
        name.starts_with(PREFIX)
            && !NOT_KEYS.contains(&name.as_str())
            && !service_links::is_one(name, text)
    });
    ours.map(|(variable, text)| {
        let place = Place::Environment(variable.clone());
        let named = |name: &str| keys().iter().copied().find(|key| key.variable() == name);
        // The value lies in a file, as secrets do that a service manager hands out.
        if let Some(key) = variable.strip_suffix(IN_A_FILE).and_then(named) {
            let text = fs::read_to_string(text).map_err(|error| ConfigError::Unreadable {
                file: text.clone(),
                why: format!("{error} ({variable})"),
            })?;
            return parsed(place, key, text.trim_end_matches(['\r', '\n']));
        }
        let key = named(variable).ok_or_else(|| {
            let guess = variable[PREFIX.len()..]
                .to_lowercase()
                .replacen('_', ".", 1);
            let nearest = nearest(&guess).and_then(find).map(Key::variable);
            ConfigError::UnknownKey {
                place: place.clone(),
                key: variable.clone(),
                nearest,
            }
        })?;
        parsed(place, key, text)
    })
    .collect()
}

/// Reads `key=value` pairs of the command line.
pub(super) fn from_flags(flags: &[(String, String)]) -> Result<Vec<Given>, ConfigError> {
    flags
        .iter()
        .map(|(name, text)| {
            let key = find(name).ok_or_else(|| unknown(Place::Flag, name))?;
            parsed(Place::Flag, key, text)
        })
        .collect()
}

fn parsed(place: Place, key: &'static Key, text: &str) -> Result<Given, ConfigError> {
    let value = key
        .kind
        .parse(text)
        .ok_or_else(|| bad(place.clone(), key, format!("{text:?}")))?;
    taken(place, key, value)
}

/// A value of its kind, unless it is what is shown in place of a secret: a configuration that was printed was typed in again.
fn taken(place: Place, key: &'static Key, value: Value) -> Result<Given, ConfigError> {
    let masked = match &value {
        Value::Text(text) if key.secret => text == MASK,
        Value::Text(text) => text.contains(&format!(":{MASK}@")),
        _ => false,
    };
    match masked {
        true => Err(ConfigError::Masked {
            place,
            key: key.name,
        }),
        false => Ok(Given { key, value }),
    }
}

fn unknown(place: Place, name: &str) -> ConfigError {
    ConfigError::UnknownKey {
        place,
        key: name.to_owned(),
        nearest: nearest(name).map(str::to_owned),
    }
}

fn bad(place: Place, key: &'static Key, value: String) -> ConfigError {
    ConfigError::BadValue {
        place,
        key: key.name,
        value,
        allowed: key.kind.to_string(),
    }
}
