//! Runs a program in a container of an image, as often as said, and prints what it wrote and how long it took:
//! `cargo run --release --example run -- ROUNDS IMAGE PROGRAM [ARG...]`.

use fastbox_engine::options::Options;
use fastbox_engine::run::{Input, Output, Request, engine, waterfall};
use std::time::{Duration, Instant};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let rounds: usize = args[0].parse()?;
    let engine = engine()?;
    let prepared = engine.prepare(&args[1], Options::default().check()?, &args[2..])?;
    let mut took = Vec::new();
    for round in 0..rounds {
        let began = Instant::now();
        let request = Request {
            args: Vec::new(),
            stdin: Input::Null,
            stdout: Output::Pipe,
            stderr: Output::Pipe,
            name: None,
            id_file: None,
            timed: round + 1 == rounds && rounds < 10,
        };
        let done = prepared
            .start(request)?
            .communicate(None, None, None, &mut || false)?;
        took.push(began.elapsed().as_micros());
        // What the last one left is being cleared away meanwhile.
        std::thread::sleep(Duration::from_millis(3));
        if round + 1 == rounds {
            print!(
                "{}",
                String::from_utf8_lossy(&done.stdout.unwrap_or_default())
            );
            eprint!(
                "{}",
                String::from_utf8_lossy(&done.stderr.unwrap_or_default())
            );
            println!("exit {} {:?}", done.exit.code, done.exit.usage());
            for line in waterfall(&done.exit.timings.unwrap_or_default()) {
                println!("{line}");
            }
        }
    }
    took.sort_unstable();
    println!(
        "first to last: min {} median {} max {} us",
        took[0],
        took[took.len() / 2],
        took[took.len() - 1]
    );
    engine.settle();
    Ok(())
}
