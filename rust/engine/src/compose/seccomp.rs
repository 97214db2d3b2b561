//! `linux.seccomp`: the profile asked for, resolved for this container's rights and machine.

use fastbox_container::security::caps::CapSet;
use fastbox_container::security::seccomp::{
    Arch, KernelVersion, Profile, default_profile, deny_for_untrusted,
};
use oci_spec::runtime::LinuxSeccomp;

use super::{Host, ReadHost, SpecError};
use crate::options::{Checked, SeccompChoice};

/// `None` without a profile. A file's relative path starts at the caller's directory.
pub(super) fn seccomp(
    options: &Checked,
    caps: &CapSet,
    host: &Host,
    read_host: ReadHost,
) -> Result<Option<LinuxSeccomp>, SpecError> {
    let parsed;
    let profile = match options.seccomp() {
        SeccompChoice::Unconfined => return Ok(None),
        SeccompChoice::Builtin => default_profile(),
        SeccompChoice::File(path) => {
            let path = host.directory.join(path);
            let json = read_host(&path)
                .and_then(|bytes| {
                    String::from_utf8(bytes).map_err(|_| std::io::ErrorKind::InvalidData.into())
                })
                .map_err(|source| SpecError::ProfileRead {
                    path: path.clone(),
                    source,
                })?;
            parsed = Profile::parse(&json).map_err(|source| SpecError::Profile { path, source })?;
            &parsed
        }
    };
    let (major, minor) = host.kernel;
    let arch = Arch::native()?;
    let mut spec = profile.resolve(*caps, arch, KernelVersion { major, minor });
    if options.untrusted() {
        deny_for_untrusted(&mut spec);
    }
    Ok(Some(spec))
}
