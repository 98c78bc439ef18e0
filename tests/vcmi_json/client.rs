//! A connection to VCMI's JSON lobby: frames with a little-endian length, written from the protocol's description.

use std::{
    io::{ErrorKind, Read, Write},
    net::{Shutdown, SocketAddr, TcpStream},
    sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel},
    thread,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

/// Generous: a loaded machine must not fail a test.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// A connection, read by a thread of its own.
pub(crate) struct Client {
    stream: TcpStream,
    frames: Receiver<Vec<u8>>,
    /// It was told to end.
    pub(crate) closed: bool,
}

impl Client {
    pub(crate) fn connect(address: SocketAddr) -> Client {
        let stream = TcpStream::connect(address).expect("the server accepts");
        stream.set_nodelay(true).expect("it is a socket");
        let (sender, frames) = channel();
        let reader = stream.try_clone().expect("it is a socket");
        thread::spawn(move || read(reader, &sender));
        Client {
            stream,
            frames,
            closed: false,
        }
    }

    /// Bytes as they are.
    pub(crate) fn send_raw(&mut self, bytes: &[u8]) {
        // The server may have ended the connection: then its end is what is seen.
        let _ = self.stream.write_all(bytes);
    }

    pub(crate) fn send_frame(&mut self, payload: &[u8]) {
        self.send_raw(&framed(payload));
    }

    pub(crate) fn send(&mut self, message: &Value) {
        self.send_frame(message.to_string().as_bytes());
    }

    pub(crate) fn close(&mut self) {
        self.closed = true;
        let _ = self.stream.shutdown(Shutdown::Both);
    }

    /// The next frame, heartbeats among them; `None` at the end of the connection.
    pub(crate) fn any_frame(&mut self) -> Option<Vec<u8>> {
        match self.frames.recv_timeout(PATIENCE) {
            Ok(frame) => Some(frame),
            Err(RecvTimeoutError::Disconnected) => None,
            Err(RecvTimeoutError::Timeout) => panic!("nothing comes"),
        }
    }

    /// The next frame that is no heartbeat.
    pub(crate) fn frame(&mut self) -> Option<Vec<u8>> {
        loop {
            match self.any_frame() {
                Some(frame) if frame.is_empty() => {}
                other => return other,
            }
        }
    }

    /// The next frame that is no heartbeat, if one comes within this time.
    pub(crate) fn frame_within(&mut self, time: Duration) -> Option<Vec<u8>> {
        let until = Instant::now() + time;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            match self.frames.recv_timeout(left) {
                Ok(frame) if frame.is_empty() => {}
                Ok(frame) => return Some(frame),
                Err(_) => return None,
            }
        }
    }

    /// The next message.
    pub(crate) fn message(&mut self) -> Value {
        let frame = self.frame().expect("the connection goes on");
        serde_json::from_slice(&frame).expect("the lobby says JSON")
    }

    /// The next message of this type; others are passed over.
    pub(crate) fn until(&mut self, kind: &str) -> Value {
        loop {
            let message = self.message();
            if message["type"] == kind {
                return message;
            }
        }
    }

    /// Registers; gives account and cookie.
    pub(crate) fn register(&mut self, name: &str) -> (String, String) {
        self.send(&json!({
            "type": "clientRegister", "displayName": name, "language": "english", "version": "1.7.5"
        }));
        let made = self.message();
        assert_eq!(made["type"], "accountCreated", "{made}");
        let text = |key: &str| made[key].as_str().expect("it is there").to_owned();
        (text("accountID"), text("accountCookie"))
    }

    /// Signs in as a player, and takes what that brings.
    pub(crate) fn login(&mut self, account: &str, cookie: &str) -> Vec<Value> {
        self.send(&json!({
            "type": "clientLogin", "accountID": account, "accountCookie": cookie,
            "language": "english", "version": "1.7.5"
        }));
        let mut all = Vec::new();
        loop {
            all.push(self.message());
            let last = &all[all.len() - 1]["type"];
            if last == "matchesHistory" || last == "operationFailed" {
                return all;
            }
        }
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        self.close();
    }
}

/// A frame with this payload.
pub(crate) fn framed(payload: &[u8]) -> Vec<u8> {
    let mut out = (payload.len() as u32).to_le_bytes().to_vec();
    out.extend_from_slice(payload);
    out
}

fn read(mut stream: TcpStream, frames: &Sender<Vec<u8>>) {
    let mut head = [0; 4];
    while read_all(&mut stream, &mut head) {
        let mut payload = vec![0; u32::from_le_bytes(head) as usize];
        if !read_all(&mut stream, &mut payload) || frames.send(payload).is_err() {
            return;
        }
    }
}

fn read_all(stream: &mut TcpStream, mut into: &mut [u8]) -> bool {
    while !into.is_empty() {
        match stream.read(into) {
            Ok(0) => return false,
            Ok(count) => into = &mut into[count..],
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(_) => return false,
        }
    }
    true
}
