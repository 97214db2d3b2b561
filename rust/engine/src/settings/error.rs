//! What can be wrong with settings.

use std::path::PathBuf;

use nix::errno::Errno;

use crate::options::OptionError;

use super::LEVELS;

/// Each names where the mistake stands: a file and a line, a variable, a flag.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SettingsError {
    /// A file cannot be read.
    #[error("cannot read the configuration file {}: {errno}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the kernel said.
        errno: Errno,
    },
    /// A file that someone else may change.
    #[error(
        "the configuration file {} can be changed by others (owner {owner}, mode {mode:o}): chown and chmod o-w it, or name it with --config",
        path.display()
    )]
    Foreign {
        /// The file.
        path: PathBuf,
        /// Its owner.
        owner: u32,
        /// Its permission bits.
        mode: u32,
    },
    /// A file is larger than any that a person writes.
    #[error("the configuration file {} is larger than {most} bytes", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// The most bytes.
        most: u64,
    },
    /// A file is not TOML.
    #[error("{}, line {line}: {message}", path.display())]
    Syntax {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// The parser's words, in one line.
        message: String,
    },
    /// A key that nothing has.
    #[error("{}, line {line}: unknown key {key:?}{}", path.display(), perhaps(.near))]
    UnknownKey {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// The key, with its table: `run.memroy`.
        key: String,
        /// One that is spelt nearly so.
        near: Option<String>,
    },
    /// A value of the wrong type.
    #[error("{}, line {line}: {key} must be {expected}, not {got}", path.display())]
    WrongType {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// The key, with its table.
        key: String,
        /// What it takes.
        expected: &'static str,
        /// What it got, in TOML's words.
        got: String,
    },
    /// A key's value makes no sense.
    #[error("{}, line {line}: {key} = {value:?}: {reason}", path.display())]
    Value {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// The key.
        key: &'static str,
        /// The value.
        value: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// An option of `run` does not take its value.
    #[error("{}, line {line}: {source}", path.display())]
    Option {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What is wrong with it.
        source: OptionError,
    },
    /// A directory that a variable or a flag names is relative.
    #[error("{from} must be an absolute path, not {}", path.display())]
    NotAbsolute {
        /// The variable or the flag.
        from: &'static str,
        /// As given.
        path: PathBuf,
    },
    /// A global flag that nothing has.
    #[error("unknown flag: {flag}; see 'fastbox --help'")]
    UnknownFlag {
        /// As given.
        flag: String,
    },
    /// One of Docker's that means nothing here.
    #[error(
        "{flag} cannot be had: there is no daemon to talk to: containers are started by this command itself"
    )]
    RefusedFlag {
        /// As given.
        flag: String,
    },
    /// A global flag without its value.
    #[error("flag needs an argument: {flag}")]
    NeedsArgument {
        /// As given.
        flag: String,
    },
    /// A global flag with a value it does not take.
    #[error("flag takes no value: {flag}={value}")]
    NoValue {
        /// As given.
        flag: String,
        /// What it was given.
        value: String,
    },
    /// A global flag whose value is empty.
    #[error("invalid argument \"\" for \"{flag}\" flag: must not be empty")]
    Empty {
        /// As given.
        flag: String,
    },
    /// A level that does not exist.
    #[error("{from}: unknown level {word:?}: use one of {}", LEVELS.join(", "))]
    Level {
        /// The variable or the flag.
        from: &'static str,
        /// As given.
        word: String,
    },
}

fn perhaps(near: &Option<String>) -> String {
    near.as_ref()
        .map_or(String::new(), |near| format!("; is {near} meant?"))
}
