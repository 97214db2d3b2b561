//! The threads that start runs: a start blocks, but not for long.

use super::poller::Running;
use super::{Shared, Source, Task, lock};
use crate::owner::StateError;
use crate::run::EngineError;
use crate::run::exchange::Exchange;
use fastbox_container::ContainerError;
use fastbox_container::cgroup::CgroupError;
use nix::errno::Errno;
use std::borrow::Cow;
use std::sync::{Arc, PoisonError};

/// More starts in flight than this per processor only lengthen the tail.
const PER_CPU: usize = 2;

/// Starts them; they end with their [`super::Many`].
pub(super) fn start(shared: &Arc<Shared>) -> Result<(), EngineError> {
    let cpus = std::thread::available_parallelism().map_or(2, usize::from);
    for _ in 0..(PER_CPU * cpus).min(shared.concurrency) {
        let shared = Arc::clone(shared);
        std::thread::Builder::new()
            .name("fastbox-starter".into())
            .spawn(move || work(&shared))
            .map_err(|error| {
                let errno = error.raw_os_error().unwrap_or(nix::libc::EAGAIN);
                EngineError::system("start a thread")(Errno::from_raw(errno))
            })?;
    }
    Ok(())
}

fn work(shared: &Shared) {
    while let Some((number, task)) = next(shared) {
        run(shared, number, task);
    }
}

/// The next run for which there is room; None at the end.
fn next(shared: &Shared) -> Option<(u64, Task)> {
    let mut state = lock(&shared.state);
    loop {
        if state.closed {
            return None;
        }
        if state.running < state.room
            && let Some(task) = state.queue.pop_front()
        {
            state.running += 1;
            return Some(task);
        }
        let waited = shared.startable.wait(state);
        state = waited.unwrap_or_else(PoisonError::into_inner);
    }
}

fn run(shared: &Shared, number: u64, task: Task) {
    let again = task.job.again();
    let started = match &task.source {
        Source::Pool(pool) => pool
            .start(task.job, &mut || false)
            .and_then(|container| container.ok_or(EngineError::Cancelled)),
        Source::Plan(prepared) => prepared.start_job(task.job),
    };
    let error = match started {
        Ok(mut container) => {
            let input = Cow::Owned(task.input);
            match Exchange::new(&mut container, input, task.timeout, task.max_output) {
                Ok(exchange) => {
                    return shared.poller.add(Running {
                        number,
                        deadline: exchange.deadline(),
                        container,
                        exchange,
                        notify: task.notify,
                    });
                }
                Err(error) => error,
            }
        }
        Err(error) => {
            let mut state = lock(&shared.state);
            if is_full(&error)
                && state.running > 1
                && let Some(job) = again
            {
                // It is its turn again when one that runs has ended.
                state.running -= 1;
                state.room = state.running;
                let task = Task { job, ..task };
                state.queue.push_front((number, task));
                return;
            }
            error
        }
    };
    shared.leaves();
    shared.finish(number, &task.notify, Err(error));
}

/// Whether it says that no more fits just now: descriptors, processes, memory of the kernel's.
fn is_full(error: &EngineError) -> bool {
    use Errno::{EAGAIN, EMFILE, ENFILE, ENOBUFS, ENOMEM, ENOSPC};
    let errno = match error {
        EngineError::Container(
            ContainerError::Step { errno, .. }
            | ContainerError::Spawner { errno, .. }
            | ContainerError::Cgroup(
                CgroupError::System { errno, .. } | CgroupError::Write { errno, .. },
            ),
        )
        | EngineError::Bind { errno, .. }
        | EngineError::System { errno, .. } => *errno,
        EngineError::State(StateError::Io { source, .. }) => {
            Errno::from_raw(source.raw_os_error().unwrap_or(0))
        }
        _ => return false,
    };
    matches!(errno, EAGAIN | EMFILE | ENFILE | ENOBUFS | ENOMEM | ENOSPC)
}
