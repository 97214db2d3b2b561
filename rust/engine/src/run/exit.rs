//! How a container ended.

use super::Timing;
use fastbox_container::cgroup::{self, Counters};
use std::sync::Arc;

/// What a container used. None: cannot be known on this machine.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// CPU time in ns.
    pub cpu_total_ns: Option<u64>,
    /// The part in user mode, in ns.
    pub cpu_user_ns: Option<u64>,
    /// The part in the kernel, in ns.
    pub cpu_system_ns: Option<u64>,
    /// The most memory in use at once, in bytes.
    pub memory_peak_bytes: Option<u64>,
    /// Whether the memory limit killed something in it.
    pub oom_killed: Option<bool>,
    /// From the start of the program to its end, in ns.
    pub wall_ns: u64,
}

impl Usage {
    /// `before` is what had been used when the program began.
    fn new(groups: cgroup::Usage, before: cgroup::Usage, wall_ns: u64) -> Usage {
        let since = |now: Option<u64>, then: Option<u64>| {
            now.map(|now| now.saturating_sub(then.unwrap_or_default()))
        };
        Usage {
            cpu_total_ns: since(groups.cpu_total_ns, before.cpu_total_ns),
            cpu_user_ns: since(groups.cpu_user_ns, before.cpu_user_ns),
            cpu_system_ns: since(groups.cpu_system_ns, before.cpu_system_ns),
            memory_peak_bytes: groups.memory_peak_bytes,
            oom_killed: groups.oom_killed,
            wall_ns,
        }
    }
}

/// A container's counters, which are read when somebody looks: that is not on the path of its end.
#[derive(Clone, Debug)]
pub struct Used {
    counters: Option<Arc<Counters>>,
    before: cgroup::Usage,
    /// But for the counters, what is known.
    known: Usage,
}

impl Used {
    /// `before` is what had been used when the program began.
    pub(super) fn new(
        counters: Option<Arc<Counters>>,
        before: cgroup::Usage,
        wall_ns: u64,
    ) -> Used {
        let known = Usage {
            wall_ns,
            ..Usage::default()
        };
        Used {
            counters,
            before,
            known,
        }
    }

    /// The numbers, which stay the same.
    #[must_use]
    pub fn usage(&self) -> Usage {
        match &self.counters {
            Some(counters) => Usage::new(counters.at_the_end(), self.before, self.known.wall_ns),
            None => self.known,
        }
    }
}

impl From<Usage> for Used {
    fn from(known: Usage) -> Used {
        Used {
            counters: None,
            before: cgroup::Usage::default(),
            known,
        }
    }
}

impl PartialEq for Used {
    fn eq(&self, other: &Used) -> bool {
        self.usage() == other.usage()
    }
}

/// The end of a container.
#[derive(Clone, Debug, PartialEq)]
pub struct Exit {
    /// The program's exit code; 128 and the signal's number when a signal ended it; 255 when it cannot be known.
    pub code: i32,
    /// The signal that ended it.
    pub signal: Option<i32>,
    /// What it used.
    pub used: Used,
    /// The steps of the start, the program's time and the reaping, if asked for.
    pub timings: Option<Vec<Timing>>,
}

impl Exit {
    /// What it used.
    #[must_use]
    pub fn usage(&self) -> Usage {
        self.used.usage()
    }
}

/// Exit code and signal out of a wait status (waitpid(2)).
pub(super) fn from_status(status: i32) -> (i32, Option<i32>) {
    match status & 0x7f {
        0 => (status >> 8 & 0xff, None),
        signal => (128 + signal, Some(signal)),
    }
}
