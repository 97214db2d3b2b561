//! Limits looked at together, as Docker's daemon does.

use super::check::conflict;
use super::{IpcMode, Network, OptionError, Options, Size, SwapSize, SysctlOf};

/// The least memory limit and reservation, Docker's.
pub(super) const MEMORY_MINIMUM: u64 = 6 << 20;

/// Bounds of a period and the least quota, in microseconds, the kernel's (sched-bwc.rst).
const PERIOD: std::ops::RangeInclusive<i64> = 1_000..=1_000_000;
const LEAST_QUOTA: i64 = 1_000;

fn limit(flag: &'static str, value: impl ToString, why: impl Into<String>) -> OptionError {
    OptionError::Limit {
        flag,
        value: value.to_string(),
        why: why.into(),
    }
}

impl Options {
    /// Contradictions among limits, and between parameters and namespaces.
    pub(super) fn fitting_limits(&self) -> Result<(), OptionError> {
        self.fitting_memory()?;
        self.fitting_cpu()?;
        if let Some(weight) = self
            .blkio_weight
            .filter(|weight| *weight != 0 && !(10..=1000).contains(weight))
        {
            return Err(limit("--blkio-weight", weight, "must be from 10 to 1000"));
        }
        let network = self.network == Some(Network::Host);
        let ipc = self.ipc == Some(IpcMode::Host);
        for (shared, of, flag) in [
            (network, SysctlOf::Network, "--network host"),
            (ipc, SysctlOf::Ipc, "--ipc host"),
        ] {
            let mut theirs = self.sysctls.iter().filter(|sysctl| sysctl.of == of);
            if let Some(sysctl) = theirs.next().filter(|_| shared) {
                return Err(conflict(
                    flag,
                    &format!("--sysctl {}", sysctl.name),
                    "it would be set for the whole machine",
                ));
            }
        }
        if matches!(self.ipc, Some(IpcMode::Host | IpcMode::None)) && self.shm_size.is_some() {
            return Err(conflict(
                "--ipc host or none",
                "--shm-size",
                "the container has no /dev/shm of its own",
            ));
        }
        Ok(())
    }

    fn fitting_memory(&self) -> Result<(), OptionError> {
        let memory = self.memory.map_or(0, |size| size.0);
        if (1..MEMORY_MINIMUM).contains(&memory) {
            return Err(OptionError::MemoryTooSmall { bytes: memory });
        }
        if let Some(SwapSize(swap @ 1..)) = self.memory_swap {
            if memory == 0 {
                let why = "it limits memory and swap together, so it needs --memory as well";
                return Err(limit("--memory-swap", swap, why));
            }
            if swap.cast_unsigned() < memory {
                let why =
                    format!("less than --memory {memory}, but it limits memory and swap together");
                return Err(limit("--memory-swap", swap, why));
            }
        }
        match self.memory_reservation {
            Some(Size(bytes @ 1..MEMORY_MINIMUM)) => {
                let why = "must be at least 6m (6291456)";
                Err(limit("--memory-reservation", bytes, why))
            }
            Some(Size(bytes)) if memory != 0 && bytes > memory => {
                let why = format!("more than --memory {memory}");
                Err(limit("--memory-reservation", bytes, why))
            }
            _ => Ok(()),
        }
    }

    fn fitting_cpu(&self) -> Result<(), OptionError> {
        let given = |value: Option<i64>| value.filter(|value| *value != 0);
        let period = given(self.cpu_period.map(|us| us.0));
        let quota = given(self.cpu_quota);
        if self.cpus.is_some_and(|cpus| cpus.0 > 0) {
            for (flag, value) in [("--cpu-period", period), ("--cpu-quota", quota)] {
                if value.is_some() {
                    return Err(conflict("--cpus", flag, "--cpus sets both of these"));
                }
            }
        }
        if let Some(period) = period.filter(|period| !PERIOD.contains(period)) {
            let why = "must be from 1000 to 1000000 microseconds (1ms to 1s)";
            return Err(limit("--cpu-period", period, why));
        }
        if let Some(quota) = quota.filter(|quota| (1..LEAST_QUOTA).contains(quota)) {
            let why = "must be at least 1000 microseconds (1ms)";
            return Err(limit("--cpu-quota", quota, why));
        }
        if let Some(shares) = given(self.cpu_shares).filter(|n| !(2..=262_144).contains(n)) {
            return Err(limit("--cpu-shares", shares, "must be from 2 to 262144"));
        }
        let runtime = given(self.cpu_rt_runtime.map(|us| us.0));
        let period = given(self.cpu_rt_period.map(|us| us.0));
        match (runtime, period) {
            (Some(runtime), Some(period)) if runtime > period => {
                let why = format!("more than --cpu-rt-period {period}");
                Err(limit("--cpu-rt-runtime", runtime, why))
            }
            _ => Ok(()),
        }
    }
}
