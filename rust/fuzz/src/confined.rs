//! Work that must leave everything but its store alone, and the proof that it did.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

use fastbox_engine::image::Store;
use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};

/// What a file outside of the store says.
pub const SENTINEL: &str = "nobody reads or changes this";

/// Bytes that may lie on the disk at any time. Where they are more, writing fails.
const DISK: &str = "size=16m,nr_inodes=100k,mode=0755";

type Job = Box<dyn FnOnce(&World) + Send>;

/// A thread with a file system of its own, in memory, of which it has no way out: its root
/// directory. An ordinary user's thread has a directory in it instead.
pub struct Confined {
    jobs: Sender<Job>,
}

impl Confined {
    /// Starts the thread.
    pub fn start(name: &str) -> Confined {
        let (jobs, orders): (_, Receiver<Job>) = channel();
        let directory = std::env::temp_dir().join(format!("fastbox-{name}-{}", std::process::id()));
        let thread = thread::Builder::new().name(name.to_owned());
        let work = move || {
            let world = World::make(directory);
            orders.into_iter().for_each(|job| job(&world));
        };
        thread.spawn(work).expect("a thread can be started");
        Confined { jobs }
    }

    /// Runs `job` there and waits for it.
    ///
    /// # Panics
    /// Where the job does.
    pub fn run(&self, job: impl FnOnce(&World) + Send + 'static) {
        let (done, finished) = channel();
        let job = move |world: &World| {
            job(world);
            let _ = done.send(());
        };
        let sent = self.jobs.send(Box::new(job));
        assert!(
            sent.is_ok() && finished.recv().is_ok(),
            "the confined thread panicked"
        );
    }
}

/// The file system that the work sees: a store, and what is none of its business.
pub struct World {
    root: PathBuf,
    /// The store, empty between two jobs.
    pub store: Store,
    before: BTreeMap<PathBuf, String>,
}

impl World {
    fn make(directory: PathBuf) -> World {
        let root = match confine() {
            true => PathBuf::from("/"),
            false => directory,
        };
        for part in ["outside/dir", "etc", "bin", "tmp"] {
            fs::create_dir_all(root.join(part)).expect("directories can be made");
        }
        for file in ["outside/sentinel", "etc/passwd", "bin/sh"] {
            fs::write(root.join(file), SENTINEL).expect("files can be written");
        }
        let mut world = World {
            store: Store::open(&root.join("store")).expect("a store can be made"),
            before: BTreeMap::new(),
            root,
        };
        world.before = world.outside();
        world
    }

    /// An open file with these contents and no name.
    pub fn file(&self, contents: &[u8]) -> File {
        let path = self.store.root().join("input");
        fs::write(&path, contents).expect("files can be written");
        let file = File::open(&path).expect("and read");
        fs::remove_file(path).expect("and removed");
        file
    }

    /// Nothing outside of the store is different from how it was before all work.
    ///
    /// # Panics
    /// Where something is.
    pub fn check_outside(&self) {
        assert_eq!(self.outside(), self.before, "something outside was changed");
    }

    /// The store holds no image and no part of one.
    ///
    /// # Panics
    /// Where something is left.
    pub fn check_empty(&self) {
        for part in [
            "tmp",
            "layers",
            "notes",
            "trees",
            "refs",
            "leases",
            "blobs/sha256",
        ] {
            let left = fs::read_dir(self.store.root().join(part)).expect("the store is readable");
            let left: Vec<PathBuf> = left.map(|entry| entry.expect("listed").path()).collect();
            assert!(left.is_empty(), "left in the store: {left:?}");
        }
    }

    /// All that can be said of the files outside, the times of changes (ctime) among it.
    fn outside(&self) -> BTreeMap<PathBuf, String> {
        let mut found = BTreeMap::new();
        let mut todo = vec![self.root.clone()];
        while let Some(path) = todo.pop() {
            if path == self.store.root() || path == Path::new("/proc") {
                continue;
            }
            let meta = fs::symlink_metadata(&path).expect("what was there is there");
            let mut facts = format!(
                "mode {:o} owner {}:{} links {} inode {} changed {}.{}",
                meta.mode(),
                meta.uid(),
                meta.gid(),
                meta.nlink(),
                meta.ino(),
                meta.ctime(),
                meta.ctime_nsec()
            );
            if meta.is_dir() {
                let entries = fs::read_dir(&path).expect("directories are readable");
                todo.extend(entries.map(|entry| entry.expect("listed").path()));
            } else {
                facts += &format!(" holds {:?}", fs::read_to_string(&path));
            }
            found.insert(path, facts);
        }
        found
    }
}

impl Drop for World {
    fn drop(&mut self) {
        if self.root != Path::new("/") {
            let _ = fs::remove_dir_all(&self.root);
        }
    }
}

/// Gives this thread, and those that it starts, a root directory of their own, with /proc to be
/// read only. False where this process may not.
fn confine() -> bool {
    if unshare(CloneFlags::CLONE_NEWNS).is_err() {
        return false;
    }
    let none = None::<&str>;
    let root = std::env::temp_dir();
    let proc = root.join("proc");
    let private = MsFlags::MS_REC | MsFlags::MS_PRIVATE;
    mount(none, "/", none, private, none).expect("mounts can be made private");
    let flags = MsFlags::MS_NODEV | MsFlags::MS_NOSUID | MsFlags::MS_NOEXEC;
    mount(Some("none"), &root, Some("tmpfs"), flags, Some(DISK)).expect("tmpfs can be mounted");
    fs::create_dir(&proc).expect("a directory can be made");
    mount(Some("/proc"), &proc, none, MsFlags::MS_BIND, none).expect("/proc can be bound");
    let read_only = MsFlags::MS_BIND | MsFlags::MS_REMOUNT | MsFlags::MS_RDONLY;
    mount(none, &proc, none, read_only, none).expect("/proc can be made read-only");
    nix::unistd::chroot(&root).expect("the root directory can be changed");
    std::env::set_current_dir("/").expect("there is a root directory");
    true
}
