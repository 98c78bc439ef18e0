//! Writing to sockets. The only unsafe code of the project is here.
//!
//! A broadcast costs per `send`, nearly all of it in the kernel. What can be saved is the crossing: sends of one flush
//! go through a private io_uring in batches, on registered files, with `MSG_DONTWAIT`, so that each completes while it
//! is submitted and no task is woken per receiver. The ring is used synchronously and is apart from glommio's own.
#![allow(unsafe_code)]

use std::{
    io::{self, IoSlice},
    os::fd::{BorrowedFd, OwnedFd, RawFd},
};

use io_uring::{IoUring, opcode, types};
use socket2::SockRef;

/// Sends per submission. Large enough that the crossing into the kernel no longer counts; small enough that the
/// completion queue never overflows.
const BATCH: u32 = 256;

/// Most sockets registered with the ring; those above are sent to by descriptor.
const MAX_REGISTERED: u32 = 65_536;

const FLAGS: i32 = libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL;

/// One send of a batch: the slot is also the place in the ring's file table.
#[derive(Clone, Copy, Debug)]
pub(super) struct Job {
    pub(super) slot: u32,
    pub(super) fd: RawFd,
    /// Which of the batch's buffers.
    pub(super) buffer: usize,
}

/// The ring of one shard.
pub(super) struct Sender {
    ring: IoUring,
    registered: u32,
}

impl Sender {
    /// A ring of its own. Fails where io_uring is forbidden.
    pub(super) fn new() -> io::Result<Self> {
        let ring = IoUring::builder()
            .setup_single_issuer()
            .setup_coop_taskrun()
            .build(BATCH);
        // Older kernels know neither flag.
        let ring = ring.or_else(|_| IoUring::new(BATCH))?;
        let wanted = open_files_limit().min(MAX_REGISTERED);
        let registered = match ring.submitter().register_files_sparse(wanted) {
            Ok(()) => wanted,
            Err(_) => 0, // before 5.19: plain descriptors
        };
        Ok(Sender { ring, registered })
    }

    /// A socket has come into `slot`.
    pub(super) fn register(&self, slot: u32, fd: RawFd) {
        if slot < self.registered {
            // On failure the send itself reports a bad file, and that connection ends.
            let _ = self.ring.submitter().register_files_update(slot, &[fd]);
        }
    }

    /// The socket in `slot` is about to be closed. The table would keep it open.
    pub(super) fn unregister(&self, slot: u32) {
        if slot < self.registered {
            let _ = self.ring.submitter().register_files_update(slot, &[-1]);
        }
    }

    /// Carries out all `jobs`; `done(job, result)` is told bytes written or the error of each, in no certain order.
    pub(super) fn send_all(
        &mut self,
        jobs: &[Job],
        buffers: &[&[u8]],
        mut done: impl FnMut(&Job, io::Result<usize>),
    ) -> io::Result<()> {
        for batch in jobs.chunks(BATCH as usize) {
            {
                let mut queue = self.ring.submission();
                for (index, job) in batch.iter().enumerate() {
                    let buffer = buffers[job.buffer];
                    let (at, len) = (
                        buffer.as_ptr(),
                        u32::try_from(buffer.len()).unwrap_or(u32::MAX),
                    );
                    let send = if job.slot < self.registered {
                        opcode::Send::new(types::Fixed(job.slot), at, len)
                            .flags(FLAGS)
                            .build()
                    } else {
                        opcode::Send::new(types::Fd(job.fd), at, len)
                            .flags(FLAGS)
                            .build()
                    };
                    // SAFETY: `buffers` outlives this call, and every completion is reaped below before it returns,
                    // so the kernel never reads a buffer that is gone.
                    if unsafe { queue.push(&send.user_data(index as u64)) }.is_err() {
                        return Err(io::Error::other("send ring full"));
                    }
                }
            }
            let mut left = batch.len();
            while left > 0 {
                match self.ring.submit_and_wait(left) {
                    Ok(_) => {}
                    Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                    Err(e) => return Err(e),
                }
                for completion in self.ring.completion() {
                    left = left.saturating_sub(1);
                    if let Some(job) = batch.get(completion.user_data() as usize) {
                        let result = completion.result();
                        done(
                            job,
                            usize::try_from(result)
                                .map_err(|_| io::Error::from_raw_os_error(-result)),
                        );
                    }
                }
            }
        }
        Ok(())
    }
}

/// One vectored write that never blocks. `fd` must be an open socket of this shard's table.
pub(super) fn send_now(fd: RawFd, slices: &[IoSlice<'_>]) -> io::Result<usize> {
    // SAFETY: the descriptor belongs to a connection in the shard's table; a connection leaves the table before its
    // socket is closed, on this same thread.
    let socket = unsafe { BorrowedFd::borrow_raw(fd) };
    SockRef::from(&socket).send_vectored_with_flags(slices, FLAGS)
}

/// A second descriptor for the same socket, with an owner.
pub(super) fn duplicate(fd: RawFd) -> io::Result<OwnedFd> {
    // SAFETY: as in `send_now`; the caller owns the socket.
    unsafe { BorrowedFd::borrow_raw(fd) }.try_clone_to_owned()
}

/// Whether the peer has ended its side, or the connection is broken, whatever there is to read before that.
pub(super) fn has_hung_up(fd: RawFd) -> bool {
    let mut socket = libc::pollfd {
        fd,
        events: libc::POLLRDHUP,
        revents: 0,
    };
    // SAFETY: one valid entry is passed, and nothing is waited for.
    unsafe { libc::poll(&mut socket, 1, 0) > 0 }
}

/// Ends the writing side: the peer reads everything sent so far, then the end.
pub(super) fn shutdown_write(fd: RawFd) {
    // SAFETY: as in `send_now`.
    let socket = unsafe { BorrowedFd::borrow_raw(fd) };
    let _ = SockRef::from(&socket).shutdown(std::net::Shutdown::Write); // already gone: nothing to end
}

/// Options of an accepted socket: no delay, since every write is already all that is due.
pub(super) fn tune(fd: RawFd) {
    // SAFETY: as in `send_now`; the accepted socket is owned by the caller.
    let socket = unsafe { BorrowedFd::borrow_raw(fd) };
    let _ = SockRef::from(&socket).set_tcp_nodelay(true); // an optimisation; without it only slower
}

/// Kernel buffers of a relayed socket, each way (spec: vcmi-proxy 10.1).
const RELAY_BUFFER: usize = 1 << 20;

/// Options of a socket that is relayed: buffers for what the other side sends in a burst.
pub(super) fn widen(fd: RawFd) {
    // SAFETY: as in `send_now`; the caller owns the socket.
    let socket = unsafe { BorrowedFd::borrow_raw(fd) };
    let socket = SockRef::from(&socket);
    let _ = socket.set_send_buffer_size(RELAY_BUFFER); // the kernel cuts it to what it allows
    let _ = socket.set_recv_buffer_size(RELAY_BUFFER);
}

fn open_files_limit() -> u32 {
    // Where it can't be read: what a process gets at the least.
    let soft = rlimit::Resource::NOFILE
        .get()
        .map_or(1_024, |(soft, _)| soft);
    u32::try_from(soft).unwrap_or(u32::MAX)
}
