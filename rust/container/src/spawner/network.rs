//! Network namespaces, made beside the thread that makes the rest: one takes about as long as everything else before
//! the clone.

use super::{Shared, namespaces};
use crate::error::ContainerError;
use fastbox_sys::launch::Stack;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::Instant;

/// A namespace and how long it took in ns.
type Made = Result<(OwnedFd, u64), ContainerError>;

/// One that is wanted.
pub(super) struct Wanted {
    userns: Arc<OwnedFd>,
    answer: SyncSender<Made>,
}

/// One on its way.
pub(super) enum Pending {
    /// By the other thread.
    Beside(Receiver<Made>),
    /// That thread is busy: by this one, when it is needed.
    Here(Arc<OwnedFd>),
}

/// Body of the thread that makes them.
pub(super) fn work(shared: &Shared, wanted: &Receiver<Wanted>) {
    let mut stack = Stack::new();
    while let Ok(wanted) = wanted.recv() {
        // Whoever asked may have failed meanwhile.
        let _ = wanted.answer.send(make(shared, &mut stack, &wanted.userns));
    }
}

/// Asks for a namespace that `userns` owns.
pub(super) fn begin(shared: &Shared, userns: Arc<OwnedFd>) -> Pending {
    let (answer, made) = sync_channel(1);
    let wanted = Wanted {
        userns: Arc::clone(&userns),
        answer,
    };
    // Taken only if the thread is waiting at this moment.
    match shared.networks.try_send(wanted) {
        Ok(()) => Pending::Beside(made),
        Err(_) => Pending::Here(userns),
    }
}

impl Pending {
    /// The namespace.
    pub(super) fn finish(self, shared: &Shared, stack: &mut Stack) -> Made {
        match self {
            Pending::Here(userns) => make(shared, stack, &userns),
            Pending::Beside(made) => made.recv().unwrap_or_else(|_| {
                Err(ContainerError::spawner("hear of a network namespace")(
                    nix::errno::Errno::EPIPE,
                ))
            }),
        }
    }
}

fn make(shared: &Shared, stack: &mut Stack, userns: &OwnedFd) -> Made {
    let began = Instant::now();
    let made = namespaces::network(&shared.inside, stack, userns)?;
    Ok((made, began.elapsed().as_nanos() as u64))
}
