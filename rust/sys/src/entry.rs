//! How a program comes to a stub that is to enter a running container: the words between [`crate::parcel`] and
//! `fastbox-stub join`.
//!
//! Over a stream socket (unix(7)) come a [`Header`] and the bytes it tells of: steps, data, slots, relocations. What
//! comes back are [`Answer`]s: that the process in the container is there, with its pidfd (SCM_RIGHTS); what failed.
//! The socket closes when the program is executed, or nothing is left that could.

/// What comes first. Offsets are into the bytes that follow it, and are multiples of 8.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct Header {
    /// How many bytes follow.
    pub len: u64,
    /// Where the steps are ([`crate::program::Step`]).
    pub steps: u64,
    /// How many there are.
    pub count: u64,
    /// Where the data of the steps is.
    pub data: u64,
    /// Where the slots are.
    pub slots: u64,
    /// Where the relocations are: places of offsets that are to become addresses, each a word.
    pub relocations: u64,
    /// How many there are.
    pub relocated: u64,
}

/// What the stub says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The process in the container is there: its pid as the stub sees it. Its pidfd comes with this.
    Begun(i32),
    /// A step failed.
    Failed {
        /// Its index.
        step: u32,
        /// Its errno.
        errno: i32,
    },
}

impl Answer {
    /// Bytes of one.
    pub const LEN: usize = 12;

    /// As it is sent.
    #[must_use]
    #[inline]
    pub fn bytes(self) -> [u8; Answer::LEN] {
        let (kind, step, number) = match self {
            Answer::Begun(pid) => (1u32, 0, pid),
            Answer::Failed { step, errno } => (0, step, errno),
        };
        let ([a, b, c, d], [e, f, g, h], [i, j, k, l]) =
            (kind.to_ne_bytes(), step.to_ne_bytes(), number.to_ne_bytes());
        [a, b, c, d, e, f, g, h, i, j, k, l]
    }

    /// From what was received.
    #[must_use]
    pub fn from_bytes(bytes: [u8; Answer::LEN]) -> Answer {
        let [a, b, c, d, e, f, g, h, i, j, k, l] = bytes;
        let number = i32::from_ne_bytes([i, j, k, l]);
        match u32::from_ne_bytes([a, b, c, d]) {
            1 => Answer::Begun(number),
            _ => Answer::Failed {
                step: u32::from_ne_bytes([e, f, g, h]),
                errno: number,
            },
        }
    }
}
