//! A program's streams: subprocess's small numbers, or the caller's file descriptors.

use std::os::fd::OwnedFd;

use fastbox_engine::descriptor;
use fastbox_engine::run::{Input, Output};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

const PIPE: i32 = -1;
const STDOUT: i32 = -2;
const DEVNULL: i32 = -3;

/// Where a program's input comes from.
pub fn input(number: i32) -> PyResult<Input> {
    Ok(match number {
        PIPE => Input::Pipe,
        DEVNULL => Input::Null,
        fd => Input::Fd(duplicate(fd)?),
    })
}

/// Where a program's output goes.
pub fn output(number: i32) -> PyResult<Output> {
    Ok(match number {
        PIPE => Output::Pipe,
        DEVNULL => Output::Null,
        STDOUT => Output::Stdout,
        fd => Output::Fd(duplicate(fd)?),
    })
}

/// A descriptor of our own for the caller's open file, so that the caller may close theirs at any time.
pub fn duplicate(fd: i32) -> PyResult<OwnedFd> {
    if fd < 0 {
        return Err(PyValueError::new_err(format!("{fd} is no file descriptor")));
    }
    Ok(descriptor::duplicate(fd).map_err(std::io::Error::from)?)
}
