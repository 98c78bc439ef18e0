//! What the macro makes of a list.

#![allow(unreachable_pub, reason = "the macro makes structs for other packages")]

use std::{path::PathBuf, time::Duration};

use super::{Address, Cidr, Group, Value, Values};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Manner {
    Strict,
    Lax,
}

crate::words! { Manner { Strict = "strict", Lax = "lax" } }

crate::settings! {
    /// Settings that two groups need.
    #[derive(Clone, Debug, PartialEq)]
    pub struct Shared {
        /// How long to wait.
        grace: Duration = "server.grace_s", number(0, 60), "5", unit("s"), live;
    }
}

crate::settings! {
    /// One of everything.
    #[derive(Clone, Debug, PartialEq)]
    pub struct Everything {
        /// Text over
        /// two lines.
        name: Option<String> = "all.name", text(), "";
        /// A word.
        manner: Manner = "all.manner", word(Manner::WORDS), "lax";
        /// A whole number as a fraction.
        mean: f64 = "all.mean", number(0, 100), "7";
        /// What they share.
        shared: Shared;
        /// How many; 0: no limit.
        most: Option<u32> = "all.most", number(0, 10), "0";
        /// How often.
        pause: Duration = "all.pause_ms", number(0, 1000), "250", unit("ms");
        /// For how long.
        age: Duration = "all.age_days", number(0, 10), "2";
        /// How long, with fractions.
        wait: Duration = "all.wait_s", decimal(0, 10), "1.5", unit("s");
        /// Where.
        address: Address = "all.address", address(), "auto:80";
        /// Who.
        trusted: Vec<Cidr> = "all.trusted", blocks(), "10.0.0.0/8";
        /// In which file.
        file: Option<PathBuf> = "all.file", text(), "here", secret;
        /// Not to be chosen.
        seed: u64, always 3;
    }
}

crate::settings! {
    /// Two groups that share a third.
    #[derive(Clone, Debug, PartialEq)]
    pub struct Both {
        /// Here.
        one: Everything;
        /// And there.
        other: Shared;
    }
}

#[test]
fn defaults_are_read_as_the_types_of_the_fields() {
    let all = Everything::default();
    assert_eq!((all.name, all.manner, all.mean), (None, Manner::Lax, 7.0));
    assert_eq!((all.most, all.seed), (None, 3));
    assert_eq!(all.shared.grace, Duration::from_secs(5));
    assert_eq!(all.pause, Duration::from_millis(250));
    assert_eq!(all.age, Duration::from_secs(2 * 86_400));
    assert_eq!(all.wait, Duration::from_millis(1500));
    assert_eq!(all.address, Address::Auto(80));
    assert_eq!(
        all.address.socket().map(|a| a.to_string()),
        Some("127.0.0.1:80".into())
    );
    assert!(all.trusted[0].contains("10.1.2.3".parse().unwrap()));
    assert_eq!(all.file, Some(PathBuf::from("here")));
}

#[test]
fn keys_come_in_order_and_once() {
    let names: Vec<_> = Both::keys().iter().map(|key| key.name).collect();
    assert_eq!(
        names[0..5],
        [
            "all.name",
            "all.manner",
            "all.mean",
            "server.grace_s",
            "all.most"
        ]
    );
    assert_eq!(
        names
            .iter()
            .filter(|name| **name == "server.grace_s")
            .count(),
        1
    );
    let key = Shared::keys()[0];
    assert_eq!(
        (key.group(), key.own_name(), key.unit),
        ("server", "grace_s", "s")
    );
    assert_eq!(key.variable(), "MUSTER_SERVER_GRACE_S");
    assert!(key.live && !key.secret);
    let all = Everything::keys();
    assert_eq!(all[0].doc, "Text over two lines.");
    assert!(all.iter().any(|key| key.name == "all.file" && key.secret));
}

#[test]
fn what_is_set_is_read_by_every_group_that_has_it() {
    let mut values = Values::defaults(&Both::keys());
    values.set(Shared::keys()[0], Value::Number(9));
    let both = Both::read(&values);
    assert_eq!(both.one.shared, both.other);
    assert_eq!(both.other.grace, Duration::from_secs(9));
}

#[test]
#[should_panic(expected = "declared twice")]
fn one_name_for_two_keys_is_found_out() {
    crate::settings! {
        /// The name is taken.
        pub struct Again {
            /// How long to wait.
            shared: Shared;
            /// Something else.
            grace: u32 = "server.grace_s", number(0, 60), "6";
        }
    }
    let again = Again::default();
    assert_ne!(Duration::from_secs(again.grace.into()), again.shared.grace);
}
