//! Sockets of the kernel: each call here is one system call that does not wait, but for [`wait_for_any`].
#![allow(unsafe_code)]

use std::{
    io::{self, IoSlice},
    net::{SocketAddr, TcpListener},
    os::fd::{AsFd, AsRawFd, OwnedFd, RawFd},
    time::Duration,
};

use socket2::{Domain, SockRef, Type};

use super::{Doorbell, Socket};

/// Connections the kernel may hold ready for us. A login storm must fit; `net.core.somaxconn` cuts it.
const BACKLOG: i32 = 65_535;

/// Kernel buffers of a relayed socket, each way (spec: vcmi-proxy 10.1).
const RELAY_BUFFER: usize = 1 << 20;

/// What the kernel takes of a connection beyond what its peer's window allows. The rest stays in the outbox, where it counts
/// against the listener's limits: without this each client that does not read could hold `tcp_wmem` of kernel memory, 4 MiB.
const UNSENT_BYTES: u32 = 256 << 10;

/// The same before a client has signed in: anybody may have many such connections.
const STRANGER_UNSENT_BYTES: u32 = 16 << 10;

/// Neither waits nor raises a signal.
pub(super) const SEND_FLAGS: i32 = libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL;

impl Socket for OwnedFd {
    type Handle = RawFd;

    fn handle(&self) -> RawFd {
        self.as_raw_fd()
    }
}

/// Reads what there is.
pub(super) fn receive(socket: &OwnedFd, buffer: &mut [u8]) -> io::Result<usize> {
    // SAFETY: the buffer is live and as long as is said.
    let count = unsafe {
        libc::recv(
            socket.as_raw_fd(),
            buffer.as_mut_ptr().cast(),
            buffer.len(),
            libc::MSG_DONTWAIT,
        )
    };
    usize::try_from(count).map_err(|_| io::Error::last_os_error())
}

/// Writes what the socket takes: one piece by `send`, several by `sendmsg`.
pub(super) fn send(socket: &OwnedFd, slices: &[IoSlice<'_>]) -> io::Result<usize> {
    let socket = SockRef::from(socket);
    match slices {
        [slice] => socket.send_with_flags(slice, SEND_FLAGS),
        _ => socket.send_vectored_with_flags(slices, SEND_FLAGS),
    }
}

/// Ends the writing side.
pub(super) fn shutdown_write(socket: &OwnedFd) {
    let _ = SockRef::from(socket).shutdown(std::net::Shutdown::Write); // already gone: nothing to end
}

/// Lets the kernel take as much as it may of a client's.
pub(super) fn trust(socket: &OwnedFd) {
    let _ = SockRef::from(socket).set_tcp_notsent_lowat(UNSENT_BYTES); // else it takes less at a time
}

/// Buffers for what the other side of a relay sends in a burst.
pub(super) fn widen(socket: &OwnedFd) {
    let socket = SockRef::from(socket);
    let _ = socket.set_send_buffer_size(RELAY_BUFFER); // the kernel cuts it to what it allows
    let _ = socket.set_recv_buffer_size(RELAY_BUFFER);
    let _ = socket.set_tcp_notsent_lowat(RELAY_BUFFER as u32);
}

/// A listening socket. What it accepts inherits its options: no delay, since every write is all that is due, and how much
/// the kernel takes, which is less if they are of `strangers`.
///
/// # Errors
/// The address can't be listened on.
pub(crate) fn listen(address: SocketAddr, strangers: bool) -> io::Result<TcpListener> {
    let protocol = Some(socket2::Protocol::TCP);
    let socket = socket2::Socket::new(Domain::for_address(address), Type::STREAM, protocol)?;
    socket.set_reuse_address(true)?;
    socket.set_keepalive(true)?;
    socket.set_tcp_nodelay(true)?;
    socket.set_tcp_notsent_lowat(if strangers {
        STRANGER_UNSENT_BYTES
    } else {
        UNSENT_BYTES
    })?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

/// Waits until the bell rings or one of the listening sockets has a connection; nothing is taken out of either. Sockets
/// that are left out are not waited for.
pub(crate) fn wait_for_any(bell: &Doorbell, listeners: &[TcpListener], longest: Option<Duration>) {
    let awaited = |fd: RawFd| libc::pollfd {
        fd,
        events: libc::POLLIN,
        revents: 0,
    };
    let mut all: Vec<libc::pollfd> = std::iter::once(bell.fd())
        .chain(
            listeners
                .iter()
                .map(|listener| listener.as_fd().as_raw_fd()),
        )
        .map(awaited)
        .collect();
    let longest = longest.map_or(-1, |time| {
        i32::try_from(time.as_millis()).unwrap_or(i32::MAX)
    });
    // SAFETY: the entries are live and as many as is said. Interrupted or not, the caller looks for itself.
    unsafe { libc::poll(all.as_mut_ptr(), all.len() as libc::nfds_t, longest) };
}
