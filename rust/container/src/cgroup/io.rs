//! Block device limits of an OCI document: `blkio` on v1, `io` on v2.

use oci_spec::runtime::{LinuxBlockIo, LinuxThrottleDevice};

use super::controller::Controller::Io;
use super::error::CgroupError;
use super::limits::{Wish, invalid, unavailable};

pub(super) fn block(wish: &mut Wish<'_>, block: &LinuxBlockIo) -> Result<(), CgroupError> {
    if let Some(leaf) = block.leaf_weight().filter(|&leaf| leaf != 0) {
        return Err(unavailable(
            "blockIO.leafWeight",
            &leaf,
            "it went with the CFQ scheduler in Linux 5.0",
        ));
    }
    if let Some(weight) = block.weight().filter(|&weight| weight != 0) {
        weigh(wish, "blockIO.weight", "", weight)?;
    }
    for device in block.weight_device().iter().flatten() {
        if let Some(weight) = device.weight().filter(|&weight| weight != 0) {
            let name = format!("{}:{} ", device.major(), device.minor());
            weigh(wish, "blockIO.weightDevice", &name, weight)?;
        }
    }
    let throttles = [
        (
            "blockIO.throttleReadBpsDevice",
            block.throttle_read_bps_device(),
            "read_bps",
            "rbps",
        ),
        (
            "blockIO.throttleWriteBpsDevice",
            block.throttle_write_bps_device(),
            "write_bps",
            "wbps",
        ),
        (
            "blockIO.throttleReadIOPSDevice",
            block.throttle_read_iops_device(),
            "read_iops",
            "riops",
        ),
        (
            "blockIO.throttleWriteIOPSDevice",
            block.throttle_write_iops_device(),
            "write_iops",
            "wiops",
        ),
    ];
    for (limit, devices, v1, v2) in throttles {
        for device in devices.iter().flatten() {
            throttle(wish, limit, device, v1, v2)?;
        }
    }
    Ok(())
}

/// Which of the files exists depends on the scheduler the kernel has, and the root group, which could be asked
/// ahead, has none of them.
fn weigh(
    wish: &mut Wish<'_>,
    limit: &'static str,
    device: &str,
    weight: u16,
) -> Result<(), CgroupError> {
    if !(10..=1000).contains(&weight) {
        return Err(invalid(limit, &weight, "not from 10 to 1000"));
    }
    wish.need(Io, limit, &weight)?;
    let plain = format!("{device}{weight}");
    let file = |stem: &str| match (device.is_empty(), wish.v2()) {
        (false, false) => format!("{stem}_device"),
        _ => stem.to_owned(),
    };
    let choices = if wish.v2() {
        // 10..=1000 onto 1..=10000, the ends on the ends.
        let scaled = 1 + (u32::from(weight) - 10) * 9999 / 990;
        vec![
            (file("io.bfq.weight"), plain),
            (file("io.weight"), format!("{device}{scaled}")),
        ]
    } else {
        vec![
            (file("blkio.bfq.weight"), plain.clone()),
            (file("blkio.weight"), plain),
        ]
    };
    wish.write_first(Io, choices);
    Ok(())
}

fn throttle(
    wish: &mut Wish<'_>,
    limit: &'static str,
    device: &LinuxThrottleDevice,
    v1: &str,
    v2: &str,
) -> Result<(), CgroupError> {
    let (major, minor, rate) = (device.major(), device.minor(), device.rate());
    wish.need(Io, limit, &format!("{major}:{minor} {rate}"))?;
    if wish.v2() {
        let rate = if rate == 0 {
            "max".to_owned()
        } else {
            rate.to_string()
        };
        wish.write(Io, "io.max", &format!("{major}:{minor} {v2}={rate}"));
    } else {
        wish.write(
            Io,
            &format!("blkio.throttle.{v1}_device"),
            &format!("{major}:{minor} {rate}"),
        );
    }
    Ok(())
}
