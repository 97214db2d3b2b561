//! How containers end, and that everything in them ends with them.

use crate::support::{done, piped, place, within};
use fastbox_engine::run::Input;
use nix::libc::{SIGHUP, SIGKILL, SIGTERM, SIGUSR1};
use std::io::{BufRead, BufReader};
use std::time::{Duration, Instant};

const SOON: Duration = Duration::from_secs(10);

#[test]
fn exit_codes_and_signals() {
    let Some(on) = place() else { return };
    for code in [0, 1, 7, 124, 255] {
        let done = on.run(&[], &["sh", "-c", &format!("exit {code}")]);
        assert_eq!((done.code, done.all.exit.signal), (code, None));
    }
    // A first process is killed by a signal only from outside, so the shell reports its child's.
    let done = on.run(&[], &["sh", "-c", "sh -c 'kill -SEGV $$'; exit $?"]);
    assert_eq!((done.code, done.all.exit.signal), (139, None));
    let (_kept, mut container) = on.start(
        &[],
        "trap 'exit 9' TERM; echo ready; while :; do sleep 0.05; done",
    );
    let mut out = BufReader::new(std::fs::File::from(container.take_stdout().unwrap()));
    out.read_line(&mut String::new()).unwrap();
    container.kill(SIGTERM).unwrap();
    let exit = container.wait(Some(SOON), &mut || false).unwrap().unwrap();
    assert_eq!((exit.code, exit.signal), (9, None));
    assert_eq!(
        container.wait(None, &mut || false).unwrap(),
        Some(exit),
        "given again"
    );
    container.kill(SIGTERM).unwrap();
}

#[test]
fn the_first_process_is_immune() {
    let Some(on) = place() else { return };
    let (_kept, mut container) = on.start(&[], "echo ready; read x; exit 3");
    let mut out = BufReader::new(std::fs::File::from(container.take_stdout().unwrap()));
    out.read_line(&mut String::new()).unwrap();
    for signal in [SIGTERM, SIGHUP, SIGUSR1] {
        container.kill(signal).unwrap();
    }
    assert_eq!(
        container
            .wait(Some(Duration::from_millis(200)), &mut || false)
            .unwrap(),
        None
    );
    drop(container.take_stdin());
    assert_eq!(
        container
            .wait(Some(SOON), &mut || false)
            .unwrap()
            .unwrap()
            .code,
        3
    );
    // Inside nobody can kill it either.
    assert_eq!(
        on.sh(&[], "sh -c 'kill -9 1; kill -9 -1; true'; echo alive"),
        "alive"
    );
    let (_kept, container) = on.start(&[], "read x");
    assert!(container.kill(9999).is_err());
    container.kill(SIGKILL).unwrap();
    let exit = container.wait(Some(SOON), &mut || false).unwrap().unwrap();
    assert_eq!((exit.code, exit.signal), (137, Some(9)));
}

#[test]
fn descendants_end_with_it() {
    let Some(on) = place() else { return };
    let sleeping = |mark: &str| {
        let all = std::fs::read_dir("/proc")
            .unwrap()
            .filter_map(|entry| std::fs::read(entry.ok()?.path().join("cmdline")).ok());
        all.filter(|line| String::from_utf8_lossy(line).contains(mark))
            .count()
    };
    let mark = format!("{}.125", 7000 + std::process::id() % 999);
    let script = format!(
        "for n in 1 2 3; do setsid sleep {mark} & done; (sleep {mark} &); echo ready; read x"
    );
    let (_kept, mut container) = on.start(&[], &script);
    let mut out = BufReader::new(std::fs::File::from(container.take_stdout().unwrap()));
    out.read_line(&mut String::new()).unwrap();
    assert!(within(SOON, || sleeping(&mark) >= 4), "{}", sleeping(&mark));
    drop(container.take_stdin());
    // Who has been waited for has left nobody.
    assert_eq!(
        container
            .wait(Some(SOON), &mut || false)
            .unwrap()
            .unwrap()
            .code,
        1
    );
    assert_eq!(sleeping(&mark), 0);
    // A handle that is dropped takes all with it as well.
    let (_kept, container) = on.start(&[], &script);
    assert!(within(SOON, || sleeping(&mark) >= 4));
    drop(container);
    assert_eq!(sleeping(&mark), 0);
}

#[test]
fn orphans_that_hold_the_output_delay_nothing() {
    let Some(on) = place() else { return };
    let began = Instant::now();
    assert_eq!(on.sh(&[], "sleep 100 & echo out"), "out");
    assert!(began.elapsed() < SOON);
}

#[test]
fn timeouts() {
    let Some(on) = place() else { return };
    let began = Instant::now();
    let done = on.run(
        &["--timeout", "300ms"],
        &[
            "sh",
            "-c",
            "echo before; trap '' TERM; (sleep 100) & sleep 100",
        ],
    );
    assert!(
        done.all.timed_out
            && began.elapsed() < SOON
            && began.elapsed() >= Duration::from_millis(300),
        "{done:?}"
    );
    assert_eq!(
        (done.code, done.out.as_str()),
        (137, "before\n"),
        "{done:?}"
    );
    let done = on.run(&["--timeout", "20s"], &["true"]);
    assert!(!done.all.timed_out && done.code == 0);
}

#[test]
fn too_much_output() {
    let Some(on) = place() else { return };
    let done = on.run(&["--max-output", "1m"], &["cat", "/dev/zero"]);
    assert!(done.all.truncated && done.code == 137);
    assert_eq!(done.out.len(), 1 << 20);
    let script = "head -c 600000 /dev/zero; head -c 600000 /dev/zero >&2; sleep 100";
    let done = on.run(&["--max-output", "1m"], &["sh", "-c", script]);
    assert!(done.all.truncated);
    assert_eq!(done.out.len() + done.err.len(), 1 << 20);
    let done = on.run(
        &["--max-output", "1m"],
        &["head", "-c", "1048576", "/dev/zero"],
    );
    assert!(!done.all.truncated && done.code == 0 && done.out.len() == 1 << 20);
}

#[test]
fn interrupted_callers() {
    let Some(on) = place() else { return };
    let prepared = on.prepare(&["busybox", "sleep", "100"]).unwrap();
    let mut container = prepared.start(piped(Input::Null)).unwrap();
    // SIGPROF's default would end this process; SIGWINCH, ignored, interrupts nothing: so the answer is never asked.
    let done = container
        .communicate(None, Some(Duration::from_millis(200)), None, &mut || true)
        .unwrap();
    assert!(done.timed_out != done.interrupted);
}

#[test]
fn one_plan_many_containers_at_once() {
    let Some(on) = place() else { return };
    let prepared = on
        .prepare(&[
            "busybox",
            "sh",
            "-c",
            "cat; echo $HOSTNAME; exit $((0x$(head -c1 /etc/hostname) + 1))",
        ])
        .unwrap();
    std::thread::scope(|scope| {
        for thread in 0..8 {
            let prepared = &prepared;
            scope.spawn(move || {
                for round in 0..10 {
                    let input = format!("{thread} {round}\n");
                    let one = done(
                        prepared.start(piped(Input::Pipe)).unwrap(),
                        prepared,
                        Some(input.as_bytes()),
                    )
                    .unwrap();
                    assert_eq!(one.out, format!("{input}{}\n", &one.id[..12]));
                    assert_eq!(one.code, i32::from_str_radix(&one.id[..1], 16).unwrap() + 1);
                }
            });
        }
    });
}
