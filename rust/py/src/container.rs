//! Containers that run while Python does something else.

use std::sync::Arc;

use fastbox_engine::run::{self, Prepared};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyList};

use crate::completed::{Completed, Text};
use crate::exec::{self, Asked, Exec};
use crate::handle::Handle;

/// A container that was started; dropping it kills what runs in it and cleans up.
#[pyclass(frozen, module = "fastbox._core")]
pub struct Container {
    #[pyo3(get)]
    id: String,
    handle: Handle<run::Container>,
    prepared: Arc<Prepared>,
}

impl Container {
    pub fn new(container: run::Container, prepared: &Arc<Prepared>) -> Container {
        Container {
            id: container.id().to_owned(),
            handle: Handle::new(container, prepared.notes()),
            prepared: Arc::clone(prepared),
        }
    }

    /// What it was made of.
    pub fn prepared(&self) -> &Arc<Prepared> {
        &self.prepared
    }

    /// The container itself.
    pub fn handle(&self) -> &Handle<run::Container> {
        &self.handle
    }
}

#[pymethods]
impl Container {
    #[getter]
    fn pid(&self) -> i32 {
        self.handle.pid
    }

    /// The descriptor of a pipe, which is the caller's from now on; None where there is none to take.
    fn take(&self, py: Python<'_>, stream: &str) -> PyResult<Option<i32>> {
        self.handle.take(py, stream)
    }

    fn wait<'py>(
        &self,
        args: &Bound<'py, PyList>,
        timeout: Option<f64>,
        text: Option<Text>,
    ) -> PyResult<Option<Bound<'py, Completed>>> {
        self.handle.wait(args, timeout, text)
    }

    /// The number of its pidfd, readable once it has ended; an error when it is closed.
    fn fileno(&self) -> PyResult<i32> {
        self.handle.fileno()
    }

    fn kill(&self, py: Python<'_>, signal: i32) -> PyResult<()> {
        self.handle.kill(py, signal)
    }

    fn close(&self, py: Python<'_>) -> PyResult<()> {
        self.handle.close(py)
    }

    /// Runs one more program in it, and waits for its end.
    #[allow(clippy::too_many_arguments, reason = "Python's keywords")]
    fn exec<'py>(
        &self,
        args: &Bound<'py, PyList>,
        asked: Asked<'py>,
        input: Option<&Bound<'py, PyBytes>>,
        text: Option<Text>,
        timeout: &Bound<'py, PyAny>,
        max_output: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, Completed>> {
        exec::run(self, args, asked, input, text, timeout, max_output)
    }

    /// Starts one more program in it.
    fn exec_start<'py>(&self, args: &Bound<'py, PyList>, asked: Asked<'py>) -> PyResult<Exec> {
        exec::start(self, args, asked)
    }
}
