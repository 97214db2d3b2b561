//! System call filters: Docker's profiles, and their compilation to classic BPF.
//!
//! - A [`Profile`] is Docker's JSON: rules that depend on capabilities, architecture and kernel.
//! - [`Profile::resolve`] makes it the runtime-spec's seccomp section, without conditions.
//! - [`compile`] makes that a [`Filter`], the program that the kernel runs at every call.
//!
//! The program is a tree over call numbers and not libseccomp's list, because the kernel runs it
//! once for every call number when it is loaded: 62 µs instead of 742 on Linux 6.18.

mod arguments;
mod cache;
mod compile;
mod error;
mod graph;
mod kept;
mod profile;
mod rules;
mod tables;
mod untrusted;

use fastbox_sys::x32;
use std::sync::LazyLock;

pub use cache::compile_cached;
pub use compile::{NewerCalls, compile, compile_with};
pub use error::SeccompError;
pub use kept::keep_filters_in;
pub use profile::{KernelVersion, Profile};
pub use tables::Abi;
pub use untrusted::deny_for_untrusted;

/// moby's default profile as its module `github.com/moby/profiles/seccomp` v0.3.0 prints it.
pub const DEFAULT_PROFILE: &str = include_str!("../../../data/seccomp-default.json");

/// The kernel's limit on a program (BPF_MAXINSNS).
pub const MAX_INSTRUCTIONS: usize = 4096;

/// One instruction of classic BPF: the kernel's `struct sock_filter` (linux/filter.h).
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Instruction {
    /// What it does.
    pub code: u16,
    /// Instructions to skip if a test holds.
    pub jt: u8,
    /// Instructions to skip if it does not.
    pub jf: u8,
    /// The operand.
    pub k: u32,
}

impl Instruction {
    /// As it lies in memory for the kernel.
    pub fn bytes(&self) -> [u8; 8] {
        let mut bytes = [0; 8];
        bytes[..2].copy_from_slice(&self.code.to_ne_bytes());
        bytes[2..4].copy_from_slice(&[self.jt, self.jf]);
        bytes[4..].copy_from_slice(&self.k.to_ne_bytes());
        bytes
    }
}

/// A compiled filter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Filter {
    /// The program, at most [`MAX_INSTRUCTIONS`] long.
    pub instructions: Vec<Instruction>,
    /// SECCOMP_FILTER_FLAG_* for seccomp(2), among them NEW_LISTENER where a rule notifies.
    pub flags: u32,
}

impl Filter {
    /// Whether a call waits for the answer of another program (SECCOMP_FILTER_FLAG_NEW_LISTENER).
    pub fn notifies(&self) -> bool {
        self.flags & (1 << 3) != 0
    }
}

/// A machine: its native ABI and those its kernel runs beside it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Arch {
    /// x86-64, with i386 and x32.
    X86_64,
    /// The same, but its kernel was built without x32, whose calls are answered for it: there are none.
    X86_64WithoutX32,
    /// 64-bit ARM, with 32-bit ARM.
    Aarch64,
}

impl Arch {
    /// The machine this was built for.
    ///
    /// # Errors
    /// [`SeccompError::Machine`] where no tables are known for it.
    pub fn native() -> Result<Arch, SeccompError> {
        match std::env::consts::ARCH {
            "x86_64" => Ok(Arch::X86_64),
            "aarch64" => Ok(Arch::Aarch64),
            machine => Err(SeccompError::Machine { machine }),
        }
    }

    /// [`Arch::native`], less what this kernel does not have: loading a filter costs by the instruction, and x32 takes
    /// a quarter of them.
    ///
    /// # Errors
    /// As [`Arch::native`].
    pub fn of_kernel() -> Result<Arch, SeccompError> {
        Ok(match Arch::native()? {
            Arch::X86_64 if x32::is_missing() => Arch::X86_64WithoutX32,
            arch => arch,
        })
    }

    /// Its name in profiles.
    #[must_use]
    pub fn machine(self) -> &'static str {
        match self {
            Arch::X86_64 | Arch::X86_64WithoutX32 => "amd64",
            Arch::Aarch64 => "arm64",
        }
    }
}

/// [`DEFAULT_PROFILE`], parsed once.
pub fn default_profile() -> &'static Profile {
    static PROFILE: LazyLock<Profile> =
        LazyLock::new(|| Profile::parse(DEFAULT_PROFILE).expect("the embedded profile parses"));
    &PROFILE
}
