//! fastbox's own programs: the stub that waiting processes run, and the monitor.

use super::EngineError;
use crate::owner::{Owner, StateError};
use fastbox_sys::channel::Channel;
use std::borrow::Cow;
use std::path::PathBuf;
use std::sync::OnceLock;

enum Programs {
    /// Files in a directory.
    In(PathBuf),
    /// This program brings the stub, and a fork of it is the watchdog.
    Within(&'static [u8]),
}

static PROGRAMS: OnceLock<Programs> = OnceLock::new();

/// Says where fastbox-stub and fastbox-monitor are. The first call counts; `FASTBOX_PROGRAMS` goes before it.
pub fn set_programs(directory: PathBuf) {
    let _ = PROGRAMS.set(Programs::In(asked_for().unwrap_or(directory)));
}

/// The same for a small program that has no other thread when it first asks for its engine, and ends when its one
/// container does: it brings the stub, and the watchdog is a fork of it, so that it needs no file. `FASTBOX_PROGRAMS` goes before it.
pub fn bring_stub(stub: &'static [u8]) {
    let programs = asked_for().map_or(Programs::Within(stub), Programs::In);
    let _ = PROGRAMS.set(programs);
}

fn asked_for() -> Option<PathBuf> {
    std::env::var_os("FASTBOX_PROGRAMS").map(PathBuf::from)
}

fn programs() -> &'static Programs {
    PROGRAMS.get_or_init(|| Programs::In(asked_for().unwrap_or_default()))
}

/// The monitor's file, where there is one.
pub(super) fn monitor() -> PathBuf {
    match programs() {
        Programs::In(directory) => directory.join("fastbox-monitor"),
        Programs::Within(_) => PathBuf::from("fastbox-monitor"),
    }
}

/// Starts it; for a brief process there is a way to leave it what is to be closed later.
pub(super) fn start_watchdog(owner: &Owner) -> Result<Option<Channel>, StateError> {
    match programs() {
        Programs::In(_) => owner.start_watchdog(&monitor()).map(|()| None),
        Programs::Within(_) => owner.fork_watchdog().map(Some),
    }
}

/// Whether this process ends when its one container does.
pub(super) fn brief() -> bool {
    matches!(programs(), Programs::Within(_))
}

/// The stub's bytes.
pub(super) fn stub() -> Result<Cow<'static, [u8]>, EngineError> {
    match programs() {
        Programs::Within(stub) => Ok(Cow::Borrowed(stub)),
        Programs::In(directory) => {
            let path = directory.join("fastbox-stub");
            let read = std::fs::read(&path);
            read.map(Cow::Owned)
                .map_err(|source| EngineError::Program { path, source })
        }
    }
}
