//! Why a database has not done something. Only what says that the data or the statement is wrong is a refusal; all that says "not
//! now", and all that is not known here, is tried again: a record that is dropped is lost, one that is tried again comes late.
//!
//! Sources: SQLite's result codes (sqlite.org/rescode.html), MariaDB's error codes and their SQLSTATEs
//! (mariadb.com/kb/en/mariadb-error-code-reference).

use sqlx::{Error, mysql::MySqlDatabaseError};

/// Why a database has not done something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cause {
    /// It can't be reached, or says "not now": no room, no memory, not writable, others are at it, a connection in a state that it
    /// should not be in.
    Away,
    /// The data or the statement is wrong: once more would end the same.
    Refused,
    /// None of what is known here. Tried again; whoever has others waiting behind it stops doing so some time.
    Unknown,
}

/// Server errors that are no refusals although their SQLSTATE says so: rights, which an operator changes.
const NOT_REFUSED: [u16; 5] = [1142, 1143, 1227, 1370, 1410];
/// The rights to a table or a column.
const DENIED: [u16; 2] = [1142, 1143];
/// Server errors that are refusals and have no SQLSTATE that says so.
#[rustfmt::skip]
const REFUSED: [u16; 20] = [
    // Values: out of range, truncated, of a wrong kind, in a wrong character set, missing.
    1265, 1300, 1364, 1366, 1367, 1411, 1526, 3140, 3854, 1977,
    // Constraints.
    1022, 1557, 1761, 1762, 3819, 4025,
    // More than a packet may be.
    1153,
    // A variable, a view or a statement that is not understood.
    1193, 1288, 1356,
];
/// Server errors that say "not now".
#[rustfmt::skip]
const AWAY: [u16; 52] = [
    // Connecting: too many, access or database missing, shut-down, a cluster that is not ready.
    1040, 1042, 1043, 1044, 1045, 1047, 1049, 1053, 1077, 1079, 1129, 1130, 1135, 1203, 1226, 1461,
    // Others are at it: locks, a statement that was interrupted or took too long, a schema that is being changed.
    CHANGED_SINCE, 1015, 1099, 1180, 1205, 1206, 1207, DEADLOCK, 1223, 1317, 1412, 1614, 1615, 1637, 1927, 1969, 3024, 3572, 4031,
    // Nothing can be written or read: the disk is full or fails, there is no memory, or this server is read-only.
    1021, 1023, 1024, 1026, 1030, 1036, 1037, 1038, 1041, 1114, 1194, 1195, 1290, 1792, 1836, 1874, 1878,
];
/// A row was changed by somebody else since it was read (MariaDB's `innodb_snapshot_isolation`).
pub(super) const CHANGED_SINCE: u16 = 1020;
/// A deadlock was broken.
pub(super) const DEADLOCK: u16 = 1213;
/// Codes of the client's library ("server has gone away", "lost connection"), which proxies send as well.
const CLIENT: std::ops::Range<u16> = 2000..3000;

/// SQLite's primary codes that are refusals: too big, constraint, mismatch, a parameter that the statement does not have.
const SQLITE_REFUSED: [i32; 4] = [18, 19, 20, 25];
/// Those that say "not now": permission, abort, busy, locked, no memory, read-only, interrupted, I/O error, corrupt, full, cannot
/// open, locking protocol, schema changed, file too large for the file system, no database.
const SQLITE_AWAY: [i32; 15] = [3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 14, 15, 17, 22, 26];
/// SQLite's code for whatever has none of its own; what it is stands in the message.
const SQLITE_ERROR: i32 = 1;
/// Its extended codes: the same once more, and a snapshot that is no longer there.
const SQLITE_RETRY: [i32; 2] = [513, 769];
/// What such messages say of a statement that the schema does not understand, or of a value.
#[rustfmt::skip]
const NOT_UNDERSTOOD: [&str; 13] = [
    "no such", "has no column named", "syntax error", "incomplete input", "unrecognized token", "ambiguous column name",
    "wrong number of arguments", "values for", "values were supplied", "too many", "misuse of", "integer overflow", "foreign key mismatch",
];

/// Why something was not done.
pub(crate) fn cause(error: &Error) -> Cause {
    match error {
        // A server that breaks off or answers nonsense while connecting; a connection whose transaction ended wrongly.
        Error::Io(_)
        | Error::Tls(_)
        | Error::Protocol(_)
        | Error::PoolTimedOut
        | Error::PoolClosed
        | Error::WorkerCrashed
        | Error::InvalidSavePointStatement
        | Error::BeginFailed => Cause::Away,
        // What was found, or was to be sent, is not of the kind that is expected.
        Error::RowNotFound
        | Error::TypeNotFound { .. }
        | Error::ColumnIndexOutOfBounds { .. }
        | Error::ColumnNotFound(_)
        | Error::ColumnDecode { .. }
        | Error::Encode(_)
        | Error::Decode(_)
        | Error::InvalidArgument(_) => Cause::Refused,
        Error::Database(error) => match error.try_downcast_ref::<MySqlDatabaseError>() {
            Some(error) => of_server(error.number(), error.code().unwrap_or_default()),
            None => {
                let code = error.code().and_then(|code| code.parse().ok());
                of_sqlite(code.unwrap_or_default(), error.message())
            }
        },
        _ => Cause::Unknown,
    }
}

/// Whether a server keeps this account from a table or column.
pub(super) fn is_denied(error: &Error) -> bool {
    let Error::Database(error) = error else {
        return false;
    };
    let error = error.try_downcast_ref::<MySqlDatabaseError>();
    error.is_some_and(|error| DENIED.contains(&error.number()))
}

/// What a MariaDB or MySQL server means.
fn of_server(number: u16, state: &str) -> Cause {
    if REFUSED.contains(&number) {
        return Cause::Refused;
    }
    if AWAY.contains(&number) || CLIENT.contains(&number) {
        return Cause::Away;
    }
    match state.get(..2).unwrap_or_default() {
        // Connections; transactions that were rolled back; statements that were interrupted.
        "08" | "40" | "70" => Cause::Away,
        // Cardinality, data, integrity, syntax and schema, a trigger's own.
        "21" | "22" | "23" | "42" | "45" if !NOT_REFUSED.contains(&number) => Cause::Refused,
        _ => Cause::Unknown,
    }
}

/// What SQLite means. The low byte of an extended code is the primary one.
fn of_sqlite(code: i32, message: &str) -> Cause {
    let primary = code & 0xff;
    if SQLITE_REFUSED.contains(&primary) {
        Cause::Refused
    } else if SQLITE_AWAY.contains(&primary) || SQLITE_RETRY.contains(&code) {
        Cause::Away
    } else if primary == SQLITE_ERROR && NOT_UNDERSTOOD.iter().any(|said| message.contains(said)) {
        Cause::Refused
    } else {
        Cause::Unknown
    }
}

#[cfg(test)]
mod tests {
    use sqlx::{Connection, Executor, SqliteConnection};

    use super::*;

    #[test]
    fn only_what_says_that_the_data_is_wrong_is_refused_by_sqlite() {
        // Extended codes of each primary one (sqlite.org/rescode.html).
        for code in [
            18, 19, 275, 531, 787, 1043, 1299, 1555, 1811, 2067, 2579, 2835, 3091, 20, 25,
        ] {
            assert_eq!(of_sqlite(code, ""), Cause::Refused, "{code}");
        }
        for code in [
            3, 4, 516, 5, 261, 517, 773, 6, 262, 518, 7, 3082, 8, 264, 520, 776, 1032, 1288, 1544,
            9, 10, 266, 522, 778, 1034, 1290, 2826, 4874, 5130, 11, 267, 779, 13, 14, 270, 526,
            782, 1038, 15, 17, 22, 26, 513, 769,
        ] {
            assert_eq!(of_sqlite(code, ""), Cause::Away, "{code}");
        }
        for code in [0, 2, 12, 16, 21, 23, 24, 27, 28, 1, 257] {
            assert_eq!(of_sqlite(code, ""), Cause::Unknown, "{code}");
        }
        let states = [
            "cannot start a transaction within a transaction",
            "cannot commit - no transaction is active",
            "cannot rollback - no transaction is active",
        ];
        for said in states {
            assert_eq!(of_sqlite(1, said), Cause::Unknown, "{said}");
        }
    }

    #[tokio::test]
    async fn a_statement_that_the_schema_does_not_understand_is_refused_by_sqlite() {
        let mut connection = SqliteConnection::connect("sqlite::memory:").await.unwrap();
        let table = "CREATE TABLE t (a INTEGER NOT NULL UNIQUE CHECK (a > 0)) STRICT; INSERT INTO t VALUES (1)";
        connection.execute(table).await.unwrap();
        for wrong in [
            "SELECT 1 FROM nowhere",
            "SELECT nothing FROM t",
            "INSERT INTO t (b) VALUES (1)",
            "INSERT INTO t VALUES (1, 2)",
            "INSERT INTO t (a) VALUES (2, 3)",
            "SELEKT 1",
            "SELECT",
            "SELECT nothing()",
            "SELECT abs()",
            "SELECT abs(-9223372036854775808)",
            "INSERT INTO t VALUES (1)",
            "INSERT INTO t VALUES (0)",
            "INSERT INTO t VALUES (NULL)",
            "INSERT INTO t VALUES ('x')",
        ] {
            let error = connection.execute(wrong).await.unwrap_err();
            assert_eq!(cause(&error), Cause::Refused, "{wrong}: {error}");
        }
        let error = connection.execute("COMMIT").await.unwrap_err();
        assert_eq!(cause(&error), Cause::Unknown, "{error}");
    }

    #[test]
    fn only_what_says_that_the_data_is_wrong_is_refused_by_a_server() {
        let refused: [(u16, &str); 22] = [
            (1048, "23000"),
            (1052, "23000"),
            (1054, "42S22"),
            (1062, "23000"),
            (1064, "42000"),
            (1136, "21S01"),
            (1146, "42S02"),
            (1153, "08S01"),
            (1242, "21000"),
            (1264, "22003"),
            (1265, "01000"),
            (1292, "22007"),
            (1305, "42000"),
            (1364, "HY000"),
            (1366, "HY000"),
            (1366, "22007"),
            (1406, "22001"),
            (1451, "23000"),
            (1452, "23000"),
            (1644, "45000"),
            (1690, "22003"),
            (4025, "23000"),
        ];
        for (number, state) in refused {
            assert_eq!(of_server(number, state), Cause::Refused, "{number}");
        }
        let away: [(u16, &str); 35] = [
            (1020, "HY000"),
            (1021, "HY000"),
            (1026, "HY000"),
            (1030, "HY000"),
            (1036, "HY000"),
            (1037, "HY001"),
            (1038, "HY001"),
            (1039, "08S01"),
            (1040, "08004"),
            (1041, "HY000"),
            (1044, "42000"),
            (1045, "28000"),
            (1049, "42000"),
            (1053, "08S01"),
            (1114, "HY000"),
            (1158, "08S01"),
            (1180, "HY000"),
            (1203, "42000"),
            (1205, "HY000"),
            (1213, "40001"),
            (1223, "HY000"),
            (1226, "42000"),
            (1290, "HY000"),
            (1317, "70100"),
            (1412, "HY000"),
            (1461, "42000"),
            (1615, "HY000"),
            (1637, "HY000"),
            (1792, "25006"),
            (1836, "HY000"),
            (1927, "70100"),
            (1969, "70100"),
            (2006, "HY000"),
            (2013, "HY000"),
            (3024, "HY000"),
        ];
        for (number, state) in away {
            assert_eq!(of_server(number, state), Cause::Away, "{number}");
        }
        // Rights that an operator gives, and what nobody has heard of.
        let unknown: [(u16, &str); 7] = [
            (1105, "HY000"),
            (1142, "42000"),
            (1143, "42000"),
            (1227, "42000"),
            (1370, "42000"),
            (1197, "HY000"),
            (9999, ""),
        ];
        for (number, state) in unknown {
            assert_eq!(of_server(number, state), Cause::Unknown, "{number}");
        }
    }

    #[test]
    fn a_connection_in_a_wrong_state_is_trouble_and_what_was_found_is_not() {
        let io = Error::Io(std::io::Error::from(std::io::ErrorKind::ConnectionReset));
        for error in [
            io,
            Error::PoolTimedOut,
            Error::InvalidSavePointStatement,
            Error::BeginFailed,
        ] {
            assert_eq!(cause(&error), Cause::Away, "{error}");
        }
        for error in [Error::RowNotFound, Error::ColumnNotFound("x".into())] {
            assert_eq!(cause(&error), Cause::Refused, "{error}");
        }
    }
}
