//! What this machine is and can.

use std::path::PathBuf;

use fastbox_engine::{owner, run, system};
use pyo3::prelude::*;

use crate::{errors, log};

/// Facts about this machine and what fastbox has on it.
#[pyclass(frozen, module = "fastbox._core", get_all)]
pub struct Info {
    version: String,
    kernel: String,
    operating_system: String,
    architecture: String,
    hostname: String,
    cpus: usize,
    memory_bytes: u64,
    root: PathBuf,
    root_file_system: String,
    run_root: PathBuf,
    cgroup_version: String,
    cgroup_controllers: Vec<String>,
    rootless: bool,
    security: Vec<String>,
    images: usize,
    containers_running: usize,
    lacking: Vec<String>,
    settings_files: Vec<PathBuf>,
}

#[pymethods]
impl Info {
    fn __repr__(&self) -> String {
        format!("Info(version={:?}, root={:?})", self.version, self.root)
    }
}

impl From<system::Info> for Info {
    fn from(info: system::Info) -> Info {
        let texts = |list: Vec<&str>| list.into_iter().map(str::to_owned).collect();
        Info {
            version: info.version.to_owned(),
            kernel: info.kernel,
            operating_system: info.operating_system,
            architecture: info.architecture.to_owned(),
            hostname: info.hostname,
            cpus: info.cpus,
            memory_bytes: info.memory_bytes,
            root: info.root,
            root_file_system: info.root_file_system,
            run_root: info.run_root,
            cgroup_version: info.cgroup_version.to_owned(),
            cgroup_controllers: texts(info.cgroup_controllers),
            rootless: info.rootless,
            security: texts(info.security),
            images: info.images,
            containers_running: info.containers_running,
            lacking: info.lacking,
            settings_files: info.settings_files,
        }
    }
}

/// Finds it out.
#[pyfunction]
pub fn info(py: Python<'_>) -> PyResult<Info> {
    let found = log::detach(py, system::info);
    Ok(found.map_err(|error| errors::engine(py, error))?.into())
}

/// The names of the containers that run now.
#[pyfunction]
pub fn container_names(py: Python<'_>) -> PyResult<Vec<String>> {
    let names = log::detach(py, || Ok(owner::running_names(run::engine()?.paths())?));
    names.map_err(|error| errors::engine(py, error))
}

/// All checks, as JSON.
#[pyfunction]
pub fn doctor(py: Python<'_>) -> String {
    log::detach(py, system::doctor_json)
}
