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
            session::{JoinRefusal, RestoreRefusal},
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

    pub(in crate::faf) fn join_answered(
        &mut self,
        cx: &mut Context<'_>,
        owner: ShardId,
        seat: Seat,
        verdict: Result<Launch, JoinRefusal>,
    ) {
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

    fn join_refused(&mut self, cx: &mut Context<'_>, conn: ConnId, uid: i64, refusal: JoinRefusal) {
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
        let owner = u32::try_from(wanted.game_id)
            .ok()
            .and_then(|uid| cx.directory.game(uid))
            .map(|game| (game.uid, game.owner));
        let Some((uid, owner)) = owner else {
            return restore_refused(cx, conn, RestoreRefusal::Gone);
        };
        let Some(session) = self.table.get_mut(conn) else {
            return;
        };
        let Some(seat) = session.seat(uid) else {
            return;
        };
        let login = session
            .player
            .as_ref()
            .map_or("", |p| &*p.account.login)
            .into();
        cx.turn.hold(conn);
        cx.post(owner, GameMail::Restore { seat, login });
    }

    pub(in crate::faf) fn restore_answered(
        &mut self,
        cx: &mut Context<'_>,
        owner: ShardId,
        seat: Seat,
        verdict: Result<bool, RestoreRefusal>,
    ) {
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
                }));
                self.set_state(cx, seat.conn, PlayerState::Playing);
            }
            (Ok(_), None) => cx.post(owner, left(seat, Leaving::Lost)),
            (Err(refusal), Some(_)) => restore_refused(cx, seat.conn, refusal),
            (Err(_), None) => {}
        }
        cx.turn.release(seat.conn);
    }

    /// They are in the mesh.
    pub(in crate::faf) fn connected(&mut self, cx: &mut Context<'_>, seat: &Seat) {
        if let Some(link) = self.table.get_mut(seat.conn).and_then(|s| s.link_at(seat)) {
            link.state = LinkState::Connected;
        }
        cx.turn.release(seat.conn);
    }

    /// The owner has ended their relation to the game.
    pub(in crate::faf) fn link_ended(&mut self, cx: &mut Context<'_>, seat: &Seat) {
        let Some(session) = self.table.get_mut(seat.conn) else {
            return;
        };
        session.awaits_record = false;
        if session.link_at(seat).is_some() {
            session.link = None;
            self.set_state(cx, seat.conn, PlayerState::Idle);
        }
        cx.turn.release(seat.conn);
    }

    /// What their game has reported is written down, or could not be.
    pub(in crate::faf) fn report_written(&mut self, cx: &mut Context<'_>, seat: &Seat) {
        let session = self.table.get_mut(seat.conn);
        // Let go already, they may be held for something else by now.
        if session.is_some_and(|session| std::mem::replace(&mut session.awaits_record, false)) {
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
        let Some(link) = session.link.take() else {
            return;
        };
        self.set_state(cx, conn, PlayerState::Idle);
        cx.post(link.owner, left(link.seat, how));
    }
}

fn left(seat: Seat, how: Leaving) -> GameMail {
    GameMail::Report {
        seat,
        report: GameReport::Leave(how),
    }
}

fn restore_refused(cx: &mut Context<'_>, conn: ConnId, refusal: RestoreRefusal) {
    let text = match refusal {
        RestoreRefusal::Gone => "The game you were connected to no longer exists",
        RestoreRefusal::NotAvailable => "The game you were connected to is no longer available",
        RestoreRefusal::NotPart => "You are not part of this game",
    };
    cx.turn.send(conn, message::notice("info", text));
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
        let owner = u32::try_from(uid)
            .ok()
            .and_then(|uid| cx.directory.game(uid))
            .map(|game| (game.uid, game.owner));
        let Some(session) = sessions.table.get_mut(conn).filter(|s| !s.closing) else {
            return Ok(Next::Go);
        };
        let Some((uid, owner)) = owner else {
            sessions.join_refused(cx, conn, uid, JoinRefusal::HostLeft);
            return Ok(Next::Go);
        };
        let Some(seat) = session.seat(uid) else {
            return Ok(Next::Go);
        };
        let password = self.password;
        cx.post(owner, GameMail::Join { seat, password });
        Ok(Next::Wait)
    }
}
