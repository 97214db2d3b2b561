//! Python's values as the option table takes them.

use fastbox_engine::options::{Checked, Kind, OptionError, Options, Value, row};
use pyo3::exceptions::{PyOverflowError, PyTypeError};
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyDict, PyFloat, PyInt, PyList, PyMapping, PySequence, PyString};

use crate::errors;

/// Sets each keyword that is not None.
pub fn set_all(options: &mut Options, keywords: &Bound<'_, PyDict>) -> PyResult<()> {
    for (name, given) in keywords {
        let name: String = name.extract()?;
        set(options, &name, &given)?;
    }
    Ok(())
}

/// Sets one option, unless `given` is None.
pub fn set(options: &mut Options, name: &str, given: &Bound<'_, PyAny>) -> PyResult<()> {
    set_as(options, name, given, "")
}

/// The same; errors name the option `shown`, unless that is empty.
pub fn set_as(
    options: &mut Options,
    name: &str,
    given: &Bound<'_, PyAny>,
    shown: &'static str,
) -> PyResult<()> {
    if given.is_none() {
        return Ok(());
    }
    let kind = row(name).map(|row| row.kind);
    let numbers = matches!(kind, Some(Kind::Values | Kind::Limits));
    let value = neutral(name, given, numbers)?;
    options.set(name, value).map_err(|mut error| {
        if let OptionError::InvalidValue { name, .. } | OptionError::WrongType { name, .. } =
            &mut error
            && !shown.is_empty()
        {
            *name = shown;
        }
        errors::option(given.py(), error)
    })
}

/// Looks at the options together.
pub fn check(py: Python<'_>, options: Options) -> PyResult<Checked> {
    options.check().map_err(|error| errors::option(py, error))
}

/// A command's arguments; the engine keeps them in JSON, which is UTF-8.
pub fn arguments(given: &Bound<'_, PyList>) -> PyResult<Vec<String>> {
    given.iter().map(|argument| text(&argument)).collect()
}

fn text(given: &Bound<'_, PyAny>) -> PyResult<String> {
    let text = given.cast::<PyString>()?;
    // A lone surrogate stands for a byte that is no text.
    text.to_str().map(str::to_owned).map_err(|_| {
        let argument = text.to_string_lossy().into_owned();
        errors::option(given.py(), OptionError::NotUtf8 { argument })
    })
}

/// A value of a dict that takes `numbers`: one, or a pair as the command line writes it.
fn number_or_text(given: &Bound<'_, PyAny>, numbers: bool) -> PyResult<String> {
    if numbers && !given.is_instance_of::<PyBool>() {
        if let Ok(number) = given.extract::<i64>() {
            return Ok(number.to_string());
        }
        if let Ok((one, other)) = given.extract::<(i64, i64)>() {
            return Ok(format!("{one}:{other}"));
        }
    }
    text(given)
}

fn neutral(name: &str, given: &Bound<'_, PyAny>, numbers: bool) -> PyResult<Value> {
    if given.is_instance_of::<PyBool>() {
        return Ok(Value::Bool(given.extract()?));
    }
    if given.is_instance_of::<PyInt>() {
        let too_large = |_| PyOverflowError::new_err(format!("{name} is too large"));
        return Ok(Value::Int(given.extract().map_err(too_large)?));
    }
    if given.is_instance_of::<PyFloat>() {
        return Ok(Value::Float(given.extract()?));
    }
    if given.is_instance_of::<PyString>() {
        return Ok(Value::Str(text(given)?));
    }
    if let Ok(pairs) = given.cast::<PyMapping>() {
        let mut map = Vec::new();
        for pair in pairs.items()?.iter() {
            let (key, value): (Bound<'_, PyAny>, Bound<'_, PyAny>) = pair.extract()?;
            let value = match value.is_none() {
                true => None,
                false => Some(number_or_text(&value, numbers)?),
            };
            map.push((text(&key)?, value));
        }
        return Ok(Value::Map(map));
    }
    if let Ok(items) = given.cast::<PySequence>() {
        let items = items.try_iter()?.map(|item| text(&item?));
        return Ok(Value::List(items.collect::<PyResult<_>>()?));
    }
    let kind = given.get_type().name()?;
    Err(PyTypeError::new_err(format!(
        "{name} cannot be of type {kind}"
    )))
}
