//! Sparse files: the maps that say where an entry's data belongs.

use super::header::Header;
use super::number;
use super::pax::corrupt;
use crate::error::ImageError;

/// A run of data within a sparse file; what no segment covers is a hole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Segment {
    pub offset: u64,
    pub length: u64,
}

/// More segments than this are refused: the map is held in memory.
const MOST_SEGMENTS: usize = 1_000_000;

/// Adds a segment, which must lie after the last one. Empty segments carry nothing and are dropped.
pub(super) fn push(map: &mut Vec<Segment>, offset: u64, length: u64) -> Result<(), ImageError> {
    let end = offset
        .checked_add(length)
        .filter(|end| *end <= i64::MAX as u64);
    if end.is_none() {
        return Err(corrupt("a sparse file's segment lies beyond every file"));
    }
    if length == 0 {
        return Ok(());
    }
    if map
        .last()
        .is_some_and(|last| last.offset + last.length > offset)
    {
        return Err(corrupt("a sparse file's segments overlap"));
    }
    if map.len() == MOST_SEGMENTS {
        return Err(corrupt("a sparse file has too many segments"));
    }
    map.push(Segment { offset, length });
    Ok(())
}

/// Checks a complete map against the file's real size and the bytes the archive holds of it.
pub(super) fn check(map: &[Segment], real_size: u64, stored: u64) -> Result<(), ImageError> {
    if real_size > i64::MAX as u64 {
        return Err(corrupt("a sparse file's size is beyond every file"));
    }
    if map
        .last()
        .is_some_and(|last| last.offset + last.length > real_size)
    {
        return Err(corrupt("a sparse file's data goes past its end"));
    }
    let data: u64 = map.iter().map(|s| s.length).sum();
    if data != stored {
        return Err(corrupt("a sparse file's map does not fit its data"));
    }
    Ok(())
}

/// Reads the (offset, length) pairs of an old GNU sparse header or extension block; a pair whose
/// length field is empty ends them.
pub(super) fn old_gnu(pairs: &[u8], map: &mut Vec<Segment>) -> Result<(), ImageError> {
    for pair in pairs.chunks_exact(24) {
        if pair[12] == 0 {
            break;
        }
        push(map, old_number(&pair[..12])?, old_number(&pair[12..])?)?;
    }
    Ok(())
}

pub(super) fn old_number(field: &[u8]) -> Result<u64, ImageError> {
    let value = number::parse(field).and_then(|v| u64::try_from(v).ok());
    value.ok_or_else(|| corrupt("a sparse map holds no number"))
}

/// The real size an old GNU sparse header gives.
pub(super) fn old_real_size(header: &Header) -> Result<u64, ImageError> {
    old_number(header.gnu_sparse().2)
}

/// The map of format 1.0, which stands before the data: decimal numbers, one a line, the count of
/// segments first. Fed byte by byte; the caller skips to the next block when it is complete.
#[derive(Default)]
pub(super) struct TextMap {
    line: Vec<u8>,
    left: Option<u64>,
    offset: Option<u64>,
    pub map: Vec<Segment>,
}

impl TextMap {
    /// Takes the next byte; true when the map is complete.
    pub(super) fn feed(&mut self, byte: u8) -> Result<bool, ImageError> {
        if byte != b'\n' {
            if self.line.len() == 20 {
                return Err(corrupt("a sparse map holds no number"));
            }
            self.line.push(byte);
            return Ok(false);
        }
        let value = number::decimal(&self.line).and_then(|v| u64::try_from(v).ok());
        let value = value.ok_or_else(|| corrupt("a sparse map holds no number"))?;
        self.line.clear();
        match (self.left, self.offset.take()) {
            (None, _) if value > MOST_SEGMENTS as u64 => {
                return Err(corrupt("a sparse file has too many segments"));
            }
            (None, _) => self.left = Some(value),
            (Some(_), None) => self.offset = Some(value),
            (Some(left), Some(offset)) => {
                push(&mut self.map, offset, value)?;
                self.left = Some(left - 1);
            }
        }
        Ok(self.left == Some(0))
    }
}
