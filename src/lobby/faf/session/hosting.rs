//! Hosting a game (spec: faf-messages 3.7, faf-lifecycle 10.2).

use crate::faf::{
    Faf, FafTurn, Timer,
    game::state::{Game, GameState},
    mail::{Mail, game::Leaving},
    model::{
        game::{Creation, GameType, Launch},
        limits,
        options::title,
        player_state::PlayerState,
        seat::Seat,
    },
    protocol::{
        message,
        request::{self, Outcome, Refusal},
    },
    questions::{Host, HostGrant},
    session::{
        dispatch::{Next, Request},
        table::{Link, LinkState},
    },
};
use crate::{ConnId, ShardId, question::StoreFailure};
use wire::json::Value;

impl Faf {
    /// Reads everything, but acts on nothing before the ban check has answered.
    pub(in crate::faf) fn game_host(
        &mut self,
        turn: &mut FafTurn<'_>,
        conn: ConnId,
        message: Value<'_>,
    ) -> Outcome {
        self.guard(conn, "host a game")?;
        let Some(player) = self.sessions.get(conn).and_then(|s| s.player.as_deref()) else {
            return Ok(());
        };
        let mut wanted = read_creation(message, &player.account.login);
        // spec: faf-lifecycle 11, at the end
        if wanted.is_ok() && (self.draining || !self.initialised) {
            wanted = Err(Refusal::Disabled("game_host"));
        }
        let question = Host {
            player_id: player.account.id,
            create: wanted.as_ref().ok().map(|wanted| wanted.folder.to_string()),
        };
        self.ask_held(turn, conn, question, Hosting(wanted));
        Ok(())
    }

    /// A new game, of which everybody will hear.
    pub(in crate::faf) fn add_game(&mut self, turn: &mut FafTurn<'_>, game: Game) {
        let uid = game.uid;
        self.games.insert(uid, Box::new(game));
        self.counters.games_hosted += 1;
        self.directory.game_here(uid, self.shard);
        turn.mail_all(|| Mail::GameHere { uid });
        self.tick.game_dirty(uid);
    }

    /// Tells a player's client to launch the game; their relation to it begins.
    pub(in crate::faf) fn start_game(
        &mut self,
        turn: &mut FafTurn<'_>,
        seat: Seat,
        owner: ShardId,
        launch: &Launch,
        is_host: bool,
    ) {
        let setup = self.setup_time(launch.game_type);
        let Some(session) = self.sessions.get_mut(seat.conn) else {
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
        }));
        // Who was matched stays in STARTING_AUTOMATCH (spec: faf-lifecycle 7).
        if launch.matched.is_none() {
            self.set_state(turn, seat.conn, PlayerState::StartingGame);
        }
        let order = message::GameLaunch::new(seat.uid, games, launch);
        turn.send(seat.conn, message::encode(&order));
        turn.wake_at(turn.now.mono + setup, Timer::LinkSetup(seat));
    }

    fn setup_time(&self, game_type: GameType) -> std::time::Duration {
        match game_type {
            GameType::Custom => self.settings.custom_setup,
            GameType::Coop => self.settings.coop_setup,
            GameType::Matchmaker => self.settings.matchmaking.setup,
        }
    }

    /// The host never opened it.
    pub(in crate::faf) fn game_timed_out(&mut self, turn: &mut FafTurn<'_>, uid: u32) {
        let Some(game) = self
            .games
            .get_mut(&uid)
            .filter(|g| g.state == GameState::Initializing)
        else {
            return;
        };
        self.counters.setup_timeouts += 1;
        game.state = GameState::Ended;
        self.tick.game_dirty(uid);
        self.close_book(turn, uid);
    }
}

/// May they host, and with what the request will be answered if they may.
#[derive(Debug)]
pub(in crate::faf) struct Hosting(Outcome<Box<Creation>>);

impl Request for Hosting {
    type Question = Host;

    fn resume(
        self,
        faf: &mut Faf,
        turn: &mut FafTurn<'_>,
        conn: ConnId,
        grant: Result<HostGrant, StoreFailure>,
    ) -> Outcome<Next> {
        let grant = grant?;
        if let Some(ban) = grant.ban {
            return Err(Refusal::Banned(ban));
        }
        let creation = *self.0?;
        // Meanwhile the owner of their party may have begun a search with them.
        faf.idle_guard(conn, "host a game")?;
        if faf.draining {
            return Err(Refusal::Disabled("game_host"));
        }
        let uid = grant.game_id.ok_or(StoreFailure::Failed)?;
        faf.leave_game(turn, conn, Leaving::Aborted);
        let Some(session) = faf.sessions.get_mut(conn).filter(|s| !s.closing) else {
            return Ok(Next::Go);
        };
        let Some(seat) = session.seat(uid) else {
            return Ok(Next::Go);
        };
        let Some(player) = session.player.as_deref() else {
            return Ok(Next::Go);
        };

        let login = player.account.login.clone();
        let mut game = Game::new(uid, player.account.id, login, creation);
        game.host_friends = player.account.friends.clone();
        game.host_foes = player.account.foes.clone();
        game.waiting.push(seat);
        let launch = game.launch();
        faf.add_game(turn, game);
        turn.wake_at(
            turn.now.mono + faf.setup_time(launch.game_type),
            Timer::GameSetup(uid),
        );
        faf.start_game(turn, seat, faf.shard, &launch, true);
        Ok(Next::Go)
    }
}

/// The fields in the order of their checks (spec: faf-messages 3.7).
fn read_creation(message: Value<'_>, login: &str) -> Outcome<Box<Creation>> {
    let friends_only = match message.get("visibility").and_then(|v| v.as_str()) {
        Some("public") => false,
        Some("friends") => true,
        _ => return Err(Refusal::Garbage),
    };
    let default_title;
    let wanted = match request::optional_text(message, "title")? {
        Some(text) => text,
        None => {
            default_title = format!("{login}'s game");
            &default_title
        }
    };
    if !wanted.is_ascii() {
        return Err(Refusal::client("Title must contain only ascii characters."));
    }
    let title = title(wanted).ok_or(Refusal::client("Title must not be empty."))?;
    let lower = |key: &str, default: &str| -> Outcome<Box<str>> {
        let mut text = request::optional_text(message, key)?
            .unwrap_or(default)
            .to_lowercase();
        request::cut(&mut text, limits::FIELD_BYTES);
        Ok(text.into())
    };
    let creation = Creation {
        title: title.into(),
        featured_mod: lower("mod", "faf")?,
        folder: lower("mapname", "scmp_007")?,
        friends_only,
        password: request::password(message),
        rating_min: request::optional_float(message, "rating_min")?,
        rating_max: request::optional_float(message, "rating_max")?,
        enforce_rating_range: message
            .get("enforce_rating_range")
            .is_some_and(|v| v.truthy()),
    };
    Ok(Box::new(creation))
}
