//! What a waiting stub is told: the words between the engine and `fastbox-stub wait`.
//!
//! Over a stream socket (unix(7)) come a [`Header`] with the program's standard streams as SCM_RIGHTS, then `head`
//! bytes of strings, each with a NUL behind it: the working directory (empty: leave it), the paths to try, the
//! arguments, the environment, the paths of files to write; then of each file its length (u64) and its bytes. All
//! numbers are the machine's own. The stub answers only if it fails, with a [`Failure`]; when the program is executed
//! the socket closes.

/// What comes first.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Header {
    /// Bytes of strings that follow.
    pub head: u32,
    /// How many paths to try.
    pub paths: u32,
    /// How many arguments.
    pub args: u32,
    /// How many entries of the environment.
    pub envs: u32,
    /// How many files.
    pub files: u32,
    /// What becomes of the streams: [`streams`].
    pub streams: u32,
}

/// What becomes of a waiting stub's streams, which are /dev/null and two pipes.
pub mod streams {
    /// stdin came; stdout is the next bit, stderr the one after.
    pub const CAME: u32 = 1;
    /// stdout becomes /dev/null; stderr is the next bit.
    pub const NULL_OUT: u32 = 8;
    /// stderr becomes what stdout is then.
    pub const JOINED: u32 = 32;
}

/// What the stub could not do.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Failure {
    /// One of [`stage`].
    pub stage: u32,
    /// Its errno.
    pub errno: i32,
}

/// Where it failed.
pub mod stage {
    /// Reading the order.
    pub const ORDER: u32 = 0;
    /// Its standard streams.
    pub const STREAMS: u32 = 1;
    /// The working directory.
    pub const DIRECTORY: u32 = 2;
    /// The program.
    pub const EXEC: u32 = 3;
    /// The first file; the second is one more.
    pub const FILE: u32 = 16;
}

impl Header {
    /// As it is sent.
    #[must_use]
    pub fn bytes(&self) -> [u8; size_of::<Header>()] {
        let mut bytes = [0; size_of::<Header>()];
        let Header {
            head,
            paths,
            args,
            envs,
            files,
            streams,
        } = *self;
        let numbers = [head, paths, args, envs, files, streams];
        for (place, number) in bytes.chunks_exact_mut(4).zip(numbers) {
            place.copy_from_slice(&number.to_ne_bytes());
        }
        bytes
    }
}

impl Failure {
    /// From what was received.
    #[must_use]
    pub fn from_bytes(bytes: [u8; size_of::<Failure>()]) -> Failure {
        let [a, b, c, d, e, f, g, h] = bytes;
        Failure {
            stage: u32::from_ne_bytes([a, b, c, d]),
            errno: i32::from_ne_bytes([e, f, g, h]),
        }
    }
}
