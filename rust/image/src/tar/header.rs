//! One 512-byte header block.

use super::number;
use crate::error::ImageError;

/// Archives are made of blocks of this many bytes.
pub(crate) const BLOCK: usize = 512;

/// What an entry makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    File,
    HardLink,
    Symlink,
    Character,
    Block,
    Directory,
    Fifo,
}

/// The dialect of a header, which decides what its last bytes mean.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Dialect {
    V7,
    Ustar,
    Star,
    Gnu,
}

/// A header block whose checksum is right.
pub(crate) struct Header {
    block: [u8; BLOCK],
    dialect: Dialect,
}

impl Header {
    /// Checks the block's sum (unsigned, or signed as some old programs did) and finds its dialect.
    pub(crate) fn new(block: [u8; BLOCK]) -> Option<Header> {
        let stored = number::parse(&block[148..156])?;
        let outside = |at: usize| !(148..156).contains(&at);
        let byte = |(at, b): (usize, &u8)| if outside(at) { *b } else { b' ' };
        let unsigned: i64 = block.iter().enumerate().map(|b| i64::from(byte(b))).sum();
        let signed: i64 = block
            .iter()
            .enumerate()
            .map(|b| i64::from(byte(b) as i8))
            .sum();
        if stored != unsigned && stored != signed {
            return None;
        }
        let dialect = match &block[257..265] {
            b"ustar  \0" => Dialect::Gnu,
            magic if magic.starts_with(b"ustar\0") && block[508..] == *b"tar\0" => Dialect::Star,
            magic if magic.starts_with(b"ustar") => Dialect::Ustar,
            _ => Dialect::V7,
        };
        Some(Header { block, dialect })
    }

    pub(crate) fn type_flag(&self) -> u8 {
        self.block[156]
    }

    /// The name with its prefix, where the dialect has one.
    pub(crate) fn path(&self) -> Vec<u8> {
        let name = text(&self.block[..100]);
        let prefix = match self.dialect {
            Dialect::Ustar => text(&self.block[345..500]),
            Dialect::Star => text(&self.block[345..476]),
            Dialect::V7 | Dialect::Gnu => &[],
        };
        if prefix.is_empty() {
            return name.to_vec();
        }
        [prefix, b"/", name].concat()
    }

    pub(crate) fn link(&self) -> &[u8] {
        text(&self.block[157..257])
    }

    pub(crate) fn mode(&self) -> Result<u32, ImageError> {
        // Other programs store the file type in the upper bits; only the permissions matter here.
        Ok((self.number(100..108, "mode")? & 0o7777) as u32)
    }

    pub(crate) fn uid(&self) -> Result<i64, ImageError> {
        self.number(108..116, "uid")
    }

    pub(crate) fn gid(&self) -> Result<i64, ImageError> {
        self.number(116..124, "gid")
    }

    pub(crate) fn size(&self) -> Result<u64, ImageError> {
        let size = self.number(124..136, "size")?;
        u64::try_from(size).map_err(|_| self.corrupt("size is negative"))
    }

    pub(crate) fn mtime(&self) -> Result<i64, ImageError> {
        self.number(136..148, "mtime")
    }

    /// Major and minor number of a device node.
    pub(crate) fn device(&self) -> Result<(u32, u32), ImageError> {
        if self.dialect == Dialect::V7 {
            return Ok((0, 0));
        }
        let part = |range, what| {
            let value = self.number(range, what)?;
            u32::try_from(value).map_err(|_| self.corrupt("device number is out of range"))
        };
        Ok((part(329..337, "devmajor")?, part(337..345, "devminor")?))
    }

    /// The fields of an old GNU sparse header: four (offset, length) pairs, whether an extension
    /// block follows, and the file's real size.
    pub(crate) fn gnu_sparse(&self) -> (&[u8], bool, &[u8]) {
        let block = &self.block;
        (&block[386..482], block[482] != 0, &block[483..495])
    }

    fn number(&self, range: std::ops::Range<usize>, what: &str) -> Result<i64, ImageError> {
        number::parse(&self.block[range])
            .ok_or_else(|| self.corrupt(&format!("{what} is no number")))
    }

    pub(crate) fn corrupt(&self, reason: &str) -> ImageError {
        ImageError::Corrupt {
            what: "tar archive",
            reason: format!(
                "{reason} in the header of {:?}",
                crate::error::shown(&self.path())
            ),
        }
    }
}

/// A field's bytes up to the first NUL.
fn text(field: &[u8]) -> &[u8] {
    let end = field.iter().position(|b| *b == 0).unwrap_or(field.len());
    &field[..end]
}
