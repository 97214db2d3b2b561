//! What the tests share: a builder of archives, honest and not, and scratch directories.
#![allow(dead_code)]

pub mod images;

use std::path::{Path, PathBuf};

use fastbox_image::{ImageError, ImportOptions, Imported, Limits, Reference, Store};

/// A directory for one test with a store and a sentinel beside it; removed at the end.
pub struct Scratch {
    pub path: PathBuf,
    pub store: Store,
}

const SENTINEL: &str = "nobody touches this";

impl Scratch {
    pub fn new(test: &str) -> Scratch {
        let name = format!("fastbox-image-{test}-{}", std::process::id());
        Scratch::at(std::env::temp_dir().join(name))
    }

    pub fn at(path: PathBuf) -> Scratch {
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir_all(path.join("outside/dir")).unwrap();
        std::fs::write(path.join("outside/sentinel"), SENTINEL).unwrap();
        let store = Store::open(&path.join("store")).unwrap();
        Scratch { path, store }
    }

    pub fn import(&self, tar: &[u8]) -> Result<Imported, ImageError> {
        self.store
            .import(tar, &name("test"), ImportOptions::default())
    }

    pub fn import_within(&self, tar: &[u8], limits: Limits) -> Result<Imported, ImageError> {
        let options = ImportOptions {
            limits,
            ..ImportOptions::default()
        };
        self.store.import(tar, &name("test"), options)
    }

    pub fn outside(&self) -> PathBuf {
        self.path.join("outside")
    }

    /// The sentinel and its directory are as they were.
    pub fn check_outside(&self) {
        let outside = self.outside();
        let sentinel = outside.join("sentinel");
        assert_eq!(std::fs::read_to_string(&sentinel).unwrap(), SENTINEL);
        let mut names: Vec<_> = list(&outside);
        names.extend(list(&outside.join("dir")));
        assert_eq!(names, ["dir", "sentinel"]);
        use std::os::unix::fs::MetadataExt;
        assert_eq!(std::fs::metadata(&sentinel).unwrap().nlink(), 1);
    }

    /// The store holds no image and no part of one.
    pub fn check_empty(&self) {
        for part in [
            "tmp",
            "layers",
            "notes",
            "trees",
            "refs",
            "leases",
            "blobs/sha256",
        ] {
            let names = list(&self.store.root().join(part));
            assert!(names.is_empty(), "{part}: {names:?}");
        }
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.path);
    }
}

pub fn name(text: &str) -> Reference {
    Reference::parse(text).unwrap()
}

pub fn list(dir: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(dir).unwrap();
    let mut names: Vec<String> = entries
        .map(|e| e.unwrap().file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

pub fn is_root() -> bool {
    nix::unistd::geteuid().is_root()
}

/// One header block, all fields as text, its checksum made by `block`.
#[derive(Clone)]
pub struct Header {
    pub name: Vec<u8>,
    pub link: Vec<u8>,
    pub kind: u8,
    pub mode: u32,
    pub uid: u32,
    pub gid: u32,
    pub mtime: u64,
    pub size: Vec<u8>,
    pub device: (u32, u32),
    pub gnu: bool,
}

impl Header {
    pub fn new(kind: u8, name: impl AsRef<[u8]>) -> Header {
        Header {
            name: name.as_ref().to_vec(),
            link: Vec::new(),
            kind,
            mode: if kind == b'5' { 0o755 } else { 0o644 },
            uid: 0,
            gid: 0,
            mtime: 1_000_000_000,
            size: b"00000000000".to_vec(),
            device: (0, 0),
            gnu: false,
        }
    }

    pub fn block(&self) -> [u8; 512] {
        let mut block = [0u8; 512];
        let mut put = |at: usize, bytes: &[u8]| block[at..at + bytes.len()].copy_from_slice(bytes);
        put(0, &self.name[..self.name.len().min(100)]);
        put(100, format!("{:07o}", self.mode).as_bytes());
        put(108, format!("{:07o}", self.uid).as_bytes());
        put(116, format!("{:07o}", self.gid).as_bytes());
        put(124, &self.size);
        put(136, format!("{:011o}", self.mtime).as_bytes());
        put(156, &[self.kind]);
        put(157, &self.link[..self.link.len().min(100)]);
        put(
            257,
            if self.gnu {
                b"ustar  \0"
            } else {
                b"ustar\x0000"
            },
        );
        put(329, format!("{:07o}", self.device.0).as_bytes());
        put(337, format!("{:07o}", self.device.1).as_bytes());
        sum(&mut block);
        block
    }
}

/// Writes the checksum.
pub fn sum(block: &mut [u8]) {
    block[148..156].fill(b' ');
    let sum: u32 = block.iter().map(|b| u32::from(*b)).sum();
    block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
}

/// An archive being put together.
#[derive(Clone, Default)]
pub struct Tar(pub Vec<u8>);

impl Tar {
    pub fn new() -> Tar {
        Tar::default()
    }

    pub fn raw(mut self, bytes: &[u8]) -> Tar {
        self.0.extend_from_slice(bytes);
        self
    }

    pub fn header(self, header: &Header) -> Tar {
        self.raw(&header.block())
    }

    pub fn data(self, data: &[u8]) -> Tar {
        let padding = data.len().wrapping_neg() % 512;
        self.raw(data).raw(&vec![0; padding])
    }

    pub fn with_data(self, mut header: Header, data: &[u8]) -> Tar {
        header.size = format!("{:011o}", data.len()).into_bytes();
        self.header(&header).data(data)
    }

    pub fn file(self, name: impl AsRef<[u8]>, data: &[u8]) -> Tar {
        self.with_data(Header::new(b'0', name), data)
    }

    pub fn dir(self, name: impl AsRef<[u8]>) -> Tar {
        self.header(&Header::new(b'5', name))
    }

    pub fn link(self, kind: u8, name: impl AsRef<[u8]>, target: impl AsRef<[u8]>) -> Tar {
        let mut header = Header::new(kind, name);
        header.link = target.as_ref().to_vec();
        self.header(&header)
    }

    pub fn symlink(self, name: impl AsRef<[u8]>, target: impl AsRef<[u8]>) -> Tar {
        self.link(b'2', name, target)
    }

    pub fn hard_link(self, name: impl AsRef<[u8]>, target: impl AsRef<[u8]>) -> Tar {
        self.link(b'1', name, target)
    }

    pub fn pax(self, records: &[(&str, &[u8])]) -> Tar {
        let mut body = Vec::new();
        for (key, value) in records {
            body.extend(record(key, value));
        }
        self.with_data(Header::new(b'x', "PaxHeaders/x"), &body)
    }

    pub fn end(self) -> Vec<u8> {
        self.raw(&[0; 1024]).0
    }
}

/// One PAX record.
pub fn record(key: &str, value: &[u8]) -> Vec<u8> {
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
