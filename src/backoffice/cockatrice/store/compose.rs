//! Parts that statements are composed of when the names of columns come from the database.

use super::columns::Column;
use crate::store::value::Value;

/// A statement that was composed: its text, and its values.
pub(super) type Composed<'a> = (String, Vec<Value<'a>>);

/// What one of a table's rows has in some of its columns.
#[derive(Debug, Default)]
pub(super) struct Fields<'a> {
    names: Vec<String>,
    /// What stands for each value: mostly a question mark.
    marks: Vec<String>,
    values: Vec<Value<'a>>,
}

/// Columns that say whose something is: by an account's name, its id, or both.
#[derive(Clone, Debug)]
pub(super) struct Person {
    name: Option<Column>,
    id: Option<Column>,
}

impl<'a> Fields<'a> {
    /// Adds a column, if there is one. What it can't be nothing of is 0 or an empty text.
    pub(super) fn set<'c>(
        mut self,
        column: impl Into<Option<&'c Column>>,
        value: impl Into<Value<'a>>,
    ) -> Self {
        let Some(column) = column.into() else {
            return self;
        };
        let value = match value.into() {
            Value::Null if !column.nullable && column.is_number() => Value::Int(0),
            Value::Null if !column.nullable => Value::from(""),
            value => value,
        };
        self.names.push(column.to_string());
        self.marks.push("?".to_owned());
        self.values.push(value);
        self
    }

    /// Adds somebody's name, id or both, if there are columns for them.
    pub(super) fn person<'p>(
        mut self,
        person: impl Into<Option<&'p Person>>,
        name: &'a str,
    ) -> Self {
        let Some(person) = person.into() else {
            return self;
        };
        self = self.set(person.name.as_ref(), name);
        if let Some(id) = &person.id {
            self.names.push(id.to_string());
            self.marks.push(ID_OF_NAME.to_owned());
            self.values.push(name.into());
        }
        self
    }

    /// Puts them in as a row of a table.
    pub(super) fn insert(self, table: &str) -> Composed<'a> {
        let (names, marks) = (self.names.join(", "), self.marks.join(", "));
        let text = format!("INSERT INTO ~{table} ({names}) VALUES ({marks})");
        (text, self.values)
    }

    /// Changes them in those rows of a table.
    pub(super) fn update(
        mut self,
        table: &str,
        which: &str,
        values: impl IntoIterator<Item = Value<'a>>,
    ) -> Composed<'a> {
        let pairs = self.names.iter().zip(&self.marks);
        let set: Vec<String> = pairs
            .map(|(name, mark)| format!("{name} = {mark}"))
            .collect();
        let text = format!("UPDATE ~{table} SET {} WHERE {which}", set.join(", "));
        self.values.extend(values);
        (text, self.values)
    }
}

/// The id of the account of a name.
const ID_OF_NAME: &str = "(SELECT u.id FROM ~users u WHERE u.name = ?)";

impl Person {
    /// Whoever these columns name, if there is one of them.
    pub(super) fn of(name: Option<Column>, id: Option<Column>) -> Option<Self> {
        (name.is_some() || id.is_some()).then_some(Person { name, id })
    }

    /// How their name is read.
    pub(super) fn read(&self, table: &str) -> String {
        match (&self.name, &self.id) {
            (Some(name), _) => name.text(table),
            (None, Some(id)) => format!("(SELECT u.name FROM ~users u WHERE u.id = {table}.{id})"),
            (None, None) => "NULL".to_owned(),
        }
    }

    /// That it is somebody whose name is the value.
    pub(super) fn is(&self, table: &str) -> String {
        match (&self.name, &self.id) {
            (Some(name), _) => format!("{table}.{name} = ?"),
            (None, Some(id)) => format!("{table}.{id} = {ID_OF_NAME}"),
            (None, None) => "? IS NULL".to_owned(),
        }
    }

    /// What is one and the same for all rows of one person.
    pub(super) fn key(&self, table: &str) -> String {
        let key = self.name.as_ref().or(self.id.as_ref());
        key.map_or_else(|| "NULL".to_owned(), |key| format!("{table}.{key}"))
    }
}

/// How the text or time of a column that may not be there is read.
pub(super) fn text_of(column: Option<&Column>, table: &str) -> String {
    column.map_or_else(|| "NULL".to_owned(), |column| column.text(table))
}

/// The same for a number.
pub(super) fn number_of(column: Option<&Column>, table: &str) -> String {
    column.map_or_else(|| "NULL".to_owned(), |column| column.number(table))
}
