//! The command line of `run`, with the rules of Docker's flag parser (pflag, not interspersed).

use std::ffi::OsStr;

use crate::nearest::nearest;

use super::field::Kind;
use super::refused::{ALIASES, REFUSED, Refused};
use super::{Checked, EnvVar, OptionError, Options, Row, Side, TABLE, Value};

/// `fastbox run [OPTIONS] IMAGE [COMMAND] [ARG...]`, read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunCommand {
    /// The options, looked at together.
    pub options: Checked,
    /// The image's name as given, not empty.
    pub image: String,
    /// Command and arguments; empty: the image's own.
    pub command: Vec<String>,
}

/// Reads the arguments after `run`. Options stand before the image; `lookup` gives the caller's
/// environment for `-e NAME`.
///
/// # Errors
/// The first mistake, or [`OptionError::Help`] at `--help`.
pub fn parse_run<S: AsRef<OsStr>>(
    args: &[S],
    lookup: &dyn Fn(&str) -> Option<String>,
) -> Result<RunCommand, OptionError> {
    parse_run_with(args, lookup, &[])
}

/// The same with values for options that are not given: a flag's name and what passed [`check_default`].
///
/// # Errors
/// As [`parse_run`].
pub fn parse_run_with<S: AsRef<OsStr>>(
    args: &[S],
    lookup: &dyn Fn(&str) -> Option<String>,
    defaults: &[(&str, &[String])],
) -> Result<RunCommand, OptionError> {
    let mut args = args.iter().map(|arg| {
        let arg = arg.as_ref();
        let utf8 = || OptionError::NotUtf8 {
            argument: arg.to_string_lossy().into_owned(),
        };
        arg.to_str().ok_or_else(utf8)
    });
    let mut reader = Reader::new(lookup);
    let image = loop {
        let Some(arg) = args.next().transpose()? else {
            return Err(OptionError::MissingImage);
        };
        if arg == "--" {
            break args.next().transpose()?.ok_or(OptionError::MissingImage)?;
        }
        let next = &mut || args.next().transpose();
        match arg.strip_prefix('-') {
            None | Some("") => break arg,
            Some(rest) => match rest.strip_prefix('-') {
                Some(long) => reader.long_flag(long, next)?,
                None => reader.short_flags(rest, next)?,
            },
        }
    };
    if image.is_empty() {
        return Err(OptionError::MissingImage);
    }
    let command = args
        .map(|arg| arg.map(str::to_owned))
        .collect::<Result<Vec<String>, _>>()?;
    if let Some(argument) = command.iter().find(|argument| argument.contains('\0')) {
        return Err(OptionError::ZeroByte {
            argument: argument.clone(),
        });
    }
    let mut options = reader.with(defaults)?;
    options.read_files(lookup)?;
    Ok(RunCommand {
        options: options.check()?,
        image: image.to_owned(),
        command,
    })
}

/// Whether an option can have these values by default.
///
/// # Errors
/// The flag is unknown, refused, takes one value and has several, or does not take them.
pub fn check_default(flag: &str, values: &[String]) -> Result<(), OptionError> {
    Reader::new(&|_| None).default(flag, values)
}

type Next<'n, 'a> = &'n mut dyn FnMut() -> Result<Option<&'a str>, OptionError>;

/// What has been read so far.
struct Reader<'l> {
    options: Options,
    lookup: &'l dyn Fn(&str) -> Option<String>,
    /// The options that were given, by name.
    given: Vec<&'static str>,
}

impl<'l> Reader<'l> {
    fn new(lookup: &'l dyn Fn(&str) -> Option<String>) -> Reader<'l> {
        Reader {
            options: Options::default(),
            lookup,
            given: Vec::new(),
        }
    }

    /// `--flag`, `--flag=value` or `--flag value`.
    fn long_flag(&mut self, long: &str, next: Next) -> Result<(), OptionError> {
        let (flag, value) = match long.split_once('=') {
            Some((flag, value)) => (flag, Some(value)),
            None => (long, None),
        };
        if flag.is_empty() || flag.starts_with('-') {
            return Err(OptionError::BadSyntax {
                argument: format!("--{long}"),
            });
        }
        if flag == "help" {
            return Err(OptionError::Help);
        }
        let known = long_known(flag)?;
        let value = match value {
            None if known.takes_value() => {
                Some(next()?.ok_or_else(|| OptionError::NeedsArgument {
                    flag: format!("--{flag}"),
                })?)
            }
            given => given,
        };
        self.give(known, value)
    }

    /// `-i`, `-iw dir`, `-wdir`, `-w=dir`, `-i=false`.
    fn short_flags(&mut self, group: &str, next: Next) -> Result<(), OptionError> {
        let mut rest = group;
        while let Some(letter) = rest.chars().next() {
            let known = short_known(letter).ok_or_else(|| OptionError::UnknownShorthand {
                letter,
                group: format!("-{group}"),
            })?;
            rest = &rest[letter.len_utf8()..];
            if let Some(value) = rest.strip_prefix('=') {
                return self.give(known, Some(value));
            }
            if !known.takes_value() {
                self.give(known, None)?;
                continue;
            }
            let needs = || OptionError::NeedsArgument {
                flag: format!("{letter:?} in -{group}"),
            };
            let value = if rest.is_empty() {
                next()?.ok_or_else(needs)?
            } else {
                rest
            };
            return self.give(known, Some(value));
        }
        Ok(())
    }

    /// Sets the option; an error then names the flag instead of the keyword.
    fn give(&mut self, known: Known, value: Option<&str>) -> Result<(), OptionError> {
        let row = match known {
            Known::Option(row) => row,
            Known::Refused(refused) => return refused.judge(value),
        };
        self.given.push(row.name);
        let neutral = match value {
            None => Value::Bool(true),
            Some(text) if row.name == "env" => EnvVar::flag(text, self.lookup),
            Some(text) => Value::Str(text.to_owned()),
        };
        let set = self.options.set(row.name, neutral);
        set.map_err(|error| match error {
            OptionError::InvalidValue { reason, .. } => OptionError::InvalidFlag {
                flag: row.label(),
                value: value.unwrap_or("true").to_owned(),
                reason,
            },
            other => other,
        })
    }

    /// Gives an option what it has by default.
    fn default(&mut self, flag: &str, values: &[String]) -> Result<(), OptionError> {
        let known = long_known(flag)?;
        if values.len() > 1 && !known.takes_several() {
            return Err(OptionError::Several {
                flag: format!("--{flag}"),
            });
        }
        values
            .iter()
            .try_for_each(|value| self.give(known, Some(value)))
    }

    /// The options, with defaults where nothing was given.
    fn with(mut self, defaults: &[(&str, &[String])]) -> Result<Options, OptionError> {
        for (flag, values) in defaults {
            let row = find(|row| row.flag == *flag);
            if row.is_none_or(|row| !self.given.contains(&row.name)) {
                self.default(flag, values)?;
            }
        }
        Ok(self.options)
    }
}

/// A flag of the command line: an option, or one of Docker's that means nothing here.
#[derive(Clone, Copy)]
enum Known {
    Option(&'static Row),
    Refused(&'static Refused),
}

fn long_known(said: &str) -> Result<Known, OptionError> {
    let alias = ALIASES.iter().find(|(alias, _)| *alias == said);
    let flag = alias.map_or(said, |(_, meant)| meant);
    let refused = || REFUSED.iter().find(|refused| refused.flag == flag);
    find(|row| row.flag == flag)
        .map(Known::Option)
        .or_else(|| refused().map(Known::Refused))
        .ok_or_else(|| OptionError::UnknownFlag {
            flag: said.to_owned(),
            near: nearest(said, all_flags().filter(|flag| *flag != said)),
        })
}

/// Every long flag that is taken.
fn all_flags() -> impl Iterator<Item = &'static str> {
    let rows = TABLE.iter().filter(|row| row.side != Side::Python);
    rows.map(|row| row.flag).chain(["help"])
}

fn short_known(letter: char) -> Option<Known> {
    let refused = || REFUSED.iter().find(|known| known.short == Some(letter));
    find(|row| row.short == Some(letter))
        .map(Known::Option)
        .or_else(|| refused().map(Known::Refused))
}

fn find(test: impl Fn(&Row) -> bool) -> Option<&'static Row> {
    TABLE
        .iter()
        .find(|row| row.side != Side::Python && test(row))
}

impl Known {
    fn takes_value(self) -> bool {
        match self {
            Known::Option(row) => row.kind != Kind::Bool,
            Known::Refused(refused) => refused.takes_value,
        }
    }

    fn takes_several(self) -> bool {
        matches!(self, Known::Option(row) if row.kind.repeats())
    }
}
