//! Headers of archives that we write: ustar (POSIX.1-2017 pax, "ustar Interchange Format"), the
//! same for the same contents.

use super::header::BLOCK;

/// A header for a file or, where `size` is None, a directory: root's, of 1970. The name has at most
/// 100 bytes.
pub(crate) fn header(name: &str, size: Option<u64>) -> [u8; BLOCK] {
    let mut block = [0; BLOCK];
    let mut put = |at: usize, bytes: &[u8]| block[at..at + bytes.len()].copy_from_slice(bytes);
    put(0, &name.as_bytes()[..name.len().min(100)]);
    put(
        100,
        if size.is_some() {
            b"0000644"
        } else {
            b"0000755"
        },
    );
    put(108, b"0000000");
    put(116, b"0000000");
    let length = size.unwrap_or(0);
    if length < 1 << 33 {
        put(124, format!("{length:011o}").as_bytes());
    } else {
        // GNU's base 256, which every reader knows.
        put(124, &[0x80, 0, 0, 0]);
        put(128, &length.to_be_bytes());
    }
    put(136, b"00000000000");
    put(148, b"        ");
    put(156, if size.is_some() { b"0" } else { b"5" });
    put(257, b"ustar\x0000");
    let sum: u32 = block.iter().map(|byte| u32::from(*byte)).sum();
    block[148..155].copy_from_slice(format!("{sum:06o}\0").as_bytes());
    block
}

/// The zeros that fill a file's last block.
pub(crate) fn padding(size: u64) -> &'static [u8] {
    const ZEROS: [u8; BLOCK] = [0; BLOCK];
    &ZEROS[..(size.wrapping_neg() % BLOCK as u64) as usize]
}

/// What an archive ends with.
pub(crate) const END: [u8; 2 * BLOCK] = [0; 2 * BLOCK];

#[cfg(test)]
mod tests {
    use super::super::{Kind, Reader};
    use super::*;

    #[test]
    fn the_reader_understands_the_writer() {
        for size in [Some(0), Some(513), Some(9 << 30), None] {
            let block = header("blobs/x", size);
            let entry = Reader::new(&block[..]).next().unwrap().unwrap();
            assert_eq!(entry.path, b"blobs/x");
            assert_eq!(entry.size, size.unwrap_or(0));
            let kind = size.map_or(Kind::Directory, |_| Kind::File);
            assert_eq!((entry.kind, entry.mtime.seconds), (kind, 0));
        }
        assert_eq!(padding(0).len(), 0);
        assert_eq!(padding(513).len(), 511);
        assert_eq!(padding(1024).len(), 0);
    }
}
