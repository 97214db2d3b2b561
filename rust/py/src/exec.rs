//! One more program in a running container.

use std::time::Instant;

use fastbox_engine::run::{self, EngineError, Executed, Program};
use pyo3::exceptions::{PyKeyboardInterrupt, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyList};

use crate::completed::{Completed, Text};
use crate::container::Container;
use crate::handle::Handle;
use crate::interrupt::Interrupt;
use crate::plan::{ended, limit, options};
use crate::{errors, log, streams, values};

/// What it brings: stdin, stdout, stderr, environment, working directory, user.
pub type Asked<'py> = (
    i32,
    i32,
    i32,
    Bound<'py, PyDict>,
    Option<String>,
    Option<String>,
);

fn request(args: &Bound<'_, PyList>, asked: Asked<'_>) -> PyResult<run::Exec> {
    let (stdin, stdout, stderr, env, cwd, user) = asked;
    let env = env.iter().map(|(name, value)| {
        Ok::<_, PyErr>((name.extract::<String>()?, value.extract::<String>()?))
    });
    Ok(run::Exec {
        args: values::arguments(args)?,
        env: env.collect::<PyResult<_>>()?,
        cwd,
        user,
        stdin: streams::input(stdin)?,
        stdout: streams::output(stdout)?,
        stderr: streams::output(stderr)?,
    })
}

fn closed() -> PyErr {
    PyValueError::new_err("the container is closed")
}

/// Runs it and waits for its end.
pub fn run<'py>(
    container: &Container,
    args: &Bound<'py, PyList>,
    asked: Asked<'py>,
    input: Option<&Bound<'py, PyBytes>>,
    text: Option<Text>,
    timeout: &Bound<'py, PyAny>,
    max_output: &Bound<'py, PyAny>,
) -> PyResult<Bound<'py, Completed>> {
    let py = args.py();
    let prepared = container.prepared();
    let none = py.None().into_bound(py);
    let of_run = [
        ("name", &none),
        ("timeout", timeout),
        ("max_output", max_output),
    ];
    let changed = options(prepared, of_run)?;
    let options = changed.as_ref().unwrap_or(prepared.options());
    // The plan's is its own program's.
    let timeout = options.timeout.filter(|_| !timeout.is_none());
    let most = limit(options);
    let request = request(args, asked)?;
    let input = input.map(|bytes| bytes.as_bytes());
    let mut interrupt = Interrupt::default();
    let result = log::detach(py, || {
        let deadline = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        let began = container
            .handle()
            .with(|container| container.exec(request, deadline, &mut || interrupt.came()))?;
        let Some(Some(mut executed)) = began else {
            return Ok(began.map(|_| None));
        };
        let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
        let done = executed.communicate(input, left, most, &mut || interrupt.came());
        done.map(|done| Some(Some(done)))
    });
    let result = interrupt.or(result.map_err(|error: EngineError| errors::engine(py, error)))?;
    match (result, timeout) {
        (None, _) => Err(closed()),
        (Some(Some(result)), _) => ended(prepared, args, result, text.as_ref(), timeout),
        (Some(None), Some(timeout)) => Err(errors::late(py, timeout.as_secs_f64())),
        (Some(None), None) => Err(PyKeyboardInterrupt::new_err(())),
    }
}

/// Starts it.
pub fn start<'py>(
    container: &Container,
    args: &Bound<'py, PyList>,
    asked: Asked<'py>,
) -> PyResult<Exec> {
    let py = args.py();
    let request = request(args, asked)?;
    let mut interrupt = Interrupt::default();
    let began = log::detach(py, || {
        container.handle().with(|container| {
            let began = container.exec(request, None, &mut || interrupt.came())?;
            began.iter().try_for_each(Executed::watch)?;
            Ok(began)
        })
    });
    let began = interrupt.or(began.map_err(|error| errors::engine(py, error)))?;
    let executed = began.ok_or_else(closed)?;
    let executed = executed.ok_or_else(|| PyKeyboardInterrupt::new_err(()))?;
    let notes = container.prepared().notes();
    Ok(Exec {
        handle: Handle::new(executed, notes),
    })
}

/// A program that was started in a running container; dropping it kills what is its.
#[pyclass(frozen, module = "fastbox._core")]
pub struct Exec {
    handle: Handle<Executed>,
}

#[pymethods]
impl Exec {
    #[getter]
    fn pid(&self) -> i32 {
        self.handle.pid
    }

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

    fn fileno(&self) -> PyResult<i32> {
        self.handle.fileno()
    }

    fn kill(&self, py: Python<'_>, signal: i32) -> PyResult<()> {
        self.handle.kill(py, signal)
    }

    fn close(&self, py: Python<'_>) -> PyResult<()> {
        self.handle.close(py)
    }
}
