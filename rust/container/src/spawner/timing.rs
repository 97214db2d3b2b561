//! When each step of a start began and how long it took, where somebody asked.

use super::start::Start;
use crate::error::ContainerError;
use fastbox_sys::builder::Program;

/// A step of a start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Timing {
    /// What was done.
    pub step: &'static str,
    /// To what; may be empty.
    pub target: String,
    /// CLOCK_MONOTONIC in ns when it began. Steps of two threads overlap.
    pub begin: u64,
    /// Its ns.
    pub took: u64,
}

impl Timing {
    /// A step without a target that ends now.
    pub fn since(step: &'static str, begin: u64) -> Timing {
        Timing {
            step,
            target: String::new(),
            begin,
            took: monotonic().saturating_sub(begin),
        }
    }
}

impl Start<'_> {
    pub(super) fn timed<T>(
        &mut self,
        step: &'static str,
        make: impl FnOnce(&mut Self) -> Result<T, ContainerError>,
    ) -> Result<T, ContainerError> {
        if !self.timed {
            return make(self);
        }
        let begin = monotonic();
        let made = make(self);
        self.timings.push(Timing::since(step, begin));
        made
    }

    /// The child's steps between what is seen from here: the clone before the first, the exec after the last.
    pub(super) fn note_child(&mut self, program: &Program, times: Vec<u64>, before: u64) {
        let mut reached = times.iter().copied().filter(|time| *time > 0);
        let first = reached.next();
        let last = reached.next_back().or(first);
        if let Some(first) = first {
            self.timings.push(Timing {
                step: "clone",
                target: String::new(),
                begin: before,
                took: first.saturating_sub(before),
            });
        }
        self.note(program, times);
        if let Some(last) = last {
            // It is over when the vfork lets this thread go on.
            let exec = Timing::since("exec", last);
            match self
                .timings
                .last_mut()
                .filter(|last| last.step == exec.step)
            {
                Some(step) => step.took += exec.took,
                None => self.timings.push(exec),
            }
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
                .filter(|last| last.step == label.step && last.target == label.target)
            {
                Some(last) => last.took += took,
                None => self.timings.push(Timing {
                    step: label.step,
                    target: label.target.clone(),
                    begin: span[0],
                    took,
                }),
            }
        }
    }
}

/// CLOCK_MONOTONIC in ns, as programs note it.
pub fn monotonic() -> u64 {
    let now = nix::time::clock_gettime(nix::time::ClockId::CLOCK_MONOTONIC);
    now.map_or(0, |now| {
        now.tv_sec() as u64 * 1_000_000_000 + now.tv_nsec() as u64
    })
}
