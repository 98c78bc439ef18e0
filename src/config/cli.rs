//! The command line: only what can be typed. Doing it is `main`'s business.

mod ctl;

use std::path::PathBuf;

use backoffice::cockatrice::account::Right;
use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;

pub use ctl::{At, AtOne, Ctl, Form, List, Whom};

/// A lobby server.
#[derive(Clone, Debug, Parser)]
#[command(name = "muster", version, about = "A lobby server for FAF, VCMI and Cockatrice", long_about = None)]
pub struct Cli {
    /// Options of every command.
    #[command(flatten)]
    pub options: Options,
    /// What to do; nothing typed: serve.
    #[command(subcommand)]
    pub command: Option<Command>,
}

/// Options of every command.
#[derive(Args, Clone, Debug, Default)]
pub struct Options {
    /// Configuration file (TOML).
    #[arg(long, value_name = "FILE", env = "MUSTER_CONFIG", global = true)]
    pub config: Option<PathBuf>,
    /// Configuration file of the FAF lobby server that this one replaces (YAML).
    #[arg(long, value_name = "FILE", env = "CONFIGURATION_FILE", global = true)]
    pub configuration_file: Option<PathBuf>,
    /// Configuration file of the Cockatrice server that this one replaces (servatrice.ini).
    #[arg(long, value_name = "FILE", env = "MUSTER_COMPAT", global = true)]
    pub compat: Option<PathBuf>,
    /// Set one configuration key; may be repeated.
    #[arg(long = "set", value_name = "KEY=VALUE", value_parser = pair, global = true)]
    pub set: Vec<(String, String)>,
    /// Short for --set server.shards=N.
    #[arg(long, value_name = "N", global = true)]
    pub shards: Option<u16>,
    /// Short for --set faf.auth=WORD.
    #[arg(long, value_name = "open|database", global = true)]
    pub auth: Option<String>,
    /// Check the configuration and stop.
    #[arg(long, global = true)]
    pub check_config: bool,
    /// Print the configuration in effect as a commented file and stop.
    #[arg(long, global = true)]
    pub print_config: bool,
}

impl Options {
    /// What was set, for [`Config::load`](super::Config::load).
    pub fn flags(&self) -> Vec<(String, String)> {
        let shards = self
            .shards
            .map(|shards| ("server.shards".to_owned(), shards.to_string()));
        let auth = self.auth.clone().map(|auth| ("faf.auth".to_owned(), auth));
        self.set.iter().cloned().chain(shards).chain(auth).collect()
    }
}

/// What to do.
#[derive(Clone, Debug, Subcommand)]
pub enum Command {
    /// Run the server (the default).
    Serve,
    /// Look whether this machine can run the server, and how well.
    Doctor {
        /// As JSON, for programs.
        #[arg(long)]
        json: bool,
    },
    /// Ask a running server: the one with the same data folder. For its own user and root.
    Ctl {
        /// What to ask it.
        #[command(subcommand)]
        action: Ctl,
    },
    /// Write the manual pages.
    Man {
        /// A folder that is there.
        folder: PathBuf,
    },
    /// Print the completions for a shell.
    Completions {
        /// For whom.
        shell: Shell,
    },
    /// Look after an embedded store: check it, copy it, put a copy back.
    Store {
        /// Whose store.
        #[arg(long, value_enum, default_value_t, global = true)]
        lobby: AccountsOf,
        /// What to do with it.
        #[command(subcommand)]
        action: Store,
    },
    /// Look after accounts in the database.
    Account {
        /// Whose accounts.
        #[arg(long, value_enum, default_value_t, global = true)]
        lobby: AccountsOf,
        /// What to do with them.
        #[command(subcommand)]
        action: Account,
    },
}

/// A lobby that has accounts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum AccountsOf {
    /// Those in store.url.
    #[default]
    Faf,
    /// Those in cockatrice.store_url.
    Cockatrice,
    /// Those in vcmi_json.store_url.
    #[value(name = "vcmi_json", alias = "vcmi-json")]
    VcmiJson,
}

/// What to do with an embedded store.
#[derive(Clone, Debug, PartialEq, Subcommand)]
pub enum Store {
    /// Read all of it and say whether it is sound. A server may be using it.
    Check {
        /// As JSON, for programs.
        #[arg(long)]
        json: bool,
    },
    /// Copy it as it is at this moment, and check the copy. A server may be using it.
    Backup {
        /// A file that is not there yet.
        file: PathBuf,
    },
    /// Check a copy and put it in the place of the store, which is kept under another name. The server must have been stopped.
    Restore {
        /// What `backup` has made.
        file: PathBuf,
    },
    /// Make it, or bring it up to date with this program, as the server does by itself when it starts.
    Migrate,
}

/// What to do with accounts.
#[derive(Clone, Debug, PartialEq, Subcommand)]
pub enum Account {
    /// Add an account.
    Add {
        /// Name that the account signs in with.
        login: String,
        /// Password; not given: one is made up and printed.
        #[arg(long)]
        password: Option<String>,
        /// Number of the account; not given: the next free one. FAF only.
        #[arg(long)]
        id: Option<u32>,
        /// user, judge, moderator or administrator; may be repeated. Cockatrice only.
        #[arg(long = "right", value_name = "RIGHT")]
        rights: Vec<Right>,
    },
    /// List accounts, those of FAF with their bans, those of Cockatrice with their rights.
    List {
        /// Those whose names begin so.
        #[arg(long, default_value = "")]
        prefix: String,
        /// As JSON, for programs.
        #[arg(long)]
        json: bool,
    },
    /// Show what is known of an account.
    Show {
        /// Name that the account signs in with.
        login: String,
        /// As JSON, for programs.
        #[arg(long)]
        json: bool,
    },
    /// Delete an account, or those of a test, with all that is theirs. Whoever is signed in stays until they go.
    #[command(group = clap::ArgGroup::new("whose").required(true))]
    Delete {
        /// Name that the account signs in with.
        #[arg(group = "whose")]
        login: Option<String>,
        /// All whose names begin so, three letters at least.
        #[arg(long, group = "whose")]
        prefix: Option<String>,
        /// Also those that have played games, and these games with what everybody has got of them. FAF only.
        #[arg(long)]
        games: bool,
    },
    /// Say what an account may do, from its next sign-in on. Cockatrice only.
    SetRight {
        /// Name that the account signs in with.
        login: String,
        /// user, judge, moderator or administrator; several count together.
        #[arg(required = true, value_name = "RIGHT")]
        rights: Vec<Right>,
    },
    /// Give an account another password. Cockatrice only.
    SetPassword {
        /// Name that the account signs in with.
        login: String,
        /// The password; not given: one is made up and printed.
        #[arg(long)]
        password: Option<String>,
    },
    /// Ban an account.
    Ban {
        /// Name that the account signs in with.
        login: String,
        /// Told to the player.
        #[arg(long)]
        reason: String,
        /// For how long; not given: for good.
        #[arg(long)]
        hours: Option<u32>,
    },
    /// Lift all bans of an account.
    Unban {
        /// Name that the account signs in with.
        login: String,
    },
}

fn pair(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) => Ok((key.trim().to_owned(), value.trim().to_owned())),
        None => Err("expected KEY=VALUE".into()),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    fn parse(line: &str) -> Cli {
        Cli::try_parse_from(line.split_whitespace()).unwrap()
    }

    #[test]
    fn the_definition_holds_together() {
        Cli::command().debug_assert();
    }

    #[test]
    fn options_stand_before_or_after_the_command() {
        for line in [
            "muster --shards 2 --auth open --set faf.tick_ms=20",
            "muster serve --shards 2 --set faf.tick_ms=20 --auth open",
        ] {
            let flags = parse(line).options.flags();
            let expected = [
                ("faf.tick_ms", "20"),
                ("server.shards", "2"),
                ("faf.auth", "open"),
            ];
            assert_eq!(flags, expected.map(|(k, v)| (k.to_string(), v.to_string())));
        }
        assert!(parse("muster --check-config").command.is_none());
    }

    #[test]
    fn a_lobby_has_one_name_and_is_known_with_a_hyphen_too() {
        for name in ["vcmi_json", "vcmi-json"] {
            let of_store = parse(&format!("muster store --lobby {name} check")).command;
            let Some(Command::Store { lobby, .. }) = of_store else {
                panic!("no store command")
            };
            assert_eq!(lobby, AccountsOf::VcmiJson);
            let listed = parse(&format!("muster ctl players --lobby {name}")).command;
            let Some(Command::Ctl {
                action: Ctl::Players(list),
            }) = listed
            else {
                panic!("no list")
            };
            assert_eq!(list.at.lobby.as_deref(), Some("vcmi_json"));
        }
        let shown = AccountsOf::VcmiJson.to_possible_value();
        assert_eq!(shown.unwrap().get_name(), "vcmi_json");
        let chess = "muster ctl players --lobby chess".split_whitespace();
        let error = Cli::try_parse_from(chess).unwrap_err();
        assert_eq!(error.exit_code(), 2);
    }

    #[test]
    fn a_network_that_is_none_is_refused_with_the_reason() {
        for (network, why) in [
            ("nonsense", "is not a network"),
            ("::ffff:203.0.113.9/64", "96 bits"),
        ] {
            let ban = [
                "muster",
                "ctl",
                "ban",
                "--network",
                network,
                "--reason",
                "r",
            ];
            let error = Cli::try_parse_from(ban).unwrap_err();
            assert_eq!(error.exit_code(), 2);
            assert!(error.to_string().contains(why), "{error}");
        }
    }

    #[test]
    fn accounts() {
        let Some(Command::Account { lobby, action }) =
            parse("muster account ban orion --reason spam --hours 46").command
        else {
            panic!("no account command")
        };
        assert_eq!(lobby, AccountsOf::Faf);
        assert_eq!(
            action,
            Account::Ban {
                login: "orion".into(),
                reason: "spam".into(),
                hours: Some(46)
            }
        );
        assert!(Cli::try_parse_from(["muster", "account", "ban", "orion"]).is_err());
        for line in [
            "muster account --lobby cockatrice set-right ann judge moderator",
            "muster account set-right ann judge moderator --lobby cockatrice",
        ] {
            let Some(Command::Account { lobby, action }) = parse(line).command else {
                panic!("no account command")
            };
            assert_eq!(lobby, AccountsOf::Cockatrice);
            let rights = vec![Right::Judge, Right::Moderator];
            let login = "ann".to_owned();
            assert_eq!(action, Account::SetRight { login, rights });
        }
        let king = "muster account set-right ann king".split_whitespace();
        assert!(Cli::try_parse_from(king).is_err());
    }
}
