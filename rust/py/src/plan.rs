//! Plans, and the runs they make.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use fastbox_engine::image::Image;
use fastbox_engine::options::{Checked, Options};
use fastbox_engine::run::{self, Communicated, Prepared, Request};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyList};

use crate::completed::{Captured, Completed, Text};
use crate::container::Container;
use crate::interrupt::Interrupt;
use crate::{errors, log, streams, values};

/// An image and its options, ready to run.
#[pyclass(frozen, module = "fastbox._core")]
pub struct Plan {
    #[pyo3(get)]
    pub image: String,
    prepared: Arc<Prepared>,
    // Where the plan is shared: what keeps the image from being removed meanwhile.
    _held: Option<Image>,
}

/// Where fastbox's own programs are.
#[pyfunction]
pub fn set_programs(directory: PathBuf) {
    run::set_programs(directory);
}

/// Resolves an image and options; with `shared` the Plan is one that earlier runs of the same have left.
#[pyfunction]
pub fn prepare(
    py: Python<'_>,
    image: String,
    config: &Bound<'_, PyDict>,
    shared: bool,
) -> PyResult<Plan> {
    let mut options = Options::default();
    values::set_all(&mut options, config)?;
    let options = values::check(py, options)?;
    if !shared {
        let prepared = log::detach(py, || run::engine()?.prepare(&image, options, &[]));
        let prepared = prepared.map_err(|error| errors::engine(py, error))?;
        return Ok(Plan {
            image,
            prepared,
            _held: None,
        });
    }
    let prepared = log::detach(py, || run::engine()?.prepare_shared(&image, options));
    let prepared = prepared.map_err(|error| errors::engine(py, error))?;
    let (prepared, held) = prepared;
    Ok(Plan {
        image,
        prepared,
        _held: held,
    })
}

impl Plan {
    fn launch(&self, py: Python<'_>, request: Request) -> PyResult<run::Container> {
        log::detach(py, || self.prepared.start(request)).map_err(|error| errors::engine(py, error))
    }

    /// What is prepared.
    pub fn prepared(&self) -> &Arc<Prepared> {
        &self.prepared
    }
}

/// A plan's options with those of one run, looked at together again where there are any.
pub fn options(
    prepared: &Prepared,
    of_run: [(&str, &Bound<'_, PyAny>); 3],
) -> PyResult<Option<Checked>> {
    if of_run.iter().all(|(_, given)| given.is_none()) {
        return Ok(None);
    }
    let mut options = Options::clone(prepared.options());
    for (name, given) in &of_run {
        values::set(&mut options, name, given)?;
    }
    Ok(Some(values::check(of_run[0].1.py(), options)?))
}

#[pymethods]
impl Plan {
    /// Whether its programs have a terminal.
    #[getter]
    fn tty(&self) -> bool {
        self.prepared.options().tty
    }

    #[getter]
    fn notes(&self) -> Vec<String> {
        self.prepared.notes()
    }

    #[allow(clippy::too_many_arguments, reason = "Python's keywords")]
    fn run<'py>(
        &self,
        args: &Bound<'py, PyList>,
        input: Option<&Bound<'py, PyBytes>>,
        stdin: i32,
        stdout: i32,
        stderr: i32,
        text: Option<Text>,
        name: &Bound<'py, PyAny>,
        timeout: &Bound<'py, PyAny>,
        max_output: &Bound<'py, PyAny>,
        timings: bool,
    ) -> PyResult<Bound<'py, Completed>> {
        let py = args.py();
        let of_run = [
            ("name", name),
            ("timeout", timeout),
            ("max_output", max_output),
        ];
        let changed = options(&self.prepared, of_run)?;
        let options = changed.as_ref().unwrap_or(self.prepared.options());
        let request = Request {
            args: values::arguments(args)?,
            stdin: streams::input(stdin)?,
            stdout: streams::output(stdout)?,
            stderr: streams::output(stderr)?,
            name: options.name.as_ref().map(|name| name.0.clone()),
            id_file: None,
            timed: timings,
        };
        let (timeout, most) = (options.timeout, limit(options));
        let mut container = self.launch(py, request)?;
        let input = input.map(|bytes| bytes.as_bytes());
        let mut interrupt = Interrupt::default();
        let result = log::detach(py, || {
            let result = container.communicate(input, timeout, most, &mut || interrupt.came());
            drop(container);
            result
        });
        let result = interrupt.or(result.map_err(|error| errors::engine(py, error)))?;
        ended(&self.prepared, args, result, text.as_ref(), timeout)
    }

    fn start(
        &self,
        args: &Bound<'_, PyList>,
        stdin: i32,
        stdout: i32,
        stderr: i32,
        name: &Bound<'_, PyAny>,
        timings: bool,
    ) -> PyResult<Container> {
        let py = args.py();
        let none = py.None().into_bound(py);
        let of_run = [("name", name), ("timeout", &none), ("max_output", &none)];
        let changed = options(&self.prepared, of_run)?;
        let options = changed.as_ref().unwrap_or(self.prepared.options());
        let request = Request {
            args: values::arguments(args)?,
            stdin: streams::input(stdin)?,
            stdout: streams::output(stdout)?,
            stderr: streams::output(stderr)?,
            name: options.name.as_ref().map(|name| name.0.clone()),
            id_file: None,
            timed: timings,
        };
        Ok(Container::new(self.launch(py, request)?, &self.prepared))
    }
}

/// A run's end as Python sees it; an error where its time was up.
pub fn ended<'py>(
    prepared: &Prepared,
    args: &Bound<'py, PyList>,
    result: Communicated,
    text: Option<&Text>,
    timeout: Option<Duration>,
) -> PyResult<Bound<'py, Completed>> {
    let captured = Captured {
        stdout: result.stdout,
        stderr: result.stderr,
        truncated: result.truncated,
    };
    let completed = Completed::new(args, result.exit, captured, text, prepared.notes())?;
    let completed = Bound::new(args.py(), completed)?;
    match timeout {
        Some(timeout) if result.timed_out => {
            Err(errors::timeout(&completed, timeout.as_secs_f64()))
        }
        _ => Ok(completed),
    }
}

/// The most bytes of output; 0 is no limit.
pub fn limit(options: &Checked) -> Option<u64> {
    options
        .max_output
        .map(|size| size.0)
        .filter(|bytes| *bytes > 0)
}
