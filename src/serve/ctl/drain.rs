//! An orderly end that was ordered for later. Once it has begun there is no way back: players have been told.

use std::{rc::Rc, sync::Arc, time::Duration};

use muster::{backoffice::http::health::Phase, control_socket::Reply};
use tokio::{
    task::{JoinHandle, spawn_local},
    time::{Instant, sleep_until},
};

use crate::serve::{ending::Stage, orders::Orders};

/// The longest time from the order to the end: a plan for longer is for a calendar.
const LONGEST: Duration = Duration::from_secs(7 * 24 * 3_600);

/// What was ordered.
#[derive(Debug, Default)]
pub(super) struct Planned {
    drain: Option<(Instant, JoinHandle<()>)>,
}

impl Planned {
    /// Until it begins.
    pub(super) fn begins_in_s(&self) -> Option<u64> {
        let (at, _) = self
            .drain
            .as_ref()
            .filter(|(_, task)| !task.is_finished())?;
        Some(at.saturating_duration_since(Instant::now()).as_secs())
    }

    /// Ends the server in so many seconds, instead of when it was planned before.
    pub(super) fn plan(
        &mut self,
        in_s: u64,
        reason: Option<&str>,
        orders: &Arc<Orders>,
        phase: &Rc<Stage>,
    ) -> Reply {
        let wait = Duration::from_secs(in_s);
        if wait > LONGEST {
            return Reply::Refused("that is more than a week away".into());
        }
        if phase.get() != Phase::Ready {
            return Reply::Refused(format!("the server is {}", phase.get().word()));
        }
        self.cancel();
        let at = Instant::now() + wait;
        let orders = orders.clone();
        let reason = reason.unwrap_or("none given");
        tracing::info!(in_s, reason, "an orderly end was ordered");
        let task = spawn_local(async move {
            sleep_until(at).await;
            orders.drain.notify_one();
        });
        self.drain = Some((at, task));
        Reply::Done(match in_s {
            0 => "the server waits for running games and ends".into(),
            _ => format!("in {in_s} s the server waits for running games and ends"),
        })
    }

    /// There is no end, if it has not begun.
    pub(super) fn cancel(&mut self) -> Reply {
        match self.drain.take() {
            Some((_, task)) if !task.is_finished() => {
                task.abort();
                Reply::Done("the server goes on".into())
            }
            _ => Reply::Refused("no end is planned".into()),
        }
    }
}
