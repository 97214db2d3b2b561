//! Flags of `docker run` that mean nothing here: known, so that the answer can say why.

use serde::Serialize;

use super::field::Field;
use super::{OptionError, Value, ValueError};

/// One such flag.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Refused {
    /// The long flag, without its dashes.
    pub flag: &'static str,
    /// The short flag's letter.
    pub short: Option<char>,
    /// Whether it takes a value; else it is a switch.
    pub takes_value: bool,
    /// Values that ask for what is so anyway, and are taken.
    pub accepted: &'static [&'static str],
    /// Why the others are refused and what to do instead: the rest of a sentence, without a stop.
    pub why: &'static str,
}

/// Other spellings of flags that Docker takes and does not show: what is said, and what is meant.
pub const ALIASES: &[(&str, &str)] = &[
    ("dns-opt", "dns-option"),
    ("net", "network"),
    ("net-alias", "network-alias"),
];

const NO_NETWORK: &str = "there are no networks but none and host yet; \
     with --network host the program has the machine's addresses and ports";
const ENDS: &str = "a container lives as long as its command yet; \
     put it in the background with & or start it from Python with fastbox.prepare(...).start()";
const WINDOWS: &str =
    "this is a limit of Docker on Windows; use --cpus, --device-read-bps and their like";
const OUTPUT: &str = "output is yours as it comes and nothing keeps it; redirect stdout and stderr";

/// Every such flag, sorted. A flag is here or in the option table, never in both.
pub const REFUSED: &[Refused] = &[
    value("cpu-count", WINDOWS),
    value("cpu-percent", WINDOWS),
    Refused {
        short: Some('d'),
        ..switch("detach", &["false"], ENDS)
    },
    switch(
        "disable-content-trust",
        &["true"],
        "there is no registry yet whose signatures could be checked; save the image's digest and run it by that",
    ),
    value(
        "gpus",
        "devices are not found by what they can do; give their files with --device and the driver's libraries with -v",
    ),
    value("io-maxbandwidth", WINDOWS),
    value("io-maxiops", WINDOWS),
    value("ip", NO_NETWORK),
    value("ip6", NO_NETWORK),
    Refused {
        accepted: &["", "default"],
        ..value("isolation", "on Linux there is only the default")
    },
    value(
        "kernel-memory",
        "kernels have no such limit any more; --memory counts what the kernel uses for the container too",
    ),
    value("link", NO_NETWORK),
    value("link-local-ip", NO_NETWORK),
    Refused {
        accepted: &["none"],
        ..value("log-driver", OUTPUT)
    },
    value("log-opt", OUTPUT),
    value("mac-address", NO_NETWORK),
    value("network-alias", NO_NETWORK),
    Refused {
        short: Some('p'),
        ..value("publish", NO_NETWORK)
    },
    Refused {
        short: Some('P'),
        ..switch("publish-all", &["false"], NO_NETWORK)
    },
    Refused {
        accepted: &["missing", "never"],
        ..value(
            "pull",
            "there is no registry yet; bring images with fastbox load or fastbox import",
        )
    },
    Refused {
        accepted: &["", "no"],
        ..value(
            "restart",
            "a container ends with its command yet; let a service manager or a loop in the shell start it again",
        )
    },
    value(
        "runtime",
        "fastbox starts containers itself and hands them to no other runtime",
    ),
    switch(
        "use-api-socket",
        &["false"],
        "there is no daemon, so there is no socket to it",
    ),
    Refused {
        accepted: &["", "local"],
        ..value(
            "volume-driver",
            "there are no volume plug-ins; mount a directory with -v, of any file system the machine has mounted",
        )
    },
    value(
        "volumes-from",
        "a container's volumes go with it; give both containers the same directory with -v",
    ),
];

const fn value(flag: &'static str, why: &'static str) -> Refused {
    Refused {
        flag,
        short: None,
        takes_value: true,
        accepted: &[],
        why,
    }
}

const fn switch(
    flag: &'static str,
    accepted: &'static [&'static str],
    why: &'static str,
) -> Refused {
    Refused {
        flag,
        short: None,
        takes_value: false,
        accepted,
        why,
    }
}

impl Refused {
    /// The flag as errors print it: `-p, --publish`.
    pub fn label(&self) -> String {
        match self.short {
            Some(letter) => format!("-{letter}, --{}", self.flag),
            None => format!("--{}", self.flag),
        }
    }

    /// Takes a value that asks for what is so anyway; a switch without a value is on.
    pub(super) fn judge(&self, value: Option<&str>) -> Result<(), OptionError> {
        let asked = match (self.takes_value, value) {
            (true, value) => value.unwrap_or_default().to_owned(),
            (false, None) => "true".to_owned(),
            (false, Some(text)) => {
                let mut on = false;
                on.accept(Value::Str(text.to_owned()))
                    .map_err(|_| OptionError::InvalidFlag {
                        flag: self.label(),
                        value: text.to_owned(),
                        reason: ValueError::Bool,
                    })?;
                on.to_string()
            }
        };
        if self.accepted.contains(&asked.as_str()) {
            return Ok(());
        }
        Err(OptionError::NotHere {
            flag: self.label(),
            value: value.map(str::to_owned),
            why: self.why,
        })
    }
}

/// The flag that a keyword of Python's stands for.
pub(super) fn keyword(name: &str) -> Option<&'static Refused> {
    REFUSED
        .iter()
        .find(|refused| refused.flag.replace('-', "_") == name)
}
