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
    let mut args = args.iter().map(|arg| {
        let arg = arg.as_ref();
        let utf8 = || OptionError::NotUtf8 {
            argument: arg.to_string_lossy().into_owned(),
        };
        arg.to_str().ok_or_else(utf8)
    });
    let mut options = Options::default();
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
                Some(long) => long_flag(&mut options, long, next, lookup)?,
                None => short_flags(&mut options, rest, next, lookup)?,
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
    Ok(RunCommand {
        options: options.check()?,
        image: image.to_owned(),
        command,
    })
}

type Next<'n, 'a> = &'n mut dyn FnMut() -> Result<Option<&'a str>, OptionError>;
type Lookup<'l> = &'l dyn Fn(&str) -> Option<String>;

/// `--flag`, `--flag=value` or `--flag value`.
fn long_flag(
    options: &mut Options,
    long: &str,
    next: Next,
    lookup: Lookup,
) -> Result<(), OptionError> {
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
    let known = long_known(flag).ok_or_else(|| OptionError::UnknownFlag {
        flag: flag.to_owned(),
        near: nearest(flag, all_flags()),
    })?;
    let value = match value {
        None if known.takes_value() => Some(next()?.ok_or_else(|| OptionError::NeedsArgument {
            flag: format!("--{flag}"),
        })?),
        given => given,
    };
    known.give(options, value, lookup)
}

/// `-i`, `-iw dir`, `-wdir`, `-w=dir`, `-i=false`.
fn short_flags(
    options: &mut Options,
    group: &str,
    next: Next,
    lookup: Lookup,
) -> Result<(), OptionError> {
    let mut rest = group;
    while let Some(letter) = rest.chars().next() {
        let known = short_known(letter).ok_or_else(|| OptionError::UnknownShorthand {
            letter,
            group: format!("-{group}"),
        })?;
        rest = &rest[letter.len_utf8()..];
        if let Some(value) = rest.strip_prefix('=') {
            return known.give(options, Some(value), lookup);
        }
        if !known.takes_value() {
            known.give(options, None, lookup)?;
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
        return known.give(options, Some(value), lookup);
    }
    Ok(())
}

/// A flag of the command line: an option, or one of Docker's that means nothing here.
#[derive(Clone, Copy)]
enum Known {
    Option(&'static Row),
    Refused(&'static Refused),
}

fn long_known(flag: &str) -> Option<Known> {
    let alias = ALIASES.iter().find(|(said, _)| *said == flag);
    let flag = alias.map_or(flag, |(_, meant)| meant);
    let refused = || REFUSED.iter().find(|refused| refused.flag == flag);
    find(|row| row.flag == flag)
        .map(Known::Option)
        .or_else(|| refused().map(Known::Refused))
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

    fn give(
        self,
        options: &mut Options,
        value: Option<&str>,
        lookup: Lookup,
    ) -> Result<(), OptionError> {
        match self {
            Known::Option(row) => give(options, row, value, lookup),
            Known::Refused(refused) => refused.judge(value),
        }
    }
}

/// Sets the option; an error then names the flag instead of the keyword.
fn give(
    options: &mut Options,
    row: &'static Row,
    value: Option<&str>,
    lookup: Lookup,
) -> Result<(), OptionError> {
    let neutral = match value {
        None => Value::Bool(true),
        Some(text) if row.name == "env" => EnvVar::flag(text, lookup),
        Some(text) => Value::Str(text.to_owned()),
    };
    options.set(row.name, neutral).map_err(|error| match error {
        OptionError::InvalidValue { reason, .. } => OptionError::InvalidFlag {
            flag: row.label(),
            value: value.unwrap_or("true").to_owned(),
            reason,
        },
        other => other,
    })
}
