//! One start: from a request to a running container.

use super::terminal::Terminal;
use super::timing::{Timing, monotonic};
use super::{
    DUMPING, Ends, Launched, Range, Remains, Request, Shared, janitor, lock, namespaces, network,
};
use crate::error::ContainerError;
use crate::plan::{Joins, Plan, Userns};
use crate::slots;
use fastbox_sys::builder::Program;
use fastbox_sys::launch::{Child, Failure, Launch, Stack};
use fastbox_sys::mount::{self, attr};
use nix::errno::Errno;
use nix::fcntl::{OFlag, openat};
use nix::sys::stat::Mode;
use std::ffi::CString;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::sync::{Arc, PoisonError};

/// One start in the making.
pub(super) struct Start<'a> {
    pub(super) shared: &'a Shared,
    pub(super) stack: &'a mut Stack,
    pub(super) plan: &'a Arc<Plan>,
    pub(super) base: u32,
    pub(super) timed: bool,
    pub(super) timings: Vec<Timing>,
    /// Namespaces of a running container, in the order of the plan's list.
    pub(super) joined: Vec<OwnedFd>,
    /// The path of its upper below the directory of all.
    pub(super) upper: String,
}

impl Start<'_> {
    pub(super) fn launch(
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
            counters: None,
            upper: None,
        };
        let result = self
            .upper(&mut remains)
            .and_then(|()| self.make(&request, fresh, &mut opened));
        remains.slot = Some(request.slot);
        match result {
            Ok((pid, fds, ends)) => {
                let timings = std::mem::take(&mut self.timings);
                Ok((
                    Launched {
                        pid,
                        ends,
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

    /// Finds a place for what the container writes to the disk.
    fn upper(&mut self, remains: &mut Remains) -> Result<(), ContainerError> {
        if !self.plan.has_disk_upper() {
            return Ok(());
        }
        let inside = &self.shared.inside;
        let place = inside.drawers.place(&inside.uppers, &remains.id);
        self.upper = place.map_err(|errno| ContainerError::Step {
            step: "make upper",
            target: String::new(),
            errno,
        })?;
        remains.upper = Some(self.upper.clone());
        Ok(())
    }

    /// Everything of a start, in the order in which it is made.
    fn make(
        &mut self,
        request: &Request,
        fresh: bool,
        opened: &mut Vec<OwnedFd>,
    ) -> Result<(i32, Vec<OwnedFd>, Ends), ContainerError> {
        let shared = self.shared;
        let others = self.plan.joins().len().min(opened.len());
        self.joined = opened.split_off(opened.len() - others);
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
        if let Some(group) = shared.inside.group_of(self.plan)? {
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
    pub(super) fn warm(&mut self, mut opened: Vec<OwnedFd>) -> Result<(), ContainerError> {
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
            Userns::Joined { .. } => self
                .joined
                .first()
                .map(|fd| fd.try_clone())
                .transpose()
                .map_err(|_| ContainerError::spawner("copy an fd")(Errno::EMFILE))?
                .map(Arc::new),
            // The caller's own ids are no range of a container's, whatever went wrong before.
            Userns::Late | Userns::Early if self.base == 0 => {
                return Err(ContainerError::spawner("find a range of ids")(
                    Errno::ERANGE,
                ));
            }
            Userns::Late | Userns::Early => {
                let ahead = lock(&inside.ahead).take_if(|(base, _)| *base == self.base);
                Some(Arc::new(match ahead {
                    Some((_, userns)) => userns,
                    None => namespaces::user(inside, self.stack, self.base)?,
                }))
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
    ) -> Result<(i32, Vec<OwnedFd>, Ends), ContainerError> {
        let shared = self.shared;
        let inside = &shared.inside;
        let plan = Arc::clone(self.plan);
        let mut launch = Launch::new();
        let range = {
            let mut kept = lock(&inside.kept);
            match plan.userns {
                // Used by one container at a time.
                Userns::Late | Userns::Early | Userns::Joined { .. } => {
                    kept.remove(&(plan.id, self.base))
                }
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
        let _merged = self.binds(&mut launch, &binds, &plan, range.userns.as_deref())?;
        let dev = self.dev(&plan, range.userns.as_deref())?;
        let elsewhere = self.devices_elsewhere(&plan, range.userns.as_deref())?;
        for (number, device) in elsewhere.iter().enumerate() {
            launch.fd(slots::bind(plan.binds.len() + number), device.as_fd());
        }
        launch.fd(slots::DEV, dev.as_fd());
        launch.value(slots::DUMPABLE, inside.dumpable.into());
        launch.fd(slots::PROC, inside.proc.as_fd());
        launch.fd(slots::UPPERS, inside.uppers.as_fd());
        for (joins, fd) in plan.joins().iter().zip(&self.joined) {
            let slot = match joins {
                Joins::User => slots::USERNS,
                Joins::Ipc => slots::JOIN_IPC,
                Joins::Mounts => slots::JOIN_MOUNTS,
                Joins::Pid => slots::JOIN_PID,
            };
            launch.fd(slot, fd.as_fd());
        }
        let mut namespaces = plan.namespaces;
        if plan.joins().contains(&Joins::Pid) {
            launch.clone_again(slots::JOIN_CLONE, std::mem::take(&mut namespaces));
        }
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

        let (theirs, ours, ends) = self.streams(request, &plan)?;
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
        let child = self.spawn(&mut launch, request, namespaces, into);
        if let Some((_, made)) = network
            && self.timed
            && let Ok(Ok((_, timing))) = made.try_recv()
        {
            self.timings.push(timing);
        }
        inside.leave(&range.layers.iter().map(AsFd::as_fd).collect::<Vec<_>>());
        // The range outlives the container, and also a start that failed.
        if plan.userns.own_range() {
            lock(&inside.kept).insert((plan.id, self.base), range);
        }
        Ok(child?.answer(ours, ends))
    }

    /// Leaves an fd to the janitor: to unmount takes a grace period of RCU (namespace_unlock in the kernel).
    fn hold(&self, id: &str, fd: OwnedFd) {
        self.shared.inside.leave(&[fd.as_fd()]);
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
    ) -> Result<Spawned, ContainerError> {
        let inside = &self.shared.inside;
        let plan = Arc::clone(self.plan);
        let terminal = plan
            .terminal
            .then(|| Terminal::expect(launch))
            .transpose()?;
        let by_stub = self.by_stub(launch, request, &plan)?;
        let program = if request.parked {
            &plan.parked
        } else {
            &plan.child
        };
        let before = if self.timed { monotonic() } else { 0 };
        // Whom others see must not be traced for as long as it shares this memory: then no other start may say that
        // this memory can be read (see PR_SET_DUMPABLE).
        let exposed = plan.joins().contains(&Joins::Pid);
        let (mut alone, mut beside) = (None, None);
        if exposed {
            alone = Some(DUMPING.write().unwrap_or_else(PoisonError::into_inner));
        } else {
            beside = Some(DUMPING.read().unwrap_or_else(PoisonError::into_inner));
        }
        request.slot.stamp();
        let child = launch.spawn(
            program,
            self.stack,
            namespaces,
            group.as_ref().map(AsFd::as_fd),
            request.slot.pid(),
            self.timed,
        );
        request.slot.started();
        if exposed {
            // Cannot fail for this value.
            let _ = nix::sys::prctl::set_dumpable(inside.dumpable);
        }
        drop((alone.take(), beside.take()));
        self.note_child(program, launch.take_times(), before);
        let child = child.and_then(|child| match by_stub {
            Some(by_stub) => by_stub.settled(child, &plan),
            None => Ok((child, None)),
        });
        let (child, stub) =
            child.map_err(|failure| exec_target(failed(program, failure), request, &plan))?;
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
        match terminal.map(Terminal::receive).transpose() {
            Ok(terminal) => Ok(Spawned {
                child,
                terminal,
                stub,
            }),
            Err(error) => {
                child.end();
                Err(error)
            }
        }
    }
}

/// A child that runs its program or waits in the stub.
pub(super) struct Spawned {
    child: Child,
    /// Our side of its terminal.
    terminal: Option<OwnedFd>,
    /// The way to the stub.
    stub: Option<OwnedFd>,
}

impl Spawned {
    /// Its pid, and what goes to the caller: pidfd, the ends of the pipes, terminal, stub.
    pub(super) fn answer(self, ours: Vec<OwnedFd>, mut ends: Ends) -> (i32, Vec<OwnedFd>, Ends) {
        ends[3] = self.terminal.is_some();
        let mut fds = vec![self.child.pidfd];
        fds.extend(ours);
        fds.extend(self.terminal);
        fds.extend(self.stub);
        (self.child.pid, fds, ends)
    }
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

pub(super) fn step(step: &'static str, target: &Path) -> impl FnOnce(Errno) -> ContainerError {
    move |errno| ContainerError::Step {
        step,
        target: target.display().to_string(),
        errno,
    }
}

pub(super) fn failed(program: &Program, failure: Failure) -> ContainerError {
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
