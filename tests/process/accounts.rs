//! `muster account`: looking at accounts, and taking those of a test away.

use std::process::Output;

use serde_json::Value;
use tempfile::TempDir;

use super::{said, support::server::muster};

fn account(folder: &TempDir, words: &[&str]) -> Output {
    let mut command = muster(folder.path());
    command.arg("account").args(words);
    command.output().expect("it runs")
}

fn done(folder: &TempDir, words: &[&str]) -> String {
    let output = account(folder, words);
    assert!(output.status.success(), "{words:?}: {}", said(&output));
    said(&output)
}

#[test]
fn accounts_of_a_test_are_seen_and_go() {
    for lobby in ["faf", "cockatrice"] {
        let folder = tempfile::tempdir().unwrap();
        let at = |words: &[&'static str]| [&["--lobby", lobby], words].concat();
        for name in ["test_a", "test_b", "annika"] {
            done(&folder, &at(&["add", name, "--password", "secret"]));
        }
        done(&folder, &at(&["ban", "test_a", "--reason", "rude"]));
        let listed: Value = serde_json::from_str(&done(
            &folder,
            &at(&["list", "--prefix", "TEST_", "--json"]),
        ))
        .unwrap();
        assert_eq!(listed.as_array().unwrap().len(), 2, "{listed}");
        let shown: Value =
            serde_json::from_str(&done(&folder, &at(&["show", "test_a", "--json"]))).unwrap();
        assert_eq!(
            (&shown["name"], &shown["ban_reason"]),
            (&"test_a".into(), &"rude".into())
        );
        assert!(done(&folder, &at(&["show", "annika"])).contains("annika"));
        assert_eq!(
            done(&folder, &at(&["delete", "--prefix", "test_"])),
            "deleted 2 accounts\n"
        );
        assert!(!done(&folder, &at(&["list"])).contains("test_"));
        done(&folder, &at(&["delete", "annika"]));
        for (words, why) in [
            (&["delete", "annika"][..], "no account of that name"),
            (&["delete", "--prefix", "te"], "3 letters at least"),
            (&["delete"], "required"),
        ] {
            let refused = account(&folder, &at(words));
            assert!(
                !refused.status.success() && said(&refused).contains(why),
                "{}",
                said(&refused)
            );
        }
    }
}
