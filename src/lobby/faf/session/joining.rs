//! Getting into a game, back into it, connected in it, and out of it (spec: faf-messages 3.8, 3.9; faf-lifecycle
//! 10.4, 10.6, 10.7).
//!
//! The player's shard asks, the game's owner decides. The seat is on the owner's list from its yes on; a player who is
//! gone when the yes arrives sends their leave after it.

use crate::{
    ConnId, ShardId,
    faf::{
        context::Context,
        mail::{
            game::{GameMail, GameReport, Leaving},
            session::{JoinRefusal, RestoreAnswer, RestoreRefusal},
        },
        model::{
            account::Ban, game::Launch, pace::WRONG_PASSWORD_COST, player_state::PlayerState,
            seat::Seat,
        },
        protocol::{
            incoming::games::{GameJoin, RestoreGameSession},
            message,
            request::{Outcome, Refusal},
        },
        questions::Join,
        session::{
            awaited::{Awaited, Wanted},
            continuations::{Joining, Next, Request},
            sessions::Sessions,
            table::{Link, LinkState},
        },
    },
    question::StoreFailure,
};

impl Sessions {
    /// spec: faf-messages 3.8.
    pub(in crate::faf) fn game_join(
        &mut self,
        cx: &mut Context<'_>,
        conn: ConnId,
        GameJoin { uid, password }: GameJoin,
    ) {
        let Some(session) = self.table.get(conn) else {
            return;
        };
        let Some(player) = session.player.as_deref() else {
            return;
        };
        let question = Join {
            player_id: player.account.id,
            game_id: uid.as_ref().ok().and_then(|&uid| u32::try_from(uid).ok()),
            address: session.address,
        };
        self.ask_held(cx, conn, question, Joining { uid, password });
    }

    /// Asks a game's owner to let somebody in; whether the connection waits for the answer.
    pub(in crate::faf) fn ask_to_join(
        &mut self,
        cx: &mut Context<'_>,
        conn: ConnId,
        uid: u32,
        password: Option<String>,
    ) -> bool {
        let Some(owner) = cx.directory.game(uid).map(|game| game.owner) else {
            return false;
        };
        let Some(seat) = self.table.get_mut(conn).and_then(|s| s.seat(uid)) else {
            return false;
        };
        self.await_node(cx, conn, Awaited::Join { seat, owner });
        cx.post(owner, GameMail::Join { seat, password });
        true
    }

    pub(in crate::faf) fn join_answered(
        &mut self,
        cx: &mut Context<'_>,
        owner: ShardId,
        seat: Seat,
        verdict: Result<Launch, JoinRefusal>,
    ) {
        let is_meant =
            |awaited: &Awaited| matches!(awaited, Awaited::Join { seat: s, .. } if *s == seat);
        if !self.is_answered(cx, owner, seat.conn, is_meant) {
            if verdict.is_ok() {
                cx.post(owner, left(seat, Leaving::Lost));
            }
            return;
        }
        let player = self
            .table
            .get(seat.conn)
            .filter(|s| !s.closing)
            .and_then(|s| s.player.as_deref());
        let present = player.is_some_and(|p| p.account.id == seat.player_id);
        // Meanwhile the owner of their party may have begun a search with them.
        let still_idle = self.idle_guard(seat.conn, "join a game");
        match verdict {
            Ok(_) if present && still_idle.is_err() => {
                cx.post(owner, left(seat, Leaving::Aborted));
                if let Err(refusal) = still_idle {
                    self.refused(cx, seat.conn, refusal);
                }
            }
            Ok(_) if !present => cx.post(owner, left(seat, Leaving::Lost)),
            Ok(launch) => {
                cx.metrics.joins.up();
                self.leave_game(cx, seat.conn, Leaving::Aborted);
                self.start_game(cx, seat, owner, &launch, false);
            }
            Err(refusal) if present => self.join_refused(cx, seat.conn, seat.uid.into(), refusal),
            Err(_) => {}
        }
        cx.turn.release(seat.conn);
    }

    pub(in crate::faf) fn join_refused(
        &mut self,
        cx: &mut Context<'_>,
        conn: ConnId,
        uid: i64,
        refusal: JoinRefusal,
    ) {
        cx.metrics.join_refusals.up();
        let (reason, text) = match refusal {
            JoinRefusal::HostLeft => ("host_left_game", "The host has left the game."),
            JoinRefusal::NotReady => (
                "game_not_ready",
                "The game you are trying to join is not ready.",
            ),
            JoinRefusal::BadPassword => {
                if let Some(session) = self.table.get_mut(conn) {
                    let now = cx.turn.now.mono;
                    session
                        .said
                        .cost(now, WRONG_PASSWORD_COST, &cx.settings.pace);
                }
                ("bad_password", "Bad password (it's case sensitive).")
            }
            JoinRefusal::Foe => {
                return self.refused(
                    cx,
                    conn,
                    Refusal::client("You cannot join games hosted by this player."),
                );
            }
            JoinRefusal::Matchmaker => {
                return self.refused(
                    cx,
                    conn,
                    Refusal::client("The game cannot be joined in this way."),
                );
            }
        };
        cx.turn.send(
            conn,
            message::encode(&message::GameJoinFailed { reason, uid }),
        );
        cx.turn.send(conn, message::notice("info", text));
    }

    /// spec: faf-messages 3.9.
    pub(in crate::faf) fn restore_game_session(
        &mut self,
        cx: &mut Context<'_>,
        conn: ConnId,
        wanted: RestoreGameSession,
    ) {
        let uid = u32::try_from(wanted.game_id).ok();
        match uid.filter(|&uid| cx.directory.game(uid).is_some()) {
            Some(uid) => {
                if !self.ask_to_return(cx, conn, uid) {
                    self.restore_refused(cx, conn, RestoreRefusal::Gone);
                }
            }
            None => {
                let waits =
                    uid.is_some_and(|uid| self.await_news(cx, conn, Wanted::Restore { uid }));
                if !waits {
                    self.restore_refused(cx, conn, RestoreRefusal::Gone);
                }
            }
        }
    }

    /// Asks a game's owner to let somebody back in; whether the connection waits for the answer.
    pub(in crate::faf) fn ask_to_return(
        &mut self,
        cx: &mut Context<'_>,
        conn: ConnId,
        uid: u32,
    ) -> bool {
        let Some(owner) = cx.directory.game(uid).map(|game| game.owner) else {
            return false;
        };
        let Some(owner) = cx.topology.going_on_with(uid, owner) else {
            return false;
        };
        let Some(session) = self.table.get_mut(conn) else {
            return false;
        };
        let Some(seat) = session.seat(uid) else {
            return false;
        };
        let login = session
            .player
            .as_ref()
            .map_or("", |p| &*p.account.login)
            .into();
        cx.turn.hold(conn);
        self.await_node(cx, conn, Awaited::Restore { seat, owner });
        cx.post(owner, GameMail::Restore { seat, login });
        true
    }

    pub(in crate::faf) fn restore_answered(
        &mut self,
        cx: &mut Context<'_>,
        owner: ShardId,
        answer: RestoreAnswer,
    ) {
        let RestoreAnswer {
            seat,
            verdict,
            epoch,
        } = answer;
        let session = self.table.get_mut(seat.conn);
        if session.is_some_and(|session| session.link_at(&seat).is_some()) {
            return; // another one has answered, which has the game now
        }
        let is_meant =
            |awaited: &Awaited| matches!(awaited, Awaited::Restore { seat: s, .. } if *s == seat);
        if !self.is_answered(cx, owner, seat.conn, is_meant) {
            if verdict.is_ok() {
                cx.post(owner, left(seat, Leaving::Lost));
            }
            return;
        }
        let session = self.table.get_mut(seat.conn).filter(|s| !s.closing);
        // Idle still: meanwhile the owner of their party may have begun a search with them.
        let present = session.filter(|s| {
            let player = s.player.as_ref();
            player.is_some_and(|p| p.account.id == seat.player_id) && s.state == PlayerState::Idle
        });
        match (verdict, present) {
            (Ok(is_host), Some(session)) => {
                session.link = Some(Box::new(Link {
                    seat,
                    owner,
                    state: LinkState::Connected,
                    is_host,
                    epoch,
                    reported: 0,
                    orphaned: None,
                }));
                self.set_state(cx, seat.conn, PlayerState::Playing);
            }
            (Ok(_), None) => cx.post(owner, left(seat, Leaving::Lost)),
            (Err(refusal), Some(_)) => self.restore_refused(cx, seat.conn, refusal),
            (Err(_), None) => {}
        }
        cx.turn.release(seat.conn);
    }

    pub(in crate::faf) fn restore_refused(
        &self,
        cx: &mut Context<'_>,
        conn: ConnId,
        refusal: RestoreRefusal,
    ) {
        let text = match refusal {
            RestoreRefusal::Gone => "The game you were connected to no longer exists",
            RestoreRefusal::NotAvailable => "The game you were connected to is no longer available",
            RestoreRefusal::NotPart => "You are not part of this game",
        };
        cx.turn.send(conn, message::notice("info", text));
    }

    /// They are in the mesh.
    pub(in crate::faf) fn connected(&mut self, cx: &mut Context<'_>, owner: ShardId, seat: &Seat) {
        if let Some(link) = self.table.get_mut(seat.conn).and_then(|s| s.link_at(seat)) {
            link.state = LinkState::Connected;
        }
        if self.is_answered(cx, owner, seat.conn, |awaited| awaited.is_of_link(seat)) {
            cx.turn.release(seat.conn);
        }
    }

    /// The owner has ended their relation to the game.
    pub(in crate::faf) fn link_ended(&mut self, cx: &mut Context<'_>, owner: ShardId, seat: &Seat) {
        // Who had the game before has no say in who is in it.
        let kept = self.reports.seats.get(seat);
        if kept.is_some_and(|kept| kept.owner == owner) {
            self.reports.forget(seat);
        }
        let session = self.table.get_mut(seat.conn);
        let link = session.and_then(|session| session.link_at(seat));
        if link.is_none_or(|link| link.owner != owner) {
            return;
        }
        let is_held = self.is_answered(cx, owner, seat.conn, |awaited| awaited.is_of_link(seat));
        let Some(session) = self.table.get_mut(seat.conn) else {
            return;
        };
        // It may be held for what another node has to say.
        let is_held = is_held && session.awaits.is_none();
        session.awaits_record = false;
        session.link = None;
        self.set_state(cx, seat.conn, PlayerState::Idle);
        if is_held {
            cx.turn.release(seat.conn);
        }
    }

    /// What their game has reported is written down, or could not be.
    pub(in crate::faf) fn report_written(&mut self, cx: &mut Context<'_>, seat: &Seat) {
        let session = self.table.get_mut(seat.conn);
        // Let go already, they may be held for something else by now.
        if session.is_some_and(|session| std::mem::replace(&mut session.awaits_record, false)) {
            if let Some(session) = self.table.get_mut(seat.conn) {
                session.take_awaited(|awaited| awaited.is_of_link(seat));
            }
            cx.turn.release(seat.conn);
        }
    }

    /// The game was launched with them.
    pub(in crate::faf) fn set_playing(&mut self, cx: &mut Context<'_>, seat: &Seat) {
        let session = self.table.get_mut(seat.conn);
        if session.is_some_and(|s| s.link_at(seat).is_some()) {
            self.set_state(cx, seat.conn, PlayerState::Playing);
        }
    }

    /// Their game never came up.
    pub(in crate::faf) fn link_timed_out(&mut self, cx: &mut Context<'_>, seat: Seat) {
        let link = self.table.get_mut(seat.conn).and_then(|s| s.link_at(&seat));
        if link.is_some_and(|link| link.state == LinkState::Initializing) {
            cx.metrics.setup_timeouts.up();
            self.leave_game(cx, seat.conn, Leaving::Aborted);
        }
    }

    /// Their relation to a game ends, if there is one, and the owner is told.
    pub(in crate::faf) fn leave_game(&mut self, cx: &mut Context<'_>, conn: ConnId, how: Leaving) {
        let Some(session) = self.table.get_mut(conn) else {
            return;
        };
        let is_playing = session.state == PlayerState::Playing;
        let Some(link) = session.link.take() else {
            return;
        };
        self.set_state(cx, conn, PlayerState::Idle);
        self.report_leaving(cx, &link, is_playing, GameReport::Leave(how));
    }
}

fn left(seat: Seat, how: Leaving) -> GameMail {
    GameMail::report(seat, GameReport::Leave(how))
}

impl Request for Joining {
    type Question = Join;

    fn resume(
        self,
        sessions: &mut Sessions,
        cx: &mut Context<'_>,
        conn: ConnId,
        ban: Result<Option<Ban>, StoreFailure>,
    ) -> Outcome<Next> {
        if let Some(ban) = ban? {
            return Err(Refusal::Banned(ban));
        }
        let uid = self.uid?;
        let game = u32::try_from(uid).ok();
        let known = game.filter(|&uid| {
            let known = cx.directory.game(uid);
            known.is_some_and(|game| cx.topology.has_life(game.owner))
        });
        if sessions.table.get(conn).is_none_or(|s| s.closing) {
            return Ok(Next::Go);
        }
        let password = self.password;
        let waits = match (known, game) {
            (Some(uid), _) => sessions.ask_to_join(cx, conn, uid, password),
            (None, Some(uid)) => sessions.await_news(cx, conn, Wanted::Join { uid, password }),
            (None, None) => false,
        };
        if known.is_none() && !waits {
            sessions.join_refused(cx, conn, uid, JoinRefusal::HostLeft);
        }
        Ok(if waits { Next::Wait } else { Next::Go })
    }
}
