//! The standard streams of a container that is released.
//!
//! One that waits has /dev/null and two pipes, which its program's user may open by name. What else is wanted is made
//! here and handed over.

use crate::run::{EngineError, Input, Output};
use fastbox_sys::order::streams::{CAME, JOINED, NULL_OUT};
use nix::fcntl::OFlag;
use std::os::fd::{AsFd, AsRawFd, OwnedFd, RawFd};

/// What the program gets instead of what waits, and the caller's end of its input.
pub(super) struct Ends {
    theirs: [Option<OwnedFd>; 3],
    stdin: Option<OwnedFd>,
    /// Which of the pipes that wait are wanted.
    pipes: [bool; 2],
    flags: u32,
}

impl Ends {
    pub(super) fn new(stdin: Input, stdout: Output, stderr: Output) -> Result<Ends, EngineError> {
        let mut ends = Ends {
            theirs: [const { None }; 3],
            stdin: None,
            pipes: [false; 2],
            flags: 0,
        };
        match stdin {
            Input::Null => {}
            Input::Fd(fd) => ends.theirs[0] = Some(fd),
            Input::Pipe => {
                let made = nix::unistd::pipe2(OFlag::O_CLOEXEC);
                let (read, write) = made.map_err(EngineError::system("make a pipe"))?;
                (ends.theirs[0], ends.stdin) = (Some(read), Some(write));
            }
        }
        for (place, output) in [stdout, stderr].into_iter().enumerate() {
            match output {
                Output::Null => ends.flags |= NULL_OUT << place,
                Output::Stdout => ends.flags |= JOINED,
                Output::Fd(fd) => ends.theirs[1 + place] = Some(fd),
                Output::Pipe => ends.pipes[place] = true,
            }
        }
        for (place, _) in ends
            .theirs
            .iter()
            .enumerate()
            .filter(|(_, fd)| fd.is_some())
        {
            ends.flags |= CAME << place;
        }
        Ok(ends)
    }

    /// Gives the input to the program's user, so that it can open /dev/stdin whatever its user.
    pub(super) fn give_to(&self, (uid, gid): (u32, u32)) -> Result<(), EngineError> {
        if let Some(pipe) = &self.stdin {
            nix::unistd::fchown(pipe.as_fd(), Some(uid.into()), Some(gid.into()))
                .map_err(EngineError::system("chown a pipe"))?;
        }
        Ok(())
    }

    /// What becomes of the streams (`fastbox_sys::order::streams`), and what is handed over.
    pub(super) fn theirs(&self) -> (u32, Vec<RawFd>) {
        let fds = self.theirs.iter().flatten().map(AsRawFd::as_raw_fd);
        (self.flags, fds.collect())
    }

    /// The caller's ends, with the pipes that waited; what was handed over is the container's now.
    pub(super) fn ours(&mut self, waited: [Option<OwnedFd>; 3]) -> [Option<OwnedFd>; 3] {
        self.theirs = [const { None }; 3];
        let [_, stdout, stderr] = waited;
        [
            self.stdin.take(),
            stdout.filter(|_| self.pipes[0]),
            stderr.filter(|_| self.pipes[1]),
        ]
    }
}
