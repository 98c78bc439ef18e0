//! Threads of shards: glommio places, pins and names them, and each shard is the main task of its executor.
//!
//! The shard itself waits in its own ring, inside that task (`ring`): glommio's reactor is not between a socket and its
//! bytes.

use std::{
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    time::Duration,
};

use glommio::{ExecutorJoinHandle, LocalExecutorBuilder, Placement};

/// A shard's thread.
#[derive(Debug)]
pub(crate) struct Thread(ExecutorJoinHandle<()>);

/// After a panic the process has this long to end in order. Then it is ended.
const LAST_CHANCE: Duration = Duration::from_secs(10);

/// Starts a thread, on one core if it is given, and runs `main` there to its end. A panic of `main` ends the process.
///
/// # Errors
/// The executor can't be set up: io_uring is forbidden, or memory may not be locked.
pub(crate) fn spawn(
    name: &str,
    cpu: Option<usize>,
    main: impl FnOnce() + Send + 'static,
) -> io::Result<Thread> {
    LocalExecutorBuilder::new(cpu.map_or(Placement::Unbound, Placement::Fixed))
        .name(name)
        .io_memory(1 << 20) // for files; nothing here uses it
        .spawn(move || async move { or_end_the_process(main) })
        .map(Thread)
        .map_err(|error| io::Error::other(error.to_string()))
}

/// Runs the main function of a thread that others rely on. It must have said that it has ended, whatever happens, so that
/// whoever watches over the process can end it in order.
pub(crate) fn or_end_the_process(main: impl FnOnce()) {
    if catch_unwind(AssertUnwindSafe(main)).is_ok() {
        return;
    }
    // Half of something was done, and clients wait on a thread that is gone.
    tracing::error!("a thread of the engine panicked outside a turn: the process ends");
    std::thread::sleep(LAST_CHANCE);
    std::process::abort();
}

impl Thread {
    /// Waits for its end.
    ///
    /// # Errors
    /// Its executor ended badly.
    pub(crate) fn join(self) -> io::Result<()> {
        let ended = self.0.join();
        ended.map_err(|error| io::Error::other(error.to_string()))
    }
}

/// Cores this process may run on.
pub(crate) fn allowed_cpus() -> Vec<usize> {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let list = status
        .lines()
        .find_map(|line| line.strip_prefix("Cpus_allowed_list:"))
        .unwrap_or_default();
    list.trim().split(',').flat_map(cpu_range).collect()
}

fn cpu_range(range: &str) -> Vec<usize> {
    let mut ends = range.splitn(2, '-').map(|end| end.trim().parse::<usize>());
    match (ends.next(), ends.next()) {
        (Some(Ok(first)), Some(Ok(last))) => (first..=last).collect(),
        (Some(Ok(only)), None) => vec![only],
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cpu_lists_are_read() {
        assert_eq!(cpu_range("0-3"), [0, 1, 2, 3]);
        assert_eq!(cpu_range("7"), [7]);
        assert_eq!(cpu_range(""), Vec::<usize>::new());
    }
}
