//! Kernel calls nix lacks, and the child program. The only crate with unsafe code.
//!
//! Without the feature `std` only [`raw`], [`program`], [`entry`] and [`order`] are there: what the stub, a static program on core
//! alone, is made of.
#![cfg_attr(not(feature = "std"), no_std)]

pub mod entry;
pub mod order;
pub mod program;
pub mod raw;

#[cfg(feature = "std")]
pub mod bpf;
#[cfg(feature = "std")]
pub mod builder;
#[cfg(feature = "std")]
pub mod channel;
#[cfg(feature = "std")]
pub mod clone;
#[cfg(feature = "std")]
pub mod daemon;
#[cfg(feature = "std")]
pub mod descriptor;
#[cfg(feature = "std")]
pub mod gate;
#[cfg(feature = "std")]
pub mod inode;
#[cfg(feature = "std")]
pub mod journal;
#[cfg(feature = "std")]
pub mod launch;
#[cfg(feature = "std")]
pub mod mount;
#[cfg(feature = "std")]
pub mod parcel;
#[cfg(feature = "std")]
pub mod per_process;
#[cfg(feature = "std")]
pub mod pidfd;
#[cfg(feature = "std")]
pub mod random;
#[cfg(feature = "std")]
pub mod steps;
#[cfg(feature = "std")]
pub mod terminal;
#[cfg(feature = "std")]
pub mod x32;
