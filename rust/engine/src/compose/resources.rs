//! `linux.resources`: what a container may use.

use std::fs;
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::Path;

use nix::sys::stat::{major, minor};
use oci_spec::runtime::{
    LinuxBlockIo, LinuxCpu, LinuxDeviceCgroup, LinuxMemory, LinuxPids, LinuxResources,
    LinuxThrottleDeviceBuilder, LinuxWeightDeviceBuilder,
};

use super::{Host, SpecError};
use crate::options::{Checked, NanoCpus, OfDevice, Size, SwapSize};

/// The period over which CPU time is shared out, in microseconds: Docker's.
const CPU_PERIOD: u64 = 100_000;

/// The least share of a CPU, in billionths.
const CPU_MINIMUM: u64 = 10_000_000;

/// Block devices of the host by their paths.
pub type BlockDevices = Vec<(String, (i64, i64))>;

pub(super) fn resources(
    options: &Checked,
    host: &Host,
    devices: Vec<LinuxDeviceCgroup>,
) -> Result<LinuxResources, SpecError> {
    let mut resources = LinuxResources::default();
    resources.set_devices(Some(devices));
    if let Some(memory) = memory(options, host) {
        resources.set_memory(Some(memory));
    }
    if let Some(cpu) = cpu(options, host)? {
        resources.set_cpu(Some(cpu));
    }
    if let Some(limit) = options.pids_limit.filter(|limit| *limit > 0) {
        let mut pids = LinuxPids::default();
        pids.set_limit(limit);
        resources.set_pids(Some(pids));
    }
    if let Some(block) = block(options, host) {
        resources.set_block_io(Some(block));
    }
    Ok(resources)
}

fn bytes(size: Option<Size>) -> Option<i64> {
    let given = size.filter(|size| size.0 > 0);
    given.map(|size| i64::try_from(size.0).unwrap_or(i64::MAX))
}

fn memory(options: &Checked, host: &Host) -> Option<LinuxMemory> {
    let limit = bytes(options.memory);
    let swap = match (options.memory_swap, limit) {
        (Some(SwapSize(swap)), _) if swap != 0 => Some(swap),
        // Memory and swap together: Docker allows as much swap as memory; untrusted code gets none.
        (_, Some(limit)) if host.swap_limit && options.untrusted() => Some(limit),
        (_, Some(limit)) if host.swap_limit => Some(limit.saturating_mul(2)),
        _ => None,
    };
    let reservation = bytes(options.memory_reservation);
    let swappiness = options
        .memory_swappiness
        .and_then(|n| u64::try_from(n.0).ok());
    let disable = options.oom_kill_disable.then_some(true);
    if limit.is_none() && swap.is_none() && reservation.is_none() && swappiness.is_none() {
        disable?;
    }
    let mut memory = LinuxMemory::default();
    memory
        .set_limit(limit)
        .set_swap(swap)
        .set_reservation(reservation)
        .set_swappiness(swappiness)
        .set_disable_oom_killer(disable);
    Some(memory)
}

fn cpu(options: &Checked, host: &Host) -> Result<Option<LinuxCpu>, SpecError> {
    let microseconds = |given: Option<crate::options::Microseconds>| {
        given
            .and_then(|us| u64::try_from(us.0).ok())
            .filter(|us| *us > 0)
    };
    let mut cpu = LinuxCpu::default();
    if let Some(NanoCpus(billionths)) = options.cpus.filter(|cpus| cpus.0 > 0) {
        if !(CPU_MINIMUM..=host.cpus.saturating_mul(1_000_000_000)).contains(&billionths) {
            return Err(SpecError::Cpus {
                available: host.cpus,
            });
        }
        let quota = billionths / (1_000_000_000 / CPU_PERIOD);
        cpu.set_period(Some(CPU_PERIOD))
            .set_quota(i64::try_from(quota).ok());
    } else {
        cpu.set_period(microseconds(options.cpu_period))
            .set_quota(options.cpu_quota.filter(|quota| *quota > 0));
    }
    let shares = options.cpu_shares.and_then(|n| u64::try_from(n).ok());
    let list = |given: &Option<crate::options::NodeList>| {
        let list = given.as_ref().map(|list| list.0.clone());
        list.filter(|list| !list.is_empty())
    };
    cpu.set_shares(shares.filter(|shares| *shares > 0))
        .set_realtime_period(microseconds(options.cpu_rt_period))
        .set_realtime_runtime(options.cpu_rt_runtime.map(|us| us.0).filter(|us| *us > 0))
        .set_cpus(list(&options.cpuset_cpus))
        .set_mems(list(&options.cpuset_mems));
    Ok((cpu != LinuxCpu::default()).then_some(cpu))
}

fn block(options: &Checked, host: &Host) -> Option<LinuxBlockIo> {
    let number = |path: &str| {
        let found = host.block_devices.iter().find(|(known, _)| known == path);
        found.map_or((0, 0), |(_, number)| *number)
    };
    let throttle = |path: &str, rate: u64| {
        let (major, minor) = number(path);
        let device = LinuxThrottleDeviceBuilder::default();
        let device = device.major(major).minor(minor).rate(rate).build();
        device.expect("every field is set")
    };
    let weights = options.blkio_weight_device.iter().map(|of| {
        let (major, minor) = number(&of.path);
        let device = LinuxWeightDeviceBuilder::default();
        let device = device.major(major).minor(minor).weight(of.value.0).build();
        device.expect("every field that must be is set")
    });
    let bytes = |list: &[OfDevice<Size>]| {
        let all = list.iter().map(|of| throttle(&of.path, of.value.0));
        some(all.collect())
    };
    let operations = |list: &[OfDevice<crate::options::Operations>]| {
        let all = list.iter().map(|of| throttle(&of.path, of.value.0));
        some(all.collect())
    };
    let mut block = LinuxBlockIo::default();
    let weight = options.blkio_weight.and_then(|n| u16::try_from(n).ok());
    block
        .set_weight(weight.filter(|weight| *weight > 0))
        .set_weight_device(some(weights.collect()))
        .set_throttle_read_bps_device(bytes(&options.device_read_bps))
        .set_throttle_write_bps_device(bytes(&options.device_write_bps))
        .set_throttle_read_iops_device(operations(&options.device_read_iops))
        .set_throttle_write_iops_device(operations(&options.device_write_iops));
    (block != LinuxBlockIo::default()).then_some(block)
}

fn some<T>(list: Vec<T>) -> Option<Vec<T>> {
    (!list.is_empty()).then_some(list)
}

/// The numbers of the block devices that options name.
///
/// # Errors
/// [`SpecError::BlockDevice`]: there is none of that path.
pub(super) fn block_devices(options: &Checked) -> Result<BlockDevices, SpecError> {
    let paths = |list: &[OfDevice<Size>]| list.iter().map(|of| of.path.clone()).collect();
    let mut all: Vec<String> = paths(&options.device_read_bps);
    all.extend(paths(&options.device_write_bps));
    let operations = [&options.device_read_iops, &options.device_write_iops];
    all.extend(operations.into_iter().flatten().map(|of| of.path.clone()));
    all.extend(options.blkio_weight_device.iter().map(|of| of.path.clone()));
    all.into_iter()
        .map(|path| match block_device(Path::new(&path)) {
            Ok(number) => Ok((path, number)),
            Err(source) => Err(SpecError::BlockDevice { path, source }),
        })
        .collect()
}

fn block_device(path: &Path) -> io::Result<(i64, i64)> {
    let meta = fs::metadata(path)?;
    if !meta.file_type().is_block_device() {
        return Err(io::Error::from_raw_os_error(nix::libc::ENOTBLK));
    }
    let number = meta.rdev();
    Ok((major(number).cast_signed(), minor(number).cast_signed()))
}
