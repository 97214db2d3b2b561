//! Owners: processes that have containers, and what becomes of the containers when they end.
//!
//! An owner holds `<run>/owners/<id>`: a `pid` file that tells which process it is, and a `table` of its containers'
//! processes. All that belongs to its ephemeral containers carries the owner's id in its name (cgroups, upper
//! directories) or its content (names). So what a dead owner left can be told and removed by anyone: its watchdog
//! ([`clean`], [`sweep`]), or the next command ([`reconcile`]).

mod clean;
mod directory;
mod error;
mod find;
mod identity;
mod kill;
pub mod names;
mod parents;
mod reconcile;
mod register;
mod remove;
mod running;
mod watch;

pub use clean::{Meeting, Outcome, clean, has_traces, open_process, sweep};
pub use error::StateError;
pub use find::{Running, find};
pub use identity::Life;
pub use reconcile::{Reconciled, reconcile};
pub use register::{Owner, alive, tag};
pub use running::{running, running_names};
pub use watch::watch;
