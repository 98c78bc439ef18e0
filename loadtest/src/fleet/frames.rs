//! Messages on a connection: their length in four bytes, then JSON. No length is believed beyond a limit, and memory is taken as
//! bytes come.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde::Serialize;
use serde::de::DeserializeOwned;

/// Largest message of somebody who has not shown the secret.
pub(super) const MOST_OF_STRANGERS: usize = 4 << 10;
/// Largest message of a worker: histograms of every latency take some hundred KiB for each thread.
pub(super) const MOST: usize = 32 << 20;

/// Writes a message at once.
pub(super) fn write(mut out: impl Write, message: &impl Serialize) -> io::Result<()> {
    let mut bytes = vec![0; 4];
    serde_json::to_writer(&mut bytes, message)?;
    let length = bytes.len() - 4;
    if length > MOST {
        return Err(io::Error::new(ErrorKind::InvalidInput, "message too long"));
    }
    bytes[..4].copy_from_slice(&(length as u32).to_be_bytes());
    out.write_all(&bytes)
}

/// Reads a message of at most so many bytes.
pub(super) fn read<T: DeserializeOwned>(mut input: impl Read, most: usize) -> io::Result<T> {
    let mut length = [0; 4];
    input.read_exact(&mut length)?;
    let length = u32::from_be_bytes(length) as usize;
    if length > most {
        let what = format!("a message of {length} bytes, of at most {most}");
        return Err(io::Error::new(ErrorKind::InvalidData, what));
    }
    let mut bytes = Vec::new();
    input.take(length as u64).read_to_end(&mut bytes)?;
    if bytes.len() < length {
        return Err(ErrorKind::UnexpectedEof.into());
    }
    Ok(serde_json::from_slice(&bytes)?)
}

/// A connection that is read from until a certain time at most, however slowly bytes come.
pub(super) struct Until<'a> {
    pub(super) stream: &'a TcpStream,
    pub(super) deadline: Instant,
}

impl Read for Until<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = self.deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(ErrorKind::TimedOut.into());
        }
        let left = left.max(Duration::from_millis(1));
        self.stream.set_read_timeout(Some(left))?;
        (&mut &*self.stream).read(buffer)
    }
}

/// A connection that several threads write whole messages to.
#[derive(Debug)]
pub(super) struct Line {
    stream: Mutex<TcpStream>,
}

impl Line {
    /// Who does not read for this long is not waited for.
    const PATIENCE: Duration = Duration::from_secs(2);

    pub(super) fn new(stream: TcpStream) -> io::Result<Line> {
        stream.set_nodelay(true)?;
        stream.set_write_timeout(Some(Line::PATIENCE))?;
        Ok(Line {
            stream: Mutex::new(stream),
        })
    }

    /// Sends a message; one that could not leave whole ends the connection, and whoever reads from it learns of that.
    pub(super) fn send(&self, message: &impl Serialize) {
        let stream = self.stream.lock().unwrap_or_else(PoisonError::into_inner);
        if write(&*stream, message).is_err() {
            let _gone_already = stream.shutdown(Shutdown::Both);
        }
    }

    /// Ends the connection.
    pub(super) fn close(&self) {
        let stream = self.stream.lock().unwrap_or_else(PoisonError::into_inner);
        let _gone_already = stream.shutdown(Shutdown::Both);
    }
}

/// What an error of a connection means to people.
pub(super) fn explain(error: &io::Error) -> String {
    match error.kind() {
        ErrorKind::WouldBlock | ErrorKind::TimedOut => "silent for too long".to_owned(),
        ErrorKind::UnexpectedEof => "the connection is gone".to_owned(),
        ErrorKind::InvalidData => format!("it talks nonsense ({error})"),
        _ => format!("the connection is gone ({error})"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let mut bytes = Vec::new();
        write(&mut bytes, &vec![1, 2, 3]).expect("it fits");
        let mut input = &bytes[..];
        assert_eq!(read::<Vec<u8>>(&mut input, 100).expect("whole"), [1, 2, 3]);
        assert!(input.is_empty());
    }

    #[test]
    fn nonsense_is_an_error_and_takes_no_memory() {
        let kind = |bytes: &[u8]| read::<Vec<u8>>(bytes, 100).expect_err("nonsense").kind();
        assert_eq!(kind(&[255, 255, 255, 255, 0]), ErrorKind::InvalidData);
        assert_eq!(kind(&[0, 0, 0, 101]), ErrorKind::InvalidData);
        assert_eq!(kind(&[0, 0, 0, 9, b'[']), ErrorKind::UnexpectedEof);
        assert_eq!(kind(&[0, 0]), ErrorKind::UnexpectedEof);
        assert_eq!(kind(&[0, 0, 0, 1, b'[']), ErrorKind::UnexpectedEof);
        assert_eq!(kind(&[0, 0, 0, 1, b'x']), ErrorKind::InvalidData);
    }
}
