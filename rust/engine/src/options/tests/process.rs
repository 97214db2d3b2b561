//! Terminals, files of variables and labels, and what is kept for later.

use super::*;
use crate::options::{Attach, DetachKeys, Expose, Label, StopSignal};

#[test]
fn detach_keys() {
    let keys = |text| options(&["--detach-keys", text]).detach_keys.clone();
    let some = |bytes: &[u8]| Some(DetachKeys(bytes.to_vec()));
    assert_eq!(keys("ctrl-p,ctrl-q"), some(&[16, 17]));
    assert_eq!(keys(""), some(&[16, 17]));
    assert_eq!(
        keys("ctrl-@,ctrl-[,ctrl-_,a,DEL,~"),
        some(b"\0\x1b\x1fa\x7f~")
    );
    for wrong in ["ctrl-", "ctrl-X", "xx", "a,", "\u{e4}", "ctrl-ab", "del"] {
        assert!(
            error(&["--detach-keys", wrong]).contains("ctrl-"),
            "{wrong}"
        );
    }
}

#[test]
fn attach_names_streams() {
    let o = parse(&["-a", "STDOUT", "--attach=stdin", "img"])
        .unwrap()
        .options;
    let streams = [Attach::Stdin, Attach::Stdout, Attach::Stderr];
    assert_eq!(streams.map(|s| o.attached(s)), [true, true, false]);
    let all = parse(&["img"]).unwrap().options;
    assert_eq!(streams.map(|s| all.attached(s)), [true; 3]);
    assert!(error(&["-a", "foo"]).contains("valid streams are STDIN, STDOUT and STDERR"));
    assert!(error(&["-a", "stdin"]).contains("attach stdout or stderr too"));
}

#[test]
fn signals_are_on_until_they_are_off() {
    assert!(options(&[]).sig_proxy.0 && options(&["--sig-proxy"]).sig_proxy.0);
    assert!(!options(&["--sig-proxy=false"]).sig_proxy.0);
    for (text, number) in [
        ("SIGTERM", 15),
        ("term", 15),
        ("9", 9),
        ("64", 64),
        ("SIGRTMIN+3", 37),
        ("rtmin", 34),
        ("RTMAX-1", 63),
    ] {
        let given = options(&["--stop-signal", text]).stop_signal;
        assert_eq!(given, Some(StopSignal(number)), "{text}");
    }
    for wrong in [
        "0", "65", "-1", "foo", "", "RTMIN+31", "RTMIN-1", "RTMAX+1", "SIG",
    ] {
        assert!(
            error(&["--stop-signal", wrong]).contains("invalid signal"),
            "{wrong}"
        );
    }
}

#[test]
fn ports() {
    let ports = |text| -> Vec<String> {
        let given = options(&["--expose", text]).expose.clone();
        given.iter().flat_map(Expose::ports).collect()
    };
    assert_eq!(ports("80"), ["80/tcp"]);
    assert_eq!(ports("53/UDP"), ["53/udp"]);
    assert_eq!(
        ports("8000-8002/sctp"),
        ["8000/sctp", "8001/sctp", "8002/sctp"]
    );
    for wrong in [
        "", "x", "70000", "2-1", "1:2", "80/foo", "80/", "-1", "+1", "1-",
    ] {
        assert!(
            error(&["--expose", wrong]).contains("invalid port"),
            "{wrong}"
        );
    }
}

#[test]
fn labels_and_annotations() {
    let label = |name: &str, value: &str| Label {
        name: name.into(),
        value: value.into(),
    };
    let given = options(&["-l", "a=1", "--label", "b", "-l", "c=d=e"])
        .label
        .clone();
    assert_eq!(given, [label("a", "1"), label("b", ""), label("c", "d=e")]);
    assert!(error(&["-l", "=x"]).contains("the name is empty"));
    assert!(error(&["--annotation", "a"]).contains("NAME=VALUE"));
    assert!(error(&["--annotation", "io.fastbox.userns=host"]).contains("fastbox's own"));
}

#[test]
fn what_is_kept_is_looked_at() {
    for (line, word) in [
        (
            &["--no-healthcheck", "--health-cmd", "x"][..],
            "--health-cmd",
        ),
        (
            &["--no-healthcheck", "--health-retries", "1"],
            "--health-retries",
        ),
        (
            &["--no-healthcheck", "--health-timeout", "1s"],
            "--health-timeout",
        ),
        (&["--health-interval", "999us"], "at least 1ms"),
        (&["--health-retries", "-1"], "cannot be negative"),
        (&["--stop-timeout", "-2"], "-1 for no limit"),
        (&["--stop-timeout", "x"], "whole number"),
        (&["--health-cmd", ""], "must not be empty"),
        (&["--cidfile", ""], "must not be empty"),
    ] {
        assert!(error(line).contains(word), "{line:?}: {}", error(line));
    }
    options(&[
        "--health-interval",
        "0s",
        "--health-timeout",
        "1ms",
        "--stop-timeout=-1",
    ]);
}

#[test]
fn files_of_variables_and_labels() {
    let dir = std::env::temp_dir().join(format!("fastbox-lines-{}", std::process::id()));
    std::fs::create_dir_all(&dir).unwrap();
    let write = |name: &str, text: &[u8]| {
        std::fs::write(dir.join(name), text).unwrap();
        dir.join(name).to_str().unwrap().to_owned()
    };
    let lines =
        b"\xef\xbb\xbfA=1\n#c\n  B= x y \nHOME\nNOPE\n\n \t\nC=\"q\"\r\n  # d\nE=a=b\n\x0bF=";
    let file = write("env", lines);
    let lookup = |name: &str| (name == "HOME").then(|| "/mine".to_owned());
    let line = ["-e", "A=9", "--env-file", &file, "img"];
    let given = parse_run(&line, &lookup).unwrap().options;
    let env: Vec<String> = given
        .env
        .iter()
        .map(|var| format!("{}={}", var.name, var.value.as_deref().unwrap_or("?")))
        .collect();
    assert_eq!(
        env,
        [
            "A=1",
            "B= x y ",
            "HOME=/mine",
            "C=\"q\"",
            "E=a=b",
            "F=",
            "A=9"
        ]
    );

    let file = write("labels", b"a=1\nb\nc=2");
    let line = ["-l", "a=9", "--label-file", &file];
    let names: Vec<String> = options(&line)
        .label
        .iter()
        .map(|l| format!("{}={}", l.name, l.value))
        .collect();
    assert_eq!(
        names,
        ["a=1", "c=2", "a=9"],
        "a name alone says nothing, as in Docker"
    );

    for (text, number, word) in [
        (&b"A=1\n=x"[..], 2, "no name"),
        (b"\n\nA B=1", 3, "whitespace"),
        (b"NAME ", 1, "whitespace"),
        (b"A=\xff", 1, "UTF-8"),
        (b"A=1\nB=\0", 2, "zero byte"),
    ] {
        let file = write("bad", text);
        for flag in ["--env-file", "--label-file"] {
            let error = error(&[flag, &file]);
            assert!(
                error.starts_with(&format!("{flag} {file}: line {number}: ")),
                "{error}"
            );
            assert!(error.contains(word), "{error}");
        }
    }
    let missing = dir.join("none").to_str().unwrap().to_owned();
    let error = error(&["--env-file", &missing]);
    assert!(
        error.contains(&missing) && error.contains("No such file"),
        "{error}"
    );
    std::fs::remove_dir_all(&dir).unwrap();
}
