//! Inputs without libFuzzer.
//!
//! | command | what it does |
//! |---|---|
//! | `muster-fuzz seeds FOLDER` | writes what there is to begin with, a folder for each target |
//! | `muster-fuzz TARGET FILE…` | tries inputs, and says how many a second those were |
//! | `muster-fuzz mutate TARGET FROM TO` | tries the inputs of these numbers; one that fails is written to a file |

use std::{
    env, fs, io, panic,
    path::Path,
    process::ExitCode,
    time::{Duration, Instant},
};

use muster_fuzz::{TARGETS, mutate, seeds, target};

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let is_target = |name: &str| TARGETS.iter().any(|target| target.name == name);
    let outcome = match words[..] {
        ["seeds", folder] => write_seeds(Path::new(folder)),
        ["mutate", name, from, to] if is_target(name) => match (from.parse(), to.parse()) {
            (Ok(from), Ok(to)) => try_near(name, from, to),
            _ => return usage(),
        },
        [name, ref files @ ..] if is_target(name) => replay(name, files),
        _ => return usage(),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("muster-fuzz: {error}");
            ExitCode::FAILURE
        }
    }
}

fn usage() -> ExitCode {
    let names: Vec<&str> = TARGETS.iter().map(|target| target.name).collect();
    eprintln!("usage: muster-fuzz seeds FOLDER | TARGET FILE... | mutate TARGET FROM TO");
    eprintln!("targets: {}", names.join(" "));
    ExitCode::FAILURE
}

fn write_seeds(folder: &Path) -> io::Result<()> {
    for seed in seeds::all()? {
        let folder = folder.join(seed.target);
        fs::create_dir_all(&folder)?;
        fs::write(folder.join(format!("seed-{}", seed.name)), seed.bytes)?;
    }
    Ok(())
}

fn replay(name: &str, files: &[&str]) -> io::Result<()> {
    let inputs: Vec<Vec<u8>> = files.iter().map(fs::read).collect::<Result<_, _>>()?;
    let begin = Instant::now();
    for input in &inputs {
        (target(name).run)(input);
    }
    told(name, inputs.len(), begin.elapsed());
    Ok(())
}

fn try_near(name: &str, from: u64, to: u64) -> io::Result<()> {
    let known: Vec<Vec<u8>> = seeds::of(name)?;
    let begin = Instant::now();
    for number in from..to {
        let input = mutate::input(&known, number);
        if panic::catch_unwind(|| (target(name).run)(&input)).is_err() {
            let file = format!("{name}-{number}");
            fs::write(&file, &input)?;
            return Err(io::Error::other(format!("input {number} fails: {file}")));
        }
    }
    told(name, (to - from) as usize, begin.elapsed());
    Ok(())
}

fn told(name: &str, inputs: usize, took: Duration) {
    let rate = inputs as f64 / took.as_secs_f64();
    println!("{name}: {inputs} inputs, {rate:.0} a second");
}
