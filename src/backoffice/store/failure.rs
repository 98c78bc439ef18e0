//! Why a call to the database came to nothing, what that means to the one who asked, and the deadline of a call.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use metrics::{LabelledSharedCounter, SharedCounter};
use sqlx::Error;

use super::cause::{CHANGED_SINCE, Cause, DEADLOCK, cause};
use crate::unix_now;
use lobby::question::StoreFailure;

/// Lines written per [`LOG_WINDOW_S`]; a database that is down fails every login.
const LOG_LINES: u64 = 5;
/// Length of a window of the limit, in seconds.
const LOG_WINDOW_S: u64 = 10;

/// Why a call came to nothing, with its cause. Cheap to clone: all of a group that is handled at once may get it.
#[derive(Clone, Debug, thiserror::Error)]
pub enum StoreError {
    /// The database can't be reached, says "not now", or something that is not known here.
    #[error("database unavailable")]
    Unavailable(#[source] Arc<Error>),
    /// The call took longer than it may.
    #[error("database unavailable")]
    TimedOut,
    /// It says that the data or the statement is wrong.
    #[error("database refused the statement")]
    Refused(#[source] Arc<Error>),
    /// What was found makes no sense or does not fit what was asked.
    #[error("{0}")]
    Unfit(&'static str),
    /// A table that is not there, or has no column for what it is needed for.
    #[error("the database's table {0} is not there, or not as it should be")]
    Lacks(&'static str),
}

impl StoreError {
    /// What it means to whoever asked (spec: faf-messages 2, N#1009).
    pub fn failure(&self) -> StoreFailure {
        match self {
            StoreError::Unavailable(_) | StoreError::TimedOut => StoreFailure::Unavailable,
            StoreError::Refused(_) | StoreError::Unfit(_) | StoreError::Lacks(_) => {
                StoreFailure::Failed
            }
        }
    }

    /// Whether it may be because of what was asked, and not of how the database is.
    pub(crate) fn may_be_the_question(&self) -> bool {
        match self {
            StoreError::Unavailable(error) => cause(error) == Cause::Unknown,
            StoreError::TimedOut | StoreError::Lacks(_) => false,
            StoreError::Refused(_) | StoreError::Unfit(_) => true,
        }
    }
}

impl From<StoreError> for StoreFailure {
    fn from(error: StoreError) -> Self {
        error.failure()
    }
}

/// What every call is under: a deadline, and an eye on failures.
#[derive(Debug)]
pub(crate) struct Watch {
    deadline: Duration,
    log: RateLimit,
    metrics: Arc<Metrics>,
}

impl Watch {
    pub(crate) fn new(deadline: Duration, metrics: Arc<Metrics>) -> Self {
        Self {
            deadline,
            log: RateLimit::default(),
            metrics,
        }
    }

    /// How long a call may take.
    pub(crate) fn deadline(&self) -> Duration {
        self.deadline
    }

    /// So many lines of what was said could not be written down.
    pub(crate) fn lost(&self, lines: u64) {
        self.metrics.lines_lost.add(lines);
    }

    /// Runs one call with the deadline. A failure is counted and logged.
    pub(crate) async fn call<T>(
        &self,
        what: &'static str,
        work: impl Future<Output = sqlx::Result<T>>,
    ) -> Result<T, StoreError> {
        match tokio::time::timeout(self.deadline, work).await {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(error)) => Err(self.failed(what, error)),
            Err(elapsed) => {
                self.metrics.failures.of(&["TimeoutError", NO_CODE]).up();
                self.log.warn(what, &elapsed);
                Err(StoreError::TimedOut)
            }
        }
    }

    /// Runs one call that nobody should wait for, with a deadline of its own. A failure is counted; logging it is the
    /// caller's business.
    pub(crate) async fn call_quietly<T>(
        &self,
        deadline: Duration,
        work: impl Future<Output = sqlx::Result<T>>,
    ) -> Result<T, StoreError> {
        match tokio::time::timeout(deadline, work).await {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(error)) => Err(self.counted(error)),
            Err(_) => {
                self.metrics.failures.of(&["TimeoutError", NO_CODE]).up();
                Err(StoreError::TimedOut)
            }
        }
    }

    /// Counts and logs a failure, and tells its kind.
    pub(crate) fn failed(&self, what: &'static str, error: Error) -> StoreError {
        self.log.warn(what, &error);
        self.counted(error)
    }

    fn counted(&self, error: Error) -> StoreError {
        self.metrics
            .failures
            .of(&[class(&error), &code(&error)])
            .up();
        match kind(&error) {
            StoreFailure::Unavailable => StoreError::Unavailable(Arc::new(error)),
            StoreFailure::Failed => StoreError::Refused(Arc::new(error)),
        }
    }
}

/// Classes and codes that are told apart; the database has some thousand codes, of which a few occur.
const FAILURES: usize = 64;
/// The code of a failure that has none.
const NO_CODE: &str = "none";

metrics::metrics! {
    /// What is counted of the database.
    pub struct Metrics {
        /// Failed statements by class and code, as the replaced server's library names them.
        failures: LabelledSharedCounter(FAILURES) = Sum "db_exceptions_total" { class, code };
        /// Lines of what was said that the database did not take; they are lost.
        lines_lost: SharedCounter = Sum "muster_database_lines_lost_total";
    }
}

impl Metrics {
    /// Lines of what was said that were lost so far.
    pub fn lines_lost(&self) -> u64 {
        self.lines_lost.value()
    }
}

/// As the reference's library calls such failures.
fn class(error: &Error) -> &'static str {
    let refused = |error: &dyn sqlx::error::DatabaseError| {
        error.is_unique_violation()
            || error.is_foreign_key_violation()
            || error.is_check_violation()
            || matches!(error.kind(), sqlx::error::ErrorKind::NotNullViolation)
    };
    match (kind(error), error) {
        (StoreFailure::Unavailable, _) => "OperationalError",
        (_, Error::Database(error)) if refused(&**error) => "IntegrityError",
        (_, Error::Database(_)) => "ProgrammingError",
        _ => "DatabaseError",
    }
}

fn code(error: &Error) -> String {
    let Error::Database(error) = error else {
        return NO_CODE.to_owned();
    };
    match error.try_downcast_ref::<sqlx::mysql::MySqlDatabaseError>() {
        Some(error) => error.number().to_string(),
        None => error.code().map_or(NO_CODE.to_owned(), Into::into),
    }
}

/// Can't be reached, or refused? (spec: faf-messages 2, N#1009)
fn kind(error: &Error) -> StoreFailure {
    match cause(error) {
        Cause::Refused => StoreFailure::Failed,
        Cause::Away | Cause::Unknown => StoreFailure::Unavailable,
    }
}

/// Whether running the same thing once more may help: the database let somebody else go first.
pub(crate) fn is_deadlock(error: &sqlx::Error) -> bool {
    let Error::Database(error) = error else {
        return false;
    };
    error
        .try_downcast_ref::<sqlx::mysql::MySqlDatabaseError>()
        .is_some_and(|error| [DEADLOCK, CHANGED_SINCE].contains(&error.number()))
}

/// A few log lines per window, and a count of the ones left out.
#[derive(Debug, Default)]
struct RateLimit {
    window: AtomicU64,
    lines: AtomicU64,
}

impl RateLimit {
    /// Logs a failure unless there were many just now. Values of a statement are no part of its error, so no password
    /// or address gets into the log this way.
    fn warn(&self, what: &'static str, error: &dyn std::error::Error) {
        let window = unix_now() as u64 / LOG_WINDOW_S;
        if self.window.swap(window, Ordering::Relaxed) != window {
            let before = self.lines.swap(0, Ordering::Relaxed);
            if before > LOG_LINES {
                tracing::warn!(
                    left_out = before - LOG_LINES,
                    "database failures left out of the log"
                );
            }
        }
        if self.lines.fetch_add(1, Ordering::Relaxed) < LOG_LINES {
            tracing::warn!(what, %error, "database call failed");
        }
    }
}
