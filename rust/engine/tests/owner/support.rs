//! A store and a run directory of a test's own, and looks at what is left in them.
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};

use fastbox_container::cgroup::{Driver, owners};
use fastbox_engine::owner::tag;
use fastbox_engine::paths::Paths;

static NEXT: AtomicU32 = AtomicU32::new(0);

/// Removed, with all in it, at the end.
pub struct Place {
    pub dir: PathBuf,
    pub paths: Paths,
}

impl Place {
    pub fn new() -> Place {
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let dir =
            std::env::temp_dir().join(format!("fastbox-owner-{}-{number}", std::process::id()));
        fs::create_dir(&dir).unwrap();
        fs::set_permissions(&dir, fs::Permissions::from_mode(0o700)).unwrap();
        Place::at(&dir)
    }

    pub fn at(dir: &Path) -> Place {
        Place {
            dir: dir.to_owned(),
            paths: Paths::at(&dir.join("root"), &dir.join("run")).unwrap(),
        }
    }

    /// Every entry of ours that is left, and every control group.
    pub fn left(&self) -> Vec<PathBuf> {
        let tag = tag(&self.paths);
        let groups = owners(&Driver::probe()).into_iter();
        let groups = groups.filter(|owner| owner.starts_with(&tag));
        [self.paths.owners(), self.paths.names(), self.paths.uppers()]
            .iter()
            .flat_map(|dir| fs::read_dir(dir).unwrap())
            .map(|entry| entry.unwrap().path())
            .chain(groups.map(|owner| Path::new("cgroup").join(owner)))
            .collect()
    }

    /// Asserts that nothing is left within ten seconds: no entry and no process that bears the place's name.
    pub fn assert_clean(&self) {
        assert!(
            within(10, || self.left().is_empty() && self.processes().is_empty()),
            "left: {:?}, processes {:?}",
            self.left(),
            self.processes()
        );
    }

    /// What the place's sleepers are called.
    pub fn marker(&self) -> String {
        self.dir.file_name().unwrap().to_str().unwrap().to_owned()
    }

    /// Processes called by the place's name, and watchdogs that were given its directory.
    pub fn processes(&self) -> Vec<i32> {
        processes(|line| line.contains(&self.marker()) && !line.contains("role"))
    }

    pub fn watchdogs(&self) -> Vec<i32> {
        processes(|line| line.contains(&self.marker()) && line.contains("\0watch\0"))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if !std::thread::panicking() && std::env::var_os("FB_VICTIM").is_none() {
            fs::remove_dir_all(&self.dir).unwrap();
        }
    }
}

pub fn within(seconds: u64, mut condition: impl FnMut() -> bool) -> bool {
    let until = Instant::now() + Duration::from_secs(seconds);
    while !condition() {
        if Instant::now() > until {
            return false;
        }
        sleep(Duration::from_millis(5));
    }
    true
}

fn processes(wanted: impl Fn(&str) -> bool) -> Vec<i32> {
    fs::read_dir("/proc")
        .unwrap()
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .filter(|pid| {
            let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            wanted(&String::from_utf8_lossy(&line))
        })
        .collect()
}

/// Starts this test binary again as a victim of `kind` in `place`.
pub fn start_victim(place: &Place, kind: &str) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "victim::role", "--nocapture", "--test-threads=1"])
        .env("FB_VICTIM", kind)
        .env("FB_PLACE", &place.dir)
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        .spawn()
        .unwrap()
}

/// The watchdog's program: FASTBOX_MONITOR, or beside this test's own, where a build of the workspace puts it.
pub fn monitor() -> Option<PathBuf> {
    let beside = || {
        let me = std::env::current_exe().ok()?;
        Some(me.parent()?.parent()?.join("fastbox-monitor"))
    };
    std::env::var_os("FASTBOX_MONITOR")
        .map(PathBuf::from)
        .or_else(beside)
        .filter(|path| path.exists())
}

/// A random number from the kernel, told for the record.
pub fn seed() -> u64 {
    let mut bytes = [0; 8];
    std::io::Read::read_exact(&mut fs::File::open("/dev/urandom").unwrap(), &mut bytes).unwrap();
    let seed = u64::from_ne_bytes(bytes) >> 16;
    println!("seed {seed}");
    seed
}
