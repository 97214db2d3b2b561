//! Events of the engine for Python's `logging`, where the program has imported that: importing it costs more than a
//! container. An event is told when the call in which it happened returns, since only then the interpreter's lock
//! is had for sure.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use fastbox_engine::logging;
use fastbox_engine::logging::{Level, LevelFilter, Record};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::PyDict;

struct Event {
    level: Level,
    text: String,
    /// Seconds since 1970, as Python has them.
    created: f64,
}

static EVENTS: Mutex<Vec<Event>> = Mutex::new(Vec::new());
static THERE_ARE: AtomicBool = AtomicBool::new(false);
/// More than this between two calls are an error of ours, and are not kept.
const MOST: usize = 10_000;

fn keep(record: &Record<'_>) {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let event = Event {
        level: record.level(),
        text: record.args().to_string(),
        created: now.map_or(0.0, |since| since.as_secs_f64()),
    };
    let mut events = EVENTS.lock().unwrap_or_else(PoisonError::into_inner);
    if events.len() < MOST {
        events.push(event);
    }
    THERE_ARE.store(true, Ordering::Release);
}

/// Calls without the interpreter's lock, then tells what happened to the logger `fastbox`.
pub fn detach<T: Send>(py: Python<'_>, call: impl FnOnce() -> T + Send) -> T {
    let logger = logger(py);
    if let Some(logger) = logger {
        let level = logger.call_method0(intern!(py, "getEffectiveLevel"));
        let level = level.and_then(|level| level.extract::<i64>());
        logging::listen(keep, filter(level.unwrap_or(i64::MAX)));
    }
    let result = py.detach(call);
    if THERE_ARE.swap(false, Ordering::AcqRel)
        && let Some(logger) = logger
    {
        let events = std::mem::take(&mut *EVENTS.lock().unwrap_or_else(PoisonError::into_inner));
        for event in events {
            // A handler that fails is the program's, and no reason to fail a container.
            if let Err(error) = tell(logger, event) {
                error.write_unraisable(py, Some(logger));
            }
        }
    }
    result
}

/// The logger, once the program has imported `logging`.
fn logger(py: Python<'_>) -> Option<&Bound<'_, PyAny>> {
    static LOGGER: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    if let Some(logger) = LOGGER.get(py) {
        return Some(logger.bind(py));
    }
    static MODULES: PyOnceLock<Py<PyDict>> = PyOnceLock::new();
    let modules = || {
        let modules = py
            .import(intern!(py, "sys"))?
            .getattr(intern!(py, "modules"))?;
        Ok::<_, PyErr>(modules.cast_into::<PyDict>()?.unbind())
    };
    let modules = MODULES.get_or_try_init(py, modules).ok()?.bind(py);
    let logging = modules.get_item(intern!(py, "logging")).ok()??;
    let make = || {
        let logger = logging.call_method1("getLogger", (logging::TARGET,))?;
        // A library says nothing where the program has not set up logging.
        logger.call_method1("addHandler", (logging.call_method0("NullHandler")?,))?;
        Ok::<_, PyErr>(logger.unbind())
    };
    // Another thread may be in the middle of importing it: then the next call finds it whole.
    LOGGER
        .get_or_try_init(py, make)
        .ok()
        .map(|logger| logger.bind(py))
}

fn filter(level: i64) -> LevelFilter {
    match level {
        ..=10 => LevelFilter::Debug,
        11..=20 => LevelFilter::Info,
        21..=30 => LevelFilter::Warn,
        31..=40 => LevelFilter::Error,
        _ => LevelFilter::Off,
    }
}

fn tell(logger: &Bound<'_, PyAny>, event: Event) -> PyResult<()> {
    let py = logger.py();
    let level = match event.level {
        Level::Error => 40,
        Level::Warn => 30,
        Level::Info => 20,
        _ => 10,
    };
    if !logger
        .call_method1("isEnabledFor", (level,))?
        .extract::<bool>()?
    {
        return Ok(());
    }
    let none = py.None();
    let arguments = (logging::TARGET, level, "fastbox", 0, event.text, (), none);
    let record = logger.call_method1("makeRecord", arguments)?;
    record.setattr("created", event.created)?;
    record.setattr("msecs", (event.created.fract() * 1000.0).trunc())?;
    logger.call_method1("handle", (record,))?;
    Ok(())
}
