//! A player's side of matchmaking: what they ask for, and what their shard does at the coordinator's word
//! (spec: faf-messages 3.6, 3.10, 3.11).
//!
//! The coordinator decides, but a player's state is their shard's: whether they may search is asked here, and from a
//! yes on they do, until the coordinator says otherwise. Nothing else takes a player out of SEARCHING_LADDER but their leaving.

use crate::{
    ConnId,
    faf::{
        context::Context,
        mail::{
            coordinator::{
                CannotSearch, CoordinatorRefusal, CoordinatorRequest, PlayerRequest, Profile,
                SearchWanted,
            },
            directory::DirectoryMail,
            session::CoordinatorEvent,
        },
        model::{factions::Factions, player_state::PlayerState, seat::LoginId},
        protocol::{
            incoming::matchmaking::{GameMatchmaking, SearchState, SetPlayerVetoes},
            matchmaking, message,
            player_info::Entry,
            request::{Outcome, Refusal},
        },
        rules::{matcher::Rating, matchmaking::vetoes},
        session::sessions::Sessions,
    },
};

impl Sessions {
    /// spec: faf-messages 3.6.
    pub(in crate::faf) fn matchmaker_info(&mut self, cx: &mut Context<'_>, conn: ConnId) {
        self.ask_coordinator(cx, conn, PlayerRequest::Queues);
    }

    /// spec: faf-messages 3.10.
    pub(in crate::faf) fn game_matchmaking(
        &mut self,
        cx: &mut Context<'_>,
        conn: ConnId,
        wanted: GameMatchmaking<'_>,
    ) -> Outcome {
        let queue = wanted.queue_name.into();
        if wanted.state == SearchState::Stop {
            self.ask_coordinator(cx, conn, PlayerRequest::StopSearch { queue });
            return Ok(());
        }
        // The coordinator goes on for others.
        if cx.draining && cx.topology.is_clustered() {
            return Err(Refusal::Disabled("game_matchmaking"));
        }
        let wanted = SearchWanted {
            queue,
            start: wanted.state == SearchState::Start,
            factions: wanted.faction.map(|faction| {
                let only = faction.map(Factions::only);
                only.map_err(|_| CoordinatorRefusal::BadValue)
            }),
        };
        self.ask_coordinator(cx, conn, PlayerRequest::Search(wanted));
        Ok(())
    }

    /// spec: faf-messages 3.11.
    pub(in crate::faf) fn set_player_vetoes(
        &mut self,
        cx: &mut Context<'_>,
        conn: ConnId,
        wanted: SetPlayerVetoes,
    ) {
        let clipped = vetoes::clip(&cx.reference.queues, &wanted.vetoes);
        if !vetoes::same(&wanted.vetoes, &clipped) {
            cx.turn
                .send(conn, matchmaking::vetoes_info(false, &clipped));
        }
        let session = self.table.get_mut(conn);
        if let Some(player) = session.and_then(|s| s.player.as_deref_mut()) {
            player.vetoes = clipped.into();
        }
    }

    /// The pools may have changed: every player's vetoes are cut again (spec: faf-matchmaking 9.2).
    pub(in crate::faf) fn clip_vetoes(&mut self, cx: &mut Context<'_>) {
        let mut forced = Vec::new();
        for session in self.table.iter_mut() {
            let conn = session.conn;
            let Some(player) = session.player.as_deref_mut() else {
                continue;
            };
            let clipped = vetoes::clip(&cx.reference.queues, &player.vetoes);
            if vetoes::same(&clipped, &player.vetoes) {
                continue;
            }
            let is_forced = vetoes::is_forced(&cx.reference.queues, &player.vetoes, &clipped);
            cx.turn
                .send(conn, matchmaking::vetoes_info(is_forced, &clipped));
            player.vetoes = clipped.into();
            if is_forced {
                forced.push(conn);
            }
        }
        for conn in forced {
            self.tell_coordinator_of(cx, conn, CoordinatorRequest::StopSearching);
        }
    }

    /// At the player's shard: the coordinator says something.
    pub(in crate::faf) fn coordinator_says(
        &mut self,
        cx: &mut Context<'_>,
        login_id: LoginId,
        event: CoordinatorEvent,
    ) {
        match event {
            CoordinatorEvent::Reserve { entry, rating_type } => {
                let outcome = self.reserve(cx, &login_id, rating_type.as_deref());
                self.tell_coordinator(
                    cx,
                    login_id,
                    CoordinatorRequest::Reserved { entry, outcome },
                );
            }
            CoordinatorEvent::Release => {
                if let Some(session) = self.session_of(&login_id)
                    && session.state == PlayerState::SearchingLadder
                {
                    session.state = PlayerState::Idle;
                }
            }
            CoordinatorEvent::Matched {
                match_id,
                queue,
                rating_type,
            } => {
                let Some(session) = self.session_of(&login_id) else {
                    return;
                };
                session.state = PlayerState::StartingAutomatch;
                if let Some(player) = &mut session.player {
                    player.match_id = match_id;
                }
                cx.turn
                    .send(login_id.conn, matchmaking::match_found(&queue));
                if let Some(profile) = self.profile(cx, &login_id, &rating_type) {
                    self.tell_coordinator(
                        cx,
                        login_id,
                        CoordinatorRequest::Ready { match_id, profile },
                    );
                }
            }
            CoordinatorEvent::NotSearching => {
                if self.session_of(&login_id).is_some() {
                    self.not_searching(cx, login_id.conn);
                }
            }
            CoordinatorEvent::MatchLost { match_id } => {
                if self.session_of(&login_id).is_some() {
                    self.match_lost(cx, login_id.conn, match_id);
                }
            }
            CoordinatorEvent::MatchCancelled { match_id, game_id } => {
                self.match_cancelled(cx, &login_id, match_id, game_id);
            }
        }
    }

    fn match_cancelled(
        &mut self,
        cx: &mut Context<'_>,
        login_id: &LoginId,
        match_id: u64,
        game_id: Option<u32>,
    ) {
        let Some(session) = self.session_of(login_id) else {
            return;
        };
        // Who never got to a game has nothing whose end would free them (spec: faf-lifecycle 7, recommended). Who
        // has left it may be in another match already.
        let player = session.player.as_ref();
        let free = session.link.is_none()
            && session.state == PlayerState::StartingAutomatch
            && player.is_some_and(|player| player.match_id == match_id);
        cx.turn
            .send(login_id.conn, matchmaking::match_cancelled(game_id));
        if free {
            self.set_state(cx, login_id.conn, PlayerState::Idle);
        }
    }

    /// Makes a player a searching one, if they do nothing else.
    fn reserve(
        &mut self,
        cx: &mut Context<'_>,
        login_id: &LoginId,
        rating_type: Option<&str>,
    ) -> Result<Profile, CannotSearch> {
        if cx.draining && cx.topology.is_clustered() {
            return Err(CannotSearch::Ending);
        }
        let state = self.session_of(login_id).ok_or(CannotSearch::Gone)?.state;
        let profile = self.profile(cx, login_id, rating_type.unwrap_or_default());
        let profile = profile.ok_or(CannotSearch::Gone)?;
        if !matches!(state, PlayerState::Idle | PlayerState::SearchingLadder) {
            return Err(CannotSearch::Busy {
                login: profile.login,
                state,
            });
        }
        if let Some(session) = self.session_of(login_id) {
            session.state = PlayerState::SearchingLadder;
        }
        if let Some(rating_type) = rating_type {
            self.open_rating(cx, login_id, rating_type);
        }
        Ok(profile)
    }

    fn profile(&self, cx: &Context<'_>, login_id: &LoginId, rating_type: &str) -> Option<Profile> {
        let session = self.table.get(login_id.conn)?;
        let player = session.player.as_deref()?;
        let basis = cx.basis();
        let rating = basis.standing(&player.account, rating_type).rating;
        Some(Profile {
            login: player.account.login.clone(),
            clan: player.account.clan.clone(),
            rating: Rating {
                mean: rating.mean,
                deviation: rating.deviation,
                games: player.games(rating_type),
            },
            vetoes: player.vetoes.to_vec(),
        })
    }

    /// From their first search in it on a leaderboard is among those a player is shown with, to newcomers on whatever shard;
    /// nobody is told of that alone (spec: faf-lifecycle 6, faf-newer R3).
    fn open_rating(&mut self, cx: &mut Context<'_>, login_id: &LoginId, rating_type: &str) {
        let basis = cx.basis();
        let session = self.table.get_mut(login_id.conn);
        let Some(player) = session.and_then(|s| s.player.as_deref_mut()) else {
            return;
        };
        // What it begins from is looked at as well, down to what is stored (spec: faf-ratings-results 6).
        let (mut next, mut is_new) = (Some(rating_type), false);
        while let Some(name) = next.filter(|name| player.account.open_rating(name)) {
            is_new = true;
            let board = cx.reference.leaderboard(name);
            next = board.and_then(|board| board.initializer.as_deref());
        }
        if is_new {
            let entry = Entry::new(&player.account, basis, true);
            let text = message::encode(&entry);
            let (id, epoch) = (login_id.player_id, login_id.epoch);
            cx.post_all(|| DirectoryMail::PlayerText {
                id,
                epoch,
                text: text.clone(),
            });
        }
    }
}
