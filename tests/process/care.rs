//! Looking after the embedded store from the command line.

use std::{fs, os::unix::fs::PermissionsExt, path::Path, process::Output};

use super::{logging, said, support::server::muster};

fn run(folder: &Path, words: &[&str]) -> Output {
    muster(folder).args(words).output().expect("it runs")
}

#[test]
fn a_store_is_copied_while_it_is_used_and_put_back_when_it_is_not() {
    let (mut server, _) = logging(&[]);
    let folder = server.folder().to_owned();
    let file = folder.join("muster.db");
    let mode = fs::metadata(&file).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600, "it holds the hashes of passwords");
    assert!(run(&folder, &["account", "add", "annika"]).status.success());

    let checked = run(&folder, &["store", "check", "--json"]);
    assert!(checked.status.success(), "{}", said(&checked));
    let shown: serde_json::Value = serde_json::from_slice(&checked.stdout).unwrap();
    assert_eq!(shown["version"], shown["known"]);
    assert_eq!(shown["rows"]["login"], 1);

    let copy = folder.join("copy.db");
    let backup = ["store", "backup", copy.to_str().unwrap()];
    let copied = run(&folder, &backup);
    assert!(copied.status.success(), "{}", said(&copied));
    assert!(
        said(&copied).contains("is a sound copy"),
        "{}",
        said(&copied)
    );
    let again = run(&folder, &backup);
    assert!(!again.status.success() && said(&again).contains("exists already"));

    assert!(run(&folder, &["account", "add", "berit"]).status.success());
    let restore = ["store", "restore", copy.to_str().unwrap()];
    let refused = run(&folder, &restore);
    assert!(!refused.status.success(), "{}", said(&refused));
    assert!(
        said(&refused).contains("stop the server first"),
        "{}",
        said(&refused)
    );

    server.crash();
    let restored = run(&folder, &restore);
    assert!(restored.status.success(), "{}", said(&restored));
    assert!(
        said(&restored).contains("what was there before"),
        "{}",
        said(&restored)
    );
    let listed = said(&run(&folder, &["account", "list"]));
    assert!(
        listed.contains("annika") && !listed.contains("berit"),
        "{listed}"
    );
    let migrated = run(&folder, &["store", "migrate"]);
    assert!(
        said(&migrated).contains("the newest"),
        "{}",
        said(&migrated)
    );
    server.restart().expect("it starts with what was put back");
}

#[test]
fn whoever_only_looks_makes_no_store() {
    let base = tempfile::tempdir().unwrap();
    let folder = base.path().join("data");
    let absent = "there is no store";
    for words in [
        &["account", "list"][..],
        &["account", "--lobby", "cockatrice", "list"],
        &["account", "unban", "annika"],
        &["store", "check"],
        &["store", "backup", "/nowhere/copy"],
        &["store", "--lobby", "cockatrice", "check"],
    ] {
        let output = run(&folder, words);
        assert!(!output.status.success(), "{words:?}");
        assert!(
            said(&output).contains(absent),
            "{words:?}: {}",
            said(&output)
        );
        assert!(!folder.exists(), "{words:?}");
    }
    let of_a_server = [
        "--set",
        "store.url=mysql://127.0.0.1:9/faf",
        "store",
        "check",
    ];
    let output = run(&folder, &of_a_server);
    assert!(!output.status.success());
    assert!(said(&output).contains("mariadb-dump"), "{}", said(&output));
}
