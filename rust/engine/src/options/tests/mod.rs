//! The grammar and every error, as tables.

mod flags;
mod limits;
mod mounts;
mod process;
mod refused;
mod together;
mod values;

use super::*;

fn lookup(name: &str) -> Option<String> {
    (name == "LANG").then(|| "de_DE.UTF-8".to_owned())
}

fn parse(line: &[&str]) -> Result<RunCommand, OptionError> {
    parse_run(line, &lookup)
}

/// The options of a line that ends with an image.
fn options(line: &[&str]) -> Checked {
    let mut line = line.to_vec();
    line.push("img");
    parse(&line)
        .unwrap_or_else(|error| panic!("{line:?}: {error}"))
        .options
}

/// The error text of a line that ends with an image.
fn error(line: &[&str]) -> String {
    let mut line = line.to_vec();
    line.push("img");
    match parse(&line) {
        Err(error) => error.to_string(),
        Ok(command) => panic!("{line:?} was taken: {command:?}"),
    }
}
