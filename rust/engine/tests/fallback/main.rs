//! What is done where a kernel lacks the newest calls, or a file system cannot be id-mapped or written through. The
//! fallbacks of a kernel are taken here on any: they also run as a static program on an old one (tests/vm).
mod file_systems;
mod kernels;
#[path = "../run/probes.rs"]
#[allow(dead_code)]
mod probes;
#[path = "../run/support.rs"]
#[allow(dead_code)]
mod support;

#[path = "../../../image/tests/common/mod.rs"]
mod archive;

use fastbox_container::features::Features;
use fastbox_engine::paths::Paths;
use fastbox_engine::run::Engine;
use std::path::Path;
use support::{IMAGE, Place, base, busybox, place};

/// A place below `dir` with an engine that lacks what is named.
fn lacking(names: &str, dir: &Path) -> Place {
    let paths = Paths::at(&dir.join("root"), &dir.join("run")).unwrap();
    let features = Features::probe().without(names);
    let engine = Engine::with(paths.clone(), features).unwrap();
    let dir = dir.to_owned();
    let own = Place { engine, paths, dir };
    own.import(IMAGE, base(&busybox().unwrap()));
    own
}

/// The same in a directory of its own; None without root.
fn without(names: &str) -> Option<Place> {
    place().map(|on| lacking(names, &on.scratch()))
}
