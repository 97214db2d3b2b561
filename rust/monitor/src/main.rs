//! fastbox-monitor: the watchdog, one small process per caller. It outlives the caller, and then removes what the
//! caller left, and waits for the disk to have all files of images.
//!
//! `fastbox-monitor watch --owner DIR --root DIR --run DIR`, started by the caller itself. It leaves the caller's
//! session at once. Exit status of the process that was started: 0, or 2 with a line on stderr for wrong arguments.
//!
//! `fastbox-monitor terminal` is another, for as long as the caller's terminal is raw.
mod terminal;

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use fastbox_engine::owner::{StateError, watch};
use fastbox_engine::paths::Paths;

struct Watch {
    owner: String,
    root: PathBuf,
    run: PathBuf,
}

fn main() -> ExitCode {
    if std::env::args_os().skip(1).eq(["terminal"]) {
        return match terminal::watch() {
            Ok(()) => ExitCode::SUCCESS,
            Err(_) => ExitCode::FAILURE,
        };
    }
    let Some(watch) = parse(std::env::args_os().skip(1)) else {
        eprintln!("fastbox-monitor: usage: fastbox-monitor watch --owner DIR --root DIR --run DIR");
        return ExitCode::from(2);
    };
    match fastbox_engine::daemon::detach() {
        Ok(true) => ExitCode::SUCCESS,
        // Nobody reads what a process without streams says; the next command cleans up in its place.
        Ok(false) if run(&watch).is_ok() => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(errno) => {
            eprintln!("fastbox-monitor: cannot leave the caller: {}", errno.desc());
            ExitCode::FAILURE
        }
    }
}

fn parse(mut args: impl Iterator<Item = OsString>) -> Option<Watch> {
    if args.next()? != "watch" {
        return None;
    }
    let (mut owner, mut root, mut run) = (None, None, None);
    while let Some(flag) = args.next() {
        let value = Some(PathBuf::from(args.next()?));
        match flag.to_str()? {
            "--owner" => owner = value,
            "--root" => root = value,
            "--run" => run = value,
            _ => return None,
        }
    }
    Some(Watch {
        owner: owner?.file_name()?.to_str()?.to_owned(),
        root: root?,
        run: run?,
    })
}

fn run(asked: &Watch) -> Result<(), StateError> {
    watch(&Paths::at(&asked.root, &asked.run)?, &asked.owner)
}
