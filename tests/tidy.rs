//! Checks the code base itself: what each layer must never do, and the rules every file keeps.
//!
//! It works on the source text with comments, string contents and test modules blanked out, so it is quick and needs
//! no build; what it can't see (a forbidden thing behind an alias) is left to review.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// Longest file, the tests at its end included.
const LINES: usize = 700;
/// Longest file of nothing but tests: they are read one at a time.
const TEST_LINES: usize = 1000;

/// What every part of the machine-free layers must keep away from.
const NO_MACHINE: &[&str] = &[
    "std::net::Tcp",
    "std::net::Udp",
    "TcpStream",
    "TcpListener",
    "UdpSocket",
    "std::fs",
    "std::thread",
    "Instant",
    "SystemTime",
    "tokio",
    "glommio",
    "io_uring",
    "rand::rng",
    "thread_rng",
    "rand::random",
    "OsRng",
    "sqlx",
    "reqwest",
];

/// A folder and the words that must not occur in it.
struct Layer {
    folder: &'static str,
    /// A folder in it for which this does not hold.
    but: Option<&'static str>,
    forbidden: &'static [&'static [&'static str]],
}

const LAYERS: &[Layer] = &[
    Layer {
        folder: "src/wire",
        but: None,
        forbidden: &[
            NO_MACHINE,
            &[
                "crate::lobby",
                "crate::engine",
                "crate::backoffice",
                "crate::config",
            ],
        ],
    },
    Layer {
        folder: "src/lobby",
        but: None,
        forbidden: &[
            NO_MACHINE,
            &["crate::engine", "crate::backoffice", "crate::config"],
        ],
    },
    Layer {
        folder: "src/engine",
        but: None,
        forbidden: &[&[
            "crate::backoffice",
            "crate::config",
            "lobby::faf",
            "sqlx",
            "tokio",
        ]],
    },
    Layer {
        folder: "src/engine",
        but: Some("src/engine/runtime/"),
        forbidden: &[&["glommio", "io_uring", "libc", "socket2"]],
    },
    Layer {
        folder: "src/backoffice",
        but: None,
        forbidden: &[&["glommio"]],
    },
    Layer {
        folder: "src/config",
        but: None,
        forbidden: &[&[
            "crate::lobby",
            "crate::engine",
            "crate::backoffice",
            "tokio",
            "glommio",
            "thread::spawn",
        ]],
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

#[test]
fn every_file_keeps_the_rules() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    for folder in ["src", "tests", "benches", "loadtest/src"] {
        rust_files(&root.join(folder), &mut files);
    }
    assert!(files.len() > 3, "no source found below {}", root.display());
    let mut faults = Vec::new();
    for path in files {
        let name = path
            .strip_prefix(root)
            .unwrap_or(&path)
            .to_string_lossy()
            .replace('\\', "/");
        let text = fs::read_to_string(&path).unwrap();
        faults.extend(faults_of(&name, &text));
    }
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

/// Everything wrong with one file, as `name:line: what`.
fn faults_of(name: &str, text: &str) -> Vec<String> {
    let mut faults = Vec::new();
    let mut fault = |line: usize, what: String| faults.push(format!("{name}:{line}: {what}"));
    let bare = without_comments_and_strings(text);
    let code = without_tests(&bare);

    if !text.starts_with("//!") {
        fault(1, "no `//!` head that says what the file is for".into());
    }
    let lines = text.lines().count();
    let limit = if is_test(name) { TEST_LINES } else { LINES };
    if lines > limit {
        fault(
            lines,
            format!("longer than {limit} lines: a second concept wants its own file"),
        );
    }
    for (number, line) in text.lines().enumerate() {
        if let Some(word) = unfinished()
            .iter()
            .find(|word| line.contains(word.as_str()))
        {
            fault(number + 1, format!("{word}: finish it or leave it out"));
        }
    }
    for layer in LAYERS
        .iter()
        .filter(|layer| name.starts_with(&format!("{}/", layer.folder)))
        .filter(|layer| !layer.but.is_some_and(|folder| name.starts_with(folder)))
    {
        for (number, line) in code.lines().enumerate() {
            for word in layer
                .forbidden
                .iter()
                .copied()
                .flatten()
                .filter(|word| has_word(line, word))
            {
                fault(
                    number + 1,
                    format!("`{word}` does not belong in {}", layer.folder),
                );
            }
        }
    }
    let source: Vec<&str> = text.lines().collect();
    let may_unwrap = is_test(name) || name.starts_with("benches/");
    let may_be_unsafe = name.starts_with("src/engine/runtime/") || name.starts_with("benches/");
    for (number, line) in code.lines().enumerate() {
        if has_word(line, "unsafe") {
            if !may_be_unsafe {
                fault(
                    number + 1,
                    "`unsafe` outside src/engine/runtime and benches".into(),
                );
            } else if !explained(&source, number, "SAFETY:") {
                fault(
                    number + 1,
                    "`unsafe` without a `SAFETY:` comment above it".into(),
                );
            }
        }
        if !may_unwrap && line.contains(".unwrap()") {
            fault(
                number + 1,
                "`unwrap()` outside tests: use `?` or `expect(\"why it cannot fail\")`".into(),
            );
        }
        if line.trim_start().starts_with("pub const ")
            && !line.contains(" fn ")
            && !explained(&source, number, "///")
        {
            fault(
                number + 1,
                "a public constant without a reason (`///`)".into(),
            );
        }
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

/// Whether the comment and attribute lines right above this line (counted from 0), or the line itself, hold the mark.
fn explained(source: &[&str], number: usize, mark: &str) -> bool {
    let above = source[..number].iter().rev().take_while(|line| {
        let line = line.trim_start();
        line.starts_with("//") || line.starts_with("#[")
    });
    above
        .chain([&source[number]])
        .any(|line| line.contains(mark))
}

/// Whether the word occurs with no letter, digit or `_` right before it, and none after it unless it ends in `Tcp`
/// and the like (a prefix on purpose).
fn has_word(line: &str, word: &str) -> bool {
    let part = |c: char| c.is_alphanumeric() || c == '_';
    line.match_indices(word).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        let after = line[at + word.len()..].chars().next();
        let prefix = word.ends_with("Tcp") || word.ends_with("Udp");
        !before.is_some_and(part) && (prefix || !after.is_some_and(part))
    })
}

/// The text with comments and the insides of string and character literals blanked; line breaks stay.
fn without_comments_and_strings(text: &str) -> String {
    let chars: Vec<char> = text.chars().collect();
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    while at < chars.len() {
        let end = match (chars[at], chars.get(at + 1)) {
            ('/', Some('/')) => find(&chars, at, |rest| rest[0] == '\n'),
            ('/', Some('*')) => end_of_block(&chars, at),
            ('"', _) => end_of_string(&chars, at),
            ('r', Some('"' | '#'))
                if at == 0 || !is_part(chars[at - 1]) || chars[at - 1] == 'b' =>
            {
                end_of_raw(&chars, at).unwrap_or(at)
            }
            ('\'', Some('\\')) => find(&chars, at + 3, |rest| rest[0] == '\'') + 1,
            ('\'', Some(_)) if chars.get(at + 2) == Some(&'\'') => at + 3,
            _ => at,
        };
        if end == at {
            out.push(chars[at]);
            at += 1;
            continue;
        }
        let end = end.min(chars.len());
        out.extend(
            chars[at..end]
                .iter()
                .map(|&c| if c == '\n' { '\n' } else { ' ' }),
        );
        at = end;
    }
    out
}

fn is_part(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

fn find(chars: &[char], from: usize, hit: impl Fn(&[char]) -> bool) -> usize {
    (from..chars.len())
        .find(|&at| hit(&chars[at..]))
        .unwrap_or(chars.len())
}

fn end_of_block(chars: &[char], start: usize) -> usize {
    let (mut depth, mut at) = (0, start);
    while at < chars.len() {
        match (chars[at], chars.get(at + 1)) {
            ('/', Some('*')) => (depth, at) = (depth + 1, at + 2),
            ('*', Some('/')) => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
        if depth == 0 {
            break;
        }
    }
    at
}

fn end_of_string(chars: &[char], start: usize) -> usize {
    let mut at = start + 1;
    while at < chars.len() && chars[at] != '"' {
        at += if chars[at] == '\\' { 2 } else { 1 };
    }
    at + 1
}

/// End of `r"…"` or `r#"…"#`; `None` if it is no raw string (a raw identifier).
fn end_of_raw(chars: &[char], start: usize) -> Option<usize> {
    let hashes = chars[start + 1..].iter().take_while(|&&c| c == '#').count();
    let open = start + 1 + hashes;
    (chars.get(open) == Some(&'"')).then(|| {
        let closes = |rest: &[char]| {
            rest[0] == '"' && rest[1..].iter().take_while(|&&c| c == '#').count() >= hashes
        };
        find(chars, open + 1, closes) + 1 + hashes
    })
}

/// Blanks every item under `#[cfg(test)]`. Expects text without comments and strings.
fn without_tests(code: &str) -> String {
    let mut out = code.to_owned();
    while let Some(start) = out.find("#[cfg(test)]") {
        let rest = &out[start..];
        let stop = match (rest.find('{'), rest.find(';')) {
            (Some(brace), semicolon) if semicolon.is_none_or(|at| brace < at) => {
                end_of_braces(rest, brace)
            }
            (_, Some(semicolon)) => semicolon + 1,
            _ => rest.len(),
        };
        let blank: String = rest[..stop]
            .chars()
            .map(|c| if c == '\n' { '\n' } else { ' ' })
            .collect();
        out.replace_range(start..start + stop, &blank);
    }
    out
}

fn end_of_braces(text: &str, open: usize) -> usize {
    let mut depth = 0;
    for (at, c) in text[open..].char_indices() {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return open + at + 1;
        }
    }
    text.len()
}

#[test]
fn a_bad_file_is_found_out() {
    let bad = "use std::fs;\nlet now = std::time::Instant::now();\nx.unwrap();\nunsafe { y() }\npub const LIMIT: u8 = 1;\n";
    let faults = faults_of("src/lobby/bad.rs", bad);
    for expected in [
        "src/lobby/bad.rs:1: no `//!` head",
        "src/lobby/bad.rs:1: `std::fs`",
        "src/lobby/bad.rs:2: `Instant`",
        "src/lobby/bad.rs:3: `unwrap()`",
        "src/lobby/bad.rs:4: `unsafe` outside",
        "src/lobby/bad.rs:5: a public constant",
    ] {
        assert!(
            faults.iter().any(|fault| fault.starts_with(expected)),
            "{expected} not in {faults:#?}"
        );
    }
    assert!(faults_of("src/a.rs", &format!("//! a\n// {}\n", unfinished()[0])).len() == 1);
    assert!(faults_of("src/a.rs", &"//! a\n".repeat(LINES + 1)).len() == 1);
    assert!(faults_of("src/a_tests.rs", &"//! a\n".repeat(TEST_LINES + 1)).len() == 1);
    for name in ["src/contests.rs", "src/contests/a.rs", "src/tests_a.rs"] {
        assert!(faults_of(name, "//! a\nx.unwrap();\n").len() == 1, "{name}");
    }
    assert!(faults_of("src/engine/runtime/a.rs", "//! a\nunsafe { y() }\n").len() == 1);
    let explained = "//! a\n// SAFETY: no.\nunsafe { y() }\nuse glommio::x;\n";
    assert!(faults_of("src/engine/a.rs", explained).len() == 2);
    assert!(faults_of("benches/a.rs", "//! a\nunsafe { y() }\n").len() == 1);
    assert!(faults_of("tests/a.rs", "//! a\n// SAFETY: no.\nunsafe { y() }\n").len() == 1);
    assert!(faults_of("src/engine/a.rs", "//! a\nuse crate::lobby::faf::Asks;\n").len() == 1);
    assert!(faults_of("src/wire/a.rs", "//! a\nuse std::net::TcpStream;\n").len() == 2);
}

#[test]
fn what_is_no_code_does_not_count() {
    let good = r##"//! A good file: std::fs, tokio.
/* unsafe /* nested */ tokio */
use std::net::IpAddr; // no Instant
fn f<'a>(x: &'a str) -> char { let s = "x.unwrap() \" tokio"; let r = r#"glommio " "#; '"' }
/// The reason.
pub const LIMIT: usize = 5;
fn instantly_my_tokio_like() {}
#[cfg(test)]
mod tests {
    fn g() { h().unwrap(); let t = Instant::now(); "}" }
}
"##;
    assert_eq!(faults_of("src/wire/good.rs", good), Vec::<String>::new());
    let engine = "//! a\n// SAFETY: it is.\n#[allow(unsafe_code)]\nunsafe { y() }\n";
    assert_eq!(
        faults_of("src/engine/runtime/a.rs", engine),
        Vec::<String>::new()
    );
    assert_eq!(faults_of("benches/a.rs", engine), Vec::<String>::new());
    let tests = format!("{}x.unwrap();\n", "//! a\n".repeat(LINES));
    for name in [
        "src/a/tests.rs",
        "src/a_tests.rs",
        "src/a/tests/b.rs",
        "tests/a.rs",
    ] {
        assert_eq!(faults_of(name, &tests), Vec::<String>::new(), "{name}");
    }
    let after = "//! a\n#[cfg(test)]\nmod tests;\nfn f() { x.unwrap(); }\n";
    assert_eq!(
        faults_of("src/a.rs", after),
        ["src/a.rs:4: `unwrap()` outside tests: use `?` or `expect(\"why it cannot fail\")`"]
    );
}
