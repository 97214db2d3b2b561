//! Where things are kept: the store's root, which lasts, and the run directory, which a boot may empty.
use std::ffi::OsString;
use std::fs::{DirBuilder, OpenOptions};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::libc::{O_DIRECTORY, O_NOFOLLOW, O_PATH};
use nix::unistd::{Uid, User};

use crate::owner::StateError;
use crate::settings::Settings;

/// The two directories, made and checked: they belong to the effective user, and nobody else may write there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Paths {
    root: PathBuf,
    run: PathBuf,
}

impl Paths {
    /// Finds and makes the directories of the effective user.
    ///
    /// Root of the store: what the settings say (flag, `FASTBOX_ROOT`, file), else `/var/lib/fastbox` for root, else `$XDG_DATA_HOME/fastbox`, else
    /// `~/.local/share/fastbox`. Run directory: what they say, else `/run/fastbox` for root, else
    /// `$XDG_RUNTIME_DIR/fastbox` where that exists, else `/tmp/fastbox-<uid>`. (XDG Base Directory
    /// Specification: what is not absolute there is ignored.)
    ///
    /// # Errors
    /// No home, a directory that cannot be made, or one
    /// that others own or may write to.
    pub fn find(settings: &Settings) -> Result<Paths, StateError> {
        let (root, run) = locate(settings, Uid::effective(), |name| std::env::var_os(name))?;
        Paths::at(&root, &run)
    }

    /// The same at given places.
    ///
    /// # Errors
    /// As [`Paths::find`].
    pub fn at(root: &Path, run: &Path) -> Result<Paths, StateError> {
        for (path, what) in [(root, "the store's root"), (run, "the run directory")] {
            if !path.is_absolute() {
                return Err(StateError::NotAbsolute {
                    what,
                    path: path.to_owned(),
                });
            }
        }
        // A link to a store elsewhere is an administrator's habit; in /tmp it would be a trap.
        make_own(root, 0)?;
        make_own(run, O_NOFOLLOW)?;
        let paths = Paths {
            root: root.to_owned(),
            run: run.to_owned(),
        };
        let new = !paths.uppers().exists();
        for below in [paths.owners(), paths.names(), paths.uppers()] {
            make_own(&below, O_NOFOLLOW)?;
        }
        if new && let Ok(uppers) = std::fs::File::open(paths.uppers()) {
            // Owners come and go; other file systems than ext4 have no such flag.
            let _ = fastbox_sys::inode::spread(&uppers);
        }
        Ok(paths)
    }

    /// The store's root.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The run directory.
    pub fn run(&self) -> &Path {
        &self.run
    }

    /// `<run>/owners`: a directory for each process that has containers.
    pub fn owners(&self) -> PathBuf {
        self.run.join("owners")
    }

    /// `<run>/names`: a link for each name in use.
    pub fn names(&self) -> PathBuf {
        self.run.join("names")
    }

    /// `<root>/run`: `<owner>/<container>` with the upper directories of ephemeral containers.
    pub fn uppers(&self) -> PathBuf {
        self.root.join("run")
    }
}

fn locate(
    settings: &Settings,
    user: Uid,
    var: impl Fn(&str) -> Option<OsString>,
) -> Result<(PathBuf, PathBuf), StateError> {
    let var = |name: &str| {
        var(name)
            .filter(|value| !value.is_empty())
            .map(PathBuf::from)
    };
    let xdg = |name: &str| var(name).filter(|path| path.is_absolute());
    let root = match &settings.root {
        Some(path) => path.clone(),
        None if user.is_root() => PathBuf::from("/var/lib/fastbox"),
        None => match xdg("XDG_DATA_HOME") {
            Some(data) => data.join("fastbox"),
            None => xdg("HOME")
                .or_else(|| Some(User::from_uid(user).ok()??.dir))
                .ok_or(StateError::NoHome { uid: user.as_raw() })?
                .join(".local/share/fastbox"),
        },
    };
    let run = match &settings.run {
        Some(path) => path.clone(),
        None if user.is_root() => PathBuf::from("/run/fastbox"),
        None => match xdg("XDG_RUNTIME_DIR").filter(|path| path.is_dir()) {
            Some(runtime) => runtime.join("fastbox"),
            None => PathBuf::from(format!("/tmp/fastbox-{user}")),
        },
    };
    Ok((root, run))
}

/// Makes the directory `path`, mode 0700, where it is missing, and checks whose it is.
fn make_own(path: &Path, follow: i32) -> Result<(), StateError> {
    let failed = |operation| move |error| StateError::io(operation, path, error);
    let open = || {
        OpenOptions::new()
            .read(true)
            .custom_flags(O_PATH | O_DIRECTORY | follow)
            .open(path)
    };
    let dir = match open() {
        Err(error) if error.raw_os_error() == Some(Errno::ENOENT as i32) => {
            if let Some(parent) = path.parent() {
                std::fs::create_dir_all(parent).map_err(failed("make the parent of"))?;
            }
            match DirBuilder::new().mode(0o700).create(path) {
                Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => {
                    return Err(failed("make")(error));
                }
                _ => open(),
            }
        }
        opened => opened,
    }
    .map_err(failed("open"))?;
    let meta = dir.metadata().map_err(failed("look at"))?;
    let (owner, user) = (meta.uid(), Uid::effective().as_raw());
    if owner != user {
        return Err(StateError::NotOurs {
            path: path.to_owned(),
            owner,
            user,
        });
    }
    if meta.mode() & 0o022 != 0 {
        return Err(StateError::OthersMayWrite {
            path: path.to_owned(),
            mode: meta.mode() & 0o7777,
        });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn located(uid: u32, vars: &[(&str, &str)]) -> (String, String) {
        let var = |name: &str| Some(vars.iter().find(|(key, _)| *key == name)?.1.into());
        let (root, run) = locate(&Settings::default(), Uid::from_raw(uid), var).unwrap();
        (root.display().to_string(), run.display().to_string())
    }

    #[test]
    fn defaults_and_overrides() {
        let is = |root: &str, run: &str| (root.to_owned(), run.to_owned());
        assert_eq!(
            located(0, &[("XDG_DATA_HOME", "/x")]),
            is("/var/lib/fastbox", "/run/fastbox")
        );
        let home = [("HOME", "/h"), ("XDG_DATA_HOME", "relative")];
        assert_eq!(
            located(77, &home),
            is("/h/.local/share/fastbox", "/tmp/fastbox-77")
        );
        let xdg = [("XDG_DATA_HOME", "/d"), ("XDG_RUNTIME_DIR", "/dev")];
        assert_eq!(located(77, &xdg), is("/d/fastbox", "/dev/fastbox"));
        let own = Settings {
            root: Some("/a".into()),
            run: Some("/b".into()),
            ..Settings::default()
        };
        let (root, run) = locate(&own, Uid::from_raw(77), |_| None).unwrap();
        assert_eq!((root, run), ("/a".into(), "/b".into()));
    }
}
