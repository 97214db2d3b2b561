//! Platforms, as `--platform` names them.

use std::fmt;
use std::str::FromStr;

use oci_spec::image::Arch;

use crate::error::ImageError;

/// The architecture that an image's programs are for; the system is always Linux. The default is
/// this machine's.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Platform {
    /// The architecture, with Go's names (`amd64`, `arm64`).
    pub architecture: Arch,
    /// Its variant, such as `v7`.
    pub variant: Option<String>,
}

/// Architectures with their variants and the other names they go by.
const ALIASES: [(&str, &str, Option<&str>); 8] = [
    ("x86_64", "amd64", None),
    ("x86-64", "amd64", None),
    ("aarch64", "arm64", None),
    ("armhf", "arm", Some("v7")),
    ("armel", "arm", Some("v6")),
    ("i386", "386", None),
    ("i486", "386", None),
    ("i686", "386", None),
];

impl FromStr for Platform {
    type Err = ImageError;

    /// Reads `linux`, `ARCH` or `linux/ARCH[/VARIANT]`.
    fn from_str(text: &str) -> Result<Platform, ImageError> {
        let refused = |reason| ImageError::InvalidPlatform {
            platform: text.chars().take(100).collect(),
            reason,
        };
        let lower = text.to_ascii_lowercase();
        let parts: Vec<&str> = lower.split('/').collect();
        let (name, variant) = match parts[..] {
            ["linux"] => return Ok(Platform::default()),
            ["linux", architecture] => (architecture, None),
            ["linux", architecture, variant] => (architecture, Some(variant)),
            [architecture] => (architecture, None),
            _ => {
                return Err(refused(
                    "use linux/ARCHITECTURE[/VARIANT]; images are for Linux",
                ));
            }
        };
        let alias = ALIASES.iter().find(|(alias, ..)| *alias == name);
        let (name, implied) = alias.map_or((name, None), |(_, name, implied)| (*name, *implied));
        let architecture = Arch::from(name);
        if matches!(architecture, Arch::Other(_)) {
            return Err(refused(
                "the architecture is unknown; use one such as amd64 or arm64",
            ));
        }
        let fits = |v: &&str| !v.is_empty() && v.bytes().all(|b| b.is_ascii_alphanumeric());
        if variant.is_some_and(|variant| !fits(&variant)) {
            return Err(refused("a variant has letters and digits, as v7"));
        }
        Ok(Platform {
            architecture,
            variant: variant.or(implied).map(str::to_owned),
        })
    }
}

impl fmt::Display for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "linux/{}", self.architecture)?;
        match &self.variant {
            Some(variant) => write!(f, "/{variant}"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn platforms_are_read_in_all_their_forms() {
        for (text, full) in [
            ("linux/amd64", "linux/amd64"),
            ("arm64", "linux/arm64"),
            ("Linux/AArch64", "linux/arm64"),
            ("linux/arm/v7", "linux/arm/v7"),
            ("armhf", "linux/arm/v7"),
            ("x86_64", "linux/amd64"),
        ] {
            assert_eq!(text.parse::<Platform>().unwrap().to_string(), full);
        }
        assert_eq!("linux".parse::<Platform>().unwrap(), Platform::default());
    }

    #[test]
    fn other_systems_and_unknown_architectures_are_refused() {
        for text in [
            "",
            "windows",
            "windows/amd64",
            "linux/vax",
            "linux/",
            "linux/arm/",
            "a/b/c/d",
        ] {
            let error = text.parse::<Platform>().unwrap_err().to_string();
            assert!(error.contains("platform"), "{text}: {error}");
        }
    }
}
