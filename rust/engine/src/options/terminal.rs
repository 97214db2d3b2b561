//! `--detach-keys` and `--attach`.

use super::ValueError;
use super::field::{Item, Kind, Scalar};

/// The keys that detach from a container, as a terminal sends them: at least one byte.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct DetachKeys(pub Vec<u8>);

impl Default for DetachKeys {
    /// ctrl-p, ctrl-q.
    fn default() -> DetachKeys {
        DetachKeys(vec![0x10, 0x11])
    }
}

impl Scalar for DetachKeys {
    const KIND: Kind = Kind::Str;

    /// Keys with commas between them: a character, `ctrl-` and one of `a-z@[\]^_`, or `DEL`. An empty text is the
    /// default.
    fn from_text(text: &str) -> Result<DetachKeys, ValueError> {
        if text.is_empty() {
            return Ok(DetachKeys::default());
        }
        let key = |key: &str| match (key.strip_prefix("ctrl-").map(str::as_bytes), key.as_bytes()) {
            (Some([letter @ (b'a'..=b'z' | b'@' | b'['..=b'_')]), _) => Some(letter & 0x1f),
            (None, [byte]) if byte.is_ascii() => Some(*byte),
            (None, b"DEL") => Some(0x7f),
            _ => None,
        };
        let keys = text.split(',').map(key).collect::<Option<Vec<u8>>>();
        keys.map(DetachKeys).ok_or(ValueError::DetachKeys)
    }
}

/// One `--attach`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Attach {
    /// Standard input.
    Stdin,
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

impl Item for Attach {
    const KIND: Kind = Kind::List;

    fn from_text(text: &str) -> Result<Attach, ValueError> {
        match text.to_ascii_lowercase().as_str() {
            "stdin" => Ok(Attach::Stdin),
            "stdout" => Ok(Attach::Stdout),
            "stderr" => Ok(Attach::Stderr),
            _ => Err(ValueError::Attach),
        }
    }
}
