//! What goes in and out.

use crate::support::{IMAGE, done, piped, place};
use fastbox_engine::run::{Input, Output, Timing};
use std::fs::File;
use std::io::{Read, Write};

#[test]
fn megabytes_there_and_back() {
    let Some(on) = place() else { return };
    let mut input = vec![0u8; 8 << 20];
    File::open("/dev/urandom")
        .unwrap()
        .read_exact(&mut input)
        .unwrap();
    let prepared = on.prepare(&[IMAGE, "cat"]).unwrap();
    let out = done(
        prepared.start(piped(Input::Pipe)).unwrap(),
        &prepared,
        Some(&input),
    )
    .unwrap();
    assert!(
        out.all.stdout.as_deref() == Some(&input[..]),
        "not the bytes that went in"
    );
    // To both streams at once.
    let prepared = on.prepare(&[IMAGE, "sh", "-c", "tee /dev/stderr"]).unwrap();
    let out = done(
        prepared.start(piped(Input::Pipe)).unwrap(),
        &prepared,
        Some(&input),
    )
    .unwrap();
    assert!(
        out.all.stdout.as_deref() == Some(&input[..])
            && out.all.stderr.as_deref() == Some(&input[..])
    );
}

#[test]
fn a_program_need_not_read() {
    let Some(on) = place() else { return };
    let input = vec![b'x'; 4 << 20];
    for (script, code) in [
        ("exit 3", 3),
        ("head -c 10; exec 0</dev/null; sleep 0.2; exit 4", 4),
    ] {
        let prepared = on.prepare(&[IMAGE, "sh", "-c", script]).unwrap();
        let out = done(
            prepared.start(piped(Input::Pipe)).unwrap(),
            &prepared,
            Some(&input),
        )
        .unwrap();
        assert_eq!(out.code, code, "{script}");
    }
    // No input at all: the end at once, given or not.
    let prepared = on.prepare(&[IMAGE, "cat"]).unwrap();
    for stdin in [Input::Null, Input::Pipe] {
        let out = done(prepared.start(piped(stdin)).unwrap(), &prepared, None).unwrap();
        assert_eq!((out.code, out.out.as_str()), (0, ""));
    }
}

#[test]
fn files_and_one_stream_for_both() {
    let Some(on) = place() else { return };
    let dir = on.scratch();
    std::fs::write(dir.join("in"), "from a file\n").unwrap();
    let prepared = on
        .prepare(&[IMAGE, "sh", "-c", "cat; echo error >&2; echo end"])
        .unwrap();
    let mut request = piped(Input::Fd(File::open(dir.join("in")).unwrap().into()));
    request.stdout = Output::Fd(File::create(dir.join("out")).unwrap().into());
    request.stderr = Output::Stdout;
    let out = done(prepared.start(request).unwrap(), &prepared, None).unwrap();
    assert_eq!((out.all.stdout, out.all.stderr), (None, None));
    assert_eq!(
        std::fs::read_to_string(dir.join("out")).unwrap(),
        "from a file\nerror\nend\n"
    );
    let mut request = piped(Input::Null);
    request.stderr = Output::Stdout;
    let out = done(prepared.start(request).unwrap(), &prepared, None).unwrap();
    assert_eq!((out.out.as_str(), out.all.stderr), ("error\nend\n", None));
    let mut request = piped(Input::Null);
    (request.stdout, request.stderr) = (Output::Null, Output::Null);
    assert_eq!(
        done(prepared.start(request).unwrap(), &prepared, None)
            .unwrap()
            .code,
        0
    );
}

#[test]
fn arguments_of_a_start() {
    let Some(on) = place() else { return };
    let prepared = on.prepare(&[IMAGE]).unwrap();
    let error = prepared.start(piped(Input::Null)).err().unwrap();
    assert_eq!(
        (error.to_string().as_str(), error.exit_code()),
        ("no command specified", 125)
    );
    for word in ["one", "two words", "", "-n", "\u{1f980}"] {
        let mut request = piped(Input::Null);
        request.args = ["printf", "%s|", word, "$x"].map(str::to_owned).to_vec();
        let out = done(prepared.start(request).unwrap(), &prepared, None).unwrap();
        assert_eq!(out.out, format!("{word}|$x|"));
    }
    let mut request = piped(Input::Null);
    request.args = vec!["echo".into(), "a\0b".into()];
    assert!(
        prepared
            .start(request)
            .err()
            .unwrap()
            .to_string()
            .contains("NUL")
    );
    // Many and long ones, up to what the kernel takes.
    let mut request = piped(Input::Null);
    request.args = vec!["sh".into(), "-c".into(), "echo $#".into()];
    request.args.extend((0..10_000).map(|n| n.to_string()));
    assert_eq!(
        done(prepared.start(request).unwrap(), &prepared, None)
            .unwrap()
            .out,
        "9999\n"
    );
    let mut request = piped(Input::Null);
    request.args = vec!["echo".into(), "x".repeat(200_000)];
    let error = prepared.start(request).err().unwrap();
    assert!(
        error.to_string().contains("argument list too long") && error.exit_code() == 126,
        "{error}"
    );
}

#[test]
fn talking_to_it() {
    let Some(on) = place() else { return };
    let (_kept, mut container) =
        on.start(&[], "while read line; do echo got $line; done; echo bye");
    let mut stdin = File::from(container.take_stdin().unwrap());
    let mut stdout = File::from(container.take_stdout().unwrap());
    assert!(container.take_stdin().is_none() && container.take_stdout().is_none());
    let mut buffer = [0; 64];
    for word in ["a", "b"] {
        writeln!(stdin, "{word}").unwrap();
        let n = stdout.read(&mut buffer).unwrap();
        assert_eq!(&buffer[..n], format!("got {word}\n").as_bytes());
    }
    drop(stdin);
    let mut rest = String::new();
    stdout.read_to_string(&mut rest).unwrap();
    assert_eq!(rest, "bye\n");
    assert_eq!(
        container.wait(None, &mut || false).unwrap().unwrap().code,
        0
    );
}

#[test]
fn timings_tell_each_step() {
    let Some(on) = place() else { return };
    let prepared = on.prepare(&[IMAGE, "true"]).unwrap();
    let mut request = piped(Input::Null);
    request.timed = true;
    let out = done(prepared.start(request).unwrap(), &prepared, None).unwrap();
    let steps = out.all.exit.timings.unwrap();
    for wanted in ["enter root", "mount", "seccomp", "exec", "program", "reap"] {
        assert!(
            steps
                .iter()
                .any(|step| step.label.starts_with(wanted) && step.took_us >= 0.0),
            "{wanted}: {steps:?}"
        );
    }
    let begins = |step: &Timing| step.begin_us;
    assert_eq!(steps.iter().map(begins).reduce(f64::min), Some(0.0));
    // All but the network namespace, which another thread makes, is one after the other.
    let alone = steps
        .iter()
        .filter(|step| step.label != "network namespace");
    let ends: Vec<f64> = alone
        .clone()
        .map(|step| step.begin_us + step.took_us)
        .collect();
    for (step, end) in alone.skip(1).zip(ends) {
        assert!(
            step.begin_us >= end - 0.01,
            "{step:?} before {end}: {steps:#?}"
        );
    }
    assert!(on.run(&[], &["true"]).all.exit.timings.is_none());
}
