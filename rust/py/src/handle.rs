//! A program that runs while Python does something else: what a container and one more program in it share.

use std::os::fd::{AsRawFd, IntoRawFd};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError, RwLock};
use std::time::Duration;

use fastbox_engine::run::{EngineError, Exit, Program};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyList;

use crate::completed::{Captured, Completed, Text};
use crate::interrupt::Interrupt;
use crate::pipe::Pipe;
use crate::{errors, log};

/// A program that was started; dropping it kills what is its and cleans up.
pub struct Handle<P: Program> {
    pub pid: i32,
    /// None once it is closed. Waiting and killing share it, so that one can be done during the other.
    running: RwLock<Option<P>>,
    /// stdin, stdout, stderr, terminal.
    pipes: [Mutex<Pipe>; 4],
    exit: OnceLock<Exit>,
    completed: Mutex<Option<Py<Completed>>>,
    notes: Vec<String>,
}

impl<P: Program> Handle<P> {
    pub fn new(mut program: P, notes: Vec<String>) -> Handle<P> {
        let pipes = program.take_streams();
        Handle {
            pid: program.pid(),
            running: RwLock::new(Some(program)),
            pipes: pipes.map(|pipe| Mutex::new(pipe.into())),
            exit: OnceLock::new(),
            completed: Mutex::new(None),
            notes,
        }
    }

    /// Does something with the program, unless it is closed.
    pub fn with<T>(
        &self,
        call: impl FnOnce(&P) -> Result<T, EngineError>,
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
        self.with(Program::kill_all)?;
        self.ended(None, &mut || false)?;
        drop(self.taken());
        Ok(())
    }

    fn taken(&self) -> Option<P> {
        self.running
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .take()
    }

    /// The descriptor of a pipe, which is the caller's from now on; None where there is none to take.
    pub fn take(&self, py: Python<'_>, stream: &str) -> PyResult<Option<i32>> {
        let names = ["stdin", "stdout", "stderr", "terminal"];
        let place = names.iter().position(|name| *name == stream);
        let place = place.ok_or_else(|| PyValueError::new_err(stream.to_owned()))?;
        let taken = py.detach(|| lock(&self.pipes[place]).take());
        Ok(taken.map(IntoRawFd::into_raw_fd))
    }

    pub fn wait<'py>(
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
    pub fn fileno(&self) -> PyResult<i32> {
        let running = self.running.read().unwrap_or_else(PoisonError::into_inner);
        let closed = || PyValueError::new_err("the container is closed");
        let program = running.as_ref().ok_or_else(closed)?;
        Ok(program.pidfd().as_raw_fd())
    }

    pub fn kill(&self, py: Python<'_>, signal: i32) -> PyResult<()> {
        log::detach(py, || self.with(|inner| inner.kill(signal)))
            .map(drop)
            .map_err(|error| errors::engine(py, error))
    }

    pub fn close(&self, py: Python<'_>) -> PyResult<()> {
        log::detach(py, || self.end()).map_err(|error| errors::engine(py, error))
    }
}

impl<P: Program> Drop for Handle<P> {
    fn drop(&mut self) {
        let program = self.taken();
        // Killing and cleaning up block. During the interpreter's end there is no lock to release.
        if let Some(program) = program {
            let mut program = Some(program);
            Python::try_attach(|py| py.detach(|| drop(program.take())));
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
