//! The `host` image: the machine's own programs in a root file system of their own.
//!
//! It is an allow-list, never the host's root with things hidden: a skeleton of empty directories,
//! and read-only binds of what holds programs and their settings.

use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use oci_spec::image::Config;
use oci_spec::runtime::Mount;

use super::{SpecError, environment, etc, mounts};
use crate::options::clean_path;

/// The image's name.
pub const NAME: &str = fastbox_image::Reference::HOST;

/// Directories whose content is shown, where the host has them: programs, settings, packages
/// outside the system's, and the stores of systems that keep all programs there.
const SHOWN: &[&str] = &["/usr", "/etc", "/opt", "/nix/store", "/gnu/store"];

/// Links into /usr on most systems, directories on older ones.
const MERGED: &[&str] = &[
    "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/libo32",
];

/// Empty directories and their modes, parents first.
const EMPTY: &[(&str, u32)] = &[
    ("/dev", 0o755),
    ("/home", 0o755),
    ("/media", 0o755),
    ("/mnt", 0o755),
    ("/proc", 0o555),
    ("/root", 0o700),
    ("/run", 0o755),
    ("/run/lock", 0o1777),
    ("/srv", 0o755),
    ("/sys", 0o555),
    ("/tmp", 0o1777),
    ("/var", 0o755),
    ("/var/cache", 0o755),
    ("/var/lib", 0o755),
    ("/var/log", 0o755),
    ("/var/spool", 0o755),
    ("/var/tmp", 0o1777),
];

/// One entry of the skeleton, owned by root.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Entry {
    /// An empty directory.
    Directory {
        /// Its absolute path in the container.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// A symbolic link.
    Symlink {
        /// Its absolute path in the container.
        path: PathBuf,
        /// What it says.
        target: PathBuf,
    },
    /// An empty file, mode 0644: something is mounted over it.
    File {
        /// Its absolute path in the container.
        path: PathBuf,
    },
}

impl Entry {
    /// The absolute path in the container.
    pub fn path(&self) -> &Path {
        match self {
            Entry::Directory { path, .. } | Entry::Symlink { path, .. } | Entry::File { path } => {
                path
            }
        }
    }
}

/// The host image, described.
#[derive(Clone, Debug)]
pub struct HostImage {
    /// PATH as the only variable, and no command.
    pub config: Config,
    /// The skeleton, parents before what lies in them; mount points of `mounts` included.
    pub skeleton: Vec<Entry>,
    /// Read-only binds of the whole trees.
    pub mounts: Vec<Mount>,
    /// Which of [`etc::FILES`] can be mounted: the place for it exists in the host's /etc.
    pub etc_files: Vec<&'static str>,
}

/// Looks at the root directory `root` (the machine's own is `/`) and describes its image.
///
/// # Errors
/// [`SpecError::HostImage`]: a directory cannot be looked at, or there is no /usr.
pub fn image(root: &Path) -> Result<HostImage, SpecError> {
    let mut image = HostImage {
        config: Config::default(),
        skeleton: EMPTY
            .iter()
            .map(|(path, mode)| directory(path, *mode))
            .collect(),
        mounts: Vec::new(),
        etc_files: Vec::new(),
    };
    image
        .config
        .set_env(Some(vec![format!("PATH={}", environment::PATH)]));
    image.skeleton.push(Entry::Symlink {
        path: "/var/run".into(),
        target: "../run".into(),
    });
    image.skeleton.push(Entry::Symlink {
        path: "/var/lock".into(),
        target: "../run/lock".into(),
    });
    for path in SHOWN {
        image.show(root, path)?;
    }
    if image.mounts.is_empty() {
        return Err(SpecError::HostImage {
            path: below(root, "/usr"),
            source: ErrorKind::NotFound.into(),
        });
    }
    for path in MERGED {
        let host = below(root, path);
        match fs::symlink_metadata(&host) {
            Ok(meta) if meta.is_symlink() => {
                let target = fs::read_link(&host).map_err(failed(&host))?;
                image.skeleton.push(Entry::Symlink {
                    path: path.into(),
                    target,
                });
            }
            _ => image.show(root, path)?,
        }
    }
    for name in etc::FILES {
        image.place_etc(root, name)?;
    }
    Ok(image)
}

impl HostImage {
    /// Adds a bind of a directory, if the host has it, and its mount point with parents.
    fn show(&mut self, root: &Path, path: &str) -> Result<(), SpecError> {
        let host = below(root, path);
        match fs::canonicalize(&host) {
            Ok(source) if source.is_dir() => {
                self.parents(path);
                self.skeleton.push(directory(path, 0o755));
                let options = mounts::to_owned(&["rbind", "rprivate", "nodev", "ro", "rro"]);
                self.mounts
                    .push(mounts::mount(path, "bind", source, options));
                Ok(())
            }
            Ok(_) => Ok(()),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
            Err(error) => Err(failed(&host)(error)),
        }
    }

    /// A file of /etc can be mounted where the host has a file, or a link to a place that the
    /// skeleton can have (/etc/resolv.conf often leads to /run): /etc itself cannot be written.
    fn place_etc(&mut self, root: &Path, name: &'static str) -> Result<(), SpecError> {
        let path = format!("/etc/{name}");
        let host = below(root, &path);
        let meta = match fs::symlink_metadata(&host) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
            other => other.map_err(failed(&host))?,
        };
        if meta.is_symlink() {
            let target = fs::read_link(&host).map_err(failed(&host))?;
            let Some(target) = target.to_str() else {
                return Ok(());
            };
            let target = match target.strip_prefix('/') {
                Some(_) => clean_path(target),
                None => clean_path(&format!("/etc/{target}")),
            };
            let target = match target.strip_prefix("/var/run/") {
                Some(rest) => format!("/run/{rest}"),
                None => target,
            };
            if ["/run/", "/var/"]
                .iter()
                .any(|start| target.starts_with(start))
            {
                self.parents(&target);
                self.skeleton.push(Entry::File {
                    path: target.into(),
                });
            } else if !below(root, &target).is_file()
                || !target.starts_with("/etc/") && !target.starts_with("/usr/")
            {
                return Ok(());
            }
        } else if !meta.is_file() {
            return Ok(());
        }
        self.etc_files.push(name);
        Ok(())
    }

    /// Adds the directories above `path` that the skeleton does not have yet.
    fn parents(&mut self, path: &str) {
        let mut missing: Vec<&Path> = Path::new(path)
            .ancestors()
            .skip(1)
            .filter(|parent| {
                *parent != Path::new("/")
                    && !self.skeleton.iter().any(|entry| entry.path() == *parent)
            })
            .collect();
        missing.reverse();
        self.skeleton
            .extend(missing.into_iter().map(|path| Entry::Directory {
                path: path.into(),
                mode: 0o755,
            }));
    }
}

fn directory(path: &str, mode: u32) -> Entry {
    Entry::Directory {
        path: path.into(),
        mode,
    }
}

fn below(root: &Path, path: &str) -> PathBuf {
    root.join(path.trim_start_matches('/'))
}

fn failed(path: &Path) -> impl FnOnce(io::Error) -> SpecError + use<> {
    let path = path.to_path_buf();
    move |source| SpecError::HostImage { path, source }
}
