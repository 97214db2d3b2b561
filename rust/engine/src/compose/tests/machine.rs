//! What is looked at on the machine itself.

use std::collections::BTreeMap;

use super::*;

#[test]
fn missing_sources_are_made() {
    let base = std::env::temp_dir().join(format!("fastbox-sources-{}", std::process::id()));
    std::fs::create_dir_all(base.join("there")).unwrap();
    std::fs::write(base.join("file"), "").unwrap();
    let options = |source: &str| {
        parse_run(&["-v", &format!("{source}:/d"), "img"], &|_| None)
            .unwrap()
            .options
    };
    assert_eq!(
        sources::make_missing(&options("./there"), &base).unwrap(),
        [] as [PathBuf; 0]
    );
    assert_eq!(
        sources::make_missing(&options("./a/b"), &base).unwrap(),
        [base.join("a/b")]
    );
    assert!(base.join("a/b").is_dir());
    let error = sources::make_missing(&options("./file/x"), &base)
        .unwrap_err()
        .to_string();
    assert!(
        error.starts_with("bind source ") && error.contains("file/x"),
        "{error}"
    );
    std::fs::remove_dir_all(&base).unwrap();
}

#[test]
fn the_host_image() {
    let base = std::env::temp_dir().join(format!("fastbox-host-{}", std::process::id()));
    for directory in ["usr/bin", "etc", "sbin", "home/me"] {
        std::fs::create_dir_all(base.join(directory)).unwrap();
    }
    std::os::unix::fs::symlink("usr/bin", base.join("bin")).unwrap();
    std::fs::write(base.join("etc/hosts"), "").unwrap();
    std::os::unix::fs::symlink("../run/resolve/stub.conf", base.join("etc/resolv.conf")).unwrap();
    let image = host::image(&base).unwrap();
    let shown: BTreeMap<&Path, &Path> = image
        .mounts
        .iter()
        .map(|mount| {
            (
                mount.destination().as_path(),
                mount.source().as_deref().unwrap(),
            )
        })
        .collect();
    assert_eq!(
        shown
            .keys()
            .map(|path| path.to_str().unwrap())
            .collect::<Vec<_>>(),
        ["/etc", "/sbin", "/usr"]
    );
    assert_eq!(shown[Path::new("/usr")], base.join("usr"));
    assert!(image.mounts.iter().all(|mount| {
        mount
            .options()
            .as_ref()
            .unwrap()
            .contains(&"rro".to_owned())
    }));
    assert!(image.skeleton.contains(&host::Entry::Symlink {
        path: "/bin".into(),
        target: "usr/bin".into()
    }));
    assert!(image.skeleton.contains(&host::Entry::File {
        path: "/run/resolve/stub.conf".into()
    }));
    assert_eq!(
        image.etc_files,
        ["hosts", "resolv.conf"],
        "the host has no /etc/hostname"
    );
    let mut seen: Vec<&Path> = Vec::new();
    for entry in &image.skeleton {
        let parent = entry.path().parent().unwrap();
        assert!(
            parent == Path::new("/") || seen.contains(&parent),
            "{entry:?} before its parent"
        );
        assert!(!seen.contains(&entry.path()), "{entry:?} twice");
        seen.push(entry.path());
    }
    for mount in &image.mounts {
        assert!(
            seen.contains(&mount.destination().as_path()),
            "no mount point for {mount:?}"
        );
    }
    std::fs::remove_dir_all(&base).unwrap();
    assert!(
        host::image(&base)
            .unwrap_err()
            .to_string()
            .contains("host image")
    );
    // The machine's own.
    host::image(Path::new("/")).unwrap();
}

#[test]
fn the_host_is_asked() {
    let host = Host::probe(
        "/".into(),
        false,
        &parse_run(&["img"], &|_| None).unwrap().options,
    )
    .unwrap();
    assert!(
        host.cpus >= 1 && host.processors >= 1 && host.open_files > 0 && host.kernel >= (5, 15)
    );
    assert!(!host.hostname.is_empty());
}
