//! The grammar of single values.

use std::time::Duration;

use super::*;

#[test]
fn sizes() {
    for (text, bytes) in [
        ("0", 0),
        ("32", 32),
        ("32b", 32),
        ("32B", 32),
        ("32k", 32 << 10),
        ("32K", 32 << 10),
        ("32kb", 32 << 10),
        ("32Kib", 32 << 10),
        ("32KiB", 32 << 10),
        ("32m", 32 << 20),
        ("32MB", 32 << 20),
        ("32g", 32 << 30),
        ("32t", 32 << 40),
        ("32p", 32 << 50),
        ("32 mb", 32 << 20),
        ("32.5kB", 33280),
        (".5k", 512),
        ("1.k", 1024),
        ("0.3", 0),
        ("9223372036854775807", i64::MAX as u64),
    ] {
        assert_eq!(
            options(&["--max-output", text]).max_output,
            Some(Size(bytes)),
            "{text}"
        );
    }
    for (text, reason) in [
        ("", "invalid size: ''"),
        ("hello", "invalid size: 'hello'"),
        ("-32", "invalid size: '-32'"),
        (" 32 ", "invalid size: ' 32 '"),
        (".", "invalid size: '.'"),
        ("1.2.3", "invalid size: '1.2.3'"),
        ("1e3", "invalid size: '1e3'"),
        ("32mbs", "invalid suffix: 'mbs'"),
        ("32bb", "invalid suffix: 'bb'"),
        ("32e", "invalid suffix: 'e'"),
        ("32ki", "invalid suffix: 'ki'"),
        ("9223372036854775808", "the number is too large"),
        ("99999p", "the number is too large"),
    ] {
        assert!(
            error(&["--max-output", text]).ends_with(reason),
            "{text}: {}",
            error(&["--max-output", text])
        );
    }
}

#[test]
fn durations() {
    for (text, milliseconds) in [
        ("30", 30_000),
        ("0", 0),
        ("1.5", 1_500),
        ("500ms", 500),
        ("1m30s", 90_000),
        ("1h", 3_600_000),
        ("1.5h", 5_400_000),
        ("1s1ms", 1_001),
        ("2000us", 2),
        ("2000µs", 2),
        ("1000000ns", 1),
    ] {
        let want = Some(Duration::from_millis(milliseconds));
        assert_eq!(options(&["--timeout", text]).timeout, want, "{text}");
    }
    for text in ["", "-1", "1x", "s", "1m30", "1 s", "inf", "1e3", "..5s"] {
        assert!(
            error(&["--timeout", text]).contains("invalid duration"),
            "{text}"
        );
    }
    for text in ["9999999999999", "99999999h", "18446744073709551615s"] {
        assert!(
            error(&["--timeout", text]).ends_with("the number is too large"),
            "{text}"
        );
    }
}

#[test]
fn cpus_and_numbers() {
    for (text, billionths) in [
        ("1.5", 1_500_000_000),
        ("0.01", 10_000_000),
        (".5", 500_000_000),
        ("2", 2_000_000_000),
    ] {
        assert_eq!(
            options(&["--cpus", text]).cpus,
            Some(NanoCpus(billionths)),
            "{text}"
        );
    }
    assert_eq!(options(&["--pids-limit", "-1"]).pids_limit, Some(-1));
    let mut o = Options::default();
    o.set("cpus", Value::Float(0.1)).unwrap();
    assert_eq!(o.cpus, Some(NanoCpus(100_000_000)));
    for bad in [
        Value::Float(-1.0),
        Value::Float(f64::NAN),
        Value::Float(f64::INFINITY),
        Value::Int(-2),
    ] {
        assert!(o.set("cpus", bad.clone()).is_err(), "{bad}");
    }
}

#[test]
fn environment() {
    let o = options(&[
        "-e",
        "A=1",
        "-e",
        "B=x=y",
        "-e",
        "LANG",
        "-e",
        "NOWHERE",
        "-e",
        "EMPTY=",
        "--env=A=2",
    ]);
    let got: Vec<(&str, Option<&str>)> = o
        .env
        .iter()
        .map(|v| (v.name.as_str(), v.value.as_deref()))
        .collect();
    let want = [
        ("A", Some("1")),
        ("B", Some("x=y")),
        ("LANG", Some("de_DE.UTF-8")),
        ("NOWHERE", None),
        ("EMPTY", Some("")),
        ("A", Some("2")),
    ];
    assert_eq!(got, want);
}

#[test]
fn python_values() {
    let mut o = Options::default();
    let text = |s: &str| Value::Str(s.into());
    o.set("memory", Value::Int(8 << 20)).unwrap();
    o.set("timeout", Value::Float(0.25)).unwrap();
    o.set("cwd", text("/srv")).unwrap();
    o.set(
        "env",
        Value::Map(vec![("A".into(), Some("1".into())), ("B".into(), None)]),
    )
    .unwrap();
    o.set(
        "volumes",
        Value::Map(vec![("/s".into(), Some("/d:ro".into()))]),
    )
    .unwrap();
    o.set(
        "tmpfs",
        Value::Map(vec![
            ("/run".into(), Some("size=1m".into())),
            ("/tmp".into(), None),
        ]),
    )
    .unwrap();
    o.set(
        "storage_opt",
        Value::Map(vec![("size".into(), Some("1g".into()))]),
    )
    .unwrap();
    o.set("cap_drop", Value::List(vec!["ALL".into()])).unwrap();
    o.set("strict", Value::Bool(true)).unwrap();
    assert_eq!(
        (o.memory, o.timeout),
        (Some(Size(8 << 20)), Some(Duration::from_millis(250)))
    );
    assert_eq!((o.env.len(), o.tmpfs.len()), (2, 2));
    assert!(o.volumes[0].read_only && o.strict);
    assert!(o.is_set("cwd") && o.is_set("workdir") && !o.is_set("user") && !o.is_set("nothing"));
    for (name, value, want) in [
        (
            "memory",
            Value::Bool(true),
            "memory must be an int of bytes or a str such as '512m', not bool",
        ),
        (
            "memory",
            text("x"),
            "invalid value \"x\" for memory: invalid size: 'x'",
        ),
        (
            "memory",
            Value::Int(-1),
            "invalid value \"-1\" for memory: invalid size: '-1'",
        ),
        ("strict", Value::Int(1), "strict must be a bool, not int"),
        (
            "env",
            Value::Int(1),
            "env must be a dict or a list of str, not int",
        ),
        (
            "env",
            Value::List(vec!["A".into()]),
            "invalid value \"A\" for env: an environment entry is written NAME=VALUE",
        ),
        (
            "cap_add",
            Value::Map(vec![("A".into(), None)]),
            "cap_add must be a list of str, not dict",
        ),
        (
            "timeout",
            Value::Float(-1.0),
            "invalid value \"-1\" for timeout: invalid duration",
        ),
        ("nothing", Value::Int(1), "unknown option: nothing"),
    ] {
        let got = o.set(name, value).unwrap_err().to_string();
        assert!(got.starts_with(want), "{got}");
    }
}
