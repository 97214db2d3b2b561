//! The grammar and every error, as tables.

use std::ffi::OsString;
use std::time::Duration;

use super::*;

fn lookup(name: &str) -> Option<String> {
    (name == "LANG").then(|| "de_DE.UTF-8".to_owned())
}

fn parse(line: &[&str]) -> Result<RunCommand, OptionError> {
    parse_run(line, &lookup)
}

/// The options of a line that ends with an image.
fn options(line: &[&str]) -> Checked {
    let mut line = line.to_vec();
    line.push("img");
    parse(&line)
        .unwrap_or_else(|error| panic!("{line:?}: {error}"))
        .options
}

/// The error text of a line that ends with an image.
fn error(line: &[&str]) -> String {
    let mut line = line.to_vec();
    line.push("img");
    match parse(&line) {
        Err(error) => error.to_string(),
        Ok(command) => panic!("{line:?} was taken: {command:?}"),
    }
}

#[test]
fn flags_are_written_as_in_docker() {
    let o = options(&[
        "-i",
        "-w",
        "/a",
        "--memory=64m",
        "--memory",
        "128m",
        "--rm=false",
        "-u=7",
    ]);
    assert!(o.interactive && !o.rm);
    assert_eq!(o.workdir, Some(Workdir("/a".into())));
    assert_eq!(o.memory, Some(Size::mebibytes(128)), "the last one wins");
    assert_eq!(o.user, Some(UserSpec("7".into())));
    for line in [
        &["-iw", "/dir"][..],
        &["-iw/dir"],
        &["-iw=/dir"],
        &["-i=true", "-w=/dir"],
        &["-qiw/dir"],
    ] {
        let o = options(line);
        assert!(o.interactive, "{line:?}");
        assert_eq!(o.workdir, Some(Workdir("/dir".into())), "{line:?}");
    }
    for off in [
        "--rm=0",
        "--rm=f",
        "--rm=F",
        "--rm=false",
        "--rm=False",
        "--rm=FALSE",
    ] {
        assert!(!options(&["--rm", off]).rm, "{off}");
    }
    assert!(options(&["--read-only=1"]).read_only);
}

#[test]
fn options_end_at_the_image() {
    let command = parse(&["-i", "img", "ls", "-l", "--rm", "--"]).unwrap();
    assert_eq!((command.image.as_str(), command.options.rm), ("img", false));
    assert_eq!(command.command, ["ls", "-l", "--rm", "--"]);
    let command = parse(&["--", "img", "--help"]).unwrap();
    assert_eq!(
        (command.image.as_str(), &command.command[..]),
        ("img", &["--help".to_owned()][..])
    );
    assert_eq!(parse(&["-", "x"]).unwrap().image, "-");
    assert_eq!(
        parse(&["-w", "/-i", "img"]).unwrap().options.workdir,
        Some(Workdir("/-i".into()))
    );
    for line in [&[][..], &["-i"], &["--"], &["-i", "--"], &[""]] {
        assert_eq!(parse(line), Err(OptionError::MissingImage), "{line:?}");
    }
    assert_eq!(parse(&["--help"]), Err(OptionError::Help));
    assert_eq!(parse(&["--rm", "--help", "img"]), Err(OptionError::Help));
}

#[test]
fn mistakes_are_named() {
    for (line, text) in [
        (&["--frob"][..], "unknown flag: --frob"),
        (&["--frob=1"], "unknown flag: --frob"),
        (&["-ix"], "unknown shorthand flag: 'x' in -ix"),
        (&["-\u{e4}"], "unknown shorthand flag: 'ä' in -ä"),
        (&["--=x"], "bad flag syntax: --=x"),
        (&["---x"], "bad flag syntax: ---x"),
        (
            &["--interactive=maybe"],
            "invalid argument \"maybe\" for \"-i, --interactive\" flag: invalid boolean: use true or false",
        ),
        (
            &["-m", "abc"],
            "invalid argument \"abc\" for \"-m, --memory\" flag: invalid size: 'abc'",
        ),
        (
            &["-m", "-1"],
            "invalid argument \"-1\" for \"-m, --memory\" flag: invalid size: '-1'",
        ),
        (
            &["-m", ""],
            "invalid argument \"\" for \"-m, --memory\" flag: invalid size: ''",
        ),
        (
            &["-m", "12x"],
            "invalid argument \"12x\" for \"-m, --memory\" flag: invalid suffix: 'x'",
        ),
        (
            &["-m", "5m"],
            "minimum memory limit allowed is 6MB, 5242880 bytes were asked for",
        ),
        (
            &["--cpus", "many"],
            "invalid argument \"many\" for \"--cpus\" flag: invalid number",
        ),
        (
            &["--cpus", "0.0000000001"],
            "invalid argument \"0.0000000001\" for \"--cpus\" flag: value is too precise",
        ),
        (
            &["--pids-limit", "1.5"],
            "invalid argument \"1.5\" for \"--pids-limit\" flag: invalid whole number",
        ),
        (
            &["--timeout", "soon"],
            "invalid argument \"soon\" for \"--timeout\" flag: invalid duration: use seconds (30) or units (1m30s, 500ms)",
        ),
        (
            &["--network", "bridge"],
            "invalid argument \"bridge\" for \"--network\" flag: network not found: only none and host exist",
        ),
        (
            &["--preset", "trusted"],
            "invalid argument \"trusted\" for \"--preset\" flag: must be one of untrusted",
        ),
        (
            &["--userns", "keep"],
            "invalid argument \"keep\" for \"--userns\" flag: must be one of auto, host",
        ),
        (
            &["--name", "-x"],
            "invalid argument \"-x\" for \"--name\" flag: invalid container name: only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed",
        ),
        (
            &["-h", "a b"],
            "invalid argument \"a b\" for \"-h, --hostname\" flag: invalid hostname: use 1 to 64 of [a-zA-Z0-9_.-]",
        ),
        (
            &["-w", "tmp"],
            "invalid argument \"tmp\" for \"-w, --workdir\" flag: the working directory 'tmp' is invalid, it needs to be an absolute path",
        ),
        (
            &["-e", "=1"],
            "invalid argument \"=1\" for \"-e, --env\" flag: invalid environment variable: the name is empty",
        ),
        (
            &["-e", ""],
            "invalid argument \"\" for \"-e, --env\" flag: invalid environment variable: the name is empty",
        ),
        (
            &["--cap-add", ""],
            "invalid argument \"\" for \"--cap-add\" flag: must not be empty",
        ),
        (
            &["--storage-opt", "dm.size=1g"],
            "invalid argument \"dm.size=1g\" for \"--storage-opt\" flag: unknown storage option 'dm.size=1g': use size=SIZE",
        ),
        (
            &["--storage-opt", "size=x"],
            "invalid argument \"size=x\" for \"--storage-opt\" flag: invalid size: 'x'",
        ),
    ] {
        assert_eq!(error(line), text);
    }
    for (line, flag) in [
        (&["--memory"][..], "--memory"),
        (&["-m"], "'m' in -m"),
        (&["-im"], "'m' in -im"),
    ] {
        assert_eq!(
            parse(line),
            Err(OptionError::NeedsArgument { flag: flag.into() })
        );
    }
    assert!(
        error(&["--security-opt", "apparmor=x"]).contains("invalid --security-opt: 'apparmor=x'")
    );
    assert!(error(&["--security-opt", "seccomp="]).contains("invalid --security-opt"));
    assert!(
        error(&["--security-opt", "no-new-privileges=maybe"]).contains("invalid --security-opt")
    );
}

#[test]
fn arguments_are_text() {
    use std::os::unix::ffi::OsStringExt;
    let bad = OsString::from_vec(b"a\xff".to_vec());
    let line = [OsString::from("img"), bad];
    assert_eq!(
        parse_run(&line, &lookup),
        Err(OptionError::NotUtf8 {
            argument: "a\u{fffd}".into()
        })
    );
    assert_eq!(
        parse(&["img", "a\0"]),
        Err(OptionError::ZeroByte {
            argument: "a\0".into()
        })
    );
    assert!(error(&["-e", "A=\0"]).ends_with("contains a zero byte"));
}

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

#[test]
fn the_table_is_sound() {
    for (i, row) in TABLE.iter().enumerate() {
        for other in &TABLE[..i] {
            assert_ne!(row.name, other.name);
            assert_ne!(row.flag, other.flag);
            assert!(
                row.short.is_none() || row.short != other.short,
                "{}",
                row.name
            );
        }
        assert_eq!(
            row.metavar.is_empty(),
            row.kind == Kind::Bool,
            "{}",
            row.name
        );
        assert_eq!(
            row.choices.is_empty(),
            row.kind != Kind::Choice,
            "{}",
            row.name
        );
        assert!(
            row.help.ends_with('.') && row.help.starts_with(|c: char| !c.is_whitespace()),
            "{}",
            row.name
        );
    }
    let json: serde_json::Value = serde_json::from_str(&table_json()).unwrap();
    let rows = json.as_array().unwrap();
    assert_eq!(rows.len(), TABLE.len());
    let memory = rows.iter().find(|row| row["name"] == "memory").unwrap();
    assert_eq!(
        (&memory["short"], &memory["kind"]),
        (&"m".into(), &"size".into())
    );
    assert_eq!(
        (&memory["python_type"], &memory["side"]),
        (&"int | str".into(), &"both".into())
    );
}
