//! An orderly end that was ordered for later. Once it has begun there is no way back: players have been told.

use std::{rc::Rc, sync::Arc, time::Duration};

use muster::{backoffice::http::health::Phase, control_socket::Reply, lobby::operator::Act};
use tokio::{
    task::{JoinHandle, spawn_local},
    time::{Instant, sleep_until},
};

use crate::serve::{
    ending::Stage,
    orders::Orders,
    shards::{Lobbies, Shards},
};

/// The longest time from the order to the end: a plan for longer is for a calendar.
const LONGEST: Duration = Duration::from_secs(7 * 24 * 3_600);

/// Players are told again when so much is left, unless they were told less than twice that before.
const SHORTLY: Duration = Duration::from_secs(60);

/// What was ordered.
#[derive(Debug, Default)]
pub(super) struct Planned {
    drain: Option<(Instant, JoinHandle<()>)>,
}

/// What an orderly end that is planned does until it begins.
pub(super) struct Drain {
    pub(super) orders: Arc<Orders>,
    pub(super) shards: Rc<Shards>,
    pub(super) lobbies: Lobbies,
    pub(super) reason: Option<String>,
    /// Another process takes this one's place.
    pub(super) has_successor: bool,
}

/// How long it is until an end that may be planned now.
///
/// # Errors
/// In words: it may not.
pub(super) fn checked(in_s: u64, phase: &Stage) -> Result<Duration, String> {
    let wait = Duration::from_secs(in_s);
    if wait > LONGEST {
        return Err("that is more than a week away".into());
    }
    match phase.get() {
        Phase::Ready => Ok(wait),
        phase => Err(format!("the server is {}", phase.word())),
    }
}

/// Tells all players that the server is to end in so long, or that it is not. Who can't be told now is told when it begins.
pub(super) async fn tell(
    shards: &Shards,
    lobbies: &Lobbies,
    within: Option<Duration>,
    reason: Option<&str>,
) {
    for &(lobby, protocol) in lobbies {
        let act = Act::EndPlanned {
            within,
            reason: reason.map(str::to_owned),
        };
        if let Err(why) = shards.order(protocol, &act).await {
            tracing::warn!(lobby, why, "not all players were told of the end");
        }
    }
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

    /// Ends the server in so long, instead of when it was planned before.
    pub(super) fn plan(&mut self, wait: Duration, drain: Drain) -> Result<Reply, String> {
        let _ = self.cancel(); // another one takes its place
        let at = Instant::now() + wait;
        let in_s = wait.as_secs();
        let reason = drain.reason.as_deref().unwrap_or("none given");
        tracing::info!(in_s, reason, "an orderly end was ordered");
        self.drain = Some((at, spawn_local(drain.run(at))));
        Ok(Reply::Done(match in_s {
            0 => "the server waits for running games and ends".into(),
            _ => format!("in {in_s} s the server waits for running games and ends"),
        }))
    }

    /// There is no end, if it has not begun.
    pub(super) fn cancel(&mut self) -> Result<Reply, String> {
        match self.drain.take() {
            Some((_, task)) if !task.is_finished() => {
                task.abort();
                Ok(Reply::Done("the server goes on".into()))
            }
            _ => Err("no end is planned".into()),
        }
    }
}

impl Drain {
    /// Tells players now and shortly before; then nobody new is taken, and the end begins, of which the lobbies tell themselves.
    async fn run(self, at: Instant) {
        let left = at.saturating_duration_since(Instant::now());
        let left = Duration::from_secs_f64(left.as_secs_f64().ceil());
        let reason = self.reason.as_deref();
        if !left.is_zero() {
            tell(&self.shards, &self.lobbies, Some(left), reason).await;
        }
        if left > 2 * SHORTLY {
            sleep_until(at - SHORTLY).await;
            tell(&self.shards, &self.lobbies, Some(SHORTLY), reason).await;
        }
        sleep_until(at).await;
        for &(lobby, protocol) in &self.lobbies {
            if let Err(why) = self.shards.order(protocol, &Act::LameDuck).await {
                tracing::warn!(lobby, why, "somebody new may still be taken");
            }
            if self.has_successor
                && let Err(why) = self.shards.order(protocol, &Act::Succeeded).await
            {
                tracing::warn!(
                    lobby,
                    why,
                    "not everybody is told that another server follows"
                );
            }
        }
        self.orders.drain.notify_one();
    }
}
