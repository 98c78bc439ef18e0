//! What becomes of a shard when other nodes come and go, when the lane to one breaks, and when the coordinator is another: each
//! is handed to the roles, in the order in which one relies on another.

use cluster::Holder;

use super::{
    Faf, Roles,
    context::{Context, RoleTurn},
    directory::Hand,
    mail::{coordinator::CoordinatorRefusal, heir::HeirMail, session::SessionMail},
};
use crate::{ShardId, Standing, Turn};

impl Faf {
    /// What this node knows of the others has changed.
    pub(super) fn standing_changed(&mut self, turn: &mut Turn<'_, Faf>, standing: &Standing) {
        if self.roles.topology.standing() == standing {
            return;
        }
        let before = self.roles.topology.clone();
        let is_new_life = before.standing().incarnation != standing.incarnation;
        let change = self.roles.topology.follow(standing.clone());
        self.step(turn, |roles, turn| {
            let cx = &mut context!(roles, turn);
            roles.registry.standing_changed(cx, &before);
        });
        self.step(turn, |roles, turn| {
            let hand = &mut hand!(roles, turn);
            roles.directory.standing_changed(hand, &change, is_new_life);
        });
        if before.era() != self.roles.topology.era() {
            self.step(turn, |roles, turn| {
                roles.sessions.homes_moved(&mut context!(roles, turn));
            });
        }
        self.step(turn, |roles, turn| {
            roles
                .games
                .nodes_changed(&mut context!(roles, turn), &change);
        });
        self.step(turn, |roles, turn| {
            roles
                .sessions
                .nodes_changed(&mut context!(roles, turn), &change);
        });
        if self.shard.local() == 0 {
            self.step(turn, |roles, turn| {
                let cx = &mut context!(roles, turn);
                roles.coordinator.standing_changed(cx, &change);
            });
        }
    }

    /// What was under way to and from a node is lost.
    pub(super) fn lane_broken(&mut self, turn: &mut Turn<'_, Faf>, node: u8) {
        let topology = &mut self.roles.topology;
        if let Some(holder) = topology.reached().filter(|holder| holder.node == node) {
            topology.lose(holder);
        }
        self.step(turn, |roles, turn| {
            let hand = &mut hand!(roles, turn);
            roles.directory.lane_broken(hand, node);
        });
        self.step(turn, |roles, turn| {
            let cx = &mut context!(roles, turn);
            roles.sessions.homes_lost_touch(cx, node);
        });
        self.step(turn, |roles, turn| {
            roles.games.lane_broken(&mut context!(roles, turn), node);
        });
        self.step(turn, |roles, turn| {
            roles.sessions.lane_broken(&mut context!(roles, turn), node);
        });
        if self.shard.local() == 0 {
            self.step(turn, |roles, turn| {
                roles
                    .coordinator
                    .lane_broken(&mut context!(roles, turn), node);
            });
        }
    }
}

impl Roles {
    /// A coordinator has something for this shard's sessions. One that is not the present one is heard only about what it was
    /// asked.
    pub(super) fn coordinator_says<'a>(
        &'a mut self,
        turn: RoleTurn<'a>,
        from: ShardId,
        term: u64,
        mail: SessionMail,
    ) {
        let holder = Holder {
            node: from.node(),
            term,
        };
        match &mail {
            SessionMail::Introduce { .. } if !self.topology.reach(holder) => {
                return self.metrics.coordinator_outdated.up();
            }
            SessionMail::CoordinatorAnswer {
                verdict: Err(CoordinatorRefusal::Moved),
                ..
            } => self.topology.lose(holder),
            SessionMail::CoordinatorAnswer { .. } => {}
            _ if self.topology.reached() != Some(holder) => {
                return self.metrics.coordinator_outdated.up();
            }
            _ => {}
        }
        let cx = &mut context!(self, turn);
        match mail {
            SessionMail::CoordinatorAnswer { login_id, verdict } => {
                self.sessions
                    .coordinator_answered(cx, term, login_id, verdict);
                self.sessions.look_for_coordinator(cx);
            }
            SessionMail::Introduce { round } => {
                self.sessions.coordinator_came(cx, round);
                self.coordinator.ask_to_stop(cx);
            }
            mail => self.sessions.mail(cx, from, mail),
        }
    }

    /// Of what coordinators know, for whoever comes after them.
    pub(super) fn heir_mail<'a>(&'a mut self, turn: RoleTurn<'a>, from: ShardId, mail: HeirMail) {
        if let HeirMail::Ask { term } = mail {
            self.topology.heard_of(term);
        }
        let cx = &mut context!(self, turn);
        self.coordinator.heir_mail(cx, from, mail);
        self.sessions.look_for_coordinator(cx);
    }
}
