//! The file of a recording: one JSON object a line, the first says what it is. docs/load-testing.md describes it for others.

use std::io::{BufRead, Read as _};
use std::path::Path;

use anyhow::{Context as _, bail, ensure};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::dialect::{Side, Transport};

/// The version of the format that is written, and the only one that is read.
pub(crate) const VERSION: u32 = 1;
/// A line holds one message, and JSON makes it longer than it was.
const LONGEST_LINE: u64 = 64 << 20;

/// The first line.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Header {
    /// Version of the format.
    pub(crate) swarm_recording: u32,
    /// The lobby, as `--protocol` calls it.
    pub(crate) protocol: String,
    /// Where it listened.
    pub(crate) server: String,
    /// When it began: seconds since 1970.
    pub(crate) began_s: u64,
    /// The version of the load tester.
    pub(crate) swarm: String,
}

/// Every other line.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Line {
    /// When: microseconds since the recording began.
    pub(crate) us: u64,
    /// Which connection: they count up from 1.
    pub(crate) session: u64,
    #[serde(flatten)]
    pub(crate) what: What,
}

/// What has happened.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum What {
    /// The connection was there, and what it speaks.
    Opened(Transport),
    /// The client has said this.
    Client(Value),
    /// The server has said this.
    Server(Value),
    /// So many bytes that are no messages came from that side.
    Raw { from: Side, bytes: usize },
    /// From here on that side can't be read, and why.
    Unreadable { from: Side, why: String },
    /// The connection was ended by that side.
    Closed(Side),
}

/// A recording as it stands in its file.
#[derive(Debug)]
pub(crate) struct Recorded {
    /// SHA-256 of the file, in hex.
    pub(crate) digest: String,
    pub(crate) header: Header,
    pub(crate) lines: Vec<Line>,
}

/// Reads a recording.
///
/// # Errors
/// A file that can't be read, or is no recording of this version; with the line.
pub(crate) fn read(path: &Path) -> anyhow::Result<Recorded> {
    let name = path.display();
    let file = std::fs::File::open(path).with_context(|| format!("cannot read {name}"))?;
    let mut file = std::io::BufReader::new(file);
    let mut text = Vec::new();
    let mut number = 0;
    let mut digest = Sha256::new();
    let mut header: Option<Header> = None;
    let mut lines = Vec::new();
    loop {
        text.clear();
        number += 1;
        let length = (&mut file)
            .take(LONGEST_LINE)
            .read_until(b'\n', &mut text)
            .with_context(|| format!("cannot read {name}"))?;
        if length == 0 {
            break;
        }
        digest.update(&text);
        ensure!(
            text.last() == Some(&b'\n') || (length as u64) < LONGEST_LINE,
            "{name}:{number}: a line of more than {LONGEST_LINE} bytes"
        );
        match &header {
            None => header = Some(first(&text).with_context(|| format!("{name}:{number}"))?),
            Some(_) if text.trim_ascii().is_empty() => {}
            Some(_) => match serde_json::from_slice(&text) {
                Ok(line) => lines.push(line),
                // The last line of a recording that was killed.
                Err(_) if text.last() != Some(&b'\n') => {}
                Err(error) => bail!("{name}:{number}: no line of a recording: {error}"),
            },
        }
    }
    let header = header.with_context(|| format!("{name} is empty"))?;
    let digest = digest.finalize();
    Ok(Recorded {
        digest: digest.iter().map(|byte| format!("{byte:02x}")).collect(),
        header,
        lines,
    })
}

fn first(text: &[u8]) -> anyhow::Result<Header> {
    let value: Value = serde_json::from_slice(text).context("this is no recording of swarm")?;
    let version = value["swarm_recording"].as_u64();
    let version = version.context("this is no recording of swarm")?;
    ensure!(
        version == u64::from(VERSION),
        "a recording of version {version}; this swarm reads version {VERSION}"
    );
    serde_json::from_value(value).context("the first line of a recording is not in order")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_text(text: &str) -> anyhow::Result<Recorded> {
        let path = std::env::temp_dir().join(format!(
            "swarm-format-{}-{:?}.jsonl",
            std::process::id(),
            std::thread::current().id()
        ));
        std::fs::write(&path, text)?;
        let recorded = read(&path);
        std::fs::remove_file(&path)?;
        recorded
    }

    const HEADER: &str = r#"{"swarm_recording":1,"protocol":"faf","server":"[::1]:8002","began_s":5,"swarm":"0.1.0"}"#;

    #[test]
    fn lines_are_read_as_they_are_written() {
        let lines = [
            r#"{"us":1,"session":1,"opened":"json"}"#,
            r#"{"us":2,"session":1,"client":{"command":"ping"}}"#,
            r#"{"us":3,"session":1,"server":{"command":"pong"}}"#,
            r#"{"us":4,"session":1,"raw":{"from":"client","bytes":7}}"#,
            r#"{"us":5,"session":1,"unreadable":{"from":"server","why":"x"}}"#,
            r#"{"us":6,"session":1,"closed":"client"}"#,
        ];
        let text = format!("{HEADER}\n{}\n", lines.join("\n"));
        let recorded = read_text(&text).expect("a recording");
        assert_eq!(recorded.header.protocol, "faf");
        let written: Vec<String> = recorded
            .lines
            .iter()
            .map(|line| serde_json::to_string(line).expect("it can be written"))
            .collect();
        assert_eq!(written, lines);
    }

    #[test]
    fn what_is_no_recording_is_said_with_its_line() {
        let newer = HEADER.replace(":1,", ":2,");
        let broken = format!("{HEADER}\n{{\"us\":1}}\n");
        for (text, expected) in [
            ("", "is empty"),
            ("{\"a\":1}\n", ":1"),
            (newer.as_str(), "reads version 1"),
            (broken.as_str(), ":2: no line"),
        ] {
            let error = read_text(text).map(drop).expect_err("no recording");
            let error = format!("{error:#}");
            assert!(error.contains(expected), "{error}");
        }
        let killed = format!("{HEADER}\n{{\"us\":1");
        assert!(
            read_text(&killed)
                .expect("the rest counts")
                .lines
                .is_empty()
        );
    }
}
