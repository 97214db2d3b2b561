//! One end of a pipe to or from a program.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::OwnedFd;
use std::thread::JoinHandle;

/// errno(3).
const EIO: i32 = 5;

/// Where it is.
pub enum Pipe {
    /// Python has it, or there is none.
    Gone,
    /// Nobody asked for it yet.
    Untaken(OwnedFd),
    /// A thread reads it for the result.
    Collecting(JoinHandle<io::Result<Vec<u8>>>),
}

impl From<Option<OwnedFd>> for Pipe {
    fn from(pipe: Option<OwnedFd>) -> Pipe {
        pipe.map_or(Pipe::Gone, Pipe::Untaken)
    }
}

impl Pipe {
    /// The pipe itself, where nobody has it.
    pub fn take(&mut self) -> Option<OwnedFd> {
        match std::mem::replace(self, Pipe::Gone) {
            Pipe::Untaken(fd) => Some(fd),
            other => {
                *self = other;
                None
            }
        }
    }

    /// Begins to read it to its end, where nobody has it.
    pub fn collect(&mut self) {
        if let Some(fd) = self.take() {
            let read = move || {
                let mut content = Vec::new();
                match File::from(fd).read_to_end(&mut content) {
                    // The end of a terminal.
                    Err(error) if error.raw_os_error() == Some(EIO) => {}
                    read => drop(read?),
                }
                Ok(content)
            };
            *self = Pipe::Collecting(std::thread::spawn(read));
        }
    }

    /// What was read; waits for the end of the pipe. None where nothing was collected.
    pub fn collected(&mut self) -> io::Result<Option<Vec<u8>>> {
        match std::mem::replace(self, Pipe::Gone) {
            Pipe::Collecting(reader) => match reader.join() {
                Ok(content) => content.map(Some),
                Err(panic) => std::panic::resume_unwind(panic),
            },
            other => {
                *self = other;
                Ok(None)
            }
        }
    }
}
