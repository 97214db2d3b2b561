//! Python's signal handlers during calls that block without the interpreter's lock.

use pyo3::prelude::*;

/// Runs the handlers of signals that came, and keeps what one raised, as KeyboardInterrupt.
#[derive(Default)]
pub struct Interrupt(Option<PyErr>);

impl Interrupt {
    /// Whether a handler raised. Takes the interpreter's lock; only the main thread has handlers to run.
    pub fn came(&mut self) -> bool {
        if self.0.is_none() {
            self.0 = Python::attach(|py| py.check_signals()).err();
        }
        self.0.is_some()
    }

    /// What the handler raised, else `result`.
    pub fn or<T>(self, result: PyResult<T>) -> PyResult<T> {
        match self.0 {
            Some(error) => Err(error),
            None => result,
        }
    }
}
