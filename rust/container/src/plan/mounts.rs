//! What is mounted in the root, in the document's order, and what is hidden afterwards.

use super::options::Options;
use super::{Compiler, JOINED_SHM, Userns, terminal};
use crate::error::PlanError;
use crate::slots;
use fastbox_sys::builder::{Arg, Slot};
use fastbox_sys::program::OnError;
use fastbox_sys::steps::attr;
use oci_spec::runtime::{Linux, Mount, Spec};
use std::path::{Path, PathBuf};

/// Something of the host that is bound into the container. The caller opens it for each launch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bind {
    /// Where it is on the host.
    pub source: PathBuf,
    /// With what is mounted below it.
    pub recursive: bool,
    /// Attributes to set on the copy ([`attr`]).
    pub attributes: u64,
    /// Whether the attributes hold for what is mounted below as well.
    pub recursive_attributes: bool,
    /// How later mounts spread: `MS_PRIVATE` neither way, `MS_SLAVE` from the host; 0 as the host's own.
    pub propagation: u64,
    /// Layers of an image, the lowest first, that are merged and shown instead of the source; of the image's own files
    /// nothing is followed outside it.
    pub layers: Vec<PathBuf>,
    /// What of those layers is shown, relative to their root; empty for all.
    pub subpath: PathBuf,
    /// Shown with the container's ids: files that 0 wrote on the host are 0's inside, and the other way round.
    pub idmapped: bool,
}

impl Compiler<'_> {
    /// Mounts those whose targets are `chosen`, in the document's order.
    pub(super) fn mounts(
        &mut self,
        network: bool,
        chosen: impl Fn(&str) -> bool,
    ) -> Result<(), PlanError> {
        let mut binds = 0;
        let mut sysfs = false;
        for mount in self.spec.mounts().iter().flatten() {
            let kind = mount.typ().as_deref().unwrap_or("none");
            let options = Options::read(mount)?;
            let target = text(mount.destination());
            let index = binds;
            binds += usize::from(options.bind);
            if !chosen(&target) {
                continue;
            }
            self.child.label("mount", target.clone());
            match kind {
                _ if options.bind => self.bind(index, &options, &target),
                "proc" | "sysfs" if self.attach_prepared(kind, &target) => {
                    sysfs |= kind == "sysfs";
                }
                JOINED_SHM => {
                    self.child.attach(slots::JOIN_MOUNTS, target.as_str());
                }
                // Made with the root.
                VOLUME => {}
                "proc" => self.plain("proc", options, &target),
                // Without a network namespace of its own a container cannot mount sysfs: nothing of it is then shown.
                "sysfs" if network || self.choices.userns == Userns::Host => {
                    sysfs = true;
                    self.plain("sysfs", options, &target);
                }
                "sysfs" => {}
                // Their place is a directory of sysfs, which a volume may have taken.
                "cgroup" if target.starts_with("/sys/") && !sysfs => {}
                "mqueue" => self.plain("mqueue", options, &target),
                "devpts" => self.devpts(options, &target)?,
                "tmpfs" if target == "/dev" && self.is_owned() => self.owned_dev(),
                "tmpfs" if target == "/dev" => {
                    self.child.attach(slots::DEV, "/dev");
                }
                "tmpfs" => {
                    let source = mount.source().as_ref().map(|source| text(source));
                    self.tmpfs(options, source.as_deref(), &target)?;
                }
                "cgroup" => self.cgroup(options, &target),
                other => {
                    let field = format!("mounts: {target}: type {other}");
                    return Err(PlanError::Unsupported {
                        field,
                        reason: "not a file system that a container can have",
                    });
                }
            }
        }
        Ok(())
    }

    /// Directories of the container's own with what the image has there: on the upper, whether the root is read-only or
    /// not, and mounts, as with Docker. To be made as long as nothing lies over them and the root can be written to.
    pub(super) fn volumes(&mut self) {
        let targets: Vec<String> = volumes(self.spec)
            .map(|mount| text(mount.destination()))
            .collect();
        for target in targets {
            let (at, copy) = (self.child.slot(), self.child.slot());
            self.child
                .label("mount volume", target.clone())
                .open_target(&target, at)
                .clone_mount(Some(at), "", false, copy)
                .attach_at(copy, at)
                .close(at)
                .close(copy)
                .reuse_slots(at);
        }
    }

    /// A file system without options of its own.
    fn plain(&mut self, fs: &str, options: Options, target: &str) {
        let mount = self.child.slot();
        self.child
            .filesystem(fs, &[], options.attributes, mount)
            .attach(mount, target)
            .reuse_slots(mount);
    }

    fn devpts(&mut self, options: Options, target: &str) -> Result<(), PlanError> {
        let mut list = Vec::new();
        for (key, value) in &options.rest {
            match (key.as_str(), value.parse()) {
                // "newinstance" is what every mount of devpts is by now.
                ("newinstance", _) => {}
                ("gid" | "uid", Ok(id)) if !self.is_mapped(id) => {}
                ("gid" | "uid", Ok(id)) => list.push((key.as_str(), Arg::Slot(self.id_text(id)?))),
                _ => list.push((key.as_str(), Arg::from(value.as_str()))),
            }
        }
        let mount = self.child.slot();
        self.child
            .filesystem("devpts", &list, options.attributes, mount)
            .attach(mount, target);
        if target == terminal::PTS && terminal::wanted(self.spec) {
            self.terminal(mount);
        }
        self.child.reuse_slots(mount);
        Ok(())
    }

    /// An empty file system, owned by the container's root unless its options name other ids.
    fn tmpfs(
        &mut self,
        options: Options,
        source: Option<&str>,
        target: &str,
    ) -> Result<(), PlanError> {
        let mut list = Vec::new();
        list.extend(source.map(|source| ("source", Arg::from(source))));
        for key in ["uid", "gid"] {
            let given = options
                .rest
                .iter()
                .rev()
                .find(|(k, _)| k == key)
                .and_then(|(_, v)| v.parse().ok());
            list.push((key, Arg::Slot(self.id_text(given.unwrap_or(0))?)));
        }
        for (key, value) in options
            .rest
            .iter()
            .filter(|(k, _)| k != "uid" && k != "gid")
        {
            if !matches!(
                key.as_str(),
                "size" | "mode" | "nr_inodes" | "nr_blocks" | "huge"
            ) {
                return Err(PlanError::MountOption {
                    destination: target.into(),
                    option: key.clone(),
                    kind: "tmpfs".into(),
                });
            }
            list.push((key.as_str(), Arg::from(value.as_str())));
        }
        let mount = self.child.slot();
        let at = self.child.slot();
        self.child
            .filesystem("tmpfs", &list, options.attributes, mount);
        if options.attributes & attr::RDONLY == 0 {
            self.nested(mount, Path::new(target));
        }
        self.child
            .open_target(target, at)
            .attach_at(mount, at)
            .close(at)
            .close(mount);
        Ok(())
    }

    /// Mount points in a new tmpfs for what will lie below it.
    pub(super) fn nested(&mut self, tmpfs: Slot, at: &Path) {
        const O_CREAT: i32 = 0o100;
        for mount in self.spec.mounts().iter().flatten() {
            let Ok(below) = mount.destination().strip_prefix(at) else {
                continue;
            };
            let bind = mount.typ().as_deref() == Some("bind");
            let source = mount.source().as_ref().filter(|_| bind);
            let file = source.is_some_and(|path| path.metadata().is_ok_and(|meta| !meta.is_dir()));
            let mut paths: Vec<&Path> = below.ancestors().collect();
            // The tmpfs itself.
            paths.pop();
            for path in paths.iter().skip(file.into()).rev() {
                self.child
                    .mkdir_missing(tmpfs, &text(path), 0o755, slots::ROOT_ID);
            }
            if let Some(path) = paths.first().filter(|_| file) {
                let new = self.child.slot();
                self.child
                    .open(Some(tmpfs), text(path).as_str(), O_CREAT, new)
                    .close(new)
                    .reuse_slots(new);
            }
        }
    }

    /// What programs read their limits from. On v1 each hierarchy is a mount more, so only those are shown that have a
    /// limit; without any there is nothing to read.
    fn cgroup(&mut self, options: Options, target: &str) {
        if self.no_cgroup_mount {
            return;
        }
        if self.unified_cgroups {
            return self.plain("cgroup2", options, target);
        }
        if self.cgroup_hierarchies.is_empty() || self.is_owned() {
            return;
        }
        let top = self.child.slot();
        let list = [("mode", Arg::from("755")), ("size", Arg::from("64k"))];
        self.child
            .filesystem("tmpfs", &list, options.attributes & !attr::RDONLY, top);
        for names in self.cgroup_hierarchies.clone() {
            self.child.mkdir(top, names.join(",").as_str(), 0o755);
        }
        self.child.attach(top, target);
        for names in self.cgroup_hierarchies.clone() {
            let at = format!("{target}/{}", names.join(","));
            let flags: Vec<_> = names.iter().map(|name| (*name, Arg::from(""))).collect();
            let hierarchy = self.child.slot();
            self.child
                .label("mount", at.clone())
                .filesystem("cgroup", &flags, options.attributes, hierarchy)
                .attach(hierarchy, at.as_str())
                .reuse_slots(hierarchy);
        }
        self.child
            .mount_attributes(target, options.attributes, false, OnError::Fail)
            .reuse_slots(top);
    }

    /// Lists what is bound, in the document's order.
    pub(super) fn read_binds(&mut self) -> Result<(), PlanError> {
        for mount in self.spec.mounts().iter().flatten() {
            let options = Options::read(mount)?;
            if !options.bind {
                continue;
            }
            let image = mount.typ().as_deref() == Some(OVERLAY);
            let (options, layers, subpath) = match image {
                true => layers_of(options),
                false => (options.complete(mount)?, Vec::new(), PathBuf::new()),
            };
            if layers.len() > 1 && !self.choices.features.detached_layers {
                return Err(PlanError::Unsupported {
                    field: format!("mounts: {}", mount.destination().display()),
                    reason: "an image of several layers can be mounted from Linux 6.15 on",
                });
            }
            let index = self.binds.len();
            let all = self.choices.layers.len()
                + self
                    .binds
                    .iter()
                    .map(|bind| bind.layers.len().max(1))
                    .sum::<usize>()
                + layers.len().max(1);
            if all > MAX_OPENED {
                return Err(PlanError::TooMany {
                    what: "layers and binds together",
                    count: all,
                    most: MAX_OPENED,
                });
            }
            if index == slots::MAX_BINDS {
                return Err(PlanError::TooMany {
                    what: "binds",
                    count: index + 1,
                    most: slots::MAX_BINDS,
                });
            }
            let source = mount.source().clone().unwrap_or_default();
            // What the image itself shows of the host keeps foreign ids: root inside is not its owner.
            let idmapped =
                self.choices.userns.maps_ids() && !self.choices.foreign.contains(&source);
            self.binds.push(Bind {
                source,
                recursive: options.recursive,
                attributes: options.attributes,
                recursive_attributes: options.recursive_attributes,
                propagation: match options.propagation {
                    Some(given) if given & attr::MS_SHARED != 0 => 0,
                    Some(given) if given & attr::MS_SLAVE != 0 => attr::MS_SLAVE,
                    _ => attr::MS_PRIVATE,
                },
                layers,
                subpath,
                idmapped,
            });
        }
        Ok(())
    }

    fn bind(&mut self, index: usize, options: &Options, target: &str) {
        let at = self.child.slot();
        self.child
            .open_target(target, at)
            .attach_at(slots::bind(index), at)
            .close(at)
            .reuse_slots(at);
        if let Some(propagation) = options.propagation.filter(|p| p & attr::MS_SHARED != 0) {
            self.child
                .mount("", target, "", propagation, Arg::Value(0), OnError::Fail);
        }
    }

    /// Masked and read-only paths. They lie in file systems of this kernel, so what kind of file each is can be seen
    /// outside, and what this kernel does not have costs nothing.
    pub(super) fn hide(
        &mut self,
        linux: &Linux,
        chosen: impl Fn(&str) -> bool,
    ) -> Result<(), PlanError> {
        let paths = |list: &Option<Vec<String>>| list.clone().unwrap_or_default();
        for path in paths(linux.masked_paths()) {
            let Some(meta) = std::fs::metadata(&path).ok().filter(|_| chosen(&path)) else {
                continue;
            };
            // What a link of proc leads to is another for each process: it cannot be hidden from all.
            if std::fs::canonicalize(&path).is_ok_and(|real| real != Path::new(&path)) {
                return Err(PlanError::Unsupported {
                    field: format!("masked path {path}"),
                    reason: "a link of the kernel's; name what it leads to",
                });
            }
            self.child.label("mask", path.clone());
            if let Some(empty) = self.empty.filter(|_| meta.is_dir()) {
                self.child.mount(
                    empty,
                    &path,
                    "",
                    attr::MS_BIND,
                    Arg::Value(0),
                    OnError::IgnoreMissing,
                );
            } else if meta.is_dir() {
                let flags = attr::RDONLY | attr::NOSUID | attr::NODEV | attr::NOEXEC;
                self.child.mount(
                    "tmpfs",
                    &path,
                    "tmpfs",
                    flags,
                    "size=0k,nr_inodes=2",
                    OnError::IgnoreMissing,
                );
                self.empty = LASTING.into_iter().find(|lasting| *lasting == path);
            } else {
                self.child.mount(
                    "/dev/null",
                    &path,
                    "",
                    attr::MS_BIND,
                    Arg::Value(0),
                    OnError::IgnoreMissing,
                );
            }
        }
        for path in paths(linux.readonly_paths()) {
            if !chosen(&path) || std::fs::metadata(&path).is_err() {
                continue;
            }
            self.child.label("make read-only", path.clone());
            let flags = attr::MS_BIND | attr::MS_REC;
            self.child.mount(
                &path,
                &path,
                "",
                flags,
                Arg::Value(0),
                OnError::IgnoreMissing,
            );
            self.child
                .mount_attributes(&path, attr::RDONLY, true, OnError::IgnoreMissing);
        }
        Ok(())
    }
}

/// Directories that are there as long as the kernel runs. Once one is hidden by an empty file system, the same hides
/// others, in a third of the time; on a large machine that is one directory a processor.
const LASTING: [&str; 2] = ["/proc/acpi", "/sys/firmware"];

/// The type of a directory of the container's own, filled with what the image has there.
pub const VOLUME: &str = "volume";

/// Whether the document's root is read-only.
pub(super) fn sealed(spec: &Spec) -> bool {
    let root = spec.root().as_ref();
    root.and_then(|root| root.readonly()).unwrap_or(false)
}

/// Whether a container of this document has somewhere to write to: its root, or volumes in it.
pub fn has_upper(spec: &Spec) -> bool {
    !sealed(spec) || volumes(spec).next().is_some()
}

/// The document's volumes.
pub(super) fn volumes(spec: &Spec) -> impl Iterator<Item = &Mount> {
    let mounts = spec.mounts().iter().flatten();
    mounts.filter(|mount| mount.typ().as_deref() == Some(VOLUME))
}

/// How many can be handed over for one start beside its streams (unix(7), SCM_RIGHTS takes 253).
const MAX_OPENED: usize = 240;

/// The type of an image's files, merged.
const OVERLAY: &str = "overlay";

/// Takes `lowerdir=` (top first, as mount(8) has it, one option a layer) and `subpath=` out of the options.
fn layers_of(mut options: Options) -> (Options, Vec<PathBuf>, PathBuf) {
    let (mut layers, mut subpath) = (Vec::new(), PathBuf::new());
    for (key, value) in options.rest.drain(..) {
        match key.as_str() {
            "lowerdir" => layers.push(PathBuf::from(value)),
            _ => subpath = PathBuf::from(value),
        }
    }
    layers.reverse();
    (options, layers, subpath)
}

/// A path as the kernel takes it; documents hold UTF-8 only.
fn text(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}
