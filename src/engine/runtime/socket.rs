//! Sockets of the kernel: each call here is one system call that does not wait, but for [`wait_for_any`].
#![allow(unsafe_code)]

use std::{
    io::{self, IoSlice},
    net::{SocketAddr, TcpListener},
    os::fd::{AsFd, AsRawFd, OwnedFd, RawFd},
    time::Duration,
};

use socket2::{Domain, SockRef, TcpKeepalive, Type};

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

/// Time after which a relayed connection is ended whose peer has acknowledged nothing, or has taken nothing: the kernel does
/// not tell one from the other. A slow reader slows its writer and is waited for, as a game may think for minutes.
const RELAY_TIMEOUT: Duration = Duration::from_secs(900);

/// Buffers for what the other side of a relay sends in a burst, and patience with one that does not read.
pub(super) fn widen(socket: &OwnedFd) {
    let socket = SockRef::from(socket);
    let _ = socket.set_tcp_user_timeout(Some(RELAY_TIMEOUT)); // not to be had: it ends earlier
    let _ = socket.set_send_buffer_size(RELAY_BUFFER); // the kernel cuts it to what it allows
    let _ = socket.set_recv_buffer_size(RELAY_BUFFER);
    let _ = socket.set_tcp_notsent_lowat(RELAY_BUFFER as u32);
}

/// A listening socket. What it accepts inherits its options: no delay, since every write is all that is due; how much the
/// kernel takes, which is less if they are of `strangers`; and an end when the peer has acknowledged nothing for
/// `peer_timeout`. By itself the kernel retransmits for a quarter of an hour, and meanwhile keep-alive does not ask. Where
/// nothing waits to be acknowledged, keep-alive does, in time for that end.
///
/// # Errors
/// The address can't be listened on.
pub(crate) fn listen(
    address: SocketAddr,
    inherited: Option<&TcpListener>,
    strangers: bool,
    peer_timeout: Duration,
) -> io::Result<TcpListener> {
    let socket = match inherited {
        Some(socket) => socket2::Socket::from(socket.try_clone()?),
        None => {
            let protocol = Some(socket2::Protocol::TCP);
            let domain = Domain::for_address(address);
            let socket = socket2::Socket::new(domain, Type::STREAM, protocol)?;
            socket.set_reuse_address(true)?;
            socket
        }
    };
    let keepalive = TcpKeepalive::new()
        .with_time(peer_timeout * 2 / 3)
        .with_interval(peer_timeout / 9);
    socket.set_tcp_keepalive(&keepalive)?;
    socket.set_tcp_user_timeout(Some(peer_timeout))?;
    socket.set_tcp_nodelay(true)?;
    socket.set_tcp_notsent_lowat(if strangers {
        STRANGER_UNSENT_BYTES
    } else {
        UNSENT_BYTES
    })?;
    socket.set_nonblocking(true)?;
    if inherited.is_none() {
        socket.bind(&address.into())?;
    }
    socket.listen(BACKLOG)?; // one that was inherited listens already, perhaps for fewer
    Ok(socket.into())
}

/// Whether a call failed because the process, or the machine, can't have another descriptor.
pub(crate) fn is_out_of_descriptors(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::EMFILE | libc::ENFILE))
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

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, TcpStream};

    use super::*;

    /// A dead line is noticed because of this alone: nobody sets it on what was accepted.
    #[test]
    fn an_accepted_socket_gives_a_silent_peer_up() {
        let timeout = Duration::from_secs(90);
        let listener = listen((Ipv4Addr::LOCALHOST, 0).into(), None, false, timeout).unwrap();
        let _client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        listener.set_nonblocking(false).unwrap();
        let (accepted, _) = listener.accept().unwrap();
        let socket = SockRef::from(&accepted);
        assert_eq!(socket.tcp_user_timeout().unwrap(), Some(timeout));
        assert!(socket.keepalive().unwrap());
        assert_eq!(
            socket.tcp_keepalive_time().unwrap(),
            Duration::from_secs(60)
        );
        assert_eq!(
            socket.tcp_keepalive_interval().unwrap(),
            Duration::from_secs(10)
        );
        widen(&accepted.into());
    }
}
