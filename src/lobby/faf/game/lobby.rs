//! What the players' games report until it is launched, and that it has finished (spec: faf-messages 4).

use crate::faf::{
    context::Context,
    game::{games::Games, state::GameState},
    mail::{
        game::{GameReport, Leaving},
        session::SessionMail,
    },
    model::seat::Seat,
    protocol::message,
};
impl Games {
    /// At the owner: one report about one of its games.
    pub(in crate::faf) fn game_event(
        &mut self,
        cx: &mut Context<'_>,
        seat: Seat,
        event: GameReport,
    ) {
        match event {
            GameReport::Leave(how) => return self.leave(cx, seat, how),
            GameReport::Connect { login } => return self.connect_guest(cx, seat, login),
            GameReport::HostRelation(subject, relation) => {
                return self.host_related(cx, seat, subject, relation);
            }
            GameReport::Result(_)
            | GameReport::Stats(_)
            | GameReport::EnforceRating
            | GameReport::OperationComplete(..)
            | GameReport::Teamkill(..)
            | GameReport::Desync => return self.reported(cx, seat, event),
            _ => {}
        }
        let checks = matches!(event, GameReport::GameEnded);
        let Some(game) = self.games.get_mut(&seat.uid).filter(|game| game.has(&seat)) else {
            return;
        };
        let opens = matches!(event, GameReport::HostLobby);
        let launches = matches!(event, GameReport::Launching);
        let (kept, dirty) = match event {
            GameReport::HostIdle { login } if seat.player_id == game.host_id => {
                // Only a new game opens; one that has ended stays ended (spec: faf-lifecycle 10.3, recommended).
                if game.state == GameState::Initializing {
                    game.state = GameState::Lobby;
                    game.hosting = true;
                }
                game.connect(seat, login);
                (true, false)
            }
            GameReport::HostLobby => {
                if game.hosted_at.is_some() {
                    self.leave(cx, seat, Leaving::Aborted);
                    return cx.post(seat.conn.shard, SessionMail::LinkEnded(seat));
                }
                cx.turn
                    .send(seat.conn, message::host_game(&game.creation.folder));
                game.hosted_at = Some(cx.turn.now.unix);
                (true, true)
            }
            GameReport::Launching => {
                // A match that was launched before it was open would leave its guests waiting for ever.
                let closed = game.launching.as_ref().is_some_and(|l| l.is_opening());
                if closed || !game.is_hosted_by(&seat) || game.state != GameState::Lobby {
                    cx.counters.game_messages_ignored += 1;
                    return;
                }
                for playing in game.freeze(cx.turn.now.unix) {
                    cx.post(playing.conn.shard, SessionMail::SetPlaying(playing));
                }
                self.launched(cx, seat);
                (true, true)
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
            GameReport::GameEnded => {
                if let Some(member) = game.member(&seat) {
                    member.finished = true;
                }
                let before = game.state;
                game.end_check(seat.player_id, cx.turn.now.unix);
                (true, game.state != before)
            }
            // From the wrong player, or too late.
            _ => {
                cx.counters.game_messages_ignored += 1;
                return;
            }
        };
        cx.counters.over_limit += u64::from(!kept);
        if dirty {
            self.changed(seat.uid);
        }
        if opens {
            self.match_opened(cx, seat.uid);
        }
        if launches {
            self.match_launched(cx, seat.uid);
        }
        if checks {
            self.checked(cx, seat.uid);
        }
    }
}
