//! Another configuration while people are here (spec: cockatrice-behaviour 9, 18.8).
//!
//! Nearly everything is read when it is used, and so holds from the next use on, for whoever is there as for newcomers; nobody is
//! ended because a limit became smaller. What is kept beside the settings and follows from them:
//!
//! | kept | after a change |
//! |---|---|
//! | what was said, and done in games, of late | counts under the new limits, as far back as it is remembered |
//! | what a connection has asked for (`pace`) | as many commands as before are owed, at the new rate; a pause that has begun ends when it was to |
//! | idleness | whoever is beyond the new warning is warned now, and has the last tenth of the time left |
//! | who is counted at the desk | connections that no limit concerned are counted from now on, those from newly exempt addresses no more |
//! | whether a game is recorded | as it was when the game began: half a replay is of no use |
//!
//! Shards learn of it one after the other, and each has one set of settings for a whole turn.

use super::{
    Cockatrice,
    mail::ToDesk,
    settings::{Settings, warned_after},
    state::work::Group,
};
use crate::{ConnId, rate::Meter};

impl Cockatrice {
    /// From now on the settings are these, but those that hold until the end of the process.
    pub(super) fn configured(&mut self, new: &Settings) {
        let new = new.clone().keeping_fixed(&self.settings);
        let before = std::mem::replace(&mut self.settings, new.into());
        self.convert_paces(&before);
        if before.idle != self.settings.idle {
            self.reconsider_idle();
        }
        let mut conns: Vec<ConnId> = self.sessions.keys().copied().collect();
        conns.sort_unstable();
        for conn in conns {
            self.recount(conn);
        }
    }

    fn convert_paces(&mut self, before: &Settings) {
        let (from, to) = (before.pace(), self.settings.pace());
        if from == to {
            return;
        }
        let now = self.mono;
        for session in self.sessions.values_mut() {
            session.pace = match (from, to) {
                (Some(from), Some(to)) => session.pace.converted(now, from, to),
                _ => Meter::default(),
            };
        }
    }

    /// Who would have been warned by now has their warning still before them.
    fn reconsider_idle(&mut self) {
        let after = self.settings.idle.map(warned_after);
        for session in self.sessions.values_mut() {
            session.warned = false;
            if let Some(after) = after {
                session.acted = session.acted.max(self.ticks.saturating_sub(after));
            }
        }
    }

    /// Sees to it that the desk counts a connection as the settings want it. One that waits to be let in is looked at when it is.
    pub(super) fn recount(&mut self, conn: ConnId) {
        let Some(session) = self.sessions.get(&conn) else {
            return;
        };
        let work = session.work.as_ref();
        if session.gone || work.is_some_and(|work| work.group == Group::Admission) {
            return;
        }
        let (before, was_counted) = (session.visitor, session.counted);
        let visitor = session.visitor_unless(&self.settings.exempt);
        // One that has not begun to talk asks to be let in when it does.
        let counts = was_counted || (session.greeted && self.counts_connections(visitor));
        if was_counted && visitor != before {
            self.tell_desk(ToDesk::Leave(before));
        }
        if counts && (!was_counted || visitor != before) {
            self.tell_desk(ToDesk::Stays(visitor));
        }
        if let Some(session) = self.sessions.get_mut(&conn) {
            (session.visitor, session.counted) = (visitor, counts);
        }
    }
}
