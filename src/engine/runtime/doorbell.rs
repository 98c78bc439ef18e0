//! Wakes a thread that waits: for a shard in its ring, for the acceptor in `poll`.
#![allow(unsafe_code)]

use std::{
    io,
    os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd},
};

/// An eventfd. Rung by anyone, heard by its owner.
#[derive(Debug)]
pub(crate) struct Doorbell(OwnedFd);

impl Doorbell {
    /// A doorbell that has not been rung.
    ///
    /// # Errors
    /// No descriptor is to be had.
    pub(crate) fn new() -> io::Result<Doorbell> {
        // SAFETY: no memory is passed; a descriptor that is not negative is new and has no other owner.
        let fd = unsafe { libc::eventfd(0, libc::EFD_CLOEXEC | libc::EFD_NONBLOCK) };
        if fd < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: as above.
        Ok(Doorbell(unsafe { OwnedFd::from_raw_fd(fd) }))
    }

    /// The same bell for somebody else.
    ///
    /// # Errors
    /// No descriptor is to be had.
    pub(crate) fn share(&self) -> io::Result<Doorbell> {
        self.0.try_clone().map(Doorbell)
    }

    /// Wakes the owner. Never blocks.
    pub(crate) fn ring(&self) {
        let one = 1u64;
        // SAFETY: eight bytes are read from a live value. The only failure is a full counter, and then it has been rung.
        unsafe { libc::write(self.0.as_raw_fd(), (&raw const one).cast(), 8) };
    }

    pub(super) fn fd(&self) -> RawFd {
        self.0.as_raw_fd()
    }
}
