//! YAML, as far as configuration files of the replaced server go: one mapping from names to values.

use std::fmt;

use saphyr::{LoadableYamlNode, Scalar, Yaml};

use super::{
    super::error::{ConfigError, Place},
    Listener, Old,
    table::Type,
};

/// A value of the file.
pub(super) struct Value<'a>(Yaml<'a>);

/// The members of the top mapping; none if the file is empty.
pub(super) fn members<'a>(
    file: &str,
    text: &'a str,
) -> Result<Vec<(String, Value<'a>)>, ConfigError> {
    let syntax = |why: String| ConfigError::Foreign {
        place: Place::Document(file.to_owned()),
        why,
    };
    let documents = Yaml::load_from_str(text).map_err(|error| syntax(error.to_string()))?;
    match documents.into_iter().next() {
        None | Some(Yaml::Value(Scalar::Null)) => Ok(Vec::new()),
        Some(Yaml::Mapping(members)) => members
            .into_iter()
            .map(|(key, value)| match key.as_str() {
                Some(key) => Ok((key.to_owned(), Value(value))),
                None => Err(syntax("a key is no text".to_owned())),
            })
            .collect(),
        Some(_) => Err(syntax("the top level is no mapping".to_owned())),
    }
}

/// A value that stands alone, as in an environment variable.
pub(super) fn value(text: &str) -> Option<Value<'_>> {
    let documents = Yaml::load_from_str(text).ok()?;
    documents.into_iter().next().map(Value)
}

impl Value<'_> {
    /// As a value of a type; `None`: it is none.
    pub(super) fn of(&self, kind: Type) -> Option<Old> {
        match (kind, &self.0) {
            (Type::Numbers, Yaml::Sequence(items)) => items
                .iter()
                .map(number)
                .collect::<Option<_>>()
                .map(Old::Numbers),
            (Type::Listeners, Yaml::Sequence(items)) => items
                .iter()
                .map(listener)
                .collect::<Option<_>>()
                .map(Old::Listeners),
            (Type::Numbers | Type::Listeners, _) => None,
            // A null is the empty text: `GEO_IP_LICENSE_KEY:` with nothing behind it.
            (_, scalar) => kind.parse(&text(scalar)?),
        }
    }
}

impl fmt::Display for Value<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match text(&self.0) {
            Some(text) => write!(f, "{text:?}"),
            None => f.write_str("a list or a mapping"),
        }
    }
}

/// A scalar as text.
fn text(yaml: &Yaml<'_>) -> Option<String> {
    match yaml {
        Yaml::Value(Scalar::Null) => Some(String::new()),
        Yaml::Value(Scalar::Boolean(flag)) => Some(flag.to_string()),
        Yaml::Value(Scalar::Integer(number)) => Some(number.to_string()),
        Yaml::Value(Scalar::FloatingPoint(number)) => Some(number.to_string()),
        Yaml::Value(Scalar::String(text)) => Some(text.to_string()),
        _ => None,
    }
}

fn number(yaml: &Yaml<'_>) -> Option<f64> {
    match Type::Number.parse(&text(yaml)?)? {
        Old::Number(number) => Some(number),
        _ => None,
    }
}

fn listener(yaml: &Yaml<'_>) -> Option<Listener> {
    let Yaml::Mapping(_) = yaml else {
        return None;
    };
    let member = |name: &str| yaml.as_mapping_get(name);
    let protocol = text(member("PROTOCOL")?)?;
    if !["QDataStreamProtocol", "SimpleJsonProtocol"].contains(&protocol.as_str()) {
        return None;
    }
    let proxy = match member("PROXY") {
        None => Old::Flag(false),
        Some(proxy) => Type::Flag.parse(&text(proxy)?)?,
    };
    Some(Listener {
        address: member("ADDRESS").map_or(Some(String::new()), text)?,
        port: number(member("PORT")?).filter(|port| (0.0..=65_535.0).contains(port))? as u16,
        protocol,
        proxy: proxy == Old::Flag(true),
    })
}
