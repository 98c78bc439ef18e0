//! Values of statements, and rows, that are the same for either back end.

use std::borrow::Cow;

use sqlx::{FromRow, mysql::MySqlRow, sqlite::SqliteRow};

/// A value of a statement.
#[derive(Clone, Debug)]
pub(crate) enum Value<'a> {
    Int(i64),
    Text(Cow<'a, str>),
    Bytes(&'a [u8]),
    Null,
}

impl From<u32> for Value<'_> {
    fn from(number: u32) -> Self {
        Value::Int(number.into())
    }
}

impl From<i32> for Value<'_> {
    fn from(number: i32) -> Self {
        Value::Int(number.into())
    }
}

impl From<i64> for Value<'_> {
    fn from(number: i64) -> Self {
        Value::Int(number)
    }
}

impl From<bool> for Value<'_> {
    fn from(flag: bool) -> Self {
        Value::Int(flag.into())
    }
}

impl<'a> From<&'a str> for Value<'a> {
    fn from(text: &'a str) -> Self {
        Value::Text(text.into())
    }
}

impl From<String> for Value<'_> {
    fn from(text: String) -> Self {
        Value::Text(text.into())
    }
}

impl<'a> From<&'a [u8]> for Value<'a> {
    fn from(bytes: &'a [u8]) -> Self {
        Value::Bytes(bytes)
    }
}

impl<'a, T: Into<Value<'a>>> From<Option<T>> for Value<'a> {
    fn from(value: Option<T>) -> Self {
        value.map_or(Value::Null, Into::into)
    }
}

/// Values of a statement, in the order of its question marks.
macro_rules! values {
    ($($value:expr),* $(,)?) => {
        vec![$($crate::store::value::Value::from($value)),*]
    };
}
pub(crate) use values;

/// A statement, and its values.
pub(crate) type Statement<'a> = (&'static str, Vec<Value<'a>>);

/// A row of either back end.
pub(crate) trait Row:
    for<'r> FromRow<'r, SqliteRow> + for<'r> FromRow<'r, MySqlRow> + Send + Unpin
{
}

impl<T> Row for T where
    T: for<'r> FromRow<'r, SqliteRow> + for<'r> FromRow<'r, MySqlRow> + Send + Unpin
{
}

/// A query with its values.
macro_rules! bound {
    ($query:expr, $values:expr) => {
        $values
            .into_iter()
            .fold($query, |query, value| match value {
                $crate::store::value::Value::Int(number) => query.bind(number),
                $crate::store::value::Value::Text(text) => query.bind(text.into_owned()),
                $crate::store::value::Value::Bytes(bytes) => query.bind(bytes.to_vec()),
                $crate::store::value::Value::Null => query.bind(None::<String>),
            })
    };
}
pub(crate) use bound;
