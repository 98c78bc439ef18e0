//! Reporting to a game's owner on another node, which may be lost (`reports`).

use std::time::Duration;

use crate::{
    ShardId,
    faf::{
        context::Context,
        mail::game::{GameMail, GameReport},
        model::{
            player_state::PlayerState,
            seat::{Ownership, Seat},
        },
        session::{nodes::TAKING_OVER, sessions::Sessions, table::Link},
    },
};

/// How long after a player has left their game what they have reported is kept: a machine that went silent is put out
/// after 7 s at the latest.
const AFTER_LEAVING: Duration = Duration::from_secs(15);

impl Sessions {
    /// A player's game has something for its owner.
    pub(in crate::faf) fn report(&mut self, cx: &mut Context<'_>, seat: &Seat, report: GameReport) {
        let Some(session) = self.table.get_mut(seat.conn) else {
            return;
        };
        let is_playing = session.state == PlayerState::Playing;
        let Some(link) = session.link_at(seat) else {
            return;
        };
        link.reported += 1;
        let link = *link;
        self.report_by(cx, &link, is_playing, link.reported, report);
    }

    /// The last thing of a player who was in a game, which this was: they have left it.
    pub(in crate::faf) fn report_leaving(
        &mut self,
        cx: &mut Context<'_>,
        link: &Link,
        is_playing: bool,
        report: GameReport,
    ) {
        self.report_by(cx, link, is_playing, link.reported + 1, report);
        let now = cx.turn.now.mono;
        let wait = match link.orphaned {
            Some(_) => cx.settings.nodes.grace + TAKING_OVER,
            None => AFTER_LEAVING,
        };
        if let Some(kept) = self.reports.seats.get_mut(&link.seat) {
            kept.until = Some(now + wait);
        }
    }

    fn report_by(
        &mut self,
        cx: &mut Context<'_>,
        link: &Link,
        is_playing: bool,
        number: u32,
        report: GameReport,
    ) {
        let owner = link.owner_now(cx.topology);
        let seat = link.seat;
        if !is_playing || link.owner.node() == cx.topology.standing().node {
            return cx.post(owner, GameMail::report(seat, report));
        }
        self.reports.forget_old(cx.turn.now.mono);
        let kept = self.reports.keep(link, number, &report);
        if kept.is_none() {
            cx.metrics.reports_not_kept.up();
        }
        let before = kept.unwrap_or_default();
        let mail = GameMail::Report {
            seat,
            report,
            number: kept.map_or(0, |_| number),
            before,
        };
        cx.post(owner, mail);
    }

    /// Says again whatever is kept for these, in its order.
    fn report_again(&self, cx: &mut Context<'_>, is_meant: impl Fn(&Seat, ShardId) -> bool) {
        for (seat, kept) in &self.reports.seats {
            let target = kept.target(cx.topology, seat.uid);
            if !is_meant(seat, target) {
                continue;
            }
            let mut before = 0;
            for (number, report) in &kept.reports {
                cx.metrics.reports_again.up();
                let mail = GameMail::Report {
                    seat: *seat,
                    report: report.clone(),
                    number: *number,
                    before,
                };
                cx.post(target, mail);
                before = *number;
            }
        }
    }

    /// What was said to a node is lost, or the lane to it begins.
    pub(in crate::faf) fn reports_missed(&mut self, cx: &mut Context<'_>, node: u8) {
        self.report_again(cx, |_, target| target.node() == node);
    }

    /// A node is lost: whoever would go on with its games hears what it may not have told.
    pub(in crate::faf) fn reports_orphaned(&mut self, cx: &mut Context<'_>, node: u8) {
        let now = cx.turn.now.mono;
        self.reports.forget_old(now);
        let mut orphans = Vec::new();
        for (seat, kept) in &mut self.reports.seats {
            if kept.owner.node() == node && !kept.is_orphan {
                kept.is_orphan = true;
                let wait = cx.settings.nodes.grace + TAKING_OVER;
                kept.until = kept.until.map(|_| now + wait);
                orphans.push(*seat);
            }
        }
        self.report_again(cx, |seat, _| orphans.contains(seat));
    }

    /// A shard goes on with a game, or still has it: it hears what it may not have heard.
    pub(in crate::faf) fn reports_moved(
        &mut self,
        cx: &mut Context<'_>,
        ownership: Ownership,
        is_meant: impl Fn(&Seat) -> bool,
    ) {
        let mut moved = Vec::new();
        for (seat, kept) in &mut self.reports.seats {
            let (epoch, owner) = (kept.epoch, kept.owner);
            let before = Ownership { epoch, owner };
            if is_meant(seat) && before <= ownership {
                let goes_on = owner == ownership.owner && !kept.is_orphan;
                (kept.owner, kept.epoch, kept.is_orphan) =
                    (ownership.owner, ownership.epoch, false);
                moved.extend((!goes_on).then_some(*seat));
            }
        }
        self.report_again(cx, |seat, _| moved.contains(seat));
    }

    /// Two nodes have what was reported from this place, up to this number.
    pub(in crate::faf) fn reports_safe(&mut self, seat: &Seat, number: u32) {
        self.reports.safe(seat, number);
    }

    /// Nobody goes on with this game.
    pub(in crate::faf) fn reports_lost(&mut self, cx: &mut Context<'_>, seat: &Seat) {
        let lost = self.reports.forget(seat);
        cx.metrics.reports_lost.add(lost);
    }
}
