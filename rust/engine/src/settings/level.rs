//! How much is told of what happens.

use log::LevelFilter;

/// The words for levels, from nothing to everything.
pub const LEVELS: &[&str] = &["off", "error", "warn", "info", "debug"];

/// The level a word stands for, in any case; Docker's `fatal` and Python's `warning` and `critical` are
/// words for the nearest.
pub fn level(word: &str) -> Option<LevelFilter> {
    match word.to_ascii_lowercase().as_str() {
        "off" => Some(LevelFilter::Off),
        "error" | "fatal" | "critical" => Some(LevelFilter::Error),
        "warn" | "warning" => Some(LevelFilter::Warn),
        "info" => Some(LevelFilter::Info),
        "debug" => Some(LevelFilter::Debug),
        _ => None,
    }
}
