//! Games and the players who are on other nodes: nodes come and go, and lanes to them break.
//!
//! When a lane begins, each shard there tells which places its players have in the games here, all of them, and that holds. A
//! player of a lost node has left a game that is not launched; in one that is, they may come back for a while.

use crate::{
    ShardId,
    faf::{
        context::{Context, Timer},
        game::{
            games::Games,
            state::{Game, GameState},
        },
        mail::{
            coordinator::{CoordinatorMail, MatchReport},
            game::{Leaving, Seated},
            session::{SeatKept, SessionMail},
        },
        model::{limits, seat::Seat},
        topology::Change,
    },
};

/// Matches in one letter: a full one has about a kilobyte, of 256 KiB.
const MATCHES: usize = 100;

impl Games {
    /// What this node knows of the others has changed.
    pub(in crate::faf) fn nodes_changed(&mut self, cx: &mut Context<'_>, change: &Change) {
        for &node in &change.lost {
            self.node_lost(cx, node);
        }
        for &node in change.lost.iter().chain(&change.new) {
            self.told_seats.retain(|shard, _| shard.node() != node);
        }
        for &node in &change.new {
            self.abandon_unheard(cx, node);
        }
        self.shadows_follow(cx, change);
    }

    /// What was under way to a node and from it is lost: its shards tell their places anew. A match that has called players
    /// there does not hear of them any more.
    pub(in crate::faf) fn lane_broken(&mut self, cx: &mut Context<'_>, node: u8) {
        self.told_seats.retain(|shard, _| shard.node() != node);
        self.abandon_unheard(cx, node);
        self.shadows_missed(cx, node);
    }

    /// Matches that have called players on a node do not hear of them any more: nothing that was said there arrives.
    fn abandon_unheard(&mut self, cx: &mut Context<'_>, node: u8) {
        for uid in self.uids_where(|game| game.waits_for_guest_on(node)) {
            self.abandon_match(cx, uid);
        }
    }

    fn uids_where(&self, is_meant: impl Fn(&Game) -> bool) -> Vec<u32> {
        let games = self.games.values().filter(|game| is_meant(game));
        let mut uids: Vec<u32> = games.map(|game| game.uid).collect();
        uids.sort_unstable();
        uids
    }

    fn node_lost(&mut self, cx: &mut Context<'_>, node: u8) {
        let is_there = |seat: &Seat| seat.conn.shard.node() == node;
        // Nobody's fault.
        for uid in self.uids_where(|game| game.has_matched_on(node)) {
            self.abandon_match(cx, uid);
        }
        let mut waits = false;
        for uid in self.uids_where(|game| game.seats().any(is_there)) {
            let Some(game) = self.games.get_mut(&uid) else {
                continue;
            };
            let lost: Vec<Seat> = game
                .seats()
                .filter(|seat| is_there(seat))
                .copied()
                .collect();
            if game.state == GameState::Live {
                game.doubtful.extend(lost);
                waits = true;
                continue;
            }
            for seat in lost {
                self.leave(cx, seat, Leaving::Lost);
            }
        }
        if waits {
            let at = cx.turn.now.mono + cx.settings.nodes.grace;
            cx.turn.wake_at(at, Timer::LostSeats(node));
        }
    }

    /// Players of a lost node have had their time to come back.
    pub(in crate::faf) fn seats_timed_out(&mut self, cx: &mut Context<'_>, node: u8) {
        let is_there = |seat: &Seat| seat.conn.shard.node() == node;
        for uid in self.uids_where(|game| game.doubtful.iter().any(is_there)) {
            let Some(game) = self.games.get_mut(&uid) else {
                continue;
            };
            let lost: Vec<Seat> = game
                .doubtful
                .extract_if(.., |seat| is_there(seat))
                .collect();
            for seat in lost {
                self.leave(cx, seat, Leaving::Lost);
            }
        }
    }

    /// A shard of another node tells which places its players have here.
    pub(in crate::faf) fn seats_told(
        &mut self,
        cx: &mut Context<'_>,
        from: ShardId,
        seats: Vec<Seated>,
        is_last: bool,
    ) {
        let told = self.told_seats.entry(from).or_default();
        told.extend(
            seats
                .into_iter()
                .filter(|told| told.seat.conn.shard == from),
        );
        if !is_last {
            return;
        }
        let told = self.told_seats.remove(&from).unwrap_or_default();
        for uid in self.uids_where(|game| game.seats().any(|seat| seat.conn.shard == from)) {
            let Some(game) = self.games.get(&uid) else {
                continue;
            };
            let is_gone = |seat: &&Seat| {
                let is_told = told.iter().any(|told| told.seat == **seat);
                seat.conn.shard == from && !is_told && !game.doubtful.contains(seat)
            };
            let gone: Vec<Seat> = game.seats().filter(is_gone).copied().collect();
            for seat in gone {
                self.leave(cx, seat, Leaving::Lost);
            }
        }
        for told in told {
            self.seat_told(cx, told);
        }
    }

    pub(in crate::faf) fn seat_told(&mut self, cx: &mut Context<'_>, told: Seated) {
        let Seated {
            seat,
            login,
            is_orphan,
        } = told;
        let votes = cx.settings.result_votes;
        let game = self.games.get_mut(&seat.uid);
        let to = seat.conn.shard;
        // Who is in one that has ended stays in it until they leave, whether it can still be found or not.
        let Some(game) = game.filter(|game| game.state != GameState::Ended || game.has(&seat))
        else {
            // One that was launched may be elsewhere by now.
            if !is_orphan {
                Games::not_in(cx, seat);
            }
            return;
        };
        game.doubtful.retain(|doubtful| *doubtful != seat);
        game.unconfirmed.retain(|unconfirmed| *unconfirmed != seat);
        let is_live = game.state == GameState::Live;
        let has_room = game.seats().count() < limits::SEATS;
        let is_back = is_live && has_room && game.may_return(seat.player_id, votes);
        let is_playing = is_live && game.takes_part(seat.player_id);
        let epoch = game.epoch;
        if !game.has(&seat) {
            if !is_back {
                return cx.post(to, SessionMail::LinkEnded(seat));
            }
            game.connect(seat, login);
            self.changed(seat.uid);
        }
        let kept = SeatKept {
            seat,
            is_playing,
            epoch,
        };
        cx.post(to, SessionMail::SeatKept(kept));
    }

    /// Somebody believes to be in a game that is not here. If it is elsewhere by now they will hear of that.
    pub(in crate::faf) fn not_in(cx: &mut Context<'_>, seat: Seat) {
        let shown = cx.directory.game(seat.uid);
        if shown.is_none_or(|game| game.owner == cx.turn.shard) {
            cx.post(seat.conn.shard, SessionMail::LinkEnded(seat));
        }
    }

    /// Tells the coordinator which matches' games are here.
    pub(in crate::faf) fn tell_matches(&mut self, cx: &mut Context<'_>, round: u64, term: u64) {
        if cx
            .topology
            .reached()
            .is_none_or(|holder| holder.term != term)
        {
            return;
        }
        let uids = self.uids_where(|game| game.launching.is_some());
        let reports = uids.iter().filter_map(|uid| {
            let launching = self.games.get(uid)?.launching.as_deref()?;
            Some(launching.report())
        });
        let reports: Vec<MatchReport> = reports.collect();
        let mut parts: Vec<&[MatchReport]> = reports.chunks(MATCHES).collect();
        let last = parts.pop().unwrap_or_default();
        for (matches, is_last) in parts
            .into_iter()
            .map(|part| (part, false))
            .chain([(last, true)])
        {
            cx.post_coordinator(CoordinatorMail::Matches {
                round,
                matches: matches.to_vec(),
                is_last,
            });
        }
    }
}

impl Game {
    /// Whether it is of a match that is not launched, and a guest on that node has still to be heard of.
    fn waits_for_guest_on(&self, node: u8) -> bool {
        let launching = self.launching.as_deref();
        launching.is_some_and(|launching| launching.waits_for_guest_on(node))
    }

    /// Whether it is of a match that is not launched, and somebody on that node plays in it.
    fn has_matched_on(&self, node: u8) -> bool {
        let launching = self.launching.as_deref();
        launching.is_some_and(|launching| launching.has_player_on(node))
    }
}
