//! Becoming Python's command line.

use std::ffi::OsString;
use std::io;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Command, ExitCode};

use fastbox_engine::run::tell;

/// Executes `fastbox-cli`, which is installed beside this program, with the same arguments; comes back only where it
/// cannot be.
pub fn to_python(args: &[OsString]) -> ExitCode {
    let (program, error) = match beside() {
        Ok(program) => {
            let error = Command::new(&program).args(args.iter().skip(1)).exec();
            (program, error)
        }
        Err(error) => (PathBuf::from("fastbox-cli"), error),
    };
    tell(format_args!(
        "fastbox: cannot start {}, a part of fastbox: {error}; install fastbox again",
        program.display()
    ));
    ExitCode::from(125)
}

/// Where this program is, whatever link it was started by.
fn beside() -> io::Result<PathBuf> {
    Ok(std::env::current_exe()?.with_file_name("fastbox-cli"))
}
