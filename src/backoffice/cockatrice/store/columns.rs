//! Columns that the specification describes but does not name: they are found by what their names begin with.

use super::{
    Store,
    sql::{On, values},
};
use crate::store::StoreError;

/// Types of columns that hold numbers.
const NUMBERS: [&str; 6] = ["tinyint", "smallint", "mediumint", "int", "bigint", "year"];

/// The columns of a table.
#[derive(Clone, Debug)]
pub(super) struct Columns(Vec<(String, Holds)>);

/// What a column holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Holds {
    Number,
    Other,
}

impl Store {
    /// The columns of a table on a server. There are none if there is no such table.
    pub(super) async fn columns(&self, table: &'static str) -> Result<Columns, StoreError> {
        let text = "SELECT CAST(column_name AS CHAR), CAST(data_type AS CHAR) FROM information_schema.columns \
             WHERE table_schema = DATABASE() AND table_name = ? ORDER BY ordinal_position";
        let name = self.prefixed(table);
        let rows: Vec<(String, String)> = self
            .rows(On::Read, "columns", (text, values![name]))
            .await?;
        // Names become parts of statements.
        let is_plain = |name: &str| name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        let known = |(name, kind): (String, String)| {
            let number = NUMBERS.contains(&kind.to_ascii_lowercase().as_str());
            let holds = if number { Holds::Number } else { Holds::Other };
            is_plain(&name).then_some((name, holds))
        };
        Ok(Columns(rows.into_iter().filter_map(known).collect()))
    }
}

impl Columns {
    /// The first column of that kind whose name begins with one of these words; underscores and case do not count.
    pub(super) fn of(&self, holds: Holds, words: &[&str]) -> Option<&str> {
        let is_meant = |name: &str| {
            let name = name.replace('_', "").to_ascii_lowercase();
            words.iter().any(|word| name.starts_with(word))
        };
        let mut all = self.0.iter();
        let found = all.find(|(name, kind)| *kind == holds && is_meant(name));
        found.map(|(name, _)| name.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_column_is_found_by_its_kind_and_what_its_name_begins_with() {
        let columns = [
            ("mods_list", Holds::Other),
            ("mods_count", Holds::Number),
            ("Users_Count", Holds::Number),
        ];
        let columns = Columns(columns.map(|(name, holds)| (name.to_owned(), holds)).into());
        assert_eq!(columns.of(Holds::Number, &["mod"]), Some("mods_count"));
        assert_eq!(
            columns.of(Holds::Number, &["userscount"]),
            Some("Users_Count")
        );
        assert_eq!(columns.of(Holds::Number, &["games"]), None);
    }
}
