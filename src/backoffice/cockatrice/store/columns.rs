//! Columns that the specification describes but does not name. They are read from the database, and found by what they are for:
//! by the name that is known first, else by what they hold and by parts of their names.

use std::fmt;

/// The columns of a table, in their order.
#[derive(Clone, Debug, Default)]
pub(super) struct Columns(Vec<Column>);

/// A column. Displayed as a statement has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Column {
    name: String,
    holds: Holds,
    /// Whether it may be NULL.
    pub(super) nullable: bool,
    /// Whether it holds ids of `users` alone: a foreign key.
    pub(super) is_account: bool,
}

/// What a column holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Holds {
    /// A number as small as a flag.
    Flag,
    Number,
    Time,
    Text,
    /// Bytes, and whatever else there is.
    Other,
}

/// What a column of a role holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Any number.
    Number,
    /// A number that an account's id fits in.
    Id,
    /// A time. One that is kept as text is known by its name only.
    Time,
    /// Text, one of an enumeration's words included.
    Text,
}

/// What a column is for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Role {
    kind: Kind,
    known: &'static str,
    parts: &'static [&'static str],
    but: &'static [&'static str],
}

impl Role {
    /// A role: the column that is known by this name, else the first of its kind whose name has these parts. The parts that are
    /// given first are looked for first; `+` joins several that one name must have, and the empty part is in every name.
    pub(super) const fn of(
        kind: Kind,
        known: &'static str,
        parts: &'static [&'static str],
    ) -> Self {
        Role {
            kind,
            known,
            parts,
            but: &[],
        }
    }

    /// No column has it whose name has one of these parts, unless it is known by its name.
    pub(super) const fn but(self, but: &'static [&'static str]) -> Self {
        Role { but, ..self }
    }
}

impl Holds {
    /// What a type of either back end holds.
    fn of_type(name: &str) -> Self {
        match name {
            "tinyint" | "bit" | "boolean" => Holds::Flag,
            "smallint" | "mediumint" | "int" | "integer" | "bigint" | "decimal" | "year" => {
                Holds::Number
            }
            "date" | "datetime" | "timestamp" => Holds::Time,
            "char" | "varchar" | "tinytext" | "text" | "mediumtext" | "longtext" | "json"
            | "enum" | "set" => Holds::Text,
            _ => Holds::Other,
        }
    }
}

impl Column {
    /// A column of that type.
    pub(super) fn new(name: String, kind: &str, nullable: bool, is_account: bool) -> Self {
        Column {
            holds: Holds::of_type(kind),
            name,
            nullable,
            is_account,
        }
    }

    fn fits(&self, kind: Kind) -> bool {
        match kind {
            Kind::Number => matches!(self.holds, Holds::Flag | Holds::Number),
            Kind::Id => self.holds == Holds::Number,
            Kind::Time => self.holds == Holds::Time,
            Kind::Text => self.holds == Holds::Text,
        }
    }

    fn is_known_as(&self, role: &Role) -> bool {
        let is_time_as_text = role.kind == Kind::Time && self.holds == Holds::Text;
        self.name.eq_ignore_ascii_case(role.known) && (self.fits(role.kind) || is_time_as_text)
    }

    /// Underscores and case do not count.
    fn plain_name(&self) -> String {
        self.name.replace('_', "").to_ascii_lowercase()
    }

    /// Whether it holds numbers.
    pub(super) fn is_number(&self) -> bool {
        self.fits(Kind::Number)
    }

    /// How its text or time is read.
    pub(super) fn text(&self, table: &str) -> String {
        format!("CAST({table}.{self} AS CHAR)")
    }

    /// How its number is read.
    pub(super) fn number(&self, table: &str) -> String {
        format!("CAST({table}.{self} AS SIGNED)")
    }
}

impl fmt::Display for Column {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}`", self.name) // it may be a word of SQL
    }
}

impl Columns {
    /// Those that may become parts of statements.
    pub(super) fn new(all: impl Iterator<Item = Column>) -> Self {
        let is_plain = |name: &str| name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        Columns(all.filter(|column| is_plain(&column.name)).collect())
    }

    /// Whether there is no such table.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The columns of roles, of which none has two. Earlier roles choose first, after those whose names are known.
    pub(super) fn fit<const N: usize>(&self, roles: [Role; N]) -> [Option<Column>; N] {
        let mut left: Vec<&Column> = self.0.iter().collect();
        let mut take = |is_meant: &dyn Fn(&Column) -> bool| {
            let found = left.iter().position(|column| is_meant(column))?;
            Some(left.remove(found).clone())
        };
        let mut found = roles.map(|role| take(&|column| column.is_known_as(&role)));
        for (role, found) in roles.iter().zip(&mut found) {
            let named = |part: &&str| {
                take(&|column| {
                    let name = column.plain_name();
                    column.fits(role.kind)
                        && part.split('+').all(|part| name.contains(part))
                        && !role.but.iter().any(|part| name.contains(part))
                })
            };
            if found.is_none() {
                *found = role.parts.iter().find_map(named);
            }
        }
        found
    }

    /// The first column of that kind whose name begins with one of these words; underscores and case do not count.
    pub(super) fn of(&self, kind: Kind, words: &[&str]) -> Option<&Column> {
        self.0.iter().find(|column| {
            let name = column.plain_name();
            column.fits(kind) && words.iter().any(|word| name.starts_with(word))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Columns by their names and types; none is a foreign key.
    fn columns(all: &[(&str, &str)]) -> Columns {
        let column =
            |(name, kind): &(&str, &str)| Column::new((*name).to_owned(), kind, false, false);
        Columns::new(all.iter().map(column))
    }

    #[test]
    fn a_column_is_found_by_its_kind_and_what_its_name_begins_with() {
        let columns = columns(&[
            ("mods_list", "mediumtext"),
            ("mods_count", "int"),
            ("Users_Count", "int"),
        ]);
        let of = |words| columns.of(Kind::Number, words).map(Column::to_string);
        assert_eq!(of(&["mod"]).as_deref(), Some("`mods_count`"));
        assert_eq!(of(&["userscount"]).as_deref(), Some("`Users_Count`"));
        assert_eq!(of(&["games"]), None);
    }

    #[test]
    fn a_role_has_the_known_name_or_the_first_that_fits() {
        let columns = columns(&[
            ("is_target", "tinyint"),
            ("TargetUser", "int"),
            ("target_text", "text"),
            ("body", "text"),
            ("logged", "datetime"),
        ]);
        let [known, account, other, time, none] = columns
            .fit([
                Role::of(Kind::Text, "body", &[""]),
                Role::of(Kind::Id, "target_id", &["target"]),
                Role::of(Kind::Text, "text", &["sender+text", "target+text", ""]),
                Role::of(Kind::Time, "at", &[""]).but(&["resol"]),
                Role::of(Kind::Number, "flag", &[""]).but(&["target"]),
            ])
            .map(|column| column.map(|column| column.to_string()));
        assert_eq!(known.as_deref(), Some("`body`"));
        assert_eq!(account.as_deref(), Some("`TargetUser`"));
        assert_eq!(other.as_deref(), Some("`target_text`"));
        assert_eq!(time.as_deref(), Some("`logged`"));
        assert_eq!(none, None);
    }
}
