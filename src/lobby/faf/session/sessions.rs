//! The sessions of a shard: the state of this role, and what every part of it does with it.

use serde::{Deserialize, Serialize};
use std::{borrow::Cow, time::Duration};

use bytes::Bytes;

use crate::{
    Audience, Closing, ConnId,
    faf::{
        context::{Context, Timer},
        directory::picture::Picture,
        mail::directory::{DirectoryMail, PlayerUpdate},
        model::time::next_multiple,
        protocol::{message, player_info::Entry},
        session::{
            claiming::ClaimsUnderWay,
            continuations::SessionContinuation,
            login::{LoginDeadlines, Logins},
            reports::Reports,
            table::SessionTable,
        },
    },
    map::IdMap,
    question::{Asker, Pending},
};

/// The sessions of a shard.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(in crate::faf) struct Sessions {
    /// Everybody who is connected here.
    pub table: SessionTable,
    /// Sign-ins that wait for their turn.
    #[serde(skip)]
    pub logins: Logins,
    /// Until when those who have not signed in have to.
    pub deadlines: LoginDeadlines,
    /// Claims that other shards may be late to answer.
    #[serde(skip)]
    pub claims: ClaimsUnderWay,
    /// What was reported to games of other nodes, and may have to be reported again.
    #[serde(default)]
    pub reports: Reports,
    /// Players of whom everybody will hear at the next tick: their claims, and the last object of one who has gone.
    dirty: IdMap<u32, (u64, Option<Bytes>)>,
    /// Those who wait for news of a game or player from another node.
    #[serde(default)]
    pub expecting: Vec<ConnId>,
    /// Since when no coordinator hears this shard, monotonic.
    #[serde(default)]
    pub unreached_since: Option<Duration>,
    /// The node is to end, and its players have been told that none of them searches any more.
    #[serde(default)]
    pub searches_over: bool,
    /// Another process takes this one's place: who is in no game is sent there.
    #[serde(default)]
    pub has_successor: bool,
    /// What the back office was asked, and what is waited for with.
    #[serde(skip)]
    pub pending: Pending<SessionContinuation>,
}

impl Asker for Sessions {
    type Context<'a> = Context<'a>;
}

impl Sessions {
    /// What whoever goes on needs of it; nothing waits for an answer.
    pub(in crate::faf) fn keep(&self) -> Self {
        Sessions {
            table: self.table.clone(),
            logins: Logins::default(),
            deadlines: self.deadlines.clone(),
            claims: ClaimsUnderWay::default(),
            reports: self.reports.clone(),
            dirty: self.dirty.clone(),
            expecting: self.expecting.clone(),
            unreached_since: self.unreached_since,
            searches_over: self.searches_over,
            has_successor: self.has_successor,
            pending: Pending::default(),
        }
    }

    /// How many players are signed in here.
    pub(in crate::faf) fn online(&self) -> usize {
        self.table.players().count()
    }

    /// The objects of all players who are signed in here.
    pub(in crate::faf) fn objects(&self, directory: &Picture) -> Vec<Bytes> {
        let here = self.table.players();
        here.filter_map(|(_, player)| directory.text_of(player.account.id))
            .collect()
    }

    /// What has changed since this was asked last, each player as they are now.
    pub(in crate::faf) fn changes(&mut self, directory: &Picture) -> Vec<PlayerUpdate> {
        let mut players = Vec::with_capacity(self.dirty.len());
        for (id, (epoch, gone)) in self.dirty.drain() {
            let online = gone.is_none();
            let Some(text) = gone.or_else(|| directory.text_of(id)) else {
                continue;
            };
            players.push(PlayerUpdate {
                id,
                epoch,
                online,
                text,
            });
        }
        players.sort_unstable_by_key(|update| (update.epoch, update.id));
        players
    }

    /// A player came or changed, or (with their last object) went. An older claim says nothing about a newer one.
    pub(in crate::faf) fn player_dirty(&mut self, id: u32, epoch: u64, gone: Option<Bytes>) {
        let entry = self.dirty.entry(id).or_insert((epoch, None));
        if entry.0 <= epoch {
            *entry = (epoch, gone);
        }
    }

    /// What is told of a player has changed: newcomers on this shard see it at once, everybody else with the tick.
    pub(in crate::faf) fn player_changed(&mut self, cx: &mut Context<'_>, conn: ConnId) {
        let session = self.table.get(conn);
        let Some(player) = session.and_then(|s| s.player.as_deref()) else {
            return;
        };
        let (id, epoch) = (player.account.id, player.epoch);
        let text = message::encode(&Entry::new(&player.account, cx.basis(), true));
        cx.post(cx.turn.shard, DirectoryMail::PlayerText { id, epoch, text });
        self.player_dirty(id, epoch, None);
    }

    /// Ends a connection of this shard after what it was sent; nothing it still says is heard. The log says why.
    pub(in crate::faf) fn close(
        &mut self,
        cx: &mut Context<'_>,
        conn: ConnId,
        why: impl Into<Cow<'static, str>>,
    ) {
        if let Some(session) = self.table.get_mut(conn) {
            session.closing = true;
            cx.turn.note(conn, why);
            cx.turn.close(conn, Closing::Flushed);
        }
    }

    /// A message from outside for one player, or for everybody (spec: faf-lifecycle 12.3).
    pub(in crate::faf) fn notify(&mut self, cx: &mut Context<'_>, to: Option<u32>, body: Bytes) {
        let Some(player_id) = to else {
            return cx.turn.fan_out(Audience::Subscribers, body);
        };
        let conn = cx.directory.player(player_id).map(|player| player.conn);
        if let Some(conn) = conn.filter(|conn| conn.shard == cx.turn.shard) {
            cx.turn.send(conn, body);
        }
    }

    /// Everybody is asked whether they are still there.
    pub(in crate::faf) fn ping(&mut self, cx: &mut Context<'_>) {
        cx.turn.fan_out(Audience::Subscribers, message::PING);
        self.schedule_ping(cx);
    }

    /// The next time.
    pub(in crate::faf) fn schedule_ping(&mut self, cx: &mut Context<'_>) {
        let at = next_multiple(cx.turn.now.mono, cx.settings.ping_interval);
        cx.turn.wake_at(at, Timer::Ping);
    }
}
