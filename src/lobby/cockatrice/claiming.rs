//! The claim to a name, on the shard of whoever signs in; its home is `registry`.
//!
//! Alone the answer is certain. With other nodes a home may be lost or move while it is asked: then the claim is made anew, and
//! whoever has no answer for too long is refused (`nodes`). When homes have moved every shard says which names its users have.

use std::{collections::BTreeMap, time::Duration};

use super::{
    Cockatrice, CockatriceTurn, Timer,
    mail::{Item, ToRegistry},
    state::{session::Session, work::Claiming},
};
use crate::{ConnId, ShardId, homes::Era};

/// When a claim is made again that a home could not answer yet.
const REPEAT: Duration = Duration::from_millis(250);

impl Cockatrice {
    /// Asks for a name, at its home, which this gives. `taken` are the numbers that do not make it a free one.
    pub(super) fn claim_name(&mut self, conn: ConnId, claiming: Claiming) -> ShardId {
        let home = self.topology.home(&claiming.name);
        let claim = ToRegistry::Claim {
            name: claiming.name,
            conn,
            replaces: claiming.replaces,
            taken: claiming.taken,
            era: self.topology.era(),
        };
        self.post.to(home, Item::Registry(claim));
        home
    }

    /// Its home can't answer yet.
    pub(super) fn claim_later(&mut self, turn: &mut CockatriceTurn<'_>, conn: ConnId, era: Era) {
        if era != self.topology.era() {
            return; // it was made under another one since
        }
        let session = self.sessions.get_mut(&conn);
        if let Some(claiming) = session.and_then(claiming_of) {
            claiming.later = true;
            if !std::mem::replace(&mut self.claims_armed, true) {
                turn.wake_at(turn.now.mono + REPEAT, Timer::Claims);
            }
        }
    }

    /// Claims that could not be answered are made again.
    pub(super) fn claims_due(&mut self) {
        self.claims_armed = false;
        self.claim_anew(|_, claiming| claiming.later);
    }

    /// Makes claims again; `step`s that wait for them stay.
    pub(super) fn claim_anew(&mut self, is_meant: impl Fn(ShardId, &Claiming) -> bool) {
        let mut again = Vec::new();
        for (&conn, session) in &mut self.sessions {
            let step = session.work.as_ref().map_or(0, |work| work.wait.step);
            let Some(claiming) = claiming_of(session) else {
                continue;
            };
            if is_meant(self.topology.home(&claiming.name), claiming) {
                claiming.later = false;
                again.push((conn, step, claiming.clone()));
            }
        }
        again.sort_unstable_by_key(|(conn, ..)| *conn);
        for (conn, step, claiming) in again {
            self.post.begin(step);
            self.claim_name(conn, claiming);
        }
    }

    /// Tells homes which names this shard's users have.
    pub(super) fn send_claims(&mut self, is_meant: impl Fn(ShardId) -> bool) {
        let homes = self.topology.in_reach().filter(|&home| is_meant(home));
        let mut claims: BTreeMap<ShardId, Vec<(Box<str>, ConnId, u64)>> =
            homes.map(|home| (home, Vec::new())).collect();
        for (&conn, session) in &self.sessions {
            let Some((name, epoch)) = name_of(session) else {
                continue;
            };
            if let Some(there) = claims.get_mut(&self.topology.home(name)) {
                there.push((name.into(), conn, epoch));
            }
        }
        let (era, from) = (self.topology.era(), self.shard);
        for (home, mut claims) in claims {
            claims.sort_unstable();
            let claims = ToRegistry::Claims { era, from, claims };
            self.post.tell(home, Item::Registry(claims));
        }
    }
}

/// The claim of a session that is not answered yet.
fn claiming_of(session: &mut Session) -> Option<&mut Claiming> {
    let newcomer = session.work.as_mut()?.newcomer.as_mut()?;
    newcomer.claiming.as_mut()
}

/// The name that a session has been granted, and the epoch of that.
fn name_of(session: &Session) -> Option<(&str, u64)> {
    if let Some(user) = &session.user {
        return Some((&user.name, user.epoch));
    }
    let newcomer = session.work.as_ref()?.newcomer.as_ref()?;
    let (name, epoch) = newcomer.granted.as_ref()?;
    Some((name, *epoch))
}
