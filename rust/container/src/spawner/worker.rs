//! One thread that starts containers: takes a request, makes what is made outside, clones, answers.

use super::{
    Config, Inside, Job, Launched, Range, Remains, Request, Shared, Stream, janitor, lean, lock,
    namespaces, network, owned,
};
use crate::cgroup::{Join, OwnerGroup};
use crate::error::ContainerError;
use crate::plan::{Plan, Process, Userns};
use crate::slots;
use fastbox_sys::builder::Program;
use fastbox_sys::channel::{self, Channel};
use fastbox_sys::launch::{Child, Failure, Launch, Stack};
use fastbox_sys::mount::{self, attr};
use nix::errno::Errno;
use nix::fcntl::{OFlag, openat};
use nix::sys::signal::{SigSet, SigmaskHow, sigprocmask};
use nix::sys::stat::Mode;
use std::collections::HashMap;
use std::ffi::CString;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Condvar, Mutex, OnceLock};
use std::time::Instant;

type JobCell = Arc<Mutex<Option<Job>>>;

/// Body of the first thread: makes the world the others live in, starts them, and becomes one of them.
pub(super) fn first(
    config: Config,
    ends: Vec<Channel>,
    jobs: Vec<JobCell>,
    remains: Receiver<janitor::Work>,
    ready: SyncSender<Result<Arc<Shared>, ContainerError>>,
) {
    // A rendezvous: a request that finds the thread busy is not queued behind others.
    let (networks, wanted) = sync_channel(0);
    let shared = match settle_in(&config, &ends, networks) {
        Ok(shared) => Arc::new(shared),
        Err(error) => {
            // The ends were never this thread's own if the tables did not part: leave them to the process.
            std::mem::forget(ends);
            let _ = ready.send(Err(error));
            return;
        }
    };
    let janitors = Arc::clone(&shared);
    let mut started = std::thread::Builder::new()
        .name("fastbox-janitor".into())
        .spawn(move || janitor::work(&janitors, &remains))
        .is_ok();
    let makers = Arc::clone(&shared);
    started &= std::thread::Builder::new()
        .name("fastbox-network".into())
        .spawn(move || network::work(&makers, &wanted))
        .is_ok();
    let mut mine = None;
    for (channel, job) in ends.into_iter().zip(jobs) {
        if mine.is_none() {
            mine = Some((channel, job));
            continue;
        }
        let shared = Arc::clone(&shared);
        let name = "fastbox-spawner".to_owned();
        started &= std::thread::Builder::new()
            .name(name)
            .spawn(move || work(&shared, &channel, &job))
            .is_ok();
    }
    let answer = if started {
        Ok(Arc::clone(&shared))
    } else {
        Err(ContainerError::spawner("start a thread")(Errno::EAGAIN))
    };
    let _ = ready.send(answer);
    if let Some((channel, job)) = mine {
        work(&shared, &channel, &job);
    }
}

/// Opens what will be needed of the host, then leaves it.
fn settle_in(
    config: &Config,
    ends: &[Channel],
    networks: SyncSender<network::Wanted>,
) -> Result<Shared, ContainerError> {
    let failed = ContainerError::spawner;
    sigprocmask(SigmaskHow::SIG_SETMASK, Some(&SigSet::all()), None)
        .map_err(failed("block signals"))?;
    channel::own_file_table(&ends.iter().collect::<Vec<_>>())
        .map_err(failed("part the file table"))?;
    let features = config.features;
    let directory = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
    let proc = nix::fcntl::open("/proc", directory, Mode::empty()).map_err(failed("open /proc"))?;
    let user = !nix::unistd::geteuid().is_root();
    let dev = if user {
        nix::fcntl::open("/dev", directory, Mode::empty()).map_err(failed("open /dev"))?
    } else {
        lean::dev()?
    };
    let null = openat(
        &dev,
        "null",
        OFlag::O_RDWR | OFlag::O_CLOEXEC,
        Mode::empty(),
    )
    .map_err(failed("open /dev/null"))?;
    let inside = Inside {
        null,
        dev,
        proc,
        alive: nix::unistd::pipe2(OFlag::O_CLOEXEC).map_err(failed("make a pipe"))?,
        stub: channel::sealed_program(&config.stub).map_err(failed("copy the stub"))?,
        uppers: if user {
            nix::fcntl::open(&config.uppers, directory, Mode::empty())
        } else {
            mount::clone_path(&config.uppers, false)
        }
        .map_err(failed("open the directory for uppers"))?,
        group: match config.driver.kind() {
            crate::cgroup::Kind::None => None,
            _ => Some(OwnerGroup::create(&config.driver, &config.owner)?),
        },
        features,
        dumpable: nix::sys::prctl::get_dumpable().unwrap_or(false),
        programs: namespaces::Programs::new(),
        kept: Mutex::new(HashMap::new()),
        held: Mutex::new(HashMap::new()),
        owned: OnceLock::new(),
    };
    if user {
        // A mount namespace of its own takes rights that the user does not have.
        let _ = inside.owned.set(owned::make(&inside)?);
    } else {
        lean::enter(features, &inside.dev, &inside.uppers)?;
    }
    Ok(Shared {
        ranges: Mutex::new(HashMap::new()),
        released: Mutex::new(Vec::new()),
        pending: Mutex::new(0),
        settled: Condvar::new(),
        networks: network::Maker::new(networks),
        inside,
    })
}

fn work(shared: &Arc<Shared>, channel: &Channel, job: &JobCell) {
    let mut stack = Stack::new();
    // The other end closes when the process ends, or execs.
    loop {
        let (fresh, mut fds) = match channel.receive() {
            Ok(Some(received)) => received,
            Ok(None) => return,
            // Its fds did not all find a place in this table: what needs them will say so.
            Err(Errno::ENOBUFS) => (0, Vec::new()),
            Err(_) => return,
        };
        let Some(asked) = lock(job).take() else {
            continue;
        };
        let (answer, back) = match asked {
            Job::Launch(mut request, plan, base) => {
                let handed = request
                    .streams
                    .iter()
                    .filter(|s| matches!(s, Stream::Sent))
                    .count();
                let mut handed = fds.split_off(fds.len().saturating_sub(handed)).into_iter();
                for stream in &mut request.streams {
                    stream.receive(&mut handed);
                }
                let base = if fresh != 0 { request.new_base } else { base };
                let mut start = Start {
                    shared,
                    stack: &mut stack,
                    plan: &plan,
                    base,
                    timings: Vec::new(),
                    timed: request.timed,
                };
                match start.launch(*request, fresh != 0, fds) {
                    Ok((launched, fds)) => (Job::Launched(Ok(Box::new(launched))), fds),
                    Err(error) => (Job::Launched(Err(error)), Vec::new()),
                }
            }
            Job::Warm(plan, base) => {
                let mut start = Start {
                    shared,
                    stack: &mut stack,
                    plan: &plan,
                    base,
                    timings: Vec::new(),
                    timed: false,
                };
                (Job::Warmed(start.warm(fds)), Vec::new())
            }
            other @ (Job::Launched(_) | Job::Warmed(_)) => (other, Vec::new()),
        };
        *lock(job) = Some(answer);
        let fds: Vec<BorrowedFd<'_>> = back.iter().map(AsFd::as_fd).collect();
        if channel.send(0, &fds).is_err() {
            return;
        }
    }
}

/// One start in the making.
pub(super) struct Start<'a> {
    pub(super) shared: &'a Shared,
    stack: &'a mut Stack,
    pub(super) plan: &'a Arc<Plan>,
    base: u32,
    timed: bool,
    timings: Vec<(&'static str, String, u64)>,
}

impl Start<'_> {
    fn launch(
        &mut self,
        request: Request,
        fresh: bool,
        mut opened: Vec<OwnedFd>,
    ) -> Result<(Launched, Vec<OwnedFd>), ContainerError> {
        let mut remains = Remains {
            id: request.id.clone(),
            plan: Arc::clone(self.plan),
            base: self.base,
            slot: None,
        };
        let result = self.make(&request, fresh, &mut opened);
        remains.slot = Some(request.slot);
        match result {
            Ok((pid, fds, pipes)) => {
                let timings = std::mem::take(&mut self.timings);
                Ok((
                    Launched {
                        pid,
                        pipes,
                        timings,
                        remains,
                    },
                    fds,
                ))
            }
            Err(error) => {
                janitor::clear(self.shared, remains);
                Err(error)
            }
        }
    }

    /// Everything of a start, in the order in which it is made.
    fn make(
        &mut self,
        request: &Request,
        fresh: bool,
        opened: &mut Vec<OwnedFd>,
    ) -> Result<(i32, Vec<OwnedFd>, [bool; 3]), ContainerError> {
        let shared = self.shared;
        let mut layers = Vec::new();
        if fresh || !shared.inside.features.detached_layers {
            layers = self.layers(opened);
        }
        if fresh {
            let range = self.timed("user namespace", |start| start.new_range(&mut layers))?;
            lock(&shared.ranges).entry(self.plan.id).or_default();
            lock(&shared.inside.kept).insert((self.plan.id, self.base), range);
        }
        let key = (self.plan.id, self.base);
        let userns = lock(&shared.inside.kept)
            .get(&key)
            .and_then(|range| range.userns.clone());
        let network = userns
            .filter(|_| self.plan.own_network)
            .map(|userns| network::begin(shared, userns));
        if let Some(group) = &shared.inside.group {
            self.timed("cgroup", |start| {
                Ok(group.make(&request.id, &start.plan.limits)?)
            })?;
        }
        if matches!(self.plan.userns, Userns::Owned { .. }) {
            return self.start_owned(request);
        }
        self.start(request, layers, std::mem::take(opened), network)
    }

    /// Makes a range that the first container will find.
    fn warm(&mut self, mut opened: Vec<OwnedFd>) -> Result<(), ContainerError> {
        let mut layers = self.layers(&mut opened);
        let range = self.new_range(&mut layers)?;
        self.map(&layers, range.userns.as_deref())?;
        let plan = Arc::clone(self.plan);
        self.binds(&mut Launch::new(), &opened, &plan, range.userns.as_deref())?;
        lock(&self.shared.inside.kept).insert((plan.id, self.base), range);
        let mut ranges = lock(&self.shared.ranges);
        ranges.entry(plan.id).or_default().push(self.base);
        Ok(())
    }

    /// The layers that came first; the binds stay.
    fn layers(&self, opened: &mut Vec<OwnedFd>) -> Vec<OwnedFd> {
        let binds = opened.split_off(self.plan.layers.len().min(opened.len()));
        std::mem::replace(opened, binds)
    }

    fn map(&self, layers: &[OwnedFd], userns: Option<&OwnedFd>) -> Result<(), ContainerError> {
        for (layer, path) in layers.iter().zip(&self.plan.layers) {
            mount::set_attributes(layer, attr::RDONLY, userns.map(|fd| fd as &dyn AsFd), false)
                .map_err(step("map ids", path))?;
        }
        Ok(())
    }

    /// A range, which keeps the layers for later containers of the plan, their ids mapped; but where the kernel
    /// wants them attached, each container uses copies up.
    fn new_range(&mut self, layers: &mut Vec<OwnedFd>) -> Result<Range, ContainerError> {
        let inside = &self.shared.inside;
        let userns = match self.plan.userns {
            Userns::Host | Userns::Owned { .. } => None,
            Userns::Late | Userns::Early => {
                Some(Arc::new(namespaces::user(inside, self.stack, self.base)?))
            }
        };
        let mut range = Range {
            userns,
            layers: Vec::new(),
        };
        if inside.features.detached_layers {
            range.layers = std::mem::take(layers);
            self.map(&range.layers, range.userns.as_deref())?;
        }
        Ok(range)
    }

    fn start(
        &mut self,
        request: &Request,
        layers: Vec<OwnedFd>,
        binds: Vec<OwnedFd>,
        network: Option<network::Pending>,
    ) -> Result<(i32, Vec<OwnedFd>, [bool; 3]), ContainerError> {
        let shared = self.shared;
        let inside = &shared.inside;
        let plan = Arc::clone(self.plan);
        let mut launch = Launch::new();
        let range = {
            let mut kept = lock(&inside.kept);
            match plan.userns {
                // Used by one container at a time.
                Userns::Late | Userns::Early => kept.remove(&(plan.id, self.base)),
                Userns::Host | Userns::Owned { .. } => {
                    kept.get(&(plan.id, self.base)).and_then(|range| {
                        let layers = range
                            .layers
                            .iter()
                            .map(OwnedFd::try_clone)
                            .collect::<Result<_, _>>()
                            .ok()?;
                        Some(Range {
                            userns: None,
                            layers,
                        })
                    })
                }
            }
        }
        .ok_or(ContainerError::Spawner {
            operation: "find the range of ids",
            errno: Errno::ENOENT,
        })?;

        self.map(&layers, range.userns.as_deref())?;
        for (index, layer) in range.layers.iter().chain(&layers).enumerate() {
            launch.fd(slots::layer(index), layer.as_fd());
        }
        if let Some(userns) = &range.userns {
            launch.fd(slots::USERNS, userns.as_fd());
        }
        self.binds(&mut launch, &binds, &plan, range.userns.as_deref())?;
        let dev =
            mount::clone_fd(&inside.dev, false).map_err(step("prepare", Path::new("/dev")))?;
        if let Some(userns) = range
            .userns
            .as_deref()
            .filter(|_| inside.features.idmapped_tmpfs)
        {
            mount::set_attributes(&dev, 0, Some(userns), false)
                .map_err(step("map ids", Path::new("/dev")))?;
        }
        launch.fd(slots::DEV, dev.as_fd());
        launch.value(slots::DUMPABLE, inside.dumpable.into());
        launch.fd(slots::PROC, inside.proc.as_fd());
        launch.fd(slots::UPPERS, inside.uppers.as_fd());
        self.strings(&mut launch, request, &plan);
        let into = self.groups(&mut launch, request, &plan)?;

        launch.pause_at(request.pause_at);
        request.slot.stamp();
        let outside = launch.run(&plan.outside, self.timed);
        self.note(&plan.outside, launch.take_times());
        outside.map_err(|failure| failed(&plan.outside, failure))?;
        // Held here, not in the child's slots alone: closed when the container has its own hold on it.
        let _root = launch.keep_fd(slots::ROOT);
        let memory = launch.keep_fd(slots::MEMORY);
        if let Some(memory) = memory {
            self.hold(&request.id, memory);
        }

        let (theirs, ours, pipes) = self.streams(request, &plan)?;
        for (slot, fd) in slots::STDIO.iter().zip(&theirs) {
            launch.fd(*slot, fd.as_fd());
        }
        let network = network
            .map(|pending| pending.gate(shared, self.stack))
            .transpose()?;
        if let Some((gate, _)) = &network {
            launch.gate(slots::NETWORK, slots::NETWORK_PATH, Arc::clone(gate));
        }
        launch.pause_at(
            request
                .pause_at
                .and_then(|at| at.checked_sub(plan.outside.len() as u32)),
        );
        let child = self.spawn(&mut launch, request, plan.namespaces, into);
        if let Some((_, made)) = network
            && self.timed
            && let Ok(Ok((_, took))) = made.try_recv()
        {
            self.timings
                .push(("network namespace", "(beside)".to_owned(), took));
        }
        // The range outlives the container, and also a start that failed.
        if plan.userns.own_range() {
            lock(&inside.kept).insert((plan.id, self.base), range);
        }
        let child = child?;
        let mut fds = vec![child.pidfd];
        fds.extend(ours);
        Ok((child.pid, fds, pipes))
    }

    /// Leaves an fd to the janitor: to unmount takes a grace period of RCU (namespace_unlock in the kernel).
    fn hold(&self, id: &str, fd: OwnedFd) {
        let mut held = lock(&self.shared.inside.held);
        held.entry(id.to_owned()).or_default().push(fd);
    }

    /// The clone itself.
    pub(super) fn spawn(
        &mut self,
        launch: &mut Launch,
        request: &Request,
        namespaces: u64,
        group: Option<OwnedFd>,
    ) -> Result<Child, ContainerError> {
        let inside = &self.shared.inside;
        let plan = Arc::clone(self.plan);
        let report = self.report(launch, request, &plan)?;
        let before = if self.timed { monotonic() } else { 0 };
        request.slot.stamp();
        let child = launch.spawn(
            &plan.child,
            self.stack,
            namespaces,
            group.as_ref().map(AsFd::as_fd),
            request.slot.pid(),
            self.timed,
        );
        request.slot.started();
        self.note_child(&plan.child, launch.take_times(), before);
        let child = child.and_then(|child| match report {
            Some(report) => report.wait(child, &plan),
            None => Ok(child),
        });
        let child =
            child.map_err(|failure| exec_target(failed(&plan.child, failure), request, &plan))?;
        // As long as somebody holds the mount namespace its end is not on the path of the program's end.
        let path = format!("{}/ns/mnt", child.pid);
        if let Ok(mounts) = openat(
            &inside.proc,
            path.as_str(),
            OFlag::O_RDONLY | OFlag::O_CLOEXEC,
            Mode::empty(),
        ) {
            self.hold(&request.id, mounts);
        }
        Ok(child)
    }

    fn binds(
        &mut self,
        launch: &mut Launch,
        opened: &[OwnedFd],
        plan: &Plan,
        userns: Option<&OwnedFd>,
    ) -> Result<(), ContainerError> {
        for (index, (fd, bind)) in opened.iter().zip(&plan.binds).enumerate() {
            if bind.attributes != 0 {
                mount::set_attributes(fd, bind.attributes, None, bind.recursive_attributes)
                    .map_err(step("prepare bind", &bind.source))?;
            }
            if let Some(userns) = userns.filter(|_| bind.idmapped) {
                // Of a tree whose parts cannot all be mapped, at least the top is.
                mount::set_attributes(fd, 0, Some(userns), bind.recursive)
                    .or_else(|_| mount::set_attributes(fd, 0, Some(userns), false))
                    .map_err(step("map ids", &bind.source))?;
            }
            launch.fd(slots::bind(index), fd.as_fd());
        }
        Ok(())
    }

    /// What is written out for this container alone.
    pub(super) fn strings(&self, launch: &mut Launch, request: &Request, plan: &Plan) {
        let id = &request.id;
        launch.string(slots::ID, text(id));
        launch.string(slots::UPPER, text(&format!("{id}/upper")));
        launch.string(slots::WORK, text(&format!("{id}/work")));
        launch.value(slots::BASE, self.base.into());
        // Where the user namespace is entered first, ids are as seen in it.
        let seen = if plan.userns == Userns::Early {
            0
        } else {
            self.base
        };
        launch.value(slots::ROOT_ID, seen.into());
        for (slot, id) in &plan.id_texts {
            launch.string(*slot, text(&(seen + id).to_string()));
        }
        let hostname = plan.hostname.as_deref().unwrap_or(&id[..12.min(id.len())]);
        launch.value(slots::HOSTNAME_LEN, hostname.len() as u64);
        launch.string(slots::HOSTNAME, text(hostname));
        let mut env = plan.process.env.clone();
        if !env.iter().any(|entry| entry.starts_with("HOSTNAME=")) {
            env.push(format!("HOSTNAME={hostname}"));
        }
        let args = arguments(request, plan);
        let program = args.first().map_or("", String::as_str);
        launch.array(
            slots::PATHS,
            Process::candidates(program, &env)
                .iter()
                .map(|p| text(p))
                .collect(),
        );
        launch.array(slots::ARGV, args.iter().map(|a| text(a)).collect());
        launch.array(slots::ENVP, env.iter().map(|e| text(e)).collect());
    }

    /// How the child joins its groups: by itself on v1, by being born there on v2.
    pub(super) fn groups(
        &self,
        launch: &mut Launch,
        request: &Request,
        plan: &Plan,
    ) -> Result<Option<OwnedFd>, ContainerError> {
        let Some(group) = &self.shared.inside.group else {
            return Ok(None);
        };
        match group.join(&plan.limits) {
            Join::None => Ok(None),
            Join::V1(places) => {
                for (index, place) in places.iter().enumerate() {
                    launch.fd(slots::CGROUP_DIRS[index], place.dir);
                    launch.string(
                        slots::CGROUP_TASKS[index],
                        text(&format!("{}{}/tasks", place.prefix, request.id)),
                    );
                }
                Ok(None)
            }
            Join::V2(place) => {
                let path = format!("{}{}", place.prefix, request.id);
                let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
                let dir = openat(place.dir, path.as_str(), flags, Mode::empty());
                Ok(Some(dir.map_err(step("open cgroup", Path::new(&path)))?))
            }
        }
    }

    /// The container's streams and the caller's ends of those that are pipes.
    #[allow(clippy::type_complexity)]
    pub(super) fn streams(
        &self,
        request: &Request,
        plan: &Plan,
    ) -> Result<(Vec<OwnedFd>, Vec<OwnedFd>, [bool; 3]), ContainerError> {
        let failed = ContainerError::spawner;
        let (mut theirs, mut ours, mut pipes) = (Vec::new(), Vec::new(), [false; 3]);
        for (index, stream) in request.streams.iter().enumerate() {
            let copy = |fd: &OwnedFd| {
                fd.try_clone()
                    .map_err(|_| failed("copy an fd")(Errno::EMFILE))
            };
            theirs.push(match stream {
                Stream::Null => copy(&self.shared.inside.null)?,
                Stream::Fd(fd) => copy(fd)?,
                // Nothing came.
                Stream::Sent => return Err(failed("receive an fd")(Errno::EMFILE)),
                Stream::Stdout => copy(theirs.get(1).unwrap_or(&self.shared.inside.null))?,
                Stream::Pipe => {
                    let (read, write) =
                        nix::unistd::pipe2(OFlag::O_CLOEXEC).map_err(failed("make a pipe"))?;
                    // So that the program can open /dev/stdout, whatever its user.
                    let (uid, gid) = (self.base + plan.process.uid, self.base + plan.process.gid);
                    if !matches!(plan.userns, Userns::Owned { .. }) {
                        nix::unistd::fchown(&read, Some(uid.into()), Some(gid.into()))
                            .map_err(failed("chown a pipe"))?;
                    }
                    pipes[index] = true;
                    let (their, our) = if index == 0 {
                        (read, write)
                    } else {
                        (write, read)
                    };
                    ours.push(our);
                    their
                }
            });
        }
        Ok((theirs, ours, pipes))
    }

    fn timed<T>(
        &mut self,
        step: &'static str,
        make: impl FnOnce(&mut Self) -> Result<T, ContainerError>,
    ) -> Result<T, ContainerError> {
        if !self.timed {
            return make(self);
        }
        let start = Instant::now();
        let made = make(self);
        self.timings
            .push((step, String::new(), start.elapsed().as_nanos() as u64));
        made
    }

    /// The child's steps between what is seen from here: the clone before the first, the exec after the last.
    fn note_child(&mut self, program: &Program, times: Vec<u64>, before: u64) {
        let mut reached = times.iter().copied().filter(|time| *time > 0);
        let first = reached.next();
        let last = reached.next_back().or(first);
        if let Some(first) = first {
            self.timings
                .push(("clone", String::new(), first.saturating_sub(before)));
        }
        self.note(program, times);
        if let Some(last) = last {
            // It is over when the vfork lets this thread go on.
            self.timings
                .push(("exec", String::new(), monotonic().saturating_sub(last)));
        }
    }

    fn note(&mut self, program: &Program, times: Vec<u64>) {
        for (label, span) in program.labels().iter().zip(times.windows(2)) {
            // The exec step never notes its end: the program runs by then.
            if span[0] == 0 || span[1] == 0 {
                break;
            }
            let took = span[1].saturating_sub(span[0]);
            match self
                .timings
                .last_mut()
                .filter(|(step, target, _)| *step == label.step && *target == label.target)
            {
                Some((_, _, sum)) => *sum += took,
                None => self.timings.push((label.step, label.target.clone(), took)),
            }
        }
    }
}

/// CLOCK_MONOTONIC in ns, as programs note it.
fn monotonic() -> u64 {
    let now = nix::time::clock_gettime(nix::time::ClockId::CLOCK_MONOTONIC);
    now.map_or(0, |now| {
        now.tv_sec() as u64 * 1_000_000_000 + now.tv_nsec() as u64
    })
}

/// What runs: the request's, else the plan's.
pub(super) fn arguments<'a>(request: &'a Request, plan: &'a Plan) -> &'a [String] {
    if request.args.is_empty() {
        &plan.process.args
    } else {
        &request.args
    }
}

/// Callers refuse strings with a NUL in them.
pub(super) fn text(s: &str) -> CString {
    CString::new(s).unwrap_or_default()
}

fn step(step: &'static str, target: &Path) -> impl FnOnce(Errno) -> ContainerError {
    move |errno| ContainerError::Step {
        step,
        target: target.display().to_string(),
        errno,
    }
}

fn failed(program: &Program, failure: Failure) -> ContainerError {
    let errno = Errno::from_raw(failure.errno);
    match failure.step.and_then(|index| program.labels().get(index)) {
        Some(label) => ContainerError::Step {
            step: label.step,
            target: label.target.clone(),
            errno,
        },
        None => ContainerError::Step {
            step: "clone",
            target: String::new(),
            errno,
        },
    }
}

/// The exec step is one for all launches: its object is this request's program.
fn exec_target(error: ContainerError, request: &Request, plan: &Plan) -> ContainerError {
    match error {
        ContainerError::Step {
            step: "exec",
            errno,
            ..
        } => {
            let target = arguments(request, plan)
                .first()
                .cloned()
                .unwrap_or_default();
            ContainerError::Step {
                step: "exec",
                target,
                errno,
            }
        }
        other => other,
    }
}
