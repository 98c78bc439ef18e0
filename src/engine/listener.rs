//! Listening sockets: one per shard and address, so that the kernel spreads connections over the shards.

use std::{
    io,
    net::{SocketAddr, TcpListener},
    os::fd::{FromRawFd, IntoRawFd},
    rc::Rc,
    time::Duration,
};

use glommio::timer::sleep;
use socket2::{Domain, Socket, Type};

use super::connection::{Shell, serve};
use crate::{
    lobby::{Dialect, Protocol},
    wire::{Cidr, Format},
};

/// Connections the kernel may hold ready for us. A login storm must fit; `net.core.somaxconn` cuts it.
const BACKLOG: i32 = 65_535;

/// Pause after `accept` failed, mostly for want of descriptors: at once again would only spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// How much may wait for one client that does not read.
#[derive(Clone, Copy, Debug)]
pub struct OutboxLimits {
    /// A client with more than this waiting gets no broadcasts until it has read; then it is sent the present state.
    pub soft_bytes: usize,
    /// A client with more than this waiting that its socket did not take is dropped.
    pub hard_bytes: usize,
    /// A client that reads nothing for this long while something waits is dropped.
    pub stuck: Duration,
}

/// One address to listen on.
#[derive(Clone, Debug)]
pub struct ListenerSettings {
    /// For logs and the start-up lines.
    pub name: String,
    /// Port 0: any free one.
    pub address: SocketAddr,
    /// How its byte stream is laid out.
    pub format: Format,
    /// What is spoken there.
    pub protocol: Protocol,
    /// How much may wait for one of its clients.
    pub outbox: OutboxLimits,
    /// A PROXY header must come first (spec: faf-wire 6).
    pub proxy: bool,
    /// Peers whose forwarded-for header is believed.
    pub trusted: Vec<Cidr>,
}

/// Opens one socket per shard on the same address.
pub(super) fn bind(settings: &ListenerSettings, shards: u16) -> io::Result<Vec<TcpListener>> {
    let mut address = settings.address;
    let mut sockets = Vec::with_capacity(usize::from(shards));
    for _ in 0..shards {
        let socket = Socket::new(
            Domain::for_address(address),
            Type::STREAM,
            Some(socket2::Protocol::TCP),
        )?;
        socket.set_reuse_address(true)?;
        socket.set_reuse_port(true)?;
        socket.set_keepalive(true)?;
        socket.set_nonblocking(true)?;
        socket.bind(&address.into())?;
        socket.listen(BACKLOG)?;
        let listener = TcpListener::from(socket);
        address = listener.local_addr()?;
        sockets.push(listener);
    }
    Ok(sockets)
}

/// Accepts connections on one shard until its executor ends.
#[allow(unsafe_code)]
pub(super) async fn accept<D: Dialect>(
    shell: Rc<Shell<D>>,
    listener: TcpListener,
    settings: Rc<ListenerSettings>,
) {
    // SAFETY: the descriptor is an open listening socket whose only owner is handed over here.
    let listener = unsafe { glommio::net::TcpListener::from_raw_fd(listener.into_raw_fd()) };
    loop {
        let accepted = listener.accept().await;
        if shell.shard.borrow().ending {
            return;
        }
        match accepted.and_then(|stream| stream.peer_addr().map(|peer| (stream, peer))) {
            Ok((stream, peer)) => {
                let address = peer.ip().to_canonical();
                glommio::spawn_local(serve(shell.clone(), stream, address, settings.clone()))
                    .detach();
            }
            Err(error) => {
                shell.shard.borrow().counters.accept_errors.up();
                tracing::warn!(%error, listener = settings.name, "accept failed");
                sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}
