//! PAX extended headers: `length key=value\n` records that override what a header says.

use super::Time;
use super::number::decimal;
use super::sparse::{Segment, push};
use crate::error::ImageError;

/// What the extended headers before an entry say of it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Pax {
    pub path: Option<Vec<u8>>,
    pub link: Option<Vec<u8>>,
    pub size: Option<u64>,
    pub uid: Option<i64>,
    pub gid: Option<i64>,
    pub mtime: Option<Time>,
    pub atime: Option<Time>,
    /// Name without the `SCHILY.xattr.` prefix, and value.
    pub xattrs: Vec<(Vec<u8>, Vec<u8>)>,
    pub sparse: Sparse,
}

/// The `GNU.sparse.*` records: format 0.0 has `map` built from offset and numbytes pairs, 0.1 a `map`
/// in one record, and 1.0 major and minor with the map in the data.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sparse {
    pub major: Option<i64>,
    pub minor: Option<i64>,
    pub name: Option<Vec<u8>>,
    pub real_size: Option<u64>,
    pub map: Option<Vec<Segment>>,
    offset: Option<u64>,
}

impl Pax {
    /// Adds the records in `body`; a later record of a key replaces an earlier one, and an empty
    /// value takes it back.
    pub(crate) fn add(&mut self, body: &[u8]) -> Result<(), ImageError> {
        let mut rest = body;
        // Some programs pad the records with NULs.
        while !rest.is_empty() && !rest.iter().all(|b| *b == 0) {
            let (key, value, after) = record(rest).ok_or_else(|| corrupt("malformed record"))?;
            self.set(key, value)?;
            rest = after;
        }
        Ok(())
    }

    fn set(&mut self, key: &[u8], value: &[u8]) -> Result<(), ImageError> {
        if let Some(name) = key.strip_prefix(b"SCHILY.xattr.") {
            return self.xattr(name, value.to_vec());
        }
        if let Some(name) = key.strip_prefix(b"LIBARCHIVE.xattr.") {
            let name = percent(name).ok_or_else(|| corrupt("malformed LIBARCHIVE.xattr name"))?;
            let value = base64(value).ok_or_else(|| corrupt("malformed LIBARCHIVE.xattr value"))?;
            // Programs that write both forms mean the same attribute.
            return match self.xattrs.iter().any(|(known, _)| *known == name) {
                true => Ok(()),
                false => self.xattr(&name, value),
            };
        }
        match key {
            b"path" => self.path = bytes(value)?,
            b"linkpath" => self.link = bytes(value)?,
            b"size" => self.size = whole(value, "size")?,
            b"uid" => self.uid = whole(value, "uid")?.map(|v| v as i64),
            b"gid" => self.gid = whole(value, "gid")?.map(|v| v as i64),
            b"mtime" => self.mtime = time(value)?,
            b"atime" => self.atime = time(value)?,
            b"GNU.sparse.major" => self.sparse.major = decimal(value),
            b"GNU.sparse.minor" => self.sparse.minor = decimal(value),
            b"GNU.sparse.name" => self.sparse.name = bytes(value)?,
            b"GNU.sparse.size" | b"GNU.sparse.realsize" => {
                self.sparse.real_size = whole(value, "GNU.sparse.size")?;
            }
            b"GNU.sparse.offset" => self.sparse.offset = whole(value, "GNU.sparse.offset")?,
            b"GNU.sparse.numbytes" => {
                let length = whole(value, "GNU.sparse.numbytes")?;
                let (Some(offset), Some(length)) = (self.sparse.offset.take(), length) else {
                    return Err(corrupt("GNU.sparse.numbytes without an offset"));
                };
                push(self.sparse.map.get_or_insert_default(), offset, length)?;
            }
            b"GNU.sparse.map" => self.sparse.map = Some(map(value)?),
            _ => {}
        }
        Ok(())
    }

    fn xattr(&mut self, name: &[u8], value: Vec<u8>) -> Result<(), ImageError> {
        if name.is_empty() || name.contains(&0) {
            return Err(corrupt("an extended attribute has no proper name"));
        }
        self.xattrs.retain(|(known, _)| known != name);
        self.xattrs.push((name.to_vec(), value));
        Ok(())
    }

    /// Whether a global header holds what may only be said of one entry.
    pub(crate) fn names_an_entry(&self) -> bool {
        self.path.is_some()
            || self.link.is_some()
            || self.size.is_some()
            || !self.xattrs.is_empty()
            || self.sparse.is_set()
    }
}

impl Sparse {
    pub(crate) fn is_set(&self) -> bool {
        self.major.is_some() || self.map.is_some() || self.real_size.is_some()
    }
}

/// Splits off the first record; its length counts everything, the digits and the newline too.
fn record(body: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let blank = body.iter().take(12).position(|b| *b == b' ')?;
    let length = usize::try_from(decimal(&body[..blank])?).ok()?;
    if length <= blank + 1 || length > body.len() {
        return None;
    }
    let (line, after) = body.split_at(length);
    let line = line[blank + 1..].strip_suffix(b"\n")?;
    let equals = line.iter().position(|b| *b == b'=')?;
    (equals > 0).then(|| (&line[..equals], &line[equals + 1..], after))
}

fn bytes(value: &[u8]) -> Result<Option<Vec<u8>>, ImageError> {
    if value.contains(&0) {
        return Err(corrupt("a path has a NUL byte"));
    }
    Ok((!value.is_empty()).then(|| value.to_vec()))
}

fn whole(value: &[u8], what: &str) -> Result<Option<u64>, ImageError> {
    if value.is_empty() {
        return Ok(None);
    }
    match decimal(value).map(u64::try_from) {
        Some(Ok(number)) => Ok(Some(number)),
        _ => Err(corrupt(&format!("{what} is no whole number"))),
    }
}

/// Seconds with an optional fraction; digits past the nanoseconds are cut off.
fn time(value: &[u8]) -> Result<Option<Time>, ImageError> {
    if value.is_empty() {
        return Ok(None);
    }
    let bad = || corrupt("a time is no number");
    let (whole, fraction) = match value.iter().position(|b| *b == b'.') {
        Some(dot) => (&value[..dot], &value[dot + 1..]),
        None => (value, &b""[..]),
    };
    if !fraction.iter().all(u8::is_ascii_digit) {
        return Err(bad());
    }
    let seconds = decimal(whole).ok_or_else(bad)?;
    let digit = |at: usize| u32::from(fraction.get(at).map_or(0, |d| d - b'0'));
    let nanoseconds = (0..9).fold(0, |n, at| n * 10 + digit(at));
    // -1.25 is a quarter of a second before -1: nanoseconds always count forward.
    let time = match whole.starts_with(b"-") && nanoseconds > 0 {
        true => Time {
            seconds: seconds.checked_sub(1).ok_or_else(bad)?,
            nanoseconds: 1_000_000_000 - nanoseconds,
        },
        false => Time {
            seconds,
            nanoseconds,
        },
    };
    Ok(Some(time))
}

fn map(value: &[u8]) -> Result<Vec<Segment>, ImageError> {
    let mut segments = Vec::new();
    if value.is_empty() {
        return Ok(segments);
    }
    let mut numbers = value.split(|b| *b == b',');
    let bad = || corrupt("GNU.sparse.map is malformed");
    while let Some(offset) = numbers.next() {
        let length = numbers.next().ok_or_else(bad)?;
        let number = |text| whole(text, "GNU.sparse.map")?.ok_or_else(bad);
        push(&mut segments, number(offset)?, number(length)?)?;
    }
    Ok(segments)
}

fn percent(name: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(name.len());
    let mut rest = name;
    while let Some((first, after)) = rest.split_first() {
        rest = after;
        if *first != b'%' {
            out.push(*first);
            continue;
        }
        let hex = std::str::from_utf8(rest.get(..2)?).ok()?;
        out.push(u8::from_str_radix(hex, 16).ok()?);
        rest = &rest[2..];
    }
    Some(out)
}

fn base64(text: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(text.len() / 4 * 3);
    let (mut bits, mut held) = (0u32, 0);
    let text = text.split(|b| *b == b'=').next().unwrap_or_default();
    for byte in text {
        let six = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => return None,
        };
        bits = bits << 6 | u32::from(six);
        held += 6;
        if held >= 8 {
            held -= 8;
            out.push((bits >> held) as u8);
        }
    }
    Some(out)
}

pub(super) fn corrupt(reason: &str) -> ImageError {
    ImageError::Corrupt {
        what: "PAX header",
        reason: reason.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(body: &[u8]) -> Result<Pax, ImageError> {
        let mut pax = Pax::default();
        pax.add(body).map(|()| pax)
    }

    #[test]
    fn records_override_and_take_back() {
        let pax = parsed(b"9 path=a\n9 path=b\n8 size=\n21 mtime=-1.25000000\n").unwrap();
        assert_eq!(pax.path.as_deref(), Some(&b"b"[..]));
        assert_eq!(pax.size, None);
        let before = Time {
            seconds: -2,
            nanoseconds: 750_000_000,
        };
        assert_eq!(pax.mtime, Some(before));
        assert_eq!(parsed(b"8 path=\n").unwrap().path, None);
        let pax = parsed(b"29 SCHILY.xattr.user.a=b\n=\0c\n").unwrap();
        assert_eq!(pax.xattrs, [(b"user.a".to_vec(), b"b\n=\0c".to_vec())]);
        let pax = parsed(b"34 LIBARCHIVE.xattr.user.%41=aGk=\n").unwrap();
        assert_eq!(pax.xattrs, [(b"user.A".to_vec(), b"hi".to_vec())]);
    }

    #[test]
    fn malformed_records_are_corrupt() {
        for body in [
            &b"path=a\n"[..],
            b"99 path=a\n",
            b"0 path=a\n",
            b"-9 path=a\n",
            b"9 path=a ",
            b"3 \n",
            b"7 patha\n",
            b"4 =\n\n",
            b"18446744073709551615 path=a\n",
            b"10 path=a\0\n",
            b"11 size=-1\n",
            b"10 size=x\n",
            b"12 mtime=1.x\n",
            b"25 GNU.sparse.numbytes=1\n",
            b"20 GNU.sparse.map=1\n",
            b"16 SCHILY.xattr.=x\n",
        ] {
            let result = parsed(body);
            assert!(
                matches!(result, Err(ImageError::Corrupt { .. })),
                "{:?} {result:?}",
                String::from_utf8_lossy(body)
            );
        }
    }
}
