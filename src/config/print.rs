//! All keys as text: a commented TOML file and the reference page.

use std::fmt::Write;

use settings::{Key, Kind, Quoted, Value, Values};

use super::groups::{HEADINGS, keys};

/// Width of comments in the printed file.
const COLUMNS: usize = 100;

/// A TOML file with every key, its documentation and its effective value.
pub(super) fn commented(values: &Values) -> String {
    let mut out = String::new();
    for (group, heading) in HEADINGS {
        let _ = writeln!(out, "# {heading}.\n[{group}]");
        for key in keys_of(group) {
            let about = format!(
                "{} Allowed: {}. Default: {}.",
                key.doc,
                key.kind,
                default(key)
            );
            wrapped(&mut out, &about);
            let _ = writeln!(out, "{} = {}\n", key.own_name(), shown(key, values.of(key)));
        }
    }
    out
}

/// The page `docs/config.md`.
pub fn reference() -> String {
    let mut out = String::from(
        "# Configuration\n\n\
         <!-- Made from the settings in the code; `BLESS=1 cargo test -p muster-config` writes it anew. -->\n\n\
         A value comes from, later wins: its default, the TOML file (`--config FILE`), the environment, the command\n\
         line (`--set group.key=value`). An unknown key or a value that is not allowed stops the start with a message\n\
         that names the place. `muster --check-config` only checks; `muster --print-config` prints a commented file\n\
         with the values in effect.\n\n\
         Between the defaults and the TOML file lie the settings of a FAF lobby server that this one replaces, under its\n\
         names, from the environment and from the YAML file that `CONFIGURATION_FILE` or `--configuration-file FILE`\n\
         names: see `docs/replacing-faf.md`. Those of a Cockatrice server, from the `servatrice.ini` that `--compat FILE` names, lie\n\
         there too: see `docs/replacing-servatrice.md`.\n\n\
         The files are read again every `server.config_refresh_s` seconds and on the signal HUP. A key marked *(live)*\n\
         then takes effect at once; a change of any other is logged and waits for the next start.\n\n\
         A variable with `_FILE` at its end names a file in which the value lies, for secrets that a service manager or a\n\
         container hands out: `MUSTER_STORE_URL_FILE=/run/credentials/muster.service/store_url`.\n",
    );
    for (group, heading) in HEADINGS {
        let _ = writeln!(out, "\n## [{group}] {heading}\n");
        let _ = writeln!(
            out,
            "| key | default | allowed | environment |\n|---|---|---|---|"
        );
        for key in keys_of(group) {
            let unit = if key.unit.is_empty() {
                String::new()
            } else {
                format!(" {}", key.unit)
            };
            let _ = writeln!(
                out,
                "| `{}` | `{}`{unit} | {} | `{}` |",
                key.name,
                default(key),
                key.kind,
                key.variable()
            );
        }
        for key in keys_of(group) {
            let live = if key.live { " (live)" } else { "" };
            let _ = writeln!(out, "\n**`{}`**{live}: {}", key.name, key.doc);
        }
    }
    out
}

/// The keys whose names begin with this.
fn keys_of(group: &str) -> impl Iterator<Item = &'static Key> {
    keys()
        .iter()
        .copied()
        .filter(move |key| key.group() == group)
}

fn default(key: &Key) -> String {
    key.kind
        .parse(key.default)
        .map_or_else(|| key.default.to_owned(), |value| value.to_string())
}

/// What is shown in place of a secret.
pub(super) const MASK: &str = "***";

/// The value, without a password.
pub(super) fn shown(key: &Key, value: &Value) -> String {
    match (key.kind, value) {
        (_, Value::Text(secret)) if key.secret && !secret.is_empty() => Quoted(MASK).to_string(),
        (Kind::Prefixed(_) | Kind::PrefixedOrOff(_), Value::Text(url)) => {
            Quoted(&without_password(url)).to_string()
        }
        _ => value.to_string(),
    }
}

/// `scheme://user:password@host` with the password masked.
fn without_password(url: &str) -> String {
    let masked = || {
        let (scheme, rest) = url.split_once("://")?;
        let (login, host) = rest.rsplit_once('@')?;
        let (user, _) = login.split_once(':')?;
        Some(format!("{scheme}://{user}:{MASK}@{host}"))
    };
    masked().unwrap_or_else(|| url.to_owned())
}

fn wrapped(out: &mut String, text: &str) {
    let mut column = 0;
    for word in text.split_whitespace() {
        if column == 0 || column + 1 + word.len() > COLUMNS {
            out.push_str(if column == 0 { "#" } else { "\n#" });
            column = 1;
        }
        let _ = write!(out, " {word}");
        column += 1 + word.len();
    }
    out.push('\n');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_are_masked() {
        assert_eq!(
            without_password("mysql://faf:b@n:ana@db:3306/faf"),
            "mysql://faf:***@db:3306/faf"
        );
        assert_eq!(without_password("sqlite:data/x.db"), "sqlite:data/x.db");
    }

    /// `BLESS=1` writes the page anew.
    #[test]
    fn the_reference_page_is_up_to_date() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/config.md");
        if std::env::var_os("BLESS").is_some() {
            std::fs::write(path, reference()).unwrap();
        }
        let page = std::fs::read_to_string(path).unwrap_or_default();
        assert!(
            page == reference(),
            "docs/config.md is out of date: BLESS=1 cargo test -p muster-config"
        );
    }
}
