//! How long each step of a start took, where somebody asked.

use super::start::Start;
use crate::error::ContainerError;
use fastbox_sys::builder::Program;
use std::time::Instant;

impl Start<'_> {
    pub(super) fn timed<T>(
        &mut self,
        step: &'static str,
        make: impl FnOnce(&mut Self) -> Result<T, ContainerError>,
    ) -> Result<T, ContainerError> {
        if !self.timed {
            return make(self);
        }
        let start = Instant::now();
        let made = make(self);
        self.timings
            .push((step, String::new(), start.elapsed().as_nanos() as u64));
        made
    }

    /// The child's steps between what is seen from here: the clone before the first, the exec after the last.
    pub(super) fn note_child(&mut self, program: &Program, times: Vec<u64>, before: u64) {
        let mut reached = times.iter().copied().filter(|time| *time > 0);
        let first = reached.next();
        let last = reached.next_back().or(first);
        if let Some(first) = first {
            self.timings
                .push(("clone", String::new(), first.saturating_sub(before)));
        }
        self.note(program, times);
        if let Some(last) = last {
            // It is over when the vfork lets this thread go on.
            self.timings
                .push(("exec", String::new(), monotonic().saturating_sub(last)));
        }
    }

    pub(super) fn note(&mut self, program: &Program, times: Vec<u64>) {
        for (label, span) in program.labels().iter().zip(times.windows(2)) {
            // The exec step never notes its end: the program runs by then.
            if span[0] == 0 || span[1] == 0 {
                break;
            }
            let took = span[1].saturating_sub(span[0]);
            match self
                .timings
                .last_mut()
                .filter(|(step, target, _)| *step == label.step && *target == label.target)
            {
                Some((_, _, sum)) => *sum += took,
                None => self.timings.push((label.step, label.target.clone(), took)),
            }
        }
    }
}

/// CLOCK_MONOTONIC in ns, as programs note it.
pub(super) fn monotonic() -> u64 {
    let now = nix::time::clock_gettime(nix::time::ClockId::CLOCK_MONOTONIC);
    now.map_or(0, |now| {
        now.tv_sec() as u64 * 1_000_000_000 + now.tv_nsec() as u64
    })
}
