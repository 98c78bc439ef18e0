//! The places for an endpoint's connections. When all are taken, whoever comes gets that of one which says nothing, so that
//! silence keeps nobody out: first of those that have never asked anything, then of those that have been answered.

use std::{
    cell::Cell,
    collections::VecDeque,
    pin::Pin,
    rc::Rc,
    sync::Arc,
    task::{Context, Poll},
};

use axum::body::Body;
use bytes::Bytes;
use hyper::body::{Frame, SizeHint};
use tokio::task::{AbortHandle, JoinSet};

use super::Counts;

/// What a connection with a place is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Doing {
    /// Nothing was asked yet.
    Silent,
    /// A request is being answered.
    Answering,
    /// It was answered, and may ask again.
    Answered,
}

/// A connection's place, from its own side.
#[derive(Clone, Debug)]
pub(super) struct Seat(Rc<Cell<Doing>>);

/// Kept while a request is being answered.
pub(super) struct Answering(Seat);

impl Seat {
    /// From now on a request is being answered, until what is returned is dropped.
    pub(super) fn answering(&self) -> Answering {
        self.0.set(Doing::Answering);
        Answering(self.clone())
    }
}

impl Drop for Answering {
    fn drop(&mut self) {
        self.0.0.set(Doing::Answered);
    }
}

/// An answer's body: until all of it is handed over, the request is being answered.
pub(super) struct Answered {
    body: Body,
    _answering: Answering,
}

impl Answered {
    pub(super) fn new(body: Body, answering: Answering) -> Answered {
        Answered {
            body,
            _answering: answering,
        }
    }
}

impl hyper::body::Body for Answered {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// All places of an endpoint.
pub(super) struct Seats {
    most: usize,
    connections: JoinSet<()>,
    /// In the order in which they came.
    taken: VecDeque<(Seat, AbortHandle)>,
    pub(super) counts: Arc<Counts>,
}

impl Seats {
    /// So many places, all free.
    pub(super) fn new(most: usize, counts: Arc<Counts>) -> Self {
        Seats {
            most,
            connections: JoinSet::new(),
            taken: VecDeque::new(),
            counts,
        }
    }

    /// Until a connection has ended; for ever if there is none. May be dropped while it waits.
    pub(super) async fn vacated(&mut self) {
        match self.connections.join_next().await {
            Some(_) => self.taken.retain(|(_, task)| !task.is_finished()),
            None => std::future::pending().await,
        }
    }

    /// Serves a connection if there is a place for it, or if somebody can make room; otherwise it is closed at once.
    pub(super) fn take<F: Future<Output = ()> + 'static>(&mut self, serve: impl FnOnce(Seat) -> F) {
        self.taken.retain(|(_, task)| !task.is_finished());
        if self.taken.len() >= self.most && !self.evict() {
            return self.counts.refused.up();
        }
        let seat = Seat(Rc::new(Cell::new(Doing::Silent)));
        let task = self.connections.spawn_local(serve(seat.clone()));
        self.taken.push_back((seat, task));
    }

    /// Ends the connection that is missed least. False: each is being answered.
    fn evict(&mut self) -> bool {
        let first = |doing| {
            self.taken
                .iter()
                .position(|(seat, _)| seat.0.get() == doing)
        };
        let place = first(Doing::Silent).or_else(|| first(Doing::Answered));
        let Some((_, task)) = place.and_then(|place| self.taken.remove(place)) else {
            return false;
        };
        task.abort();
        self.counts.evicted.up();
        true
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use tokio::task::LocalSet;

    use super::*;

    #[tokio::test]
    async fn the_silent_make_room_then_the_answered_and_nobody_who_is_being_answered() {
        let all = async {
            let mut seats = Seats::new(3, Arc::default());
            let (sender, taken) = std::sync::mpsc::channel();
            let take = |seats: &mut Seats| {
                let before = seats.taken.len();
                let sender = sender.clone();
                seats.take(move |seat| {
                    sender.send(seat).expect("somebody listens");
                    pending()
                });
                (before, seats.taken.len())
            };
            for _ in 0..3 {
                take(&mut seats);
            }
            let own: Vec<Seat> = taken.try_iter().collect();
            drop(own[0].answering());
            let first = own[1].answering();
            // The third has never asked anything, then comes the newcomer in its place.
            assert_eq!(take(&mut seats), (3, 3));
            assert!(
                seats
                    .taken
                    .iter()
                    .all(|(seat, _)| !Rc::ptr_eq(&seat.0, &own[2].0))
            );
            let newcomer = taken.try_iter().next().expect("it was let in");
            let second = newcomer.answering();
            assert_eq!(take(&mut seats), (3, 3));
            assert!(
                seats
                    .taken
                    .iter()
                    .all(|(seat, _)| !Rc::ptr_eq(&seat.0, &own[0].0))
            );
            let third = taken.try_iter().next().expect("it was let in").answering();
            assert_eq!(
                (seats.counts.evicted.value(), seats.counts.refused.value()),
                (2, 0)
            );
            take(&mut seats);
            assert_eq!(
                (seats.counts.evicted.value(), seats.counts.refused.value()),
                (2, 1)
            );
            drop((first, second, third));
        };
        LocalSet::new().run_until(all).await;
    }
}
