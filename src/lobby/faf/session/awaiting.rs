//! Connections that are held for what another node has to say (`awaited`): that they are, that it has come, and that it does
//! not come any more.

use std::time::Duration;

use bytes::Bytes;

use crate::{
    ConnId, ShardId,
    faf::{
        context::{Context, Timer},
        mail::{
            game::Leaving,
            session::{JoinRefusal, RestoreRefusal, SessionMail},
        },
        model::seat::Seat,
        protocol::{request::Refusal, text},
        session::{
            awaited::{Awaited, Awaits, Wanted},
            sessions::Sessions,
        },
    },
};

/// How long an answer of another node is waited for. It comes before, or the lane breaks before; this is for what nobody has
/// thought of.
const ANSWER: Duration = Duration::from_secs(6);
/// How long a request waits for the news of a game or a player: another node may have told this client's of it, and that may
/// be under way. Twice what a letter takes that had to be asked for again.
const NEWS: Duration = Duration::from_millis(200);

impl Sessions {
    /// A connection is held for what another node has to say. Of this node's shards nothing is written down.
    pub(in crate::faf) fn await_node(
        &mut self,
        cx: &mut Context<'_>,
        conn: ConnId,
        awaited: Awaited,
    ) {
        if awaited.node() != Some(cx.topology.standing().node) {
            self.wait_for(cx, conn, awaited, ANSWER);
        }
    }

    /// A connection is held for something, for so long at the most.
    pub(in crate::faf) fn wait_for(
        &mut self,
        cx: &mut Context<'_>,
        conn: ConnId,
        what: Awaited,
        time: Duration,
    ) {
        let until = cx.turn.now.mono + time;
        if let Some(session) = self.table.get_mut(conn) {
            session.awaits = Some(Box::new(Awaits { what, until }));
            cx.turn.wake_at(until, Timer::Awaited(conn));
        }
    }

    /// A shard has answered; false: that is not waited for any more, and the connection may be held for something else.
    pub(in crate::faf) fn is_answered(
        &mut self,
        cx: &Context<'_>,
        from: ShardId,
        conn: ConnId,
        is_meant: impl Fn(&Awaited) -> bool,
    ) -> bool {
        let Some(session) = self.table.get_mut(conn) else {
            return true;
        };
        let is_own = from.node() == cx.topology.standing().node;
        let awaited = session.take_awaited(is_meant);
        is_own || awaited.is_some()
    }

    /// Nothing comes any more of what was said to these nodes: whoever waits for it is refused.
    pub(in crate::faf) fn refuse_waiting(&mut self, cx: &mut Context<'_>, nodes: &[u8]) {
        let waits = |awaited: &Awaited| awaited.node().is_some_and(|node| nodes.contains(&node));
        let waiting = self.table.iter();
        let waiting = waiting.filter(|session| session.awaited().is_some_and(waits));
        let waiting: Vec<ConnId> = waiting.map(|session| session.conn).collect();
        for conn in waiting {
            self.refuse_waiting_one(cx, conn);
        }
    }

    /// What a connection waits for does not come.
    pub(in crate::faf) fn refuse_waiting_one(&mut self, cx: &mut Context<'_>, conn: ConnId) {
        let Some(session) = self.table.get_mut(conn) else {
            return;
        };
        let Some(awaited) = session.take_awaited(|_| true) else {
            return;
        };
        session.awaits_record = false;
        cx.metrics.node_refusals.up();
        match awaited {
            _ if session.closing => {}
            Awaited::Join { seat, .. } => {
                self.join_refused(cx, conn, seat.uid.into(), JoinRefusal::HostLeft);
            }
            // Whoever goes on with the game of a lost node has an answer.
            Awaited::Restore { seat, owner } if !cx.topology.has_life(owner) => {
                if self.ask_to_return(cx, conn, seat.uid) {
                    return;
                }
                self.restore_refused(cx, conn, RestoreRefusal::Gone);
            }
            Awaited::Restore { .. } => self.restore_refused(cx, conn, RestoreRefusal::Gone),
            Awaited::Connect { .. } => self.leave_game(cx, conn, Leaving::Aborted),
            Awaited::Record { .. } => {}
            Awaited::Welcome { .. } => {
                let gone = Refusal::client("The invited player doesn't exist");
                self.refused(cx, conn, gone);
            }
            Awaited::Coordinator { .. } => {
                self.refused(cx, conn, Refusal::client(text::OUT_OF_TOUCH));
            }
            Awaited::News(wanted) => self.news_missed(cx, conn, wanted),
        }
        cx.turn.release(conn);
    }

    /// A request names a game or a player that is not known here; whether it waits for the news. Alone there is none.
    pub(in crate::faf) fn await_news(
        &mut self,
        cx: &mut Context<'_>,
        conn: ConnId,
        wanted: Wanted,
    ) -> bool {
        let can_come = cx.topology.has_others() && cx.topology.is_in_touch();
        let session = self.table.get(conn).filter(|_| can_come);
        if session.is_none_or(|session| session.closing) {
            return false;
        }
        cx.metrics.news_awaited.up();
        cx.turn.hold(conn);
        self.wait_for(cx, conn, Awaited::News(wanted), NEWS);
        self.expecting.push(conn);
        true
    }

    /// Whether somebody waits for news.
    pub(in crate::faf) fn expects_news(&self) -> bool {
        !self.expecting.is_empty()
    }

    /// Something new is known: whoever waits for that goes on.
    pub(in crate::faf) fn news_came(&mut self, cx: &mut Context<'_>) {
        for conn in std::mem::take(&mut self.expecting) {
            let session = self.table.get_mut(conn);
            let Some(session) = session.filter(|session| !session.closing) else {
                continue;
            };
            let is_known = |awaited: &Awaited| match awaited {
                Awaited::News(wanted) => wanted.is_known(cx),
                _ => false,
            };
            if let Some(Awaited::News(wanted)) = session.take_awaited(is_known) {
                self.go_on(cx, conn, wanted);
            } else if matches!(session.awaited(), Some(Awaited::News(_))) {
                self.expecting.push(conn);
            }
        }
    }

    /// What a connection waits for has not come.
    pub(in crate::faf) fn waited_in_vain(&mut self, cx: &mut Context<'_>, conn: ConnId) {
        let session = self.table.get(conn);
        let awaits = session.and_then(|session| session.awaits.as_deref());
        if awaits.is_some_and(|awaits| awaits.until <= cx.turn.now.mono) {
            self.expecting.retain(|other| *other != conn);
            self.refuse_waiting_one(cx, conn);
        }
    }

    fn go_on(&mut self, cx: &mut Context<'_>, conn: ConnId, wanted: Wanted) {
        let goes_on = match wanted {
            Wanted::Join { uid, password } => self.ask_to_join(cx, conn, uid, password),
            Wanted::Restore { uid } => self.ask_to_return(cx, conn, uid),
            Wanted::Ice {
                sender,
                receiver,
                body,
            } => {
                self.pass_on(cx, sender, receiver, body);
                false
            }
        };
        if !goes_on {
            cx.turn.release(conn);
        }
    }

    fn news_missed(&mut self, cx: &mut Context<'_>, conn: ConnId, wanted: Wanted) {
        match wanted {
            Wanted::Join { uid, .. } => {
                self.join_refused(cx, conn, uid.into(), JoinRefusal::HostLeft);
            }
            Wanted::Restore { .. } => self.restore_refused(cx, conn, RestoreRefusal::Gone),
            Wanted::Ice { .. } => cx.metrics.game_messages_ignored.up(),
        }
    }

    /// Passes on what a game has said to another one, which is this player's.
    pub(in crate::faf) fn pass_on(
        &self,
        cx: &mut Context<'_>,
        sender: Seat,
        receiver: u32,
        body: Bytes,
    ) {
        let Some(to) = cx.directory.player(receiver).map(|player| player.conn) else {
            return cx.metrics.game_messages_ignored.up();
        };
        let uid = sender.uid;
        cx.post(to.shard, SessionMail::Ice { to, uid, body });
    }
}

impl Wanted {
    fn is_known(&self, cx: &Context<'_>) -> bool {
        match self {
            Wanted::Join { uid, .. } | Wanted::Restore { uid } => cx.directory.game(*uid).is_some(),
            Wanted::Ice { receiver, .. } => cx.directory.player(*receiver).is_some(),
        }
    }
}
