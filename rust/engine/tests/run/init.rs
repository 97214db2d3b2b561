//! `--init`: a first process that is none of the image's.

use crate::support::{piped, place, status, within};
use fastbox_engine::run::Input;
use std::time::Duration;

const INIT: &[&str] = &["--init"];
/// With ids of its own, with the caller's, without rights, with another's processes around.
const WAYS: &[&[&str]] = &[
    &["--init"],
    &["--init", "--userns", "host"],
    &["--init", "-u", "1000"],
    &[
        "--init",
        "--cap-drop",
        "ALL",
        "--security-opt",
        "no-new-privileges",
        "--read-only",
    ],
    &["--init", "--preset", "untrusted"],
    &["--init", "--cap-add", "SYS_ADMIN"],
];

#[test]
fn the_program_is_the_second_process() {
    let Some(on) = place() else { return };
    for way in WAYS {
        let script = "echo $$; tr '\\0' ' ' </proc/1/cmdline | cut -d' ' -f1; cat /proc/1/comm; readlink /proc/1/exe | cut -c1-7; \
                      cut -d' ' -f5 /proc/self/stat | head -n1 >/dev/null; ps -o pid,comm | head -n3 | tail -n2";
        let done = on.run(way, &["sh", "-c", script]);
        assert!(done.code == 0, "{way:?}: {done:?}");
        let lines: Vec<&str> = done.out.lines().map(str::trim).collect();
        assert_eq!(&lines[..3], &["2", "fastbox-init", "init"], "{way:?}");
        assert!(
            lines.contains(&"1 init") && lines.contains(&"2 sh"),
            "{lines:?}"
        );
    }
}

#[test]
fn it_ends_as_the_program_does() {
    let Some(on) = place() else { return };
    for way in WAYS {
        for (script, code) in [
            ("exit 0", 0),
            ("exit 7", 7),
            ("kill -TERM $$", 143),
            ("kill -KILL $$", 137),
        ] {
            assert_eq!(
                on.run(way, &["sh", "-c", script]).code,
                code,
                "{way:?} {script}"
            );
        }
        assert_eq!(on.refused(way, &["no-such-program"]).exit_code(), 127);
        assert_eq!(on.refused(way, &["/etc"]).exit_code(), 126);
    }
    // A program found along PATH, and its arguments.
    assert_eq!(on.run(INIT, &["echo", "a", "", "b c"]).out, "a  b c\n");
    assert_eq!(
        on.run(&["--init", "-e", "A=1"], &["sh", "-c", "echo $A; cat"])
            .out,
        "1\n"
    );
}

#[test]
fn orphans_are_waited_for() {
    let Some(on) = place() else { return };
    let script = "for i in 1 2 3 4 5; do (true & ) ; done; sleep 0.2; (sh -c 'sleep 0.1 & exit 0'); sleep 0.3; \
                  ps -o stat | grep -c Z; true";
    for way in WAYS {
        assert_eq!(on.run(way, &["sh", "-c", script]).out, "0\n", "{way:?}");
    }
}

#[test]
fn signals_are_handed_on() {
    let Some(on) = place() else { return };
    for (signal, code) in [(15, 15), (1, 1), (10, 10), (2, 2)] {
        let script = "for s in 15 1 10 2; do trap \"echo $s; exit $s\" $s; done; echo ready; while :; do sleep 0.05; done";
        let (prepared, mut container) = on.start(INIT, script);
        let mut out = container.take_stdout().unwrap();
        read_line(&mut out);
        container.kill(signal).unwrap();
        let exit = container
            .wait(Some(Duration::from_secs(10)), &mut || false)
            .unwrap()
            .unwrap();
        assert_eq!(exit.code, code);
        drop(prepared);
    }
    // One that the program does not handle ends it: without an init it would be immune.
    let (_prepared, mut container) = on.start(INIT, "echo ready; exec sleep 100");
    let mut out = container.take_stdout().unwrap();
    read_line(&mut out);
    container.kill(15).unwrap();
    let exit = container
        .wait(Some(Duration::from_secs(10)), &mut || false)
        .unwrap()
        .unwrap();
    assert_eq!((exit.code, exit.signal), (143, None));
}

fn read_line(from: &mut std::os::fd::OwnedFd) -> String {
    let (mut line, mut byte) = (Vec::new(), [0u8]);
    while nix::unistd::read(&*from, &mut byte) == Ok(1) && byte != *b"\n" {
        line.push(byte[0]);
    }
    String::from_utf8(line).unwrap()
}

#[test]
fn the_rest_ends_with_the_program() {
    let Some(on) = place() else { return };
    for way in [&["--init"][..], &["--init", "--pid", "host"]] {
        let (_prepared, mut container) = on.start(way, "sleep 1000 & echo $!; read x; exit 4");
        let mut out = container.take_stdout().unwrap();
        read_line(&mut out);
        let group = |pid: i32| {
            std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default()
        };
        let init = container.pid();
        assert!(within(Duration::from_secs(5), || !group(init).is_empty()));
        let program: i32 = group(init).trim().parse().unwrap();
        let sleeper: i32 = group(program).trim().parse().unwrap();
        assert!(within(Duration::from_secs(5), || status(sleeper, "Name")
            == "sleep"));
        drop(container.take_stdin());
        assert_eq!(
            container.wait(None, &mut || false).unwrap().unwrap().code,
            4
        );
        let gone = || !std::path::Path::new(&format!("/proc/{sleeper}")).exists();
        assert!(within(Duration::from_secs(5), gone), "{way:?}");
    }
    let prepared = on.prepare(&["--init", "busybox", "sleep", "1000"]).unwrap();
    let container = prepared.start(piped(Input::Null)).unwrap();
    container.kill(9).unwrap();
    assert_eq!(
        container.wait(None, &mut || false).unwrap().unwrap().code,
        137
    );
}
