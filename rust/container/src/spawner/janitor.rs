//! Clears away what ended containers left, off the callers' path.

use super::{Remains, Shared, lock};
use crate::plan::Userns;
use crate::remove::remove_tree;
use std::ffi::OsString;
use std::sync::Arc;
use std::sync::mpsc::Receiver;

/// How many ranges a plan keeps for its next containers.
const KEPT_RANGES: usize = 16;

/// What the janitor is asked to do.
pub(super) enum Work {
    /// Clear a container away.
    Clear(Remains),
    /// Drop what is kept for a plan, and remove its directory.
    Forget(u64, OsString),
}

/// Body of the janitor's thread.
pub(super) fn work(shared: &Shared, asked: &Receiver<Work>) {
    while let Ok(work) = asked.recv() {
        match work {
            Work::Clear(remains) => clear(shared, remains),
            Work::Forget(plan, directory) => {
                forget(shared, plan);
                // What stays is removed at the owner's end.
                let _ = remove_tree(&shared.inside.uppers, directory.as_encoded_bytes());
            }
        }
        *lock(&shared.pending) -= 1;
        shared.settled.notify_all();
    }
}

/// Clears one container away. What cannot be removed now stays on record with the owner, whose end removes it.
pub(super) fn clear(shared: &Shared, mut remains: Remains) {
    let inside = &shared.inside;
    drop(lock(&inside.held).remove(&remains.id));
    let mut clean = true;
    // Groups that could not be made have nothing in them.
    if let Ok(Some(group)) = inside.group_of(&remains.plan) {
        let counters = remains.counters.take();
        let asked = counters.filter(|counters| Arc::strong_count(counters) > 1);
        if let Some(counters) = asked {
            counters.keep(&group.reader_here(&remains.id));
        }
        clean &= group.remove(&remains.id).is_ok();
    }
    if let Some(upper) = remains.upper.take() {
        clean &= remove_tree(&inside.uppers, upper.as_bytes()).is_ok();
        if remains.plan.flat_upper {
            clean &= remove_tree(&inside.uppers, work_of(&upper).as_bytes()).is_ok();
        }
        inside.drawers.leave(&inside.uppers, &upper);
    }
    give_back(shared, &remains);
    if let Some(slot) = remains.slot.filter(|_| clean) {
        slot.release();
    }
}

/// The overlay's work directory, where it lies beside the upper and not in one directory with it.
pub(super) fn work_of(upper: &str) -> String {
    format!("{upper}.work")
}

/// The range is free for the next container of the same plan, never for another's as long as there is the plan.
fn give_back(shared: &Shared, remains: &Remains) {
    let key = (remains.plan.id, remains.base);
    let mut ranges = lock(&shared.ranges);
    let mut kept = lock(&shared.inside.kept);
    let late = remains.plan.userns.own_range();
    match ranges.get_mut(&remains.plan.id) {
        Some(free) if late && kept.contains_key(&key) && free.len() < KEPT_RANGES => {
            free.push(remains.base);
        }
        Some(free) if remains.plan.userns == Userns::Host && kept.contains_key(&key) => {
            if free.is_empty() {
                free.push(remains.base);
            }
        }
        // The plan is gone, or has enough, or the start failed before the range was in use.
        _ => {
            kept.remove(&key);
            if late {
                lock(&shared.released).push(remains.base);
            }
        }
    }
}

/// Drops what is kept for a plan that no container will be started of. A range that one still has, or that is still to
/// be cleared away, is released only then: not before, nor twice.
fn forget(shared: &Shared, plan: u64) {
    let mut ranges = lock(&shared.ranges);
    let mut kept = lock(&shared.inside.kept);
    for base in ranges.remove(&plan).unwrap_or_default() {
        if kept.remove(&(plan, base)).is_some() && base != 0 {
            lock(&shared.released).push(base);
        }
    }
    // The caller's own ids, which no container has alone.
    kept.remove(&(plan, 0));
}
