//! Changes to an image's config, written as Dockerfile instructions (`import --change`).

mod health;
mod instruction;
mod ports;
mod words;

use oci_spec::image::Config as OciConfig;

use crate::config::Config;
use crate::error::ImageError;

/// The shell of instructions in shell form.
const SHELL: [&str; 2] = ["/bin/sh", "-c"];

/// What a change may be, for messages.
const INSTRUCTIONS: &str = "CMD, ENTRYPOINT, ENV, EXPOSE, HEALTHCHECK, LABEL, ONBUILD, STOPSIGNAL, \
                            USER, VOLUME or WORKDIR";

/// Applies instructions, in Docker's grammar, to a config: the lines of `changes` in their order,
/// where a line that ends with a backslash goes on in the next, and one that begins with `#` is a
/// comment. `$NAME` stands for the value in the config's Env, everywhere but in CMD, ENTRYPOINT,
/// HEALTHCHECK and ONBUILD. On an error the config may have changed in part.
///
/// # Errors
/// [`ImageError::Change`] with the instruction and what is wrong with it.
pub fn apply<S: AsRef<str>>(config: &mut Config, changes: &[S]) -> Result<(), ImageError> {
    let mut target = Target {
        config,
        has_command: false,
    };
    for line in lines(changes) {
        target.apply(&line).map_err(|reason| ImageError::Change {
            change: line.chars().take(300).collect(),
            reason,
        })?;
    }
    Ok(())
}

/// The config, and what later instructions must know of earlier ones.
struct Target<'a> {
    config: &'a mut Config,
    /// Whether CMD was among them: ENTRYPOINT drops a command only where it came from before.
    has_command: bool,
}

impl Target<'_> {
    fn oci(&mut self) -> &mut OciConfig {
        &mut self.config.oci
    }
}

/// The instructions: continued lines are joined, empty ones and comments left out.
fn lines<S: AsRef<str>>(changes: &[S]) -> Vec<String> {
    let mut found = Vec::new();
    let mut begun = String::new();
    for line in changes.iter().flat_map(|change| change.as_ref().lines()) {
        let text = line.trim_start();
        if text.starts_with('#') || text.is_empty() {
            continue;
        }
        // Only the first line's indentation means nothing.
        let text = if begun.is_empty() { text } else { line };
        match text.trim_end().strip_suffix('\\') {
            Some(continued) => begun.push_str(continued),
            None => {
                begun.push_str(text);
                found.push(std::mem::take(&mut begun).trim().to_owned());
            }
        }
    }
    if !begun.trim().is_empty() {
        found.push(begun.trim().to_owned());
    }
    found
}

#[cfg(test)]
mod tests;
