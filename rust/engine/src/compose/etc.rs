//! The three files of /etc that every container gets fresh: hosts(5), hostname(5), resolv.conf(5).

use std::borrow::Cow;

use crate::options::{Checked, Network};

/// Their names in /etc.
pub const FILES: [&str; 3] = ["hosts", "hostname", "resolv.conf"];

/// Those that a launch writes: not where the user mounted something there, or over /etc itself.
pub(super) fn to_generate(options: &Checked, possible: &[&'static str]) -> Vec<&'static str> {
    let taken: Vec<&str> = options.destinations().collect();
    let free = |name: &&str| {
        !taken
            .iter()
            .any(|path| *path == "/etc" || path.strip_prefix("/etc/") == Some(*name))
    };
    possible.iter().copied().filter(free).collect()
}

/// The names of loopback, as Docker writes them; without an address of its own the container's
/// name, where it is known before the container is, means loopback. Then what options add.
pub fn hosts(hostname: Option<&str>, options: &Checked) -> String {
    let own = hostname
        .map(|name| format!("127.0.1.1\t{name}\n"))
        .unwrap_or_default();
    let added = options.extra_hosts.iter();
    let added: String = added
        .map(|host| format!("{}\t{}\n", host.address, host.name))
        .collect();
    format!(
        "127.0.0.1\tlocalhost\n\
         ::1\tlocalhost ip6-localhost ip6-loopback\n\
         fe00::\tip6-localnet\n\
         ff00::\tip6-mcastprefix\n\
         ff02::1\tip6-allnodes\n\
         ff02::2\tip6-allrouters\n\
         {added}{own}"
    )
}

/// The hostname and a line's end.
pub fn hostname(hostname: &str) -> String {
    format!("{hostname}\n")
}

/// With the caller's network its own file; without a network nothing, since no server could be
/// reached and the caller's search domains are none of the container's business. What options say stands in place of
/// each part (resolv.conf(5)).
pub fn resolv_conf(options: &Checked, host: &[u8]) -> Vec<u8> {
    let given =
        !(options.dns.is_empty() && options.dns_search.is_empty() && options.dns_opt.is_empty());
    let host = match options.network() {
        Network::Host if !given => return host.to_vec(),
        Network::Host => String::from_utf8_lossy(host),
        Network::None if !given => return b"# No network.\n".to_vec(),
        Network::None => Cow::Borrowed(""),
    };
    let of_host = |word: &str| -> Vec<String> {
        let lines = host
            .lines()
            .filter_map(|line| line.trim().strip_prefix(word));
        let rest = lines.filter(|rest| rest.starts_with(char::is_whitespace));
        rest.map(|rest| rest.trim().to_owned()).collect()
    };
    let part = |word: &str, mine: Vec<String>| match mine.is_empty() {
        true => of_host(word),
        false => mine,
    };
    let servers = options.dns.iter().map(|server| server.0.to_string());
    let servers = part("nameserver", servers.collect());
    let domains = options.dns_search.iter().map(|domain| domain.0.clone());
    let mut domains = part("search", domains.collect());
    if domains == ["."] {
        domains.clear();
    }
    let options = options.dns_opt.iter().map(|option| option.0.clone());
    let options = part("options", options.collect());
    let mut text = String::new();
    for (word, values) in [("search", domains), ("options", options)] {
        if !values.is_empty() {
            text.push_str(&format!("{word} {}\n", values.join(" ")));
        }
        if word == "search" {
            let lines = servers
                .iter()
                .map(|server| format!("nameserver {server}\n"));
            text.extend(lines);
        }
    }
    text.into_bytes()
}
