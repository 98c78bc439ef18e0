//! What becomes of players' games when other nodes come and go: their places in games there are told anew when a lane
//! begins, and those in games of a lost node are over, unless the game was launched and is taken over.

use std::time::Duration;

use crate::{
    ConnId, ShardId,
    faf::{
        context::{Context, Timer},
        mail::{
            game::{GameMail, GameReport, Leaving, Seated},
            session::{RestoreAnswer, SeatKept},
        },
        model::{
            player_state::PlayerState,
            seat::{Ownership, Seat},
        },
        session::{awaited::Awaited, sessions::Sessions, table::Session},
        topology::Change,
    },
};

/// How long after the grace of its node a launched game may take to be taken over.
pub(in crate::faf) const TAKING_OVER: Duration = Duration::from_secs(5);
/// Places in one letter: some 150 bytes each, of 256 KiB.
const SEATS: usize = 1000;

impl Sessions {
    /// What this node knows of the others has changed.
    pub(in crate::faf) fn nodes_changed(&mut self, cx: &mut Context<'_>, change: &Change) {
        let mut silent: Vec<u8> = change.lost.iter().chain(&change.new).copied().collect();
        if change.is_cut {
            silent.extend(cx.topology.standing().others().map(|member| member.node));
        }
        self.refuse_waiting(cx, &silent);
        for &node in &change.lost {
            self.games_lost(cx, node);
        }
        for &node in &change.new {
            self.reports_missed(cx, node);
            self.tell_seats(cx, node);
        }
        self.look_for_coordinator(cx);
    }

    /// What was under way to a node and from it is lost.
    pub(in crate::faf) fn lane_broken(&mut self, cx: &mut Context<'_>, node: u8) {
        self.refuse_waiting(cx, &[node]);
        self.reports_missed(cx, node);
        self.tell_seats(cx, node);
        self.look_for_coordinator(cx);
    }

    /// A node is lost, and the games it had with it. Those that were launched are waited for.
    fn games_lost(&mut self, cx: &mut Context<'_>, node: u8) {
        self.reports_orphaned(cx, node);
        let now = cx.turn.now.mono;
        let mut over = Vec::new();
        let mut waits = false;
        for session in self.table.iter_mut() {
            let state = session.state;
            let Some(link) = session.link.as_mut().filter(|l| l.owner.node() == node) else {
                continue;
            };
            if state == PlayerState::Playing {
                link.orphaned = Some(now);
                waits = true;
            } else {
                over.push(link.seat);
            }
        }
        for seat in over {
            self.end_link(cx, &seat);
        }
        if waits {
            let at = now + cx.settings.nodes.grace + TAKING_OVER;
            cx.turn.wake_at(at, Timer::Orphans);
        }
    }

    /// Launched games of a lost node have had their time to be taken over.
    pub(in crate::faf) fn orphans_timed_out(&mut self, cx: &mut Context<'_>) {
        let wait = cx.settings.nodes.grace + TAKING_OVER;
        let now = cx.turn.now.mono;
        let links = self.table.iter().filter_map(|s| s.link.as_deref());
        let over = links.filter(|link| link.orphaned.is_some_and(|since| since + wait <= now));
        let over: Vec<Seat> = over.map(|link| link.seat).collect();
        for seat in over {
            self.end_link(cx, &seat);
        }
    }

    /// Tells the shards of a node which places in their games this shard's players have.
    fn tell_seats(&mut self, cx: &mut Context<'_>, node: u8) {
        for owner in cx.topology.shards_of(node) {
            let seats = self.table.players().filter_map(|(session, player)| {
                let link = session.link.as_deref().filter(|link| link.owner == owner)?;
                Some(Seated {
                    seat: link.seat,
                    login: player.account.login.clone(),
                    is_orphan: link.orphaned.is_some(),
                })
            });
            let seats: Vec<Seated> = seats.collect();
            let mut parts: Vec<&[Seated]> = seats.chunks(SEATS).collect();
            let last = parts.pop().unwrap_or_default();
            for (seats, is_last) in parts
                .into_iter()
                .map(|part| (part, false))
                .chain([(last, true)])
            {
                let seats = seats.to_vec();
                cx.post(owner, GameMail::Seats { seats, is_last });
            }
        }
    }

    /// Another shard goes on with a launched game: it is told which of this shard's players are in it. If the game is here,
    /// it is not any more.
    pub(in crate::faf) fn game_moved(
        &mut self,
        cx: &mut Context<'_>,
        ownership: Ownership,
        uid: u32,
    ) {
        let Ownership { epoch, owner } = ownership;
        let mut seats = Vec::new();
        for session in self.table.iter_mut() {
            let login = session
                .player
                .as_ref()
                .map(|player| player.account.login.clone());
            // Whoever had it may have let them back in, without an answer that has come yet.
            let wanted = match session.awaited() {
                Some(Awaited::Restore { seat, .. }) if seat.uid == uid => Some(*seat),
                _ => None,
            };
            let link = session.link.as_deref_mut();
            let link = link.filter(|link| link.seat.uid == uid && link.ownership() <= ownership);
            let linked = link.map(|link| {
                link.follow(ownership);
                link.seat
            });
            if let (Some(seat), Some(login)) = (linked.or(wanted), login) {
                seats.push(Seated {
                    seat,
                    login,
                    is_orphan: false,
                });
            }
        }
        // Before it is told who is still in it: who has left may have reported before.
        self.reports_moved(cx, ownership, |seat| seat.uid == uid);
        cx.post(owner, GameMail::SeatsIn { uid, seats });
        cx.post(cx.turn.shard, GameMail::Moved { uid, epoch, owner });
    }

    /// A game's owner, which may be another shard than before, has them in the game.
    pub(in crate::faf) fn seat_kept(
        &mut self,
        cx: &mut Context<'_>,
        owner: ShardId,
        kept: SeatKept,
    ) {
        let SeatKept {
            seat,
            is_playing,
            epoch,
        } = kept;
        let session = self.table.get_mut(seat.conn);
        let Some(link) = session.and_then(|session| session.link_at(&seat)) else {
            if self.awaits_return(&seat) {
                let answer = RestoreAnswer {
                    seat,
                    verdict: Ok(false),
                    epoch,
                };
                return self.restore_answered(cx, owner, answer);
            }
            // They have left it since, and whoever had it then was told.
            let left = GameReport::Leave(Leaving::Lost);
            return cx.post(owner, GameMail::report(seat, left));
        };
        let ownership = Ownership { epoch, owner };
        if link.ownership() > ownership {
            return; // it has moved since, and whoever says so will hear of that
        }
        link.follow(ownership);
        self.reports_moved(cx, ownership, |kept| *kept == seat);
        if is_playing {
            self.set_playing(cx, &seat);
        }
    }

    fn awaits_return(&self, seat: &Seat) -> bool {
        let awaited = self.table.get(seat.conn).and_then(Session::awaited);
        matches!(awaited, Some(Awaited::Restore { seat: wanted, .. }) if wanted == seat)
    }

    /// Their relation to a game is over; nobody is told.
    fn end_link(&mut self, cx: &mut Context<'_>, seat: &Seat) {
        let session = self.table.get_mut(seat.conn);
        let Some(session) = session.filter(|session| session.link.is_some()) else {
            return;
        };
        session.link = None;
        self.reports_lost(cx, seat);
        let conn: ConnId = seat.conn;
        self.set_state(cx, conn, PlayerState::Idle);
    }
}
