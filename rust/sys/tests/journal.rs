//! The table of containers, as its writer, its readers and a forked process see it.
#![cfg(feature = "std")]
use std::fs::{File, OpenOptions};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use fastbox_sys::journal::{
    ClaimError, Header, Table, boottime_ns, flags, read_entries, read_header,
};
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::{ForkResult, fork};

fn new_file(name: &str) -> (File, std::path::PathBuf) {
    let path = std::env::temp_dir().join(format!("fastbox-journal-{name}-{}", std::process::id()));
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .create_new(true)
        .open(&path)
        .unwrap();
    (file, path)
}

fn header() -> Header {
    Header {
        pid: 77,
        start: 1234,
        boot: *b"01234567-89ab-cdef-0123-456789abcdef",
    }
}

#[test]
fn a_reader_sees_what_is_claimed() {
    let (file, path) = new_file("claim");
    let table = Arc::new(Table::create(file, &header()).unwrap());
    let read = || std::fs::read(&path).unwrap();
    assert_eq!(read_header(&read()), Some(header()));
    let before = boottime_ns();
    let slots: Vec<_> = (0..300)
        .map(|n| {
            let id = format!("{n:064x}").into_bytes().try_into().unwrap();
            table.claim(&id, flags::CGROUP).unwrap()
        })
        .collect();
    // Claimed is not yet running: no pid, no entry.
    assert_eq!(read_entries(&read()).count(), 0);
    for (slot, pid) in slots.iter().zip(1000..) {
        slot.stamp();
        slot.pid().store(pid, Ordering::Relaxed);
    }
    slots[7].started();
    let entries: Vec<_> = read_entries(&read()).collect();
    assert_eq!(entries.len(), 300);
    assert_eq!((entries[7].pid, entries[7].flags), (1007, flags::CGROUP));
    assert_eq!(entries[7].id, format!("{:064x}", 7));
    assert!(before <= entries[7].stamp && entries[7].stamp <= entries[7].closed.unwrap().get());
    assert_eq!(entries[8].closed, None);
    slots
        .into_iter()
        .for_each(fastbox_sys::journal::Slot::release);
    assert_eq!(read_entries(&read()).count(), 0);
    std::fs::remove_file(path).unwrap();
}

#[test]
fn threads_never_share_a_slot() {
    let (file, path) = new_file("threads");
    let table = Arc::new(Table::create(file, &header()).unwrap());
    std::thread::scope(|scope| {
        for thread in 1..=4 {
            let table = &table;
            scope.spawn(move || {
                for _ in 0..20_000 {
                    let slot = table.claim(&[b'0'; 64], 0).unwrap();
                    slot.stamp();
                    assert_eq!(slot.pid().swap(thread, Ordering::Relaxed), 0);
                    std::hint::spin_loop();
                    assert_eq!(slot.pid().load(Ordering::Relaxed), thread);
                    slot.release();
                }
            });
        }
    });
    std::fs::remove_file(path).unwrap();
}

#[test]
fn a_forked_process_changes_nothing() {
    let (file, path) = new_file("fork");
    let table = Arc::new(Table::create(file, &header()).unwrap());
    let slot = table.claim(&[b'0'; 64], 0).unwrap();
    slot.stamp();
    slot.pid().store(5, Ordering::Relaxed);
    // SAFETY: the child touches the table's atomics only, and leaves without running anything else.
    match unsafe { fork() }.unwrap() {
        ForkResult::Child => {
            let refused = matches!(table.claim(&[b'1'; 64], 0), Err(ClaimError::Forked));
            let mine = table.is_mine();
            slot.release();
            // SAFETY: ends the process at once.
            unsafe { nix::libc::_exit(i32::from(!refused || mine)) }
        }
        ForkResult::Parent { child } => {
            assert_eq!(waitpid(child, None).unwrap(), WaitStatus::Exited(child, 0));
        }
    }
    assert!(table.is_mine());
    assert_eq!(read_entries(&std::fs::read(&path).unwrap()).count(), 1);
    slot.release();
    std::fs::remove_file(path).unwrap();
}
