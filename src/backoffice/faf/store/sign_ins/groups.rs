//! Questions that wait for the database together, and are answered in one go.
//!
//! A group that is refused is tried again one by one, so each failure stays its own. One that can't be served now is
//! answered so at once: whatever keeps it would keep each of its members.

use std::fmt;
use std::future::Future;
use std::slice;
use std::sync::Arc;

use sqlx::Error;
use tokio::sync::{Mutex, mpsc, oneshot};

use crate::store::{StoreError, Watch};

/// What is asked by one.
pub(super) trait Question: Sized + Send + Sync + 'static {
    type Answer: Send + 'static;
    /// In the log.
    const WHAT: &'static str;
}

/// What is answered for several at once by a database's connections, `D`.
pub(super) trait Grouped<D>: Question {
    /// An answer for each, in their order.
    fn answer(
        database: &D,
        group: &[Self],
    ) -> impl Future<Output = sqlx::Result<Vec<sqlx::Result<Self::Answer>>>> + Send;
}

/// A question, and where its answer goes.
pub(super) struct Waiting<Q: Question> {
    question: Q,
    reply: oneshot::Sender<Result<Q::Answer, StoreError>>,
}

/// What waits in one queue: questions of one kind, or of several.
pub(super) trait Waits<D>: Sized + Send + 'static {
    /// Answers all of a group.
    fn settle(database: &D, watch: &Watch, group: Vec<Self>) -> impl Future<Output = ()> + Send;
}

impl<D: Sync, Q: Grouped<D>> Waits<D> for Waiting<Q> {
    async fn settle(database: &D, watch: &Watch, group: Vec<Self>) {
        settle(database, watch, group).await;
    }
}

/// Where questions wait.
pub(super) struct Queue<W> {
    asked: mpsc::Sender<W>,
    watch: Arc<Watch>,
}

impl<W> fmt::Debug for Queue<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Queue").finish_non_exhaustive()
    }
}

impl<W> Queue<W> {
    /// Opens the queue. `keepers` groups of up to `size` may be under way at once; they are kept until the queue is dropped,
    /// by tasks of the runtime that this is called in.
    pub(super) fn open<D>(database: &D, watch: &Arc<Watch>, keepers: usize, size: usize) -> Self
    where
        D: Clone + Send + Sync + 'static,
        W: Waits<D>,
    {
        let (asked, waiting) = mpsc::channel(size);
        let waiting = Arc::new(Mutex::new(waiting));
        for _ in 0..keepers {
            tokio::spawn(keep(database.clone(), watch.clone(), waiting.clone(), size));
        }
        Self {
            asked,
            watch: watch.clone(),
        }
    }

    /// Waits for the answer, for as long as a call may take.
    pub(super) async fn ask<Q: Question>(&self, question: Q) -> Result<Q::Answer, StoreError>
    where
        W: From<Waiting<Q>>,
    {
        let (reply, answer) = oneshot::channel();
        let asked = Waiting { question, reply };
        self.watch
            .call(Q::WHAT, async {
                let sent = self.asked.send(asked.into()).await;
                sent.map_err(|_| Error::WorkerCrashed)?;
                answer.await.map_err(|_| Error::WorkerCrashed)
            })
            .await?
    }
}

/// Handles group after group, until nobody can come any more.
async fn keep<D, W>(
    database: D,
    watch: Arc<Watch>,
    waiting: Arc<Mutex<mpsc::Receiver<W>>>,
    size: usize,
) where
    D: Clone + Send + Sync + 'static,
    W: Waits<D>,
{
    loop {
        let mut group = Vec::with_capacity(size);
        if waiting.lock().await.recv_many(&mut group, size).await == 0 {
            return;
        }
        let (database, watch) = (database.clone(), watch.clone());
        // A panic ends this group, not the handler.
        let settled = tokio::spawn(async move { W::settle(&database, &watch, group).await });
        if let Err(error) = settled.await {
            tracing::error!(%error, "a group of sign-ins was dropped");
        }
    }
}

/// Answers those of a group who still wait.
pub(super) async fn settle<D, Q: Grouped<D>>(
    database: &D,
    watch: &Watch,
    mut group: Vec<Waiting<Q>>,
) {
    group.retain(|waiting| !waiting.reply.is_closed());
    if group.is_empty() {
        return;
    }
    let (questions, replies): (Vec<_>, Vec<_>) = group
        .into_iter()
        .map(|waiting| (waiting.question, waiting.reply))
        .unzip();
    let answers = match watch.call(Q::WHAT, Q::answer(database, &questions)).await {
        Ok(answers) => answers,
        Err(error) if error.may_be_the_question() && questions.len() > 1 => {
            for (question, reply) in questions.iter().zip(replies) {
                if reply.is_closed() {
                    continue;
                }
                let alone = Q::answer(database, slice::from_ref(question));
                let answer = match watch.call(Q::WHAT, alone).await {
                    Ok(answers) => own::<Q>(watch, answers.into_iter().next()),
                    Err(error) => Err(error),
                };
                let _ = reply.send(answer);
            }
            return;
        }
        Err(error) => {
            for reply in replies {
                let _ = reply.send(Err(error.clone()));
            }
            return;
        }
    };
    let mut answers = answers.into_iter();
    for reply in replies {
        // One who is gone needs none.
        let _ = reply.send(own::<Q>(watch, answers.next()));
    }
}

/// One member's own answer.
fn own<Q: Question>(
    watch: &Watch,
    answer: Option<sqlx::Result<Q::Answer>>,
) -> Result<Q::Answer, StoreError> {
    answer
        .unwrap_or(Err(Error::RowNotFound))
        .map_err(|error| watch.failed(Q::WHAT, error))
}
