//! Containers of an ordinary user. Started by root, each test runs itself again as a user without any right.
mod delegated;
mod ends;
mod lacks;
mod ranges;
mod resources;
mod runs;
mod support;

#[path = "../../../image/tests/common/mod.rs"]
mod archive;
