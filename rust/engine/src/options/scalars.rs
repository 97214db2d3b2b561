//! The small types of single options.

use fastbox_container::cgroup::Parent;

use super::decimal::Decimal;
use super::field::{Item, Kind, Refusal, Scalar};
use super::{Value, ValueError};

/// CPUs in billionths, as Docker keeps them; 0 is no limit. At most nine digits after the point.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct NanoCpus(pub u64);

impl Scalar for NanoCpus {
    const KIND: Kind = Kind::Float;

    fn from_text(text: &str) -> Result<NanoCpus, ValueError> {
        let number = Decimal::parse(text).ok_or(ValueError::Decimal)?;
        if !number.exact {
            return Err(ValueError::TooPrecise);
        }
        let billionths = number.times(1_000_000_000).ok_or(ValueError::TooLarge)?;
        i64::try_from(billionths).map_err(|_| ValueError::TooLarge)?;
        Ok(NanoCpus(billionths))
    }

    fn from_int(cpus: i64) -> Result<NanoCpus, Refusal> {
        Ok(NanoCpus::from_text(&cpus.to_string())?)
    }

    fn from_float(cpus: f64) -> Result<NanoCpus, Refusal> {
        Ok(NanoCpus::from_text(&cpus.to_string())?)
    }
}

impl Scalar for i64 {
    const KIND: Kind = Kind::Int;

    fn from_text(text: &str) -> Result<i64, ValueError> {
        text.parse().map_err(|_| ValueError::Integer)
    }

    fn from_int(number: i64) -> Result<i64, Refusal> {
        Ok(number)
    }
}

impl Item for String {
    const KIND: Kind = Kind::List;

    fn from_text(text: &str) -> Result<String, ValueError> {
        if text.is_empty() {
            Err(ValueError::Empty)
        } else {
            Ok(text.to_owned())
        }
    }
}

/// A text whose form is checked when it is given.
macro_rules! text_type {
    ($(#[$doc:meta])* $name:ident, $check:expr) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, Hash)]
        pub struct $name(pub String);

        impl Scalar for $name {
            const KIND: Kind = Kind::Str;
            fn from_text(text: &str) -> Result<$name, ValueError> {
                let check: fn(&str) -> Result<(), ValueError> = $check;
                check(text).map(|()| $name(text.to_owned()))
            }
        }
    };
}

text_type!(
    /// A container's name: a letter or digit, then at least one of `[a-zA-Z0-9_.-]`.
    Name,
    |text| {
        let mut bytes = text.bytes();
        let first = bytes.next().is_some_and(|b| b.is_ascii_alphanumeric());
        let rest = text.len() > 1 && bytes.all(|b| b.is_ascii_alphanumeric() || b"_.-".contains(&b));
        // It becomes a file name, and those end at 255 bytes.
        if first && rest && text.len() <= 255 { Ok(()) } else { Err(ValueError::Name) }
    }
);

text_type!(
    /// A hostname: 1 to 64 bytes (sethostname(2)), of characters that /etc/hosts can hold.
    Hostname,
    |text| {
        let good = text.bytes().all(|b| b.is_ascii_alphanumeric() || b"_.-".contains(&b));
        if good && (1..=64).contains(&text.len()) { Ok(()) } else { Err(ValueError::Hostname) }
    }
);

text_type!(
    /// An absolute path in the container.
    Workdir,
    |text| if text.starts_with('/') { Ok(()) } else { Err(ValueError::Workdir(text.to_owned())) }
);

text_type!(
    /// A path of the host, not empty.
    FilePath,
    |text| if text.is_empty() { Err(ValueError::Empty) } else { Ok(()) }
);

text_type!(
    /// The program that `--entrypoint` names; empty for none.
    Entrypoint,
    |_| Ok(())
);

text_type!(
    /// A command for a shell, not empty.
    HealthCommand,
    |text| if text.is_empty() { Err(ValueError::Empty) } else { Ok(()) }
);

text_type!(
    /// `user`, `uid`, `user:group`, `uid:gid` or a mixture; empty is the same as not given.
    UserSpec,
    |_| Ok(())
);

text_type!(
    /// The platform an image must be for, as `linux/arm64`.
    PlatformName,
    |text| match text.parse::<fastbox_image::Platform>() {
        Ok(_) => Ok(()),
        Err(error) => Err(ValueError::Platform(error.to_string())),
    }
);

impl PlatformName {
    /// What it means.
    pub fn platform(&self) -> fastbox_image::Platform {
        // Only what can be read is ever made.
        self.0.parse().unwrap_or_default()
    }
}

/// The group below which a container's groups lie, in every hierarchy.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct CgroupParent(pub Parent);

impl Scalar for CgroupParent {
    const KIND: Kind = Kind::Str;

    fn from_text(text: &str) -> Result<CgroupParent, ValueError> {
        let parent = Parent::parse(text);
        parent
            .map(CgroupParent)
            .map_err(|error| ValueError::CgroupParent(error.to_string()))
    }
}

/// An option that takes one of a few words.
macro_rules! choice_type {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $word:literal,)* } else $error:expr) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum $name { $($(#[$vdoc])* $variant,)* }

        impl $name {
            /// The word a user writes.
            pub fn as_str(self) -> &'static str {
                match self { $($name::$variant => $word,)* }
            }
        }

        impl Scalar for $name {
            const KIND: Kind = Kind::Choice;
            const CHOICES: &'static [&'static str] = &[$($word),*];
            fn from_text(text: &str) -> Result<$name, ValueError> {
                match text {
                    $($word => Ok($name::$variant),)*
                    _ => Err($error),
                }
            }
        }
    };
}

choice_type!(
    /// The network a container gets.
    Network {
        /// A network namespace of its own with only the loopback device, up.
        None = "none",
        /// The caller's network namespace.
        Host = "host",
    } else ValueError::Network
);

choice_type!(
    /// Which part of the control groups a container sees.
    CgroupNamespace {
        /// From its own group on.
        Private = "private",
        /// All: its own group's path is the host's.
        Host = "host",
    } else ValueError::Choice(CgroupNamespace::CHOICES)
);

choice_type!(
    /// Whose user ids a container has.
    UserNamespace {
        /// Its own range of ids: root inside is nobody outside.
        Auto = "auto",
        /// The caller's, as Docker's default.
        Host = "host",
    } else ValueError::Choice(UserNamespace::CHOICES)
);

choice_type!(
    /// A named set of options.
    Preset {
        /// For code nobody read.
        Untrusted = "untrusted",
    } else ValueError::Choice(Preset::CHOICES)
);

/// One `-e`: a variable with its value, or a name to take out of the image's environment.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct EnvVar {
    /// Not empty, without `=`.
    pub name: String,
    /// `None`: the container does not have it even if the image sets it (Docker's `-e NAME` with
    /// NAME not set in the caller's environment).
    pub value: Option<String>,
}

impl EnvVar {
    /// The neutral value of one `-e` argument: `NAME` takes the caller's value.
    pub(super) fn flag(text: &str, lookup: &dyn Fn(&str) -> Option<String>) -> Value {
        match text.split_once('=') {
            Some((name, value)) => Value::Map(vec![(name.to_owned(), Some(value.to_owned()))]),
            None => Value::Map(vec![(text.to_owned(), lookup(text))]),
        }
    }
}

impl Item for EnvVar {
    const KIND: Kind = Kind::Map;

    fn from_text(text: &str) -> Result<EnvVar, ValueError> {
        let (name, value) = text.split_once('=').ok_or(ValueError::EnvSyntax)?;
        match name {
            "" => Err(ValueError::EnvName),
            _ => Ok(EnvVar {
                name: name.to_owned(),
                value: Some(value.to_owned()),
            }),
        }
    }

    fn from_pair(name: &str, value: Option<&str>) -> Result<EnvVar, Refusal> {
        if name.is_empty() || name.contains('=') {
            return Err(ValueError::EnvName.into());
        }
        Ok(EnvVar {
            name: name.to_owned(),
            value: value.map(str::to_owned),
        })
    }
}
