//! Parties at the coordinator (spec: faf-lifecycle 13, faf-messages 3.12 and 5.14).
//!
//! Every player is logically in a party; one is kept here from somebody's first action on. It has its owner's id, as
//! the owner never changes. Members of changed parties are told once a second.

use std::{collections::BTreeSet, time::Duration};

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::{
    ConnId,
    faf::{
        context::{Context, Timer},
        coordinator::Coordinator,
        mail::coordinator::CoordinatorRefusal,
        model::{
            factions::Factions, limits, player_state::PlayerState, seat::LoginId,
            time::next_multiple,
        },
        protocol::message,
    },
    map::IdMap,
};

/// How long an invitation may be followed.
const INVITATION: Duration = Duration::from_secs(24 * 3600);
/// Between two looks at which parties have changed.
const UPDATE_INTERVAL: Duration = Duration::from_secs(1);

/// Players who stay together.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(in crate::faf) struct Party {
    /// In the order of joining; the first is the owner.
    pub members: Vec<Member>,
    /// Whom they have invited, and when; following one does not use it up.
    invitations: Vec<(u32, Duration)>,
}

/// Somebody in a party.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::faf) struct Member {
    /// Account id of the member.
    pub player_id: u32,
    /// What they would play.
    pub factions: Factions,
}

impl Party {
    /// Renews an invitation, or adds one; false if there are too many.
    fn invite(&mut self, recipient_id: u32, now: Duration) -> bool {
        self.invitations
            .retain(|&(id, at)| id != recipient_id && now.saturating_sub(at) < INVITATION);
        let room = self.invitations.len() < limits::PARTY_INVITATIONS;
        if room {
            self.invitations.push((recipient_id, now));
        }
        room
    }

    /// Its times by another clock.
    pub(in crate::faf) fn move_times(&mut self, moved: impl Fn(Duration) -> Duration) {
        for (_, at) in &mut self.invitations {
            *at = moved(*at);
        }
    }

    fn has_invited(&self, player_id: u32, now: Duration) -> bool {
        self.invitations
            .iter()
            .any(|&(id, at)| id == player_id && now.saturating_sub(at) < INVITATION)
    }
}

/// All parties, by their owner's id.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(in crate::faf) struct Parties {
    by_owner: IdMap<u32, Party>,
    /// Those whose members will be told at the next look.
    dirty: BTreeSet<u32>,
}

impl Parties {
    /// Whether there is none.
    pub(in crate::faf) fn is_empty(&self) -> bool {
        self.by_owner.is_empty()
    }
}

impl Coordinator {
    /// All parties with their owners' ids.
    pub(in crate::faf) fn parties(&self) -> impl Iterator<Item = (u32, &Party)> {
        self.parties
            .by_owner
            .iter()
            .map(|(&owner, party)| (owner, party))
    }

    /// The owner of the party a player is in, if there is one.
    pub(in crate::faf) fn owner_of(&self, player_id: u32) -> Option<u32> {
        self.member(player_id)?.party
    }

    /// The party a player is in; one of their own is made if there is none.
    pub(in crate::faf) fn party_of(&mut self, player_id: u32) -> &mut Party {
        let owner = self.owner_of(player_id).unwrap_or(player_id);
        if let Some(online) = self.members.get_mut(&player_id) {
            online.party = Some(owner);
        }
        self.parties.by_owner.entry(owner).or_insert_with(|| Party {
            members: vec![Member {
                player_id: owner,
                factions: Factions::default(),
            }],
            invitations: Vec::new(),
        })
    }

    /// The members of a player's party in party order; one of their own is made if there is none.
    pub(in crate::faf) fn guests_of_party(&mut self, player_id: u32) -> Vec<LoginId> {
        let members = self.party_of(player_id).members.clone();
        let members = members
            .iter()
            .filter_map(|member| self.member(member.player_id));
        members.map(|online| online.login_id).collect()
    }

    /// What a player would play.
    pub(in crate::faf) fn factions_of(&self, player_id: u32) -> Factions {
        let owner = self.owner_of(player_id);
        let party = owner.and_then(|owner| self.parties.by_owner.get(&owner));
        party
            .and_then(|party| party.members.iter().find(|m| m.player_id == player_id))
            .map_or_else(Factions::default, |member| member.factions)
    }

    /// Replaces what a member would play, in a party of their own if they have none yet.
    pub(in crate::faf) fn choose_factions(&mut self, player_id: u32, factions: Factions) {
        let members = &mut self.party_of(player_id).members;
        if let Some(member) = members.iter_mut().find(|m| m.player_id == player_id) {
            member.factions = factions;
        }
    }

    /// `update_party` as it is now: without members if there is no such party.
    fn update_of(&self, owner: u32) -> Bytes {
        let members = self
            .parties
            .by_owner
            .get(&owner)
            .map_or(&[][..], |party| &party.members);
        let entry = |member: &Member| message::PartyMember {
            player: member.player_id,
            factions: member.factions.names(),
        };
        message::encode(&message::UpdateParty {
            owner,
            members: members.iter().map(entry).collect(),
        })
    }
}

impl Coordinator {
    /// A party that another coordinator has known; its members are still to be heard of.
    pub(in crate::faf) fn seat(&mut self, owner: u32, party: Party) {
        let seated = party.members.iter().map(|member| (member.player_id, owner));
        self.tenure_mut().seated.extend(seated);
        self.parties.by_owner.insert(owner, party);
    }

    /// Members who have not been heard of leave their parties, and everybody else is told how theirs are.
    pub(in crate::faf) fn settle_parties(&mut self, cx: &mut Context<'_>, tells_all: bool) {
        let mut owners: Vec<u32> = self.parties.by_owner.keys().copied().collect();
        owners.sort_unstable();
        for owner in owners {
            let Some(party) = self.parties.by_owner.get_mut(&owner) else {
                continue;
            };
            let known = &self.members;
            let is_here = |id: u32| known.get(&id).is_some_and(|m| m.party == Some(owner));
            let before = party.members.len();
            let is_owned = is_here(owner);
            party.members.retain(|member| is_here(member.player_id));
            let (members, changed) = (party.members.clone(), before != party.members.len());
            if is_owned && (changed || tells_all) {
                self.party_dirty(cx, owner);
            }
            if !is_owned {
                self.parties.by_owner.remove(&owner);
                let update = self.update_of(owner);
                for member in members {
                    if let Some(online) = self.members.get_mut(&member.player_id) {
                        online.party = None;
                    }
                    self.tell_member(cx, member.player_id, update.clone());
                }
            }
        }
    }

    /// Tells a player that they are in no party.
    pub(in crate::faf) fn tell_partyless(&mut self, cx: &mut Context<'_>, player_id: u32) {
        let update = self.update_of(player_id);
        self.tell_member(cx, player_id, update);
    }

    /// They are online and do not mind who invites them: the inviter's shard has asked, except of its own player.
    pub(in crate::faf) fn party_invite(
        &mut self,
        cx: &mut Context<'_>,
        login_id: LoginId,
        recipient_id: u32,
        recipient: ConnId,
    ) -> Result<(), CoordinatorRefusal> {
        let sender = login_id.player_id;
        if self.owner_of(sender).is_some_and(|owner| owner != sender) {
            return Err(CoordinatorRefusal::InviteByMember);
        }
        if self.party_of(sender).invite(recipient_id, cx.turn.now.mono) {
            let invite = message::encode(&message::PartyInvite { sender });
            self.tell(cx, recipient, recipient_id, invite);
        } else {
            cx.metrics.over_limit.up();
        }
        Ok(())
    }

    pub(in crate::faf) fn party_accept(
        &mut self,
        cx: &mut Context<'_>,
        login_id: LoginId,
        inviter_id: u32,
    ) -> Result<(), CoordinatorRefusal> {
        let player_id = login_id.player_id;
        let party = self.parties.by_owner.get(&inviter_id);
        let Some(party) = party.filter(|p| p.has_invited(player_id, cx.turn.now.mono)) else {
            return Err(CoordinatorRefusal::NotInvited);
        };
        let inviter = self.member(inviter_id);
        if inviter.is_some_and(|inviter| inviter.state == PlayerState::SearchingLadder) {
            return Err(CoordinatorRefusal::InQueue);
        }
        if party.members.len() >= limits::PARTY_MEMBERS {
            cx.metrics.over_limit.up();
            return Err(CoordinatorRefusal::NotInvited);
        }
        cx.metrics.party_joins.up();
        let factions = self.factions_of(player_id);
        if let Some(update) = self.leave_party_of(cx, player_id) {
            self.tell_member(cx, player_id, update);
        }
        if let Some(party) = self.parties.by_owner.get_mut(&inviter_id) {
            party.members.push(Member {
                player_id,
                factions,
            });
        }
        if let Some(online) = self.members.get_mut(&player_id) {
            online.party = Some(inviter_id);
        }
        self.party_dirty(cx, player_id);
        Ok(())
    }

    /// The kicked player is online, says the owner's shard; whether they are a member is found here.
    pub(in crate::faf) fn party_kick(
        &mut self,
        cx: &mut Context<'_>,
        login_id: LoginId,
        kicked_id: u32,
    ) -> Result<(), CoordinatorRefusal> {
        let owner = login_id.player_id;
        match self.owner_of(owner) {
            None => return Err(CoordinatorRefusal::NoParty),
            Some(other) if other != owner => return Err(CoordinatorRefusal::KickByMember),
            Some(_) => {}
        }
        // Nobody is kicked out of their own party.
        if kicked_id == owner || self.owner_of(kicked_id) != Some(owner) {
            let update = self.update_of(owner);
            self.tell_member(cx, owner, update);
            return Ok(());
        }
        self.leave_party_of(cx, kicked_id);
        self.tell_member(cx, kicked_id, message::KICKED_FROM_PARTY);
        Ok(())
    }

    pub(in crate::faf) fn party_leave(
        &mut self,
        cx: &mut Context<'_>,
        login_id: LoginId,
    ) -> Result<(), CoordinatorRefusal> {
        let update = self
            .leave_party_of(cx, login_id.player_id)
            .ok_or(CoordinatorRefusal::NoParty)?;
        self.tell_member(cx, login_id.player_id, update);
        Ok(())
    }

    /// Takes a player out of their party; an owner's party ends with that. Every way out of a party leads through here.
    /// Gives what the leaver may be told.
    pub(in crate::faf) fn leave_party_of(
        &mut self,
        cx: &mut Context<'_>,
        player_id: u32,
    ) -> Option<Bytes> {
        let owner = self.members.get_mut(&player_id)?.party.take()?;
        if owner != player_id {
            if let Some(party) = self.parties.by_owner.get_mut(&owner) {
                party.members.retain(|member| member.player_id != player_id);
            }
            self.party_dirty(cx, owner);
            return Some(self.update_of(owner));
        }
        let party = self.parties.by_owner.remove(&owner)?;
        self.parties.dirty.remove(&owner);
        let update = self.update_of(owner);
        for member in party.members.iter().filter(|m| m.player_id != owner) {
            if let Some(online) = self.members.get_mut(&member.player_id) {
                online.party = None;
            }
            self.tell_member(cx, member.player_id, update.clone());
        }
        Some(update)
    }

    /// The members of this player's party are told at the next look.
    pub(in crate::faf) fn party_dirty(&mut self, cx: &mut Context<'_>, player_id: u32) {
        let Some(owner) = self.owner_of(player_id) else {
            return;
        };
        if self.parties.dirty.is_empty() {
            let at = next_multiple(cx.turn.now.mono, UPDATE_INTERVAL);
            cx.turn.wake_at(at, Timer::Parties);
        }
        self.parties.dirty.insert(owner);
    }

    /// Once a second, if something has changed.
    pub(in crate::faf) fn tell_parties(&mut self, cx: &mut Context<'_>) {
        for owner in std::mem::take(&mut self.parties.dirty) {
            let Some(party) = self.parties.by_owner.get(&owner) else {
                continue;
            };
            let members: Vec<u32> = party.members.iter().map(|m| m.player_id).collect();
            let update = self.update_of(owner);
            for player_id in members {
                self.tell_member(cx, player_id, update.clone());
            }
        }
    }
}
