//! Names of archive entries as paths below the layer's root.

use crate::error::ImageError;

/// Longer paths could not be used in a container (PATH_MAX is 4096 with its NUL and the slash).
const LONGEST_PATH: usize = 4094;
const LONGEST_NAME: usize = 255;

/// The path without leading or doubled slashes and without `.`; empty for the root itself.
///
/// # Errors
/// [`ImageError::Refused`] for an empty name, a `..`, a NUL byte, or a path that is too long.
pub(crate) fn normalise(name: &[u8]) -> Result<Vec<u8>, ImageError> {
    let mut path = Vec::with_capacity(name.len());
    if name.is_empty() {
        return Err(ImageError::refused(name, "its name is empty"));
    }
    for component in name.split(|b| *b == b'/') {
        match component {
            b"" | b"." => continue,
            b".." => return Err(ImageError::refused(name, "its name has a '..'")),
            _ if component.contains(&0) => {
                return Err(ImageError::refused(name, "its name has a NUL byte"));
            }
            _ if component.len() > LONGEST_NAME => {
                return Err(ImageError::refused(
                    name,
                    "a part of its name has over 255 bytes",
                ));
            }
            _ => {}
        }
        if !path.is_empty() {
            path.push(b'/');
        }
        path.extend_from_slice(component);
    }
    check_length(&path, name)?;
    Ok(path)
}

/// Refuses a path that no container could use.
pub(super) fn check_length(path: &[u8], entry: &[u8]) -> Result<(), ImageError> {
    match path.len() > LONGEST_PATH {
        true => Err(ImageError::refused(entry, "its path has over 4094 bytes")),
        false => Ok(()),
    }
}

/// Directory and name; None for the root. The directory is empty for what lies in the root.
pub(crate) fn split(path: &[u8]) -> Option<(&[u8], &[u8])> {
    if path.is_empty() {
        return None;
    }
    Some(match path.iter().rposition(|b| *b == b'/') {
        Some(slash) => (&path[..slash], &path[slash + 1..]),
        None => (b"", path),
    })
}

pub(crate) fn join(dir: &[u8], name: &[u8]) -> Vec<u8> {
    match (dir.is_empty(), name.is_empty()) {
        (true, _) => name.to_vec(),
        (_, true) => dir.to_vec(),
        _ => [dir, b"/", name].concat(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_become_paths_below_the_root() {
        let path = |name: &[u8]| normalise(name).unwrap();
        assert_eq!(path(b"./usr//bin/./ls"), b"usr/bin/ls");
        assert_eq!(path(b"/etc/passwd"), b"etc/passwd");
        assert_eq!(path(b"./"), b"");
        assert_eq!(path(b"/"), b"");
        assert_eq!(path(b"a/..b/...\xff"), b"a/..b/...\xff");
        assert_eq!(split(b"a/b/c"), Some((&b"a/b"[..], &b"c"[..])));
        assert_eq!(split(b"c"), Some((&b""[..], &b"c"[..])));
        assert_eq!(split(b""), None);
    }

    #[test]
    fn names_that_climb_or_cannot_be_are_refused() {
        let long_name = vec![b'a'; 256];
        let long_path = b"abc/".repeat(1024);
        for name in [
            &b""[..],
            b"..",
            b"a/../b",
            b"/..",
            b"a/..",
            b"../../etc/passwd",
            b"a\0b",
            &long_name,
            &long_path,
        ] {
            assert!(matches!(normalise(name), Err(ImageError::Refused { .. })));
        }
    }
}
