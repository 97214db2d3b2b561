//! Spawns a program again and again (vfork, exec, wait) and prints how many ended between two times of the monotonic
//! clock: `bare START SECONDS PROGRAM`.

use std::error::Error;
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [start, seconds, program] = args.as_slice() else {
        return Err("usage: bare START SECONDS PROGRAM".into());
    };
    let start: f64 = start.parse()?;
    let end = start + seconds.parse::<f64>()?;
    sleep(Duration::from_secs_f64((start - now()?).max(0.0)));
    let mut ended = 0;
    loop {
        let status = Command::new(program).stdin(Stdio::null()).status()?;
        if !status.success() {
            return Err(format!("{program} ended with {status}").into());
        }
        if now()? > end {
            println!("{ended}");
            return Ok(());
        }
        ended += 1;
    }
}

fn now() -> Result<f64, nix::Error> {
    let now = nix::time::clock_gettime(nix::time::ClockId::CLOCK_MONOTONIC)?;
    Ok(now.tv_sec() as f64 + now.tv_nsec() as f64 / 1e9)
}
