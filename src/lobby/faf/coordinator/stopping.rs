//! The orderly end of a node, step by step over all its shards (spec: faf-lifecycle 14, faf-newer R5): everybody is told of it;
//! then nobody there searches any more; then games there that have not begun end. A step begins when every shard has done the
//! one before. The first shard of the node sees to that, wherever the coordinator is.

use std::time::Duration;

use crate::faf::{
    context::{Context, Timer},
    coordinator::Coordinator,
    mail::{Mail, coordinator::CoordinatorMail, game::GameMail, session::SessionMail},
};

/// How long the coordinator is waited for, which may be on its way to another node.
const PATIENCE: Duration = Duration::from_secs(6);

impl Coordinator {
    /// A shard's players have been told of the step that runs.
    pub(in crate::faf) fn told(&mut self, cx: &mut Context<'_>) {
        self.told += 1;
        let shards = cx.topology.local().count();
        if self.told == shards {
            if cx.topology.is_clustered() {
                self.stops = true;
                cx.turn
                    .wake_at(cx.turn.now.mono + PATIENCE, Timer::Searches);
                return self.ask_to_stop(cx);
            }
            self.close_queues(cx);
            self.searches_over(cx);
        } else if self.told == 2 * shards {
            self.stops = false;
            cx.post_local(|| GameMail::CloseLobbies);
        }
    }

    /// Has the coordinator end the searches of the players of this node, if that is still to be done.
    pub(in crate::faf) fn ask_to_stop(&self, cx: &mut Context<'_>) {
        if self.stops {
            cx.post_coordinator(CoordinatorMail::NodeStops);
        }
    }

    /// It has had its time.
    pub(in crate::faf) fn searches_timed_out(&mut self, cx: &mut Context<'_>) {
        if self.stops {
            self.searches_over(cx);
        }
    }

    fn searches_over(&self, cx: &mut Context<'_>) {
        cx.post_local(|| Mail::Session(SessionMail::SearchesOver));
    }
}
