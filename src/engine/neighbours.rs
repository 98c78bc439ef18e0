//! What a shard hears of other nodes: their letters, and what its own node knows of them.
//!
//! What was said of this node's place among the others is believed as long as the node holds it. A process that was stopped wakes
//! up with what it knew: so before a turn the clock is looked at, and a shard whose node's hold has lapsed is an island, whoever
//! is late to say so.

use std::{sync::Arc, time::Duration};

use super::{letter, outward::Outward, runtime::Io, shard::Shard};
use lobby::{Dialect, ShardId, Standing};

/// What a shard was told of the other nodes.
#[derive(Debug, Default)]
pub(super) struct Neighbours {
    standing: Option<Arc<Standing>>,
    /// The node's hold on its place was over when it was looked at last.
    has_lapsed: bool,
}

impl<D: Dialect, I: Io> Shard<D, I> {
    /// Mail from another node. What can't be read is of another version, or none of ours.
    pub(super) fn read_letter(&mut self, from: ShardId, body: &[u8]) {
        match letter::read_mail(body) {
            Some(mail) => {
                self.metrics.mail_in.up();
                self.turn(None, |dialect, turn| dialect.on_mail(turn, from, mail));
                self.tell_caught_up();
            }
            None => self.note_unread(from, body.len()),
        }
    }

    fn note_unread(&self, from: ShardId, bytes: usize) {
        tracing::debug!(
            node = from.node(),
            bytes,
            "mail of another node is not understood"
        );
        if let Some(outward) = self.mesh.outward() {
            outward.metrics().drop_one("undecodable");
        }
    }

    /// What is known of the other nodes has changed.
    pub(super) fn hear_standing(&mut self, standing: Arc<Standing>) {
        self.neighbours.standing = Some(standing);
        let now = self.look_up_now();
        let lapsed = |outward: &Outward| outward.has_lapsed(now);
        self.neighbours.has_lapsed = self.mesh.outward().is_some_and(lapsed);
        self.tell_standing(now);
    }

    /// Before a turn: whether the node may still believe what it knew.
    pub(super) fn look_at_hold(&mut self, now: Duration) {
        let Some(outward) = self.mesh.outward() else {
            return; // alone
        };
        let lapsed = outward.has_lapsed(now);
        if std::mem::replace(&mut self.neighbours.has_lapsed, lapsed) != lapsed {
            self.tell_standing(now);
        }
    }

    fn tell_standing(&mut self, now: Duration) {
        let Neighbours {
            standing,
            has_lapsed,
        } = &self.neighbours;
        let Some(mut standing) = standing.clone() else {
            return;
        };
        if *has_lapsed {
            Arc::make_mut(&mut standing).is_island = true;
        }
        self.turn_unlooked(now, None, |dialect, turn| {
            dialect.on_standing(turn, &standing);
        });
        self.tell_caught_up();
    }

    fn tell_caught_up(&self) {
        let caught_up = self.dialect.is_caught_up();
        self.mesh.set_caught_up(self.id, caught_up);
    }
}
