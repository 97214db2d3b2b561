//! The program's arguments. What it does is tested with its callers, in fastbox-engine.
use std::process::Command;

#[test]
fn wrong_arguments_are_told_and_nothing_is_started() {
    let whole = [
        "watch",
        "--owner",
        "/x/0123456789abcdef",
        "--root",
        "/x",
        "--run",
        "/x",
    ];
    let mut cases: Vec<Vec<&str>> = (0..whole.len()).map(|n| whole[..n].to_vec()).collect();
    cases.push([&whole[..], &["--more", "x"]].concat());
    cases.push([&["look"], &whole[1..]].concat());
    for args in cases {
        let done = Command::new(env!("CARGO_BIN_EXE_fastbox-monitor"))
            .args(&args)
            .output()
            .unwrap();
        assert_eq!(done.status.code(), Some(2), "{args:?}");
        assert_eq!(
            String::from_utf8(done.stderr).unwrap(),
            "fastbox-monitor: usage: fastbox-monitor watch --owner DIR --root DIR --run DIR\n"
        );
    }
}
