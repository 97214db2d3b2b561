//! Network namespaces, made beside the thread that makes the rest: one takes about as long as everything else until
//! the child needs it, which waits for it at a gate.

use super::timing::{Timing, monotonic};
use super::{Shared, namespaces};
use crate::error::ContainerError;
use fastbox_sys::gate::Gate;
use fastbox_sys::launch::Stack;
use nix::errno::Errno;
use nix::sched::{CpuSet, sched_getaffinity, sched_getcpu, sched_setaffinity};
use nix::unistd::Pid;
use std::ffi::CString;
use std::os::fd::AsRawFd;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

/// A namespace, and when it was made.
type Made = Result<(OwnedFd, Timing), ContainerError>;

/// One that is wanted.
pub(super) struct Wanted {
    userns: Arc<OwnedFd>,
    gate: Arc<Gate>,
    answer: SyncSender<Made>,
}

/// One on its way.
pub(super) enum Pending {
    /// By the other thread, which opens the gate.
    Beside(Arc<Gate>, Receiver<Made>),
    /// That thread is busy: by this one, before the clone.
    Here(Arc<OwnedFd>),
}

/// The thread that makes them, and the processor it keeps off.
pub(super) struct Maker {
    wanted: SyncSender<Wanted>,
    thread: AtomicI32,
    avoids: AtomicUsize,
}

impl Maker {
    /// To be asked through `wanted`.
    pub(super) fn new(wanted: SyncSender<Wanted>) -> Maker {
        Maker {
            wanted,
            thread: AtomicI32::new(0),
            avoids: AtomicUsize::new(usize::MAX),
        }
    }

    /// Keeps the thread off this processor. Left alone, the scheduler wakes it where it is woken from, and there it
    /// waits until this thread sleeps: on two processors 330 µs, elsewhere 65 µs.
    fn keep_away(&self) {
        let thread = Pid::from_raw(self.thread.load(Ordering::Relaxed));
        let Ok(here) = sched_getcpu() else { return };
        if thread.as_raw() == 0 || self.avoids.swap(here, Ordering::Relaxed) == here {
            return;
        }
        let Ok(mut allowed) = sched_getaffinity(Pid::from_raw(0)) else {
            return;
        };
        // It may run nowhere else: then it is as good as ever.
        let others = (0..CpuSet::count()).any(|cpu| cpu != here && allowed.is_set(cpu) == Ok(true));
        if others && allowed.unset(here).is_ok() {
            let _ = sched_setaffinity(thread, &allowed);
        }
    }
}

/// Body of the thread that makes them.
pub(super) fn work(shared: &Shared, wanted: &Receiver<Wanted>) {
    let thread = nix::unistd::gettid().as_raw();
    shared.networks.thread.store(thread, Ordering::Relaxed);
    let mut stack = Stack::new();
    while let Ok(wanted) = wanted.recv() {
        let made = make(shared, &mut stack, &wanted.userns);
        open(&wanted.gate, &made);
        // Whoever asked may have failed meanwhile.
        let _ = wanted.answer.send(made);
    }
}

/// Asks for a namespace that `userns` owns.
pub(super) fn begin(shared: &Shared, userns: Arc<OwnedFd>) -> Pending {
    let (answer, made) = sync_channel(1);
    let gate = Arc::new(Gate::new());
    let wanted = Wanted {
        userns: Arc::clone(&userns),
        gate: Arc::clone(&gate),
        answer,
    };
    shared.networks.keep_away();
    // Taken only if the thread is waiting at this moment.
    match shared.networks.wanted.try_send(wanted) {
        Ok(()) => Pending::Beside(gate, made),
        Err(_) => Pending::Here(userns),
    }
}

impl Pending {
    /// The gate for the child, and what comes of the namespace: to be kept until the child is through.
    pub(super) fn gate(
        self,
        shared: &Shared,
        stack: &mut Stack,
    ) -> Result<(Arc<Gate>, Receiver<Made>), ContainerError> {
        match self {
            Pending::Beside(gate, made) => Ok((gate, made)),
            Pending::Here(userns) => {
                let (answer, made) = sync_channel(1);
                let gate = Arc::new(Gate::new());
                let namespace = Ok(make(shared, stack, &userns)?);
                open(&gate, &namespace);
                let _ = answer.send(namespace);
                Ok((gate, made))
            }
        }
    }
}

/// Opens the gate with the path at which the child finds the fd of this thread's table.
fn open(gate: &Gate, made: &Made) {
    match made {
        Ok((fd, _)) => {
            let (process, thread) = (std::process::id(), nix::unistd::gettid());
            let path = format!("{process}/task/{thread}/fd/{}", fd.as_raw_fd());
            gate.open(&CString::new(path).unwrap_or_default());
        }
        Err(ContainerError::Step { errno, .. } | ContainerError::Spawner { errno, .. }) => {
            gate.fail(*errno as i32);
        }
        Err(_) => gate.fail(Errno::EIO as i32),
    }
}

fn make(shared: &Shared, stack: &mut Stack, userns: &OwnedFd) -> Made {
    let begin = monotonic();
    let made = namespaces::network(&shared.inside, stack, userns)?;
    Ok((made, Timing::since("network namespace", begin)))
}
