//! `muster account --lobby cockatrice …`, and what the server makes of it.

use std::{path::Path, process::Output};

use super::support::server::muster;

/// What the command says of Cockatrice's accounts in a folder.
fn account(folder: &Path, words: &str) -> Output {
    let words = words.split_whitespace();
    let mut command = muster(folder);
    command.args(["account", "--lobby", "cockatrice"]);
    command.args(words).output().unwrap()
}

/// The same, of a command that must do something.
fn done(folder: &Path, words: &str) -> String {
    let output = account(folder, words);
    assert!(output.status.success(), "{words}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn accounts_are_looked_after_from_the_command_line() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let added = done(folder, "add annika --password secret --right administrator");
    assert_eq!(added, "added annika (id 1)\n");
    let made_up = done(folder, "add bobby");
    assert!(made_up.starts_with("added bobby (id 2), password "));
    let told = done(folder, "set-right bobby moderator judge");
    assert_eq!(told, "bobby is now: moderator, judge\n");
    let told = done(folder, "set-password bobby --password other");
    assert_eq!(told, "bobby has that password\n");
    let banned = done(folder, "ban bobby --reason rude --hours 2");
    assert_eq!(banned, "banned bobby for 2 hours\n");
    assert_eq!(done(folder, "unban bobby"), "bobby may come back\n");
    let listed = done(folder, "list");
    let lines: Vec<&str> = listed.lines().collect();
    assert_eq!(lines.len(), 2);
    assert!(lines[0].contains("annika") && lines[0].ends_with("administrator"));
    assert!(folder.join("cockatrice.db").exists() && !folder.join("muster.db").exists());
    for refused in ["add bobby", "ban nobody --reason rude", "add eve --id 7"] {
        assert!(!account(folder, refused).status.success(), "{refused}");
    }
    let mut of_faf = muster(folder);
    of_faf.args(["account", "set-right", "annika", "user"]);
    let refused = of_faf.output().unwrap();
    let text = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(text.contains("--lobby cockatrice"), "{text}");
}
