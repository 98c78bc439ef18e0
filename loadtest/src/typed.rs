//! Which options were typed, as opposed to those that have their default: one that means nothing is refused and not passed over.

use std::collections::BTreeSet;

use clap::parser::ValueSource;
use clap::{ArgMatches, Args, Command, FromArgMatches};

/// The ids of the options that were typed. It has no option of its own; in a struct of options it comes first, because reading the
/// others takes them away.
#[derive(Debug, Clone, Default)]
pub(crate) struct Typed(BTreeSet<String>);

impl Typed {
    /// All that were typed.
    pub(crate) fn ids(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }
}

impl FromArgMatches for Typed {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Typed, clap::Error> {
        let typed = matches.ids().filter(|id| {
            let source = matches.value_source(id.as_str());
            source == Some(ValueSource::CommandLine)
        });
        Ok(Typed(typed.map(|id| id.as_str().to_owned()).collect()))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Typed::from_arg_matches(matches)?;
        Ok(())
    }
}

impl Args for Typed {
    fn augment_args(command: Command) -> Command {
        command
    }

    fn augment_args_for_update(command: Command) -> Command {
        command
    }
}

/// The option of this id as it is typed.
pub(crate) fn option(id: &str) -> String {
    format!("--{}", id.replace('_', "-"))
}
