//! What an answer must be: fields that equal, contain or match something.

use regex::Regex;
use serde_json::Value;
use toml::de::DeValue;

use super::table::Entry;
use super::template::{Names, Scope, Template, plain};

/// Words that say how a field is compared; a table without them leads to fields further inside.
const WORDS: [&str; 7] = ["is", "not", "contains", "matches", "exists", "min", "max"];

/// A message that came, as far as a script may look into it.
pub(crate) trait Heard {
    /// The value at this path.
    fn at(&self, path: &[String]) -> Option<Value>;
}

/// The way to a field: names, or numbers in lists.
pub(crate) type Path = Vec<String>;

/// What a message must be to be the answer.
#[derive(Debug, Clone)]
pub(crate) struct Expectation {
    fields: Vec<(Path, Comparison)>,
}

#[derive(Debug, Clone)]
enum Comparison {
    Is(Template),
    Not(Template),
    Contains(Template),
    Matches(Regex),
    Exists(bool),
    Min(f64),
    Max(f64),
}

/// A way to a field, as it is written.
pub(crate) fn path(text: &str) -> Path {
    text.split('.').map(str::to_owned).collect()
}

impl Expectation {
    pub(crate) fn read(entry: Entry<'_>, names: &mut Names) -> anyhow::Result<Expectation> {
        let mut fields = Vec::new();
        if matches!(&entry.value, DeValue::Table(table) if table.is_empty()) {
            return Err(entry.error("an empty `expect` says nothing"));
        }
        inside(entry, &Path::new(), &mut fields, names)?;
        Ok(Expectation { fields })
    }

    /// Whether this message is it.
    pub(crate) fn is_met(&self, message: &dyn Heard, scope: &Scope<'_>) -> bool {
        let mut fields = self.fields.iter();
        fields.all(|(path, comparison)| comparison.holds(message.at(path), scope))
    }
}

/// Reads what a table says about the fields at and below this path.
fn inside(
    entry: Entry<'_>,
    path: &Path,
    fields: &mut Vec<(Path, Comparison)>,
    names: &mut Names,
) -> anyhow::Result<()> {
    for field in entry.table()?.all() {
        let mut path = path.clone();
        path.extend(self::path(&field.key));
        match &field.value {
            DeValue::Table(table) if table.keys().any(|key| WORDS.contains(&&**key.get_ref())) => {
                let mut table = field.table()?;
                for word in WORDS {
                    if let Some(entry) = table.take(word) {
                        fields.push((path.clone(), comparison(word, entry, names)?));
                    }
                }
                table.finish()?;
            }
            DeValue::Table(_) => inside(field, &path, fields, names)?,
            _ => fields.push((path, Comparison::Is(Template::read(field, names)?))),
        }
    }
    Ok(())
}

fn comparison(word: &str, entry: Entry<'_>, names: &mut Names) -> anyhow::Result<Comparison> {
    Ok(match word {
        "is" => Comparison::Is(Template::read(entry, names)?),
        "not" => Comparison::Not(Template::read(entry, names)?),
        "contains" => Comparison::Contains(Template::read(entry, names)?),
        "matches" => {
            let pattern = Regex::new(&entry.text()?);
            Comparison::Matches(pattern.map_err(|error| entry.error(error))?)
        }
        "exists" => Comparison::Exists(entry.truth()?),
        "min" => Comparison::Min(entry.number()?),
        _ => Comparison::Max(entry.number()?),
    })
}

impl Comparison {
    fn holds(&self, value: Option<Value>, scope: &Scope<'_>) -> bool {
        if let Comparison::Exists(exists) = self {
            return value.is_some() == *exists;
        }
        let Some(value) = value else {
            return false;
        };
        let number = || value.as_f64().or_else(|| plain(&value).parse().ok());
        match self {
            Comparison::Is(template) => template.fill(scope).is_ok_and(|is| equal(&value, &is)),
            Comparison::Not(template) => template.fill(scope).is_ok_and(|is| !equal(&value, &is)),
            Comparison::Contains(template) => {
                let part = template.fill(scope);
                part.is_ok_and(|part| match &value {
                    Value::Array(items) => items.iter().any(|item| equal(item, &part)),
                    value => plain(value).contains(&plain(&part)),
                })
            }
            Comparison::Matches(pattern) => pattern.is_match(&plain(&value)),
            Comparison::Min(least) => number().is_some_and(|number| number >= *least),
            Comparison::Max(most) => number().is_some_and(|number| number <= *most),
            Comparison::Exists(_) => true,
        }
    }
}

/// The same value; numbers may be written as text, as holes inside text are.
fn equal(value: &Value, wanted: &Value) -> bool {
    match (value, wanted) {
        (Value::Number(one), Value::Number(other)) => one.as_f64() == other.as_f64(),
        (Value::Array(_) | Value::Object(_), _) | (_, Value::Array(_) | Value::Object(_)) => {
            value == wanted
        }
        _ => plain(value) == plain(wanted),
    }
}

/// The value at a path of JSON.
pub(crate) fn at(value: &Value, path: &[String]) -> Option<Value> {
    let mut value = value;
    for name in path {
        value = match value {
            Value::Array(items) => items.get(name.parse::<usize>().ok()?)?,
            value => value.get(name)?,
        };
    }
    Some(value.clone())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::table::Source;
    use super::*;

    struct Json(Value);

    impl Heard for Json {
        fn at(&self, path: &[String]) -> Option<Value> {
            super::at(&self.0, path)
        }
    }

    fn met(text: &str) -> anyhow::Result<bool> {
        let text = format!("expect = {text}\n");
        let source = Source {
            name: "t.toml",
            text: &text,
        };
        let mut names = Names::default();
        names.captured.push("uid".to_owned());
        let expectation = Expectation::read(source.read()?.need("expect")?, &mut names)?;
        let message = Json(
            json!({"command": "notice", "uid": 5, "style": null, "me": {"id": 7, "names": ["a", "b"]}, "text": "well done"}),
        );
        let captured = [Some(json!(5))];
        let scope = Scope {
            client: 1,
            login: "a",
            run: "r",
            turn: 0,
            me: 7,
            sent: 0,
            captured: &captured,
            draw: [0, 0],
        };
        Ok(expectation.is_met(&message, &scope))
    }

    #[test]
    fn fields_equal_contain_and_match() {
        for yes in [
            r#"{ command = "notice" }"#,
            r#"{ uid = 5, me.id = "{me}" }"#,
            r#"{ uid = "{uid}", "me.names.1" = "b" }"#,
            r#"{ text = { matches = "^well .*e$" } }"#,
            r#"{ text = { contains = "done", not = "x" }, uid = { min = 5, max = 5 } }"#,
            r#"{ me.names = { contains = "a" }, other = { exists = false } }"#,
        ] {
            assert!(met(yes).expect("sound"), "{yes}");
        }
        for no in [
            r#"{ command = "notic" }"#,
            r#"{ command = "notice", uid = 6 }"#,
            r#"{ other = { exists = true } }"#,
            r#"{ other = { not = "x" } }"#,
            r#"{ text = { matches = "^done" } }"#,
            r#"{ uid = { min = 6 } }"#,
            r#"{ me.names = { contains = "c" } }"#,
        ] {
            assert!(!met(no).expect("sound"), "{no}");
        }
    }

    #[test]
    fn slips_are_told() {
        for (text, told) in [
            (r#"{ text = { matches = "(" } }"#, "regex"),
            (
                r#"{ text = { contains = "a", matchs = "b" } }"#,
                "did you mean `matches`?",
            ),
            (r#"{ text = "{uidd}" }"#, "did you mean `uid`?"),
            ("{}", "says nothing"),
        ] {
            let error = met(text).expect_err("a slip").to_string();
            assert!(error.contains("t.toml:") && error.contains(told), "{error}");
        }
    }
}
