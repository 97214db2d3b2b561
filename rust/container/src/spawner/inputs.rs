//! What one launch puts into its slots.

use super::start::{Start, arguments, step, text};
use super::{Ends, Request, Stream, janitor};
use crate::cgroup::Join;
use crate::error::ContainerError;
use crate::plan::{Bind, Plan, Process, Userns};
use crate::slots;
use fastbox_sys::launch::Launch;
use fastbox_sys::mount::{self, attr};
use nix::errno::Errno;
use nix::fcntl::{OFlag, OpenHow, ResolveFlag, openat, openat2};
use nix::sys::stat::Mode;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

impl Start<'_> {
    /// Makes the copies of what is bound what the plan wants of them; gives those back that it made itself, which the
    /// launch has by number.
    pub(super) fn binds(
        &mut self,
        launch: &mut Launch,
        opened: &[OwnedFd],
        plan: &Plan,
        userns: Option<&OwnedFd>,
    ) -> Result<Vec<OwnedFd>, ContainerError> {
        let mut made = Vec::new();
        let mut rest = opened;
        for (index, bind) in plan.binds.iter().enumerate() {
            let count = bind.layers.len().max(1).min(rest.len());
            let (own, others) = rest.split_at(count);
            rest = others;
            let userns = userns.filter(|_| bind.idmapped);
            let fd = match own {
                [fd] if bind.layers.is_empty() => {
                    prepare(fd, bind, userns)?;
                    fd
                }
                layers => {
                    made.push(merged(layers, bind, userns)?);
                    &made[made.len() - 1]
                }
            };
            launch.fd(slots::bind(index), fd.as_fd());
        }
        Ok(made)
    }

    /// What is written out for this container alone.
    pub(super) fn strings(&self, launch: &mut Launch, request: &Request, plan: &Plan) {
        let id = &request.id;
        let place = &self.upper;
        launch.string(slots::ID, text(place));
        let (upper, work) = match plan.flat_upper {
            true => (place.clone(), janitor::work_of(place)),
            false => (format!("{place}/upper"), format!("{place}/work")),
        };
        launch.string(slots::UPPER, text(&upper));
        launch.string(slots::WORK, text(&work));
        let base = plan.outside(self.base);
        launch.value(slots::BASE, base.into());
        // Where the user namespace is entered first, ids are as seen in it.
        let seen = if plan.userns == Userns::Early {
            0
        } else {
            base
        };
        launch.value(slots::ROOT_ID, seen.into());
        if plan.terminal {
            launch.value(slots::TERMINAL_OWNER, (seen + plan.process.uid).into());
        }
        for (slot, id) in &plan.id_texts {
            launch.string(*slot, text(&(seen + id).to_string()));
        }
        let hostname = plan.hostname_of(id);
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
        let Some(group) = self.shared.inside.group_of(plan)? else {
            return Ok(None);
        };
        match group.join(&plan.limits) {
            Join::None => Ok(None),
            Join::V1(places) => {
                for (slot, place) in slots::CGROUP_DIRS.iter().zip(places) {
                    launch.fd(*slot, place);
                }
                let tasks = format!("{}/tasks", request.id);
                launch.string(slots::CGROUP_TASKS, text(&tasks));
                Ok(None)
            }
            Join::V2(place) => {
                let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
                let dir = openat(place, request.id.as_str(), flags, Mode::empty());
                let failed = step("open cgroup", Path::new(&request.id));
                Ok(Some(dir.map_err(failed)?))
            }
        }
    }

    /// The container's streams; none where they are its terminal.
    pub(super) fn streams(
        &self,
        request: &Request,
        plan: &Plan,
    ) -> Result<Streams, ContainerError> {
        if plan.terminal {
            return Ok(Streams::default());
        }
        let null = &self.shared.inside.null;
        streams(&request.streams, null, plan.user(self.base))
    }
}

/// A program's ends, the caller's of those that are pipes, and which these are.
pub(super) type Streams = (Vec<OwnedFd>, Vec<OwnedFd>, Ends);

/// A program's streams. The pipes are `owner`'s, so that the program can open /dev/stdout, whatever its user.
pub(super) fn streams(
    wanted: &[Stream; 3],
    null: &OwnedFd,
    owner: Option<(u32, u32)>,
) -> Result<Streams, ContainerError> {
    let failed = ContainerError::spawner;
    let (mut theirs, mut ours, mut pipes) = (Vec::new(), Vec::new(), [false; 4]);
    for (index, stream) in wanted.iter().enumerate() {
        let copy = |fd: &OwnedFd| {
            fd.try_clone()
                .map_err(|_| failed("copy an fd")(Errno::EMFILE))
        };
        theirs.push(match stream {
            Stream::Null => copy(null)?,
            Stream::Fd(fd) => copy(fd)?,
            // Nothing came.
            Stream::Sent => return Err(failed("receive an fd")(Errno::EMFILE)),
            Stream::Stdout => copy(theirs.get(1).unwrap_or(null))?,
            Stream::Pipe => {
                let (read, write) =
                    nix::unistd::pipe2(OFlag::O_CLOEXEC).map_err(failed("make a pipe"))?;
                if let Some((uid, gid)) = owner {
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

/// Attributes, propagation and ids of a copy.
fn prepare(fd: &OwnedFd, bind: &Bind, userns: Option<&OwnedFd>) -> Result<(), ContainerError> {
    let set = mount::set_attributes_and_propagation;
    let mut spread = bind.propagation;
    if bind.attributes != 0 {
        let all = bind.recursive_attributes;
        let with = if all == bind.recursive {
            std::mem::take(&mut spread)
        } else {
            0
        };
        set(fd, bind.attributes, None, with, all).map_err(step("prepare bind", &bind.source))?;
    }
    if let Some(userns) = userns {
        match set(fd, 0, Some(userns), spread, bind.recursive) {
            Ok(()) => spread = 0,
            // Of a tree whose parts cannot all be mapped, at least the top is.
            Err(_) => mount::set_attributes(fd, 0, Some(userns), false)
                .map_err(step("map ids", &bind.source))?,
        }
    }
    if spread != 0 {
        set(fd, 0, None, spread, bind.recursive).map_err(step("prepare bind", &bind.source))?;
    }
    Ok(())
}

/// The layers of an image, read-only and with the container's ids, as one; of that the part that is wanted. Of a single
/// layer only that part has come.
fn merged(
    layers: &[OwnedFd],
    bind: &Bind,
    userns: Option<&OwnedFd>,
) -> Result<OwnedFd, ContainerError> {
    let userns = userns.map(|fd| fd as &dyn AsFd);
    for layer in layers {
        mount::set_attributes_and_propagation(layer, attr::RDONLY, userns, attr::MS_PRIVATE, false)
            .map_err(step("map ids", &bind.source))?;
    }
    let failed = |errno| step("mount image", &bind.source)(errno);
    if let [part] = layers {
        return part.try_clone().map_err(|_| failed(Errno::EMFILE));
    }
    let top_first: Vec<_> = layers.iter().rev().map(AsFd::as_fd).collect();
    let whole = mount::overlay_of(&top_first).map_err(failed)?;
    if bind.subpath.as_os_str().is_empty() {
        return Ok(whole);
    }
    // Where the path leads was settled before; an image's link is not followed now.
    let how = OpenHow::new()
        .flags(OFlag::O_PATH | OFlag::O_CLOEXEC)
        .resolve(
            ResolveFlag::RESOLVE_IN_ROOT
                | ResolveFlag::RESOLVE_NO_SYMLINKS
                | ResolveFlag::RESOLVE_NO_MAGICLINKS,
        );
    let part = openat2(&whole, &bind.subpath, how).map_err(failed)?;
    mount::clone_fd(&part, false).map_err(failed)
}
