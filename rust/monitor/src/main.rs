//! fastbox-monitor: the watchdog, one small process per caller.
fn main() {}
