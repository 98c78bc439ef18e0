//! Launched games outlive the nodes that have them. From its launch on a game's owner tells another node how it is, whole,
//! whenever it has changed; the two agree on which without a word, by the order in which nodes are responsible for the game's
//! number. When the owner's node is lost that one goes on with the game, as soon as somebody says something to it or wants back
//! in, at the latest when the grace is over: it tells everybody, with an epoch one higher, and writes down what is not yet.
//!
//! An owner that was not lost but only cut off hears of the higher epoch when it is back: it sends what it has heard, and has
//! the game no more. Whatever was written down twice by that is written down once: the store looks first.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use serde::{Deserialize, Serialize};

use crate::{
    ShardId,
    faf::{
        context::{Context, Timer},
        game::{
            games::Games,
            shadow::{self, Shadow},
            state::{Game, GameState},
        },
        ledger::{Launched, Record},
        mail::{
            directory::DirectoryMail,
            game::{GameMail, GamePart, GameReport, Leaving, Seated},
            session::SessionMail,
        },
        model::{
            limits::HEARD_SEATS,
            seat::{Ownership, Seat},
        },
        topology::Change,
    },
    kept,
};

/// How long a change waits for others, before another node is told of all of them.
const PAUSE: Duration = Duration::from_millis(100);
/// How long what was said to a lost owner waits here until this node has heard that it is lost.
const DOUBT: Duration = Duration::from_secs(1);
/// Bytes of a part: a letter between nodes may have 256 KiB.
const PART_BYTES: usize = 128 << 10;

/// A launched game in its written form.
#[derive(Serialize, Deserialize)]
struct KeptGame {
    /// None: it is over, and all have left.
    game: Option<Box<Game>>,
    launched: Option<Launched>,
    /// What is not written down yet, or may not be.
    records: Vec<Arc<Record>>,
}

impl Games {
    /// Something has happened to a game: if it was launched, its shadow is to hear of it.
    pub(in crate::faf) fn shadow_later(&mut self, cx: &mut Context<'_>, uid: u32) {
        let game = self.games.get(&uid);
        let is_launched = game.is_some_and(|game| game.launched_at.is_some());
        let told = self.told_shadows.get(&uid);
        if cx.topology.is_clustered() && (is_launched || told.is_some()) {
            // Whoever knows nothing of it is told at once: the owner may die the next moment.
            let next = cx.topology.next_owner(uid, cx.topology.standing().node);
            if is_launched && told != next.as_ref() {
                return self.tell_shadow(cx, uid);
            }
            if self.unshadowed.is_empty() {
                cx.turn.wake_at(cx.turn.now.mono + PAUSE, Timer::Shadows);
            }
            self.unshadowed.insert(uid);
        }
    }

    /// Tells shadows of what has changed.
    pub(in crate::faf) fn tell_shadows(&mut self, cx: &mut Context<'_>) {
        for uid in std::mem::take(&mut self.unshadowed) {
            self.tell_shadow(cx, uid);
        }
    }

    fn tell_shadow(&mut self, cx: &mut Context<'_>, uid: u32) {
        self.unshadowed.remove(&uid);
        let own = cx.topology.standing().node;
        let game = self.games.get(&uid);
        let is_over =
            game.is_none_or(|game| game.state == GameState::Ended) && self.ledger.is_written(uid);
        let epoch = game.map_or(0, |game| game.epoch);
        let next = cx.topology.next_owner(uid, own).filter(|_| !is_over);
        let told = self.told_shadows.remove(&uid);
        if let Some(told) = told.filter(|told| Some(*told) != next) {
            cx.post(told, GameMail::ShadowOver { uid });
        }
        if told.is_some() && is_over {
            // It is written down, all of it.
            let heard = game.map(|game| game.heard.clone());
            for (seat, number) in heard.into_iter().flatten() {
                cx.post(seat.conn.shard, SessionMail::ReportsSafe { seat, number });
            }
        }
        if let Some(next) = next {
            self.told_shadows.insert(uid, next);
            for part in self.written_parts(cx, uid, epoch) {
                cx.post(next, GameMail::Shadow(part));
            }
        }
    }

    fn written_parts(&mut self, cx: &Context<'_>, uid: u32, epoch: u32) -> Vec<GamePart> {
        self.told_of_shadows += 1;
        let (launched, records) = self.ledger.unwritten(uid);
        let kept = kept::encode(&KeptGame {
            game: self.games.get(&uid).cloned(),
            launched,
            records,
        });
        let count = kept.len().div_ceil(PART_BYTES);
        let game = self.games.get(&uid);
        let heard = game.map_or(&[][..], |game| &game.heard[..]);
        let parts = kept.chunks(PART_BYTES).enumerate();
        let part = |(index, bytes): (usize, &[u8])| GamePart {
            uid,
            epoch,
            number: self.told_of_shadows,
            at: cx.turn.now,
            index: index as u32,
            is_last: index + 1 == count,
            bytes: bytes.to_vec().into(),
            heard: match index + 1 == count {
                true => heard.to_vec(),
                false => Vec::new(),
            },
        };
        parts.map(part).collect()
    }

    /// Nodes have come or gone, or a lane has broken: those that are shadows now are told everything.
    fn tell_all_shadows(&mut self, cx: &mut Context<'_>) {
        let told = self.told_shadows.keys().copied();
        let launched = self
            .games
            .values()
            .filter(|game| game.launched_at.is_some());
        let launched = launched.map(|game| game.uid);
        let mut uids: Vec<u32> = told.chain(launched).collect();
        uids.sort_unstable();
        uids.dedup();
        for uid in uids {
            self.shadow_later(cx, uid);
        }
    }

    /// What this node knows of the others has changed.
    pub(in crate::faf) fn shadows_follow(&mut self, cx: &mut Context<'_>, change: &Change) {
        for &node in &change.lost {
            self.heard.retain(|_, (from, _)| from.node() != node);
            let mut waits = false;
            let mut wanted = Vec::new();
            for (&uid, shadow) in &mut self.shadows {
                if shadow.owner.node() == node {
                    (shadow.is_orphan, waits) = (true, true);
                    wanted.extend(shadow.has_early().then_some(uid));
                }
            }
            if waits {
                let at = cx.turn.now.mono + cx.settings.nodes.grace;
                cx.turn.wake_at(at, Timer::TakeOver(node));
            }
            wanted.sort_unstable();
            for uid in wanted {
                self.take_over(cx, uid);
            }
        }
        if !change.lost.is_empty() || !change.new.is_empty() {
            self.tell_all_shadows(cx);
        }
        for &node in &change.new {
            self.claim_moved(cx, node);
        }
    }

    /// What was said to a node is lost.
    pub(in crate::faf) fn shadows_missed(&mut self, cx: &mut Context<'_>, node: u8) {
        self.tell_all_shadows(cx);
        self.claim_moved(cx, node);
    }

    /// A node may not have heard which games are here that were another's.
    fn claim_moved(&mut self, cx: &mut Context<'_>, node: u8) {
        let moved = self.games.values().filter(|game| game.epoch > 0);
        let mut moved: Vec<(u32, u32)> = moved.map(|game| (game.uid, game.epoch)).collect();
        moved.sort_unstable();
        for (uid, epoch) in moved {
            cx.turn
                .mail_node(node, DirectoryMail::GameHere { uid }.into());
            cx.turn
                .mail_node(node, SessionMail::GameMoved { uid, epoch }.into());
            self.changed(uid);
        }
    }

    /// A game's owner tells how it is.
    pub(in crate::faf) fn shadow_told(
        &mut self,
        cx: &mut Context<'_>,
        from: ShardId,
        part: GamePart,
    ) {
        let uid = part.uid;
        let ownership = Ownership {
            epoch: part.epoch,
            owner: from,
        };
        let game = self.games.get(&uid);
        if game.is_some_and(|game| game.ownership(cx.turn.shard) > ownership) {
            return; // it has moved here, and the other one will hear of that
        }
        let Some(bytes) = self.parts_of(from, &part) else {
            return;
        };
        let before = self.shadows.remove(&uid);
        let before = match before {
            Some(newer) if newer.ownership() > ownership => {
                self.shadows.insert(uid, newer);
                return;
            }
            before => before,
        };
        // It can't be lost with its owner any more.
        let known = before
            .as_ref()
            .map_or(&[][..], |before| &before.reports[..]);
        for &(seat, number) in part.heard.iter().filter(|heard| !known.contains(heard)) {
            cx.post(seat.conn.shard, SessionMail::ReportsSafe { seat, number });
        }
        let shadow = Shadow::new(from, &part, bytes, cx.turn.now);
        self.shadows.insert(uid, shadow);
        let early = before.map(|mut before| before.take_early());
        for mail in early.into_iter().flatten() {
            cx.post(from, mail);
        }
    }

    /// Puts the parts of a written game together; gives it when it is whole.
    fn parts_of(&mut self, from: ShardId, part: &GamePart) -> Option<Vec<u8>> {
        let key = part.uid;
        let arriving = self
            .heard
            .entry(key)
            .or_insert_with(|| (from, Default::default()));
        if arriving.0 != from {
            *arriving = (from, Default::default());
        }
        let whole = arriving.1.add(part);
        if part.is_last || whole.is_some() {
            self.heard.remove(&key);
        }
        whole
    }

    /// What a player of this node reports to a launched game is lost with the node, and nobody says it again: the shadow hears of it
    /// at once, before the game does, so that a copy that comes later has it in it.
    pub(in crate::faf) fn tell_own_report(&self, cx: &mut Context<'_>, mail: &GameMail) {
        let GameMail::Report { seat, report, .. } = mail else {
            return;
        };
        let is_own = seat.conn.shard.node() == cx.topology.standing().node;
        let told = self.told_shadows.get(&seat.uid);
        let is_known = self.games.contains_key(&seat.uid);
        let told = told.filter(|_| is_own && is_known && shadow::is_small(report));
        if let Some(&told) = told {
            let (seat, report) = (*seat, report.clone());
            cx.post(told, GameMail::OwnReport { seat, report });
        }
    }

    /// A player of a game's owner's node has reported something.
    pub(in crate::faf) fn own_report_told(
        &mut self,
        cx: &Context<'_>,
        from: ShardId,
        seat: Seat,
        report: GameReport,
    ) {
        let shadow = self.shadows.get_mut(&seat.uid);
        let shadow = shadow.filter(|shadow| shadow.owner == from);
        if shadow.is_some_and(|shadow| !shadow.own_report(seat, report)) {
            cx.metrics.over_limit.up();
        }
    }

    /// All that is to be written down of a game is.
    pub(in crate::faf) fn shadow_over(&mut self, cx: &mut Context<'_>, from: ShardId, uid: u32) {
        let shadow = self.shadows.get(&uid);
        if shadow.is_some_and(|shadow| shadow.owner == from) {
            self.drop_shadow(cx, uid, from);
        }
    }

    /// Nothing is to be gone on with; what was said to it goes to whoever has the game.
    fn drop_shadow(&mut self, cx: &mut Context<'_>, uid: u32, owner: ShardId) {
        let shadow = self.shadows.remove(&uid);
        let early = shadow.map(|mut shadow| shadow.take_early());
        for mail in early.into_iter().flatten() {
            cx.post(owner, mail);
        }
    }

    /// Something is said about a game that is another node's; gives it back if it is to be handled here.
    pub(in crate::faf) fn for_shadow(
        &mut self,
        cx: &mut Context<'_>,
        uid: u32,
        mail: GameMail,
    ) -> Option<GameMail> {
        let Some(shadow) = self.shadows.get_mut(&uid) else {
            return Some(mail);
        };
        if shadow.is_orphan {
            self.take_over(cx, uid);
            return Some(mail);
        }
        // Whoever says so knows that its owner is lost, and this shard will, or it is back.
        let node = shadow.owner.node();
        if !shadow.wait(mail) {
            cx.metrics.over_limit.up();
        }
        cx.turn
            .wake_at(cx.turn.now.mono + DOUBT, Timer::TakeOver(node));
        None
    }

    /// Whether a report of this number is heard: once, and after those before it. One that comes before others which were lost on
    /// their way will be said again with them.
    pub(in crate::faf) fn hears(
        &mut self,
        cx: &Context<'_>,
        seat: &Seat,
        number: u32,
        before: u32,
    ) -> bool {
        let Some(game) = self.games.get_mut(&seat.uid).filter(|_| number > 0) else {
            return true;
        };
        let at = game.heard.iter().position(|(known, _)| known == seat);
        let heard = at.map_or(0, |at| game.heard[at].1);
        if number <= heard || before > heard {
            cx.metrics.reports_repeated.up();
            return false;
        }
        match at {
            Some(at) => {
                game.heard.remove(at);
            }
            None if game.heard.len() >= HEARD_SEATS => {
                game.heard.remove(0);
            }
            None => {}
        }
        game.heard.push((*seat, number));
        true
    }

    /// The grace of a lost node is over, or what was said to its games has waited long enough.
    pub(in crate::faf) fn take_over_games_of(&mut self, cx: &mut Context<'_>, node: u8) {
        let shadows = self.shadows.iter();
        let theirs = shadows.filter(|(_, shadow)| shadow.owner.node() == node);
        let mut uids: Vec<u32> = theirs.map(|(&uid, _)| uid).collect();
        uids.sort_unstable();
        for uid in uids {
            let Some(shadow) = self.shadows.get_mut(&uid) else {
                continue;
            };
            if shadow.is_orphan {
                self.take_over(cx, uid);
                continue;
            }
            let owner = shadow.owner;
            for mail in shadow.take_early() {
                cx.post(owner, mail);
            }
        }
    }

    /// Goes on with a game of a lost node.
    fn take_over(&mut self, cx: &mut Context<'_>, uid: u32) {
        let Some(mut shadow) = self.shadows.remove(&uid) else {
            return;
        };
        let kept: Result<KeptGame, _> = kept::decode(&shadow.bytes);
        let Ok(kept) = kept else {
            return cx.metrics.games_unread.up();
        };
        cx.metrics.games_taken_over.up();
        // One that is over has only to be written down.
        if let Some(mut game) = kept.game.filter(|game| game.state == GameState::Live) {
            game.goes_on(&shadow);
            let epoch = game.epoch;
            self.doubt_seats(cx, &mut game);
            self.games.insert(uid, game);
            self.changed(uid);
            cx.post_all(|| DirectoryMail::GameHere { uid });
            cx.post_all(|| SessionMail::GameMoved { uid, epoch });
        }
        self.ledger.take_over(uid, kept.launched);
        for record in kept.records {
            self.record(cx, uid, Record::clone(&record), None);
        }
        self.checked(cx, uid);
        if !self.games.contains_key(&uid) {
            self.close_book(cx, uid);
        }
        self.shadow_later(cx, uid);
        for mail in shadow.take_own_reports().chain(shadow.take_early()) {
            cx.post(cx.turn.shard, mail);
        }
    }

    /// A player wants back into a game that is not here, and was never: whoever would go on with it is asked, once.
    pub(in crate::faf) fn pass_on_return(
        &self,
        cx: &mut Context<'_>,
        from: ShardId,
        mail: &GameMail,
    ) -> bool {
        let GameMail::Restore { seat, .. } = mail else {
            return false;
        };
        let is_direct = from == seat.conn.shard && from.node() != cx.turn.shard.node();
        let is_unknown = is_direct && !self.games.contains_key(&seat.uid);
        let next = cx.topology.next_owner(seat.uid, cx.turn.shard.node());
        let next = next.filter(|_| is_unknown);
        if let Some(next) = next {
            cx.post(next, mail.clone());
        }
        next.is_some()
    }

    /// Players on nodes that are not there may come back for a while; the shards of all others say whether they are in it.
    fn doubt_seats(&self, cx: &mut Context<'_>, game: &mut Game) {
        let seats: Vec<Seat> = game.seats().copied().collect();
        let is_there = |seat: &Seat| cx.topology.has_life(seat.conn.shard);
        (game.unconfirmed, game.doubtful) = seats.into_iter().partition(is_there);
        let lost = game.doubtful.iter().map(|seat| seat.conn.shard.node());
        let mut nodes: Vec<u8> = lost.collect();
        nodes.sort_unstable();
        nodes.dedup();
        for node in nodes {
            let at = cx.turn.now.mono + cx.settings.nodes.grace;
            cx.turn.wake_at(at, Timer::LostSeats(node));
        }
    }

    /// Another shard goes on with a game that was here: it hears what was heard here, and the game is here no more.
    pub(in crate::faf) fn moved(
        &mut self,
        cx: &mut Context<'_>,
        uid: u32,
        epoch: u32,
        owner: ShardId,
    ) {
        let (here, ownership) = (cx.turn.shard, Ownership { epoch, owner });
        let shadow = self.shadows.get(&uid);
        if owner != here && shadow.is_some_and(|shadow| shadow.ownership() < ownership) {
            self.drop_shadow(cx, uid, owner);
        }
        let game = self.games.get(&uid);
        if game.is_none_or(|game| game.ownership(here) >= ownership) {
            return;
        }
        cx.metrics.games_given_up.up();
        for part in self.written_parts(cx, uid, epoch) {
            cx.post(owner, GameMail::Heard(part));
        }
        self.forget(uid);
        if let Some(told) = self.told_shadows.remove(&uid).filter(|told| *told != owner) {
            cx.post(told, GameMail::ShadowOver { uid });
        }
        self.unshadowed.remove(&uid);
    }

    /// A shard that has had this game meanwhile tells what it has heard.
    pub(in crate::faf) fn heard_elsewhere(
        &mut self,
        cx: &mut Context<'_>,
        from: ShardId,
        mut part: GamePart,
    ) {
        let uid = part.uid;
        if self.is_for_next(cx, &mut part) {
            return;
        }
        let Some(bytes) = self.parts_of(from, &part) else {
            return;
        };
        let kept: Result<KeptGame, _> = kept::decode(&bytes);
        let Ok(kept) = kept else {
            return cx.metrics.games_unread.up();
        };
        let votes = cx.settings.result_votes;
        let epoch = self.games.get(&uid).map_or(part.epoch, |game| game.epoch);
        // Their shards may believe that the other one has it. Who is in it they know.
        let seats = kept.game.iter().flat_map(|game| game.seats());
        let shards: BTreeSet<ShardId> = seats.map(|seat| seat.conn.shard).collect();
        for &shard in &shards {
            cx.post(shard, SessionMail::GameMoved { uid, epoch });
        }
        let Some(game) = self.games.get_mut(&uid) else {
            return;
        };
        let goes_on = game.state == GameState::Live;
        if let Some(other) = kept.game.filter(|_| goes_on) {
            let is_there = |seat: &Seat| cx.topology.has_life(seat.conn.shard);
            game.hear(*other, votes, is_there);
        }
        let by = game.host_id;
        game.end_check(by, cx.turn.now.unix);
        // The launch and the end are this shard's to write down.
        for record in kept.records {
            let is_ours = matches!(
                *record,
                Record::Launch(_) | Record::Ended(_) | Record::Finish(_)
            );
            if !is_ours {
                self.record(cx, uid, Record::clone(&record), None);
            }
        }
        self.changed(uid);
        self.checked(cx, uid);
        self.shadow_later(cx, uid);
    }

    /// Passes on what was heard of a game that this shard does not have any more, if it knows who has it.
    fn is_for_next(&self, cx: &mut Context<'_>, part: &mut GamePart) -> bool {
        let told = Ownership {
            epoch: part.epoch,
            owner: cx.turn.shard,
        };
        let shadow = self.shadows.get(&part.uid);
        // It grows with each step, so that nothing goes in a circle.
        let shadow = shadow.filter(|shadow| shadow.ownership() > told);
        let next = shadow.filter(|_| !self.games.contains_key(&part.uid));
        if let Some(next) = next {
            part.epoch = next.epoch;
            cx.post(next.owner, GameMail::Heard(part.clone()));
        }
        next.is_some()
    }

    /// A shard tells which of its players are in a game that has moved here.
    pub(in crate::faf) fn seats_in(
        &mut self,
        cx: &mut Context<'_>,
        from: ShardId,
        uid: u32,
        seats: Vec<Seated>,
    ) {
        let Some(game) = self.games.get(&uid) else {
            for told in seats {
                Games::not_in(cx, told.seat);
            }
            return;
        };
        let is_told = |seat: &Seat| seats.iter().any(|told| told.seat == *seat);
        // Whoever has come back since is known to their shard only when it hears that they are in.
        let unconfirmed = game.unconfirmed.iter();
        let gone = unconfirmed.filter(|seat| seat.conn.shard == from && !is_told(seat));
        let gone: Vec<Seat> = gone.copied().collect();
        let seats = seats.into_iter();
        for told in seats.filter(|told| told.seat.conn.shard == from && told.seat.uid == uid) {
            self.seat_told(cx, told);
        }
        for seat in gone {
            self.leave(cx, seat, Leaving::Lost);
        }
        self.shadow_later(cx, uid);
    }
}

impl Game {
    /// Of this shard, which has it.
    fn ownership(&self, owner: ShardId) -> Ownership {
        let epoch = self.epoch;
        Ownership { epoch, owner }
    }

    /// From now on it is this shard's.
    fn goes_on(&mut self, shadow: &Shadow) {
        self.epoch = shadow.epoch + 1;
        self.launched_mono = self.launched_mono.and_then(|at| shadow.moved(at));
        self.told = Default::default();
        self.observers_awaited = false;
        self.launching = None;
        self.removed = false;
    }
}
