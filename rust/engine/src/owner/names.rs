//! Names in use: `<run>/names/<name>` is a symbolic link that reads `<owner>/<container>`, whole from the moment it
//! is there.
use std::fs;
use std::io;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use nix::fcntl::{Flock, FlockArg};

use super::directory::{self, is_owner};
use super::error::StateError;
use super::identity::{Identity, Life};
use super::register::Owner;
use super::remove::{open_for_lock, remove_file};
use crate::paths::Paths;

/// A reserved name. Dropping it gives the name back, except in a process forked from the owner.
#[must_use = "the name is given back when this is dropped"]
pub struct NameGuard {
    link: PathBuf,
    target: String,
    owner: Arc<Owner>,
}

impl Drop for NameGuard {
    fn drop(&mut self) {
        // Nobody takes a name from an owner that lives, so nothing can come between the look and the removal; a
        // run directory that was emptied meanwhile may hold someone else's.
        if self.owner.is_mine() && reads(&self.link).is_some_and(|target| target == self.target) {
            // What cannot be removed is cleaned up when this process ends.
            let _ = fs::remove_file(&self.link);
        }
    }
}

/// Reserves `name` for a container of `owner`. Of several at once exactly one gets it; a dead owner's name is free.
///
/// # Errors
/// [`StateError::InvalidName`], [`StateError::NameConflict`] in Docker's words, or an error of the files.
pub fn reserve(
    paths: &Paths,
    name: &str,
    owner: &Arc<Owner>,
    container: &str,
) -> Result<NameGuard, StateError> {
    check(name)?;
    let link = paths.names().join(name);
    let target = format!("{}/{container}", owner.id());
    loop {
        match symlink(&target, &link) {
            Ok(()) => {
                return Ok(NameGuard {
                    link,
                    target,
                    owner: Arc::clone(owner),
                });
            }
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(StateError::io("reserve", &link, error)),
        }
        // Links are only ever removed by their own, living, owner or under this lock: what is found dead here stays
        // as it is until it is removed.
        let _lock = lock(&paths.names())?;
        match holder(paths, &link)? {
            Holder::Living(container) => {
                return Err(StateError::NameConflict {
                    name: name.to_owned(),
                    container,
                });
            }
            Holder::Nobody => remove_file(&link)?,
            Holder::Gone => {}
        }
    }
}

/// The container that has `name`, and its owner's id; none if no living owner's has.
///
/// # Errors
/// Those of reading the owner's directory.
pub fn find(paths: &Paths, name: &str) -> Result<Option<(String, String)>, StateError> {
    check(name)?;
    let link = paths.names().join(name);
    Ok(match holder(paths, &link)? {
        Holder::Living(_) => reads(&link)
            .as_deref()
            .and_then(split)
            .map(|(owner, container)| (container.to_owned(), owner.to_owned())),
        Holder::Nobody | Holder::Gone => None,
    })
}

/// Holds a name to Docker's grammar: `[a-zA-Z0-9][a-zA-Z0-9_.-]+`; further, to a file name's length.
///
/// # Errors
/// [`StateError::InvalidName`].
pub fn check(name: &str) -> Result<(), StateError> {
    let bytes = name.as_bytes();
    let fits = (2..=255).contains(&bytes.len())
        && bytes[0].is_ascii_alphanumeric()
        && bytes
            .iter()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, b'_' | b'.' | b'-'));
    if fits {
        Ok(())
    } else {
        Err(StateError::InvalidName {
            name: name.to_owned(),
        })
    }
}

/// Removes the names of `owner`, who is dead.
pub(super) fn remove_all(paths: &Paths, owner: &str) -> Result<(), StateError> {
    let names = paths.names();
    let failed = |error| StateError::io("list", &names, error);
    let entries = match fs::read_dir(&names) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        entries => entries.map_err(failed)?,
    };
    let _lock = lock(&names)?;
    for entry in entries {
        let link = entry.map_err(failed)?.path();
        if reads(&link)
            .as_deref()
            .and_then(split)
            .is_some_and(|(of, _)| of == owner)
        {
            remove_file(&link)?;
        }
    }
    Ok(())
}

enum Holder {
    /// A container of an owner that lives.
    Living(String),
    /// A dead owner's, or nothing that makes sense.
    Nobody,
    /// It has just been given back.
    Gone,
}

fn holder(paths: &Paths, link: &Path) -> Result<Holder, StateError> {
    let target = match fs::read_link(link) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Holder::Gone),
        target => target
            .ok()
            .and_then(|target| target.into_os_string().into_string().ok()),
    };
    let Some((owner, container)) = target.as_deref().and_then(split) else {
        return Ok(Holder::Nobody);
    };
    let life = directory::life(&paths.owners().join(owner), &Identity::current())?;
    Ok(match life {
        Life::Dead => Holder::Nobody,
        Life::Alive | Life::Elsewhere => Holder::Living(container.to_owned()),
    })
}

fn reads(link: &Path) -> Option<String> {
    fs::read_link(link)
        .ok()?
        .into_os_string()
        .into_string()
        .ok()
}

fn split(target: &str) -> Option<(&str, &str)> {
    target.split_once('/').filter(|(owner, _)| is_owner(owner))
}

fn lock(names: &Path) -> Result<Flock<fs::File>, StateError> {
    let dir = open_for_lock(names).map_err(|error| StateError::io("open", names, error))?;
    Flock::lock(dir, FlockArg::LockExclusive)
        .map_err(|(_, errno)| StateError::errno("lock", names, errno))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dockers_grammar() {
        for name in ["ab", "a.", "0_-.Z", "web-1"] {
            check(name).unwrap();
        }
        let long = "a".repeat(256);
        for name in [
            "",
            "a",
            "-a",
            ".a",
            "_a",
            "a/b",
            "a b",
            "é1",
            "..",
            long.as_str(),
        ] {
            let error = check(name).unwrap_err().to_string();
            assert_eq!(
                error,
                format!(
                    "Invalid container name ({name}), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed"
                )
            );
        }
    }
}
