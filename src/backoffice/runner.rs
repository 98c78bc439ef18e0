//! The back office's thread, and the bounded queue that questions come through.
//!
//! A shard hands a question over with [`Asker::try_ask`], which never waits: a full queue gives the question back, and
//! the one who asked refuses it upstream. Answers travel the other way as the handler sees fit, usually as mail.

use std::fmt::Display;
use std::future::Future;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use crossbeam::queue::ArrayQueue;
use tokio::sync::Notify;
use tokio::task::{JoinError, JoinSet, LocalSet};

/// After a stop, questions under way are waited for this long. More than any of them may take by its own deadlines.
pub const STOP_DEADLINE: Duration = Duration::from_secs(10);

/// How busy the desk is. Counters only grow, but for `in_flight`.
#[derive(Debug, Default)]
pub struct Counters {
    /// Questions taken into the queue.
    pub asked: AtomicU64,
    /// Questions whose handler has ended.
    pub answered: AtomicU64,
    /// Questions given back: the queue was full, or the desk closed.
    pub refused: AtomicU64,
    /// Questions whose handler panicked. Nobody answers those.
    pub failed: AtomicU64,
    /// Questions being handled.
    pub in_flight: AtomicU64,
}

#[derive(Debug)]
struct Shared<Q> {
    queue: ArrayQueue<Q>,
    wake: Notify,
    closed: AtomicBool,
    counters: Arc<Counters>,
}

/// Where questions are put. Cheap to clone; one per shard.
#[derive(Debug)]
pub struct Asker<Q>(Arc<Shared<Q>>);

/// Where questions come out.
#[derive(Debug)]
pub struct Questions<Q>(Arc<Shared<Q>>);

/// A queue for at most `capacity` questions that wait.
pub fn questions<Q>(capacity: usize) -> (Asker<Q>, Questions<Q>) {
    let shared = Arc::new(Shared {
        queue: ArrayQueue::new(capacity),
        wake: Notify::new(),
        closed: AtomicBool::new(false),
        counters: Arc::default(),
    });
    (Asker(shared.clone()), Questions(shared))
}

impl<Q> Clone for Asker<Q> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<Q> Asker<Q> {
    /// Hands a question over without waiting.
    ///
    /// # Errors
    /// The question, if the queue is full or the desk closed.
    pub fn try_ask(&self, question: Q) -> Result<(), Q> {
        let outcome = if self.0.closed.load(Ordering::Acquire) {
            Err(question)
        } else {
            self.0.queue.push(question)
        };
        let counter = if outcome.is_ok() {
            &self.0.counters.asked
        } else {
            &self.0.counters.refused
        };
        counter.fetch_add(1, Ordering::Relaxed);
        if outcome.is_ok() {
            self.0.wake.notify_one();
        }
        outcome
    }

    /// The counters of this desk.
    pub fn counters(&self) -> Arc<Counters> {
        self.0.counters.clone()
    }

    /// Closes the desk: nothing more is taken, what is in the queue is still handled.
    pub fn close(&self) {
        self.0.closed.store(true, Ordering::Release);
        self.0.wake.notify_one();
    }
}

impl<Q> Questions<Q> {
    /// The next question; `None` once the desk is closed and the queue empty. May be dropped while it waits.
    pub async fn next(&mut self) -> Option<Q> {
        loop {
            // Read first: what was asked before closing is in the queue by then.
            let closed = self.0.closed.load(Ordering::Acquire);
            if let Some(question) = self.0.queue.pop() {
                return Some(question);
            }
            if closed {
                return None;
            }
            // A wake that came since is kept as a permit, so this does not sleep through it.
            self.0.wake.notified().await;
        }
    }
}

/// Handles questions, at most `limit` at once, until the desk is closed; then finishes those taken, for at most
/// `stop_deadline`, and returns. Must run inside a [`LocalSet`].
pub async fn run<Q, H, F>(
    mut questions: Questions<Q>,
    limit: usize,
    stop_deadline: Duration,
    handler: H,
) where
    H: Fn(Q) -> F,
    F: Future<Output = ()> + 'static,
{
    let counters = questions.0.counters.clone();
    let mut running = JoinSet::new();
    loop {
        tokio::select! {
            biased;
            Some(ended) = running.join_next() => settle(&counters, ended),
            question = questions.next(), if running.len() < limit => match question {
                Some(question) => {
                    counters.in_flight.fetch_add(1, Ordering::Relaxed);
                    running.spawn_local(handler(question));
                }
                None => break,
            },
        }
    }
    let rest = async {
        while let Some(ended) = running.join_next().await {
            settle(&counters, ended);
        }
    };
    if tokio::time::timeout(stop_deadline, rest).await.is_err() {
        tracing::warn!(
            left = running.len(),
            "the back office stops without having answered everything"
        );
    }
}

fn settle(counters: &Counters, ended: Result<(), JoinError>) {
    counters.in_flight.fetch_sub(1, Ordering::Relaxed);
    match ended {
        Ok(()) => counters.answered.fetch_add(1, Ordering::Relaxed),
        Err(error) => {
            tracing::error!(%error, "a question to the back office was dropped");
            counters.failed.fetch_add(1, Ordering::Relaxed)
        }
    };
}

/// Why the back office did not start.
#[derive(Debug, thiserror::Error)]
pub enum SpawnError<E: Display> {
    /// The thread or its reactor.
    #[error("the back office's thread could not be started: {0}")]
    Thread(#[from] io::Error),
    /// What the set-up said.
    #[error("{0}")]
    Setup(E),
    /// The set-up panicked.
    #[error("the back office's set-up panicked")]
    Panicked,
}

/// The running back office.
#[derive(Debug)]
pub struct BackOffice<Q> {
    asker: Asker<Q>,
    thread: thread::JoinHandle<()>,
}

/// Starts the back office: one thread named `backoffice` with a tokio runtime of its own. `setup` runs there first and
/// makes the handler; it may leave tasks behind with `tokio::task::spawn_local`, which end with the desk. Returns when
/// the set-up is done.
///
/// # Errors
/// [`SpawnError`]
pub fn spawn<Q, S, SF, H, F, E>(
    (asker, questions): (Asker<Q>, Questions<Q>),
    limit: usize,
    setup: S,
) -> Result<BackOffice<Q>, SpawnError<E>>
where
    Q: Send + 'static,
    S: FnOnce() -> SF + Send + 'static,
    SF: Future<Output = Result<H, E>> + 'static,
    H: Fn(Q) -> F + 'static,
    F: Future<Output = ()> + 'static,
    E: Display + Send + 'static,
{
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let (report, reported) = std::sync::mpsc::sync_channel(1);
    let thread = thread::Builder::new()
        .name("backoffice".to_owned())
        .spawn(move || {
            LocalSet::new().block_on(&runtime, async move {
                match setup().await {
                    Ok(handler) => {
                        let _ = report.send(Ok(()));
                        run(questions, limit, STOP_DEADLINE, handler).await;
                    }
                    Err(error) => {
                        let _ = report.send(Err(error));
                    }
                }
            });
        })?;
    match reported.recv() {
        Ok(Ok(())) => Ok(BackOffice { asker, thread }),
        Ok(Err(error)) => Err(SpawnError::Setup(error)),
        Err(_) => Err(SpawnError::Panicked),
    }
}

impl<Q> BackOffice<Q> {
    /// A place to put questions.
    pub fn asker(&self) -> Asker<Q> {
        self.asker.clone()
    }

    /// Closes the desk and waits until what was asked is answered, or [`STOP_DEADLINE`] is over. Blocks.
    pub fn stop(self) {
        self.asker.close();
        if self.thread.join().is_err() {
            tracing::error!("the back office's thread panicked");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::convert::Infallible;
    use std::rc::Rc;

    use super::*;

    fn read(counter: &AtomicU64) -> u64 {
        counter.load(Ordering::Relaxed)
    }

    #[test]
    fn a_full_queue_gives_the_question_back() {
        let (asker, _questions) = questions(2);
        assert_eq!(
            (asker.try_ask(1), asker.try_ask(2), asker.try_ask(3)),
            (Ok(()), Ok(()), Err(3))
        );
        let counters = asker.counters();
        assert_eq!((read(&counters.asked), read(&counters.refused)), (2, 1));
    }

    #[test]
    fn questions_from_many_threads_are_all_answered() {
        let (answer, answers) = std::sync::mpsc::channel();
        let office = spawn(questions(64), 8, move || async move {
            Ok::<_, Infallible>(move |question: u64| {
                let answer = answer.clone();
                async move {
                    tokio::task::yield_now().await;
                    answer.send(question).unwrap();
                }
            })
        })
        .unwrap();
        thread::scope(|scope| {
            for shard in 0..4 {
                let asker = office.asker();
                scope.spawn(move || {
                    for n in 0..1_000 {
                        let mut question = shard * 1_000 + n;
                        while let Err(back) = asker.try_ask(question) {
                            question = back;
                            thread::yield_now();
                        }
                    }
                });
            }
        });
        let counters = office.asker().counters();
        office.stop();
        let mut all: Vec<u64> = answers.iter().collect();
        all.sort_unstable();
        assert_eq!(all, (0..4_000).collect::<Vec<_>>());
        assert_eq!(
            (read(&counters.answered), read(&counters.in_flight)),
            (4_000, 0)
        );
    }

    #[tokio::test(start_paused = true)]
    async fn no_more_than_the_limit_run_at_once_and_a_panic_costs_one() {
        let (asker, questions) = questions(100);
        let (now, most) = (Rc::new(Cell::new(0)), Rc::new(Cell::new(0)));
        for n in 0..20 {
            asker.try_ask(n).unwrap();
        }
        asker.close();
        assert_eq!(asker.try_ask(99), Err(99));
        let (running, peak) = (now.clone(), most.clone());
        let handler = move |n: i32| {
            let (running, peak) = (running.clone(), peak.clone());
            async move {
                assert_ne!(n, 7, "meant to panic");
                running.set(running.get() + 1);
                peak.set(peak.get().max(running.get()));
                tokio::time::sleep(Duration::from_secs(1)).await;
                running.set(running.get() - 1);
            }
        };
        LocalSet::new()
            .run_until(run(questions, 3, STOP_DEADLINE, handler))
            .await;
        let counters = asker.counters();
        assert_eq!((now.get(), most.get()), (0, 3));
        assert_eq!(
            (
                read(&counters.answered),
                read(&counters.failed),
                read(&counters.in_flight)
            ),
            (19, 1, 0)
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_question_that_hangs_does_not_hang_the_stop() {
        let (asker, questions) = questions(1);
        asker.try_ask(()).unwrap();
        asker.close();
        let begun = tokio::time::Instant::now();
        LocalSet::new()
            .run_until(run(questions, 1, STOP_DEADLINE, |()| {
                std::future::pending()
            }))
            .await;
        assert_eq!(begun.elapsed(), STOP_DEADLINE);
    }

    #[test]
    fn a_failing_set_up_is_told() {
        let outcome = spawn(questions::<()>(1), 1, || async {
            Err::<fn(()) -> std::future::Ready<()>, _>("no database")
        });
        assert_eq!(outcome.unwrap_err().to_string(), "no database");
    }
}
