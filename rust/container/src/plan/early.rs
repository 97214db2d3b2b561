//! What differs where the container may administer its mounts (CAP_SYS_ADMIN): it enters its user namespace before
//! they are made, so that they are its own.

use super::options::Options;
use super::{Compiler, Userns};
use crate::error::PlanError;
use crate::slots;
use fastbox_sys::builder::Slot;
use fastbox_sys::clone::flags;

/// The file systems that only the host's root may make, detached.
pub(super) struct Prepared {
    proc: Option<Slot>,
    sysfs: Option<Slot>,
}

impl Compiler<'_> {
    pub(super) fn is_early(&self) -> bool {
        self.choices.userns == Userns::Early
    }

    /// Makes proc and sysfs while it is still the host's root (the kernel would want whole ones in sight else, and
    /// the lean mount namespace has none), then enters the user namespace, and makes those of `namespaces` in it.
    pub(super) fn enter_early(
        &mut self,
        own_network: bool,
        namespaces: u64,
    ) -> Result<(), PlanError> {
        let mut prepared = Prepared {
            proc: None,
            sysfs: None,
        };
        if own_network {
            self.enter_network();
        }
        for mount in self.spec.mounts().iter().flatten() {
            let kind = mount.typ().as_deref().unwrap_or("none");
            let place = match kind {
                "proc" => &mut prepared.proc,
                "sysfs" => &mut prepared.sysfs,
                _ => continue,
            };
            let options = Options::read(mount)?;
            let made = self.child.slot();
            self.child
                .label("make", kind)
                .filesystem(kind, &[], options.attributes, made);
            *place = Some(made);
        }
        self.child
            .label("enter", "user namespace")
            .setns(slots::USERNS, flags::NEWUSER)
            .setgroups(&[])
            .setids(0, 0)
            .dumpable(slots::DUMPABLE)
            .die_with_parent();
        self.child
            .label("unshare", "namespaces")
            .unshare(namespaces);
        self.prepared = Some(prepared);
        Ok(())
    }

    /// Attaches a file system that was made before; false where it was not.
    pub(super) fn attach_prepared(&mut self, kind: &str, target: &str) -> bool {
        let made = self.prepared.as_ref().and_then(|prepared| match kind {
            "proc" => prepared.proc,
            _ => prepared.sysfs,
        });
        if let Some(made) = made {
            self.child.attach(made, target).close(made);
        }
        made.is_some()
    }
}
