//! What a run came to.

use fastbox_engine::run;
use pyo3::exceptions::PyValueError;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyList, PyTuple, PyType};

use crate::errors;

/// Encoding and errors, as `bytes.decode` takes them.
pub type Text = (String, String);

/// What a container used.
#[pyclass(frozen, module = "fastbox._core")]
pub struct Usage(run::Used);

#[pymethods]
impl Usage {
    #[new]
    #[pyo3(signature = (cpu_total_ns=None, cpu_user_ns=None, cpu_system_ns=None, memory_peak_bytes=None, oom_killed=None, wall_ns=0))]
    fn __new__(
        cpu_total_ns: Option<u64>,
        cpu_user_ns: Option<u64>,
        cpu_system_ns: Option<u64>,
        memory_peak_bytes: Option<u64>,
        oom_killed: Option<bool>,
        wall_ns: u64,
    ) -> Usage {
        let known = run::Usage {
            cpu_total_ns,
            cpu_user_ns,
            cpu_system_ns,
            memory_peak_bytes,
            oom_killed,
            wall_ns,
        };
        Usage(known.into())
    }

    fn __reduce__<'py>(
        slf: Bound<'py, Usage>,
    ) -> PyResult<(Bound<'py, PyType>, Bound<'py, PyTuple>)> {
        let run::Usage {
            cpu_total_ns,
            cpu_user_ns,
            cpu_system_ns,
            memory_peak_bytes,
            oom_killed,
            wall_ns,
        } = slf.get().0.usage();
        let fields = (
            cpu_total_ns,
            cpu_user_ns,
            cpu_system_ns,
            memory_peak_bytes,
            oom_killed,
            wall_ns,
        );
        Ok((slf.get_type(), fields.into_pyobject(slf.py())?))
    }

    #[getter]
    fn cpu_total_ns(&self) -> Option<u64> {
        self.0.usage().cpu_total_ns
    }

    #[getter]
    fn cpu_user_ns(&self) -> Option<u64> {
        self.0.usage().cpu_user_ns
    }

    #[getter]
    fn cpu_system_ns(&self) -> Option<u64> {
        self.0.usage().cpu_system_ns
    }

    #[getter]
    fn memory_peak_bytes(&self) -> Option<u64> {
        self.0.usage().memory_peak_bytes
    }

    #[getter]
    fn oom_killed(&self) -> Option<bool> {
        self.0.usage().oom_killed
    }

    #[getter]
    fn wall_ns(&self) -> u64 {
        self.0.usage().wall_ns
    }

    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        let shown = |value: Option<u64>| value.map_or("None".to_owned(), |n| n.to_string());
        let usage = self.0.usage();
        let oom = usage.oom_killed.into_pyobject(py)?.repr()?;
        Ok(format!(
            "Usage(cpu_total_ns={}, cpu_user_ns={}, cpu_system_ns={}, memory_peak_bytes={}, oom_killed={oom}, wall_ns={})",
            shown(usage.cpu_total_ns),
            shown(usage.cpu_user_ns),
            shown(usage.cpu_system_ns),
            shown(usage.memory_peak_bytes),
            usage.wall_ns,
        ))
    }
}

/// A run that has ended. In the stubs it is generic in the type of its output.
#[pyclass(frozen, generic, module = "fastbox._core", get_all)]
pub struct Completed {
    args: Py<PyList>,
    exit_code: i32,
    signal: Option<i32>,
    stdout: Option<Py<PyAny>>,
    stderr: Option<Py<PyAny>>,
    usage: Py<Usage>,
    timings: Option<Vec<(String, f64, f64)>>,
    truncated: bool,
    notes: Vec<String>,
}

/// What was read from the pipes, as bytes.
#[derive(Default)]
pub struct Captured {
    pub stdout: Option<Vec<u8>>,
    pub stderr: Option<Vec<u8>>,
    pub truncated: bool,
}

impl Completed {
    /// Puts a result together; output becomes text where `text` is given.
    pub fn new(
        args: &Bound<'_, PyList>,
        exit: run::Exit,
        captured: Captured,
        text: Option<&Text>,
        notes: Vec<String>,
    ) -> PyResult<Completed> {
        let py = args.py();
        let step = |step: run::Timing| (step.label, step.begin_us, step.took_us);
        let timings = exit.timings;
        Ok(Completed {
            args: args.clone().unbind(),
            exit_code: exit.code,
            signal: exit.signal,
            stdout: output(py, captured.stdout, text)?,
            stderr: output(py, captured.stderr, text)?,
            usage: Py::new(py, Usage(exit.used))?,
            timings: timings.map(|steps| steps.into_iter().map(step).collect()),
            truncated: captured.truncated,
            notes,
        })
    }
}

#[pymethods]
impl Completed {
    #[new]
    #[pyo3(signature = (args, exit_code, signal=None, stdout=None, stderr=None, usage=None, timings=None, truncated=false, notes=Vec::new()))]
    #[allow(clippy::too_many_arguments, reason = "one for each attribute")]
    fn __new__(
        py: Python<'_>,
        args: Py<PyList>,
        exit_code: i32,
        signal: Option<i32>,
        stdout: Option<Py<PyAny>>,
        stderr: Option<Py<PyAny>>,
        usage: Option<Py<Usage>>,
        timings: Option<Vec<(String, f64, f64)>>,
        truncated: bool,
        notes: Vec<String>,
    ) -> PyResult<Completed> {
        let usage = usage.map_or_else(|| Py::new(py, Usage(run::Usage::default().into())), Ok)?;
        Ok(Completed {
            args,
            exit_code,
            signal,
            stdout,
            stderr,
            usage,
            timings,
            truncated,
            notes,
        })
    }

    fn __reduce__<'py>(
        slf: Bound<'py, Completed>,
    ) -> PyResult<(Bound<'py, PyType>, Bound<'py, PyTuple>)> {
        let done = slf.get();
        let fields = (
            &done.args,
            done.exit_code,
            done.signal,
            &done.stdout,
            &done.stderr,
            &done.usage,
            &done.timings,
            done.truncated,
            &done.notes,
        );
        Ok((slf.get_type(), fields.into_pyobject(slf.py())?))
    }

    #[getter]
    fn returncode(&self) -> i32 {
        self.exit_code
    }

    fn chrome_trace(&self) -> PyResult<String> {
        let steps = self.timings.iter().flatten().cloned();
        let steps: Vec<_> = steps
            .map(|(label, begin_us, took_us)| run::Timing {
                label,
                begin_us,
                took_us,
            })
            .collect();
        match self.timings {
            Some(_) => Ok(run::chrome_trace(&steps)),
            None => Err(PyValueError::new_err(
                "the run was not timed: start it with timings=True",
            )),
        }
    }

    fn check_returncode(slf: Bound<'_, Completed>) -> PyResult<()> {
        let done = slf.get();
        if done.exit_code == 0 {
            return Ok(());
        }
        let command = done.args.bind(slf.py()).repr()?;
        let oom = match done.usage.get().0.usage().oom_killed {
            Some(true) => ", out of memory",
            _ => "",
        };
        let message = match done.signal {
            Some(signal) => format!("{command} was killed by signal {signal}{oom}"),
            None => format!("{command} ended with exit code {}{oom}", done.exit_code),
        };
        Err(errors::exit(&slf, message))
    }

    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        let shown = |stream: &Option<Py<PyAny>>| match stream {
            Some(content) => Ok::<_, PyErr>(content.bind(py).repr()?.to_string()),
            None => Ok("None".to_owned()),
        };
        Ok(format!(
            "Completed(args={}, exit_code={}, stdout={}, stderr={})",
            self.args.bind(py).repr()?,
            self.exit_code,
            shown(&self.stdout)?,
            shown(&self.stderr)?,
        ))
    }
}

/// Bytes, or text with every line's end a `\n`, as subprocess gives it.
fn output(
    py: Python<'_>,
    bytes: Option<Vec<u8>>,
    text: Option<&Text>,
) -> PyResult<Option<Py<PyAny>>> {
    let Some(bytes) = bytes else {
        return Ok(None);
    };
    let bytes = PyBytes::new(py, &bytes);
    let Some((encoding, errors)) = text else {
        return Ok(Some(bytes.into_any().unbind()));
    };
    let mut decoded = bytes.call_method1(intern!(py, "decode"), (encoding, errors))?;
    for end in ["\r\n", "\r"] {
        decoded = decoded.call_method1(intern!(py, "replace"), (end, "\n"))?;
    }
    Ok(Some(decoded.unbind()))
}
