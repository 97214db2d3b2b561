//! `linux`: namespaces, devices, limits, hidden paths.

use std::collections::HashMap;

use fastbox_container::security::paths;
use oci_spec::runtime::{
    Linux, LinuxDevice, LinuxDeviceCgroup, LinuxDeviceType, LinuxNamespace, LinuxNamespaceType,
};

use super::{Host, SpecError, devices, resources};
use crate::options::{CgroupNamespace, Checked, IpcMode, Network, PidMode, SecurityOpt, UtsMode};

/// The standard nodes of the OCI specification, all mode 0666: name, major, minor.
const NODES: &[(&str, i64, i64)] = &[
    ("/dev/null", 1, 3),
    ("/dev/zero", 1, 5),
    ("/dev/full", 1, 7),
    ("/dev/random", 1, 8),
    ("/dev/urandom", 1, 9),
    ("/dev/tty", 5, 0),
];

/// Devices beyond [`NODES`] that may be opened, as in Docker: console, ptmx, every pseudo terminal,
/// and tun, whose node an image may have. Equal to the list that an owner's group already has, so
/// that a container needs none of its own.
const OPENABLE: &[(i64, Option<i64>)] = &[(5, Some(1)), (5, Some(2)), (136, None), (10, Some(200))];

pub(super) fn linux(options: &Checked, host: &Host) -> Result<Linux, SpecError> {
    let mut linux = Linux::default();
    linux
        .set_namespaces(Some(namespaces(options)))
        .set_devices(Some(nodes(host)))
        .set_resources(Some(resources::resources(
            options,
            host,
            device_list(options, host),
        )?))
        .set_sysctl(sysctls(options))
        .set_rootfs_propagation(None);
    let (masked, read_only) = hidden(options, host);
    linux
        .set_masked_paths(Some(masked))
        .set_readonly_paths(Some(read_only));
    Ok(linux)
}

/// Kernel parameters by name; of one given twice the last counts.
fn sysctls(options: &Checked) -> Option<HashMap<String, String>> {
    let pairs = options.sysctls.iter();
    let all: HashMap<_, _> = pairs
        .map(|sysctl| (sysctl.name.clone(), sysctl.value.clone()))
        .collect();
    (!all.is_empty()).then_some(all)
}

/// Masked and read-only paths: Docker's, less what is to be shown, and more as asked for.
fn hidden(options: &Checked, host: &Host) -> (Vec<String>, Vec<String>) {
    let all = options.privileged || options.security_opt.contains(&SecurityOpt::SystemPaths);
    let (mut masked, mut read_only) = match all {
        true => (Vec::new(), Vec::new()),
        false => (
            paths::masked(host.processors).collect(),
            paths::READ_ONLY.map(str::to_owned).to_vec(),
        ),
    };
    for opt in &options.security_opt {
        match opt {
            SecurityOpt::Unmask(None) => {
                masked.clear();
                read_only.clear();
            }
            SecurityOpt::Unmask(Some(shown)) => {
                masked.retain(|path| !shown.contains(path));
                read_only.retain(|path| !shown.contains(path));
            }
            SecurityOpt::Mask(more) => {
                let new = more.iter().filter(|path| !masked.contains(path)).cloned();
                let new: Vec<String> = new.collect();
                masked.extend(new);
            }
            _ => {}
        }
    }
    (masked, read_only)
}

/// New ones, but for those that are the caller's. The user namespace is not listed: it is made
/// per launch and entered late ([`USERNS`](super::annotation::USERNS)), and listing it would ask for
/// one that owns the mounts.
fn namespaces(options: &Checked) -> Vec<LinuxNamespace> {
    use LinuxNamespaceType::{Cgroup, Ipc, Mount, Network as Net, Pid, Uts};
    let of_host = |kind: &LinuxNamespaceType| match kind {
        Net => options.network() == Network::Host,
        // What is another container's is added when that is found.
        Pid => matches!(options.pid, Some(PidMode::Host | PidMode::Container(_))),
        Ipc => matches!(options.ipc, Some(IpcMode::Host | IpcMode::Container(_))),
        Uts => options.uts == Some(UtsMode::Host),
        Cgroup => options.cgroupns == Some(CgroupNamespace::Host),
        _ => false,
    };
    [Mount, Pid, Ipc, Uts, Cgroup, Net]
        .into_iter()
        .filter(|kind| !of_host(kind))
        .map(namespace)
        .collect()
}

fn namespace(kind: LinuxNamespaceType) -> LinuxNamespace {
    let mut namespace = LinuxNamespace::default();
    namespace.set_typ(kind);
    namespace
}

/// The standard nodes, then what the host has beside them.
fn nodes(host: &Host) -> Vec<LinuxDevice> {
    let standard = |device: &&LinuxDevice| {
        let path = device.path().to_str();
        !NODES.iter().any(|(name, ..)| path == Some(*name))
    };
    let more = host.devices.iter().filter(standard).cloned();
    NODES.iter().map(node).chain(more).collect()
}

fn node((path, major, minor): &(&str, i64, i64)) -> LinuxDevice {
    let mut device = LinuxDevice::default();
    device
        .set_path(path.into())
        .set_typ(LinuxDeviceType::C)
        .set_major(*major)
        .set_minor(*minor)
        .set_file_mode(Some(0o666))
        .set_uid(Some(0))
        .set_gid(Some(0));
    device
}

/// All where privileged, else nothing but making nodes, and using the standard ones and [`OPENABLE`].
fn device_list(options: &Checked, host: &Host) -> Vec<LinuxDeviceCgroup> {
    let rule = |allow, kind, major, minor, access: &str| {
        let mut rule = LinuxDeviceCgroup::default();
        rule.set_allow(allow)
            .set_typ(Some(kind))
            .set_major(major)
            .set_minor(minor)
            .set_access(Some(access.to_owned()));
        rule
    };
    if options.privileged {
        return vec![rule(true, LinuxDeviceType::A, None, None, "rwm")];
    }
    let mut rules = vec![
        rule(false, LinuxDeviceType::A, None, None, "rwm"),
        rule(true, LinuxDeviceType::C, None, None, "m"),
        rule(true, LinuxDeviceType::B, None, None, "m"),
    ];
    let nodes = NODES.iter().map(|(_, major, minor)| (*major, Some(*minor)));
    rules.extend(
        nodes
            .chain(OPENABLE.iter().copied())
            .map(|(major, minor)| rule(true, LinuxDeviceType::C, Some(major), minor, "rwm")),
    );
    rules.extend(host.device_rules.iter().cloned());
    rules.extend(devices::numbered(options));
    rules
}
