//! The sources of bind mounts on the host.

use std::fs;
use std::path::{Path, PathBuf};

use super::SpecError;
use crate::options::{Checked, clean_path};

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
/// does for `-v`; returns those made, outermost missing parents not listed.
///
/// # Errors
/// [`SpecError::BindSource`]: it can be neither found nor made (a link to nowhere counts as found
/// by nobody and cannot be made either).
pub fn make_missing(options: &Checked, directory: &Path) -> Result<Vec<PathBuf>, SpecError> {
    let mut made = Vec::new();
    for bind in &options.volumes {
        let path = absolute(&bind.source, directory);
        let exists = path.try_exists().map_err(|source| SpecError::BindSource {
            path: path.clone(),
            source,
        })?;
        if !exists {
            fs::create_dir_all(&path).map_err(|source| SpecError::BindSource {
                path: path.clone(),
                source,
            })?;
            made.push(path);
        }
    }
    Ok(made)
}
