//! Real containers, through the engine's library: needs root, says so and skips else. They also run as a static
//! program on another kernel (tests/vm).
mod devices;
mod disk;
mod ends;
mod exec;
mod files;
mod groups;
mod hostile;
mod identity;
mod image_volumes;
mod init;
mod input;
mod joined;
mod layers;
mod limits;
mod mount_flag;
mod namespaces;
mod nothing_left;
mod privileged;
mod privileges;
mod probes;
mod refused;
mod resources;
mod rights;
mod security_opt;
mod support;
mod system_calls;
mod terminal;
mod volumes;

#[path = "../../../image/tests/common/mod.rs"]
mod archive;
