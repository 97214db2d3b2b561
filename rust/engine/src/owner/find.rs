//! A running container by its name or id, of whatever process of this user.

use std::fs;
use std::os::fd::OwnedFd;

use fastbox_sys::journal::{self, Entry};

use super::directory::{self, life};
use super::error::StateError;
use super::identity::{Identity, Life};
use super::kill::open_recorded;
use super::names;
use super::register::TABLE;
use crate::paths::Paths;

/// A container that runs.
pub struct Running {
    /// Its id.
    pub id: String,
    /// Its first process, as this process sees it.
    pub pid: i32,
    /// That process, held: as long as this says it runs, the number is its.
    pub process: OwnedFd,
    /// A sum of [`journal::flags`].
    pub flags: u32,
}

/// Finds it by its name, or by its id or the beginning of that.
///
/// # Errors
/// [`StateError::NoContainer`], [`StateError::ManyContainers`], or the run directory cannot be read.
pub fn find(paths: &Paths, name: &str) -> Result<Running, StateError> {
    let named = match names::check(name) {
        Ok(()) => names::find(paths, name)?.map(|(container, _)| container),
        Err(_) => None,
    };
    let here = Identity::current();
    let mut found: Vec<Entry> = Vec::new();
    for owner in directory::list(&paths.owners(), &here)?.0 {
        let dir = paths.owners().join(owner);
        if !matches!(life(&dir, &here), Ok(Life::Alive)) {
            continue;
        }
        let table = fs::read(dir.join(TABLE)).unwrap_or_default();
        found.extend(journal::read_entries(&table).filter(|entry| match &named {
            Some(id) => entry.id == *id,
            None => entry.id.starts_with(name),
        }));
    }
    let none = || StateError::NoContainer {
        name: name.to_owned(),
    };
    match found.as_slice() {
        _ if name.is_empty() => Err(none()),
        [] => Err(none()),
        [entry] => {
            let process = open_recorded(entry).ok_or_else(none)?;
            Ok(Running {
                id: entry.id.clone(),
                pid: entry.pid,
                process,
                flags: entry.flags,
            })
        }
        _ => Err(StateError::ManyContainers {
            name: name.to_owned(),
        }),
    }
}
