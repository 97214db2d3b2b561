//! The command line's words: parsing them, and the table they are in.

use std::ffi::OsString;
use std::path::PathBuf;

use fastbox_engine::options::{self, OptionError};
use fastbox_engine::settings::{self, Flags, SettingsError};
use pyo3::prelude::*;

use crate::errors;
use crate::plan::Plan;

/// `fastbox run [OPTIONS] IMAGE [COMMAND] [ARG...]`, read.
#[pyclass(frozen, module = "fastbox._core")]
pub struct RunCommand(options::RunCommand);

#[pymethods]
impl RunCommand {
    #[getter]
    fn interactive(&self) -> bool {
        self.0.options.interactive
    }

    #[getter]
    fn quiet(&self) -> bool {
        self.0.options.quiet
    }

    #[getter]
    fn tty(&self) -> bool {
        self.0.options.tty
    }

    fn prepare(&self, py: Python<'_>) -> PyResult<Plan> {
        let command = self.0.clone();
        Plan::new(py, command.image, command.options, command.command)
    }
}

/// Sets what global flags say; counts before anything else is asked of the engine.
#[pyfunction]
#[pyo3(signature = (config=None, root=None, run_root=None, log_level=None))]
pub fn configure(
    py: Python<'_>,
    config: Option<PathBuf>,
    root: Option<PathBuf>,
    run_root: Option<PathBuf>,
    log_level: Option<&str>,
) -> PyResult<()> {
    let level = |word: &str| {
        let unknown = SettingsError::Level {
            from: "--log-level",
            word: word.to_owned(),
        };
        settings::level(word).ok_or_else(|| errors::engine(py, unknown.into()))
    };
    settings::set_flags(Flags {
        config,
        root,
        run: run_root,
        log_level: log_level.map(level).transpose()?,
    });
    Ok(())
}

/// Reads the arguments after `run`; None where they ask for help.
#[pyfunction]
pub fn parse_run(py: Python<'_>, args: Vec<OsString>) -> PyResult<Option<RunCommand>> {
    let settings = settings::get().map_err(|error| errors::engine(py, error.into()))?;
    let defaults: Vec<(&str, &[String])> = settings
        .run_defaults
        .iter()
        .map(|default| (default.flag.as_str(), default.values.as_slice()))
        .collect();
    match options::parse_run_with(&args, &|name| std::env::var(name).ok(), &defaults) {
        Ok(command) => Ok(Some(RunCommand(command))),
        Err(OptionError::Help) => Ok(None),
        Err(error) => Err(errors::option(py, error)),
    }
}

/// Docker's flags that mean nothing here, as JSON.
#[pyfunction]
pub fn refused_flags() -> String {
    options::refused_json()
}

/// The option table as JSON.
#[pyfunction]
pub fn option_table() -> String {
    options::table_json()
}
