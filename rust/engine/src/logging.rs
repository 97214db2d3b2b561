//! What happens, told to whoever asks: on stderr where the settings say so, and to a listener of the program
//! that the engine is in. Through the crate `log`: where nobody asks, an event costs one comparison.

use std::io::Write;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

pub use log::{Level, LevelFilter, Record};
use log::{Log, Metadata};

/// The target of all records of the engine.
pub const TARGET: &str = "fastbox";

/// Tells of something, at a level of the crate `log`.
macro_rules! event {
    ($level:ident, $($text:tt)+) => {
        log::log!(target: $crate::logging::TARGET, log::Level::$level, $($text)+)
    };
}
pub(crate) use event;

/// Takes records. Called on whatever thread something happens, with no lock held.
pub type Listener = fn(&Record<'_>);

struct Logger;

static STDERR: AtomicUsize = AtomicUsize::new(LevelFilter::Off as usize);
static LISTENING: AtomicUsize = AtomicUsize::new(LevelFilter::Off as usize);
static LISTENER: OnceLock<Listener> = OnceLock::new();

impl Log for Logger {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target() == TARGET
    }

    fn log(&self, record: &Record<'_>) {
        let level = record.level() as usize;
        if !self.enabled(record.metadata()) {
            return;
        }
        if level <= STDERR.load(Relaxed) {
            let word = record.level().as_str().to_ascii_lowercase();
            let line = format!("fastbox: {word}: {}\n", record.args());
            // In one piece, and where nobody reads it is lost.
            let _ = std::io::stderr().write_all(line.as_bytes());
        }
        if level <= LISTENING.load(Relaxed)
            && let Some(listener) = LISTENER.get()
        {
            listener(record);
        }
    }

    fn flush(&self) {}
}

/// Writes events up to a level to stderr.
pub(crate) fn start(level: Option<LevelFilter>) {
    let level = level.unwrap_or(LevelFilter::Off);
    STDERR.store(level as usize, Relaxed);
    apply();
}

/// Gives events up to a level to a listener; the first one stays, later calls change the level.
pub fn listen(listener: Listener, level: LevelFilter) {
    let _ = LISTENER.set(listener);
    if LISTENING.swap(level as usize, Relaxed) != level as usize {
        apply();
    }
}

fn apply() {
    static LOGGER: Logger = Logger;
    let wanted = STDERR.load(Relaxed).max(LISTENING.load(Relaxed));
    let level = LevelFilter::iter().nth(wanted).unwrap_or(LevelFilter::Off);
    // A program with a logger of its own keeps it, and its level.
    static OURS: OnceLock<bool> = OnceLock::new();
    if level != LevelFilter::Off && *OURS.get_or_init(|| log::set_logger(&LOGGER).is_ok())
        || OURS.get() == Some(&true)
    {
        log::set_max_level(level);
    }
}
