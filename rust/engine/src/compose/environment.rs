//! The environment of the program.

use crate::options::EnvVar;

/// Docker's PATH where the image has none.
pub const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// PATH, HOSTNAME if it is known, TERM with a terminal, the image's variables, the user's; a later one takes the place of
/// an earlier one, one without a value removes it. At last HOME, where it is missing or empty.
pub(super) fn environment(
    image: &[String],
    user: &[EnvVar],
    hostname: Option<&str>,
    terminal: bool,
    home: &str,
) -> Vec<String> {
    let mut all: Vec<(&str, &str)> = vec![("PATH", PATH)];
    all.extend(hostname.map(|name| ("HOSTNAME", name)));
    all.extend(terminal.then_some(("TERM", "xterm")));
    for entry in image {
        let (name, value) = match entry.split_once('=') {
            Some((name, value)) => (name, Some(value)),
            None => (entry.as_str(), None),
        };
        put(&mut all, name, value);
    }
    for EnvVar { name, value } in user {
        put(&mut all, name, value.as_deref());
    }
    match all.iter_mut().find(|(name, _)| *name == "HOME") {
        Some((_, value)) if value.is_empty() => *value = home,
        Some(_) => {}
        None => all.push(("HOME", home)),
    }
    all.iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect()
}

fn put<'a>(all: &mut Vec<(&'a str, &'a str)>, name: &'a str, value: Option<&'a str>) {
    match (all.iter_mut().find(|(old, _)| *old == name), value) {
        (Some(old), Some(value)) => old.1 = value,
        (Some(_), None) => all.retain(|(old, _)| *old != name),
        (None, Some(value)) if !name.is_empty() => all.push((name, value)),
        (None, _) => {}
    }
}
