//! A TOML file read key by key, so that every mistake is told with its file, its line and the nearest known word.

use std::fmt;
use std::ops::Range;
use std::time::Duration;

use anyhow::{anyhow, bail};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// How alike two words must be for one to be taken for a slip of the other.
const ALIKE: f64 = 0.7;

/// A file, for saying where something stands in it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Source<'a> {
    pub(crate) name: &'a str,
    pub(crate) text: &'a str,
}

impl<'a> Source<'a> {
    /// The whole file as a table.
    pub(crate) fn read(self) -> anyhow::Result<Table<'a>> {
        match DeTable::parse(self.text) {
            Ok(table) => Ok(Table::new(self, table.span(), table.into_inner())),
            Err(error) => {
                let span = error.span().unwrap_or(0..0);
                bail!(self.error(&span, error.message()))
            }
        }
    }

    /// An error with the place it is about.
    pub(crate) fn error(self, span: &Range<usize>, what: impl fmt::Display) -> anyhow::Error {
        let before = self.text.get(..span.start).unwrap_or_default();
        let line = before.matches('\n').count() + 1;
        anyhow!("{}:{line}: {what}", self.name)
    }
}

/// A table whose keys are taken one by one; what is left in the end is unknown.
#[derive(Debug)]
pub(crate) struct Table<'a> {
    source: Source<'a>,
    span: Range<usize>,
    entries: DeTable<'a>,
    known: Vec<&'static str>,
}

impl<'a> Table<'a> {
    fn new(source: Source<'a>, span: Range<usize>, entries: DeTable<'a>) -> Table<'a> {
        Table {
            source,
            span,
            entries,
            known: Vec::new(),
        }
    }

    /// Every key must be one of these. It is asked before any of them is read: a key that is missing may be there with a slip.
    pub(crate) fn only(&self, known: &[&'static str]) -> anyhow::Result<()> {
        let mut keys = self.entries.keys();
        let Some(key) = keys.find(|key| !known.contains(&key.get_ref().as_ref())) else {
            return Ok(());
        };
        let what = unknown("key", key.get_ref(), known.iter().copied());
        Err(self.source.error(&key.span(), what))
    }

    /// The value of this key, if it is there.
    pub(crate) fn take(&mut self, key: &'static str) -> Option<Entry<'a>> {
        self.known.push(key);
        let (name, value) = self.entries.remove_entry(key)?;
        Some(Entry::new(self.source, name.get_ref(), value))
    }

    /// Likewise of a key that must be there.
    pub(crate) fn need(&mut self, key: &'static str) -> anyhow::Result<Entry<'a>> {
        let missing = format!("`{key}` is missing");
        self.take(key).ok_or_else(|| self.error(missing))
    }

    /// All keys and values, whatever they are called.
    pub(crate) fn all(self) -> impl Iterator<Item = Entry<'a>> {
        let source = self.source;
        let entries = self.entries.into_iter();
        entries.map(move |(name, value)| Entry::new(source, name.get_ref(), value))
    }

    /// An error about the table as a whole.
    pub(crate) fn error(&self, what: impl fmt::Display) -> anyhow::Error {
        self.source.error(&self.span, what)
    }

    /// Every key must have been taken.
    pub(crate) fn finish(self) -> anyhow::Result<()> {
        let Some(key) = self.entries.keys().next() else {
            return Ok(());
        };
        let what = unknown("key", key.get_ref(), self.known.iter().copied());
        Err(self.source.error(&key.span(), what))
    }
}

/// A value, and where it stands.
#[derive(Debug)]
pub(crate) struct Entry<'a> {
    source: Source<'a>,
    /// The key it has, or its list.
    pub(crate) key: String,
    span: Range<usize>,
    pub(crate) value: DeValue<'a>,
}

impl<'a> Entry<'a> {
    fn new(source: Source<'a>, key: &str, value: Spanned<DeValue<'a>>) -> Entry<'a> {
        Entry {
            source,
            key: key.to_owned(),
            span: value.span(),
            value: value.into_inner(),
        }
    }

    pub(crate) fn error(&self, what: impl fmt::Display) -> anyhow::Error {
        self.source.error(&self.span, what)
    }

    fn wrong(&self, wanted: &str) -> anyhow::Error {
        self.error(format!("`{}` must be {wanted}", self.key))
    }

    pub(crate) fn text(&self) -> anyhow::Result<String> {
        match &self.value {
            DeValue::String(text) => Ok(text.as_ref().to_owned()),
            _ => Err(self.wrong("a text in quotes")),
        }
    }

    /// A number that is not negative.
    pub(crate) fn number(&self) -> anyhow::Result<f64> {
        let number = match &self.value {
            DeValue::Integer(number) => number.as_str().replace('_', "").parse::<f64>().ok(),
            DeValue::Float(number) => number.as_str().replace('_', "").parse::<f64>().ok(),
            _ => None,
        };
        number
            .filter(|number| number.is_finite() && *number >= 0.0)
            .ok_or_else(|| self.wrong("a number, and not negative"))
    }

    /// A whole number.
    pub(crate) fn count(&self) -> anyhow::Result<usize> {
        let number = self.number()?;
        if number.fract() != 0.0 || number > 1e9 {
            return Err(self.wrong("a whole number"));
        }
        Ok(number as usize)
    }

    pub(crate) fn truth(&self) -> anyhow::Result<bool> {
        match self.value {
            DeValue::Boolean(truth) => Ok(truth),
            _ => Err(self.wrong("true or false")),
        }
    }

    /// `"500ms"`, `"30s"`, `"2m"`, as on the command line.
    pub(crate) fn duration(&self) -> anyhow::Result<Duration> {
        let text = self.text()?;
        crate::cli::duration(&text).map_err(|error| self.error(format!("`{}`: {error}", self.key)))
    }

    /// Which of these words it is.
    pub(crate) fn choice(&self, what: &str, words: &[&'static str]) -> anyhow::Result<usize> {
        let text = self.text()?;
        let place = words.iter().position(|word| *word == text);
        place.ok_or_else(|| self.error(unknown(what, &text, words.iter().copied())))
    }

    pub(crate) fn table(self) -> anyhow::Result<Table<'a>> {
        match self.value {
            DeValue::Table(table) => Ok(Table::new(self.source, self.span, table)),
            _ => Err(self.wrong("a table")),
        }
    }

    /// The items of a list.
    pub(crate) fn list(self) -> anyhow::Result<Vec<Entry<'a>>> {
        let DeValue::Array(list) = self.value else {
            return Err(self.wrong("a list"));
        };
        let (source, key) = (self.source, &self.key);
        Ok(list
            .into_iter()
            .map(|value| Entry::new(source, key, value))
            .collect())
    }

    /// The tables of a list of tables.
    pub(crate) fn tables(self) -> anyhow::Result<Vec<Table<'a>>> {
        self.list()?.into_iter().map(Entry::table).collect()
    }
}

/// What is said of a word that is none of the known ones.
pub(crate) fn unknown<'a>(
    what: &str,
    word: &str,
    known: impl Iterator<Item = &'a str> + Clone,
) -> String {
    let alike = known
        .clone()
        .map(|known| (strsim::jaro_winkler(word, known), known))
        .filter(|(alike, _)| *alike >= ALIKE)
        .max_by(|one, other| one.0.total_cmp(&other.0));
    match alike {
        Some((_, nearest)) => format!("unknown {what} `{word}`; did you mean `{nearest}`?"),
        None => {
            let all: Vec<&str> = known.collect();
            format!("unknown {what} `{word}`; known are: {}", all.join(", "))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "clients = 5\n\n[[stage]]\nduration = \"30s\"\nrat = 7\n";

    fn read() -> Table<'static> {
        let source = Source {
            name: "a.toml",
            text: TEXT,
        };
        source.read().expect("it is TOML")
    }

    #[test]
    fn what_is_left_is_told_with_its_line_and_the_nearest_key() {
        let mut table = read();
        assert_eq!(table.need("clients").unwrap().count().unwrap(), 5);
        let mut stages = table.take("stage").unwrap().tables().unwrap();
        table.finish().expect("all was taken");
        let mut stage = stages.remove(0);
        let duration = stage.take("duration").unwrap().duration().unwrap();
        assert_eq!(duration, Duration::from_secs(30));
        assert!(stage.take("rate").is_none());
        let error = stage.finish().expect_err("one is left").to_string();
        assert_eq!(error, "a.toml:5: unknown key `rat`; did you mean `rate`?");
    }

    #[test]
    fn a_slip_is_told_before_what_is_missing_for_it() {
        let table = read();
        table
            .only(&["clients", "stage", "role"])
            .expect("all are known");
        let error = table
            .only(&["protocol", "stage", "client"])
            .expect_err("one is not");
        let told = "a.toml:1: unknown key `clients`; did you mean `client`?";
        assert_eq!(error.to_string(), told);
    }

    #[test]
    fn values_of_another_kind_and_missing_ones_are_told() {
        let mut table = read();
        let error = table.need("protocol").expect_err("missing").to_string();
        assert!(error.contains("`protocol` is missing"), "{error}");
        let error = table.take("clients").unwrap().text().expect_err("a number");
        assert_eq!(
            error.to_string(),
            "a.toml:1: `clients` must be a text in quotes"
        );
        let source = Source {
            name: "b.toml",
            text: "a = 1\nb = \n",
        };
        let error = source.read().expect_err("no TOML").to_string();
        assert!(error.starts_with("b.toml:2: "), "{error}");
    }
}
