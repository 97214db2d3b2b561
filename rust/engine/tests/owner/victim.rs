//! What runs in the processes that tests kill.
use std::ffi::CString;
use std::io::{Write, stdout};
use std::os::fd::AsFd;
use std::path::Path;
use std::sync::Arc;
use std::thread::sleep;
use std::time::Duration;

use fastbox_container::cgroup::{Driver, OwnerGroup};
use fastbox_engine::owner::{Owner, names, reconcile};
use fastbox_sys::builder::{Builder, Program, Slot as Register};
use fastbox_sys::clone::flags::NEWPID;
use fastbox_sys::journal::Slot;
use fastbox_sys::launch::{Launch, Stack};
use fastbox_sys::pidfd;

use nix::sys::signal::Signal;
use nix::sys::wait::{Id, WaitPidFlag, waitid};
use nix::unistd::Uid;

use crate::support::{Place, monitor};

/// A container of sorts: a sleeper on record, the first process of a pid namespace where that is allowed.
pub struct Sleeper {
    pub slot: Slot,
    pub child: fastbox_sys::launch::Child,
}

pub fn start(owner: &Owner, name: &str, number: u32) -> Sleeper {
    let (program, [paths, argv, envp]) = sleeping();
    let id: [u8; 64] = format!("{number:064x}").into_bytes().try_into().unwrap();
    let slot = owner.claim(&id, 0).unwrap();
    let text = |text: &str| CString::new(text).unwrap();
    let mut launch = Launch::new();
    launch.array(paths, vec![text("/bin/sleep"), text("/usr/bin/sleep")]);
    // Of busybox the last part of the name makes it sleep.
    let name = format!("{name}/sleep");
    launch.array(argv, vec![text(&name), text("1000")]);
    launch.array(envp, vec![]);
    let namespaces = if Uid::effective().is_root() {
        NEWPID
    } else {
        0
    };
    slot.stamp();
    let child = launch
        .spawn(
            &program,
            &mut Stack::new(),
            namespaces,
            None,
            slot.pid(),
            false,
        )
        .unwrap();
    slot.started();
    Sleeper { slot, child }
}

fn sleeping() -> (Program, [Register; 3]) {
    let mut builder = Builder::new();
    let slots = [builder.slot(), builder.slot(), builder.slot()];
    let [paths, argv, envp] = slots;
    builder.exec(paths, argv, envp);
    (builder.finish(), slots)
}

impl Sleeper {
    pub fn end(self) {
        pidfd::send_signal(&self.child.pidfd, Some(Signal::SIGKILL)).unwrap();
        self.reap();
    }

    pub fn reap(self) {
        let process = Id::PIDFd(self.child.pidfd.as_fd());
        waitid(process, WaitPidFlag::WEXITED).unwrap();
        self.slot.release();
    }
}

/// The body of a victim; for the test runner, which knows no other, a test that passes.
#[test]
fn role() {
    let (Some(kind), Some(dir)) = (std::env::var_os("FB_VICTIM"), std::env::var_os("FB_PLACE"))
    else {
        return;
    };
    let place = Place::at(Path::new(&dir));
    match kind.to_str().unwrap() {
        "watched" => busy(&place, true),
        "unwatched" => busy(&place, false),
        "parented" => crate::parents::victim(&place, true),
        "parented-unwatched" => crate::parents::victim(&place, false),
        "grouped" => grouped(&place),
        "tidy" => tidy(&place),
        "contender" => contend(&place),
        "cleaner" => clean(&place),
        kind => panic!("{kind}"),
    }
}

pub fn tell(line: &str) {
    println!("{line}");
    stdout().flush().unwrap();
}

/// Makes and ends containers until it is killed.
fn busy(place: &Place, watched: bool) {
    let owner = Arc::new(Owner::register(&place.paths).unwrap());
    if watched {
        owner.start_watchdog(&monitor().unwrap()).unwrap();
    }
    let driver = Driver::probe();
    let _group = OwnerGroup::create(&driver, owner.id()).unwrap();
    tell("ready");
    let mut running = std::collections::VecDeque::new();
    for number in 0.. {
        let upper = owner
            .uppers()
            .unwrap()
            .join(number.to_string())
            .join("upper");
        std::fs::create_dir_all(&upper).unwrap();
        std::fs::write(upper.join("file"), "x").unwrap();
        let guard = names::reserve(&place.paths, &format!("name-{number}"), &owner, "c").unwrap();
        running.push_back((start(&owner, &place.marker(), number), guard));
        if running.len() > 5
            && let Some((sleeper, _guard)) = running.pop_front()
        {
            sleeper.end();
        }
    }
}

/// Has groups and a directory for uppers, a watchdog, and rests.
fn grouped(place: &Place) {
    let owner = Owner::register(&place.paths).unwrap();
    owner.start_watchdog(&monitor().unwrap()).unwrap();
    owner.uppers().unwrap();
    let _group = OwnerGroup::create(&Driver::probe(), owner.id()).unwrap();
    tell("ready");
    sleep(Duration::from_secs(1000));
}

/// Ends cleanly, its watchdog still there to see it, and then goes on living.
fn tidy(place: &Place) {
    let owner = Owner::register(&place.paths).unwrap();
    owner.start_watchdog(&monitor().unwrap()).unwrap();
    owner.uppers().unwrap();
    let sleeper = start(&owner, &place.marker(), 1);
    tell("ready");
    sleeper.end();
    owner.unregister().unwrap();
    sleep(Duration::from_secs(1000));
}

/// Tries to get the one name, says how it went, and lives on.
fn contend(place: &Place) {
    let owner = Arc::new(Owner::register(&place.paths).unwrap());
    let got = names::reserve(&place.paths, "the-one", &owner, owner.id());
    match &got {
        Ok(_) => tell(&format!("won {}", owner.id())),
        Err(error) => tell(&format!("lost {error}")),
    }
    sleep(Duration::from_secs(1000));
}

/// Cleans up after others, and ends before the test runner can say anything into a closed pipe.
fn clean(place: &Place) -> ! {
    tell("ready");
    let found = reconcile(&place.paths, &Driver::probe());
    std::process::exit(found.errors.len() as i32);
}
