//! How the command line is read.

use std::ffi::OsString;

use super::*;

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
        (
            &["--memroy=1g"],
            "unknown flag: --memroy; is --memory meant?",
        ),
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
        error(&["--security-opt", "apparmor="]).contains("invalid --security-opt: 'apparmor='")
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

#[test]
fn defaults_hold_where_nothing_is_given() {
    let text = |values: &[&str]| values.iter().map(|v| (*v).to_owned()).collect::<Vec<_>>();
    let (memory, env, quiet) = (text(&["64m"]), text(&["A=1", "LANG"]), text(&["true"]));
    let defaults: &[(&str, &[String])] = &[("memory", &memory), ("env", &env), ("quiet", &quiet)];
    let read = |line: &[&str]| parse_run_with(line, &lookup, defaults).unwrap().options;
    let with = read(&["img"]);
    assert_eq!(with.memory, Some(Size::mebibytes(64)));
    assert_eq!(*with, *options(&["-m64m", "-eA=1", "-eLANG", "-q"]));
    let (limits, sysctls) = (text(&["core=1", "nofile=2"]), text(&["net.a=1", "net.b=2"]));
    let several = [("ulimit", &limits[..]), ("sysctl", &sysctls[..])];
    let with = parse_run_with(&["img"], &lookup, &several).unwrap().options;
    assert_eq!((with.ulimits.len(), with.sysctls.len()), (2, 2));
    let given = read(&["-m", "128m", "-e", "B=2", "-q=false", "img"]);
    assert_eq!(
        *given,
        *options(&["-m128m", "-eB=2"]),
        "the command line replaces them"
    );
    for (flag, values, error) in [
        ("frob", &["1"][..], "unknown flag: --frob"),
        (
            "memory",
            &["1g", "2g"],
            "--memory takes one value, not several",
        ),
        ("help", &["true"], "unknown flag: --help"),
    ] {
        let checked = check_default(flag, &text(values));
        assert_eq!(checked.unwrap_err().to_string(), error);
    }
}
