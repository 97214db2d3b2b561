//! What is fuzzed, as plain functions: the fuzzer (the workspace `fuzz/`) finds inputs, and the
//! tests here replay those that were kept.
//!
//! A target takes any bytes and panics where the product does something that it must not.

mod archive;
mod config;
mod confined;
mod json;
mod random;
mod seccomp;
mod tar;
mod words;

pub use random::Random;

/// One thing that is fuzzed.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// Its name, and that of its corpus.
    pub name: &'static str,
    /// Feeds it one input.
    ///
    /// # Panics
    /// Where the product broke a promise.
    pub run: fn(&[u8]),
    /// Makes a likely relative of an input that keeps its form, so that it gets past the first
    /// check.
    pub mutate: fn(&[u8], &mut Random) -> Vec<u8>,
    /// The inputs that were kept: a tar archive, compressed by zstd.
    corpus: &'static [u8],
}

impl Target {
    /// The inputs that were kept, with their names.
    ///
    /// # Panics
    /// Where the corpus is damaged.
    pub fn inputs(&self) -> Vec<(String, Vec<u8>)> {
        let archive = zstd::decode_all(self.corpus).expect("the corpus can be decompressed");
        tar::entries::files(&archive)
    }
}

/// All targets.
pub const TARGETS: &[Target] = &[
    Target {
        name: "tar",
        run: tar::run,
        mutate: tar::mutate,
        corpus: include_bytes!("../../../fuzz/corpus/tar.tar.zst"),
    },
    Target {
        name: "archive",
        run: archive::run,
        mutate: archive::mutate,
        corpus: include_bytes!("../../../fuzz/corpus/archive.tar.zst"),
    },
    Target {
        name: "config",
        run: config::run,
        mutate: config::mutate,
        corpus: include_bytes!("../../../fuzz/corpus/config.tar.zst"),
    },
    Target {
        name: "words",
        run: words::run,
        mutate: words::mutate,
        corpus: include_bytes!("../../../fuzz/corpus/words.tar.zst"),
    },
    Target {
        name: "seccomp",
        run: seccomp::run,
        mutate: seccomp::mutate,
        corpus: include_bytes!("../../../fuzz/corpus/seccomp.tar.zst"),
    },
];

/// The target of this name.
pub fn target(name: &str) -> Option<&'static Target> {
    TARGETS.iter().find(|target| target.name == name)
}
