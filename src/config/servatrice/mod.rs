//! The settings of the Cockatrice server that this one replaces, under its names: `servatrice.ini`, and the two variables of the
//! environment that count beside it (spec: cockatrice-behaviour 15).
//!
//! [`NAMES`] says what each of its keys is called here; what several of them make together is put together in [`Composer`]. Their
//! values lie between our defaults and our own file, environment and flags, so that whatever is said in our own words wins.

mod compose;
mod table;
#[cfg(test)]
mod tests;

use std::{collections::BTreeMap, path::Path};

use cockatrice::settings_ini::{MOST_FILE_BYTES, Settings};
use settings::Kind;

use self::{
    compose::Composer,
    table::{Means, NAMES},
};
use super::{
    error::{ConfigError, Place},
    groups::{find, nearest_of},
    sources::Given,
};

/// What was found.
#[derive(Default)]
pub(super) struct Found {
    /// In our own words.
    pub(super) given: Vec<Given>,
    /// That this is in that server's place, in words.
    pub(super) replaces: Option<String>,
    /// What somebody should know about it.
    pub(super) notes: Vec<String>,
    /// It names no database that could be used.
    pub(super) lacks_store: Option<LacksStore>,
}

/// Why there is no database, which is a fault unless there is one in our own words.
pub(super) struct LacksStore {
    /// In words.
    why: String,
    /// It is one only if there are accounts.
    only_for_accounts: bool,
}

impl LacksStore {
    /// Whether it is a fault: of settings in which our own words count as well, which may say where the store is.
    pub(super) fn fault(self, has_accounts: bool, says_store: bool) -> Option<ConfigError> {
        let is_fault = !says_store && (has_accounts || !self.only_for_accounts);
        is_fault.then_some(ConfigError::Contradiction(self.why))
    }
}

/// A database, in a variable. Counts for all keys of the group `database`.
const DATABASE: &str = "DATABASE_URL";
/// The port for WebSocket, in a variable.
const PORT: &str = "PORT";

/// Reads the file, if there is one, and the environment beside it.
pub(super) fn read(
    environment: &[(String, String)],
    file: Option<&Path>,
) -> Result<Found, ConfigError> {
    let Some(file) = file else {
        return Ok(Found::default());
    };
    let shown = file.display().to_string();
    let bytes = std::fs::read(file).map_err(|error| ConfigError::Unreadable {
        file: shown.clone(),
        why: error.to_string(),
    })?;
    let settings = Settings::read(&bytes).map_err(|_| ConfigError::Unreadable {
        file: shown.clone(),
        why: format!("it has more than {MOST_FILE_BYTES} bytes, or too many keys"),
    })?;
    let variable = |wanted: &str| {
        let mut variables = environment.iter();
        let found = variables.find(|(name, text)| name == wanted && !text.is_empty());
        found.map(|(_, text)| text.as_str())
    };
    let ini = Ini {
        settings: &settings,
        place: Place::Document(shown.clone()),
    };
    let mut notes = ini.notes();
    let mut given = ini.singly(&mut notes)?;
    let composer = Composer {
        ini: &ini,
        database: variable(DATABASE),
        port: variable(PORT),
    };
    given.extend(composer.all(&mut notes)?);
    Ok(Found {
        lacks_store: composer.lacks_store(),
        given,
        replaces: Some(format!(
            "in the place of a Cockatrice server, whose settings count (there is the file {shown}): there is no other lobby \
             unless it is asked for"
        )),
        notes,
    })
}

/// The file.
struct Ini<'a> {
    settings: &'a Settings,
    place: Place,
}

impl Ini<'_> {
    fn value(&self, key: &str) -> Option<&str> {
        self.settings.value(key)
    }

    /// What means nothing here, or nothing at all.
    fn notes(&self) -> Vec<String> {
        let place = &self.place;
        let mut notes = Vec::new();
        for line in self.settings.malformed() {
            notes.push(format!(
                "{place}:{line}: neither a section nor a key with a value"
            ));
        }
        for key in self.settings.unknown() {
            let guess = nearest_of(NAMES.iter().map(|(name, _)| *name), key);
            let guess = guess.map_or(String::new(), |name| format!("; did you mean {name}?"));
            notes.push(format!("{place}: unknown key {key}{guess}"));
        }
        let mut idle = BTreeMap::<&str, Vec<&str>>::new();
        for (key, _) in self.settings.iter() {
            if let Some((_, Means::Nothing(why))) = table::row(key) {
                idle.entry(why).or_default().push(key);
            }
        }
        notes
            .extend(idle.into_iter().map(|(why, keys)| {
                format!("{place}: no effect here: {} ({why})", keys.join(", "))
            }));
        notes
    }

    /// What each key means by itself.
    fn singly(&self, notes: &mut Vec<String>) -> Result<Vec<Given>, ConfigError> {
        let mut given = Vec::new();
        for (name, means) in NAMES {
            let Some(value) = self.value(name) else {
                continue;
            };
            let (key, text) = match *means {
                Means::Key(key) => (key, value.to_owned()),
                Means::Limit(key) => (key, at_least_none(value)),
                Means::Times(key, factor) => (key, times(value, factor)),
                Means::Word(key, words) => (key, word(value, words)),
                Means::Part | Means::Nothing(_) => continue,
            };
            let text = self.fitted(name, key, &text, i64::MIN, notes);
            given.push(self.give(name, key, &text)?);
        }
        Ok(given)
    }

    /// A number that the key takes: the nearest one where theirs is beyond what there is here, its default where there is none at
    /// all, and `least` if that is more than the least that the key takes. That server takes any, so this is no reason not to
    /// start; a note says what is taken. What is no number stays, and is refused.
    fn fitted(
        &self,
        name: &str,
        key: &str,
        text: &str,
        least: i64,
        notes: &mut Vec<String>,
    ) -> String {
        let key = find(key).expect("a test looks every key of the table up");
        let Kind::Number { min, max } = key.kind else {
            return text.to_owned();
        };
        let min = min.max(least);
        let taken = match text.trim() {
            "" => key.default.to_owned(),
            text => match text.parse::<i128>() {
                Ok(number) if number < min.into() => min.to_string(),
                Ok(number) if number > max.into() => max.to_string(),
                _ => return text.to_owned(),
            },
        };
        let place = &self.place;
        let theirs = self.value(name).unwrap_or_default();
        notes.push(format!(
            "{place}: {name} = {theirs:?} is not possible here ({min} to {max} is); taken is {} = {taken}",
            key.name
        ));
        taken
    }

    /// A value of ours, said by a value of theirs.
    fn give(&self, name: &'static str, key: &str, text: &str) -> Result<Given, ConfigError> {
        give(&self.place, name, key, text)
    }
}

/// A value of ours, said under that name in that place.
fn give(place: &Place, name: &'static str, key: &str, text: &str) -> Result<Given, ConfigError> {
    let key = find(key).expect("a test looks every key of the table up");
    let text = match key.kind {
        Kind::Flag => flag(text),
        Kind::Number { .. } => text.trim(),
        _ => text,
    };
    let value = key.kind.parse(text).ok_or_else(|| ConfigError::BadValue {
        place: place.clone(),
        key: name,
        value: format!("{text:?}"),
        allowed: key.kind.to_string(),
    })?;
    Ok(Given { key, value })
}

/// As Qt reads flags: everything but these is true.
fn flag(text: &str) -> &'static str {
    match text.trim().to_ascii_lowercase().as_str() {
        "" | "0" | "false" => "false",
        _ => "true",
    }
}

/// None instead of less than none.
fn at_least_none(text: &str) -> String {
    match text.trim().parse::<i128>() {
        Ok(number) if number < 0 => "0".to_owned(),
        _ => text.to_owned(),
    }
}

/// In a smaller unit. What is no number stays, and is refused.
fn times(text: &str, factor: i64) -> String {
    let number = text.trim().parse::<i128>().ok();
    let product = number.map(|number| number.saturating_mul(factor.into()));
    product.map_or_else(|| text.to_owned(), |product| product.to_string())
}

/// Our word for one of theirs. One that is not in the list stays, and is refused.
fn word(text: &str, words: &[(&str, &str)]) -> String {
    let theirs = text.trim();
    let known = words
        .iter()
        .find(|(word, _)| word.eq_ignore_ascii_case(theirs));
    known.map_or(theirs, |(_, ours)| *ours).to_owned()
}
