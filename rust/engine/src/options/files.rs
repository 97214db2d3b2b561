//! `--env-file` and `--label-file`: lines of `NAME=VALUE`, in the form Docker reads.

use std::fs;

use super::{EnvVar, Label, OptionError, Options};

impl Options {
    /// Reads the files named; what was given by itself comes later and so goes before.
    ///
    /// # Errors
    /// [`OptionError::File`] for a file that cannot be read, [`OptionError::Line`] for a line that is none.
    pub(super) fn read_files(
        &mut self,
        lookup: &dyn Fn(&str) -> Option<String>,
    ) -> Result<(), OptionError> {
        let mut env = Vec::new();
        for path in &self.env_file {
            for (name, value) in read("--env-file", path)? {
                // A name alone takes the caller's value; where there is none, it says nothing.
                let value = value.or_else(|| lookup(&name));
                env.extend(value.map(|value| EnvVar {
                    name,
                    value: Some(value),
                }));
            }
        }
        self.env.splice(0..0, env);
        let mut labels = Vec::new();
        for path in &self.label_file {
            for (name, value) in read("--label-file", path)? {
                labels.extend(value.map(|value| Label { name, value }));
            }
        }
        self.label.splice(0..0, labels);
        Ok(())
    }
}

type Line = (String, Option<String>);

fn read(flag: &'static str, path: &str) -> Result<Vec<Line>, OptionError> {
    let bytes = fs::read(path).map_err(|error| OptionError::File {
        flag,
        path: path.to_owned(),
        reason: error.to_string(),
    })?;
    // Written by an editor of another system.
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&bytes);
    let mut lines = Vec::new();
    for (number, line) in (1..).zip(bytes.split(|byte| *byte == b'\n')) {
        let wrong = |reason| OptionError::Line {
            flag,
            path: path.to_owned(),
            number,
            reason,
        };
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let line = std::str::from_utf8(line).map_err(|_| wrong("it is not valid UTF-8"))?;
        let line = line.trim_start();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        if line.contains('\0') {
            return Err(wrong("it contains a zero byte"));
        }
        // What stands behind the first = is the value as it is, quotes and blanks included.
        let (name, value) = match line.split_once('=') {
            Some((name, value)) => (name, Some(value.to_owned())),
            None => (line, None),
        };
        if name.is_empty() {
            return Err(wrong("it has no name before the ="));
        }
        if name.contains([' ', '\t']) {
            return Err(wrong("its name contains whitespace"));
        }
        lines.push((name.to_owned(), value));
    }
    Ok(lines)
}
