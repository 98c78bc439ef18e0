//! One blocking client for each transport, written from the wire's description and not from the server's code.

use std::{
    collections::VecDeque,
    io::{self, ErrorKind, Read, Write},
    net::{SocketAddr, TcpStream},
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use tungstenite::{Message, WebSocket};

use super::script::Transport;

/// Generous: a loaded machine must not fail a test.
const PATIENCE: Duration = Duration::from_secs(20);
/// How long one read waits before the deadline is looked at.
const SLICE: Duration = Duration::from_millis(50);

/// What came in.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Received {
    Message(Value),
    Closed,
}

enum Wire {
    Json(TcpStream),
    QDataStream(TcpStream),
    WebSocket(Box<WebSocket<TcpStream>>),
}

/// A connection to the server under test.
pub(crate) struct Client {
    stream: Wire,
    bytes: Vec<u8>,
    waiting: VecDeque<Value>,
}

impl Client {
    pub(crate) fn connect(transport: Transport, address: SocketAddr) -> Result<Client, String> {
        let tcp = TcpStream::connect(address).map_err(|error| format!("{address}: {error}"))?;
        let shape = |tcp: &TcpStream, wait| {
            tcp.set_nodelay(true)?;
            tcp.set_write_timeout(Some(PATIENCE))?;
            tcp.set_read_timeout(Some(wait))
        };
        shape(&tcp, PATIENCE).map_err(|error| error.to_string())?;
        let stream = match transport {
            Transport::Json => Wire::Json(tcp),
            Transport::QDataStream => Wire::QDataStream(tcp),
            Transport::WebSocket => {
                let url = format!("ws://{address}/");
                let (socket, _) =
                    tungstenite::client(url, tcp).map_err(|error| format!("upgrade: {error}"))?;
                Wire::WebSocket(Box::new(socket))
            }
        };
        let client = Client {
            stream,
            bytes: Vec::new(),
            waiting: VecDeque::new(),
        };
        shape(client.tcp(), SLICE).map_err(|error| error.to_string())?;
        Ok(client)
    }

    fn tcp(&self) -> &TcpStream {
        match &self.stream {
            Wire::Json(tcp) | Wire::QDataStream(tcp) => tcp,
            Wire::WebSocket(socket) => socket.get_ref(),
        }
    }

    /// Sends one message in the transport's framing.
    pub(crate) fn send(&mut self, message: &Value) -> Result<(), String> {
        let text = message.to_string();
        let sent = match &mut self.stream {
            Wire::Json(tcp) => tcp
                .write_all(format!("{text}\n").as_bytes())
                .map_err(|e| e.to_string()),
            Wire::QDataStream(tcp) => {
                let text = match message["command"].as_str() {
                    Some("ping") => "PING",
                    Some("pong") => "PONG",
                    _ => &text,
                };
                tcp.write_all(&block(text)).map_err(|e| e.to_string())
            }
            Wire::WebSocket(socket) => socket
                .send(Message::text(format!("{text}\n")))
                .map_err(|e| e.to_string()),
        };
        sent.map_err(|error| format!("sending: {error}"))
    }

    /// Sends bytes as they are (WebSocket: as one binary frame).
    pub(crate) fn send_raw(&mut self, bytes: &[u8]) -> Result<(), String> {
        let sent = match &mut self.stream {
            Wire::Json(tcp) | Wire::QDataStream(tcp) => {
                tcp.write_all(bytes).map_err(|e| e.to_string())
            }
            Wire::WebSocket(socket) => socket
                .send(Message::binary(bytes.to_vec()))
                .map_err(|e| e.to_string()),
        };
        sent.map_err(|error| format!("sending: {error}"))
    }

    /// Says that it will send nothing more, and goes on listening.
    pub(crate) fn finish(&mut self) -> Result<(), String> {
        let done = self.tcp().shutdown(std::net::Shutdown::Write);
        done.map_err(|error| error.to_string())
    }

    /// The next message, or the end of the connection.
    pub(crate) fn receive(&mut self) -> Result<Received, String> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(message) = self.waiting.pop_front() {
                return Ok(Received::Message(message));
            }
            if Instant::now() > deadline {
                return Err(format!("nothing arrived for {PATIENCE:?}"));
            }
            if !self.read_some()? {
                return Ok(Received::Closed);
            }
        }
    }

    /// Reads what is there and cuts messages. `false`: the connection has ended.
    fn read_some(&mut self) -> Result<bool, String> {
        let mut buffer = [0; 65536];
        let read = match &mut self.stream {
            Wire::Json(tcp) | Wire::QDataStream(tcp) => tcp.read(&mut buffer),
            Wire::WebSocket(socket) => match socket.read() {
                Ok(Message::Text(text)) => {
                    self.bytes.extend_from_slice(text.as_bytes());
                    self.cut()?;
                    return Ok(true);
                }
                Ok(Message::Close(_)) => return Ok(false),
                Ok(Message::Binary(_)) => return Err("a binary frame from the server".into()),
                Ok(_) => return Ok(true),
                Err(tungstenite::Error::Io(error)) => Err(error),
                Err(_) => return Ok(false),
            },
        };
        match read {
            Ok(0) if self.bytes.is_empty() => Ok(false),
            Ok(0) => Err(format!(
                "the stream ended inside a message: {:?}",
                String::from_utf8_lossy(&self.bytes)
            )),
            Ok(len) => {
                self.bytes.extend_from_slice(&buffer[..len]);
                self.cut().map(|()| true)
            }
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                Ok(true)
            }
            Err(error) if gone(&error) => Ok(false),
            Err(error) => Err(error.to_string()),
        }
    }

    /// Cuts complete messages off the bytes read so far.
    fn cut(&mut self) -> Result<(), String> {
        if let Wire::QDataStream(_) = self.stream {
            while let Some((message, len)) = unblock(&self.bytes)? {
                self.waiting.push_back(message);
                self.bytes.drain(..len);
            }
            return Ok(());
        }
        while let Some(end) = self.bytes.iter().position(|&byte| byte == b'\n') {
            let line: Vec<u8> = self.bytes.drain(..=end).collect();
            self.waiting.push_back(document(&line)?);
        }
        Ok(())
    }
}

fn gone(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::ConnectionReset
            | ErrorKind::ConnectionAborted
            | ErrorKind::BrokenPipe
            | ErrorKind::UnexpectedEof
    )
}

fn document(bytes: &[u8]) -> Result<Value, String> {
    if !bytes.is_ascii() {
        return Err("the server sent something else than ASCII".into());
    }
    serde_json::from_slice(bytes)
        .map_err(|error| format!("{error}: {:?}", String::from_utf8_lossy(bytes)))
}

/// A QDataStream block with one string.
pub(crate) fn block(text: &str) -> Vec<u8> {
    let units: Vec<u8> = text.encode_utf16().flat_map(u16::to_be_bytes).collect();
    let mut out = Vec::with_capacity(units.len() + 8);
    out.extend((units.len() as u32 + 4).to_be_bytes());
    out.extend((units.len() as u32).to_be_bytes());
    out.extend(units);
    out
}

/// The first complete block as a message, with its length in bytes.
fn unblock(bytes: &[u8]) -> Result<Option<(Value, usize)>, String> {
    let number = |at: usize| {
        let four: [u8; 4] = bytes.get(at..at + 4)?.try_into().ok()?;
        Some(u32::from_be_bytes(four) as usize)
    };
    let (Some(len), Some(text_len)) = (number(0), number(4)) else {
        return Ok(None);
    };
    let Some(units) = bytes.get(8..4 + len) else {
        return Ok(None);
    };
    if units.len() != text_len {
        return Err(format!(
            "a block of {len} bytes with a string of {text_len}"
        ));
    }
    let units: Vec<u16> = units
        .chunks_exact(2)
        .map(|two| u16::from_be_bytes([two[0], two[1]]))
        .collect();
    let text = String::from_utf16(&units).map_err(|error| error.to_string())?;
    let message = match text.as_str() {
        "PING" => json!({"command":"ping"}),
        "PONG" => json!({"command":"pong"}),
        _ => document(text.as_bytes())?,
    };
    Ok(Some((message, 4 + len)))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// spec: faf-wire 4.1
    #[test]
    fn blocks_are_as_specified() {
        assert_eq!(
            block("PING"),
            b"\x00\x00\x00\x0c\x00\x00\x00\x08\0P\0I\0N\0G"
        );
        let bytes = block("{\"a\":1}");
        assert_eq!(bytes[..10], *b"\x00\x00\x00\x12\x00\x00\x00\x0e\0{");
        assert_eq!(unblock(&bytes), Ok(Some((json!({"a":1}), 22))));
        assert_eq!(unblock(&bytes[..21]), Ok(None));
    }
}
