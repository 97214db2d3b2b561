//! The image store.

mod archives;

use std::cell::RefCell;
use std::ffi::OsString;
use std::fs::File;
use std::io::{self, ErrorKind, Read};
use std::ops::ControlFlow;

use fastbox_engine::image::{self, Config, ImportOptions, Limits, Reference};
use fastbox_engine::options::{Options, Size};
use fastbox_engine::run::{self, EngineError};
use pyo3::prelude::*;
use pyo3::types::PyDict;

pub use archives::{Loaded, load_images, save_images};

use crate::interrupt::Interrupt;
use crate::{errors, log, streams, values};

/// An image in the store, as it was when it was looked up.
#[pyclass(frozen, module = "fastbox._core")]
pub struct Image(image::Summary);

#[pymethods]
impl Image {
    #[getter]
    fn id(&self) -> String {
        self.0.id.to_string()
    }

    #[getter]
    fn short_id(&self) -> String {
        self.0.id.short()
    }

    #[getter]
    fn tags(&self) -> Vec<String> {
        self.0.names.iter().map(Reference::short).collect()
    }

    #[getter]
    fn digests(&self) -> Vec<String> {
        let names = self.0.names.iter().map(Reference::repository);
        let mut digests: Vec<String> = names.map(|n| format!("{n}@{}", self.0.manifest)).collect();
        digests.dedup();
        digests
    }

    #[getter]
    fn created(&self) -> &str {
        &self.0.created
    }

    #[getter]
    fn tagged(&self) -> &str {
        &self.0.tagged
    }

    #[getter]
    fn size(&self) -> u64 {
        self.0.size
    }

    #[getter]
    fn layer_sizes(&self) -> Vec<u64> {
        self.0.layer_sizes.clone()
    }

    #[getter]
    fn layers(&self) -> Vec<OsString> {
        let layers = self.0.layers.iter();
        layers.map(|layer| layer.as_os_str().to_owned()).collect()
    }

    /// The config document, read anew each time.
    fn document<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let text = py.detach(|| Ok::<_, EngineError>(run::engine()?.store().document(&self.0.id)?));
        let text = text.map_err(|error| errors::engine(py, error))?;
        py.import("json")?.call_method1("loads", (text,))
    }

    /// The config in it.
    #[getter]
    fn config<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        member(self.document(py)?, "config")
    }

    #[getter]
    fn labels<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        member(self.config(py)?, "Labels")
    }

    fn __repr__(&self) -> String {
        format!("Image(id={:?}, tags={:?})", self.id(), self.tags())
    }
}

/// A member of a dict; an empty dict where there is none or it is null.
fn member<'py>(of: Bound<'py, PyAny>, name: &str) -> PyResult<Bound<'py, PyAny>> {
    let found = of.call_method1("get", (name,))?;
    match found.is_none() {
        true => Ok(PyDict::new(of.py()).into_any()),
        false => Ok(found),
    }
}

/// What an import made.
#[pyclass(frozen, module = "fastbox._core", get_all)]
pub struct Imported {
    id: String,
    name: Option<String>,
    unchanged: bool,
    replaced: Option<String>,
    entries: u64,
    bytes: u64,
    skipped: Vec<(String, String)>,
    skipped_total: u64,
}

#[pymethods]
impl Imported {
    fn __repr__(&self) -> String {
        format!("Imported(id={:?}, name={:?})", self.id, self.name)
    }
}

impl Imported {
    fn new(name: Option<&Reference>, made: image::Imported) -> Imported {
        let skipped = made.skipped.first.into_iter();
        Imported {
            id: made.image.id.to_string(),
            name: name.map(Reference::short),
            unchanged: made.unchanged,
            replaced: made.replaced.map(|id| id.to_string()),
            entries: made.entries,
            bytes: made.bytes,
            skipped: skipped
                .map(|(entry, what)| (entry, what.to_owned()))
                .collect(),
            skipped_total: made.skipped.total,
        }
    }
}

/// A file whose reading a signal's handler can end.
struct Source<'a>(File, &'a RefCell<Interrupt>);

impl Read for Source<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.0.read(buffer) {
                Err(error) if error.kind() == ErrorKind::Interrupted => {
                    if self.1.borrow_mut().came() {
                        return Err(io::Error::other("interrupted"));
                    }
                }
                read => return read,
            }
        }
    }
}

/// Makes an image from an archive that is read from an open file.
#[pyfunction]
pub fn import_image(
    py: Python<'_>,
    fd: i32,
    name: Option<&str>,
    limits: (Bound<'_, PyAny>, Option<u64>),
    message: Option<String>,
    changes: Vec<String>,
    platform: Option<&str>,
) -> PyResult<Imported> {
    let limits = bounds(limits)?;
    let file = File::from(streams::duplicate(fd)?);
    let (made, interrupt) = log::detach(py, || {
        let interrupt = RefCell::new(Interrupt::default());
        let mut progress = |_| match interrupt.borrow_mut().came() {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        };
        let made = (|| {
            let name = name.map(Reference::parse).transpose()?;
            let mut config = Config::default();
            image::change::apply(&mut config, &changes)?;
            let options = ImportOptions {
                limits,
                config,
                platform: platform.map(str::parse).transpose()?.unwrap_or_default(),
                comment: message,
                progress: Some(&mut progress),
            };
            let store = run::engine()?;
            let made = store
                .store()
                .import(Source(file, &interrupt), name.as_ref(), options)?;
            Ok::<_, EngineError>(Imported::new(name.as_ref(), made))
        })();
        (made, interrupt.into_inner())
    });
    interrupt.or(made.map_err(|error| errors::engine(py, error)))
}

/// The most bytes and entries, where they are given.
fn bounds((max_bytes, max_entries): (Bound<'_, PyAny>, Option<u64>)) -> PyResult<Limits> {
    let mut limits = Limits::default();
    limits.max_entries = max_entries.unwrap_or(limits.max_entries);
    if let Some(Size(bytes)) = size(&max_bytes)? {
        limits.max_bytes = bytes;
    }
    Ok(limits)
}

/// A size in Docker's grammar, which the option table knows: read as another option of that kind.
fn size(given: &Bound<'_, PyAny>) -> PyResult<Option<Size>> {
    let mut options = Options::default();
    values::set_as(&mut options, "max_output", given, "max_bytes")?;
    Ok(options.max_output)
}

/// All images.
#[pyfunction]
pub fn list_images(py: Python<'_>) -> PyResult<Vec<Image>> {
    let images = log::detach(py, || Ok::<_, EngineError>(run::engine()?.store().list()?));
    let images = images.map_err(|error| errors::engine(py, error))?;
    Ok(images.into_iter().map(Image).collect())
}

/// One image.
#[pyfunction]
pub fn get_image(py: Python<'_>, name: &str) -> PyResult<Image> {
    let image = py.detach(|| Ok::<_, EngineError>(run::engine()?.store().get(name)?));
    image.map(Image).map_err(|error| errors::engine(py, error))
}

/// Gives an image another name; its id.
#[pyfunction]
pub fn tag_image(py: Python<'_>, source: &str, target: &str) -> PyResult<String> {
    let tagged = py.detach(|| {
        let target = Reference::parse(target)?;
        Ok::<_, EngineError>(run::engine()?.store().tag(source, &target)?.to_string())
    });
    tagged.map_err(|error| errors::engine(py, error))
}

/// Removes a name or an image; what is gone, as Docker prints it.
#[pyfunction]
pub fn remove_image(py: Python<'_>, name: &str, force: bool) -> PyResult<Vec<String>> {
    let removed = log::detach(py, || {
        let engine = run::engine()?;
        // Plans kept for runs to come are no use of an image.
        engine.forget_plans();
        engine.settle();
        Ok::<_, EngineError>(engine.store().remove(name, force)?)
    });
    let removed = removed.map_err(|error| errors::engine(py, error))?;
    let gone = removed.image.iter().chain(&removed.layers);
    Ok(removed
        .untagged
        .into_iter()
        .chain(gone.map(ToString::to_string))
        .collect())
}
