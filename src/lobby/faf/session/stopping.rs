//! The orderly end, as players see it (spec: faf-lifecycle 14).

use std::time::Duration;

use crate::{
    Audience, ConnId, ShardId,
    faf::{
        context::{Context, Timer},
        mail::StopMail,
        model::player_state::PlayerState,
        protocol::{message, text},
        session::{sessions::Sessions, table::Session},
    },
};

/// Between two looks for idle players.
const KICK_INTERVAL: Duration = Duration::from_secs(1);

impl Sessions {
    /// Everybody is told that the end is near.
    pub(in crate::faf) fn announce_end(&mut self, cx: &mut Context<'_>) {
        let sends_idle = cx.settings.shutdown_kick_idle || self.has_successor;
        let notice = text::shutting_down(cx.settings.stopping.grace, sends_idle);
        let notice = message::notice("info", &notice);
        cx.turn.fan_out(Audience::Subscribers, notice);
        cx.post(first_shard(cx), StopMail::Told);
    }

    /// None of this node's players searches any more.
    pub(in crate::faf) fn searches_over(&mut self, cx: &mut Context<'_>) {
        if cx.topology.is_clustered() {
            self.give_up_searches(cx);
        }
        if !std::mem::replace(&mut self.searches_over, true) {
            cx.post(first_shard(cx), StopMail::Told);
        }
    }

    /// Whoever does nothing is sent away before long.
    pub(in crate::faf) fn kick_idle_later(&mut self, cx: &mut Context<'_>) {
        let at = cx.turn.now.mono + KICK_INTERVAL;
        cx.turn.wake_at(at, Timer::KickIdle);
    }

    /// Each second while draining, if so configured.
    pub(in crate::faf) fn kick_idle(&mut self, cx: &mut Context<'_>) {
        let idle = |s: &&Session| s.player.is_some() && s.state == PlayerState::Idle && !s.closing;
        let idle: Vec<ConnId> = self.table.iter().filter(idle).map(|s| s.conn).collect();
        for conn in idle {
            self.close(cx, conn, "idle while the server waits for its end");
        }
        self.kick_idle_later(cx);
    }

    /// Good-bye.
    pub(in crate::faf) fn say_goodbye(&mut self, cx: &mut Context<'_>) {
        let notice = message::notice("info", text::SHUT_DOWN);
        cx.turn.fan_out(Audience::Subscribers, notice);
        let open = self.table.iter().filter(|s| !s.closing);
        let all: Vec<ConnId> = open.map(|s| s.conn).collect();
        for conn in all {
            self.close(cx, conn, "the server ends");
        }
    }
}

/// The shard of this node that sees to its orderly end.
fn first_shard(cx: &Context<'_>) -> ShardId {
    ShardId::new(cx.turn.shard.node(), 0)
}
