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
