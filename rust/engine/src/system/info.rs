//! Facts about this machine and what fastbox has on it.

use std::path::PathBuf;

use super::machine;
use crate::owner;
use crate::run::{EngineError, engine};
use crate::settings;
use fastbox_container::cgroup::{Driver, Missing};
use nix::unistd::Uid;

/// What `fastbox info` shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Info {
    /// fastbox's version.
    pub version: &'static str,
    /// The kernel's release.
    pub kernel: String,
    /// The distribution.
    pub operating_system: String,
    /// The processor: `x86_64` or `aarch64`.
    pub architecture: &'static str,
    /// The machine's name.
    pub hostname: String,
    /// Processors this process may use.
    pub cpus: usize,
    /// All memory, in bytes.
    pub memory_bytes: u64,
    /// Where images are.
    pub root: PathBuf,
    /// Its file system, as `ext4`.
    pub root_file_system: String,
    /// Where the state of what runs is.
    pub run_root: PathBuf,
    /// `1`, `2`, `1, with 2 beside it`, or `none` that could be used.
    pub cgroup_version: &'static str,
    /// Controllers that can limit containers.
    pub cgroup_controllers: Vec<&'static str>,
    /// Whether it is an ordinary user who asks.
    pub rootless: bool,
    /// What protects: seccomp, userns, apparmor, rootless.
    pub security: Vec<&'static str>,
    /// Images in the store.
    pub images: usize,
    /// Containers that run now, of all processes.
    pub containers_running: usize,
    /// What the kernel or the control groups lack; fallbacks are used.
    pub lacking: Vec<String>,
    /// Configuration files read.
    pub settings_files: Vec<PathBuf>,
}

/// Finds it out.
///
/// # Errors
/// Settings that make no sense, a store that cannot be opened.
pub fn info() -> Result<Info, EngineError> {
    let settings = settings::get()?;
    let engine = engine()?;
    let driver = Driver::probe();
    let rootless = !Uid::effective().is_root();
    let kernel = machine::kernel();
    let features = engine.features();
    let mut lacking: Vec<String> = features.lacking().map(str::to_owned).collect();
    // No option asks for the others.
    let of_use = |missing: &&Missing| machine::OF_USE.contains(&missing.controller);
    let missing = driver.missing().iter().filter(of_use);
    lacking.extend(missing.map(|missing| format!("cgroup {missing}")));
    let security = [
        (machine::seccomp(), "seccomp"),
        (machine::apparmor(), "apparmor"),
        (rootless || features.idmapped_layers, "userns"),
        (rootless, "rootless"),
    ];
    Ok(Info {
        version: env!("CARGO_PKG_VERSION"),
        kernel,
        operating_system: machine::operating_system(),
        architecture: std::env::consts::ARCH,
        hostname: machine::line("/proc/sys/kernel/hostname"),
        cpus: std::thread::available_parallelism().map_or(1, usize::from),
        memory_bytes: machine::memory(),
        root: engine.paths().root().to_owned(),
        root_file_system: machine::file_system(engine.paths().root()),
        run_root: engine.paths().run().to_owned(),
        cgroup_version: machine::cgroup_version(&driver),
        cgroup_controllers: machine::controllers(&driver),
        rootless,
        security: security
            .into_iter()
            .filter_map(|(has, word)| has.then_some(word))
            .collect(),
        images: engine.store().list()?.len(),
        containers_running: owner::running(engine.paths())?,
        lacking,
        settings_files: settings.files.clone(),
    })
}
