//! Starting a container of a plan.

use super::container::Container;
use super::joined::shares_ipc;
use super::{EngineError, IdFile, Prepared};
use crate::logging::event;
use crate::owner::names;
use fastbox_container::plan::{Plan, Userns};
use fastbox_container::spawner::{self, Stream};
use fastbox_sys::journal::flags;
use fastbox_sys::{mount, random};
use nix::errno::Errno;
use nix::fcntl::{OFlag, OpenHow, ResolveFlag, openat2};
use nix::sys::stat::Mode;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Instant;

/// The program's standard input.
pub enum Input {
    /// Empty.
    Null,
    /// A pipe the caller writes to.
    Pipe,
    /// An fd handed over.
    Fd(OwnedFd),
}

/// Where the program's output goes.
pub enum Output {
    /// Nowhere.
    Null,
    /// A pipe the caller reads from.
    Pipe,
    /// An fd handed over.
    Fd(OwnedFd),
    /// For stderr: where stdout goes.
    Stdout,
}

/// One start.
pub struct Request {
    /// Program and arguments; where empty, what was prepared.
    pub args: Vec<String>,
    /// Standard input. Where the plan has a terminal, that is all three streams, whatever is said here.
    pub stdin: Input,
    /// Standard output.
    pub stdout: Output,
    /// Standard error.
    pub stderr: Output,
    /// A name, to be the only running container of that name.
    pub name: Option<String>,
    /// A file for the container's id.
    pub id_file: Option<IdFile>,
    /// Take the time of each step.
    pub timed: bool,
}

impl From<Input> for Stream {
    fn from(input: Input) -> Stream {
        match input {
            Input::Null => Stream::Null,
            Input::Pipe => Stream::Pipe,
            Input::Fd(fd) => Stream::Fd(fd),
        }
    }
}

impl From<Output> for Stream {
    fn from(output: Output) -> Stream {
        match output {
            Output::Null => Stream::Null,
            Output::Pipe => Stream::Pipe,
            Output::Fd(fd) => Stream::Fd(fd),
            Output::Stdout => Stream::Stdout,
        }
    }
}

impl Prepared {
    /// Starts a container and returns when its program runs.
    ///
    /// # Errors
    /// A name in use, a program that is not there (exit code 127) or cannot be executed (126), any step of the
    /// start. Nothing of the container is left then.
    pub fn start(self: &Arc<Self>, request: Request) -> Result<Container, EngineError> {
        self.arguments(&request.args)?;
        let streams = [
            request.stdin.into(),
            request.stdout.into(),
            request.stderr.into(),
        ];
        let asked = Asked {
            args: request.args,
            streams,
            name: request.name.as_deref(),
            id_file: request.id_file,
            timed: request.timed,
            parked: false,
        };
        Ok(self.launch(asked)?.0)
    }

    /// A container finished up to its program, and the way to the stub that waits in it.
    pub(super) fn park(self: &Arc<Self>) -> Result<(Container, OwnedFd), EngineError> {
        if self.plan.has_terminal() {
            return Err(EngineError::WaitingTerminal);
        }
        let asked = Asked {
            args: Vec::new(),
            streams: [Stream::Null, Stream::Pipe, Stream::Pipe],
            name: None,
            id_file: None,
            timed: false,
            parked: true,
        };
        let (container, stub) = self.launch(asked)?;
        let missing = EngineError::system("reach a waiting container");
        Ok((container, stub.ok_or_else(|| missing(Errno::EBADF))?))
    }

    /// What a start with these arguments runs.
    pub(super) fn arguments<'a>(
        &'a self,
        given: &'a [String],
    ) -> Result<&'a [String], EngineError> {
        let args = if given.is_empty() {
            self.plan.args()
        } else {
            given
        };
        if args.first().is_none_or(String::is_empty) {
            return Err(crate::compose::SpecError::NoCommand.into());
        }
        if args.iter().any(|arg| arg.contains('\0')) {
            return Err(EngineError::NulByte {
                what: "an argument",
            });
        }
        Ok(args)
    }

    fn launch(
        self: &Arc<Self>,
        asked: Asked<'_>,
    ) -> Result<(Container, Option<OwnedFd>), EngineError> {
        let engine = &self.engine;
        if !engine.is_mine() {
            return Err(EngineError::Forked);
        }
        let id = new_id()?;
        let name = asked
            .name
            .map(|name| names::reserve(&engine.paths, name, &engine.owner, &id));
        let name = name.transpose()?;
        if let Some(file) = asked.id_file {
            file.write(&id)?;
        }
        let mut on_record = 0;
        for (flag, holds) in [
            (flags::UPPER, self.plan.has_disk_upper()),
            (flags::CGROUP, engine.spawner.group().is_some()),
            (flags::NAME, name.is_some()),
            (flags::IPC, shares_ipc(self.options())),
        ] {
            on_record |= if holds { flag } else { 0 };
        }
        let slot = engine
            .owner
            .claim(id.as_bytes().try_into().expect("64 digits"), on_record)?;

        let range = engine.spawner.free_range(&self.plan);
        let new_base = match (range, self.plan.userns()) {
            (None, userns) if userns.own_range() => {
                engine.ids.give_back(engine.spawner.take_released());
                engine.ids.take()?
            }
            // A number for this start alone: what it has of the range is not kept.
            (None, Userns::Joined { .. }) => NEXT_JOINED.fetch_add(1, Ordering::Relaxed),
            _ => 0,
        };
        let opened =
            open(&self.plan, engine.spawner.wants_layers(range)).inspect_err(|_| match range {
                Some(range) => engine.spawner.return_range(&self.plan, range),
                None if self.plan.userns().own_range() => engine.ids.give_back([new_base]),
                None => {}
            });
        let opened = match opened {
            Ok(opened) => opened,
            Err(error) => {
                slot.release();
                return Err(error);
            }
        };
        let mut opened: Vec<BorrowedFd<'_>> = opened.iter().map(AsFd::as_fd).collect();
        if let Some(joined) = &self.joined {
            match joined.open(self.plan.joins()) {
                Ok(fds) => opened.extend(fds),
                Err(error) => {
                    slot.release();
                    return Err(error);
                }
            }
        }
        let timed = asked.timed;
        let asked = spawner::Request {
            id,
            args: asked.args,
            streams: asked.streams,
            slot,
            new_base,
            parked: asked.parked,
            timed,
            pause_at: pause(),
        };
        let began = Instant::now();
        let started = engine.spawner.launch(&self.plan, asked, range, &opened);
        let mut started = started.map_err(|error| match &self.joined {
            Some(joined) => joined.why(error),
            None => error.into(),
        })?;
        event!(
            Debug,
            "container {} started, pid {}",
            started.remains.id(),
            started.pid
        );
        let stub = started.stub.take();
        let reader = engine.spawner.reader(&self.plan, started.remains.id());
        let container = Container::new(Arc::clone(self), started, reader, name, began, timed);
        Ok((container, stub))
    }
}

/// Numbers for starts with another container's ids, below every range's.
static NEXT_JOINED: AtomicU32 = AtomicU32::new(1);

/// A start, asked for within the engine.
struct Asked<'a> {
    args: Vec<String>,
    streams: [Stream; 3],
    name: Option<&'a str>,
    id_file: Option<IdFile>,
    timed: bool,
    parked: bool,
}

/// Detached copies of a plan's layers, if wanted, and of its binds: only the caller's threads see the host's mounts.
pub(super) fn open(plan: &Plan, layers: bool) -> Result<Vec<OwnedFd>, EngineError> {
    let mut opened = Vec::new();
    if let Userns::Owned { .. } = plan.userns() {
        // Copies of mounts take rights that an ordinary user has only inside.
        return Ok(opened);
    }
    if layers {
        for path in plan.layers() {
            let failed = |errno| EngineError::Bind {
                path: path.clone(),
                errno,
            };
            opened.push(mount::clone_path(path, false).map_err(failed)?);
        }
    }
    for bind in plan.binds() {
        let failed = |errno| EngineError::Bind {
            path: bind.source.clone(),
            errno,
        };
        if bind.layers.is_empty() {
            opened.push(mount::clone_path(&bind.source, bind.recursive).map_err(failed)?);
        }
        match bind.layers.as_slice() {
            [layer] => opened.push(part(layer, &bind.subpath).map_err(failed)?),
            layers => {
                for layer in layers {
                    opened.push(mount::clone_path(layer, false).map_err(failed)?);
                }
            }
        }
    }
    Ok(opened)
}

/// A detached copy of what is at `subpath` in a layer. Where that leads was settled before: no link of the image is
/// followed now.
fn part(layer: &Path, subpath: &Path) -> Result<OwnedFd, Errno> {
    if subpath.as_os_str().is_empty() {
        return mount::clone_path(layer, false);
    }
    let flags = OFlag::O_PATH | OFlag::O_CLOEXEC;
    let top = nix::fcntl::open(layer, flags, Mode::empty())?;
    let how = OpenHow::new().flags(flags).resolve(
        ResolveFlag::RESOLVE_BENEATH
            | ResolveFlag::RESOLVE_NO_SYMLINKS
            | ResolveFlag::RESOLVE_NO_MAGICLINKS,
    );
    let place = openat2(&top, subpath, how)?;
    mount::clone_fd(&place, false)
}

/// 64 hexadecimal digits at random.
fn new_id() -> Result<String, EngineError> {
    let mut bytes = [0u8; 32];
    random::fill(&mut bytes).map_err(EngineError::system("draw a random id"))?;
    Ok(bytes
        .iter()
        .flat_map(|byte| [byte >> 4, byte & 15])
        .map(|digit| char::from(b"0123456789abcdef"[digit as usize]))
        .collect())
}

/// For tests that kill the caller at a step: the step to pause at.
fn pause() -> Option<u32> {
    std::env::var("FASTBOX_TEST_PAUSE_AT").ok()?.parse().ok()
}
