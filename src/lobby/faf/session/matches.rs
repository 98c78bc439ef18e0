//! A player's side of a match's start (spec: faf-matchmaking 8.2, 8.3).

use thin_vec::ThinVec;

use crate::{
    ShardId,
    faf::{
        context::Context,
        mail::{
            coordinator::{CoordinatorMail, Failure, MatchOutcome},
            game::{GameMail, Host, MatchSpec},
        },
        model::{game::Launch, player_state::PlayerState, seat::LoginId},
        session::sessions::Sessions,
    },
};

impl Sessions {
    /// At the host's shard: a match is to become a game (spec: faf-matchmaking 8.2, 5 to 8, and 8.3, 1 and 2).
    pub(in crate::faf) fn open_match(&mut self, cx: &mut Context<'_>, opening: MatchSpec) {
        let Some(host) = opening.players.first().cloned() else {
            return;
        };
        let uid = opening.uid;
        if cx.draining {
            let outcome = MatchOutcome::Failed {
                game_id: None,
                violators: Vec::new(),
                failure: Failure::Errored,
            };
            let match_id = opening.match_id;
            let over = CoordinatorMail::MatchOver { match_id, outcome };
            cx.post_coordinator(over);
            return;
        }
        let seat = if self.may_be_launched(&host.login_id) {
            let session = self.session_of(&host.login_id);
            session.and_then(|session| session.seat(uid))
        } else {
            None
        };
        let (friends, foes) = self.lists_of(&host.login_id).unwrap_or_default();
        let host = Host {
            login: host.login,
            friends,
            foes,
        };
        let spec = Box::new(opening);
        cx.post(cx.turn.shard, GameMail::OpenMatch { spec, host, seat });
    }

    /// The host's friends and foes, if they are still there.
    fn lists_of(&self, host: &LoginId) -> Option<(ThinVec<u32>, ThinVec<u32>)> {
        let player = self.table.get(host.conn)?.player.as_deref()?;
        let account = (player.epoch == host.epoch).then_some(&player.account)?;
        Some((account.friends.clone(), account.foes.clone()))
    }

    /// Whether this login is here and waits for its match's game.
    fn may_be_launched(&mut self, login_id: &LoginId) -> bool {
        let session = self.session_of(login_id);
        session.is_some_and(|s| {
            !s.closing && s.link.is_none() && s.state == PlayerState::StartingAutomatch
        })
    }

    /// At a guest's shard.
    pub(in crate::faf) fn called_to_game(
        &mut self,
        cx: &mut Context<'_>,
        login_id: LoginId,
        uid: u32,
        owner: ShardId,
        launch: &Launch,
    ) {
        let seat = if self.may_be_launched(&login_id) {
            self.session_of(&login_id)
                .and_then(|session| session.seat(uid))
        } else {
            None
        };
        if let Some(seat) = seat {
            self.start_game(cx, seat, owner, launch, false);
        }
        let player_id = login_id.player_id;
        let answer = GameMail::Called {
            uid,
            player_id,
            seat,
        };
        cx.post(owner, answer);
    }
}
