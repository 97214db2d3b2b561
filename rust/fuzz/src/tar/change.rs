//! Changes to an archive that leave it one.

use super::entries::{BLOCK, FIELDS, split, write_size};
use crate::random::Random;

const NAMES: [&[u8]; 22] = [
    b"a",
    b"d",
    b"d/f",
    b"d/",
    b"s",
    b"s/sentinel",
    b"h",
    b"..",
    b"../outside/sentinel",
    b"d/up",
    b"d/up/outside/sentinel",
    b"/outside/sentinel",
    b"/outside",
    b"../../../outside/dir",
    b"/etc/passwd",
    b".",
    b"",
    b".wh.a",
    b"d/.wh..wh..opq",
    b".wh.",
    b"d//./f",
    b"a\0b",
];

const KINDS: [&[u8]; 16] = [
    b"0", b"\0", b"1", b"2", b"3", b"4", b"5", b"6", b"7", b"x", b"g", b"L", b"K", b"S", b"D", b"M",
];

const NUMBERS: [&[u8]; 14] = [
    b"0000000",
    b"0000755",
    b"0007777",
    b"7777777",
    b"00000001000",
    b"77777777777",
    b"-1",
    b" 12 ",
    b"",
    b"\x80\0\0\0\0\0\0\0\0\0\0\x05",
    b"\x80\0\0\0\x7f\xff\xff\xff\xff\xff\xff\xff",
    b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff",
    b"9",
    b"00000000001",
];

const KEYS: [&str; 22] = [
    "path",
    "linkpath",
    "size",
    "uid",
    "gid",
    "uname",
    "mtime",
    "atime",
    "ctime",
    "comment",
    "hdrcharset",
    "GNU.sparse.major",
    "GNU.sparse.minor",
    "GNU.sparse.name",
    "GNU.sparse.realsize",
    "GNU.sparse.size",
    "GNU.sparse.map",
    "GNU.sparse.offset",
    "GNU.sparse.numbytes",
    "SCHILY.xattr.user.a",
    "SCHILY.xattr.security.capability",
    "LIBARCHIVE.xattr.user.b",
];

const VALUES: [&[u8]; 16] = [
    b"0",
    b"1",
    b"-1",
    b"512",
    b"1000000000.5",
    b"-0.000000001",
    b"99999999999999999999",
    b"0,1,9,2",
    b"5,9",
    b"0,9",
    b"1000000",
    b"\x01\0\0\x02\0\x04\0\0\0\0\0\0\0\0\0\0\0\0\0\0",
    b"dmFsdWU=",
    b"",
    b"\xff\xfe",
    b"BINARY",
];

/// Changes a few entries. What is no archive of whole blocks is cut to them first.
pub fn mutate(data: &[u8], random: &mut Random) -> Vec<u8> {
    let mut entries = split(data);
    for _ in 0..=random.below(3) {
        if entries.is_empty() {
            entries.push(entry(random));
        }
        let at = random.below(entries.len());
        match random.below(12) {
            0 => entries.insert(at, entry(random)),
            1 => entries.insert(at, extended(random)),
            2 => entries.insert(at, long_name(random)),
            3 => {
                entries.remove(at);
            }
            4 => {
                let copy = entries[at].clone();
                entries.insert(random.below(entries.len() + 1), copy);
            }
            5 => {
                let other = random.below(entries.len());
                entries.swap(at, other);
            }
            6 => resize(&mut entries[at], random),
            _ => field(&mut entries[at], random),
        }
    }
    entries.concat()
}

fn field(entry: &mut [u8], random: &mut Random) {
    let which = random.below(FIELDS.len());
    let (start, end) = FIELDS[which];
    let value = match which {
        0 | 7 | 11 => random.pick(&NAMES),
        6 => random.pick(&KINDS),
        8 => random.pick(&[&b"ustar\x0000"[..], b"ustar  \0", b"\0\0\0\0\0\0\0\0"]),
        _ => random.pick(&NUMBERS),
    };
    let field = &mut entry[start..end];
    field.fill(0);
    let len = value.len().min(field.len());
    field[..len].copy_from_slice(&value[..len]);
}

fn entry(random: &mut Random) -> Vec<u8> {
    let kind = random.pick(&KINDS)[0];
    let mut block = header(kind, random.pick(&NAMES));
    let link = random.pick(&NAMES);
    block[157..157 + link.len()].copy_from_slice(link);
    match kind {
        b'0' | b'7' => with_data(block, &vec![b'x'; random.below(1200)]),
        _ => block,
    }
}

fn extended(random: &mut Random) -> Vec<u8> {
    let mut body = Vec::new();
    for _ in 0..=random.below(4) {
        let key = KEYS[random.below(KEYS.len())];
        let value = match key {
            "path" | "linkpath" | "GNU.sparse.name" => random.pick(&NAMES),
            _ => random.pick(&VALUES),
        };
        body.extend(record(key, value));
    }
    let kind = if random.below(8) == 0 { b'g' } else { b'x' };
    with_data(header(kind, b"pax"), &body)
}

fn long_name(random: &mut Random) -> Vec<u8> {
    let mut name = random.pick(&NAMES).to_vec();
    if random.below(3) == 0 {
        name = [b"long/".repeat(random.below(60)), name].concat();
    }
    name.push(0);
    let kind = if random.below(2) == 0 { b'L' } else { b'K' };
    with_data(header(kind, b"././@LongLink"), &name)
}

fn resize(entry: &mut Vec<u8>, random: &mut Random) {
    let size = random.below(3000);
    entry.resize(BLOCK + size.next_multiple_of(BLOCK), b'y');
    write_size(&mut entry[..BLOCK], size);
}

fn header(kind: u8, name: &[u8]) -> Vec<u8> {
    let mut block = vec![0; BLOCK];
    block[..name.len()].copy_from_slice(name);
    let mode = if kind == b'5' { "0000755" } else { "0000644" };
    block[100..107].copy_from_slice(mode.as_bytes());
    for start in [108, 116, 329, 337] {
        block[start..start + 7].fill(b'0');
    }
    write_size(&mut block, 0);
    block[136..147].copy_from_slice(b"07346545000");
    block[156] = kind;
    block[257..265].copy_from_slice(b"ustar\x0000");
    block
}

fn with_data(mut block: Vec<u8>, data: &[u8]) -> Vec<u8> {
    write_size(&mut block, data.len());
    block.extend(data);
    block.resize(block.len().next_multiple_of(BLOCK), 0);
    block
}

/// One record of an extended header, which begins with its own length.
fn record(key: &str, value: &[u8]) -> Vec<u8> {
    let rest = key.len() + value.len() + 3;
    let mut length = rest + 1;
    while rest + length.to_string().len() != length {
        length = rest + length.to_string().len();
    }
    let mut record = format!("{length} {key}=").into_bytes();
    record.extend_from_slice(value);
    record.push(b'\n');
    record
}
