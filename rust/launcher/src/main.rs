//! fastbox: the command, as far as it must be fast. It knows the common way of `run`, on the same engine as Python, and
//! hands everything else to `fastbox-cli` beside it, which is complete by itself: other commands, help, mistakes,
//! terminals. It hands over before it has done anything.

mod hand_over;

use std::ffi::OsString;
use std::process::ExitCode;

use dlmalloc::GlobalDlmalloc;
use fastbox_engine::options::{self, RunCommand};
use fastbox_engine::run::{self, Foreground, tell};
use fastbox_engine::settings::{self, Before};

/// The stub, so that the launcher needs no file beside it; empty where the build did not bring it.
static STUB: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/fastbox-stub"));

/// musl's own asks the kernel for a page at every turn: a third of a run's time.
#[global_allocator]
static ALLOCATOR: GlobalDlmalloc = GlobalDlmalloc;

fn main() -> ExitCode {
    let args: Vec<OsString> = std::env::args_os().collect();
    let Some(command) = args.get(1..).and_then(read) else {
        return hand_over::to_python(&args);
    };
    run::bring_stub(STUB);
    let code = Foreground::prepare(command).and_then(Foreground::run);
    let code = code.unwrap_or_else(|error| {
        tell(format_args!("fastbox: {error}"));
        error.exit_code()
    });
    // Nothing is waited for: what is left is the watchdog's.
    std::process::exit(code)
}

/// The command, if it is one that is run here.
fn read(args: &[OsString]) -> Option<RunCommand> {
    if STUB.is_empty() && std::env::var_os("FASTBOX_PROGRAMS").is_none() {
        return None;
    }
    let (flags, count) = match settings::read_flags(args) {
        Ok(Before::Flags(flags, count)) => (flags, count),
        _ => return None,
    };
    let (verb, rest) = args[count..].split_first()?;
    if verb != "run" {
        return None;
    }
    settings::set_flags(flags);
    let defaults = settings::get().ok()?.defaults();
    let lookup = |name: &str| std::env::var(name).ok();
    let command = options::parse_run_with(rest, &lookup, &defaults).ok()?;
    // Terminals need a second process to put them back, and are for people, who do not notice.
    (!command.options.tty).then_some(command)
}
