//! How often signing in may fail, for an address and for an account: guessing a password takes a person's patience.
//!
//! Everything that signs in passes here, so the limits are those of the whole process. An address has many people behind it
//! (a school, a provider's NAT), so its limit is wide and success costs it little; an account has one owner, and its limit
//! is tight. Whoever guesses at an account must not keep its owner out: the address that the account was last at has an
//! allowance of its own.
//!
//! An attempt is counted before it is looked at, and given back if it was none, so that a thousand at once are no more than
//! one after the other. What is kept is bounded and forgets.

use std::{
    collections::HashMap,
    hash::{BuildHasher, RandomState},
    net::IpAddr,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use lobby::rate::{Meter, Rate};

settings::settings! {
    /// How often signing in may fail.
    #[derive(Clone, Copy, Debug)]
    pub struct AttemptLimits {
        /// Failures to sign in from one address in a minute in the long run; 100 at once. A success counts as a tenth. More
        /// are refused unread. 0: no limit. Loopback is exempt.
        per_address: Option<u32> = "limits.sign_in_failures_per_minute_per_address", number(0, 1_000_000), "120", unit("failures/min");
        /// Failures to sign in to one account by password in a minute in the long run; 20 at once. More are refused unread,
        /// but from the address that the account was last at, which has as many of its own. 0: no limit.
        per_account: Option<u32> = "limits.sign_in_failures_per_minute_per_account", number(0, 1_000_000), "10", unit("failures/min");
    }
}

/// What a failure costs: a second's worth of one a minute.
const FAILURE: u64 = 60;
/// What a success costs its address.
const SUCCESS: u64 = FAILURE / 10;
/// Failures of an address at once.
const ADDRESS_BURST: u32 = 100;
/// Failures of an account at once.
const ACCOUNT_BURST: u32 = 20;
/// Addresses, and accounts, that are remembered. While all of them still owe something, others are let go unseen.
const REMEMBERED: usize = if cfg!(test) { 100 } else { 1 << 16 };
/// A full table is looked through at most this often.
const SWEEP: Duration = Duration::from_secs(1);

/// What came of an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Came {
    /// They are in.
    In,
    /// The proof was no good.
    Failed,
    /// It came to nothing, and that was not for the proof.
    Otherwise,
}

fn rate(per_minute: Option<u32>, burst: u32) -> Option<Rate> {
    Rate::limit(per_minute, burst * FAILURE as u32)
}

/// Where an attempt comes from and what it is for; to be ended.
#[derive(Debug)]
pub(crate) struct Attempt {
    address: Option<IpAddr>,
    account: Option<u64>,
    /// It comes from where the account was last.
    at_home: bool,
}

#[derive(Clone, Copy, Debug, Default)]
struct AccountState {
    anywhere: Meter,
    at_home: Meter,
    /// Where it last signed in; `Some(None)`: on this machine.
    home: Option<Option<IpAddr>>,
}

/// What has failed of late.
#[derive(Debug)]
pub(crate) struct Attempts {
    address_rate: Option<Rate>,
    account_rate: Option<Rate>,
    begun: Instant,
    hasher: RandomState,
    tables: Mutex<Tables>,
}

#[derive(Debug, Default)]
struct Tables {
    addresses: HashMap<IpAddr, Meter>,
    /// By a keyed hash of the name.
    accounts: HashMap<u64, AccountState>,
    swept: Duration,
}

impl Attempts {
    pub(crate) fn new(limits: AttemptLimits) -> Self {
        Attempts::with_rates(
            rate(limits.per_address, ADDRESS_BURST),
            rate(limits.per_account, ACCOUNT_BURST),
        )
    }

    /// Attempts of another kind: so many a minute from one address, and so many at once.
    pub(crate) fn per_address(per_minute: Option<u32>, burst: u32) -> Self {
        Attempts::with_rates(rate(per_minute, burst), None)
    }

    fn with_rates(address_rate: Option<Rate>, account_rate: Option<Rate>) -> Self {
        Attempts {
            address_rate,
            account_rate,
            begun: Instant::now(),
            hasher: RandomState::new(),
            tables: Mutex::default(),
        }
    }

    /// Somebody wants to sign in. None: there were too many failures.
    pub(crate) fn begin(&self, address: Option<IpAddr>, account: Option<&str>) -> Option<Attempt> {
        self.begin_at(self.begun.elapsed(), address, account)
    }

    /// It is known what came of it.
    pub(crate) fn end(&self, attempt: Attempt, came: Came) {
        self.end_at(self.begun.elapsed(), attempt, came);
    }

    fn begin_at(
        &self,
        now: Duration,
        address: Option<IpAddr>,
        account: Option<&str>,
    ) -> Option<Attempt> {
        let account = account.map(|name| self.hasher.hash_one(name.to_lowercase()));
        let mut tables = self.tables.lock().unwrap_or_else(PoisonError::into_inner);
        tables.sweep(now);
        let known = account.and_then(|account| tables.accounts.get(&account));
        let at_home = known.is_some_and(|known| known.home == Some(address));
        let account_meter = match (account, self.account_rate) {
            (Some(account), Some(rate)) => tables.account(account).map(|state| (state, rate)),
            _ => None,
        };
        if let Some((state, rate)) = account_meter
            && !state.meter(at_home).take_whole(now, FAILURE, rate)
        {
            return None;
        }
        let attempt = Attempt {
            address,
            account,
            at_home,
        };
        if let (Some(address), Some(rate)) = (address, self.address_rate)
            && let Some(meter) = tables.address(address)
            && !meter.take_whole(now, FAILURE, rate)
        {
            self.give_back(&mut tables, &attempt);
            return None;
        }
        Some(attempt)
    }

    fn end_at(&self, now: Duration, attempt: Attempt, came: Came) {
        if came == Came::Failed {
            return;
        }
        let mut tables = self.tables.lock().unwrap_or_else(PoisonError::into_inner);
        self.give_back(&mut tables, &attempt);
        if let (Some(address), Some(rate)) = (attempt.address, self.address_rate)
            && let Some(meter) = tables.addresses.get_mut(&address)
        {
            meter.refund(FAILURE, rate);
            meter.charge(now, SUCCESS, rate);
        }
        if came == Came::In
            && let Some(account) = attempt.account
            && let Some(state) = tables.account(account)
        {
            state.home = Some(attempt.address);
        }
    }

    /// What the account was charged was no failure of it.
    fn give_back(&self, tables: &mut Tables, attempt: &Attempt) {
        if let (Some(account), Some(rate)) = (attempt.account, self.account_rate)
            && let Some(state) = tables.accounts.get_mut(&account)
        {
            state.meter(attempt.at_home).refund(FAILURE, rate);
        }
    }
}

impl AccountState {
    fn meter(&mut self, at_home: bool) -> &mut Meter {
        if at_home {
            &mut self.at_home
        } else {
            &mut self.anywhere
        }
    }
}

impl Tables {
    /// Makes room where a table is full: what owes nothing any more is forgotten, an account's home with it.
    fn sweep(&mut self, now: Duration) {
        let is_full = self.addresses.len().max(self.accounts.len()) >= REMEMBERED;
        if !is_full || now < self.swept + SWEEP {
            return;
        }
        self.swept = now;
        self.addresses.retain(|_, meter| !meter.is_even(now));
        self.accounts
            .retain(|_, state| !(state.anywhere.is_even(now) && state.at_home.is_even(now)));
    }

    fn address(&mut self, address: IpAddr) -> Option<&mut Meter> {
        if self.addresses.len() >= REMEMBERED {
            return self.addresses.get_mut(&address);
        }
        Some(self.addresses.entry(address).or_default())
    }

    fn account(&mut self, account: u64) -> Option<&mut AccountState> {
        if self.accounts.len() >= REMEMBERED {
            return self.accounts.get_mut(&account);
        }
        Some(self.accounts.entry(account).or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BAD: Came = Came::Failed;

    fn address(last: u8) -> Option<IpAddr> {
        Some(IpAddr::from([192, 0, 2, last]))
    }

    /// Tries again and again, and fails. How often that was looked at.
    fn guesses(
        attempts: &Attempts,
        at: u64,
        from: Option<IpAddr>,
        account: impl Fn(u32) -> String,
    ) -> u32 {
        let at = Duration::from_secs(at);
        let mut looked_at = 0;
        for n in 0..1_000 {
            if let Some(attempt) = attempts.begin_at(at, from, Some(&account(n))) {
                attempts.end_at(at, attempt, BAD);
                looked_at += 1;
            }
        }
        looked_at
    }

    #[test]
    fn an_account_is_guessed_at_slowly_from_wherever() {
        let attempts = Attempts::new(AttemptLimits::default());
        let orion = |_: u32| "orion".to_owned();
        assert_eq!(guesses(&attempts, 100, address(1), orion), 20);
        assert_eq!(guesses(&attempts, 100, address(2), |_| "ORION".into()), 0);
        assert_eq!(guesses(&attempts, 160, None, orion), 10);
        assert_eq!(guesses(&attempts, 160, address(1), |_| "vega".into()), 20);
    }

    // While they guess time passes, and what a part of a guess costs was taken for a whole one.
    #[test]
    fn a_guess_in_the_making_is_none() {
        let attempts = Attempts::new(AttemptLimits::default());
        let looked_at = (0..59).filter(|n| {
            let at = Duration::from_secs(100) + *n * Duration::from_millis(100);
            attempts.begin_at(at, None, Some("orion")).is_some()
        });
        assert_eq!(looked_at.count(), 20);
        let next = attempts.begin_at(Duration::from_secs(106), None, Some("orion"));
        assert!(next.is_some(), "after six seconds there is one more");
    }

    #[test]
    fn an_address_has_so_many_failures_whatever_the_account() {
        let attempts = Attempts::new(AttemptLimits::default());
        let any = |n: u32| format!("name{n}");
        assert_eq!(guesses(&attempts, 100, address(1), any), 100);
        assert_eq!(guesses(&attempts, 101, address(1), any), 2);
        assert!(
            guesses(&attempts, 101, None, any) > 100,
            "this machine is exempt"
        );
    }

    /// A school comes back from a break.
    #[test]
    fn many_may_sign_in_from_one_address() {
        let attempts = Attempts::new(AttemptLimits::default());
        let at = Duration::from_secs(100);
        for n in 0..900 {
            let attempt = attempts.begin_at(at, address(1), Some(&format!("pupil{n}")));
            attempts.end_at(at, attempt.unwrap(), Came::In);
        }
    }

    #[test]
    fn the_owner_gets_in_while_others_guess() {
        let attempts = Attempts::new(AttemptLimits::default());
        let at = Duration::from_secs(100);
        let attempt = attempts.begin_at(at, address(9), Some("orion")).unwrap();
        attempts.end_at(at, attempt, Came::In);
        assert_eq!(guesses(&attempts, 100, address(1), |_| "orion".into()), 20);
        assert!(attempts.begin_at(at, address(2), Some("orion")).is_none());
        assert!(attempts.begin_at(at, address(9), Some("orion")).is_some());
        // But whoever sits beside the owner guesses no more than others.
        assert_eq!(guesses(&attempts, 100, address(9), |_| "orion".into()), 19);
    }

    #[test]
    fn what_was_no_failure_costs_nothing() {
        let attempts = Attempts::new(AttemptLimits::default());
        let at = Duration::from_secs(100);
        for _ in 0..100 {
            let attempt = attempts.begin_at(at, address(1), Some("orion")).unwrap();
            attempts.end_at(at, attempt, Came::Otherwise);
        }
    }

    #[test]
    fn what_is_kept_is_bounded_and_forgotten() {
        let attempts = Attempts::new(AttemptLimits::default());
        for n in 0..300u32 {
            let from = Some(IpAddr::from((0x0a00_0000 + n).to_be_bytes()));
            let at = Duration::from_secs(100 + u64::from(n) / 10);
            if let Some(attempt) = attempts.begin_at(at, from, Some(&n.to_string())) {
                attempts.end_at(at, attempt, BAD);
            }
            let tables = attempts.tables.lock().unwrap();
            assert!(tables.addresses.len() <= REMEMBERED && tables.accounts.len() <= REMEMBERED);
        }
        attempts.begin_at(Duration::from_secs(1_000), None, None);
        let tables = attempts.tables.lock().unwrap();
        assert!(tables.addresses.len() + tables.accounts.len() < 2 * REMEMBERED);
    }

    #[test]
    fn an_operator_may_set_no_limit() {
        let attempts = Attempts::new(AttemptLimits {
            per_address: None,
            per_account: None,
        });
        assert_eq!(
            guesses(&attempts, 100, address(1), |_| "orion".into()),
            1_000
        );
    }
}
