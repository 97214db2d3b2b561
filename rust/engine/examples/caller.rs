//! Answers each line of its standard input with the seconds of one run of /bin/true, as benches/caller.py does from
//! Python: `cargo run --release --example caller -- IMAGE`.

use fastbox_engine::options::Options;
use fastbox_engine::run::{Input, Output, Request, engine};
use std::time::Instant;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let image = std::env::args()
        .nth(1)
        .ok_or("an image's name is missing")?;
    let engine = engine()?;
    let command = ["/bin/true".to_owned()];
    let prepared = engine.prepare(&image, Options::default().check()?, &command)?;
    for line in std::io::stdin().lines() {
        line?;
        let began = Instant::now();
        let request = Request {
            args: Vec::new(),
            stdin: Input::Null,
            stdout: Output::Pipe,
            stderr: Output::Pipe,
            name: None,
            id_file: None,
            timed: false,
        };
        let done = prepared
            .start(request)?
            .communicate(None, None, None, &mut || false)?;
        let took = began.elapsed();
        if done.exit.code != 0 {
            return Err(format!("/bin/true ended with exit code {}", done.exit.code).into());
        }
        println!("{}", took.as_secs_f64());
    }
    engine.settle();
    Ok(())
}
