//! The device rules of an OCI document, brought into the form both versions of cgroups know: a default and
//! exceptions from it.

use oci_spec::runtime::{LinuxDeviceCgroup, LinuxDeviceType};

use super::error::CgroupError;

pub(super) const MKNOD: u8 = 1;
pub(super) const READ: u8 = 2;
pub(super) const WRITE: u8 = 4;
pub(super) const ALL_ACCESS: u8 = MKNOD | READ | WRITE;

/// Some devices and what may be done with them; None as number means any.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Rule {
    pub(super) block: bool,
    pub(super) major: Option<u32>,
    pub(super) minor: Option<u32>,
    pub(super) access: u8,
}

/// Which devices a container may use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum DeviceList {
    /// Docker's default, which the owner's group already has.
    Docker,
    /// Another one.
    Own {
        /// What becomes of a device that no exception names.
        allow_rest: bool,
        /// What is allowed when the rest is not, or the other way round.
        exceptions: Vec<Rule>,
    },
}

/// What every container may use under Docker: mknod of anything, and the harmless character devices.
pub(super) fn docker_default() -> Vec<Rule> {
    let any = |block| Rule {
        block,
        major: None,
        minor: None,
        access: MKNOD,
    };
    let device = |major, minor| Rule {
        block: false,
        major: Some(major),
        minor,
        access: ALL_ACCESS,
    };
    vec![
        any(false),
        any(true),
        device(1, Some(3)),    // null
        device(1, Some(5)),    // zero
        device(1, Some(7)),    // full
        device(1, Some(8)),    // random
        device(1, Some(9)),    // urandom
        device(5, Some(0)),    // tty
        device(5, Some(1)),    // console
        device(5, Some(2)),    // ptmx
        device(136, None),     // pts
        device(10, Some(200)), // net/tun
    ]
}

impl Rule {
    /// As `devices.allow` and `devices.deny` take it: `c 1:3 rwm`.
    pub(super) fn text(&self) -> String {
        let number = |n: Option<u32>| n.map_or_else(|| "*".to_owned(), |n| n.to_string());
        let mut text = format!(
            "{} {}:{} ",
            if self.block { 'b' } else { 'c' },
            number(self.major),
            number(self.minor)
        );
        for (bit, letter) in [(READ, 'r'), (WRITE, 'w'), (MKNOD, 'm')] {
            if self.access & bit != 0 {
                text.push(letter);
            }
        }
        text
    }

    fn same_devices(&self, other: &Rule) -> bool {
        (self.block, self.major, self.minor) == (other.block, other.major, other.minor)
    }

    fn covers(&self, other: &Rule) -> bool {
        self.block == other.block
            && (self.major.is_none() || self.major == other.major)
            && (self.minor.is_none() || self.minor == other.minor)
    }

    fn overlaps(&self, other: &Rule) -> bool {
        let meet = |a: Option<u32>, b: Option<u32>| a.is_none() || b.is_none() || a == b;
        self.block == other.block && meet(self.major, other.major) && meet(self.minor, other.minor)
    }
}

/// Applies the rules in their order to nothing allowed, then adds Docker's default, as its runtime does.
pub(super) fn compile(rules: &[LinuxDeviceCgroup]) -> Result<DeviceList, CgroupError> {
    let mut allow_rest = false;
    let mut exceptions: Vec<Rule> = Vec::new();
    for given in rules {
        match parse(given)? {
            None => {
                allow_rest = given.allow();
                exceptions.clear();
            }
            Some(rule) if given.allow() == allow_rest => take_out(&mut exceptions, &rule)
                .map_err(|()| invalid(given, "it contradicts part of an earlier, wider rule"))?,
            Some(rule) => put_in(&mut exceptions, &rule),
        }
    }
    if allow_rest {
        return Ok(DeviceList::Own {
            allow_rest,
            exceptions,
        });
    }
    for rule in docker_default() {
        put_in(&mut exceptions, &rule);
    }
    exceptions.sort_unstable();
    let mut docker = docker_default();
    docker.sort_unstable();
    Ok(if exceptions == docker {
        DeviceList::Docker
    } else {
        DeviceList::Own {
            allow_rest,
            exceptions,
        }
    })
}

fn put_in(exceptions: &mut Vec<Rule>, rule: &Rule) {
    match exceptions.iter_mut().find(|one| one.same_devices(rule)) {
        Some(one) => one.access |= rule.access,
        None => exceptions.push(*rule),
    }
}

fn take_out(exceptions: &mut Vec<Rule>, rule: &Rule) -> Result<(), ()> {
    for one in exceptions.iter_mut() {
        if rule.covers(one) {
            one.access &= !rule.access;
        } else if rule.overlaps(one) && one.access & rule.access != 0 {
            return Err(());
        }
    }
    exceptions.retain(|one| one.access != 0);
    Ok(())
}

/// None for the rule about all devices.
fn parse(given: &LinuxDeviceCgroup) -> Result<Option<Rule>, CgroupError> {
    let mut access = 0;
    for letter in given.access().as_deref().unwrap_or_default().chars() {
        access |= match letter {
            'r' => READ,
            'w' => WRITE,
            'm' => MKNOD,
            _ => return Err(invalid(given, "access is made of the letters r, w and m")),
        };
    }
    if access == 0 {
        return Err(invalid(given, "access is empty"));
    }
    let number = |n: Option<i64>| match n {
        None | Some(-1) => Ok(None),
        Some(n) => u32::try_from(n)
            .map(Some)
            .map_err(|_| invalid(given, "a device number is out of range")),
    };
    let (major, minor) = (number(given.major())?, number(given.minor())?);
    let block = match given.typ().unwrap_or(LinuxDeviceType::A) {
        LinuxDeviceType::A => {
            return if major.is_some() || minor.is_some() {
                Err(invalid(
                    given,
                    "type a is about all devices, whatever the number",
                ))
            } else if access != ALL_ACCESS {
                Err(invalid(given, "type a is about every access, rwm"))
            } else {
                Ok(None)
            };
        }
        LinuxDeviceType::B => true,
        LinuxDeviceType::C | LinuxDeviceType::U => false,
        LinuxDeviceType::P => return Err(invalid(given, "a fifo is no device")),
    };
    Ok(Some(Rule {
        block,
        major,
        minor,
        access,
    }))
}

fn invalid(given: &LinuxDeviceCgroup, why: &str) -> CgroupError {
    CgroupError::Invalid {
        limit: "devices",
        value: format!("{} {given}", if given.allow() { "allow" } else { "deny" }),
        why: why.to_owned(),
    }
}
