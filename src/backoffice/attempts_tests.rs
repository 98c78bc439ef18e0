//! Guesses at accounts, one after the other, at times that are chosen.

use super::*;

const BAD: Came = Came::Failed;
const OWNER: IpAddr = address(9);

const fn address(last: u8) -> IpAddr {
    IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, last))
}

fn seconds(at: u64) -> Duration {
    Duration::from_secs(at)
}

fn claim(name: &str, from: IpAddr) -> Option<Claim<'_>> {
    Some(Claim {
        name,
        from,
        by: Proof::Password,
    })
}

fn unlimited_addresses() -> Attempts {
    Attempts::new(AttemptLimits {
        per_address: None,
        per_account: Some(10),
    })
}

/// The accounts of a store, each with where it was last.
type Stored<'a> = &'a [(&'a str, Option<IpAddr>)];

fn looked<'a>(stored: Stored<'a>, name: &str) -> Looked<'a> {
    let account = stored
        .iter()
        .find(|(own, _)| own.eq_ignore_ascii_case(name));
    account.map_or(Looked::Nobody, |&(name, last)| Looked::Account {
        name,
        last,
    })
}

/// One who tries; whether that was looked at, and how it ends.
fn tries(
    attempts: &Attempts,
    at: Duration,
    claim: Option<Claim<'_>>,
    (stored, came): (Stored<'_>, Came),
) -> bool {
    let Some(claim) = claim else { return false };
    let Some(mut attempt) = attempts.begin_at(at, Some(claim.from), Some(claim)) else {
        return false;
    };
    let may = attempts.place_at(at, &mut attempt, looked(stored, claim.name));
    attempts.end_at(at, attempt, if may { came } else { Came::Otherwise });
    may
}

/// Tries again and again, and fails. How often that was looked at.
fn guesses(
    attempts: &Attempts,
    at: u64,
    from: IpAddr,
    stored: Stored<'_>,
    account: impl Fn(u32) -> String,
) -> u32 {
    let one = |n: &u32| {
        let name = account(*n);
        tries(attempts, seconds(at), claim(&name, from), (stored, BAD))
    };
    (0..1_000).filter(one).count() as u32
}

fn orion(_: u32) -> String {
    "orion".to_owned()
}

#[test]
fn an_account_is_guessed_at_slowly_from_wherever() {
    let stores: [Stored<'_>; 3] = [&[], &[("Orion", None)], &[("orion", Some(OWNER))]];
    for stored in stores {
        let attempts = Attempts::new(AttemptLimits::default());
        assert_eq!(guesses(&attempts, 100, address(1), stored, orion), 20);
        let shouted = |_: u32| "ORION".to_owned();
        assert_eq!(guesses(&attempts, 100, address(2), stored, shouted), 0);
        assert_eq!(guesses(&attempts, 160, address(3), stored, orion), 10);
        let other = |_: u32| "vega".to_owned();
        assert_eq!(guesses(&attempts, 160, address(1), stored, other), 20);
    }
}

// While they guess time passes, and what a part of a guess costs was taken for a whole one.
#[test]
fn a_guess_in_the_making_is_none() {
    let attempts = unlimited_addresses();
    let mut looked_at = 0;
    for n in 0..59 {
        let at = seconds(100) + n * Duration::from_millis(100);
        let claim = claim("orion", address(1));
        looked_at += u32::from(tries(&attempts, at, claim, (&[], BAD)));
    }
    assert_eq!(looked_at, 20);
    let next = tries(
        &attempts,
        seconds(106),
        claim("orion", address(1)),
        (&[], BAD),
    );
    assert!(next, "after six seconds there is one more");
}

#[test]
fn an_address_has_so_many_failures_whatever_the_account() {
    let attempts = Attempts::new(AttemptLimits::default());
    let any = |n: u32| format!("name{n}");
    assert_eq!(guesses(&attempts, 100, address(1), &[], any), 100);
    assert_eq!(guesses(&attempts, 101, address(1), &[], any), 2);
    let exempt = (0..1_000).filter(|n| {
        let name = format!("name{n}");
        attempts
            .begin_at(seconds(101), None, claim(&name, address(1)))
            .is_some()
    });
    assert_eq!(exempt.count(), 1_000, "this machine is exempt");
}

/// A school comes back from a break.
#[test]
fn many_may_sign_in_from_one_address() {
    let attempts = Attempts::new(AttemptLimits::default());
    for n in 0..900 {
        let name = format!("pupil{n}");
        let stored = [(&*name, Some(OWNER))];
        let claim = claim(&name, address(1));
        assert!(tries(&attempts, seconds(100), claim, (&stored, Came::In)));
    }
}

#[test]
fn the_owner_gets_in_while_others_guess() {
    let attempts = Attempts::new(AttemptLimits::default());
    let owner = claim("orion", OWNER);
    let at = seconds(100);
    assert!(tries(&attempts, at, owner, (&[("orion", None)], Came::In)));
    let stored: Stored<'_> = &[("orion", Some(OWNER))];
    assert_eq!(guesses(&attempts, 100, address(1), stored, orion), 20);
    assert!(!tries(
        &attempts,
        at,
        claim("orion", address(2)),
        (stored, Came::In)
    ));
    assert!(tries(&attempts, at, owner, (stored, Came::In)));
    // But whoever sits beside the owner guesses no more than others.
    assert_eq!(guesses(&attempts, 100, OWNER, stored, orion), 20);
    assert!(!tries(&attempts, at, owner, (stored, Came::In)));
}

// After a restart the owner was refused at the very address that stands in the store.
#[test]
fn where_the_owner_was_last_is_read_before_they_are_refused() {
    let stored: Stored<'_> = &[("orion", Some(OWNER))];
    for has_looked in [true, false] {
        let attempts = Attempts::new(AttemptLimits::default());
        // Some only looked at the account when they had to, and so learned nothing of its home.
        for n in 0..20 {
            let from = address(100 + n);
            let attempt = attempts.begin_at(seconds(100), Some(from), claim("orion", from));
            let mut attempt = attempt.expect("there are twenty");
            assert!(!attempt.must_look());
            if has_looked {
                assert!(attempts.place_at(seconds(100), &mut attempt, looked(stored, "orion")));
            }
            attempts.end_at(seconds(100), attempt, BAD);
        }
        let stranger = claim("orion", address(201));
        assert!(!tries(
            &attempts,
            seconds(100),
            stranger,
            (stored, Came::In)
        ));
        assert!(tries(
            &attempts,
            seconds(100),
            claim("orion", OWNER),
            (stored, Came::In)
        ));
    }
}

#[test]
fn what_is_refused_is_looked_up_now_and_then() {
    let attempts = unlimited_addresses();
    let stored: Stored<'_> = &[("orion", Some(OWNER))];
    assert_eq!(guesses(&attempts, 100, address(1), stored, orion), 20);
    let look = |at: Duration| {
        let looks = (0..1_000).filter(|_| {
            let attempt = attempts.begin_at(at, None, claim("orion", address(1)));
            attempt.is_some_and(|attempt| attempt.must_look())
        });
        looks.count()
    };
    assert_eq!(look(seconds(104)), 0);
    assert_eq!(look(seconds(105)), 1);
    assert_eq!(look(seconds(105) + FRESH / 2), 0);
    // Somebody looks while the owner is let in elsewhere by another process, and they come here.
    let moved: Stored<'_> = &[("orion", Some(address(77)))];
    let at = seconds(105) + FRESH;
    let mut attempt = attempts
        .begin_at(at, None, claim("orion", address(77)))
        .unwrap();
    assert!(attempt.must_look());
    assert!(attempts.place_at(at, &mut attempt, looked(moved, "orion")));
}

#[test]
fn another_spelling_is_the_same_account() {
    let attempts = unlimited_addresses();
    let spelled = |n: u32| format!("órion{}", " ".repeat(n as usize % 50));
    // The store finds one account for all of them.
    let one = |n: &u32| {
        let name = spelled(*n);
        let from = address(1);
        let Some(mut attempt) = attempts.begin_at(seconds(100), None, claim(&name, from)) else {
            return false;
        };
        let looked = looked(&[("orion", None)], "orion");
        let may = attempts.place_at(seconds(100), &mut attempt, looked);
        attempts.end_at(
            seconds(100),
            attempt,
            if may { BAD } else { Came::Otherwise },
        );
        may
    };
    assert_eq!((0..200).filter(one).count(), 20);
}

#[test]
fn a_home_of_ipv6_is_a_network() {
    let attempts = unlimited_addresses();
    let [stored, near, far] =
        ["2001:db8:1:2::3", "2001:db8:1:2:f::", "2001:db8:1:3::3"].map(|a| a.parse().unwrap());
    let stored = [("orion", Some(stored))];
    assert_eq!(guesses(&attempts, 100, address(1), &stored, orion), 20);
    let at = seconds(100);
    assert!(!tries(
        &attempts,
        at,
        claim("orion", far),
        (&stored, Came::Otherwise)
    ));
    assert!(tries(
        &attempts,
        at,
        claim("orion", near),
        (&stored, Came::Otherwise)
    ));
    let mapped = "::ffff:192.0.2.9".parse().unwrap();
    attempts.at_home("vega", mapped);
    assert_eq!(attempts.home(mapped), OWNER);
}

#[test]
fn a_token_is_tried_apart_from_the_password() {
    let attempts = Attempts::new(AttemptLimits::default());
    let stored: Stored<'_> = &[("orion", None)];
    assert_eq!(guesses(&attempts, 100, address(1), stored, orion), 20);
    let by_mail = |from| {
        claim("orion", from).map(|claim| Claim {
            by: Proof::Mail,
            ..claim
        })
    };
    let mails = (0..30).filter(|n| {
        let claim = by_mail(address(100 + n));
        tries(&attempts, seconds(100), claim, (stored, BAD))
    });
    assert_eq!(mails.count(), 20);
    // Whoever has made the account is at home in it, before they have ever signed in.
    attempts.made("Orion", OWNER);
    assert!(tries(
        &attempts,
        seconds(100),
        by_mail(OWNER),
        (stored, BAD)
    ));
    assert!(tries(
        &attempts,
        seconds(100),
        claim("orion", OWNER),
        (stored, BAD)
    ));
}

#[test]
fn what_was_no_failure_costs_nothing() {
    let attempts = Attempts::new(AttemptLimits::default());
    for _ in 0..100 {
        let claim = claim("orion", address(1));
        assert!(tries(
            &attempts,
            seconds(100),
            claim,
            (&[], Came::Otherwise)
        ));
    }
    assert!(attempts.tables(seconds(100)).names.all.is_empty());
}

// 65,536 made-up names had every home forgotten.
#[test]
fn made_up_names_push_no_account_out() {
    let attempts = unlimited_addresses();
    let at = seconds(100);
    // Of an account that was registered and never signed in to the store knows no address.
    attempts.made("orion", OWNER);
    for round in 0..5 {
        let any = |n: u32| format!("name{n} {round}");
        guesses(&attempts, 100 + 2 * round, address(1), &[], any);
    }
    let stored: Stored<'_> = &[("orion", None)];
    assert_eq!(guesses(&attempts, 110, address(1), stored, orion), 20);
    let owner = claim("orion", OWNER);
    assert!(tries(&attempts, seconds(110), owner, (stored, Came::In)));
    let tables = attempts.tables(at);
    assert!(tables.names.all.len() <= REMEMBERED && tables.accounts.all.len() == 1);
}

#[test]
fn what_is_refused_for_its_address_leaves_nothing() {
    let attempts = Attempts::new(AttemptLimits::default());
    let any = |n: u32| format!("name{n}");
    guesses(&attempts, 100, address(1), &[], any);
    let more = |n: u32| format!("other{n}");
    assert_eq!(guesses(&attempts, 100, address(1), &[], more), 0);
    assert_eq!(attempts.tables(seconds(100)).names.all.len(), 100);
    assert!(
        !attempts
            .tables(seconds(100))
            .names
            .all
            .contains_key(&attempts.account("other1"))
    );
}

/// With strangers' names in every place, an account is still guessed at slowly.
#[test]
fn a_full_table_of_names_frees_no_account() {
    let attempts = unlimited_addresses();
    let any = |n: u32| format!("name{}", n % 500);
    guesses(&attempts, 100, address(1), &[], any);
    assert_eq!(attempts.tables(seconds(100)).names.all.len(), REMEMBERED);
    let stored: Stored<'_> = &[("orion", None)];
    assert_eq!(guesses(&attempts, 100, address(1), stored, orion), 20);
}

#[test]
fn what_is_kept_is_bounded_and_forgotten() {
    let attempts = Attempts::new(AttemptLimits::default());
    for n in 0..300u32 {
        let from = IpAddr::from((0x0a00_0000 + n).to_be_bytes());
        let at = Duration::from_secs(100 + u64::from(n) / 10);
        let name = n.to_string();
        let stored = [(&*name, Some(OWNER))];
        let stored = if n % 2 == 0 { &stored[..] } else { &[] };
        tries(&attempts, at, claim(&name, from), (stored, BAD));
        let tables = attempts.tables(at);
        assert!(tables.addresses.all.len() <= REMEMBERED);
        assert!(tables.names.all.len() <= REMEMBERED && tables.accounts.all.len() <= REMEMBERED);
    }
    let tables = attempts.tables(Duration::from_secs(1_000));
    assert!(tables.addresses.all.len() + tables.accounts.all.len() < 2 * REMEMBERED);
}

// Everybody who had signed in since the start was remembered, up to 65,536: 200 bytes for each.
#[test]
fn who_has_signed_in_and_owes_nothing_is_forgotten() {
    let attempts = Attempts::new(AttemptLimits::default());
    attempts.made("vega", OWNER);
    guesses(&attempts, 100, address(1), &[("orion", None)], orion);
    for n in 0..90u64 {
        let name = format!("name{n}");
        let stored = [(&*name, Some(OWNER))];
        let owner = claim(&name, OWNER);
        let came = (&stored[..], Came::In);
        assert!(tries(&attempts, seconds(100 + n), owner, came));
        let tables = attempts.tables(seconds(100 + n));
        // Those of the last seconds twice, and the two who are worth it.
        assert!(tables.accounts.all.len() <= FEW + 2 * FRESH.as_secs() as usize);
        assert!(tables.accounts.all.capacity() <= 4 * FEW);
    }
    let known = |name| {
        attempts
            .tables(seconds(190))
            .accounts
            .all
            .contains_key(&attempts.account(name))
    };
    assert!(known("vega"), "its home could not be read again");
    assert!(known("orion"), "it is still guessed at");
    assert!(!known("name0"));
}

#[test]
fn an_operator_may_set_no_limit() {
    let attempts = Attempts::new(AttemptLimits {
        per_address: None,
        per_account: None,
    });
    assert_eq!(guesses(&attempts, 100, address(1), &[], orion), 1_000);
    attempts.at_home("orion", OWNER);
    assert!(attempts.tables(seconds(100)).accounts.all.is_empty());
}

#[test]
fn another_rate_counts_what_was_used_before() {
    let attempts = Attempts::per_address(Some(1), 20);
    let all = |at| {
        let taken = (0..100).filter(|_| {
            let attempt = attempts.begin_at(seconds(at), Some(OWNER), None);
            attempt
                .map(|attempt| attempts.end_at(seconds(at), attempt, BAD))
                .is_some()
        });
        taken.count()
    };
    assert_eq!(all(100), 20);
    attempts.allow_at(seconds(100), rate(Some(60), 20));
    assert_eq!((all(100), all(103)), (0, 3));
    attempts.allow_at(seconds(103), None);
    assert_eq!(all(103), 100);
    attempts.allow_at(seconds(103), rate(Some(60), 20));
    assert_eq!(all(103), 20);
}
