//! The files of `tuning`: what they name is there, and the programs they are for take them.

use std::{
    collections::BTreeSet,
    env, fs,
    path::{Path, PathBuf},
};

use super::{asked, logging, said, support::http};

fn tuning(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tuning")
        .join(file)
}

/// The page of metrics of a running server.
fn scrape() -> String {
    let (server, _) = logging(&[
        "cockatrice.enabled=true",
        "cockatrice.tcp_address=127.0.0.1:0",
        "cockatrice.websocket_address=127.0.0.1:0",
    ]);
    let address = server.listener("http/metrics").unwrap();
    http::get(address, "/metrics").unwrap().body
}

/// Names of metrics of ours in a text: words that begin as they do.
fn named(text: &str) -> BTreeSet<String> {
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let words = text.split(|c: char| !is_part(c));
    let ours = ["muster_", "server_", "process_", "build_info"];
    words
        .filter(|word| ours.iter().any(|begin| word.starts_with(begin)))
        .map(|word| word.strip_suffix("_bucket").unwrap_or(word).to_owned())
        .collect()
}

#[test]
fn every_metric_that_a_dashboard_or_an_alert_names_is_there() {
    let page = scrape();
    let there: BTreeSet<&str> = page
        .lines()
        .filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next())
        .collect();
    // A server that is alone has no others to tell of.
    let is_of_cluster = |name: &str| name.starts_with("muster_cluster_");
    let mut names = 0;
    for file in ["alerts.yml", "alerts_test.yml", "grafana/muster.json"] {
        for name in named(&fs::read_to_string(tuning(file)).unwrap()) {
            let is_there = there.contains(&*name) || is_of_cluster(&name);
            assert!(is_there, "{file} names {name}");
            names += 1;
        }
    }
    assert!(names > 40, "{names}");
    // Whoever has dashboards for any program finds these.
    for name in [
        "process_cpu_seconds_total",
        "process_open_fds",
        "process_resident_memory_bytes",
    ] {
        let line = page
            .lines()
            .find(|line| line.starts_with(&format!("{name} ")));
        let value = line
            .unwrap_or_else(|| panic!("no {name}"))
            .rsplit(' ')
            .next();
        assert!(value.unwrap().parse::<f64>().unwrap() > 0.0, "{name}");
    }
}

#[test]
fn prometheus_takes_the_metrics_and_the_alerts() {
    let rules = tuning("alerts_test.yml");
    let Some(tested) = asked("promtool", &["test", "rules", rules.to_str().unwrap()]) else {
        return;
    };
    assert!(tested.status.success(), "{}", said(&tested));
    let page = scrape();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("page");
    fs::write(&file, page).unwrap();
    let check = format!("promtool check metrics < {}", file.display());
    let checked = asked("sh", &["-c", &check]).expect("a shell");
    let complaints = said(&checked);
    // Two names are those of the replaced server.
    let ours = complaints
        .lines()
        .filter(|line| line.contains("muster_") || line.contains("process_"));
    assert_eq!(ours.collect::<Vec<_>>(), Vec::<&str>::new());
}

#[test]
fn the_unit_is_sound_and_shuts_in_what_it_starts() {
    let folder = tempfile::tempdir().unwrap();
    let binary = env!("CARGO_BIN_EXE_muster");
    for unit in ["muster.service", "muster.socket"] {
        let text = fs::read_to_string(tuning(unit)).unwrap();
        // Where it is installed nothing lies on a machine that only builds it.
        let text = text.replace("/usr/local/bin/muster", binary);
        fs::write(folder.path().join(unit), text).unwrap();
    }
    let (service, socket) = (
        folder.path().join("muster.service"),
        folder.path().join("muster.socket"),
    );
    let (service, socket) = (service.to_str().unwrap(), socket.to_str().unwrap());
    let Some(verified) = asked("systemd-analyze", &["verify", "--man=no", service, socket]) else {
        return;
    };
    assert!(verified.status.success(), "{}", said(&verified));
    let complaints = said(&verified);
    assert!(!complaints.contains("muster."), "{complaints}");
    let strict = ["security", "--offline=yes", "--threshold=15", service];
    let judged = asked("systemd-analyze", &strict).expect("it was there");
    assert!(judged.status.success(), "{}", said(&judged));
}

/// The file with every key that stands in a comment as if it were none: `# [faf]`, `# auth = "database"`.
fn uncommented(text: &str) -> String {
    let is_name = |text: &str| {
        !text.is_empty()
            && text
                .chars()
                .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
    };
    let line = |line: &str| {
        let bare = line.trim_start_matches(['#', ' ']);
        let group = bare.strip_prefix('[').and_then(|rest| rest.split_once(']'));
        let key = bare.split_once(" = ");
        let is_one = group.is_some_and(|(name, _)| is_name(name))
            || key.is_some_and(|(name, _)| is_name(name));
        if is_one {
            bare.to_owned()
        } else {
            line.to_owned()
        }
    };
    let lines = text.lines().map(line);
    lines.collect::<Vec<_>>().join("\n")
}

#[test]
fn every_key_that_a_settings_file_offers_is_one() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    let mut folders = vec![root.join("packaging"), root.join("tuning")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|ending| ending == "toml") {
                files.push(path);
            }
        }
    }
    assert!(files.len() >= 2, "{files:?}");
    for file in files {
        let folder = tempfile::tempdir().unwrap();
        let whole = folder.path().join("muster.toml");
        let text = uncommented(&fs::read_to_string(&file).unwrap());
        assert!(!text.lines().any(|line| line.starts_with("# [")), "{text}");
        fs::write(&whole, text).unwrap();
        let mut command = super::muster(folder.path());
        let command = command.arg("--config").arg(&whole).arg("--check-config");
        let checked = command.output().unwrap();
        assert!(
            checked.status.success(),
            "{}: {}",
            file.display(),
            said(&checked)
        );
    }
}
