//! `-v` and `--tmpfs`.

use super::*;

#[test]
fn binds() {
    let bind = |text: &str| options(&["-v", text]).volumes[0].clone();
    let plain = bind("/src:/dst");
    let want = ("/src", "/dst", false, Propagation::RPrivate);
    assert_eq!(
        (
            plain.source.as_str(),
            plain.destination.as_str(),
            plain.read_only,
            plain.propagation
        ),
        want
    );
    assert!(bind("/src:/dst:ro").read_only);
    assert!(!bind("/src:/dst:rw").read_only);
    let full = bind("./a:/b//c/../d/:ro,Z,rslave");
    assert_eq!(
        (full.source.as_str(), full.destination.as_str()),
        ("./a", "/b/d")
    );
    assert_eq!(
        (full.read_only, full.propagation),
        (true, Propagation::RSlave)
    );
    for source in [".", "..", "../x", "./x", "/"] {
        assert_eq!(bind(&format!("{source}:/d")).source, source);
    }
    for (text, reason) in [
        ("data:/d", "'data' is the name of a volume"),
        ("a/b:/d", "'a/b' is the name of a volume"),
        (".hidden:/d", "'.hidden' is the name of a volume"),
        (
            "/d",
            "'/d' has no source: anonymous volumes do not exist yet",
        ),
        ("d", "invalid volume specification"),
        ("", "invalid volume specification"),
        (":/d", "invalid volume specification"),
        ("/s:", "invalid volume specification"),
        ("/s:/d:", "invalid volume specification"),
        ("/s:/d:ro:x", "invalid volume specification"),
        (
            "/s:d",
            "invalid mount path: 'd' mount path must be absolute",
        ),
        ("/s:/", "destination can't be '/'"),
        ("/s:/a/..", "destination can't be '/'"),
        ("/s:/proc", "'/proc' is inside /proc"),
        ("/s:/x/../proc/sys", "'/proc/sys' is inside /proc"),
        ("/s:/d:rox", "invalid mode: rox"),
        ("/s:/d:ro,rw", "invalid mode: ro,rw"),
        ("/s:/d:ro,,z", "invalid mode: ro,,z"),
        ("/s:/d:z,Z", "invalid mode: z,Z"),
        ("/s:/d:nocopy", "invalid mode: nocopy"),
    ] {
        assert!(
            error(&["-v", text]).contains(reason),
            "{text}: {}",
            error(&["-v", text])
        );
    }
}

#[test]
fn tmpfs() {
    let options_of = |text: &str| options(&["--tmpfs", text]).tmpfs[0].options.join(",");
    assert_eq!(options(&["--tmpfs", "/run/"]).tmpfs[0].destination, "/run");
    for (text, want) in [
        ("/run", "noexec,nosuid,nodev"),
        ("/run:", "noexec,nosuid,nodev"),
        ("/run:exec,size=64m", "nosuid,nodev,exec,size=64m"),
        ("/run:size=1,size=50%", "noexec,nosuid,nodev,size=50%"),
        (
            "/run:rw,ro,mode=1777,uid=5",
            "noexec,nosuid,nodev,ro,mode=1777,uid=5",
        ),
    ] {
        assert_eq!(options_of(text), want, "{text}");
    }
    for bad in [
        "fast", "size=", "size=big", "mode=9", "uid=-1", "size", "bind", "noexec,",
    ] {
        let text = error(&["--tmpfs", &format!("/run:{bad}")]);
        assert!(text.contains("invalid tmpfs option"), "{bad}: {text}");
    }
    assert!(error(&["--tmpfs", "run"]).contains("must be absolute"));
    assert!(error(&["--tmpfs", "/"]).contains("destination can't be '/'"));
}

#[test]
fn mount_flags() {
    let mount = |text: &str| options(&["--mount", text]).mounts[0].clone();
    let MountFlag::Bind(bind) = mount("type=bind,source=/s,target=/d//e/") else {
        panic!("no bind");
    };
    assert_eq!(
        (bind.source.as_str(), bind.destination.as_str()),
        ("/s", "/d/e")
    );
    assert!(!bind.read_only && !bind.make && bind.below == Below::Alike);
    let MountFlag::Bind(bind) = mount(
        "TYPE=Bind,\"src=./a,\"\"b\"\"\",dst=/d,ro,bind-propagation=rslave,consistency=cached,bind-recursive=writable",
    ) else {
        panic!("no bind");
    };
    assert_eq!(bind.source, "./a,\"b\"");
    assert_eq!(
        (bind.read_only, bind.propagation, bind.below),
        (true, Propagation::RSlave, Below::Writable)
    );
    let MountFlag::Tmpfs(tmpfs) =
        mount("type=tmpfs,destination=/t,tmpfs-size=2k,tmpfs-mode=700,readonly")
    else {
        panic!("no tmpfs");
    };
    assert_eq!(
        tmpfs.options.join(","),
        "noexec,nosuid,nodev,size=2048,mode=700,ro"
    );
    assert_eq!(
        mount("type=image,src=busybox:1,dst=/i,image-subpath=a/b"),
        MountFlag::Image(ImageMount {
            image: "busybox:1".into(),
            destination: "/i".into(),
            subpath: "a/b".into(),
        })
    );
    let both = options(&[
        "--mount",
        "type=tmpfs,dst=/a",
        "--tmpfs",
        "/b",
        "-v",
        "/s:/c",
    ]);
    assert_eq!(both.all_tmpfs().count(), 2);
    assert_eq!(both.destinations().collect::<Vec<_>>(), ["/c", "/b", "/a"]);
    for (text, reason) in [
        ("", "invalid field ''"),
        ("type=bind", "target is required"),
        ("type=bind,target=/d", "source is required"),
        ("type=bind,source=/s,target", "invalid field 'target'"),
        (
            "type=bind,source=/s,target=d",
            "'d' mount path must be absolute",
        ),
        (
            "type=bind,source=s,target=/d",
            "'s' mount path must be absolute",
        ),
        ("type=bind,source=/s,target=/", "destination can't be '/'"),
        ("type=bind,source=/s,target=/proc/x", "inside /proc"),
        (
            "type=bind,source=/s,target=/d,frob=1",
            "unexpected key 'frob'",
        ),
        ("type=bind,source=/s,target=/d,frob", "invalid field 'frob'"),
        (
            "type=bind,source=/s,target=/d,ro=maybe",
            "invalid value for ro: 'maybe'",
        ),
        (
            "type=bind,source=/s,target=/d,bind-propagation=up",
            "invalid value for bind-propagation: 'up'",
        ),
        (
            "type=bind,source=/s,target=/d,bind-recursive=some",
            "invalid value for bind-recursive: 'some'",
        ),
        (
            "type=bind,source=/s,target=/d,bind-recursive=writable",
            "bind-recursive=writable requires readonly",
        ),
        (
            "type=bind,source=/s,target=/d,bind-recursive=readonly",
            "bind-recursive=readonly requires readonly",
        ),
        (
            "type=bind,source=/s,target=/d,ro,bind-recursive=readonly",
            "bind-recursive=readonly requires bind-propagation=rprivate",
        ),
        (
            "type=bind,source=/s,target=/d,tmpfs-size=1m",
            "tmpfs-size is only for type=tmpfs",
        ),
        (
            "type=tmpfs,target=/d,bind-recursive=enabled",
            "bind-recursive is only for type=bind",
        ),
        (
            "type=tmpfs,target=/d,bind-nonrecursive",
            "bind-nonrecursive is only for type=bind",
        ),
        (
            "type=tmpfs,target=/d,volume-nocopy=true",
            "volume-nocopy is only for type=volume",
        ),
        ("type=tmpfs,target=/d,source=/s", "a tmpfs has no source"),
        ("type=tmpfs,target=/d,tmpfs-size=big", "invalid size: 'big'"),
        (
            "type=tmpfs,target=/d,tmpfs-mode=999",
            "invalid tmpfs option 'mode=999'",
        ),
        (
            "type=image,target=/d,source=i,image-subpath=/x",
            "invalid value for image-subpath",
        ),
        (
            "type=volume,source=data,target=/d",
            "volumes do not exist yet",
        ),
        ("source=data,target=/d", "volumes do not exist yet"),
        ("type=npipe,source=a,target=/d", "no mount type 'npipe'"),
        ("type=bind,\"source=/s,target=/d", "a field with quotes"),
        ("type=bind,source=/s\",target=/d", "a field with quotes"),
        ("\"type=bind\"x,source=/s,target=/d", "a field with quotes"),
    ] {
        let text_of = error(&["--mount", text]);
        assert!(text_of.contains(reason), "{text}: {text_of}");
    }
}
