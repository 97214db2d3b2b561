//! How many containers there are.

use std::fs;

use fastbox_sys::journal;

use super::directory::{self, life};
use super::error::StateError;
use super::identity::{Identity, Life};
use super::register::TABLE;
use crate::paths::Paths;

/// Containers that run now, of all living owners.
///
/// # Errors
/// The run directory cannot be read.
pub fn running(paths: &Paths) -> Result<usize, StateError> {
    let here = Identity::current();
    let mut count = 0;
    for owner in directory::list(&paths.owners(), &here)?.0 {
        let dir = paths.owners().join(owner);
        if matches!(life(&dir, &here), Ok(Life::Alive)) {
            let table = fs::read(dir.join(TABLE)).unwrap_or_default();
            count += journal::read_entries(&table).count();
        }
    }
    Ok(count)
}

/// The names of containers that run now, sorted.
///
/// # Errors
/// The run directory cannot be read.
pub fn running_names(paths: &Paths) -> Result<Vec<String>, StateError> {
    let names = paths.names();
    let failed = |error| StateError::io("list", &names, error);
    let mut found = Vec::new();
    for entry in fs::read_dir(&names).map_err(failed)? {
        // No name of a container begins with a dot.
        let name = entry.map_err(failed)?.file_name().into_string();
        found.extend(name.ok().filter(|name| !name.starts_with('.')));
    }
    found.sort_unstable();
    Ok(found)
}
