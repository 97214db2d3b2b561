//! What members an archive file has and where their bytes are: read once, header by header.

use std::collections::HashMap;
use std::fs::File;
use std::os::unix::fs::FileExt;

use crate::error::{ImageError, shown};
use crate::tar::{Input, Kind, Reader};
use crate::unpack::{normalise, path};

/// More members are refused: their names are held in memory.
const MOST_MEMBERS: usize = 1 << 18;
/// So many links may follow one another.
const MOST_LINKS: usize = 40;

/// The members of an archive by their normalised names.
pub(crate) struct Index(HashMap<Vec<u8>, Member>);

enum Member {
    File(Place),
    /// A symbolic or hard link, by the normalised name it leads to.
    Link(Vec<u8>),
    Directory,
}

/// Where the bytes of a member are in the file.
#[derive(Clone, Copy)]
pub(crate) struct Place {
    pub offset: u64,
    pub length: u64,
}

impl Index {
    /// Reads the headers of the archive that begins at `start` of a file. `check` is called for each
    /// member.
    pub(crate) fn read(
        file: &File,
        start: u64,
        mut check: impl FnMut() -> Result<(), ImageError>,
    ) -> Result<Index, ImageError> {
        let end = file
            .metadata()
            .map_err(ImageError::io("examine", "the archive"))?
            .len();
        let mut reader = Reader::new(Window {
            file,
            at: start,
            end,
            buffer: vec![0; BUFFER],
            have: 0,
            used: 0,
        });
        let mut members = HashMap::new();
        while let Some(entry) = reader.next()? {
            check()?;
            let name = normalise(&entry.path)?;
            let member = match entry.kind {
                Kind::File if entry.sparse.is_some() => {
                    return Err(ImageError::refused(&entry.path, "it is a sparse file"));
                }
                Kind::File => Member::File(Place {
                    offset: start + reader.offset(),
                    length: entry.size,
                }),
                Kind::HardLink => Member::Link(normalise(&entry.link)?),
                Kind::Symlink => Member::Link(beside(&name, &entry.link)?),
                Kind::Directory => Member::Directory,
                _ => {
                    let reason = "an archive of images has only files, directories and links";
                    return Err(ImageError::refused(&entry.path, reason));
                }
            };
            if members.len() == MOST_MEMBERS {
                return Err(ImageError::refused(
                    &entry.path,
                    "the archive has too many members",
                ));
            }
            let directory = matches!(member, Member::Directory);
            match members.insert(name, member) {
                None => {}
                Some(Member::Directory) if directory => {}
                Some(_) => {
                    let reason = "the archive has two members of this name";
                    return Err(ImageError::refused(&entry.path, reason));
                }
            }
        }
        Ok(Index(members))
    }

    /// Where a member's bytes are, links followed within the archive; None where there is none.
    pub(crate) fn find(&self, name: &[u8]) -> Result<Option<Place>, ImageError> {
        let mut at = name;
        for _ in 0..=MOST_LINKS {
            match self.0.get(at) {
                Some(Member::File(place)) => return Ok(Some(*place)),
                Some(Member::Link(next)) => at = next,
                Some(Member::Directory) | None => return Ok(None),
            }
        }
        Err(ImageError::refused(name, "it is a loop of links"))
    }
}

/// The member a symbolic link leads to.
fn beside(name: &[u8], link: &[u8]) -> Result<Vec<u8>, ImageError> {
    let outside = || ImageError::refused(name, "it is a link that leads out of the archive");
    if link.starts_with(b"/") {
        return Err(outside());
    }
    let (directory, _) = path::split(name).unwrap_or_default();
    let mut parts: Vec<&[u8]> = directory.split(|b| *b == b'/').collect();
    for part in link.split(|b| *b == b'/') {
        match part {
            b"" | b"." => {}
            b".." => drop(parts.pop().filter(|p| !p.is_empty()).ok_or_else(outside)?),
            _ => parts.push(part),
        }
    }
    let joined = parts.join(&b'/');
    match joined.is_empty() {
        true => Err(outside()),
        false => normalise(&joined),
    }
}

/// Headers lie apart, and little is read that is not one.
const BUFFER: usize = 4 << 10;

/// A file as the tar reader's input, which steps over what it does not look at.
struct Window<'a> {
    file: &'a File,
    /// Where the buffer ends in the file.
    at: u64,
    end: u64,
    buffer: Vec<u8>,
    have: usize,
    used: usize,
}

impl Input for Window<'_> {
    fn fill(&mut self) -> Result<&[u8], ImageError> {
        while self.used == self.have {
            self.have = match self.file.read_at(&mut self.buffer, self.at) {
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
                result => result.map_err(ImageError::io("read", "the archive"))?,
            };
            self.used = 0;
            self.at += self.have as u64;
            if self.have == 0 {
                break;
            }
        }
        Ok(&self.buffer[self.used..self.have])
    }

    fn consume(&mut self, n: usize) {
        self.used += n;
    }

    fn skip(&mut self, n: u64) -> Result<u64, ImageError> {
        let buffered = (self.have - self.used) as u64;
        if n <= buffered {
            self.used += n as usize;
            return Ok(n);
        }
        let beyond = (n - buffered).min(self.end.saturating_sub(self.at));
        self.used = self.have;
        self.at += beyond;
        Ok(buffered + beyond)
    }
}

impl std::fmt::Debug for Index {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set()
            .entries(self.0.keys().map(|name| shown(name)))
            .finish()
    }
}
