//! Memory, pids and CPU limits of an OCI document, for both versions.

use std::fs;

use oci_spec::runtime::{LinuxCpu, LinuxMemory};

use super::controller::Controller::{Cpu, Cpuset, Memory, Pids};
use super::error::CgroupError;
use super::limits::{Wish, invalid, unavailable};
use super::values;

const ONLY_V1: &str = "cgroup v2 has no such limit";

/// Below one page the kernel's limit becomes zero, and not even exec would succeed.
const SMALLEST_MEMORY: i64 = 4096;
/// `PID_MAX_LIMIT`: above it pids.max is refused.
const MOST_PIDS: i64 = 4 * 1024 * 1024;
/// Limits of cfs bandwidth, in microseconds.
const SHORTEST: u64 = 1_000;
const LONGEST_PERIOD: u64 = 1_000_000;
const DEFAULT_PERIOD: u64 = 100_000;

/// None: no limit.
fn bytes(limit: &'static str, given: Option<i64>) -> Result<Option<i64>, CgroupError> {
    match given {
        None | Some(-1 | 0) => Ok(None),
        Some(n) if n < -1 => Err(invalid(
            limit,
            &n,
            "a size cannot be negative; -1 means no limit",
        )),
        Some(n) if n < SMALLEST_MEMORY => Err(invalid(
            limit,
            &n,
            "less than one page (4096 bytes), with which nothing can run",
        )),
        some => Ok(some),
    }
}

pub(super) fn memory(wish: &mut Wish<'_>, memory: &LinuxMemory) -> Result<(), CgroupError> {
    let limit = bytes("memory.limit", memory.limit())?;
    if let Some(limit) = limit {
        wish.need(Memory, "memory.limit", &limit)?;
        let file = if wish.v2() {
            "memory.max"
        } else {
            "memory.limit_in_bytes"
        };
        wish.write(Memory, file, &limit);
    }
    swap(wish, limit, memory.swap())?;
    if let Some(reservation) = bytes("memory.reservation", memory.reservation())? {
        if limit.is_some_and(|limit| reservation > limit) {
            return Err(invalid(
                "memory.reservation",
                &reservation,
                "more than memory.limit",
            ));
        }
        wish.need(Memory, "memory.reservation", &reservation)?;
        let file = if wish.v2() {
            "memory.low"
        } else {
            "memory.soft_limit_in_bytes"
        };
        wish.write(Memory, file, &reservation);
    }
    if let Some(kernel) = memory.kernel().filter(|&kernel| kernel > 0) {
        return Err(unavailable(
            "memory.kernel",
            &kernel,
            "Linux gave this limit up; kernel memory counts towards memory.limit",
        ));
    }
    if let Some(tcp) = bytes("memory.kernelTCP", memory.kernel_tcp())? {
        if wish.v2() {
            return Err(unavailable("memory.kernelTCP", &tcp, ONLY_V1));
        }
        wish.need(Memory, "memory.kernelTCP", &tcp)?;
        wish.write(Memory, "memory.kmem.tcp.limit_in_bytes", &tcp);
    }
    if let Some(swappiness) = memory.swappiness() {
        if swappiness > 100 {
            return Err(invalid("memory.swappiness", &swappiness, "more than 100"));
        }
        if wish.v2() {
            return Err(unavailable("memory.swappiness", &swappiness, ONLY_V1));
        }
        wish.need(Memory, "memory.swappiness", &swappiness)?;
        wish.write(Memory, "memory.swappiness", &swappiness);
    }
    if memory.disable_oom_killer() == Some(true) {
        if wish.v2() {
            return Err(unavailable("memory.disableOOMKiller", &true, ONLY_V1));
        }
        wish.need(Memory, "memory.disableOOMKiller", &true)?;
        wish.write(Memory, "memory.oom_control", &1);
    }
    if memory.use_hierarchy() == Some(false) {
        return Err(unavailable(
            "memory.useHierarchy",
            &false,
            "memory is always accounted hierarchically since Linux 5.11",
        ));
    }
    Ok(())
}

/// `swap` is the OCI document's: memory and swap together.
fn swap(wish: &mut Wish<'_>, limit: Option<i64>, swap: Option<i64>) -> Result<(), CgroupError> {
    let v1_file = "memory.memsw.limit_in_bytes";
    let v2_file = "memory.swap.max";
    match (limit, swap) {
        (None, None | Some(0)) => {}
        (_, Some(-1)) => {
            // Without a limit of its own a new group has none on swap.
        }
        (None, Some(swap)) => {
            return Err(invalid(
                "memory.swap",
                &swap,
                "a swap limit needs a memory limit",
            ));
        }
        (Some(limit), None | Some(0)) if wish.v2() => wish.write_if_there(Memory, v2_file, &limit),
        (Some(limit), None | Some(0)) => {
            // Over half of what fits, doubling would overflow, and it is no limit anyway.
            if let Some(both) = limit.checked_mul(2) {
                wish.write_if_there(Memory, v1_file, &both);
            }
        }
        (Some(limit), Some(swap)) if swap < limit => {
            return Err(invalid(
                "memory.swap",
                &swap,
                "less than memory.limit (it is memory and swap together)",
            ));
        }
        (Some(limit), Some(swap)) if wish.v2() => {
            // A kernel without swap has no such file, and then none to limit.
            if swap == limit {
                wish.write_if_there(Memory, v2_file, &0);
            } else {
                wish.write(Memory, v2_file, &(swap - limit));
            }
        }
        (Some(_), Some(swap)) => wish.write(Memory, v1_file, &swap),
    }
    Ok(())
}

pub(super) fn pids(wish: &mut Wish<'_>, limit: i64) -> Result<(), CgroupError> {
    match limit {
        -1 | 0 => Ok(()),
        ..-1 => Err(invalid("pids.limit", &limit, "negative; -1 means no limit")),
        1..=MOST_PIDS => {
            wish.need(Pids, "pids.limit", &limit)?;
            wish.write(Pids, "pids.max", &limit);
            Ok(())
        }
        _ => Err(invalid(
            "pids.limit",
            &limit,
            "more than 4194304, the most Linux can have",
        )),
    }
}

pub(super) fn cpu(wish: &mut Wish<'_>, cpu: &LinuxCpu) -> Result<(), CgroupError> {
    if let Some(shares) = cpu.shares().filter(|&shares| shares != 0) {
        if !(2..=262_144).contains(&shares) {
            return Err(invalid("cpu.shares", &shares, "not from 2 to 262144"));
        }
        wish.need(Cpu, "cpu.shares", &shares)?;
        if wish.v2() {
            wish.write(Cpu, "cpu.weight", &values::weight_of_shares(shares));
        } else {
            wish.write(Cpu, "cpu.shares", &shares);
        }
    }
    bandwidth(wish, cpu)?;
    if let Some(idle) = cpu.idle() {
        if !(0..=1).contains(&idle) {
            return Err(invalid("cpu.idle", &idle, "neither 0 nor 1"));
        }
        wish.need(Cpu, "cpu.idle", &idle)?;
        wish.write(Cpu, "cpu.idle", &idle);
    }
    let realtime = [
        ("cpu.realtimeRuntime", cpu.realtime_runtime()),
        (
            "cpu.realtimePeriod",
            cpu.realtime_period().and_then(|us| i64::try_from(us).ok()),
        ),
    ];
    for (limit, value) in realtime {
        if let Some(value) = value.filter(|&value| value != 0) {
            return Err(unavailable(
                limit,
                &value,
                "realtime groups need time set aside in every group above, which fastbox does not do",
            ));
        }
    }
    Ok(())
}

fn bandwidth(wish: &mut Wish<'_>, cpu: &LinuxCpu) -> Result<(), CgroupError> {
    let period = cpu.period().filter(|&period| period != 0);
    if let Some(period) = period
        && !(SHORTEST..=LONGEST_PERIOD).contains(&period)
    {
        return Err(invalid(
            "cpu.period",
            &period,
            "not from 1000 to 1000000 µs",
        ));
    }
    let quota = match cpu.quota() {
        None | Some(-1 | 0) => None,
        Some(quota) => match u64::try_from(quota) {
            Err(_) => return Err(invalid("cpu.quota", &quota, "negative; -1 means no limit")),
            Ok(quota) if quota < SHORTEST => {
                return Err(invalid(
                    "cpu.quota",
                    &quota,
                    "less than 1000 µs, the kernel's least",
                ));
            }
            Ok(quota) => Some(quota),
        },
    };
    if let Some(value) = quota.or(period) {
        let limit = if quota.is_some() {
            "cpu.quota"
        } else {
            "cpu.period"
        };
        wish.need(Cpu, limit, &value)?;
        if wish.v2() {
            let quota = quota.map_or_else(|| "max".to_owned(), |quota| quota.to_string());
            let period = period.unwrap_or(DEFAULT_PERIOD);
            wish.write(Cpu, "cpu.max", &format!("{quota} {period}"));
        } else {
            if let Some(period) = period {
                wish.write(Cpu, "cpu.cfs_period_us", &period);
            }
            if let Some(quota) = quota {
                wish.write(Cpu, "cpu.cfs_quota_us", &quota);
            }
        }
    }
    if let Some(burst) = cpu.burst().filter(|&burst| burst != 0) {
        if quota.is_none_or(|quota| burst > quota) {
            return Err(invalid(
                "cpu.burst",
                &burst,
                "more than cpu.quota, or without one",
            ));
        }
        wish.need(Cpu, "cpu.burst", &burst)?;
        let file = if wish.v2() {
            "cpu.max.burst"
        } else {
            "cpu.cfs_burst_us"
        };
        wish.write(Cpu, file, &burst);
    }
    Ok(())
}

pub(super) fn cpuset(wish: &mut Wish<'_>, cpu: &LinuxCpu) -> Result<(), CgroupError> {
    let lists = [
        (
            "cpu.cpus",
            cpu.cpus(),
            "cpuset.cpus",
            ["cpuset.effective_cpus", "cpuset.cpus.effective"],
        ),
        (
            "cpu.mems",
            cpu.mems(),
            "cpuset.mems",
            ["cpuset.effective_mems", "cpuset.mems.effective"],
        ),
    ];
    for (limit, list, file, effective) in lists {
        let Some(list) = list.as_deref().filter(|list| !list.is_empty()) else {
            continue;
        };
        let Some(wanted) = values::ranges(list) else {
            return Err(invalid(limit, &list, "not a list such as 0-2,4"));
        };
        wish.need(Cpuset, limit, &list)?;
        // v2 would take a list of absent CPUs and then ignore it.
        let there = wish
            .driver
            .hierarchy(Cpuset)
            .map(|hierarchy| hierarchy.base.join(effective[usize::from(wish.v2())]))
            .and_then(|path| fs::read_to_string(path).ok());
        if let Some(there) = there
            && let Some(ranges) = values::ranges(there.trim())
            && !values::within(&wanted, &ranges)
        {
            return Err(unavailable(
                limit,
                &list,
                &format!("there are only {}", there.trim()),
            ));
        }
        wish.write(Cpuset, file, &list);
    }
    Ok(())
}
