//! One thread that starts containers: takes a request, makes what is made outside, clones, answers.

use super::drawers::Drawers;
use super::start::Start;
use super::{
    Config, Inside, Job, Remains, Shared, Stream, enter, janitor, lean, lock, namespaces, network,
    owned,
};
use crate::cgroup::{Bases, Driver, Kind};
use crate::error::ContainerError;
use fastbox_sys::channel::{self, Channel};
use fastbox_sys::launch::Stack;
use fastbox_sys::mount::{self};
use nix::errno::Errno;
use nix::fcntl::{OFlag, openat};
use nix::sys::signal::{SigSet, SigmaskHow, sigprocmask};
use nix::sys::stat::Mode;
use std::collections::HashMap;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Condvar, Mutex, OnceLock};

type JobCell = Arc<Mutex<Option<Job>>>;

/// Body of the first thread: makes the world the others live in, starts them, and becomes one of them.
pub(super) fn first(
    mut config: Config,
    ends: Vec<Channel>,
    jobs: Vec<JobCell>,
    remains: Receiver<janitor::Work>,
    ready: SyncSender<Result<Arc<Shared>, ContainerError>>,
) {
    // A rendezvous: a request that finds the thread busy is not queued behind others.
    let (networks, wanted) = sync_channel(0);
    let brief = config.heir.is_some();
    let shared = match settle_in(&mut config, &ends, networks) {
        Ok(shared) => Arc::new(shared),
        Err(error) => {
            // The ends were never this thread's own if the tables did not part: leave them to the process.
            std::mem::forget((ends, config.heir.take()));
            let _ = ready.send(Err(error));
            return;
        }
    };
    let mut started = true;
    if !brief {
        let janitors = Arc::clone(&shared);
        started = std::thread::Builder::new()
            .name("fastbox-janitor".into())
            .spawn(move || janitor::work(&janitors, &remains))
            .is_ok();
    }
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
    config: &mut Config,
    ends: &[Channel],
    networks: SyncSender<network::Wanted>,
) -> Result<Shared, ContainerError> {
    let failed = ContainerError::spawner;
    sigprocmask(SigmaskHow::SIG_SETMASK, Some(&SigSet::all()), None)
        .map_err(failed("block signals"))?;
    channel::own_file_table(&ends.iter().chain(&config.heir).collect::<Vec<_>>())
        .map_err(failed("part the file table"))?;
    let features = config.features;
    let directory = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
    let proc = nix::fcntl::open("/proc", directory, Mode::empty()).map_err(failed("open /proc"))?;
    let user = is_user();
    let dev = if user {
        nix::fcntl::open("/dev", directory, Mode::empty()).map_err(failed("open /dev"))?
    } else {
        lean::dev(&[], 0, false)?
    };
    let null = openat(
        &dev,
        "null",
        OFlag::O_RDWR | OFlag::O_CLOEXEC,
        Mode::empty(),
    )
    .map_err(failed("open /dev/null"))?;
    let driver = config.driver.get_or_init(Driver::probe);
    let bases = match driver.kind() {
        Kind::None => None,
        _ => Some(Bases::open(driver)?),
    };
    let mut inside = Inside {
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
        group: None,
        groups_below: Mutex::new(HashMap::new()),
        features,
        dumpable: nix::sys::prctl::get_dumpable().unwrap_or(false),
        programs: namespaces::Programs::new(),
        kept: Mutex::new(HashMap::new()),
        held: Mutex::new(HashMap::new()),
        drawers: Drawers::default(),
        owned: OnceLock::new(),
        heir: config.heir.take(),
        ahead: Mutex::new(None),
    };
    let groups = || bases.map(|bases| bases.create(&config.owner)).transpose();
    if user {
        inside.group = groups()?.map(Arc::new);
        // A mount namespace of its own takes rights that the user does not have.
        let _ = inside.owned.set(owned::make(&inside)?);
    } else {
        lean::enter(features, &inside.dev, &inside.uppers)?;
        let made = std::thread::scope(|scope| {
            let leaving = std::thread::Builder::new().spawn_scoped(scope, lean::leave_old);
            let made = groups().map(|group| (group, first_range(config, &inside)));
            match leaving {
                Ok(leaving) => leaving.join().unwrap_or(Ok(()))?,
                Err(_) => lean::leave_old()?,
            }
            Ok::<_, ContainerError>(made?)
        });
        let (group, ahead) = made?;
        inside.group = group.map(Arc::new);
        inside.ahead = Mutex::new(ahead);
        let namespace = openat(
            &inside.proc,
            "thread-self/ns/mnt",
            OFlag::O_CLOEXEC,
            Mode::empty(),
        );
        inside.leave(&[inside.dev.as_fd(), inside.uppers.as_fd()]);
        inside.leave(&namespace.iter().map(AsFd::as_fd).collect::<Vec<_>>());
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

/// The user namespace that is wanted ahead. Where it cannot be had, the start will say so.
fn first_range(config: &Config, inside: &Inside) -> Option<(u32, OwnedFd)> {
    let base = config.first_range?;
    let made = namespaces::user(inside, &mut Stack::new(), base);
    made.ok().map(|userns| (base, userns))
}

/// Whether this is an ordinary user, who can have no mount namespace but with a user namespace.
fn is_user() -> bool {
    !nix::unistd::geteuid().is_root()
}

fn work(shared: &Arc<Shared>, channel: &Channel, job: &JobCell) {
    let mut stack = Stack::new();
    // The other end closes when the process ends, or execs.
    loop {
        let received = match channel.receive() {
            Ok(Some(received)) => Some(received),
            Ok(None) => return,
            // Its fds did not all find a place in this table.
            Err(Errno::ENOBUFS) => None,
            Err(_) => return,
        };
        let Some(asked) = lock(job).take() else {
            continue;
        };
        let Some((fresh, mut fds)) = received else {
            *lock(job) = Some(without_files(shared, asked));
            if channel.send(0, &[]).is_err() {
                return;
            }
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
                    joined: Vec::new(),
                    upper: String::new(),
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
                    joined: Vec::new(),
                    upper: String::new(),
                    timed: false,
                };
                (Job::Warmed(start.warm(fds)), Vec::new())
            }
            Job::Enter(entering, plan) => {
                match enter::begin(shared, &mut stack, &plan, *entering, fds) {
                    Ok((sent, fds)) => (Job::Entered(Ok(Box::new(sent))), fds),
                    Err(error) => (Job::Entered(Err(error)), Vec::new()),
                }
            }
            other @ (Job::Launched(_) | Job::Warmed(_) | Job::Entered(_)) => (other, Vec::new()),
        };
        *lock(job) = Some(answer);
        let fds: Vec<BorrowedFd<'_>> = back.iter().map(AsFd::as_fd).collect();
        if channel.send(0, &fds).is_err() {
            return;
        }
    }
}

/// The answer to what came without its files: nothing is begun, and a range of ids goes back where it came from.
fn without_files(shared: &Shared, asked: Job) -> Job {
    let full = || ContainerError::spawner("receive the files of a start")(Errno::EMFILE);
    match asked {
        Job::Launch(request, plan, base) => {
            let base = match request.new_base {
                0 => base,
                new => new,
            };
            let remains = Remains {
                id: request.id,
                plan,
                base,
                slot: Some(request.slot),
                counters: None,
                upper: None,
            };
            janitor::clear(shared, remains);
            Job::Launched(Err(full()))
        }
        Job::Warm(..) => Job::Warmed(Err(full())),
        Job::Enter(..) => Job::Entered(Err(full())),
        other @ (Job::Launched(_) | Job::Warmed(_) | Job::Entered(_)) => other,
    }
}
