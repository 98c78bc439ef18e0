//! The back office's thread, and the bounded queue that questions come through.
//!
//! A shard hands a question over with [`Asker::try_ask`], which never waits: a full queue gives the question back, and
//! the one who asked refuses it upstream. Answers travel the other way as the handler sees fit, usually as mail.
//!
//! Each [`Lane`] of questions waits in a queue of its own and has places of its own: ten thousand who sign in at once don't
//! keep the result of a game from being written down, and a service that only sign-ins need may hang without anybody
//! else taking notice.

use std::fmt::Display;
use std::future::Future;
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use crossbeam::queue::ArrayQueue;
use lobby::question::Lane;
use metrics::{Counter, Gauge, SharedCounter};
use tokio::sync::Notify;
use tokio::task::{JoinError, JoinSet, LocalSet};

/// After a stop, questions under way are waited for this long. More than any of them may take by its own deadlines.
pub const STOP_DEADLINE: Duration = Duration::from_secs(10);

metrics::metrics! {
    /// How busy the runner is.
    pub struct Metrics {
        /// Questions to the back office that were taken into its queue.
        asked: SharedCounter = Sum "muster_backoffice_asked_total";
        /// Questions to the back office whose handler has ended.
        answered: Counter = Sum "muster_backoffice_answered_total";
        /// Questions to the back office that were given back: its queue was full, or closed.
        refused: SharedCounter = Sum "muster_backoffice_refused_total";
        /// Questions to the back office whose handler panicked; nobody answers those.
        failed: Counter = Sum "muster_backoffice_failed_total";
        /// Questions that the back office is working on.
        in_flight: Gauge = Sum "muster_backoffice_in_flight";
    }
}

/// So many of something for each lane.
#[derive(Clone, Copy, Debug)]
pub struct PerLane([usize; Lane::ALL.len()]);

impl PerLane {
    /// As many as `of` says.
    pub fn new(of: impl Fn(Lane) -> usize) -> Self {
        PerLane(Lane::ALL.map(of))
    }

    fn of(self, lane: Lane) -> usize {
        self.0[lane as usize]
    }
}

#[derive(Debug)]
struct Shared<Q> {
    queues: [ArrayQueue<Q>; Lane::ALL.len()],
    lane: fn(&Q) -> Lane,
    wake: Notify,
    closing: Notify,
    closed: AtomicBool,
    metrics: Arc<Metrics>,
}

/// Where questions are put. Cheap to clone; one per shard.
#[derive(Debug)]
pub struct Asker<Q>(Arc<Shared<Q>>);

/// Where questions come out.
#[derive(Debug)]
pub struct Questions<Q>(Arc<Shared<Q>>);

/// Queues for at most `capacity` questions of each lane that wait.
pub fn questions<Q>(capacity: usize, lane: fn(&Q) -> Lane) -> (Asker<Q>, Questions<Q>) {
    let shared = Arc::new(Shared {
        queues: Lane::ALL.map(|_| ArrayQueue::new(capacity)),
        lane,
        wake: Notify::new(),
        closing: Notify::new(),
        closed: AtomicBool::new(false),
        metrics: Arc::default(),
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
    /// The question, if its lane's queue is full or the runner closed.
    pub fn try_ask(&self, question: Q) -> Result<(), Q> {
        let outcome = if self.0.closed.load(Ordering::Acquire) {
            Err(question)
        } else {
            self.0.queues[(self.0.lane)(&question) as usize].push(question)
        };
        let counter = if outcome.is_ok() {
            &self.0.metrics.asked
        } else {
            &self.0.metrics.refused
        };
        counter.up();
        if outcome.is_ok() {
            self.0.wake.notify_one();
        }
        outcome
    }

    /// What this runner counts.
    pub fn metrics(&self) -> Arc<Metrics> {
        self.0.metrics.clone()
    }

    /// Closes the runner: nothing more is taken, what is in the queue is still handled.
    pub fn close(&self) {
        self.0.closed.store(true, Ordering::Release);
        self.0.closing.notify_one();
        self.0.wake.notify_one();
    }
}

impl<Q> Questions<Q> {
    /// The next question of a lane that has room; `None` once the runner is closed and the queues empty. May be dropped
    /// while it waits.
    async fn next(&mut self, has_room: impl Fn(Lane) -> bool) -> Option<Q> {
        loop {
            // Read first: what was asked before closing is in a queue by then.
            let closed = self.0.closed.load(Ordering::Acquire);
            for (lane, queue) in Lane::ALL.into_iter().zip(&self.0.queues) {
                if has_room(lane)
                    && let Some(question) = queue.pop()
                {
                    return Some(question);
                }
            }
            if closed && self.0.queues.iter().all(ArrayQueue::is_empty) {
                return None;
            }
            // A wake that came since is kept as a permit, so this does not sleep through it.
            self.0.wake.notified().await;
        }
    }
}

/// Handles questions, of each lane as many at once as it has `places`, until the runner is closed; then finishes those it has, for
/// at most `stop_deadline`, and returns. Must run inside a [`LocalSet`].
pub async fn run<Q, H, F>(
    mut questions: Questions<Q>,
    places: PerLane,
    stop_deadline: Duration,
    handler: H,
) where
    H: Fn(Q) -> F,
    F: Future<Output = ()> + 'static,
{
    let shared = questions.0.clone();
    let metrics = &shared.metrics;
    let mut running = JoinSet::new();
    // Each question that is being handled has a copy of its lane's, until it ends in whatever way.
    let taken = Lane::ALL.map(|_| Rc::new(()));
    let has_room = |lane| Rc::strong_count(&taken[lane as usize]) <= places.of(lane);
    let work = async {
        loop {
            tokio::select! {
                biased;
                Some(ended) = running.join_next() => settle(metrics, ended),
                question = questions.next(has_room) => match question {
                    Some(question) => {
                        metrics.in_flight.add(1.0);
                        let place = taken[(shared.lane)(&question) as usize].clone();
                        let handled = handler(question);
                        running.spawn_local(async move {
                            let _place = place;
                            handled.await;
                        });
                    }
                    None => break,
                },
            }
        }
        while let Some(ended) = running.join_next().await {
            settle(metrics, ended);
        }
    };
    // Counts from the closing, not from the end of the queues: with every place taken by what hangs there is no such end.
    let overdue = async {
        shared.closing.notified().await;
        tokio::time::sleep(stop_deadline).await;
    };
    tokio::select! {
        () = work => {}
        () = overdue => tracing::warn!("the back office stops without having answered everything"),
    }
}

fn settle(metrics: &Metrics, ended: Result<(), JoinError>) {
    metrics.in_flight.add(-1.0);
    match ended {
        Ok(()) => metrics.answered.up(),
        Err(error) => {
            tracing::error!(%error, "a question to the back office was dropped");
            metrics.failed.up();
        }
    };
}

/// Why the back office did not start.
#[derive(Debug, thiserror::Error)]
pub enum SpawnError<E: Display> {
    /// The thread or its reactor.
    #[error("the back office's thread could not be started: {0}")]
    Thread(#[from] io::Error),
    /// What the set-up said, with its causes.
    #[error("{0:#}")]
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
/// makes the handler; it may leave tasks behind with `tokio::task::spawn_local`, which end with the runner. Returns when
/// the set-up is done.
///
/// # Errors
/// [`SpawnError`]
pub fn spawn<Q, S, SF, H, F, E>(
    (asker, questions): (Asker<Q>, Questions<Q>),
    places: PerLane,
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
                        run(questions, places, STOP_DEADLINE, handler).await;
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

    /// Whether its thread has ended, though nobody has stopped it.
    pub fn has_ended(&self) -> bool {
        self.thread.is_finished()
    }

    /// Closes the runner and waits until what was asked is answered, or [`STOP_DEADLINE`] is over. Blocks.
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

    /// So many at once of each lane.
    fn places(each: usize) -> PerLane {
        PerLane::new(|_| each)
    }

    fn alone<Q>(_: &Q) -> Lane {
        Lane::Play
    }

    #[test]
    fn a_full_queue_gives_the_question_back() {
        let (asker, _questions) = questions(2, alone);
        assert_eq!(
            (asker.try_ask(1), asker.try_ask(2), asker.try_ask(3)),
            (Ok(()), Ok(()), Err(3))
        );
        let metrics = asker.metrics();
        assert_eq!((metrics.asked.value(), metrics.refused.value()), (2, 1));
    }

    #[test]
    fn questions_from_many_threads_are_all_answered() {
        let (answer, answers) = std::sync::mpsc::channel();
        let office = spawn(questions(64, alone), places(8), move || async move {
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
        let metrics = office.asker().metrics();
        office.stop();
        let mut all: Vec<u64> = answers.iter().collect();
        all.sort_unstable();
        assert_eq!(all, (0..4_000).collect::<Vec<_>>());
        assert_eq!(
            (metrics.answered.value(), metrics.in_flight.value()),
            (4_000, 0.0)
        );
    }

    #[tokio::test]
    async fn no_more_than_the_limit_run_at_once_and_a_panic_costs_one() {
        let (asker, questions) = questions(100, alone);
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
                tokio::time::sleep(Duration::from_millis(5)).await;
                running.set(running.get() - 1);
            }
        };
        LocalSet::new()
            .run_until(run(questions, places(3), STOP_DEADLINE, handler))
            .await;
        let metrics = asker.metrics();
        assert_eq!((now.get(), most.get()), (0, 3));
        assert_eq!(
            (
                metrics.answered.value(),
                metrics.failed.value(),
                metrics.in_flight.value()
            ),
            (19, 1, 0.0)
        );
    }

    #[tokio::test]
    async fn a_crowd_keeps_nobody_else_waiting() {
        let lane = |n: &u32| match n % 2 {
            0 => Lane::SignIn,
            _ => Lane::Play,
        };
        let (asker, questions) = questions(10, lane);
        for n in 0..20 {
            asker.try_ask(2 * n).unwrap_or_else(|_| assert!(n >= 10));
        }
        // Its queue is full, theirs is not.
        for n in [1, 3, 5] {
            asker.try_ask(n).unwrap();
        }
        asker.close();
        let order = Rc::new(std::cell::RefCell::new(Vec::new()));
        let ended = order.clone();
        let handler = move |n: u32| {
            let ended = ended.clone();
            async move {
                assert_ne!(n, 2, "meant to panic: its place is free again");
                let pause = if n.is_multiple_of(2) { 20 } else { 1 };
                tokio::time::sleep(Duration::from_millis(pause)).await;
                ended.borrow_mut().push(n);
            }
        };
        LocalSet::new()
            .run_until(run(questions, places(2), STOP_DEADLINE, handler))
            .await;
        let order = order.borrow();
        let odd: Vec<u32> = order.iter().copied().filter(|n| n % 2 == 1).collect();
        let even: Vec<u32> = order.iter().copied().filter(|n| n % 2 == 0).collect();
        assert_eq!(odd, [1, 3, 5]);
        assert_eq!(even, [0, 4, 6, 8, 10, 12, 14, 16, 18]);
    }

    // Whatever lane it is: with all its places taken by what hangs and its queue full, the others are answered.
    #[tokio::test]
    async fn a_lane_that_hangs_holds_up_no_other() {
        for hanging in Lane::ALL {
            let (asker, questions) = questions(4, |lane: &Lane| *lane);
            for _ in 0..4 {
                asker.try_ask(hanging).unwrap();
            }
            let (answer, mut answers) = tokio::sync::mpsc::unbounded_channel();
            let handler = move |lane: Lane| {
                let answer = answer.clone();
                async move {
                    if lane == hanging {
                        std::future::pending::<()>().await;
                    }
                    answer.send(lane).unwrap();
                }
            };
            let others = async {
                // Two of them are being handled by now; the queue is filled up again.
                tokio::time::sleep(Duration::from_millis(5)).await;
                while asker.try_ask(hanging).is_ok() {}
                for lane in Lane::ALL.into_iter().filter(|lane| *lane != hanging) {
                    for _ in 0..3 {
                        asker.try_ask(lane).unwrap();
                    }
                    for _ in 0..3 {
                        assert_eq!(answers.recv().await, Some(lane));
                    }
                }
            };
            let work = async {
                tokio::select! {
                    () = run(questions, places(2), STOP_DEADLINE, handler) => panic!("it is not closed"),
                    () = others => {}
                }
            };
            let tasks = LocalSet::new();
            tokio::time::timeout(Duration::from_secs(10), tasks.run_until(work))
                .await
                .unwrap_or_else(|_| panic!("{hanging:?} holds up another"));
        }
    }

    #[tokio::test]
    async fn a_question_that_hangs_does_not_hang_the_stop() {
        let (asker, questions) = questions(1, alone);
        asker.try_ask(()).unwrap();
        asker.close();
        let deadline = Duration::from_millis(50);
        let begun = tokio::time::Instant::now();
        LocalSet::new()
            .run_until(run(questions, places(1), deadline, |()| {
                std::future::pending()
            }))
            .await;
        assert!(begun.elapsed() >= deadline);
    }

    #[test]
    fn a_failing_set_up_is_told() {
        let outcome = spawn(questions::<()>(1, alone), places(1), || async {
            Err::<fn(()) -> std::future::Ready<()>, _>("no database")
        });
        assert_eq!(outcome.unwrap_err().to_string(), "no database");
    }
}
