//! Containers that run while Python does something else.

use std::os::fd::{AsRawFd, IntoRawFd};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError, RwLock};
use std::time::Duration;

use fastbox_engine::run::{self, EngineError, Exit};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyList;

use crate::completed::{Captured, Completed, Text};
use crate::interrupt::Interrupt;
use crate::pipe::Pipe;
use crate::{errors, log};

const SIGKILL: i32 = 9;

/// A container that was started; dropping it kills what runs in it and cleans up.
#[pyclass(frozen, module = "fastbox._core")]
pub struct Container {
    #[pyo3(get)]
    id: String,
    #[pyo3(get)]
    pid: i32,
    /// None once it is closed. Waiting and killing share it, so that one can be done during the other.
    running: RwLock<Option<run::Container>>,
    /// stdin, stdout, stderr, terminal.
    pipes: [Mutex<Pipe>; 4],
    exit: OnceLock<Exit>,
    completed: Mutex<Option<Py<Completed>>>,
    notes: Vec<String>,
}

impl Container {
    pub fn new(mut container: run::Container, notes: Vec<String>) -> Container {
        let pipes = [
            container.take_stdin(),
            container.take_stdout(),
            container.take_stderr(),
            container.take_terminal(),
        ];
        Container {
            id: container.id().to_owned(),
            pid: container.pid(),
            running: RwLock::new(Some(container)),
            pipes: pipes.map(|pipe| Mutex::new(pipe.into())),
            exit: OnceLock::new(),
            completed: Mutex::new(None),
            notes,
        }
    }

    /// Does something with the container, unless it is closed.
    fn with<T>(
        &self,
        call: impl FnOnce(&run::Container) -> Result<T, EngineError>,
    ) -> Result<Option<T>, EngineError> {
        let running = self.running.read().unwrap_or_else(PoisonError::into_inner);
        running.as_ref().map(call).transpose()
    }

    /// Waits; None: time is up, or the callback said so.
    fn ended(
        &self,
        timeout: Option<Duration>,
        interrupted: &mut dyn FnMut() -> bool,
    ) -> Result<Option<&Exit>, EngineError> {
        if self.exit.get().is_none()
            && let Some(Some(exit)) = self.with(|inner| inner.wait(timeout, interrupted))?
        {
            // Another thread may have been first, with the same.
            let _ = self.exit.set(exit);
        }
        Ok(self.exit.get())
    }

    fn end(&self) -> Result<(), EngineError> {
        self.with(|inner| inner.kill(SIGKILL))?;
        self.ended(None, &mut || false)?;
        drop(self.taken());
        Ok(())
    }

    fn taken(&self) -> Option<run::Container> {
        self.running
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .take()
    }
}

#[pymethods]
impl Container {
    /// The descriptor of a pipe, which is the caller's from now on; None where there is none to take.
    fn take(&self, py: Python<'_>, stream: &str) -> PyResult<Option<i32>> {
        let names = ["stdin", "stdout", "stderr", "terminal"];
        let place = names.iter().position(|name| *name == stream);
        let place = place.ok_or_else(|| PyValueError::new_err(stream.to_owned()))?;
        let taken = py.detach(|| lock(&self.pipes[place]).take());
        Ok(taken.map(IntoRawFd::into_raw_fd))
    }

    fn wait<'py>(
        &self,
        args: &Bound<'py, PyList>,
        timeout: Option<f64>,
        text: Option<Text>,
    ) -> PyResult<Option<Bound<'py, Completed>>> {
        let py = args.py();
        let timeout = timeout.map(|seconds| Duration::try_from_secs_f64(seconds.max(0.0)));
        let timeout = timeout
            .transpose()
            .map_err(|error| PyValueError::new_err(error.to_string()))?;
        let mut interrupt = Interrupt::default();
        let exit = log::detach(py, || {
            // Input that nobody took has ended; output that nobody took must not fill its pipe.
            drop(lock(&self.pipes[0]).take());
            for pipe in &self.pipes[1..] {
                lock(pipe).collect();
            }
            self.ended(timeout, &mut || interrupt.came())
        });
        let exit = interrupt.or(exit.map_err(|error| errors::engine(py, error)))?;
        let Some(exit) = exit else {
            return Ok(None);
        };
        let [stdout, stderr, terminal] = log::detach(py, || {
            [1, 2, 3].map(|place| lock(&self.pipes[place]).collected())
        });
        let captured = Captured {
            stdout: stdout?.or(terminal?),
            stderr: stderr?,
            truncated: false,
        };
        let mut completed = lock(&self.completed);
        if let Some(known) = &*completed {
            return Ok(Some(known.bind(py).clone()));
        }
        let new = Completed::new(
            args,
            exit.clone(),
            captured,
            text.as_ref(),
            self.notes.clone(),
        )?;
        let new = Bound::new(py, new)?;
        *completed = Some(new.clone().unbind());
        Ok(Some(new))
    }

    /// The number of its pidfd, readable once it has ended; an error when it is closed.
    fn fileno(&self) -> PyResult<i32> {
        let running = self.running.read().unwrap_or_else(PoisonError::into_inner);
        let closed = || PyValueError::new_err("the container is closed");
        let container = running.as_ref().ok_or_else(closed)?;
        Ok(container.pidfd().as_raw_fd())
    }

    fn kill(&self, py: Python<'_>, signal: i32) -> PyResult<()> {
        log::detach(py, || self.with(|inner| inner.kill(signal)))
            .map(drop)
            .map_err(|error| errors::engine(py, error))
    }

    fn close(&self, py: Python<'_>) -> PyResult<()> {
        log::detach(py, || self.end()).map_err(|error| errors::engine(py, error))
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        let container = self.taken();
        // Killing and cleaning up block. During the interpreter's end there is no lock to release.
        if let Some(container) = container {
            let mut container = Some(container);
            Python::try_attach(|py| py.detach(|| drop(container.take())));
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
