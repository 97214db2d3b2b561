//! Network namespaces, made beside the thread that makes the rest: one takes about as long as everything else until
//! the child needs it, which waits for it at a gate.

use super::{Shared, namespaces};
use crate::error::ContainerError;
use fastbox_sys::gate::Gate;
use fastbox_sys::launch::Stack;
use nix::errno::Errno;
use std::ffi::CString;
use std::os::fd::AsRawFd;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::Instant;

/// A namespace and how long it took in ns.
type Made = Result<(OwnedFd, u64), ContainerError>;

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

/// Body of the thread that makes them.
pub(super) fn work(shared: &Shared, wanted: &Receiver<Wanted>) {
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
    // Taken only if the thread is waiting at this moment.
    match shared.networks.try_send(wanted) {
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
    let began = Instant::now();
    let made = namespaces::network(&shared.inside, stack, userns)?;
    Ok((made, began.elapsed().as_nanos() as u64))
}
