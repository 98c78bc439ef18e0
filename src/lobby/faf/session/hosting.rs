//! Hosting a game (spec: faf-messages 3.7, faf-lifecycle 10.2).

use crate::{
    ConnId, ShardId,
    faf::{
        context::{Context, Timer},
        mail::game::{self, GameMail, Leaving},
        model::{game::Launch, player_state::PlayerState, seat::Seat},
        protocol::{
            incoming::games::GameHost,
            message,
            request::{Outcome, Refusal},
            text,
        },
        questions::{Host, HostGrant},
        session::{
            continuations::{Hosting, Next, Request},
            sessions::Sessions,
            table::{Link, LinkState},
        },
    },
    question::StoreFailure,
};

impl Sessions {
    /// Whether the game may be like that is known at once, but nobody is told before the ban check has answered.
    pub(in crate::faf) fn game_host(
        &mut self,
        cx: &mut Context<'_>,
        conn: ConnId,
        wanted: Outcome<GameHost<'_>>,
    ) {
        let Some(player) = self.table.get(conn).and_then(|s| s.player.as_deref()) else {
            return;
        };
        let mut wanted = wanted.and_then(|wanted| wanted.creation(&player.account.login));
        // spec: faf-lifecycle 11, at the end
        if wanted.is_ok() && (cx.draining || !cx.initialised) {
            wanted = Err(Refusal::Disabled("game_host"));
        }
        // A number for it can't be given: another node may give out the same.
        if wanted.is_ok() && cx.topology.is_island() {
            wanted = Err(Refusal::client(text::OUT_OF_TOUCH));
        }
        let question = Host {
            player_id: player.account.id,
            create: wanted.as_ref().ok().map(|wanted| wanted.folder.to_string()),
        };
        self.ask_held(cx, conn, question, Hosting(wanted));
    }

    /// Tells a player's client to launch the game; their relation to it begins.
    pub(in crate::faf) fn start_game(
        &mut self,
        cx: &mut Context<'_>,
        seat: Seat,
        owner: ShardId,
        launch: &Launch,
        is_host: bool,
    ) {
        let setup = cx.settings.setup_time(launch.game_type);
        let Some(session) = self.table.get_mut(seat.conn) else {
            return;
        };
        let games = session
            .player
            .as_ref()
            .map_or(0, |p| p.games(&launch.rating_type));
        session.link = Some(Box::new(Link {
            seat,
            owner,
            state: LinkState::Initializing,
            is_host,
            epoch: 0,
            reported: 0,
            orphaned: None,
        }));
        // Who was matched stays in STARTING_AUTOMATCH (spec: faf-lifecycle 7).
        if launch.matched.is_none() {
            self.set_state(cx, seat.conn, PlayerState::StartingGame);
        }
        let order = message::GameLaunch::new(seat.uid, games, launch);
        cx.turn.send(seat.conn, message::encode(&order));
        cx.turn
            .wake_at(cx.turn.now.mono + setup, Timer::LinkSetup(seat));
    }
}

impl Request for Hosting {
    type Question = Host;

    fn resume(
        self,
        sessions: &mut Sessions,
        cx: &mut Context<'_>,
        conn: ConnId,
        grant: Result<HostGrant, StoreFailure>,
    ) -> Outcome<Next> {
        let grant = grant?;
        if let Some(ban) = grant.ban {
            return Err(Refusal::Banned(ban));
        }
        let creation = *self.0?;
        // Meanwhile the owner of their party may have begun a search with them.
        sessions.idle_guard(conn, "host a game")?;
        if cx.draining {
            return Err(Refusal::Disabled("game_host"));
        }
        if cx.topology.is_island() {
            return Err(Refusal::client(text::OUT_OF_TOUCH));
        }
        let uid = grant.game_id.ok_or(StoreFailure::Failed)?;
        sessions.leave_game(cx, conn, Leaving::Aborted);
        let Some(session) = sessions.table.get_mut(conn).filter(|s| !s.closing) else {
            return Ok(Next::Go);
        };
        let Some(seat) = session.seat(uid) else {
            return Ok(Next::Go);
        };
        let Some(player) = session.player.as_deref() else {
            return Ok(Next::Go);
        };

        let host = game::Host {
            login: player.account.login.clone(),
            friends: player.account.friends.clone(),
            foes: player.account.foes.clone(),
        };
        let creation = Box::new(creation);
        cx.post(
            cx.turn.shard,
            GameMail::Host {
                seat,
                host,
                creation,
            },
        );
        Ok(Next::Go)
    }
}
