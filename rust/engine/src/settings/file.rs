//! One configuration file.

use std::io::Read;
use std::ops::Range;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;

use nix::errno::Errno;
use nix::libc::O_NONBLOCK;
use nix::unistd::Uid;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::{RunDefault, Settings, SettingsError, level};
use crate::nearest::nearest;
use crate::options::{OptionError, check_default};

/// No such file is longer: nothing that a device or a mistake gives is read to its end.
const MOST: u64 = 1 << 20;
const KEYS: [&str; 5] = ["root", "run-root", "log-level", "detach-keys", "run"];

/// Reads a file that a user named.
pub(super) fn read(path: &Path, into: &mut Settings) -> Result<(), SettingsError> {
    let file = open(path).map_err(|errno| failed(path, errno))?;
    take(path, file, into)
}

/// Reads a file in a place of ours, which must be `user`'s or root's alone to change.
pub(super) fn read_if_there(
    path: &Path,
    user: Uid,
    into: &mut Settings,
) -> Result<(), SettingsError> {
    let file = match open(path) {
        Ok(file) => file,
        // Nothing there, and for an ordinary user a place that is closed to them.
        Err(Errno::ENOENT | Errno::ENOTDIR | Errno::EACCES) => return Ok(()),
        Err(errno) => return Err(failed(path, errno)),
    };
    let meta = file
        .metadata()
        .map_err(|error| failed(path, errno(&error)))?;
    let (owner, mode) = (meta.uid(), meta.mode() & 0o7777);
    if (owner != 0 && owner != user.as_raw()) || mode & 0o002 != 0 {
        return Err(SettingsError::Foreign {
            path: path.to_owned(),
            owner,
            mode,
        });
    }
    take(path, file, into)
}

fn open(path: &Path) -> Result<std::fs::File, Errno> {
    // A pipe without a writer must not stop us.
    let mut options = std::fs::OpenOptions::new();
    let opened = options.read(true).custom_flags(O_NONBLOCK).open(path);
    opened.map_err(|error| errno(&error))
}

fn errno(error: &std::io::Error) -> Errno {
    Errno::from_raw(error.raw_os_error().unwrap_or(0))
}

fn failed(path: &Path, errno: Errno) -> SettingsError {
    SettingsError::Read {
        path: path.to_owned(),
        errno,
    }
}

fn take(path: &Path, file: std::fs::File, into: &mut Settings) -> Result<(), SettingsError> {
    let mut text = Vec::new();
    let read = file.take(MOST + 1).read_to_end(&mut text);
    read.map_err(|error| failed(path, errno(&error)))?;
    if text.len() as u64 > MOST {
        return Err(SettingsError::TooLarge {
            path: path.to_owned(),
            most: MOST,
        });
    }
    let place = |line, message: &str| SettingsError::Syntax {
        path: path.to_owned(),
        line,
        message: message.to_owned(),
    };
    let text = match std::str::from_utf8(&text) {
        Ok(text) => text,
        Err(error) => return Err(place(line(&text, error.valid_up_to()), "not valid UTF-8")),
    };
    let table = DeTable::parse(text).map_err(|error| {
        let at = error.span().map_or(0, |span| span.start);
        // The parser's own words may be several lines.
        let words: Vec<&str> = error.message().lines().collect();
        place(line(text.as_bytes(), at), &words.join("; "))
    })?;
    File { path, text }.table(table.get_ref(), into)?;
    into.files.push(path.to_owned());
    Ok(())
}

/// The line, from 1, in which a byte stands.
fn line(text: &[u8], at: usize) -> usize {
    1 + text[..at.min(text.len())]
        .iter()
        .filter(|byte| **byte == b'\n')
        .count()
}

struct File<'f> {
    path: &'f Path,
    text: &'f str,
}

impl File<'_> {
    fn line(&self, span: Range<usize>) -> usize {
        line(self.text.as_bytes(), span.start)
    }

    fn table(&self, table: &DeTable<'_>, into: &mut Settings) -> Result<(), SettingsError> {
        for (key, value) in table {
            let at = self.line(key.span());
            match key.get_ref().as_ref() {
                "root" => into.root = Some(self.path_of("root", at, value)?.into()),
                "run-root" => into.run = Some(self.path_of("run-root", at, value)?.into()),
                // Not of `run` alone: of all that attaches a terminal.
                "detach-keys" => self.default("detach-keys", at, value, into)?,
                "run" => match value.get_ref() {
                    DeValue::Table(options) => {
                        for (flag, value) in options {
                            let line = self.line(flag.span());
                            self.default(flag.get_ref(), line, value, into)?;
                        }
                    }
                    other => return Err(self.wrong("run", at, "a table", other)),
                },
                "log-level" => {
                    let word = self.string("log-level", at, value)?;
                    let known = level(word).ok_or_else(|| SettingsError::Value {
                        path: self.path.to_owned(),
                        line: at,
                        key: "log-level",
                        value: word.to_owned(),
                        reason: "use one of off, error, warn, info, debug",
                    })?;
                    into.log_level = Some(known);
                }
                unknown => {
                    let near = nearest(unknown, KEYS).map(str::to_owned);
                    return Err(self.unknown(unknown.to_owned(), at, near));
                }
            }
        }
        Ok(())
    }

    fn unknown(&self, key: String, line: usize, near: Option<String>) -> SettingsError {
        SettingsError::UnknownKey {
            path: self.path.to_owned(),
            line,
            key,
            near,
        }
    }

    fn string<'v>(
        &self,
        key: &str,
        line: usize,
        value: &'v Spanned<DeValue<'_>>,
    ) -> Result<&'v str, SettingsError> {
        let value = value.get_ref();
        let wrong = || self.wrong(key, line, "a string", value);
        value.as_str().ok_or_else(wrong)
    }

    fn wrong(
        &self,
        key: &str,
        line: usize,
        expected: &'static str,
        got: &DeValue<'_>,
    ) -> SettingsError {
        SettingsError::WrongType {
            path: self.path.to_owned(),
            line,
            key: key.to_owned(),
            expected,
            got: got.type_str().to_owned(),
        }
    }

    fn path_of<'v>(
        &self,
        key: &'static str,
        line: usize,
        value: &'v Spanned<DeValue<'_>>,
    ) -> Result<&'v str, SettingsError> {
        let text = self.string(key, line, value)?;
        match text.starts_with('/') {
            true => Ok(text),
            false => Err(SettingsError::Value {
                path: self.path.to_owned(),
                line,
                key,
                value: text.to_owned(),
                reason: "must be an absolute path",
            }),
        }
    }

    /// An option's default: what a later file says replaces what an earlier one said.
    fn default(
        &self,
        flag: &str,
        line: usize,
        value: &Spanned<DeValue<'_>>,
        into: &mut Settings,
    ) -> Result<(), SettingsError> {
        let made = RunDefault {
            flag: flag.to_owned(),
            values: self.values(flag, line, value)?,
            file: self.path.to_owned(),
            line,
        };
        check_default(&made.flag, &made.values).map_err(|error| match error {
            OptionError::UnknownFlag { flag, near } => {
                let near = near.map(|near| format!("run.{near}"));
                self.unknown(format!("run.{flag}"), line, near)
            }
            source => SettingsError::Option {
                path: self.path.to_owned(),
                line,
                source,
            },
        })?;
        into.run_defaults.retain(|other| other.flag != flag);
        into.run_defaults.push(made);
        Ok(())
    }

    /// The values as a command line has them.
    fn values(
        &self,
        flag: &str,
        line: usize,
        value: &Spanned<DeValue<'_>>,
    ) -> Result<Vec<String>, SettingsError> {
        let key = format!("run.{flag}");
        let wrong = |expected, got: &DeValue<'_>| self.wrong(&key, line, expected, got);
        match value.get_ref() {
            DeValue::Array(items) => {
                let text = |item: &Spanned<DeValue<'_>>| {
                    scalar(item.get_ref()).ok_or_else(|| wrong("a list of strings", item.get_ref()))
                };
                items.iter().map(text).collect()
            }
            DeValue::Table(pairs) => {
                let text = |(name, value): (&Spanned<_>, &Spanned<DeValue<'_>>)| {
                    let value = value.get_ref();
                    let value = scalar(value).ok_or_else(|| wrong("a table of strings", value))?;
                    Ok(format!("{}={value}", name.get_ref()))
                };
                pairs
                    .iter()
                    .map(|(name, value)| text((name, value)))
                    .collect()
            }
            one => Ok(vec![scalar(one).ok_or_else(|| {
                wrong("a string, a number, true, false, or a list", one)
            })?]),
        }
    }
}

fn scalar(value: &DeValue<'_>) -> Option<String> {
    Some(match value {
        DeValue::String(text) => text.to_string(),
        DeValue::Integer(number) if number.radix() == 10 => number.as_str().to_owned(),
        DeValue::Float(number) => number.as_str().to_owned(),
        DeValue::Boolean(on) => on.to_string(),
        _ => return None,
    })
}
