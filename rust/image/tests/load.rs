//! Archives of images in every layout, honest ones.

mod common;

use common::images::{Files, blob, config, descriptor, for_platform, named, packed};
use common::{Scratch, Tar, list};
use fastbox_image::{Digest, ImageError, Loaded, Reference};
use serde_json::json;

fn layers() -> Vec<Vec<u8>> {
    vec![
        Tar::new()
            .dir("etc")
            .file("etc/text", b"low")
            .file("low", b"1")
            .end(),
        Tar::new().file("etc/text", b"top").end(),
    ]
}

/// Checks that it is the image of `layers()`, named so.
fn is_the_image(loaded: &Loaded, names: &[&str]) {
    assert_eq!(loaded.image.id, Digest::of(&config(&layers())));
    let found: Vec<String> = loaded.names.iter().map(Reference::short).collect();
    assert_eq!(found, names);
    let text = loaded.image.read_file("etc/text", 9).unwrap();
    assert_eq!(text.as_deref(), Some(&b"top"[..]));
    assert_eq!(
        loaded.image.config.created().as_deref(),
        Some("2024-01-02T03:04:05Z")
    );
}

fn one(loaded: Result<Vec<Loaded>, ImageError>, names: &[&str]) {
    let loaded = loaded.unwrap();
    assert_eq!(loaded.len(), 1);
    is_the_image(&loaded[0], names);
}

fn plain(layer: &[u8]) -> Vec<u8> {
    layer.to_vec()
}

#[test]
fn docker_archives_from_files_and_pipes() {
    let files = Files::default().docker(&["one:1", "example.com/two:2"], &layers());
    let names = ["one:1", "example.com/two:2"];
    let mut reversed = files.clone();
    reversed.0.reverse();
    for archive in [files.tar(), reversed.tar(), packed("gzip", &files.tar())] {
        let scratch = Scratch::new("docker");
        one(scratch.load(&archive), &names);
        one(scratch.load(&archive), &names);
        let list = scratch.store.list().unwrap();
        assert_eq!(list.len(), 1);
        assert_eq!(list[0].size, 7);
        assert_eq!(list[0].created, "2024-01-02T03:04:05Z");
        for name in names {
            scratch.store.remove(name, false).unwrap();
        }
        scratch.check_empty();
        one(scratch.load_stream(&archive), &names);
    }
}

#[test]
fn layers_may_be_links_to_others() {
    let layers = layers();
    let config = config(&layers);
    let tar = Tar::new()
        .dir("b")
        .symlink("b/layer.tar", "../a/./layer.tar")
        .hard_link("c/layer.tar", "b/layer.tar")
        .dir("a/")
        .file("./a/layer.tar", &layers[0])
        .file("d/layer.tar", &layers[1])
        .file("config", &config)
        .file(
            "manifest.json",
            br#"[{"Config":"config","RepoTags":null,"Layers":["c/layer.tar","d/layer.tar"]}]"#,
        );
    let scratch = Scratch::new("links");
    one(scratch.load(tar.end()), &[]);
    assert_eq!(scratch.store.list().unwrap()[0].names, []);
}

#[test]
fn layouts_as_tar_folder_and_with_docker_names() {
    for (program, folder) in [
        ("", true),
        ("", false),
        ("gzip", false),
        ("zstd", true),
        ("xz", false),
        ("bzip2", true),
    ] {
        if std::env::var_os("FASTBOX_VM").is_some() && !["", "gzip"].contains(&program) {
            continue;
        }
        let pack = |layer: &[u8]| match program {
            "" => layer.to_vec(),
            program => packed(program, layer),
        };
        let (files, manifest) = Files::default().image(&layers(), pack);
        let config = blob(&config(&layers()));
        let files = files
            .layout(&[
                named(manifest.clone(), "docker.io/library/oci:1"),
                named(manifest.clone(), "latest"),
            ])
            .manifest(json!([{"Config": config, "RepoTags": ["oci:1", "other"], "Layers": []}]));
        let scratch = Scratch::new("layout");
        let loaded = match folder {
            true => scratch.load_folder(&files),
            false => scratch.load(files.tar()),
        };
        let names = ["oci:1", "other:latest"];
        let loaded = loaded.unwrap();
        is_the_image(&loaded[0], &names);
        let found = loaded[0].image.manifest.to_string();
        assert_eq!(manifest["digest"], found, "{program}");
        // All of it is kept as it was given.
        for (name, contents) in &files.0 {
            if let Some(name) = name.strip_prefix("blobs/") {
                let stored = std::fs::read(scratch.store.root().join("blobs").join(name));
                assert_eq!(stored.unwrap(), *contents, "{program} {name}");
            }
        }
    }
}

#[test]
fn compressed_layers_of_docker_archives_become_what_oci_has_a_type_for() {
    // The virtual machine has neither program.
    if std::env::var_os("FASTBOX_VM").is_some() {
        return;
    }
    let scratch = Scratch::new("recompressed");
    let layers = layers();
    let files = Files::default()
        .put("0", packed("xz", &layers[0]))
        .put("1", packed("bzip2", &layers[1]))
        .put("c", config(&layers))
        .manifest(json!([{"Config": "c", "RepoTags": ["x"], "Layers": ["0", "1"]}]));
    one(scratch.load(files.tar()), &["x:latest"]);
    let manifest = scratch.store.resolve("x").unwrap().manifest;
    let path = scratch
        .store
        .root()
        .join("blobs/sha256")
        .join(manifest.hex());
    let manifest: serde_json::Value =
        serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    for layer in manifest["layers"].as_array().unwrap() {
        assert_eq!(
            layer["mediaType"],
            "application/vnd.oci.image.layer.v1.tar+zstd"
        );
        let digest = layer["digest"].as_str().unwrap().replace("sha256:", "");
        let path = scratch.store.root().join("blobs/sha256").join(&digest);
        assert_eq!(Digest::of(&std::fs::read(path).unwrap()).hex(), digest);
    }
}

#[test]
fn of_an_index_this_machines_image_is_loaded() {
    let architecture = match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    };
    let other = vec![Tar::new().file("other", b"").end()];
    let (files, wrong) = Files::default().image(&other, plain);
    let (files, right) = files.image(&layers(), plain);
    let wrong = for_platform(wrong, "linux", "m68k");
    let right = for_platform(right, "linux", architecture);
    let mut attestation = for_platform(wrong.clone(), "unknown", "unknown");
    attestation["annotations"] = json!({"vnd.docker.reference.type": "attestation-manifest"});
    let entries = [attestation.clone(), wrong.clone(), right.clone()];
    let (files, inner) = files.nested(&entries);
    let (files, outer) = files.nested(&[inner, attestation.clone()]);
    for index in [
        vec![named(outer.clone(), "example.com/deep")],
        entries.to_vec(),
        vec![right.clone(), attestation],
    ] {
        let scratch = Scratch::new("platform");
        let loaded = scratch.load(files.clone().layout(&index).tar()).unwrap();
        assert_eq!(loaded.len(), 1);
        let names: &[&str] = if index.len() == 1 {
            &["example.com/deep:latest"]
        } else {
            &[]
        };
        is_the_image(&loaded[0], names);
    }
    let scratch = Scratch::new("no-platform");
    let (files, index) = files.nested(std::slice::from_ref(&wrong));
    let error = scratch
        .load(files.clone().layout(&[index]).tar())
        .unwrap_err();
    let expected = format!("has no image for linux/{architecture}, only for linux/m68k");
    assert!(error.to_string().contains(&expected), "{error}");
    scratch.check_empty();
    // Asked for alone, it is what is meant.
    let loaded = scratch
        .load(files.layout(&[named(wrong, "foreign:1")]).tar())
        .unwrap();
    assert_eq!(loaded[0].names[0].short(), "foreign:1");
}

#[test]
fn several_images_share_their_blobs() {
    let base = layers()[0].clone();
    let other = vec![base.clone(), Tar::new().file("x", b"y").end()];
    let (files, first) = Files::default().image(&layers(), plain);
    let (files, second) = files.image(&other, plain);
    let (files, third) = files.image(&[base], plain);
    let index = [
        named(first, "one:1"),
        named(second.clone(), "two:2"),
        named(second, "two:3"),
        third,
    ];
    let scratch = Scratch::new("several");
    let loaded = scratch.load(files.layout(&index).tar()).unwrap();
    assert_eq!(loaded.len(), 3);
    is_the_image(&loaded[0], &["one:1"]);
    let names: Vec<String> = loaded[1].names.iter().map(Reference::short).collect();
    assert_eq!(names, ["two:2", "two:3"]);
    assert!(loaded[2].names.is_empty());
    assert_eq!(list(&scratch.store.root().join("layers")).len(), 3);
    assert_eq!(list(&scratch.store.root().join("trees")).len(), 2);
}

#[test]
fn the_same_image_as_another_archive_is_the_same_image() {
    let scratch = Scratch::new("both-ways");
    let (files, manifest) = Files::default().image(&layers(), |layer| packed("gzip", layer));
    let oci = files.layout(&[named(manifest, "oci:1")]).tar();
    let docker = Files::default().docker(&["docker:1"], &layers()).tar();
    for archives in [[&oci, &docker], [&docker, &oci]] {
        for archive in archives {
            scratch.load(archive).unwrap();
        }
        let images = scratch.store.list().unwrap();
        assert_eq!(images.len(), 1);
        assert_eq!(images[0].names.len(), 2);
        scratch.store.remove(&images[0].id.hex(), true).unwrap();
        scratch.check_empty();
    }
    // An image loaded as a name that another had.
    scratch.load(&docker).unwrap();
    let other = Files::default().docker(&["docker:1"], &layers()[..1]).tar();
    let loaded = scratch.load(other).unwrap();
    assert_eq!(loaded[0].replaced, [Digest::of(&config(&layers()))]);
}

#[test]
fn the_oldest_layout() {
    let layers = layers();
    let ids = ["a".repeat(64), "b".repeat(64)];
    let lower = json!({"id": ids[0], "created": "2020-01-01T00:00:00Z", "os": "linux",
        "container_config": {"Cmd": ["/bin/sh", "-c", "echo"]}});
    let upper = json!({"id": ids[1], "parent": ids[0], "created": "2021-01-01T00:00:00Z",
        "os": "linux", "architecture": "amd64", "docker_version": "1.9.1",
        "config": {"Cmd": ["a < b"]}, "Size": 7});
    let files = Files::default()
        .put(
            "repositories",
            json!({"old/one": {"1": ids[1], "2": ids[1]}}).to_string(),
        )
        .put(format!("{}/json", ids[1]), upper.to_string())
        .put(format!("{}/layer.tar", ids[1]), &layers[1])
        .put(format!("{}/VERSION", ids[0]), "1.0")
        .put(format!("{}/json", ids[0]), lower.to_string())
        .put(format!("{}/layer.tar", ids[0]), &layers[0]);
    let scratch = Scratch::new("legacy");
    let loaded = scratch.load(files.tar()).unwrap();
    let names: Vec<String> = loaded[0].names.iter().map(Reference::short).collect();
    assert_eq!(names, ["old/one:1", "old/one:2"]);
    let text = loaded[0].image.read_file("etc/text", 9).unwrap();
    assert_eq!(text.as_deref(), Some(&b"top"[..]));
    let path = scratch
        .store
        .root()
        .join("blobs/sha256")
        .join(loaded[0].image.id.hex());
    let diff_ids: Vec<String> = layers
        .iter()
        .map(|l| format!("\"{}\"", Digest::of(l)))
        .collect();
    let expected = format!(
        r#"{{"architecture":"amd64","config":{{"Cmd":["a \u003c b"]}},"created":"2021-01-01T00:00:00Z","docker_version":"1.9.1","history":[{{"created":"2020-01-01T00:00:00Z","created_by":"/bin/sh -c echo"}},{{"created":"2021-01-01T00:00:00Z"}}],"os":"linux","rootfs":{{"type":"layers","diff_ids":[{}]}}}}"#,
        diff_ids.join(",")
    );
    assert_eq!(std::fs::read_to_string(path).unwrap(), expected);
}

#[test]
fn a_descriptor_without_an_image_is_said() {
    let scratch = Scratch::new("artifact");
    let text = r#"{"schemaVersion":2}"#;
    let files = Files::default().blob(text);
    let index = [descriptor("application/x", text.as_bytes())];
    let error = scratch.load(files.layout(&index).tar()).unwrap_err();
    assert!(
        error.to_string().contains("neither an index nor"),
        "{error}"
    );
}

#[test]
fn a_layer_that_is_there_twice_counts_twice() {
    let scratch = Scratch::new("load-twice");
    let layers = layers();
    let twice = [layers.clone(), layers.clone()].concat();
    scratch
        .load(Files::default().docker(&["x"], &twice).tar())
        .unwrap();
    let list = scratch.store.list().unwrap();
    assert_eq!(list[0].layer_sizes.len(), twice.len());
    assert_eq!(
        list[0].layer_sizes[..layers.len()],
        list[0].layer_sizes[layers.len()..]
    );
    assert_eq!(list[0].layer_sizes.iter().sum::<u64>(), list[0].size);
}
