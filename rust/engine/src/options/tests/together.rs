//! Options looked at together.

use super::*;

#[test]
fn contradictions() {
    for (line, text) in [
        (
            &["-v", "/a:/x", "-v", "/b:/x/"][..],
            "duplicate mount point: /x",
        ),
        (
            &["-v", "/a:/x", "--tmpfs", "/x"],
            "duplicate mount point: /x",
        ),
        (
            &["--tmpfs", "/x", "--tmpfs", "/x:ro"],
            "duplicate mount point: /x",
        ),
        (
            &["--network", "host", "--userns", "auto"],
            "conflicting options: --network host and --userns auto",
        ),
        (
            &["--network", "host", "--strict"],
            "conflicting options: --network host and --strict",
        ),
        (
            &["--preset", "untrusted", "--network", "host"],
            "conflicting options: --preset untrusted and --network host",
        ),
        (
            &["--preset", "untrusted", "--userns", "host"],
            "conflicting options: --preset untrusted and --userns host",
        ),
        (
            &["--preset", "untrusted", "--cap-add", "NET_RAW"],
            "conflicting options: --preset untrusted and --cap-add",
        ),
        (
            &[
                "--preset",
                "untrusted",
                "--security-opt",
                "no-new-privileges:false",
            ],
            "conflicting options: --preset untrusted and --security-opt no-new-privileges=false",
        ),
        (
            &[
                "--preset",
                "untrusted",
                "--security-opt",
                "seccomp=unconfined",
            ],
            "conflicting options: --preset untrusted and --security-opt seccomp",
        ),
        (
            &["--preset", "untrusted", "--pids-limit", "-1"],
            "conflicting options: --preset untrusted and --pids-limit",
        ),
        (
            &["--preset", "untrusted", "-m", "0"],
            "conflicting options: --preset untrusted and --memory 0",
        ),
        (
            &["--preset", "untrusted", "--max-output", "0"],
            "conflicting options: --preset untrusted and --max-output 0",
        ),
        (
            &["--preset", "untrusted", "--storage-opt", "size=0"],
            "conflicting options: --preset untrusted and --storage-opt size=0",
        ),
    ] {
        assert!(error(line).starts_with(text), "{line:?}: {}", error(line));
    }
    options(&["--network", "host", "--userns", "host", "--strict"]);
    options(&["-m", "0"]);
}

#[test]
fn untrusted_fills_in_limits() {
    let o = options(&["--preset", "untrusted"]);
    assert!(o.untrusted() && o.no_new_privileges());
    assert_eq!(o.network(), Network::None);
    assert_eq!(
        (o.memory, o.pids_limit),
        (Some(UNTRUSTED.memory), Some(UNTRUSTED.pids))
    );
    assert_eq!(
        (o.max_output, o.storage_size()),
        (Some(UNTRUSTED.output), Some(UNTRUSTED.storage.0))
    );
    let o = options(&[
        "--preset",
        "untrusted",
        "-m",
        "64m",
        "--pids-limit",
        "9",
        "--cap-drop",
        "ALL",
    ]);
    assert_eq!(
        (o.memory, o.pids_limit),
        (Some(Size::mebibytes(64)), Some(9))
    );
    // What help says is what the constants hold.
    let help = row("preset").unwrap().help;
    assert!(
        help.contains("512m memory, 256 pids, 1g written, 16m output"),
        "{help}"
    );
    assert_eq!(UNTRUSTED.memory, Size(512 << 20));
    assert_eq!(
        (UNTRUSTED.storage, UNTRUSTED.output, UNTRUSTED.pids),
        (Size(1 << 30), Size(16 << 20), 256)
    );
}

#[test]
fn security_options() {
    let o = options(&["--security-opt", "no-new-privileges"]);
    assert!(o.no_new_privileges());
    assert_eq!(o.seccomp(), &SeccompChoice::Builtin);
    let o = options(&[
        "--security-opt",
        "no-new-privileges:true",
        "--security-opt",
        "no-new-privileges=false",
    ]);
    assert!(!o.no_new_privileges());
    let o = options(&[
        "--security-opt",
        "seccomp=unconfined",
        "--security-opt",
        "seccomp=p.json",
    ]);
    assert_eq!(o.seccomp(), &SeccompChoice::File("p.json".into()));
    assert_eq!(
        options(&["--storage-opt", "size=10g"]).storage_size(),
        Some(10 << 30)
    );
    assert_eq!(options(&["--storage-opt", "size=0"]).storage_size(), None);
}
