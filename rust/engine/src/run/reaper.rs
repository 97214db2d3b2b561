//! The thread that takes the ends of programs in running containers that nobody waits for.

use super::exec::Process;
use super::many::Notification;
use super::{EngineError, lock};
use fastbox_sys::per_process::PerProcess;
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use std::os::fd::AsFd;
use std::sync::{Arc, Mutex};

/// The way to the thread.
struct Reaper {
    new: Mutex<Vec<Arc<Process>>>,
    wake: Notification,
}

/// Has it look after one more.
pub(super) fn watch(process: &Arc<Process>) -> Result<(), EngineError> {
    static REAPER: PerProcess<Arc<Reaper>> = PerProcess::new();
    let reaper = REAPER.get_or_make(start)?;
    lock(&reaper.new).push(Arc::clone(process));
    reaper.wake.give();
    Ok(())
}

fn start() -> Result<Arc<Reaper>, EngineError> {
    let reaper = Arc::new(Reaper {
        new: Mutex::default(),
        wake: Notification::new()?,
    });
    let its = Arc::clone(&reaper);
    let started = std::thread::Builder::new()
        .name("fastbox-reaper".into())
        .spawn(move || its.work());
    match started {
        Ok(_) => Ok(reaper),
        Err(error) => {
            let errno = error.raw_os_error().unwrap_or(nix::libc::EAGAIN);
            Err(EngineError::system("start a thread")(Errno::from_raw(
                errno,
            )))
        }
    }
}

impl Reaper {
    fn work(&self) {
        let mut running: Vec<Arc<Process>> = Vec::new();
        loop {
            let wake = PollFd::new(self.wake.as_fd(), PollFlags::POLLIN);
            let pidfds = running.iter().map(|process| process.pidfd.as_fd());
            let mut fds: Vec<PollFd<'_>> = pidfds
                .map(|fd| PollFd::new(fd, PollFlags::POLLIN))
                .chain([wake])
                .collect();
            // Without room in the kernel it is tried again.
            let _ = poll(&mut fds, PollTimeout::NONE);
            let ready: Vec<bool> = fds.iter().map(|fd| fd.any() == Some(true)).collect();
            drop(fds);
            self.wake.take();
            let mut ended = ready.iter();
            running.retain(|process| {
                let over = ended.next() == Some(&true);
                if over {
                    // It is on record with the process, for who asks.
                    let _ = process.ended();
                }
                !over
            });
            running.append(&mut lock(&self.new));
        }
    }
}
