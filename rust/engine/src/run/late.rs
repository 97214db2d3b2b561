//! The spawner of a process that prepares its container while the threads start.

use super::{EngineError, lock};
use fastbox_container::spawner::{Spawner, Starting};
use std::ops::Deref;
use std::sync::{Mutex, OnceLock};

/// A spawner, there once [`Late::ready`] has been called: before any plan is compiled.
pub(super) struct Late {
    spawner: OnceLock<Spawner>,
    starting: Mutex<Option<Starting>>,
}

impl Late {
    pub(super) fn new(starting: Starting) -> Late {
        Late {
            spawner: OnceLock::new(),
            starting: Mutex::new(Some(starting)),
        }
    }

    /// Waits until it is there.
    pub(super) fn ready(&self) -> Result<(), EngineError> {
        let mut starting = lock(&self.starting);
        if let Some(starting) = starting.take() {
            let _ = self.spawner.set(starting.finish()?);
        }
        Ok(())
    }
}

impl Deref for Late {
    type Target = Spawner;

    fn deref(&self) -> &Spawner {
        self.spawner.get().expect("asked for once it is ready")
    }
}
