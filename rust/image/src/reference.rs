//! Image names, as Docker writes them (the grammar of its `reference` package).

use std::fmt;

use crate::digest::Digest;
use crate::error::ImageError;

const DEFAULT_DOMAIN: &str = "docker.io";
const OFFICIAL: &str = "library/";
const DEFAULT_TAG: &str = "latest";

/// A complete, valid image name: domain, path and tag. `debian` is
/// `docker.io/library/debian:latest`; `Display` gives that full form, [`Reference::short`] the
/// familiar one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Reference {
    domain: String,
    path: String,
    tag: String,
}

impl Reference {
    /// The name that no image of a store may have: it is the machine's own.
    pub const HOST: &str = "host";

    /// Reads `[domain/]path[:tag]`. The tag is `latest` where none is given; the domain is
    /// `docker.io` where the first part has neither dot nor port and is not `localhost`.
    ///
    /// # Errors
    /// [`ImageError::InvalidReference`] with the rule that was broken; a digest (`@sha256:…`, or 64
    /// hex digits alone) is not a name.
    pub fn parse(text: &str) -> Result<Reference, ImageError> {
        parse(text).map_err(|reason| ImageError::InvalidReference {
            reference: text.chars().take(300).collect(),
            reason,
        })
    }

    /// The registry's host, with a port if one was given.
    pub fn domain(&self) -> &str {
        &self.domain
    }

    /// The repository path below the domain.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The tag.
    pub fn tag(&self) -> &str {
        &self.tag
    }

    /// The familiar repository name: without `docker.io/` and `library/`, where it is read as the
    /// same name without them.
    pub fn repository(&self) -> String {
        let full = || format!("{}/{}", self.domain, self.path);
        if self.domain != DEFAULT_DOMAIN {
            return full();
        }
        match (self.path.strip_prefix(OFFICIAL), self.path.split_once('/')) {
            (Some(name), _) if !name.contains('/') => name.to_owned(),
            (_, Some((first, _))) if is_domain(first) => full(),
            _ => self.path.clone(),
        }
    }

    /// The familiar form with its tag: `debian:latest`.
    pub fn short(&self) -> String {
        format!("{}:{}", self.repository(), self.tag)
    }

    /// Refuses the reserved name.
    pub(crate) fn check_free(&self) -> Result<(), ImageError> {
        let is_host = self.repository() == Reference::HOST && self.tag == DEFAULT_TAG;
        match is_host {
            true => Err(ImageError::Reserved { name: self.short() }),
            false => Ok(()),
        }
    }

    /// A file name for this reference: unique, and short enough for every file system.
    pub(crate) fn file_stem(&self) -> String {
        let full = self.to_string();
        let escaped = full.replace('/', "%2F").replace(':', "%3A");
        match escaped.len() {
            0..=200 => escaped,
            _ => format!("~{}", Digest::of(full.as_bytes()).hex()),
        }
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}:{}", self.domain, self.path, self.tag)
    }
}

impl std::str::FromStr for Reference {
    type Err = ImageError;

    fn from_str(text: &str) -> Result<Reference, ImageError> {
        Reference::parse(text)
    }
}

fn parse(text: &str) -> Result<Reference, &'static str> {
    if text.is_empty() {
        return Err("it is empty");
    }
    if text.contains('@') {
        return Err("a digest cannot be given to an image; use NAME[:TAG]");
    }
    if text.len() == 64 && Digest::parse(text).is_some() {
        return Err("64 hex digits are an image id, not a name");
    }
    let (domain, rest) = match text.split_once('/') {
        Some((first, rest)) if is_domain(first) => (first, rest),
        _ => (DEFAULT_DOMAIN, text),
    };
    check_domain(domain)?;
    let (path, tag) = match rest.rsplit_once(':') {
        Some((path, tag)) if !tag.contains('/') => (path, tag),
        Some(_) => return Err("a colon may only stand before the tag or a port"),
        None => (rest, DEFAULT_TAG),
    };
    let (domain, path) = match domain {
        "docker.io" | "index.docker.io" if !path.contains('/') => {
            (DEFAULT_DOMAIN, format!("{OFFICIAL}{path}"))
        }
        "index.docker.io" => (DEFAULT_DOMAIN, path.to_owned()),
        _ => (domain, path.to_owned()),
    };
    if path.ends_with('/') && path == OFFICIAL {
        return Err("the name before the tag is empty");
    }
    path.split('/').try_for_each(check_component)?;
    if domain.len() + 1 + path.len() > 255 {
        return Err("repository name must not have more than 255 characters");
    }
    check_tag(tag)?;
    Ok(Reference {
        domain: domain.to_owned(),
        path,
        tag: tag.to_owned(),
    })
}

fn is_domain(first: &str) -> bool {
    first.contains(['.', ':'])
        || first == "localhost"
        || first.bytes().any(|b| b.is_ascii_uppercase())
}

fn check_domain(domain: &str) -> Result<(), &'static str> {
    let (host, port) = match domain.strip_prefix('[').and_then(|d| d.split_once(']')) {
        Some((address, port)) => {
            let fits = |b: u8| b.is_ascii_hexdigit() || b == b':';
            if address.is_empty() || !address.bytes().all(fits) {
                return Err("the part in brackets is not an IPv6 address");
            }
            ("", port)
        }
        None => match domain.find(':') {
            Some(colon) => domain.split_at(colon),
            None => (domain, ""),
        },
    };
    if !port.is_empty() {
        let digits = port.strip_prefix(':').unwrap_or("");
        if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
            return Err("the port must be a number");
        }
    }
    let label = |l: &str| {
        let inner = |b: u8| b.is_ascii_alphanumeric() || b == b'-';
        !l.is_empty() && l.bytes().all(inner) && !l.starts_with('-') && !l.ends_with('-')
    };
    if !domain.starts_with('[') && !host.split('.').all(label) {
        return Err("the registry's host has a character or dot that no host name may have");
    }
    Ok(())
}

/// `[a-z0-9]+` parts joined by one `.`, one or two `_`, or any number of `-`.
fn check_component(component: &str) -> Result<(), &'static str> {
    if component.is_empty() {
        return Err("a part of the name is empty");
    }
    if component.bytes().any(|b| b.is_ascii_uppercase()) {
        return Err("repository name must be lowercase");
    }
    if !component
        .bytes()
        .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"._-".contains(&b))
    {
        return Err("the name may only have a-z, 0-9, '.', '_', '-' and '/'");
    }
    let separators = component.split(|c: char| c.is_ascii_alphanumeric());
    for separator in separators.filter(|s| !s.is_empty()) {
        let dashes = separator.bytes().all(|b| b == b'-');
        if !dashes && !matches!(separator, "." | "_" | "__") {
            return Err("'.', '_', '__' or dashes may only stand singly between letters or digits");
        }
    }
    let edge = |b: Option<u8>| b.is_some_and(|b| b.is_ascii_alphanumeric());
    if !edge(component.bytes().next()) || !edge(component.bytes().last()) {
        return Err("each part of the name must begin and end with a letter or digit");
    }
    Ok(())
}

fn check_tag(tag: &str) -> Result<(), &'static str> {
    if tag.is_empty() {
        return Err("the tag is empty");
    }
    if tag.len() > 128 {
        return Err("a tag has at most 128 characters");
    }
    if !tag
        .bytes()
        .all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b))
    {
        return Err("the tag may only have letters, digits, '.', '_' and '-'");
    }
    if tag.starts_with(['.', '-']) {
        return Err("the tag may not begin with '.' or '-'");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_completed_as_dockers_are() {
        for (text, full, short) in [
            ("debian", "docker.io/library/debian:latest", "debian:latest"),
            ("debian:12", "docker.io/library/debian:12", "debian:12"),
            ("me/app", "docker.io/me/app:latest", "me/app:latest"),
            (
                "docker.io/debian",
                "docker.io/library/debian:latest",
                "debian:latest",
            ),
            ("index.docker.io/a/b:1", "docker.io/a/b:1", "a/b:1"),
            (
                "docker.io/a.b/c",
                "docker.io/a.b/c:latest",
                "docker.io/a.b/c:latest",
            ),
            ("localhost/x", "localhost/x:latest", "localhost/x:latest"),
            (
                "host:5000/a/b:T_1.x-",
                "host:5000/a/b:T_1.x-",
                "host:5000/a/b:T_1.x-",
            ),
            ("[::1]:5000/a", "[::1]:5000/a:latest", "[::1]:5000/a:latest"),
            (
                "a__b--c.d",
                "docker.io/library/a__b--c.d:latest",
                "a__b--c.d:latest",
            ),
        ] {
            let reference = Reference::parse(text).unwrap();
            assert_eq!(reference.to_string(), full);
            assert_eq!(reference.short(), short);
            assert_eq!(Reference::parse(full).unwrap(), reference);
            assert_eq!(Reference::parse(short).unwrap(), reference);
        }
    }

    #[test]
    fn what_docker_refuses_is_refused_with_a_reason() {
        let long = "a".repeat(256);
        let long_tag = format!("a:{}", "t".repeat(129));
        for text in [
            "",
            ":tag",
            "/",
            "a/",
            "/a",
            "a//b",
            "Debian",
            "a b",
            "a:",
            "a:b:c",
            "a:-x",
            "a:.x",
            "a..b",
            "a___b",
            "-a",
            "a-",
            "a:b/c",
            "host:port/a",
            "a@sha256:00",
            "../a",
            "a/../b",
            "a%2Fb",
            "ä",
            "-host.x/a",
            "[zz]/a",
            &"a".repeat(64),
            &long,
            &long_tag,
        ] {
            match Reference::parse(text) {
                Err(ImageError::InvalidReference { reason, .. }) => assert!(!reason.is_empty()),
                other => panic!("{text:?}: {other:?}"),
            }
        }
    }

    #[test]
    fn file_names_are_unique_and_short() {
        let name = |text: &str| Reference::parse(text).unwrap().file_stem();
        assert_eq!(name("a/b:c"), "docker.io%2Fa%2Fb%3Ac");
        let long = format!("{}:{}", "a".repeat(200), "t".repeat(128));
        assert_eq!(name(&long).len(), 65);
    }
}
