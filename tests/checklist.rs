//! The tables `docs/*-checklist.md`: which test shows which behaviour of a specification.
//!
//! A table's head line says which numbers it must hold, each once and in order: `<!-- checklist: 1-520 -->`. A row is
//! `| number | behaviour | shown by |`, and the last cell names tests as `` `path::name` ``, or says in words, after a
//! dash, why there is none. A test named must exist: a function under a test attribute or in a list that a macro of
//! the file turns into tests; a script of dialogues or a recorded one is named by its path alone.

use std::{
    fs,
    path::{Path, PathBuf},
};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn tables() -> Vec<PathBuf> {
    let files = fs::read_dir(root().join("docs")).unwrap();
    let mut found: Vec<PathBuf> = files.map(|entry| entry.unwrap().path()).collect();
    found.retain(|path| path.to_string_lossy().ends_with("-checklist.md"));
    found.sort();
    found
}

#[test]
fn every_behaviour_is_there_once_and_its_tests_exist() {
    let tables = tables();
    assert!(!tables.is_empty(), "no docs/*-checklist.md");
    let mut faults = Vec::new();
    for path in tables {
        let text = fs::read_to_string(&path).unwrap();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let read = |file: &str| fs::read_to_string(root().join(file)).ok();
        faults.extend(faults_of(&name, &text, &read));
    }
    assert!(faults.is_empty(), "\n{}\n", faults.join("\n"));
}

/// Everything wrong with one table; `read` gives a file of the repository.
fn faults_of(name: &str, text: &str, read: &dyn Fn(&str) -> Option<String>) -> Vec<String> {
    let Some((first, last)) = text.lines().find_map(range) else {
        return vec![format!("{name}: no line `<!-- checklist: FIRST-LAST -->`")];
    };
    let mut faults = Vec::new();
    let mut expected = first;
    for line in text.lines() {
        let Some((number, behaviour, shown)) = row(line) else {
            continue;
        };
        if number != expected {
            faults.push(format!("{name}: {number} where {expected} should be"));
        }
        expected = number + 1;
        if behaviour.is_empty() {
            faults.push(format!("{name}: {number} does not say what it is"));
        }
        faults.extend(evidence(shown, read).map(|what| format!("{name}: {number}: {what}")));
    }
    if expected != last + 1 {
        faults.push(format!("{name}: ends before {}", expected));
    }
    faults
}

/// The numbers of a table, from its head line.
fn range(line: &str) -> Option<(u32, u32)> {
    let inner = line
        .trim()
        .strip_prefix("<!-- checklist:")?
        .strip_suffix("-->")?;
    let (first, last) = inner.trim().split_once('-')?;
    Some((first.parse().ok()?, last.parse().ok()?))
}

/// Number, behaviour and evidence of a row; `None` for any other line. A `|` inside a cell is written `\|`.
fn row(line: &str) -> Option<(u32, &str, &str)> {
    let inner = line.trim().strip_prefix('|')?.strip_suffix('|')?;
    let (number, rest) = inner.split_once('|')?;
    let (behaviour, shown) = rest.rsplit_once('|')?;
    Some((number.trim().parse().ok()?, behaviour.trim(), shown.trim()))
}

/// What is wrong with a row's last cell.
fn evidence<'a>(
    shown: &'a str,
    read: &'a dyn Fn(&str) -> Option<String>,
) -> impl Iterator<Item = String> + 'a {
    let named: Vec<&str> = shown.split('`').skip(1).step_by(2).collect();
    let reason = shown.strip_prefix('—').map(str::trim);
    let empty = match reason {
        Some(reason) => reason.len() < 10,
        None => named.is_empty(),
    };
    let missing = named.into_iter().filter_map(move |test| {
        let (file, function) = test
            .split_once("::")
            .map_or((test, None), |(file, name)| (file, Some(name)));
        match (read(file), function) {
            (None, _) => Some(format!("no file {file}")),
            (Some(_), None) if file.ends_with(".rs") => {
                Some(format!("{file} is named without a test in it"))
            }
            (Some(_), None) => None,
            (Some(text), Some(function)) => {
                (!has_test(&text, function)).then(|| format!("no test {function} in {file}"))
            }
        }
    });
    empty
        .then(|| "names no test, and after a dash no reason".to_owned())
        .into_iter()
        .chain(missing)
}

/// Whether a source file has a test of this name; of `a::b` the last part counts.
fn has_test(text: &str, name: &str) -> bool {
    let name = name.rsplit("::").next().unwrap_or(name);
    let lines: Vec<&str> = text.lines().collect();
    let defines = |line: &str| {
        let line = line.trim_start();
        let line = line.strip_prefix("pub ").unwrap_or(line);
        let line = line.strip_prefix("async ").unwrap_or(line);
        let rest = line.strip_prefix("fn ").and_then(|l| l.strip_prefix(name));
        rest.is_some_and(|rest| rest.starts_with(['(', '<']))
    };
    lines.iter().enumerate().any(|(at, line)| {
        (defines(line) && (marked(&lines[..at]) || in_macro(&lines[..at])))
            || (in_macro(&lines[..at]) && has_word(line, name))
    })
}

/// Whether the attributes and comments right above a function make it a test.
fn marked(above: &[&str]) -> bool {
    let heads = above.iter().rev().map(|line| line.trim_start());
    heads
        .take_while(|line| line.starts_with("#[") || line.starts_with("//"))
        .any(|line| line.starts_with("#[") && line.contains("test"))
}

/// Whether what comes next is inside a macro's braces that began at the margin: `dialogues! {`.
fn in_macro(above: &[&str]) -> bool {
    let at_margin = above
        .iter()
        .rev()
        .find(|line| !line.is_empty() && !line.starts_with([' ', '\t']));
    at_margin
        .is_some_and(|line| line.ends_with("! {") || line.ends_with("![") || line.ends_with("! ["))
}

fn has_word(line: &str, word: &str) -> bool {
    line.split(|c: char| !c.is_alphanumeric() && c != '_')
        .any(|part| part == word)
}

#[test]
fn a_bad_table_is_found_out() {
    let source = "#[test]\nfn good() {}\nfn helper() {}\nlist! {\n    one, two,\n    async fn three(x: u8) {}\n}\n#[tokio::test]\n/// Why.\nasync fn four() {}\n";
    let read = |file: &str| match file {
        "tests/a.rs" => Some(source.to_owned()),
        "tests/dialogues/b.txt" => Some(String::new()),
        _ => None,
    };
    let faults = |rows: &str| {
        let text =
            format!("<!-- checklist: 1-2 -->\n| # | what | shown by |\n|---|---|---|\n{rows}");
        faults_of("t", &text, &read)
    };
    let good = "| 1 | a \\| b | `tests/a.rs::good`, `tests/a.rs::one` |\n| 2 | c | — cannot be seen from outside |\n";
    assert_eq!(faults(good), Vec::<String>::new());
    for test in ["one", "two", "three", "four", "tests::good"] {
        assert!(has_test(source, test), "{test}");
    }
    let last = "| 2 | b | `tests/dialogues/b.txt` |\n";
    for (row, fault) in [
        (
            "| 1 | a | `tests/a.rs::helper` |\n",
            "1: no test helper in tests/a.rs",
        ),
        (
            "| 1 | a | `tests/a.rs::go` |\n",
            "1: no test go in tests/a.rs",
        ),
        ("| 1 | a | `tests/c.rs::good` |\n", "1: no file tests/c.rs"),
        (
            "| 1 | a | `tests/a.rs` |\n",
            "1: tests/a.rs is named without a test in it",
        ),
        (
            "| 1 | a | — no |\n",
            "1: names no test, and after a dash no reason",
        ),
        (
            "| 1 | a | |\n",
            "1: names no test, and after a dash no reason",
        ),
        (
            "| 1 | | `tests/a.rs::good` |\n",
            "1 does not say what it is",
        ),
        ("", "2 where 1 should be"),
    ] {
        assert_eq!(faults(&format!("{row}{last}")), [format!("t: {fault}")]);
    }
    assert_eq!(
        faults("| 1 | a | `tests/a.rs::good` |\n"),
        ["t: ends before 2"]
    );
    assert_eq!(faults_of("t", "", &read).len(), 1);
}
