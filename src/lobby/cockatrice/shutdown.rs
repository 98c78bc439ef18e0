//! The end of the server as an administrator announces it (spec: cockatrice-behaviour 9).
//!
//! Every shard tells its own connections, at the same times. When the end has come games end, and the first shard has the process
//! end: everybody hears of that when there is nothing more to be told of games.

use std::time::Duration;

use bytes::Bytes;
use cockatrice::messages::CloseReason;

use super::{Cockatrice, CockatriceTurn, Event, protocol, state::shutdown::Shutdown};

/// From so many minutes on everybody is told every minute.
const LAST_MINUTES: u32 = 5;

impl Cockatrice {
    /// The server is to end. An end that was announced before no longer counts.
    pub(super) fn shutdown_ordered(
        &mut self,
        turn: &mut CockatriceTurn<'_>,
        reason: Box<str>,
        minutes: u32,
        ends: Duration,
    ) {
        if minutes > 0 {
            self.say_to_all(turn, &protocol::server_shutdown(&reason, minutes));
        }
        self.shutdown = Some(Shutdown {
            is_over: false,
            reason,
            ends,
            told: minutes,
            left: minutes,
        });
        self.tick_shutdown(turn);
    }

    /// A tick: tells how many minutes are left, where they are told, and ends the server when none are.
    pub(super) fn tick_shutdown(&mut self, turn: &mut CockatriceTurn<'_>) {
        let Some(shutdown) = self.shutdown.as_mut().filter(|shutdown| !shutdown.is_over) else {
            return;
        };
        let rest = shutdown.ends.saturating_sub(turn.now.mono);
        let left = u32::try_from(rest.as_secs_f64().ceil() as u64).unwrap_or(u32::MAX);
        let left = left.div_ceil(60);
        if rest.is_zero() {
            shutdown.is_over = true;
            self.end_games();
            if self.shard == self.topology.desk() {
                turn.publish(Event::Stop);
            }
        } else if left < shutdown.left {
            shutdown.left = left;
            if left <= shutdown.told / 2 || left <= LAST_MINUTES {
                shutdown.told = left;
                let told = protocol::server_shutdown(&shutdown.reason, left);
                self.say_to_all(turn, &told);
            }
        }
    }

    /// The process ends.
    pub(super) fn ended(&self, turn: &mut CockatriceTurn<'_>) {
        let closed = protocol::connection_closed(CloseReason::ServerShutdown, None, None);
        self.say_to_all(turn, &closed);
    }

    /// What somebody who signs in is told of it: whole minutes that are left.
    pub(super) fn shutdown_told(&self) -> Option<Bytes> {
        let shutdown = self
            .shutdown
            .as_ref()
            .filter(|shutdown| !shutdown.is_over)?;
        let left = shutdown.left.saturating_sub(1);
        Some(protocol::server_shutdown(&shutdown.reason, left))
    }
}
