//! What threads cost, for benchmarks: their CPU time, and a core of their own.

#![allow(dead_code, reason = "each benchmark uses a part of it")]
#![allow(
    unsafe_code,
    reason = "clocks of threads and their cores have no safe interface"
)]

use std::time::Duration;

/// CPU time of a thread of this process so far, running or not.
pub(crate) fn cpu_of(task: &str) -> Duration {
    let task: libc::pid_t = task.parse().expect("a task id");
    // clock_getcpuclockid(3): the clock of a thread is made of its id (CPUCLOCK_PERTHREAD_MASK | CPUCLOCK_SCHED).
    let clock = (!task << 3) | 6;
    let mut time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: `time` is valid for the call, which only writes to it.
    let failed = unsafe { libc::clock_gettime(clock, &mut time) };
    assert_eq!(failed, 0, "the thread exists");
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

/// Keeps the calling thread on one core.
pub(crate) fn pin_to(core: usize) {
    // SAFETY: the set is a plain bit mask, valid when zeroed, and both calls only read or write it.
    unsafe {
        let mut set: libc::cpu_set_t = std::mem::zeroed();
        libc::CPU_SET(core, &mut set);
        libc::sched_setaffinity(0, size_of::<libc::cpu_set_t>(), &set);
    }
}

/// Lets the calling thread run everywhere.
pub(crate) fn unpin() {
    // SAFETY: as above; the kernel leaves out cores that there are not.
    unsafe {
        let mut set: libc::cpu_set_t = std::mem::zeroed();
        for core in 0..libc::CPU_SETSIZE as usize {
            libc::CPU_SET(core, &mut set);
        }
        libc::sched_setaffinity(0, size_of::<libc::cpu_set_t>(), &set);
    }
}

/// What `start` makes. Threads that it starts may run where this one may then: everywhere; this one keeps to `core` after it.
pub(crate) fn start_unpinned<T>(core: usize, start: impl FnOnce() -> T) -> T {
    unpin();
    let started = start();
    pin_to(core);
    started
}

/// The calling thread.
pub(crate) fn this_task() -> String {
    let link = std::fs::read_link("/proc/thread-self").expect("procfs");
    link.file_name()
        .and_then(|name| name.to_str())
        .expect("a task id")
        .to_owned()
}

/// The thread of this process whose name begins so.
pub(crate) fn task_named(name: &str) -> String {
    let tasks = std::fs::read_dir("/proc/self/task").expect("procfs");
    let mut ids = tasks.map(|entry| {
        entry
            .expect("a task")
            .file_name()
            .to_string_lossy()
            .into_owned()
    });
    ids.find(|id| {
        std::fs::read_to_string(format!("/proc/self/task/{id}/comm"))
            .is_ok_and(|comm| comm.starts_with(name))
    })
    .expect("the shard has a thread of its own")
}
