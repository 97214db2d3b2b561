//! Docker's default masked and read-only paths (moby 28 and 29).
//!
//! A masked path that does not exist is skipped, as the runtime specification asks
//! (config-linux.md, "Masked Paths").

/// Hidden: a file gets /dev/null mounted over it, a directory an empty read-only tmpfs.
///
/// See [`THERMAL_THROTTLE`] for the ones that exist once a processor.
pub const MASKED: [&str; 12] = [
    "/proc/acpi",
    "/proc/asound",
    "/proc/interrupts",
    "/proc/kcore",
    "/proc/keys",
    "/proc/latency_stats",
    "/proc/sched_debug",
    "/proc/scsi",
    "/proc/timer_list",
    "/proc/timer_stats",
    "/sys/devices/virtual/powercap",
    "/sys/firmware",
];

/// Mounted read-only over themselves.
pub const READ_ONLY: [&str; 5] = [
    "/proc/bus",
    "/proc/fs",
    "/proc/irq",
    "/proc/sys",
    "/proc/sysrq-trigger",
];

/// The parts before and after a processor's number of the directory that is masked too, for
/// every processor that has it: its counters tell what the neighbours do.
pub const THERMAL_THROTTLE: (&str, &str) = ("/sys/devices/system/cpu/cpu", "/thermal_throttle");

/// All masked paths of a machine whose possible processors have the numbers 0 to `processors` - 1.
pub fn masked(processors: usize) -> impl Iterator<Item = String> {
    let (before, after) = THERMAL_THROTTLE;
    MASKED
        .into_iter()
        .map(str::to_owned)
        .chain((0..processors).map(move |number| format!("{before}{number}{after}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_absolute_plain_and_apart() {
        let all: Vec<String> = masked(2).chain(READ_ONLY.map(str::to_owned)).collect();
        for (at, path) in all.iter().enumerate() {
            assert!(path.starts_with('/') && !path.ends_with('/') && !path.contains("//"));
            assert!(!all[..at].contains(path), "{path} twice");
        }
        assert_eq!(all[13], "/sys/devices/system/cpu/cpu1/thermal_throttle");
    }
}
