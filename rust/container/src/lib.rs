//! Spec → Plan → Container: an OCI document is compiled once into a program of system calls, and launched many
//! times by threads that do nothing else.

pub mod cgroup;
mod error;
pub mod features;
pub mod plan;
pub mod remove;
pub mod security;
mod slots;
pub mod spawner;

pub use error::{ContainerError, PlanError};
