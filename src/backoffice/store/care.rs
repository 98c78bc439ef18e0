//! Looking after an embedded store from outside of the server: is it sound, a copy of it while it is in use, and putting a copy
//! back. A MariaDB or MySQL server has its own tools for this.

use std::{
    fs::{self, File, OpenOptions},
    io,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    str::FromStr,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use sqlx::{
    AssertSqlSafe, Connection, Row, SqliteConnection,
    sqlite::{SqliteConnectOptions, SqliteRow},
};

/// How long a statement waits for a server that writes to the same file.
const BUSY_TIMEOUT: Duration = Duration::from_secs(30);
/// Complaints about a damaged file that are told.
const COMPLAINTS: usize = 20;
/// Who may read and write a store: whoever runs the server. It holds the hashes of passwords.
const OWNER_ONLY: u32 = 0o600;
/// What SQLite keeps beside a file: what has been written and is not in it yet.
const BESIDE: [&str; 2] = ["-wal", "-shm"];

/// Why a store can't be looked after.
#[derive(Debug, thiserror::Error)]
pub enum CareError {
    /// It is no file.
    #[error(
        "this works for an embedded store (sqlite:) only; for MariaDB or MySQL use the server's own tools, say mariadb-dump"
    )]
    NotEmbedded,
    /// The file is not there; nothing here makes one.
    #[error("there is no store {}", .0.display())]
    Absent(PathBuf),
    /// The file is there, and nothing here overwrites one.
    #[error("{} exists already", .0.display())]
    Exists(PathBuf),
    /// The file is damaged, or no store at all.
    #[error("{} is damaged: {why}", file.display())]
    Damaged {
        /// The file.
        file: PathBuf,
        /// What SQLite found, a line each.
        why: String,
    },
    /// The file was written by a newer program.
    #[error("{} is of version {found}, this program knows up to {known}", file.display())]
    Newer {
        /// The file.
        file: PathBuf,
        /// What the file says.
        found: usize,
        /// What this program can do.
        known: usize,
    },
    /// SQLite can't do it.
    #[error("{}: {cause}", file.display())]
    Sql {
        /// The file.
        file: PathBuf,
        /// What it says.
        cause: sqlx::Error,
    },
    /// The system can't do it.
    #[error("{}: {cause}", file.display())]
    File {
        /// The file.
        file: PathBuf,
        /// What it says.
        cause: io::Error,
    },
}

/// What a look at a store found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checked {
    /// The store's file.
    pub file: PathBuf,
    /// Steps of its schema that it has seen.
    pub version: usize,
    /// Steps that this program knows.
    pub known: usize,
    /// What it takes on the disk, in bytes.
    pub bytes: u64,
    /// Its tables, by name, with their numbers of rows.
    pub tables: Vec<(String, i64)>,
}

/// The file that a URL names.
///
/// # Errors
/// [`CareError::NotEmbedded`], [`CareError::Absent`]
pub fn file_of(url: &str) -> Result<PathBuf, CareError> {
    let file = place_of(url)?;
    if file.exists() {
        Ok(file)
    } else {
        Err(CareError::Absent(file))
    }
}

/// Where the file that a URL names is or would be.
///
/// # Errors
/// [`CareError::NotEmbedded`]
pub fn place_of(url: &str) -> Result<PathBuf, CareError> {
    let options = Some(url).filter(|url| url.starts_with("sqlite:") && !url.contains(":memory:"));
    let options = options.and_then(|url| SqliteConnectOptions::from_str(url).ok());
    let options = options.ok_or(CareError::NotEmbedded)?;
    Ok(options.get_filename().to_owned())
}

/// Makes the file, if it is not there, so that nobody but its owner reads it. What SQLite keeps beside it follows it in this.
pub(super) fn make_private(file: &Path) -> io::Result<()> {
    let made = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(OWNER_ONLY)
        .open(file);
    match made {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        _ => Ok(()),
    }
}

/// Reads all of a store: whether it is sound, and what is in it. A server may be using it.
///
/// # Errors
/// [`CareError`], also if the store is damaged.
pub async fn check(file: &Path, known: usize) -> Result<Checked, CareError> {
    let mut connection = open(file).await?;
    let checked = look_through(&mut connection, file, known).await;
    let _ = connection.close().await; // only read
    checked
}

async fn look_through(
    connection: &mut SqliteConnection,
    file: &Path,
    known: usize,
) -> Result<Checked, CareError> {
    let failed = |cause| failure(file, cause);
    let version: i64 = sqlx::query_scalar("PRAGMA user_version")
        .fetch_one(&mut *connection)
        .await
        .map_err(failed)?;
    let found = usize::try_from(version).unwrap_or(usize::MAX);
    if found > known {
        return Err(CareError::Newer {
            file: file.to_owned(),
            found,
            known,
        });
    }
    let mut complaints: Vec<String> = sqlx::query_scalar("PRAGMA integrity_check")
        .fetch_all(&mut *connection)
        .await
        .map_err(failed)?;
    complaints.retain(|complaint| complaint != "ok");
    let orphans = sqlx::query("PRAGMA foreign_key_check")
        .fetch_all(&mut *connection)
        .await
        .map_err(failed)?;
    let orphan = |row: &SqliteRow| {
        let (table, parent): (String, String) = (row.get(0), row.get(2));
        format!("a row of {table} belongs to nothing in {parent}")
    };
    complaints.extend(orphans.iter().map(orphan));
    if !complaints.is_empty() {
        complaints.truncate(COMPLAINTS);
        return Err(CareError::Damaged {
            file: file.to_owned(),
            why: complaints.join("; "),
        });
    }
    let names: Vec<String> = sqlx::query_scalar(
        "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY name",
    )
    .fetch_all(&mut *connection)
    .await
    .map_err(failed)?;
    let mut tables = Vec::with_capacity(names.len());
    for name in names {
        let count = format!("SELECT count(*) FROM \"{}\"", name.replace('"', "\"\""));
        let rows: i64 = sqlx::query_scalar(AssertSqlSafe(count))
            .fetch_one(&mut *connection)
            .await
            .map_err(failed)?;
        tables.push((name, rows));
    }
    let sizes = BESIDE.iter().map(|end| beside(file, end));
    let sizes = sizes.chain([file.to_owned()]);
    let bytes = sizes.filter_map(|file| fs::metadata(file).ok());
    Ok(Checked {
        file: file.to_owned(),
        version: found,
        known,
        bytes: bytes.map(|data| data.len()).sum(),
        tables,
    })
}

/// Copies a store into a new file, as it is at one moment, while a server may be using it; the copy is checked. Gives what is
/// in the copy.
///
/// # Errors
/// [`CareError`]; then there is no copy.
pub async fn back_up(file: &Path, copy: &Path, known: usize) -> Result<Checked, CareError> {
    let mut connection = open(file).await?;
    if copy.exists() {
        return Err(CareError::Exists(copy.to_owned()));
    }
    make_private(copy).map_err(|cause| trouble(copy, cause))?;
    let copied = sqlx::query("VACUUM INTO ?")
        .bind(copy.to_string_lossy().into_owned())
        .execute(&mut connection)
        .await;
    let _ = connection.close().await; // only read
    let checked = match copied {
        Ok(_) => check(copy, known).await,
        Err(cause) => Err(failure(copy, cause)),
    };
    let kept = checked.and_then(|checked| settle(copy).map(|()| checked));
    if kept.is_err() {
        let _ = fs::remove_file(copy); // half of a copy is none
    }
    kept
}

/// Puts a copy into a store's place. What was there is kept beside it under another name, which is given. No server may be
/// using the store; that is the caller's to see to.
///
/// # Errors
/// [`CareError`]; then the store is as it was.
pub async fn restore(
    copy: &Path,
    file: &Path,
    known: usize,
) -> Result<(Checked, Option<PathBuf>), CareError> {
    let mut checked = check(copy, known).await?;
    let fresh = beside(file, ".restoring");
    let _ = fs::remove_file(&fresh); // of one that was cut off
    back_up(copy, &fresh, known).await?;
    let at = SystemTime::now().duration_since(UNIX_EPOCH);
    let at = at.unwrap_or_default().as_secs();
    let old = file
        .exists()
        .then(|| beside(file, &format!(".before-{at}")));
    if let Some(old) = &old {
        // What the old one has beside it belongs to it. Moved first, so that nothing is lost if this ends in between.
        for end in BESIDE {
            let beside_old = beside(file, end);
            if beside_old.exists() {
                fs::rename(&beside_old, beside(old, end)).map_err(|cause| trouble(old, cause))?;
            }
        }
        fs::rename(file, old).map_err(|cause| trouble(old, cause))?;
    }
    fs::rename(&fresh, file).map_err(|cause| trouble(file, cause))?;
    settle(file)?;
    checked.file = file.to_owned();
    Ok((checked, old))
}

/// A connection to a file that is there.
async fn open(file: &Path) -> Result<SqliteConnection, CareError> {
    if !file.exists() {
        return Err(CareError::Absent(file.to_owned()));
    }
    let options = SqliteConnectOptions::new()
        .filename(file)
        .create_if_missing(false)
        .busy_timeout(BUSY_TIMEOUT);
    SqliteConnection::connect_with(&options)
        .await
        .map_err(|cause| failure(file, cause))
}

/// Sees to it that a file, and that it is there, is on the disk.
fn settle(file: &Path) -> Result<(), CareError> {
    let folder = file.parent().filter(|folder| *folder != Path::new(""));
    let folder = folder.unwrap_or(Path::new("."));
    [file, folder]
        .into_iter()
        .try_for_each(|path| File::open(path)?.sync_all())
        .map_err(|cause| trouble(file, cause))
}

fn beside(file: &Path, end: &str) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(end);
    name.into()
}

fn trouble(file: &Path, cause: io::Error) -> CareError {
    CareError::File {
        file: file.to_owned(),
        cause,
    }
}

fn failure(file: &Path, cause: sqlx::Error) -> CareError {
    match &cause {
        // SQLITE_CORRUPT, SQLITE_NOTADB
        sqlx::Error::Database(said) if matches!(said.code().as_deref(), Some("11" | "26")) => {
            CareError::Damaged {
                file: file.to_owned(),
                why: said.message().to_owned(),
            }
        }
        _ => CareError::Sql {
            file: file.to_owned(),
            cause,
        },
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::store::{Database, OpenError, Pool, StoreSettings};

    const STEPS: [&str; 1] = [
        "CREATE TABLE parent (id INTEGER PRIMARY KEY); CREATE TABLE child (of INTEGER REFERENCES parent)",
    ];

    /// A store in use, with so many rows.
    async fn store(file: &Path, rows: i64) -> Database {
        let url = format!("sqlite:{}", file.display());
        let settings = StoreSettings::default();
        let opened = Database::open(&url, &settings, &STEPS).await;
        let database = opened.unwrap();
        for row in 0..rows {
            let insert = sqlx::query("INSERT INTO parent VALUES (?)").bind(row);
            let Pool::Sqlite(pool) = &database.write else {
                panic!("embedded")
            };
            insert.execute(pool).await.unwrap();
        }
        database
    }

    fn mode(file: &Path) -> u32 {
        fs::metadata(file).unwrap().permissions().mode() & 0o777
    }

    fn rows(checked: &Checked) -> i64 {
        checked.tables.iter().find(|t| t.0 == "parent").unwrap().1
    }

    #[tokio::test]
    async fn a_store_is_its_owners_alone() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("muster.db");
        let _in_use = store(&file, 1).await;
        for file in [file.clone(), beside(&file, "-wal"), beside(&file, "-shm")] {
            assert_eq!(mode(&file), OWNER_ONLY, "{}", file.display());
        }
    }

    #[tokio::test]
    async fn a_store_that_is_not_there_is_not_made_by_a_look_at_it() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("muster.db");
        let settings = StoreSettings {
            create: false,
            ..StoreSettings::default()
        };
        let url = format!("sqlite:{}?mode=rwc", file.display());
        let opened = Database::open(&url, &settings, &STEPS).await;
        let error = opened.expect_err("refused");
        assert!(matches!(error, OpenError::Absent { .. }), "{error}");
        assert!(!file.exists());
        let copy = folder.path().join("copy");
        for outcome in [check(&file, 1).await, back_up(&file, &copy, 1).await] {
            assert!(matches!(outcome, Err(CareError::Absent(_))));
        }
        assert!(!file.exists() && !copy.exists());
        assert!(matches!(file_of(&url), Err(CareError::Absent(_))));
        assert!(matches!(
            file_of("mysql://host/db"),
            Err(CareError::NotEmbedded)
        ));
    }

    #[tokio::test]
    async fn a_copy_of_a_store_in_use_can_be_put_in_its_place() {
        let folder = tempfile::tempdir().unwrap();
        let (file, copy) = (folder.path().join("muster.db"), folder.path().join("copy"));
        let in_use = store(&file, 3).await;
        let copied = back_up(&file, &copy, 1).await.unwrap();
        assert_eq!(
            (rows(&copied), copied.version, mode(&copy)),
            (3, 1, OWNER_ONLY)
        );
        let again = back_up(&file, &copy, 1).await;
        assert!(matches!(again, Err(CareError::Exists(_))));
        let Pool::Sqlite(pool) = &in_use.write else {
            panic!("embedded")
        };
        sqlx::query("DELETE FROM parent")
            .execute(pool)
            .await
            .unwrap();
        assert_eq!(
            rows(&check(&file, 1).await.unwrap()),
            0,
            "read while it is in use"
        );
        drop(in_use);
        let (restored, old) = restore(&copy, &file, 1).await.unwrap();
        assert_eq!((rows(&restored), &restored.file), (3, &file));
        assert_eq!(rows(&check(&file, 1).await.unwrap()), 3);
        assert_eq!(mode(&file), OWNER_ONLY);
        let old = old.expect("there was one");
        assert_eq!(rows(&check(&old, 1).await.unwrap()), 0);
        drop(store(&file, 0).await);
    }

    #[tokio::test]
    async fn what_is_damaged_or_of_a_newer_program_is_said_and_not_put_in_place() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("muster.db");
        let in_use = store(&file, 2).await;
        let Pool::Sqlite(pool) = &in_use.write else {
            panic!("embedded")
        };
        let rubbish = folder.path().join("rubbish");
        fs::write(&rubbish, "this is no database ".repeat(100)).unwrap();
        for outcome in [
            check(&rubbish, 1).await.map(|_| ()),
            restore(&rubbish, &file, 1).await.map(|_| ()),
        ] {
            assert!(
                matches!(outcome, Err(CareError::Damaged { .. })),
                "{outcome:?}"
            );
        }
        let newer = check(&file, 0).await;
        assert!(
            matches!(newer, Err(CareError::Newer { found: 1, .. })),
            "{newer:?}"
        );
        let orphan = sqlx::raw_sql("PRAGMA foreign_keys = OFF; INSERT INTO child VALUES (77)");
        orphan.execute(pool).await.unwrap();
        let text = check(&file, 1).await.unwrap_err().to_string();
        assert!(
            text.contains("a row of child belongs to nothing in parent"),
            "{text}"
        );
    }
}
