//! What a run writes: pages, tables, tests.

use std::path::{Path, PathBuf};

use super::*;

/// A folder that is gone in the end.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Folder {
        let name = format!("swarm-{name}-{}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&folder).expect("a folder");
        Folder(folder)
    }

    fn path(&self, name: &str) -> String {
        self.0.join(name).display().to_string()
    }

    fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.0.join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    fn names(&self) -> Vec<String> {
        let entries = std::fs::read_dir(&self.0).expect("a folder");
        let name = |entry: std::fs::DirEntry| entry.file_name().to_string_lossy().into_owned();
        let mut names: Vec<String> = entries.flatten().map(name).collect();
        names.sort();
        names
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _gone = std::fs::remove_dir_all(&self.0);
    }
}

/// Options for one file of each kind.
fn all_files(folder: &Folder) -> String {
    let kinds = ["json", "html", "csv", "junit", "hgrm"];
    let options = kinds.map(|kind| format!("--{kind} {}", folder.path(&format!("out.{kind}"))));
    options.join(" ")
}

fn run(program: Child) -> (Vec<String>, i32) {
    let mut program = program;
    let output = BufReader::new(program.stdout.take().expect("a pipe"));
    end(program, output)
}

/// How often the text has this.
fn times(text: &str, part: &str) -> usize {
    text.matches(part).count()
}

fn contains_all(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "{part} in {text}");
    }
}

/// The page fetches nothing and runs nothing.
fn stands_alone(page: &str) {
    for part in ["http", "src=", "@import", "url(", "<script", "NaN", "inf "] {
        assert!(!page.contains(part), "{part}");
    }
    contains_all(page, &["prefers-color-scheme: dark", "width=device-width"]);
}

#[test]
fn a_run_is_a_page_a_table_and_tests() {
    let folder = Folder::new("files");
    let goals = "--slo lost=0,broadcast_p99<1us";
    let options = format!("{WATCH} -d 3s {goals} {}", all_files(&folder));
    let (lines, status) = run(program(stub(Mood::Fine), &options));
    assert_eq!(status, 3, "{lines:#?}");

    let page = folder.read("out.html");
    stands_alone(&page);
    contains_all(
        &page,
        &[
            "profile watch",
            ">FAILED</p>",
            "<li>broadcast_p99&lt;1us violated: measured ",
            "<th scope=\"row\">lost=0</th><td data-label=\"measured\" class=\"\">0</td>",
            "class=\"good\">met</td>",
            "class=\"bad\">not met</td>",
            "aria-label=\"broadcast\"",
            "aria-label=\"Latency of what arrived\"",
            "aria-label=\"What was due\"",
            "aria-label=\"Errors\"",
            "Own lateness",
            "Configuration",
            "Environment",
        ],
    );

    let table = folder.read("out.csv");
    let (head, rows) = table.split_once('\n').expect("a head");
    assert!(head.starts_with("at_s,phase,connected,"), "{head}");
    let columns = head.split(',').count();
    assert!(
        rows.lines().all(|row| row.split(',').count() == columns),
        "{table}"
    );
    assert!(
        rows.lines().any(|row| row.contains(",measure,20,")),
        "{table}"
    );

    let tests = folder.read("out.junit");
    contains_all(&tests, &["failures=\"1\" errors=\"0\"", "<system-out>"]);
    assert_eq!(times(&tests, "<failure "), 1, "{tests}");
    assert_eq!(times(&tests, "classname=\"swarm.goals\""), 2, "{tests}");
    let checks = times(&tests, "classname=\"swarm.checks\"");
    assert!(checks >= 8, "{tests}");
    assert!(
        tests.contains(&format!("tests=\"{}\"", 2 + checks)),
        "{tests}"
    );

    let figures: Value = serde_json::from_str(&folder.read("out.json")).expect("JSON");
    let measured = figures["latency_us"].as_object().expect("latencies");
    assert!(measured.len() >= 4, "{measured:?}");
    let mut names: Vec<String> = measured
        .keys()
        .map(|name| format!("out-{name}.hgrm"))
        .collect();
    names.extend(["csv", "html", "json", "junit"].map(|kind| format!("out.{kind}")));
    names.sort();
    assert_eq!(folder.names(), names);
    for (name, latency) in measured {
        let distribution = folder.read(&format!("out-{name}.hgrm"));
        let count = latency["count"].as_u64().expect("a count");
        let told = format!("Total count    = {count:>12}]");
        assert!(distribution.contains(&told), "{told} in {distribution}");
        let max = latency["max"].as_f64().expect("a maximum") / 1e3;
        assert!(
            distribution.contains(&format!("[Max     = {max:>12.3},")),
            "{distribution}"
        );
    }
}

#[test]
fn what_a_server_says_is_text_in_every_file() {
    let folder = Folder::new("evil");
    let options = format!("--profile login --slo login_p99<1s {}", all_files(&folder));
    let (lines, status) = run(program(stub(Mood::Refuses), &options));
    assert_eq!(status, 3, "{lines:#?}");
    let page = folder.read("out.html");
    stands_alone(&page);
    let written = "&lt;script&gt;no&lt;/script&gt;";
    assert!(page.contains(written), "{page}");
    let tests = folder.read("out.junit");
    assert!(
        !tests.contains("<script") && tests.contains(written),
        "{tests}"
    );
    contains_all(
        &tests,
        &[
            "20 sign-ins failed</failure>",
            "nobody could sign in</failure>",
        ],
    );
}

#[test]
fn a_run_without_a_server_is_a_test_that_could_not_be_made() {
    let folder = Folder::new("nobody");
    let (lines, status) = run(program(1, &format!("{WATCH} {}", all_files(&folder))));
    assert_eq!(status, 1, "{lines:#?}");
    assert_eq!(
        folder.names(),
        ["out.junit"],
        "a file with nothing in it says nothing"
    );
    let tests = folder.read("out.junit");
    contains_all(
        &tests,
        &["tests=\"1\" failures=\"0\" errors=\"1\"", "can be reached"],
    );
}

#[test]
fn two_runs_compared_are_a_page() {
    let folder = Folder::new("compared");
    let port = stub(Mood::Fine);
    for name in ["a", "b"] {
        let file = folder.path(&format!("{name}.json"));
        let options = format!("{WATCH} -d 2s --json {file}");
        let (lines, status) = run(program(port, &options));
        assert_eq!(status, 0, "{lines:#?}");
    }
    let compare = |html: &Path| {
        let program = std::process::Command::new(env!("CARGO_BIN_EXE_swarm"))
            .args(["compare", &folder.path("a.json"), &folder.path("b.json")])
            .args(["--fail-if", "broadcast_p99>-100000%", "--html"])
            .arg(html)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn();
        run(program.expect("it starts"))
    };
    let (lines, status) = compare(&folder.0.join("out.html"));
    assert_eq!(status, 3, "{lines:#?}");
    let page = folder.read("out.html");
    stands_alone(&page);
    contains_all(
        &page,
        &[
            "a run before and a run after",
            "<li>broadcast_p99&gt;-100000%: it is ",
            "<th scope=\"row\">broadcast_p50</th>",
            "more than chance",
            "aria-label=\"broadcast\"",
            "aria-label=\"p99 of what arrived\"",
            "</svg>before</span>",
            "</svg>after</span>",
        ],
    );
    let (lines, status) = compare(Path::new("/nonexistent/out.html"));
    assert_eq!((lines.len(), status), (0, 2), "{lines:#?}");
}
