//! The handler where the questions of VCMI's JSON lobby are answered.

use std::{sync::Arc, sync::atomic::AtomicBool, sync::atomic::Ordering};

use lobby::{
    question::{Answers, StoreFailure},
    vcmi_json::questions::{Answer, Ask, Begin, Line, Outcome, Work},
};

use super::store::Store;

/// The handler. Shared by reference.
#[derive(Debug)]
pub struct Handler {
    store: Arc<Store>,
    /// Set until a start has been made in the store.
    awaited: Arc<AtomicBool>,
}

impl Handler {
    /// With this store; `awaited` is cleared when it can be used.
    pub fn new(store: Arc<Store>, awaited: Arc<AtomicBool>) -> Self {
        Handler { store, awaited }
    }

    /// The answer to any question.
    pub async fn handle(&self, ask: Ask) -> Answer {
        ask.answered_by(self).await
    }
}

impl Answers<Begin> for Handler {
    async fn answer(&self, begin: Begin) -> Result<Vec<(String, Vec<Line>)>, StoreFailure> {
        let channels = self.store.begin(begin).await.map_err(|error| {
            tracing::warn!(%error, "the database of VCMI's JSON lobby can't be used yet");
            error.failure()
        })?;
        self.awaited.store(false, Ordering::Release);
        Ok(channels)
    }
}

impl Answers<Work> for Handler {
    async fn answer(&self, Work(steps): Work) -> Result<Vec<Outcome>, StoreFailure> {
        Ok(self.store.work(steps).await?)
    }
}
