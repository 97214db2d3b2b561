//! One more program in a container that runs.

use super::exit::{Usage, Used};
use super::pool::{environment, refuse_environment};
use super::program::{ready, reap};
use super::{Container, EngineError, Exit, Input, Output, Prepared, Program, lock};
use crate::compose::{Identity, resolve};
use crate::logging::event;
use fastbox_container::ContainerError;
use fastbox_container::cgroup::Counters;
use fastbox_container::plan::{Other, Plan};
use fastbox_container::spawner::Entering;
use fastbox_sys::pidfd;
use nix::errno::Errno;
use nix::fcntl::{OFlag, OpenHow, ResolveFlag, open, openat2};
use nix::libc::SIGKILL;
use nix::poll::{PollFlags, PollTimeout};
use nix::sys::stat::{Mode, SFlag, fstat};
use std::fs::File;
use std::io::Read;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::sync::{Arc, Mutex};
use std::time::Instant;

/// Files of a container that name users are read no further than this, in bytes.
const LONGEST_FILE: u64 = 16 << 20;

/// One more program, asked for.
pub struct Exec {
    /// Program and arguments.
    pub args: Vec<String>,
    /// Set beside, or instead of, the plan's environment.
    pub env: Vec<(String, String)>,
    /// Another working directory than the plan's: an absolute path in the container.
    pub cwd: Option<String>,
    /// `name[:group]` or numbers, by the container's own files; the plan's user where there is none.
    pub user: Option<String>,
    /// Standard input.
    pub stdin: Input,
    /// Standard output.
    pub stdout: Output,
    /// Standard error.
    pub stderr: Output,
}

/// A program that was executed in a running container. It ends with the container at the latest. Dropping it kills the
/// program, and what of its process group still runs.
pub struct Executed {
    streams: [Option<OwnedFd>; 3],
    process: Arc<Process>,
}

/// The process itself.
pub(super) struct Process {
    prepared: Arc<Prepared>,
    pid: i32,
    pub(super) pidfd: OwnedFd,
    counters: Option<Arc<Counters>>,
    /// How many the out-of-memory killer had killed before.
    oom_kills: Option<u64>,
    began: Instant,
    exit: Mutex<Option<Exit>>,
}

impl Container {
    /// Executes one more program in it, with the container's limits and rights, and returns when it runs. None when
    /// `deadline` has come before, or `interrupted`, called when a signal handler ran, says so: a hostile container can
    /// stop the process on its way.
    ///
    /// # Errors
    /// A container that has ended; a user that it does not know; a program that is not there (exit code 127) or cannot
    /// be executed (126); any step on the way. Nothing of the program is left then.
    pub fn exec(
        &self,
        exec: Exec,
        deadline: Option<Instant>,
        interrupted: &mut dyn FnMut() -> bool,
    ) -> Result<Option<Executed>, EngineError> {
        let prepared = &self.prepared;
        if !prepared.engine.is_mine() {
            return Err(EngineError::Forked);
        }
        let plan = &prepared.plan;
        let (other, env) = self.checked(&exec)?;
        self.runs()?;
        let user = other.user.as_ref().map(|(uid, gid, _)| (*uid, *gid));
        let entering = Entering {
            id: self.id().to_owned(),
            owner: match user {
                Some(user) => self.outside(user),
                None => self.user(),
            },
            other,
            args: exec.args,
            env,
            streams: [exec.stdin.into(), exec.stdout.into(), exec.stderr.into()],
        };
        let began = Instant::now();
        let entered = prepared.engine.spawner.enter(plan, entering, self.pidfd());
        let mut entered = entered.map_err(|error| self.why(error))?;
        // While the stub comes to life.
        let oom_kills = self
            .counters()
            .and_then(|counters| counters.reader().oom_kills());
        let settled = entered.settle(&mut |socket: BorrowedFd<'_>, events| {
            let events = PollFlags::from_bits_truncate(events);
            ready(socket, events, deadline, interrupted)
        });
        let Some(child) = settled.map_err(|error| self.why(error))? else {
            return Ok(None);
        };
        event!(
            Debug,
            "pid {} executed in container {}",
            child.pid,
            self.id()
        );
        let process = Process {
            prepared: Arc::clone(prepared),
            pid: child.pid,
            pidfd: child.pidfd,
            counters: self.counters().cloned(),
            oom_kills,
            began,
            exit: Mutex::new(None),
        };
        Ok(Some(Executed {
            streams: std::mem::take(&mut entered.streams),
            process: Arc::new(process),
        }))
    }

    fn checked(&self, exec: &Exec) -> Result<(Other, Vec<String>), EngineError> {
        if exec.args.first().is_none_or(String::is_empty) {
            return Err(crate::compose::SpecError::NoCommand.into());
        }
        let nul = |what| Err(EngineError::NulByte { what });
        if exec.args.iter().any(|arg| arg.contains('\0')) {
            return nul("an argument");
        }
        refuse_environment(&exec.env)?;
        if let Some(cwd) = &exec.cwd {
            if cwd.contains('\0') {
                return nul("the working directory");
            }
            if !cwd.starts_with('/') {
                return Err(EngineError::Directory {
                    directory: cwd.clone(),
                });
            }
        }
        let plan: &Plan = &self.prepared.plan;
        let identity = exec.user.as_deref().map(|user| self.identity(user));
        let identity = identity.transpose()?;
        let mut set = exec.env.clone();
        if let Some(identity) = &identity
            && !set.iter().any(|(name, _)| name == "HOME")
        {
            set.push(("HOME".to_owned(), identity.home.clone()));
        }
        let env = environment(plan.env(), &set, plan.hostname_of(self.id()));
        let other = Other {
            user: identity.map(|identity| {
                let mut groups = vec![identity.gid];
                groups.extend(identity.groups.iter().filter(|gid| **gid != identity.gid));
                (identity.uid, identity.gid, groups)
            }),
            cwd: exec.cwd.clone(),
        };
        Ok((other, env))
    }

    /// A user by the container's own files, as they are now.
    fn identity(&self, user: &str) -> Result<Identity, EngineError> {
        let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
        let path = format!("/proc/{}/root", self.pid());
        let root = open(path.as_str(), flags, Mode::empty());
        // It was the container's if that still runs now.
        self.runs()?;
        let root = root.map_err(EngineError::system("open the container's root"))?;
        let read = |path: &str| read_beneath(&root, path).ok();
        Ok(resolve(user, &[], &read)?)
    }

    fn runs(&self) -> Result<(), EngineError> {
        match pidfd::wait_end(self.pidfd(), PollTimeout::ZERO) {
            Ok(false) => Ok(()),
            _ => Err(self.not_running()),
        }
    }

    fn not_running(&self) -> EngineError {
        EngineError::NotRunning {
            id: self.id()[..12].to_owned(),
        }
    }

    /// What a failure says of the container: once that ends, its namespaces and groups are closed to more.
    fn why(&self, error: ContainerError) -> EngineError {
        match &error {
            // In a pid namespace whose first process ends the kernel has no room for more (pid_namespaces(7)); that
            // process has no namespaces any more.
            ContainerError::Enter {
                step: "clone",
                errno: Errno::ENOMEM,
                ..
            }
            | ContainerError::Enter {
                step: "enter",
                errno: Errno::ESRCH,
                ..
            } => self.not_running(),
            ContainerError::Enter { .. } | ContainerError::Spawner { .. } => match self.runs() {
                Err(ended) => ended,
                Ok(()) => error.into(),
            },
            _ => error.into(),
        }
    }
}

/// A regular file of the container's. No link of it leads out, and nothing but a file is opened.
fn read_beneath(root: &OwnedFd, path: &str) -> Result<Vec<u8>, Errno> {
    let how = OpenHow::new()
        .flags(OFlag::O_PATH | OFlag::O_CLOEXEC)
        .resolve(ResolveFlag::RESOLVE_IN_ROOT | ResolveFlag::RESOLVE_NO_MAGICLINKS);
    let place = openat2(root, path, how)?;
    let kind = SFlag::from_bits_truncate(fstat(&place)?.st_mode) & SFlag::S_IFMT;
    if kind != SFlag::S_IFREG {
        return Err(Errno::EINVAL);
    }
    let path = format!("/proc/self/fd/{}", place.as_raw_fd());
    let flags = OFlag::O_RDONLY | OFlag::O_CLOEXEC | OFlag::O_NONBLOCK;
    let file = File::from(open(path.as_str(), flags, Mode::empty())?);
    let mut bytes = Vec::new();
    file.take(LONGEST_FILE)
        .read_to_end(&mut bytes)
        .map_err(|error| Errno::from_raw(error.raw_os_error().unwrap_or(0)))?;
    Ok(bytes)
}

impl Program for Executed {
    fn pid(&self) -> i32 {
        self.process.pid
    }

    fn pidfd(&self) -> BorrowedFd<'_> {
        self.process.pidfd.as_fd()
    }

    fn take_streams(&mut self) -> [Option<OwnedFd>; 4] {
        let [stdin, stdout, stderr] = std::mem::take(&mut self.streams);
        [stdin, stdout, stderr, None]
    }

    fn kill(&self, signal: i32) -> Result<(), EngineError> {
        self.process.mine()?;
        match pidfd::send_number(&self.process.pidfd, signal) {
            Err(Errno::ESRCH) => Ok(()),
            sent => sent.map_err(EngineError::system("send the signal")),
        }
    }

    fn kill_all(&self) -> Result<(), EngineError> {
        // Where the group cannot be had, it is at least the program.
        self.process.mine()?;
        let exit = lock(&self.process.exit);
        let process = &self.process;
        if exit.is_none() && pidfd::send_group(&process.pidfd, process.pid, SIGKILL).is_err() {
            return self.kill(SIGKILL);
        }
        Ok(())
    }

    fn known(&self) -> Result<Option<Exit>, EngineError> {
        self.process.mine()?;
        Ok(lock(&self.process.exit).clone())
    }

    fn ended(&self) -> Result<Exit, EngineError> {
        self.process.ended()
    }
}

impl Executed {
    /// Has its end taken as soon as that comes, whoever waits for it or not: until then its container, whose pid
    /// namespace it is in, cannot end (zap_pid_ns_processes in the kernel).
    ///
    /// # Errors
    /// A thread or a descriptor that cannot be had.
    pub fn watch(&self) -> Result<(), EngineError> {
        super::reaper::watch(&self.process)
    }
}

impl Process {
    /// Takes its end, which has come.
    pub(super) fn ended(&self) -> Result<Exit, EngineError> {
        self.mine()?;
        let mut end = lock(&self.exit);
        if let Some(exit) = &*end {
            return Ok(exit.clone());
        }
        let wall = self.began.elapsed();
        let (code, signal) = reap(self.pidfd.as_fd())?;
        let killed = || self.counters.as_ref()?.reader().oom_kills();
        let oom_killed = match (self.oom_kills, signal) {
            (None, _) => None,
            (Some(before), Some(SIGKILL)) => killed().map(|now| now > before),
            (Some(_), _) => Some(false),
        };
        let exit = Exit {
            code,
            signal,
            used: Used::from(Usage {
                oom_killed,
                wall_ns: wall.as_nanos() as u64,
                ..Usage::default()
            }),
            timings: None,
        };
        *end = Some(exit.clone());
        Ok(exit)
    }

    fn mine(&self) -> Result<(), EngineError> {
        match self.prepared.engine.is_mine() {
            true => Ok(()),
            false => Err(EngineError::Forked),
        }
    }
}

impl Drop for Executed {
    fn drop(&mut self) {
        let runs = self.process.mine().is_ok() && lock(&self.process.exit).is_none();
        if runs {
            let _ = self.kill_all();
            let _ = self.wait(None, &mut || false);
        }
    }
}
