//! Many runs at once.

use std::collections::HashMap;
use std::os::fd::AsRawFd;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use fastbox_engine::run::many::{self, Source, Task};
use fastbox_engine::run::{Communicated, EngineError, Prepared};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyList};

use crate::completed::{Completed, Text};
use crate::errors;
use crate::interrupt::Interrupt;
use crate::plan::{Plan, ended, limit, options};
use crate::pool::{Given, Pool, job};

/// Runs in progress, without a thread for each.
#[pyclass(frozen, module = "fastbox._core")]
pub struct Many {
    many: Option<many::Many>,
    asked: Mutex<HashMap<u64, Asked>>,
}

/// What the result of a run is made with.
struct Asked {
    prepared: Arc<Prepared>,
    args: Py<PyList>,
    text: Option<Text>,
    timeout: Option<Duration>,
    // Its number is the caller's until the result is taken.
    _notify: Option<Arc<many::Notification>>,
}

#[derive(FromPyObject)]
enum From<'py> {
    Plan(PyRef<'py, Plan>),
    Pool(PyRef<'py, Pool>),
}

#[pymethods]
impl Many {
    #[new]
    fn new(py: Python<'_>, concurrency: usize) -> PyResult<Many> {
        let many = py.detach(|| many::Many::new(concurrency));
        Ok(Many {
            many: Some(many.map_err(|error| errors::engine(py, error))?),
            asked: Mutex::new(HashMap::new()),
        })
    }

    /// Queues a run. Its number, and with `notify` a descriptor that is readable once it is over.
    #[allow(clippy::too_many_arguments, reason = "Python's keywords")]
    fn submit<'py>(
        &self,
        source: From<'py>,
        notify: bool,
        args: &Bound<'py, PyList>,
        given: Given<'py>,
        input: Option<&Bound<'py, PyBytes>>,
        text: Option<Text>,
        name: &Bound<'py, PyAny>,
        timeout: &Bound<'py, PyAny>,
        max_output: &Bound<'py, PyAny>,
    ) -> PyResult<(u64, Option<i32>)> {
        let py = args.py();
        let (source, prepared) = match source {
            From::Plan(plan) => (
                Source::Plan(plan.prepared().clone()),
                plan.prepared().clone(),
            ),
            From::Pool(pool) => (
                Source::Pool(pool.pool().clone()),
                pool.pool().prepared().clone(),
            ),
        };
        let of_run = [
            ("name", name),
            ("timeout", timeout),
            ("max_output", max_output),
        ];
        let changed = options(&prepared, of_run)?;
        let options = changed.as_ref().unwrap_or(prepared.options());
        let notify = notify.then(many::Notification::new).transpose();
        let notify = notify
            .map_err(|error| errors::engine(py, error))?
            .map(Arc::new);
        let timeout = options.timeout;
        let task = Task {
            source,
            job: job(
                given,
                args,
                options.name.as_ref().map(|name| name.0.clone()),
            )?,
            input: input
                .map(|bytes| bytes.as_bytes().to_vec())
                .unwrap_or_default(),
            timeout,
            max_output: limit(options),
            notify: notify.clone(),
        };
        let fd = notify.as_ref().map(|notify| notify.as_raw_fd());
        // Held until the run is on record here, for it may be over at once.
        let mut asked = self.asked();
        let number = self.many().submit(task);
        asked.insert(
            number,
            Asked {
                prepared,
                args: args.clone().unbind(),
                text,
                timeout,
                _notify: notify,
            },
        );
        Ok((number, fd))
    }

    /// The next run that is over: its number, and what came of it or the error.
    fn next(&self, py: Python<'_>) -> PyResult<(u64, Py<PyAny>)> {
        let mut interrupt = Interrupt::default();
        let done = py.detach(|| self.many().next(&mut || interrupt.came()));
        let done = interrupt.or(Ok(done))?;
        let (number, result) =
            done.ok_or_else(|| pyo3::exceptions::PyKeyboardInterrupt::new_err(()))?;
        let result = match self.result(py, number, result) {
            Ok(completed) => completed.into_any().unbind(),
            Err(error) => error.into_value(py).into_any(),
        };
        Ok((number, result))
    }

    /// What came of a run, or the error it ended with; None while it is not over.
    fn take<'py>(&self, py: Python<'py>, number: u64) -> PyResult<Option<Bound<'py, Completed>>> {
        let taken = py.detach(|| self.many().take(number));
        taken
            .map(|result| self.result(py, number, result))
            .transpose()
    }

    /// Ends a run, or takes it out of the queue.
    fn cancel(&self, py: Python<'_>, number: u64) {
        py.detach(|| self.many().cancel(number));
    }
}

impl Many {
    fn many(&self) -> &many::Many {
        self.many.as_ref().expect("taken only by drop")
    }

    fn asked(&self) -> MutexGuard<'_, HashMap<u64, Asked>> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn result<'py>(
        &self,
        py: Python<'py>,
        number: u64,
        result: Result<Communicated, EngineError>,
    ) -> PyResult<Bound<'py, Completed>> {
        let asked = self.asked().remove(&number);
        let result = result.map_err(|error| errors::engine(py, error))?;
        let asked = asked.expect("a number that was given out, once");
        let args = asked.args.bind(py);
        ended(
            &asked.prepared,
            args,
            result,
            asked.text.as_ref(),
            asked.timeout,
        )
    }
}

impl Drop for Many {
    fn drop(&mut self) {
        // During the interpreter's end there is no lock to release.
        let mut many = self.many.take();
        Python::try_attach(|py| py.detach(|| drop(many.take())));
    }
}
