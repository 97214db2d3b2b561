//! Archives of images, put together by hand.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use fastbox_image::{Digest, ImageError, LoadFrom, LoadOptions, Loaded};
use serde_json::{Value, json};

use super::{Scratch, Tar};

/// The files of an archive of images or layout folder, in their order.
#[derive(Clone, Default)]
pub struct Files(pub Vec<(String, Vec<u8>)>);

pub const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
pub const INDEX: &str = "application/vnd.oci.image.index.v1+json";
const LAYER: &str = "application/vnd.oci.image.layer.v1.tar";
const CONFIG: &str = "application/vnd.oci.image.config.v1+json";

pub fn config(layers: &[Vec<u8>]) -> Vec<u8> {
    let diff_ids: Vec<String> = layers.iter().map(|l| Digest::of(l).to_string()).collect();
    let config = json!({
        "architecture": "amd64",
        "os": "linux",
        "created": "2024-01-02T03:04:05Z",
        "config": {"Env": ["A=B"], "Cmd": ["/bin/sh"]},
        "rootfs": {"type": "layers", "diff_ids": diff_ids},
    });
    config.to_string().into_bytes()
}

pub fn descriptor(media_type: &str, contents: &[u8]) -> Value {
    json!({
        "mediaType": media_type,
        "digest": Digest::of(contents).to_string(),
        "size": contents.len(),
    })
}

/// With a platform, as in an index.
pub fn for_platform(mut descriptor: Value, os: &str, architecture: &str) -> Value {
    descriptor["platform"] = json!({"os": os, "architecture": architecture});
    descriptor
}

/// With a name, as in `index.json`.
pub fn named(mut descriptor: Value, name: &str) -> Value {
    descriptor["annotations"] = json!({"org.opencontainers.image.ref.name": name});
    descriptor
}

/// A blob's place in a layout.
pub fn blob(contents: &[u8]) -> String {
    format!("blobs/sha256/{}", Digest::of(contents).hex())
}

/// What a program of that name makes of data on its standard input.
pub fn packed(program: &str, data: &[u8]) -> Vec<u8> {
    let mut child = Command::new(program)
        .arg("-c")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(data).unwrap();
    child.wait_with_output().unwrap().stdout
}

impl Files {
    pub fn put(mut self, name: impl Into<String>, contents: impl AsRef<[u8]>) -> Files {
        self.0.push((name.into(), contents.as_ref().to_vec()));
        self
    }

    pub fn blob(self, contents: impl AsRef<[u8]>) -> Files {
        let name = blob(contents.as_ref());
        match self.0.iter().any(|(known, _)| *known == name) {
            true => self,
            false => self.put(name, contents),
        }
    }

    /// An image's blobs, each layer as `pack` makes it of its archive; the descriptor of its
    /// manifest.
    pub fn image(self, layers: &[Vec<u8>], pack: impl Fn(&[u8]) -> Vec<u8>) -> (Files, Value) {
        let config = config(layers);
        let mut files = self.blob(&config);
        let mut descriptors = Vec::new();
        for layer in layers {
            let packed = pack(layer);
            descriptors.push(descriptor(LAYER, &packed));
            files = files.blob(packed);
        }
        let manifest = json!({
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": descriptor(CONFIG, &config),
            "layers": descriptors,
        });
        let manifest = manifest.to_string();
        (
            files.blob(&manifest),
            descriptor(MANIFEST, manifest.as_bytes()),
        )
    }

    /// An index in an index: its descriptor.
    pub fn nested(self, manifests: &[Value]) -> (Files, Value) {
        let index = json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": manifests});
        let index = index.to_string();
        (self.blob(&index), descriptor(INDEX, index.as_bytes()))
    }

    pub fn layout(self, manifests: &[Value]) -> Files {
        let index = json!({"schemaVersion": 2, "manifests": manifests});
        self.put("index.json", index.to_string())
            .put("oci-layout", r#"{"imageLayoutVersion":"1.0.0"}"#)
    }

    /// A docker-archive of one image, its manifest last.
    pub fn docker(self, names: &[&str], layers: &[Vec<u8>]) -> Files {
        let config = config(layers);
        let name = format!("{}.json", Digest::of(&config).hex());
        let mut files = self.put(&name, &config);
        let mut members = Vec::new();
        for (number, layer) in layers.iter().enumerate() {
            members.push(format!("{number:064x}/layer.tar"));
            files = files.put(&members[number], layer);
        }
        files.manifest(json!([{"Config": name, "RepoTags": names, "Layers": members}]))
    }

    pub fn manifest(self, items: Value) -> Files {
        self.put("manifest.json", items.to_string())
    }

    pub fn tar(&self) -> Vec<u8> {
        let tar = self
            .0
            .iter()
            .fold(Tar::new(), |tar, (name, contents)| tar.file(name, contents));
        tar.end()
    }

    /// Writes them into a folder.
    pub fn folder(&self, path: &Path) -> PathBuf {
        for (name, contents) in &self.0 {
            let path = path.join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, contents).unwrap();
        }
        path.to_path_buf()
    }
}

impl Scratch {
    /// Loads an archive that lies in a file.
    pub fn load(&self, archive: impl AsRef<[u8]>) -> Result<Vec<Loaded>, ImageError> {
        let path = self.path.join("archive");
        std::fs::write(&path, archive).unwrap();
        let file = std::fs::File::open(path).unwrap();
        self.store
            .load(LoadFrom::File(file), LoadOptions::default())
    }

    /// Loads an archive that comes through a pipe.
    pub fn load_stream(&self, archive: impl AsRef<[u8]>) -> Result<Vec<Loaded>, ImageError> {
        let mut reader = archive.as_ref();
        let from = LoadFrom::Stream(&mut reader);
        self.store.load(from, LoadOptions::default())
    }

    pub fn load_folder(&self, files: &Files) -> Result<Vec<Loaded>, ImageError> {
        let folder = files.folder(&self.path.join("folder"));
        let loaded = self
            .store
            .load(LoadFrom::Folder(folder.clone()), LoadOptions::default());
        std::fs::remove_dir_all(folder).unwrap();
        loaded
    }
}
