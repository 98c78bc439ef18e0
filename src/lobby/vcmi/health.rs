//! Whether launchers are still there (spec: vcmi-proxy 12). Who is silent because the network between has gone shows nothing
//! for a quarter of an hour; who is asked and does not answer goes. Launchers of version 4 and up answer; older ones and
//! programs that never do are not to be asked, so all of this is off unless an operator wants it.

use std::time::Duration;

use super::{
    Timer, VcmiTurn,
    lobby::{Flow, Lobby},
    mail::Delivery,
    message,
    settings::ANSWERS_WITHIN,
    users::MODERN_USERS,
};
use crate::ConnId;

/// Shortest time between two questions, as the reference had it.
const SHORTEST: Duration = Duration::from_secs(10);

impl Lobby {
    /// How often users are asked, if at all.
    fn health_interval(&self) -> Option<Duration> {
        self.settings.health.map(|every| every.max(SHORTEST))
    }

    /// Sees to it that users are asked as long as there are any.
    pub(super) fn arm_health(&mut self, turn: &mut VcmiTurn<'_>) {
        let Some(every) = self.health_interval().filter(|_| self.names.len() > 0) else {
            return;
        };
        if !std::mem::replace(&mut self.health_armed, true) {
            turn.wake_at(turn.now.mono + every, Timer::Health);
        }
    }

    /// The interval is over: who has not answered since the last time goes, everybody else is asked.
    pub(super) fn health_due(&mut self) {
        self.health_armed = false;
        let Some(every) = self.health_interval() else {
            return;
        };
        let silent: Vec<ConnId> = self
            .signed_in()
            .filter(|user| user.asked.is_some_and(|at| self.now >= at + every))
            .map(|user| user.conn)
            .collect();
        for conn in silent {
            self.drop_silent(conn);
        }
        let now = self.now;
        for user in self.users.values_mut() {
            if user.is_signed_in() && user.is_modern() {
                user.asked.get_or_insert(now);
            }
        }
        self.spread(MODERN_USERS, message::HEALTH.to_owned());
    }

    /// It is there.
    pub(super) fn alive(&mut self, conn: ConnId) -> Flow {
        if let Some(user) = self.users.get_mut(&conn) {
            user.asked = None;
        }
        Flow::GoOn
    }

    /// Somebody wants the name of `holder`: it is theirs if they come from the same address, as a launcher does that connects
    /// anew, and the holder has been asked whether it is there and has not answered. Asks it if it has not been asked.
    pub(super) fn gives_way(&mut self, holder: ConnId, newcomer: ConnId) -> bool {
        let address = |conn| self.users.get(&conn).map(|user| user.address);
        if self.settings.health.is_none() || address(holder) != address(newcomer) {
            return false;
        }
        let now = self.now;
        let Some(user) = self.users.get_mut(&holder).filter(|u| u.is_modern()) else {
            return false;
        };
        match user.asked {
            Some(at) if now >= at + ANSWERS_WITHIN => {
                self.drop_silent(holder);
                true
            }
            Some(_) => false,
            None => {
                user.asked = Some(now);
                self.send(holder, message::HEALTH);
                false
            }
        }
    }

    fn drop_silent(&mut self, conn: ConnId) {
        self.metrics.silent.up();
        self.deliver(
            conn.shard,
            Delivery::Close(conn, "answers no question".into()),
        );
        self.lost(conn);
    }
}
