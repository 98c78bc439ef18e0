//! Configuration files, ours and that of the server this one replaces: any text is understood or refused in words.

use std::fs;

use config::{Config, ConfigError, Sources};

use crate::input::Input;

pub(crate) fn run(data: &[u8]) {
    let mut input = Input::new(data);
    let kind = input.below(3);
    let text = input.rest();
    let mut sources = Sources::default();
    let file = tempfile::NamedTempFile::new().expect("a file can be made");
    match kind {
        0 => sources.compat_file = Some(file.path().to_owned()),
        1 => sources.file = Some(file.path().to_owned()),
        _ => sources.environment = variables(&String::from_utf8_lossy(text)),
    }
    if kind < 2 {
        fs::write(file.path(), text).expect("a file can be written");
    }
    match Config::load(&sources) {
        Ok(config) => {
            // What is printed is a file that means the same.
            let printed = config.print();
            fs::write(file.path(), &printed).expect("a file can be written");
            let sources = Sources {
                file: Some(file.path().to_owned()),
                ..Sources::default()
            };
            let again = match Config::load(&sources) {
                Ok(again) => again,
                // A secret is not printed, and what stands in its place is none.
                Err(ConfigError::Masked { .. }) if printed.contains("***") => return,
                Err(error) => panic!("{error} in {printed}"),
            };
            let changes = config.changes(&again);
            assert!(changes.is_empty(), "{changes:?} in {printed}");
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}

/// `NAME=value` of each line.
fn variables(text: &str) -> Vec<(String, String)> {
    let pairs = text.lines().filter_map(|line| line.split_once('='));
    pairs
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}
