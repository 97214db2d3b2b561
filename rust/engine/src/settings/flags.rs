//! The flags that stand before the command, read with the rules of Docker's flag parser.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::PathBuf;

use log::LevelFilter;

use super::{Flags, SettingsError, level};

/// What stands before the command, or instead of one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Before {
    /// Flags, and how many arguments they are.
    Flags(Flags, usize),
    /// `--help` or `-h`.
    Help,
    /// `--version` or `-v`.
    Version,
}

/// Docker's that mean nothing here; there is nobody to pass their values to.
const REFUSED: [&str; 9] = [
    "-H",
    "--host",
    "-c",
    "--context",
    "--tlscacert",
    "--tlscert",
    "--tlskey",
    "--tls",
    "--tlsverify",
];

/// Reads `--flag VALUE`, `--flag=VALUE`, `-fVALUE` and `-f=VALUE` up to the first argument that is no flag. Paths are
/// meant from the working directory.
///
/// # Errors
/// A flag that is unknown or refused, that lacks its value or has one too many; a level that does not exist.
pub fn read_flags<S: AsRef<OsStr>>(args: &[S]) -> Result<Before, SettingsError> {
    let mut flags = Flags::default();
    let mut rest = args.iter().map(AsRef::as_ref).enumerate();
    while let Some((at, word)) = rest.next() {
        if word.len() < 2 || word.as_bytes()[0] != b'-' {
            return Ok(Before::Flags(flags, at));
        }
        let (name, value) = split(word.as_bytes());
        let name = String::from_utf8_lossy(name).into_owned();
        match name.as_str() {
            "-h" | "--help" => return Ok(Before::Help),
            refused if REFUSED.contains(&refused) => {
                return Err(SettingsError::RefusedFlag { flag: name });
            }
            "-v" | "--version" | "-D" | "--debug" if value.is_some() => {
                let value = String::from_utf8_lossy(value.unwrap_or_default()).into_owned();
                return Err(SettingsError::NoValue { flag: name, value });
            }
            "-v" | "--version" => return Ok(Before::Version),
            "-D" | "--debug" => flags.log_level = Some(LevelFilter::Debug),
            "--config" | "--root" | "--run-root" | "-l" | "--log-level" => {
                let given = match value {
                    Some(value) => OsStr::from_bytes(value),
                    None => match rest.next() {
                        Some((_, value)) => value,
                        None => return Err(SettingsError::NeedsArgument { flag: name }),
                    },
                };
                if given.is_empty() {
                    return Err(SettingsError::Empty { flag: name });
                }
                match name.as_str() {
                    "--config" => flags.config = Some(absolute(given)),
                    "--root" => flags.root = Some(absolute(given)),
                    "--run-root" => flags.run = Some(absolute(given)),
                    _ => flags.log_level = Some(known(given)?),
                }
            }
            _ => return Err(SettingsError::UnknownFlag { flag: name }),
        }
    }
    Ok(Before::Flags(flags, args.len()))
}

fn split(word: &[u8]) -> (&[u8], Option<&[u8]>) {
    if word.starts_with(b"--") {
        return match word.iter().position(|byte| *byte == b'=') {
            Some(at) => (&word[..at], Some(&word[at + 1..])),
            None => (word, None),
        };
    }
    let value = &word[2..];
    let value = value.strip_prefix(b"=").unwrap_or(value);
    (&word[..2], (word.len() > 2).then_some(value))
}

/// As it stands where there is no working directory: it is refused then for being relative.
fn absolute(path: &OsStr) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| PathBuf::from(path))
}

fn known(word: &OsStr) -> Result<LevelFilter, SettingsError> {
    let word = OsString::from_vec(word.as_bytes().to_vec());
    let word = word.to_string_lossy().into_owned();
    level(&word).ok_or(SettingsError::Level {
        from: "--log-level",
        word,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flags(words: &[&str]) -> Flags {
        match read_flags(words).unwrap() {
            Before::Flags(flags, at) if at == words.len() => flags,
            other => panic!("{words:?}: {other:?}"),
        }
    }

    #[test]
    fn every_spelling_of_a_value() {
        let root = |path: &str| Some(PathBuf::from(path));
        assert_eq!(flags(&["--root", "/r"]).root, root("/r"));
        assert_eq!(flags(&["--root=/r"]).root, root("/r"));
        assert_eq!(flags(&["--run-root=/r=s"]).run, root("/r=s"));
        assert_eq!(flags(&["--config", "/c"]).config, root("/c"));
        let here = std::env::current_dir().unwrap();
        assert_eq!(flags(&["--root", "r"]).root, Some(here.join("r")));
        let info = Some(LevelFilter::Info);
        for words in [
            &["-l", "info"][..],
            &["-linfo"],
            &["-l=info"],
            &["-D", "--log-level=info"],
        ] {
            assert_eq!(flags(words).log_level, info, "{words:?}");
        }
        assert_eq!(flags(&["-D"]).log_level, Some(LevelFilter::Debug));
    }

    #[test]
    fn they_end_at_the_command() {
        let words = ["-D", "run", "--root", "/r"];
        let debug = Flags {
            log_level: Some(LevelFilter::Debug),
            ..Flags::default()
        };
        assert_eq!(read_flags(&words), Ok(Before::Flags(debug, 1)));
        assert_eq!(
            read_flags(&["-", "run"]),
            Ok(Before::Flags(Flags::default(), 0))
        );
        assert_eq!(read_flags(&["-D", "-h", "run"]), Ok(Before::Help));
        assert_eq!(read_flags(&["-v"]), Ok(Before::Version));
    }

    #[test]
    fn mistakes_are_named() {
        for (words, said) in [
            (
                &["--bogus"][..],
                "unknown flag: --bogus; see 'fastbox --help'",
            ),
            (&["--root"], "flag needs an argument: --root"),
            (&["-D=yes"], "flag takes no value: -D=yes"),
            (
                &["--root", ""],
                "invalid argument \"\" for \"--root\" flag: must not be empty",
            ),
            (&["-H", "x"], "-H cannot be had: there is no daemon"),
            (&["-l", "loud"], "unknown level \"loud\""),
        ] {
            let error = read_flags(words).unwrap_err().to_string();
            assert!(error.contains(said), "{words:?}: {error}");
        }
    }
}
