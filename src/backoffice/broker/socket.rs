//! The socket under a connection to the broker, so that it can be closed whatever the connection is doing.
//!
//! The AMQP library ends a connection by saying so to the broker. One that reads nothing, because it is in an alarm or
//! hangs, never hears it, and the library's thread and socket stay for as long as it hangs: with each attempt to connect
//! anew one more, and once it reads again it takes from all of them. A socket that is shut down ends them at once.

use std::{
    io,
    net::{Shutdown, TcpStream},
    os::fd::AsFd,
    sync::{Arc, Mutex},
};

/// The socket of one connection, as far as there is one.
#[derive(Clone, Debug, Default)]
pub(super) struct Socket(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    /// A second descriptor of the library's socket.
    stream: Option<TcpStream>,
    closed: bool,
}

/// Closes the socket when it is dropped.
#[derive(Debug)]
pub(super) struct CloseOnDrop(pub(super) Socket);

impl Socket {
    /// There is one now.
    ///
    /// # Errors
    /// If the connection is no longer wanted, or there is no descriptor left.
    pub(super) fn opened(&self, stream: &impl AsFd) -> io::Result<()> {
        let mut state = self
            .0
            .lock()
            .expect("nothing panics while it holds this lock");
        if state.closed {
            return Err(io::ErrorKind::ConnectionAborted.into());
        }
        state.stream = Some(stream.as_fd().try_clone_to_owned()?.into());
        Ok(())
    }
}

impl Drop for CloseOnDrop {
    fn drop(&mut self) {
        let mut state = self
            .0
            .0
            .lock()
            .expect("nothing panics while it holds this lock");
        state.closed = true;
        if let Some(stream) = state.stream.take() {
            // It may have been closed by the other side.
            let _ = stream.shutdown(Shutdown::Both);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{io::Read, net::TcpListener};

    use super::*;

    fn connected() -> (TcpStream, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let ours = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        (ours, listener.accept().unwrap().0)
    }

    #[test]
    fn whoever_else_has_the_socket_it_is_closed() {
        let (library, mut peer) = connected();
        let socket = Socket::default();
        let close = CloseOnDrop(socket.clone());
        socket.opened(&library).unwrap();
        drop(close);
        assert_eq!(peer.read(&mut [0; 8]).unwrap(), 0, "the end, at once");
        drop(library);
    }

    #[test]
    fn one_that_opens_too_late_is_refused() {
        let (library, _peer) = connected();
        let socket = Socket::default();
        drop(CloseOnDrop(socket.clone()));
        let refused = socket.opened(&library).unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::ConnectionAborted);
    }
}
