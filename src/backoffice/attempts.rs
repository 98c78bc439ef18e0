//! How often signing in may fail, for an address and for an account: guessing a password takes a person's patience.
//!
//! Everything that signs in passes here, so the limits are those of the whole process. An address has many people behind it
//! (a school, a provider's NAT), so its limit is wide and success costs it little; an account has one owner, and its limit
//! is tight. Whoever guesses at an account must not keep its owner out: the address that the account was last at, its home, has
//! an allowance of its own. What proves an account in another way, a token that was mailed, has another one.
//!
//! An attempt is counted before it is looked at, and given back if it was none, so that a thousand at once are no more than
//! one after the other.
//!
//! Where an account was last stands in the store. What is known of it here may be missing or old, so nobody is refused as
//! somebody from elsewhere before it has been read ([`Attempt::must_look`], [`Attempts::place`]): once, and then every
//! [`FRESH`] at most, so that what is refused stays cheap.
//!
//! What is kept is bounded and forgets. Accounts that are known to exist have a table of their own, so that no number of
//! made-up names has one of them forgotten; and what is forgotten of one is read again. Before a table grows it forgets what
//! owes nothing and could be read again, so that it is as large as what has failed of late, not as who has signed in.

use std::{
    collections::HashMap,
    hash::{BuildHasher, Hash, RandomState},
    net::{IpAddr, Ipv6Addr},
    sync::{Mutex, MutexGuard, PoisonError},
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
/// Addresses, accounts, and names of which no account is known, that are remembered. While all of them still owe something,
/// others are let go unseen.
const REMEMBERED: usize = if cfg!(test) { 100 } else { 1 << 16 };
/// A full table is looked through at most this often.
const SWEEP: Duration = Duration::from_secs(1);
/// Entries up to which a table is not looked through at all.
const FEW: usize = if cfg!(test) { 10 } else { 256 };
/// For so long an account's home is as it was learned. Another process may let its owner in elsewhere.
const FRESH: Duration = Duration::from_secs(5);
/// Leading bits of an IPv6 address that make one home, unless it is said otherwise.
const IPV6_PREFIX: u32 = 64;

/// What came of an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Came {
    /// They are in, as the account's owner.
    In,
    /// The proof was no good.
    Failed,
    /// It came to nothing, and that was not for the proof; or nothing had to be proved.
    Otherwise,
}

/// How somebody means to prove that an account is theirs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Proof {
    /// By its password.
    Password,
    /// By what was mailed, or whom it was mailed to.
    Mail,
}

/// That an account is theirs.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Claim<'a> {
    /// The account's name.
    pub(crate) name: &'a str,
    /// Where whoever says so is.
    pub(crate) from: IpAddr,
    /// How it is to be proved.
    pub(crate) by: Proof,
}

/// What the store says of the account that is claimed.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Looked<'a> {
    /// There is none.
    Nobody,
    /// There is one.
    Account {
        /// Its name, as it is stored: other spellings may be the same to the store.
        name: &'a str,
        /// Where it was last, if it ever was.
        last: Option<IpAddr>,
    },
}

fn is_fresh(since: Option<Duration>, now: Duration) -> bool {
    since.is_some_and(|since| now < since + FRESH)
}

fn rate(per_minute: Option<u32>, burst: u32) -> Option<Rate> {
    Rate::limit(per_minute, burst * FAILURE as u32)
}

/// Where an attempt comes from and what it is for; to be ended.
#[derive(Debug)]
pub(crate) struct Attempt {
    counted: Option<IpAddr>,
    claimed: Option<Claimed>,
}

#[derive(Clone, Copy, Debug)]
struct Claimed {
    account: u64,
    /// See [`Attempts::home`].
    from: IpAddr,
    by: Proof,
    charged: Charged,
}

/// What an attempt has used of an account's allowances.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Charged {
    /// Nothing: it is not decided yet whether it may be looked at.
    Nothing,
    Anywhere,
    AtHome,
}

impl Attempt {
    /// Whether [`Attempts::place`] has to decide before anything is made of it that a guess could learn from.
    pub(crate) fn must_look(&self) -> bool {
        let claimed = self.claimed.as_ref();
        claimed.is_some_and(|claimed| claimed.charged == Charged::Nothing)
    }
}

/// Allowances of one kind of proof.
#[derive(Clone, Copy, Debug, Default)]
struct Meters {
    anywhere: Meter,
    at_home: Meter,
}

/// What is remembered of an account, or of a name that may be none's.
#[derive(Clone, Copy, Debug, Default)]
struct AccountState {
    password: Meters,
    mail: Meters,
    /// Where it was last, if that was somewhere.
    home: Option<IpAddr>,
    /// The store does not know that home: nobody has signed in to the account yet.
    unwritten: bool,
    /// When that was learned.
    learned: Option<Duration>,
    /// When somebody began to look for what may have changed since.
    asked: Option<Duration>,
}

/// What has failed of late.
#[derive(Debug)]
pub(crate) struct Attempts {
    account_rate: Option<Rate>,
    ipv6_prefix: u32,
    begun: Instant,
    hasher: RandomState,
    tables: Mutex<Tables>,
}

#[derive(Debug, Default)]
struct Tables {
    address_rate: Option<Rate>,
    addresses: Remembered<IpAddr, Meter>,
    /// Those that exist, by a keyed hash of the name.
    accounts: Remembered<u64, AccountState>,
    /// Names of which that is not known, in the same way.
    names: Remembered<u64, AccountState>,
}

/// A table that forgets before it grows.
#[derive(Debug)]
struct Remembered<K, V> {
    all: HashMap<K, V>,
    /// With so many it is looked through.
    sweep_at: usize,
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
            account_rate,
            ipv6_prefix: IPV6_PREFIX,
            begun: Instant::now(),
            hasher: RandomState::new(),
            tables: Mutex::new(Tables {
                address_rate,
                ..Tables::default()
            }),
        }
    }

    /// From now on so many a minute from one address, and so many at once. What has been used stays used.
    pub(crate) fn allow(&self, per_minute: Option<u32>, burst: u32) {
        self.allow_at(self.begun.elapsed(), rate(per_minute, burst));
    }

    fn allow_at(&self, now: Duration, to: Option<Rate>) {
        let mut tables = self.tables.lock().unwrap_or_else(PoisonError::into_inner);
        let from = std::mem::replace(&mut tables.address_rate, to);
        match (from, to) {
            _ if from == to => {}
            (Some(from), Some(to)) => {
                for meter in tables.addresses.all.values_mut() {
                    *meter = meter.converted(now, from, to);
                }
            }
            _ => tables.addresses = Remembered::default(),
        }
    }

    /// So many leading bits of IPv6 addresses make one home.
    pub(crate) fn set_ipv6_prefix(&mut self, bits: u32) {
        self.ipv6_prefix = bits.clamp(1, 128);
    }

    /// Somebody wants to sign in, from what limits per address count as this address. None: there were too many failures.
    pub(crate) fn begin(
        &self,
        counted: Option<IpAddr>,
        claim: Option<Claim<'_>>,
    ) -> Option<Attempt> {
        self.begin_at(self.begun.elapsed(), counted, claim)
    }

    /// The store has been asked for the account that is claimed. False: there were too many failures; it is to be ended.
    #[must_use]
    pub(crate) fn place(&self, attempt: &mut Attempt, looked: Looked<'_>) -> bool {
        self.place_at(self.begun.elapsed(), attempt, looked)
    }

    /// It is known what came of it.
    pub(crate) fn end(&self, attempt: Attempt, came: Came) {
        self.end_at(self.begun.elapsed(), attempt, came);
    }

    /// An account's owner has signed in, whatever has shown that it is theirs.
    pub(crate) fn at_home(&self, name: &str, from: IpAddr) {
        self.settle(name, from, true);
    }

    /// An account was made from there, and nobody has signed in to it yet: of its home the store knows nothing.
    pub(crate) fn made(&self, name: &str, from: IpAddr) {
        self.settle(name, from, false);
    }

    fn settle(&self, name: &str, from: IpAddr, is_written: bool) {
        let now = self.begun.elapsed();
        let (account, home) = (self.account(name), self.home(from));
        if self.account_rate.is_some() {
            self.tables(now).settle(account, home, now, is_written);
        }
    }

    fn begin_at(
        &self,
        now: Duration,
        counted: Option<IpAddr>,
        claim: Option<Claim<'_>>,
    ) -> Option<Attempt> {
        let mut tables = self.tables(now);
        // First, so that whoever is refused for it leaves nothing behind.
        if let (Some(address), Some(rate)) = (counted, tables.address_rate)
            && let Some(meter) = tables.address(address)
            && !meter.take_whole(now, FAILURE, rate)
        {
            return None;
        }
        let mut attempt = Attempt {
            counted,
            claimed: None,
        };
        let (Some(claim), Some(rate)) = (claim, self.account_rate) else {
            return Some(attempt);
        };
        let (account, from) = (self.account(claim.name), self.home(claim.from));
        let charged = match tables.account(account) {
            Some(state) => state.charge(now, from, claim.by, rate),
            None => Some(Charged::Nothing),
        };
        attempt.claimed = charged.map(|charged| Claimed {
            account,
            from,
            by: claim.by,
            charged,
        });
        if attempt.claimed.is_none() {
            self.refund_address(&mut tables, counted);
            return None;
        }
        Some(attempt)
    }

    fn place_at(&self, now: Duration, attempt: &mut Attempt, looked: Looked<'_>) -> bool {
        let (Some(claimed), Some(rate)) = (&mut attempt.claimed, self.account_rate) else {
            return true;
        };
        let mut tables = self.tables(now);
        let (account, last, exists) = match looked {
            Looked::Nobody => (claimed.account, None, false),
            Looked::Account { name, last } => (self.account(name), last, true),
        };
        let home = last.map(|last| self.home(last));
        if account != claimed.account {
            tables.refund(claimed, rate);
            (claimed.account, claimed.charged) = (account, Charged::Nothing);
        }
        let state = match exists {
            true => tables.known(account),
            false => tables.account(account),
        };
        let Some(state) = state else {
            return true;
        };
        if !is_fresh(state.learned, now) || state.home.is_none() {
            // Of one that was made here and never signed in to the store knows nothing.
            state.unwritten = home.is_none() && state.home.is_some();
            (state.home, state.learned) = (home.or(state.home), Some(now));
        }
        let at_home = state.home == Some(claimed.from);
        match (claimed.charged, at_home) {
            (Charged::Anywhere, false) | (Charged::AtHome, _) => return true,
            (Charged::Anywhere, true) => {
                let meters = state.meters(claimed.by);
                meters.anywhere.refund(FAILURE, rate);
            }
            (Charged::Nothing, _) => {}
        }
        claimed.charged = state.take(now, at_home, claimed.by, rate);
        claimed.charged != Charged::Nothing
    }

    fn end_at(&self, now: Duration, attempt: Attempt, came: Came) {
        if came == Came::Failed {
            return;
        }
        let mut tables = self.tables(now);
        self.refund_address(&mut tables, attempt.counted);
        if let (Some(address), Some(rate)) = (attempt.counted, tables.address_rate)
            && let Some(meter) = tables.addresses.all.get_mut(&address)
        {
            meter.charge(now, SUCCESS, rate);
        }
        let (Some(claimed), Some(rate)) = (attempt.claimed, self.account_rate) else {
            return;
        };
        tables.refund(&claimed, rate);
        match came {
            Came::In => tables.settle(claimed.account, claimed.from, now, true),
            Came::Failed | Came::Otherwise => tables.forget(claimed.account, now),
        }
    }

    /// What its address was charged was no failure.
    fn refund_address(&self, tables: &mut Tables, counted: Option<IpAddr>) {
        if let (Some(address), Some(rate)) = (counted, tables.address_rate)
            && let Some(meter) = tables.addresses.all.get_mut(&address)
        {
            meter.refund(FAILURE, rate);
        }
    }

    fn tables(&self, now: Duration) -> MutexGuard<'_, Tables> {
        let mut tables = self.tables.lock().unwrap_or_else(PoisonError::into_inner);
        tables.sweep(now);
        tables
    }

    fn account(&self, name: &str) -> u64 {
        self.hasher.hash_one(name.to_lowercase())
    }

    /// What of an address makes a home: itself, or the IPv6 network it is in.
    fn home(&self, address: IpAddr) -> IpAddr {
        match address.to_canonical() {
            IpAddr::V6(address) if !address.is_loopback() => {
                let network = u128::MAX << (128 - self.ipv6_prefix);
                Ipv6Addr::from_bits(address.to_bits() & network).into()
            }
            address => address,
        }
    }
}

impl AccountState {
    fn meters(&mut self, by: Proof) -> &mut Meters {
        match by {
            Proof::Password => &mut self.password,
            Proof::Mail => &mut self.mail,
        }
    }

    /// Uses an allowance if there is one.
    fn take(&mut self, now: Duration, at_home: bool, by: Proof, rate: Rate) -> Charged {
        let meters = self.meters(by);
        let (meter, charged) = match at_home {
            true => (&mut meters.at_home, Charged::AtHome),
            false => (&mut meters.anywhere, Charged::Anywhere),
        };
        match meter.take_whole(now, FAILURE, rate) {
            true => charged,
            false => Charged::Nothing,
        }
    }

    /// The same of an attempt that begins. None: it is refused. Nothing, if that can't be told before somebody has looked where
    /// the account was last.
    fn charge(&mut self, now: Duration, from: IpAddr, by: Proof, rate: Rate) -> Option<Charged> {
        let at_home = self.home == Some(from);
        let charged = self.take(now, at_home, by, rate);
        if charged != Charged::Nothing {
            return Some(charged);
        }
        if at_home || is_fresh(self.learned, now) || is_fresh(self.asked, now) {
            return None;
        }
        if self.learned.is_some() {
            // This one looks for all who come meanwhile: what is known is old, but not nothing.
            self.asked = Some(now);
        }
        Some(Charged::Nothing)
    }

    /// Whether more is known than could be read again: what was just read need not be, and of a home that was never written
    /// nothing can.
    fn is_worth_a_place(&self, now: Duration) -> bool {
        self.unwritten || is_fresh(self.learned, now) || is_fresh(self.asked, now)
    }

    fn is_even(&self, now: Duration) -> bool {
        let even = |meters: &Meters| meters.anywhere.is_even(now) && meters.at_home.is_even(now);
        even(&self.password) && even(&self.mail)
    }
}

impl<K, V> Default for Remembered<K, V> {
    fn default() -> Self {
        Remembered {
            all: HashMap::new(),
            sweep_at: FEW,
            swept: Duration::ZERO,
        }
    }
}

impl<K: Eq + Hash, V> Remembered<K, V> {
    /// Whether there is no room for more.
    fn is_full(&self) -> bool {
        self.all.len() >= REMEMBERED
    }

    /// Forgets what owes nothing, and is not worth a place while there is room, if the table has become twice as large since
    /// the last time or is full.
    fn sweep(&mut self, now: Duration, owes: impl Fn(&V) -> bool, is_worth: impl Fn(&V) -> bool) {
        let is_full = self.is_full();
        if self.all.len() < self.sweep_at || is_full && now < self.swept + SWEEP {
            return;
        }
        self.swept = now;
        self.all
            .retain(|_, value| owes(value) || !is_full && is_worth(value));
        self.sweep_at = (2 * self.all.len()).clamp(FEW, REMEMBERED);
        self.all.shrink_to(self.sweep_at);
    }
}

impl Tables {
    /// Makes room where a table would grow, or may not.
    fn sweep(&mut self, now: Duration) {
        self.addresses
            .sweep(now, |meter| !meter.is_even(now), |_| false);
        for table in [&mut self.accounts, &mut self.names] {
            let must = |state: &AccountState| !state.is_even(now);
            table.sweep(now, must, |state| state.is_worth_a_place(now));
        }
    }

    fn address(&mut self, address: IpAddr) -> Option<&mut Meter> {
        if self.addresses.is_full() {
            return self.addresses.all.get_mut(&address);
        }
        Some(self.addresses.all.entry(address).or_default())
    }

    /// An account, or a name that may be one's.
    fn account(&mut self, account: u64) -> Option<&mut AccountState> {
        if self.accounts.all.contains_key(&account) {
            return self.accounts.all.get_mut(&account);
        }
        if self.names.is_full() {
            return self.names.all.get_mut(&account);
        }
        Some(self.names.all.entry(account).or_default())
    }

    /// An account that exists: from now on it is among those.
    fn known(&mut self, account: u64) -> Option<&mut AccountState> {
        if self.accounts.is_full() && !self.accounts.all.contains_key(&account) {
            return self.account(account);
        }
        let so_far = self.names.all.remove(&account).unwrap_or_default();
        Some(self.accounts.all.entry(account).or_insert(so_far))
    }

    /// The account exists, and its owner was last there; whether the store was told so.
    fn settle(&mut self, account: u64, home: IpAddr, now: Duration, is_written: bool) {
        if let Some(state) = self.known(account) {
            (state.home, state.learned) = (Some(home), Some(now));
            state.unwritten = !is_written;
        }
    }

    /// What an attempt has used of its account's allowance was no failure.
    fn refund(&mut self, claimed: &Claimed, rate: Rate) {
        let table = match self.accounts.all.contains_key(&claimed.account) {
            true => &mut self.accounts,
            false => &mut self.names,
        };
        let Some(state) = table.all.get_mut(&claimed.account) else {
            return;
        };
        let meters = state.meters(claimed.by);
        match claimed.charged {
            Charged::Nothing => {}
            Charged::Anywhere => meters.anywhere.refund(FAILURE, rate),
            Charged::AtHome => meters.at_home.refund(FAILURE, rate),
        }
    }

    /// A name of which nothing is left to remember.
    fn forget(&mut self, account: u64, now: Duration) {
        let state = self.names.all.get(&account);
        if state.is_some_and(|state| state.is_even(now)) {
            self.names.all.remove(&account);
        }
    }
}

#[cfg(test)]
#[path = "attempts_tests.rs"]
mod tests;
