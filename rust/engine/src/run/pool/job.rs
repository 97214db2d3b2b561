//! What a run brings with it.

use crate::run::{EngineError, Input, Output};

/// One run, asked of a pool.
pub struct Job {
    /// Program and arguments; where empty, what was prepared.
    pub args: Vec<String>,
    /// Set beside, or instead of, the plan's environment.
    pub env: Vec<(String, String)>,
    /// Another working directory than the plan's; made if it is not there.
    pub cwd: Option<String>,
    /// Files to write before the program begins, by path, as its user.
    pub files: Vec<(String, Vec<u8>)>,
    /// Standard input.
    pub stdin: Input,
    /// Standard output.
    pub stdout: Output,
    /// Standard error.
    pub stderr: Output,
    /// A name, to be the only running container of that name.
    pub name: Option<String>,
}

impl Job {
    /// Whether it brings no more than a start without the stub can take.
    pub(super) fn is_plain(&self) -> bool {
        self.env.is_empty() && self.cwd.is_none() && self.files.is_empty()
    }

    /// The same job once more, unless it hands descriptors over.
    pub(in crate::run) fn again(&self) -> Option<Job> {
        let output = |output: &Output| match output {
            Output::Null => Some(Output::Null),
            Output::Pipe => Some(Output::Pipe),
            Output::Stdout => Some(Output::Stdout),
            Output::Fd(_) => None,
        };
        Some(Job {
            args: self.args.clone(),
            env: self.env.clone(),
            cwd: self.cwd.clone(),
            files: self.files.clone(),
            stdin: match &self.stdin {
                Input::Null => Input::Null,
                Input::Pipe => Input::Pipe,
                Input::Fd(_) => return None,
            },
            stdout: output(&self.stdout)?,
            stderr: output(&self.stderr)?,
            name: self.name.clone(),
        })
    }

    /// Refuses strings that no program can be given.
    pub(super) fn check(&self) -> Result<(), EngineError> {
        let refuse = |what| Err(EngineError::NulByte { what });
        let bad = |text: &String| text.contains('\0');
        refuse_environment(&self.env)?;
        if self.cwd.iter().any(bad) {
            return refuse("the working directory");
        }
        if self.files.iter().any(|(path, _)| bad(path)) {
            return refuse("a file's path");
        }
        Ok(())
    }
}

/// Refuses what no program's environment can hold.
pub(in crate::run) fn refuse_environment(env: &[(String, String)]) -> Result<(), EngineError> {
    for (name, value) in env {
        if name.is_empty() || name.contains('=') {
            return Err(EngineError::EnvironmentName { name: name.clone() });
        }
        if name.contains('\0') || value.contains('\0') {
            return Err(EngineError::NulByte {
                what: "the environment",
            });
        }
    }
    Ok(())
}
