//! Directories that say whose they are from the moment they can be seen.
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;

use super::error::StateError;
use super::identity::{Identity, Life};

/// The file in it that holds an [`Identity`].
pub(super) const PID: &str = "pid";
/// Before the name of a directory that is being made: `.<pid>.<start>.<owner>`.
const UNFINISHED: char = '.';

/// Makes `<parent>/<owner>`, filled by `fill`, appearing with its `pid` file at once. False: there is one.
pub(super) fn make(
    parent: &Path,
    owner: &str,
    who: &Identity,
    fill: impl FnOnce(&Path) -> Result<(), StateError>,
) -> Result<bool, StateError> {
    let unfinished = parent.join(unfinished(owner, who));
    let path = parent.join(owner);
    DirBuilder::new()
        .mode(0o700)
        .create(&unfinished)
        .map_err(|error| StateError::io("make", &unfinished, error))?;
    let pid = unfinished.join(PID);
    let made = create(&pid)
        .and_then(|mut file| file.write_all(who.to_line().as_bytes()))
        .map_err(|error| StateError::io("write", &pid, error))
        .and_then(|()| fill(&unfinished))
        // It replaces an empty directory, which is nobody's, and no other.
        .and_then(|()| match fs::rename(&unfinished, &path) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::DirectoryNotEmpty => Ok(false),
            Err(error) => Err(StateError::io("make", &path, error)),
        });
    if !matches!(made, Ok(true)) {
        // What cannot be removed is found later by its name.
        let _ = fs::remove_dir_all(&unfinished);
    }
    made
}

/// What `<parent>/<owner>` is called while it is being made.
pub(super) fn unfinished(owner: &str, who: &Identity) -> String {
    format!("{UNFINISHED}{}.{}.{owner}", who.pid, who.start)
}

/// A new file, readable and writable, mode 0600.
pub(super) fn create(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .read(true)
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
}

/// Whose directory it is. None: half removed, or damaged; either way nobody's.
pub(super) fn identity(dir: &Path) -> Result<Option<Identity>, StateError> {
    let path = dir.join(PID);
    let mut text = String::new();
    match File::open(&path).and_then(|file| file.take(4096).read_to_string(&mut text)) {
        Ok(_) => Ok(Identity::parse(&text)),
        Err(error)
            if matches!(
                error.kind(),
                io::ErrorKind::NotFound | io::ErrorKind::InvalidData
            ) =>
        {
            Ok(None)
        }
        Err(error) => Err(StateError::io("read", &path, error)),
    }
}

/// Whether the process that the directory belongs to lives; a directory of nobody is a dead one's.
pub(super) fn life(dir: &Path, here: &Identity) -> Result<Life, StateError> {
    Ok(identity(dir)?.map_or(Life::Dead, |who| who.life(here)))
}

/// What is in `<parent>`: finished directories by owner's name, and unfinished ones of processes that are gone.
pub(super) fn list(
    parent: &Path,
    here: &Identity,
) -> Result<(Vec<String>, Vec<String>), StateError> {
    let entries = match fs::read_dir(parent) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok((vec![], vec![])),
        entries => entries.map_err(|error| StateError::io("list", parent, error))?,
    };
    let (mut owners, mut abandoned) = (vec![], vec![]);
    for entry in entries {
        let entry = entry.map_err(|error| StateError::io("list", parent, error))?;
        let Ok(name) = entry.file_name().into_string() else {
            continue;
        };
        if let Some(rest) = name.strip_prefix(UNFINISHED) {
            let mut words = rest.splitn(3, '.');
            let pid = words.next().and_then(|word| word.parse().ok());
            let start = words.next().and_then(|word| word.parse().ok());
            if let (Some(pid), Some(start)) = (pid, start)
                && (Identity {
                    pid,
                    start,
                    ..here.clone()
                })
                .life(here)
                    == Life::Dead
            {
                abandoned.push(name);
            }
        } else if is_owner(&name) {
            owners.push(name);
        }
    }
    Ok((owners, abandoned))
}

/// Whether `name` is an owner's: 16 lower-case hexadecimal digits.
pub(super) fn is_owner(name: &str) -> bool {
    name.len() == 16 && name.bytes().all(|c| matches!(c, b'0'..=b'9' | b'a'..=b'f'))
}
