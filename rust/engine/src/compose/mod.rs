//! Options and an image's config become one OCI runtime-spec document.
//!
//! [`compose`] is a pure function: what it needs of the image and of the host comes in through
//! [`ImageView`] and [`Host`]. Of what the document has no field for, [`annotation`] names the keys.

pub mod annotation;
pub(crate) mod devices;
mod environment;
mod error;
pub mod etc;
pub mod host;
mod linux;
mod metadata;
mod mounts;
mod passwd;
mod process;
mod resources;
mod seccomp;
pub mod sources;

#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};

use fastbox_container::security::caps::{self, CapSet};
use oci_spec::image::Config;
use oci_spec::runtime::{LinuxDevice, LinuxDeviceCgroup, Mount, Root, Spec};
use serde_json::{Map, Value};

use crate::options::{Checked, Network, Preset, UserNamespace, UtsMode};

pub use error::SpecError;
pub(crate) use passwd::{Identity, resolve};

/// The version of the runtime specification that the documents follow.
pub const OCI_VERSION: &str = "1.2.0";

/// An image as composing sees it.
pub struct ImageView<'a> {
    /// The `config` object of its configuration.
    pub config: Option<&'a Config>,
    /// Its health check, with the fields of Docker's format.
    pub healthcheck: Option<&'a Map<String, Value>>,
    /// Mounts that show images: the host image's directories, other images that the options mount.
    pub mounts: &'a [Mount],
    /// Which of [`etc::FILES`] can be mounted over this image's own.
    pub etc_files: &'a [&'static str],
    /// A file of the image by absolute path; `None` if it is absent or no regular file.
    pub read: &'a dyn Fn(&str) -> Option<Vec<u8>>,
}

/// Reads a file of the host: a seccomp profile named by the user.
pub type ReadHost<'a> = &'a dyn Fn(&Path) -> io::Result<Vec<u8>>;

/// What the document depends on besides options and image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Host {
    /// The caller's hostname, which `--network host` shows.
    pub hostname: String,
    /// The caller's directory, absolute: relative sources start there.
    pub directory: PathBuf,
    /// Rows and columns of the caller's terminal, for a container that gets one.
    pub terminal: Option<(u16, u16)>,
    /// CPUs that the caller may run on.
    pub cpus: u64,
    /// Processors that the machine can have, whether on or off: each has a directory to mask.
    pub processors: usize,
    /// Whether the memory controller can limit swap.
    pub swap_limit: bool,
    /// The caller's hard limit on open files.
    pub open_files: u64,
    /// Capabilities that the caller can hand on.
    pub capabilities: CapSet,
    /// The kernel's version and patch level.
    pub kernel: (u32, u32),
    /// Whether the kernel has AppArmor; asked only where a profile is wanted.
    pub apparmor: bool,
    /// The machine's device nodes that are wanted, under their paths in the container.
    pub devices: Vec<LinuxDevice>,
    /// What those that options name may be used for.
    pub device_rules: Vec<LinuxDeviceCgroup>,
    /// The block devices that options name, by their paths.
    pub block_devices: resources::BlockDevices,
}

impl Host {
    /// Asks the kernel (uname(2), sched_getaffinity(2), sysconf(3),
    /// getrlimit(2)) for all but what is given, and for what the options want besides.
    ///
    /// # Errors
    /// [`SpecError::Host`] with the call that failed; a device that is not there.
    pub fn probe(
        directory: PathBuf,
        swap_limit: bool,
        options: &Checked,
    ) -> Result<Host, SpecError> {
        let failed = |call| move |errno| SpecError::Host { call, errno };
        let names = nix::sys::utsname::uname().map_err(failed("uname"))?;
        let release = names.release().to_string_lossy();
        let mut numbers = release
            .split(|c: char| !c.is_ascii_digit())
            .map(|n| n.parse().unwrap_or(0));
        let affinity = nix::sched::sched_getaffinity(nix::unistd::Pid::from_raw(0))
            .map_err(failed("sched_getaffinity"))?;
        let configured = nix::unistd::sysconf(nix::unistd::SysconfVar::_NPROCESSORS_CONF);
        let limit = nix::sys::resource::getrlimit(nix::sys::resource::Resource::RLIMIT_NOFILE);
        let asked = devices::asked(options)?;
        let mut devices = match options.privileged {
            true => devices::all(Path::new("/dev"))?,
            false => Vec::new(),
        };
        devices.extend(asked.iter().map(|asked| asked.device.clone()));
        Ok(Host {
            hostname: names.nodename().to_string_lossy().into_owned(),
            directory,
            terminal: None,
            cpus: (0..nix::sched::CpuSet::count())
                .filter(|cpu| affinity.is_set(*cpu) == Ok(true))
                .count() as u64,
            processors: configured
                .ok()
                .flatten()
                .map_or(1, |count| count.max(1) as usize),
            swap_limit,
            open_files: limit.map_err(failed("getrlimit"))?.1,
            capabilities: caps::available(),
            kernel: (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0)),
            device_rules: devices::rules(&asked).collect(),
            devices,
            apparmor: options.apparmor().is_some() && apparmor(),
            block_devices: resources::block_devices(options)?,
        })
    }
}

/// Whether the kernel confines by AppArmor (apparmor(7)).
fn apparmor() -> bool {
    let enabled = std::fs::read("/sys/module/apparmor/parameters/enabled");
    enabled.is_ok_and(|word| word.starts_with(b"Y"))
}

/// The document for one container. `command` is what stood after the image.
///
/// The hostname is `None` where it depends on the container's id
/// ([`annotation::HOSTNAME_FROM_ID`] is set); `root.path` is the placeholder `rootfs`, because the
/// root file system is made per launch.
///
/// # Errors
/// The first thing that cannot be described, in Docker's words where Docker has some.
pub fn compose(
    options: &Checked,
    command: &[String],
    image: &ImageView,
    host: &Host,
    read_host: ReadHost,
) -> Result<Spec, SpecError> {
    let identity = passwd::resolve(
        process::user(options, image),
        &options.group_add,
        image.read,
    )?;
    let wrong = |source: caps::CapError| SpecError::Capability {
        flag: match options.cap_add.contains(&source.name) {
            true => "--cap-add",
            false => "--cap-drop",
        },
        source,
    };
    let resolved = caps::resolve(&options.cap_add, &options.cap_drop, options.privileged);
    let mut caps = resolved.map_err(wrong)?;
    if userns(options) == UserNamespace::Host {
        let missing = caps::missing(&options.cap_add, host.capabilities).map_err(wrong)?;
        if let Some(name) = missing.names().next().filter(|_| !options.privileged) {
            return Err(SpecError::CapabilityMissing { name });
        }
        caps = caps.intersection(host.capabilities);
    }
    if let Some(profile) = options.apparmor().filter(|_| !host.apparmor) {
        return Err(SpecError::NoAppArmor {
            profile: profile.to_owned(),
        });
    }
    let hostname = hostname(options, host);
    let process = process::process(
        options,
        command,
        image,
        &identity,
        &caps,
        hostname.as_deref(),
        host,
    )?;
    let mut linux = linux::linux(options, host)?;
    linux.set_seccomp(seccomp::seccomp(options, &caps, host, read_host)?);

    let mut root = Root::default();
    root.set_path(PathBuf::from("rootfs"))
        .set_readonly(Some(options.read_only));
    let mut spec = Spec::default();
    spec.set_version(OCI_VERSION.to_owned())
        .set_annotations(Some(annotations(options, image, hostname.is_none())))
        .set_hostname(hostname)
        .set_domainname(options.domainname.as_ref().map(|name| name.0.clone()))
        .set_root(Some(root))
        .set_process(Some(process))
        .set_mounts(Some(mounts::mounts(options, image, &host.directory)?))
        .set_linux(Some(linux));
    Ok(spec)
}

/// Whose ids it has: the caller's also where it shares what only they give rights over.
fn userns(options: &Checked) -> UserNamespace {
    match (options.userns, options.shares_ids()) {
        (Some(UserNamespace::Host), _) | (_, Some(_)) => UserNamespace::Host,
        (Some(UserNamespace::Auto) | None, None) => UserNamespace::Auto,
    }
}

/// The name given, the caller's with the caller's network or names, or `None`: the container's short id.
fn hostname(options: &Checked, host: &Host) -> Option<String> {
    match (&options.hostname, options.network()) {
        (Some(name), _) => Some(name.0.clone()),
        (None, Network::Host) => Some(host.hostname.clone()),
        (None, Network::None) if options.uts == Some(UtsMode::Host) => Some(host.hostname.clone()),
        (None, Network::None) => None,
    }
}

fn annotations(
    options: &Checked,
    image: &ImageView,
    hostname_from_id: bool,
) -> HashMap<String, String> {
    let mut all = metadata::annotations(options, image);
    let mut put = |key: &str, value: String| all.insert(key.to_owned(), value);
    put(annotation::USERNS, userns(options).as_str().to_owned());
    put(
        annotation::ETC,
        etc::to_generate(options, image.etc_files).join(","),
    );
    if hostname_from_id {
        put(annotation::HOSTNAME_FROM_ID, "true".to_owned());
    }
    if let Some(bytes) = options.storage_size() {
        put(annotation::STORAGE_SIZE, bytes.to_string());
    }
    if let Some(preset) = options.preset.map(Preset::as_str) {
        put(annotation::PRESET, preset.to_owned());
    }
    if let Some(parent) = options.cgroup_parent.as_ref().filter(|of| !of.0.is_top()) {
        put(annotation::CGROUP_PARENT, parent.0.as_str().to_owned());
    }
    if options.init {
        put(annotation::INIT, "true".to_owned());
    }
    if options.strict {
        put(annotation::STRICT, "true".to_owned());
    }
    all
}
