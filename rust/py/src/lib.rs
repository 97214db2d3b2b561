//! `fastbox._core`: the engine as Python sees it. Conversions and nothing else: each function turns its arguments
//! into the engine's, releases the interpreter's lock around the call, and turns back what came out.

mod command;
mod completed;
mod container;
mod errors;
mod exec;
mod handle;
mod images;
mod interrupt;
mod log;
mod many;
mod pipe;
mod plan;
mod pool;
mod streams;
mod system;
mod values;

/// The extension module; `_core.pyi` has its types and words for users.
#[pyo3::pymodule]
mod _core {
    #[pymodule_export]
    use super::command::{RunCommand, global_flags, option_table, parse_run, refused_flags};
    #[pymodule_export]
    use super::completed::{Completed, Usage};
    #[pymodule_export]
    use super::container::Container;
    #[pymodule_export]
    use super::exec::Exec;
    #[pymodule_export]
    use super::images::{
        Image, Imported, Loaded, get_image, import_image, list_images, load_images, remove_image,
        save_images, tag_image,
    };
    #[pymodule_export]
    use super::many::Many;
    #[pymodule_export]
    use super::plan::{Plan, prepare, set_programs};
    #[pymodule_export]
    use super::pool::Pool;

    #[pymodule_export]
    use super::system::{Info, container_names, doctor, info};

    #[pymodule_export]
    #[allow(non_upper_case_globals, reason = "Python's name for it")]
    const __version__: &str = env!("CARGO_PKG_VERSION");
}
