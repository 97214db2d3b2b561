//! The topmost layer of a plan: mount points that the image lacks, and the files of /etc that are the engine's.
//!
//! Images do not change, so where each path of the container leads is settled here, once, and no start follows a
//! symbolic link of an image. /proc, /dev and /sys are directories whatever the image has there.

use crate::compose::host::Entry;
use crate::compose::{annotation, etc};
use crate::options::Checked;
use fastbox_container::PlanError;
use fastbox_container::plan::VOLUME;
use fastbox_image::{Kind, locate};
use oci_spec::runtime::{Mount, Spec};
use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};
use std::path::{Component, Path, PathBuf};

use super::EngineError;

/// Mount points that must be directories of their own.
const OWN: [&str; 3] = ["/proc", "/dev", "/sys"];

/// A plan's directory: the layer, a layer below it where there is no image, and files that are bound.
pub(super) struct Skeleton<'a> {
    pub(super) directory: PathBuf,
    pub(super) layers: &'a [PathBuf],
}

impl<'a> Skeleton<'a> {
    /// Makes the directory.
    pub(super) fn new(
        directory: PathBuf,
        layers: &'a [PathBuf],
    ) -> Result<Skeleton<'a>, EngineError> {
        let skeleton = Skeleton { directory, layers };
        for name in ["layer", "base", "etc"] {
            make_directory(&skeleton.directory.join(name), 0o755)
                .map_err(failed(&skeleton.directory))?;
        }
        Ok(skeleton)
    }

    /// The topmost layer.
    pub(super) fn layer(&self) -> PathBuf {
        self.directory.join("layer")
    }

    /// An empty layer: an overlay without an upper wants two.
    pub(super) fn base(&self) -> PathBuf {
        self.directory.join("base")
    }

    fn at(&self, path: &Path) -> PathBuf {
        self.layer().join(path.strip_prefix("/").unwrap_or(path))
    }

    /// What the host image has beside the host's own directories.
    pub(super) fn entries(&self, entries: &[Entry]) -> Result<(), EngineError> {
        for entry in entries {
            let at = self.at(entry.path());
            let made = match entry {
                Entry::Directory { mode, .. } => make_directory(&at, *mode),
                Entry::Symlink { target, .. } => symlink(target, &at),
                Entry::File { .. } => fs::write(&at, ""),
            };
            match made {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                made => made.map_err(failed(entry.path()))?,
            }
        }
        Ok(())
    }

    /// Makes every mount point and the working directory, and writes the paths they have come to into the document.
    pub(super) fn mount_points(&self, spec: &mut Spec) -> Result<(), EngineError> {
        for path in OWN {
            self.own(Path::new(path))?;
        }
        let mut mounts = spec.mounts().clone().unwrap_or_default();
        let mut covered: Vec<PathBuf> = OWN.iter().map(PathBuf::from).collect();
        for mount in &mut mounts {
            let destination = mount.destination().clone();
            if covered.iter().any(|path| destination.starts_with(path)) {
                continue;
            }
            let file = is_file(mount);
            let real = self.make(&destination, file)?;
            // A volume shows this very place.
            if mount.typ().as_deref() != Some(VOLUME) {
                covered.push(real.clone());
            }
            mount.set_destination(real);
        }
        if let Some(cwd) = spec.process().as_ref().map(|process| process.cwd().clone())
            && !covered.iter().any(|path| cwd.starts_with(path))
        {
            self.make(&cwd, false)?;
        }
        spec.set_mounts(Some(mounts));
        self.device_points(spec, &covered)
    }

    /// The same for device nodes, which are bound where they do not lie in /dev.
    fn device_points(&self, spec: &mut Spec, covered: &[PathBuf]) -> Result<(), EngineError> {
        let Some(linux) = spec.linux_mut() else {
            return Ok(());
        };
        for device in linux.devices_mut().iter_mut().flatten() {
            let path = device.path().clone();
            if !covered.iter().any(|covered| path.starts_with(covered)) {
                device.set_path(self.make(&path, true)?);
            }
        }
        Ok(())
    }

    /// A directory of the layer's own at `path`, in place of whatever the image has that is none.
    fn own(&self, path: &Path) -> Result<(), EngineError> {
        let found = self
            .layers
            .iter()
            .rev()
            .find_map(|layer| fs::symlink_metadata(below(layer, path)).ok());
        if found.is_some_and(|meta| meta.is_dir()) {
            return Ok(());
        }
        match make_directory(&self.at(path), 0o755) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                Err(failed(path)(error).into())
            }
            _ => Ok(()),
        }
    }

    /// Makes a mount point where there is none; where the path leads.
    fn make(&self, path: &Path, file: bool) -> Result<PathBuf, EngineError> {
        let mut stack = self.layers.to_vec();
        stack.push(self.layer());
        let located = locate(&stack, path)?;
        match (located.kind, file) {
            (Kind::Directory, true) => {
                Err(failed(path)(io::Error::from_raw_os_error(nix::libc::EISDIR)).into())
            }
            (Kind::File, false) => {
                Err(failed(path)(io::Error::from_raw_os_error(nix::libc::ENOTDIR)).into())
            }
            (Kind::Directory | Kind::File, _) => Ok(located.path),
            (Kind::Missing, _) => {
                self.parents(&located.path).map_err(failed(path))?;
                let at = self.at(&located.path);
                let made = if file {
                    fs::write(&at, "")
                } else {
                    make_directory(&at, 0o755)
                };
                made.map_err(failed(path))?;
                Ok(located.path)
            }
        }
    }

    /// The directories above `path` in the layer; those the image has too keep its mode and owner.
    fn parents(&self, path: &Path) -> io::Result<()> {
        let mut above = PathBuf::from("/");
        for name in path.parent().unwrap_or(Path::new("/")).components() {
            let Component::Normal(name) = name else {
                continue;
            };
            above.push(name);
            let at = self.at(&above);
            if at.is_dir() {
                continue;
            }
            make_directory(&at, 0o755)?;
            let found = self
                .layers
                .iter()
                .rev()
                .find_map(|layer| fs::symlink_metadata(below(layer, &above)).ok());
            if let Some(meta) = found.filter(fs::Metadata::is_dir) {
                chown(&at, Some(meta.uid()), Some(meta.gid()))?;
                fs::set_permissions(&at, Permissions::from_mode(meta.mode() & 0o7777))?;
            }
        }
        Ok(())
    }

    /// The files of /etc that each container has from the engine. In an image's own /etc they lie in the layer;
    /// over the host's they are mounted, as read-only as the rest of it.
    pub(super) fn etc(
        &self,
        spec: &mut Spec,
        options: &Checked,
        host_image: bool,
    ) -> Result<(), EngineError> {
        let annotations = spec.annotations().clone().unwrap_or_default();
        let list = annotations
            .get(annotation::ETC)
            .cloned()
            .unwrap_or_default();
        let hostname = spec.hostname().clone();
        for name in list.split(',').filter(|name| !name.is_empty()) {
            let path = Path::new("/etc").join(name);
            let contents = match name {
                "hosts" => etc::hosts(hostname.as_deref(), options).into_bytes(),
                "hostname" => hostname
                    .as_deref()
                    .map(etc::hostname)
                    .unwrap_or_default()
                    .into_bytes(),
                _ => etc::resolv_conf(options, &fs::read("/etc/resolv.conf").unwrap_or_default()),
            };
            if !host_image {
                self.etc_file(&path, &contents, hostname.is_none() && name == "hostname")?;
            } else if hostname.is_some() || name != "hostname" {
                let source = self.directory.join("etc").join(name);
                fs::write(&source, contents).map_err(failed(&path))?;
                let target = fs::canonicalize(&path).unwrap_or(path);
                let mut mount = Mount::default();
                // All of the plan's containers have the same file: what one wrote into it others would read.
                let read_only = ["bind", "ro"].map(str::to_owned).to_vec();
                mount
                    .set_destination(target)
                    .set_typ(Some("bind".into()))
                    .set_source(Some(source))
                    .set_options(Some(read_only));
                let mut mounts = spec.mounts().clone().unwrap_or_default();
                mounts.push(mount);
                spec.set_mounts(Some(mounts));
            }
        }
        Ok(())
    }

    /// One file in the layer, where the image's directory for it is one; a name from the container's id is read from
    /// the kernel, so that nothing has to be written at a start.
    fn etc_file(&self, path: &Path, contents: &[u8], from_kernel: bool) -> Result<(), EngineError> {
        let parent = locate(self.layers, Path::new("/etc"))?;
        if parent.kind == Kind::File {
            return Ok(());
        }
        let real = parent.path.join(path.file_name().unwrap_or_default());
        self.parents(&real).map_err(failed(path))?;
        let at = self.at(&real);
        let made = if from_kernel {
            symlink("/proc/sys/kernel/hostname", &at)
        } else {
            fs::write(&at, contents)
        };
        made.map_err(failed(path))?;
        if !from_kernel {
            fs::set_permissions(&at, Permissions::from_mode(0o644)).map_err(failed(path))?;
        }
        Ok(())
    }
}

/// Whether what is mounted is a file.
fn is_file(mount: &Mount) -> bool {
    let bind = mount
        .options()
        .iter()
        .flatten()
        .any(|option| option == "bind" || option == "rbind");
    bind && mount
        .source()
        .as_ref()
        .is_some_and(|source| fs::metadata(source).is_ok_and(|meta| !meta.is_dir()))
}

fn below(layer: &Path, path: &Path) -> PathBuf {
    layer.join(path.strip_prefix("/").unwrap_or(path))
}

/// With exactly these permission bits, whatever the caller's umask.
fn make_directory(path: &Path, mode: u32) -> io::Result<()> {
    fs::create_dir_all(path)?;
    fs::set_permissions(path, Permissions::from_mode(mode))
}

pub(super) fn failed(path: &Path) -> impl FnOnce(io::Error) -> PlanError {
    let path = path.to_owned();
    move |source| PlanError::Skeleton { path, source }
}

/// The binds of an image that keep the host's ids.
pub(super) fn sources(mounts: &[Mount]) -> Vec<PathBuf> {
    mounts
        .iter()
        .filter_map(|mount| mount.source().clone())
        .collect()
}
