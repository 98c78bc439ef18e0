//! The protocols there are. One more is a folder here, its `mod`, and its line in the list.

mod blocks;
mod chat;
pub(crate) mod cockatrice;
pub(crate) mod faf;
mod member;
mod said;
mod trips;
pub(crate) mod vcmi;
pub(crate) mod vcmi2;

use anyhow::bail;
use clap::builder::PossibleValue;
use clap::{Args, ValueEnum};

use crate::cli::Arguments;
use crate::plan::Plan;
use crate::protocol::Protocol;
use crate::recording::dialect::Dialect;
use crate::scenario::{Kind, Scenario};
use crate::typed::{self, Typed};

macro_rules! protocols {
    ($($(#[$doc:meta])* $name:ident in $module:ident,)*) => {
        /// Which lobby's protocol is spoken.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
        pub enum ProtocolName { $($(#[$doc])* $name,)* }

        impl ProtocolName {
            /// What `--protocol` calls it.
            pub(crate) fn name(self) -> &'static str {
                match self {
                    $(ProtocolName::$name => <$module::$name as Protocol>::NAME,)*
                }
            }

            /// What recordings know of it.
            pub(crate) fn dialect(self) -> &'static dyn Dialect {
                match self {
                    $(ProtocolName::$name => &$module::dialogue::Dialogue,)*
                }
            }
        }

        /// The options of each protocol.
        #[derive(Debug, Args)]
        pub(crate) struct ProtocolOptions {
            $(#[command(flatten)] $module: <$module::$name as Protocol>::Options,)*
        }

        /// What `--protocol` calls it.
        pub(crate) fn name_of(protocol: ProtocolName) -> &'static str {
            match protocol {
                $(ProtocolName::$name => <$module::$name as Protocol>::NAME,)*
            }
        }

        /// The roles that it knows.
        pub(crate) fn kinds(protocol: ProtocolName) -> &'static [Kind] {
            match protocol {
                $(ProtocolName::$name => <$module::$name as Protocol>::KINDS,)*
            }
        }

        /// The transports of all protocols.
        pub(crate) fn transports() -> Vec<PossibleValue> {
            distinct([$(<$module::$name as Protocol>::transports(),)*].concat())
        }

        /// The protocol that has an option of this id, if one of them has.
        pub(crate) fn owner_of(id: &str) -> Option<&'static str> {
            $(
                let options = <<$module::$name as Protocol>::Options as Args>::augment_args(
                    clap::Command::new(""),
                );
                if options.get_arguments().any(|arg| arg.get_id() == id) {
                    return Some(<$module::$name as Protocol>::NAME);
                }
            )*
            None
        }

        /// The plan of a run of the protocol that was asked for.
        pub(crate) fn plan(arguments: &Arguments, scenario: Scenario) -> anyhow::Result<Plan> {
            match scenario.protocol {
                $(ProtocolName::$name =>
                    arguments.plan_of::<$module::$name>(&arguments.options.$module, scenario),)*
            }
        }
    };
}

protocols! {
    /// Forged Alliance Forever.
    Faf in faf,
    /// The VCMI proxy lobby: --clients users chat at --rate lines per second in all, --games games are relayed.
    Vcmi in vcmi,
    /// The JSON lobby of VCMI 1.5 and later: --clients users chat at --rate lines per second in all, --matches matches are relayed,
    /// in --rooms rooms guests come and go.
    Vcmi2 in vcmi2,
    /// Cockatrice: --clients users chat in the first room at --rate lines per second in all, --tables games are played.
    Cockatrice in cockatrice,
}

impl Default for ProtocolName {
    /// The first of the list.
    fn default() -> ProtocolName {
        ProtocolName::value_variants()[0]
    }
}

/// Refuses options of other protocols than this one.
pub(crate) fn check_options(typed: &Typed, protocol: ProtocolName) -> anyhow::Result<()> {
    let name = name_of(protocol);
    for id in typed.ids() {
        if let Some(owner) = owner_of(id).filter(|owner| *owner != name) {
            let option = typed::option(id);
            bail!("{option} is an option of the protocol {owner}, and this run is one of {name}");
        }
    }
    Ok(())
}

/// Counts on, and gives the number before.
fn next(number: &mut usize) -> usize {
    *number += 1;
    *number - 1
}

/// A value that several protocols have is listed once.
fn distinct(values: Vec<PossibleValue>) -> Vec<PossibleValue> {
    let mut kept: Vec<PossibleValue> = Vec::new();
    for value in values {
        if kept
            .iter()
            .all(|known| known.get_name() != value.get_name())
        {
            kept.push(value);
        }
    }
    kept
}
