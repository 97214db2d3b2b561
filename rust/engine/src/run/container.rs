//! A running container: its streams, its end.

use super::exit::{Exit, Used};
use super::program::reap;
use super::{EngineError, Prepared, Program, Timing, lock};
use crate::logging::event;
use crate::owner::names::NameGuard;
use fastbox_container::cgroup::{self, Counters, Reader};
use fastbox_container::spawner::{self, Remains, Started, monotonic};
use fastbox_sys::pidfd;
use nix::errno::Errno;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// A container of this process. Dropping it kills what still runs in it, and clears it away.
pub struct Container {
    pub(super) prepared: Arc<Prepared>,
    id: String,
    pid: i32,
    pidfd: OwnedFd,
    pub(super) streams: [Option<OwnedFd>; 3],
    pub(super) terminal: Option<OwnedFd>,
    counters: Option<Arc<Counters>>,
    began: Instant,
    /// What it had used when its program began, where it waited for that.
    before: cgroup::Usage,
    timings: Option<Vec<spawner::Timing>>,
    end: Mutex<End>,
}

#[derive(Default)]
struct End {
    exit: Option<Exit>,
    remains: Option<Remains>,
    name: Option<NameGuard>,
}

impl Container {
    pub(super) fn new(
        prepared: Arc<Prepared>,
        started: Started,
        reader: Option<Reader<'static>>,
        name: Option<NameGuard>,
        began: Instant,
        timed: bool,
    ) -> Container {
        Container {
            prepared,
            id: started.remains.id().to_owned(),
            pid: started.pid,
            pidfd: started.pidfd,
            streams: started.streams,
            terminal: started.terminal,
            counters: reader.map(|reader| Arc::new(Counters::new(reader))),
            began,
            before: cgroup::Usage::default(),
            timings: timed.then_some(started.timings),
            end: Mutex::new(End {
                exit: None,
                remains: Some(started.remains),
                name,
            }),
        }
    }

    /// Takes what it has used so far for what its program will not have used.
    pub(super) fn park(&mut self) {
        self.before = self.reader().map(Reader::usage).unwrap_or_default();
    }

    /// From here on its program runs.
    pub(super) fn begins(&mut self, name: Option<NameGuard>) {
        self.began = Instant::now();
        lock(&self.end).name = name;
    }

    /// Who its program, or a user and a group inside, are outside, if that is known here.
    pub(super) fn user(&self) -> Option<(u32, u32)> {
        lock(&self.end).remains.as_ref().and_then(Remains::user)
    }

    pub(super) fn outside(&self, inside: (u32, u32)) -> Option<(u32, u32)> {
        lock(&self.end).remains.as_ref()?.outside(inside)
    }

    pub(super) fn counters(&self) -> Option<&Arc<Counters>> {
        self.counters.as_ref()
    }

    fn reader(&self) -> Option<&Reader<'static>> {
        self.counters.as_deref().map(Counters::reader)
    }

    /// 64 hexadecimal digits.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The pid of its first process, as this process sees it.
    #[must_use]
    pub fn pid(&self) -> i32 {
        self.pid
    }

    /// Readable once the container has ended (pidfd_open(2)).
    #[must_use]
    pub fn pidfd(&self) -> BorrowedFd<'_> {
        self.pidfd.as_fd()
    }

    /// The pipe to its standard input, once. Dropping it ends the input.
    pub fn take_stdin(&mut self) -> Option<OwnedFd> {
        self.streams[0].take()
    }

    /// The pipe from its standard output, once.
    pub fn take_stdout(&mut self) -> Option<OwnedFd> {
        self.streams[1].take()
    }

    /// The pipe from its standard error, once.
    pub fn take_stderr(&mut self) -> Option<OwnedFd> {
        self.streams[2].take()
    }

    /// The caller's side of its terminal, once, where the plan has one: what is written is typed, what is read was
    /// shown, and reading fails with EIO once nobody has the other side open. Dropping it hangs the terminal up.
    pub fn take_terminal(&mut self) -> Option<OwnedFd> {
        self.terminal.take()
    }

    /// Sends a signal to its first process, which as pid 1 is immune to those it does not handle, but for SIGKILL,
    /// which ends everything in the container. One that has ended is no error.
    ///
    /// # Errors
    /// A number that is no signal.
    pub fn kill(&self, signal: i32) -> Result<(), EngineError> {
        if !self.prepared.engine.is_mine() {
            return Err(EngineError::Forked);
        }
        match pidfd::send_number(&self.pidfd, signal) {
            Err(Errno::ESRCH) => Ok(()),
            sent => sent.map_err(EngineError::system("send the signal")),
        }
    }

    /// Waits until everything in the container has ended. None when `timeout` is over or `interrupted`, called when
    /// a signal handler ran, says so. Once known, the end is given again at once.
    ///
    /// # Errors
    /// A fork's handle.
    pub fn wait(
        &self,
        timeout: Option<Duration>,
        interrupted: &mut dyn FnMut() -> bool,
    ) -> Result<Option<Exit>, EngineError> {
        Program::wait(self, timeout, interrupted)
    }

    /// Takes the end of a container whose pidfd says that it has ended, and hands over what it left.
    pub(super) fn ended(&self) -> Result<Exit, EngineError> {
        let mut end = lock(&self.end);
        if let Some(exit) = &end.exit {
            return Ok(exit.clone());
        }
        let wall = self.began.elapsed();
        let seen = if self.timings.is_some() {
            monotonic()
        } else {
            0
        };
        let (code, signal) = reap(self.pidfd.as_fd())?;
        if let Some(reader) = self.reader().filter(|_| !self.prepared.plan.has_own_pids()) {
            end_all(reader);
        }
        let used = Used::new(self.counters.clone(), self.before, wall.as_nanos() as u64);
        // The reaping is what the caller waits for; the rest is cleared away behind its back.
        let timings = self.timings.as_deref().map(|steps| timed(steps, seen));
        let exit = Exit {
            code,
            signal,
            used,
            timings,
        };
        event!(
            Debug,
            "container {} ended, exit code {code}, after {wall:?}",
            self.id
        );
        end.exit = Some(exit.clone());
        end.name = None;
        if let Some(mut remains) = end.remains.take() {
            if let Some(counters) = &self.counters {
                remains.keep(Arc::clone(counters));
            }
            self.prepared.engine.spawner.clear(remains);
        }
        Ok(exit)
    }
}

impl Program for Container {
    fn pid(&self) -> i32 {
        self.pid
    }

    fn pidfd(&self) -> BorrowedFd<'_> {
        self.pidfd.as_fd()
    }

    fn take_streams(&mut self) -> [Option<OwnedFd>; 4] {
        let [stdin, stdout, stderr] = std::mem::take(&mut self.streams);
        [stdin, stdout, stderr, self.terminal.take()]
    }

    fn kill(&self, signal: i32) -> Result<(), EngineError> {
        Container::kill(self, signal)
    }

    fn kill_all(&self) -> Result<(), EngineError> {
        Container::kill(self, nix::libc::SIGKILL)
    }

    fn known(&self) -> Result<Option<Exit>, EngineError> {
        // In a fork another thread may have held the lock: nobody would let go of it.
        match self.prepared.engine.is_mine() {
            true => Ok(lock(&self.end).exit.clone()),
            false => match self.end.try_lock() {
                Ok(end) if end.exit.is_some() => Ok(end.exit.clone()),
                _ => Err(EngineError::Forked),
            },
        }
    }

    fn ended(&self) -> Result<Exit, EngineError> {
        Container::ended(self)
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        if self.prepared.engine.is_mine() && lock(&self.end).exit.is_none() {
            let _ = self.kill(nix::libc::SIGKILL);
            let _ = self.wait(None, &mut || false);
        }
    }
}

/// Ends what a container's first process left where it is not the kernel that does so, as Docker does.
fn end_all(reader: &Reader<'_>) {
    const AT_MOST: Duration = Duration::from_secs(2);
    let until = Instant::now() + AT_MOST;
    reader.kill_all();
    // Those that the kernel cannot end now are the janitor's, and the watchdog's.
    while !reader.procs().is_empty() && Instant::now() < until {
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// The steps of a start, and what came after it was `seen` to have ended.
fn timed(steps: &[spawner::Timing], seen: u64) -> Vec<Timing> {
    let origin = steps.iter().map(|step| step.begin).min().unwrap_or(seen);
    let micros = |ns: u64| ns as f64 / 1000.0;
    let timing = |step: &spawner::Timing| Timing {
        label: match step.target.is_empty() {
            true => step.step.to_owned(),
            false => format!("{} {}", step.step, step.target),
        },
        begin_us: micros(step.begin.saturating_sub(origin)),
        took_us: micros(step.took),
    };
    let ends = steps.iter().filter(|step| step.step == "exec");
    let program = ends.map(|step| step.begin + step.took).next_back();
    let program = program.map(|begin| spawner::Timing {
        step: "program",
        target: String::new(),
        begin,
        took: seen.saturating_sub(begin),
    });
    let reap = spawner::Timing::since("reap", seen);
    let after = program.into_iter().chain([reap]);
    steps
        .iter()
        .map(timing)
        .chain(after.map(|step| timing(&step)))
        .collect()
}
