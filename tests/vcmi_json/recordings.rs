//! Plays recorded dialogues of the reference server (tests/transcripts/vcmi_json) against the real binary.
//!
//! For each connection the order is that of the recording. Two things may differ: an empty list may be there or not, and a
//! list that only repeats what the client was sent last may be left out. Where the recording marks an accident of the
//! reference, what comes is not looked at.

use std::{collections::BTreeMap, fs, path::Path, time::Duration};

use serde_json::{Value, json};

use super::{client::Client, server};
use crate::support::{http, server::Server};

/// How long something that is not to come is waited for.
const QUIET: Duration = Duration::from_millis(60);

#[test]
fn the_reference_would_have_said_the_same() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/transcripts/vcmi_json");
    let files = fs::read_dir(&folder).expect("the recordings are there");
    let mut files: Vec<_> = files
        .map(|file| file.expect("it can be read").path())
        .collect();
    files.sort();
    let wanted = std::env::var("RECORDING").ok();
    let mut wrong = Vec::new();
    for shards in [1, 2] {
        for file in &files {
            let name = file.file_stem().expect("it has a name").to_string_lossy();
            if wanted.as_ref().is_some_and(|wanted| *wanted != name) {
                continue;
            }
            if let Err(why) = Player::new(shards).play(file) {
                wrong.push(format!("{name} on {shards} shards: {why}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

struct Player {
    server: Server,
    clients: BTreeMap<String, Client>,
    /// Lists that each client was sent last.
    lists: BTreeMap<(String, String), Value>,
    names: BTreeMap<String, String>,
}

impl Player {
    fn new(shards: u16) -> Player {
        Player {
            server: server(shards, &[]),
            clients: BTreeMap::new(),
            lists: BTreeMap::new(),
            names: BTreeMap::new(),
        }
    }

    fn play(mut self, file: &Path) -> Result<(), String> {
        let text = fs::read_to_string(file).expect("it can be read");
        let mut lines = text
            .lines()
            .map(|line| serde_json::from_str::<Value>(line).expect("it is JSON"));
        let head = lines.next().expect("it has a head");
        let only_quirks = head["policy"] == "quirk";
        let mut answer = None;
        for event in lines {
            let step = event["step"].clone();
            let loose = only_quirks || event["policy"] == "quirk" || is_known_quirk(&head, &event);
            self.event(&event, loose, &mut answer)
                .map_err(|why| format!("step {step}: {why}"))?;
        }
        for (who, client) in &mut self.clients {
            if let Some(more) = client.frame_within(QUIET).filter(|_| !only_quirks) {
                let more = String::from_utf8_lossy(&more).into_owned();
                return Err(format!("at the end {who} was sent {more}"));
            }
        }
        Ok(())
    }

    fn event(
        &mut self,
        event: &Value,
        loose: bool,
        answer: &mut Option<http::Page>,
    ) -> Result<(), String> {
        let who = event["who"].as_str().unwrap_or_default().to_owned();
        match event["op"].as_str().unwrap_or_default() {
            "open" => {
                let address = self.server.listener("vcmi-json")?;
                self.clients.insert(who, Client::connect(address));
            }
            "close" => {
                self.client(&who)?.close();
                std::thread::sleep(QUIET);
            }
            "send" => self.send(&who, event)?,
            "recv" if loose => while self.client(&who)?.frame_within(QUIET).is_some() {},
            "recv" => {
                let expected = event["msgs"].as_array().cloned().unwrap_or_default();
                self.receive(&who, &expected)?;
            }
            "eof" => {
                let client = self.client(&who)?;
                while let Some(frame) = client.frame() {
                    if !loose {
                        return Err(format!("{who}: {}", String::from_utf8_lossy(&frame)));
                    }
                }
            }
            "quiet" => std::thread::sleep(QUIET),
            "http" => {
                let address = self.server.listener("vcmi-json/http")?;
                let path = event["path"].as_str().unwrap_or_default();
                *answer = Some(http::get(address, path).map_err(|error| error.to_string())?);
            }
            "httpreply" => {
                let page = answer.take().ok_or("nothing was asked")?;
                let got = serde_json::from_str(&page.body).map_err(|error| error.to_string())?;
                let status = event["status"].as_str().unwrap_or_default();
                if page.status.to_string() != status || !self.same(&event["json"], &got) {
                    return Err(format!("{page:?}, expected {event}"));
                }
            }
            "restart" => {
                self.server.terminate()?;
                self.server.ended()?;
                self.server.restart()?;
            }
            "note" => {}
            other => return Err(format!("an event {other:?}")),
        }
        Ok(())
    }

    fn client(&mut self, who: &str) -> Result<&mut Client, String> {
        self.clients.get_mut(who).ok_or_else(|| format!("no {who}"))
    }

    fn send(&mut self, who: &str, event: &Value) -> Result<(), String> {
        if let Some(raw) = event["raw"].as_str() {
            let bytes = unhex(raw);
            self.client(who)?.send_raw(&bytes);
        } else if let Some(message) = event.get("json") {
            let message = self.filled(message);
            self.client(who)?.send(&message);
        } else if let Some(text) = event["hex"].as_str() {
            let bytes = unhex(text);
            self.client(who)?.send_frame(&bytes);
        } else {
            let len = event["len"].as_u64().unwrap_or(0) as usize;
            let bytes: Vec<u8> = (0..len).map(|at| (at % 251) as u8).collect();
            self.client(who)?.send_frame(&bytes);
        }
        Ok(())
    }

    /// The message with names in place of what stands for them; a new one is made up.
    fn filled(&mut self, message: &Value) -> Value {
        match message {
            Value::String(text) if text.starts_with("{U") => {
                let next = self.names.len();
                let made = || format!("00000000-0000-4000-8000-{next:012}");
                let name = self.names.entry(text.clone()).or_insert_with(made);
                Value::String(name.clone())
            }
            Value::Object(members) => {
                let members = members.iter();
                members
                    .map(|(name, value)| (name.clone(), self.filled(value)))
                    .collect()
            }
            Value::Array(items) => items.iter().map(|item| self.filled(item)).collect(),
            other => other.clone(),
        }
    }

    fn receive(&mut self, who: &str, expected: &[Value]) -> Result<(), String> {
        let mut held: Option<Vec<u8>> = None;
        for message in expected {
            let shape = &message["json"];
            let kind = shape["type"].as_str().unwrap_or_default().to_owned();
            let known = self.lists.get(&(who.to_owned(), kind.clone())).cloned();
            let repeats = known.is_some_and(|known| self.same(shape, &known));
            let got = match held.take() {
                Some(frame) => Some(frame),
                None if repeats => self.client(who)?.frame_within(QUIET),
                None => self.client(who)?.frame_within(super::client::PATIENCE),
            };
            let Some(got) = got else {
                if repeats {
                    continue;
                }
                return Err(format!("{who} is not sent {message}"));
            };
            if self.is_as_expected(who, message, &got) {
                continue;
            }
            if !repeats {
                let got = String::from_utf8_lossy(&got).into_owned();
                return Err(format!("{who} is sent {got}, expected {message}"));
            }
            held = Some(got);
        }
        match held {
            None => Ok(()),
            Some(more) => Err(format!(
                "{who} is also sent {}",
                String::from_utf8_lossy(&more)
            )),
        }
    }

    fn is_as_expected(&mut self, who: &str, expected: &Value, got: &[u8]) -> bool {
        if let Some(len) = expected["len"].as_u64() {
            return got.len() as u64 == len
                && got
                    .iter()
                    .enumerate()
                    .all(|(at, byte)| *byte == (at % 251) as u8);
        }
        if let Some(bytes) = expected["hex"].as_str() {
            return got == unhex(bytes);
        }
        let Ok(got) = serde_json::from_slice::<Value>(got) else {
            return false;
        };
        let before = self.names.clone();
        if !self.same(&expected["json"], &got) {
            self.names = before;
            return false;
        }
        let kind = got["type"].as_str().unwrap_or_default().to_owned();
        if kind == "activeAccounts" || kind == "activeGameRooms" {
            self.lists.insert((who.to_owned(), kind), got);
        }
        true
    }

    /// Whether it is as recorded; names that are new are learnt.
    fn same(&mut self, expected: &Value, got: &Value) -> bool {
        match (expected, got) {
            (Value::String(word), _) if word == "{AGE}" => got.is_number(),
            (Value::String(word), _) if word == "{TIME}" => got.is_string(),
            (Value::String(word), Value::String(text)) if word.starts_with("{U") => {
                let known = self
                    .names
                    .entry(word.clone())
                    .or_insert_with(|| text.clone());
                known == text
            }
            (Value::Object(expected), Value::Object(got)) => {
                let empty = json!([]);
                let names: std::collections::BTreeSet<&String> =
                    expected.keys().chain(got.keys()).collect();
                names.into_iter().all(|name| {
                    let optional = matches!(name.as_str(), "participants" | "invited" | "mods");
                    let default = optional.then_some(&empty);
                    match (expected.get(name).or(default), got.get(name).or(default)) {
                        (Some(expected), Some(got)) => self.same(expected, got),
                        _ => false,
                    }
                })
            }
            (Value::Array(expected), Value::Array(got)) => {
                expected.len() == got.len()
                    && expected
                        .iter()
                        .zip(got)
                        .all(|(expected, got)| self.same(expected, got))
            }
            _ => expected == got,
        }
    }
}

/// Accidents that the recordings do not mark: see their README.
fn is_known_quirk(head: &Value, event: &Value) -> bool {
    let idle = || event.to_string().contains("\"status\":\"idle\"");
    let refused = head["scenario"] == "proxy-errors" && event["who"] == "p1";
    refused || idle()
}

fn unhex(text: &str) -> Vec<u8> {
    let digits = text.as_bytes().chunks_exact(2);
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
    digits
        .map(|pair| byte(pair).expect("hexadecimal"))
        .collect()
}
