//! As much of three lobbies as an example of the manual needs: who speaks is heard by all.

use std::collections::BTreeSet;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use serde_json::{Value, json};

type Listeners = Arc<Mutex<Vec<TcpStream>>>;

/// A server that hands each connection to this, with everybody's; gives its port.
fn listen(serve: fn(TcpStream, &Listeners) -> std::io::Result<()>) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = listener.local_addr().expect("bound").port();
    thread::spawn(move || {
        let all = Listeners::default();
        for stream in listener.incoming() {
            let (all, stream) = (all.clone(), stream.expect("accepted"));
            // The end of a connection is an error to whoever reads on.
            thread::spawn(move || serve(stream, &all).is_ok());
        }
    });
    port
}

fn tell(all: &Listeners, bytes: &[u8]) {
    let mut all = all.lock().expect("no panic");
    all.retain_mut(|listener| listener.write_all(bytes).is_ok());
}

fn block(stream: &mut TcpStream, length: [u8; 4], big: bool) -> std::io::Result<Vec<u8>> {
    let length = if big {
        u32::from_be_bytes(length)
    } else {
        u32::from_le_bytes(length)
    };
    let mut body = vec![0; length as usize];
    stream.read_exact(&mut body)?;
    Ok(body)
}

/// Names that somebody has; those of each run are its own.
static TAKEN: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());

/// A VCMI lobby: a greeting by a name that nobody has, and lines of chat.
pub(crate) fn vcmi() -> u16 {
    listen(|mut stream, all| {
        let mut login = String::new();
        loop {
            let mut length = [0; 4];
            stream.read_exact(&mut length)?;
            let body = block(&mut stream, length, false)?;
            let text = String::from_utf8_lossy(&body);
            if let Some((_, rest)) = text.split_once("<GREETINGS>") {
                login = rest.split("<VER>").next().unwrap_or_default().to_owned();
                if !TAKEN.lock().expect("no panic").insert(login.clone()) {
                    stream.write_all(b":>>ERROR:Can't connect with that name")?;
                    continue;
                }
                stream.write_all(b":>>MSG:System:Here available rooms")?;
                all.lock().expect("no panic").push(stream.try_clone()?);
            } else if let Some(said) = text.strip_prefix("<MSG>") {
                tell(all, format!(":>>MSGCH:{login}:global:{said}").as_bytes());
            }
        }
    })
}

/// VCMI's JSON lobby: a new account for everybody, lines of chat, empty histories, and no room.
pub(crate) fn vcmi2() -> u16 {
    listen(|mut stream, all| {
        let mut login = json!(null);
        loop {
            let mut length = [0; 4];
            stream.read_exact(&mut length)?;
            let body = block(&mut stream, length, false)?;
            let said: Value = serde_json::from_slice(&body).unwrap_or_default();
            let mut answer = |message: Value| stream.write_all(&little(&message));
            match said["type"].as_str() {
                Some("clientRegister") => {
                    login = said["displayName"].clone();
                    let account =
                        json!({"accountID": login, "accountCookie": "c", "type": "accountCreated"});
                    answer(account)?;
                }
                Some("clientLogin") => {
                    answer(json!({"type": "clientLoginSuccess"}))?;
                    answer(json!({"matchesHistory": [], "type": "matchesHistory"}))?;
                    all.lock().expect("no panic").push(stream.try_clone()?);
                }
                Some("sendChatMessage") => {
                    let mut line = said;
                    line["displayName"] = login.clone();
                    line["type"] = "chatMessage".into();
                    tell(all, &little(&line));
                }
                Some("requestChatHistory") => {
                    let channel = &said["channelName"];
                    answer(json!({"channelName": channel, "messages": [], "type": "chatHistory"}))?;
                }
                Some("joinGameRoom") => {
                    let reason = "Failed to find game room to join!";
                    answer(json!({"reason": reason, "type": "operationFailed"}))?;
                }
                _ => {}
            }
        }
    })
}

fn little(message: &Value) -> Vec<u8> {
    let body = message.to_string();
    [&(body.len() as u32).to_le_bytes()[..], body.as_bytes()].concat()
}

/// A Cockatrice lobby: sign-in, the first room, lines of chat, and an answer to everything else.
pub(crate) fn cockatrice() -> u16 {
    listen(|mut stream, all| {
        // A session's event of the server's identification, 500, in a server message's field 3.
        stream.write_all(&framed(&[field(3, &field(500, b""))]))?;
        loop {
            let mut length = [0; 4];
            stream.read_exact(&mut length)?;
            let body = block(&mut stream, length, true)?;
            // The client's hello has no number.
            let Some((_, id, _)) = fields(&body).into_iter().find(|(number, ..)| *number == 1)
            else {
                continue;
            };
            let inside = |way: &[u64]| {
                way.iter().try_fold(&body[..], |message, wanted| {
                    let mut fields = fields(message).into_iter();
                    fields.find_map(|(number, _, block)| (number == *wanted).then_some(block))
                })
            };
            if let Some(text) = inside(&[102, 1001, 1]) {
                let event = field(5, &field(1002, &field(2, text)));
                tell(all, &framed(&[event]));
            }
            let response = [&[0x08][..], &varint(id), &[0x10, 1]].concat();
            stream.write_all(&framed(&[field(2, &response)]))?;
            // Whoever has entered the room hears what is said there.
            if inside(&[100, 1015]).is_some() {
                all.lock().expect("no panic").push(stream.try_clone()?);
            }
        }
    })
}

/// The fields of a message of numbers and blocks: each its number, and its value as the one or the other.
fn fields(mut bytes: &[u8]) -> Vec<(u64, u64, &[u8])> {
    let mut fields = Vec::new();
    while !bytes.is_empty() {
        let tag = number(&mut bytes);
        let value = number(&mut bytes);
        let mut block = &bytes[..0];
        if tag & 7 == 2 {
            (block, bytes) = bytes.split_at(value as usize);
        }
        fields.push((tag >> 3, value, block));
    }
    fields
}

fn number(bytes: &mut &[u8]) -> u64 {
    let (mut value, mut shift) = (0, 0);
    loop {
        let byte = bytes[0];
        *bytes = &bytes[1..];
        value |= u64::from(byte & 0x7f) << shift;
        shift += 7;
        if byte < 0x80 {
            return value;
        }
    }
}

fn varint(mut value: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    while value >= 0x80 {
        bytes.push(value as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
    bytes
}

fn field(number: u64, body: &[u8]) -> Vec<u8> {
    let tag = varint(number << 3 | 2);
    [tag, varint(body.len() as u64), body.to_vec()].concat()
}

fn framed(fields: &[Vec<u8>]) -> Vec<u8> {
    let body = fields.concat();
    [&(body.len() as u32).to_be_bytes()[..], &body].concat()
}
