//! Archives of images: loading and saving.

use std::cell::RefCell;
use std::fs::File;
use std::io::{self, ErrorKind, Write};
use std::ops::ControlFlow;
use std::path::PathBuf;

use fastbox_engine::image::{self, LoadFrom, LoadOptions, Reference};
use fastbox_engine::run::{self, EngineError};
use pyo3::prelude::*;

use super::{Source, bounds};
use crate::interrupt::Interrupt;
use crate::{errors, log, streams};

/// An image that was loaded.
#[pyclass(frozen, module = "fastbox._core", get_all)]
pub struct Loaded {
    id: String,
    tags: Vec<String>,
    replaced: Vec<String>,
    skipped: Vec<(String, String)>,
    skipped_total: u64,
}

#[pymethods]
impl Loaded {
    fn __repr__(&self) -> String {
        format!("Loaded(id={:?}, tags={:?})", self.id, self.tags)
    }
}

impl From<image::Loaded> for Loaded {
    fn from(loaded: image::Loaded) -> Loaded {
        let skipped = loaded.skipped.first.into_iter();
        Loaded {
            id: loaded.image.id.to_string(),
            tags: loaded.names.iter().map(Reference::short).collect(),
            replaced: loaded.replaced.iter().map(ToString::to_string).collect(),
            skipped: skipped
                .map(|(entry, what)| (entry, what.to_owned()))
                .collect(),
            skipped_total: loaded.skipped.total,
        }
    }
}

/// Loads the images of an archive that is read from an open file, or of an OCI layout folder.
#[pyfunction]
pub fn load_images(
    py: Python<'_>,
    source: FdOrFolder,
    limits: (Bound<'_, PyAny>, Option<u64>),
) -> PyResult<Vec<Loaded>> {
    let limits = bounds(limits)?;
    let source = match source {
        FdOrFolder::Fd(fd) => Ok(File::from(streams::duplicate(fd)?)),
        FdOrFolder::Folder(folder) => Err(folder),
    };
    let (loaded, interrupt) = log::detach(py, || {
        let interrupt = RefCell::new(Interrupt::default());
        let mut progress = |_| match interrupt.borrow_mut().came() {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        };
        let options = LoadOptions {
            limits,
            progress: Some(&mut progress),
        };
        let loaded = (|| {
            let mut stream;
            let from = match source {
                Err(folder) => LoadFrom::Folder(folder),
                // What does not change under the reader's hands is read where it lies.
                Ok(file) if file.metadata().is_ok_and(|meta| meta.is_file()) => {
                    LoadFrom::File(file)
                }
                Ok(file) => {
                    stream = Source(file, &interrupt);
                    LoadFrom::Stream(&mut stream)
                }
            };
            Ok::<_, EngineError>(run::engine()?.store().load(from, options)?)
        })();
        (loaded, interrupt.into_inner())
    });
    let loaded = loaded.map(|loaded| loaded.into_iter().map(Loaded::from).collect());
    interrupt.or(loaded.map_err(|error| errors::engine(py, error)))
}

/// An open archive, or the path of a layout folder.
#[derive(FromPyObject)]
pub enum FdOrFolder {
    Fd(i32),
    Folder(PathBuf),
}

/// A file whose writing a signal's handler can end.
struct Target<'a>(File, &'a RefCell<Interrupt>);

impl Write for Target<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        loop {
            match self.0.write(bytes) {
                Err(error) if error.kind() == ErrorKind::Interrupted => {
                    if self.1.borrow_mut().came() {
                        return Err(io::Error::other("interrupted"));
                    }
                }
                written => return written,
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// Writes images to an open file, as one archive.
#[pyfunction]
pub fn save_images(py: Python<'_>, fd: i32, images: Vec<String>) -> PyResult<()> {
    let file = File::from(streams::duplicate(fd)?);
    let (saved, interrupt) = log::detach(py, || {
        let interrupt = RefCell::new(Interrupt::default());
        let mut progress = |_| match interrupt.borrow_mut().came() {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        };
        let images: Vec<&str> = images.iter().map(String::as_str).collect();
        let mut target = Target(file, &interrupt);
        let saved = run::engine().and_then(|engine| {
            let store = engine.store();
            Ok(store.save(&images, &mut target, Some(&mut progress))?)
        });
        (saved, interrupt.into_inner())
    });
    interrupt.or(saved.map_err(|error| errors::engine(py, error)))
}
