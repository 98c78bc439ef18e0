//! Who has which name, at the name's home (spec: cockatrice-wire 10.2, items 8 and 10).
//!
//! A name and the numbered ones that it becomes have one home, so one look finds one that is free. Where a newer session
//! replaces an older one it waits until that has gone, so that everybody sees the one leave before the other comes.

use super::{
    Cockatrice,
    mail::{Item, ToRegistry, ToSession},
    state::registry::Claim,
};
use crate::ConnId;

impl Cockatrice {
    pub(super) fn at_home(&mut self, message: ToRegistry) {
        match message {
            ToRegistry::Claim {
                name,
                conn,
                replaces,
            } => self.claim(name, conn, replaces),
            ToRegistry::Release { name, conn } => self.release(&name, conn),
        }
    }

    fn claim(&mut self, name: Box<str>, conn: ConnId, replaces: bool) {
        match self.registry.get_mut(&name) {
            None => self.grant(name, conn),
            Some(claim) if replaces => {
                claim.waiting.push_back(conn);
                if claim.waiting.len() == 1 {
                    self.post.session(claim.holder, ToSession::Evicted);
                }
            }
            Some(_) => {
                let free = self.free_name(&name);
                self.grant(free, conn);
            }
        }
    }

    fn grant(&mut self, name: Box<str>, conn: ConnId) {
        self.registry.insert(name.clone(), Claim::of(conn));
        self.post.session(conn, ToSession::Granted(name));
    }

    /// The name with the lowest number behind it that nobody has.
    fn free_name(&self, name: &str) -> Box<str> {
        let numbered = (1u64..).map(|number| format!("{name}_{number}"));
        let mut free = numbered.filter(|name| !self.registry.contains_key(name.as_str()));
        free.next()
            .expect("there are more numbers than names")
            .into()
    }

    fn release(&mut self, name: &str, conn: ConnId) {
        let Some(claim) = self.registry.get_mut(name) else {
            return;
        };
        if claim.holder != conn {
            claim.waiting.retain(|waiting| *waiting != conn);
            return;
        }
        let Some(next) = claim.waiting.pop_front() else {
            self.registry.remove(name);
            return;
        };
        claim.holder = next;
        let is_awaited = !claim.waiting.is_empty();
        self.post.session(next, ToSession::Granted(name.into()));
        if is_awaited {
            self.post.session(next, ToSession::Evicted);
        }
    }

    pub(super) fn tell_home(&mut self, name: &str, message: ToRegistry) {
        let home = self.topology.home(name);
        self.post.to(home, Item::Registry(message));
    }
}
