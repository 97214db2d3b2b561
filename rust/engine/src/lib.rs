//! The engine: options to a document, the store and the run directory, owners, and containers that run.

pub mod compose;
pub mod logging;
mod nearest;
pub mod options;
pub mod owner;
pub mod paths;
pub mod run;
pub mod settings;
pub mod system;

pub use fastbox_container as container;
pub use fastbox_image as image;
// What the monitor and the extension need of the kernel; they use nothing below the engine themselves.
pub use fastbox_sys::{daemon, descriptor};
