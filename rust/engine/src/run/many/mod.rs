//! Many runs at once without a thread for each: a few threads start them, one looks after all that run.

mod poller;
mod starters;

use super::pool::{Job, Pool};
use super::{Communicated, EngineError, Prepared, lock};
use nix::sys::eventfd::{EfdFlags, EventFd};
use std::collections::VecDeque;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

/// What a run is started from.
#[derive(Clone)]
pub enum Source {
    /// A plan: everything is made at the start.
    Plan(Arc<Prepared>),
    /// A pool's container.
    Pool(Arc<Pool>),
}

/// One run of many.
pub struct Task {
    /// What it is started from.
    pub source: Source,
    /// What runs.
    pub job: Job,
    /// What its standard input is given.
    pub input: Vec<u8>,
    /// Kill everything in the container after this time.
    pub timeout: Option<Duration>,
    /// Kill it once stdout and stderr together exceed so many bytes.
    pub max_output: Option<u64>,
    /// Told when it is over.
    pub notify: Option<Arc<Notification>>,
}

/// A run that is over: its number and what it came to.
pub type Done = (u64, Result<Communicated, EngineError>);

/// Runs in progress. Dropping it kills them.
pub struct Many {
    shared: Arc<Shared>,
}

struct Shared {
    /// So many run at the same time.
    concurrency: usize,
    state: Mutex<State>,
    /// For starters: there is something to start, and room.
    startable: Condvar,
    /// For users: something is over.
    finished: Condvar,
    poller: poller::Inbox,
}

#[derive(Default)]
struct State {
    queue: VecDeque<(u64, Task)>,
    /// Started, being started, or not collected by the poller yet.
    running: usize,
    /// So many may run now: fewer than wanted where the machine had no room for more.
    room: usize,
    /// Runs not to be started, or to be ended, though they were taken from the queue.
    cancelled: Vec<u64>,
    done: VecDeque<Done>,
    last: u64,
    closed: bool,
}

impl Many {
    /// Ready for runs, `concurrency` of them at the same time.
    ///
    /// # Errors
    /// Threads or descriptors that cannot be had.
    pub fn new(concurrency: usize) -> Result<Many, EngineError> {
        let (poller, inbox) = poller::Poller::new()?;
        let shared = Arc::new(Shared {
            concurrency: concurrency.max(1),
            state: Mutex::new(State {
                room: concurrency.max(1),
                ..State::default()
            }),
            startable: Condvar::new(),
            finished: Condvar::new(),
            poller: inbox,
        });
        poller.start(&shared)?;
        starters::start(&shared)?;
        Ok(Many { shared })
    }

    /// Queues a run; its number.
    pub fn submit(&self, task: Task) -> u64 {
        let mut state = lock(&self.shared.state);
        state.last += 1;
        let number = state.last;
        state.queue.push_back((number, task));
        drop(state);
        self.shared.startable.notify_one();
        number
    }

    /// Ends a run that is not over; what it came to says that it was interrupted. One still in the queue is over at
    /// once.
    pub fn cancel(&self, number: u64) {
        let mut state = lock(&self.shared.state);
        if let Some(at) = state.queue.iter().position(|(queued, _)| *queued == number) {
            let removed = state.queue.remove(at);
            drop(state);
            if let Some((_, task)) = removed {
                self.shared
                    .finish(number, &task.notify, Err(EngineError::Cancelled));
            }
            return;
        }
        state.cancelled.push(number);
        drop(state);
        self.shared.poller.wake();
    }

    /// The next run that is over; waits for one. None if `interrupted`, asked now and then, says so.
    pub fn next(&self, interrupted: &mut dyn FnMut() -> bool) -> Option<Done> {
        const LOOK: Duration = Duration::from_millis(100);
        let mut state = lock(&self.shared.state);
        loop {
            if let Some(done) = state.done.pop_front() {
                return Some(done);
            }
            let waited = self.shared.finished.wait_timeout(state, LOOK);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
            if state.done.is_empty() {
                drop(state);
                if interrupted() {
                    return None;
                }
                state = lock(&self.shared.state);
            }
        }
    }

    /// Takes what a run came to, if it is over.
    pub fn take(&self, number: u64) -> Option<Result<Communicated, EngineError>> {
        let mut state = lock(&self.shared.state);
        let at = state.done.iter().position(|(done, _)| *done == number)?;
        state.done.remove(at).map(|(_, result)| result)
    }
}

impl Drop for Many {
    fn drop(&mut self) {
        let mut state = lock(&self.shared.state);
        state.closed = true;
        state.queue.clear();
        drop(state);
        self.shared.startable.notify_all();
        self.shared.poller.wake();
    }
}

impl Shared {
    /// One that ran, or was being started, no longer does.
    fn leaves(&self) {
        let mut state = lock(&self.state);
        state.running -= 1;
        state.room = (state.room + 1).min(self.concurrency);
        drop(state);
        self.startable.notify_all();
    }

    /// A run is over.
    fn finish(
        &self,
        number: u64,
        notify: &Option<Arc<Notification>>,
        result: Result<Communicated, EngineError>,
    ) {
        let mut state = lock(&self.state);
        state.cancelled.retain(|cancelled| *cancelled != number);
        state.done.push_back((number, result));
        drop(state);
        self.finished.notify_one();
        if let Some(notify) = notify {
            notify.give();
        }
    }
}

/// Readable once something has happened (eventfd(2)).
#[derive(Debug)]
pub struct Notification(EventFd);

impl Notification {
    /// Nothing has happened yet.
    ///
    /// # Errors
    /// No descriptor to be had.
    pub fn new() -> Result<Notification, EngineError> {
        let flags = EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK;
        let fd = EventFd::from_flags(flags).map_err(EngineError::system("make an eventfd"))?;
        Ok(Notification(fd))
    }

    pub(in crate::run) fn give(&self) {
        // Its counter cannot overflow by ones.
        let _ = self.0.write(1);
    }

    pub(in crate::run) fn take(&self) {
        // Nothing there is nothing taken.
        let _ = self.0.read();
    }
}

impl AsRawFd for Notification {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_raw_fd()
    }
}

impl AsFd for Notification {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}
