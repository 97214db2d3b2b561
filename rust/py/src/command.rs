//! The command line's words: parsing them, and the table they are in.

use std::ffi::OsString;

use fastbox_engine::options::{self, OptionError};
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
    fn timings(&self) -> bool {
        self.0.options.timings
    }

    fn prepare(&self, py: Python<'_>) -> PyResult<Plan> {
        let command = self.0.clone();
        Plan::new(py, command.image, command.options, command.command)
    }
}

/// Reads the arguments after `run`; None where they ask for help.
#[pyfunction]
pub fn parse_run(py: Python<'_>, args: Vec<OsString>) -> PyResult<Option<RunCommand>> {
    match options::parse_run(&args, &|name| std::env::var(name).ok()) {
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
