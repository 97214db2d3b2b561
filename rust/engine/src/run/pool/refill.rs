//! Who makes a pool's containers, and who gets them.

use super::parked::Parked;
use super::{EngineError, Shared, lock};
use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Set-ups in flight for one pool; more only lengthen the tail.
const MAKERS: usize = 2;
/// Containers are made in the place of those that jobs took only when so long no job came: to make one takes two
/// processors about a millisecond, which on a small machine a short job would have to share. Not where more than half are
/// gone: then jobs come in a row, and each has to wait for its container to be made anyhow.
const GRACE: Duration = Duration::from_millis(2);
/// How often who waits looks whether it was interrupted.
const LOOK: Duration = Duration::from_millis(100);

/// What a pool's makers and users share.
pub(super) struct State {
    /// Containers that wait, the oldest first.
    pub(super) ready: VecDeque<Parked>,
    /// How many are being made.
    making: usize,
    /// Who waits for one, in the order in which they came.
    waiters: VecDeque<Arc<Waiter>>,
    closed: bool,
    /// The last attempt failed and nobody has asked since.
    failed: bool,
    /// When the last job came.
    used: Instant,
}

/// One who waits.
struct Waiter {
    given: Mutex<Option<Result<Parked, EngineError>>>,
    arrived: Condvar,
}

impl State {
    pub(super) fn new(first: Parked) -> State {
        State {
            ready: VecDeque::from([first]),
            making: 0,
            waiters: VecDeque::new(),
            closed: false,
            failed: false,
            used: Instant::now(),
        }
    }
}

impl Shared {
    /// A container that waits. To be followed by [`Shared::taken`].
    pub(super) fn take(
        &self,
        interrupted: &mut dyn FnMut() -> bool,
    ) -> Result<Option<Parked>, EngineError> {
        let mut state = lock(&self.state);
        if state.closed {
            return Err(EngineError::PoolClosed);
        }
        state.used = Instant::now();
        state.failed = false;
        if state.waiters.is_empty()
            && let Some(parked) = state.ready.pop_front()
        {
            return Ok(Some(parked));
        }
        let me = Arc::new(Waiter {
            given: Mutex::new(None),
            arrived: Condvar::new(),
        });
        state.waiters.push_back(Arc::clone(&me));
        self.wanted.notify_all();
        drop(state);
        let mut given = lock(&me.given);
        loop {
            if let Some(given) = given.take() {
                return given.map(Some);
            }
            let waited = me.arrived.wait_timeout(given, LOOK);
            given = waited.unwrap_or_else(PoisonError::into_inner).0;
            if given.is_none() && interrupted() {
                // The state's lock comes first.
                drop(given);
                let mut state = lock(&self.state);
                state.waiters.retain(|waiter| !Arc::ptr_eq(waiter, &me));
                if let Some(Ok(parked)) = lock(&me.given).take() {
                    state.ready.push_front(parked);
                }
                return Ok(None);
            }
        }
    }

    /// One was taken, and put to work.
    pub(super) fn taken(&self) {
        self.wanted.notify_one();
    }

    /// Hands a new container, or why there is none, to who has waited longest. Gives a container back that is not
    /// wanted any more.
    fn deliver(&self, made: Result<Parked, EngineError>) -> Option<Parked> {
        let mut state = lock(&self.state);
        state.making -= 1;
        if let Some(waiter) = state.waiters.pop_front() {
            *lock(&waiter.given) = Some(made);
            waiter.arrived.notify_one();
            return None;
        }
        match made {
            Ok(parked) if state.closed => Some(parked),
            Ok(parked) => {
                state.ready.push_back(parked);
                None
            }
            // The next who asks is told.
            Err(_) => {
                state.failed = true;
                None
            }
        }
    }

    /// Waits until there is something to make. False: the pool is closed.
    fn next(&self) -> bool {
        let mut state = lock(&self.state);
        loop {
            if state.closed {
                return false;
            }
            let idle = state.used.elapsed() >= self.idle;
            let wanted = if idle { 1 } else { self.ready };
            let here = state.ready.len() + state.making;
            let grace = GRACE.saturating_sub(state.used.elapsed());
            let short = !state.failed && here < wanted;
            let urgent = here < wanted.div_ceil(2) || grace.is_zero();
            if state.waiters.len() > state.making || short && urgent {
                state.making += 1;
                return true;
            }
            if idle && state.ready.len() > 1 {
                let surplus = state.ready.split_off(1);
                drop(state);
                end(surplus);
                state = lock(&self.state);
                continue;
            }
            state = if short || state.ready.len() > 1 {
                let idle = self.idle.saturating_sub(state.used.elapsed());
                let left = if short { grace } else { idle };
                let waited = self.wanted.wait_timeout(state, left);
                waited.unwrap_or_else(PoisonError::into_inner).0
            } else {
                let waited = self.wanted.wait(state);
                waited.unwrap_or_else(PoisonError::into_inner)
            };
        }
    }

    pub(super) fn close(&self) {
        let mut state = lock(&self.state);
        state.closed = true;
        let ready = std::mem::take(&mut state.ready);
        for waiter in state.waiters.drain(..) {
            *lock(&waiter.given) = Some(Err(EngineError::PoolClosed));
            waiter.arrived.notify_one();
        }
        drop(state);
        self.wanted.notify_all();
        end(ready);
    }
}

/// Ends containers that wait: all are killed before the first is waited for.
fn end(parked: VecDeque<Parked>) {
    parked.iter().for_each(Parked::kill);
}

/// Starts the makers. They end with the pool.
pub(super) fn start(shared: &Arc<Shared>) -> Result<(), EngineError> {
    for _ in 0..MAKERS.min(shared.ready) {
        let shared = Arc::clone(shared);
        std::thread::Builder::new()
            .name("fastbox-pool".into())
            .spawn(move || work(&shared))
            .map_err(|error| {
                let errno = error.raw_os_error().unwrap_or(nix::libc::EAGAIN);
                EngineError::system("start a thread")(nix::errno::Errno::from_raw(errno))
            })?;
    }
    Ok(())
}

fn work(shared: &Arc<Shared>) {
    while shared.next() {
        let made = Parked::make(&shared.prepared);
        drop(shared.deliver(made));
    }
}
