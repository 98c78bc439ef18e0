//! One launcher: packets with a length go out, messages that begin with `:>>` come in (spec: vcmi-proxy 2).

use std::{io, net::SocketAddr};

use anyhow::bail;
use futures_lite::{
    AsyncReadExt as _, AsyncWriteExt as _,
    io::{ReadHalf, WriteHalf, split},
};
use glommio::net::TcpStream;
use memchr::memmem;

/// What a message begins with.
const HEAD: &[u8] = b":>>";
/// A read.
const READ_BYTES: usize = 16 << 10;

/// A connection to the lobby that has signed in.
pub(super) struct Launcher {
    pub(super) reader: Reader,
    pub(super) writer: Writer,
}

/// Its receiving half.
pub(super) struct Reader {
    stream: ReadHalf<TcpStream>,
    bytes: Vec<u8>,
    ended: bool,
}

/// Its sending half.
pub(super) struct Writer(WriteHalf<TcpStream>);

impl Launcher {
    /// Connects and signs in under a name.
    pub(super) async fn sign_in(server: SocketAddr, name: &str) -> anyhow::Result<Launcher> {
        let stream = TcpStream::connect(server)
            .await
            .map_err(|error| io::Error::other(error.to_string()))?;
        stream
            .set_nodelay(true)
            .map_err(|error| io::Error::other(error.to_string()))?;
        let (read, write) = split(stream);
        let mut launcher = Launcher {
            reader: Reader {
                stream: read,
                bytes: Vec::new(),
                ended: false,
            },
            writer: Writer(write),
        };
        let greeting = format!("\x05\x04utf8<GREETINGS>{name}<VER>1.4.5");
        launcher.writer.send(&greeting).await?;
        launcher.expect("MSG:System:Here available").await?;
        Ok(launcher)
    }

    pub(super) fn split(self) -> (Reader, Writer) {
        (self.reader, self.writer)
    }

    /// Reads until a message that begins like this.
    pub(super) async fn expect(&mut self, start: &str) -> anyhow::Result<String> {
        loop {
            match self.reader.message().await? {
                Some(message) if message.starts_with(start) => return Ok(message),
                Some(message) if message.starts_with("ERROR:") => bail!("told {message}"),
                Some(_) => {}
                None => bail!("disconnected while waiting for {start}"),
            }
        }
    }
}

impl Writer {
    /// Sends one packet.
    pub(super) async fn send(&mut self, text: &str) -> io::Result<()> {
        self.0.write_all(&packet(text)).await
    }
}

/// A packet on the wire.
pub(super) fn packet(text: &str) -> Vec<u8> {
    let mut out = (text.len() as u32).to_le_bytes().to_vec();
    out.extend_from_slice(text.as_bytes());
    out
}

impl Reader {
    /// The next message without its head; `None` at the end. The last message of what has come counts as whole, as it
    /// does for real launchers: the server sends all that a command causes at once.
    pub(super) async fn message(&mut self) -> io::Result<Option<String>> {
        loop {
            if let Some(message) = self.cut() {
                return Ok(Some(message));
            }
            if self.ended {
                return Ok(None);
            }
            let mut buffer = [0; READ_BYTES];
            match self.stream.read(&mut buffer).await? {
                0 => self.ended = true,
                count => self.bytes.extend_from_slice(&buffer[..count]),
            }
        }
    }

    fn cut(&mut self) -> Option<String> {
        let inside = self.bytes.strip_prefix(HEAD)?;
        let end = HEAD.len() + memmem::find(inside, HEAD).unwrap_or(inside.len());
        let message = String::from_utf8_lossy(&self.bytes[HEAD.len()..end]).into_owned();
        self.bytes.drain(..end);
        Some(message)
    }
}
