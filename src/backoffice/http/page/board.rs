//! What is shown: the present, the last hour, and who looks.

use std::{
    collections::VecDeque,
    fmt,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::{
    sync::{Notify, watch},
    time::{Instant, sleep_until, timeout},
};

/// Browsers that are kept up to date. They are people at work; the endpoint's other places are for everything else that is
/// asked.
pub const WATCHERS: usize = 8;
/// Points of the last hour, one every ten seconds. Each is some hundred bytes.
pub const POINTS: usize = 360;
/// A browser is kept up to date for this long, then it asks again: before its connection's time is over, so that it ends
/// well.
const WATCH_TIME: Duration = Duration::from_secs(240);
/// Whoever asks what is now waits no longer for it.
const PATIENCE: Duration = Duration::from_secs(3);

/// The present, the last hour, and how many look.
#[derive(Debug)]
pub(super) struct Board {
    now: watch::Sender<Arc<str>>,
    points: Mutex<VecDeque<Box<str>>>,
    watchers: Arc<AtomicUsize>,
    asked: Notify,
}

impl Default for Board {
    fn default() -> Board {
        Board {
            now: watch::Sender::new("".into()),
            points: Mutex::default(),
            watchers: Arc::default(),
            asked: Notify::new(),
        }
    }
}

impl Board {
    pub(super) fn show(&self, now: String) {
        self.now.send_replace(now.into());
    }

    pub(super) fn remember(&self, point: String) {
        let mut points = self.points.lock().unwrap_or_else(PoisonError::into_inner);
        if points.len() >= POINTS {
            points.pop_front();
        }
        points.push_back(point.into());
    }

    /// The last hour, the oldest point first, as an array of JSON.
    pub(super) fn history(&self) -> String {
        let mut points = self.points.lock().unwrap_or_else(PoisonError::into_inner);
        format!("[{}]", points.make_contiguous().join(","))
    }

    pub(super) fn is_watched(&self) -> bool {
        self.watchers.load(Ordering::Relaxed) > 0
    }

    pub(super) async fn asked(&self) {
        self.asked.notified().await;
    }

    /// What is seen when it is looked at next; none, if that takes too long.
    pub(super) async fn fresh(&self) -> Option<Arc<str>> {
        let mut now = self.now.subscribe();
        self.asked.notify_one();
        timeout(PATIENCE, now.changed()).await.ok()?.ok()?;
        Some(now.borrow_and_update().clone())
    }

    /// One more who looks, unless enough do. `tell` is told how many do, now and when it is gone.
    pub(super) fn watch(&self, tell: impl Fn(usize) + Send + 'static) -> Option<Watcher> {
        let one_more = |watchers| (watchers < WATCHERS).then_some(watchers + 1);
        let before = self
            .watchers
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_more)
            .ok()?;
        tell(before + 1);
        let now = self.now.subscribe();
        self.asked.notify_one();
        Some(Watcher {
            now,
            until: Instant::now() + WATCH_TIME,
            watchers: self.watchers.clone(),
            tell: Box::new(tell),
        })
    }
}

/// Somebody who looks. One who is slow sees only what is then now.
pub(super) struct Watcher {
    now: watch::Receiver<Arc<str>>,
    until: Instant,
    watchers: Arc<AtomicUsize>,
    tell: Box<dyn Fn(usize) + Send>,
}

impl Watcher {
    /// What is new; none, if there is no more for this one.
    pub(super) async fn next(&mut self) -> Option<Arc<str>> {
        tokio::select! {
            changed = self.now.changed() => changed.ok()?,
            () = sleep_until(self.until) => return None,
        }
        Some(self.now.borrow_and_update().clone())
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        let before = self.watchers.fetch_sub(1, Ordering::Relaxed);
        (self.tell)(before - 1);
    }
}

impl fmt::Debug for Watcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Watcher")
    }
}
