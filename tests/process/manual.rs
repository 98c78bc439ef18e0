//! Manual pages and completions.

use std::fs;

use super::{asked, support::server::muster};

#[test]
fn every_command_has_a_page_that_is_sound() {
    let folder = tempfile::tempdir().unwrap();
    let made = muster(folder.path())
        .args(["man", folder.path().to_str().unwrap()])
        .output()
        .unwrap();
    assert!(made.status.success(), "{made:?}");
    for page in [
        "muster",
        "muster-serve",
        "muster-store-backup",
        "muster-account-add",
    ] {
        let path = folder.path().join(format!("{page}.1"));
        assert!(path.exists(), "{page}");
        let words = ["-Tlint", "-Werror", path.to_str().unwrap()];
        let Some(lint) = asked("mandoc", &words) else {
            continue;
        };
        assert!(
            lint.status.success(),
            "{page}: {}",
            String::from_utf8_lossy(&lint.stdout)
        );
    }
    let whole = fs::read_to_string(folder.path().join("muster.1")).unwrap();
    assert!(whole.contains("A lobby server for FAF"), "{whole}");
    let nowhere = muster(folder.path())
        .args(["man", "/nowhere"])
        .output()
        .unwrap();
    assert!(!nowhere.status.success());
    assert!(String::from_utf8_lossy(&nowhere.stderr).contains("/nowhere"));
    assert!(fs::read_dir(folder.path()).unwrap().count() > 12);
}

#[test]
fn shells_are_told_what_can_be_typed() {
    for shell in ["bash", "zsh", "fish"] {
        let folder = tempfile::tempdir().unwrap();
        let made = muster(folder.path())
            .args(["completions", shell])
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&made.stdout).into_owned();
        assert!(
            text.contains("backup") && text.contains("print-config"),
            "{shell}: {text}"
        );
    }
}
