//! The threads that start containers.
//!
//! They live as long as the process, because a parent-death signal is per thread. They have a table of open files of
//! their own, so that neither a caller's ten thousand files are copied into a container nor a fork of the caller
//! inherits ours; and a mount namespace of their own with nothing in it, because a container's begins as a copy of it.
//! What they need of the caller's world comes as open fds with each request.

mod by_stub;
mod devices;
mod drawers;
mod enter;
mod inputs;
mod janitor;
mod lean;
mod namespaces;
mod network;
mod owned;
mod start;
mod terminal;
mod timing;
mod worker;

pub use enter::{Entered, Entering};

use crate::cgroup::{CgroupError, Counters, Driver, OwnerGroup, Parent, Reader};
use crate::error::ContainerError;
use crate::features::Features;
use crate::plan::Plan;
use fastbox_sys::channel::Channel;
use fastbox_sys::journal::Slot as JournalSlot;
use nix::errno::Errno;
use std::borrow::Cow;
use std::collections::HashMap;
use std::ffi::OsStr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError, RwLock};

pub use timing::{Timing, monotonic};

/// More set-ups in flight than this only lengthen the tail.
const WORKERS_PER_CPU: usize = 2;
/// A caller that outruns the janitor waits when so many containers are still to be cleared away.
const BACKLOG: usize = 64;

/// What a spawner is started with.
pub struct Config {
    /// The host's control groups; looked for by whoever needs them first.
    pub driver: Arc<OnceLock<Driver>>,
    /// The owner's name: containers' groups are below it.
    pub owner: String,
    /// The directory for what containers write, on disk.
    pub uppers: PathBuf,
    /// The stub: its bytes.
    pub stub: Cow<'static, [u8]>,
    /// What the kernel can do.
    pub features: Features,
    /// Given where the process ends when its one container does: there is one thread that starts, and nothing is
    /// cleared away here. What is sent over it lives on for a while in the process that will do so, its owner's
    /// watchdog: to let go of mounts takes grace periods of RCU, for which the end of a process would wait.
    pub heir: Option<Channel>,
    /// A range of ids, by its first, whose user namespace is made at once: the first container's.
    pub first_range: Option<u32>,
}

/// Where one of a container's standard streams goes.
pub enum Stream {
    /// Nowhere.
    Null,
    /// A new pipe; the caller gets the other end.
    Pipe,
    /// An fd the caller hands over.
    Fd(OwnedFd),
    /// The same as stdout; for stderr.
    Stdout,
    /// An fd on its way to the thread that starts the container, whose table of open files is another.
    Sent,
}

/// One start, asked for.
pub struct Request {
    /// Hex id of 64 digits.
    pub id: String,
    /// The program and its arguments; the plan's where empty.
    pub args: Vec<String>,
    /// Standard input, output, error; of no matter where the plan has a terminal.
    pub streams: [Stream; 3],
    /// The container's place in the journal.
    pub slot: JournalSlot,
    /// First id outside of a range of 65,536, for a container that brings a new range; 0 for the caller's ids.
    pub new_base: u32,
    /// Stop short of the program: the stub waits to be told what to execute.
    pub parked: bool,
    /// Take the time of each step.
    pub timed: bool,
    /// Pause for ten seconds before this step, for tests.
    pub pause_at: Option<u32>,
}

/// A container that runs.
pub struct Started {
    /// Pid of its first process, as the caller sees it.
    pub pid: i32,
    /// The pidfd of it.
    pub pidfd: OwnedFd,
    /// The caller's ends of the pipes.
    pub streams: [Option<OwnedFd>; 3],
    /// The way to the stub, where it waits.
    pub stub: Option<OwnedFd>,
    /// The caller's side of the terminal, for a plan that has one.
    pub terminal: Option<OwnedFd>,
    /// Each step of the start, where the request asked.
    pub timings: Vec<Timing>,
    /// What is to be cleared away once it has ended.
    pub remains: Remains,
}

/// What a container leaves: handed to [`Spawner::clear`] when it has been waited for.
pub struct Remains {
    id: String,
    plan: Arc<Plan>,
    base: u32,
    slot: Option<JournalSlot>,
    counters: Option<Arc<Counters>>,
    /// Where its upper is, below the directory of all.
    upper: Option<String>,
}

/// The threads, their state, and the way to them.
pub struct Spawner {
    idle: Mutex<Vec<Worker>>,
    freed: Condvar,
    shared: Arc<Shared>,
    clear: SyncSender<janitor::Work>,
    brief: bool,
}

/// One whose threads are on their way.
pub struct Starting {
    workers: Vec<Worker>,
    /// The threads' ends of the channels: both tables hold these numbers until theirs is their own.
    theirs: Vec<Channel>,
    clear: SyncSender<janitor::Work>,
    answer: Receiver<Result<Arc<Shared>, ContainerError>>,
    brief: bool,
}

/// The caller's end of one thread.
struct Worker {
    channel: Channel,
    job: Arc<Mutex<Option<Job>>>,
}

/// What passes between caller and thread besides fds.
enum Job {
    Launch(Box<Request>, Arc<Plan>, u32),
    Launched(Result<Box<Launched>, ContainerError>),
    Warm(Arc<Plan>, u32),
    Warmed(Result<(), ContainerError>),
    Enter(Box<Entering>, Arc<Plan>),
    Entered(Result<Box<enter::Sent>, ContainerError>),
}

/// Which of the caller's ends there are: of the pipes to stdin, stdout and stderr, of the terminal.
type Ends = [bool; 4];

/// The answer to a launch, but for its fds.
struct Launched {
    pid: i32,
    ends: Ends,
    timings: Vec<Timing>,
    remains: Remains,
}

/// What callers and threads both look at.
struct Shared {
    /// Ranges of ids free for the next container, by plan.
    ranges: Mutex<HashMap<u64, Vec<u32>>>,
    /// Ranges that no plan has any more.
    released: Mutex<Vec<u32>>,
    pending: Mutex<usize>,
    settled: Condvar,
    networks: network::Maker,
    inside: Inside,
}

/// Held by starts that say of this process's memory, which their children share, that it may be dumped; alone by those
/// during which it must not be said. One for all spawners: there is one memory.
static DUMPING: RwLock<()> = RwLock::new(());

/// What only the threads may use: fds of their table.
struct Inside {
    proc: OwnedFd,
    dev: OwnedFd,
    null: OwnedFd,
    stub: OwnedFd,
    /// A pipe whose writing end nobody else has: its reader sees the end of this process.
    alive: (OwnedFd, OwnedFd),
    uppers: OwnedFd,
    drawers: drawers::Drawers,
    group: Option<Arc<OwnerGroup>>,
    /// The owner's groups below other parents.
    groups_below: Mutex<HashMap<Parent, Arc<OwnerGroup>>>,
    features: Features,
    /// Whether this process's memory may be dumped; asked before the first child changes it for a moment.
    dumpable: bool,
    programs: namespaces::Programs,
    kept: Mutex<HashMap<(u64, u32), Range>>,
    /// What is held of running containers, so that its end is the janitor's work: the mount namespace, the tmpfs of
    /// an upper.
    held: Mutex<HashMap<String, Vec<OwnedFd>>>,
    /// An ordinary user's.
    owned: OnceLock<owned::Owned>,
    /// Where to leave what is not to be closed by the process's end.
    heir: Option<Channel>,
    /// A user namespace made ahead, and the first id of its range.
    ahead: Mutex<Option<(u32, OwnedFd)>>,
}

/// A range's kernel objects, kept for the next container of the same plan.
struct Range {
    userns: Option<Arc<OwnedFd>>,
    layers: Vec<OwnedFd>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Spawner {
    /// Starts the threads, and waits until they are ready.
    ///
    /// # Errors
    /// The call that failed; no thread is left then.
    pub fn start(config: Config) -> Result<Spawner, ContainerError> {
        Spawner::begin(config)?.finish()
    }

    /// Starts the threads, and does not wait for them.
    ///
    /// # Errors
    /// The call that failed; no thread is left then.
    pub fn begin(config: Config) -> Result<Starting, ContainerError> {
        let failed = ContainerError::spawner;
        let cpus = || std::thread::available_parallelism().map_or(2, usize::from);
        let brief = config.heir.is_some();
        let count = if brief { 1 } else { WORKERS_PER_CPU * cpus() };
        let pairs: Result<Vec<_>, Errno> = (0..count).map(|_| Channel::pair()).collect();
        let (ours, mut theirs): (Vec<_>, Vec<_>) =
            pairs.map_err(failed("make channels"))?.into_iter().unzip();
        let jobs: Vec<_> = (0..count).map(|_| Arc::new(Mutex::new(None))).collect();
        let (clear, remains) = sync_channel(BACKLOG);
        let (ready, answer) = sync_channel(1);
        // Both tables hold these numbers for a moment: the thread's copies are its own, ours are closed at the end.
        let ends = theirs.iter().map(Channel::twin).collect();
        theirs.extend(config.heir.as_ref().map(Channel::twin));
        let their_jobs = jobs.clone();
        std::thread::Builder::new()
            .name("fastbox-spawner".into())
            .spawn(move || worker::first(config, ends, their_jobs, remains, ready))
            .map_err(|_| failed("start a thread")(Errno::EAGAIN))?;
        let workers = ours
            .into_iter()
            .zip(jobs)
            .map(|(channel, job)| Worker { channel, job })
            .collect();
        Ok(Starting {
            workers,
            theirs,
            clear,
            answer,
            brief,
        })
    }

    /// The owner's control groups, where there are any.
    pub fn group(&self) -> Option<&OwnerGroup> {
        self.shared.inside.group.as_deref()
    }

    /// Reads the counters of a container that has been started.
    pub fn reader(&self, plan: &Plan, id: &str) -> Option<Reader<'static>> {
        let group = self.shared.inside.group_of(plan).ok().flatten();
        group.map(|group| group.reader(id))
    }

    /// What the kernel can do.
    pub fn features(&self) -> Features {
        self.shared.inside.features
    }

    /// An ordinary user's user namespace, which all containers of the process are in: how many ids it has, and why
    /// not more than one. None for root.
    pub fn owned(&self) -> Option<(u32, Option<&str>)> {
        let owned = self.shared.inside.owned.get()?;
        Some((owned.ids, owned.note.as_deref()))
    }

    /// A range of ids that an earlier container of this plan has left, if there is one.
    pub fn free_range(&self, plan: &Plan) -> Option<u32> {
        if let crate::plan::Userns::Owned { .. } = plan.userns() {
            return Some(0);
        }
        let mut ranges = lock(&self.shared.ranges);
        let free = ranges.get_mut(&plan.id)?;
        match plan.userns() {
            userns if userns.own_range() => free.pop(),
            _ => free.last().copied(),
        }
    }

    /// Gives a range back that was taken for a start that did not come to be.
    pub fn return_range(&self, plan: &Plan, range: u32) {
        if let Some(free) = lock(&self.shared.ranges).get_mut(&plan.id)
            && plan.userns().own_range()
        {
            free.push(range);
        }
    }

    /// Ranges that no plan keeps any more, since the last call. Their user namespaces are gone.
    pub fn take_released(&self) -> Vec<u32> {
        std::mem::take(&mut lock(&self.shared.released))
    }

    /// Whether a launch in `range` needs copies of the layers.
    pub fn wants_layers(&self, range: Option<u32>) -> bool {
        range.is_none() || !self.features().detached_layers
    }

    /// Makes the range of ids that begins with `base` for the first container of a plan, and tries whether the
    /// layers and binds can be mapped to it. `opened` is a detached copy of each layer and each bind.
    ///
    /// # Errors
    /// What the kernel refused ([`ContainerError::lacks_id_maps`]). Nothing of the range is left then.
    pub fn warm(
        &self,
        plan: &Arc<Plan>,
        base: u32,
        opened: &[BorrowedFd<'_>],
    ) -> Result<(), ContainerError> {
        match self.ask(Job::Warm(Arc::clone(plan), base), true, opened)?.0 {
            Some(Job::Warmed(made)) => made,
            _ => Err(ContainerError::spawner("reach the spawner")(Errno::EPIPE)),
        }
    }

    /// Starts a container and returns when its program runs.
    ///
    /// `range` is what [`Spawner::free_range`] gave. `opened` begins with a detached copy of each layer where
    /// [`Spawner::wants_layers`] says so. A detached copy of each bind follows.
    ///
    /// # Errors
    /// The step that failed. Nothing of the container is left then.
    pub fn launch(
        &self,
        plan: &Arc<Plan>,
        mut request: Request,
        range: Option<u32>,
        opened: &[BorrowedFd<'_>],
    ) -> Result<Started, ContainerError> {
        let handed: Vec<OwnedFd> = request
            .streams
            .iter_mut()
            .filter_map(Stream::send)
            .collect();
        let mut sent = opened.to_vec();
        sent.extend(handed.iter().map(AsFd::as_fd));
        let (job, fds) = self.ask(
            Job::Launch(Box::new(request), Arc::clone(plan), range.unwrap_or(0)),
            range.is_none(),
            &sent,
        )?;
        let Some(Job::Launched(answer)) = job else {
            return Err(ContainerError::spawner("reach the spawner")(Errno::EPIPE));
        };
        let launched = answer?;
        let mut fds = fds.into_iter();
        let pidfd = fds
            .next()
            .ok_or_else(|| ContainerError::spawner("receive the pidfd")(Errno::EMFILE))?;
        let ends = launched
            .ends
            .map(|came| if came { fds.next() } else { None });
        let [stdin, stdout, stderr, terminal] = ends;
        Ok(Started {
            pid: launched.pid,
            pidfd,
            streams: [stdin, stdout, stderr],
            terminal,
            stub: fds.next(),
            timings: launched.timings,
            remains: launched.remains,
        })
    }

    /// Clears away what a container that has ended left. Waits only when many are still to be cleared.
    pub fn clear(&self, remains: Remains) {
        if self.brief {
            return;
        }
        *lock(&self.shared.pending) += 1;
        // The janitor lives as long as the process.
        let _ = self.clear.send(janitor::Work::Clear(remains));
    }

    /// Waits until everything handed to [`Spawner::clear`] is cleared away.
    pub fn settle(&self) {
        let mut pending = lock(&self.shared.pending);
        while *pending > 0 {
            pending = self
                .shared
                .settled
                .wait(pending)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Drops what is kept for a plan, and removes its directory beside the uppers.
    pub fn forget(&self, plan: u64, directory: &OsStr) {
        if self.brief {
            return;
        }
        *lock(&self.shared.pending) += 1;
        let _ = self
            .clear
            .send(janitor::Work::Forget(plan, directory.to_owned()));
    }

    fn ask(
        &self,
        job: Job,
        fresh: bool,
        fds: &[BorrowedFd<'_>],
    ) -> Result<(Option<Job>, Vec<OwnedFd>), ContainerError> {
        let failed = ContainerError::spawner;
        let mut idle = lock(&self.idle);
        let worker = loop {
            match idle.pop() {
                Some(worker) => break worker,
                None => {
                    idle = self
                        .freed
                        .wait(idle)
                        .unwrap_or_else(PoisonError::into_inner)
                }
            }
        };
        drop(idle);
        *lock(&worker.job) = Some(job);
        let answer = worker
            .channel
            .send(fresh.into(), fds)
            .map_err(failed("ask the spawner"));
        let answer = answer.and_then(|()| {
            worker
                .channel
                .receive()
                .map_err(failed("hear from the spawner"))
        });
        let job = lock(&worker.job).take();
        lock(&self.idle).push(worker);
        self.freed.notify_one();
        Ok((job, answer?.map(|(_, fds)| fds).unwrap_or_default()))
    }
}

impl Starting {
    /// Waits until they are ready.
    ///
    /// # Errors
    /// The call that failed; no thread is left then.
    pub fn finish(self) -> Result<Spawner, ContainerError> {
        let failed = ContainerError::spawner;
        let shared = self
            .answer
            .recv()
            .map_err(|_| failed("start the spawner")(Errno::ECHILD))??;
        drop(self.theirs);
        Ok(Spawner {
            idle: Mutex::new(self.workers),
            freed: Condvar::new(),
            shared,
            clear: self.clear,
            brief: self.brief,
        })
    }
}

impl Inside {
    /// Leaves fds to the heir, if there is one. That they cannot be left costs time, nothing else.
    fn leave(&self, fds: &[BorrowedFd<'_>]) {
        if let Some(heir) = &self.heir {
            let _ = heir.send(0, fds);
        }
    }

    /// The groups that a plan's containers have theirs in; made with its first container.
    fn group_of(&self, plan: &Plan) -> Result<Option<Arc<OwnerGroup>>, CgroupError> {
        let (Some(top), false) = (&self.group, plan.cgroup_parent.is_top()) else {
            return Ok(self.group.clone());
        };
        let mut below = lock(&self.groups_below);
        if let Some(group) = below.get(&plan.cgroup_parent) {
            return Ok(Some(Arc::clone(group)));
        }
        let group = Arc::new(top.below(&plan.cgroup_parent)?);
        below.insert(plan.cgroup_parent.clone(), Arc::clone(&group));
        Ok(Some(group))
    }
}

impl Stream {
    /// The fd handed over: its number means nothing in the other table.
    fn send(&mut self) -> Option<OwnedFd> {
        match std::mem::replace(self, Stream::Sent) {
            Stream::Fd(fd) => Some(fd),
            other => {
                *self = other;
                None
            }
        }
    }

    /// The same fd, come there.
    fn receive(&mut self, received: &mut impl Iterator<Item = OwnedFd>) {
        if matches!(self, Stream::Sent)
            && let Some(fd) = received.next()
        {
            *self = Stream::Fd(fd);
        }
    }
}

impl Remains {
    /// The container's id.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Somebody may still ask for these: they are read before the groups go.
    pub fn keep(&mut self, counters: Arc<Counters>) {
        self.counters = Some(counters);
    }

    /// Who its program runs as, as seen from outside; None where only the container itself can tell (an ordinary
    /// user's).
    pub fn user(&self) -> Option<(u32, u32)> {
        self.plan.user(self.base)
    }

    /// Who a user and a group inside are outside.
    pub fn outside(&self, (uid, gid): (u32, u32)) -> Option<(u32, u32)> {
        let base = self.plan.outside(self.base);
        self.user().map(|_| (base + uid, base + gid))
    }
}
