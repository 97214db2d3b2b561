//! Groups elsewhere than at the top of each hierarchy: `--cgroup-parent`.

use std::fs;
use std::io::ErrorKind;
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::AT_FDCWD;

use super::controller::Controller;
use super::driver::Driver;
use super::error::CgroupError;
use super::limits::Limits;
use super::owner::TOP;
use super::steps::{fill_cpuset, open_dir, system};

/// A path in every hierarchy below which an owner's groups lie; by default the hierarchy's own top.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Parent(String);

impl Parent {
    /// Takes a path as `/a/b` or `a/b`, which mean the same, cleaned of doubled slashes and `.`.
    ///
    /// # Errors
    /// [`CgroupError::Parent`] where it holds `..` or a control character.
    pub fn parse(path: &str) -> Result<Parent, CgroupError> {
        let refused = |why| CgroupError::Parent {
            path: path.to_owned(),
            why,
        };
        if path.contains(char::is_control) {
            return Err(refused("it holds a control character"));
        }
        let mut parts = Vec::new();
        for part in path.split('/') {
            match part {
                "" | "." => {}
                ".." => return Err(refused("'..' leads out of it")),
                part => parts.push(part),
            }
        }
        Ok(Parent(parts.join("/")))
    }

    /// The path, without a slash before it; empty for the default.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it is the default.
    #[must_use]
    pub fn is_top(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn below(&self, rest: &str) -> String {
        if self.is_top() {
            rest.to_owned()
        } else {
            format!("{}/{rest}", self.0)
        }
    }
}

/// Makes the parent in each hierarchy that `limits` need, where it is missing. `will_make` is told each directory
/// before it is made, so that it is on record who made it.
///
/// # Errors
/// What the kernel refuses, and what `will_make` gives.
pub fn make_parent<E: From<CgroupError>>(
    driver: &Driver,
    parent: &Parent,
    limits: &Limits,
    mut will_make: impl FnMut(&Path) -> Result<(), E>,
) -> Result<(), E> {
    let needed =
        |one: &&super::driver::Hierarchy| driver.is_v2() || one.controllers.meets(limits.needed);
    for hierarchy in driver.hierarchies().iter().filter(needed) {
        let failed = |path: &Path| {
            let path = path.to_owned();
            move |errno| E::from(system("make", path, errno))
        };
        let base = open_dir(AT_FDCWD, hierarchy.base.as_os_str().as_bytes())
            .map_err(failed(&hierarchy.base))?;
        let cpuset = !driver.is_v2() && hierarchy.controllers.contains(Controller::Cpuset);
        let mut dir = String::new();
        for part in parent.0.split('/').filter(|part| !part.is_empty()) {
            dir = format!("{dir}/{part}").trim_start_matches('/').to_owned();
            let path = hierarchy.base.join(&dir);
            if !path.exists() {
                will_make(&path)?;
                match fs::create_dir(&path) {
                    Err(error) if error.kind() != ErrorKind::AlreadyExists => {
                        let errno = Errno::from_raw(error.raw_os_error().unwrap_or(0));
                        return Err(failed(&path)(errno));
                    }
                    _ => {}
                }
            }
            if cpuset {
                fill_cpuset(base.as_fd(), &hierarchy.base, &dir)?;
            }
        }
    }
    Ok(())
}

/// Removes what [`make_parent`] made for an owner, once its groups are gone: the directories of ours in `parents`, and
/// then those of `made`, the record of it in its order. What is not empty belongs to somebody by now and stays.
pub fn remove_parents(driver: &Driver, parents: &[Parent], made: &[PathBuf]) {
    let bases = || driver.hierarchies().iter().map(|one| one.base.as_path());
    for parent in parents.iter().filter(|parent| !parent.is_top()) {
        for base in bases() {
            let _ = fs::remove_dir(base.join(parent.below(TOP)));
        }
    }
    // A record is a file, and files can be damaged.
    let inside = |path: &Path| {
        let plain = |part| matches!(part, Component::Normal(_));
        bases().any(|base| {
            path.strip_prefix(base)
                .is_ok_and(|below| below.components().all(plain) && below != Path::new(""))
        })
    };
    for path in made.iter().rev().filter(|path| inside(path)) {
        let _ = fs::remove_dir(path);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths() {
        for (text, path) in [
            ("/a/b", "a/b"),
            ("a//./b/", "a/b"),
            ("/", ""),
            ("", ""),
            ("system.slice", "system.slice"),
        ] {
            assert_eq!(Parent::parse(text).unwrap().as_str(), path, "{text:?}");
        }
        for bad in ["..", "/a/../b", "a/..", "a\nb"] {
            let error = Parent::parse(bad).unwrap_err();
            assert!(matches!(error, CgroupError::Parent { .. }), "{bad:?}");
        }
        assert_eq!(Parent::default().below("fastbox"), "fastbox");
        assert_eq!(Parent::parse("/a").unwrap().below("fastbox"), "a/fastbox");
    }
}
