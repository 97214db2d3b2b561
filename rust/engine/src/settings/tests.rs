//! Which setting wins, and what each mistake is told as.

use super::*;
use std::io::Write;

struct Files(PathBuf);

impl Files {
    fn new(name: &str) -> Files {
        let name = format!("fastbox-settings-{name}-{}", std::process::id());
        let dir = std::env::temp_dir().join(name);
        std::fs::create_dir_all(dir.join("home/fastbox")).unwrap();
        Files(dir)
    }

    fn write(&self, name: &str, text: impl AsRef<[u8]>) -> PathBuf {
        let path = self.0.join(name);
        let mut file = std::fs::File::create(&path).unwrap();
        file.write_all(text.as_ref()).unwrap();
        path
    }

    /// The settings with these variables, of the files `system` and `home/fastbox/config.toml`.
    fn read(&self, flags: Flags, vars: &[(&str, &str)]) -> Result<Settings, SettingsError> {
        let home = ("XDG_CONFIG_HOME", self.0.join("home").display().to_string());
        let var = |name: &str| {
            let given = vars.iter().find(|(key, _)| *key == name);
            given
                .map(|(_, value)| (*value).into())
                .or_else(|| (name == home.0).then(|| home.1.clone().into()))
        };
        read(flags, Uid::effective(), var, &self.0.join("system"))
    }

    /// The error of one file, without its path.
    fn error(&self, text: impl AsRef<[u8]>) -> String {
        let path = self.write("one", text);
        let error = read(
            Flags {
                config: Some(path.clone()),
                ..Flags::default()
            },
            Uid::effective(),
            |_| None,
            Path::new("/"),
        );
        let text = error.unwrap_err().to_string();
        let rest = text.strip_prefix(&format!("{}, ", path.display()));
        rest.unwrap_or_else(|| panic!("no file: {text}")).to_owned()
    }
}

impl Drop for Files {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[test]
fn nothing_is_set_where_nothing_is_said() {
    let files = Files::new("none");
    assert_eq!(
        files.read(Flags::default(), &[]).unwrap(),
        Settings::default()
    );
    let empty = [
        ("FASTBOX_CONFIG", ""),
        ("FASTBOX_LOG", ""),
        ("FASTBOX_ROOT", ""),
    ];
    assert_eq!(
        files.read(Flags::default(), &empty).unwrap(),
        Settings::default()
    );
}

#[test]
fn the_later_wins() {
    let files = Files::new("wins");
    let system = files.write(
        "system",
        "root = '/s'\nrun-root = '/s'\nlog-level = 'error'\n[run]\nmemory = '64m'\ncpus = 2\n",
    );
    let own = files.write(
        "home/fastbox/config.toml",
        "run-root = '/u'\n[run]\nmemory = '128m'\n",
    );
    let read = files.read(Flags::default(), &[]).unwrap();
    assert_eq!(read.root, Some("/s".into()));
    assert_eq!(read.run, Some("/u".into()));
    assert_eq!(read.log_level, Some(LevelFilter::Error));
    assert_eq!(read.files, [system, own]);
    let default = |settings: &Settings, flag: &str| {
        let all = &settings.run_defaults;
        let found = all.iter().find(|default| default.flag == flag);
        found.map(|default| default.values.join(","))
    };
    assert_eq!(default(&read, "memory").unwrap(), "128m");
    assert_eq!(default(&read, "cpus").unwrap(), "2");

    let vars = [("FASTBOX_ROOT", "/e"), ("FASTBOX_LOG", "INFO")];
    let read = files.read(Flags::default(), &vars).unwrap();
    assert_eq!(read.root, Some("/e".into()));
    assert_eq!(read.run, Some("/u".into()));
    assert_eq!(read.log_level, Some(LevelFilter::Info));

    let flags = Flags {
        root: Some("/f".into()),
        log_level: Some(LevelFilter::Debug),
        ..Flags::default()
    };
    let read = files.read(flags, &vars).unwrap();
    assert_eq!(read.root, Some("/f".into()));
    assert_eq!(read.log_level, Some(LevelFilter::Debug));
}

#[test]
fn a_named_file_is_the_only_one() {
    let files = Files::new("named");
    files.write("system", "root = '/s'\n");
    let one = files.write("one", "run-root = '/one'\n");
    let two = files.write("two", "run-root = '/two'\n");
    let vars = [("FASTBOX_CONFIG", one.to_str().unwrap())];
    let read = files.read(Flags::default(), &vars).unwrap();
    assert_eq!((read.root, read.run), (None, Some("/one".into())));
    let flags = Flags {
        config: Some(two),
        ..Flags::default()
    };
    assert_eq!(files.read(flags, &vars).unwrap().run, Some("/two".into()));
    let gone = [("FASTBOX_CONFIG", "/no/such/file")];
    let error = files.read(Flags::default(), &gone).unwrap_err().to_string();
    assert!(
        error.starts_with("cannot read the configuration file /no/such/file: ENOENT"),
        "{error}"
    );
}

#[test]
fn mistakes_name_line_and_key() {
    let files = Files::new("mistakes");
    for (text, error) in [
        (
            "\nrot = '/x'",
            "line 2: unknown key \"rot\"; is root meant?",
        ),
        ("frobnicate = 1", "line 1: unknown key \"frobnicate\""),
        (
            "[run]\nmemroy = '1g'",
            "line 2: unknown key \"run.memroy\"; is run.memory meant?",
        ),
        ("root = 5", "line 1: root must be a string, not integer"),
        (
            "root = 'var/lib'",
            "line 1: root = \"var/lib\": must be an absolute path",
        ),
        ("run = '/run'", "line 1: run must be a table, not string"),
        (
            "log-level = 'loud'",
            "line 1: log-level = \"loud\": use one of off, error, warn, info, debug",
        ),
        (
            "[run]\n\nmemory = 'lots'",
            "line 3: invalid argument \"lots\" for \"-m, --memory\" flag: invalid size: 'lots'",
        ),
        (
            "[run]\nmemory = ['1g', '2g']",
            "line 2: --memory takes one value, not several",
        ),
        (
            "[run]\nmemory = 1979-05-27",
            "line 2: run.memory must be a string, a number, true, false, or a list, not datetime",
        ),
        (
            "[run]\nenv = [['A=1']]",
            "line 2: run.env must be a list of strings, not array",
        ),
        (
            "[run.env]\nA = []",
            "line 1: run.env must be a table of strings, not array",
        ),
        (
            "[run]\ninteractive = 'maybe'",
            "line 2: invalid argument \"maybe\" for \"-i, --interactive\" flag: invalid boolean: use true or false",
        ),
    ] {
        assert_eq!(files.error(text), error);
    }
    for (text, line) in [
        ("root = ", 1),
        ("a\nb", 1),
        ("root = '/a'\nroot = '/b'", 2),
        ("[run]\n[run]", 2),
        ("\n\n\u{0}", 3),
    ] {
        let error = files.error(text);
        assert!(
            error.starts_with(&format!("line {line}: ")),
            "{text:?}: {error}"
        );
        assert!(!error.contains('\n'), "{error}");
    }
    assert_eq!(files.error(b"\n# \xff"), "line 2: not valid UTF-8");
    assert!(
        files
            .error("[run]\ndetach = true")
            .starts_with("line 2: -d, --detach \"true\" cannot be had: ")
    );
}

#[test]
fn files_that_cannot_be_had() {
    let files = Files::new("files");
    let read = |path: &Path| {
        let flags = Flags {
            config: Some(path.to_owned()),
            ..Flags::default()
        };
        files.read(flags, &[]).unwrap_err().to_string()
    };
    assert!(read(&files.0).contains("EISDIR"));
    assert!(read(Path::new("/dev/zero")).contains("larger than"));
    let system = files.write("system", "root = '/x'");
    let mode = <std::fs::Permissions as std::os::unix::fs::PermissionsExt>::from_mode;
    std::fs::set_permissions(&system, mode(0o646)).unwrap();
    let error = files.read(Flags::default(), &[]).unwrap_err().to_string();
    assert!(
        error.contains("can be changed by others") && error.contains("mode 646"),
        "{error}"
    );
}

#[test]
fn variables_and_flags_are_named() {
    let files = Files::new("variables");
    for (name, value, error) in [
        (
            "FASTBOX_ROOT",
            "root",
            "FASTBOX_ROOT must be an absolute path, not root",
        ),
        (
            "FASTBOX_RUN",
            "./r",
            "FASTBOX_RUN must be an absolute path, not ./r",
        ),
        (
            "FASTBOX_LOG",
            "loud",
            "FASTBOX_LOG: unknown level \"loud\": use one of off, error, warn, info, debug",
        ),
    ] {
        let read = files.read(Flags::default(), &[(name, value)]);
        assert_eq!(read.unwrap_err().to_string(), error);
    }
    let flags = Flags {
        run: Some("here".into()),
        ..Flags::default()
    };
    let error = files.read(flags, &[]).unwrap_err().to_string();
    assert_eq!(error, "--run-root must be an absolute path, not here");
}

#[test]
fn nothing_to_read_costs_nothing() {
    let files = Files::new("cost");
    let read = || {
        let began = std::time::Instant::now();
        files.read(Flags::default(), &[]).unwrap();
        began.elapsed()
    };
    // The least of many: what else the machine does is no part of it.
    let least = (0..1000).map(|_| read()).min().unwrap();
    assert!(least < std::time::Duration::from_micros(30), "{least:?}");
}
