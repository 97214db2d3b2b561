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
