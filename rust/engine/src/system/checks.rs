//! What a machine can and cannot do, with the remedy for each.

use std::fs;
use std::path::Path;

use serde::Serialize;

use super::{machine, trial};
use crate::paths::Paths;
use crate::settings;
use fastbox_container::cgroup::{Controller, Driver, Kind};
use fastbox_container::features::Features;
use nix::unistd::{Uid, User};

/// One question and its answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Check {
    /// What it is about.
    pub name: &'static str,
    /// Whether it is there.
    pub ok: bool,
    /// Whether containers cannot run without it.
    pub essential: bool,
    /// What was found.
    pub found: String,
    /// What helps, where it is missing and anything helps.
    pub remedy: Option<String>,
}

const OLDEST: (u32, u32) = (5, 15);

/// Asks all questions; the last one is a container.
pub fn doctor() -> Vec<Check> {
    let mut checks = Checks(Vec::new());
    let root = Uid::effective().is_root();
    checks.kernel();
    checks.features(root);
    checks.cgroups(root);
    checks.security();
    checks.user_namespaces(root);
    if !root {
        checks.ranges();
    }
    checks.overlay();
    checks.places();
    checks.tun();
    checks.container();
    checks.0
}

struct Checks(Vec<Check>);

impl Checks {
    fn add(&mut self, name: &'static str, ok: bool, found: impl Into<String>, remedy: &str) {
        let remedy = (!ok && !remedy.is_empty()).then(|| remedy.to_owned());
        self.0.push(Check {
            name,
            ok,
            essential: false,
            found: found.into(),
            remedy,
        });
    }

    /// The last one is something that no container can do without.
    fn essential(&mut self) {
        if let Some(check) = self.0.last_mut() {
            check.essential = true;
        }
    }

    fn kernel(&mut self) {
        let release = machine::kernel();
        let enough = machine::version(&release) >= OLDEST;
        let remedy = format!("boot Linux {}.{} or later", OLDEST.0, OLDEST.1);
        self.add("kernel", enough, format!("Linux {release}"), &remedy);
        self.essential();
    }

    fn features(&mut self, root: bool) {
        let without = std::env::var("FASTBOX_WITHOUT").unwrap_or_default();
        let lacking: Vec<&str> = Features::probe().without(&without).lacking().collect();
        for what in &lacking {
            // An ordinary user has no right to ask.
            if root || !what.contains("detached layers") {
                self.add(
                    "kernel feature",
                    false,
                    format!("{what}: a slower or weaker way is taken"),
                    "boot a later kernel",
                );
            }
        }
        if lacking.is_empty() {
            self.add("kernel features", true, "all that fastbox uses", "");
        }
    }

    fn cgroups(&mut self, root: bool) {
        let driver = Driver::probe();
        let found = format!(
            "version {}: {}",
            machine::cgroup_version(&driver),
            machine::controllers(&driver).join(", ")
        );
        let remedy = match root {
            true => "mount a cgroup file system at /sys/fs/cgroup that this process may write to",
            false => {
                "have a group delegated: `systemctl edit user@.service` with `[Service] Delegate=yes`, or run as root"
            }
        };
        self.add("control groups", driver.kind() != Kind::None, found, remedy);
        for missing in driver.missing() {
            if driver.kind() != Kind::None && machine::OF_USE.contains(&missing.controller) {
                let remedy = match missing.controller {
                    Controller::Memory => {
                        "boot with cgroup_enable=memory, or enable the controller in the parent's cgroup.subtree_control"
                    }
                    _ => {
                        "enable the controller in the kernel's configuration, or in the parent's cgroup.subtree_control"
                    }
                };
                self.add("controller", false, missing.to_string(), remedy);
            }
        }
        let (found, counts) = swap_accounting(&driver);
        self.add(
            "memory and swap limits",
            counts,
            found,
            "boot with swapaccount=1; until then --memory does not limit swap",
        );
    }

    fn security(&mut self) {
        let remedy = "boot a kernel with CONFIG_SECCOMP_FILTER";
        let words = |has| {
            if has {
                "filters of system calls"
            } else {
                "none"
            }
        };
        self.add(
            "seccomp",
            machine::seccomp(),
            words(machine::seccomp()),
            remedy,
        );
        self.essential();
        let found = match machine::apparmor() {
            true => "on: containers can have a profile",
            false => "off in this kernel: nothing depends on it",
        };
        self.add("apparmor", true, found, "");
    }

    fn user_namespaces(&mut self, root: bool) {
        let most = machine::line("/proc/sys/user/max_user_namespaces");
        let there = Path::new("/proc/self/ns/user").exists();
        let closed = [
            (
                "kernel/unprivileged_userns_clone",
                "0",
                "kernel.unprivileged_userns_clone=1",
            ),
            (
                "kernel/apparmor_restrict_unprivileged_userns",
                "1",
                "kernel.apparmor_restrict_unprivileged_userns=0",
            ),
        ];
        let closed = closed.into_iter().find(|(name, value, _)| {
            !root && machine::line(&format!("/proc/sys/{name}")) == *value
        });
        let (ok, found, remedy) = match (there, most.as_str(), closed) {
            (false, ..) => (
                false,
                "none in this kernel".to_owned(),
                "boot a kernel with CONFIG_USER_NS".to_owned(),
            ),
            (_, "0", _) => (
                false,
                "user.max_user_namespaces is 0".into(),
                "root: sysctl -w user.max_user_namespaces=15000".into(),
            ),
            (_, _, Some((name, value, setting))) => (
                false,
                format!("{} is {value}", name.replace('/', ".")),
                format!("root: sysctl -w {setting}"),
            ),
            _ => (true, format!("at most {most}"), String::new()),
        };
        self.add("user namespaces", ok, found, &remedy);
        if !root {
            self.essential();
        }
    }

    /// What gives an ordinary user more than one id.
    fn ranges(&mut self) {
        let uid = Uid::effective();
        let name = User::from_uid(uid)
            .ok()
            .flatten()
            .map_or(uid.to_string(), |user| user.name);
        let has = |file: &str| {
            let text = fs::read_to_string(file).unwrap_or_default();
            text.lines().any(|line| {
                line.split(':')
                    .next()
                    .is_some_and(|who| who == name || who == uid.to_string())
            })
        };
        let both = has("/etc/subuid") && has("/etc/subgid");
        let found = match both {
            true => format!("/etc/subuid and /etc/subgid have a range for {name}"),
            false => format!(
                "no range for {name} in /etc/subuid and /etc/subgid: containers have one id"
            ),
        };
        let remedy =
            format!("root: usermod --add-subuids 100000-165535 --add-subgids 100000-165535 {name}");
        self.add("ranges of ids", both, found, &remedy);
        for name in ["newuidmap", "newgidmap"] {
            let path = machine::program(name);
            let found = path
                .as_ref()
                .map_or("not installed".into(), |path| path.display().to_string());
            self.add(name, path.is_some(), found, "install the package uidmap");
        }
    }

    fn overlay(&mut self) {
        let known = fs::read_to_string("/proc/filesystems").unwrap_or_default();
        let module = format!("/lib/modules/{}/kernel/fs/overlayfs", machine::kernel());
        let there =
            known.split_whitespace().any(|word| word == "overlay") || Path::new(&module).exists();
        let found = if there {
            "can be mounted"
        } else {
            "unknown to this kernel"
        };
        self.add("overlay", there, found, "load it: modprobe overlay");
        self.essential();
    }

    fn places(&mut self) {
        let paths = settings::get().map_err(|error| error.to_string());
        let paths =
            paths.and_then(|settings| Paths::find(settings).map_err(|error| error.to_string()));
        match paths {
            Err(error) => {
                self.add(
                    "storage",
                    false,
                    error,
                    "name other directories with --root and --run-root",
                );
                self.essential();
            }
            Ok(paths) => {
                let kind = machine::file_system(paths.root());
                let free = machine::free(paths.root());
                let found = format!(
                    "{} on {kind}, {} MB free",
                    paths.root().display(),
                    free / 1_000_000
                );
                self.add(
                    "storage",
                    free > 100_000_000,
                    found,
                    "free some space, or name another place with --root",
                );
                let kind = machine::file_system(paths.run());
                let found = format!("{} on {kind}", paths.run().display());
                let remedy = "on a disk it outlives a boot and is slower: name a place on a tmpfs with --run-root";
                self.add("run directory", kind == "tmpfs", found, remedy);
            }
        }
    }

    fn tun(&mut self) {
        let there = Path::new("/dev/net/tun").exists();
        let found = if there {
            "/dev/net/tun"
        } else {
            "no /dev/net/tun: no VPN can run in a container"
        };
        self.add("tun", there, found, "modprobe tun");
    }

    fn container(&mut self) {
        match trial::run() {
            Ok(trial) => {
                let found = format!("one ran, in {:.1} ms", trial.took.as_secs_f64() * 1000.0);
                self.add("container", true, found, "");
                self.essential();
                for note in trial.notes {
                    self.add("default", false, note, "");
                }
            }
            Err(error) => {
                self.add("container", false, error.to_string(), "");
                self.essential();
            }
        }
    }
}

/// Whether memory and swap can be limited together (cgroup-v1/memory.rst, cgroup-v2.rst).
fn swap_accounting(driver: &Driver) -> (String, bool) {
    let places = match driver.kind() {
        Kind::V2 => vec!["memory.swap.max"],
        _ => vec!["memory.memsw.limit_in_bytes"],
    };
    let groups = [
        "/sys/fs/cgroup/memory",
        "/sys/fs/cgroup/system.slice",
        "/sys/fs/cgroup/init.scope",
        "/sys/fs/cgroup/fastbox",
    ];
    let counted = groups.iter().any(|group| {
        places
            .iter()
            .any(|file| Path::new(group).join(file).exists())
    });
    let swap = machine::swap();
    match (counted, swap) {
        (true, _) => (
            format!("swap is counted; {} MB of it", swap / 1_000_000),
            true,
        ),
        (false, 0) => ("swap is not counted, and there is none".into(), true),
        (false, _) => (
            format!("swap is not counted; there are {} MB", swap / 1_000_000),
            false,
        ),
    }
}
