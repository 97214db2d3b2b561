//! Containers made ahead: each is finished up to its program, and is used once.

mod job;
mod order;
mod parked;
mod refill;
mod streams;

use super::{Container, EngineError, Prepared, Request, lock};
use order::Order;
use parked::Parked;
use refill::State;
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;
use streams::Ends;

pub use job::Job;
pub(super) use job::refuse_environment;
pub(super) use order::environment;

/// More than this would fill the machine's tables of mounts, namespaces and control groups before it helped anyone.
pub const MOST_READY: usize = 4096;

/// When so many that waited have died, one after the other, it is no accident.
const ATTEMPTS: usize = 16;

/// Containers of one plan, ready to be released. Dropping it ends those that wait; those released live on.
pub struct Pool {
    shared: Arc<Shared>,
}

struct Shared {
    prepared: Arc<Prepared>,
    ready: usize,
    idle: Duration,
    state: Mutex<State>,
    wanted: Condvar,
}

impl Pool {
    /// A pool that keeps `ready` containers waiting. After `idle` without a job it lets all but one go, until the
    /// next job.
    ///
    /// The first container is made before this returns, so that what is wrong with the plan shows here.
    ///
    /// # Errors
    /// As [`Prepared::start`]; a terminal; more than [`MOST_READY`].
    pub fn new(prepared: Arc<Prepared>, ready: usize, idle: Duration) -> Result<Pool, EngineError> {
        if ready == 0 || ready > MOST_READY {
            return Err(EngineError::PoolSize {
                ready,
                most: MOST_READY,
            });
        }
        let first = Parked::make(&prepared)?;
        let shared = Arc::new(Shared {
            prepared,
            ready,
            idle,
            state: Mutex::new(State::new(first)),
            wanted: Condvar::new(),
        });
        refill::start(&shared)?;
        Ok(Pool { shared })
    }

    /// What its containers are made of.
    #[must_use]
    pub fn prepared(&self) -> &Arc<Prepared> {
        &self.shared.prepared
    }

    /// How many containers wait now.
    #[must_use]
    pub fn waiting(&self) -> usize {
        lock(&self.shared.state).ready.len()
    }

    /// Has a program executed in a container that waits; where none does, in the next to be made, first come first
    /// served. `interrupted` is asked now and then; the answer is None if it says so.
    ///
    /// # Errors
    /// As [`Prepared::start`]; a pool that is closed.
    pub fn start(
        &self,
        job: Job,
        interrupted: &mut dyn FnMut() -> bool,
    ) -> Result<Option<Container>, EngineError> {
        let next = || self.shared.take(interrupted);
        let sent = &mut || self.shared.taken();
        let started = release(&self.shared.prepared, job, next, sent);
        // Then one may have been taken for nothing.
        started.inspect_err(|_| self.shared.taken())
    }

    /// Ends the containers that wait; jobs from now on are refused. Closing again does nothing.
    pub fn close(&self) {
        if self.shared.prepared.engine.is_mine() {
            self.shared.close();
        }
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.close();
    }
}

impl Prepared {
    /// Starts a job without a pool. What only the stub can do, files, another directory or environment, is done by a
    /// container that waits for it, briefly.
    ///
    /// # Errors
    /// As [`Prepared::start`].
    pub fn start_job(self: &Arc<Self>, job: Job) -> Result<Container, EngineError> {
        if job.is_plain() {
            return self.start(Request {
                args: job.args,
                stdin: job.stdin,
                stdout: job.stdout,
                stderr: job.stderr,
                name: job.name,
                id_file: None,
                timed: false,
            });
        }
        let next = || Parked::make(self).map(Some);
        let started = release(self, job, next, &mut || {})?;
        started.ok_or(EngineError::Cancelled)
    }
}

/// Has a job's program executed in the first container of `next` that lives.
fn release(
    prepared: &Prepared,
    job: Job,
    mut next: impl FnMut() -> Result<Option<Parked>, EngineError>,
    sent: &mut dyn FnMut(),
) -> Result<Option<Container>, EngineError> {
    if !prepared.engine.is_mine() {
        return Err(EngineError::Forked);
    }
    let args = prepared.arguments(&job.args)?;
    job.check()?;
    let order = Order {
        args,
        base: prepared.plan.env(),
        env: &job.env,
        directory: job.cwd.as_deref(),
        files: &job.files,
    };
    let mut ends = Ends::new(job.stdin, job.stdout, job.stderr)?;
    for _ in 0..ATTEMPTS {
        let Some(parked) = next()? else {
            return Ok(None);
        };
        let released = parked.release(&order, &mut ends, job.name.as_deref(), sent)?;
        if released.is_some() {
            return Ok(released);
        }
        sent();
    }
    Err(EngineError::ParkedDie)
}
