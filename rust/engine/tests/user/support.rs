//! A test's way into an ordinary user's life: a directory of its own, and itself again in it with other ids.

use crate::archive::{Header, Tar, name};
use fastbox_engine::options::parse_run;
use fastbox_engine::run::{
    Communicated, Container, Engine, EngineError, Input, Output, Prepared, Request, engine,
};
use fastbox_image::ImportOptions;
use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// Whom a test is run as.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Who {
    /// Someone of no name and no range of ids.
    Single,
    /// The same, in a user namespace below which there may be no other.
    Forbidden,
    /// Someone with a range in /etc/subuid, which a mount namespace of the test's own shows.
    Ranged,
}

/// An id that no passwd file names.
pub const SINGLE: u32 = 54_321;
/// `nobody`: newuidmap looks for a name.
const RANGED: u32 = 65_534;
/// The first id of the range; root's containers begin above.
pub const RANGE: u32 = 0x3000_0000;
pub const TEST: &str = "FASTBOX_TEST_USER";
const HOME: &str = "FASTBOX_TEST_HOME";
pub const IMAGE: &str = "busybox";

/// What a test needs as that user.
pub struct User {
    pub engine: Arc<Engine>,
    pub home: PathBuf,
}

/// Runs `body` as that user, in a process of its own, and looks afterwards whether anything is left.
pub fn as_user(test: &str, who: Who, body: fn(&User)) {
    // The path of a module begins with the crate.
    let test = test.split_once("::").unwrap().1;
    if std::env::var(TEST).is_ok_and(|name| name == test) {
        return body(&User::here());
    }
    run_as(test, who);
}

/// Runs a test again as that user.
pub fn run_as(test: &str, who: Who) {
    let Some(place) = Place::new(who) else { return };
    let output = place.command(test).output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(
        output.status.success(),
        "as a user: {}\n{}",
        text(&output.stdout),
        text(&output.stderr)
    );
    place.nothing_left();
}

/// A test that is run as a user.
#[macro_export]
macro_rules! user_test {
    ($name:ident, $who:expr, $body:expr) => {
        #[test]
        fn $name() {
            $crate::support::as_user(
                concat!(module_path!(), "::", stringify!($name)),
                $who,
                $body,
            );
        }
    };
}

/// A user's directory, removed at the end.
pub struct Place {
    who: Who,
    pub dir: PathBuf,
}

impl Place {
    /// None, and a word about it, where it cannot be.
    pub fn new(who: Who) -> Option<Place> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        if !nix::unistd::geteuid().is_root() {
            println!("skipped: only root can become another user");
            return None;
        }
        let tools: &[&str] = match who {
            Who::Single => &["cp"],
            Who::Forbidden => &["cp", "bash", "unshare", "nsenter", "setpriv"],
            Who::Ranged => &["cp", "bash", "unshare", "setpriv", "newuidmap"],
        };
        let ranges = who != Who::Ranged || Path::new("/etc/subuid").exists();
        if let Some(lack) = tools.iter().find(|tool| !has(tool)) {
            println!("skipped: no {lack} (Debian: util-linux, uidmap)");
            return None;
        } else if !ranges {
            println!("skipped: no /etc/subuid");
            return None;
        }
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("fastbox-user-{}-{number}", std::process::id());
        let dir = std::env::temp_dir().join(name);
        let home = dir.join("home");
        fs::create_dir_all(&home).unwrap();
        // The build's directory may be closed to others. Not copied by this process: a program of another test,
        // forked meanwhile, would hold the copy open for writing, and what is so cannot be run.
        let mut copy = Command::new("cp");
        let beside = ["fastbox-stub", "fastbox-monitor"].map(|name| programs().join(name));
        copy.args(beside).arg(&dir);
        assert!(copy.status().unwrap().success());
        let test = std::env::current_exe().unwrap();
        let mut copy = Command::new("cp");
        assert!(
            copy.arg(test)
                .arg(dir.join("test"))
                .status()
                .unwrap()
                .success()
        );
        fs::set_permissions(&dir, fs::Permissions::from_mode(0o755)).unwrap();
        let line = format!("nobody:{RANGE}:65536\n");
        fs::write(dir.join("ranges"), line).unwrap();
        let place = Place { who, dir };
        chown(&home, Some(place.uid()), Some(place.uid())).unwrap();
        Some(place)
    }

    pub fn uid(&self) -> u32 {
        match self.who {
            Who::Single | Who::Forbidden => SINGLE,
            Who::Ranged => RANGED,
        }
    }

    pub fn home(&self) -> PathBuf {
        self.dir.join("home")
    }

    /// This program as that user, for one test.
    pub fn command(&self, test: &str) -> Command {
        let exe = self.dir.join("test");
        let mut command = match self.who {
            Who::Single => {
                let mut command = Command::new(exe);
                command.uid(SINGLE).gid(SINGLE);
                command
            }
            Who::Forbidden => {
                // The limit is the namespace's own: the machine's stays as it is.
                let script = "unshare -U sleep 60 & while ! [ \"$(readlink /proc/$!/ns/user)\" != \
                    \"$(readlink /proc/self/ns/user)\" ]; do sleep 0.01; done; \
                    for map in uid gid; do echo 0 0 65536 > /proc/$!/${map}_map || exit; done; export holder=$!; \
                    nsenter -U -t $! bash -c 'echo 0 > /proc/sys/user/max_user_namespaces && \
                    exec setpriv --reuid \"$0\" --regid \"$0\" --clear-groups -- \"$@\"' \"$0\" \"$@\"; \
                    status=$?; kill $holder; exit $status";
                let mut command = Command::new("bash");
                command
                    .args(["-c", script])
                    .arg(SINGLE.to_string())
                    .arg(exe);
                command
            }
            Who::Ranged => {
                let script = "mount --bind \"$0\" /etc/subuid && mount --bind \"$0\" /etc/subgid && \
                    exec setpriv --reuid \"$1\" --regid \"$1\" --clear-groups -- \"${@:2}\"";
                let mut command = Command::new("unshare");
                command
                    .args(["-m", "bash", "-c", script])
                    .arg(self.dir.join("ranges"))
                    .arg(RANGED.to_string())
                    .arg(exe);
                command
            }
        };
        command
            .args(["--exact", test, "--nocapture", "--test-threads=1"])
            .env_clear()
            .env("PATH", std::env::var("PATH").unwrap_or_default())
            .env(TEST, test)
            .env(HOME, self.home())
            .env("FASTBOX_PROGRAMS", &self.dir)
            .env("FASTBOX_ROOT", self.home().join("root"))
            .env("FASTBOX_RUN", self.home().join("run"))
            .current_dir(self.home())
            .stdin(Stdio::null());
        command
    }

    /// No owner and nothing that containers wrote, once the watchdog is done.
    pub fn nothing_left(&self) {
        for dir in ["run/owners", "root/run"] {
            let dir = self.home().join(dir);
            let names = || fs::read_dir(&dir).map_or(0, Iterator::count);
            within(Duration::from_secs(10), || names() == 0)
                .unwrap_or_else(|| panic!("{} is not empty", dir.display()));
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.dir);
    }
}

fn has(program: &str) -> bool {
    let path = std::env::var("PATH").unwrap_or_default();
    path.split(':')
        .any(|dir| Path::new(dir).join(program).exists())
}

fn programs() -> PathBuf {
    let beside = || {
        let me = std::env::current_exe().unwrap();
        me.parent().and_then(Path::parent).unwrap().to_owned()
    };
    std::env::var_os("FASTBOX_PROGRAMS").map_or_else(beside, PathBuf::from)
}

/// Polls until it is so.
pub fn within(time: Duration, mut so: impl FnMut() -> bool) -> Option<()> {
    let until = Instant::now() + time;
    while !so() {
        if Instant::now() > until {
            return None;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    Some(())
}

impl User {
    pub fn here() -> User {
        let user = User {
            engine: engine().unwrap(),
            home: PathBuf::from(std::env::var_os(HOME).unwrap()),
        };
        user.import();
        user
    }

    /// An image of the machine's static busybox, made by others: files of several owners.
    fn import(&self) {
        let busybox = ["/bin/busybox", "/usr/bin/busybox"]
            .iter()
            .find_map(|path| fs::read(path).ok())
            .expect("no static busybox (Debian: busybox-static)");
        let mut program = Header::new(b'0', "bin/busybox");
        program.mode = 0o755;
        let mut others = Header::new(b'5', "home/user");
        (others.uid, others.gid) = (1000, 1000);
        let mut tmp = Header::new(b'5', "tmp");
        tmp.mode = 0o1777;
        let mut tar = Tar::new()
            .dir("bin")
            .dir("etc")
            .dir("home")
            .header(&others)
            .header(&tmp)
            .dir("opt")
            .dir("opt/there")
            .file("opt/there/file", b"text")
            .with_data(program, &busybox)
            .file(
                "etc/passwd",
                b"root:x:0:0::/root:/bin/sh\nwww-data:x:33:33::/:/bin/sh\n",
            )
            .file("etc/group", b"root:x:0:\nwww-data:x:33:\n");
        for applet in [
            "sh", "id", "cat", "ls", "stat", "touch", "chown", "rm", "mkdir", "ps", "sleep",
            "mount", "umount", "df", "grep", "readlink", "hostname", "mknod", "tty",
        ] {
            tar = tar.symlink(format!("bin/{applet}"), "busybox");
        }
        self.engine
            .store()
            .import(&tar.end()[..], &name(IMAGE), ImportOptions::default())
            .unwrap();
    }

    pub fn prepare(&self, line: &[&str]) -> Result<Arc<Prepared>, EngineError> {
        let asked = parse_run(line, &|_| None)?;
        self.engine
            .prepare(&asked.image, asked.options, &asked.command)
    }

    /// Runs a line as after `fastbox run`: exit code, output, errors.
    pub fn line(&self, line: &[&str]) -> Result<(i32, String, String), EngineError> {
        let done = self.prepare(line)?.start(piped())?;
        let done = communicate(done)?;
        let text = |bytes: Option<Vec<u8>>| {
            String::from_utf8_lossy(&bytes.unwrap_or_default())
                .trim()
                .to_owned()
        };
        Ok((done.exit.code, text(done.stdout), text(done.stderr)))
    }

    /// Output of a script in an image that must succeed.
    pub fn sh(&self, options: &[&str], image: &str, script: &str) -> String {
        let line = [options, &[image, "sh", "-c", script]].concat();
        let (code, out, err) = self.line(&line).unwrap();
        assert_eq!(code, 0, "{script}: {out}\n{err}");
        out
    }
}

pub fn communicate(mut container: Container) -> Result<Communicated, EngineError> {
    let time = Some(Duration::from_secs(30));
    container.communicate(None, time, None, &mut || false)
}

pub fn piped() -> Request {
    Request {
        args: Vec::new(),
        stdin: Input::Null,
        stdout: Output::Pipe,
        stderr: Output::Pipe,
        name: None,
        id_file: None,
        timed: false,
    }
}
