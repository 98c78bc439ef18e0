//! What this process takes of the machine, looked up when somebody asks: under the names that Prometheus' own client libraries
//! use, so that ready-made dashboards find them.

use std::{collections::BTreeMap, time::Duration};

use metrics::{Gauge, LabelledReadSeconds, ReadSeconds, Source, Visit};
use procfs::{
    WithCurrentSystemInfo,
    process::{LimitValue, Process as Entry},
};

/// Most shards: as many as a name of one has room for.
const SHARDS: usize = 256;
/// What a shard's thread is called, before its number.
const SHARD: &str = "shard-";

metrics::metrics! {
    /// As the kernel counts.
    pub(super) struct Usage {
        /// CPU time of the process, user and system.
        cpu: ReadSeconds = Sum "process_cpu_seconds_total";
        /// CPU time of each shard's thread, user and system: how much more of it each second has is the shard's load.
        shard_cpu: LabelledReadSeconds(SHARDS) = Sum "muster_shard_cpu_seconds_total" { shard };
        /// Memory of the process that is in use, in bytes.
        resident: Gauge = Sum "process_resident_memory_bytes";
        /// Address space of the process, in bytes.
        virtual_memory: Gauge = Sum "process_virtual_memory_bytes";
        /// Descriptors that the process has open.
        open_fds: Gauge = Sum "process_open_fds";
        /// Descriptors that the process may have open.
        max_fds: Gauge = Sum "process_max_fds";
        /// Threads of the process, as the system counts them.
        threads: Gauge = Sum "process_threads";
        /// When the process started, in seconds since 1970.
        started: Gauge = Sum "process_start_time_seconds";
    }
}

/// This process.
#[derive(Debug, Default)]
pub(super) struct Process {
    usage: Usage,
}

impl Process {
    /// Looks everything up anew. What can't be read stays as it was.
    fn look(&self) -> procfs::ProcResult<()> {
        let entry = Entry::myself()?;
        let stat = entry.stat()?;
        let ticks = procfs::ticks_per_second() as f64;
        let usage = &self.usage;
        usage.cpu.set((stat.utime + stat.stime) as f64 / ticks);
        usage.resident.set(stat.rss_bytes().get() as f64);
        usage.virtual_memory.set(stat.vsize as f64);
        usage.threads.set(stat.num_threads as f64);
        usage.open_fds.set(entry.fd_count()? as f64);
        if let LimitValue::Value(most) = entry.limits()?.max_open_files.soft_limit {
            usage.max_fds.set(most as f64);
        }
        let booted = procfs::boot_time_secs()? as f64;
        usage.started.set(booted + stat.starttime as f64 / ticks);
        // A shard has helpers of the same name.
        let mut shards: BTreeMap<String, f64> = BTreeMap::new();
        for task in entry.tasks()?.flatten() {
            // A thread that has just ended can't be read.
            let Ok(stat) = task.stat() else { continue };
            let Some(rest) = stat.comm.strip_prefix(SHARD) else {
                continue;
            };
            // The executor has put a number of its own behind the name.
            let shard = rest.split('-').next().unwrap_or(rest);
            // To the nanosecond, where the kernel counts so.
            let exact = task.schedstat().ok();
            let exact = exact.map(|taken| Duration::from_nanos(taken.sum_exec_runtime));
            let coarse = (stat.utime + stat.stime) as f64 / ticks;
            let taken = exact.map_or(coarse, |exact| exact.as_secs_f64());
            *shards.entry(shard.to_owned()).or_default() += taken;
        }
        for (shard, taken) in shards {
            usage.shard_cpu.of(&[&shard]).set(taken);
        }
        Ok(())
    }
}

impl Source for Process {
    fn each(&self, visit: &mut Visit<'_>) {
        if let Err(error) = self.look() {
            tracing::debug!(%error, "what the process takes can't be read");
        }
        self.usage.each(visit);
    }
}
