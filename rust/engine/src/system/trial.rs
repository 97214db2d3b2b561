//! The proof: a container.

use std::time::{Duration, Instant};

use crate::options::Options;
use crate::run::{EngineError, Input, Output, Request, engine};

/// What came of it.
pub struct Trial {
    /// From the request to the end.
    pub took: Duration,
    /// Defaults that it could not have.
    pub notes: Vec<String>,
}

/// Runs `true` of the image `host` with every default.
pub fn run() -> Result<Trial, EngineError> {
    let options = Options::default().check()?;
    let command = ["true".to_owned()];
    let began = Instant::now();
    let prepared = engine()?.prepare("host", options, &command)?;
    let request = Request {
        args: Vec::new(),
        stdin: Input::Null,
        stdout: Output::Null,
        stderr: Output::Null,
        name: None,
        id_file: None,
        timed: false,
    };
    let container = prepared.start(request)?;
    container.wait(Some(Duration::from_secs(30)), &mut || false)?;
    Ok(Trial {
        took: began.elapsed(),
        notes: prepared.notes(),
    })
}
