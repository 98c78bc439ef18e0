//! The scenarios inside the program, which `--profile` names.

use std::fmt::Write as _;

use anyhow::{Context as _, bail};
use clap::builder::PossibleValue;

use super::Scenario;
use super::table::{Source, unknown};
use crate::protocols::{self, ProtocolName};

/// A scenario inside the program.
#[derive(Debug, Clone, Copy)]
pub struct Shipped {
    /// Its protocol's name.
    pub protocol: &'static str,
    /// What `--profile` calls it.
    pub name: &'static str,
    /// The file.
    pub text: &'static str,
}

macro_rules! shipped {
    ($($protocol:literal: $($name:literal)*;)*) => {
        /// All of them; the first of a protocol is what it does unless told otherwise.
        const SHIPPED: &[Shipped] = &[$($(Shipped {
            protocol: $protocol,
            name: $name,
            text: include_str!(concat!("../../profiles/", $protocol, "/", $name, ".toml")),
        },)*)*];
    };
}

shipped! {
    "faf": "watch" "lobby" "churn" "login" "ice" "matchmaking" "idle";
    "vcmi": "lobby";
    "vcmi2": "lobby" "login" "churn" "idle";
    "cockatrice": "lobby";
}

/// Each name once with what it is for in each protocol that has it, as `--profile` takes them.
pub(super) fn names() -> Vec<PossibleValue> {
    let mut names: Vec<(&str, String)> = Vec::new();
    for shipped in SHIPPED {
        let about = shipped.about().unwrap_or_default();
        let about = format!("{}: {about}", shipped.protocol);
        match names.iter_mut().find(|(name, _)| *name == shipped.name) {
            Some((_, all)) => *all = format!("{all} {about}"),
            None => names.push((shipped.name, about)),
        }
    }
    let names = names.into_iter();
    names
        .map(|(name, about)| PossibleValue::new(name).help(about))
        .collect()
}

/// All of them with what they are for, a line each; the first of a protocol is what it does unless told otherwise.
pub fn list() -> anyhow::Result<String> {
    let mut text = String::new();
    for shipped in SHIPPED {
        let about = shipped.about()?;
        let _infallible = writeln!(text, "{:<18} {about}", shipped.full_name());
    }
    Ok(text)
}

impl Shipped {
    /// The scenario of this name, as `lobby` or `faf/lobby`.
    ///
    /// # Errors
    /// There is none, or several of this name; all are named then.
    pub fn named(name: &str) -> anyhow::Result<Shipped> {
        let mut found = SHIPPED.iter().filter(|shipped| shipped.is_called(name));
        match (found.next(), found.next()) {
            (Some(shipped), None) => Ok(*shipped),
            (Some(one), Some(other)) => {
                let (one, other) = (one.full_name(), other.full_name());
                bail!("{name} may be {one} or {other}: name the protocol as well")
            }
            _ => {
                let names: Vec<String> = SHIPPED.iter().map(Shipped::full_name).collect();
                bail!(unknown("profile", name, names.iter().map(String::as_str)))
            }
        }
    }

    /// The protocol's scenario of this name, or its first.
    pub(crate) fn of(protocol: ProtocolName, name: Option<&str>) -> anyhow::Result<Shipped> {
        let protocol = protocols::name_of(protocol);
        let mut own = SHIPPED
            .iter()
            .filter(|shipped| shipped.protocol == protocol);
        let found = own.find(|shipped| name.is_none_or(|name| shipped.name == name));
        let name = name.unwrap_or("");
        let missing = || format!("--profile {name}: the protocol {protocol} has no such profile");
        found.copied().with_context(missing)
    }

    fn is_called(&self, name: &str) -> bool {
        self.name == name || self.full_name() == name
    }

    /// With its protocol, as `faf/lobby`.
    pub fn full_name(&self) -> String {
        format!("{}/{}", self.protocol, self.name)
    }

    /// What it is for, in a sentence or two.
    fn about(&self) -> anyhow::Result<String> {
        let name = self.full_name();
        let text = self.text;
        let source = Source { name: &name, text };
        source.read()?.need("about")?.text()
    }

    pub(crate) fn scenario(&self) -> anyhow::Result<Scenario> {
        let mut scenario = Scenario::read(&self.full_name(), self.text)?;
        scenario.name = self.name.to_owned();
        Ok(scenario)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_shipped_file_is_a_scenario_that_its_protocol_can_do() {
        for shipped in SHIPPED {
            let scenario = shipped.scenario().expect("it can be read");
            assert_eq!(protocols::name_of(scenario.protocol), shipped.protocol);
            assert!(!scenario.about.is_empty(), "{}", shipped.full_name());
        }
    }

    #[test]
    fn a_name_that_several_protocols_have_needs_the_protocol() {
        assert_eq!(Shipped::named("faf/lobby").expect("known").name, "lobby");
        assert_eq!(Shipped::named("ice").expect("one only").protocol, "faf");
        let error = Shipped::named("lobby").expect_err("several").to_string();
        assert!(error.contains("vcmi/lobby"), "{error}");
        let error = Shipped::named("faf/loby").expect_err("none").to_string();
        assert!(error.contains("did you mean `faf/lobby`?"), "{error}");
    }
}
