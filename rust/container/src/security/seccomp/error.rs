//! What can be wrong with a seccomp profile.

/// A profile that cannot be read or compiled.
#[derive(Debug, thiserror::Error)]
pub enum SeccompError {
    /// The document is not a profile; `path` names the field, `syscalls[3].action`.
    #[error("seccomp profile: {path}: {source}")]
    Parse {
        /// The field that was read when it failed; `.` for the document itself.
        path: String,
        /// What the reader says, with line and column.
        source: serde_json::Error,
    },
    /// A field has the right type and an impossible value.
    #[error("seccomp profile: {field}: {reason}")]
    Field {
        /// The field, as in `syscalls[3].args[0].index`.
        field: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// The program would be longer than the 4096 instructions that the kernel takes.
    #[error("seccomp profile: the compiled filter is longer than 4096 instructions")]
    TooLong,
    /// This machine is none of those whose system calls are known.
    #[error("seccomp profile: no system call table for this machine ({machine})")]
    Machine {
        /// The name of the machine's architecture.
        machine: &'static str,
    },
}
