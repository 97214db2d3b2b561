//! The command line's words: parsing them, and the table they are in.

use std::ffi::OsString;

use fastbox_engine::options::{self, OptionError};
use fastbox_engine::run::Foreground;
use fastbox_engine::settings::{self, Before};
use pyo3::prelude::*;

use crate::{errors, log};

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
    fn tty(&self) -> bool {
        self.0.options.tty
    }

    /// Runs it on the process's own streams; the exit code.
    fn run(&self, py: Python<'_>) -> PyResult<i32> {
        let failed = |error| errors::engine(py, error);
        let command = self.0.clone();
        let prepared = log::detach(py, || Foreground::prepare(command)).map_err(failed)?;
        // From here on signals are the container's; one that came before was for this process.
        py.check_signals()?;
        log::detach(py, || prepared.run()).map_err(failed)
    }
}

/// Reads the flags before the command and sets what they say, which counts before anything else is asked of the
/// engine. What follows them; `help` or `version` where they ask for that.
#[pyfunction]
pub fn global_flags(py: Python<'_>, args: Vec<OsString>) -> PyResult<Vec<OsString>> {
    match settings::read_flags(&args).map_err(|error| errors::engine(py, error.into()))? {
        Before::Flags(flags, count) => {
            settings::set_flags(flags);
            Ok(args[count..].to_vec())
        }
        Before::Help => Ok(vec!["help".into()]),
        Before::Version => Ok(vec!["version".into()]),
    }
}

/// Reads the arguments after `run`; None where they ask for help.
#[pyfunction]
pub fn parse_run(py: Python<'_>, args: Vec<OsString>) -> PyResult<Option<RunCommand>> {
    let settings = settings::get().map_err(|error| errors::engine(py, error.into()))?;
    let defaults = settings.defaults();
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
