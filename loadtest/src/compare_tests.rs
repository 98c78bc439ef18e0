//! Runs made up as files, compared.

use std::fs;

use serde_json::json;

use super::*;
use crate::metrics::histogram;

/// A file of a run whose latencies are around this many ms.
fn run(folder: &Path, name: &str, ms: f64, more: &Value) -> PathBuf {
    let mut latency = histogram();
    for step in 0..1_000 {
        latency.saturating_record((ms * 1e3 * (0.9 + f64::from(step) / 5_000.0)) as u64);
    }
    let mut figures = serde_json::Map::new();
    for (statistic, quantile) in STATISTICS {
        let value = quantile.map_or(latency.mean(), |q| latency.value_at_quantile(q) as f64);
        figures.insert(format!("broadcast_{statistic}"), json!(value));
    }
    figures.insert("deliveries".to_owned(), json!(1_000.0));
    let mut json = json!({
        "figures": figures,
        "settings": {"profile": "watch", "clients": 10},
        "environment": {"cpu": "x", "cores": 2, "kernel": "6"},
        "latency_us": {"broadcast": {"histogram": figures::encode(&latency).expect("text")}},
    });
    for (key, value) in more.as_object().into_iter().flatten() {
        json[key] = value.clone();
    }
    let path = folder.join(name);
    fs::write(&path, json.to_string()).expect("written");
    path
}

fn folder(name: &str) -> PathBuf {
    let folder = std::env::temp_dir().join(format!("swarm-compare-{name}-{}", std::process::id()));
    fs::create_dir_all(&folder).expect("a folder");
    folder
}

fn compare(before: &[PathBuf], after: &[PathBuf], fail_if: &str) -> anyhow::Result<Comparison> {
    Comparison::of(&Sides {
        before: before.into(),
        after: after.into(),
        fail_if: vec![fail_if.to_owned()],
        html: None,
    })
}

#[test]
fn a_slower_run_fails_and_the_same_one_does_not() {
    let folder = folder("one");
    let [fast, slow] =
        [("fast", 100.0), ("slow", 125.0)].map(|(name, ms)| [run(&folder, name, ms, &json!({}))]);
    let limit = "broadcast_p99>+10%";
    let worse = compare(&fast, &slow, limit).expect("compared");
    assert_eq!(worse.failures().len(), 1, "{worse}");
    assert!(worse.failures()[0].contains("it is +25."), "{worse}");
    let text = worse.to_string();
    assert!(
        text.lines()
            .last()
            .expect("a verdict")
            .starts_with("FAILED: broadcast_p99")
    );
    let row = text
        .lines()
        .find(|line| line.starts_with("broadcast_p50"))
        .expect("a row");
    assert!(row.ends_with("yes"), "{row}");
    for (before, after) in [(&slow, &fast), (&fast, &fast)] {
        let comparison = compare(before, after, limit).expect("compared");
        assert!(comparison.failures().is_empty(), "{comparison}");
    }
    for (condition, fails) in [
        ("broadcast_p99>+30%", false),
        ("broadcast_p99>+20ms", true),
        ("broadcast_p99>+0.1s", false),
        ("deliveries<-5%", false),
    ] {
        let comparison = compare(&fast, &slow, condition).expect("compared");
        assert_eq!(!comparison.failures().is_empty(), fails, "{condition}");
    }
    fs::remove_dir_all(folder).expect("removed");
}

#[test]
fn several_runs_tell_a_change_from_chance() {
    let folder = folder("several");
    let runs = |name: &str, all: [f64; 4]| {
        all.map(|ms| run(&folder, &format!("{name}{ms}"), ms, &json!({})))
    };
    let scattered = runs("a", [80.0, 120.0, 95.0, 130.0]);
    let also_scattered = runs("b", [90.0, 150.0, 85.0, 160.0]);
    let slow = runs("c", [200.0, 210.0, 190.0, 220.0]);
    let limit = "broadcast_p50>+10%";
    let chance = compare(&scattered, &also_scattered, limit).expect("compared");
    assert!(chance.failures().is_empty(), "{chance}");
    let worse = compare(&scattered, &slow, limit).expect("compared");
    assert_eq!(worse.failures().len(), 1, "{worse}");
    fs::remove_dir_all(folder).expect("removed");
}

// Whatever ended in `_mean` or `_p99` was divided by a thousand.
#[test]
fn figures_that_are_no_times_are_shown_as_they_are() {
    let folder = folder("units");
    let more =
        json!({"figures": {"broadcast_mean": 1_500.0, "quality_mean": 0.5, "deliveries": 1.0}});
    let one = [run(&folder, "one", 1.0, &more)];
    let text = compare(&one, &one, "deliveries<-5%")
        .expect("compared")
        .to_string();
    for (name, shown) in [("broadcast_mean", "1.500"), ("quality_mean", "0.500")] {
        let row = text.lines().find(|line| line.starts_with(name));
        let row = row.expect("a row");
        assert_eq!(row.split_whitespace().nth(1), Some(shown), "{row}");
    }
    fs::remove_dir_all(folder).expect("removed");
}

#[test]
fn other_loads_and_late_testers_are_told() {
    let folder = folder("notes");
    let one = run(&folder, "one", 1.0, &json!({}));
    let other = run(
        &folder,
        "other",
        1.0,
        &json!({"settings": {"profile": "lobby", "clients": 10}, "own_lateness": ["it was"]}),
    );
    let text = compare(&[one], &[other], "lost>+0").expect_err("no such figure");
    assert!(
        text.to_string().contains("there are: broadcast_p50"),
        "{text}"
    );
    let files = ["one", "other"].map(|name| [folder.join(name)]);
    let text = compare(&files[0], &files[1], "deliveries<-1%")
        .expect("compared")
        .to_string();
    for note in ["profile is \"lobby\" and \"watch\"", "itself was late"] {
        assert!(text.contains(note), "{note}: {text}");
    }
    fs::remove_dir_all(folder).expect("removed");
}

#[test]
fn nonsense_is_refused() {
    let folder = folder("nonsense");
    let sound = run(&folder, "sound", 1.0, &json!({}));
    let broken = folder.join("broken");
    for text in [
        "",
        "{}",
        "[1]",
        r#"{"figures": {}, "latency_us": {"x": {"histogram": "!"}}}"#,
    ] {
        fs::write(&broken, text).expect("written");
        let sides = [sound.clone()];
        assert!(
            compare(&sides, std::slice::from_ref(&broken), "deliveries<-1%").is_err(),
            "{text}"
        );
    }
    for condition in [
        "",
        "broadcast_p99",
        ">1",
        "broadcast_p99>+10 parsecs",
        "broadcast_p99>+x%",
    ] {
        let sides = [sound.clone()];
        assert!(compare(&sides, &sides, condition).is_err(), "{condition}");
    }
    fs::remove_dir_all(folder).expect("removed");
}
