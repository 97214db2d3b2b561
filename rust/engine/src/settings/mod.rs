//! What a user sets once: configuration files, the environment, the command line's global flags. What
//! comes later in this list wins.

mod error;
mod file;
mod flags;
mod level;

pub use error::SettingsError;
pub use flags::{Before, read_flags};
pub use level::{LEVELS, level};

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, OnceLock, PoisonError};

use log::LevelFilter;
use nix::unistd::{Uid, User};

use crate::logging::event;

/// The system's configuration file.
pub const SYSTEM_FILE: &str = "/etc/fastbox/config.toml";

/// The settings of this process.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// Root of the store: `--root`, `FASTBOX_ROOT`, key `root`; else the user's default place.
    pub root: Option<PathBuf>,
    /// The run directory: `--run-root`, `FASTBOX_RUN`, key `run-root`; else the user's default place.
    pub run: Option<PathBuf>,
    /// Up to which level events are written to stderr: `--log-level`, `FASTBOX_LOG`, key `log-level`;
    /// else none are.
    pub log_level: Option<LevelFilter>,
    /// The command line's defaults of `run`'s options: table `[run]`.
    pub run_defaults: Vec<RunDefault>,
    /// The files read, in order.
    pub files: Vec<PathBuf>,
}

impl Settings {
    /// The defaults of `run`'s options, as [`parse_run_with`](crate::options::parse_run_with) takes them.
    #[must_use]
    pub fn defaults(&self) -> Vec<(&str, &[String])> {
        let defaults = self.run_defaults.iter();
        defaults
            .map(|default| (default.flag.as_str(), default.values.as_slice()))
            .collect()
    }
}

/// What a file says of one option of `run`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunDefault {
    /// The long flag.
    pub flag: String,
    /// Its values, as a command line has them; several for a flag that may be repeated.
    pub values: Vec<String>,
    /// The file.
    pub file: PathBuf,
    /// The line, from 1.
    pub line: usize,
}

/// The global flags of a command line; what was not given is `None`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Flags {
    /// `--config`: the one file to read.
    pub config: Option<PathBuf>,
    /// `--root`.
    pub root: Option<PathBuf>,
    /// `--run-root`.
    pub run: Option<PathBuf>,
    /// `--log-level`.
    pub log_level: Option<LevelFilter>,
}

static FLAGS: Mutex<Option<Flags>> = Mutex::new(None);
static SETTINGS: OnceLock<Result<Settings, SettingsError>> = OnceLock::new();

/// Sets the global flags. Counts before the first [`get`].
pub fn set_flags(flags: Flags) {
    *FLAGS.lock().unwrap_or_else(PoisonError::into_inner) = Some(flags);
}

/// This process's settings, read at the first call.
///
/// # Errors
/// A file that cannot be read or says what makes no sense, always with its name and line; a variable or a flag
/// that does.
pub fn get() -> Result<&'static Settings, SettingsError> {
    let read = || {
        let flags = FLAGS.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let user = Uid::effective();
        let settings = read(
            flags.unwrap_or_default(),
            user,
            |name| std::env::var_os(name),
            Path::new(SYSTEM_FILE),
        )?;
        crate::logging::start(settings.log_level);
        for file in &settings.files {
            event!(Debug, "settings of {}", file.display());
        }
        Ok(settings)
    };
    SETTINGS.get_or_init(read).as_ref().map_err(Clone::clone)
}

fn read(
    flags: Flags,
    user: Uid,
    var: impl Fn(&str) -> Option<OsString>,
    system: &Path,
) -> Result<Settings, SettingsError> {
    let var = |name: &str| var(name).filter(|value| !value.is_empty());
    let mut settings = Settings::default();
    match flags
        .config
        .or_else(|| var("FASTBOX_CONFIG").map(PathBuf::from))
    {
        Some(only) => file::read(&only, &mut settings)?,
        None => {
            file::read_if_there(system, user, &mut settings)?;
            if let Some(own) = own_file(user, var) {
                file::read_if_there(&own, user, &mut settings)?;
            }
        }
    }
    let path = |flag: Option<PathBuf>, name: &'static str, variable: &'static str| {
        let (given, from) = match (flag, var(variable)) {
            (Some(path), _) => (path, name),
            (None, Some(path)) => (PathBuf::from(path), variable),
            (None, None) => return Ok(None),
        };
        match given.is_absolute() {
            true => Ok(Some(given)),
            false => Err(SettingsError::NotAbsolute { from, path: given }),
        }
    };
    settings.root = path(flags.root, "--root", "FASTBOX_ROOT")?.or(settings.root);
    settings.run = path(flags.run, "--run-root", "FASTBOX_RUN")?.or(settings.run);
    if let Some(said) = flags.log_level {
        settings.log_level = Some(said);
    } else if let Some(word) = var("FASTBOX_LOG") {
        let word = word.to_string_lossy();
        let known = level(&word).ok_or_else(|| SettingsError::Level {
            from: "FASTBOX_LOG",
            word: word.into_owned(),
        })?;
        settings.log_level = Some(known);
    }
    Ok(settings)
}

/// `$XDG_CONFIG_HOME/fastbox/config.toml`, else `~/.config/fastbox/config.toml` (XDG Base Directory Specification).
fn own_file(user: Uid, var: impl Fn(&str) -> Option<OsString>) -> Option<PathBuf> {
    let xdg = |name: &str| {
        var(name)
            .map(PathBuf::from)
            .filter(|path| path.is_absolute())
    };
    let home = || xdg("HOME").or_else(|| Some(User::from_uid(user).ok()??.dir));
    let config = xdg("XDG_CONFIG_HOME").or_else(|| Some(home()?.join(".config")));
    Some(config?.join("fastbox/config.toml"))
}

#[cfg(test)]
mod tests;
