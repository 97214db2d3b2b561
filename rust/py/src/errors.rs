//! The one conversion of the engine's errors to Python's, whose classes are in `fastbox.exceptions`.

use fastbox_engine::container::ContainerError;
use fastbox_engine::image::ImageError;
use fastbox_engine::options::OptionError;
use fastbox_engine::owner::StateError;
use fastbox_engine::run::EngineError;
use pyo3::prelude::*;
use pyo3::types::PyTuple;

use crate::completed::Completed;

/// The engine's error as Python's.
pub fn engine(py: Python<'_>, error: EngineError) -> PyErr {
    let (step, target, errno) = match &error {
        EngineError::Container(
            ContainerError::Step {
                step,
                target,
                errno,
            }
            | ContainerError::Enter {
                step,
                target,
                errno,
            },
        ) => (*step, target.clone(), *errno),
        EngineError::Container(ContainerError::Spawner { operation, errno })
        | EngineError::System { operation, errno } => (*operation, String::new(), *errno),
        EngineError::Bind { path, errno } => ("bind", path.display().to_string(), *errno),
        other => return make(py, class(other), (other.to_string(),)),
    };
    let arguments = (
        error.to_string(),
        errno as i32,
        step,
        target,
        error.exit_code(),
    );
    make(py, "SpawnError", arguments)
}

fn class(error: &EngineError) -> &'static str {
    match error {
        EngineError::Option(_)
        | EngineError::Settings(_)
        | EngineError::Spec(_)
        | EngineError::Plan(_)
        | EngineError::Limit { .. }
        | EngineError::Platform { .. }
        | EngineError::Strict { .. }
        | EngineError::NulByte { .. }
        | EngineError::EnvironmentName { .. }
        | EngineError::Directory { .. }
        | EngineError::IdFileExists { .. }
        | EngineError::WaitingTerminal
        | EngineError::State(StateError::InvalidName { .. }) => "SpecError",
        EngineError::State(StateError::NameConflict { .. }) => "Conflict",
        EngineError::NotRunning { .. } => "ContainerNotFound",
        EngineError::Image(error) => class_of_image(error),
        _ => "FastboxError",
    }
}

fn class_of_image(error: &ImageError) -> &'static str {
    match error {
        ImageError::NotFound { .. } => "ImageNotFound",
        ImageError::InUse { .. } | ImageError::SeveralNames { .. } => "Conflict",
        ImageError::Ambiguous { .. }
        | ImageError::InvalidReference { .. }
        | ImageError::Reserved { .. }
        | ImageError::InvalidPlatform { .. }
        | ImageError::Change { .. }
        | ImageError::Truncated { .. }
        | ImageError::Corrupt { .. }
        | ImageError::Unsupported { .. }
        | ImageError::Refused { .. }
        | ImageError::LimitExceeded { .. }
        | ImageError::Mismatch { .. }
        | ImageError::Missing { .. }
        | ImageError::Document { .. }
        | ImageError::Platform { .. } => "SpecError",
        ImageError::Within { source, .. } => class_of_image(source),
        _ => "FastboxError",
    }
}

/// A mistake in the options.
pub fn option(py: Python<'_>, error: OptionError) -> PyErr {
    engine(py, error.into())
}

/// Time was up, and everything in the container was killed.
pub fn timeout(completed: &Bound<'_, Completed>, seconds: f64) -> PyErr {
    let message = format!("timed out after {seconds} seconds");
    make(completed.py(), "ContainerTimeout", (message, completed))
}

/// Time was up before anything ran.
pub fn late(py: Python<'_>, seconds: f64) -> PyErr {
    let message = format!("timed out after {seconds} seconds");
    make(py, "ContainerTimeout", (message,))
}

/// `check=True`, and an exit code other than 0.
pub fn exit(completed: &Bound<'_, Completed>, message: String) -> PyErr {
    make(completed.py(), "ExitError", (message, completed))
}

/// An error of one of our classes. That they cannot be imported is then the error.
fn make<'py>(
    py: Python<'py>,
    class: &str,
    arguments: impl IntoPyObject<
        'py,
        Target = PyTuple,
        Output = Bound<'py, PyTuple>,
        Error: Into<PyErr>,
    >,
) -> PyErr {
    let made = || {
        let class = py.import("fastbox.exceptions")?.getattr(class)?;
        class.call1(arguments.into_pyobject(py).map_err(Into::into)?)
    };
    match made() {
        Ok(error) => PyErr::from_value(error),
        Err(error) => error,
    }
}
