//! The sequence of entries in an archive.

use super::header::{BLOCK, Header, Kind};
use super::pax::Pax;
use super::sparse::{self, Segment, TextMap};
use super::{Input, Time};
use crate::error::ImageError;

/// So many extended headers may stand before one entry.
const MOST_METAS: usize = 64;

/// Extended headers and long names beyond this are refused: they are held in memory.
const LARGEST_META: u64 = 1 << 20;

/// One file, directory, link or node of the archive, all its headers combined.
#[derive(Debug)]
pub(crate) struct Entry {
    pub path: Vec<u8>,
    /// Where a hard or symbolic link points; else empty.
    pub link: Vec<u8>,
    pub kind: Kind,
    /// Permissions with setuid, setgid and sticky.
    pub mode: u32,
    pub uid: i64,
    pub gid: i64,
    pub mtime: Time,
    pub atime: Option<Time>,
    pub device: (u32, u32),
    /// The size of the file once unpacked, holes included.
    pub size: u64,
    pub sparse: Option<Vec<Segment>>,
    pub xattrs: Vec<(Vec<u8>, Vec<u8>)>,
}

/// Reads an archive entry by entry; the data of the current one comes by `data` and `advance`.
pub(crate) struct Reader<I> {
    input: I,
    offset: u64,
    /// Bytes of the current entry's data, and of the padding after it, still to come.
    data_left: u64,
    padding: u64,
    global: Pax,
}

impl<I: Input> Reader<I> {
    pub(crate) fn new(input: I) -> Reader<I> {
        Reader {
            input,
            offset: 0,
            data_left: 0,
            padding: 0,
            global: Pax::default(),
        }
    }

    /// Bytes of the stream read so far.
    pub(crate) fn offset(&self) -> u64 {
        self.offset
    }

    /// The next entry, or None at the end-of-archive mark. What is left of the current one's data is
    /// skipped.
    pub(crate) fn next(&mut self) -> Result<Option<Entry>, ImageError> {
        self.skip_data()?;
        let mut pax = None;
        let (mut long_path, mut long_link) = (None, None);
        for _ in 0..MOST_METAS {
            let Some(header) = self.header()? else {
                if pax.is_some() || long_path.is_some() || long_link.is_some() {
                    return Err(self.corrupt("an extended header without an entry after it"));
                }
                return Ok(None);
            };
            match header.type_flag() {
                b'x' | b'X' => {
                    let body = self.meta(&header)?;
                    let pax = pax.get_or_insert_with(|| self.global.clone());
                    pax.add(&body)?;
                }
                b'g' => {
                    let body = self.meta(&header)?;
                    self.global.add(&body)?;
                    if self.global.names_an_entry() {
                        return Err(self.corrupt("a global header names one entry's path or size"));
                    }
                }
                b'L' => long_path = Some(terminated(self.meta(&header)?)),
                b'K' => long_link = Some(terminated(self.meta(&header)?)),
                // A volume's label.
                b'V' => {
                    self.start_data(header.size()?);
                    self.skip_data()?;
                }
                _ => {
                    let pax = pax.unwrap_or_else(|| self.global.clone());
                    return self.entry(&header, pax, long_path, long_link).map(Some);
                }
            }
        }
        Err(self.corrupt("too many extended headers before one entry"))
    }

    fn entry(
        &mut self,
        header: &Header,
        mut pax: Pax,
        long_path: Option<Vec<u8>>,
        long_link: Option<Vec<u8>>,
    ) -> Result<Entry, ImageError> {
        let mut path = pax
            .path
            .take()
            .or(long_path)
            .unwrap_or_else(|| header.path());
        if let Some(name) = pax.sparse.name.take() {
            path = name;
        }
        let kind = match header.type_flag() {
            // Before POSIX a directory was a file whose name ends in a slash.
            b'0' | 0 | b'7' if path.ends_with(b"/") => Kind::Directory,
            b'0' | 0 | b'7' | b'S' => Kind::File,
            b'1' => Kind::HardLink,
            b'2' => Kind::Symlink,
            b'3' => Kind::Character,
            b'4' => Kind::Block,
            b'5' | b'D' => Kind::Directory,
            b'6' => Kind::Fifo,
            b'M' => {
                return Err(ImageError::refused(
                    &path,
                    "it continues another volume's file",
                ));
            }
            _ => {
                return Err(ImageError::refused(
                    &path,
                    "its type is not one of a file system's",
                ));
            }
        };
        let link = match kind {
            Kind::HardLink | Kind::Symlink => {
                let long = pax.link.take().or(long_link);
                long.unwrap_or_else(|| header.link().to_vec())
            }
            _ => Vec::new(),
        };
        // Only files have data, and the listing that a GNU dump directory carries: other programs
        // write the size of the target into a link's header and no data.
        let stored = match (kind, header.type_flag()) {
            (Kind::File, _) | (_, b'D') => pax.size.map_or_else(|| header.size(), Ok)?,
            _ => 0,
        };
        self.start_data(stored);
        let (size, sparse) = match kind {
            Kind::File => self.sparse(header, &mut pax, stored)?,
            _ => (0, None),
        };
        let seconds = header.mtime()?;
        Ok(Entry {
            kind,
            link,
            mode: header.mode()?,
            uid: pax.uid.map_or_else(|| header.uid(), Ok)?,
            gid: pax.gid.map_or_else(|| header.gid(), Ok)?,
            mtime: pax.mtime.unwrap_or(Time {
                seconds,
                nanoseconds: 0,
            }),
            atime: pax.atime,
            device: match kind {
                Kind::Character | Kind::Block => header.device()?,
                _ => (0, 0),
            },
            size,
            sparse,
            xattrs: pax.xattrs,
            path,
        })
    }

    /// The real size and map of a file; the map's own blocks are taken off the data.
    fn sparse(
        &mut self,
        header: &Header,
        pax: &mut Pax,
        stored: u64,
    ) -> Result<(u64, Option<Vec<Segment>>), ImageError> {
        if header.type_flag() == b'S' {
            let (pairs, mut extended, _) = header.gnu_sparse();
            let mut map = Vec::new();
            sparse::old_gnu(pairs, &mut map)?;
            // The extension blocks stand between header and data, outside of its size.
            while extended {
                let block = self.block()?.ok_or_else(|| self.truncated())?;
                sparse::old_gnu(&block[..504], &mut map)?;
                extended = block[504] != 0;
            }
            let real = sparse::old_real_size(header)?;
            sparse::check(&map, real, stored)?;
            return Ok((real, Some(map)));
        }
        if !pax.sparse.is_set() {
            return Ok((stored, None));
        }
        let missing = || self.corrupt("a sparse file without its real size");
        let real = pax.sparse.real_size.ok_or_else(missing)?;
        let map = match (pax.sparse.major, pax.sparse.map.take()) {
            (Some(1), _) if pax.sparse.minor == Some(0) => self.text_map()?,
            (None | Some(0), Some(map)) => map,
            _ => return Err(self.corrupt("a sparse file of an unknown format")),
        };
        sparse::check(&map, real, self.data_left)?;
        Ok((real, Some(map)))
    }

    fn text_map(&mut self) -> Result<Vec<Segment>, ImageError> {
        let start = self.data_left;
        let mut map = TextMap::default();
        loop {
            let data = self.data()?;
            if data.is_empty() {
                return Err(self.corrupt("a sparse map that does not end"));
            }
            let mut complete = None;
            for (at, byte) in data.iter().enumerate() {
                if map.feed(*byte)? {
                    complete = Some(at + 1);
                    break;
                }
            }
            let used = complete.unwrap_or(data.len());
            self.advance(used);
            if complete.is_some() {
                break;
            }
        }
        let mut padding = (start - self.data_left).next_multiple_of(BLOCK as u64);
        padding -= start - self.data_left;
        if padding > self.data_left {
            return Err(self.corrupt("a sparse map that does not end"));
        }
        self.skip(padding)?;
        self.data_left -= padding;
        Ok(map.map)
    }

    /// The next bytes of the current entry's data; empty at its end.
    pub(crate) fn data(&mut self) -> Result<&[u8], ImageError> {
        if self.data_left == 0 {
            return Ok(&[]);
        }
        let truncated = self.truncated();
        let bytes = self.input.fill()?;
        if bytes.is_empty() {
            return Err(truncated);
        }
        let most = usize::try_from(self.data_left).unwrap_or(usize::MAX);
        Ok(&bytes[..bytes.len().min(most)])
    }

    /// Goes on by `n` bytes of those last returned by `data`.
    pub(crate) fn advance(&mut self, n: usize) {
        self.input.consume(n);
        self.offset += n as u64;
        self.data_left -= n as u64;
    }

    /// Reads what follows the end-of-archive mark, which may only be zeros, calling `each` with the
    /// offset reached.
    pub(crate) fn drain(
        &mut self,
        mut each: impl FnMut(u64) -> Result<(), ImageError>,
    ) -> Result<(), ImageError> {
        loop {
            let bytes = self.input.fill()?;
            if bytes.is_empty() {
                return Ok(());
            }
            if bytes.iter().any(|b| *b != 0) {
                return Err(self.corrupt("data after the end of the archive"));
            }
            let n = bytes.len();
            self.input.consume(n);
            self.offset += n as u64;
            each(self.offset)?;
        }
    }

    fn header(&mut self) -> Result<Option<Header>, ImageError> {
        let Some(block) = self.block()? else {
            // An archive without any end mark is one whose end was cut off.
            return Err(self.truncated());
        };
        if block == [0; BLOCK] {
            return match self.block()? {
                Some(second) if second != [0; BLOCK] => {
                    Err(self.corrupt("a zero block within the archive"))
                }
                _ => Ok(None),
            };
        }
        match Header::new(block) {
            Some(header) => Ok(Some(header)),
            None if self.offset == BLOCK as u64 => Err(ImageError::Corrupt {
                what: "tar archive",
                reason: "this is not a tar archive".to_owned(),
            }),
            None => Err(self.corrupt("a header's checksum is wrong")),
        }
    }

    /// The next block, or None where the input ends before it.
    fn block(&mut self) -> Result<Option<[u8; BLOCK]>, ImageError> {
        let mut block = [0; BLOCK];
        let mut have = 0;
        while have < BLOCK {
            let bytes = self.input.fill()?;
            if bytes.is_empty() {
                return match have {
                    0 => Ok(None),
                    _ => Err(self.truncated()),
                };
            }
            let n = bytes.len().min(BLOCK - have);
            block[have..have + n].copy_from_slice(&bytes[..n]);
            self.input.consume(n);
            have += n;
            self.offset += n as u64;
        }
        Ok(Some(block))
    }

    /// The body of an extended header or long name.
    fn meta(&mut self, header: &Header) -> Result<Vec<u8>, ImageError> {
        let size = header.size()?;
        if size > LARGEST_META {
            return Err(header.corrupt("an extended header is larger than 1 MiB"));
        }
        self.start_data(size);
        let mut body = Vec::with_capacity(size as usize);
        while self.data_left > 0 {
            let bytes = self.data()?;
            body.extend_from_slice(bytes);
            let n = bytes.len();
            self.advance(n);
        }
        self.skip_data()?;
        Ok(body)
    }

    fn start_data(&mut self, size: u64) {
        self.data_left = size;
        self.padding = size.wrapping_neg() % BLOCK as u64;
    }

    fn skip_data(&mut self) -> Result<(), ImageError> {
        let left = std::mem::take(&mut self.data_left);
        self.skip(left)?;
        let padding = std::mem::take(&mut self.padding);
        self.skip(padding)
    }

    fn skip(&mut self, mut n: u64) -> Result<(), ImageError> {
        while n > 0 {
            let step = self.input.skip(n)?;
            if step == 0 {
                return Err(self.truncated());
            }
            self.offset += step;
            n -= step;
        }
        Ok(())
    }

    fn truncated(&self) -> ImageError {
        ImageError::Truncated {
            what: "tar archive",
            offset: self.offset,
        }
    }

    fn corrupt(&self, reason: &str) -> ImageError {
        ImageError::Corrupt {
            what: "tar archive",
            reason: format!("{reason} (before byte {})", self.offset),
        }
    }
}

/// A GNU long name without the NUL that ends it.
fn terminated(mut body: Vec<u8>) -> Vec<u8> {
    if let Some(end) = body.iter().position(|b| *b == 0) {
        body.truncate(end);
    }
    body
}
