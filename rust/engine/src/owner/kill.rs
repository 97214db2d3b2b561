//! Killing the processes that a dead owner's table has on record, and nobody else.
use std::fs::File;
use std::io::Read;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::time::{Duration, Instant};

use fastbox_sys::journal::{Entry, HEADER_SIZE, SLOT_SIZE, SLOTS, read_header, read_slots};
use fastbox_sys::pidfd;
use nix::errno::Errno;
use nix::poll::PollTimeout;
use nix::sys::signal::Signal;

use super::identity::{Identity, TICKS_PER_SECOND, start_of};

/// How long after its stamp a process may have begun where the owner was killed before it could note the
/// clone's end. The kernel stamps a process near the end of clone, whose only long waits, for locks of
/// namespaces, are cut short by the kill itself. And the number must not come round to a stranger: of 32768,
/// the smallest usual pid_max, 10 s allow that only above 3,000 new processes a second, while the container's
/// own process must also have died. What the bound leaves out, the cgroups still get.
const LONGEST_CLONE_NS: u64 = 10_000_000_000;
/// Bytes of slots that are read at once.
const AT_ONCE: u64 = 64 * SLOT_SIZE as u64;
/// How long to wait for the killed to end.
const END_WITHIN: Duration = Duration::from_secs(5);

/// Kills all that the table of the dead owner in `dir` has on record and waits for their end. True: none is left.
/// A table that is missing, damaged, of another version or of another boot holds nobody.
pub(super) fn kill_recorded(dir: &Path, here: &Identity) -> bool {
    let until = Instant::now() + END_WITHIN;
    loop {
        let killed: Vec<OwnedFd> = recorded(dir, here).iter().filter_map(kill).collect();
        let ended = killed.iter().all(|process| {
            let left = until.saturating_duration_since(Instant::now());
            let timeout = PollTimeout::try_from(left).unwrap_or(PollTimeout::ZERO);
            pidfd::wait_end(process, timeout) == Ok(true)
        });
        // Once more while any was found: one that clones the container's process on the owner's behalf outlives the
        // owner, and what it made is on record only now that it has ended.
        if killed.is_empty() || !ended {
            return ended;
        }
    }
}

fn recorded(dir: &Path, here: &Identity) -> Vec<Entry> {
    // What cannot be read cannot be judged.
    let read = || {
        let mut file = File::open(dir.join(super::register::TABLE)).ok()?;
        // Most of it was never written: not kept in memory as a whole.
        let mut header = [0; HEADER_SIZE];
        file.read_exact(&mut header).ok()?;
        let header = read_header(&header)?;
        (header.boot == here.boot.as_bytes()).then_some(())?;
        let mut rest = file.take((SLOTS * SLOT_SIZE) as u64);
        let (mut slots, mut found) = (Vec::new(), Vec::new());
        loop {
            slots.clear();
            let read = (&mut rest).take(AT_ONCE).read_to_end(&mut slots);
            found.extend(read_slots(&slots));
            if !matches!(read, Ok(1..)) {
                return Some(found);
            }
        }
    };
    read().unwrap_or_default()
}

/// The process of an entry if it runs and is still the one that was recorded: opened first, checked after.
pub(super) fn open_recorded(entry: &Entry) -> Option<OwnedFd> {
    let process = pidfd::open(entry.pid).ok()?;
    if !began_in_window(entry, start_of(entry.pid)?) {
        return None;
    }
    // A zombie, which its parent has not reaped yet, has ended.
    (pidfd::wait_end(&process, PollTimeout::ZERO) == Ok(false)).then_some(process)
}

/// Kills the process of an entry if it is still the one that was recorded: opened first, checked after, and
/// killed through what was opened.
fn kill(entry: &Entry) -> Option<OwnedFd> {
    if entry.pid <= 1 || entry.pid == std::process::id() as i32 {
        return None;
    }
    let process = pidfd::open(entry.pid).ok()?;
    if !began_in_window(entry, start_of(entry.pid)?) {
        return None;
    }
    // A zombie, which its parent has not reaped yet, has ended.
    if pidfd::wait_end(&process, PollTimeout::ZERO) == Ok(true) {
        return None;
    }
    match pidfd::send_signal(&process, Some(Signal::SIGKILL)) {
        Err(Errno::ESRCH) => None,
        _ => Some(process),
    }
}

fn began_in_window(entry: &Entry, start: u64) -> bool {
    let ticks = |ns: u64| ns / (1_000_000_000 / TICKS_PER_SECOND);
    let last = match entry.closed {
        Some(closed) => closed.get(),
        None => entry.stamp.saturating_add(LONGEST_CLONE_NS),
    };
    (ticks(entry.stamp)..=ticks(last)).contains(&start)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::num::NonZero;

    #[test]
    fn the_window_is_closed_by_the_second_stamp() {
        let entry = |closed| Entry {
            pid: 5,
            stamp: 1_005_000_000,
            closed: NonZero::new(closed),
            flags: 0,
            id: String::new(),
        };
        for (closed, start, fits) in [
            (1_012_000_000, 99, false),
            (1_012_000_000, 100, true),
            (1_012_000_000, 101, true),
            (1_012_000_000, 102, false),
            (0, 100 + 10 * TICKS_PER_SECOND, true),
            (0, 101 + 10 * TICKS_PER_SECOND, false),
        ] {
            assert_eq!(
                began_in_window(&entry(closed), start),
                fits,
                "{closed} {start}"
            );
        }
    }
}
