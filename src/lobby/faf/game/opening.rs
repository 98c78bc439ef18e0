//! A game begins, or never does (spec: faf-lifecycle 10.2).

use crate::faf::{
    context::{Context, Timer},
    game::{
        games::Games,
        state::{Game, GameState},
    },
    mail::{directory::DirectoryMail, game::Host, session::SessionMail},
    model::{game::Creation, seat::Seat},
};

impl Games {
    /// Somebody hosts a game.
    pub(in crate::faf) fn host(
        &mut self,
        cx: &mut Context<'_>,
        seat: Seat,
        host: Host,
        creation: Creation,
    ) {
        let mut game = Game::new(seat.uid, seat.player_id, host.login, creation);
        (game.host_friends, game.host_foes) = (host.friends, host.foes);
        game.waiting.push(seat);
        let launch = game.launch();
        self.add_game(cx, game);
        let setup = cx.settings.setup_time(launch.game_type);
        let at = cx.turn.now.mono + setup;
        cx.turn.wake_at(at, Timer::GameSetup(seat.uid));
        cx.post(seat.conn.shard, SessionMail::StartHosting { seat, launch });
    }

    /// A new game, of which everybody will hear.
    pub(in crate::faf) fn add_game(&mut self, cx: &mut Context<'_>, game: Game) {
        let uid = game.uid;
        self.games.insert(uid, Box::new(game));
        cx.metrics.games_hosted.up();
        cx.post_all(|| DirectoryMail::GameHere { uid });
        self.changed(uid);
    }

    /// The host never opened it.
    pub(in crate::faf) fn game_timed_out(&mut self, cx: &mut Context<'_>, uid: u32) {
        let game = self.games.get_mut(&uid);
        let Some(game) = game.filter(|g| g.state == GameState::Initializing) else {
            return;
        };
        cx.metrics.setup_timeouts.up();
        game.state = GameState::Ended;
        self.changed(uid);
        self.close_book(cx, uid);
    }
}
