//! What a container may not do: capabilities, system calls, hidden paths.

pub mod caps;
pub mod paths;
pub mod seccomp;
