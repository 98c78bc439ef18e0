//! Checks that `docs/limits.md` speaks of what there is: keys of the configuration, constants and metrics.

use std::{fs, path::Path};

/// A row of the table, by its cells.
struct Row<'a> {
    line: usize,
    name: &'a str,
    counter: &'a str,
}

/// The rows of every table of the page, without heads and rules.
fn rows(page: &str) -> Vec<Row<'_>> {
    let lines = page.lines().enumerate();
    let rows = lines.filter_map(|(at, line)| {
        let cells: Vec<&str> = line.strip_prefix('|')?.split('|').map(str::trim).collect();
        let [name, _, _, counter, ..] = cells[..] else {
            return None;
        };
        let is_row = name != "name" && !name.starts_with("--");
        is_row.then_some(Row {
            line: at + 1,
            name,
            counter,
        })
    });
    rows.collect()
}

/// What stands between backticks.
fn quoted(cell: &str) -> impl Iterator<Item = &str> {
    cell.split('`').skip(1).step_by(2)
}

/// The names in a cell that are keys or constants. Other words explain, and so does what is in round brackets.
fn names(cell: &str) -> Vec<&str> {
    let outside = cell
        .split('(')
        .enumerate()
        .filter_map(|(at, part)| match at {
            0 => Some(part),
            _ => part.split_once(')').map(|(_, after)| after),
        });
    let is_part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '/');
    outside
        .flat_map(|text| text.split(move |c| !is_part(c)))
        .filter(|name| is_key(name) || is_constant(name))
        .collect()
}

fn is_key(name: &str) -> bool {
    let is_word = |word: &str| {
        let all = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
        !word.is_empty() && word.chars().all(all)
    };
    let parts = name.split_once('.');
    parts.is_some_and(|(group, key)| is_word(group) && is_word(key) && key != "rs")
}

fn is_constant(name: &str) -> bool {
    let all = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_';
    name.len() > 1 && name.starts_with(|c: char| c.is_ascii_uppercase()) && name.chars().all(all)
}

/// What is wrong with the page, where `config` is the page of the settings and `code` all of the code.
fn faults(page: &str, config: &str, code: &str) -> Vec<String> {
    let mut faults = Vec::new();
    for Row {
        line,
        name,
        counter,
    } in rows(page)
    {
        let mut fault = |what: String| faults.push(format!("docs/limits.md:{line}: {what}"));
        for name in names(name) {
            let there = if is_key(name) {
                config.contains(&format!("\n| `{name}` |"))
            } else {
                code.contains(&format!("const {name}:"))
            };
            if !there {
                fault(format!("there is no `{name}`"));
            }
        }
        for counter in quoted(counter) {
            let name = counter.split('{').next().unwrap_or_default();
            if !code.contains(&format!("\"{name}\"")) {
                fault(format!("nothing counts `{counter}`"));
            }
        }
    }
    faults
}

/// The whole code, in one text.
fn code(folder: &Path, all: &mut String) {
    for entry in fs::read_dir(folder).expect("the folder is there") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            code(&path, all);
        } else if path.extension().is_some_and(|end| end == "rs") {
            all.push_str(&fs::read_to_string(&path).expect("a text"));
        }
    }
}

#[test]
fn every_limit_in_the_table_is_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let read = |name: &str| fs::read_to_string(root.join(name)).expect("a page");
    let mut all = String::new();
    code(&root.join("src"), &mut all);
    let faults = faults(&read("docs/limits.md"), &read("docs/config.md"), &all);
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn what_is_not_there_is_found_out() {
    let head = "| name | value | reason | counter | answer |\n|---|---|---|---|---|\n";
    let config = "\n| `limits.a` | `1` |";
    let code = "const MOST: usize = 3; x: Counter = Sum \"muster_x_total\";";
    for (row, wrong) in [
        (
            "| `limits.a`, `MOST` | 1 | r | `muster_x_total` | closed |",
            0,
        ),
        (
            "| limits.a, MOST (`LEAST`, `b.rs`) | 1 | r | – | closed |",
            0,
        ),
        (
            "| files in `data/games` | 1 | r | `muster_x_total{a=\"b\"}` | closed |",
            0,
        ),
        ("| `limits.b` | 1 | r | none | closed |", 1),
        ("| limits.b and LEAST | 1 | r | none | closed |", 2),
        ("| `LEAST` | 1 | r | `muster_y_total` | closed |", 2),
    ] {
        let found = faults(&format!("{head}{row}\n"), config, code);
        assert_eq!(found.len(), wrong, "{row}: {found:?}");
    }
}
