//! Running containers: [`Engine::prepare`] makes a plan, [`Prepared::start`] a container, [`Container`] waits.

mod cache;
mod communicate;
mod container;
mod engine;
mod error;
mod exchange;
mod exec;
mod exit;
mod fit;
mod foreground;
mod id_file;
mod ids;
mod images;
mod joined;
mod late;
pub mod many;
mod masks;
mod may;
pub mod pool;
mod prepare;
mod program;
mod programs;
mod pump;
mod reaper;
mod signals;
mod skeleton;
mod start;
mod terminal;
mod timings;
mod upper;
mod user;

pub use communicate::Communicated;
pub use container::Container;
pub use engine::{Engine, engine};
pub use error::EngineError;
pub use exec::{Exec, Executed};
pub use exit::{Exit, Usage, Used};
pub use foreground::{Foreground, tell};
pub use id_file::IdFile;
pub use prepare::Prepared;
pub use program::Program;
pub use programs::{bring_stub, set_programs};
pub use pump::Pump;
pub use start::{Input, Output, Request};
pub use terminal::{RAW, RESTORED};
pub use timings::{Timing, chrome_trace, waterfall};

use std::sync::{Mutex, MutexGuard, PoisonError};

/// A panic of another thread does not make what the lock holds wrong.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
