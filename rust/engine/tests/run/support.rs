//! One engine with a store and a run directory of its own, an image made of the machine's busybox, and short ways to
//! run something in it.

use crate::archive::{Header, Tar, name};
use crate::probes;
use fastbox_engine::options::parse_run;
use fastbox_engine::paths::Paths;
use fastbox_engine::run::{
    Communicated, Container, Engine, EngineError, Input, Output, Prepared, Request,
};
use fastbox_image::ImportOptions;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

/// Where the tests of this process run.
pub struct Place {
    pub engine: Arc<Engine>,
    pub paths: Paths,
    pub dir: PathBuf,
}

/// What came of one run.
#[derive(Debug)]
pub struct Done {
    pub code: i32,
    pub out: String,
    pub err: String,
    pub id: String,
    pub all: Communicated,
}

pub const IMAGE: &str = "busybox";

/// None, and a word about it, without root.
pub fn place() -> Option<&'static Place> {
    static PLACE: OnceLock<Option<Place>> = OnceLock::new();
    PLACE.get_or_init(make).as_ref()
}

fn make() -> Option<Place> {
    if !nix::unistd::geteuid().is_root() {
        println!("skipped: containers with all their parts need root");
        return None;
    }
    let Some(busybox) = busybox() else {
        println!("skipped: no static busybox (Debian: busybox-static)");
        return None;
    };
    fastbox_engine::run::set_programs(programs());
    let dir = std::env::temp_dir().join(format!("fastbox-run-{}", std::process::id()));
    let paths = Paths::at(&dir.join("root"), &dir.join("run")).unwrap();
    remove_at_the_end(&busybox, &dir);
    let engine = Engine::at(paths.clone()).unwrap();
    let place = Place { engine, paths, dir };
    place.import(IMAGE, base(&busybox));
    Some(place)
}

pub fn busybox() -> Option<PathBuf> {
    ["/bin/busybox", "/usr/bin/busybox"]
        .iter()
        .map(PathBuf::from)
        .find(|path| path.exists())
}

/// `FASTBOX_PROGRAMS`, or where a build of the workspace puts programs: beside this test's own directory.
fn programs() -> PathBuf {
    let me = std::env::current_exe().unwrap();
    me.parent().and_then(Path::parent).unwrap().to_owned()
}

/// A process that outlives this one and removes its directory once the watchdog has cleared the owner away.
fn remove_at_the_end(busybox: &Path, dir: &Path) {
    let script = "cat; n=0; while [ -n \"$(ls \"$0/run/owners\")\" ] && [ $n -lt 100 ]; do n=$((n+1)); usleep 100000; done; rm -rf \"$0\"";
    let mut command = Command::new(busybox);
    command.args(["sh", "-c", script]).arg(dir);
    let child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    // Its input ends when this process does.
    std::mem::forget(child);
}

/// Busybox under all its names, a few users, programs of single system calls.
pub fn base(busybox: &Path) -> Tar {
    let program = |mut header: Header, mode| {
        header.mode = mode;
        header
    };
    let directory = |name: &str, mode| program(Header::new(b'5', name), mode);
    let mut tar = Tar::new()
        .dir("bin")
        .dir("etc")
        .dir("home")
        .dir("usr")
        .dir("probe")
        .dir("var")
        .dir("mnt");
    for (name, mode) in [("tmp", 0o1777), ("root", 0o700)] {
        tar = tar.header(&directory(name, mode));
    }
    let applets = Command::new(busybox).arg("--list").output().unwrap();
    let applets = String::from_utf8(applets.stdout).unwrap();
    tar = tar.with_data(
        program(Header::new(b'0', "bin/busybox"), 0o755),
        &fs::read(busybox).unwrap(),
    );
    for applet in applets.lines().filter(|name| *name != "busybox") {
        tar = tar.symlink(format!("bin/{applet}"), "busybox");
    }
    for (name, call, args) in probes::ALL {
        let header = program(Header::new(b'0', format!("probe/{name}")), 0o755);
        tar = tar.with_data(header, &probes::program(*call, *args));
    }
    for (name, call) in [("setuid", "geteuid"), ("setgid", "getegid")] {
        let (_, call, args) = probes::ALL.iter().find(|probe| probe.0 == call).unwrap();
        let mode = if name == "setuid" { 0o4755 } else { 0o2755 };
        let header = program(Header::new(b'0', format!("probe/{name}")), mode);
        tar = tar.with_data(header, &probes::program(*call, *args));
    }
    let passwd = "root:x:0:0:root:/root:/bin/sh\nwww-data:x:33:33::/var/www:/bin/sh\nuser:x:1000:1000::/home/user:/bin/sh\n";
    let group = "root:x:0:\ntty:x:5:\nwww-data:x:33:\naudio:x:29:user\nuser:x:1000:\n";
    tar.file("etc/passwd", passwd.as_bytes())
        .file("etc/group", group.as_bytes())
}

impl Place {
    pub fn import(&self, image: &str, tar: Tar) {
        self.engine
            .store()
            .import(&tar.end()[..], &name(image), ImportOptions::default())
            .unwrap();
    }

    /// An empty directory of the host for one test.
    pub fn scratch(&self) -> PathBuf {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let dir = self
            .dir
            .join(format!("scratch-{}", NEXT.fetch_add(1, Ordering::Relaxed)));
        fs::create_dir(&dir).unwrap();
        dir
    }

    /// A line as after `fastbox run`, looked at and compiled.
    pub fn prepare(&self, line: &[&str]) -> Result<Arc<Prepared>, EngineError> {
        let asked = parse_run(line, &|_| None)?;
        self.engine
            .prepare(&asked.image, asked.options, &asked.command)
    }

    /// Runs such a line, with nothing as its input.
    pub fn line(&self, line: &[&str]) -> Result<Done, EngineError> {
        let prepared = self.prepare(line)?;
        done(prepared.start(piped(Input::Null))?, &prepared, None)
    }

    /// Runs a command in the image.
    pub fn run(&self, options: &[&str], command: &[&str]) -> Done {
        self.line(&[options, &[IMAGE], command].concat()).unwrap()
    }

    /// The same, where it must not come to a start.
    pub fn refused(&self, options: &[&str], command: &[&str]) -> EngineError {
        match self.line(&[options, &[IMAGE], command].concat()) {
            Err(error) => error,
            Ok(done) => panic!("{options:?} {command:?} ran: {done:?}"),
        }
    }

    /// Output of a script that must succeed.
    pub fn sh(&self, options: &[&str], script: &str) -> String {
        let done = self.run(options, &["sh", "-c", script]);
        assert_eq!(done.code, 0, "{script}: {done:?}");
        done.out.trim_end().to_owned()
    }

    /// Starts a script that goes on.
    pub fn start(&self, options: &[&str], script: &str) -> (Arc<Prepared>, Container) {
        let line = [options, &[IMAGE, "sh", "-c", script]].concat();
        let prepared = self.prepare(&line).unwrap();
        let container = prepared.start(piped(Input::Pipe)).unwrap();
        (prepared, container)
    }
}

/// Output in pipes.
pub fn piped(stdin: Input) -> Request {
    Request {
        args: Vec::new(),
        stdin,
        stdout: Output::Pipe,
        stderr: Output::Pipe,
        name: None,
        id_file: None,
        timed: false,
    }
}

pub fn done(
    mut container: Container,
    prepared: &Prepared,
    input: Option<&[u8]>,
) -> Result<Done, EngineError> {
    let id = container.id().to_owned();
    let options = prepared.options();
    let most = options.max_output.map(|size| size.0);
    let all = container.communicate(input, options.timeout, most, &mut || false)?;
    let text = |bytes: &Option<Vec<u8>>| {
        String::from_utf8_lossy(bytes.as_deref().unwrap_or_default()).into_owned()
    };
    Ok(Done {
        code: all.exit.code,
        out: text(&all.stdout),
        err: text(&all.stderr),
        id,
        all,
    })
}

/// One field of /proc/<pid>/status.
pub fn status(pid: impl std::fmt::Display, field: &str) -> String {
    let all = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    all.lines()
        .find_map(|line| line.strip_prefix(field)?.strip_prefix(':'))
        .unwrap()
        .trim()
        .to_owned()
}

pub fn within(time: Duration, mut condition: impl FnMut() -> bool) -> bool {
    let until = Instant::now() + time;
    while !condition() {
        if Instant::now() > until {
            return false;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    true
}

/// The kernel's version and patch level.
pub fn kernel() -> (u32, u32) {
    let names = nix::sys::utsname::uname().unwrap();
    let release = names.release().to_string_lossy().into_owned();
    let mut numbers = release
        .split(|c: char| !c.is_ascii_digit())
        .map(|n| n.parse().unwrap_or(0));
    (numbers.next().unwrap(), numbers.next().unwrap())
}
