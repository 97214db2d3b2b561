//! The sources of bind mounts on the host.

use std::fs;
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{AtFlags, OFlag, open, openat};
use nix::sys::stat::{Mode, fstatat, mkdirat};

use super::SpecError;
use crate::options::{Bind, Checked, clean_path};

/// The absolute form of a source, cleaned lexically as Docker's command line does it.
pub fn absolute(source: &str, directory: &Path) -> PathBuf {
    match source.starts_with('/') {
        true => PathBuf::from(clean_path(source)),
        false => {
            let mut path = directory.to_path_buf();
            for part in source.split('/') {
                match part {
                    "" | "." => {}
                    ".." => {
                        path.pop();
                    }
                    part => path.push(part),
                }
            }
            path
        }
    }
}

/// Makes each source that does not exist as a directory, mode 0755, with its parents, as Docker
/// does for `-v` (a bind by `--mount` must be there); returns those made, outermost missing parents not listed.
///
/// # Errors
/// [`SpecError::BindMissing`]; [`SpecError::BindSource`]: it can be neither found nor made (a link to nowhere counts as found
/// by nobody and cannot be made either).
pub fn make_missing(options: &Checked, directory: &Path) -> Result<Vec<PathBuf>, SpecError> {
    let mut made = Vec::new();
    for bind in options.binds() {
        let path = absolute(&bind.source, directory);
        let exists = path.try_exists().map_err(|source| SpecError::BindSource {
            path: path.clone(),
            source,
        })?;
        if !exists && !bind.make {
            return Err(SpecError::BindMissing { path });
        }
        if !exists {
            fs::create_dir_all(&path).map_err(|source| SpecError::BindSource {
                path: path.clone(),
                source,
            })?;
            made.push(path.clone());
        }
        spreads(bind, &path)?;
    }
    make_nested(options, directory)?;
    Ok(made)
}

/// A bind whose mounts are to spread has to come from a mount of the host's that spreads them (mount_namespaces(7)).
fn spreads(bind: &Bind, path: &Path) -> Result<(), SpecError> {
    use crate::options::Propagation::{Private, RPrivate, RShared, RSlave, Shared, Slave};
    let (tags, way): (&[&str], _) = match bind.propagation {
        RPrivate | Private => return Ok(()),
        RSlave | Slave => (&["shared:", "master:"], "into the container"),
        RShared | Shared => (&["shared:"], "both ways"),
    };
    let failed = |source| SpecError::BindSource {
        path: path.to_owned(),
        source,
    };
    let real = path.canonicalize().map_err(failed)?;
    let table = fs::read_to_string("/proc/self/mountinfo").map_err(failed)?;
    // The mount point is the fifth field, optional fields follow the sixth up to a dash; the last at a place counts.
    let fields = |line: &str| -> Vec<String> { line.split(' ').map(str::to_owned).collect() };
    let holding = table
        .lines()
        .map(fields)
        .filter(|fields| {
            let at = fields.get(4).map(|at| at.replace("\\040", " "));
            at.is_some_and(|at| real.starts_with(at))
        })
        .max_by_key(|fields| fields[4].len());
    let shared = holding.is_some_and(|fields| {
        let mut optional = fields.iter().skip(6).take_while(|field| *field != "-");
        optional.any(|field| tags.iter().any(|tag| field.starts_with(tag)))
    });
    match shared {
        true => Ok(()),
        false => Err(SpecError::NotShared {
            path: path.to_owned(),
            way,
        }),
    }
}

/// Makes the mount point of what lies below a volume in that volume, as Docker does, unless it is read-only. What a
/// container may have put there is not trusted: at a symbolic link nothing is made, and the start refuses.
fn make_nested(options: &Checked, directory: &Path) -> Result<(), SpecError> {
    let volumes = options.binds().map(|bind| {
        let source = absolute(&bind.source, directory);
        (&bind.destination, source.is_file())
    });
    let tmpfs = options.all_tmpfs().map(|tmpfs| (&tmpfs.destination, false));
    for (destination, file) in volumes.chain(tmpfs) {
        let above = options.binds().filter_map(|bind| {
            let below = Path::new(destination)
                .strip_prefix(&bind.destination)
                .ok()?;
            (!below.as_os_str().is_empty()).then_some((bind, below))
        });
        let Some((outer, below)) = above.min_by_key(|(_, below)| below.components().count()) else {
            continue;
        };
        if !outer.read_only {
            let top = absolute(&outer.source, directory);
            make_beneath(&top, below, file).map_err(|errno| SpecError::BindSource {
                path: top.join(below),
                source: errno.into(),
            })?;
        }
    }
    Ok(())
}

fn make_beneath(top: &Path, below: &Path, file: bool) -> Result<(), Errno> {
    let place = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
    let mut dir = open(top, place, Mode::empty())?;
    let mut names = below.iter().peekable();
    while let Some(name) = names.next() {
        if fstatat(&dir, name, AtFlags::AT_SYMLINK_NOFOLLOW).is_err() {
            if file && names.peek().is_none() {
                let new = OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_WRONLY | OFlag::O_CLOEXEC;
                openat(&dir, name, new, Mode::from_bits_truncate(0o644))?;
            } else {
                mkdirat(&dir, name, Mode::from_bits_truncate(0o755))?;
            }
        }
        if names.peek().is_some() {
            match openat(&dir, name, place | OFlag::O_NOFOLLOW, Mode::empty()) {
                Ok(next) => dir = next,
                Err(Errno::ENOTDIR | Errno::ELOOP) => return Ok(()),
                Err(errno) => return Err(errno),
            }
        }
    }
    Ok(())
}
