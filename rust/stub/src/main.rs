//! fastbox-stub.
fn main() {}
