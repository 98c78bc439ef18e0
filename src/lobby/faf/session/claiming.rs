//! The claim to be a player, at the player's home shard (`registry`).
//!
//! Alone the answer is certain and at once there. With other nodes a home may be lost or move while it is asked: then the claim is
//! made anew, and never twice where one may still be answered, or a late one would count as a newer sign-in. Who has no
//! answer after [`PATIENCE`] is told to try again. When homes have moved every shard says which of its players are there now.

use std::{collections::BTreeMap, time::Duration};

use crate::{
    ConnId, ShardId,
    faf::{
        context::{Context, Timer},
        mail::{
            game::GameMail,
            registry::{Claims, RegistryMail},
        },
        protocol::{request::Refusal, text},
        session::{leaving::unclaim, sessions::Sessions, table::Claiming},
        topology::Era,
    },
    question::StoreFailure,
};

/// When a claim is made again that a home could not answer yet.
const REPEAT: Duration = Duration::from_millis(250);
/// How long an answer is waited for.
const PATIENCE: Duration = Duration::from_secs(5);
/// Claims in one letter: each is about 50 bytes.
const LETTER: usize = 4096;

/// Claims that are not answered yet. Bounded by the shard's connections: each is held while it waits.
#[derive(Debug, Default)]
pub(in crate::faf) struct ClaimsUnderWay {
    waiting: BTreeMap<ConnId, UnderWay>,
    /// A timer is set.
    armed: bool,
}

#[derive(Clone, Copy, Debug)]
struct UnderWay {
    since: Duration,
    /// It is to be made again.
    later: bool,
}

impl Sessions {
    /// Claims to be the player whose account this connection has proved to be its, as soon as this node's other shards have
    /// shown their games as they are: the newcomer's list has them so, not as they were at the last tick. Until then no home
    /// hears of it, whatever happens to homes.
    pub(in crate::faf) fn claim(&mut self, cx: &mut Context<'_>, conn: ConnId) {
        match cx.topology.next_local(cx.turn.shard) {
            Some(next) => cx.post(next, GameMail::ShowBefore { conn }),
            None => self.claim_shown(cx, conn),
        }
    }

    /// They have.
    pub(in crate::faf) fn claim_shown(&mut self, cx: &mut Context<'_>, conn: ConnId) {
        if self.table.get(conn).is_none_or(|session| session.closing) {
            return; // gone meanwhile
        }
        if !self.say_claim(cx, conn, |_| true) || !cx.topology.is_clustered() {
            return;
        }
        let claim = UnderWay {
            since: cx.turn.now.mono,
            later: false,
        };
        self.claims.waiting.insert(conn, claim);
        self.arm_claims_timer(cx);
    }

    /// Says it if its home is meant. Whether there is one that was not answered.
    fn say_claim(
        &mut self,
        cx: &mut Context<'_>,
        conn: ConnId,
        is_meant: impl Fn(ShardId) -> bool,
    ) -> bool {
        let session = self.table.get_mut(conn);
        let Some(claiming) = session.and_then(|s| s.claiming()) else {
            return false;
        };
        let player_id = claiming.account.id;
        let home = cx.topology.home(player_id);
        if is_meant(home) {
            claiming.said = true;
            let claim = RegistryMail::Claim {
                player_id,
                conn,
                era: cx.topology.era(),
            };
            cx.post(home, claim);
        }
        true
    }

    /// The home shard can't answer yet.
    pub(in crate::faf) fn claim_later(
        &mut self,
        cx: &mut Context<'_>,
        player_id: u32,
        conn: ConnId,
        era: Era,
    ) {
        let session = self.table.get_mut(conn);
        let claiming = session.and_then(|session| session.claiming());
        let is_meant = claiming.is_some_and(|claiming| claiming.account.id == player_id);
        if !is_meant || era != cx.topology.era() {
            return; // it was made under another one since
        }
        if let Some(claim) = self.claims.waiting.get_mut(&conn) {
            claim.later = true;
        }
    }

    fn arm_claims_timer(&mut self, cx: &mut Context<'_>) {
        let claims = &mut self.claims;
        if !claims.waiting.is_empty() && !std::mem::replace(&mut claims.armed, true) {
            cx.turn.wake_at(cx.turn.now.mono + REPEAT, Timer::Claims);
        }
    }

    /// Claims that could not be answered are made again; those that wait for too long are given up.
    pub(in crate::faf) fn claims_late(&mut self, cx: &mut Context<'_>) {
        self.claims.armed = false;
        let now = cx.turn.now.mono;
        let mut waiting = std::mem::take(&mut self.claims.waiting);
        let is_over = |_: &ConnId, claim: &mut UnderWay| claim.since + PATIENCE <= now;
        let over: Vec<_> = waiting.extract_if(.., is_over).collect();
        waiting.retain(|&conn, claim| {
            let again = std::mem::take(&mut claim.later);
            self.say_claim(cx, conn, |_| again)
        });
        self.claims.waiting = waiting;
        for (conn, _) in over {
            self.not_answered(cx, conn);
        }
        self.arm_claims_timer(cx);
    }

    /// Claims at these homes are made anew: what was said before is not answered any more.
    fn claim_anew(&mut self, cx: &mut Context<'_>, is_meant: impl Fn(ShardId) -> bool) {
        let mut waiting = std::mem::take(&mut self.claims.waiting);
        waiting.retain(|&conn, _| self.say_claim(cx, conn, &is_meant));
        self.claims.waiting = waiting;
    }

    /// No home shard has answered: the client comes back by itself.
    fn not_answered(&mut self, cx: &mut Context<'_>, conn: ConnId) {
        if let Some(claiming) = self.take_claiming(conn, |_| true) {
            cx.metrics.claims_unanswered.up();
            unclaim(cx, claiming.account.id, conn, false);
            self.refused(cx, conn, Refusal::Store(StoreFailure::Unavailable));
        }
    }

    /// The process is about to end, and takes nobody new.
    pub(in crate::faf) fn not_granted(
        &mut self,
        cx: &mut Context<'_>,
        player_id: u32,
        conn: ConnId,
    ) {
        let is_meant = |claiming: &Claiming| claiming.account.id == player_id;
        if self.take_claiming(conn, is_meant).is_some() {
            self.refused(cx, conn, Refusal::Fatal(text::NOBODY_NEW));
        }
    }

    fn take_claiming(
        &mut self,
        conn: ConnId,
        is_meant: impl Fn(&Claiming) -> bool,
    ) -> Option<Box<Claiming>> {
        let signing_in = self.table.get_mut(conn)?.signing_in.as_mut()?;
        signing_in.claiming.take_if(|claiming| is_meant(claiming))
    }

    /// Homes have moved: each is told who is there.
    pub(in crate::faf) fn homes_moved(&mut self, cx: &mut Context<'_>) {
        self.send_claims(cx, |_| true);
        self.claim_anew(cx, |_| true);
    }

    /// What was said to a node is lost, and what it has answered.
    pub(in crate::faf) fn homes_lost_touch(&mut self, cx: &mut Context<'_>, node: u8) {
        self.send_claims(cx, |home| home.node() == node);
        self.claim_anew(cx, |home| home.node() == node);
    }

    /// A home shard asks who is there. What is claimed there it has heard, or will.
    pub(in crate::faf) fn asked_for_claims(
        &mut self,
        cx: &mut Context<'_>,
        home: ShardId,
        era: Era,
    ) {
        if era == cx.topology.era() {
            self.send_claims(cx, |shard| shard == home);
        }
    }

    /// Tells homes which of this shard's players they have, and who claims to be one.
    fn send_claims(&mut self, cx: &mut Context<'_>, is_meant: impl Fn(ShardId) -> bool) {
        let homes = cx.topology.in_reach().filter(|&home| is_meant(home));
        let mut claims: BTreeMap<ShardId, Vec<(u32, ConnId, u64)>> =
            homes.map(|home| (home, Vec::new())).collect();
        let claiming = self.table.iter().filter_map(|session| {
            let claiming = session.signing_in.as_ref()?.claiming.as_ref()?;
            claiming
                .said
                .then_some((claiming.account.id, session.conn, 0))
        });
        let players = self.table.players();
        let players = players.map(|(session, p)| (p.account.id, session.conn, p.epoch));
        for claim in players.chain(claiming) {
            if let Some(there) = claims.get_mut(&cx.topology.home(claim.0)) {
                there.push(claim);
            }
        }
        let era = cx.topology.era();
        for (home, claims) in claims {
            let letters = claims.len().div_ceil(LETTER).max(1);
            let mut claims = claims.into_iter();
            for number in 1..=letters {
                let told = Claims {
                    era,
                    claims: claims.by_ref().take(LETTER).collect(),
                    is_last: number == letters,
                };
                cx.post(home, RegistryMail::Claims(told));
            }
        }
    }
}
