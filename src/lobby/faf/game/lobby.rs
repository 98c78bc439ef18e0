//! What the players' games report until it is launched, and that it has finished (spec: faf-messages 4).

use crate::faf::{
    context::Context,
    game::{
        games::Games,
        state::{Game, GameState},
    },
    mail::{
        game::{GameReport, Leaving},
        session::SessionMail,
    },
    model::seat::Seat,
    protocol::message,
};

impl Games {
    /// One report about one of this shard's games.
    pub(in crate::faf) fn game_reports(
        &mut self,
        cx: &mut Context<'_>,
        seat: Seat,
        report: GameReport,
    ) {
        match report {
            GameReport::Leave(how) => self.leave(cx, seat, how),
            GameReport::Connect { login } => self.connect_guest(cx, seat, login),
            GameReport::HostRelation(subject, relation) => {
                self.host_related(cx, seat, subject, relation);
            }
            GameReport::Result(_)
            | GameReport::Stats(_)
            | GameReport::EnforceRating
            | GameReport::OperationComplete(..)
            | GameReport::Teamkill(..)
            | GameReport::Desync => self.reported(cx, seat, report),
            GameReport::HostLobby => self.lobby_opens(cx, seat),
            GameReport::Launching => self.launch(cx, seat),
            GameReport::GameEnded => self.simulation_ended(cx, seat),
            report => self.configure(cx, seat, report),
        }
    }

    /// The game of this seat.
    fn game_of(&mut self, seat: &Seat) -> Option<&mut Game> {
        let game = self.games.get_mut(&seat.uid)?;
        game.has(seat).then_some(game)
    }

    /// The host's game takes connections.
    fn lobby_opens(&mut self, cx: &mut Context<'_>, seat: Seat) {
        let Some(game) = self.game_of(&seat) else {
            return;
        };
        if game.hosted_at.is_some() {
            self.leave(cx, seat, Leaving::Aborted);
            return cx.post(seat.conn.shard, SessionMail::LinkEnded(seat));
        }
        let order = message::host_game(&game.creation.folder);
        cx.turn.send(seat.conn, order);
        game.hosted_at = Some(cx.turn.now.unix);
        self.changed(seat.uid);
        self.match_opened(cx, seat.uid);
    }

    /// The host starts the game.
    fn launch(&mut self, cx: &mut Context<'_>, seat: Seat) {
        let Some(game) = self.game_of(&seat) else {
            return;
        };
        // A match that was launched before it was open would leave its guests waiting for ever.
        let closed = game.launching.as_ref().is_some_and(|l| l.is_opening());
        if closed || !game.is_hosted_by(&seat) || game.state != GameState::Lobby {
            cx.metrics.game_messages_ignored.up();
            return;
        }
        for playing in game.freeze(cx.turn.now) {
            cx.post(playing.conn.shard, SessionMail::SetPlaying(playing));
        }
        self.launched(cx, seat);
        self.changed(seat.uid);
        self.match_launched(cx, seat.uid);
    }

    /// A player's simulation has finished.
    fn simulation_ended(&mut self, cx: &mut Context<'_>, seat: Seat) {
        let Some(game) = self.game_of(&seat) else {
            return;
        };
        if let Some(member) = game.member(&seat) {
            member.finished = true;
        }
        let before = game.state;
        game.end_check(seat.player_id, cx.turn.now.unix);
        if game.state != before {
            self.changed(seat.uid);
        }
        self.checked(cx, seat.uid);
    }

    /// The host's game is there, or its host sets something.
    fn configure(&mut self, cx: &mut Context<'_>, seat: Seat, report: GameReport) {
        let Some(game) = self.game_of(&seat) else {
            return;
        };
        let (kept, dirty) = match report {
            GameReport::HostIdle { login } if seat.player_id == game.host_id => {
                // Only a new game opens; one that has ended stays ended (spec: faf-lifecycle 10.3, recommended).
                if game.state == GameState::Initializing {
                    game.state = GameState::Lobby;
                    game.hosting = true;
                }
                game.connect(seat, login);
                (true, false)
            }
            GameReport::Touch => (true, true),
            GameReport::GameOption(key, value) if game.is_hosted_by(&seat) => {
                match game.set_option(&key, value) {
                    Some(kept) => (kept, true),
                    None => (true, false),
                }
            }
            GameReport::Mods(mods) if game.is_hosted_by(&seat) => {
                game.sim_mods = mods;
                (true, true)
            }
            GameReport::PlayerOption(id, key, value) if game.is_hosted_by(&seat) => {
                (game.set_player_option(id, &key, value), true)
            }
            GameReport::AiOption(name, key, value) if game.is_hosted_by(&seat) => {
                (game.set_ai_option(&name, &key, value), true)
            }
            GameReport::ClearSlot(slot) if game.is_hosted_by(&seat) => {
                game.clear_slot(&slot);
                (true, true)
            }
            // From the wrong player, or too late.
            _ => {
                cx.metrics.game_messages_ignored.up();
                return;
            }
        };
        cx.metrics.over_limit.add(u64::from(!kept));
        if dirty {
            self.changed(seat.uid);
        } else {
            self.changed_quietly(seat.uid);
        }
    }
}
