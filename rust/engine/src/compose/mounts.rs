//! `mounts`: Docker's defaults, the image's, the user's.

use std::path::{Path, PathBuf};

use oci_spec::runtime::Mount;

use fastbox_container::plan::{JOINED_SHM, VOLUME};

use super::{ImageView, SpecError, sources};
use crate::options::{Below, Bind, Checked, IpcMode, Size, Tmpfs, clean_path};

/// Where shared memory is.
const SHM: &str = "/dev/shm";

/// Destination, type, source and options of what every container has.
const DEFAULTS: &[(&str, &str, &str, &[&str])] = &[
    ("/proc", "proc", "proc", &["nosuid", "noexec", "nodev"]),
    (
        "/dev",
        "tmpfs",
        "tmpfs",
        &["nosuid", "strictatime", "mode=755", "size=65536k"],
    ),
    (
        "/dev/pts",
        "devpts",
        "devpts",
        &[
            "nosuid",
            "noexec",
            "newinstance",
            "ptmxmode=0666",
            "mode=0620",
            "gid=5",
        ],
    ),
    (
        "/sys",
        "sysfs",
        "sysfs",
        &["nosuid", "noexec", "nodev", "ro"],
    ),
    (
        "/sys/fs/cgroup",
        "cgroup",
        "cgroup",
        &["ro", "nosuid", "noexec", "nodev"],
    ),
    (
        "/dev/mqueue",
        "mqueue",
        "mqueue",
        &["nosuid", "noexec", "nodev"],
    ),
    (
        SHM,
        "tmpfs",
        "shm",
        &["nosuid", "noexec", "nodev", "mode=1777", "size=67108864"],
    ),
];

/// In the order of mounting: the defaults, then the rest with parents before what lies in them.
/// A user's mount takes the place of a default or of an image's at the same destination; a user's
/// /dev also of the defaults in it.
///
/// # Errors
/// [`SpecError::ImageVolume`].
pub(super) fn mounts(
    options: &Checked,
    image: &ImageView,
    directory: &Path,
) -> Result<Vec<Mount>, SpecError> {
    let binds = options.binds().map(|volume| bind(volume, directory));
    let mut rest: Vec<Mount> = binds.chain(options.all_tmpfs().map(tmpfs)).collect();
    let taken = |destination: &Path| {
        let at = |path: &Path| rest.iter().any(|mount| mount.destination() == path);
        at(destination) || (destination.starts_with("/dev") && at(Path::new("/dev")))
    };
    let defaults = DEFAULTS
        .iter()
        .filter(|(destination, ..)| !taken(Path::new(destination)));
    let mut all: Vec<Mount> = defaults.filter_map(|of| default(options, of)).collect();
    let view = image;
    let image: Vec<Mount> = image
        .mounts
        .iter()
        .filter(|mount| !taken(mount.destination()))
        .cloned()
        .collect();
    let volumes = volumes(options, view)?;
    rest.extend(image);
    rest.extend(volumes);
    rest.sort_by_key(|mount| {
        (
            mount.destination().components().count(),
            mount.destination().clone(),
        )
    });
    all.extend(rest);
    Ok(all)
}

/// The image's volumes, but for those in which or above which the user mounts something.
fn volumes(options: &Checked, image: &ImageView) -> Result<Vec<Mount>, SpecError> {
    let listed = image.config.and_then(|config| config.volumes().as_deref());
    let mut volumes: Vec<String> = Vec::new();
    for path in listed.unwrap_or_default() {
        let wrong = |reason| SpecError::ImageVolume {
            path: path.clone(),
            reason,
        };
        if !path.starts_with('/') || path.contains('\0') {
            return Err(wrong("it has to be an absolute path"));
        }
        let clean = clean_path(path);
        if ["/", "/proc", "/sys", "/dev"]
            .iter()
            .any(|kept| clean == *kept)
            || ["/proc/", "/sys/", "/dev/"]
                .iter()
                .any(|kept| clean.starts_with(kept))
        {
            return Err(wrong("the container's own file systems are there"));
        }
        let taken = options.destinations().any(|user| {
            let below = clean.strip_prefix(user);
            below.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        });
        if !taken && !volumes.contains(&clean) {
            volumes.push(clean);
        }
    }
    let volume = |path: String| mount(&path, VOLUME, "image".into(), to_owned(&["rw"]));
    Ok(volumes.into_iter().map(volume).collect())
}

/// One of the [`DEFAULTS`] as these options want it; none where they want none.
fn default(
    options: &Checked,
    (destination, kind, source, words): &(&str, &str, &str, &[&str]),
) -> Option<Mount> {
    let mut words = to_owned(words);
    match *kind {
        "tmpfs" if *destination == SHM => match &options.ipc {
            Some(IpcMode::None) => return None,
            Some(IpcMode::Container(_)) => {
                let words = to_owned(&["nosuid", "noexec", "nodev"]);
                return Some(mount(destination, JOINED_SHM, SHM.into(), words));
            }
            Some(IpcMode::Host) => {
                let words = to_owned(&["rbind", "rprivate", "nosuid", "noexec", "nodev"]);
                return Some(mount(destination, "bind", SHM.into(), words));
            }
            _ => {
                if let Some(Size(bytes)) = options.shm_size.filter(|size| size.0 > 0) {
                    words.retain(|word| !word.starts_with("size="));
                    words.push(format!("size={bytes}"));
                }
            }
        },
        "mqueue" if options.ipc == Some(IpcMode::None) => return None,
        // As in Docker: what administers the machine writes to both, but not where all is read-only.
        "sysfs" if options.privileged && !options.read_only => words.retain(|word| word != "ro"),
        "cgroup" if options.privileged => words.retain(|word| word != "ro"),
        _ => {}
    }
    Some(mount(destination, kind, PathBuf::from(source), words))
}

/// A bind, of the whole tree unless mounts below are left out; read-only for them too (`rro`, Linux 5.12) unless said.
fn bind(bind: &Bind, directory: &Path) -> Mount {
    let access: &[&str] = match (bind.read_only, bind.below) {
        (false, _) => &["rw"],
        (true, Below::Alike) => &["ro", "rro"],
        (true, Below::Writable | Below::Left) => &["ro"],
    };
    let tree = match bind.below {
        Below::Left => "bind",
        Below::Alike | Below::Writable => "rbind",
    };
    let options = [&[tree, bind.propagation.as_str()], access].concat();
    mount(
        &bind.destination,
        "bind",
        sources::absolute(&bind.source, directory),
        to_owned(&options),
    )
}

fn tmpfs(tmpfs: &Tmpfs) -> Mount {
    mount(
        &tmpfs.destination,
        "tmpfs",
        PathBuf::from("tmpfs"),
        tmpfs.options.clone(),
    )
}

pub(super) fn mount(destination: &str, kind: &str, source: PathBuf, options: Vec<String>) -> Mount {
    let mut mount = Mount::default();
    mount
        .set_destination(PathBuf::from(destination))
        .set_typ(Some(kind.to_owned()))
        .set_source(Some(source))
        .set_options(Some(options));
    mount
}

pub(super) fn to_owned(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}
