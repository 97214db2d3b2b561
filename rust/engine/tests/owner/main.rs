//! Owners with real processes: killed at random moments, cleaned by their watchdog or by the next command.
mod damaged;
mod hostile;
mod killed;
mod named;
mod parents;
mod support;
mod victim;
