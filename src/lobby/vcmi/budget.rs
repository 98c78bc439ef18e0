//! What one launcher may say and cause in a time.
//!
//! Three things are measured: commands, bytes that others or it itself are sent because of them, and how often it was
//! refused for that. Who has used up one of the first two is refused with an error, command by command; who goes on
//! regardless is disconnected. What is owed stays with the address for as long as it would have on the connection, so that
//! connecting anew is no way out.

use std::{collections::BTreeMap, net::IpAddr, time::Duration};

use serde::{Deserialize, Serialize};

use super::settings::{CAUSED_BURST, COMMANDS_BURST, DEBTORS, STRIKES, Settings};
use crate::rate::{Meter, Rate};

/// What a launcher has used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Budget {
    commands: Meter,
    caused: Meter,
    strikes: Meter,
}

impl Budget {
    /// Whether the next command is done.
    pub(super) fn allows(self, now: Duration, settings: &Settings) -> bool {
        let free = |meter: Meter, rate: Option<Rate>| {
            rate.is_none_or(|rate| meter.wait(now, rate).is_none())
        };
        free(self.commands, commands(settings)) && free(self.caused, caused(settings))
    }

    /// So many commands are done.
    pub(super) fn charge_commands(&mut self, now: Duration, amount: u64, settings: &Settings) {
        if let Some(rate) = commands(settings) {
            self.commands.charge(now, amount, rate);
        }
    }

    /// So many bytes were sent because of it.
    pub(super) fn charge_caused(&mut self, now: Duration, bytes: u64, settings: &Settings) {
        if let Some(rate) = caused(settings) {
            self.caused.charge(now, bytes, rate);
        }
    }

    /// It was refused once more. False: that was once too often.
    pub(super) fn strike(&mut self, now: Duration) -> bool {
        self.strikes.take(now, 1, STRIKES)
    }

    fn is_even(self, now: Duration) -> bool {
        [self.commands, self.caused, self.strikes]
            .into_iter()
            .all(|meter| meter.is_even(now))
    }

    /// What both together owe at least.
    fn or_more(self, other: Budget) -> Budget {
        Budget {
            commands: self.commands.max(other.commands),
            caused: self.caused.max(other.caused),
            strikes: self.strikes.max(other.strikes),
        }
    }
}

fn commands(settings: &Settings) -> Option<Rate> {
    Rate::limit(settings.commands_per_second, COMMANDS_BURST)
}

fn caused(settings: &Settings) -> Option<Rate> {
    Rate::limit(settings.caused_bytes_per_second, CAUSED_BURST)
}

/// What addresses owe of which nobody may be there: no more than [`DEBTORS`], the rest is forgiven.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Debts {
    owed: BTreeMap<IpAddr, Budget>,
    /// When it was looked through last.
    swept: Duration,
}

impl Debts {
    /// What a newcomer from there begins with.
    pub(super) fn of(&self, address: Option<IpAddr>) -> Budget {
        let owed = address.and_then(|address| self.owed.get(&address));
        owed.copied().unwrap_or_default()
    }

    /// Somebody from there has gone.
    pub(super) fn left(&mut self, address: Option<IpAddr>, budget: Budget, now: Duration) {
        let Some(address) = address.filter(|_| !budget.is_even(now)) else {
            return;
        };
        if self.owed.len() >= DEBTORS && self.swept + Duration::from_secs(1) <= now {
            self.swept = now;
            self.owed.retain(|_, budget| !budget.is_even(now));
        }
        if self.owed.len() < DEBTORS || self.owed.contains_key(&address) {
            let owed = self.owed.entry(address).or_default();
            *owed = owed.or_more(budget);
        }
    }
}
