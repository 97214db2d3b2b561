//! Filters compiled in this process, by content.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use oci_spec::runtime::LinuxSeccomp;

use super::{Arch, Filter, SeccompError, compile, kept};

/// So many profiles are kept; a process that makes up more of them starts again.
const KEPT: usize = 64;

type Filters = HashMap<(Arch, String), Arc<Filter>>;

static FILTERS: LazyLock<Mutex<Filters>> = LazyLock::new(Mutex::default);

/// [`compile`], once per process for each document. The key is the whole document: it is small,
/// and two documents can never be taken for one another.
///
/// # Errors
/// As [`compile`]; failures are not kept.
pub fn compile_cached(spec: &LinuxSeccomp, arch: Arch) -> Result<Arc<Filter>, SeccompError> {
    let document = serde_json::to_string(spec).map_err(|source| SeccompError::Parse {
        path: ".".to_owned(),
        source,
    })?;
    let key = (arch, document);
    let mut filters = FILTERS.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(filter) = filters.get(&key) {
        return Ok(Arc::clone(filter));
    }
    let filter = match kept::find(arch, &key.1) {
        Some(filter) => filter,
        None => {
            let filter = compile(spec, arch)?;
            kept::keep(arch, &key.1, &filter);
            filter
        }
    };
    let filter = Arc::new(filter);
    if filters.len() >= KEPT {
        filters.clear();
    }
    filters.insert(key, Arc::clone(&filter));
    Ok(filter)
}

#[cfg(test)]
mod tests {
    use super::super::{KernelVersion, default_profile};
    use super::*;
    use crate::security::caps::CapSet;

    #[test]
    fn one_document_is_compiled_once() {
        let kernel = KernelVersion { major: 6, minor: 1 };
        let spec = default_profile().resolve(CapSet::DOCKER, Arch::X86_64, kernel);
        let first = compile_cached(&spec, Arch::X86_64).unwrap();
        let again = compile_cached(&spec.clone(), Arch::X86_64).unwrap();
        assert!(Arc::ptr_eq(&first, &again));
        let other = default_profile().resolve(CapSet::EMPTY, Arch::X86_64, kernel);
        let other = compile_cached(&other, Arch::X86_64).unwrap();
        assert!(!Arc::ptr_eq(&first, &other));
    }
}
