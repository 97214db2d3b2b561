//! A container's own network, open to all its users as in Docker.

use fastbox_sys::builder::{Builder, Slot};

/// Any user may take ports below 1024, and any group up to `last_group` may ping (ip(7), icmp(7)): the namespace is
/// the container's alone. `proc` is a slot with the host's proc, where `sys/net` is the network of whoever looks.
pub(crate) fn open_to_all(b: &mut Builder, proc: Slot, last_group: u32) {
    const O_WRONLY: i32 = 1;
    let file = b.slot();
    for (name, value) in [
        ("ip_unprivileged_port_start", "0".to_owned()),
        ("ping_group_range", format!("0 {last_group}")),
    ] {
        b.label("network setting", name);
        b.open(
            Some(proc),
            format!("sys/net/ipv4/{name}").as_str(),
            O_WRONLY,
            file,
        );
        b.write(file, &value).close(file);
    }
    b.reuse_slots(file);
}
