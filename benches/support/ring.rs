//! An io_uring that is not glommio's, with registered sockets and a ring of provided buffers, for benchmarks.

#![allow(
    unsafe_code,
    reason = "entries of a ring refer to memory that the kernel uses"
)]

use std::{
    alloc::{Layout, alloc_zeroed, dealloc, handle_alloc_error},
    io,
    net::TcpStream,
    os::fd::{AsRawFd, RawFd},
    ptr::NonNull,
    sync::atomic::{AtomicU16, Ordering},
};

use io_uring::{IoUring, cqueue, opcode, squeue, types};

const ENTRIES: u32 = 1_024;
const COMPLETIONS: u32 = 32_768;
const BUFFERS: u16 = 512;
const BUFFER_BYTES: usize = 4_096;
const GROUP: u16 = 0;

/// What a completion belongs to: the socket, with this bit if it is a send.
const SEND: u64 = 1 << 32;

pub(crate) const SEND_FLAGS: i32 = libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL;

/// What has happened to a socket.
#[derive(Clone, Copy)]
pub(crate) struct Event {
    pub(crate) slot: usize,
    /// Bytes, or ready events, or an error below zero.
    pub(crate) result: i32,
    flags: u32,
}

impl Event {
    /// Whether more completions of the same entry will come.
    pub(crate) fn more(&self) -> bool {
        cqueue::more(self.flags)
    }
}

pub(crate) struct Ring {
    ring: IoUring,
    buffers: Buffers,
}

impl Ring {
    /// A ring for the calling thread alone, with the sockets in its file table. With `waits` it completes only while the
    /// thread is in it; otherwise whenever the thread enters the kernel.
    pub(crate) fn new(sockets: &[TcpStream], waits: bool) -> Ring {
        let mut builder = IoUring::builder();
        builder
            .setup_single_issuer()
            .setup_coop_taskrun()
            .setup_cqsize(COMPLETIONS);
        if waits {
            builder.setup_defer_taskrun();
        }
        let ring = builder.build(ENTRIES).expect("a ring, Linux 6.1 or newer");
        let fds: Vec<_> = sockets.iter().map(AsRawFd::as_raw_fd).collect();
        ring.submitter().register_files(&fds).expect("registers");
        let buffers = Buffers::new();
        buffers.register(&ring);
        Ring { ring, buffers }
    }

    /// Has `eventfd` written to whenever there is something to take.
    pub(crate) fn notify(&self, eventfd: RawFd) {
        self.ring
            .submitter()
            .register_eventfd(eventfd)
            .expect("registers");
    }

    /// Receives from a socket, over and over, into buffers of the ring.
    pub(crate) fn receive(&mut self, slot: usize) {
        let entry = opcode::RecvMulti::new(types::Fixed(slot as u32), GROUP).build();
        self.push(entry.user_data(slot as u64));
    }

    /// Tells of a socket whenever something new is to be read from it.
    pub(crate) fn poll(&mut self, slot: usize) {
        let events = (libc::POLLIN | libc::POLLRDHUP) as u32;
        let entry = opcode::PollAdd::new(types::Fixed(slot as u32), events)
            .multi(true)
            .build();
        self.push(entry.user_data(slot as u64));
    }

    fn push(&mut self, entry: squeue::Entry) {
        // SAFETY: what is pushed here refers to a registered file and, through it, to buffers that `self` keeps.
        while unsafe { self.ring.submission().push(&entry) }.is_err() {
            self.ring.submit().expect("submits");
        }
    }

    /// Hands over what was pushed, and waits for a completion.
    pub(crate) fn wait(&mut self) {
        retry(|| self.ring.submit_and_wait(1));
    }

    /// Hands over what was pushed, if anything.
    pub(crate) fn submit(&mut self) {
        if !self.ring.submission().is_empty() {
            retry(|| self.ring.submit());
        }
    }

    /// Adds the completions there are to `round`.
    pub(crate) fn take(&mut self, round: &mut Vec<Event>) {
        round.extend(self.ring.completion().map(|entry| {
            debug_assert_eq!(entry.user_data() & SEND, 0, "sends are reaped at once");
            event(&entry)
        }));
    }

    /// What a socket has sent, after which the buffer is the kernel's again.
    pub(crate) fn with_buffer(&mut self, event: Event, use_bytes: impl FnOnce(&[u8])) {
        let Some(buffer) = cqueue::buffer_select(event.flags) else {
            return; // nothing received
        };
        use_bytes(self.buffers.bytes(buffer, event.result as usize));
        self.buffers.give(buffer);
    }

    /// Sends all `answers` in as few submissions as the ring allows. Other completions that appear are added to `round`.
    /// Returns how many sends were not done when their submission returned.
    pub(crate) fn send_all<'a>(
        &mut self,
        answers: impl ExactSizeIterator<Item = (usize, &'a [u8])>,
        round: &mut Vec<Event>,
    ) -> usize {
        let (mut late, mut left) = (0, 0);
        for (slot, bytes) in answers {
            let to = types::Fixed(slot as u32);
            let entry = opcode::Send::new(to, bytes.as_ptr(), bytes.len() as u32)
                .flags(SEND_FLAGS)
                .build()
                .user_data(SEND | slot as u64);
            // SAFETY: `bytes` outlives this call, which returns only after all completions of sends have come.
            while unsafe { self.ring.submission().push(&entry) }.is_err() {
                late += self.reap(&mut left, round);
            }
            left += 1;
        }
        late + self.reap(&mut left, round)
    }

    /// Submits, and takes the completions of all sends, of which `left` are to come.
    fn reap(&mut self, left: &mut usize, round: &mut Vec<Event>) -> usize {
        retry(|| self.ring.submit());
        self.take_sends(left, round);
        let late = *left;
        while *left > 0 {
            retry(|| self.ring.submit_and_wait(1));
            self.take_sends(left, round);
        }
        late
    }

    fn take_sends(&mut self, left: &mut usize, round: &mut Vec<Event>) {
        for entry in self.ring.completion() {
            if entry.user_data() & SEND == 0 {
                round.push(event(&entry));
            } else {
                *left -= 1;
            }
        }
    }
}

fn event(entry: &cqueue::Entry) -> Event {
    Event {
        slot: entry.user_data() as usize,
        result: entry.result(),
        flags: entry.flags(),
    }
}

fn retry(mut enter: impl FnMut() -> io::Result<usize>) {
    while let Err(error) = enter() {
        assert_eq!(error.kind(), io::ErrorKind::Interrupted, "{error}");
    }
}

/// Buffers that the kernel takes from when a socket has something, and the ring by which it gets them back.
struct Buffers {
    entries: NonNull<types::BufRingEntry>,
    memory: Vec<u8>,
    tail: u16,
}

impl Buffers {
    fn new() -> Buffers {
        // SAFETY: the layout is not empty.
        let Some(entries) = NonNull::new(unsafe { alloc_zeroed(Self::layout()) }) else {
            handle_alloc_error(Self::layout())
        };
        let mut buffers = Buffers {
            entries: entries.cast(),
            memory: vec![0; usize::from(BUFFERS) * BUFFER_BYTES],
            tail: 0,
        };
        (0..BUFFERS).for_each(|buffer| buffers.give(buffer));
        buffers
    }

    /// The kernel wants whole pages.
    fn layout() -> Layout {
        let bytes = usize::from(BUFFERS) * size_of::<types::BufRingEntry>();
        Layout::from_size_align(bytes, 4_096).expect("a page is a power of two")
    }

    fn register(&self, ring: &IoUring) {
        let at = self.entries.as_ptr() as u64;
        // SAFETY: `Ring` drops its ring before the buffers, and nothing moves them.
        unsafe {
            ring.submitter()
                .register_buf_ring_with_flags(at, BUFFERS, GROUP, 0)
        }
        .expect("registers");
    }

    fn bytes(&self, buffer: u16, len: usize) -> &[u8] {
        &self.memory[usize::from(buffer) * BUFFER_BYTES..][..len]
    }

    /// The kernel may fill this buffer again.
    fn give(&mut self, buffer: u16) {
        let at = &mut self.memory[usize::from(buffer) * BUFFER_BYTES..];
        let place = usize::from(self.tail % BUFFERS);
        self.tail = self.tail.wrapping_add(1);
        // SAFETY: `place` is within the ring, whose memory only this thread writes; the kernel reads an entry only after
        // the tail has passed it. The tail lies in a part of the first entry that an entry itself does not use.
        unsafe {
            let entry = &mut *self.entries.as_ptr().add(place);
            entry.set_addr(at.as_mut_ptr() as u64);
            entry.set_len(BUFFER_BYTES as u32);
            entry.set_bid(buffer);
            let tail = types::BufRingEntry::tail(self.entries.as_ptr()).cast::<AtomicU16>();
            (*tail).store(self.tail, Ordering::Release);
        }
    }
}

impl Drop for Buffers {
    fn drop(&mut self) {
        // SAFETY: allocated in `new` with the same layout; the ring that knew of it is gone.
        unsafe { dealloc(self.entries.as_ptr().cast(), Self::layout()) }
    }
}
