//! What a container is told when it is released.

use crate::run::EngineError;
use fastbox_container::plan::Plan;
use fastbox_sys::order::Header;

/// The program, and what is given with it.
pub(super) struct Order<'a> {
    /// Program and arguments; not empty.
    pub args: &'a [String],
    /// Entries of the plan's environment.
    pub base: &'a [String],
    /// What is set beside, or instead.
    pub env: &'a [(String, String)],
    /// Another working directory than the plan's, made if it is not there.
    pub directory: Option<&'a str>,
    /// Files to write before, by path; a relative one begins in the working directory.
    pub files: &'a [(String, Vec<u8>)],
}

impl Order<'_> {
    /// The program's name.
    pub(super) fn program(&self) -> &str {
        self.args.first().map_or("", String::as_str)
    }

    /// Header and strings, as the stub reads them (`fastbox_sys::order`).
    pub(super) fn head(&self, hostname: &str, streams: u32) -> Result<Vec<u8>, EngineError> {
        let env = environment(self.base, self.env, hostname);
        let paths = Plan::candidates(self.program(), &env);
        let files = self.files.iter().map(|(path, _)| path);
        let mut strings = Vec::new();
        let directory = self.directory.unwrap_or_default().to_owned();
        let all = std::iter::once(&directory)
            .chain(&paths)
            .chain(self.args)
            .chain(&env)
            .chain(files);
        for text in all {
            strings.extend_from_slice(text.as_bytes());
            strings.push(0);
        }
        let too_long = |_| EngineError::system("hand over arguments")(nix::errno::Errno::E2BIG);
        let header = Header {
            head: strings.len().try_into().map_err(too_long)?,
            paths: paths.len() as u32,
            args: self.args.len() as u32,
            envs: env.len() as u32,
            files: self.files.len() as u32,
            streams,
        };
        let mut message = header.bytes().to_vec();
        message.append(&mut strings);
        Ok(message)
    }
}

/// A plan's environment with what is set beside, or instead.
pub(in crate::run) fn environment(
    base: &[String],
    set: &[(String, String)],
    hostname: &str,
) -> Vec<String> {
    let mut env = base.to_vec();
    for (name, value) in set {
        let entry = format!("{name}={value}");
        let known = env
            .iter_mut()
            .find(|known| known.split('=').next() == Some(name.as_str()));
        match known {
            Some(known) => *known = entry,
            None => env.push(entry),
        }
    }
    if !env.iter().any(|entry| entry.starts_with("HOSTNAME=")) {
        env.push(format!("HOSTNAME={hostname}"));
    }
    env
}
