//! Archives of images that lie, climb, loop, or are cut: each a clear error, and nothing is left.

mod common;

use std::sync::atomic::{AtomicUsize, Ordering};

use common::images::{Files, INDEX, config, descriptor, named};
use common::{Header, Scratch, Tar};
use fastbox_image::Digest;
use serde_json::{Value, json};

fn layer() -> Vec<u8> {
    Tar::new().file("f", b"data").end()
}

fn refused(archive: impl AsRef<[u8]>, words: &str) {
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    let number = COUNT.fetch_add(1, Ordering::Relaxed);
    let scratch = Scratch::new(&format!("load-refused-{number}"));
    for error in [
        scratch.load(&archive).unwrap_err(),
        scratch.load_stream(&archive).unwrap_err(),
    ] {
        let text = error.to_string();
        assert!(text.contains(words), "{words}: {text}");
        assert!(text.len() < 1000, "{text}");
        scratch.check_empty();
        scratch.check_outside();
    }
}

fn docker(config_path: &str, layers: &[&str]) -> Files {
    let item = json!([{"Config": config_path, "RepoTags": ["x"], "Layers": layers}]);
    Files::default()
        .put("config", config(&[layer()]))
        .put("layer", layer())
        .manifest(item)
}

#[test]
fn paths_that_climb() {
    refused(docker("../config", &["layer"]).tar(), "has a '..'");
    refused(docker("/etc/passwd", &["layer"]).tar(), "absolute path");
    refused(docker("config", &["/etc/shadow"]).tar(), "absolute path");
    refused(docker("config", &["a/../../layer"]).tar(), "has a '..'");
    refused(docker("config", &[""]).tar(), "name is empty");
    for target in ["/etc/passwd", "../../etc/passwd", "a/../../../x", ".."] {
        let tar = Tar::new().symlink("d/layer", target);
        refused(tar.end(), "leads out of the archive");
    }
    refused(Tar::new().hard_link("a", "../b").end(), "has a '..'");
    refused(Tar::new().file("../x", b"").end(), "has a '..'");
    let mut looped = docker("config", &["a"]).tar();
    looped.truncate(looped.len() - 1024);
    let looped = Tar::new().raw(&looped).symlink("a", "b").symlink("b", "a");
    refused(looped.end(), "loop of links");
}

#[test]
fn what_is_not_there() {
    refused(
        docker("nothing", &["layer"]).tar(),
        "has no nothing, which manifest.json names",
    );
    refused(
        docker("config", &["gone"]).tar(),
        "has no gone, which manifest.json names",
    );
    refused(Files::default().put("x", "y").tar(), "fastbox import");
    refused(
        Files::default()
            .put("oci-layout", r#"{"imageLayoutVersion":"1.0.0"}"#)
            .tar(),
        "no index.json",
    );
    let (files, manifest) = Files::default().image(&[layer()], <[u8]>::to_vec);
    for gone in 0..files.0.len() {
        let mut files = files.clone();
        let (name, _) = files.0.remove(gone);
        refused(
            files.layout(std::slice::from_ref(&manifest)).tar(),
            &format!("has no {name}"),
        );
    }
    let folder = Scratch::new("no-folder");
    let error = folder
        .load_folder(&Files::default().put("x", "y"))
        .unwrap_err();
    assert!(error.to_string().contains("no oci-layout"), "{error}");
}

#[test]
fn lies_about_digests_and_sizes() {
    let pack = |layer: &[u8]| layer.to_vec();
    let (files, manifest) = Files::default().image(&[layer(), layer_two()], pack);
    for at in 0..files.0.len() {
        let mut files = files.clone();
        let name = files.0[at].0.clone();
        let contents = &mut files.0[at].1;
        let middle = contents.len() / 3;
        contents[middle] ^= 1;
        refused(files.layout(std::slice::from_ref(&manifest)).tar(), &name);
    }
    for (what, value) in [
        ("size", json!(1)),
        ("size", json!(-1)),
        ("digest", json!("sha256:short")),
        ("digest", json!("sha512:00")),
        ("digest", json!("sha256:../../../../../../etc/passwd")),
        ("digest", json!(format!("sha256:{}", "A".repeat(64)))),
        ("digest", json!(17)),
    ] {
        let mut manifest = manifest.clone();
        manifest[what] = value;
        refused(
            files.clone().layout(&[manifest]).tar(),
            "invalid index.json",
        );
    }
    // The layer is not the config's.
    let other = Tar::new().file("f", b"other").end();
    let mut lying = docker("config", &["layer"]);
    lying.0[1].1 = other;
    refused(
        lying.tar(),
        "the layer in layer is not what its digest says",
    );
    // The config is not what its name says.
    let name = format!("{}.json", Digest::of(b"something else").hex());
    let files = docker(&name, &["layer"]).put(&name, config(&[layer()]));
    refused(files.tar(), &format!("{name} is not what its digest says"));
}

fn layer_two() -> Vec<u8> {
    Tar::new().file("g", b"more").end()
}

#[test]
fn layers_that_cannot_be() {
    let with = |bad: &[u8]| {
        let (files, manifest) = Files::default().image(&[layer(), bad.to_vec()], <[u8]>::to_vec);
        files.layout(&[named(manifest, "x:1")]).tar()
    };
    refused(with(b"not a tar"), "truncated tar archive");
    refused(with(&[7; 4096]), "not a tar archive");
    refused(with(b""), "truncated archive");
    for name in [".wh...", ".wh..", ".wh.", "d/.wh..."] {
        let words = "whiteout of no possible name";
        refused(with(&Tar::new().file(name, b"").end()), words);
    }
    refused(with(&Tar::new().file("a/../b", b"").end()), "has a '..'");
    refused(
        with(&Tar::new().hard_link("a", "../../b").end()),
        "no entry can have",
    );
    // The layers and the config's diff_ids are not as many.
    refused(
        docker("config", &[]).tar(),
        "1 diff_ids, and the manifest 0 layers",
    );
    refused(
        docker("config", &["layer", "layer"]).tar(),
        "1 diff_ids, and the manifest 2 layers",
    );
}

#[test]
fn documents_that_make_no_sense() {
    let file = |name: &str, text: &str| Files::default().put(name, text).tar();
    let layout = |index: &str| {
        let files = Files::default().put("oci-layout", r#"{"imageLayoutVersion":"1.0.0"}"#);
        files.put("index.json", index).tar()
    };
    let deep = format!("{}1{}", "[".repeat(100_000), "]".repeat(100_000));
    for text in [
        "",
        "{",
        "null",
        "{}",
        "[1]",
        "[{}]",
        r#"[{"Config":1}]"#,
        &deep,
    ] {
        refused(file("manifest.json", text), "invalid manifest.json");
    }
    for text in [
        "",
        "[]",
        r#"{"manifests":1}"#,
        r#"{"manifests":[{}]}"#,
        &deep,
    ] {
        refused(layout(text), "invalid index.json");
    }
    refused(
        file("oci-layout", r#"{"imageLayoutVersion":"2.0.0"}"#),
        "not 1",
    );
    refused(
        file("repositories", r#"{"a":{"b":"../c"}}"#),
        "not 64 hex digits",
    );
    let large = vec![b' '; (8 << 20) + 1];
    refused(
        Files::default().put("manifest.json", &large).tar(),
        "8388609 bytes",
    );
    for config in ["", "[]", "{}", r#"{"rootfs":{"diff_ids":["x"]}}"#, &deep] {
        let item = json!([{"Config": "c", "RepoTags": null, "Layers": []}]);
        refused(
            Files::default().put("c", config).manifest(item).tar(),
            "invalid c",
        );
    }
    let many = vec!["x"; 1025];
    let id = format!("sha256:{}", "0".repeat(64));
    let config = json!({"architecture": "amd64", "os": "linux",
        "rootfs": {"type": "layers", "diff_ids": vec![id; 1025]}});
    let item = json!([{"Config": "c", "RepoTags": null, "Layers": many}]);
    refused(
        Files::default()
            .put("c", config.to_string())
            .manifest(item)
            .tar(),
        "1025 layers",
    );
    let mut files = docker("config", &["layer"]);
    files.0[2].1 = json!([{"Config": "config", "RepoTags": ["No Name"], "Layers": ["layer"]}])
        .to_string()
        .into_bytes();
    refused(files.tar(), "invalid reference format");
    let ids = ["a".repeat(64), "b".repeat(64)];
    let circle = Files::default()
        .put("repositories", json!({"x": {"y": ids[0]}}).to_string())
        .put(
            format!("{}/json", ids[0]),
            json!({"parent": ids[1]}).to_string(),
        )
        .put(
            format!("{}/json", ids[1]),
            json!({"parent": ids[0]}).to_string(),
        );
    refused(circle.tar(), "go round in a circle");
}

#[test]
fn indexes_without_end() {
    let (mut files, mut next) = Files::default().image(&[layer()], <[u8]>::to_vec);
    for _ in 0..20 {
        (files, next) = files.nested(&[next]);
    }
    refused(files.layout(&[next]).tar(), "index within 8 others");
    let both = json!({"schemaVersion": 2, "manifests": [], "config": descriptor("x", b"")});
    let both = both.to_string();
    let files = Files::default().blob(&both);
    let index = [descriptor(INDEX, both.as_bytes())];
    refused(
        files.layout(&index).tar(),
        "an index and a manifest at once",
    );
    let many: Vec<Value> = vec![descriptor(INDEX, b""); 10_001];
    refused(Files::default().layout(&many).tar(), "at most 10000");
}

#[test]
fn cut_archives_and_members_twice() {
    let whole = docker("config", &["layer"]).tar();
    for cut in [0, 1, 511, 512, 700, whole.len() / 2, whole.len() - 1025] {
        refused(&whole[..cut], "truncated");
    }
    let twice = Files::default().put("a", "1").put("a", "2");
    refused(twice.tar(), "two members of this name");
    let sneaky = Files::default().put("a/b", "1").put("./a//b", "2");
    refused(sneaky.tar(), "two members of this name");
    refused(
        Tar::new().header(&Header::new(b'6', "fifo")).end(),
        "only files, directories and links",
    );
    let mut header = Header::new(b'0', "manifest.json");
    // As long as a file can be, and nothing behind it.
    header.size = b"77777777777".to_vec();
    refused(Tar::new().header(&header).end(), "truncated");
    for magic in [&b"PK\x03\x04"[..], b"\x04\x22\x4d\x18"] {
        refused(magic, "unsupported compression");
    }
}

#[test]
fn a_later_image_that_lies_takes_the_earlier_with_it() {
    let (files, first) = Files::default().image(&[layer()], <[u8]>::to_vec);
    let (mut files, second) = files.image(&[layer(), layer_two()], <[u8]>::to_vec);
    let name = common::images::blob(&layer_two());
    let lie = files
        .0
        .iter_mut()
        .find(|(known, _)| *known == name)
        .unwrap();
    lie.1 = layer();
    let index = [named(first, "good:1"), named(second, "bad:1")];
    refused(files.layout(&index).tar(), &name);
}

#[test]
fn the_name_of_the_machine_itself() {
    for name in ["host", "host:latest", "docker.io/library/host:latest"] {
        let files = Files::default().docker(&["other:1", name], &[layer()]);
        refused(files.tar(), "the name host:latest is reserved");
    }
}
