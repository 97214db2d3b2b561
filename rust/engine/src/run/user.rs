//! What an ordinary user's containers are made with, and what they lack.

use super::engine::Engine;
use super::fit::annotate;
use super::{EngineError, upper};
use crate::compose::{annotation, devices};
use crate::options::{
    Bind, Checked, IpcMode, MountFlag, Network, PidMode, Propagation, UserNamespace,
};
use fastbox_container::plan::{Choices, Storage, Userns, has_upper};
use oci_spec::runtime::{Mount, Spec};

impl Engine {
    /// Fits the choices to an ordinary user: what is lacking. Root's stay as they are.
    pub(super) fn fit_user(
        &self,
        spec: &mut Spec,
        choices: &mut Choices,
        options: &Checked,
    ) -> Result<Vec<String>, EngineError> {
        let Some((ids, why_single)) = self.spawner.owned() else {
            return Ok(Vec::new());
        };
        if options.userns == Some(UserNamespace::Host) {
            return Err(EngineError::NeedsRoot {
                what: "--userns host",
            });
        }
        let image = |mount: &MountFlag| matches!(mount, MountFlag::Image(_));
        let spreads = |bind: &Bind| {
            !matches!(
                bind.propagation,
                Propagation::RPrivate | Propagation::Private
            )
        };
        let shared = [
            (options.mounts.iter().any(image), "--mount type=image"),
            (
                options.binds().any(spreads),
                "a bind to which mounts of the host spread",
            ),
            (options.privileged, "--privileged"),
            (options.pid == Some(PidMode::Host), "--pid host"),
            (options.ipc == Some(IpcMode::Host), "--ipc host"),
        ];
        if let Some((_, what)) = shared.into_iter().find(|(asked, _)| *asked) {
            return Err(EngineError::NeedsRoot { what });
        }
        choices.userns = Userns::Owned { ids };
        annotate(spec, annotation::USERNS, "auto");
        let mut notes = vec![
            "no range of ids of its own: an ordinary user's containers share a user namespace in which 0 is the user"
                .to_owned(),
        ];
        if let Some(why) = why_single {
            notes.push(format!(
                "no id but 0, so no other users and no chown inside, and the user's further groups stay: {why}"
            ));
        }
        if options.network() == Network::Host {
            notes.push("no /sys: the network namespace that it would show is the host's".into());
        }
        if choices.storage == Storage::Disk && has_upper(spec) {
            // Files of other ids, and directories that overlay protects, could not be deleted by the user
            // afterwards; the kernel itself lets go of a tmpfs.
            let size = upper::half_of_memory();
            choices.storage = Storage::Memory(size);
            annotate(spec, annotation::STORAGE_SIZE, &size.to_string());
        }
        if has_upper(spec) && !choices.features.tmpfs_attributes {
            notes.push(
                "a directory of the image that was removed cannot be made again: tmpfs has no extended attributes \
                 for users before Linux 6.6"
                    .into(),
            );
        }
        Ok(notes)
    }
}

/// Nobody makes nodes in a user namespace: those of the host are bound, to be used by who may use them there.
pub(super) fn bind_devices(spec: &mut Spec, options: &Checked) -> Result<(), EngineError> {
    let mut mounts = spec.mounts().clone().unwrap_or_default();
    for asked in devices::asked(options)? {
        if !["r", "w"].iter().all(|right| asked.access.contains(right)) {
            return Err(EngineError::Limit {
                flag: "--device",
                value: format!("{}:{}", asked.source.display(), asked.access),
                why: "an ordinary user's containers have no list of devices, so access cannot be narrowed"
                    .into(),
            });
        }
        let mut mount = Mount::default();
        mount
            .set_destination(asked.device.path().clone())
            .set_typ(Some("bind".into()))
            .set_source(Some(asked.source))
            .set_options(Some(vec!["bind".into()]));
        mounts.push(mount);
    }
    spec.set_mounts(Some(mounts));
    Ok(())
}
