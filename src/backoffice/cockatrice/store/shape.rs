//! What is known of a table that the lobby can do without. Neither the table nor any of its columns need be there: what is missing
//! is told, and what it serves fails.

use std::fmt;

use super::columns::Columns;
use crate::store::StoreError;

/// What a table is for, and what does not work without it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Purpose {
    pub(super) table: &'static str,
    pub(super) is_for: &'static str,
    pub(super) without: &'static str,
}

/// The columns that are used of a table.
pub(super) trait Shape: Sized {
    const PURPOSE: Purpose;

    /// Finds them, and notes which are not there; `None`: without those the table is of no use.
    fn find(columns: &Columns, lacks: &mut Lacks) -> Option<Self>;
}

/// What was looked for in a table in vain.
#[derive(Debug, Default)]
pub(super) struct Lacks(Vec<&'static str>);

impl Lacks {
    /// Passes on what was found, or notes what was not.
    pub(super) fn note<T>(&mut self, what: &'static str, found: Option<T>) -> Option<T> {
        if found.is_none() {
            self.0.push(what);
        }
        found
    }
}

/// A table as it is.
#[derive(Debug)]
pub(super) struct Table<T> {
    columns: Option<T>,
    gap: Option<Gap>,
    name: &'static str,
}

/// What a database does not have, as an operator is told it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gap {
    /// The table, without the prefix.
    pub table: &'static str,
    /// What it is for.
    pub is_for: &'static str,
    /// What it lacks; nothing: the whole table is not there.
    pub lacks: Vec<&'static str>,
    /// What therefore does not work.
    pub without: &'static str,
}

impl fmt::Display for Gap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (table, is_for, without) = (self.table, self.is_for, self.without);
        match self.lacks.is_empty() {
            true => write!(f, "there is no table {table} ({is_for}): {without}"),
            false => {
                let lacks = self.lacks.join(", ");
                write!(
                    f,
                    "no column of the table {table} ({is_for}) is known to be for {lacks}: {without}"
                )
            }
        }
    }
}

impl<T: Shape> Table<T> {
    /// A table with these columns, which is not there if it has none.
    pub(super) fn of(columns: &Columns) -> Self {
        let Purpose {
            table,
            is_for,
            without,
        } = T::PURPOSE;
        let mut lacks = Lacks::default();
        let found = match columns.is_empty() {
            true => None,
            false => T::find(columns, &mut lacks),
        };
        let is_whole = found.is_some() && lacks.0.is_empty();
        let without = match found {
            Some(_) => "that is not stored",
            None => without,
        };
        let gap = (!is_whole).then_some(Gap {
            table,
            is_for,
            lacks: lacks.0,
            without,
        });
        Table {
            columns: found,
            gap,
            name: table,
        }
    }
}

impl<T> Table<T> {
    /// Its columns.
    ///
    /// # Errors
    /// [`StoreError::Lacks`]
    pub(super) fn known(&self) -> Result<&T, StoreError> {
        self.columns.as_ref().ok_or(StoreError::Lacks(self.name))
    }

    /// What it does not have.
    pub(super) fn gap(&self) -> Option<&Gap> {
        self.gap.as_ref()
    }

    /// Its columns, where it can be done without.
    pub(super) fn if_known(&self) -> Option<&T> {
        self.columns.as_ref()
    }
}
