//! One engine per process.

use super::ids::Ids;
use super::late::Late;
use super::{EngineError, programs};
use crate::logging::event;
use crate::owner::{Owner, reconcile};
use crate::paths::Paths;
use crate::settings;
use fastbox_container::cgroup::Driver;
use fastbox_container::features::Features;
use fastbox_container::security::seccomp::keep_filters_in;
use fastbox_container::spawner::{Config, Spawner};
use fastbox_image::Store;
use fastbox_sys::per_process::PerProcess;
use nix::errno::Errno;
use std::sync::{Arc, OnceLock};

/// All that this process shares between its containers.
pub struct Engine {
    pid: u32,
    pub(super) paths: Paths,
    pub(super) store: Store,
    driver: Arc<OnceLock<Driver>>,
    pub(super) brief: bool,
    pub(super) owner: Arc<Owner>,
    pub(super) spawner: Late,
    features: Features,
    pub(super) ids: Ids,
    pub(super) plans: super::cache::Plans,
    disk_uppers: OnceLock<Option<Errno>>,
}

/// This process's engine, made at the first call. A process forked from one that has an engine gets its own: the
/// parent's threads are not in it, and its containers are not its.
///
/// # Errors
/// What could not be had of store, run directory, control groups or kernel.
pub fn engine() -> Result<Arc<Engine>, EngineError> {
    static ENGINE: PerProcess<Arc<Engine>> = PerProcess::new();
    ENGINE
        .get_or_make(|| Engine::at(Paths::find(settings::get()?)?))
        .cloned()
}

impl Engine {
    /// An engine that keeps its things in `paths`, beside this process's own. Its threads live as long as the process.
    ///
    /// # Errors
    /// As [`engine`].
    pub fn at(paths: Paths) -> Result<Arc<Engine>, EngineError> {
        let without = std::env::var("FASTBOX_WITHOUT").unwrap_or_default();
        let features = Features::kept_in(&paths.run().join("features"));
        Engine::with(paths, features.without(&without))
    }

    /// The same on a kernel of these features, or, for tests and where new calls of the kernel fail, on one that
    /// uses no others (`FASTBOX_WITHOUT` names those not to be used).
    ///
    /// # Errors
    /// As [`engine`].
    pub fn with(paths: Paths, features: Features) -> Result<Arc<Engine>, EngineError> {
        keep_filters_in(paths.run().join("seccomp"));
        let driver = Arc::new(OnceLock::new());
        let store = Store::open(paths.root())?;
        let brief = programs::brief();
        if !brief {
            // What dead processes left is cleared before more is added; of a brief one, by its watchdog.
            reconcile(&paths, driver.get_or_init(Driver::probe)).tell();
        }
        let owner = Arc::new(Owner::register(&paths)?);
        let heir = programs::start_watchdog(&owner)?;
        let stub = programs::stub()?;
        let ids = Ids::new(paths.run());
        let config = Config {
            driver: Arc::clone(&driver),
            owner: owner.id().to_owned(),
            uppers: owner.uppers()?.to_owned(),
            stub,
            features,
            heir,
            first_range: brief.then(|| ids.first()).transpose()?,
        };
        let spawner = Late::new(Spawner::begin(config)?);
        if !brief {
            spawner.ready()?;
        }
        event!(
            Debug,
            "owner {} has the store {} and the run directory {}",
            owner.id(),
            paths.root().display(),
            paths.run().display()
        );
        for lacking in features.lacking() {
            event!(Debug, "this kernel lacks {lacking}: the fallback is used");
        }
        Ok(Arc::new(Engine {
            pid: std::process::id(),
            ids,
            features,
            plans: super::cache::Plans::default(),
            paths,
            store,
            driver,
            brief,
            owner,
            spawner,
            disk_uppers: OnceLock::new(),
        }))
    }

    /// The host's control groups.
    pub(super) fn driver(&self) -> &Driver {
        self.driver.get_or_init(Driver::probe)
    }

    /// Why what containers write cannot go to the store's disk, if it cannot.
    pub(super) fn no_disk_uppers(&self) -> Option<Errno> {
        let uppers = || self.owner.uppers().ok().and_then(super::upper::refused);
        *self.disk_uppers.get_or_init(uppers)
    }

    /// The directories it keeps its things in.
    pub fn paths(&self) -> &Paths {
        &self.paths
    }

    /// What it uses of the kernel.
    pub fn features(&self) -> Features {
        self.features
    }

    /// The image store.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// Whether it is this process's, and not that of the process this one was forked from.
    pub fn is_mine(&self) -> bool {
        self.pid == std::process::id()
    }

    /// Waits until nothing of containers that have ended is left.
    pub fn settle(&self) {
        self.spawner.settle();
    }
}
