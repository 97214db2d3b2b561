//! Plan: an OCI document with everything decided that can be decided before the request.

mod devices;
mod early;
mod enter;
mod join;
mod mounts;
pub(crate) mod network;
mod options;
mod owned;
mod parameters;
mod process;
mod rootfs;
mod terminal;

use crate::cgroup::{Driver, Limits, OwnerGroup, Parent};
use crate::error::PlanError;
use crate::features::Features;
use crate::security::caps::CapSet;
use fastbox_sys::builder::{Builder, Label, Program, Slot};
use fastbox_sys::clone::flags;
use oci_spec::runtime::{LinuxNamespace, LinuxNamespaceType, Spec};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

pub use devices::Device;
pub(crate) use devices::STANDARD as STANDARD_DEVICES;
pub(crate) use enter::Entry;
pub use join::{JOINED_SHM, Joins};
pub use mounts::{Bind, VOLUME, has_upper};
pub(crate) use owned::{DEV_DIRECTORIES, DEV_LINKS};
pub use process::Other;
pub(crate) use process::Process;

/// Whose ids a container's are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Userns {
    /// A range of its own, in a user namespace entered after the mounts: the mount namespace stays the host's.
    Late,
    /// A range of its own, in a user namespace entered before the mounts, which are its own: for who may administer
    /// them (CAP_SYS_ADMIN).
    Early,
    /// That of a running container, whose namespaces it joins; entered after the mounts.
    Joined {
        /// The id outside that is 0 in it.
        base: u32,
    },
    /// The caller's.
    Host,
    /// An ordinary user's: a user namespace that owns the mounts, in which 0 is the user.
    Owned {
        /// How many ids it has, from 0 on: 1 where the user has no range.
        ids: u32,
    },
}

impl Userns {
    /// Whether ids inside are others than outside, in a user namespace that owns nothing but what is made for it.
    #[must_use]
    pub fn maps_ids(self) -> bool {
        matches!(self, Userns::Late | Userns::Early | Userns::Joined { .. })
    }

    /// Capabilities there are to hand on: a new user namespace has them all (user_namespaces(7)).
    fn available(self) -> CapSet {
        match self {
            Userns::Host => crate::security::caps::available(),
            Userns::Late | Userns::Early | Userns::Joined { .. } | Userns::Owned { .. } => {
                CapSet::ALL
            }
        }
    }

    /// Whether each container has a range of ids, recycled within its plan.
    #[must_use]
    pub fn own_range(self) -> bool {
        matches!(self, Userns::Late | Userns::Early)
    }
}

/// Where what the container writes goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Storage {
    /// A directory on the store's disk, never synced, removed with the container.
    Disk,
    /// Memory, at most so many bytes.
    Memory(u64),
}

/// What the document does not say.
#[derive(Clone, Debug)]
pub struct Choices {
    /// Directories of the root file system, bottom first; each has every mount point that those above lack.
    pub layers: Vec<PathBuf>,
    /// The user namespace.
    pub userns: Userns,
    /// Where writes go.
    pub storage: Storage,
    /// Sources of binds that keep the host's ids, unreadable to root inside: what the host image shows.
    pub foreign: Vec<PathBuf>,
    /// What the kernel can do.
    pub features: Features,
    /// The first process is the stub, which starts the program and waits for every process of the container.
    pub init: bool,
    /// Below which control group the container's own lie.
    pub cgroup_parent: Parent,
}

impl Choices {
    /// Where overlay takes directories by fd. Elsewhere it takes paths, which are the same for every container of a plan
    /// only below a directory of the container's own.
    fn flat_upper(&self) -> bool {
        self.features.detached_layers && !matches!(self.userns, Userns::Owned { .. })
    }
}

/// A compiled document, ready to be launched many times.
#[derive(Debug)]
pub struct Plan {
    /// Number of the plan in this process: what its tenant's kernel objects are kept under.
    pub id: u64,
    pub(crate) layers: Vec<PathBuf>,
    pub(crate) binds: Vec<Bind>,
    pub(crate) userns: Userns,
    pub(crate) storage: Storage,
    /// The upper and its work directory have no directory around them.
    pub(crate) flat_upper: bool,
    pub(crate) read_only: bool,
    pub(crate) namespaces: u64,
    /// All that its containers have that are not the caller's, but for the user namespace.
    entered: u64,
    /// One more process in a container that runs.
    entry: OnceLock<Arc<enter::Entry>>,
    /// A network namespace that the user namespace owns is made for each launch.
    pub(crate) own_network: bool,
    own_pids: bool,
    joins: Vec<Joins>,
    pub(crate) init: bool,
    pub(crate) limits: Limits,
    pub(crate) cgroup_parent: Parent,
    pub(crate) outside: Program,
    /// The child's steps up to the program.
    pub(crate) child: Program,
    /// The same up to the stub, which waits to be told what to execute.
    pub(crate) parked: Program,
    pub(crate) process: Process,
    pub(crate) hostname: Option<String>,
    /// Nodes beside those of all; where there are some in /dev it is made for each launch.
    pub(crate) devices: Vec<Device>,
    /// The program's streams are a terminal of the container's.
    pub(crate) terminal: bool,
    /// Slots that take an id inside, as decimal text of the id outside.
    pub(crate) id_texts: Vec<(Slot, u32)>,
}

/// Collects the parts while compiling.
struct Compiler<'a> {
    spec: &'a Spec,
    choices: &'a Choices,
    child: Builder,
    binds: Vec<Bind>,
    id_texts: Vec<(Slot, u32)>,
    prepared: Option<early::Prepared>,
    has_terminal: bool,
    /// Processes of another container see the child before it has executed anything.
    exposed: bool,
    unified_cgroups: bool,
    /// Version 1: the controllers of each hierarchy with limits of this container's.
    cgroup_hierarchies: Vec<Vec<&'static str>>,
    /// The host's cgroup namespace, where the container is to have it after its mounts.
    host_cgroups: Option<Slot>,
    no_cgroup_mount: bool,
    /// A directory that an empty file system hides by now.
    empty: Option<&'static str>,
}

impl Compiler<'_> {
    /// The slot with the decimal text of what `id` inside is outside.
    fn id_text(&mut self, id: u32) -> Result<Slot, PlanError> {
        if let Some((slot, _)) = self.id_texts.iter().find(|(_, known)| *known == id) {
            return Ok(*slot);
        }
        let count = self.id_texts.len();
        let slot = crate::slots::id_text(count);
        let slot = slot.ok_or(PlanError::TooMany {
            what: "different ids in mount options",
            count: count + 1,
            most: count,
        })?;
        self.id_texts.push((slot, id));
        Ok(slot)
    }
}

impl Plan {
    /// Compiles a document.
    ///
    /// # Errors
    /// The first part that cannot be carried out, by its place in the document.
    pub fn compile(
        spec: &Spec,
        choices: &Choices,
        driver: &Driver,
        group: Option<&OwnerGroup>,
    ) -> Result<Plan, PlanError> {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        let linux = spec.linux().clone().unwrap_or_default();
        let resources = linux.resources().clone().unwrap_or_default();
        let limits = Limits::compile(driver, &resources)?;
        if choices.layers.len() > crate::slots::MAX_LAYERS {
            let (count, most) = (choices.layers.len(), crate::slots::MAX_LAYERS);
            return Err(PlanError::TooMany {
                what: "layers",
                count,
                most,
            });
        }

        let mut namespaces = 0;
        let mut network = false;
        let joins = join::read(&linux, choices.userns)?;
        let own = |one: &&LinuxNamespace| one.path().is_none();
        for namespace in linux.namespaces().iter().flatten().filter(own) {
            namespaces |= match namespace.typ() {
                LinuxNamespaceType::Mount => flags::NEWNS,
                LinuxNamespaceType::Pid => flags::NEWPID,
                LinuxNamespaceType::Uts => flags::NEWUTS,
                LinuxNamespaceType::Ipc => flags::NEWIPC,
                // Only after the child has joined its groups: they are then the root it sees.
                LinuxNamespaceType::Cgroup => 0,
                LinuxNamespaceType::Network => {
                    network = true;
                    0
                }
                other => {
                    let field = format!("linux.namespaces: {other}");
                    return Err(PlanError::Unsupported {
                        field,
                        reason: "not a namespace that can be had here",
                    });
                }
            };
        }
        let own_uts = namespaces & flags::NEWUTS != 0;
        let own_pids = namespaces & flags::NEWPID != 0;
        let own_network = network && choices.userns.maps_ids();
        if network && !own_network {
            namespaces |= flags::NEWNET;
        }

        let sealed = mounts::sealed(spec);
        // Volumes lie on the upper: the root is then sealed over it.
        let has_volumes = mounts::volumes(spec).next().is_some();
        let read_only = !has_upper(spec);
        let mut compiler = Compiler {
            spec,
            choices,
            child: Builder::new(),
            binds: Vec::new(),
            id_texts: Vec::new(),
            prepared: None,
            has_terminal: false,
            exposed: joins.contains(&Joins::Pid),
            unified_cgroups: driver.kind() == crate::cgroup::Kind::V2,
            cgroup_hierarchies: driver.limited_hierarchies(&limits),
            host_cgroups: None,
            no_cgroup_mount: false,
            empty: None,
        };
        let available = choices.userns.available();
        let process = Process::read(spec, available, linux.seccomp().as_ref())?;
        compiler.only_mapped_ids(&process)?;
        let outside = compiler.outside(read_only);
        compiler.read_binds()?;
        compiler.oom_score(&process);
        compiler.enter_owned();
        compiler.join_processes(&joins);
        compiler.begin(group.map_or(0, |group| group.joins(&limits)));
        let is_cgroup = |n: &LinuxNamespace| n.typ() == LinuxNamespaceType::Cgroup;
        compiler.join_memory(&joins);
        let early = compiler.is_early();
        if !linux.namespaces().iter().flatten().any(is_cgroup) {
            compiler.see_own_groups();
        }
        if early {
            let cgroup = linux.namespaces().iter().flatten().any(is_cgroup);
            let owned = namespaces & (flags::NEWNS | flags::NEWUTS | flags::NEWIPC);
            let group = if cgroup { flags::NEWCGROUP } else { 0 };
            compiler.enter_early(own_network, owned | group)?;
            namespaces &= !owned;
        } else {
            compiler.enter_namespaces(network, own_network, linux.namespaces().iter().flatten());
        }
        compiler.enter_root(read_only);
        if has_volumes {
            compiler.volumes();
            if sealed {
                compiler.seal_root();
            }
        }
        // The network namespace is still being made when the child starts: only /sys has to wait for it.
        let waits = own_network && !early;
        compiler.mounts(network, |target| !(waits && in_sysfs(target)))?;
        compiler.hide(&linux, |path| !(waits && in_sysfs(path)))?;
        if waits {
            compiler.enter_network();
            compiler.mounts(network, in_sysfs)?;
            compiler.hide(&linux, in_sysfs)?;
        }
        let devices = devices::read(spec)?;
        if !compiler.is_owned() {
            compiler.devices_elsewhere(&devices)?;
        }
        compiler.own_parameters(&linux);
        compiler.only_made_terminal()?;
        compiler.leave_stage();
        let parked = compiler.become_process(&process, own_uts);
        Ok(Plan {
            id: NEXT.fetch_add(1, Ordering::Relaxed),
            layers: choices.layers.clone(),
            binds: compiler.binds,
            userns: choices.userns,
            storage: choices.storage,
            flat_upper: choices.flat_upper(),
            read_only,
            namespaces,
            entered: enter::namespaces(&linux),
            entry: OnceLock::new(),
            own_network,
            own_pids,
            joins,
            init: choices.init,
            limits,
            cgroup_parent: choices.cgroup_parent.clone(),
            outside,
            child: compiler.child.finish(),
            parked: parked.finish(),
            process,
            hostname: spec.hostname().clone(),
            devices,
            terminal: compiler.has_terminal,
            id_texts: compiler.id_texts,
        })
    }

    /// What each step is called: those outside the child, then the child's.
    pub fn labels(&self) -> impl Iterator<Item = &Label> {
        self.outside.labels().iter().chain(self.child.labels())
    }

    /// Directories the root is made of, bottom first: the caller opens them.
    pub fn layers(&self) -> &[PathBuf] {
        &self.layers
    }

    /// What is bound into it: the caller opens them.
    pub fn binds(&self) -> &[Bind] {
        &self.binds
    }

    /// The limits, for what could not be had.
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Arguments of the document.
    pub fn args(&self) -> &[String] {
        &self.process.args
    }

    /// Whether the container has ids of its own.
    pub fn userns(&self) -> Userns {
        self.userns
    }

    /// Whether the container's processes end with its first one: it has a pid namespace of its own.
    pub fn has_own_pids(&self) -> bool {
        self.own_pids
    }

    /// Entries of the environment.
    pub fn env(&self) -> &[String] {
        &self.process.env
    }

    /// The paths along which a program is looked for with this environment.
    pub fn candidates(program: &str, env: &[String]) -> Vec<String> {
        Process::candidates(program, env)
    }

    /// The hostname of the container of this id: the short id where the document has none.
    pub fn hostname_of<'a>(&'a self, id: &'a str) -> &'a str {
        let short = &id[..12.min(id.len())];
        self.hostname.as_deref().unwrap_or(short)
    }

    /// The id outside that is 0 inside, in a range that begins with `base` where the container has one of its own.
    pub(crate) fn outside(&self, base: u32) -> u32 {
        match self.userns {
            Userns::Joined { base } => base,
            _ => base,
        }
    }

    /// What of other containers is handed over for each start, in this order, after layers and binds.
    pub fn joins(&self) -> &[Joins] {
        &self.joins
    }

    /// User and group of the program as seen from outside, in a range that begins with `base`.
    pub(crate) fn user(&self, base: u32) -> Option<(u32, u32)> {
        let base = self.outside(base);
        let outside = (base + self.process.uid, base + self.process.gid);
        (!matches!(self.userns, Userns::Owned { .. })).then_some(outside)
    }

    /// Whether the program's streams are a terminal.
    pub fn has_terminal(&self) -> bool {
        self.terminal
    }

    /// Whether the stub executes the program: as init, and wherever somebody inside has the caller's ids.
    pub(crate) fn by_stub(&self) -> bool {
        self.init || !self.userns.own_range()
    }

    /// Whether the container writes to the disk.
    pub fn has_disk_upper(&self) -> bool {
        self.storage == Storage::Disk && !self.read_only
    }
}

impl Compiler<'_> {
    /// The child's first steps: it belongs to its groups before it does anything else.
    fn begin(&mut self, joins: usize) {
        let b = &mut self.child;
        b.label("start", "").die_with_parent().setsid().umask(0o022);
        for (index, dir) in crate::slots::CGROUP_DIRS.iter().take(joins).enumerate() {
            let fd = b.slot();
            b.label("join cgroup", format!("hierarchy {index}"));
            b.open(Some(*dir), crate::slots::CGROUP_TASKS, 1, fd);
            b.write(fd, "0").close(fd).reuse_slots(fd);
        }
    }

    /// Into the network namespace that a neighbour of the spawner thread makes. Its fd is in their table, which the
    /// child has a copy of from before.
    fn enter_network(&mut self) {
        let b = &mut self.child;
        let namespace = b.slot();
        b.label("wait for", "network namespace")
            .wait(crate::slots::NETWORK);
        b.label("enter", "network namespace")
            .open(
                Some(crate::slots::PROC),
                crate::slots::NETWORK_PATH,
                0,
                namespace,
            )
            .setns(namespace, flags::NEWNET)
            .close(namespace)
            .reuse_slots(namespace);
    }

    fn enter_namespaces<'n>(
        &mut self,
        network: bool,
        own: bool,
        mut list: impl Iterator<Item = &'n oci_spec::runtime::LinuxNamespace>,
    ) {
        if list.any(|namespace| namespace.typ() == LinuxNamespaceType::Cgroup) {
            self.child
                .label("unshare", "cgroup namespace")
                .unshare(flags::NEWCGROUP);
        }
        if network && !own {
            let last_group = match self.choices.userns {
                Userns::Owned { ids } => ids - 1,
                _ => i32::MAX as u32,
            };
            self.child.label("loopback up", "lo").loopback_up();
            network::open_to_all(&mut self.child, crate::slots::PROC, last_group);
        }
    }
}

fn in_sysfs(path: &str) -> bool {
    path == "/sys" || path.starts_with("/sys/")
}

/// The bounding set of a document as bits.
fn bounding(spec: &Spec) -> CapSet {
    let caps = spec
        .process()
        .as_ref()
        .and_then(|p| p.capabilities().clone());
    caps.and_then(|c| c.bounding().clone())
        .map_or(CapSet::EMPTY, |set| CapSet::from_oci(&set))
}
