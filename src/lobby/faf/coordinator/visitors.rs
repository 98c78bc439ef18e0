//! The coordinator asks shards who of their players has been introduced, and which matches' games they have: all shards when
//! it has taken over, those of a node when that is new or the lane to it has broken. What they say holds, and what was
//! believed here of their players follows.

use crate::{
    ShardId,
    faf::{
        context::Context,
        coordinator::{
            Coordinator,
            matches::Match,
            tenure::{Asked, Stage},
        },
        mail::{
            coordinator::{CoordinatorRefusal, MatchReport, Visitor},
            game::GameMail,
            session::{CoordinatorEvent, SessionMail},
        },
        model::{player_state::PlayerState, seat::LoginId},
        topology::Change,
    },
};

impl Coordinator {
    /// Asks these shards who is there, and what.
    pub(in crate::faf) fn introduce(&mut self, cx: &mut Context<'_>, shards: Vec<ShardId>) {
        let tenure = self.tenure_mut();
        tenure.rounds += 1;
        let (round, term) = (tenure.rounds, tenure.term);
        let asked = Asked {
            round,
            owes_visitors: true,
            owes_matches: true,
        };
        tenure
            .asked
            .extend(shards.iter().map(|&shard| (shard, asked)));
        for shard in shards {
            self.say(cx, shard, SessionMail::Introduce { round });
            cx.post(shard, GameMail::TellMatches { round, term });
        }
    }

    /// Nodes have come, or are lost: who was there has left, and so have the games there.
    pub(in crate::faf) fn nodes_changed(&mut self, cx: &mut Context<'_>, change: &Change) {
        for &node in &change.lost {
            self.node_lost(cx, node);
        }
        match &self.tenure_mut().stage {
            Stage::Gathering(_) => {
                for &node in &change.lost {
                    self.inherited(cx, node, None);
                }
            }
            _ => {
                let new = change.new.iter();
                let shards = new.flat_map(|&node| cx.topology.shards_of(node)).collect();
                self.introduce(cx, shards);
            }
        }
        self.settle_if_heard(cx);
    }

    fn node_lost(&mut self, cx: &mut Context<'_>, node: u8) {
        let tenure = self.tenure_mut();
        tenure.asked.retain(|shard, _| shard.node() != node);
        if tenure.heir == Some(node) {
            tenure.heir = None;
        }
        let is_there = |login_id: &LoginId| login_id.conn.shard.node() == node;
        let asked = self.drop_entries(cx, |entry| entry.waits_for(is_there));
        self.refuse(cx, asked);
        // Nobody is to blame, so before anybody has left.
        let is_hosted = |found: &Match| found.host_shard().is_some_and(|host| host.node() == node);
        self.cancel_matches(cx, |found| match found.is_opened() {
            true => is_hosted(found),
            false => found.has_any(is_there),
        });
        for login_id in self.members_where(is_there) {
            self.coordinator_left(cx, login_id);
        }
    }

    /// These members, in the order of their ids.
    fn members_where(&self, is_meant: impl Fn(&LoginId) -> bool) -> Vec<LoginId> {
        let members = self.members().map(|member| member.login_id);
        let mut meant: Vec<LoginId> = members.filter(is_meant).collect();
        meant.sort_unstable_by_key(|login_id| login_id.player_id);
        meant
    }

    /// What was under way to a node and from it is lost.
    pub(in crate::faf) fn lane_broken(&mut self, cx: &mut Context<'_>, node: u8) {
        if self.tenure.is_none() {
            return;
        }
        if let Stage::Gathering(_) = self.tenure_mut().stage {
            return self.inherited(cx, node, None);
        }
        self.tenure_mut().heir = None;
        let is_there = |login_id: &LoginId| login_id.conn.shard.node() == node;
        let asked = self.drop_entries(cx, |entry| entry.waits_for(is_there));
        self.refuse(cx, asked);
        self.cancel_matches(cx, |found| found.waits_for(is_there));
        let shards = cx.topology.shards_of(node).collect();
        self.introduce(cx, shards);
    }

    fn refuse(&self, cx: &mut Context<'_>, asked: Vec<LoginId>) {
        for login_id in asked {
            self.answer(cx, login_id, Err(CoordinatorRefusal::OutOfTouch));
        }
    }

    /// The question that a shard answers, if it is the last that it was asked.
    fn asked(&mut self, from: ShardId, round: u64) -> Option<&mut Asked> {
        let asked = self.tenure_mut().asked.get_mut(&from);
        asked.filter(|asked| asked.round == round)
    }

    /// A shard tells who of its players has been introduced.
    pub(in crate::faf) fn visitors_told(
        &mut self,
        cx: &mut Context<'_>,
        from: ShardId,
        round: u64,
        visitors: Vec<Visitor>,
        is_last: bool,
    ) {
        if self.asked(from, round).is_none() {
            return;
        }
        for visitor in visitors.iter().filter(|v| v.login_id.conn.shard == from) {
            self.vouched(cx, visitor, round);
        }
        if !is_last {
            return;
        }
        let is_named = |id: u32| self.member(id).is_some_and(|member| member.named >= round);
        let gone = self.members_where(|who| who.conn.shard == from && !is_named(who.player_id));
        for login_id in gone {
            self.coordinator_left(cx, login_id);
        }
        if let Some(asked) = self.asked(from, round) {
            asked.owes_visitors = false;
        }
        self.settle_if_heard(cx);
    }

    /// A shard vouches for one of its players.
    fn vouched(&mut self, cx: &mut Context<'_>, visitor: &Visitor, round: u64) {
        let &Visitor {
            login_id,
            state,
            match_id,
        } = visitor;
        let player_id = login_id.player_id;
        if self.member_mut(&login_id).is_none() {
            self.coordinator_entered(cx, login_id, state);
            let tenure = self.tenure_mut();
            let owner = tenure.seated.get(&player_id).copied();
            let is_welcomed = tenure.welcomed.contains(&player_id);
            let Some(member) = self.member_mut(&login_id) else {
                return; // somebody else is the player now
            };
            (member.party, member.knows_matchmaker) = (owner, is_welcomed);
        }
        let matches = self.matchmaker.matches.iter();
        let mut matches = matches.filter(|(_, found)| found.has(&login_id));
        let is_told = matches.any(|(_, found)| found.waits_for(|other| *other == login_id));
        if let Some(member) = self.member_mut(&login_id) {
            member.named = round;
            // Of a match that was found meanwhile their shard had not heard.
            if !is_told || self.is_settling() {
                self.set_state_of(&login_id, state);
            }
        }
        match state {
            PlayerState::SearchingLadder if is_told && !self.is_settling() => {}
            PlayerState::SearchingLadder if self.matchmaker.is_wanted(&login_id) => {}
            PlayerState::SearchingLadder => {
                self.set_state_of(&login_id, PlayerState::Idle);
                self.tell_shard_of(cx, login_id, CoordinatorEvent::NotSearching);
            }
            PlayerState::StartingAutomatch => self.vouched_in_match(cx, login_id, match_id),
            _ => self.stop_searches(cx, player_id),
        }
    }

    fn set_state_of(&mut self, login_id: &LoginId, state: PlayerState) {
        if let Some(member) = self.member_mut(login_id) {
            member.state = state;
        }
    }

    fn vouched_in_match(&mut self, cx: &mut Context<'_>, login_id: LoginId, match_id: u64) {
        let is_settling = self.is_settling();
        let found = self.matchmaker.matches.get_mut(&match_id);
        match found.filter(|found| found.has(&login_id)) {
            Some(found) if is_settling => found.answers(&login_id),
            Some(_) => {}
            None if is_settling => self.tenure_mut().matched.push((login_id, match_id)),
            None => self.tell_shard_of(cx, login_id, CoordinatorEvent::MatchLost { match_id }),
        }
    }

    fn is_settling(&self) -> bool {
        let tenure = self.tenure.as_ref();
        tenure.is_some_and(|tenure| matches!(tenure.stage, Stage::Settling { .. }))
    }

    /// Whether somebody is known and searches.
    pub(in crate::faf) fn is_searching(&self, login_id: &LoginId) -> bool {
        let member = self.member(login_id.player_id);
        member.is_some_and(|member| {
            member.login_id == *login_id && member.state == PlayerState::SearchingLadder
        })
    }

    /// A shard tells which matches' games it has.
    pub(in crate::faf) fn matches_told(
        &mut self,
        cx: &mut Context<'_>,
        from: ShardId,
        round: u64,
        matches: Vec<MatchReport>,
        is_last: bool,
    ) {
        if self.asked(from, round).is_none() {
            return;
        }
        for report in matches {
            self.match_reported(cx, report, round);
        }
        if !is_last {
            return;
        }
        // Those of which the shard does not know: it never heard of them, or they are over.
        let is_gone =
            |found: &&Match| found.host_shard() == Some(from) && found.is_older_than(round);
        let gone = self.matchmaker.matches.iter();
        let gone: Vec<u64> = gone
            .filter(|(_, m)| is_gone(m))
            .map(|(&id, _)| id)
            .collect();
        for match_id in gone {
            let Some(gone) = self.matchmaker.matches.remove(&match_id) else {
                continue;
            };
            for login_id in gone.teams().iter().flatten().map(|player| player.login_id) {
                self.tell_shard_of(cx, login_id, CoordinatorEvent::MatchLost { match_id });
            }
        }
        if let Some(asked) = self.asked(from, round) {
            asked.owes_matches = false;
        }
        self.settle_if_heard(cx);
    }

    fn match_reported(&mut self, cx: &mut Context<'_>, report: MatchReport, round: u64) {
        let id = report.match_id;
        let known = self.matchmaker.matches.get_mut(&id);
        match (report.outcome, known) {
            (Some(outcome), Some(_)) => self.match_over(cx, id, outcome),
            // Whether its players have heard of that is not known; the others take no notice.
            (Some(_), None) => {
                for (login_id, _) in report.players {
                    let lost = CoordinatorEvent::MatchLost { match_id: id };
                    self.tell_shard_of(cx, login_id, lost);
                }
            }
            (None, Some(found)) => found.opened(round),
            (None, None) => {
                let mut setups = cx.reference.queues.iter();
                if let Some(setup) = setups.find(|setup| setup.id == report.queue_id) {
                    self.matchmaker.begin_after(id);
                    let mut found = Match::adopted(setup.clone(), &report.players);
                    found.opened(round);
                    self.matchmaker.matches.insert(id, found);
                }
            }
        }
    }

    /// Goes on when all shards have answered.
    fn settle_if_heard(&mut self, cx: &mut Context<'_>) {
        let tenure = self.tenure_mut();
        tenure
            .asked
            .retain(|_, asked| asked.owes_visitors || asked.owes_matches);
        if tenure.asked.is_empty() && self.is_settling() {
            self.settle(cx);
        }
    }

    /// A node is to end: none of its players searches any more.
    pub(in crate::faf) fn node_stops(&mut self, cx: &mut Context<'_>, node: u8) {
        let is_there = |login_id: &LoginId| login_id.conn.shard.node() == node;
        let owners = self.drop_entries(cx, |entry| is_there(&entry.owner()));
        for login_id in owners {
            self.answer(cx, login_id, Err(CoordinatorRefusal::Disabled));
        }
        for login_id in self.members_where(is_there) {
            self.stop_searches(cx, login_id.player_id);
        }
        self.cancel_matches(cx, |found| !found.is_opened() && found.has_any(is_there));
        for shard in cx.topology.shards_of(node) {
            self.say(cx, shard, SessionMail::SearchesOver);
        }
    }
}
