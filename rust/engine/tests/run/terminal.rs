//! Containers with a terminal: whose it is, what passes through it, how it ends.

use crate::support::{Place, done, piped, place};
use fastbox_engine::run::pool::Pool;
use fastbox_engine::run::{Container, Input, Prepared};
use std::fs::File;
use std::io::{Read, Write};
use std::sync::Arc;
use std::time::Duration;

/// Every way in which a container's mounts are made for root.
const WAYS: [&[&str]; 3] = [&[], &["--userns", "host"], &["--cap-add", "SYS_ADMIN"]];

/// What a script shows on its terminal, with the lines as programs write them.
fn shown(place: &Place, options: &[&str], script: &str, typed: &str) -> (i32, String) {
    let line = [&["-t"], options, &["busybox", "sh", "-c", script]].concat();
    let prepared = place.prepare(&line).unwrap();
    let container = prepared.start(piped(Input::Null)).unwrap();
    let done = done(container, &prepared, Some(typed.as_bytes())).unwrap();
    assert_eq!(done.err, "", "one stream");
    (done.code, done.out.replace("\r\n", "\n"))
}

/// A script that goes on, and our side of its terminal.
fn start(place: &Place, script: &str) -> (Arc<Prepared>, Container, File) {
    let prepared = place
        .prepare(&["-t", "busybox", "sh", "-c", script])
        .unwrap();
    let mut container = prepared.start(piped(Input::Null)).unwrap();
    let terminal = container.take_terminal().unwrap();
    (prepared, container, terminal.into())
}

/// Reads until `word` was shown.
fn until(terminal: &mut File, word: &str) -> String {
    let (mut all, mut byte) = (Vec::new(), [0]);
    while !all.ends_with(word.as_bytes()) {
        assert_eq!(terminal.read(&mut byte).unwrap(), 1);
        all.push(byte[0]);
    }
    String::from_utf8(all).unwrap()
}

fn end(container: &Container) -> i32 {
    container.wait(None, &mut || false).unwrap().unwrap().code
}

#[test]
fn it_is_one_of_the_containers_own() {
    let Some(place) = place() else { return };
    let script = "tty; ls -1 /dev/pts; for fd in 0 1 2; do readlink /proc/self/fd/$fd; done
        stat -c '%t:%T %u %a' /dev/pts/0 /dev/console; cut -d' ' -f6,7,8 /proc/$$/stat
        echo said >/dev/console; echo more >/dev/tty";
    for way in WAYS {
        let (code, out) = shown(place, way, script, "");
        let expected = [
            "/dev/pts/0",
            "0",
            "ptmx",
            "/dev/pts/0",
            "/dev/pts/0",
            "/dev/pts/0",
            "88:0 0 620",
            "88:0 0 620",
            // Session, device 136:0, process group in the foreground.
            "1 34816 1",
            "said",
            "more\n",
        ];
        assert_eq!((code, out), (0, expected.join("\n")), "{way:?}");
    }
}

#[test]
fn it_belongs_to_the_user() {
    let Some(place) = place() else { return };
    for way in WAYS {
        let options = [way, &["-u", "user"]].concat();
        let (code, out) = shown(
            place,
            &options,
            "stat -c %u /dev/pts/0; echo x >/dev/console",
            "",
        );
        assert_eq!((code, out.as_str()), (0, "1000\nx\n"), "{way:?}");
    }
}

#[test]
fn without_it_there_is_none() {
    let Some(place) = place() else { return };
    let out = place.sh(&[], "ls /dev/pts /dev/console 2>&1; tty; echo $TERM");
    assert!(out.contains("/dev/console: No such file"), "{out}");
    assert!(out.ends_with("ptmx\nnot a tty"), "{out}");
    // The caller's is not there either, whatever the program asks.
    assert_eq!(place.run(&[], &["sh", "-c", ": >/dev/tty"]).code, 1);
}

#[test]
fn shells_have_job_control() {
    let Some(place) = place() else { return };
    let typed = "sleep 77 &\njobs\nkill %1\nexit 3\n";
    let (code, out) = shown(place, &[], "exec sh -i", typed);
    assert_eq!(code, 3, "{out}");
    assert!(!out.contains("job control turned off"), "{out}");
    assert!(out.contains("Running"), "{out}");
}

#[test]
fn keys_are_signals() {
    let Some(place) = place() else { return };
    let script = "trap 'echo int' INT; trap 'echo quit' QUIT; trap 'exit 4' TSTP; echo ready; while :; do sleep 0.05; done";
    let (_prepared, container, mut terminal) = start(place, script);
    until(&mut terminal, "ready\r\n");
    for (key, word) in [(b"\x03", "int\r\n"), (b"\x1c", "quit\r\n")] {
        terminal.write_all(key).unwrap();
        until(&mut terminal, word);
    }
    terminal.write_all(b"\x1a").unwrap();
    assert_eq!(end(&container), 4);
}

#[test]
fn a_new_size_is_told() {
    let Some(place) = place() else { return };
    let script = "trap 'stty size; exit' WINCH; echo ready; while :; do sleep 0.05; done";
    let (_prepared, container, mut terminal) = start(place, script);
    until(&mut terminal, "ready\r\n");
    fastbox_sys::terminal::resize(&terminal, 33, 101).unwrap();
    assert_eq!(until(&mut terminal, "101\r\n"), "33 101\r\n");
    assert_eq!(end(&container), 0);
}

#[test]
fn dropping_our_side_hangs_it_up() {
    let Some(place) = place() else { return };
    let script = "trap 'exit 7' HUP; echo ready; while :; do sleep 0.05; done";
    let (_prepared, container, mut terminal) = start(place, script);
    until(&mut terminal, "ready\r\n");
    drop(terminal);
    assert_eq!(end(&container), 7);
}

#[test]
fn its_end_is_seen_when_all_is_read() {
    let Some(place) = place() else { return };
    let script = "i=0; while [ $i -lt 20000 ]; do echo $i; i=$((i+1)); done; exit 5";
    let (code, out) = shown(place, &[], script, "");
    let expected: String = (0..20_000).map(|i| format!("{i}\n")).collect();
    assert_eq!(code, 5);
    assert!(out == expected, "{} of {} bytes", out.len(), expected.len());
}

#[test]
fn both_directions_can_be_full() {
    let Some(place) = place() else { return };
    let size = 4 << 20;
    let script = format!("stty raw -echo; echo ready; head -c {size}");
    let line = ["-t", "busybox", "sh", "-c", &script];
    let prepared = place.prepare(&line).unwrap();
    let mut container = prepared.start(piped(Input::Null)).unwrap();
    let typed: Vec<u8> = (0..size).map(|i: u32| (i % 251) as u8).collect();
    // What is typed before the terminal is raw would be lines, with keys in them.
    let mut terminal = File::from(container.take_terminal().unwrap());
    until(&mut terminal, "ready\n");
    let mut writer = terminal.try_clone().unwrap();
    let sent = typed.clone();
    let typing = std::thread::spawn(move || writer.write_all(&sent));
    let mut back = vec![0; typed.len()];
    // Everything waits for everything else before anything is read.
    std::thread::sleep(Duration::from_millis(200));
    terminal.read_exact(&mut back).unwrap();
    typing.join().unwrap().unwrap();
    assert!(back == typed);
    assert_eq!(end(&container), 0);
}

#[test]
fn reading_ends_with_the_container() {
    let Some(place) = place() else { return };
    let (_prepared, container, mut terminal) = start(place, "echo ready; sleep 77");
    until(&mut terminal, "ready\r\n");
    container.kill(9).unwrap();
    assert_eq!(end(&container), 137);
    let error = terminal.read(&mut [0]).unwrap_err();
    assert_eq!(error.raw_os_error(), Some(nix::libc::EIO));
}

#[test]
fn one_is_made_in_devpts_or_not_at_all() {
    let Some(place) = place() else { return };
    let error = place
        .refused(&["-t", "--tmpfs", "/dev/pts"], &["true"])
        .to_string();
    assert!(error.contains("process.terminal"), "{error}");
    assert!(error.contains("/dev/pts"), "{error}");
}

#[test]
fn a_pool_has_none() {
    let Some(place) = place() else { return };
    let prepared = place.prepare(&["-t", "busybox", "true"]).unwrap();
    let refused = Pool::new(prepared, 1, Duration::from_secs(1))
        .err()
        .unwrap();
    assert!(refused.to_string().contains("no terminal"), "{refused}");
}
