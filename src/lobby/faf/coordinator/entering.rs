//! A party gets into a queue, and out of it again (spec: faf-messages 3.10, faf-matchmaking 4).
//!
//! Getting in takes two steps, because its members are on any shard: each member's shard is asked whether they may
//! search, which makes them a searching one; when all have answered the rest is checked and done in one turn. If the
//! party has changed meanwhile everything begins anew. Whoever was asked in vain is let go.

use serde::{Deserialize, Serialize};
use std::time::Duration;

use crate::faf::{
    context::{Context, Timer},
    coordinator::{
        Coordinator,
        queues::{Search, Searcher},
    },
    mail::{
        coordinator::{CannotSearch, CoordinatorRefusal, Profile, SearchWanted},
        session::CoordinatorEvent,
    },
    model::{player_state::PlayerState, seat::LoginId, time::iso8601},
    protocol::{
        matchmaking::{self, TimedOut},
        message,
    },
    rules::matchmaking::violations::party_notice,
};

/// Deviation above which a newcomer to the matchmaker is told what to expect (spec: faf-matchmaking 4.2).
const UNSURE_DEVIATION: f64 = 490.0;

/// A party that is about to search.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(in crate::faf) struct Entry {
    /// Who has asked for it; their connection is held.
    owner: LoginId,
    wanted: SearchWanted,
    /// In party order, with what their shards have said so far.
    members: Vec<(LoginId, Option<Result<Profile, CannotSearch>>)>,
}

impl Entry {
    /// Who has asked for it.
    pub(in crate::faf) fn owner(&self) -> LoginId {
        self.owner
    }

    /// Whether the word of somebody is waited for.
    pub(in crate::faf) fn waits_for(&self, is_meant: impl Fn(&LoginId) -> bool) -> bool {
        let mut members = self.members.iter();
        members.any(|(member, said)| said.is_none() && is_meant(member))
    }

    /// Whose shards have said yes.
    pub(in crate::faf) fn reserved(&self) -> Vec<LoginId> {
        self.members.iter().filter(said_yes).map(|m| m.0).collect()
    }

    /// Whether this login's shard has said yes, or may still do so.
    pub(in crate::faf) fn counts_on(&self, login_id: &LoginId) -> bool {
        let mut members = self.members.iter();
        members.any(|(member, said)| member == login_id && !matches!(said, Some(Err(_))))
    }
}

/// Whether a member's shard has said yes.
fn said_yes((_, said): &&(LoginId, Option<Result<Profile, CannotSearch>>)) -> bool {
    matches!(said, Some(Ok(_)))
}

/// Whether somebody in this state has been matched since their shard said yes.
fn is_matched(state: &PlayerState) -> bool {
    *state == PlayerState::StartingAutomatch
}

impl Coordinator {
    /// The owner of a party wants it in a queue. `None`: they are answered later.
    pub(in crate::faf) fn search_wanted(
        &mut self,
        cx: &mut Context<'_>,
        owner: LoginId,
        wanted: SearchWanted,
    ) -> Option<Result<(), CoordinatorRefusal>> {
        let party_owner = self.owner_of(owner.player_id);
        if party_owner.is_some_and(|other| other != owner.player_id) {
            return Some(Err(CoordinatorRefusal::SearchByMember));
        }
        self.ask_members(cx, owner, wanted, Vec::new());
        None
    }

    /// Asks the shards of all members of the party; `reserved` have said yes before.
    fn ask_members(
        &mut self,
        cx: &mut Context<'_>,
        owner: LoginId,
        wanted: SearchWanted,
        reserved: Vec<LoginId>,
    ) {
        let members = self.guests_of_party(owner.player_id);
        let queue = self.matchmaker.queue_named(&wanted.queue);
        let rating_type = queue.map(|queue| queue.setup.rating_type.clone());
        let id = self.matchmaker.next_id();
        let entry = Entry {
            owner,
            wanted,
            members: members.iter().map(|&login_id| (login_id, None)).collect(),
        };
        self.matchmaker.entries.insert(id, entry);
        for login_id in reserved
            .iter()
            .filter(|login_id| !members.contains(login_id))
        {
            self.release(cx, login_id);
        }
        for login_id in members {
            let event = CoordinatorEvent::Reserve {
                entry: id,
                rating_type: rating_type.clone(),
            };
            self.tell_shard_of(cx, login_id, event);
        }
    }

    /// A member's shard has answered.
    pub(in crate::faf) fn member_reserved(
        &mut self,
        cx: &mut Context<'_>,
        login_id: LoginId,
        id: u64,
        said: Result<Profile, CannotSearch>,
    ) {
        // Of a match that was found meanwhile their shard had not heard.
        if said.is_ok()
            && let Some(online) = self.member_mut(&login_id)
            && online.state != PlayerState::StartingAutomatch
        {
            online.state = PlayerState::SearchingLadder;
        }
        let Some(entry) = self.matchmaker.entries.get_mut(&id) else {
            // Who asked is gone.
            return self.release(cx, &login_id);
        };
        if let Some((_, answer)) = entry.members.iter_mut().find(|(g, _)| *g == login_id) {
            *answer = Some(said);
        }
        if entry.members.iter().all(|(_, said)| said.is_some()) {
            self.all_have_answered(cx, id);
        }
    }

    fn all_have_answered(&mut self, cx: &mut Context<'_>, id: u64) {
        let Some(entry) = self.matchmaker.entries.remove(&id) else {
            return;
        };
        let Entry {
            owner,
            wanted,
            members,
        } = entry;
        let asked: Vec<LoginId> = members.iter().map(|(login_id, _)| *login_id).collect();
        let reserved: Vec<LoginId> = members.iter().filter(said_yes).map(|m| m.0).collect();
        if self.guests_of_party(owner.player_id) != asked {
            return self.ask_members(cx, owner, wanted, reserved);
        }
        let verdict = self.may_enter(cx, &owner, wanted, members);
        for login_id in &reserved {
            self.release(cx, login_id);
        }
        self.answer(cx, owner, verdict);
    }

    /// The checks in their order, and then the search.
    fn may_enter(
        &mut self,
        cx: &mut Context<'_>,
        owner: &LoginId,
        wanted: SearchWanted,
        members: Vec<(LoginId, Option<Result<Profile, CannotSearch>>)>,
    ) -> Result<(), CoordinatorRefusal> {
        let mut searchers = Vec::with_capacity(members.len());
        for (login_id, said) in members {
            match said {
                Some(Ok(profile)) => {
                    let online = self.member(login_id.player_id);
                    if let Some(state) = online.map(|v| v.state).filter(is_matched) {
                        let login = profile.login;
                        return Err(CoordinatorRefusal::MemberBusy { login, state });
                    }
                    searchers.push(Searcher { login_id, profile });
                }
                Some(Err(CannotSearch::Busy { login, state })) => {
                    return Err(CoordinatorRefusal::MemberBusy { login, state });
                }
                Some(Err(CannotSearch::Ending)) => return Err(CoordinatorRefusal::Disabled),
                // A party with somebody who is gone has changed.
                Some(Err(CannotSearch::Gone)) | None => return Ok(()),
            }
        }
        if !wanted.start {
            return Ok(());
        }
        let queue = self.matchmaker.queue_named(&wanted.queue);
        let queue = queue.ok_or(CoordinatorRefusal::BadValue)?;
        let (queue, team_size) = (queue.setup.id, queue.setup.team_size as usize);
        if searchers.len() > team_size {
            return Err(CoordinatorRefusal::PartyTooLarge);
        }
        if let Some(factions) = wanted.factions {
            self.choose_factions(owner.player_id, factions?);
        }
        if cx.is_ending() {
            return Err(CoordinatorRefusal::Disabled);
        }
        if !self.is_timed_out(cx, &wanted.queue, &searchers) {
            self.begin_search(cx, queue, &wanted.queue, searchers);
        }
        Ok(())
    }

    /// Whether somebody of the party may not search for a while; then all are told (spec: faf-matchmaking 10.2).
    fn is_timed_out(&mut self, cx: &mut Context<'_>, queue: &str, searchers: &[Searcher]) -> bool {
        let rules = &cx.settings.matchmaking.violations;
        let violations = &self.matchmaker.violations;
        let banned = searchers.iter().filter_map(|searcher| {
            let time_out = violations.time_out(searcher.login_id.player_id, cx.turn.now, rules)?;
            Some((searcher, time_out))
        });
        let banned: Vec<_> = banned.collect();
        let Some(longest) = banned.iter().map(|(_, time_out)| time_out.left).max() else {
            return false;
        };
        let names: Vec<&str> = banned.iter().map(|(s, _)| &*s.profile.login).collect();
        let notice = message::notice("info", &party_notice(&names, longest));
        let timeouts: Vec<TimedOut> = banned
            .iter()
            .map(|(searcher, time_out)| TimedOut {
                player: searcher.login_id.player_id,
                expires_at: iso8601(time_out.ends_at),
            })
            .collect();
        let timeout = matchmaking::search_timeout(&timeouts);
        let stop = matchmaking::search_info(queue, false);
        for searcher in searchers {
            for body in [&timeout, &stop, &notice] {
                self.tell_member(cx, searcher.login_id.player_id, body.clone());
            }
        }
        true
    }

    fn begin_search(
        &mut self,
        cx: &mut Context<'_>,
        queue: u32,
        name: &str,
        members: Vec<Searcher>,
    ) {
        let login_ids: Vec<LoginId> = members.iter().map(|member| member.login_id).collect();
        for login_id in &login_ids {
            if let Some(id) = self.matchmaker.search_in(login_id.player_id, queue) {
                self.cancel_search(cx, id, &login_ids);
            }
        }
        let start = matchmaking::search_info(name, true);
        for member in &members {
            let id = member.login_id.player_id;
            let Some(online) = self.member_mut(&member.login_id) else {
                continue;
            };
            let is_new = !std::mem::replace(&mut online.knows_matchmaker, true);
            if is_new && member.profile.rating.deviation > UNSURE_DEVIATION {
                let welcome = message::notice("info", matchmaking::WELCOME);
                self.tell_member(cx, id, welcome);
            }
            self.tell_member(cx, id, start.clone());
        }
        cx.metrics.searches.up();
        self.matchmaker.add(Search {
            queue,
            members,
            failed_attempts: 0,
            since: cx.turn.now.mono,
        });
    }

    /// A player wants no more of a queue; whoever searches with them neither (spec: faf-matchmaking 4.3).
    pub(in crate::faf) fn stop_search(
        &mut self,
        cx: &mut Context<'_>,
        login_id: LoginId,
        queue: &str,
    ) {
        let queue = self.matchmaker.queue_named(queue);
        let Some(queue) = queue.map(|queue| queue.setup.id) else {
            return;
        };
        if let Some(id) = self.matchmaker.search_in(login_id.player_id, queue) {
            self.cancel_search(cx, id, &[]);
        }
    }

    /// The same for all queues, in the order they were joined.
    pub(in crate::faf) fn stop_searches(&mut self, cx: &mut Context<'_>, player_id: u32) {
        for id in self.matchmaker.searches_of(player_id).to_vec() {
            self.cancel_search(cx, id, &[]);
        }
    }

    /// Ends a search without a match. `staying` search on in another one.
    pub(in crate::faf) fn cancel_search(
        &mut self,
        cx: &mut Context<'_>,
        id: u64,
        staying: &[LoginId],
    ) {
        let Some(search) = self.matchmaker.remove(id) else {
            return;
        };
        cx.metrics.searches_cancelled.up();
        let queue = self.matchmaker.queue(search.queue);
        let Some(name) = queue.map(|queue| queue.setup.name.clone()) else {
            return;
        };
        cx.metrics
            .search_cancelled(&name, &search, cx.turn.now.mono);
        let stop = matchmaking::search_info(&name, false);
        for member in &search.members {
            self.tell_member(cx, member.login_id.player_id, stop.clone());
            if !staying.contains(&member.login_id) {
                self.release(cx, &member.login_id);
            }
        }
    }

    /// Makes a searching player an idle one, unless something still counts on them.
    pub(in crate::faf) fn release(&mut self, cx: &mut Context<'_>, login_id: &LoginId) {
        if self.matchmaker.is_wanted(login_id) {
            return;
        }
        let Some(online) = self.member_mut(login_id) else {
            return;
        };
        if online.state == PlayerState::SearchingLadder {
            online.state = PlayerState::Idle;
            self.tell_shard_of(cx, *login_id, CoordinatorEvent::Release);
        }
    }

    /// A player is gone: what they were about to begin is not begun.
    pub(in crate::faf) fn forget_entries(&mut self, cx: &mut Context<'_>, owner: &LoginId) {
        self.drop_entries(cx, |entry| entry.owner == *owner);
    }

    /// These parties do not begin to search; gives who has asked for it.
    pub(in crate::faf) fn drop_entries(
        &mut self,
        cx: &mut Context<'_>,
        is_meant: impl Fn(&Entry) -> bool,
    ) -> Vec<LoginId> {
        let entries = self.matchmaker.entries.iter();
        let meant = entries.filter(|(_, entry)| is_meant(entry));
        let ids: Vec<u64> = meant.map(|(&id, _)| id).collect();
        let mut owners = Vec::with_capacity(ids.len());
        for id in ids {
            let Some(entry) = self.matchmaker.entries.remove(&id) else {
                continue;
            };
            owners.push(entry.owner());
            for login_id in &entry.reserved() {
                self.release(cx, login_id);
            }
        }
        owners
    }

    /// Players who let a match fail (spec: faf-matchmaking 10.1).
    pub(in crate::faf) fn register_violations(&mut self, cx: &mut Context<'_>, players: &[u32]) {
        let settings = cx.settings.clone();
        let rules = &settings.matchmaking.violations;
        if !rules.enabled {
            return;
        }
        for &player_id in players {
            let matchmaker = &mut self.matchmaker;
            let violation = matchmaker
                .violations
                .register(player_id, cx.turn.now, rules);
            cx.metrics.violations.up();
            let Some(conn) = cx.directory.player(player_id).map(|player| player.conn) else {
                continue;
            };
            let time = iso8601(violation.at.unix);
            let told = matchmaking::search_violation(violation.count, &time);
            self.tell(cx, conn, player_id, told);
            let notice = message::notice("info", &violation.notice(rules));
            self.tell(cx, conn, player_id, notice);
        }
        self.sweep_if_needed(cx);
    }

    /// While there are violations they are looked through from time to time.
    pub(in crate::faf) fn sweep_if_needed(&mut self, cx: &mut Context<'_>) {
        let matchmaker = &mut self.matchmaker;
        let is_due = !matchmaker.violations.is_empty();
        if is_due && !std::mem::replace(&mut matchmaker.sweeping, true) {
            self.sweep_later(cx);
        }
    }

    fn sweep_later(&self, cx: &mut Context<'_>) {
        /// Between two looks at which violations are long ago (spec: faf-matchmaking 10.1).
        const SWEEP_INTERVAL: Duration = Duration::from_secs(5);
        cx.turn
            .wake_at(cx.turn.now.mono + SWEEP_INTERVAL, Timer::Violations);
    }

    /// Violations that are long ago are forgotten.
    pub(in crate::faf) fn sweep_violations(&mut self, cx: &mut Context<'_>) {
        let matchmaker = &mut self.matchmaker;
        let rules = &cx.settings.matchmaking.violations;
        matchmaker.violations.sweep(cx.turn.now, rules);
        matchmaker.sweeping = !matchmaker.violations.is_empty();
        if matchmaker.sweeping {
            self.sweep_later(cx);
        }
    }
}
