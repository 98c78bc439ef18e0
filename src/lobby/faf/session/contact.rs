//! A shard and the coordinator in a lobby of several nodes. It is asked only when it has introduced itself here, which it does
//! after the shard of every player can hear it; a request waits until then, and for its answer, but not for ever.

use std::time::Duration;

use crate::{
    ConnId,
    faf::{
        context::{Context, Timer},
        mail::coordinator::{
            CoordinatorMail, CoordinatorRefusal, CoordinatorRequest, PlayerRequest, Visitor,
        },
        model::{player_state::PlayerState, seat::LoginId},
        protocol::{matchmaking, request::Refusal, text},
        session::{awaited::Awaited, sessions::Sessions, table::Session},
    },
};

/// How long a request waits for a coordinator, and for its answer; and how long a shard goes without one before its players
/// search no more. A lost one is replaced within 6 s, a planned change takes less than one.
const PATIENCE: Duration = Duration::from_secs(6);
/// Players in one letter: some 100 bytes each, of 256 KiB.
const VISITORS: usize = 1000;

impl Sessions {
    /// Asks the coordinator as soon as there is one that hears.
    pub(in crate::faf) fn ask_some_coordinator(
        &mut self,
        cx: &mut Context<'_>,
        conn: ConnId,
        request: PlayerRequest,
    ) {
        if cx.topology.is_island() {
            // Clients look at the queues by themselves.
            if !matches!(request, PlayerRequest::Queues) {
                self.refused(cx, conn, Refusal::client(text::OUT_OF_TOUCH));
            }
            return cx.turn.release(conn);
        }
        let asked = None;
        let awaited = Awaited::Coordinator { request, asked };
        self.wait_for(cx, conn, awaited, PATIENCE);
        self.ask_reached(cx, conn);
    }

    /// Asks the coordinator that hears, if there is one, what this connection waits for and nobody was asked.
    fn ask_reached(&mut self, cx: &mut Context<'_>, conn: ConnId) {
        let Some(login_id) = self.login_id(conn) else {
            return;
        };
        let Some(holder) = cx.topology.reached() else {
            return;
        };
        let Some(session) = self.table.get_mut(conn) else {
            return;
        };
        let awaits = session.awaits.as_deref_mut();
        let Some(Awaited::Coordinator { request, asked }) = awaits.map(|awaits| &mut awaits.what)
        else {
            return;
        };
        if asked.replace(holder).is_some() {
            return;
        }
        let request = request.clone();
        self.introduce_player(cx, conn, login_id);
        self.tell_coordinator(cx, login_id, CoordinatorRequest::Request(request));
    }

    /// The coordinator of this term has answered. Whether it is this answer that the connection waits for; one who is not the
    /// coordinator any more has done nothing, and the next one is asked.
    pub(in crate::faf) fn has_answered(
        &mut self,
        cx: &mut Context<'_>,
        term: u64,
        login_id: &LoginId,
        verdict: &Result<(), CoordinatorRefusal>,
    ) -> bool {
        if !cx.topology.is_clustered() {
            return true;
        }
        let Some(session) = self.table.get_mut(login_id.conn) else {
            return true;
        };
        let awaited = session.awaits.as_deref_mut().map(|awaits| &mut awaits.what);
        let Some(Awaited::Coordinator { asked, .. }) = awaited else {
            return false;
        };
        if asked.is_none_or(|holder| holder.term != term) {
            return false;
        }
        if *verdict == Err(CoordinatorRefusal::Moved) {
            *asked = None;
            self.ask_reached(cx, login_id.conn);
            return false;
        }
        session.awaits = None;
        true
    }

    /// A coordinator has introduced itself: it is told of everybody who was introduced before, and asked what waits.
    pub(in crate::faf) fn coordinator_came(&mut self, cx: &mut Context<'_>, round: u64) {
        self.unreached_since = None;
        let introduced = self.table.players().filter(|(s, _)| s.in_coordinator);
        let visitors = introduced.map(|(session, player)| Visitor {
            login_id: LoginId {
                player_id: player.account.id,
                conn: session.conn,
                epoch: player.epoch,
            },
            state: session.state,
            match_id: player.match_id,
        });
        let visitors: Vec<Visitor> = visitors.collect();
        let mut parts: Vec<&[Visitor]> = visitors.chunks(VISITORS).collect();
        let last = parts.pop().unwrap_or_default();
        for (visitors, is_last) in parts
            .into_iter()
            .map(|part| (part, false))
            .chain([(last, true)])
        {
            cx.post_coordinator(CoordinatorMail::Visitors {
                round,
                visitors: visitors.to_vec(),
                is_last,
            });
        }
        let waits = |session: &&Session| {
            let awaited = session.awaited();
            matches!(awaited, Some(Awaited::Coordinator { asked: None, .. }))
        };
        let waiting: Vec<ConnId> = self.table.iter().filter(waits).map(|s| s.conn).collect();
        for conn in waiting {
            self.ask_reached(cx, conn);
        }
    }

    /// Whether the coordinator hears this shard may have changed.
    pub(in crate::faf) fn look_for_coordinator(&mut self, cx: &mut Context<'_>) {
        if cx.topology.reached().is_some() && !cx.topology.is_island() {
            self.unreached_since = None;
        } else if self.unreached_since.is_none() {
            self.unreached_since = Some(cx.turn.now.mono);
            cx.turn
                .wake_at(cx.turn.now.mono + PATIENCE, Timer::Unreached);
        }
    }

    /// There has been no coordinator for long: nobody searches any more.
    pub(in crate::faf) fn unreached(&mut self, cx: &mut Context<'_>) {
        let since = self.unreached_since;
        if since.is_some_and(|since| since + PATIENCE <= cx.turn.now.mono) {
            self.give_up_searches(cx);
        }
    }

    /// Nobody here searches any more, or waits for the game of a match.
    pub(in crate::faf) fn give_up_searches(&mut self, cx: &mut Context<'_>) {
        let players = self.table.players();
        let players: Vec<(ConnId, u64)> = players.map(|(s, p)| (s.conn, p.match_id)).collect();
        for (conn, match_id) in players {
            self.not_searching(cx, conn);
            self.match_lost(cx, conn, match_id);
        }
    }

    /// Somebody who believes that they search is told that they do not.
    pub(in crate::faf) fn not_searching(&mut self, cx: &mut Context<'_>, conn: ConnId) {
        let session = self.table.get_mut(conn);
        let Some(session) = session.filter(|s| s.state == PlayerState::SearchingLadder) else {
            return;
        };
        session.state = PlayerState::Idle;
        for queue in &cx.reference.queues {
            cx.turn
                .send(conn, matchmaking::search_info(&queue.name, false));
        }
    }

    /// Somebody who waits for the game of a match that nobody knows is told that there will be none.
    pub(in crate::faf) fn match_lost(&mut self, cx: &mut Context<'_>, conn: ConnId, match_id: u64) {
        let Some(session) = self.table.get(conn) else {
            return;
        };
        let player = session.player.as_deref();
        let is_meant = player.is_some_and(|player| player.match_id == match_id)
            && session.state == PlayerState::StartingAutomatch;
        let is_free = session.link.is_none();
        if is_meant {
            cx.turn.send(conn, matchmaking::match_cancelled(None));
            if is_free {
                self.set_state(cx, conn, PlayerState::Idle);
            }
        }
    }
}
