//! The types of limits: memory, CPU, block devices.

use super::field::{Item, Kind, Refusal, Scalar};
use super::{Size, ValueError};

/// `--memory-swap`: memory and swap together in bytes; -1 is no limit, 0 the same as not given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SwapSize(pub i64);

impl Scalar for SwapSize {
    const KIND: Kind = Kind::Size;

    fn from_text(text: &str) -> Result<SwapSize, ValueError> {
        match text {
            "-1" => Ok(SwapSize(-1)),
            // Sizes fit into 63 bits.
            text => Ok(SwapSize(Size::from_text(text)?.0.cast_signed())),
        }
    }

    fn from_int(bytes: i64) -> Result<SwapSize, Refusal> {
        match bytes {
            -1.. => Ok(SwapSize(bytes)),
            _ => Err(ValueError::Size(bytes.to_string()).into()),
        }
    }
}

/// A whole number within bounds.
macro_rules! bounded_type {
    ($(#[$doc:meta])* $name:ident, $bounds:expr) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub struct $name(pub i64);

        impl Scalar for $name {
            const KIND: Kind = Kind::Int;

            fn from_text(text: &str) -> Result<$name, ValueError> {
                let number = i64::from_text(text)?;
                let bounds: std::ops::RangeInclusive<i64> = $bounds;
                match bounds.contains(&number) {
                    true => Ok($name(number)),
                    false => Err(ValueError::OutOf { least: *bounds.start(), most: *bounds.end() }),
                }
            }

            fn from_int(number: i64) -> Result<$name, Refusal> {
                Ok($name::from_text(&number.to_string())?)
            }
        }
    };
}

bounded_type!(
    /// How readily the kernel swaps, from 0 to 100; -1 is the same as not given.
    Swappiness,
    -1..=100
);

bounded_type!(
    /// What is added to a process's badness when memory runs out (proc_pid_oom_score_adj(5)).
    OomScore,
    -1000..=1000
);

bounded_type!(
    /// Microseconds, not negative; 0 is the same as not given.
    Microseconds,
    0..=i64::MAX
);

/// CPUs or memory nodes, as `0-3,8` (cpuset(7), list format).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct NodeList(pub String);

impl Scalar for NodeList {
    const KIND: Kind = Kind::Str;

    fn from_text(text: &str) -> Result<NodeList, ValueError> {
        let number = |digits: &str| digits.parse::<u32>().ok();
        let good = text.split(',').all(|part| match part.split_once('-') {
            Some((low, high)) => match (number(low), number(high)) {
                (Some(low), Some(high)) => low <= high,
                _ => false,
            },
            None => number(part).is_some(),
        });
        match good || text.is_empty() {
            true => Ok(NodeList(text.to_owned())),
            false => Err(ValueError::NodeList),
        }
    }
}

/// `DEVICE:NUMBER` for a block device of the host.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct OfDevice<T> {
    /// The device's file, below /dev.
    pub path: String,
    /// The limit.
    pub value: T,
}

/// `--blkio-weight-device`: 10 to 1000, or 0 for none of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Weight(pub u16);

/// `--device-read-iops`, `--device-write-iops`: operations in a second.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Operations(pub u64);

/// What stands behind a device's path.
pub trait DeviceLimit: Sized {
    /// From its text.
    ///
    /// # Errors
    /// It is none.
    fn read(text: &str) -> Result<Self, ValueError>;
}

impl DeviceLimit for Weight {
    fn read(text: &str) -> Result<Weight, ValueError> {
        match text.parse() {
            Ok(weight @ (0 | 10..=1000)) => Ok(Weight(weight)),
            _ => Err(ValueError::Weight(text.to_owned())),
        }
    }
}

impl DeviceLimit for Size {
    fn read(text: &str) -> Result<Size, ValueError> {
        Size::from_text(text)
    }
}

impl DeviceLimit for Operations {
    fn read(text: &str) -> Result<Operations, ValueError> {
        text.parse()
            .map(Operations)
            .map_err(|_| ValueError::Operations(text.to_owned()))
    }
}

impl<T: DeviceLimit> Item for OfDevice<T> {
    const KIND: Kind = Kind::Values;

    fn from_text(text: &str) -> Result<OfDevice<T>, ValueError> {
        let (path, value) = text.split_once(':').ok_or(ValueError::OfDevice)?;
        if !path.starts_with("/dev/") {
            return Err(ValueError::DevicePath(path.to_owned()));
        }
        Ok(OfDevice {
            path: path.to_owned(),
            value: T::read(value)?,
        })
    }

    fn from_pair(path: &str, value: Option<&str>) -> Result<OfDevice<T>, Refusal> {
        let value = value.ok_or(ValueError::OfDevice)?;
        Ok(OfDevice::from_text(&format!("{path}:{value}"))?)
    }
}
