//! Inputs are tried without libFuzzer: those that showed a fault once and are kept in `corpus` under the name of what was wrong,
//! or were worth keeping after a long run; the recordings; and a few thousand near them.

use std::{fs, io, path::Path};

use muster_fuzz::{TARGETS, Target, mutate, seeds};

/// What all of `corpus` may amount to: it is copied with every clone, and tried with every test.
const CORPUS_BYTES: usize = 300 << 10;
/// How many inputs near those that are known are tried of each target.
const NEAR: u64 = 200;

/// Tries an input; one that fails is named, since a panic says only what went wrong.
fn try_input(target: &Target, name: &str, input: &[u8]) {
    let failed = std::panic::catch_unwind(|| (target.run)(input)).is_err();
    assert!(!failed, "{}: {name} fails", target.name);
}

/// The kept inputs of a target, with their names.
fn kept(target: &Target) -> Vec<(String, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("corpus")
        .join(target.name);
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Vec::new(),
        Err(error) => panic!("{error}"),
    };
    let inputs = entries.map(|entry| {
        let path = entry.unwrap().path();
        (path.display().to_string(), fs::read(&path).unwrap())
    });
    inputs.collect()
}

#[test]
fn what_was_found_once_is_not_found_again() {
    let mut bytes = 0;
    for target in TARGETS {
        for (name, input) in kept(target) {
            bytes += input.len();
            try_input(target, &name, &input);
        }
    }
    assert!(bytes <= CORPUS_BYTES, "the corpus has {bytes} bytes");
}

#[test]
fn recordings_and_what_is_near_them_hold_in_every_target() {
    for target in TARGETS {
        let seeds = seeds::of(target.name).unwrap();
        assert!(!seeds.is_empty(), "{} has none", target.name);
        for (number, seed) in seeds.iter().enumerate() {
            try_input(target, &format!("seed {number}"), seed);
        }
        for number in 0..NEAR {
            let name = format!(
                "`muster-fuzz mutate {0} {number} {1}`",
                target.name,
                number + 1
            );
            try_input(target, &name, &mutate::input(&seeds, number));
        }
    }
}

#[test]
fn an_empty_input_and_an_endless_one_are_inputs() {
    for target in TARGETS {
        for byte in [0, 1, 9, 14, 0x40, 0xff] {
            try_input(target, "a pattern", &[byte; 2000]);
        }
        try_input(target, "nothing", &[]);
        let all: Vec<u8> = (0..=255).cycle().take(2000).collect();
        try_input(target, "all bytes", &all);
    }
}
