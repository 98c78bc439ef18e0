//! The written form of a dialogue. `tests/dialogues/README.md` has the list of what a line can say.

use std::{fs, path::Path};

use serde_json::Value;

use super::pattern;

/// How a client connects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Transport {
    Json,
    QDataStream,
    WebSocket,
}

impl Transport {
    pub(crate) fn parse(word: &str) -> Result<Transport, String> {
        match word {
            "json" => Ok(Transport::Json),
            "qdatastream" => Ok(Transport::QDataStream),
            "websocket" => Ok(Transport::WebSocket),
            _ => Err(format!("no transport is called {word}")),
        }
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Transport::Json => "json",
            Transport::QDataStream => "qdatastream",
            Transport::WebSocket => "websocket",
        }
    }
}

/// What one line does.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Step {
    /// `a connect [transport]`
    Connect(Option<Transport>),
    /// `a> JSON`
    Send(Value),
    /// `a raw "bytes"`: beneath the framing
    Raw(Vec<u8>),
    /// `a< PATTERN`: the next message, broadcasts aside
    Next(Value),
    /// `a<* PATTERN`: some later message
    Later(Value),
    /// `a quiet`: nothing but broadcasts until a ping is answered
    Quiet,
    /// `a unseen PATTERN`: no such message until a ping is answered
    Unseen(Value),
    /// `a! closed`
    Closed,
    /// `a close`: the client goes away
    Close,
    /// `login a NAME`
    Login(String),
    /// `sql STATEMENT`: straight into the database
    Sql(String),
    /// `db QUERY => TEXT`: what the database will say
    Db(String, String),
}

/// A step, of whom, and where it stands.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Line {
    pub(crate) place: String,
    pub(crate) client: String,
    pub(crate) step: Step,
}

/// A whole file.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Script {
    pub(crate) transports: Vec<Transport>,
    pub(crate) set: Vec<String>,
    pub(crate) sql: Vec<String>,
    pub(crate) lines: Vec<Line>,
}

/// Reads a file and what it uses from `parts/`.
pub(crate) fn read(path: &Path) -> Result<Script, String> {
    let text = fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
    let name = path
        .file_name()
        .map_or_else(String::new, |name| name.to_string_lossy().into_owned());
    let folder = path.parent().unwrap_or(path);
    let parts = if folder.ends_with("parts") {
        folder.to_owned()
    } else {
        folder.join("parts")
    };
    let mut script = Script::default();
    for (number, line) in text.lines().enumerate() {
        let place = format!("{name}:{}", number + 1);
        if let Some(part) = line.trim().strip_prefix("use ") {
            let part = read(&parts.join(format!("{part}.txt")))?;
            script.sql.extend(part.sql);
            script.lines.extend(part.lines);
        } else {
            script
                .take(&place, line.trim())
                .map_err(|error| format!("{place}: {error}"))?;
        }
    }
    Ok(script)
}

impl Script {
    fn take(&mut self, place: &str, line: &str) -> Result<(), String> {
        if let Some(head) = line.strip_prefix('#') {
            if let Some(names) = head.trim().strip_prefix("transports:") {
                self.transports = names
                    .split_whitespace()
                    .map(Transport::parse)
                    .collect::<Result<_, _>>()?;
            } else if let Some(pair) = head.trim().strip_prefix("set:") {
                self.set.push(pair.trim().to_owned());
            } else if let Some(statement) = head.trim().strip_prefix("sql:") {
                self.sql.push(statement.trim().to_owned());
            }
            return Ok(());
        }
        if line.is_empty() {
            return Ok(());
        }
        let (client, step) = parse(line)?;
        self.lines.push(Line {
            place: place.to_owned(),
            client,
            step,
        });
        Ok(())
    }
}

fn parse(line: &str) -> Result<(String, Step), String> {
    let (first, rest) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
    let rest = rest.trim();
    let of = |client: &str, step| Ok((client.to_owned(), step));
    if first == "sql" {
        return of("", Step::Sql(rest.to_owned()));
    }
    if first == "db" {
        let (query, text) = rest.rsplit_once("=>").ok_or("db QUERY => TEXT")?;
        return of(
            "",
            Step::Db(query.trim().to_owned(), text.trim().to_owned()),
        );
    }
    if first == "login" {
        let (client, account) = rest.split_once(' ').ok_or("login CLIENT NAME")?;
        return of(client, Step::Login(account.trim().to_owned()));
    }
    if let Some(client) = first.strip_suffix("<*") {
        return of(client, Step::Later(pattern::parse(rest)?));
    }
    if let Some(client) = first.strip_suffix('<') {
        return of(client, Step::Next(pattern::parse(rest)?));
    }
    if let Some(client) = first.strip_suffix('>') {
        return of(
            client,
            Step::Send(serde_json::from_str(rest).map_err(|error| error.to_string())?),
        );
    }
    if let (Some(client), "closed") = (first.strip_suffix('!'), rest) {
        return of(client, Step::Closed);
    }
    let (verb, rest) = rest.split_once(' ').unwrap_or((rest, ""));
    match verb {
        "connect" if rest.is_empty() => of(first, Step::Connect(None)),
        "connect" => of(first, Step::Connect(Some(Transport::parse(rest)?))),
        "raw" => of(first, Step::Raw(bytes(rest.trim())?)),
        "quiet" => of(first, Step::Quiet),
        "close" => of(first, Step::Close),
        "unseen" => of(first, Step::Unseen(pattern::parse(rest)?)),
        _ => Err(format!("can't read: {line}")),
    }
}

/// `"text\n\x00"` as bytes.
fn bytes(text: &str) -> Result<Vec<u8>, String> {
    let inner = text
        .strip_prefix('"')
        .and_then(|text| text.strip_suffix('"'))
        .ok_or("raw \"…\"")?;
    let (mut out, mut rest) = (Vec::new(), inner.as_bytes());
    while let Some((&byte, tail)) = rest.split_first() {
        rest = tail;
        if byte != b'\\' {
            out.push(byte);
            continue;
        }
        let (&escape, tail) = rest.split_first().ok_or("an escape at the end")?;
        rest = tail;
        out.push(match escape {
            b'n' => b'\n',
            b'r' => b'\r',
            b't' => b'\t',
            b'\\' | b'"' => escape,
            b'x' => {
                let digits = rest
                    .get(..2)
                    .and_then(|two| std::str::from_utf8(two).ok())
                    .ok_or("\\xNN")?;
                rest = &rest[2..];
                u8::from_str_radix(digits, 16).map_err(|error| error.to_string())?
            }
            _ => return Err(format!("unknown escape \\{}", escape as char)),
        });
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn lines_are_read() {
        let read = |line| parse(line).unwrap();
        assert_eq!(
            read(r#"a> {"command":"ping"}"#),
            ("a".into(), Step::Send(json!({"command":"ping"})))
        );
        assert_eq!(
            read(r#"bob<* {"x":1, ...}"#),
            ("bob".into(), Step::Later(json!({"x":1,"...":true})))
        );
        assert_eq!(read("a! closed"), ("a".into(), Step::Closed));
        assert_eq!(
            read("a connect json"),
            ("a".into(), Step::Connect(Some(Transport::Json)))
        );
        assert_eq!(
            read("login a orion"),
            ("a".into(), Step::Login("orion".into()))
        );
        assert_eq!(
            read(r#"a raw "\x00\x10A\n""#),
            ("a".into(), Step::Raw(vec![0, 16, b'A', b'\n']))
        );
        for bad in [
            "a dances",
            "a> {",
            "a connect carrier-pigeon",
            "a! open",
            r#"a raw "\q""#,
        ] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn heads_are_read() {
        let mut script = Script::default();
        for line in [
            "# transports: json websocket",
            "# just a comment",
            "# set: faf.proxy=true",
            "",
        ] {
            script.take("x:1", line).unwrap();
        }
        assert_eq!(script.transports, [Transport::Json, Transport::WebSocket]);
        assert_eq!((script.set.len(), script.lines.len()), (1, 0));
    }
}
