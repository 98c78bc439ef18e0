//! The way into the back office: a bounded lock-free queue that a shard puts a question into without ever waiting.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use crossbeam::queue::ArrayQueue;
use tokio::sync::Notify;

#[derive(Debug)]
struct Shared<Q> {
    queue: ArrayQueue<Q>,
    arrived: Notify,
    closed: AtomicBool,
}

/// The shards' end.
#[derive(Debug)]
pub struct Asker<Q>(Arc<Shared<Q>>);

impl<Q> Clone for Asker<Q> {
    fn clone(&self) -> Self {
        Asker(self.0.clone())
    }
}

/// The back office's end.
#[derive(Debug)]
pub struct Questions<Q>(Arc<Shared<Q>>);

/// A queue for at most `capacity` questions.
pub fn questions<Q>(capacity: usize) -> (Asker<Q>, Questions<Q>) {
    let shared = Arc::new(Shared {
        queue: ArrayQueue::new(capacity.max(1)),
        arrived: Notify::new(),
        closed: AtomicBool::new(false),
    });
    (Asker(shared.clone()), Questions(shared))
}

impl<Q> Asker<Q> {
    /// Puts a question in; never waits.
    ///
    /// # Errors
    /// Gives the question back if there is no room or the queue was closed.
    pub fn try_ask(&self, question: Q) -> Result<(), Q> {
        if self.0.closed.load(Ordering::Acquire) {
            return Err(question);
        }
        self.0.queue.push(question)?;
        self.0.arrived.notify_one();
        Ok(())
    }

    /// No more questions: the other end finishes what is there.
    pub fn close(&self) {
        self.0.closed.store(true, Ordering::Release);
        self.0.arrived.notify_one();
    }
}

impl<Q> Questions<Q> {
    /// The next question; `None` when closed and empty.
    pub async fn next(&self) -> Option<Q> {
        loop {
            if let Some(question) = self.0.queue.pop() {
                return Some(question);
            }
            if self.0.closed.load(Ordering::Acquire) {
                return None;
            }
            self.0.arrived.notified().await; // what came before left a permit
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_full_queue_gives_the_question_back_and_a_closed_one_empties() {
        let (asker, questions) = questions(2);
        assert_eq!(
            [asker.try_ask(1), asker.try_ask(2), asker.try_ask(3)],
            [Ok(()), Ok(()), Err(3)]
        );
        assert_eq!(questions.next().await, Some(1));
        assert_eq!(asker.try_ask(4), Ok(()));
        asker.close();
        assert_eq!(asker.try_ask(5), Err(5));
        let rest = [
            questions.next().await,
            questions.next().await,
            questions.next().await,
        ];
        assert_eq!(rest, [Some(2), Some(4), None]);
    }
}
