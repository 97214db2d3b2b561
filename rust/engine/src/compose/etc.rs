//! The three files of /etc that every container gets fresh: hosts(5), hostname(5), resolv.conf(5).

use crate::options::{Checked, Network};

/// Their names in /etc.
pub const FILES: [&str; 3] = ["hosts", "hostname", "resolv.conf"];

/// Those that a launch writes: not where the user mounted something there, or over /etc itself.
pub(super) fn to_generate(options: &Checked, possible: &[&'static str]) -> Vec<&'static str> {
    let binds = options.volumes.iter().map(|bind| &bind.destination);
    let taken: Vec<&String> = binds
        .chain(options.tmpfs.iter().map(|tmpfs| &tmpfs.destination))
        .collect();
    let free = |name: &&str| {
        !taken
            .iter()
            .any(|path| *path == "/etc" || path.strip_prefix("/etc/") == Some(*name))
    };
    possible.iter().copied().filter(free).collect()
}

/// The names of loopback, as Docker writes them; without an address of its own the container's
/// name, where it is known before the container is, means loopback.
pub fn hosts(hostname: Option<&str>) -> String {
    let own = hostname
        .map(|name| format!("127.0.1.1\t{name}\n"))
        .unwrap_or_default();
    format!(
        "127.0.0.1\tlocalhost\n\
         ::1\tlocalhost ip6-localhost ip6-loopback\n\
         fe00::\tip6-localnet\n\
         ff00::\tip6-mcastprefix\n\
         ff02::1\tip6-allnodes\n\
         ff02::2\tip6-allrouters\n\
         {own}"
    )
}

/// The hostname and a line's end.
pub fn hostname(hostname: &str) -> String {
    format!("{hostname}\n")
}

/// With the caller's network its own file; without a network nothing, since no server could be
/// reached and the caller's search domains are none of the container's business.
pub fn resolv_conf(network: Network, host: &[u8]) -> Vec<u8> {
    match network {
        Network::Host => host.to_vec(),
        Network::None => b"# No network.\n".to_vec(),
    }
}
