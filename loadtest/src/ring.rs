//! Whether this machine has an io_uring for the load tester, and what to do where it has none: the same words as those of
//! `muster doctor`, because the remedy is the same.

use std::io::{self, ErrorKind};

use anyhow::bail;

/// Where the kernel tells whom it forbids io_uring.
const DISABLED: &str = "/proc/sys/kernel/io_uring_disabled";

/// Tries one.
pub(crate) fn check() -> anyhow::Result<()> {
    let Err(error) = io_uring::IoUring::new(8) else {
        return Ok(());
    };
    bail!("{}", explain(&error));
}

/// Why there is none, and what helps.
pub(crate) fn explain(error: &io::Error) -> String {
    let disabled = std::fs::read_to_string(DISABLED).unwrap_or_default();
    format!(
        "no io_uring: {error}. {}",
        advice(error.kind(), disabled.trim())
    )
}

fn advice(error: ErrorKind, disabled: &str) -> &'static str {
    match (disabled, error) {
        ("2", _) => {
            "kernel.io_uring_disabled = 2 forbids it to everybody: run `sysctl kernel.io_uring_disabled=0` and keep it in \
             /etc/sysctl.d (tuning/README.md)."
        }
        ("1", ErrorKind::PermissionDenied) => {
            "kernel.io_uring_disabled = 1 allows it only to the group kernel.io_uring_group: put this user in that group, or \
             set the former to 0 (tuning/README.md)."
        }
        (_, ErrorKind::PermissionDenied) => {
            "A seccomp or security profile forbids it, as the default profiles of Docker and containerd do: add the rule in \
             tuning/seccomp.json to the container's profile (tuning/README.md)."
        }
        (_, ErrorKind::Unsupported) => {
            "The kernel has no io_uring, or a sandbox hides it (gVisor, a seccomp profile): use another kernel or runtime, or \
             tuning/seccomp.json."
        }
        (_, ErrorKind::OutOfMemory) => {
            "The limit of locked memory is too low: raise LimitMEMLOCK / `ulimit -l` (tuning/limits.conf)."
        }
        _ => "See tuning/README.md, section io_uring.",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_known_reason_has_its_remedy() {
        // EPERM, ENOSYS, ENOMEM
        for (number, disabled, words) in [
            (1, "2", "io_uring_disabled = 2"),
            (1, "1", "io_uring_group"),
            (1, "0", "seccomp.json"),
            (38, "", "no io_uring"),
            (12, "0", "ulimit -l"),
            (22, "0", "tuning/README.md"),
        ] {
            let error = io::Error::from_raw_os_error(number).kind();
            assert!(
                advice(error, disabled).contains(words),
                "{number} {disabled}"
            );
        }
        assert!(check().is_ok(), "the tests need one");
    }
}
