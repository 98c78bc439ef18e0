//! What this process asks of the kernel for its memory.
#![allow(unsafe_code)]

/// Has memory come in small pages. The allocator asks for huge ones, and then whatever is used of two MiB holds all of them:
/// with 2,000 idle players the server had 50 MiB instead of 14. Before threads are started; where the kernel does not know
/// of it nothing changes.
pub fn use_small_pages() {
    // SAFETY: no memory is passed; it is a setting of this process.
    unsafe { libc::prctl(libc::PR_SET_THP_DISABLE, 1, 0, 0, 0) };
}
