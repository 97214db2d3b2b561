//! `fastbox run` up to its exit code: what the native launcher and Python's command line both do with a command that
//! has been read.

use super::{Communicated, EngineError, IdFile, Input, Output, Prepared, Pump, Request, engine};
use crate::options::{Attach, RunCommand};
use std::io::Write;
use std::os::fd::AsFd;
use std::sync::Arc;

/// The exit code where time was up, that of timeout(1).
const TIMED_OUT: i32 = 124;

/// A run on this process's own streams, prepared.
pub struct Foreground {
    prepared: Arc<Prepared>,
    id_file: Option<IdFile>,
}

impl Foreground {
    /// Makes the file for the id, and prepares the plan.
    ///
    /// # Errors
    /// Those of [`engine`](super::engine()) and [`Engine::prepare`](super::Engine::prepare); a file for the id that
    /// is there.
    pub fn prepare(command: RunCommand) -> Result<Foreground, EngineError> {
        // Before anything else, as with Docker: the path may belong to a container that runs.
        let path = command.options.cidfile.as_ref();
        let id_file = path
            .map(|file| IdFile::create(file.0.as_ref()))
            .transpose()?;
        let prepared = engine()?.prepare(&command.image, command.options, &command.command)?;
        Ok(Foreground { prepared, id_file })
    }

    /// Runs it, tells on stderr what is to be told, and gives the exit code: the program's, 128 and the signal that
    /// ended it, or 124 where its time was up.
    ///
    /// # Errors
    /// Those of [`Prepared::start`] and [`Container::pump`](super::Container::pump).
    pub fn run(self) -> Result<i32, EngineError> {
        let options = self.prepared.options();
        if !options.quiet {
            for note in self.prepared.notes() {
                tell(format_args!("fastbox: note: {note}"));
            }
        }
        let output = |stream| match options.attached(stream) {
            true => Output::Pipe,
            false => Output::Null,
        };
        let mut container = self.prepared.start(Request {
            args: Vec::new(),
            stdin: match options.interactive {
                true => Input::Pipe,
                false => Input::Null,
            },
            stdout: output(Attach::Stdout),
            stderr: output(Attach::Stderr),
            name: options.name.as_ref().map(|name| name.0.clone()),
            id_file: self.id_file,
            timed: options.timings,
        })?;
        let (stdin, stdout, stderr) = (std::io::stdin(), std::io::stdout(), std::io::stderr());
        let ended = container.pump(
            options.interactive.then(|| stdin.as_fd()),
            options.attached(Attach::Stdout).then(|| stdout.as_fd()),
            options.attached(Attach::Stderr).then(|| stderr.as_fd()),
            Pump {
                timeout: options.timeout,
                // 0 is no limit.
                max_output: options
                    .max_output
                    .map(|most| most.0)
                    .filter(|most| *most > 0),
                signals: options.sig_proxy.0,
                detach_keys: &options.detach_keys().0,
            },
        )?;
        drop(container);
        Ok(said(ended, options.timeout.map(|time| time.as_secs_f64())))
    }
}

/// Tells how it ended; the exit code.
fn said(ended: Communicated, timeout: Option<f64>) -> i32 {
    let exit = ended.exit;
    let mut code = exit.code;
    if let Some(seconds) = timeout.filter(|_| ended.timed_out) {
        tell(format_args!("fastbox: timed out after {seconds} seconds"));
        code = TIMED_OUT;
    } else if ended.truncated {
        tell(format_args!(
            "fastbox: killed: more output than --max-output allows"
        ));
    } else if exit.usage().oom_killed == Some(true) && exit.signal.is_some() {
        tell(format_args!("fastbox: killed: out of memory"));
    }
    if let Some(steps) = exit.timings {
        waterfall(&steps);
    }
    code
}

/// Each step with its microseconds, then all together.
fn waterfall(steps: &[(String, String, f64)]) {
    let label = |(step, target, _): &(String, String, f64)| match target.is_empty() {
        true => step.clone(),
        false => format!("{step} {target}"),
    };
    let mut rows: Vec<(String, f64)> = steps.iter().map(|row| (label(row), row.2)).collect();
    rows.push(("total".to_owned(), steps.iter().map(|row| row.2).sum()));
    let wide = rows.iter().map(|(label, _)| label.chars().count()).max();
    let wide = wide.unwrap_or(0);
    for (label, micros) in rows {
        tell(format_args!("{label:wide$}  {micros:10.1} µs"));
    }
}

/// A line on stderr, in one piece; where nobody reads it is lost.
pub fn tell(line: std::fmt::Arguments<'_>) {
    let _ = std::io::stderr().write_all(format!("{line}\n").as_bytes());
}
