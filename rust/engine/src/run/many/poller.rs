//! The thread that looks after all runs: input in, output out, time, the end.

use super::{EngineError, Notification, Shared, lock};
use crate::run::Container;
use crate::run::exchange::Exchange;
use nix::errno::Errno;
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use std::collections::{BTreeSet, HashMap};
use std::os::fd::AsFd;
use std::sync::{Arc, Mutex, Weak};
use std::time::{Duration, Instant};

/// What the wake-up's events are told by; runs have their numbers, from 1 on, with a bit for the pidfd.
const WAKE: u64 = 0;
/// How many events are taken at once.
const BATCH: usize = 64;

/// A run that was started.
pub(super) struct Running {
    pub(super) number: u64,
    pub(super) deadline: Option<Instant>,
    pub(super) container: Container,
    pub(super) exchange: Exchange<'static>,
    pub(super) notify: Option<Arc<Notification>>,
}

/// The way to the thread.
pub(super) struct Inbox {
    new: Arc<Mutex<Vec<Running>>>,
    wake: Arc<Notification>,
}

impl Inbox {
    pub(super) fn add(&self, running: Running) {
        lock(&self.new).push(running);
        self.wake();
    }

    pub(super) fn wake(&self) {
        self.wake.give();
    }
}

/// The thread's own.
pub(super) struct Poller {
    epoll: Epoll,
    wake: Arc<Notification>,
    new: Arc<Mutex<Vec<Running>>>,
    runs: HashMap<u64, Running>,
    deadlines: BTreeSet<(Instant, u64)>,
    buffer: Vec<u8>,
}

impl Poller {
    pub(super) fn new() -> Result<(Poller, Inbox), EngineError> {
        let failed = EngineError::system("make an epoll");
        let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC).map_err(failed)?;
        let wake = Arc::new(Notification::new()?);
        epoll
            .add(wake.as_fd(), EpollEvent::new(EpollFlags::EPOLLIN, WAKE))
            .map_err(EngineError::system("use an epoll"))?;
        let new = Arc::new(Mutex::new(Vec::new()));
        let inbox = Inbox {
            new: Arc::clone(&new),
            wake: Arc::clone(&wake),
        };
        let poller = Poller {
            epoll,
            wake,
            new,
            runs: HashMap::new(),
            deadlines: BTreeSet::new(),
            buffer: Vec::new(),
        };
        Ok((poller, inbox))
    }

    /// Starts the thread. It ends once everything is over and nobody holds `shared` any more.
    pub(super) fn start(self, shared: &Arc<Shared>) -> Result<(), EngineError> {
        let shared = Arc::downgrade(shared);
        std::thread::Builder::new()
            .name("fastbox-poller".into())
            .spawn(move || self.work(&shared))
            .map(drop)
            .map_err(|error| {
                let errno = error.raw_os_error().unwrap_or(nix::libc::EAGAIN);
                EngineError::system("start a thread")(Errno::from_raw(errno))
            })
    }

    fn work(mut self, shared: &Weak<Shared>) {
        let mut events = [EpollEvent::empty(); BATCH];
        loop {
            let count = match self.epoll.wait(&mut events, self.patience()) {
                Ok(count) => count,
                Err(Errno::EINTR) => 0,
                Err(_) => return,
            };
            let Some(shared) = shared.upgrade() else {
                return;
            };
            for event in &events[..count] {
                match event.data() {
                    WAKE => self.wake.take(),
                    key => self.event(&shared, key >> 1, key & 1 == 1),
                }
            }
            self.expire(&shared);
            if self.look_around(&shared) {
                return;
            }
        }
    }

    /// Until the next deadline, rounded up.
    fn patience(&self) -> EpollTimeout {
        let Some((deadline, _)) = self.deadlines.first() else {
            return EpollTimeout::NONE;
        };
        let left = deadline.saturating_duration_since(Instant::now());
        let left = left + Duration::from_millis(1);
        EpollTimeout::try_from(left).unwrap_or(EpollTimeout::MAX)
    }

    fn event(&mut self, shared: &Shared, number: u64, ended: bool) {
        let Some(running) = self.runs.get_mut(&number) else {
            // Ended by an earlier event of the same batch.
            return;
        };
        let advanced = running
            .exchange
            .advance(&running.container, &mut self.buffer);
        match advanced {
            Ok(()) if !ended => {}
            Ok(()) => self.over(shared, number, None),
            Err(error) => self.over(shared, number, Some(error)),
        }
    }

    fn over(&mut self, shared: &Shared, number: u64, error: Option<EngineError>) {
        let Some(running) = self.runs.remove(&number) else {
            return;
        };
        if let Some(deadline) = running.deadline {
            self.deadlines.remove(&(deadline, number));
        }
        let Running {
            container,
            exchange,
            notify,
            ..
        } = running;
        let result = match error {
            Some(error) => Err(error),
            None => exchange.finish(&container, &mut self.buffer),
        };
        drop(container);
        shared.leaves();
        shared.finish(number, &notify, result);
    }

    fn expire(&mut self, shared: &Shared) {
        let now = Instant::now();
        while let Some((deadline, number)) = self.deadlines.first().copied()
            && deadline <= now
        {
            self.deadlines.pop_first();
            if let Some(running) = self.runs.get_mut(&number)
                && let Err(error) = running.exchange.expire(&running.container)
            {
                self.over(shared, number, Some(error));
            }
        }
    }

    /// Takes in what was started, and ends what was cancelled. True: all is over.
    fn look_around(&mut self, shared: &Shared) -> bool {
        let new = std::mem::take(&mut *lock(&self.new));
        for running in new {
            self.take_in(shared, running);
        }
        let state = lock(&shared.state);
        let (closed, cancelled) = (state.closed, state.cancelled.clone());
        let starting = state.running > self.runs.len();
        drop(state);
        let all: Vec<u64> = match closed {
            true => self.runs.keys().copied().collect(),
            false => cancelled,
        };
        for number in all {
            if let Some(running) = self.runs.get_mut(&number)
                && let Err(error) = running.exchange.interrupt(&running.container)
            {
                self.over(shared, number, Some(error));
            }
        }
        closed && self.runs.is_empty() && !starting
    }

    fn take_in(&mut self, shared: &Shared, running: Running) {
        let number = running.number;
        let key = number << 1;
        if let Some(deadline) = running.deadline {
            self.deadlines.insert((deadline, number));
        }
        let add = |fd, flags, key| self.epoll.add(fd, EpollEvent::new(flags, key));
        let pipes = || {
            for fd in running.exchange.reads() {
                add(fd, EpollFlags::EPOLLIN, key)?;
            }
            for fd in running.exchange.writes() {
                add(fd, EpollFlags::EPOLLOUT, key)?;
            }
            add(running.container.pidfd(), EpollFlags::EPOLLIN, key | 1)
        };
        let added = pipes();
        self.runs.insert(number, running);
        if let Err(errno) = added {
            let error = EngineError::system("watch a container")(errno);
            self.over(shared, number, Some(error));
        }
    }
}
