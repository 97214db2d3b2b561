//! An archive as its entries, read as loosely as it can be.

/// Archives are made of blocks of this many bytes.
pub const BLOCK: usize = 512;

/// The fields of a header: where each begins and ends.
pub const FIELDS: [(usize, usize); 14] = [
    (0, 100),   // name
    (100, 108), // mode
    (108, 116), // uid
    (116, 124), // gid
    (124, 136), // size
    (136, 148), // mtime
    (156, 157), // type
    (157, 257), // link name
    (257, 265), // magic and version
    (329, 337), // device, major
    (337, 345), // device, minor
    (345, 500), // prefix
    (386, 482), // sparse map (GNU)
    (482, 495), // whether there is more of it, and the real size (GNU)
];

/// Splits whole blocks into entries: a header with its data.
pub fn split(data: &[u8]) -> Vec<Vec<u8>> {
    let mut entries = Vec::new();
    let mut rest = &data[..data.len() - data.len() % BLOCK];
    while !rest.is_empty() {
        let end = (BLOCK + size(&rest[..BLOCK]).next_multiple_of(BLOCK)).min(rest.len());
        entries.push(rest[..end].to_vec());
        rest = &rest[end..];
    }
    entries
}

/// The archive with each header's checksum right, and its end if it has none.
pub fn with_sums(data: &[u8]) -> Vec<u8> {
    let mut archive = Vec::with_capacity(data.len() + 2 * BLOCK);
    let mut ended = false;
    for mut entry in split(data) {
        ended = entry.iter().all(|byte| *byte == 0);
        if !ended {
            write_sum(&mut entry[..BLOCK]);
        }
        archive.extend(entry);
    }
    if !ended {
        archive.resize(archive.len() + 2 * BLOCK, 0);
    }
    archive
}

/// Names and contents of an archive's plain files.
pub fn files(archive: &[u8]) -> Vec<(String, Vec<u8>)> {
    let plain = split(archive)
        .into_iter()
        .filter(|entry| entry[156] == b'0');
    let file = |entry: Vec<u8>| {
        let (header, data) = entry.split_at(BLOCK);
        let name = String::from_utf8_lossy(&header[..100]);
        let name = name.trim_end_matches('\0').to_owned();
        (name, data[..size(header)].to_vec())
    };
    plain.map(file).collect()
}

/// Writes a size into a header.
pub fn write_size(header: &mut [u8], size: usize) {
    header[124..136].copy_from_slice(format!("{size:011o}\0").as_bytes());
}

fn write_sum(header: &mut [u8]) {
    header[148..156].fill(b' ');
    let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
    header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
}

/// The size that a header states; 0 where it is no octal number, or the entry has no data.
pub fn size(header: &[u8]) -> usize {
    if matches!(header[156], b'1'..=b'6') {
        return 0;
    }
    let text = String::from_utf8_lossy(&header[124..136]);
    let digits = text.trim_matches(|c: char| c == ' ' || c == '\0');
    usize::from_str_radix(digits, 8).unwrap_or(0)
}
