//! `fastbox run` up to its exit code: what the native launcher and Python's command line both do with a command that
//! has been read.

use super::{
    Communicated, EngineError, IdFile, Input, Output, Prepared, Pump, Request, chrome_trace,
    engine, waterfall,
};
use crate::options::{Attach, RunCommand};
use std::fs::File;
use std::io::Write;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The exit code where time was up, that of timeout(1).
const TIMED_OUT: i32 = 124;

/// A run on this process's own streams, prepared.
pub struct Foreground {
    prepared: Arc<Prepared>,
    id_file: Option<IdFile>,
    timings_file: Option<(File, PathBuf)>,
}

impl Foreground {
    /// Makes the file for the id, and prepares the plan.
    ///
    /// # Errors
    /// Those of [`engine`](super::engine()) and [`Engine::prepare`](super::Engine::prepare); a file for the id that
    /// is there; one for the timings that cannot be made.
    pub fn prepare(command: RunCommand) -> Result<Foreground, EngineError> {
        // Before anything else, as with Docker: the path may belong to a container that runs.
        let path = command.options.cidfile.as_ref();
        let id_file = path
            .map(|file| IdFile::create(file.0.as_ref()))
            .transpose()?;
        let path = command.options.timings_file.as_ref();
        let timings_file = path.map(|path| create(path.0.as_ref())).transpose()?;
        let prepared = engine()?.prepare(&command.image, command.options, &command.command)?;
        Ok(Foreground {
            prepared,
            id_file,
            timings_file,
        })
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
            timed: options.timings || self.timings_file.is_some(),
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
        let code = said(&ended, options.timeout.map(|time| time.as_secs_f64()));
        let steps = ended.exit.timings.unwrap_or_default();
        if options.timings {
            waterfall(&steps)
                .iter()
                .for_each(|line| tell(format_args!("{line}")));
        }
        if let Some((mut file, path)) = self.timings_file {
            file.write_all(chrome_trace(&steps).as_bytes())
                .map_err(|source| EngineError::TimingsFile { path, source })?;
        }
        Ok(code)
    }
}

/// The file that `--timings-file` names, empty: that it cannot be made is told before anything runs.
fn create(path: &Path) -> Result<(File, PathBuf), EngineError> {
    let file = File::create(path).map_err(|source| EngineError::TimingsFile {
        path: path.to_owned(),
        source,
    })?;
    Ok((file, path.to_owned()))
}

/// Tells how it ended; the exit code.
fn said(ended: &Communicated, timeout: Option<f64>) -> i32 {
    let exit = &ended.exit;
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
    code
}

/// A line on stderr, in one piece; where nobody reads it is lost.
pub fn tell(line: std::fmt::Arguments<'_>) {
    let _ = std::io::stderr().write_all(format!("{line}\n").as_bytes());
}
