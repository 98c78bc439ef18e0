//! Two servers, and folders of all names.

use std::fs;

use super::{command, logging, support::server::muster};

#[test]
fn a_second_server_on_the_same_folder_says_who_has_it() {
    let (mut first, _) = logging(&[]);
    let set = format!("server.data_dir={}", first.folder().display());
    let folder = tempfile::tempdir().unwrap();
    let refused = command(&folder, &[&set]).output().unwrap();
    assert!(!refused.status.success());
    let text = String::from_utf8_lossy(&refused.stderr).into_owned();
    let pid = fs::read_to_string(first.folder().join("muster.lock")).unwrap();
    assert!(text.contains(&format!("process {}", pid.trim())), "{text}");
    // Accounts are looked after beside a server that runs.
    let listed = muster(first.folder()).args(["account", "list"]).output();
    assert!(listed.unwrap().status.success());
    // What a crash leaves behind keeps nobody out.
    first.crash();
    first.restart().unwrap();
}

#[test]
fn a_second_server_on_the_same_port_says_who_has_it() {
    let (first, _) = logging(&[]);
    let pid = fs::read_to_string(first.folder().join("muster.lock")).unwrap();
    for (name, key) in [
        ("faf/json", "faf.json_address"),
        ("http/health", "http.health_address"),
    ] {
        let address = first.listener(name).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let refused = command(&folder, &[&format!("{key}={address}")])
            .output()
            .unwrap();
        assert!(!refused.status.success());
        let text = String::from_utf8_lossy(&refused.stderr).into_owned();
        let holder = format!("{address} is in use by process {} (muster)", pid.trim());
        assert!(text.contains(&holder), "{text}");
    }
}

#[test]
fn the_database_lies_in_the_folder_that_was_named() {
    for name in [
        "lobby%20data",
        "a b",
        "what?mode=memory",
        "x#y",
        "plätze",
        "mode=memory",
    ] {
        let base = tempfile::tempdir().unwrap();
        let folder = base.path().join(name);
        let add = ["account", "add", "annika"];
        let added = muster(&folder).args(add).output().unwrap();
        assert!(added.status.success(), "{name}: {added:?}");
        assert!(folder.join("muster.db").exists(), "{name}");
        assert_eq!(fs::read_dir(base.path()).unwrap().count(), 1, "{name}");
    }
}
