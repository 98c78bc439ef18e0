//! All games and all players, for operators (spec: faf-lifecycle 15.1).
//!
//! Each shard answers for its own objects from text it has anyway; here they are put together.

use std::time::Duration;

use bytes::Bytes;
use hyper::StatusCode;
use tokio::sync::{Semaphore, mpsc};

use crate::http::{Answer, Site, status, with_body};
use lobby::faf::{news::News, roster::Reply};

/// A shard that has not answered after this time has ended.
const PATIENCE: Duration = Duration::from_secs(5);
/// Requests that shards work on at one time; the others wait.
const AT_ONCE: usize = 2;

/// The control server.
pub struct Control<T> {
    tell: T,
    shards: u16,
    turns: Semaphore,
}

impl<T: Fn(News) + 'static> Control<T> {
    /// `tell` tells all of the `shards` something.
    pub fn new(shards: u16, tell: T) -> Self {
        Control {
            tell,
            shards,
            turns: Semaphore::new(AT_ONCE),
        }
    }

    async fn gathered(&self, news: fn(Reply) -> News) -> Option<Vec<Bytes>> {
        let _turn = self.turns.acquire().await.ok()?;
        // Bounded by the number of shards, each of which answers once.
        let (answer, mut answers) = mpsc::unbounded_channel();
        (self.tell)(news(Reply::new(move |texts| drop(answer.send(texts)))));
        let mut all = Vec::new();
        for _ in 0..self.shards {
            all.extend(answers.recv().await?);
        }
        Some(all)
    }
}

impl<T: Fn(News) + 'static> Site for Control<T> {
    async fn get(&self, path: &str, _: Option<&str>) -> Answer {
        let news = match path {
            "/games" => News::Games,
            "/players" => News::Players,
            _ => return status(StatusCode::NOT_FOUND),
        };
        match tokio::time::timeout(PATIENCE, self.gathered(news)).await {
            Ok(Some(texts)) => with_body("application/json; charset=utf-8", array(&texts)),
            _ => status(StatusCode::SERVICE_UNAVAILABLE),
        }
    }
}

/// Encoded objects as one array.
fn array(texts: &[Bytes]) -> Vec<u8> {
    let mut out = Vec::with_capacity(2 + texts.iter().map(|text| text.len() + 1).sum::<usize>());
    out.push(b'[');
    for (i, text) in texts.iter().enumerate() {
        if i > 0 {
            out.push(b',');
        }
        out.extend_from_slice(text);
    }
    out.push(b']');
    out
}
