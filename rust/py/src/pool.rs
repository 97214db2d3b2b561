//! Pools.

use std::sync::Arc;
use std::time::Duration;

use fastbox_engine::run::pool::{self, Job};
use pyo3::exceptions::{PyKeyboardInterrupt, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyList};

use crate::completed::{Completed, Text};
use crate::container::Container;
use crate::interrupt::Interrupt;
use crate::plan::{Plan, ended, limit, options};
use crate::{errors, streams, values};

/// Containers of one plan that wait for their programs.
#[pyclass(frozen, module = "fastbox._core")]
pub struct Pool {
    pool: Option<Arc<pool::Pool>>,
    #[pyo3(get)]
    image: String,
}

impl Pool {
    pub fn pool(&self) -> &Arc<pool::Pool> {
        self.pool.as_ref().expect("taken only by drop")
    }
}

/// What a job brings: stdin, stdout, stderr, environment, working directory, files.
pub type Given<'py> = (
    i32,
    i32,
    i32,
    Bound<'py, PyDict>,
    Option<String>,
    Vec<(String, Bound<'py, PyBytes>)>,
);

/// The same as the engine takes it.
pub fn job(given: Given<'_>, args: &Bound<'_, PyList>, name: Option<String>) -> PyResult<Job> {
    let (stdin, stdout, stderr, env, cwd, files) = given;
    let env = env.iter().map(|(name, value)| {
        Ok::<_, PyErr>((name.extract::<String>()?, value.extract::<String>()?))
    });
    let files = files.into_iter();
    Ok(Job {
        args: values::arguments(args)?,
        env: env.collect::<PyResult<_>>()?,
        cwd,
        files: files
            .map(|(path, bytes)| (path, bytes.as_bytes().to_vec()))
            .collect(),
        stdin: streams::input(stdin)?,
        stdout: streams::output(stdout)?,
        stderr: streams::output(stderr)?,
        name,
    })
}

#[pymethods]
impl Pool {
    #[new]
    fn new(py: Python<'_>, plan: &Plan, ready: usize, idle: f64) -> PyResult<Pool> {
        let idle = Duration::try_from_secs_f64(idle)
            .map_err(|error| PyValueError::new_err(format!("idle_timeout: {error}")))?;
        let prepared = plan.prepared().clone();
        let pool = py.detach(|| pool::Pool::new(prepared, ready, idle));
        Ok(Pool {
            pool: Some(Arc::new(pool.map_err(|error| errors::engine(py, error))?)),
            image: plan.image.clone(),
        })
    }

    #[getter]
    fn waiting(&self) -> usize {
        self.pool().waiting()
    }

    #[getter]
    fn notes(&self) -> Vec<String> {
        self.pool().prepared().notes()
    }

    #[allow(clippy::too_many_arguments, reason = "Python's keywords")]
    fn run<'py>(
        &self,
        args: &Bound<'py, PyList>,
        given: Given<'py>,
        input: Option<&Bound<'py, PyBytes>>,
        text: Option<Text>,
        name: &Bound<'py, PyAny>,
        timeout: &Bound<'py, PyAny>,
        max_output: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, Completed>> {
        let py = args.py();
        let prepared = self.pool().prepared();
        let of_run = [
            ("name", name),
            ("timeout", timeout),
            ("max_output", max_output),
        ];
        let changed = options(prepared, of_run)?;
        let options = changed.as_ref().unwrap_or(prepared.options());
        let (timeout, most) = (options.timeout, limit(options));
        let job = job(
            given,
            args,
            options.name.as_ref().map(|name| name.0.clone()),
        )?;
        let input = input.map(|bytes| bytes.as_bytes());
        let mut interrupt = Interrupt::default();
        let result = py.detach(|| {
            let Some(mut container) = self.pool().start(job, &mut || interrupt.came())? else {
                return Ok(None);
            };
            container
                .communicate(input, timeout, most, &mut || interrupt.came())
                .map(Some)
        });
        let result = interrupt.or(result.map_err(|error| errors::engine(py, error)))?;
        match result {
            Some(result) => ended(prepared, args, result, text.as_ref(), timeout),
            None => Err(PyKeyboardInterrupt::new_err(())),
        }
    }

    fn start<'py>(
        &self,
        args: &Bound<'py, PyList>,
        given: Given<'py>,
        name: &Bound<'py, PyAny>,
    ) -> PyResult<Container> {
        let py = args.py();
        let prepared = self.pool().prepared();
        let none = py.None().into_bound(py);
        let of_run = [("name", name), ("timeout", &none), ("max_output", &none)];
        let changed = options(prepared, of_run)?;
        let options = changed.as_ref().unwrap_or(prepared.options());
        let job = job(
            given,
            args,
            options.name.as_ref().map(|name| name.0.clone()),
        )?;
        let mut interrupt = Interrupt::default();
        let started = py.detach(|| self.pool().start(job, &mut || interrupt.came()));
        let started = interrupt.or(started.map_err(|error| errors::engine(py, error)))?;
        let container = started.ok_or_else(|| PyKeyboardInterrupt::new_err(()))?;
        Ok(Container::new(container, prepared))
    }

    fn close(&self, py: Python<'_>) {
        py.detach(|| self.pool().close());
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        // Killing and cleaning up block. During the interpreter's end there is no lock to release.
        let mut pool = self.pool.take();
        Python::try_attach(|py| py.detach(|| drop(pool.take())));
    }
}
