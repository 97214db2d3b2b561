//! Kernel calls nix lacks, and the child program. The only crate with unsafe code.
#![cfg_attr(not(feature = "std"), no_std)]
