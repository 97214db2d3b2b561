//! Changes to the documents of an archive of images, with digests that are right half of the time.

use fastbox_engine::image::Digest;
use serde_json::Value;

use crate::json;
use crate::random::Random;
use crate::tar::{self, entries};

/// A file of the archive: header and data without padding.
struct Member {
    header: Vec<u8>,
    data: Vec<u8>,
}

/// Changes a document, or an entry of the archive itself.
pub fn mutate(data: &[u8], random: &mut Random) -> Vec<u8> {
    if random.below(4) == 0 {
        return tar::mutate(data, random);
    }
    let mut members: Vec<Member> = entries::split(data).into_iter().map(Member::new).collect();
    let documents: Vec<usize> = (0..members.len())
        .filter(|at| members[*at].is_document())
        .collect();
    let right = random.below(2) == 0;
    for _ in 0..=random.below(2) {
        if documents.is_empty() {
            return tar::mutate(data, random);
        }
        let at = documents[random.below(documents.len())];
        if let Some(new) = json::mutate(&members[at].data, &WORDS, random) {
            replace(&mut members, at, new, right, 0);
        }
    }
    members.iter().flat_map(Member::bytes).collect()
}

/// Gives a member new data. Where digests are to be `right`, whatever names the old ones names the
/// new, and so on up to the index.
fn replace(members: &mut [Member], at: usize, new: Vec<u8>, right: bool, depth: u32) {
    let old = std::mem::replace(&mut members[at].data, new);
    // A document that names itself would go on for ever.
    if !right || depth > 4 {
        return;
    }
    let (before, now) = (Digest::of(&old), Digest::of(&members[at].data));
    let size = members[at].data.len();
    let (before, now) = (before.hex(), now.hex());
    members[at].rename(&before, &now);
    for other in 0..members.len() {
        if other == at || !members[other].is_document() {
            continue;
        }
        let Ok(text) = std::str::from_utf8(&members[other].data) else {
            continue;
        };
        if !text.contains(&before) {
            continue;
        }
        let text = text.replace(&before, &now);
        if let Ok(mut value) = serde_json::from_str(&text) {
            write_sizes(&mut value, &now, size);
            replace(
                members,
                other,
                value.to_string().into_bytes(),
                right,
                depth + 1,
            );
        }
    }
}

/// Every descriptor of this digest gets this size.
fn write_sizes(value: &mut Value, hex: &str, size: usize) {
    let named = value["digest"]
        .as_str()
        .is_some_and(|digest| digest.ends_with(hex));
    match value {
        Value::Object(map) => {
            if named {
                map.insert("size".to_owned(), size.into());
            }
            map.values_mut()
                .for_each(|inner| write_sizes(inner, hex, size));
        }
        Value::Array(list) => list
            .iter_mut()
            .for_each(|inner| write_sizes(inner, hex, size)),
        _ => {}
    }
}

impl Member {
    fn new(entry: Vec<u8>) -> Member {
        let (header, data) = entry.split_at(entries::BLOCK);
        let size = entries::size(header).min(data.len());
        Member {
            header: header.to_vec(),
            data: data[..size].to_vec(),
        }
    }

    fn is_document(&self) -> bool {
        matches!(self.data.first(), Some(b'{' | b'['))
    }

    /// Changes a part of the name.
    fn rename(&mut self, before: &str, now: &str) {
        let name = String::from_utf8_lossy(&self.header[..100]).replace(before, now);
        let len = name.len().min(100);
        self.header[..len].copy_from_slice(&name.as_bytes()[..len]);
    }

    fn bytes(&self) -> Vec<u8> {
        let mut bytes = self.header.clone();
        if !self.data.is_empty() {
            entries::write_size(&mut bytes, self.data.len());
        }
        bytes.extend(&self.data);
        bytes.resize(bytes.len().next_multiple_of(entries::BLOCK), 0);
        bytes
    }
}

/// Words of the documents.
const WORDS: [&str; 52] = [
    "Config",
    "RepoTags",
    "Layers",
    "LayerSources",
    "Parent",
    "schemaVersion",
    "mediaType",
    "config",
    "layers",
    "manifests",
    "digest",
    "size",
    "annotations",
    "platform",
    "os",
    "architecture",
    "variant",
    "urls",
    "data",
    "artifactType",
    "subject",
    "imageLayoutVersion",
    "1.0.0",
    "rootfs",
    "diff_ids",
    "history",
    "empty_layer",
    "created",
    "id",
    "parent",
    "repositories",
    "x",
    "x:1",
    "docker.io/library/x:latest",
    "latest",
    "host",
    "A/b",
    "org.opencontainers.image.ref.name",
    "io.containerd.image.name",
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.oci.image.config.v1+json",
    "application/vnd.oci.image.layer.v1.tar",
    "application/vnd.oci.image.layer.v1.tar+gzip",
    "application/vnd.oci.image.layer.nondistributable.v1.tar+zstd",
    "application/vnd.docker.distribution.manifest.v2+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
    "linux",
    "amd64",
    "arm64",
    "../outside/sentinel",
    "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
];
