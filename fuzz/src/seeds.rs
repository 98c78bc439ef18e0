//! Inputs to begin with, made of what real clients were recorded to say and of what an operator would write. They are made
//! anew each time, so they follow the recordings.

use std::{
    collections::BTreeSet,
    fs, io,
    path::{Path, PathBuf},
};

use serde_json::Value;
use wire::{Format, websocket};

use crate::{input::encode_bytes, messagepack};

/// An input of a target.
#[derive(Clone, Debug)]
pub struct Seed {
    /// The target's name.
    pub target: &'static str,
    /// What it was made of.
    pub name: String,
    /// The input.
    pub bytes: Vec<u8>,
}

/// The longest input that is made: a longer one teaches little and slows everything that comes of it.
const LONGEST: usize = 8 << 10;
/// The steps of `play` that every lobby has.
const SETTLE: u8 = 0;
const SAY: u8 = 9;

/// A key document without its numbers, which no input would come upon.
const JWKS: &str = r#"{"keys":[{"kty":"RSA","kid":"k1","use":"sig","alg":"RS256","e":"AQAB","n":"AQAB"},{"kty":"EC"}]}"#;
const CLAIMS: &str = r#"{"sub":"11","scp":["lobby"],"exp":1700000001,"iat":1,"nbf":"1"}"#;
const HEADER: &str = r#"{"alg":"RS256","typ":"JWT","kid":"k1"}"#;
const STATISTICS: &str = r#"{"stats":[{"name":"p1","type":"Human","faction":1,"general":{"score":5,"kills":{"count":3}},"units":{"air":{"built":3,"lost":1,"kills":2},"cdr":{"lost":0,"kills":3}},"blueprints":{"ual0001":{"built":1,"lowest_health":400}}},{"name":"p2","type":"Human","faction":"AEON"}]}"#;
const COMPAT: &str = "DB_SERVER: here\nDB_PORT: 3306\nLISTEN:\n  - ADDRESS: 0.0.0.0\n    PORT: 8001\n    PROTOCOL: QDataStreamProtocol\n    PROXY: true\nLADDER_1V1_OUTCOME_OVERRIDE: false\nNEWBIE_MIN_GAMES: 10\nQUEUE_POP_TIME_MAX: 90.5\nGEO_IP_LICENSE_KEY:\n";
const DECK: &str = "<?xml version=\"1.0\"?><cockatrice_deck version=\"1\"><deckname>D &amp; d</deckname><bannerCard providerId=\"b\">B</bannerCard><playmatCard providerId=\"p\" zoom=\"2.5\" marginPctL=\"0.1\">M</playmatCard><comments>a\nb</comments><tags><tag>t</tag></tags><zone name=\"main\"><card number=\"4\" name=\"Forest\" setShortName=\"S\" collectorNumber=\"1\" uuid=\"u\"/></zone><zone name=\"side\"><card number=\"-1\" name=\"&#198;ther\"/></zone><sideboard_plan><name/><move_card_to_zone><card_name>Forest</card_name><start_zone>main</start_zone><target_zone>side</target_zone></move_card_to_zone></sideboard_plan></cockatrice_deck>";
const SERVATRICE: &str = "[server]\nname=\"A server\"\nport=4747 ; comment\n[rooms]\nroomlist\\size=1\nroomlist\\1\\name=\"General\\nroom\"\nroomlist\\1\\game_types\\1\\name=@ByteArray(x)\n[security]\ntrusted_sources=\"127.0.0.1,::1\", a\n[%General]\na%20b=\\x41\\\n2\n";
const CARD_ART: &str = r#"{"card_name":"A","card_provider_id":"p","marginPctL":0.3,"zoom":9}"#;
const BATCH: &str = r#"{"uid":7,"launched":{"validity":"Valid","map_id":7,"stored":true},"records":[{"Desync":{"player_id":1,"game_time_s":3}},{"Ended":5.0},{"Statistics":{"texts":["{}"],"rating_type":"global","players":[{"id":1,"login":"p1","outcome":"Victory"}]}}]}"#;

/// Every seed there is.
///
/// # Errors
/// If the recordings can't be read.
pub fn all() -> io::Result<Vec<Seed>> {
    let mut seeds = written();
    let mut commands = BTreeSet::new();
    let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests");
    for (folder, ending, read) in [
        (
            "transcripts/faf",
            "jsonl",
            transcript as fn(&str) -> Vec<Line>,
        ),
        ("dialogues", "txt", dialogue),
        ("transcripts/vcmi", "jsonl", vcmi_transcript),
    ] {
        for file in files(&tests.join(folder), ending)? {
            let name = file
                .file_stem()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned();
            let lines = read(&fs::read_to_string(&file)?);
            seeds.extend(of_recording(&name, &lines, folder.ends_with("vcmi")));
            let messages = lines
                .iter()
                .filter(|line| commands.insert(command(&line.said)));
            seeds.extend(messages.map(|line| Seed {
                target: "json",
                name: command(&line.said),
                bytes: line.said.clone(),
            }));
        }
    }
    seeds.retain(|seed| seed.bytes.len() <= LONGEST);
    Ok(seeds)
}

/// The seeds of one target.
///
/// # Errors
/// If the recordings can't be read.
pub fn of(target: &str) -> io::Result<Vec<Vec<u8>>> {
    let own = all()?.into_iter().filter(|seed| seed.target == target);
    Ok(own.map(|seed| seed.bytes).collect())
}

/// What somebody said.
struct Line {
    who: String,
    said: Vec<u8>,
}

/// The files of a folder, in order.
fn files(folder: &Path, ending: &str) -> io::Result<Vec<PathBuf>> {
    let entries = fs::read_dir(folder)?;
    let mut files: Vec<PathBuf> = entries
        .map(|entry| Ok(entry?.path()))
        .collect::<io::Result<_>>()?;
    files.retain(|file| file.extension().is_some_and(|found| found == ending));
    files.sort();
    Ok(files)
}

fn transcript(text: &str) -> Vec<Line> {
    let events = text
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let sent = events.filter(|event| event["dir"] == "c>s");
    sent.map(|event| Line {
        who: event["client"].to_string(),
        said: match event["raw"].as_str() {
            Some(raw) => raw.into(),
            None => event["msg"].to_string().into(),
        },
    })
    .collect()
}

/// Lines like `a> {"command":"ping"}`.
fn dialogue(text: &str) -> Vec<Line> {
    let sent = text.lines().filter_map(|line| line.split_once("> "));
    let sent = sent.filter(|(who, _)| who.len() < 10 && who.chars().all(char::is_alphanumeric));
    sent.map(|(who, said)| Line {
        who: who.to_owned(),
        said: said.into(),
    })
    .collect()
}

fn vcmi_transcript(text: &str) -> Vec<Line> {
    let events = text
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let sent = events.filter(|event| event["op"] == "send");
    sent.filter_map(|event| {
        Some(Line {
            who: event["who"].to_string(),
            said: bytes_of(event["hex"].as_str()?)?,
        })
    })
    .collect()
}

fn bytes_of(hex: &str) -> Option<Vec<u8>> {
    let pairs = hex.as_bytes().chunks(2);
    pairs
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok())
        .collect()
}

/// The name of a message, for its file.
fn command(said: &[u8]) -> String {
    let message: Value = serde_json::from_slice(said).unwrap_or_default();
    let command = message["command"].as_str().unwrap_or_default();
    command
        .chars()
        .filter(char::is_ascii_alphanumeric)
        .collect()
}

/// A recording as a program of a lobby, and as the bytes of a connection in every format it could have come in.
fn of_recording(name: &str, lines: &[Line], vcmi: bool) -> Vec<Seed> {
    let seed = |target, bytes| Seed {
        target,
        name: name.to_owned(),
        bytes,
    };
    if vcmi {
        let stream: Vec<u8> = lines.iter().flat_map(|line| line.said.clone()).collect();
        let packets = lines.iter().map(|line| Line {
            who: line.who.clone(),
            said: line.said.get(4..).unwrap_or_default().to_vec(),
        });
        let program = program(&packets.collect::<Vec<_>>());
        return vec![
            seed("codecs", connection(Format::Packets, &stream)),
            seed("vcmi", program),
        ];
    }
    let mut seeds = vec![seed("faf", program(lines)), seed("router", program(lines))];
    for format in [Format::JsonLines, Format::QDataStream, Format::WebSocket] {
        let mut stream = Vec::new();
        for said in lines
            .iter()
            .map(|line| &line.said)
            .filter(|said| said.is_ascii())
        {
            match format {
                Format::WebSocket => websocket::encode_client_text(said, [1, 2, 3, 4], &mut stream),
                _ => format.encode(said, &mut stream),
            }
        }
        seeds.push(Seed {
            target: "codecs",
            name: format!("{name}-{format:?}"),
            bytes: connection(format, &stream),
        });
    }
    seeds
}

/// One shard, and everybody says what they say, one after the other.
fn program(lines: &[Line]) -> Vec<u8> {
    let mut speakers: Vec<&str> = Vec::new();
    let mut program = vec![0, 0];
    for line in lines {
        let known = speakers.iter().position(|who| *who == line.who);
        let who = known.unwrap_or_else(|| {
            speakers.push(&line.who);
            speakers.len() - 1
        }) as u8;
        program.extend([SAY, who]);
        encode_bytes(&line.said, &mut program);
        program.extend([SETTLE, who]);
    }
    program
}

/// An input of `codecs`: an upgrade in front if there is one in this format, cut after 50 bytes.
fn connection(format: Format, stream: &[u8]) -> Vec<u8> {
    [&[format.index() as u8, 4, 50], stream].concat()
}

/// What nobody has recorded.
fn written() -> Vec<Seed> {
    let seed = |target, name: &str, bytes: Vec<u8>| Seed {
        target,
        name: name.to_owned(),
        bytes,
    };
    let choice = |choice: u8, rest: &str| [&[choice], rest.as_bytes()].concat();
    let framed = |choices: &[u8], first: &str, rest: &str| {
        let mut bytes = choices.to_vec();
        encode_bytes(first.as_bytes(), &mut bytes);
        bytes.extend_from_slice(rest.as_bytes());
        bytes
    };
    vec![
        seed("tokens", "jwks", choice(0, JWKS)),
        seed(
            "tokens",
            "token",
            choice(1, "eyJhbGciOiJSUzI1NiIsImtpZCI6ImsxIn0.e30.AAAA"),
        ),
        seed("tokens", "unsigned", framed(&[2], HEADER, CLAIMS)),
        seed("tokens", "signed", choice(3, CLAIMS)),
        seed(
            "statistics",
            "game",
            framed(&[0, 0, 1], STATISTICS, STATISTICS),
        ),
        seed("configuration", "compat", choice(0, COMPAT)),
        seed("configuration", "ours", choice(1, &our_configuration())),
        seed(
            "configuration",
            "environment",
            choice(
                2,
                "MUSTER_FAF_TICK_MS=100\nDB_SERVER=here\nLADDER_SEARCH_EXPANSION_MAX=0.5",
            ),
        ),
        seed("spool", "batch", BATCH.into()),
        seed("messagepack", "letter", messagepack::seed()),
        seed(
            "proxy",
            "v1",
            b"\x02PROXY TCP4 192.0.2.7 192.0.2.1 5000 8002\r\n".to_vec(),
        ),
        seed(
            "proxy",
            "v1-v6",
            b"\x02PROXY TCP6 2001:db8::1 ::1 5000 8002\r\n".to_vec(),
        ),
        seed(
            "proxy",
            "v2",
            b"\x01\0\0\0\xc0\0\x02\x07\xc0\0\x02\x01\x13\x88\x1f\x42".to_vec(),
        ),
        seed("charset", "cp1251", framed(&[], "cp1251", "\u{434}\u{430}")),
        seed("charset", "gb18030", framed(&[], "gb18030", "\u{4e2d}")),
        seed("charset", "latin1", framed(&[], "ISO-8859-1", "\u{e9}")),
        seed("charset", "sjis", framed(&[], "shift_jis", "\u{65e5}")),
        // Two members; letters both ways; a beat that is changed, a message that is made up; the lead changes hands.
        seed(
            "cluster",
            "letters",
            b"\x01\0\x06\0\x07\x03\x03\0\x07\x01\x06\x01\x09\x02\x01\x01\x07\0\x05\x20".to_vec(),
        ),
        seed(
            "cluster",
            "changed",
            b"\x01\0\x02\x05\x01\0\x30\x07\x01\x03\x09\x02\0\x11\x01\0\x40\x80\0\x04\xff".to_vec(),
        ),
        seed(
            "cluster",
            "made-up",
            b"\x01\0\x01\x14\0\0\0\0\x01\0\0\0\0\0\0\0\x01\0\0\0\0\0\0\0\x02\x01\x02\x01\0\0\x09\0\x01\x05\xff".to_vec(),
        ),
        seed(
            "cluster",
            "islands",
            b"\x01\0\x08\x01\x05\xff\0\x08\0\x05\x40\x01\x0a\x01\x05\xff\x01\x0a\0\x05\x40\0\x0c\0\x05\x20".to_vec(),
        ),
        seed(
            "cockatrice",
            "say",
            b"\0\x08\x04\xa0\x01\x00\xb2\x06\x07\xca\x3e\x04\x0a\x02hi".to_vec(),
        ),
        seed(
            "cockatrice",
            "ban",
            b"\0\x08\x07\xba\x06\x0a\xc2\x3e\x07\x0a\x03bob\x18\x05".to_vec(),
        ),
        seed("cockatrice", "deck", choice(1, DECK)),
        seed("cockatrice", "servatrice", choice(2, SERVATRICE)),
        seed("cockatrice", "address", choice(3, "h.x+y@googlemail.com")),
        seed("cockatrice", "card-art", choice(3, CARD_ART)),
        seed("qdatastream", "merged", vec![0, 2, 3, 10]),
        seed(
            "swarm",
            "lines",
            [&[0, 1, 3, 5][..], b"hello\x05there"].concat(),
        ),
        seed(
            "swarm",
            "blocks",
            [&[1, 1, 3, 5][..], b"hello\x05there"].concat(),
        ),
        seed(
            "swarm",
            "websocket",
            [&[2, 1, 3, 5][..], b"hello\x05there"].concat(),
        ),
        seed(
            "swarm",
            "vcmi",
            [
                &[3, 0, 3][..],
                b":>>USERS:1:a:>>MSGCH:eve:global:due 12345;",
            ]
            .concat(),
        ),
        seed(
            "websocket",
            "fragments",
            vec![1, 7, 1 | 0x80, 8, 9, 0, 0, 9],
        ),
        seed("frames", "lines", vec![0, 3, 2, b'{', b'}', 0]),
        seed("vcmi_json", "a match with a relay", json_match()),
    ]
}

/// Two players of VCMI's JSON lobby register, sign in, and play a match through a relay.
fn json_match() -> Vec<u8> {
    // Who says it, whose account, whose account it is about, which of the messages.
    let says = |who, account, other, message: u8| vec![14, who, account, other, 0, 0, message];
    let listen = vec![13, 0];
    let all = [
        vec![0x44, 1],
        [says(0, 0, 0, 0), vec![0], listen.clone()].concat(),
        [says(1, 0, 0, 0), vec![1], listen].concat(),
        says(0, 0, 0, 2),
        says(1, 1, 0, 2),
        says(2, 0, 0, 3),
        says(0, 0, 0, 4),
        says(1, 1, 0, 6),
        says(3, 0, 1, 14),
        says(4, 1, 0, 15),
        says(0, 0, 0, 11),
        says(2, 0, 0, 8),
        vec![5, 2],
    ];
    all.concat()
}

/// The lines of a configuration file that says everything.
#[cfg(feature = "back-office")]
fn our_configuration() -> String {
    use config::{Config, Sources};

    let printed = Config::load(&Sources::default())
        .map(|config| config.print())
        .unwrap_or_default();
    let lines = printed
        .lines()
        .filter(|line| !line.starts_with('#') && !line.is_empty());
    lines.collect::<Vec<_>>().join("\n")
}

/// Its target is not built.
#[cfg(not(feature = "back-office"))]
fn our_configuration() -> String {
    String::new()
}
