//! Checks the code base itself, as far as cargo and clippy cannot: packages say which layer may name which, `clippy.toml`
//! beside the packages of `settings`, `metrics`, `wire`, `cockatrice` and `lobby` what those must not touch.
//!
//! Files are parsed, so an import is found however it is written: nested, renamed, in a macro, or as a full path.

#[path = "tidy/circles.rs"]
mod circles;
#[path = "tidy/limits.rs"]
mod limits;
#[path = "tidy/source.rs"]
mod source;

use std::{
    fs,
    path::{Path, PathBuf},
};

use source::Source;

/// Longest file, the tests at its end included.
const LINES: usize = 700;
/// Longest file of nothing but tests: they are read one at a time.
const TEST_LINES: usize = 1000;
/// Longest function outside tests, from `fn` to its closing brace.
const FUNCTION_LINES: usize = 70;
/// Most files of a package that may name each other in a circle.
const CIRCLE: usize = 6;

/// Functions that were longer when the rule came, with their lengths. A function that changes is split, or its entry
/// made smaller; one that is short enough has none.
const LONG_FUNCTIONS: &[(&str, &str, usize)] = &[];

/// Circles that were larger when the rule came: a file in each, and its present size. It can only shrink.
const LARGE_CIRCLES: &[(&str, usize)] = &[];

/// Folders that are packages, or with `src/` the rest; the first that fits counts.
const PACKAGES: &[&str] = &[
    "src/settings/",
    "src/metrics/",
    "src/wire/",
    "src/cluster/",
    "src/cockatrice/",
    "src/lobby/",
    "src/engine/",
    "src/backoffice/",
    "src/config/",
    "src/",
];

/// Names that only some folders may use; tests may use all.
struct Rule {
    /// Where it holds, and where not.
    holds: &'static str,
    but: &'static [&'static str],
    names: &'static [&'static str],
    why: &'static str,
}

const RULES: &[Rule] = &[
    Rule {
        holds: "src/",
        // The last one names signals.
        but: &[
            "src/engine/runtime/",
            "src/doctor.rs",
            "src/serve/ending.rs",
        ],
        names: &["glommio", "io_uring", "libc", "socket2"],
        why: "only src/engine/runtime knows how a shard waits",
    },
    Rule {
        holds: "src/engine/",
        but: &[],
        names: &["lobby::faf", "lobby::vcmi", "lobby::router", "lobby::*"],
        why: "the engine serves any dialect",
    },
    Rule {
        holds: "src/backoffice/",
        but: &["src/backoffice/faf/"],
        names: &["lobby::faf", "lobby::vcmi", "lobby::*"],
        why: "what only one lobby has is in that lobby's folder",
    },
    Rule {
        holds: "src/lobby/",
        but: &[],
        names: &["std::os", "std::thread", "std::time::Instant"],
        why: "another process may go on with a lobby's state",
    },
    Rule {
        holds: "src/lobby/faf/",
        but: &[
            "src/lobby/faf/protocol/",
            "src/lobby/faf/rules/achievements.rs",
        ],
        names: &["wire::json::Value", "wire::json::*"],
        why: "what clients say is read in protocol/incoming; handlers get it typed",
    },
    Rule {
        holds: "src/config/",
        but: &[],
        names: &[
            "std::thread::spawn",
            "std::thread::scope",
            "std::thread::Builder",
            "std::process::Command",
        ],
        why: "configuration starts nothing",
    },
];

/// Words that stand for work not done, in code or comments. Put together here so that this file passes.
fn unfinished() -> [String; 4] {
    [
        ["TO", "DO"],
        ["FIX", "ME"],
        ["unimplemented", "!"],
        ["todo", "!"],
    ]
    .map(|parts| parts.concat())
}

/// A file's name from the root on, its text, and what it says.
type File = (String, String, Source);

#[test]
fn every_file_keeps_the_rules() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut paths = Vec::new();
    for folder in [
        "src",
        "tests",
        "benches",
        "loadtest/src",
        "fuzz/src",
        "fuzz/tests",
        "fuzz/libfuzzer/targets",
    ] {
        rust_files(&root.join(folder), &mut paths);
    }
    assert!(paths.len() > 3, "no source found below {}", root.display());
    let files = paths.iter().map(|path| {
        let name = path.strip_prefix(root).unwrap_or(path).to_string_lossy();
        (name.into_owned(), fs::read_to_string(path).unwrap())
    });
    let faults = faults_of(files, LONG_FUNCTIONS, LARGE_CIRCLES);
    assert!(faults.is_empty(), "\n{}\n", faults.join("\n"));
}

fn rust_files(folder: &Path, found: &mut Vec<PathBuf>) {
    let Ok(entries) = fs::read_dir(folder) else {
        return;
    };
    for path in entries.map(|entry| entry.unwrap().path()) {
        if path.is_dir() {
            rust_files(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    found.sort();
}

/// Everything wrong with these files, as `name:line: what`.
fn faults_of(
    files: impl Iterator<Item = (String, String)>,
    long: &[(&str, &str, usize)],
    large: &[(&str, usize)],
) -> Vec<String> {
    let mut faults = Vec::new();
    let mut read: Vec<File> = Vec::new();
    for (name, text) in files {
        faults.extend(faults_of_text(&name, &text));
        match Source::read(&text) {
            Ok(source) => {
                faults.extend(faults_of_code(&name, &text, &source));
                read.push((name, text, source));
            }
            Err((line, what)) => faults.push(format!("{name}:{line}: cannot be read: {what}")),
        }
    }
    let tests = test_files(&read);
    read.retain(|(name, ..)| !tests.contains(name));
    faults.extend(faults_of_functions(&read, long));
    faults.extend(faults_of_circles(&read, large));
    faults
}

fn faults_of_text(name: &str, text: &str) -> Vec<String> {
    let mut faults = Vec::new();
    if !text.starts_with("//!") {
        faults.push(format!(
            "{name}:1: no `//!` head that says what the file is for"
        ));
    }
    let lines = text.lines().count();
    let limit = if is_test(name) { TEST_LINES } else { LINES };
    if lines > limit {
        faults.push(format!(
            "{name}:{lines}: longer than {limit} lines: a second concept wants its own file"
        ));
    }
    for (number, line) in text.lines().enumerate() {
        let words = unfinished();
        if let Some(word) = words.iter().find(|word| line.contains(word.as_str())) {
            let number = number + 1;
            faults.push(format!(
                "{name}:{number}: {word}: finish it or leave it out"
            ));
        }
    }
    faults
}

fn faults_of_code(name: &str, text: &str, source: &Source) -> Vec<String> {
    let mut faults = Vec::new();
    let mut fault = |line: usize, what: String| {
        let fault = format!("{name}:{line}: {what}");
        if !faults.contains(&fault) {
            faults.push(fault);
        }
    };
    let tests = is_test(name);
    for rule in RULES
        .iter()
        .filter(|rule| !tests && name.starts_with(rule.holds))
        .filter(|rule| !rule.but.iter().any(|folder| name.starts_with(folder)))
    {
        for path in source.paths.iter().filter(|path| !path.test) {
            let full = path.parts.join("::");
            let named = |forbidden: &&&str| {
                full.strip_prefix(**forbidden)
                    .is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
            };
            if let Some(name) = rule.names.iter().find(named) {
                fault(path.line, format!("`{name}`: {}", rule.why));
            }
        }
    }
    let lines: Vec<&str> = text.lines().collect();
    let benches = name.starts_with("benches/");
    for spot in &source.unsafes {
        if !benches && !name.starts_with("src/engine/runtime/") {
            let what = "`unsafe` outside src/engine/runtime and benches";
            fault(spot.line, what.into());
        } else if !explained(&lines, spot.line - 1) {
            let what = "`unsafe` without a `SAFETY:` comment above it";
            fault(spot.line, what.into());
        }
    }
    for spot in source.unwraps.iter().filter(|spot| !spot.test) {
        if !tests && !benches {
            let what = "`unwrap()` outside tests: use `?` or `expect(\"why it cannot fail\")`";
            fault(spot.line, what.into());
        }
    }
    faults
}

/// Functions that are too long, and entries of the list that are not true any more.
fn faults_of_functions(files: &[File], long: &[(&str, &str, usize)]) -> Vec<String> {
    let mut faults = Vec::new();
    let mut needed = vec![false; long.len()];
    for (name, _, source) in files.iter().filter(|(name, ..)| name.starts_with("src/")) {
        let functions = source.functions.iter();
        for function in functions.filter(|f| !f.test && f.lines > FUNCTION_LINES) {
            let entry = |(file, of, lines): &(&str, &str, usize)| {
                file == name && *of == function.name && *lines == function.lines
            };
            match long.iter().position(entry) {
                Some(at) => needed[at] = true,
                None => faults.push(format!(
                    "{name}:{}: `{}` has {} lines, {FUNCTION_LINES} are allowed: split it",
                    function.line, function.name, function.lines
                )),
            }
        }
    }
    for ((file, function, lines), _) in long.iter().zip(needed).filter(|(_, needed)| !needed) {
        faults.push(format!(
            "tests/tidy.rs: `{function}` in {file} has not {lines} lines: mend its entry, or take it out"
        ));
    }
    faults
}

/// Circles that are too large, and entries of the list that are not true any more.
fn faults_of_circles(files: &[File], large: &[(&str, usize)]) -> Vec<String> {
    let mut faults = Vec::new();
    let mut needed = vec![false; large.len()];
    for root in PACKAGES {
        let package: Vec<(&str, &Source)> = files
            .iter()
            .filter(|(name, ..)| PACKAGES.iter().find(|p| name.starts_with(**p)) == Some(root))
            .map(|(name, _, source)| (&**name, source))
            .collect();
        for circle in circles::circles(root, &package) {
            let size = circle.len();
            let known = large.iter().position(|(file, _)| circle.contains(*file));
            match known.map(|at| (at, large[at].1)) {
                Some((at, allowed)) if allowed == size && size > CIRCLE => needed[at] = true,
                Some((at, allowed)) if size > CIRCLE && size < allowed => {
                    needed[at] = true;
                    let file = large[at].0;
                    faults.push(format!(
                        "tests/tidy.rs: the circle of {file} has only {size} files: lower its entry"
                    ));
                }
                _ if size > CIRCLE => {
                    let names: Vec<&str> = circle.iter().map(String::as_str).collect();
                    faults.push(format!(
                        "{}:1: in a circle of {size} files that name each other, {CIRCLE} are allowed: {}",
                        names[0],
                        names.join(" ")
                    ));
                }
                _ => {}
            }
        }
    }
    for ((file, _), _) in large.iter().zip(needed).filter(|(_, needed)| !needed) {
        faults.push(format!(
            "tests/tidy.rs: the entry of {file} fits no circle that is too large"
        ));
    }
    faults
}

/// Whether the file holds nothing but tests: `tests.rs`, `…_tests.rs`, or anything in a folder `tests`.
fn is_test(name: &str) -> bool {
    let (folders, file) = name.rsplit_once('/').unwrap_or(("", name));
    file == "tests.rs"
        || file.ends_with("_tests.rs")
        || folders.split('/').any(|folder| folder == "tests")
}

/// The files that are tests by their names, or because a file says `#[cfg(test)] mod` of them or of what they are in.
fn test_files(files: &[File]) -> Vec<String> {
    let mut stems = Vec::new();
    for (name, _, source) in files {
        let folder = name.trim_end_matches(".rs");
        let head = ["/mod", "/lib", "/main"].iter();
        let folder = head
            .filter_map(|head| folder.strip_suffix(head))
            .next()
            .unwrap_or(folder);
        let modules = source.test_modules.iter();
        stems.extend(modules.map(|module| format!("{folder}/{module}")));
    }
    let declared = |name: &str| {
        stems.iter().any(|stem| {
            name.strip_prefix(stem.as_str())
                .is_some_and(|rest| rest == ".rs" || rest.starts_with('/'))
        })
    };
    let names = files.iter().map(|(name, ..)| name);
    names
        .filter(|name| is_test(name) || declared(name))
        .cloned()
        .collect()
}

/// Whether the comment and attribute lines right above this line (counted from 0), or the line itself, say why.
fn explained(lines: &[&str], number: usize) -> bool {
    let above = lines[..number].iter().rev().take_while(|line| {
        let line = line.trim_start();
        line.starts_with("//") || line.starts_with("#[")
    });
    above
        .chain([&lines[number]])
        .any(|line| line.contains("SAFETY:"))
}

/// The faults of one file that stands alone.
fn alone(name: &str, text: &str) -> Vec<String> {
    faults_of([(name.to_owned(), text.to_owned())].into_iter(), &[], &[])
}

#[test]
fn a_bad_file_is_found_out() {
    let long = format!(
        "//! a\nfn f() {{\n{}}}\n",
        "    g();\n".repeat(FUNCTION_LINES)
    );
    let method = format!(
        "//! a\nimpl A {{\n    pub fn f() {{\n{}    }}\n}}\n",
        "g();\n".repeat(FUNCTION_LINES)
    );
    let word = format!("//! a\n// {}\n", unfinished()[0]);
    let mac = format!("//! a\nfn f() {{ {}() }}\n", unfinished()[3]);
    let lines = "//! a\n".repeat(LINES + 1);
    let test_lines = "//! a\n".repeat(TEST_LINES + 1);
    let bad: &[(&str, &str, &str)] = &[
        // Heads, lengths, words.
        ("src/a.rs", "fn f() {}\n", "1: no `//!` head"),
        ("tests/a.rs", "// a\nfn f() {}\n", "1: no `//!` head"),
        ("src/a.rs", &lines, "701: longer than 700"),
        ("src/a_tests.rs", &test_lines, "1001: longer than 1000"),
        ("src/a.rs", &long, "2: `f` has 72 lines"),
        ("src/a.rs", &method, "3: `A::f` has 72 lines"),
        ("src/a.rs", &word, "2: "),
        ("src/a.rs", &mac, "2: "),
        ("src/a.rs", "//! a\nfn f( {}\n", "2: cannot be read"),
        // `unwrap()`.
        (
            "src/a.rs",
            "//! a\nfn f() { x.unwrap(); }\n",
            "2: `unwrap()`",
        ),
        (
            "src/a.rs",
            "//! a\nfn f() { x\n.y()\n.unwrap(); }\n",
            "4: `unwrap()`",
        ),
        (
            "src/a.rs",
            "//! a\nfn f() { assert!(x.unwrap()); }\n",
            "2: `unwrap()`",
        ),
        (
            "src/a.rs",
            "//! a\nfn f() { x.map(Option::unwrap); }\n",
            "2: `unwrap()`",
        ),
        (
            "src/contests/a.rs",
            "//! a\nfn f() { x.unwrap(); }\n",
            "2: `unwrap()`",
        ),
        (
            "src/a.rs",
            "//! a\n#[cfg(test)]\nmod tests;\nfn f() { x.unwrap(); }\n",
            "4: `unwrap()`",
        ),
        (
            "src/a.rs",
            "//! a\n#[cfg(not(test))]\nfn f() { x.unwrap(); }\n",
            "3: `unwrap()`",
        ),
        // `unsafe`.
        (
            "src/a.rs",
            "//! a\n// SAFETY: no.\nfn f() { unsafe { y() } }\n",
            "3: `unsafe` outside",
        ),
        (
            "tests/a.rs",
            "//! a\n// SAFETY: no.\nunsafe fn f() {}\n",
            "3: `unsafe` outside",
        ),
        (
            "src/a.rs",
            "//! a\nunsafe impl Send for A {}\n",
            "2: `unsafe` outside",
        ),
        (
            "src/a.rs",
            "//! a\nmacro_rules! m { () => { unsafe { y() } } }\n",
            "2: `unsafe` outside",
        ),
        (
            "src/a.rs",
            "//! a\n#[unsafe(no_mangle)]\nfn f() {}\n",
            "2: `unsafe` outside",
        ),
        (
            "src/engine/runtime/a.rs",
            "//! a\nfn f() { unsafe { y() } }\n",
            "2: `unsafe` without",
        ),
        (
            "benches/a.rs",
            "//! a\n// why\nunsafe extern \"C\" {}\n",
            "3: `unsafe` without",
        ),
        // Names.
        (
            "src/engine/a.rs",
            "//! a\nuse glommio::x;\n",
            "2: `glommio`",
        ),
        (
            "src/engine/a.rs",
            "//! a\nuse {std::fmt, libc};\n",
            "2: `libc`",
        ),
        (
            "src/engine/a.rs",
            "//! a\nuse {\n    a::b,\n    ::io_uring::{c, d},\n};\n",
            "4: `io_uring`",
        ),
        (
            "src/engine/a.rs",
            "//! a\nfn f() { let s: socket2::Socket = x(); }\n",
            "2: `socket2`",
        ),
        (
            "src/engine/a.rs",
            "//! a\nfn f() { if ::libc::f() == 0 {} }\n",
            "2: `libc`",
        ),
        (
            "src/engine/a.rs",
            "//! a\nfn f() { trace!(\"\", libc::EAGAIN); }\n",
            "2: `libc`",
        ),
        (
            "src/engine/a.rs",
            "//! a\nextern crate libc as c;\n",
            "2: `libc`",
        ),
        (
            "src/backoffice/a.rs",
            "//! a\nfn f() { use glommio as g; }\n",
            "2: `glommio`",
        ),
        (
            "src/lobby/a.rs",
            "//! a\nimpl From<libc::c_int> for A {}\n",
            "2: `libc`",
        ),
        (
            "src/engine/a.rs",
            "//! a\nuse lobby::faf::Asks;\n",
            "2: `lobby::faf`",
        ),
        (
            "src/engine/a.rs",
            "//! a\nuse lobby::{Turn, router::{self, X}};\n",
            "2: `lobby::router`",
        ),
        (
            "src/engine/a.rs",
            "//! a\nuse lobby as l;\nfn f(x: l::vcmi::Vcmi) {}\n",
            "3: `lobby::vcmi`",
        ),
        ("src/engine/a.rs", "//! a\nuse lobby::*;\n", "2: `lobby::*`"),
        (
            "src/lobby/faf/session/a.rs",
            "//! a\nuse wire::json::{JsonReader, Value};\n",
            "2: `wire::json::Value`",
        ),
        (
            "src/lobby/faf/session/a.rs",
            "//! a\nuse wire::json;\nfn f(message: json::Value<'_>) {}\n",
            "3: `wire::json::Value`",
        ),
        (
            "src/config/a.rs",
            "//! a\nfn f() { std::thread::spawn(g); }\n",
            "2: `std::thread::spawn`",
        ),
    ];
    for (name, text, expected) in bad {
        let faults = alone(name, text);
        let expected = format!("{name}:{expected}");
        assert!(
            faults.len() == 1 && faults[0].starts_with(&expected),
            "{expected} expected of\n{text}\nnot {faults:#?}"
        );
    }
}

#[test]
fn what_is_no_code_does_not_count() {
    let good = r##"//! A good file: glommio, unsafe.
/* unsafe /* nested */ libc */
use std::net::IpAddr; // no io_uring
pub(in crate::engine) fn f<'a>(x: &'a str) -> char { let s = "x.unwrap() \" libc::"; let r = r#"glommio::x "#; '"' }
fn libc_like(libc: u8) -> u8 { libc + x.unwrap_or(1) }
#[cfg(test)]
mod tests {
    use lobby::faf::Faf;
    fn g() { h().unwrap(); socket2::x(); "}" }
}
#[cfg(all(test, unix))]
fn h() { x.unwrap(); }
impl A {
    #[test]
    fn i() { x.unwrap(); }
}
"##;
    assert_eq!(alone("src/engine/good.rs", good), Vec::<String>::new());
    let explained =
        "//! a\nuse libc::x;\n// SAFETY: it is.\n#[allow(unsafe_code)]\nunsafe fn y() {}\n";
    for name in ["src/engine/runtime/a.rs", "benches/a.rs"] {
        assert_eq!(alone(name, explained), Vec::<String>::new());
    }
    let tests = format!("{}fn f() {{ x.unwrap(); }}\n", "//! a\n".repeat(LINES));
    for name in [
        "src/a/tests.rs",
        "src/a_tests.rs",
        "src/a/tests/b.rs",
        "tests/a.rs",
    ] {
        assert_eq!(alone(name, &tests), Vec::<String>::new(), "{name}");
    }
}

#[test]
fn an_entry_that_is_not_needed_any_more_is_found_out() {
    let text = format!(
        "//! a\nfn f() {{\n{}}}\n",
        "    g();\n".repeat(FUNCTION_LINES)
    );
    let faults = |lines| {
        let file = ("src/a.rs".to_owned(), text.clone());
        faults_of([file].into_iter(), &[("src/a.rs", "f", lines)], &[])
    };
    assert_eq!(faults(72), Vec::<String>::new());
    assert!(faults(73).len() == 2 && faults(71).len() == 2);
    let faults = faults_of(std::iter::empty(), &[("src/a.rs", "f", 72)], &[]);
    assert!(faults[0].contains("mend its entry"), "{faults:?}");
}

/// Files `a0` … of which each names the next, and the last the first.
fn ring(size: usize, reference: impl Fn(usize) -> String) -> Vec<(String, String)> {
    (0..size)
        .map(|n| {
            let text = format!("//! a\n{}\n", reference((n + 1) % size));
            (format!("src/lobby/faf/a{n}.rs"), text)
        })
        .collect()
}

#[test]
fn files_that_name_each_other_are_found_out() {
    let found = |files: Vec<(String, String)>, large: &[(&str, usize)]| {
        faults_of(files.into_iter(), &[], large)
    };
    let ways: &[fn(usize) -> String] = &[
        |n| format!("use super::a{n}::X;"),
        |n| format!("use crate::{{faf::{{a{n}::X, b}}, Y}};"),
        |n| format!("fn f(x: super::a{n}::X) {{}}"),
        |n| format!("fn f() {{ g!(crate::faf::a{n}::X); }}"),
        |n| format!("mod inner {{ use super::super::a{n}; }}"),
        |n| format!("use super::*;\nfn f() {{ a{n}::g(); }}"),
        |n| format!("use crate::faf;\nfn f() {{ faf::a{n}::g(); }}"),
        |n| format!("pub use super::a{n}::X{n};\nfn f(x: X{n}) {{}}"),
    ];
    for way in ways {
        assert_eq!(found(ring(CIRCLE, way), &[]), Vec::<String>::new());
        let faults = found(ring(CIRCLE + 1, way), &[]);
        assert!(
            faults.len() == 1 && faults[0].contains("circle of 7 files"),
            "{}: {faults:?}",
            way(0)
        );
    }
    let in_tests = |n| format!("#[cfg(test)]\nmod tests {{ use super::super::a{n}::X; }}");
    assert_eq!(found(ring(9, in_tests), &[]), Vec::<String>::new());
    // What is only handed on is the other file's: the one that hands it on need not be understood.
    let handed_on = |n| format!("pub use super::a{n}::X;");
    assert_eq!(found(ring(9, handed_on), &[]), Vec::<String>::new());
    let mut through = ring(CIRCLE + 1, |n| match n {
        0 => "use super::X;".into(),
        n => format!("use super::a{n}::X;"),
    });
    through.push((
        "src/lobby/faf/mod.rs".into(),
        "//! a\npub use a0::X;\n".into(),
    ));
    assert!(found(through, &[])[0].contains("circle of 7 files"));
    // The list lets a circle be as large as it is, and nothing else.
    let entry = |size| [("src/lobby/faf/a3.rs", size)];
    assert_eq!(found(ring(9, ways[0]), &entry(9)), Vec::<String>::new());
    let smaller = found(ring(8, ways[0]), &entry(9));
    assert!(smaller.len() == 1 && smaller[0].contains("lower its entry"));
    let larger = found(ring(10, ways[0]), &entry(9));
    assert!(larger.iter().any(|fault| fault.contains("circle of 10")));
    let gone = found(ring(5, ways[0]), &entry(9));
    assert!(gone.len() == 1 && gone[0].contains("fits no circle"));
}
